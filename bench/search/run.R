# Rscript bench/search/run.R LIBRARY CASES REPETITIONS FILE: default fits of synthesise() with the package in LIBRARY,
#   on one thread: processor seconds of the second of two fits, and the mean held-out log-likelihood of the test rows.
# Rscript bench/search/run.R arf CASES REPETITIONS FILE: the same seconds of arf, adversarial_rf() and forde().
# Rscript bench/search/run.R --compare BEFORE NOW [ARF]: ratios of seconds, and what the likelihood lost.
# CASES: families, tuning, reporting or ten (see cases.R), or single cases such as "mixed pbc", with commas between. A
# line that FILE has is not run again.
arguments <- commandArgs(TRUE)

if (arguments[1] == "--compare") {
  files <- lapply(arguments[-1], utils::read.csv)
  key <- function(lines) paste(lines$case, lines$repetition)
  both <- merge(files[[1]], files[[2]], by = c("case", "repetition", "rows", "columns"),
                suffixes = c("_before", "_now"))
  both$ratio <- both$seconds_now / both$seconds_before
  both$lost <- both$log_density_before - both$log_density_now
  if (length(files) > 2) both$to_arf <- both$seconds_now / files[[3]]$seconds[match(key(both), key(files[[3]]))]
  print(both[order(both$case), setdiff(names(both), c("log_density_before", "log_density_now"))], digits = 3,
        row.names = FALSE)
  cat(sprintf("%d fits: seconds %.2f of before in sum, %.2f in the median; lost %.4f nats in the mean, %.4f at most\n",
              nrow(both), sum(both$seconds_now) / sum(both$seconds_before), stats::median(both$ratio), mean(both$lost),
              max(both$lost)))
  if (length(files) > 2) {
    cat(sprintf("seconds over those of arf: %.2f in the median\n", stats::median(both$to_arf, na.rm = TRUE)))
  }
  quit(save = "no")
}

library_of <- arguments[1]
if (library_of != "arf") {
  .libPaths(c(strsplit(library_of, ":")[[1]], .libPaths()))
  suppressPackageStartupMessages(library(particleflow))
  particleflow_threads(1)
}
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "cases.R"))

# What bench/tables/methods.R does before and while it times arf.
fit_arf <- function(train) {
  has_numbers <- any(vapply(mixed$plain(train), is.numeric, NA))
  x <- mixed$whole_numbers(if (has_numbers) mixed$plain(train) else mixed$missing_levels(train), mixed$plain(train))
  function() arf::forde(arf::adversarial_rf(x, verbose = FALSE, parallel = FALSE), x, parallel = FALSE)
}

run_case <- function(case, repetition) {
  rows <- rows_of(case, repetition)
  line <- data.frame(case, repetition, rows = nrow(rows$train), columns = ncol(rows$train), seconds = NA,
                     log_density = NA)
  if (library_of == "arf") {
    fit <- fit_arf(rows$train)
  } else {
    fit <- function() made <<- synthesise(rows$train, quiet = TRUE)
  }
  made <- NULL
  set.seed(repetition)
  fit() # loads what is needed
  line$seconds <- processor_seconds(fit())
  if (library_of != "arf") {
    value <- suppressWarnings(stats::predict(made, rows$test, type = "log_density"))
    line$log_density <- mean(value[is.finite(value)])
  }
  line
}

file <- arguments[4]
cases <- unlist(lapply(strsplit(arguments[2], ",")[[1]], function(name) {
  if (name %in% names(CASES)) CASES[[name]] else name
}))
done <- if (file.exists(file)) utils::read.csv(file)
for (repetition in seq_len(as.integer(arguments[3]))) {
  for (case in cases) {
    if (any(done$case == case & done$repetition == repetition)) next
    line <- run_case(case, repetition)
    there <- file.exists(file)
    utils::write.table(line, file, sep = ",", row.names = FALSE, col.names = !there, append = there)
    message(sprintf("%-28s %6.2f s  %9.4f", case, line$seconds, line$log_density))
  }
}
