# The modes of a density: many BFGS searches at once, one per row of a matrix. Each round is one call of the density.

# At most this many modes are kept: those with the largest mass of the normal law that fits the mode.
most_found_modes <- 25L

# A search ends where its next step promises a gain of the log-density below this. A mode only centres a start law.
least_promise <- 1e-4

# A step is shortened at most this many times in a row.
most_backtracks <- 30L

# starts [k, dim]: points on the free scale. budget: rounds of all searches together; each search takes at most one
# point per round. check: whether the density is checked at the starts. Returns a list of
#   points [m, dim], log_density [m]; m may be 0
#   roots   upper triangular R with R'R = the covariance of the normal law that fits the mode
#   count   how many searches ended at the mode
#   edge    whether the log-density is not flat at the top or not concave there: the top is at an edge of the region
#           where p > 0, or singular
#   lost    searches that ended at none of the modes
#   ridge   list(points, roots, log_density): see ridge_points()
#   evaluations, rounds
find_modes <- function(density, starts, budget, threads, check = FALSE) {
  search <- climb(density, starts, budget, threads, check)
  if (!any(search$log_density > -Inf)) {
    fail("`log_density` is -Inf or NaN at all %d points from which modes are searched: give a `start` in the support.",
         nrow(starts))
  }
  modes <- distinct_modes(density, search, start_variances(starts), threads)
  modes$evaluations <- modes$evaluations + search$evaluations
  modes$rounds <- search$rounds
  ridge <- ridge_points(density, search, start_variances(starts), threads)
  modes$ridge <- ridge[c("points", "roots", "log_density")]
  modes$evaluations <- modes$evaluations + ridge$evaluations
  modes
}

# ---- the searches ----------------------------------------------------------------------------------------

# All searches: list(points, log_density, gradient, inverse [k, dim * dim], settled [k], evaluations, rounds).
climb <- function(density, starts, budget, threads, check) {
  at <- density_values(density, starts, threads)
  if (check) {
    at$evaluations <- at$evaluations + count_evaluations(verify_density(density, starts, at, threads))
  }
  none <- rep(FALSE, nrow(starts))
  state <- list(points = starts, log_density = at$log_density, gradient = at$gradient, settled = none, learnt = none,
                share = rep(1, nrow(starts)), failed = integer(nrow(starts)), evaluations = at$evaluations, rounds = 0L)
  state$inverse <- state$first <- first_inverse(state, start_variances(starts))
  diagonal <- seq(1L, ncol(starts)^2, by = ncol(starts) + 1L)
  open <- which(state$log_density > -Inf & rowSums(abs(state$gradient)) > 0)
  while (length(open) && state$rounds < budget) {
    state <- climb_round(density, state, open, threads)
    state$rounds <- state$rounds + 1L
    state$path[[state$rounds]] <- list(row = open, points = state$points[open, , drop = FALSE],
                                       log_density = state$log_density[open],
                                       size = state$inverse[open, diagonal, drop = FALSE])
    open <- open[still_climbing(state, open)]
  }
  state$settled <- !seq_along(state$settled) %in% open
  state
}

# A search is over if it knows the curvature and promises no gain, or if no short step is better.
still_climbing <- function(state, rows) {
  slope <- state$gradient[rows, , drop = FALSE]
  promise <- rowSums(times_rows(state$inverse[rows, , drop = FALSE], slope) * slope) / 2
  state$failed[rows] < most_backtracks & !(state$learnt[rows] & promise <= least_promise) & rowSums(abs(slope)) > 0
}

# The first step is as long as the starts are wide, along the gradient in units of their spread.
first_inverse <- function(state, variances) {
  d <- ncol(state$points)
  size <- sqrt(rowSums(sweep(state$gradient^2, 2, variances, "*")))
  scale <- ifelse(size > 0, 1 / pmax(size, 1), 1)
  outer(scale, as.vector(diag(variances, d)))
}

# Matrices that rounding has made useless begin again.
mend_inverse <- function(state, rows) {
  slope <- state$gradient[rows, , drop = FALSE]
  promise <- rowSums(times_rows(state$inverse[rows, , drop = FALSE], slope) * slope)
  wrong <- rows[!(promise > 0 & promise < Inf)]
  state$inverse[wrong, ] <- state$first[wrong, ]
  state$learnt[wrong] <- FALSE
  state
}

# Variances of the columns that far points do not change.
start_variances <- function(starts) {
  spread <- apply(starts, 2, stats::IQR) / 1.349
  ifelse(spread > 0, spread, pmax(abs(starts[1, ]), 1))^2
}

# Column i of each [d, d] matrix in a row of `matrices` [k, d * d] times row i of v [k, d].
times_rows <- function(matrices, v) {
  d <- ncol(v)
  out <- v
  for (i in seq_len(d)) out[, i] <- rowSums(matrices[, i + d * (seq_len(d) - 1L), drop = FALSE] * v)
  out
}

climb_round <- function(density, state, rows, threads) {
  state <- mend_inverse(state, rows)
  slope <- state$gradient[rows, , drop = FALSE]
  step <- times_rows(state$inverse[rows, , drop = FALSE], slope) * state$share[rows]
  trial <- state$points[rows, , drop = FALSE] + step
  at <- density_values(density, trial, threads)
  state$evaluations <- state$evaluations + at$evaluations
  rise <- rowSums(step * slope)
  gain <- at$log_density - state$log_density[rows]
  good <- (gain >= 1e-4 * rise & gain > -Inf) %in% TRUE # a step beyond the range of numbers is not good
  bad <- rows[!good]
  # the top of the parabola through both values and the slope, but between a tenth and a half of the step
  top <- rise[!good] / (2 * pmax(rise[!good] - gain[!good], 1e-300))
  state$share[bad] <- state$share[bad] * ifelse(is.finite(top), pmin(pmax(top, 0.1), 0.5), 0.25)
  state$failed[bad] <- state$failed[bad] + 1L
  if (any(good)) {
    state <- learn_curvature(state, rows[good], step[good, , drop = FALSE],
                             slope[good, , drop = FALSE] - at$gradient[good, , drop = FALSE])
    state$points[rows[good], ] <- trial[good, ]
    state$log_density[rows[good]] <- at$log_density[good]
    state$gradient[rows[good], ] <- at$gradient[good, ]
  }
  state
}

# The BFGS update of the inverse Hessians after steps s, along which minus the gradient grew by y:
# H + (1 + y'Hy / s'y) ss' / s'y - (Hy s' + s y'H) / s'y. Where the log-density is not concave along s, the next step is
# twice as long instead.
learn_curvature <- function(state, rows, s, y) {
  d <- ncol(s)
  bend <- rowSums(s * y)
  usable <- (bend > 1e-10 * sqrt(rowSums(s^2) * rowSums(y^2)) & is.finite(bend)) %in% TRUE
  straight <- rows[!usable] # a first matrix that knows no curvature yet, or one that stays
  state$inverse[straight, ] <- state$inverse[straight, ] * 4 * pmin(state$share[straight], 1)
  state$share[rows] <- 1
  state$failed[rows] <- 0L
  if (!any(usable)) return(state)
  rows <- rows[usable]
  s <- s[usable, , drop = FALSE]
  y <- y[usable, , drop = FALSE]
  bend <- bend[usable]
  H <- state$inverse[rows, , drop = FALSE]
  fresh <- !state$learnt[rows]
  size <- bend / rowSums(times_rows(H, y) * y) # the first matrix gets the size that the step showed
  H[fresh, ] <- H[fresh, , drop = FALSE] * size[fresh]
  Hy <- times_rows(H, y)
  left <- rep(seq_len(d), d)
  right <- rep(seq_len(d), each = d)
  across <- Hy[, left, drop = FALSE] * s[, right, drop = FALSE]
  turned <- Hy[, right, drop = FALSE] * s[, left, drop = FALSE]
  long <- (1 + rowSums(y * Hy) / bend) / bend
  state$inverse[rows, ] <- H + long * s[, left, drop = FALSE] * s[, right, drop = FALSE] - (across + turned) / bend
  state$learnt[rows] <- TRUE
  state
}

# ---- the modes -------------------------------------------------------------------------------------------

# From the highest end of a search down: an end that no mode so far has within its normal law begins a mode.
distinct_modes <- function(density, search, variances, threads) {
  d <- ncol(search$points)
  left <- order(-search$log_density, seq_along(search$log_density))
  left <- left[search$log_density[left] > -Inf]
  modes <- list(points = matrix(0, 0, d), log_density = numeric(), roots = list(), count = integer(), edge = logical(),
                evaluations = 0)
  while (length(left) && length(modes$count) < 2L * most_found_modes) {
    first <- left[1]
    point <- search$points[first, ]
    curvature <- mode_curvature(density, point, diag(matrix(search$inverse[first, ], d)), variances, threads)
    near <- mode_holds(search, left, first, curvature$root)
    # an unfinished search is on its way and no mode
    if (curvature$smooth && search$settled[first]) {
      modes$points <- rbind(modes$points, point, deparse.level = 0)
      modes$log_density <- c(modes$log_density, search$log_density[first])
      modes$roots <- c(modes$roots, list(curvature$root))
      modes$count <- c(modes$count, sum(near))
      modes$edge <- c(modes$edge, curvature$edge)
    }
    modes$evaluations <- modes$evaluations + curvature$evaluations
    left <- left[!near]
  }
  modes$lost <- nrow(search$points) - sum(modes$count)
  heaviest_modes(modes)
}

# Whether the ends `left` of searches belong to the mode at `first`: they lie within a third of a standard deviation, or
# within its normal law at about the height that this law gives them, or are unfinished.
mode_holds <- function(search, left, first, root) {
  away <- sweep(search$points[left, , drop = FALSE], 2, search$points[first, ])
  d <- ncol(away)
  length2 <- colSums(backsolve(root, t(away), transpose = TRUE)^2)
  drop <- search$log_density[first] - search$log_density[left]
  fits <- abs(drop - length2 / 2) < 0.1 + length2 / 4
  length2 < 0.1 | ((fits | !search$settled[left]) & length2 < stats::qchisq(0.99, d))
}

# Where the log-density jumps by more within a short step, rounding has made the top.
most_jump <- 10

# The normal law that fits the log-density at a point: precision = the positive part of minus its Hessian + the squares
# of the gradient, which is 0 unless the point is at an edge. (At the edge of an exponential law this is its precision.)
# Directions without curvature get the spread of the starts. size [d]: variances that tell the length of differences; if
# they were far off, they are taken once more with those of the law.
mode_curvature <- function(density, point, size, variances, threads, steep = 1) {
  law <- point_law(density, point, size, variances, threads, steep)
  if (law$smooth) return(law)
  again <- point_law(density, point, colSums(law$root^2), variances, threads, steep)
  again$evaluations <- again$evaluations + law$evaluations
  again
}

point_law <- function(density, point, size, variances, threads, steep) {
  d <- length(point)
  h <- 0.05 * pmin(sqrt(pmax(size, 1e-20 * variances)), sqrt(variances))
  at <- rbind(point, t(point + diag(h, d)), t(point - diag(h, d)), deparse.level = 0)
  values <- density_values(density, at, threads)
  above <- 1L + seq_len(d)
  hessian <- (values$gradient[above, , drop = FALSE] - values$gradient[above + d, , drop = FALSE]) / (2 * h)
  one_sided <- values$log_density[above] == -Inf | values$log_density[above + d] == -Inf
  hessian[one_sided, ] <- 0
  hessian[, one_sided] <- 0
  law <- normal_law(-(hessian + t(hessian)) / 2, values$gradient[1, ] * steep, variances)
  jump <- abs(values$log_density[is.finite(values$log_density)] - values$log_density[1])
  list(root = law$root, edge = law$edge || any(one_sided), smooth = max(jump, 0) < most_jump,
       evaluations = values$evaluations)
}

# bend [d, d]: minus a Hessian. In units in which each column has curvature 1, where it has one.
normal_law <- function(bend, slope, variances) {
  d <- length(slope)
  size <- pmax(abs(diag(bend)), slope^2)
  unit <- ifelse(size * variances > 1e-10, 1 / sqrt(size), sqrt(variances))
  parts <- eigen(bend * outer(unit, unit), symmetric = TRUE)
  rounded <- tcrossprod(sweep(parts$vectors, 2, sqrt(pmax(parts$values, 0)), "*"))
  precision <- eigen(rounded + diag((slope * unit)^2, d), symmetric = TRUE)
  widest <- colSums(precision$vectors^2 * (variances / unit^2))
  flat <- precision$values < 1e-8 * precision$values[1] | precision$values <= 0
  variance <- ifelse(flat, pmax(widest, 1), 1 / precision$values)
  covariance <- tcrossprod(sweep(precision$vectors, 2, sqrt(variance), "*")) * outer(unit, unit)
  list(root = definite_root(covariance),
       edge = any(parts$values <= 0) || any(flat) || sum(slope * covariance %*% slope) > 0.1)
}

# The upper Cholesky factor, of the diagonal alone where the matrix is not definite in double precision.
definite_root <- function(covariance) {
  root <- cholesky(covariance)
  if (is.null(root)) diag(sqrt(diag(covariance)), nrow(covariance)) else root
}

# ---- ridges ----------------------------------------------------------------------------------------------

# Where the log-density grows without end, or until the budget is used up, as at the neck of a funnel, its top is no
# mode that holds mass. The mass lies along the paths of the searches. Points on the paths of the highest unfinished
# searches, each with the normal law that fits there, are kept if this law is among the heaviest.
ridge_paths <- 4L
points_a_path <- 16L
most_ridge_points <- 12L
least_ridge_mass <- exp(-7)

ridge_points <- function(density, search, variances, threads) {
  d <- ncol(search$points)
  ridge <- list(points = matrix(0, 0, d), roots = list(), log_density = numeric(), evaluations = 0)
  rows <- which(!search$settled & search$log_density > -Inf)
  rows <- utils::head(rows[order(-search$log_density[rows])], ridge_paths)
  for (row in rows) {
    path <- path_of(search, row)
    for (i in unique(round(seq(1, nrow(path$points), length.out = points_a_path)))) {
      law <- mode_curvature(density, path$points[i, ], path$size[i, ], variances, threads, 1 / sqrt(d))
      ridge$evaluations <- ridge$evaluations + law$evaluations
      if (!law$smooth) next
      ridge$points <- rbind(ridge$points, path$points[i, ])
      ridge$roots <- c(ridge$roots, list(law$root))
      ridge$log_density <- c(ridge$log_density, path$log_density[i])
    }
  }
  thin_ridge(ridge)
}

# The points of one search on its way, each once.
path_of <- function(search, row) {
  part <- function(name) {
    do.call(rbind, lapply(search$path, function(round) {
      at <- match(row, round$row)
      if (!is.na(at)) if (is.matrix(round[[name]])) round[[name]][at, ] else round[[name]][at]
    }))
  }
  points <- part("points")
  once <- !duplicated(points)
  list(points = points[once, , drop = FALSE], log_density = part("log_density")[once],
       size = part("size")[once, , drop = FALSE])
}

# The heaviest first, without those within the normal law of one that is kept.
thin_ridge <- function(ridge) {
  mass <- mode_log_mass(ridge)
  left <- order(-mass)
  left <- left[mass[left] > max(mass, -Inf) + log(least_ridge_mass)]
  kept <- integer()
  while (length(left) && length(kept) < most_ridge_points) {
    kept <- c(kept, left[1])
    away <- t(sweep(ridge$points[left, , drop = FALSE], 2, ridge$points[left[1], ]))
    left <- left[colSums(backsolve(ridge$roots[[left[1]]], away, transpose = TRUE)^2) > 1]
  }
  list(points = ridge$points[kept, , drop = FALSE], roots = ridge$roots[kept], log_density = ridge$log_density[kept],
       evaluations = ridge$evaluations)
}

# The log of the mass of the normal law that fits a mode, up to a constant.
mode_log_mass <- function(modes) {
  modes$log_density + vapply(modes$roots, function(root) sum(log(diag(root))), 0)
}

# A mode whose law has less mass than this, as a share of that of the heaviest mode inside the support, is left out.
least_mode_mass <- exp(-40)

heaviest_modes <- function(modes) {
  mass <- mode_log_mass(modes)
  proper <- if (any(!modes$edge)) !modes$edge else rep(TRUE, length(mass))
  kept <- order(-mass)
  kept <- kept[mass[kept] > max(mass[proper], -Inf) + log(least_mode_mass)]
  kept <- utils::head(kept, most_found_modes)
  modes$lost <- modes$lost + sum(modes$count) - sum(modes$count[kept])
  modes$points <- modes$points[kept, , drop = FALSE]
  modes$roots <- modes$roots[kept]
  for (part in c("log_density", "count", "edge")) modes[[part]] <- modes[[part]][kept]
  modes
}
