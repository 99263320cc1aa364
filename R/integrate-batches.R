# Several batch variables, read as one whose values are their combinations.

# list(batch, reference, parts). One variable: as it is given, and parts = NULL. Several: batch [n] and reference are
# titles of combinations; parts: a data frame of the values of each variable as texts, one row per combination, whose
# row names are the titles. table: a data frame whose columns `batch` may name, or NULL.
join_batches <- function(batch, reference, table = NULL) {
  batch <- batch_columns(batch, table)
  if (!is.list(batch)) return(list(batch = batch, reference = reference, parts = NULL))
  if (length(batch) == 1) {
    return(list(batch = batch[[1]], reference = if (is.list(reference)) reference[[1]] else reference, parts = NULL))
  }
  texts <- lapply(stats::setNames(names(batch), names(batch)), function(name) batch_text(batch[[name]], name))
  wanted <- reference_texts(reference, texts)
  rows <- unname(do.call(paste, c(texts, sep = "\r")))
  first <- !duplicated(rows)
  parts <- data.frame(lapply(texts, `[`, first), check.names = FALSE, stringsAsFactors = FALSE)
  titles <- make.unique(unname(do.call(paste, c(unname(as.list(parts)), sep = " / "))))
  row.names(parts) <- titles
  at <- match(paste(wanted, collapse = "\r"), rows[first])
  if (is.na(at)) fail("No sample is of the `reference` %s.", quoted(paste(wanted, collapse = " / ")))
  list(batch = titles[match(rows, rows[first])], reference = titles[at], parts = parts)
}

# The batch variables as a list, if `batch` is a data frame or names several columns of `table`; otherwise `batch`.
batch_columns <- function(batch, table) {
  if (inherits(batch, "DataFrame")) batch <- as.data.frame(batch, optional = TRUE)
  if (is.data.frame(batch)) {
    if (!length(batch)) fail("`batch` is a data frame without a column.")
    return(as.list(batch))
  }
  if (!names_columns(batch, table)) return(batch)
  as.list(table[batch])
}

# TRUE if `batch` names several columns of `table`.
names_columns <- function(batch, table) {
  is.data.frame(table) && is.character(batch) && length(batch) > 1 && !anyDuplicated(batch) &&
    all(batch %in% names(table))
}

batch_text <- function(values, name) {
  if (!is.atomic(values) || is.null(values)) {
    fail("Batch variable \"%s\" must be a vector or a factor, not %s.", name, describe(values))
  }
  if (anyNA(values)) fail("Batch variable \"%s\" must not contain NA (sample %s).", name, some(which(is.na(values))))
  label_text(values)
}

# The text of the reference value of each batch variable.
reference_texts <- function(reference, texts) {
  named <- !is.null(names(reference))
  if (length(reference) != length(texts) || (named && !setequal(names(reference), names(texts)))) {
    fail("`reference` must give one value for each of the batch variables %s, not %s.", quoted(names(texts)),
         describe(reference))
  }
  if (named) reference <- reference[names(texts)]
  vapply(seq_along(texts), function(i) {
    value <- label_text(reference[[i]])
    if (length(value) == 1 && value %in% texts[[i]]) return(value)
    fail("`reference` of \"%s\" must be one of %s, not %s.", names(texts)[i], quoted(sort(unique(texts[[i]]))),
         describe(reference[[i]]))
  }, "")
}

# The titles of the combinations of new samples. parts: as in join_batches().
new_batches <- function(batch, parts, table) {
  batch <- batch_columns(batch, table)
  if (is.character(batch) && !is.null(names(batch))) batch <- as.list(batch)
  if (!is.list(batch) || !setequal(names(batch), names(parts))) {
    fail("`batch` must give the batch variables %s of the new samples, as a data frame or as names of columns, not %s.",
         quoted(names(parts)), describe(batch))
  }
  texts <- lapply(names(parts), function(name) batch_text(batch[[name]], name))
  rows <- do.call(paste, c(texts, sep = "\r"))
  at <- match(rows, do.call(paste, c(unname(as.list(parts)), sep = "\r")))
  if (anyNA(at)) {
    stray <- unique(gsub("\r", " / ", rows[is.na(at)]))
    fail("`newdata` has samples of %s, which the fit does not know; it knows %s.", quoted(stray),
         quoted(row.names(parts)))
  }
  row.names(parts)[at]
}
