test_that("one update of a network is Adam's", {
  widths <- c(2L, 3L, 2L)
  set.seed(1)
  key <- c(1L, 2L)
  parameters <- .Call(routine("network_start"), widths, key)
  x <- matrix(rnorm(10), 5)
  by_output <- matrix(rnorm(10), 5)
  gradient <- .Call(routine("network_backward"), parameters, widths, 0, x, by_output, 1L)$parameters
  learner <- cbind(parameters, rnorm(length(parameters)), runif(length(parameters)))
  found <- .Call(routine("network_update"), learner, 3, widths, 0, x, by_output, 0.01, 1L)
  m <- 0.9 * learner[, 2] + 0.1 * gradient
  v <- 0.99 * learner[, 3] + 0.01 * gradient^2
  wanted <- cbind(learner[, 1] - 0.01 * (m / (1 - 0.9^4)) / (sqrt(v / (1 - 0.99^4)) + 1e-8), m, v)
  expect_identical(colnames(found), colnames(particleflow:::new_learner(parameters)))
  expect_equal(unname(found), unname(wanted), tolerance = tolerance$kernel)
})

test_that("fields are the gradients of what they lower", {
  set.seed(1)
  x <- matrix(rnorm(14), 7)
  y <- matrix(rnorm(20, 1), 10)
  gradient_of <- function(value) {
    out <- x
    for (i in seq_along(x)) {
      above <- below <- x
      above[i] <- x[i] + 1e-5
      below[i] <- x[i] - 1e-5
      out[i] <- (value(above) - value(below)) / 2e-5
    }
    out
  }
  n <- nrow(x)
  inside <- asNamespace("particleflow")
  expect_equal(inside$energy_pull(x, y, 1L), gradient_of(function(x) energy_distance(x, y, unbiased = TRUE)) * n / 2,
               tolerance = tolerance$difference)
  mmd_of <- function(x) mmd(x, y, bandwidth = 0.6) + mmd(x, y, bandwidth = 1.2)
  expect_equal(inside$mmd_pull(x, y, c(0.6, 1.2), 1L), gradient_of(mmd_of) * n / 2, tolerance = tolerance$difference)
  t <- matrix(rnorm(6), 3)
  at <- c(list(t = t), inside$empirical_characteristic(y, t))
  value <- function(x) {
    here <- inside$empirical_characteristic(x, t)
    sum((here$re - at$re)^2 + (here$im - at$im)^2)
  }
  expect_equal(inside$characteristic_pull(x, at), gradient_of(value) * n / 2, tolerance = tolerance$difference)
})

test_that("pairs along random lines lead a sample onto another", {
  set.seed(1)
  x <- matrix(rnorm(200), 100)
  y <- matrix(rnorm(200, c(3, 1)), 100)
  for (step in 1:60) x <- x - 0.5 * particleflow:::sliced_pull(x, y, c(1L, 2L), step)
  expect_lt(sliced_wasserstein(x, y), 0.1)
  # on one line it is the map between ranks, whatever the sizes
  a <- matrix(c(3, 1, 2))
  b <- matrix(c(10, 20, 30))
  expect_equal(a - particleflow:::sliced_pull(a, b, c(1L, 2L), 1L), matrix(c(30, 10, 20)))
})

test_that("a generator makes the law of a flow in one pass, and survives saving", {
  set.seed(1)
  ring <- target_ring(4, radius = 3)
  fit <- wgf(ring, n = 500, n_steps = 200, method = "plain")
  y <- simulate(ring, 1000, seed = 5)
  start <- energy_distance(simulate(distill(fit, base_dim = 2, n_steps = 0), 1000, seed = 6), y)
  for (field in c("energy", "sliced", "rule")) {
    set.seed(2)
    gen <- distill(fit, field, base_dim = 2, n_steps = 300, check_every = 50)
    expect_s3_class(gen, c("distill", "generator", "particle_flow"), exact = TRUE)
    x <- simulate(gen, 1000, seed = 6)
    expect_lt(energy_distance(x, y), start / 2)
    path <- tempfile()
    saveRDS(gen, path)
    expect_identical(simulate(readRDS(path), 1000, seed = 6), x)
    expect_identical(simulate(gen, 10000, seed = 6)[1:1000, ], unclass(x)[1:1000, ])
  }
  expect_identical(is.null(gen$noise), FALSE) # the rule's draws carry the kernel
  untrained <- distill(ring, n_steps = 0)
  expect_gt(untrained$noise$bandwidth, 0)
  expect_true(all(is.finite(simulate(untrained, 10, seed = 1))))
  from_target <- distill(ring, n_steps = 20)
  expect_identical(from_target$diagnostics$field, "rule")
})

test_that("a base law of several modes keeps them apart in many columns", {
  set.seed(1)
  ring <- target_ring(8, dim = 16)
  gen <- distill(ring, "energy", n_steps = 50, check_every = 25)
  expect_gte(length(gen$frame$base$weights), 8)
  x <- simulate(gen, 2000, seed = 1)
  expect_identical(simulate(gen, 10000, seed = 1)[1:2000, ], unclass(x)[1:2000, ])
  # the energy distance of 2000 exact draws varies by a third of its mean
  y <- simulate(ring, 2000, seed = 2)
  exact <- mean(vapply(3:8, function(seed) energy_distance(simulate(ring, 2000, seed = seed), y), 0))
  expect_lt(energy_distance(x, y), 3 * exact)
  share <- tabulate(max.col(-as.matrix(stats::dist(rbind(ring$means, unname(x[, ]))))[-(1:8), 1:8]), 8) / 2000
  expect_lt(max(abs(8 * share - 1)), 0.25)
})

test_that("draws are the map of base points from the mixture, one stream per block of rows", {
  set.seed(1)
  gen <- distill(target_ring(4, dim = 3), "energy", n_steps = 2, components = 4)
  base <- gen$frame$base
  key <- particleflow:::with_stream(2, particleflow:::draw_key)
  points <- lapply(1:2, function(block) {
    n <- c(8192, 8)[block]
    u <- particleflow:::draw_uniform(n, 1L, particleflow:::other_key(key, particleflow:::base_label), 3L * block)
    from <- findInterval(u, cumsum(base$weights)) + 1
    particleflow:::component_rows(particleflow:::draw_normal(n, 3L, key, 3L * block), from, base)
  })
  z <- do.call(rbind, points)
  expect_equal(unclass(simulate(gen, 8200, seed = 2)), predict(gen, z), ignore_attr = "seed",
               tolerance = tolerance$kernel)
  made <- particleflow:::base_draws(8L, gen$network, gen$frame, key, 6L)
  expect_equal(made, points[[2]], tolerance = tolerance$kernel)
  # the density of the base law by which draws are weighted is that of these points
  log_density <- vapply(1:4, function(k) {
    white <- (z - rep(base$means[k, ], each = nrow(z))) %*% solve(base$roots[[k]])
    log(base$weights[k]) - sum(log(diag(base$roots[[k]]))) + rowSums(dnorm(white, log = TRUE))
  }, numeric(nrow(z)))
  expect_equal(particleflow:::base_log_density(base, z)[, 1], log(rowSums(exp(log_density))),
               tolerance = tolerance$kernel)
})

test_that("weights make the draws of a generator those of its density", {
  set.seed(1)
  banana <- target_banana(dim = 3)
  gen <- distill(banana, "energy", n_steps = 100, check_every = 50)
  x <- simulate(gen, 20000, seed = 1, weights = TRUE)
  expect_identical(c(x), c(simulate(gen, 20000, seed = 1)))
  log_weight <- attr(x, "log_weight")
  w <- exp(log_weight - max(log_weight))
  worth <- sum(w)^2 / sum(w^2)
  expect_gt(worth, 2000)
  # means and second moments, and the integral, which is 1, within five standard errors
  expect_lt(max(abs(colSums(w * x) / sum(w)) / c(2, sqrt(1 + 0.5 * 2^4), 1)), 5 / sqrt(worth))
  expect_lt(abs(sum(w * x[, 1]^2) / sum(w) / 4 - 1), 5 * sqrt(2 / worth))
  expect_lt(abs(mean(exp(log_weight)) - 1), 5 * sd(exp(log_weight)) / sqrt(20000))
  expect_error(simulate(distill(target_ring(4), n_steps = 1), 5, weights = TRUE), "without noise of a kernel")
  expect_error(simulate(distill(target_ring(4), "energy", base_dim = 3, n_steps = 1), 5, weights = TRUE),
               "as many base numbers")
  expect_error(simulate(distill(efs_by_rule(iris[1:4]), n_steps = 1), 5, weights = TRUE), "a generator of a density")
})

test_that("generators of densities with constraints stay within them", {
  set.seed(1)
  fit <- temper(function(x) stats::dgamma(x[, "a"], 3, 2, log = TRUE) + stats::dnorm(x[, "b"], x[, "a"], log = TRUE),
                dim = c("a", "b"), lower = c(a = 0), n = 200)
  gen <- distill(fit, n_steps = 100)
  x <- simulate(gen, 5000, seed = 1, weights = TRUE)
  expect_identical(colnames(x), c("a", "b"))
  expect_gt(min(x[, "a"]), 0)
  expect_lt(abs(mean(x[, "a"]) - 1.5), 0.1)
  w <- exp(attr(x, "log_weight"))
  expect_lt(abs(log(mean(w))), 0.1) # both parts are normalised
  expect_gt(min(simulate(distill(fit, "rule", n_steps = 5, batch = 100), 500, seed = 1)[, "a"]), 0)
})

test_that("flows of data can be distilled, and rows come back in their form", {
  set.seed(1)
  x <- data.frame(a = rnorm(80), b = rexp(80), c = 1)
  fit <- efs_by_rule(x)
  gen <- distill(fit, n_sample = 500, n_steps = 50)
  new <- simulate(gen, 5, seed = 1)
  expect_identical(names(new), names(x))
  expect_identical(new$c, rep(1, 5))
  expect_error(distill(efs_by_rule(iris, group = "Species")), "has groups")
  moved <- gpa(function(n) matrix(rnorm(2 * n), n), as.matrix(x[1:2]), n_steps = 20)
  expect_identical(colnames(simulate(distill(moved, "sliced", n_sample = 100, n_steps = 5), 3)), c("a", "b"))
  expect_error(distill(moved, "rule"), "needs a density")
})

test_that("training is reproducible, resumable, stops early and keeps the best network", {
  set.seed(1)
  fit <- wgf(target_ring(4), n = 100, n_steps = 20)
  train <- function(n_steps = 40, ...) {
    set.seed(3)
    distill(fit, n_sample = 200, n_steps = n_steps, batch = 64, hidden = c(8, 8), check_every = 10, ...)
  }
  whole <- train()
  expect_identical(train(threads = 2)$network, whole$network)
  path <- tempfile()
  train(checkpoint = path)
  expect_identical(resume(path, 0)$network, whole$network)
  more <- resume(path, 20)
  expect_identical(more$diagnostics$steps, 60L)
  expect_equal(whole$diagnostics$best_step, whole$trace$step[which.min(whole$trace$score)])
  stopped <- train(400, patience = 1, rate = 0.3)
  expect_identical(stopped$diagnostics$status, "stopped early")
  expect_lt(stopped$diagnostics$steps, 400)
})

test_that("generators print, plot and check their arguments", {
  set.seed(1)
  gen <- distill(target_ring(4), n_steps = 10, batch = 50)
  expect_output(print(gen), "a generator: draws of 4 Gaussians to 2 columns")
  expect_output(print(distill(target_ring(4), base_dim = 3, n_steps = 1)), "3 normal numbers to 2 columns")
  expect_output(print(summary(gen)), "score")
  expect_identical(glance(gen)$steps, 10L)
  expect_identical(dim(predict(gen, matrix(0, 3, 2))), c(3L, 2L))
  expect_identical(dim(sample(gen, 4)), c(4L, 2L))
  expect_identical(nrow(simulate(gen, 0)), 0L)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (type in c("points", "trace")) expect_identical(plot(gen, type = type), gen)
  expect_error(plot(gen, type = "map"), "one base dimension")
  expect_error(predict(gen, matrix(0, 1, 3)), "3 columns; 2 are wanted")
  expect_error(distill(1), "`object` must be a fit")
  expect_error(distill(target_ring(), "energy2"), "`field` must be one of")
  expect_error(distill(target_ring(), batch = 1), "`batch`")
  expect_error(distill(target_ring(), components = 0), "`components`")
  expect_error(distill(target_ring(), components = 2, base_dim = 2), "only one of them")
  skip_if_not_installed("ggplot2")
  for (type in c("points", "trace")) expect_s3_class(ggplot2::autoplot(gen, type = type), "ggplot")
})

test_that("draws of a generator do not depend on the number of threads", {
  set.seed(4)
  gen <- distill(target_ring(4), n_steps = 5, batch = 50)
  before <- particleflow_threads(1)
  on.exit(particleflow_threads(before))
  one <- simulate(gen, 9000, seed = 1)
  particleflow_threads(2)
  expect_identical(simulate(gen, 9000, seed = 1), one)
})

test_that("draws of a generator are its map at normal numbers, one stream per block of rows", {
  set.seed(1)
  x <- cbind(a = rexp(100), b = rnorm(100))
  fit <- pushforward(x, "energy", n_steps = 3, base_dim = 3, bounds = c(-10, 20), pin = list(c(0, 0, 0), c(1, 0)))
  drawn <- simulate(fit, 8200, seed = 2)
  key <- particleflow:::with_stream(2, particleflow:::draw_key)
  z <- rbind(particleflow:::draw_normal(8192, 3, key, 3L), particleflow:::draw_normal(8, 3, key, 6L))
  expect_equal(unclass(drawn), predict(fit, z), ignore_attr = "seed", tolerance = 0)
  # the map, in R
  layers <- function(z) {
    w <- fit$network$widths
    p <- fit$network$parameters
    for (l in seq_len(length(w) - 1)) {
      weights <- matrix(p[seq_len(w[l] * w[l + 1])], w[l + 1])
      z <- z %*% t(weights) + rep(p[w[l] * w[l + 1] + seq_len(w[l + 1])], each = nrow(z))
      p <- p[-seq_len((w[l] + 1) * w[l + 1])]
      if (l < length(w) - 1) z <- pmax(z, 0)
    }
    z
  }
  each <- function(values) rep(values, each = 5)
  frame <- fit$frame
  width <- frame$bounds[2, ] - frame$bounds[1, ]
  origin <- layers(matrix(0, 1, 3)) - qlogis((frame$pin$x - frame$bounds[1, ]) / width)
  y <- layers(z[1:5, ]) + z[1:5, 1:2] - each(origin)
  wanted <- each(frame$centre) + each(frame$spread) * (each(frame$bounds[1, ]) + each(width) * plogis(y))
  expect_equal(predict(fit, z[1:5, ]), wanted, ignore_attr = TRUE, tolerance = tolerance$kernel)
})

test_that("a matrix of numbers is written at once, and one of whole numbers is rounded", {
  set.seed(1)
  x <- matrix(rnorm(60), 20, dimnames = list(NULL, c("a", "b", "c")))
  fits <- lapply(list(x, as.data.frame(x)), function(x) {
    set.seed(3)
    simulate(pushforward(x, "energy", n_steps = 2), 5, seed = 1)
  })
  expect_identical(unname(as.matrix(fits[[2]])), matrix(c(fits[[1]]), 5))
  expect_identical(dimnames(fits[[1]]), list(NULL, c("a", "b", "c")))
  whole <- simulate(pushforward(matrix(1:60, 20), "energy", n_steps = 2), 5, seed = 1)
  expect_identical(typeof(whole), "integer")
})
