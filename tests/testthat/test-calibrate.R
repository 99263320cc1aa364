test_that("the search is reproducible, draws nothing and finds what fits", {
  set.seed(1)
  x <- two_clusters(150, 2)
  state <- .Random.seed
  fit <- efs(x, particles = 0)
  expect_identical(.Random.seed, state)
  again <- efs(x, particles = 0, threads = 1)
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
  ours <- predict(efs(x, particles = 0), fresh, type = "log_density")
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

test_that("equal rows stay in one fold, joined with the user's blocks", {
  set.seed(7)
  z <- matrix(rnorm(100), 50)
  x <- z[rep(1:50, 4), ]
  fit <- efs(x, particles = 0)
  # as if the user had said so
  by_hand <- efs(x, blocks = rep(1:50, 4), particles = 0)
  expect_identical(fit$diagnostics, by_hand$diagnostics)
  expect_output(print(fit), "150 of 200 rows repeat another row")
  expect_output(print(efs_by_rule(iris, group = "Species")), "1 of 150 rows repeats another row")
  expect_no_match(format(efs_by_rule(z)), "repeat")
  # new rows are new: fresh rows have a ratio of 1, copies of 0
  expect_gt(novelty(simulate(fit, 400, seed = 1), z)$ratio, 0.8)
  expect_gt(novelty(simulate(efs_by_rule(x), 400, seed = 1), z)$ratio, 0.2) # spacing of the different rows
  # what a copy would be worth: the law of the rows themselves is a spike
  expect_lt(fit$diagnostics$log_density, 0)
  # 1 = 4 by the row, 4 and 6 by the block, so all three are one
  joined <- particleflow:::join_repeats(z[c(1, 2, 3, 1, 4, 5), ], c("a", "b", "c", "d", "e", "d"))
  expect_identical(joined[c(1, 4, 6)], rep(joined[1], 3))
  expect_identical(length(unique(joined)), 4L)
  expect_null(particleflow:::join_repeats(z, NULL))
  expect_identical(particleflow:::join_repeats(z, 50:1), 50:1)
  # equal up to the last bits of a matrix product
  expect_identical(particleflow:::first_equal(rbind(z, z * (1 + 1e-15))), rep(1:50, 2))
  expect_identical(particleflow:::first_equal(cbind(c(0, 1e-9, 1))), 1:3)
  expect_error(efs(x, blocks = rep(1, 200)), "`blocks`, with equal rows joined, puts all rows of a class into one")
})

test_that("the spacing is that of the different particles", {
  set.seed(8)
  z <- matrix(rnorm(60), 30)
  spacing <- particleflow:::typical_spacing(z)
  expect_equal(spacing, median(apply(as.matrix(dist(z)) + diag(Inf, 30), 1, min)))
  for (rows in list(rep(1:30, 4), c(1:30, 1:10), c(1:30, rep(1, 100)))) {
    expect_equal(particleflow:::typical_spacing(z[rows, ]), spacing)
  }
  # equal rows that a flow has moved apart by rounding
  expect_equal(particleflow:::typical_spacing(rbind(z, z + 1e-15)), spacing)
  expect_identical(particleflow:::typical_spacing(z[rep(1, 5), ]), 0)
})

test_that("tables of few different rows fall back to the rule", {
  # each training set would be one row, many times
  fit <- efs(matrix(rnorm(4), 2)[rep(1:2, 15), ], latent = latent_standardise(), particles = 0)
  expect_true(is.na(fit$diagnostics$log_density))
  expect_match(fit$diagnostics$law, "^local")
  expect_true(is.na(efs(matrix(rep(0:1, c(1, 30))), latent = "none", particles = 200)$diagnostics$log_density))
})

test_that("rules that efs() and efs_tune() share", {
  expect_identical(particleflow:::units_to_try(TRUE, 100, 3), c("scaled", "whitened"))
  expect_identical(particleflow:::units_to_try(TRUE, 11, 3), "scaled")
  expect_identical(particleflow:::units_to_try(TRUE, 100, 1), "scaled")
  expect_identical(particleflow:::units_to_try("whiten", 100, 3), "whitened")
  expect_identical(particleflow:::units_to_try(FALSE, 100, 3), "as_is")
  for (scale in list(TRUE, FALSE, "whiten")) {
    expect_identical(particleflow:::scale_of_unit(particleflow:::unit_of_scale(scale)), scale)
  }
  expect_equal(particleflow:::softening_of(16, 100, 2), 0.16)
  expect_equal(particleflow:::softening_of(16, 100, 1), 0.16)
  expect_equal(particleflow:::softening_of(16, 100, 4), 1.6)
  expect_identical(efs_control()$max_evaluations, 30L)
  # a candidate without an inverse is none
  x <- unname(two_clusters(40, 2))
  setting <- particleflow:::search_setting(TRUE, 0.1, Inf, 20L, "all", 1L)
  flow <- function(epsilon, s = 0) {
    particleflow:::try_flow(x, particleflow:::new_flow_candidate("scaled", s, NA_real_, 1, epsilon), setting)
  }
  expect_null(flow(0))
  expect_s3_class(flow(0.2), "particle_trajectory")
  out <- function(points, curvature, at) particleflow:::stop_unsolved("out")
  with_binding("check_range", out, expect_null(flow(0.2)))
})

test_that("whitening is undone, and awkward tables do not stop the search", {
  set.seed(3)
  z <- matrix(rnorm(300), 100) %*% matrix(rnorm(9), 3)
  place <- particleflow:::whitened(z)
  points <- particleflow:::to_flow(z, place)
  expect_equal(particleflow:::from_flow(points, place), z)
  expect_equal(mean(rowSums(points^2)), 3 / 5)
  expect_equal(particleflow:::flow_log_volume(place), -determinant(place$turn)$modulus[1])
  expect_no_error(efs(cbind(round(rnorm(60)), rnorm(60)), particles = 200)) # ties
  expect_no_error(efs(cbind(a <- rnorm(40), a + 1e-9 * rnorm(40)), particles = 200)) # nearly one-dimensional
  expect_no_error(efs(rbind(z[1:30, ], z[1:30, ]), particles = 200)) # duplicates
  expect_no_error(efs(matrix(rnorm(20 * 15), 20)))
  expect_no_error(efs(matrix(rt(100, 1)), particles = 200)) # no mean
})

test_that("a search keeps to both the time and the number of steps that are given", {
  x <- two_clusters(60, 2)
  both <- efs(x, time = 0.3, n_steps = 50, law = "local")
  expect_equal(both$diagnostics$time, 0.3)
  expect_lt(both$diagnostics$steps, 50)
  few <- suppressWarnings(efs(x, time = 5, n_steps = 4, law = "local"))
  expect_identical(few$diagnostics$steps, 4L)
})
