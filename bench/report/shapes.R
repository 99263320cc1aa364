# The laws from which both tables of a false alarm are drawn, and the ways in which a synthetic table goes wrong.

# A factor model: `factors` common factors and noise of standard deviation `noise`.
factor_law <- function(p, factors = 3, noise = 0.7) {
  loadings <- with_fixed(1, matrix(rnorm(factors * p), factors) / sqrt(factors))
  function(n) matrix(rnorm(n * factors), n) %*% loadings + noise * matrix(rnorm(n * p), n)
}

with_fixed <- function(seed, value) {
  if (!exists(".Random.seed", globalenv())) runif(1)
  before <- get(".Random.seed", globalenv())
  on.exit(assign(".Random.seed", before, globalenv()))
  set.seed(seed)
  value
}

# Three normal laws with the means and covariances of the species, rounded as the measurements are.
iris_law <- function(n) {
  species <- sample(levels(iris$Species), n, TRUE)
  rows <- t(vapply(species, function(name) {
    own <- as.matrix(iris[iris$Species == name, 1:4])
    colMeans(own) + drop(rnorm(4) %*% chol(cov(own)))
  }, numeric(4)))
  round(rows, 1)
}

filled <- function(draw, p) function(n) matrix(draw(n * p), n)
mixture_law <- function(n) matrix(sample(c(-2, 2), 2 * n, TRUE), n) + rnorm(2 * n) / 2
labelled_law <- function(n) {
  z <- rnorm(n)
  data.frame(a = z, b = z + rnorm(n), c = rexp(n), g = sample(letters[1:4], n, TRUE, 4:1),
             h = sample(c("u", "v"), n, TRUE))
}
inflated_law <- function(n) matrix(rexp(n * 6) * rbinom(n * 6, 1, 0.4), n)

# law, rows of each table, rows held out (0: none)
shapes <- list(
  `normal 20 x 3` = list(filled(rnorm, 3), c(20, 20), 0),
  `normal 60 x 4` = list(filled(rnorm, 4), c(60, 60), 0),
  `normal 40 x 500` = list(filled(rnorm, 500), c(40, 40), 0),
  `normal 50 x 1000` = list(filled(rnorm, 1000), c(50, 50), 0),
  `exponential 60 x 300` = list(filled(rexp, 300), c(60, 60), 0),
  `exponential 100 x 5, held out` = list(filled(rexp, 5), c(100, 100), 100),
  `t3 100 x 10` = list(filled(function(n) rt(n, 3), 10), c(100, 100), 0),
  `Cauchy 60 x 20` = list(filled(rcauchy, 20), c(60, 60), 0),
  `Poisson 100 x 5` = list(filled(function(n) rpois(n, 1.5), 5), c(100, 100), 0),
  `counts to 1000, 60 x 1` = list(filled(function(n) sample(1000, n, TRUE), 1), c(60, 60), 0),
  `zero-inflated 80 x 6` = list(inflated_law, c(80, 80), 0),
  `factors 80 x 50` = list(factor_law(50), c(80, 80), 0),
  `iris 75 x 4` = list(iris_law, c(75, 75), 0),
  `iris 75 x 4, held out` = list(iris_law, c(75, 75), 75),
  `lognormal 50 and 400 x 6` = list(filled(rlnorm, 6), c(50, 400), 0),
  `mixture 300 and 150 x 2` = list(mixture_law, c(300, 150), 0),
  `labels 120 x 5` = list(labelled_law, c(120, 120), 0)
)

# One false alarm or not: two tables (and held-out rows) of one law.
draw_shape <- function(shape) {
  rows <- function(n) if (n > 0) shape[[1]](n)
  list(real = rows(shape[[2]][1]), synthetic = rows(shape[[2]][2]), holdout = rows(shape[[3]]))
}
