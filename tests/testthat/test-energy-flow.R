plain_flow <- function(source, target, ...) energy_flow(source, target, ..., latent = "none", scale = FALSE)

column <- function(...) matrix(c(...), ncol = 1)

# -grad [2 mean |x - y_j| - 2 mean |x - x_k|] at each particle, from all pairs.
reference_velocity <- function(x, y) {
  toward <- function(at, rows) {
    z <- sweep(rows, 2, at)
    length <- sqrt(rowSums(z^2))
    colMeans(z / ifelse(length > 0, length, 1))
  }
  rows <- lapply(seq_len(nrow(x)), function(i) 2 * toward(x[i, ], y) - 2 * toward(x[i, ], x))
  do.call(rbind, rows)
}

test_that("towards one place each particle keeps its speed until it is there", {
  x <- column(-2, 3, -1, 0.5, 5)
  u <- (rank(x) - 0.5) / 5
  steps <- c(0.1, 1, 20)
  for (h in steps) {
    fit <- plain_flow(x, column(0, 0, 0), step = h, n_steps = 3, tolerance = 0)
    time <- 3 * h
    expected <- ifelse(x > 0, pmax(0, x - 4 * (1 - u) * time), pmin(0, x + 4 * u * time))
    expect_lt(max(abs(fit$particles - expected)), tolerance$kernel)
    expect_equal(tidy(fit)$time, h * 0:3)
  }
})

test_that("towards a uniform law each quantile decays exponentially", {
  m <- 1000
  y <- column((seq_len(m) - 0.5) / m) # G(t) = t between the rows
  x <- column(0.2, 0.9, 0.4, 0.5, 0.45)
  u <- (rank(x) - 0.5) / 5
  implicit <- plain_flow(x, y, step = 0.5, n_steps = 1, tolerance = 0)$particles
  expect_lt(max(abs(implicit - (x + 2 * u) / 3)), tolerance$kernel)
  # the error of the implicit rule is half of the step times the second derivative, which is at most 16
  error <- vapply(c(0.01, 0.005), function(h) {
    fit <- plain_flow(x, y, step = h, n_steps = 0.5 / h, tolerance = 0)
    max(abs(fit$particles - (u + (x - u) * exp(-4 * 0.5))))
  }, 0)
  expect_lt(error[1], 8 * 0.01 * 0.5)
  expect_equal(error[1] / error[2], 2, tolerance = 0.1)
})

test_that("the mean of a normal law moves to a shifted one at the known rate", {
  p <- stats::qnorm((seq_len(2000) - 0.5) / 2000)
  fit <- plain_flow(column(p), column(p + 1.5), step = 1e-3, n_steps = 1, tolerance = 0)
  # 4 (1/2 - P(Y <= X))
  rate <- 4 * (0.5 - stats::pnorm(-1.5 / sqrt(2)))
  # 2000 points stand for a law, and the step is not small without limit
  expect_equal(mean(fit$particles - p) / 1e-3, rate, tolerance = 2e-3)
})

test_that("the velocity is that of all pairs: within 1/m in one dimension, in the mean over directions in others", {
  set.seed(1)
  x <- column(rnorm(40))
  y <- column(rnorm(60, 1))
  moved <- plain_flow(x, y, step = 1e-7, n_steps = 1, tolerance = 0)$particles
  # G is linear between target rows, at most 1/(2 m) from the distribution function, and counts four times
  expect_lt(max(abs((moved - x) / 1e-7 - reference_velocity(x, y))), 2 / 60 + 1e-4)
  x <- matrix(rnorm(30), 10)
  y <- matrix(rnorm(1200, 0.5), 400)
  fields <- replicate(400, as.vector(plain_flow(x, y, step = 1e-7, n_steps = 1, tolerance = 0)$particles - x) / 1e-7)
  error <- rowMeans(fields) - as.vector(reference_velocity(x, y))
  # 30 means over 400 draws: 5 standard errors are passed with probability 2e-5; 0.01 for the linear G
  expect_lt(max(abs(error) - 5 * apply(fields, 1, stats::sd) / 20), 0.01)
})

test_that("distances along directions are energy distances", {
  set.seed(2)
  fit <- plain_flow(column(rnorm(50)), column(rexp(70)), n_steps = 3, tolerance = 0)
  first <- particleflow:::frame(fit$trajectory, 1L)
  expect_equal(tidy(fit)$divergence[1], energy_distance(first, fit$trajectory$target), tolerance = 1e-12)
  expect_equal(fit$diagnostics$divergence,
               energy_distance(particleflow:::frame(fit$trajectory, 4L), fit$trajectory$target), tolerance = 1e-10)
  x <- matrix(rnorm(300), 100)
  y <- matrix(rexp(360), 120)
  fit <- plain_flow(x, y, n_steps = 0)
  at_start <- fit$diagnostics
  # 5 standard errors of 64 directions
  expect_lt(abs(at_start$divergence - energy_distance(x, y)), 5 * at_start$standard_error)
  expect_lt(at_start$standard_error, 0.2 * at_start$divergence)
  fresh <- (1 / 100 + 1 / 120) * mean(dist(y))
  expect_equal(at_start$fresh, fresh, tolerance = 0.1)
  # the mean over the ways to cut a table in two
  halves <- replicate(200, {
    first <- base::sample(120, 60)
    energy_distance(y[first, ], y[-first, ])
  })
  expect_equal(mean(halves), (2 / 60) * mean(dist(y)), tolerance = 0.1)
})

test_that("the energy distance falls, at the rate of the mean squared speed", {
  set.seed(3)
  x <- column(rnorm(400))
  y <- column(rexp(300))
  fit <- plain_flow(x, y, step = 0.002, n_steps = 20, tolerance = 0)
  d <- tidy(fit)
  fall <- -diff(d$divergence) / 0.002
  expect_lt(max(abs(fall / d$kinetic_energy[1:20] - 1)), 0.03)
  for (h in c(0.05, 1, 30)) {
    fall <- tidy(plain_flow(x, y, step = h, n_steps = 30, tolerance = 0))$divergence
    above <- seq_len(max(which(fall > 1e-4)))
    expect_true(all(diff(fall[above]) < 0))
  }
  x <- matrix(rnorm(600), 200)
  y <- matrix(rexp(600), 200)
  fit <- plain_flow(x, y, step = 0.1, n_steps = 15, tolerance = 0, every = 1)
  exact <- apply(fit$trajectory$frames, 3, function(frame) energy_distance(frame, y - rep(fit$latent$decode(
    matrix(0, 1, 3)), each = 200)))
  expect_true(all(diff(exact) < 0))
})

test_that("ties are met fairly", {
  # particles at one place stay together, in the middle of their ranks
  x <- matrix(rep(c(0, 0, 1, 4, 4, 4), 2), ncol = 2)
  set.seed(4)
  fit <- plain_flow(x, matrix(rnorm(60), 30), n_steps = 5, tolerance = 0)
  expect_identical(fit$particles[1, ], fit$particles[2, ])
  expect_identical(fit$particles[4, ], fit$particles[6, ])
  # equal target rows hold as many particles as they are
  fit <- plain_flow(column(rnorm(400)), column(rep(c(0, 1), c(30, 10))), n_steps = 10, tolerance = 0, step = 100)
  expect_identical(as.vector(table(round(fit$particles, 9))[c("0", "1")] / 400), c(0.75, 0.25))
  # the order of rows changes no distance
  y <- matrix(rexp(60), 30)
  set.seed(1)
  one <- plain_flow(x, y, n_steps = 4, tolerance = 0)
  set.seed(1)
  other <- plain_flow(x[6:1, ], y[30:1, ], n_steps = 4, tolerance = 0)
  expect_lt(max(abs(one$particles - other$particles[6:1, ])), tolerance$kernel)
})

test_that("runs end when they are as close as fresh rows, and particles are new", {
  set.seed(5)
  law <- function(n) cbind(rexp(n), rnorm(n, 3), rnorm(n)^2)
  target <- law(300)
  fit <- energy_flow(matrix(rnorm(1200), 400), target)
  last <- fit$diagnostics
  expect_identical(last$status, "closer than fresh rows")
  expect_lte(last$divergence, 0.25 * last$fresh)
  # 400 rows of the law are at 0.008 from 2000 others, and a third of this is its spread
  held <- law(2000)
  expect_lt(energy_distance(fit$particles, held), 3 * energy_distance(law(400), held))
  expect_gt(novelty(fit$particles, target, law(300))$ratio, 0.7)
  further <- resume(fit, 3)
  expect_identical(further$diagnostics$steps, last$steps + 3L)
  expect_identical(further$diagnostics$status, "all steps done")
  expect_identical(energy_flow(target, target, n_steps = 5)$diagnostics$steps, 0L)
})

test_that("the same seed gives the same bits, for any number of threads and for a run in parts", {
  set.seed(6)
  x <- matrix(rnorm(60000), 20000)
  y <- matrix(rexp(45000), 15000)
  before <- particleflow_threads(1)
  on.exit(particleflow_threads(before))
  run <- function(n_steps) {
    set.seed(7)
    energy_flow(x, y, n_steps = n_steps, tolerance = 0, every = 3)
  }
  one <- run(7)
  new <- predict(one, x[1:50, ] + 0.1)
  particleflow_threads(3)
  three <- run(7)
  expect_identical(one$trajectory, three$trajectory)
  expect_identical(one$particles, three$particles)
  expect_identical(predict(three, x[1:50, ] + 0.1), new)
  parts <- resume(run(2), 5)
  expect_identical(parts$trajectory, one$trajectory)
  expect_identical(parts$particles, one$particles)
  path <- tempfile(fileext = ".rds")
  on.exit(unlink(path), add = TRUE)
  set.seed(7)
  saved <- energy_flow(x[1:50, ], y[1:40, ], n_steps = 4, tolerance = 0, checkpoint = path)
  set.seed(7)
  whole <- energy_flow(x[1:50, ], y[1:40, ], n_steps = 6, tolerance = 0)
  expect_identical(resume(path, 2)$trajectory, whole$trajectory)
  expect_identical(resume(saved, 0)$trajectory, saved$trajectory)
})

test_that("new points follow the particles", {
  set.seed(8)
  for (d in 1:3) {
    source <- matrix(rnorm(40 * d), 40)
    fit <- energy_flow(source, matrix(rexp(50 * d), 50), n_steps = 6, tolerance = 0)
    expect_identical(predict(fit, source), predict(fit))
    expect_identical(predict(fit), fit$particles)
    expect_identical(dim(predict(fit, source[0, , drop = FALSE])), c(0L, d))
    expect_identical(predict(fit, source[c(7, 3), , drop = FALSE], type = "latent"),
                     fit$run$state$particles[c(7, 3), , drop = FALSE])
    # what is carried depends on no other row that is carried
    more <- matrix(rnorm(5 * d), 5)
    expect_identical(predict(fit, rbind(more, source))[1:5, , drop = FALSE], predict(fit, more))
  }
  # a step is increasing along its direction, so that points between two particles stay between them
  fit <- energy_flow(column(0, 1, 2, 5), column(rexp(30)), n_steps = 3, tolerance = 0)
  ends <- predict(fit, column(seq(-1, 6, 0.25)))
  expect_true(all(diff(ends) >= 0))
  drawn <- energy_flow(function(n) matrix(rnorm(2 * n), n), matrix(rexp(60), 30), n_source = 50, n_steps = 4)
  new <- simulate(drawn, 70, seed = 3)
  expect_identical(new, simulate(drawn, 70, seed = 3))
  set.seed(3)
  expect_equal(unclass(new), predict(drawn, matrix(rnorm(140), 70)), ignore_attr = TRUE)
  again <- simulate(fit, 20, seed = 1)
  expect_true(all(again %in% fit$particles))
  expect_identical(nrow(simulate(fit, 0)), 0L)
  expect_identical(dim(sample(drawn, 5)), c(5L, 2L))
})

test_that("tables come back in their form, and a fit can be looked at", {
  set.seed(9)
  d <- data.frame(a = rnorm(30), b = rexp(30), c = 1L, e = base::sample(9L, 30, TRUE))
  target <- d[c(4, 2, 3, 1)]
  target$a <- target$a + 3
  fit <- energy_flow(d, target, n_steps = 30, every = 7, tolerance = 0)
  expect_identical(vapply(fit$particles, typeof, ""), vapply(d, typeof, ""))
  expect_lt(abs(mean(fit$particles$a) - mean(target$a)), 0.1)
  expect_output(print(fit), "30 particles towards 30 target rows of 4 columns")
  expect_output(print(summary(fit)), "all steps done after 30 steps")
  expect_output(print(fit$trajectory), "along 3 orthogonal directions per step")
  expect_identical(nrow(tidy(fit)), 31L)
  expect_identical(nrow(glance(fit)), 1L)
  expect_identical(unique(as.data.frame(fit)$step), c(0L, 7L, 14L, 21L, 28L, 30L))
  # frames between those kept are computed again
  set.seed(10)
  thin <- energy_flow(d[1:2], target[c("a", "b")], n_steps = 9, every = 4, tolerance = 0)
  set.seed(10)
  all <- energy_flow(d[1:2], target[c("a", "b")], n_steps = 9, every = 1, tolerance = 0)
  expect_identical(particleflow:::frame(thin$trajectory, 7L), particleflow:::frame(all$trajectory, 7L))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_no_error(plot(thin))
  expect_no_error(plot(thin, type = "trace"))
  expect_error(plot(thin, type = "trace", times = 1), "`times` belongs to")
  expect_error(efs_backward(thin$trajectory, thin$particles), "which has no inverse")
  changed <- thin
  changed$trajectory$target[1] <- 5
  expect_error(predict(changed, d[1:2]), "was changed after energy_flow\\(\\) made it")
  expect_s3_class(distill(thin, n_sample = 40, n_steps = 1, batch = 8, hidden = 4), "generator")
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(thin), "ggplot")
})

test_that("a run stopped by Ctrl-C stops within a second and goes on where it was", {
  skip_on_os("windows") # no signal can be sent to oneself there
  set.seed(11)
  x <- matrix(rnorm(15000), 5000)
  set.seed(1)
  expect_lt(least_delay(energy_flow(x, x + 1, n_steps = 1e5, tolerance = 0, every = 1e5)), 1)
  done <- resume(n_steps = 0)
  expect_gt(done$diagnostics$steps, 0)
  expect_identical(resume(n_steps = 1)$diagnostics$steps, done$diagnostics$steps + 1L)
})

test_that("bad input gets one clear sentence", {
  x <- matrix(rnorm(20), 10)
  expect_error(energy_flow(x, x[, 1, drop = FALSE]), "`target` has 1 column; 2 are wanted")
  expect_error(energy_flow(x[1, , drop = FALSE], x), "`source` has 1 row; at least 2")
  expect_error(energy_flow(replace(x, 3, NA), x), "`source` must not contain NA")
  expect_error(energy_flow(x, x, n_source = 5), "`n_source` belongs to")
  expect_error(energy_flow(x, x, step = 0), "`step` must be one number above 0")
  expect_error(energy_flow(x, x, tolerance = -1), "`tolerance` must be one number of at least 0")
  expect_error(energy_flow(x, x, n_steps = 1.5), "`n_steps` must be")
  expect_error(energy_flow(x, x, every = 0), "`every` must be")
  expect_error(energy_flow(x, x, latent = 5), "`latent` must be a latent map")
  expect_error(energy_flow(x * 0, x * 0), "no column that varies")
  fit <- energy_flow(x, x + 1, n_steps = 1)
  expect_error(predict(fit, x[, 1]), "`newdata`")
})
