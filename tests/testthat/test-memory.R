# Bounds on memory. A limit on the vectors of R's heap makes a process of its own fail if more is needed at once; unlike
# the peak that gc() reports, it does not depend on when garbage is collected.

run_within <- function(megabytes, lines) {
  script <- tempfile(fileext = ".R")
  on.exit(unlink(script))
  libraries <- paste(vapply(.libPaths(), deparse, ""), collapse = ", ")
  writeLines(c(sprintf(".libPaths(c(%s)); suppressPackageStartupMessages(library(particleflow))", libraries), lines,
               "cat(\"all done\")"), script)
  limit <- sprintf("R_MAX_VSIZE=%dMb", megabytes)
  program <- file.path(R.home("bin"), "Rscript")
  said <- suppressWarnings(system2(program, c("--vanilla", shQuote(script)), stdout = TRUE, stderr = TRUE, env = limit))
  any(said == "all done")
}

test_that("a fit of an expression table needs at most three more tables at once, and its draws two", {
  skip_on_os("windows") # system2() sets no variables there
  # the table takes 16 MB, R with the package 18 MB, and the blocks of columns that are worked on another 16 MB: the fit
  # needs the table and three more, simulate() the fit (two tables), the table, and two more
  lines <- c("set.seed(1)", "x <- matrix(rnorm(400 * 5000), 400)", "fit <- synthesise(x, quiet = TRUE)",
             "new <- simulate(fit, 400, seed = 1)")
  expect_true(run_within(115L, lines))
  # what takes more than the limit does fail
  expect_false(run_within(115L, c(lines[1:2], "y <- lapply(1:6, function(i) x + i)")))
})

test_that("a fit holds no data beyond what it needs", {
  megabytes <- function(object) length(serialize(object, NULL, xdr = FALSE)) / 2^20
  set.seed(2)
  genes <- matrix(rnorm(60 * 3000), 60)
  numbers <- matrix(rnorm(2000 * 6), 2000)
  fits <- function() {
    unused <- numeric(1e6) # what a fit encloses by mistake would be here
    list(genes = synthesise(genes, quiet = TRUE), grouped = synthesise(genes, rep(1:2, 30), quiet = TRUE),
         scores = synthesise(numbers, law = "student", flow = FALSE, quiet = TRUE),
         flow = efs(numbers, calibrate = FALSE, law = "student", n_steps = 3))
  }
  made <- fits()
  sizes <- vapply(made, megabytes, 0) / c(rep(megabytes(genes), 2), rep(megabytes(numbers), 2))
  # sorted values and scores, for groups also the means of columns; rows, margins and row numbers; four frames and these
  expect_lt(sizes[["genes"]], 2.6)
  expect_lt(sizes[["grouped"]], 2.8)
  expect_lt(sizes[["scores"]], 1.8)
  expect_lt(sizes[["flow"]], 4.8)
})
