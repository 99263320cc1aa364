# The values of one coordinate of law_trees() outside its heavy cells, given the coordinates before it.

# What the ridge regressions of each column on the columns before share. With X the standardised columns and R'R = X'X
# + 2, W = X R^-1: regressions on the first k columns need the first k columns of W and of R alone.
ridge_basis <- function(x, prior = 2) {
  n <- nrow(x)
  centre <- colMeans(x)
  standard <- x - rep(centre, each = n)
  scale <- sqrt(colSums(standard^2) / (n - 1))
  scale[!(scale > 0)] <- 1
  standard <- standard / rep(scale, each = n)
  root <- chol(crossprod(standard) + prior * diag(ncol(x)))
  list(centre = centre, scale = scale, root = root, basis = standard %*% backsolve(root, diag(ncol(x))))
}

# The regression of y on the first k columns: slopes, intercept, and residuals of each row without itself.
ridge_regression <- function(of, y, k) {
  basis <- of$basis[, seq_len(k), drop = FALSE]
  middle <- mean(y)
  along <- crossprod(basis, y - middle)[, 1]
  residual <- y - middle - (basis %*% along)[, 1]
  leverage <- pmin(rowSums(basis^2) + 1 / length(y), 0.9)
  slopes <- backsolve(of$root, along, k = k) / of$scale[seq_len(k)]
  list(slopes = slopes, intercept = middle - sum(slopes * of$centre[seq_len(k)]), response = residual / (1 - leverage))
}

# What the regressions of a coordinate on those before it may use: the coordinates alone; and also indicators of the
# heavy cells of coordinates that have three or more of them with at least five rows each, because a factor can matter
# in another way than in the order of its levels. terms [2, columns]: the coordinate, and the value (the mean of a
# cell) that an indicator stands for, NA for the coordinate itself.
regression_designs <- function(law, sample) {
  d <- ncol(sample$settled)
  alone <- rbind(seq_len(d), NA)
  terms <- lapply(seq_len(d), function(k) {
    cells <- law$cells[[k]]
    rows <- tabulate(heavy_of(cells, sample$cell[, k]), max(0L, cells$heavy))
    held <- which(rows >= 5)
    cbind(alone[, k], if (sum(rows > 0) > 2) rbind(rep(k, length(held)), cells$mean[match(held, cells$heavy)]))
  })
  terms <- do.call(cbind, terms)
  designs <- list(alone, if (ncol(terms) > d) terms)
  lapply(designs[lengths(designs) > 0], function(terms) {
    x <- design_matrix(sample$settled, terms)
    list(terms = terms, x = x, basis = ridge_basis(x))
  })
}

design_matrix <- function(settled, terms) {
  x <- settled[, terms[1, ], drop = FALSE]
  for (k in which(!is.na(terms[2, ]))) x[, k] <- x[, k] == terms[2, k]
  x
}

# The designs that differ in what they have before coordinate j; `columns`: how many these are.
designs_before <- function(sample, j) {
  designs <- lapply(sample$designs, function(of) c(of, list(columns = sum(of$terms[1, ] < j))))
  designs[!duplicated(vapply(designs, `[[`, 0L, "columns"))]
}

# Slopes [columns] or [columns, classes] as those of coordinates, and a matrix `levels` of coordinate, value and slopes.
named_slopes <- function(slopes, terms) {
  slopes <- as.matrix(slopes)
  terms <- terms[, seq_len(nrow(slopes)), drop = FALSE]
  own <- is.na(terms[2, ])
  levels <- cbind(t(terms[, !own, drop = FALSE]), slopes[!own, , drop = FALSE])
  list(slopes = slopes[own, , drop = FALSE], levels = levels)
}

# The ridge regression, of one of the designs, that has the least sum of squares for rows without themselves.
best_line <- function(sample, j, rows, y) {
  whole <- length(rows) == nrow(sample$points)
  lines <- lapply(designs_before(sample, j), function(of) {
    basis <- if (whole) of$basis else ridge_basis(of$x[rows, seq_len(of$columns), drop = FALSE])
    line <- ridge_regression(basis, y, of$columns)
    c(named_slopes(line$slopes, of$terms), line[c("intercept", "response")])
  })
  lines[[which.min(vapply(lines, function(line) sum(line$response^2), 0))]]
}

# The law of the values: kernels in the leaves of trees, and the normal law of a ridge regression as back-off. Both live
# outside heavy cells: a kernel in the gap between heavy cells that its row is in. rows: those outside heavy cells.
fit_values <- function(law, sample, j, rows) {
  before <- seq_len(j - 1)
  least <- least_spread * law$scale[j]
  y <- sample$points[rows, j]
  one <- list(slopes = NULL, intercept = 0, response = y, middle = law$centre[j], spread = law$scale[j],
              backoff = 1, reach = law$reach, heavy = heavy_ends(law$cells[[j]]))
  if (law$linear && j > 1 && length(rows) > fewest_values) {
    one[c("slopes", "levels", "intercept", "response")] <- best_line(sample, j, rows, y)
  }
  if (length(rows) > 1) {
    one$middle <- mean(one$response)
    one$spread <- max(stats::sd(one$response), least)
  }
  if (length(rows) <= fewest_values) return(one)
  one$pooled <- one$spread^2
  one$gap <- gaps_of(one, y)
  bags <- filled_bags(sample$bags[rows, , drop = FALSE])
  order <- order(one$response)
  best <- NULL
  for (least in sort(law$min_leaf, decreasing = TRUE)) {
    one$forest <- grow_forest(sample$bins[rows, before, drop = FALSE], one$response, order, bags, least,
                              sample$cuts)$forest
    trial <- choose_smoothing(law, j, sample$points[rows, , drop = FALSE], bags, one)
    if (is.null(best) || trial$value > best$value) best <- trial
    if (trial$backoff == max(backoff_shares)) break # smaller leaves hardly ever help where large ones do not
  }
  best$value <- NULL
  best
}

# With so few values there are no trees.
fewest_values <- 9L

# The widths of kernels that are tried, in standard deviations of the leaf, and the shares of the back-off.
kernel_widths <- c(0.05, 0.12, 0.25, 0.5, 0.9, 1.5)
backoff_shares <- c(0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)

# No spread is smaller than this, in standard deviations of the coordinate.
least_spread <- 1e-6

# The share of the wide normal law, which keeps the density away from 0. Ten times as much gave no likelihood of
# held-out rows, and weakened the relations of each coordinate with all others.
wide_share <- 0.0005

log_wide <- function(law, j, z) stats::dnorm(z, law$centre[j], law$scale[j], log = TRUE)

# The logarithm of a mixture with the wide law, also where it underflows. near [n] or [n, columns], wide [n].
mix_wide <- function(near, wide) {
  value <- log((1 - wide_share) * near + wide_share * exp(wide))
  far <- which(near == 0)
  if (length(far)) value[far] <- log(wide_share) + wide[(far - 1L) %% length(wide) + 1L]
  value
}

# Width and share with the largest out-of-bag likelihood, one after the other. points, bags: of the rows with values.
choose_smoothing <- function(law, j, points, bags, one, rounds = 3L) {
  some <- spaced_rows(nrow(points), most_rows_of_choice)
  z <- points[some, j]
  shift <- z - one$response[some]
  free <- one
  # what lies beyond the reach matters to no width, and kernels without gaps take a fourth of the time
  if (ncol(one$heavy) == 0) free$gap <- NULL
  each <- leaf_density(free, points[some, , drop = FALSE], z, shift, bags[some, , drop = FALSE], thread_count(),
                       kernel_widths)
  backoff <- backoff_density(one, z, shift)
  wide <- log_wide(law, j, z)
  mass <- wide_share * exp(wide)
  # the mean log-density of each column of densities
  value <- if (all(mass > 0)) {
    function(near) .colMeans(log((1 - wide_share) * near + mass), length(z), ncol(near))
  } else {
    function(near) .colMeans(mix_wide(near, wide), length(z), ncol(near))
  }
  share <- match(0.05, backoff_shares)
  for (round in seq_len(rounds)) {
    before <- share
    width <- which.max(value((1 - backoff_shares[share]) * each + backoff_shares[share] * backoff))
    values <- value(outer(each[, width], 1 - backoff_shares) + outer(backoff, backoff_shares))
    share <- which.max(values)
    if (share == before) break
  }
  one$width <- kernel_widths[width]
  one$backoff <- backoff_shares[share]
  one$value <- values[share]
  one
}

# Mean densities [rows, widths] over the trees, without back-off; shift: the linear function of each row.
leaf_density <- function(one, points, z, shift, bags, threads, widths = one$width) {
  blocks <- in_blocks(nrow(points), 100 * length(one$forest$root) * 20, function(from, count) {
    list(value = .Call(C_pf_forest_density, points, one$forest, one$response, one$gap, z, shift, one$pooled, widths,
                       bags, from, count, threads))
  })
  bind_blocks(blocks)$value
}

# The linear function of a coordinate. The bits of a row do not depend on the other rows.
linear_shift <- function(one, settled, class = 1L) {
  shift <- rep(one$intercept[class], nrow(settled))
  for (k in seq_len(NROW(one$slopes))) shift <- shift + one$slopes[k, class] * settled[, k]
  for (k in seq_len(NROW(one$levels))) {
    shift <- shift + one$levels[k, 2L + class] * (settled[, one$levels[k, 1]] == one$levels[k, 2])
  }
  shift
}

# ---- gaps ------------------------------------------------------------------------------------------------

# The gap between heavy cells, or out to the reach, that each number is in [2, numbers]; NULL: the whole line.
gaps_of <- function(one, z) {
  if (ncol(one$heavy) == 0 && is.infinite(one$reach)) return(NULL)
  rbind(c(-one$reach, one$heavy[2, ])[findInterval(z, one$heavy[2, ], left.open = TRUE) + 1L],
        c(one$heavy[1, ], one$reach)[findInterval(z, one$heavy[1, ], left.open = TRUE) + 1L])
}

# The ends of the gaps between heavy cells, out to the reach [2, gaps].
gap_ends <- function(one) {
  ends <- rbind(c(-one$reach, one$heavy[2, ]), c(one$heavy[1, ], one$reach))
  ends[, ends[1, ] < ends[2, ], drop = FALSE]
}

# The nearest number in a gap. A back-off with its mean far from all gaps would have no mass there.
into_gap <- function(one, mean) {
  ends <- gap_ends(one)
  best <- rep(Inf, length(mean))
  for (k in seq_len(ncol(ends))) {
    inside <- pmin(pmax(mean, ends[1, k]), ends[2, k])
    nearer <- abs(inside - mean) < abs(best - mean)
    best[nearer] <- inside[nearer]
  }
  if (ncol(ends)) best else mean
}

# The probability that N(mean, spread^2) gives to the part of [low, high] in each gap [n, gaps].
gap_masses <- function(one, mean, low, high) {
  ends <- gap_ends(one)
  if (ncol(ends) == 0) return(list(ends = rbind(-Inf, Inf), mass = matrix(0, length(mean))))
  masses <- vapply(seq_len(ncol(ends)), function(k) {
    from <- (pmax(low, ends[1, k]) - mean) / one$spread
    to <- (pmin(high, ends[2, k]) - mean) / one$spread
    ifelse(from < to, exp(log_interval(from, pmax(from, to))), 0)
  }, numeric(length(mean)))
  list(ends = ends, mass = matrix(masses, length(mean)))
}

# ---- density and draws -----------------------------------------------------------------------------------

backoff_density <- function(one, z, shift) {
  .Call(C_pf_backoff_density, as.double(z), shift + one$middle, as.double(gap_ends(one)), one$spread, one$reach)
}

# Densities of values outside heavy cells.
value_density <- function(one, points, z, shift, bags, threads) {
  backoff <- backoff_density(one, z, shift)
  if (is.null(one$forest)) return(backoff)
  (1 - one$backoff) * leaf_density(one, points, z, shift, bags, threads)[, 1] + one$backoff * backoff
}

# The normal law of each draw, mean, sd, low and high, and the probability of its box, see pf_forest_pick(). u [n, 2]
# chooses between the back-off and the kernels, and among gaps.
pick_values <- function(one, j, points, shift, low, high, u, key, threads) {
  back <- pick_backoff(one, shift, low, high, u[, 2])
  if (is.null(one$forest)) return(back)
  kernel <- bind_blocks(in_blocks(nrow(points), 1000 * length(one$forest$root), function(from, count) {
    .Call(C_pf_forest_pick, points, one$forest, one$response, one$gap, shift, low, high, c(one$width, one$pooled), key,
          j, from, count, threads)
  }))
  mass <- cbind(one$backoff * back$mass, (1 - one$backoff) * kernel$mass)
  chosen <- pick_column(mass, u[, 1]) == 1L
  for (name in c("mean", "sd", "low", "high")) kernel[[name]][chosen] <- back[[name]][chosen]
  kernel$mass <- rowSums(mass)
  kernel
}

pick_backoff <- function(one, shift, low, high, u) {
  mean <- into_gap(one, shift + one$middle)
  free <- gap_masses(one, mean, rep(-Inf, length(mean)), rep(Inf, length(mean)))
  within <- gap_masses(one, mean, low, high)$mass
  share <- rowSums(within) / rowSums(free$mass)
  known <- low == high
  share[known] <- backoff_density(one, low, shift)[known]
  share[!is.finite(share)] <- 0
  gap <- pick_column(within, u)
  list(mean = mean, sd = rep(one$spread, length(mean)), low = free$ends[1, gap], high = free$ends[2, gap], mass = share)
}
