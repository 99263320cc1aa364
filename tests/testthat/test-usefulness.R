# Margins, associations, usefulness and the comparison of several tables.

set.seed(31)
made <- function(n) {
  z <- rnorm(n)
  data.frame(a = z, b = z + rnorm(n) / 3, g = factor(ifelse(z > 0, "high", "low")),
             h = sample(c("u", "v", "w"), n, TRUE))
}
train <- made(120)
test <- made(100)
fresh <- made(120)
shuffled <- as.data.frame(lapply(train, sample))

test_that("distances of margins are those of the empirical laws", {
  found <- margin_distances(train, fresh, splits = 2)
  expect_identical(found$column, c("a", "b", "g", "h"))
  expect_identical(found$measure, c("KS", "KS", "TV", "TV"))
  expect_equal(found$distance[1], suppressWarnings(ks.test(train$a, fresh$a)$statistic[[1]]))
  share <- function(x) table(factor(x$h, c("u", "v", "w"))) / nrow(x)
  expect_equal(found$distance[4], sum(abs(share(train) - share(fresh))) / 2)
  expect_equal(found$distance[3], abs(mean(train$g == "low") - mean(fresh$g == "low")))
  expect_identical(margin_distances(train, train)$distance, numeric(4))
  gone <- transform(fresh, a = replace(a, 1:30, NA), h = replace(h, 1:60, NA))
  missing <- margin_distances(train, gone)
  expect_identical(missing$missing_synthetic, c(0.25, 0, 0, 0.5))
  expect_identical(missing$missing_real, numeric(4))
  expect_gte(missing$distance[4], 0.5) # the level of missing values
  expect_output(print(found), "<margin_distances> 4 columns")
})

test_that("associations are correlations of normal scores, Cramer's V and eta", {
  found <- associations(train, shuffled, splits = 2)
  at <- function(first, second) found[found$first == first & found$second == second, ]
  z <- lapply(train[1:2], function(x) qnorm((rank(x) - 0.5) / length(x)))
  expect_equal(at("a", "b")$real, cor(z$a, z$b))
  expect_equal(at("a", "g")$real, sqrt(summary(lm(z$a ~ train$g))$r.squared))
  chi <- suppressWarnings(chisq.test(train$g, train$h, correct = FALSE)$statistic[[1]])
  expect_equal(at("g", "h")$real, sqrt(chi / 120))
  expect_identical(found$measure, c("correlation", "eta", "eta", "eta", "eta", "V"))
  expect_gt(abs(at("a", "b")$difference), 0.5)
  expect_gt(at("a", "b")$apart, at("a", "b")$halves)
  expect_identical(associations(train, train)$difference, numeric(6))
  expect_true(is.na(associations(transform(train, a = 1), train)$real[1]))
  expect_error(associations(train["a"], train["a"]), "`real` has one column")
  expect_identical(found, associations(train, shuffled, splits = 2))
  expect_output(print(found, n = 2), "and 4 more")
})

test_that("usefulness: training rows lose nothing, shuffled rows lose all", {
  own <- usefulness(train, train, test)
  expect_identical(own$loss, numeric(4))
  expect_identical(own$measure, c("R2", "R2", "AUC", "accuracy"))
  lost <- usefulness(train, shuffled, test, target = c("a", "g"))
  expect_identical(lost$target, c("a", "g"))
  expect_true(all(lost$real > 0.7))
  # real rows are predicted nearly perfectly; labels that were shuffled give chance, 0.5 +- 0.06
  expect_true(all(lost$loss > 0.2))
  good <- usefulness(train, fresh, test, target = c("a", "g"))
  expect_true(all(abs(good$loss) < 0.1))
  # one mean per measure, because R2 and AUC have different scales
  expect_identical(particleflow:::loss_words(own),
                   "R2 0.000 over 2 targets; AUC 0.000 over 1 target; accuracy 0.000 over 1 target")
  expect_output(print(good), "as real rows): R2 ", fixed = TRUE)
  # one scale: AUC .8 and .65 are .6 and .3 of what can be reached beyond .5; R2 below 0 counts as 0
  two <- data.frame(target = c("u", "v"), measure = c("AUC", "R2"), real = c(0.8, 0.5), synthetic = c(0.65, -3),
                    loss = c(0.15, 3.5), chance = c(0.5, 0), n = 9)
  expect_equal(particleflow:::mean_loss(two), mean(c(0.3, 0.5)), tolerance = tolerance$closed_form)
  expect_identical(particleflow:::loss_words(two), "AUC 0.150 over 1 target; R2 0.500 over 1 target")
  expect_error(usefulness(train, fresh, test, target = "zzz"), "`target` names \"zzz\"")
  expect_error(usefulness(train["a"], fresh["a"], test["a"]), "`train` has one column")
  expect_true(is.na(usefulness(transform(train, a = 1), fresh, test, "a")$real))
})

test_that("usefulness without ranger: the means over the nearest rows", {
  judged <- particleflow:::read_judged(list(train = train, synthetic = fresh, test = test))
  points <- particleflow:::in_judged_units(judged$points, judged$layout, judged$points$train)
  x <- lapply(points, function(x) x[, judged$layout$column == "a", drop = FALSE])
  near <- t(apply(abs(outer(x$test[, 1], x$train[, 1], "-")), 1, order))[, 1:15]
  layout <- judged$layout[judged$layout$column == "a", ]
  found <- particleflow:::learn(x$train, train$b, x$test, layout, 1L, 1L, forest = FALSE)
  expect_equal(found, rowMeans(matrix(train$b[near], 100)))
  shares <- particleflow:::learn(x$train, train$g, x$test, layout, 1L, 1L, forest = FALSE)
  expect_equal(unname(shares[, "low"]), rowMeans(matrix(train$g[near] == "low", 100)))
  expect_equal(particleflow:::measure_of(test$g, shares),
               particleflow:::delong_auc(shares[test$g == "high", 2], shares[test$g == "low", 2])[["auc"]])
})

test_that("compare() puts the values of the functions into one table", {
  found <- compare(train, list(fresh = fresh, shuffled = shuffled), test, target = "g", classifier = "both")
  expect_identical(found$table, c("held-out rows", "fresh", "shuffled"))
  expect_identical(found$auc[2], c2st(train, fresh, "both", seed = 1)$auc)
  expect_identical(found$novelty[3], novelty(shuffled, train, test)$ratio)
  expect_identical(found$energy[1],
                   energy_distance(particleflow:::scaled_tables(train, test)$train,
                                   particleflow:::scaled_tables(train, test)$table))
  expect_identical(found$margins[3], 0)
  expect_identical(found$associations[2], mean(abs(associations(train, fresh, 1)$difference)))
  expect_identical(found$usefulness[2], particleflow:::mean_loss(usefulness(train, fresh, test, "g")))
  expect_true(is.na(found$usefulness[1]))
  expect_output(print(found), "<compared_tables> 2 tables beside 120 training rows")
  expect_match(paste(trimws(capture.output(print(found))), collapse = " "),
               "energy, margins, associations and usefulness (mean loss) 0.", fixed = TRUE)
  expect_no_match(capture.output(print(found)), "Without")
  alone <- capture.output(print(compare(train, list(fresh = fresh))))
  expect_match(alone, "energy, margins and associations 0.", fixed = TRUE, all = FALSE)
  expect_match(alone, "Without `holdout`, usefulness is left out", fixed = TRUE, all = FALSE)
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  expect_invisible(plot(found))
  grDevices::dev.off()
  expect_gt(file.size(file), 1000)
  expect_error(compare(train, list(fresh)), "`tables` must be a list of synthetic tables with different names")
  expect_error(compare(train, fresh), "`tables` must be a list of synthetic tables")
  expect_error(compare(train, list(bad = fresh[-1])), "Table \"bad\": `synthetic` lacks the column \"a\"")
})

test_that("compare() of what is no table is that of the package that it masks", {
  skip_if_not("package:particleflow" %in% search()) # the name is masked only where the package is attached
  words <- c("a", "b")
  other <- list(compare = function(x, y, ...) list(x, y, list(...)))
  attach(other, pos = match("package:particleflow", search()) + 1L, name = "others", warn.conflicts = FALSE)
  on.exit(detach("others"))
  expect_identical(compare(words, 2:3), list(words, 2:3, list()))
  expect_identical(compare(x = words, y = 1, tolerance = 2), list(words, 1, list(tolerance = 2)))
  expect_identical(do.call(compare, list(1, "b")), list(1, "b", list()))
  # a table is judged here
  expect_error(compare(train, fresh), "`tables` must be a list of synthetic tables")
  expect_error(compare(train, list(fresh = fresh), more = 1), "no argument `more`")
})
