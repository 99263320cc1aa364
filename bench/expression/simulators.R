# Simulators of counts: fitted rows [n, p], their classes, the classes of the rows wanted, a seed -> new rows.

ours <- function(balanced) function(x, group, wanted, seed) {
  grouped <- nlevels(group) > 1
  fit <- synthesise(x, group = if (grouped) group, counts = TRUE, quiet = TRUE)
  how_many <- if (grouped) c(table(wanted)) else length(wanted)
  matrix(as.vector(simulate(fit, how_many, seed = seed, balanced = balanced)), length(wanted))
}

# For each class of `wanted` in turn, `draw` gets the fitted rows of this class and the number of rows.
by_class <- function(x, group, wanted, seed, draw) {
  set.seed(seed)
  parts <- lapply(levels(wanted), function(class) draw(x[group == class, , drop = FALSE], sum(wanted == class)))
  do.call(rbind, parts)
}

# Genes are independent and negative binomial by moments, given a library size that is drawn from those of the class.
# Splatter and compcodeR draw like this, but from hyperparameters in place of the moments of each gene.
negative_binomial <- function(x, n) {
  size <- rowSums(x)
  rate <- colSums(x) / sum(size)
  mu <- outer(size, rate)
  phi <- pmax((colSums((x - mu)^2) * nrow(x) / (nrow(x) - 1) - colSums(mu)) / colSums(mu^2), 1e-6)
  phi[!is.finite(phi)] <- 1e-6
  drawn <- outer(size[sample.int(length(size), n, TRUE)], rate)
  matrix(stats::rnbinom(length(drawn), mu = drawn, size = rep(1 / phi, each = n)), n)
}

# The Gaussian with the mean and the sample covariance of log(1 + count), back to whole numbers.
gaussian_logs <- function(x, n) {
  logs <- log1p(x)
  centre <- colMeans(logs)
  noise <- matrix(stats::rnorm(n * nrow(x)), n) %*% sweep(logs, 2, centre) / sqrt(nrow(x) - 1)
  round(pmax(expm1(noise + rep(centre, each = n)), 0))
}

# SimSeq (Benidt and Nettleton 2015) makes two groups by subsampling the columns of real counts.
subsampled <- function(x, group, wanted, seed) {
  if (nlevels(group) != 2) stop("needs two groups")
  set.seed(seed)
  k <- min(table(group) %/% 2, table(wanted))
  norm <- rowSums(x) / stats::median(rowSums(x))
  found <- SimSeq::SimData(counts = t(x), treatment = group, sort.method = "unpaired", k.ind = k, n.genes = ncol(x) - 1,
                           n.diff = ncol(x) %/% 5, norm.factors = norm, power = 0.5)
  new <- matrix(0, ncol(found$counts), ncol(x))
  new[, found$genes.subset] <- t(found$counts)
  new
}

# seqgendiff (Gerard 2020) keeps each count of real samples with a probability, here 2^(-1/2).
thinned <- function(x, n) {
  rows <- sample.int(nrow(x), n, replace = n > nrow(x))
  t(seqgendiff::thin_all(t(x[rows, , drop = FALSE]), thinlog2 = 0.5)$mat)
}

simulators <- list(
  particleflow = ours(TRUE),
  independent = ours(FALSE),
  negative_binomial = function(x, group, wanted, seed) by_class(x, group, wanted, seed, negative_binomial),
  gaussian = function(x, group, wanted, seed) by_class(x, group, wanted, seed, gaussian_logs),
  simseq = subsampled,
  seqgendiff = function(x, group, wanted, seed) by_class(x, group, wanted, seed, thinned),
  copies = function(x, group, wanted, seed) {
    by_class(x, group, wanted, seed, function(x, n) x[sample.int(nrow(x), n, replace = n > nrow(x)), , drop = FALSE])
  }
)
