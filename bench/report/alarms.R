# Rscript bench/report/alarms.R LIBRARY WHICH REPETITIONS FILE: how often fidelity() calls two samples of one law
# anything but "close and new" (or "close, but novelty unknown" where equal rows leave novelty open). One row per shape,
# with the 95 % binomial interval. Settings are cheap: two splits, 99 permutations.
arguments <- commandArgs(TRUE)
suppressMessages(library(particleflow, lib.loc = arguments[1]))
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "shapes.R"))
repetitions <- as.integer(arguments[3])
permutes <- "n_permutations" %in% names(formals(fidelity))

alarm <- function(shape, seed) {
  set.seed(seed)
  tables <- draw_shape(shape)
  settings <- if (permutes) list(splits = 2, n_permutations = 99) else list()
  if ("expression" %in% names(formals(fidelity))) settings$expression <- FALSE
  report <- do.call(fidelity, c(tables[lengths(tables) > 0], settings, list(threads = 1, seed = seed)))
  correlated <- is.null(report$correlation) || report$correlation$agrees
  c(verdict = !report$verdict[["overall"]] %in% c("close and new", "close, but novelty unknown"),
    scores = !all(report$scores$alike), columns = !all(report$columns$agrees, report$shares$agrees),
    correlations = !correlated, novelty = !grepl("and new$|unknown$|joint law|but new$", report$verdict[["overall"]]))
}

rows <- lapply(names(shapes), function(name) {
  found <- vapply(seq_len(repetitions), function(seed) alarm(shapes[[name]], seed), logical(5))
  interval <- binom.test(sum(found["verdict", ]), repetitions)$conf.int
  row <- data.frame(which = arguments[2], shape = name, repetitions = repetitions, alarms = sum(found["verdict", ]),
                    low = round(interval[1], 4), high = round(interval[2], 4), t(rowSums(found)[-1]))
  print(row, row.names = FALSE)
  row
})
write.csv(do.call(rbind, rows), arguments[4], row.names = FALSE)
