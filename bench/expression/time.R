# Rscript bench/expression/time.R LIBRARY: seconds of a fit and of as many new samples, by the number of genes.

library(particleflow, lib.loc = commandArgs(TRUE)[1])
seconds <- function(work) system.time(work)[["elapsed"]]

for (genes in c(5000, 10000, 20000, 50000, 54675)) {
  set.seed(1)
  x <- matrix(rnorm(100 * genes), 100) + rnorm(100) %o% rnorm(genes)
  fit <- NULL
  took <- c(fit = seconds(fit <- synthesise(x, quiet = TRUE)), draws = seconds(simulate(fit, 100, seed = 1)))
  cat(sprintf("100 x %5d values: fit %.1f s, 100 new samples %.1f s\n", genes, took[1], took[2]))
}

set.seed(1)
group <- rep(letters[1:4], each = 125)
rate <- exp(rnorm(20000, -2, 1.5))
effect <- sapply(1:4, function(k) exp(ifelse(runif(20000) < 0.1, rnorm(20000), 0)))
signal <- exp(0.4 * rnorm(500) %o% rnorm(20000))
mu <- t(rate * effect)[match(group, letters), ] * signal * exp(rnorm(500, 0, 0.3))
x <- Matrix::Matrix(matrix(rnbinom(length(mu), mu = mu, size = 3), 500) * 1, sparse = TRUE)
rm(mu, signal)
invisible(gc(reset = TRUE))
took <- c(fit = seconds(fit <- synthesise(x, group = group, quiet = TRUE)),
          draws = seconds(new <- simulate(fit, 500, seed = 1)))
cat(sprintf("500 cells x 20000 genes, four groups: fit %.1f s, 500 new cells %.1f s, %.1f GB at most, %s\n", took[1],
            took[2], sum(gc()[, 6]) / 1024, class(new)))
