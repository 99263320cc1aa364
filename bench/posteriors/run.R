# Rscript bench/posteriors/run.R WHICH ENTRIES SEEDS: comma-separated, "all" or "ours" or "rivals" for methods, "all",
# "posteriors" or "cases" for entries, such as 1:5 for seeds. Rows are appended to results/results.csv, in the place of
# rows of the same method, entry and seed. One thread. Rivals get 1e5 evaluations; adaptMCMC calls the density with one
# point at a time and runs only where 1e5 such calls take less than 120 processor seconds.
library(particleflow)
here <- "bench/posteriors"
for (file in c("free.R", "posteriors.R", "cases.R", "judge.R", "rivals.R")) source(file.path(here, file))

arguments <- c(commandArgs(TRUE), "all", "all", "1:5")
methods <- switch(arguments[1], all = c("wgf", "temper", "reference", names(rivals)), ours = c("wgf", "temper"),
                  rivals = c("reference", names(rivals)), strsplit(arguments[1], ",")[[1]])
entries <- switch(arguments[2], all = c(posterior_names, case_names), posteriors = posterior_names, cases = case_names,
                  strsplit(arguments[2], ",")[[1]])
seeds <- eval(parse(text = arguments[3]))
budget <- 1e5
path <- file.path(here, "results", "results.csv")

# wgf() and temper() with their defaults, on the user's scale
ours <- function(f, entry) {
  count <- new.env()
  count$evaluations <- 0
  counted <- function(g) function(x) {
    count$evaluations <- count$evaluations + nrow(x)
    suppressWarnings(g(x))
  }
  constrained <- !is.null(entry$correlation)
  fit <- f(counted(entry$log_density), counted(entry$gradient), dim = entry$parameters,
           lower = if (!constrained) entry$lower, upper = if (!constrained) entry$upper, simplex = entry$simplex,
           ordered = entry$ordered, correlation = entry$correlation, threads = 1, progress = FALSE)
  draws <- fit$draws
  colnames(draws) <- entry$parameters
  trusted <- if (is.null(fit$verdict)) fit$diagnostics$trusted else !grepl("^not", fit$verdict)
  words <- if (is.null(fit$verdict)) paste(fit$checks$reason[fit$checks$failed], collapse = "; ") else fit$verdict
  list(draws = draws, evaluations = count$evaluations, trusted = trusted, log_z = fit$diagnostics$log_z,
       log_z_error = fit$diagnostics$log_z_error, words = if (trusted) "" else words)
}

theirs <- function(name, entry) {
  free <- on_free_scale(entry)
  if (name == "adaptMCMC") {
    one <- wide_start(free, 1)
    seconds <- sum(system.time(for (i in 1:100) free$value(one))[1:2]) * budget / 100
    if (seconds > 120) stop("too slow by points")
    free$count$evaluations <- 0
  }
  z <- rivals[[name]](free, budget)
  if (is.list(z)) z <- z[[1]]
  colnames(z) <- free$names
  list(draws = from_free_scale(entry, z)$x, evaluations = free$count$evaluations, trusted = NA, log_z = NA,
       log_z_error = NA, words = "")
}

run_one <- function(method, entry, judge, seed) {
  set.seed(seed)
  time <- system.time(result <- tryCatch(suppressWarnings(
    if (method == "reference") {
      list(draws = entry$draws[sample(nrow(entry$draws), 1000), , drop = FALSE], evaluations = 0, trusted = NA,
           log_z = NA, log_z_error = NA, words = "")
    } else if (method %in% c("wgf", "temper")) ours(get(method), entry) else theirs(method, entry)),
    error = function(e) conditionMessage(e)))
  none <- data.frame(mean_off = NA, sd_least = NA, sd_most = NA, energy = NA)
  failed <- is.character(result)
  scored <- if (failed) none else tryCatch(judge(result$draws), error = function(e) none)
  if (failed) {
    result <- list(evaluations = NA, trusted = NA, log_z = NA, log_z_error = NA, words = paste("error:", result))
  }
  known <- if (is.null(entry$log_z)) NA else entry$log_z
  data.frame(entry = entry$name, parameters = length(free_names(entry)), method = method, seed = seed,
             lapply(scored, signif, 4), evaluations = result$evaluations,
             cpu = round(time[["user.self"]] + time[["sys.self"]], 2), trusted = result$trusted,
             log_z_off = signif(result$log_z - known, 3), log_z_error = signif(result$log_z_error, 3),
             words = gsub("[\n\"]", " ", result$words))
}

for (name in entries) {
  entry <- if (name %in% posterior_names) posterior(name) else hard_case(name)
  judge <- judge_of(entry)
  for (seed in seeds) for (method in methods) {
    row <- run_one(method, entry, judge, seed)
    old <- if (file.exists(path)) utils::read.csv(path)
    if (!is.null(old)) old <- old[!(old$entry == name & old$method == method & old$seed == seed), ]
    utils::write.csv(rbind(old, row), path, row.names = FALSE)
    cat(sprintf("%-20s %-13s %d  mean %.2f  sd %.2f-%.2f  energy %.1f  %s evaluations  %.1f s  %s %s\n", name, method,
                seed, row$mean_off, row$sd_least, row$sd_most, row$energy, format(row$evaluations), row$cpu,
                row$trusted, row$words))
  }
}
