# judge_of(entry) prepares the comparison of draws with the reference; judge(draws) then gives one row:
#   mean_off   largest distance of a mean from the reference's, in posterior standard deviations;
#   sd_least, sd_most   least and largest ratio of standard deviations;
#   energy     energy distance of 1000 draws from 1000 of the reference, over that between disjoint samples of 1000 of
#              the reference; means over 5 splits. It is taken on the free scale in the metric of the reference's
#              covariance, so that neither units nor correlations matter. About 1 for exact draws.
# With `heavy` (no variance): medians for means, half the distance of the 16 and 84 per cent points for deviations.

judge_of <- function(entry, size = 1000, splits = 5) {
  heavy <- isTRUE(entry$heavy)
  centre <- function(x) apply(x, 2, if (heavy) stats::median else mean)
  spread <- function(x) apply(x, 2, if (heavy) function(v) diff(stats::quantile(v, c(0.16, 0.84))) / 2 else stats::sd)
  z <- to_free_scale(entry, entry$draws)
  middle <- centre(z)
  metric <- if (heavy) diag(1 / spread(z)) else solve(chol(stats::cov(z)))
  whiten <- function(z) sweep(z, 2, middle) %*% metric
  z <- whiten(z)
  set.seed(99)
  parts <- lapply(seq_len(splits), function(i) sample(nrow(z), 2 * size))
  other <- lapply(parts, function(rows) z[rows[-seq_len(size)], , drop = FALSE])
  distance <- function(a, b) particleflow::energy_distance(a, b, method = "exact", threads = 1)
  within <- function(i) distance(z[parts[[i]][seq_len(size)], , drop = FALSE], other[[i]])
  between <- mean(vapply(seq_len(splits), within, 0))
  reference <- list(centre = centre(entry$draws), spread = spread(entry$draws))
  function(draws) {
    draws <- draws[, entry$parameters, drop = FALSE]
    off <- abs(centre(draws) - reference$centre) / reference$spread
    ratio <- spread(draws) / reference$spread
    some <- draws[if (nrow(draws) <= size) seq_len(nrow(draws)) else sample(nrow(draws), size), , drop = FALSE]
    some <- whiten(to_free_scale(entry, some))
    some <- some[rowSums(!is.finite(some)) == 0, , drop = FALSE]
    energy <- mean(vapply(other, function(b) distance(some, b), 0)) / between
    data.frame(mean_off = max(off), sd_least = min(ratio), sd_most = max(ratio), energy = energy)
  }
}

# Is a row right? And was the verdict? trusted: TRUE, FALSE, or NA where a method says nothing.
mean_limit <- 0.3
is_right <- function(row) row$mean_off <= mean_limit & row$sd_least >= 0.75 & row$sd_most <= 1 / 0.75
verdict_word <- function(row) {
  right <- is_right(row)
  ifelse(is.na(row$trusted), "", ifelse(row$trusted, ifelse(right, "ok", "FALSE OK"),
                                        ifelse(right, "false alarm", "doubted")))
}
