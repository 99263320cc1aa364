#' Plots of a synthesis
#'
#' New rows beside the rows of the table: the margins of the columns, the pairs of columns that differ most, the
#' matrices of associations, or a map of the rows in two dimensions. `plot()` draws with base graphics. `autoplot()`
#' returns the same picture as a ggplot.
#'
#' @section What is shown:
#' `"margins"`, `"pairs"` and `"associations"` are described in [plot.margin_distances()].
#'
#' `"map"` shows the rows in the plane of their first two principal coordinates. The distances are those of
#' [mixed_tables], in the units of the rows of the table. The axis titles give the shares of the variance of these
#' rows. A table whose rows have at most two coordinates is shown as it is. At most 1000 rows of each table are drawn.
#'
#' `"trajectory"`, `"latent"` and `"energy"` show the flow and the latent rows, see [plot.efs()]. The data side of
#' `"latent"` shows normal scores.
#'
#' The rows of the table are those of the fit, so that columns of row names that it does not model are left out.
#'
#' @param x,object A fit from [synthesise()].
#' @param type What is drawn.
#' @param new For the first four types, the new rows: a table, such as a result of [simulate()][simulate.synthesis], or
#'   the number of rows to draw, which follow [set.seed()]. `NULL`: as many as the table has, at most 1000. For
#'   `"latent"`, as in [plot.efs()].
#' @param n_columns For `"margins"` and `"associations"`, the most columns to show. `NULL`: 12 margins, or matrices of
#'   30 columns.
#' @param n_pairs For `"pairs"`, the most pairs to show. `NULL`: 6.
#' @param times,path,group As in [plot.efs()].
#' @param col For the first four types, two colours, for the rows of the table and the new rows. For the others, as in
#'   [plot.efs()].
#' @inheritParams plot.margin_distances
#' @inherit plot.margin_distances return
#' @seealso [fidelity()] and [compare()], which judge new rows.
#' @examples
#' fit <- synthesise(warpbreaks, flow = FALSE, law = "global", quiet = TRUE)
#' set.seed(1)
#' plot(fit)
#' plot(fit, type = "pairs", new = 200)
#' plot(fit, type = "map", new = simulate(fit, 100, seed = 1))
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(fit, type = "associations")
#' @order 1
#' @export
plot.synthesis <- function(x, type = c("margins", "pairs", "associations", "map", "trajectory", "latent", "energy"),
                           new = NULL, n_columns = NULL, n_pairs = NULL, times = NULL, path = NULL, group = NULL,
                           col = NULL, ...) {
  check_layer("plot()", ..., allowed = base_settings)
  draw_base(synthesis_picture(x, type, new, n_columns, n_pairs, times, path, group, col), ...)
  invisible(x)
}

#' @rdname plot.synthesis
#' @method autoplot synthesis
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, synthesis)
autoplot.synthesis <- function(object,
                               type = c("margins", "pairs", "associations", "map", "trajectory", "latent", "energy"),
                               new = NULL, n_columns = NULL, n_pairs = NULL, times = NULL, path = NULL, group = NULL,
                               col = NULL, ...) {
  check_layer("autoplot()", ..., allowed = ggplot_settings)
  draw_ggplot(synthesis_picture(object, type, new, n_columns, n_pairs, times, path, group, col), ...)
}

synthesis_picture <- function(fit, type, new, n_columns, n_pairs, times, path, group, col) {
  check_fit(fit, "x")
  type <- check_choice(type, c(table_types, "trajectory", "latent", "energy"), "type")
  check_tables_arguments(type, n_columns, n_pairs)
  if (!type %in% table_types) return(efs_picture(fit, type, times, new, path, group, col))
  check_belongs(type, "trajectory", times = times)
  check_belongs(type, "latent", path = path)
  check_belongs(type, c("trajectory", "latent"), group = group)
  rows <- fitted_rows(fit)
  if (is.null(new)) new <- min(nrow(rows), most_points)
  if (is.numeric(new) && is.null(dim(new))) new <- simulate.synthesis(fit, check_count(new, "new"))
  tables_picture(type, rows, with_columns_of(new, rows), n_columns, n_pairs, col)
}

# The rows of the table that the fit was made from, without columns that name the rows.
fitted_rows <- function(fit) {
  rows <- write_table(decode_points(fit, common_points(class_flows(fit), 0)), fit$table,
                      if (is_grouped(fit)) row_class(fit))
  kinds <- vapply(fit$table$columns, function(column) column_code(column)$name, "")[fit$table$of]
  without_columns(rows, fit$table$names[which(kinds == "identifier")])
}

# `new` without columns that the rows lack because they name rows.
with_columns_of <- function(new, rows) {
  has <- column_names(rows)
  if (is.null(has)) return(new)
  without_columns(plain_table(new, "new", mixed = TRUE), setdiff(column_names(new), has))
}
