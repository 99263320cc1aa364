end_of <- function(traj) traj$frames[, , dim(traj$frames)[3]]

test_that("the inverse returns the data where its conditions hold", {
  for (case in list(list(d = 2, s = 0, e = 0.05), list(d = 2, s = 1, e = 0.05), list(d = 3, s = -1, e = 0.01),
                    list(d = 5, s = 3, e = 0.3), list(d = 15, s = 13, e = 1))) {
    x <- two_clusters(120, case$d)
    traj <- efs_forward(x, s = case$s, epsilon = case$e, step = 0.1, n_steps = 10)
    bound <- head(traj$diagnostics$bound, -1)
    # the conditions
    expect_true(all(bound < 0.9))
    expect_lte(1e-12 * prod(1 / (1 - bound)), 1e-8)
    expect_no_warning(back <- efs_backward(traj, end_of(traj), details = TRUE))
    expect_lt(max(abs(back$points - x)) / max(abs(x)), tolerance$inverse)
    expect_true(all(back$converged))
    expect_lt(back$evaluations, 8)
    two <- efs_backward(traj, end_of(traj), threads = 2)
    expect_identical(two, efs_backward(traj, end_of(traj), threads = 1))
  }
})

test_that("where its conditions do not hold, a warning gives the estimated error", {
  # a rigid rest state: few rows, many dimensions
  set.seed(1)
  x <- matrix(rnorm(6 * 8), 6, 8)
  traj <- efs_forward(x, s = 0, epsilon = 0.05, time = 25, n_steps = 4000)
  expect_warning(efs_backward(traj, end_of(traj)), "may be off by up to [0-9.e+-]+")
  # bounds above 1: nothing can be said
  steep <- efs_forward(two_clusters(40, 2), s = 1, epsilon = 0.001, n_steps = 5, max_bound = Inf)
  expect_true(any(steep$diagnostics$bound > 1, na.rm = TRUE))
  expect_warning(suppressWarnings(efs_backward(steep, end_of(steep)), classes = "none"), "estimated error: Inf")
})

test_that("a passive point goes forward and comes back", {
  x <- two_clusters(80, 3)
  traj <- efs_forward(x, s = 1, epsilon = 0.05, n_steps = 8)
  set.seed(5)
  y <- matrix(rnorm(100 * 3), 100, 3)
  pushed <- particleflow:::push_forward(traj, y, 1L)
  expect_lt(max(abs(efs_backward(traj, pushed) - y)), tolerance$inverse)
  # a particle's own image as a passive point is the particle
  expect_equal(particleflow:::push_forward(traj, x, 1L), end_of(traj), tolerance = tolerance$kernel)
})

test_that("a step solves the proximal problem", {
  x <- two_clusters(40, 2)
  traj <- efs_forward(x, s = 1, epsilon = 0.05, n_steps = 1, step = 0.05)
  y <- matrix(c(0.3, -0.2, 1.1, 0.4), 2, 2)
  v <- efs_backward(traj, y)
  for (i in 1:2) {
    z <- matrix(v[i, ], 40, 2, byrow = TRUE) - x
    w <- (rowSums(z^2) + 0.05)^-1.5
    field <- colSums(z * (1 - w)) / 39
    expect_equal(v[i, ] - traj$gamma * field, y[i, ], tolerance = 1e-10)
  }
})

test_that("the paper's inverse is Algorithm 3 to the letter", {
  x <- two_clusters(15, 2)
  traj <- efs_forward(x, s = 1, epsilon = 0.05, n_steps = 3, step = 0.05, max_bound = Inf)
  y <- matrix(c(0.3, -0.2), 1, 2)
  v <- y[1, ]
  for (j in 3:0) { # k + 1 steps, the field at x^(j), weight 1/n
    at <- traj$frames[, , j + 1]
    centre <- v
    for (inner in 1:7) {
      z <- matrix(v, 15, 2, byrow = TRUE) - at
      w <- (rowSums(z^2) + 0.05)^-1.5
      v <- v - 0.1 * (v - centre - 0.05 * colMeans(z * (1 - w)))
    }
  }
  found <- efs_backward(traj, y, method = "paper", beta = 0.1, n_inner = 7)
  expect_equal(found[1, ], v, tolerance = tolerance$kernel)
  # the inner steps in one call
  at <- unname(traj$frames[, , 4])
  once <- .Call(routine("backward_paper"), y, y, at, traj$gamma[3], 1, 0.05, 0.1, 500L, 1L)
  control <- list(beta = 0.1, n_inner = 500L)
  expect_identical(particleflow:::undo_step_paper(y, at, traj$gamma[3], traj, control, 1L), once)
})

test_that("difficult steps end, are reported, and do not spoil the others", {
  x <- two_clusters(60, 2)
  traj <- efs_forward(x, s = 1, epsilon = 0.001, step = 0.1, n_steps = 31, max_bound = Inf)
  set.seed(6)
  y <- efs_augment(traj, 50, "equilibrium")
  back <- suppressWarnings(efs_backward(traj, y, details = TRUE))
  expect_true(all(is.finite(back$points)))
  # outside the cloud the way back only undoes the attraction: a factor exp(3.1) at most
  expect_lt(max(abs(back$points)), exp(3.1) * max(abs(y)))
  expect_gt(mean(back$converged), 0.9)
  expect_identical(back$error_estimate, Inf)
})

test_that("each way to give points works", {
  traj <- efs_forward(matrix(seq(-1, 1, length.out = 12)), s = 0, epsilon = 0.1, n_steps = 3)
  end <- traj$frames[, , 4]
  expect_null(dim(end))
  expect_equal(efs_backward(traj, end)[, 1], seq(-1, 1, length.out = 12), tolerance = tolerance$inverse)
  traj <- efs_forward(two_clusters(12, 3), n_steps = 2)
  expect_identical(dim(efs_backward(traj, c(1, 2, 3))), c(1L, 3L))
  expect_identical(dim(efs_backward(traj, matrix(0, 0, 3))), c(0L, 3L))
  expect_error(efs_backward(traj, matrix(0, 4, 2)), "`y` has 2 columns; 3 are wanted")
  expect_error(efs_backward(traj, matrix(NA_real_, 4, 3)), "must not contain NA")
  changed <- traj
  changed$frames[3, 1, 2] <- changed$frames[3, 1, 2] + 1e-12
  expect_error(efs_backward(changed, c(1, 2, 3)), "changed after efs_forward")
  changed <- traj
  changed$gamma[1] <- 0.2
  expect_error(efs_backward(changed, c(1, 2, 3)), "changed after efs_forward")
  expect_error(efs_backward(list(), c(1, 2, 3)), "must be a trajectory")
})

test_that("columns of the points are matched by name", {
  x <- two_clusters(40, 2)
  colnames(x) <- c("a", "b")
  traj <- efs_forward(x, s = 0, epsilon = 0.05, n_steps = 3)
  y <- end_of(traj)
  back <- efs_backward(traj, y)
  expect_equal(back, x, tolerance = tolerance$inverse)
  expect_identical(efs_backward(traj, y[, 2:1]), back)
  expect_identical(efs_backward(traj, as.data.frame(y[, 2:1])), back)
  expect_identical(efs_backward(traj, unname(y)), back)
  # a vector with names is one point
  expect_identical(efs_backward(traj, y[1, 2:1]), efs_backward(traj, y[1, ]))
  colnames(y) <- c("b", "z")
  expect_error(efs_backward(traj, y), "`y` lacks the column \"a\" and has the unknown column \"z\"", fixed = TRUE)
})

test_that("no points come back as no points", {
  x <- two_clusters(20, 2)
  colnames(x) <- c("a", "b")
  traj <- efs_forward(x, s = 0, epsilon = 0.05, n_steps = 3)
  none <- matrix(0, 0, 2, dimnames = list(NULL, c("a", "b")))
  for (control in c("exact", "paper")) {
    expect_identical(efs_backward(traj, none, control), none)
    expect_identical(efs_backward(traj, as.data.frame(none), control), none)
    expect_identical(efs_backward(traj, as.matrix(as.data.frame(none)), control), none)
  }
  expect_identical(efs_augment(traj, 0), none)
  line <- efs_forward(x[, 1, drop = FALSE], s = 0, epsilon = 0.5, n_steps = 2)
  expect_identical(efs_backward(line, numeric()), none[, 1, drop = FALSE])
})

test_that("velocities are extrapolated by the polynomial through the last of them", {
  sizes <- c(0.1, 0.05, 0.08, 0.1, 0.02, 0.07)
  middles <- cumsum(sizes) - sizes / 2
  cubic <- function(t) outer(c(1, -2), 1 - t + 3 * t^2 - 2 * t^3)
  stores <- lapply(c(2L, 5L), particleflow:::velocity_store)
  expect_identical(stores[[1]]$guess(0.1), 0)
  for (k in 1:5) for (store in stores) store$add(cubic(middles[k]), sizes[k])
  expect_equal(stores[[2]]$guess(sizes[6]), cubic(middles[6]), tolerance = 1e-10)
  line <- cubic(middles[5]) + (cubic(middles[5]) - cubic(middles[4])) / (middles[5] - middles[4]) *
    (middles[6] - middles[5])
  expect_equal(stores[[1]]$guess(sizes[6]), line, tolerance = 1e-12)
})
