test_that("characteristic functions lead from the normal to the uniform law by the distribution function", {
  set.seed(1)
  fit <- pushforward(matrix(ppoints(1000)), frequencies = 2 * pi * 1:10, pin = list(0, 0.5), bounds = c(0, 1),
                     n_steps = 600)
  z <- seq(-3, 3, length.out = 301)
  phi <- predict(fit, matrix(z))[, 1]
  expect_lt(max(abs(phi - pnorm(z))), tolerance$pushforward)
  expect_true(all(diff(phi) > 0))
  expect_equal(predict(fit, matrix(0))[1, 1], 0.5, tolerance = tolerance$closed_form)
})

test_that("every statistic brings the law of the draws to that of the data", {
  set.seed(2)
  data <- cbind(a = rexp(800), b = rnorm(800))
  data[, "b"] <- data[, "b"] + data[, "a"]^2 / 4
  for (statistic in c("characteristic", "mmd", "energy")) {
    set.seed(1)
    start <- pushforward(data, statistic, n_steps = 0)
    fit <- pushforward(data, statistic, n_steps = 400)
    x <- simulate(fit, 800, seed = 3)
    expect_identical(colnames(x), c("a", "b"))
    expect_lt(energy_distance(x, data), energy_distance(simulate(start, 800, seed = 3), data) / 3)
  }
})

test_that("bounds are kept, pins are met, data frames come back", {
  set.seed(1)
  x <- data.frame(u = runif(100), v = runif(100))
  fit <- pushforward(x, "energy", bounds = c(0, 1), pin = list(c(0, 0), c(0.2, 0.7)), n_steps = 30)
  new <- simulate(fit, 500, seed = 1)
  expect_s3_class(new, "data.frame")
  expect_true(all(new > 0 & new < 1))
  expect_equal(unlist(predict(fit, matrix(0, 1, 2))), c(u = 0.2, v = 0.7), tolerance = tolerance$closed_form)
  # more base dimensions than columns, and fewer
  expect_identical(dim(simulate(pushforward(x, "energy", base_dim = 5, n_steps = 5), 4)), c(4L, 2L))
  expect_identical(dim(simulate(pushforward(x, "mmd", base_dim = 1, n_steps = 5), 4)), c(4L, 2L))
})

test_that("arguments of pushforward are checked", {
  x <- matrix(runif(20))
  expect_error(pushforward(x, "moments"), "`statistic` must be one of")
  expect_error(pushforward(x, "energy", frequencies = 1:3), "`frequencies` belong")
  expect_error(pushforward(x, "energy", bandwidth = 1), "`bandwidth` belongs")
  expect_error(pushforward(x, "mmd", bandwidth = -1), "`bandwidth` must be positive")
  expect_error(pushforward(x, pin = 1), "`pin` must be list")
  expect_error(pushforward(x, pin = list(c(0, 0), 1)), "1 and 1 finite numbers")
  expect_error(pushforward(x, bounds = c(1, 0)), "the lower below the upper")
  expect_error(pushforward(x, bounds = c(0.4, 0.6)), "outside of `bounds`")
  expect_error(pushforward(cbind(x, x), frequencies = matrix(1, 2, 3)), "3 columns; 2 are wanted")
})

test_that("frequencies, pin and bounds are matched to the columns by name", {
  set.seed(1)
  x <- cbind(a = runif(40), b = runif(40, 10, 12))
  bounds <- cbind(a = c(0, 1), b = c(10, 12))
  frequencies <- cbind(a = c(1, 2, 0), b = c(0, 1, 3))
  pin <- list(c(0, 0), c(a = 0.5, b = 11))
  train <- function(bounds, frequencies, pin) {
    set.seed(2)
    pushforward(x, frequencies = frequencies, pin = pin, bounds = bounds, n_steps = 3, batch = 8)
  }
  right <- predict(train(bounds, frequencies, pin), diag(2))
  expect_identical(predict(train(unname(bounds), unname(frequencies), lapply(pin, unname)), diag(2)), right)
  turned <- list(x = c(b = 11, a = 0.5), z = c(0, 0))
  expect_identical(predict(train(as.data.frame(bounds[, 2:1]), frequencies[, 2:1], turned), diag(2)), right)
  expect_error(pushforward(x, bounds = cbind(a = 0:1, c = 10:11)),
               "`bounds` lacks the column \"b\" and has the unknown column \"c\"", fixed = TRUE)
  expect_error(pushforward(x, frequencies = cbind(a = 1, c = 1)), "`frequencies` lacks the column \"b\"", fixed = TRUE)
  expect_error(pushforward(x, pin = list(c(0, 0), c(a = 0.5, c = 1))), "`pin$x` lacks the column \"b\"", fixed = TRUE)
})
