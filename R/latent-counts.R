# The latent map of counts: negative binomial margins given the library size of the row, then normal scores.

#' @rdname latent_map
#' @export
latent_counts <- function() new_latent("counts", fit_counts)

# A fitted map. rate, dispersion, batches, norm: see latent-counts-rates.R. inner: the map of latent_genes() for the
# scores of the genes [n, p] and, as the last column, the logarithm of the library size.
fit_counts <- function(x, group = NULL, batch = NULL) {
  check_counts(x)
  by_group <- !is.null(group)
  if (!by_group) group <- factor(rep("all", nrow(x)))
  size <- rowSums(x)
  check_sizes(size)
  model <- if (is.null(batch)) fit_count_rates(x, size, group) else fit_count_batches(x, size, group, batch)
  cells <- count_cells(model, x, size, as.integer(group), batch)
  scores <- settle_counts(cells$scores, cells$low, cells$high)
  inner <- fit_genes(cbind(scores, log(size)), if (by_group) group, batch)
  new_fitted_latent(
    "counts", "counts", inner$dim, rate = model$rate, dispersion = model$dispersion, batches = model$batches,
    norm = model$norm, inner = inner, levels = levels(group), by_group = by_group, columns = colnames(x),
    trained = inner$trained, sizes = range(size),
    description = sprintf("counts of %d columns given the library size%s, all %d components", ncol(x),
                          sub("^ ", ", ", within_what(by_group, !is.null(batch))), inner$dim),
    explained = inner$explained
  )
}

check_counts <- function(x) {
  bad <- which(x < 0 | x != floor(x))
  if (!length(bad)) return(invisible())
  fail("latent_counts() needs counts, which are whole numbers of at least 0, but %s.",
       if (length(bad) == 1) sprintf("the value %s is not one", format(x[bad]))
       else sprintf("%d values are not, such as %s", length(bad), format(x[bad[1]])))
}

check_sizes <- function(size) {
  empty <- which(size == 0)
  if (!length(empty)) return(invisible())
  fail("The library size, which is the sum of a row, must be above 0, but it is 0 in row %s.", some(empty))
}

# Of counts [n, p], each [n, p]: the ends of their cells, low = Phi^-1(F(x - 1)) and high = Phi^-1(F(x)), and scores
# that are uniform within, Phi^-1(F(x - 1) + U P(x)). Counts below their mean are scored by the lower tail, and the
# others by the upper tail, because the smaller tail has all its digits.
count_cells <- function(model, x, size, row, batch = NULL) {
  low <- high <- scores <- matrix(0, nrow(x), ncol(x))
  blocks <- column_blocks(ncol(x), nrow(x))
  for (i in seq_along(blocks)) {
    at <- blocks[[i]]
    mu <- count_means(model, size, row, batch, at)
    shape <- rep(1 / model$dispersion[at], each = nrow(x))
    values <- x[, at, drop = FALSE]
    uniform <- draw_uniform(nrow(x), length(at), c(count_key, i))
    parts <- list(low = mu, high = mu, scores = mu)
    for (lower in c(TRUE, FALSE)) {
      some <- which((values < mu) == lower)
      found <- tail_scores(values[some], shape[some], mu[some], uniform[some], lower)
      for (name in names(parts)) parts[[name]][some] <- found[[name]]
    }
    low[, at] <- parts$low
    high[, at] <- parts$high
    scores[, at] <- parts$scores
  }
  list(scores = scores, low = low, high = high)
}

# The same for vectors of counts, by their lower or their upper tails.
tail_scores <- function(x, shape, mu, uniform, lower) {
  tail <- log_zero(mu, shape) # of F(0)
  tail <- if (lower) exp(tail) else -expm1(tail)
  mass <- if (lower) tail else 1 - tail
  some <- which(x > 0)
  tail[some] <- stats::pnbinom(x[some], shape[some], mu = mu[some], lower.tail = lower)
  mass[some] <- stats::dnbinom(x[some], shape[some], mu = mu[some])
  score <- function(part) stats::qnorm(pmin(pmax(tail + part * mass, least_tail), 1), lower.tail = lower)
  ends <- if (lower) list(low = -1, high = 0, scores = uniform - 1) else list(low = 1, high = 0, scores = 1 - uniform)
  found <- lapply(ends, score)
  lapply(found, function(z) pmin(pmax(z, -most_score), most_score))
}

# The logarithm of the probability of the count 0.
log_zero <- function(mu, shape) -shape * log1p(mu / shape)

# The least probability of a tail, and its score.
least_tail <- 1e-300
most_score <- -stats::qnorm(least_tail)

count_key <- 2019L

# The counts [m, p] at the scores [m, p]. effect: see each_effect(); here means are multiplied.
count_values <- function(model, scores, size, row, batch, effect) {
  counts <- matrix(0, nrow(scores), ncol(scores))
  for (at in column_blocks(ncol(scores), nrow(scores))) {
    mu <- count_means(model, size, row, batch, at)
    if (!is.null(effect)) mu <- each_effect(mu, effect, at, function(mean, change) mean * 2^change)
    shape <- rep(1 / model$dispersion[at], each = nrow(scores))
    z <- scores[, at, drop = FALSE]
    part <- matrix(0, nrow(scores), length(at))
    for (lower in c(TRUE, FALSE)) {
      tail <- pmax(stats::pnorm(z, lower.tail = lower), least_tail)
      zero <- exp(log_zero(mu, shape))
      some <- which((z < 0) == lower & if (lower) tail > zero else tail < 1 - zero)
      part[some] <- count_quantiles(tail[some], shape[some], mu[some], lower)
    }
    counts[, at] <- part
  }
  counts
}

# The negative binomial counts with the probabilities p up to them (lower), or above them. For means above
# most_exact_mean they are those of the gamma law with the same mean mu and the same variance mu + mu^2 / shape,
# rounded, because qnbinom() ends at 2^31 - 1.
count_quantiles <- function(p, shape, mu, lower) {
  counts <- numeric(length(mu))
  large <- mu > most_exact_mean
  wide <- large | mu > most_searched * shape
  counts[!wide] <- stats::qnbinom(p[!wide], shape[!wide], mu = mu[!wide], lower.tail = lower)
  spread <- 1 + mu[wide] / shape[wide]
  counts[wide] <- round(stats::qgamma(p[wide], mu[wide] / spread, scale = spread, lower.tail = lower))
  near <- wide & !large
  counts[near] <- corrected_quantiles(counts[near], p[near], shape[near], mu[near], lower)
  counts
}

# qnbinom() searches step by step from a normal quantile. Where the mean is more than this many times the shape, the
# quantile of the gamma law is so much nearer that corrected_quantiles() takes a tenth of the time.
most_searched <- 20

# The exact quantiles from near ones x, by steps of (p - F(x)) / P(x), rounded up. A count is right if the step is in
# (-1, 0]. What is not right after ten steps is left to qnbinom().
corrected_quantiles <- function(x, p, shape, mu, lower) {
  left <- seq_along(x)
  for (round in 1:10) {
    tail <- stats::pnbinom(x[left], shape[left], mu = mu[left], lower.tail = lower)
    gap <- if (lower) p[left] - tail else tail - p[left]
    step <- ceiling(gap / stats::dnbinom(x[left], shape[left], mu = mu[left]))
    known <- is.finite(step)
    x[left[known]] <- pmax(x[left[known]] + step[known], 0)
    left <- left[!known | step != 0]
    if (!length(left)) return(x)
  }
  x[left] <- stats::qnbinom(p[left], shape[left], mu = mu[left], lower.tail = lower)
  x
}

most_exact_mean <- 1e5

# The library sizes of the negative binomial laws under which the counts at these scores have the sums `size`. The
# scores of a row of the table belong to counts with the sum of this row, but drawn scores know it only in the mean.
nominal_sizes <- function(model, scores, size, row, batch, rounds = 2L) {
  nominal <- size
  for (round in seq_len(rounds)) {
    sums <- rowSums(count_values(model, scores, nominal, row, batch, NULL))
    nominal <- nominal * pmin(pmax(size / pmax(sums, 1), 0.1), 10)
  }
  nominal
}

#' @export
latent_encode.latent_counts <- function(map, x, group = NULL, batch = NULL, ...) {
  check_counts(x)
  size <- rowSums(x)
  check_sizes(size)
  scores <- count_cells(map, unname(x), size, class_row(map, group, nrow(x)), batch)$scores
  latent_encode(map$inner, cbind(scores, log(size)), group, batch)
}

# library_size: one number, or one number per row, in place of the sizes of the law. sets: see margins_of_sets().
#' @export
latent_decode.latent_counts <- function(map, z, group = NULL, batch = NULL, effect = NULL, library_size = NULL,
                                        sets = NULL, ...) {
  scores <- latent_decode(map$inner, z, group, batch, sets = sets)
  last <- ncol(scores)
  size <- if (is.null(library_size)) round(exp(scores[, last])) else rep_len(library_size, nrow(z))
  scores <- scores[, -last, drop = FALSE]
  row <- class_row(map, group, nrow(z))
  nominal <- nominal_sizes(map, scores, size, row, batch)
  counts <- count_values(map, scores, nominal, row, batch, effect)
  if (!is.null(map$columns)) colnames(counts) <- map$columns
  counts
}
