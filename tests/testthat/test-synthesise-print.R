# What a fit of synthesise() says that it read.

read_words <- function(x, ...) {
  said <- NULL
  fit <- withCallingHandlers(synthesise(x, flow = FALSE, law = "global", ...), message = function(m) {
    said <<- conditionMessage(m)
    invokeRestart("muffleMessage")
  })
  said <- gsub("\n +", " ", said)
  shown <- gsub("\n +", " ", paste0(paste(format(fit), collapse = "\n"), "\n"))
  # print() repeats the message, after the name of the class and before the law
  expect_match(shown, paste0("<synthesis> ", said), fixed = TRUE)
  strsplit(said, "\n")[[1]]
}

test_that("print() and the message say the kinds, and where values are missing", {
  expect_equal(read_words(airquality), c(
    "153 rows of 6 columns: 5 count (Ozone, Solar.R, Temp, Month, Day), 1 continuous (Wind).",
    "Missing values in 2 columns: Ozone, Solar.R."
  ))
  expect_equal(read_words(data.frame(a = 1:5)), c("5 rows of 1 column: 1 count (a).", "No missing values."))
  # names beyond the fifth are three dots, not four
  expect_match(read_words(mtcars)[1], "wt, ...)", fixed = TRUE)
  x <- iris
  x[1, ] <- NA
  x$more <- c(NA, rnorm(149))
  expect_equal(read_words(x)[2], paste("Missing values in 6 columns: Sepal.Length, Sepal.Width, Petal.Length,",
                                       "Petal.Width, Species, ..."))
})

test_that("missing values are also seen in columns without a coordinate", {
  x <- data.frame(none = rep(NA, 40), a = c(NA, 2:40) / 7, b = rep(c("x", "y", NA, "z"), 10))
  x$log_a <- log(x$a)
  x$copy <- c(x = "p", y = NA, z = "q")[x$b]
  said <- read_words(x)
  expect_equal(said[2], "Missing values in 5 columns: none, a, b, log_a, copy.")
  expect_equal(said[3], "Computed from other columns: log_a from a; copy from b.")
  x$c <- rep(c("s", "t"), 20)
  expect_equal(read_words(x[c("a", "b", "c")], combine = c("b", "c"))[2], "Missing values in 2 columns: a, b.")
})

test_that("what was declared is not called computed", {
  x <- data.frame(start = 1:60, site = rep(c("a", "b", "c"), 20), ward = rep(c("u", "v", "u", "w"), 15))
  x$end <- x$start + rep(c(0, 5, 2, 8), 15)
  said <- read_words(x, constraints = ~ start <= end, combine = c("site", "ward"))
  expect_equal(said[2:4], c("No missing values.", "Kept in order: start <= end; computed from the gap: end.",
                            "Only combinations that occur, drawn as one column: site and ward."))
  expect_length(said, 4)
})

test_that("what says nothing without a flow is left out, and long lines are wrapped", {
  set.seed(1)
  x <- data.frame(a = rep(c(0, 1), 30), b = rnorm(60))
  expect_equal(read_words(x)[1], "60 rows of 2 columns: 1 of few values (a), 1 continuous (b).")
  fit <- synthesise(x, flow = FALSE, law = law_trees(trees = 2, edges = list(c(-40, 0, 40), NULL)), quiet = TRUE)
  expect_no_match(format(fit), "edges")
  shown <- capture.output(print(summary(fit)))
  expect_no_match(shown, "epsilon|as_is|gain|largest_bound")
  expect_match(shown, "log_density", all = FALSE)
  old <- options(width = 50)
  on.exit(options(old))
  lines <- format(fit)
  expect_true(all(nchar(lines[!startsWith(lines, "Contains")]) < 50))
})

test_that("a column that a combination computes beside its own is named", {
  x <- data.frame(from = rep(c("a", "b", "c"), 40), to = rep(c("u", "v", "w", "u", "w"), 24), wait = 1:120 %% 7)
  x$km <- c(a = 100, b = 250, c = 375)[x$from] + c(u = 11, v = 70, w = 33)[x$to]
  said <- read_words(x, combine = c("from", "to"))
  expect_equal(said[4], "Computed from other columns: km from from and to.")
})

test_that("numbers of rows are pointed at in any half of a table, and other whole numbers are not", {
  set.seed(1)
  expect_true(particleflow:::numbers_rows(base::sample(100)))
  expect_true(particleflow:::numbers_rows(base::sample(418, 300)))
  expect_true(particleflow:::numbers_rows(2001:2030))
  expect_false(particleflow:::numbers_rows(base::sample(1000, 300)))
  expect_false(particleflow:::numbers_rows(rep(1:15, 2)))
  expect_false(particleflow:::numbers_rows(seq(0.5, 30)))
  expect_match(paste(read_words(data.frame(id = base::sample(60, 40), a = rnorm(40))), collapse = " "),
               "Whole numbers that occur once each: id;")
})
