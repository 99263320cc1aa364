# The modes that a run of temper() found, on the user's scale.

parameter_columns <- function(density) {
  if (!is.null(density$names)) density$names else paste0("x", seq_len(density$size))
}

# One row per mode: the parameters, the log-density on the free scale, the number of searches that found it, whether it
# is at an edge or has no end, and its share of the draws: each draw counts for the mode whose normal law is most
# likely there.
mode_table <- function(run, free, columns) {
  modes <- run$modes
  if (!length(modes$roots)) return(NULL)
  at <- to_user(run$density, modes$points)
  colnames(at) <- columns
  lengths <- squared_lengths(free, modes$points, modes$roots)
  each <- t_log_density(lengths, modes$roots, rep(3, length(modes$roots)), ncol(free))
  share <- tabulate(max.col(each, "first"), length(modes$roots)) / nrow(free)
  out <- data.frame(log_density = modes$log_density, searches = modes$count, edge = modes$edge, share = share)
  cbind(out, at)[order(-share), , drop = FALSE]
}
