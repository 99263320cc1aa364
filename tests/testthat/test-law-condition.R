# Every random test below has a fixed seed. Kolmogorov and Smirnov at a level of 1e-6, energy tests at 1e-3 (the
# smallest p-value that 999 permutations can give, so that a failure means that no permutation was as far away).
level <- 1e-6
key <- c(12L, 34L)

# The density of the known coordinates of z, and z with its unknown ones drawn given the known ones.
within <- function(law, z, key, threads) {
  law_box(law, replace(z, is.na(z), -Inf), replace(z, is.na(z), Inf), nrow(z), key, threads)
}
law_log_marginal <- function(law, z, threads) within(law, z, c(0L, 0L), threads)$log_probability
law_fill <- function(law, z, key, threads) replace(z, is.na(z), within(law, z, key, threads)$points[is.na(z)])
law_box <- particleflow:::law_box
law_density <- particleflow:::law_density
draw_law <- particleflow:::draw_law
law_components <- particleflow:::law_components

# Skewed, correlated rows.
skewed_rows <- function(n, d = 4) {
  set.seed(1)
  x <- matrix(rnorm(n * d), n) %*% matrix(rnorm(d * d), d)
  x[, 2] <- exp(x[, 2] / 3)
  x
}

laws_with_components <- function() {
  list(law_local(), law_global(), law_local_covariance(), law_local_covariance(k = 10, keep_moments = TRUE),
       law_student(components = 3), law_student(df = 3), law_mixture(components = 2), law_copula(),
       law_copula(base = "student", components = 2), law_copula(base = "local_covariance"),
       law_stack(list(law_local(), law_copula(), law_student(df = 4)), c(1, 2, 3)))
}

# One Gaussian, or one t: a law whose conditional laws have closed forms.
one_component <- function(df = Inf, d = 4) {
  law <- fitted_law(law_mixture(components = 1), skewed_rows(300, d))
  if (is.finite(df)) {
    law <- structure(c(unclass(law), list(df = df, prior = 2)), class = c("law_student", "latent_law"))
    law$name <- "student"
  }
  list(law = law, mean = law$means[1, ], scale = crossprod(law$roots[[1]]))
}

# P(lower <= X <= upper) of one component that is given the coordinates `points`, in one coordinate.
conditional <- function(one, df, z, given, wanted) {
  inverse <- solve(one$scale[given, given])
  away <- t(z[, given, drop = FALSE]) - one$mean[given]
  slope <- one$scale[wanted, given, drop = FALSE] %*% inverse
  length2 <- colSums(away * (inverse %*% away))
  scale <- if (is.finite(df)) sqrt((df + length2) / (df + length(given))) else 1
  list(mean = t(one$mean[wanted] + slope %*% away), scale = scale,
       covariance = one$scale[wanted, wanted] - slope %*% one$scale[given, wanted], df = df + length(given))
}

test_that("without NA the log-marginal is the log-density, for every law that has components", {
  x <- skewed_rows(120)
  at <- rbind(x[1:20, ], 4 * x[1:10, ])
  for (kind in laws_with_components()) {
    law <- fitted_law(kind, x)
    expect_equal(law_log_marginal(law, at, 2L), law_density(law, at, 2L)[, 1], tolerance = tolerance$kernel,
                 info = format(kind))
    none <- matrix(NA_real_, 2, 4)
    expect_equal(law_log_marginal(law, none, 1L), c(0, 0), tolerance = tolerance$rounding)
  }
  searched <- names(particleflow:::searched_laws())
  expect_true(all(searched %in% vapply(laws_with_components(), `[[`, "", "name")))
  for (kind in list(law_equilibrium(), law_ball(), law_sphere(), law_interpolate(), law_neighbour(),
                    law_stack(list(law_local(), law_ball())), law_local(jitter = 0), law_copula(base = law_ball()))) {
    expect_null(law_components(fitted_law(kind, x)))
  }
})

test_that("marginals are the integrals of the density", {
  x <- skewed_rows(150, 2)
  grid <- seq(-40, 40, length.out = 8001)
  for (kind in laws_with_components()) {
    law <- fitted_law(kind, x)
    for (value in c(-1, 0.5)) {
      joint <- law_density(law, cbind(value, grid), 2L)[, 1]
      own <- exp(law_log_marginal(law, cbind(value, NA), 1L))
      expect_equal(own, sum(exp(joint)) * (grid[2] - grid[1]), tolerance = tolerance$integral, info = format(kind))
    }
  }
  # the marginal of a copula in one coordinate is its map alone
  law <- fitted_law(law_copula(), x)
  piece <- particleflow:::piecewise(law$maps[[1]]$x, law$maps[[1]]$z, x[1:9, 1])
  expect_equal(law_log_marginal(law, cbind(x[1:9, 1], NA), 1L), dnorm(piece$value, log = TRUE) + log(piece$slope),
               tolerance = tolerance$closed_form)
})

test_that("filled rows of a Gaussian and of a t have the closed conditional law", {
  n <- 20000
  given <- c(1, 3)
  wanted <- c(2, 4)
  for (df in c(Inf, 3)) {
    one <- one_component(df)
    z <- matrix(c(1, NA, -2, NA), n, 4, byrow = TRUE)
    z[, 3] <- seq(-3, 3, length.out = n)
    filled <- law_fill(one$law, z, key, 2L)
    expect_identical(filled[, given], z[, given])
    law <- conditional(one, df, z, given, wanted)
    root <- chol(law$covariance)
    white <- backsolve(root, t(filled[, wanted] - law$mean) / rep(law$scale, each = 2), transpose = TRUE)
    p <- function(q) if (is.finite(df)) pt(q, law$df) else pnorm(q)
    for (j in 1:2) expect_gt(ks.test(white[j, ], p)$p.value, level)
    # t: the squared length has the F law of both coordinates together
    expect_gt(ks.test(colSums(white^2) / 2, function(q) pf(q, 2, law$df))$p.value, level)
    if (is.infinite(df)) {
      expect_lt(max(abs(rowMeans(white))), 5 / sqrt(n))
      expect_lt(max(abs(cov(t(white)) - diag(2))), 5 * sqrt(2 / n))
    }
  }
})

test_that("components are chosen with their probabilities given what is observed", {
  n <- 20000
  for (kind in list(law_local_covariance(), law_student(components = 3), law_global())) {
    law <- fitted_law(kind, skewed_rows(200, 3))
    mixture <- law_components(law)
    z <- cbind(NA, rep(c(0.5, 1.5), n / 2), NA)
    filled <- law_fill(law, z, key, 2L)
    # P(X_1 <= x | X_2) = sum of the shares of the components times their conditional distribution functions
    distribution <- numeric(n)
    total <- numeric(n)
    for (k in seq_along(mixture$weights)) {
      lower <- matrix(0, 3, 3)
      lower[upper.tri(lower, diag = TRUE)] <- mixture$roots[, if (mixture$shared) 1 else k]
      own <- list(mean = mixture$means[, k], scale = crossprod(lower))
      df <- mixture$df[k]
      part <- conditional(own, df, z, 2, 1)
      sd <- sqrt(own$scale[2, 2])
      away <- (z[, 2] - own$mean[2]) / sd
      share <- mixture$weights[k] * (if (is.finite(df)) dt(away, df) else dnorm(away)) / sd
      at <- (filled[, 1] - part$mean) / (part$scale * sqrt(part$covariance[1]))
      total <- total + share
      distribution <- distribution + share * (if (is.finite(df)) pt(at, part$df) else pnorm(at))
    }
    expect_gt(ks.test(distribution / total, punif)$p.value, level)
    expect_equal(law_log_marginal(law, z[1:2, ], 1L), log(total[1:2]), tolerance = tolerance$kernel)
  }
})

test_that("boxes of Gaussians and of t have the probabilities of closed forms", {
  box <- function(one, lower, upper, n = 400L) law_box(one$law, lower, upper, n, key, 2L)
  free <- c(-Inf, -Inf)
  one <- one_component(Inf, 2)
  sd <- sqrt(diag(one$scale))
  # one box: exact, also far out
  for (far in c(1, 8, 40)) {
    found <- box(one, c(one$mean[1] + far * sd[1], -Inf), c(Inf, Inf))
    expect_equal(found$log_probability, pnorm(far, lower.tail = FALSE, log.p = TRUE), tolerance = tolerance$closed_form)
    expect_identical(found$standard_error, 0)
    expect_identical(found$effective_size, Inf)
    tail <- pnorm((found$points[, 1] - one$mean[1]) / sd[1], lower.tail = FALSE, log.p = TRUE)
    expect_gt(ks.test(exp(tail - found$log_probability), punif)$p.value, level)
  }
  # two boxes: the second given the first, integrated; five standard errors
  lower <- one$mean + c(0.3, -2) * sd
  upper <- one$mean + c(2, 0.1) * sd
  inner <- function(x) {
    law <- conditional(one, Inf, cbind(x, NA), 1, 2)
    s <- sqrt(law$covariance[1])
    dnorm(x, one$mean[1], sd[1]) * (pnorm(upper[2], law$mean, s) - pnorm(lower[2], law$mean, s))
  }
  exact <- integrate(inner, lower[1], upper[1], rel.tol = 1e-10)$value
  found <- box(one, lower, upper)
  expect_gt(found$standard_error, 0)
  expect_lt(found$standard_error, 0.02)
  expect_lt(abs(found$log_probability - log(exact)), 5 * found$standard_error)
  expect_true(all(t(found$points) >= lower & t(found$points) <= upper))
  expect_false(any(duplicated(found$points)))
  # independent coordinates, 8 and 9 standard deviations out
  one$law$roots[[1]] <- diag(sd)
  found <- box(one, one$mean + c(8, -Inf), c(Inf, one$mean[2] - 9 * sd[2]))
  expect_equal(found$log_probability,
               pnorm(8 / sd[1], lower.tail = FALSE, log.p = TRUE) + pnorm(-9, log.p = TRUE), tolerance = 1e-3)
  # a t far out in one coordinate, and an orthant about its centre
  heavy <- one_component(3, 2)
  sd <- sqrt(diag(heavy$scale))
  found <- box(heavy, c(heavy$mean[1] + 30 * sd[1], -Inf), c(Inf, Inf))
  expect_equal(found$log_probability, pt(30, 3, lower.tail = FALSE, log.p = TRUE), tolerance = tolerance$closed_form)
  found <- box(heavy, heavy$mean, c(Inf, Inf))
  exact <- 1 / 4 + asin(heavy$scale[1, 2] / prod(sd)) / (2 * pi)
  expect_lt(abs(found$log_probability - log(exact)), 5 * found$standard_error)
})

test_that("a point and a box together have the density of the point times the probability of the box", {
  for (df in c(Inf, 3)) {
    one <- one_component(df, 3)
    lower <- c(0.5, one$mean[2], -Inf)
    upper <- c(0.5, Inf, Inf)
    found <- law_box(one$law, lower, upper, 2000L, key, 2L)
    law <- conditional(one, df, cbind(0.5, NA, NA), 1, 2)
    s <- law$scale * sqrt(law$covariance[1])
    law$mean <- drop(law$mean)
    tail <- function(x) if (is.finite(df)) pt((x - law$mean) / s, law$df, lower.tail = FALSE) else
      pnorm(x, law$mean, s, lower.tail = FALSE)
    exact <- law_log_marginal(one$law, cbind(0.5, NA, NA), 1L) + log(tail(lower[2]))
    expect_equal(found$log_probability, drop(exact), tolerance = tolerance$closed_form)
    expect_true(all(found$points[, 1] == 0.5))
    expect_gt(ks.test(tail(found$points[, 2]) / drop(tail(lower[2])), punif)$p.value, level)
  }
})

test_that("draws in a box are those of rejection sampling, for every law that has components", {
  lower <- c(0, -Inf, -1, -Inf)
  upper <- c(1.5, 1.5, Inf, 1)
  for (kind in laws_with_components()) {
    law <- fitted_law(kind, skewed_rows(200))
    drawn <- draw_law(law, 30000L, key + 1L, 2L)
    inside <- colSums(t(drawn) >= lower & t(drawn) <= upper) == 4
    found <- law_box(law, lower, upper, 400L, key, 2L)
    share <- mean(inside)
    expect_gt(share, 0.01)
    # five standard errors of both
    error <- sqrt((1 - share) / sum(inside) + found$standard_error^2)
    expect_lt(abs(found$log_probability - log(share)), 5 * error, label = format(kind))
    expect_gt(energy_test(found$points, drawn[which(inside)[1:400], ], 999, seed = 1)$p.value, 1e-3,
              label = format(kind))
    expect_true(all(t(found$points) >= lower & t(found$points) <= upper))
    expect_gt(found$effective_size, 1600)
  }
})

test_that("rows depend on their key, number and condition alone, whatever the threads", {
  x <- skewed_rows(500)
  z <- x[1:60, ]
  set.seed(2)
  z[sample(length(z), 120)] <- NA
  lower <- matrix(-Inf, 60, 4)
  upper <- -lower
  lower[, 1] <- z[, 1] - 1
  upper[, 1] <- lower[, 1] + 1
  lower[is.na(lower)] <- -Inf
  upper[is.na(upper)] <- Inf
  lower[, 3] <- rep(c(-1, 0), 30)
  lower[1:9, 2] <- upper[1:9, 2] <- 1
  for (kind in laws_with_components()) {
    law <- fitted_law(kind, x)
    filled <- law_fill(law, z, key, 1L)
    boxed <- law_box(law, lower, upper, 60L, key, 1L)
    expect_identical(law_fill(law, z, key, 2L), filled)
    expect_identical(law_box(law, lower, upper, 60L, key, 2L), boxed)
    expect_identical(law_log_marginal(law, z, 1L), law_log_marginal(law, z, 2L))
    expect_identical(law_fill(law, z[1:7, ], key, 2L), filled[1:7, ])
    # blocks of other sizes
    expect_identical(with_constant("block_seconds", 1e-9, law_fill(law, z, key, 1L)), filled)
    expect_false(identical(law_fill(law, z, key + 1L, 2L), filled))
    expect_identical(filled[!is.na(z)], z[!is.na(z)])
    expect_false(anyNA(filled))
    expect_true(all(boxed$points >= lower & boxed$points <= upper))
    expect_length(boxed$log_probability, 60)
  }
  expect_identical(law_fill(law, x, key, 1L), x)
  expect_identical(law_log_marginal(law, x[0, ], 1L), numeric())
  expect_identical(dim(law_fill(law, x[0, ], key, 1L)), c(0L, 4L))
  expect_identical(dim(law_box(law, rep(0, 4), rep(1, 4), 0L, key, 1L)$points), c(0L, 4L))
})

test_that("a box for each row agrees with one box for all", {
  law <- fitted_law(law_local_covariance(), skewed_rows(200))
  lower <- c(0, -Inf, -1, -Inf)
  upper <- c(1.5, 1.5, Inf, 1)
  one <- law_box(law, lower, upper, 500L, key, 2L)
  each <- law_box(law, matrix(lower, 500, 4, byrow = TRUE), matrix(upper, 500, 4, byrow = TRUE), 500L, key, 2L)
  expect_lt(abs(mean(exp(each$log_probability)) / exp(one$log_probability) - 1), 5 * one$standard_error)
  # the standard errors are those of the rows: the chi-squared sum of 500
  deviation <- (each$log_probability - one$log_probability) / each$standard_error
  expect_lt(abs(mean(deviation^2) - 1), 5 * sqrt(2 / 500) + 0.1)
  expect_gt(energy_test(one$points, each$points, 999, seed = 1)$p.value, 1e-3)
})

test_that("more proposals are made where few are effective, and a warning says if that is not enough", {
  # two coordinates that are nearly equal, and a box where they are not
  law <- fitted_law(law_mixture(components = 1), skewed_rows(300, 2))
  law$means[] <- 0
  law$roots[[1]] <- chol(matrix(c(1, 0.99999, 0.99999, 1), 2))
  found <- law_box(law, c(0, -Inf), c(Inf, 0), 200L, key, 2L)
  exact <- 1 / 4 - asin(0.99999) / (2 * pi)
  expect_lt(abs(found$log_probability - log(exact)), 5 * found$standard_error)
  expect_gt(found$effective_size, 800)
  few <- utils::modifyList(particleflow:::row_proposals, list(single = 4L, most = 8L))
  with_constant("all_proposals", 8, with_constant("row_proposals", few, {
    expect_warning(law_box(law, c(0, -Inf), c(Inf, 0), 200L, key, 2L),
                   "200 draws come from fewer than 4 effective proposals each \\(of 8\\)")
  }))
})

test_that("conditions that cannot be met are refused in one sentence", {
  law <- fitted_law(law_local(), skewed_rows(50, 2))
  box <- function(lower, upper) law_box(law, lower, upper, 5L, key, 1L)
  expect_error(box(c(0, 1), c(1, 0)), "^`lower` must be at most `upper` in every coordinate, and finite", class =
                 "particleflow_input")
  expect_error(box(c(0, NA), c(1, 0)), "^`lower` must be at most `upper`")
  expect_error(box(c(0, Inf), c(1, Inf)), "and finite where both are equal[.]$")
  expect_error(box(c(0, 1), 1), "^`lower` and `upper` must have equal extents, not ")
  expect_error(box(c(1e200, -Inf), c(Inf, Inf)), "^The condition of row 1 has no probability under the law \"local\"",
               class = "particleflow_unsolved")
})

# ---- Laws without components ----

test_that("a uniform ball is filled, and its margin estimated, as geometry says", {
  law <- fitted_law(law_ball(), skewed_rows(100, 3))
  x1 <- law$centre[1] + law$radius * 0.6
  z <- cbind(rep(x1, 500), NA, NA)
  filled <- law_fill(law, z, key, 2L)
  # uniform on the disc of radius .8
  r2 <- colSums((t(filled[, 2:3]) - law$centre[2:3])^2) / (0.8 * law$radius)^2
  expect_gt(ks.test(r2, punif)$p.value, level)
  expect_identical(filled[1:20, ], law_fill(law, z[1:20, ], key, 1L))
  # 512 proposals, about half of which have no weight: a tenth is more than two standard errors
  margin <- 3 / 4 * (1 - 0.6^2) / law$radius
  expect_lt(abs(law_log_marginal(law, z[1, , drop = FALSE], 1L) - log(margin)), 0.2)
  whole <- filled[1:3, ]
  expect_identical(law_log_marginal(law, whole, 1L), law_density(law, whole, 1L)[, 1])
  expect_identical(law_log_marginal(law, z[1, , drop = FALSE] * NA, 1L), 0)
  # a box by rejection, and with a point
  half <- law_box(law, c(law$centre[1], -Inf, -Inf), rep(Inf, 3), 200L, key, 2L)
  expect_lt(abs(half$log_probability - log(0.5)), 5 * half$standard_error)
  expect_true(all(half$points[, 1] >= law$centre[1]))
  quarter <- law_box(law, c(x1, law$centre[2], -Inf), c(x1, Inf, Inf), 100L, key, 2L)
  expect_true(all(quarter$points[, 1] == x1 & quarter$points[, 2] >= law$centre[2]))
  expect_lt(abs(quarter$log_probability - log(margin / 2)), 5 * quarter$standard_error)
  rows <- law_box(law, rbind(half$points[1, ] - 0.3, law$centre), rbind(half$points[1, ] + 0.3, rep(Inf, 3)), 2L, key,
                  1L)
  expect_true(all(rows$points[2, ] >= law$centre))
  expect_lt(abs(rows$log_probability[2] - log(1 / 8)), 5 * rows$standard_error[2])
  with_constant("any_law", utils::modifyList(particleflow:::any_law, list(most = 5000)), {
    expect_error(law_box(law, c(1e3, -Inf, -Inf), rep(Inf, 3), 4L, key, 1L),
                 paste0("^Only 0 of 5000 draws of the law \"ball\" meet the condition, whose probability is below ",
                        "2e-04; 4 are wanted[.]$"), class = "particleflow_unsolved")
  })
  expect_error(law_fill(law, z + 1e3, key, 1L), "^The condition of row 1 has no probability under the law \"ball\"")
  expect_error(law_fill(fitted_law(law_sphere(), skewed_rows(50, 3)), z, key, 1L), "The law \"sphere\" has no density")
})

test_that("a law of a user is conditioned on by its components, or without them", {
  mine <- function(...) {
    law_kind("my_gaussian",
             fit = function(points) list(mean = colMeans(points), root = chol(cov(points))),
             draw = function(law, n) t(law$mean + t(matrix(rnorm(n * length(law$mean)), n) %*% law$root)),
             density = function(law, points) {
               z <- backsolve(law$root, t(points) - law$mean, transpose = TRUE)
               -colSums(z^2) / 2 - sum(log(diag(law$root))) - ncol(points) / 2 * log(2 * pi)
             }, ...)
  }
  packed <- function(law) {
    list(weights = 1, means = matrix(law$mean), df = Inf,
         roots = matrix(law$root[upper.tri(law$root, diag = TRUE)]))
  }
  x <- skewed_rows(300, 3)
  z <- matrix(c(1, NA, 0.5), 300, 3, byrow = TRUE)
  known <- fitted_law(mine(components = packed), x)
  unknown <- fitted_law(mine(), x)
  expect_null(law_components(unknown))
  expect_equal(law_log_marginal(known, x[1:5, ], 1L), law_density(unknown, x[1:5, ], 1L)[, 1],
               tolerance = tolerance$kernel)
  a <- law_fill(known, z, key, 2L)[, 2]
  b <- law_fill(unknown, z, key, 2L)[, 2]
  expect_gt(ks.test(a, b)$p.value, level)
  expect_gt(ks.test(b, pnorm, mean(a), sd(a))$p.value, level)
  wrong <- fitted_law(mine(components = function(law) packed(law)[1:3]), x)
  expect_error(law_fill(wrong, z, key, 1L), "`components` of the law \"my_gaussian\" must return NULL or a list of")
  expect_error(mine(components = 1), "`components` must be a function")
})
