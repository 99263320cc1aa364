# Whether new samples of an expression table are copies, and whether a classifier tells them from held-out samples.

# list(compared, range): the object of compare_novelty() on the most variable genes, and the smallest and largest ratio
# of two parts of one half of the real samples, each beside the other half.
gene_novelty <- function(tables, sets, values) {
  rows <- tables$rows
  points <- function(set) values$judged[set, values$at$top, drop = FALSE]
  some <- function(set) if (!is.null(set)) points(sample_rows(set, min(length(set), most_set_samples)))
  alone <- min(length(rows$real), most_set_samples)
  compared <- compare_novelty(some(rows$synthetic), points(sample_rows(rows$real)), some(rows$holdout), alone)
  ratios <- vapply(sets$halves, function(half) {
    a <- fewer_samples(half$a, 2 * most_paired_samples)
    near <- neighbours(points(a), points(half$b), 1L)$distance[, 1]
    odd <- seq_along(a) %% 2 == 1
    stats::median(near[odd]) / stats::median(near[!odd])
  }, 0)
  list(compared = compared, range = if (all(is.finite(ratios))) range(ratios) else c(NA_real_, NA_real_))
}

# At most so many samples of each set, because forests on thousands of genes are slow.
most_forest_samples <- 300L

# A forest takes about a second.
most_forest_splits <- 5L

# list(new, halves): matrices [1, sets] of the AUC on the most variable genes.
gene_aucs <- function(sets, values) {
  of_pairs <- function(pairs) {
    pairs <- pairs[seq_len(min(length(pairs), most_forest_splits))]
    rbind(vapply(pairs, function(pair) {
      pair <- lapply(pair, fewer_samples, most_forest_samples)
      gene_auc(lapply(pair, function(set) values$judged[set, values$at$top, drop = FALSE]))
    }, 0))
  }
  list(new = of_pairs(sets$new), halves = of_pairs(sets$halves))
}

# pair: two matrices. The AUC of a forest for the samples that each tree has not seen, or without ranger that of c2st().
# Each tree draws as many samples as there are of each of the two: otherwise a sample that it has not drawn would more
# often come from the smaller one, and the AUC of 24 and 24 samples of one law would be 0.39 on average, not 0.46.
gene_auc <- function(pair, forest = has_forest()) {
  n <- vapply(pair, nrow, 0L)
  x <- unname(do.call(rbind, pair))
  if (!forest) {
    return(classify(x, c(real = n[[1]], synthetic = n[[2]]), "both", NULL, folds = min(5L, min(n) %/% 2L))$auc)
  }
  label <- rep(1:0, n)
  frame <- as.data.frame(x)
  seed <- base::sample.int(.Machine$integer.max, 1)
  grown <- learn_forest(frame, factor(label, 0:1), seed, thread_count(), fraction = rev(n) / sum(n))
  score <- grown$predictions[, "1"]
  seen <- !is.na(score)
  delong_auc(score[seen & label == 0], score[seen & label == 1])[["auc"]]
}
