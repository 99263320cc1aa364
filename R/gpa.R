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
#' \eqn{\nu} is found as the root of \eqn{E_Q[f^{*\prime}(\phi - \nu)] = 1}{E_Q[f*'(phi - nu)] = 1}, in closed form for
#' `"kl"` (the formula of Donsker and Varadhan).
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
#' @param source Numeric matrix or data frame (see `x` of [efs()]), `M` rows to be moved; or a function of `n`
#'   that returns `n` of them, such as `function(n) matrix(rnorm(2 * n), n)`. At least two rows, no missing values.
#' @param target Numeric matrix or data frame, `N` rows of the same columns; at least two. Columns are matched by name
#'   where both have names, otherwise by position; unknown and missing names are an error. A column is one of whole
#'   numbers, and comes back as such, where it has type integer in both tables.
#' @param divergence `"kl"`, `"alpha"` (\eqn{f(x) = (x^\alpha - 1)/(\alpha(\alpha - 1))}, for heavy tails),
#'   `"reverse_kl"` (\eqn{D(Q\|P)} as a function of `P`) or `"js"` (twice Jensen's and Shannon's); always of the moving
#'   particles from the target.
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
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @return An object of class `c("gpa", "particle_flow")`: a list with `call`, `particles` (the
#'   moved source rows in units and form of the table), `trajectory` (a [particle_trajectory], in the units of the
#'   flow), `latent` (the fitted map), `control` (the settings), `diagnostics` (a data frame of one row: rows,
#'   dimensions, steps, `status`, the last divergence and kinetic energy), `elapsed` (seconds), and what [resume()] and
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
                keep = NULL, every = NULL, checkpoint = NULL, progress = NULL) {
  began <- seconds_now()
  check_progress(progress)
  control <- gpa_control(divergence, alpha, lipschitz, step, n_steps, solver, hidden, smoothing, normalisation,
                         updates, rate, batch, tolerance, kinetic_tolerance, patience, scale, keep, every, checkpoint)
  if (!is.null(latent)) check_latent(latent)
  tables <- read_pair(source, target, n_source)
  latent <- choose_pooled_latent(latent, control$scale, tables$pooled)$fit(tables$pooled)
  start <- unname(latent$encode(tables$source))
  goal <- unname(latent$encode(tables$target))
  check_encoded_range(start, goal)
  run <- new_gpa_run(start, goal, control, call = record_call(match.call(), "gpa"),
                     source = if (is.function(source)) source, table = tables$template, latent = latent)
  complete(take_seconds(run, began), progress)
}

check_encoded_range <- function(start, goal) {
  if (all(is.finite(start)) && all(is.finite(goal))) return(invisible())
  stop_unsolved(paste("The encoded rows leave the range of numbers: bring the columns of `source` and `target` to",
                      "smaller units."))
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
