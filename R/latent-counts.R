# The latent map of counts: negative binomial margins given the library size of the row, then normal scores.

#' @rdname latent_map
#' @export
latent_counts <- function() new_latent("counts", fit_counts)

# A fitted map. rate [K, p]: the expected share of each gene in the library size, by class. dispersion [p]. inner: the
# map of latent_genes() for the scores of the genes [n, p] and, as the last column, the logarithm of the library size.
fit_counts <- function(x, group = NULL) {
  check_counts(x)
  by_group <- !is.null(group)
  if (!by_group) group <- factor(rep("all", nrow(x)))
  size <- rowSums(x)
  check_sizes(size)
  total <- as.vector(rowsum(size, as.integer(group), reorder = TRUE))
  rate <- unname(rowsum(x, as.integer(group), reorder = TRUE)) / total
  dispersion <- moment_dispersion(x, size, rate, group)
  model <- list(rate = rate, dispersion = dispersion, levels = levels(group), by_group = by_group)
  cells <- count_cells(model, x, size, as.integer(group))
  scores <- settle_counts(cells$scores, cells$low, cells$high)
  inner <- fit_genes(cbind(scores, log(size)), if (by_group) group)
  new_fitted_latent(
    "counts", "counts", inner$dim, rate = rate, dispersion = dispersion, inner = inner, levels = levels(group),
    by_group = by_group, columns = colnames(x), trained = inner$trained, sizes = range(size),
    description = sprintf("counts of %d columns given the library size%s, all %d components", ncol(x),
                          if (by_group) ", within classes" else "", inner$dim),
    explained = inner$explained
  )
}

check_counts <- function(x) {
  bad <- which(x < 0 | x != floor(x))
  if (!length(bad)) return(invisible())
  fail("latent_counts() needs counts, which are whole numbers of at least 0, but %d values are not, such as %s.",
       length(bad), format(x[bad[1]]))
}

check_sizes <- function(size) {
  empty <- which(size == 0)
  if (!length(empty)) return(invisible())
  fail("The library size, which is the sum of a row, must be above 0, but it is 0 in row %s.", some(empty))
}

# [p]: phi of the variance mu + phi mu^2, by moments within classes. 0, the Poisson law, where the variance is smaller.
moment_dispersion <- function(x, size, rate, group) {
  row <- as.integer(group)
  spare <- nrow(x) / max(nrow(x) - nrow(rate), 1)
  found <- numeric(ncol(x))
  for (at in column_blocks(ncol(x), nrow(x))) {
    mu <- size * rate[row, at, drop = FALSE]
    found[at] <- (spare * colSums((x[, at, drop = FALSE] - mu)^2) - colSums(mu)) / colSums(mu^2)
  }
  found[!is.finite(found)] <- 0
  pmin(pmax(found, least_dispersion), most_dispersion)
}

# With the first, the negative binomial law is the Poisson law to all digits that matter. The second allows one count
# in a thousand rows.
least_dispersion <- 1e-7
most_dispersion <- 1e4

# Of counts [n, p], each [n, p]: the ends of their cells, low = Phi^-1(F(x - 1)) and high = Phi^-1(F(x)), by the upper
# tail, and scores that are uniform within, Phi^-1(F(x - 1) + U P(x)).
count_cells <- function(model, x, size, row) {
  low <- high <- scores <- matrix(0, nrow(x), ncol(x))
  blocks <- column_blocks(ncol(x), nrow(x))
  for (i in seq_along(blocks)) {
    at <- blocks[[i]]
    mu <- size * model$rate[row, at, drop = FALSE]
    shape <- rep(1 / model$dispersion[at], each = nrow(x))
    values <- x[, at, drop = FALSE]
    uniform <- draw_uniform(nrow(x), length(at), c(count_key, i))
    above <- 1 - exp(-shape * log1p(mu / shape)) # the probability of more than 0
    from <- matrix(1, nrow(x), length(at))
    some <- which(values > 0)
    above[some] <- stats::pnbinom(values[some], shape[some], mu = mu[some], lower.tail = FALSE)
    from[some] <- above[some] + stats::dnbinom(values[some], shape[some], mu = mu[some])
    low[, at] <- upper_score(from)
    high[, at] <- upper_score(above)
    scores[, at] <- upper_score(above + (1 - uniform) * (from - above))
  }
  list(scores = scores, low = low, high = high)
}

# The score with this probability above it.
upper_score <- function(upper) stats::qnorm(pmin(pmax(upper, 1e-15), 1 - 1e-15), lower.tail = FALSE)

count_key <- 2019L

# The counts [m, p] at the scores [m, p].
count_values <- function(model, scores, size, row) {
  counts <- matrix(0, nrow(scores), ncol(scores))
  for (at in column_blocks(ncol(scores), nrow(scores))) {
    mu <- size * model$rate[row, at, drop = FALSE]
    shape <- rep(1 / model$dispersion[at], each = nrow(scores))
    upper <- stats::pnorm(scores[, at, drop = FALSE], lower.tail = FALSE)
    part <- matrix(0, nrow(scores), length(at))
    some <- which(upper < 1 - exp(-shape * log1p(mu / shape)))
    part[some] <- stats::qnbinom(upper[some], shape[some], mu = mu[some], lower.tail = FALSE)
    counts[, at] <- part
  }
  counts
}

#' @export
latent_encode.latent_counts <- function(map, x, group = NULL, ...) {
  check_counts(x)
  size <- rowSums(x)
  check_sizes(size)
  scores <- count_cells(map, unname(x), size, class_row(map, group, nrow(x)))$scores
  latent_encode(map$inner, cbind(scores, log(size)), group)
}

# library_size: one number, or one number per row, in place of the sizes of the law.
#' @export
latent_decode.latent_counts <- function(map, z, group = NULL, library_size = NULL, ...) {
  scores <- latent_decode(map$inner, z, group)
  last <- ncol(scores)
  size <- if (is.null(library_size)) round(exp(scores[, last])) else rep_len(library_size, nrow(z))
  scores <- scores[, -last, drop = FALSE]
  row <- class_row(map, group, nrow(z))
  counts <- count_values(map, scores, size, row)
  if (!is.null(map$columns)) colnames(counts) <- map$columns
  counts
}
