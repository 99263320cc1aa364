# Reads all columns of one or more tables, each by its kind.

# The result of reading a table is its template, a list of
#   form     the class in which rows come back
#   names    the names of the measured columns, in their order; NULL if they have none
#   columns  the different fitted columns
#   of [p]   the number of the fitted column that reads measured column j
#   dims [p] the number of coordinates of each measured column, 0 for constant columns
#   boxes    the measured columns that are matrices of one column: a list of list(at, name of that column)
#   range [2, sum(dims)]  the least and the largest coordinate of the rows that were read
#   group    the label from which the values of the group are written (see table-label.R); NULL without a group

# [p]: whether each measured column varies.
varying <- function(template) template$dims > 0

n_columns <- function(template) length(template$of)

# tables: a list of tables with the same columns. Its names are those that messages use. Each column is read by one
# kind, which is fitted to all tables together. points: a list of the coordinates of each table. margin: of the rows of
# all tables. template: of the first table.
read_tables <- function(tables, min_rows, kinds = column_kinds(), constants = TRUE, grouped = FALSE) {
  whats <- names(tables)
  tables <- stats::setNames(Map(plain_table, tables, whats), whats)
  Map(check_extent, tables, whats, rep_len(min_rows, length(tables)))
  names <- Find(Negate(is.null), lapply(tables, column_names))
  found <- read_columns(tables, names, kinds, grouped)
  sizes <- vapply(tables, nrow, 0L)
  all <- bind_coordinates(found, sum(sizes))
  rows <- split(seq_len(sum(sizes)), rep(factor(seq_along(sizes)), sizes))
  part <- function(i) if (length(tables) == 1) all else all[rows[[i]], , drop = FALSE]
  owner <- rep(seq_along(found), coordinate_counts(found))
  for (i in seq_along(tables)) check_finite(part(i), whats[i], names, owner)
  range <- apply(all, 2, range)
  if (constants) {
    same <- setdiff(seq_along(found), owner[range[2, ] > range[1, ]])
    found[same] <- lapply(found[same], constant_column)
    kept <- !owner %in% same
    if (length(same)) all <- all[, kept, drop = FALSE]
    range <- range[, kept, drop = FALSE]
  }
  labels <- coordinate_names(names, coordinate_counts(found))
  points <- lapply(seq_along(tables), function(i) with_dimnames(part(i), list(row_labels(tables[[i]]), labels)))
  list(points = stats::setNames(points, whats), margin = total_margin(found, nrow(all)),
       template = new_template(tables[[1]], names, found, range))
}

read_columns <- function(tables, names, kinds, grouped) {
  first <- tables[[1]]
  p <- ncol(first)
  if (is.data.frame(first)) {
    for (j in seq_len(p)) {
      values <- unbox(first[[j]])
      if (is.null(column_kind_of(values, kinds))) refuse_column(values, names(tables)[1], column_name(names, j),
                                                                grouped)
    }
  }
  at <- align_columns(tables)
  lapply(seq_len(p), function(j) {
    parts <- lapply(seq_along(tables), function(i) column_at(tables[[i]], at[[i]][j]))
    read_column(stats::setNames(parts, names(tables)), column_name(names, j), kinds, grouped)
  })
}

# One column of all tables. column: the fitted column; z: the coordinates of all rows; margin: NULL stands for 0;
# values: the first value; box: see box_of().
read_column <- function(parts, name, kinds, grouped) {
  box <- box_of(parts[[1]])
  parts <- lapply(parts, unbox)
  several <- Position(function(values) length(dim(values)) > 1, parts)
  if (!is.na(several)) refuse_column(parts[[several]], names(parts)[several], name, grouped)
  together <- length(parts) == 1 || all(vapply(parts, is_plain_number, NA))
  values <- if (together && length(parts) > 1) join_numbers(parts) else parts[[1]]
  kind <- column_kind_of(values, kinds)
  if (is.null(kind)) refuse_column(values, names(parts)[1], name, grouped)
  column <- fit_column(kind, values)
  all <- if (together) list(values) else parts
  z <- lapply(seq_along(all), function(i) encode_part(column, all[[i]], kind, names(parts)[i], name))
  column$dim <- as.integer(length(z[[1]]) %/% length(all[[1]]))
  margin <- if (!is.null(kind$margin)) unlist(lapply(all, function(values) column_margin(column, values, kind)))
  z <- if (length(z) == 1) z[[1]] else do.call(rbind, lapply(z, matrix, ncol = column$dim))
  list(column = column, z = z, margin = margin, values = take(values, 1L), box = box)
}

# The coordinates of values that a fitted column can read. Other values are an error. An error of a kind is passed on
# with the name of the column.
encode_part <- function(column, values, code, what, name) {
  if (!takes_values(values, code)) refuse_column(values, what, name, FALSE, code)
  if (is_plain_number(values)) return(encode_column(column, values, code))
  tryCatch(encode_column(column, values, code), particleflow_input = function(e) {
    fail("Column %s of `%s`: %s", name, what, conditionMessage(e))
  })
}

is_plain_number <- function(values) is.numeric(values) && is_plain(values)

# The plain numbers of several tables in one vector, which is of type integer only if all tables have integers.
join_numbers <- function(parts) {
  joined <- unlist(lapply(parts, as.vector), use.names = FALSE)
  if (typeof(joined) != typeof(parts[[1]])) return(joined)
  give_attributes(joined, kept_attributes(parts[[1]]))
}

bind_coordinates <- function(found, n) {
  matrix(unlist(lapply(found, `[[`, "z"), use.names = FALSE), n, sum(coordinate_counts(found)))
}

coordinate_counts <- function(found) vapply(found, function(one) one$column$dim, 0L)

# The column as a constant column, which has no coordinates.
constant_column <- function(one) {
  inner <- one$column
  one$same_as <- if (!length(inner$state) && is.character(inner$kind)) paste(inner$kind, sprintf("%a", one$z[1]))
  one$column <- fit_column(column_constant(), one$values)
  one$column$dim <- 0L
  one["margin"] <- list(NULL)
  one
}

total_margin <- function(found, n) {
  given <- Filter(Negate(is.null), lapply(found, `[[`, "margin"))
  if (length(given)) Reduce(`+`, given) else numeric(n)
}

coordinate_names <- function(names, dims) {
  if (is.null(names)) return(NULL)
  several <- rep(dims > 1, dims)
  labels <- rep(names, dims)
  labels[several] <- paste0(labels, ".", sequence(dims))[several]
  labels
}

with_dimnames <- function(points, names) {
  if (!all(vapply(names, is.null, NA))) dimnames(points) <- names
  points
}

# Columns that are read in the same way share one fitted column.
new_template <- function(x, names, found, range) {
  key <- vapply(seq_along(found), function(j) {
    column <- found[[j]]$column
    if (!is.null(found[[j]]$same_as)) return(found[[j]]$same_as)
    if (length(column$state) || !is.character(column$kind)) paste0("column ", j) else column$kind
  }, "")
  first <- !duplicated(key)
  boxed <- which(!vapply(found, function(one) is.null(one$box), NA))
  list(
    form = form_of(x), names = names, columns = lapply(found[first], `[[`, "column"), of = match(key, key[first]),
    dims = coordinate_counts(found), boxes = lapply(boxed, function(j) list(at = j, name = found[[j]]$box$name)),
    range = range, group = NULL
  )
}

# A column that is a matrix of one column is read as a vector. list(name of that column), NULL for other columns.
box_of <- function(values) if (is.matrix(values) && ncol(values) == 1) list(name = colnames(values))

unbox <- function(values) {
  if (is.null(box_of(values))) return(values)
  if (inherits(values, "AsIs")) values <- unclass(values)
  as.vector(values)
}
