#' A map from a normal law to data by matching statistics
#'
#' Trains a network that turns normal numbers into points whose statistics are those of the rows of `x`, by gradient
#' descent of
#' \describe{
#'   \item{`"characteristic"`}{\eqn{\sum_t |E e^{i t \cdot \phi(Z)} - E e^{i t \cdot X}|^2}{sum_t |E exp(i t phi(Z)) - E
#'   exp(i t X)|^2}
#'     over frequencies `t`;}
#'   \item{`"mmd"`}{squared maximum mean discrepancies with Gaussian kernels of several bandwidths, summed;}
#'   \item{`"energy"`}{the energy distance, which weighs all frequencies.}
#' }
#' Columns are brought to variance 1 first, frequencies excepted, which are in units of the columns.
#'
#' Statistics do not tell which of the maps with the same law is found. The network starts as the identity (a normal law
#' with the moments of `x`), which in one dimension leads to the increasing map. Frequencies that are multiples of
#' \eqn{2\pi} see values modulo 1 only, so that a shift changes nothing: `pin` holds the map at one point. They do not
#' see either how often values go round, and a wide law on the circle is nearly uniform: without `bounds` such a map is
#' found and kept.
#'
#' @param x Numeric matrix or data frame: the data, at least two rows.
#' @param statistic See above.
#' @param frequencies For `"characteristic"`, a matrix of frequencies, one row each (a vector for one column); or one
#'   whole number: how many are drawn afresh in each step, normal with standard deviations from 1/4 to 8 over that of
#'   the columns. `NULL`: 128.
#' @param bandwidth For `"mmd"`, bandwidths in units of columns of variance 1. `NULL`: the median distance times 1/4,
#'   1/2, 1.
#' @param pin `NULL`, or `list(z, x)`: base point and the row it is mapped to, exactly.
#' @param bounds `NULL`, or the ends between which values lie: two numbers, or a matrix of two rows, lower and upper.
#'   The network then gives logits.
#' @param start Standard deviations of the normal law that the map starts from, over those of `x` (with `bounds`: of the
#'   logits).
#' @inheritParams distill
#' @return An object of class `c("pushforward", "generator", "particle_flow")`, see [generator] for its methods.
#' @references
#' Cabannes V, Arnal C (2024). Touring sampling with pushforward maps. \doi{10.48550/arXiv.2311.13845}
#' @examples
#' # from a normal to a uniform law: the distribution function
#' set.seed(1)
#' u <- matrix(ppoints(500))
#' fit <- pushforward(u, frequencies = 2 * pi * 1:10, pin = list(0, 0.5), bounds = c(0, 1),
#'                    n_steps = 200)
#' z <- c(-1, 0, 1)
#' cbind(predict(fit, matrix(z)), pnorm(z))
#'
#' rings <- cbind(cos(1:300), sin(1:300)) * rep(1:2, 150)
#' fit <- pushforward(rings, "energy", n_steps = 100)
#' plot(fit, data = rings)
#' @export
pushforward <- function(x, statistic = c("characteristic", "mmd", "energy"), frequencies = NULL, bandwidth = NULL,
                        pin = NULL, bounds = NULL, start = 1, n_steps = 2000, batch = 512, rate = 0.005, hidden = NULL,
                        smoothing = 0, base_dim = NULL, check_every = 100, patience = 10, checkpoint = NULL,
                        threads = NULL, progress = NULL) {
  began <- seconds_now()
  check_progress(progress)
  statistic <- check_choice(statistic, c("characteristic", "mmd", "energy"), "statistic")
  read <- read_numbers(list(x = x), 2L, rescale = TRUE)
  in_units <- c(frequencies = !is.null(frequencies) && !is_count(frequencies), pin = !is.null(pin),
                bounds = !is.null(bounds))
  if (is_rescaled(read$template) && any(in_units)) {
    fail("`%s` must be left out where `x` has columns of numbers beyond 1e100 or below 1e-100; %s.",
         names(which(in_units))[1], "or bring these columns to another unit")
  }
  points <- unname(read$points$x)
  control <- generator_control(n_steps, batch, rate, hidden, smoothing, base_dim, check_every, patience, checkpoint,
                               threads, start, check_pin(pin, ncol(points), base_dim), check_bounds(bounds, points))
  place <- list(centre = colMeans(points), spread = column_spread(points))
  if (!is.null(control$pin)) control$pin$x <- to_frame(place, control$pin$x)
  if (!is.null(control$bounds)) control$bounds <- to_frame(place, control$bounds)
  scaled <- to_frame(place, points)
  field <- c(list(type = statistic, sample = scaled,
                  check = scaled[spaced_rows(nrow(scaled), check_points_count), , drop = FALSE]),
             pushforward_field(statistic, frequencies, bandwidth, scaled, place$spread))
  if (statistic == "characteristic" && is.null(field$frequencies)) field$check <- checked_frequencies(field)
  run <- new_generator_run("pushforward", record_call(match.call(), "pushforward"), place, field, control,
                           list(table = read$template))
  complete(take_seconds(run, began), progress)
}

# Frequencies that are drawn afresh in each step are scored at others, always the same.
checked_frequencies <- function(field) {
  t <- draw_normal(256L, ncol(field$sample), draw_key()) * rep(field$scales, length.out = 256)
  c(list(t = t), empirical_characteristic(field$sample, t))
}

frequency_scales <- 2^(-2:3)

drawn_frequencies <- 128L

# What the field needs for a statistic. scaled [n, d]: the data in units of `spread`.
pushforward_field <- function(statistic, frequencies, bandwidth, scaled, spread) {
  if (statistic != "characteristic" && !is.null(frequencies)) {
    fail("`frequencies` belong to statistic = \"characteristic\".")
  }
  if (statistic != "mmd" && !is.null(bandwidth)) fail("`bandwidth` belongs to statistic = \"mmd\".")
  switch(statistic, energy = NULL, mmd = list(bandwidths = pushforward_bandwidths(bandwidth, scaled)),
         characteristic = pushforward_frequencies(frequencies, scaled, spread))
}

pushforward_bandwidths <- function(bandwidth, scaled) {
  if (is.null(bandwidth)) return(median_distance(scaled, scaled[0, , drop = FALSE]) * c(0.25, 0.5, 1))
  if (!is.numeric(bandwidth) || !length(bandwidth) || !all(is.finite(bandwidth)) || any(bandwidth <= 0)) {
    fail("`bandwidth` must be positive numbers, not %s.", describe(bandwidth))
  }
  as.double(bandwidth)
}

pushforward_frequencies <- function(frequencies, scaled, spread) {
  if (is.null(frequencies)) frequencies <- drawn_frequencies
  d <- ncol(scaled)
  if (is_count(frequencies)) {
    return(list(count = check_rows(frequencies, "frequencies", nrow(scaled), 1L), scales = frequency_scales))
  }
  if (is.numeric(frequencies) && is.null(dim(frequencies)) && d == 1) frequencies <- matrix(frequencies)
  t <- check_points(frequencies, "frequencies", dim = d)
  # t x = (t spread) scaled + t centre: the phase of the centre is taken out of the goal
  t <- unname(sweep(t, 2, spread, "*"))
  list(frequencies = c(list(t = t), empirical_characteristic(scaled, t)))
}

check_pin <- function(pin, dim, base_dim) {
  if (is.null(pin)) return(NULL)
  if (!is.list(pin) || length(pin) != 2) {
    fail("`pin` must be list(z, x), a base point and its row, not %s.", describe(pin))
  }
  if (is.null(base_dim)) base_dim <- dim
  good <- is.numeric(pin[[1]]) && length(pin[[1]]) == base_dim && is.numeric(pin[[2]]) && length(pin[[2]]) == dim &&
    all(is.finite(unlist(pin)))
  if (!good) fail("`pin` must be list(z, x) with %d and %d finite numbers.", base_dim, dim)
  list(z = matrix(as.double(pin[[1]]), 1), x = matrix(as.double(pin[[2]]), 1))
}

check_bounds <- function(bounds, points) {
  if (is.null(bounds)) return(NULL)
  if (is.numeric(bounds) && is.null(dim(bounds)) && length(bounds) == 2) bounds <- matrix(bounds, 2, ncol(points))
  bounds <- unname(check_points(bounds, "bounds", dim = ncol(points)))
  if (nrow(bounds) != 2 || any(bounds[1, ] >= bounds[2, ])) {
    fail("`bounds` must be two numbers or two rows, the lower below the upper.")
  }
  range <- apply(points, 2, range)
  if (any(range[1, ] < bounds[1, ] | range[2, ] > bounds[2, ])) fail("`x` has values outside of `bounds`.")
  bounds
}
