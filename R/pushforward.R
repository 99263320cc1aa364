#' A map from a normal law to data by matching statistics
#'
#' Trains a network that turns independent standard normal numbers into points like the rows of `x`. Training makes a
#' distance between the two laws (distributions) small, by gradient descent. The distance is one of
#' \describe{
#'   \item{`"characteristic"`}{\eqn{\sum_t |E e^{i t \cdot \phi(Z)} - E e^{i t \cdot X}|^2}{sum_t |E exp(i t phi(Z)) - E
#'   exp(i t X)|^2}
#'     over frequencies `t`, where \eqn{\phi} is the network and \eqn{Z} is standard normal;}
#'   \item{`"mmd"`}{the sum of squared maximum mean discrepancies with Gaussian kernels of several bandwidths;}
#'   \item{`"energy"`}{the energy distance, which weighs all frequencies.}
#' }
#' The columns are brought to variance 1 first. Only the given `frequencies`, `pin` and `bounds` are in the units of the
#' columns. [distill()] tells how the network is scored and when training ends. Here the score is the statistic itself,
#' computed with at most 2000 rows of `x` for `"energy"` and `"mmd"`. A step compares `batch` points with as many rows
#' of `x`, which are drawn anew. So its time hardly grows with the number of rows.
#'
#' Many maps lead from the normal law to the law of `x`. Which of them is found depends on the start. Without `bounds`,
#' the points of the network have at the start nearly a normal law with independent columns, with the means and the
#' standard deviations of `x`. In one dimension this start leads to the increasing map.
#'
#' If all frequencies are multiples of \eqn{2\pi}, the distance depends on the values modulo 1 only, as if they lay on a
#' circle of length 1. If `x` is uniform on this circle, a shift of all values changes nothing; `pin` fixes the map at
#' one point. A law that is many times as wide as the circle is also nearly uniform on it. Give `bounds` in this case,
#' because training may otherwise stay at such a wide law.
#'
#' @param x Numeric matrix or data frame with the data, at least two rows and no missing values.
#' @param statistic `"characteristic"`, `"mmd"` or `"energy"`, see Details.
#' @param frequencies For `"characteristic"`. A matrix of frequencies with one row per frequency and one column per
#'   column of `x` (a vector if `x` has one column); columns are matched by name if both have names. Or one whole
#'   number: that many frequencies are drawn anew in each step. They are normal; their standard deviations are 1/4, 1/2,
#'   1, 2, 4 and 8 divided by those of the columns. `NULL`: 128.
#' @param bandwidth For `"mmd"`, positive bandwidths, in units in which the columns have variance 1. `NULL`: 1/4, 1/2
#'   and 1 times the median distance between rows.
#' @param pin `NULL`, or `list(z, x)`: a base point and the row to which it is mapped, exactly. The entries of the row
#'   are matched to the columns by name if both have names.
#' @param bounds `NULL`, or the ends between which values lie: two numbers, or a matrix of two rows (lower and upper)
#'   with one column per column of `x`; columns are matched by name if both have names. All rows of `x` must lie within
#'   them. The network then gives logits.
#' @param start Standard deviation of the normal law that the map starts from, at least 0, in units of the standard
#'   deviations of `x`. With `bounds`: standard deviation of the logits.
#' @inheritParams distill
#' @return An object of class `c("pushforward", "generator", "particle_flow")`. See [generator] for its methods.
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
  columns <- colnames(read$points$x)
  control <- generator_control(n_steps, batch, rate, hidden, smoothing, base_dim, check_every, patience, checkpoint,
                               threads, start, check_pin(pin, columns, ncol(points), base_dim),
                               check_bounds(bounds, points, columns))
  place <- list(centre = colMeans(points), spread = column_spread(points))
  if (!is.null(control$pin)) control$pin$x <- to_frame(place, control$pin$x)
  if (!is.null(control$bounds)) control$bounds <- to_frame(place, control$bounds)
  scaled <- to_frame(place, points)
  field <- c(list(type = statistic, sample = scaled,
                  check = scaled[spaced_rows(nrow(scaled), check_points_count), , drop = FALSE]),
             pushforward_field(statistic, frequencies, bandwidth, scaled, place$spread, columns))
  check_generator_size(control, ncol(points), field)
  if (statistic == "characteristic" && is.null(field$frequencies)) field$check <- checked_frequencies(field)
  run <- new_generator_run("pushforward", record_call(match.call(), "pushforward"), place, field, control,
                           list(table = read$template))
  complete(take_seconds(run, began), progress)
}

# If frequencies are drawn anew in each step, the score uses other frequencies, which stay the same.
checked_frequencies <- function(field) {
  t <- draw_normal(256L, ncol(field$sample), draw_key()) * rep(field$scales, length.out = 256)
  c(list(t = t), empirical_characteristic(field$sample, t))
}

frequency_scales <- 2^(-2:3)

drawn_frequencies <- 128L

# The settings of the field for a statistic. scaled [n, d]: the data in units of the frame. spread [d]. columns: the
# names of the columns, NULL if they have none.
pushforward_field <- function(statistic, frequencies, bandwidth, scaled, spread, columns) {
  if (statistic != "characteristic" && !is.null(frequencies)) {
    fail("`frequencies` belong to statistic = \"characteristic\".")
  }
  if (statistic != "mmd" && !is.null(bandwidth)) fail("`bandwidth` belongs to statistic = \"mmd\".")
  switch(statistic, energy = NULL, mmd = list(bandwidths = pushforward_bandwidths(bandwidth, scaled)),
         characteristic = pushforward_frequencies(frequencies, scaled, spread, columns))
}

pushforward_bandwidths <- function(bandwidth, scaled) {
  if (is.null(bandwidth)) return(median_distance(scaled, scaled[0, , drop = FALSE]) * c(0.25, 0.5, 1))
  if (!is.numeric(bandwidth) || !length(bandwidth) || !all(is.finite(bandwidth)) || any(bandwidth <= 0)) {
    fail("`bandwidth` must be positive numbers, not %s.", describe(bandwidth))
  }
  as.double(bandwidth)
}

pushforward_frequencies <- function(frequencies, scaled, spread, columns) {
  if (is.null(frequencies)) frequencies <- drawn_frequencies
  d <- ncol(scaled)
  if (is_count(frequencies)) {
    return(list(count = check_rows(frequencies, "frequencies", nrow(scaled), 1L), scales = frequency_scales))
  }
  if (is.numeric(frequencies) && is.null(dim(frequencies)) && d == 1) frequencies <- matrix(frequencies)
  t <- check_named_points(frequencies, "frequencies", columns, d, min_rows = 1L)
  # t x = (t spread) scaled + t centre: the phase t centre is the same on both sides and is left out
  t <- unname(sweep(t, 2, spread, "*"))
  list(frequencies = c(list(t = t), empirical_characteristic(scaled, t)))
}

# columns: the names of the columns of `x`, NULL if they have none.
check_pin <- function(pin, columns, dim, base_dim) {
  if (is.null(pin)) return(NULL)
  if (!is.list(pin) || length(pin) != 2) {
    fail("`pin` must be list(z, x), a base point and its row, not %s.", describe(pin))
  }
  if (setequal(names(pin), c("z", "x"))) pin <- pin[c("z", "x")]
  if (is.null(base_dim)) base_dim <- dim
  good <- is.numeric(pin[[1]]) && length(pin[[1]]) == base_dim && is.numeric(pin[[2]]) && length(pin[[2]]) == dim &&
    all(is.finite(unlist(pin)))
  if (!good) fail("`pin` must be list(z, x) with %d and %d finite numbers.", base_dim, dim)
  row <- if (NROW(pin[[2]]) == 1 && dim > 1) pin[[2]] else row_of(pin[[2]])
  list(z = matrix(as.double(pin[[1]]), 1), x = unname(check_named_points(row, "pin$x", columns, dim)))
}

check_bounds <- function(bounds, points, columns) {
  if (is.null(bounds)) return(NULL)
  if (is.numeric(bounds) && is.null(dim(bounds)) && length(bounds) == 2) bounds <- matrix(bounds, 2, ncol(points))
  bounds <- unname(check_named_points(bounds, "bounds", columns, ncol(points)))
  if (nrow(bounds) != 2 || any(bounds[1, ] >= bounds[2, ])) {
    fail("`bounds` must be two numbers or two rows, the lower below the upper.")
  }
  range <- column_ranges(points)
  if (any(range[1, ] < bounds[1, ] | range[2, ] > bounds[2, ])) fail("`x` has values outside of `bounds`.")
  bounds
}
