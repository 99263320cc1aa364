# What analyses of the classes find in a set of samples.

gene_analyses <- data.frame(
  property = c("differential", "effects", "silhouette", "agreement"),
  of = c("genes", "genes", "samples", "samples"),
  label = c("share of genes with a difference", "correlation of log fold changes", "silhouette of the classes",
            "agreement of clusters (Rand)")
)

# The level of the false discovery rate.
discovery_level <- 0.05

# The two classes with the most samples in a set, of those with at least three. NULL: there are fewer than two.
compared_classes <- function(each) {
  large <- which(each >= 3)
  if (length(large) < 2) return(NULL)
  names(each)[sort(large[order(-each[large])[1:2]])]
}

# The package that tests the genes: chosen by the kind of the values.
gene_test <- function(counts) {
  package <- if (counts) "edgeR" else "limma"
  if (requireNamespace(package, quietly = TRUE)) package else "t tests"
}

# list(p, change): of each tested gene the p-value of a difference between the two classes, and the difference of the
# means of the judged values, which are logarithms to the base 2 for counts.
test_genes <- function(set, two, tables, values, test) {
  set <- set[tables$group[set] %in% two]
  second <- as.numeric(tables$group[set] == two[2])
  judged <- values$judged[set, values$at$tested, drop = FALSE]
  change <- colMeans(judged[second == 1, , drop = FALSE]) - colMeans(judged[second == 0, , drop = FALSE])
  p <- switch(test,
    edgeR = edger_p(values$raw[set, values$at$tested, drop = FALSE], second, tables$size[set]),
    limma = limma_p(judged, second),
    welch_p(judged, second)
  )
  list(p = p, change = change)
}

edger_p <- function(counts, second, size) {
  p <- rep(1, ncol(counts))
  seen <- which(colSums(counts) > 0)
  design <- cbind(1, second)
  data <- edgeR::DGEList(t(counts[, seen, drop = FALSE]), lib.size = pmax(size, 1))
  data <- edgeR::estimateDisp(data, design)
  p[seen] <- edgeR::glmQLFTest(edgeR::glmQLFit(data, design))$table$PValue
  p
}

limma_p <- function(judged, second) {
  fit <- limma::lmFit(t(judged), cbind(1, second))
  # genes that do not vary within the classes have no variance to learn from
  suppressWarnings(limma::eBayes(fit, trend = ncol(judged) >= 50))$p.value[, 2]
}

# Welch's t tests of all columns. Columns that do not vary have the p-value 1 if the means are equal, otherwise 0.
welch_p <- function(x, second) {
  parts <- lapply(0:1, function(k) x[second == k, , drop = FALSE])
  n <- vapply(parts, nrow, 0L)
  error <- lapply(parts, function(part) column_deviations(part)^2 / nrow(part))
  gap <- colMeans(parts[[2]]) - colMeans(parts[[1]])
  total <- error[[1]] + error[[2]]
  df <- total^2 / (error[[1]]^2 / (n[1] - 1) + error[[2]]^2 / (n[2] - 1))
  ifelse(total > 0, 2 * stats::pt(-abs(gap) / sqrt(total), ifelse(total > 0, df, 1)), as.numeric(gap == 0))
}

discoveries <- function(p) mean(stats::p.adjust(p, "BH") < discovery_level, na.rm = TRUE)

# c(silhouette, agreement) of a set on its leading components, at most ten, of the most variable genes.
cluster_classes <- function(set, tables, values) {
  set <- fewer_samples(set, most_paired_samples)
  class <- droplevels(tables$group[set])
  if (nlevels(class) < 2) return(c(NA_real_, NA_real_))
  x <- values$judged[set, values$at$top, drop = FALSE]
  scores <- component_scores(sweep(x, 2, colMeans(x)), 10L)
  apart <- stats::dist(scores)
  clusters <- stats::cutree(stats::hclust(apart, "ward.D2"), nlevels(class))
  c(mean_silhouette(scores, class), rand_index(clusters, class))
}

# [n, most]: the coordinates of the rows on the leading principal components, from the inner products of the rows.
component_scores <- function(centred, most) {
  inner <- eigen(tcrossprod(centred), symmetric = TRUE)
  kept <- seq_len(min(most, nrow(centred) - 1L))
  sweep(inner$vectors[, kept, drop = FALSE], 2, sqrt(pmax(inner$values[kept], 0)), "*")
}

# The Rand index of two partitions, adjusted for chance (Hubert and Arabie 1985).
rand_index <- function(a, b) {
  cells <- table(a, b)
  pairs <- function(n) sum(n * (n - 1) / 2)
  rows <- pairs(rowSums(cells))
  columns <- pairs(colSums(cells))
  expected <- rows * columns / pairs(sum(cells))
  most <- (rows + columns) / 2
  if (most == expected) return(1)
  (pairs(cells) - expected) / (most - expected)
}

# A data frame of the analyses, or NULL without classes. Of the halves at most `most_tested_splits` are analysed.
judge_classes <- function(tables, sets, values) {
  if (is.null(tables$group) || sum(sets$each > 0) < 2) return(NULL)
  two <- compared_classes(sets$each)
  test <- gene_test(tables$counts)
  analyse <- function(set) {
    found <- if (!is.null(two)) test_genes(set, two, tables, values, test)
    list(alone = c(if (is.null(two)) NA_real_ else discoveries(found$p), cluster_classes(set, tables, values)),
         change = found$change)
  }
  of_pairs <- function(pairs) {
    lapply(pairs[seq_len(min(length(pairs), most_tested_splits))], function(pair) lapply(pair, analyse))
  }
  new <- of_pairs(sets$new)
  halves <- of_pairs(sets$halves)
  alone <- function(pairs, side) vapply(pairs, function(pair) pair[[side]]$alone, numeric(3))
  effects <- function(pairs) vapply(pairs, function(pair) {
    if (is.null(two)) NA_real_ else suppressWarnings(stats::cor(pair$a$change, pair$b$change))
  }, 0)
  order <- c(1, 4, 2, 3) # the effects stand second
  found <- beside_halves(list(new = rbind(alone(new, "a"), effects(new))[order, , drop = FALSE],
                              halves = rbind(alone(halves, "a"), effects(halves))[order, , drop = FALSE]))
  reference <- c(rowMeans(alone(new, "b")), NA_real_)[order]
  list(values = data.frame(part = "analysis", gene_analyses[c("property", "of")], measure = "value", found,
                           holdout = reference, ratio = NA_real_),
       compared = two, test = if (!is.null(two)) test)
}

most_tested_splits <- 5L
