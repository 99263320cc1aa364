# The latent map of tables with many columns of numbers: normal scores of smoothed margins, and all components of them.

#' @rdname latent_map
#' @export
latent_genes <- function() new_latent("genes", fit_genes)

# A fitted map.
#   location: centre [K, p], which is subtracted from the rows of each class, stretch [K, p], by which they are then
#   divided, and kept [p], the share of the observed differences between classes that is kept (NA: there are none);
#   K = 1 without classes, and there is neither stretch nor kept
#   sorted [n, p]: the sorted values of each column after that; weights [g, n]: see quantile_weights()
#   scores [n, p]: the normal scores of the rows, minus `centre` [p]; basis [n, r]: see score_basis()
#   batches [B + 1, p]: the effects of batches, see adjust_batches(); NULL without batches
#   trained [n, r]: the latent rows of the rows that it was fitted to; least [p]: the least values, or NULL if some are
#   negative
# A row of the latent space is y; its scores are centre + (y basis') scores.
fit_genes <- function(x, group = NULL, batch = NULL) {
  by_group <- !is.null(group)
  if (!by_group) group <- factor(rep("all", nrow(x)))
  least <- if (min(x) >= 0) least_values(x)
  found <- if (!is.null(batch)) adjust_batches(x, group, batch)
  if (!is.null(batch)) x <- found$adjusted
  batches <- found$effects
  location <- class_locations(x, group)
  scored <- gene_scores(x, group)
  found <- score_basis(scored$scores)
  new_fitted_latent(
    "genes", "genes", ncol(found$basis), location = location, levels = levels(group), by_group = by_group,
    sorted = scored$sorted, weights = quantile_weights(nrow(x)), scores = scored$scores, centre = scored$centre,
    basis = found$basis, trained = found$trained, least = least, batches = batches, columns = colnames(x),
    description = sprintf("normal scores of %d columns%s, all %d components", ncol(x),
                          within_what(by_group, !is.null(batches)), ncol(found$basis)),
    explained = cumsum(found$variance) / sum(found$variance)
  )
}

# centre [K, p]: the means of the classes, shrunk column by column to the centre m of all rows,
#   m + r (m_k - m), r = max(0, 1 - 1/F), F the ratio of the mean squares between and within classes.
# stretch [K, p]: sqrt(1 + r/n_k). A new row has the variance s^2 of a row about the mean of its class, and the variance
# r s^2/n_k of this mean given n_k rows, so that new rows of all classes together have the variance of the column.
class_locations <- function(x, group) {
  n <- as.vector(table(group))
  means <- unname(rowsum(x, as.integer(group), reorder = TRUE)) / n
  if (length(n) == 1) return(list(centre = means, stretch = NULL))
  total <- colMeans(x)
  centred <- means - rep(total, each = length(n))
  between <- colSums(n * centred^2) / (length(n) - 1)
  within <- (column_squares(x) - colSums(n * means^2)) / (sum(n) - length(n))
  kept <- pmax(0, 1 - pmax(within, 0) / between)
  none <- is.nan(kept)
  kept[!is.finite(kept)] <- 0
  list(centre = rep(total, each = length(n)) + centred * rep(kept, each = length(n)),
       stretch = sqrt(1 + outer(1 / n, kept)), kept = replace(kept, none, NA))
}

# colSums(x^2) without a copy of x.
column_squares <- function(x) {
  parts <- lapply(small_blocks(ncol(x), nrow(x)), function(at) colSums(x[, at, drop = FALSE]^2))
  unlist(parts, use.names = FALSE)
}

# What was done to the means of the classes, as a line of print(). NULL: nothing.
shrinkage_line <- function(map) {
  kept <- map$location$kept
  if (is.null(kept) || all(is.na(kept))) return(NULL)
  sprintf("means of classes are shrunk to the common mean: the median column keeps %.0f %% of the observed differences",
          100 * stats::median(kept, na.rm = TRUE))
}

# Residuals [n, b] of some columns about the means of the classes, with the variance of the values about the true
# means.
class_residuals <- function(x, group) {
  n <- as.vector(table(group))
  means <- rowsum(x, as.integer(group), reorder = TRUE) / n
  if (length(n) == 1) return(x - rep(means, each = nrow(x)))
  unname((x - means[as.integer(group), , drop = FALSE]) * sqrt(n / (n - 1))[as.integer(group)])
}

# sorted [n, p], scores [n, p] with mean 0, and centre [p]. The scores of a column have mean square 1, less the part
# 1/n_k that the mean of a class of n_k rows takes. Equal values get scores in random order. The stream is always the
# same.
gene_scores <- function(x, group) {
  n <- nrow(x)
  normal <- stats::qnorm((seq_len(n) - 0.5) / n)
  normal <- normal / sqrt(mean(normal^2))
  size <- as.vector(table(group))
  left <- sqrt(1 - 1 / size)[as.integer(group)]
  sorted <- matrix(0, n, ncol(x))
  scores <- matrix(0, n, ncol(x))
  means <- numeric(ncol(x))
  blocks <- column_blocks(ncol(x), n)
  for (i in seq_along(blocks)) {
    key <- draw_uniform(n, length(blocks[[i]]), c(gene_key, i))
    for (places in small_blocks(ncol(key), n)) {
      at <- blocks[[i]][places]
      rest <- class_residuals(x[, at, drop = FALSE], group)
      order <- order(col(rest), rest, key[, places])
      sorted[, at] <- rest[order]
      rest[order] <- rep(normal, length(at))
      rest <- rest * left
      means[at] <- colMeans(rest)
      scores[, at] <- rest - rep(means[at], each = n)
    }
  }
  list(sorted = sorted, scores = scores, centre = means)
}

gene_key <- 1915L

# The components of centred scores z [n, p] from the [n, n] inner products z z' = U D^2 U'. The latent rows are
# trained = U D [n, r], which are isometric to the scores, and basis = U / D, so that (trained basis') z = z.
score_basis <- function(z) {
  inner <- eigen(inner_products_of_rows(z), symmetric = TRUE)
  kept <- inner$values > inner$values[1] * nrow(z) * 1e-13
  root <- rep(sqrt(inner$values[kept]), each = nrow(z))
  vectors <- inner$vectors[, kept, drop = FALSE]
  list(trained = vectors * root, basis = vectors / root, variance = inner$values[kept])
}

# z z' for z [n, p], by blocks of columns.
inner_products_of_rows <- function(z) {
  total <- matrix(0, nrow(z), nrow(z))
  for (at in column_blocks(ncol(z), 16 * nrow(z))) total <- total + tcrossprod(z[, at, drop = FALSE])
  total
}

within_what <- function(by_group, by_batch) {
  if (by_batch) return(if (by_group) " within classes and batches" else " within batches")
  if (by_group) " within classes" else ""
}

# batch: the number of the batch of each row.
#' @export
latent_encode.latent_genes <- function(map, x, group = NULL, batch = NULL, ...) {
  row <- class_row(map, group, nrow(x))
  from <- if (!is.null(map$batches)) batch_row(map$batches, batch, nrow(x))
  products <- matrix(0, nrow(x), nrow(map$scores))
  for (at in column_blocks(ncol(x), length(score_grid))) {
    rest <- unname(x[, at, drop = FALSE])
    if (!is.null(from)) rest <- rest - map$batches[from, at, drop = FALSE]
    rest <- rest - map$location$centre[row, at, drop = FALSE]
    if (map$by_group) rest <- rest / map$location$stretch[row, at, drop = FALSE]
    z <- quantile_scores(map$sorted[, at, drop = FALSE], map$weights, rest)
    products <- products + tcrossprod(z - rep(map$centre[at], each = nrow(x)), map$scores[, at, drop = FALSE])
  }
  products %*% map$basis
}

# effect: see each_effect(); here values are shifted. sets: see margins_of_sets().
#' @export
latent_decode.latent_genes <- function(map, z, group = NULL, batch = NULL, effect = NULL, sets = NULL, ...) {
  weights <- tcrossprod(z, map$basis)
  row <- class_row(map, group, nrow(z))
  from <- if (!is.null(map$batches)) batch_row(map$batches, batch, nrow(z))
  x <- matrix(0, nrow(z), ncol(map$scores), dimnames = if (!is.null(map$columns)) list(NULL, map$columns))
  rows <- max(nrow(z), length(score_grid), vapply(sets, function(set) nrow(set$latent), 0L))
  for (at in small_blocks(ncol(x), rows)) {
    scores <- weights %*% map$scores[, at, drop = FALSE] + rep(map$centre[at], each = nrow(z))
    scores <- margins_of_sets(map, scores, sets, at)
    rest <- quantile_values(map$sorted[, at, drop = FALSE], map$weights, scores)
    if (map$by_group) rest <- rest * map$location$stretch[row, at, drop = FALSE]
    rest <- map$location$centre[row, at, drop = FALSE] + rest
    if (!is.null(from)) rest <- rest + map$batches[from, at, drop = FALSE]
    x[, at] <- if (is.null(map$least)) rest else above_zero(rest, map$least[at])
  }
  if (is.null(effect)) return(x)
  x <- each_effect(x, effect, seq_len(ncol(x)), `+`)
  if (is.null(map$least)) x else pmax(x, 0)
}

least_values <- function(x) vapply(seq_len(ncol(x)), function(j) min(x[, j]), 0)

# Values below the least value m of a column become m exp(x/m - 1), so that none is negative: 0 if m is 0.
above_zero <- function(x, least) {
  low <- which(x < rep(least, each = nrow(x)))
  m <- least[(low - 1) %/% nrow(x) + 1]
  x[low] <- ifelse(m > 0, m * exp(x[low] / m - 1), 0)
  x
}

# The row of `location` of each of n rows.
class_row <- function(map, group, n) {
  if (!map$by_group) return(rep(1L, n))
  match(as.character(group), map$levels)
}

# A latent map fitted to the rows of a table. Some maps know the classes.
fit_latent <- function(latent, table) {
  if (!"group" %in% names(formals(latent$fit))) return(latent$fit(table$points))
  latent$fit(table$points, if (table$grouped) table$group, table$batch)
}

# The latent rows of the rows that the map was fitted to.
trained_rows <- function(map, points) {
  if (!is.null(map$trained)) return(map$trained)
  unname(latent_encode(map, points))
}

# The latent rows of other rows, whose classes are `group`.
encode_points <- function(map, points, group) {
  if (nrow(points) == 0) return(matrix(0, 0, map$dim))
  unname(if (isTRUE(map$by_group)) latent_encode(map, points, group) else latent_encode(map, points))
}
