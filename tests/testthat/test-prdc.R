# The definitions, ball by ball.
reference_prdc <- function(real, synthetic, k) {
  n <- nrow(real)
  m <- nrow(synthetic)
  all <- as.matrix(dist(rbind(real, synthetic)))
  radius <- function(d) apply(d, 1, function(row) sort(row)[k + 1]) # 0, its own, comes first
  cross <- all[seq_len(n), n + seq_len(m), drop = FALSE]
  real_radius <- radius(all[seq_len(n), seq_len(n)])
  synthetic_radius <- radius(all[n + seq_len(m), n + seq_len(m)])
  in_real <- cross <= real_radius
  in_synthetic <- t(t(cross) <= synthetic_radius)
  c(precision = mean(colSums(in_real) > 0), recall = mean(rowSums(in_synthetic) > 0),
    density = sum(in_real) / (k * m), coverage = mean(rowSums(in_real) > 0))
}

test_that("prdc() is its definition, on every instruction set", {
  set.seed(1)
  for (d in c(1, 3, 20)) {
    real <- matrix(rnorm(41 * d), 41)
    synthetic <- matrix(rnorm(67 * d, 0.3, 0.8), 67)
    for (k in c(1, 5)) {
      on_each_simd(function(set) expect_equal(prdc(real, synthetic, k), reference_prdc(real, synthetic, k)))
    }
  }
})

test_that("a small case by hand, borders included", {
  real <- matrix(c(0, 1, 3, 10)) # radii at k = 1: 1, 1, 2, 7
  synthetic <- matrix(c(-1, 4, 20)) # radii: 5, 5, 16
  # -1 is in B(0); 4 in B(3), B(10); 20 in none. 0, 1, 3 are in B(-1), 0 < 4 <= 5
  expect_identical(prdc(real, synthetic, 1),
                   c(precision = 2 / 3, recall = 1, density = 1, coverage = 3 / 4))
})

test_that("identical tables give 1, and (k + 1)/k for the density", {
  set.seed(2)
  x <- matrix(rnorm(300), 100)
  for (k in c(1, 3, 10)) {
    expect_equal(prdc(x, x, k), c(precision = 1, recall = 1, density = (k + 1) / k, coverage = 1))
  }
  # a ball of radius 0 contains the points at its centre
  twice <- rbind(x, x)
  expect_equal(prdc(twice, twice, 1)[["density"]], 2)
})

test_that("two samples of one law have the expected density and coverage", {
  set.seed(3)
  found <- rowMeans(replicate(40, prdc(matrix(rnorm(300), 150), matrix(rnorm(400), 200))))
  expect_equal(found[["density"]], 1, tolerance = 0.03) # standard error 0.007
  n <- 150
  m <- 200
  wanted <- 1 - prod((n - 1 - 0:4) / (m + n - 1 - 0:4))
  expect_equal(found[["coverage"]], wanted, tolerance = 0.005)
})

test_that("counts of balls do not depend on threads or blocks", {
  set.seed(4)
  x <- matrix(rnorm(5 * 700), 700)
  y <- matrix(rnorm(5 * 900), 900)
  expect_identical(prdc(x, y, threads = 1), prdc(x, y, threads = 2))
})

test_that("bad arguments are named", {
  x <- matrix(rnorm(20), 10)
  expect_error(prdc(x, x, k = 10), "`k` must be below the number of rows")
  expect_error(prdc(x, x[, 1, drop = FALSE]), "`synthetic` has 1 column; 2 are wanted")
  a <- data.frame(u = 1:9 + 0, v = rnorm(9))
  expect_error(prdc(a, data.frame(u = 1:9, w = 1:9)), "`synthetic` lacks the column \"v\"")
  expect_identical(prdc(a, a[2:1], 2), prdc(a, a, 2))
})
