test_that("principal components of full rank are an isometry of the rows", {
  set.seed(1)
  for (extent in list(c(30, 500), c(30, 30), c(100, 12), c(30, 29))) {
    x <- matrix(rnorm(prod(extent)), extent[1]) %*% diag(exp(seq(0, -6, length.out = extent[2])))
    map <- latent_pca(min(extent[1] - 1, extent[2]))$fit(x)
    z <- map$encode(x)
    expect_equal(map$decode(z), x, tolerance = tolerance$isometry)
    expect_equal(as.matrix(dist(z)), as.matrix(dist(x)), tolerance = tolerance$isometry, ignore_attr = TRUE)
    expect_equal(map$reconstruction_error, 0, tolerance = 1e-7)
  }
})

test_that("components, shares and errors are those of prcomp()", {
  set.seed(2)
  for (extent in list(c(40, 200), c(80, 10))) {
    x <- matrix(rnorm(prod(extent)), extent[1]) %*% diag(rep(c(3, 1), length.out = extent[2]))
    for (scale in c(FALSE, TRUE)) {
      map <- latent_pca(5, scale = scale)$fit(x)
      reference <- prcomp(x, scale. = scale)
      z <- map$encode(x)
      expect_equal(abs(z), abs(unname(reference$x[, 1:5])), tolerance = 1e-8)
      expect_equal(map$explained, unname(summary(reference)$importance[3, 1:5]), tolerance = 1e-4)
      rebuilt <- reference$x[, 1:5] %*% t(reference$rotation[, 1:5])
      centred <- scale(x, scale = if (scale) apply(x, 2, sd) else FALSE)
      expect_equal(map$reconstruction_error, sqrt(sum((centred - rebuilt)^2) / sum(centred^2)), tolerance = 1e-8)
    }
  }
})

test_that("the rank is chosen, limited and refused in words", {
  set.seed(3)
  x <- matrix(rnorm(50 * 3), 50) %*% matrix(rnorm(3 * 200), 3) + rnorm(50 * 200, sd = 1e-3)
  expect_identical(latent_pca()$fit(x)$dim, 3L)
  expect_error(latent_pca(50)$fit(x), "have at most 49 components")
  expect_error(latent_pca(0), "`rank` must be one whole number of at least 1")
  # rows that span fewer dimensions than asked for
  flat <- matrix(rnorm(50 * 3), 50) %*% matrix(rnorm(3 * 200), 3)
  expect_identical(latent_pca(10)$fit(flat)$dim, 3L)
})

test_that("a wide table needs no matrix of columns by columns", {
  set.seed(4)
  x <- matrix(rnorm(60 * 20000), 60)
  # 20000 x 20000 doubles would be 3.2 GB
  gc(reset = TRUE)
  before <- sum(gc()[, 2])
  map <- latent_pca(59)$fit(x)
  expect_lt(sum(gc()[, 6]) - before, 300)
  expect_equal(map$decode(map$encode(x[1:3, ])), x[1:3, ], tolerance = tolerance$isometry)
})

test_that("maps of one's own are used and checked", {
  positive <- efs_by_rule(iris[1:4], latent = latent_map(log, exp))
  expect_true(all(as.matrix(simulate(positive, 500, seed = 1)) > 0))
  expect_error(efs(iris[1:4], latent = latent_map(function(x) x[, 1], identity)),
               "`encode` must return a finite numeric matrix with 150 rows")
  expect_error(efs(iris[1:4], latent = latent_map(function(x) 1 / (x - x), exp)), "`encode` must return a finite")
  expect_error(efs(iris[1:4], latent = latent_map(identity, function(z) z[, 1:2])),
               "`decode` must return a numeric matrix of 150 x 4")
  expect_error(efs(iris[1:4], latent = latent_map(identity, function(z) z / 0)),
               "`decode` must return finite numbers, but 150 of the 150 decoded rows have others")
  # a map that fails only later
  fails <- FALSE
  later <- efs_by_rule(iris[1:4], latent = latent_map(log, function(z) if (fails) z / 0 else exp(z)))
  fails <- TRUE
  expect_error(simulate(later, 5, seed = 1), "`decode` of the latent map must return finite numbers, but",
               class = "particleflow_input")
  expect_error(efs(iris[1:4], latent = "pca"), "`latent` must be a latent map")
  expect_error(latent_map(1), "`encode` must be a function")
})

test_that("wide tables get few enough components for their classes to flow", {
  set.seed(5)
  x <- matrix(rnorm(60 * 100), 60)
  fit <- efs_by_rule(x, group = rep(c("a", "b", "c"), c(30, 22, 8)), s = 0)
  expect_identical(fit$latent$dim, 20L)
  expect_identical(fit$diagnostics$steps > 0, c(TRUE, TRUE, FALSE))
  expect_gt(efs_by_rule(x, s = 0)$latent$dim, 20L) # no classes: as many as hold 95 % of the variance
})

test_that("a fit holds numbers of its latent map, not the table", {
  set.seed(6)
  x <- matrix(rnorm(100 * 1000), 100)
  bytes <- function(object) length(serialize(object, NULL))
  fit <- efs_by_rule(x, s = 0)
  expect_lt(bytes(fit$latent), bytes(fit$latent$loadings) + bytes(x[1:5, ]))
  for (map in list(latent_standardise(), latent_pca(3), latent_map())) {
    fitted <- map$fit(x[1:50, 1:20])
    expect_false(any(vapply(unclass(fitted), is.function, NA)))
    expect_lt(bytes(fitted), 6000)
    # and it is the same map in another session
    again <- unserialize(serialize(fitted, NULL))
    expect_identical(again$decode(again$encode(x[51:60, 1:20])), fitted$decode(fitted$encode(x[51:60, 1:20])))
  }
})

test_that("the functions of a user's map do not touch R's stream", {
  disturb <- function() {
    RNGkind("Wichmann-Hill", "Box-Muller")
    rnorm(1)
  }
  map <- latent_map(function(x) x + 0 * disturb(), function(z) z + 1e-3 * disturb(),
                    function(x) rep(0 * disturb(), nrow(x)))
  still <- function(value) {
    before <- list(.Random.seed, RNGkind())
    force(value)
    expect_identical(list(.Random.seed, RNGkind()), before)
    value
  }
  set.seed(4)
  fit <- still(efs_by_rule(iris[1:4], latent = map))
  new <- still(simulate(fit, 5, seed = 1))
  still(predict(fit, iris[1:3, 1:4], type = "log_density"))
  runif(1)
  expect_identical(simulate(fit, 5, seed = 1), new)
  expect_error(latent_map(function() 1), "`encode` must be a function of one argument (x), not function()",
               fixed = TRUE)
  expect_error(latent_map(log, function(z, more) 1), "`decode` must be a function of one argument")
  expect_s3_class(latent_map(log, exp), "latent_map")
})

test_that("leading components of large tables, in steps, are those of svd()", {
  components <- particleflow:::leading_components
  set.seed(7)
  low_rank <- function(n, p, r) matrix(rnorm(n * r), n) %*% matrix(rnorm(r * p), r)
  # 60 equal eigenvalues, more than the components wanted
  equal <- qr.Q(qr(matrix(rnorm(800 * 700), 800))) %*% (c(rep(5, 3), rep(4, 60), seq(3, 0, length.out = 637)) *
                                                         qr.Q(qr(matrix(rnorm(700^2), 700))))
  tables <- list(
    eigen = matrix(rnorm(400 * 3000), 400), decaying = matrix(rnorm(620 * 900), 620) %*% diag(exp(-(1:900) / 20)),
    tall = matrix(rnorm(900 * 620), 900) %*% diag(exp(-(1:620) / 20)), noise = matrix(rnorm(640 * 640), 640),
    deficient = low_rank(700, 800, 20), equal = equal,
    implicit = low_rank(1010, 1020, 30) + matrix(rnorm(1010 * 1020, sd = 0.1), 1010)
  )
  for (name in names(tables)) {
    x <- tables[[name]]
    small <- min(dim(x))
    expect_true(particleflow:::uses_krylov(nrow(x), ncol(x), 30))
    found <- components(x, 30L)
    rank <- if (name == "deficient") 20L else 30L
    expect_identical(ncol(found$loadings), rank)
    exact <- eigen(if (ncol(x) > nrow(x)) tcrossprod(x) else crossprod(x), symmetric = TRUE, only.values = TRUE)$values
    expect_equal(found$variance * (nrow(x) - 1), exact[seq_len(rank)], tolerance = 1e-10, label = name)
    expect_equal(crossprod(found$loadings), diag(rank), tolerance = 1e-10, label = name)
    # the variance of the rows within the subspace, component by component
    expect_equal(colSums((x %*% found$loadings)^2), exact[seq_len(rank)], tolerance = 1e-10, label = name)
  }
})

test_that("a large table's map is that of one call, is a function of the table, and leaves R's stream alone", {
  set.seed(8)
  x <- matrix(rnorm(650 * 8), 650) %*% diag(8:1) %*% matrix(rnorm(8 * 700), 8) + matrix(rnorm(650 * 700), 650)
  stream <- .Random.seed
  map <- latent_pca()$fit(x)
  expect_identical(.Random.seed, stream)
  before <- options(particleflow.threads = 1)
  on.exit(options(before))
  expect_identical(latent_pca()$fit(x), map)
  # one round is not enough, so that svd() or eigen() is called
  exact <- with_constant("most_krylov_rounds", 1, latent_pca()$fit(x))
  expect_identical(map$dim, exact$dim)
  expect_equal(map$explained, exact$explained, tolerance = 1e-10)
  expect_equal(abs(crossprod(map$loadings, exact$loadings)), diag(map$dim), tolerance = 1e-7)
  expect_false(identical(map$loadings, exact$loadings))
})

test_that("Ctrl-C stops the principal components of a large table within a second", {
  skip_on_os("windows") # no signal can be sent to oneself there
  set.seed(9)
  x <- matrix(rnorm(2000 * 3000), 2000)
  expect_lt(least_delay(latent_pca()$fit(x)), 1)
})
