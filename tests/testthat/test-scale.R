# as the text has it, in the units of the user
wgf <- function(...) particleflow::wgf(..., method = "plain")

# Numbers near the ends of the range of doubles: right, or one true sentence.

test_that("runs in standardised units do not know the unit of the columns", {
  set.seed(1)
  x <- matrix(rnorm(60), 30)
  y <- matrix(rexp(60), 30)
  moved <- function(unit) {
    set.seed(2)
    gpa(x * unit, y * unit, n_steps = 20)$particles / unit
  }
  sorted <- function(unit) {
    set.seed(2)
    energy_flow(x * unit, y * unit, n_steps = 5, tolerance = 0)$particles / unit
  }
  drawn <- function(unit) {
    set.seed(3)
    fit <- pushforward(x * unit, "energy", n_steps = 20, batch = 32, hidden = 8)
    matrix(simulate(fit, 20, seed = 1), 20) / unit
  }
  # powers of two change no rounding within the range; beyond 1e154 squares would leave it
  for (unit in 2^c(-1000, -700, -520, 500, 530, 700, 1000)) {
    expect_equal(moved(unit), moved(1), tolerance = tolerance$kernel, info = unit)
    expect_equal(sorted(unit), sorted(1), tolerance = tolerance$kernel, info = unit)
    expect_equal(drawn(unit), drawn(1), tolerance = tolerance$kernel, info = unit)
  }
})

test_that("standard deviations are right at any scale", {
  set.seed(4)
  x <- matrix(rnorm(40), 20)
  spread <- particleflow:::column_spread
  for (unit in 2^c(-1000, -600, -500, 500, 520, 1000)) {
    expect_equal(spread(x * unit) / unit, spread(x), tolerance = tolerance$kernel)
  }
  expect_identical(spread(cbind(1e200, c(1e200, 3e200)))[1], 1)
})

test_that("particles are never NaN, whatever the unit", {
  x <- matrix(rnorm(40), 20)
  for (unit in c(1e-300, 1e-160, 1e160, 1e300)) {
    fit <- suppressWarnings(gpa(x * unit, (x + 1) * unit, n_steps = 3, scale = FALSE, latent = "none"))
    expect_true(all(is.finite(as.matrix(fit$particles))))
    fit <- energy_flow(x * unit, (x + 1) * unit, n_steps = 3, scale = FALSE, latent = "none")
    expect_true(all(is.finite(as.matrix(fit$particles))))
  }
  for (unit in c(1e155, 1e160, 1e300)) {
    expect_error(efs_forward(x * unit, n_steps = 2), "left the range of numbers at step 1.*or scale the columns",
                 class = "particleflow_unsolved")
  }
})

test_that("targets whose values leave the range of doubles say so", {
  set.seed(5)
  means <- matrix(rnorm(6), 3)
  for (unit in c(1e155, 1e200, 1e300)) {
    expect_error(target_mixture(means * unit), "whose squares leave the range of numbers", class = "particleflow_input")
    expect_error(predict(target_ring(), means * unit), "leaves the range of numbers at",
                 class = "particleflow_unsolved")
    expect_error(wgf(target_ring(), start = means * unit, n_steps = 2), "leaves the range of numbers at",
                 class = "particleflow_unsolved")
  }
  # far but within the range: the flow of a mixture does not depend on where the origin is
  here <- {
    set.seed(6)
    wgf(target_mixture(means), n = 30, n_steps = 5)$particles
  }
  set.seed(6)
  there <- wgf(target_mixture(means + 1e6), n = 30, n_steps = 5)$particles - 1e6
  expect_equal(there, here, tolerance = 1e-6) # ten of sixteen digits are left
  expect_error(target_banana(width = 1e100), "whose squares leave the range of numbers")
  # funnels: exact draws up to a standard deviation of 100, no start for a flow from 20 or 30 on
  second <- function(sd) {
    x <- simulate(target_funnel(sd = sd), 200, seed = 1)
    unname(x[, 2] / exp(x[, 1] / 2))
  }
  for (sd in c(30, 60, 100)) {
    wide <- target_funnel(sd = sd)
    expect_true(all(is.finite(simulate(wide, 200, seed = 1))))
    expect_equal(second(sd), second(1), tolerance = tolerance$kernel)
    expect_error(wgf(wide, n = 20, n_steps = 2), "leaves the range of numbers at", class = "particleflow_unsolved")
  }
  expect_error(target_funnel(sd = 101), "`sd` must be one number between 0 and 100")
})

test_that("a log-density of huge values is right, or one sentence", {
  normal <- function(x) -rowSums(x^2) / 2
  score <- function(x) -x
  set.seed(7)
  start <- matrix(rnorm(60), 30)
  plain <- wgf(normal, score, start = start, n_steps = 5)
  # a constant changes nothing as long as the digits of the rest are there
  shifted <- wgf(function(x) normal(x) + 1e4, score, start = start, n_steps = 5)
  expect_equal(shifted$particles, plain$particles, tolerance = 1e-6)
  expect_equal(shifted$diagnostics$log_z - 1e4, plain$diagnostics$log_z, tolerance = 1e-6)
  expect_warning(wgf(function(x) normal(x) + 1e20, start = start, n_steps = 2), "its differences are lost in rounding")
  # narrow targets
  for (unit in c(1e100, 1e300)) {
    fit <- wgf(function(x) unit * normal(x), function(x) unit * score(x), start = start, n_steps = 5)
    expect_true(all(is.finite(fit$particles)))
  }
  expect_error(wgf(function(x) normal(x) * 1e308 * 10, score, start = start, n_steps = 2),
               "returned -Inf for 2[0-9] of 30")
  expect_error(wgf(function(x) 1e308 * sign(x[, 1]), start = matrix(1e-9 * rnorm(40), 20), n_steps = 2),
               "Differences of `log_density` leave the range")
  for (bandwidth in c(1e-200, 1e200)) {
    expect_error(wgf(normal, score, start = start, bandwidth = bandwidth),
                 "`bandwidth` must lie between 1e-150 and 1e\\+150")
  }
  expect_error(wgf(normal, score, start = 1e10 * start, bandwidth = 1e-149, n_steps = 2), "leaves the range of numbers",
               class = "particleflow_unsolved")
  expect_error(wgf(normal, score, start = start * 1e-200, n_steps = 2), "whose squares leave the range of numbers",
               class = "particleflow_unsolved")
})

test_that("new points far from a flow say so", {
  x <- two_clusters(30, 2)
  traj <- efs_forward(x, n_steps = 3)
  far <- matrix(1.7e308, 1, 2) # the mean over the particles is a sum beyond the range
  for (move in c("push_forward", "carry_forward")) {
    expect_error(get(move, asNamespace("particleflow"))(traj, far, 1L), "so far from the particles",
                 class = "particleflow_unsolved")
  }
  # at 1e200 squares are beyond the range, and only the attraction is left of the field:
  # x <- x (1 - gamma n / (n - 1))
  near <- matrix(1e200, 1, 2)
  expect_equal(particleflow:::push_forward(traj, near, 1L), near * prod(1 - traj$gamma * 30 / 29), tolerance = 1e-12)
})
