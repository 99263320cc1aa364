# Plots of two tables: margins and associations.

# The picture of two tables of one of the types in table_types.
tables_picture <- function(type, real, synthetic, n_columns, n_pairs, col) {
  shown <- read_shown(real, synthetic)
  switch(
    type,
    margins = margins_picture(shown, n_columns, col),
    pairs = pairs_picture(shown, shown_associations(shown), n_pairs, col),
    associations = associations_picture(shown_associations(shown), names(shown$columns), n_columns),
    map_picture(shown, col)
  )
}

table_types <- c("margins", "pairs", "associations", "map")

#' Plots of margins and of associations
#'
#' Two tables beside each other. The plot of [margin_distances()] shows the columns, real against synthetic. That of
#' [associations()] shows the matrices of associations, or the pairs of columns that differ most. `plot()` draws with
#' base graphics. `autoplot()` returns the same picture as a ggplot.
#'
#' @section Margins:
#' One panel per column, the largest `distance` first. The distance stands in the title. Filled bars are the shares of
#' the real rows, and outlines those of the synthetic rows. Numbers, dates and times are cut into bars of equal width,
#' which are whole steps if the values stand on a grid. Values outside the 1 and 99 % quantiles by more than half the
#' range between them are counted in the first and the last bar. Levels have one bar each. Of more than 8 levels, the 7
#' that are most frequent in the real rows are shown, and one bar for the others. Missing values have a bar of their
#' own: `"NA"` or `"(missing)"`. All shares are those of all rows.
#'
#' @section Pairs:
#' Two panels per pair of columns, real and synthetic, the largest absolute difference of the associations first. Two
#' columns of numbers are drawn as points, at most 1000 of each table. For a number and levels, a box reaches from the
#' 25 to the 75 % quantile, with the median, and lines to the 5 and 95 % quantiles. Two columns of levels are tiles: the
#' darker a tile, the larger the share of the level below among the rows of the level on the left. Numbers with at most
#' 6 different values are drawn as levels. The titles give the association, see [associations()]. "a by b" puts b on the
#' horizontal axis.
#'
#' @section Associations:
#' Three matrices: the associations of the real rows, those of the synthetic rows, and the difference, synthetic less
#' real. The difference is multiplied for its colours by a number that its title names, because differences are mostly
#' small. An association that is not defined is grey. Of more columns than `n_columns`, those with the largest absolute
#' differences are shown, in the order of the table.
#'
#' @param x,object The result of [margin_distances()] or [associations()]. It keeps both tables for its plots.
#' @param type `"associations"` (matrices) or `"pairs"`.
#' @param n_columns The most columns to show, at least 1 (matrices: 2). `NULL`: 12 margins, or matrices of 30 columns.
#' @param n_pairs For `"pairs"`, the most pairs to show. `NULL`: 6.
#' @param col Two colours, for the real and the synthetic rows. `NULL`: a pair that colour-blind people can tell apart.
#'   Matrices have their own colours.
#' @param ... For `plot()`, graphical parameters of the points, such as `cex` and `pch`. For `autoplot()`, settings of
#'   the layer of the points ([ggplot2::geom_point()]). Others are an error.
#' @return `plot()` returns `x` invisibly and restores [par()]. `autoplot()` returns a ggplot.
#' @examples
#' real <- iris[c(TRUE, FALSE), ]
#' synthetic <- iris[c(FALSE, TRUE), ]
#' plot(margin_distances(real, synthetic))
#' plot(associations(real, synthetic))
#' plot(associations(real, synthetic), type = "pairs", n_pairs = 4)
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(margin_distances(real, synthetic))
#' @order 1
#' @export
plot.margin_distances <- function(x, n_columns = NULL, col = NULL, ...) {
  draw_base(kept_picture(x, "margins", n_columns, NULL, col), ...)
  invisible(x)
}

#' @rdname plot.margin_distances
#' @method autoplot margin_distances
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, margin_distances)
autoplot.margin_distances <- function(object, n_columns = NULL, col = NULL, ...) {
  draw_ggplot(kept_picture(object, "margins", n_columns, NULL, col), ...)
}

#' @rdname plot.margin_distances
#' @order 3
#' @export
plot.associations <- function(x, type = c("associations", "pairs"), n_columns = NULL, n_pairs = NULL, col = NULL,
                              ...) {
  draw_base(kept_picture(x, check_choice(type, c("associations", "pairs"), "type"), n_columns, n_pairs, col), ...)
  invisible(x)
}

#' @rdname plot.margin_distances
#' @method autoplot associations
#' @order 4
#' @rawNamespace S3method(ggplot2::autoplot, associations)
autoplot.associations <- function(object, type = c("associations", "pairs"), n_columns = NULL, n_pairs = NULL,
                                  col = NULL, ...) {
  draw_ggplot(kept_picture(object, check_choice(type, c("associations", "pairs"), "type"), n_columns, n_pairs, col),
              ...)
}

kept_picture <- function(x, type, n_columns, n_pairs, col) {
  tables <- attr(x, "tables")
  if (is.null(tables)) {
    fail("`x` must be the whole result of %s(), but it has lost the tables that its plot shows.", class(x)[1])
  }
  check_tables_arguments(type, n_columns, n_pairs)
  tables_picture(type, tables$real, tables$synthetic, n_columns, n_pairs, col)
}

check_tables_arguments <- function(type, n_columns, n_pairs) {
  check_belongs(type, c("margins", "associations"), n_columns = n_columns)
  check_belongs(type, "pairs", n_pairs = n_pairs)
}
