# The columns of two tables compared one by one, and pair by pair, beside two halves of the real rows.

#' Margins and associations, real and synthetic
#'
#' `margin_distances()` compares the columns of two tables one by one. `associations()` compares how strongly each pair
#' of columns depends on each other. Both put beside each value the one for two halves of the real rows, which shows how
#' large differences are by chance alone.
#'
#' The *distance* of a column of numbers, dates, times or ordered levels is that of Kolmogorov and Smirnov: the largest
#' difference of the two empirical distribution functions of the values that are not missing. For other columns it is
#' the total variation distance, half the sum of the absolute differences of the shares of levels. A missing value is a
#' level there. Both lie between 0 and 1.
#'
#' The *association* of two columns of numbers (dates, times, ordered levels) is the correlation of their normal scores,
#' between -1 and 1, over the rows in which both are there. For two columns of levels it is Cramer's V, and for a column
#' of each kind the correlation ratio eta of the normal scores, both between 0 and 1. V and eta are larger than 0 by
#' chance too, the more so the more levels there are and the fewer rows; halves of the real rows show how much. The
#' association is `NA` if a column does not vary.
#'
#' `splits` times h real rows are compared with h synthetic rows (`synthetic` or `apart`), and the same h real rows with
#' h *other* real rows (`real` or `halves`). h is half the real rows, or the synthetic rows if they are fewer. Compare
#' these two with each other. The values are means over the splits.
#'
#' Columns that agree one by one and pair by pair may still depend on each other in other ways, three at a time or not
#' monotonically. [c2st()] and [energy_test()] see such differences. Neither function says anything about copies: see
#' [novelty()].
#'
#' @param real,synthetic Matrices or data frames with the same columns of every kind, at least 4 rows each: see
#'   [mixed_tables].
#' @param splits How often the real rows are halved, at least 1.
#' @param seed `NULL` goes on with R's current stream; a whole number is given to [set.seed()] first, and the stream is
#'   restored afterwards.
#' @return `margin_distances()`: a data frame with one row per column: `column`, `measure` (`"KS"` or `"TV"`),
#'   `distance` (all rows), `synthetic`, `real`, `missing_real` and `missing_synthetic` (shares of missing values).
#'
#'   `associations()`: a data frame with one row per pair of columns: `first`, `second`, `measure` (`"correlation"`,
#'   `"V"` or `"eta"`), `real`, `synthetic`, `difference` (synthetic less real), `apart` and `halves` (means of absolute
#'   differences).
#'
#'   Both keep the two tables as the attribute `"tables"`, which [`plot()`][plot.margin_distances] shows. Think of this
#'   before you share them.
#' @seealso [`plot()`][plot.margin_distances], [fidelity()], [compare()], [usefulness()]
#' @examples
#' real <- iris[c(TRUE, FALSE), ]
#' margin_distances(real, iris[c(FALSE, TRUE), ])
#' associations(real, iris[c(FALSE, TRUE), ])
#' @export
margin_distances <- function(real, synthetic, splits = 5, seed = 1) {
  judged <- with_layout(read_judged(list(real = real, synthetic = synthetic), 4L))
  tell_left_out(judged$left_out)
  splits <- check_count(splits, "splits", 1L)
  found <- split_figures(judged$points, splits, seed, function(a, b) column_gaps(a, b, judged$layout))
  columns <- unique(judged$layout$column)
  gone <- function(points) vapply(columns, function(column) missing_share(points, judged$layout, column), 0)
  new_printed(data.frame(
    column = columns, measure = ifelse(are_levels(judged$layout, columns), "TV", "KS"), distance = found$all,
    synthetic = found$synthetic, real = found$real, missing_real = gone(judged$points$real),
    missing_synthetic = gone(judged$points$synthetic), row.names = NULL
  ), "margin_distances", list(real = real, synthetic = synthetic))
}

#' @rdname margin_distances
#' @export
associations <- function(real, synthetic, splits = 5, seed = 1) {
  judged <- with_layout(read_judged(list(real = real, synthetic = synthetic), 4L))
  tell_left_out(judged$left_out)
  splits <- check_count(splits, "splits", 1L)
  columns <- unique(judged$layout$column)
  if (length(columns) < 2) fail("`real` has one column; associations need at least 2.")
  of <- function(points) association_of_pairs(points, judged$layout)
  found <- split_figures(judged$points, splits, seed, function(a, b) abs(of(a) - of(b)))
  pairs <- utils::combn(length(columns), 2)
  levels <- are_levels(judged$layout, columns)
  a <- of(judged$points$real)
  b <- of(judged$points$synthetic)
  new_printed(data.frame(
    first = columns[pairs[1, ]], second = columns[pairs[2, ]],
    measure = pair_measure(levels[pairs[1, ]], levels[pairs[2, ]]),
    real = a, synthetic = b, difference = b - a, apart = found$synthetic, halves = found$real
  ), "associations", list(real = real, synthetic = synthetic))
}

# The tables stay with the result, because plot() shows them.
new_printed <- function(table, class, tables) structure(table, class = c(class, "data.frame"), tables = tables)

# A layout for plain numbers too, which have none, with a coordinate per column.
with_layout <- function(judged) {
  if (!is.null(judged$layout)) return(judged)
  names <- colnames(judged$points[[1]])
  if (is.null(names)) names <- paste0("x", seq_len(ncol(judged$points[[1]])))
  judged$layout <- layout_of(names, rep("number", length(names)))
  judged
}

# first, second: whether the columns of each pair hold levels.
pair_measure <- function(first, second) c("correlation", "eta", "V")[1 + first + second]

are_levels <- function(layout, columns) layout$type[match(columns, layout$column)] == "level"

missing_share <- function(points, layout, column) {
  at <- which(layout$column == column & (layout$type == "missing" | (layout$type == "level" & is.na(layout$level))))
  if (length(at)) mean(points[, at] > 0) else 0
}

# list(all, synthetic, real): what figures() returns for all rows; the mean over splits for h real and h synthetic rows,
# and for the same h real rows and h others.
split_figures <- function(points, splits, seed, figures) {
  all <- figures(points$real, points$synthetic)
  h <- min(nrow(points$real) %/% 2L, nrow(points$synthetic))
  stream_within(seed, fixed = TRUE)
  parts <- lapply(seq_len(splits), function(split) {
    order <- base::sample.int(nrow(points$real))
    first <- points$real[order[seq_len(h)], , drop = FALSE]
    drawn <- points$synthetic[base::sample.int(nrow(points$synthetic), h), , drop = FALSE]
    list(synthetic = figures(first, drawn), real = figures(first, points$real[order[h + seq_len(h)], , drop = FALSE]))
  })
  mean_of <- function(name) Reduce(`+`, lapply(parts, `[[`, name)) / splits
  list(all = all, synthetic = mean_of("synthetic"), real = mean_of("real"))
}

# The distance of each column.
column_gaps <- function(a, b, layout) {
  vapply(unique(layout$column), function(column) {
    at <- which(layout$column == column)
    if (layout$type[at[1]] != "level") return(kolmogorov_smirnov(a[, at[1]], b[, at[1]]))
    gaps <- abs(colMeans(a[, at, drop = FALSE] > 0) - colMeans(b[, at, drop = FALSE] > 0))
    sum(gaps) / if (length(at) == 1) 1 else 2
  }, 0, USE.NAMES = FALSE)
}

# The largest difference of two empirical distribution functions, ties and all, of the values that are not missing. 0 if
# one sample has none.
kolmogorov_smirnov <- function(a, b) {
  a <- a[!is.na(a)]
  b <- b[!is.na(b)]
  if (!length(a) || !length(b)) return(0)
  at <- unique(c(a, b))
  max(abs(findInterval(at, sort(a)) / length(a) - findInterval(at, sort(b)) / length(b)))
}

# The associations of all pairs of columns, in the order of combn().
association_of_pairs <- function(points, layout) {
  columns <- unique(layout$column)
  parts <- lapply(columns, function(column) {
    at <- which(layout$column == column)
    if (layout$type[at[1]] != "level") return(rank_scores(points[, at[1]]))
    level <- if (length(at) == 1) points[, at] > 0 else max.col(points[, at, drop = FALSE], "first")
    match(level, sort(unique(level)))
  })
  levels <- are_levels(layout, columns)
  apply(utils::combn(length(columns), 2), 2, function(pair) {
    pair <- pair[order(levels[pair])]
    a <- parts[[pair[1]]]
    b <- parts[[pair[2]]]
    if (levels[pair[1]]) return(cramers_v(a, b))
    if (levels[pair[2]]) return(correlation_ratio(a, b))
    pair_correlation(a, b)
  })
}

rank_scores <- function(values) {
  stats::qnorm((rank(values, na.last = "keep") - 0.5) / sum(!is.na(values)))
}

pair_correlation <- function(a, b) {
  both <- which(!is.na(a) & !is.na(b))
  a <- a[both] - mean(a[both])
  b <- b[both] - mean(b[both])
  size <- sqrt(sum(a^2) * sum(b^2))
  if (length(both) > 1 && size > 1e-12) sum(a * b) / size else NA_real_
}

# eta: the root of the share of the variance of z between the groups.
correlation_ratio <- function(z, group) {
  known <- which(!is.na(z))
  z <- z[known] - mean(z[known])
  total <- sum(z^2)
  if (!isTRUE(total > 1e-12) || length(unique(group[known])) < 2) return(NA_real_)
  sums <- rowsum(z, group[known])
  sqrt(min(1, sum(sums^2 / as.vector(table(group[known]))) / total))
}

cramers_v <- function(a, b) {
  counts <- table(a, b)
  if (min(dim(counts)) < 2) return(NA_real_)
  expected <- outer(rowSums(counts), colSums(counts)) / sum(counts)
  sqrt(sum((counts - expected)^2 / expected) / sum(counts) / (min(dim(counts)) - 1))
}

#' @rdname margin_distances
#' @param x An object of the class `margin_distances` or `associations`.
#' @param n The most rows to print. The first ones differ most from what two halves of the real rows would show: by
#'   `synthetic` less `real`, or `apart` less `halves`.
#' @param ... Not used.
#' @export
print.margin_distances <- function(x, n = 20, ...) {
  check_dots("print()", ...)
  cat(sprintf(paste("<margin_distances> %d columns: mean %.3f, two halves of the real rows %.3f,",
                    "as many synthetic rows %.3f\n"), nrow(x), mean(x$distance), mean(x$real), mean(x$synthetic)))
  print_most(x, -(x$synthetic - x$real), n)
}

#' @rdname margin_distances
#' @export
print.associations <- function(x, n = 20, ...) {
  check_dots("print()", ...)
  cat(sprintf(paste("<associations> %d pairs: mean absolute difference %.3f, two halves of the real rows %.3f,",
                    "as many synthetic rows %.3f\n"), nrow(x), mean(abs(x$difference), na.rm = TRUE),
              mean(x$halves, na.rm = TRUE), mean(x$apart, na.rm = TRUE)))
  print_most(x, -(x$apart - x$halves), n)
}

print_most <- function(x, by, n) {
  n <- check_count(n, "n", 1L)
  shown <- as.data.frame(x)
  class(shown) <- "data.frame"
  attr(shown, "tables") <- NULL
  print(utils::head(shown[order(by), ], n), digits = 2, row.names = FALSE)
  if (nrow(x) > n) cat(sprintf("and %d more\n", nrow(x) - n))
  invisible(x)
}
