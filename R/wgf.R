#' Sampling from a density by a Wasserstein gradient flow
#'
#' Moves particles towards a density `p` that is known up to a constant, without data: with `q` the density of the
#' particles and \eqn{r = p/q},
#' \deqn{\frac{dx}{dt} = w(r)\, \nabla \log r,}{dx/dt = w(r) grad log r,}
#' the direction of steepest descent of a divergence \eqn{D_f = \int q f(p/q)}{D_f = integral of q f(p/q)} in
#' Wasserstein space, with \eqn{w(r) = r^2 f''(r)}. The direction is the same for all divergences: they differ in where
#' the particles are moved most. `q` is a kernel estimate from the particles, each left out of its own.
#'
#' @section Divergences:
#' \tabular{lll}{
#'   `"kl"` \tab \eqn{KL(q\|p)}{KL(q||p)} \tab \eqn{1} \cr
#'   `"reverse_kl"` \tab \eqn{KL(p\|q)}{KL(p||q)} \tab \eqn{r} \cr
#'   `"jeffreys"` \tab their sum \tab \eqn{1 + r} \cr
#'   `"js"` \tab Jensen and Shannon's \tab \eqn{r / (2(1 + r))} \cr
#'   `"pearson"` \tab \eqn{\int (p - q)^2 / q}{integral of (p - q)^2 / q} \tab \eqn{2 r^2} \cr
#'   `"neyman"` \tab \eqn{\int (p - q)^2 / p}{integral of (p - q)^2 / p} \tab \eqn{2 / r} \cr
#'   `"hellinger"` \tab \eqn{\int (\sqrt p - \sqrt q)^2}{integral of (sqrt p - sqrt q)^2} \tab \eqn{\sqrt r / 2} \cr
#'   `"alpha"` \tab
#'   \eqn{\int q (r^\alpha - 1 - \alpha(r - 1)) / (\alpha(\alpha - 1))}{integral of q (r^alpha - 1 -
#'   alpha(r - 1)) / (alpha(alpha - 1))}
#'   \tab \eqn{r^\alpha} \cr
#'   `"log_variance_q"` \tab half the variance of \eqn{\log r}{log r} under `q` \tab
#'   \eqn{1 - (\log r - E_q \log r)}{1 - (log r - E_q log r)} \cr
#'   `"log_variance_p"` \tab the same under `p` \tab \eqn{r (1 + \log r - E_p \log r)}{r (1 + log r - E_p log r)}
#' }
#' As in [gpa()], the divergence is that of the moving particles from the target, so that `"kl"` is
#' \eqn{KL(q\|p)}{KL(q||p)} (often called reverse in the literature on sampling). Weights are computed from
#' \eqn{\log r}{log r}. The constant of `p` is estimated by the mean of \eqn{p/q} over the particles, expectations under
#' `p` by weights proportional to `r`. Weights over that at \eqn{r = 1} are kept between `1/cap` and `cap`: without a
#' lower end, particles far from the target would stand still under most divergences. The weights of the log-variance
#' change sign; they are kept between `-cap` and `cap`.
#'
#' @section What is guaranteed, and what is not:
#' The flow is local: where the kernels of two groups of particles do not overlap, no mass passes between them. Each
#' mode that holds particles is shaped right, but by the flow alone the shares of well-separated modes are those that
#' the start gave them. Birth and death, where they are on, bring these shares to those of `p`. A mode that no particle
#' comes near stays empty in either case, whatever the divergence. The diagnostics show the mass of each mode where
#' modes are known.
#'
#' @section Birth and death:
#' Descent of the same divergence in the Wasserstein-Fisher-Rao (Hellinger-Kantorovich) metric also lets mass appear and
#' vanish:
#' \deqn{\frac{\partial q}{\partial t} = -\nabla \cdot (q V) + b\, q\, (g(r) - E_q g), \quad g(r) = r f'(r) - f(r),}{
#' dq/dt = -div(q V) + b q (g(r) - E_q g), g(r) = r f'(r) - f(r),}
#' with \eqn{dg/d\log r = w(r)}{dg/dlog r = w(r)} and the rate \eqn{b} = `birth_death`. After each step a particle has
#' as many descendants as this says on average, by systematic resampling; a new one stands where its parent stands, and
#' noise from the kernel. Most steps change few particles. The number of particles stays. With `birth_death = 0` the
#' particles follow the Wasserstein flow alone, without any noise.
#'
#' At rest it is the **kernel estimate** that matches `p`; the particles are narrower, by the variance of the kernel in
#' each direction. [simulate()][simulate.wgf] therefore draws from the kernel estimate. With a normal target of variance
#' \eqn{s^2} the particles end with variance \eqn{s^2 - h^2}.
#'
#' Kernel estimates need many particles in many dimensions: see the benchmark of the package for where this ends.
#'
#' @section Bandwidth:
#' One number: fixed. Two numbers: annealed geometrically from the first to the second over the first half of
#' the steps. `NULL`: chosen as the flow goes, so that each particle is as likely as possible under the
#' kernel estimate of the others. For `kernel = "laplace"`, \eqn{\exp(-|x - y| / h)}, the score of `q` is replaced by
#' the mean shift over the variance of the kernel, \eqn{(d + 1) h^2} in each direction, which is no gradient of the log
#' of a density.
#'
#' @section When a target fails:
#' If `log_density` or `gradient` throws, or returns values that are missing, infinite or of the wrong length, the run
#' ends in one error of class `wgf_error`, whose field `fit` is the fit of all steps before. So it is after Ctrl-C:
#' [resume()] without arguments goes on from there.
#'
#' @param log_density Function that takes a numeric matrix with one row per point and returns the log-density of each
#'   row, up to a constant; or a target such as [target_mixture()].
#' @param gradient Function of the same matrix that returns a matrix: the gradient of the log-density at each row. It is
#'   compared with differences at some starting points. `NULL`: central differences, two evaluations a column.
#' @param dim Number of columns. Not needed where `log_density` is a target or `start` a matrix.
#' @param n Number of particles, at least two.
#' @param divergence See the table.
#' @param alpha Order of `"alpha"`, neither 0 nor 1.
#' @param kernel `"gaussian"` or `"laplace"`.
#' @param bandwidth Of the kernel, see below.
#' @param start Where particles start: a matrix with one row per particle (then `n` is not used); a function of `n` that
#'   returns one; or one number, the standard deviation of a normal law about 0. `NULL`: a standard
#'   normal law; for a target, a normal law with its mean and the standard deviations of its columns.
#' @param step Time step. `NULL`: chosen in each step, half the variance of the kernel or half the inverse of the rate
#'   at which the score of the target changes along the last step, whichever is less, over the weight that a tenth of
#'   the particles exceed (theirs is lowered to it); no particle then moves further than the root-mean-square length of
#'   the kernel's noise.
#' @param n_steps Number of steps, at least 0.
#' @param cap Bound of the weights, at least 1; `Inf` for none. See the section on divergences.
#' @param floor A flat part is added to `q`: what a particle adds to the estimate at its own place, but no more than
#'   this share of the median of `q` over the particles. Without it (`floor = 0`) a particle far from all others is
#'   driven off for ever, because the estimate that leaves it out falls faster than `p` there, and evenly spaced
#'   particles end too wide.
#' @param birth_death Rate of birth and death over that of the transport, at least 0; 0 for none. `NULL`: 1 where modes
#'   are known (see `modes`), and otherwise 0. Worth setting for a density of your own that may have several modes.
#' @param modes Where mass is counted: a matrix of centres, each particle counted for the nearest. `NULL`: for a
#'   mixture, its components.
#' @param every Keep the particles of every how many steps for plots. `NULL`: about 100 frames.
#' @param checkpoint As in [efs_forward()]; `log_density` and `gradient` are saved with the run.
#' @param threads See [efs_forward()]. The result does not depend on it.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @return An object of class `c("wgf", "particle_flow")`: a list with `call`, `particles` (a matrix), `trajectory` (a
#'   [particle_trajectory], whose diagnostics have one row per step: `time`, `gamma` (the time step), `bandwidth`,
#'   `divergence`, `log_z` (log of the integral of `p`), `kinetic_energy`, `largest_move`, `log_r_5`, `log_r_50`,
#'   `log_r_95` (percentiles of the normalised \eqn{\log r}{log r} over the particles), `capped` (share of weights that
#'   `cap` changed), `births` (share of particles that died and began again elsewhere after the step)), `masses` (a
#'   matrix with one row per step and one column per mode, or `NULL`), `latent` (`NULL`), `control`, `diagnostics` (one
#'   row), `elapsed` (seconds). Methods: [simulate()][simulate.wgf], [sample()][sample], [predict()][predict.wgf],
#'   [plot()][plot.wgf], [summary()][summary.wgf], `as.data.frame()`, `tidy()`, `glance()`, [resume()], [distill()].
#' @references
#' Lu Y, Lu J, Nolen J (2019). Accelerating Langevin sampling with birth-death. arXiv 1905.09863.
#'
#' A unified framework for data-free one-step sampling via Wasserstein gradient flows (2026). arXiv 2605.17808.
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 300, n_steps = 100)
#' fit
#' plot(fit)
#' x <- simulate(fit, 1000)
#'
#' # a density of one's own, with differences for the gradient
#' log_density <- function(x) -abs(x[, 1]) - (x[, 2] - x[, 1]^2 / 4)^2
#' fit <- wgf(log_density, dim = 2, n = 200, n_steps = 100)
#' summary(fit)
#' @export
wgf <- function(log_density, gradient = NULL, dim = NULL, n = 1000,
                divergence = c("kl", "reverse_kl", "jeffreys", "js", "pearson", "neyman", "hellinger", "alpha",
                               "log_variance_q", "log_variance_p"),
                alpha = 0.5, kernel = c("gaussian", "laplace"), bandwidth = NULL, start = NULL, step = NULL,
                n_steps = 500, cap = 10, floor = 0.1, birth_death = NULL, modes = NULL,
                every = NULL, checkpoint = NULL, threads = NULL, progress = NULL) {
  began <- seconds_now()
  check_progress(progress)
  control <- wgf_control(divergence, alpha, kernel, bandwidth, step, n_steps, cap, floor, birth_death, every,
                         checkpoint)
  threads <- thread_count(threads)
  rule <- wgf_rule(log_density, gradient, dim, start, control)
  modes <- wgf_modes(modes, rule)
  n <- check_start(start, n, rule)
  if (is.null(control$birth_death)) control$birth_death <- if (is.null(modes)) 0 else 1
  run <- new_wgf_run(wgf_start(start, rule, n), rule, control, modes, threads, record_call(match.call(), "wgf"))
  complete(take_seconds(run, began), progress)
}
