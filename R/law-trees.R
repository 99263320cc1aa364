#' The law "trees": a forest of conditional densities
#'
#' The density is a product over the coordinates, in their order. Each factor is the density of one coordinate given
#' those before it, and is a mean over regression trees. This is a sequential forest density. The law suits tables with
#' discrete columns, thresholds and interactions. A search tries it only if it is asked for.
#'
#' @section Equation:
#' \deqn{q(z) = \prod_{j=1}^{d} q_j(z_j \mid z_1, \dots, z_{j-1}), \qquad
#'   q_j = (1 - w) \Bigl\{ \frac{1 - e_j}{T} \sum_{t=1}^{T} f_{jt} + e_j g_j \Bigr\} + w \phi_j.}{q(z) =
#'   prod_j q_j(z_j | z_1, .., z_(j-1)), q_j = (1 - w) ((1 - e_j) mean_t f_jt + e_j g_j) + w phi_j.}
#' Tree t of coordinate j leads \eqn{(z_1, \dots, z_{j-1})}{(z_1, .., z_(j-1))} to one of its leaves, and
#' \eqn{f_{jt}}{f_jt} is the mean over the rows i of that leaf of the kernels
#' \eqn{N(z_j; a_j(z) + y_i, h_j^2)}{N(z_j; a_j(z) + y_i, h_j^2)}, where \eqn{a_j} is a linear function of the
#' coordinates before j, and \eqn{y_i} is the residual of row i from it. The back-off \eqn{g_j} is
#' \eqn{N(z_j; a_j(z) + m_j, s_j^2)}{N(z_j; a_j(z) + m_j, s_j^2)} with the mean and the standard deviation of the
#' residuals. The wide law \eqn{\phi_j} is the normal law with the mean and the standard deviation of the coordinate. If
#' `edges` are given, it is the standard normal law, because the coordinates are then normal scores. Its share w is
#' 0.005.
#'
#' The first coordinate has no linear function, and with `linear = FALSE` none has: \eqn{a_j} is 0, \eqn{y_i} is
#' \eqn{z_{ij}}{z_ij}, and \eqn{g_j} is
#' \eqn{\phi_j}.
#'
#' A row in a *heavy cell*, a cell with at least 5 % of the probability under \eqn{\phi_j}, has no kernel in
#' \eqn{f_{jt}}{f_jt}. It contributes \eqn{\phi_j(z_j) / P(\mathrm{cell})}{phi_j(z_j) / P(cell)} within the cell and 0
#' elsewhere.
#'
#' @section How it is fitted:
#' Each tree is a regression tree. It splits where the sum of squares within falls the most, as long as both sides keep
#' `min_leaf` rows. Each coordinate before j is put into at most 64 bins by its quantiles. No bin ends within a cell.
#' A tree draws each row as often as a Poisson variable with mean 1 says. The draws have a fixed key, so that equal rows
#' give equal fits. A leaf of more than 200 rows outside heavy cells keeps 200 of them, evenly spaced in the order of
#' their values. The trees of the first coordinate have one leaf.
#'
#' The linear function is a ridge regression, whose prior counts as two rows. The residual of a row is that from the
#' regression without this row. If more than 30 % of the rows lie in heavy cells of a coordinate, its trees do
#' not split by residuals in these rows, but by the cells, because a leaf knows the shares of its cells whatever the
#' linear function is. The back-off then brings in the linear function.
#'
#' The width \eqn{h_j} (ten values between 0.03 and 0.7 standard deviations of the residuals) and the share \eqn{e_j}
#' (nine values between 0 and 0.9) have the largest out-of-bag log-likelihood, in which each row is evaluated under the
#' trees that did not draw it. The density of the rows that the law was fitted to is out-of-bag, too.
#'
#' A search tries `min_leaf` of 5, 15 and 40, and 15 also for the normal scores of [law_copula()], if both laws are
#' asked for. For a table of raw columns that are not normal, `law_copula(base = law_trees())` is usually better than
#' `law_trees()`.
#'
#' @section Relation to other methods:
#' Drawing column after column from the leaves of trees is the synthesis by CART of Reiter (2005), which the package
#' synthpop made known; Drechsler and Reiter (2011) compare it with other learners. Those draws repeat values of the
#' data and have no density. Forest densities as in Watson et al. (2023) have a density: a product of univariate
#' densities within the leaves of joint trees. Here each coordinate has trees of its own, as in the first method, and a
#' density, as in the second.
#'
#' @param trees Number of trees per coordinate, a whole number of at least 2.
#' @param min_leaf Least number of rows in a leaf, a whole number of at least 1.
#' @param linear `TRUE`: the trees describe the residuals of linear functions; `FALSE`: the coordinates themselves.
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
  check_count(min_leaf, "min_leaf", 1L)
  check_flag(linear, "linear")
  check_edges(edges)
  new_law_kind("trees", trees_fit, trees_draw, trees_density, trees_candidates, settings, spherical = FALSE,
               in_scores = trees_in_scores)
}, class = "law_constructor")

trees_candidates <- function(n, d) lapply(c(5L, 15L, 40L), function(least) list(min_leaf = least))

trees_in_scores <- function(settings) identical(settings$min_leaf, 15L)

# A cell with this probability is heavy: it has a probability of its own, and no kernel.
heavy_mass <- 0.05

# With a larger share of rows in heavy cells the trees of a coordinate split by the cells instead of residuals.
most_heavy_rows <- 0.3

# A leaf keeps at most this many rows outside heavy cells.
most_leaf_rows <- 200L

# The widths fall from the largest by factors of sqrt(2), which the core makes use of. In standard deviations.
largest_width <- 0.7
number_of_widths <- 10L
backoff_shares <- c(0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)

# The share of the wide normal law, which keeps the density away from 0.
wide_share <- 0.005

# No spread is smaller than this, in standard deviations of the coordinate.
least_spread <- 1e-6

# Width and share are chosen on at most this many rows.
most_rows_of_choice <- 2000L

# The rows that a tree draws depend on this key alone.
trees_key <- c(14L, 14L)

check_edges <- function(edges, columns = length(edges)) {
  if (is.null(edges)) return(invisible())
  if (!is.list(edges) || is.object(edges) || length(edges) != columns) {
    fail("`edges` must be a list with one entry for each of the %d coordinates, not %s.", columns, describe(edges))
  }
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

trees_fit <- function(points, trees = 10, min_leaf = 15, linear = TRUE, edges = NULL) {
  points <- unname(points)
  n <- nrow(points)
  d <- ncol(points)
  check_edges(edges, d)
  law <- list(trees = as.integer(trees), min_leaf = as.integer(min_leaf), linear = linear,
              centre = if (is.null(edges)) colMeans(points) else numeric(d),
              scale = if (is.null(edges)) apply(points, 2, stats::sd) else rep(1, d))
  if (!all(law$scale > 0)) {
    stop_unfit("The law \"trees\" needs coordinates with at least two values; coordinate %d has one.",
               which(!(law$scale > 0))[1])
  }
  law$cells <- lapply(seq_len(d), function(j) describe_cells(edges[[j]], law$centre[j], law$scale[j]))
  sample <- list(points = points, settled = settle_points(law, points), bags = draw_bags(n, law$trees),
                 cell = vapply(seq_len(d), function(j) cell_of(law$cells[[j]], points[, j]), integer(n)))
  sample$cell <- matrix(sample$cell, n)
  sample$cuts <- lapply(seq_len(d), function(j) bin_cuts(points[, j], law$cells[[j]], sample$cell[, j]))
  bins <- vapply(seq_len(d), function(j) findInterval(points[, j], sample$cuts[[j]], left.open = TRUE), integer(n))
  sample$bins <- matrix(as.raw(bins), n)
  sample$regression <- if (linear && d > 1) ridge_basis(sample$settled)
  law$coordinates <- lapply(seq_len(d), function(j) fit_coordinate(law, sample, j))
  law
}

# ---- cells -----------------------------------------------------------------------------------------------

# low, high, probability and mean of the cells of one coordinate under N(centre, scale^2), and the number of each cell
# among the heavy ones (0: light).
describe_cells <- function(ends, centre, scale) {
  low <- if (is.matrix(ends)) ends[, 1] else utils::head(ends, -1)
  high <- if (is.matrix(ends)) ends[, 2] else utils::tail(ends, -1)
  from <- (as.double(low) - centre) / scale
  to <- (as.double(high) - centre) / scale
  mass <- exp(log_interval(from, to))
  mean <- centre + scale * (stats::dnorm(from) - stats::dnorm(to)) / mass
  middle <- ifelse(is.infinite(low), high, ifelse(is.infinite(high), low, (low + high) / 2))
  outside <- !is.finite(mean) | mean < low | mean > high # cells far out, where the mass is rounded to nothing
  mean[outside] <- middle[outside]
  heavy <- mass >= heavy_mass
  list(low = as.double(low), high = as.double(high), mass = mass, mean = mean, heavy = cumsum(heavy) * heavy)
}

# The cell, low < z <= high, of each number; 0: none.
cell_of <- function(cells, z) {
  k <- findInterval(z, cells$low, left.open = TRUE)
  inside <- k > 0
  k[inside][z[inside] > cells$high[k[inside]]] <- 0L
  k
}

heavy_of <- function(cells, cell) c(0, cells$heavy)[cell + 1L]

# Points with the mean of the cell in the place of a number within it, because the place within is noise.
settle_points <- function(law, points, columns = seq_len(ncol(points))) {
  for (j in columns) {
    cell <- cell_of(law$cells[[j]], points[, j])
    points[cell > 0, j] <- law$cells[[j]]$mean[cell]
  }
  points
}

# Where a coordinate may be split: at most 63 increasing numbers, evenly spaced in rank, none of them within a cell.
bin_cuts <- function(z, cells, cell, most = 63L) {
  low <- high <- z
  low[cell > 0] <- cells$low[cell]
  high[cell > 0] <- cells$high[cell]
  order <- order(high, low)
  low <- low[order]
  high <- high[order]
  last <- which(diff(high) > 0) # the last rows of equal values
  if (length(last) > most) {
    wanted <- round(length(z) * seq_len(most) / (most + 1))
    last <- unique(last[pmin(findInterval(wanted, last, left.open = TRUE) + 1L, length(last))])
  }
  (high[last] + low[last + 1L]) / 2
}

# ---- the fit of one coordinate ---------------------------------------------------------------------------

# How often each tree draws each row [n, trees]: independent Poisson variables with mean 1. Each row is left out by at
# least one tree, and each tree draws at least one row.
draw_bags <- function(n, trees) {
  u <- draw_uniform(n, trees, trees_key)
  bags <- matrix(findInterval(u, stats::ppois(0:12, 1)), n)
  always <- which(rowSums(bags == 0) == 0)
  bags[cbind(always, (always - 1L) %% trees + 1L)] <- 0L
  empty <- which(colSums(bags) == 0)
  bags[cbind((empty - 1L) %% n + 1L, empty)] <- 1L
  bags
}

# What the ridge regressions of each column on the columns before share. With X the standardised columns and R'R = X'X
# + 2, W = X R^-1: regressions on the first k columns need the first k columns of W and of R alone.
ridge_basis <- function(x, prior = 2) {
  centre <- colMeans(x)
  scale <- apply(x, 2, stats::sd)
  scale[!(scale > 0)] <- 1
  standard <- sweep(sweep(x, 2, centre), 2, scale, "/")
  root <- chol(crossprod(standard) + prior * diag(ncol(x)))
  list(centre = centre, scale = scale, root = root, basis = standard %*% backsolve(root, diag(ncol(x))))
}

# The regression of y on the first k columns: slopes, intercept, and residuals of each row without itself.
ridge_regression <- function(of, y, k) {
  basis <- of$basis[, seq_len(k), drop = FALSE]
  middle <- mean(y)
  along <- crossprod(basis, y - middle)[, 1]
  residual <- y - middle - (basis %*% along)[, 1]
  leverage <- pmin(rowSums(basis^2) + 1 / length(y), 0.9)
  slopes <- backsolve(of$root, along, k = k) / of$scale[seq_len(k)]
  list(slopes = slopes, intercept = middle - sum(slopes * of$centre[seq_len(k)]), response = residual / (1 - leverage))
}

fit_coordinate <- function(law, sample, j) {
  before <- seq_len(j - 1)
  cells <- law$cells[[j]]
  heavy <- heavy_of(cells, sample$cell[, j])
  y <- ifelse(heavy > 0, sample$settled[, j], sample$points[, j])
  mostly <- mean(heavy > 0) > most_heavy_rows
  one <- list(slopes = numeric(), intercept = 0, response = y, own = numeric(length(y)), middle = law$centre[j],
              spread = law$scale[j])
  if (law$linear && j > 1) {
    target <- if (mostly) sample$points[, j] else y
    line <- ridge_regression(sample$regression, target, j - 1)
    one[c("slopes", "intercept")] <- line[c("slopes", "intercept")]
    one$own <- target - line$response
    one$middle <- mean(line$response)
    one$spread <- max(stats::sd(line$response), least_spread * law$scale[j])
    # a leaf knows the shares of its cells, whatever the linear function is
    one$response <- if (mostly) ifelse(heavy > 0, y, y - one$own) else line$response
  }
  # the last cell, that of the wide law, is the whole line
  one$cells <- cbind(rbind(cells$low, cells$high)[, cells$heavy > 0, drop = FALSE], c(-Inf, Inf))
  one$forest <- grow_coordinate(sample$bins[, before, drop = FALSE], one$response, as.integer(heavy), sample$bags,
                            law$min_leaf, sample$cuts)
  spread <- if (sum(heavy == 0) > 1) stats::sd(one$response[heavy == 0]) else 0
  one$width <- largest_width * max(spread, least_spread * law$scale[j])
  rows <- spaced_rows(nrow(sample$points), most_rows_of_choice)
  at <- own_responses(one, j, sample$points)[rows]
  each <- leaf_density(law, one, j, sample$points[rows, , drop = FALSE], at, sample$bags[rows, , drop = FALSE],
                       thread_count(), number_of_widths)
  chosen <- choose_smoothing(each, stats::dnorm(at, one$middle, one$spread),
                             log_wide(law, j, sample$points[rows, j]))
  one$width <- one$width / sqrt(2)^(chosen$width - 1)
  one$backoff <- backoff_shares[chosen$share]
  one
}

# Trees in blocks, joined into one forest, with cuts for bins.
grow_coordinate <- function(bins, response, cell, bags, min_leaf, cuts) {
  threads <- thread_count()
  order <- order(response)
  parts <- in_blocks(ncol(bags), 100 * nrow(bins) * (ncol(bins) + 1), function(from, count) {
    .Call(C_pf_grow_trees, bins, response, order, cell, bags, min_leaf, most_leaf_rows, from, count, threads)
  }, chunk = threads, least = threads)
  forest <- Reduce(join_forests, parts)
  inner <- which(forest$nodes[1, ] >= 0)
  places <- cumsum(c(0L, lengths(cuts)))
  forest$cut <- numeric(ncol(forest$nodes))
  forest$cut[inner] <- unlist(cuts)[places[forest$nodes[1, inner] + 1L] + forest$bin[inner] + 1L]
  forest[c("root", "nodes", "cut", "members")]
}

join_forests <- function(a, b) {
  leaf <- b$nodes[1, ] < 0
  b$nodes[2, ] <- b$nodes[2, ] + ifelse(leaf, length(a$members), length(a$bin))
  list(root = c(a$root, b$root + length(a$bin)), nodes = cbind(a$nodes, b$nodes), bin = c(a$bin, b$bin),
       members = c(a$members, b$members))
}

# The width (column of `each`) and the share with the largest likelihood, one after the other. each [n, widths]: mean
# densities of leaves; backoff [n]: densities of the back-off; wide [n]: log-densities of the wide law.
choose_smoothing <- function(each, backoff, wide, rounds = 3L) {
  value <- function(width, share) mean(mix_log(each[, width], backoff, wide, backoff_shares[share]))
  share <- match(0.05, backoff_shares)
  for (round in seq_len(rounds)) {
    before <- share
    width <- which.max(vapply(seq_len(ncol(each)), value, 0, share = share))
    share <- which.max(vapply(seq_along(backoff_shares), value, 0, width = width))
    if (share == before) break
  }
  list(width = width, share = share)
}

log_wide <- function(law, j, z) stats::dnorm(z, law$centre[j], law$scale[j], log = TRUE)

# The logarithm of the mixture of leaves, back-off and wide law, also where it underflows.
mix_log <- function(leaves, backoff, wide, share) {
  near <- (1 - wide_share) * ((1 - share) * leaves + share * backoff)
  value <- log(near + wide_share * exp(wide))
  far <- near == 0
  value[far] <- log(wide_share) + wide[far]
  value
}

# ---- density ---------------------------------------------------------------------------------------------

# Mean densities [rows, widths] over the trees, without back-off; `at`: coordinate j less the linear function.
leaf_density <- function(law, one, j, points, at, bags, threads, widths = 1L) {
  cells <- law$cells[[j]]
  cell <- cell_of(cells, points[, j])
  heavy <- as.integer(heavy_of(cells, cell))
  inside <- numeric(nrow(points))
  held <- heavy > 0
  inside[held] <- stats::dnorm(points[held, j], law$centre[j], law$scale[j]) / cells$mass[cell[held]]
  blocks <- in_blocks(nrow(points), 100 * law$trees * max(10, lengths(one$forest)[["members"]] / nrow(points)),
                      function(from, count) {
    list(value = .Call(C_pf_forest_density, points, one$forest, one$response, at, heavy, inside, one$width, widths,
                       bags, from, count, threads))
  })
  bind_blocks(blocks)$value
}

# The linear function of coordinate j. The bits of a row do not depend on the other rows.
linear_shift <- function(one, settled) {
  shift <- rep(one$intercept, nrow(settled))
  for (k in seq_along(one$slopes)) shift <- shift + one$slopes[k] * settled[, k]
  shift
}

# Coordinate j of the rows of the fit less the linear function of the other rows.
own_responses <- function(one, j, points) points[, j] - one$own

trees_density <- function(law, points, threads, self = FALSE) {
  points <- unname(points)
  settled <- settle_points(law, points)
  bags <- if (self) draw_bags(nrow(points), law$trees)
  value <- numeric(nrow(points))
  for (j in seq_len(ncol(points))) {
    one <- law$coordinates[[j]]
    at <- if (self) own_responses(one, j, points) else points[, j] - linear_shift(one, settled)
    density <- leaf_density(law, one, j, points, at, bags, threads)[, 1]
    backoff <- stats::dnorm(at, one$middle, one$spread)
    value <- value + mix_log(density, backoff, log_wide(law, j, points[, j]), one$backoff)
  }
  matrix(value)
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
  points <- matrix(0, n, ncol(low))
  settled <- points
  log_weight <- numeric(n)
  u <- draw_uniform(n, ncol(low), key)
  for (j in seq_len(ncol(low))) {
    one <- law$coordinates[[j]]
    shift <- linear_shift(one, settled)
    picked <- pick_members(law, one, j, points, shift, low[, j], high[, j], key, threads)
    points[, j] <- draw_member(law, one, j, picked$pick, shift, low[, j], high[, j], u[, j])
    settled[, j] <- points[, j]
    settled <- settle_points(law, settled, j)
    log_weight <- log_weight + picked$log_mass
  }
  list(points = points, log_weight = log_weight)
}

# pick: a row from 1 up, minus a heavy cell, or 0 for the back-off; log_mass: the log-probability of the box.
pick_members <- function(law, one, j, points, shift, low, high, key, threads) {
  numbers <- c(one$width, one$backoff, wide_share, one$middle, one$spread, law$centre[j], law$scale[j])
  bind_blocks(in_blocks(nrow(points), 1000 * law$trees, function(from, count) {
    .Call(C_pf_forest_pick, points, one$forest, one$response, one$cells, shift, as.double(low), as.double(high),
          numbers, key, j, from, count, threads)
  }))
}

draw_member <- function(law, one, j, pick, shift, low, high, u) {
  known <- low == high
  row <- pick > 0
  held <- pick < 0
  centre <- shift + one$middle
  scale <- rep(one$spread, length(pick))
  centre[row] <- shift[row] + one$response[pick[row]]
  scale[row] <- one$width
  centre[held] <- law$centre[j]
  scale[held] <- law$scale[j]
  from <- low
  to <- high
  from[held] <- pmax(low[held], one$cells[1, -pick[held]])
  to[held] <- pmin(high[held], one$cells[2, -pick[held]])
  z <- pmin(pmax(centre + scale * truncated_normal((from - centre) / scale, (to - centre) / scale, u), from), to)
  z[known] <- low[known]
  z
}
