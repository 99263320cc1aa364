# Scores of generated rows, as a named vector. A score is NA if the installed package does not have its function.
# Rows are in units of the training rows' standard deviations.

from_package <- function(name, ...) {
  f <- tryCatch(getExportedValue("particleflow", name), error = function(e) NULL)
  if (is.null(f)) return(NULL)
  tryCatch(f(...), error = function(e) {
    message("    ", name, ": ", conditionMessage(e))
    NULL
  })
}
number <- function(value) if (is.null(value)) NA_real_ else as.numeric(value)[1]
# The columns of quality.csv.
SCORE_NAMES <- c("log_likelihood", "log_likelihood_lost", "energy_distance", "c2st_auc", "precision", "recall",
                 "density", "coverage", "novelty", "novelty_5", "far", "duplicates", "rows_lost", "seconds",
                 "seconds_density", "flow_steps", "failed")
SCORE_FUNCTIONS <- c("energy_distance", "c2st", "prdc", "novelty")

closeness_scores <- function(new, train, holdout, seed) {
  set.seed(seed)
  quality <- as.list(from_package("prdc", holdout, new, k = 5))
  test <- from_package("c2st", holdout, new, seed = seed)
  c(
    energy_distance = number(from_package("energy_distance", new, holdout)),
    c2st_auc = number(test$auc),
    precision = number(quality$precision), recall = number(quality$recall),
    density = number(quality$density), coverage = number(quality$coverage),
    novelty_scores(new, train, holdout)
  )
}

novelty_scores <- function(new, train, holdout) {
  result <- from_package("novelty", new, train, holdout, scale = FALSE)
  if (is.null(result)) return(c(novelty = NA, novelty_5 = NA, duplicates = NA))
  c(novelty = result$ratio, novelty_5 = result$ratio_5, duplicates = result$duplicates)
}

# 99 % quantile of the distance to the nearest training row, divided by that of the reference.
far_score <- function(new, train, reference) {
  result <- from_package("novelty", new, train, reference, scale = FALSE)
  if (is.null(result)) return(NA)
  far <- vapply(result$distance, stats::quantile, 0, probs = 0.99, names = FALSE)
  far[["synthetic"]] / far[["reference"]]
}

# The mean over the held-out rows with a finite log-density, and the share of rows without one.
likelihood_scores <- function(log_density) {
  log_density[is.na(log_density)] <- -Inf
  finite <- is.finite(log_density)
  c(log_likelihood = if (any(finite)) mean(log_density[finite]) else NA,
    log_likelihood_lost = mean(!finite))
}
