# Means and standard deviations of the draws against the truth, in its standard deviations. 2000 draws: the errors are
# 0.022 and 1.6 per cent, so that six of them are a false alarm in 1e8.
expect_draws <- function(fit, mean, sd) {
  draws <- unname(fit$draws)
  expect_lt(max(abs(colMeans(draws) - mean) / sd), 0.14)
  expect_lt(max(abs(apply(draws, 2, stats::sd) / sd - 1)), 0.1)
}

normal <- function(mean, sd) {
  list(log_density = function(x) -colSums(((t(x) - mean) / sd)^2) / 2,
       gradient = function(x) -unname(t((t(x) - mean) / sd^2)))
}

run <- function(density, ..., seed = 1) {
  set.seed(seed)
  wgf(density$log_density, density$gradient, ..., n = 500, n_steps = 40, progress = FALSE)
}

test_that("normal laws of any scale, far away and correlated, come out right", {
  scales <- c(1e-3, 1, 1e3)
  fit <- run(normal(0, scales), dim = 3)
  expect_draws(fit, 0, scales)
  expect_identical(fit$verdict, "no sign against it")
  expect_lt(abs(fit$diagnostics$log_z - 1.5 * log(2 * pi)), 0.1)
  expect_draws(run(normal(rep(1000, 3), 1), dim = 3), 1000, 1)
  covariance <- matrix(0.99, 10, 10) + diag(0.01, 10)
  inverse <- solve(covariance)
  tight <- list(log_density = function(x) -rowSums((x %*% inverse) * x) / 2, gradient = function(x) -x %*% inverse)
  expect_draws(run(tight, dim = 10), 0, 1)
})

test_that("constraints hold, and results are on the user's scale", {
  positive <- list(log_density = function(x) dgamma(x[, "shape"], 2, 3, log = TRUE) - x[, "mu"]^2 / 2,
                   gradient = function(x) cbind(1 / x[, 1] - 3, -x[, 2]))
  fit <- run(positive, dim = c("shape", "mu"), lower = c(shape = 0))
  expect_draws(fit, c(2 / 3, 0), c(sqrt(2) / 3, 1))
  expect_true(all(fit$particles[, "shape"] > 0) && all(fit$trajectory$frames[, 1, ] > 0))
  x <- simulate(fit, 7, seed = 1)
  expect_identical(colnames(x), c("shape", "mu"))
  expect_identical(x, simulate(fit, 7, seed = 1))
  table <- summary(fit)$parameters
  expect_identical(table$parameter, c("shape", "mu"))
  expect_equal(table$mc_error, table$sd / sqrt(2000))
  expect_identical(tidy(fit), table)
  expect_identical(nrow(tidy(fit, type = "steps")), fit$diagnostics$steps + 1L)
  frame <- as.data.frame(fit)
  expect_identical(as.matrix(frame[c("shape", "mu")]), fit$draws, ignore_attr = TRUE)
  # the density of the free scale: that of the parameters times the derivative of exp()
  expect_equal(frame$log_density, positive$log_density(fit$draws) + log(fit$draws[, "shape"]), ignore_attr = TRUE)
  expect_named(as.data.frame(fit, type = "particles"), c("particle", "step", "time", "shape", "mu"))
  expect_error(as.data.frame(fit, type = "steps"), "`type`", class = "particleflow_input")
  # the same tables as those of temper()
  tempered <- temper(positive$log_density, positive$gradient, dim = c("shape", "mu"), lower = c(shape = 0), n = 80)
  expect_named(tidy(tempered), names(table))
  expect_named(as.data.frame(tempered), names(frame))
  expect_identical(tidy(tempered, type = "steps"), tempered$stages)
  # pictures are on the scale of the parameters
  picture <- particleflow:::wgf_picture(fit, "frames", NULL, NULL, 0, NULL, c("mu", "shape"), 10)
  expect_identical(picture$panels$ylab[1], "shape")
  ends <- picture$points[as.integer(picture$points$panel) == nlevels(picture$points$panel), ]
  expect_identical(ends$y, unname(fit$particles[, "shape"]))
  pairs <- particleflow:::wgf_picture(fit, "pairs", NULL, NULL, 0, NULL, NULL, 10)
  expect_identical(c(pairs$panels$xlab, pairs$panels$ylab), c("shape", "mu"))
  expect_error(plot(fit, "trace", parameters = 1), "`parameters` belongs to", class = "particleflow_input")
  expect_output(print(fit), "verdict: no sign against it")
  expect_output(print(summary(fit)), "Stein's identities")
  # the estimate of the log-density is one of the user's parameters
  at <- cbind(shape = c(0.5, 1), mu = c(0, 1))
  truth <- positive$log_density(at) - log(2 * pi) / 2
  expect_equal(predict(fit, at), truth, tolerance = 0.2)
  expect_equal(predict(fit, at, type = "log_ratio") + predict(fit, at) + fit$diagnostics$log_z,
               positive$log_density(at), tolerance = tolerance$kernel)
  expect_error(run(positive, dim = c("shape", "mu"), lower = c(shape = 0), method = "plain"),
               "`lower` belongs to `method = \"whitened\"`")
})

test_that("an edge that only -Inf tells is met by staying inside, and doubted", {
  inside <- function(x) rowSums(x < 0) == 0
  edge <- list(log_density = function(x) ifelse(inside(x), -rowSums(x), -Inf), gradient = function(x) -1 + 0 * x)
  fit <- run(edge, dim = 2)
  expect_true(all(fit$particles >= 0) && all(fit$draws >= 0))
  expect_match(fit$verdict, "^not to be trusted, because .*outside of the support")
})

test_that("two modes that nobody named are found with their masses", {
  two <- target_mixture(rbind(c(-3, -3, 0), c(3, 3, 0)), weights = c(0.2, 0.8))
  density <- list(log_density = function(x) predict(two, x), gradient = function(x) predict(two, x, "gradient"))
  fit <- run(density, dim = 3)
  expect_lt(abs(mean(fit$draws[, 1] < 0) - 0.2), 0.05)
  expect_identical(fit$verdict, "no sign against it")
})

test_that("wrong gradients and low bandwidths are named, and a bent density is right or doubted", {
  wrong <- list(log_density = function(x) -rowSums(x^2) / 2, gradient = function(x) cbind(-x[, 1], x[, 2]))
  expect_error(run(wrong, dim = c("a", "b")), "for parameter \"b\"")
  expect_warning(low <- run(normal(0, c(1, 1)), dim = 2, bandwidth = 0.05), "times the likely one")
  expect_match(low$verdict, "the bandwidth is")
  banana <- target_banana(2, 1)
  fit <- run(list(log_density = banana, gradient = NULL))
  sd <- apply(unname(fit$draws), 2, stats::sd)
  expect_true(fit$verdict != "no sign against it" || all(abs(sd / c(2, sqrt(33)) - 1) < 0.2))
})

test_that("threads and parts do not change a whitened run", {
  fit <- function(n_steps, threads) {
    set.seed(2)
    wgf(function(x) -rowSums(x^4), dim = 2, lower = c(-1, -Inf), n = 300, n_steps = n_steps, threads = threads,
        polish = 5)
  }
  whole <- fit(12, 1)
  expect_identical(fit(12, 2)$draws, whole$draws)
  again <- resume(fit(5, 1), 7)
  expect_identical(again$draws, whole$draws)
  expect_identical(again$trajectory$frames[, , 13], whole$trajectory$frames[, , 13])
  expect_identical(again$diagnostics$evaluations, whole$diagnostics$evaluations)
})

test_that("densities without a mode that can be found, and errors at the end, are told", {
  expect_error(wgf(function(x) -rowSums((x / 1e-12)^2) / 2, dim = 2, n = 50), "give a `start`",
               class = "particleflow_error")
  expect_error(wgf(function(x) 100 * rowSums(abs(x)), dim = 2, n = 50), class = "particleflow_error")
  normal <- function(x) -rowSums(x^2) / 2
  expect_error(wgf(function(x) normal(x) - mean(normal(x)), dim = 2, n = 50), "treat each row by itself")
  fails <- function(x) if (nrow(x) == 4 * 60) stop("boom") else normal(x)
  set.seed(1)
  e <- tryCatch(wgf(fails, dim = 2, n = 60, n_steps = 5), error = identity)
  expect_s3_class(e, "wgf_error")
  expect_identical(e$fit$diagnostics$steps, 5L)
})
