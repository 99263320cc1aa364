# The time limit of a search. A limit of 1e-6 seconds is always met, and one of 1e6 seconds never.

met <- 1e-6
never <- 1e6

test_that("a limit that is never met changes nothing", {
  rows <- iris[1:60, ]
  free <- synthesise(rows, quiet = TRUE)
  limited <- synthesise(rows, quiet = TRUE, seconds = never)
  expect_identical(limited$flows, free$flows)
  expect_identical(limited$calibration, free$calibration)
  expect_identical(limited$calibration[[1]]$left_out, character())
  expect_no_match(format(limited), "limit")
  expect_identical(simulate(limited, 5, seed = 1)[, 1:5], simulate(free, 5, seed = 1)[, 1:5])
})

test_that("a limit that is met at once leaves one law on one fold, and the fit says so", {
  fit <- synthesise(iris, quiet = TRUE, seconds = met)
  found <- fit$calibration[[1]]
  expect_setequal(found$left_out, c("laws", "folds", "flows"))
  expect_identical(found$folds, 1L)
  expect_identical(found$rows, 30L)
  expect_identical(nrow(found$seen), 1L)
  said <- gsub(" +", " ", paste(format(fit), collapse = " "))
  expect_match(said, "met its limit of 1e-06 seconds and left out: settings of laws, folds, flows")
  expect_output(print(summary(fit)), "met its limit of 1e-06 seconds")
  expect_output(print(found), "left out a part")
  expect_identical(dim(simulate(fit, 7, seed = 1)), c(7L, 5L))
  expect_true(all(is.finite(predict(fit, iris, type = "log_density"))))
})

test_that("a table with missing values keeps its limit", {
  fit <- synthesise(airquality, quiet = TRUE, seconds = met)
  expect_setequal(fit$calibration[[1]]$left_out, c("laws", "folds"))
  expect_false(anyNA(predict(fit, airquality, type = "log_density")))
})

test_that("the two laws of whole blocks share a limit, and the fit says what they left out", {
  visits <- cbind(id = rep(1:20, each = 4), iris[c(1:40, 81:120), 1:2])
  fit <- synthesise(visits, blocks = "id", whole_blocks = TRUE, quiet = TRUE, seconds = met)
  searches <- lapply(fit$laws[c("first", "step")], function(law) law$fit$calibration[[1]])
  for (found in searches) expect_setequal(found$left_out, c("laws", "folds"))
  said <- "met its limit of 1e-06 seconds and left out: settings of laws, folds"
  expect_match(gsub("\n +", " ", paste(format(fit), collapse = "\n")), said)
  expect_match(gsub("\n +", " ", paste(capture.output(summary(fit)), collapse = "\n")), said)
  fit <- synthesise(visits, blocks = "id", whole_blocks = TRUE, quiet = TRUE, seconds = never)
  expect_no_match(format(fit), "limit")
  expect_lte(fit$laws$first$fit$control$backward$seconds, never / 2)
  expect_gt(fit$laws$step$fit$control$backward$seconds, 0.9 * never)
})

test_that("efs() has a flow even if the limit is met at once, with and without groups", {
  fit <- efs(iris[1:4], seconds = met)
  expect_gt(fit$diagnostics$steps, 0)
  expect_true(all(c("laws", "folds", "flows") %in% fit$calibration[[1]]$left_out))
  fit <- efs(iris, group = "Species", seconds = met)
  expect_length(fit$calibration, 3)
  expect_true(all(fit$diagnostics$steps > 0))
  expect_match(paste(format(fit), collapse = " "), "met its limit")
})

test_that("a stack of all rows is not weighed again after the limit", {
  set.seed(1)
  x <- matrix(rt(2 * 1500, 3), ncol = 2) + rep(c(0, 6), each = 750)
  fit <- synthesise(x, quiet = TRUE, seconds = met)
  expect_identical(fit$calibration[[1]]$rows, 400L)
})

test_that("the laws take turns in the order of a limited search", {
  specs <- lapply(c("a", "a", "b", "a", "b", "c"), function(law) list(law = law))
  expect_identical(particleflow:::by_promise(specs), c(1L, 3L, 6L, 2L, 5L, 4L))
})

test_that("classes share what is left of the time", {
  now <- proc.time()[[3]]
  expect_identical(particleflow:::seconds_of_class(NULL, now, 3), Inf)
  share <- particleflow:::seconds_of_class(10, now - 4, 3)
  expect_lte(share, 2)
  expect_gt(share, 1)
  expect_identical(particleflow:::seconds_of_class(1, now - 4, 3), 0)
})

test_that("a limit must be a number above 0", {
  expect_error(synthesise(iris, seconds = 0), "`seconds` must be one number above 0, not 0",
               class = "particleflow_input")
  expect_error(efs(iris[1:4], seconds = "soon"), "`seconds` must be one number", class = "particleflow_input")
  expect_error(efs_control(seconds = c(1, 2)), "`seconds` must be one number", class = "particleflow_input")
  expect_output(print(efs_control(seconds = 5)), "seconds = 5")
})

test_that("a brief search holds out fewer folds where enough rows remain, and efs() all of them", {
  scored <- function(n, folds, cells = list(), brief = TRUE) {
    particleflow:::folds_to_score(rep_len(seq_len(folds), n), list(brief = brief, cells = cells))
  }
  expect_identical(scored(1000, 3), 1:2)
  expect_identical(scored(1000, 3, cells = NULL), 1:2)
  expect_identical(scored(200, 5), 1:3)
  expect_identical(scored(200, 5, cells = NULL), 1:5)
  expect_identical(scored(140, 5), 1:5)
  expect_identical(scored(1000, 3, brief = FALSE), 1:3)
  expect_identical(scored(1000, 2), 1:2)
  table <- data.frame(a = stats::qnorm(stats::ppoints(200)), b = rep(c("x", "y"), 100))
  found <- synthesise(table, law = law_student(), quiet = TRUE, flow = FALSE)$calibration[[1]]
  expect_identical(found[c("folds", "rows")], list(folds = 3L, rows = 120L))
})

test_that("components of t mixtures are left out after the likelihood has fallen twice", {
  specs <- lapply(c(1, 2, 3, 5, 8), function(k) {
    list(law = "student", settings = list(components = k, df = Inf, prior = 2))
  })
  specs[[6]] <- list(law = "student", settings = list(components = 5, df = 5, prior = 2))
  past <- function(number, means) {
    parts <- lapply(means, function(one) if (!is.na(one)) list(value = matrix(one, 3, 1)))
    particleflow:::is_past_peak(number, specs, c(parts, vector("list", 6 - length(parts))))
  }
  expect_true(past(4, c(0, -1, -2)))
  expect_true(past(5, c(0, -1, -2, NA))) # one that was left out
  expect_false(past(4, c(0, -1, 1)))
  expect_false(past(4, c(-1, 0, -1)))
  expect_false(past(3, c(0, -1)))
  expect_false(past(6, c(0, -1, -2, -3, -4))) # other degrees of freedom
})
