# Experiments whose samples are columns: read as a matrix of samples x genes, and written back.

#' @rdname integrate_data
#' @param assay For a `SummarizedExperiment`, the name or the number of the assay that is moved. The other assays are
#'   not changed. `NULL`: the assay on a logarithmic scale. It is found by its name (`logcounts` before `vst`, `rlog`
#'   and similar names). Without such a name it is the only assay with fractions or negative values. If all assays are
#'   counts, it is the assay `counts`, or the only assay. If several assays qualify, that is an error, which lists them.
#' @export
integrate_data.SummarizedExperiment <- function(x, batch, reference, label = NULL, assay = NULL, ...) {
  integrate_experiment(x, batch, reference, label, assay, match.call(), ...)
}

#' @rdname integrate_data
#' @export
integrate_data.ExpressionSet <- function(x, batch, reference, label = NULL, ...) {
  integrate_experiment(x, batch, reference, label, NULL, match.call(), ...)
}

integrate_experiment <- function(x, batch, reference, label, assay, call, ...) {
  check_batches_given(missing(batch), missing(reference))
  opened <- open_experiment(x, batch, label, "x", assay)
  fit <- integrate_data(opened$x, opened$batch, reference, opened$label, ...)
  fit$data <- opened$close(fit$data)
  fit$call <- record_call(call, "integrate_data")
  fit$assay <- opened$assay
  seal(fit)
}

# For an experiment, a list. x: matrix of samples x genes; batch, label: vectors; assay: its name or number;
# close(moved): the experiment with the moved values. NULL for an object that is no experiment. new: batch and label may
# be one value for all samples.
open_experiment <- function(x, batch, label, what, assay = NULL, new = FALSE) {
  if (inherits(x, "SummarizedExperiment")) {
    need_package("SummarizedExperiment", class(x)[1])
    about <- SummarizedExperiment::colData(x)
    assay <- choose_assay(x, assay, what)
    values <- SummarizedExperiment::assay(x, assay)
    close <- function(moved) {
      SummarizedExperiment::assay(x, assay) <- like_assay(t(moved), values)
      x
    }
  } else if (inherits(x, "ExpressionSet")) {
    need_package("Biobase", "ExpressionSet")
    about <- Biobase::pData(x)
    assay <- "exprs"
    values <- Biobase::exprs(x)
    close <- function(moved) {
      Biobase::exprs(x) <- like_assay(t(moved), values)
      x
    }
  } else {
    return(NULL)
  }
  where <- sprintf(if (inherits(x, "ExpressionSet")) "pData(%s)" else "colData(%s)", what)
  list(x = t(full_matrix(values, what)), batch = sample_column(batch, about, "batch", where, new),
       label = sample_column(label, about, "label", where, new), assay = assay, close = close)
}

# The vector `value`, or the column of the table of samples that it names; a data frame of several columns.
sample_column <- function(value, about, what, where, new) {
  about <- as.data.frame(about, optional = TRUE)
  if (what == "batch" && names_columns(value, about)) return(about[value])
  if (!is.character(value) || length(value) != 1) return(value)
  if (!value %in% names(about)) {
    if (new) return(value)
    fail("`%s` is \"%s\", but %s has no such column; it has %s.", what, value, where, quoted(names(about)))
  }
  column <- about[[value]]
  if (isS4(column)) as.vector(column) else column
}

like_assay <- function(moved, values) {
  dimnames(moved) <- dimnames(values)
  matrix_like(moved, values)
}

# The name or number of the assay to move, see ?integrate_data.
choose_assay <- function(x, assay, what) {
  names <- SummarizedExperiment::assayNames(x)
  count <- length(SummarizedExperiment::assays(x))
  if (count == 0) fail("`%s` has no assay.", what)
  listed <- if (is.null(names)) sprintf("1 to %d", count) else quoted(names)
  if (!is.null(assay)) {
    known <- if (is_count(assay)) assay %in% seq_len(count) else is.character(assay) && all(assay %in% names)
    if (length(assay) != 1 || !known) {
      fail("`assay` must be one of the assays of `%s` (%s), not %s.", what, listed, describe(assay))
    }
    return(if (is.numeric(assay)) assay_name(names, assay) else assay)
  }
  at <- grep("^(log|vst|rlog|variance)", names, ignore.case = TRUE)
  if (length(at) > 1 && "logcounts" %in% names) at <- match("logcounts", names)
  if (!length(at)) at <- which(!vapply(SummarizedExperiment::assays(x), holds_whole_numbers, NA))
  if (!length(at)) at <- if ("counts" %in% names) match("counts", names) else seq_len(count)
  if (length(at) > 1) {
    fail("`%s` has several assays that could be moved; name one of %s in `assay`.", what,
         if (is.null(names)) listed else quoted(names[at]))
  }
  assay_name(names, at)
}

# The name of an assay, or its number if it has no name.
assay_name <- function(names, at) if (is.null(names) || names[at] == "") unname(at) else names[at]
