# Columns of plain numbers, which are read and written together because wide tables have very many of them.

# The kind that reads a plain vector of each type.
plain_kinds <- c(double = "number", integer = "integer")

# Kinds of which reads() depends on type and class alone. A kind that is not named here is asked about every column.
kinds_by_class <- c("constant", "integer", "integer64", "number", "unit")

# The type of each column that is a numeric vector without attributes. "" for other columns.
bare_types <- function(x) {
  if (is.matrix(x)) return(rep(if (!is.object(x) || inherits(x, "simulated_matrix")) typeof(x) else "", ncol(x)))
  vapply(unclass(x), function(values) {
    if (is.numeric(values) && is.null(attributes(values))) typeof(values) else ""
  }, "", USE.NAMES = FALSE)
}

# Whether each fitted column is that of plain numbers, and so encodes and decodes many columns as one.
are_plain <- function(columns) {
  vapply(columns, function(column) identical(column$kind %in% plain_kinds, TRUE) && !length(column$state), NA)
}

are_constant <- function(columns) vapply(columns, function(column) identical(column$kind, "constant"), NA)

# [n, length(at)]: bare columns as doubles. A matrix of doubles whose columns are all wanted is not copied, and keeps
# its names.
bare_values <- function(x, at) {
  if (is.matrix(x) && is.double(x) && identical(as.integer(at), seq_len(ncol(x)))) return(bare_matrix(x))
  values <- if (is.matrix(x)) unclass(x)[, at] else unlist(unclass(x)[at], use.names = FALSE)
  values <- as.double(values)
  dim(values) <- c(nrow(x), length(at))
  values
}

# A matrix without attributes other than dim and dimnames. It is copied only if it has others.
bare_matrix <- function(x) {
  if (all(names(attributes(x)) %in% c("dim", "dimnames"))) return(x)
  attributes(x) <- attributes(x)[c("dim", if (!is.null(dimnames(x))) "dimnames")]
  x
}

# [2, p]: the least and the largest value of each column. Inf and -Inf without rows.
column_ranges <- function(x) {
  if (nrow(x) > ncol(x) && ncol(x) > 0) return(unname(apply(x, 2, range)))
  low <- rep(Inf, ncol(x))
  high <- -low
  for (i in seq_len(nrow(x))) {
    row <- as.vector(x[i, ])
    low <- pmin(low, row)
    high <- pmax(high, row)
  }
  rbind(low, high, deparse.level = 0)
}

# Reads the columns that are bare in all tables, as read_column() reads them one by one. Columns that are not finite or
# that would be rescaled are left to read_column(). at: for each table the positions of the columns of the first table.
# list(at, found, z): the positions of the columns that were read, what was found, and their coordinates.
read_plain <- function(tables, at, kinds) {
  types <- Map(function(x, at) bare_types(x)[at], tables, at)
  type <- ifelse(Reduce(`&`, lapply(types, `==`, "integer")), "integer", "double")
  type[!Reduce(`&`, lapply(types, nzchar))] <- ""
  for (one in names(plain_kinds)) {
    before <- names(kinds)[seq_len(match(plain_kinds[[one]], names(kinds)))]
    if (!all(before %in% kinds_by_class)) type[type == one] <- ""
  }
  plain <- which(nzchar(type))
  z <- bind_rows(Map(function(x, at) bare_values(x, at[plain]), unname(tables), unname(at)))
  range <- column_ranges(z)
  largest <- pmax(abs(range[1, ]), abs(range[2, ]))
  usual <- is.finite(largest) & (largest == 0 | abs(floor(log2(largest))) <= largest_power)
  if (!all(usual)) z <- z[, usual, drop = FALSE]
  plain <- plain[usual]
  list(at = plain, found = plain_found(z, range[, usual, drop = FALSE], type[plain], kinds), z = z)
}

# rbind() of matrices, which does not copy a single one.
bind_rows <- function(parts) if (length(parts) == 1) parts[[1]] else do.call(rbind, parts)

# What read_column() says of each column, without the coordinates of columns that vary.
plain_found <- function(z, range, type, kinds) {
  found <- vector("list", ncol(z))
  constant <- range[1, ] == range[2, ]
  for (one in unique(type)) {
    kind <- kinds[[plain_kinds[[one]]]]
    values <- vector(one, 1L)
    column <- fit_column(kind, values)
    column$dim <- 1L
    same <- list(column = column, margin = NULL, values = values, key = kind$name, box = NULL)
    found[type == one] <- list(same)
    for (value in unique(z[1, constant & type == one])) {
      at <- constant & type == one & z[1, ] == value
      found[at] <- list(utils::modifyList(same, list(z = value, values = as.vector(value, one))))
    }
  }
  found
}
