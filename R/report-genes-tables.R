# The expression tables of a report. They are read by blocks of genes, so that a sparse or delayed matrix never becomes
# a full one.

# list(handles, names, rows, group, counts, size, zeros, depth, p). handles: for each table its values and how they are
# read. rows: for each table the numbers of its samples, which are counted through all tables. group: a factor with one
# entry per sample, or NULL. size, zeros: of each sample the sum of its values and its share of zeros. depth: the median
# size of the real samples.
read_gene_tables <- function(real, synthetic, holdout, group, counts, assay) {
  given <- c(list(real = real, synthetic = synthetic), if (!is.null(holdout)) list(holdout = holdout))
  label <- if (is.character(group) && length(group) == 1) group
  handles <- Map(gene_handle, given, names(given), MoreArgs = list(assay = assay, label = label))
  names <- handles$real$names
  p <- handles$real$p
  for (what in names(handles)) {
    handles[[what]]$at <- match_columns(handles[[what]]$names, names, handles[[what]]$p, p, what)
  }
  n <- vapply(handles, `[[`, 0L, "n")
  rows <- split(seq_len(sum(n)), rep(factor(names(n), names(n)), n))
  tables <- list(handles = handles, names = names, p = p, rows = rows)
  tables$group <- sample_classes(group, given, handles)
  survey_tables(tables, counts)
}

# values: a matrix of any class, whose dimension number `genes` is that of the genes. samples: the data of the samples.
gene_handle <- function(x, what, assay, label) {
  handle <- if (inherits(x, "SummarizedExperiment")) {
    need_package("SummarizedExperiment", class(x)[1])
    assay <- name_assay(assay, x, what)
    list(values = SummarizedExperiment::assay(x, assay, withDimnames = FALSE), genes = 1L, names = rownames(x),
         samples = as_data_frame(SummarizedExperiment::colData(x)))
  } else if (inherits(x, "ExpressionSet")) {
    need_package("Biobase", class(x)[1])
    list(values = Biobase::exprs(x), genes = 1L, samples = Biobase::pData(x))
  } else if (is.data.frame(x)) {
    list(values = number_columns(x, what, label), genes = 2L, samples = x)
  } else if (inherits(x, c("Matrix", "DelayedMatrix")) || (is.matrix(x) && is.numeric(x))) {
    list(values = if (inherits(x, "simulated_matrix")) unclass(x) else x, genes = 2L, samples = NULL)
  } else {
    fail("`%s` must be a matrix, a data frame or an object that holds one, as `real` is, not %s.", what, describe(x))
  }
  if (handle$genes == 1L && inherits(handle$values, "sparseMatrix")) {
    handle$values <- Matrix::t(handle$values) # columns of a sparse matrix are taken fast
    handle$genes <- 2L
  }
  if (is.null(handle$names)) handle$names <- dimnames(handle$values)[[handle$genes]]
  c(handle, list(p = dim(handle$values)[handle$genes], n = dim(handle$values)[3L - handle$genes]))
}

number_columns <- function(x, what, label) {
  if (!is.null(label)) x <- drop_columns(x, match(label, names(x)))
  good <- vapply(x, is_complete_number, NA)
  if (!all(good)) {
    fail("`%s` must have numeric columns without missing values, but column %s is not one; leave it out%s.", what,
         column_name(names(x), which(!good)[1]), if (is.null(label)) " or name it in `group`" else "")
  }
  as.matrix(x)
}

# [samples, length(at)]: the values of the genes `at` of all tables, as a full matrix of doubles.
gene_block <- function(tables, at) {
  block <- do.call(rbind, lapply(tables$handles, handle_block, at))
  storage.mode(block) <- "double"
  unname(block)
}

handle_block <- function(handle, at) {
  own <- handle$at[at]
  if (handle$genes == 1L) return(t(as.matrix(handle$values[own, , drop = FALSE])))
  as.matrix(handle$values[, own, drop = FALSE])
}

# Adds what one pass over all genes tells: whether the real samples are counts, and the sums and zeros of samples.
survey_tables <- function(tables, counts) {
  n <- sum(lengths(tables$rows))
  size <- zeros <- numeric(n)
  whole <- negative <- rep(FALSE, length(tables$rows))
  whole[] <- TRUE
  largest <- -Inf
  for (at in column_blocks(tables$p, n)) {
    block <- gene_block(tables, at)
    for (i in seq_along(tables$rows)) {
      part <- block[tables$rows[[i]], , drop = FALSE]
      check_finite(part, names(tables$rows)[i], tables$names, at)
      negative[i] <- negative[i] || any(part < 0)
      whole[i] <- whole[i] && all(part == floor(part))
    }
    largest <- max(largest, block[tables$rows$real, ])
    size <- size + rowSums(block)
    zeros <- zeros + rowSums(block == 0)
  }
  real <- tables$rows$real
  seen <- whole[1] && !negative[1] && spreads_like_counts(largest, sum(zeros[real]) / (length(real) * tables$p))
  counts <- if (is.null(counts)) seen else check_flag(counts, "counts")
  if (counts && any(negative)) {
    fail("`%s` has negative values, so these are no counts; give `counts = FALSE`.", names(tables$rows)[negative][1])
  }
  known <- list(counts = counts, size = size, zeros = zeros / tables$p, depth = stats::median(size[real]))
  c(tables, known)
}

# The scale on which values are judged: that of the values, or for counts log2(1 + x d / s) with the library size s of
# the sample and the median d of the library sizes of the real samples.
judged_values <- function(block, tables) {
  if (!tables$counts) return(block)
  log2(1 + block * (tables$depth / pmax(tables$size, 1)))
}

# The classes of all samples, as one factor with the levels of the real samples. NA: a class that no real sample has.
# group: NULL, the name of a column, a list of one vector per table, or a vector for the real samples. A matrix of new
# samples may have the attribute "group".
sample_classes <- function(group, given, handles) {
  if (is.null(group)) return(NULL)
  found <- lapply(stats::setNames(names(given), names(given)), function(what) {
    table_classes(group, given[[what]], handles[[what]], what)
  })
  texts <- Map(function(value, handle, what) {
    words <- c("sample", sprintf("samples of `%s`", what))
    as.character(read_label(list(value = value), handle$n, "group", words)$group)
  }, found, handles, names(given))
  factor(unlist(texts, use.names = FALSE), levels = unique(sort(texts$real)))
}

table_classes <- function(group, x, handle, what) {
  if (is.list(group) && !is.data.frame(group)) {
    if (is.null(group[[what]])) fail("`group` must be a list with an entry `%s`, which it lacks.", what)
    return(group[[what]])
  }
  named <- is.character(group) && length(group) == 1
  if (named && !is.null(handle$samples)) {
    if (!group %in% names(handle$samples)) {
      fail("`group` is \"%s\", but `%s` has no such column; it has %s.", group, what, quoted(names(handle$samples)))
    }
    return(handle$samples[[group]])
  }
  if (what == "real" && !named) return(group)
  if (!is.null(attr(x, "group"))) return(attr(x, "group"))
  fail("`group` must be a list with an entry `%s`, because `%s` does not tell the classes of its samples.", what, what)
}
