# The columns of two tables compared one by one.

# One row per level: column, level, real, synthetic, and of the column its total variation distance and the
# probability p that the chi-squared statistic is as large by chance.
compare_shares <- function(real, synthetic, columns) {
  n_draws <- min(max_share_draws, max(1000, 200 * ncol(real)))
  parts <- lapply(columns, function(column) {
    a <- level_words(real[[column]])
    b <- level_words(synthetic[[column]])
    known <- if (is.factor(real[[column]])) levels(real[[column]])
    levels <- unique(c(known, sort(unique(c(a, b)))))
    counts <- rbind(table(factor(a, levels)), table(factor(b, levels)))
    if (sum(counts[1, ]) == 0 || sum(counts[2, ]) == 0) return(NULL)
    counts <- counts[, colSums(counts) > 0, drop = FALSE]
    share <- counts / rowSums(counts)
    distance <- sum(abs(share[1, ] - share[2, ])) / 2
    data.frame(column = column, level = colnames(counts), real = share[1, ], synthetic = share[2, ],
               distance = distance, p = chance_of_counts(counts, n_draws), row.names = NULL)
  })
  do.call(rbind, parts)
}

# Missing values as a level, if there are others.
level_words <- function(values) {
  words <- as.character(values)
  if (!all(is.na(words))) words[is.na(words)] <- "(missing)"
  words
}

max_share_draws <- 1e5

# The probability that rows which are dealt at random into the two tables differ as much in their levels: by draws, with
# a stream of its own, because levels are often too rare for the chi-squared law.
chance_of_counts <- function(counts, n_draws) {
  if (ncol(counts) < 2) return(1)
  total <- colSums(counts)
  expected <- rowSums(counts)[1] * total / sum(total)
  # with the margins given, the statistic grows with the squares of one row
  spread <- function(row) sum((row - expected)^2 / expected)
  drawn <- with_stream(1, function() stats::r2dtable(n_draws, rowSums(counts), total))
  as_large <- vapply(drawn, function(table) spread(table[1, ]), 0) >= spread(counts[1, ]) * (1 - 1e-12)
  (1 + sum(as_large)) / (1 + n_draws)
}

# Whether the shares agree, at level 0.01 over all columns of the report.
judge_shares <- function(shares, n_columns) {
  if (!is.null(shares)) shares$agrees <- shares$p >= column_level / n_columns | shares$distance <= 0.05
  shares
}

# The level of all comparisons of single columns together.
column_level <- 0.01

# Missing values are left out. `n_columns`: how many are compared altogether, with those of labels.
compare_columns <- function(real, synthetic, n_columns = ncol(real)) {
  count <- function(x) pmax(colSums(!is.na(x)), 1)
  limit <- pmax(sqrt(log(2 * n_columns / column_level) * (1 / count(real) + 1 / count(synthetic)) / 2), 0.05)
  a <- column_figures(real)
  b <- column_figures(synthetic)
  varies <- a["sd", ] > 0
  ks <- vapply(seq_len(ncol(real)), function(j) kolmogorov_smirnov(real[, j], synthetic[, j]), 0)
  quantiles <- function(x, kind) stats::setNames(as.data.frame(t(x[-(1:2), , drop = FALSE])),
                                                 paste0(rownames(x)[-(1:2)], "_", kind))
  data.frame(
    column = colnames(real), mean_real = a["mean", ], mean_synthetic = b["mean", ], sd_real = a["sd", ],
    sd_synthetic = b["sd", ], quantiles(a, "real"), quantiles(b, "synthetic"),
    shift = ifelse(varies, (b["mean", ] - a["mean", ]) / a["sd", ], NA_real_),
    spread = ifelse(varies, b["sd", ] / a["sd", ], NA_real_),
    ks = ks, limit = limit, agrees = ks <= limit, row.names = NULL
  )
}

# A matrix with one column per column of x: its mean, its standard deviation and five quantiles.
column_figures <- function(x) {
  shares <- c(0.05, 0.25, 0.5, 0.75, 0.95)
  figures <- vapply(seq_len(ncol(x)), function(j) {
    known <- x[!is.na(x[, j]), j]
    if (!length(known)) return(rep(NA_real_, 7))
    c(mean(known), spread_of(known), stats::quantile(known, shares, names = FALSE))
  }, numeric(7))
  rownames(figures) <- c("mean", "sd", sprintf("q%02d", 100 * shares))
  figures
}
