# Whole blocks of new rows. Correlations are compared with a tolerance of at least three standard errors, so a test with
# another seed would fail falsely in less than 1 of 100 cases.

# Rows of blocks of the sizes `sizes` with a block effect of variance r and errors of variance 1 - r.
nested_rows <- function(sizes, r, seed) {
  set.seed(seed)
  block <- rep(seq_along(sizes), sizes)
  data.frame(litter = block, y = sqrt(r) * rnorm(length(sizes))[block] + sqrt(1 - r) * rnorm(length(block)))
}

course_pairs <- function(x, block, lag) {
  i <- seq_len(length(x) - lag)
  i <- i[block[i] == block[i + lag]]
  cor(x[i], x[i + lag])
}

test_that("the intraclass correlation is that of the analysis of variance", {
  d <- nested_rows(c(3, 5, 2, 4, 6), 0.5, 1)
  table <- anova(lm(y ~ factor(litter), d))
  size <- tabulate(d$litter)
  each <- (sum(size) - sum(size^2) / sum(size)) / 4
  ms <- table[["Mean Sq"]]
  expect_equal(intraclass(d$y, d$litter, 1, -1), (ms[1] - ms[2]) / (ms[1] + (each - 1) * ms[2]))
})

test_that("block effects are the best linear predictors", {
  # of a row given k earlier rows with variance 1 and correlation r: r 1' V^-1 y
  r <- 0.4
  y <- c(0.3, -1, 2)
  v <- (1 - r) * diag(3) + r
  expect_equal(drop(block_effects(matrix(sum(y)), matrix(3), r)), drop(rep(r, 3) %*% solve(v, y)))
})

test_that("ridge regressions know the errors of left-out rows", {
  d <- nested_rows(rep(3, 10), 0.3, 2)
  x <- cbind(d$y, d$y^2, sin(7 * d$y))
  y <- cbind(d$y - 0.2 * d$litter)
  fit <- ridge_columns(x, y)
  z <- cbind(1, sweep(x, 2, colMeans(x)))
  ridge <- function(rows, penalty) {
    drop(solve(crossprod(z[rows, ]) + penalty * diag(c(0, 1, 1, 1)), crossprod(z[rows, ], y[rows])))
  }
  slopes <- vapply(ridge_penalties, function(penalty) ridge(1:30, penalty)[-1], numeric(3))
  chosen <- which(colSums(abs(slopes - fit$coefficients[-1])) < 1e-8)
  expect_length(chosen, 1)
  errors <- vapply(ridge_penalties, function(penalty) {
    vapply(1:30, function(i) y[i] - sum(z[i, ] * ridge((1:30)[-i], penalty)), 0)
  }, numeric(30))
  expect_equal(drop(fit$left_out), errors[, chosen])
  expect_equal(which.min(colSums(errors^2)), chosen)
})

test_that("rows in exchangeable order keep their intraclass correlation", {
  old <- nested_rows(rep(2:8, 36), 0.5, 3)
  fit <- synthesise(old, blocks = "litter", whole_blocks = TRUE, law = "student", quiet = TRUE)
  new <- simulate(fit, 1500, seed = 1)
  block <- match(new$litter, unique(new$litter))
  was <- intraclass(old$y, old$litter)
  expect_equal(intraclass(new$y, block), was, tolerance = tolerance$blocks)
  # the same at every distance
  for (lag in c(1, 3, 5)) expect_equal(course_pairs(new$y, block, lag), was, tolerance = tolerance$blocks)
  expect_equal(mean(tabulate(block)), 5, tolerance = 0.05)
  expect_equal(sd(tabulate(block)), 2, tolerance = 0.1)
  expect_gt(min(new$litter), max(old$litter))
  expect_equal(sd(new$y), sd(old$y), tolerance = tolerance$blocks)
})

test_that("an autoregression keeps its correlations", {
  set.seed(4)
  old <- data.frame(id = rep(1:100, each = 8),
                    y = c(replicate(100, as.numeric(arima.sim(list(ar = 0.7), 8, n.start = 50)))))
  new <- simulate(synthesise(old, blocks = "id", whole_blocks = TRUE, law = "student", quiet = TRUE), 1500, seed = 1)
  expect_equal(tabulate(match(new$id, unique(new$id))), rep(8, 1500))
  for (lag in 1:4) {
    expect_lt(abs(course_pairs(new$y, new$id, lag) - course_pairs(old$y, old$id, lag)), 0.08)
  }
  for (lag in 1:2) expect_lt(abs(course_pairs(new$y, new$id, lag) - 0.7^lag), 0.12)
})

test_that("TRUE and FALSE depend on the block, too", {
  set.seed(5)
  old <- data.frame(id = rep(1:120, each = 6))
  old$y <- rnorm(120, sd = 1.2)[old$id] + rnorm(720) > 0
  new <- simulate(synthesise(old, blocks = "id", whole_blocks = TRUE, law = "student", quiet = TRUE), 1500, seed = 1)
  expect_lt(abs(intraclass(new$y * 1, new$id) - intraclass(old$y * 1, old$id)), 0.08)
  expect_lt(abs(course_pairs(new$y * 1, new$id, 4) - intraclass(old$y * 1, old$id)), 0.08)
  expect_lt(abs(mean(new$y) - mean(old$y)), 0.05)
})

visits <- function() {
  set.seed(6)
  sizes <- c(rep(1, 5), sample(2:6, 45, TRUE))
  b <- rep(seq_along(sizes), sizes)
  n <- length(b)
  x <- data.frame(
    plan = sequence(sizes) * 30 - 30, site = factor(sample(c("A", "B", "C"), 50, TRUE))[b],
    born = (as.Date("1950-01-01") + round(runif(50, 0, 9000)))[b], base = ifelse(runif(50) < 0.3, NA, rnorm(50))[b],
    visit = as.Date("2020-01-01") + ave(round(runif(n, 5, 60)), b, FUN = cumsum), who = paste0("p", b),
    time = as.POSIXct("2021-01-01", tz = "UTC") + 3600 * ave(runif(n), b, FUN = cumsum),
    grade = factor(pmin(3, ave(rbinom(n, 1, 0.3), b, FUN = cumsum) + 1), 1:3, c("I", "II", "III"), ordered = TRUE),
    dose = rexp(n) * rbinom(n, 1, 0.4), lab = exp(rnorm(50)[b] + rnorm(n, 0, 0.4)), tag = paste0("u", b)
  )
  x$lab[sample(n, 20)] <- NA
  x$end <- (x$visit[!duplicated(b, fromLast = TRUE)] + 40)[b]
  x$twice <- 2 * x$lab
  x
}

fit_of_visits <- local({
  fit <- NULL
  function() {
    if (is.null(fit)) {
      fit <<- synthesise(visits(), blocks = "who", whole_blocks = TRUE, id = "tag", constraints = ~ visit <= end,
                         law = "student", quiet = TRUE)
    }
    fit
  }
})

test_that("the structure of blocks holds in all new ones", {
  old <- visits()
  fit <- fit_of_visits()
  new <- simulate(fit, 400, seed = 1)
  expect_identical(names(new), names(old))
  expect_identical(lapply(new, class), lapply(old, class))
  expect_identical(attr(new$time, "tzone"), "UTC")
  number <- ave(seq_along(new$who), new$who, FUN = seq_along)
  expect_equal(new$plan, number * 30 - 30)
  for (name in c("site", "born", "base", "tag", "end")) expect_true(is_constant_within(new[[name]], new$who))
  expect_equal(length(unique(new$tag)), 400)
  within <- new$who[-1] == new$who[-nrow(new)]
  for (name in c("visit", "time")) expect_true(all(diff(as.numeric(new[[name]]))[within] > 0))
  expect_true(all(diff(as.integer(new$grade))[within] >= 0))
  expect_true(all(new$visit <= new$end))
  expect_equal(new$twice, 2 * new$lab)
  expect_true(all(new$dose >= 0))
  expect_lt(abs(mean(new$dose == 0) - mean(old$dose == 0)), 0.1)
  expect_lt(abs(mean(is.na(new$lab)) - mean(is.na(old$lab))), 0.06)
  expect_false(any(new$who %in% old$who))
  expect_equal(range(table(new$who)), c(1, 6))
  expect_false(anyNA(simulate(fit, 20, seed = 1, missing = FALSE)))
  expect_identical(simulate(fit, 7, seed = 2), simulate(fit, 7, seed = 2))
  expect_equal(dim(simulate(fit, 0)), c(0L, ncol(old)))
  expect_equal(length(unique(simulate(fit, 1, seed = 1)$who)), 1)
})

test_that("courses that start at 0 and end before a date do so in new blocks", {
  set.seed(14)
  sizes <- rep(2:6, 8)
  block <- rep(seq_along(sizes), sizes)
  day <- ave(round(runif(length(block), 20, 60)), block, FUN = function(gap) cumsum(gap) - gap[1])
  old <- data.frame(id = block, day = day, y = rnorm(length(block)))
  old$end <- ave(day, block, FUN = max) + rep(round(rexp(40, 0.02)), sizes)
  fit <- synthesise(old, blocks = "id", whole_blocks = TRUE, constraints = ~ day <= end, law = "student", quiet = TRUE)
  new <- simulate(fit, 500, seed = 1)
  first <- !duplicated(new$id)
  expect_true(all(new$day[first] == 0))
  expect_true(all(diff(new$day)[!first[-1]] > 0))
  expect_true(all(new$day <= new$end))
})

test_that("a vector of blocks becomes a column, and tibbles stay tibbles", {
  skip_if_not_installed("tibble")
  old <- nested_rows(rep(2:5, 6), 0.5, 7)
  fit <- synthesise(tibble::tibble(y = old$y), blocks = old$litter, whole_blocks = TRUE, law = "student", quiet = TRUE)
  new <- simulate(fit, 3, seed = 1)
  expect_s3_class(new, "tbl_df")
  expect_identical(names(new), c("y", "block"))
  expect_identical(unique(new$block), 25:27)
})

test_that("two columns of one name come back with it", {
  old <- nested_rows(rep(3, 20), 0.5, 15)
  old <- stats::setNames(data.frame(old, old$y + cos(1:60)), c("litter", "y", "y"))
  new <- simulate(synthesise(old, blocks = "litter", whole_blocks = TRUE, law = "student", quiet = TRUE), 200, seed = 1)
  expect_identical(names(new), c("litter", "y", "y"))
  expect_lt(abs(cor(new[[2]], new[[3]]) - cor(old[[2]], old[[3]])), 0.15)
})

test_that("blocks need not stand together in the table", {
  old <- nested_rows(rep(3, 20), 0.5, 8)
  mixed <- old[order(sequence(rep(3, 20))), ]
  draw <- function(x) simulate(synthesise(x, blocks = "litter", whole_blocks = TRUE, law = "student", quiet = TRUE), 5,
                               seed = 1)
  expect_identical(draw(mixed), draw(old))
})

test_that("without whole_blocks nothing changes", {
  old <- nested_rows(rep(3, 20), 0.5, 9)
  fit <- synthesise(old, blocks = old$litter, law = "student", quiet = TRUE, flow = FALSE)
  expect_identical(class(fit)[1], "synthesis")
  expect_error(synthesise(old, blocks = "litter"), "set `whole_blocks = TRUE` to draw these, or give `blocks =",
               fixed = TRUE, class = "particleflow_input")
})

test_that("bad blocks are errors of one sentence", {
  old <- nested_rows(rep(3, 20), 0.5, 10)
  fit_with <- function(x = old, blocks = "litter", ...) {
    synthesise(x, blocks = blocks, whole_blocks = TRUE, quiet = TRUE, law = "student", ...)
  }
  expect_error(fit_with(blocks = NULL), "needs `blocks`", class = "particleflow_input")
  expect_error(fit_with(blocks = "pen"), "no such column", class = "particleflow_input")
  expect_error(fit_with(blocks = c(NA, old$litter[-1])), "must not contain NA", class = "particleflow_input")
  expect_error(fit_with(blocks = seq_len(60)), "no block of two or more rows", class = "particleflow_input")
  expect_error(fit_with(blocks = rep(1, 60)), "all rows into one block", class = "particleflow_input")
  expect_error(fit_with(blocks = rep(1:3, each = 20)), "at least 5", class = "particleflow_input")
  expect_error(fit_with(blocks = 1:3), "one entry for each", class = "particleflow_input")
  expect_error(fit_with(as.matrix(old), old$litter), "must be a data frame", class = "particleflow_input")
  expect_error(fit_with(group = "litter"), "`group` cannot", class = "particleflow_input")
  expect_error(fit_with(transform(old, pen = litter %% 4 + 10, hut = y > 0), combine = c("pen", "hut")),
               "constant within blocks", class = "particleflow_input")
  fit <- fit_with()
  expect_error(predict(fit, old), "not available for whole blocks", class = "particleflow_input")
  expect_error(plot(fit), "not available for whole blocks", class = "particleflow_input")
  expect_error(logLik(fit), "not available for whole blocks", class = "particleflow_input")
  expect_error(interpolate(fit, 1, 2), "not available for whole blocks", class = "particleflow_input")
  expect_error(as.data.frame(fit), "not available for whole blocks", class = "particleflow_input")
  if (requireNamespace("ggplot2", quietly = TRUE)) {
    expect_error(ggplot2::autoplot(fit), "not available for whole blocks", class = "particleflow_input")
  }
  expect_error(fit_with(blocks = c("litter", "y")), "join them first, as in `blocks = interaction(x$litter, x$y)`",
               fixed = TRUE, class = "particleflow_input")
  expect_error(simulate(fit, 2, given = list(y = 1)), "no argument `given`", class = "particleflow_input")
  expect_error(simulate(fit, 1e9), "1000000000 blocks of up to 3 rows", class = "particleflow_size")
  fit$sizes <- 1:3
  expect_error(simulate(fit, 2), "was changed", class = "particleflow_input")
})

test_that("print() and summary() say what was made of the columns", {
  fit <- fit_of_visits()
  lines <- paste(format(fit), collapse = "\n")
  expect_match(lines, "50 blocks (who) of 1 to 6 rows", fixed = TRUE)
  expect_match(lines, "Constant within blocks: site, born, base, tag, end.", fixed = TRUE)
  expect_match(lines, "The same in all rows of the same number: plan.", fixed = TRUE)
  expect_match(lines, "Never falling within blocks: visit, time, grade.", fixed = TRUE)
  expect_match(lines, "Varying within blocks: dose, lab, twice.", fixed = TRUE)
  found <- summary(fit)
  expect_identical(found$columns$role[match(c("plan", "site", "visit", "dose"), found$columns$column)],
                   c("number", "constant", "rises", "varies"))
  expect_equal(sum(found$sizes), 50)
  expect_output(print(found), "further rows: law student", fixed = TRUE)
  expect_identical(tidy(fit), found$columns)
  row <- glance(fit)
  expect_identical(row[c("blocks", "n", "columns", "least", "largest")],
                   data.frame(blocks = 50L, n = nrow(visits()), columns = 12L, least = 1L, largest = 6L))
  expect_identical(c(row$law_first, row$law_further), unname(found$laws))
  expect_equal(row$log_density_further, fit$laws$step$fit$diagnostics$log_density)
  old <- nested_rows(rep(3, 20), 0.5, 13)
  expect_message(synthesise(old, blocks = "litter", whole_blocks = TRUE, law = "student"), "20 blocks")
})

test_that("compare_blocks() and block_table() lay blocks side by side", {
  old <- nested_rows(c(4, 2, 3, 5, 3), 0.5, 11)
  found <- compare_blocks(old, old, "litter")
  expect_equal(attr(found, "sizes")$mean, c(3.4, 3.4))
  expect_equal(attr(found, "sizes")$largest, c(5, 5))
  number <- sequence(c(4, 2, 3, 5, 3))
  rest <- old$y - ave(old$y, number)
  expect_equal(found$intraclass_new, intraclass(rest, old$litter, 1, -1))
  expect_equal(found$lag_one_old, course_pairs(rest, old$litter, 1))
  old$pen <- letters[old$litter]
  wide <- block_table(old, "litter", rows = 3)
  expect_identical(names(wide), c("size", "y.1", "y.2", "y.3", "pen"))
  expect_equal(wide$size, c(4, 2, 3, 5, 3))
  expect_equal(unlist(wide[2, 2:4], use.names = FALSE), c(old$y[5:6], NA))
  expect_identical(wide$pen, letters[1:5])
  # blocks that were copied are found
  more <- nested_rows(rep(3, 40), 0.5, 12)
  copies <- more[more$litter <= 20, ]
  expect_equal(novelty(block_table(copies, "litter"), block_table(more, "litter"))$ratio, 0)
  expect_error(compare_blocks(old, old, "nest"), "must name a column", class = "particleflow_input")
})

test_that("compare_blocks() and block_table() take what comes, or say what is wrong", {
  x <- data.frame(id = rep(1:6, each = 3), size = rep(11:16, each = 3), y = c(sin(1:17), Inf), z = complex(18, 1, 1))
  expect_error(compare_blocks(x, x), "`blocks` must name a column of `new`", class = "particleflow_input")
  expect_error(compare_blocks(x, x[0, ], "id"), "`old` must have rows", class = "particleflow_input")
  same <- expect_no_warning(compare_blocks(x, x, "id"))
  expect_identical(same$column, "y")
  expect_true(is.finite(same$intraclass_old))
  single <- transform(x, id = 1:18)
  expect_identical(compare_blocks(single, x, "id")$intraclass_new, NA_real_)
  wide <- block_table(x, "id", rows = 1e9)
  expect_identical(wide$size.1, rep(3L, 6))
  expect_identical(wide$size, 11:16)
  expect_identical(ncol(wide), 6L)
  expect_error(synthesise(data.frame(id = c(1, 1, 2:40), x = sin(1:41)), blocks = "id", whole_blocks = TRUE),
               "1 row beyond the first rows", class = "particleflow_input")
})
