# The scores of the report, and the yardstick beside them.

score_labels <- c(
  energy_distance = "energy distance", mmd = "MMD squared", wasserstein2 = "Wasserstein-2",
  sliced_wasserstein = "sliced Wasserstein-2", auc = "classifier AUC", precision = "precision",
  recall = "recall", density = "density", coverage = "coverage"
)

score_shares <- c("precision", "recall", "coverage")

score_better <- c(rep("lower", 5), rep("higher", 4))

# Median distance of up to `most` of the rows: one bandwidth for all comparisons.
median_spacing <- function(x, most = 500) {
  distance <- stats::dist(x[seq_len(min(nrow(x), most)), , drop = FALSE])
  middle <- stats::median(distance)
  if (middle > 0) middle else max(mean(distance), 1e-8)
}

# Rows are in random order, so the first of them are a random part.
all_scores <- function(x, y, settings) {
  threads <- settings$threads
  first <- function(x) x[seq_len(min(nrow(x), settings$w2_rows)), , drop = FALSE]
  classifier <- c2st(x, y, threads = threads)
  values <- c(
    energy_distance = energy_distance(x, y, threads = threads),
    mmd = mmd(x, y, bandwidth = settings$bandwidth, threads = threads),
    # all comparisons alike; what is not settled to 2 % of the mass moves the distance far less
    wasserstein2 = as.numeric(suppressWarnings(wasserstein2(first(x), first(y), tolerance = 0.02, max_iterations = 500,
                                                            threads = threads))),
    sliced_wasserstein = as.numeric(sliced_wasserstein(x, y, seed = settings$directions)),
    auc = classifier$auc,
    ball_scores(x, y, settings$k, threads)
  )
  list(values = values, c2st = classifier)
}

# Standard error of a share of n rows, above 0 for shares of 0 and 1 too.
share_error <- function(share, n) {
  share <- (share * n + 1) / (n + 2)
  sqrt(share * (1 - share) / n)
}

# See ?fidelity, "The yardstick". `sign` makes larger worse.
judge_scores <- function(all, splits, held, half) {
  scores <- names(score_labels)
  rows <- lapply(seq_along(scores), function(i) {
    of <- splits[splits$score == scores[i], ]
    sign <- if (score_better[i] == "lower") 1 else -1
    centre <- mean(of$real)
    allowance <- max(3 * stats::sd(of$real), max(sign * of$real) - sign * centre)
    if (scores[i] %in% score_shares) allowance <- max(allowance, 3 * share_error(centre, half))
    excess <- sign * (mean(of$synthetic) - centre)
    if (scores[i] == "auc") {
      allowance <- all$c2st$auc - all$c2st$interval[["lower"]]
      excess <- all$c2st$auc - 0.5
      centre <- 0.5
    }
    tiny <- 1e-12 * max(1, abs(centre)) # scores that do not vary over the splits
    gap <- excess / max(allowance, tiny)
    data.frame(
      score = scores[i], better = score_better[i], all = all$values[[scores[i]]],
      synthetic = mean(of$synthetic), real = mean(of$real), real_min = min(of$real), real_max = max(of$real),
      limit = centre + sign * allowance,
      holdout = if (is.null(held)) NA_real_ else held[[scores[i]]], gap = gap, alike = gap <= 1
    )
  })
  do.call(rbind, rows)
}
