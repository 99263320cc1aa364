# New samples from fits of expression tables.

#' New samples from a fit of an expression table
#'
#' Draws new samples from a fit that [synthesise()] made of an expression table.
#'
#' Counts are drawn given the library size of the new sample, which is part of its law. `library_size` replaces it. The
#' scores of the new samples stay the same, so that one seed gives the same new samples at several depths. The sum of
#' the counts of a new sample is its library size, up to a few counts.
#'
#' @section Balanced sets:
#' New samples of a class are drawn in balanced sets unless there is a `design` or an `effect`: as many new samples as
#' there are samples of the class in the fit have, in normal scores, exactly the mean of the law that was fitted to
#' them, and exactly its covariance as far as it is not borrowed from other classes. Fewer are like a draw from such a
#' set without replacement. So the set looks like the samples of the fit. A set of counts also has the margins of its
#' class: the score of rank \eqn{i} of a gene among the \eqn{n} new samples becomes the quantile at \eqn{(i-1+u)/n} of
#' the scores of this gene in the class, with \eqn{u} uniform. Otherwise the share of zeros of each gene would have an
#' error of sampling of its own. One new sample takes as long as its whole set. The means of classes are shrunk towards
#' the common mean, gene by gene, see [latent_genes()]: differences between classes of few samples are smaller than in
#' the samples of the fit, where chance has made them larger. The samples of a set are not independent: what is computed
#' from the set lacks the error of sampling. `balanced = FALSE` draws each sample on its own. A set of those is farther
#' from other real samples than a second study is, because it has an error of sampling of its own beside that of the
#' fit. Studies of power need it. See [law_ensemble()] for the equation. New samples of either kind are no more evidence
#' than the samples of the fit are.
#'
#' @section Batches:
#' With `batch`, [synthesise()] takes the effects of batches out before it fits, and `simulate()` puts them into new
#' samples. A value is \eqn{x_{ig} = a_{g,k(i)} + b_{g,j(i)} + e_{ig}}{x = a + b + e} for the class \eqn{k} and the
#' batch \eqn{j} of sample \eqn{i}, by least squares, gene by gene. The mean of a count is \eqn{s_i\, r_{g,k(i)}\,
#' f_{g,j(i)}}{s r f} for the library size \eqn{s}, by the likelihood of the Poisson law; the shares of all genes are
#' divided by their sum. As classes and batches are additive, a class can be drawn in a batch in which it was not
#' observed. The rests \eqn{e}, or the scores of the counts, have one law per class in all batches.
#'
#' Effects of batches are shrunk to 0 gene by gene, by the factor \eqn{\max(0, 1 - 1/F)}{max(0, 1 - 1/F)}, where
#' \eqn{F} is the ratio of the mean squares of batches and of rests. What is left of them by chance is a part of the
#' rests. Batches differ in nothing but these effects. It is an error if batches and classes are confounded.
#' [predict()][predict.efs] and `plot()` read other samples as if they had no effect of a batch.
#'
#' @param object A fit from [synthesise()] of class `"gene_synthesis"`.
#' @param nsim,seed,threads,progress As in [simulate()][simulate.efs]. With groups `nsim` is the total, or a vector of
#'   numbers of samples that is named by classes.
#' @param library_size The sum of the counts of each new sample: one number above 0 and up to 1e15, or one number per
#'   new sample. `NULL`: drawn. It is an error if the table was not read as counts.
#' @param balanced `TRUE`: new samples come in balanced sets; `FALSE`: they are independent. `NULL`: balanced unless
#'   `design` or `effect` is given. It is an error to ask for balanced sets of a law other than [law_ensemble()].
#' @param design A data frame with one row per cell of a design, in place of `nsim`: the columns `group` (a class of the
#'   fit), `batch` (a batch of the fit) and `n` (the number of new samples; 1 if there is no such column). Classes and
#'   batches can be crossed freely. Without a column `batch`, batches are drawn as among the samples of the class. If
#'   the fit has no classes, `group` names groups of your own, which all have the law of the fit. New samples come in
#'   the order of the rows.
#' @param batch_effect `"estimated"`: each new sample has the effect of its batch. `"removed"`: none has an effect. The
#'   name of a batch: all have the effect of this one. The same seed gives the same samples but for these effects.
#' @param effect Stated effects, such as for a study of power: a data frame with the columns `gene` (names, or numbers
#'   of columns), `log_fold_change` (from -50 to 50) and `group`. Without a column `group`, all new samples have the
#'   effects. It is an error if a name is that of several genes: give the number of the column. Logarithms are to the
#'   base 2: the mean of a count is multiplied by \eqn{2^{lfc}}{2^lfc}, and the library size is that before the effect.
#'   Expression values, which should then be logarithms to the base 2, are shifted; if the table has no negative value,
#'   a shifted value does not become negative.
#' @param to,format,rows_per_file Write the new samples into files of a folder, see [simulate_files]. Samples that are
#'   no table are written as `"rds"` only.
#' @param ... Not used.
#' @return New samples in the class that [synthesise()] was given:
#'
#'   * A matrix, data frame, tibble or data.table of samples x genes as in [simulate()][simulate.efs]. Counts are
#'     integers if all are below 2^31, and otherwise whole numbers of type double.
#'   * A sparse matrix of class `dgCMatrix` of samples x genes if a sparse `Matrix` came in, a `DelayedMatrix` if a
#'     delayed matrix came in, and an ordinary R matrix if a dense `Matrix` came in. It has the attribute `"group"` if
#'     there are groups.
#'   * A `SummarizedExperiment` or `SingleCellExperiment` of genes x samples with one assay, under the name of the assay
#'     that was read, sparse or delayed if that one was. It keeps the data of the rows. The data of its columns are the
#'     class of each new sample and, for counts, its `library_size`, the sum of its counts. The name is
#'     `library_size.1` if the column of the class or of the batch is `library_size`. `metadata()` has an element
#'     `particleflow` that says which fit the samples come from.
#'   * An `ExpressionSet` likewise. `notes()` says which fit the samples come from.
#'
#'   The batches of new samples are a column in the data of the samples, and otherwise the attribute `"batch"`. Stated
#'   effects come back as columns `log_fold_change.<group>` of the data of the genes, one per group of `effect`, or as
#'   the attribute `"effect"`, a data frame with one row per gene. A column gets the end `.1` if the data of the genes
#'   have one of its name.
#'
#'   A `DelayedMatrix` of new samples is in memory, also if that of the table was in a file:
#'   `HDF5Array::writeHDF5Array()` puts it there.
#' @examples
#' counts <- matrix(rnbinom(20 * 100, mu = rep(exp(rnorm(100, 2)), each = 20), size = 3), 20)
#' fit <- synthesise(counts, quiet = TRUE)
#' fit
#' rowSums(simulate(fit, 3, seed = 1))
#' rowSums(simulate(fit, 3, seed = 1, library_size = 1e5))
#'
#' # two groups of your own, and a gene that is four times as frequent in one of them
#' new <- simulate(fit, design = data.frame(group = c("a", "b"), n = 5), seed = 1,
#'                 effect = data.frame(gene = 7, log_fold_change = 2, group = "b"))
#' new[, 7]
#' @export
simulate.gene_synthesis <- function(object, nsim = 1, seed = NULL, library_size = NULL, design = NULL,
                                    batch_effect = "estimated", effect = NULL, balanced = NULL, threads = NULL,
                                    progress = NULL, to = NULL, format = c("rds", "csv", "parquet"),
                                    rows_per_file = NULL, ...) {
  check_dots("simulate()", ...)
  check_fit(object)
  balanced <- choose_balance(balanced, object, is.null(design) && is.null(effect))
  if (!is.null(design) && !missing(nsim)) fail("`nsim` and `design` both say how many new samples there are; give one.")
  plan <- if (!is.null(design)) read_design(design, object)
  counts <- if (is.null(design)) class_counts(object, nsim)
  files <- ask_files(to, format, rows_per_file, n_columns(object$table), object$origin$kind == "table")
  if (is.null(design)) check_new_samples(rows_at_once(round(sum(counts)), files), "nsim", object)
  effects_of_batches(object, NULL, batch_effect)
  threads <- threads_within(threads)
  if (!is.null(files)) {
    if (!is.null(design) || length(library_size) > 1) {
      fail("With `to`, give `nsim` in place of `design`, and `library_size` as one number.")
    }
    settings <- list(library_size = library_size, batch_effect = batch_effect, effect = effect, balanced = balanced)
    return(write_parts(files, object, nsim, seed, if (is_grouped(object)) function() whole_counts(counts), settings,
                       progress = progress))
  }
  state <- stream_within(seed)
  if (is.null(design)) plan <- plan_of_counts(whole_counts(counts))
  library_size <- check_library_size(library_size, length(plan$class), object$counts)
  stated <- read_effect(effect, object, plan)
  plan <- draw_plan(with_balance(object, balanced), plan, balanced && object$counts, threads, progress)
  points <- decode_plan(object, plan, effects_of_batches(object, plan$batch, batch_effect), stated$parts, library_size)
  rows <- write_table(points, wide_enough(object$table, points), plan$group)
  if (object$counts && is.matrix(rows)) rows <- as_integers(rows)
  labels <- sample_labels(object, plan)
  if (object$origin$kind == "table") return(mark_seed(mark_samples(rows, plan, labels, stated$truth), state))
  new <- write_experiment(plain_rows(rows), object$origin, sample_data(object, rows, labels), stated$truth,
                          provenance_of(object, seed, batch_effect, balanced))
  if (object$origin$kind == "matrix") mark_samples(new, plan, labels, stated$truth, group = TRUE) else new
}

# Whether the draws are balanced: only the law ensemble can be.
choose_balance <- function(balanced, fit, usual) {
  able <- all(vapply(class_flows(fit), function(flow) flow$law$name == "ensemble", NA))
  if (is.null(balanced)) return(able && usual)
  if (check_flag(balanced, "balanced") && !able) {
    fail("`balanced` is TRUE, but only draws of law_ensemble() can be balanced, and the fit has another law.")
  }
  balanced
}

with_balance <- function(fit, balanced) {
  for (class in names(fit$flows)) {
    if (!is.null(fit$flows[[class]]$law$balanced)) fit$flows[[class]]$law$balanced <- balanced
  }
  fit
}

decode_plan <- function(fit, plan, batch, effect, library_size) {
  if (fit$counts) {
    decode_points(fit, plan$points, plan$group, batch = batch, effect = effect, library_size = library_size,
                  sets = plan$sets)
  } else {
    decode_points(fit, plan$points, plan$group, batch = batch, effect = effect)
  }
}

# The groups and batches of new samples, with the values and names that they had in the table.
sample_labels <- function(fit, plan) {
  labels <- list()
  if (!is.null(plan$label)) labels$group <- plan$label
  if (is_grouped(fit)) labels[[fit$table$group$name]] <- label_values(plan$group, fit$table$group)
  if (is.null(fit$batch)) return(labels)
  name <- if (is.null(fit$batch$label$name)) free_name("batch", names(labels)) else fit$batch$label$name
  labels[[name]] <- take(fit$batch$label$values, plan$batch)
  labels
}

# Attributes where there are no data of the samples. group: whether the classes of the fit are one of them.
mark_samples <- function(rows, plan, labels, truth, group = !is.null(plan$label)) {
  batch <- if (!is.null(plan$batch)) labels[[length(labels)]]
  if (group && length(labels) > !is.null(batch)) rows <- set_attribute(rows, "group", labels[[1]])
  if (!is.null(batch)) rows <- set_attribute(rows, "batch", batch)
  if (!is.null(truth)) rows <- set_attribute(rows, "effect", truth)
  rows
}

check_library_size <- function(size, n, counts) {
  if (is.null(size)) return(NULL)
  if (!counts) fail("`library_size` belongs to a fit of counts, and this fit is one of expression values.")
  if (is.numeric(size) && length(size) %in% c(1L, n) && all(is.finite(size)) && all(size > 0)) {
    if (all(size <= most_library_size)) return(as.double(size))
    fail("`library_size` must be at most %g, not %s.", most_library_size, as_text(max(size)))
  }
  fail("`library_size` must be one number above 0, or one per new sample, which are %d, not %s.", as.integer(n),
       describe(size))
}

# Above about this number doubles do not hold all whole numbers.
most_library_size <- 1e15

# The template of the table, where columns of integers become doubles if a value is no integer of R.
wide_enough <- function(template, points) {
  if (!length(points) || max(points) <= .Machine$integer.max) return(template)
  whole <- vapply(template$columns, function(column) column$kind == "integer", NA)
  template$columns[whole] <- lapply(template$columns[whole], function(column) replace(column, "kind", "number"))
  template
}

# Counts of type integer, where they fit.
as_integers <- function(rows) {
  if (length(rows) && max(rows) < .Machine$integer.max) storage.mode(rows) <- "integer"
  rows
}

plain_rows <- function(rows) {
  attributes(rows) <- attributes(rows)[c("dim", if (!is.null(dimnames(rows))) "dimnames")]
  rows
}

# A data frame of the new samples: their groups and batches, and the library sizes of counts.
sample_data <- function(fit, rows, labels) {
  data <- data.frame(row.names = seq_len(nrow(rows)))
  for (name in names(labels)) data[[name]] <- labels[[name]]
  if (fit$counts) data[[free_name("library_size", names(data))]] <- rowSums(rows)
  data
}

provenance_of <- function(fit, seed, batch_effect, balanced) {
  list(synthetic = TRUE, package = "particleflow", version = fit$version, latent = fit$latent$description,
       fitted_to = sum(lengths(fit$rows)), seed = seed, balanced = balanced,
       batch_effect = if (!is.null(fit$batch)) batch_effect)
}
