#' Plots of a flow towards a density
#'
#' The particles on their way as a row of panels; divergence and kinetic energy over time; the mass of each mode over
#' time, which shows how a mode that starts under-covered is repaired; or the range of \eqn{\log r}{log r} over the
#' particles. `plot()` draws with base graphics, `autoplot()` returns the same picture as a ggplot.
#'
#' @section Several fits:
#' With `type = "masses"` and further fits, the panels show one fit each: the same modes under different divergences.
#'
#' @param x,object A fit from [wgf()].
#' @param type `"frames"`, `"trace"`, `"masses"` or `"ratio"`.
#' @param times For `"frames"`, flow times; the nearest kept frames are shown. `NULL`: five kept frames evenly spread
#'   over the steps.
#' @param others For `"masses"`, a named list of further fits of the same target; the names are the titles.
#' @param target For `"frames"`, the number of exact draws shown in grey below the particles, where the target can give
#'   them.
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
plot.wgf <- function(x, type = c("frames", "trace", "masses", "ratio"), times = NULL, others = NULL, target = 500,
                     col = NULL, ...) {
  draw_base(wgf_picture(x, type, times, others, target, col), ...)
  invisible(x)
}

wgf_picture <- function(fit, type, times, others, target, col) {
  check_fit(fit, "x")
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
    key <- c(1L, 1L)
    draw_target(fit$rule$target, draw_normal(target, fit$rule$dim, key, 1L), draw_uniform(target, 1L, key, 0L)[, 1])
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
  if (!is.null(others) && (!is.list(others) || inherits(others, "wgf") || is.null(names(others)))) {
    fail("`others` must be a named list of fits.")
  }
  fits <- c(stats::setNames(list(fit), fit$control$divergence), others)
  if (anyDuplicated(names(fits))) names(fits) <- make.unique(names(fits))
  counted <- vapply(fits, function(one) inherits(one, "wgf") && !is.null(one$masses), NA)
  if (!all(counted)) {
    fail("The masses of modes were not counted in fit %s: give `modes` to wgf().", some(which(!counted)))
  }
  modes <- c(setdiff(colnames(fit$masses), "outside"), if (any(fit$masses[, "outside"] > 0)) "outside")
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
  curves <- data.frame(panel = factor("log r over the particles"), time = rep(d$step, 3),
                       value = c(d$log_r_5, d$log_r_50, d$log_r_95),
                       group = rep(c("5 %", "50 %", "95 %"), each = nrow(d)), alone = nrow(d) == 1)
  curves <- curves[is.finite(curves$value), ]
  curves$group <- factor(curves$group, levels = c("95 %", "50 %", "5 %"))
  list(kind = "curves", curves = curves, log = c("log r over the particles" = FALSE), clock = "step",
       colours = picture_colours(levels(curves$group), col))
}

#' @rdname plot.wgf
#' @method autoplot wgf
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, wgf)
autoplot.wgf <- function(object, type = c("frames", "trace", "masses", "ratio"), times = NULL, others = NULL,
                         target = 500, col = NULL, ...) {
  draw_ggplot(wgf_picture(object, type, times, others, target, col), ...)
}
