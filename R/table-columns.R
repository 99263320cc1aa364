# Reads all columns of one or more tables, each by its kind.

# The result of reading a table is its template, a list of
#   form     the class in which rows come back
#   names    the names of the measured columns, in their order; NULL if they have none
#   blank    without `names`: the names as they were given, all of them empty or NA; NULL if there were none
#   columns  the different fitted columns
#   of [p]   the number of the fitted column that reads measured column j
#   dims [p] the number of coordinates of each measured column, 0 for constant columns
#   boxes    the measured columns that are matrices of one column: a list of list(at, name of that column)
#   range [2, sum(dims)]  the least and the largest coordinate of the rows that were read
#   group    the label from which the values of the group are written (see table-label.R); NULL without a group

# [p]: whether each measured column varies.
varying <- function(template) template$dims > 0

# The number of measured columns. Hidden columns stand after them.
n_columns <- function(template) length(template$of) - length(template$hidden)

# tables: a list of tables with the same columns. Its names are those that messages use. Each column is read by one
# kind, which is fitted to all tables together. points: a list of the coordinates of each table. margin: of the rows of
# all tables. template: of the first table.
read_tables <- function(tables, min_rows, kinds = column_kinds(), constants = TRUE, grouped = FALSE) {
  whats <- names(tables)
  tables <- stats::setNames(Map(plain_table, tables, whats), whats)
  Map(check_extent, tables, whats, rep_len(min_rows, length(tables)))
  names <- Find(Negate(is.null), lapply(tables, column_names))
  read <- read_columns(tables, names, kinds, grouped)
  found <- read$found
  all <- read$z
  sizes <- vapply(tables, nrow, 0L)
  rows <- split(seq_len(sum(sizes)), rep(factor(seq_along(sizes)), sizes))
  part <- function(i) if (length(tables) == 1) all else all[rows[[i]], , drop = FALSE]
  dims <- coordinate_counts(found)
  owner <- rep(seq_along(found), dims)
  for (i in seq_along(tables)) check_finite(part(i), whats[i], names, owner)
  range <- column_ranges(all)
  if (constants) {
    same <- setdiff(seq_along(found), owner[range[2, ] > range[1, ]])
    found[same] <- lapply(found[same], constant_column)
    dims[same] <- 0L
    kept <- !owner %in% same
    if (length(same)) all <- all[, kept, drop = FALSE]
    range <- range[, kept, drop = FALSE]
  }
  labels <- coordinate_names(names, dims)
  points <- lapply(seq_along(tables), function(i) with_dimnames(part(i), list(row_labels(tables[[i]]), labels)))
  list(points = stats::setNames(points, whats), margin = total_margin(found, nrow(all)),
       template = new_template(tables[[1]], names, found, dims, range))
}

# found: for each measured column what read_column() says. z [n, sum of dims]: the coordinates of all rows.
read_columns <- function(tables, names, kinds, grouped) {
  first <- tables[[1]]
  p <- ncol(first)
  bare <- nzchar(bare_types(first))
  for (j in which(!bare)) {
    values <- unbox(column_at(first, j))
    if (is.null(column_kind_of(values, kinds))) refuse_column(values, names(tables)[1], column_name(names, j), grouped)
  }
  at <- align_columns(tables)
  found <- vector("list", p)
  plain <- read_plain(tables, at, kinds)
  found[plain$at] <- plain$found
  for (j in setdiff(seq_len(p), plain$at)) {
    parts <- lapply(seq_along(tables), function(i) column_at(tables[[i]], at[[i]][j]))
    found[[j]] <- read_column(stats::setNames(parts, names(tables)), column_name(names, j), kinds, grouped)
  }
  list(found = found, z = bind_coordinates(found, plain$at, plain$z))
}

# One column of all tables. column: the fitted column; z: the coordinates of all rows; margin: NULL stands for 0;
# values: the first value; key: columns of the same key are read in the same way, NA is read as no other; box: see
# box_of().
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
  column$dim <- if (length(all[[1]])) as.integer(length(z[[1]]) %/% length(all[[1]])) else 1L
  margin <- if (!is.null(kind$margin)) unlist(lapply(all, function(values) column_margin(column, values, kind)))
  z <- if (length(z) == 1) z[[1]] else do.call(rbind, lapply(z, matrix, ncol = column$dim))
  key <- if (length(column$state) || !is.character(column$kind)) NA_character_ else column$kind
  list(column = column, z = z, margin = margin, values = take(values, 1L), key = key, box = box)
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

# [n, sum of dims]: z [n, length(at)], the coordinates of the columns `at`, and the coordinates of the others.
bind_coordinates <- function(found, at, z) {
  plain <- seq_along(found) %in% at
  if (all(plain)) return(z)
  owned <- rep(plain, coordinate_counts(found))
  all <- matrix(0, nrow(z), length(owned))
  all[, owned] <- z
  all[, !owned] <- unlist(lapply(found[!plain], `[[`, "z"), use.names = FALSE)
  all
}

coordinate_counts <- function(found) vapply(found, function(one) one$column$dim, 0L)

# The column as a constant column, which has no coordinates.
constant_column <- function(one) {
  if (!is.na(one$key)) one$key <- paste(one$key, sprintf("%a", one$z[1]))
  one$column <- fit_column(column_constant(), one$values)
  one$column$dim <- 0L
  one["margin"] <- list(NULL)
  one
}

total_margin <- function(found, n) {
  given <- lapply(found, `[[`, "margin")
  given <- given[lengths(given) > 0]
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
  if (all(vapply(names, is.null, NA))) names <- NULL
  if (!identical(dimnames(points), names)) dimnames(points) <- names
  points
}

# Columns that are read in the same way share one fitted column.
new_template <- function(x, names, found, dims, range) {
  key <- vapply(found, `[[`, "", "key")
  key[is.na(key)] <- paste("column", which(is.na(key)))
  first <- !duplicated(key)
  boxed <- which(lengths(lapply(found, `[[`, "box")) > 0)
  list(
    form = form_of(x), names = names, blank = if (is.null(names)) names_as_given(x),
    columns = lapply(found[first], `[[`, "column"), of = match(key, key[first]), dims = dims,
    boxes = lapply(boxed, function(j) list(at = j, name = found[[j]]$box$name)),
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
