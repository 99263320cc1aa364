test_that("the density of every law integrates to 1 in one and two dimensions", {
  set.seed(1)
  line <- matrix(rexp(120))
  plane <- cbind(rnorm(60), rnorm(60)^2 / 2) + rnorm(120, sd = 0.1)
  laws <- density_laws_of_package()
  expect_true(all(c("ball", "copula", "equilibrium", "student") %in% laws))
  s <- seq(-7, 11, length.out = 385)
  square <- as.matrix(expand.grid(s, s))
  for (law in setdiff(laws, "stack")) {
    # the equilibrium's density has a pole at its edge in one dimension
    if (law != "equilibrium") {
      # the tails of the copula reach far
      grid <- if (law == "copula") seq(-60, 120, length.out = 30001) else seq(-8, 16, length.out = 2001)
      density <- exp(predict(efs(line, law = law, calibrate = FALSE), matrix(grid), type = "log_density"))
      expect_lt(abs(sum(density) * (grid[2] - grid[1]) - 1), tolerance$integral, label = law)
    }
    fit <- efs(plane, law = law, s = 0, time = 1, epsilon = 0.05)
    density <- exp(predict(fit, square, type = "log_density"))
    expect_lt(abs(sum(density) * (18 / 384)^2 - 1), tolerance$integral, label = law)
  }
})

test_that("the volume of a flow is the determinant of its numerical Jacobian", {
  set.seed(2)
  for (d in c(1, 3, 6)) {
    x <- matrix(rnorm(40 * d), 40)
    traj <- efs_forward(x, s = if (d > 1) 1 else -0.5, epsilon = 0.5, n_steps = 5)
    at <- matrix(rnorm(4 * d), 4)
    carried <- particleflow:::carry_forward(traj, at, 1L)
    expect_identical(carried$points, particleflow:::push_forward(traj, at, 1L))
    h <- 1e-5
    for (i in 1:4) {
      jacobian <- vapply(seq_len(d), function(c) {
        up <- down <- at[i, , drop = FALSE]
        up[c] <- up[c] + h
        down[c] <- down[c] - h
        (particleflow:::push_forward(traj, up, 1L) - particleflow:::push_forward(traj, down, 1L))[1, ] / (2 * h)
      }, numeric(d))
      expect_equal(carried$log_det[i], log(abs(det(matrix(jacobian, d)))), tolerance = tolerance$difference)
    }
  }
})

test_that("forward and backward give the same volume, opposite in sign", {
  fit <- efs_by_rule(two_clusters(80, 3))
  traj <- fit$trajectory
  set.seed(3)
  latent <- efs_augment(traj, 20, "local")
  control <- list(backward = "exact", tolerance = 1e-12, max_evaluations = 30L)
  back <- particleflow:::run_backward(traj, latent, control, 1L, FALSE, log_det = TRUE)
  forth <- particleflow:::carry_forward(traj, back$points, 1L)
  expect_equal(forth$log_det, back$log_det, tolerance = tolerance$inverse)
  expect_equal(forth$points, unname(latent), tolerance = tolerance$inverse)
})

test_that("a draw knows its own density, in data units, through every latent map", {
  table <- transform(iris[1:4], Sepal.Length = 1000 * Sepal.Length)
  set.seed(4)
  other <- transform(table, Sepal.Length = Sepal.Length / 1000)
  for (latent in list(latent_standardise(), latent_pca(4), latent_pca(4, scale = TRUE), "none")) {
    fit <- efs(other, latent = latent, calibrate = FALSE, density_floor = 0)
    new <- simulate(fit, 20, seed = 1, log_density = TRUE)
    expect_equal(attr(new, "log_density"), predict(fit, new, type = "log_density"), tolerance = tolerance$inverse)
  }
  # an affine change of units changes the density by its volume
  a <- predict(efs(other, calibrate = FALSE), other[1:5, ], type = "log_density")
  b <- predict(efs(table, calibrate = FALSE), table[1:5, ], type = "log_density")
  expect_equal(a - b, rep(log(1000), 5), tolerance = 1e-8)
  logged <- efs(iris[1:4], latent = latent_map(log, exp, log_det = function(x) -rowSums(log(x))), calibrate = FALSE,
                density_floor = 0)
  new <- simulate(logged, 20, seed = 1, log_density = TRUE)
  expect_equal(attr(new, "log_density"), predict(logged, new, type = "log_density"), tolerance = tolerance$inverse)
  unknown <- efs(iris[1:4], latent = latent_map(log, exp), calibrate = FALSE)
  expect_error(predict(unknown, iris[1:4], type = "log_density"),
               "give latent_map\\(\\) a `log_det`")
})

test_that("the density within a subspace says so", {
  fit <- efs(iris[1:4], latent = latent_pca(2), calibrate = FALSE)
  expect_message(value <- predict(fit, iris[1:4], type = "log_density"), "projection on 2 principal components")
  flat <- as.data.frame(fit$latent$encode(as.matrix(iris[1:4])))
  suppressMessages(same <- predict(efs(flat, latent = "none", calibrate = FALSE), flat, type = "log_density"))
  expect_equal(value, same, tolerance = tolerance$isometry)
})

test_that("in many dimensions the determinant is estimated, with an error that holds", {
  set.seed(5)
  x <- matrix(rnorm(60 * 40), 60)
  traj <- efs_forward(x, s = 2, epsilon = 20, n_steps = 3, step = 0.2)
  y <- matrix(rnorm(30 * 40), 30)
  for (self in c(TRUE, FALSE)) {
    at <- unname(traj$frames[, , 1])
    points <- if (self) at else y
    exact <- particleflow:::step_log_det(points, at, traj$gamma[1], traj, self, 1L)
    guess <- particleflow:::step_log_det_estimate(points, at, traj$gamma[1], traj, self)
    # 5 standard errors: one row in two million if the estimates are normal
    expect_true(all(abs(guess$value - exact$value) < 5 * guess$error + 1e-3 * abs(exact$value)))
    expect_gt(guess$error, 0)
  }
})

test_that("laws without a density refuse, and flows that are not one-to-one have none", {
  x <- two_clusters(60, 2)
  for (law in c("sphere", "interpolate", "neighbour")) {
    fit <- efs(x, law = law, calibrate = FALSE)
    expect_error(predict(fit, x, type = "log_density"), "has no density; fit with")
    expect_error(simulate(fit, 5, log_density = TRUE), "has no density")
  }
  wide <- matrix(rnorm(60 * 6), 60)
  expect_error(predict(efs(wide, law = "equilibrium", calibrate = FALSE), wide, type = "log_density"), "has no density")
  folded <- efs(x, epsilon = 1e-4, step = 0.5, n_steps = 3, max_bound = Inf, s = 1, calibrate = FALSE)
  beside <- x[1:40, ] + seq(0.002, 0.08, by = 0.002)
  expect_warning(value <- predict(folded, beside, type = "log_density"), "not one-to-one")
  expect_true(anyNA(value))
  expect_error(logLik(efs_by_rule(x)), "`newdata` must be given")
  expect_error(predict(efs_by_rule(x), type = "log_density"), "`newdata` must give the rows")
})

test_that("logLik sums what predict gives, class by class", {
  fit <- efs_by_rule(iris, group = "Species")
  each <- predict(fit, iris[c(1, 60, 120), ], type = "log_density")
  total <- logLik(fit, iris[c(1, 60, 120), ])
  expect_s3_class(total, "logLik")
  expect_equal(as.numeric(total), sum(each))
  expect_identical(attr(total, "nobs"), 3L)
})

test_that("a floor drops the unlikely draws and the density accounts for it", {
  set.seed(6)
  x <- two_clusters(200, 2)
  fit <- efs(x, law = "equilibrium", s = 0, epsilon = 0.08, time = 2)
  all <- simulate(fit, 500, seed = 1, density_floor = 0, log_density = TRUE)
  some <- simulate(fit, 500, seed = 1, density_floor = 0.02, log_density = TRUE)
  expect_null(attr(all, "dropped"))
  share <- attr(some, "dropped")
  expect_gt(share, 0.01)
  floor <- particleflow:::flow_floor(particleflow:::class_flows(fit)[[1]], 0.02, fit$control$backward, 1L)
  expect_equal(floor$kept, 1 - share, tolerance = 0.2)
  plain <- predict(fit, some, type = "log_density")
  expect_equal(attr(some, "log_density"), plain - log(floor$kept), tolerance = 1e-6)
  expect_gte(min(plain), floor$level + particleflow:::flow_log_volume(particleflow:::class_flows(fit)[[1]]) +
               fit$latent$log_volume(x) - 1e-6)
  # the first rows do not depend on how many are drawn
  expect_identical(simulate(fit, 40, seed = 1)[1:10, ], simulate(fit, 10, seed = 1)[1:10, ])
})

test_that("draws of a law follow its density", {
  set.seed(8)
  points <- cbind(rnorm(50), rexp(50))
  s <- seq(-9, 14, length.out = 701)
  square <- as.matrix(expand.grid(s, s))
  cell <- (23 / 700)^2
  # for tails that reach far: even steps of u, x = 1 + sinh(u) / 2
  u <- seq(-7, 7, length.out = 701)
  wide <- as.matrix(expand.grid(1 + sinh(u) / 2, 1 + sinh(u) / 2))
  wide_cell <- as.vector(outer(cosh(u), cosh(u))) * (0.5 * 14 / 700)^2
  specs <- lapply(setdiff(density_laws_of_package(), "stack"), list)
  specs <- c(specs, list(list("copula", base = "student", components = 2L)),
             list(list("copula", base = "local_covariance", k = 10)))
  for (spec in specs) {
    name <- toString(spec)
    law <- fitted_law(particleflow:::as_law(spec[[1]], spec[-1]), points)
    density <- exp(particleflow:::law_density(law, square, 1L)[, 1]) * cell
    draws <- particleflow:::draw_law(law, 20000L, c(1L, 2L), 1L)
    inside <- function(x) cbind(x[, 1] > 0.3, x[, 2] > 1, x[, 1] + x[, 2] > 1.5, rowSums(x^2) < 1)
    # 20,000 draws: five standard deviations of a share are below 0.018
    expect_lt(max(abs(colSums(inside(square) * density) / sum(density) - colMeans(inside(draws)))), 0.02, label = name)
    if (spec[[1]] == "copula") {
      everywhere <- exp(particleflow:::law_density(law, wide, 1L)[, 1]) * wide_cell
      expect_lt(abs(sum(everywhere) - 1), tolerance$integral, label = name)
    }
  }
})

test_that("a stack of laws is their mixture", {
  set.seed(10)
  points <- cbind(rnorm(60), rexp(60))
  parts <- list(list(law = "local", settings = list(jitter = 2)),
                list(law = "mixture", settings = list(components = 1L)))
  law <- fitted_law(law_stack(parts, c(3, 1)), points)
  at <- matrix(rnorm(40), 20)
  each <- sapply(law$laws, function(part) exp(particleflow:::law_density(part, at, 1L)[, 1]))
  expect_equal(exp(particleflow:::law_density(law, at, 1L)[, 1]), drop(each %*% c(0.75, 0.25)))
  draws <- particleflow:::draw_law(law, 20000L, c(1L, 2L), 1L)
  s <- seq(-9, 14, length.out = 701)
  square <- as.matrix(expand.grid(s, s))
  density <- exp(particleflow:::law_density(law, square, 1L)[, 1]) * (23 / 700)^2
  expect_lt(abs(sum(density) - 1), tolerance$integral)
  expect_lt(abs(sum(density[square[, 2] < 0]) - mean(draws[, 2] < 0)), 0.02)
  expect_match(format(law), "mixture (75 % local, 25 % mixture)", fixed = TRUE)
  # weights: a law that is right on 70 % of the rows and one on the others
  each <- log(cbind(rep(c(1, 0.01), c(70, 30)), rep(c(0.01, 1), c(70, 30)), 0.005))
  weights <- particleflow:::stacking_weights(each)
  expect_equal(weights[3], 0)
  expect_equal(weights[1], 0.7, tolerance = 0.02)
  expect_error(law_stack(1), "must be a list of laws")
  expect_error(law_stack(list()), "must be a list of laws")
  expect_error(law_stack(list(law_local()), c(1, 2)), "`weights` of the law \"stack\" must be 1 numbers")
  expect_error(law_stack(list(list(law = "sphere"))), "must have a density, but \"sphere\" has none")
  expect_error(law_stack(list("stack")), "`law` must be one of")
  expect_error(efs_augment(efs_forward(points, n_steps = 0), 5, "stack"), "The law \"stack\" needs the setting `parts`")
})

test_that("the global law keeps mean and covariance", {
  set.seed(9)
  points <- cbind(rnorm(80), rexp(80)) %*% matrix(c(1, 0.5, 0, 2), 2)
  law <- fitted_law(law_global(jitter = 0.6), points)
  draws <- particleflow:::draw_law(law, 50000L, c(3L, 4L), 1L)
  expect_equal(cov(draws), cov(points) * (1 - 1 / 80 / (1 + 0.6^2)), tolerance = 0.04)
  expect_equal(colMeans(draws), colMeans(points), tolerance = 0.05)
})
