#' Generative particle algorithm
#'
#' Moves the rows of `source` towards the law of `target`: particles follow
#' \eqn{dy/dt = -\nabla\phi(y)}, where the potential \eqn{\phi} is the maximiser of the
#' dual of a divergence \eqn{D(P \| Q)} of the particles `P` from the target `Q`,
#' \deqn{E_P[\phi] - \inf_\nu \{\nu + E_Q[f^*(\phi - \nu)]\},}{
#'   E_P[phi] - inf_nu {nu + E_Q[f*(phi - nu)]},}
#' over networks whose slope is at most `lipschitz`. The divergence so regularised is
#' finite for any two samples, whether or not they overlap, and at most
#' `lipschitz` times their Wasserstein-1 distance. The numbers of rows may differ.
#'
#' Each step makes `updates` updates of the network by Adam, from where the last step
#' left it, and then one step of all particles. Every weight matrix is **rescaled after
#' each update** (a projection: no gradient goes through it) to the norm
#' \eqn{L^{1/D}}, `D` the number of matrices. With
#' `normalisation = "spectral"` that is the largest singular value, by power iteration
#' from where the last one ended; a Cholesky factorisation then proves the value to be an
#' upper bound within 1e-5, so that the slope is never above `lipschitz`. With `"frobenius"` it is the
#' Frobenius norm, which keeps the slope well below.
#' \eqn{\nu} is found as the root of \eqn{E_Q[f^{*\prime}(\phi - \nu)] = 1}{E_Q[f*'(phi - nu)] = 1}, in closed form for `"kl"`
#' (the formula of Donsker and Varadhan).
#'
#' @section Units:
#' `step`, `lipschitz`, the divergence and the kinetic energy are in the units in which
#' the flow runs: with `scale = TRUE` columns are z-scored over both tables together, and
#' `latent` is fitted to the result. With orthonormal principal components the
#' error towards the target in those units is at most that in the latent space (Theorem
#' 5.1 of the paper), and what the components leave out comes on top. `scale = FALSE` only
#' moves the medians of the columns to 0, which no flow can notice but a network that starts can.
#' In one step of time `step` no particle moves further than `step * lipschitz`.
#'
#' @section Copies:
#' A long run with as many particles as target rows, and networks wide enough, ends on the
#' target rows themselves. Take more particles than target rows, or carry new source rows along
#' ([predict()][predict.gpa], [simulate()][simulate.gpa]), and look at [novelty()].
#'
#' @section When a run goes wrong:
#' Where a number leaves the range of doubles (as may happen with `lipschitz = Inf` or
#' heavy tails) the run stops at the last good step, with a warning; particles are never
#' `NaN`. A run stopped by Ctrl-C is not lost: [resume()] goes on from there.
#'
#' @param source Numeric matrix or data frame, `M` rows to be moved; or a function of `n`
#'   that returns `n` of them, such as `function(n) matrix(rnorm(2 * n), n)`. At least two rows, no missing values.
#' @param target Numeric matrix or data frame, `N` rows of the same columns (matched by
#'   name where both have names); at least two.
#' @param divergence `"kl"`, `"alpha"` (\eqn{f(x) = (x^\alpha - 1)/(\alpha(\alpha - 1))}, for heavy tails), `"reverse_kl"`
#'   (\eqn{D(Q\|P)} as a function of `P`) or `"js"` (twice Jensen's and Shannon's); always
#'   of the moving particles from the target.
#' @param alpha Order of `"alpha"`, above 1.
#' @param lipschitz Largest slope `L` of the potential, which is the largest speed; above 0, `Inf` for none.
#' @param step Time step of the particles, above 0.
#' @param n_steps Number of steps, at least 0.
#' @param solver `"euler"`, or `"heun"`: the mean of the gradients here and where an Euler
#'   step leads, both of the potential of the step.
#' @param hidden Widths of the hidden layers; `NULL`: three layers of 32 up to 10
#'   dimensions, of 64 up to 100, of 128 beyond.
#' @param smoothing Half-width over which the kink of the rectifier is smoothed, in units of its
#'   argument; 0 for none. For small steps.
#' @param normalisation Norm of the weight matrices that is held, see above.
#' @param updates Updates of the network a step, at least 1.
#' @param rate Learning rate of Adam, above 0.
#' @param batch Rows of each table that an update sees, drawn without replacement; `NULL`: all up to 4096.
#' @param tolerance End when the divergence stayed at or below this for `patience` steps (after it was above it once); 0
#'   for never.
#' @param kinetic_tolerance End when the kinetic energy, the mean squared speed of the particles, did; 0 for never.
#' @param patience How many steps in a row, at least 1.
#' @param latent A [latent_map], or `"none"`; fitted to both tables together. `NULL`: the columns
#'   up to 50 of them, [latent_pca()] with 50 components beyond.
#' @param scale Whether columns are z-scored first, see above.
#' @param n_source Number of particles where `source` is a function; `NULL`: as many as target rows.
#' @param keep Keep the network of every how many steps (those between are replaced by the one before for
#'   new points). `NULL`: every one while they fit into 256 MB.
#' @param every Keep the particles of every how many steps for plots. `NULL`: about 100 frames.
#' @param checkpoint Path of a file in which the run is saved every half minute and at its end, for [resume()];
#'   `NULL` for none.
#' @param threads Accepted for uniformity: networks of this size gain nothing from threads of ours, and the result does
#'   not depend on it. A threaded BLAS has its own settings.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @return An object of class `c("gpa", "particle_flow")`: a list with `call`, `particles` (the
#'   moved source rows in units and form of the table), `trajectory` (a [particle_trajectory], in the units of the flow), `latent`
#'   (the fitted map), `control` (the settings), `diagnostics` (a data frame of one row: rows, dimensions, steps, `status`,
#'   the last divergence and kinetic energy), `elapsed` (seconds), and what [resume()] and
#'   [predict()][predict.gpa] need. The same seed gives the same particles, to the last bit on one BLAS. Methods:
#'   [simulate()][simulate.gpa], [sample()][sample], [predict()][predict.gpa], [plot()][plot.gpa],
#'   [summary()][summary.gpa], `as.data.frame()`, `tidy()`, `glance()`.
#' @references
#' Gu H, Birmpa P, Pantazis Y, Rey-Bellet L, Katsoulakis MA (2024). Lipschitz-regularized gradient flows and
#' generative particle algorithms for high-dimensional scarce data. SIAM Journal on Mathematics of Data Science
#' 6(4). \doi{10.1137/23M1587841}
#' @examples
#' set.seed(1)
#' target <- cbind(rep(c(-2, 2), 50), rep(c(-2, 2), each = 50)) + rnorm(200, sd = 0.5)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), target, n_steps = 100)
#' fit
#' head(fit$particles)
#' plot(fit)
#' new <- simulate(fit, 50, seed = 1)
#' @export
gpa <- function(source, target, divergence = c("kl", "alpha", "reverse_kl", "js"), alpha = 2, lipschitz = 1,
                step = 0.2, n_steps = 500, solver = c("euler", "heun"),
                hidden = NULL, smoothing = 0, normalisation = c("spectral", "frobenius"),
                updates = 5, rate = 0.001, batch = NULL,
                tolerance = 0, kinetic_tolerance = 0, patience = 10,
                latent = NULL, scale = TRUE, n_source = NULL,
                keep = NULL, every = NULL, checkpoint = NULL, threads = NULL, progress = NULL) {
  began <- proc.time()[[3]]
  control <- gpa_control(divergence, alpha, lipschitz, step, n_steps, solver, hidden, smoothing, normalisation,
                         updates, rate, batch, tolerance, kinetic_tolerance, patience, scale, keep, every, checkpoint)
  threads <- thread_count(threads)
  tables <- read_pair(source, target, n_source)
  latent <- choose_pooled_latent(latent, control$scale, tables$pooled)$fit(tables$pooled)
  start <- unname(latent$encode(tables$source))
  goal <- unname(latent$encode(tables$target))
  plan <- gpa_plan(control, ncol(start))
  every <- gpa_every(control, nrow(start), plan)
  key <- draw_key()
  run <- list(
    call = match.call(), source = if (is.function(source)) source, table = tables$template, latent = latent,
    control = control, plan = plan, every = every, start = start, target = goal,
    state = new_gpa_state(start, plan, control, key),
    planned = control$n_steps, history = list(), ended = 0L, elapsed = proc.time()[[3]] - began,
    version = as.character(utils::packageVersion("particleflow"))
  )
  finish_gpa(advance_gpa(run, progress))
}

gpa_control <- function(divergence, alpha, lipschitz, step, n_steps, solver, hidden, smoothing, normalisation,
                        updates, rate, batch, tolerance, kinetic_tolerance, patience, scale, keep, every, checkpoint) {
  divergence <- check_choice(divergence, divergence_names, "divergence")
  alpha <- check_number(alpha, "alpha", lower = 1, open_lower = TRUE)
  if (!is.null(hidden)) hidden <- check_widths(hidden)
  list(
    divergence = divergence, alpha = if (divergence == "alpha") alpha else NA_real_,
    lipschitz = check_number(lipschitz, "lipschitz", lower = 0, open_lower = TRUE, finite = FALSE),
    step = check_number(step, "step", lower = 0, open_lower = TRUE),
    n_steps = check_count(n_steps, "n_steps"),
    solver = check_choice(solver, c("euler", "heun"), "solver"),
    hidden = hidden,
    smoothing = check_number(smoothing, "smoothing", lower = 0),
    normalisation = check_choice(normalisation, c("spectral", "frobenius"), "normalisation"),
    updates = check_count(updates, "updates", 1L),
    rate = check_number(rate, "rate", lower = 0, open_lower = TRUE),
    batch = if (!is.null(batch)) check_count(batch, "batch", 1L),
    tolerance = check_number(tolerance, "tolerance", lower = 0),
    kinetic_tolerance = check_number(kinetic_tolerance, "kinetic_tolerance", lower = 0),
    patience = check_count(patience, "patience", 1L),
    scale = check_flag(scale, "scale"),
    keep = if (!is.null(keep)) check_count(keep, "keep", 1L),
    every = if (!is.null(every)) check_count(every, "every", 1L),
    checkpoint = check_path(checkpoint)
  )
}

divergence_names <- c("kl", "alpha", "reverse_kl", "js")

check_widths <- function(hidden) {
  good <- is.numeric(hidden) && length(hidden) >= 1 && !anyNA(hidden) && all(hidden == round(hidden)) &&
    all(hidden >= 1 & hidden <= 1e4)
  if (!good) fail("`hidden` must be the widths of the hidden layers, whole numbers from 1 to 10000, not %s.", describe(hidden))
  as.integer(hidden)
}

check_path <- function(checkpoint) {
  if (is.null(checkpoint)) return(NULL)
  if (!is.character(checkpoint) || length(checkpoint) != 1 || is.na(checkpoint) || !dir.exists(dirname(checkpoint))) {
    fail("`checkpoint` must be the path of a file in a directory that exists, not %s.", describe(checkpoint))
  }
  normalizePath(checkpoint, mustWork = FALSE)
}

# ---- The tables --------------------------------------------------------------

# Source and target with the same columns: those that vary in either, as matrices,
# pooled too, and the template by which rows are given back.
read_pair <- function(source, target, n_source) {
  if (is.function(source)) {
    target <- check_points(form <- target, "target", min_rows = 2L, grouped = FALSE)
    n_source <- if (is.null(n_source)) nrow(target) else check_count(n_source, "n_source", 2L)
    source <- draw_source(source, n_source, target)
  } else {
    if (!is.null(n_source)) fail("`n_source` belongs to a `source` that is a function.")
    source <- check_points(form <- source, "source", min_rows = 2L, grouped = FALSE)
    target <- check_like(target, "target", source, min_rows = 2L)
  }
  names <- if (is.null(colnames(source))) colnames(target) else colnames(source)
  pooled <- rbind(unname(source), unname(target))
  colnames(pooled) <- names
  range <- apply(pooled, 2, range)
  varying <- range[2, ] > range[1, ]
  if (!any(varying)) fail("`source` and `target` have no column that varies; there is nothing to move.")
  rows <- seq_len(nrow(source))
  pooled_varying <- pooled[, varying, drop = FALSE]
  list(
    source = pooled_varying[rows, , drop = FALSE], target = pooled_varying[-rows, , drop = FALSE], pooled = pooled_varying,
    template = list(
      frame = if (is.data.frame(form)) form[0, , drop = FALSE], names = names,
      constant = ifelse(varying, NA_real_, range[1, ]), integer = rep(FALSE, ncol(pooled)), range = range,
      group_column = NULL, group = NULL
    )
  )
}

# n rows of a source that is a function, with the columns of the target.
draw_source <- function(source, n, like) {
  rows <- source(n)
  if (!(is.matrix(rows) || is.data.frame(rows)) || nrow(rows) != n) {
    fail("`source` must be a function that returns %d rows for n = %d, not %s.", n, n, describe(rows))
  }
  check_like(rows, "source(n)", like, min_rows = 0L)
}

# latent on pooled rows; the flow runs in z-scored units with `scale`.
choose_pooled_latent <- function(latent, scale, pooled) {
  if (is.null(latent)) {
    latent <- if (ncol(pooled) <= 50) latent_map() else latent_pca(min(50L, nrow(pooled) - 1L))
  } else if (identical(latent, "none")) {
    latent <- latent_map()
  } else if (!inherits(latent, "latent_map") || is.null(latent$fit)) {
    fail("`latent` must be a latent map such as latent_pca(10), or \"none\", not %s.", describe(latent))
  }
  pooled_first(latent, scale)
}

# ---- The fit -----------------------------------------------------------------

gpa_endings <- c("all steps done", "diverged", "divergence below tolerance", "kinetic energy below tolerance")

finish_gpa <- function(run) {
  trajectory <- gpa_trajectory(run)
  status <- if (run$ended == 0L && run$state$step < run$planned) "interrupted" else gpa_endings[run$ended + 1L]
  if (run$ended == 1L) {
    warning(sprintf("The run diverged at step %d (numbers out of range); the fit is the state before that step. %s",
                    run$state$step + 1L, "Lower `lipschitz`, `step` or `rate`, or try divergence = \"alpha\"."), call. = FALSE)
  }
  last <- trajectory$diagnostics[nrow(trajectory$diagnostics), ]
  structure(
    list(
      call = run$call, trajectory = trajectory, latent = run$latent, control = run$control,
      diagnostics = data.frame(
        n = nrow(run$start), n_target = nrow(run$target), dim = ncol(run$start), steps = run$state$step,
        time = last$time, status = status, divergence = last$divergence, kinetic_energy = last$kinetic_energy,
        updates = run$state$updates, parameters = nrow(run$state$learner), networks = ncol(trajectory$networks)
      ),
      elapsed = run$elapsed,
      particles = write_table(run$latent$decode(run$state$particles), run$table),
      source = run$source, target = run$target, table = run$table,
      run = run[setdiff(names(run), c("history", "start"))], version = run$version
    ),
    class = c("gpa", "particle_flow")
  )
}

# Diagnostics: the dual before each step; after the last one that of the last network.
gpa_trajectory <- function(run) {
  k <- run$state$step
  pick <- function(what) do.call(cbind, c(list(NULL), lapply(run$history, `[[`, what)))
  records <- pick("records")
  networks <- pick("networks")
  if (is.null(networks)) networks <- matrix(0, nrow(run$state$learner), 0)
  last <- if (k > 0) {
    .Call(C_pf_gpa_measure, run$state$particles, run$target, run$state$learner[, 1], run$plan$widths, run$plan$settings)
  } else {
    c(NA_real_, NA_real_)
  }
  diagnostics <- data.frame(
    step = 0:k, time = run$control$step * (0:k), gamma = c(rep(run$control$step, k), NA),
    divergence = c(records[1, ], last[1]), kinetic_energy = c(records[2, ], last[2]),
    largest_move = c(records[3, ], NA)
  )
  kept <- c(0L, unlist(lapply(run$history, `[[`, "kept")))
  frames <- c(run$start, pick("frames"))
  if (kept[length(kept)] != k) {
    kept <- c(kept, k)
    frames <- c(frames, run$state$particles)
  }
  stored <- list(frames = array(frames, c(dim(run$start), length(kept))), kept = as.integer(kept))
  new_trajectory(stored, diagnostics, list(networks = networks, plan = c(run$plan, every = run$every[1])))
}

# The run behind a fit, whose trajectory holds what it left behind.
run_of_fit <- function(fit) {
  run <- fit$run
  traj <- fit$trajectory
  k <- n_steps(traj)
  on_grid <- which(traj$kept > 0 & traj$kept %% run$every[2] == 0)
  run$start <- frame(traj, 1L)
  run$history <- list(list(
    records = t(unname(as.matrix(traj$diagnostics[seq_len(k), c("divergence", "kinetic_energy", "largest_move")]))),
    networks = traj$networks,
    frames = matrix(traj$frames[, , on_grid], nrow = length(run$start)), kept = traj$kept[on_grid]
  ))
  run
}

# Passive points moved by steps from + 1 .. from + count.
carry_steps <- function(traj, points, from, count) {
  .Call(C_pf_gpa_carry, points, traj$networks, traj$plan$widths, traj$plan$settings, traj$plan$every,
        as.integer(from), as.integer(count))
}
