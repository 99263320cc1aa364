#' Generative particle algorithm
#'
#' Moves the rows of `source` until their law (their distribution) is close to that of the rows of `target`. The rows
#' are particles that follow
#' \eqn{dy/dt = -\nabla\phi(y)}{dy/dt = -grad phi(y)}. The potential \eqn{\phi} maximises the dual of a
#' divergence \eqn{D(P \| Q)}{D(P || Q)} of the particles `P` from the target `Q`,
#' \deqn{E_P[\phi] - \inf_\nu \{\nu + E_Q[f^*(\phi - \nu)]\},}{
#'   E_P[phi] - inf_nu {nu + E_Q[f*(phi - nu)]},}
#' over networks whose slope is at most `lipschitz`. Here `f` is the function that defines the divergence (see the
#' argument `divergence`), \eqn{f^*}{f*} is its convex conjugate, and \eqn{\nu}{nu} is a number. The divergence that is
#' regularised in this way is finite for any two samples, whether or not they overlap. It is at most `lipschitz` times
#' their Wasserstein-1 distance. The two tables may have different numbers of rows.
#'
#' In each step Adam makes `updates` updates of the network, beginning with the network of the step before. Then all
#' particles make one step. After each update every weight matrix is **rescaled** to the norm
#' \eqn{L^{1/D}}{L^(1/D)}, where `L` is `lipschitz` and `D` is the number of matrices. The rescaling is a projection: no
#' gradient goes through it.
#' * With `normalisation = "spectral"` the norm is the largest singular value. A power iteration, which begins where the
#'   last one ended, estimates it. A Cholesky factorisation then proves that the value is an upper bound, and the bound
#'   is at most 1e-5 (relatively) above the largest singular value. The slope is therefore never above `lipschitz`.
#' * With `normalisation = "frobenius"` it is the Frobenius norm, which keeps the slope well below `lipschitz`.
#' * With `lipschitz = Inf` no matrix is rescaled.
#'
#' \eqn{\nu} is the root of \eqn{E_Q[f^{*\prime}(\phi - \nu)] = 1}{E_Q[f*'(phi - nu)] = 1}. For `"kl"` it has a closed
#' form (the formula of Donsker and Varadhan).
#'
#' @section Units:
#' `step`, `lipschitz`, the divergence and the kinetic energy are in the units in which the flow runs. With
#' `scale = TRUE` the columns are z-scored over both tables together, and `latent` is fitted to the result. With
#' orthonormal principal components, the error towards the target in z-scored units is at most the error in the latent
#' space (Theorem 5.1 of the paper) plus what the components leave out. With `scale = FALSE` only the medians of the
#' columns are moved to 0. This changes nothing for the flow, and it helps a network at its start. No particle moves
#' further than `step * lipschitz` in one step.
#'
#' @section Copies:
#' In a long run with as many particles as target rows and with wide networks, the particles end on the target rows
#' themselves. To avoid copies, take more particles than target rows, or carry new source rows along
#' ([predict()][predict.gpa], [simulate()][simulate.gpa]). [novelty()] tells how new the rows are.
#'
#' @section When a run goes wrong:
#' A number may leave the range of doubles, for example with `lipschitz = Inf` or with heavy tails. The run then stops
#' at the last good step and gives a warning. Particles are never `NaN`. A run that is stopped by Ctrl-C is not lost:
#' [resume()] continues it. A run that needs more than half of the memory, or more than 30 days, is refused with an
#' error.
#'
#' @param source Numeric matrix or data frame (see `x` of [efs()]) with the `M` rows that are moved. Or a function of
#'   `n` that returns `n` such rows, for example `function(n) matrix(rnorm(2 * n), n)`. At least two rows, no missing
#'   values.
#' @param target Numeric matrix or data frame with `N` rows, at least two, and the columns of `source`. Columns are
#'   matched by name if both tables have names, otherwise by position. Unknown and missing names are an error. A column
#'   that has type integer in both tables comes back as whole numbers.
#' @param divergence `"kl"`, `"alpha"` (\eqn{f(x) = (x^\alpha - 1)/(\alpha(\alpha - 1))}, for heavy tails),
#'   `"reverse_kl"` (\eqn{D(Q\|P)}{D(Q || P)} as a function of `P`) or `"js"` (twice the Jensen-Shannon divergence). It
#'   is always the divergence of the moving particles from the target.
#' @param alpha Order of `"alpha"`, above 1.
#' @param lipschitz Largest slope `L` of the potential, above 0. It is the largest speed of a particle. `Inf` sets no
#'   bound.
#' @param step Time step of the particles, above 0.
#' @param n_steps Number of steps, at least 0.
#' @param solver `"euler"`; or `"heun"`, which moves a particle along the mean of two gradients of the same potential:
#'   at the particle, and at the point to which an Euler step leads.
#' @param hidden Widths of the hidden layers, whole numbers from 1 to 10000. `NULL`: three layers, each of 32 units for
#'   up to 10 dimensions, of 64 for up to 100 and of 128 for more.
#' @param smoothing Half-width of the interval on which the kink of the rectifier is smoothed, in units of its argument,
#'   at least 0. 0 gives the plain rectifier. Positive values are for small steps.
#' @param normalisation The norm to which weight matrices are rescaled, see Details.
#' @param updates Number of updates of the network in each step, at least 1.
#' @param rate Learning rate of Adam, above 0.
#' @param batch Number of rows of each table that one update sees, at least 1. They are drawn without replacement.
#'   `NULL`: all rows, but at most 4096.
#' @param tolerance The run ends when the divergence has been at or below this value for `patience` steps in a row. The
#'   steps count only after the divergence was above the value once. 0: the run does not end in this way.
#' @param kinetic_tolerance The run ends when the kinetic energy, which is the mean squared speed of the particles, has
#'   been at or below this value for `patience` steps in a row. 0: the run does not end in this way.
#' @param patience Number of steps in a row for the two tolerances, at least 1.
#' @param latent A [latent_map], which is fitted to both tables together, or `"none"`. `NULL`: the columns themselves if
#'   there are at most 50, otherwise [latent_pca()] with 50 components (fewer if there are fewer rows).
#' @param scale Whether columns are z-scored first, see the section Units.
#' @param n_source Number of particles if `source` is a function, at least 2. `NULL`: the number of target rows.
#' @param keep A network is kept every `keep` steps, at least 1. When new points are carried, a network that was not
#'   kept is replaced by the last one kept before it. `NULL`: every network, or fewer if all would take more than
#'   256 MB.
#' @param every The particles are kept every `every` steps for plots, at least 1. `NULL`: about 100 frames, or fewer if
#'   these would take more than 256 MB.
#' @param checkpoint Path of a file in which the run is saved every half minute and at its end, for [resume()]. `NULL`:
#'   the run is not saved. A checkpoint that is there already is overwritten. If another file
#'   is there, that is an error. A relative path starts from the working directory of the call.
#' @param progress `TRUE` shows a progress bar, `FALSE` shows nothing. `NULL` shows a bar in an interactive session. In
#'   a script it prints one message that foretells the time if more than a minute is left.
#' @return An object of class `c("gpa", "particle_flow")`, a list with
#' * `call`;
#' * `particles`: the moved source rows, in the units and the form of the table;
#' * `trajectory`: a [particle_trajectory], in the units of the flow;
#' * `latent`: the fitted map;
#' * `control`: the settings;
#' * `diagnostics`: a data frame of one row with `n` (particles), `n_target`, `dim`, `steps`, `time`, `status`, the last
#'   `divergence` and `kinetic_energy`, and the numbers of `updates`, of `parameters` and of kept `networks`;
#' * `elapsed`: seconds;
#' * what [resume()] and [predict()][predict.gpa] need, the target rows among it.
#'
#' The same seed gives the same particles, to the last bit with one instruction set ([particleflow_simd()]), for any
#' number of threads ([particleflow_threads()]). A latent map of principal components also depends on the LAPACK of R.
#' Methods: [simulate()][simulate.gpa], [sample()][sample], [predict()][predict.gpa], [plot()][plot.gpa],
#' [summary()][summary.gpa], `as.data.frame()`, `tidy()`, `glance()`.
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
  pair <- encode_pair(source, target, latent, control$scale, n_source)
  run <- new_gpa_run(pair$start, pair$goal, control, call = record_call(match.call(), "gpa"),
                     source = if (is.function(source)) source, table = pair$table, latent = pair$latent)
  complete(take_seconds(run, began), progress)
}

# list(start, goal, table, latent): both tables as points in the units of the flow, and what brings them back.
encode_pair <- function(source, target, latent, scale, n_source) {
  if (!is.null(latent)) check_latent(latent)
  tables <- read_pair(source, target, n_source)
  latent <- choose_pooled_latent(latent, scale, tables$pooled)$fit(tables$pooled)
  start <- unname(latent$encode(tables$source))
  goal <- unname(latent$encode(tables$target))
  check_encoded_range(start, goal)
  list(start = start, goal = goal, table = tables$template, latent = latent)
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
