# The fit of a table that was read: its latent map, and one flow and law per class.

# A fit of class `class` to a table that was read. began: the time of the call. `...`: further parts of the fit.
fit_table <- function(table, latent, blocks, control, call, class, began, threads, progress, ...) {
  latent <- fit_latent(latent, table)
  if (!is.null(control$s)) check_potential(control$s, 0, latent$dim)
  z <- check_spread(trained_rows(latent, table$points))
  rows <- split(seq_len(nrow(z)), table$group)
  control <- with_ensemble(control, latent)
  foretell_fit(rows, latent$dim, control, threads)
  prior <- borrowed_rows(control, z, rows)
  control$seconds <- seconds_of_class(control$backward$seconds, began, length(rows))
  flows <- shard_map(names(rows), fit_class, z, rows, blocks, control, prior, latent$name == "standardise",
                     table$grouped, progress)
  names(flows) <- names(rows)
  diagnostics <- do.call(rbind, unname(lapply(flows, `[[`, "diagnostics")))
  diagnostics$log_density <- diagnostics$log_density + class_volumes(latent, table$points, rows) +
    vapply(rows, function(some) mean(table$margin[some]), 0, USE.NAMES = FALSE)
  seal(structure(
    list(
      call = call,
      trajectory = if (table$grouped) lapply(flows, `[[`, "trajectory") else flows[[1]]$trajectory,
      latent = latent,
      control = control[setdiff(names(control), settings_of_search)],
      diagnostics = diagnostics,
      elapsed = proc.time()[[3]] - began,
      flows = lapply(flows, function(flow) flow[intersect(stored_of_flow, names(flow))]),
      calibration = Filter(Negate(is.null), lapply(flows, `[[`, "calibration")),
      rows = rows,
      table = table$template,
      ...,
      version = as.character(utils::packageVersion("particleflow"))
    ),
    class = c(class, "particle_flow")
  ))
}

# The flow of one class. z [n, d]: the latent rows of all classes.
fit_class <- function(class, z, rows, blocks, control, prior, by_column, grouped, progress) {
  control <- class_control(control, z, rows, class, prior)
  control$gaps <- pick_gaps(control$gaps, rows[[class]])
  if (grouped && !is.null(control$file)) control$file <- paste0(control$file, "-", match(class, names(rows)))
  make_flow(z[rows[[class]], , drop = FALSE], blocks[rows[[class]]], control, by_column, if (grouped) class,
            thread_count(), progress)
}

# The parts of each flow that a fit stores beside the trajectory.
stored_of_flow <- c("centre", "scale", "turn", "law", "kind", "held_out", "repeated", "floor", "own", "ends", "source",
                    "stripped")

# The parts of `control` that only the search needs.
settings_of_search <- c("laws", "cells", "brief", "scores", "always", "gaps", "borrows",
                        "seconds", "foretold")

# The squared width of the latent rows must be a double that is neither 0 nor infinite.
check_spread <- function(z) {
  width <- max(apply(z, 2, function(column) diff(range(column))))
  if (is.finite(width) && width > 1e-150 && width < 1e150) return(z)
  fail("The latent rows are spread over %s, whose square is no number of double precision; give `x` in other units.",
       format(width))
}
