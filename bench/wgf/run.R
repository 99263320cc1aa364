# Rscript bench/wgf/run.R [part ...]: flows towards known densities, by every divergence. Parts: modes, generator,
# speed, fokker_planck; without arguments all of them. Results go to bench/wgf/results/*.csv.
library(particleflow)

parts <- commandArgs(TRUE)
if (!length(parts)) parts <- c("speed", "fokker_planck", "generator", "modes")
here <- "bench/wgf/results"
divergences <- eval(formals(wgf)$divergence)

# Each target has eight modes. Spacing: the least distance between two means, divided by the standard deviation.
random_modes <- function(dim, seed = 1) {
  set.seed(seed)
  target_mixture(matrix(rnorm(8 * dim, sd = 3 / sqrt(dim / 2)), 8), 0.25)
}
targets <- list(
  ring_2 = target_ring(dim = 2), ring_8 = target_ring(dim = 8), ring_16 = target_ring(dim = 16),
  random_4 = random_modes(4), random_16 = random_modes(16), unequal_2 = target_ring(dim = 2, weights = 1:8),
  empty_2 = target_ring(dim = 2)
)
# NULL: the normal law with the moments of the target. empty_2: right of the middle, far from the modes on the left.
starts <- list(empty_2 = function(n) cbind(rnorm(n, 2), rnorm(n)))

append_row <- function(file, row) {
  path <- file.path(here, file)
  utils::write.table(row, path, sep = ",", row.names = FALSE, col.names = !file.exists(path),
                     append = file.exists(path), qmethod = "double")
}

run_modes <- function(n = 1000, steps = 300, seeds = 1:2) {
  unlink(file.path(here, c("modes.csv", "repair.csv")))
  for (seed in seeds) for (name in names(targets)) for (divergence in divergences) for (birth_death in 0:1) {
    target <- targets[[name]]
    weights <- target$weights
    set.seed(seed)
    cpu <- system.time(fit <- suppressWarnings(wgf(target, n = n, n_steps = steps,
                                                      method = "plain", divergence = divergence,
                                                   start = starts[[name]], birth_death = birth_death)))
    mass <- fit$masses[nrow(fit$masses), ]
    y <- simulate(target, n, seed = 100 + seed)
    exact <- mean(vapply(1:10, function(i) energy_distance(simulate(target, n, seed = 200 + i), y), 0))
    append_row("modes.csv", data.frame(
      target = name, spacing = min(dist(target$means)) / 0.5, dim = target$dim, divergence = divergence,
      birth_death = birth_death, seed = seed, n = n, steps = steps,
      modes = sum(mass[1:8] > 0.25 * weights), worst = max(abs(mass[1:8] / weights - 1)), outside = mass[["outside"]],
      energy_particles = energy_distance(unname(fit$particles), y),
      energy_draws = energy_distance(simulate(fit, n, seed = seed), y),
      energy_exact = exact, bandwidth = fit$diagnostics$bandwidth, log_z = fit$diagnostics$log_z,
      status = fit$diagnostics$status, cpu = cpu[[1]] + cpu[[2]], elapsed = cpu[[3]]
    ))
    if (seed == 1 && target$dim == 2) {
      at <- seq(1, steps + 1, by = 10)
      # under-coverage: the part of the weights that the masses do not reach
      missing <- apply(fit$masses[at, 1:8], 1, function(m) sum(pmax(weights - m, 0)))
      append_row("repair.csv", data.frame(target = name, divergence = divergence, birth_death = birth_death,
                                          step = at - 1, uncovered = missing, left = fit$masses[at, 5]))
    }
  }
}

run_generator <- function(n = 2000) {
  unlink(file.path(here, "generator.csv"))
  for (name in c("ring_2", "ring_8", "ring_16")) {
    target <- targets[[name]]
    y <- simulate(target, n, seed = 101)
    exact <- mean(vapply(1:10, function(i) energy_distance(simulate(target, n, seed = 200 + i), y), 0))
    set.seed(1)
    fit <- wgf(target, n = n, n_steps = 300, method = "plain")
    for (field in c("energy", "sliced", "rule")) {
      set.seed(1)
      cpu <- system.time(gen <- distill(fit, field, batch = if (field == "rule") 1000 else 512))
      x <- simulate(gen, n, seed = 1)
      mass <- particleflow:::mode_masses(fit$modes, unname(x[, ]), 1L)
      million <- system.time(simulate(gen, 1e6, seed = 1))
      append_row("generator.csv", data.frame(
        target = name, dim = target$dim, field = field, energy = energy_distance(x, y),
        energy_flow = energy_distance(simulate(fit, n, seed = 1), y),
        energy_exact = exact, least_mass = min(mass[1:8]), largest_mass = max(mass[1:8]), outside = mass[9],
        train_cpu = cpu[[1]] + cpu[[2]], million_cpu = million[[1]] + million[[2]], million_elapsed = million[[3]]
      ))
    }
  }
}

run_speed <- function() {
  unlink(file.path(here, "speed.csv"))
  for (threads in 1:2) for (dim in c(2, 16)) for (bandwidth in list(NULL, 0.3)) {
    set.seed(1)
    cpu <- system.time(wgf(target_ring(dim = dim), n = 2000, n_steps = 500, method = "plain",
                           bandwidth = bandwidth, threads = threads))
    append_row("speed.csv", data.frame(n = 2000, steps = 500, dim = dim,
                                       bandwidth = if (is.null(bandwidth)) "by likelihood" else "fixed",
                                       threads = threads, cpu = cpu[[1]] + cpu[[2]], elapsed = cpu[[3]],
                                       load = as.numeric(strsplit(readLines("/proc/loadavg"), " ")[[1]][1])))
  }
}

# Mean and variance of particles towards N(0, 0.7^2) from N(2, 1.2^2) against the equation.
run_fokker_planck <- function() {
  out <- do.call(rbind, lapply(c(0.1, 0.2, 0.4), function(h) {
    goal <- 0.7
    fit <- wgf(method = "plain", function(x) -x[, 1]^2 / (2 * goal^2), function(x) -x / goal^2,
               start = matrix(2 + 1.2 * qnorm(ppoints(2000))), bandwidth = h, step = 0.005, n_steps = 400, every = 20)
    mean <- 2
    variance <- plain <- 1.44
    rows <- list(c(mean, variance, plain))
    for (i in 1:20000) {
      mean <- mean - 1e-4 * mean / goal^2
      variance <- variance + 2e-4 * variance * (1 / (variance + h^2) - 1 / goal^2)
      plain <- plain + 2e-4 * (1 - plain / goal^2)
      if (i %% 1000 == 0) rows <- c(rows, list(c(mean, variance, plain)))
    }
    rows <- do.call(rbind, rows)
    frames <- fit$trajectory$frames[, 1, ]
    data.frame(bandwidth = h, time = 0.1 * 0:20, mean = colMeans(frames), mean_wanted = rows[, 1],
               variance = apply(frames, 2, var), variance_wanted = rows[, 2], variance_without_bandwidth = rows[, 3])
  }))
  utils::write.csv(out, file.path(here, "fokker_planck.csv"), row.names = FALSE)
}

for (part in parts) {
  message(part)
  get(paste0("run_", part))()
}
