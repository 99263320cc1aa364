control <- function(...) {
  given <- list(...)
  usual <- list(s = NULL, epsilon = NULL, step = 0.1, n_steps = NULL, time = NULL, keep = "all", calibrate = TRUE,
                density_floor = 0.01, min_rows = 20L, laws = NULL)
  usual[names(given)] <- given
  usual
}

test_that("efs() foretells a long fit in one line and is silent about a short one", {
  x <- two_clusters(40, 4) # without particles of its own, which take seconds
  expect_no_message(efs(x))
  with_binding("least_seconds_to_tell", -1, { # the clock may not tick while a pilot runs
    said <- function(...) {
      lines <- NULL
      suppressMessages(withCallingHandlers(efs(x, ...), message = function(m) lines <<- c(lines, conditionMessage(m))))
      lines
    }
    by_rule <- said(calibrate = FALSE)
    expect_length(by_rule, 1)
    expect_match(by_rule, "^efs\\(\\): about 0 minutes and 50 MB for 40 rows in 4 dimensions on")
    expect_match(said(), "^efs\\(\\)(, after its search)?: about 0 minutes")
  })
})

test_that("the times are those of the work", {
  foretell <- function(n, d, ..., threads = 2) {
    suppressMessages(particleflow:::foretell_fit(list(seq_len(n)), d, control(...), threads))
  }
  # a search of 1,200 rows takes seconds, however many rows there are
  expect_lt(foretell(1e5, 10)$seconds, 10)
  # a flow by rule of ten steps: 100,000 x 10, ten fields of 5 s each, ten log-determinants of 20 s each, one thread
  expect_message(particleflow:::foretell_fit(list(1:1e5), 10, control(calibrate = FALSE), 1), "about [45] minutes")
  expect_message(particleflow:::foretell_fit(list(1:1e6), 10, control(calibrate = FALSE), 2), "about 3\\.[0-9] hours")
  by_rule <- function(...) foretell(2e4, 10, calibrate = FALSE, ...)$seconds
  # ten times the steps, half the threads, no floor
  expect_gt(by_rule(time = 10), 5 * by_rule(time = 1))
  expect_equal(by_rule(threads = 1), 2 * by_rule(threads = 2))
  expect_lt(by_rule(density_floor = 0), by_rule() / 2)
  # a stack costs more than one law; frames take memory
  after <- function(stacked, ...) {
    candidate <- list(flow = FALSE, time = 0, n_steps = NULL)
    suppressMessages(particleflow:::foretell_class(1e5, 10, control(), candidate, stacked, 1))$seconds
  }
  expect_gt(after(TRUE), 3 * after(FALSE))
  expect_equal(foretell(1e5, 10, calibrate = FALSE, n_steps = 99L)$bytes, 5e7 + 8 * 1e5 * 10 * 105)
  expect_lt(foretell(1e5, 10, calibrate = FALSE, n_steps = 99L, keep = "checkpoints")$bytes, 5e7 + 8 * 1e5 * 10 * 30)
  # synthesise(), measured with one thread: 20,000 x 10 took 5.6 s and 50,000 x 10 took 12.4 s; with cells, 20,000 x 11
  # took 222 MB
  brief <- function(n, ...) {
    candidate <- list(flow = FALSE, time = 0, n_steps = NULL)
    suppressMessages(particleflow:::foretell_class(n, 10, control(brief = TRUE, ...), candidate, TRUE, 1))
  }
  searched <- particleflow:::search_seconds(2e4, 10, TRUE)
  expect_lt(abs(log2((searched + brief(2e4)$seconds) / 5.6)), 1)
  expect_lt(abs(log2((searched + brief(5e4)$seconds) / 12.4)), 1)
  expect_lt(abs(log2(brief(2e4, cells = list())$bytes / 2.2e8)), 1)
  expect_identical(particleflow:::say_time(61), "1 minute")
  expect_identical(particleflow:::say_time(7200), "2.0 hours")
  expect_identical(particleflow:::say_memory(2.34e9), "2.3 GB")
})

test_that("synthesise(), simulate() and predict() foretell long work in a script", {
  x <- data.frame(a = rnorm(60), b = rep(c("u", "v", "w"), 20))
  expect_no_message(synthesise(x, quiet = TRUE, seconds = 0.1))
  fit <- NULL
  with_binding("least_seconds_to_tell", -1, with_binding("least_rows_to_foretell", 50L, {
    lines <- testthat::capture_messages(fit <- synthesise(x, quiet = TRUE, seconds = 0.1, threads = 1))
    expect_length(lines, 1) # and none after the search
    expect_match(lines, "^synthesise\\(\\): about 0 minutes and [0-9]+ MB for 60 rows in 2 columns on 1 thread")
    with_binding("least_draws_to_foretell", 100, {
      expect_message(simulate(fit, 100, seed = 1), "^simulate\\(\\): about 0 minutes and [0-9]+ MB for 100 rows")
      expect_no_message(simulate(fit, 99, seed = 1))
      expect_no_message(simulate(fit, 100, seed = 1, progress = FALSE))
    })
  }))
  # the pilot changes no draw
  told <- with_binding("least_draws_to_foretell", 10, simulate(fit, 50, seed = 1))
  expect_identical(told, simulate(fit, 50, seed = 1))
  with_binding("told_after", -1, with_binding("told_from", -1, {
    expect_message(predict(fit, x, draws = 2), "^predict\\(\\): about .* are left")
  }))
})
