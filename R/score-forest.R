# Random forests of the package ranger, for the scores that learn.

has_forest <- function() requireNamespace("ranger", quietly = TRUE)

forest_trees <- 500L

# A forest that was grown on a data frame of predictors. target: numbers, or a factor, whose probabilities are then
# learnt. seed: a whole number. ranger gives each tree a seed of its own, so the number of threads does not matter.
# fraction: how many rows each tree draws, relative to all rows; or one number per level of the target.
learn_forest <- function(x, target, seed, threads, trees = forest_trees, fraction = 1) {
  ranger::ranger(x = x, y = target, num.trees = trees, probability = is.factor(target), seed = seed,
                 num.threads = threads, respect.unordered.factors = "order", verbose = FALSE,
                 sample.fraction = fraction)
}

# [n] for numbers, [n, classes] for a factor.
forest_prediction <- function(forest, x, threads) {
  stats::predict(forest, x, num.threads = threads, verbose = FALSE)$predictions
}

# The probability of label 1 that a forest gives which has seen the other folds.
forest_scores <- function(frame, label, fold, seed, threads, trees = forest_trees) {
  threads <- thread_count(threads)
  score <- numeric(length(label))
  for (part in unique(fold)) {
    test <- fold == part
    forest <- learn_forest(frame[!test, , drop = FALSE], factor(label[!test], 0:1), seed, threads, trees)
    score[test] <- forest_prediction(forest, frame[test, , drop = FALSE], threads)[, "1"]
  }
  score
}
