# Classes of tables: which classes are read, and in which class new rows come back.

# Any table that can be read, as a matrix or as a data frame without groups. Other objects are an error.
plain_table <- function(x, what, mixed = FALSE) {
  if (inherits(x, c("grouped_df", "rowwise_df"))) return(ungroup(x))
  # as.matrix() of a data frame without rows is a logical matrix
  if (!mixed && is.matrix(x) && is.logical(x) && nrow(x) == 0) storage.mode(x) <- "double"
  if (is.data.frame(x) || (is.matrix(x) && (is.numeric(x) || (mixed && is.atomic(x))))) return(x)
  for (class in names(samples_in_columns)) {
    if (inherits(x, class)) {
      fail("`%s` is of class \"%s\", whose samples are columns; give a matrix of samples x genes, such as %s.", what,
           class(x)[1], samples_in_columns[[class]])
    }
  }
  if (inherits(x, c("Matrix", "DelayedArray"))) return(full_matrix(x, what))
  if (inherits(x, "DataFrame")) return(as_data_frame(x))
  wanted <- if (mixed) "a matrix or a data frame" else "a numeric matrix or a data frame of numeric columns"
  fail("`%s` must be %s, not %s.", what, wanted, describe(x))
}

samples_in_columns <- c(
  SummarizedExperiment = "t(as.matrix(SummarizedExperiment::assay(x, \"logcounts\")))",
  ExpressionSet = "t(Biobase::exprs(x))"
)

ungroup <- function(x) {
  attr(x, "groups") <- NULL
  class(x) <- c("tbl_df", "tbl", "data.frame")
  x
}

# A full matrix takes 8 bytes per cell: at most 512 MB.
most_cells <- 2^26

# Columns that are worked on at once: 2^22 doubles take 32 MB.
cells_at_once <- 2^22
column_blocks <- function(p, n) {
  each <- max(1, floor(cells_at_once / max(n, 1)))
  split(seq_len(p), (seq_len(p) - 1) %/% each)
}

# The same for work that holds some ten arrays of this size at a time: 2^18 doubles take 2 MB.
small_blocks <- function(p, n) column_blocks(p, 16 * n)

# The matrix x with change(its columns `at`, at) in place of its columns, a few at a time: x is copied once.
over_columns <- function(x, change) {
  for (at in small_blocks(ncol(x), nrow(x))) x[, at] <- change(x[, at, drop = FALSE], at)
  x
}

# x [n, p] less `centre` [p], divided by `spread` [p] if it is given. sweep() has the same bits and three copies.
shift_columns <- function(x, centre, spread = NULL) {
  each <- function(values) rep(unname(values), each = nrow(x))
  over_columns(x, function(part, at) {
    part <- part - each(centre[at])
    if (is.null(spread)) part else part / each(spread[at])
  })
}

# A sparse or delayed matrix as a full matrix.
full_matrix <- function(x, what) {
  if (is.matrix(x)) return(x)
  check_full_size(x, what)
  as.matrix(x)
}

# A matrix of another class must not be too large as a full matrix, and its package must be there.
check_full_size <- function(x, what) {
  size <- as.double(dim(x))
  if (length(size) != 2) fail("`%s` must have rows and columns, not %d dimensions.", what, length(size))
  if (prod(size) > most_cells) {
    stop_size("`%s` is of class \"%s\" and would take %.1f GB as a full matrix of %.0f x %.0f; %s.", what, class(x)[1],
              8 * prod(size) / 2^30, size[1], size[2], "choose fewer columns first")
  }
  need_package(if (inherits(x, "Matrix")) "Matrix" else "DelayedArray", class(x)[1])
}

as_data_frame <- function(x) {
  need_package("S4Vectors", "DataFrame")
  columns <- lapply(seq_len(ncol(x)), function(j) {
    column <- x[[j]]
    if (isS4(column) && inherits(column, "Rle")) as.vector(column) else column
  })
  new_frame(columns, names(x)[seq_along(x)], nrow(x), rownames(x))
}

need_package <- function(package, class) {
  if (!requireNamespace(package, quietly = TRUE)) {
    fail("Objects of class \"%s\" need the package %s; install it.", class, package)
  }
}

# The class in which rows come back.
form_of <- function(x) {
  if (!is.data.frame(x)) return("matrix")
  if (inherits(x, "data.table")) "data.table" else if (inherits(x, "tbl_df")) "tibble" else "data.frame"
}

# A data frame of the columns, which are not changed. A name may occur twice.
new_frame <- function(columns, names, n, row_names = NULL) {
  names(columns) <- names
  if (is.null(row_names)) row_names <- .set_row_names(n)
  structure(columns, names = names, class = "data.frame", row.names = row_names)
}

# The columns as a table of class `form`.
shape_table <- function(columns, names, n, form) {
  if (form == "matrix") {
    values <- unlist(columns, use.names = FALSE)
    return(matrix(values, n, length(columns), dimnames = if (!is.null(names)) list(NULL, names)))
  }
  if (is.null(names) && form == "data.table") names <- character(length(columns)) # there is none without names
  frame <- new_frame(columns, names, n)
  if (form == "tibble") class(frame) <- c("tbl_df", "tbl", "data.frame")
  if (form == "data.table") {
    known <- requireNamespace("data.table", quietly = TRUE)
    if (known) data.table::setDT(frame) else class(frame) <- c("data.table", "data.frame")
  }
  frame
}

# x, a data frame of any class or a DataFrame. The entries `rows` of its columns `at` are replaced by those of
# `columns`. rows: NULL replaces the columns, whatever their types.
replace_columns <- function(x, columns, at, rows) {
  if (inherits(x, c("grouped_df", "rowwise_df"))) x <- ungroup(x)
  if (inherits(x, "data.table") && requireNamespace("data.table", quietly = TRUE)) x <- data.table::copy(x)
  whole <- lapply(at, function(j) x[[j]])
  for (i in seq_along(at)) {
    new <- columns[[i]]
    if (is.null(rows)) {
      whole[[i]] <- new
      next
    }
    if (inherits(whole[[i]], "difftime")) units(new) <- attr(whole[[i]], "units")
    whole[[i]][rows] <- new[rows]
  }
  if (inherits(x, "data.table")) {
    for (i in seq_along(at)) data.table::set(x, j = at[i], value = whole[[i]])
  } else if (isS4(x)) {
    for (i in seq_along(at)) x[[at[i]]] <- whole[[i]]
  } else {
    shape <- attributes(x)
    x <- unclass(x)
    x[at] <- whole
    attributes(x) <- shape
  }
  x
}

# The matrix `full` in the class of x.
matrix_like <- function(full, x) {
  if (inherits(x, "DelayedArray")) return(DelayedArray::DelayedArray(full))
  if (!inherits(x, "Matrix")) return(full)
  sparse <- Find(function(class) methods::is(x, class), c("CsparseMatrix", "RsparseMatrix", "TsparseMatrix"))
  if (is.null(sparse)) Matrix::Matrix(full, sparse = FALSE, doDiag = FALSE) else methods::as(full, sparse)
}

# The values of column j.
column_at <- function(x, j) if (is.data.frame(x)) x[[j]] else x[, j]

# The names of the columns. NULL if there are none, or if all are empty or NA.
column_names <- function(x) {
  names <- names_as_given(x)
  if (all(is.na(names) | names == "")) NULL else names
}

# A copy of the names, because data.table changes the names of a table in place.
names_as_given <- function(x) {
  names <- if (is.data.frame(x)) names(x) else colnames(x)
  names[seq_along(names)]
}

# The row names that the user gave. NULL if the rows are only numbered.
row_labels <- function(x) {
  if (!is.data.frame(x)) return(rownames(x))
  if (.row_names_info(x) > 0L) row.names(x)
}
