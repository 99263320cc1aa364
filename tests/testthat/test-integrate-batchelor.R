# batchCorrect() of batchelor, where this package is installed; otherwise a generic function with the arguments that its
# help page documents.

correct <- if (requireNamespace("batchelor", quietly = TRUE)) batchelor::batchCorrect else {
  home <- new.env()
  methods::setGeneric("batchCorrect", function(..., batch = NULL, restrict = NULL, subset.row = NULL,
                                               correct.all = FALSE, assay.type = NULL, PARAM) {
    standardGeneric("batchCorrect")
  }, signature = "PARAM", where = home)
  particleflow:::register_door(home$batchCorrect)
  home$batchCorrect
}

two_sets <- function() {
  set.seed(1)
  a <- matrix(rnorm(12 * 30), 12, dimnames = list(paste0("g", 1:12), paste0("a", 1:30)))
  b <- matrix(rnorm(12 * 25, 1, 2), 12, dimnames = list(rownames(a), paste0("b", 1:25)))
  list(a = a, b = b)
}

quick <- ParticleFlowParam(n_steps = 5, seed = 1)

test_that("batchCorrect() returns what integrate_data() moves, as its help page demands", {
  skip_if_not_installed("SingleCellExperiment")
  d <- two_sets()
  both <- cbind(d$a, d$b)
  run <- rep(c("a", "b"), c(30, 25))
  wanted <- integrate_data(t(both), run, "a", n_steps = 5, seed = 1, compare = FALSE)
  found <- correct(a = d$a, b = d$b, PARAM = quick)
  expect_s4_class(found, "SingleCellExperiment")
  expect_true(methods::validObject(found))
  corrected <- function(x) SummarizedExperiment::assay(x, "corrected")
  expect_identical(corrected(found), t(wanted$data), ignore_attr = TRUE)
  expect_identical(dimnames(found), dimnames(both))
  expect_identical(found$batch, run)
  expect_identical(corrected(found)[, 1:30], d$a)
  expect_identical(S4Vectors::metadata(found)$particleflow$reference, "a")
  # one object with its batches, in mixed order; settings of the call come first
  order <- sample(55)
  mixed <- correct(both[, order], batch = factor(run)[order], n_steps = 0, compare = TRUE, PARAM = quick)
  expect_identical(mixed$batch, factor(run)[order])
  expect_identical(colnames(mixed), colnames(both)[order])
  expect_identical(S4Vectors::metadata(mixed)$particleflow$report$steps, 0L)
  other <- correct(both[, order], batch = run[order], PARAM = ParticleFlowParam(reference = "b", seed = 1, n_steps = 0))
  expect_identical(corrected(other)[, colnames(d$b)], d$b)
  # numbers name batches without names
  expect_identical(correct(d$a, d$b, PARAM = quick)$batch, rep(c("1", "2"), c(30, 25)))
})

test_that("batchCorrect() reads experiments, lists, subsets of genes and of cells, and labels", {
  skip_if_not_installed("SingleCellExperiment")
  d <- two_sets()
  kind <- list(rep(c("u", "v"), 15), rep_len(c("u", "v"), 25))
  make <- function(x, kind) {
    SingleCellExperiment::SingleCellExperiment(list(counts = x * 0, logcounts = x),
                                               colData = S4Vectors::DataFrame(k = kind))
  }
  sets <- list(a = make(d$a, kind[[1]]), b = make(d$b, kind[[2]]))
  corrected <- function(x) SummarizedExperiment::assay(x, "corrected")
  plain <- corrected(correct(a = d$a, b = d$b, PARAM = quick))
  expect_identical(corrected(correct(sets, PARAM = quick)), plain)
  expect_identical(corrected(correct(sets$a, list(d$b), PARAM = quick)), plain)
  expect_identical(corrected(correct(sets, assay.type = 2, PARAM = quick)), plain)
  labelled <- correct(sets, label = "k", PARAM = quick)
  expect_identical(corrected(labelled), corrected(correct(d, label = unlist(kind), PARAM = quick)))
  expect_false(identical(corrected(labelled), plain))
  some <- correct(sets, subset.row = c("g3", "g1", "g7"), PARAM = quick)
  expect_identical(rownames(some), c("g3", "g1", "g7"))
  expect_identical(corrected(correct(sets, subset.row = 3:4, correct.all = TRUE, PARAM = quick)), plain)
  # the cells that are left out are moved as later ones by the fit to the others
  part <- corrected(correct(sets, restrict = list(NULL, 1:20), PARAM = quick))
  fit <- integrate_data(t(cbind(d$a, d$b[, 1:20])), rep(c("a", "b"), c(30, 20)), "a", n_steps = 5, seed = 1)
  expect_identical(unname(part[, 31:50]), unname(t(fit$data[31:50, ])))
  expect_identical(unname(part[, 51:55]), unname(t(predict(fit, t(d$b[, 21:25]), "b"))))
  skip_if_not_installed("Matrix")
  expect_identical(corrected(correct(a = methods::as(d$a, "CsparseMatrix"), b = d$b, PARAM = quick)), plain)
})

test_that("ParticleFlowParam() is a list of settings, and wrong arguments are one sentence", {
  expect_identical(quick$n_steps, 5)
  changed <- quick
  changed$n_steps <- 7
  expect_output(show(changed), "<ParticleFlowParam> n_steps = 7, seed = 1", fixed = TRUE)
  expect_output(show(ParticleFlowParam()), "no settings")
  input <- function(...) expect_error(..., class = "particleflow_input")
  input(ParticleFlowParam(steps = 3), "`steps` is no setting of integrate_data()", fixed = TRUE)
  input(ParticleFlowParam(3), "`...` is no setting")
  input(ParticleFlowParam(seed = 1, seed = 2), "`seed` is given twice")
  skip_if_not_installed("SingleCellExperiment")
  d <- two_sets()
  input(correct(d$a, PARAM = quick), "`batch` must give the batch of each of the 30 cells")
  input(correct(PARAM = quick), "must be one or more matrices or experiments")
  input(correct(d$a, d$b[12:1, ], PARAM = quick), "the same genes in the same order, but object 2")
  input(correct(a = d$a, d$b, PARAM = quick), "must be unique")
  input(correct(d, restrict = list(1:30, integer()), PARAM = quick), "leaves no cell of the batch \"b\"")
  input(correct(d, restrict = list(1:31, NULL), PARAM = quick), "cells that are not there")
  input(correct(d, restrict = 1:3, PARAM = quick), "`restrict` must be a list")
  input(correct(d, subset.row = "g99", PARAM = quick), "`subset.row` must give genes")
  input(correct(d, label = "k", PARAM = quick), "`label` must have one entry for each of the 55 cells")
  input(correct(d, reference = "z", PARAM = quick), "reference")
})
