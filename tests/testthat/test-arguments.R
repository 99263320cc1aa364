# Arguments of the flows: all are checked before anything is drawn or computed, and none is ignored.

numbers <- list("a", NA, Inf, c(1, 2), list(1), sum)
counts <- list("a", -1, 2.5, c(1, 2), NA, sum)
words <- list("zzz", 1, NA, c("kl", "js"), c("exact", "other"), sum)
flags <- list("yes", NA, 2, c(TRUE, FALSE))
files <- list(5, NA, "")

# For each wrong value one error of class particleflow_input that names the argument, before the functions of the user
# are called and before anything is drawn.
expect_refused <- function(f, good, wrong) {
  for (name in names(wrong)) {
    for (value in wrong[[name]]) {
      arguments <- good
      arguments[name] <- list(value)
      set.seed(9)
      before <- .Random.seed
      error <- tryCatch(do.call(f, arguments), error = identity)
      said <- sprintf("%s(%s = %s)", f, name, substr(deparse(value)[1], 1, 20))
      expect_s3_class(error, "particleflow_input")
      expect_match(conditionMessage(error), paste0("`", name, "`"), fixed = TRUE, label = said)
      expect_identical(.Random.seed, before, info = said)
    }
  }
}

test_that("arguments are checked before all work", {
  called <- 0
  source <- function(n) {
    called <<- called + 1
    matrix(0, n, 2)
  }
  log_density <- function(x) {
    called <<- called + 1
    -rowSums(x^2)
  }
  set.seed(1)
  x <- matrix(rnorm(40), 20)
  expect_refused("efs_forward", list(x = x), list(
    s = numbers, epsilon = numbers, step = numbers, n_steps = counts, time = numbers, max_bound = numbers[-3],
    keep = words, every = counts, checkpoint = files, threads = counts, progress = flags
  ))
  expect_refused("gpa", list(source = source, target = x), list(
    divergence = words[-4], alpha = numbers, lipschitz = numbers[-3], step = numbers, n_steps = counts, solver = words,
    hidden = list("a", 0, 1.5, NA), smoothing = numbers, normalisation = words, updates = counts, rate = numbers,
    batch = counts, tolerance = numbers, kinetic_tolerance = numbers, patience = counts, latent = list(5, "pca"),
    scale = flags, n_source = counts, keep = counts, every = counts, checkpoint = files, progress = flags
  ))
  expect_refused("energy_flow", list(source = source, target = x), list(
    step = numbers, n_steps = counts, tolerance = numbers, latent = list(5, "pca"), scale = flags, n_source = counts,
    every = counts, checkpoint = files, progress = flags
  ))
  expect_refused("wgf", list(log_density = log_density, dim = 2), list(
    log_density = list(5, "a"), gradient = list(5, "a"), dim = list(c("a", "a"), NA, 0, 1.5), n = counts,
    divergence = words,
    alpha = c(numbers, 0, 1), kernel = words, bandwidth = list("a", -1, 0, Inf, NA, 1:3),
    start = list("a", -1, 0, matrix(NA_real_, 3, 2)), step = numbers, n_steps = counts, cap = list("a", 0.5, NA),
    floor = numbers, birth_death = numbers, modes = list("a", 5, matrix(0, 2, 3)), every = counts, checkpoint = files,
    threads = counts, progress = flags
  ))
  training <- list(n_steps = counts, batch = counts, rate = numbers, hidden = list("a", 0, 1.5, NA),
                   smoothing = numbers, base_dim = counts, check_every = counts, patience = counts,
                   checkpoint = files, threads = counts, progress = flags)
  expect_refused("distill", list(object = target_ring()), c(training, list(object = list(5, "a"), field = words,
                                                                            n_sample = counts)))
  expect_refused("pushforward", list(x = x), c(training, list(
    statistic = words, frequencies = list("a", matrix(1, 2, 3), -1, NA, 0), pin = list(1, list(1, 2)),
    bounds = list("a", 1, c(1, 0)), start = numbers
  )))
  expect_refused("pushforward", list(x = x, statistic = "mmd"), list(bandwidth = list("a", -1, NA, Inf)))
  traj <- efs_forward(x, n_steps = 2)
  expect_refused("efs_backward", list(traj = traj, y = x), list(
    traj = list(5, NULL), y = list("a", matrix(0, 2, 3)), backward = words, tolerance = numbers,
    max_evaluations = counts, beta = numbers, n_inner = counts, details = flags, threads = counts, progress = flags
  ))
  expect_identical(called, 0)
})

test_that("only the default of a choice may be a vector", {
  x <- two_clusters(20, 2)
  # the defaults, given in words
  expect_identical(efs_forward(x, n_steps = 1, keep = c("all", "checkpoints", "file")), efs_forward(x, n_steps = 1))
  expect_error(efs_forward(x, keep = c("checkpoints", "all")),
               "`keep` must be one of \"all\", \"checkpoints\", \"file\", not an object")
  expect_error(gpa(x, x, divergence = c("kl", "js")), "`divergence` must be one of")
  expect_error(wgf(target_ring(), kernel = c("laplace", "gaussian")), "`kernel` must be one of")
  expect_error(predict(target_ring(), x, type = c("log_density", "log_density")), "`type` must be one of")
})

test_that("every method for printing and for tables refuses what it does not know", {
  x <- two_clusters(40, 2)
  fit <- efs(x, calibrate = FALSE, keep = "all")
  flow <- gpa(x, x + 1, n_steps = 2)
  objects <- list(
    fit, flow, energy_flow(x, x + 1, n_steps = 2), wgf(target_ring(), n = 20, n_steps = 2),
    pushforward(x, "energy", n_steps = 1, batch = 8, hidden = 4),
    fit$trajectory, flow$trajectory, efs_forward(x, n_steps = 2), target_ring(), law_student(), efs_control(),
    latent_pca(), column_number(), novelty(x, x + 0.1), c2st(x, x + 0.1),
    integrate_data(data.frame(x, b = rep(1:2, 20)), batch = "b", reference = 1)
  )
  for (object in Filter(Negate(is.null), objects)) {
    expect_error(print(object, digit = 3), "print\\(\\) has no argument `digit`")
    # print() of a list passes its arguments on
    expect_output(print(list(object), digits = 3, quote = FALSE, right = TRUE))
    for (name in c("format", "summary", "tidy", "glance", "as.data.frame")) {
      method <- utils::getS3method(name, class(object)[1], optional = TRUE)
      if (!is.null(method)) expect_error(method(object, wrnog = 1), "has no argument `wrnog`")
    }
  }
  # data.frame() passes arguments on
  expect_identical(data.frame(fit$trajectory), as.data.frame(fit$trajectory))
  expect_identical(data.frame(flow), as.data.frame(flow))
  report <- fidelity(x, x + 0.1, n_permutations = 99, scores = fidelity_scores()["mmd"])
  expect_identical(data.frame(report), as.data.frame(report))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_error(plot(report, tyep = "novelty"), "plot\\(\\) has no argument `tyep`")
  expect_error(plot(structure(list(), class = "efs_tune"), tyep = 1), "plot\\(\\) has no argument `tyep`")
})

test_that("a misspelt argument of a method is an error that names it", {
  set.seed(2)
  x <- two_clusters(20, 2)
  fits <- list(gpa = gpa(x, x + 1, n_steps = 2), energy = energy_flow(x, x + 1, n_steps = 2),
               wgf = wgf(target_ring(), n = 20, n_steps = 2),
               pushforward = pushforward(x, "energy", n_steps = 1, batch = 8, hidden = 4), target = target_ring())
  for (fit in fits) {
    expect_error(simulate(fit, 2, sead = 1), "simulate\\(\\) has no argument `sead`")
    expect_error(sample(fit, 2, sead = 1), "has no argument `sead`")
    expect_error(predict(fit, x, tyep = "latent"), "predict\\(\\) has no argument `tyep`")
  }
  expect_error(simulate(fits$wgf, 2, 1, NULL, "rds", NULL, 5), "no further argument without a name")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (fit in c(fits[1:4], list(efs_forward(x, n_steps = 2)))) {
    expect_error(plot(fit, tyep = "frames"), "plot\\(\\) has no argument `tyep`")
    expect_no_error(plot(fit, cex = 0.5, pch = 3))
  }
  skip_if_not_installed("ggplot2")
  for (fit in fits[1:4]) {
    expect_error(ggplot2::autoplot(fit, tyep = "frames"), "autoplot\\(\\) has no argument `tyep`")
    expect_s3_class(ggplot2::autoplot(fit, size = 0.5, alpha = 0.3), "ggplot")
  }
})
