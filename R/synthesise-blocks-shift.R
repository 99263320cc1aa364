# What the earlier rows of a block say about the scores of its next row: the linear part of the law of successive rows.

# The middle of each cell [n, d], by probability. A score without a cell is its own middle; that of a missing value is
# 0.
cell_middles <- function(low, high) {
  if (!length(low)) return(low) # pnorm() would drop the dimensions
  middle <- stats::qnorm((stats::pnorm(low) + stats::pnorm(high)) / 2)
  same <- low == high
  middle[same] <- low[same]
  middle
}

is_whole_line <- function(low, high) low <= -largest_score & high >= largest_score

# The linear model of the scores of a row given the earlier rows of its block, in two stages. First, each varying score
# has a mean, which depends on the constant scores, the number of the row, and their products. Second, the scores of the
# next row depend on the deviations from it in the row before, and on their predicted block effects: with k earlier rows
# and the correlation r within blocks, k r / (1 + (k - 1) r) times their mean. constant, varying [n, .]: middles. known
# [n, .]: which of the varying are known. next: rows with an earlier one. aims [next, q]: scores of these rows, NA if
# missing.
fit_shift <- function(constant, varying, known, block, number, aims, following) {
  model <- list(dummies = which(tabulate(number) >= least_rows_of_number), centre = mean(number))
  start <- shift_design(model, constant, number)
  model$mean <- fit_ridge(start, varying, known)$model
  deviations <- known * (varying - predict_ridge(model$mean, start))
  model$correlation <- block_correlations(deviations, known, block)
  features <- shift_features(model, start, deviations, block_history(deviations, known, block), following)
  told <- !is.na(aims)
  step <- fit_ridge(features, aims, told)
  model$step <- step$model
  model$scale <- sqrt(colMeans(step$residual^2, na.rm = TRUE))
  model$scale[is.nan(model$scale)] <- 1
  fitted <- shift <- predict_ridge(model$step, features)
  used <- !is.na(step$residual)
  shift[used] <- (aims - step$residual)[used]
  list(model = model, shift = shift, fitted = fitted, error = sqrt(colMeans(step$left_out^2, na.rm = TRUE)))
}

# The same for aims with cells [low, high]. They are drawn within the cells given the linear model, which is then fitted
# anew. Returns the drawn aims, too.
settle_shift <- function(constant, varying, known, block, number, aims, low, high, following) {
  fit <- function() fit_shift(constant, varying, known, block, number, aims, following)
  found <- fit()
  wide <- which(colSums(!is.na(aims) & stats::pnorm(high) - stats::pnorm(low) > narrow_cell) > 0)
  for (round in seq_len(if (length(wide)) shift_rounds else 0L)) {
    u <- draw_uniform(nrow(aims), ncol(aims), c(shift_key, round))
    for (j in wide) {
      rows <- which(!is.na(aims[, j]) & high[, j] > low[, j])
      mean <- found$fitted[rows, j]
      scale <- found$model$scale[j]
      z <- mean + scale * truncated_normal((low[rows, j] - mean) / scale, (high[rows, j] - mean) / scale, u[rows, j])
      aims[rows, j] <- as_normal(z, low[rows, j], high[rows, j])
    }
    found <- fit()
  }
  c(found, list(aims = aims))
}

shift_rounds <- 10L
shift_key <- 1818L

# Scores in cells of less probability than this are not drawn anew.
narrow_cell <- 0.02

# A row number has a mean of its own if at least this many blocks have it.
least_rows_of_number <- 10L

shift_design <- function(model, constant, number) {
  cbind(constant, constant * (number - model$centre), log(number), number, outer(number, model$dummies, `==`) * 1)
}

# Sums of the deviations of the rows before each row, and how many of them are known.
block_history <- function(deviations, known, block) {
  before <- function(x) {
    x <- x * 1
    total <- apply(x, 2, cumsum)
    total - total[match(block, block), , drop = FALSE] + x[match(block, block), , drop = FALSE] - x
  }
  list(sum = before(deviations), count = before(known))
}

# [rows, .]: the features of the rows `rows`, whose earlier row is the one above.
shift_features <- function(model, start, deviations, history, rows) {
  effect <- block_effects(history$sum[rows, , drop = FALSE], history$count[rows, , drop = FALSE], model$correlation)
  cbind(start[rows, , drop = FALSE], deviations[rows - 1L, , drop = FALSE], effect)
}

block_effects <- function(sum, count, correlation) {
  r <- rep(correlation, each = nrow(sum))
  r * sum / (1 + (count - 1) * r)
}

# [p]: the intraclass correlation of each column by the analysis of variance of one way, between `least` and `most`.
block_correlations <- function(x, known, block) {
  vapply(seq_len(ncol(x)), function(j) {
    rows <- which(known[, j])
    intraclass(x[rows, j], block[rows])
  }, 0)
}

intraclass <- function(x, block, most = 0.99, least = 0) {
  block <- match(block, unique(block))
  size <- tabulate(block)
  k <- length(size)
  n <- length(x)
  if (k < 2 || n <= k) return(0)
  mean <- rowsum(x, block)[, 1] / size
  between <- sum(size * (mean - mean(x))^2) / (k - 1)
  within <- sum((x - mean[block])^2) / (n - k)
  each <- (n - sum(size^2) / n) / (k - 1)
  r <- (between - within) / (between + (each - 1) * within)
  if (is.finite(r)) min(max(r, least), most) else 0
}

# Ridge regressions of the columns of y on x, whose penalty makes the squared errors of left-out rows least. known:
# which of y are known; a column with few known rows gets the model 0. Returns model; left_out [n, q], the errors of
# each row by the regression without it; and residual [n, q], which have the variance of the errors. Both are NA if y is
# not known.
fit_ridge <- function(x, y, known) {
  centre <- colMeans(x)
  spread <- sqrt(colMeans(sweep(x, 2, centre)^2))
  spread[spread < 1e-8] <- Inf
  x <- sweep(sweep(x, 2, centre), 2, spread, "/")
  coefficients <- matrix(0, ncol(x) + 1, ncol(y))
  left_out <- residual <- matrix(NA_real_, nrow(y), ncol(y))
  for (pattern in split(seq_len(ncol(y)), apply(known, 2, function(one) paste(which(!one), collapse = " ")))) {
    rows <- which(known[, pattern[1]])
    if (length(rows) < least_rows_of_fit) next
    found <- ridge_columns(x[rows, , drop = FALSE], y[rows, pattern, drop = FALSE])
    coefficients[, pattern] <- found$coefficients
    left_out[rows, pattern] <- found$left_out
    residual[rows, pattern] <- found$residual
  }
  list(model = list(centre = centre, spread = spread, coefficients = coefficients), left_out = left_out,
       residual = residual)
}

least_rows_of_fit <- 5L

ridge_penalties <- c(0.5, 2, 8, 32, 128, 512, 2048, 8192)

ridge_columns <- function(x, y) {
  n <- nrow(x)
  middle <- colMeans(x)
  level <- colMeans(y)
  y <- sweep(y, 2, level)
  parts <- svd(sweep(x, 2, middle))
  turned <- crossprod(parts$u, y)
  left <- lapply(ridge_penalties, function(penalty) {
    1 - pmin(drop(parts$u^2 %*% (parts$d^2 / (parts$d^2 + penalty))) + 1 / n, 0.99)
  })
  residual <- lapply(ridge_penalties, function(penalty) y - parts$u %*% (parts$d^2 / (parts$d^2 + penalty) * turned))
  error <- matrix(mapply(function(e, free) colSums((e / free)^2), residual, left), ncol(y))
  best <- max.col(-error, ties.method = "last")
  slopes <- matrix(vapply(seq_along(best), function(k) {
    drop(parts$v %*% (parts$d / (parts$d^2 + ridge_penalties[best[k]]) * turned[, k]))
  }, numeric(ncol(x))), ncol(x))
  each <- function(power) {
    matrix(vapply(seq_along(best), function(k) residual[[best[k]]][, k] / left[[best[k]]]^power, numeric(n)), n)
  }
  list(coefficients = rbind(level - drop(middle %*% slopes), slopes), left_out = each(1), residual = each(0.5))
}

predict_ridge <- function(model, x) {
  x <- sweep(sweep(x, 2, model$centre), 2, model$spread, "/")
  sweep(x %*% model$coefficients[-1, , drop = FALSE], 2, model$coefficients[1, ], "+")
}
