# The call that a fit records.

test_that("a fit does not hold its rows in its call", {
  rows <- matrix(rnorm(4e4), 2e4)
  frame <- as.data.frame(rows)
  few <- rows[1:100, ]
  fits <- list(
    gpa = do.call(gpa, list(few, few + 1, n_steps = 1)),
    gpa_function = do.call("gpa", list(function(n) few[seq_len(n), ], few, n_steps = 1)),
    wgf = do.call(wgf, list(function(x) -rowSums(x^2) / 2, start = few, n_steps = 1)),
    distill = do.call(distill, list(target_ring(30), n_steps = 1, batch = 8, hidden = 8)),
    pushforward = do.call(pushforward, list(rows, "energy", n_steps = 1, batch = 8, hidden = 8)),
    pushforward_frame = do.call(pushforward, list(frame, "energy", n_steps = 1, batch = 8, hidden = 8))
  )
  for (name in names(fits)) {
    call <- fits[[name]]$call
    expect_lt(as.numeric(object.size(call)), 5000, label = name)
    expect_lt(sum(nchar(deparse(call))), 500, label = name)
    expect_identical(as.character(call[[1]]), sub("_.*", "", name))
    expect_lt(sum(nchar(capture.output(print(summary(fits[[name]]))))), 3000, label = name)
  }
  expect_identical(as.character(fits$pushforward$call$x), "<matrix, 20000 x 2>")
  expect_identical(fits$pushforward$call$n_steps, 1)
})

test_that("a call in words stays as it is", {
  record <- function(...) particleflow:::record_call(match.call(expand.dots = TRUE), "record")
  x <- 1:10
  expect_identical(deparse(record(x, n = 5, f = function(n) n + x[, 1], "a", NULL)[-1][[1]]), "x")
  kept <- record(x[1:3, ], step = 0.1, f = function(n, m = 2) matrix(rnorm(n * m), n), word = "energy", none = NULL)
  expect_identical(gsub("\\s+", " ", paste(deparse(kept), collapse = "")),
                   paste0("record(x[1:3, ], step = 0.1, f = function(n, m = 2) matrix(rnorm(n * m), n), ",
                          "word = \"energy\", none = NULL)"))
  # numbers written out in the call are data too
  long <- eval(call("record", as.call(c(quote(c), as.list(as.numeric(1:500))))))
  expect_identical(as.character(long[[2]]), "<a long expression>")
})
