# Two batches of two labels, 12 genes on 3 factors; batch "b" is stretched and shifted.
two_batches <- function(n = 30, seed = 1) {
  set.seed(seed)
  loading <- matrix(rnorm(36), 3)
  draw <- function(label) {
    factors <- matrix(rnorm(3 * length(label)), ncol = 3)
    (factors + 2 * (label == "y")) %*% loading + rnorm(12 * length(label), sd = 0.3)
  }
  label <- rep(c("x", "y"), n)
  a <- draw(label)
  b <- sweep(draw(label) * 1.3, 2, 4 * rnorm(12), "+")
  x <- rbind(a, b)
  colnames(x) <- paste0("g", 1:12)
  list(x = x, batch = rep(c("a", "b"), each = 2 * n), label = rep(label, 2))
}

test_that("moved rows come as near as halves of the reference, and are no copies", {
  d <- two_batches()
  for (label in list(NULL, d$label)) {
    fit <- integrate_data(d$x, d$batch, "a", label, seed = 1)
    r <- fit$report
    expect_true(all(r$w2_latent_before > 1.5 * r$w2_latent_halves))
    expect_true(all(r$w2_latent_after <= 1.2 * r$w2_latent_halves))
    expect_true(all(r$novelty_after >= 0.8))
    expect_lt(fit$scores$after[1], fit$scores$before[1])
  }
  # labels stay apart
  expect_gt(fit$scores$after[2], 0.9 * fit$scores$before[2])
})

test_that("run to the end the rows are copies, which the report shows", {
  d <- two_batches(12)
  own <- d$label == "x"
  far <- integrate_data(d$x[own, ], d$batch[own], "a", target = 0, floor = 0, n_steps = 1500, seed = 1)
  near <- integrate_data(d$x[own, ], d$batch[own], "a", seed = 1)
  expect_identical(far$report$stopped_by, "all steps done")
  expect_lt(far$report$novelty_after, 0.5)
  expect_lt(far$report$w2_latent_after, near$report$w2_latent_after)
  expect_gt(near$report$novelty_after, 0.8)
})

test_that("novelty never falls below the floor where it began above it", {
  d <- two_batches(12)
  fit <- integrate_data(d$x, d$batch, "a", adjust = "mean", target = 0, floor = 0.9, n_steps = 500, check = 25,
                        seed = 1)
  expect_identical(fit$report$stopped_by, "novelty")
  expect_gte(fit$report$novelty_after, 0.9)
  expect_gte(min(fit$flows$b$trace$novelty), 0.9)
})

test_that("the reference stays as it is and the form is kept", {
  d <- two_batches(10)
  own <- d$batch == "a"
  fit <- integrate_data(d$x, d$batch, "a", seed = 1, n_steps = 30, compare = FALSE)
  expect_identical(fit$data[own, ], d$x[own, ])
  expect_identical(dimnames(fit$data), dimnames(d$x))
  expect_true(all(fit$data[!own, ] != d$x[!own, ]))
  # a data frame with batch and label among its columns, a constant and a whole number
  frame <- data.frame(lab = d$batch, as.data.frame(d$x), same = 7, kind = factor(d$label), count = rpois(40, 20))
  moved <- integrate_data(frame, "lab", "a", "kind", seed = 1, n_steps = 30, compare = FALSE)
  expect_identical(names(moved$data), names(frame))
  expect_identical(moved$data[c("lab", "same", "kind")], frame[c("lab", "same", "kind")])
  expect_identical(moved$data[own, ], frame[own, ])
  expect_identical(names(as.data.frame(moved)), c("batch", "label", names(frame)))
})

test_that("the same seed gives the same table, and the stream of random numbers is not touched", {
  d <- two_batches(10)
  set.seed(3)
  before <- .Random.seed
  one <- integrate_data(d$x, d$batch, "a", seed = 1, n_steps = 30)
  expect_identical(.Random.seed, before)
  two <- integrate_data(d$x, d$batch, "a", seed = 1, n_steps = 30, threads = 1)
  expect_identical(one$data, two$data)
  expect_identical(one$report, two$report)
})

test_that("predict() moves the rows of the fit where the fit has moved them", {
  d <- two_batches(10)
  for (residual in c("adjust", "keep", "drop")) {
    fit <- integrate_data(d$x, d$batch, "a", d$label, latent = latent_pca(4), residual = residual, target = 0,
                          floor = 0, n_steps = 30, seed = 1, compare = FALSE)
    expect_equal(predict(fit, d$x, d$batch, d$label), fit$data, tolerance = tolerance$isometry)
  }
  whole <- integrate_data(d$x, d$batch, "a", n_steps = 10, target = 0, floor = 0, seed = 1, compare = FALSE)
  expect_equal(predict(whole, d$x, d$batch), whole$data, tolerance = tolerance$isometry)
  # one by one, in another order of columns, by name
  expect_equal(predict(fit, d$x[25, 12:1, drop = FALSE], "b", d$label[25])[, colnames(d$x)], fit$data[25, ],
               tolerance = tolerance$isometry)
  frame <- data.frame(lab = d$batch, kind = d$label, as.data.frame(d$x))
  expect_equal(predict(fit, frame[21:23, ], "lab", "kind")[1:2, ], replace(frame[21:22, ], 3:14, fit$data[21:22, ]),
               tolerance = tolerance$isometry)
  expect_identical(nrow(predict(fit, d$x[0, ], character(), character())), 0L)
})

test_that("what is outside the latent space is adjusted, kept or dropped", {
  d <- two_batches(10)
  moved <- d$batch == "b"
  fits <- lapply(c(adjust = "adjust", keep = "keep", drop = "drop"), function(residual) {
    integrate_data(d$x, d$batch, "a", latent = latent_pca(3), residual = residual, adjust = "mean",
                   n_steps = 0, seed = 1)
  })
  outside <- function(x, fit) x - fit$latent$decode(fit$latent$encode(x))
  spread <- apply(d$x, 2, sd)
  largest <- max(abs(d$x))
  expect_lt(max(abs(outside(fits$drop$data[moved, ], fits$drop))), tolerance$isometry * largest)
  expect_equal(outside(fits$keep$data[moved, ], fits$keep), outside(d$x[moved, ], fits$keep),
               tolerance = tolerance$isometry)
  goal <- fits$adjust$flows$b$adjustment$to
  expect_equal(colMeans(outside(fits$adjust$data[moved, ], fits$adjust)), outside(t(goal), fits$adjust)[1, ],
               tolerance = tolerance$isometry, ignore_attr = TRUE)
  # with no step taken "adjust" is the adjustment of the mean, gene by gene
  expect_equal(colMeans(fits$adjust$data[moved, ]), goal, tolerance = tolerance$isometry, ignore_attr = TRUE)
  expect_equal(cov(fits$adjust$data[moved, ]), cov(d$x[moved, ]), tolerance = tolerance$isometry)
  # the bound of the help page, and the z-scored decoder is an isometry
  r <- fits$drop$report
  expect_lte(r$w2_full_after, r$w2_latent_after + r$residual_reference)
  z <- fits$drop$points$after[moved, ]
  expect_equal(as.vector(dist(scale(fits$drop$data[moved, ], FALSE, spread))), as.vector(dist(z)),
               tolerance = tolerance$isometry)
})

test_that("scores of the report agree with plain R", {
  d <- two_batches(8)
  fit <- integrate_data(d$x, d$batch, "a", d$label, n_steps = 5, seed = 1)
  skip_if_not_installed("cluster")
  for (side in c("before", "after")) {
    z <- fit$points[[side]]
    width <- function(class) mean(cluster::silhouette(as.integer(factor(class)), dist(z))[, "sil_width"])
    expect_equal(fit$scores[[side]], c(width(d$batch), width(d$label)), tolerance = tolerance$isometry)
  }
  z <- fit$points$after
  own <- as.matrix(dist(z))
  rows <- which(d$batch == "b" & d$label == "x")
  goal <- which(d$batch == "a" & d$label == "x")
  diag(own) <- Inf
  nearest <- function(from) median(apply(own[from, goal], 1, min))
  expect_equal(fit$report$novelty_after[1], nearest(rows) / nearest(goal), tolerance = tolerance$isometry)
})

test_that("a SummarizedExperiment comes back as one", {
  skip_if_not_installed("SummarizedExperiment")
  d <- two_batches(10)
  se <- SummarizedExperiment::SummarizedExperiment(
    list(counts = t(d$x) + 1, expression = t(d$x)), colData = data.frame(lab = d$batch, kind = d$label))
  fit <- integrate_data(se, "lab", "a", "kind", assay = "expression", n_steps = 20, seed = 1, compare = FALSE)
  plain <- integrate_data(d$x, d$batch, "a", d$label, n_steps = 20, seed = 1, compare = FALSE)
  expect_s4_class(fit$data, "SummarizedExperiment")
  expect_equal(t(SummarizedExperiment::assay(fit$data, "expression")), plain$data, ignore_attr = TRUE)
  expect_identical(SummarizedExperiment::assay(fit$data, "counts"), SummarizedExperiment::assay(se, "counts"))
  new <- predict(fit, se[, 21:24], "lab", "kind")
  expect_equal(SummarizedExperiment::assay(new, "expression"),
               SummarizedExperiment::assay(fit$data, "expression")[, 21:24],
               tolerance = tolerance$isometry)
  expect_identical(names(as.data.frame(fit))[1:3], c("batch", "label", "g1"))
})

test_that("of several assays the logarithmic one is moved, and print() names it", {
  skip_if_not_installed("SummarizedExperiment")
  d <- two_batches(10)
  counts <- matrix(rpois(480, 20), 12)
  about <- S4Vectors::DataFrame(`my run` = d$batch, kind = d$label, check.names = FALSE)
  make <- function(...) SummarizedExperiment::SummarizedExperiment(list(...), colData = about)
  run <- function(x, ...) integrate_data(x, "my run", "a", n_steps = 2, seed = 1, compare = FALSE, ...)
  moved <- integrate_data(unname(d$x), d$batch, "a", n_steps = 2, seed = 1, compare = FALSE)$data
  values <- function(x, assay) unname(t(as.matrix(SummarizedExperiment::assay(x, assay))))
  cases <- list(logcounts = make(counts = counts, logcounts = t(d$x)), vst = make(vst = t(d$x), counts = counts),
                lognorm = make(lognorm = t(d$x), tpm = t(d$x) + 1), scaled = make(counts = counts, scaled = t(d$x)))
  for (name in names(cases)) {
    fit <- run(cases[[name]])
    expect_identical(fit$assay, name)
    expect_identical(values(fit$data, name), moved)
    others <- setdiff(SummarizedExperiment::assayNames(fit$data), name)
    for (other in others) {
      expect_identical(SummarizedExperiment::assay(fit$data, other), SummarizedExperiment::assay(cases[[name]], other))
    }
    expect_output(print(fit), sprintf("assay \"%s\" was read, and holds the moved values", name))
    expect_identical(values(predict(fit, cases[[name]][, 1:3], "my run"), name), d$x[1:3, ], ignore_attr = TRUE)
  }
  expect_identical(values(predict(fit, cases[[name]][, 21:22], "b"), name),
                   values(predict(fit, cases[[name]][, 21:22], "my run"), name))
  expect_identical(run(make(t(d$x)))$assay, 1L)
  expect_identical(run(make(counts = counts))$assay, "counts")
  expect_identical(run(make(other = counts + 1L, counts = counts))$assay, "counts")
  expect_error(run(make(u = t(d$x), v = t(d$x))), "name one of \"u\", \"v\" in `assay`", fixed = TRUE)
  expect_error(run(make(u = t(d$x)), assay = "w"), "`assay` must be one of the assays of `x` (\"u\"), not \"w\"",
               fixed = TRUE)
  expect_error(integrate_data(make(u = t(d$x)), "run", "a"),
               "colData(x) has no such column; it has \"my run\", \"kind\"", fixed = TRUE)
})

test_that("tables of every class come back in their class, with the reference as it was", {
  d <- two_batches(10)
  own <- d$batch == "a"
  wanted <- integrate_data(d$x, d$batch, "a", n_steps = 2, seed = 1, compare = FALSE)$data
  check <- function(x, class) {
    fit <- integrate_data(x, d$batch, "a", n_steps = 2, seed = 1, compare = FALSE)
    expect_identical(class(fit$data)[1], class)
    found <- as.matrix(fit$data)
    expect_identical(unname(found), unname(wanted))
    expect_identical(unname(found[own, ]), unname(d$x[own, ]))
    new <- predict(fit, x[!own, ], "b")
    expect_equal(unname(as.matrix(new)), unname(wanted[!own, ]), tolerance = tolerance$isometry)
    expect_identical(dim(as.data.frame(fit)), c(40L, 13L))
  }
  check(d$x, "matrix")
  check(as.data.frame(d$x), "data.frame")
  skip_if_not_installed("Matrix")
  check(methods::as(d$x, "CsparseMatrix"), "dgCMatrix")
  check(Matrix::Matrix(d$x), "dgeMatrix")
  skip_if_not_installed("DelayedArray")
  check(DelayedArray::DelayedArray(d$x), "DelayedMatrix")
  check(S4Vectors::DataFrame(d$x), "DFrame")
  skip_if_not_installed("Biobase")
  rownames(d$x) <- paste0("s", 1:40)
  about <- data.frame(`my run` = d$batch, row.names = rownames(d$x), check.names = FALSE)
  set <- Biobase::ExpressionSet(t(d$x), Biobase::AnnotatedDataFrame(about))
  fit <- integrate_data(set, "my run", "a", n_steps = 2, seed = 1, compare = FALSE)
  expect_identical(unname(t(Biobase::exprs(fit$data))), unname(wanted))
  expect_equal(unname(t(Biobase::exprs(predict(fit, set[, 21:23], "my run")))), unname(wanted[21:23, ]),
               tolerance = tolerance$isometry)
  Biobase::exprs(set) <- round(abs(10 * t(d$x)))
  expect_true(integrate_data(set, "my run", "a", n_steps = 0, compare = FALSE)$counts)
})

test_that("genes x samples are noticed", {
  d <- two_batches(10)
  expect_error(integrate_data(t(d$x), d$batch, "a"), "`x` seems to be genes x samples; give t(x).", fixed = TRUE)
  expect_error(integrate_data(as.data.frame(t(d$x)), d$batch, "a"), "give t(x)", fixed = TRUE)
})

test_that("groups with too few samples are left as they are, and the rest is moved", {
  d <- two_batches(12)
  d$label[c(1, 25:27)] <- "rare" # one sample in the reference
  d$batch[48] <- "lonely"
  expect_warning(fit <- integrate_data(d$x, d$batch, "a", d$label, n_steps = 2, seed = 1),
                 '"b: rare" \\(1 sample in the reference "a"\\)')
  left <- d$batch == "a" | d$label == "rare"
  expect_identical(fit$data[left, ], d$x[left, ])
  expect_true(all(fit$data[!left, ] != d$x[!left, ]))
  expect_identical(names(fit$flows), c("b: x", "b: y", "lonely: y"))
  r <- fit$report
  expect_identical(r$label, c("x", "y", "y", "rare"))
  expect_identical(r$n[3:4], c(1L, 3L))
  expect_identical(r$stopped_by[3:4], c("one sample", "left as it is: 1 sample in the reference \"a\""))
  expect_true(is.na(r$w2_latent_after[4]))
  expect_output(print(fit), "left as it is: b: rare (1 sample in the reference \"a\")", fixed = TRUE)
  expect_output(print(fit), "one sample only, moved by a shrunk shift with a borrowed scale and without a flow: lonely")
  expect_output(print(summary(fit)), "left as it is: 1 sample")
  expect_warning(new <- predict(fit, d$x, d$batch, d$label), "Rows 25, 26, 27 are left as they are")
  expect_equal(new, fit$data, tolerance = tolerance$isometry)
  # reference rows that are all equal
  d <- two_batches(12)
  flat <- d$x
  flat[d$batch == "a" & d$label == "x", ] <- flat[rep(1, sum(d$batch == "a" & d$label == "x")), ]
  expect_warning(fit <- integrate_data(flat, d$batch, "a", d$label, n_steps = 2, seed = 1, compare = FALSE),
                 "of the reference are all equal")
  expect_identical(fit$data[d$label == "x", ], flat[d$label == "x", ])
})

test_that("no two groups are taken for one", {
  d <- two_batches(12)
  batch <- rep(c("r", "a", "a: b"), c(24, 12, 12))
  label <- c(rep(c("c", "b: c"), 12), rep("b: c", 12), rep("c", 12))
  fit <- integrate_data(d$x, batch, "r", label, n_steps = 2, seed = 1, compare = FALSE)
  expect_identical(names(fit$flows), c("\"a\": \"b: c\"", "\"a: b\": \"c\""))
  expect_identical(rowSums(fit$data != d$x) > 0, batch != "r")
  expect_equal(predict(fit, d$x, batch, label), fit$data, tolerance = tolerance$isometry)
})

test_that("batches and labels of every class are found, an empty string too", {
  d <- two_batches(10)
  run <- function(batch, reference, label = NULL) {
    integrate_data(d$x, batch, reference, label, n_steps = 2, seed = 1, compare = FALSE)
  }
  wanted <- run(d$batch, "a")$data
  before <- options(scipen = 0)
  on.exit(options(before))
  for (penalty in c(0, -10)) {
    options(scipen = penalty)
    for (pair in list(c(1e5, 2e5), c("", "b"), c("b", ""), c(0.1, 0.25), c(TRUE, FALSE),
                      list(as.Date("2020-01-01"), as.Date("2020-01-02")))) {
      batch <- do.call(c, lapply(pair, rep, 20))
      fit <- run(batch, pair[[1]])
      expect_identical(fit$data, wanted)
      expect_identical(as.data.frame(fit)$batch, batch)
      expect_equal(predict(fit, d$x[21:22, ], pair[[2]]), wanted[21:22, ], tolerance = tolerance$isometry)
    }
    expect_identical(run(rep(c(100000L, 200000L), each = 20), 1e5)$data, wanted)
    expect_identical(run(rep(c("1e+05", "2"), each = 20), 100000)$data, wanted)
    expect_error(run(rep(c(1e5, 2e5), each = 20), 3), "one of the batches \"100000\", \"200000\", not 3")
    expect_identical(run(d$batch, "a", ifelse(d$label == "x", "", "y"))$data, run(d$batch, "a", d$label)$data)
  }
})

test_that("`lower` holds moved values up, and leaves the reference alone", {
  d <- two_batches(10)
  free <- integrate_data(d$x, d$batch, "a", n_steps = 2, seed = 1, compare = FALSE)
  fit <- integrate_data(d$x, d$batch, "a", n_steps = 2, seed = 1, compare = FALSE, lower = -1)
  own <- d$batch == "a"
  expect_identical(fit$data[own, ], d$x[own, ])
  expect_lt(min(free$data[!own, ]), -1)
  expect_identical(fit$data[!own, ], pmax(free$data[!own, ], -1))
  expect_identical(fit$raised, sum(free$data[!own, ] < -1))
  expect_output(print(fit), sprintf("%d values of moved samples were below -1 (`lower`) and were set to it",
                                    fit$raised), fixed = TRUE)
  expect_equal(predict(fit, d$x, d$batch), fit$data, tolerance = tolerance$isometry)
  expect_error(integrate_data(d$x, d$batch, "a", lower = "zero"), "`lower` must be one finite number")
})

test_that("mistakes are told in one sentence", {
  d <- two_batches(6)
  expect_error(integrate_data(d$x, d$batch, "c"), '`reference` must be one of the batches "a", "b", not "c"',
               fixed = TRUE)
  expect_error(integrate_data(d$x, rep("a", 24), "a"), "nothing to move")
  expect_error(integrate_data(d$x, d$batch[-1], "a"), "`batch` must have one entry for each of the 24 samples")
  expect_error(integrate_data(d$x, replace(d$batch, 2, NA), "a"), "`batch` must not contain NA (sample 2)",
               fixed = TRUE)
  expect_error(integrate_data(replace(d$x, 3, NA), d$batch, "a"), "NA, NaN or infinite values")
  expect_error(integrate_data(data.frame(d$x, k = "u"), d$batch, "a"), 'column "k" is of class "character"')
  expect_error(integrate_data(as.data.frame(d$x), "lab", "a"), 'no such column')
  expect_error(integrate_data(d$x, rep(c("a", "b"), c(3, 21)), "a"), '"b" (3 samples in the reference "a")',
               fixed = TRUE)
  expect_error(integrate_data(d$x, rep(c("a", "b"), c(3, 21)), "a"), "At least 4 samples are needed in the reference")
  expect_error(integrate_data(d$x, d$batch, "a", widths = 3), "`widths` is no argument")
  expect_error(integrate_data(rbind(d$x[rep(1, 12), ], d$x[13:24, ]), d$batch, "a"),
               "12 rows of the reference are all equal")
  expect_error(integrate_data(matrix(1, 8, 2), rep(1:2, 4), 1), "no column that varies")
  expect_error(integrate_data(d$x, d$batch, "a", residual = "lose"), "`residual` must be one of")
  fit <- integrate_data(d$x, d$batch, "a", d$label, n_steps = 2, seed = 1, compare = FALSE)
  expect_error(predict(fit, d$x, d$batch), "`label` must be given")
  expect_error(predict(fit, d$x), "`batch` must give the batch of the new samples, such as \"b\".", fixed = TRUE)
  expect_error(predict(fit, batch = "b"), "`newdata` must give the new samples")
  expect_error(predict(fit, d$x, "b", "x", bach = 1), "predict() has no argument `bach`", fixed = TRUE)
  expect_error(integrate_data(d$x), "`batch` must give the batch of each sample")
  expect_error(integrate_data(d$x, d$batch), "`reference` must name the batch")
  expect_error(predict(fit, "a", "b", "x"),
               "`newdata` must be a numeric matrix or a data frame of numeric columns, not \"a\"")
  expect_error(predict(fit, d$x[1:2, ], "c", "x"), 'rows of "c: x", for which there is no flow', fixed = TRUE)
  expect_error(predict(fit, d$x[, 1:3], "b", "x"), "lacks|wanted")
  expect_error(plot(fit, axes = c(1, 99)), "`axes` must be two different latent axes")
})

test_that("print, summary and plots tell what was done", {
  d <- two_batches(12)
  fit <- integrate_data(d$x, d$batch, "a", d$label, n_steps = 20, seed = 1)
  expect_output(print(fit), "24 of 48 samples of 12 genes moved onto the 24 of batch \"a\", each of 2 labels by itself")
  expect_output(print(fit), "Do not test it for differences")
  expect_output(print(summary(fit)), "w2_full_before")
  picture <- integration_picture(fit, "points", "label", c(1, 2), NULL)
  expect_identical(nrow(picture$points), 96L)
  expect_equal(picture$points$x[49:96], fit$points$after[, 1])
  expect_equal(levels(picture$points$group), c("x", "y"))
  trace <- integration_picture(fit, "trace", "batch", c(1, 2), NULL)
  expect_identical(nrow(trace$curves), 2L * sum(vapply(fit$flows, function(f) nrow(f$trace), 0L)))
  pdf(NULL)
  on.exit(dev.off())
  expect_invisible(plot(fit))
  expect_invisible(plot(fit, type = "trace"))
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(fit, by = "label"), "ggplot")
})

test_that("print() says what was done where a flow took no step", {
  d <- two_batches(12)
  for (adjust in c("scale", "mean", "none")) {
    fit <- integrate_data(d$x, d$batch, "a", n_steps = 0, adjust = adjust)
    moved <- max(abs(fit$data[d$batch == "b", ] - d$x[d$batch == "b", ]))
    said <- c(scale = "changed by the adjustment of means and standard deviations only",
              mean = "changed by the adjustment of means only", none = "not changed")[[adjust]]
    expect_output(print(fit), sprintf("0 steps: the samples of b were %s.", said), fixed = TRUE)
    expect_identical(moved < 1e-10, adjust == "none") # rounding of the way through the latent space
  }
  fit <- integrate_data(d$x, d$batch, "a", n_steps = 2, target = 0, floor = 0, seed = 1)
  expect_no_match(format(fit), "0 steps")
})

test_that("the AUC of two samples with one mean is below that of independent samples", {
  # as ?summary.integration says
  set.seed(1)
  auc <- replicate(40, {
    x <- matrix(rnorm(120), 40)
    y <- matrix(rnorm(120), 40)
    c(c2st(x, y)$auc, c2st(x, sweep(y, 2, colMeans(y) - colMeans(x)))$auc)
  })
  lower <- auc[1, ] - auc[2, ]
  expect_gt(mean(lower), 3 * stats::sd(lower) / sqrt(40))
})
