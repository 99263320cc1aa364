#' Plots of a flow of the energy distance
#'
#' Shows the particles on their way to the target in a row of panels, or the energy distance and the kinetic energy over
#' time. `plot()` draws with base graphics. `autoplot()` returns the same picture as a ggplot. [plot.gpa()] says what is
#' shown.
#'
#' @param x,object A fit from [energy_flow()].
#' @param type `"frames"`: the particles at chosen times, over the target. `"trace"`: energy distance (`divergence`) and
#'   kinetic energy, on logarithmic axes.
#' @param times For `"frames"`, flow times between 0 and the end. `NULL`: five evenly spaced times.
#' @inheritParams plot.gpa
#' @inherit plot.particle_trajectory return
#' @examples
#' set.seed(1)
#' target <- cbind(rep(c(-2, 2), 50), rep(c(-2, 2), each = 50)) + rnorm(200, sd = 0.5)
#' fit <- energy_flow(function(n) matrix(rnorm(2 * n), n), target)
#' plot(fit)
#' plot(fit, type = "trace")
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(fit)
#' @order 1
#' @export
plot.energy_flow <- function(x, type = c("frames", "trace"), times = NULL, group = NULL, col = NULL, ...) {
  draw_base(gpa_picture(x, type, times, group, col, x$trajectory$target), ...)
  invisible(x)
}

#' @rdname plot.energy_flow
#' @method autoplot energy_flow
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, energy_flow)
autoplot.energy_flow <- function(object, type = c("frames", "trace"), times = NULL, group = NULL, col = NULL, ...) {
  draw_ggplot(gpa_picture(object, type, times, group, col, object$trajectory$target), ...)
}
