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

# One of `choices`, which is also the default value of the argument: left alone, it means the first.
check_choice <- function(x, choices, what) {
  if (length(x) > 1 && identical(x, choices)) return(x[1])
  if (!is.character(x) || length(x) != 1 || is.na(x) || !x %in% choices) {
    fail("`%s` must be one of %s, not %s.", what,
         paste0('"', choices, '"', collapse = ", "), describe(x))
  }
  x
}

# For a method that has `...` only because its generic has: what stands there is a mistake. `call` is the call as
# the user wrote it, "simulate()".
check_dots <- function(call, ...) {
  given <- as.list(substitute(list(...)))[-1]
  if (!length(given)) return(invisible())
  name <- if (is.null(names(given)) || !nzchar(names(given)[1])) NULL else names(given)[1]
  if (is.null(name)) fail("%s has no further argument without a name.", call)
  fail("%s has no argument `%s`.", call, name)
}

# A numeric matrix or a data frame of numeric columns as a matrix of doubles.
check_points <- function(x, what, min_rows = 1L, dim = NULL, grouped = what == "x") {
  if (is.data.frame(x)) {
    number <- vapply(x, function(column) is.numeric(column) && is.null(dim(column)), NA)
    if (!all(number)) {
      column <- which(!number)[1]
      fail("`%s` must have numeric columns only, but column \"%s\" is of class \"%s\"; leave it out%s.",
           what, names(x)[column], class(x[[column]])[1],
           if (grouped) " or name it in `group`" else "")
    }
    x <- if (length(x) && nrow(x)) as.matrix(x) else matrix(0, nrow(x), length(x), dimnames = list(NULL, names(x)))
  }
  if (!is.matrix(x) || !is.numeric(x)) {
    fail("`%s` must be a numeric matrix or a data frame of numeric columns, not %s.",
         what, describe(x))
  }
  if (ncol(x) < 1) fail("`%s` has no columns; at least one is needed.", what)
  if (nrow(x) < min_rows) {
    fail("`%s` has %d row%s; at least %d %s needed.", what, nrow(x),
         if (nrow(x) == 1) "" else "s", min_rows, if (min_rows == 1) "is" else "are")
  }
  if (!is.null(dim) && ncol(x) != dim) {
    fail("`%s` has %d column%s; %d %s wanted.", what, ncol(x),
         if (ncol(x) == 1) "" else "s", dim, if (dim == 1) "is" else "are")
  }
  finite <- is.finite(x)
  if (!all(finite)) {
    dim(finite) <- dim(x)
    bad <- which(rowSums(!finite) > 0)
    fail("`%s` must not contain NA, NaN or infinite values, but row%s %s do%s; drop or impute them first.",
         what, if (length(bad) == 1) "" else "s", some(bad),
         if (length(bad) == 1) "es" else "")
  }
  storage.mode(x) <- "double"
  x
}

# A second table with the columns of the first, in its order where both have names.
check_like <- function(x, what, first, min_rows = 1L) {
  x <- check_points(x, what, min_rows, dim = ncol(first))
  wanted <- colnames(first)
  if (is.null(wanted) || is.null(colnames(x)) || identical(wanted, colnames(x))) return(x)
  missing <- setdiff(wanted, colnames(x))
  if (length(missing)) fail("`%s` lacks the column \"%s\".", what, missing[1])
  x[, wanted, drop = FALSE]
}

# Standard deviations; 1 for columns that do not vary.
column_spread <- function(x) {
  spread <- apply(x, 2, spread_of)
  spread[!(spread > 0)] <- 1
  spread
}

# The standard deviation, also of numbers whose squares leave the range of doubles.
spread_of <- function(values) {
  spread <- stats::sd(values)
  if (isTRUE(spread > 1e-150 && spread < 1e150)) return(spread)
  size <- max(abs(values))
  if (size == 0) return(spread)
  unit <- 2^max(floor(log2(size)), -1022)
  stats::sd(values / unit) * unit
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
