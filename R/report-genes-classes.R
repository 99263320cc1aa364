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

# The p-value of a difference between the two classes, of each tested gene.
test_genes <- function(set, two, tables, values, test) {
  set <- set[tables$group[set] %in% two]
  second <- as.numeric(tables$group[set] == two[2])
  switch(test,
    edgeR = edger_p(values$raw[set, values$at$tested, drop = FALSE], second, tables$size[set]),
    limma = limma_p(values$judged[set, values$at$tested, drop = FALSE], second),
    welch_p(values$judged[set, values$at$tested, drop = FALSE], second)
  )
}

# The difference of the means of the judged values, which are logarithms to the base 2 for counts, of each tested gene.
class_changes <- function(set, two, tables, values) {
  mean_of <- function(class) colMeans(values$judged[set[tables$group[set] == class], values$at$tested, drop = FALSE])
  mean_of(two[2]) - mean_of(two[1])
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
  total <- unname(error[[1]] + error[[2]])
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
  scores <- score_basis(shift_columns(x, colMeans(x)))$trained
  scores <- scores[, seq_len(min(10L, ncol(scores))), drop = FALSE]
  apart <- stats::dist(scores)
  clusters <- stats::cutree(stats::hclust(apart, "ward.D2"), nlevels(class))
  c(mean_silhouette(scores, class), rand_index(clusters, class))
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

# list(values, compared, test), or NULL without classes: a data frame of the analyses, the two classes that are
# compared, and how genes are tested. At most `most_tested_splits` of the halves are analysed.
judge_classes <- function(tables, sets, values) {
  if (is.null(tables$group) || sum(sets$each > 0) < 2) return(NULL)
  two <- compared_classes(sets$each)
  test <- if (!is.null(two)) gene_test(tables$counts)
  pairs <- lapply(sets[c("new", "halves")], function(pairs) pairs[seq_len(min(length(pairs), most_tested_splits))])
  alone <- function(pairs, side) {
    vapply(pairs, function(pair) analyse_set(pair[[side]], two, test, tables, values), numeric(3))
  }
  effects <- function(pairs) vapply(pairs, function(pair) {
    if (is.null(two)) return(NA_real_)
    change <- lapply(pair, class_changes, two, tables, values)
    suppressWarnings(stats::cor(change$a, change$b))
  }, 0)
  order <- c(1, 4, 2, 3) # the effects stand second
  found <- lapply(pairs, function(pairs) rbind(alone(pairs, "a"), effects(pairs))[order, , drop = FALSE])
  held <- c(rowMeans(alone(pairs$new, "b")), NA_real_)[order]
  list(values = data.frame(part = "analysis", gene_analyses[c("property", "of")], measure = "value",
                           beside_halves(found), holdout = held, ratio = NA_real_),
       compared = two, test = test)
}

most_tested_splits <- 5L

# c(differential, silhouette, agreement) of one set.
analyse_set <- function(set, two, test, tables, values) {
  share <- if (is.null(two)) NA_real_ else discoveries(test_genes(set, two, tables, values, test))
  c(share, cluster_classes(set, tables, values))
}
