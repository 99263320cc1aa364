# Checks of arguments. An error message is one sentence that names the argument, what was found and what is wanted. The
# C glue checks again, for safety.

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
    upper <- if (is_count(x) && x > .Machine$integer.max) sprintf(" and at most %d", .Machine$integer.max) else ""
    fail("`%s` must be one whole number of at least %d%s, not %s.", what, lower, upper, describe(x))
  }
  as.integer(x)
}

check_flag <- function(x, what) {
  if (!is.logical(x) || length(x) != 1 || is.na(x)) {
    fail("`%s` must be TRUE or FALSE, not %s.", what, describe(x))
  }
  x
}

# One of `choices`. `choices` is also the default value of the argument; an argument that was not given means the
# first.
check_choice <- function(x, choices, what) {
  if (length(x) > 1 && identical(x, choices)) return(x[1])
  if (!is.character(x) || length(x) != 1 || is.na(x) || !x %in% choices) {
    fail("`%s` must be one of %s, not %s.", what,
         paste0('"', choices, '"', collapse = ", "), describe(x))
  }
  x
}

check_function <- function(f, what) {
  if (!is.function(f) || is.primitive(f)) fail("`%s` must be a function, not %s.", what, describe(f))
  f
}

# A function of the user that is called with one argument for each word of `takes`, by position. It may also have
# arguments in `named`, which are given by name, and further ones with a default or, with `open`, without one.
check_hook <- function(f, what, takes, named = NULL, open = FALSE) {
  if (!is.function(f)) fail("`%s` must be a function, not %s.", what, describe(f))
  if (is.null(args(f))) return(f) # some primitive functions have no list of arguments
  has <- formals(args(f))
  needed <- vapply(has, function(default) identical(default, quote(expr = )), NA)
  places <- setdiff(names(has), c("...", named))
  enough <- "..." %in% names(has) || length(places) >= length(takes)
  needed <- intersect(places, names(has)[needed])
  if (!enough || (!open && length(setdiff(needed, places[seq_along(takes)])) > 0)) {
    fail("`%s` must be a function of %s (%s), not function(%s).", what,
         if (length(takes) == 1) "one argument" else sprintf("%d arguments", length(takes)),
         paste(takes, collapse = ", "), paste(names(has), collapse = ", "))
  }
  f
}

# Checks the `...` of a method that has `...` only because its generic has: any argument there is a mistake. `call` is
# the call as the user wrote it, such as "simulate()". `allowed`: arguments that are no mistake. `note`: what ends the
# sentence.
check_dots <- function(call, ..., allowed = character(), note = "") {
  given <- as.list(substitute(list(...)))[-1]
  names <- if (is.null(names(given))) character(length(given)) else names(given)
  wrong <- names[!names %in% allowed]
  if (!length(wrong)) return(invisible())
  if (!nzchar(wrong[1])) fail("%s has no further argument without a name.", call)
  fail("%s has no argument `%s`%s.", call, wrong[1], note)
}

# The same for the settings of points and lines that plot() and autoplot() pass on.
check_layer <- function(call, ..., allowed) {
  check_dots(call, ..., allowed = allowed, note = ", and its points and lines have no such setting")
}

# Arguments of print.default(). print() of a list passes them on to the print() of each entry.
print_settings <- c("digits", "quote", "na.print", "print.gap", "right", "max", "width", "useSource")

# Arguments that data.frame() passes on to as.data.frame().
frame_settings <- c("stringsAsFactors", "make.names")

# Squares of lengths up to this limit, and sums of the squares, are within the range of doubles.
largest_length <- 1e150

# Standard deviations of the columns. 1 for columns that do not vary.
column_spread <- function(x) {
  spread <- column_deviations(x)
  spread[!(spread > 0)] <- 1
  spread
}

# Standard deviations of the columns. One call of cov() for several short columns has the bits of sd() for each of them,
# and takes a fraction of the time.
column_deviations <- function(x) {
  p <- ncol(x)
  if (nrow(x) < 2 || nrow(x) > 500) {
    return(stats::setNames(vapply(seq_len(p), function(j) spread_of(x[, j]), 0), colnames(x)))
  }
  spread <- stats::setNames(numeric(p), colnames(x))
  for (from in seq(1L, by = 8L, length.out = ceiling(p / 8))) {
    block <- from:min(from + 7L, p)
    spread[block] <- sqrt(diag(stats::cov(x[, block, drop = FALSE])))
  }
  wild <- which(!(spread > 1 / largest_length & spread < largest_length))
  spread[wild] <- vapply(wild, function(j) spread_of(x[, j]), 0)
  spread
}

# The standard deviation, also of numbers whose squares leave the range of doubles.
spread_of <- function(values) {
  spread <- stats::sd(values)
  if (isTRUE(spread > 1 / largest_length && spread < largest_length)) return(spread)
  size <- max(abs(values))
  if (size == 0) return(spread)
  unit <- 2^max(floor(log2(size)), -1022)
  min(stats::sd(values / unit) * unit, .Machine$double.xmax)
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
    fail("`weights` must be %d finite numbers of at least 0, one per row of `frequencies`, not %s.", k,
         describe(weights))
  }
  as.double(weights)
}

check_shares <- function(weights, k) {
  good <- is.numeric(weights) && length(weights) == k && all(is.finite(weights)) && all(weights > 0)
  if (!good) fail("`weights` must be %d positive numbers, one per component, not %s.", k, describe(weights))
  as.double(weights) / sum(weights)
}

check_widths <- function(hidden) {
  good <- is.numeric(hidden) && length(hidden) >= 1 && !anyNA(hidden) && all(hidden == round(hidden)) &&
    all(hidden >= 1 & hidden <= 1e4)
  if (!good) {
    fail("`hidden` must be the widths of the hidden layers, whole numbers from 1 to 10000, not %s.", describe(hidden))
  }
  as.integer(hidden)
}

# The full path of a checkpoint. A file that already exists must be a checkpoint, because a run overwrites it.
check_path <- function(checkpoint) {
  if (is.null(checkpoint)) return(NULL)
  checkpoint <- check_place(checkpoint, "checkpoint")
  for (path in c(checkpoint, partial_path(checkpoint))) {
    if (file.exists(path) && !looks_saved(path)) {
      fail("`checkpoint` would replace \"%s\", a file that is not a checkpoint; give another path.", path)
    }
  }
  checkpoint
}

# The full path of a file that can be written, for the argument `what`.
check_place <- function(path, what) {
  if (!is.character(path) || length(path) != 1 || is.na(path) || !nzchar(path)) {
    fail("`%s` must be the path of a file, not %s.", what, describe(path))
  }
  path <- path.expand(path)
  if (dir.exists(path)) fail("`%s` must be the path of a file, but \"%s\" is a directory.", what, path)
  if (!dir.exists(dirname(path))) {
    fail("`%s` must be the path of a file in a directory that exists, but \"%s\" does not.", what, dirname(path))
  }
  if (file.access(dirname(path), 2) != 0) {
    fail("`%s` must be the path of a file that can be written, but the directory \"%s\" is read-only.", what,
         dirname(path))
  }
  path <- full_path(path)
  if (is_device(path)) fail("`%s` must be the path of a file, but \"%s\" is a device.", what, path)
  path
}

# normalizePath() gives full paths only of what exists. The directory of `path` exists.
full_path <- function(path) {
  if (file.exists(path)) normalizePath(path) else file.path(normalizePath(dirname(path)), basename(path))
}

# Whether a full path lies where the devices are. A checkpoint that is renamed onto a device would replace the device.
is_device <- function(path) grepl("^/dev/(?!shm/)", path, perl = TRUE)

# A checkpoint is written to this file first.
partial_path <- function(checkpoint) paste0(checkpoint, ".part")

# Checkpoints are RDS files without compression whose first part is this word.
checkpoint_word <- "particleflow checkpoint"

# Whether a file is a checkpoint, from its first bytes: a whole checkpoint may be large. An empty file holds nothing
# that could be lost.
looks_saved <- function(path) {
  if (isTRUE(file.size(path) == 0)) return(TRUE)
  first <- tryCatch(readBin(path, "raw", 200L), error = function(e) raw(), warning = function(w) raw())
  length(grepRaw(charToRaw(checkpoint_word), first, fixed = TRUE)) > 0
}

# The number of steps from one kept frame to the next.
check_every <- function(keep, every, planned) {
  if (!is.null(every)) every <- check_count(every, "every", 1L)
  if (keep != "checkpoints") {
    if (!is.null(every)) fail("`every` belongs to `keep = \"checkpoints\"`.")
    return(1L)
  }
  if (is.null(every)) as.integer(max(1, ceiling(sqrt(planned)))) else every
}

# Whether all numbers are finite. A finite sum of doubles shows it without a vector of as many answers.
all_finite <- function(x) (is.double(x) && is.finite(sum(x))) || all(is.finite(x))

is_count <- function(x) is.numeric(x) && length(x) == 1 && is.null(dim(x)) && is.finite(x) && x == round(x)

# The arguments among `given` that the function f takes.
accepted <- function(f, given) {
  if ("..." %in% names(formals(f))) given else given[names(given) %in% names(formals(f))]
}
