# The network of a generator as a map from base draws z to points:
# G(z) = centre + spread * squash(start * z + N(z)). Without bounds squash(y) = y. N starts near 0, so that training
# starts from a normal law with independent columns. With start = 1 each column of it has the mean and the standard
# deviation of the goal. With bounds y is a logit, and values lie between the bounds. If there are more base dimensions
# than columns, the first ones enter by themselves, and all of them through N.

# Points [n, d] in units of the frame: (x - centre) / spread.
generate <- function(z, parameters, network, frame) squash(raw_points(z, parameters, network, frame), frame$bounds)

raw_points <- function(z, parameters, network, frame) {
  out <- .Call(C_pf_network_forward, parameters, network$widths, network$smoothing, z, thread_count())
  if (ncol(z) == ncol(out)) {
    out <- out + frame$start * z
  } else {
    shared <- seq_len(min(ncol(z), ncol(out)))
    out[, shared] <- out[, shared] + frame$start * z[, shared]
  }
  pin <- frame$pin
  if (is.null(pin)) return(out)
  sweep(out, 2, raw_points(pin$z, parameters, network, frame["start"]) - unsquash(pin$x, frame$bounds))
}

# bounds [2, d]: lower and upper ends in units of the frame.
squash <- function(y, bounds) {
  if (is.null(bounds)) return(y)
  sweep(sweep(stats::plogis(y), 2, bounds[2, ] - bounds[1, ], "*"), 2, bounds[1, ], "+")
}

unsquash <- function(x, bounds) {
  if (is.null(bounds)) return(x)
  stats::qlogis(sweep(sweep(x, 2, bounds[1, ]), 2, bounds[2, ] - bounds[1, ], "/"))
}

# d squash / d y, from x = squash(y).
squash_slope <- function(x, bounds) {
  width <- bounds[2, ] - bounds[1, ]
  share <- sweep(sweep(x, 2, bounds[1, ]), 2, width, "/")
  sweep(share * (1 - share), 2, width, "*")
}

from_frame <- function(frame, x) unscale_columns(x, frame$centre, frame$spread)

to_frame <- function(frame, x) shift_columns(x, frame$centre, frame$spread)

# Base draws [n, dim] of one step or one block, a function of the key and the stream alone. For training in one
# dimension they are stratified: one draw in each of n intervals of equal probability.
base_draws <- function(n, dim, key, stream, stratified = FALSE) {
  if (!stratified || dim > 1) return(draw_normal(n, dim, key, stream))
  matrix(stats::qnorm((seq_len(n) - draw_uniform(n, 1L, key, stream)[, 1]) / n))
}

# Streams of the random numbers: 0 for the start of the network, 1 for the scores, then three for each step.
step_stream <- function(run, which) 3L * run$state$step + 1L + which
