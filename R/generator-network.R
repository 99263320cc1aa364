# The network of a generator as a map from base draws z to points:
# G(z) = centre + spread * squash(start * z + N(z)). Without bounds squash(y) = y. N starts near 0, so that training
# starts from the law of z in the first columns. Normal z with start = 1 have the mean and the standard deviation of the
# goal in each column, and z from a mixture that was fitted to the goal (frame$base) have its modes. With bounds y is a
# logit, and values lie between the bounds. If there are more base dimensions than columns, the first ones enter by
# themselves, and all of them through N.

# Points [n, d] in units of the frame, (x - centre) / spread, at base points z.
generate <- function(z, parameters, network, frame) {
  .Call(C_pf_generator_points, parameters, network$widths, network$smoothing,
        core_frame(parameters, network, frame), z, thread_count())
}

# The same in the units of the user.
generated_points <- function(z, network, frame) {
  .Call(C_pf_generator_points, network$parameters, network$widths, network$smoothing,
        core_frame(network$parameters, network, frame, frame$centre, frame$spread), z, thread_count())
}

# n draws in the units of the user. Each generator_block of them have a stream of random numbers; the first one is 3.
generated_draws <- function(n, network, frame, key) {
  mixture <- if (!is.null(frame$base)) packed_base(frame$base)
  .Call(C_pf_generator_draws, network$parameters, network$widths, network$smoothing,
        core_frame(network$parameters, network, frame, frame$centre, frame$spread), n, mixture,
        other_key(key, base_label), key, list(first = 3L, step = 3L, rows = generator_block), thread_count())
}

# The frame as the core reads it. What there is not has no numbers.
core_frame <- function(parameters, network, frame, centre = double(), spread = double()) {
  pin <- frame$pin
  bounds <- frame$bounds
  # the point of the network at the base point of the pin less the one that is wanted
  shift <- if (!is.null(pin)) generate(pin$z, parameters, network, frame["start"]) - unsquash(pin$x, bounds)
  list(start = as.double(frame$start), shift = as.double(shift), low = as.double(bounds[1, ]),
       high = as.double(bounds[2, ]), centre = as.double(centre), spread = as.double(spread))
}

# bounds [2, d]: lower and upper ends in units of the frame.
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

# Base draws [n, dim] of one step or one block, a function of the key and the stream alone. With a mixture as their law,
# they are in units of the frame. Normal draws in one dimension are stratified for training: one in each of n intervals
# of equal probability.
base_draws <- function(n, network, frame, key, stream, stratified = FALSE) {
  dim <- network$widths[1]
  if (!is.null(frame$base)) {
    return(.Call(C_pf_draw_components, as.integer(n), packed_base(frame$base), other_key(key, base_label), stream,
                 key, stream, thread_count()))
  }
  if (!stratified || dim > 1) return(draw_normal(n, dim, key, stream))
  matrix(stats::qnorm((seq_len(n) - draw_uniform(n, 1L, key, stream)[, 1]) / n))
}

# The mixture of the base points as the core reads it.
packed_base <- function(base) mixture_components(base)[mixture_members]

# The components of draws of a mixture come from a key of their own.
base_label <- 5L

# Streams of the random numbers: 0 for the start of the network, 1 for the scores, then three for each step.
step_stream <- function(run, which) 3L * run$state$step + 1L + which

# This many rows have streams of random numbers of their own.
generator_block <- 8192L

# lapply() over the blocks of n rows: f(rows, block).
generator_blocks <- function(n, f) {
  lapply(seq_len(ceiling(n / generator_block)), function(block) {
    f(seq((block - 1) * generator_block + 1, min(n, block * generator_block)), block)
  })
}
