# Expression tables of other classes: they are read as a matrix of samples x genes, and new samples are written in the
# class that came in. SummarizedExperiment, SingleCellExperiment, ExpressionSet; sparse and delayed matrices of
# samples x genes.

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
# A sparse or delayed matrix stays one sample per row.
read_experiment <- function(x, assay) {
  if (inherits(x, "SummarizedExperiment")) return(check_experiment_size(read_summarized_experiment(x, assay)))
  if (!is.null(assay)) fail("`assay.type` belongs to a SummarizedExperiment, not to an object of class \"%s\".",
                            class(x)[1])
  if (is.matrix(x) || is.data.frame(x)) return(list(points = x, origin = list(kind = "table")))
  if (!inherits(x, "ExpressionSet")) {
    return(check_experiment_size(list(points = full_samples(x, genes = 2), origin = c(kind = "matrix", storage_of(x)))))
  }
  need_package("Biobase", class(x)[1])
  check_experiment_size(list(points = full_samples(Biobase::exprs(x), genes = 1), samples = Biobase::pData(x),
                    origin = list(kind = "ExpressionSet", shell = x[, 0])))
}

# origin has no assay, because a delayed one would hold all values.
read_summarized_experiment <- function(x, assay) {
  need_package("SummarizedExperiment", class(x)[1])
  assay <- name_assay(assay, x, "x")
  values <- SummarizedExperiment::assay(x, assay, withDimnames = FALSE)
  ranges <- inherits(x, "RangedSummarizedExperiment")
  origin <- list(
    kind = "SummarizedExperiment", assay = assay, names = rownames(x), ranges = ranges,
    single = inherits(x, "SingleCellExperiment"), metadata = S4Vectors::metadata(x),
    genes = if (ranges) SummarizedExperiment::rowRanges(x) else SummarizedExperiment::rowData(x)
  )
  points <- full_samples(values, genes = 1)
  colnames(points) <- rownames(x)
  list(points = points, origin = c(origin, storage_of(values)),
       samples = as_data_frame(SummarizedExperiment::colData(x)))
}

# Whether a matrix is sparse, and whether it is delayed, such as a matrix in a file.
storage_of <- function(x) {
  delayed <- inherits(x, "DelayedArray")
  list(sparse = if (delayed) DelayedArray::is_sparse(x) else inherits(x, "sparseMatrix"), delayed = delayed)
}

# A full matrix [samples, genes] from values whose dimension number `genes` is that of the genes. A delayed matrix is
# read by blocks of genes, so that no more than one block is there twice.
full_samples <- function(values, genes) {
  if (!inherits(values, "DelayedArray")) {
    full <- full_matrix(values, "x")
    return(unname_rows(check_numbers(if (genes == 1) t(full) else full)))
  }
  check_full_size(values, "x")
  n <- dim(values)[3 - genes]
  names <- dimnames(values)[[genes]]
  full <- matrix(0, n, dim(values)[genes], dimnames = if (!is.null(names)) list(NULL, names))
  for (at in column_blocks(ncol(full), n)) {
    block <- if (genes == 1) t(as.matrix(values[at, , drop = FALSE])) else as.matrix(values[, at, drop = FALSE])
    full[, at] <- check_numbers(block)
  }
  full
}

check_numbers <- function(values) {
  if (is.numeric(values)) return(values)
  held <- c(logical = "logical values", character = "texts", complex = "complex numbers")[typeof(values)]
  fail("`x` must hold numbers, not %s.", if (is.na(held)) sprintf("values of type \"%s\"", typeof(values)) else held)
}

check_experiment_size <- function(read) {
  if (nrow(read$points) >= 2 && ncol(read$points) >= 1) return(read)
  fail("`x` must have at least 2 samples and 1 gene, but it has %d and %d.", nrow(read$points), ncol(read$points))
}

# The samples have names of their own, which new samples do not have.
unname_rows <- function(x) {
  rownames(x) <- NULL
  x
}

# The name of the assay of x, or its number if it has no name of its own. NULL: "counts" if there is one, otherwise the
# first.
name_assay <- function(assay, x, what) {
  count <- length(SummarizedExperiment::assays(x, withDimnames = FALSE))
  if (count == 0) fail("`%s` has no assay.", what)
  names <- SummarizedExperiment::assayNames(x)
  if (is.null(names)) names <- character(count)
  if (is.null(assay)) assay <- if ("counts" %in% names) "counts" else 1L
  one <- length(assay) == 1
  if (one && is.character(assay) && assay %in% names[nzchar(names)]) return(assay)
  if (one && is.numeric(assay) && assay %in% seq_len(count)) {
    named <- nzchar(names[assay]) && sum(names == names[assay]) == 1
    return(if (named) names[assay] else as.integer(assay))
  }
  fail("`assay.type` must be one of the assays %s or a number from 1 to %d, not %s.",
       if (any(nzchar(names))) quoted(names) else sprintf("of `%s`, which have no names,", what), count,
       describe(assay))
}

# New samples in the class that came in. points [m, genes]; samples: a data frame of the new samples; provenance: a list
# that says where they come from; truth: a data frame of the stated effects on the genes, or NULL.
write_experiment <- function(points, origin, samples, truth, provenance) {
  if (origin$kind == "matrix") return(like_storage(points, origin))
  values <- t(points)
  colnames(values) <- sprintf("new%d", seq_len(ncol(values)))
  row.names(samples) <- colnames(values)
  if (origin$kind == "ExpressionSet") {
    return(new_expression_set(values, origin$shell, samples, truth, provenance))
  }
  rownames(values) <- origin$names
  new_summarized_experiment(like_storage(values, origin), origin, samples, truth, provenance)
}

# Sparse if the matrix that came in was, and delayed if it was. A delayed matrix of new samples is in memory.
like_storage <- function(values, origin) {
  if (origin$sparse) values <- sparse_matrix(values)
  if (origin$delayed) DelayedArray::DelayedArray(values) else values
}

sparse_matrix <- function(values) {
  need_package("Matrix", "dgCMatrix")
  storage.mode(values) <- "double"
  methods::as(Matrix::Matrix(values, sparse = TRUE, doDiag = FALSE), "generalMatrix")
}

new_expression_set <- function(values, shell, samples, truth, provenance) {
  rownames(values) <- rownames(shell)
  set <- Biobase::ExpressionSet(
    assayData = values, phenoData = Biobase::AnnotatedDataFrame(samples), featureData = Biobase::featureData(shell),
    annotation = Biobase::annotation(shell)
  )
  for (name in names(truth)) Biobase::fData(set)[[free_name(name, Biobase::fvarLabels(set))]] <- truth[[name]]
  Biobase::notes(set) <- provenance
  set
}

new_summarized_experiment <- function(values, origin, samples, truth, provenance) {
  assays <- list(values)
  if (is.character(origin$assay)) names(assays) <- origin$assay
  make <- if (origin$single) {
    need_package("SingleCellExperiment", "SingleCellExperiment")
    SingleCellExperiment::SingleCellExperiment
  } else {
    SummarizedExperiment::SummarizedExperiment
  }
  new <- make(assays = assays, colData = S4Vectors::DataFrame(samples, check.names = FALSE))
  if (origin$ranges) {
    SummarizedExperiment::rowRanges(new) <- origin$genes
  } else {
    SummarizedExperiment::rowData(new) <- origin$genes
  }
  for (name in names(truth)) {
    taken <- names(SummarizedExperiment::rowData(new))
    SummarizedExperiment::rowData(new)[[free_name(name, taken)]] <- truth[[name]]
  }
  S4Vectors::metadata(new) <- origin$metadata
  S4Vectors::metadata(new)$particleflow <- provenance # in place of that of a table which is synthetic itself
  new
}
