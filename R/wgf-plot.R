#' Plots of a flow towards a density
#'
#' Shows the particles on their way in a row of panels, or curves of the diagnostics. `plot()` draws with base graphics.
#' `autoplot()` returns the same picture as a ggplot.
#'
#' @section Several fits:
#' With `type = "masses"` and further fits in `others` there is one panel per fit. The panels show the masses of the
#' same modes under different divergences.
#'
#' @param x,object A fit from [wgf()].
#' @param type `"frames"`: the particles at chosen times. Of a target such as [target_mixture()] with more than two
#'   columns the first two principal components are shown, of other densities two parameters on their own scales.
#'   `"trace"`: divergence and kinetic energy over time. `"masses"`: the mass of each mode over the steps, if modes were
#'   counted; it shows how a mode that starts with too few particles is repaired. `"ratio"`: the 5, 50 and 95 per cent
#'   points of \eqn{\log r}{log r} over the particles, over the steps. `"pairs"`: the draws of each pair of parameters
#'   (not with `method = "plain"`).
#' @param times For `"frames"`, flow times; the nearest kept frames are shown. `NULL`: five kept frames evenly spread
#'   over the steps.
#' @param parameters For `"frames"` and `"pairs"`, names or numbers of parameters, for `"frames"` one or two. `NULL`:
#'   the first two for `"frames"`, or all columns of a target; the first three for `"pairs"`.
#' @param rows For `"pairs"`, the number of draws that are shown, at least 1.
#' @param others For `"masses"`, a named list of further fits with the same modes. The names are the titles of their
#'   panels. The title of the first panel is the divergence of `x`.
#' @param target For `"frames"`, the number of exact draws that are shown in grey below the particles, at least 0. It is
#'   used only if the density is a target such as [target_mixture()].
#' @param col Colours. `NULL`: a palette that colour-blind people can tell apart.
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
plot.wgf <- function(x, type = c("frames", "trace", "masses", "ratio", "pairs"), times = NULL, others = NULL,
                     target = 500, col = NULL, parameters = NULL, rows = 1000, ...) {
  draw_base(wgf_picture(x, type, times, others, target, col, parameters, rows), ...)
  invisible(x)
}

wgf_picture <- function(fit, type, times, others, target, col, parameters, rows) {
  check_fit(fit, "x")
  type <- check_choice(type, c("frames", "trace", "masses", "ratio", "pairs"), "type")
  check_belongs(type, c("frames", "pairs"), parameters = parameters)
  rows <- check_count(rows, "rows", 1L)
  check_belongs(type, "frames", times = times)
  check_belongs(type, "masses", others = others)
  traj <- fit$trajectory
  d <- dim(traj$frames)[2]
  flow <- list(trajectory = traj, centre = rep(0, d), scale = rep(1, d), rows = seq_len(dim(traj$frames)[1]))
  switch(type, trace = curves_picture(list(flow), col), masses = masses_picture(fit, others, col),
         ratio = ratio_picture(fit, col), frames = wgf_frames_picture(fit, times, target, col, parameters),
         pairs = wgf_pairs_picture(fit, parameters, rows, col))
}

wgf_pairs_picture <- function(fit, parameters, rows, col) {
  if (is.null(fit$draws)) fail("`type` = \"pairs\" shows draws, which this fit does not have.")
  names <- parameter_columns(fit$rule$density)
  pairs_of_draws(fit$draws, names, chosen_parameters(names, parameters, 3L), rows, col)
}

# How points of a fit are seen. Parameters of a density of the user have units of their own: two of them are shown, each
# on its axis. list(view, pick: of the columns).
wgf_view <- function(fit, points, parameters) {
  names <- parameter_columns(fit$rule$density)
  if (is.null(parameters) && !is.null(fit$rule$density$target)) {
    return(list(view = projection(points, names), pick = seq_along(names)))
  }
  chosen <- chosen_parameters(names, parameters, 2L)
  if (length(chosen) > 2) fail("`parameters` must be one or two for type = \"frames\", not %d.", length(chosen))
  list(view = projection(points[, chosen, drop = FALSE], names[chosen], square = !is.null(fit$rule$density$target)),
       pick = chosen)
}

wgf_frames_picture <- function(fit, times, target, col, parameters) {
  traj <- fit$trajectory
  clock <- traj$times[traj$kept + 1L]
  slots <- if (is.null(times)) {
    unique(round(seq(1, length(clock), length.out = 5)))
  } else {
    if (!is.numeric(times) || !length(times) || anyNA(times)) fail("`times` must be numbers, not %s.", describe(times))
    sort(unique(vapply(times, function(time) which.min(abs(clock - time)), 1L)))
  }
  goal <- if (!is.null(fit$rule$density$target) && check_rows(target, "target", fit$rule$dim) > 0) {
    key <- c(1L, 1L)
    draw_target(fit$rule$density$target, draw_normal(target, fit$rule$dim, key, 1L),
                draw_uniform(target, 1L, key, 0L)[, 1])
  }
  if (!is.null(goal)) attributes(goal) <- list(dim = dim(goal))
  kinds <- c("target", "particles")[c(!is.null(goal), TRUE)]
  group <- factor(rep(kinds, c(NROW(goal), nrow(fit$particles))[c(!is.null(goal), TRUE)]), levels = kinds)
  if (is.null(col)) col <- c("grey65", class_colours(1))[c(!is.null(goal), TRUE)]
  seen <- wgf_view(fit, rbind(goal, unname(fit$particles)), parameters)
  view <- seen$view
  titles <- paste("time", distinct_format(clock[slots]))
  layers <- lapply(seq_along(slots), function(j) {
    points <- rbind(goal, matrix(traj$frames[, , slots[j]], ncol = ncol(fit$particles)))
    new_layer(titles[j], view$see(points[, seen$pick, drop = FALSE]), "rows", group)
  })
  panels_picture(layers, rep(list(view), length(slots)), group, col, shared = TRUE)
}

# One panel per fit and one curve per mode. The horizontal axis is the step, because flow times under different
# divergences cannot be compared.
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
autoplot.wgf <- function(object, type = c("frames", "trace", "masses", "ratio", "pairs"), times = NULL, others = NULL,
                         target = 500, col = NULL, parameters = NULL, rows = 1000, ...) {
  draw_ggplot(wgf_picture(object, type, times, others, target, col, parameters, rows), ...)
}
