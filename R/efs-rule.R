# Rules of thumb, and when they apply.

# The softening, in units of the squared spacing of the particles, and the time of the rule of thumb. A search starts
# from them.
usual_softening <- 16

usual_time <- 1

# The rule of thumb for settings that are not searched: `control` with its gaps filled.
rule_of_thumb <- function(control, n, d) {
  if (is.null(control$s)) control$s <- 0
  if (is.null(control$epsilon)) control$epsilon <- softening_of(usual_softening, n, d)
  if (is.null(control$time) && is.null(control$n_steps)) control$time <- usual_time
  if (is.null(control$laws)) control$laws <- list(law_local())
  control
}

# A search needs this many rows. With fewer rows the folds say nothing about the laws.
least_search_rows <- 20L

# Whether the settings that are left open can be chosen by likelihood.
can_calibrate <- function(control, z) {
  varies <- apply(z, 2, function(column) any(column != column[1]))
  all(varies) && can_search(control, nrow(z), ncol(z))
}

can_search <- function(control, n, d) {
  open <- is.null(control$s) || is.null(control$epsilon) || length(control$laws) != 1 ||
    (is.null(control$time) && is.null(control$n_steps))
  scored <- !any(vapply(control$laws, function(kind) is.null(kind$density), NA))
  control$calibrate && open && scored && n >= max(least_search_rows, control$min_rows) && d <= most_exact_dims
}

# Why a class has no flow. "": it can have one.
no_flow_reason <- function(n, dim, min_rows) {
  if (n < min_rows) {
    sprintf("%d rows are too few for a flow", n)
  } else if (n <= dim + 1) {
    sprintf("%d rows in %d dimensions would end in a rigid figure", n, dim)
  } else {
    ""
  }
}

# The least number of rows with which a class can have a flow.
least_flow_rows <- function(dim, min_rows) max(min_rows, dim + 2L)
