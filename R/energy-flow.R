#' Flow of the energy distance from one sample to another
#'
#' Moves the rows of `source` until their energy distance to the rows of `target` is smaller than that of fresh rows of
#' the target's law (its distribution). Nothing is trained. A step sorts both tables, so that a million rows can be
#' moved. [gpa()] does the same for small samples with a network.
#'
#' The rows of `source` are particles \eqn{x_i}{x_i}. Their [energy_distance()] to the target rows \eqn{y_j}{y_j} falls
#' fastest along
#' \deqn{\frac{dx_i}{dt} = -\nabla_{x_i} \Bigl[ \frac{2}{m} \sum_j |x_i - y_j| - \frac{2}{n} \sum_k |x_i - x_k|
#'   \Bigr],}{dx_i/dt = -grad [2 mean_j |x_i - y_j| - 2 mean_k |x_i - x_k|],}
#' and it then falls at the rate of the mean squared speed. No particle is faster than 4. A distance is a mean over
#' directions \eqn{\xi}{xi} on the sphere, \eqn{|z| = C_d \, \mathrm{E} |\langle \xi, z \rangle|}{|z| = C_d E|<xi, z>|}
#' with \eqn{C_d = \sqrt\pi \, \Gamma((d + 1)/2) / \Gamma(d/2)}{C_d = sqrt(pi) Gamma((d + 1)/2) / Gamma(d/2)}. So the
#' velocity is the mean of \eqn{4 C_d \, \xi \, (F(t) - G(t))}{4 C_d xi (F(t) - G(t))} over the directions. Here
#' \eqn{t = \langle \xi, x_i \rangle}{t = <xi, x_i>}, and `F` and `G` are the distribution functions of the particles
#' and of the target along \eqn{\xi}{xi}. Both come from sorting.
#'
#' **One step** goes along `d` random directions that are orthogonal to each other, so that the moves along one
#' direction do not change the places along another. Each step has new directions. Along each direction the step of size
#' `h` is implicit: \eqn{t'} is the solution of
#' \deqn{t' + \kappa G(t') = t + \kappa F(t), \quad \kappa = 4 C_d h / d.}{t' + kappa G(t') = t + kappa F(t), with
#'   kappa = 4 C_d h / d.}
#' There is one solution for any step size, and the particles keep their order. A small step follows the flow closely.
#' In the limit of large steps each particle goes to the target row of its own rank along the direction, which is sliced
#' optimal transport. `F` is linear between particles, and half of the particles at the same place count as before it.
#' `G` is linear between target rows, and it jumps where several of them are at the same place.
#'
#' Three choices were found by measurement (`bench/gpa` in the sources of the package): one set of directions in each
#' step, which is new in each step; `step = NULL`, which takes \eqn{\kappa} of 64 units; and the `tolerance`. The unit
#' is the root-mean-square deviation of the coordinates of both tables from their means. With `scale = TRUE` it is about
#' 1.
#'
#' @section When a run ends:
#' A run of `n` particles ends when their energy distance to the `m` target rows is at most `tolerance` times
#' \eqn{(1/n + 1/m) \, \mathrm{E}|Y - Y'|}{(1/n + 1/m) E|Y - Y'|}. This is the mean energy distance of `n` fresh rows
#' from `m` rows of the same law. It is also the mean over all ways to cut a table in two parts of `n` and `m` rows.
#' \eqn{\mathrm{E}|Y - Y'|}{E|Y - Y'|} is the mean distance between two target rows.
#' The energy distance of a step is estimated along the directions of the step. Where this estimate is small enough, the
#' distance is measured along at least 64 other directions, which decide. In both distances the pairs of a row with
#' itself count, as in [energy_distance()].
#'
#' With a tolerance of 1 the particles are as close to the target rows as fresh rows are, but farther from the law
#' itself, because what is left of the distance is not noise but shape. With smaller tolerances they come closer to the
#' law, and closer to the target rows too.
#'
#' @section Copies:
#' In a long run with `tolerance = 0` the particles end close to the target rows. In one dimension they get there even
#' with a tolerance. [novelty()] tells how new the rows are, and no distance should be read without it.
#'
#' @section Limits:
#' The flow is weak where the target has little mass, and no bound of the target holds: some particles stop beyond its
#' range, and `print()` gives their share (`outside` of the diagnostics). If steps are small, an outlying particle stays
#' where it is for long, because the target pulls it nearly as much as the other particles push it away. Source rows
#' that are equal stay equal, because they feel the same forces: add noise to columns of few values.
#'
#' @inheritParams gpa
#' @param scale Whether columns are z-scored first, see the section Units of [gpa()].
#' @param step Time step `h`, above 0. `NULL`: see Details.
#' @param n_steps Largest number of steps, at least 0.
#' @param tolerance The run ends when the energy distance is at most this multiple of that of fresh rows, see the
#'   section When a run ends. 0: it does not end in this way.
#' @return An object of class `c("energy_flow", "particle_flow")`, a list with
#' * `call`;
#' * `particles`: the moved source rows, in the units and the form of the table;
#' * `trajectory`: a [particle_trajectory], in the units of the flow;
#' * `latent`: the fitted map;
#' * `control`: the settings;
#' * `diagnostics`: a data frame of one row with `n` (particles), `n_target`, `dim`, `steps`, `time`, `status`, the last
#'   energy distance (`divergence`) and its `standard_error`, the mean distance of `fresh` rows, the distance at the
#'   `start`, the last `kinetic_energy`, and `outside`, the share of particles beyond the range of the target in some
#'   coordinate;
#' * `elapsed`: seconds;
#' * what [resume()] and [predict()][predict.energy_flow] need, the target rows among it.
#'
#' The rows of `tidy()` have the `divergence` before each step, which is the energy distance to the target, and its
#' `standard_error` over the directions of the step. The standard error is rough if there are few of them, and 0 in one
#' dimension, where the distance is exact. Of the step they have the size `gamma`, the mean and the largest length of
#' the moves (`mean_move`, `largest_move`) and the mean squared speed (`kinetic_energy`). The last row has the distance
#' at the end, along at least 64 directions, and the kinetic energy of the step that would come next.
#'
#' The same seed gives the same particles, to the last bit, for any number of threads ([particleflow_threads()]).
#' Methods: [simulate()][simulate.energy_flow], [sample()][sample], [predict()][predict.energy_flow],
#' [plot()][plot.energy_flow], [summary()][summary.energy_flow], `as.data.frame()`, `tidy()`, `glance()`.
#' @references
#' Hertrich J, Wald C, Altekrueger F, Hagemann P (2024). Generative sliced MMD flows with Riesz kernels. International
#' Conference on Learning Representations. \doi{10.48550/arXiv.2305.11463}. Their flow has explicit steps, with
#' momentum, along directions that need not be orthogonal.
#'
#' Szekely GJ, Rizzo ML (2013). Energy statistics: a class of statistics based on distances.
#' \doi{10.1016/j.jspi.2013.03.018}
#' @seealso [gpa()]; [energy_distance()], [novelty()].
#' @examples
#' set.seed(1)
#' target <- cbind(rep(c(-2, 2), 50), rep(c(-2, 2), each = 50)) + rnorm(200, sd = 0.5)
#' fit <- energy_flow(function(n) matrix(rnorm(2 * n), n), target)
#' fit
#' head(fit$particles)
#' plot(fit)
#' new <- simulate(fit, 50, seed = 1)
#' novelty(new, target)
#' @export
energy_flow <- function(source, target, step = NULL, n_steps = 200, tolerance = 0.25, latent = NULL, scale = TRUE,
                        n_source = NULL, every = NULL, checkpoint = NULL, progress = NULL) {
  began <- seconds_now()
  check_progress(progress)
  control <- energy_control(step, n_steps, tolerance, scale, every, checkpoint)
  pair <- encode_pair(source, target, latent, control$scale, n_source)
  run <- new_energy_run(pair$start, pair$goal, control, call = record_call(match.call(), "energy_flow"),
                        source = if (is.function(source)) source, table = pair$table, latent = pair$latent)
  complete(take_seconds(run, began), progress)
}

energy_control <- function(step, n_steps, tolerance, scale, every, checkpoint) {
  list(
    step = if (!is.null(step)) check_number(step, "step", lower = 0, open_lower = TRUE),
    n_steps = check_count(n_steps, "n_steps"),
    tolerance = check_number(tolerance, "tolerance", lower = 0),
    scale = check_flag(scale, "scale"),
    every = if (!is.null(every)) check_count(every, "every", 1L),
    checkpoint = check_path(checkpoint)
  )
}
