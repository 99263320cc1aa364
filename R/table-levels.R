# Trees of levels: a level is the way from the root to it, and each step of the way has a coordinate.

# A tree is a list of nodes, the root first, and each node after the one that leads to it. A node is a list of
#   at      the number of its coordinate
#   child   [L] the number of the child to which each level belongs; NA: the level is not below this node
#   to      for each child the number of its level, or minus the number of its node
#   margin  the margin of the numbers of the children
# The nodes below the root share the second coordinate. It is the normal score of the level within its node, so it is
# standard normal in every node, and the probability of a level is the product of two probabilities. A level that is a
# child of the root has the whole line as its second cell.

# One node: all levels in an order. n [L]: the rows of each level. means [L, m] from level_means(), NULL: as they are.
# lead [L]: NULL, or the first axis, in place of that of the means.
order_nodes <- function(n, means = NULL, lead = NULL) {
  place <- if (!is.null(means)) level_places(n, means, lead)
  first <- if (is.null(means)) seq_along(n) else order(place[, 1], place[, ncol(place)])
  list(new_node(1L, first, as.list(first), n))
}

# Two floors. The first axis puts the levels into sqrt(L) groups of nearly equal probability; within each group the
# second axis orders them.
tree_nodes <- function(n, means, lead = NULL) {
  place <- level_places(n, means, lead)
  first <- order(place[, 1])
  share <- (cumsum(n[first]) - n[first] / 2) / sum(n)
  groups <- unname(split(first, floor(share * ceiling(sqrt(length(n))))))
  groups <- lapply(groups, function(group) group[order(place[group, ncol(place)])])
  several <- which(lengths(groups) > 1)
  to <- unlist(lapply(groups, `[`, 1L))
  to[several] <- -(seq_along(several) + 1L)
  root <- new_node(1L, to, groups, n)
  c(list(root), lapply(groups[several], function(group) new_node(2L, group, as.list(group), n)))
}

# children: a list of vectors of levels.
new_node <- function(at, to, children, n) {
  child <- rep(NA_integer_, length(n))
  child[unlist(children)] <- rep(seq_along(children), lengths(children))
  rows <- vapply(children, function(levels) sum(n[levels]), 0)
  list(at = at, child = child, to = to, margin = fit_margin(as.double(rep(seq_along(children), rows)), only = TRUE))
}

# [L, m]: the means of the levels in the other columns, around the mean of all rows. codes: NA for rows that are not
# looked at.
level_means <- function(codes, n, others) {
  seen <- which(!is.na(codes))
  means <- matrix(0, length(n), ncol(others))
  rows <- tabulate(codes[seen], length(n))
  centred <- sweep(others[seen, , drop = FALSE], 2, colMeans(others[seen, , drop = FALSE]))
  sums <- rowsum(centred, codes[seen])
  means[as.integer(rownames(sums)), ] <- sums
  means / (rows + few_rows)
}

# The mean of a level counts as if this many rows of the mean of all rows were added.
few_rows <- 5

# The first principal axes of the means (a correspondence analysis): levels whose rows are alike stand side by side.
level_axes <- function(n, means, k) svd(sqrt(n) * means, nu = 0, nv = min(k, dim(means)))$v

# [L, 2], or [L, 1] if there is only one axis: the places of the levels on two axes, those of the means, or `lead` and
# that of what the means are beside it.
level_places <- function(n, means, lead) {
  if (is.null(lead)) return(means %*% level_axes(n, means, 2L))
  means <- means - outer(lead, drop(crossprod(n * lead, means)) / max(sum(n * lead^2), 1e-300))
  cbind(lead, means %*% level_axes(n, means, 1L), deparse.level = 0)
}

# [L]: the first principal axis of the numbers that the levels determine. They are known exactly, whereas level_means()
# shrinks the means of rare levels, which would lose the order of these numbers. numbers [n, k]: their normal scores.
leading_axis <- function(codes, n, numbers) {
  own <- numbers[match(seq_along(n), codes), , drop = FALSE]
  own <- sweep(own, 2, colSums(n * own) / sum(n))
  drop(own %*% level_axes(n, own, 1L))
}

node_coordinates <- function(nodes) max(vapply(nodes, `[[`, 0L, "at"))

# [rows, coordinates]: the scores of levels, NA where a level does not go. u: uniform numbers of the same shape.
level_scores <- function(nodes, codes, u) {
  z <- matrix(NA_real_, length(codes), ncol(u))
  for (node in nodes) {
    child <- node$child[codes]
    rows <- which(!is.na(child))
    z[rows, node$at] <- margin_scores(node$margin, as.double(child[rows]), u[rows, node$at])
  }
  z
}

# The level of each row of scores.
level_codes <- function(nodes, z) {
  to <- rep(-1L, nrow(z))
  for (k in seq_along(nodes)) {
    rows <- which(to == -k)
    to[rows] <- nodes[[k]]$to[round(margin_values(nodes[[k]]$margin, z[rows, nodes[[k]]$at]))]
  }
  to
}

# [L, 2 coordinates]: the lower, then the upper ends of the cells of each level.
level_cells <- function(nodes) {
  d <- node_coordinates(nodes)
  cells <- matrix(rep(c(-1, 1) * largest_score, each = d), length(nodes[[1]]$child), 2 * d, byrow = TRUE)
  for (node in nodes) {
    below <- which(!is.na(node$child))
    cells[below, c(node$at, d + node$at)] <- score_range(node$margin, as.double(node$child[below]))
  }
  cells
}

# The boxes, lists of (at, low, high), of a set of levels. Whole groups and neighbouring cells are joined.
level_boxes <- function(nodes, codes, k = 1L) {
  node <- nodes[[k]]
  children <- seq_along(node$to)
  within <- vapply(children, function(j) mean(which(node$child == j) %in% codes), 0)
  whole <- which(within == 1)
  runs <- unname(split(whole, cumsum(c(TRUE, diff(whole) > 1))[seq_along(whole)]))
  box <- function(run) {
    ends <- score_range(node$margin, as.double(range(run)))
    list(at = node$at, low = ends[1, 1], high = ends[2, 2])
  }
  parts <- which(within > 0 & within < 1)
  c(lapply(runs, box), unlist(lapply(parts, function(j) {
    lapply(level_boxes(nodes, codes, -node$to[j]), function(inner) Map(c, box(j), inner))
  }), recursive = FALSE))
}

# ---- the choice between an order and a tree --------------------------------------------------------------

# "order" or "tree". The tree has one coordinate more, so it must be worth it: with the larger held-out log-likelihood
# of the levels given the other columns, by more than two standard errors. Levels are compared only if those with at
# least 5 % of the rows have less than half of all: law_trees() gives such levels their probabilities itself, in any
# order.
choose_encoding <- function(codes, n, others, lead = NULL) {
  if (sum(n[n >= 0.05 * sum(n)]) >= sum(n) / 2) return("order")
  some <- spaced_rows(length(codes), most_compared_rows)
  codes <- codes[some]
  others <- others[some, , drop = FALSE]
  fold <- seq_along(codes) %% 2
  gain <- unlist(lapply(0:1, function(out) {
    means <- level_means(ifelse(fold == out, NA, codes), n, others)
    held_out_levels(tree_nodes(n, means, lead), codes, others, fold == out) -
      held_out_levels(order_nodes(n, means, lead), codes, others, fold == out)
  }))
  if (mean(gain) > 2 * stats::sd(gain) / sqrt(length(gain))) "tree" else "order"
}

most_compared_rows <- 3000L

# The log-probabilities of the levels of the rows `out`, from a probit regression for each coordinate on the other
# columns and the coordinates before it, fitted to the other rows.
held_out_levels <- function(nodes, codes, others, out) {
  d <- node_coordinates(nodes)
  cells <- level_cells(nodes)[codes, , drop = FALSE]
  total <- numeric(length(codes))
  for (j in seq_len(d)) {
    low <- cells[, j]
    high <- cells[, d + j]
    visited <- high - low < 2 * largest_score
    total[visited] <- total[visited] + probit_cells(others[visited, , drop = FALSE], low[visited], high[visited],
                                                    !out[visited])
    others <- cbind(others, cell_means(low, high, 0, 1)$mean)
  }
  total[out]
}

# log P(low < z <= high) for z ~ N(x b, s^2), fitted to the rows `used` by EM. Two rows of zeros are the prior of b.
probit_cells <- function(x, low, high, used, rounds = 6L) {
  centre <- numeric(length(low))
  width <- 1
  x <- cbind(1, x)
  inverse <- chol2inv(chol(crossprod(x[used, , drop = FALSE]) + diag(2, ncol(x))))
  for (round in seq_len(rounds)) {
    inside <- cell_means(low, high, centre, width)
    centre <- drop(x %*% (inverse %*% crossprod(x[used, , drop = FALSE], inside$mean[used])))
    error <- (inside$mean - centre)^2 + inside$variance
    width <- sqrt(max(mean(error[used]), 1e-4))
  }
  log(pmax(stats::pnorm((high - centre) / width) - stats::pnorm((low - centre) / width), 1e-12))
}

# Mean and variance of N(centre, width^2) within the cells.
cell_means <- function(low, high, centre, width) {
  from <- (low - centre) / width
  to <- (high - centre) / width
  mass <- stats::pnorm(to) - stats::pnorm(from)
  first <- (stats::dnorm(from) - stats::dnorm(to)) / mass
  second <- 1 + (from * stats::dnorm(from) - to * stats::dnorm(to)) / mass - first^2
  far <- !(mass > 1e-10) # the cell lies in a tail: its nearer end
  first[far] <- ifelse(from > 0, from, to)[far]
  second[far] <- 0
  list(mean = centre + width * first, variance = width^2 * pmin(pmax(second, 0), 1))
}
