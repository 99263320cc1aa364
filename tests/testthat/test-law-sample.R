small <- c(kernels = 300, few = 300, trees = 400, mixture = 500, ensemble = 100)
inner <- asNamespace("particleflow")
cloud <- function(n, d = 3) {
  set.seed(5)
  matrix(rnorm(n * d), n) %*% chol(0.5 + 0.5 * diag(d))
}

test_that("a sample is a part of the rows in their order, and the same each time", {
  expect_null(inner$sample_of_rows(10, 10))
  some <- inner$sample_of_rows(1000, 100)
  expect_length(some, 100)
  expect_false(is.unsorted(some, strictly = TRUE))
  expect_identical(some, inner$sample_of_rows(1000, 100))
  # P(Kolmogorov-Smirnov beyond 0.25 with 100 rows) < 1e-5
  expect_lt(max(abs(some / 1000 - (1:100) / 100)), 0.25)
  expect_equal(inner$shape_rows(10), 50000)
  expect_equal(inner$shape_rows(40), floor(5e7 / 1640))
  expect_equal(inner$shape_rows(100), 20000)
  # a class of a fit of all components has at most as many rows as dimensions
  expect_equal(inner$ensemble_rows(5000), 10000)
})

test_that("every law of the package takes many rows, and says which of them it knows", {
  x <- cloud(3000)
  used <- c(local = 300, global = 300, local_covariance = 300, neighbour = 300, trees = 400, mixture = 500,
            student = 500, ensemble = 100)
  with_binding("most_law_rows", small, {
    for (name in setdiff(law_names(), "stack")) {
      law <- fit_law(if (name == "mixture") law_mixture(2) else our_law(name), x, 0)
      y <- draw_law(law, 1000, c(1L, 2L), 2L)
      expect_true(all(is.finite(y)), label = name)
      found <- law_samples(law)
      if (!name %in% names(used)) {
        expect_null(found, label = name)
        next
      }
      expect_equal(found, data.frame(law = name, rows = used[[name]], of = 3000), label = name)
      expect_match(utils::capture.output(print(law)),
                   sprintf("law fitted on a sample of %.0f of the 3000 rows", used[[name]]), all = FALSE)
      # the standard deviation of a mean of some 300 rows is 0.06, and of 100 rows 0.1: seven of them
      expect_lt(max(abs(colMeans(y))), if (name == "ensemble") 0.7 else 0.42)
    }
    stack <- fit_law(law_stack(list("global", "trees")), x, 0)
    expect_identical(law_sample_words(stack),
                     "laws fitted on samples of the 3000 rows: global on 300, trees on 400")
    scores <- fit_law(law_copula(base = "student"), x, 0)
    expect_identical(law_sample_words(scores), "law fitted on a sample of 500 of the 3000 rows")
  })
  expect_null(law_sample_words(fit_law(law_global(), x[1:500, ], 0)))
})

test_that("a law of a sample is near the law of all rows", {
  x <- cloud(5000)
  fresh <- cloud(6000)[5001:6000, ]
  root <- chol(0.5 + 0.5 * diag(3))
  z <- backsolve(root, t(fresh), transpose = TRUE)
  entropy <- mean(-colSums(z^2) / 2) - sum(log(diag(root))) - 1.5 * log(2 * pi)
  with_binding("most_law_rows", c(kernels = 2000, few = 2000, trees = 4000, mixture = 4000, ensemble = 2000), {
    value <- function(kind) mean(law_density(fit_law(kind, x, 0), fresh, 2L))
    # a Gaussian law of 4000 rows loses 9 / (2 * 4000) nats, kernels and trees some hundredths
    expect_lt(abs(value(law_student()) - entropy), 0.01)
    expect_lt(abs(value(law_mixture(1)) - entropy), 0.01)
    expect_lt(abs(value(law_global()) - entropy), 0.1)
    expect_lt(abs(value(law_trees(trees = 5)) - entropy), 0.15)
  })
})

test_that("rows of the sample are evaluated without their own part, and the others with all", {
  x <- cloud(200)
  with_binding("most_law_rows", c(kernels = 50, few = 50, trees = 60, mixture = 70, ensemble = 40), {
    law <- fit_law(law_local(jitter = 1), x, 0)
    some <- sample_of_rows(200, 50)
    expect_identical(law$points, x[some, ])
    width <- law$jitter * law$spacing / sqrt(3)
    slow <- vapply(1:200, function(i) {
      others <- x[setdiff(some, i), , drop = FALSE]
      log(mean(exp(-rowSums(sweep(others, 2, x[i, ])^2) / (2 * width^2)))) - 3 * log(width * sqrt(2 * pi))
    }, 0)
    expect_equal(law_density(law, x, 1L, self = TRUE)[, 1], slow, tolerance = 1e-10)
    expect_equal(law_density(law, x[some, ], 1L, self = FALSE), law_density(law, x, 1L)[some, , drop = FALSE],
                 tolerance = 1e-10)
    trees <- fit_law(law_trees(trees = 4), x, 0)
    bagged <- law_density(trees, x, 1L, self = TRUE)
    expect_identical(bagged[-sample_of_rows(200, 60), ], law_density(trees, x, 1L)[-sample_of_rows(200, 60), ])
  })
})

test_that("synthesise() of a large table says what its laws know, with the same bits for any number of threads", {
  set.seed(2)
  n <- 30000
  a <- rnorm(n)
  x <- data.frame(a, b = rpois(n, exp(a / 3)), c = factor(ifelse(a + rnorm(n) > 0, "u", "v")))
  x$a[sample.int(n, 500)] <- NA
  with_binding("most_law_rows", c(kernels = 1000, few = 1000, trees = 1000, mixture = 1000, ensemble = 1000), {
    fits <- lapply(1:2, function(threads) {
      synthesise(x, law = law_trees(trees = 4, min_leaf = 15), quiet = TRUE, threads = threads)
    })
    fit <- fits[[1]]
    expect_match(format(fit), "^law fitted on a sample of 1000 of the 30000 rows", all = FALSE)
    expect_match(utils::capture.output(print(summary(fit))), "fitted on a sample of 1000 of the 30000", all = FALSE)
    new <- simulate(fit, 2000, seed = 1, threads = 1)
    expect_identical(new, simulate(fits[[2]], 2000, seed = 1, threads = 2))
    # standard errors of the new rows: 0.02 of the mean of b, 0.011 of the share; the law of 1000 rows adds 1.4 times as
    # much
    expect_lt(abs(mean(new$b) - mean(x$b)), 0.2)
    expect_lt(abs(mean(new$c == "u") - mean(x$c == "u")), 0.09)
    expect_true(all(is.na(fit$trajectory$diagnostics$energy))) # no exact field of all pairs
    with_binding("rows_of_likelihood", 7L, blocks <- predict(fit, x[1:20, ], draws = 4))
    expect_equal(blocks, predict(fit, x[1:20, ], draws = 4), tolerance = 1e-12)
  })
})

test_that("draws within cells do not depend on which rows are searched", {
  table <- inner$read_mixed(data.frame(a = rep(1:3, 40), b = rep(c("u", "v"), 60)), NULL)
  cells <- inner$search_cells(table, diag(2))
  all <- inner$draws_of_cells(cells)
  some <- inner$draws_of_cells(inner$pick_cells(inner$pick_cells(cells, 11:100), c(3, 50)))
  for (k in seq_along(all)) {
    expect_equal(some[[k]]$z, all[[k]]$z[c(13, 60), ], tolerance = 1e-13)
    expect_equal(some[[k]]$log, all[[k]]$log[c(13, 60)], tolerance = 1e-13)
  }
  expect_null(inner$draws_of_cells(NULL))
})

test_that("a large trajectory without a step has no field", {
  x <- cloud(60, 2)
  with_binding("most_exact_particles", 50L, {
    still <- efs_forward(x, n_steps = 0)
    expect_true(is.na(still$diagnostics$energy))
    for (kind in c("exact", "mesh", "tree", "batch")) {
      expect_true(is.na(efs_forward(x, n_steps = 0, field = efs_field(kind))$diagnostics$energy))
    }
    expect_false(is.na(efs_forward(x[1:50, ], n_steps = 0)$diagnostics$energy))
    expect_identical(efs_backward(still, x), x)
  })
})
