# Scores of moved rows against reference rows that no method has seen.

distance <- function(x, y) {
  if (ncol(x) > nrow(x) + nrow(y)) {
    both <- rbind(x, y)
    both <- sweep(both, 2, colMeans(both))
    s <- svd(both, nv = 0)
    both <- sweep(s$u, 2, s$d, "*")
    x <- both[seq_len(nrow(x)), , drop = FALSE]
    y <- both[-seq_len(nrow(x)), , drop = FALSE]
  }
  as.numeric(suppressWarnings(particleflow::wasserstein2(x, y, tolerance = 0.01, threads = 1)))
}

nearest <- function(x, y) apply(x, 1, function(row) sqrt(min(colSums((t(y) - row)^2))))

silhouette <- function(x, class) {
  if (length(unique(class)) < 2) return(NA_real_)
  mean(cluster::silhouette(as.integer(factor(class)), stats::dist(x))[, "sil_width"])
}

# The share of rows of x whose label is the label of most of their k nearest rows of y.
label_accuracy <- function(x, label, y, of_y, k = 5) {
  found <- apply(x, 1, function(row) {
    near <- order(colSums((t(y) - row)^2))[seq_len(min(k, nrow(y)))]
    names(which.max(table(of_y[near])))
  })
  mean(found == label)
}

# z, full: list(moved, seen, held), rows in latent and in full space. batch, label: of the moved rows. seen_label,
# held_label: labels of the halves of the reference. Returns means over batches and labels, weighted by rows.
score_table <- function(z, full, batch, label, seen_label, held_label, by_label) {
  cells <- split(seq_along(batch), list(batch, if (by_label) label else rep("all", length(label))), drop = TRUE)
  parts <- lapply(cells, function(rows) {
    own <- label[rows[1]]
    seen <- if (by_label) seen_label == own else rep(TRUE, length(seen_label))
    held <- if (by_label) held_label == own else rep(TRUE, length(held_label))
    pick <- function(space) list(m = space$moved[rows, , drop = FALSE], t = space$seen[seen, , drop = FALSE],
                                 h = space$held[held, , drop = FALSE])
    l <- pick(z)
    f <- pick(full)
    enough <- min(length(rows), sum(held)) >= 10
    data.frame(
      rows = length(rows),
      w2_latent = distance(l$m, l$h)^2, halves_latent = distance(l$t, l$h)^2,
      w2_full = distance(f$m, f$h)^2, halves_full = distance(f$t, f$h)^2,
      novelty = stats::median(nearest(l$m, l$t)) / stats::median(nearest(l$h, l$t)),
      auc = if (enough) particleflow::c2st(l$h, l$m, threads = 1)$auc else NA_real_,
      batch_silhouette = silhouette(rbind(l$m, l$h), rep(1:2, c(length(rows), sum(held))))
    )
  })
  p <- do.call(rbind, parts)
  average <- function(v) stats::weighted.mean(v, p$rows * !is.na(v), na.rm = TRUE)
  one_label <- length(unique(label)) < 2
  data.frame(
    w2_latent = sqrt(average(p$w2_latent) / average(p$halves_latent)),
    w2_full = sqrt(average(p$w2_full) / average(p$halves_full)),
    novelty = average(p$novelty), auc = average(p$auc), batch_silhouette = average(p$batch_silhouette),
    label_silhouette = if (one_label) NA_real_ else silhouette(rbind(z$moved, z$held), c(label, held_label)),
    label_accuracy = if (one_label) NA_real_ else label_accuracy(z$moved, label, z$held, held_label)
  )
}
