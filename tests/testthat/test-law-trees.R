# Rows with a binary, a continuous, a mixed and a continuous coordinate that depend on each other, as normal scores.
mixed_scores <- function(n, seed = 1) {
  set.seed(seed)
  u <- runif(n)
  z <- cbind(qnorm(u), 0, rnorm(n), 0)
  binary <- z[, 1] > 0.3
  z[, 2] <- ifelse(binary, 1.2, -0.6) + 0.4 * z[, 3] + rnorm(n, sd = 0.5)
  z[, 4] <- ifelse(z[, 3] > -0.5, z[, 2], 0.5) + rnorm(n, sd = 0.3)
  list(z = z, edges = list(c(-Inf, 0.3, Inf), NULL, cbind(-Inf, -0.5), NULL))
}

slots <- function(law, j) law$coordinates[[j]]

# What the leaf of each tree has as its first entry [rows, trees].
reference_places <- function(forest, points) {
  t(vapply(seq_len(nrow(points)), function(i) vapply(forest$root, function(root) {
    node <- root + 1
    while ((feature <- forest$nodes[1, node]) >= 0) {
      node <- forest$nodes[2, node] + (if (points[i, feature + 1] <= forest$cut[node]) 1 else 2)
    }
    forest$nodes[2, node] + 1
  }, 0), numeric(length(forest$root))))
}

# Densities of values outside heavy cells, kernel by kernel. used [rows, trees].
reference_values <- function(one, points, z, shift, used) {
  mass <- function(mean, sd, ends) pnorm(ends[2], mean, sd) - pnorm(ends[1], mean, sd)
  gaps <- rbind(c(-one$reach, one$heavy[2, ]), c(one$heavy[1, ], one$reach))
  gaps <- gaps[, gaps[1, ] < gaps[2, ], drop = FALSE]
  back <- vapply(seq_along(z), function(i) {
    mean <- shift[i] + one$middle
    inside <- pmin(pmax(mean, gaps[1, ]), gaps[2, ])
    if (length(inside)) mean <- inside[which.min(abs(inside - mean))]
    dnorm(z[i], mean, one$spread) / sum(apply(gaps, 2, function(ends) mass(mean, one$spread, ends)))
  }, 0)
  if (is.null(one$forest)) return(back)
  places <- reference_places(one$forest, points)
  leaves <- vapply(seq_along(z), function(i) mean(vapply(which(used[i, ]), function(tree) {
    at <- places[i, tree]
    rows <- one$forest$members[at + seq_len(one$forest$members[at])] + 1
    y <- one$response[rows]
    deviation <- sqrt((sum((y - mean(y))^2) + one$pooled) / length(y))
    sd <- deviation * one$width / sqrt(1 + one$width^2)
    centre <- shift[i] + mean(y) + (y - mean(y)) / sqrt(1 + one$width^2)
    if (is.null(one$gap)) return(mean(dnorm(z[i], centre, sd)))
    ends <- one$gap[, rows, drop = FALSE]
    centre <- pmin(pmax(centre, ends[1, ]), ends[2, ])
    all <- vapply(seq_along(rows), function(k) mass(centre[k], sd, ends[, k]), 0)
    mean((z[i] >= ends[1, ] & z[i] <= ends[2, ]) * dnorm(z[i], centre, sd) / all)
  }, 0)), 0)
  (1 - one$backoff) * leaves + one$backoff * back
}

reference_shares <- function(one, points, base, used) {
  if (is.null(one$forest)) return(base)
  places <- reference_places(one$forest, points)
  t(vapply(seq_len(nrow(points)), function(i) rowMeans(vapply(which(used[i, ]), function(tree) {
    shares <- base[i, ] * one$ratio[, places[i, tree]]
    shares / sum(shares)
  }, base[1, ])), base[1, ]))
}

# Log-densities of coordinate j. shift: of the values; base: of the classes, NULL without any.
reference_density <- function(law, j, points, shift, base, used, of_classes = used) {
  one <- slots(law, j)
  z <- points[, j]
  wide <- dnorm(z, law$centre[j], law$scale[j])
  value <- reference_values(one$values, points, z, shift, used)
  if (!is.null(base)) {
    shares <- reference_shares(one$classes, points, base, of_classes)
    of <- function(class) if (class %in% one$classes$classes) shares[, match(class, one$classes$classes)] else 0
    value <- value * of(0L)
    for (class in setdiff(one$classes$classes, 0L)) {
      ends <- one$values$heavy[, class]
      inside <- z > ends[1] & z <= ends[2]
      mass <- diff(pnorm(ends, law$centre[j], law$scale[j]))
      value[inside] <- (of(class) * wide / mass)[inside]
    }
  }
  log(0.9995 * value + 0.0005 * wide)
}

# CART by trying every split, without histograms. Returns feature and bin of each split and the rows of each leaf, in
# the order in which the nodes are made.
reference_tree <- function(bins, y, rows, min_leaf) {
  nodes <- list()
  queue <- list(rows)
  while (length(queue)) {
    rows <- queue[[1]]
    queue <- queue[-1]
    within <- sum((y[rows] - mean(y[rows]))^2)
    best <- list(gain = 1e-10 * within)
    for (feature in seq_len(ncol(bins))) for (bin in sort(unique(bins[rows, feature]))) {
      left <- bins[rows, feature] <= bin
      if (min(sum(left), sum(!left)) < min_leaf) next
      gain <- within - sum((y[rows][left] - mean(y[rows][left]))^2) - sum((y[rows][!left] - mean(y[rows][!left]))^2)
      if (gain > best$gain * (1 + 1e-10) + 1e-13 * within) best <- list(gain = gain, feature = feature, bin = bin)
    }
    if (is.null(best$feature)) {
      nodes <- c(nodes, list(list(rows = rows)))
    } else {
      nodes <- c(nodes, list(best[c("feature", "bin")]))
      left <- bins[rows, best$feature] <= best$bin
      queue <- c(queue, list(rows[left]), list(rows[!left]))
    }
  }
  nodes
}

test_that("trees are those of CART by brute force", {
  set.seed(3)
  n <- 90L
  bins <- matrix(sample.int(20, 3 * n, replace = TRUE) - 1L, n)
  bins[, 3] <- as.integer(bins[, 3] > 9)
  y <- sin(bins[, 1]) + bins[, 3] * bins[, 2] / 5 + rnorm(n)
  bags <- particleflow:::draw_bags(n, 4L)
  for (min_leaf in c(1L, 5L, 200L)) {
    forest <- .Call(routine("grow_trees"), matrix(as.raw(bins), n), as.matrix(y), 1L, order(y), bags, min_leaf, 1000L,
                    NULL, NULL, 0L, 4L, 1L)
    ends <- c(forest$root, ncol(forest$nodes))
    for (tree in 1:4) {
      wanted <- reference_tree(bins, y, rep(order(y), bags[order(y), tree]), min_leaf)
      at <- seq(ends[tree] + 1, ends[tree + 1])
      found <- lapply(at, function(k) {
        if (forest$nodes[1, k] >= 0) return(list(feature = forest$nodes[1, k] + 1L, bin = forest$bin[k]))
        first <- forest$nodes[2, k] + 1
        list(rows = forest$members[first + seq_len(forest$members[first])] + 1L)
      })
      expect_identical(found, wanted)
    }
  }
})

test_that("residuals are those of ridge regressions without the row", {
  set.seed(4)
  x <- cbind(rnorm(30), rexp(30), rnorm(30))
  y <- x[, 1] - x[, 3] + rnorm(30)
  basis <- particleflow:::ridge_basis(cbind(x, y))
  one <- particleflow:::ridge_regression(basis, y, 3)
  design <- cbind(1, scale(x))
  prior <- diag(c(0, 2, 2, 2))
  without <- vapply(1:30, function(i) {
    y[i] - sum(design[i, ] * solve(crossprod(design[-i, ]) + prior, crossprod(design[-i, ], y[-i])))
  }, 0)
  expect_equal(one$response, without, tolerance = tolerance$kernel)
  all <- drop(design %*% solve(crossprod(design) + prior, crossprod(design, y)))
  one[c("slopes", "levels")] <- particleflow:::named_slopes(one$slopes, rbind(1:3, NA))
  expect_equal(particleflow:::linear_shift(one, x), all, tolerance = tolerance$kernel)
  # the indicator of a level is a coefficient of its own
  x[1:12, 2] <- 0.5
  design <- particleflow:::design_matrix(x, cbind(c(1, NA), c(2, NA), c(2, 0.5)))
  expect_equal(design, cbind(x[, 1:2], x[, 2] == 0.5), ignore_attr = TRUE)
  line <- particleflow:::ridge_regression(particleflow:::ridge_basis(design), y, 3)
  line[c("slopes", "levels")] <- particleflow:::named_slopes(line$slopes, cbind(c(1, NA), c(2, NA), c(2, 0.5)))
  expect_identical(line$levels[1:2], c(2, 0.5))
  fitted <- drop(cbind(1, design) %*% c(line$intercept, line$slopes, line$levels[3]))
  expect_equal(particleflow:::linear_shift(line, x), fitted, tolerance = tolerance$kernel)
})

test_that("the density is that of its parts one by one, out-of-bag at the rows of the fit", {
  data <- mixed_scores(80)
  law <- fitted_law(law_trees(trees = 6, min_leaf = 4, edges = data$edges), data$z)
  new <- mixed_scores(40, 2)$z
  settled <- particleflow:::find_bins(law$cells, new)$settled
  bags <- particleflow:::draw_bags(80, 6L)
  expect_true(all(rowSums(bags == 0) > 0) && all(colSums(bags) > 0))
  fresh <- self <- 0
  for (j in 1:4) {
    one <- slots(law, j)
    shift <- particleflow:::linear_shift(one$values, settled)
    base <- if (!is.null(one$classes)) particleflow:::base_shares(one$classes, settled)
    fresh <- fresh + reference_density(law, j, new, shift, base, matrix(TRUE, 40, 6))
    heavy <- particleflow:::heavy_of(law$cells[[j]], particleflow:::cell_of(law$cells[[j]], data$z[, j]))
    own <- numeric(80)
    own[heavy == 0] <- data$z[heavy == 0, j] - one$values$response
    base <- if (j > 1) one$classes$own else if (!is.null(one$classes)) matrix(one$classes$share, 80, 2, byrow = TRUE)
    self <- self + reference_density(law, j, data$z, own, base, particleflow:::value_bags(bags, heavy) == 0, bags == 0)
  }
  expect_equal(particleflow:::law_density(law, new, 1L)[, 1], fresh, tolerance = tolerance$kernel)
  expect_equal(particleflow:::law_density(law, data$z, 1L, TRUE)[, 1], self, tolerance = tolerance$kernel)
  # the first coordinate is binary: shares of the two values, and the shape of the normal law within each
  alone <- fitted_law(law_trees(trees = 6, min_leaf = 4, edges = data$edges[1]), data$z[, 1, drop = FALSE])
  at <- c(0.31, 1, 3)
  upper <- 0.9995 * mean(data$z[, 1] > 0.3) / pnorm(-0.3) + 0.0005
  expect_equal(exp(particleflow:::law_density(alone, matrix(at), 1L)[, 1]), dnorm(at) * upper,
               tolerance = tolerance$kernel)
})

test_that("of several sizes of leaves each coordinate has one of the two, by the likelihood out-of-bag", {
  data <- mixed_scores(300)
  fit <- function(least) fitted_law(law_trees(trees = 6, min_leaf = least, edges = data$edges), data$z)
  small <- fit(3)
  large <- fit(12)
  both <- fit(c(3, 12))
  taken <- vapply(seq_len(4), function(j) {
    parts <- lapply(list(small, large), function(law) slots(law, j)[c("values", "classes")])
    own <- slots(both, j)
    c(values = match(list(own$values), lapply(parts, `[[`, "values")),
      classes = match(list(own$classes), lapply(parts, `[[`, "classes")))
  }, c(0, 0))
  expect_false(anyNA(taken))
  expect_setequal(unique(as.vector(taken)), 1:2)
  expect_error(law_trees(min_leaf = c(5, 0)), "`min_leaf` must be")
  expect_error(law_trees(min_leaf = integer()), "`min_leaf` must be")
})

test_that("the density of a row is the same bit for bit, whatever stands beside it", {
  data <- mixed_scores(80)
  law <- fitted_law(law_trees(trees = 6, min_leaf = 4, edges = data$edges), data$z)
  new <- mixed_scores(30, 2)$z
  moved <- new
  moved[, 1] <- ifelse(new[, 1] > 0.3, 0.3 + 2 * (new[, 1] - 0.3), new[, 1] - 1) # within the same cells
  each <- vapply(seq_len(30), function(i) particleflow:::law_density(law, new[i, , drop = FALSE], 1L)[1], 0)
  together <- particleflow:::law_density(law, rbind(moved, new, new), 1L)[, 1]
  expect_identical(together[31:60], each)
  expect_identical(together[61:90], each)
})

test_that("prior rows are compared by the shares that a forest with these ratios gives", {
  set.seed(5)
  points <- matrix(rnorm(60), 30)
  base <- cbind(runif(30), 0)
  base[, 2] <- 1 - base[, 1]
  # two trees, the second with the leaves of the first the other way round
  forest <- list(root = c(0L, 3L), nodes = matrix(c(0L, 1L, -1L, 0L, -1L, 1L, 1L, 4L, -1L, 1L, -1L, 0L), 2),
                 cut = c(0.5, 0, 0, -0.2, 0, 0), members = integer())
  ratios <- lapply(1:3, function(k) matrix(runif(4, 0.5, 2), 2))
  class <- sample(2L, 30, TRUE)
  bags <- matrix(sample(0:1, 60, TRUE), 30)
  found <- .Call(particleflow:::C_pf_forest_own_shares, points, forest, base, do.call(cbind, ratios), 3L, class - 1L,
                 bags, 1L)
  for (k in 1:3) {
    wanted <- particleflow:::tree_shares(list(forest = forest, ratio = ratios[[k]]), points, base, bags, 1L)
    expect_equal(found[, k], wanted[cbind(1:30, class)], tolerance = tolerance$kernel)
  }
})

# Cuts by R's own sort. cell: as cell_of() gives it.
reference_cuts <- function(z, cells, cell, most) {
  low <- high <- z
  low[cell > 0] <- cells$low[cell]
  high[cell > 0] <- cells$high[cell]
  order <- order(high, low)
  low <- low[order]
  high <- high[order]
  last <- which(diff(high) > 0)
  if (length(last) > most) {
    wanted <- round(length(z) * seq_len(most) / (most + 1))
    last <- unique(last[pmin(findInterval(wanted, last, left.open = TRUE) + 1L, length(last))])
  }
  (high[last] + low[last + 1L]) / 2
}

test_that("cuts are those of R's own sort, and bins count the cuts below", {
  data <- mixed_scores(300)
  z <- cbind(data$z, round(data$z[, 1], 1))
  cells <- particleflow:::described_cells(c(data$edges, list(NULL)))
  for (most in c(4L, 63L)) {
    found <- particleflow:::find_bins(cells, z, most)
    for (j in 1:5) {
      cell <- particleflow:::cell_of(cells[[j]], z[, j])
      expect_identical(found$cell[, j], cell)
      expect_identical(found$settled[, j], particleflow:::settle_in_cells(cells[[j]], z[, j]))
      cuts <- reference_cuts(z[, j], cells[[j]], cell, most)
      expect_identical(found$cuts[[j]], cuts)
      expect_identical(as.integer(found$bins[, j]), findInterval(z[, j], cuts, left.open = TRUE))
    }
  }
})

test_that("logistic regression is that of glm(), also without the row", {
  set.seed(11)
  x <- cbind(rnorm(400), rnorm(400))
  class <- 1L + (runif(400) < plogis(0.5 + x[, 1] - 0.5 * x[, 2]))
  design <- list(terms = rbind(1:2, NA), columns = 2L, basis = particleflow:::ridge_basis(x, prior = 1e-8))
  one <- particleflow:::logistic_regression(design, class, tabulate(class) / 400, steps = 400L)
  wanted <- coef(glm(class - 1 ~ x, family = binomial))
  slopes <- one$slopes[, 2] - one$slopes[, 1]
  expect_equal(unname(slopes), unname(wanted[-1]), tolerance = 0.01)
  expect_equal(diff(one$intercept), wanted[[1]], tolerance = 0.01)
  without <- vapply(1:30, function(i) {
    fit <- suppressWarnings(glm(class - 1 ~ x, family = binomial, subset = -i))
    drop(c(1, x[i, ]) %*% coef(fit))
  }, 0)
  own <- log(one$own[1:30, 2] / one$own[1:30, 1])
  expect_gt(cor(own, without), 0.999)
  expect_lt(max(abs(own - without - mean(own - without))), 0.1)
})

test_that("weights of nearly equal densities are those of very many steps of EM", {
  set.seed(13)
  base <- rnorm(300)
  each <- dnorm(base, rep(c(0, 0.1, -0.15, 0.05), each = 300), rep(c(1, 1.05, 1.1, 0.98), each = 300), log = TRUE)
  each <- matrix(each, 300)
  found <- particleflow:::converged_weights(each)
  wanted <- particleflow:::mixture_weights(each, 20000L)
  value <- function(weights) mean(log(exp(each) %*% weights))
  expect_equal(sum(found), 1)
  expect_gt(value(found), value(wanted) - 1e-6)
  # plain EM of a hundred steps is not there
  expect_gt(value(wanted) - value(particleflow:::mixture_weights(each, 100L)), 10 * abs(value(wanted) - value(found)))
})

test_that("a nominal coordinate keeps a dependence that its order does not show", {
  set.seed(12)
  n <- 600
  group <- sample.int(2, n, replace = TRUE)
  level <- ifelse(group == 1, sample(c(1, 3), n, replace = TRUE), sample(c(2, 2, 4), n, replace = TRUE))
  cells <- list(qnorm(c(0, 0.5, 1)), qnorm(c(0, 0.25, 0.58, 0.83, 1)))
  within <- function(k, ends) qnorm(runif(length(k), pnorm(ends[k]), pnorm(ends[k + 1])))
  law <- fitted_law(law_trees(edges = cells), cbind(within(group, cells[[1]]), within(level, cells[[2]])))
  z <- particleflow:::draw_law(law, 4000L, c(1L, 2L), 1L)
  drawn <- table(findInterval(z[, 1], cells[[1]]), findInterval(z[, 2], cells[[2]]))
  # of 4000 draws, about 2 per coordinate (wide law) and some of the mixture are in pairs that never occur
  expect_lt((drawn[1, 2] + drawn[1, 4] + drawn[2, 1] + drawn[2, 3]) / 4000, 0.02)
})

test_that("the density integrates to 1, heavy cells included", {
  data <- mixed_scores(120)
  grid <- seq(-9, 9, length.out = 601)
  plane <- as.matrix(expand.grid(grid, grid))
  for (pair in list(1:2, 3:4)) {
    for (edges in list(NULL, data$edges[pair])) {
      law <- fitted_law(law_trees(edges = edges), data$z[, pair])
      expect_lt(abs(sum(exp(particleflow:::law_density(law, plane, 2L))) * (grid[2] - grid[1])^2 - 1),
                tolerance$integral)
    }
  }
  line <- fitted_law(law_trees(edges = data$edges[3]), data$z[, 3, drop = FALSE])
  fine <- matrix(seq(-9, 9, length.out = 20001))
  expect_lt(abs(sum(exp(particleflow:::law_density(line, fine, 2L))) * 18 / 20000 - 1), tolerance$integral)
})

test_that("a back-off far from its gap keeps its mass there", {
  set.seed(13)
  x <- cbind(rnorm(200) * 1e-3 + 1, 0)
  x[, 2] <- (x[, 1] - 1) * 1e3 + rnorm(200, 0, 0.05)
  law <- fitted_law(law_trees(edges = list(c(1.2, Inf), NULL)), x)
  free <- matrix(Inf, 5000, 2)
  expect_equal(particleflow:::trees_within(law, -free, free, c(1L, 2L), 1L)$log_weight, numeric(5000),
               tolerance = tolerance$kernel)
})

test_that("a known score at the end of a heavy cell belongs to the cell", {
  data <- mixed_scores(200)
  law <- fitted_law(law_trees(edges = list(rbind(c(-2, 2)))), data$z[, 3, drop = FALSE])
  for (z in c(-2, -1, 2, 2.5)) {
    within <- particleflow:::trees_within(law, matrix(z), matrix(z), c(1L, 2L), 1L)
    expect_equal(within$log_weight, particleflow:::law_density(law, matrix(z), 1L)[, 1], tolerance = tolerance$kernel)
  }
})

# Means over 20,000 draws in standard errors: a false alarm has probability 1e-6 each (4.9 standard errors).
test_that("draws follow the density", {
  data <- mixed_scores(300)
  line <- fitted_law(law_trees(edges = data$edges[3]), data$z[, 3, drop = FALSE])
  fine <- matrix(seq(-9, 9, length.out = 20001))
  log_density <- particleflow:::law_density(line, fine, 1L)[, 1]
  value <- particleflow:::law_density(line, particleflow:::draw_law(line, 20000L, c(3L, 4L), 1L), 1L)[, 1]
  expect_lt(abs(mean(value) - sum(exp(log_density) * log_density) * 18 / 20000), 4.9 * sd(value) / sqrt(20000))
  # in four dimensions: the share of draws in a box against the integral over the box, by normal numbers
  law <- fitted_law(law_trees(edges = data$edges), data$z)
  draws <- particleflow:::draw_law(law, 20000L, c(1L, 2L), 1L)
  set.seed(8)
  normal <- matrix(rnorm(80000, sd = 1.5), 20000)
  weight <- exp(particleflow:::law_density(law, normal, 1L)[, 1] - rowSums(dnorm(normal, sd = 1.5, log = TRUE)))
  for (box in list(cbind(c(0.3, 0, -Inf, -Inf), c(Inf, Inf, -0.5, 0.4)),
                   cbind(c(-Inf, -1, -0.5, -1), c(0.3, 0, Inf, 0)),
                   cbind(c(-Inf, -Inf, -0.5, -Inf), c(Inf, -0.5, 1, 0)))) {
    inside <- function(z) apply(z, 1, function(row) all(row > box[, 1] & row < box[, 2]))
    drawn <- inside(draws)
    integral <- weight * inside(normal)
    error <- sqrt((var(drawn) + var(integral)) / 20000)
    expect_lt(abs(mean(drawn) - mean(integral)), 4.9 * error)
    expect_gt(mean(drawn), 0.01)
  }
})

test_that("draws in a box have its probability as mean weight, and the conditional law", {
  data <- mixed_scores(300)
  law <- fitted_law(law_trees(edges = data$edges), data$z)
  low <- matrix(c(0.3, -Inf, -Inf, -0.5), 20000, 4, byrow = TRUE)
  high <- matrix(c(Inf, Inf, -0.5, 1), 20000, 4, byrow = TRUE)
  within <- particleflow:::trees_within(law, low, high, c(1L, 2L), 1L)
  expect_true(all(within$points >= low & within$points <= high))
  free <- particleflow:::draw_law(law, 20000L, c(5L, 6L), 1L)
  accepted <- free[rowSums(free > low & free < high) == 4, ]
  weight <- exp(within$log_weight)
  error <- sqrt(var(weight) / 20000 + mean(weight) * (1 - mean(weight)) / 20000)
  expect_lt(abs(mean(weight) - nrow(accepted) / 20000), 4.9 * error) # false alarm 1e-6
  # energy distance of 300 conditional and 300 accepted rows against 199 permutations: false alarm 1 in 200
  set.seed(9)
  some <- rbind(within$points[base::sample(20000, 300, prob = weight), ],
                accepted[base::sample(nrow(accepted), 300), ])
  distance <- as.matrix(dist(some))
  energy <- function(s) 2 * mean(distance[s, -s]) - mean(distance[s, s]) - mean(distance[-s, -s])
  permuted <- replicate(199, energy(base::sample(600, 300)))
  expect_lt(energy(1:300), max(permuted))
  # a known coordinate: its density is the weight; in closed form through the joint density
  low[, 1:3] <- high[, 1:3] <- matrix(data$z[1, 1:3], 20000, 3, byrow = TRUE)
  low[, 4] <- -Inf
  high[, 4] <- Inf
  given <- particleflow:::trees_within(law, low[1:5, ], high[1:5, ], c(1L, 2L), 1L)
  expect_identical(given$points[, 1:3], low[1:5, 1:3])
  joint <- fitted_law(law_trees(edges = data$edges[1:3]), data$z[, 1:3])
  expect_equal(given$log_weight, rep(particleflow:::law_density(joint, data$z[1, 1:3, drop = FALSE], 1L)[1], 5),
               tolerance = tolerance$kernel)
})

test_that("independent coordinates have nearly the density of kernel estimates one by one", {
  set.seed(6)
  x <- cbind(rnorm(600), rexp(600), rnorm(600, sd = 20))
  new <- cbind(rnorm(2000), rexp(2000), rnorm(2000, sd = 20))
  law <- fitted_law(law_trees(), x)
  each <- sapply(1:3, function(j) {
    kernel <- stats::density(x[, j], n = 4096, from = min(new[, j]), to = max(new[, j]) + 1e-9)
    log(stats::approx(kernel, xout = new[, j], rule = 2)$y + 1e-12)
  })
  loss <- mean(rowSums(each)) - mean(particleflow:::law_density(law, new, 1L))
  expect_lt(abs(loss), 0.15)
  # another unit of a column changes the density by the unit
  unit <- c(1, 10, 0.01)
  scaled <- fitted_law(law_trees(), sweep(x, 2, unit, "*"))
  expect_equal(particleflow:::law_density(scaled, sweep(new, 2, unit, "*"), 1L)[, 1],
               particleflow:::law_density(law, new, 1L)[, 1] - sum(log(unit)), tolerance = tolerance$inverse)
})

test_that("a step that no linear function has is found", {
  set.seed(7)
  step <- function(n) {
    x <- rnorm(n)
    cbind(x, ifelse(abs(x) > 0.7, 1, -1) + rnorm(n, sd = 0.1))
  }
  new <- step(1000)
  value <- function(law) mean(particleflow:::law_density(fitted_law(law, step(500)), new, 1L))
  truth <- mean(dnorm(new[, 1], log = TRUE) + dnorm(new[, 2], ifelse(abs(new[, 1]) > 0.7, 1, -1), 0.1, log = TRUE))
  expect_gt(value(law_trees()), truth - 0.25)
  expect_gt(value(law_trees()), value(law_student()) + 0.5)
})

test_that("bits depend neither on threads nor on the number of rows", {
  set.seed(5)
  x <- matrix(rnorm(8 * 8000), 8000)
  fit <- function(threads) {
    old <- options(particleflow.threads = threads)
    on.exit(options(old))
    fitted_law(law_trees(min_leaf = 40), x)
  }
  law <- fit(1)
  expect_identical(fit(2), law)
  for (self in c(TRUE, FALSE)) {
    expect_identical(particleflow:::law_density(law, x, 2L, self), particleflow:::law_density(law, x, 1L, self))
  }
  draws <- particleflow:::draw_law(law, 6000L, c(1L, 2L), 2L)
  expect_identical(draws, particleflow:::draw_law(law, 6000L, c(1L, 2L), 1L))
  expect_identical(draws[1:50, ], particleflow:::draw_law(law, 50L, c(1L, 2L), 1L))
})

test_that("blocks of trees are joined into the forest grown at once", {
  set.seed(5)
  y <- rnorm(50)
  bins <- matrix(as.raw(sample.int(60, 100, replace = TRUE)), 50)
  bags <- particleflow:::draw_bags(50, 5L)
  grow <- function(from, count) {
    .Call(routine("grow_trees"), bins, as.matrix(y), 1L, order(y), bags, 3L, 10L, classes, expected, from, count, 1L)
  }
  for (classes in list(NULL, rep(0:1, 25))) {
    expected <- if (!is.null(classes)) matrix(0.5, 50, 2)
    parts <- list(grow(0L, 2L), grow(2L, 1L), grow(3L, 2L))
    expect_identical(Reduce(particleflow:::join_forests, parts), grow(0L, 5L))
  }
})

test_that("few rows, equal rows and far points are no trouble, and wrong settings are refused", {
  for (n in 3:6) {
    law <- fitted_law(law_trees(), matrix(rnorm(2 * n), n))
    expect_true(all(is.finite(particleflow:::law_density(law, rbind(c(0, 0), c(60, -60)), 1L))))
  }
  twice <- matrix(rnorm(40), 20)[rep(1:20, 2), ]
  expect_true(all(is.finite(particleflow:::law_density(fitted_law(law_trees(), cbind(twice, twice)),
                                                       cbind(twice, twice), 1L))))
  expect_error(fitted_law(law_trees(), cbind(rnorm(9), 1)), "coordinate 2 has one", class = "particleflow_unfit")
  expect_error(law_trees(trees = 1), "`trees` must be one whole number of at least 2, not 1")
  expect_error(law_trees(min_leaf = 0), "`min_leaf` must be")
  expect_error(law_trees(linear = NA), "`linear` must be")
  expect_error(law_trees(edges = c(0, 1)), "`edges` must be a list")
  expect_error(law_trees(edges = list(c(1, 0))), "`edges\\[\\[1\\]\\]` must be increasing")
  expect_error(law_trees(edges = list(NULL, cbind(c(0, 1), c(2, 3)))), "`edges\\[\\[2\\]\\]` must be increasing")
  expect_error(fitted_law(law_trees(edges = list(NULL)), matrix(rnorm(20), 10)), "each of the 2 coordinates")
  asked <- particleflow:::law_candidates(100, 3, lapply(c("trees", "copula"), particleflow:::our_law))
  bases <- Filter(function(one) identical(one$settings$base, "trees"), asked)
  expect_identical(lapply(bases, function(one) one$settings$min_leaf), list(15L))
  expect_false(any(vapply(particleflow:::law_candidates(100, 3), `[[`, "", "law") == "trees"))
  fit <- efs(iris[1:50, 1:3], law = "trees", time = 0)
  expect_output(print(fit), "trees")
  expect_identical(dim(simulate(fit, 7, seed = 1)), c(7L, 3L))
})
