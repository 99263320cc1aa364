# The whole jobs: a list of list(prepare, run, table, flops).
#   prepare(): what is there before the job begins; its value is the argument of run()
#   table(x): the table whose size is the unit of memory; NULL: there is none
#   flops: operations of the products of matrices, as far as they can be counted beforehand; each multiply-add is two

# Fits that several jobs need are made once. The variable of the environment names the directory of one call of run.R.
kept <- function(name, make) {
  path <- file.path(Sys.getenv("PARTICLEFLOW_JOBS", tempdir()), paste0(name, ".rds"))
  if (!file.exists(path)) saveRDS(make(), path)
  readRDS(path)
}

numbers <- function(n, d) {
  set.seed(1)
  x <- matrix(rnorm(n * d), n) + 3 * matrix(rnorm(5 * d), 5)[base::sample(5, n, TRUE), ]
  x[, seq(2, d, by = 3)] <- exp(x[, seq(2, d, by = 3)] / 3)
  x %*% (diag(d) + 0.1)
}

# Two numbers, a count, a date, factors of 2, 4 and 12 levels, an ordered factor, TRUE and FALSE, and missing values.
mixed <- function(n) {
  set.seed(2)
  z <- matrix(rnorm(n * 6), n) %*% (diag(6) + 0.3)
  cut_at <- function(z, k, labels) factor(labels[findInterval(z, quantile(z, seq_len(k - 1) / k)) + 1], labels)
  table <- data.frame(
    age = round(60 + 12 * z[, 1]), pressure = 120 + 15 * z[, 2] + rnorm(n), visits = rpois(n, exp(0.5 + z[, 3] / 3)),
    since = as.Date("2015-01-01") + round(900 * pnorm(z[, 4])), sex = cut_at(z[, 5], 2, c("F", "M")),
    site = cut_at(z[, 6] + rnorm(n), 12, LETTERS[1:12]), arm = factor(base::sample(letters[1:4], n, TRUE)),
    grade = cut_at(z[, 1] + z[, 3], 5, as.character(1:5)), treated = z[, 2] + rnorm(n) > 0, dose = exp(z[, 6])
  )
  table$grade <- factor(table$grade, ordered = TRUE)
  table$dose[runif(n) < 0.1] <- NA
  table
}

# Expression values: 20 factors and noise.
expression <- function(n, p) {
  set.seed(3)
  x <- matrix(rnorm(n * p, sd = 0.5), n)
  x <- x + matrix(rnorm(n * 20), n) %*% matrix(rnorm(20 * p, sd = 0.3), 20)
  x + rep(8 + rnorm(p), each = n)
}

two_batches <- function() {
  x <- expression(1000, 20000)
  x[501:1000, ] <- 1.1 * x[501:1000, ] + rep(rnorm(20000, sd = 0.5), each = 500)
  list(x = x, batch = rep(c("a", "b"), each = 500))
}

# The gradient of a logistic regression with ten coefficients, 300 rows and a normal prior.
posterior <- function() {
  set.seed(4)
  x <- cbind(1, matrix(rnorm(300 * 9), 300))
  y <- runif(300) < plogis(x %*% seq(-1, 1, length.out = 10))
  list(
    value = function(b) {
      eta <- tcrossprod(b, x)
      eta %*% y - rowSums(pmax(eta, 0) + log1p(exp(-abs(eta)))) - rowSums(b^2) / 8
    },
    gradient = function(b) (rep(y, each = nrow(b)) - plogis(tcrossprod(b, x))) %*% x - b / 4
  )
}

run_demo <- function(script) {
  place <- new.env(parent = globalenv())
  place$commandArgs <- function(...) tempfile("demo")
  utils::capture.output(sys.source(script, place))
}

# Six operations per weight and point of one update: forward, and the gradients to parameters and to the layer below.
network_flops <- function(widths, points) 6 * sum(head(widths, -1) * tail(widths, -1)) * points

of <- function(x) x
none <- function(x) NULL
quiet <- function(...) synthesise(..., quiet = TRUE)

fit_numbers <- function() kept("fit_20000", function() quiet(numbers(20000, 10)))
fit_mixed <- function() kept("mixed_20000", function() quiet(mixed(20000)))
new_numbers <- function() kept("new_20000", function() simulate(fit_numbers(), 20000, seed = 1))
fit_genes <- function() kept("genes", function() quiet(expression(500, 54675)))

keep_all <- function() for (make in list(fit_mixed, new_numbers, fit_genes)) make()

jobs <- list(
  demo = list(prepare = function() system.file("examples", "khan.R", package = "particleflow"), run = run_demo,
              table = none),
  efs_1500 = list(prepare = function() numbers(1500, 10), run = efs, table = of),
  efs_20000 = list(prepare = function() numbers(20000, 10), run = efs, table = of),
  synthesise_1500 = list(prepare = function() numbers(1500, 10), run = quiet, table = of),
  synthesise_20000 = list(prepare = function() numbers(20000, 10), run = quiet, table = of),
  synthesise_mixed_1500 = list(prepare = function() mixed(1500), run = quiet, table = of),
  synthesise_mixed_20000 = list(prepare = function() mixed(20000), run = quiet, table = of),
  simulate_20000 = list(prepare = function() list(fit = fit_numbers(), x = numbers(20000, 10)),
                        run = function(at) simulate(at$fit, 20000, seed = 1), table = function(at) at$x),
  simulate_mixed_20000 = list(prepare = function() list(fit = fit_mixed(), x = mixed(20000)),
                              run = function(at) simulate(at$fit, 20000, seed = 1), table = function(at) at$x),
  fidelity_20000 = list(prepare = function() list(new = new_numbers(), x = numbers(20000, 10)),
                        run = function(at) fidelity(at$x, at$new), table = function(at) at$x),
  genes_fit = list(prepare = function() expression(500, 54675), run = quiet, table = of, flops = 2 * 500^2 * 54675),
  genes_simulate = list(
    prepare = fit_genes, run = function(fit) simulate(fit, 500, seed = 1), table = function(fit) fit$latent$scores,
    flops = 2 * 500^2 * 54675
  ),
  integrate = list(prepare = two_batches, run = function(at) integrate_data(at$x, at$batch, "a"),
                   table = function(at) at$x),
  gpa = list(
    prepare = function() {
      set.seed(1)
      list(matrix(rnorm(226 * 50), 226), matrix(rnorm(265 * 50), 265) + 0.5)
    },
    run = function(at) gpa(at[[1]], at[[2]], n_steps = 500, hidden = c(64, 64, 64), latent = "none"), table = none,
    flops = 500 * 3 * network_flops(c(50, 64, 64, 64, 1), 491)
  ),
  wgf = list(prepare = posterior, run = function(at) wgf(at$value, at$gradient, dim = 10), table = none),
  distill = list(
    prepare = function() wgf(target_ring(), n = 300, n_steps = 100),
    run = function(fit) distill(fit, "energy", n_steps = 1000, patience = 1000), table = none
  ),
  autoencoder = list(
    prepare = function() {
      set.seed(5)
      plogis(matrix(rnorm(2000 * 12), 2000) %*% matrix(rnorm(12 * 784), 12) / 2)
    },
    run = function(x) latent_autoencoder(n_steps = 20, seed = 1)$fit(x), table = of
  )
)
