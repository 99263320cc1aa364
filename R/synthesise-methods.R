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
