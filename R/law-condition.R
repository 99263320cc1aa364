# Latent laws given a condition: some coordinates given, or a box for some of them.
#
# A condition is a pair of matrices `lower` and `upper` [n, d], one row per draw. A coordinate with lower = upper is a
# point, another with a finite bound has a box, the rest is free. log_probability is the logarithm of the density of
# the points times the probability of the boxes given them.
#
# Laws with components (law-components.R) are conditioned on component by component (src/core/law/condition.h). Other
# laws are sampled and resampled, or drawn from until the condition is met.

# ---- What fits use ----

# Draws given lower <= z <= upper. Vectors: n draws under one condition. Matrices [n, d]: one draw per row. Returns a
# list:
#   points            [n, d]
#   log_probability   of the condition; one number, or one per row
#   standard_error    of log_probability, of the same length; 0 if it is exact
#   effective_size    how many independent proposals with equal weights the draws were chosen from, in all or per row;
#                     Inf if the draws are exact
law_box <- function(law, lower, upper, n, key, threads) {
  single <- !is.matrix(lower)
  given <- check_box(lower, upper, n)
  tree <- law_components(law)
  found <- if (is.null(tree)) {
    condition_any(law, given, single, key, threads)
  } else {
    condition_well(tree, given, single, key, threads)
  }
  check_possible(found, law)
  if (single) found <- c(found["x"], pool_rows(found))
  list(points = found$x, log_probability = found$log_probability, standard_error = sqrt(found$variance),
       effective_size = found$effective)
}

# Each row as a condition whose coordinates are all known.
given_points <- function(z) list(lower = z, upper = z, rows = seq_len(nrow(z)) - 1L)

check_box <- function(lower, upper, n) {
  if (!identical(dim(lower), dim(upper)) || length(lower) != length(upper)) {
    fail("`lower` and `upper` must have equal extents, not %s and %s.", describe(lower), describe(upper))
  }
  if (!is.matrix(lower)) {
    lower <- matrix(rep(lower, each = n), n, length(lower))
    upper <- matrix(rep(upper, each = n), n, length(upper))
  }
  if (anyNA(lower) || anyNA(upper) || any(lower > upper) || any(lower == upper & !is.finite(lower))) {
    fail("`lower` must be at most `upper` in every coordinate, and finite where both are equal.")
  }
  storage.mode(lower) <- storage.mode(upper) <- "double"
  list(lower = unname(lower), upper = unname(upper), rows = seq_len(nrow(lower)) - 1L)
}

# log_probability is -Inf if it is below the logarithms of all doubles, or if the law has no density there.
check_possible <- function(found, law) {
  lost <- which(!(found$log_probability > -Inf))
  if (length(lost) == 0) return(invisible())
  stop_unsolved("The condition of row %d has no probability under the law \"%s\" that can be told from 0.", lost[1],
                law$name)
}

# ---- Mixtures, maps and stacks ----

# Proposals per row: at first if all rows have one condition, at first if each has its own, and at most. A row is chosen
# among its proposals, by which its law misses by about v / proposals, v the squared coefficient of variation of the
# weights: at most `bias`. A warning says if there are fewer than `least` effective proposals per row.
row_proposals <- list(single = 32L, own = 128L, most = 4096L, bias = 0.02, least = 4)

# Proposals in all, so that few draws know the probability of their condition, too.
all_proposals <- 4096

# The same as condition_tree(), with as many proposals as it takes.
condition_well <- function(tree, given, single, key, threads) {
  n <- nrow(given$lower)
  proposals <- row_proposals$own
  if (single) proposals <- min(row_proposals$most, max(row_proposals$single, ceiling(all_proposals / max(n, 1))))
  found <- condition_tree(tree, given, key, threads, proposals = proposals)
  effective <- function() if (single) rep(pool_rows(found)$effective / n, n) else found$effective
  repeat {
    weak <- which(1 / effective() - 1 / proposals > row_proposals$bias)
    if (length(weak) == 0 || proposals >= row_proposals$most) break
    proposals <- min(2 * proposals, row_proposals$most)
    found <- put_rows(found, weak, condition_tree(tree, given_rows(given, weak), key, threads, proposals = proposals))
  }
  warn_alike(effective(), proposals)
  found
}

# `effective`: of each row, among `proposals`.
warn_alike <- function(effective, proposals) {
  poor <- sum(effective < row_proposals$least)
  if (poor == 0) return(invisible())
  warning(sprintf("%d draws come from fewer than %g effective proposals each (of %d), so they may be too alike.", poor,
                  row_proposals$least, as.integer(proposals)), call. = FALSE)
}

given_rows <- function(given, rows) {
  list(lower = given$lower[rows, , drop = FALSE], upper = given$upper[rows, , drop = FALSE], rows = given$rows[rows])
}

put_rows <- function(found, rows, by) {
  if (!is.null(found$x)) found$x[rows, ] <- by$x
  for (name in c("log_probability", "variance", "effective")) found[[name]][rows] <- by[[name]]
  found
}

# The rows' estimates of one probability, joined.
pool_rows <- function(found) {
  n <- length(found$log_probability)
  if (n == 0) return(list(log_probability = NA_real_, variance = NA_real_, effective = NA_real_))
  most <- max(found$log_probability)
  if (most == -Inf) return(list(log_probability = -Inf, variance = 0, effective = Inf))
  share <- exp(found$log_probability - most)
  list(log_probability = if (all(share == 1)) most else most + log(mean(share)),
       variance = sum(share^2 * found$variance) / sum(share)^2,
       effective = sum(share)^2 / sum(share^2 / found$effective))
}

# Draws of a structure given the conditions `given`. Returns x [n, d] (NULL without `draw`), and per row
# log_probability, the squared relative standard error of the probability (`variance`) and the effective number of
# proposals (`effective`). Row i depends only on its condition, the key and given$rows[i].
condition_tree <- function(tree, given, key = c(0L, 0L), threads, stream = 0L, proposals = row_proposals$own,
                           draw = TRUE) {
  method <- if (!is.null(tree$maps)) condition_maps else if (!is.null(tree$parts)) condition_stack else
    condition_mixture
  method(tree, given, key, threads, stream, as.integer(proposals), draw)
}

condition_maps <- function(tree, given, key, threads, stream, proposals, draw) {
  point <- given$lower == given$upper
  slopes <- numeric(nrow(point))
  for (column in which(colSums(point) > 0)) {
    map <- tree$maps[[column]]
    rows <- which(point[, column])
    slopes[rows] <- slopes[rows] + log(piecewise(map$x, map$z, given$lower[rows, column])$slope)
  }
  inside <- list(lower = to_normal(tree$maps, given$lower), upper = to_normal(tree$maps, given$upper),
                 rows = given$rows)
  found <- condition_tree(tree$base, inside, key, threads, stream, proposals, draw)
  found$log_probability <- found$log_probability + slopes
  if (draw) {
    for (column in seq_along(tree$maps)) {
      map <- tree$maps[[column]]
      found$x[, column] <- piecewise(map$z, map$x, found$x[, column])$value
    }
    # there and back is right only up to rounding
    found$x[] <- pmin(pmax(found$x, given$lower), given$upper)
  }
  found
}

# The part of a draw is chosen with its probability given the condition.
condition_stack <- function(tree, given, key, threads, stream, proposals, draw) {
  n <- nrow(given$lower)
  parts <- lapply(seq_along(tree$parts), function(k) {
    condition_tree(tree$parts[[k]], given, key, threads, 16L * stream + k, proposals, draw)
  })
  if (n == 0) return(parts[[1]])
  member <- function(name) matrix(vapply(parts, `[[`, numeric(n), name), n)
  each <- member("log_probability")
  log_probability <- log_mean_exp(each, tree$weights)
  share <- exp(each - log_probability) * rep(tree$weights, each = n)
  share[is.nan(share)] <- 0
  out <- list(x = NULL, log_probability = log_probability, variance = rowSums(share^2 * member("variance")),
              effective = 1 / rowSums(share^2 / member("effective")))
  if (!draw) return(out)
  upto <- share %*% upper.tri(diag(length(parts)), diag = TRUE)
  u <- draw_uniform(max(given$rows) + 1, 1, key, 16L * stream)[given$rows + 1, 1]
  from <- pmin(1 + rowSums(u * upto[, length(parts)] > upto), length(parts))
  out$x <- parts[[1]]$x
  for (k in seq_along(parts)) out$x[from == k, ] <- parts[[k]]$x[from == k, ]
  out
}

condition_mixture <- function(mixture, given, key, threads, stream, proposals, draw) {
  n <- nrow(given$lower)
  state <- (given$lower == given$upper) + 2 * (given$lower < given$upper & (given$lower > -Inf | given$upper < Inf))
  out <- list(x = if (draw) matrix(NA_real_, n, ncol(state)), log_probability = numeric(n), variance = numeric(n),
              effective = numeric(n))
  if (n == 0) return(out)
  pattern <- do.call(paste0, as.data.frame(state))
  spread <- if (any(rowSums(state == 2) > 1)) mixture_spread(mixture)
  for (one in unique(pattern)) {
    rows <- which(pattern == one)
    kinds <- state[rows[1], ]
    boxes <- narrowest_first(which(kinds == 2), given, rows, spread)
    # equal conditions one after the other, because the core weighs the components once for them
    if (length(rows) > 1) rows <- rows[do.call(order, sort_columns(given, rows, which(kinds > 0)))]
    columns <- c(which(kinds == 1), boxes, which(kinds == 0))
    found <- condition_blocks(mixture, given_rows(given, rows), columns, sum(kinds == 1), length(boxes), key, threads,
                              stream, proposals, draw)
    out <- put_rows(out, rows, found)
  }
  out
}

sort_columns <- function(given, rows, columns) {
  c(lapply(columns, function(column) given$lower[rows, column]),
    lapply(columns, function(column) given$upper[rows, column]), list(rows))
}

# Rows of one pattern.
condition_blocks <- function(mixture, given, columns, points, boxes, key, threads, stream, proposals, draw) {
  law <- mixture[mixture_members]
  # a truncated variable takes as long as some hundred products
  work <- length(law$weights) * (points^2 + 20 + 500 * boxes) + if (boxes > 1) 500 * proposals * boxes else 0
  blocks <- in_blocks(nrow(given$lower), work, function(from, count) {
    rows <- from + seq_len(count)
    .Call(C_pf_condition, law, given$lower[rows, , drop = FALSE], given$upper[rows, , drop = FALSE], columns, points,
          boxes, given$rows[rows], proposals, draw, key, stream, threads)
  })
  bind_blocks(blocks)
}

# Means and standard deviations of the coordinates, where the scale of a t counts as its covariance.
mixture_spread <- function(mixture) {
  d <- nrow(mixture$means)
  row <- rep(seq_len(d), seq_len(d))
  variances <- rowsum(mixture$roots^2, row)
  if (mixture$shared) variances <- matrix(variances, d, length(mixture$weights))
  mean <- drop(mixture$means %*% mixture$weights)
  list(mean = mean, sd = sqrt(drop((variances + (mixture$means - mean)^2) %*% mixture$weights)))
}

# Boxes with a small probability come first, because what they say then directs the draws of the others.
narrowest_first <- function(boxes, given, rows, spread) {
  if (length(boxes) < 2) return(boxes)
  mass <- vapply(boxes, function(column) {
    mean(exp(log_interval((given$lower[rows, column] - spread$mean[column]) / spread$sd[column],
                          (given$upper[rows, column] - spread$mean[column]) / spread$sd[column])))
  }, 0)
  boxes[order(mass)]
}

# ---- Laws without components ----

# Draws to which a law is fitted that makes proposals; proposals per row; and how many draws are made at most before a
# condition counts as too rare.
any_law <- list(draws = 2000L, proposals = 512L, most = 1e6)

condition_any <- function(law, given, single, key, threads) {
  if (any(given$lower == given$upper)) return(resample_law(law, given, key, threads))
  box <- apply(cbind(given$lower, given$upper), 1, function(row) paste(sprintf("%a", row), collapse = " "))
  out <- list(x = given$lower, log_probability = numeric(length(box)), variance = numeric(length(box)),
              effective = rep(Inf, length(box)))
  for (rows in split(seq_along(box), match(box, unique(box)))) {
    found <- reject_draws(law, given$lower[rows[1], ], given$upper[rows[1], ], length(rows),
                          other_key(key, given$rows[rows[1]]), threads)
    # pool_rows() takes the rows' estimates as independent, but they are one
    if (single) found$variance <- length(rows) * found$variance
    out <- put_rows(out, rows, found)
  }
  out
}

# Draws until n of them meet the condition.
reject_draws <- function(law, lower, upper, n, key, threads) {
  met <- matrix(0, 0, length(lower))
  drawn <- 0
  size <- max(1000, n)
  batch <- 0L
  while (nrow(met) < n) {
    if (drawn >= any_law$most) {
      about <- if (nrow(met)) sprintf("about %.1e", nrow(met) / drawn) else sprintf("below %.0e", 1 / drawn)
      stop_unsolved("Only %d of %s draws of the law \"%s\" meet the condition, whose probability is %s; %d are wanted.",
                    nrow(met), as_text(drawn), law$name, about, n)
    }
    batch <- batch + 1L
    x <- draw_law(law, size, other_key(key, 0L, batch), threads)
    drawn <- drawn + size
    met <- rbind(met, x[colSums(t(x) >= lower & t(x) <= upper) == length(lower), , drop = FALSE])
    size <- as.integer(min(any_law$most - drawn, max(1000, 1e7 / length(lower) / 100, size)))
  }
  share <- nrow(met) / drawn
  list(x = met[seq_len(n), , drop = FALSE], log_probability = rep(log(share), n),
       variance = rep((1 - share) / nrow(met), n), effective = rep(Inf, n))
}

# Proposals from a t distribution that is fitted to draws of the law, given the condition, with weights
# density / proposal; one of them per row.
resample_law <- function(law, given, key, threads) {
  check_density(law)
  proposal <- proposal_law(law, key, threads)
  many <- any_law$proposals
  u <- draw_uniform(max(given$rows, 0) + 1, 1, key, stream = 4L)[, 1]
  blocks <- in_blocks(length(given$rows), many * ncol(given$lower) * 1000, function(from, count) {
    rows <- from + seq_len(count)
    each <- given_rows(given, rep(rows, each = many))
    each$rows <- (each$rows * many + rep(seq_len(many) - 1L, count))
    found <- condition_tree(proposal, each, key, threads, stream = 5L)
    own <- condition_tree(proposal, given_points(found$x), threads = threads, draw = FALSE)$log_probability
    weight <- law_density(law, found$x, threads)[, 1] - own + found$log_probability
    choose_rows(found$x, matrix(weight, many), u[given$rows[rows] + 1])
  }, chunk = 1, least = 8)
  found <- bind_blocks(blocks)
  warn_alike(found$effective[found$log_probability > -Inf], many)
  found
}

# Column i of `weight` [proposals, rows] has the log-weights of the proposals for row i.
choose_rows <- function(x, weight, u) {
  many <- nrow(weight)
  most <- pmax(apply(weight, 2, max), -.Machine$double.xmax)
  share <- exp(weight - rep(most, each = many))
  total <- colSums(share)
  from <- vapply(seq_along(u), function(i) pick_weighted(u[i] * total[i], share[, i]), 0L)
  effective <- ifelse(total > 0, total^2 / colSums(share^2), 0)
  list(x = x[from + many * (seq_along(u) - 1L), , drop = FALSE], log_probability = most + log(total / many),
       variance = pmax(0, 1 / effective - 1 / many), effective = effective)
}

# One t component with five degrees of freedom, whose tails are heavier than those of most laws.
proposal_law <- function(law, key, threads) {
  x <- draw_law(law, any_law$draws, other_key(key, 0L, 1L), threads)
  covariance <- stats::cov(x)
  diag(covariance) <- diag(covariance) + 1e-8 * max(mean(diag(covariance)), 1e-100)
  pack_components(1, matrix(colMeans(x)), packed_roots(list(chol(covariance))), 5)
}
