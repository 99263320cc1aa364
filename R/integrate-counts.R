# Tables of counts: the log counts are moved, and each count then takes the place in the negative binomial law of the
# reference samples that it had in the law of its own batch.

# TRUE if the values are whole numbers of at least 0, some above 1, in the first 50 columns.
holds_whole_numbers <- function(values) {
  if (prod(dim(values)) == 0) return(FALSE)
  seen <- as.matrix(values[, seq_len(min(ncol(values), 50)), drop = FALSE])
  is.numeric(seen) && all(seen >= 0 & seen == round(seen), na.rm = TRUE) && any(seen > 1, na.rm = TRUE)
}

# TRUE if the values [n, p] are moved as counts. counts: what the user says; NULL leaves it to the values.
are_counts <- function(values, counts) {
  if (is.null(counts)) return(looks_like_counts(values))
  if (counts && !all(values >= 0 & values == round(values))) {
    fail("`counts` is TRUE, but `x` has negative values or fractions.")
  }
  counts
}

# The moved table of a matrix of type integer has this type, too.
keep_integer <- function(moved, x) {
  if (is.matrix(x) && is.integer(x)) as_integers(moved) else moved
}

# The numbers of counts of the samples [n].
library_sizes <- function(values, what) {
  size <- rowSums(values)
  if (!all(size > 0)) fail("`%s` has samples without a count (sample %s).", what, some(which(!(size > 0))))
  size
}

# log2 of the counts per million, half a count added.
log_counts <- function(values, size) log2((values + 0.5) / (size + 1) * 1e6)

# The negative binomial laws between which the counts of a group are moved: rates [p] (mean count / library size) and
# dispersions [p], `from` of the group and `to` of its reference rows. own, goal: counts. shift [p]: the shrunk
# difference of the mean log counts, less the difference itself. A gene without a count on one side has no law (its
# rate `from` is NA) and keeps its counts.
count_laws <- function(own, own_size, goal, goal_size, shift, adjustment, how) {
  to <- count_law(goal, goal_size)
  if (nrow(own) > 1) {
    from <- count_law(own, own_size)
    from$rate <- from$rate * 2^-shift
  } else {
    from <- list(rate = to$rate * 2^(adjustment$from - adjustment$to), dispersion = to$dispersion)
  }
  if (how == "none") to <- from
  if (how == "mean") to$dispersion <- from$dispersion
  from$rate[colSums(own) == 0 | colSums(goal) == 0] <- NA
  list(from = from, to = to)
}

# list(rate, dispersion), each [p]. rate: the mean of count / library size with weights that are inversely proportional
# to its variance, (1 / (size rate) + dispersion) rate^2.
count_law <- function(counts, size) {
  rate <- unname(colSums(counts)) / sum(size)
  dispersion <- dispersions(counts, size, rate)
  expected <- outer(size, rate)
  weight <- expected / (1 + expected * rep(dispersion, each = nrow(counts)))
  total <- colSums(weight)
  list(rate = ifelse(total > 0, unname(colSums(weight * counts / size)) / total, 0), dispersion = dispersion)
}

# [p]: dispersions, Var = mu + dispersion mu^2: the posterior mean of the logarithm on a grid. The prior on the grid is
# that of all genes together; it is found by EM from the likelihoods of the genes. rate [p]: mean count / library size.
dispersions <- function(counts, size, rate) {
  grid <- exp(seq(log(0.001), log(30), length.out = 24))
  mean <- outer(size, rate)
  likelihood <- vapply(grid, function(value) {
    colSums(matrix(stats::dnbinom(counts, 1 / value, mu = mean, log = TRUE), nrow(counts)))
  }, numeric(ncol(counts)))
  likelihood <- matrix(likelihood, ncol(counts))
  likelihood <- exp(likelihood - apply(likelihood, 1, max))
  prior <- rep(1 / length(grid), length(grid))
  for (step in seq_len(25)) {
    posterior <- likelihood * rep(prior, each = nrow(likelihood))
    posterior <- posterior / rowSums(posterior)
    prior <- colMeans(posterior)
  }
  exp(drop(posterior %*% log(grid)))
}

# Counts [n, p] moved from law to law. extra [n, p]: what the flow adds to the log counts. place [n, p]: the place
# within the step of the distribution function at a count, uniform on (0, 1).
map_counts <- function(counts, size, laws, extra, place) {
  known <- which(!is.na(laws$from$rate))
  if (!length(known)) return(counts)
  n <- nrow(counts)
  old <- counts[, known, drop = FALSE]
  each <- function(values) rep(pmax(unname(values[known]), 1e-8), each = n)
  mu <- outer(size, laws$from$rate[known])
  goal <- outer(size, laws$to$rate[known]) * 2^extra[, known]
  from <- 1 / each(laws$from$dispersion)
  to <- 1 / each(laws$to$dispersion)
  place <- place[, known]
  # the smaller tail is used, because its probability is exact
  high <- old > mu
  part <- stats::dnbinom(old, from, mu = mu) * place
  upper <- stats::pnbinom(old, from, mu = mu, lower.tail = FALSE) + part
  lower <- stats::pnbinom(old - 1, from, mu = mu) + part
  new <- old
  new[high] <- count_quantiles(pmin(upper, 1)[high], to[high], goal[high], FALSE)
  new[!high] <- count_quantiles(pmin(lower, 1)[!high], to[!high], goal[!high], TRUE)
  far <- !is.finite(new)
  new[far] <- round(old * goal / mu)[far]
  counts[, known] <- new
  counts
}

draw_places <- function(counts) matrix(stats::runif(length(counts)), nrow(counts))

# From this mean count on, the mean of log(count + 1/2) hardly depends on the library size.
least_logged <- 5

# The laws with rates of the reference such that the mean log counts of the moved counts are `wanted` [p]. Rare genes
# keep their rates.
meet_means <- function(laws, own, goal, size, extra, place, wanted) {
  new <- map_counts(own, size, laws, extra, place)
  common <- which(colMeans(own) >= least_logged & colMeans(goal) >= least_logged)
  off <- wanted - colMeans(log_counts(new, rowSums(new)))
  laws$to$rate[common] <- laws$to$rate[common] * 2^unname(off[common])
  laws
}

# The result of move_samples() with counts. counted: counts [n, p] and library sizes [n] of all samples; before [n, p]:
# the log counts. Adds `written`, the table of counts with the moved ones, and the laws of each flow; points and latent
# coordinates are those of the new counts.
move_counts <- function(moved, counted, before, groups, latent, control) {
  counts <- counted$values
  size <- counted$size
  moved$written <- counts
  for (j in seq_along(groups)) {
    group <- groups[[j]]
    flow <- moved$flows[[j]]
    own <- counts[group$rows, , drop = FALSE]
    goal <- counts[group$goal, , drop = FALSE]
    raw <- colMeans(before[group$goal, , drop = FALSE]) - colMeans(before[group$rows, , drop = FALSE])
    shift <- unname(flow$adjustment$to - flow$adjustment$from - raw)
    laws <- count_laws(own, size[group$rows], goal, size[group$goal], shift, flow$adjustment, control$adjust)
    extra <- moved$points[group$rows, , drop = FALSE] -
      apply_adjustment(before[group$rows, , drop = FALSE], flow$adjustment)
    place <- draw_places(own)
    wanted <- flow$adjustment$to + colMeans(extra)
    if (control$adjust != "none") laws <- meet_means(laws, own, goal, size[group$rows], extra, place, wanted)
    moved$flows[[j]]$laws <- laws
    moved$written[group$rows, ] <- map_counts(own, size[group$rows], laws, extra, place)
  }
  rows <- unlist(lapply(groups, `[[`, "rows"))
  new <- moved$written[rows, , drop = FALSE]
  moved$points[rows, ] <- log_counts(new, rowSums(new))
  moved$latent[rows, ] <- unname(latent$encode(moved$points[rows, , drop = FALSE]))
  moved
}
