# Missing scores are drawn given the other scores, and held-out rows have no part in it.

# A level that says whether a number is far from 0, which no correlation tells. A third of the levels is missing.
curved_levels <- function(n = 400) {
  set.seed(7)
  x <- rnorm(n)
  far <- abs(x) > 0.7
  gone <- runif(n) < 1 / 3
  list(rows = data.frame(x, far = ifelse(gone, NA, far), y = x + rnorm(n)), far = far, gone = gone)
}

scores_with_gaps <- function(rows) {
  table <- read_mixed(rows, NULL)
  gone <- is.na(table$points)
  table <- settle_table(table, rows)
  list(z = unname(table$points), gaps = missing_scores(gone, table), template = table$template)
}

test_that("missing levels are those that the other columns tell", {
  case <- curved_levels()
  read <- scores_with_gaps(case$rows)
  right <- function(z) {
    filled <- decode_columns(z, read$template, fill = TRUE)[[2]]
    mean(filled[case$gone] == case$far[case$gone])
  }
  # the share of the right levels; chance gives about one half, which a Gaussian copula does not surpass
  expect_lt(right(read$z), 0.65)
  filled <- fill_gaps(read$z, read$gaps, gap_key, 1L)
  expect_gt(right(filled), 0.8)
  expect_identical(filled[!read$gaps$gone], read$z[!read$gaps$gone])
  expect_identical(fill_gaps(read$z, read$gaps, gap_key, 2L), filled)
  # and so they are in a fit
  fit <- synthesise(case$rows, quiet = TRUE, flow = FALSE)
  tables <- predict(fit, case$rows, type = "impute", m = 1, seed = 1)
  expect_gt(mean(tables[[1]]$far[case$gone] == case$far[case$gone]), 0.85)
})

test_that("held-out rows have no part in the scores of training rows", {
  case <- curved_levels(200)
  read <- scores_with_gaps(case$rows)
  folds <- rep(1:2, 100)
  fills <- fill_folds(read$z, folds, read$gaps, 1L)
  other <- read$z
  other[folds == 1, ] <- -other[folds == 1, ]
  again <- fill_folds(other, folds, read$gaps, 1L)
  expect_identical(again(1L)[folds != 1, ], fills(1L)[folds != 1, ])
  expect_identical(fills(1L)[folds == 1, ], read$z[folds == 1, ])
  expect_false(identical(again(2L)[folds != 2, ], fills(2L)[folds != 2, ]))
  expect_null(fill_folds(read$z, folds, NULL, 1L))
})

test_that("the law of a coordinate is fitted to the rows in which it is known", {
  set.seed(3)
  z <- matrix(rnorm(300), 100)
  gone <- matrix(FALSE, 100, 3)
  gone[1:40, 3] <- TRUE
  law <- fit_law(law_trees(), z, 0, gone = gone)
  known <- fit_law(law_trees(), z[41:100, ], 0)
  expect_identical(law$coordinates[[1]], fit_law(law_trees(), z, 0)$coordinates[[1]])
  expect_identical(law$coordinates[[3]][names(known$coordinates[[3]])], known$coordinates[[3]])
  # what the missing scores are does not matter
  changed <- z
  changed[gone] <- -changed[gone]
  expect_identical(fit_law(law_trees(), changed, 0, gone = gone)$coordinates[[3]], law$coordinates[[3]])
  # the density of the last coordinate integrates to 1 given the others
  last <- seq(-9, 9, length.out = 2001)
  one <- law_density(law, cbind(0.3, -0.2, last), 1L)[, 1]
  first <- fit_law(law_trees(), z[, 1:2], 0)
  expect_equal(sum(exp(one)) * diff(last)[1], exp(law_density(first, cbind(0.3, -0.2), 1L)[, 1]), tolerance = 1e-3)
})
