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

# The energy distance of two samples without the bias of small numbers, divided by the mean distance between rows of y.
# 0: one law; it may be negative. Unlike the Wasserstein distance between few rows it does not fall if a cloud is made
# too narrow.
energy <- function(x, y) {
  d <- as.matrix(stats::dist(rbind(x, y)))
  own <- seq_len(nrow(x))
  within <- function(d) sum(d) / (nrow(d) * (nrow(d) - 1))
  (2 * mean(d[own, -own]) - within(d[own, own, drop = FALSE]) - within(d[-own, -own, drop = FALSE])) /
    within(d[-own, -own, drop = FALSE])
}

# The total variance of the columns.
total_variance <- function(x) sum(apply(x, 2, stats::var))

# The share of variance that batch, given the label, has in the components that hold 60 % of the variance (PVCA). The
# variance components of each principal component are those of Henderson's third method.
pvca_batch <- function(x, batch, label) {
  s <- svd(sweep(x, 2, colMeans(x)), nv = 0)
  share <- s$d^2 / sum(s$d^2)
  kept <- seq_len(max(3, which(cumsum(share) >= 0.6)[1]))
  labels <- if (length(unique(label)) > 1) stats::model.matrix(~ factor(label)) else matrix(1, nrow(x), 1)
  batches <- stats::model.matrix(~ 0 + factor(batch))
  component <- function(y, fixed, random) {
    small <- qr(fixed)
    large <- qr(cbind(fixed, random))
    error <- sum(qr.resid(large, y)^2) / (length(y) - large$rank)
    gain <- sum(qr.resid(small, y)^2) - sum(qr.resid(large, y)^2)
    found <- (gain - (large$rank - small$rank) * error) / sum(qr.resid(small, random) * random)
    c(max(0, found), error)
  }
  each <- vapply(kept, function(k) {
    by_batch <- component(s$u[, k], labels, batches)
    by_label <- if (ncol(labels) > 1) {
      component(s$u[, k], stats::model.matrix(~ factor(batch)), stats::model.matrix(~ 0 + factor(label)))[1]
    } else {
      0
    }
    by_batch[1] / (sum(by_batch) + by_label)
  }, 0)
  stats::weighted.mean(each, share[kept])
}

# The correlation over genes of the moderated t statistics between labels in the moved rows and in the held-out rows,
# averaged over pairs of labels with at least two rows on both sides.
agreement <- function(x, label, y, of_y) {
  enough <- function(l) names(which(table(l) >= 2))
  common <- intersect(enough(label), enough(of_y))
  if (length(common) < 2) return(NA_real_)
  statistics <- function(x, label) {
    keep <- label %in% common
    fit <- limma::lmFit(t(x[keep, ]), stats::model.matrix(~ 0 + factor(label[keep], common)))
    pairs <- utils::combn(length(common), 2)
    contrasts <- apply(pairs, 2, function(k) replace(numeric(length(common)), k, c(1, -1)))
    suppressWarnings(limma::eBayes(limma::contrasts.fit(fit, contrasts)))$t
  }
  a <- statistics(x, label)
  b <- statistics(y, of_y)
  mean(vapply(seq_len(ncol(a)), function(k) stats::cor(a[, k], b[, k], use = "complete.obs"), 0))
}

# The correlation over genes of each row's deviation from the mean of its batch and label before and after.
kept_of_rows <- function(before, after, batch, label) {
  centre <- function(x) x - apply(x, 2, function(column) stats::ave(column, batch, label))
  a <- centre(before)
  b <- centre(after)
  mean(vapply(seq_len(nrow(a)), function(i) if (any(a[i, ] != 0)) stats::cor(a[i, ], b[i, ]) else NA_real_, 0),
       na.rm = TRUE)
}

# z, full: list(moved, seen, held), rows in latent and in full space. batch, label: of the moved rows. seen_label,
# held_label: labels of the halves of the reference. before: the moved rows in full space before they were moved.
# Returns means over batches and labels, weighted by rows.
score_table <- function(z, full, batch, label, seen_label, held_label, by_label, before = NULL) {
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
      variance = total_variance(f$m), reference_variance = (total_variance(f$t) + total_variance(f$h)) / 2,
      energy = energy(f$m, f$h),
      full_novelty = stats::median(nearest(f$m, f$t)) / stats::median(nearest(f$h, f$t)),
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
    spread = sqrt(average(p$variance) / average(p$reference_variance)), energy = 100 * average(p$energy),
    full_novelty = average(p$full_novelty),
    pvca = pvca_batch(rbind(full$moved, full$held), c(batch, rep("the reference", length(held_label))),
                      c(label, held_label)),
    agreement = if (is.null(before)) NA_real_ else agreement(full$moved, label, full$held, held_label),
    own = if (is.null(before)) NA_real_ else kept_of_rows(before, full$moved, batch, label),
    novelty = average(p$novelty), auc = average(p$auc), batch_silhouette = average(p$batch_silhouette),
    label_silhouette = if (one_label) NA_real_ else silhouette(rbind(z$moved, z$held), c(label, held_label)),
    label_accuracy = if (one_label) NA_real_ else label_accuracy(z$moved, label, z$held, held_label)
  )
}
