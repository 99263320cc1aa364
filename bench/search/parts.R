# Rscript bench/search/parts.R LIBRARY FILE [CASE ...]: what a second of a default fit is spent on, by R's profiler, on
# one thread. Without cases: the family mixture_5 with 200, 1000 and 4000 rows in 2, 5, 10 and 20 dimensions. One line
# per case: processor seconds of a fit, and the share of each part.
arguments <- commandArgs(TRUE)
.libPaths(c(strsplit(arguments[1], ":")[[1]], .libPaths()))
suppressPackageStartupMessages(library(particleflow))
particleflow_threads(1)
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "cases.R"))

# A part is where a sample of the profile has one of these functions on its stack; the first part that has counts.
PARTS <- list(
  reading = c("read_mixed", "describe_columns"),
  settling = c("settle_table", "search_cells", "score_correlation"),
  imputation = "fill_gaps",
  flows = "search_flows",
  `trees, grown` = "grow_forest",
  `trees, smoothing` = c("choose_smoothing", "choose_prior"),
  `trees, regressions` = c("fit_base", "best_line", "regression_designs"),
  `trees, other` = c("fit_forest", "coordinate_density"),
  `t mixtures` = c("fit_student", "ward_classes", "t_log_density", "squared_lengths"),
  `local covariances` = c("local_shapes", "mixture_log_density"),
  `global kernel` = "kernel_log_density",
  stack = c("stack_columns", "best_rows", "still_in_race")
)

shares_of <- function(path) {
  stacks <- strsplit(gsub("\"", "", readLines(path)[-1]), " ")
  part <- vapply(stacks, function(stack) {
    found <- which(vapply(PARTS, function(functions) any(functions %in% stack), NA))
    if (length(found)) names(PARTS)[found[1]] else "rest"
  }, "")
  table(factor(part, c(names(PARTS), "rest"))) / length(part)
}

profile_case <- function(case, fits = 3L) {
  train <- rows_of(case, 1)$train
  fit <- function() synthesise(train, quiet = TRUE)
  fit()
  path <- tempfile()
  utils::Rprof(path, interval = 0.004)
  seconds <- processor_seconds(for (k in seq_len(fits)) fit()) / fits
  utils::Rprof(NULL)
  data.frame(case, rows = nrow(train), columns = ncol(train), seconds = round(seconds, 3),
             as.list(round(100 * shares_of(path))), check.names = FALSE)
}

cases <- arguments[-(1:2)]
if (!length(cases)) {
  grid <- expand.grid(n = c(200, 1000, 4000), d = c(2, 5, 10, 20))
  cases <- sprintf("family mixture_5:%d:%d", grid$n, grid$d)
}
found <- do.call(rbind, lapply(cases, function(case) {
  line <- profile_case(case)
  message(case, ": ", line$seconds, " s")
  line
}))
utils::write.csv(found, arguments[2], row.names = FALSE)
print(found, row.names = FALSE)
