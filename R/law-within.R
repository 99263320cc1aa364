# Laws of scores within boxes: one draw per row, each row with a box of its own. A coordinate with low = high is known.

# Draws z [n, d] from the law given low <= z <= high. Returns a list:
#   points           [n, d]
#   log_probability  [n]: of the box of each row; -Inf if it cannot be told from 0
#   variance         [n]: the squared relative standard error of the probability
# Laws with components are conditioned on in closed form, trees by sequential importance sampling, and a stack part by
# part. NULL: the law is none of these.
law_within <- function(law, low, high, key, threads) {
  tree <- law_components(law)
  if (!is.null(tree)) return(components_within(tree, low, high, key, threads))
  if (law$name == "trees") return(forest_within(law, low, high, key, threads))
  if (law$name == "stack" && is_conditioned(law)) return(stack_within(law, low, high, key, threads))
  NULL
}

# Whether law_within() knows the law.
is_conditioned <- function(law) {
  if (!is.null(law_components(law)) || law$name == "trees") return(TRUE)
  law$name == "stack" && all(vapply(law$laws, is_conditioned, NA))
}

components_within <- function(tree, low, high, key, threads) {
  n <- nrow(low)
  found <- condition_well(tree, check_box(low, high, n), n > 1 && is_one_box(low, high), key, threads)
  list(points = found$x, log_probability = found$log_probability, variance = found$variance)
}

forest_within <- function(law, low, high, key, threads) {
  within <- function(rows, key, first, most) {
    choose_proposals(length(rows), ncol(low), function(at, round) {
      trees_within(law, low[rows[at], , drop = FALSE], high[rows[at], , drop = FALSE], other_key(key, 64L + round),
                   threads)
    }, key, first, most)
  }
  if (is_continued(low, high)) {
    drawn <- trees_within(law, low, high, key, threads)
    return(list(points = drawn$points, log_probability = drawn$log_weight, variance = numeric(nrow(low))))
  }
  rows <- seq_len(nrow(low))
  if (nrow(low) <= pilot_rows || !is_one_box(low, high)) return(within(rows, key, 16L, proposal_counts$most))
  # the first rows tell how many proposals the others need
  pilot <- within(rows[seq_len(pilot_rows)], key, 32L, proposal_counts$most)
  needed <- ceiling(mean(pilot$variance) * 32 / proposal_counts$bias)
  many <- as.integer(min(max(needed, 2), proposal_counts$most))
  Map(function(a, b) if (is.matrix(a)) rbind(a, b) else c(a, b), pilot,
      within(rows[-seq_len(pilot_rows)], other_key(key, 1L, 7L), many, many))
}

# Whether the first coordinates are known and the others free: then all proposals have the same weight.
is_continued <- function(low, high) {
  known <- low == high
  count <- sum(known[1, ])
  free <- low <= -largest_score & high >= largest_score
  all(known[, seq_len(count)]) && all(free[, -seq_len(count)])
}

is_one_box <- function(low, high) {
  n <- nrow(low)
  all(low == rep(low[1, ], each = n)) && all(high == rep(high[1, ], each = n))
}

# Of more rows in one box, this many tell how probable the parts of a stack are, and how unequal weights are.
pilot_rows <- 64L

# The part of a draw is chosen with its probability given the box.
stack_within <- function(law, low, high, key, threads) {
  n <- nrow(low)
  one <- n > pilot_rows && is_one_box(low, high)
  within <- function(k, rows) {
    law_within(law$laws[[k]], low[rows, , drop = FALSE], high[rows, , drop = FALSE], other_key(key, 4096L * k), threads)
  }
  rows <- if (one) seq_len(pilot_rows) else seq_len(n)
  parts <- lapply(seq_along(law$laws), within, rows)
  member <- function(name) matrix(vapply(parts, `[[`, numeric(length(rows)), name), length(rows))
  each <- member("log_probability")
  variance <- member("variance")
  if (one) {
    pooled <- lapply(parts, function(part) pool_rows(c(part, list(effective = 1))))
    each <- matrix(vapply(pooled, `[[`, 0, "log_probability"), n, length(parts), byrow = TRUE)
    # pool_rows() of the result takes its rows as independent, but they are one estimate
    variance <- n * matrix(vapply(pooled, `[[`, 0, "variance"), n, length(parts), byrow = TRUE)
  }
  log_probability <- log_mean_exp(each, law$weights)
  share <- exp(each - log_probability) * rep(law$weights, each = n)
  share[is.nan(share)] <- 0
  from <- pick_column(share, draw_uniform(n, 1, key, stream = 8L)[, 1])
  points <- low
  for (k in unique(from)) {
    mine <- which(from == k)
    points[mine, ] <- if (one) within(k, mine)$points else parts[[k]]$points[mine, ]
  }
  list(points = points, log_probability = log_probability, variance = rowSums(share^2 * variance, na.rm = TRUE))
}

# Proposals per row: at first, and at most. A row gets more of them until the squared coefficient of variation of its
# mean weight is at most `bias`, because a draw that is chosen among proposals misses the law by about as much.
proposal_counts <- list(first = 32L, most = 1024L, bias = 0.02, rows = 20000L)

# One row per condition, chosen among proposals with probabilities proportional to their weights. propose(rows, round)
# returns list(points [length(rows), d], log_weight): one proposal for each of the rows, which are repeated.
choose_proposals <- function(n, d, propose, key, first = proposal_counts$first, most = proposal_counts$most) {
  best <- list(points = matrix(0, n, d), top = rep(-Inf, n), shift = rep(-Inf, n), total = numeric(n),
               squares = numeric(n), count = numeric(n))
  round <- 0L
  many <- first
  weak <- seq_len(n)
  while (length(weak)) {
    for (rows in split(weak, (seq_along(weak) - 1L) %/% max(1L, proposal_counts$rows %/% many))) {
      round <- round + 1L
      best <- add_proposals(best, rows, many, propose(rep(rows, each = many), round),
                            draw_uniform(length(rows) * many, 1, other_key(key, round, 1L), stream = 6L)[, 1])
    }
    weak <- which(best$count < most & !(variance_of_mean(best) <= proposal_counts$bias))
    many <- if (length(weak)) min(best$count[weak[1]], most - best$count[weak[1]])
  }
  list(points = best$points, log_probability = best$shift + log(best$total / best$count),
       variance = variance_of_mean(best))
}

# The squared relative standard error of the mean weight of each row.
variance_of_mean <- function(best) {
  pmax(best$squares / best$total^2 - 1 / best$count, 0) * best$count / (best$count - 1)
}

# The proposal with the largest log-weight plus Gumbel noise is one chosen with these weights. drawn: `many` proposals
# for each of `rows`, those of a row one after the other.
add_proposals <- function(best, rows, many, drawn, u) {
  weight <- matrix(drawn$log_weight, many)
  weight[is.na(weight)] <- -Inf # a flow that is not one-to-one there
  noisy <- weight - log(-log(matrix(u, many)))
  from <- max.col(t(noisy), ties.method = "first")
  value <- noisy[cbind(from, seq_along(rows))]
  better <- value > best$top[rows] | best$count[rows] == 0
  best$points[rows[better], ] <- drawn$points[(from + many * (seq_along(rows) - 1L))[better], ]
  best$top[rows[better]] <- value[better]
  shift <- pmax(best$shift[rows], apply(weight, 2, max))
  finite <- pmax(shift, -.Machine$double.xmax)
  kept <- exp(best$shift[rows] - finite)
  share <- exp(weight - rep(finite, each = many))
  best$total[rows] <- best$total[rows] * kept + colSums(share)
  best$squares[rows] <- best$squares[rows] * kept^2 + colSums(share^2)
  best$shift[rows] <- shift
  best$count[rows] <- best$count[rows] + many
  best
}
