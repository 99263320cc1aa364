# Errors about tables, and how the columns of a table are found.

# Stops: says why a column cannot be read, and what the user can do.
refuse_column <- function(values, what, name, grouped, kind = NULL) {
  if (!is.null(kind) && is_number(values)) {
    fail("Column %s of `%s` must be of the kind \"%s\", not plain numbers.", name, what, kind$name)
  }
  if (length(dim(values)) == 2) {
    fail("`%s` must have numeric columns only, but column %s is a %s of %d column%s; make %s of its own.", what, name,
         if (is.matrix(values)) "matrix" else "table", ncol(values), if (ncol(values) == 1) "" else "s",
         if (ncol(values) == 1) "it a column" else "each a column")
  }
  fail("`%s` must have numeric columns only, but column %s is of class \"%s\"; %sleave it out%s.", what, name,
       class(values)[1], column_advice(values), if (grouped) " or name it in `group`" else "")
}

column_advice <- function(values) {
  if (inherits(values, c("Date", "POSIXct"))) return("give as.numeric() of it, ")
  if (inherits(values, "POSIXlt")) return("give as.POSIXct() of it, ")
  if (length(dim(values)) == 2) return("make each of its columns a column of the table, ")
  if (inherits(values, "haven_labelled")) {
    return("give haven::as_factor() of it where its numbers are codes, haven::zap_labels() where not, ")
  }
  if (is.numeric(unclass(values)) && !is.factor(values)) return("give as.numeric() of it if that keeps its meaning, ")
  ""
}

column_name <- function(names, j) if (is.null(names)) as_text(j) else paste0("\"", names[j], "\"")

check_extent <- function(x, what, min_rows, dim = NULL) {
  if (ncol(x) < 1) fail("`%s` has no columns; at least one is needed.", what)
  if (nrow(x) < min_rows) {
    fail("`%s` has %d row%s; at least %d %s needed.", what, nrow(x), if (nrow(x) == 1) "" else "s", min_rows,
         if (min_rows == 1) "is" else "are")
  }
  if (!is.null(dim)) check_columns(ncol(x), dim, what)
}

check_columns <- function(count, wanted, what) {
  if (count == wanted) return(invisible())
  fail("`%s` has %d column%s; %d %s wanted.", what, count, if (count == 1) "" else "s", wanted,
       if (wanted == 1) "is" else "are")
}

# owner: the number of the column of each coordinate.
check_finite <- function(points, what, names, owner = seq_len(ncol(points))) {
  if (all_finite(points)) return(invisible())
  finite <- is.finite(points)
  dim(finite) <- dim(points)
  rows <- which(rowSums(!finite) > 0)
  columns <- unique(owner[colSums(!finite) > 0])
  fail("`%s` must not contain NA, NaN or infinite values, but row%s %s do%s, in column%s %s; %s.", what,
       if (length(rows) == 1) "" else "s", some(rows), if (length(rows) == 1) "es" else "",
       if (length(columns) == 1) "" else "s", some(vapply(columns, column_name, "", names = names)),
       "drop or impute them first")
}

# For each table, the positions of the columns of the first table.
align_columns <- function(tables) {
  wanted <- column_names(tables[[1]])
  p <- ncol(tables[[1]])
  Map(function(x, what) match_columns(column_names(x), wanted, ncol(x), p, what), tables, names(tables))
}

# The positions of the wanted columns in a table: by name if both have names, otherwise by position. known: names of
# columns that the table may have besides.
match_columns <- function(has, wanted, count, p, what, known = NULL) {
  if (is.null(has) || is.null(wanted)) {
    check_columns(count, p, what)
    return(seq_len(p))
  }
  kept <- which(has %in% wanted | !has %in% known)
  if (identical(has[kept], wanted)) return(kept)
  missing <- setdiff(wanted, has)
  unknown <- setdiff(has[kept], wanted)
  if (length(missing) || length(unknown)) {
    listed <- function(said, names) if (length(names)) paste0(said, if (length(names) > 1) "s", " ", quoted(names))
    fail("`%s` %s.", what, join(c(listed("lacks the column", missing), listed("has the unknown column", unknown))))
  }
  twice <- unique(c(wanted[duplicated(wanted)], has[kept][duplicated(has[kept])]))
  if (length(twice)) {
    fail("`%s` must have the %d columns %s in this order, because the name%s %s occur%s more than once.", what, p,
         quoted(wanted), if (length(twice) > 1) "s" else "", quoted(twice), if (length(twice) > 1) "" else "s")
  }
  kept[match(wanted, has[kept])]
}
