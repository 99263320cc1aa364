# The columns of two tables compared one by one.

# Numbers have a part in distances, labels in shares.
report_kind <- function(column) {
  kind <- column_kind_of(unbox(column), column_kinds())
  if (!is.null(kind) && kind$numeric) return("number")
  if (is.factor(column) || is.character(column) || is.logical(column)) "label" else "other"
}

# A row a level: column, level, real, synthetic, and of the column its total
# variation distance and whether it agrees.
compare_shares <- function(real, synthetic, columns) {
  parts <- lapply(columns, function(column) {
    a <- as.character(real[[column]])
    b <- as.character(synthetic[[column]])
    known <- if (is.factor(real[[column]])) levels(real[[column]])
    levels <- unique(c(known, sort(unique(c(a, b)))))
    counts <- rbind(table(factor(a, levels)), table(factor(b, levels)))
    if (sum(counts[1, ]) == 0 || sum(counts[2, ]) == 0) return(NULL)
    counts <- counts[, colSums(counts) > 0, drop = FALSE]
    expected <- outer(rowSums(counts), colSums(counts)) / sum(counts)
    p <- stats::pchisq(sum((counts - expected)^2 / expected), max(1, ncol(counts) - 1), lower.tail = FALSE)
    share <- counts / rowSums(counts)
    distance <- sum(abs(share[1, ] - share[2, ])) / 2
    data.frame(column = column, level = colnames(counts), real = share[1, ], synthetic = share[2, ],
               distance = distance, agrees = p >= 0.01 / length(columns) || distance <= 0.05, row.names = NULL)
  })
  do.call(rbind, parts)
}

compare_columns <- function(real, synthetic) {
  n <- nrow(real)
  m <- nrow(synthetic)
  limit <- sqrt(log(200 * ncol(real)) * (1 / n + 1 / m) / 2)
  shares <- c(0.05, 0.25, 0.5, 0.75, 0.95)
  rows <- lapply(seq_len(ncol(real)), function(j) {
    a <- real[, j]
    b <- synthetic[, j]
    spread <- stats::sd(a)
    quantiles <- c(stats::quantile(a, shares, names = FALSE), stats::quantile(b, shares, names = FALSE))
    names(quantiles) <- paste0("q", sprintf("%02d", 100 * shares), "_", rep(c("real", "synthetic"), each = 5))
    ks <- kolmogorov_smirnov(a, b)
    data.frame(
      column = colnames(real)[j], mean_real = mean(a), mean_synthetic = mean(b), sd_real = spread,
      sd_synthetic = stats::sd(b), as.list(quantiles),
      shift = if (spread > 0) (mean(b) - mean(a)) / spread else NA_real_,
      spread = if (spread > 0) stats::sd(b) / spread else NA_real_,
      ks = ks, limit = max(limit, 0.05), agrees = ks <= max(limit, 0.05)
    )
  })
  do.call(rbind, rows)
}

# The largest difference of two empirical distribution functions, ties and all.
kolmogorov_smirnov <- function(a, b) {
  at <- unique(c(a, b))
  max(abs(findInterval(at, sort(a)) / length(a) - findInterval(at, sort(b)) / length(b)))
}

compare_correlations <- function(real, synthetic) {
  varies <- function(x) apply(x, 2, function(column) any(column != column[1]))
  use <- which(varies(real) & varies(synthetic))
  if (length(use) < 2) return(NULL)
  spearman <- function(x) stats::cor(apply(x[, use, drop = FALSE], 2, rank))
  a <- spearman(real)
  b <- spearman(synthetic)
  difference <- ifelse(upper.tri(a), abs(a - b), -1)
  at <- arrayInd(which.max(difference), dim(difference))
  # Fisher's z; the variance of Spearman's is 1.06 / (n - 3)
  bounded <- function(r) atanh(pmin(pmax(r, -0.9999), 0.9999))
  se <- sqrt(1.06 * (1 / (nrow(real) - 3) + 1 / (nrow(synthetic) - 3)))
  pairs <- length(use) * (length(use) - 1) / 2
  beyond <- abs(bounded(a) - bounded(b)) / se > stats::qnorm(1 - 0.005 / pairs) & difference > 0.1
  list(largest = max(difference), pair = colnames(a)[at], real = a[at], synthetic = b[at],
       agrees = !any(beyond), n_beyond = sum(beyond), matrices = list(real = a, synthetic = b))
}
