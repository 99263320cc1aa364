# The law of counts given the library size: negative binomial with the mean size * rate, and factors of batches.
#   rate [K, p]: the expected share of each gene in the library size, by class; dispersion [p]
#   batches [B + 1, p]: the factors of batches, and norm [K, B + 1], the sums of rate * factor over the genes, by which
#   the shares are divided; NULL without batches

fit_count_rates <- function(x, size, group) {
  row <- as.integer(group)
  total <- as.vector(rowsum(size, row, reorder = TRUE))
  model <- list(rate = unname(rowsum(x, row, reorder = TRUE)) / total)
  model$dispersion <- count_dispersion(model, x, size, row, NULL, nrow(x) / max(nrow(x) - nlevels(group), 1))
  model
}

# The rates and the factors of the mean size * rate * factor of counts, by the likelihood of the Poisson law. The
# logarithms of the factors have the mean 0 over the library sizes, and are shrunk by max(0, 1 - 1/F), where F is the
# mean over the batches of (total - expected)^2 / variance, for the totals that are expected without factors.
fit_count_batches <- function(x, size, group, batch) {
  batch_design(group, batch)
  row <- as.integer(group)
  cells <- function(values) unclass(unname(tapply(values, list(group, batch), sum, default = 0)))
  sizes <- cells(size)
  by_class <- unname(rowsum(x, row, reorder = TRUE))
  by_batch <- unname(rowsum(x, as.integer(batch), reorder = TRUE))
  factors <- poisson_factors(by_class, by_batch, sizes)
  spare <- nrow(x) / (nrow(x) - nlevels(group) - nlevels(batch) + 1)
  model <- with_factors(factors, by_class, sizes)
  dispersion <- count_dispersion(model, x, size, row, batch, spare)
  plain <- by_class / rowSums(sizes)
  expected <- crossprod(sizes, plain)
  # the variance is that about the fitted means, because under large factors that about `expected` is far larger
  fitted <- crossprod(sizes, model$rate) * factors
  variance <- fitted + rep(dispersion, each = nrow(fitted)) * crossprod(cells(size^2), model$rate^2) * factors^2
  ratio <- colSums(ifelse(variance > 0, (by_batch - expected)^2 / variance, 0)) / (nlevels(batch) - 1)
  model <- with_factors(factors^rep(pmax(0, 1 - 1 / ratio), each = nrow(factors)), by_class, sizes)
  model$dispersion <- count_dispersion(model, x, size, row, batch, spare)
  model
}

# Factors [B, p] by iterative proportional fitting. Half a count is added, so that no logarithm is infinite. by_class
# [K, p] and by_batch [B, p]: the totals of the counts; sizes [K, B]: those of the library sizes.
poisson_factors <- function(by_class, by_batch, sizes) {
  rate <- by_class / rowSums(sizes)
  for (i in seq_len(count_rounds)) {
    factors <- (by_batch + 0.5) / (crossprod(sizes, rate) + 0.5)
    rate <- by_class / (sizes %*% factors)
  }
  logs <- log(factors)
  exp(logs - rep(colSums(logs * colSums(sizes)) / sum(sizes), each = nrow(logs)))
}

count_rounds <- 20L

with_factors <- function(factors, by_class, sizes) {
  model <- list(rate = by_class / (sizes %*% factors), batches = rbind(factors, 1))
  model$norm <- tcrossprod(model$rate, model$batches)
  model
}

# The expected counts [m, at] of rows with these library sizes, classes and batches.
count_means <- function(model, size, row, batch, at) {
  mu <- size * model$rate[row, at, drop = FALSE]
  if (is.null(model$batches)) return(mu)
  from <- batch_row(model$batches, batch, length(row))
  mu * model$batches[from, at, drop = FALSE] / model$norm[cbind(row, from)]
}

# [p]: phi of the variance mu + phi mu^2, within classes and batches. spare: the rows over the degrees of freedom.
count_dispersion <- function(model, x, size, row, batch, spare) {
  found <- numeric(ncol(x))
  for (at in column_blocks(ncol(x), nrow(x))) {
    part <- x[, at, drop = FALSE]
    mu <- count_means(model, size, row, batch, at)
    phi <- (spare * colSums((part - mu)^2) - colSums(mu)) / colSums(mu^2) # by moments
    phi[!is.finite(phi)] <- 0
    phi <- pmin(pmax(phi, least_dispersion), most_dispersion)
    zeros <- colMeans(part == 0)
    some <- which(zeros >= least_zeros & zeros < 1 & colSums(part > 0) > 1)
    phi[some] <- zero_dispersion(mu[, some, drop = FALSE], zeros[some])
    found[at] <- phi
  }
  found
}

# phi for which the law expects the share of zeros that there is: the mean over the rows of (1 + phi mu)^(-1/phi), by
# bisection. Where a good part of the counts is 0, a moment says little about phi, because few large counts make it.
zero_dispersion <- function(mu, zeros) {
  low <- rep(log(least_dispersion), length(zeros))
  high <- rep(log(most_dispersion), length(zeros))
  for (step in seq_len(dispersion_steps)) {
    middle <- (low + high) / 2
    phi <- rep(exp(middle), each = nrow(mu))
    more <- colMeans(exp(-log1p(mu * phi) / phi)) < zeros
    low[more] <- middle[more]
    high[!more] <- middle[!more]
  }
  exp((low + high) / 2)
}

least_zeros <- 0.05
dispersion_steps <- 20L

# With the first, the negative binomial law is the Poisson law to all digits that matter. The second allows one count
# in a thousand rows.
least_dispersion <- 1e-7
most_dispersion <- 1e4
