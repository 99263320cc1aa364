# Slow, obvious versions.
distances <- function(x, y) {
  outer(seq_len(nrow(x)), seq_len(nrow(y)),
        Vectorize(function(i, j) sqrt(sum((x[i, ] - y[j, ])^2))))
}
off_diagonal <- function(k) {
  (sum(k) - sum(diag(k))) / (nrow(k) * (nrow(k) - 1))
}
reference_mmd <- function(x, y, kernel, unbiased) {
  average <- if (unbiased) off_diagonal else mean
  average(kernel(distances(x, x))) + average(kernel(distances(y, y))) - 2 * mean(kernel(distances(x, y)))
}
two_samples <- function(n, m, d, seed = 1) {
  set.seed(seed)
  list(x = matrix(rnorm(n * d), n), y = matrix(rnorm(m * d, 0.3, 1.2), m))
}

test_that("point masses: energy distance 2 r, MMD^2 2 (1 - k(r))", {
  x <- matrix(c(0, 0), 3, 2, byrow = TRUE)
  y <- matrix(c(3, 4), 5, 2, byrow = TRUE)
  for (unbiased in c(TRUE, FALSE)) {
    expect_equal(energy_distance(x, y, unbiased), 10, tolerance = tolerance$closed_form)
    expect_equal(mmd(x, y, bandwidth = 5, unbiased = unbiased), 2 * (1 - exp(-0.5)), tolerance = tolerance$closed_form)
    expect_equal(mmd(x, y, "laplace", 5, unbiased), 2 * (1 - exp(-1)), tolerance = tolerance$closed_form)
    expect_equal(mmd(x, y, "riesz", unbiased = unbiased), 10, tolerance = tolerance$closed_form)
  }
  expect_equal(energy_distance(x[1, , drop = FALSE], y), 10, tolerance = tolerance$closed_form)
  expect_identical(energy_distance(x, x), 0)
  expect_identical(mmd(x, x), 0) # all rows equal: any bandwidth will do
})

test_that("energy distance and MMD are those of their definition, on every instruction set", {
  on_each_simd(function(set) {
    for (size in list(c(1, 1, 1), c(7, 9, 2), c(33, 40, 3), c(40, 31, 17))) {
      two <- two_samples(size[1], size[2], size[3])
      for (unbiased in if (size[1] > 1) c(TRUE, FALSE) else FALSE) {
        expect_equal(energy_distance(two$x, two$y, unbiased), reference_mmd(two$x, two$y, function(r) -r, unbiased),
                     tolerance = tolerance$kernel)
        expect_equal(mmd(two$x, two$y, "gaussian", 0.7, unbiased),
                     reference_mmd(two$x, two$y, function(r) exp(-r^2 / (2 * 0.7^2)), unbiased), tolerance = tolerance$kernel)
        expect_equal(mmd(two$x, two$y, "laplace", 0.7, unbiased),
                     reference_mmd(two$x, two$y, function(r) exp(-r / 0.7), unbiased), tolerance = tolerance$kernel)
        expect_equal(mmd(two$x, two$y, "riesz", unbiased = unbiased), energy_distance(two$x, two$y, unbiased))
      }
    }
  })
})

test_that("the default bandwidth is the median distance of the pooled rows", {
  two <- two_samples(20, 30, 3)
  median_width <- median(dist(rbind(two$x, two$y)))
  expect_identical(mmd(two$x, two$y), mmd(two$x, two$y, bandwidth = median_width))
  expect_identical(mmd(two$x, two$y, "laplace"), mmd(two$x, two$y, "laplace", median_width))
  large <- two_samples(900, 700, 1)
  pooled <- rbind(large$x, large$y)
  expect_identical(mmd(large$x, large$y), mmd(large$x, large$y, bandwidth = median(dist(pooled[round(seq(1, 1600, length.out = 1000)), ]))))
})

test_that("scores: same bits for any number of threads", {
  two <- two_samples(900, 800, 12)
  for (score in list(energy_distance, mmd)) {
    expect_identical(score(two$x, two$y, threads = 1), score(two$x, two$y, threads = 2))
  }
})

test_that("energy distance agrees with package energy", {
  skip_if_not_installed("energy") # suggested; an independent implementation
  two <- two_samples(60, 45, 4)
  theirs <- as.numeric(energy::eqdist.e(rbind(two$x, two$y), c(60, 45)))
  expect_equal(60 * 45 / 105 * energy_distance(two$x, two$y), theirs, tolerance = tolerance$kernel)
})

test_that("MMD agrees with package kernlab", {
  skip_if_not_installed("kernlab") # suggested; an independent implementation
  two <- two_samples(60, 60, 4) # its unbiased statistic wants equal sizes
  # kernlab: sigma = 1 / (2 h^2); the first statistic is the root of the biased MMD^2
  h <- 1.7
  theirs <- kernlab::kmmd(two$x, two$y, kernel = "rbfdot", kpar = list(sigma = 1 / (2 * h^2)))
  expect_equal(sqrt(mmd(two$x, two$y, bandwidth = h, unbiased = FALSE)), kernlab::mmdstats(theirs)[1],
               tolerance = tolerance$kernel)
})

test_that("tables are matched by name, and bad input is refused in one sentence", {
  x <- iris[1:30, 1:4]
  y <- iris[60:99, 1:4]
  expect_identical(energy_distance(x, y), energy_distance(x, y[4:1]))
  expect_identical(energy_distance(x, y), energy_distance(as.matrix(x), unname(as.matrix(y))))
  expect_error(energy_distance(iris, y), "column \"Species\" is of class \"factor\"; leave it out\\.")
  expect_error(energy_distance(x, y[1:3]), "`y` has 3 columns; 4 are wanted")
  expect_error(energy_distance(x[1, ], y, unbiased = TRUE), "`x` has 1 row; at least 2 are needed")
  expect_error(energy_distance(x, y, unbiased = NA), "`unbiased` must be TRUE or FALSE")
  expect_error(mmd(x, y, "cauchy"), "`kernel` must be one of \"gaussian\"")
  expect_error(mmd(x, y, bandwidth = 0), "`bandwidth` must be one number above 0, not 0")
  expect_error(mmd(x, y, "riesz", 1), "`bandwidth` has no use")
})
