# Usefulness: what a learner learns from synthetic rows, beside what it learns from real ones.

#' Usefulness: learn from synthetic rows, predict real ones
#'
#' One column is the target, the others predict it. A learner is trained on the synthetic rows, and again on the real
#' ones. Both are tested on other real rows. If the synthetic rows are as good as real ones for this task, both do
#' equally well.
#'
#' The learner is a random forest of 500 trees if the package ranger is installed, otherwise the mean over the 15
#' nearest rows in the distances of [mixed_tables]. The print-out says which. A row whose target is missing is left out.
#'
#' The measure depends on the target:
#' * *numbers*, dates, times and ordered levels: `"R2"`, 1 less the mean squared error over the variance of the target
#'   in the test rows. It is 1 for perfect predictions, about 0 for the mean, and below 0 if predictions are worse.
#' * *two levels* or `TRUE` and `FALSE`: `"AUC"`, the probability that a row of the second level gets a higher
#'   prediction than one of the first: 1 is perfect, 0.5 is chance.
#' * *more levels*: `"accuracy"`, the share of test rows whose level is predicted. `chance` is the share of the level
#'   that is the most frequent one among the training rows.
#'
#' @section What this cannot tell:
#' A small loss says that one task can be learnt from the synthetic rows, not that the tables have the same law. If the
#' target cannot be predicted from real rows either, the loss is about 0 whatever the synthetic rows are: look at `real`
#' and `chance` first. A copy of the training rows has a loss of about 0 ([novelty()] finds it). `R2` of a target with a
#' few very large values rests on these few. Each value has chance errors of the order of one over the root of the
#' number of test rows.
#'
#' @param train,synthetic,test Matrices or data frames with the same columns of every kind (see [mixed_tables]): the
#'   real rows that the generator has seen, its rows, and real rows that it has not seen. At least 20, 20 and 5 rows.
#' @param target Names of columns, each of which is predicted from all others, or `NULL` for each column in turn.
#' @param seed The seed of the forests, a whole number.
#' @param threads As in [efs_forward()].
#' @return A data frame of class `usefulness` with one row per target: `target`, `measure`, `real` and `synthetic` (the
#'   measure for the learner that was trained on these rows), `loss` (real less synthetic), `chance`, and `n`, the
#'   number of test rows. The values are `NA` for a target that does not vary in the training or the test rows. The
#'   attribute `learner` is `"forest"` or `"neighbours"`. The print-out begins with the mean loss of each measure, in
#'   which values below `chance` count as `chance`.
#' @references
#' Esteban C, Hyland SL, Raetsch G (2017). Real-valued (medical) time series generation with recurrent conditional GANs.
#' \doi{10.48550/arXiv.1706.02633} (Train on synthetic, test on real.)
#' @seealso [compare()], [fidelity()]
#' @examples
#' rows <- seq(1, 150, by = 2)
#' made <- iris[rows, ][sample(75, replace = TRUE), ]
#' usefulness(iris[rows, ], made, iris[-rows, ], target = "Species")
#' @export
usefulness <- function(train, synthetic, test, target = NULL, seed = 1, threads = NULL) {
  judged <- with_layout(read_judged(list(train = train, synthetic = synthetic, test = test), c(20L, 20L, 5L)))
  tell_left_out(judged$left_out)
  columns <- unique(judged$layout$column)
  targets <- check_targets(target, columns)
  seed <- check_count(seed, "seed", 0L)
  threads <- thread_count(threads)
  judged$filled <- in_judged_units(judged$points, judged$layout, judged$points$train)
  rows <- lapply(targets, function(one) use_of(judged, one, seed, threads))
  structure(do.call(rbind, rows), class = c("usefulness", "data.frame"),
            learner = if (has_forest()) "forest" else "neighbours",
            rows = vapply(judged$points, nrow, 0L))
}

check_targets <- function(target, columns) {
  if (length(columns) < 2) fail("`train` has one column; at least 2 are needed, a target and a predictor.")
  if (is.null(target)) return(columns)
  if (!is.character(target) || !length(target) || anyNA(target)) {
    fail("`target` must be NULL or names of columns, not %s.", describe(target))
  }
  unknown <- setdiff(target, columns)
  if (length(unknown)) fail("`target` names %s, but `train` has no such column.", quoted(unknown))
  target
}

# One row of the table.
use_of <- function(judged, target, seed, threads) {
  goal <- target_values(judged, target)
  known <- lapply(goal, function(y) which(!is.na(y)))
  goal <- Map(function(y, rows) y[rows], goal, known)
  x <- Map(function(points, rows) points[rows, judged$layout$column != target, drop = FALSE], judged$filled, known)
  layout <- judged$layout[judged$layout$column != target, ]
  levels <- if (is.factor(goal$train)) nlevels(goal$train) else 0L
  varies <- function(y) length(unique(y)) > 1
  value <- function(from) {
    if (!varies(goal$train) || !varies(goal$test) || length(goal$test) < 2 || !length(goal[[from]])) return(NA_real_)
    measure_of(goal$test, learn(x[[from]], goal[[from]], x$test, layout, seed, threads))
  }
  real <- value("train")
  synthetic <- value("synthetic")
  common <- if (levels > 2) which.max(tabulate(goal$train, levels))
  data.frame(
    target = target, measure = if (levels == 0) "R2" else if (levels == 2) "AUC" else "accuracy",
    real = real, synthetic = synthetic, loss = real - synthetic,
    chance = if (levels == 0) 0 else if (levels == 2) 0.5 else mean(as.integer(goal$test) == common),
    n = length(goal$test)
  )
}

# The target in each table: numbers, or a factor whose levels are those of all tables. NA where it is missing.
target_values <- function(judged, target) {
  at <- which(judged$layout$column == target)
  if (judged$layout$type[at[1]] != "level") return(lapply(judged$points, function(points) points[, at[1]]))
  level <- judged$layout$level[at]
  lapply(judged$points, function(points) {
    if (length(at) == 1 && is.na(level)) return(factor(ifelse(points[, at] > 0, NA, 0)))
    if (length(at) == 1) return(factor(points[, at], 0:1))
    code <- max.col(points[, at, drop = FALSE], "first")
    factor(ifelse(is.na(level[code]), NA, code), which(!is.na(level)))
  })
}

# Predictions for the rows `query` of a learner that has seen the rows x and their targets: numbers, or for a factor a
# matrix with one column of probabilities per level.
learn <- function(x, target, query, layout, seed, threads, forest = has_forest()) {
  classes <- is.factor(target)
  if (length(unique(target)) < 2) {
    return(if (classes) shares_of(matrix(target[1], nrow(query)), target) else rep(target[1], nrow(query)))
  }
  if (!forest) {
    near <- neighbours(query, x, min(15L, nrow(x)), threads = threads)$index
    seen <- matrix(target[near], nrow(near))
    return(if (classes) shares_of(seen, target) else rowMeans(seen))
  }
  seen <- if (classes) droplevels(target) else target
  grown <- learn_forest(judged_frame(x, layout), seen, seed, threads)
  found <- forest_prediction(grown, judged_frame(query, layout), threads)
  if (!classes) return(found)
  full <- matrix(0, nrow(query), nlevels(target), dimnames = list(NULL, levels(target)))
  full[, colnames(found)] <- found
  full
}

# [n, levels]: the share of each level among the entries of each row of `seen`.
shares_of <- function(seen, target) {
  shares <- vapply(levels(target), function(level) rowMeans(seen == level), numeric(nrow(seen)))
  matrix(shares, nrow(seen), dimnames = list(NULL, levels(target)))
}

measure_of <- function(target, predicted) {
  if (!is.factor(target)) return(1 - sum((target - predicted)^2) / sum((target - mean(target))^2))
  if (nlevels(target) > 2) return(mean(max.col(predicted, "first") == as.integer(target)))
  second <- as.integer(target) == 2
  ranks <- rank(predicted[, 2])
  n <- sum(second)
  (sum(ranks[second]) - n * (n + 1) / 2) / (n * (length(second) - n))
}

# The loss of each target. Values below chance count as chance: a few extreme values of one target would else outweigh
# all other targets.
useful_loss <- function(x) pmax(x$real, x$chance) - pmax(x$synthetic, x$chance)

# The mean loss as a share of what can be reached beyond chance, so that different measures have one scale.
mean_loss <- function(x) mean(useful_loss(x) / (1 - x$chance), na.rm = TRUE)

# One mean per measure.
loss_words <- function(x) {
  known <- x[!is.na(x$loss), ]
  if (!nrow(known)) return("no target could be judged")
  loss <- split(useful_loss(known), factor(known$measure, unique(known$measure)))
  paste(sprintf("%s %.3f over %d target%s", names(loss), vapply(loss, mean, 0), lengths(loss),
                ifelse(lengths(loss) == 1, "", "s")), collapse = "; ")
}

#' @rdname usefulness
#' @param x A `usefulness` object.
#' @param ... Not used.
#' @export
print.usefulness <- function(x, ...) {
  check_dots("print()", ...)
  rows <- attr(x, "rows")
  if (!is.null(rows)) {
    learner <- c(forest = "random forest (ranger)", neighbours = "15 nearest rows (ranger is not installed)")
    cat(sprintf("<usefulness> %d training rows, %d synthetic rows, %d test rows; learner: %s\n", rows[["train"]],
                rows[["synthetic"]], rows[["test"]], learner[[attr(x, "learner")]]))
  }
  cat(sprintf("mean loss (real less synthetic; 0: as useful as real rows): %s\n", loss_words(x)))
  print_most(x, -x$loss, max(1, nrow(x)))
}
