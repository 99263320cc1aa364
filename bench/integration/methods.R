# Each method takes the table, batch, label (or NULL) and reference. It returns the table with the reference unchanged.

mean_sd <- function(x, batch, label, reference) {
  if (is.null(label)) label <- rep("all", nrow(x))
  for (l in unique(label)) {
    goal <- x[batch == reference & label == l, , drop = FALSE]
    spread <- apply(goal, 2, stats::sd)
    for (b in setdiff(unique(batch), reference)) {
      rows <- which(batch == b & label == l)
      if (!length(rows)) next
      own <- apply(x[rows, , drop = FALSE], 2, stats::sd)
      ratio <- ifelse(own > 0, spread / own, 1)
      centred <- sweep(x[rows, , drop = FALSE], 2, colMeans(x[rows, , drop = FALSE]))
      x[rows, ] <- sweep(sweep(centred, 2, ratio, "*"), 2, colMeans(goal), "+")
    }
  }
  x
}

design <- function(label) if (is.null(label) || length(unique(label)) < 2) NULL else stats::model.matrix(~ label)

combat <- function(x, batch, label, reference) {
  t(suppressMessages(sva::ComBat(t(x), batch, mod = design(label), ref.batch = reference)))
}

# The change that removeBatchEffect() makes to the reference is one vector; it is subtracted from all rows.
remove_batch_effect <- function(x, batch, label, reference) {
  model <- design(label)
  out <- t(if (is.null(model)) {
    limma::removeBatchEffect(t(x), batch)
  } else {
    limma::removeBatchEffect(t(x), batch, design = model)
  })
  first <- which(batch == reference)[1]
  sweep(out, 2, x[first, ] - out[first, ], "+")
}

particles <- function(x, batch, label, reference, ...) {
  particleflow::integrate_data(x, batch, reference, label, compare = FALSE, threads = 1, ...)$data
}

# As published: no adjustment, no early end, and what the components leave out is dropped. A fifth of the steps.
particles_to_the_end <- function(x, batch, label, reference, n_steps = 1000) {
  particles(x, batch, label, reference, adjust = "none", target = 0, floor = 0, n_steps = n_steps, residual = "drop",
            check = n_steps)
}

# Not a method to use: the result of integrate_data(), narrowed to 0.7 of its width about the mean of each batch and
# label. It shows what a distance between few rows rewards.
narrowed <- function(x, batch, label, reference, width = 0.7) {
  moved <- particles(x, batch, label, reference)
  group <- if (is.null(label)) batch else paste(batch, label)
  for (own in unique(group[batch != reference])) {
    rows <- which(group == own)
    middle <- colMeans(moved[rows, , drop = FALSE])
    moved[rows, ] <- sweep(width * sweep(moved[rows, , drop = FALSE], 2, middle), 2, middle, "+")
  }
  moved
}

# ComBat_seq moves the counts of all batches, the reference too.
combat_seq <- function(x, batch, label) {
  group <- if (is.null(label)) NULL else label
  utils::capture.output(out <- suppressMessages(sva::ComBat_seq(t(x), batch, group = group)))
  t(out)
}

log_counts <- function(x) log2((x + 0.5) / (rowSums(x) + 1) * 1e6)

methods <- list(
  before = list(run = function(x, batch, label, reference) x, labels = FALSE),
  `mean/sd` = list(run = mean_sd, labels = c(FALSE, TRUE)),
  ComBat = list(run = combat, labels = c(FALSE, TRUE)),
  removeBatchEffect = list(run = remove_batch_effect, labels = c(FALSE, TRUE)),
  `integrate_data, no flow` = list(run = function(...) particles(..., n_steps = 0), labels = c(FALSE, TRUE)),
  integrate_data = list(run = particles, labels = c(FALSE, TRUE)),
  `integrate_data, from means` = list(run = function(...) particles(..., adjust = "mean"), labels = c(FALSE, TRUE)),
  `integrate_data, narrowed` = list(run = narrowed, labels = c(FALSE, TRUE)),
  # on tables of counts only, and with the counts themselves; the others get their logarithms
  `integrate_data, counts` = list(run = particles, labels = c(FALSE, TRUE), counts = TRUE),
  # on the first split only, because it is slow
  `integrate_data, 1000 steps` = list(run = particles_to_the_end, labels = c(FALSE, TRUE), splits = 1)
)
