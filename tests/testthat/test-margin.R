# The margin of a column: scores of values and values of scores.

margin_parts <- function(x, lower = NULL, upper = NULL) {
  ends <- natural_ends(as.double(x), lower, upper, "continuous")
  margin <- fit_margin(x, ends[1], ends[2])
  set.seed(11)
  z <- margin_scores(margin, x, runif(length(x)))
  list(margin = margin, z = z, range = score_range(margin, x), back = margin_values(margin, z))
}

set.seed(1)
n <- 400
columns <- list(
  normal = rnorm(n), exponential = rexp(n), proportion = rbeta(n, 0.5, 0.5), ends = c(0, 1, rbeta(n, 0.5, 0.5)),
  few_zeros = c(0, 0, rexp(n)), cauchy = rcauchy(n), far = 1e9 + rnorm(n), small = rnorm(n) * 1e-300,
  large = rnorm(n) * 1e300, limit = pmax(rnorm(n), -1), smallest = 5e-324 * sample(1e6, n),
  money = round(rexp(n, 1e-3)) * (runif(n) > 0.4), cents = round(rexp(n, 1e-2), 2), six = round(runif(n), 6),
  thousands = c(rnorm(240, 5e4, 1e4), round(rnorm(160, 5e4, 1e4), -3)),
  count = rpois(n, 3), age = sample(18:90, n, TRUE),
  two = rbinom(n, 1, 0.3), three = sample(c(1.5, 2, 9), n, TRUE), gaps = sample(c(0, 1000, 5000, 10000), n, TRUE),
  fine = 1e6 + round(rnorm(n), 6), huge = 2^53 - sample(1e6, n), few_rows = rnorm(5), five = 1:5,
  apart = c(1e-300, 1e300, 1, 1, 1), heavy = rlnorm(n, 0, 5)
)

test_that("values come back from their scores", {
  for (name in names(columns)) {
    x <- columns[[name]]
    got <- margin_parts(x)
    atoms <- got$range[, 2] > got$range[, 1]
    expect_identical(got$back[atoms], as.double(x)[atoms], label = name)
    expect_true(all(abs(got$back - x) <= tolerance$closed_form * abs(x)), label = name)
    expect_true(all(is.finite(unlist(got$margin[c("x", "z")]))), label = name)
  }
  # the sign of zero is lost, its value is not
  expect_identical(margin_parts(c(-0, 0, 5, 5))$back, c(0, 0, 5, 5))
})

test_that("scores are normal", {
  # 22 columns of at least 400 rows at level 1e-3; the margin is fitted to these rows, so false alarms are rarer
  for (name in setdiff(names(columns), c("few_rows", "five", "apart"))) {
    z <- margin_parts(columns[[name]])$z
    expect_gt(suppressWarnings(ks.test(z, "pnorm")$p.value), 1e-3, label = name)
    expect_equal(sd(z), 1, tolerance = 0.15, label = name)
  }
})

test_that("the distribution function is that of the law", {
  # Kolmogorov's distance of a fit to 2000 rows: below 1.95 / sqrt(2000) with probability 0.999
  set.seed(2)
  laws <- list(list(rnorm(2000), pnorm, c(-Inf, Inf)), list(rexp(2000), pexp, c(0, Inf)),
               list(rbeta(2000, 2, 3), function(x) pbeta(x, 2, 3), c(0, 1)), list(runif(2000), punif, c(0, 1)))
  for (law in laws) {
    x <- law[[1]]
    margin <- fit_margin(x, law[[3]][1], law[[3]][2])
    at <- quantile(x, seq(0.005, 0.995, 0.005))
    expect_lt(max(abs(pnorm(margin_limit(margin, at)) - law[[2]](at))), 1.95 / sqrt(2000))
    # dz/dx phi(z) is the density: it integrates to 1
    x <- seq(max(min(x), law[[3]][1]), min(max(x), law[[3]][2]), length.out = 20001)
    middle <- (x[-1] + x[-20001]) / 2
    density <- margin_slope(margin, middle) * dnorm(margin_limit(margin, middle))
    whole <- diff(pnorm(margin_limit(margin, range(x))))
    expect_equal(sum(density) * (x[2] - x[1]), whole, tolerance = tolerance$integral)
  }
})

test_that("the probabilities of all values of a unit sum to 1, and are those of draws", {
  set.seed(3)
  for (name in c("money", "cents", "count", "age", "two", "three", "gaps", "five")) {
    x <- columns[[name]]
    margin <- margin_parts(x)$margin
    all <- to_unit(seq(min(x), max(x), by = margin$unit$size), margin$unit)
    range <- score_range(margin, all)
    p <- pnorm(range[, 2]) - pnorm(range[, 1])
    outside <- pnorm(range[1, 1]) + pnorm(range[nrow(range), 2], lower.tail = FALSE)
    expect_equal(sum(p) + outside, 1, tolerance = tolerance$closed_form, label = name)
    # binomial frequencies of the commonest value: 4 standard errors, 6e-5 each
    value <- all[which.max(p)]
    hit <- mean(margin_values(margin, rnorm(1e5)) == value)
    expect_lt(abs(hit - max(p)), 4 * sqrt(max(p) / 1e5) + 1e-12, label = name)
  }
})

test_that("a million draws stay within the ends, and on the unit", {
  set.seed(4)
  z <- c(rnorm(1e6), -40, 40, -Inf, Inf)
  for (name in c("exponential", "proportion", "ends", "few_zeros", "limit", "money", "cents", "six", "count", "age",
                 "two", "three", "gaps")) {
    x <- columns[[name]]
    ends <- natural_ends(x, NULL, NULL, "continuous")
    new <- margin_values(fit_margin(x, ends[1], ends[2]), z)
    expect_true(min(new) >= ends[1] && max(new) <= ends[2], label = name)
    if (name %in% c("money", "count", "age", "gaps")) expect_identical(new, round(new), label = name)
    if (name == "cents") expect_identical(new, round(new, 2), label = name)
  }
  # ends that lie between two multiples of the unit
  new <- margin_values(fit_margin(sample(3:60, 300, TRUE), 2.5, 60.4), z)
  expect_identical(range(new), c(3, 60))
})

test_that("values beyond the ends and between atoms have no probability", {
  kind <- column_continuous()
  x <- columns$few_zeros
  state <- kind$fit(x)
  expect_identical(kind$margin(c(-1e-9, -5), state), c(-Inf, -Inf))
  range <- score_range(state$margin, 0)
  # 2 of 402 rows are exactly 0
  expect_equal(pnorm(range[2]), 2 / 402, tolerance = tolerance$closed_form)
  expect_true(all(is.finite(kind$margin(x, state))))
  levels <- column_ordered()
  stage <- factor(c("I", "III")[rbinom(50, 1, 0.5) + 1], c("I", "II", "III"), ordered = TRUE)
  state <- levels$fit(stage)
  expect_identical(levels$margin(factor("II", levels(stage), ordered = TRUE), state), -Inf)
})

test_that("heaps are atoms", {
  x <- columns$thousands
  got <- margin_parts(x)
  round_ones <- x %% 1000 == 0
  often <- x %in% as.numeric(names(which(table(x) >= 8)))
  expect_true(all(got$range[often, 2] > got$range[often, 1]))
  expect_false(any(got$range[!round_ones, 2] > got$range[!round_ones, 1]))
  # four standard errors of 1e4 draws, at most 0.005 each
  set.seed(5)
  new <- margin_values(got$margin, rnorm(1e4))
  atoms <- x[got$range[, 2] > got$range[, 1]]
  expect_lt(abs(mean(new %% 1000 == 0) - length(atoms) / length(x)), 0.02)
  zeros <- margin_parts(columns$money)
  expect_equal(pnorm(score_range(zeros$margin, 0)[2]), mean(columns$money == 0), tolerance = 0.01)
})

test_that("densities are in the unit of the values", {
  kind <- column_continuous()
  x <- rexp(200)
  one <- kind$margin(x, kind$fit(x))
  # scaled by powers of two, so exactly the same smoothing
  for (power in c(-1000, -30, 30, 900)) {
    times <- x * 2^power
    expect_equal(kind$margin(times, kind$fit(times)), one - power * log(2), tolerance = tolerance$kernel)
  }
})

test_that("units are found", {
  expect_null(recorded_unit(rnorm(20)))
  expect_null(recorded_unit(5))
  expect_equal(recorded_unit(c(1, 1.25, 3))$size, 0.25)
  expect_equal(recorded_unit(c(0.1, 0.3, 0.7))$size, 0.2)
  expect_equal(recorded_unit(c(1000, 3000, 9000))$size, 2000)
  expect_identical(recorded_unit(c(5, 8))[c("size", "offset")], list(size = 3, offset = 2))
  expect_null(recorded_unit(c(2^53, 2^53 - 2)))
})

test_that("values between 0 and 100 of which many are near 100 have it as an end", {
  set.seed(6)
  upper <- function(x) natural_ends(x, NULL, NULL, "continuous")[2]
  expect_identical(upper(c(3, 97, runif(100, 3, 97))), Inf) # three above 95 say little
  expect_identical(upper(100 * rbeta(200, 0.7, 0.7)), 100)
  expect_identical(upper(c(82, 99.4, runif(100, 94, 99.4))), 100) # oxygen saturation
  expect_identical(upper(c(18, 94, runif(100, 18, 94))), Inf)     # ages
  expect_identical(upper(c(3, 70, runif(100, 3, 70))), Inf)
  expect_identical(upper(c(3, 101, runif(100, 3, 97))), Inf)
  expect_identical(upper(c(-1, 97, runif(100, 3, 97))), Inf)
})

test_that("a tail is as heavy as many rows say, and light where few rows say little", {
  # excesses at the quantiles of the law, so there is no chance in it
  excess <- function(m, shape) (1 - shape) / shape * ((1 - ppoints(m))^-shape - 1)
  expect_equal(tail_shape(excess(5000, 0.3)), 0.3, tolerance = 0.1)
  expect_lt(tail_shape(excess(10, 0.3)), 0.15)
  expect_identical(tail_shape(qexp(ppoints(5000))), 0)
  expect_identical(tail_shape(2 * ppoints(1000)), -0.1)
  expect_identical(tail_shape(numeric()), 0)
  # it is continuous and increasing where the step of a negative shape becomes constant
  fall <- seq(0, 35, 0.01)
  growth <- tail_growth(fall, -0.1)
  expect_true(all(diff(growth) >= 0.0039 & diff(growth) <= 0.01))
})

test_that("one far value does not send new ones further still", {
  set.seed(7)
  # in a log-normal sample of 300 rows with one value at six times the largest other one
  ratio <- vapply(1:20, function(i) {
    x <- rlnorm(300)
    x <- c(x, 6 * max(x))
    max(margin_values(fit_margin(x, 0), qnorm(ppoints(10 * length(x))))) / max(x)
  }, 0)
  expect_lt(mean(ratio), 1.5)
})

test_that("a value that stands three times among values that stand once is an atom", {
  set.seed(8)
  x <- c(rnorm(300), 0.5, 0.5, 0.5)
  expect_identical(find_heaps(sort(unique(x)), tabulate(match(x, sort(unique(x))))), 0.5)
  # amounts in cents, far apart: three rows at 999.99
  money <- c(round(rlnorm(300, 7, 1), 2), rep(999.99, 3))
  values <- sort(unique(money))
  expect_true(999.99 %in% find_heaps(values, tabulate(match(money, values)), recorded_unit(money)))
  # no heap where all values stand twice, and none in whole numbers: 1 % of columns have a false one
  expect_length(find_heaps(1:100 + 0.5, rep(2, 100)), 0)
  found <- vapply(1:20, function(i) {
    x <- round(rnorm(300, 0, 200))
    values <- sort(unique(x))
    length(find_heaps(values, tabulate(match(x, values)), list(size = 1)))
  }, 0)
  expect_lte(sum(found), 2)
})

test_that("values that nearly all rows share are atoms, also where the unit is finer", {
  set.seed(9)
  # recorded to tenths, one of them to hundredths
  x <- c(round(rnorm(600, 2, 0.4), 1), 1.83)
  values <- sort(unique(x))
  counts <- tabulate(match(x, values))
  n <- sum(counts[counts < 60.1])
  share <- 1 - 1 / n / 0.9
  expect_equal(coarse_unit(values, counts, recorded_unit(x))[c("size", "share")],
               list(size = 0.1, share = share))
  expect_null(coarse_unit(1:200, rep(1, 200), list(size = 1, offset = 0, digits = 0)))
  new <- margin_values(fit_margin(x), qnorm(ppoints(2000)))
  expect_gt(mean(abs(10 * new - round(10 * new)) < 1e-9), 0.97)
  # 150 distances, each in many rows
  distances <- sort(sample.int(5000, 150))
  x <- sample(distances, 3000, replace = TRUE)
  expect_true(all(distances %in% find_heaps(distances, tabulate(match(x, distances)), recorded_unit(x))))
})

test_that("the end 100 needs many values near it", {
  set.seed(31)
  upper <- function(x) natural_ends(x, NULL, NULL, "continuous")[2]
  thickness <- c(round(pmax(rnorm(300, 29, 10), 7)), 99) # millimetres
  expect_identical(upper(thickness), Inf)
  expect_identical(upper(round(rbeta(400, 5, 2) * 100, 1)[1:50]), Inf) # few rows near 100
  expect_identical(upper(round(rbeta(800, 4, 1) * 100)), 100)
  expect_identical(upper(c(round(runif(95, 0, 60)), rep(100, 5))), 100) # a heap
  # the last value of a tail is no limit, however often it stands: 7 beyond it are a matter of chance
  tail <- rep(-3:3, c(8, 70, 180, 280, 180, 70, 8))
  expect_identical(natural_ends(c(tail, 0.5), NULL, NULL, "continuous"), c(-Inf, Inf))
})

test_that("a value beyond an end that the values show is unlikely, one beyond a sure end impossible", {
  set.seed(32)
  x <- pmin(round(rnorm(500, 75, 20)), 100)
  kind <- column_continuous()
  state <- kind$fit(x)
  all <- 0:2000
  cells <- kind$cells(all, state)
  p <- exp(kind$margin(all, state)) * (pnorm(cells[, 2]) - pnorm(cells[, 1]))
  # beyond 100: the probability of 100 over n, summed over whole numbers instead of integrated (one part in 2 sd)
  expect_equal(sum(p[all > 100]), p[all == 100] / 500, tolerance = 0.05)
  expect_true(all(diff(p[all > 100]) < 0))
  sure <- column_continuous(upper = 100)
  expect_identical(sure$margin(118, sure$fit(x)), -Inf)
  expect_identical(kind$margin(-1, kind$fit(abs(x))), -Inf)
  # without cells: the density at the outermost value, times exp(-d / sd) / n
  y <- rbeta(300, 3, 1)
  state <- kind$fit(y)
  got <- kind$margin(c(max(y), 1.1), state)
  expect_equal(diff(got), -log(300) - 0.1 / sd(y), tolerance = tolerance$closed_form)
  expect_lt(max(margin_values(state$margin, rnorm(1e5))), 1)
})

test_that("held-out rows beyond a limit have a finite log-density", {
  set.seed(33)
  x <- data.frame(rate = pmin(round(rnorm(300, 75, 20)), 100), size = rnorm(300))
  fit <- synthesise(x, law = law_student(), flow = FALSE, quiet = TRUE)
  value <- as.vector(predict(fit, data.frame(rate = c(100, 118, 150), size = 0)))
  expect_true(all(is.finite(value)))
  expect_identical(order(-value), 1:3)
})

test_that("a value at a knot is no atom", {
  set.seed(10)
  margin <- fit_margin(rexp(300))
  range <- score_range(margin, margin$x)
  expect_identical(range[, 1], range[, 2])
})

test_that("the share of rows that keep to a coarser unit, or stand on a heap, is that of the table", {
  shares <- function(x, of) {
    c(mean(of(x)), mean(of(margin_values(fit_margin(x), qnorm(ppoints(5000))))))
  }
  for (rounded in c(0.5, 0.7, 0.85, 0.95)) {
    set.seed(5)
    x <- round(rnorm(500, 130, 20), 1)
    some <- runif(500) < rounded
    x[some] <- round(x[some])
    share <- shares(x, function(x) x == round(x))
    expect_equal(share[2], share[1], tolerance = 0.03)
  }
  set.seed(7)
  age <- round(rnorm(1000, 45, 15))
  some <- runif(1000) < 0.45
  age[some] <- 5 * round(age[some] / 5)
  share <- shares(age, function(x) x %% 5 == 0)
  expect_equal(share[2], share[1], tolerance = 0.03)
  # the probability of a heap is its count, also where the other values stand near it
  x <- c(rep(50, 200), round(rnorm(800, 50, 6)))
  share <- shares(x, function(x) x == 50)
  expect_equal(share[2], share[1], tolerance = 1e-3)
})

test_that("a few different values beside zeros are no support", {
  x <- c(rep(0, 147), exp(1:3 / 3 + 0.0123))
  margin <- fit_margin(x)
  expect_gt(diff(margin_limit(margin, c(2, 2.5))), 0)
  expect_gt(length(unique(margin_values(margin, qnorm(ppoints(5000))))), 50)
  # codes, even rare ones, are
  expect_setequal(margin_values(fit_margin(c(rep(0, 147), 1, 1, 2)), qnorm(ppoints(5000))), 0:2)
})

test_that("heaps are those of a slow search, also in blocks", {
  slow <- function(values, counts, unit) {
    k <- max(3, ceiling(sqrt(length(values)) / 2))
    Filter(function(one) !is.na(one), vapply(seq_along(values), function(i) {
      if (counts[i] < 2) return(NA_real_)
      near <- setdiff(max(1, i - k):min(length(values), i + k), i)
      expected <- quantile(counts[near], 0.75, names = FALSE)
      rate <- sum(counts[near]) / if (is.null(unit)) Inf else diff(range(values[near])) / unit$size
      rate <- max(if (expected == 1) min(rate, 1) else 1.5 * rate, 0.005)
      rare <- ppois(counts[i] - 1, rate, lower.tail = FALSE) < if (expected == 1) 1e-4 else 1e-6
      if (rare || counts[i] >= 4 && counts[i] > expected + 4 * sqrt(expected)) values[i] else NA_real_
    }, 0))
  }
  set.seed(9)
  for (case in 1:60) {
    x <- round(rexp(c(4, 40, 400)[case %% 3 + 1]) * c(10, 1000)[case %% 2 + 1], case %% 4 - 1)
    x <- c(x, rep(x[1], case %% 9))
    values <- sort(unique(x))
    if (length(values) < 2) next
    counts <- tabulate(match(x, values), length(values))
    unit <- if (case %% 5 < 3) list(size = 10^(1 - case %% 4))
    expect_identical(find_heaps(values, counts, unit), slow(values, counts, unit))
    with_binding("numbers_at_once", 50, expect_identical(find_heaps(values, counts, unit), slow(values, counts, unit)))
  }
})
