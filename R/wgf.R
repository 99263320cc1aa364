#' Sampling from a density by a Wasserstein gradient flow
#'
#' Moves particles towards a density `p` that is known up to a constant. No data are needed. With `q` the density of the
#' particles and \eqn{r = p/q}, the particles follow
#' \deqn{\frac{dx}{dt} = w(r)\, \nabla \log r.}{dx/dt = w(r) grad log r.}
#' With \eqn{w(r) = r^2 f''(r)} this is the direction of steepest descent of a divergence
#' \eqn{D_f = \int q f(p/q)}{D_f = integral of q f(p/q)} in Wasserstein space. The direction is the same for all
#' divergences. They differ in the particles that they move fastest. `q` is a kernel estimate from the particles; at a
#' particle it is computed from all others.
#'
#' @section Divergences:
#' \tabular{lll}{
#'   **`divergence`** \tab **what it is** \tab **\eqn{w(r)}** \cr
#'   `"kl"` \tab \eqn{KL(q\|p)}{KL(q||p)} \tab \eqn{1} \cr
#'   `"reverse_kl"` \tab \eqn{KL(p\|q)}{KL(p||q)} \tab \eqn{r} \cr
#'   `"jeffreys"` \tab the sum of these two \tab \eqn{1 + r} \cr
#'   `"js"` \tab the Jensen-Shannon divergence \tab \eqn{r / (2(1 + r))} \cr
#'   `"pearson"` \tab \eqn{\int (p - q)^2 / q}{integral of (p - q)^2 / q} \tab \eqn{2 r^2} \cr
#'   `"neyman"` \tab \eqn{\int (p - q)^2 / p}{integral of (p - q)^2 / p} \tab \eqn{2 / r} \cr
#'   `"hellinger"` \tab \eqn{\int (\sqrt p - \sqrt q)^2}{integral of (sqrt p - sqrt q)^2} \tab \eqn{\sqrt r / 2} \cr
#'   `"alpha"` \tab
#'   \eqn{\int q (r^\alpha - 1 - \alpha(r - 1)) / (\alpha(\alpha - 1))}{integral of q (r^alpha - 1 -
#'   alpha(r - 1)) / (alpha(alpha - 1))}
#'   \tab \eqn{r^\alpha} \cr
#'   `"log_variance_q"` \tab half the variance of \eqn{\log r}{log r} under `q` \tab
#'   \eqn{1 - (\log r - E_q \log r)}{1 - (log r - E_q log r)} \cr
#'   `"log_variance_p"` \tab half the variance of \eqn{\log r}{log r} under `p` \tab
#'   \eqn{r (1 + \log r - E_p \log r)}{r (1 + log r - E_p log r)}
#' }
#' As in [gpa()], it is the divergence of the moving particles from the target. `"kl"` is therefore
#' \eqn{KL(q\|p)}{KL(q||p)}, which the literature on sampling often calls the reverse divergence.
#'
#' Weights \eqn{w} are computed from \eqn{\log r}{log r}. The constant of `p` is estimated by the mean of \eqn{p/q} over
#' the particles. Expectations under `p` are estimated with weights proportional to `r`.
#'
#' The ratio \eqn{w(r) / w(1)} is kept between `1/cap` and `cap`. Without the lower end, particles far from the target
#' would stand still under most divergences. The weights of the two log-variances change sign; they are kept between
#' `-cap` and `cap`.
#'
#' @section What is guaranteed, and what is not:
#' The flow is local. If the kernels of two groups of particles do not overlap, no mass passes between the groups. Each
#' mode that holds particles gets the right shape. Under the flow alone, well-separated modes keep the shares of
#' particles that the start gave them. Birth and death, if they are used, bring these shares to those of `p`. A mode
#' that no particle comes near stays empty in either case, under every divergence. The diagnostics show the mass of each
#' mode if the modes are known.
#'
#' @section Birth and death:
#' Descent of the same divergence in the Wasserstein-Fisher-Rao (Hellinger-Kantorovich) metric also lets mass appear and
#' vanish:
#' \deqn{\frac{\partial q}{\partial t} = -\nabla \cdot (q V) + b\, q\, (g(r) - E_q g), \quad g(r) = r f'(r) - f(r).}{
#' dq/dt = -div(q V) + b q (g(r) - E_q g), g(r) = r f'(r) - f(r).}
#' Here \eqn{V} is the velocity of the particles, \eqn{dg/d\log r = w(r)}{dg/dlog r = w(r)} and the rate \eqn{b} is
#' `birth_death`. After each step every particle gets a number of descendants by systematic resampling. The equation
#' gives the mean of this number. A new particle stands where its parent stands, plus noise from the kernel. Most steps
#' change few particles. The number of particles stays the same. With `birth_death = 0` the particles follow the
#' Wasserstein flow alone, without any noise.
#'
#' At rest it is the **kernel estimate** that matches `p`. The particles are narrower than `p`, by the variance of the
#' kernel in each direction. [simulate()][simulate.wgf] therefore draws from the kernel estimate. If the target is
#' normal with variance \eqn{s^2}, the particles of a Gaussian kernel with bandwidth \eqn{h} end with variance
#' \eqn{s^2 - h^2}.
#'
#' Kernel estimates need many particles in many dimensions. The benchmark of the package shows how far they reach.
#'
#' @section Whitening and start:
#' With `method = "whitened"` the particles move in units in which the density is about as wide in each direction. The
#' modes of the density are found by 100 searches from `start`, or from points of many widths about 0. If there is one
#' mode, weighted draws of t laws about it correct its mean and its covariance. The particles start from a t law with
#' these, or from a mixture of t laws about several modes. Components of a target are not searched. A mode that no
#' search finds stays empty, and birth and death can empty a mode that nobody named: both look like a perfect run.
#'
#' With `method = "plain"` there is none of this: the particles start at `start` and move in the units of the points, as
#' the article in the references has it. Values that are not finite are then an error. With `"whitened"`, `-Inf` and
#' `NaN` mean that a point lies outside of the support, and a particle that would go there stays where it is. `print()`
#' says at how many points the value was `NaN`, and a warning tells of most of them.
#'
#' @section Draws and verdict:
#' After the last step, four draws per particle are taken from the kernel estimate. They make `polish`
#' Metropolis-adjusted Langevin moves, which leave `p` as it is and remove what the kernel has blurred. These are the
#' `draws`; [simulate()][simulate.wgf] does the same anew.
#'
#' `verdict` is `"no sign against it"`, or `"not to be trusted, because ..."`. It looks at Stein's identities over the
#' draws (\eqn{E s = 0}{E s = 0} and \eqn{-E (x - E x) s' = I}{-E (x - E x) s' = I} for the score \eqn{s} of `p`), at
#' weighted independent draws of t laws that were fitted to the draws, at accepted moves and at how much of the start is
#' left after them, at moves outside of the support, at the bandwidth, and at the share of searches that found each
#' mode. The identities are weak for heavy tails and funnels, and do not hold at an edge that only `-Inf` tells: give
#' `lower` and `upper` instead. No sign is no proof: a mode that no search found leaves none.
#'
#' @section Bandwidth:
#' One number is a fixed bandwidth. Two numbers are annealed geometrically, from the first to the second over the first
#' half of the steps. With `NULL` the bandwidth is chosen at the start and adapted every five steps, so that each
#' particle is as likely as possible under the kernel estimate of the others.
#'
#' For `kernel = "laplace"`, which is \eqn{\exp(-|x - y| / h)}{exp(-|x - y| / h)}, the score of `q` is replaced by the
#' mean shift divided by the variance of the kernel, \eqn{(d + 1) h^2} in each direction. This is not the gradient of
#' the logarithm of a density.
#'
#' @section When a target fails:
#' `log_density` or `gradient` may throw an error, or return values that are missing, infinite or of the wrong length.
#' The run then ends in one error of class `wgf_error`. The field `fit` of this condition is the fit of all steps that
#' were done. [resume()] without arguments continues the run; the last steps, up to one block, are then taken again.
#' After Ctrl-C there is no such condition, but [resume()] continues the run in the same way. Errors during the searches
#' for modes come before the first step, so that there is no fit yet, and keep their own class.
#'
#' @param log_density Function that takes a numeric matrix with one row per point and returns the log-density of each
#'   row, up to a constant. It must treat each row by itself. Or a target such as [target_mixture()].
#' @param gradient Function of the same matrix that returns a matrix of the same size: the gradient of the log-density
#'   at each row. At the start it is compared with differences at up to five points, and a disagreement is an error.
#'   `NULL`: central differences, which evaluate `log_density` twice per column.
#' @param dim Number of columns, at least 1, or the names of the parameters. Not needed if `log_density` is a target or
#'   `start` is a matrix. With names, or with names of the columns of `start`, `log_density` gets a matrix with these
#'   column names.
#' @param n Number of particles, at least 2.
#' @param divergence See the table in the section Divergences.
#' @param alpha Order of `"alpha"`, neither 0 nor 1.
#' @param kernel `"gaussian"` or `"laplace"`.
#' @param bandwidth Bandwidth of the kernel: one or two positive numbers between 1e-150 and 1e150, in the unit of the
#'   points, or `NULL`. See the section Bandwidth.
#' @param start A matrix or data frame with at least two rows that differ; a function of `n` that returns such a matrix;
#'   or one positive number, the standard deviation of a normal law with mean 0. With `method = "whitened"` the searches
#'   for modes begin at these points, and `NULL` means points of many widths about 0; if the density is a mixture target
#'   or `scale` is given, the particles start there. With `method = "plain"` the particles start there (`n` is not used
#'   if there is a matrix), and `NULL` means a standard normal law, or for a target a normal law with the means and the
#'   standard deviations of its columns.
#' @param step Time step, above 0. `NULL`: chosen in each step. Let \eqn{v} be the variance of the kernel in each
#'   direction, and \eqn{c} the rate at which the score of the target changed along the last step (the 75 per cent
#'   point over the particles). Let \eqn{W} be the weight that a tenth of the particles exceed; their weights are
#'   lowered to it. The time step is \eqn{\min(v, 1/c) / (2 W)}{min(v, 1/c) / (2 W)}. It is shortened so that no
#'   particle moves further than the root-mean-square length of the noise of the kernel.
#' @param n_steps Number of steps, at least 0. `NULL`: 100, or 500 with `method = "plain"`.
#' @param cap Bound of the weights, at least 1. `Inf` sets no bound. See the section Divergences.
#' @param floor A flat part is added to `q`, at least 0. It is what a particle adds to the estimate at its own place,
#'   but at most `floor` times the median of `q` over the particles. Without it (`floor = 0`) an isolated particle moves
#'   away without end, because the leave-one-out estimate decreases faster than `p` there. Evenly spaced particles then
#'   also end too wide.
#' @param birth_death Rate of birth and death, divided by the rate of the transport, at least 0. With 0 there is no
#'   birth and death. `NULL`: 1 if modes are known (see `modes`), otherwise 0. Set it for a density of your own that may
#'   have several modes.
#' @param modes Where mass is counted. A matrix of centres, one row per mode: each particle counts for the nearest
#'   centre. `NULL`: the components, if the target is a mixture of 2 to 100 of them. Each particle then counts for its
#'   most likely component. It is counted as outside if a draw of this component lies as far out with a probability
#'   below 1e-4. For other targets mass is not counted.
#' @param every The particles are kept every `every` steps for plots, at least 1. `NULL`: about 100 frames.
#' @param checkpoint As in [efs_forward()]. `log_density` and `gradient` are saved with the run.
#' @param threads As in [efs_forward()]. The result does not depend on it.
#' @param method `"whitened"` or `"plain"`, see the section Whitening and start.
#' @param lower,upper Bounds of parameters: one number, one per parameter, or numbers with the names of parameters (the
#'   others are then unbounded). With constraints the flow moves free coordinates: the logarithm of the distance to one
#'   bound, or the logit between two. The Jacobian is accounted for.
#' @param simplex,ordered,correlation Names of parameters that are positive with sum 1, or increase, or are the lower
#'   triangle by columns of a correlation matrix; or a list of such vectors. A simplex is a density of all but one of
#'   its parameters; `log_density` gets all of them.
#' @param scale How wide the density is in each free coordinate, instead of what is found: one standard deviation, one
#'   per coordinate, or a covariance matrix. `NULL`: found.
#' @param polish Number of Langevin moves of the draws, at least 0.
#' @param progress `TRUE` shows a progress bar, `FALSE` shows nothing. `NULL` shows a bar in an interactive session. In
#'   a script it prints one message that foretells the time if more than a minute is left.
#' @return An object of class `c("wgf", "particle_flow")`, a list with
#' * `call`;
#' * `particles`: a matrix `[n, dim]`;
#' * `trajectory`: a [particle_trajectory] with `diagnostics`, a data frame with one row per step and one for the end:
#'   `step`, `time`, `gamma` (the time step), `bandwidth`, `divergence`, `log_z` (log of the integral of `p` by the
#'   kernel estimate, which is rough; that of `diagnostics` is better),
#'   `kinetic_energy` (mean squared speed), `largest_move`, `log_r_5`, `log_r_50`, `log_r_95` (percentiles of the
#'   normalised \eqn{\log r}{log r} over the particles), `capped` (share of weights that `cap` changed) and `births`
#'   (share of particles that died and were born again elsewhere after the step);
#' * `draws`: a matrix with four rows per particle and one column per parameter (not for `"plain"`, as the next three);
#' * `log_density`: that of each draw, on the free scale;
#' * `quality`: a list of what the verdict looks at;
#' * `verdict`: see the section Draws and verdict;
#' * `masses`: a matrix with one row per step and one for the end, and with one column per mode and a last column
#'   `outside`; or `NULL`;
#' * `latent`: `NULL`;
#' * `control`: the settings;
#' * `diagnostics`: a data frame of one row with `n`, `dim`, `steps`, `time`, `status` and, at the end, `divergence`,
#'   `kinetic_energy`, `bandwidth` (in whitened units), `log_z`, its standard error `log_z_error`, the number of
#'   `evaluations` of the density and its gradient, the number of `points` where the density was asked for, and
#'   `nan_points`, at how many of them it was `NaN`;
#' * `elapsed`: seconds;
#' * what [resume()] and [predict()][predict.wgf] need.
#'
#' Methods: [simulate()][simulate.wgf], [sample()][sample], [predict()][predict.wgf], [plot()][plot.wgf],
#' [summary()][summary.wgf], `tidy()` (one row per parameter, or per step), `as.data.frame()` (the draws, or the
#' particles over the steps), `glance()`, [as_draws()][as_draws.temper], [resume()], [distill()].
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
#' # a density of your own, whose gradient is taken by differences
#' log_density <- function(x) -abs(x[, 1]) - (x[, 2] - x[, 1]^2 / 4)^2
#' fit <- wgf(log_density, dim = 2, n = 200, n_steps = 100)
#' summary(fit)
#' @export
wgf <- function(log_density, gradient = NULL, dim = NULL, n = 1000,
                divergence = c("kl", "reverse_kl", "jeffreys", "js", "pearson", "neyman", "hellinger", "alpha",
                               "log_variance_q", "log_variance_p"),
                alpha = 0.5, kernel = c("gaussian", "laplace"), bandwidth = NULL, start = NULL, step = NULL,
                n_steps = NULL, cap = 10, floor = 0.1, birth_death = NULL, modes = NULL, every = NULL,
                checkpoint = NULL, threads = NULL, progress = NULL, method = c("whitened", "plain"), lower = NULL,
                upper = NULL, simplex = NULL, ordered = NULL, correlation = NULL, scale = NULL, polish = 20) {
  began <- seconds_now()
  check_progress(progress)
  control <- wgf_control(divergence, alpha, kernel, bandwidth, step, n_steps, cap, floor, birth_death, every,
                         checkpoint, method, polish)
  plain <- control$method == "plain"
  threads <- thread_count(threads)
  shape <- list(lower = lower, upper = upper, simplex = simplex, ordered = ordered, correlation = correlation)
  if (plain) refuse_plain(c(shape, list(scale = scale)))
  if (is.data.frame(start)) start <- as.matrix(start)
  density <- do.call(new_density, c(list(log_density, gradient, dim, start), shape, list(strict = plain)))
  rule <- wgf_rule(density, control)
  modes <- wgf_modes(modes, rule)
  n <- check_start(start, n, rule)
  root <- scale_root(scale, density$dim)
  if (is.null(control$birth_death)) control$birth_death <- if (is.null(modes)) 0 else 1
  call <- record_call(match.call(), "wgf")
  run <- if (plain) {
    new_wgf_run(wgf_start(start, rule, n), rule, control, modes, threads, call)
  } else {
    whitened_run(start, rule, n, root, control, modes, threads, call)
  }
  complete(take_seconds(run, began), progress)
}

refuse_plain <- function(given) {
  set <- names(given)[!vapply(given, is.null, NA)]
  if (length(set)) fail("`%s` belongs to `method = \"whitened\"`.", set[1])
}

# The run in whitened units. `start` is on the user's scale; a number is a standard deviation of free coordinates.
whitened_run <- function(start, rule, n, root, control, modes, threads, call) {
  density <- rule$density
  free <- if (is.numeric(start) && length(start) == 1 && is.null(dim(start))) {
    start * draw_normal(n, density$dim, draw_key())
  } else if (!is.null(start)) {
    to_free(density, wgf_start(start, rule, n))
  }
  key <- draw_key()
  placed <- place_particles(density, free, root, n, other_key(key, place_label), threads)
  rule$density <- placed$density
  new_wgf_run(placed$points, rule, control, modes, threads, call, key, placed)
}
