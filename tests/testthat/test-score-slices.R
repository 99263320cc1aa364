# Energy distance, its tests and MMD of large tables, along lines.

slice_samples <- function(n, m, d, seed = 1, shift = 0.3) {
  set.seed(seed)
  list(x = matrix(rnorm(n * d), n), y = matrix(rnorm(m * d, shift, 1.2), m))
}
error_of <- function(x) attr(x, "standard_error")

test_that("in one column slices are the sum over all pairs, and the standard error is 0", {
  for (n in c(1, 2, 40, 700)) {
    two <- slice_samples(n, 300, 1)
    for (unbiased in if (n > 1) c(FALSE, TRUE) else FALSE) {
      found <- energy_distance(two$x, two$y, unbiased, "sliced")
      expect_equal(as.double(found), energy_distance(two$x, two$y, unbiased, "exact"), tolerance = tolerance$kernel)
      expect_identical(c(error_of(found), attr(found, "directions")), c(0, 1))
      expect_identical(mmd(two$x, two$y, "riesz", unbiased = unbiased, method = "sliced"), found)
    }
  }
  whole <- list(x = matrix(rpois(500, 2)), y = matrix(rpois(400, 3))) # ties
  expect_equal(as.double(energy_distance(whole$x, whole$y, method = "sliced")), energy_distance(whole$x, whole$y),
               tolerance = tolerance$kernel)
})

test_that("slices agree with the sum over all pairs within four standard errors", {
  # 15 comparisons with errors on 8 or more degrees of freedom: one beyond 4 has a probability of 5 % at most, and the
  # seeds are fixed
  for (d in c(2, 5, 20)) {
    two <- slice_samples(800, 500, d)
    skew <- matrix(rexp(500 * d) - 1, 500)
    cases <- list(two$y, two$x[1:500, ] + 5, two$x[1:500, ] %*% diag(c(3, rep(1, d - 1))))
    for (y in cases) {
      found <- energy_distance(two$x, y, TRUE, "sliced", seed = 2)
      expect_lt(abs(found - energy_distance(two$x, y, TRUE)), 4 * error_of(found))
    }
    found <- energy_distance(two$x, two$y, method = "sliced", seed = 3)
    expect_lt(abs(found - energy_distance(two$x, two$y)), 4 * error_of(found))
    found <- energy_distance(two$x, skew, method = "sliced", n_directions = 300, seed = 2)
    expect_lt(abs(found - energy_distance(two$x, skew)), 4 * error_of(found))
  }
})

test_that("two normal laws have the energy distance of their integral", {
  # E |Z| for Z normal with mean of length `shift` and the variance v in each of d directions
  size <- function(shift, v, d) {
    sqrt(v) * integrate(function(q) sqrt(q) * dchisq(q, d, shift^2 / v), 0, Inf, rel.tol = 1e-8)$value
  }
  for (d in c(1, 3, 8)) {
    set.seed(3)
    x <- matrix(rnorm(40000 * d), ncol = d)
    y <- matrix(rnorm(40000 * d, 0.5, 1.5), ncol = d)
    wanted <- 2 * size(0.5 * sqrt(d), 1 + 1.5^2, d) - size(0, 2, d) - size(0, 2 * 1.5^2, d)
    found <- energy_distance(x, y, TRUE, "sliced", seed = 1)
    # over twelve seeds the standard deviation of this distance is 1.3 % (d = 2) and 0.7 % (d = 10)
    expect_equal(as.double(found), wanted, tolerance = 0.04)
    expect_lt(error_of(found), 0.011 * wanted)
  }
})

test_that("comparison with normal laws makes errors of shifts and covariances small", {
  two <- slice_samples(1000, 1000, 10)
  y <- two$x %*% diag(c(3, rep(1, 9))) + 2
  found <- energy_distance(two$x, y, method = "sliced", n_directions = 100, seed = 1)
  plain <- with_constant("most_normal_columns", 1L,
                         energy_distance(two$x, y, method = "sliced", n_directions = 100, seed = 1))
  expect_lt(error_of(found), error_of(plain) / 4)
  expect_lt(abs(as.double(plain) - energy_distance(two$x, y)), 4 * error_of(plain))
})

test_that("slices: same bits for any number of threads and blocks, by the seed", {
  two <- slice_samples(6000, 5000, 4)
  of <- function(threads, seed = 1) {
    list(energy_distance(two$x, two$y, method = "sliced", seed = seed, threads = threads),
         sliced_wasserstein(two$x, two$y, 30, seed = seed, threads = threads),
         energy_test(two$x, two$y, 99, "sliced", 4, seed, threads))
  }
  set.seed(9)
  before <- .Random.seed
  one <- of(1)
  expect_identical(of(2), one)
  expect_identical(.Random.seed, before)
  expect_identical(with_constant("block_seconds", 1e-4, of(1)), one)
  expect_false(identical(of(1, 2)[1:2], one[1:2]))
  set.seed(1)
  expect_identical(energy_distance(two$x, two$y, method = "sliced"), one[[1]])
  before <- .Random.seed
  energy_distance(two$x[1:100, ], two$y)
  expect_identical(.Random.seed, before) # all pairs: nothing is drawn
})

test_that("the method follows from the size, directions from the tolerance", {
  two <- slice_samples(300, 300, 3)
  expect_type(energy_distance(two$x, two$y), "double")
  expect_null(attributes(energy_distance(two$x, two$y)))
  auto <- with_constant("most_exact_pairs", 1e4, energy_distance(two$x, two$y, seed = 1))
  expect_identical(auto, energy_distance(two$x, two$y, method = "sliced", seed = 1))
  fine <- energy_distance(two$x, two$y, method = "sliced", tolerance = 1e-3, seed = 1)
  expect_gt(attr(fine, "directions"), attr(auto, "directions"))
  expect_lt(error_of(fine), error_of(auto))
  expect_lte(attr(fine, "directions"), 1026)
  expect_identical(attr(energy_distance(two$x, two$y, method = "sliced", n_directions = 7), "directions"), 9L)
  expect_identical(error_of(energy_distance(two$x, two$y, method = "sliced", n_directions = 1)), NA_real_)
  expect_identical(as.double(energy_distance(two$x, two$x, method = "sliced")), 0)
  wide <- slice_samples(1, 5, 300)
  expect_gt(energy_distance(wide$x, wide$y, method = "sliced"), 0)
})

test_that("huge and tiny numbers, and columns of other kinds", {
  two <- slice_samples(200, 150, 3)
  plain <- energy_distance(two$x, two$y, method = "sliced", seed = 1)
  for (c in c(1e-200, 1e300)) {
    huge <- energy_distance(c * two$x, c * two$y, method = "sliced", seed = 1)
    expect_equal(huge / c, as.double(plain), tolerance = tolerance$kernel)
    expect_equal(error_of(huge) / c, error_of(plain), tolerance = 1e-6)
  }
  found <- energy_distance(iris[1:80, ], iris[71:150, ], method = "sliced", seed = 1)
  expect_lt(abs(found - energy_distance(iris[1:80, ], iris[71:150, ])), 4 * error_of(found))
})

test_that("a number with its error is printed with it, and what is computed from it is plain", {
  x <- particleflow:::new_score_number(0.0123456, standard_error = 0.00041, directions = 96)
  expect_output(print(x), "0.01235 (standard error 0.00041, 96 directions)", fixed = TRUE)
  expect_identical(x + 1, 1.0123456)
  expect_identical(2 * x, 0.0246912)
  expect_identical(-x, -0.0123456)
  expect_identical(x < 1, TRUE)
  expect_identical(sqrt(x), sqrt(0.0123456))
  expect_identical(round(x, 3), 0.012)
  expect_identical(max(x, 0, NA, na.rm = TRUE), 0.0123456)
  expect_identical(mean(x), 0.0123456)
  expect_identical(c(x, x), rep(0.0123456, 2))
  expect_identical(x[1], 0.0123456)
  expect_identical(data.frame(value = x), data.frame(value = 0.0123456))
  none <- particleflow:::new_score_number(2, standard_error = NA_real_, directions = 1)
  expect_output(print(none), "2 (standard error unknown, 1 direction)", fixed = TRUE)
  two <- slice_samples(30, 20, 2)
  expect_output(print(wasserstein2(two$x, two$y)), "^[0-9.]+$")
  expect_output(print(wasserstein2(two$x, two$y, blur = 0.5)), "\\(blur 0.5, [0-9]+ iterations\\)")
  expect_identical(wasserstein2(two$x, two$y) * 1, as.double(wasserstein2(two$x, two$y)))
})

test_that("the error of the sliced distance is that of its mean over directions", {
  two <- slice_samples(50, 40, 3)
  for (p in c(1, 2, 4)) {
    found <- vapply(1:60, function(seed) {
      one <- sliced_wasserstein(two$x, two$y, 100, p, seed)
      c(one, error_of(one))
    }, c(0, 0))
    # the standard deviation of 60 values is right to 9 %; four of these
    expect_equal(sd(found[1, ]), mean(found[2, ]), tolerance = 0.37)
  }
  expect_identical(error_of(sliced_wasserstein(two$x, two$y, 1)), NA_real_)
  expect_identical(error_of(sliced_wasserstein(two$x[, 1, drop = FALSE], two$y[, 1, drop = FALSE])), 0)
})

# --- tests by groups ------------------------------------------------------------------------------------------

test_that("groups are of one size and leave out few rows", {
  plan <- particleflow:::group_plan
  for (size in list(c(1e6, 1e6), c(7001, 8999), c(5e5, 3000), c(4, 4), c(100, 1e6), c(20000, 17))) {
    found <- plan(size[1], size[2])
    expect_lte(found$x + found$y, 256)
    expect_gte(min(found$x, found$y), 4)
    expect_lte(found$x * found$size, size[1])
    expect_lte(found$y * found$size, size[2])
    if (max(size) < 50 * min(size)) expect_gt(found$x * found$size, size[1] - found$size)
  }
})

test_that("with one row in each group and one column it is the test of single rows", {
  set.seed(4)
  x <- matrix(rpois(40, 3))
  y <- matrix(rpois(30, 4))
  # whole numbers: every value is a point, and the distances are exact. Order does not matter for groups of one row.
  sliced <- energy_test(x, y, 1999, "sliced", seed = 1)
  exact <- energy_test(x, y, 1999, "exact", seed = 1)
  expect_equal(sliced$statistic, exact$statistic, tolerance = tolerance$kernel)
  expect_equal(sliced$parameter[["rows per group"]], 1)
  # two shares of 1999 permutations: five standard errors
  expect_lt(abs(sliced$p.value - exact$p.value), 5 * sqrt(2 * 0.25 / 1999))
  riesz <- mmd_test(x, y, "riesz", n_permutations = 1999, method = "sliced", seed = 1)
  wanted <- mmd_test(x, y, "riesz", n_permutations = 1999, method = "exact", seed = 1)
  expect_equal(riesz$statistic, wanted$statistic, tolerance = tolerance$kernel)
  expect_lt(abs(riesz$p.value - wanted$p.value), 5 * sqrt(2 * 0.25 / 1999))
})

test_that("tests by groups keep their level and see what is there", {
  set.seed(6)
  p_value <- function(shift, unbiased) {
    tables <- list(x = matrix(rexp(600 * 2), 600), y = matrix(rexp(500 * 2), 500) + shift)
    particleflow:::group_test(tables, unbiased, 99, 2, NULL, 2L)$p
  }
  # 40 tests at level 0.05 are exact: 9 or more alarms have a probability of 0.02 %
  expect_lt(sum(vapply(1:20, function(i) p_value(0, FALSE), 0) <= 0.05) +
              sum(vapply(1:20, function(i) p_value(0, TRUE), 0) <= 0.05), 9)
  expect_lte(max(vapply(1:5, function(i) p_value(0.3, i > 2), 0)), 0.02)
})

test_that("a test by groups says what it did, and bad input is refused", {
  two <- slice_samples(400, 300, 2)
  found <- energy_test(two$x, two$y, 99, "sliced", 8, seed = 1)
  expect_s3_class(found, "htest")
  expect_identical(names(found$estimate), c("energy distance", "standard error"))
  expect_equal(found$statistic[["T"]], 400 * 300 / 700 * found$estimate[[1]])
  expect_identical(names(found$parameter), c("permutations", "groups", "rows per group", "directions"))
  expect_match(found$method, "by groups of rows")
  auto <- with_constant("most_exact_divisions", 1e4, energy_test(two$x, two$y, 99, seed = 1, n_directions = 8))
  expect_identical(auto$p.value, found$p.value)
  expect_error(energy_distance(two$x, two$y, method = "fast"), "`method` must be one of \"auto\", \"exact\"")
  expect_error(energy_distance(two$x, two$y, n_directions = 0), "`n_directions` must be one whole number of at least 1")
  expect_error(energy_distance(two$x, two$y, tolerance = 0), "`tolerance` must be one number between 0 and 1")
  expect_error(energy_distance(two$x, two$y, seed = "a"), "`seed` must be NULL or one whole number")
  expect_error(mmd(two$x, two$y, method = "sliced"), "`method` = \"sliced\" is for the kernel \"riesz\"")
  expect_error(mmd_test(two$x, two$y, "laplace", method = "sliced"), "is for the kernel \"riesz\"")
  expect_error(energy_test(two$x[1:3, ], two$y, method = "sliced"), "needs at least 4 rows in each sample, not 3")
})
