# The properties of a set of samples: each is a vector over genes, pairs of genes, samples or pairs of samples.

# One row per property: its name, what its values belong to, and how print() calls it.
gene_properties <- data.frame(
  property = c("mean", "variance", "mean_variance", "dispersion", "zeros_gene", "correlation_random",
               "correlation_variable", "library_size", "zeros_sample", "nearest", "correlation_samples"),
  of = rep(c("genes", "pairs of genes", "samples", "pairs of samples"), c(5, 2, 3, 1)),
  label = c("mean", "variance", "variance given mean", "dispersion", "share of zeros", "correlation, random",
            "correlation, variable", "library size", "share of zeros", "nearest sample", "correlation"),
  said = c("means of genes", "variances of genes", "variances given the mean", "dispersions", "zeros of genes",
           "correlations of random genes", "correlations of variable genes", "library sizes", "zeros of samples",
           "distances to the nearest sample", "correlations of samples")
)

# Pairs of properties that are compared together.
gene_pairs <- data.frame(
  property = c("mean & variance", "mean & zeros_gene", "library_size & zeros_sample"),
  of = c("genes", "genes", "samples"),
  label = c("mean and variance", "mean and zeros", "library size and zeros"),
  said = c("means and variances", "means and zeros", "library sizes and zeros")
)

# How many genes the report takes for what: the most variable ones, those of correlations, those that are tested, and
# those of pairs of properties and of the plot.
gene_numbers <- c(top = 2000L, correlated = 300L, tested = 2000L, drawn = 2000L)

# At most so many samples of a set for pairs of samples, components and clusters.
most_paired_samples <- 200L

# The numbers of genes, each chosen by the real samples and the seed alone. all: the set of all real samples in moments.
choose_genes <- function(moments, all) {
  deviation <- moments$deviation[all, ]
  varies <- which(deviation > 0)
  if (length(varies) < 2) fail("`real` must have at least two genes that vary, not %d.", length(varies))
  usual <- if (is.null(moments$zeros)) varies else varies[moments$zeros[all, varies] <= 0.9]
  if (length(usual) < 50) usual <- varies
  some_of <- function(genes, most) sort(sample_rows(genes, min(length(genes), gene_numbers[[most]])))
  top <- varies[order(-deviation[varies])]
  list(top = utils::head(top, gene_numbers[["top"]]), variable = utils::head(top, gene_numbers[["correlated"]]),
       random = some_of(usual, "correlated"), tested = some_of(usual, "tested"), drawn = some_of(varies, "drawn"))
}

# list(judged, raw, at): the chosen genes of all samples as full matrices, and for each choice its columns. raw: NULL
# but for counts.
chosen_values <- function(tables, chosen) {
  kept <- sort(unique(unlist(chosen[c("top", "random", "tested")])))
  n <- sum(lengths(tables$rows))
  parts <- lapply(column_blocks(length(kept), n), function(at) gene_block(tables, kept[at]))
  raw <- do.call(cbind, parts)
  list(judged = judged_values(raw, tables), raw = if (tables$counts) raw,
       at = lapply(chosen[c("top", "variable", "random", "tested")], match, kept))
}

# A named list of vectors. set: numbers of samples; i: the number of the set in moments. trend: see variance_trend().
set_properties <- function(set, i, tables, moments, trend, chosen, values) {
  genes <- list(mean = moments$mean[i, ], variance = moments$deviation[i, ], zeros_gene = moments$zeros[i, ],
                dispersion = moments$dispersion[i, ])
  genes$mean_variance <- genes$variance - on_trend(trend, genes$mean)
  pairs <- pairs_of_samples(values$judged[fewer_samples(set, most_paired_samples), values$at$top, drop = FALSE])
  size <- tables$size[set]
  found <- c(genes, list(
    correlation_random = gene_correlations(values$judged[set, values$at$random, drop = FALSE]),
    correlation_variable = gene_correlations(values$judged[set, values$at$variable, drop = FALSE]),
    library_size = if (tables$counts) log2(pmax(size, 1)) else size / tables$p,
    zeros_sample = if (has_zeros(tables)) tables$zeros[set],
    nearest = pairs$nearest, correlation_samples = pairs$correlation
  ))
  Filter(Negate(is.null), found)[intersect(gene_properties$property, names(Filter(Negate(is.null), found)))]
}

# The correlations of all pairs of columns. NA for genes that do not vary.
gene_correlations <- function(x) {
  found <- suppressWarnings(stats::cor(x))
  found[upper.tri(found)]
}

# The correlations of all pairs of rows, and the distance of each row to the nearest other one.
pairs_of_samples <- function(x) {
  centred <- sweep(x, 2, colMeans(x))
  squares <- rowSums(centred^2)
  apart <- outer(squares, squares, "+") - 2 * tcrossprod(centred)
  diag(apart) <- Inf
  correlation <- stats::cov2cor(tcrossprod(x - rowMeans(x)))
  list(correlation = correlation[upper.tri(correlation)], nearest = sqrt(pmax(apply(apart, 1, min), 0)))
}
