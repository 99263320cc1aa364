# Flows of particles that follow the law of the rows. Few particles, so that the file is quick.

fit_particles <- function(x, particles = 600, ...) efs(x, particles = particles, progress = FALSE, ...)

normal_rows <- function(n, d, seed = 1) {
  set.seed(seed)
  matrix(rnorm(n * d), n, d)
}

# Draws of the law of the rows, in the unit of the flow.
draws_of_law <- function(fit, n, key) {
  flow <- particleflow:::class_flows(fit)[[1]]
  points <- particleflow:::draw_law(flow$source$law, n, key, 1L)
  particleflow:::to_flow(particleflow:::from_flow(points, flow$source), flow)
}

fits <- lapply(1:3, function(d) fit_particles(normal_rows(100, d)))

test_that("a flow of normal rows costs little against their law, and is counted", {
  # in trials the costs were 0.001, 0.003 and 0.01, with standard errors below 0.005
  bounds <- c(0.01, 0.03, 0.06)
  for (d in 1:3) {
    shown <- fits[[d]]$diagnostics
    expect_lt(-shown$gain, bounds[d])
    expect_equal(shown$particles, 600)
    expect_equal(shown$s, d - 2)
    expect_gt(shown$steps, 0)
    expect_equal(nrow(fits[[d]]$trajectory$frames), 600)
  }
})

test_that("the likelihood of the flow integrates to 1 in one and two dimensions", {
  at <- matrix(seq(-8, 8, length.out = 801))
  step <- at[2] - at[1]
  expect_equal(sum(exp(predict(fits[[1]], at, type = "log_density"))) * step, 1, tolerance = tolerance$integral)
  side <- seq(-6, 6, length.out = 81)
  grid <- as.matrix(expand.grid(side, side))
  total <- sum(exp(predict(fits[[2]], grid, type = "log_density"))) * (side[2] - side[1])^2
  expect_equal(total, 1, tolerance = tolerance$integral)
})

test_that("the inverse returns the rows, which no particle is", {
  for (d in 1:3) {
    x <- normal_rows(100, d)
    ends <- predict(fits[[d]])
    expect_equal(predict(fits[[d]], x, type = "latent"), ends, tolerance = tolerance$passive, ignore_attr = TRUE)
    expect_equal(unname(as.matrix(predict(fits[[d]], ends, type = "data"))), x, tolerance = tolerance$inverse)
    flow <- particleflow:::class_flows(fits[[d]])[[1]]
    starts <- particleflow:::from_flow(particleflow:::frame(flow$trajectory, 1L), flow)
    expect_false(any(duplicated(rbind(signif(starts, 10), signif(fits[[d]]$latent$encode(x), 10)))))
  }
})

test_that("ranks of draws of the law are uniform", {
  # two tests at level 0.001 of the Kolmogorov-Smirnov distance with 1000 draws, whose seeds are fixed
  for (d in 1:2) {
    flow <- particleflow:::class_flows(fits[[d]])[[1]]
    ends <- particleflow:::push_forward(flow$trajectory, draws_of_law(fits[[d]], 1000L, c(91L, 5L)), 1L)
    expect_gt(ks.test(particleflow:::radial_rank(flow$law, ends), "punif")$p.value, 0.001)
  }
})

test_that("ranks are in [0, 1], directions have length 1, and contours hold their share of new rows", {
  y <- simulate(fits[[2]], 1000, seed = 2)
  rank <- predict(fits[[2]], y, type = "rank")
  expect_equal(colnames(rank), c("rank", "direction1", "direction2"))
  expect_true(all(rank[, 1] >= 0 & rank[, 1] <= 1))
  expect_equal(rowSums(rank[, -1]^2), rep(1, 1000), tolerance = tolerance$closed_form)
  # four standard deviations of a share of 1000; the floor drops one draw in a hundred at most
  for (share in c(0.5, 0.9)) {
    expect_lt(abs(mean(rank[, 1] <= share) - share), 4 * sqrt(share * (1 - share) / 1000) + 0.01)
  }
})

small <- normal_rows(60, 2)
whole <- fit_particles(small, 200, threads = 1)

test_that("the number of threads changes no bit", {
  two <- fit_particles(small, 200, threads = 2)
  expect_identical(whole$trajectory$frames, two$trajectory$frames)
  expect_identical(whole$flows, two$flows)
  expect_identical(simulate(whole, 20, seed = 1), simulate(two, 20, seed = 1))
})

test_that("a stripped fit has the same draws and no row", {
  x <- small
  bare <- fit_particles(x, 200, strip = TRUE)
  expect_identical(simulate(bare, 50, seed = 3), simulate(whole, 50, seed = 3))
  expect_identical(predict(bare, x[1:5, ], type = "rank"), predict(whole, x[1:5, ], type = "rank"))
  values <- rapply(unclass(bare), function(value) as.double(value), classes = c("numeric", "integer"), how = "unlist")
  inner <- setdiff(x, c(apply(x, 2, range))) # the ranges of columns are kept
  expect_false(any(signif(inner, 12) %in% signif(values, 12)))
  latent <- whole$latent$encode(x)
  expect_false(any(signif(latent, 12) %in% signif(values, 12)))
  expect_error(predict(bare), "strip = TRUE", class = "particleflow_input")
})

test_that("efs() takes particles by itself only if the flow is left open and has one to three columns", {
  open <- function(...) {
    particleflow:::check_particles(NULL, utils::modifyList(list(calibrate = TRUE), list(...)), FALSE)
  }
  expect_identical(open(), NA_integer_)
  expect_identical(open(s = 0), 0L)
  expect_identical(open(time = 1), 0L)
  expect_identical(open(law = "local"), 0L)
  expect_identical(open(calibrate = FALSE), 0L)
  count <- function(d) particleflow:::particle_count(list(particles = NA_integer_, min_rows = 20L, calibrate = TRUE),
                                                     normal_rows(30, d))
  expect_equal(vapply(1:4, count, 0), c(particleflow:::usual_particles, 0))
})

test_that("given settings of the flow are used", {
  x <- normal_rows(60, 3)
  fit <- fit_particles(x, 200, s = 0, epsilon = 0.5, time = 1)
  expect_equal(unlist(fit$diagnostics[c("s", "epsilon", "time")]), c(s = 0, epsilon = 0.5, time = 1))
  expect_true(all(is.finite(simulate(fit, 20, seed = 1))))
})

test_that("hard rows give finite draws, densities and ranks", {
  set.seed(4)
  along <- rnorm(80)
  hard <- list(
    ties = matrix(round(rnorm(80), 1)), few = normal_rows(20, 3), cauchy = matrix(rt(100, 1)),
    collinear = cbind(along, along + 1e-5 * rnorm(80)) * 1e-150
  )
  for (name in names(hard)) {
    fit <- fit_particles(hard[[name]], 100)
    y <- as.matrix(simulate(fit, 30, seed = 1))
    expect_true(all(is.finite(y)), info = name)
    expect_true(all(is.finite(predict(fit, y, type = "log_density"))), info = name)
    expect_true(all(is.finite(predict(fit, y, type = "rank"))), info = name)
  }
})

test_that("a law without a density gives particles that are independent draws", {
  fit <- fit_particles(normal_rows(60, 2), 200, law = "sphere")
  expect_true(is.na(fit$diagnostics$gain))
  expect_equal(nrow(fit$trajectory$frames), 200)
  expect_true(all(is.finite(predict(fit, normal_rows(5, 2), type = "rank"))))
})

test_that("a flow that is not one-to-one has a warning and no cost", {
  expect_warning(fit <- fit_particles(small, 200, epsilon = 0, max_bound = Inf), "not one-to-one")
  expect_identical(fit$diagnostics$gain, NA_real_)
})

test_that("wrong particles are errors", {
  x <- normal_rows(30, 2)
  expect_error(efs(x, particles = 50), "at least 100, not 50", class = "particleflow_input")
  expect_error(efs(x, particles = 1.5), "`particles`", class = "particleflow_input")
  expect_error(efs(x, particles = 200, time = 0), "need a flow", class = "particleflow_input")
  expect_error(efs(warpbreaks, particles = 200), "normal scores", class = "particleflow_input")
  expect_error(efs(x, particles = 0, strip = TRUE), "strip = TRUE", class = "particleflow_input")
  expect_error(predict(efs(x, particles = 0), x, type = "rank"), "round law", class = "particleflow_input")
})

# ---- the law of the radii ----------------------------------------------------------------------------------------

test_that("the density of law_radial() integrates to 1", {
  for (d in 1:3) {
    law <- particleflow:::fit_law(law_radial(), normal_rows(2000, d), 0)
    radius <- seq(0, 12, length.out = 20001)
    middle <- (radius[-1] + radius[-length(radius)]) / 2
    points <- cbind(middle, matrix(0, 20000, d - 1))
    points <- sweep(points, 2, law$centre, "+")
    shell <- pi^(d / 2) / gamma(d / 2 + 1) * diff(radius^d)
    expect_equal(sum(exp(particleflow:::law_density(law, points, 1L)[, 1]) * shell), 1, tolerance = tolerance$integral)
  }
})

test_that("draws of law_radial() have its quantiles, which ranks undo", {
  x <- normal_rows(2000, 2)
  law <- particleflow:::fit_law(law_radial(), x, 0)
  u <- seq(0.01, 0.999, length.out = 200)
  at <- sweep(cbind(particleflow:::radial_radius(law, u), 0), 2, law$centre, "+")
  expect_equal(particleflow:::radial_rank(law, at), u, tolerance = tolerance$closed_form)
  # the radius of two normal coordinates: P(r <= t) = 1 - exp(-t^2/2); 2000 points, four standard deviations
  expect_lt(max(abs(1 - exp(-particleflow:::radial_radius(law, u)^2 / 2) - u)), 4 * 0.5 / sqrt(2000))
  # one test at level 0.001 with a fixed seed
  drawn <- particleflow:::draw_law(law, 2000L, c(5L, 5L), 1L)
  expect_gt(ks.test(particleflow:::radial_rank(law, drawn), "punif")$p.value, 0.001)
  expect_identical(drawn, particleflow:::draw_law(law, 2000L, c(5L, 5L), 2L))
  expect_error(law_radial("a"), "centre", class = "particleflow_input")
})

# ---- the lattice -------------------------------------------------------------------------------------------------

# The star discrepancy over a grid of boxes.
discrepancy <- function(cube, side = 24) {
  ends <- as.matrix(expand.grid(rep(list(seq_len(side) / side), ncol(cube))))
  max(abs(apply(ends, 1, function(end) mean(colSums(t(cube) <= end) == ncol(cube)) - prod(end))))
}

test_that("the lattice is far more even than independent points", {
  set.seed(6)
  for (d in 1:3) {
    lattice <- particleflow:::lattice_cube(1000L, d)
    expect_equal(dim(lattice), c(1000L, d))
    expect_true(all(lattice >= 0 & lattice < 1))
    side <- c(200, 40, 12)[d]
    # independent points: at least 0.02 with 1000 points in nearly all draws
    expect_lt(discrepancy(lattice, side), c(0.001, 0.005, 0.012)[d])
    expect_lt(2 * discrepancy(lattice, side), discrepancy(matrix(runif(1000 * d), 1000), side))
  }
})

test_that("the bent lattice fills cells by their weights", {
  set.seed(7)
  for (d in 1:3) {
    cells <- c(8, 6, 4)[d]
    weights <- array(rexp(cells^d), rep(cells, d))
    bent <- particleflow:::bend_cube(particleflow:::lattice_cube(20000L, d), weights)
    expect_true(all(bent >= 0 & bent <= 1))
    index <- 1 + pmin(floor(bent * cells), cells - 1) %*% cells^(seq_len(d) - 1)
    share <- tabulate(index, cells^d) / 20000
    expect_lt(max(abs(share - weights / sum(weights))), 0.0015)
  }
  even <- particleflow:::lattice_cube(500L, 2)
  expect_equal(particleflow:::bend_cube(even, matrix(1, 8, 8)), even, tolerance = tolerance$closed_form)
})

test_that("rank_test() does not depend on the order of rows and samples, and says what it needs", {
  set.seed(1)
  x <- matrix(rnorm(80), 40)
  y <- matrix(rnorm(60), 30)
  test <- function(x, y, ...) rank_test(x, y, particles = 200, n_permutations = 19, seed = 1, ...)
  once <- test(x, y)$statistic
  expect_equal(test(x[40:1, ], y)$statistic, once, tolerance = tolerance$kernel)
  expect_equal(test(y, x)$statistic, once, tolerance = tolerance$kernel)
  expect_error(test(x[1:5, ], y[1:5, ]), "have 10 rows together; ranks need at least 20")
  expect_error(rank_test(x, y, particles = 1e9), "would take hours", class = "particleflow_size")
})

test_that("ranks refuse a column that is constant within a class, and a class without particles", {
  x <- iris[c(1:100, 101:105), c(1, 3, 5)]
  x[1:50, 1] <- 5
  fit <- efs(x, group = "Species", particles = 200, calibrate = FALSE)
  expect_error(predict(fit, x[1:3, ], type = "rank"), "vary within class|columns that vary")
  expect_error(predict(fit, x[101:102, ], type = "rank"), "Ranks need a flow to a round law")
  ranks <- predict(fit, x[51:55, ], type = "rank")
  expect_true(all(ranks[, 1] > 0 & ranks[, 1] < 1))
  expect_equal(rowSums(ranks[, -1]^2), rep(1, 5))
})

test_that("the print says where the likelihood is infinite, and of what it is", {
  x <- normal_rows(100, 2)
  shown <- format(fit_particles(x, 100, law = "ball"))
  expect_match(shown, "held-out log-likelihood: -Inf, because the law has no density", all = FALSE)
  expect_match(format(fits[[1]])[1], "100 rows of 1 column$")
  projected <- efs(cbind(x, x[, 1]^2), latent = latent_pca(2), particles = 100, progress = FALSE)
  expect_match(gsub("\n *", " ", paste(format(projected), collapse = " ")), "log-likelihood of the latent rows, nats")
})
