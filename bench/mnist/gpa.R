# The MNIST example of the paper on generative particle algorithms (doi:10.1137/23M1587841, Figure 5): 600 particles
# from the uniform law on [0, 1]^784 move to 200 digits. Slope at most 5, 5 updates per step at rate 0.0005, 5000 steps
# of 0.5.
#   Rscript bench/mnist/gpa.R FOLDER [spectral] [frobenius] [STEPS]
# FOLDER holds the digits, or they are fetched there. Writes results/gpa.csv and results/gpa_*.png.

library(particleflow)

words <- commandArgs(TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "data.R"))
norms <- intersect(words, c("spectral", "frobenius"))
if (!length(norms)) norms <- "spectral"
steps <- as.integer(c(grep("^[0-9]+$", words[-1], value = TRUE), "5000")[1])

digits <- split_digits(read_digits(words[1]))
target <- digits$x[1:200, ]
uniform <- function(n) matrix(stats::runif(784 * n), n)

# Novelty against the 200 targets, and the energy distance to the test digits.
judge <- function(new, norm, what, seconds, fit) {
  near <- novelty(new, target, digits$test_x, scale = FALSE)
  data.frame(norm = norm, points = what, steps = steps, seconds = round(seconds, 1), novelty = near$ratio,
             novelty_5 = near$ratio_5, energy_distance = energy_distance(new, digits$test_x),
             divergence = fit$diagnostics$divergence, kinetic_energy = fit$diagnostics$kinetic_energy)
}

for (norm in norms) {
  set.seed(1)
  seconds <- system.time(
    fit <- gpa(uniform, target, n_source = 600, lipschitz = 5, step = 0.5, n_steps = steps, updates = 5, rate = 0.0005,
               normalisation = norm, latent = "none", scale = FALSE)
  )[["elapsed"]]
  print(fit)
  moved <- as.matrix(fit$particles)
  carrying <- system.time(new <- as.matrix(simulate(fit, 600, seed = 2)))[["elapsed"]]
  table <- rbind(judge(moved, norm, "moved", seconds, fit), judge(new, norm, "carried", carrying, fit))
  file <- file.path(here, "results", sprintf("gpa_%s.csv", norm))
  utils::write.csv(format(table, digits = 3), file, row.names = FALSE, quote = FALSE)
  print(table, digits = 3)
  write_digits(rbind(moved[1:50, ], new[1:50, ]), file.path(here, "results", sprintf("gpa_%s.png", norm)), 10)
}
set.seed(3)
fresh <- base::sample(nrow(digits$test_x), 600)
cat("600 real test digits: energy distance",
    energy_distance(digits$test_x[fresh, ], digits$test_x[-fresh, ]), "; the 200 targets:",
    energy_distance(target, digits$test_x), "\n")
