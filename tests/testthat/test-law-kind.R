# A particle plus Laplace noise, brought by a user.
laplace_law <- function(candidates = function(n, d) list(list(width = 0.1), list(width = 0.3)), ...) {
  law_kind(
    "mine",
    fit = function(points, width = 0.3) list(points = points, width = width),
    draw = function(law, n) {
      noise <- matrix(rexp(n * ncol(law$points)) - rexp(n * ncol(law$points)), n)
      law$points[base::sample(nrow(law$points), n, replace = TRUE), , drop = FALSE] + law$width * noise
    },
    density = function(law, points) {
      kernel <- function(y) mean(exp(-colSums(abs(t(law$points) - y)) / law$width))
      log(apply(points, 1, kernel)) - ncol(points) * log(2 * law$width)
    },
    candidates = candidates, ...
  )
}

without_call <- function(fit) fit[setdiff(names(fit), c("call", "elapsed", "control", "fingerprint"))]

test_that("candidates with other settings have other keys, however long the settings are", {
  keys <- function(...) vapply(list(...), function(kind) particleflow:::new_candidate(kind, kind$settings)$key, "")
  cells <- function(n) seq(-1, 1, length.out = n)
  of <- keys(law_trees(edges = list(cells(5), NULL)), law_trees(edges = list(NULL, cells(5))),
             law_trees(edges = list(cells(1e5), NULL)), law_trees(edges = list(cells(1e5) * 2, NULL)),
             law_student(df = 3), law_student(df = 4))
  expect_length(unique(of), 6)
  expect_lt(max(nchar(of)), 100)
  expect_identical(of[3], keys(law_trees(edges = list(cells(1e5), NULL))))
})

test_that("a law is asked for by name with settings, or as an object", {
  x <- two_clusters(60, 2)
  by_name <- efs(x, law = "student", law_settings = list(df = 3), time = 0)
  expect_identical(without_call(efs(x, law = law_student(df = 3), time = 0)), without_call(by_name))
  both <- efs(x, law = law_student(), law_settings = list(df = 3), time = 0)
  expect_identical(without_call(both), without_call(by_name))
  expect_identical(without_call(efs(x, law = law_local(), time = 0)), without_call(efs(x, law = "local", time = 0)))
  traj <- efs_forward(x, n_steps = 3)
  draw <- function(...) {
    set.seed(1)
    efs_augment(traj, 20, ...)
  }
  expect_identical(draw(law_local(jitter = 0.5)), draw("local", jitter = 0.5))
  expect_identical(draw(law = law_local(), jitter = 0.5), draw("local", jitter = 0.5))
  expect_identical(draw(method = "local", jitter = 0.5), draw("local", jitter = 0.5)) # the old name
  expect_identical(draw(law_copula(base = law_student(df = 3))), draw("copula", base = "student", df = 3))
  expect_identical(draw(law_stack(list(law_local(2), "global"))),
                   draw("stack", parts = list(list(law = "local", settings = list(jitter = 2)), list(law = "global"))))
})

test_that("every constructor gives a law that says what it is", {
  for (name in particleflow:::law_names()) {
    law <- getExportedValue("particleflow", paste0("law_", name))()
    expect_s3_class(law, "law_kind")
    expect_identical(format(law), name)
  }
  expect_output(print(law_student(df = 3, components = 2)), "<law_kind> student (components = 2, df = 3)", fixed = TRUE)
  expect_identical(format(law_copula(base = law_student(df = 3))), "copula (base = student (df = 3))")
})

test_that("wrong settings are found before any work", {
  expect_error(law_local(jitter = -1), "`jitter` must be one number of at least 0, not -1",
               class = "particleflow_input")
  expect_error(law_global(jitter = "a"), "`jitter`")
  expect_error(law_local_covariance(k = 0), "`k`")
  expect_error(law_local_covariance(shrinkage = 2), "`shrinkage`")
  expect_error(law_local_covariance(keep_moments = 1), "`keep_moments`")
  expect_error(law_mixture(model = "EEE"), "`model` must be one of")
  expect_error(law_student(df = 0), "`df`")
  expect_error(law_neighbour(k = 1.5), "`k`")
  expect_error(law_copula(bandwidth = 0), "`bandwidth`")
  expect_error(law_copula(base = law_sphere()), "has no density and cannot be the `base`")
  x <- two_clusters(60, 2)
  for (wrong in list(1, "sphere2", list(), character(), TRUE, list("local", 2), identity)) {
    expect_error(efs(x, law = wrong), "`law`", class = "particleflow_input")
  }
  expect_error(efs(x, law = "local", law_settings = list(jiter = 1)), "The law \"local\" has no setting `jiter`")
  expect_error(efs(x, law = "local", law_settings = 1), "`law_settings` must be a list of settings, not 1")
  expect_error(efs(x, law = "local", law_settings = list(1)), "`law_settings` must give each setting by its name")
  expect_error(efs(x, law = "local", law_settings = list(jitter = 1, jitter = 2)), "gives the setting `jitter` twice")
  expect_error(efs(x, law_settings = list(jitter = 1)), "`law_settings` belong to a `law`")
  expect_error(efs(x, law = list("local", "student"), law_settings = list(df = 3)), "belong to one `law`")
  expect_error(efs(x, law = "stack"), "needs the setting `parts`")
  expect_error(efs_tune(x, law = "sphere"), "`law` must be one of \"copula\"")
  expect_error(efs_tune(x, law = law_sphere()), "has no density")
})

test_that("law_kind() checks what it is given", {
  fit <- function(points, a = 1) list()
  draw <- function(law, n) matrix(0, n, 2)
  expect_error(law_kind(1, fit, draw), "`name` must be one string")
  expect_error(law_kind("local", fit, draw), "is a law of the package")
  expect_error(law_kind("x", 1, draw), "`fit` must be a function")
  expect_error(law_kind("x", fit, draw, settings = list(b = 1)), "has no setting `b`")
  expect_error(law_kind("x", fit, draw, sweep = "a"), "`sweep` needs a `density`")
  expect_error(law_kind("x", fit, draw, function(law, points) 0, sweep = "a"),
               "`density` must have an argument `a` with a default")
  expect_error(law_kind("x", fit, draw, function(law, points, a) 0, sweep = "a"),
               "`density` must have an argument `a` with a default")
  expect_error(law_kind("x", fit, draw, function(law, points, b = 1) 0, sweep = "b"), "`fit` must have an argument `b`")
  expect_error(law_kind("x", fit, draw, function(law, points, a = 1) 0, sweep = 1), "`sweep` must be the name")
  # the arguments of its functions
  expect_error(law_kind("x", function() list(), draw), "`fit` must be a function of one argument (points)",
               fixed = TRUE)
  expect_error(law_kind("x", fit, function(law) 0),
               "`draw` must be a function of 2 arguments (law, n), not function(law)", fixed = TRUE)
  expect_error(law_kind("x", fit, function(law, n, size) 0), "not function(law, n, size)", fixed = TRUE)
  expect_error(law_kind("x", fit, draw, function(law) 0), "`density` must be a function of 2 arguments")
  expect_error(law_kind("x", fit, draw, candidates = function(n) 0), "`candidates` must be a function of 2 arguments")
  expect_error(law_kind("x", fit, draw, in_scores = function() TRUE), "`in_scores` must be a function of one argument")
  for (good in list(function(law, n, key) 0, function(law, n, more = 1) 0, function(...) 0)) {
    expect_s3_class(law_kind("x", fit, good), "law_kind")
  }
  x <- two_clusters(60, 2)
  law <- function(...) law_kind("x", ...)
  # what the functions return
  zero <- function(law, points) rep(0, nrow(points))
  try <- function(...) efs(x, law = law(...), time = 0)
  expect_error(try(function(points) 1, draw, zero), "`fit` of the law \"x\" must return a list or NULL, not 1")
  expect_error(try(fit, function(law, n) 1, zero), "`draw` of the law \"x\" must return a numeric matrix of 100 x 2")
  expect_error(try(fit, function(law, n) matrix(NA_real_, n, 2), zero), "returned NA, NaN or infinite values")
  expect_error(try(fit, draw, function(law, points) 0), "`density` of the law \"x\" must return 12 numbers")
  expect_error(efs(x, law = law(fit, draw, zero, function(n, d) list(list(b = 1)))), "has no setting `b`")
  expect_error(efs(x, law = law(fit, draw, zero, function(n, d) list(list(a = mean)))),
               "candidates(48, 2)` of the law \"x\" must give numbers, strings, TRUE or FALSE, but `a` is a function",
               fixed = TRUE)
  expect_error(law(fit, draw, settings = list(a = mean)), "`a` is a function")
  expect_error(efs(x, law = law(fit, draw, zero), law_settings = list(a = mean)), "`a` is a function")
  expect_error(efs(x, law = law(fit, draw, zero, function(n, d) 1)), "`candidates` of the law \"x\" must return a list")
  expect_error(efs(x, law = law(function(points, a) list(), draw, zero)), "needs the setting `a`")
  two <- list(law(fit, draw), law(function(points) list(), draw))
  expect_error(efs(x, law = two), "Two different laws have the name \"x\"")
  asked <- particleflow:::asked_laws(list(law_local(1), law_local(2), "student", "student"))
  expect_length(asked, 3)
  # a law that cannot be fitted
  expect_error(efs(x, law = law(function(points) NULL, draw, zero)), "cannot be fitted to 60 rows in 2 dimensions",
               class = "particleflow_unfit")
})

test_that("a law of the user's is searched, tuned, printed and drawn like ours", {
  x <- two_clusters(80, 2)
  fit <- efs(x, law = laplace_law(), time = 0)
  expect_match(fit$diagnostics$law, "^mine \\(width = 0\\.[13]\\)$")
  seen <- fit$calibration[[1]]$seen
  expect_true(all(seen$law == "mine"))
  # the candidate with the highest held-out mean; both by hand in the first unit
  tuned <- efs_tune(x, law = list(laplace_law(), "local"), s = 0, softening = 16, time = 1)
  expect_setequal(tuned$table$law, c("mine", "local"))
  again <- do.call(efs, c(list(x), tuned$best))
  expect_identical(again$diagnostics$steps > 0, tuned$best$time > 0)
  fixed <- efs(x, law = laplace_law(), law_settings = list(width = 0.2), calibrate = FALSE, time = 0)
  expect_identical(fixed$diagnostics$law, "mine (width = 0.2)")
  # density in closed form: the mean of the kernels, through the unit of the flow
  flow <- particleflow:::class_flows(fixed)[[1]]
  at <- matrix(c(0.1, -0.2, 0.5, 0.4), 2)
  points <- particleflow:::to_flow(unname(fixed$latent$encode(at)), flow)
  centres <- fixed$trajectory$frames[, , 1]
  by_hand <- apply(points, 1, function(y) log(mean(exp(-colSums(abs(t(centres) - y)) / 0.2) / 0.16)))
  volume <- particleflow:::flow_log_volume(flow) + fixed$latent$log_volume(at)
  expect_equal(predict(fixed, at, type = "log_density"), by_hand + volume)
  expect_output(print(fit), "law mine (width", fixed = TRUE)
  # a saved fit holds all that it needs
  file <- tempfile()
  on.exit(unlink(file))
  saveRDS(fit, file)
  expect_identical(simulate(readRDS(file), 7, seed = 1), simulate(fit, 7, seed = 1))
})

test_that("draws of a user's law are a function of the seed and leave R's stream alone", {
  x <- two_clusters(80, 2)
  set.seed(3)
  before <- .Random.seed
  fit <- efs(x, law = laplace_law(), time = 0)
  expect_identical(.Random.seed, before)
  a <- simulate(fit, 250, seed = 1)
  expect_identical(.Random.seed, before)
  set.seed(99)
  expect_identical(simulate(fit, 250, seed = 1), a)
  # the first rows do not depend on how many are drawn
  expect_identical(unclass(simulate(fit, 7, seed = 1))[1:7, ], unclass(a)[1:7, ])
  expect_false(identical(simulate(fit, 7, seed = 2)[1:7, ], a[1:7, ]))
  expect_false(anyDuplicated(a) > 0)
  # whatever generator is set, a law draws the same from the same key
  law <- fitted_law(laplace_law(), x)
  here <- particleflow:::draw_law(law, 5, c(1L, 2L), 1L)
  kinds <- RNGkind("Wichmann-Hill", "Box-Muller")
  set.seed(1)
  state <- .Random.seed
  there <- particleflow:::draw_law(law, 5, c(1L, 2L), 1L)
  expect_identical(.Random.seed, state)
  expect_identical(RNGkind()[1:2], c("Wichmann-Hill", "Box-Muller"))
  do.call(RNGkind, as.list(kinds))
  expect_identical(there, here)
  # their law: 20,000 draws of one particle at 0, five standard errors of a mean absolute value of 0.3
  one <- particleflow:::draw_law(fitted_law(laplace_law(), matrix(0, 1, 1)), 20000, c(5L, 6L), 1L)
  expect_lt(abs(mean(abs(one)) - 0.3), 5 * 0.3 / sqrt(20000))
  # a law that takes the key
  keyed <- law_kind("keyed", function(points) list(), function(law, n, key) matrix(key, n, 2, byrow = TRUE))
  expect_identical(particleflow:::draw_law(fitted_law(keyed, x), 2, c(1L, 2L), 1L), matrix(c(1, 1, 2, 2), 2))
})

test_that("user's laws can be stacked, swept and fitted to normal scores", {
  set.seed(4)
  x <- cbind(rexp(90), rexp(90))
  fit <- efs(x, law = law_stack(list(laplace_law(), "local"), c(3, 1)), time = 0)
  expect_match(fit$diagnostics$law, "75 % mine", fixed = TRUE)
  expect_identical(nrow(simulate(fit, 9, seed = 1)), 9L)
  # several laws are searched together
  several <- efs(x, law = list("copula", laplace_law(in_scores = TRUE)), time = 0)
  seen <- several$calibration[[1]]$seen
  expect_setequal(seen$law, c("copula", "mine", if (several$calibration[[1]]$law == "stack") "stack"))
  asked <- particleflow:::asked_laws(list("copula", laplace_law(in_scores = TRUE)))
  grid <- particleflow:::law_candidates(72, 2, asked)
  expect_identical(sum(vapply(grid, function(one) grepl("mine", one$key) && one$law == "copula", NA)), 2L)
  # a sweep gives the same scores as one fit for each value
  swept <- law_kind("swept", function(points, width = 1) list(centre = colMeans(points), width = width),
                    function(law, n) matrix(rnorm(2 * n), n),
                    function(law, points, width = law$width) {
                      centre <- rep(law$centre, each = nrow(points))
                      sapply(width, function(w) rowSums(dnorm(points, centre, w, log = TRUE)))
                    }, candidates = function(n, d) list(list(width = c(0.5, 1, 2))), sweep = "width")
  each <- law_kind("each", swept$fit, swept$draw, swept$density,
                   candidates = function(n, d) list(list(width = 0.5), list(width = 1), list(width = 2)))
  score <- function(law) {
    particleflow:::score_laws(x[1:60, ], x[61:90, ], 0, particleflow:::law_candidates(60, 2, list(law)), 1L)
  }
  expect_equal(unname(score(swept)$value), unname(score(each)$value))
  expect_identical(score(swept)$settings, score(each)$settings)
})

# Evaluates `value` and checks that R's stream and generators are as before.
expect_still <- function(value) {
  before <- list(.Random.seed, RNGkind())
  force(value)
  expect_identical(list(.Random.seed, RNGkind()), before)
  value
}

# What a function of a user may do that disturbs a stream.
disturb <- function() {
  RNGkind("Wichmann-Hill", "Box-Muller")
  rnorm(3)
}

test_that("no function of a user's law touches R's stream, and all are reproducible", {
  x <- two_clusters(60, 2)
  restless <- law_kind(
    "restless",
    fit = function(points, width = 1) list(shift = disturb()[1], at = colMeans(points), width = width),
    draw = function(law, n, key) matrix(disturb()[1] + rnorm(n * 2), n),
    density = function(law, points) {
      disturb()
      rowSums(dnorm(points, 0, law$width, log = TRUE)) + 0.01 * rnorm(1)
    },
    candidates = function(n, d) {
      disturb()
      list(list(width = runif(1)), list(width = 1 + runif(1)))
    },
    in_scores = function(settings) rnorm(1) > -Inf
  )
  set.seed(8)
  fit <- expect_still(efs(x, law = list(restless, "copula"), time = 0))
  expect_true(any(fit$calibration[[1]]$seen$law == "restless"))
  alone <- expect_still(efs(x, law = restless, time = 0))
  drawn <- expect_still(simulate(alone, 5, seed = 1))
  expect_still(predict(alone, x[1:3, ], type = "log_density"))
  set.seed(9)
  expect_identical(without_call(efs(x, law = restless, time = 0)), without_call(alone))
  expect_identical(simulate(alone, 5, seed = 1), drawn)
  expect_false(identical(simulate(alone, 5, seed = 2), drawn))
  # without a seed the draws go on with R's stream, by the two numbers of one key
  set.seed(9)
  simulate(alone, 5)
  after <- runif(1)
  set.seed(9)
  runif(2)
  expect_identical(runif(1), after)
})

test_that("laws that differ only in variables of their functions are not taken for one", {
  make <- function(df) {
    law_kind("closed", function(points) list(df = df), function(law, n) matrix(rt(2 * n, law$df), n),
             function(law, points) rowSums(dt(points, law$df, log = TRUE)))
  }
  x <- two_clusters(60, 2)
  expect_error(efs(x, law = list(make(3), make(30))), "Two different laws have the name \"closed\"",
               class = "particleflow_input")
  expect_length(particleflow:::asked_laws(list(make(3), make(3))), 1)
  set_by <- function(df) {
    law_kind("set", function(points, df = 1) list(df = df), function(law, n) matrix(rt(2 * n, law$df), n),
             settings = list(df = df))
  }
  expect_length(particleflow:::asked_laws(list(set_by(3), set_by(30))), 2)
  expect_length(particleflow:::asked_laws(list(law_student(df = 3), law_student(df = 3), "local")), 2)
})

test_that("a density may be 0 at rows that were held out, and never infinite", {
  x <- two_clusters(60, 2)
  law <- function(level) {
    law_kind("flat", function(points) list(d = ncol(points)), function(law, n) matrix(0, n, law$d),
             function(law, points) ifelse(seq_len(nrow(points)) == 1, level, 0))
  }
  expect_error(efs(x, law = law(Inf), time = 0), "returned Inf for 1 of 12 rows; a log-density must be finite or -Inf",
               class = "particleflow_input")
  expect_error(efs_by_rule(x, law = law(Inf)), "returned Inf for 1 of 60 rows")
  expect_error(efs(x, law = law(NaN), time = 0), "returned NA or NaN")
  # a mean of -Inf loses against any other law
  fit <- efs(x, law = list(law(-Inf), "local"), time = 0)
  seen <- fit$calibration[[1]]$seen
  expect_true(all(seen$log_density[seen$law == "flat"] == -Inf))
  expect_match(fit$diagnostics$law, "^local")
  expect_identical(nrow(simulate(efs_by_rule(x, law = law(-Inf)), 3, seed = 1)), 3L)
})

test_that("settings are printed as settings, and what was fitted apart", {
  x <- as.matrix(iris[1:4])
  shown <- function(law) capture.output(print(fitted_law(law, x)))
  expect_identical(shown(law_student(df = 3)), c("<latent_law> student (components = 1, df = 3)", "fitted: prior = 6"))
  # 150 rows and a prior of 6 rows
  expect_identical(shown("student"), c("<latent_law> student (components = 1, df = Inf)",
                                       "fitted: df = 156, prior = 6"))
  expect_identical(shown("interpolate"), "<latent_law> interpolate")
  expect_identical(shown("neighbour"), "<latent_law> neighbour (k = 5)")
  local <- fitted_law("local", x)
  expect_identical(shown("local"), c("<latent_law> local (jitter = 1)",
                                     paste("fitted: spacing =", format(local$spacing, digits = 3))))
  few <- particleflow:::fit_law(law_neighbour(k = 30), x[1:10, ], 0)
  expect_output(print(few), "neighbour (k = 30)\nfitted: k = 9", fixed = TRUE)
  expect_identical(shown(law_copula(base = law_student(df = 3))),
                   "<latent_law> copula (bandwidth = 1) of student (components = 1, df = 3)")
  expect_identical(shown(law_copula(base = law_student)),
                   "<latent_law> copula (bandwidth = 1) of student (components = 1, df = Inf)")
  expect_match(shown(law_stack(list("local", "global"))), "mixture (50 % global, 50 % local)", fixed = TRUE)
  mine <- law_kind("mine", function(points, df = 3, kind = "t", width = NULL) list(rows = nrow(points)),
                   function(law, n) matrix(0, n, 4))
  expect_identical(shown(mine), c("<latent_law> mine (df = 3, kind = t)", "fitted: rows = 150"))
  mine$settings <- list(width = 0.123456, df = 4)
  expect_identical(shown(mine)[1], "<latent_law> mine (df = 4, kind = t, width = 0.123)")
})

test_that("a law broken on purpose ends efs() with its own error", {
  x <- two_clusters(60, 2)
  broken <- function(...) no_such_function()
  for (name in c("fit_student", "local_density", "normal_scores", "fit_mixture", "local_shapes", "global_fit")) {
    with_binding(name, broken, expect_error(efs(x, particles = 0), "no_such_function", label = name))
  }
  # so does a flow
  with_binding("check_range", broken, expect_error(efs(x, particles = 0), "no_such_function"))
  user <- law_kind("user", broken, function(law, n) matrix(0, n, 2), function(law, points) 0)
  expect_error(efs(x, law = user), "no_such_function")
  # what cannot be fitted is left out
  with_binding("fit_student", function(...) NULL, {
    fit <- efs(x, particles = 0)
    expect_false("student" %in% fit$calibration[[1]]$seen$law)
  })
})

test_that("the two models of the mixture find two clusters of different size", {
  set.seed(5)
  x <- rbind(matrix(rnorm(400, sd = 1), ncol = 2), sweep(matrix(rnorm(200, sd = 0.3), ncol = 2), 2, c(6, 0), "+"))
  for (model in c("VVV", "VEE")) {
    law <- fitted_law(law_mixture(components = 2, model = model), x)
    small <- which.min(law$weights)
    expect_equal(law$weights[small], 1 / 3, tolerance = 0.01, label = model)
    # 100 rows, sd 0.3: five standard errors of a mean
    expect_lt(max(abs(law$means[small, ] - c(6, 0))), 5 * 0.3 / 10)
  }
  # a few steps at a time, as with many rows, it ends where it ends in one go, to its tolerance of 1e-4
  share <- outer(ifelse(x[, 1] > 0.5, 2, 1), 1:2, "==") + 0
  for (model in c("VVV", "VEE")) {
    whole <- particleflow:::em_by_mclust(x, share, model)
    pieces <- particleflow:::em_by_mclust(x, share, model, steps = 2L)
    expect_gt(abs(attr(whole, "info")[1]), 4)
    expect_equal(pieces$loglik, whole$loglik, tolerance = 2e-4)
    expect_equal(pieces$parameters$mean, whole$parameters$mean, tolerance = 0.05)
  }
  # 100,000 rows of 10 columns: no call takes more than two steps of a third of a second
  expect_identical(particleflow:::em_steps_a_call(1e5, 10, 12), 2L)
  # a table that is searched takes one call, so that its bits do not depend on the pieces
  expect_identical(particleflow:::em_steps_a_call(1200, 10, 12), 200L)
})
