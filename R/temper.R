#' Sampling from a density by tempered particles
#'
#' Draws from a density `p` that is known up to a constant, such as the posterior of a Bayesian model with up to some
#' dozens of parameters. This is an adaptive sequential Monte Carlo sampler (Del Moral, Doucet and Jasra 2006). It needs
#' no tuning. It estimates the integral of `p`, and it says when its draws are not to be trusted.
#'
#' @section How it works:
#' 1. **Modes.** 100 searches climb `p` from points of a wide law. They use the BFGS method, all at once, with a budget.
#'    The particles start from a law \eqn{q_0}: a mixture of multivariate t laws at the modes, with twice the inverse
#'    Hessians as covariances. 30 % of its mass is left to the wide law.
#' 2. **Stages.** The particles follow the laws with densities
#'    \deqn{\pi_t \propto q_0^{1 - t}\, p^t, \quad 0 = t_0 < t_1 < \dots < t_k = 1.}{pi_t proportional to q0^(1 - t)
#'    p^t, 0 = t_0 < t_1 < ... < t_k = 1.}
#'    From one stage to the next a particle has the weight \eqn{(p / q_0)^{t_{j+1} - t_j}}{(p / q0)^(t_(j+1) - t_j)}.
#'    The next \eqn{t} is the largest for which the effective sample size \eqn{(\sum w)^2 / \sum w^2}{(sum w)^2 / sum
#'    w^2} is 80 % of the number of particles. Then the particles are resampled (systematically, within their
#'    population).
#' 3. **Moves** leave \eqn{\pi_t}{pi_t} as it is. They go on until the particles have forgotten where they stood. One
#'    kind is the Metropolis-adjusted Langevin move (Roberts and Tweedie 1996)
#'    \deqn{x' = x + \frac{e^2}{2} C \nabla \log \pi_t(x) + e\, C^{1/2} z,}{x' = x + (e^2 / 2) C grad log pi_t(x) + e
#'    C^(1/2) z,}
#'    with \eqn{z} normal and \eqn{C} the covariance of the other half of the particles. The length \eqn{e} is adapted.
#'    A particle where \eqn{\log \pi_t}{log pi_t} is steep makes a shorter move. The other kind is a jump to a draw from
#'    a mixture of t laws that was fitted to the other half of the particles.
#' 4. **Passes.** At \eqn{t = 1} a mixture \eqn{q} is fitted to the particles. If the weights \eqn{p / q} at its draws
#'    have a heavy tail (the shape \eqn{k} of the generalised Pareto law of Vehtari et al. is 0.5 or more), then
#'    \eqn{q} starts a next pass. There are at most three.
#' 5. **Draws.** Moves at \eqn{t = 1} go on. The particles of each round are kept, until the draws are worth four times
#'    `n` independent ones.
#'
#' The integral of `p` is estimated by bridge sampling (Meng and Wong 1996) between `p` and the mixtures of the jumps.
#' Its standard error comes from how much the particles differ, each with all its rounds, or from how much the
#' populations differ, if that is more.
#'
#' @section Can the draws be trusted?:
#' `print()` says "no sign against it" or "not to be trusted, because ...". The checks are in the data frame `checks`.
#' \describe{
#'   \item{end, forgetting, worth}{The run came to its end, the particles forgot where they stood at the first stage
#'     with
#'     \eqn{t = 1}, and the draws are worth at least 200 independent ones.}
#'   \item{digits}{The values of `log_density` are small enough that differences between points have digits left.}
#'   \item{still}{No more than 0.5 % of the particles stood still for 16 rounds. Such particles are the sign of
#'     a density whose scale changes from place to place, such as a funnel. They stand in a narrow region that is hardly
#'     left or entered, so that its share of the mass is not known well. The reason says where it lies. Write the model
#'     in other parameters.}
#'   \item{pareto_k}{The weights of the mixture have a light tail: \eqn{k} is below 0.7.}
#'   \item{stein_shift, stein_ratio}{Stein's identities hold: for draws \eqn{x} of \eqn{p} with mean \eqn{m} and the
#'     score
#'     \eqn{s = \nabla \log p(x)}{s = grad log p(x)}, \eqn{E s = 0} and \eqn{-E (x - m) s^T = I}{-E (x - m) s' = I}.
#'     They are not used for a density with edges or steps.}
#'   \item{populations, log_z}{The populations agree. So do two estimates of the integral.}
#'   \item{searches, empty_modes}{No mode that holds mass was found by one search alone. Each mode that several searches
#'     found, and that has more than 5 % of the mass if all modes are normal, holds draws.}
#' }
#' No check can see a mode that no search came near.
#'
#' @section Constraints:
#' Parameters with bounds, shares that sum to 1 (`simplex`), ordered parameters and correlations move on a free scale.
#' Their densities get the Jacobians of the maps. The free scale is the scale of these maps: logarithms for one bound,
#' logits for two, real numbers without constraints. The argument `log_density` and the draws are on the user's scale.
#' What is called `log_density` in the fit is that of the free scale. For a simplex of K shares, `log_density` is a
#' density of the first K - 1 shares, and the integral of `p` is taken over them. Name the parameters by `dim`.
#'
#' @section Edges and errors:
#' `-Inf` and `NaN` mean that a point is outside of the support. `print()` says at how many points the value was `NaN`,
#' and a warning tells if these are most of them. `Inf` is an error. If `log_density` or `gradient`
#' throws an error, the run ends in an error of class `temper_error`. After this or after Ctrl-C, [resume()] without
#' arguments continues the run, if at least one block of steps was done; the last steps, up to one block, are then taken
#' again.
#'
#' @param log_density Function that takes a numeric matrix with one row per point and returns the log-density of each
#'   row, up to a constant. It must treat each row by itself. Its matrix has the names of the parameters as column
#'   names, if there are any. Or a target such as [target_mixture()].
#' @param gradient Function of the same matrix that returns a matrix of the same size: the gradient of the log-density
#'   at each row, by the parameters of the user. It is compared with differences before the first step, and a
#'   disagreement is an error. `NULL`: central differences, which cost two evaluations per parameter.
#' @param dim Number of parameters, at least 1, or their names. Not needed for a target or with `start`.
#' @param n Number of particles. It is raised to a multiple of `populations`, at least 20 in each.
#' @param populations Number of populations that are resampled by themselves, from 1 to 100. They are the chains of
#'   [as_draws()][as_draws.temper].
#' @param lower,upper Bounds of parameters: one number, one per parameter, or a named vector; parameters that it does
#'   not name have no bound. `NULL`: no bounds.
#' @param simplex,ordered,correlation Names of parameters that are shares with the sum 1; that are in increasing order;
#'   that are the lower triangle of a correlation matrix by columns. A character vector or a list of such vectors.
#' @param start Where the searches begin, and the centre of the wide law of step 1. `NULL`: the wide law is normal with
#'   mean 0 and standard deviation 3 in each free coordinate. A matrix or data frame with one row per point, on the
#'   user's scale: searches begin at its rows, too. With several rows the wide law is a t law with their mean and twice
#'   their standard deviations. With one row it is normal around this row with standard deviation 3.
#' @param threads As in [efs_forward()]. The result does not depend on it.
#' @param checkpoint As in [efs_forward()]. `log_density` and `gradient` are saved with the run.
#' @param progress `TRUE` shows a progress bar, `FALSE` shows nothing. `NULL` shows a bar in an interactive session.
#' @return An object of class `c("temper", "particle_flow")`, a list with
#' * `call`;
#' * `draws`: a matrix with one row per draw and one column per parameter, and `log_density` (on the free scale) and
#'   `population`, which have one entry per draw;
#' * `verdict`: one string, as `print()` says it;
#' * `modes`: a data frame with one row per mode: `log_density` on the free scale, `searches` (how many found it),
#'   `edge` (whether the highest point lies at the border of the support), `share` (of the draws near it), `mass` (the
#'   share of the mass if all modes were normal) and the parameters;
#' * `stages`: a data frame with one row per step: `phase` (`"search"`, `"temper"`, `"settle"` or `"sample"`), `pass`,
#'   `exponent` \eqn{t}, `worth` (effective sample size of the stage; of sampling, independent draws per particle),
#'   `rounds` of moves, `walked` and `jumped` (mean acceptance of Langevin moves and jumps), `memory` (the largest
#'   correlation of coordinates, or of their squares, with those before the moves), `log_z` (log of the mean weight),
#'   `log_density` (mean over the particles) and `evaluations` (so far);
#' * `checks`: a data frame with `check`, `value`, `limit`, `failed` and `reason` (empty if the check has not failed);
#' * `law`: the mixture on the free scale;
#' * `diagnostics`: a data frame of one row with `n`, `dim`, `draws`, `worth` (how many independent draws they are
#'   worth for the coordinate that mixes worst), `steps`, `passes`, `status`, `log_z` and `log_z_error` (log of the
#'   integral of `p`, and its standard error), `pareto_k`, `evaluations` (each value and each gradient counts one;
#'   differences count two per parameter), `points` (where the value was asked for), `nan_points` (at how many of them
#'   it was `NaN`) and `trusted`;
#' * `control`, `elapsed` (seconds) and what the methods need.
#'
#' Methods: [simulate()][simulate.temper], [sample()][sample], [predict()][predict.temper], [plot()][plot.temper],
#' [summary()][summary.temper], `as.data.frame()`, `tidy()`, `glance()`, [as_draws()][as_draws.temper], [resume()].
#' @references
#' Del Moral P, Doucet A, Jasra A (2006). Sequential Monte Carlo samplers. Journal of the Royal Statistical Society B
#' 68, 411-436.
#'
#' Roberts GO, Tweedie RL (1996). Exponential convergence of Langevin distributions and their discrete approximations.
#' Bernoulli 2, 341-363.
#'
#' Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J (2024). Pareto smoothed importance sampling. Journal of Machine
#' Learning Research 25(72), 1-58.
#'
#' Meng XL, Wong WH (1996). Simulating ratios of normalizing constants via a simple identity. Statistica Sinica 6,
#' 831-860.
#'
#' McLachlan G, Peel D (2000). Finite Mixture Models, chapter 7 (mixtures of t laws). Wiley.
#' @examples
#' # a normal sample with unknown mean and standard deviation
#' y <- c(2.1, 3.4, 1.9, 2.7, 4.2, 3.3)
#' log_density <- function(x) {
#'   sums <- rowSums(outer(x[, "mean"], y, "-")^2)
#'   -length(y) * log(x[, "sd"]) - sums / (2 * x[, "sd"]^2) - x[, "mean"]^2 / 200 - x[, "sd"] / 5
#' }
#' set.seed(1)
#' fit <- temper(log_density, dim = c("mean", "sd"), lower = c(sd = 0), n = 200)
#' fit
#' summary(fit)
#' @export
temper <- function(log_density, gradient = NULL, dim = NULL, n = 1000, populations = 4, lower = NULL, upper = NULL,
                   simplex = NULL, ordered = NULL, correlation = NULL, start = NULL, threads = NULL,
                   checkpoint = NULL, progress = NULL) {
  began <- seconds_now()
  check_progress(progress)
  control <- temper_control(n, populations, checkpoint)
  threads <- thread_count(threads)
  if (!is.null(start)) start <- check_points(if (length(dim(start)) == 2) as.matrix(start) else t(start), "start")
  density <- new_density(log_density, gradient, dim, start, lower, upper, simplex, ordered, correlation)
  from <- if (!is.null(start)) to_free(density, start)
  check_table_memory(2 * most_rounds * control$n, "n", density$dim)
  run <- new_temper_run(density, from, control, threads, record_call(match.call(), "temper"))
  complete(take_seconds(run, began), progress)
}
