# Whether efs() reads a table as numbers or as normal scores.

# TRUE if a column is not of numbers, or has missing values.
lacks_numbers <- function(x, group) {
  x <- measured_columns(x, group)
  if (is.matrix(x)) return(!is.numeric(x) || anyNA(x))
  if (any(vapply(x, anyNA, NA))) return(TRUE)
  kinds <- column_kinds()
  for (j in which(!nzchar(bare_types(x)))) {
    values <- unbox(x[[j]])
    if (length(dim(values)) < 2 && is.null(column_kind_of(values, kinds))) return(TRUE)
  }
  FALSE
}

# A table of at most this many columns is standardised. A wider one has components.
most_standardised <- 20L

# The names or numbers of the columns of numbers that are codes or mostly zeros. Such values have probabilities, so a
# row has no density in the unit of these columns. Tables of many columns are left out, because their latent rows are
# components.
coded_columns <- function(x, group) {
  x <- measured_columns(x, group)
  if (ncol(x) > most_standardised || nrow(x) == 0) return(NULL)
  coded <- vapply(seq_len(ncol(x)), function(j) {
    values <- unbox(column_at(x, j))
    is_plain_number(values) && length(dim(values)) < 2 && is_coded(as.vector(values))
  }, NA)
  names <- column_names(x)
  if (is.null(names)) as_text(which(coded)) else names[coded]
}

# Two different values, each of them in several rows, or 0 in at least half of the rows and other values.
is_coded <- function(values) {
  values <- values[!is.na(values)]
  counts <- tabulate(match(values, unique(values)))
  if (length(counts) < 2) return(FALSE)
  (length(counts) == 2 && min(counts) > 1) || 2 * sum(values == 0) >= length(values)
}

measured_columns <- function(x, group) {
  if (is_column_name(group, x)) drop_columns(x, which(names(x) == group)) else x
}
