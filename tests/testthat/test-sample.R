test_that("every form of base::sample gives the same stream", {
  weights <- (1:10) / 55
  forms <- list(
    quote(sample(10)), quote(sample(10, 3)), quote(sample(x = 10, size = 3)), quote(sample(size = 3, x = 10)),
    quote(sample(10, replace = TRUE)), quote(sample(10, 20, TRUE)), quote(sample(10, rep = TRUE)),
    quote(sample(10, 4, prob = weights)), quote(sample(10, 40, TRUE, weights)), quote(sample(10, prob = weights)),
    quote(sample(letters)), quote(sample(letters, 5)), quote(sample(c(2.5, 7))), quote(sample(7.9)),
    quote(sample(1)), quote(sample(5L)), quote(sample(TRUE)), quote(sample(1e10, 3)), quote(sample(10, 0)),
    quote(sample(list(1, "a", NULL))), quote(sample(iris)), quote(sample(iris, 2)), quote(sample(iris$Species, 6)),
    quote(sample(as.Date("2026-01-01") + 0:9, 3)), quote(sample(factor(c("u", "v", "w")))),
    quote(sample(c(a = 1, b = 2, c = 3))), quote(sample(matrix(1:6, 2))), quote(sample(NULL)),
    quote(do.call(sample, list(10, 2))), quote(vapply(2:5, sample, 0L, size = 1)),
    quote(sapply(list(3, 4), sample)), quote(Map(sample, 3:4, 2))
  )
  for (form in forms) {
    set.seed(1)
    ours <- eval(form, list(sample = particleflow::sample, weights = weights))
    after <- .Random.seed
    set.seed(1)
    theirs <- eval(form, list(sample = base::sample, weights = weights))
    expect_identical(ours, theirs, info = deparse(form))
    expect_identical(after, .Random.seed, info = deparse(form))
  }
  expect_error(particleflow::sample(5, 10), "larger than the population")
  expect_error(particleflow::sample(5, 10, size2 = 1), "unused argument")
})

test_that("for a fit it is simulate()", {
  fit <- efs_by_rule(iris[1:4])
  set.seed(3)
  rows <- sample(fit, 7)
  set.seed(3)
  expect_equal(rows, simulate(fit, 7), ignore_attr = "seed")
  expect_identical(nrow(sample(fit)), 1L)
  expect_identical(sample(fit, 5, seed = 2), simulate(fit, 5, seed = 2))
})
