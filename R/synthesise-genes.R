# Fits of expression tables: many columns of numbers, few rows.

# Whether synthesise() reads a table as an expression table: an object that holds one, or complete numbers in more than
# 50 columns and in at most as many rows. labels: the group and the batch, which may name columns.
is_gene_table <- function(x, labels) {
  if (is_experiment(x) || inherits(x, c("Matrix", "DelayedMatrix"))) return(TRUE)
  named <- unlist(Filter(function(label) is_column_name(label, x), labels))
  if (length(named)) x <- drop_columns(x, match(named, names(x)))
  if (!(is.matrix(x) || is.data.frame(x)) || ncol(x) <= most_narrow || nrow(x) > ncol(x)) return(FALSE)
  if (is.matrix(x)) return(is.numeric(x) && !anyNA(x))
  mean(vapply(x, is_complete_number, NA)) == 1
}

# For a table that is no expression table, although the user gives arguments of one.
refuse_gene_arguments <- function(x) {
  wanted <- "complete numbers in more than 50 columns, and no more rows than columns"
  if ((is.matrix(x) || is.data.frame(x)) && ncol(x) > most_narrow && nrow(x) <= ncol(x) && anyNA(as.matrix(x))) {
    hole <- which(is.na(as.matrix(x)), arr.ind = TRUE)[1, ]
    name <- colnames(x)[hole[2]]
    wanted <- sprintf("%s, but `x` has a missing value in row %d of column %s", wanted, hole[1],
                      if (is.null(name)) hole[2] else quoted(name))
  }
  fail("`counts`, `assay.type` and `batch` belong to expression tables: %s.", wanted)
}

is_complete_number <- function(column) is.numeric(column) && !is.object(column) && !anyNA(column)

# Whether numbers are counts of something that is sampled: whole, not negative, and called so (`named`), or many of them
# are 0, or the largest is far from the least.
looks_like_counts <- function(x, named = FALSE) {
  zeros <- 0
  for (at in column_blocks(ncol(x), 8 * nrow(x))) {
    some <- x[, at]
    if (!all(some >= 0) || !all(some == floor(some))) return(FALSE)
    zeros <- zeros + sum(some == 0)
  }
  named || spreads_like_counts(max(x), zeros / length(x))
}

# zeros: their share.
spreads_like_counts <- function(largest, zeros) largest > 1 && (largest >= 50 || zeros > 0.5)

# x as synthesise() was given it. group, batch: a vector, or the name of a column of x or of its data of the samples.
synthesise_genes <- function(x, group, batch, counts, assay, settings, quiet, call, began, threads, progress) {
  if (is.null(settings$law) && settings$density_floor > 0) {
    fail("`density_floor` is %s, but the law of an expression table has no density; leave it out, or name a `law`.",
         format(settings$density_floor))
  }
  if (is.character(group) && length(group) == 1 && identical(group, batch)) {
    fail("`group` and `batch` both name the column \"%s\"; give two different columns.", group)
  }
  read <- read_experiment(x, assay)
  found <- sample_group(group, read$samples, "group")
  batch <- read_batch(batch, read)
  if (is.character(batch$label$name) && is.data.frame(x)) read$points[[batch$label$name]] <- NULL
  table <- read_table(read$points, found$value)
  table$batch <- batch$group
  if (is.null(counts)) counts <- looks_like_counts(table$points, identical(read$origin$assay, "counts"))
  if (!is.null(found$name)) table$template$group$name <- found$name
  if (!quiet) message(describe_genes(table, counts))
  settings$scale <- FALSE
  threads <- threads_within(threads)
  latent <- if (counts) latent_counts() else latent_genes()
  fit_table(table, latent, NULL, settings, call, c("gene_synthesis", "efs"), began, threads, progress,
            origin = read$origin, counts = counts,
            batch = if (!is.null(batch)) list(label = batch$label, row = as.integer(batch$group)))
}

# The values of a label, if it names a column of the data of the samples.
sample_group <- function(value, samples, what) {
  if (is.null(samples) || !is.character(value) || length(value) != 1) return(list(value = value))
  if (!value %in% names(samples)) {
    fail("`%s` is \"%s\", which is no column of the data of the samples; these are %s.", what, value,
         quoted(names(samples)))
  }
  list(value = samples[[value]], name = value)
}

# The batches as read_label() gives them. NULL: there are none.
read_batch <- function(batch, read) {
  if (is.null(batch)) return(NULL)
  samples <- read$samples
  found <- if (is.null(samples)) find_label(batch, read$points, "batch") else sample_group(batch, samples, "batch")
  label <- read_label(found, nrow(read$points), "batch", c("sample", "samples"))
  if (nlevels(label$group) < 2) fail("`batch` must have at least two different values.")
  label
}

describe_genes <- function(table, counts) {
  what <- if (counts) "genes, read as counts given the library size" else "columns, read as expression values"
  classes <- nlevels(table$group)
  sprintf("%d samples of %d %s%s%s", nrow(table$points), n_columns(table$template), what,
          if (table$grouped) sprintf(", in %d class%s", classes, if (classes == 1) "" else "es") else "",
          if (is.null(table$batch)) "" else sprintf(", in %d batches", nlevels(table$batch)))
}
