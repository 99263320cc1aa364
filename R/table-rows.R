# New rows: they are read in the order of columns of the template and written in the form of the table.

# [n, sum(dims)]: the coordinates of the varying columns of new rows. The table may have the column of the group too.
# Of a table of normal scores: a score drawn within the cell of each value, and 0 for a missing value.
read_new_rows <- function(newdata, template, what = "newdata") {
  if (!isTRUE(template$scores)) return(encode_rows(newdata, template, what)$points)
  points <- encode_mixed(newdata, template, what)$points
  points[is.na(points)] <- 0
  points
}

# list(points, margin): the same coordinates, and the margin of each row [n].
encode_rows <- function(newdata, template, what = "newdata") {
  x <- plain_table(newdata, what)
  check_extent(x, what, 0L)
  at <- match_columns(column_names(x), template$names, ncol(x), n_columns(template), what, template$group$name)
  codes <- lapply(template$columns, column_code)
  varies <- which(varying(template))
  plain <- are_plain(template$columns)[template$of[varies]] & nzchar(bare_types(x)[at[varies]])
  found <- lapply(template$columns[template$of[varies]], function(column) list(column = column))
  for (i in which(!plain)) {
    j <- varies[i]
    found[[i]] <- encode_new(template, j, unbox(column_at(x, at[j])), codes[[template$of[j]]], what)
  }
  points <- bind_coordinates(found, which(plain), bare_values(x, at[varies[plain]]))
  check_finite(points, what, template$names, rep(varies, template$dims[varies]))
  labels <- coordinate_names(template$names, template$dims)
  list(points = with_dimnames(points, list(row_labels(x), labels)), margin = total_margin(found, nrow(x)))
}

# The coordinates and the margin of new values of measured column j.
encode_new <- function(template, j, values, code, what) {
  column <- template$columns[[template$of[j]]]
  list(column = column, z = encode_part(column, values, code, what, column_name(template$names, j)),
       margin = column_margin(column, values, code))
}

# New rows in the form of the table, with all its columns, types and names. bounds: whether coordinates are reflected
# into the range of the template. fill: whether missing values get values, too.
write_table <- function(points, template, group = NULL, bounds = FALSE, fill = FALSE) {
  if (bounds) points <- reflect_into(points, template$range)
  names <- if (is.null(template$names)) template$blank else template$names
  label <- if (!is.null(group)) label_values(group, template$group)
  if (template$form == "matrix" && all(are_plain(template$columns) | are_constant(template$columns))) {
    rows <- with_dimnames(plain_matrix(points, template), list(NULL, names))
    if (!is.null(group)) attr(rows, "group") <- label
    return(rows)
  }
  points <- unname(points)
  columns <- decode_columns(points, template, fill)
  if (is.null(group)) return(shape_table(columns, names, nrow(points), template$form))
  if (template$form == "matrix") {
    rows <- shape_table(columns, names, nrow(points), "matrix")
    attr(rows, "group") <- label
    return(rows)
  }
  before <- if (is.na(template$group$position)) length(columns) else template$group$position - 1L
  if (is.null(names)) names <- character(length(columns))
  columns <- append(columns, list(label), before)
  shape_table(columns, append(names, template$group$name, before), nrow(points), template$form)
}

# A matrix of plain and of constant columns, from coordinates. As a list of columns it would be there three times.
plain_matrix <- function(points, template) {
  columns <- template$columns
  if (length(columns) == 1 && columns[[1]]$kind == "number" && all_finite(points)) return(bare_matrix(points))
  none <- lapply(columns, function(column) decode_column(column, matrix(0, 0, column$dim)))
  out <- matrix(vector(typeof(unlist(none)), 1L), nrow(points), length(template$of))
  last <- cumsum(template$dims)
  for (k in seq_along(columns)) {
    of <- which(template$of == k)
    for (places in small_blocks(length(of), nrow(points))) {
      at <- of[places]
      coordinates <- if (columns[[k]]$dim) as.vector(points[, last[at]]) else numeric(nrow(points) * length(at))
      dim(coordinates) <- c(length(coordinates), 1L)
      out[, at] <- decode_column(columns[[k]], coordinates)
    }
  }
  out
}

# The values of each measured column as a list, from coordinates [n, sum(dims)].
decode_columns <- function(points, template, fill = FALSE) {
  codes <- lapply(template$columns, column_code)
  last <- cumsum(template$dims)
  determined <- vapply(template$relations, `[[`, 0L, "at")
  columns <- vector("list", length(template$of))
  plain <- are_plain(template$columns)
  for (k in which(plain)) {
    j <- which(template$of == k)
    # dim<- copies nothing, and matrix() does
    coordinates <- points[, last[j]]
    dim(coordinates) <- c(length(coordinates), 1L)
    values <- decode_column(template$columns[[k]], coordinates, codes[[k]])
    dim(values) <- c(nrow(points), length(j))
    columns[j] <- lapply(seq_along(j), function(i) values[, i])
  }
  for (j in setdiff(which(!plain[template$of]), determined)) {
    k <- template$of[j]
    at <- seq_len(template$dims[j]) + last[j] - template$dims[j]
    columns[[j]] <- decode_column(template$columns[[k]], points[, at, drop = FALSE], codes[[k]], fill)
  }
  if (!fill) columns <- mark_missing(columns, template, codes[template$of])
  for (relation in template$relations) {
    column <- template$columns[[template$of[relation$at]]]
    columns[[relation$at]] <- relation_values(relation, columns, column, codes[template$of])
  }
  columns <- columns[seq_len(n_columns(template))]
  for (box in template$boxes) {
    columns[[box$at]] <- matrix(columns[[box$at]], ncol = 1, dimnames = if (!is.null(box$name)) list(NULL, box$name))
  }
  columns
}

# The columns with the missing values that other columns tell. A column that tells may be missing together with another
# one, and one that is told may be so, too.
mark_missing <- function(columns, template, codes) {
  follow <- function(columns) {
    for (j in seq_along(columns)) {
      leader <- template$columns[[template$of[j]]]$leader
      if (!is.null(leader)) is.na(columns[[j]]) <- which(is.na(columns[[leader]]))
    }
    columns
  }
  columns <- follow(columns)
  rules <- column_rules(template)
  told <- which(!vapply(rules, is.null, NA))
  for (j in told) is.na(columns[[j]]) <- which(rule_rows(rules[[j]], columns, codes))
  if (length(told)) follow(columns) else columns
}

# [n]: what is added to the log-density of drawn coordinates to get the log-density of the rows.
point_margin <- function(points, template) {
  codes <- lapply(template$columns, column_code)
  told <- which(!vapply(codes, function(code) is.null(code$margin), NA))
  total <- numeric(nrow(points))
  if (!any(template$of %in% told)) return(total)
  values <- decode_columns(unname(points), template)
  for (j in which(template$of %in% told)) {
    margin <- column_margin(template$columns[[template$of[j]]], values[[j]], codes[[template$of[j]]])
    if (!is.null(margin)) total <- total + margin
  }
  total
}

# Reflects coordinates of column c at the ends of [range[1, c], range[2, c]]. A coordinate outside by more than the
# width of the range is set to the end that is nearer.
reflect_into <- function(x, range) {
  for (column in seq_len(ncol(x))) {
    low <- range[1, column]
    high <- range[2, column]
    value <- x[, column]
    inside <- ifelse(value < low, 2 * low - value, ifelse(value > high, 2 * high - value, value))
    far <- inside < low | inside > high
    x[, column] <- ifelse(far, pmin(pmax(value, low), high), inside)
  }
  x
}

# x with the varying columns of some rows replaced, in the class of x. positions: where the measured columns are in x.
# points [n, sum(dims)]: coordinates of all rows. rows: the rows that are replaced.
replace_rows <- function(x, template, positions, points, rows) {
  columns <- decode_columns(unname(points), template)[varying(template)]
  at <- positions[varying(template)]
  if (is.data.frame(x) || inherits(x, "DataFrame")) return(replace_columns(x, columns, at, rows))
  full <- plain_table(x, "x")
  moved <- matrix(unlist(columns, use.names = FALSE), nrow(full))
  full[rows, at] <- moved[rows, ]
  matrix_like(full, x)
}
