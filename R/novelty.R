#' Novelty: new rows, or copies of the old ones?
#'
#' Compares how far generated rows lie from their nearest training row with how
#' far rows that were held out lie from it. A ratio near 1 says that a generated
#' row is as new as a fresh observation would be; a ratio near 0 says that the
#' rows are copies. Any score of closeness should be read beside it: a copy of
#' the training rows wins every one of them.
#'
#' Columns are divided by their standard deviation in `train` unless
#' `scale = FALSE`; distances are Euclidean. If there are other columns than numbers or missing values, distances are
#' those of [mixed_tables], with the units and medians of `train`. Where the rows were made in a space
#' of fewer dimensions (principal components), compare them there: what the
#' components leave out of each training row keeps even copies at a distance.
#' This is a check of distances. It cannot show that nothing about a training
#' row can be learnt from the generated ones.
#'
#' @param synthetic,train,holdout Matrices or data frames with the same
#'   columns, of every kind (see [mixed_tables]), matched by name if they have names, otherwise by position:
#'   the generated rows (at least 1), the rows that the generator has seen (at
#'   least 2), and rows from the same source that it has not seen (at least 5;
#'   below 20 there is a warning, because the ratios are then mostly chance).
#'   Without `holdout`, each training row is set against the other training rows
#'   (leave-one-out), which is slightly farther than a held-out row would be.
#' @param scale `TRUE` divides columns by their standard deviation in `train` first, or brings the columns of a mixed
#'   table to one unit. `FALSE` leaves numbers in their own unit.
#' @param threads As in [efs_forward()].
#' @return An object of class `novelty`, a list with `ratio` (the median distance
#'   of the generated rows to their nearest training row, divided by that of the
#'   reference rows, which are the held-out rows or without them the training
#'   rows), `ratio_5` (the same of the 5th percentiles, which fall first if only
#'   some rows are near copies; a ratio is `NA` if its divisor is 0, as in tables
#'   with many equal rows),
#'   `duplicates` (share of generated rows equal to a training row),
#'   `duplicates_expected` (the same share of the reference rows: tables of whole
#'   numbers have equal rows by nature), `closer`
#'   (share of generated rows nearer to a training row than to any held-out row;
#'   `NA` without `holdout`), `closer_expected` (the same share for fresh rows:
#'   training rows over training and held-out rows, 0.5 at equal sizes),
#'   `reference` (`"holdout"` or `"leave-one-out"`), and the distances.
#' @seealso [efs()]
#' @examples
#' set.seed(1)
#' rows <- sample(150, 100)
#' train <- iris[rows, 1:4]
#' new <- simulate(efs(train, calibrate = FALSE), 100, seed = 1)
#' novelty(new, train, iris[-rows, 1:4])
#' novelty(iris[-rows, ], iris[rows, ]) # with the factor
#' @export
novelty <- function(synthetic, train, holdout = NULL, scale = TRUE, threads = NULL) {
  tables <- c(list(train = train, synthetic = synthetic), if (!is.null(holdout)) list(holdout = holdout))
  judged <- read_judged(tables, c(2L, 1L, fewest_held[["read"]])[seq_along(tables)])
  tell_left_out(judged$left_out)
  tables <- judged$points
  warn_holdout(tables$holdout)
  scale <- check_flag(scale, "scale")
  if (!is.null(judged$layout)) {
    tables <- in_judged_units(tables, judged$layout, tables$train, scale)
  } else if (scale) {
    return(scaled_novelty(tables, threads))
  }
  compare_novelty(tables$synthetic, tables$train, tables$holdout, threads = threads)
}

# On tables in their own units: each column is divided by its standard deviation in `train`.
scaled_novelty <- function(tables, threads) {
  scaled <- in_units(tables, column_spread(tables$train))
  compare_novelty(scaled$synthetic, scaled$train, scaled$holdout, threads = threads)
}

# Held-out rows. Fewer than `read` cannot be told from copies at the levels of the report, because they can be dealt in
# too few ways. Of two samples of one law in three dimensions, the ratio of novelty lies between 0.76 and 1.31 in 95 %
# of all cases with `told` held-out rows, and between 0.58 and 1.70 with 5.
fewest_held <- c(read = 5L, told = 20L)

warn_holdout <- function(holdout) {
  if (is.null(holdout) || nrow(holdout) >= fewest_held[["told"]]) return(invisible())
  warning(sprintf("`holdout` has %d rows, so few that the ratios of novelty are mostly chance; give at least %d.",
                  nrow(holdout), fewest_held[["told"]]), call. = FALSE)
}

# On scaled points. `alone`: how many training rows (the first ones) are set against the others where there is no
# holdout.
compare_novelty <- function(synthetic, train, holdout, alone = nrow(train), threads = NULL) {
  nearest <- function(query, source, ...) {
    moderated <- moderate(list(source, query))
    pair <- moderated$tables
    moderated$unit * neighbours(pair[[2]], pair[[1]], 1L, ..., threads = threads)$distance[, 1]
  }
  generated <- nearest(synthetic, train)
  reference <- if (is.null(holdout)) {
    nearest(train[seq_len(alone), , drop = FALSE], train, self = TRUE)
  } else {
    nearest(holdout, train)
  }
  closer <- expected <- NA_real_
  if (!is.null(holdout)) {
    to_holdout <- nearest(synthetic, holdout)
    closer <- mean((generated < to_holdout) + 0.5 * (generated == to_holdout))
    expected <- nrow(train) / (nrow(train) + nrow(holdout))
  }
  over <- function(share) {
    below <- stats::quantile(reference, share, names = FALSE)
    if (below > 0) stats::quantile(generated, share, names = FALSE) / below else NA_real_
  }
  structure(
    list(
      ratio = over(0.5), ratio_5 = over(0.05),
      duplicates = mean(generated == 0), duplicates_expected = mean(reference == 0),
      closer = closer, closer_expected = expected,
      reference = if (is.null(holdout)) "leave-one-out" else "holdout",
      n = c(synthetic = nrow(synthetic), train = nrow(train), holdout = NROW(holdout)),
      distance = list(synthetic = generated, reference = reference)
    ),
    class = "novelty"
  )
}

# Bounds of the ratio, from the figures of known cases: copies with a little
# noise, smoothing by one spacing, another sample.
novelty_bounds <- c(copies = 0.3, close = 0.6, nearer = 0.85, farther = 1.2)

novelty_sentence <- function(x) {
  if (is.na(x$ratio)) {
    return("at least half of the reference rows equal a training row, so distances cannot tell new rows from copies")
  }
  c("the generated rows are close to copies of the training rows",
    "the generated rows keep close to the training rows",
    "the generated rows are somewhat nearer to the training rows than fresh ones",
    "the generated rows are about as far from the training rows as fresh ones",
    "the generated rows lie farther from the training rows than fresh ones do"
  )[findInterval(x$ratio, novelty_bounds) + 1]
}

#' @rdname novelty
#' @param x A `novelty` object.
#' @param ... Not used.
#' @export
format.novelty <- function(x, ...) {
  check_dots("format()", ...)
  against <- if (x$reference == "holdout") {
    sprintf("%d held-out rows", x$n[["holdout"]])
  } else {
    "leave-one-out distances within the training rows"
  }
  closer <- if (!is.na(x$closer)) {
    sprintf("; nearest to a training row, not a held-out one: %.0f %% (fresh rows: %.0f %%)", 100 * x$closer,
            100 * x$closer_expected)
  }
  c(
    sprintf("<novelty> %d generated rows, %d training rows, against %s",
            x$n[["synthetic"]], x$n[["train"]], against),
    sprintf(paste("nearest-training-row distance over the reference: median %.2f, 5th percentile %.2f (1 is new,",
                  "0 is a copy)"), x$ratio, x$ratio_5),
    paste0(sprintf("duplicates %.1f %% (reference: %.1f %%)", 100 * x$duplicates, 100 * x$duplicates_expected), closer),
    paste0(novelty_sentence(x), ".")
  )
}

#' @rdname novelty
#' @export
print.novelty <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}
