# Whether synthetic rows are nearer to the real rows, or farther from them, than fresh rows would be.

# Are the synthetic rows nearer to the real ones than fresh rows, farther, or some of them nearer? The levels of the
# three questions, together 0.01.
novelty_levels <- c(nearer = 0.003, farther = 0.003, some = 0.004)

# Which of the three are more than chance: named TRUE or FALSE. `compared`: what compare_novelty() returns for at most
# `most` rows of the same tables. `scaled`: the tables in units of both together and in random order.
novelty_alarms <- function(compared, scaled, most, threads) {
  found <- if (compared$reference == "holdout") {
    held_out_deals(compared$distance)
  } else {
    left_out_deals(scaled$real, first_rows(scaled$synthetic, most), min(nrow(scaled$real), most), threads)
  }
  values <- vapply(seq_len(ncol(found$synthetic)), function(deal) {
    distance_statistics(found$distance[, min(deal, ncol(found$distance))], found$synthetic[, deal])
  }, c(nearer = 0, farther = 0, some = 0))
  rowMeans(values >= values[, 1]) <= novelty_levels # the first deal, the tables as they are, counts as one of them
}

# How many deals: as few as the levels allow where there are many rows.
n_distance_deals <- function(rows) if (rows > 4000) 499L else 999L

# By how much the distances of the synthetic rows are smaller: by their mean rank, both ways; and by the mean of log(d)
# where d is below the median, which a few very near rows govern. Equal rows count as a ten-thousandth of the median.
distance_statistics <- function(distance, synthetic) {
  centre <- mean(rank(distance)[synthetic == 1])
  middle <- stats::median(distance)
  small <- if (middle > 0) log(pmin(pmax(distance / middle, 1e-4), 1)) else -(distance == 0)
  c(nearer = -centre, farther = centre, some = mean(small[synthetic == 0]) - mean(small[synthetic == 1]))
}

# Given the real rows, held-out rows and synthetic ones can be exchanged, and so can their distances.
held_out_deals <- function(distance, n_deals = n_distance_deals(length(unlist(distance)))) {
  synthetic <- rep(c(1, 0), c(length(distance$synthetic), length(distance$reference)))
  list(distance = cbind(unlist(distance, use.names = FALSE)),
       synthetic = cbind(synthetic, replicate(n_deals, sample_rows(synthetic)), deparse.level = 0))
}

# Without held-out rows all rows that are compared are dealt anew, and the distance of each to the nearest other row of
# the first table is taken. `alone`: how many of the real rows, the first ones, are dealt; the rest stay where they are.
left_out_deals <- function(real, synthetic, alone, threads, n_deals = n_distance_deals(alone + nrow(synthetic))) {
  deals <- new_deals(first_rows(real, alone), synthetic, max(alone, nrow(synthetic)), n_deals)
  rest <- real[-seq_len(alone), , drop = FALSE]
  near <- neighbours_of_deals(deals$pooled, rest, nrow(real) / (nrow(real) + nrow(synthetic)), threads)
  distance <- apply(deals$first, 2, function(own) nearest_of_deal(near, c(own, rep(1, nrow(rest)))))
  list(distance = distance, synthetic = 1 - deals$first)
}

# The nearest other rows of each row that is dealt. `share` of all rows are in the first table. There are so many that
# none of them is in the first table with a probability of 1e-4 only, as far as memory allows.
neighbours_of_deals <- function(pooled, rest, share, threads) {
  all <- rbind(pooled, rest)
  long <- min(ceiling(log(1e-4) / log(1 - share)), floor(2e7 / nrow(pooled)), nrow(all) - 1)
  neighbours(pooled, all, long, self = TRUE, threads = threads)
}

# The distance to the first of the nearest rows that is in the first table; the last distance if none is.
nearest_of_deal <- function(near, first) {
  distance <- near$distance[, ncol(near$distance)]
  left <- seq_along(distance)
  for (j in seq_len(ncol(near$index))) {
    found <- first[near$index[left, j]] == 1
    distance[left[found]] <- near$distance[left[found], j]
    left <- left[!found]
    if (!length(left)) break
  }
  distance
}

# Whether a synthetic row that equals a real one cannot be chance: some column holds measurements, no two of them equal
# and most of them with more than six digits.
never_equal <- function(real) {
  any(apply(real, 2, function(values) {
    values <- values[!is.na(values)]
    length(values) > 1 && !anyDuplicated(values) && mean(values != signif(values, 6)) > 0.5
  }))
}
