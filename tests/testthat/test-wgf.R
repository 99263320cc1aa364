# as the text has it, in the units of the user
wgf <- function(...) particleflow::wgf(..., method = "plain")

estimate <- function(...) particleflow:::kernel_estimate(...)

test_that("the kernel estimate and its score are those of the kernel mixture, on every instruction set", {
  on_each_simd(function(set) {
    for (d in c(1, 2, 3, 5, 16)) {
      set.seed(d)
      x <- matrix(rnorm(67 * d), 67)
      y <- rbind(matrix(rnorm(9 * d), 9), rep(60, d), rep(-500, d)) # the last two are far beyond the range of exp
      for (kernel in c("gaussian", "laplace")) {
        for (self in c(FALSE, TRUE)) {
          found <- estimate(if (!self) y, x, kernel, 0.7, threads = 1L)
          wanted <- reference_estimate(if (self) x else y, x, kernel, 0.7, self)
          expect_lt(relative_error(found$log_density, wanted$log_density), tolerance$kernel)
          expect_lt(max(abs(found$score - wanted$score) / (1 + abs(wanted$score))), tolerance$kernel)
        }
      }
    }
  })
})

test_that("the score of the Gaussian estimate is the gradient of its log-density, and estimates integrate to one", {
  set.seed(1)
  x <- matrix(rnorm(40), 20)
  y <- matrix(rnorm(10), 5)
  by_differences <- difference_rows(function(y) estimate(y, x, "gaussian", 0.5, FALSE, 1L)$log_density, y)
  expect_lt(relative_error(estimate(y, x, "gaussian", 0.5, TRUE, 1L)$score, by_differences), tolerance$difference)
  grid <- seq(-8, 8, by = 0.1)
  plane <- as.matrix(expand.grid(grid, grid))
  for (kernel in c("gaussian", "laplace")) {
    mass <- sum(exp(estimate(unname(plane), x, kernel, 0.5, FALSE, 1L)$log_density)) * 0.01
    expect_lt(abs(mass - 1), tolerance$integral)
  }
})

test_that("the weight of every divergence is r^2 f''(r)", {
  l <- seq(-3, 3, by = 0.25)
  h <- 1e-3
  for (divergence in setdiff(particleflow:::wgf_divergences, c("log_variance_q", "log_variance_p"))) {
    for (alpha in if (divergence == "alpha") c(-1, 0.5, 3) else NA) {
      rule <- list(divergence = divergence, alpha = alpha)
      f <- function(r) particleflow:::wgf_weights(rule, log(r))[, "f"]
      r <- exp(l)
      second <- (f(r * (1 + h)) - 2 * f(r) + f(r * (1 - h))) / (r * h)^2
      weight <- particleflow:::wgf_weights(rule, l)[, "weight"]
      expect_lt(max(abs(r^2 * second / weight - 1)), tolerance$second_difference)
    }
  }
})

test_that("the velocity of the log-variances is the gradient of their first variation", {
  # particles on a grid with weights: F = sum of q l^2 / 2 - (sum of q l)^2 / 2, l = log p/q, changed in one place
  p <- dnorm(seq(-2, 2, length.out = 9))
  q <- rep(1, 9)
  half_variance <- function(q, reference) {
    l <- log(p / q)
    m <- sum(reference * l) / sum(reference)
    0.5 * sum(reference * (l - m)^2)
  }
  q <- dnorm(seq(-2, 2, length.out = 9), 0.3, 1.2)
  p <- p / sum(p)
  q <- q / sum(q)
  l <- log(p / q)
  for (which in c("q", "p")) {
    value <- function(q) {
      if (which == "q") 0.5 * sum(q * log(p / q)^2) - 0.5 * sum(q * log(p / q))^2 else half_variance(q, p)
    }
    variation <- vapply(seq_along(q), function(i) {
      e <- replace(numeric(9), i, 1e-6)
      (value(q + e) - value(q - e)) / 2e-6
    }, 0)
    # d variation / d l, along the grid: q and p both vary there, so compare with the closed form
    mean <- if (which == "q") sum(q * l) else sum(p * l)
    closed <- if (which == "q") 0.5 * l^2 - l - mean * l + mean else -exp(l) * (l - mean)
    expect_equal(variation, closed, tolerance = 1e-6)
    slope <- function(l) if (which == "q") l - 1 - mean else -exp(l) * (1 + l - mean)
    rule <- list(divergence = paste0("log_variance_", which), alpha = NA)
    expect_equal(particleflow:::wgf_weights(rule, l, mean)[, "weight"], -slope(l), tolerance = 1e-12)
  }
})

test_that("targets: values integrate to one, gradients agree with differences, draws have their moments", {
  covariance <- matrix(c(1, 0.5, 0.5, 2), 2)
  targets <- list(
    target_mixture(rbind(c(-1, 0), c(2, 1)), list(covariance, diag(2) / 4), c(1, 3)),
    target_ring(radius = 2), target_grid(2, 2), target_banana(1, 0.5), target_funnel(2, 0.7)
  )
  set.seed(1)
  y <- matrix(rnorm(12), 6)
  grid <- seq(-15, 15, by = 0.05)
  plane <- as.matrix(expand.grid(grid, grid))
  dimnames(plane) <- NULL
  for (target in targets) {
    expect_lt(relative_error(predict(target, y, "gradient"), difference_rows(function(y) predict(target, y), y)),
              tolerance$difference)
    weight <- exp(predict(target, plane)) * 0.05^2
    expect_lt(abs(sum(weight) - 1), tolerance$integral)
    x <- simulate(target, 20000, seed = 1)
    spread <- sqrt(colSums(weight * plane^2) / 20000)
    expect_lt(max(abs(colMeans(x) - colSums(weight * plane)) / spread), 5)
    expect_equal(unname(apply(x, 2, sd)), target$spread, tolerance = 0.05)
  }
  first <- targets[[1]]
  from_first <- sweep(y, 2, c(-1, 0))
  lengths <- rowSums((from_first %*% solve(covariance)) * from_first)
  byhand <- log(0.25 / (2 * pi * sqrt(det(covariance))) * exp(-0.5 * lengths) +
                  0.75 / (2 * pi / 4) * exp(-2 * rowSums(sweep(y, 2, c(2, 1))^2)))
  expect_equal(predict(first, y), byhand, tolerance = tolerance$closed_form)
})

test_that("on a normal target the flow follows the Fokker-Planck equation, with the bandwidth's bias", {
  h <- 0.15
  goal <- 0.7
  start <- matrix(2 + 1.2 * qnorm(ppoints(1000)))
  fit <- wgf(function(x) -x[, 1]^2 / (2 * goal^2), function(x) -x / goal^2, start = start, bandwidth = h, step = 0.01,
             n_steps = 150, every = 25)
  mean <- 2
  variance <- 1.2^2
  wanted <- vapply(1:15000, function(i) { # time 1.5
    mean <<- mean - 1e-4 * mean / goal^2
    variance <<- variance + 1e-4 * 2 * variance * (1 / (variance + h^2) - 1 / goal^2)
    c(mean, variance)
  }, numeric(2))[, 2500 * 1:6]
  frames <- fit$trajectory$frames[, 1, fit$trajectory$kept > 0]
  expect_equal(fit$trajectory$kept[-1], 25 * 1:6)
  expect_lt(max(abs(colMeans(frames) - wanted[1, ])), tolerance$mean_field)
  expect_lt(max(abs(apply(frames, 2, var) - wanted[2, ])), tolerance$mean_field)
  expect_lt(abs(var(c(simulate(fit, 1000, seed = 1))) - goal^2), 0.05)
})

test_that("equal modes are found by every f-divergence, each with its mass", {
  ring <- target_ring()
  for (divergence in setdiff(particleflow:::wgf_divergences, c("log_variance_q", "log_variance_p"))) {
    set.seed(1)
    fit <- wgf(ring, n = 600, divergence = divergence, n_steps = 300)
    mass <- fit$masses[nrow(fit$masses), ]
    expect_lt(max(abs(mass[1:8] * 8 - 1)), tolerance$mass + 0.05) # 600 particles
    expect_lt(mass[["outside"]], 0.05)
    own <- energy_distance(simulate(ring, 600, seed = 2), simulate(ring, 600, seed = 3))
    expect_lt(energy_distance(simulate(fit, 600, seed = 1), simulate(ring, 600, seed = 3)), 2.5 * own)
  }
})

test_that("birth and death give separate modes their weights, which the flow alone does not", {
  ring <- target_ring(weights = 1:8)
  for (divergence in c("kl", "reverse_kl", "neyman", "hellinger")) {
    masses <- lapply(c(0, 1), function(rate) {
      set.seed(1)
      fit <- wgf(ring, n = 600, divergence = divergence, n_steps = 300, birth_death = rate)
      expect_identical(dim(fit$particles), c(600L, 2L))
      expect_identical(any(fit$trajectory$diagnostics$births[1:300] > 0), rate > 0)
      fit$masses[301, 1:8] / ring$weights
    })
    expect_gt(max(abs(masses[[1]] - 1)), 0.5)
    expect_lt(max(abs(masses[[2]] - 1)), tolerance$mass + 0.05) # 17 particles in the smallest mode
  }
})

test_that("birth and death are off if no modes are known, and keep the number of particles", {
  count <- particleflow:::systematic_counts
  set.seed(2)
  for (n in c(1, 2, 50)) {
    expected <- rexp(n)
    expected <- expected / sum(expected) * n
    for (u in c(0, 0.3, 1 - 1e-16)) {
      children <- count(expected, u)
      expect_identical(sum(children), as.numeric(n))
      expect_lte(max(abs(children - expected)), 1 + 1e-12)
    }
  }
  set.seed(1)
  fit <- wgf(function(x) -rowSums(x^2) / 2, dim = 2, n = 50, n_steps = 5)
  expect_identical(fit$control$birth_death, 0)
  expect_identical(fit$trajectory$diagnostics$births[1:5], numeric(5))
  expect_error(wgf(target_ring(), birth_death = -1), "`birth_death` must be")
})

test_that("the same seed gives the same bits for any number of threads, and in two parts", {
  fit <- function(n_steps = 12, threads = 1) {
    set.seed(3)
    wgf(target_ring(dim = 3), n = 1500, divergence = "js", n_steps = n_steps, threads = threads)
  }
  whole <- fit()
  expect_identical(fit(threads = 2)$particles, whole$particles)
  again <- resume(fit(5), 7)
  expect_identical(again$particles, whole$particles)
  expect_equal(again$trajectory$diagnostics, whole$trajectory$diagnostics)
  expect_identical(again$masses, whole$masses)
  expect_identical(dim(again$masses), c(13L, 9L))
})

test_that("a target that fails ends in one error with the last good state", {
  counted <- function(result) {
    calls <- 0
    function(x) {
      calls <<- calls + 1
      if (calls > 12) return(result(x)) # eight before the first step
      -rowSums(x^2) / 2
    }
  }
  score <- function(x) -x
  failures <- list(
    "returned NA for 1 of 20 rows" = function(x) replace(numeric(20), 3, NA),
    "returned Inf for 20 of 20" = function(x) rep(Inf, 20),
    "one number for each of the 20 rows" = function(x) 1,
    "the disk is full" = function(x) stop("the disk is full")
  )
  for (name in names(failures)) {
    set.seed(1)
    error <- tryCatch(suppressMessages(wgf(counted(failures[[name]]), score, dim = 2, n = 20, n_steps = 50)),
                      error = identity)
    expect_s3_class(error, "wgf_error")
    expect_match(conditionMessage(error), name, fixed = TRUE)
    step <- error$fit$diagnostics$steps
    expect_gt(step, 0)
    expect_match(conditionMessage(error), sprintf("At step %d of 50", step), fixed = TRUE)
    expect_identical(error$fit$diagnostics$status, "target failed")
    set.seed(1)
    same <- wgf(function(x) -rowSums(x^2) / 2, score, dim = 2, n = 20, n_steps = step)
    expect_identical(error$fit$particles, same$particles)
    expect_output(print(error$fit), "target failed")
  }
  bad_gradient <- function(x) x # the wrong sign
  expect_error(wgf(function(x) -rowSums(x^2) / 2, bad_gradient, dim = 2, n = 20), "does not agree with differences")
  expect_error(wgf(function(x) -rowSums(x^2) / 2, function(x) x[, 1], dim = 2, n = 20),
               "`gradient` must return a matrix of 20 x 2")
  expect_error(wgf(function(x) rowSums(x) / nrow(x), dim = 2, n = 20), "each row by itself")
})

test_that("a run that was stopped goes on with resume()", {
  skip_on_os("windows")
  calls <- 0
  slow <- function(x) {
    calls <<- calls + 1
    if (calls == 14) {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(1)
    }
    -rowSums(x^2) / 2
  }
  score <- function(x) -x
  set.seed(1)
  outcome <- suppressMessages(tryCatch(wgf(slow, score, dim = 2, n = 20, n_steps = 30),
                                       interrupt = function(e) "interrupted"))
  expect_identical(outcome, "interrupted")
  fit <- resume()
  set.seed(1)
  expect_identical(fit$particles, wgf(function(x) -rowSums(x^2) / 2, score, dim = 2, n = 20, n_steps = 30)$particles)
})

test_that("differences stand in for a gradient", {
  log_density <- function(x) -abs(x[, 1])^1.5 - (x[, 2] - x[, 1])^2
  set.seed(1)
  start <- matrix(rnorm(100), 50)
  by_differences <- wgf(log_density, start = start, n_steps = 20)
  gradient <- function(x) {
    cbind(-1.5 * sign(x[, 1]) * sqrt(abs(x[, 1])) + 2 * (x[, 2] - x[, 1]), -2 * (x[, 2] - x[, 1]))
  }
  exact <- wgf(log_density, gradient,
               start = start, n_steps = 20)
  expect_equal(by_differences$particles, exact$particles, tolerance = 1e-4)
})

test_that("an isolated particle comes back", {
  set.seed(1)
  start <- rbind(matrix(rnorm(200), 100), c(6, 0))
  normal <- function(x) -rowSums(x^2) / 2
  fit <- wgf(normal, function(x) -x, start = start, n_steps = 200)
  expect_lt(max(abs(fit$particles)), 4.5)
  plain <- wgf(normal, function(x) -x, start = start, n_steps = 200, floor = 0)
  expect_gt(max(abs(plain$particles)), 5)
})

test_that("simulate draws from the kernel estimate, evenly over the particles, and predict tells its density", {
  set.seed(1)
  for (kernel in c("gaussian", "laplace")) {
    fit <- wgf(target_banana(), n = 200, n_steps = 40, kernel = kernel)
    before <- .Random.seed
    x <- simulate(fit, 5000, seed = 4)
    expect_identical(.Random.seed, before)
    expect_identical(x, simulate(fit, 5000, seed = 4))
    expect_equal(dim(sample(fit, 7)), c(7L, 2L))
    h <- fit$diagnostics$bandwidth
    extra <- if (kernel == "gaussian") h^2 else 3 * h^2 # variance of the kernel in each direction, d = 2
    expect_equal(unname(apply(x, 2, var)), unname(apply(fit$particles, 2, var)) + extra, tolerance = 0.06)
    at <- matrix(rnorm(10), 5)
    reference <- reference_estimate(at, fit$particles, kernel, h)
    expect_equal(predict(fit, at), reference$log_density, tolerance = tolerance$kernel)
    expect_equal(predict(fit, at, type = "log_ratio"),
                 predict(target_banana(), at) - predict(fit, at) - fit$diagnostics$log_z,
                 tolerance = tolerance$kernel)
    expect_equal(predict(fit, at, type = "velocity"),
                 predict(target_banana(), at, "gradient") - reference$score, tolerance = 1e-8)
  }
  expect_true(all(table(particleflow:::balanced_rows(5, 12, runif(12))) %in% 2:3))
})

test_that("masses by centres, methods and plots", {
  set.seed(1)
  centres <- rbind(c(-2, 0), c(2, 0))
  two <- target_mixture(centres, 0.3)
  fit <- wgf(two, n = 100, n_steps = 30, every = 10, modes = centres)
  expect_identical(colnames(fit$masses), c("mode1", "mode2", "outside"))
  near <- mean(fit$particles[, 1] < 0)
  expect_equal(fit$masses[31, "mode1"], near, ignore_attr = TRUE)
  expect_output(print(fit), "2 of 2 modes hold particles")
  expect_output(print(summary(fit)), "Mass of each mode")
  expect_identical(nrow(tidy(fit)), 31L)
  expect_identical(glance(fit)$steps, 30L)
  expect_identical(nrow(as.data.frame(fit)), 400L)
  expect_output(print(fit$trajectory), "gaussian kernel")
  expect_error(efs_backward(fit$trajectory, fit$particles), "one from wgf")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (type in c("frames", "trace", "masses", "ratio")) expect_identical(plot(fit, type = type), fit)
  other <- wgf(two, n = 100, n_steps = 20, divergence = "neyman", modes = centres)
  expect_no_error(plot(fit, type = "masses", others = list(neyman = other)))
  picture <- particleflow:::wgf_picture(fit, "masses", NULL, list(neyman = other), 0, NULL, NULL, 1)
  expect_identical(levels(picture$curves$panel), c("kl", "neyman"))
  expect_error(plot(fit, type = "trace", others = list(a = other)), "`others` belongs to type = \"masses\"")
  skip_if_not_installed("ggplot2")
  for (type in c("frames", "trace", "masses", "ratio")) expect_s3_class(ggplot2::autoplot(fit, type = type), "ggplot")
})

test_that("arguments are checked", {
  expect_error(wgf(1), "`log_density` must be a function")
  expect_error(wgf(sum), "`dim` must give")
  expect_error(wgf(target_ring(), dim = 3), "the target has 2")
  expect_error(wgf(target_ring(), gradient = sum), "belongs to a `log_density` that is a function")
  expect_error(wgf(target_ring(), n = 1), "`n` must be one whole number of at least 2")
  expect_error(wgf(target_ring(), divergence = "chi"), "`divergence` must be one of")
  expect_error(wgf(target_ring(), alpha = 1), "neither 0 nor 1")
  expect_error(wgf(target_ring(), bandwidth = -1), "`bandwidth` must be one positive number")
  expect_error(wgf(target_ring(), cap = 0.5), "`cap`")
  expect_error(wgf(target_ring(), start = matrix(0, 5, 3)), "`dim`|`start`")
  expect_error(wgf(target_ring(), start = function(n) 1), "returns a matrix of 1000 rows")
  expect_error(target_mixture(diag(2), matrix(c(1, 2, 2, 1), 2)), "positive definite")
  for (wrong in list(diag(3), matrix(NA_real_, 2, 2), matrix(NA_real_, 3, 3), diag(c(1, Inf)), matrix(1:4, 2),
                     matrix(1, 2, 3), list(diag(2), diag(3)), list(diag(2), "a"))) {
    expect_error(target_mixture(diag(2), wrong), class = "particleflow_input",
                 "`covariances` must be symmetric matrices of 2 x 2 finite numbers, not")
  }
  expect_error(target_mixture(diag(2), weights = c(1, -1)), "`weights` must be 2 positive numbers")
})

test_that("annealed and fixed bandwidths are used as given", {
  set.seed(1)
  fit <- wgf(target_ring(), n = 50, n_steps = 20, bandwidth = c(0.8, 0.2))
  expect_equal(fit$trajectory$diagnostics$bandwidth, 0.8 * 0.25^pmin(1, 0:20 / 10))
  fit <- wgf(target_ring(), n = 50, n_steps = 5, bandwidth = 0.3, step = 0.01)
  expect_equal(fit$trajectory$times, 0.01 * 0:5)
})

test_that("particles that all start at one point are an error", {
  same <- "`start` must have rows that differ, because particles at one point stay together, but all %d rows are equal"
  expect_error(wgf(target_ring(), start = matrix(1:2, 20, 2, TRUE)), sprintf(same, 20), class = "particleflow_input")
  expect_error(wgf(target_ring(), n = 5, start = function(n) matrix(0, n, 2)), sprintf(same, 5))
  # one row that differs is enough, and so are two points
  expect_no_error(wgf(target_ring(), start = rbind(matrix(0, 9, 2), 1), n_steps = 2))
})

test_that("a log-density and a gradient that draw random numbers do not touch R's stream", {
  run <- function(noisy) {
    disturb <- function() if (noisy) {
      RNGkind("Wichmann-Hill", "Box-Muller")
      rnorm(1)
    }
    set.seed(5)
    fit <- wgf(function(x) {
      disturb()
      -rowSums(x^2) / 2
    }, function(x) {
      disturb()
      -x
    }, dim = 2, n = 40, n_steps = 3, birth_death = 1)
    list(fit$trajectory$frames, runif(1), RNGkind())
  }
  expect_identical(run(TRUE), run(FALSE))
})
