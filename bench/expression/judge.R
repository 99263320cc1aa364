# How well new rows of an expression table pass for real ones.

# The area under the ROC curve of the scores of the rows with label 1.
auc <- function(score, label) {
  ranks <- rank(score)
  ones <- sum(label)
  (sum(ranks[label == 1]) - ones * (ones + 1) / 2) / (ones * sum(1 - label))
}

nearest <- function(from, to) {
  squares <- outer(rowSums(from^2), rowSums(to^2), "+") - 2 * tcrossprod(from, to)
  sqrt(pmax(apply(squares, 1, min), 0))
}

# The root mean square of the differences of the correlations of all pairs of 300 genes.
correlation_error <- function(x, y) {
  difference <- stats::cor(x) - stats::cor(y)
  sqrt(mean(difference[upper.tri(difference)]^2, na.rm = TRUE))
}

# fitted [n, p]: the rows of the fit; held [m, p]: the others; new [m, p]: as many new rows; many: ten times as many.
judge <- function(fitted, held, new, many, seed) {
  variance <- apply(rbind(fitted, held), 2, stats::var)
  top <- order(-variance)[seq_len(min(2000, ncol(held)))]
  frame <- data.frame(rbind(held, new)[, top])
  names(frame) <- paste0("gene", seq_along(top))
  label <- rep(0:1, c(nrow(held), nrow(new)))
  forest <- ranger::ranger(x = frame, y = factor(label), probability = TRUE, num.trees = 500, seed = seed,
                           num.threads = 2)
  some <- top[round(seq(1, length(top), length.out = 300))]
  halves <- correlation_error(fitted[, some], held[, some])
  c(auc = auc(forest$predictions[, 2], label),
    novelty = stats::median(nearest(new[, top], fitted[, top])) / stats::median(nearest(held[, top], fitted[, top])),
    variance = stats::median(apply(many[, top], 2, stats::var) / apply(fitted[, top], 2, stats::var)),
    correlation = correlation_error(new[, some], held[, some]) / halves,
    correlation_many = correlation_error(many[, some], held[, some]) / halves)
}
