# How alike the blocks of two tables are.

#' Blocks of new rows beside those of the table
#'
#' `compare_blocks()` sets the sizes of new blocks and the correlations within them beside those of the table.
#' `block_table()` makes one row per block, so that [novelty()] and [fidelity()] can judge blocks as wholes.
#'
#' @details
#' Numbers, dates, times, `TRUE` and `FALSE`, ordered factors and factors with two levels have correlations; factors are
#' taken as the numbers of their levels. Let \eqn{x_{bt}}{x_bt} be the value in row t of block b, less the mean of all
#' rows with the same number t (rows beyond the 15th count as the 15th), so that a common course over time is no
#' correlation.
#'
#' * `intraclass` is the correlation of two rows of one block, by the analysis of variance of one way,
#'   \deqn{\frac{B - W}{B + (m - 1) W},}{(B - W) / (B + (m - 1) W),}
#'   with B the mean square between and W the mean square within blocks, and m their mean size, corrected for unequal
#'   sizes.
#' * `lag_one` is the correlation of \eqn{x_{bt}}{x_bt} and \eqn{x_{b,t+1}}{x_b,t+1} over all successive rows.
#'
#' Missing values are left out, and so are columns that are constant within all blocks.
#'
#' A new block is a copy if it is near a block of the table as a whole. `novelty(block_table(new, "id"),
#' block_table(old, "id"))` tells how near. The rows of two blocks are compared by their numbers, so two equal courses
#' that start at another row are not found; `novelty(new, old)` compares row by row.
#'
#' @param new,old Data frames with the same columns, each with at least two blocks.
#' @param blocks The name of the column of blocks.
#' @param x A data frame.
#' @param rows The number of rows of each block that are laid side by side, a whole number of at least 1.
#' @return `compare_blocks()`: a data frame of class `block_comparison` with one row per column and `column`,
#'   `intraclass_new`, `intraclass_old`, `lag_one_new` and `lag_one_old`. Its attribute `"sizes"` is a data frame with
#'   one row per table: the number of blocks, and the mean, standard deviation, least and largest number of rows. A
#'   correlation is `NA` if a column does not vary in one of the tables.
#'
#'   `block_table()`: a data frame with one row per block and the columns `size`; those that are constant within all
#'   blocks; and of each other column `x` the values in the first rows, as `x.1`, `x.2`, and so on, with `NA` where a
#'   block has fewer rows. Give `constant`, the names of the constant columns, to lay out two tables alike.
#' @param constant Names of the columns that count as constant. `NULL`: those that are constant within all blocks.
#' @examples
#' chicks <- as.data.frame(ChickWeight)
#' fit <- synthesise(chicks, blocks = "Chick", whole_blocks = TRUE, law = "student", quiet = TRUE)
#' new <- simulate(fit, 50, seed = 1)
#' compare_blocks(new, chicks, "Chick")
#' novelty(block_table(new, "Chick"), block_table(chicks, "Chick"))
#' @export
compare_blocks <- function(new, old, blocks) {
  tables <- list(new = split_blocks(new, blocks, "new"), old = split_blocks(old, blocks, "old"))
  shared <- intersect(names(tables$new$rows), names(tables$old$rows))
  of_numbers <- Filter(function(name) {
    values <- lapply(tables, function(table) table$rows[[name]])
    constant <- Map(function(values, table) is_constant_within(values, table$block), values, tables)
    !any(vapply(lapply(values, as_course), is.null, NA)) && !all(unlist(constant))
  }, shared)
  if (!length(of_numbers)) fail("`new` and `old` share no column of numbers or ordered values that varies in blocks.")
  found <- lapply(tables, function(table) {
    vapply(of_numbers, function(name) course_correlations(as_course(table$rows[[name]]), table$block), c(0, 0))
  })
  structure(
    data.frame(column = of_numbers, intraclass_new = found$new[1, ], intraclass_old = found$old[1, ],
               lag_one_new = found$new[2, ], lag_one_old = found$old[2, ], row.names = NULL),
    sizes = do.call(rbind, lapply(tables, function(table) size_summary(tabulate(table$block)))),
    class = c("block_comparison", "data.frame")
  )
}

# rows without the column of blocks, sorted by block, and block [n].
split_blocks <- function(x, blocks, what) {
  if (!is.data.frame(x)) fail("`%s` must be a data frame, not %s.", what, describe(x))
  if (missing(blocks)) fail("`blocks` must name a column of `%s`.", what)
  if (!nrow(x)) fail("`%s` must have rows, but it has none.", what)
  if (!(is.character(blocks) && length(blocks) == 1 && blocks %in% names(x))) {
    fail("`blocks` must name a column of `%s`, not be %s.", what, describe(blocks))
  }
  block <- as.integer(read_label(find_label(blocks, x, "blocks", what), nrow(x), "blocks")$group)
  block <- match(block, unique(block))
  if (max(block) < 2) fail("`%s` has only one block; at least two are needed.", what)
  order <- order(block)
  others <- setdiff(names(x), blocks)
  list(rows = lapply(stats::setNames(others, others), function(name) take(unbox(x[[name]]), order)),
       block = block[order], label = take(x[[blocks]], which(!duplicated(block))))
}

# Values as numbers; NULL for words, complex numbers and for factors of three or more levels without order.
as_course <- function(values) {
  if (is.character(values) || (is.factor(values) && !is.ordered(values) && nlevels(values) > 2)) return(NULL)
  if (!is.atomic(values) || is.complex(values)) return(NULL)
  as.numeric(values)
}

course_correlations <- function(x, block) {
  number <- pmin(stats::ave(block, block, FUN = seq_along), 15)
  known <- which(is.finite(x))
  x[!is.finite(x)] <- NA
  x[known] <- x[known] - stats::ave(x[known], number[known])
  if (length(known) < 3 || stats::var(x[known]) < 1e-24 * max(abs(x[known]), 1)) return(c(NA_real_, NA_real_))
  pairs <- which(diff(block) == 0)
  if (!length(pairs)) return(c(NA_real_, NA_real_))
  pairs <- pairs[!is.na(x[pairs]) & !is.na(x[pairs + 1L])]
  lag <- if (length(pairs) > 2) suppressWarnings(stats::cor(x[pairs], x[pairs + 1L])) else NA_real_
  c(intraclass(x[known], block[known], 1, -1), lag)
}

size_summary <- function(sizes) {
  data.frame(blocks = length(sizes), mean = mean(sizes), sd = stats::sd(sizes), least = min(sizes),
             largest = max(sizes))
}

#' @rdname compare_blocks
#' @param ... Not used.
#' @export
print.block_comparison <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("Rows per block\n")
  print(attr(x, "sizes"), digits = 3)
  cat("Correlations within blocks, without the mean course\n")
  print(structure(x, class = "data.frame", sizes = NULL), digits = 2, row.names = FALSE)
  invisible(x)
}

#' @rdname compare_blocks
#' @export
block_table <- function(x, blocks, rows = 3, constant = NULL) {
  rows <- check_count(rows, "rows", 1L)
  table <- split_blocks(x, blocks, "x")
  same <- if (is.null(constant)) {
    names(table$rows)[vapply(table$rows, is_constant_within, NA, block = table$block)]
  } else {
    constant
  }
  unknown <- setdiff(same, names(table$rows))
  if (length(unknown)) fail("`constant` names %s, but `x` has no such column.", quoted(unknown))
  sizes <- tabulate(table$block)
  first <- which(!duplicated(table$block))
  rows <- min(rows, max(sizes))
  wide <- stats::setNames(list(sizes), free_name("size", names(table$rows)))
  for (name in names(table$rows)) {
    steps <- if (name %in% same) 1L else seq_len(rows)
    labels <- if (name %in% same) name else paste0(name, ".", steps)
    wide[labels] <- lapply(steps, function(step) {
      take(table$rows[[name]], ifelse(sizes >= step, first + step - 1L, NA_integer_))
    })
  }
  new_frame(wide, names(wide), length(sizes))
}
