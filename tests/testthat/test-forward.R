run_to_rest <- function(d, s, n = 400) {
  set.seed(3)
  name <- paste0(d, ",", s)
  epsilon <- c(`2,0` = 1e-4, `2,1` = 5e-4, `3,-1` = 1e-4, `5,3` = 0.02, `5,1` = 2e-3)[[name]]
  # s = d - 4 is the border between ball and sphere: the interior empties slowly
  time <- if (name == "3,-1") 160 else 10
  x <- matrix(rnorm(n * d), n, d) * 0.8 + 3
  traj <- efs_forward(x, s = s, epsilon = epsilon, step = 0.1, time = time, n_steps = 4000,
                      max_bound = 1.5)
  list(x = x, traj = traj, rest = sweep(particleflow:::last_frame(traj), 2, colMeans(x)))
}

test_that("the flow comes to rest at the equilibrium law", {
  for (case in list(c(2, 0), c(2, 1), c(3, -1), c(5, 3), c(5, 1))) {
    d <- case[1]
    s <- case[2]
    name <- paste0(d, ",", s)
    run <- run_to_rest(d, s)
    radius <- equilibrium_radius(d, s)
    r2 <- rowSums(run$rest^2) / radius^2
    sphere <- s <= d - 4
    shape <- (s - d) / 2 + 2
    wanted <- if (sphere) 1 else (d / 2) / (d / 2 + shape)
    expect_lt(abs(mean(r2) / wanted - 1), tolerance$moment[[name]], label = paste(name, "moment"))
    if (sphere) {
      expect_lt(sd(sqrt(r2)), 0.03)
    } else {
      distance <- suppressWarnings(ks.test(r2, pbeta, d / 2, shape)$statistic)
      expect_lt(distance, tolerance$law[[name]], label = paste(name, "law"))
    }
    # directions: the second-moment matrix of a rotation-invariant law is a multiple of I
    spread <- eigen(crossprod(run$rest), symmetric = TRUE)$values
    expect_lt(max(spread) / min(spread), 1.3)
    expect_lt(max(abs(colMeans(particleflow:::last_frame(run$traj)) - colMeans(run$x))), tolerance$centre)
  }
})

test_that("the field of the equilibrium law vanishes where the law lives, and not outside", {
  # 100,000 exact draws as sources; the heavier the repulsion, the noisier the mean, so each case is
  # held to five standard errors over 40 points of one radius (one false alarm in a million and a half)
  set.seed(31)
  for (case in list(c(2, 0), c(2, 1), c(3, -1), c(5, 3), c(5, 1), c(15, 5))) {
    d <- case[1]
    s <- case[2]
    radius <- equilibrium_radius(d, s)
    law <- particleflow:::draw_shell(1e5, rep(0, d), radius, "equilibrium", s, particleflow:::draw_key(), 2L)
    radial_field <- function(at) {
      y <- matrix(rnorm(40 * d), 40, d)
      y <- y / sqrt(rowSums(y^2))
      rowSums(y * particleflow:::field_at(y * at, law, s, 1e-6, FALSE, 2L)$gradient)
    }
    # inside a ball; on a sphere, half of the way from just inside to just outside
    inside <- if (s <= d - 4) {
      (radial_field(0.999 * radius) + radial_field(1.001 * radius)) / 2
    } else {
      radial_field(0.6 * radius)
    }
    expect_lt(abs(mean(inside)), 5 * sd(inside) / sqrt(40) + 2e-3)
    expect_gt(mean(radial_field(1.3 * radius)), 0.05)
  }
})

test_that("equilibrium radii are those of the closed forms", {
  wanted <- rbind(c(2, 1, 1.330670), c(2, -1, pi / 4), c(3, 0, sqrt(2 / 3)), c(3, 2, 1.277886),
                  c(3, -1, 2 / 3), c(5, 1, 0.736806), c(15, 5, 0.748880), c(15, -1, 0.700831),
                  c(4, 0, 1 / sqrt(2)), c(9, 0, 1 / sqrt(2)))
  for (i in seq_len(nrow(wanted))) {
    expect_equal(equilibrium_radius(wanted[i, 1], wanted[i, 2]), wanted[i, 3], tolerance = tolerance$six_digits)
  }
  for (d in 2:20) expect_equal(equilibrium_radius(d, d - 2), 1, tolerance = tolerance$closed_form)
  expect_error(equilibrium_radius(2, 2), "below the dimension 2")
})

test_that("at s = 0 the mean squared radius follows its closed form in any dimension", {
  n <- 60
  for (d in c(1, 2, 5)) {
    set.seed(d)
    # in one dimension evenly spread, so that no pair is too close for a small step
    x <- if (d == 1) matrix(qnorm(ppoints(n))) else matrix(rnorm(n * d), n, d)
    traj <- efs_forward(x, s = 0, epsilon = 0, step = 2e-4, n_steps = 500, max_bound = Inf)
    radius2 <- function(j) mean(rowSums(sweep(particleflow:::frame(traj, j), 2, colMeans(x))^2))
    rest <- (n - 1) / (2 * n)
    wanted <- rest + (radius2(1) - rest) * exp(-2 * n * traj$times[501] / (n - 1))
    expect_equal(radius2(501), wanted, tolerance = tolerance$euler)
  }
})

test_that("few points rest as a unit simplex, for every s", {
  simplex <- diag(4) / sqrt(2) # four points, unit edges, in 4 dimensions
  for (s in c(-1, 0, 1, 2.5)) {
    field <- particleflow:::field_at(simplex, simplex, s, 0, TRUE, 1L)
    expect_lt(max(abs(field$gradient)), tolerance$closed_form)
    softened <- simplex * sqrt(1 - 0.2)
    field <- particleflow:::field_at(softened, softened, s, 0.2, TRUE, 1L)
    expect_lt(max(abs(field$gradient)), tolerance$closed_form)
  }
  set.seed(8)
  traj <- efs_forward(matrix(rnorm(12), 4, 3), s = 1, epsilon = 0.01, time = 60, n_steps = 20000)
  edges <- dist(traj$frames[, , dim(traj$frames)[3]])
  expect_equal(as.numeric(edges), rep(sqrt(1 - 0.01), 6), tolerance = 1e-6)
  # at rest the attraction and the repulsion of all pairs balance
  expect_lt(tail(traj$diagnostics$kinetic_energy, 1), 1e-12)
})

test_that("a uniform ball stays one under Coulomb's repulsion", {
  # a^d = 1 + (a0^d - 1) exp(-d t), mean field; second moment a^2 d/(d+2)
  set.seed(4)
  n <- 1500
  d <- 2
  x <- matrix(rnorm(n * d), n, d)
  x <- 0.6 * x / sqrt(rowSums(x^2)) * runif(n)^(1 / d)
  traj <- efs_forward(x, s = 0, epsilon = 1e-3, step = 0.01, time = 0.5, n_steps = 1000)
  radius2 <- function(j) mean(rowSums(sweep(particleflow:::frame(traj, j), 2, colMeans(x))^2)) * (d + 2) / d
  k <- length(traj$times)
  wanted <- 1 + (radius2(1) - 1) * exp(-d * 0.5)
  expect_equal(radius2(k), wanted, tolerance = 0.02)
})

test_that("one step is Algorithm 2, and the diagnostics are what they say", {
  x <- two_clusters(25, 2)
  traj <- efs_forward(x, s = 1, epsilon = 0.05, step = 0.03, n_steps = 4, max_bound = Inf)
  expect_equal(traj$gamma, rep(0.03, 4))
  expect_equal(traj$times, 0.03 * 0:4)
  moved <- x - 0.03 * reference_gradient(x, 1, 0.05)
  expect_equal(traj$frames[, , 2], moved, tolerance = tolerance$kernel)
  d2 <- as.matrix(dist(x))^2
  pair <- d2 / 2 + 1 / sqrt(d2 + 0.05)
  diag(pair) <- 0
  first <- traj$diagnostics[1, ]
  expect_equal(first$energy, sum(pair) / (25 * 24), tolerance = tolerance$kernel)
  expect_equal(first$kinetic_energy, mean(rowSums(reference_gradient(x, 1, 0.05)^2)), tolerance = tolerance$kernel)
  expect_equal(first$closest_pair, min(dist(x)), tolerance = tolerance$kernel)
  expect_equal(first$largest_move, max(sqrt(rowSums((moved - x)^2))), tolerance = tolerance$kernel)
  kappa <- .Call(routine("pair_curvature"), 1, 0.05)
  expect_equal(first$certificate, 0.03 * kappa * 25 / 24, tolerance = tolerance$kernel)
  expect_equal(first$bound, 0.03 * (first$curvature + kappa / 24), tolerance = tolerance$kernel)
  expect_true(is.na(traj$diagnostics$gamma[5]))
  expect_true(all(diff(traj$diagnostics$energy) < 0))
})

test_that("adaptive steps keep the bound and cover the time asked for", {
  x <- two_clusters(50, 2)
  traj <- efs_forward(x, s = 0, epsilon = 0.01, step = 1, time = 1.5, max_bound = 0.4)
  k <- length(traj$gamma)
  expect_equal(traj$times[k + 1], 1.5)
  expect_true(all(traj$diagnostics$bound[1:k] <= 0.4 + 1e-12))
  expect_true(any(traj$diagnostics$bound[1:k] > 0.4 - 1e-9))
  expect_warning(efs_forward(x, s = 1, epsilon = 1e-5, time = 1, n_steps = 5), "covered a time of")
  expect_warning(efs_forward(x, s = 1, epsilon = 1e-6, n_steps = 5), "so short")
})

test_that("a flow that ends far before step * n_steps is announced", {
  x <- two_clusters(50, 2)
  # a share of the length: from the steps themselves
  traj <- suppressMessages(efs_forward(x, epsilon = 2e-4, n_steps = 20))
  share <- sum(traj$gamma) / (20 * 0.1)
  expect_gt(share, 0.01)
  expect_lt(share, 0.5)
  said <- "20 steps cover a time of [0-9.]+, not 2"
  expect_message(efs_forward(x, epsilon = 2e-4, n_steps = 20), said)
  expect_match(format(traj), "time [0-9.]+ instead of 20 x 0.1 = 2", all = FALSE)
  # the number of steps was left alone: print() says it, nothing else
  expect_no_message(by_default <- efs_forward(x, epsilon = 2e-4))
  expect_match(format(by_default), "instead of 10 x 0.1 = 1", all = FALSE)
  # long enough, fixed, for a time, and in a fit
  for (traj in list(efs_forward(x, epsilon = 0.1, n_steps = 20), efs_forward(x, epsilon = 2e-4, time = 0.5),
                    efs_forward(x, epsilon = 2e-4, n_steps = 20, max_bound = Inf))) {
    expect_false(any(grepl("instead of", format(traj))))
  }
  expect_message(fit <- efs(x, n_steps = 20, epsilon = 2e-4, s = 0, law = "local", calibrate = FALSE),
                 "steps cover a time of")
  expect_match(paste(trimws(format(fit)), collapse = " "), "instead of 20 x 0.1 = 2")
})

test_that("no steps are the identity, threads and rows' names do not matter", {
  x <- two_clusters(20, 3)
  dimnames(x) <- list(letters[1:20], c("u", "v", "w"))
  traj <- efs_forward(x, n_steps = 0)
  expect_identical(traj$frames[, , 1], x)
  expect_identical(dim(traj$frames), c(20L, 3L, 1L))
  expect_identical(efs_backward(traj, x), x)
  big <- two_clusters(700, 3)
  expect_identical(efs_forward(big, n_steps = 3, threads = 1), efs_forward(big, n_steps = 3, threads = 2))
})

test_that("long steps done in blocks of rows give the same bits", {
  # the blocks of in_blocks(), with the seconds that a block is to take made so
  # small that each takes another number of rows
  x <- two_clusters(3000, 2)
  whole <- particleflow:::ordered_field(x, x, 0, 0.01, TRUE, 1L)
  sizes <- integer()
  blocks <- particleflow:::in_blocks(3000, 1e5, function(from, count) {
    sizes[length(sizes) + 1] <<- count
    Sys.sleep(runif(1, 0.1, 0.3))
    .Call(routine("field"), x, x, from, count, TRUE, 0, 0.01, 1L)
  })
  expect_gt(length(unique(sizes)), 2)
  expect_identical(sum(sizes), 3000L)
  expect_identical(particleflow:::bind_blocks(blocks), whole)
})

test_that("checkpoints give the same bits as all frames", {
  x <- two_clusters(60, 3)
  all <- efs_forward(x, n_steps = 11)
  for (every in list(NULL, 1, 3, 4, 11, 50)) {
    some <- efs_forward(x, n_steps = 11, keep = "checkpoints", every = every)
    c <- if (is.null(every)) 4 else every
    expect_identical(some$kept, as.integer(unique(c(seq(0, 11, by = c), 11))))
    expect_identical(dim(some$frames)[3], length(some$kept))
    expect_identical(some$diagnostics, all$diagnostics)
    for (j in c(1, 2, 5, 12)) expect_identical(particleflow:::frame(some, j), particleflow:::frame(all, j))
    set.seed(1)
    y <- efs_augment(some, 20, "local")
    expect_identical(efs_backward(some, y), efs_backward(all, y))
    expect_identical(particleflow:::push_forward(some, y, 1L), particleflow:::push_forward(all, y, 1L))
  }
  timed <- efs_forward(x, epsilon = 0.01, time = 1, step = 0.5, max_bound = 0.2, keep = "checkpoints", every = 2)
  whole <- efs_forward(x, epsilon = 0.01, time = 1, step = 0.5, max_bound = 0.2) # more steps than planned
  expect_gt(length(whole$gamma), 4)
  expect_identical(timed$times, whole$times)
  expect_identical(particleflow:::frame(timed, 4), particleflow:::frame(whole, 4))
  expect_match(format(some), "frames kept", all = FALSE)
  expect_error(efs_forward(x, every = 3), "`every` belongs to")
  fit <- efs_by_rule(iris[1:4], keep = "checkpoints")
  expect_identical(simulate(fit, 5, seed = 1), simulate(efs_by_rule(iris[1:4]), 5, seed = 1))
})

test_that("a trajectory too large for the machine is refused before it is begun", {
  x <- two_clusters(1000, 3)
  expect_error(efs_forward(x, n_steps = 2e9),
               "more than half of this machine's .* GB; give `keep = \"file\"`, `keep = \"checkpoints\"`")
})
