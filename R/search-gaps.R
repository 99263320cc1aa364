# Missing scores drawn given all other scores of their row, coordinate by coordinate: imputation by chained equations,
# with the conditional laws of law_trees(), which know the cells.

# gaps: NULL, or a list of
#   gone   [n, d]: whether a score is missing
#   edges  a list with the cells of each coordinate, as law_trees() takes them
#   cells  a list with these cells as described_cells() describes them
#   value  [d]: whether a coordinate is the score of a value; the others say whether a value is missing

# Each coordinate is fitted to the rows in which it is known, because what was drawn before says nothing about it. The
# coordinates that say what is missing are left out on both sides: values are taken as missing at random. z [n, d]: the
# missing scores are those that the first sweep starts from.
fill_gaps <- function(z, gaps, key, threads, most_sweeps = gap_sweeps) {
  if (is.null(gaps)) return(z)
  columns <- which(colSums(gaps$gone) > 0)
  columns <- columns[order(colSums(gaps$gone)[columns])]
  if (!length(columns)) return(z)
  sweeps <- if (max(rowSums(gaps$gone)) > 1) most_sweeps else 1L
  for (sweep in seq_len(sweeps)) {
    for (j in columns) z <- fill_coordinate(z, j, gaps, other_key(key, sweep, j), threads)
  }
  settle_filled(z, columns, gaps, key)
}

# Scores that were drawn into a cell are drawn again within it, given the other coordinates of the row, in the same way
# as those of known values. Without this the dependence within a cell would tell which values were drawn.
settle_filled <- function(z, columns, gaps, key) {
  if (any(apply(z, 2, stats::sd) == 0)) return(z)
  law <- gaussian_scores(z, rep(TRUE, ncol(z)), rep(TRUE, ncol(z)))
  precision <- solve(law$covariance)
  u <- draw_uniform(nrow(z), ncol(z), key)
  for (j in columns[lengths(gaps$edges[columns]) > 0]) {
    ends <- gaps$edges[[j]]
    cell <- findInterval(z[, j], ends[, 1])
    cell[cell > 0 & !(z[, j] <= ends[pmax(cell, 1), 2])] <- 0
    rows <- which(gaps$gone[, j] & cell > 0)
    z[rows, j] <- settled_column(z[rows, , drop = FALSE], j, precision[, j], law$mean, ends[cell[rows], 1],
                                 ends[cell[rows], 2], u[rows, j])
  }
  z
}

# Three sweeps of 20 trees were no better on mice::boys, and took twice as long.
gap_sweeps <- 2L
sweeps_of_search <- 1L
gap_trees <- 10L
gap_key <- c(1818L, 0L)

fill_coordinate <- function(z, j, gaps, key, threads) {
  gone <- gaps$gone[, j]
  # with fewer known scores the missing ones stay as they are
  at <- c(setdiff(which(gaps$value), j), j)
  d <- length(at)
  if (d < 2 || sum(!gone) < least_known_rows) return(z)
  known <- which(!gone)
  some <- sample_of_rows(length(known), most_rows_of(our_law("trees"), d))
  if (!is.null(some)) known <- known[some]
  law <- unless_unfit(fit_forest(z[known, at, drop = FALSE], gap_trees, c(5L, 15L), TRUE, gaps$edges[at], d,
                                 gaps$cells[at]))
  if (is.null(law)) return(z)
  points <- z[gone, at, drop = FALSE]
  n <- nrow(points)
  drawn <- draw_coordinate(law, d, points, find_bins(law$cells, points)$settled, rep(-Inf, n), rep(Inf, n),
                           draw_uniform(n, 4, key), key, threads)
  z[gone, j] <- drawn$z
  z
}

# The gaps of some rows.
pick_gaps <- function(gaps, rows) {
  if (!is.null(gaps)) gaps$gone <- gaps$gone[rows, , drop = FALSE]
  gaps
}

# A function of a fold: z, in which the missing scores of the training rows are drawn by laws that were fitted to these
# rows alone. So the held-out rows say nothing about the law that is judged by them. NULL without gaps.
fill_folds <- function(z, folds, gaps, threads) {
  if (is.null(gaps)) return(NULL)
  fills <- vector("list", max(folds))
  function(k) {
    if (is.null(fills[[k]])) {
      train <- folds != k
      z[train, ] <- fill_gaps(z[train, , drop = FALSE], pick_gaps(gaps, train), other_key(gap_key, k), threads,
                              sweeps_of_search)
      fills[[k]] <<- z
    }
    fills[[k]]
  }
}
