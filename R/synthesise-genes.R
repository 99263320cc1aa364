# Fits of expression tables: many columns of numbers, few rows.

# Whether synthesise() reads a table as an expression table: an object that holds one, or complete numbers in more than
# 50 columns and in at most as many rows.
is_gene_table <- function(x) {
  if (is_experiment(x) || inherits(x, c("Matrix", "DelayedMatrix"))) return(TRUE)
  if (!(is.matrix(x) || is.data.frame(x)) || ncol(x) <= most_narrow || nrow(x) > ncol(x)) return(FALSE)
  if (is.matrix(x)) return(is.numeric(x) && !anyNA(x))
  mean(vapply(x, is_complete_number, NA)) == 1
}

is_complete_number <- function(column) is.numeric(column) && !is.object(column) && !anyNA(column)

# Whether numbers are counts of something that is sampled: whole, not negative, and either many of them are 0, or the
# largest is far from the least.
looks_like_counts <- function(x) {
  all(x >= 0) && all(x == floor(x)) && max(x) > 1 && (max(x) >= 50 || mean(x == 0) > 0.5)
}

# x as synthesise() was given it. group: a vector, or the name of a column of x or of its data of the samples.
synthesise_genes <- function(x, group, counts, assay, settings, quiet, call, began, threads, progress) {
  if (is.null(settings$law) && settings$density_floor > 0) {
    fail("`density_floor` is %s, but the law of an expression table has no density; leave it out, or name a `law`.",
         format(settings$density_floor))
  }
  read <- read_experiment(x, assay)
  found <- sample_group(group, read$samples)
  table <- read_table(read$points, found$value)
  if (is.null(counts)) counts <- looks_like_counts(table$points)
  if (!is.null(found$name)) table$template$group$name <- found$name
  if (!quiet) message(describe_genes(table, counts))
  settings$scale <- FALSE
  threads <- threads_within(threads)
  latent <- if (counts) latent_counts() else latent_genes()
  fit_table(table, latent, NULL, settings, call, c("gene_synthesis", "efs"), began, threads, progress,
            origin = read$origin, counts = counts)
}

# The classes, if `group` names a column of the data of the samples.
sample_group <- function(group, samples) {
  if (is.null(samples) || !is.character(group) || length(group) != 1) return(list(value = group))
  if (!group %in% names(samples)) {
    fail("`group` is \"%s\", which is no column of the data of the samples; these are %s.", group,
         quoted(names(samples)))
  }
  list(value = samples[[group]], name = group)
}

describe_genes <- function(table, counts) {
  what <- if (counts) "genes, read as counts given the library size" else "columns, read as expression values"
  sprintf("%d samples of %d %s%s", nrow(table$points), n_columns(table$template), what,
          if (table$grouped) sprintf(", in %d classes", nlevels(table$group)) else "")
}

#' New samples from a fit of an expression table
#'
#' Draws new samples from a fit that [synthesise()] made of an expression table.
#'
#' Counts are drawn given the library size of the new sample, which is part of its law. `library_size` replaces it. The
#' scores of the new samples stay the same, so that one seed gives the same new samples at several depths. The library
#' size is the expected sum of the counts of a sample. The sum of the counts that are drawn differs from it at random.
#'
#' @param object A fit from [synthesise()] of class `"gene_synthesis"`.
#' @param nsim,seed,threads,progress As in [simulate()][simulate.efs]. With groups `nsim` is the total, or a vector of
#'   numbers of samples that is named by classes.
#' @param library_size The expected sum of the counts of each new sample: one number above 0, or one number per new
#'   sample. `NULL`: drawn. It is an error if the table was not read as counts.
#' @param ... Not used.
#' @return New samples in the class that [synthesise()] was given:
#'
#'   * A matrix, data frame, tibble or data.table of samples x genes as in [simulate()][simulate.efs]. Counts are
#'     integers.
#'   * A sparse matrix of class `dgCMatrix` of samples x genes if a sparse `Matrix` came in, and a `DelayedMatrix` if a
#'     delayed matrix came in. It has the attribute `"group"` if there are groups.
#'   * A `SummarizedExperiment` or `SingleCellExperiment` of genes x samples with one assay, under the name of the assay
#'     that was read, sparse or delayed if that one was. It keeps the data of the rows. The data of its columns are the
#'     class of each new sample and, for counts, its `library_size`, the sum of its counts. `metadata()` has an
#'     element `particleflow` that says which fit the samples come from.
#'   * An `ExpressionSet` likewise. `notes()` says which fit the samples come from.
#'
#'   A `DelayedMatrix` of new samples is in memory, also if that of the table was in a file:
#'   `HDF5Array::writeHDF5Array()` puts it there.
#' @examples
#' counts <- matrix(rnbinom(20 * 100, mu = rep(exp(rnorm(100, 2)), each = 20), size = 3), 20)
#' fit <- synthesise(counts, quiet = TRUE)
#' fit
#' rowSums(simulate(fit, 3, seed = 1))
#' rowSums(simulate(fit, 3, seed = 1, library_size = 1e5))
#' @export
simulate.gene_synthesis <- function(object, nsim = 1, seed = NULL, library_size = NULL, threads = NULL,
                                    progress = NULL, ...) {
  check_dots("simulate()", ...)
  check_fit(object)
  counts <- class_counts(object, nsim)
  check_table_memory(round(sum(counts)), "nsim", object$latent$dim + n_columns(object$table))
  threads <- threads_within(threads)
  state <- stream_within(seed)
  counts <- whole_counts(counts)
  library_size <- check_library_size(library_size, sum(counts), object$counts)
  drawn <- free_draws(object, counts, 0, threads, progress)
  points <- if (is.null(library_size)) {
    decode_points(object, drawn$points, drawn$group)
  } else {
    decode_points(object, drawn$points, drawn$group, library_size = library_size)
  }
  rows <- write_table(points, object$table, drawn$group)
  if (object$counts && is.matrix(rows)) rows <- as_integers(rows)
  if (object$origin$kind == "table") return(mark_seed(rows, state))
  label <- if (is_grouped(object)) label_values(drawn$group, object$table$group)
  new <- write_experiment(plain_rows(rows), object$origin, sample_data(object, rows, label),
                          provenance_of(object, seed))
  if (object$origin$kind == "matrix" && !is.null(label)) attr(new, "group") <- label
  new
}

check_library_size <- function(size, n, counts) {
  if (is.null(size)) return(NULL)
  if (!counts) fail("`library_size` belongs to a fit of counts, and this fit is one of expression values.")
  if (is.numeric(size) && length(size) %in% c(1L, n) && all(is.finite(size)) && all(size > 0)) return(as.double(size))
  fail("`library_size` must be one number above 0, or one per new sample, which are %d, not %s.", as.integer(n),
       describe(size))
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

# A data frame of the new samples: their classes, and the library sizes of counts.
sample_data <- function(fit, rows, label) {
  data <- data.frame(row.names = seq_len(nrow(rows)))
  if (!is.null(label)) data[[fit$table$group$name]] <- label
  if (fit$counts) data$library_size <- rowSums(rows)
  data
}

provenance_of <- function(fit, seed) {
  list(synthetic = TRUE, package = "particleflow", version = fit$version, latent = fit$latent$description,
       fitted_to = sum(lengths(fit$rows)), seed = seed)
}
