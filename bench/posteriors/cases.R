# Hard cases with exact draws: hard_case("funnel") is one, case_names are all. Entries as in posteriors.R, and
#   log_z: logarithm of the integral of the density;
#   heavy: TRUE where the variance does not exist (the judge then takes medians and quantiles);
#   correlation: names of the lower triangle of a correlation matrix (the rivals see a box with -Inf inside it).
# All normalised densities have log_z 0.

case_names <- c("bounds", "far", "scales", "correlated", "gauss_3", "gauss_12", "t2", "two_modes", "banana",
                "exponential", "plateau", "steps", "spike", "dirichlet", "ordered", "correlation", "garch11_edge",
                "funnel")

hard_case <- function(name, n = 1e4, folder = "bench/posteriors/data") {
  if (name == "garch11_edge") return(garch11_edge(folder))
  kept <- if (exists(".Random.seed", globalenv())) get(".Random.seed", globalenv())
  on.exit(if (!is.null(kept)) assign(".Random.seed", kept, globalenv()))
  set.seed(20)
  parts <- get(paste0("case_", name))(n)
  entry <- new_entry(name, parts[setdiff(names(parts), "draws")])
  entry$draws <- parts$draws
  colnames(entry$draws) <- entry$parameters
  entry
}

# Rows of x that are outside give -Inf; the gradient there is 0.
inside_only <- function(inside, value) {
  function(x) {
    v <- suppressWarnings(value(x))
    ok <- inside(x)
    if (is.matrix(v)) v[!ok, ] <- 0 else v[!ok] <- -Inf
    v
  }
}

gaussian_case <- function(n, mean, covariance, log_z = 0) {
  d <- length(mean)
  root <- chol(covariance)
  precision <- chol2inv(root)
  constant <- log_z - d / 2 * log(2 * pi) - sum(log(diag(root)))
  off <- function(x) sweep(x, 2, mean)
  list(parameters = indexed("x", d), log_z = log_z,
       log_density = function(x) constant - rowSums((off(x) %*% precision) * off(x)) / 2,
       gradient = function(x) -off(x) %*% precision,
       draws = sweep(matrix(stats::rnorm(n * d), n) %*% root, 2, mean, "+"))
}

case_far <- function(n) gaussian_case(n, rep(1000, 5), diag(5))
case_scales <- function(n) gaussian_case(n, rep(0, 6), diag(10^c(-6, -6, 0, 0, 6, 6)))
case_correlated <- function(n) gaussian_case(n, rep(0, 10), matrix(0.99, 10, 10) + diag(0.01, 10))
wishart <- function(d) crossprod(matrix(stats::rnorm(2 * d * d), 2 * d))
case_gauss_3 <- function(n) gaussian_case(n, 1:3, wishart(3), 7.5)
case_gauss_12 <- function(n) gaussian_case(n, rep(-2, 12), wishart(12), -20)

# exponential(1); beta(2, 5); gamma(0.5, 1), infinite at its edge; N(3, 1) below 2.5
case_bounds <- function(n) {
  inside <- function(x) rowSums(x[, 1:3, drop = FALSE] <= 0) == 0 & x[, 2] < 1 & x[, 4] < 2.5
  list(parameters = c("a", "b", "c", "d"), log_z = 0, lower = c(a = 0, b = 0, c = 0), upper = c(b = 1, d = 2.5),
       log_density = inside_only(inside, function(x) {
         -x[, 1] + stats::dbeta(x[, 2], 2, 5, log = TRUE) + stats::dgamma(x[, 3], 0.5, log = TRUE) +
           stats::dnorm(x[, 4], 3, log = TRUE) - stats::pnorm(2.5, 3, log.p = TRUE)
       }),
       gradient = function(x) {
         cbind(a = -1, b = 1 / x[, 2] - 4 / (1 - x[, 2]), c = -0.5 / x[, 3] - 1, d = 3 - x[, 4])
       },
       draws = cbind(stats::rexp(n), stats::rbeta(n, 2, 5), stats::rgamma(n, 0.5),
                     3 + stats::qnorm(stats::runif(n) * stats::pnorm(-0.5))))
}

case_t2 <- function(n, d = 5) {
  list(parameters = indexed("x", d), heavy = TRUE, log_z = 0,
       log_density = function(x) {
         lgamma((2 + d) / 2) - d / 2 * log(2 * pi) - (2 + d) / 2 * log1p(rowSums(x^2) / 2)
       },
       gradient = function(x) -(2 + d) * x / (2 + rowSums(x^2)),
       draws = matrix(stats::rnorm(n * d), n) / sqrt(stats::rchisq(n, 2) / 2))
}

# 0.2 N(-m, I) + 0.8 N(m, I), m = (3, 3, 0, 0, 0): 8.5 standard deviations apart
case_two_modes <- function(n) {
  m <- c(3, 3, 0, 0, 0)
  first <- function(x) stats::plogis(log(0.25) - 2 * drop(x %*% m))           # P(first mode | x)
  sign <- ifelse(stats::runif(n) < 0.2, -1, 1)
  list(parameters = indexed("x", 5), log_z = 0,
       log_density = function(x) {
         inner <- drop(x %*% m)
         bend <- ifelse(inner > 0, inner + log(0.8) + log1p(0.25 * exp(-2 * inner)),
                        -inner + log(0.2) + log1p(4 * exp(2 * inner)))
         -2.5 * log(2 * pi) - rowSums(x^2) / 2 - sum(m^2) / 2 + bend
       },
       gradient = function(x) -x + outer(1 - 2 * first(x), m),
       draws = matrix(stats::rnorm(n * 5), n) + outer(sign, m))
}

# x1 ~ N(0, 1), x2 ~ N(x1^2, 0.5), x3 ~ N(0, 1)
case_banana <- function(n) {
  x1 <- stats::rnorm(n)
  list(parameters = indexed("x", 3), log_z = 0,
       log_density = function(x) {
         stats::dnorm(x[, 1], log = TRUE) + stats::dnorm(x[, 2], x[, 1]^2, 0.5, log = TRUE) +
           stats::dnorm(x[, 3], log = TRUE)
       },
       gradient = function(x) {
         pull <- 4 * (x[, 2] - x[, 1]^2)
         cbind(-x[, 1] + 2 * x[, 1] * pull, -pull, -x[, 3])
       },
       draws = cbind(x1, stats::rnorm(n, x1^2, 0.5), stats::rnorm(n)))
}

# Exponential laws whose bounds nobody has given
case_exponential <- function(n) {
  inside <- function(x) rowSums(x < 0) == 0
  list(parameters = indexed("x", 3), log_z = 0, log_density = inside_only(inside, function(x) -rowSums(x)),
       gradient = inside_only(inside, function(x) -1 + 0 * x), draws = matrix(stats::rexp(3 * n), n))
}

# Flat up to 5, then exponential tails: density of each column 1 / (1 + exp(2 (|x| - 5)))
case_plateau <- function(n, d = 4) {
  # int_0^x = x + log(1 + exp(-10)) / 2 - log(1 + exp(2 (x - 5))) / 2; in all 5 + log1p(exp(-10)) / 2
  whole <- 5 + log1p(exp(-10)) / 2
  share <- stats::runif(n * d) * whole
  # solved for x: exp(-2 (share - whole)) = 1 + exp(-2 (x - 5))
  size <- 5 - log(expm1(2 * (whole - share))) / 2
  list(parameters = indexed("x", d), log_z = d * log(2 * whole),
       log_density = function(x) rowSums(stats::plogis(2 * (5 - abs(x)), log.p = TRUE)),
       gradient = function(x) -2 * sign(x) * stats::plogis(2 * (abs(x) - 5)),
       draws = matrix(sample(c(-1, 1), n * d, TRUE) * size, n))
}

# A cube of side 2 holds 0.7, the cube of side 6 around it holds the rest; the gradient is 0 everywhere
case_steps <- function(n) {
  inner <- stats::runif(n) < 0.7
  draws <- matrix(stats::runif(3 * n, -1, 1), n)
  while (any(bad <- !inner & rowSums(abs(draws) > 1) == 0)) draws[bad, ] <- stats::runif(3 * sum(bad), -3, 3)
  list(parameters = indexed("x", 3), log_z = 0,
       log_density = function(x) {
         size <- pmax(abs(x[, 1]), abs(x[, 2]), abs(x[, 3]))
         ifelse(size < 1, log(0.7 / 8), ifelse(size < 3, log(0.3 / 208), -Inf))
       },
       gradient = function(x) 0 * x, draws = draws)
}

# Laplace laws: the gradient jumps at 0
case_spike <- function(n) {
  list(parameters = indexed("x", 3), log_z = 0,
       log_density = function(x) -rowSums(abs(x)) - 3 * log(2), gradient = function(x) -sign(x),
       draws = matrix(stats::rexp(3 * n) * sample(c(-1, 1), 3 * n, TRUE), n))
}

case_dirichlet <- function(n) {
  alpha <- c(0.7, 2, 3, 5)
  g <- sapply(alpha, function(a) stats::rgamma(n, a))
  list(parameters = indexed("share", 4), simplex = indexed("share", 4), log_z = 0,
       log_density = inside_only(function(x) rowSums(x <= 0) == 0, function(x) {
         drop(log(x) %*% (alpha - 1)) + lgamma(sum(alpha)) - sum(lgamma(alpha))
       }),
       gradient = function(x) sweep(1 / x, 2, alpha - 1, "*"), draws = g / rowSums(g))
}

# Four standard normal values in their order
case_ordered <- function(n) {
  list(parameters = indexed("x", 4), ordered = indexed("x", 4), log_z = 0,
       log_density = inside_only(function(x) rowSums(x[, -1, drop = FALSE] <= x[, -4, drop = FALSE]) == 0, function(x) {
         lfactorial(4) - 2 * log(2 * pi) - rowSums(x^2) / 2
       }),
       gradient = function(x) -x, draws = t(apply(matrix(stats::rnorm(4 * n), n), 1, sort)))
}

# Correlations of three columns with density proportional to their determinant D = 1 - a^2 - b^2 - c^2 + 2 a b c.
# Exact draws by rejection from the cube. In canonical partial correlations p, q, r the integral is
# int (1 - p^2)^1.5 dp * int (1 - q^2)^1.5 dq * int (1 - r^2) dr over (-1, 1), which is (3 pi / 8)^2 * 4 / 3.
case_correlation <- function(n) {
  determinant <- function(x) 1 - rowSums(x^2) + 2 * x[, 1] * x[, 2] * x[, 3]
  valid <- function(x) rowSums(abs(x) >= 1) == 0 & determinant(x) > 0
  draws <- matrix(stats::runif(60 * n, -1, 1), ncol = 3)
  draws <- draws[valid(draws) & stats::runif(nrow(draws)) < determinant(draws), ][seq_len(n), ]
  list(parameters = c("r21", "r31", "r32"), correlation = c("r21", "r31", "r32"),
       log_z = 2 * log(3 * pi / 8) + log(4 / 3),
       lower = c(r21 = -1, r31 = -1, r32 = -1), upper = c(r21 = 1, r31 = 1, r32 = 1),
       log_density = inside_only(valid, function(x) log(determinant(x))),
       gradient = inside_only(valid, function(x) 2 * (x[, c(2, 1, 1)] * x[, c(3, 3, 2)] - x) / determinant(x)),
       draws = draws)
}

# v ~ N(0, 3), x ~ N(0, exp(v / 2))
case_funnel <- function(n) {
  v <- stats::rnorm(n, 0, 3)
  list(parameters = c("v", indexed("x", 5)), log_z = 0,
       log_density = function(x) {
         stats::dnorm(x[, 1], 0, 3, log = TRUE) - 2.5 * log(2 * pi) - 2.5 * x[, 1] -
           rowSums(x[, -1, drop = FALSE]^2) * exp(-x[, 1]) / 2
       },
       gradient = function(x) {
         scaled <- x[, -1, drop = FALSE] * exp(-x[, 1])
         cbind(-x[, 1] / 9 - 2.5 + rowSums(x[, -1, drop = FALSE] * scaled) / 2, -scaled)
       },
       draws = cbind(v, matrix(stats::rnorm(5 * n), n) * exp(v / 2)))
}

# garch11 with bounds alone: alpha1 + beta1 < 1 is an edge that only -Inf tells
garch11_edge <- function(folder) {
  whole <- posterior("garch11", folder)
  four <- whole$parameters[1:4]
  complete <- function(x) cbind(x, rest = 1 - x[, 3] - x[, 4])
  entry <- new_entry("garch11_edge", list(
    parameters = four, lower = c(alpha0 = 0, alpha1 = 0, beta1 = 0), upper = c(alpha1 = 1, beta1 = 1),
    log_z = whole$log_z, log_density = function(x) whole$log_density(complete(x)),
    gradient = function(x) {
      g <- suppressWarnings(whole$gradient(complete(x))[, 1:4, drop = FALSE])
      g[is.nan(g)] <- 0
      g
    }))
  entry$draws <- whole$draws[, four]
  entry
}
