# n rows of p columns on a closed curve that lies in no plane
curve_rows <- function(n, p = 12, seed = 1) {
  set.seed(seed)
  angle <- runif(n, 0, 2 * pi)
  phase <- outer(rep(1, n), seq_len(p))
  cos(angle + phase) + sin(2 * angle + phase) + 0.5 * cos(3 * angle + 2 * phase)
}

low_rank_rows <- function(n, p, r) matrix(rnorm(n * r), n) %*% matrix(rnorm(r * p), r) + rep(1:p, each = n)

error_of <- function(map, x) sqrt(sum((map$decode(map$encode(x)) - x)^2) / sum(sweep(x, 2, colMeans(x))^2))

test_that("the untrained map is that of the principal components", {
  set.seed(1)
  x <- low_rank_rows(60, 20, 8)
  for (scale in c(FALSE, TRUE)) {
    for (hidden in list(12, c(16, 9, 14))) {
      map <- latent_autoencoder(3, hidden = hidden, scale = scale, n_steps = 0, seed = 1)$fit(x)
      run <- particleflow:::held_out_rows(60, 0.1, particleflow:::with_stream(1, particleflow:::draw_key))
      expect_length(run, 6)
      reference <- latent_pca(3, scale = scale)$fit(x[-run, ])
      expect_equal(map$decode(map$encode(x)), reference$decode(reference$encode(x)), tolerance = tolerance$isometry)
      expect_equal(mean(map$encode(x[-run, ])^2), 53 / 54)
      expect_identical(map$held_out[["autoencoder"]], map$held_out[["components"]])
    }
  }
})

test_that("a table of exactly low rank comes back as from its principal components", {
  set.seed(2)
  x <- low_rank_rows(200, 30, 4)
  map <- latent_autoencoder(4, hidden = 16, n_steps = 15)$fit(x)
  expect_lt(error_of(map, x), tolerance$isometry)
  expect_equal(error_of(map, x), map$reconstruction_error, tolerance = 1e-6)
  # rows that span fewer dimensions than asked for
  expect_identical(latent_autoencoder(6, hidden = 16, n_steps = 0)$fit(x)$dim, 4L)
})

test_that("rows on a curve come back far better than from principal components, new rows too", {
  x <- curve_rows(400)
  map <- latent_autoencoder(2, hidden = 32, n_steps = 60, rate = 0.01, seed = 1)$fit(x)
  new <- curve_rows(300, seed = 2)
  linear <- error_of(latent_pca(2)$fit(x), new)
  # measured with ten seeds: 0.04 to 0.15 of the error of principal components
  expect_lt(error_of(map, new), 0.3 * linear)
  expect_lt(map$held_out[["autoencoder"]], 0.3 * map$held_out[["components"]])
  expect_output(print(map), "autoencoder 12-32-2 of centred columns; rel")
  expect_output(print(map), "held-out rows: relative error 0.*components 0")
})

test_that("training stops early and keeps the best networks", {
  set.seed(3)
  x <- matrix(rnorm(60 * 40), 60)
  map <- latent_autoencoder(3, hidden = 64, n_steps = 200, patience = 4, rate = 0.01, seed = 2)$fit(x)
  expect_identical(map$status, "stopped early")
  best <- which.min(map$trace$score)
  expect_identical(map$trace$step, seq_len(nrow(map$trace)) - 1L)
  expect_identical(nrow(map$trace), best + 4L)
  expect_identical(map$held_out[["autoencoder"]], map$trace$score[best])
  # the networks that are kept have this error on the rows that were held out
  held <- particleflow:::held_out_rows(60, 0.1, particleflow:::with_stream(2, particleflow:::draw_key))
  seen <- colMeans(x[-held, ])
  back <- map$decode(map$encode(x[held, ]))
  expect_equal(sqrt(sum((back - x[held, ])^2) / sum(sweep(x[held, ], 2, seen)^2)), min(map$trace$score))
})

test_that("the bits depend on the seed alone", {
  x <- curve_rows(700, 20)
  train <- function(threads = 1, seed = NULL) {
    map <- latent_autoencoder(2, hidden = c(32, 16), n_steps = 3, batch = 200, seed = seed, threads = threads)$fit(x)
    unclass(map)[c("parameters", "trace")]
  }
  set.seed(5)
  before <- .Random.seed
  one <- train(seed = 7)
  expect_identical(.Random.seed, before)
  expect_identical(train(threads = 2, seed = 7), one)
  expect_false(identical(train(seed = 8), one))
  free <- train()
  expect_false(identical(free, one))
  set.seed(5)
  expect_identical(train(threads = 2), free)
})

test_that("values stay within the bounds", {
  x <- pmin(pmax(curve_rows(200), 0), 1)
  map <- latent_autoencoder(2, hidden = 16, bounds = c(0, 1), n_steps = 10, seed = 1)$fit(x)
  far <- map$decode(matrix(rnorm(2000, sd = 20), 1000))
  expect_identical(range(far), c(0, 1))
  free <- latent_autoencoder(2, hidden = 16, n_steps = 10, seed = 1)$fit(x)
  expect_gt(max(free$decode(matrix(rnorm(2000, sd = 20), 1000))), 1)
  expect_error(latent_autoencoder(2, bounds = c(0, 0.5))$fit(x),
               "must lie within `bounds` = c(0, 0.5), but they lie between 0 and 1", fixed = TRUE)
})

test_that("efs() trains the map, and other fits use the trained map", {
  x <- cbind(curve_rows(150), constant = 3)
  set.seed(9)
  fit <- efs_by_rule(x, latent = latent_autoencoder(2, hidden = 16, n_steps = 5, bounds = c(-3, 4)))
  new <- simulate(fit, 40, seed = 1)
  expect_identical(dim(new), c(40L, 13L))
  expect_true(all(new >= -3 & new <= 4) && all(new[, 13] == 3))
  again <- efs_by_rule(x, latent = fit$latent)
  expect_identical(again$latent, fit$latent)
  expect_identical(simulate(again, 40, seed = 1), new)
  expect_error(efs_by_rule(x[, 1:5], latent = fit$latent), "trained on 12 columns that vary, but this table has 5")
  expect_error(predict(fit, x, type = "log_density"), "latent map gives no volume")
  expect_false(any(vapply(unclass(fit$latent), is.function, NA)))
})

test_that("a checkpoint goes on to the same bits", {
  path <- tempfile(fileext = ".rds")
  on.exit(unlink(path))
  x <- curve_rows(100)
  train <- function(...) latent_autoencoder(2, hidden = 16, n_steps = 6, seed = 1, ...)
  whole <- train()$fit(x)
  control <- environment(train(checkpoint = path)$fit)$control
  run <- particleflow:::new_autoencoder_run(x, control, particleflow:::with_stream(1, particleflow:::draw_key))
  for (step in 1:4) run <- particleflow:::advance(run, 1)
  expect_null(particleflow:::write_checkpoint(run, path))
  rest <- resume(path)
  expect_identical(rest$parameters, whole$parameters)
  expect_identical(rest$trace, whole$trace)
  more <- resume(path, 3)
  expect_identical(more$trace[1:7, ], whole$trace)
  expect_identical(nrow(more$trace), 10L)
  expect_error(resume(whole), "give the path of its `checkpoint`")
})

test_that("Ctrl-C stops the training within a second, and resume() goes on", {
  skip_on_os("windows") # no signal can be sent to oneself there
  x <- curve_rows(2000, 200)
  map <- latent_autoencoder(2, hidden = 128, n_steps = 1e6, patience = 1e6, batch = 32, progress = FALSE)
  expect_lt(least_delay(suppressMessages(map$fit(x))), 1)
  trained <- resume(n_steps = 1)
  expect_s3_class(trained, "latent_autoencoder")
  expect_gt(nrow(trained$trace), 2)
})

test_that("rows whose squares leave the range of numbers are trained like others", {
  x <- curve_rows(60)
  error <- latent_autoencoder(2, n_steps = 2, seed = 1, progress = FALSE)$fit(x)$held_out
  for (unit in c(2^700, 2^-700)) {
    scaled <- latent_autoencoder(2, n_steps = 2, seed = 1, progress = FALSE)$fit(x * unit)
    expect_identical(scaled$held_out, error) # powers of two change no digit
  }
})

test_that("bad arguments and tables are refused in words", {
  expect_error(latent_autoencoder(0), "`dim` must be one whole number of at least 1")
  expect_error(latent_autoencoder(5, hidden = c(32, 8)), "`hidden` must be widths of at least 2 * `dim` = 10",
               fixed = TRUE)
  expect_error(latent_autoencoder(2, hidden = 0), "`hidden` must be the widths of the hidden layers")
  expect_error(latent_autoencoder(2, bounds = c(1, 0)), "`bounds` must be NULL or two numbers, the lower first")
  expect_error(latent_autoencoder(2, rate = 0), "`rate` must be")
  expect_error(latent_autoencoder(2, held_out = 0.7), "`held_out` must be")
  expect_error(latent_autoencoder(2, seed = 1.5), "`seed` must be NULL or one whole number")
  x <- curve_rows(12)
  expect_error(latent_autoencoder(12)$fit(x), "`dim` is 12, but 11 training rows of 12 columns have at most 10")
  expect_error(latent_autoencoder(1)$fit(x[1:2, ]), "needs at least 3 rows, not 2")
  expect_error(latent_autoencoder(1)$fit(x[rep(1, 9), ]), "all training rows are equal")
  expect_error(latent_autoencoder(2, rate = 1e200)$fit(x), "left the range of numbers in step 1",
               class = "particleflow_unsolved")
})
