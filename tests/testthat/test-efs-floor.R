test_that("the density floor is computed once, in the fit, and answers for any quantile", {
  set.seed(1)
  x <- matrix(rexp(240), 80)
  fits <- list(
    searched = efs(x, law = "local", time = 1), # held-out densities
    by_rule = efs(x, calibrate = FALSE), # each row without its own particle
    whitened = efs(x, scale = "whiten", time = 0),
    grouped = efs(iris, group = "Species", calibrate = FALSE)
  )
  for (name in names(fits)) {
    fit <- fits[[name]]
    # as a fit without it was, and as each call of simulate() had to compute it
    old <- fit
    old$flows <- lapply(old$flows, function(flow) flow[setdiff(names(flow), "floor")])
    old <- particleflow:::seal(old)
    for (floor in c(0, 0.01, 0.2)) {
      draw <- function(fit) simulate(fit, 15, seed = 1, density_floor = floor)
      expect_identical(draw(fit), draw(old), label = name)
    }
    with_binding("floor_densities", function(...) stop("computed again"), {
      expect_no_error(simulate(fit, 3, seed = 1, density_floor = 0.1))
    })
  }
})

test_that("level and share are those of the definition", {
  set.seed(2)
  x <- matrix(rexp(160), 80)
  fit <- efs(x, law = "student", time = 0)
  flow <- particleflow:::class_flows(fit)[[1]]
  found <- particleflow:::flow_floor(flow, 0.05, fit$control$backward, 1L)
  expect_equal(found$level, quantile(flow$held_out, 0.05, names = FALSE) - particleflow:::flow_log_volume(flow))
  # without a flow draws stay where they are
  y <- particleflow:::draw_law(flow$law, 1000L, c(0L, 0L), 1L)
  expect_equal(found$kept, mean(particleflow:::law_density(flow$law, y, 1L) >= found$level))
})

test_that("where there is no floor nothing is stored", {
  x <- two_clusters(60, 2)
  expect_null(efs(x, calibrate = FALSE, density_floor = 0)$flows[[1]]$floor)
  expect_null(efs(x, calibrate = FALSE, law = "sphere")$flows[[1]]$floor)
  expect_null(efs(x, calibrate = FALSE, backward = "paper", n_inner = 20)$flows[[1]]$floor)
  expect_null(attr(simulate(efs(x, calibrate = FALSE, law = "sphere"), 3, seed = 1), "dropped"))
  # a fit without a floor is asked for one later
  fit <- efs(x, calibrate = FALSE, density_floor = 0)
  expect_identical(simulate(fit, 9, seed = 1, density_floor = 0.05),
                   simulate(efs(x, calibrate = FALSE, density_floor = 0.05), 9, seed = 1))
})

test_that("copies of a row do not raise the floor", {
  set.seed(3)
  z <- matrix(rnorm(100), 50)
  once <- efs(z, calibrate = FALSE, time = 0)
  four <- efs(z[rep(1:50, 4), ], calibrate = FALSE, time = 0)
  # the law is the same; only the standard deviations, with n - 1, differ
  dropped <- function(fit) attr(simulate(fit, 500, seed = 1, density_floor = 0.05), "dropped")
  expect_equal(dropped(four), dropped(once), tolerance = 0.05)
})

test_that("draws below the floor are the same whether attempts are made one by one or several at once", {
  set.seed(3)
  x <- matrix(rexp(400), 200)
  fit <- efs(x, particles = 0, calibrate = FALSE, field = "mesh")
  draw <- function() simulate(fit, 400, seed = 2, density_floor = 0.1)
  several <- with_binding("attempts_ahead", function(flow, n, lacking, share, left) if (lacking == n) 1 else 3, draw())
  single <- with_binding("attempts_ahead", function(...) 1, draw())
  expect_gt(attr(single, "dropped"), 0) # some draws were made again
  expect_identical(several, single)
  expect_identical(draw(), single)
  ahead <- function(lacking, share, left = 49) {
    particleflow:::attempts_ahead(particleflow:::class_flows(fit)[[1]], 1e6, lacking, share, left)
  }
  expect_equal(ahead(1e6, 0), 1)
  expect_equal(ahead(2e4, 0.02), 3)
  expect_equal(ahead(5e5, 0.5), 1)
  expect_equal(ahead(3, 0.99, left = 7), 7)
})
