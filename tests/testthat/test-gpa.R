four_gaussians <- function(n) {
  matrix(base::sample(c(-2, 2), 2 * n, TRUE), n) + matrix(rnorm(2 * n, sd = 0.5), n)
}

small_run <- function(..., seed = 1, n_steps = 12) {
  set.seed(seed)
  gpa(matrix(rnorm(60), 30), matrix(rexp(80), 40), n_steps = n_steps, ...)
}

test_that("particles reach the target", {
  set.seed(1)
  target <- four_gaussians(80)
  source <- matrix(rnorm(240), 120)
  before <- energy_distance(source, target)
  for (divergence in c("kl", "alpha", "reverse_kl", "js")) {
    fit <- gpa(source, target, divergence, n_steps = 200)
    expect_lt(energy_distance(fit$particles, target), 0.15 * before)
    expect_identical(dim(fit$particles), dim(source))
  }
})

test_that("the same seed gives the same bits, for any number of threads", {
  before <- particleflow_threads(1)
  on.exit(particleflow_threads(before))
  one <- small_run()
  particleflow_threads(2)
  two <- small_run()
  expect_identical(one$particles, two$particles)
  expect_identical(one$trajectory, two$trajectory)
  expect_error(small_run(threads = 1), "unused argument")
  expect_false(identical(one$particles, small_run(seed = 2)$particles))
})

test_that("a run in parts is the run in one, to the bit", {
  for (solver in c("euler", "heun")) {
    for (batch in list(NULL, 7)) {
      whole <- small_run(solver = solver, batch = batch, n_steps = 14, every = 4, keep = 3)
      parts <- resume(small_run(solver = solver, batch = batch, n_steps = 5, every = 4, keep = 3), 9)
      expect_identical(parts$trajectory, whole$trajectory)
      expect_identical(parts$particles, whole$particles)
      expect_identical(parts$run$state, whole$run$state)
    }
  }
  path <- tempfile(fileext = ".rds")
  on.exit(unlink(path))
  set.seed(1)
  saved <- small_run(n_steps = 6, checkpoint = path)
  expect_identical(resume(path, 4)$trajectory, small_run(n_steps = 10)$trajectory)
  expect_identical(resume(saved, 0)$trajectory, saved$trajectory)
})

test_that("a run stopped by Ctrl-C stops within a second and goes on where it was", {
  skip_on_os("windows") # no signal can be sent to oneself there
  set.seed(9)
  x <- matrix(rnorm(6000), 3000)
  self <- Sys.getpid()
  sender <- parallel::mcparallel({
    Sys.sleep(1)
    tools::pskill(self, tools::SIGINT)
  })
  on.exit(parallel::mccollect(sender))
  began <- proc.time()[[3]]
  set.seed(1)
  outcome <- tryCatch(gpa(x, x + 1, n_steps = 1e5, keep = 1e5), interrupt = function(condition) "interrupted")
  expect_identical(outcome, "interrupted")
  expect_lt(proc.time()[[3]] - began - 1, 1)
  done <- resume(n_steps = 0)
  expect_gt(done$diagnostics$steps, 0)
  set.seed(1)
  again <- gpa(x, x + 1, n_steps = done$diagnostics$steps, keep = 1e5)
  expect_identical(done$particles, again$particles)
  # a look at what was done does not end the run
  expect_identical(resume(n_steps = 1)$diagnostics$steps, done$diagnostics$steps + 1L)
})

test_that("new points follow the particles", {
  source <- matrix(rnorm(60), 30)
  for (solver in c("euler", "heun")) {
    set.seed(2)
    fit <- gpa(source, matrix(rexp(80), 40), n_steps = 40, solver = solver)
    expect_lt(relative_error(predict(fit, source), fit$particles), tolerance$passive)
    expect_identical(predict(fit), fit$particles)
    expect_identical(dim(predict(fit, source[0, ])), c(0L, 2L))
    expect_lt(relative_error(predict(fit, source[5:6, ], type = "latent"), fit$run$state$particles[5:6, ]),
              tolerance$passive)
  }
  # every second network is kept, and each is used for two steps
  thin <- gpa(source, matrix(rexp(80), 40), n_steps = 41, keep = 2)
  expect_identical(ncol(thin$trajectory$networks), 21L)
  expect_lt(relative_error(predict(thin, source), thin$particles), 0.05)
})

test_that("the divergence falls by the kinetic energy (Theorem 2.5), to the order of the step", {
  # a smooth potential trained close to its best at each step: sums of many small steps
  set.seed(3)
  source <- matrix(rnorm(40), 40)
  target <- matrix(rnorm(40, 1.5), 40)
  error <- vapply(c(0.2, 0.05), function(step) {
    set.seed(4)
    fit <- gpa(source, target, lipschitz = 0.5, step = step, n_steps = 1 / step + 1, updates = 200, rate = 0.003,
               smoothing = 0.5,
               latent = "none", scale = FALSE)
    trace <- tidy(fit)
    rows <- 2:(nrow(trace) - 1) # the first potential is the least trained
    fall <- trace$divergence[rows[1]] - trace$divergence[rows[length(rows)]]
    spent <- sum(step * trace$kinetic_energy[rows[-length(rows)]])
    abs(fall / spent - 1)
  }, 0)
  expect_lt(error[1], 0.2)
  expect_lt(error[2], 0.05)
})

test_that("tables come back in their form", {
  d <- data.frame(a = rnorm(30), b = rexp(30), c = 1L, d = runif(30))
  target <- d[c(4, 2, 3, 1)]
  target$a <- target$a + 3
  fit <- gpa(d, target, n_steps = 5)
  expect_identical(names(fit$particles), names(d))
  expect_true(all(fit$particles$c == 1))
  expect_identical(fit$diagnostics$dim, 3L)
  # without steps nothing moves: rows go through the latent map and back
  still <- gpa(d, target, n_steps = 0)
  expect_lt(relative_error(as.matrix(still$particles), as.matrix(d)), tolerance$isometry)
  expect_identical(still$diagnostics$steps, 0L)
  shift <- gpa(d, target, n_steps = 150)
  expect_lt(abs(mean(shift$particles$a) - mean(target$a)), 0.3)
})

test_that("principal components of both tables, z-scored", {
  set.seed(5)
  p <- 60
  loadings <- matrix(rnorm(5 * p), 5)
  source <- matrix(rnorm(100 * 5), 100) %*% loadings + rnorm(100 * p, sd = 0.1)
  target <- (matrix(rnorm(80 * 5), 80) + 1) %*% loadings + rnorm(80 * p, sd = 0.1)
  fit <- gpa(source, target, latent = latent_pca(5), n_steps = 10)
  expect_identical(fit$diagnostics$dim, 5L)
  z <- scale(rbind(source, target))
  expect_equal(abs(fit$target), abs(unname(prcomp(z)$x[101:180, 1:5])), tolerance = 1e-6, ignore_attr = TRUE)
  expect_lt(fit$latent$reconstruction_error, 0.1)
  # the decoder is an isometry in z-scored units
  spread <- attr(z, "scaled:scale")
  moved <- sweep(as.matrix(fit$particles), 2, spread, "/")
  expect_equal(as.vector(dist(moved)), as.vector(dist(fit$run$state$particles)), tolerance = 1e-8)
  expect_identical(gpa(source, target, n_steps = 2)$diagnostics$dim, 50L)
  expect_error(gpa(source, target, latent = latent_pca(61)), "`rank` is 61")
})

test_that("simulate() draws from the source and carries along", {
  set.seed(6)
  target <- four_gaussians(60)
  fit <- gpa(function(n) matrix(rnorm(2 * n), n), target, n_steps = 30, n_source = 100)
  expect_identical(nrow(fit$particles), 100L)
  new <- simulate(fit, 700, seed = 3)
  expect_identical(dim(new), c(700L, 2L))
  expect_identical(new, simulate(fit, 700, seed = 3))
  expect_false(anyDuplicated(new) > 0)
  set.seed(3)
  expect_equal(unclass(new), predict(fit, matrix(rnorm(1400), 700)), ignore_attr = TRUE)
  set.seed(8)
  expect_identical(dim(sample(fit, 5)), c(5L, 2L))
  rows <- gpa(matrix(rnorm(40), 20), target, n_steps = 5)
  again <- simulate(rows, 200, seed = 1)
  nearest <- apply(again, 1, function(row) min(colSums((t(rows$particles) - row)^2)))
  expect_lt(max(nearest), 1e-12)
  expect_identical(nrow(simulate(rows, 0)), 0L)
})

test_that("runs end when they should", {
  set.seed(7)
  x <- matrix(rnorm(200), 100)
  target <- matrix(rnorm(200), 100) + 1
  fit <- gpa(x, target, n_steps = 400, tolerance = 0.02)
  expect_identical(fit$diagnostics$status, "divergence below tolerance")
  last <- tidy(fit)[fit$diagnostics$steps - 9:0, ]
  expect_true(all(last$divergence <= 0.02))
  expect_lt(fit$diagnostics$steps, 400)
  expect_gt(max(tidy(fit)$divergence, na.rm = TRUE), 0.02)
  still <- gpa(x, target, n_steps = 400, kinetic_tolerance = 10, patience = 4)
  expect_identical(still$diagnostics$status, "kinetic energy below tolerance")
  expect_identical(still$diagnostics$steps, 4L)
})

test_that("a run that diverges keeps its last good state", {
  set.seed(8)
  x <- matrix(rnorm(40), 20)
  target <- matrix(rnorm(40), 20) * 1e300
  expect_warning(fit <- gpa(x, target, divergence = "alpha", lipschitz = Inf, step = 1e200, n_steps = 50,
                             latent = "none",
                            scale = FALSE), "diverged at step")
  expect_identical(fit$diagnostics$status, "diverged")
  expect_true(all(is.finite(fit$particles)))
  expect_lt(fit$diagnostics$steps, 50)
  expect_error(resume(fit, 10), "would do so again")
  expect_output(print(fit), "diverged")
  # heavy tails alone do not end a run
  heavy <- gpa(x, matrix(rt(40, 0.5), 20), n_steps = 20, latent = "none", scale = FALSE)
  expect_identical(heavy$diagnostics$status, "all steps done")
  expect_true(all(is.finite(tidy(heavy)$divergence)))
})

test_that("a fit can be looked at", {
  fit <- small_run(n_steps = 25, every = 6)
  expect_output(print(fit), "30 particles towards 40 target rows of 2 columns")
  expect_output(print(summary(fit)), "slope at most 1; 30 particles")
  expect_identical(nrow(tidy(fit)), 26L)
  expect_identical(nrow(glance(fit)), 1L)
  long <- as.data.frame(fit)
  expect_identical(unique(long$step), c(0L, 6L, 12L, 18L, 24L, 25L))
  expect_output(print(fit$trajectory), "potential: networks 2-32-32-32-1, 25 kept")
  expect_error(efs_backward(fit$trajectory, fit$particles), "which has no inverse")
  # frames between those kept are computed again
  all <- small_run(n_steps = 25, every = 1)
  expect_lt(relative_error(particleflow:::frame(fit$trajectory, 10), all$trajectory$frames[, , 10]), tolerance$passive)
  picture <- particleflow:::gpa_picture(fit, "frames", NULL, NULL, NULL)
  expect_identical(levels(picture$points$group), c("target", "particles"))
  expect_identical(nlevels(picture$points$panel), 5L)
  last <- picture$points[picture$points$panel == "time 5" & picture$points$group == "particles", c("x", "y")]
  expect_equal(as.matrix(last), fit$particles, ignore_attr = TRUE)
  curves <- particleflow:::gpa_picture(fit, "trace", NULL, NULL, NULL)
  expect_identical(levels(curves$curves$panel), c("divergence", "kinetic energy"))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_no_error(plot(fit))
  expect_no_error(plot(fit, type = "trace"))
  expect_no_error(plot(fit, group = rep(c("a", "b"), 15), times = c(0, 5)))
  expect_error(plot(fit, type = "trace", times = 1), "`times` belongs to")
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(fit), "ggplot")
  expect_s3_class(ggplot2::autoplot(fit, type = "trace"), "ggplot")
})

test_that("bad input gets one clear sentence", {
  x <- matrix(rnorm(20), 10)
  expect_error(gpa(x, x[, 1, drop = FALSE]), "`target` has 1 column; 2 are wanted")
  expect_error(gpa(x[1, , drop = FALSE], x), "`source` has 1 row; at least 2")
  expect_error(gpa(replace(x, 3, NA), x), "`source` must not contain NA")
  expect_error(gpa(function(n) x[1:3, ], x), "`source` must be a function that returns 10 rows")
  expect_error(gpa(x, x, n_source = 5), "`n_source` belongs to")
  expect_error(gpa(x, x, "wasserstein"), "`divergence` must be one of")
  expect_error(gpa(x, x, "alpha", alpha = 1), "`alpha` must be one number above 1")
  expect_error(gpa(x, x, lipschitz = 0), "`lipschitz` must be one number above 0")
  expect_error(gpa(x, x, hidden = c(3, 0)), "`hidden` must be the widths")
  expect_error(gpa(x, x, step = -1), "`step` must be one number above 0")
  expect_error(gpa(x, x, latent = 5), "`latent` must be a latent map")
  expect_error(gpa(x, x, checkpoint = "/no/such/place/a.rds"), "`checkpoint` must be the path")
  expect_error(gpa(x * 0, x * 0), "no column that varies")
  expect_error(resume(5), "`object` must be a fit from gpa")
  expect_error(resume(tempfile()), "no such file")
})

test_that("a fit that was saved and read again carries, replays and goes on as before", {
  set.seed(2)
  target <- matrix(rnorm(40), 20) + 2
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  fit <- gpa(matrix(rnorm(60), 30), target, divergence = "alpha", solver = "heun", normalisation = "frobenius",
             n_steps = 8, every = 3, keep = 2)
  saveRDS(fit, file)
  again <- readRDS(file)
  fresh <- matrix(rnorm(10), 5)
  expect_identical(predict(again, fresh), predict(fit, fresh))
  expect_identical(particleflow:::frame(again$trajectory, 6L), particleflow:::frame(fit$trajectory, 6L))
  longer <- resume(again, n_steps = 4)
  whole <- resume(fit, n_steps = 4)
  expect_identical(longer$particles, whole$particles)
  expect_identical(tidy(longer), tidy(whole))
  expect_identical(tidy(longer)[1:8, ], tidy(fit)[1:8, ])
})

test_that("Ctrl-C stops a run of wide layers within a second", {
  skip_on_os("windows") # no signal can be sent to oneself there
  x <- two_clusters(500, 2)
  expect_lt(least_delay(gpa(x, x + 1, n_steps = 50, hidden = c(1500, 1500))), 1)
})

test_that("a network whose rectifiers are all off is announced", {
  set.seed(1)
  x <- matrix(rnorm(60), 30)
  y <- matrix(rnorm(60, 3), 30)
  run <- function(rate) gpa(x, y, rate = rate, lipschitz = 20, n_steps = 60, hidden = c(4, 4), progress = FALSE)
  expect_warning(fit <- run(1), "stand still from step [0-9]+ on, because all rectifiers of the network are off")
  expect_identical(fit$diagnostics$kinetic_energy, 0)
  expect_no_warning(run(0.01))
})
