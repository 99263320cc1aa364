low_rank <- function(n, p, seed) {
  set.seed(seed)
  loadings <- matrix(rnorm(3 * p), 3)
  matrix(rnorm(n * 3), n) %*% loadings + matrix(rnorm(n * p, sd = 0.7), n)
}

test_that("the law ensemble has the centre and the covariance of its particles", {
  set.seed(1)
  x <- matrix(rnorm(8 * 20), 8) %*% diag(seq(0.5, 2, length.out = 20))
  law <- law_ensemble(balanced = FALSE)
  fit <- efs(x, latent = "none", law = law, time = 0, scale = FALSE)
  new <- simulate(fit, 2e5, seed = 1)
  # the standard error of a covariance is about s^2 sqrt(2 / 2e5): five of them
  expect_lt(max(abs(cov(new) - cov(x))), 5 * sqrt(2 / 2e5) * max(diag(cov(x))))
  expect_lt(max(abs(colMeans(new) - colMeans(x))), 5 * sqrt(max(diag(cov(x))) / 2e5))
  expect_equal(qr(sweep(new[1:30, ], 2, colMeans(x)))$rank, 7)
  others <- matrix(rnorm(50 * 20, sd = 3), 50)
  borrowing <- efs(x, latent = "none", law = law_ensemble(0.3, list(others), balanced = FALSE), time = 0, scale = FALSE)
  wanted <- 0.7 * cov(x) + 0.3 * crossprod(others) / 50
  new <- simulate(borrowing, 2e5, seed = 1)
  expect_lt(max(abs(cov(new) - wanted)), 5 * sqrt(2 / 2e5) * max(diag(wanted)))
  expect_error(law_ensemble(0.3), "`others` must be given")
  for (wrong in list(list(matrix("a", 3, 20)), list(matrix(NA_real_, 3, 20)), list(matrix(0, 0, 20)), x)) {
    expect_error(law_ensemble(0.3, wrong), "`others` must be a list of one matrix of finite numbers")
  }
  expect_error(efs(x, latent = "none", law = law_ensemble(clusters = 9), time = 0), "`clusters` must be at most 8")
  expect_error(law_ensemble(2), "`borrowed` must be one number between 0 and 1")
})

test_that("balanced draws have the centre and the covariance exactly, and rows are uniform rotations", {
  set.seed(1)
  for (n in c(2, 12)) {
    x <- matrix(rnorm(n * 20), n)
    fit <- efs(x, latent = "none", law = law_ensemble(), time = 0, scale = FALSE)
    size <- if (n == 2) 10 else n
    new <- simulate(fit, 40 * size, seed = 1)
    for (batch in c(1, 40)) {
      rows <- (batch - 1) * size + seq_len(size)
      expect_equal(colMeans(new[rows, ]), colMeans(x), tolerance = tolerance$isometry)
      expect_equal(cov(new[rows, ]), cov(x), tolerance = tolerance$isometry)
    }
    expect_identical(simulate(fit, 7, seed = 1), new[1:7, ], ignore_attr = TRUE)
    # no copies: the nearest particle is as far as for independent draws, 2 standard errors of 400 medians
    away <- function(rows) apply(rows, 1, function(row) min(colSums((t(x) - row)^2)))
    free <- simulate(efs(x, latent = "none", law = law_ensemble(balanced = FALSE), time = 0, scale = FALSE), 40 * size,
                     seed = 2)
    expect_equal(median(away(new)), median(away(free)), tolerance = 0.25)
  }
  # weights of single rows: mean 0, variance 1 - 1/n, the same for all particles; five standard errors of 4000 batches
  weights <- replicate(4000, particleflow:::centred_rotation(matrix(rnorm(12 * 11), 12))[1, ])
  expect_lt(max(abs(rowMeans(weights))), 5 / sqrt(4000))
  expect_lt(max(abs(rowMeans(weights^2) - 11 / 12)), 5 * sqrt(2 / 4000))
})

test_that("clusters of samples are found and kept, and a Gaussian has none", {
  set.seed(2)
  centres <- matrix(rnorm(3 * 200, sd = 1.5), 3)
  of <- rep(1:3, c(30, 40, 20))
  x <- centres[of, ] + matrix(rnorm(90 * 200), 90)
  fit <- efs(x)
  expect_length(fit$flows[[1]]$law$parts, 3)
  expect_output(print(fit), "clusters = 3")
  nearest <- function(rows) apply(rows, 1, function(row) which.min(colSums((t(centres) - row)^2)))
  new <- simulate(fit, 90, seed = 1)
  # each sample is far nearer to its own centre, and a balanced set has the sizes of the clusters
  expect_identical(tabulate(nearest(new)), c(30L, 40L, 20L))
  free <- simulate(efs(x, law = law_ensemble(balanced = FALSE, clusters = 3), latent = latent_genes(), time = 0), 900,
                   seed = 1)
  # five standard errors of 900 multinomial draws
  expect_lt(max(abs(tabulate(nearest(free)) / 900 - c(30, 40, 20) / 90)), 5 * sqrt(0.25 / 900))
  expect_length(efs(low_rank(90, 200, 1))$flows[[1]]$law$parts, 1)
  expect_error(law_ensemble(0.2, list(x), clusters = 2), "`borrowed` must be 0")
})

test_that("the correlations, means and variances of a low-rank Gaussian come back", {
  x <- low_rank(100, 300, 2)
  fit <- efs(exp(x / 4))
  expect_identical(fit$latent$name, "genes")
  expect_identical(fit$latent$dim, 99L)
  new <- 4 * log(simulate(fit, 4000, seed = 1))
  pairs <- upper.tri(diag(300))
  # the scores are those of x, because exp() is monotone; the smoothed margins move correlations by about 0.01
  expect_lt(sqrt(mean((cor(new) - cor(x))[pairs]^2)), 0.03)
  # means and variances are kept in the unit of the columns, exp(x / 4); on the scale of x they move by some per cent
  expect_equal(mean(apply(new, 2, var) / apply(x, 2, var)), 1, tolerance = 0.06)
  expect_lt(max(abs(colMeans(new) - colMeans(x)) / apply(x, 2, sd)), 0.15)
  # many new rows are no copies: the nearest row is as far as another row of the law is
  other <- low_rank(200, 300, 2)[101:200, ]
  nearest <- function(a) apply(a, 1, function(row) sqrt(min(colSums((t(x) - row)^2))))
  expect_equal(median(nearest(new[1:100, ])) / median(nearest(other)), 1, tolerance = 0.15)
})

test_that("permuted genes give permuted rows", {
  x <- low_rank(20, 80, 3)
  set.seed(3)
  order <- sample(80)
  # the components are the same up to their signs, which LAPACK chooses
  expect_equal(cov(simulate(efs(x), 3e3, seed = 1))[order, order], cov(simulate(efs(x[, order]), 3e3, seed = 1)),
               tolerance = 0.05)

})

test_that("heaps, constants and ends of columns are kept, class by class", {
  x <- low_rank(40, 60, 4)
  x <- pmax(x + 1, 0)
  x[, 1] <- 7
  group <- rep(c("a", "b", "c"), c(20, 15, 5))
  x[group == "c", 2] <- 0
  x[, 3] <- rbinom(40, 1, 0.3)
  fit <- efs(x, group = group)
  new <- simulate(fit, c(a = 400, b = 400, c = 400), seed = 1)
  expect_true(all(new >= 0))
  expect_true(all(new[, 1] == 7))
  expect_identical(as.vector(table(attr(new, "group"))), c(400L, 400L, 400L))
  whole <- simulate(efs(x), 2000, seed = 1)
  zero <- colMeans(x == 0)
  expect_lt(max(abs(colMeans(whole == 0) - zero)[-(1:3)]), 0.1)
  expect_setequal(unique(whole[, 3] %in% c(0, 1))[1], TRUE)
  expect_output(print(fit), "borrowed = 0\\.[0-9]+")
})

test_that("a class of few rows has its own centre and borrows its covariance", {
  x <- low_rank(60, 200, 5)
  group <- rep(c("large", "small"), c(52, 8))
  x[group == "small", 1:50] <- x[group == "small", 1:50] + 8
  fit <- efs(x, group = group)
  new <- simulate(fit, c(small = 3000), seed = 1)
  goal <- colMeans(x[group == "small", ])
  expect_lt(sqrt(mean((colMeans(new) - goal)^2)), 0.6)
  # eight rows alone have a covariance of rank 7
  expect_gt(qr(sweep(new[1:100, ], 2, colMeans(new)))$rank, 20)
  latent <- predict(fit, x[1:6, ], type = "latent", group = group[1:6])
  expect_gt(cor(as.vector(latent), as.vector(predict(fit)[1:6, ])), 0.95)
  back <- predict(fit, predict(fit), type = "data", group = group)
  expect_gt(cor(as.vector(as.matrix(back[, 1:200])), as.vector(x)), 0.98)
})

test_that("a table that is not wide, or whose law or flow is asked for, keeps its map", {
  x <- low_rank(60, 100, 6)
  expect_identical(efs(x, calibrate = FALSE, s = 0)$latent$name, "pca")
  expect_identical(efs(x[, 1:40], calibrate = FALSE)$latent$name, "pca")
  expect_identical(efs(x, blocks = rep(1:30, 2), calibrate = FALSE)$latent$name, "pca")
  expect_identical(efs(x, scale = "whiten", calibrate = FALSE)$latent$name, "pca")
  expect_identical(efs(x, law = "local", calibrate = FALSE)$latent$name, "pca")
  expect_identical(efs(x[, 1:10], latent = latent_genes())$latent$name, "genes")
})

test_that("print() of fits with classes says once what holds for all, and how far means are shrunk", {
  set.seed(3)
  class <- rep(c("a", "b", "c"), c(20, 15, 6))
  shift <- rbind(0, rnorm(200, sd = 3), rnorm(200, sd = 3))
  x <- matrix(rnorm(41 * 200), 41) + shift[match(class, c("a", "b", "c")), ]
  fit <- synthesise(x, group = class, quiet = TRUE)
  said <- format(fit)
  expect_identical(sum(grepl("flow", said)), 1L)
  expect_match(said, "3 classes, none with a flow, which needs more rows than dimensions:", fixed = TRUE, all = FALSE)
  expect_no_match(said, "clusters|prior|balanced")
  expect_match(said, "^  a +20 rows: law ensemble \\(borrowed = 0\\.[0-9]+\\)$", all = FALSE)
  # 1 - 1/F of each column, by the analysis of variance
  kept <- apply(x, 2, function(value) max(0, 1 - 1 / stats::anova(stats::lm(value ~ class))[["F value"]][1]))
  share <- sprintf("the median column keeps %.0f %% of the observed differences", 100 * median(kept))
  expect_match(paste(said, collapse = " "), gsub(" ", " +", share), all = FALSE)
  expect_no_match(format(synthesise(x, quiet = TRUE)), "shrunk|other classes")
  expect_match(format(efs(x, latent = latent_genes(), law = law_ensemble(clusters = 2, balanced = FALSE), time = 0)),
               "ensemble (clusters = 2, prior = 5, balanced = FALSE)", fixed = TRUE, all = FALSE)
})

test_that("the data side of a plot shows the means of classes, where latent rows lack them", {
  set.seed(4)
  class <- rep(c("a", "b"), each = 20)
  far <- matrix(rnorm(40 * 100), 40) + 4 * (class == "b")
  counts <- matrix(rnbinom(40 * 100, mu = 20 * 8^outer(class == "b", rep(0:1, 50)), size = 5), 40)
  for (x in list(far, counts)) {
    fit <- synthesise(x, group = class, quiet = TRUE)
    points <- particleflow:::efs_picture(fit, "latent", NULL, 20, c(1, 3), NULL, NULL)$points
    gap <- function(panel) {
      at <- points[points$panel == panel & points$kind %in% c("rows", "new"), ]
      abs(diff(tapply(at$x, at$group, mean))) / sd(at$x)
    }
    # two clouds that do not meet: their means are two standard deviations of the whole apart, but for their width
    expect_gt(gap("data"), 1.7)
    expect_lt(gap("latent (no flow)"), 0.7)
  }
})

test_that("two columns have the quantiles of each of them", {
  set.seed(8)
  sorted <- apply(matrix(rnorm(40), 20), 2, sort)
  weights <- particleflow:::quantile_weights(20)
  z <- matrix(rnorm(10), 5)
  values <- function(j) particleflow:::quantile_values(sorted[, j, drop = FALSE], weights, z[, j, drop = FALSE])
  expect_identical(values(1:2), cbind(values(1), values(2)))
  # 30 samples of two genes pass through the whole machine
  x <- matrix(rnorm(60), 30)
  new <- simulate(efs(x, latent = latent_genes(), law = law_ensemble(), time = 0), 30, seed = 1)
  expect_lt(max(abs(colMeans(new) - colMeans(x))), 0.1)
})
