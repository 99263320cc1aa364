# The seal of a fit: a fingerprint over what its answers depend on.

# Fits of earlier versions lack what the methods of this version need.
oldest_readable <- "0.2.0"

# A fit with a fingerprint of all its parts but these: its calls, its times, and trajectories, which have one of their
# own. What a fit is asked later depends on the others.
seal <- function(fit) {
  fit$fingerprint <- fit_fingerprint(fit)
  fit
}

unsealed <- c("call", "elapsed", "fingerprint", "trajectory", "report", "scores")

fit_fingerprint <- function(fit) fingerprint(unclass(fit)[setdiff(names(fit), unsealed)])

# Stops where the fit comes from a version that this one cannot read, or was changed by hand. Each method that answers
# from the fit calls it once.
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
