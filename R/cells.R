# Scores that are known only up to a cell: those of values with positive probability, and of missing values.

# The table that read_mixed() read, with its scores settled. The margin of a column with missing values is that of its
# known values at first; then it is fitted again to these and to those that were drawn for the missing ones, because
# the known values of a column may have another distribution than all of them.
settle_table <- function(table, x, rounds = 2L, first_sweeps = 15L) {
  own <- missing_coordinates(table$template)
  lacking <- refitted_columns(table$template)
  n <- nrow(table$points)
  for (round in seq_len(if (length(lacking)) rounds else 0L)) {
    # the margins that the next round starts from need not know all rows
    first <- round < rounds && is.null(table$template$constant)
    some <- spaced_rows(n, if (first) most_rows_of_first_round else n)
    part <- table[c("points", "low", "high")]
    if (length(some) < n) part <- lapply(part, function(x) x[some, , drop = FALSE])
    settled <- settle_scores(part$points, part$low, part$high, own, first_sweeps)
    values <- decode_columns(unname(settled), table$template, fill = TRUE)
    for (j in lacking) {
      k <- table$template$of[j]
      some <- fitted_values(values[[j]], j, table$template)
      table$template$columns[[k]]$state <- column_code(table$template$columns[[k]])$fit(some)
    }
    labels <- dimnames(table$points)
    table[c("points", "low", "high", "margin")] <- encode_mixed(x, table$template, "x")[c("points", "low", "high",
                                                                                         "margin")]
    dimnames(table$points) <- labels
  }
  table$points <- settle_scores(table$points, table$low, table$high, own)
  table
}

most_rows_of_first_round <- 50000L

# The values to which the margin of column j is fitted: one per block if it is constant within blocks.
fitted_values <- function(values, j, template) {
  if (isTRUE(template$constant[j])) take(values, template$first) else values
}

# The columns of numbers and times, of kinds of the package, that have missing values.
refitted_columns <- function(template) {
  Filter(function(j) {
    column <- template$columns[[template$of[j]]]
    code <- column_code(column)
    lacks_values(column) && template$dims[j] > 0 && !is.null(code[["number"]]) && !has_levels(code)
  }, seq_len(n_columns(template)))
}

# Draws the scores within their cells from a Gaussian law with their own correlations, which are estimated anew after
# each sweep: a Gibbs sampler of the Gaussian copula. Independent scores within the cells would weaken the dependence
# of the columns. After each sweep the scores of the values that are known get the quantiles of the normal law in their
# order, because their margin is known: without this, columns with wide cells drift, and seem to depend on each other.
# z, low, high [n, d]; NA in z: missing. own [d]: the number of the coordinate that says whether this one is missing, NA
# for none. Missing scores are drawn without a look at it: values are missing at random, because no table can tell how a
# value depends on whether it is missing.
settle_scores <- function(z, low, high, own = rep(NA_integer_, ncol(z)), sweeps = 30L) {
  open <- high > low
  if (!any(open)) return(z)
  n <- nrow(z)
  d <- ncol(z)
  gone <- is.na(z)
  spread <- vapply(seq_len(d), function(j) length(unique(low[!gone[, j], j])) > 2, NA)
  shifted <- spread | colSums(gone) > 0
  u <- draw_uniform(n, d, c(settle_key, 0L))
  z[gone] <- stats::qnorm(u[gone])
  if (d == 1) return(z)
  law <- NULL
  if (n > most_settled_rows) {
    some <- spaced_rows(n, most_settled_rows)
    part <- settle_scores(z[some, , drop = FALSE], low[some, , drop = FALSE], high[some, , drop = FALSE], own, sweeps)
    law <- gaussian_scores(part, shifted, spread)
    sweeps <- few_sweeps
  }
  rows <- function(some) lapply(seq_len(d), function(j) which(some[, j]))
  held <- rows(open & !gone)
  known <- rows(!gone)
  lost <- rows(gone)
  for (sweep in seq_len(sweeps)) {
    if (is.null(law) || sweep > 1) law <- gaussian_scores(z, shifted, spread)
    precision <- solve(law$covariance)
    u <- draw_uniform(n, d, c(settle_key, sweep))
    z[] <- .Call(C_pf_settle_sweep, z, low, high, u, law$mean, precision, without_own(precision, own), held, known,
                 lost, thread_count())
  }
  z
}

# Rows of the precision matrix, as columns, in which a coordinate does not look at the one that says whether it is
# missing.
without_own <- function(precision, own) {
  for (j in which(!is.na(own))) {
    k <- own[j]
    precision[, j] <- precision[, j] - precision[, k] * (precision[j, k] / precision[k, k])
  }
  precision
}

# Of more rows, this many find the law first, and all rows need few sweeps.
most_settled_rows <- 3000L
few_sweeps <- 5L

# Kept off the ends of the cells, because a score that a flow and its inverse move by 1e-12 shall stay in its cell.
as_normal <- function(z, low, high) {
  margin <- 1e-4 * pmin(high - low, 1)
  pmin(pmax(stats::qnorm((rank(z) - 0.5) / length(z)), low + margin), high - margin)
}

# New scores of column j of the rows z, between low and high [n], given the other columns. precision: column j of the
# precision matrix. u [n]: uniform numbers.
settled_column <- function(z, j, precision, mean, low, high, u) {
  width <- 1 / sqrt(precision[j])
  weights <- -precision / precision[j]
  weights[j] <- 0
  centre <- drop(z %*% weights) + mean[j] - sum(mean * weights)
  centre + width * truncated_normal((low - centre) / width, (high - centre) / width, u)
}

settle_key <- 1515L

# The Gaussian law of scores. Scores have mean 0 and variance 1, but those of a sample only nearly, and with missing
# values only the known ones have: the mean of columns `shifted` is estimated, and the variance of columns `spread`. Two
# cells do not tell a variance.
gaussian_scores <- function(z, shifted, spread) {
  mean <- ifelse(shifted, colMeans(z), 0)
  z <- sweep(z, 2, mean)
  width <- ifelse(spread, sqrt(colMeans(z^2)), 1)
  list(mean = mean, covariance = score_correlation(z) * outer(width, width))
}

# Second moments about 0 with unit diagonal, because scores have mean 0 and variance 1. A few rows without correlation
# are added, which keeps the matrix definite.
score_correlation <- function(z, added = 2) {
  moments <- crossprod(z) / nrow(z)
  spread <- sqrt(diag(moments))
  correlation <- moments / outer(spread, spread)
  share <- added / (nrow(z) + added)
  (1 - share) * correlation + share * diag(ncol(z))
}

# Standard normal numbers between low and high, one per uniform number, also far out in the tails.
truncated_normal <- function(low, high, u) .Call(C_pf_truncated_normal, as.double(low), as.double(high), u)

# Draws within the cells, to integrate a density q over them: the integral is the mean of q(z) / exp(log) over many
# draws of both kinds. `gaussian` draws come from the Gaussian law with the correlations `correlation`, column after
# column given the columns before; the others are independent of each other. The first suit laws near a Gaussian, the
# others laws whose density hardly changes within a cell. `log` is the log-density of the mixture of both kinds, in
# equal parts (the balance heuristic), so no draw has a large weight if one of the two kinds suits q.
# order: the order of the columns; those whose scores are known come first. u [n, d]: uniform numbers.
# Returns list(z [n, d], log [n]).
cell_draws <- function(points, low, high, correlation, key, gaussian, order = base::order(colMeans(high > low)),
                       u = draw_uniform(nrow(points), ncol(points), key)) {
  n <- nrow(points)
  open <- high > low
  root <- t(chol(correlation[order, order, drop = FALSE]))
  noise <- matrix(0, n, ncol(points))
  log_gaussian <- log_single <- numeric(n)
  for (k in seq_along(order)) {
    j <- order[k]
    before <- seq_len(k - 1)
    centre <- drop(noise[, before, drop = FALSE] %*% root[k, before])
    rows <- which(open[, j])
    if (length(rows)) {
      from <- (low[rows, j] - centre[rows]) / root[k, k]
      to <- (high[rows, j] - centre[rows]) / root[k, k]
      points[rows, j] <- if (gaussian) {
        centre[rows] + root[k, k] * truncated_normal(from, to, u[rows, j])
      } else {
        truncated_normal(low[rows, j], high[rows, j], u[rows, j])
      }
    }
    noise[, k] <- (points[, j] - centre) / root[k, k]
    if (!length(rows)) next
    log_gaussian[rows] <- log_gaussian[rows] + stats::dnorm(noise[rows, k], log = TRUE) - log(root[k, k]) -
      log_interval(from, to)
    log_single[rows] <- log_single[rows] + stats::dnorm(points[rows, j], log = TRUE) -
      log_interval(low[rows, j], high[rows, j])
  }
  list(z = points, log = log_mean_exp(cbind(log_gaussian, log_single), c(0.5, 0.5)))
}

# log(pnorm(to) - pnorm(from)), without loss in the tails.
log_interval <- function(from, to) .Call(C_pf_log_interval, as.double(from), as.double(to))

# The cells of some rows, see search_cells().
pick_cells <- function(cells, rows) {
  if (!is.null(cells)) cells$rows <- cells$rows[rows]
  cells
}

# The draws within the cells of the rows: a list of what cell_draws() returns. The draws of a row do not depend on which
# other rows there are.
draws_of_cells <- function(cells) {
  if (is.null(cells)) return(NULL)
  some <- function(x) x[cells$rows, , drop = FALSE]
  lapply(seq_len(cell_draws_of_search), function(draw) {
    key <- c(cell_key, draw)
    cell_draws(some(cells$points), some(cells$low), some(cells$high), cells$correlation, key, draw %% 2 == 1,
               cells$order, some(draw_uniform(nrow(cells$points), ncol(cells$points), key)))
  })
}

cell_draws_of_search <- 4L
cell_key <- 1616L
