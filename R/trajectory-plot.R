#' Plots of a trajectory
#'
#' `type` chooses what is drawn: the particles in a row of panels at chosen times, or the energy and the kinetic energy
#' over time. `plot()` draws with base graphics. `autoplot()` returns the same picture as a ggplot.
#'
#' @section What is shown:
#' All panels have the same limits and the same unit on both axes. Particles in two dimensions are shown as they are.
#' Particles in more dimensions are shown on the first two principal components of the first frame, which are the same
#' in all panels. The axis titles give the shares of the variance of that frame. Values in one dimension are stacked
#' like a histogram of dots.
#'
#' @param x,object A [particle_trajectory].
#' @param type `"frames"`: the particles at chosen times. `"energy"`: the energy on a linear axis (for [gpa()] and
#'   [energy_flow()] the divergence, on a logarithmic axis) and the kinetic energy on a logarithmic axis, over time. On
#'   a logarithmic axis, values of 0 are left out.
#' @param times For `"frames"`, flow times between 0 and the end of the flow. Each panel shows the nearest frame, and
#'   its title is the time of this frame. `NULL`: five frames evenly spread over time, with the first and the last.
#' @param group For `"frames"`, classes that give the colours: a factor or a vector with one entry per particle.
#'   `NULL`: one colour.
#' @param col Colours, one per class, or one colour without `group`. `NULL`: a palette that colour-blind people can
#'   tell apart.
#' @param ... For `plot()`, graphical parameters of the points or curves, such as `cex` and `pch`. For `autoplot()`,
#'   settings of the layer ([ggplot2::geom_point()], [ggplot2::geom_line()]), such as `size` and `alpha`. Others are an
#'   error.
#' @return `plot()` returns `x` invisibly and restores [par()], so that `points()` and `lines()` called afterwards draw
#'   in the wrong place. `autoplot()` returns a ggplot, to which layers can be added.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Figures 1 and 3. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' angle <- seq(1.5, 4.5, length.out = 150) * pi
#' roll <- cbind(angle * cos(angle), angle * sin(angle)) / 8
#' traj <- efs_forward(roll, n_steps = 15)
#' plot(traj)
#' plot(traj, times = c(0, 0.5, 1.5), group = cut(angle, 3, labels = c("inner", "middle", "outer")))
#' plot(traj, type = "energy")
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(traj)
#' @order 1
#' @export
plot.particle_trajectory <- function(x, type = c("frames", "energy"), times = NULL, group = NULL,
                                     col = NULL, ...) {
  draw_base(trajectory_picture(x, type, times, group, col), ...)
  invisible(x)
}

trajectory_picture <- function(x, type, times, group, col) {
  type <- check_choice(type, c("frames", "energy"), "type")
  check_belongs(type, "frames", times = times, group = group)
  check_whole(x, "x")
  extent <- dim(x$frames)
  flow <- list(trajectory = x, centre = rep(0, extent[2]), scale = rep(1, extent[2]), rows = seq_len(extent[1]))
  flows <- list(flow)
  if (type == "energy") return(curves_picture(flows, col))
  columns <- colnames(x$frames)
  if (is.null(columns)) columns <- paste0("x", seq_len(extent[2]))
  frames_picture(flows, times, point_group(group, extent[1]), columns, col)
}

#' @rdname plot.particle_trajectory
#' @method autoplot particle_trajectory
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, particle_trajectory)
autoplot.particle_trajectory <- function(object, type = c("frames", "energy"), times = NULL,
                                         group = NULL, col = NULL, ...) {
  draw_ggplot(trajectory_picture(object, type, times, group, col), ...)
}
