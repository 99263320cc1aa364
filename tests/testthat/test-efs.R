test_that("new rows come back in the form of the table", {
  table <- data.frame(
    count = as.integer(round(20 * iris$Sepal.Length)), iris[2:3], constant = 7L, row.names = NULL,
    Kind = as.character(iris$Species)
  )[c(1, 5, 2, 4, 3)]
  fit <- efs_by_rule(table, group = "Kind")
  new <- simulate(fit, 31, seed = 1)
  expect_identical(names(new), names(table))
  expect_identical(vapply(new, class, ""), vapply(table, class, ""))
  expect_true(all(new$constant == 7L))
  expect_identical(sort(as.vector(table(new$Kind))), c(10L, 10L, 11L))

  fit <- efs_by_rule(iris, group = "Species")
  expect_identical(levels(simulate(fit, 3, seed = 1)$Species), levels(iris$Species))
  beside <- simulate(efs_by_rule(iris[1:4], group = iris$Species), 6, seed = 1)
  expect_identical(names(beside), c(names(iris)[1:4], "group"))

  x <- as.matrix(iris[1:4])
  new <- simulate(efs_by_rule(x, group = iris$Species), 9, seed = 1)
  expect_true(is.matrix(new) && identical(colnames(new), colnames(x)))
  expect_identical(as.vector(table(attr(new, "group"))), c(3L, 3L, 3L))
  counts <- matrix(rpois(200, 50), 50)
  expect_type(simulate(efs_by_rule(counts), 5, seed = 1), "integer")
  expect_null(colnames(simulate(efs_by_rule(unname(x)), 5, seed = 1)))
  tibble <- structure(iris, class = c("tbl_df", "tbl", "data.frame"))
  expect_s3_class(simulate(efs_by_rule(tibble, group = "Species"), 5, seed = 1), "tbl_df")
})

test_that("the contract of simulate() holds", {
  fit <- efs_by_rule(iris[1:4])
  set.seed(5)
  before <- .Random.seed
  a <- simulate(fit, 4, seed = 42)
  expect_identical(.Random.seed, before)
  expect_identical(a, simulate(fit, 4, seed = 42))
  expect_identical(as.numeric(attr(a, "seed")), 42)
  expect_identical(attr(attr(a, "seed"), "kind"), as.list(RNGkind()))
  b <- simulate(fit, 4)
  expect_identical(attr(b, "seed"), before)
  .Random.seed <<- before
  expect_identical(simulate(fit, 4), b)
  expect_identical(nrow(simulate(fit)), 1L)
  expect_identical(nrow(simulate(fit, 0)), 0L)
  # the first rows do not depend on how many are drawn, nor any on the threads
  expect_equal(simulate(fit, 9, seed = 1)[1:4, ], simulate(fit, 4, seed = 1), ignore_attr = "seed")
  expect_identical(simulate(fit, 60, seed = 1, threads = 1), simulate(fit, 60, seed = 1, threads = 2))
})

test_that("counts can be given by class", {
  fit <- efs_by_rule(iris[c(1:50, 51:70), ], group = "Species")
  expect_identical(as.vector(table(simulate(fit, 7, seed = 1)$Species)), c(5L, 2L, 0L))
  some <- simulate(fit, c(versicolor = 2, setosa = 0), seed = 1)
  expect_identical(as.character(some$Species), rep("versicolor", 2))
  expect_error(simulate(fit, c(virginica = 2)), "\"virginica\" is not one of them")
  expect_error(simulate(fit, c(1, 2)), "counts named by classes")
  expect_error(simulate(efs(iris[1:4]), c(a = 1)), "has no groups")
  expect_error(simulate(fit, -1), "`nsim` must be one whole number")
})

test_that("bounds keep new rows in the observed range", {
  set.seed(1)
  x <- data.frame(a = rexp(100), b = runif(100))
  fit <- efs_by_rule(x)
  free <- simulate(fit, 2000, seed = 1)
  expect_true(any(free$a < min(x$a)) && any(free$b > max(x$b)))
  kept <- simulate(fit, 2000, seed = 1, bounds = TRUE)
  for (column in names(x)) {
    expect_true(all(kept[[column]] >= min(x[[column]]) & kept[[column]] <= max(x[[column]])))
    # reflected, not piled up at the ends
    expect_lt(mean(kept[[column]] %in% range(x[[column]])), 0.01)
  }
  expect_identical(simulate(efs_by_rule(x, bounds = TRUE), 2000, seed = 1), kept)
})

test_that("new rows are like the old ones, and new", {
  # means, spreads and correlations of 4000 draws against those of 50 rows per
  # class: the kernel widens the law by one spacing
  fit <- efs(iris, group = "Species")
  new <- simulate(fit, 4000, seed = 1)
  for (class in levels(iris$Species)) {
    old <- iris[iris$Species == class, 1:4]
    made <- new[new$Species == class, 1:4]
    expect_lt(max(abs(colMeans(made) - colMeans(old)) / apply(old, 2, sd)), 0.15)
    expect_lt(max(abs(cor(made) - cor(old))), 0.2)
    ratio <- apply(made, 2, sd) / apply(old, 2, sd)
    expect_true(all(ratio > 0.9 & ratio < 1.15))
  }
  check <- novelty(new[1:4], iris[1:4])
  expect_gt(check$ratio, 0.6)
  expect_lt(check$ratio, 1.3)
})

test_that("default rows are new, printed settings make copies", {
  set.seed(2)
  mixture <- function(n) {
    angle <- 2 * pi * base::sample.int(8, n, TRUE) / 8
    cbind(cos(angle), sin(angle)) * 2 + matrix(rnorm(2 * n, sd = 0.2), n)
  }
  x <- mixture(400)
  fresh <- mixture(2000)
  ours <- novelty(simulate(efs(x), 500, seed = 1), x, fresh)
  expect_gt(ours$ratio, 0.6)
  expect_lt(ours$ratio, 1.3)
  printed <- efs_paper("gmm")
  printed$backward <- "exact"
  fit <- do.call(efs, c(list(x), printed))
  theirs <- novelty(suppressWarnings(simulate(fit, 200, seed = 1)), x, fresh)
  expect_lt(theirs$ratio, 0.1)
  expect_gt(max(fit$diagnostics$largest_bound), 1)
  expect_match(format(fit), "no unique inverse", all = FALSE)
})

test_that("small classes have no flow, and print() says so", {
  fit <- efs_by_rule(iris[c(1:50, 51:58), ], group = "Species")
  expect_identical(fit$diagnostics$steps, c(10L, 0L))
  expect_match(fit$diagnostics$note[2], "8 rows are too few")
  expect_match(format(fit), "1 with a flow of its own; a flow needs 20 rows:", all = FALSE, fixed = TRUE)
  expect_match(format(fit), "  versicolor    8 rows: without a flow, law", all = FALSE, fixed = TRUE)
  expect_identical(nrow(simulate(fit, c(versicolor = 5), seed = 1)), 5L)
  set.seed(1)
  fit <- efs_by_rule(matrix(rnorm(25 * 30), 25), latent = latent_standardise())
  expect_match(fit$diagnostics$note, "rigid figure")
})

test_that("duplicate rows and constant columns are carried through", {
  x <- rbind(iris[1:4], iris[1:20, 1:4])
  x$five <- 5
  new <- simulate(efs(x), 50, seed = 1)
  expect_true(all(new$five == 5))
  expect_false(anyNA(new))
})

test_that("predict() goes to the latent side and back", {
  fit <- efs_by_rule(iris, group = "Species")
  z <- predict(fit, iris)
  expect_equal(z, predict(fit), tolerance = tolerance$kernel)
  back <- predict(fit, z, type = "data", group = iris$Species)
  expect_equal(back, iris, tolerance = tolerance$inverse)
  expect_identical(dim(predict(fit, iris[0, ])), c(0L, 4L))
  expect_equal(predict(fit, iris[3:4, 4:1], group = iris$Species[3:4]), z[3:4, ])
  expect_error(predict(fit, iris[1:4]), "`group` must give the class")
  expect_error(predict(fit, iris[1:3], group = iris$Species), "lacks the column \"Petal.Width\"")
  expect_error(predict(fit, iris[1:2, 1:4], group = c("a", "b")),
               "has the classes \"a\", \"b\", which the fit does not know")
  expect_error(predict(fit, type = "data"), "must give the latent points")
})

test_that("interpolate() joins two rows of one class", {
  fit <- efs_by_rule(iris, group = "Species")
  path <- interpolate(fit, from = 3, to = 40, n = 7)
  expect_equal(path[c(1, 7), ], iris[c(3, 40), ], ignore_attr = TRUE, tolerance = tolerance$inverse)
  line <- attr(path, "latent")
  expect_equal(line[4, ], (line[1, ] + line[7, ]) / 2)
  expect_error(interpolate(fit, 3, 60), "different classes")
  expect_error(interpolate(fit, 3, 151), "`to` is row 151, but the fit has 150 rows")
})

test_that("print() says what matters", {
  local_edition(3)
  fit <- efs_by_rule(iris, group = "Species")
  fit$elapsed <- 0.1
  expect_snapshot({
    print(fit)
    print(fit$trajectory$setosa)
    print(latent_pca(2))
  })
  expect_s3_class(tidy(fit), "data.frame")
  expect_identical(nrow(tidy(fit)), sum(fit$diagnostics$steps + 1L))
  expect_identical(glance(fit)$n, 150L)
  long <- as.data.frame(fit)
  expect_identical(names(long)[1:4], c("group", "particle", "step", "time"))
  expect_setequal(long$particle, 1:150)
  first <- long[long$particle == 77 & long$step == 0, 5:8]
  expect_equal(unlist(first, use.names = FALSE), fit$trajectory$versicolor$frames[27, , 1])
  expect_output(print(summary(fit)), "Latent map: standardised columns")
})

test_that("the printed settings are those of Table 1", {
  expect_identical(efs_paper("gmm")[c("step", "n_steps", "n_inner", "beta", "epsilon", "s")],
                   list(step = 0.1, n_steps = 31, n_inner = 300, beta = 0.1, epsilon = 0.001, s = 1))
  expect_identical(efs_paper("swissroll")[c("step", "n_steps", "beta", "s")],
                   list(step = 0.05, n_steps = 120, beta = 0.1, s = 0))
  expect_identical(efs_paper("mnist")[c("step", "n_steps", "beta", "s")],
                   list(step = 0.05, n_steps = 120, beta = 0.01, s = 13))
})

test_that("a column that is constant within a class stays so in its new rows", {
  x <- iris
  x$Petal.Width[x$Species == "setosa"] <- 0.2
  new <- simulate(efs_by_rule(x, group = "Species"), 90, seed = 1)
  expect_equal(range(new$Petal.Width[new$Species == "setosa"]), c(0.2, 0.2), tolerance = tolerance$closed_form)
  expect_gt(sd(new$Petal.Width[new$Species == "virginica"]), 0.1)
})

test_that("standardised columns have one variance within each class, other maps keep their geometry", {
  fit <- efs_by_rule(iris, group = "Species")
  for (class in levels(iris$Species)) {
    spread <- apply(fit$trajectory[[class]]$frames[, , 1], 2, sd)
    expect_equal(spread, rep(spread[1], 4), ignore_attr = TRUE)
    expect_equal(mean(rowSums(fit$trajectory[[class]]$frames[, , 1]^2)), 4 / 6)
  }
  pca <- efs_by_rule(iris[1:50, 1:4], latent = latent_pca(4))
  z <- prcomp(iris[1:50, 1:4])$x
  expect_equal(as.matrix(dist(pca$trajectory$frames[, , 1])) * pca$flows[[1]]$scale[1], as.matrix(dist(z)),
               ignore_attr = TRUE)
})

test_that("one column is no special case: new values stay near the data", {
  set.seed(2)
  x <- matrix(c(rnorm(125, -1, 0.3), rnorm(125, 1.5, 0.8)))
  expect_no_warning(new <- simulate(efs_by_rule(x), 2000, seed = 1))
  expect_lt(max(new), max(x) + 0.5 * sd(x))
  expect_gt(min(new), min(x) - 0.5 * sd(x))
})

test_that("rows are divided among classes by the seed, with the proportions of the data as means", {
  fit <- efs_by_rule(iris[c(1:50, 51:100, 101:150), ], group = "Species", time = 0, density_floor = 0)
  # one row: each class with probability 1/3; a class is missing in 30 draws with probability 1.6e-5
  first <- vapply(1:30, function(seed) as.character(simulate(fit, 1, seed = seed)$Species), "")
  expect_setequal(first, levels(iris$Species))
  expect_identical(simulate(fit, 1, seed = 4), simulate(fit, 1, seed = 4))
  # means within five standard errors: a false alarm in 1e-6
  parts <- c(a = 2.5, b = 0.3, c = 1.2, d = 3)
  set.seed(1)
  counts <- t(replicate(4000, particleflow:::whole_counts(parts)))
  expect_true(all(rowSums(counts) == 7) && all(abs(sweep(counts, 2, parts)) < 1) && all(counts[, "d"] == 3))
  part <- parts - floor(parts)
  expect_true(all(abs(colMeans(counts) - parts) <= 5 * sqrt(part * (1 - part) / 4000)))
  # whole shares draw no random number
  set.seed(2)
  before <- .Random.seed
  expect_identical(particleflow:::whole_counts(particleflow:::class_counts(fit, 30)),
                   c(setosa = 10, versicolor = 10, virginica = 10))
  expect_identical(.Random.seed, before)
  # a class has the same first rows, whether the others share a row that is left over or not
  even <- simulate(fit, 30, seed = 3)
  odd <- simulate(fit, 31, seed = 3)
  for (class in levels(iris$Species)) {
    expect_equal(utils::head(odd[odd$Species == class, 1:4], 10), even[even$Species == class, 1:4], ignore_attr = TRUE)
  }
})

test_that("print() counts classes and flows, and shows no negative zero", {
  line <- particleflow:::classes_line
  expect_identical(line(data.frame(steps = 3)), "1 class, one flow:")
  expect_identical(line(data.frame(steps = c(3, 2))), "2 classes, one flow per class:")
  expect_identical(line(data.frame(steps = c(0, 0))), "2 classes, none with a flow:")
  expect_identical(line(data.frame(steps = c(3, 0, 0))), "3 classes, 1 with a flow of its own:")
  expect_identical(line(data.frame(steps = c(3, 2, 0))), "3 classes, 2 with a flow of their own:")
  expect_output(print(efs_by_rule(iris[1:50, ], group = "Species", time = 0)), "1 class, none with a flow:")
  expect_identical(particleflow:::nats(c(-0.0004, 0.0004, -0.0006, -10, -Inf)),
                   c("0.000", "0.000", "-0.001", "-10.000", "-Inf"))
})

test_that("the record of a search says in which unit its scores are", {
  fit <- efs(iris[51:100, 3:4], law = "student", time = 0)
  searched <- fit$calibration[[1]]
  expect_output(print(searched), "nats per row, with the density in the unit of the latent rows")
  expect_output(print(searched), "50 rows in 5 folds")
  # the volume of the latent map is the difference between both units
  spread <- apply(iris[51:100, 3:4], 2, sd)
  expect_equal(searched$log_density - sum(log(spread)), fit$diagnostics$log_density)
})

test_that("rows of the table are not taken for latent points", {
  fit <- efs(iris[1:40, 1:2], calibrate = FALSE)
  wanted <- "`newdata` must be a numeric matrix of latent points for `type = \"data\"`"
  expect_error(predict(fit, iris[1:3, 1:2], type = "data"), wanted, fixed = TRUE)
  expect_error(predict(fit, as.matrix(iris[1:3, 1:2]), type = "data"), wanted, fixed = TRUE)
  # rows of other columns, which a flow in two dimensions would carry
  expect_error(predict(fit, iris[1:3, 3:4], type = "data"), wanted, fixed = TRUE)
  expect_equal(predict(fit, predict(fit, iris[1:3, 1:2]), type = "data"), iris[1:3, 1:2], tolerance = tolerance$inverse)
})

test_that("no counts are no number of rows", {
  fit <- efs(iris, group = "Species", calibrate = FALSE)
  expect_error(simulate(fit, stats::setNames(numeric(), character())),
               "`nsim` must be one number or counts named by classes (setosa, versicolor, virginica).", fixed = TRUE)
})
