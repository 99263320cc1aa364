#' Sampling from a density by a Wasserstein gradient flow
#'
#' Moves particles towards a density `p` that is known up to a constant, without data: with `q` the density of the
#' particles and \eqn{r = p/q},
#' \deqn{\frac{dx}{dt} = w(r)\, \nabla \log r,}{dx/dt = w(r) grad log r,}
#' the direction of steepest descent of a divergence \eqn{D_f = \int q f(p/q)}{D_f = integral of q f(p/q)} in Wasserstein space, with
#' \eqn{w(r) = r^2 f''(r)}. The direction is the same for all divergences: they differ in where the particles are moved
#' most. `q` is a kernel estimate from the particles, each left out of its own.
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
#'   `"alpha"` \tab \eqn{\int q (r^\alpha - 1 - \alpha(r - 1)) / (\alpha(\alpha - 1))}{integral of q (r^alpha - 1 - alpha(r - 1)) / (alpha(alpha - 1))} \tab \eqn{r^\alpha} \cr
#'   `"log_variance_q"` \tab half the variance of \eqn{\log r}{log r} under `q` \tab \eqn{1 - (\log r - E_q \log r)}{1 - (log r - E_q log r)} \cr
#'   `"log_variance_p"` \tab the same under `p` \tab \eqn{r (1 + \log r - E_p \log r)}{r (1 + log r - E_p log r)}
#' }
#' As in [gpa()], the divergence is that of the moving particles from the target, so that `"kl"` is \eqn{KL(q\|p)}{KL(q||p)} (often called
#' reverse in the literature on sampling). Weights are computed from \eqn{\log r}{log r}. The constant of `p` is estimated by the mean of
#' \eqn{p/q} over the particles, expectations under `p` by weights proportional to `r`. Weights over that at \eqn{r = 1} are
#' kept between `1/cap` and `cap`: without a lower end, particles far from the target would stand still under most divergences.
#' The weights of the log-variance change sign; they are kept between `-cap` and `cap`.
#'
#' @section What is guaranteed, and what is not:
#' The flow is local: where the kernels of two groups of particles do not overlap, no mass passes between them. Each mode
#' that holds particles is shaped right, but by the flow alone the shares of well-separated modes are those that the start gave them.
#' Birth and death, where they are on, bring these shares to those of `p`. A mode that no particle comes near stays empty in either case,
#' whatever the divergence. The diagnostics show the mass of each mode where modes are known.
#'
#' @section Birth and death:
#' Descent of the same divergence in the Wasserstein-Fisher-Rao (Hellinger-Kantorovich) metric also lets mass appear and vanish:
#' \deqn{\frac{\partial q}{\partial t} = -\nabla \cdot (q V) + b\, q\, (g(r) - E_q g), \quad g(r) = r f'(r) - f(r),}{
#' dq/dt = -div(q V) + b q (g(r) - E_q g), g(r) = r f'(r) - f(r),}
#' with \eqn{dg/d\log r = w(r)}{dg/dlog r = w(r)} and the rate \eqn{b} = `birth_death`. After each step a particle has as many descendants as this says on average, by
#' systematic resampling; a new one stands where its parent stands, and noise from the kernel. Most steps change few particles. The number of particles stays.
#' With `birth_death = 0` the particles follow the Wasserstein flow alone, without any noise.
#'
#' At rest it is the **kernel estimate** that matches `p`; the particles are narrower, by the variance of the kernel in each
#' direction. [simulate()][simulate.wgf] therefore draws from the kernel estimate. With a normal target of variance \eqn{s^2} the
#' particles end with variance \eqn{s^2 - h^2}.
#'
#' Kernel estimates need many particles in many dimensions: see the benchmark of the package for where this ends.
#'
#' @section Bandwidth:
#' One number: fixed. Two numbers: annealed geometrically from the first to the second over the first half of
#' the steps. `NULL`: chosen as the flow goes, so that each particle is as likely as possible under the
#' kernel estimate of the others. For `kernel = "laplace"`, \eqn{\exp(-|x - y| / h)}, the score of `q` is replaced by the mean shift over the
#' variance of the kernel, \eqn{(d + 1) h^2} in each direction, which is no gradient of the log of a density.
#'
#' @section When a target fails:
#' If `log_density` or `gradient` throws, or returns values that are missing, infinite or of the wrong length, the run ends in one error of
#' class `wgf_error`, whose field `fit` is the fit of all steps before. So it is after Ctrl-C: [resume()] without
#' arguments goes on from there.
#'
#' @param log_density Function that takes a numeric matrix with one row a point and returns the log-density of each row, up to a
#'   constant; or a target such as [target_mixture()].
#' @param gradient Function of the same matrix that returns a matrix: the gradient of the log-density at each row. It is compared with
#'   differences at some starting points. `NULL`: central differences, two evaluations a column.
#' @param dim Number of columns. Not needed where `log_density` is a target or `start` a matrix.
#' @param n Number of particles, at least two.
#' @param divergence See the table.
#' @param alpha Order of `"alpha"`, neither 0 nor 1.
#' @param kernel `"gaussian"` or `"laplace"`.
#' @param bandwidth Of the kernel, see below.
#' @param start Where particles start: a matrix, one row a particle (then `n` is not used); a function of `n` that
#'   returns one; or one number, the standard deviation of a normal law about 0. `NULL`: a standard
#'   normal law; for a target, a normal law with its mean and the standard deviations of its columns.
#' @param step Time step. `NULL`: chosen in each step, half the variance of the kernel or half the inverse of the rate at which the
#'   score of the target changes along the last step, whichever is less, over the weight that a tenth of the particles exceed (theirs is
#'   lowered to it); no particle then moves further than the root-mean-square length of the kernel's noise.
#' @param n_steps Number of steps, at least 0.
#' @param cap Bound of the weights, at least 1; `Inf` for none. See the section on divergences.
#' @param floor A flat part is added to `q`: what a particle adds to the estimate at its own place, but no more than this share of the
#'   median of `q` over the particles. Without it (`floor = 0`) a particle far from all others is driven off for ever, for the estimate
#'   that leaves it out falls faster than `p` there, and evenly spaced particles end too wide.
#' @param birth_death Rate of birth and death over that of the transport, at least 0; 0 for none. `NULL`: 1 where modes are known (see
#'   `modes`), and otherwise 0. Worth setting for a density of your own that may have several modes.
#' @param modes Where mass is counted: a matrix of centres, each particle counted for the nearest. `NULL`: for a mixture, its
#'   components.
#' @param every Keep the particles of every how many steps for plots. `NULL`: about 100 frames.
#' @param threads See [efs_forward()]. The result does not depend on it.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @return An object of class `c("wgf", "particle_flow")`: a list with `call`, `particles` (a matrix), `trajectory` (a
#'   [particle_trajectory], whose diagnostics have a row a step: `time`, `gamma` (the time step), `bandwidth`, `divergence`, `log_z` (log of
#'   the integral of `p`), `kinetic_energy`, `largest_move`, `log_r_5`, `log_r_50`, `log_r_95` (percentiles of
#'   the normalised \eqn{\log r}{log r} over the particles), `capped` (share of weights that `cap` changed), `births` (share of particles that died
#'   and began again elsewhere after the step)), `masses` (a matrix with a
#'   row a step and a column a mode, or `NULL`), `latent` (`NULL`), `control`, `diagnostics` (one row), `elapsed` (seconds).
#'   Methods: [simulate()][simulate.wgf], [sample()][sample], [predict()][predict.wgf], [plot()][plot.wgf],
#'   [summary()][summary.wgf], `as.data.frame()`, `tidy()`, `glance()`, [resume()], [distill()].
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
                every = NULL, threads = NULL, progress = NULL) {
  began <- proc.time()[[3]]
  control <- wgf_control(divergence, alpha, kernel, bandwidth, step, n_steps, cap, floor, birth_death, every)
  threads <- thread_count(threads)
  rule <- wgf_rule(log_density, gradient, dim, start, control)
  points <- wgf_start(start, rule, check_count(n, "n", 2L))
  modes <- wgf_modes(modes, rule)
  if (is.null(control$birth_death)) control$birth_death <- if (is.null(modes)) 0 else 1
  run <- list(
    kind = "wgf", call = match.call(), rule = rule, control = control, modes = modes, key = draw_key(),
    columns = colnames(points), start = unname(points), records = list(), masses = list(), frames = list(), kept = integer(),
    state = list(points = unname(points), step = 0L, time = 0),
    every = if (is.null(control$every)) max(1L, ceiling(control$n_steps / 100)) else control$every,
    planned = control$n_steps, ended = 0L, threads = threads, elapsed = proc.time()[[3]] - began,
    version = as.character(utils::packageVersion("particleflow"))
  )
  finish_wgf(advance_wgf(run, progress))
}

wgf_divergences <- c("kl", "reverse_kl", "jeffreys", "js", "pearson", "neyman", "hellinger", "alpha",
                     "log_variance_q", "log_variance_p")

wgf_control <- function(divergence, alpha, kernel, bandwidth, step, n_steps, cap, floor, birth_death, every) {
  divergence <- check_choice(divergence, wgf_divergences, "divergence")
  alpha <- check_number(alpha, "alpha")
  if (alpha %in% c(0, 1)) fail("`alpha` must be neither 0 nor 1 (\"kl\" and \"reverse_kl\" are their limits).")
  list(
    divergence = divergence, alpha = if (divergence == "alpha") alpha else NA_real_,
    kernel = check_choice(kernel, c("gaussian", "laplace"), "kernel"),
    bandwidth = if (!is.null(bandwidth)) check_bandwidths(bandwidth),
    step = if (!is.null(step)) check_number(step, "step", lower = 0, open_lower = TRUE),
    n_steps = check_count(n_steps, "n_steps"), cap = check_number(cap, "cap", lower = 1, finite = FALSE),
    floor = check_number(floor, "floor", lower = 0),
    birth_death = if (!is.null(birth_death)) check_number(birth_death, "birth_death", lower = 0),
    every = if (!is.null(every)) check_count(every, "every", 1L)
  )
}

check_bandwidths <- function(bandwidth) {
  good <- is.numeric(bandwidth) && length(bandwidth) %in% 1:2 && all(is.finite(bandwidth)) && all(bandwidth > 0)
  if (!good) fail("`bandwidth` must be one positive number, or two to anneal between, not %s.", describe(bandwidth))
  as.double(bandwidth)
}

# ---- The rule: what gives a velocity ------------------------------------------

# target, or log_density and gradient; the divergence and the kernel.
wgf_rule <- function(log_density, gradient, dim, start, control) {
  is_target <- inherits(log_density, "wgf_target")
  if (!is_target && !is.function(log_density)) {
    fail("`log_density` must be a function of a matrix or a target such as target_mixture(), not %s.", describe(log_density))
  }
  if (is_target && !is.null(gradient)) fail("`gradient` belongs to a `log_density` that is a function.")
  if (!is.null(gradient) && !is.function(gradient)) fail("`gradient` must be a function of a matrix, not %s.", describe(gradient))
  given <- if (is_target) log_density$dim else if (is.matrix(start)) ncol(start)
  if (is.null(dim)) dim <- given
  if (is.null(dim)) fail("`dim` must give the number of columns of the points.")
  dim <- check_count(dim, "dim", 1L)
  if (!is.null(given) && dim != given) fail("`dim` is %d, but %s %d.", dim, if (is_target) "the target has" else "the columns of `start` are", given)
  c(list(target = if (is_target) log_density, log_density = if (!is_target) log_density, gradient = gradient, dim = dim),
    control[c("divergence", "alpha", "kernel", "cap", "floor")])
}

wgf_start <- function(start, rule, n) {
  d <- rule$dim
  if (is.null(start) || (is.numeric(start) && length(start) == 1 && is.null(dim(start)))) {
    z <- draw_normal(n, d, draw_key())
    if (!is.null(start)) return(z * check_number(start, "start", lower = 0, open_lower = TRUE))
    if (is.null(rule$target)) return(z)
    return(unscale_columns(z, rule$target$centre, rule$target$spread))
  }
  if (is.function(start)) {
    points <- start(n)
    if (!is.matrix(points) || nrow(points) != n) {
      fail("`start` must be a function that returns a matrix of %d rows for n = %d, not %s.", n, n, describe(points))
    }
    return(check_points(points, "start(n)", dim = d))
  }
  check_points(start, "start", min_rows = 2L, dim = d)
}

# log p [n] and its gradient [n, d] at the points, checked: errors name what is wrong.
rule_values <- function(rule, points, threads) {
  if (!is.null(rule$target)) return(target_field(rule$target, points, threads))
  value <- check_log_density(rule$log_density(points), nrow(points))
  gradient <- if (is.null(rule$gradient)) {
    difference_gradient(rule$log_density, points)
  } else {
    check_gradient(rule$gradient(points), points)
  }
  list(log_density = value, gradient = gradient)
}

check_log_density <- function(value, n) {
  if (!is.numeric(value) || length(value) != n) {
    fail("`log_density` must return one number for each of the %d rows, but it returned %s.", n, describe(value))
  }
  bad <- !is.finite(value)
  if (any(bad)) {
    fail("`log_density` must return finite numbers, but it returned %s for %d of %d rows (the first is row %d).",
         format(value[bad][1]), sum(bad), n, which(bad)[1])
  }
  as.double(value)
}

check_gradient <- function(value, points) {
  if (is.numeric(value) && ncol(points) == 1 && length(value) == nrow(points)) value <- matrix(value)
  if (!is.numeric(value) || !identical(dim(value), dim(points))) {
    fail("`gradient` must return a matrix of %d x %d, but it returned %s.", nrow(points), ncol(points), describe(value))
  }
  bad <- which(rowSums(!is.finite(value)) > 0)
  if (length(bad)) fail("`gradient` must return finite numbers, but %d of %d rows are not (the first is row %d).", length(bad), nrow(value), bad[1])
  value <- unname(value)
  storage.mode(value) <- "double"
  value
}

# Central differences; `size` times the best step of double precision.
difference_gradient <- function(log_density, points, size = 1) {
  out <- points
  for (column in seq_len(ncol(points))) {
    h <- size * .Machine$double.eps^(1 / 3) * pmax(1, abs(points[, column]))
    above <- below <- points
    above[, column] <- points[, column] + h
    below[, column] <- points[, column] - h
    out[, column] <- (check_log_density(log_density(above), nrow(points)) - check_log_density(log_density(below), nrow(points))) /
      (above[, column] - below[, column])
  }
  out
}

# Before the first step: the functions work row by row, and the gradient is one.
check_rule <- function(rule, points, values) {
  if (!is.null(rule$target)) return(invisible())
  few <- points[spaced_rows(nrow(points), 5L), , drop = FALSE]
  rows <- spaced_rows(nrow(points), 5L)
  again <- check_log_density(rule$log_density(few), nrow(few))
  if (max(abs(again - values$log_density[rows])) > 1e-8 * max(1, abs(again))) {
    fail("`log_density` must treat each row by itself, but its value at a row depends on the other rows.")
  }
  coarse <- difference_gradient(rule$log_density, few, if (is.null(rule$gradient)) 8 else 1)
  given <- values$gradient[rows, , drop = FALSE]
  off <- sqrt(rowSums((coarse - given)^2))
  size <- sqrt(rowSums(coarse^2))
  bad <- off > 0.01 * size + 1e-4 * max(size) + 1e-8
  if (any(bad) && is.null(rule$gradient)) {
    warning("Differences of `log_density` depend on their step, so the gradient is not reliable: is it smooth? Give `gradient`.", call. = FALSE)
  } else if (any(bad)) {
    fail("`gradient` does not agree with differences of `log_density`: at row %d it is %s, by differences %s.", rows[bad][1],
         paste(format(utils::head(given[bad, ][1:min(3, ncol(given))]), digits = 3), collapse = ", "),
         paste(format(utils::head(coarse[bad, ][1:min(3, ncol(given))]), digits = 3), collapse = ", "))
  }
}

# ---- The density of the particles ---------------------------------------------

# list(log_density, score) of the kernel estimate from `points` at `query`; NULL: at the points. `self`: row i of `query`
# is without point i.
kernel_estimate <- function(query, points, kernel, bandwidth, score = TRUE, threads = NULL, self = is.null(query)) {
  force(self)
  if (is.null(query)) query <- points
  bind_blocks(in_blocks(nrow(query), nrow(points) * (ncol(points) + 4), function(from, count) {
    .Call(C_pf_kde, query, points, from, count, self, kernel, bandwidth, score, threads)
  }))
}

log_kernel_volume <- function(kernel, bandwidth, dim) {
  if (kernel == "gaussian") return(dim * (log(2 * pi) / 2 + log(bandwidth)))
  log(2) + dim / 2 * log(pi) - lgamma(dim / 2) + lgamma(dim) + dim * log(bandwidth)
}

# Variance of the kernel in each direction, over the squared bandwidth.
kernel_variance <- function(kernel, dim) if (kernel == "gaussian") 1 else dim + 1

# Mean log-density of each particle under the others.
leave_one_out <- function(points, kernel, bandwidth, threads) {
  mean(kernel_estimate(NULL, points, kernel, bandwidth, FALSE, threads)$log_density)
}

# The likeliest bandwidth on a geometric grid, from a first guess (with likelihood `best`) outwards.
likely_bandwidth <- function(points, kernel, threads, ratio = 1.1, guess = NULL, best = NULL) {
  if (is.null(guess)) {
    spread <- stats::median(column_spread(points)) / sqrt(kernel_variance(kernel, ncol(points)))
    guess <- spread * nrow(points)^(-1 / (ncol(points) + 4))
    ratios <- c(2, 1.3, ratio)
  } else {
    ratios <- ratio
  }
  score <- function(h) leave_one_out(points, kernel, h, threads)
  if (is.null(best)) best <- score(guess)
  for (r in ratios) {
    for (towards in c(r, 1 / r)) {
      rounds <- 0
      repeat {
        value <- score(guess * towards)
        if (!(value > best) || rounds > 60) break
        guess <- guess * towards
        best <- value
        rounds <- rounds + 1
      }
      if (rounds > 0) break
    }
  }
  guess
}

# Steps between looks at the likelihood, and the ratio of the bandwidths that are compared.
bandwidth_every <- 5L
bandwidth_ratio <- 1.15

wgf_bandwidth <- function(run) {
  control <- run$control
  state <- run$state
  if (length(control$bandwidth) == 1) return(control$bandwidth)
  if (length(control$bandwidth) == 2) {
    share <- min(1, state$step / max(1, control$n_steps / 2))
    return(control$bandwidth[1]^(1 - share) * control$bandwidth[2]^share)
  }
  if (is.null(state$bandwidth)) likely_bandwidth(state$points, control$kernel, run$threads) else state$bandwidth
}

# The bandwidth of the next step, from the estimate in this one.
next_bandwidth <- function(run, estimate) {
  h <- run$state$bandwidth
  if (!is.null(run$control$bandwidth) || run$state$step %% bandwidth_every != 0) return(h)
  likely_bandwidth(run$state$points, run$control$kernel, run$threads, bandwidth_ratio, h, mean(estimate$log_density))
}

# ---- Masses of modes ----------------------------------------------------------

most_modes <- 100L

# NULL, or how mass is counted: by components, or by nearest centres.
wgf_modes <- function(modes, rule) {
  if (!is.null(modes)) return(list(centres = unname(check_points(modes, "modes", dim = rule$dim))))
  target <- rule$target
  if (is.null(target) || is.null(target$means) || nrow(target$means) < 2 || nrow(target$means) > most_modes) return(NULL)
  list(target = target)
}

# Beyond this quantile of the distance from the mean a particle is outside of all components.
outside_share <- 1e-4

# Shares of the points by mode, and of those outside of all modes.
mode_masses <- function(modes, points, threads) {
  n <- nrow(points)
  if (!is.null(modes$centres)) {
    near <- .Call(C_pf_neighbours, points, modes$centres, 0L, n, FALSE, 1L, threads)$index[, 1]
    return(c(tabulate(near, nrow(modes$centres)) / n, 0))
  }
  target <- modes$target
  terms <- .Call(C_pf_target_components, points, target$means, target$factors, target$constants, threads)
  likeliest <- max.col(terms, "first")
  at <- cbind(seq_len(n), likeliest)
  far <- 2 * (target$constants[likeliest] - terms[at]) > stats::qchisq(outside_share, ncol(points), lower.tail = FALSE)
  c(tabulate(likeliest[!far], ncol(terms)) / n, mean(far))
}

# ---- The run -------------------------------------------------------------------

# A record of one step: time and bandwidth, what C gives, quantiles of log r, births.
wgf_columns <- c("time", "bandwidth", "log_z", "divergence", "kinetic_energy", "gamma", "largest_move", "capped",
                 "log_r_5", "log_r_50", "log_r_95", "births")
most_relative_move <- 1

advance_wgf <- function(run, progress) {
  began <- proc.time()[[3]]
  before <- run$elapsed
  complete <- FALSE
  bar <- progress_bar("Particles", run$planned - run$state$step, progress)
  on.exit({
    bar$done()
    if (!complete && run$state$step > 0L) remember_run(run)
  })
  repeat {
    run$state <- utils::modifyList(run$state, guarded_values(run))
    run$state$bandwidth <- wgf_bandwidth(run)
    estimate <- kernel_estimate(NULL, run$state$points, run$rule$kernel, run$state$bandwidth, TRUE, run$threads)
    moved <- move_wgf(run, estimate)
    run$pending <- c(list(record = moved$record), wgf_row(run, moved))
    run$elapsed <- before + proc.time()[[3]] - began
    if (moved$diverged) run$ended <- 1L
    if (run$state$step >= run$planned || run$ended != 0L) break
    following <- next_bandwidth(run, estimate)
    exchange <- birth_death(run, moved)
    run$pending$births <- length(exchange$dead) / nrow(moved$points)
    run <- take_step(run, moved, exchange)
    run$state$bandwidth <- following
    bar$tick(1)
  }
  complete <- TRUE
  run
}

# The target at the particles, and how stiff it is there; an error keeps the state.
guarded_values <- function(run) {
  state <- run$state
  tryCatch({
    values <- rule_values(run$rule, state$points, run$threads)
    if (state$step == 0L) check_rule(run$rule, state$points, values)
    stiffness <- if (!is.null(run$control$step)) {
      1
    } else if (is.null(state$before)) {
      first_stiffness(run$rule, state$points, values, wgf_bandwidth(run), run$threads)
    } else {
      target_stiffness(state$before, values, state$points, state$stiffness)
    }
    list(values = values, stiffness = stiffness)
  }, error = function(e) stop(wgf_error(run, conditionMessage(e))))
}

# One error, with the last good state.
wgf_error <- function(run, message) {
  run["pending"] <- list(NULL)
  run$ended <- 2L
  fit <- finish_wgf(run)
  structure(
    class = c("wgf_error", "error", "condition"),
    list(message = sprintf("%s (At step %d of %d; the condition's field `fit` holds the particles there.)", message, run$state$step, run$planned),
         call = NULL, fit = fit)
  )
}

# How fast the score of the target changes, by the move from `before` to here: a quantile over the particles that lets a
# quarter of them be where it changes faster.
target_stiffness <- function(before, values, points, otherwise) {
  moved <- sqrt(rowSums((points - before$points)^2))
  change <- sqrt(rowSums((values$gradient - before$values$gradient)^2))
  usable <- moved > 1e-12 * (1 + sqrt(rowSums(points^2)))
  if (mean(usable) < 0.5) return(otherwise)
  max(stats::quantile(change[usable] / moved[usable], 0.75, names = FALSE), 1e-300)
}

# At the start, by a small move along the score.
first_stiffness <- function(rule, points, values, bandwidth, threads) {
  size <- sqrt(rowSums(values$gradient^2))
  ahead <- points + 1e-4 * bandwidth * values$gradient / pmax(size, 1e-300)
  target_stiffness(list(points = points, values = values), rule_values(rule, ahead, threads), ahead, 1e-300)
}

move_wgf <- function(run, estimate) {
  rule <- run$rule
  scale2 <- kernel_variance(rule$kernel, rule$dim) * run$state$bandwidth^2
  fixed <- !is.null(run$control$step)
  stable2 <- min(scale2, 1 / run$state$stiffness)
  log_own <- -log_kernel_volume(rule$kernel, run$state$bandwidth, rule$dim) - log(nrow(run$state$points))
  plan <- c(rule$cap, rule$floor, log_own, if (fixed) run$control$step else 0, 0.5, stable2,
            if (fixed) Inf else most_relative_move * sqrt(scale2 * rule$dim))
  .Call(C_pf_wgf_move, run$state$points, run$state$values$log_density, run$state$values$gradient, estimate$log_density,
        estimate$score, match(rule$divergence, wgf_divergences) - 1L, if (is.na(rule$alpha)) 0.5 else rule$alpha, as.double(plan))
}

# What is kept of the state before a step.
wgf_row <- function(run, moved) {
  list(quantiles = stats::quantile(moved$log_r, c(0.05, 0.5, 0.95), names = FALSE),
       masses = if (!is.null(run$modes)) mode_masses(run$modes, run$state$points, run$threads))
}

# Who dies and what is born instead after a step: list(dead, born [length(dead), d]).
birth_death <- function(run, moved) {
  none <- list(dead = integer(), born = moved$points[0L, , drop = FALSE])
  if (run$control$birth_death == 0) return(none)
  n <- nrow(moved$points)
  growth <- wgf_weights(run$rule, moved$log_r, reference_mean(run$rule, moved$log_r))[, 3]
  growth <- pmax(growth, -1e100) # far outside Neyman's leaves the range of numbers
  rate <- run$control$birth_death * moved$record[4] * (growth - mean(growth))
  offspring <- exp(pmin(pmax(rate, -log(2)), log(2)))
  stream <- 3L * run$state$step
  # in order of growth, so that as many die as should, within one
  by_growth <- order(offspring)
  children <- numeric(n)
  expected <- offspring[by_growth] / sum(offspring) * n
  children[by_growth] <- systematic_counts(expected, draw_uniform(1L, 1L, run$key, stream)[1])
  dead <- which(children == 0)
  if (!length(dead)) return(none)
  parents <- rep(seq_len(n), pmax(children - 1, 0))
  noise <- draw_kernel(run$rule$kernel, length(dead), ncol(moved$points), run$key, stream + 1L)
  list(dead = dead, born = moved$points[parents, , drop = FALSE] + run$state$bandwidth * noise)
}

# Whole numbers with the sum of `expected`, each within one of its own, from one uniform number.
systematic_counts <- function(expected, u) {
  n <- length(expected)
  diff(c(0, pmin(ceiling(cumsum(expected)[-n] - u), n), n))
}

take_step <- function(run, moved, exchange) {
  state <- run$state
  run$records <- c(run$records, list(wgf_column(run)))
  run$masses <- c(run$masses, list(run$pending$masses))
  if (state$step %% run$every == 0) {
    run$frames <- c(run$frames, list(state$points))
    run$kept <- c(run$kept, state$step)
  }
  run$state$before <- state[c("points", "values")]
  run$state$points <- moved$points
  # for the rows that were born this is no move
  run$state$points[exchange$dead, ] <- run$state$before$points[exchange$dead, ] <- exchange$born
  run$state$step <- state$step + 1L
  run$state$time <- state$time + moved$record[4]
  run["pending"] <- list(NULL)
  run
}

wgf_column <- function(run) {
  c(run$state$time, run$state$bandwidth, run$pending$record, run$pending$quantiles,
    if (is.null(run$pending$births)) NA_real_ else run$pending$births)
}

finish_wgf <- function(run) {
  k <- run$state$step
  last <- if (is.null(run$pending)) c(run$state$time, rep(NA_real_, 11)) else wgf_column(run)
  last[6] <- last[7] <- NA # no step was taken from here
  records <- do.call(cbind, c(run$records, list(last)))
  diagnostics <- data.frame(step = 0:k, t(unname(records)))
  names(diagnostics)[-1] <- wgf_columns
  diagnostics <- diagnostics[c("step", "time", "gamma", "bandwidth", "divergence", "log_z", "kinetic_energy", "largest_move",
                               "log_r_5", "log_r_50", "log_r_95", "capped", "births")]
  rownames(diagnostics) <- NULL
  frames <- c(run$frames, list(run$state$points))
  kept <- c(run$kept, k)
  stored <- list(frames = array(unlist(frames), c(dim(run$start), length(kept))), kept = as.integer(kept))
  if (!is.null(run$columns)) dimnames(stored$frames) <- list(NULL, run$columns, NULL)
  trajectory <- new_trajectory(stored, diagnostics, list(kernel = run$rule$kernel))
  masses <- if (!is.null(run$modes)) {
    end <- if (is.null(run$pending)) mode_masses(run$modes, run$state$points, run$threads) else run$pending$masses
    all <- do.call(rbind, c(run$masses, list(end)))
    dimnames(all) <- list(NULL, c(paste0("mode", seq_len(ncol(all) - 1)), "outside"))
    all
  }
  if (run$ended == 1L) {
    warning(sprintf("The run diverged at step %d (numbers out of range); the fit is the state before that step. Lower `step` or `cap`.", k + 1L), call. = FALSE)
  }
  status <- c("all steps done", "diverged", "target failed")[run$ended + 1L]
  if (run$ended == 0L && k < run$planned) status <- "interrupted"
  end <- diagnostics[k + 1L, ]
  particles <- run$state$points
  colnames(particles) <- run$columns
  structure(
    list(
      call = run$call, particles = particles, trajectory = trajectory, masses = masses, latent = NULL, control = run$control,
      diagnostics = data.frame(
        n = nrow(particles), dim = run$rule$dim, steps = k, time = end$time, status = status, divergence = end$divergence,
        kinetic_energy = end$kinetic_energy, bandwidth = if (is.null(run$state$bandwidth)) NA_real_ else run$state$bandwidth,
        log_z = end$log_z
      ),
      elapsed = run$elapsed, rule = run$rule, modes = run$modes,
      run = run[setdiff(names(run), c("records", "masses", "frames", "kept", "pending", "rule", "modes", "control"))], version = run$version
    ),
    class = c("wgf", "particle_flow")
  )
}

# The run behind a fit.
run_of_wgf <- function(fit) {
  run <- c(fit$run, list(rule = fit$rule, modes = fit$modes, control = fit$control))
  traj <- fit$trajectory
  k <- n_steps(traj)
  on_grid <- which(traj$kept < k & traj$kept %% run$every == 0)
  run$kept <- traj$kept[on_grid]
  run$frames <- lapply(on_grid, function(j) matrix(traj$frames[, , j], nrow(run$start)))
  table <- unname(as.matrix(traj$diagnostics[wgf_columns]))
  run$records <- lapply(seq_len(k), function(j) table[j, ])
  run$masses <- lapply(seq_len(if (is.null(fit$masses)) 0 else k), function(j) unname(fit$masses[j, ]))
  run
}
