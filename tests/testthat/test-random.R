test_that("a seed is one whole number, and anything else is refused by name", {
  fit <- efs_by_rule(iris[1:40, 1:2])
  for (seed in list("a", "1", c(1, 2), 1.5, NA, Inf, 2^31, list(1), numeric(), TRUE)) {
    expect_error(simulate(fit, 2, seed = seed), "`seed` must be NULL or one whole number", class = "particleflow_input")
    expect_error(sliced_wasserstein(iris[1:4], iris[1:4], seed = seed), "`seed` must be NULL or one whole number")
  }
  expect_identical(simulate(fit, 2, seed = 3), simulate(fit, 2, seed = 3))
  expect_equal(simulate(fit, 2, seed = 3L), simulate(fit, 2, seed = 3), ignore_attr = TRUE)
})

test_that("a seed leaves R's stream and every option as they were", {
  x <- as.matrix(iris[1:40, 1:2])
  fit <- efs_by_rule(x)
  flow <- wgf(target_ring(), n = 50, n_steps = 3)
  set.seed(9)
  before <- list(.Random.seed, options())
  simulate(fit, 1, seed = 1, threads = 1)
  simulate(flow, 1, seed = 1)
  simulate(target_ring(), 1, seed = 1)
  c2st(x, x + 1, seed = 1, threads = 1)
  fidelity(x, x + 1, seed = 1, threads = 1, splits = 2, w2_rows = 20)
  expect_identical(list(.Random.seed, options()), before)
  # also if the call fails on the way
  expect_error(simulate(fit, 1, seed = 1, threads = 1, density_floor = 2))
  expect_identical(list(.Random.seed, options()), before)
  efs_tune(x, s = 0, softening = 16, time = 1, law = "local", threads = 1)
  expect_identical(options(), before[[2]])
})

test_that("without a stream there is one afterwards, and the attribute is that of stats::simulate()", {
  fit <- efs_by_rule(iris[1:40, 1:2])
  set.seed(4)
  state <- .Random.seed
  expect_identical(attr(simulate(fit, 2), "seed"), state)
  expect_identical(attr(simulate(fit, 2, seed = 5), "seed"), structure(5, kind = as.list(RNGkind())))
  rm(".Random.seed", envir = globalenv())
  simulate(fit, 2)
  expect_true(exists(".Random.seed", envir = globalenv()))
})

test_that("a generated matrix prints as its rows", {
  x <- as.matrix(iris[1:40, 1:2])
  rows <- simulate(efs_by_rule(x), 3, density_floor = 0)
  expect_true(is.matrix(rows))
  shown <- capture.output(print(rows))
  expect_length(shown, 4)
  expect_identical(shown, capture.output(print(matrix(rows, 3, dimnames = dimnames(rows)))))
  expect_identical(class(rows[1:2, ]), c("matrix", "array"))
  expect_identical(rows[[2, 1]], rows[[2]])
  expect_identical(capture.output(print(simulate(efs_by_rule(x, group = rep(c("a", "b"), 20)), 4)))[6],
                   "with attributes \"group\", \"dropped\"")
  # sums, means and tables work as on any matrix
  expect_identical(dim(rbind(rows, rows)), c(6L, 2L))
  expect_identical(dim(as.data.frame(rows)), c(3L, 2L))
  expect_equal(colMeans(rows), colMeans(unclass(rows)))
})

test_that("a part of a permutation is that of the swaps, one after the other", {
  swaps <- function(m, u) {
    left <- seq_len(m)
    for (i in seq_along(u)) {
      j <- i + floor(u[i] * (m - i + 1))
      left[c(i, j)] <- left[c(j, i)]
    }
    left[seq_along(u)]
  }
  set.seed(1)
  for (m in c(1, 2, 7, 100)) {
    for (n in unique(c(0, 1, m %/% 2, m))) {
      u <- runif(n)
      expect_identical(particleflow:::partial_permutation(m, u), swaps(m, u))
      expect_identical(sort(particleflow:::partial_permutation(m, runif(m))), seq_len(m))
    }
  }
  expect_identical(particleflow:::partial_permutation(5, rep(0, 5)), 1:5)
  expect_identical(particleflow:::partial_permutation(5, rep(1 - 2^-53, 3)), c(5L, 1L, 2L))
  expect_error(particleflow:::partial_permutation(2, c(0.1, 0.2, 0.3)), "`u` must be at most `m` numbers")
  expect_error(particleflow:::partial_permutation(2, 1), "`u` must be numbers from 0 to below 1")
})
