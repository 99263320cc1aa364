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
                     reference_mmd(two$x, two$y, function(r) exp(-r^2 / (2 * 0.7^2)), unbiased),
                     tolerance = tolerance$kernel)
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
  width <- median(dist(pooled[round(seq(1, 1600, length.out = 1000)), ]))
  expect_identical(mmd(large$x, large$y), mmd(large$x, large$y, bandwidth = width))
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
  two <- two_samples(60, 45, 4)
  # kernlab: sigma = 1 / (2 h^2); the first statistic is the root of the biased MMD^2
  # (the third, called unbiased there, also leaves out the pairs x_i, y_i)
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
  expect_error(energy_distance(iris, y), "`y` lacks the column \"Species\"")
  expect_error(energy_distance(x, y[1:3]), "`y` lacks the column \"Petal.Width\"")
  expect_error(energy_distance(x[1, ], y, unbiased = TRUE), "`x` has 1 row; at least 2 are needed")
  expect_error(energy_distance(x, y, unbiased = NA), "`unbiased` must be TRUE or FALSE")
  expect_error(mmd(x, y, "cauchy"), "`kernel` must be one of \"gaussian\"")
  expect_error(mmd(x, y, bandwidth = 0), "`bandwidth` must be one number above 0, not 0")
  expect_error(mmd(x, y, "riesz", 1), "`bandwidth` has no use")
})

# --- optimal transport ---------------------------------------------------------

# T(g) and the value of the entropic problem, by plain alternation to rest.
reference_transport <- function(x, y, blur, n_steps = 400) {
  cost <- distances(x, y)^2 / 2
  epsilon <- blur^2
  soft_minimum <- function(v) -epsilon * (max(v / epsilon) + log(mean(exp(v / epsilon - max(v / epsilon)))))
  g <- numeric(nrow(y))
  for (step in seq_len(n_steps)) {
    f <- apply(sweep(-cost, 2, g, "+"), 1, soft_minimum)
    g <- apply(f - cost, 2, soft_minimum)
  }
  mean(f) + mean(g)
}
reference_wasserstein <- function(x, y, blur) {
  sqrt(2 * (reference_transport(x, y, blur) - (reference_transport(x, x, blur) + reference_transport(y, y, blur)) / 2))
}
bare <- function(x) {
  attributes(x) <- NULL
  x
}

test_that("one step of the core is Sinkhorn's, near and far beyond the range of exp()", {
  two <- two_samples(13, 9, 3)
  cost <- distances(two$x, two$y)^2 / 2
  g <- seq(-1, 1, length.out = 9)
  on_each_simd(function(set) {
    for (epsilon in c(10, 0.3, 1e-2, 1e-5)) {
      transform <- function(v) -epsilon * (max(v / epsilon) + log(mean(exp(v / epsilon - max(v / epsilon)))))
      f <- apply(sweep(-cost, 2, g, "+"), 1, transform)
      state <- .Call(routine("sinkhorn_steps"), two$x, two$y, numeric(13), g, epsilon, 1, 1L, 1L)
      expect_equal(state$f, f, tolerance = tolerance$kernel)
      expect_equal(state$g, apply(state$f - cost, 2, transform), tolerance = tolerance$kernel)
      expect_equal(state$error, mean(abs(expm1(-f / epsilon))), tolerance = 1e-6)
      expect_equal(state$value, mean(state$f) + mean(state$g), tolerance = tolerance$kernel)
      relaxed <- .Call(routine("sinkhorn_steps"), two$x, two$y, rep(1, 13), g, epsilon, 1.5, 1L, 1L)
      expect_equal(relaxed$f, 1.5 * f - 0.5, tolerance = tolerance$kernel)
    }
  })
})

test_that("wasserstein2() is the debiased divergence of its definition", {
  two <- two_samples(17, 12, 2)
  for (blur in c(0.5, 1)) {
    found <- wasserstein2(two$x, two$y, blur, tolerance = 1e-6, max_iterations = 5000)
    expect_true(attr(found, "converged"))
    expect_identical(attr(found, "blur"), blur)
    expect_equal(bare(found), reference_wasserstein(two$x, two$y, blur), tolerance = tolerance$transport)
  }
})

test_that("wasserstein2() of shifts and point masses is the shift, of copies nothing", {
  x <- two_samples(150, 1, 3)$x
  shift <- c(3, 4, 12)
  for (blur in list(NULL, 0.5)) {
    expect_equal(bare(wasserstein2(x, sweep(x, 2, shift, "+"), blur)), 13, tolerance = tolerance$transport)
    expect_lt(wasserstein2(x, x[150:1, ], blur), 1e-4)
  }
  expect_identical(bare(wasserstein2(x, x[150:1, ])), 0)
  small <- sweep(x[150:1, ], 2, c(0.01, 0, 0), "+")
  expect_equal(bare(wasserstein2(x, small)), 0.01, tolerance = tolerance$kernel)
  expect_equal(bare(wasserstein2(x + 1e6, sweep(x, 2, shift, "+") + 1e6)), 13, tolerance = 1e-6)
  expect_identical(bare(wasserstein2(matrix(0, 4, 3), matrix(shift, 2, 3, byrow = TRUE))), 13)
  # a row against many: the root mean square distance to it, whatever the blur
  to_one <- sqrt(mean(rowSums(sweep(x, 2, shift)^2)))
  expect_equal(bare(wasserstein2(x, matrix(shift, 1), blur = 1e-3)), to_one, tolerance = tolerance$transport)
  expect_equal(bare(wasserstein2(x, matrix(shift, 1))), to_one, tolerance = tolerance$closed_form)
  expect_equal(bare(wasserstein2(matrix(shift, 1), x)), to_one, tolerance = tolerance$closed_form)
})

test_that("two clusters of unequal weights: the mass that has to cross sets the distance", {
  x <- 0.1 * two_samples(120, 1, 2)$x
  y <- x
  x[, 1] <- x[, 1] + rep(c(0, 100), c(60, 60))
  y[, 1] <- y[, 1] + rep(c(0, 100), c(90, 30))
  expect_equal(bare(wasserstein2(x, y)), sqrt(0.25) * 100, tolerance = 0.01)
})

test_that("wasserstein2(): same bits for any number of threads", {
  two <- two_samples(900, 1000, 9) # enough pairs for a second thread
  few <- function(threads) {
    suppressWarnings(wasserstein2(two$x, two$y, blur = 0.2, max_iterations = 10, threads = threads))
  }
  expect_identical(few(1), few(2))
  expect_identical(wasserstein2(two$x, two$y, threads = 1), wasserstein2(two$x, two$y, threads = 2))
})

test_that("wasserstein2() says what it leaves out and when it stops early", {
  two <- two_samples(40, 60, 2)
  expect_message(wasserstein2(two$x, two$y, max_rows = 50), "50 evenly spaced rows of the 60 of `y`")
  expect_warning(found <- wasserstein2(two$x, two$y, blur = 0.05, max_iterations = 3),
                 "has not converged in 3 iterations")
  expect_false(attr(found, "converged"))
  expect_error(wasserstein2(two$x, two$y, blur = 0), "`blur` must be one number above 0, not 0")
  expect_error(wasserstein2(two$x, two$y, tolerance = 2), "`tolerance` must be one number between 0 and 1, not 2")
  expect_error(wasserstein2(two$x, two$y[, 1, drop = FALSE]), "`y` has 1 column; 2 are wanted")
})

# All orders of 1 .. n, one per row.
all_orders <- function(n) {
  if (n == 1) return(matrix(1L))
  shorter <- all_orders(n - 1)
  do.call(rbind, lapply(seq_len(n), function(first) cbind(first, shorter + (shorter >= first))))
}

test_that("wasserstein2() is the least over all matches", {
  orders <- all_orders(6)
  repeated <- function(x, size) x[rep(seq_len(nrow(x)), each = size / nrow(x)), , drop = FALSE]
  least <- function(x, y) {
    cost <- distances(repeated(x, 6), repeated(y, 6))^2
    sqrt(min(apply(orders, 1, function(to) mean(cost[cbind(1:6, to)]))))
  }
  for (sizes in list(c(6, 6), c(6, 3), c(2, 6), c(3, 2), c(2, 3), c(6, 1))) {
    two <- two_samples(sizes[1], sizes[2], 2)
    expect_equal(bare(wasserstein2(two$x, two$y)), least(two$x, two$y), tolerance = tolerance$closed_form)
    whole <- lapply(two, round) # equal distances
    expect_equal(bare(wasserstein2(whole$x, whole$y)), least(whole$x, whole$y), tolerance = tolerance$closed_form)
  }
})

test_that("wasserstein2() of a sample and its image under a symmetric positive map is the length of the map", {
  # such a map is the gradient of a convex function, so no other match costs less (Brenier)
  for (d in c(2, 10)) {
    x <- two_samples(400, 1, d)$x %*% diag(10^seq(-2, 3, length.out = d)) # columns of very different lengths
    root <- matrix(rnorm(d^2), d)
    y <- sweep(x %*% crossprod(root), 2, rnorm(d), "+")
    expect_equal(bare(wasserstein2(x, y[sample(400), ])), sqrt(mean(rowSums((x - y)^2))), tolerance = tolerance$kernel)
  }
})

test_that("wasserstein2() agrees with exact transport, with a blur of 5 % nearly", {
  skip_if_not_installed("clue") # suggested; the assignment problem, solved exactly
  # rows repeated until both samples have as many: then transport is an assignment
  exact <- function(x, y, size) {
    x <- x[rep(seq_len(nrow(x)), size / nrow(x)), ]
    y <- y[rep(seq_len(nrow(y)), size / nrow(y)), ]
    cost <- as.matrix(dist(rbind(x, y)))[seq_len(size), size + seq_len(size)]^2
    sqrt(mean(cost[cbind(seq_len(size), as.integer(clue::solve_LSAP(cost)))]))
  }
  check <- function(x, y, size) {
    wanted <- exact(x, y, size)
    expect_equal(bare(wasserstein2(x, y)), wanted, tolerance = tolerance$kernel)
    blurred <- wasserstein2(x, y, blur = 0.05 * sqrt(sum(apply(x, 2, var))), max_iterations = 5000)
    expect_equal(bare(blurred), wanted, tolerance = tolerance$blur)
  }
  for (d in c(2, 5)) {
    two <- two_samples(60, 60, d)
    check(two$x, two$y, 60)
    check(two$x, two$y[1:40, ], 120)
  }
  unlike <- data.matrix(iris[1:4]) %*% diag(c(1, 100, 0.01, 1))
  expect_equal(bare(wasserstein2(unlike[1:75, ], unlike[76:150, ])), exact(unlike[1:75, ], unlike[76:150, ], 75),
               tolerance = tolerance$kernel)
})

test_that("in one dimension the sliced distance is exact, also for unequal sizes", {
  two <- two_samples(12, 30, 1)
  both <- 60 # a common multiple
  for (p in c(1, 2, 3)) {
    repeated <- mean(abs(sort(rep(two$x, both / 12)) - sort(rep(two$y, both / 30)))^p)^(1 / p)
    expect_equal(bare(sliced_wasserstein(two$x, two$y, p = p)), repeated, tolerance = tolerance$kernel)
  }
  sliced <- bare(sliced_wasserstein(two$x, two$y))
  expect_equal(bare(wasserstein2(two$x, two$y, blur = 0.02, max_iterations = 5000)), sliced, tolerance = tolerance$blur)
  expect_equal(bare(wasserstein2(two$x, two$y)), sliced, tolerance = tolerance$kernel)
})

test_that("the sliced distance of a shift is the shift times the root mean square cosine", {
  x <- two_samples(40, 1, 3)$x
  y <- sweep(x, 2, c(0, 2, 0), "+")
  set.seed(3)
  z <- matrix(rnorm(50 * 3), 50)
  expected <- 2 * sqrt(mean((z / sqrt(rowSums(z^2)))[, 2]^2))
  before <- .Random.seed
  expect_equal(bare(sliced_wasserstein(x, y, 50, seed = 3)), expected, tolerance = tolerance$kernel)
  expect_identical(.Random.seed, before)
  expect_equal(bare(sliced_wasserstein(x, y, 5000, seed = 1)), 2 / sqrt(3), tolerance = 0.02)
  expect_identical(bare(sliced_wasserstein(x, x)), 0)
  expect_error(sliced_wasserstein(x, y, p = 0.5), "`p` must be one number of at least 1, not 0.5")
  expect_error(sliced_wasserstein(x, y, 0), "`n_directions` must be one whole number of at least 1, not 0")
})

# --- characteristic functions --------------------------------------------------

test_that("the characteristic distance is its definition", {
  two <- two_samples(20, 31, 3)
  t <- matrix(rnorm(12), 4)
  w <- c(1, 2, 0, 0.5)
  phi <- function(x, k) mean(exp(1i * (x %*% t[k, ])))
  squares <- vapply(1:4, function(k) Mod(phi(two$x, k) - phi(two$y, k))^2, 0)
  expect_equal(characteristic_distance(two$x, two$y, t, w), sum(w * squares), tolerance = tolerance$kernel)
  expect_equal(characteristic_distance(two$x, two$y, t), mean(squares), tolerance = tolerance$kernel)
  expect_identical(characteristic_distance(two$x, two$x, t), 0)
  # unbiased: the pairs of a row with itself are left out
  pairs <- function(x, k) {
    e <- exp(1i * (x %*% t[k, ]))
    Re(sum(e) * Conj(sum(e)) - nrow(x)) / (nrow(x) * (nrow(x) - 1))
  }
  unbiased <- vapply(1:4, function(k) {
    pairs(two$x, k) + pairs(two$y, k) - 2 * Re(phi(two$x, k) * Conj(phi(two$y, k)))
  }, 0)
  expect_equal(characteristic_distance(two$x, two$y, t, w, unbiased = TRUE), sum(w * unbiased),
               tolerance = tolerance$kernel)
  # the frequencies of the tour, in one dimension also as a vector
  x <- two$x[, 1, drop = FALSE]
  expect_identical(characteristic_distance(x, 1 - x, 2 * pi * 1:10),
                   characteristic_distance(x, 1 - x, matrix(2 * pi * 1:10)))
})

test_that("frequencies are matched to the columns by name, without names by position", {
  two <- lapply(two_samples(20, 31, 2), function(x) `colnames<-`(x, c("a", "b")))
  t <- matrix(c(1, 2, 0.3, -4), 2, dimnames = list(NULL, c("a", "b")))
  expected <- characteristic_distance(unname(two$x), unname(two$y), unname(t))
  for (frequencies in list(t, t[, c("b", "a")], as.data.frame(t)[c("b", "a")], unname(t))) {
    expect_identical(characteristic_distance(two$x, two$y, frequencies), expected)
  }
  expect_error(characteristic_distance(two$x, two$y, matrix(1e308, 1, 2)), "leave the range of numbers")
  expect_error(characteristic_distance(two$x[, 1, drop = FALSE], two$y[, 1, drop = FALSE], quote(x)),
               "`frequencies` must be a numeric matrix")
  colnames(t) <- c("a", "c")
  expect_error(characteristic_distance(two$x, two$y, t), "`frequencies` lacks the column \"b\"")
})

test_that("sliced distances of high order tend to the largest gap", {
  x <- matrix(c(0, 0, 0, 0))
  y <- matrix(c(1, 1, 1, 3))
  for (p in c(3, 20, 500)) {
    expect_equal(bare(sliced_wasserstein(x, y, p = p)), exp((log(3 + 3^min(p, 600)) - log(4)) / p),
                 tolerance = tolerance$closed_form)
  }
  expect_equal(bare(sliced_wasserstein(x * 1e80, y * 1e80, p = 5)), 1e80 * sliced_wasserstein(x, y, p = 5),
               tolerance = tolerance$closed_form)
  expect_equal(bare(sliced_wasserstein(x, y, p = 1e308)), 3)
})

test_that("on a fine grid of frequencies it is the energy distance", {
  two <- two_samples(15, 25, 1)
  step <- 0.005
  t <- (seq_len(4e5) - 0.5) * step # up to T = 2000
  found <- characteristic_distance(two$x, two$y, t, 2 * step / (pi * t^2))
  # what lies beyond T is on average 2 / (pi T) (1/n + 1/m), and below 8 / (pi T)
  expect_lt(abs(found + 2 / (pi * 2000) * (1 / 15 + 1 / 25) - energy_distance(two$x, two$y)), tolerance$tail)
})

test_that("drawn frequencies give energy distance and Gaussian MMD on average", {
  for (d in c(1, 3, 10)) {
    two <- two_samples(60, 50, d)
    for (unbiased in c(FALSE, TRUE)) {
      expected <- energy_distance(two$x, two$y, unbiased)
      found <- vapply(1:30, function(seed) {
        characteristic_distance(two$x, two$y, n_frequencies = 500, unbiased = unbiased, seed = seed)
      }, 0)
      expect_lt(abs(mean(found) - expected), 4 * sd(found) / sqrt(30))
      expect_lt(sd(found), 0.1 * energy_distance(two$x, two$y))
    }
    found <- vapply(1:30, function(seed) {
      characteristic_distance(two$x, two$y, measure = "gaussian", n_frequencies = 500, bandwidth = 1.5, seed = seed)
    }, 0)
    expect_lt(abs(mean(found) - mmd(two$x, two$y, bandwidth = 1.5, unbiased = FALSE)), 4 * sd(found) / sqrt(30))
  }
})

test_that("the characteristic distance restores the stream and refuses bad frequencies", {
  two <- two_samples(10, 10, 2)
  before <- .Random.seed
  once <- characteristic_distance(two$x, two$y, seed = 4)
  expect_identical(.Random.seed, before)
  expect_identical(characteristic_distance(two$x, two$y, seed = 4), once)
  expect_false(identical(characteristic_distance(two$x, two$y), once))
  expect_error(characteristic_distance(two$x, two$y, 1:3), "`frequencies` must be a numeric matrix")
  expect_error(characteristic_distance(two$x, two$y, matrix(1, 3, 3)), "`frequencies` has 3 columns; 2 are wanted")
  expect_error(characteristic_distance(two$x, two$y, matrix(1, 3, 2), 1:2),
               "`weights` must be 3 finite numbers of at least 0")
  expect_error(characteristic_distance(two$x, two$y, weights = 1), "`weights` must come with `frequencies`")
  expect_error(characteristic_distance(two$x, two$y, bandwidth = 1), "`bandwidth` has no use")
  expect_error(characteristic_distance(two$x, two$y, n_frequencies = 0), "`n_frequencies` must be")
})

# --- permutation tests ---------------------------------------------------------

test_that("all permutations at once are the statistics one by one", {
  two <- two_samples(9, 14, 2)
  pooled <- rbind(two$x, two$y)
  set.seed(1)
  first <- matrix(0, 23, 6)
  for (b in 1:6) first[sample.int(23, 9), b] <- 1
  for (unbiased in c(TRUE, FALSE)) {
    for (kernel in c("gaussian", "laplace", "riesz")) {
      width <- if (kernel != "riesz") 0.8
      made <- particleflow:::score_kernel(kernel, width)
      found <- particleflow:::split_discrepancies(pooled, first, 9, made, unbiased, 1L)
      wanted <- vapply(1:6, function(b) {
        mmd(pooled[first[, b] == 1, ], pooled[first[, b] == 0, ], kernel, width, unbiased)
      }, 0)
      expect_equal(found$statistic, wanted, tolerance = tolerance$kernel)
    }
  }
})

test_that("permutation tests are of class htest and find a shift", {
  two <- two_samples(40, 50, 3)
  before <- .Random.seed
  found <- energy_test(two$x, two$y + 1, seed = 1)
  expect_identical(.Random.seed, before)
  expect_s3_class(found, "htest")
  expect_identical(found$p.value, 1 / 1000)
  expect_equal(found$estimate[["energy distance"]], energy_distance(two$x, two$y + 1), tolerance = tolerance$kernel)
  expect_equal(found$statistic[["T"]], 40 * 50 / 90 * energy_distance(two$x, two$y + 1), tolerance = tolerance$kernel)
  expect_output(print(found), "energy distance.*two\\$x and two\\$y \\+ 1.*p-value = 0.001")
  found <- mmd_test(two$x, two$y + 1, n_permutations = 99, seed = 1)
  expect_identical(found$p.value, 1 / 100)
  expect_equal(found$statistic[["MMD^2"]], mmd(two$x, two$y + 1), tolerance = tolerance$kernel)
  expect_identical(found$parameter[["bandwidth"]], median(dist(rbind(two$x, two$y + 1))))
  expect_identical(energy_test(two$x, two$y, seed = 1, threads = 1), energy_test(two$x, two$y, seed = 1, threads = 2))
  # equal tables: every division is as far apart as this one
  expect_identical(energy_test(two$x, two$x, 99, seed = 1)$p.value, 1)
  same <- matrix(1, 5, 2)
  expect_identical(mmd_test(same, same, n_permutations = 19)$p.value, 1)
  expect_error(energy_test(two$x[1, , drop = FALSE], two$y), "`x` has 1 row; at least 2 are needed")
  expect_error(energy_test(two$x, two$y, 0), "`n_permutations` must be one whole number of at least 1, not 0")
})

test_that("under the null the p-values are uniform", {
  # fixed seeds; the largest distance of 200 uniform values from their law is
  # beyond 0.1358 once in 1000 times
  p_values <- function(test) {
    vapply(1:200, function(seed) {
      set.seed(seed)
      test(matrix(rnorm(24), 12), matrix(rnorm(30), 15), n_permutations = 99)$p.value
    }, 0)
  }
  for (test in list(energy_test, mmd_test)) {
    p <- sort(p_values(test))
    # p takes the values 1/100 .. 1: its law is within 1/100 of the uniform one
    expect_lt(max(abs(p - seq_along(p) / 200)), 0.1358 + 0.01)
    expect_lt(mean(p <= 0.05), 0.05 + 3.1 * sqrt(0.05 * 0.95 / 200)) # once in 1000 times
  }
})

test_that("the permutation p-value agrees with package energy", {
  skip_if_not_installed("energy") # suggested; an independent implementation
  two <- two_samples(30, 25, 2, seed = 5)
  set.seed(1)
  theirs <- energy::eqdist.etest(rbind(two$x, two$y), c(30, 25), R = 999)
  ours <- energy_test(two$x, two$y, seed = 1)
  expect_equal(ours$statistic[[1]], theirs$statistic[[1]], tolerance = tolerance$kernel)
  # two counts of 999 draws: 4 standard errors of their difference
  expect_lt(abs(ours$p.value - theirs$p.value), 4 * sqrt(2 * 0.25 / 999))
})

# --- extreme scales --------------------------------------------------------------

test_that("scores follow the scale of the columns, far beyond the range of squares", {
  two <- two_samples(40, 30, 3)
  x <- two$x
  y <- two$y
  same <- function(found, wanted) expect_equal(found, wanted, tolerance = 1e-12)
  for (c in c(1e-200, 1e160, 1e300)) {
    same(energy_distance(c * x, c * y) / c, energy_distance(x, y))
    same(energy_distance(c * x, c * y, unbiased = TRUE) / c, energy_distance(x, y, unbiased = TRUE))
    same(mmd(c * x, c * y), mmd(x, y))
    same(mmd(c * x, c * y, bandwidth = 0.7 * c), mmd(x, y, bandwidth = 0.7))
    same(mmd(c * x, c * y, "riesz") / c, mmd(x, y, "riesz"))
    same(bare(wasserstein2(c * x, c * y)) / c, bare(wasserstein2(x, y)))
    same(attr(wasserstein2(c * x, c * y, blur = 0.5 * c), "blur") / c, 0.5)
    same(bare(wasserstein2(c * x, c * y, blur = 0.5 * c)) / c, bare(wasserstein2(x, y, blur = 0.5)))
    same(sliced_wasserstein(c * x, c * y, seed = 1) / c, bare(sliced_wasserstein(x, y, seed = 1)))
    same(characteristic_distance(c * x, c * y, seed = 1) / c, characteristic_distance(x, y, seed = 1))
    gaussian <- function(x, y, h) characteristic_distance(x, y, measure = "gaussian", bandwidth = h, seed = 1)
    same(gaussian(c * x, c * y, NULL), gaussian(x, y, NULL))
    same(gaussian(c * x, c * y, 0.7 * c), gaussian(x, y, 0.7))
    same(characteristic_distance(c * x, c * y, diag(3) / c), characteristic_distance(x, y, diag(3)))
    expect_identical(prdc(c * x, c * y), prdc(x, y))
    expect_identical(c2st(c * x, c * y, seed = 1)$auc, c2st(x, y, seed = 1)$auc)
    same(novelty(c * x, c * y)$ratio, novelty(x, y)$ratio)
    same(novelty(c * x, c * y, scale = FALSE)$distance$synthetic / c, novelty(x, y, scale = FALSE)$distance$synthetic)
    same(energy_test(c * x, c * y, 19, seed = 1)$estimate[[1]] / c, energy_test(x, y, 19, seed = 1)$estimate[[1]])
    p_value <- function(x, y) mmd_test(x, y, n_permutations = 19, seed = 1)$p.value
    same(p_value(c * x, c * y), p_value(x, y))
    same(mmd_test(c * x, c * y, n_permutations = 19)$parameter[["bandwidth"]] / c, median(dist(rbind(x, y))))
  }
  expect_identical(energy_distance(1e160 * x, 1e160 * x), 0)
})

test_that("one column of huge numbers decides distances, unless it is constant", {
  two <- two_samples(30, 25, 1)
  huge <- 1e160
  beside <- function(x, column) cbind(x, column, deparse.level = 0)
  expect_equal(energy_distance(beside(huge * two$x, 1), beside(huge * two$y, 2)) / huge, energy_distance(two$x, two$y))
  expect_equal(energy_distance(beside(two$x, huge), beside(two$y, huge)), energy_distance(two$x, two$y))
  expect_equal(prdc(beside(two$x, huge), beside(two$y, huge)), prdc(two$x, two$y))
  expect_equal(bare(wasserstein2(beside(two$x, huge), beside(two$y, huge))), bare(wasserstein2(two$x, two$y)))
  expect_error(characteristic_distance(two$x * 1e200, two$y * 1e200, matrix(1e200)), "leave the range of numbers")
})

# --- sums, streams, sizes ----------------------------------------------------------

test_that("permutation tests: same bits however long the blocks of rows take", {
  two <- two_samples(400, 350, 3)
  slow <- with_constant("block_seconds", 1e-9, energy_test(two$x, two$y, 1999, seed = 7)) # blocks of the fewest rows
  fast <- with_constant("block_seconds", 10, energy_test(two$x, two$y, 1999, seed = 7)) # and of the most
  expect_identical(slow, fast)
})

test_that("permutations a few at a time are the permutations all at once", {
  two <- two_samples(30, 20, 2)
  all <- mmd_test(two$x, two$y + 0.2, n_permutations = 199, seed = 3)
  few <- function() mmd_test(two$x, two$y + 0.2, n_permutations = 199, seed = 3)
  expect_equal(with_constant("most_divided", 50 * 17, few()), all) # 17 permutations of 50 rows
})

test_that("runs that cannot be are refused before all work", {
  two <- two_samples(30, 20, 2)
  size <- function(code, message) expect_error(code, message, class = "particleflow_size")
  hours <- "`n_permutations` is 1000000000, which would take hours; give at most 10000000"
  size(energy_test(two$x, two$y, n_permutations = 1e9), hours)
  size(mmd_test(two$x, two$y, n_permutations = 1e9), hours)
  size(sliced_wasserstein(two$x, two$y, 2e9), "2000000000 directions would take .* GB.*; give fewer `n_directions`")
  size(characteristic_distance(two$x, two$y, n_frequencies = 2e9), "give fewer `n_frequencies`")
  size(fidelity(two$x, two$y, splits = 1e9), "`splits` is 1000000000, which would take hours; give at most 1000")
  size(fidelity(two$x, two$y, n_permutations = 1e9), "`n_permutations` = 1000000000 would take .* GB")
})

test_that("a seed means the same whatever generators are set, and these come back", {
  two <- two_samples(30, 20, 2)
  draws <- function() {
    list(sliced_wasserstein(two$x, two$y, seed = 1), characteristic_distance(two$x, two$y, seed = 1),
         energy_test(two$x, two$y, 19, seed = 1)$p.value, c2st(two$x, two$y, seed = 1)$auc,
         fidelity(two$x, two$y, n_permutations = 99, splits = 2, scores = fidelity_scores()["auc"])$scores)
  }
  wanted <- draws()
  old <- RNGkind("Wichmann-Hill", "Ahrens-Dieter", "Rejection")
  on.exit(do.call(RNGkind, as.list(old)))
  set.seed(5)
  before <- .Random.seed
  expect_identical(draws(), wanted)
  expect_identical(.Random.seed, before)
  expect_identical(RNGkind()[1:2], c("Wichmann-Hill", "Ahrens-Dieter"))
})

test_that("steps that take long are computed a few rows at a time, with the same bits", {
  two <- two_samples(130, 70, 4)
  start <- list(f = rnorm(130) / 10, g = rnorm(70) / 10, error = Inf)
  for (epsilon in c(1, 1e-2, 1e-5)) { # the last: sums leave the range of doubles
    whole <- .Call(routine("sinkhorn_steps"), two$x, two$y, start$f, start$g, epsilon, 1.8, 3L, 1L)
    expect_identical(particleflow:::long_steps(two$x, two$y, start, epsilon, 1.8, 3, 1L)[names(whole)], whole)
    own <- .Call(routine("sinkhorn_steps"), two$x, NULL, start$f, start$f, epsilon, 1, 3L, 1L)
    expect_identical(particleflow:::long_steps(two$x, NULL, start, epsilon, 1, 3, 1L)[c("f", "error", "value")],
                     own[c("f", "error", "value")])
  }
  whole <- wasserstein2(two$x, two$y, blur = 0.2)
  expect_identical(with_constant("work_per_call", 1, wasserstein2(two$x, two$y, blur = 0.2)), whole)
})

test_that("misspelt arguments and vectors of choices are refused", {
  two <- two_samples(30, 20, 2)
  expect_error(c2st(two$x, two$y, classifier = c("knn", "quadratic")), "`classifier` must be one of")
  expect_error(mmd(two$x, two$y, kernel = c("riesz", "gaussian")), "`kernel` must be one of")
  expect_error(print(c2st(two$x, two$y), digit = 3), "print\\(\\) has no argument `digit`")
  expect_error(format(novelty(two$x, two$y), 3), "format\\(\\) has no further argument without a name")
})

test_that("a distance near the end of the range of doubles is finite", {
  # 1e308 and -1e308 go to -1e308 and -1e308
  expect_equal(as.numeric(wasserstein2(cbind(1e308 * c(1, -1)), cbind(-1e308 * c(1, 1)))), sqrt(2) * 1e308,
               tolerance = 1e-12)
})
