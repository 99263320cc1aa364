density_of <- function(...) particleflow:::new_density(...)
flat <- function(x) numeric(nrow(x))

# Densities with one constraint each, and whether the last user's column follows from the others.
shapes <- list(
  lower = list(dim = c("a", "b"), lower = c(-1, 2)),
  upper = list(dim = c("a", "b"), upper = c(b = 3)),
  interval = list(dim = c("a", "b", "c"), lower = c(0, -2, -Inf), upper = c(1, 5, Inf)),
  simplex = list(dim = c("a", "b", "c", "d"), simplex = c("a", "b", "c", "d")),
  ordered = list(dim = c("a", "b", "c"), ordered = c("a", "b", "c")),
  positive_ordered = list(dim = c("a", "b", "c"), ordered = c("a", "b", "c"), lower = 0.5),
  correlation = list(dim = paste0("r", 1:6), correlation = paste0("r", 1:6)),
  mixed = list(dim = c("s", "p", "o2", "q", "o1", "r"), lower = c(s = 0), simplex = c("p", "q"),
               ordered = c("o1", "o2"), correlation = "r")
)
one_shape <- function(name, ...) do.call(density_of, c(list(...), shapes[[name]]))
# the columns of the user's parameters whose volume is meant
volume_columns <- list(simplex = 1:3, mixed = c(1, 2, 3, 5, 6))

test_that("parameters go to free coordinates and back", {
  set.seed(1)
  for (name in names(shapes)) {
    density <- one_shape(name, flat)
    z <- matrix(rnorm(7 * density$dim), 7)
    x <- particleflow:::to_user(density, z)
    expect_identical(colnames(x), shapes[[name]]$dim)
    expect_lt(max(abs(particleflow:::to_free(density, x) - z)), tolerance$inverse)
    expect_lt(max(abs(particleflow:::to_free(density, x[, ncol(x):1]) - z)), tolerance$inverse) # by name
  }
  r <- particleflow:::to_user(one_shape("correlation", flat), matrix(rnorm(60), 10))
  for (i in 1:10) {
    matrix <- diag(4)
    matrix[lower.tri(matrix)] <- r[i, ]
    matrix[upper.tri(matrix)] <- t(matrix)[upper.tri(matrix)]
    expect_gt(min(eigen(matrix, TRUE)$values), 0)
  }
})

test_that("log Jacobians are those of numerical determinants", {
  set.seed(2)
  for (name in names(shapes)) {
    density <- one_shape(name, flat)
    z <- matrix(rnorm(3 * density$dim), 3)
    found <- particleflow:::density_values(density, z, 1L, FALSE)$log_density
    columns <- if (is.null(volume_columns[[name]])) seq_len(density$size) else volume_columns[[name]]
    for (i in 1:3) {
      jacobian <- vapply(seq_len(density$dim), function(k) {
        step <- replace(numeric(density$dim), k, 1e-5)
        ends <- particleflow:::to_user(density, rbind(z[i, ] + step, z[i, ] - step))[, columns]
        (ends[1, ] - ends[2, ]) / 2e-5
      }, numeric(length(columns)))
      expect_equal(found[i], log(abs(det(as.matrix(jacobian)))), tolerance = tolerance$difference)
    }
  }
})

test_that("gradients follow the chain rule", {
  set.seed(3)
  weights <- seq(0.3, 2, length.out = 6)
  value <- function(x) drop(sin(x) %*% weights[seq_len(ncol(x))]) + x[, 1] * x[, ncol(x)]
  score <- function(x) {
    g <- cos(x) * rep(weights[seq_len(ncol(x))], each = nrow(x))
    g[, 1] <- g[, 1] + x[, ncol(x)]
    g[, ncol(x)] <- g[, ncol(x)] + x[, 1]
    unname(g)
  }
  for (name in names(shapes)) {
    for (white in c(FALSE, TRUE)) {
      given <- one_shape(name, value, score)
      counted <- one_shape(name, value)
      if (white) {
        root <- chol(diag(given$dim) + 0.3)
        given <- particleflow:::whiten_density(given, seq_len(given$dim) / 10, root)
        counted <- particleflow:::whiten_density(counted, seq_len(given$dim) / 10, root)
      }
      z <- matrix(rnorm(4 * given$dim), 4)
      exact <- particleflow:::density_values(given, z, 1L)
      differences <- particleflow:::density_values(counted, z, 1L)
      expect_equal(exact$gradient, differences$gradient, tolerance = tolerance$difference)
      expect_equal(exact$log_density, differences$log_density, tolerance = tolerance$closed_form)
      expect_equal(c(exact$evaluations[["all"]], differences$evaluations[["all"]]), c(8, 4 * (1 + 2 * given$dim)))
      expect_silent(particleflow:::verify_density(given, z, exact))
    }
  }
})

test_that("known laws keep their mass on the free scale", {
  mass <- function(density, width, by) {
    axes <- rep(list(seq(-width, width, by = by)), density$dim)
    z <- unname(as.matrix(expand.grid(axes)))
    sum(exp(particleflow:::density_values(density, z, 1L, FALSE)$log_density)) * by^density$dim
  }
  cases <- list(
    gamma = density_of(function(x) dgamma(x[, 1], 2, 3, log = TRUE), dim = 1, lower = 0),
    below = density_of(function(x) dexp(4 - x[, 1], log = TRUE), dim = 1, upper = 4),
    beta = density_of(function(x) dbeta(x[, 1] / 5, 2, 3, log = TRUE) - log(5), dim = 1, lower = 0, upper = 5),
    dirichlet = density_of(function(x) lgamma(6) - lgamma(2) - lgamma(3) + log(x[, 2]) + 2 * log(x[, 3]),
                           dim = c("a", "b", "c"), simplex = c("a", "b", "c")),
    # the order statistics of two exponentials
    ordered = density_of(function(x) log(2) - x[, 1] - x[, 2], dim = c("a", "b"), ordered = c("a", "b"), lower = 0),
    sorted = density_of(function(x) log(2) + rowSums(dnorm(x, log = TRUE)), dim = c("a", "b"), ordered = c("a", "b")),
    # det(R)^(eta - 1) for two correlations given the third: the law of LKJ in K = 2 is that of 2 beta - 1
    lkj2 = density_of(function(x) dbeta((x[, 1] + 1) / 2, 2, 2, log = TRUE) - log(2), dim = "r", correlation = "r")
  )
  for (name in names(cases)) {
    wide <- if (cases[[name]]$dim == 1) c(30, 0.02) else c(15, 0.1)
    expect_lt(abs(mass(cases[[name]], wide[1], wide[2]) - 1), tolerance$integral)
  }
  # the volume of all correlation matrices of size 3 is pi^2 / 2
  volume <- density_of(flat, dim = c("a", "b", "c"), correlation = c("a", "b", "c"))
  expect_lt(abs(mass(volume, 8, 0.2) / (pi^2 / 2) - 1), tolerance$integral)
})

test_that("-Inf and NaN are outside, +Inf is an error, and differences beside an edge are one-sided", {
  exponential <- density_of(function(x) ifelse(x[, 1] > 0, -3 * x[, 1], NaN), dim = 1)
  found <- particleflow:::density_values(exponential, cbind(c(1, -1, 1e-7)), 1L)
  expect_equal(found$log_density, c(-3, -Inf, -3e-7))
  expect_equal(found$gradient[, 1], c(-3, 0, -3), tolerance = 1e-4)
  expect_equal(found$evaluations, c(all = 9, points = 3, nan = 1))
  broken <- density_of(function(x) -x[, 1]^2, function(x) replace(-2 * x, 2, NaN), dim = 1)
  expect_identical(particleflow:::density_values(broken, cbind(c(1, 2)), 1L)$log_density, c(-1, -Inf))
  infinite <- density_of(function(x) rep(Inf, nrow(x)), dim = 1)
  expect_error(particleflow:::density_values(infinite, cbind(1:2), 1L), "finite or -Inf numbers, but it returned Inf")
  nowhere <- density_of(function(x) rep(-Inf, nrow(x)), dim = 2)
  z <- matrix(0, 3, 2)
  expect_error(particleflow:::verify_density(nowhere, z, particleflow:::density_values(nowhere, z, 1L)),
               "must be finite somewhere", class = "particleflow_input")
})

test_that("a wrong gradient is named, and a right one at a spike is not accused", {
  check <- function(density, z) particleflow:::verify_density(density, z, particleflow:::density_values(density, z, 1L))
  set.seed(4)
  normal <- function(x) -x[, 1]^2 / 2 - x[, 2]^2 / 2e6 - 5e5 * x[, 3]^2
  right <- function(x) unname(cbind(-x[, 1], -x[, 2] / 1e6, -1e6 * x[, 3]))
  names <- c("mean", "wide", "narrow")
  z <- matrix(rnorm(15), 5) * rep(c(1, 1e3, 1e-3), each = 5)
  expect_no_error(check(density_of(normal, right, dim = names), z))
  for (k in 1:3) {
    wrong <- function(x) right(x) * rep(replace(c(1, 1, 1), k, 1.2), each = nrow(x))
    expect_error(check(density_of(normal, wrong, dim = names), z), sprintf("for parameter \"%s\"", names[k]))
  }
  positive <- density_of(function(x) -x[, 1], function(x) matrix(1, nrow(x)), dim = "sigma", lower = 0)
  expect_error(check(positive, matrix(rnorm(5))), "for parameter \"sigma\"")
  shares <- c("p", "q")
  simplex <- density_of(function(x) log(x[, 1]), function(x) cbind(x[, 1], 0), dim = shares, simplex = shares)
  expect_error(check(simplex, matrix(rnorm(5))), "for the simplex of \"p\", \"q\"")
  spikes <- list(
    root = density_of(function(x) -sqrt(abs(x[, 1])), function(x) -sign(x) / (2 * sqrt(abs(x))), dim = 1),
    log = density_of(function(x) -log(abs(x[, 1])), function(x) -1 / x, dim = 1),
    corner = density_of(function(x) -abs(x[, 1]), function(x) -sign(x), dim = 1)
  )
  for (spike in spikes) for (size in 10^(0:-12)) expect_no_error(check(spike, cbind(size * rnorm(5))))
})

test_that("Stein's identities tell by how much normal draws are off", {
  set.seed(5)
  covariance <- diag(3) + 0.6
  root <- chol(covariance)
  inverse <- chol2inv(root)
  score <- function(x) -x %*% inverse
  z <- matrix(rnorm(6e4), ncol = 3) %*% root
  good <- particleflow:::stein_check(z, score(z))
  # seven errors: a false alarm in 1e10
  expect_lt(max(abs(good$coordinates$shift / good$coordinates$shift_error)), 7)
  expect_lt(max(abs((good$coordinates$ratio - 1) / good$coordinates$ratio_error)), 7)
  off <- z * rep(c(1, 1.5, 1), each = nrow(z))
  off[, 1] <- off[, 1] + 0.5 * sqrt(covariance[1, 1])
  bad <- particleflow:::stein_check(off, score(off))
  expect_equal(bad$coordinates$shift, c(-0.5, 0, 0), tolerance = 0.05)
  expect_equal(bad$coordinates$ratio, c(1, 1.5, 1), tolerance = 0.05)
  expect_true(all(bad$coordinates$shift_error < 0.02 & bad$coordinates$ratio_error < 0.03))
  # the errors are the standard deviations over repetitions
  each <- replicate(200, {
    z <- matrix(rnorm(900), ncol = 3) %*% root
    found <- particleflow:::stein_check(z, score(z))$coordinates
    c(found$shift[1], found$ratio[1], found$shift_error[1], found$ratio_error[1])
  })
  expect_equal(apply(each[1:2, ], 1, sd), rowMeans(each[3:4, ]), tolerance = 0.25)
})

test_that("constraints are checked", {
  refused <- function(message, ...) expect_error(density_of(flat, ...), message, class = "particleflow_input")
  refused("`dim` must be a number, or the names", dim = c("a", "a"))
  refused("`lower` must be below `upper`, but for parameter \"b\"", dim = c("a", "b"), lower = 0, upper = c(b = 0))
  refused("`lower` must be one number, one for each", dim = 3, lower = 1:2)
  refused("`lower` names \"z\", which `dim` does not", dim = "a", lower = c(z = 1))
  refused("`dim` must give the names of all parameters", dim = 2, simplex = c("a", "b"))
  refused("`simplex` must name at least two", dim = "a", simplex = "a")
  refused("`correlation` must name K [(]K - 1[)] / 2", dim = c("a", "b"), correlation = c("a", "b"))
  refused("must stand in one constraint", dim = c("a", "b"), simplex = c("a", "b"), ordered = c("a", "b"))
  refused("cannot bound parameter \"a\", which stands in `simplex`", dim = c("a", "b"), simplex = c("a", "b"),
          lower = c(a = 0.1))
  expect_error(density_of(target_ring(), lower = 0), "`lower` belongs to a `log_density` that is a function")
  density <- density_of(flat, dim = c("a", "b"), lower = 0)
  expect_error(particleflow:::to_free(density, cbind(a = 1, b = -1)), "row 1 does not [(]parameter \"b\"[)]")
})
