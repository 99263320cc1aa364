# Random numbers: keys drawn from R's generator, and draws that are a pure function of a key, a stream and a row.

# Follows stats::simulate(): sets the seed until the calling function ends, and returns the value of the attribute
# "seed" of the new rows. Without a seed, R's stream continues, and its state is returned. With `fixed` the seed
# means the same numbers whatever RNGkind() is set; R's kinds are restored with its stream.
stream_within <- function(seed, fixed = FALSE, frame = parent.frame()) {
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) stats::runif(1)
  before <- get(".Random.seed", envir = globalenv())
  if (is.null(seed)) return(before)
  check_seed(seed)
  do.call(on.exit, list(bquote(assign(".Random.seed", .(before), envir = globalenv())), add = TRUE), envir = frame)
  if (fixed) set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection") else set.seed(seed)
  structure(seed, kind = as.list(RNGkind()))
}

check_seed <- function(seed) {
  good <- is.numeric(seed) && length(seed) == 1 && !is.na(seed) && seed == round(seed) &&
    abs(seed) <= .Machine$integer.max
  if (!good) fail("`seed` must be NULL or one whole number, not %s.", describe(seed))
}

# Runs draw() from `seed`, which means the same whatever RNGkind() is set. The stream is restored afterwards.
with_stream <- function(seed, draw) {
  stream_within(seed, fixed = TRUE)
  draw()
}

# Runs draw() with the seed `seed` under R's default generators, whatever the user has set. R's own stream and
# generators are restored afterwards.
with_own_stream <- function(seed, draw) {
  force(seed) # it may itself be drawn
  before <- get0(".Random.seed", globalenv(), inherits = FALSE)
  kinds <- RNGkind()
  on.exit({
    suppressWarnings(do.call(RNGkind, as.list(kinds))) # "Rounding" warns
    if (is.null(before)) {
      suppressWarnings(rm(".Random.seed", envir = globalenv())) # draw() may have removed it
    } else {
      assign(".Random.seed", before, envir = globalenv())
    }
  })
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  draw()
}

# The value of an expression that calls a function of the user. The function may draw random numbers or change the
# generators: it has a stream of its own, which is the same for the same seed. What the expression is given must be
# forced before.
on_own_stream <- function(value, seed = 0L) with_own_stream(seed, function() value)

# n seeds from a key. The first ones do not depend on n.
key_seeds <- function(key, n) floor(draw_uniform(n, 1, key)[, 1] * .Machine$integer.max)

# New rows with the attribute "seed". A matrix gets a class whose print() shows only the rows.
mark_seed <- function(rows, seed) {
  rows <- set_attribute(rows, "seed", seed)
  if (is.matrix(rows)) class(rows) <- c("simulated_matrix", "matrix", "array")
  rows
}

# A data.table gets attributes by reference, because attr<- would remove its spare columns.
set_attribute <- function(x, name, value) {
  if (inherits(x, "data.table") && requireNamespace("data.table", quietly = TRUE)) {
    data.table::setattr(x, name, value)
  } else {
    attr(x, name) <- value
  }
  x
}

#' @export
print.simulated_matrix <- function(x, ...) {
  shown <- unclass(x)
  attributes(shown) <- attributes(shown)[intersect(names(attributes(shown)), c("dim", "dimnames"))]
  print(shown, ...)
  others <- setdiff(names(attributes(x)), c("dim", "dimnames", "class", "seed"))
  if (length(others)) cat("with attributes ", paste0("\"", others, "\"", collapse = ", "), "\n", sep = "")
  invisible(x)
}

# A key for the counter-based generator, drawn from R's generator, so that set.seed() determines it.
draw_key <- function() {
  as.integer(floor(stats::runif(2) * 2^32) - 2^31)
}

# Another key for each pair of whole numbers. Sums of keys could leave the range of integers.
other_key <- function(key, i, j = 0L) c(bitwXor(key[1], as.integer(j)), bitwXor(key[2], as.integer(i)))

# [n, m] matrices. Row i depends only on (key, stream, i).
draw_uniform <- function(n, m, key, stream = 0L) {
  .Call(C_pf_draw_uniform, as.integer(n), as.integer(m), key, stream, thread_count())
}

# [n, m]: uniform numbers that depend on the content of each row of x [n, k] alone, so that equal rows get equal ones.
draw_of_rows <- function(x, m, key, stream = 0L) .Call(C_pf_draw_of_rows, x, as.integer(m), key, stream)

draw_normal <- function(n, m, key, stream = 0L) {
  .Call(C_pf_draw_normal, as.integer(n), as.integer(m), key, stream, thread_count())
}

# Indices 1 .. size from uniform numbers.
pick <- function(uniform, size) pmin(floor(uniform * size) + 1, size)

# Of each row of weights the column at which their sum passes the share u of the whole: each has the probability that is
# proportional to its weight.
pick_column <- function(weights, u) {
  wanted <- u * rowSums(weights)
  so_far <- 0
  column <- rep(1L, nrow(weights))
  for (k in seq_len(ncol(weights) - 1)) {
    so_far <- so_far + weights[, k]
    column <- column + (wanted >= so_far)
  }
  column
}

pick_weighted <- function(uniform, weights) pmin(findInterval(uniform, cumsum(weights)) + 1L, length(weights))

draw_shell <- function(n, centre, radius, kind, s, key, threads) {
  .Call(C_pf_draw_shell, as.integer(n), as.double(centre), as.double(radius), kind, s, key, threads)
}

# Noise [n, d] from the kernel of width 1. It uses the stream `stream` and the next one.
draw_kernel <- function(kernel, n, d, key, stream) {
  if (kernel == "laplace") draw_laplace(n, d, key, stream, stream + 1L) else draw_normal(n, d, key, stream)
}

# Draws with density proportional to exp(-|z|): a uniform direction, and a radius that is a sum of d exponential
# variables.
draw_laplace <- function(n, d, key, stream, radius_stream) {
  direction <- draw_normal(n, d, key, stream)
  direction / sqrt(rowSums(direction^2)) * -rowSums(log(draw_uniform(n, d, key, radius_stream)))
}

# Unit vectors, one per row. In one dimension all of them give the same result, so there is only one.
draw_directions <- function(n, dim) {
  if (dim == 1) return(matrix(1, n, 1))
  z <- matrix(stats::rnorm(n * dim), n, dim)
  z / sqrt(rowSums(z^2))
}

# [dim, count]: sets of `size` orthogonal unit vectors, each set turned at random.
orthogonal_directions <- function(dim, count, key, step, size = dim) {
  if (dim == 1) return(matrix(1))
  sets <- count / size
  .Call(C_pf_orthonormal_sets, matrix(t(draw_normal(sets, dim * size, key, step)), dim), as.integer(size))
}

# Rows that represent a pooled table: all rows if there are at most `most`, and evenly spaced rows otherwise.
spaced_rows <- function(n, most) {
  if (n <= most) seq_len(n) else round(seq(1, n, length.out = most))
}

# base::sample() of a vector, also of one number.
sample_rows <- function(x, size = length(x)) x[base::sample.int(length(x), size)]

# n row numbers out of m in random order. The numbers of times that two rows occur differ by at most one.
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
partial_permutation <- function(m, u) .Call(C_pf_partial_permutation, as.integer(m), u)

# Whole numbers with the sum of `expected`, which is whole. Each differs from its expected value by less than one. Over
# uniform u each has the mean that `expected` gives.
systematic_counts <- function(expected, u) {
  total <- round(sum(expected))
  diff(c(0, pmin(ceiling(cumsum(expected)[-length(expected)] - u), total), total))
}
