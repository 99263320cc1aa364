#' Precision, recall, density and coverage
#'
#' Four numbers that tell fidelity (are the synthetic rows where real rows are?)
#' from variety (are synthetic rows everywhere where real rows are?).
#'
#' Around each row stands the closed ball that reaches to its k-th nearest
#' neighbour in its own table, itself left out. With n real rows x_i and m
#' synthetic rows y_j,
#'
#' * `precision`: share of synthetic rows inside the ball of at least one real
#'   row;
#' * `recall`: share of real rows inside the ball of at least one synthetic row;
#' * `density`: \eqn{\frac{1}{km} \sum_j \sum_i 1[y_j \in B(x_i)]}{sum_j sum_i
#'   1[y_j in B(x_i)] / (k m)}, the number of real balls around a synthetic row
#'   over k: it is not deceived by one far real row with a large ball, and may
#'   exceed 1;
#' * `coverage`: share of real rows whose ball holds at least one synthetic row.
#'
#' For two samples of one law the expected density is 1, and the expected
#' coverage is \eqn{1 - \prod_{l=0}^{k-1} (n-1-l) / (m+n-1-l)}{1 - prod_{l < k}
#' (n-1-l) / (m+n-1-l)}, about \eqn{1 - 2^{-k}} at equal sizes (0.97 at k = 5);
#' precision and recall have no such value and fall with the number of
#' dimensions, so set them beside those of two halves of the real rows, as
#' [fidelity()] does. For a copy of real rows without equal ones all are 1 but
#' the density, which is (k + 1)/k. So high values do not say that rows are new;
#' [novelty()] does.
#'
#' Distances are Euclidean, in the units the columns come in: bring columns of
#' different units to one scale first. If there are other columns than numbers or missing values, distances are those
#' of [mixed_tables]. The work is of the order n m d.
#'
#' @param real,synthetic Matrices or data frames with the same columns, of every kind (see
#'   [mixed_tables]; matched by name if both have names, otherwise by position): n rows of one,
#'   m of the other, each more than k.
#' @param k The number of the neighbour to which the ball of a row reaches: a
#'   whole number of at least 1 and below the rows of the smaller table. Naeem
#'   and others use 5.
#' @param threads As in [efs_forward()].
#' @return A numeric vector with the elements `precision`, `recall`, `density`
#'   and `coverage`: all but the density between 0 and 1.
#' @references
#' Kynkaanniemi T, Karras T, Laine S, Lehtinen J, Aila T (2019). Improved
#' precision and recall metric for assessing generative models.
#' \doi{10.48550/arXiv.1904.06991}
#'
#' Naeem MF, Oh SJ, Uh Y, Choi Y, Yoo J (2020). Reliable fidelity and diversity
#' metrics for generative models. \doi{10.48550/arXiv.2002.09797}
#' @seealso [fidelity()], [c2st()], [novelty()]
#' @aliases precision recall density coverage
#' @examples
#' set.seed(1)
#' real <- matrix(rnorm(400), 200)
#' prdc(real, matrix(rnorm(400), 200))             # another sample
#' prdc(real, matrix(rnorm(400, sd = 0.3), 200))   # precise, without variety
#' prdc(real, matrix(rnorm(400, sd = 3), 200))     # the other way round
#' @export
prdc <- function(real, synthetic, k = 5, threads = NULL) {
  tables <- read_samples_alike(list(real = real, synthetic = synthetic), 2L)
  real <- tables$real
  synthetic <- tables$synthetic
  k <- check_count(k, "k", 1L)
  fewest <- min(nrow(real), nrow(synthetic))
  if (k >= fewest) {
    fail("`k` must be below the number of rows of each table, of which the smaller has %d, not %d.", fewest, k)
  }
  tables <- moderate(list(real, synthetic))$tables
  ball_scores(tables[[1]], tables[[2]], k, threads)
}

ball_scores <- function(real, synthetic, k, threads) {
  radius <- function(x) neighbours(x, x, k, self = TRUE, threads = threads)$distance[, k]
  real_radius <- radius(real)
  around_synthetic <- within_radius(synthetic, real, real_radius, threads)
  around_real <- within_radius(real, synthetic, radius(synthetic), threads)
  c(
    precision = mean(around_synthetic$count > 0),
    recall = mean(around_real$count > 0),
    density = mean(around_synthetic$count) / k,
    coverage = mean(around_real$nearest <= real_radius)
  )
}

# The four scores of the report share the balls of a pair of tables.
score_precision <- function() {
  new_score("precision", "precision", ball_value("precision"), better = "higher", share = TRUE, deal_rows = 1000,
            relabel = ball_relabel("precision"))
}

score_recall <- function() {
  new_score("recall", "recall", ball_value("recall"), better = "higher", share = TRUE, deal_rows = 1000,
            relabel = ball_relabel("recall"))
}

score_density <- function() {
  new_score("density", "density", ball_value("density"), better = "higher", deal_rows = 1000,
            relabel = ball_relabel("density"))
}

score_coverage <- function() {
  new_score("coverage", "coverage", ball_value("coverage"), better = "higher", share = TRUE, deal_rows = 1000,
            relabel = ball_relabel("coverage"))
}

ball_value <- function(name) {
  function(x, y, settings) remembered(settings$memo, "balls", ball_scores(x, y, settings$k, settings$threads))[[name]]
}

ball_relabel <- function(name) {
  function(pooled, first, settings) {
    remembered(settings$memo, "balls of the deals", ball_deals(pooled, first, settings$k, settings$threads))[name, ]
  }
}

# The four scores of each deal, [4, deals], from the nearest pooled rows of each row, whose distances are computed once.
# The lists are so long that a ball ends within them but by a chance below 1e-6; if it does not, it is cut there.
ball_deals <- function(pooled, first, k, threads) {
  size <- nrow(pooled)
  rarer <- min(mean(first[, 1]), 1 - mean(first[, 1]))
  long <- min(size - 1, stats::qnbinom(1e-6, k, rarer, lower.tail = FALSE) + k)
  near <- neighbours(pooled, pooled, long, self = TRUE, threads = threads)
  apply(first, 2, function(own) ball_scores_of(own == 1, near, k))
}

# `real`: which rows are the first table; near: `index` and `distance` [N, long] of the nearest other rows.
ball_scores_of <- function(real, near, k) {
  alike <- matrix(real[near$index], nrow(near$index)) == real
  seen <- numeric(length(real))
  radius <- near$distance[, ncol(near$distance)]
  for (j in seq_len(ncol(alike))) {
    seen <- seen + alike[, j]
    ends <- which(alike[, j] & seen == k)
    radius[ends] <- near$distance[ends, j]
  }
  inside <- !alike & near$distance <= radius # rows of the other table in the ball of a row
  reached <- function(rows) sum(tabulate(near$index[rows, ][inside[rows, ]], length(real)) > 0)
  c(precision = reached(real) / sum(!real), recall = reached(!real) / sum(real),
    density = sum(inside[real, ]) / (k * sum(!real)), coverage = mean(rowSums(inside[real, , drop = FALSE]) > 0))
}
