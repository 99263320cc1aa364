# The free scale of an entry of the bench: no bounds, one column per degree of freedom. The rivals work on it, reference
# draws are kept on it, and energy distances are taken on it. It is written apart from the package so that an error
# there shows.
#
# lower and upper -> logit; lower alone -> log(x - lower); upper alone -> -log(upper - x);
# ordered (x1 < x2 < ...) -> x1, log(x2 - x1), ...; simplex (x1 + ... + xK = 1) -> log(x1 / xK), ..., log(x[K-1] / xK).

groups_of <- function(groups) if (is.null(groups)) list() else if (is.list(groups)) groups else list(groups)

# x [n, parameters] -> z [n, free]
to_free_scale <- function(entry, x) {
  x <- x[, entry$parameters, drop = FALSE]
  z <- x
  for (name in entry$parameters) {
    a <- entry$lower[[name]]
    b <- entry$upper[[name]]
    v <- x[, name]
    if (is.finite(a) && is.finite(b)) z[, name] <- log(v - a) - log(b - v)
    else if (is.finite(a)) z[, name] <- log(v - a)
    else if (is.finite(b)) z[, name] <- -log(b - v)
  }
  for (group in groups_of(entry$ordered)) {
    z[, group[-1]] <- log(x[, group[-1]] - x[, group[-length(group)]])
  }
  for (group in groups_of(entry$simplex)) {
    last <- group[length(group)]
    z[, group] <- log(x[, group]) - log(x[, last])
  }
  z[, free_names(entry), drop = FALSE]
}

free_names <- function(entry) {
  last <- vapply(groups_of(entry$simplex), function(group) group[length(group)], "")
  setdiff(entry$parameters, last)
}

# z [n, free] -> list(x [n, parameters], log_jacobian [n])
from_free_scale <- function(entry, z) {
  x <- matrix(0, nrow(z), length(entry$parameters), dimnames = list(NULL, entry$parameters))
  x[, free_names(entry)] <- z
  jacobian <- numeric(nrow(z))
  for (name in free_names(entry)) {
    a <- entry$lower[[name]]
    b <- entry$upper[[name]]
    v <- x[, name]
    if (is.finite(a) && is.finite(b)) {
      x[, name] <- a + (b - a) * plogis(v)
      jacobian <- jacobian + log(b - a) + plogis(v, log.p = TRUE) + plogis(-v, log.p = TRUE)
    } else if (is.finite(a)) {
      x[, name] <- a + exp(v)
      jacobian <- jacobian + v
    } else if (is.finite(b)) {
      x[, name] <- b - exp(-v)
      jacobian <- jacobian - v
    }
  }
  for (group in groups_of(entry$ordered)) for (k in seq_along(group)[-1]) {
    jacobian <- jacobian + x[, group[k]]
    x[, group[k]] <- x[, group[k - 1]] + exp(x[, group[k]])
  }
  for (group in groups_of(entry$simplex)) {
    x[, group[length(group)]] <- 0
    share <- x[, group, drop = FALSE]
    share <- share - apply(share, 1, max)
    share <- share - log(rowSums(exp(share)))
    jacobian <- jacobian + rowSums(share)
    x[, group] <- exp(share)
  }
  list(x = x, log_jacobian = jacobian)
}

# Gradient on the free scale from the gradient g on the user's scale, with the Jacobian's part.
free_gradient <- function(entry, x, g) {
  colnames(g) <- entry$parameters
  for (name in free_names(entry)) {
    a <- entry$lower[[name]]
    b <- entry$upper[[name]]
    v <- x[, name]
    if (is.finite(a) && is.finite(b)) g[, name] <- g[, name] * (v - a) * (b - v) / (b - a) + (a + b - 2 * v) / (b - a)
    else if (is.finite(a)) g[, name] <- g[, name] * (v - a) + 1
    else if (is.finite(b)) g[, name] <- g[, name] * (b - v) - 1
  }
  for (group in groups_of(entry$ordered)) {
    # x_k = z_1 + exp(z_2) + ... + exp(z_k): the derivative by z_k gathers the gradients of x_k and all after it
    tail_sum <- g[, group, drop = FALSE]
    for (k in rev(seq_along(group))[-1]) tail_sum[, k] <- tail_sum[, k] + tail_sum[, k + 1]
    g[, group[1]] <- tail_sum[, 1]
    for (k in seq_along(group)[-1]) g[, group[k]] <- tail_sum[, k] * (x[, group[k]] - x[, group[k - 1]]) + 1
  }
  for (group in groups_of(entry$simplex)) {
    share <- x[, group, drop = FALSE]
    inner <- rowSums(share * g[, group, drop = FALSE])
    g[, group] <- share * (g[, group, drop = FALSE] - inner) + 1 - length(group) * share
  }
  g[, free_names(entry), drop = FALSE]
}

# The entry as rivals see it: functions of z [n, free], which count the points that they were asked for. A point outside
# the support has log-density -Inf and gradient 0.
on_free_scale <- function(entry) {
  count <- new.env()
  count$evaluations <- 0
  names <- free_names(entry)
  named <- function(z) {
    if (is.null(dim(z))) z <- matrix(z, 1)
    dimnames(z) <- list(NULL, names)
    z
  }
  value <- function(z) {
    z <- named(z)
    count$evaluations <- count$evaluations + nrow(z)
    at <- from_free_scale(entry, z)
    v <- suppressWarnings(entry$log_density(at$x)) + at$log_jacobian
    v[is.na(v)] <- -Inf
    v
  }
  slope <- function(z, counted = TRUE) {
    z <- named(z)
    if (counted) count$evaluations <- count$evaluations + nrow(z)
    at <- from_free_scale(entry, z)
    g <- free_gradient(entry, at$x, suppressWarnings(entry$gradient(at$x)))
    g[!is.finite(g)] <- 0
    g
  }
  list(value = value, slope = slope, dim = length(names), names = names, count = count)
}
