#' The report: close to the law, and not a copy of the rows?
#'
#' Sets generated rows beside real ones. *Closeness* is given by several scores,
#' each beside its value for two halves of the real rows, so that one sees what
#' "as close as another sample" is; *novelty* stands beside it, since a copy of
#' the real rows wins every score of closeness; and the columns and their
#' correlations are compared one by one, to say where a difference lies. A
#' verdict in plain sentences heads the report.
#'
#' @section Scores:
#' Columns are first divided by their standard deviation in `real`. Then, with
#' the functions of the same names: [energy_distance()], [mmd()] (squared,
#' unbiased, Gaussian; the bandwidth is the median distance of up to 500 real
#' rows, the same for every comparison), [wasserstein2()] (by Sinkhorn's
#' iteration to 2 % of the mass, on `w2_rows` random rows of each table), [sliced_wasserstein()]
#' (with the same directions throughout), [c2st()] (held-out AUC of a classifier)
#' and [prdc()] (precision, recall, density, coverage).
#'
#' @section The yardstick:
#' Of each score the report gives three values: `all`, with all rows (up to
#' `max_rows` of each table); `synthetic`, with h real rows and h synthetic rows;
#' and `real`, with the same h real rows and h *other* real rows; the latter
#' two are means over `splits` random splits, h being half the real rows, or
#' fewer where the synthetic table is smaller or `half_rows` says so. The latter
#' two have equal sizes and are to be compared with each other: most scores
#' depend on the number of rows, and with fewer rows both are a little larger
#' than with all.
#'
#' A score is *alike* where `synthetic` is not worse than `limit`, the mean of
#' `real` and three of its standard deviations over the splits (or its worst
#' value, if that is farther; for precision, recall and coverage at least three
#' standard errors of a share of h rows). `gap` is the excess over the mean of `real` in
#' units of that allowance: 0 is a typical half, above 1 is beyond the limit, above
#' 4 is called far. The AUC has a yardstick of its own: it is beyond its limit
#' where its 95 % interval lies above 0.5. With `holdout`, the score of the
#' held-out rows against the real rows is shown too.
#'
#' @section Columns:
#' The Kolmogorov-Smirnov distance of a column is the largest difference of the
#' two empirical distribution functions, between 0 and 1. Its limit is that of
#' the two-sample test at level 0.01 over all columns (Bonferroni),
#' \eqn{\sqrt{\log(200 d) (1/n + 1/m) / 2}}{sqrt(log(200 d) (1/n + 1/m) / 2)},
#' and at least 0.05: below that no share of rows under any threshold is off by
#' more than five percentage points. Correlations are Spearman's; a pair differs
#' where Fisher's z does at level 0.01 over all pairs and the difference exceeds 0.1.
#' Columns that are factors, characters or logical have no part in distances:
#' the shares of their levels are compared, by a chi-squared test at level 0.01
#' over all such columns and a total variation distance above 0.05.
#'
#' @section Verdict:
#' A *copy* has at least half of its rows equal to real ones beyond what fresh
#' rows would have; *near copies* have a novelty ratio below 0.3 (see
#' [novelty()]); between 0.3 and 0.6 rows keep close; from 0.85 to 1.2 they are
#' new, and so they are called where the ratio is within three standard errors of 1.
#' *Some* rows are called copies or nearly where the duplicates are more than
#' 1 % beyond what fresh rows would have, or where the ratio of the 5th
#' percentiles is below 0.3 and more rows than by chance (three standard errors)
#' are nearer than the 5th percentile of the reference.
#' The tables are *close* where no score is beyond its limit (one of them may
#' exceed it by half: among nine, one does so by chance now and then). Where
#' scores are beyond but each column agrees, the joint law is at fault.
#'
#' @section What this cannot show:
#' All of it rests on distances between rows and on the rows at hand. It
#' cannot show that nothing about a training row can be learnt from the generated
#' ones: rows may be far from every training row in these distances and still
#' tell a value of one of them, and what is true on average may fail for a single
#' row. Nor can it show that two laws are equal: only that this many rows do not
#' tell them apart.
#'
#' @param real The rows that the generator has seen: a numeric matrix or a data
#'   frame, at least 20 rows.
#' @param synthetic Generated rows, with the same columns (matched by name where
#'   both have names), at least 20.
#' @param holdout `NULL`, or rows from the same source that the generator has not
#'   seen. Without them novelty is set against the distances of each real row to
#'   its nearest other real row.
#' @param splits Number of random splits for the yardstick, at least 2.
#' @param k Neighbours of [prdc()].
#' @param max_rows The most rows of each table for scores of all pairs, drawn at
#'   random from larger ones; `Inf` for all, at a cost of the order of its square.
#'   The distances of [novelty()] are always to *all* real rows.
#' @param half_rows,w2_rows The most rows of each half, and of each table for the
#'   Wasserstein distance.
#' @param seed Governs splits, folds and directions, so that the report is a
#'   function of its arguments. A whole number; R's stream is restored afterwards.
#'   `NULL` goes on with R's current stream.
#' @param threads,progress As in [efs_forward()].
#' @return `fidelity()`: an object of class `fidelity`, which holds no rows of the
#'   tables: a list with
#' * `verdict`: named character vector, `overall` in a few words, then sentences
#'   `novelty`, `closeness` and `where`;
#' * `scores`: a data frame, a row a score: `score`, `better` (`"lower"` or
#'   `"higher"`), `all`, `synthetic`, `real`, `real_min`, `real_max`, `limit`,
#'   `holdout`, `gap`, `alike`, and the numbers of rows `rows_real` and
#'   `rows_synthetic` (of `all`) and `rows_half`;
#' * `splits`: a data frame of both values of each score in each split;
#' * `c2st` and `novelty`: the objects that those functions return;
#' * `columns`: a data frame, a row a column: means, standard deviations and
#'   quantiles (5, 25, 50, 75, 95 %) in both tables, `shift` (difference of means
#'   over the standard deviation in `real`), `spread` (ratio of standard
#'   deviations), `ks`, its `limit` and `agrees`;
#' * `correlation`: a list with `largest` difference, its `pair`, its `real` and
#'   `synthetic` values, `agrees`, and the two matrices; `NULL` with fewer than
#'   two varying columns;
#' * `shares`: a data frame of the shares of levels, or `NULL`;
#' * `notes`, `n`, `elapsed` and `call`.
#'
#'   `summary()`: the same with all columns printed. `as.data.frame()`: `scores`.
#' @seealso [novelty()], [c2st()], [prdc()]
#' @examples
#' rows <- seq(1, 150, by = 2)
#' train <- iris[rows, 1:4]
#' new <- simulate(efs(train, calibrate = FALSE), 75, seed = 1)
#' report <- fidelity(train, new, holdout = iris[-rows, 1:4])
#' report
#' head(as.data.frame(report))
#' plot(report)
#' plot(report, type = "novelty")
#' @export
fidelity <- function(real, synthetic, holdout = NULL, splits = 5, k = 5, max_rows = 10000,
                     half_rows = 2500, w2_rows = 500, seed = 1, threads = NULL, progress = NULL) {
  began <- proc.time()[[3]]
  tables <- report_tables(real, synthetic, holdout)
  splits <- check_count(splits, "splits", 2L)
  k <- check_count(k, "k", 1L)
  max_rows <- check_number(max_rows, "max_rows", lower = 20, finite = FALSE)
  half_rows <- check_number(half_rows, "half_rows", lower = 10, finite = FALSE)
  w2_rows <- check_number(w2_rows, "w2_rows", lower = 10, finite = FALSE)
  half <- min(nrow(tables$real) %/% 2L, nrow(tables$synthetic), half_rows)
  if (k >= half) fail("`k` must be below the %d rows of a half, not %d.", half, k)
  threads <- threads_within(threads)
  state <- start_stream(seed)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))

  spread <- column_spread(tables$real)
  scaled <- lapply(tables[c("real", "synthetic", "holdout")], function(x) if (!is.null(x)) sweep(x, 2, spread, "/"))
  # Random order once: the first rows are then a random part.
  scaled <- lapply(scaled, function(x) if (!is.null(x)) x[base::sample.int(nrow(x)), , drop = FALSE])
  most <- function(x) x[seq_len(min(nrow(x), max_rows)), , drop = FALSE]
  settings <- list(
    k = k, w2_rows = w2_rows, threads = threads, directions = base::sample.int(.Machine$integer.max, 1),
    bandwidth = median_spacing(scaled$real)
  )
  bar <- progress_bar("Scores", 2 * splits + 2, progress)
  on.exit(bar$done(), add = TRUE)
  all <- all_scores(most(scaled$real), most(scaled$synthetic), settings)
  bar$tick(1)
  held <- NULL
  if (NROW(scaled$holdout) >= max(20, k + 1)) {
    held <- all_scores(most(scaled$real), most(scaled$holdout), settings)$values
  }
  bar$tick(1)
  split_values <- lapply(seq_len(splits), function(split) {
    order <- base::sample.int(nrow(scaled$real))
    first <- scaled$real[order[seq_len(half)], , drop = FALSE]
    second <- scaled$real[order[half + seq_len(half)], , drop = FALSE]
    drawn <- scaled$synthetic[base::sample.int(nrow(scaled$synthetic), half), , drop = FALSE]
    real <- all_scores(first, second, settings)$values
    bar$tick(1)
    synthetic <- all_scores(first, drawn, settings)$values
    bar$tick(1)
    data.frame(split = split, score = names(real), real = unname(real), synthetic = unname(synthetic))
  })
  split_values <- do.call(rbind, split_values)
  scores <- judge_scores(all, split_values, held, half)
  scores$rows_real <- min(nrow(scaled$real), max_rows)
  scores$rows_synthetic <- min(nrow(scaled$synthetic), max_rows)
  scores$rows_half <- half
  w2 <- scores$score == "wasserstein2"
  for (rows in c("rows_real", "rows_synthetic", "rows_half")) scores[w2, rows] <- min(scores[w2, rows], w2_rows)

  compared <- compare_novelty(most(scaled$synthetic), scaled$real, if (!is.null(scaled$holdout)) most(scaled$holdout),
                              alone = min(nrow(scaled$real), max_rows), threads = threads)
  report <- list(
    verdict = NULL, scores = scores, splits = split_values, c2st = all$c2st, novelty = compared,
    columns = compare_columns(tables$real, tables$synthetic),
    correlation = compare_correlations(tables$real, tables$synthetic),
    shares = tables$shares, notes = tables$notes,
    n = c(real = nrow(tables$real), synthetic = nrow(tables$synthetic), holdout = NROW(tables$holdout)),
    elapsed = proc.time()[[3]] - began, call = match.call()
  )
  report$verdict <- verdict_of(report)
  structure(report, class = "fidelity")
}

# ---- Tables ------------------------------------------------------------------

# Numeric columns as matrices with names; shares of the levels of the others.
report_tables <- function(real, synthetic, holdout) {
  notes <- character()
  shares <- NULL
  if (is.data.frame(real)) {
    kinds <- vapply(real, column_kind, "")
    numeric <- names(real)[kinds == "number"]
    if (length(numeric) == 0) fail("`real` has no numeric columns; at least one is needed.")
    labels <- names(real)[kinds == "label"]
    other <- names(real)[kinds == "other"]
    pick <- function(x, what) {
      if (!is.data.frame(x)) return(x)
      missing <- setdiff(numeric, names(x))
      if (length(missing)) fail("`%s` lacks the column \"%s\".", what, missing[1])
      x[numeric]
    }
    if (is.data.frame(synthetic)) {
      shares <- compare_shares(real, synthetic, intersect(labels, names(synthetic)))
      extra <- setdiff(names(synthetic), names(real))
      if (length(extra)) notes <- c(notes, sprintf("left out, as `real` lacks them: %s", quoted(extra)))
    }
    if (length(labels)) notes <- c(notes, sprintf("no part in distances, only in shares: %s", quoted(labels)))
    if (length(other)) notes <- c(notes, sprintf("left out, being neither numbers nor labels: %s", quoted(other)))
    real <- real[numeric]
    synthetic <- pick(synthetic, "synthetic")
    if (!is.null(holdout)) holdout <- pick(holdout, "holdout")
  } else if (is.data.frame(synthetic) && is.matrix(real) && !is.null(colnames(real)) &&
             all(colnames(real) %in% names(synthetic))) {
    synthetic <- synthetic[colnames(real)]
  }
  real <- check_points(real, "real", min_rows = 20L)
  if (is.null(colnames(real))) colnames(real) <- if (!is.null(colnames(synthetic))) colnames(synthetic) else paste0("x", seq_len(ncol(real)))
  list(
    real = real, synthetic = check_like(synthetic, "synthetic", real, min_rows = 20L),
    holdout = if (!is.null(holdout)) check_like(holdout, "holdout", real),
    shares = shares, notes = notes
  )
}

column_kind <- function(column) {
  if (is.numeric(column) && is.null(dim(column))) return("number")
  if (is.factor(column) || is.character(column) || is.logical(column)) "label" else "other"
}

quoted <- function(names) some(paste0("\"", names, "\""))

# A row a level: column, level, real, synthetic, and of the column its total
# variation distance and whether it agrees.
compare_shares <- function(real, synthetic, columns) {
  parts <- lapply(columns, function(column) {
    a <- as.character(real[[column]])
    b <- as.character(synthetic[[column]])
    known <- if (is.factor(real[[column]])) levels(real[[column]])
    levels <- unique(c(known, sort(unique(c(a, b)))))
    counts <- rbind(table(factor(a, levels)), table(factor(b, levels)))
    if (sum(counts[1, ]) == 0 || sum(counts[2, ]) == 0) return(NULL)
    counts <- counts[, colSums(counts) > 0, drop = FALSE]
    expected <- outer(rowSums(counts), colSums(counts)) / sum(counts)
    p <- stats::pchisq(sum((counts - expected)^2 / expected), max(1, ncol(counts) - 1), lower.tail = FALSE)
    share <- counts / rowSums(counts)
    distance <- sum(abs(share[1, ] - share[2, ])) / 2
    data.frame(column = column, level = colnames(counts), real = share[1, ], synthetic = share[2, ],
               distance = distance, agrees = p >= 0.01 / length(columns) || distance <= 0.05, row.names = NULL)
  })
  do.call(rbind, parts)
}

# ---- Scores ------------------------------------------------------------------

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

# ---- Columns -----------------------------------------------------------------

compare_columns <- function(real, synthetic) {
  n <- nrow(real)
  m <- nrow(synthetic)
  limit <- sqrt(log(200 * ncol(real)) * (1 / n + 1 / m) / 2)
  shares <- c(0.05, 0.25, 0.5, 0.75, 0.95)
  rows <- lapply(seq_len(ncol(real)), function(j) {
    a <- real[, j]
    b <- synthetic[, j]
    spread <- stats::sd(a)
    quantiles <- c(stats::quantile(a, shares, names = FALSE), stats::quantile(b, shares, names = FALSE))
    names(quantiles) <- paste0("q", sprintf("%02d", 100 * shares), "_", rep(c("real", "synthetic"), each = 5))
    ks <- kolmogorov_smirnov(a, b)
    data.frame(
      column = colnames(real)[j], mean_real = mean(a), mean_synthetic = mean(b), sd_real = spread,
      sd_synthetic = stats::sd(b), as.list(quantiles),
      shift = if (spread > 0) (mean(b) - mean(a)) / spread else NA_real_,
      spread = if (spread > 0) stats::sd(b) / spread else NA_real_,
      ks = ks, limit = max(limit, 0.05), agrees = ks <= max(limit, 0.05)
    )
  })
  do.call(rbind, rows)
}

# The largest difference of two empirical distribution functions, ties and all.
kolmogorov_smirnov <- function(a, b) {
  at <- unique(c(a, b))
  max(abs(findInterval(at, sort(a)) / length(a) - findInterval(at, sort(b)) / length(b)))
}

compare_correlations <- function(real, synthetic) {
  varies <- function(x) apply(x, 2, function(column) any(column != column[1]))
  use <- which(varies(real) & varies(synthetic))
  if (length(use) < 2) return(NULL)
  spearman <- function(x) stats::cor(apply(x[, use, drop = FALSE], 2, rank))
  a <- spearman(real)
  b <- spearman(synthetic)
  difference <- ifelse(upper.tri(a), abs(a - b), -1)
  at <- arrayInd(which.max(difference), dim(difference))
  # Fisher's z; the variance of Spearman's is 1.06 / (n - 3)
  bounded <- function(r) atanh(pmin(pmax(r, -0.9999), 0.9999))
  se <- sqrt(1.06 * (1 / (nrow(real) - 3) + 1 / (nrow(synthetic) - 3)))
  pairs <- length(use) * (length(use) - 1) / 2
  beyond <- abs(bounded(a) - bounded(b)) / se > stats::qnorm(1 - 0.005 / pairs) & difference > 0.1
  list(largest = max(difference), pair = colnames(a)[at], real = a[at], synthetic = b[at],
       agrees = !any(beyond), n_beyond = sum(beyond), matrices = list(real = a, synthetic = b))
}

# ---- Verdict -----------------------------------------------------------------

# Named sentences; the rules are in ?fidelity, "Verdict".
verdict_of <- function(report) {
  novel <- judge_novelty(report$novelty)
  gap <- stats::setNames(report$scores$gap, report$scores$score)
  beyond <- gap > 1
  close <- sum(beyond) == 0 || (sum(beyond) == 1 && max(gap) <= 1.5)
  columns_agree <- all(report$columns$agrees)
  joint <- !close && columns_agree
  overall <- if (novel$level == "copy") {
    "a copy of the real rows"
  } else if (novel$level == "near copies") {
    "nearly copies of the real rows"
  } else if (joint) {
    "the joint law is wrong, although each column is right"
  } else {
    paste0(if (close) "close" else if (max(gap) > 4) "not close" else "not quite close",
           if (close == (novel$level == "new")) " and " else ", but ",
           c(new = "new", farther = "farther from the real rows than fresh ones", some = "with near copies among the rows",
             nearer = "somewhat near the real rows", `keeps close` = "keeping close to the real rows",
             unknown = "novelty unknown")[[novel$level]])
  }
  c(overall = overall, novelty = novel$sentence,
    closeness = closeness_sentence(report, gap, close, novel$level),
    where = where_sentence(report, close, columns_agree))
}

judge_novelty <- function(x) {
  reference <- if (x$reference == "holdout") "a held-out row" else "a real row (from the other real rows)"
  surplus <- x$duplicates - x$duplicates_expected
  percent <- function(share) sprintf("%.0f %%", 100 * share)
  if (surplus >= 0.5) {
    return(list(level = "copy", sentence = sprintf(
      "It is a copy: %s of the synthetic rows equal a real row. A copy wins every score of closeness, so those below say nothing.",
      percent(x$duplicates))))
  }
  if (is.na(x$ratio)) {
    return(list(level = "unknown", sentence = "Half of the real rows or more equal another one, so distances cannot tell new rows from copies."))
  }
  distance <- sprintf("the median distance from a synthetic row to its nearest real row is %.2f times that of %s",
                      x$ratio, reference)
  nearest <- if (is.na(x$closer)) "" else sprintf(
    "; %s are nearer to a training row than to any held-out row (%s of fresh rows would be)",
    percent(x$closer), percent(x$closer_expected))
  level <- c("near copies", "keeps close", "nearer", "new", "farther")[findInterval(x$ratio, novelty_bounds) + 1]
  if (abs(log(x$ratio)) < 3 * ratio_error(x$distance)) level <- "new"
  if (level %in% c("nearer", "new", "farther") && (surplus > 0.01 || near_minority(x))) {
    return(list(level = "some", sentence = sprintf(
      "Some rows are copies or nearly: %s equal a real row, and the 5th percentile of the distances to the nearest real row is %.2f times that of %s, although the median is %.2f times%s.",
      percent(x$duplicates), x$ratio_5, reference, x$ratio, nearest)))
  }
  start <- c(
    `near copies` = "The rows are nearly copies", `keeps close` = "The rows keep close to the real ones",
    nearer = "The rows are somewhat nearer to the real ones than fresh rows", new = "The rows are new",
    farther = "The rows lie farther from the real ones than fresh rows would"
  )[[level]]
  cause <- if (level == "near copies") paste(
    " The usual cause with efs() is a softening `epsilon` far below the squared spacing of the rows:",
    "each particle is then a sink on the way back, and what starts near it ends on it; the defaults follow the spacing.",
    "A very narrow smoother does the same. What closeness there is below is that of copies.") else ""
  list(level = level, sentence = paste0(start, ": ", distance, nearest, ".", cause))
}

# Standard error of the log of the ratio of medians: half the width, on the log
# scale, between the quantiles one binomial standard error to either side.
ratio_error <- function(distance) {
  one <- function(v) {
    step <- 0.5 / sqrt(length(v))
    ends <- stats::quantile(v, pmin(pmax(0.5 + c(-1, 1) * step, 0), 1), names = FALSE)
    if (ends[1] > 0) log(ends[2] / ends[1]) / 2 else 0
  }
  sqrt(one(distance$synthetic)^2 + one(distance$reference)^2)
}

near_minority <- function(x) {
  if (!isTRUE(x$ratio_5 < novelty_bounds[["copies"]])) return(FALSE)
  v <- x$distance
  nearer <- mean(v$synthetic < stats::quantile(v$reference, 0.05))
  nearer > 0.05 + 3 * sqrt(0.05 * 0.95 * (1 / length(v$synthetic) + 1 / length(v$reference)))
}

closeness_sentence <- function(report, gap, close, level) {
  beyond <- gap > 1
  labels <- score_labels[names(gap)]
  auc <- sprintf("A classifier reaches AUC %.2f (%.2f to %.2f; 0.5 is chance)", report$c2st$auc,
                 report$c2st$interval[["lower"]], report$c2st$interval[["upper"]])
  tail <- if (report$c2st$interval[["upper"]] < 0.5) {
    paste0(auc, ", below chance because rows of the two tables come in close pairs.")
  } else if (report$c2st$interval[["lower"]] > 0.5) {
    paste0(auc, ": it can tell the tables apart", if (report$c2st$auc < 0.55) ", barely." else ".")
  } else {
    paste0(auc, ": it cannot tell the tables apart.")
  }
  if (level %in% c("copy", "near copies") && !any(beyond)) {
    start <- "The synthetic rows are as close to the real ones as another sample of real rows or closer, as every copy is."
  } else if (!any(beyond)) {
    start <- sprintf("By all %d scores the synthetic rows are as close to the real ones as another sample of real rows.", length(gap))
  } else if (close) {
    start <- sprintf("By %d of %d scores the synthetic rows are as close to the real ones as another sample of real rows; only %s is slightly beyond.",
                     sum(!beyond), length(gap), labels[beyond])
  } else {
    worst <- order(-gap)[seq_len(min(3, sum(beyond)))]
    start <- sprintf("By %d of %d scores the synthetic rows are %s from the real ones than another sample of real rows: most by %s.",
                     sum(beyond), length(gap), if (max(gap) > 4) "much farther" else "farther", join(labels[worst]))
  }
  paste(start, tail)
}

join <- function(words) {
  if (length(words) < 2) return(unname(words))
  paste(paste(words[-length(words)], collapse = ", "), "and", words[length(words)])
}

where_sentence <- function(report, close, columns_agree) {
  columns <- report$columns
  correlation <- report$correlation
  pair <- if (!is.null(correlation)) sprintf(
    "the largest difference of correlations is %.2f (\"%s\" and \"%s\": %.2f real, %.2f synthetic)",
    correlation$largest, correlation$pair[1], correlation$pair[2], correlation$real, correlation$synthetic)
  correlated <- is.null(correlation) || correlation$agrees
  worst <- columns[which.max(columns$ks), ]
  largest <- sprintf("largest Kolmogorov-Smirnov distance %.3f, limit %.3f, \"%s\"", worst$ks, worst$limit, worst$column)
  sentence <- if (!columns_agree) {
    off <- columns[!columns$agrees, ]
    off <- off[order(-off$ks), ]
    shown <- off[seq_len(min(3, nrow(off))), ]
    paste0(
      sprintf("%d of %d column%s differ%s%s: ", nrow(off), nrow(columns), if (nrow(columns) == 1) "" else "s",
              if (nrow(off) == 1) "s" else "", if (nrow(off) > 3) ", most" else ""),
      paste0(sprintf("\"%s\" (Kolmogorov-Smirnov distance %.2f%s)", shown$column, shown$ks,
                     ifelse(is.na(shown$shift), "", sprintf(", mean %+.2f sd, sd times %.2f", shown$shift, shown$spread))),
             collapse = ", "),
      if (!correlated) paste0("; ", pair), ".")
  } else if (!close) {
    paste0("Each column agrees (", largest, "), so it is the joint law that differs",
           if (is.null(pair)) "" else if (correlated) paste0(", beyond correlations: ", pair) else paste0(": ", pair), ".")
  } else if (correlated) {
    paste0("Each column agrees (", largest, ")", if (!is.null(pair)) ", and so do the correlations: ", pair, ".")
  } else {
    paste0("Each column agrees (", largest, "), but ", pair, ".")
  }
  off <- if (!is.null(report$shares)) unique(report$shares$column[!report$shares$agrees])
  if (length(off)) sentence <- paste0(sentence, sprintf(" Shares of levels differ in %s.", quoted(off)))
  sentence
}

# ---- Printing ----------------------------------------------------------------

#' @rdname fidelity
#' @param x,object A `fidelity` object.
#' @param ... Not used.
#' @export
format.fidelity <- function(x, ...) {
  held <- if (x$n[["holdout"]] > 0) sprintf(", %d held out", x$n[["holdout"]]) else ""
  wrap <- function(text) strwrap(text, width = 0.95 * getOption("width"), prefix = "  ", initial = "* ")
  c(
    sprintf("<fidelity> %d synthetic rows beside %d real rows%s, %d column%s", x$n[["synthetic"]], x$n[["real"]],
            held, nrow(x$columns), if (nrow(x$columns) == 1) "" else "s"),
    paste0("Verdict: ", x$verdict[["overall"]], "."),
    unlist(lapply(x$verdict[-1], wrap), use.names = FALSE),
    "", format_scores(x), "", format_novelty(x), unlist(lapply(x$notes, wrap))
  )
}

format_scores <- function(x) {
  s <- x$scores
  number <- function(v) {
    small <- abs(v) < 1e-3 & v != 0
    ifelse(is.na(v), "", ifelse(small, formatC(v, digits = 1, format = "e"), formatC(v, digits = 3, format = "f")))
  }
  half <- s$rows_half[s$score != "wasserstein2"][1]
  header <- c("", "all rows", sprintf("%d synthetic", half), sprintf("%d other real (range)", half))
  body <- cbind(
    paste0(score_labels[s$score], ifelse(s$better == "higher", " (+)", "")), number(s$all), number(s$synthetic),
    sprintf("%s (%s to %s)", number(s$real), number(s$real_min), number(s$real_max))
  )
  if (any(!is.na(s$holdout))) {
    header <- c(header, "held-out rows")
    body <- cbind(body, number(s$holdout))
  }
  header <- c(header, "")
  body <- cbind(body, ifelse(s$gap <= 1, "", ifelse(s$gap <= 4, "beyond", "far beyond")))
  cells <- rbind(header, body)
  for (j in seq_len(ncol(cells))) {
    cells[, j] <- if (j == 1 || j == ncol(cells)) formatC(cells[, j], width = -max(nchar(cells[, j]))) else {
      formatC(cells[, j], width = max(nchar(cells[, j])))
    }
  }
  w2 <- s[s$score == "wasserstein2", ]
  rest <- s[s$score == "energy_distance", ]
  c(
    sprintf("Closeness to %d real rows; then of samples of equal size (means of %d splits):", rest$rows_real, max(x$splits$split)),
    trimws(apply(cells, 1, paste, collapse = "  "), "right"),
    paste0("(+): higher is better; of the others lower",
           if (rest$rows_synthetic < x$n[["synthetic"]] || rest$rows_real < x$n[["real"]]) sprintf(
             ". All rows: %d real, %d synthetic, drawn at random", rest$rows_real, rest$rows_synthetic),
           if (w2$rows_real < rest$rows_real || w2$rows_synthetic < rest$rows_synthetic) sprintf(
             ". Wasserstein-2: %d real, %d synthetic rows, halves of %d", w2$rows_real, w2$rows_synthetic, w2$rows_half), ".")
  )
}

format_novelty <- function(x) {
  v <- x$novelty
  ratio <- function(r) if (is.na(r)) "not defined" else sprintf("%.2f", r)
  c(
    sprintf("Novelty (distance to the nearest real row, over %s):",
            if (v$reference == "holdout") sprintf("that of %d held-out rows", v$n[["holdout"]]) else
              "that from each real row to the other real rows, there being no `holdout`"),
    sprintf("  median %s, 5th percentile %s (1 is new, 0 is a copy); duplicates %.1f %% (fresh rows: %.1f %%)",
            ratio(v$ratio), ratio(v$ratio_5), 100 * v$duplicates, 100 * v$duplicates_expected),
    if (!is.na(v$closer)) sprintf("  nearer to a training row than to a held-out one: %.0f %% (fresh rows: %.0f %%)",
                                  100 * v$closer, 100 * v$closer_expected)
  )
}

#' @rdname fidelity
#' @export
print.fidelity <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname fidelity
#' @export
summary.fidelity <- function(object, ...) {
  structure(list(report = object), class = "summary.fidelity")
}

#' @export
print.summary.fidelity <- function(x, ...) {
  report <- x$report
  print(report)
  cat("\nColumns, from the largest Kolmogorov-Smirnov distance down:\n")
  shown <- report$columns[order(-report$columns$ks), ]
  shown <- shown[c("column", "mean_real", "mean_synthetic", "sd_real", "sd_synthetic", "q05_real", "q05_synthetic",
                   "q50_real", "q50_synthetic", "q95_real", "q95_synthetic", "ks", "agrees")]
  names(shown) <- sub("_synthetic$", "_syn", names(shown))
  print(utils::head(shown, 30), digits = 3, row.names = FALSE)
  if (nrow(shown) > 30) cat(sprintf("and %d more columns\n", nrow(shown) - 30))
  if (!is.null(report$shares)) {
    cat("\nShares of levels:\n")
    print(report$shares, digits = 2, row.names = FALSE)
  }
  cat(sprintf("\n%.1f seconds; the classifier saw: %s\n", report$elapsed, report$c2st$terms))
  invisible(x)
}

#' @rdname fidelity
#' @param row.names,optional Ignored.
#' @export
as.data.frame.fidelity <- function(x, row.names = NULL, optional = FALSE, ...) {
  x$scores
}
