# The margin of a column: its distribution function F, which turns values into normal scores and back.

# A margin is a list of
#   x, z   knots of z = qnorm(F(x)), linear between them; x does not decrease, z increases. Where two knots have the
#          same x, this value has a positive probability (an atom): its scores are all numbers between the two z
#   open   c(lower, upper): whether F continues beyond the first and the last knot
#   unit   NULL, or list(size, offset, digits): values are multiples of `size` from `offset`. The scores of a value are
#          then those of its cell, half a unit to each side
#   ends   c(lower, upper): no value lies beyond them
#   power  NULL, or a number: the knots are those of x / 2^power
#   loose  NULL, or what loose_ends() says of ends that are not sure
# F is that of the recorded values: smooth where they are dense, with an atom at each value that is recorded more often
# than its neighbours let expect.

# Scores beyond this one have probabilities below 1e-300.
largest_score <- 37

# x: numbers without NA. lower, upper: ends of F; values beyond them cannot come out. only: whether no other value than
# those of x can come out.
fit_margin <- function(x, lower = -Inf, upper = Inf, only = FALSE) {
  unit <- if (!only) recorded_unit(x)
  ends <- if (is.null(unit)) c(lower, upper) else unit_ends(lower, upper, unit)
  values <- sort(unique(x))
  counts <- tabulate(match(x, values), length(values))
  power <- number_power(x)$power
  small <- function(x) times_power(x, power, -1)
  if (only || has_small_support(values, counts, unit) || any(small(values) == 0 & values != 0)) {
    return(c(support_margin(values, counts, unit), list(unit = unit, ends = ends)))
  }
  c(heaped_margin(small(x), small(values), counts, unit, small(ends)), list(unit = unit, ends = ends, power = power))
}

# The least and the largest multiple of the unit between two numbers.
unit_ends <- function(lower, upper, unit) {
  steps <- c(ceiling((lower - unit$offset) / unit$size - 1e-6), floor((upper - unit$offset) / unit$size + 1e-6))
  round(unit$offset + steps * unit$size, unit$digits)
}

# Whole multiples of a unit up to this one still have exact halves between them.
largest_unit <- 2^50

# The unit of recorded numbers: at most six decimals, and all differences multiples of the unit. NULL: none.
recorded_unit <- function(x, most_digits = 6L) {
  values <- unique(x)
  if (length(values) < 2 || max(abs(values)) > largest_unit) return(NULL)
  digits <- Find(function(k) all(round(values, k) == values), 0:most_digits)
  if (is.null(digits)) return(NULL)
  steps <- round((values - min(values)) * 10^digits)
  if (max(abs(values)) * 10^digits > largest_unit) return(NULL)
  size <- Reduce(greatest_divisor, unique(steps)) / 10^digits
  unit <- list(size = size, offset = round(min(values) %% size, digits), digits = digits)
  if (all(to_unit(values, unit) == values)) unit
}

greatest_divisor <- function(a, b) {
  while (b > 0) {
    rest <- a %% b
    a <- b
    b <- rest
  }
  a
}

to_unit <- function(x, unit) round(unit$offset + round((x - unit$offset) / unit$size) * unit$size, unit$digits)

# Few different values, each of them often: every value is an atom.
has_small_support <- function(values, counts, unit) {
  k <- length(values)
  n <- sum(counts)
  # where an end is rare, values beyond it may follow; so may others where values without a grid stand once
  on_grid <- !is.null(unit) && diff(range(values)) <= 20 * k * unit$size
  closed <- (k <= 5 && (on_grid || min(counts) >= 2)) || min(counts[c(1, k)]) >= 4
  k <= 2 || (closed && ((k <= 60 && n >= 10 * k) || (k <= 12 && n >= 4 * k)))
}

# Whether values other than those of a few atoms cannot come out.
is_support <- function(margin) !any(margin$open) && length(margin$x) == 2 * length(unique(margin$x))

# Atoms at all values that were seen. Between them, values of the unit that were not seen get together the probability
# of one half of a row, in proportion to their neighbours.
support_margin <- function(values, counts, unit) {
  p <- counts / sum(counts)
  if (!is.null(unit)) {
    cells <- seq(0, round((max(values) - min(values)) / unit$size))
    if (length(cells) <= 4 * length(values)) {
      whole <- to_unit(min(values) + cells * unit$size, unit)
      p <- stats::approx(values, p, whole)$y * ifelse(whole %in% values, 1, 0.5 / sum(counts))
      p[whole %in% values] <- counts / sum(counts)
      values <- whole
    }
  }
  p <- p / sum(p)
  below <- cumsum(c(0, p))
  above <- rev(cumsum(c(0, rev(p))))
  edges <- score_of(below, above)
  list(x = rep(values, each = 2), z = rep(edges, c(1, rep(2, length(values) - 1), 1)), open = c(FALSE, FALSE))
}

# z with pnorm(z) = below and 1 - pnorm(z) = above.
score_of <- function(below, above) {
  below <- pmin(pmax(below, 0), 1)
  above <- pmin(pmax(above, 0), 1)
  z <- ifelse(below < above, stats::qnorm(below), -stats::qnorm(above))
  pmin(pmax(z, -largest_score), largest_score)
}

# Atoms at heaps, and a smooth part for the other values.
# ends: c(lower, upper). A value at an end is an atom, because a smooth part has no probability there. Values with a
# unit have cells, so they need no atom.
heaped_margin <- function(x, values, counts, unit, ends) {
  coarse <- coarse_unit(values, counts, unit)
  if (!is.null(coarse)) {
    margin <- coarse_margin(x, values, counts, unit, coarse, ends)
    if (!is.null(margin)) return(margin)
  }
  heaps <- values %in% find_heaps(values, counts, unit) | (is.null(unit) & values %in% ends)
  rest <- x[!x %in% values[heaps]]
  if (length(unique(rest)) < 3) return(support_margin(values, counts, NULL))
  half <- if (is.null(unit)) 0 else unit$size / 2
  smooth <- smooth_margin(rest, unit, ends[1] - half, ends[2] + half)
  if (is.null(smooth)) return(support_margin(values, counts, NULL))
  if (!any(heaps)) return(smooth)
  at <- values[heaps]
  p <- beside_smooth(counts[heaps] / length(x), cell_mass(smooth, at, half))
  add_atoms(smooth, at[p > 0], p[p > 0])
}

# The probability that a margin gives to numbers up to `half` from each of `at`.
cell_mass <- function(margin, at, half) {
  if (half == 0) return(numeric(length(at)))
  stats::pnorm(margin_limit(margin, at + half)) - stats::pnorm(margin_limit(margin, at - half))
}

# What is added to a smooth part, which has `mass` there, so that atoms have the probabilities p in all.
beside_smooth <- function(p, mass) pmax(p - min((1 - sum(p)) / max(1 - sum(mass), 1e-9), 1) * mass, 0)

# A mixture: rows that are rounded to the coarse unit, and rows that are not. Both have the same smooth distribution,
# but for heaps among the rounded ones. NULL: there is no smooth distribution, or the multiples are too many.
coarse_margin <- function(x, values, counts, unit, coarse, ends) {
  on <- on_grid(values, coarse$size, unit$size)
  heaps <- find_heaps(values[on], counts[on], coarse)
  rest <- x[!x %in% heaps]
  if (length(unique(rest)) < 3) return(NULL)
  smooth <- smooth_margin(rest, coarse, ends[1] - unit$size / 2, ends[2] + unit$size / 2)
  if (is.null(smooth)) return(NULL)
  outer <- range(values, margin_values(c(smooth, list(ends = ends)), c(-1, 1) * stats::qnorm(1e-5)))
  outer <- c(ceiling(outer[1] / coarse$size - 1e-6), floor(outer[2] / coarse$size + 1e-6))
  if (diff(outer) >= most_coarse_cells) return(NULL)
  cells <- seq(outer[1], outer[2])
  at <- to_unit(cells * coarse$size, coarse)
  mass <- cell_mass(smooth, at, coarse$size / 2)
  known <- match(heaps, at)
  p <- coarse$share * mass * length(rest) / length(x) / (1 - sum(mass[known]))
  p[known] <- counts[match(heaps, values)] / length(x)
  add_atoms(smooth, at[p > 0], p[p > 0])
}

most_coarse_cells <- 1000L

# The margin with atoms at `at` of probabilities `p`; its own probability is 1 - sum(p).
add_atoms <- function(margin, at, p) {
  weight <- 1 - sum(p)
  x <- sort(c(margin$x, at, at))
  jump <- c(FALSE, diff(x) == 0 & x[-1] %in% at) # the second of two equal knots
  own <- margin_limit(margin, x)
  passed <- function(x, strictly) {
    vapply(x, function(one) sum(p[if (strictly) at < one else at <= one]), 0)
  }
  atom_below <- passed(x, TRUE) + ifelse(jump, p[match(x, at)], 0)
  below <- weight * stats::pnorm(own) + atom_below
  above <- weight * stats::pnorm(own, lower.tail = FALSE) + sum(p) - atom_below
  z <- cummax(score_of(below, above))
  # of knots with the same z, the one of an atom stays
  first <- order(z, !x %in% at)
  keep <- sort(first[!duplicated(z[first])])
  list(x = x[keep], z = z[keep], open = margin$open)
}

# ---- the smooth part -------------------------------------------------------------------------------------

# Kernel estimate with Pareto tails, on the scale and with the bandwidth that predict left-out values best. Ends of F
# that the scale does not know cut it off. NULL: the values are too far apart for doubles.
smooth_margin <- function(x, unit, lower, upper) {
  scales <- margin_scales(x, lower, upper)
  best <- NULL
  for (scale in scales) {
    t <- scale$to(x)
    if (!identical(scale$to, identity) && diff(range(t)) < 1e-10 * max(abs(t))) next # doubles are too coarse for it
    least <- if (is.null(unit)) 0 else 0.6 * unit$size * max(abs(scale$slope(stats::median(x))), 1e-300)
    usual <- stats::bw.nrd0(t)
    stretch <- mean(log(abs(scale$slope(x))))
    sorted <- sort(t, method = "radix")
    for (width in unique(pmax(c(0.2, 0.4, 0.7, 1) * usual, least))) {
      value <- left_out_density(sorted, width) + stretch
      if (is.finite(value) && (is.null(best) || value > best$value)) {
        best <- list(scale = scale, times = width / usual, value = value)
      }
    }
  }
  if (is.null(best)) return(NULL)
  map <- normalising_map(best$scale$to(x), best$times, tail = fitted_tail)
  knots <- best$scale$back(map$x)
  keep <- is.finite(knots) & c(TRUE, diff(knots) > least_gap)
  margin <- list(x = knots[keep], z = map$z[keep], open = c(TRUE, TRUE))
  if (!identical(best$scale$to, identity)) {
    if (is.infinite(upper)) margin <- own_tail(margin, x, best$times)
    if (is.infinite(lower)) margin <- mirror(own_tail(mirror(margin), -x, best$times))
  }
  cut_margin(margin, lower, upper)
}

# The margin with the upper tail of the values themselves, because a Pareto tail of their logarithms has no mean.
own_tail <- function(margin, x, times) {
  tail <- fitted_tail(x, times * stats::bw.nrd0(x))
  inside <- margin$x <= tail$threshold
  if (sum(inside) < 2) return(margin)
  passed <- stats::pnorm(margin_limit(margin, tail$threshold), lower.tail = FALSE, log.p = TRUE)
  z <- stats::qnorm(tail$log_p - tail$log_p[1] + passed, lower.tail = FALSE, log.p = TRUE)
  x <- c(margin$x[inside], tail$threshold, tail$x)
  z <- c(margin$z[inside], z)
  keep <- c(TRUE, diff(x) > least_gap & diff(z) > 0)
  list(x = x[keep], z = z[keep], open = margin$open)
}

mirror <- function(margin) list(x = -rev(margin$x), z = -rev(margin$z), open = rev(margin$open))

# The scales on which the values may be smoothed: as they are, and the logarithm of the distance from an end.
margin_scales <- function(x, low, high) {
  scales <- list(list(to = identity, back = identity, slope = function(x) rep(1, length(x))))
  if (is.finite(low) && is.finite(high) && min(x) > low && max(x) < high) {
    scales <- c(scales, list(list(
      to = function(x) log((x - low) / (high - x)), back = function(t) low + (high - low) * stats::plogis(t),
      slope = function(x) (high - low) / ((x - low) * (high - x))
    )))
  } else if (is.finite(low) && min(x) > low) {
    scales <- c(scales, list(list(
      to = function(x) log(x - low), back = function(t) low + exp(t), slope = function(x) 1 / (x - low)
    )))
  } else if (is.finite(high) && max(x) < high) {
    scales <- c(scales, list(list(
      to = function(x) -log(high - x), back = function(t) high - exp(-t), slope = function(x) 1 / (high - x)
    )))
  }
  scales
}

# Mean log-density of each value under the kernel estimate of the others, on a grid. t: increasing.
left_out_density <- function(t, width) if (width > 0) .Call(C_pf_left_out_density, as.double(t), width) else NaN

# The margin given that the value lies between the ends.
cut_margin <- function(margin, lower, upper) {
  if (is.infinite(lower) && is.infinite(upper)) return(margin)
  below <- stats::pnorm(margin_limit(margin, lower))
  above <- stats::pnorm(margin_limit(margin, upper), lower.tail = FALSE)
  inside <- margin$x[margin$x > lower & margin$x < upper]
  if (length(inside) < 2) inside <- c(inside, seq(max(lower, margin$x[1]), min(upper, max(margin$x)), length.out = 9))
  inside <- c(lower + halvings(min(inside) - lower), inside, upper - halvings(upper - max(inside)))
  x <- sort(unique(inside[is.finite(inside) & inside > lower & inside < upper]))
  own <- margin_limit(margin, x)
  z <- score_of((stats::pnorm(own) - below) / (1 - below - above),
                (stats::pnorm(own, lower.tail = FALSE) - above) / (1 - below - above))
  x <- c(if (is.finite(lower)) lower, x, if (is.finite(upper)) upper)
  z <- c(if (is.finite(lower)) -largest_score, z, if (is.finite(upper)) largest_score)
  keep <- c(TRUE, diff(z) > 0 & diff(x) > least_gap)
  if (is.finite(upper)) keep[length(keep)] <- TRUE
  list(x = x[keep], z = z[keep], open = c(is.infinite(lower), is.infinite(upper)))
}

# Knots closer than this have no slope among doubles.
least_gap <- 1e-300

# Distances from an end at which the margin has knots: z falls to -Inf there like the logarithm of the distance.
halvings <- function(distance) distance * 2^-(1:40)

# ---- scores and values -----------------------------------------------------------------------------------

# z at x: the limit from the left, or from the right. Beyond closed ends: the end.
margin_limit <- function(margin, x, right = FALSE) {
  x <- times_power(x, margin$power, -1)
  k <- length(margin$x)
  piece <- findInterval(x, margin$x, left.open = !right)
  inner <- pmin(pmax(piece, 1L), k - 1L)
  slope <- (margin$z[inner + 1L] - margin$z[inner]) / (margin$x[inner + 1L] - margin$x[inner])
  z <- margin$z[inner] + slope * (x - margin$x[inner])
  outside <- piece == 0 | piece == k
  if (any(outside)) z[outside] <- outer_limit(margin, x, piece, z)[outside]
  pmin(pmax(z, -largest_score), largest_score)
}

outer_limit <- function(margin, x, piece, z) {
  k <- length(margin$x)
  low <- if (margin$open[1]) end_slope(margin, 1) * (x - margin$x[1]) + margin$z[1] else margin$z[1]
  high <- if (margin$open[2]) end_slope(margin, k) * (x - margin$x[k]) + margin$z[k] else margin$z[k]
  ifelse(piece == 0, low, high)
}

# dz/dx of the first or the last piece with a slope.
end_slope <- function(margin, end) {
  slopes <- diff(margin$z) / diff(margin$x)
  slopes <- slopes[is.finite(slopes)]
  if (!length(slopes)) 0 else if (end == 1) slopes[1] else slopes[length(slopes)]
}

# [n, 2]: the scores of each value lie between these two. They are equal for a value without probability of its own.
score_range <- function(margin, x) {
  if (is.null(margin$unit)) {
    low <- margin_limit(margin, x)
    high <- margin_limit(margin, x, right = TRUE)
    # at a knot the two pieces can differ by a rounding error, which is no atom
    return(cbind(low, ifelse(high - low > 1e-12 * (1 + abs(low)), high, low), deparse.level = 0))
  }
  unit <- margin$unit
  cell <- round((x - unit$offset) / unit$size) # so that neighbouring cells have exactly one end in common
  cbind(margin_limit(margin, unit$offset + (cell - 0.5) * unit$size),
        margin_limit(margin, unit$offset + (cell + 0.5) * unit$size))
}

# The score of each value; u, one uniform number per value, chooses the score of a value with probability.
margin_scores <- function(margin, x, u) {
  range <- score_range(margin, x)
  low <- range[, 1]
  high <- range[, 2]
  z <- low
  wide <- high > low
  upper <- low > 0
  sign <- ifelse(upper, -1, 1)
  from <- stats::pnorm(sign * low)
  to <- stats::pnorm(sign * high)
  inside <- sign * stats::qnorm(from + u * (to - from))
  # not on the end of the cell, which is the end of another cell too
  gap <- pmin(1e-3 * (high - low), 1e-9)
  z[wide] <- pmin(pmax(inside, low + gap), high - gap)[wide]
  z
}

# The value of each score.
margin_values <- function(margin, z) {
  k <- length(margin$z)
  piece <- pmin(pmax(findInterval(z, margin$z), 1L), k - 1L)
  slope <- (margin$x[piece + 1L] - margin$x[piece]) / (margin$z[piece + 1L] - margin$z[piece])
  x <- margin$x[piece] + slope * (z - margin$z[piece])
  flat <- slope == 0
  x[flat] <- margin$x[piece][flat]
  if (!margin$open[1]) x <- pmax(x, margin$x[1])
  if (!margin$open[2]) x <- pmin(x, margin$x[k])
  x <- times_power(x, margin$power)
  if (!is.null(margin$unit)) x <- to_unit(x, margin$unit)
  pmin(pmax(x, margin$ends[1]), margin$ends[2])
}

# dz/dx; 0 outside of a closed end.
margin_slope <- function(margin, x) {
  if (!is.null(margin$unit)) return(numeric(length(x)))
  x <- times_power(x, margin$power, -1)
  k <- length(margin$x)
  piece <- findInterval(x, margin$x)
  inner <- pmin(pmax(piece, 1L), k - 1L)
  slope <- (margin$z[inner + 1L] - margin$z[inner]) / (margin$x[inner + 1L] - margin$x[inner])
  slope[piece == 0] <- if (margin$open[1]) end_slope(margin, 1) else 0
  slope[piece == k] <- if (margin$open[2]) end_slope(margin, k) else 0
  slope
}

# ---- kernel estimates with Pareto tails ------------------------------------------------------------------

# Knots x -> z with z = qnorm(F(x)). Between two thresholds F is the kernel estimate of the distribution function.
# Beyond each threshold it has a generalised Pareto tail.
normalising_map <- function(x, bandwidth, knots = 200, tail = pareto_tail) {
  width <- bandwidth * stats::bw.nrd0(x)
  if (!(width > 0)) width <- max(abs(x), 1) * 1e-8
  upper <- tail(x, width)
  lower <- tail(-x, width)
  at <- stats::quantile(x, stats::ppoints(knots - 4L), names = FALSE, type = 8)
  at <- sort(c(-lower$threshold, at[at > -lower$threshold & at < upper$threshold], upper$threshold))
  at <- at[c(TRUE, diff(at) > 1e-6 * width)]
  # `at`: z from the upper tail probability at each knot; `lower`: z of the mirrored values, so with the other sign
  z <- stats::qnorm(.Call(C_pf_kernel_tail, as.double(sort(x)), at, width), lower.tail = FALSE)
  x <- c(rev(-lower$x), at, upper$x)
  z <- c(-rev(lower$z), z, upper$z)
  keep <- is.finite(z) & c(TRUE, diff(x) > 0) & c(TRUE, diff(z) > 0)
  list(x = x[keep], z = z[keep])
}

# The tail beyond a threshold that 5 % of the values exceed (at least ten values, at most a quarter). The excess over
# it is generalised Pareto. Its shape comes from probability-weighted moments (Hosking and Wallis 1987); it is shrunk
# towards 0 if there are few values, and kept between 0 and 1/2. Its mean is that of the kernel estimate. The knots
# have equal steps in the logarithm of the probability, down to 1e-15.
pareto_tail <- function(x, width, knots = 40) {
  n <- length(x)
  threshold <- stats::quantile(x, 1 - min(0.25, max(0.05, 10 / n)), names = FALSE, type = 8)
  excess <- sort(x[x > threshold] - threshold)
  m <- length(excess)
  first <- if (m > 0) mean(excess) else width
  second <- if (m > 0) mean((1 - (seq_len(m) - 0.35) / m) * excess) else width / 2
  shape <- min(max((2 - first / (first - 2 * second)) * m / (m + 10), 0), 0.5)
  if (is.na(shape)) shape <- 0
  beyond <- (x - threshold) / width
  probability <- mean(stats::pnorm(beyond))
  mean_excess <- width * mean(beyond * stats::pnorm(beyond) + stats::dnorm(beyond)) / probability
  inside <- log(probability)
  log_p <- seq(inside, min(-34.5, 2 * inside), length.out = knots)[-1]
  growth <- if (shape > 1e-6) expm1(shape * (inside - log_p)) / shape else inside - log_p
  list(threshold = threshold, x = threshold + mean_excess * (1 - shape) * growth,
       z = stats::qnorm(log_p, lower.tail = FALSE, log.p = TRUE), log_p = c(inside, log_p))
}

# A piecewise linear function and its slopes. Beyond the ends it continues in the same direction.
piecewise <- function(from, to, at) {
  piece <- findInterval(at, from, all.inside = TRUE)
  slope <- (to[piece + 1L] - to[piece]) / (from[piece + 1L] - from[piece])
  list(value = to[piece] + slope * (at - from[piece]), slope = slope)
}
