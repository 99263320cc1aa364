#' Summaries of a flow towards a density
#'
#' `summary()` gives the settings and what the run ended with; `tidy()` one row per step; `glance()` one row for the fit;
#' `as.data.frame()` the kept particles over time.
#'
#' @param object,x A fit from [wgf()].
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.wgf` with `diagnostics`, `control`, `masses` (at the end, or `NULL`) and `progress` (a data
#'   frame: the diagnostics at five steps). `tidy()`, `glance()` and `as.data.frame()`: data frames.
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 200, n_steps = 50)
#' summary(fit)
#' glance(fit)
#' tail(tidy(fit), 3)
#' @name summary.wgf
NULL

#' @rdname summary.wgf
#' @export
format.wgf <- function(x, ...) {
  run <- x$diagnostics
  number <- function(value) format(value, digits = 3)
  target <- if (is.null(x$rule$target)) "a log-density of your own" else x$rule$target$name
  births <- if (x$control$birth_death > 0) sprintf(", birth and death at rate %s", number(x$control$birth_death)) else ""
  lines <- c(
    sprintf("<wgf> %d particles in %d dimension%s towards %s", run$n, run$dim, if (run$dim == 1) "" else "s", target),
    sprintf("%s; %s kernel, bandwidth %s (%s)%s", describe_wgf(x$control), x$control$kernel, number(run$bandwidth),
            c("by likelihood", "fixed", "annealed")[length(x$control$bandwidth) + 1], births),
    sprintf("%s: %d steps to time %s, divergence %s, log of the integral %s", run$status, run$steps, number(run$time),
            number(run$divergence), number(run$log_z))
  )
  if (!is.null(x$masses)) lines <- c(lines, mass_sentence(x))
  lines
}

mass_sentence <- function(x) {
  last <- x$masses[nrow(x$masses), ]
  inside <- last[-length(last)]
  sprintf("mass: %d of %d modes hold particles, from %.3f to %.3f each; outside %.3f", sum(inside > 0), length(inside),
          min(inside), max(inside), last[["outside"]])
}

describe_wgf <- function(control) {
  switch(control$divergence, kl = "KL(q||p)", reverse_kl = "KL(p||q)", jeffreys = "Jeffreys divergence", js = "Jensen-Shannon divergence",
         pearson = "Pearson's chi-square", neyman = "Neyman's chi-square", hellinger = "squared Hellinger distance",
         alpha = sprintf("alpha-divergence (%s)", format(control$alpha)), log_variance_q = "log-variance under q",
         log_variance_p = "log-variance under p")
}

#' @rdname summary.wgf
#' @export
print.wgf <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.wgf
#' @export
summary.wgf <- function(object, ...) {
  steps <- object$trajectory$diagnostics
  at <- unique(round(seq(1, nrow(steps), length.out = 5)))
  structure(
    list(call = object$call, diagnostics = object$diagnostics, control = object$control,
         masses = if (!is.null(object$masses)) object$masses[nrow(object$masses), ],
         weights = object$rule$target$weights, progress = steps[at, ], elapsed = object$elapsed, version = object$version),
    class = "summary.wgf"
  )
}

#' @rdname summary.wgf
#' @export
print.summary.wgf <- function(x, ...) {
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  run <- x$diagnostics
  cat(sprintf("%s, %s kernel; %d particles, %d dimensions; %s after %d steps.\n", describe_wgf(x$control), x$control$kernel,
              run$n, run$dim, run$status, run$steps))
  print(x$progress[c("step", "time", "bandwidth", "divergence", "log_z", "kinetic_energy", "log_r_5", "log_r_95", "capped")],
        digits = 3, row.names = FALSE)
  if (!is.null(x$masses) && length(x$masses) <= 13) {
    cat("Mass of each mode:\n")
    print(rbind(particles = x$masses, target = if (length(x$weights) == length(x$masses) - 1) c(x$weights, 0)), digits = 2)
  }
  cat(sprintf("%.2f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

#' @rdname summary.wgf
#' @export
tidy.wgf <- function(x, ...) x$trajectory$diagnostics

#' @rdname summary.wgf
#' @export
glance.wgf <- function(x, ...) cbind(divergence_name = x$control$divergence, x$diagnostics, elapsed = x$elapsed)

#' @rdname summary.wgf
#' @export
as.data.frame.wgf <- function(x, row.names = NULL, optional = FALSE, ...) as.data.frame(x$trajectory)

#' Draws from a flow towards a density
#'
#' New points are drawn from the kernel estimate of the particles at the end: a particle and noise from the kernel. At rest it is this
#' law that matches the target, not that of the particles. Every particle is used as often as any other, or once more, in random order (less varied
#' sums than by independent draws); the number of points may be far above that of the particles, but they know no more than these. For a generator without particles see [distill()].
#'
#' @param object A fit from [wgf()].
#' @param nsim Number of rows.
#' @param seed `NULL` goes on with R's current stream; a whole number is given to [set.seed()] first, and the stream is restored afterwards.
#' @param ... Not used.
#' @return A matrix with the attribute `"seed"` of [stats::simulate()].
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 200, n_steps = 50)
#' simulate(fit, 3, seed = 1)
#' @export
simulate.wgf <- function(object, nsim = 1, seed = NULL, ...) {
  nsim <- check_count(nsim, "nsim")
  state <- start_stream(seed)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  out <- draw_estimate(object$particles, object$rule$kernel, object$diagnostics$bandwidth, nsim, draw_key())
  attr(out, "seed") <- state$seed
  out
}

draw_estimate <- function(points, kernel, bandwidth, n, key) {
  d <- ncol(points)
  from <- balanced_rows(nrow(points), n, draw_uniform(n, 1L, key, 0L)[, 1])
  points[from, , drop = FALSE] + bandwidth * draw_kernel(kernel, n, d, key, 1L)
}

# Noise [n, d] from the kernel of width 1, from the streams `stream` and the next.
draw_kernel <- function(kernel, n, d, key, stream) {
  if (kernel == "laplace") draw_laplace(n, d, key, stream, stream + 1L) else draw_normal(n, d, key, stream)
}

# Density proportional to exp(-|z|): a direction, and a radius that is a sum of d exponential variables.
draw_laplace <- function(n, d, key, stream, radius_stream) {
  direction <- draw_normal(n, d, key, stream)
  direction / sqrt(rowSums(direction^2)) * -rowSums(log(draw_uniform(n, d, key, radius_stream)))
}

#' What a flow towards a density says about new points
#'
#' @param object A fit from [wgf()].
#' @param newdata Matrix of points, a column a dimension. Missing: the particles, each without itself.
#' @param type `"log_density"`: of the kernel estimate `q` (normalised); `"log_ratio"`: \eqn{\log r}{log r}, the target over it, with
#'   the constant estimated over the particles; `"velocity"`: \eqn{w(r) \nabla \log r}, as a matrix.
#' @param threads See [efs_forward()].
#' @param ... Not used.
#' @return A number a row, or a matrix.
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 200, n_steps = 50)
#' predict(fit, rbind(c(4, 0), c(0, 0)))
#' @export
predict.wgf <- function(object, newdata, type = c("log_density", "log_ratio", "velocity"), threads = NULL, ...) {
  type <- check_choice(type, c("log_density", "log_ratio", "velocity"), "type")
  threads <- thread_count(threads)
  rule <- object$rule
  own <- unname(object$particles)
  query <- if (!missing(newdata)) unname(check_points(newdata, "newdata", min_rows = 0L, dim = rule$dim))
  if (!is.null(query) && nrow(query) == 0) return(if (type == "velocity") query else numeric())
  estimate <- kernel_estimate(query, own, rule$kernel, object$diagnostics$bandwidth, type == "velocity", threads)
  if (type == "log_density") return(estimate$log_density)
  values <- rule_values(rule, if (is.null(query)) own else query, threads)
  log_r <- values$log_density - estimate$log_density - object$diagnostics$log_z
  if (type == "log_ratio") return(log_r)
  at_particles <- if (is.null(query)) log_r else predict(object, type = "log_ratio", threads = threads)
  wgf_weights(rule, log_r, reference_mean(rule, at_particles))[, 1] * (values$gradient - estimate$score)
}

# The mean of log r under the reference of the log-variance, from its values at the particles.
reference_mean <- function(rule, log_r) {
  switch(rule$divergence, log_variance_q = mean(log_r), log_variance_p = sum(exp(log_r) * log_r) / sum(exp(log_r)), 0)
}

# n row numbers out of m in random order, each as often as any other or once more.
balanced_rows <- function(m, n, u) {
  rounds <- (seq_len(n) - 1L) %/% m
  rows <- numeric(n)
  for (round in unique(rounds)) {
    at <- which(rounds == round)
    rows[at] <- if (length(at) == m) order(u[at]) else partial_permutation(m, u[at])
  }
  rows
}

# The first length(u) entries of a random permutation of 1 .. m.
partial_permutation <- function(m, u) {
  left <- seq_len(m)
  for (i in seq_along(u)) {
    j <- i + floor(u[i] * (m - i + 1))
    left[c(i, j)] <- left[c(j, i)]
  }
  left[seq_along(u)]
}

# Three columns: w, f and the rate of growth g at each log r, without cap.
wgf_weights <- function(rule, log_r, mean = 0) {
  .Call(C_pf_wgf_weights, match(rule$divergence, wgf_divergences) - 1L, if (is.na(rule$alpha)) 0.5 else rule$alpha,
        as.double(log_r), as.double(mean))
}

# ---- Plots ---------------------------------------------------------------------

#' Plots of a flow towards a density
#'
#' The particles on their way as a row of panels; divergence and kinetic energy over time; the mass of each mode over time, which shows how
#' a mode that starts under-covered is repaired; or the range of \eqn{\log r}{log r} over the particles. `plot()` draws with base graphics,
#' `autoplot()` returns the same picture as a ggplot.
#'
#' @section Several fits:
#' With `type = "masses"` and further fits, the panels show one fit each: the same modes under different divergences.
#'
#' @param x,object A fit from [wgf()].
#' @param type `"frames"`, `"trace"`, `"masses"` or `"ratio"`.
#' @param times For `"frames"`, flow times; the nearest kept frames are shown. `NULL`: five kept frames evenly spread
#'   over the steps.
#' @param others For `"masses"`, a named list of further fits of the same target; the names are the titles.
#' @param target For `"frames"`, the number of exact draws shown in grey below the particles, where the target can give them.
#' @param col Colours; `NULL`: a palette that colour-blind people can tell apart.
#' @param ... As in [plot.particle_trajectory()].
#' @inherit plot.particle_trajectory return
#' @examples
#' set.seed(1)
#' ring <- target_ring()
#' start <- 2 * matrix(rnorm(400), 200) + 1
#' fit <- wgf(ring, n_steps = 100, start = start, birth_death = 0)
#' plot(fit)
#' plot(fit, type = "masses")
#' plot(fit, type = "trace")
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' other <- wgf(ring, n_steps = 100, start = start)
#' ggplot2::autoplot(fit, type = "masses", others = list("with birth and death" = other))
#' @order 1
#' @export
plot.wgf <- function(x, type = c("frames", "trace", "masses", "ratio"), times = NULL, others = NULL, target = 500, col = NULL, ...) {
  draw_base(wgf_picture(x, type, times, others, target, col), ...)
  invisible(x)
}

wgf_picture <- function(fit, type, times, others, target, col) {
  type <- check_choice(type, c("frames", "trace", "masses", "ratio"), "type")
  check_belongs(type, "frames", times = times)
  check_belongs(type, "masses", others = others)
  traj <- fit$trajectory
  d <- dim(traj$frames)[2]
  flow <- list(trajectory = traj, centre = rep(0, d), scale = rep(1, d), rows = seq_len(dim(traj$frames)[1]))
  switch(type, trace = curves_picture(list(flow), col), masses = masses_picture(fit, others, col),
         ratio = ratio_picture(fit, col), frames = wgf_frames_picture(fit, times, target, col))
}

wgf_frames_picture <- function(fit, times, target, col) {
  traj <- fit$trajectory
  clock <- traj$times[traj$kept + 1L]
  slots <- if (is.null(times)) {
    unique(round(seq(1, length(clock), length.out = 5)))
  } else {
    if (!is.numeric(times) || !length(times) || anyNA(times)) fail("`times` must be numbers, not %s.", describe(times))
    sort(unique(vapply(times, function(time) which.min(abs(clock - time)), 1L)))
  }
  goal <- if (!is.null(fit$rule$target) && check_count(target, "target") > 0) {
    draw_target(fit$rule$target, draw_normal(target, fit$rule$dim, c(1L, 1L), 1L), draw_uniform(target, 1L, c(1L, 1L), 0L)[, 1])
  }
  if (!is.null(goal)) attributes(goal) <- list(dim = dim(goal))
  kinds <- c("target", "particles")[c(!is.null(goal), TRUE)]
  group <- factor(rep(kinds, c(NROW(goal), nrow(fit$particles))[c(!is.null(goal), TRUE)]), levels = kinds)
  if (is.null(col)) col <- c("grey65", class_colours(1))[c(!is.null(goal), TRUE)]
  columns <- colnames(fit$particles)
  if (is.null(columns)) columns <- paste0("x", seq_len(fit$rule$dim))
  view <- projection(rbind(goal, unname(fit$particles)), columns)
  titles <- paste("time", distinct_format(clock[slots]))
  layers <- lapply(seq_along(slots), function(j) {
    new_layer(titles[j], view$see(rbind(goal, matrix(traj$frames[, , slots[j]], ncol = fit$rule$dim))), "rows", group)
  })
  panels_picture(layers, rep(list(view), length(slots)), group, col, shared = TRUE)
}

# One panel a fit, one curve a mode; the steps are the common clock, for times of different divergences are not.
masses_picture <- function(fit, others, col) {
  if (!is.null(others) && (!is.list(others) || inherits(others, "wgf") || is.null(names(others)))) fail("`others` must be a named list of fits.")
  fits <- c(stats::setNames(list(fit), fit$control$divergence), others)
  if (anyDuplicated(names(fits))) names(fits) <- make.unique(names(fits))
  counted <- vapply(fits, function(one) inherits(one, "wgf") && !is.null(one$masses), NA)
  if (!all(counted)) fail("The masses of modes were not counted in fit %s: give `modes` to wgf().", some(which(!counted)))
  modes <- colnames(fit$masses)
  if (any(fit$masses[, "outside"] > 0)) modes <- c(setdiff(modes, "outside"), "outside") else modes <- setdiff(modes, "outside")
  curves <- do.call(rbind, lapply(names(fits), function(name) {
    masses <- fits[[name]]$masses
    if (!identical(colnames(masses), colnames(fit$masses))) fail("Fit \"%s\" has other modes.", name)
    data.frame(panel = name, time = rep(seq_len(nrow(masses)) - 1, length(modes)), value = c(masses[, modes]),
               group = rep(modes, each = nrow(masses)), alone = nrow(masses) == 1)
  }))
  curves$panel <- factor(curves$panel, levels = names(fits))
  curves$group <- factor(curves$group, levels = modes)
  list(kind = "curves", curves = curves, log = stats::setNames(rep(FALSE, length(fits)), names(fits)), clock = "step",
       colours = picture_colours(modes, col))
}

ratio_picture <- function(fit, col) {
  d <- fit$trajectory$diagnostics
  curves <- data.frame(panel = factor("log r over the particles"), time = rep(d$step, 3), value = c(d$log_r_5, d$log_r_50, d$log_r_95),
                       group = rep(c("5 %", "50 %", "95 %"), each = nrow(d)), alone = nrow(d) == 1)
  curves <- curves[is.finite(curves$value), ]
  curves$group <- factor(curves$group, levels = c("95 %", "50 %", "5 %"))
  list(kind = "curves", curves = curves, log = c("log r over the particles" = FALSE), clock = "step",
       colours = picture_colours(levels(curves$group), col))
}
