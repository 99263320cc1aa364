# The seal of a fit: a fingerprint of all parts of the fit that its methods use. Versions that can be read.

# Fits and checkpoints of older versions lack parts that this version needs.
oldest_readable <- "0.2.0"

# Adds to a fit the fingerprint of all its parts except `unsealed`: calls and times. The methods of a fit use only the
# other parts. Trajectories have their own fingerprints. That of the fit covers these instead of the frames, so that the
# frames are gone through once.
seal <- function(fit) {
  fit$fingerprint <- fit_fingerprint(fit)
  fit
}

unsealed <- c("call", "elapsed", "fingerprint", "trajectory", "report", "scores")

fit_fingerprint <- function(fit) {
  fingerprint(c(unclass(fit)[setdiff(names(fit), unsealed)],
                list(trajectory = lapply(fit_trajectories(fit), trajectory_mark), form = class(fit$trajectory))))
}

# Stops if the fit comes from a version that this one cannot read, or if it was changed by hand. Each method that uses
# the fit calls this once.
check_fit <- function(fit, what = "object") {
  if (!is_readable(fit$version)) {
    fail("`%s` was made by particleflow %s, whose fits particleflow %s cannot read; make it again.", what,
         version_text(fit$version), utils::packageVersion("particleflow"))
  }
  whole <- identical(fit$fingerprint, fit_fingerprint(fit)) && all(vapply(fit_trajectories(fit), is_whole, NA))
  if (!whole) {
    maker <- if (inherits(fit, "integration")) "integrate_data" else c(fit$maker, class(fit))[1]
    fail("`%s` was changed after %s() made it, so its answers would be wrong; make it again.", what, maker)
  }
  invisible(fit)
}

# The trajectories of a fit as a list: one, one per class, or none.
fit_trajectories <- function(fit) {
  stored <- fit$trajectory
  if (is.null(stored) || inherits(stored, "particle_trajectory") || !is.list(stored)) list(stored) else stored
}

trajectory_mark <- function(traj) if (is.list(traj)) traj$fingerprint

is_whole <- function(traj) is.null(traj) || is.list(traj) && identical(traj$fingerprint, trajectory_fingerprint(traj))

# Whether this version of the package reads what the version `made` wrote.
is_readable <- function(made) {
  is_version(made) && package_version(made) >= oldest_readable &&
    package_version(made) <= utils::packageVersion("particleflow")
}

is_version <- function(made) {
  is.character(made) && length(made) == 1 && grepl("^[0-9]+([.-][0-9]+)+$", made)
}

version_text <- function(made) if (is_version(made)) made else "of an unknown version"
