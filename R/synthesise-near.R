# Draws near given rows.

# near: a data frame of rows of the table, in which columns may be absent and values missing. Returns low and high
# [k, d], the cells of the scores of each row, the whole line where nothing is known; known [k, d], whether a score is
# known; and class [k].
read_near <- function(near, fit) {
  template <- fit$table
  if (is.null(template$names)) fail("`near` needs columns with names, but the table had none.")
  if (!is.data.frame(near) || nrow(near) == 0) {
    fail("`near` must be a data frame of at least one row of the table, not %s.", describe(near))
  }
  unknown <- setdiff(names(near), c(template$names, template$group$name, template$left_out))
  if (length(unknown)) fail("`near` names %s, but the table has no such column.", quoted(unknown))
  if (is_grouped(fit) && !template$group$name %in% names(near)) {
    fail("`near` needs the column \"%s\", because the fit has groups.", template$group$name)
  }
  class <- as.character(new_group(fit, near, NULL, nrow(near)))
  whole <- as.data.frame(near, stringsAsFactors = FALSE)
  whole[setdiff(template$names, names(whole))] <- NA
  read <- encode_mixed(whole, template, "near")
  known <- !is.na(read$points)
  for (j in seq_along(template$names)) {
    present <- !is.na(unbox(whole[[template$names[j]]]))
    own <- !is.null(template$columns[[template$of[j]]][["missing"]])
    if (own) known[, cumsum(template$dims)[j]] <- FALSE
    for (piece in if (any(present) && template$dims[j] > 0) indicator_pieces(j, FALSE, template)) {
      known[present, piece$at] <- TRUE
      read$low[present, piece$at] <- piece$low
      read$high[present, piece$at] <- piece$high
    }
  }
  out <- which(rowSums(known & abs(read$points) >= largest_score, na.rm = TRUE) > 0)
  if (length(out)) fail("`near` has values that the fit holds impossible, in row %d.", out[1])
  read$low[!known] <- -Inf
  read$high[!known] <- Inf
  list(low = read$low, high = read$high, known = known, class = class)
}

# n draws, one near each row, or all near the only one. See the help of simulate() for their law.
near_draws <- function(fit, rows, n, spread, density_floor, threads) {
  flows <- class_flows(fit)
  of <- rep_len(seq_along(rows$class), n)
  points <- matrix(0, n, ncol(rows$low))
  key <- draw_key()
  for (class in unique(rows$class[of])) {
    mine <- which(rows$class[of] == class)
    own <- other_key(key, 0L, match(class, names(flows)))
    points[mine, ] <- near_points(flows[[class]], lapply(rows[c("low", "high", "known")], function(part) {
      part[of[mine], , drop = FALSE]
    }), spread, fit, density_floor, own, threads)
  }
  list(points = points, group = row_groups(fit, rows$class[of]))
}

near_points <- function(flow, rows, spread, fit, density_floor, key, threads) {
  n <- nrow(rows$low)
  free <- function(n, key) draw_rows(flow, n, key, fit$control$backward, density_floor, FALSE, threads, FALSE)$points
  if (spread == 1) return(free(n, key))
  centre <- flow_within(flow, rows$low, rows$high, fit$correlation, key, threads)
  if (any(centre$log_probability == -Inf)) {
    stop_unsolved("`near` has a row without any probability under the fit.")
  }
  centre <- centre$points
  if (spread == 0) return(centre)
  width <- spread / sqrt(1 - spread^2)
  choose_proposals(n, ncol(centre), function(at, round) {
    known <- rows$known[at, , drop = FALSE]
    middle <- centre[at, , drop = FALSE]
    gaussian <- gaussian_near(middle, known, width, fit$correlation, other_key(key, 64L + round, 2L))
    z <- gaussian$points
    from_law <- seq_along(at) %% 2 == 1
    z[from_law, ] <- free(sum(from_law), other_key(key, 64L + round, 3L))
    law <- as.vector(flow_log_density(flow, z, threads))
    closeness <- -rowSums((known * (z - middle))^2) / (2 * width^2)
    # half of the proposals come from the law, half from a Gaussian law near the row (the balance heuristic)
    list(points = z, log_weight = law + closeness - log_mean_exp(cbind(law, gaussian$log_density(z)), c(0.5, 0.5)))
  }, other_key(key, 5L), first = 64L)$points
}

# Draws from the Gaussian law of scores with the correlations `correlation`, given that a measurement of the known
# coordinates with normal errors of standard deviation `width` was `middle`. log_density(z) is that of each row.
gaussian_near <- function(middle, known, width, correlation, key) {
  noise <- draw_normal(nrow(middle), ncol(middle), key)
  centre <- points <- middle
  constant <- numeric(nrow(middle))
  inverse <- chol2inv(chol(correlation))
  pattern <- match(do.call(paste, as.data.frame(known)), unique(do.call(paste, as.data.frame(known))))
  roots <- lapply(split(seq_along(pattern), pattern), function(rows) {
    chol(inverse + diag(known[rows[1], ] / width^2, ncol(known)))
  })
  for (k in seq_along(roots)) {
    rows <- which(pattern == k)
    root <- roots[[k]]
    aim <- t(known[rows, , drop = FALSE] * middle[rows, , drop = FALSE]) / width^2
    centre[rows, ] <- t(backsolve(root, backsolve(root, aim, transpose = TRUE)))
    points[rows, ] <- centre[rows, ] + t(backsolve(root, t(noise[rows, , drop = FALSE])))
    constant[rows] <- sum(log(diag(root))) - ncol(middle) * log(2 * pi) / 2
  }
  log_density <- function(z) {
    value <- constant
    for (k in seq_along(roots)) {
      rows <- which(pattern == k)
      away <- t(z[rows, , drop = FALSE] - centre[rows, , drop = FALSE])
      value[rows] <- value[rows] - colSums((roots[[k]] %*% away)^2) / 2
    }
    value
  }
  list(points = points, log_density = log_density)
}
