# Reports on columns with many levels.

test_that("of many levels the rarer ones are one in the scores, and nothing else changes", {
  set.seed(91)
  rows <- function(n) {
    code <- paste0("c", sample(60, n, TRUE, prob = 1 / (1:60)))
    data.frame(code = code, g = sample(letters[1:3], n, TRUE), x = rnorm(n))
  }
  tables <- report_tables(rows(400), rows(300), rows(50))
  points <- tables[c("real", "synthetic", "holdout")]
  pooled <- pool_levels(points, tables$layout)
  own <- which(tables$layout$column == "code")
  count <- sum(pooled$layout$column == "code")
  expect_identical(count, most_levels)
  expect_identical(pooled$layout[pooled$layout$column != "code", "level"],
                   tables$layout[tables$layout$column != "code", "level"])
  others <- which(pooled$layout$level %in% "other levels")
  expect_length(others, 1)
  for (name in names(points)) {
    x <- pooled$tables[[name]]
    # each row has one level, and those of the frequent levels are as they were
    expect_equal(unname(rowSums(x[, pooled$layout$column == "code"])), rep(sqrt(0.5), nrow(x)))
    same <- setdiff(colnames(x), colnames(x)[others])
    expect_identical(unname(x[, same]), unname(points[[name]][, match(same, layout_names(tables$layout))]))
  }
  shares <- colSums(points$real[, own] > 0) / 400 + colSums(points$synthetic[, own] > 0) / 300
  kept <- pooled$layout$level[pooled$layout$column == "code"]
  expect_gte(min(shares[tables$layout$level[own] %in% kept]), max(shares[!tables$layout$level[own] %in% kept]))
  # few levels, and tables of numbers, are as they were
  few <- report_tables(rows(30)["g"], rows(30)["g"], NULL)
  expect_identical(pool_levels(few[c("real", "synthetic")], few$layout)$tables, few[c("real", "synthetic")])
  expect_identical(pool_levels(points, NULL), list(tables = points, layout = NULL))
})

test_that("a generator that makes the frequent levels too frequent is still found", {
  set.seed(92)
  rows <- function(prob) data.frame(code = paste0("c", sample(60, 300, TRUE, prob = prob)), x = rnorm(300))
  real <- rows(1 / (1:60))
  report <- fidelity(real, rows(1 / (1:60)^2), splits = 2, n_permutations = 99)
  expect_false(all(report$scores$alike))
  expect_false(any(report$shares$agrees))
  # another sample: at most 3 % of reports differ
  expect_true(all(fidelity(real, rows(1 / (1:60)), splits = 2, n_permutations = 99)$scores$alike))
})
