# Counts of 120 rows and 200 genes with known means and dispersions; the library sizes vary by a factor of 4.
known_counts <- function(n = 120, p = 200, seed = 1) {
  set.seed(seed)
  rate <- exp(rnorm(p, 1, 1.2))
  dispersion <- runif(p, 0.1, 0.6)
  size <- exp(rnorm(n, 0, 0.3))
  counts <- matrix(rnbinom(n * p, mu = outer(size, rate), size = rep(1 / dispersion, each = n)), n)
  list(counts = counts, rate = rate, dispersion = dispersion, size = size)
}

synthesised <- function(x, ...) synthesise(x, quiet = TRUE, ...)

test_that("means, variances and zero shares are those of the negative binomial law", {
  known <- known_counts()
  fit <- synthesised(known$counts)
  expect_identical(fit$latent$name, "counts")
  depth <- sum(known$rate)
  new <- simulate(fit, 3000, seed = 1, library_size = depth)
  expect_type(new, "integer")
  truth <- known$rate
  spread <- truth + known$dispersion * truth^2
  # 120 rows tell a mean to sd / 11, 3000 draws to sd / 55: five standard errors of both
  expect_lt(max(abs(colMeans(new) - truth) / sqrt(spread)), 5 * sqrt(1 / 120 + 1 / 3000))
  # the variance of 120 rows has a relative error of about 0.2 per gene; the median of 200 genes is told to 0.03
  expect_equal(median(apply(new, 2, var) / spread), 1, tolerance = 0.1)
  zero <- (1 + known$dispersion * truth)^(-1 / known$dispersion)
  # the share of zeros of 120 rows has a standard error of at most 0.046
  expect_lt(max(abs(colMeans(new == 0) - zero)), 5 * 0.046)
  expect_lt(abs(mean(new == 0) - mean(zero)), 0.01)
})

test_that("doubling the library size doubles the means of the same new samples", {
  fit <- synthesised(known_counts()$counts)
  one <- simulate(fit, 400, seed = 3, library_size = 2000)
  two <- simulate(fit, 400, seed = 3, library_size = 4000)
  # the same scores: medians of rows per gene move together, so that the ratio has hardly an error
  expect_equal(colMeans(two) / colMeans(one), rep(2, 200), tolerance = 0.05)
  expect_true(all(two >= one))
  expect_equal(mean(rowSums(one)), 2000, tolerance = 0.03)
  # each new sample has a depth of its own
  depth <- rep(c(500, 5000), 200)
  each <- simulate(fit, 400, seed = 3, library_size = depth)
  expect_gt(min(rowSums(each)[depth == 5000]), max(rowSums(each)[depth == 500]))
  expect_error(simulate(fit, 3, library_size = c(1, 2)), "`library_size` must be one number above 0, or one per new")
  expect_error(simulate(fit, 3, library_size = 0), "`library_size` must be")
})

test_that("library sizes and correlations of the genes come back", {
  set.seed(4)
  factor <- rnorm(100)
  mu <- exp(outer(factor, c(rep(0.4, 40), rep(-0.4, 40), rep(0, 40))) + 4) * exp(rnorm(100, 0, 0.3))
  counts <- matrix(rpois(length(mu), mu), 100)
  new <- simulate(synthesised(counts), 2000, seed = 1)
  logs <- function(x) log1p(x / rowSums(x) * 1e4)
  pairs <- upper.tri(diag(120))
  # correlations of shares of a sum bend, which a Gaussian law of scores does not
  expect_lt(sqrt(mean((cor(logs(new)) - cor(logs(counts)))[pairs]^2)), 0.08)
  expect_equal(sd(log(rowSums(new))), sd(log(rowSums(counts))), tolerance = 0.15)
  expect_equal(mean(log(rowSums(new))), mean(log(rowSums(counts))), tolerance = 0.01)
})

test_that("sparse counts keep most of their correlations", {
  set.seed(5)
  factor <- rnorm(150)
  mu <- exp(outer(factor, rep(c(0.7, -0.7, 0), c(60, 60, 380))) - 0.7)
  counts <- matrix(rpois(length(mu), mu), 150)
  expect_gt(mean(counts == 0), 0.5)
  new <- simulate(synthesised(counts), 3000, seed = 1)
  pairs <- upper.tri(diag(60))
  # the mean correlation is 0.28 in the table and 0.20 in new samples; 0.13 without the draws given the other genes
  expect_gt(mean(cor(new[, 1:60])[pairs]), 0.62 * mean(cor(counts[, 1:60])[pairs]))
})

test_that("draws within cells follow the truncated normal law", {
  n <- 4000
  ends <- function(value) matrix(value, n, 3)
  uniform <- matrix((seq_len(n) - 0.5) / n, n, 3)
  low <- cbind(rep(-1, n), 3, -Inf)
  high <- cbind(rep(0.5, n), 3.5, -4)
  z <- particleflow:::draw_truncated(ends(0.2), ends(0.8), low, high, uniform)
  expect_true(all(z >= low & z <= high))
  for (j in 1:3) {
    a <- (low[1, j] - 0.2) / 0.8
    b <- (high[1, j] - 0.2) / 0.8
    mean <- 0.2 + 0.8 * (dnorm(a) - dnorm(b)) / (pnorm(b) - pnorm(a))
    if (j == 2) mean <- 0.2 + 0.8 * (dnorm(a) - dnorm(b)) / (pnorm(-a) - pnorm(-b))
    expect_equal(mean(z[, j]), mean, tolerance = 1e-3)
  }
})

test_that("counts far below their mean keep their scores, and do not become zeros", {
  # negative binomial counts with the mean 4000 and the variance 4000 + 0.06 * 4000^2: 20 has a probability of 2e-33
  model <- list(rate = matrix(1), dispersion = 0.06)
  counts <- matrix(c(0, 20, 150, 4000, 40000))
  cells <- particleflow:::count_cells(model, counts, rep(4000, 5), rep(1L, 5))
  high <- qnorm(pnbinom(counts, 1 / 0.06, mu = 4000, log.p = TRUE), log.p = TRUE)
  expect_equal(cells$high, high, tolerance = 1e-8)
  expect_true(all(cells$scores > cells$low & cells$scores < cells$high))
  back <- particleflow:::count_values(model, cells$scores, rep(4000, 5), rep(1L, 5), NULL, NULL)
  expect_identical(back, counts)
  # whatever a law draws, counts are finite
  far <- particleflow:::count_values(model, matrix(c(-60, 60)), rep(4000, 2), rep(1L, 2), NULL, NULL)
  expect_identical(far[1], 0)
  expect_true(is.finite(far[2]) && far[2] > 40000)
})

test_that("quantiles of counts are those of qnbinom() at small and at large means", {
  set.seed(3)
  n <- 4000
  mu <- 10^runif(n, -1, 5)
  shape <- 10^runif(n, -1, 4)
  for (lower in c(TRUE, FALSE)) {
    p <- pnorm(runif(n, -5, 5), lower.tail = lower)
    wanted <- qnbinom(p, shape, mu = mu, lower.tail = lower)
    found <- particleflow:::count_quantiles(p, shape, mu, lower)
    # qnbinom() takes probabilities as equal that differ by 1e-14 of their value, so that few differ, and by little
    expect_gt(mean(found == wanted), 0.995)
    expect_equal(found, wanted, tolerance = 1e-3)
  }
})

test_that("a balanced set has the scores of its class, rank by rank", {
  own <- matrix(c(3, 1, 2, -5, 0, 40), 3)
  z <- matrix(c(0.1, 0.3, 0.2, 7, 8, -9), 3)
  ranked <- particleflow:::ranked_values
  expect_equal(ranked(z, own, matrix(0.5, 3, 2)), matrix(c(1, 3, 2, 0, 40, -5), 3))
  # half a step beside the sorted values is in the middle between them, and beyond the ends as far
  expect_equal(ranked(z, own, matrix(1, 3, 2))[, 1], c(1.5, 3.5, 2.5))
  expect_equal(ranked(z, own, matrix(0, 3, 2))[, 2], c(-2.5, 20, -7.5))
  # ten values from two: in equal steps
  expect_equal(ranked(matrix(1:10), matrix(c(0, 1)), matrix(0.5, 10, 1))[, 1], seq(-0.4, 1.4, by = 0.2))
})

test_that("a balanced set of counts has the shares of zeros of each class, and its rows do not depend on nsim", {
  set.seed(6)
  group <- rep(c("a", "b"), c(20, 30))
  mu <- exp(rnorm(150, 0.7, 1.2)) # one gene in four is 0 in most samples
  counts <- matrix(rnbinom(50 * 150, mu = rep(mu, each = 50), size = ifelse(group == "a", 0.7, 3)), 50)
  fit <- synthesised(counts, group = group)
  new <- simulate(fit, c(a = 20, b = 30), seed = 1)
  free <- simulate(fit, c(a = 20, b = 30), seed = 1, balanced = FALSE)
  away <- function(new) {
    of <- attr(new, "group")
    mean(vapply(c("a", "b"), function(g) mean(abs(colMeans(new[of == g, ] == 0) - colMeans(counts[group == g, ] == 0))),
                0))
  }
  # two shares of zeros among 20 and 30 samples differ by 0.09 in the mean, as for independent draws
  expect_gt(away(free), 0.06)
  expect_lt(away(new), 0.5 * away(free))
  some <- simulate(fit, c(a = 3, b = 40), seed = 1)
  expect_identical(some[1:3, ], new[1:3, ])
  expect_identical(some[4:33, ], new[21:50, ])
  # rows of a set are given their values wherever the design puts them
  design <- data.frame(group = c("b", "a", "b"), n = c(2, 1, 3))
  planned <- simulate(fit, design = design, seed = 1, balanced = TRUE)
  expect_identical(planned[c(1, 2, 4:6), ], new[21:25, ])
  expect_identical(planned[3, ], new[1, ])
  # no copies
  expect_false(any(duplicated(rbind(counts, new[, ]))))
  # of two samples a set has ten
  two <- simulate(synthesised(counts[c(1:2, 21:40), ], group = group[c(1:2, 21:40)]), c(a = 25, b = 1), seed = 1)
  expect_identical(dim(two), c(26L, 150L))
})

test_that("genes that are zero in a class, constant, or seen once do no harm", {
  counts <- known_counts(60)$counts
  group <- rep(c("a", "b", "c"), c(40, 16, 4))
  counts[group == "a", 1:20] <- 0L
  counts[, 21] <- 0L
  counts[, 22] <- 3L
  counts[, 23] <- c(1L, rep(0L, 59))
  fit <- synthesised(counts, group = group)
  new <- simulate(fit, c(a = 200, b = 200, c = 200), seed = 1)
  of <- attr(new, "group")
  expect_true(all(new[of == "a", 1:20] == 0))
  expect_gt(min(colSums(new[of == "b", 1:20])), 0)
  expect_true(all(new[, 21] == 0) && all(new[, 22] == 3))
  expect_true(all(new[of != "a", 23] == 0))
  expect_lt(mean(new[of == "a", 23]), 0.2)
  # rows of other data are encoded, and have an expected class
  expect_identical(dim(predict(fit, counts[1:3, ], type = "latent", group = group[1:3])), c(3L, 59L))
  counts[7, ] <- 0L
  expect_error(efs(counts, latent = latent_counts()), "The library size, which is the sum of a row, must be above 0")
})

test_that("what is no table of counts is refused or read as values", {
  x <- matrix(rnorm(20 * 60), 20)
  expect_error(synthesised(x, counts = TRUE), "latent_counts\\(\\) needs counts")
  fit <- synthesised(x)
  expect_identical(fit$latent$name, "genes")
  expect_error(simulate(fit, 2, library_size = 5), "belongs to a fit of counts")
  expect_error(synthesise(iris, counts = TRUE), "belong to expression tables")
})

test_that("what came in comes out: sparse matrices and data frames", {
  skip_if_not_installed("Matrix")
  counts <- known_counts(30)$counts
  colnames(counts) <- paste0("gene", 1:200)
  fit <- synthesised(methods::as(counts * 1, "CsparseMatrix"), group = rep(1:2, 15))
  new <- simulate(fit, 6, seed = 1)
  expect_s4_class(new, "dgCMatrix")
  expect_identical(attr(new, "group"), rep(1:2, each = 3))
  expect_identical(colnames(new), colnames(counts))
  dense <- simulate(synthesised(counts, group = rep(1:2, 15)), 6, seed = 1)
  expect_equal(as.matrix(new), dense[, ], ignore_attr = TRUE)
  frame <- simulate(synthesised(as.data.frame(counts)), 3, seed = 1)
  expect_s3_class(frame, "data.frame")
  expect_identical(names(frame), colnames(counts))
  # efs() takes the same table as numbers and gives a matrix
  plain <- simulate(efs(methods::as(counts * 1, "CsparseMatrix")), 3, seed = 1)
  expect_true(is.matrix(plain))
  expect_identical(colnames(plain), colnames(counts))
})

test_that("delayed matrices are read by blocks of genes and come back delayed", {
  skip_if_not_installed("DelayedArray")
  counts <- known_counts(30)$counts
  colnames(counts) <- paste0("gene", 1:200)
  from_matrix <- simulate(synthesised(counts), 3, seed = 1)
  # seven blocks of at most 30 genes
  read <- particleflow:::full_samples
  expect_equal(with_constant("cells_at_once", 30 * 30, read(DelayedArray::DelayedArray(t(counts)), genes = 1)), counts)
  new <- simulate(synthesised(DelayedArray::DelayedArray(counts)), 3, seed = 1)
  expect_s4_class(new, "DelayedMatrix")
  expect_equal(as.matrix(new), from_matrix[, ], ignore_attr = TRUE)
  expect_identical(colnames(new), colnames(counts))
  expect_error(synthesised(DelayedArray::DelayedArray(counts), assay.type = "counts"), "belongs to a SummarizedExp")
  expect_error(synthesised(DelayedArray::DelayedArray(counts == 0)), "`x` must hold numbers")
  skip_if_not_installed("SummarizedExperiment")
  experiment <- SummarizedExperiment::SummarizedExperiment(list(counts = DelayedArray::DelayedArray(t(counts))))
  back <- simulate(synthesised(experiment), 3, seed = 1)
  expect_true(methods::validObject(back))
  expect_s4_class(SummarizedExperiment::assay(back), "DelayedMatrix")
  expect_equal(t(as.matrix(SummarizedExperiment::assay(back))), from_matrix[, ], ignore_attr = TRUE)
})

test_that("matrices in HDF5 files give the same samples as in memory", {
  skip_if_not_installed("HDF5Array")
  skip_if_not_installed("SingleCellExperiment")
  counts <- t(known_counts(30)$counts)
  rownames(counts) <- paste0("gene", 1:200)
  file <- tempfile(fileext = ".h5")
  on.exit(unlink(file))
  stored <- HDF5Array::writeHDF5Array(counts, file, "counts", with.dimnames = TRUE)
  experiment <- SingleCellExperiment::SingleCellExperiment(list(counts = stored))
  fit <- synthesised(experiment)
  unlink(file) # the fit needs the file no more
  new <- simulate(fit, 3, seed = 1)
  expect_s4_class(new, "SingleCellExperiment")
  expect_true(methods::validObject(new))
  expect_s4_class(SummarizedExperiment::assay(new), "DelayedMatrix")
  expect_identical(rownames(new), rownames(counts))
  expect_equal(t(as.matrix(SummarizedExperiment::assay(new))), simulate(synthesised(t(counts)), 3, seed = 1)[, ],
               ignore_attr = TRUE)
})

test_that("experiments come back valid, with the data of rows and columns", {
  skip_if_not_installed("SingleCellExperiment")
  counts <- t(known_counts(30)$counts)
  dimnames(counts) <- list(paste0("gene", 1:200), paste0("cell", 1:30))
  cells <- S4Vectors::DataFrame(type = factor(rep(c("x", "y"), c(20, 10))), row.names = colnames(counts))
  experiment <- SingleCellExperiment::SingleCellExperiment(
    list(counts = methods::as(counts * 1, "CsparseMatrix"), logcounts = log1p(counts)), colData = cells,
    rowData = S4Vectors::DataFrame(symbol = letters[rep(1:20, 10)]), metadata = list(study = "one")
  )
  fit <- synthesised(experiment, group = "type")
  new <- simulate(fit, c(x = 3, y = 2), seed = 1)
  expect_s4_class(new, "SingleCellExperiment")
  expect_true(methods::validObject(new))
  expect_identical(SummarizedExperiment::assayNames(new), "counts")
  expect_s4_class(SummarizedExperiment::assay(new), "dgCMatrix")
  expect_identical(SummarizedExperiment::rowData(new), SummarizedExperiment::rowData(experiment))
  data <- SummarizedExperiment::colData(new)
  expect_identical(data$type, factor(c("x", "x", "x", "y", "y")))
  expect_identical(data$library_size, unname(colSums(as.matrix(SummarizedExperiment::assay(new)))))
  expect_identical(S4Vectors::metadata(new)$study, "one")
  expect_true(S4Vectors::metadata(new)$particleflow$synthetic)
  # the same samples as from a matrix
  plain <- simulate(synthesised(t(counts), group = cells$type), c(x = 3, y = 2), seed = 1)
  expect_equal(t(as.matrix(SummarizedExperiment::assay(new))), plain[, ], ignore_attr = TRUE)
  values <- simulate(synthesised(experiment, assay.type = "logcounts"), 3, seed = 1)
  expect_identical(SummarizedExperiment::assayNames(values), "logcounts")
  expect_true(all(SummarizedExperiment::assay(values) >= 0))
  expect_error(synthesised(experiment, group = "batch"), "no column of the data of the samples")
  expect_error(synthesised(experiment, assay.type = "tpm"), "`assay.type` must be one of the assays")
  ignored <- list(columns = list(gene1 = column_count()), id = "gene1", constraints = ~ gene1 <= gene2,
                  combine = list(c("gene1", "gene2")), blocks = 1:30, whole_blocks = TRUE)
  for (name in names(ignored)) {
    expect_error(do.call(synthesised, c(list(experiment), ignored[name])), sprintf("`%s` cannot be given", name))
  }
  expect_error(synthesised(experiment, density_floor = 0.1), "the law of an expression table has no density")
  expect_error(efs(experiment), "whose samples are columns; give it to synthesise")
})

test_that("an ExpressionSet comes back as one", {
  skip_if_not_installed("Biobase")
  x <- matrix(rnorm(60 * 20), 60, dimnames = list(paste0("p", 1:60), paste0("s", 1:20)))
  set <- Biobase::ExpressionSet(x, Biobase::AnnotatedDataFrame(data.frame(arm = rep(c("u", "v"), 10),
                                                                          row.names = colnames(x))))
  new <- simulate(synthesised(set, group = "arm"), 4, seed = 1)
  expect_true(methods::validObject(new))
  expect_identical(Biobase::featureNames(new), rownames(x))
  expect_identical(Biobase::pData(new)$arm, c("u", "u", "v", "v"))
  expect_true(Biobase::notes(new)$synthetic)
  expect_error(efs(set), "whose samples are columns; give it to synthesise")
})

test_that("a strong effect of a batch on counts is hardly shrunk", {
  set.seed(2)
  mean <- exp(rnorm(300, 3))
  batch <- rep(1:3, each = 12)
  factor <- matrix(1, 3, 300)
  factor[2, 1:50] <- 4
  x <- matrix(rnbinom(36 * 300, mu = rep(mean, each = 36) * factor[batch, ], size = 5), 36)
  found <- synthesise(x, batch = batch, counts = TRUE, quiet = TRUE)$latent$batches
  ratio <- found[2, ] / found[1, ]
  # relative to the other genes, because the rates add up to 1; the logarithm of a ratio of two means of 12 counts has a
  # standard error of sqrt(2 (0.2 + 1/20) / 12) = 0.2, the median of 50 of them 0.04: three of these, and shrinkage
  expect_lt(abs(log(median(ratio[1:50]) / median(ratio[51:300])) - log(4)), 0.13)
})

test_that("counts far above the integers have their means, and sums their library sizes", {
  set.seed(1)
  fit <- synthesised(matrix(rpois(600, 200), 10))
  # Poisson counts with the mean 200 in 10 rows and 50 draws: five standard errors of sqrt(200 / 10 + 200 / 50)
  new <- simulate(fit, 50, seed = 1, effect = data.frame(gene = 1, log_fold_change = 24))
  expect_lt(abs(mean(new[, 1]) / 2^24 - 200), 5 * sqrt(200 / 10 + 200 / 50))
  for (size in c(1e12, 1e15)) expect_equal(rowSums(simulate(fit, 5, seed = 1, library_size = size)) / size, rep(1, 5))
  expect_error(simulate(fit, 1, library_size = 1e16), "`library_size` must be at most 1e\\+15, not 1e\\+16")
  expect_error(simulate(fit, 1, effect = data.frame(gene = 1, log_fold_change = -51)), "`effect` must be between -50")
})

test_that("the gamma law continues the negative binomial law for large means", {
  mean <- particleflow:::most_exact_mean
  upper <- seq(0.05, 0.95, by = 0.05)
  below <- particleflow:::count_quantiles(upper, rep(2, 19), rep(mean, 19), FALSE)
  above <- particleflow:::count_quantiles(upper, rep(2, 19), rep(mean * (1 + 1e-9), 19), FALSE)
  expect_equal(above, below, tolerance = 1e-3)
  # the mean and the variance of a dense set of quantiles
  upper <- (seq_len(1e5) - 0.5) / 1e5
  counts <- particleflow:::count_quantiles(upper, rep(2, 1e5), rep(1e12, 1e5), FALSE)
  expect_equal(rev(particleflow:::count_quantiles(upper, rep(2, 1e5), rep(1e12, 1e5), TRUE)), counts, tolerance = 1e-9)
  expect_equal(mean(counts), 1e12, tolerance = 1e-3)
  expect_equal(var(counts), 1e12 + 1e24 / 2, tolerance = 1e-2)
})

test_that("assays are read by name or number, with or without dimnames", {
  skip_if_not_installed("SingleCellExperiment")
  skip_if_not_installed("Matrix")
  counts <- t(known_counts(30)$counts)
  sparse <- methods::as(counts * 1, "CsparseMatrix")
  dimnames(sparse) <- list(NULL, NULL)
  experiment <- SingleCellExperiment::SingleCellExperiment(list(counts = sparse, double = 2 * sparse))
  expect_silent(fit <- synthesised(experiment))
  expect_silent(new <- simulate(fit, 2, seed = 1))
  two <- simulate(synthesised(experiment, assay.type = 2), 2, seed = 1)
  expect_identical(SummarizedExperiment::assayNames(two), "double")
  expect_error(synthesised(experiment, assay.type = 3), "\"counts\", \"double\" or a number from 1 to 2, not 3")
  bare <- SummarizedExperiment::SummarizedExperiment(list(counts))
  expect_equal(as.matrix(SummarizedExperiment::assay(simulate(synthesised(bare, assay.type = 1), 2, seed = 1))),
               as.matrix(SummarizedExperiment::assay(new)), ignore_attr = TRUE)
  expect_error(synthesised(bare, assay.type = "counts"), "which have no names, or a number from 1 to 1")
  rownames(experiment) <- paste0("g", 1:200)
  expect_identical(rownames(simulate(synthesised(experiment), 1)), rownames(experiment))
  nothing <- SummarizedExperiment::SummarizedExperiment(colData = S4Vectors::DataFrame(a = 1:3))
  expect_error(synthesised(nothing), "`x` has no assay")
  expect_error(synthesised(experiment[, 1]), "at least 2 samples and 1 gene, but it has 1 and 200")
  expect_error(synthesised(experiment[0, ]), "at least 2 samples and 1 gene, but it has 30 and 0")
})

test_that("what is wrong with a table is said", {
  counts <- known_counts(30)$counts
  expect_error(synthesised(replace(counts, 1, 0.5), counts = TRUE), "but the value 0.5 is not one")
  expect_error(synthesised(replace(counts, 1:2, 0.5), counts = TRUE), "but 2 values are not, such as 0.5")
  frame <- as.data.frame(counts)
  frame$b <- rep(c("u", "v"), 15)
  expect_error(synthesised(frame, group = "b", batch = "b"), "`group` and `batch` both name the column \"b\"")
  frame[3, "V7"] <- NA
  expect_error(synthesised(frame, group = "b", counts = TRUE), "missing value in row 3 of column \"V7\"")
  expect_error(synthesised(replace(counts, 31, NA), counts = TRUE), "missing value in row 1 of column 2")
  expect_message(synthesise(counts, group = rep("a", 30)), "in 1 class\n$")
  skip_if_not_installed("Matrix")
  expect_error(synthesised(methods::as(counts > 0, "CsparseMatrix")), "`x` must hold numbers, not logical values")
  dense <- simulate(synthesised(methods::as(methods::as(counts * 1, "unpackedMatrix"), "generalMatrix")), 2, seed = 1)
  expect_true(is.matrix(dense))
})

test_that("an assay with the name of counts holds counts, also where they are small and few are 0", {
  skip_if_not_installed("SummarizedExperiment")
  set.seed(1)
  small <- matrix(rpois(60 * 30, 4), 60, dimnames = list(paste0("g", 1:60), NULL))
  named <- function(name) {
    x <- SummarizedExperiment::SummarizedExperiment(stats::setNames(list(small), name))
    synthesise(x, quiet = TRUE)$counts
  }
  expect_true(named("counts"))
  expect_false(named("values"))
})
