# The shape of a density: which parameters are constrained, and how. It is NULL if none is, otherwise a list of
#   parts   each a list(kind, user, free, ...): a kind of flow-density-maps.R, columns of the user's parameters, columns
#           of free coordinates, and bounds
#   labels  [free coordinates]: what a free coordinate is called in messages

# size: the number of the user's parameters; names: theirs or NULL.
new_shape <- function(size, names, lower = NULL, upper = NULL, simplex = NULL, ordered = NULL, correlation = NULL) {
  lower <- parameter_bounds(lower, "lower", -Inf, size, names)
  upper <- parameter_bounds(upper, "upper", Inf, size, names)
  crossed <- which(!(lower < upper))
  if (length(crossed)) {
    fail("`lower` must be below `upper`, but for %s they are %s and %s.", parameter_label(crossed[1], names),
         format(lower[crossed[1]]), format(upper[crossed[1]]))
  }
  blocks <- c(block_parts(simplex, "simplex", names), block_parts(ordered, "ordered", names),
              block_parts(correlation, "correlation", names))
  members <- unlist(lapply(blocks, `[[`, "user"))
  twice <- members[duplicated(members)]
  if (length(twice)) fail("%s must stand in one constraint, but it stands in two.", parameter_label(twice[1], names))
  blocks <- lapply(blocks, block_bounds, lower, upper, names)
  single <- setdiff(seq_len(size), members)
  kinds <- c("free", "lower", "upper", "interval")[1 + is.finite(lower) + 2 * is.finite(upper)]
  if (!length(blocks) && all(kinds == "free")) return(NULL)
  place_parts(blocks, single, kinds, lower, upper, names)
}

# Free coordinates in the order of the user's parameters; those of a block stand where its first member stands.
place_parts <- function(blocks, single, kinds, lower, upper, names) {
  first <- c(vapply(blocks, function(block) block$user[1], 1), single)
  count <- c(vapply(blocks, `[[`, 1, "count"), rep(1, length(single)))
  by_place <- order(first)
  begins <- numeric(length(first))
  begins[by_place] <- cumsum(c(0, count[by_place]))[seq_along(first)]
  labels <- character(sum(count))
  for (b in seq_along(blocks)) {
    blocks[[b]]$free <- begins[b] + seq_len(count[b])
    labels[blocks[[b]]$free] <- sprintf("the %s of %s", blocks[[b]]$kind, quoted(names[blocks[[b]]$user]))
    blocks[[b]]$count <- NULL
  }
  at <- begins[length(blocks) + seq_along(single)] + 1
  labels[at] <- vapply(single, parameter_label, "", names)
  groups <- lapply(unique(kinds[single]), function(kind) {
    own <- kinds[single] == kind
    list(kind = kind, user = single[own], free = at[own], lower = lower[single[own]], upper = upper[single[own]])
  })
  list(parts = c(blocks, groups), labels = labels)
}

# parameter "sigma", or parameter 3
parameter_label <- function(index, names) {
  if (is.null(names)) sprintf("parameter %d", index) else sprintf("parameter \"%s\"", names[index])
}

parameter_bounds <- function(bound, what, none, size, names) {
  if (is.null(bound)) return(rep(none, size))
  given <- names(bound)
  if (!is.numeric(bound) || anyNA(bound) || !(length(bound) %in% c(1L, size) || !is.null(given))) {
    fail("`%s` must be one number, one for each of the %d parameters, or numbers with the names of parameters, not %s.",
         what, size, describe(bound))
  }
  if (is.null(given)) return(rep_len(as.double(bound), size))
  out <- rep(none, size)
  out[parameter_index(given, what, names)] <- as.double(bound)
  out
}

# Columns of the parameters of these names.
parameter_index <- function(given, what, names) {
  if (is.null(names)) fail("`%s` names parameters, so `dim` must give the names of all parameters.", what)
  index <- match(given, names)
  if (anyNA(index)) fail("`%s` names %s, which `dim` does not.", what, quoted(given[is.na(index)]))
  if (anyDuplicated(index)) fail("`%s` names %s twice.", what, quoted(given[duplicated(index)]))
  index
}

# The parts of a kind: `given` is NULL, a vector of names, or a list of such vectors.
block_parts <- function(given, kind, names) {
  if (is.null(given)) return(list())
  if (!is.list(given)) given <- list(given)
  lapply(unname(given), function(block) {
    if (!is.character(block) || anyNA(block)) {
      fail("`%s` must be a vector of names of parameters, or a list of such vectors, not %s.", kind, describe(block))
    }
    user <- parameter_index(block, kind, names)
    k <- length(user)
    if (kind != "correlation" && k < 2) fail("`%s` must name at least two parameters, not %d.", kind, k)
    if (kind == "correlation" && (k < 1 || k != choose(part_order(matrix(0, 1, k)), 2))) {
      fail("`correlation` must name K (K - 1) / 2 parameters (1, 3, 6, ...), not %d.", k)
    }
    list(kind = kind, user = user, count = if (kind == "simplex") k - 1L else k)
  })
}

# Bounds of the members of a block. A simplex or a correlation has its own; the first of ordered parameters may have a
# lower one.
block_bounds <- function(block, lower, upper, names) {
  lower <- lower[block$user]
  upper <- upper[block$user]
  own <- switch(block$kind, simplex = c(0, 1), correlation = c(-1, 1), c(Inf, -Inf))
  allowed_lower <- if (block$kind == "ordered") rep(lower[1], length(lower)) else rep(own[1], length(lower))
  bad <- which(lower > allowed_lower | upper < if (block$kind == "ordered") Inf else own[2])
  if (length(bad)) {
    fail("`lower` and `upper` cannot bound %s, which stands in `%s`%s.", parameter_label(block$user[bad[1]], names),
         block$kind, if (block$kind == "ordered") " (only one `lower` for all of its members can)" else "")
  }
  c(block, list(lower = if (block$kind == "ordered") lower[1] else NULL))
}

# ---- there and back --------------------------------------------------------------------------------------

# list(x [n, size], log_jacobian [n]) at free coordinates z [n, dim].
shape_place <- function(shape, z, size) {
  x <- matrix(0, nrow(z), size)
  log_jacobian <- numeric(nrow(z))
  for (part in shape$parts) {
    placed <- density_maps[[part$kind]]$place(part, z[, part$free, drop = FALSE])
    x[, part$user] <- placed$x
    log_jacobian <- log_jacobian + placed$log_jacobian
  }
  list(x = x, log_jacobian = log_jacobian)
}

# The gradient [n, dim] by z of (function of x with gradient g) + log_jacobian.
shape_pull <- function(shape, z, x, g) {
  out <- z
  for (part in shape$parts) {
    out[, part$free] <- density_maps[[part$kind]]$pull(part, z[, part$free, drop = FALSE],
                                                       x[, part$user, drop = FALSE], g[, part$user, drop = FALSE])
  }
  out
}

# z [n, dim] of parameters x [n, size]. It is not finite where x does not satisfy a constraint.
shape_invert <- function(shape, x) {
  z <- matrix(0, nrow(x), length(shape$labels))
  for (part in shape$parts) {
    z[, part$free] <- density_maps[[part$kind]]$invert(part, x[, part$user, drop = FALSE])
  }
  z
}
