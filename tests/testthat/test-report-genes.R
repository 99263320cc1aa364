# The report of fidelity() on expression tables.

# Values with three factors, and counts with known means, dispersions and library sizes. The genes are the same for all
# draws.
set.seed(1)
gene_law <- list(loadings = matrix(rnorm(3 * 200), 3), level = rnorm(200, 6, 1.5), rate = exp(rnorm(200, 1.5, 1)),
                 dispersion = runif(200, 0.1, 0.5), effect = c(rep(2, 40), rep(0, 160)))
draw_genes <- function(n, group = NULL) {
  x <- matrix(rnorm(n * 3), n) %*% gene_law$loadings + matrix(rnorm(n * 200), n)
  x <- sweep(x, 2, gene_law$level, "+")
  if (!is.null(group)) x <- x + outer(group == "b", gene_law$effect)
  x
}
draw_counts <- function(n, depth = 1) {
  size <- depth * exp(rnorm(n, 0, 0.3))
  matrix(rnbinom(n * 200, mu = outer(size, gene_law$rate), size = rep(1 / gene_law$dispersion, each = n)), n)
}
ratio_of <- function(report, property, measure = "ks") {
  report$values$ratio[report$values$property == property & report$values$measure == measure]
}
value_of <- function(report, property, column = "synthetic", measure = NULL) {
  rows <- report$values$property == property
  if (!is.null(measure)) rows <- rows & report$values$measure == measure
  report$values[[column]][rows]
}
set.seed(2)
real <- draw_genes(40)
held <- draw_genes(40)
counts <- draw_counts(40)
held_counts <- draw_counts(40)

test_that("samples of one law are as near as halves, and new", {
  # In 40 simulated triples the mean logarithm of the ratios of a report had the mean -0.06 (values) and 0 (counts), and
  # the standard deviation 0.3 and 0.2: 0.6 and 0.4 are four standard errors of the mean of four reports.
  set.seed(3)
  for (kind in list(list(draw = draw_genes, allowance = 0.6), list(draw = draw_counts, allowance = 0.4))) {
    reports <- lapply(1:4, function(i) fidelity(kind$draw(24), kind$draw(24), kind$draw(24), splits = 4, seed = i))
    ratios <- vapply(reports, function(r) mean(log(r$values$ratio[r$values$part == "distance"])), 0)
    expect_lt(abs(mean(ratios)), kind$allowance)
    # a standard deviation of 0.04, so that 0.08 is four standard errors
    expect_lt(abs(mean(vapply(reports, function(r) r$novelty$ratio, 0)) - 1), 0.08)
    # a forest of 24 against 24 samples has the mean 0.48 and a standard deviation of 0.12
    expect_lt(abs(mean(vapply(reports, value_of, 0, "auc")) - 0.48), 4 * 0.12 / sqrt(4))
  }
})

test_that("genes that are shuffled one by one keep all but their correlations", {
  set.seed(4)
  report <- fidelity(real, apply(held, 2, sample), held, splits = 5)
  expect_s3_class(report, "gene_fidelity")
  for (name in c("mean", "variance")) expect_identical(ratio_of(report, name), 0)
  for (name in c("correlation_random", "correlation_variable")) {
    expect_gt(ratio_of(report, name), 5)
    expect_gt(ratio_of(report, name, "area"), 5)
    expect_true(name %in% report$beyond)
  }
  expect_match(format(report), "correlation, variable .* beyond$", all = FALSE)
  # genes in another order have the same distribution of all properties; only the same gene differs
  order <- sample(200)
  report <- fidelity(real, held[, order], held, splits = 5)
  expect_identical(ratio_of(report, "mean"), 0)
  expect_gt(ratio_of(report, "mean", "each"), 4)
})

test_that("halved counts show in the library size, and not in means of judged values", {
  set.seed(5)
  halved <- fidelity(counts, draw_counts(40, 0.5), held_counts, splits = 5)
  expect_true("library_size" %in% halved$beyond)
  # log2 library sizes are shifted by 1; 40 against 40 samples tell this to 0.3 log(2)^-1 sqrt(2 / 40) = 0.1
  expect_equal(value_of(halved, "library_size", measure = "area"), 1, tolerance = 0.35)
  expect_gt(value_of(halved, "library_size", measure = "ks"), 0.6)
  expect_lt(ratio_of(halved, "dispersion", "each"), 1.6)
  fresh <- fidelity(counts, draw_counts(40), held_counts, splits = 5)
  expect_false("library_size" %in% fresh$beyond)
  expect_true(fresh$counts)
})

test_that("copies show in novelty, and are called so", {
  report <- fidelity(real, real, held, splits = 3)
  expect_identical(report$novelty$ratio, 0)
  expect_identical(report$novelty$duplicates, 1)
  expect_match(paste(format(report), collapse = " "), "Novelty 0.00 .*close to copies.*100 % of the new samples equal")
  expect_match(paste(trimws(format(report)), collapse = " "), "Closeness says nothing here, because copies are close")
  # half of the way to a neighbour is nearer than a fresh sample
  expect_lt(fidelity(real, (real + real[c(2:40, 1), ]) / 2, held, splits = 2)$novelty$ratio, 0.9)
})

test_that("the moments of sets are those of R's functions", {
  tables <- particleflow:::read_gene_tables(counts, held_counts, NULL, NULL, NULL, NULL)
  sets <- list(1:40, c(3, 50, 61, 7, 20))
  moments <- particleflow:::gene_moments(tables, sets)
  all <- rbind(counts, held_counts)
  size <- rowSums(all)
  depth <- median(size[1:40])
  judged <- log2(1 + all / size * depth)
  for (i in 1:2) {
    expect_equal(moments$mean[i, ], colMeans(judged[sets[[i]], ]), tolerance = tolerance$moments)
    expect_equal(moments$deviation[i, ], apply(judged[sets[[i]], ], 2, sd), tolerance = tolerance$moments)
    expect_equal(moments$zeros[i, ], colMeans(all[sets[[i]], ] == 0), tolerance = tolerance$moments)
  }
  s <- size[1:40] / depth
  rate <- colSums(counts) / sum(s)
  square <- colSums((counts - outer(s, rate))^2) * 40 / 39
  wanted <- sqrt(pmax(square - rate * sum(s), 0) / (rate^2 * sum(s^2)))
  expect_equal(moments$dispersion[1, ], wanted, tolerance = tolerance$moments)
  # 2000 samples tell the root of a dispersion of 0.1 to 0.5; the median error over the genes is below a tenth
  set.seed(6)
  many <- draw_counts(2000)
  tables <- particleflow:::read_gene_tables(many, many, NULL, NULL, TRUE, NULL)
  found <- particleflow:::gene_moments(tables, list(1:2000))$dispersion[1, ]
  expect_equal(median(found / sqrt(gene_law$dispersion)), 1, tolerance = 0.05)
})

test_that("distances are as defined", {
  expect_equal(particleflow:::area_between(c(1, 2, 3), c(2, 3, 5)), 4 / 3)
  expect_equal(particleflow:::area_between(c(0, 1), 0.5), 0.5)
  a <- c(0.3, 1.2, 2.2, 5)
  b <- c(0.1, 0.7, 3)
  area <- integrate(function(t) abs(ecdf(a)(t) - ecdf(b)(t)), 0, 6, subdivisions = 2000)$value
  expect_equal(particleflow:::area_between(a, b), area, tolerance = 1e-3)
  expect_equal(particleflow:::each_difference(c(1, 2, NA), c(1, 4, 5)), sqrt(2))
  # the Rand index by hand: 4 pairs are together in both partitions, 6 in the first, 7 in the second, of 15 pairs
  rand <- particleflow:::rand_index(c(1, 1, 1, 2, 2, 2), c(1, 1, 2, 2, 2, 2))
  expect_equal(rand, (4 - 6 * 7 / 15) / (6.5 - 6 * 7 / 15))
  expect_equal(particleflow:::rand_index(c(1, 1, 2, 2), c(2, 2, 1, 1)), 1)
  p <- particleflow:::welch_p(real[, 1:3], rep(0:1, 20))
  by_hand <- vapply(1:3, function(j) t.test(real[c(TRUE, FALSE), j], real[c(FALSE, TRUE), j])$p.value, 0)
  expect_equal(p, by_hand)
})

test_that("analyses of classes find what was planted, and miss what a fake lacks", {
  set.seed(7)
  group <- rep(c("a", "b"), each = 20)
  tables <- list(real = draw_genes(40, group), synthetic = draw_genes(40, group), holdout = draw_genes(40, group))
  labels <- list(real = group, synthetic = group, holdout = group)
  report <- fidelity(tables$real, tables$synthetic, tables$holdout, group = labels, splits = 3)
  expect_identical(report$compared, c("a", "b"))
  # 40 of 200 genes differ by 2 with a standard deviation of 2: some are found with 20 and 20 samples
  expect_equal(value_of(report, "differential"), value_of(report, "differential", "real"), tolerance = 0.5)
  expect_gt(value_of(report, "differential"), 0.05)
  expect_gt(value_of(report, "effects"), 0.5)
  expect_equal(value_of(report, "silhouette"), value_of(report, "silhouette", "holdout"), tolerance = 0.6)
  dealt <- within(labels, synthetic <- sample(group))
  fake <- fidelity(tables$real, tables$synthetic, tables$holdout, group = dealt, splits = 3)
  expect_lt(value_of(fake, "differential"), 0.02)
  expect_lt(abs(value_of(fake, "effects")), 0.35)
  expect_lt(value_of(fake, "silhouette"), value_of(fake, "silhouette", "real_min"))
  expect_match(paste(format(report), collapse = " "), "between \"a\" and \"b\", +false +discovery rate 5 %")
  # sets have the same classes, and a class without partner is left out with a note
  labels$synthetic[1:10] <- "c"
  few <- fidelity(tables$real, tables$synthetic, tables$holdout, group = labels, splits = 2)
  expect_identical(few$set, c(a = 10L, b = 20L))
  expect_match(few$notes, "no real sample has their class: 10 samples")
})

test_that("the tests of genes hold their level on each path", {
  # Under the null hypothesis a p-value is below 0.05 in 5 % of 400 genes: four standard errors are 0.044. The genes
  # are independent here.
  set.seed(8)
  second <- rep(0:1, each = 15)
  x <- matrix(rnorm(30 * 400), 30)
  y <- matrix(rnbinom(30 * 400, mu = 20, size = 5), 30)
  found <- list(particleflow:::welch_p(x, second))
  if (requireNamespace("limma", quietly = TRUE)) found$limma <- particleflow:::limma_p(x, second)
  if (requireNamespace("edgeR", quietly = TRUE)) found$edgeR <- particleflow:::edger_p(y, second, rowSums(y))
  for (p in found) expect_lt(abs(mean(p < 0.05) - 0.05), 0.044)
  expect_identical(particleflow:::welch_p(cbind(1, second), second), c(1, 0))
})

test_that("both classifiers tell shifted samples, and not samples of one law", {
  set.seed(10)
  for (forest in c(FALSE, if (requireNamespace("ranger", quietly = TRUE)) TRUE)) {
    expect_gt(particleflow:::gene_auc(list(real + 2, held), forest), 0.9)
    # the standard deviation is about 0.08 for 40 and 40 samples: four of them
    expect_lt(abs(particleflow:::gene_auc(list(real, held), forest) - 0.5), 0.32)
  }
})

test_that("sparse, delayed and Bioconductor tables give the numbers of the full matrix", {
  skip_if_not_installed("Matrix")
  full <- list(counts[1:20, ], held_counts[1:20, ], held_counts[21:40, ])
  wanted <- do.call(fidelity, c(full, splits = 2))$values
  sparse <- lapply(full, particleflow:::sparse_matrix)
  expect_equal(do.call(fidelity, c(sparse, splits = 2))$values, wanted, tolerance = tolerance$kernel)
  skip_if_not_installed("SingleCellExperiment")
  group <- rep(c("a", "b"), 10)
  cells <- lapply(sparse, function(x) {
    SingleCellExperiment::SingleCellExperiment(list(counts = Matrix::t(x)),
                                               colData = S4Vectors::DataFrame(type = group))
  })
  report <- do.call(fidelity, c(cells, splits = 2, group = "type"))
  labels <- list(real = group, synthetic = group, holdout = group)
  expect_equal(report$values, do.call(fidelity, c(full, splits = 2, group = list(labels)))$values,
               tolerance = tolerance$kernel)
  skip_if_not_installed("DelayedArray")
  delayed <- lapply(full, DelayedArray::DelayedArray)
  expect_equal(do.call(fidelity, c(delayed, splits = 2))$values, wanted, tolerance = tolerance$kernel)
})

test_that("new samples of a fit are judged as they come", {
  group <- rep(c("a", "b"), 20)
  frame <- data.frame(real, type = group)
  new <- simulate(synthesise(frame, group = "type", quiet = TRUE), 40, seed = 1)
  report <- fidelity(frame, new, data.frame(held, type = group), group = "type", splits = 2)
  expect_identical(report$n_genes, 200L)
  expect_identical(report$n, c(real = 40L, synthetic = 40L, holdout = 40L))
  new <- simulate(synthesise(real, group = group, quiet = TRUE), 40, seed = 1)
  labels <- list(real = group, synthetic = attr(new, "group"), holdout = group)
  by_attribute <- fidelity(real, new, group = group, splits = 2)
  expect_equal(by_attribute$values, fidelity(real, new, group = labels, splits = 2)$values)
  expect_match(paste(trimws(format(by_attribute)), collapse = " "), "by the distances of real samples to other real")
})

test_that("the report is a function of its arguments, keeps R's stream, and holds no samples", {
  set.seed(9)
  before <- .Random.seed
  one <- fidelity(real, held, splits = 2, threads = 1)
  expect_identical(.Random.seed, before)
  expect_identical(one$values, fidelity(real, held, splits = 2, threads = 2)$values)
  # tables that the arguments draw are drawn from the stream of the user
  set.seed(1)
  expect_identical(fidelity(draw_genes(20), draw_genes(20), splits = 2, seed = 1)$novelty$duplicates, 0)
  expect_identical(as.data.frame(one), one$values)
  expect_identical(tidy(one), one$values)
  expect_output(print(summary(one)), "All measures:.*mean_variance")
  expect_lt(max(nchar(format(one))), 81)
  expect_silent(plot(one))
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(one), "ggplot")
})

test_that("wrong arguments are told", {
  expect_error(fidelity(real, held, k = 3), "`k` has no meaning for expression tables; leave it out, or give")
  expect_error(fidelity(iris[1:4], iris[1:4], group = "Species"), "`group` belongs to expression tables")
  expect_error(fidelity(real, held[, -1]), "`synthetic` has 199 columns; 200 are wanted")
  expect_error(fidelity(real, held, real, group = rep(1:2, 20)), "`group` must be a list with an entry `synthetic`")
  expect_error(fidelity(real, held, group = list(real = 1:3, synthetic = 1:40)), "for each of the 40 samples of `real`")
  expect_error(fidelity(real, held[1:4, ]), "Sets of at least 5 samples are compared, but half of the real")
  expect_error(fidelity(counts, real - 5), "`synthetic` has negative values, so these are no counts")
  missing <- replace(held, 7, NA)
  expect_error(fidelity(real, missing), "`synthetic` must not contain NA")
  expect_s3_class(fidelity(real, held, expression = FALSE, n_permutations = 99, splits = 2,
                           scores = fidelity_scores()["energy_distance"]), "fidelity")
})

test_that("compare() judges expression tables by their report, beside halves of the real samples", {
  set.seed(1)
  draw <- function(n) {
    class <- rep(c("u", "v"), length.out = n)
    list(x = 1.5 * rnorm(n) %o% sin(1:120) + (class == "v") %o% cos(1:120) + matrix(rnorm(n * 120), n), class = class)
  }
  train <- draw(40)
  fresh <- draw(40)
  noise <- matrix(rnorm(40 * 120, sd = 2), 40)
  found <- compare(train$x, list(fresh = fresh$x, copy = train$x, noise = noise), splits = 2)
  expect_identical(found$table, c("real halves", "fresh", "copy", "noise"))
  expect_identical(found$novelty[3], 0)
  expect_identical(found$duplicates, c(0, 0, 1, 0))
  report <- fidelity(train$x, noise, splits = 2)
  distances <- report$values[report$values$part == "distance" & report$values$of == "pairs of genes", ]
  expect_equal(found$gene_pairs[4], mean(distances$ratio), tolerance = 1e-12)
  expect_identical(found$beyond[4], length(report$beyond))
  # noise has no correlations and no classes; draws of the same law are about as near as halves
  expect_gt(found$gene_pairs[4], 2 * found$gene_pairs[2])
  expect_gt(found$auc[4], 0.8)
  expect_output(print(found), "3 tables beside 40 training samples.*genes, gene_pairs and samples 1")
  drawn <- particleflow:::compared_picture(found, NULL)
  expect_identical(drawn$legend$label, c("real halves", "synthetic tables"))
  frame <- function(one) data.frame(one$x, class = one$class)
  grouped <- compare(frame(train), list(fresh = frame(fresh)), frame(draw(20)), group = "class", splits = 2)
  expect_identical(grouped$rows, c(60L, 40L))
  expect_error(compare(train$x, list(a = noise), target = FALSE), "`target` has no meaning for expression tables")
  expect_error(compare(train$x, list(a = noise[, -1])), "Table \"a\": `synthetic` has 119 columns", fixed = TRUE)
  expect_error(compare(iris, list(a = iris), group = "Species"), "`group` belongs to expression tables")
  usual <- compare(train$x, list(a = noise), target = FALSE, classifier = "knn", expression = FALSE)
  expect_named(usual[c("energy", "margins")], c("energy", "margins"))
})
