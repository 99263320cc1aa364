# Rscript bench/quality/speed.R: seconds that this package, arf and synthpop need to fit and to draw as many rows as are
# held out, on the reporting tables. Best of three rounds; in a round the methods run one after the other. Run it on an
# idle machine; it uses two threads. Writes results/speed.csv.
library(particleflow)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
for (part in c("families.R", "tables.R", "methods.R")) source(file.path(here, part))
particleflow_threads(2)

methods <- Filter(has_packages, c("efs calibrated", "efs no flow", "arf", "synthpop"))
speed <- do.call(rbind, lapply(names(REPORTING_TABLES), function(name) {
  parts <- table_split(name, 1)
  train <- unname(scale(parts$train))[, ]
  seconds <- replicate(3, vapply(methods, function(method) {
    system.time(METHODS[[method]]$run(train, nrow(parts$holdout), 1, NULL))[["elapsed"]]
  }, 0))
  best <- apply(seconds, 1, min)
  message(name, ": ", toString(sprintf("%s %.2f s", methods, best)))
  data.frame(table = name, rows = nrow(train), columns = ncol(train), t(round(best, 2)), check.names = FALSE)
}))
utils::write.csv(speed, file.path(here, "results", "speed.csv"), row.names = FALSE)
print(speed)
