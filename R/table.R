# The user's table: read once, so that new rows can be given back in its form.

# points: the varying columns as doubles [n, p]; group: a factor; template: how
# to rebuild rows.
read_table <- function(x, group) {
  frame <- is.data.frame(x)
  group_column <- NULL
  if (frame && is.character(group) && length(group) == 1 && nrow(x) != 1) {
    if (!group %in% names(x)) {
      fail("`group` is \"%s\", but `x` has no such column; it has %s.", group, some(names(x)))
    }
    group_column <- group
    columns <- x[setdiff(names(x), group)]
    labels <- x[[group]]
  } else {
    columns <- x
    labels <- group
  }
  points <- check_points(columns, "x", min_rows = 2L)
  grouped <- !is.null(group)
  labels <- if (grouped) check_group(labels, nrow(points)) else factor(rep("all", nrow(points)))
  range <- apply(points, 2, range)
  varying <- range[2, ] > range[1, ]
  if (!any(varying)) fail("`x` has no column that varies; there is nothing to learn from equal rows.")
  integer <- if (frame) vapply(columns, is.integer, NA, USE.NAMES = FALSE) else rep(is.integer(x), ncol(points))
  list(
    points = points[, varying, drop = FALSE],
    group = labels,
    grouped = grouped,
    template = list(
      frame = if (frame) x[0, , drop = FALSE],
      names = if (is.null(colnames(points))) NULL else colnames(points),
      constant = ifelse(varying, NA_real_, range[1, ]),
      integer = integer, range = range,
      group_column = group_column,
      group = if (grouped) labels[0] # the levels, or NULL
    )
  )
}

check_group <- function(labels, n) {
  if (length(labels) != n || !is.atomic(labels)) {
    fail("`group` must have one entry for each of the %d rows of `x`, not be %s.", n, describe(labels))
  }
  if (anyNA(labels)) fail("`group` must not contain NA (row %s).", some(which(is.na(labels))))
  labels <- droplevels(as.factor(labels))
  alone <- table(labels) < 2
  if (any(alone)) {
    fail("Each class of `group` needs at least two rows, but \"%s\" has one.", names(which(alone))[1])
  }
  labels
}

# Columns of new data in the order of the template, as varying columns only.
read_new_rows <- function(newdata, template) {
  if (is.data.frame(newdata) && !is.null(template$names)) {
    missing <- setdiff(template$names, names(newdata))
    if (length(missing)) fail("`newdata` lacks the column \"%s\".", missing[1])
    newdata <- newdata[template$names]
  }
  points <- check_points(newdata, "newdata", min_rows = 0L, dim = length(template$constant))
  points[, is.na(template$constant), drop = FALSE]
}

# New rows in the form of the table: all columns, original types and names.
write_table <- function(points, template, group = NULL, bounds = FALSE) {
  full <- matrix(rep(template$constant, each = nrow(points)), nrow(points), length(template$constant))
  full[, is.na(template$constant)] <- points
  colnames(full) <- template$names
  if (bounds) full <- reflect_into(full, template$range)
  full[, template$integer] <- round(full[, template$integer])
  if (is.null(template$frame)) {
    if (all(template$integer)) storage.mode(full) <- "integer"
    if (!is.null(group)) attr(full, "group") <- group
    return(full)
  }
  columns <- as.data.frame(full)
  for (column in which(template$integer)) columns[[column]] <- as.integer(columns[[column]])
  # a tibble is a data frame with another class
  if (inherits(template$frame, "tbl_df")) class(columns) <- class(template$frame)
  if (is.null(group)) return(columns)
  if (is.null(template$group_column)) {
    columns$group <- group
    return(columns)
  }
  original <- template$frame[[template$group_column]]
  columns[[template$group_column]] <- if (is.factor(original)) {
    factor(group, levels = levels(original), ordered = is.ordered(original))
  } else {
    utils::type.convert(as.character(group), as.is = TRUE)
  }
  columns[names(template$frame)]
}

# Reflects values at the ends of [range[1, c], range[2, c]]; what lies more than
# a width beyond is set to the end.
reflect_into <- function(x, range) {
  for (column in seq_len(ncol(x))) {
    low <- range[1, column]
    high <- range[2, column]
    value <- x[, column]
    value <- ifelse(value < low, 2 * low - value, value)
    value <- ifelse(value > high, 2 * high - value, value)
    x[, column] <- pmin(pmax(value, low), high)
  }
  x
}

# Source and target with the same columns: those that vary in either, as matrices,
# pooled too, and the template by which rows are given back.
read_pair <- function(source, target, n_source) {
  if (is.function(source)) {
    target <- check_points(form <- target, "target", min_rows = 2L, grouped = FALSE)
    n_source <- if (is.null(n_source)) nrow(target) else check_count(n_source, "n_source", 2L)
    source <- draw_source(source, n_source, target)
  } else {
    if (!is.null(n_source)) fail("`n_source` belongs to a `source` that is a function.")
    source <- check_points(form <- source, "source", min_rows = 2L, grouped = FALSE)
    target <- check_like(target, "target", source, min_rows = 2L)
  }
  names <- if (is.null(colnames(source))) colnames(target) else colnames(source)
  pooled <- rbind(unname(source), unname(target))
  colnames(pooled) <- names
  range <- apply(pooled, 2, range)
  varying <- range[2, ] > range[1, ]
  if (!any(varying)) fail("`source` and `target` have no column that varies; there is nothing to move.")
  rows <- seq_len(nrow(source))
  pooled_varying <- pooled[, varying, drop = FALSE]
  list(
    source = pooled_varying[rows, , drop = FALSE], target = pooled_varying[-rows, , drop = FALSE], pooled = pooled_varying,
    template = list(
      frame = if (is.data.frame(form)) form[0, , drop = FALSE], names = names,
      constant = ifelse(varying, NA_real_, range[1, ]), integer = rep(FALSE, ncol(pooled)), range = range,
      group_column = NULL, group = NULL
    )
  )
}

# n rows of a source that is a function, with the columns of the target.
draw_source <- function(source, n, like) {
  rows <- source(n)
  if (!(is.matrix(rows) || is.data.frame(rows)) || nrow(rows) != n) {
    fail("`source` must be a function that returns %d rows for n = %d, not %s.", n, n, describe(rows))
  }
  check_like(rows, "source(n)", like, min_rows = 0L)
}

# points: the varying columns as doubles [n, p]; batch, label: factors; columns: where
# the varying ones stand in x.
read_samples <- function(x, batch, label) {
  frame <- is.data.frame(x)
  named <- character()
  if (frame) {
    named <- c(if (is_column_name(batch, x)) batch, if (is_column_name(label, x)) label)
    batch <- sample_column(batch, x, "batch", "x")
    if (!is.null(label)) label <- sample_column(label, x, "label", "x")
  }
  genes <- if (frame) which(!names(x) %in% named) else seq_len(NCOL(x))
  points <- check_points(if (frame) x[genes] else x, "x", min_rows = 4L, grouped = FALSE)
  range <- apply(points, 2, range)
  varying <- range[2, ] > range[1, ]
  if (!any(varying)) fail("`x` has no column that varies; there is nothing to move.")
  list(
    points = points[, varying, drop = FALSE], columns = genes[varying],
    batch = check_sample_factor(batch, nrow(points), "batch"),
    label = if (!is.null(label)) check_sample_factor(label, nrow(points), "label"),
    names = colnames(points), constant = ifelse(varying, NA_real_, range[1, ])
  )
}

is_column_name <- function(value, x) is.character(value) && length(value) == 1 && nrow(x) != 1

# A vector, or the column of a table that it names.
sample_column <- function(value, table, what, where) {
  if (!is_column_name(value, table)) return(value)
  if (!value %in% names(table)) fail("`%s` is \"%s\", but `%s` has no such column.", what, value, where)
  table[[value]]
}

check_sample_factor <- function(value, n, what) {
  if (!is.atomic(value) || length(value) != n) {
    fail("`%s` must have one entry for each of the %d samples, not be %s.", what, n, describe(value))
  }
  if (anyNA(value)) fail("`%s` must not contain NA (sample %s).", what, some(which(is.na(value))))
  droplevels(as.factor(value))
}

# x with the varying columns of these rows replaced.
replace_rows <- function(x, table, points, rows) {
  if (!is.data.frame(x)) {
    storage.mode(x) <- "double"
    x[rows, table$columns] <- points[rows, ]
    return(x)
  }
  for (j in seq_along(table$columns)) {
    column <- as.double(x[[table$columns[j]]])
    column[rows] <- points[rows, j]
    x[[table$columns[j]]] <- column
  }
  x
}

is_new_column <- function(value, table) is.character(value) && length(value) == 1 && value %in% names(table)

recycle_new <- function(value, n, what) {
  if (!is.atomic(value) || is.null(value) || !length(value) %in% c(1L, n) || anyNA(value)) {
    fail("`%s` must have one entry, or one for each of the %d new samples, and no NA, not be %s.", what, n, describe(value))
  }
  rep_len(as.character(value), n)
}

# Two tables with the same columns, as matrices; columns of the same names in
# another order are put in the order of `x`.
check_two_samples <- function(x, y, min_rows = 1L) {
  x <- check_points(x, "x", min_rows, grouped = FALSE)
  y <- check_points(y, "y", min_rows, dim = ncol(x))
  names <- colnames(x)
  if (!is.null(names) && !anyDuplicated(names) && setequal(names, colnames(y))) y <- y[, names, drop = FALSE]
  list(x = unname(x), y = unname(y))
}
