# Levels without order, in an order and in a tree: known probabilities, exact round trips, conditions, the choice.

# a table whose code of 30 levels moves two numbers, each in its own way
set.seed(61)
n <- 600
levels30 <- sprintf("c%02d", 1:30)
g <- sample(30, n, TRUE)
effect <- matrix(rnorm(60), 30)
coded <- data.frame(code = factor(levels30[g], c(levels30, "empty")), y = 2 * effect[g, 1] + rnorm(n),
                    u = 2 * effect[g, 2] + rnorm(n))
quick <- function(x, ...) synthesise(x, ..., law = law_student(), flow = FALSE, quiet = TRUE)
others <- matrix(rnorm(4 * 60), 60)

test_that("the cells of a tree tile the plane with the frequencies of the levels", {
  codes <- rep(1:7, c(20, 15, 10, 6, 4, 3, 2))
  n <- tabulate(codes)
  nodes <- tree_nodes(n, level_means(codes, n, others))
  expect_gt(length(nodes), 1)
  expect_identical(node_coordinates(nodes), 2L)
  cells <- level_cells(nodes)
  p <- (pnorm(cells[, 3]) - pnorm(cells[, 1])) * (pnorm(cells[, 4]) - pnorm(cells[, 2]))
  expect_equal(p, n / 60, tolerance = 1e-12)
  # each point of a grid belongs to one cell, that of its level
  z <- as.matrix(expand.grid(qnorm(ppoints(40)), qnorm(ppoints(40))))
  at <- level_codes(nodes, z)
  inside <- z[, 1] > cells[at, 1] & z[, 1] < cells[at, 3] & z[, 2] > cells[at, 2] & z[, 2] < cells[at, 4]
  expect_true(all(inside))
  # uniform numbers anywhere give scores that lead back to the level
  u <- matrix(runif(2 * 60), 60)
  scores <- level_scores(nodes, codes, u)
  scores[is.na(scores)] <- rnorm(sum(is.na(scores)))
  expect_identical(level_codes(nodes, scores), codes)
})

test_that("the boxes of a set of levels are disjoint and have its probability", {
  codes <- rep(1:9, 12:4)
  n <- tabulate(codes)
  nodes <- tree_nodes(n, level_means(codes, n, matrix(rnorm(4 * length(codes)), length(codes))))
  for (set in list(3L, c(1L, 5L), 2:8, c(9L, 4L, 1L), 1:9)) {
    boxes <- level_boxes(nodes, set)
    z <- as.matrix(expand.grid(qnorm(ppoints(60)), qnorm(ppoints(60))))
    hits <- rowSums(vapply(boxes, function(box) {
      rowSums(vapply(seq_along(box$at), function(i) {
        z[, box$at[i]] <= box$low[i] | z[, box$at[i]] >= box$high[i]
      }, logical(nrow(z)))) == 0
    }, logical(nrow(z))))
    expect_equal(hits, as.double(level_codes(nodes, z) %in% set), ignore_attr = TRUE)
    p <- sum(vapply(boxes, function(box) prod(pnorm(box$high) - pnorm(box$low)), 0))
    expect_equal(p, sum(n[set]) / sum(n), tolerance = 1e-12)
  }
})

test_that("the tree is chosen where two axes matter, and not otherwise", {
  expect_identical(choose_encoding(g, tabulate(g), as.matrix(coded[2:3])), "tree")
  set.seed(62)
  line <- cbind(2 * effect[g, 1] + rnorm(n), rnorm(n))
  expect_identical(choose_encoding(g, tabulate(g), line), "order")
  expect_identical(choose_encoding(g, tabulate(g), matrix(rnorm(2 * n), n)), "order") # 2 standard errors: 2.5 %
  few <- (g - 1L) %/% 6L + 1L # five levels of about 20 %
  expect_identical(choose_encoding(few, tabulate(few), as.matrix(coded[2:3])), "order")
})

test_that("a fit by each encoding keeps levels, obeys conditions, and differs from chance", {
  coded$code[c(3, 9)] <- NA
  fits <- list(order = quick(coded, columns = list(code = column_nominal("order"))),
               tree = quick(coded, columns = list(code = column_nominal("tree"))), free = quick(coded))
  expect_identical(lapply(fits, function(fit) fit$table$dims[1]), list(order = 2L, tree = 3L, free = 3L))
  expect_output(print(fits$tree), "code in a tree")
  for (fit in fits) {
    new <- simulate(fit, 3000, seed = 1)
    expect_identical(levels(new$code), levels(coded$code))
    expect_false("empty" %in% new$code)
    given <- simulate(fit, 50, seed = 2, given = list(code = c("c03", "c04", "c20")))
    expect_true(all(given$code %in% c("c03", "c04", "c20")))
    p <- exp(attr(given, "log_probability"))
    share <- mean(new$code %in% c("c03", "c04", "c20"))
    # 3000 draws: four standard errors
    expect_lt(abs(p - share), 4 * sqrt(p / 3000) + 4 * p * attr(given, "standard_error"))
    missing <- simulate(fit, 5, seed = 3, given = list(code = NA))
    expect_true(all(is.na(missing$code)))
    filled <- predict(fit, coded, type = "impute", m = 1, seed = 4)[[1]]
    expect_false(anyNA(filled$code))
    expect_identical(filled$code[-c(3, 9)], coded$code[-c(3, 9)])
    expect_true(all(is.finite(predict(fit, coded[1:20, ], draws = 5))))
    expect_warning(unseen <- predict(fit, transform(coded[1:2, ], code = "new")), "\"new\" of column \"code\"")
    expect_true(all(unseen == -Inf))
    expect_error(simulate(fit, 1, given = list(code = "new")), "\"new\" is not among those of the table")
  }
  # the association with the second axis: the tree sees it, the order does not
  ratio <- function(x) {
    x <- x[!is.na(x$code), ]
    var(ave(x$u, x$code)) / var(x$u)
  }
  real <- ratio(coded)
  lost <- vapply(fits, function(fit) real - ratio(simulate(fit, 3000, seed = 1)), 0)
  expect_lt(lost[["tree"]], lost[["order"]])
})

test_that("probabilities over all levels sum to 1, with rows given and alone", {
  set.seed(63)
  a <- sample(6, 300, TRUE, 6:1)
  x <- data.frame(a = factor(letters[a]), b = factor(c("p", "q", "r")[pmin(3, 1 + rbinom(300, 2, a / 7))]))
  for (kind in list(column_nominal("order"), column_nominal("tree"))) {
    for (law in list(law_student(), NULL)) {
      fit <- synthesise(x, columns = list(a = kind, b = kind), law = law, flow = FALSE, quiet = TRUE)
      all <- expand.grid(a = levels(x$a), b = levels(x$b))
      p <- exp(as.vector(predict(fit, all, draws = 2000)))
      # an error of about 0.7 % of the sum
      expect_equal(sum(p), 1, tolerance = 0.02)
    }
  }
})

test_that("two levels, a combination, and levels without other columns", {
  x <- transform(coded, two = factor(ifelse(y > u, "a", "b")), code = factor(code))
  two <- quick(x[c("two", "y")], columns = list(two = column_nominal("tree")))
  expect_identical(two$table$dims[1], 1L)
  alone <- quick(x["code"], columns = list(code = column_nominal("tree")))
  expect_identical(alone$table$dims, 1L)
  pair <- quick(x[1:400, c("code", "two", "y", "u")], combine = list(c("code", "two")))
  seen <- unique(do.call(paste, x[1:400, c("code", "two")]))
  expect_true(all(do.call(paste, simulate(pair, 500, seed = 5)[c("code", "two")]) %in% seen))
  given <- simulate(pair, 20, seed = 6, given = list(code = x$code[1]))
  expect_true(all(given$code == x$code[1]))
  expect_error(column_nominal("trees"), "encoding")
})

test_that("a combination keeps the order of a number in it, so that relations with other numbers stay", {
  set.seed(63)
  n <- 1000
  x <- data.frame(a = round(rnorm(n, 50, 10)), site = factor(sample(letters[1:4], n, TRUE)), u = rnorm(n))
  x$b <- 2 * x$a + rnorm(n, 0, 3)
  fit <- synthesise(x, combine = c("a", "site"), law = law_global(), flow = FALSE, quiet = TRUE)
  state <- fit$table$columns[[fit$table$of[5]]]$state
  ranked <- state$order[order(state$nodes[[1]]$child)] # the words of levels by their coordinate
  expect_false(is.unsorted(as.double(sub("\r.*", "", ranked))))
  s <- simulate(fit, 2000, seed = 1)
  expect_gt(cor(s$a, s$b), cor(x$a, x$b) - 0.02) # .99; by the order of shrunken means it was .86
  expect_true(all(paste(s$a, s$site) %in% paste(x$a, x$site)))
  # a level that implies a number: without ties the order is that of the number, up to its direction
  codes <- rep(1:6, 10)
  lead <- leading_axis(codes, tabulate(codes), cbind(c(3, 1, 2, 6, 5, 4)[codes]))
  expect_identical(order(lead * sign(lead[4])), c(2L, 3L, 1L, 6L, 5L, 4L))
})
