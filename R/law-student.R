# A mixture of multivariate t by EM with a conjugate prior: `prior` pseudo-rows of a
# sphere as wide as the component, so that a component needs fewer rows than dimensions.
# `df = Inf`: Gaussian components, whose predictive law is a t with as many degrees of
# freedom as the component has rows, pseudo-rows included.
law_student <- function(points, s, components = 1L, df = Inf, prior = ncol(points) + 2) {
  components <- min(check_count(components, "components", 1L), nrow(points))
  if (!identical(df, Inf)) df <- check_number(df, "df", lower = 0, open_lower = TRUE)
  prior <- check_number(prior, "prior", lower = 0, open_lower = TRUE)
  fit <- fit_student(points, components, df, prior)
  if (is.null(fit)) {
    fail("The EM algorithm found no mixture of %d t distributions for %d rows in %d dimensions; take fewer `components`.",
         components, nrow(points), ncol(points))
  }
  widen <- sqrt(1 + 1 / pmax(fit$rows, 1))
  new_law("student", components = components, weights = fit$rows / nrow(points), means = fit$means,
          roots = Map(function(root, factor) factor * root, fit$roots, widen),
          df = if (is.finite(df)) rep(df, components) else fit$rows + prior, prior = prior)
}

# `rows`: the expected number of rows of each component.
fit_student <- function(points, components, df, prior, most_steps = 80L) {
  n <- nrow(points)
  d <- ncol(points)
  points <- unname(points)
  columns <- t(points)
  share <- outer(ward_classes(points, components), seq_len(components), "==") + 0
  pull <- matrix(1, n, components) # the weight of a row in its component's moments
  before <- -Inf
  for (step in seq_len(most_steps)) {
    rows <- colSums(share)
    weight <- share * pull
    means <- crossprod(weight, points) / pmax(colSums(weight), 1e-300)
    scatter <- lapply(seq_len(components), function(g) {
      crossprod((points - rep(means[g, ], each = n)) * sqrt(weight[, g]))
    })
    traces <- vapply(scatter, function(one) sum(diag(one)), 0)
    level <- (traces + sum(traces) / n) / (rows + 1) / d
    roots <- tryCatch(lapply(seq_len(components), function(g) {
      chol((scatter[[g]] + diag(prior * level[g], d)) / (rows[g] + prior))
    }), error = function(e) NULL)
    if (is.null(roots) || !all(is.finite(means))) return(NULL)
    lengths <- vapply(seq_len(components), function(g) squared_lengths(columns, means[g, ], roots[[g]]), numeric(n))
    each <- t_log_density(matrix(lengths, n), roots, rep(df, components), d) + rep(log(rows / n), each = n)
    total <- log_mean_exp(each, rep(1, components))
    share <- exp(each - total)
    if (is.finite(df)) pull <- (df + d) / (df + lengths)
    if (!is.finite(sum(total))) return(NULL)
    if (sum(total) - before < 1e-3 * sqrt(n)) break
    before <- sum(total)
  }
  list(rows = rows, means = means, roots = roots)
}

# Classes of Ward's hierarchy on at most 1000 rows, evenly spaced; the others join the
# nearest mean. Nothing is drawn.
ward_classes <- function(points, components) {
  n <- nrow(points)
  if (components == 1) return(rep(1L, n))
  some <- unique(round(seq(1, n, length.out = min(n, 1000))))
  cut <- stats::cutree(stats::hclust(stats::dist(points[some, , drop = FALSE]), "ward.D2"), components)
  centres <- rowsum(points[some, , drop = FALSE], cut) / as.vector(table(cut))
  neighbours(points, unname(centres), 1L)$index[, 1]
}

# (x - m)' C^-1 (x - m) of each column, C = R'R.
squared_lengths <- function(columns, mean, root) {
  colSums(backsolve(root, columns - mean, transpose = TRUE)^2)
}

# Log-densities [n, components] from squared lengths; Gaussian where df is infinite.
t_log_density <- function(lengths, roots, df, d) {
  for (g in seq_along(roots)) {
    tail <- if (is.finite(df[g])) {
      lgamma((df[g] + d) / 2) - lgamma(df[g] / 2) - d / 2 * log(df[g] * pi) - (df[g] + d) / 2 * log1p(lengths[, g] / df[g])
    } else {
      -d / 2 * log(2 * pi) - lengths[, g] / 2
    }
    lengths[, g] <- tail - sum(log(diag(roots[[g]])))
  }
  lengths
}

#' @export
law_density.law_student <- function(law, points, threads, self = FALSE, ...) {
  columns <- t(points)
  lengths <- vapply(seq_along(law$roots), function(g) squared_lengths(columns, law$means[g, ], law$roots[[g]]),
                    numeric(nrow(points)))
  each <- t_log_density(matrix(lengths, nrow(points)), law$roots, law$df, ncol(points))
  matrix(log_mean_exp(each, law$weights))
}

#' @export
draw_law.law_student <- function(law, n, key, threads) {
  u <- draw_uniform(n, 2, key)
  from <- pmin(findInterval(u[, 1], cumsum(law$weights), rightmost.closed = TRUE) + 1, length(law$weights))
  noise <- draw_normal(n, ncol(law$means), key, stream = 1L)
  noise <- noise * sqrt(law$df[from] / stats::qchisq(u[, 2], law$df[from]))
  for (g in unique(from)) {
    rows <- which(from == g)
    noise[rows, ] <- noise[rows, , drop = FALSE] %*% law$roots[[g]] + rep(law$means[g, ], each = length(rows))
  }
  noise
}
