#' Plots of a run of particles
#'
#' Shows the particles on their way to the target in a row of panels, or the divergence and the kinetic energy over
#' time. `plot()` draws with base graphics. `autoplot()` returns the same picture as a ggplot.
#'
#' @section What is shown:
#' A table with at most two varying columns is shown in its own units. Other tables are shown in the units of the flow:
#' in one or two dimensions the coordinates themselves, in more dimensions the first two principal components of source
#' and target together.
#'
#' The curves have one value per step. On a logarithmic axis, values that are not positive are left out. The divergences
#' are estimates. They may be below 0 if the network lags behind the particles.
#'
#' @param x,object A fit from [gpa()].
#' @param type `"frames"`: the particles at chosen times, over the target. `"trace"`: divergence and kinetic energy, on
#'   logarithmic axes.
#' @param times For `"frames"`, flow times between 0 and the end. `NULL`: five evenly spaced times.
#' @param group For `"frames"`, the classes by which the particles are coloured: a factor or a vector with one entry per
#'   particle. No class may be called `"target"`.
#' @param col For `"frames"`, the colours of the target and of the particles, or of the target and of each class. For
#'   `"trace"`, one colour. `NULL`: grey and a palette that colour-blind people can tell apart.
#' @inheritParams plot.particle_trajectory
#' @inherit plot.particle_trajectory return
#' @references
#' Gu H, Birmpa P, Pantazis Y, Rey-Bellet L, Katsoulakis MA (2024), Figures 2 and 3. \doi{10.1137/23M1587841}
#' @examples
#' set.seed(1)
#' target <- cbind(rep(c(-2, 2), 50), rep(c(-2, 2), each = 50)) + rnorm(200, sd = 0.5)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), target, n_steps = 100)
#' plot(fit)
#' plot(fit, type = "trace")
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(fit)
#' @order 1
#' @export
plot.gpa <- function(x, type = c("frames", "trace"), times = NULL, group = NULL, col = NULL, ...) {
  draw_base(gpa_picture(x, type, times, group, col), ...)
  invisible(x)
}

# goal [m, d]: the target rows in the units of the flow.
gpa_picture <- function(fit, type, times, group, col, goal = fit$target) {
  check_fit(fit, "x")
  type <- check_choice(type, c("frames", "trace"), "type")
  check_belongs(type, "frames", times = times, group = group)
  traj <- fit$trajectory
  extent <- dim(traj$frames)
  flow <- list(trajectory = traj, centre = rep(0, extent[2]), scale = rep(1, extent[2]), rows = seq_len(extent[1]))
  if (type == "trace") return(curves_picture(list(flow), col))
  times <- panel_times(list(flow), times)
  classes <- point_group(group, extent[1])
  if (is.null(classes)) classes <- factor(rep("particles", extent[1]))
  if ("target" %in% levels(classes)) fail("`group` must not have a class \"target\", which names the target rows.")
  all <- factor(c(rep("target", nrow(goal)), as.character(classes)), levels = c("target", levels(classes)))
  if (is.null(col)) col <- c("grey65", class_colours(nlevels(classes)))
  plain <- sum(fit$table$dims) <= 2
  place <- if (plain) fit$latent$decode else identity
  columns <- if (plain) varying_columns(fit) else latent_columns(extent[2])
  goal <- place(goal)
  view <- projection(rbind(goal, place(frame(traj, 1L))), columns, square = !plain)
  titles <- paste("time", distinct_format(times))
  layers <- lapply(seq_along(times), function(j) {
    points <- rbind(goal, place(common_points(list(flow), times[j])))
    new_layer(titles[j], view$see(points), "rows", all)
  })
  panels_picture(layers, rep(list(view), length(times)), all, col, shared = TRUE)
}

#' @rdname plot.gpa
#' @method autoplot gpa
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, gpa)
autoplot.gpa <- function(object, type = c("frames", "trace"), times = NULL, group = NULL, col = NULL, ...) {
  draw_ggplot(gpa_picture(object, type, times, group, col), ...)
}
