# Values of two classes and three batches with known additive effects. The cell (b, 3) has no sample.
planted_values <- function(n = 20, p = 200, seed = 1) {
  set.seed(seed)
  cells <- data.frame(group = c("a", "a", "a", "b", "b"), batch = c("1", "2", "3", "1", "2"))
  rows <- cells[rep(1:5, each = n), ]
  class <- rbind(a = rnorm(p), b = rnorm(p))
  batch <- rbind("1" = rnorm(p), "2" = rnorm(p), "3" = rnorm(p))
  x <- class[rows$group, ] + batch[rows$batch, ] + matrix(rnorm(nrow(rows) * p, sd = 0.5), nrow(rows))
  dimnames(x) <- list(NULL, paste0("gene", 1:p))
  list(x = x, rows = rows, class = class, batch = batch)
}

planted_fit <- function(planted, ...) {
  synthesise(planted$x, group = planted$rows$group, batch = planted$rows$batch, quiet = TRUE, ...)
}

# root mean square
rms <- function(x) sqrt(mean(x^2))

test_that("cells of classes and batches have the planted means, also those that were not observed", {
  planted <- planted_values()
  fit <- planted_fit(planted)
  expect_output(print(fit), "within classes and batches")
  design <- expand.grid(batch = c("3", "1"), group = c("b", "a"), n = 400)
  new <- simulate(fit, design = design, seed = 1)
  expect_identical(attr(new, "group"), rep(c("b", "a"), each = 800))
  expect_identical(attr(new, "batch"), rep(rep(c("3", "1"), each = 400), 2))
  for (group in c("a", "b")) {
    for (batch in c("1", "3")) {
      at <- attr(new, "group") == group & attr(new, "batch") == batch
      # the mean of the unobserved cell is told by 20 samples per cell: its standard error is about
      # 0.5 sqrt(1/20 + 1/40 + 1/60) = 0.15, and that of the observed ones is smaller; over 200 genes the root mean
      # square exceeds 1.3 times this with a probability below 1e-6
      expect_lt(rms(colMeans(new[at, ]) - planted$class[group, ] - planted$batch[batch, ]), 1.3 * 0.155)
      # 0.5 within 5 per cent: 95 degrees of freedom, in the mean of 200 genes
      expect_equal(rms(apply(new[at, ], 2, sd)), 0.5, tolerance = 0.05)
    }
  }
})

test_that("effects of batches are those of lm(), removed, or those of one batch, for the same samples", {
  planted <- planted_values(8)
  fit <- planted_fit(planted)
  design <- data.frame(group = "a", batch = c("1", "2", "3"), n = 5)
  draw <- function(...) simulate(fit, design = design, seed = 2, ...)
  estimated <- draw()
  removed <- draw(batch_effect = "removed")
  batch <- attr(estimated, "batch")
  expect_identical(attr(removed, "batch"), batch)
  difference <- estimated - removed
  # the same effect for all samples of a batch
  expect_lt(max(abs(difference[batch == "1", ] - rep(difference[1, ], each = 5))), 1e-9)
  # for genes with large effects they are least squares, up to the shrinkage 1 - 1/F
  model <- lm(planted$x ~ group + batch, planted$rows)
  wanted <- coef(model)["batch2", ]
  got <- difference[batch == "2", ][1, ] - difference[batch == "1", ][1, ]
  F <- vapply(1:200, function(j) anova(lm(planted$x[, j] ~ group + batch, planted$rows))["batch", "F value"], 0)
  expect_equal(unname(got), unname(wanted * pmax(0, 1 - 1 / F)), tolerance = 1e-8)
  moved <- draw(batch_effect = "3")
  expect_equal(moved[batch == "3", ], estimated[batch == "3", ])
  expect_equal(moved[1, ] - removed[1, ], difference[batch == "3", ][1, ], tolerance = 1e-8)
  expect_error(draw(batch_effect = "4"), "`batch_effect` must be \"estimated\", \"removed\" or one of the batches")
})

test_that("genes without effects of batches keep their values, and the variance is that of a class", {
  set.seed(3)
  x <- matrix(rnorm(24 * 2000), 24)
  fit <- synthesise(x, batch = rep(1:8, 3), quiet = TRUE)
  effects <- fit$latent$batches
  # F of 7 and 16 degrees of freedom is below 1 for about half of the genes
  expect_equal(mean(colSums(effects^2) == 0), pf(1, 7, 16), tolerance = 0.1)
  new <- simulate(fit, 600, seed = 1, batch_effect = "removed")
  # what is left of the effects by chance is in the rests; the mean of 2000 genes is told to 0.01
  expect_equal(mean(apply(new, 2, var)), 1, tolerance = 0.05)
  expect_setequal(attr(simulate(fit, 600, seed = 1), "batch"), 1:8)
})

# Counts with planted factors of classes and batches; the cell (b, 2) has no sample.
planted_counts <- function(n = 40, p = 200, seed = 5) {
  set.seed(seed)
  rows <- data.frame(group = rep(c("a", "a", "b", "b"), each = n), batch = rep(c("1", "2", "1", "3"), each = n))
  rate <- exp(rnorm(p, 3))
  class <- rbind(a = rep(1, p), b = exp(rnorm(p, sd = 0.5)))
  batch <- rbind("1" = rep(1, p), "2" = exp(rnorm(p, sd = 0.5)), "3" = exp(rnorm(p, sd = 0.5)))
  share <- function(group, batch_of) {
    mean <- rate * class[group, ] * batch[batch_of, ]
    mean / sum(mean)
  }
  mu <- t(mapply(share, rows$group, rows$batch)) * 5000 * exp(rnorm(nrow(rows), sd = 0.2))
  list(x = matrix(rnbinom(length(mu), mu = mu, size = 10), nrow(mu)), rows = rows, share = share)
}

test_that("counts of an unobserved cell have the planted means", {
  planted <- planted_counts()
  fit <- planted_fit(planted)
  new <- simulate(fit, design = data.frame(group = "b", batch = c("2", "1"), n = 1000), seed = 1, library_size = 5000)
  expect_type(new, "integer")
  for (batch in c("1", "2")) {
    found <- colMeans(new[attr(new, "batch") == batch, ])
    wanted <- 5000 * planted$share("b", batch)
    # the logarithm of a mean of 40 counts has a standard error of about sqrt((0.1 + 1/30)/40) = 0.06, that of the
    # product of three such means 0.10; counts below 20 are left out
    expect_lt(rms((log(found) - log(wanted))[wanted > 20]), 0.14)
  }
  plain <- simulate(fit, 500, seed = 1, batch_effect = "removed", library_size = 5000)
  expect_equal(mean(rowSums(plain)), 5000, tolerance = 0.03)
})

test_that("stated effects are found again: values are shifted, means of counts multiplied", {
  planted <- planted_values()
  fit <- planted_fit(planted)
  effect <- data.frame(gene = c("gene3", "gene5"), log_fold_change = c(1, -0.5), group = "b")
  design <- data.frame(group = c("a", "b"), batch = "1", n = 50)
  plain <- simulate(fit, design = design, seed = 1)
  new <- simulate(fit, design = design, seed = 1, effect = effect)
  shift <- new - plain
  expect_equal(unname(shift[51:100, c("gene3", "gene5")]), cbind(rep(1, 50), -0.5), tolerance = 1e-10)
  shift[51:100, c("gene3", "gene5")] <- 0
  expect_true(all(shift == 0))
  expect_identical(attr(new, "effect")$log_fold_change.b[c(1, 3, 5)], c(0, 1, -0.5))
  # in a table without negative values the shift is the stated one as far as 0
  positive <- synthesise(planted$x + 10, quiet = TRUE)
  effect <- data.frame(gene = 1:2, log_fold_change = c(-2, -50))
  shift <- simulate(positive, 50, seed = 1, effect = effect) - simulate(positive, 50, seed = 1, balanced = FALSE)
  expect_equal(unname(shift[, 1]), rep(-2, 50), tolerance = 1e-10)
  expect_true(all(simulate(positive, 50, seed = 1, effect = effect)[, 2] == 0))

  # groups of one's own, from a fit without classes
  counts <- planted_counts()$x[1:40, ]
  fit <- synthesise(counts, quiet = TRUE)
  effect <- data.frame(gene = 1:20, log_fold_change = rep(c(1, -1), 10), group = "treated")
  new <- simulate(fit, design = data.frame(group = c("control", "treated"), n = 2000), seed = 1, library_size = 5000,
                  effect = effect)
  expect_identical(attr(new, "group"), rep(c("control", "treated"), each = 2000))
  found <- log2(colMeans(new[2001:4000, ]) / colMeans(new[1:2000, ]))
  # one mean of 2000 negative binomial counts has a relative error of at most sqrt(0.15 + 1/3)/sqrt(2000) = 0.016 for
  # means above 3, a log2 ratio 0.032: five standard errors
  high <- colMeans(counts) > 3
  expect_lt(max(abs(found - c(effect$log_fold_change, rep(0, 180)))[high]), 5 * 0.032)
})

test_that("designs and truths come back in experiments", {
  skip_if_not_installed("SummarizedExperiment")
  planted <- planted_counts(10)
  data <- S4Vectors::DataFrame(arm = planted$rows$group, plate = factor(planted$rows$batch))
  counts <- t(planted$x)
  rownames(counts) <- paste0("gene", seq_len(nrow(counts)))
  experiment <- SummarizedExperiment::SummarizedExperiment(list(counts = counts), colData = data)
  fit <- synthesise(experiment, group = "arm", batch = "plate", quiet = TRUE)
  new <- simulate(fit, seed = 1, design = data.frame(group = c("b", "a"), batch = c("2", "3"), n = c(2, 3)),
                  effect = data.frame(gene = "gene7", log_fold_change = 2, group = "b"))
  expect_true(methods::validObject(new))
  found <- SummarizedExperiment::colData(new)
  expect_identical(found$arm, c("b", "b", "a", "a", "a"))
  expect_identical(found$plate, factor(c(2, 2, 3, 3, 3), levels = 1:3))
  expect_identical(SummarizedExperiment::rowData(new)$log_fold_change.b, replace(numeric(200), 7, 2))
  expect_identical(S4Vectors::metadata(new)$particleflow$batch_effect, "estimated")
  # the same as from a data frame with columns of classes and batches
  frame <- data.frame(t(counts), arm = planted$rows$group, plate = planted$rows$batch)
  rows <- simulate(synthesise(frame, group = "arm", batch = "plate", quiet = TRUE), seed = 1,
                   design = data.frame(group = c("b", "a"), batch = c("2", "3"), n = c(2, 3)))
  expect_identical(rows$arm, c("b", "b", "a", "a", "a"))
  expect_identical(attr(rows, "batch"), c("2", "2", "3", "3", "3"))
  other <- setdiff(rownames(counts), "gene7")
  expect_equal(t(as.matrix(rows[other])), SummarizedExperiment::assay(new)[other, ], ignore_attr = TRUE)
})

test_that("designs that cannot be are refused in a sentence", {
  planted <- planted_values(5, 60)
  fit <- planted_fit(planted)
  draw <- function(...) simulate(fit, ..., seed = 1)
  cell <- data.frame(group = "a", batch = "1")
  expect_error(draw(3, design = cell), "`nsim` and `design` both say")
  expect_error(draw(design = data.frame(batch = "1")), "`design` needs a column `group`")
  expect_error(draw(design = data.frame(group = "c")), "Column `group` of `design` has \"c\"")
  expect_error(draw(design = data.frame(group = "a", batch = 9)), "Column `batch` of `design` has \"9\"")
  expect_error(draw(design = cbind(cell, dose = 1)), "`design` has the columns `group`, `batch` and `n`")
  expect_error(draw(design = cell, effect = data.frame(gene = "x", log_fold_change = 1)), "names the gene x, which")
  expect_error(draw(design = cell, effect = data.frame(gene = 1, log_fold_change = NA)), "must hold finite numbers")
  expect_error(draw(design = cell, effect = data.frame(gene = 1, log_fold_change = 1, group = "b")),
               "of which there is no new sample")
  expect_error(draw(design = cell, effect = data.frame(gene = c(1, 1), log_fold_change = 1)), "has a gene twice")
  plain <- synthesise(planted$x, quiet = TRUE)
  expect_error(simulate(plain, design = cell), "the fit has no batches")
  expect_error(simulate(plain, 2, batch_effect = "removed"), "belongs to a fit with batches")
  expect_error(synthesise(planted$x, group = planted$rows$batch, batch = planted$rows$batch, quiet = TRUE),
               "`batch` and `group` are confounded")
  expect_error(synthesise(planted$x, batch = rep(1, 25), quiet = TRUE), "at least two different values")
  expect_error(synthesise(planted$x[1:2, ], batch = 1:2, quiet = TRUE), "too few for the effects of 1 class and 2")
  expect_error(synthesise(iris, batch = "Species"), "belong to expression tables")
})

test_that("designs and effects that can be read in two ways are refused", {
  planted <- planted_values(5, 60)
  colnames(planted$x)[2] <- "gene1"
  fit <- planted_fit(planted)
  draw <- function(effect) simulate(fit, 2, seed = 1, effect = effect)
  stated <- function(...) data.frame(..., log_fold_change = 1)
  expect_error(draw(stated(gene = "gene1")), "the gene gene1, but several columns have this name")
  expect_identical(attr(draw(stated(gene = 2)), "effect")$log_fold_change, replace(numeric(60), 2, 1))
  expect_error(draw(stated(gene = TRUE)), "`gene` of `effect` must hold names or numbers of columns")
  expect_error(draw(stated(gene = c("gene3", NA))), "`gene` of `effect` must not contain NA \\(row 2\\)")
  expect_error(draw(stated(gene = I(list(1)))), "Column `gene` of `effect` must be a vector")
  expect_error(draw(data.frame(gene = 1:2, log_fold_change = I(diag(2)))), "Column `log_fold_change` of `effect` must")
  expect_error(draw(cbind(stated(gene = 3), gene = 4)), "`effect` has the column `gene` twice")
  cell <- data.frame(group = "a", batch = "1")
  design <- function(design) simulate(fit, design = design, seed = 1)
  expect_error(design(cbind(cell, group = "b")), "`design` has the column `group` twice")
  expect_error(design(data.frame(group = I(list("a")))), "Column `group` of `design` must be a vector")
  expect_error(design(cbind(cell[rep(1, 1000), ], n = 2e9)), "`sum\\(design\\$n\\)` = 2000000000000 rows")
  # no samples, with the columns that there are with samples
  none <- simulate(fit, 0, seed = 1, effect = data.frame(gene = 3, log_fold_change = 1, group = "b"))
  expect_identical(dim(none), c(0L, 60L))
})

test_that("columns of an experiment are not overwritten by library sizes and truths", {
  skip_if_not_installed("SummarizedExperiment")
  planted <- planted_counts(10)
  experiment <- SummarizedExperiment::SummarizedExperiment(
    list(counts = t(planted$x)), colData = S4Vectors::DataFrame(library_size = planted$rows$group),
    rowData = S4Vectors::DataFrame(log_fold_change = rep("mine", 200))
  )
  fit <- synthesise(experiment, group = "library_size", quiet = TRUE)
  new <- simulate(fit, 4, seed = 1, effect = data.frame(gene = 7, log_fold_change = 2))
  expect_identical(SummarizedExperiment::colData(new)$library_size, c("a", "a", "b", "b"))
  expect_identical(SummarizedExperiment::colData(new)$library_size.1,
                   unname(colSums(SummarizedExperiment::assay(new))))
  expect_identical(SummarizedExperiment::rowData(new)$log_fold_change, rep("mine", 200))
  expect_identical(SummarizedExperiment::rowData(new)$log_fold_change.1, replace(numeric(200), 7, 2))
  # samples of a fit of these say which fit they come from, not which one their table came from
  again <- simulate(synthesise(simulate(fit, 30, seed = 1), quiet = TRUE), 2, seed = 7)
  expect_identical(S4Vectors::metadata(again)$particleflow[c("fitted_to", "seed")], list(fitted_to = 30L, seed = 7))
})
