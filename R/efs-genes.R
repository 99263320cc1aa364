# Fits of all components of normal scores: the law of each class, and what a class of few rows borrows.

# Unless the user asks for a law, all components of scores have the law ensemble, in their own unit.
with_ensemble <- function(control, latent) {
  if (!holds_all_components(latent) || !is.null(control$laws)) return(control)
  control[c("laws", "scale", "borrows")] <- list(list(law_ensemble()), FALSE, TRUE)
  control
}

# The settings of one class. The covariance of its law is in part that of the deviations of all other rows from the
# means of their classes. z [n, d]: the latent rows. prior: see borrowed_rows().
class_control <- function(control, z, rows, class, prior) {
  control$cells <- pick_cells(control$cells, rows[[class]])
  share <- round(prior / (prior + length(rows[[class]]) - 1), 3)
  if (share > 0) {
    control$laws <- list(law_ensemble(borrowed = share, others = list(other_deviations(z, rows, class))))
  }
  control
}

holds_all_components <- function(latent) latent$name %in% c("genes", "counts")

# The deviations of the rows of other classes from the means of their classes [m, d], times a factor that makes their
# mean square the pooled variance.
other_deviations <- function(z, rows, class) {
  others <- rows[names(rows) != class]
  parts <- lapply(others, function(at) sweep(z[at, , drop = FALSE], 2, colMeans(z[at, , drop = FALSE])))
  found <- do.call(rbind, parts)
  found * sqrt(nrow(found) / (nrow(found) - length(others)))
}

# Whether the user asks for no law, no setting of a flow, and nothing that only a search needs. Only then a wide table
# has all components.
leaves_law_open <- function(control, blocks) {
  is.null(blocks) && isTRUE(control$scale) &&
    all(vapply(control[c("law", "s", "epsilon", "time", "n_steps")], is.null, NA))
}

prior_grid <- c(0, 1, 2, 5, 10, 20, 50, 100)
most_scored_components <- 30L

# The number of rows that the covariance of the other classes counts for: that with the highest log-likelihood of the
# leading coordinates of each row, whose variances come from all other rows. The coordinates are taken one by one,
# because a covariance of full rank has no density here.
borrowed_rows <- function(control, z, rows) {
  if (!isTRUE(control$borrows) || length(rows) < 2) return(0)
  z <- z[, seq_len(min(ncol(z), most_scored_components)), drop = FALSE]
  scored <- names(rows)[lengths(rows) > 3]
  if (!length(scored)) return(prior_grid[length(prior_grid)])
  scores <- vapply(prior_grid, function(prior) {
    sum(vapply(scored, function(class) left_out_score(z, rows, class, prior), 0))
  }, 0)
  prior_grid[which.max(scores)]
}

# The sum of log-densities of the rows of one class, each given the others.
left_out_score <- function(z, rows, class, prior) {
  own <- z[rows[[class]], , drop = FALSE]
  n <- nrow(own)
  others <- colMeans(other_deviations(z, rows, class)^2)
  total <- colSums(own)
  mean <- (rep(total, each = n) - own) / (n - 1)
  squares <- rep(colSums(own^2), each = n) - own^2
  variance <- (squares - (n - 1) * mean^2) / (n - 2)
  share <- prior / (prior + n - 2)
  sum(stats::dnorm(own, mean, sqrt((1 - share) * variance + share * rep(others, each = n)), log = TRUE))
}
