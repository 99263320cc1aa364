test_that("one difference per column is shrunk by its variance over the sampling variance", {
  set.seed(1)
  raw <- matrix(rnorm(300, mean = 0.4, sd = 2))
  found <- shrink_effects(raw, 1.5, matrix(1))
  between <- var(raw[, 1]) - 1.5
  expect_equal(found[, 1], mean(raw) + between / (between + 1.5) * (raw[, 1] - mean(raw)),
               tolerance = tolerance$closed_form)
  # chance explains all: the common value
  expect_equal(shrink_effects(raw, 100, matrix(1))[, 1], rep(mean(raw), 300), tolerance = tolerance$closed_form)
  # next to no noise: the differences
  expect_equal(shrink_effects(raw, 1e-12, matrix(1)), raw, tolerance = tolerance$isometry)
})

test_that("labels of a batch share its effects as far as their differences are chance", {
  # 2000 columns, effects of variance 1; the standard error of a mean squared error is about 0.03 of it
  set.seed(2)
  effect <- rnorm(2000)
  noise <- c(0.5, 0.5, 2)
  for (own in c(0, 0.7)) {
    truth <- effect + matrix(rnorm(6000, sd = own), 2000)
    raw <- truth + matrix(rnorm(6000), 2000) %*% diag(sqrt(noise))
    found <- shrink_effects(raw, noise, matrix(1, 3, 1))
    best <- vapply(1:3, function(j) {
      # the conditional mean under the law from which the columns were drawn
      covariance <- 1 + diag(own^2 + noise)
      colMeans((raw %*% solve(covariance, rep(1, 3) + own^2 * (1:3 == j)) - truth[, j])^2)
    }, 0)
    error <- colMeans((found - truth)^2)
    expect_true(all(error < 1.1 * best))
    expect_true(all(error < 0.8 * noise))
    expect_equal(rest_variance(sweep(raw, 2, colMeans(raw)), noise, matrix(1, 3, 1)), own^2, tolerance = 0.15)
  }
})

test_that("batch variables are additive, and combinations that cannot be told apart do no harm", {
  set.seed(3)
  parts <- expand.grid(lab = c("a", "b", "c"), run = c("1", "2"), stringsAsFactors = FALSE)
  row.names(parts) <- paste(parts$lab, parts$run)
  groups <- lapply(row.names(parts)[-1], function(batch) list(batch = batch))
  design <- effect_design(groups, parts, "a 1")
  expect_identical(design, cbind(c(1, 0, 0, 1, 0), c(0, 1, 0, 0, 1), c(0, 0, 1, 1, 1)))
  effects <- matrix(rnorm(1500), 500)
  truth <- effects %*% t(design)
  raw <- truth + matrix(rnorm(2500, sd = 0.5), 500)
  found <- shrink_effects(raw, rep(0.25, 5), design)
  expect_lt(mean((found - truth)^2), 0.75 * 0.25) # three effects are told from five differences
  aliased <- shrink_effects(raw, rep(0.25, 5), cbind(design, design[, 3]))
  expect_equal(aliased, found, tolerance = tolerance$isometry)
  expect_identical(effect_design(groups[c(1, 1, 2)], NULL, "a 1"), cbind(c(1, 1, 0), c(0, 0, 1)))
})

test_that("standard deviations are brought to those of the reference, shrunk where rows are few", {
  set.seed(4)
  scale <- exp(rnorm(200, 0.5, 0.4))
  for (n in c(1000, 6)) {
    points <- rbind(matrix(rnorm(200 * n), n) %*% diag(scale) + 3, matrix(rnorm(200 * n), n))
    group <- list(batch = "b", rows = seq_len(n), goal = n + seq_len(n))
    found <- adjust_groups(points, list(b = group), matrix(1), "scale")$b
    own <- points[group$rows, ]
    goal <- points[group$goal, ]
    raw <- apply(goal, 2, sd) / apply(own, 2, sd)
    moved <- apply_adjustment(own, found)
    spread <- apply(points, 2, sd)
    expect_equal(sum(apply(moved, 2, var) / spread^2), sum(apply(goal, 2, var) / spread^2),
                 tolerance = tolerance$closed_form)
    if (n == 1000) {
      # next to no shrinkage
      expect_equal(found$ratio, raw, tolerance = 0.01)
      expect_equal(colMeans(moved), colMeans(goal), tolerance = 0.05)
    } else {
      # nearer to the truth than the ratio of the two
      error <- function(ratio) mean((log(ratio) + log(scale))^2)
      expect_lt(error(found$ratio), 0.7 * error(raw))
    }
  }
  flat <- rbind(cbind(1, rnorm(5)), cbind(rnorm(4), 2))
  group <- list(b = list(batch = "b", rows = 1:5, goal = 6:9))
  expect_identical(adjust_groups(flat, group, matrix(1), "scale")$b$ratio, c(1, 1))
  expect_identical(apply_adjustment(own, adjust_groups(points, list(group), matrix(1), "none")[[1]]), own)
})

test_that("shrunk shifts are nearer to the shifts of the batch than differences of means", {
  # 30 tables of 200 columns; the ratio of the errors has a standard error of about 0.01
  set.seed(5)
  ratio <- replicate(30, {
    shift <- rnorm(200, 0.3, 0.4)
    points <- rbind(matrix(rnorm(1000), 5) - rep(shift, each = 5), matrix(rnorm(1600), 8))
    found <- adjust_groups(points, list(b = list(batch = "b", rows = 1:5, goal = 6:13)), matrix(1), "mean")$b
    raw <- colMeans(points[6:13, ]) - colMeans(points[1:5, ])
    mean((found$to - found$from - shift)^2) / mean((raw - shift)^2)
  })
  # 0.4^2 / (0.4^2 + 1 / 5 + 1 / 8) = 0.33
  expect_lt(abs(mean(ratio) - 0.33), 0.05)
})

test_that("a batch of one sample gets a shift that leaves it what is its own", {
  set.seed(6)
  p <- 2000
  own <- rnorm(p)
  shift <- rnorm(p, 1, 0.5)
  x <- rbind(matrix(rnorm(20 * p), 20), own - shift)
  fit <- integrate_data(x, rep(c("a", "b"), c(20, 1)), "a", compare = FALSE)
  moved <- fit$data[21, ]
  # the best linear guess of the shift keeps 0.25 / (0.25 + 1 + 1 / 20) of what is not common
  expect_equal(cor(moved, own), 0.87, tolerance = 0.05)
  expect_lt(mean((moved - own)^2), 0.25)
  expect_gt(mean((colMeans(x[1:20, ]) - own)^2), 0.9)
  expect_identical(fit$flows$b$status, "one sample")
  expect_equal(predict(fit, x[21, , drop = FALSE], "b")[1, ], moved, tolerance = tolerance$isometry)
  # the scale of the other label of its batch
  label <- rep(c("u", "v"), c(10, 11))
  wide <- rbind(x[1:20, ], 3 * matrix(rnorm(8 * p), 8), x[21, ])
  batch <- rep(c("a", "b"), c(20, 9))
  label <- c(rep(c("u", "v"), 10), rep("u", 8), "v")
  ratio <- integrate_data(wide, batch, "a", label, n_steps = 0, compare = FALSE)$flows$`b: v`$adjustment$ratio
  # the unit of a column is its standard deviation in all samples, the wide ones among them: a few per cent too large
  expect_equal(mean(log(ratio)), -log(3), tolerance = 0.1)
})
