# The correlations of two tables compared pair by pair.

# Spearman's correlations of the columns that vary in both tables; NULL for fewer than two such columns.
compare_correlations <- function(real, synthetic) {
  varies <- function(x) apply(x, 2, function(column) any(column != column[1]))
  use <- which(varies(real) & varies(synthetic))
  if (length(use) < 2) return(NULL)
  spearman <- function(x) stats::cor(apply(x[, use, drop = FALSE], 2, rank))
  a <- spearman(real)
  b <- spearman(synthetic)
  difference <- ifelse(upper.tri(a), abs(a - b), -1)
  at <- arrayInd(which.max(difference), dim(difference))
  list(largest = max(difference), pair = colnames(a)[at], real = a[at], synthetic = b[at],
       matrices = list(real = a, synthetic = b))
}

# Rows of each table and columns whose correlations are judged in the deals.
most_correlated <- list(rows = 1000L, columns = 200L)

# For each deal how much the correlations of its two tables differ. The difference of a pair of columns is that of
# Fisher's z, in units of its own root mean square over the deals, and 0 where the correlations differ by less than
# 0.1. `largest`: over the pairs; `together`: the mean of their squares; `differences`: those of the tables as they
# are. Correlations are those of the ranks in both tables together.
correlation_deals <- function(deals) {
  ranks <- apply(deals$pooled, 2, rank)
  ranks <- sweep(ranks, 2, colMeans(ranks))
  ranks <- most_dependent(ranks[, colSums(ranks^2) > 0, drop = FALSE])
  pairs <- upper.tri(diag(ncol(ranks)))
  if (!any(pairs)) return(NULL)
  first <- deals$first
  total <- crossprod(ranks)
  squares <- 0
  differences <- vapply(seq_len(ncol(first)), function(deal) {
    own <- ranks[first[, deal] == 1, , drop = FALSE]
    products <- crossprod(own)
    a <- correlations(products, colSums(own), nrow(own))[pairs]
    b <- correlations(total - products, -colSums(own), nrow(ranks) - nrow(own))[pairs]
    difference <- abs(fisher_z(a) - fisher_z(b))
    squares <<- squares + difference^2
    difference * (abs(a - b) > 0.1)
  }, numeric(sum(pairs)))
  unit <- sqrt(squares / ncol(first))
  unit[!(unit > 0)] <- 1
  differences <- matrix(differences, ncol = ncol(first)) / unit
  list(statistics = cbind(largest = apply(differences, 2, max), together = colMeans(differences^2)),
       differences = differences[, 1])
}

# Of more columns than can be judged, those that depend most on others in both tables together.
most_dependent <- function(ranks) {
  if (ncol(ranks) <= most_correlated$columns) return(ranks)
  squared <- rowSums(stats::cor(ranks)^2)
  ranks[, sort(order(-squared)[seq_len(most_correlated$columns)]), drop = FALSE]
}

# From sums of products and sums of n rows. A column that does not vary has no correlation.
correlations <- function(products, sums, n) {
  covariance <- products - tcrossprod(sums) / n
  scale <- sqrt(pmax(diag(covariance), 0))
  scale[scale <= 1e-8 * max(scale)] <- Inf
  covariance / tcrossprod(scale)
}

fisher_z <- function(r) atanh(pmin(pmax(r, -0.9999), 0.9999))

# Adds whether the correlations agree, and how many of the pairs that were dealt are beyond the limit of the largest.
judge_correlations <- function(correlation, judged) {
  if (is.null(correlation)) return(NULL)
  # the first limit is that of the largest difference
  correlation$n_beyond <- sum(judged$correlation$differences > judged$pair_limits$limit[1])
  correlation$agrees <- all(judged$pair_limits$gap <= 1)
  correlation
}
