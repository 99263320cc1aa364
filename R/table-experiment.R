# Expression tables of other classes: they are read as a matrix of samples x genes, and new samples are written in the
# class that came in. SummarizedExperiment, SingleCellExperiment, ExpressionSet; sparse matrices of samples x genes.

is_experiment <- function(x) inherits(x, "SummarizedExperiment") || inherits(x, "ExpressionSet")

# For functions that do not read experiments.
refuse_experiment <- function(x, caller) {
  if (!is_experiment(x)) return(invisible())
  fail("`x` is of class \"%s\", whose samples are columns; give it to synthesise(), or give %s a matrix, such as %s.",
       class(x)[1], caller, samples_in_columns[inherits(x, names(samples_in_columns), which = TRUE) > 0][1])
}

# Arguments that say how columns are read, or which rows belong together, have no meaning for experiments.
refuse_for_experiments <- function(columns, id, constraints, combine, blocks, whole_blocks, x) {
  given <- c(columns = length(columns) > 0, id = !is.null(id), constraints = !is.null(constraints),
             combine = !is.null(combine), blocks = !is.null(blocks), whole_blocks = isTRUE(whole_blocks))
  if (!any(given)) return(invisible())
  fail("`%s` cannot be given for `x` of class \"%s\": genes are read as numbers, and samples as independent.",
       names(which(given))[1], class(x)[1])
}

# points [samples, genes]; origin: what is needed to write new samples; samples: a data frame of the samples, or NULL.
# A sparse matrix stays one sample per row.
read_experiment <- function(x, assay) {
  if (!is_experiment(x)) {
    if (!is.null(assay)) fail("`assay.type` belongs to a SummarizedExperiment, not to an object of class \"%s\".",
                              class(x)[1])
    full <- unname_rows(full_matrix(x, "x"))
    return(list(points = full, origin = list(kind = if (inherits(x, "Matrix")) "Matrix" else "table"), samples = NULL))
  }
  if (inherits(x, "ExpressionSet")) {
    need_package("Biobase", class(x)[1])
    if (!is.null(assay)) fail("`assay.type` belongs to a SummarizedExperiment, not to an ExpressionSet.")
    origin <- list(kind = "ExpressionSet", shell = x[, 0])
    return(list(points = unname_rows(t(Biobase::exprs(x))), origin = origin, samples = Biobase::pData(x)))
  }
  need_package("SummarizedExperiment", class(x)[1])
  assay <- name_assay(assay, SummarizedExperiment::assayNames(x))
  values <- full_assay(SummarizedExperiment::assay(x, assay))
  origin <- list(kind = "SummarizedExperiment", assay = assay, shell = x[, 0],
                 sparse = inherits(SummarizedExperiment::assay(x, assay), "sparseMatrix"))
  list(points = unname_rows(t(values)), origin = origin,
       samples = as_data_frame(SummarizedExperiment::colData(x)))
}

full_assay <- function(values) {
  full <- full_matrix(values, "x")
  if (!is.numeric(full)) fail("The assay must hold numbers, not %s.", describe(full))
  full
}

# The samples have names of their own, which new samples do not have.
unname_rows <- function(x) {
  rownames(x) <- NULL
  x
}

# The name of the assay, or 1 if the assays have no names. NULL: "counts" if there is one, otherwise the first.
name_assay <- function(assay, names) {
  if (is.null(names)) {
    if (is.null(assay)) return(1L)
    fail("`assay.type` is \"%s\", but the assays of `x` have no names.", assay)
  }
  if (is.null(assay)) return(if ("counts" %in% names) "counts" else names[1])
  if (is.character(assay) && length(assay) == 1 && assay %in% names) return(assay)
  fail("`assay.type` must be one of the assays %s, not %s.", quoted(names), describe(assay))
}

# New samples in the class that came in. points [m, genes]; samples: a data frame of the new samples; provenance: a list
# that says where they come from.
write_experiment <- function(points, origin, samples, provenance) {
  if (origin$kind == "Matrix") return(sparse_counts(points))
  values <- t(points)
  rownames(values) <- rownames(origin$shell)
  colnames(values) <- sprintf("new%d", seq_len(ncol(values)))
  if (isTRUE(origin$sparse)) values <- sparse_counts(values)
  row.names(samples) <- colnames(values)
  if (origin$kind == "ExpressionSet") return(new_expression_set(values, origin$shell, samples, provenance))
  new_summarized_experiment(values, origin, samples, provenance)
}

sparse_counts <- function(values) {
  need_package("Matrix", "dgCMatrix")
  storage.mode(values) <- "double"
  methods::as(Matrix::Matrix(values, sparse = TRUE, doDiag = FALSE), "generalMatrix")
}

new_expression_set <- function(values, shell, samples, provenance) {
  set <- Biobase::ExpressionSet(
    assayData = values, phenoData = Biobase::AnnotatedDataFrame(samples), featureData = Biobase::featureData(shell),
    annotation = Biobase::annotation(shell)
  )
  Biobase::notes(set) <- provenance
  set
}

new_summarized_experiment <- function(values, origin, samples, provenance) {
  shell <- origin$shell
  assays <- list(values)
  if (is.character(origin$assay)) names(assays) <- origin$assay
  make <- if (inherits(shell, "SingleCellExperiment")) {
    need_package("SingleCellExperiment", "SingleCellExperiment")
    SingleCellExperiment::SingleCellExperiment
  } else {
    SummarizedExperiment::SummarizedExperiment
  }
  new <- make(assays = assays, colData = S4Vectors::DataFrame(samples, check.names = FALSE))
  if (inherits(shell, "RangedSummarizedExperiment")) {
    SummarizedExperiment::rowRanges(new) <- SummarizedExperiment::rowRanges(shell)
  } else {
    SummarizedExperiment::rowData(new) <- SummarizedExperiment::rowData(shell)
  }
  S4Vectors::metadata(new) <- c(S4Vectors::metadata(shell), list(particleflow = provenance))
  new
}
