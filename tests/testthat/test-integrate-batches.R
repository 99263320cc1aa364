# Three laboratories and two runs, each with a shift of its own; 8 samples per combination, one in ("c", "2").
crossed <- function(seed = 1, p = 60) {
  set.seed(seed)
  about <- expand.grid(row = 1:8, lab = c("a", "b", "c"), run = c("1", "2"), stringsAsFactors = FALSE)
  about <- about[-(41:47), c("lab", "run")]
  row.names(about) <- NULL
  shift <- list(a = 0, b = 2 * rnorm(p), c = 2 * rnorm(p), `1` = 0, `2` = 2 * rnorm(p))
  truth <- matrix(rnorm(nrow(about) * p), ncol = p)
  off <- t(mapply(function(lab, run) rep(0, p) + shift[[lab]] + shift[[run]], about$lab, about$run))
  x <- unname(truth + off)
  colnames(x) <- paste0("g", seq_len(p))
  list(x = x, about = about, truth = truth)
}

test_that("several batch variables are removed together, also from a combination of one sample", {
  d <- crossed()
  fit <- integrate_data(d$x, d$about, c(lab = "a", run = "1"), n_steps = 0, seed = 1)
  expect_identical(fit$reference, "a / 1")
  expect_identical(names(fit$flows), c("a / 2", "b / 1", "b / 2", "c / 1", "c / 2"))
  own <- d$about$lab == "a" & d$about$run == "1"
  expect_identical(fit$data[own, ], d$x[own, ])
  error <- function(rows) mean((fit$data[rows, ] - d$truth[rows, ])^2)
  # the mean of 8 samples of variance 1 on both sides
  expect_lt(error(which(!own)[-sum(!own)]), 0.5)
  # the other combinations tell the shift of the single sample; alone it would keep an eighth of itself
  alone <- nrow(d$x)
  expect_identical(fit$flows$`c / 2`$status, "one sample")
  expect_lt(error(alone), 0.8)
  expect_gt(cor(fit$data[alone, ], d$truth[alone, ]), 0.6)
})

test_that("batch variables are given as columns, as a data frame, or in an experiment", {
  d <- crossed()
  run <- function(x, batch, reference, ...) integrate_data(x, batch, reference, n_steps = 0, compare = FALSE, ...)
  wanted <- run(d$x, d$about, list(run = 1, lab = "a"))
  frame <- data.frame(d$about, as.data.frame(d$x))
  found <- run(frame, c("lab", "run"), c("a", "1"))
  expect_identical(as.matrix(found$data[-(1:2)]), wanted$data, ignore_attr = TRUE)
  expect_identical(found$data[1:2], frame[1:2])
  expect_identical(run(d$x, d$about["lab"], "a")$data, run(d$x, d$about$lab, "a")$data)
  expect_equal(as.matrix(predict(found, frame[c(20, 41), ], c("lab", "run"))[-(1:2)]), wanted$data[c(20, 41), ],
               tolerance = tolerance$isometry, ignore_attr = TRUE)
  expect_equal(predict(wanted, d$x[20:22, ], d$about[20:22, ]), wanted$data[20:22, ], tolerance = tolerance$isometry)
  expect_equal(predict(wanted, d$x[20:22, ], c(lab = "c", run = "1")), wanted$data[20:22, ],
               tolerance = tolerance$isometry)
  skip_if_not_installed("SummarizedExperiment")
  se <- SummarizedExperiment::SummarizedExperiment(list(logcounts = t(d$x)), colData = d$about)
  moved <- run(se, c("lab", "run"), c("a", "1"))$data
  expect_identical(t(SummarizedExperiment::assay(moved)), wanted$data, ignore_attr = TRUE)
  expect_equal(t(SummarizedExperiment::assay(predict(found, se[, 20:22], c("lab", "run")))), wanted$data[20:22, ],
               tolerance = tolerance$isometry, ignore_attr = TRUE)
})

test_that("mistakes with several batch variables are told in one sentence", {
  d <- crossed()
  expect_error(integrate_data(d$x, d$about, "a"),
               "one value for each of the batch variables \"lab\", \"run\", not \"a\"")
  expect_error(integrate_data(d$x, d$about, c(lab = "z", run = "1")),
               "`reference` of \"lab\" must be one of \"a\", \"b\", \"c\", not \"z\"", fixed = TRUE)
  expect_error(integrate_data(d$x, d$about[-1, ], c("a", "1")), "one entry for each of the 41 samples")
  gap <- replace(d$about, cbind(3, 2), NA)
  expect_error(integrate_data(d$x, gap, c("a", "1")), "\"run\" must not contain NA (sample 3)", fixed = TRUE)
  seven <- d$about
  seven$run[seven$lab == "a"] <- "2"
  expect_error(integrate_data(d$x, seven, c("a", "1")), "No sample is of the `reference` \"a / 1\"", fixed = TRUE)
  fit <- integrate_data(d$x, d$about, c("a", "1"), n_steps = 0, compare = FALSE)
  expect_error(predict(fit, d$x[1:2, ], "b"), "`batch` must give the batch variables \"lab\", \"run\"")
  expect_error(predict(fit, d$x[1:2, ], c(lab = "b", run = "3")), "samples of \"b / 3\", which the fit does not know")
})
