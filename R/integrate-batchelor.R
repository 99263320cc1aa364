# The door from batchCorrect(), the generic function of the package batchelor of Bioconductor, to integrate_data().

#' Integrate batches by batchCorrect() of batchelor
#'
#' `batchCorrect()` of the Bioconductor package \pkg{batchelor} is one interface to several methods that correct
#' effects of batches. Its argument `PARAM` says which method. With `PARAM = ParticleFlowParam()` it calls
#' [integrate_data()], so that this method can replace another one without other changes:
#'
#' ```
#' batchCorrect(sce1, sce2, PARAM = ParticleFlowParam())
#' batchCorrect(sce, batch = sce$run, PARAM = ParticleFlowParam(reference = "b", adjust = "mean"))
#' ```
#'
#' The arguments of `batchCorrect()` mean what its help page says:
#'
#' * `...`: one or more matrices of genes x cells (also sparse or delayed), `SingleCellExperiment` objects, or lists of
#'   these. Several objects are the batches, with the same genes. Their names are those of the batches; without names
#'   these are `"1"`, `"2"` and so on. Arguments with the name of a setting, such as `label = `, are settings, and
#'   replace those of `PARAM`.
#' * `batch`: for one object, the batch of each cell.
#' * `restrict`: a list with one vector per object, the cells that the correction is computed from (`NULL`: all cells of
#'   the object). The others are moved like later cells, see [predict()][predict.integration].
#' * `subset.row`: the genes that are used and returned. With `correct.all = TRUE` all genes are used and returned.
#' * `assay.type`: the assay of experiments that is moved, by default `"logcounts"`.
#'
#' The method is there as soon as both packages are loaded, in any order.
#'
#' @param ... Named settings of [integrate_data()], all but `x`, `batch` and `assay`. They differ in two ways:
#'   `reference` is by default the first batch (of one object, the first level of `batch`), and `compare` is by default
#'   `FALSE`. `label` has one entry per cell of all objects together, or is the name of a column of the data of the
#'   cells of each object.
#' @return `ParticleFlowParam()`: an S4 object of class `ParticleFlowParam`, a named list of the settings. An unknown
#'   setting is an error.
#'
#'   `batchCorrect()`: a `SingleCellExperiment` with the assay `corrected`, a full matrix of genes x cells in the order
#'   in which the cells were given. The reference batch is as it was, to the last bit. `colData` has the column `batch`.
#'   `metadata()` has the element `particleflow`, a list of the version of the package, the reference, and, with
#'   `compare = TRUE`, the report (see [summary()][summary.integration]). Read ?integrate_data before you test the
#'   result for differences.
#' @seealso [integrate_data()]
#' @examples
#' param <- ParticleFlowParam(n_steps = 20, seed = 1)
#' param
#' param$n_steps
#' @examplesIf requireNamespace("batchelor", quietly = TRUE)
#' one <- matrix(rnorm(1000), 20)
#' two <- matrix(rnorm(1000, 1, 2), 20)
#' batchelor::batchCorrect(a = one, b = two, PARAM = param)
#' @name ParticleFlowParam
#' @aliases ParticleFlowParam-class
#' @exportClass ParticleFlowParam
#' @export
ParticleFlowParam <- function(...) {
  settings <- list(...)
  check_door_settings(settings)
  methods::new("ParticleFlowParam", settings)
}

methods::setClass("ParticleFlowParam", contains = "namedList")

#' @rdname ParticleFlowParam
#' @param object An object of class `ParticleFlowParam`.
#' @exportMethod show
methods::setMethod("show", "ParticleFlowParam", function(object) {
  settings <- param_settings(object)
  words <- vapply(settings, function(value) if (is.character(value)) some(value) else describe(value), "")
  cat("<ParticleFlowParam> ", if (length(words)) paste(names(settings), words, sep = " = ", collapse = ", ") else
    "no settings: the defaults of integrate_data()", "\n", sep = "")
})

param_settings <- function(param) stats::setNames(param@.Data, param@names)

# The names of the arguments of integrate_data() that are settings here.
door_settings <- function() {
  setdiff(c(names(formals(integrate_data.default)), flow_arguments), c("x", "batch", "..."))
}

check_door_settings <- function(settings) {
  names <- if (is.null(names(settings))) rep("", length(settings)) else names(settings)
  stray <- which(!names %in% door_settings())
  if (length(stray)) {
    fail("`%s` is no setting of integrate_data() that ParticleFlowParam() takes; these are %s.",
         if (nzchar(names[stray[1]])) names[stray[1]] else "...", paste(door_settings(), collapse = ", "))
  }
  if (anyDuplicated(names)) fail("`%s` is given twice.", names[anyDuplicated(names)])
}

# ---- the method of batchCorrect() --------------------------------------------------------------------------

# Its formals are those of the generic function.
correct_batches <- function(..., batch = NULL, restrict = NULL, subset.row = NULL, correct.all = FALSE,
                            assay.type = "logcounts", PARAM) {
  need_package("SingleCellExperiment", "SingleCellExperiment")
  given <- list(...)
  setting <- names(given) %in% door_settings()
  if (!length(setting)) setting <- rep(FALSE, length(given))
  settings <- c(given[setting], param_settings(PARAM))
  settings <- settings[!duplicated(names(settings))]
  check_flag(correct.all, "correct.all")
  cells <- join_objects(flat_objects(given[!setting]), batch, restrict, settings$label, assay.type)
  if (!correct.all && !is.null(subset.row)) cells$values <- take_genes(cells$values, subset.row)
  settings[c("label", "assay")] <- NULL
  found <- correct_cells(cells, settings)
  new <- SingleCellExperiment::SingleCellExperiment(
    assays = list(corrected = found$values), colData = S4Vectors::DataFrame(batch = cells$batch)
  )
  colnames(new) <- colnames(cells$values)
  S4Vectors::metadata(new)$particleflow <- found$provenance
  new
}

# values [genes, cells]: moved by a fit to the cells that `used` says; the others are moved like later cells.
correct_cells <- function(cells, settings) {
  keys <- as.character(cells$batch)
  first <- if (is.factor(cells$batch)) levels(droplevels(cells$batch))[1] else keys[1]
  settings <- c(settings, list(reference = first, compare = FALSE)[!c("reference", "compare") %in% names(settings)])
  used <- cells$used
  x <- t(cells$values)
  fit <- do.call(integrate_data, c(list(x[used, , drop = FALSE], keys[used], label = cells$label[used]), settings),
                 quote = TRUE)
  moved <- x
  moved[used, ] <- fit$data
  if (!all(used)) {
    moved[!used, ] <- predict.integration(fit, x[!used, , drop = FALSE], keys[!used], cells$label[!used])
  }
  list(values = t(moved), provenance = list(version = fit$version, reference = fit$reference, report = fit$report))
}

# A list of the objects, where those in lists are objects of their own.
flat_objects <- function(objects) {
  held <- vapply(objects, function(one) (is.list(one) && !is.data.frame(one)) || inherits(one, "SimpleList"), NA)
  flat <- do.call(c, lapply(seq_along(objects), function(i) if (held[i]) as.list(objects[[i]]) else objects[i]))
  if (!length(flat)) fail("`...` of batchCorrect() must be one or more matrices or experiments of genes x cells.")
  flat
}

# values [genes, cells], batch, label (NULL: none) and used, one entry per cell: of all objects together.
join_objects <- function(objects, batch, restrict, label, assay) {
  parts <- lapply(objects, cell_values, assay)
  check_same_genes(parts)
  sizes <- vapply(parts, ncol, 0L)
  if (length(objects) == 1) {
    if (length(batch) != sizes) {
      fail("`batch` must give the batch of each of the %d cells, because there is one object, not be %s.", sizes,
           describe(batch))
    }
  } else {
    batch <- rep(batch_names(objects), sizes)
  }
  used <- used_cells(restrict, parts)
  lost <- setdiff(as.character(batch), as.character(batch)[used])
  if (length(lost)) fail("`restrict` leaves no cell of the batch %s.", quoted(lost))
  list(values = do.call(cbind, unname(parts)), batch = batch, label = joined_label(label, objects, sum(sizes)),
       used = used)
}

# The values of one object as a full matrix of genes x cells.
cell_values <- function(object, assay) {
  if (inherits(object, "SummarizedExperiment")) {
    object <- SummarizedExperiment::assay(object, name_assay(assay, object, "..."))
  }
  if (is.data.frame(object)) object <- as.matrix(object)
  check_numbers(full_matrix(object, "..."))
}

check_same_genes <- function(parts) {
  for (i in seq_along(parts)[-1]) {
    if (nrow(parts[[i]]) != nrow(parts[[1]]) || !identical(rownames(parts[[i]]), rownames(parts[[1]]))) {
      fail("All objects must have the same genes in the same order, but object %d has other rows than the first.", i)
    }
  }
}

batch_names <- function(objects) {
  if (is.null(names(objects))) return(as.character(seq_along(objects)))
  if (!all(nzchar(names(objects))) || anyDuplicated(names(objects))) {
    fail("The names of the batches must be unique, and all of them be given, not be %s.", quoted(names(objects)))
  }
  names(objects)
}

# Whether each cell is one that the correction is computed from.
used_cells <- function(restrict, parts) {
  if (is.null(restrict)) return(rep(TRUE, sum(vapply(parts, ncol, 0L))))
  if (!is.list(restrict) || length(restrict) != length(parts)) {
    fail("`restrict` must be a list with one vector of cells, or NULL, for each of the %d object%s, not %s.",
         length(parts), plural(length(parts)), describe(restrict))
  }
  unlist(Map(function(part, one) {
    at <- stats::setNames(seq_len(ncol(part)), colnames(part))
    if (is.null(one)) one <- at
    if (anyNA(at[one])) fail("`restrict` names cells that are not there.")
    at %in% at[one]
  }, unname(parts), unname(restrict)))
}

# The label of each cell.
joined_label <- function(label, objects, n) {
  if (is.null(label)) return(NULL)
  if (length(label) == n && n > 1) return(label)
  held <- vapply(objects, function(one) {
    inherits(one, "SummarizedExperiment") && is.character(label) && length(label) == 1 &&
      label %in% names(SummarizedExperiment::colData(one))
  }, NA)
  if (!all(held)) {
    fail("`label` must have one entry for each of the %d cells, or name a column of the data of the cells, not be %s.",
         n, describe(label))
  }
  unlist(lapply(unname(objects), function(one) as.character(SummarizedExperiment::colData(one)[[label]])))
}

take_genes <- function(values, genes) {
  at <- stats::setNames(seq_len(nrow(values)), rownames(values))[genes]
  if (!length(at) || anyNA(at)) fail("`subset.row` must give genes that are there, by name, number or TRUE and FALSE.")
  values[at, , drop = FALSE]
}

# ---- registration ------------------------------------------------------------------------------------------

# Where the method is stored: the namespace is locked by the time batchelor may be loaded.
door_methods <- new.env()

register_door <- function(generic = getExportedValue("batchelor", "batchCorrect")) {
  methods::setMethod(generic, "ParticleFlowParam", correct_batches, where = door_methods)
}

.onLoad <- function(libname, pkgname) {
  if (isNamespaceLoaded("batchelor")) register_door()
  setHook(packageEvent("batchelor", "onLoad"), function(...) register_door())
}
