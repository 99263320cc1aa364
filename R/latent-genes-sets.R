# Balanced sets of new samples whose scores have the margins of the samples of their class.
#
# A set is list(latent [n, r], class [n], new [m], place [m], key): the latent rows of the whole set, the rows of the
# table that are its class, the numbers of the new rows that belong to it, and their places in the set.

# The scores [m, b] of new rows in the columns `at`, where those that belong to sets get their values by their rank in
# the set.
margins_of_sets <- function(map, scores, sets, at) {
  for (set in sets) {
    whole <- tcrossprod(set$latent, map$basis) %*% map$scores[, at, drop = FALSE]
    own <- map$scores[set$class, at, drop = FALSE]
    # a stream for each gene, because the blocks depend on the number of new rows
    places <- vapply(at, function(gene) draw_uniform(nrow(whole), 1L, set$key, gene)[, 1], numeric(nrow(whole)))
    ranked <- ranked_values(whole, own, places) + rep(map$centre[at], each = nrow(whole))
    scores[set$new, ] <- ranked[set$place, , drop = FALSE]
  }
  scores
}

# Column by column: the value of rank i among the n rows of z [n, b] becomes the quantile at (i - 1 + u) / n of the
# values of `own` [k, b], u uniform. The quantile function is linear between the sorted values, which are its quantiles
# at (j - 1/2) / k, and goes on beyond the ends as steep as beside them.
ranked_values <- function(z, own, u) {
  n <- nrow(z)
  k <- nrow(own)
  rank <- matrix(0, n, ncol(z))
  rank[order(col(z), z)] <- seq_len(n)
  sorted <- matrix(own[order(col(own), own)], k)
  sorted <- rbind(2 * sorted[1, ] - sorted[2, ], sorted, 2 * sorted[k, ] - sorted[k - 1, ])
  place <- (rank - 1 + u) / n * k + 0.5
  below <- floor(place)
  at <- as.vector(below + 1 + (col(z) - 1) * (k + 2)) # a matrix of two columns would mean rows and columns
  sorted[at] + (place - below) * (sorted[at + 1] - sorted[at])
}
