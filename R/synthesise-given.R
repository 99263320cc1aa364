# Draws of scores under a condition.

# Rows of scores of one class that lie in one of the boxes. Returns points [n, d], and the logarithm of the probability
# of the boxes with its standard error. A point among the coordinates counts with its density.
draw_in_boxes <- function(flow, boxes, n, correlation, key, threads) {
  first <- lapply(seq_along(boxes), function(b) {
    draw_in_box(flow, boxes[[b]], if (length(boxes) == 1) n else 1L, correlation, other_key(key, b), threads)
  })
  logs <- vapply(first, `[[`, 0, "log_probability")
  refuse_impossible(boxes, logs)
  shares <- exp(logs - max(logs))
  errors <- vapply(first, `[[`, 0, "standard_error")
  total <- max(logs) + log(sum(shares))
  error <- sqrt(sum((shares * errors)^2)) / sum(shares)
  if (length(boxes) == 1) return(list(points = first[[1]]$points, log_probability = total, standard_error = error))
  from <- pick_weighted(draw_uniform(n, 1, key, stream = 7L)[, 1], shares / sum(shares))
  points <- matrix(0, n, length(boxes[[1]]$low))
  for (b in unique(from)) {
    rows <- which(from == b)
    points[rows, ] <- draw_in_box(flow, boxes[[b]], length(rows), correlation, other_key(key, b, 1L), threads)$points
  }
  list(points = points, log_probability = total, standard_error = error)
}

# A condition of this probability and less is refused. Points have densities, which are not compared with it.
least_probability <- 1e-9

refuse_impossible <- function(boxes, logs) {
  points <- any(vapply(boxes, function(box) any(box$low == box$high), NA))
  total <- if (any(logs > -Inf)) max(logs) + log(sum(exp(logs - max(logs)))) else -Inf
  if (total == -Inf || (!points && total < log(least_probability))) {
    stop_unsolved("The condition of `given` has the probability %.1e under the fit, which is as good as impossible.",
                  exp(total))
  }
}

# n draws in one box.
draw_in_box <- function(flow, box, n, correlation, key, threads) {
  if (has_components(flow)) return(law_box(flow$law, box$low, box$high, n, key, threads))
  low <- matrix(box$low, n, length(box$low), byrow = TRUE)
  high <- matrix(box$high, n, length(box$high), byrow = TRUE)
  found <- draw_in_cells(flow, low, low, high, correlation, key, threads)
  each <- exp(found$log_probability - max(found$log_probability))
  list(points = found$points, log_probability = max(found$log_probability) + log(mean(each)),
       standard_error = sqrt(sum(each^2 * found$variance)) / sum(each))
}

# Whether there is no flow, and the law is a mixture whose conditions have a closed form.
has_components <- function(flow) n_steps(flow$trajectory) == 0 && !is.null(law_components(flow$law))

# Proposals per draw.
cell_proposals <- 64L

# One draw per row between low and high, from the flow and its law: proposals from a Gaussian law with the correlations
# `correlation`, one of which is chosen with weights density / proposal. points: the scores that are known.
draw_in_cells <- function(flow, points, low, high, correlation, key, threads) {
  n <- nrow(points)
  best <- points
  top <- rep(-Inf, n)
  total <- squares <- numeric(n)
  for (k in seq_len(cell_proposals)) {
    draw <- cell_draws(points, low, high, correlation, other_key(key, 1000L * k), k %% 2 == 1)
    weight <- as.vector(flow_log_density(flow, draw$z, threads)) - draw$log
    # the proposal with the largest log-weight plus Gumbel noise is one chosen with these weights
    noisy <- weight - log(-log(draw_uniform(n, 1, other_key(key, 1000L * k, 1L))[, 1]))
    chosen <- which(noisy > top)
    best[chosen, ] <- draw$z[chosen, ]
    top[chosen] <- noisy[chosen]
    if (k == 1) shift <- ifelse(is.finite(weight), weight, 0)
    total <- total + exp(weight - shift)
    squares <- squares + exp(2 * (weight - shift))
  }
  log_probability <- shift + log(total / cell_proposals)
  list(points = best, log_probability = log_probability,
       variance = pmax(squares / total^2 - 1 / cell_proposals, 0))
}
