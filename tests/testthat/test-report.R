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

test_that("scores are those of the functions, on columns in units of the real sd", {
  x <- as.matrix(real[1:3])
  y <- as.matrix(fresh[1:3])
  report <- fidelity(x, y)
  value <- setNames(report$scores$all, report$scores$score)
  unit <- function(z) sweep(z, 2, apply(x, 2, sd), "/")
  expect_equal(value[["energy_distance"]], energy_distance(unit(x), unit(y)))
  expect_equal(value[names(prdc(x, y))], prdc(unit(x), unit(y)))
  expect_equal(value[["wasserstein2"]], as.numeric(wasserstein2(unit(x), unit(y))), tolerance = 0.01)
  expect_equal(value[["auc"]], report$c2st$auc)
  expect_equal(report$novelty$ratio, novelty(y, x)$ratio)
  expect_equal(report$scores$rows_half, rep(200, 9))
  of <- report$splits[report$splits$score == "recall", ]
  expect_equal(report$scores$real[report$scores$score == "recall"], mean(of$real))
})

test_that("columns and correlations are compared as defined", {
  report <- fidelity(real, fresh)
  ks <- vapply(c("a", "b", "c"), function(j) suppressWarnings(ks.test(real[[j]], fresh[[j]])$statistic[[1]]), 0)
  expect_equal(report$columns$ks, unname(ks))
  ties <- particleflow:::kolmogorov_smirnov(c(1, 1, 2, 3), c(1, 2, 2, 2))
  expect_equal(ties, 0.25)
  gap <- abs(cor(real[1:3], method = "spearman") - cor(fresh[1:3], method = "spearman"))
  expect_equal(report$correlation$largest, max(gap))
  expect_equal(report$columns$shift[1], (mean(fresh$a) - mean(real$a)) / sd(real$a))
  expect_equal(sum(report$shares$real), 1)
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

test_that("columns are matched by name; labels and others are left out with a note", {
  mixed <- transform(real, when = as.Date("2020-01-01") + seq_len(400))
  report <- fidelity(mixed, fresh[c("c", "g", "a", "b")])
  expect_identical(report$columns$column, c("a", "b", "c"))
  expect_match(report$notes, "only in shares: \"g\"", all = FALSE)
  expect_match(report$notes, "neither numbers nor labels: \"when\"", all = FALSE)
  expect_error(fidelity(real, fresh[c("a", "b")]), "`synthetic` lacks the column \"c\"")
  expect_error(fidelity(real[1:10, ], fresh), "`real` has 10 rows; at least 20 are needed")
  expect_error(fidelity(real["g"], fresh), "`real` has no numeric columns")
  expect_error(fidelity(real, fresh, k = 200), "`k` must be below the 200 rows of a half")
  expect_error(fidelity(real, transform(fresh, a = NA_real_)), "`synthetic` must not contain NA")
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
