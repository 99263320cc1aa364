test_that("the search is reproducible, draws nothing and finds what fits", {
  set.seed(1)
  x <- two_clusters(150, 2)
  state <- .Random.seed
  fit <- efs(x)
  expect_identical(.Random.seed, state)
  again <- efs(x, threads = 1)
  expect_identical(fit$diagnostics, again$diagnostics)
  expect_true(is.finite(fit$diagnostics$log_density))
  seen <- fit$calibration[[1]]$seen
  expect_true(any(!seen$flow) && any(seen$flow)) # the option without a flow is always a candidate
  expect_equal(max(seen$log_density) + fit$latent$log_volume(x), fit$diagnostics$log_density, tolerance = 0.05)
})

test_that("on held-out rows the default is no worse than the better smoothed bootstrap", {
  set.seed(2)
  draw <- function(n) {
    t <- runif(n, 1, 8)
    cbind(t * cos(t), t * sin(t)) / 4 + rnorm(2 * n, sd = 0.08)
  }
  x <- draw(300)
  fresh <- draw(2000)
  ours <- predict(efs(x), fresh, type = "log_density")
  global <- predict(smoothed_bootstrap(x), fresh, type = "log_density")
  local <- predict(smoothed_bootstrap(x, covariance = "local"), fresh, type = "log_density")
  better <- if (mean(global) > mean(local)) global else local
  difference <- ours - better
  expect_gt(mean(difference), -2 * sd(difference) / sqrt(length(difference)) - 0.02)
})

test_that("a stack chosen on thinned rows is weighed again with rows held out of all", {
  set.seed(4)
  t <- runif(1500, 1, 8)
  x <- cbind(t * cos(t), t * sin(t)) / 4 + rnorm(3000, sd = 0.08)
  x[1:500, ] <- rexp(1000)
  fit <- efs(x, time = 0)
  expect_length(fit$flows[[1]]$held_out, 300) # without a stack: 1200
  expect_identical(efs(x, time = 0, threads = 1)$diagnostics, fit$diagnostics)
  # their mean is what the fit promises for new rows; 0.15 is three standard errors of 300 rows
  t <- runif(1000, 1, 8)
  fresh <- rbind(cbind(t * cos(t), t * sin(t)) / 4 + rnorm(2000, sd = 0.08), matrix(rexp(1000), 500))
  expect_lt(abs(mean(predict(fit, fresh, type = "log_density")) - fit$diagnostics$log_density), 0.15)
})

test_that("what the user gives stays, and rules fill the gaps if nothing can be scored", {
  x <- two_clusters(60, 2)
  fit <- efs(x, s = 1, epsilon = 0.2, time = 0.3, law = "copula")
  expect_identical(fit$diagnostics[c("s", "epsilon", "time")], data.frame(s = 1, epsilon = 0.2, time = 0.3))
  expect_match(fit$diagnostics$law, "^copula")
  expect_identical(efs(x, time = 0)$diagnostics$steps, 0L)
  expect_gt(efs(x, n_steps = 3)$diagnostics$steps, 2)
  sphere <- efs(x, law = "sphere")
  expect_true(is.na(sphere$diagnostics$log_density))
  expect_equal(sphere$diagnostics$time, 1)
  expect_true(is.na(efs(x[1:15, ])$diagnostics$log_density))
})

test_that("rows of one block stay in one fold", {
  blocks <- rep(c("a", "b", "c", "d", "e", "f"), c(1, 9, 10, 10, 10, 20))
  folds <- particleflow:::make_folds(60, blocks, 3L)
  expect_identical(unname(lengths(lapply(split(folds, blocks), unique))), rep(1L, 6))
  expect_setequal(folds, 1:3)
  # repeated rows: in different folds they would reward a law that copies
  x <- two_clusters(40, 2)
  twice <- rbind(x, x + 1e-3)
  apart <- smoothed_bootstrap(twice)$diagnostics$log_density
  together <- smoothed_bootstrap(twice, blocks = rep(1:40, 2))$diagnostics$log_density
  expect_gt(apart, together)
  expect_error(efs(x, blocks = rep(1, 40)), "into one block")
})

test_that("whitening is undone, and awkward tables do not stop the search", {
  set.seed(3)
  z <- matrix(rnorm(300), 100) %*% matrix(rnorm(9), 3)
  place <- particleflow:::whitened(z)
  points <- particleflow:::to_flow(z, place)
  expect_equal(particleflow:::from_flow(points, place), z)
  expect_equal(mean(rowSums(points^2)), 3 / 5)
  expect_equal(particleflow:::flow_log_volume(place), -determinant(place$turn)$modulus[1])
  expect_no_error(efs(cbind(round(rnorm(60)), rnorm(60)))) # ties
  expect_no_error(efs(cbind(a <- rnorm(40), a + 1e-9 * rnorm(40)))) # nearly one-dimensional
  expect_no_error(efs(rbind(z[1:30, ], z[1:30, ]))) # duplicates
  expect_no_error(efs(matrix(rnorm(20 * 15), 20)))
  expect_no_error(efs(matrix(rt(100, 1)))) # no mean
})
