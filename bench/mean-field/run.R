# Rscript bench/mean-field/run.R [part ...]: flows of many particles against the law that they follow. Parts: families,
# three, rows, particles; without arguments all of them. Results are appended to results/*.csv; a cell that is there
# already is left out, so that a stopped run goes on.
#
# MEAN_FIELD_MINUTES      no cell begins after this many minutes; default none
# MEAN_FIELD_REPETITIONS  default 5
library(particleflow)
here <- "bench/mean-field"
source("bench/quality/families.R")

minutes <- as.numeric(Sys.getenv("MEAN_FIELD_MINUTES", "Inf"))
repetitions <- seq_len(as.integer(Sys.getenv("MEAN_FIELD_REPETITIONS", "5")))
began <- Sys.time()

append_row <- function(file, row) {
  path <- file.path(here, "results", file)
  utils::write.table(format(row, digits = 5, trim = TRUE), path, sep = ",", row.names = FALSE, quote = FALSE,
                     col.names = !file.exists(path), append = file.exists(path))
}

# Whether the file has a row with these values.
is_done <- function(file, ...) {
  path <- file.path(here, "results", file)
  if (!file.exists(path)) return(FALSE)
  seen <- utils::read.csv(path)
  cell <- list(...)
  any(Reduce(`&`, Map(function(name, value) seen[[name]] == value, names(cell), cell)))
}

in_time <- function() as.numeric(Sys.time() - began, units = "mins") < minutes

# Real tables in two and three columns.
real_tables <- list(faithful = as.matrix(datasets::faithful),
                    quakes = as.matrix(datasets::quakes[c("long", "lat")]),
                    quakes_depth = as.matrix(datasets::quakes[c("long", "lat", "depth")]))

# Rows to fit, and rows held out: `held` draws of a family, or the other half of a real table.
halves <- function(name, n, d, repetition, held = 2000) {
  if (name %in% names(TUNING)) {
    family <- TUNING[[name]](n, d, family_seed(name, repetition))
    return(list(train = family$x, held = family$draw(held)))
  }
  table <- real_tables[[name]]
  set.seed(repetition)
  rows <- sample(nrow(table), min(n, nrow(table) %/% 2))
  rest <- setdiff(seq_len(nrow(table)), rows)
  list(train = unname(table[rows, ]), held = unname(table[rest, ]))
}

flow_of <- function(fit) particleflow:::class_flows(fit)[[1]]
latent_of <- function(fit, rows) unname(fit$latent$encode(as.matrix(rows)))

# Log-densities of rows under the law of the rows, in the unit of the latent rows.
law_densities <- function(fit, rows) {
  source <- flow_of(fit)$source
  particleflow:::law_density(source$law, particleflow:::to_flow(latent_of(fit, rows), source), 2L)[, 1] +
    particleflow:::flow_log_volume(source)
}

# The same under the flow.
flow_densities <- function(fit, rows) as.vector(particleflow:::flow_log_density(flow_of(fit), latent_of(fit, rows), 2L))

# Draws of the law of the rows, in the unit of the table.
law_draws <- function(fit, n, key = c(77L, 7L)) {
  source <- flow_of(fit)$source
  points <- particleflow:::from_flow(particleflow:::draw_law(source$law, n, key, 2L), source)
  unname(as.matrix(particleflow:::decode_points(fit, points, factor(rep("all", n)))))
}

# Kolmogorov-Smirnov distance from the uniform distribution.
distance_to_uniform <- function(u) {
  u <- sort(u)
  n <- length(u)
  max(seq_len(n) / n - u, u - (seq_len(n) - 1) / n)
}

# The share of the law with a density above that of each row: uniform if the rows follow the law.
content <- function(fit, rows, drawn) {
  levels <- sort(law_densities(fit, drawn))
  1 - findInterval(law_densities(fit, rows), levels) / length(levels)
}

# One row of results for one fit.
judge <- function(rows, particles = NULL) {
  cpu <- system.time(fit <- efs(rows$train, particles = particles, threads = 2, progress = FALSE))
  gap <- flow_densities(fit, rows$held) - law_densities(fit, rows$held)
  drawn <- law_draws(fit, 2000)
  rank <- predict(fit, rows$held, type = "rank")[, 1]
  set.seed(1)
  new <- unname(as.matrix(simulate(fit, 2000, seed = 1)))
  some <- seq_len(min(nrow(new), nrow(rows$held)))
  near <- novelty(new, rows$train, rows$held)
  data.frame(
    law = format(flow_of(fit)$source$law), particles = fit$diagnostics$particles,
    gap = mean(gap), gap_se = sd(gap) / sqrt(length(gap)), cost = -fit$diagnostics$gain,
    cost_se = fit$diagnostics$gain_se, bent = fit$diagnostics$bent,
    ks = distance_to_uniform(rank), ks_law = distance_to_uniform(predict(fit, drawn, type = "rank")[, 1]),
    ks_floor = distance_to_uniform(content(fit, rows$held, law_draws(fit, 10000, c(78L, 7L)))),
    held = nrow(rows$held), within_50 = mean(rank <= 0.5), within_90 = mean(rank <= 0.9),
    novelty = near$ratio, auc = c2st(rows$held[some, ], new[some, ], seed = 1)$auc,
    auc_law = c2st(rows$held[some, ], drawn[some, ], seed = 1)$auc,
    auc_flow = c2st(drawn, new, seed = 1)$auc,
    cpu = cpu[[1]] + cpu[[2]], elapsed = cpu[[3]],
    load = as.numeric(strsplit(readLines("/proc/loadavg"), " ")[[1]][1])
  )
}

run_families <- function() {
  for (repetition in repetitions) for (name in c(names(TUNING), "faithful", "quakes")) {
    if (!in_time() || is_done("families.csv", set = name, repetition = repetition)) next
    rows <- halves(name, 300, 2, repetition)
    row <- cbind(data.frame(set = name, d = 2, n = nrow(rows$train), repetition), judge(rows))
    row$law <- gsub(",", ";", row$law)
    append_row("families.csv", row)
  }
}

run_three <- function() {
  for (repetition in repetitions) for (name in c(setdiff(names(TUNING), "spiral"), "quakes_depth")) {
    if (!in_time() || is_done("three.csv", set = name, repetition = repetition)) next
    rows <- halves(name, 300, 3, repetition, 1000)
    row <- cbind(data.frame(set = name, d = 3, n = nrow(rows$train), repetition), judge(rows))
    row$law <- gsub(",", ";", row$law)
    append_row("three.csv", row)
  }
}

# ---- finite n --------------------------------------------------------------------------------------------------

# Energy distance between samples: the V-statistic without its diagonal, so that its mean is that of the laws.
distance_between <- function(x, y) energy_distance(x, y, unbiased = TRUE)

# The truth of the study: a mixture of three normal laws, whose law the fits do not know.
truth <- function(d, repetition) {
  set.seed(40000L + repetition)
  law <- make_family(mixture(3, separation = 1, thin = 0.3, wide = 0.6), dims = d)
  law(10, d, 41000L + repetition)
}

# How far the flow is from the law of the rows, and both from the truth.
study_row <- function(part, d, n, particles, repetition, held = 1500) {
  family <- truth(d, repetition)
  set.seed(50000L + repetition)
  train <- family$draw(n)
  test <- family$draw(held)
  cpu <- system.time(fit <- suppressWarnings(efs(train, particles = particles, threads = 2, progress = FALSE)))
  to_law <- law_densities(fit, test)
  to_flow <- flow_densities(fit, test)
  latent_unit <- mean(family$log_density(test)) - # the log-volume of the latent map is the same for all
    mean(predict(fit, test, type = "log_density") - to_flow)
  drawn <- law_draws(fit, 4000)
  new <- unname(as.matrix(simulate(fit, 4000, seed = 1)))
  fresh <- family$draw(4000)
  append_row("finite.csv", data.frame(
    part, d, n, particles, repetition, cost = -fit$diagnostics$gain, cost_se = fit$diagnostics$gain_se,
    gap = mean(to_flow - to_law), lost_law = latent_unit - mean(to_law), lost_flow = latent_unit - mean(to_flow),
    energy_flow_law = distance_between(new, drawn), energy_law_truth = distance_between(drawn, fresh),
    energy_flow_truth = distance_between(new, fresh),
    ks = distance_to_uniform(predict(fit, test, type = "rank")[, 1]),
    ks_law = distance_to_uniform(predict(fit, drawn, type = "rank")[, 1]), epsilon = fit$diagnostics$epsilon,
    cpu = cpu[[1]] + cpu[[2]]
  ))
}

finite_dims <- c(1, 2, 3, 5)

run_rows <- function() {
  for (repetition in repetitions) for (n in c(100, 300, 1000, 3000)) for (d in finite_dims) {
    if (!in_time() || is_done("finite.csv", part = "rows", d = d, n = n, repetition = repetition)) next
    study_row("rows", d, n, 2000, repetition)
  }
}

run_particles <- function() {
  for (particles in c(500, 1000, 2000, 4000, 8000, 16000)) for (repetition in repetitions) for (d in finite_dims) {
    if (!in_time() ||
          is_done("finite.csv", part = "particles", d = d, particles = particles, repetition = repetition)) next
    study_row("particles", d, 300, particles, repetition)
  }
}

parts <- commandArgs(TRUE)
if (!length(parts)) parts <- c("families", "three", "rows", "particles")
for (part in parts) {
  message(part)
  get(paste0("run_", part))()
}
