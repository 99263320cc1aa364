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
