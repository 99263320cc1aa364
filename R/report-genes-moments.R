# Means, variances, zeros and dispersions of the genes in many sets of samples, in one pass over the genes.

# list(mean, deviation, zeros, dispersion), each [sets, genes]; zeros and dispersion are NULL where they do not apply.
# sets: a list of numbers of samples. Sums over sets are products with a matrix of zeros and ones, [samples, sets].
gene_moments <- function(tables, sets) {
  n <- sum(lengths(tables$rows))
  member <- vapply(sets, function(set) tabulate(set, n), numeric(n))
  blocks <- column_blocks(tables$p, n)
  parts <- lapply(blocks, function(at) block_moments(gene_block(tables, at), tables, member))
  bind <- function(name) without_noise(do.call(cbind, lapply(parts, `[[`, name)))
  list(mean = bind("mean"), deviation = bind("deviation"), zeros = bind("zeros"), dispersion = bind("dispersion"))
}

# Values that are equal but for rounding must be equal, because a Kolmogorov-Smirnov distance sees any difference: all
# values are rounded to the same number of digits, nine at the largest value.
without_noise <- function(x) {
  if (is.null(x)) return(NULL)
  largest <- max(abs(x[is.finite(x)]), 0)
  if (largest > 0) round(x, 9 - ceiling(log10(largest))) else x
}

# Variances below this share of the mean square are rounding.
variance_noise <- 1e-12

block_moments <- function(block, tables, member) {
  size <- colSums(member)
  judged <- judged_values(block, tables)
  centre <- colMeans(judged)
  judged <- sweep(judged, 2, centre) # because squares of large values would lose digits
  shifted <- crossprod(member, judged) / size
  squares <- crossprod(member, judged^2)
  apart <- squares - size * shifted^2
  apart[apart < variance_noise * squares] <- 0
  list(
    mean = sweep(shifted, 2, centre, "+"),
    deviation = sqrt(apart / (size - 1)),
    zeros = if (has_zeros(tables)) crossprod(member, block == 0) / size,
    dispersion = if (tables$counts) block_dispersion(block, tables, member)
  )
}

# Zeros are a property of counts, and of values if at least one in a hundred is 0.
has_zeros <- function(tables) tables$counts || mean(tables$zeros[tables$rows$real]) > 0.01

# The square root of the dispersion f of a negative binomial law, by moments: E(x - s r)^2 = s r + f s^2 r^2 for the
# library size s and the rate r of a gene. NaN for genes without counts.
block_dispersion <- function(block, tables, member) {
  n <- colSums(member)
  size <- tables$size / tables$depth
  sizes <- drop(crossprod(member, size))
  sizes2 <- drop(crossprod(member, size^2))
  rate <- crossprod(member, block) / sizes
  squares <- crossprod(member, block^2) - 2 * rate * crossprod(member, block * size) + rate^2 * sizes2
  sqrt(pmax(squares * n / (n - 1) - rate * sizes, 0) / (rate^2 * sizes2))
}

# The standard deviation that goes with each mean: medians of both in 50 bins of as many genes each, and lines between.
variance_trend <- function(mean, deviation) {
  bin <- ceiling(50 * rank(mean, ties.method = "first") / length(mean))
  at <- tapply(mean, bin, stats::median)
  height <- tapply(deviation, bin, stats::median)
  once <- !duplicated(at)
  list(at = as.vector(at)[once], height = as.vector(height)[once])
}

on_trend <- function(trend, mean) {
  if (length(trend$at) < 2) return(rep(trend$height, length(mean)))
  stats::approx(trend$at, trend$height, mean, rule = 2)$y
}
