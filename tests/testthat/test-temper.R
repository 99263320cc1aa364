# Tempered particles: closed forms first. All random tests have a fixed seed; where a limit is a number of standard
# errors, the false-alarm rate is below 1e-4 per test.

# log of the sum of exp(l) over each row
log_sum <- function(l) {
  top <- do.call(pmax, as.data.frame(l))
  top + log(rowSums(exp(l - top)))
}

gaussian <- function(mean, covariance) {
  precision <- solve(covariance)
  off <- function(x) sweep(x, 2, mean)
  list(log_density = function(x) -rowSums((off(x) %*% precision) * off(x)) / 2,
       gradient = function(x) -off(x) %*% precision, dim = length(mean), mean = mean, sd = sqrt(diag(covariance)),
       log_z = as.numeric(determinant(2 * pi * covariance)$modulus) / 2)
}

temper_of <- function(law, seed = 1, ...) {
  set.seed(seed)
  temper(law$log_density, law$gradient, law$dim, ..., progress = FALSE)
}

# Means within .1 sd, sds within 8 %, log Z within .05.
expect_right <- function(fit, law) {
  x <- fit$draws
  expect_lt(max(abs(colMeans(x) - law$mean) / law$sd), 0.1)
  expect_lt(max(abs(log(apply(x, 2, sd) / law$sd))), 0.08)
  expect_lt(abs(fit$diagnostics$log_z - law$log_z), 0.05)
  expect_true(fit$diagnostics$trusted)
  expect_match(paste(format(fit), collapse = " "), "no sign against it")
}

test_that("normal laws: correlated, in scales from 1e-3 to 1e3, a thousand sds away", {
  correlated <- matrix(0.99, 10, 10) + diag(0.01, 10)
  expect_right(temper_of(gaussian(numeric(10), correlated)), gaussian(numeric(10), correlated))
  scales <- gaussian(numeric(6), diag(10^seq(-6, 6, length.out = 6)))
  expect_right(temper_of(scales), scales)
  far <- gaussian(rep(1000, 3), diag(3))
  fit <- temper_of(far)
  expect_right(fit, far)
  expect_lt(fit$diagnostics$evaluations, 1e5)
})

test_that("two modes of shares .2 and .8 that nobody named", {
  m <- rbind(rep(-3, 5), rep(3, 5))
  each <- function(x) sapply(1:2, function(k) log(c(0.2, 0.8)[k]) - colSums((t(x) - m[k, ])^2) / 2)
  law <- list(
    log_density = function(x) log_sum(matrix(each(x), nrow(x))),
    gradient = function(x) {
      l <- matrix(each(x), nrow(x))
      exp(l - log_sum(l)) %*% m - x
    },
    dim = 5, mean = rep(1.8, 5), sd = rep(sqrt(1 + 0.16 * 36), 5), log_z = 2.5 * log(2 * pi))
  fit <- temper_of(law)
  expect_right(fit, law)
  expect_lt(abs(sort(fit$modes$share)[1] - 0.2), 0.03)
  expect_identical(nrow(fit$modes), 2L)
})

test_that("t with 2 degrees of freedom in 5 dimensions", {
  law <- list(log_density = function(x) -3.5 * log1p(rowSums(x^2) / 2),
              gradient = function(x) -7 * x / (2 + rowSums(x^2)), dim = 5)
  fit <- temper_of(law)
  log_z <- 2.5 * log(2 * pi) + lgamma(1) - lgamma(3.5)
  expect_lt(abs(fit$diagnostics$log_z - log_z), 0.05)
  expect_true(fit$diagnostics$trusted)
  q <- apply(fit$draws, 2, quantile, c(0.1, 0.5, 0.9))
  expect_lt(max(abs(q - qt(c(0.1, 0.5, 0.9), 2))), 0.15)
})

test_that("edges, plateaus and a bend", {
  edge <- list(log_density = function(x) ifelse(rowSums(x < 0) > 0, -Inf, -rowSums(x)),
               gradient = function(x) 0 * x - 1, dim = 3, mean = rep(1, 3), sd = rep(1, 3), log_z = 0)
  expect_right(temper_of(edge), edge)
  plateau <- list(log_density = function(x) -10 * rowSums(pmax(abs(x) - 5, 0)),
                  gradient = function(x) -10 * sign(x) * (abs(x) > 5), dim = 2, mean = c(0, 0), log_z = 2 * log(10.2))
  plateau$sd <- rep(sqrt((2 * 5^3 / 3 + 2 * (2.5 + 0.1 + 0.002)) / 10.2), 2)
  expect_right(temper_of(plateau), plateau)
  banana <- list(log_density = target_banana(), mean = c(0, 0), sd = c(2, 3), log_z = 0)
  expect_right(temper_of(banana), banana)
})

test_that("constraints by name: bounds, a simplex, an order", {
  # an exponential law, a beta law on (0, 1), a Dirichlet law, and two ordered normal numbers
  a <- c(2, 3, 4)
  names <- c("rate", "share", "p1", "p2", "p3", "low", "high")
  law <- list(log_density = function(x) {
    -2 * x[, "rate"] + log(x[, "share"]) + 3 * log1p(-x[, "share"]) + drop(log(x[, 3:5]) %*% (a - 1)) -
      rowSums(x[, 6:7]^2) / 2
  }, dim = names)
  fit <- temper_of(law, lower = c(rate = 0, share = 0), upper = c(share = 1), simplex = c("p1", "p2", "p3"),
                   ordered = c("low", "high"), n = 600)
  expect_identical(colnames(fit$draws), names)
  expect_lt(max(abs(rowSums(fit$draws[, 3:5]) - 1)), tolerance$closed_form)
  expect_true(all(fit$draws[, "low"] < fit$draws[, "high"]))
  gap <- 1 / sqrt(pi) # mean of the larger of two normal numbers
  mean <- c(0.5, 2 / 6, a / 9, -gap, gap)
  sd <- c(0.5, sqrt(2 * 4 / 36 / 7), sqrt(a * (9 - a) / 81 / 10), rep(sqrt(1 - 1 / pi), 2))
  expect_lt(max(abs(colMeans(fit$draws) - mean) / sd), 0.1)
  expect_lt(max(abs(log(apply(fit$draws, 2, stats::sd) / sd))), 0.08)
  log_z <- -log(2) + lbeta(2, 4) + sum(lgamma(a)) - lgamma(9) + log(2 * pi) - log(2)
  expect_lt(abs(fit$diagnostics$log_z - log_z), 0.05)
  # the density at a point is that of the user's parameters
  x <- fit$draws[1:5, ]
  expect_equal(predict(fit, x, type = "log_target"), law$log_density(x) - fit$diagnostics$log_z, tolerance = 1e-8)
  expect_equal(predict(fit, x[, 7:1]), predict(fit, x))
})

test_that("a funnel is doubted", {
  for (seed in 1:2) {
    set.seed(seed)
    fit <- temper(target_funnel(6, sd = 3), n = 400)
    expect_false(fit$diagnostics$trusted)
    expect_match(particleflow:::verdict_words(fit$checks), "^not to be trusted, because")
  }
})

test_that("the same bits for any number of threads, in parts, after an interrupt and after an error", {
  law <- gaussian(c(1, -1), diag(2))
  whole <- temper_of(law, n = 120, threads = 1)
  expect_identical(temper_of(law, n = 120, threads = 2)$draws, whole$draws)
  more <- resume(whole, 3)
  expect_identical(more$draws[seq_len(nrow(whole$draws)), ], whole$draws)
  expect_identical(nrow(more$draws), nrow(whole$draws) + 360L)
  expect_identical(resume(whole)$draws, whole$draws)
  calls <- 0
  broken <- law
  broken$log_density <- function(x) {
    calls <<- calls + 1
    if (calls == 25) stop("the disk of the user is full")
    law$log_density(x)
  }
  path <- tempfile()
  outcome <- tryCatch(temper_of(broken, n = 120, checkpoint = path), error = function(e) e)
  expect_s3_class(outcome, "temper_error")
  expect_match(conditionMessage(outcome), "the disk of the user is full", fixed = TRUE)
  expect_match(conditionMessage(outcome), "After step")
  expect_identical(unname(resume()$draws), unname(whole$draws))
  if (file.exists(path)) expect_identical(unname(resume(path)$draws), unname(whole$draws))
  calls <- 0
  stopped <- law
  stopped$log_density <- function(x) {
    calls <<- calls + 1
    if (calls == 25) signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
    law$log_density(x)
  }
  expect_identical(tryCatch(temper_of(stopped, n = 120), interrupt = function(e) "interrupted"), "interrupted")
  expect_identical(unname(resume()$draws), unname(whole$draws))
})

test_that("a start, one population, a wrong gradient, wrong arguments", {
  law <- gaussian(c(50, -20), diag(c(4, 0.01)))
  set.seed(1)
  fit <- temper(law$log_density, law$gradient, start = cbind(a = c(40, 60), b = c(-19, -21)), populations = 1, n = 400)
  expect_identical(colnames(fit$draws), c("a", "b"))
  expect_lt(max(abs(colMeans(fit$draws) - law$mean) / law$sd), 0.1)
  expect_error(temper(law$log_density, function(x) -law$gradient(x), dim = 2), "gradient", class = "particleflow_input")
  expect_error(temper(law$log_density), "`dim` must give", class = "particleflow_input")
  expect_error(temper(law$log_density, dim = 2, populations = 0), "`populations`", class = "particleflow_input")
  expect_error(temper(function(x) rep(-Inf, nrow(x)), dim = 2), "-Inf", class = "particleflow_input")
  expect_error(temper(function(x) rep(Inf, nrow(x)), dim = 2), "Inf", class = "particleflow_input")
})

test_that("methods", {
  law <- gaussian(c(1, -1), diag(c(1, 4)))
  fit <- temper_of(law, n = 200)
  table <- summary(fit)$parameters
  expect_identical(table$parameter, c("x1", "x2"))
  # five standard errors
  expect_lt(max(abs(table$mean - law$mean) / table$mc_error), 5)
  expect_identical(tidy(fit), table)
  expect_identical(nrow(glance(fit)), 1L)
  expect_identical(dim(as.data.frame(fit)), c(nrow(fit$draws), 4L))
  expect_output(print(summary(fit)), "no sign against it")
  expect_identical(simulate(fit, 5, seed = 2), simulate(fit, 5, seed = 2))
  drawn <- simulate(fit, nrow(fit$draws), seed = 2)
  expect_equal(colMeans(drawn), colMeans(fit$draws))
  apart <- simulate(fit, 4000, seed = 2, from = "density")
  expect_lt(max(abs(colMeans(apart) - law$mean) / law$sd), 0.15)
  # the mixture is normalised and close to the density
  grid <- as.matrix(expand.grid(seq(-7, 9, by = 0.2), seq(-17, 15, by = 0.2)))
  expect_lt(abs(sum(exp(predict(fit, unname(grid)))) * 0.04 - 1), tolerance$integral)
  expect_lt(mean(abs(predict(fit, type = "log_ratio"))), 0.2)
  for (type in c("pairs", "trace", "stages")) {
    pdf(NULL)
    expect_invisible(plot(fit, type))
    dev.off()
  }
  expect_error(plot(fit, "stages", parameters = 1), "`parameters` belongs to", class = "particleflow_input")
  expect_error(plot(fit, parameters = "y"), "`parameters` must be", class = "particleflow_input")
  fit$draws[1, 1] <- 0
  expect_error(summary(fit), "was changed", class = "particleflow_input")
})

test_that("draws of package posterior have populations as chains and normalised weights", {
  skip_if_not_installed("posterior")
  fit <- temper_of(gaussian(c(1, -1), diag(2)), n = 200)
  for (from in c("particles", "density")) {
    draws <- posterior::as_draws(fit, from = from)
    expect_identical(posterior::variables(draws), c("x1", "x2"))
    expect_identical(posterior::nchains(draws), if (from == "particles") 4L else 1L)
    expect_equal(sum(exp(draws$.log_weight)), 1)
  }
  means <- as.numeric(posterior::summarise_draws(posterior::as_draws(fit), "mean")$mean) # pillars of a newer version
  expect_equal(means, unname(colMeans(fit$draws)))
  law <- gaussian(c(1, -1), diag(2))
  moved <- wgf(law$log_density, law$gradient, 2, n = 50, n_steps = 20)
  expect_equal(unname(unclass(posterior::as_draws_matrix(posterior::as_draws(moved)))[, 1:2]), unname(moved$draws),
               ignore_attr = TRUE)
  plain <- wgf(law$log_density, law$gradient, 2, n = 50, n_steps = 1, method = "plain")
  expect_error(posterior::as_draws(plain), "holds no draws", class = "particleflow_input")
})

# Draws as temper() has them: n chains of p = N(0, 1) over rounds, whose values have the correlation `stay` from one
# round to the next, and draws of q = t with 4 degrees of freedom, scale 1.3. The integral of exp(log p) is known.
# alike: the correlation of the particles of a population.
bridge_of_chains <- function(n, rounds, stay, alike) {
  population <- rep(1:4, each = n / 4)
  fresh <- function() sqrt(alike) * rnorm(4)[population] + sqrt(1 - alike) * rnorm(n)
  x <- matrix(0, n, rounds)
  x[, 1] <- fresh()
  for (i in seq_len(rounds)[-1]) x[, i] <- stay * x[, i - 1] + sqrt(1 - stay^2) * fresh()
  log_ratio <- function(x) dnorm(x, log = TRUE) + 5 - dt(x / 1.3, 4, log = TRUE) + log(1.3)
  found <- particleflow:::bridge(log_ratio(1.3 * rt(n * rounds, 4)), log_ratio(c(x)))
  c(off = found$log_z - 5, error = particleflow:::bridge_error(found, rep(population, rounds), n))
}

test_that("the standard error of log Z is that of the draws, whatever their correlation", {
  set.seed(1)
  # 400 runs: the sd of the ratio is 4 %, that of the coverage 1 to 1.5 %; limits are 4 of these sds away from 1.1 and
  # .96. Dependence within populations is known from four numbers: there the coverage is that of a t law, .86 or more.
  for (case in list(c(80, 8, 0, 0), c(200, 10, 0.8, 0), c(200, 10, 0.97, 0), c(200, 10, 0.9, 0.3))) {
    runs <- replicate(400, bridge_of_chains(case[1], case[2], case[3], case[4]))
    ratio <- sqrt(mean(runs["error", ]^2) / mean(runs["off", ]^2))
    covered <- mean(abs(runs["off", ]) <= 2 * runs["error", ])
    expect_gt(ratio, 0.85)
    expect_lt(ratio, 1.35)
    expect_gt(covered, if (case[4] > 0) 0.8 else 0.9)
    expect_lte(covered, 0.995)
  }
})

test_that("points where the log-density is NaN are counted and told", {
  half <- function(x) {
    value <- -rowSums(x^2) / 2
    value[x[, 1] < 0] <- NaN
    value
  }
  set.seed(1)
  fit <- expect_no_warning(temper(half, dim = 2, n = 80))
  expect_gt(fit$diagnostics$nan_points, 0)
  expect_lt(fit$diagnostics$nan_points, fit$diagnostics$points / 2)
  expect_output(print(fit), "`log_density` was NaN at [0-9,]+ of [0-9,]+ points, which count as outside")
  law <- gaussian(c(0, 0), diag(2))
  expect_identical(temper_of(law, n = 80)$diagnostics$nan_points, 0)
  expect_warning(particleflow:::warn_nan(c(all = 20, points = 10, nan = 6)), "NaN at 6 of 10 points.*is this meant")
  expect_no_warning(particleflow:::warn_nan(c(all = 20, points = 10, nan = 5)))
  moved <- wgf(half, dim = 2, n = 50, n_steps = 5)
  expect_gt(moved$diagnostics$nan_points, 0)
  expect_output(print(moved), "`log_density` was NaN at")
})

test_that("a doubt about particles that stand still says where they stand", {
  density <- particleflow:::new_density(function(x) -rowSums(x^2) / 2, dim = c("mu", "tau"))
  set.seed(1)
  points <- matrix(rnorm(2000), 1000)
  far <- order(points[, 2])[1:10]
  run <- list(density = density, state = list(cloud = list(points = points), still = replace(integer(1000), far, 20L)))
  found <- particleflow:::still_check(run)
  expect_match(found$reason, "1.0 % of the particles did not move in 16 rounds, most of them where", fixed = TRUE)
  expect_match(found$reason, "\"tau\" is small (", fixed = TRUE)
  expect_match(found$reason, "its share of the mass is not known well")
  run$state$still[] <- 0L
  expect_false(particleflow:::still_check(run)$failed)
})

test_that("modes: the normal law at a mode is exact for a normal density, and each search ends at its mode", {
  covariance <- crossprod(matrix(c(1, 0, 0, 0.5, 2, 0, 0, 1, 0.1), 3))
  law <- gaussian(c(2, -1, 0), covariance)
  density <- particleflow:::new_density(law$log_density, law$gradient, 3)
  set.seed(1)
  starts <- matrix(rnorm(60, sd = 3), 20)
  modes <- particleflow:::find_modes(density, starts, 100, 1L)
  expect_identical(modes$count, 20L)
  expect_false(modes$edge)
  expect_lt(max(abs(modes$points - law$mean) / law$sd), 0.05)
  expect_equal(crossprod(modes$roots[[1]]), covariance, tolerance = 1e-4)
})

test_that("the shape of Pareto weights is found", {
  set.seed(1)
  for (k in c(0.3, 0.7)) {
    # log weights with tail index 1 / k; the standard error of k is (1 + k) / sqrt(tail) = .05
    found <- particleflow:::smooth_weights(k * rexp(1e5))
    expect_lt(abs(found$k - k), 4 * (1 + k) / sqrt(particleflow:::tail_size(1e5)))
  }
  expect_identical(particleflow:::smooth_weights(numeric(100))$k, -Inf)
})

test_that("a mode that was found and lost its particles is a reason for doubt", {
  far <- function(x) {
    a <- -rowSums((x - 1e4)^2) / 2
    b <- log(3) - rowSums((x + 1e4)^2) / 2
    pmax(a, b) + log1p(exp(-abs(a - b)))
  }
  set.seed(1)
  fit <- temper(far, start = rbind(c(1e4, 1e4), c(-1e4, -1e4)), n = 80)
  expect_equal(sort(fit$modes$mass), c(0.25, 0.75), tolerance = 0.05)
  if (min(fit$modes$share) < 0.01) expect_match(fit$verdict, "1 mode that searches found holds next to no draws")
  # the check itself, whatever the particles did
  draws <- list(free = matrix(1e4, 50, 2))
  run <- particleflow:::as_run(fit)
  expect_true(particleflow:::empty_check(run, draws)$failed)
  expect_false(particleflow:::empty_check(run, list(free = rbind(draws$free, -draws$free)))$failed)
})

test_that("densities with edges between which there is no room for differences run", {
  names <- c("r21", "r31", "r32")
  flat <- function(x) {
    ifelse(1 + 2 * x[, 1] * x[, 2] * x[, 3] - rowSums(x[, 1:3, drop = FALSE]^2) > 0, 0, -Inf)
  }
  set.seed(1)
  fit <- temper(flat, dim = names, correlation = names, n = 200)
  expect_lt(max(abs(colMeans(fit$draws))), 0.1) # symmetric
  # the volume of correlation matrices of order 3 is pi^2 / 2
  expect_lt(abs(fit$diagnostics$log_z - log(pi^2 / 2)), 0.1)
})

test_that("what cannot be right is doubted, and the integral is not told before the end", {
  set.seed(1)
  hidden <- suppressWarnings(temper(function(x) -1e300 - rowSums(x^2) / 2, dim = 2, n = 80))
  expect_match(hidden$verdict, "as large as 1.0e\\+300, so that its differences are lost")
  improper <- temper(function(x) rep(0, nrow(x)), dim = c("a", "b"), lower = c(a = 0), n = 200)
  expect_match(improper$verdict, "not to be trusted")
  run <- particleflow:::as_run(improper)
  run$ended <- "stages used up"
  run$state$phase <- "temper"
  checks <- particleflow:::temper_checks(run, particleflow:::kept_draws(run), NULL)
  expect_match(checks$reason[checks$check == "end"], "perhaps its integral is infinite")
  expect_true(all(improper$checks$reason[!improper$checks$failed] == ""))
})

test_that("functions of the user get at least two rows and finite parameters", {
  h <- function(x) {
    stopifnot(all(is.finite(x)))
    rowSums(-x[, 1:2]^2) / 2 + x[, 3] - exp(x[, 3])
  }
  set.seed(1)
  fit <- temper(h, dim = 3, n = 80)
  expect_length(predict(fit, cbind(0, 0, 0), "log_target"), 1)
  expect_length(attr(simulate(distill(fit, n_steps = 2, n_sample = 500), 1, weights = TRUE), "log_weight"), 1)
  moved <- wgf(h, dim = 3, n = 50, n_steps = 5)
  expect_identical(nrow(simulate(moved, 1)), 1L)
  expect_length(predict(moved, cbind(0, 0, 0), "log_ratio"), 1)
})

test_that("starts may be data frames, names that results need are refused, and small samples are distilled", {
  normal <- function(x) -rowSums(x^2) / 2
  set.seed(1)
  fit <- temper(normal, start = data.frame(a = 1:3, b = 2:4), n = 80)
  expect_identical(colnames(fit$draws), c("a", "b"))
  expect_identical(ncol(temper(normal, start = data.frame(a = 1, b = 2), n = 80)$draws), 2L)
  expect_identical(colnames(wgf(normal, start = data.frame(a = 1:3, b = 2:4), n = 50, n_steps = 2)$draws), c("a", "b"))
  for (name in c(".chain", "population")) {
    expect_error(temper(normal, dim = c("a", name)), "cannot be named", class = "particleflow_input")
  }
  expect_error(temper(function(x) sum(x), dim = c("m", "s")), 'write x[, "m"] for a parameter', fixed = TRUE)
  expect_identical(distill(fit, n_sample = 20, n_steps = 2)$diagnostics$steps, 2L)
})

test_that("a run that was looked at in the middle goes on to its end", {
  normal <- function(x) -rowSums(x^2) / 2
  set.seed(1)
  whole <- temper(normal, dim = 2, n = 80)
  path <- tempfile()
  set.seed(1)
  calls <- 0
  expect_error(temper(function(x) {
    calls <<- calls + 1
    if (calls == 60) stop("once")
    normal(x)
  }, dim = 2, n = 80, checkpoint = path), "once", class = "temper_error")
  part <- suppressMessages(resume(n_steps = 0))
  expect_false(part$diagnostics$trusted)
  expect_output(print(part), "log of the integral of p: not known yet")
  expect_warning(simulate(part, 2), "has not come to its end")
  expect_equal(resume(part)$draws, whole$draws)
})
