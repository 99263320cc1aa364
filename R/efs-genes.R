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
  if (isTRUE(control$borrows) && length(rows) == 1) {
    control$laws <- list(do.call(law_ensemble, choose_clusters(z)))
    return(control)
  }
  share <- round(prior / (prior + length(rows[[class]]) - 1), 3)
  if (share > 0) {
    control$laws <- list(law_ensemble(borrowed = share, others = list(other_deviations(z, rows, class))))
  }
  control
}

# What the setting `borrowed` of the laws of classes means, as a line of print(). NULL: no class borrows.
borrowed_line <- function(fit) {
  if (!holds_all_components(fit$latent) || !is.null(fit$control$law)) return(NULL)
  if (any(grepl("borrowed = ", fit$diagnostics$law, fixed = TRUE))) {
    "borrowed: the share of the covariance that comes from the other classes"
  }
}

holds_all_components <- function(latent) latent$name %in% c("genes", "counts")

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

# ---- clusters ----------------------------------------------------------------------------------------------

most_clusters <- 10L
least_cluster <- 5L

# clusters and prior of law_ensemble() for rows without classes: those with the highest log-likelihood of the leading
# coordinates of rows that are left out in folds. Several clusters must be better than one by two standard errors.
choose_clusters <- function(z) {
  x <- leading_columns(z)
  n <- nrow(x)
  most <- max(1L, min(most_clusters, n %/% (4L * least_cluster)))
  able <- Filter(function(k) min(tabulate(ward_classes(x, k))) >= least_cluster, seq_len(most))
  tried <- expand.grid(prior = prior_grid[-1], clusters = able)
  if (max(able, 0) < 2) return(list(clusters = 1))
  folds <- make_folds(n, NULL, 5L)
  each <- matrix(0, n, nrow(tried))
  for (fold in unique(folds)) {
    held <- folds == fold
    for (k in unique(tried$clusters)) {
      of <- ward_classes(x[!held, , drop = FALSE], k)
      for (j in which(tried$clusters == k)) {
        each[held, j] <- clusters_density(x[held, , drop = FALSE], x[!held, , drop = FALSE], of, tried$prior[j])
      }
    }
  }
  one <- which(tried$clusters == 1)
  one <- one[which.max(colMeans(each)[one])]
  best <- which.max(colMeans(each))
  gain <- each[, best] - each[, one]
  if (!isTRUE(mean(gain) > 2 * stats::sd(gain) / sqrt(n))) return(list(clusters = 1))
  as.list(tried[best, c("clusters", "prior")])
}

# The log-density of rows under a mixture of normal laws with diagonal covariances, one per cluster of `fitted`.
clusters_density <- function(rows, fitted, of, prior) {
  size <- tabulate(of)
  means <- rowsum(fitted, of) / size
  squares <- (fitted - means[of, , drop = FALSE])^2
  pooled <- colSums(squares) / max(nrow(fitted) - length(size), 1)
  own <- rowsum(squares, of) / pmax(size - 1, 1)
  each <- vapply(seq_along(size), function(k) {
    share <- prior / (prior + size[k] - 1)
    sd <- sqrt((1 - share) * own[k, ] + share * pooled)
    colSums(stats::dnorm(t(rows), means[k, ], sd, log = TRUE)) + log(size[k] / sum(size))
  }, numeric(nrow(rows)))
  log_mean_exp(matrix(each, nrow(rows)), rep(1, length(size)))
}
