# Values that two columns of levels determine together.

set.seed(71)
n <- 240
crossed <- data.frame(a = factor(sample(c("u", "v", "w"), n, TRUE)), b = factor(sample(c("p", "q"), n, TRUE)),
                      y = rnorm(n))
cell <- paste(crossed$a, crossed$b)
crossed$code <- factor(c("u p" = "1", "u q" = "2", "v p" = "3", "v q" = "1", "w p" = "2", "w q" = "3")[cell])
quick <- function(x) synthesise(x, law = law_student(), flow = FALSE, quiet = TRUE)

test_that("a level that two factors imply together is computed, and is named", {
  fit <- quick(crossed)
  expect_match(paste(format(fit), collapse = " "), "Computed from other columns: code from a, b.", fixed = TRUE)
  s <- simulate(fit, 3000, seed = 1)
  rule <- tapply(as.character(crossed$code), list(crossed$a, crossed$b), `[`, 1)
  expect_identical(as.character(s$code), unname(rule[cbind(as.character(s$a), as.character(s$b))]))
  bad <- crossed[1:2, ]
  bad$code[1] <- setdiff(levels(bad$code), bad$code[1])[1]
  expect_identical(is.finite(predict(fit, bad, draws = 4)), c(FALSE, TRUE), ignore_attr = TRUE)
  # the condition on the computed column has the share of its rows
  some <- simulate(fit, 500, seed = 2, given = list(code = c("1", "3"), y = c(0, Inf)))
  expect_true(all(some$code %in% c("1", "3") & some$y >= 0))
  expect_equal(exp(attr(some, "log_probability")), mean(s$code != "2" & s$y >= 0), tolerance = 0.1)
})

test_that("no relation is found where a combination does not occur, or where chance may explain it", {
  gap <- crossed[!(crossed$a == "u" & crossed$b == "p"), ]
  find <- function(x) find_relations(as.list(x), mixed_kinds(x, names(x), list()))
  expect_length(find(gap), 0)
  # one row differs from a copy: a level with this row alone explains nothing
  near <- data.frame(a = crossed$a, b = factor(c("rare", "rare", "rare", rep("usual", n - 3))))
  near$t <- near$a
  near$t[1:3] <- near$a[1:3] <- c("u", "v", "w")
  near$t[1] <- "v"
  expect_length(find(near), 0)
  # 200 random tables of small counts: a false alarm in 1 of 5000 runs by the rule
  set.seed(72)
  found <- vapply(1:200, function(i) {
    rows <- sample(12:60, 1)
    x <- as.data.frame(lapply(sample(2:4, 5, TRUE), function(k) {
      factor(sample(k, rows, TRUE, rexp(k)^2))
    }), col.names = letters[1:5])
    sum(lengths(lapply(find(x), `[[`, "from")) == 2)
  }, 0)
  expect_identical(sum(found), 0)
})
