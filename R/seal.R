# The seal of a fit: a fingerprint of all parts of the fit that its methods use.

# Fits of older versions lack parts that the methods of this version need.
oldest_readable <- "0.2.0"

# Adds to a fit the fingerprint of all its parts except `unsealed`: calls, times, and trajectories, which have their
# own fingerprints. The methods of a fit use only the other parts.
seal <- function(fit) {
  fit$fingerprint <- fit_fingerprint(fit)
  fit
}

unsealed <- c("call", "elapsed", "fingerprint", "trajectory", "report", "scores")

fit_fingerprint <- function(fit) fingerprint(unclass(fit)[setdiff(names(fit), unsealed)])

# Stops if the fit comes from a version that this one cannot read, or if it was changed by hand. Each method that uses
# the fit calls this once.
check_fit <- function(fit, what = "object") {
  made <- fit$version
  readable <- is.character(made) && length(made) == 1 && package_version(made) >= oldest_readable &&
    package_version(made) <= utils::packageVersion("particleflow")
  if (!readable) {
    fail("`%s` was made by particleflow %s, whose fits particleflow %s cannot read; make it again.", what,
         if (is.character(made)) made else "of an unknown version", utils::packageVersion("particleflow"))
  }
  whole <- identical(fit$fingerprint, fit_fingerprint(fit))
  for (traj in fit_trajectories(fit)) whole <- whole && identical(traj$fingerprint, trajectory_fingerprint(traj))
  if (!whole) {
    maker <- if (inherits(fit, "integration")) "integrate_data" else class(fit)[1]
    fail("`%s` was changed after %s() made it, so its answers would be wrong; make it again.", what, maker)
  }
  invisible(fit)
}

fit_trajectories <- function(fit) {
  if (is.null(fit$trajectory)) return(NULL)
  if (inherits(fit$trajectory, "particle_trajectory")) list(fit$trajectory) else fit$trajectory
}
