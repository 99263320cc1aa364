# The tables of the user, which are read only here. table-rows.R reads and writes new rows.

# points [n, sum(dims)]: the coordinates of the varying columns. margin [n]: what is added to the log-density of the
# coordinates of a row to get the log-density of the row. group: a factor of keys. grouped: whether `group` was given.
read_table <- function(x, group) {
  x <- plain_table(x, "x")
  grouped <- !is.null(group)
  if (grouped) {
    found <- find_label(group, x, "group")
    label <- read_label(found, nrow(x), "group")
    check_class_sizes(label$group)
  }
  read <- read_tables(list(x = drop_columns(x, if (grouped) found$position)), 2L, grouped = TRUE)
  read$template$form <- form_of(x)
  if (!any(varying(read$template))) fail("`x` has no column that varies; there is nothing to learn from equal rows.")
  if (grouped) {
    if (is.null(label$label$name)) label$label$name <- free_name("group", column_names(x))
    read$template$group <- label$label
  }
  list(points = read$points$x, margin = read$margin, group = if (grouped) label$group else factor(rep("all", nrow(x))),
       grouped = grouped, template = read$template)
}

check_class_sizes <- function(group) {
  alone <- table(group) < 2
  if (any(alone)) {
    fail("Each class of `group` needs at least two rows, but \"%s\" has one.", names(which(alone))[1])
  }
}

# A data frame without the columns at these positions.
drop_columns <- function(x, position) {
  position <- position[!is.na(position)]
  if (!length(position)) return(x)
  new_frame(as.list(x)[-position], names(x)[-position], nrow(x), row_labels(x))
}

# Source and target with the same columns. source, target, pooled: matrices of the coordinates of the columns that vary
# in the two tables together; template: how rows are written.
read_pair <- function(source, target, n_source) {
  if (is.function(source)) {
    target <- plain_table(target, "target")
    n_source <- if (is.null(n_source)) nrow(target) else check_rows(n_source, "n_source", ncol(target), 2L)
    tables <- list(target = target, `source(n)` = draw_source(source, n_source))
  } else {
    if (!is.null(n_source)) fail("`n_source` belongs to a `source` that is a function.")
    tables <- list(source = source, target = target)
  }
  read <- read_tables(tables, 2L)
  if (!any(varying(read$template))) fail("`source` and `target` have no column that varies; there is nothing to move.")
  moved <- unname(read$points[[setdiff(names(tables), "target")]])
  goal <- unname(read$points$target)
  name <- function(points) {
    colnames(points) <- colnames(read$points$target)
    points
  }
  list(source = name(moved), target = name(goal), pooled = name(rbind(moved, goal)), template = read$template)
}

# n rows from a source that is a function.
draw_source <- function(source, n) {
  rows <- source(n)
  if (!(is.matrix(rows) || is.data.frame(rows)) || nrow(rows) != n) {
    fail("`source` must be a function that returns %d rows for n = %d, not %s.", n, n, describe(rows))
  }
  rows
}

# points [n, sum(dims)]: the coordinates of the varying columns. batch, label: the results of read_label(), or NULL.
# positions: where the measured columns are in x.
read_samples <- function(x, batch, label) {
  x <- plain_table(x, "x")
  found <- list(batch = find_label(batch, x, "batch"), label = if (!is.null(label)) find_label(label, x, "label"))
  if (length(found$batch$value) == ncol(x) && nrow(x) != ncol(x)) {
    fail("`batch` has one entry for each of the %d columns of `x`, not for each of its %d rows: %s.", ncol(x), nrow(x),
         "`x` seems to be genes x samples; give t(x)")
  }
  named <- c(found$batch$position, found$label$position)
  read <- read_tables(list(x = drop_columns(x, named)), 4L)
  if (!any(varying(read$template))) fail("`x` has no column that varies; there is nothing to move.")
  each <- c("sample", "samples")
  list(
    points = read$points$x, positions = setdiff(seq_len(ncol(x)), named), template = read$template,
    batch = read_label(found$batch, nrow(x), "batch", each),
    label = if (!is.null(label)) read_label(found$label, nrow(x), "label", each)
  )
}

# Reads tables whose columns are all numeric, in the units and the order of columns of the first table.
read_numbers <- function(tables, min_rows = 1L, grouped = FALSE, rescale = FALSE) {
  kinds <- Filter(function(kind) kind$numeric, column_kinds())
  kinds$number <- column_number(rescale)
  read_tables(tables, min_rows, kinds, constants = FALSE, grouped = grouped)
}

# Tables that are compared, as matrices with the columns of the first table in its order.
read_alike <- function(tables, min_rows = 1L) {
  if (!all(vapply(tables, is_plain_matrix, NA))) return(read_numbers(tables, min_rows)$points)
  points <- Map(check_matrix, tables, names(tables), rep_len(min_rows, length(tables)))
  points <- Map(function(x, at) if (identical(at, seq_len(ncol(x)))) x else x[, at, drop = FALSE], points,
                align_columns(tables))
  stats::setNames(points, names(tables))
}

# One table of numbers as a matrix of doubles, constant columns included.
check_points <- function(x, what, min_rows = 1L, dim = NULL, grouped = what == "x") {
  if (is_plain_matrix(x)) return(check_matrix(x, what, min_rows, dim))
  x <- plain_table(x, what)
  points <- read_numbers(stats::setNames(list(x), what), min_rows, grouped)$points[[1]]
  check_extent(points, what, min_rows, dim)
  points
}

# Points with the columns `names`, matched by name if both have names, otherwise by position.
check_named_points <- function(x, what, names, dim, min_rows = 0L) {
  points <- check_points(x, what, min_rows)
  points[, match_columns(column_names(points), names, ncol(points), dim, what), drop = FALSE]
}

# A vector as a matrix of one row. The names of the vector are those of the columns.
row_of <- function(values) {
  matrix(values, 1, length(values), dimnames = if (!is.null(names(values))) list(NULL, names(values)))
}

# A plain matrix as a matrix of doubles without attributes other than dim and dimnames.
check_matrix <- function(x, what, min_rows, dim = NULL) {
  check_extent(x, what, min_rows, dim)
  check_finite(x, what, column_names(x))
  x <- bare_matrix(x)
  if (!is.double(x)) storage.mode(x) <- "double"
  x
}

is_plain_matrix <- function(x) is.matrix(x) && is.numeric(x) && (!is.object(x) || inherits(x, "simulated_matrix"))

