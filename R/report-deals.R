# Random deals: the rows of both tables are put together and dealt anew, at random, into two tables of the same sizes.
# If both tables are samples of one law, the tables that were given are one more deal, like any other.

# pooled: the rows in random order, [N, d]. first: 0/1, [N, 1 + deals]: which rows are the first table; the first column
# gives the tables as they are. place: where a row stood in its table. Rows change places only with rows between the
# same two of the places `ends`. So the first rows of both tables, up to one of the ends, are a smaller set of deals.
new_deals <- function(x, y, ends, n_deals) {
  ends <- sort(unique(ends))
  most <- ends[length(ends)]
  x <- first_rows(x, most)
  y <- first_rows(y, most)
  own <- rep(c(1, 0), c(nrow(x), nrow(y)))
  order <- base::sample.int(length(own))
  place <- c(seq_len(nrow(x)), seq_len(nrow(y)))[order]
  first <- matrix(own[order], length(own), n_deals + 1)
  blocks <- split(seq_along(place), findInterval(place, ends, left.open = TRUE))
  for (deal in seq_len(n_deals) + 1L) {
    for (rows in blocks) first[rows, deal] <- sample_rows(first[rows, deal])
  }
  list(pooled = rbind(x, y)[order, , drop = FALSE], first = first, place = place)
}

# The deals of the first `most` rows of each table.
fewer_deals <- function(deals, most) {
  rows <- deals$place <= most
  list(pooled = deals$pooled[rows, , drop = FALSE], first = deals$first[rows, , drop = FALSE])
}

# `values`: a matrix [1 + deals, statistics], larger is worse, whose first row is that of the tables as they are. For
# each statistic its middle over all rows, a unit (from the middle to the upper tenth, at least `least`), the limit, and
# the `gap` of the first row: 0 in the middle, 1 at the limit. All limits stand equally many units from the middle, as
# many as let at most the share `level` of all rows, the first one counted, reach any of them. So for two samples of one
# law any gap is above 1 with at most this probability, whatever the law.
deal_limits <- function(values, level, least = 0) {
  size <- far_units(values)
  values <- sweep(values, 2, size, "/")
  least <- least / size
  middle <- apply(values, 2, stats::median)
  unit <- pmax(apply(values, 2, stats::quantile, 0.9, names = FALSE) - middle, least)
  rare <- !(unit > 1e-10 * apply(abs(values), 2, max)) # most deals have the same value
  unit[rare] <- apply(values, 2, stats::sd)[rare]
  unit[!(unit > 0)] <- 1
  excess <- sweep(sweep(values, 2, middle), 2, unit, "/")
  worst <- sort(apply(excess[-1, , drop = FALSE], 1, max), decreasing = TRUE)
  edge <- worst[floor(level * nrow(values) + 1e-9)]
  gap <- if (edge > 0) excess[1, ] / edge else ifelse(excess[1, ] > edge, Inf, 0)
  limit <- within_range((middle + edge * unit) * size)
  data.frame(middle = middle * size, limit = limit, gap = gap)
}

# A unit for each column of `values`, a power of two, in which differences and their squares stay in the range of
# doubles. It is 1 for numbers of ordinary size.
far_units <- function(values) {
  largest <- apply(abs(values), 2, max)
  ifelse(largest > 2^500 | (largest < 2^-500 & largest > 0), 2^pmax(floor(log2(largest)), -1022), 1)
}
