# The log-likelihood of a row of any table does not depend on the other rows.

test_that("equal rows have equal values, in every table and in every place", {
  fit <- synthesise(airquality, law = law_trees(trees = 5), flow = FALSE, quiet = TRUE)
  rows <- airquality[c(1:40, 5, 5), ] # with missing values, and all columns have cells but Wind
  all <- as.vector(predict(fit, rows, draws = 10))
  expect_identical(all[41:42], all[c(5, 5)])
  expect_identical(as.vector(predict(fit, rows[42:1, ], draws = 10)), rev(all))
  expect_identical(as.vector(predict(fit, rows[7, ], draws = 10)), all[7])
  expect_identical(as.vector(predict(fit, rows[c(3, 5), ], draws = 10, threads = 1)), all[c(3, 5)])
  expect_gt(length(unique(all)), 30)
})

test_that("the numbers of a row are uniform, and differ between rows, keys and columns", {
  x <- cbind(1:2000, 7)
  u <- draw_of_rows(x, 3L, 1:2)
  expect_identical(dim(u), c(2000L, 3L))
  expect_identical(draw_of_rows(x[2000:1, ], 3L, 1:2)[2000:1, ], u)
  expect_identical(draw_of_rows(cbind(c(0, -0)), 2L, 1:2)[1, ], draw_of_rows(cbind(c(0, -0)), 2L, 1:2)[2, ])
  for (j in 1:3) expect_gt(ks.test(u[, j], "punif")$p.value, 1e-4)
  expect_lt(max(abs(cor(u) - diag(3))), 0.1) # 4.5 standard errors
  expect_false(any(draw_of_rows(x, 3L, c(1L, 3L)) == u))
})
