# What a fit of synthesise() read and chose, and what it says about given rows.

# Three lines: how many columns of each kind there are, which columns are special, and how many values are missing.
describe_columns <- function(template, n) {
  p <- seq_len(n_columns(template))
  names <- if (is.null(template$names)) as_text(p) else template$names
  kinds <- vapply(template$columns, function(column) column_code(column)$name, "")[template$of[p]]
  each <- split(names, factor(kinds, unique(kinds)))
  words <- vapply(names(each), function(kind) sprintf("%d %s (%s)", length(each[[kind]]), kind, some(each[[kind]])), "")
  missing <- vapply(template$columns, function(column) {
    !is.null(column$missing) || !is.null(column$leader)
  }, NA)[template$of[p]]
  names_of_all <- c(names, vapply(template$hidden, `[[`, "", "name"))
  c(
    sprintf("%d rows of %d columns: %s.", n, length(names), paste(words, collapse = ", ")),
    if (any(missing)) sprintf("Missing values in %d column%s: %s.", sum(missing), if (sum(missing) > 1) "s" else "",
                              some(names[missing])) else "No missing values.",
    if (length(template$left_out)) sprintf("Left out, because their words name the rows: %s. `id` makes new ones.",
                                           quoted(template$left_out)) else "No column was left out.",
    if (length(template$relations)) sprintf("Computed from other columns: %s.", paste(vapply(
      template$relations, describe_relation, "", names = names_of_all), collapse = "; "))
  )
}

#' @rdname synthesise
#' @export
format.synthesis <- function(x, ...) {
  lines <- NextMethod()
  c(lines[1], describe_columns(x$table, sum(lengths(x$rows)))[-1], lines[-(1:2)])
}

#' @rdname synthesise
#' @param object A fit from [synthesise()].
#' @param newdata Rows with the columns of the table, matched by name.
#' @param type `"log_density"`: the log-likelihood of each row, in nats, see above.
#' @param draws Number of draws within the cells of each row, a whole number of at least 1.
#' @export
predict.synthesis <- function(object, newdata, type = "log_density", group = NULL, draws = 50, threads = NULL, ...) {
  check_dots("predict()", ...)
  check_fit(object)
  check_choice(type, "log_density", "type")
  draws <- check_count(draws, "draws", 1L)
  threads <- threads_within(threads)
  flows <- class_flows(object)
  for (flow in flows) check_density(flow$law)
  read <- encode_mixed(newdata, object$table)
  label <- new_group(object, newdata, group, nrow(read$points))
  if (nrow(read$points) == 0) return(numeric())
  if (!any(read$high > read$low)) draws <- 1L
  each <- vapply(seq_len(draws), function(draw) {
    cells <- cell_draws(read$points, read$low, read$high, object$correlation, c(likelihood_key, draw))
    as.vector(class_log_density(flows, cells$z, label, threads)) - cells$log
  }, numeric(nrow(read$points)))
  value <- log_mean_exp(matrix(each, nrow(read$points)), rep(1 / draws, draws)) + read$margin
  structure(value, draws = draws)
}

likelihood_key <- 1717L
