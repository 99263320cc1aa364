#' The law "trees": a forest of conditional densities
#'
#' The density is a product over the coordinates, in their order. Each factor is the density of one coordinate given
#' those before it, and is a mean over regression trees. This is a sequential forest density. The law suits tables with
#' discrete columns, thresholds and interactions. [synthesise()] searches it, [efs()] only if it is asked for. Of more
#' than 100,000 particles it knows a sample, see [laws].
#'
#' @section Equation:
#' \deqn{q(z) = \prod_{j=1}^{d} q_j(z_j \mid z_1, \dots, z_{j-1}), \qquad
#'   q_j = (1 - w) \Bigl\{ p_{j0} f_j + \sum_c p_{jc} \phi_{jc} \Bigr\} + w \phi_j.}{q(z) =
#'   prod_j q_j(z_j | z_1, .., z_(j-1)), q_j = (1 - w) (p_j0 f_j + sum_c p_jc phi_jc) + w phi_j.}
#' The wide law \eqn{\phi_j} is the normal law with the mean and the standard deviation of the coordinate. If `edges`
#' are given, it is the standard normal law, because the coordinates are then normal scores. Its share w is 0.0005. A
#' *heavy cell* c is a cell with at least 5 % of the probability under \eqn{\phi_j}. Within it the law is
#' \eqn{\phi_{jc}}{phi_jc}, which is \eqn{\phi_j} restricted to the cell. The shares \eqn{p_{jc}}{p_jc} of the heavy
#' cells and \eqn{p_{j0}}{p_j0} of the rest, and the density \eqn{f_j} of the rest, are those given
#' \eqn{(z_1, \dots, z_{j-1})}{(z_1, .., z_(j-1))}.
#'
#' **The density** \eqn{f_j} is a mean over trees of the kernels in a leaf, and a back-off with share \eqn{e_j}. The
#' rows of a leaf give residuals \eqn{y_i} from a linear function \eqn{a_j} of the coordinates before j. With their
#' mean m and variance v, row i has the kernel
#' \deqn{N\bigl(a_j(z) + m + (y_i - m) / \sqrt{1 + h_j^2},\; v h_j^2 / (1 + h_j^2)\bigr),}{N(a_j(z) + m + (y_i - m) /
#'   sqrt(1 + h_j^2), v h_j^2 / (1 + h_j^2)),}
#' so that kernels do not widen the leaf (West 1993). The back-off is the normal law with mean \eqn{a_j(z)} and the
#' variance of all residuals. Each kernel is restricted to the interval between heavy cells that its row is in, and the
#' back-off to the outside of heavy cells. If `edges` are given, both end at the normal quantile of 1 - 1 / (20 n), or
#' at the farthest score of the n rows, because farther scores would be far more frequent than they can be. With
#' `linear = FALSE`, \eqn{a_j} is 0.
#'
#' **The shares** start from \eqn{b_{jc}(z)}{b_jc(z)}, a mixture of the shares of all rows, an ordered probit model (the
#' mass that the normal law of a linear regression gives to each cell) and multinomial logistic regressions. Each class
#' has a factor, which gives the mean of \eqn{b} over the rows its right value. A leaf of a tree in which class c has
#' \eqn{n_c} rows, where \eqn{b} expects \eqn{E_c}, multiplies the share by
#' \eqn{(n_c + k s_c) / (E_c + k s_c)} with \eqn{s_c} the share in all rows. The shares of a tree are divided by their
#' sum, and \eqn{p_{jc}}{p_jc} is their mean over the trees.
#'
#' @section How it is fitted:
#' Each tree is a regression tree. It splits where the sum of squares within falls the most, as long as both sides keep
#' `min_leaf` rows. Each coordinate before j is put into at most 64 bins by its quantiles. No bin ends within a cell.
#' A tree draws each row as often as a Poisson variable with mean 1 says. The draws have a fixed key, so that equal rows
#' give equal fits. A leaf of more than 200 rows keeps 200 of them, evenly spaced in the order of their values. The
#' trees of the first coordinate have one leaf. The trees of \eqn{f_j} split by the residuals, those of the shares by
#' the residuals of all classes together (of more than four classes by four random linear combinations of them).
#'
#' The linear function is a ridge regression, whose prior counts as two rows. It is one of the coordinates before j,
#' or of these and of indicators of their heavy cells, whichever predicts rows that it has not seen better. The
#' residual of a row is that from the regression without this row. There is a logistic regression with and one without
#' these indicators. Their shares of a row are nearly those without this row. The weights of the parts of \eqn{b} have
#' the largest likelihood of the rows left out.
#'
#' The width \eqn{h_j} (six values between 0.05 and 1.5), the share \eqn{e_j} (nine values between 0 and 0.9) and the
#' number of rows k (3 to 300; or no trees) have the largest out-of-bag log-likelihood, in which each row is evaluated
#' under the trees that did not draw it. The density of the rows that the law was fitted to is out-of-bag, too.
#'
#' [synthesise()] and [efs()] on normal scores give the law the cells of the table as `edges`, and without settings 20
#' trees and `min_leaf = c(5, 15)`. A search of [efs()] on columns of numbers tries `min_leaf` of 5, 15 and 40, and 15
#' also for the normal scores of [law_copula()], if both laws are asked for. For a table of raw columns that are not
#' normal, `law_copula(base = law_trees())` is usually better than `law_trees()`.
#'
#' @section Relation to other methods:
#' Drawing column after column from the leaves of trees is the synthesis by CART of Reiter (2005), which the package
#' synthpop made known; Drechsler and Reiter (2011) compare it with other learners. Those draws repeat values of the
#' data and have no density. Forest densities as in Watson et al. (2023) have a density: a product of univariate
#' densities within the leaves of joint trees. Here each coordinate has trees of its own, as in the first method, and a
#' density, as in the second.
#'
#' @param trees Number of trees per coordinate, a whole number of at least 2.
#' @param min_leaf Least number of rows in a leaf: whole numbers of at least 1. Of several numbers each coordinate has
#'   the one with the largest out-of-bag log-likelihood, for its values and for its shares. Smaller leaves
#'   are tried only if larger ones are of use: if the trees have more than a tenth of the density, or change the shares.
#' @param linear `TRUE`: the trees describe the residuals of linear functions and of regressions for the shares;
#'   `FALSE`: the coordinates and the shares themselves.
#' @param edges `NULL`, or a list with one entry per coordinate, which says where the data have one value only. An entry
#'   is `NULL` for a continuous coordinate; the increasing ends of neighbouring cells, such as `c(-Inf, 0.3, Inf)`
#'   for two values; or a matrix with one row per cell and two columns, its lower and upper ends, for cells that need
#'   not touch.
#' @return An object of class `law_kind`, see [laws].
#' @references
#' Reiter JP (2005). Using CART to generate partially synthetic public use microdata. Journal of Official Statistics 21,
#' 441-462.
#'
#' Drechsler J, Reiter JP (2011). An empirical evaluation of easily implemented, nonparametric methods for generating
#' synthetic datasets. Computational Statistics and Data Analysis 55. \doi{10.1016/j.csda.2011.06.006}
#'
#' West M (1993). Approximating posterior distributions by mixtures. Journal of the Royal Statistical Society B 55.
#'
#' Watson DS, Blesch K, Kapar J, Wright MN (2023). Adversarial random forests for density estimation and generative
#' modeling. Proceedings of Machine Learning Research 206, 5357-5375.
#' @examples
#' law_trees(min_leaf = 5)
#' efs(iris[51:100, 3:4], law = law_trees(), time = 0)
#' @family latent laws
#' @export
law_trees <- structure(function(trees = 10, min_leaf = 15, linear = TRUE, edges = NULL) {
  settings <- given_settings()
  check_count(trees, "trees", 2L)
  if (length(min_leaf) == 0) check_count(min_leaf, "min_leaf", 1L)
  for (least in min_leaf) check_count(least, "min_leaf", 1L)
  check_flag(linear, "linear")
  check_edges(edges)
  new_law_kind("trees", trees_fit, trees_draw, trees_density, trees_candidates, settings, spherical = FALSE,
               in_scores = trees_in_scores, most_rows = tree_rows)
}, class = "law_constructor")

trees_candidates <- function(n, d) lapply(c(5L, 15L, 40L), function(least) list(min_leaf = least))

trees_in_scores <- function(settings) identical(settings$min_leaf, 15L)

check_edge_count <- function(edges, columns) {
  if (is.null(edges)) return(invisible())
  if (!is.list(edges) || is.object(edges) || length(edges) != columns) {
    fail("`edges` must be a list with one entry for each of the %d coordinates, not %s.", columns, describe(edges))
  }
}

check_edges <- function(edges) {
  check_edge_count(edges, length(edges))
  for (j in seq_along(edges)) {
    ends <- edges[[j]]
    good <- is.null(ends) || is.numeric(ends) && !anyNA(ends) && all(diff(c(t(ends))) >= 0)
    if (is.matrix(ends)) {
      good <- good && ncol(ends) == 2 && all(ends[, 1] < ends[, 2])
    } else {
      good <- good && all(diff(ends) > 0)
    }
    if (!good) {
      fail("`edges[[%d]]` must be increasing numbers, or a matrix of two columns in which no cells overlap, not %s.", j,
           describe(ends))
    }
  }
}

# gone [n, d]: NULL, or which coordinates were not known, but drawn. The law of such a coordinate given those before it
# is fitted to the rows in which it is known, because drawn values repeat, blurred, what these rows say.
trees_fit <- function(points, trees = 10, min_leaf = 15, linear = TRUE, edges = NULL, gone = NULL) {
  d <- ncol(points)
  known <- if (is.null(gone)) rep(Inf, d) else colSums(!gone)
  some <- which(known >= least_known_rows & known < nrow(points))
  law <- fit_forest(points, trees, min_leaf, linear, edges, setdiff(seq_len(d), some))
  for (j in some) {
    before <- seq_len(j)
    part <- fit_forest(points[!gone[, j], before, drop = FALSE], trees, min_leaf, linear, edges[before], j)
    law$coordinates[[j]] <- c(part$coordinates[[j]], list(partial = TRUE))
  }
  law
}

# A conditional law is not fitted to fewer known values than this.
least_known_rows <- 10L

# which: the numbers of the coordinates whose conditional law is fitted. cells: NULL, or those of standard normal scores
# with these edges, see described_cells().
fit_forest <- function(points, trees, min_leaf, linear, edges, which, cells = NULL) {
  points <- unname(points)
  n <- nrow(points)
  d <- ncol(points)
  check_edge_count(edges, d) # the constructor of the law has checked the ends
  law <- list(trees = as.integer(trees), min_leaf = as.integer(min_leaf), linear = linear,
              centre = if (is.null(edges)) colMeans(points) else numeric(d),
              scale = if (is.null(edges)) apply(points, 2, stats::sd) else rep(1, d))
  law$reach <- if (is.null(edges)) Inf else max(stats::qnorm(1 - 1 / (20 * n)), abs(points))
  if (!all(law$scale > 0)) {
    stop_unfit("The law \"trees\" needs coordinates with at least two values; coordinate %d has one.",
               which(!(law$scale > 0))[1])
  }
  law$cells <- if (is.null(cells)) described_cells(edges, law$centre, law$scale) else cells
  sample <- c(list(points = points, bags = draw_bags(n, law$trees)), find_bins(law$cells, points, most_cuts))
  if (linear && d > 1) sample$designs <- regression_designs(law, sample)
  law$coordinates <- vector("list", d)
  law$coordinates[which] <- lapply(which, function(j) fit_coordinate(law, sample, j))
  law
}

fit_coordinate <- function(law, sample, j) {
  heavy <- heavy_of(law$cells[[j]], sample$cell[, j])
  list(values = fit_values(law, sample, j, which(heavy == 0)), classes = fit_classes(law, sample, j, heavy))
}

# ---- density ---------------------------------------------------------------------------------------------

trees_density <- function(law, points, threads, self = FALSE) {
  # rows that a coordinate was not fitted to have no trees that did not draw them
  self <- self && !any(vapply(law$coordinates, function(one) isTRUE(one$partial), NA))
  points <- unname(points)
  found <- find_bins(law$cells, points)
  settled <- found$settled
  bags <- if (self) draw_bags(nrow(points), law$trees)
  value <- numeric(nrow(points))
  same <- rep(1L, nrow(points))
  alike <- !self # whether some rows may have the same coordinates before j
  for (j in seq_len(ncol(points))) {
    heavy <- heavy_of(law$cells[[j]], found$cell[, j])
    at <- if (alike) first_of_keys(same, ifelse(heavy > 0, settled[, j], points[, j])) else seq_along(same)
    some <- which(at == seq_along(at))
    near <- coordinate_density(law, j, points[some, , drop = FALSE], settled[some, , drop = FALSE], heavy[some], bags,
                               threads)
    wide <- log_wide(law, j, points[, j])
    near <- near[match(at, some)] * ifelse(heavy > 0, exp(wide), 1)
    value <- value + mix_wide(near, wide)
    if (alike) same <- first_of_keys(same, settled[, j])
    alike <- alike && !identical(same, seq_along(same))
  }
  matrix(value)
}

# The first row with the same two keys. Draws within the cells of a row are often alike in all coordinates but a few,
# and need only one walk through the trees.
first_of_keys <- function(a, b) {
  order <- order(a, b, method = "radix")
  n <- length(a)
  new <- c(TRUE, (a[order[-1]] != a[order[-n]] | b[order[-1]] != b[order[-n]]))[seq_len(n)]
  first <- integer(n)
  first[order] <- order[new][cumsum(new)]
  first
}

# Densities of coordinate j given those before it, without the wide law; within a heavy cell, as multiples of the
# density of the wide law. heavy: the heavy cell of each row, 0 for none. bags: NULL, or those of the rows of the fit,
# which are the points.
coordinate_density <- function(law, j, points, settled, heavy, bags, threads) {
  one <- law$coordinates[[j]]
  z <- points[, j]
  shift <- linear_shift(one$values, settled)
  if (!is.null(bags)) {
    shift[heavy == 0] <- z[heavy == 0] - one$values$response
    shift[heavy > 0] <- 0
  }
  near <- numeric(length(z))
  out <- which(heavy == 0)
  if (length(out)) {
    near[out] <- value_density(one$values, points[out, , drop = FALSE], z[out], shift[out],
                               if (!is.null(bags)) value_bags(bags, heavy)[out, , drop = FALSE], threads)
  }
  if (is.null(one$classes)) return(near)
  shares <- class_shares(one$classes, points, settled, bags, threads, if (!is.null(bags)) one$classes$own)
  near <- near * share_of(shares, one$classes$classes, 0L)
  held <- which(heavy > 0)
  known <- match(heavy[held], one$classes$classes)
  share <- shares[cbind(held, ifelse(is.na(known), 1L, known))]
  mass <- law$cells[[j]]$mass[match(heavy[held], law$cells[[j]]$heavy)]
  near[held] <- ifelse(is.na(known), 0, share) / mass
  near
}

share_of <- function(shares, classes, class) {
  k <- match(class, classes)
  if (is.na(k)) numeric(nrow(shares)) else shares[, k]
}

# ---- draws -----------------------------------------------------------------------------------------------

trees_draw <- function(law, n, key, threads) {
  free <- matrix(Inf, n, length(law$coordinates))
  trees_within(law, -free, free, key, threads)$points
}

# Draws within boxes low <= z <= high [n, d], by sequential importance sampling: list(points [n, d], log_weight [n]).
# Each coordinate is drawn from its conditional law within the box, and the weight is the product of the conditional
# probabilities of the boxes. Where low and high are equal the coordinate is known, and its density takes the place of
# the probability. The mean of the weights estimates the probability of the box. Row i depends on (key, i) and on its
# own box.
trees_within <- function(law, low, high, key, threads) {
  n <- nrow(low)
  d <- ncol(low)
  points <- matrix(0, n, d)
  if (n == 0) return(list(points = points, log_weight = numeric()))
  settled <- points
  log_weight <- numeric(n)
  for (j in seq_len(d)) {
    u <- draw_uniform(n, 4, key, stream = d + j)
    drawn <- draw_coordinate(law, j, points, settled, as.double(low[, j]), as.double(high[, j]), u, key, threads)
    points[, j] <- drawn$z
    settled[, j] <- settle_in_cells(law$cells[[j]], drawn$z)
    log_weight <- log_weight + drawn$log_mass
  }
  list(points = points, log_weight = log_weight)
}

# The parts of the mixture are the wide law, the values outside heavy cells, and the heavy cells. One of them is chosen
# by its probability of the box.
draw_coordinate <- function(law, j, points, settled, low, high, u, key, threads) {
  one <- law$coordinates[[j]]
  values <- pick_values(one$values, j, points, linear_shift(one$values, settled), low, high,
                        u[, 3:4, drop = FALSE], key, threads)
  heavy <- heavy_ends(law$cells[[j]])
  classes <- if (is.null(one$classes)) 0L else one$classes$classes
  shares <- matrix(1, length(low))
  if (!is.null(one$classes)) shares <- class_shares(one$classes, points, settled, NULL, threads)
  mass <- cbind(wide_share * box_shares(c(-Inf, Inf), law, j, low, high),
                (1 - wide_share) * share_of(shares, classes, 0L) * values$mass)
  for (class in classes[classes > 0]) {
    mass <- cbind(mass, (1 - wide_share) * share_of(shares, classes, class) *
                    box_shares(heavy[, class], law, j, low, high))
  }
  part <- pick_column(mass, u[, 2])
  ends <- cbind(c(-Inf, Inf), c(NA, NA), heavy[, classes[classes > 0], drop = FALSE])[, part, drop = FALSE]
  of_values <- part == 2L
  ends[, of_values] <- rbind(values$low, values$high)[, of_values]
  z <- draw_normal_between(ifelse(of_values, values$mean, law$centre[j]), ifelse(of_values, values$sd, law$scale[j]),
                           pmax(low, ends[1, ]), pmin(high, ends[2, ]), u[, 1])
  z[low == high] <- low[low == high]
  list(z = z, log_mass = log(rowSums(mass)))
}

draw_normal_between <- function(mean, sd, from, to, u) {
  pmin(pmax(mean + sd * truncated_normal((from - mean) / sd, (to - mean) / sd, u), from), to)
}

# The share of the normal law within a cell that lies in each box; the density where the box is a point.
box_shares <- function(ends, law, j, low, high) {
  standard <- function(z) (z - law$centre[j]) / law$scale[j]
  from <- standard(pmax(low, ends[1]))
  to <- standard(pmin(high, ends[2]))
  known <- low == high
  inside <- log_interval(from, pmax(from, to))
  inside[known] <- log_wide(law, j, low[known])
  inside <- exp(inside - log_interval(standard(ends[1]), standard(ends[2])))
  inside[from > to | !known & from == to | known & low <= ends[1]] <- 0
  inside
}
