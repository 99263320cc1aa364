# Several synthetic tables beside each other.

#' Compare several synthetic tables
#'
#' Puts tables of several generators, from any package, into one table: how easily a classifier tells them from the real
#' rows, how new their rows are, how well their columns and pairs of columns agree, and how useful they are.
#'
#' Read `auc`, `energy`, `margins` and `associations` together with `novelty`, because a copy of the training rows wins
#' all of them. With `holdout`, the first row of the table is that of the held-out rows. It shows what another sample of
#' real rows reaches. A good table comes near it in all columns. Scores such as `energy` depend on the number of rows,
#' so the held-out rows are a yardstick only for tables of about as many rows. Differences between generators that are
#' smaller than the interval of the AUC are mostly chance: one synthetic table of each generator is compared, not the
#' generator.
#'
#' @section Expression tables:
#' If `train` is an expression table (see [fidelity-expression]), each table is judged by the report on expression
#' tables. The first row, `"real halves"`, is that of random halves of all real samples. The columns are then `table`;
#' `auc`, that of a random forest; `novelty` and `duplicates`; `genes`, `gene_pairs` and `samples`, the means of the
#' ratios of the distances to those of halves (1 is as near as halves are to each other), over the properties of genes,
#' of pairs of genes, and of samples and their pairs; `beyond`, the number of properties by which the table is farther
#' than halves; and `rows`. `target` and `classifier` are then an error. Name a column of classes by `group`: a table
#' with another column that is not a number is no expression table. The usual comparison of hundreds of columns takes
#' minutes, because usefulness takes each in turn; `target = FALSE` leaves it out.
#'
#' @param train The real rows that the generators have seen: a matrix or a data frame with columns of every kind (see
#'   [mixed_tables]), at least 20 rows.
#' @param tables A named list of synthetic tables with the same columns, each of at least 20 rows.
#' @param holdout `NULL`, or at least 20 real rows that the generators have not seen.
#' @param target The targets of [usefulness()], which needs `holdout`: names of columns, `NULL` for each column in turn,
#'   or `FALSE` to leave usefulness out.
#' @param classifier The classifier of [c2st()].
#' @param seed Governs folds, splits and forests, so that the result is a function of the arguments: a whole number.
#' @param threads As in [efs_forward()].
#' @param ... For expression tables: `group`, `counts`, `assay.type`, `splits` (5 by default) and `expression` of
#'   [fidelity()]. If `train` is no table, the whole call goes to the `compare()` of another attached package that
#'   this function masks, such as testthat.
#' @return A data frame of class `compared_tables` with one row per table, and the columns
#' * `table`: the name, `"held-out rows"` for `holdout`;
#' * `auc`, `auc_lower`, `auc_upper`: [c2st()] against `train`, with the 95 % interval (0.5 is best);
#' * `novelty`, `novelty_5`, `duplicates`: [novelty()], median and 5th percentile (1 is as new as fresh rows), and the
#'   share of rows that equal a training row. The held-out rows are set against the training rows among themselves.
#' * `energy`: [energy_distance()] to `train` in the distances of [mixed_tables], at least 0. Columns of plain numbers
#'   are divided by their standard deviation in `train`;
#' * `margins`: the mean distance of columns, [margin_distances()], between 0 and 1 (0 is best);
#' * `associations`: the mean absolute difference of [associations()] (0 is best, `NA` for one column);
#' * `usefulness`: the mean loss of [usefulness()], each as a share of what can be reached beyond chance: \eqn{(\max(r,
#'   c) - \max(s, c)) / (1 - c)}{(max(r, c) - max(s, c)) / (1 - c)} for the measure \eqn{r} of the real rows, \eqn{s} of
#'   the synthetic rows, and \eqn{c} by chance (0: as useful as the training rows; `NA` without `holdout`);
#' * `rows`: the number of rows.
#' @seealso [`plot()`][plot.compared_tables()]; [fidelity()], which compares one table more thoroughly.
#' @examples
#' rows <- seq(1, 150, by = 2)
#' train <- iris[rows, ]
#' tables <- list(copy = train, shuffled = as.data.frame(lapply(train, sample)))
#' result <- compare(train, tables, iris[-rows, ], target = FALSE, classifier = "knn")
#' result
#' plot(result)
#' @export
compare <- function(train, tables, holdout = NULL, target = NULL, classifier = NULL, seed = 1, threads = NULL, ...) {
  masked <- if (missing(train) || length(dim(train)) != 2) masked_function("compare")
  if (!is.null(masked)) return(eval_call(masked, sys.call(), parent.frame()))
  check_dots("compare()", ..., allowed = gene_arguments)
  check_compared(tables)
  seed <- check_count(seed, "seed", 0L)
  given <- list(...)
  genes <- reads_expression(train, given$expression, given$group, counts = given$counts, assay.type = given$assay.type,
                            splits = given$splits)
  if (genes) return(compare_genes(train, tables, holdout, target, classifier, seed, threads, given))
  threads <- thread_count(threads)
  useful <- !is.null(holdout) && !identical(target, FALSE)
  judge <- function(name, table, fresh = holdout) {
    compare_one(train, table, name, fresh, if (useful && !is.null(fresh)) list(target), classifier, seed, threads)
  }
  rows <- Map(judge, names(tables), tables)
  if (!is.null(holdout)) rows <- c(list(judge(held_out_name, holdout, NULL)), rows)
  structure(do.call(rbind, unname(rows)), class = c("compared_tables", "data.frame"), train = nrow(train))
}

check_compared <- function(tables) {
  good <- is.list(tables) && !is.data.frame(tables) && length(tables) && !is.null(names(tables)) &&
    all(nzchar(names(tables))) && !anyDuplicated(names(tables))
  if (!good) fail("`tables` must be a list of synthetic tables with different names, not %s.", describe(tables))
}

# One row. target: NULL for no usefulness, otherwise list(target).
compare_one <- function(train, table, name, holdout, target, classifier, seed, threads) {
  said <- function(value) in_table(name, value)
  told <- said(c2st(train, table, classifier, seed = seed, threads = threads))
  suppressMessages({
    new <- said(novelty(table, train, holdout, threads = threads))
    scaled <- said(scaled_tables(train, table))
    margins <- margin_distances(train, table, 1, seed)
    pairs <- if (nrow(margins) > 1) associations(train, table, 1, seed)
    use <- if (!is.null(target)) said(usefulness(train, table, holdout, target[[1]], seed, threads))
  })
  data.frame(
    table = name, auc = told$auc, auc_lower = told$interval[["lower"]], auc_upper = told$interval[["upper"]],
    novelty = new$ratio, novelty_5 = new$ratio_5, duplicates = new$duplicates,
    energy = energy_distance(scaled$train, scaled$table, threads = threads),
    margins = mean(margins$distance),
    associations = if (is.null(pairs)) NA_real_ else mean(abs(pairs$difference), na.rm = TRUE),
    usefulness = if (is.null(use)) NA_real_ else mean_loss(use), rows = nrow(table)
  )
}

# The tables as matrices in units of the training rows.
scaled_tables <- function(train, table) {
  judged <- read_judged(list(train = train, table = table), 2L)
  lapply(report_units(judged$points, judged$layout, judged$points$train), unname)
}

#' @rdname compare
#' @param x A `compared_tables` object.
#' @export
print.compared_tables <- function(x, ...) {
  check_dots("print()", ...)
  genes <- halves_name %in% x$table
  count <- sum(!x$table %in% c(held_out_name, halves_name))
  cat(sprintf("<compared_tables> %d table%s beside %s training %s\n", count, if (count == 1) "" else "s",
              format(attr(x, "train")), if (genes) "samples" else "rows"))
  columns <- c("table", comparison_columns, "beyond", "duplicates", "rows")
  shown <- as.data.frame(unclass(x)[intersect(names(x), columns)])
  shown <- shown[vapply(shown, function(values) !all(is.na(values)), NA)]
  print(shown, digits = 3, row.names = FALSE)
  more <- if (genes) halves_words else if (!held_out_name %in% x$table) no_holdout_words
  cat(wrap_lines(c(best_words(names(shown)), more)), sep = "\n")
  invisible(x)
}

# What the best value of each column that is shown is.
best_words <- function(shown) {
  zero <- intersect(c("energy", "margins", "associations", "usefulness"), shown)
  zero[zero == "usefulness"] <- "usefulness (mean loss)"
  one <- intersect(c("genes", "gene_pairs", "samples"), shown)
  words <- c("auc 0.5", "novelty 1 (0 is a copy)", paste(enumerated(zero), 0), paste(enumerated(one), 1))
  there <- c("auc" %in% shown, "novelty" %in% shown, length(zero) > 0, length(one) > 0)
  sprintf("Best: %s.", paste(words[there], collapse = "; "))
}

enumerated <- function(words) sub(", ([^,]*)$", " and \\1", paste(words, collapse = ", "))

held_out_name <- "held-out rows"

no_holdout_words <- paste("Without `holdout`, usefulness is left out, and no row shows what another sample of real",
                          "rows reaches.")

halves_words <- paste("Distances of genes, of pairs of genes and of samples are ratios to those of halves of the real",
                      "samples; beyond: by how many properties the table is farther than these.")

comparison_columns <- c("auc", "novelty", "energy", "margins", "associations", "usefulness", "genes", "gene_pairs",
                        "samples")

# What a perfect table has in each column.
comparison_best <- c(auc = 0.5, novelty = 1, energy = 0, margins = 0, associations = 0, usefulness = 0,
                     genes = 1, gene_pairs = 1, samples = 1)
