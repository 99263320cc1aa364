# The modes that a run of temper() found, on the user's scale.

parameter_columns <- function(density) {
  if (!is.null(density$names)) density$names else paste0("x", seq_len(density$size))
}

# One row per mode: the log-density on the free scale, the number of searches that found it, whether it is at an edge or
# has no end, its share of the draws, its share of the mass if each mode had its normal law, the parameters. Each draw
# counts for the mode whose law is most likely there.
# Searches that ended at an edge count as modes only if there are no others.
mode_table <- function(run, free, columns) {
  modes <- run$modes
  if (!length(modes$roots)) return(NULL)
  proper <- if (all(modes$edge)) seq_along(modes$edge) else which(!modes$edge)
  roots <- modes$roots[proper]
  points <- modes$points[proper, , drop = FALSE]
  each <- t_log_density(squared_lengths(free, points, roots), roots, rep(3, length(roots)), ncol(free))
  at <- to_user(run$density, points)
  colnames(at) <- columns
  mass <- mode_log_mass(list(roots = roots, log_density = modes$log_density[proper]))
  mass <- exp(mass - max(mass))
  own <- data.frame(log_density = modes$log_density[proper], searches = modes$count[proper], edge = modes$edge[proper],
                    share = tabulate(max.col(each, "first"), length(roots)) / nrow(free), mass = mass / sum(mass))
  out <- cbind(own, at)
  names(out) <- make.unique(c(names(own), columns))
  out <- out[order(-out$share), , drop = FALSE]
  rownames(out) <- NULL
  out
}
