# The adjustment before the flow: the mean and the standard deviation of each column of each group are brought to those
# of its reference rows. Differences are shrunk as far as chance explains them.

# One list(from, ratio, to) of vectors [p] per group; a row x becomes (x - from) * ratio + to. from: the mean of the
# group. design [groups, effects]: see effect_design().
adjust_groups <- function(points, groups, design, how) {
  p <- ncol(points)
  if (how == "none") return(lapply(groups, function(group) list(from = numeric(p), ratio = rep(1, p), to = numeric(p))))
  spread <- column_spread(points)
  stats <- lapply(groups, group_moments, points = points, spread = spread)
  shift <- shrink_shifts(stats, design)
  ratio <- if (how == "scale") shrink_ratios(stats, design) else matrix(1, p, length(groups))
  Map(function(one, j) {
    to <- goal_means(one, shift[, j], ratio[, j])
    list(from = one$own_mean * spread, ratio = ratio[, j], to = to * spread)
  }, stats, seq_along(stats))
}

# [p]: the mean of the moved rows. What the shrunk shift leaves of the difference of means is noise of the two means,
# with variances in the proportion ratio^2 / n_goal to 1 / n_own. The noise of the group's mean belongs to its rows and
# is scaled with them.
goal_means <- function(one, shift, ratio) {
  left <- one$goal_mean - one$own_mean - shift
  goal_part <- ratio^2 / one$n[["goal"]]
  own_part <- 1 / one$n[["own"]]
  one$goal_mean - left * (goal_part + ratio * own_part) / (goal_part + own_part)
}

# Sizes, means and variances of the rows of a group and of its reference rows, in units of `spread`. own_variance is
# NULL for one row.
group_moments <- function(group, points, spread) {
  own <- points[group$rows, , drop = FALSE]
  goal <- points[group$goal, , drop = FALSE]
  unit <- unname(spread)
  list(
    n = c(own = nrow(own), goal = nrow(goal)), own_mean = unname(colMeans(own)) / unit,
    goal_mean = unname(colMeans(goal)) / unit,
    own_variance = if (nrow(own) > 1) (unname(column_deviations(own)) / unit)^2,
    goal_variance = (unname(column_deviations(goal)) / unit)^2
  )
}

# [p, groups]: the shrunk differences of means. The sampling variance of a difference is averaged over columns. One row
# is taken to have the variance of the reference rows.
shrink_shifts <- function(stats, design) {
  raw <- vapply(stats, function(one) one$goal_mean - one$own_mean, stats[[1]]$goal_mean)
  noise <- vapply(stats, function(one) {
    own <- if (is.null(one$own_variance)) one$goal_variance else one$own_variance
    mean(own) / one$n[["own"]] + mean(one$goal_variance) / one$n[["goal"]]
  }, 0)
  shrink_effects(matrix(raw, ncol = length(stats)), noise, design)
}

# [p, groups]: the ratios of standard deviations. For n normal rows and m = (n - 1) / 2, the log of a standard deviation
# has the variance trigamma(m) / 4. The logs of the ratios are shrunk with this variance of the noise. One factor for
# all columns then gives the rows of the group the total variance of the reference rows. A column that is constant on
# one side keeps its scale.
shrink_ratios <- function(stats, design) {
  p <- length(stats[[1]]$goal_mean)
  raw <- matrix(vapply(stats, function(one) {
    if (is.null(one$own_variance)) return(rep(NaN, p))
    (log(one$goal_variance) - log(one$own_variance)) / 2
  }, numeric(p)), p)
  noise <- vapply(stats, function(one) if (one$n[["own"]] > 1) sum(trigamma((one$n - 1) / 2)) / 4 else Inf, 0)
  known <- is.finite(raw) # the column varies on both sides
  middle <- colSums(ifelse(known, raw, 0)) / pmax(colSums(known), 1)
  raw[!known] <- middle[col(raw)[!known]]
  log_ratio <- shrink_effects(raw, noise, design)
  log_ratio <- sweep(log_ratio, 2, colMeans(log_ratio)) # the level of all columns follows
  level <- vapply(seq_along(stats), function(j) {
    if (!any(known[, j])) return(NA_real_)
    at <- known[, j]
    log(sum(stats[[j]]$goal_variance[at]) / sum((stats[[j]]$own_variance * exp(2 * log_ratio[, j]))[at])) / 2
  }, 0)
  level <- borrow_levels(level, design)
  alone <- noise == Inf
  known[, alone] <- TRUE
  ifelse(known, exp(log_ratio + rep(level, each = p)), 1)
}

# Groups without a level of their own get the mean level of the groups with the same batch effects, or 0.
borrow_levels <- function(level, design) {
  for (j in which(is.na(level))) {
    same <- which(!is.na(level) & colSums(abs(t(design) - design[j, ])) == 0)
    level[j] <- if (length(same)) mean(level[same]) else 0
  }
  level
}

# raw [p, groups]: a difference of each column in each group, with the sampling variances noise [groups] (Inf: not
# measured). A difference is the sum of a value that all columns of the group share, of effects of its batches on the
# column (design), of a rest of the group, and of noise. Over the columns, effects and rests have mean 0 and variances
# that are estimated by moments. Each is shrunk by variance / (variance + sampling variance).
shrink_effects <- function(raw, noise, design) {
  shared <- ifelse(noise < Inf, colMeans(raw), 0)
  raw <- sweep(raw, 2, shared)
  raw[, noise == Inf] <- 0
  rest <- rest_variance(raw, noise, design)
  found <- batch_effects(raw, 1 / (noise + rest), design)
  sampling <- diag(found$covariance)
  between <- pmax(0, colSums(found$effects^2) / max(1, nrow(raw) - 1) - sampling)
  fitted <- found$effects %*% t(found$design)
  kept <- found$effects %*% (between / (between + sampling) * t(found$design))
  sweep(kept + sweep(raw - fitted, 2, rest / (rest + noise), "*"), 2, shared, "+")
}

# Weighted least squares of each row of raw [p, groups] on the design: effects [p, q], their covariance [q, q], and the
# columns of the design that can be told apart.
batch_effects <- function(raw, weight, design) {
  fit <- qr(sqrt(weight) * design)
  design <- design[, fit$pivot[seq_len(fit$rank)], drop = FALSE]
  covariance <- if (fit$rank) solve(crossprod(design, weight * design)) else matrix(0, 0, 0)
  list(effects = raw %*% (weight * design) %*% covariance, covariance = covariance, design = design)
}

# The variance of the rests over the columns. With weights w = 1 / noise and P = W - W Z (Z'WZ)^-1 Z'W, the weighted sum
# of squares about the fit has the mean (groups - effects) + variance * trace(P) over the columns.
rest_variance <- function(raw, noise, design) {
  weight <- 1 / noise
  found <- batch_effects(raw, weight, design)
  df <- sum(weight > 0) - ncol(found$design)
  if (df < 1) return(0)
  about <- raw - found$effects %*% t(found$design)
  squares <- sum(about^2 %*% weight) / max(1, nrow(raw) - 1)
  trace <- sum(weight) - sum(diag(found$covariance %*% crossprod(found$design, weight^2 * found$design)))
  max(0, (squares - df) / trace)
}

# [groups, effects] of 0 and 1: which batch effects a group has. parts: a data frame of the values of several batch
# variables, whose row names are the batches; NULL for one variable.
effect_design <- function(groups, parts, reference) {
  batch <- vapply(groups, `[[`, "", "batch")
  if (is.null(parts)) return(outer(unname(batch), unique(batch), `==`) + 0)
  do.call(cbind, lapply(parts, function(values) {
    own <- values[match(batch, row.names(parts))]
    usual <- values[match(reference, row.names(parts))]
    outer(own, setdiff(unique(own), usual), `==`) + 0
  }))
}

apply_adjustment <- function(points, adjustment) {
  each <- function(values) rep(unname(values), each = nrow(points))
  over_columns(points, function(part, at) {
    (part - each(adjustment$from[at])) * each(adjustment$ratio[at]) + each(adjustment$to[at])
  })
}
