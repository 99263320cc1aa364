# Tables with batches and known labels: list(x, batch, label, reference).

# Human stem cells, 400 genes, four studies (package mixOmics 6.3.2, data set `stemcells`, which comes as an
# .rda file). Fibroblasts are left out because only the second study has enough of them to be halved.
read_stemcells <- function(path) {
  found <- new.env()
  load(path, found)
  d <- found$stemcells
  keep <- d$celltype != "Fibroblast"
  list(x = d$gene[keep, ], batch = as.character(d$study)[keep], label = as.character(d$celltype)[keep], reference = "1")
}

# Two cell lines, alone and as a mixture, on 20 principal components (package harmony). At most `most` cells of each
# kind are kept.
read_cell_lines <- function(most = 120) {
  found <- new.env()
  utils::data("cell_lines", package = "harmony", envir = found)
  meta <- as.data.frame(found$cell_lines$meta_data)
  x <- as.matrix(as.data.frame(found$cell_lines$scaled_pcs))
  set.seed(1)
  kind <- paste(meta$dataset, meta$cell_type)
  keep <- unlist(lapply(split(seq_len(nrow(x)), kind), function(rows) {
    rows[sample.int(length(rows), min(most, length(rows)))]
  }))
  list(x = x[keep, ], batch = as.character(meta$dataset)[keep], label = as.character(meta$cell_type)[keep],
       reference = "half")
}

# Bladder cancer, 22283 genes, batches 1, 2 and 5 (package bladderbatch). Tumours only, because the other labels are
# confounded with the batch. So there is one label.
read_bladder <- function(genes = 5000) {
  found <- new.env()
  utils::data("bladderdata", package = "bladderbatch", envir = found)
  x <- t(Biobase::exprs(found$bladderEset))
  p <- Biobase::pData(found$bladderEset)
  keep <- p$cancer == "Cancer" & p$batch %in% c(1, 2, 5)
  x <- x[keep, ]
  x <- x[, order(-apply(x, 2, var))[seq_len(genes)]]
  list(x = x, batch = as.character(p$batch[keep]), label = rep("Cancer", sum(keep)), reference = "5")
}

# A table of the size of the published example, 138 + 88 rows to 49 + 216, with p genes. It has ten factors, and a fifth
# of the genes differ between labels. In the source each gene has its own location and scale, and is bent. `other`: the
# share of the variance of the source's loadings that is its own, so that correlations between its genes differ.
simulate_expression <- function(seed, p = 2000, factors = 10, twice = 1, other = 0,
                                size = list(source = c(138, 88), reference = twice * c(49, 216))) {
  set.seed(seed)
  loading <- matrix(stats::rnorm(factors * p), factors) / sqrt(factors)
  between <- stats::rnorm(p, sd = 0.5) * (stats::runif(p) < 0.2)
  draw <- function(n, loading) {
    label <- rep(0:1, n)
    z <- matrix(stats::rnorm(sum(n) * factors), sum(n))
    z %*% loading + outer(label, between) + matrix(stats::rnorm(sum(n) * p, sd = 0.7), sum(n))
  }
  strange <- matrix(stats::rnorm(factors * p), factors) / sqrt(factors)
  own <- draw(size$source, sqrt(1 - other) * loading + sqrt(other) * strange)
  own <- sweep(own, 2, exp(stats::rnorm(p, sd = 0.3)), "*")
  own <- sweep(own + 0.5 * tanh(2 * own), 2, stats::rnorm(p), "+")
  label <- c(rep(c("positive", "negative"), size$source), rep(c("positive", "negative"), size$reference))
  list(x = rbind(own, draw(size$reference, loading)), batch = rep(c("source", "reference"), vapply(size, sum, 0)),
       label = label, reference = "reference")
}

# Counts of two labels in two batches, negative binomial with factors. In the source each gene has its own rate and a
# larger dispersion, and samples are deeper.
simulate_counts <- function(seed, p = 1000, factors = 5, size = list(source = c(40, 30), reference = c(40, 40))) {
  set.seed(seed)
  rate <- exp(stats::rnorm(p, log(20), 1.5))
  loading <- matrix(stats::rnorm(factors * p, sd = 0.3), factors)
  between <- stats::rnorm(p, sd = 0.7) * (stats::runif(p) < 0.2)
  dispersion <- exp(stats::rnorm(p, log(0.1), 0.5))
  draw <- function(n, depth, shift, times) {
    label <- rep(0:1, n)
    mean <- exp(matrix(stats::rnorm(sum(n) * factors), sum(n)) %*% loading + outer(label, between))
    mean <- sweep(mean, 2, rate * exp(shift), "*") * depth * exp(stats::rnorm(sum(n), sd = 0.3))
    spread <- rep(times * dispersion, each = sum(n))
    matrix(as.integer(stats::rnbinom(length(mean), mu = mean, size = 1 / spread)), sum(n))
  }
  own <- draw(size$source, 2, stats::rnorm(p, sd = 0.5), exp(stats::rnorm(p, log(2), 0.3)))
  counts <- rbind(own, draw(size$reference, 1, 0, rep(1, p)))
  label <- c(rep(c("positive", "negative"), size$source), rep(c("positive", "negative"), size$reference))
  keep <- colSums(counts) > 0
  list(x = NULL, counts = counts[, keep], batch = rep(c("source", "reference"), vapply(size, sum, 0)), label = label,
       reference = "reference")
}
