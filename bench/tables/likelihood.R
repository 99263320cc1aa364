# Rscript bench/tables/likelihood.R LIBRARY TABLES SPLITS FILE: held-out log-likelihoods of this package and of arf on
#   one base measure, one line per table and split. LIBRARY, TABLES, SPLITS and FILE: as in run.R.
# Rscript bench/tables/likelihood.R --table FILE: prints the differences table by table.
#
# arf gives numbers a density, which can be as high as one likes at a value that is repeated. This package gives
# recorded values a probability. So here both give the mean density over the cell of a recorded value, half a unit
# to each side: of this package it is the probability over the unit; of arf it is the mean density at JITTERS random
# points of the cells of the row. Rows without missing values only, because arf::lik() leaves missing columns out. A
# table in which a column without a unit has repeated values, or in which columns determine others, has no common
# base and is left out.
JITTERS <- 5
arguments <- commandArgs(TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))

if (arguments[1] == "--table") {
  lines <- utils::read.csv(arguments[2])
  found <- lines[!nzchar(lines$note) | is.na(lines$note), ]
  each <- stats::aggregate(cbind(particleflow, arf) ~ table, found, mean)
  each$difference <- each$particleflow - each$arf
  print(each, digits = 4)
  cat(sum(each$difference > 0), "of", nrow(each), "tables are above arf;",
      length(setdiff(lines$table, each$table)), "have no common base\n")
  quit(save = "no")
}

for (part in c("tables.R", "methods.R")) source(file.path(here, part))
if (arguments[1] != "-") .libPaths(c(strsplit(arguments[1], ":")[[1]], .libPaths()))
tables <- if (arguments[2] == "reporting") REPORTING else if (arguments[2] == "tuning") TUNING else
  strsplit(arguments[2], ",")[[1]]
file <- arguments[4]

# The unit of each column as this package reads it: 0 for columns without numbers, NA for numbers without a unit.
units_of <- function(fit) {
  columns <- fit$table$columns[fit$table$of]
  vapply(columns, function(column) {
    if (column$kind %in% c("nominal", "ordered", "logical")) return(0)
    unit <- column$state$margin$unit
    if (is.null(unit)) NA_real_ else unit$size
  }, 0)
}

log_mean_exp <- function(x) apply(x, 1, function(row) max(row) + log(mean(exp(row - max(row)))))

# log-densities of arf, averaged over the cells. `alpha` and classes of columns as in methods.R. Without the argument
# `arf`, because with it arf 0.2.5 gives some rows a likelihood that is far too high (College: mean -83, median -102;
# without it -108 and -107).
arf_cells <- function(train, test, units, seed) {
  set.seed(seed)
  x <- whole_numbers(plain(train), plain(train))
  forest <- arf::adversarial_rf(x, verbose = FALSE, parallel = FALSE)
  softened <- arf::forde(forest, x, alpha = 0.1, parallel = FALSE)
  rows <- whole_numbers(plain(test), plain(train))
  each <- vapply(seq_len(JITTERS), function(k) {
    moved <- rows
    for (j in which(units > 0)) {
      if (is.numeric(moved[[j]])) moved[[j]] <- moved[[j]] + units[j] * (stats::runif(nrow(moved)) - 0.5)
    }
    arf::lik(softened, moved, batch = 500, parallel = FALSE)
  }, numeric(nrow(rows)))
  few <- vapply(plain(train), function(column) is.integer(column) && length(unique(column)) <= 5, NA)
  list(value = log_mean_exp(each), few = few)
}

for (split in eval(parse(text = paste0("c(", arguments[3], ")")))) for (table in tables) {
  done <- if (file.exists(file)) utils::read.csv(file)
  if (!is.null(done) && any(done$table == table & done$split == split)) next
  parts <- table_split(table, split)
  train <- parts$train
  test <- parts$test[stats::complete.cases(parts$test), , drop = FALSE]
  set.seed(100L + split)
  fit <- getExportedValue("particleflow", "synthesise")(train, quiet = TRUE)
  text <- format(fit)
  units <- units_of(fit)
  repeated <- vapply(train, function(column) anyDuplicated(column[!is.na(column)]) > 0, NA)
  note <- if (any(is.na(units) & repeated)) "repeated values without a unit" else
    if (any(grepl("^Computed", text))) "columns that determine others" else ""
  line <- data.frame(table, split, rows = nrow(test), particleflow = NA, arf = NA, note)
  if (!nzchar(note)) {
    units[is.na(units)] <- 0
    arf <- tryCatch(arf_cells(train, test, units, 100L + split), error = identity)
    if (inherits(arf, "error")) line$note <- note <- "arf fails"
  }
  if (!nzchar(note)) {
    # a probability of arf's (integers of few values) is one of this package's, too
    scale <- sum(log(units[units > 0 & !arf$few]))
    value <- as.numeric(stats::predict(fit, test, type = "log_density")) - scale
    finite <- is.finite(value) & is.finite(arf$value)
    line$rows <- sum(finite)
    line[c("particleflow", "arf")] <- list(mean(value[finite]), mean(arf$value[finite]))
  }
  there <- file.exists(file)
  utils::write.table(line, file, sep = ",", row.names = FALSE, col.names = !there, append = there)
  message(sprintf("%s %d: %.2f and %.2f %s", table, split, line$particleflow, line$arf, note))
}
