# The shares of the heavy cells of one coordinate of law_trees(), and of the rest (class 0), given the coordinates
# before.

# Base shares from regressions, and ratios in the leaves of trees. heavy [n]: the class of each row. NULL: all
# rows are in class 0.
fit_classes <- function(law, sample, j, heavy) {
  classes <- sort(unique(heavy))
  if (identical(classes, 0L)) return(NULL)
  class <- match(heavy, classes)
  one <- list(classes = classes, share = tabulate(class, length(classes)) / length(class))
  if (length(classes) == 1 || j == 1) return(one)
  one <- fit_base(one, law, sample, j, class)
  best <- NULL
  for (least in sort(law$min_leaf, decreasing = TRUE)) {
    trial <- choose_prior(one, sample, class, grow_classes(law, sample, j, class, one, least))
    if (is.null(best) || trial$value > best$value) best <- trial
    if (is.null(trial$forest)) break # smaller leaves hardly ever help where large ones do not
  }
  best$value <- NULL
  best
}

# The base is a mixture of the shares of all rows, of an ordered probit model and of logistic regressions, weighted by
# the likelihood of each row without itself. Of the probit model, the normal law is that of the ridge regression of the
# coordinate, which knows that neighbouring cells are alike.
fit_base <- function(one, law, sample, j, class) {
  none <- matrix(one$share, length(class), length(one$share), byrow = TRUE)
  one$own <- none
  if (!law$linear) return(one)
  line <- best_line(sample, j, seq_along(class), sample$points[, j])
  one$line <- c(line[c("slopes", "levels", "intercept")],
                list(middle = mean(line$response), spread = stats::sd(line$response)))
  one$ends <- heavy_ends(law$cells[[j]])
  one$logistic <- lapply(designs_before(sample, j), logistic_regression, class, one$share)
  own <- c(list(none, probit_shares(one, sample$points[, j] - line$response)), lapply(one$logistic, `[[`, "own"))
  at <- seq_along(class) + (class - 1L) * length(class)
  each <- vapply(own, function(shares) log(shares[at]), numeric(length(class)))
  weights <- converged_weights(pmax(each, -30))
  weights[weights < least_base_weight] <- 0
  one$weights <- weights / sum(weights)
  mixed <- Reduce(`+`, Map(`*`, own, one$weights))
  one$factors <- calibration_factors(mixed, one$share)
  one$own <- calibrated(mixed, one$factors)
  one$logistic <- lapply(one$logistic, function(of) of[c("slopes", "levels", "intercept")])
  one
}

# Factors of the classes that give the mean of the shares its right value, because column after column an error of the
# shares would add up.
calibration_factors <- function(shares, wanted, rounds = 20L) {
  .Call(C_pf_calibration_factors, shares, wanted, rounds, 1e-6)
}

calibrated <- function(shares, factors) to_shares(shares * rep(factors, each = nrow(shares)))

to_shares <- function(each) each / .rowSums(each, nrow(each), ncol(each))

# Parts of less weight are dropped, because each takes time.
least_base_weight <- 0.02

# Shares of the cells, and of the rest, under N(shift + middle, spread^2).
probit_shares <- function(one, shift) {
  mean <- shift + one$line$middle
  held <- one$classes[one$classes > 0]
  shares <- vapply(held, function(k) {
    exp(log_interval((one$ends[1, k] - mean) / one$line$spread, (one$ends[2, k] - mean) / one$line$spread))
  }, numeric(length(shift)))
  shares <- matrix(shares, length(shift))
  if (one$classes[1] == 0L) shares <- cbind(pmax(1 - rowSums(shares), 0), shares)
  to_shares(shares + 1e-9)
}

# Splits are judged by the residuals of the classes, each with variance 1: of more than four classes by random linear
# combinations of them, which are others for each tree.
grow_classes <- function(law, sample, j, class, one, least) {
  residual <- -one$own
  at <- cbind(seq_along(class), class)
  residual[at] <- residual[at] + 1
  residual <- sweep(residual, 2, sqrt(colMeans(residual^2)) + 1e-9, "/")
  classes <- ncol(residual)
  own <- classes > most_responses
  if (classes == 2) residual <- residual[, 1, drop = FALSE]
  if (own) residual <- residual %*% draw_normal(classes, most_responses * law$trees, trees_key, stream = j)
  grow_forest(sample$bins[, seq_len(j - 1), drop = FALSE], residual, seq_along(class), sample$bags, least,
              sample$cuts, list(of = class - 1L, expected = one$own), own)
}

most_responses <- 4L

# The number of rows by which the ratios of a leaf are drawn to 1 that has the largest out-of-bag likelihood. Without
# trees, if the base is better.
leaf_priors <- c(3, 10, 30, 100, 300)

choose_prior <- function(one, sample, class, grown) {
  some <- spaced_rows(length(class), most_rows_of_choice)
  own <- one$own[some, , drop = FALSE]
  class <- class[some]
  alone <- mean(log(own[cbind(seq_along(some), class)]))
  ratios <- lapply(leaf_priors, function(prior) leaf_ratios(grown, one$share, prior))
  shares <- .Call(C_pf_forest_own_shares, sample$points[some, , drop = FALSE], grown$forest, own,
                  do.call(cbind, ratios), length(ratios), class - 1L, sample$bags[some, , drop = FALSE],
                  thread_count())
  found <- colMeans(log(shares))
  best <- which.max(found)
  if (found[best] <= alone) return(c(one, list(value = alone)))
  c(one, list(forest = grown$forest, ratio = ratios[[best]], value = found[best]))
}

# Rows of each class over what is expected of it [classes, leaves].
leaf_ratios <- function(grown, share, prior) (grown$counts + prior * share) / (grown$sums + prior * share)

tree_shares <- function(one, points, base, bags, threads) {
  blocks <- in_blocks(nrow(points), 100 * length(one$forest$root) * 5, function(from, count) {
    list(value = .Call(C_pf_forest_shares, points, one$forest, base, one$ratio, bags, from, count, threads))
  })
  bind_blocks(blocks)$value
}

# Shares [rows, classes] at points; base: NULL, or the shares of the regression, which is one of the rows themselves.
class_shares <- function(one, points, settled, bags, threads, base = NULL) {
  if (is.null(base)) base <- base_shares(one, settled)
  if (is.null(one$forest)) base else tree_shares(one, points, base, bags, threads)
}

# The bits of a row do not depend on the other rows.
base_shares <- function(one, settled) {
  n <- nrow(settled)
  none <- matrix(one$share, n, length(one$share), byrow = TRUE)
  if (is.null(one$weights)) return(none)
  shares <- one$weights[1] * none
  if (one$weights[2] > 0) shares <- shares + one$weights[2] * probit_shares(one, linear_shift(one$line, settled))
  for (k in which(one$weights[-(1:2)] > 0)) {
    shares <- shares + one$weights[2 + k] * logistic_shares(one$logistic[[k]], settled)
  }
  calibrated(shares, one$factors)
}

logistic_shares <- function(of, settled) {
  softmax(matrix(vapply(seq_along(of$intercept), function(c) linear_shift(of, settled, c), numeric(nrow(settled))),
                 nrow(settled)))
}

# ---- logistic regression ---------------------------------------------------------------------------------

softmax <- function(eta) {
  largest <- do.call(pmax, lapply(seq_len(ncol(eta)), function(k) eta[, k]))
  to_shares(exp(eta - largest))
}

# Multinomial logistic regression on a design, see designs_before(): slopes [., classes], levels, intercept, and `own`,
# the shares of each row nearly as without this row. The ascent starts at the shares of the classes. The slopes are not
# drawn to 0 beyond the ridge: that gave no likelihood of held-out rows, and weakened the relations of new rows.
logistic_regression <- function(design, class, share, steps = 40L) {
  root_n <- sqrt(length(class))
  k <- design$columns
  of <- design$basis
  found <- .Call(C_pf_logistic, of$basis, k, class, log(share), steps, 1e-3 * root_n)
  slopes <- backsolve(of$root, found$along[-1, , drop = FALSE], k = k) / of$scale[seq_len(k)]
  c(named_slopes(slopes, design$terms),
    list(intercept = log(share) + found$along[1, ] / root_n - drop(of$centre[seq_len(k)] %*% slopes), own = found$own))
}
