# Permutation tests of large tables: whole groups of rows are divided anew, not single rows.

# Groups of both samples together, and the fewest of one sample.
most_groups <- 256
fewest_groups <- 4

# Points of a line at which distribution functions are compared.
group_points <- 512L

# Directions that are summed in one call.
lines_at_once <- 4L

# Directions of a test. The test is exact for any number.
test_directions <- 64

# Permutations times squared numbers of rows up to which single rows are divided: some five seconds of a processor.
most_exact_divisions <- 2e11

# list(size, x, y): rows of a group, and the numbers of groups.
group_plan <- function(n, m) {
  size <- min(ceiling((n + m) / most_groups), floor(min(n, m) / fewest_groups))
  groups <- floor(c(n, m) / size)
  # a sample that is much larger than the other one does not need all its rows
  larger <- which.max(groups)
  groups[larger] <- min(groups[larger], most_groups - groups[-larger])
  list(size = size, x = groups[1], y = groups[2])
}

takes_groups <- function(method, n_permutations, n, m) {
  if (method == "sliced" && min(n, m) < fewest_groups) {
    fail("`method` = \"sliced\" needs at least %d rows in each sample, not %.0f.", fewest_groups, min(n, m))
  }
  if (method != "auto") return(method == "sliced")
  min(n, m) >= fewest_groups && (n_permutations + 1) * (as.numeric(n) + m)^2 > most_exact_divisions
}

# Rows come into groups at random, as many into each; what is left over is not used.
group_test <- function(tables, unbiased, n_permutations, n_directions, seed, threads) {
  stream_within(seed, fixed = TRUE)
  x <- tables$x
  y <- tables$y
  plan <- group_plan(nrow(x), nrow(y))
  key <- draw_key()
  pooled <- rbind(x[base::sample.int(nrow(x), plan$x * plan$size), , drop = FALSE],
                  y[base::sample.int(nrow(y), plan$y * plan$size), , drop = FALSE])
  sets <- direction_sets(ncol(x), if (is.null(n_directions)) test_directions else n_directions)
  directions <- line_directions(ncol(x), 1, sets, key, 3L)
  distance <- group_distances(pooled, plan$x + plan$y, directions, threads)
  p <- permute_groups(distance, plan, unbiased, n_permutations)
  list(p = p, groups = plan$x + plan$y, size = plan$size, directions = ncol(directions), key = key)
}

# [groups, groups], the mean over the directions. They are summed a few at a time, always the same.
group_distances <- function(pooled, groups, directions, threads) {
  total <- ncol(directions)
  what <- "The distances of groups"
  tick <- telling_tick(progress_bar(what, total, NULL)$tick, total, NULL, what)
  sum <- 0
  for (first in seq(1, total, by = lines_at_once)) {
    some <- first:min(first + lines_at_once - 1, total)
    part <- .Call(C_pf_group_distances, pooled, as.integer(groups), directions[, some, drop = FALSE], group_points,
                  threads)
    sum <- sum + length(some) * part
    tick(length(some))
  }
  sum / total
}

# The p-value. The first column of the divisions is the division into the two samples.
permute_groups <- function(distance, plan, unbiased, n_permutations) {
  groups <- nrow(distance)
  statistic <- function(first) {
    toward <- distance %*% first
    within <- colSums(first * toward)
    across <- colSums((1 - first) * toward)
    rows <- plan$size^2
    discrepancy(-rows * within, -rows * (sum(distance) - within - 2 * across), -rows * across, plan$x * plan$size,
                plan$y * plan$size, 0, unbiased)
  }
  seen <- statistic(random_splits(0, plan$x, groups, TRUE))
  slack <- permutation_slack * mean(distance)
  as_large <- done <- 0
  while (done < n_permutations) {
    now <- min(n_permutations - done, floor(most_divided / groups))
    as_large <- as_large + sum(statistic(random_splits(now, plan$x, groups, FALSE)) >= seen - slack)
    done <- done + now
  }
  (1 + as_large) / (1 + n_permutations)
}
