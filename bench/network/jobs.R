# Rscript bench/network/jobs.R LIBRARY THREADS JOB: runs one job of run.R once and prints "elapsed cpu" in seconds.
words <- commandArgs(TRUE)
suppressPackageStartupMessages(library(particleflow, lib.loc = words[1]))
options(particleflow.threads = as.integer(words[2]))
set.seed(1)
source50 <- matrix(rnorm(226 * 50), 226)
target50 <- matrix(rnorm(265 * 50), 265) + 0.5
clusters <- matrix(base::sample(c(-2, 2), 400, TRUE), 200) + matrix(rnorm(400, sd = 0.5), 200)
cloud <- matrix(rnorm(400, sd = 0.5), 200)
ring <- matrix(rnorm(2000), 1000)
ring <- ring / sqrt(rowSums(ring^2)) + matrix(rnorm(2000, sd = 0.1), 1000)
wide <- matrix(rnorm(2000 * 16), 2000)

# Each returns a function without arguments, whose time is taken.
jobs <- list(
  "gpa 226 onto 265, d 50, 500 steps" = function() {
    function() gpa(source50, target50, n_steps = 500, hidden = c(64, 64, 64), latent = "none")
  },
  "gpa 226 onto 265, d 50, 5000 steps" = function() {
    function() gpa(source50, target50, n_steps = 5000, hidden = c(64, 64, 64), latent = "none")
  },
  "gpa four Gaussians, 500 steps" = function() {
    function() gpa(cloud, clusters, updates = 3, latent = "none", scale = FALSE, step = 0.5, n_steps = 500)
  },
  "distill, energy, 1000 steps" = function() {
    fit <- wgf(target_ring(), n = 300, n_steps = 100)
    function() distill(fit, "energy", n_steps = 1000, patience = 1000)
  },
  "pushforward, characteristic, 1000 steps" = function() {
    function() pushforward(ring, n_steps = 1000, patience = 1000)
  },
  "pushforward, energy, 1000 steps" = function() {
    function() pushforward(ring, "energy", n_steps = 1000, patience = 1000)
  },
  "a million draws in 16 dimensions" = function() {
    fit <- pushforward(wide, "energy", n_steps = 10)
    function() simulate(fit, 1e6, seed = 1)
  }
)
run <- jobs[[words[3]]]()
invisible(gc())
taken <- system.time(run())
cat(taken[["elapsed"]], taken[["user.self"]] + taken[["sys.self"]], "\n")
