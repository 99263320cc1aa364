test_that("Philox gives the published known answers", {
  philox <- routine("philox")
  hex <- function(x) strtoi(substring(x, c(1, 5), c(4, 8)), 16L)
  word <- function(x) vapply(x, function(h) sum(hex(h) * c(65536, 1)), 0, USE.NAMES = FALSE)
  answer <- function(counter, key) .Call(philox, word(counter), word(key))
  expect_identical(answer(rep("00000000", 4), rep("00000000", 2)),
                   word(c("6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8")))
  expect_identical(answer(rep("ffffffff", 4), rep("ffffffff", 2)),
                   word(c("408f276d", "41c83b0e", "a20bc7c6", "6d5451fd")))
  expect_identical(answer(c("243f6a88", "85a308d3", "13198a2e", "03707344"), c("a4093822", "299f31d0")),
                   word(c("d16cfe09", "94fdcceb", "5001e420", "24126ea1")))
})

# Each test below compares 20,000 draws with a law by Kolmogorov and Smirnov at
# a level of 1e-6, with a fixed seed: a false alarm needs a change of generator
# and then one chance in a million.
level <- 1e-6
draws <- 20000

test_that("uniform and normal draws have their laws", {
  set.seed(21)
  key <- particleflow:::draw_key()
  u <- particleflow:::draw_uniform(draws, 2, key)
  z <- particleflow:::draw_normal(draws, 2, key, 1L)
  expect_gt(ks.test(u[, 1], punif)$p.value, level)
  expect_gt(ks.test(z[, 2], pnorm)$p.value, level)
  expect_lt(abs(cor(u)[1, 2]), 5 / sqrt(draws))
  expect_lt(abs(cor(z)[1, 2]), 5 / sqrt(draws))
  expect_true(all(u > 0 & u < 1))
})

test_that("the equilibrium sampler is exact for every s", {
  # d = 1 to 15; below and above the sphere's threshold s = d - 4
  for (case in list(c(1, 0), c(1, -1.5), c(2, 0), c(2, 1), c(3, -1), c(3, -0.5), c(5, 3), c(5, 1), c(15, 13),
                    c(15, 0))) {
    d <- case[1]
    s <- case[2]
    set.seed(22)
    y <- particleflow:::draw_shell(draws, rep(2, d), equilibrium_radius(d, s), "equilibrium", s,
                                   particleflow:::draw_key(), 2L) - 2
    r2 <- rowSums(y^2) / equilibrium_radius(d, s)^2
    if (s <= d - 4) {
      expect_equal(range(r2), c(1, 1), tolerance = tolerance$closed_form)
    } else {
      expect_gt(ks.test(r2, pbeta, d / 2, (s - d) / 2 + 2)$p.value, level)
    }
    if (d > 1) {
      # one coordinate of a uniform direction: (u + 1)/2 ~ Beta((d-1)/2, (d-1)/2)
      u <- (y[, 1] / sqrt(rowSums(y^2)) + 1) / 2
      expect_gt(ks.test(u, pbeta, (d - 1) / 2, (d - 1) / 2)$p.value, level)
    }
  }
})

test_that("the law of the theory has the exponent of the flow, and no density on a sphere", {
  set.seed(23)
  x <- matrix(rnorm(600), ncol = 6)
  dense <- fitted_law(law_equilibrium(), x, s = 3)
  expect_equal(dense$radius, equilibrium_radius(6, 3))
  expect_equal(dense$centre, colMeans(x))
  expect_true(particleflow:::has_density(dense))
  expect_false(particleflow:::has_density(fitted_law(law_equilibrium(), x, s = 2)))
  # at the centre: Gamma(b + d/2) / Gamma(b) / (pi^(d/2) R^d), b = (s - d)/2 + 2
  centre <- particleflow:::law_density(dense, rbind(colMeans(x)), 1L)[1]
  expect_equal(centre, lgamma(0.5 + 3) - lgamma(0.5) - 3 * log(pi) - 6 * log(dense$radius))
})

test_that("the paper's sphere and ball are where it puts them", {
  traj <- efs_forward(two_clusters(100, 3), n_steps = 5)
  end <- traj$frames[, , 6]
  distance <- function(y) sqrt(rowSums(sweep(y, 2, colMeans(end))^2))
  set.seed(1)
  expect_equal(range(distance(efs_augment(traj, 50, law_sphere()))), rep(mean(distance(end)), 2))
  ball <- distance(efs_augment(traj, draws, law_ball()))
  expect_lte(max(ball), max(distance(end)))
  expect_gt(ks.test((ball / max(distance(end)))^3, punif)$p.value, level)
})

test_that("interpolated and neighbouring points lie between particles", {
  x <- matrix(c(0, 0, 1, 0, 5, 5, 6, 5), ncol = 2, byrow = TRUE)
  traj <- efs_forward(x, n_steps = 0)
  set.seed(3)
  near <- efs_augment(traj, 500, law_neighbour(k = 1))
  # the nearest neighbours are the two close pairs, so y is 0 or 5 and x in [0, 1] or [5, 6]
  base <- ifelse(near[, 2] < 2.5, 0, 5)
  expect_equal(near[, 2], base)
  expect_true(all(near[, 1] - base >= 0 & near[, 1] - base <= 1))
  far <- efs_augment(traj, 2000, law_interpolate())
  expect_true(any(far[, 2] > 1 & far[, 2] < 4))
  # a point between i and j, never i and i: no exact copies
  expect_false(any(duplicated(rbind(x, far))))
})

test_that("a draw between equal rows is made only if there are no other rows", {
  set.seed(31)
  distinct <- matrix(rnorm(12), ncol = 2)
  x <- distinct[c(1, 1, 2, 3, 1, 4, 5, 2, 6, 1), ]
  key <- c(3L, 4L)
  for (law in list(law_interpolate(), law_neighbour(k = 3), law_neighbour(k = 9))) {
    y <- particleflow:::draw_law(fitted_law(law, x), 2000, key, 1L)
    # a draw within 1e-9 of a particle has a chance of about 1e-9
    expect_gt(min(particleflow:::neighbours(y, distinct, 1L)$distance), 1e-9)
    # every draw lies on a segment between two distinct rows
    pairs <- t(combn(6, 2))
    gap <- apply(pairs, 1, function(ends) {
      a <- distinct[ends[1], ]
      b <- distinct[ends[2], ]
      abs((b[1] - a[1]) * (y[, 2] - a[2]) - (b[2] - a[2]) * (y[, 1] - a[1]))
    })
    expect_lt(max(apply(gap, 1, min)), 1e-12)
  }
  # any row is the first end, any row that differs the second; the share of draws below 5, to six standard errors
  from <- rep(c(0, 5, 6, 7, 8, 9), c(4, 2, 1, 1, 1, 1))
  share <- mean(particleflow:::draw_law(fitted_law(law_interpolate(), matrix(from)), 20000, key, 1L) < 5)
  each <- outer(from, from, function(a, b) ifelse(a == b, 0, pmin(1, pmax(0, (5 - pmin(a, b)) / abs(a - b)))))
  wanted <- mean(rowSums(each) / rowSums(outer(from, from, "!=")))
  expect_lt(abs(share - wanted), 6 * sqrt(wanted * (1 - wanted) / 20000))
  # all rows are equal
  for (law in list(law_interpolate(), law_neighbour())) {
    same <- particleflow:::draw_law(fitted_law(law, matrix(2, 5, 2)), 7, key, 1L)
    expect_identical(same, matrix(2, 7, 2))
  }
  # without equal rows: any row but the first one, as before
  u <- particleflow:::draw_uniform(50, 3, key)
  from <- floor(u[, 1] * 6) + 1
  to <- (from - 1 + floor(u[, 2] * 5) + 1) %% 6 + 1
  expect_identical(particleflow:::draw_law(fitted_law(law_interpolate(), distinct), 50, key, 1L),
                   (1 - u[, 3]) * distinct[from, ] + u[, 3] * distinct[to, ])
})

test_that("local draws are a particle plus noise of one spacing", {
  x <- two_clusters(200, 2)
  traj <- efs_forward(x, n_steps = 3)
  end <- traj$frames[, , 4]
  spacing <- median(particleflow:::neighbours(end, end, 1L, self = TRUE)$distance)
  set.seed(4)
  y <- efs_augment(traj, draws, "local", jitter = 0.01)
  nearest <- particleflow:::neighbours(y, end, 1L)$distance
  expect_equal(sqrt(mean(nearest^2)), 0.01 * spacing, tolerance = 0.03)
  expect_true(all(efs_augment(traj, 10, "local", jitter = 0) %in% end))
})

test_that("draws are governed by set.seed(), stable in n and free of threads", {
  traj <- efs_forward(two_clusters(60, 2), n_steps = 3)
  for (law in setdiff(particleflow:::law_names(), "stack")) {
    draw <- function(n, threads = 1) {
      set.seed(9)
      efs_augment(traj, n, law, threads = threads)
    }
    expect_identical(draw(40), draw(40, threads = 2))
    expect_identical(draw(40)[1:7, ], draw(7))
    set.seed(10)
    expect_false(identical(draw(40), efs_augment(traj, 40, law)))
    expect_identical(dim(draw(0)), c(0L, 2L))
  }
  # each exported constructor is found
  exported <- setdiff(grep("^law_", getNamespaceExports("particleflow"), value = TRUE), "law_kind")
  expect_setequal(particleflow:::law_names(), sub("^law_", "", exported))
  expect_error(efs_augment(traj, 5, "nothing"), "`law` must be one of")
  expect_error(efs_augment(traj, 5, "local", jiter = 1), "has no setting `jiter`")
  expect_error(efs_augment(traj, 5, "copula", width = 1), "has no further setting than `bandwidth`")
  expect_error(efs_augment(traj, 5, "copula", base = "student", width = 1), "law \"student\" has no setting `width`")
  expect_error(efs_augment(traj, 5, "copula", base = "ball"), "`base` must be one of")
  expect_error(efs_augment(traj, -1), "`n` must be one whole number")
})

test_that("the t mixture finds its components, has tails, and refuses nonsense", {
  set.seed(12)
  x <- rbind(matrix(rnorm(300, sd = 0.3), ncol = 3), sweep(matrix(rnorm(150, sd = 0.1), ncol = 3), 2, c(4, 0, 0), "+"))
  law <- fitted_law(law_student(components = 2, prior = 2), x)
  expect_equal(sort(law$weights), c(1, 2) / 3, tolerance = 1e-6)
  small <- which.min(law$weights)
  # 50 rows, sd 0.1: five standard errors of a mean
  expect_lt(max(abs(law$means[small, ] - c(4, 0, 0))), 5 * 0.1 / sqrt(50))
  expect_equal(law$df, 2 + 150 * law$weights)
  # one Gaussian component: the posterior predictive in closed form, C = (S + 2 sigma^2 I) / (n + 2)
  one <- fitted_law(law_student(prior = 2), x)
  scatter <- crossprod(sweep(x, 2, colMeans(x)))
  level <- sum(diag(scatter)) * (1 + 1 / 150) / 151 / 3
  expect_equal(crossprod(one$roots[[1]]), (scatter + 2 * level * diag(3)) / 152 * (1 + 1 / 150))
  # fewer rows than dimensions
  few <- matrix(rnorm(60), 6)
  expect_true(all(is.finite(particleflow:::law_density(fitted_law(law_student(2), few), few, 1L))))
  # heavy tails: a t law of 3 degrees of freedom beats the Gaussian one on rows not seen
  heavy <- function(n) matrix(rnorm(3 * n), n) / sqrt(rchisq(n, 3) / 3)
  seen <- heavy(300)
  unseen <- heavy(2000)
  value <- function(df) mean(particleflow:::law_density(fitted_law(law_student(df = df), seen), unseen, 1L))
  expect_gt(value(3), value(Inf) + 0.1)
  traj <- efs_forward(x, n_steps = 0)
  expect_error(efs_augment(traj, 5, "student", df = 0), "`df`")
  expect_error(efs_augment(traj, 5, "student", components = 0), "`components`")
  expect_error(efs_augment(traj, 5, "student", prior = -1), "`prior`")
})

test_that("the margins of the copula are right beyond the data", {
  # exponential and t: the map to normal scores against the true one, where one in 20,000 lies
  set.seed(13)
  margins <- list(list(draw = rexp, p = function(x) pexp(x, lower.tail = FALSE), at = qexp(5e-5, lower.tail = FALSE)),
                  list(draw = function(n) rt(n, 3), p = function(x) pt(x, 3, lower.tail = FALSE),
                       at = qt(5e-5, 3, lower.tail = FALSE)))
  for (margin in margins) {
    x <- margin$draw(2000)
    map <- particleflow:::normalising_map(x, 0.7)
    expect_true(all(diff(map$x) > 0) && all(diff(map$z) > 0))
    found <- particleflow:::piecewise(map$x, map$z, margin$at)$value
    # 100 excesses, a hundredfold extrapolation: z = 3.9 within one; a kernel's own tail gives more than ten
    expect_lt(abs(found - qnorm(5e-5, lower.tail = FALSE)), 1)
  }
  for (x in list(rep(1, 30), c(0, 1), rep(0:1, 20), 1:6 / 6)) {
    map <- particleflow:::normalising_map(x, 1)
    expect_true(all(is.finite(unlist(map))) && length(map$x) > 1)
  }
})

test_that("what a fit calls uses no more threads than asked", {
  asked <- NULL
  encode <- function(x) {
    asked <<- getOption("particleflow.threads")
    x
  }
  before <- getOption("particleflow.threads")
  efs(two_clusters(60, 2), latent = latent_map(encode, identity), law = "local_covariance", calibrate = FALSE,
      threads = 1)
  expect_identical(asked, 1L)
  expect_identical(getOption("particleflow.threads"), before)
})

test_that("squared lengths from components are those of Mahalanobis", {
  set.seed(3)
  points <- matrix(rnorm(57), 19)
  means <- matrix(rnorm(6), 2)
  covariances <- list(crossprod(matrix(rnorm(12), 4)), diag(c(1, 4, 0.25)))
  wanted <- vapply(1:2, function(g) stats::mahalanobis(points, means[g, ], covariances[[g]]), numeric(19))
  found <- particleflow:::squared_lengths(points, means, lapply(covariances, chol))
  expect_equal(found, wanted, tolerance = tolerance$kernel)
})
