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
#' @param synthetic Generated rows, with the same numeric columns, at least 20. Columns are matched by name where both
#'   have names, otherwise by position; numeric columns that are missing or unknown are an error. Columns of labels may
#'   be missing.
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
  state <- stream_within(seed)

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
    elapsed = proc.time()[[3]] - began, call = record_call(match.call(), "fidelity")
  )
  report$verdict <- verdict_of(report)
  structure(report, class = "fidelity")
}

# Numeric columns as matrices with names; shares of the levels of the others.
report_tables <- function(real, synthetic, holdout) {
  tables <- c(list(real = real, synthetic = synthetic), if (!is.null(holdout)) list(holdout = holdout))
  tables <- stats::setNames(Map(plain_table, tables, names(tables)), names(tables))
  kinds <- lapply(tables, function(x) if (is.data.frame(x)) vapply(x, report_kind, "", USE.NAMES = FALSE))
  numbers <- if (is.null(kinds$real)) colnames(tables$real) else names(real)[kinds$real == "number"]
  if (!is.null(kinds$real) && !length(numbers)) fail("`real` has no numeric columns; at least one is needed.")
  measured <- Map(function(x, kind) {
    if (is.null(kind)) x else drop_columns(x, which(kind != "number" & !names(x) %in% numbers))
  }, tables, kinds)
  points <- read_alike(measured, c(20L, 20L, 1L)[seq_along(measured)])
  names <- colnames(points$real)
  if (is.null(names)) colnames(points$real) <- paste0("x", seq_len(ncol(points$real)))
  c(points[c("real", "synthetic")], list(holdout = points$holdout), report_labels(tables, kinds))
}

# shares: of the levels of columns that are labels in both tables; notes: what has no part in distances.
report_labels <- function(tables, kinds) {
  of_kind <- function(table, which) names(tables[[table]])[kinds[[table]] %in% which]
  labels <- of_kind("real", "label")
  both <- if (!is.null(kinds$synthetic)) intersect(labels, names(tables$synthetic))
  extra <- if (!is.null(kinds$real)) setdiff(of_kind("synthetic", c("label", "other")), names(tables$real))
  note <- function(said, names) if (length(names)) paste0(said, ": ", quoted(names))
  list(
    shares = if (length(both)) compare_shares(tables$real, tables$synthetic, both),
    notes = c(
      note("left out, as `real` lacks them", extra),
      note("no part in distances, only in shares", both),
      note("left out, as `synthetic` lacks them", setdiff(labels, both)),
      note("left out, being neither numbers nor labels", of_kind("real", "other"))
    )
  )
}

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
