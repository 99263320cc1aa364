test_that("pair sums equal the slow reference on every instruction set, bit for bit on 1 and 2 threads", {
  pairwise_sums <- routine("pairwise_sums")
  set.seed(11)
  on_each_simd(function(set) {
    for (d in c(1, 2, 3, 5, 15, 50)) {
      for (n in c(0, 1, 2, 7, 8, 9, 64)) {
        x <- matrix(rnorm(n * d), n, d)
        other <- matrix(rnorm(9 * d), 9, d)
        for (s in c(-1.3, -1, 0, 0.5, 1, 4)) {
          if (s >= d && d > 1) next
          for (self in c(TRUE, FALSE)) {
            source <- if (self) x else other
            one <- .Call(pairwise_sums, x, source, self, s, 0.01, 1L)
            two <- .Call(pairwise_sums, x, source, self, s, 0.01, 2L)
            wanted <- reference_sums(x, source, s, 0.01, self)
            what <- sprintf("%s d=%d n=%d s=%g self=%s", set, d, n, s, self)
            expect_identical(one, two, info = what)
            worst <- max(mapply(relative_error, one, wanted[names(one)]))
            expect_lt(worst, tolerance$kernel, label = what)
          }
        }
      }
    }
  })
})

test_that("ragged sizes past a block of sources agree too", {
  pairwise_sums <- routine("pairwise_sums")
  set.seed(12)
  for (d in c(1, 2, 3, 5, 15, 17, 50)) {
    x <- matrix(rnorm(257 * d), 257, d)
    wanted <- reference_sums(x, x, 0, 0.01, TRUE)
    on_each_simd(function(set) {
      for (threads in 1:2) {
        found <- .Call(pairwise_sums, x, x, TRUE, 0, 0.01, threads)
        expect_lt(max(mapply(relative_error, found, wanted[names(found)])), tolerance$kernel)
      }
    })
  }
  # enough work for two threads to be used
  x <- matrix(rnorm(1500 * 3), 1500, 3)
  expect_identical(.Call(pairwise_sums, x, x, TRUE, 1, 0.01, 1L),
                   .Call(pairwise_sums, x, x, TRUE, 1, 0.01, 2L))
})

test_that("differences are accumulated, not products: steep weights keep their digits", {
  # at s = 13 and epsilon = 0.001 the form y sum(w) - sum(w x) has no digit left
  set.seed(13)
  x <- matrix(rnorm(40 * 15, sd = 0.01) + 1000, 40, 15)
  found <- .Call(routine("pairwise_sums"), x, x, TRUE, 13, 0.001, 1L)
  wanted <- reference_sums(x, x, 13, 0.001, TRUE)
  expect_lt(relative_error(found$force, wanted$force), 1e-8)
})

test_that("huge, tiny and coincident points are computed without estimates of reciprocals", {
  for (scale in c(1e-150, 1e-40, 1e40, 1e140)) {
    x <- matrix(c(1, 2, 4, 8, 1, 3, 9, 27), ncol = 2) * scale
    wanted <- reference_sums(x, x, 0, 0, TRUE)
    on_each_simd(function(set) {
      found <- .Call(routine("pairwise_sums"), x, x, TRUE, 0, 0, 1L)
      expect_lt(relative_error(found$force, wanted$force), tolerance$kernel)
      expect_lt(relative_error(found$repulsion, wanted$repulsion), tolerance$kernel)
    })
  }
  x <- rbind(c(0, 0), c(0, 0), c(1, 1))
  found <- .Call(routine("pairwise_sums"), x, x, TRUE, 0, 0.1, 1L)
  expect_lt(relative_error(found$force, reference_sums(x, x, 0, 0.1, TRUE)$force), tolerance$kernel)
})

test_that("the field is the gradient of Algorithm 2", {
  for (s in c(-1, 0, 1, 2.5)) {
    x <- two_clusters(30, 3)
    field <- particleflow:::field_at(x, x, s, 0.05, TRUE, 1L)
    expect_lt(relative_error(field$gradient, reference_gradient(x, s, 0.05)), tolerance$kernel)
  }
  # and minus the numerical derivative of the energy: E counts each pair twice
  energy <- function(x) {
    d2 <- as.matrix(dist(x))^2
    w <- d2 / 2 + 1 / sqrt(d2 + 0.05)
    diag(w) <- 0
    sum(w) / (nrow(x) * (nrow(x) - 1))
  }
  x <- two_clusters(10, 2)
  field <- particleflow:::field_at(x, x, 1, 0.05, TRUE, 1L)
  h <- 1e-5
  numeric_gradient <- matrix(0, 10, 2)
  for (i in 1:10) for (c in 1:2) {
    up <- down <- x
    up[i, c] <- up[i, c] + h
    down[i, c] <- down[i, c] - h
    numeric_gradient[i, c] <- (energy(up) - energy(down)) / (2 * h)
  }
  # Algorithm 2 is n/2 times the gradient of Equation 1
  expect_lt(relative_error(field$gradient, 10 / 2 * numeric_gradient), 1e-7)
})

test_that("the curvature bound lies above the largest eigenvalue, and the largest eigenvalue is found", {
  for (s in c(-1, 0, 1, 2)) {
    x <- two_clusters(40, 4, seed = 5)
    field <- particleflow:::field_at(x, x, s, 0.05, TRUE, 1L)
    exact <- vapply(1:40, function(i) {
      max(eigen(reference_jacobian(x[i, ], x[-i, ], s, 0.05, n = 40), symmetric = TRUE)$values)
    }, 0)
    expect_true(all(field$curvature >= exact - 1e-9))
    found <- .Call(routine("largest_curvature"), x, field$curvature, s, 0.05, 1L)
    expect_lt(abs(found - max(exact)) / max(exact), 0.02)
    expect_identical(found, .Call(routine("largest_curvature"), x, field$curvature, s, 0.05, 2L))
  }
})

test_that("the steepest curvature of one pair is that of its formula", {
  curvature <- routine("pair_curvature")
  expect_equal(.Call(curvature, 0, 0.001), 126, tolerance = 1e-12)
  expect_equal(.Call(curvature, 1, 0.001), 6401, tolerance = 1e-3)
  expect_gt(.Call(curvature, 13, 0.001), 1e21)
  expect_identical(.Call(curvature, -1, 0.001), 1)
  expect_identical(.Call(curvature, 0, 0), Inf)
  # it is the maximum over distances of the larger eigenvalue of the Hessian of W
  r2 <- exp(seq(log(1e-6), log(10), length.out = 20001))
  for (s in c(0.5, 1, 3)) {
    u <- r2 + 0.02
    along <- 1 - u^-(s / 2 + 1) + (s + 2) * u^-(s / 2 + 2) * r2
    expect_equal(.Call(curvature, s, 0.02), max(along), tolerance = 1e-6)
  }
})

test_that("nearest neighbours are those of dist()", {
  set.seed(2)
  x <- matrix(rnorm(60), 20, 3)
  y <- matrix(rnorm(30), 10, 3)
  all <- as.matrix(dist(rbind(y, x)))[1:10, 11:30]
  found <- particleflow:::neighbours(y, x, 4L)
  expect_equal(found$distance, t(apply(all, 1, function(r) sort(r)[1:4])), ignore_attr = TRUE)
  expect_equal(found$index, t(apply(all, 1, order))[, 1:4], ignore_attr = TRUE)
  own <- particleflow:::neighbours(x, x, 1L, self = TRUE)
  within <- as.matrix(dist(x))
  diag(within) <- Inf
  expect_equal(own$index[, 1], unname(apply(within, 1, which.min)))
})

test_that("every instruction set equals its scalar twin to 1e-12 of the sum of |w||z|", {
  pairwise_sums <- routine("pairwise_sums")
  before <- particleflow_simd()
  on.exit(particleflow_simd(before))
  set.seed(14)
  for (d in c(1, 2, 3, 4, 15, 48, 49)) {
    for (s in c(-1.3, -1, 0, 0.5, if (d > 2) 2, if (d > 13) 13)) {
      for (scale in c(1e-3, 1, 1e3)) {
        y <- matrix(rnorm(37 * d), 37) * scale
        x <- rbind(matrix(rnorm(131 * d), 131) * scale, y[1:3, , drop = FALSE]) # coincident points too
        epsilon <- 0.01 * scale^2
        size <- vapply(seq_len(37), function(i) {
          r2 <- rowSums((matrix(y[i, ], nrow(x), d, byrow = TRUE) - x)^2)
          sum((r2 + epsilon)^-(s / 2 + 1) * sqrt(r2))
        }, 0)
        particleflow_simd("scalar")
        twin <- .Call(pairwise_sums, y, x, FALSE, s, epsilon, 1L)
        for (set in attr(before, "available")) {
          particleflow_simd(set)
          found <- .Call(pairwise_sums, y, x, FALSE, s, epsilon, 1L)
          what <- sprintf("%s d=%d s=%g scale=%g", set, d, s, scale)
          expect_lt(max(abs(found$force - twin$force) / size), tolerance$twin, label = what)
          expect_lt(relative_error(found$weight, twin$weight), tolerance$twin, label = what)
        }
      }
    }
  }
})

# All rounds of the field of a sample at itself, `step` of them per call.
field_by_rounds <- function(x, s, epsilon, step, threads) {
  rounds <- .Call(routine("sample_rounds"), nrow(x), ncol(x))
  result <- NULL
  for (from in seq(0L, rounds - 1L, by = step)) {
    result <- .Call(routine("sample_field"), x, result, from, min(from + step, rounds), s, epsilon, threads)
  }
  result
}

# The sums of the field, from the slow reference or from the ordered loop.
field_of_sums <- function(x, sums, s) {
  n <- nrow(x)
  list(gradient = (n * sweep(x, 2, colMeans(x)) - sums$force) / (n - 1),
       curvature = (n - 1 - sums$weight + (s + 2) * sums$bound) / (n - 1),
       repulsion = sums$repulsion, nearest = sums$nearest)
}

test_that("each pair visited once gives the field of the slow reference, in any number of calls", {
  set.seed(15)
  on_each_simd(function(set) {
    for (d in c(1, 2, 3, 15, 50)) {
      for (n in c(2, 7, 8, 9, 15, 16, 17, 33, 64, 127, 128, 137)) {
        s <- c(-1.3, -1, 0, 0.5, 1)[n %% 5 + 1]
        if (s >= d && d > 1) next
        x <- matrix(rnorm(n * d), n, d)
        wanted <- field_of_sums(x, reference_sums(x, x, s, 0.01, TRUE), s)
        one <- field_by_rounds(x, s, 0.01, 1000L, 1L)
        what <- sprintf("%s d=%d n=%d s=%g", set, d, n, s)
        expect_lt(max(mapply(relative_error, one, wanted[names(one)])), tolerance$kernel, label = what)
        expect_identical(field_by_rounds(x, s, 0.01, 1L, 2L), one, info = what)
        expect_identical(particleflow:::field_at(x, x, s, 0.01, TRUE, 1L), one, info = what)
      }
    }
  })
})

test_that("it equals the ordered loop of the scalar twin, whatever the scale", {
  before <- particleflow_simd()
  on.exit(particleflow_simd(before))
  set.seed(16)
  for (d in c(1, 2, 15, 49)) {
    for (s in c(-1.3, -1, 0, 0.5, if (d > 13) 13)) {
      for (scale in c(1e-100, 1e-40, 1e-3, 1, 1e40)) {
        if (s > 1 && abs(log10(scale)) > 10) next # weights are beyond the range of doubles
        x <- matrix(rnorm(133 * d), 133) * scale
        x[131:133, ] <- x[c(1, 2, 130), ] # coincident points, in another unit and in their own
        epsilon <- max(0.01 * scale^2, 1e-300)
        sums <- function() .Call(routine("pairwise_sums"), x, x, TRUE, s, epsilon, 1L)
        size <- vapply(seq_len(133), function(i) {
          r2 <- rowSums((matrix(x[i, ], 133, d, byrow = TRUE) - x)^2)
          sum(((r2 + epsilon)^-(s / 2 + 1) * sqrt(r2))[-i]) + sum(sqrt(r2))
        }, 0)
        particleflow_simd("scalar")
        twin <- field_of_sums(x, sums(), s)
        for (set in attr(before, "available")) {
          particleflow_simd(set)
          found <- field_by_rounds(x, s, epsilon, 2L, 1L)
          what <- sprintf("%s d=%d s=%g scale=%g", set, d, s, scale)
          expect_lt(max(abs(found$gradient - twin$gradient) * 132 / size), tolerance$twin, label = what)
          expect_lt(relative_error(found$repulsion, twin$repulsion), tolerance$twin, label = what)
          expect_identical(found$nearest == 0, twin$nearest == 0, info = what)
        }
      }
    }
  }
})

test_that("the rounds refuse a state that is not theirs, and do not change the sums they are given", {
  field <- routine("sample_field")
  x <- matrix(rnorm(400), 200)
  rounds <- .Call(routine("sample_rounds"), 200L, 2L)
  expect_gt(rounds, 1)
  state <- .Call(field, x, NULL, 0L, 1L, 0, 0.1, 1L)
  kept <- state + 0
  .Call(field, x, state, 1L, rounds, 0, 0.1, 1L)
  expect_identical(state, kept)
  expect_error(.Call(field, x, NULL, 1L, rounds, 0, 0.1, 1L), "`state`")
  expect_error(.Call(field, x, state[-1], 1L, rounds, 0, 0.1, 1L), "`state`")
  expect_error(.Call(field, x, state, 0L, rounds, 0, 0.1, 1L), "`state`")
  expect_error(.Call(field, x, state, 1L, rounds + 1L, 0, 0.1, 1L), "rounds")
  # so many columns that the ordered loop is as fast
  expect_identical(.Call(routine("sample_rounds"), 200L, 1000L), 0L)
  wide <- matrix(rnorm(3000), 3)
  expect_equal(particleflow:::field_at(wide, wide, 0, 0.1, TRUE, 1L)$gradient, reference_gradient(wide, 0, 0.1),
               tolerance = tolerance$kernel)
})

test_that("the particles do not move their centre, for any sum of rounds on two threads", {
  set.seed(17)
  x <- matrix(rnorm(3000 * 3), 3000)
  one <- field_by_rounds(x, 1, 0.01, 1L, 1L)
  expect_identical(field_by_rounds(x, 1, 0.01, 3L, 2L), one)
  expect_lt(max(abs(colMeans(one$gradient))), tolerance$centre * max(abs(one$gradient)))
})

test_that("more pairs than a whole number of R can count are no trouble", {
  set.seed(18)
  x <- matrix(rnorm(46400))
  found <- particleflow:::field_at(x, x, -1, 0.01, TRUE, 2L)
  some <- c(1:8, 46393:46400)
  # the pair of a row with itself has no force
  wanted <- particleflow:::field_at(x[some, , drop = FALSE], x, -1, 0.01, FALSE, 2L)
  expect_lt(max(abs(found$gradient[some, ] - wanted$gradient)), tolerance$kernel)
})
