# Wrong arguments are found before the latent map, the search and the flow run.
expect_before_work <- function(call, message, ...) {
  work <- function(...) stop("work was done")
  with_binding("calibrate_flow", work, with_binding("efs_forward", work, {
    expect_error(call, message, class = "particleflow_input", ...)
  }))
}

untouched <- latent_map(encode = function(x) stop("rows were encoded"))

test_that("efs() checks all arguments before all work", {
  x <- two_clusters(60, 2)
  wrong <- list(
    list(list(s = "a"), "`s` must be one finite number"), list(list(s = -2), "`s` must lie above -2"),
    list(list(epsilon = -1), "`epsilon` must be one number of at least 0, not -1"),
    list(list(epsilon = 0), "With `epsilon` = 0 and `s` = 0 no step can be bounded"),
    list(list(step = -1), "`step` must be one number above 0, not -1"), list(list(step = 0), "`step`"),
    list(list(time = Inf), "`time` must be one number of at least 0, not Inf"), list(list(time = "long"), "`time`"),
    list(list(n_steps = 2.5), "`n_steps` must be one whole number"), list(list(n_steps = -1), "`n_steps`"),
    list(list(max_bound = "a"), "`max_bound` must be one number above 0, not \"a\""),
    list(list(max_bound = 0), "`max_bound`"),
    list(list(keep = "some"), "`keep` must be one of \"all\", \"checkpoints\""),
    list(list(scale = "unit"), "`scale`"), list(list(bounds = NA), "`bounds`"),
    list(list(calibrate = "no"), "`calibrate`"), list(list(density_floor = 0.6), "`density_floor`"),
    list(list(backward = "newton"), "`backward` must be one of"), list(list(tolerance = 0), "`tolerance`"),
    list(list(beta = 0), "`beta`"), list(list(n_inner = 1.5), "`n_inner`"), list(list(min_rows = 1), "`min_rows`"),
    list(list(blocks = 1:3), "`blocks` must have one entry for each of the 60 rows"),
    list(list(threads = 0), "`threads`"),
    list(list(progress = "yes"), "`progress`"), list(list(law = "gauss"), "`law` must be one of"),
    list(list(law_settings = list(df = 3)), "`law_settings` belong to a `law`"),
    list(list(law = "student", law_settings = "df"), "`law_settings` must be a list"),
    list(list(law = "student", law_settings = list(def = 3)), "has no setting `def`"),
    list(list(law = "student", law_settings = list(df = -3)), "`df` must be one number above 0"),
    list(list(stepp = 1), "efs\\(\\) has no argument `stepp`")
  )
  for (one in wrong) {
    expect_before_work(do.call(efs, c(list(x, latent = untouched), one[[1]])), one[[2]], label = names(one[[1]])[1])
  }
  # the latent dimension is known once the rows are encoded
  expect_before_work(efs(x, s = 20), "`s` must lie above -2 and below the dimension 2 of the points, not be 20")
  expect_before_work(efs(x, s = 2, latent = latent_pca(1)), "below the dimension 1")
})

test_that("the other functions check theirs", {
  x <- two_clusters(60, 2)
  wrong <- list(
    list(list(s = "a"), "`s`"), list(list(softening = 0), "`softening`"), list(list(softening = "a"), "`softening`"),
    list(list(time = -1), "`time`"), list(list(time = NULL), "`time`"), list(list(step = -1), "`step`"),
    list(list(max_bound = "a"), "`max_bound`"), list(list(law = 3), "`law`"), list(list(blocks = 1), "`blocks`"),
    list(list(threads = -1), "`threads`"), list(list(progress = 1), "`progress`")
  )
  for (one in wrong) {
    tune <- function() do.call(efs_tune, c(list(x, latent = untouched), one[[1]]))
    expect_before_work(tune(), one[[2]], label = names(one[[1]])[1])
  }
  expect_before_work(efs_tune(x, s = 20), "below the dimension 2")
  expect_before_work(efs_tune(x[1:10, ]), "`x` has 10 rows; at least 20")
  expect_before_work(smoothed_bootstrap(x, bandwidth = -1, latent = untouched), "`bandwidth`")
  expect_before_work(smoothed_bootstrap(x, covariance = "none", latent = untouched), "`covariance` must be one of")
  expect_before_work(smoothed_bootstrap(x, density_floor = 1, latent = untouched), "`density_floor`")
  expect_before_work(smoothed_bootstrap(x, blocks = 1, latent = untouched), "`blocks`")
  traj <- efs_forward(x, n_steps = 2)
  expect_error(efs_augment(traj, 2, threads = 0), "`threads`")
  expect_error(efs_augment(traj, 2, "local", 1), "must give each setting by its name")
  expect_error(efs_augment(1, 2), "`traj` must be a trajectory")
})

test_that("tables of extreme numbers are fitted in another unit, and latent rows of extreme numbers are refused", {
  x <- two_clusters(60, 2)
  for (power in c(-660, 530)) {
    factor <- 2^power
    fit <- efs(factor * x, calibrate = FALSE)
    expect_identical(unclass(simulate(fit, 5, seed = 1))[1:10] / factor,
                     unclass(simulate(efs(x, calibrate = FALSE), 5, seed = 1))[1:10])
    own <- latent_map(function(x) factor * x, function(z) z / factor)
    expect_error(efs(x, latent = own), "The latent rows are spread over", class = "particleflow_input")
    expect_error(efs_tune(x, latent = own), "The latent rows are spread over")
  }
  expect_no_error(efs(1e120 * x, latent = "none", calibrate = FALSE))
})

test_that("misspelt choices are told with all choices, under the name of the argument", {
  x <- two_clusters(30, 2)
  expect_error(efs(x, scale = "wite"), '`scale` must be TRUE, FALSE or "whiten", not "wite".', fixed = TRUE)
  expect_error(efs(x, scale = NA), '`scale` must be TRUE, FALSE or "whiten", not NA.', fixed = TRUE)
  expect_error(efs(x, control = "exakt"), '`control` must be one of "exact", "paper", not "exakt".', fixed = TRUE)
  expect_error(efs(x, backward = "exakt"), '`backward` must be one of "exact", "paper", not "exakt".', fixed = TRUE)
  expect_error(efs(data.frame(x, g = rep(1:10, 3)), blocks = "g"),
               "a column is given by its values, such as x$subject, and not by its name", fixed = TRUE)
  expect_error(efs(x, blocks = 1:3), "`blocks` must have one entry for each of the 30 rows", fixed = TRUE)
})
