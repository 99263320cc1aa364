# Reads the files of run.R: all the csv of a directory, or the files named. Sourced by table.R and plot.R.
METHOD_ORDER <- c("particleflow", "synthpop", "arf", "synthesizer", "ForestDiffusion", "train", "second")

read_results <- function(files) {
  lines <- do.call(rbind, lapply(files, utils::read.csv, colClasses = c(note = "character", version = "character")))
  lines <- lines[!duplicated(lines[c("table", "split", "method")], fromLast = TRUE), ]
  lines$distance <- abs(lines$auc - 0.5)
  lines$loss <- lines$useful_real - lines$useful
  lines$copies <- lines$copies_new - lines$copies_test
  lines$seconds <- lines$seconds_fit + lines$seconds_draw
  known <- c(METHOD_ORDER, setdiff(lines$method, METHOD_ORDER))
  lines$method <- factor(lines$method, known[known %in% lines$method])
  lines
}

# A mean and the half width of its 95 % interval over the splits (Student's t).
mean_of_splits <- function(x) {
  x <- x[!is.na(x)]
  if (!length(x)) return(c(NA, NA))
  half <- if (length(x) > 1) stats::qt(0.975, length(x) - 1) * stats::sd(x) / sqrt(length(x)) else NA
  c(mean(x), half)
}

# The mean over `tables` within each split, then over the splits. The interval is for these tables: it says how much the
# splits change the mean, not what another choice of tables would.
mean_of_tables <- function(lines, tables, score) {
  lines <- lines[lines$table %in% tables & !is.na(lines[[score]]), ]
  if (!nrow(lines)) return(c(NA, NA))
  mean_of_splits(tapply(lines[[score]], lines$split, mean))
}

as_text <- function(x, digits) {
  if (is.na(x[1])) return("")
  if (is.na(x[2])) return(sprintf("%.*f", digits, x[1]))
  sprintf("%.*f ± %.*f", digits, x[1], digits, x[2])
}

# Splits that were run to the end: those with as many lines as the fullest one.
ended_splits <- function(lines) {
  count <- table(lines$split)
  lines[lines$split %in% names(count)[count == max(count)], ]
}

# The tables on which all of `methods` have the score in each split.
common_tables <- function(lines, methods, score) {
  has <- lines[lines$method %in% methods & !is.na(lines[[score]]), ]
  count <- table(has$table)
  names(count)[count == length(methods) * length(unique(lines$split))]
}
