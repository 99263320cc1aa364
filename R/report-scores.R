# The scores of the report, the halves of the real rows beside them, and the rule by which they are judged.

# usual: the number of splits that NULL means.
check_splits <- function(splits, usual) {
  splits <- check_count(if (is.null(splits)) usual else splits, "splits", 2L)
  if (splits > most_splits) stop_size("`splits` is %d, which would take hours; give at most %d.", splits, most_splits)
  splits
}

most_splits <- 1000L

# The level of all scores and of the correlations together.
closeness_level <- 0.03

# What the values of the scores are computed with, the same for all comparisons of a report. scaled: list(real,
# synthetic) in random order.
score_settings <- function(scaled, control) {
  list(
    k = control$k, max_rows = control$max_rows, w2_rows = control$w2_rows, threads = control$threads,
    seed = base::sample.int(.Machine$integer.max, 1), bandwidth = median_spacing(rbind(scaled$real, scaled$synthetic)),
    memo = NULL
  )
}

# The median distance of up to `most` rows of both tables: one bandwidth for all comparisons.
median_spacing <- function(x, most = 500) {
  distance <- stats::dist(x[base::sample.int(nrow(x), min(nrow(x), most)), , drop = FALSE])
  middle <- stats::median(distance)
  if (middle > 0) middle else max(mean(distance), 1e-8)
}

# All scores of two tables: a list of numbers, named by the scores, with what some of them keep as attributes.
all_scores <- function(scores, x, y, settings) {
  settings$memo <- new.env()
  lapply(scores, score_value, x, y, settings)
}

# One row per score and split: the value for two halves of the real rows, and for the first of them and as many
# synthetic rows.
split_scores <- function(scores, scaled, control, settings, tick) {
  half <- control$half
  parts <- lapply(seq_len(control$splits), function(split) {
    order <- base::sample.int(nrow(scaled$real))
    first <- scaled$real[order[seq_len(half)], , drop = FALSE]
    second <- scaled$real[order[half + seq_len(half)], , drop = FALSE]
    drawn <- scaled$synthetic[base::sample.int(nrow(scaled$synthetic), half), , drop = FALSE]
    real <- unlist(lapply(all_scores(scores, first, second, settings), as.double))
    tick(1)
    synthetic <- unlist(lapply(all_scores(scores, first, drawn, settings), as.double))
    tick(1)
    data.frame(split = split, score = names(scores), real = unname(real), synthetic = unname(synthetic))
  })
  do.call(rbind, parts)
}

# The deals of all scores and of the correlations, and their limits. `values`: [1 + deals, scores]; `limits`: one row
# per score; `pair_limits`: those of the two statistics of the correlations, no row if there are none.
judge_deals <- function(scores, scaled, settings, n_deals, tick) {
  caps <- pmin(vapply(scores, `[[`, 0, "deal_rows"), settings$max_rows)
  deals <- new_deals(scaled$real, scaled$synthetic, c(caps, most_correlated$rows), n_deals)
  memo <- lapply(split(caps, caps), function(cap) new.env()) # what scores with equally many rows have in common
  values <- vapply(scores, function(score) {
    cap <- caps[[score$name]]
    settings$memo <- memo[[as.character(cap)]]
    own <- fewer_deals(deals, cap)
    value <- score_deals(score, own$pooled, own$first, settings)
    tick(1)
    value
  }, numeric(1 + n_deals))
  sign <- ifelse(vapply(scores, `[[`, "", "better") == "lower", 1, -1)
  correlation <- correlation_deals(fewer_deals(deals, most_correlated$rows))
  tick(1)
  rows <- cbind(real = pmin(caps, nrow(scaled$real)), synthetic = pmin(caps, nrow(scaled$synthetic)))
  limits <- deal_limits(cbind(sweep(values, 2, sign, "*"), correlation$statistics), closeness_level,
                        c(least_units(scores, values, rows), if (!is.null(correlation)) c(0, 0)))
  own <- seq_along(scores)
  list(values = values, limits = limits[own, ], pair_limits = limits[-own, ], sign = sign, rows = rows,
       correlation = correlation)
}

# For shares of rows their standard error, because shares of few rows jump from value to value; otherwise 0.
least_units <- function(scores, values, rows) {
  error <- share_error(apply(values, 2, stats::median), apply(rows, 1, min))
  ifelse(vapply(scores, `[[`, NA, "share"), error, 0)
}

# Standard error of a share of n rows, above 0 for shares of 0 and 1 too.
share_error <- function(share, n) {
  share <- pmin(pmax((share * n + 1) / (n + 2), 0), 1)
  sqrt(share * (1 - share) / n)
}

# The table of scores: see ?fidelity.
score_table <- function(scores, all, held, splits, judged, scaled, control) {
  of <- function(what, f) vapply(names(scores), function(name) f(splits[[what]][splits$score == name]), 0)
  range <- apply(judged$values, 2, stats::quantile, c(0.05, 0.5, 0.95), names = FALSE)
  limits <- judged$limits
  most <- vapply(scores, function(score) if (is.character(score$rows)) control[[score$rows]] else score$rows, 0)
  most <- pmin(most, control$max_rows)
  data.frame(
    score = names(scores), better = vapply(scores, `[[`, "", "better"),
    all = vapply(all, as.double, 0), synthetic = of("synthetic", mean), real = of("real", mean),
    real_min = of("real", min), real_max = of("real", max),
    holdout = if (is.null(held)) NA_real_ else vapply(held, as.double, 0),
    dealt = judged$values[1, ], low = range[1, ], middle = range[2, ], high = range[3, ],
    limit = judged$sign * limits$limit, gap = limits$gap, alike = limits$gap <= 1,
    rows_real = pmin(most, nrow(scaled$real)), rows_synthetic = pmin(most, nrow(scaled$synthetic)),
    rows_half = pmin(most, control$half), rows_dealt = apply(judged$rows, 1, max),
    label = vapply(scores, `[[`, "", "label"), row.names = NULL
  )
}
