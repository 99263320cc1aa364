# n samples of p genes, negative binomial.
draw_counts <- function(size, rate, dispersion) {
  n <- length(size)
  matrix(as.integer(rnbinom(n * length(rate), mu = outer(size, rate), size = rep(1 / dispersion, each = n))), n)
}

count_batches <- function(seed, n = 40, p = 400) {
  set.seed(seed)
  rate <- exp(rnorm(p, log(20), 1.5))
  dispersion <- exp(rnorm(p, log(0.1), 0.5))
  shift <- rnorm(p, sd = 0.5)
  a <- draw_counts(exp(rnorm(n, 0, 0.3)), rate, dispersion)
  b <- draw_counts(2 * exp(rnorm(n, 0, 0.3)), rate * exp(shift), 2 * dispersion)
  # what batch "b" would have been in the laboratory of batch "a"
  truth <- draw_counts(rowSums(b) / sum(rate), rate, dispersion)
  x <- rbind(a, b)
  dimnames(x) <- list(paste0("s", seq_len(2 * n)), paste0("g", seq_len(p)))
  list(x = x, batch = rep(c("a", "b"), each = n), truth = truth, rate = rate, dispersion = dispersion)
}

logs <- function(x) log_counts(x, rowSums(x))

test_that("dispersions and rates are those of the law", {
  d <- count_batches(1)
  a <- d$x[d$batch == "a", ]
  law <- count_law(a, rowSums(a))
  # a single dispersion of 40 samples has a standard error of about 0.3 of itself, more for few counts
  expect_lt(abs(mean(log(law$dispersion / d$dispersion))), 0.08)
  expect_lt(sd(log(law$dispersion / d$dispersion)), 0.4)
  expect_equal(law$rate / sum(law$rate), d$rate / sum(d$rate), tolerance = 0.1, ignore_attr = TRUE)
  poisson <- matrix(rpois(40 * 300, 30), 40)
  expect_lt(stats::median(dispersions(poisson, rep(1, 40), rep(30, 300))), 0.01)
})

test_that("moved counts have the law of the reference at their own library sizes", {
  d <- count_batches(2)
  own <- d$batch == "b"
  fit <- integrate_data(d$x, d$batch, "a", n_steps = 0, seed = 1, compare = FALSE)
  expect_true(fit$counts)
  expect_identical(fit$data[!own, ], d$x[!own, ])
  expect_identical(dimnames(fit$data), dimnames(d$x))
  expect_type(fit$data, "integer")
  moved <- fit$data[own, ]
  expect_gte(min(moved), 0L)
  expect_equal(rowSums(moved), rowSums(d$x[own, ]), tolerance = 0.1)
  off <- function(x) sqrt(mean((colMeans(logs(x)) - colMeans(logs(d$truth)))^2))
  # two samples of 40 with a standard deviation of about 0.5 on the scale of log2 differ by 0.11 to 0.2
  expect_lt(off(moved), 0.3)
  expect_gt(off(d$x[own, ]), 0.6)
  spread <- function(x) log(apply(logs(x), 2, sd) / apply(logs(d$truth), 2, sd))
  expect_lt(abs(mean(spread(moved))), 0.05)
  expect_gt(mean(spread(d$x[own, ])), 0.15)
  rare <- colMeans(d$truth) < 5
  expect_lt(abs(mean(moved[, rare] == 0) - mean(d$truth[, rare] == 0)), 0.02)
  expect_output(print(fit), "counts: moved on the logarithmic scale")
})

test_that("a law that is the same on both sides leaves counts where they are", {
  set.seed(3)
  counts <- draw_counts(rep(1, 30), c(0.5, 3, 200), c(0.1, 0.2, 0.3))
  law <- list(rate = c(0.5, 3, 200), dispersion = c(0.1, 0.2, 0.3))
  same <- function(x) map_counts(x, rep(1, 30), list(from = law, to = law), x * 0, draw_places(x))
  expect_identical(same(counts), counts + 0)
  counts[1, ] <- c(10L, 500L, 1e6L) # far in the tail
  expect_identical(same(counts), counts + 0)
  # twice the rate without dispersion: quantiles of Poisson laws
  twice <- list(rate = 2 * law$rate, dispersion = numeric(3))
  once <- list(rate = law$rate, dispersion = numeric(3))
  many <- matrix(rpois(6000, rep(law$rate, each = 2000)), 2000)
  new <- map_counts(many, rep(1, 2000), list(from = once, to = twice), many * 0, draw_places(many))
  expect_equal(colMeans(new), 2 * law$rate, tolerance = 0.06)
  expect_equal(apply(new, 2, var), 2 * law$rate, tolerance = 0.1)
})

test_that("genes that are zero in a batch, constant or seen once do no harm", {
  d <- count_batches(4, n = 12, p = 40)
  own <- d$batch == "b"
  d$x[own, 1] <- 0L
  d$x[!own, 2] <- 0L
  d$x[, 3] <- 0L
  d$x[, 4] <- 0L
  d$x[5, 4] <- 1L
  d$x[, 5] <- 7L
  label <- rep(c("u", "v"), 12)
  for (given in list(NULL, label)) {
    fit <- integrate_data(d$x, d$batch, "a", given, n_steps = 3, seed = 1)
    expect_identical(fit$data[, 1:5], d$x[, 1:5])
    expect_false(anyNA(fit$data))
    expect_true(all(is.finite(fit$report$w2_full_after)))
  }
  expect_error(integrate_data(rbind(d$x[, -5], 0L), c(d$batch, "b"), "a"),
               "samples without a count (sample 25)", fixed = TRUE)
  expect_error(integrate_data(d$x, d$batch, "a", lower = 0), "`lower` is not for counts")
  expect_error(integrate_data(d$x - 1L, d$batch, "a", counts = TRUE), "`counts` is TRUE, but `x` has negative values")
  expect_false(integrate_data(d$x, d$batch, "a", counts = FALSE, n_steps = 0, compare = FALSE)$counts)
  d$batch[24] <- "c"
  expect_identical(integrate_data(d$x, d$batch, "a", n_steps = 0, seed = 1, compare = FALSE)$flows$c$status,
                   "one sample")
})

test_that("integrate_data() and synthesise() take the same whole numbers as counts", {
  set.seed(1)
  lab <- rep(c("a", "b"), each = 20)
  scores <- matrix(sample.int(9, 40 * 60, TRUE), 40) # such as marks from 1 to 9
  rare <- matrix(rpois(40 * 60, 0.4), 40)
  deep <- matrix(rpois(40 * 60, 60), 40)
  for (x in list(scores, rare, deep)) {
    moved <- integrate_data(x, lab, "a", n_steps = 0, compare = FALSE)$counts
    expect_identical(moved, synthesise(x, quiet = TRUE)$counts)
    expect_identical(moved, !identical(x, scores))
  }
})

test_that("later counts are moved as the counts of their batch", {
  d <- count_batches(5)
  own <- which(d$batch == "b")
  fit <- integrate_data(d$x[-own[1:20], ], d$batch[-own[1:20]], "a", n_steps = 20, seed = 1, compare = FALSE)
  later <- predict(fit, d$x[own[1:20], ], "b")
  expect_type(later, "integer")
  off <- function(x) sqrt(mean((colMeans(logs(x)) - colMeans(logs(d$truth)))^2))
  expect_lt(off(later), 0.65 * off(d$x[own[1:20], ]))
})

test_that("counts come back in their class", {
  skip_if_not_installed("SummarizedExperiment")
  skip_if_not_installed("Matrix")
  d <- count_batches(6, n = 10, p = 30)
  sparse <- methods::as(t(d$x) + 0, "CsparseMatrix")
  se <- SummarizedExperiment::SummarizedExperiment(list(counts = sparse), colData = data.frame(lab = d$batch))
  fit <- integrate_data(se, "lab", "a", n_steps = 2, seed = 1, compare = FALSE)
  found <- SummarizedExperiment::assay(fit$data, "counts")
  expect_s4_class(found, "dgCMatrix")
  expect_true(methods::validObject(fit$data))
  plain <- integrate_data(d$x, d$batch, "a", n_steps = 2, seed = 1, compare = FALSE)$data
  expect_identical(as.matrix(found), t(plain) + 0)
})

test_that("counts beyond 2^31 are mapped to the right size, and integers stay integers only where they fit", {
  set.seed(7)
  own <- matrix(rpois(20 * 3, 1e6), 20)
  laws <- list(from = list(rate = rep(1, 3), dispersion = rep(0.01, 3)),
               to = list(rate = rep(1e4, 3), dispersion = rep(0.01, 3)))
  moved <- particleflow:::map_counts(own, rep(1e6, 20), laws, matrix(0, 20, 3), matrix(0.5, 20, 3))
  # the same place in a law of the same dispersion and 10000 times the mean
  expect_equal(moved / own, matrix(1e4, 20, 3), tolerance = 1e-3)
  expect_type(particleflow:::keep_integer(moved, matrix(1L)), "double")
  expect_type(particleflow:::keep_integer(own, matrix(1L)), "integer")
})
