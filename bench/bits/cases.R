# Cases whose numbers are to stay the same, to the last bit, while the code moves. run.R sources this file, with
# particleflow attached.
#
# A case is a function without arguments. It returns a list of parts, whose names are fixed here. Parts are taken by
# public methods and documented fields, so that they do not depend on how a fit is stored. run.R sets the random seed
# before each case, and adds the next random number after it as a part of its own.

cases <- list()

# ---- Data ----------------------------------------------------------------------

# n rows of d columns, bent and skewed, in two groups: odd rows and even rows.
cloud <- function(n, d, seed = 1) {
  set.seed(seed)
  z <- matrix(stats::rnorm(n * d), n)
  z[, 1] <- z[, 1] + rep_len(c(-2, 2), n)
  if (d > 1) z[, 2] <- z[, 2] + z[, 1]^2 / 3
  if (d > 2) z[, 3] <- exp(z[, 3] / 2)
  colnames(z) <- paste0("v", seq_len(d))
  z
}

# A wide table: n rows of p columns from few factors.
wide <- function(n, p, seed = 1, factors = 4) {
  set.seed(seed)
  scores <- matrix(stats::rnorm(n * factors), n)
  loadings <- matrix(stats::rnorm(factors * p), factors)
  scores %*% loadings + 0.3 * matrix(stats::rnorm(n * p), n)
}

flowers <- datasets::iris
few_flowers <- flowers[c(2, 60, 120), ]

# ---- Parts ---------------------------------------------------------------------

# The columns `names` of a data frame; a column that is not there leaves its place empty.
columns_of <- function(table, names) lapply(stats::setNames(nm = names), function(name) table[[name]])

frames_of <- function(fit) {
  traj <- fit$trajectory
  if (inherits(traj, "particle_trajectory")) traj$frames else lapply(unname(traj), `[[`, "frames")
}

flow_columns <- c("n", "dim", "s", "epsilon", "steps", "time", "largest_bound", "inverse_growth", "log_density", "gain",
                  "gain_se")
step_columns <- c("step", "time", "gamma", "energy", "kinetic_energy", "largest_move", "closest_pair", "curvature",
                  "bound", "certificate")
gpa_columns <- c("step", "time", "gamma", "divergence", "kinetic_energy", "largest_move")
wgf_columns <- c("step", "time", "gamma", "bandwidth", "divergence", "log_z", "kinetic_energy", "largest_move",
                 "log_r_5", "log_r_50", "log_r_95", "capped", "births")

flows_of <- function(fit) columns_of(summary(fit)$flows, flow_columns)

# What a fit of efs() says. `new`: rows it has not seen, of the classes `group`. density = FALSE where the law has none.
efs_parts <- function(fit, new, group = NULL, density = TRUE, nsim = 25) {
  drawn <- simulate(fit, nsim, seed = 11, log_density = density)
  latent <- predict(fit, new, type = "latent", group = group)
  list(
    frames = frames_of(fit), flows = flows_of(fit),
    simulate = drawn, dropped = attr(drawn, "dropped"), simulate_log_density = attr(drawn, "log_density"),
    latent = latent, data = predict(fit, latent, type = "data", group = group),
    log_density = if (density) predict(fit, new, type = "log_density", group = group)
  )
}

gpa_parts <- function(fit) {
  list(particles = fit$particles, frames = fit$trajectory$frames, steps = columns_of(tidy(fit), gpa_columns),
       simulate = simulate(fit, 15, seed = 11))
}

wgf_parts <- function(fit) {
  list(particles = fit$particles, frames = fit$trajectory$frames, steps = columns_of(tidy(fit), wgf_columns),
       masses = fit$masses, simulate = simulate(fit, 15, seed = 11))
}

generator_parts <- function(fit, base) {
  list(map = predict(fit, base), simulate = simulate(fit, 15, seed = 11),
       scores = columns_of(tidy(fit), c("step", "score")))
}

# The parts of several fits as one list; the names of the arguments stand in front.
join_parts <- function(...) unlist(list(...), recursive = FALSE)

# A value whose last bits depend on the clock, because the sizes of blocks of work follow it: as it is, and rounded.
# run.R --compare lists the parts marked "(clock)" apart.
clocked <- function(name, value) {
  stats::setNames(list(value, signif(as.double(value), 10)), paste(name, c("(clock)", "10 digits")))
}

# The coordinates that a plot draws, in the order of drawing, where at least five points are drawn at once: legends,
# whose places depend on the widths of words, have fewer.
drawn_points <- function(draw) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  grDevices::dev.control("enable")
  draw()
  calls <- lapply(grDevices::recordPlot()[[1]], `[[`, 2)
  points <- lapply(calls, function(call) {
    if (is.list(call[[1]]) && identical(call[[1]]$name, "C_plotXY")) call[[2]][c("x", "y")]
  })
  Filter(function(point) length(point$x) >= 5, points)
}

drawn_types <- function(fit, types, ...) {
  lapply(stats::setNames(nm = types), function(type) drawn_points(function() plot(fit, type = type, ...)))
}

# ---- efs(), calibrated ---------------------------------------------------------

for (d in c(1, 2, 4, 8)) {
  cases[[paste0("efs_calibrated_", d)]] <- local({
    d <- d
    function() efs_parts(efs(cloud(160, d)), cloud(10, d, 2))
  })
}

# Here a flow is better than the option without one.
cases$efs_calibrated_flow_chosen <- function() efs_parts(efs(cloud(100, 4, 3)), cloud(10, 4, 2))

cases$efs_calibrated_grouped <- function() {
  fit <- efs(flowers, group = "Species")
  new <- flowers[seq(3, 150, by = 11), ]
  counts <- simulate(fit, c(virginica = 4, setosa = 3), seed = 12)
  c(efs_parts(fit, new, group = new$Species), list(counts = counts, sample = sample(fit, 5, seed = 13)))
}

cases$efs_calibrated_blocks <- function() {
  efs_parts(efs(cloud(90, 3), blocks = rep(1:30, each = 3)), cloud(10, 3, 2))
}

# More than twenty columns go through principal components.
cases$efs_calibrated_wide <- function() {
  efs_parts(efs(wide(40, 100), latent = latent_pca(scale = TRUE)), wide(46, 100)[41:46, ])
}

cases$efs_calibrated_integers <- function() {
  x <- cloud(90, 3)
  year <- 2000L + as.integer(round(x[, 3]))
  x <- data.frame(count = as.integer(round(3 * x[, 1])), value = x[, 2], year = year, same = 4)
  fit <- efs(x)
  c(efs_parts(fit, x[c(2, 30, 71), ]), list(bounds = simulate(fit, 20, seed = 12, bounds = TRUE)))
}

# More than 1200 rows: 1200 are searched, and the stack is weighed again on all.
cases$efs_calibrated_1500 <- function() efs_parts(efs(cloud(1500, 3)), cloud(20, 3, 2))

# Each row stands there at least twice.
cases$efs_calibrated_repeated_rows <- function() {
  x <- cloud(40, 2)
  efs_parts(efs(rbind(x, x, x[1:10, ])), cloud(10, 2, 2))
}

# One class has a constant column, one has few rows.
cases$efs_calibrated_odd_classes <- function() {
  x <- cloud(85, 2)
  group <- rep(c("full", "flat", "few"), c(40, 35, 10))
  x[group == "flat", 2] <- 1
  fit <- efs(x, group = group)
  drawn <- simulate(fit, 40, seed = 11)
  list(frames = frames_of(fit), flows = flows_of(fit), simulate = drawn, group = attr(drawn, "group"))
}

cases$efs_calibrated_law <- function() {
  searched <- function(law) efs_parts(efs(cloud(80, 3), law = law), cloud(8, 3, 2))
  join_parts(student = searched("student"), copula = searched("copula"), mixture = searched("mixture"))
}

# A flow is forced; the rest is searched.
cases$efs_calibrated_flow <- function() {
  join_parts(time = efs_parts(efs(cloud(80, 3), time = 1), cloud(8, 3, 2)),
             steps = efs_parts(efs(cloud(80, 2), n_steps = 4, s = 1, epsilon = 0.1), cloud(8, 2, 2)))
}

cases$efs_calibrated_place <- function() {
  join_parts(as_is = efs_parts(efs(cloud(80, 2), scale = FALSE, latent = "none"), cloud(8, 2, 2)),
             whitened = efs_parts(efs(cloud(80, 2), scale = "whiten"), cloud(8, 2, 2)))
}

# ---- efs() by rules of thumb and with given settings ---------------------------

cases$efs_rule <- function() {
  fit <- efs(flowers[1:4], calibrate = FALSE)
  new <- few_flowers[1:4]
  path <- interpolate(fit, from = 3, to = 140, n = 6)
  glanced <- c("n", "columns", "latent_dim", "flows", "steps", "time", "largest_bound", "inverse_growth")
  c(efs_parts(fit, new), list(
    log_likelihood = logLik(fit, new), training = predict(fit), steps = columns_of(tidy(fit), step_columns),
    long = as.data.frame(fit), glance = columns_of(glance(fit), glanced),
    floor = simulate(fit, 20, seed = 12, density_floor = 0.4),
    no_floor = simulate(fit, 20, seed = 12, density_floor = 0),
    path = path, path_latent = attr(path, "latent")
  ))
}

cases$efs_rule_grouped <- function() {
  fit <- efs(flowers, group = "Species", calibrate = FALSE)
  c(efs_parts(fit, few_flowers, group = few_flowers$Species), list(
    group = simulate(fit, 25, seed = 11)$Species, path = interpolate(fit, from = 52, to = 99, n = 4),
    log_likelihood = logLik(fit, few_flowers), long = as.data.frame(fit)
  ))
}

cases$efs_rule_group_vector <- function() {
  x <- cloud(60, 2)
  group <- rep_len(1:2, 60)
  fit <- efs(x, group = group, calibrate = FALSE)
  beside <- efs(as.data.frame(x), group = group, calibrate = FALSE)
  c(efs_parts(fit, x[1:4, ], group = group[1:4]), list(
    group = attr(simulate(fit, 9, seed = 12), "group"), beside = simulate(beside, 9, seed = 12)
  ))
}

cases$efs_one_column <- function() efs_parts(efs(cloud(60, 1), calibrate = FALSE), cloud(6, 1, 2))

cases$efs_latent_maps <- function() {
  x <- as.matrix(flowers[1:4])
  through <- function(latent) efs_parts(efs(x, latent = latent, calibrate = FALSE), x[c(7, 77, 107), ])
  join_parts(
    components = through(latent_pca(2)), scaled_components = through(latent_pca(scale = TRUE)),
    logarithms = through(latent_map(log, exp, log_det = function(x) -rowSums(log(x)))),
    standardised = through(latent_standardise()), none = through("none")
  )
}

cases$efs_wide_rule <- function() {
  efs_parts(efs(wide(30, 60), latent = latent_pca(scale = TRUE), calibrate = FALSE), wide(34, 60)[31:34, ])
}

cases$efs_flow_given <- function() {
  x <- cloud(70, 3)
  given <- function(...) efs_parts(efs(x, calibrate = FALSE, ...), cloud(6, 3, 2))
  join_parts(
    time = given(time = 0.7), steps = given(n_steps = 6, step = 0.05), exponent = given(s = 1.5, time = 0.5),
    negative = given(s = -1, time = 0.5), softening = given(epsilon = 0.3, time = 2), none = given(time = 0),
    fixed_steps = given(n_steps = 3, max_bound = Inf, epsilon = 1), short_steps = given(max_bound = 0.1, time = 0.3),
    loose = given(time = 0.5, tolerance = 1e-6)
  )
}

cases$efs_whitened <- function() {
  as_is <- efs(cloud(70, 3) / 5, scale = FALSE, latent = "none", calibrate = FALSE)
  join_parts(whitened = efs_parts(efs(cloud(70, 3), scale = "whiten", calibrate = FALSE), cloud(6, 3, 2)),
             as_is = efs_parts(as_is, cloud(6, 3, 2) / 5))
}

cases$efs_checkpoints <- function() {
  efs_parts(efs(cloud(70, 3), keep = "checkpoints", n_steps = 11, calibrate = FALSE), cloud(6, 3, 2))
}

# Beyond 128 dimensions the determinants are estimated.
cases$efs_many_dimensions <- function() {
  x <- wide(145, 132, factors = 20)
  fit <- efs(x, latent = "none", time = 0.3, calibrate = FALSE)
  density <- predict(fit, x[1:5, ] + 0.1, type = "log_density")
  list(frames = frames_of(fit), simulate = simulate(fit, 5, seed = 11), log_density = density,
       standard_error = attr(density, "error"))
}

cases$efs_paper <- function() {
  fit <- do.call(efs, c(list(cloud(60, 2)), efs_paper("gmm")))
  rolled <- do.call(efs, c(list(cloud(50, 2)), utils::modifyList(efs_paper("swissroll"), list(n_steps = 12))))
  list(
    frames = frames_of(fit), simulate = simulate(fit, 12, seed = 11),
    data = predict(fit, predict(fit)[1:5, ], type = "data"),
    swissroll = frames_of(rolled), swissroll_simulate = simulate(rolled, 12, seed = 11),
    settings = efs_paper("mnist")[c("s", "step", "n_steps", "beta", "epsilon", "n_inner", "min_rows")]
  )
}

cases$smoothed_bootstrap <- function() {
  smoothed <- function(...) efs_parts(smoothed_bootstrap(cloud(70, 3), ...), cloud(6, 3, 2))
  grouped <- smoothed_bootstrap(flowers, group = "Species", bandwidth = 0.4)
  join_parts(
    global = smoothed(), local = smoothed(covariance = "local"), global_width = smoothed(bandwidth = 0.3),
    local_width = smoothed(bandwidth = 0.6, covariance = "local"),
    grouped = efs_parts(grouped, few_flowers, group = few_flowers$Species)
  )
}

cases$efs_tune <- function() {
  search <- efs_tune(cloud(60, 2), s = c(0, 1), softening = c(16, 64), time = 1, law = c("local", "global", "copula"))
  blocks <- rep(1:20, each = 3)
  blocked <- efs_tune(cloud(60, 3), softening = 16, time = 0.5, law = "student", blocks = blocks)
  shown <- c("s", "softening", "time", "log_density", "se", "novelty", "energy_distance")
  list(table = columns_of(search$table, shown), best = search$best[c("time", "s", "epsilon")],
       simulate = simulate(do.call(efs, c(list(cloud(60, 2)), search$best)), 10, seed = 11),
       drawn = drawn_points(function() plot(search)), blocked = columns_of(blocked$table, shown))
}

# ---- Latent laws by name -------------------------------------------------------

stacked <- list(list(law = "student", settings = list(components = 2, df = 5)), list(law = "local", settings = list()),
                list(law = "copula", settings = list(bandwidth = 1)))

# The name of each law, and settings. With mclust 6.0.0 the model "VEE" gives no more than one component.
law_settings <- list(
  equilibrium = list("equilibrium"), local = list("local"), local_wide = list("local", jitter = 2),
  global = list("global"), global_wide = list("global", jitter = 0.8), local_covariance = list("local_covariance"),
  local_covariance_set = list("local_covariance", k = 9, shrinkage = 0.3, jitter = 0.5),
  local_covariance_moments = list("local_covariance", k = 12, keep_moments = TRUE),
  copula = list("copula", bandwidth = 0.8),
  copula_student = list("copula", base = "student", components = 2, df = 5, prior = 2),
  copula_local = list("copula", base = "local_covariance", k = 15, jitter = 0.6), mixture = list("mixture"),
  mixture_set = list("mixture", components = 3), mixture_shape = list("mixture", components = 1, model = "VEE"),
  student = list("student"), student_heavy = list("student", components = 2, df = 4),
  student_prior = list("student", components = 3, prior = 9), neighbour = list("neighbour"),
  neighbour_set = list("neighbour", k = 2), sphere = list("sphere"), ball = list("ball"),
  interpolate = list("interpolate"), stack = list("stack", parts = stacked, weights = c(2, 1, 1))
)
laws_without_density <- c("neighbour", "sphere", "interpolate")

for (d in c(1, 3)) {
  cases[[paste0("efs_augment_", d)]] <- local({
    d <- d
    function() {
      traj <- efs_forward(scale(cloud(80, d)), n_steps = 5)
      lapply(law_settings, function(settings) do.call(efs_augment, c(list(traj, 20), settings)))
    }
  })
}

for (name in names(law_settings)) {
  cases[[paste0("efs_law_", name)]] <- local({
    settings <- law_settings[[name]]
    function() {
      fit <- efs(cloud(60, 3), law = settings[[1]], law_settings = settings[-1], time = 0.5, calibrate = FALSE)
      parts <- efs_parts(fit, cloud(6, 3, 2), density = !settings[[1]] %in% laws_without_density)
      parts[c("simulate", "dropped", "simulate_log_density", "log_density")]
    }
  })
}

# ---- Steps by hand -------------------------------------------------------------

forward_parts <- function(traj) {
  list(frames = traj$frames, times = traj$times, gamma = traj$gamma, steps = columns_of(traj$diagnostics, step_columns))
}

cases$efs_forward <- function() {
  forward <- function(...) forward_parts(efs_forward(cloud(70, 3) / 3, ...))
  join_parts(
    all = forward(n_steps = 8), checkpoints = forward(n_steps = 10, keep = "checkpoints"),
    every = forward(n_steps = 10, keep = "checkpoints", every = 4), fixed = forward(n_steps = 6, max_bound = Inf),
    time = forward(time = 0.55), hard = forward(s = 1, epsilon = 0, n_steps = 4, step = 0.02, max_bound = Inf),
    negative = forward(s = -1.5, epsilon = 0, n_steps = 4), none = forward(n_steps = 0)
  )
}

for (d in c(1, 2, 5, 16, 40)) {
  cases[[paste0("efs_forward_backward_", d)]] <- local({
    d <- d
    function() {
      traj <- efs_forward(cloud(90, d) / 3, s = if (d > 2) d - 2 else 0, epsilon = 0.5, n_steps = 5)
      back <- efs_backward(traj, cloud(12, d, 2) / 3, details = TRUE)
      c(forward_parts(traj), list(
        back = back$points, residual = back$residual, error_estimate = back$error_estimate, converged = back$converged,
        evaluations = back$evaluations, long = as.data.frame(traj)
      ))
    }
  })
}

cases$efs_backward <- function() {
  x <- cloud(70, 3) / 3
  traj <- efs_forward(x, n_steps = 8)
  sparse <- efs_forward(x, n_steps = 8, keep = "checkpoints", every = 3)
  y <- cloud(12, 3, 2) / 3
  list(
    exact = efs_backward(traj, y), particles = efs_backward(traj, traj$frames[, , 9]),
    checkpoints = efs_backward(sparse, y), loose = efs_backward(traj, y, tolerance = 1e-5),
    newton = efs_backward(traj, y, max_evaluations = 2), paper = efs_backward(traj, y, "paper", n_inner = 40),
    paper_slow = efs_backward(traj, y, "paper", beta = 0.02, n_inner = 30),
    one_point = efs_backward(traj, c(0.1, 0.2, 0.3))
  )
}

# ---- Enough work for two threads and for several blocks ------------------------

cases$large_flow <- function() {
  traj <- efs_forward(cloud(6000, 4) / 3, epsilon = 0.3, n_steps = 3)
  list(frames = traj$frames, steps = columns_of(traj$diagnostics, step_columns),
       back = efs_backward(traj, cloud(3000, 4, 2) / 3), augment = efs_augment(traj, 3000, "local_covariance"))
}

cases$large_fit <- function() {
  fit <- efs(cloud(1500, 4), law = "local_covariance", time = 0.3, calibrate = FALSE)
  efs_parts(fit, cloud(3000, 4, 2), nsim = 3000)
}

cases$large_laws <- function() {
  parts <- list(
    list(law = "student", settings = list(components = 5, df = 5)), list(law = "local", settings = list()),
    list(law = "copula", settings = list(base = "student", components = 3)), list(law = "global", settings = list())
  )
  fit <- efs(cloud(1500, 4), law = "stack", law_settings = list(parts = parts), time = 0, calibrate = FALSE)
  efs_parts(fit, cloud(3000, 4, 2), nsim = 3000)
}

cases$large_wgf <- function() {
  fit <- wgf(target_ring(dim = 3), n = 4500, n_steps = 6, method = "plain")
  c(wgf_parts(fit), list(velocity = predict(fit, cloud(4000, 3), type = "velocity")))
}

cases$large_gpa <- function() {
  fit <- gpa(cloud(400, 3, 3), 2 * cloud(500, 3), n_steps = 150, batch = 128)
  c(gpa_parts(fit), list(moved = predict(fit, cloud(600, 3, 4))))
}

cases$large_generator <- function() {
  fit <- pushforward(cloud(1500, 3), "energy", n_steps = 20, check_every = 5)
  generator_parts(fit, cloud(9000, 3, 6))
}

cases$large_scores <- function() {
  x <- cloud(4000, 4)
  y <- 1.05 * cloud(3500, 4, 2)
  found <- c2st(x[1:1500, ], y[1:1500, ], seed = 1)
  c(list(energy = energy_distance(x, y), mmd = mmd(x, y), w2 = wasserstein2(x, y, max_rows = 1200), prdc = prdc(x, y),
         characteristic = characteristic_distance(x, y, seed = 2), sliced = sliced_wasserstein(x, y, seed = 2)),
    novelty_parts(novelty(y, x)), c2st_parts(found))
}

# ---- Closed forms and backends -------------------------------------------------

cases$equilibrium_radius <- function() {
  list(radius = outer(1:12, c(-1.5, -1, -0.5, 0, 0.5, 0.9), Vectorize(equilibrium_radius)),
       coulomb = vapply(3:12, function(d) equilibrium_radius(d, d - 2), 0),
       sphere = vapply(5:12, function(d) equilibrium_radius(d, 1), 0))
}

# The kernels without vector instructions, beside those that run.R forces.
cases$scalar_backend <- function() {
  before <- particleflow_simd("scalar")
  on.exit(particleflow_simd(before[1]))
  traj <- efs_forward(cloud(70, 3) / 3, n_steps = 5)
  fit <- efs(cloud(60, 3), calibrate = FALSE)
  x <- cloud(50, 3)
  y <- cloud(40, 3, 2)
  list(
    frames = traj$frames, back = efs_backward(traj, cloud(12, 3, 2) / 3),
    augment = efs_augment(traj, 10, "student", components = 2),
    log_density = predict(fit, cloud(6, 3, 2), type = "log_density"),
    particles = wgf(target_ring(), n = 40, n_steps = 4, method = "plain")$particles, w2 = wasserstein2(x, y),
    energy = energy_distance(x, y)
  )
}

# ---- gpa() ---------------------------------------------------------------------

small_gpa <- function(..., n_steps = 25, hidden = c(16L, 16L)) {
  gpa(cloud(40, 2, 3), 2 * cloud(50, 2) + 1, n_steps = n_steps, hidden = hidden, ...)
}

for (divergence in c("kl", "alpha", "reverse_kl", "js")) {
  cases[[paste0("gpa_", divergence)]] <- local({
    divergence <- divergence
    function() {
      set.seed(3)
      fit <- small_gpa(divergence = divergence)
      c(gpa_parts(fit), list(progress = columns_of(summary(fit)$progress, c("step", "divergence", "kinetic_energy"))))
    }
  })
}

cases$gpa_settings <- function() {
  run <- function(...) gpa_parts(small_gpa(...))
  join_parts(
    heun = run(solver = "heun"), smoothed = run(smoothing = 0.2), frobenius = run(normalisation = "frobenius"),
    free = run(lipschitz = Inf, step = 0.05), steep = run(lipschitz = 3, updates = 2, rate = 0.003),
    tailed = run(divergence = "alpha", alpha = 3), batch = run(batch = 16),
    batch_heun = run(batch = 21, solver = "heun", divergence = "js")
  )
}

cases$gpa_stops <- function() {
  low <- small_gpa(n_steps = 200, tolerance = 0.2, patience = 3)
  still <- small_gpa(n_steps = 200, kinetic_tolerance = 0.05, patience = 2)
  further <- resume(low, 5)
  list(steps = c(low$diagnostics$steps, still$diagnostics$steps, further$diagnostics$steps), low = low$particles,
       still = still$particles, further = further$particles)
}

cases$gpa_function_source <- function() {
  source <- function(n) matrix(stats::rnorm(2 * n), n)
  fit <- gpa(source, cloud(50, 2), n_steps = 20, n_source = 35, hidden = 16)
  new <- cloud(5, 2, 4)
  c(gpa_parts(fit), list(latent = predict(fit, new, type = "latent"), moved = predict(fit, new)))
}

cases$gpa_latent <- function() {
  x <- wide(30, 60)
  y <- 1.5 * wide(35, 60, 2) + 1
  fit <- gpa(x, y, n_steps = 12, latent = latent_pca(3), hidden = 16)
  moved <- list(moved = predict(fit, x[1:3, ] + 0.1), latent = predict(fit, type = "latent"))
  join_parts(components = c(gpa_parts(fit), moved), default = gpa_parts(gpa(x, y, n_steps = 6)))
}

cases$gpa_tables <- function() {
  x <- data.frame(cloud(40, 2, 3), same = 3, count = rep_len(1:4, 40))
  y <- data.frame(cloud(50, 2), same = 3, count = rep_len(2:6, 50))[c(2, 4, 1, 3)]
  fit <- gpa(x, y, n_steps = 15, hidden = 8, scale = FALSE, keep = 3, every = 4)
  glanced <- c("n", "n_target", "columns", "latent_dim", "steps", "time", "divergence")
  c(gpa_parts(fit), list(moved = predict(fit, x[1:5, ]), long = as.data.frame(fit),
                         glance = columns_of(glance(fit), glanced)))
}

cases$gpa_resume <- function() {
  path <- tempfile(fileext = ".rds")
  run <- function(n_steps, ...) {
    set.seed(5)
    gpa(cloud(40, 2, 3), cloud(50, 2), n_steps = n_steps, hidden = 16, solver = "heun", batch = 20, ...)
  }
  half <- run(12, checkpoint = path)
  join_parts(whole = gpa_parts(run(24)), parts = gpa_parts(resume(half, 12)), file = gpa_parts(resume(path, 12)))
}

# ---- wgf() ---------------------------------------------------------------------

small_wgf <- function(..., target = target_ring(modes = 4, radius = 3), n = 60, n_steps = 15) {
  wgf(target, n = n, n_steps = n_steps, method = "plain", ...)
}

for (divergence in c("kl", "reverse_kl", "jeffreys", "js", "pearson", "neyman", "hellinger", "alpha", "log_variance_q",
                     "log_variance_p")) {
  cases[[paste0("wgf_", divergence)]] <- local({
    divergence <- divergence
    function() {
      fit <- small_wgf(divergence = divergence)
      c(wgf_parts(fit), list(velocity = predict(fit, cloud(6, 2), type = "velocity")))
    }
  })
}

cases$wgf_kernel <- function() {
  run <- function(...) wgf_parts(small_wgf(...))
  join_parts(
    laplace = run(kernel = "laplace"), fixed = run(bandwidth = 0.4), annealed = run(bandwidth = c(1, 0.3)),
    no_floor = run(floor = 0, cap = Inf), laplace_fixed = run(kernel = "laplace", bandwidth = 0.3, divergence = "js")
  )
}

cases$wgf_births <- function() {
  run <- function(...) wgf_parts(small_wgf(...))
  join_parts(none = run(birth_death = 0), fast = run(birth_death = 3, step = 0.05),
             many = run(target = target_grid(dim = 3), n = 90, every = 4))
}

# Densities of one's own: with a gradient, by differences, with modes, from each kind of start.
cases$wgf_own_density <- function() {
  log_density <- function(x) -abs(x[, 1])^3 - (x[, 2] - x[, 1]^2 / 4)^2
  gradient <- function(x) {
    off <- x[, 2] - x[, 1]^2 / 4
    cbind(-3 * x[, 1] * abs(x[, 1]) + off * x[, 1], -2 * off)
  }
  start <- cloud(50, 2)
  own <- function(gradient, ...) {
    wgf_parts(wgf(log_density, gradient, dim = 2, n = 50, n_steps = 10, method = "plain", ...))
  }
  join_parts(
    differences = own(NULL), gradient = own(gradient, start = start),
    births = own(gradient, start = 2, birth_death = 1), modes = own(gradient, modes = rbind(c(-1, 0), c(1, 0))),
    drawn = own(gradient, start = function(n) start[seq_len(n), ])
  )
}

cases$wgf_predict <- function() {
  fit <- small_wgf(target = target_banana())
  new <- cloud(8, 2)
  list(
    log_density = predict(fit, new), log_ratio = predict(fit, new, type = "log_ratio"),
    velocity = predict(fit, new, type = "velocity"), own_density = predict(fit),
    own_ratio = predict(fit, type = "log_ratio"), sample = sample(fit, 70, seed = 12), long = as.data.frame(fit),
    glance = columns_of(glance(fit), c("n", "dim", "steps", "time", "divergence", "bandwidth", "log_z"))
  )
}

cases$wgf_resume <- function() {
  run <- function(n_steps) {
    set.seed(5)
    small_wgf(n_steps = n_steps, birth_death = 1)
  }
  join_parts(whole = wgf_parts(run(20)), parts = wgf_parts(resume(run(8), 12)))
}

# A density that fails once: the run goes on where it was left.
cases$wgf_failed <- function() {
  calls <- 0
  log_density <- function(x) {
    calls <<- calls + 1
    if (calls == 40) stop("not now")
    -rowSums(x^2) / 2
  }
  run <- function() wgf(log_density, function(x) -x, dim = 2, n = 40, n_steps = 60, method = "plain")
  failed <- tryCatch(run(), error = function(e) e)
  list(failed = inherits(failed, "error"), particles = resume()$particles)
}

# ---- Generators ----------------------------------------------------------------

small_generator <- list(n_steps = 12, batch = 40, hidden = c(16L, 16L), check_every = 5)
trained <- function(what, ...) do.call(what, utils::modifyList(small_generator, list(...)))
base_points <- cloud(9, 2, 6)
base_points_3 <- cloud(9, 3, 6)

cases$distill_wgf <- function() {
  fit <- small_wgf(birth_death = 0)
  by <- function(field) generator_parts(trained("distill", object = fit, field = field, n_sample = 200), base_points)
  join_parts(energy = by("energy"), sliced = by("sliced"), rule = by("rule"))
}

cases$distill_target <- function() {
  laplace <- trained("distill", object = small_wgf(kernel = "laplace"), field = "rule", n_sample = 100)
  more <- trained("distill", object = target_banana(), field = "energy", n_sample = 200, base_dim = 3)
  join_parts(rule = generator_parts(trained("distill", object = target_ring()), base_points),
             laplace = generator_parts(laplace, base_points), sample = generator_parts(more, base_points_3))
}

cases$distill_tables <- function() {
  by_efs <- trained("distill", object = efs(flowers[3:4], calibrate = FALSE), n_sample = 150)
  by_gpa <- trained("distill", object = small_gpa(n_steps = 10), field = "sliced", n_sample = 150)
  join_parts(efs = generator_parts(by_efs, base_points), gpa = generator_parts(by_gpa, base_points))
}

cases$pushforward <- function() {
  x <- cloud(120, 2)
  pushed <- function(x, ...) generator_parts(trained("pushforward", x = x, ...), base_points)
  glanced <- glance(trained("pushforward", x = x))
  join_parts(
    characteristic = pushed(x), mmd = pushed(x, statistic = "mmd"),
    energy = pushed(x, statistic = "energy", smoothing = 0.1),
    given = pushed(x, frequencies = cloud(20, 2, 3), start = 0.5),
    widths = pushed(as.data.frame(x), statistic = "mmd", bandwidth = c(0.3, 1)),
    glance = list(numbers = columns_of(glanced, c("dim", "base_dim", "parameters", "steps", "score", "best_step")))
  )
}

cases$pushforward_held <- function() {
  u <- matrix(stats::ppoints(80))
  z <- matrix(c(-1, 0, 0.5))
  pinned <- trained("pushforward", x = u, frequencies = 2 * pi * 1:5, pin = list(0, 0.5), bounds = c(0, 1))
  bounded <- trained("pushforward", x = cloud(60, 2), statistic = "energy", bounds = rbind(c(-9, -9), c(9, 19)))
  free <- trained("pushforward", x = u, statistic = "energy", pin = list(0.2, 0.4))
  join_parts(both = generator_parts(pinned, z), bounds = generator_parts(bounded, base_points),
             pin = generator_parts(free, z))
}

cases$generator_resume <- function() {
  path <- tempfile(fileext = ".rds")
  trained("pushforward", x = cloud(60, 2), statistic = "energy", checkpoint = path)
  generator_parts(resume(path, 10), base_points)
}

# ---- integrate_data() ----------------------------------------------------------

batches <- function(n = 24, p = 12) {
  x <- wide(2 * n, p)
  own <- n + seq_len(n)
  x[own, ] <- 3 * tanh(x[own, rev(seq_len(p))]) + rep(seq_len(p) / p, each = n)
  list(x = x, batch = rep(c("a", "b"), each = n), label = rep_len(c("u", "v"), 2 * n), new = x[own[1:4], ] + 0.1)
}

integration_parts <- function(fit) {
  both <- c("w2_latent", "w2_full", "novelty", "auc", "silhouette")
  figures <- c("n", "n_reference", "steps", "w2_latent_halves", "w2_full_halves", "residual_reference",
               paste0(both, "_before"), paste0(both, "_after"))
  list(data = fit$data, before = fit$points$before, after = fit$points$after, report = columns_of(fit$report, figures),
       scores = columns_of(fit$scores, c("before", "after")))
}

cases$integrate_batches <- function() {
  lab <- batches()
  fit <- integrate_data(lab$x, lab$batch, "a", n_steps = 30, target = 0.2, floor = 0.2, hidden = c(16, 16))
  c(integration_parts(fit), list(predict = predict(fit, lab$new, batch = "b")))
}

cases$integrate_labels <- function() {
  lab <- batches()
  x <- data.frame(lab = lab$batch, lab$x, kind = lab$label, same = 2)
  fit <- integrate_data(x, "lab", "b", label = "kind", latent = latent_pca(3), n_steps = 20, target = 0.2, floor = 0.2,
                        seed = 3, hidden = 16)
  c(integration_parts(fit), list(predict = predict(fit, x[c(1, 2, 5), ], batch = "lab", label = "kind"),
                                 table = as.data.frame(fit)))
}

cases$integrate_residual <- function() {
  lab <- batches()
  moved <- function(...) {
    fit <- integrate_data(lab$x, lab$batch, "a", latent = latent_pca(2), n_steps = 10, target = 0, floor = 0,
                          compare = FALSE, seed = 3, hidden = 16, ...)
    list(data = fit$data, predict = predict(fit, lab$new, batch = "b"))
  }
  join_parts(keep = moved(residual = "keep"), drop = moved(residual = "drop", adjust = "mean"),
             none = moved(adjust = "none", solver = "heun"))
}

# ---- Judges --------------------------------------------------------------------

score_parts <- function(x, y) {
  w2 <- wasserstein2(x, y)
  list(
    energy = c(energy_distance(x, y), energy_distance(x, y, unbiased = TRUE)),
    mmd = vapply(c("gaussian", "laplace", "riesz"), function(kernel) mmd(x, y, kernel), 0),
    mmd_biased = mmd(x, y, bandwidth = 0.7, unbiased = FALSE),
    w2 = w2, w2_blur = attr(w2, "blur"), w2_iterations = attr(w2, "iterations"),
    sliced = c(sliced_wasserstein(x, y, seed = 2), sliced_wasserstein(x, y, n_directions = 30, p = 1, seed = 2)),
    characteristic = c(characteristic_distance(x, y, seed = 2),
                       characteristic_distance(x, y, measure = "gaussian", seed = 2, unbiased = TRUE),
                       characteristic_distance(x, y, frequencies = x[1:5, , drop = FALSE])),
    prdc = prdc(x, y, k = 4)
  )
}

for (d in c(1, 2, 5, 16, 40)) {
  cases[[paste0("scores_", d)]] <- local({
    d <- d
    function() score_parts(cloud(70, d), 1.1 * cloud(50, d, 2))
  })
}

cases$scores_copies <- function() {
  x <- cloud(60, 3)
  frame <- as.data.frame(x)
  list(w2 = wasserstein2(x, x[60:1, ]), w2_sharp = wasserstein2(x, x + 3, blur = 0.1),
       w2_few = wasserstein2(x, x[1:2, ], max_rows = 40), energy = energy_distance(x, x),
       by_name = energy_distance(frame, 1.1 * frame[c(3, 1, 2)]))
}

cases$tests_small <- function() {
  x <- cloud(40, 3)
  y <- 1.2 * cloud(30, 3, 2)
  energy <- energy_test(x, y, n_permutations = 99, seed = 1)
  kernels <- lapply(c("gaussian", "laplace", "riesz"), function(kernel) {
    mmd_test(x, y, kernel, n_permutations = 99, seed = 1)
  })
  c(list(p = c(energy$p.value, vapply(kernels, `[[`, 0, "p.value"))), clocked("energy", energy$statistic),
    clocked("mmd", vapply(kernels, `[[`, 0, "statistic")))
}

# Large enough for several blocks of work.
cases$tests_large <- function() {
  x <- cloud(1300, 3)
  y <- 1.3 * cloud(1200, 3, 2)
  energy <- energy_test(x, y, n_permutations = 499, seed = 1)
  mmd <- mmd_test(x, y, n_permutations = 499, unbiased = FALSE, seed = 1)
  c(list(p = c(energy$p.value, mmd$p.value)), clocked("energy", energy$statistic), clocked("mmd", mmd$statistic))
}

c2st_parts <- function(found) found[c("auc", "interval", "se", "each", "k")]

cases$c2st <- function() {
  x <- cloud(70, 4)
  y <- 1.2 * cloud(60, 4, 2)
  join_parts(both = c2st_parts(c2st(x, y, seed = 1)), knn = c2st_parts(c2st(x, y, "knn", k = 6, seed = 1)),
             quadratic = c2st_parts(c2st(x, y, "quadratic", folds = 3, seed = 1)),
             stream = c2st_parts(c2st(x, y, level = 0.8)))
}

novelty_parts <- function(found) {
  found[c("ratio", "ratio_5", "duplicates", "duplicates_expected", "closer", "closer_expected", "distance")]
}

cases$novelty <- function() {
  x <- cloud(60, 3)
  y <- rbind(x[1:5, ], cloud(25, 3, 2))
  join_parts(alone = novelty_parts(novelty(y, x)), holdout = novelty_parts(novelty(y, x, cloud(30, 3, 3))),
             raw = novelty_parts(novelty(y, x, scale = FALSE)))
}

fidelity_parts <- function(report) {
  figures <- c("all", "synthetic", "real", "real_min", "real_max", "limit", "holdout", "gap", "alike", "rows_real",
               "rows_synthetic", "rows_half")
  list(
    scores = columns_of(as.data.frame(report), figures),
    splits = columns_of(report$splits, c("split", "real", "synthetic")), novelty = novelty_parts(report$novelty),
    c2st = c2st_parts(report$c2st), columns = columns_of(report$columns, c("shift", "spread", "ks", "limit", "agrees")),
    correlation = report$correlation$largest
  )
}

cases$fidelity <- function() {
  mixed <- fidelity(flowers[1:100, ], flowers[51:150, ], splits = 2, k = 3, w2_rows = 40, seed = NULL)
  usual <- if ("expression" %in% names(formals(fidelity))) list(expression = FALSE)
  join_parts(holdout = fidelity_parts(fidelity(cloud(80, 3), cloud(60, 3, 2), cloud(30, 3, 3))),
             wide = fidelity_parts(do.call(fidelity, c(list(wide(50, 70), wide(50, 70, 2), splits = 3), usual))),
             mixed = fidelity_parts(mixed))
}

# ---- Targets -------------------------------------------------------------------

cases$targets <- function() {
  shapes <- list(diag(2), matrix(c(2, 0.5, 0.5, 1), 2))
  targets <- list(
    mixture = target_mixture(rbind(c(-2, 0), c(2, 1)), shapes, weights = c(1, 3)), ring = target_ring(dim = 3),
    grid = target_grid(side = 2), banana = target_banana(dim = 3), funnel = target_funnel(dim = 4, sd = 1.5)
  )
  unlist(lapply(targets, function(target) {
    x <- simulate(target, 20, seed = 2)
    list(simulate = x, component = attr(x, "component"), log_density = predict(target, x),
         gradient = predict(target, x, type = "gradient"), sample = sample(target, 4))
  }), recursive = FALSE)
}

cases$threads_and_sample <- function() {
  before <- particleflow_threads(1)
  set <- particleflow_threads(before)
  list(set = set, sample = sample(1:20), weighted = sample(5, 3, prob = 1:5), again = sample(3, 9, replace = TRUE))
}

# ---- Pictures ------------------------------------------------------------------

cases$plot_efs <- function() {
  fit <- efs(flowers, group = "Species", calibrate = FALSE)
  latent <- function(...) drawn_points(function() plot(fit, type = "latent", ...))
  c(drawn_types(fit, c("trajectory", "latent", "energy")), list(
    new = latent(new = 20), path = latent(path = c(3, 40)),
    components = drawn_types(efs(wide(40, 30), calibrate = FALSE), c("trajectory", "latent")),
    flow = drawn_types(efs_forward(cloud(50, 2) / 3), c("frames", "energy")),
    line = drawn_types(efs_forward(cloud(50, 1)), "frames")
  ))
}

cases$plot_flows <- function() {
  line <- trained("pushforward", x = cloud(60, 1), check_every = 2)
  join_parts(gpa = drawn_types(small_gpa(), c("frames", "trace")),
             wgf = drawn_types(small_wgf(), c("frames", "trace", "masses", "ratio")),
             generator = drawn_types(line, c("points", "trace", "map")))
}

cases$plot_reports <- function() {
  lab <- batches()
  fit <- integrate_data(lab$x, lab$batch, "a", n_steps = 30, check = 5, target = 0, floor = 0, compare = FALSE,
                        hidden = 16)
  report <- fidelity(cloud(80, 6), cloud(60, 6, 2))
  join_parts(integration = drawn_types(fit, c("points", "trace")),
             fidelity = drawn_types(report, c("scores", "novelty", "columns")))
}
