law <- function(n) {
  z <- rnorm(n)
  data.frame(a = z + rnorm(n) / 2, b = z - rnorm(n) / 2, c = rexp(n), g = factor(sample(c("u", "v"), n, TRUE)))
}
set.seed(7)
real <- law(400)
fresh <- law(400)
held <- law(300)

test_that("fresh rows of the same law are close and new", {
  report <- fidelity(real, fresh, held)
  expect_identical(report$verdict[["overall"]], "close and new")
  expect_match(report$verdict[["novelty"]], "The rows are new")
  expect_match(report$verdict[["closeness"]], "as close to the real ones as another sample")
  expect_match(report$verdict[["where"]], "Each column agrees")
  expect_true(all(report$columns$agrees))
  expect_false(anyNA(report$scores$holdout))
  alone <- fidelity(real, fresh)
  expect_identical(alone$verdict[["overall"]], "close and new")
  expect_match(format(alone), "there being no `holdout`", all = FALSE)
  expect_true(all(is.na(alone$scores$holdout)))
})

test_that("a copied table is called a copy", {
  report <- fidelity(real, real, held)
  expect_identical(report$verdict[["overall"]], "a copy of the real rows")
  expect_match(report$verdict[["novelty"]], "It is a copy: 100 %")
  expect_identical(report$novelty$duplicates, 1)
  some <- fidelity(real, rbind(fresh[1:300, ], real[1:100, ]))
  expect_match(some$verdict[["novelty"]], "Some rows are copies or nearly: 25 %")
})

test_that("shuffled columns: the joint law is wrong, the columns are right", {
  set.seed(8)
  report <- fidelity(real, as.data.frame(lapply(real, sample)))
  expect_match(report$verdict[["overall"]], "the joint law is wrong")
  expect_match(report$verdict[["where"]], "it is the joint law that differs.*\"a\" and \"b\"")
  expect_true(all(report$columns$agrees))
  expect_identical(report$columns$ks, c(0, 0, 0))
  expect_false(report$correlation$agrees)
})

test_that("a wrong column is named", {
  off <- transform(fresh, c = c + 1)
  report <- fidelity(real, off)
  expect_match(report$verdict[["overall"]], "^not close")
  expect_match(report$verdict[["where"]], "1 of 3 columns differs: \"c\"")
  shares <- transform(fresh, g = factor("u", levels = c("u", "v")))
  expect_match(fidelity(real, shares)$verdict[["where"]], "Shares of levels differ in \"g\"")
})

test_that("the printed settings give near copies, and the report says why", {
  set.seed(9)
  x <- matrix(sample(c(-2, 2), 400, TRUE), 200) + rnorm(400) / 2
  fit <- suppressWarnings(do.call(efs, c(list(x), efs_paper("gmm"))))
  report <- fidelity(x, suppressWarnings(simulate(fit, 200, seed = 1)))
  expect_lt(report$novelty$ratio, 0.15)
  expect_match(report$verdict[["overall"]], "nearly copies")
  expect_match(report$verdict[["novelty"]], "softening `epsilon` far below the squared spacing.*sink on the way back")
})

test_that("scores are those of the functions, on columns in units of their sd in both tables together", {
  x <- as.matrix(real[1:3])
  y <- as.matrix(fresh[1:3])
  report <- fidelity(x, y)
  value <- setNames(report$scores$all, report$scores$score)
  unit <- function(z) sweep(z, 2, apply(rbind(x, y), 2, sd), "/")
  expect_equal(value[["energy_distance"]], energy_distance(unit(x), unit(y)))
  expect_equal(value[names(prdc(x, y))], prdc(unit(x), unit(y)))
  expect_equal(value[["wasserstein2"]], as.numeric(wasserstein2(unit(x), unit(y))))
  expect_equal(value[["auc"]], report$c2st$auc)
  expect_equal(report$novelty$ratio, novelty(y, x)$ratio)
  expect_equal(unique(report$scores$rows_half), 200)
  of <- report$splits[report$splits$score == "recall", ]
  expect_equal(report$scores$real[report$scores$score == "recall"], mean(of$real))
})

test_that("columns and correlations are compared as defined", {
  report <- fidelity(real[1:3], fresh[1:3])
  ks <- vapply(c("a", "b", "c"), function(j) suppressWarnings(ks.test(real[[j]], fresh[[j]])$statistic[[1]]), 0)
  expect_equal(report$columns$ks, unname(ks))
  ties <- particleflow:::kolmogorov_smirnov(c(1, 1, 2, 3), c(1, 2, 2, 2))
  expect_equal(ties, 0.25)
  gap <- abs(cor(real[1:3], method = "spearman") - cor(fresh[1:3], method = "spearman"))
  expect_equal(report$correlation$largest, max(gap))
  expect_equal(report$columns$shift[1], (mean(fresh$a) - mean(real$a)) / sd(real$a))
  expect_equal(sum(fidelity(real, fresh)$shares$real), 1)
})

test_that("the report is a function of its arguments and keeps R's stream", {
  set.seed(10)
  before <- .Random.seed
  one <- fidelity(real, fresh, threads = 1)
  expect_identical(.Random.seed, before)
  two <- fidelity(real, fresh, threads = 2)
  expect_identical(one$scores, two$scores)
  expect_identical(one$verdict, two$verdict)
})

test_that("large tables are sampled, and the report says so", {
  report <- fidelity(real, fresh, max_rows = 100, half_rows = 50, w2_rows = 30)
  expect_identical(unique(report$scores$rows_half), c(50, 30))
  expect_match(format(report), "All rows: 100 real, 100 synthetic, drawn at random", all = FALSE)
  expect_match(format(report), "Wasserstein-2: 30 real, 30 synthetic rows", all = FALSE)
})

test_that("the print-out promises nothing that distances cannot show", {
  text <- c(format(fidelity(real, fresh, held)), capture.output(print(summary(fidelity(real, real)))))
  expect_false(any(grepl("priva|anonym", text, ignore.case = TRUE)))
})

test_that("columns are matched by name; what one table lacks is left out with a note, and so are lists", {
  mixed <- transform(real, when = as.Date("2020-01-01") + seq_len(400))
  report <- fidelity(mixed, fresh[c("c", "g", "a", "b")])
  expect_identical(report$columns$column, c("a", "b", "c"))
  expect_match(report$notes, "`synthetic` or `holdout` lacks them: \"when\"", all = FALSE)
  listed <- fidelity(transform(real, l = I(as.list(a))), fresh, splits = 2, n_permutations = 99)
  expect_match(listed$notes, "no numbers, dates, levels or words: \"l\"", all = FALSE)
  expect_error(fidelity(real, fresh[c("a", "b")]), "`synthetic` lacks the column \"c\"")
  expect_error(fidelity(real[1:10, ], fresh), "`real` has 10 rows; at least 20 are needed")
  expect_error(fidelity(real["g"], fresh), "`synthetic` has the unknown columns \"a\", \"b\", \"c\"")
  expect_error(fidelity(real, fresh, k = 200), "`k` must be below the 200 rows of a half")
  expect_error(fidelity(real, transform(fresh, a = Inf)), "`synthetic` must not contain infinite values")
})

test_that("constant columns, one column and tied tables are carried through", {
  flat <- transform(real[1:3], c = 5)
  expect_identical(fidelity(flat, transform(fresh[1:3], c = 5))$verdict[["overall"]], "close and new")
  expect_null(fidelity(real["a"], fresh["a"])$correlation)
  set.seed(12)
  dice <- function() matrix(sample(6, 400, TRUE), 200)
  tied <- fidelity(dice(), dice())
  expect_true(is.na(tied$novelty$ratio))
  expect_match(tied$verdict[["novelty"]], "cannot tell new rows from copies")
  expect_output(print(tied$novelty), "distances cannot tell")
})

test_that("methods", {
  report <- fidelity(real, fresh, held)
  expect_identical(as.data.frame(report), report$scores)
  expect_output(print(report), "Verdict: close and new")
  expect_output(print(summary(report)), "Kolmogorov-Smirnov")
  pdf(NULL)
  on.exit(dev.off())
  before <- par("mar", "mgp", "las")
  for (type in c("scores", "novelty", "columns")) {
    expect_identical(plot(report, type = type), report)
    if (requireNamespace("ggplot2", quietly = TRUE)) {
      expect_silent(ggplot2::ggplot_build(ggplot2::autoplot(report, type = type)))
    }
  }
  expect_identical(par("mar", "mgp", "las"), before)
  expect_error(plot(report, col = "red"), "`col` must give 2 colours")
  expect_error(plot(report, type = "frames"), "`type` must be one of")
})

# --- the rate of false alarms ---------------------------------------------------------

test_that("any statistic of two exchangeable tables exceeds its limit at the stated rate", {
  # 1000 tables of 1 + 99 deals and 4 statistics, dependent, skewed, tied and rare. A rule at level 0.03 exceeds 46
  # alarms with probability 0.002; at a level of 0.02 there would be fewer than 15 with probability 0.09.
  set.seed(21)
  alarms <- sum(replicate(1000, {
    z <- rnorm(100)
    values <- cbind(z, exp(2 * z + rnorm(100)), round(rexp(100)), rbinom(100, 1, 0.02))
    any(particleflow:::deal_limits(values, 0.03)$gap > 1)
  }))
  expect_lte(alarms, 46)
  expect_gte(alarms, 15)
  # and what stands out is found: more than all 99 deals
  values <- cbind(c(9, rnorm(99)), rnorm(100))
  found <- particleflow:::deal_limits(values, 0.01)
  expect_identical(found$gap > 1, c(TRUE, FALSE))
  expect_equal(sort(apply(t((t(values) - found$middle) / (found$limit - found$middle))[-1, ], 1, max))[99], 1)
  expect_identical(particleflow:::deal_limits(matrix(1, 100, 2), 0.03)$gap, c(0, 0))
})

test_that("the limit of the columns holds its level exactly, from 20 rows", {
  # P(D > limit) for n = m, by the reflection principle (Gnedenko and Korolyuk)
  exceeds <- function(n, limit) {
    k <- floor(limit * n + 1e-9) + 1
    i <- seq_len(n %/% k)
    2 * sum((-1)^(i - 1) * exp(lchoose(2 * n, n - i * k) - lchoose(2 * n, n)))
  }
  for (d in c(1, 10, 1000)) {
    for (n in c(20:60, 200, 500)) {
      x <- matrix(rnorm(2 * n), n, dimnames = list(NULL, c("a", "b")))
      limit <- particleflow:::compare_columns(x, x, d)$limit[1]
      expect_equal(limit, max(0.05, sqrt(log(200 * d) / n)))
      expect_lte(exceeds(n, limit), 0.01 / d)
    }
  }
})

test_that("shares of levels are judged by the exact law of the chi-squared statistic", {
  counts <- rbind(c(7, 3), c(3, 7))
  # of 20 rows, 10 in the first table and 10 with the first level: hypergeometric; as far from 5 as 7 and 3 are
  exact <- 1 - sum(dhyper(4:6, 10, 10, 10))
  found <- particleflow:::chance_of_counts(counts, 20000)
  expect_equal(found, exact, tolerance = 4 * sqrt((1 - exact) / exact / 20000)) # 4 standard errors
  expect_identical(particleflow:::chance_of_counts(rbind(5, 6), 100), 1)
})

test_that("two samples of one law are called so, in wide tables and tied ones too", {
  # 50 reports at a level of 0.05: more than 8 alarms have probability 0.0008. The scores are those that are fast.
  set.seed(22)
  scores <- fidelity_scores()[c("auc", "energy_distance", "sliced_wasserstein", "precision", "coverage")]
  draw <- list(
    function() matrix(rexp(24 * 120), 24), function() matrix(rnorm(30 * 200), 30), function() matrix(rt(40 * 4, 3), 40),
    function() matrix(sample(1000, 60, TRUE) + 0, 60), function() matrix(rpois(120, 1.5) + 0, 40)
  )
  alarms <- vapply(rep(draw, 10), function(rows) {
    report <- fidelity(rows(), rows(), splits = 2, n_permutations = 99, scores = scores, threads = 1,
                       expression = FALSE)
    !report$verdict[["overall"]] %in% c("close and new", "close, but novelty unknown")
  }, NA)
  expect_lte(sum(alarms), 8)
})

test_that("shuffled columns and copies of wide tables are found", {
  set.seed(23)
  x <- matrix(rnorm(60 * 3), 60) %*% matrix(rnorm(3 * 100), 3) + matrix(rnorm(6000), 60)
  report <- function(y) fidelity(x, y, splits = 2, n_permutations = 99, threads = 1, expression = FALSE)
  expect_match(report(apply(x, 2, sample))$verdict[["overall"]], "the joint law is wrong")
  expect_identical(report(x)$verdict[["overall"]], "a copy of the real rows")
  expect_identical(report(x + 0.01 * rnorm(6000))$verdict[["overall"]], "nearly copies of the real rows")
})

test_that("a few copies are found, and equal rows of counts are not taken for copies", {
  set.seed(24)
  x <- matrix(rnorm(160), 40)
  y <- matrix(rnorm(160), 40)
  y[7, ] <- x[3, ] # no two measurements are equal by chance
  expect_match(fidelity(x, y)$verdict[["overall"]], "with near copies among the rows")
  expect_true(particleflow:::never_equal(x))
  expect_false(particleflow:::never_equal(round(x, 1)))
  counts <- function() matrix(sample(500, 40, TRUE) + 0, 40) # some 3 of 40 are equal by chance
  report <- fidelity(counts(), counts())
  expect_gt(report$novelty$duplicates, 0.01)
  expect_identical(report$verdict[["overall"]], "close and new")
})

test_that("the distances of deals are those of their tables", {
  set.seed(25)
  x <- matrix(rnorm(60), 30)
  y <- matrix(rnorm(50), 25)
  found <- particleflow:::left_out_deals(x, y, 20, 1L, 3) # 10 real rows stay where they are
  expect_identical(dim(found$distance), c(45L, 4L))
  nearest <- novelty(y, x, scale = FALSE)$distance
  own <- found$synthetic[, 1] == 1
  expect_equal(sort(found$distance[own, 1]), sort(nearest$synthetic))
  expect_equal(sort(found$distance[!own, 1]), sort(nearest$reference[1:20]))
  # Wilcoxon's statistic of the distances
  values <- particleflow:::distance_statistics(found$distance[, 1], found$synthetic[, 1])
  rank_sum <- wilcox.test(found$distance[own, 1], found$distance[!own, 1], exact = FALSE)$statistic[[1]] + 25 * 26 / 2
  expect_equal(values[["farther"]], rank_sum / 25)
  # the median is 2.5; below it are 1 of the two synthetic rows and 2 of the two others
  some <- function(distance) particleflow:::distance_statistics(distance, c(1, 1, 0, 0))[["some"]]
  expect_equal(some(c(1, 3, 2, 4)), (log(2 / 2.5) - log(1 / 2.5)) / 2)
  expect_equal(some(c(0, 3, 2, 4)), (log(2 / 2.5) - log(1e-4)) / 2)
})

test_that("columns of numbers beyond the range of squares are scaled first", {
  x <- as.matrix(real[1:60, 1:3])
  y <- as.matrix(fresh[1:60, 1:3])
  of <- function(c) fidelity(c * x, c * y, splits = 2, n_permutations = 99)
  wanted <- of(1)
  for (c in c(1e-200, 1e160)) {
    found <- of(c)
    expect_equal(found$scores, wanted$scores)
    expect_equal(found$columns$shift, wanted$columns$shift)
    expect_equal(found$columns$sd_synthetic / c, wanted$columns$sd_synthetic)
    expect_identical(found$verdict[["overall"]], wanted$verdict[["overall"]])
  }
})

test_that("the report records its call without the rows, and refuses what it does not know", {
  x <- as.matrix(real[1:60, 1:3])
  y <- as.matrix(fresh[1:60, 1:3])
  report <- do.call(fidelity, list(x, y, splits = 2, n_permutations = 99))
  expect_lt(nchar(paste(deparse(report$call), collapse = "")), 200)
  expect_lt(as.numeric(object.size(report)), 60000)
  expect_identical(fidelity(x, y, splits = 2, n_permutations = 99)$call[[1]], quote(fidelity))
  expect_error(fidelity(unname(x), iris[1:2]), "`synthetic` has 2 columns; 3 are wanted")
  expect_error(fidelity(x, y, n_permutations = 50), "`n_permutations` must be one whole number of at least 99, not 50")
  expect_error(summary(report, digits = 3), "summary\\(\\) has no argument `digits`")
  expect_error(print(report, 3), "print\\(\\) has no further argument without a name")
  expect_error(as.data.frame(report, strings = 1), "as.data.frame\\(\\) has no argument `strings`")
  expect_error(plot(report, type = c("scores", "columns")), "`type` must be one of")
})

test_that("a long report foretells its time once in a script, and never if progress is FALSE", {
  now <- 0
  clock <- function() now
  tick <- telling_tick(identity, 20, NULL, "fidelity()", clock)
  now <- 4
  expect_silent(tick())
  now <- 100
  expect_message(tick(), "fidelity(): about 15 minutes are left.", fixed = TRUE) # 50 s for each of 18 units
  expect_silent(tick())
  quiet <- telling_tick(identity, 20, FALSE, "fidelity()", clock)
  now <- 300
  expect_silent(quiet())
  brief <- telling_tick(identity, 20, NULL, "fidelity()", clock)
  now <- 310
  expect_silent(brief(15)) # 10 s for 15 of 20 units
})

test_that("the units of a report go by the work of its parts", {
  tables <- list(real = matrix(0, 40000, 2), synthetic = matrix(0, 10000, 2), holdout = NULL)
  work <- report_work(tables, list(max_rows = 10000, half = 2500))
  # 10,000 x 10,000 pairs against 2,500 x 2,500, and 0.05 x 40,000 x 20,000 for novelty
  expect_equal(work, c(all = 16, held = 0, half = 1, novelty = 6.4))
  tables$holdout <- matrix(0, 5000, 2)
  expect_equal(report_work(tables, list(max_rows = 10000, half = 2500))[["held"]], 8)
})

test_that("the verdict tells few scores beyond from a joint law that is wrong", {
  words <- particleflow:::joint_words
  beyond <- c(TRUE, rep(FALSE, 8))
  expect_match(words(beyond, ifelse(beyond, 2, 0.5), TRUE), "^close, but for 1 of 9 scores")
  expect_match(words(beyond, ifelse(beyond, 5, 0.5), TRUE), "^the joint law is wrong")
  expect_match(words(beyond, ifelse(beyond, 2, 0.5), FALSE), "^the joint law is wrong")
  expect_match(words(!beyond, ifelse(beyond, 0.5, 2), TRUE), "^the joint law is wrong")
})

test_that("a column that numbers the rows is left out, and a copy with other numbers is found", {
  set.seed(9)
  x <- data.frame(id = 1:150, iris)
  copy <- transform(x, id = sample(5001:5150))[names(x)]
  report <- fidelity(x, copy, splits = 2, n_permutations = 99)
  expect_identical(report$verdict[["overall"]], "a copy of the real rows")
  expect_match(report$notes, "left out, as the values name the rows: \"id\"", all = FALSE)
  expect_message(found <- novelty(copy, x), "Left out, because the values name the rows: \"id\"")
  expect_identical(found$duplicates, 1)
  # numbers that occur twice do not name rows
  new <- transform(copy, id = sample(150, 150, TRUE))
  report <- fidelity(x, new, splits = 2, n_permutations = 99)
  expect_match(report$notes, "although they number the rows .*\"id\"", all = FALSE)
})
