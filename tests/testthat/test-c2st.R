test_that("the interval at level 1 is all of [0, 1], and has no width at an AUC of 1", {
  x <- matrix(sin(1:80), 40)
  expect_identical(unname(c2st(x, x + 100, level = 1, seed = 1)$interval), c(1, 1))
  expect_identical(unname(c2st(x, sin(matrix(81:160, 40)), level = 1, seed = 1)$interval), c(0, 1))
})

test_that("the AUC and its variance are DeLong's, ties and all", {
  set.seed(1)
  low <- round(rnorm(23), 1)
  high <- round(rnorm(31, 0.5), 1)
  wins <- outer(high, low, function(a, b) (a > b) + (a == b) / 2)
  found <- particleflow:::delong_auc(low, high)
  expect_equal(found[["auc"]], mean(wins))
  expect_equal(found[["variance"]], var(rowMeans(wins)) / 31 + var(colMeans(wins)) / 23)
})

test_that("ridge scores are those of the penalised normal equations, more terms than rows or fewer", {
  set.seed(2)
  for (p in c(3, 60)) {
    f <- matrix(rnorm(40 * p), 40)
    label <- rep(0:1, 20)
    fold <- rep(1:4, each = 10)
    wanted <- numeric(40)
    for (part in 1:4) {
      train <- fold != part
      centred <- scale(f[train, ], scale = FALSE)
      beta <- solve(crossprod(centred) + diag(p, p), crossprod(centred, label[train]))
      wanted[!train] <- sweep(f[!train, ], 2, colMeans(f[train, ])) %*% beta
    }
    found <- particleflow:::ridge_scores(f, cbind(label, 1 - label), fold)
    expect_equal(found[, 2], -found[, 1]) # labels are centred, and scores are linear in them
    found <- found[, 1]
    # within a fold scores count up to a constant
    centre <- function(s) s - ave(s, fold)
    expect_equal(centre(found), centre(wanted), tolerance = 1e-8)
  }
})

test_that("nearest-neighbour scores are shares of label 1 in the other folds", {
  set.seed(3)
  x <- matrix(rnorm(60), 30)
  label <- rep(0:1, 15)
  fold <- rep(1:3, each = 10)
  scaled <- scale(x, center = FALSE, scale = apply(x, 2, sd))
  d <- as.matrix(dist(scaled))
  wanted <- vapply(1:30, function(i) {
    others <- which(fold != fold[i])
    mean(label[others[order(d[i, others])[1:4]]])
  }, 0)
  expect_equal(particleflow:::neighbour_scores(x, label, fold, 4L, 1L), wanted)
})

test_that("intervals of samples of one law hold 0.5, those of other laws do not", {
  # 40 tests at level 0.95: fewer than 6 false alarms, which a test at its level
  # exceeds with probability 0.014 (the seed is fixed)
  set.seed(4)
  alarms <- sum(replicate(40, {
    found <- c2st(matrix(rnorm(360), 120), matrix(rnorm(360), 120))
    found$interval[[1]] > 0.5 || found$interval[[2]] < 0.5
  }))
  expect_lt(alarms, 6)
  x <- matrix(rnorm(600), 200)
  expect_gt(c2st(x, x + 4, seed = 1)$auc, 0.99)
  for (classifier in c("knn", "quadratic", "both")) {
    expect_gt(c2st(x, matrix(rnorm(600, 1), 200), classifier, seed = 1)$interval[["lower"]], 0.5)
    expect_gt(c2st(x, matrix(rnorm(600, sd = 2), 200), classifier, seed = 1)$interval[["lower"]], 0.5)
    joint <- x
    joint[, 2] <- joint[, 1] + rnorm(200) / 2
    expect_gt(c2st(joint, apply(joint, 2, sample), classifier, seed = 1)$interval[["lower"]], 0.5)
  }
  expect_lt(c2st(x, x + 1e-6, "knn", k = 5, seed = 1)$interval[["upper"]], 0.5) # pairs
})

test_that("a seed governs the folds and leaves the stream alone", {
  x <- matrix(rnorm(100), 50)
  y <- matrix(rnorm(80), 40)
  set.seed(9)
  before <- .Random.seed
  a <- c2st(x, y, seed = 3)
  expect_identical(.Random.seed, before)
  expect_identical(c2st(x, y, seed = 3, threads = 1), a)
  set.seed(3)
  expect_identical(c2st(x, y), a)
})

test_that("c2st() prints what it found and names bad arguments", {
  x <- matrix(rnorm(100), 50)
  expect_match(format(c2st(x, x + 3, seed = 1)), "easily", all = FALSE)
  expect_match(format(c2st(x, matrix(rnorm(100), 50), seed = 1)), "cannot tell the tables apart", all = FALSE)
  expect_error(c2st(x, x, folds = 26), "`folds` must be at most half")
  expect_error(c2st(x, x, classifier = "tree"), "`classifier` must be one of")
  expect_error(c2st(x, x, k = 1000), "`k` must be at most the 80 rows to learn from")
  wide <- matrix(rnorm(30 * 200), 30) # more columns than rows
  expect_identical(c2st(wide, wide + 2, seed = 1)$terms, "columns")
  expect_gt(c2st(wide, wide + 2, seed = 1)$auc, 0.95)
})

test_that("an AUC below 0.5 is put in words", {
  object <- function(auc, half) {
    structure(list(auc = auc, interval = c(lower = auc - half, upper = auc + half), level = 0.95, classifier = "knn",
                   folds = 5, n = c(real = 50, synthetic = 50)), class = "c2st")
  }
  why <- "because one was made from the other, or by an accident of sampling"
  expect_match(format(object(0.36, 0.09))[3], why)
  expect_match(format(object(0.47, 0.09))[3], "below 0.5 whose interval holds 0.5 is an accident of sampling")
  expect_no_match(format(object(0.53, 0.09))[3], "accident")
  expect_match(auc_sentence(object(0.36, 0.09), alike = TRUE), why)
  expect_match(auc_sentence(object(0.47, 0.09), alike = TRUE), "cannot tell the tables apart.$")
})
