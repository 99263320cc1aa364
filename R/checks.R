# Arguments are checked here, for people: one sentence that names the argument, what was found and what is
# wanted. The C glue checks again, for safety.

check_number <- function(x, what, lower = -Inf, upper = Inf, open_lower = FALSE,
                         finite = TRUE) {
  bad <- !is.numeric(x) || length(x) != 1 || is.na(x) ||
    (finite && !is.finite(x)) || x < lower || x > upper ||
    (open_lower && x <= lower)
  if (bad) {
    wanted <- if (is.finite(lower) && is.finite(upper)) {
      sprintf("one number between %s and %s", format(lower), format(upper))
    } else if (is.finite(lower)) {
      sprintf("one number %s %s", if (open_lower) "above" else "of at least",
              format(lower))
    } else {
      "one finite number"
    }
    fail("`%s` must be %s, not %s.", what, wanted, describe(x))
  }
  as.double(x)
}

check_count <- function(x, what, lower = 0L) {
  bad <- !is.numeric(x) || length(x) != 1 || is.na(x) || x != round(x) ||
    x < lower || x > .Machine$integer.max
  if (bad) {
    fail("`%s` must be one whole number of at least %d, not %s.", what, lower,
         describe(x))
  }
  as.integer(x)
}

check_flag <- function(x, what) {
  if (!is.logical(x) || length(x) != 1 || is.na(x)) {
    fail("`%s` must be TRUE or FALSE, not %s.", what, describe(x))
  }
  x
}

check_choice <- function(x, choices, what) {
  if (!is.character(x) || length(x) < 1 || is.na(x[1]) || !x[1] %in% choices) {
    fail("`%s` must be one of %s, not %s.", what,
         paste0('"', choices, '"', collapse = ", "), describe(x))
  }
  x[1]
}

# Standard deviations; 1 for columns that do not vary.
column_spread <- function(x) {
  spread <- apply(x, 2, stats::sd)
  spread[!(spread > 0)] <- 1
  spread
}

# s and epsilon of the Riesz potential for points in `dim` dimensions.
check_potential <- function(s, epsilon, dim) {
  s <- check_number(s, "s")
  if (s <= -2 || s >= dim) {
    fail("`s` must lie above -2 and below the dimension %d of the points, not be %s.",
         dim, format(s))
  }
  list(s = s, epsilon = check_number(epsilon, "epsilon", lower = 0))
}

check_weights <- function(weights, k) {
  if (is.null(weights)) return(rep(1 / k, k))
  if (!is.numeric(weights) || length(weights) != k || !all(is.finite(weights)) || any(weights < 0)) {
    fail("`weights` must be %d finite numbers of at least 0, one a row of `frequencies`, not %s.", k, describe(weights))
  }
  as.double(weights)
}

check_shares <- function(weights, k) {
  good <- is.numeric(weights) && length(weights) == k && all(is.finite(weights)) && all(weights > 0)
  if (!good) fail("`weights` must be %d positive numbers, one a component, not %s.", k, describe(weights))
  as.double(weights) / sum(weights)
}

check_widths <- function(hidden) {
  good <- is.numeric(hidden) && length(hidden) >= 1 && !anyNA(hidden) && all(hidden == round(hidden)) &&
    all(hidden >= 1 & hidden <= 1e4)
  if (!good) fail("`hidden` must be the widths of the hidden layers, whole numbers from 1 to 10000, not %s.", describe(hidden))
  as.integer(hidden)
}

check_path <- function(checkpoint) {
  if (is.null(checkpoint)) return(NULL)
  if (!is.character(checkpoint) || length(checkpoint) != 1 || is.na(checkpoint) || !dir.exists(dirname(checkpoint))) {
    fail("`checkpoint` must be the path of a file in a directory that exists, not %s.", describe(checkpoint))
  }
  normalizePath(checkpoint, mustWork = FALSE)
}

# Every how many steps a frame is kept.
check_every <- function(keep, every, planned) {
  if (!is.null(every)) every <- check_count(every, "every", 1L)
  if (keep == "all") {
    if (!is.null(every)) fail("`every` belongs to `keep = \"checkpoints\"`.")
    return(1L)
  }
  if (is.null(every)) as.integer(max(1, ceiling(sqrt(planned)))) else every
}

is_count <- function(x) is.numeric(x) && length(x) == 1 && is.null(dim(x)) && is.finite(x) && x == round(x)
