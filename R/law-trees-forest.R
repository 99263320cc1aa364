# The trees of a coordinate: which rows they draw, where they may split, and how they are grown.

# The rows that a tree draws depend on this key alone.
trees_key <- c(14L, 14L)

# What is chosen out-of-bag is chosen on at most this many rows.
most_rows_of_choice <- 500L

# How often each tree draws each row [n, trees]: independent Poisson variables with mean 1. Each row is left out by at
# least one tree, and each tree draws at least one row.
draw_bags <- function(n, trees) {
  u <- draw_uniform(n, trees, trees_key)
  bags <- matrix(findInterval(u, stats::ppois(0:12, 1)), n)
  always <- which(rowSums(bags == 0) == 0)
  bags[cbind(always, (always - 1L) %% trees + 1L)] <- 0L
  filled_bags(bags)
}

# Each tree draws at least one row.
filled_bags <- function(bags) {
  empty <- which(colSums(bags) == 0)
  bags[cbind((empty - 1L) %% nrow(bags) + 1L, empty)] <- 1L
  bags
}

# The bags of a value forest, which has no rows of heavy cells.
value_bags <- function(bags, heavy) {
  bags[heavy > 0, ] <- 0L
  if (any(heavy == 0)) bags[heavy == 0, ] <- filled_bags(bags[heavy == 0, , drop = FALSE])
  bags
}

# A coordinate may be split at so many places, because a bin is one bit of a word of 64.
most_cuts <- 63L

# Trees in blocks, joined into one forest, with cuts for bins. response: a vector; or a matrix with some columns for all
# trees, or, if `own`, as many for each. classes: NULL, or list(of, expected), see pf_grow_trees().
grow_forest <- function(bins, response, order, bags, min_leaf, cuts, classes = NULL, own = FALSE) {
  threads <- thread_count()
  response <- as.matrix(response)
  responses <- if (own) ncol(response) %/% ncol(bags) else ncol(response)
  parts <- in_blocks(ncol(bags), 100 * nrow(bins) * (ncol(bins) + 1), function(from, count) {
    .Call(C_pf_grow_trees, bins, response, responses, order, bags, min_leaf, most_leaf_rows, classes$of,
          classes$expected, from, count, threads)
  }, chunk = threads, least = threads)
  forest <- Reduce(join_forests, parts)
  inner <- which(forest$nodes[1, ] >= 0)
  places <- cumsum(c(0L, lengths(cuts)))
  forest$cut <- numeric(ncol(forest$nodes))
  forest$cut[inner] <- unlist(cuts)[places[forest$nodes[1, inner] + 1L] + forest$bin[inner] + 1L]
  list(forest = forest[c("root", "nodes", "cut", "members")], counts = forest$counts, sums = forest$sums)
}

join_forests <- function(a, b) {
  leaf <- b$nodes[1, ] < 0
  b$nodes[2, ] <- b$nodes[2, ] + ifelse(leaf, length(a$members) + ncol(a$counts), length(a$bin))
  list(root = c(a$root, b$root + length(a$bin)), nodes = cbind(a$nodes, b$nodes), bin = c(a$bin, b$bin),
       members = c(a$members, b$members), counts = beside(a$counts, b$counts), sums = beside(a$sums, b$sums))
}

beside <- function(a, b) matrix(c(a, b), nrow(a))

# A leaf keeps at most this many rows.
most_leaf_rows <- 200L
