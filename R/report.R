#' The report: close to the law, and not a copy of the rows?
#'
#' `fidelity()` sets generated rows beside real ones. Several scores say how *close* they are; each stands beside its
#' value for two halves of the real rows, which shows what "as close as another sample" means. *Novelty* stands beside
#' them, because a copy of the real rows wins every score of closeness. The columns and their correlations are compared
#' one by one, to say where a difference lies. A verdict in sentences heads the report. If both tables are samples of
#' one law, and fewer than half of the real rows equal others, it is wrong in at most 5 % of all cases.
#'
#' @section Scores:
#' Columns are first divided by their standard deviation in both tables together. If there are other columns than
#' numbers or missing values, distances are those of [mixed_tables], with the units of both tables together. The scores
#' are those of the functions of the same names: [energy_distance()], [mmd()] (squared, unbiased, Gaussian; the
#' bandwidth is the median distance of up to 500 rows, the same for every comparison), [wasserstein2()]
#' (exact), [sliced_wasserstein()] (with the same directions throughout), [c2st()] (`auc`, the held-out AUC of a
#' classifier) and [prdc()] (`precision`, `recall`, `density`, `coverage`). `scores` takes others:
#' see [new_score()].
#'
#' @section The yardstick:
#' The report gives three values of each score. `all` compares all rows, up to `max_rows` of each table. `synthetic`
#' compares h real rows with h synthetic rows. `real` compares the same h real rows with h *other* real rows. The last
#' two are means over `splits` random splits; h is half the real rows, or fewer if the synthetic table is smaller or
#' `half_rows` says so. Compare these two with each other, because most scores depend on the number of rows. With
#' `holdout`, the score of the held-out rows against the real rows is shown too.
#'
#' @section The rule:
#' The rows of both tables are put together and dealt anew, at random, into two tables of the same sizes. This is done
#' `n_permutations` times. Each score is computed for the two tables of each deal, and for the tables as they were
#' given. If both are samples of one law, then the given tables are one more deal, like any other. This holds whatever
#' the law is, and however many rows and columns there are.
#'
#' The *limit* of a score lies so far from the middle of its deals that at most 3 % of the deals exceed the limit of any
#' score, or the limits of the correlations. All limits lie equally far from the middle, in units that reach from the
#' middle of the deals to their worst tenth (for a share of rows at least one standard error). A score is *alike* if the
#' value of the given tables does not exceed the limit. The `gap` is that value in units of the limit: 0 is the middle
#' of the deals, 1 the limit, and above 4 is called far.
#'
#' In large tables only a part of the rows is dealt, drawn at random (`rows_dealt`): of each table 100 rows for the
#' Wasserstein distance, 500 for the sliced one, 2500 for the classifier and 1000 for the other scores. Then `dealt`,
#' the value that is compared with the limit, differs from `all`.
#'
#' @section Expression tables:
#' Matrices and data frames of complete numbers with more than 50 columns and at most as many rows, sparse and delayed
#' matrices, and objects of Bioconductor that hold such a table have a report of their own, which [fidelity-expression]
#' describes. It takes `real`, `synthetic`, `holdout`, `splits`, `seed`, `threads` and the last four arguments.
#' `expression = FALSE` gives the report of this page.
#'
#' @section Columns:
#' The Kolmogorov-Smirnov distance of a column is the largest difference of the two empirical distribution functions,
#' between 0 and 1. Its limit is that of the two-sample test at level 0.01 over all d columns (Bonferroni),
#' \eqn{\sqrt{\log(200 d) (1/n + 1/m) / 2}}{sqrt(log(200 d) (1/n + 1/m) / 2)}, and at least 0.05: below that no share
#' of rows under any threshold is off by more than five percentage points. Missing values are left out here. If a
#' column has missing values, their shares are compared in a row of their own, `"age (missing)"`. The shares of the
#' levels of factors, words and logical columns are compared by a chi-squared statistic at the same level, with a
#' p-value from random tables of the same margins; they differ only if the total variation distance is above 0.05. A
#' missing value is a level here. These columns count among the d columns.
#'
#' Of a factor with more than 40 levels, the scores of closeness and the correlations see the 39 most frequent ones, and
#' all others as one level. Novelty and the shares of levels see each level.
#'
#' Correlations are Spearman's. A level of a factor counts as a column of 0 and 1, `"sex=F"`, and so do missing values
#' of numbers, which stand at the median. They are judged in the deals, together with the scores: by the largest
#' difference of Fisher's z over the pairs of columns, and by the mean of the squared differences, each in units of its
#' root mean square over the deals. A difference of correlations of at most 0.1 does not count. If there are more than
#' 200 columns, the 200 are judged that correlate most with others in both tables together.
#'
#' @section Verdict:
#' The tables are *close* if no score and no column is beyond its limit and the correlations agree. If a score or the
#' correlations are beyond, but each column agrees, the joint law is wrong. If the correlations agree and at most a
#' third of the scores are beyond, none by more than four times its limit, the tables are close but for these scores.
#'
#' A *copy* has at least half of its rows equal to real ones beyond what fresh rows would have. *Near copies* have a
#' novelty ratio below 0.3 (see [novelty()]). From 0.3 to 0.6 rows keep close, and from 0.85 to 1.2 they are new. *Some*
#' rows are called copies or nearly if the duplicates are more than 1 % beyond what fresh rows would have, or if the
#' ratio of the 5th percentiles is below 0.3.
#'
#' Each of these is said only if it is more than chance; otherwise the rows are called new. For this the distances to
#' the nearest real row are compared with those of random deals: of the synthetic and the held-out rows or, without
#' `holdout`, of all rows. Nearer and farther rows are told by the mean rank of the distances, each at a level of 0.3
#' %, and *some* near rows by the mean logarithm of the distances below the median, at 0.4 %. Equal rows need no such
#' test if some column holds measurements: no two real rows have the same value there, and most values have more than
#' six digits.
#'
#' @section False alarms:
#' If both tables (and the held-out rows) are independent samples of one law, the verdict is anything but "close and
#' new" with a probability of at most 5 %: 3 % for the scores and the correlations, 1 % for the columns, 1 % for
#' novelty. The first and the last are upper bounds for any law, because they rest on exchangeable rows alone. That of
#' the columns is a bound too, which was computed exactly for tables of 20 to 3000 rows. The script
#' `bench/report/alarms.R` in the source of the package measures the whole rate by simulation at 17 shapes: normal,
#' heavy-tailed, tied and whole numbers, few rows and up to 1000 columns.
#'
#' Tables with many equal rows are an exception. If at least half of the reference rows (those held out, or without
#' `holdout` the real ones) equal a real row, then the median distance to the nearest real row is 0, and there is no
#' ratio. The verdict then says "novelty unknown", which counts neither as an alarm nor as "close and new". It says so
#' of copies too, because nothing tells a copied row from a row that is equal by chance. Closeness is judged as
#' usual. Such tables are common: of 60 pairs of independent tables of 40 rows and 3 columns, with counts from a
#' Poisson law of mean 1, 47 had this verdict. With mean 5 none had it, and with three columns of zeros and ones all
#' had it. One column of measurements without equal values prevents it.
#'
#' A generator that has seen the real rows does not give an independent sample. The rate is that of the yardstick.
#'
#' @section What this cannot show:
#' All of it rests on distances between rows and on the rows at hand. It cannot show that nothing about a training row
#' can be learnt from the generated ones: rows may be far from every training row in these distances and still tell a
#' value of one of them, and what is true on average may fail for a single row. Nor can it show that two laws are
#' equal. It can only show that this many rows do not tell them apart.
#'
#' @param real The rows that the generator has seen: a matrix or a data frame with columns of every kind (see
#'   [mixed_tables]), at least 20 rows.
#' @param synthetic Generated rows, with the same columns, at least 20. Columns are matched by name where both have
#'   names, otherwise by position; numeric columns that one table lacks are an error. Other columns that one table lacks
#'   are left out, and a note says so.
#' @param holdout `NULL`, or rows from the same source that the generator has not seen: a table with the same
#'   columns and at least 5 rows. Below 20 rows there is a warning, because the ratios of novelty are then mostly
#'   chance, and no score of the held-out rows. Without `holdout`, novelty is set against the distances of each real row
#'   to its nearest other real row.
#' @param splits How often the real rows are divided at random into halves for the yardstick: a whole number from 2 to
#'   1000. `NULL`: 5, and 10 for expression tables. More splits make the columns `synthetic` and `real` of the scores
#'   less random. The verdict does not use them.
#' @param k The number of neighbours of [prdc()]: a whole number of at least 1 and below the number of rows of a half.
#' @param max_rows The most rows of each table that any score is computed from: a number of at least 20, or `Inf` for
#'   all. From larger tables rows are drawn at random, and `print()` says how many. Time grows with the square of this
#'   number. The distances of novelty are measured for at most `max_rows` synthetic and held-out rows, but always to
#'   *all* real rows, so that of a million rows they take most of the time.
#' @param half_rows The most rows of each half in the splits: a number of at least 10, or `Inf`. A half never has more
#'   than half of the real rows, nor more than all synthetic rows.
#' @param w2_rows The most rows of each table for the Wasserstein distance, whose time grows fastest: a number of at
#'   least 10, or `Inf`. More than `max_rows` or `half_rows` are never used.
#' @param n_permutations The number of random deals, a whole number of at least 99. More deals make the limits less
#'   random.
#' @param scores `NULL` for all scores of the package, or a list of scores made by [new_score()]; `fidelity_scores()`
#'   returns those of the package.
#' @param seed Governs splits, folds, directions and deals, so that the report is a
#'   function of its arguments. A whole number, which means the same whatever [RNGkind()] is set; R's stream is restored
#'   afterwards. `NULL` goes on with R's current stream.
#' @param threads As in [efs_forward()].
#' @param progress `TRUE` shows a progress bar, `FALSE` does not, and `NULL` does in an interactive session. With `NULL`
#'   a script prints one message after 5 seconds that foretells the time, if more than a minute is left.
#' @param classifier The classifier of [c2st()]. The default, `"both"`, is quick, because its deals share most of the
#'   work. `"forest"` sees more differences in tables with factors, but takes some 30 seconds or more: in the deals,
#'   each of its forests has 100 trees and sees 250 rows of each table.
#' @param group For expression tables, the classes of the samples: the name of a column (of data frames, of `colData()`
#'   or of `pData()`), a list of vectors with the names `real`, `synthetic` and `holdout`, or a vector for the real
#'   samples if the other tables have the attribute `"group"`, as those of [simulate()][simulate.gene_synthesis] do.
#' @param counts,assay.type For expression tables, as in [synthesise()].
#' @param expression Whether the tables are expression tables. `NULL`: as said in "Expression tables".
#' @return `fidelity()`: an object of class `gene_fidelity` for expression tables, see [fidelity-expression]. For other
#'   tables an object of class `fidelity`, which holds no rows of the tables: a list with
#' * `verdict`: named character vector, `overall` in a few words, then sentences
#'   `novelty`, `closeness` and `where`;
#' * `scores`: a data frame with one row per score. `score` is its name, `label` its name in print, and `better` says
#'   which values are close (`"lower"` or `"higher"`). `all`, `synthetic` and `real` are described in "The yardstick";
#'   `real_min` and `real_max` are the smallest and the largest `real` value of a split; `holdout` compares held-out
#'   rows with real ones (`NA` without them, with fewer than 20, or with at most `k`). `dealt`, `limit`, `gap` and
#'   `alike` are described in "The rule"; `low`, `middle` and `high` are the 5, 50 and 95 % points of the deals.
#'   `rows_real` and `rows_synthetic` say how many rows `all` was computed from, `rows_half` how many each half had at
#'   most, and `rows_dealt` how many rows of the larger table were dealt;
#' * `splits`: a data frame of both values of each score in each split;
#' * `c2st` and `novelty`: the objects that those functions return; `alarms`: which differences of the distances are
#'   more than chance (`nearer`, `farther`, `some` nearer; `FALSE` where the ratios are those of new rows), and
#'   whether equal rows cannot be chance (`copied`);
#' * `columns`: a data frame with one row per column: means, standard deviations and
#'   quantiles (5, 25, 50, 75, 95 %) in both tables, `shift` (difference of means
#'   over the standard deviation in `real`), `spread` (ratio of standard
#'   deviations), `ks`, its `limit` and `agrees`;
#' * `correlation`: a list with `largest` difference, its `pair`, its `real` and
#'   `synthetic` values, `agrees`, `n_beyond` (pairs beyond the limit), and the two matrices; `NULL` with fewer than
#'   two varying columns;
#' * `shares`: a data frame of the shares of levels, or `NULL`;
#' * `notes`, `n`, `n_columns`, `n_permutations`, `elapsed`, `call`, and texts of the scores (`said`, `details`).
#'
#'   `summary()`: the same with all columns printed. `as.data.frame()`: `scores`.
#' @references
#' Westfall PH, Young SS (1993). Resampling-based multiple testing. Wiley. (One limit for many statistics.)
#'
#' Wei F, Dudley RM (2012). Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities. \doi{10.1016/j.spl.2011.11.012}
#' @seealso [fidelity-expression], [new_score()], [novelty()], [c2st()], [prdc()]
#' @examples
#' rows <- seq(1, 150, by = 2)
#' train <- iris[rows, 1:4]
#' new <- simulate(efs(train, calibrate = FALSE), 75, seed = 1)
#' report <- fidelity(train, new, holdout = iris[-rows, 1:4])
#' report
#' head(as.data.frame(report))
#' plot(report)
#' plot(report, type = "novelty")
#' @order 1
#' @export
fidelity <- function(real, synthetic, holdout = NULL, splits = NULL, k = 5, max_rows = 10000,
                     half_rows = 2500, w2_rows = 500, n_permutations = 199, scores = NULL, seed = 1,
                     threads = NULL, progress = NULL, classifier = c("both", "knn", "quadratic", "forest"),
                     group = NULL, counts = NULL, assay.type = NULL, expression = NULL) {
  began <- proc.time()[[3]]
  call <- record_call(match.call(), "fidelity")
  if (reads_expression(real, expression, group, counts = counts, assay.type = assay.type)) {
    refuse_usual(names(call))
    return(judge_genes(real, synthetic, holdout, group, counts, assay.type, splits, seed, threads, call))
  }
  classifier <- chosen_classifier(check_choice(classifier, classifiers, "classifier"))
  scores <- fewer_forests(check_scores(scores), classifier)
  tables <- report_tables(real, synthetic, holdout)
  control <- report_control(tables, splits, k, max_rows, half_rows, w2_rows, n_permutations)
  control$threads <- threads_within(threads)
  stream_within(seed, fixed = TRUE)
  warn_holdout(tables$holdout)

  shuffled <- shuffle_tables(tables)
  # in units of both tables together, because a unit of the real rows alone would tell the tables apart
  scaled <- report_units(shuffled, tables$layout, rbind(tables$real, tables$synthetic))
  pooled <- pool_levels(scaled, tables$layout)
  close <- pooled$tables
  settings <- c(score_settings(close, control), list(layout = pooled$layout, classifier = classifier))
  work <- report_work(tables, control)
  units <- sum(work * c(1, 1, 2 * control$splits + length(scores) + 1, 1))
  bar <- progress_bar("Scores", units, progress)
  on.exit(bar$done(), add = TRUE)
  bar$tick <- telling_tick(bar$tick, units, progress, "fidelity()")
  all <- all_scores(scores, first_rows(close$real, max_rows), first_rows(close$synthetic, max_rows), settings)
  bar$tick(work[["all"]])
  held <- if (NROW(scaled$holdout) >= max(fewest_held[["told"]], k + 1)) {
    all_scores(scores, first_rows(close$real, max_rows), first_rows(close$holdout, max_rows), settings)
  }
  bar$tick(work[["held"]])
  split_values <- split_scores(scores, close, control, settings, bar$tick)
  judged <- judge_deals(scores, close, settings, control$n_permutations, bar$tick)
  novelty <- report_novelty(shuffled, tables$layout, scaled, control)
  bar$tick(work[["novelty"]])

  single <- lapply(tables[c("real", "synthetic")], single_coordinates, tables$layout)
  ranked <- if (is.null(tables$layout)) tables else close
  n_columns <- ncol(single$real) + length(unique(tables$shares$column))
  report <- list(
    verdict = NULL, scores = score_table(scores, all, held, split_values, judged, close, control),
    splits = split_values, novelty = novelty$compared, alarms = novelty$alarms,
    columns = compare_columns(single$real, single$synthetic, n_columns),
    correlation = judge_correlations(compare_correlations(ranked$real, ranked$synthetic), judged),
    shares = judge_shares(tables$shares, n_columns), notes = tables$notes,
    n = c(real = nrow(tables$real), synthetic = nrow(tables$synthetic), holdout = NROW(tables$holdout)),
    n_columns = tables$n_columns, n_permutations = control$n_permutations, elapsed = NULL, call = call
  )
  report <- c(report, kept_objects(scores, all), score_texts(scores, all, report))
  report$verdict <- verdict_of(report)
  report$elapsed <- proc.time()[[3]] - began
  structure(report, class = "fidelity")
}

# The arguments of fidelity() that are numbers, checked. half: the rows of a half.
report_control <- function(tables, splits, k, max_rows, half_rows, w2_rows, n_permutations) {
  control <- list(
    splits = check_splits(splits, 5L), k = check_count(k, "k", 1L),
    max_rows = check_number(max_rows, "max_rows", lower = 20, finite = FALSE),
    w2_rows = check_number(w2_rows, "w2_rows", lower = 10, finite = FALSE),
    n_permutations = check_count(n_permutations, "n_permutations", 99L)
  )
  half_rows <- check_number(half_rows, "half_rows", lower = 10, finite = FALSE)
  control$half <- min(nrow(tables$real) %/% 2L, nrow(tables$synthetic), half_rows)
  if (k >= control$half) fail("`k` must be below the %d rows of a half, not %d.", control$half, control$k)
  rows <- min(nrow(tables$real), max_rows) + min(nrow(tables$synthetic), max_rows)
  check_memory(4 * 8 * rows * control$n_permutations, sprintf("`n_permutations` = %d", control$n_permutations),
               "give fewer `n_permutations` or a smaller `max_rows`")
  control
}

# The work of the parts of a report in units of that of all scores of two halves, which grows with the square of their
# rows: the scores of all rows, and of the held-out ones; a unit itself; and novelty. The share of novelty was measured.
report_work <- function(tables, control) {
  rows <- function(x) as.double(min(NROW(x), control$max_rows))
  all <- function(x) if (NROW(x)) max(rows(tables$real) * rows(x) / control$half^2, 1) else 0
  c(all = all(tables$synthetic), held = all(tables$holdout), half = 1,
    novelty = max(novelty_work * nrow(tables$real) * (rows(tables$synthetic) + rows(tables$real)) / control$half^2, 1))
}

novelty_work <- 0.05

# Rows come in random order once, so that the first rows are a random part.
shuffle_tables <- function(tables) {
  lapply(tables[c("real", "synthetic", "holdout")], function(x) {
    if (!is.null(x)) x[base::sample.int(nrow(x)), , drop = FALSE]
  })
}

# The comparison of novelty(), and which differences from fresh rows are more than chance.
report_novelty <- function(tables, layout, scaled, control) {
  own <- report_units(tables, layout, tables$real)
  most <- control$max_rows
  compared <- compare_novelty(first_rows(own$synthetic, most), own$real,
                              if (!is.null(own$holdout)) first_rows(own$holdout, most),
                              alone = min(nrow(own$real), most), threads = control$threads)
  alarms <- c(nearer = FALSE, farther = FALSE, some = FALSE)
  if (may_alarm(compared)) alarms <- novelty_alarms(compared, scaled, most, control$threads)
  list(compared = compared, alarms = c(alarms, copied = never_equal(tables$real)))
}

# The scores with fewer rows in the deals if the classifier is a forest, which is slow.
fewer_forests <- function(scores, classifier) {
  if (classifier == "forest" && !is.null(scores$auc)) scores$auc$deal_rows <- min(scores$auc$deal_rows, 250)
  scores
}

# Objects of scores that the report keeps under their own names.
kept_objects <- function(scores, all) {
  kept <- Filter(function(score) !is.null(score$kept), scores)
  stats::setNames(lapply(kept, function(score) attr(all[[score$name]], "object")), vapply(kept, `[[`, "", "kept"))
}
