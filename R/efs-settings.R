# The settings of efs() and synthesise(), checked before all work.

check_scale <- function(scale) {
  if (identical(scale, "whiten") || isTRUE(scale) || isFALSE(scale)) return(scale)
  fail("`scale` must be TRUE, FALSE or \"whiten\", not %s.", describe(scale))
}

# The laws that the user asks efs() for, as kinds. NULL: all laws that are searched.
check_laws <- function(law, law_settings) {
  check_settings(law_settings, "law_settings")
  if (!is.null(law)) return(asked_laws(law, law_settings))
  if (length(law_settings)) fail("`law_settings` belong to a `law`; name it too.")
  NULL
}

# The settings of a flow, checked before the latent dimension is known.
check_flow_settings <- function(s, epsilon, step, n_steps, time, max_bound, keep) {
  if (!is.null(s)) {
    s <- check_number(s, "s")
    if (s <= -2) fail("`s` must lie above -2 and below the latent dimension, not be %s.", format(s))
  }
  if (!is.null(epsilon)) epsilon <- check_number(epsilon, "epsilon", lower = 0)
  max_bound <- check_number(max_bound, "max_bound", lower = 0, open_lower = TRUE, finite = FALSE)
  if (!is.null(n_steps)) n_steps <- check_count(n_steps, "n_steps")
  bounded <- is.finite(max_bound) && !identical(n_steps, 0L)
  if (bounded && identical(epsilon, 0)) check_boundable(if (is.null(s)) 0 else s)
  list(
    s = s, epsilon = epsilon, step = check_number(step, "step", lower = 0, open_lower = TRUE), n_steps = n_steps,
    time = if (!is.null(time)) check_number(time, "time", lower = 0), max_bound = max_bound,
    keep = check_choice(keep, kept_frames, "keep")
  )
}

check_boundable <- function(s) {
  if (is.finite(.Call(C_pf_pair_curvature, s, 0))) return(invisible())
  fail("With `epsilon` = 0 and `s` = %s no step can be bounded; %s.", format(s),
       "give `epsilon` above 0, or `max_bound = Inf` for fixed steps")
}

# Algorithm 3 of the paper needs the exact field.
field_of_fit <- function(field, backward) {
  field <- as_field(field)
  if (backward$backward == "exact" || field$kind == "exact") return(field)
  if (field$kind == "auto") return(efs_field("exact"))
  fail("`backward` = \"paper\" needs `field` = \"exact\", not \"%s\".", field$kind)
}
