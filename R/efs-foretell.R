# Foretells how long a fit will take, in a message, if it is more than a minute: once before the searches and the flows
# by rule, and once more for each class after its search, because a stack costs several times as much as a single law.

# Seconds of one thread per unit of work. Measured on a core of a server of 2023 with 256-bit vectors, from 1,200 to
# 100,000 rows and 3 to 30 dimensions. Other machines differ by a factor of about two.
#   field       per pair of rows and per coordinate plus four (the kernel), for one step of a flow
#   neighbours  per pair of rows and per coordinate plus four, for one search of nearest neighbours
#   log_det     per pair of rows and per entry of its matrix, for the log-determinant of one step
#   mixture     per row and per squared dimension plus four, for one fit of a mixture
#   density     per row and per squared dimension, for about a thousand densities of all widths under one law
#   search      per dimension plus six, for the search over most_search_rows rows
#   trees       per row, per dimension and per dimension plus three, for the final fit of law_trees() to normal scores
cost <- c(field = 3.3e-11, neighbours = 1e-10, log_det = 1.7e-11, mixture = 2e-7, density = 5e-7, search = 0.14,
          trees = 2.5e-6)

least_seconds_to_tell <- 60

flow_seconds <- function(n, d, steps) cost[["field"]] * n * pairs_per_row(n, d) * (d + 4) * (steps + 1)

# With many rows the field is a mesh in few dimensions, if the cloud is smooth. In more it may be a batch, which costs
# less than all pairs.
pairs_per_row <- function(n, d) {
  if (n > most_exact_particles && d <= most_tree_dims) usual_mesh_work[d] else as.double(n)
}

# On all rows a stack is weighed again: four mixtures, and the neighbours of two or three laws, which are then fitted.
# Of many rows a sample is taken. brief: for normal scores fewer settings are tried.
law_seconds <- function(n, d, stacked, brief = FALSE) {
  times <- if (!stacked) c(1, 0.5, 0.3) else if (brief) c(1, 2, 1.8) else c(5, 4, 3)
  kernels <- as.double(min(n, shape_rows(d)))
  rows <- min(n, mixture_rows(d))
  times[1] * cost[["neighbours"]] * kernels^2 * (d + 4) + times[2] * cost[["mixture"]] * rows * (d + 4)^2 +
    times[3] * cost[["density"]] * rows * d^2
}

# Cells take longer, because their shares have trees of their own.
tree_seconds <- function(n, d, cells) cost[["trees"]] * min(n, tree_rows(d)) * d * (d + 3) * if (cells) 1.6 else 1

# A flow by the rule of thumb, its law, and the densities of its rows.
rule_seconds <- function(n, d, steps, floor) {
  each <- cost[["log_det"]] * (d^2 / 2 + 5 * d + 20)
  own <- if (floor && d <= most_exact_dims) each * n * pairs_per_row(n, d) * steps else 0
  flow_seconds(n, d, steps) + own + cost[["neighbours"]] * as.double(n)^2 * (d + 4)
}

search_seconds <- function(n, d, brief = FALSE) {
  cost[["search"]] * (d + 6) * min(1, n / most_search_rows) * if (brief) 0.4 else 1
}

# The frames, five copies of the rows, and, if laws are searched, five triangles per row: covariances of neighbours.
# Scores with cells have draws within them, and forests whose leaves hold the values of the rows: 40 copies more.
class_bytes <- function(n, d, searched, control, steps) {
  frames <- switch(control$keep, all = steps + 1, checkpoints = 2 * sqrt(steps + 1), file = 2)
  copies <- frames + 5 + if (is.null(control$cells)) 0 else 40
  8 * as.double(n) * (d * copies + if (searched) 2.5 * d * (d + 1) else 0)
}

# Bytes that a search, or the draws behind a density floor, leave to be collected, however few rows there are.
small_change <- 5e7

# The message before the searches, if synthesise() has not foretold all of its work.
foretell_fit <- function(rows, d, control, threads) {
  if (isTRUE(control$foretold)) return(invisible())
  seconds <- 0
  bytes <- small_change
  for (n in lengths(rows)) {
    searched <- can_search(control, n, d)
    steps <- if (searched || nzchar(no_flow_reason(n, d, control$min_rows))) 0 else planned_steps(control)
    alone <- if (searched) search_seconds(n, d, isTRUE(control$brief)) else 0
    shared <- if (searched) 0 else rule_seconds(n, d, steps, control$density_floor > 0)
    seconds <- seconds + alone + shared / threads
    bytes <- bytes + class_bytes(n, d, searched, control, steps)
  }
  say_ahead("efs()", seconds, bytes, sum(lengths(rows)), d, threads)
}

# The message for one class after its search: what is left to do. trees: whether law_trees() is among the laws.
foretell_class <- function(n, d, control, chosen, stacked, threads, trees = FALSE) {
  if (isTRUE(control$foretold)) return(invisible())
  control[c("time", "n_steps")] <- list(chosen$time, chosen$n_steps)
  steps <- if (chosen$flow) planned_steps(control) else 0
  law <- law_seconds(n, d, stacked && n > most_search_rows, isTRUE(control$brief)) +
    if (trees) tree_seconds(n, d, !is.null(control$cells)) else 0
  seconds <- (flow_seconds(n, d, steps) + law) / threads
  bytes <- small_change + class_bytes(n, d, TRUE, control, steps)
  say_ahead("efs(), after its search", seconds, bytes, n, d, threads)
}

say_ahead <- function(what, seconds, bytes, n, d, threads, of = "dimensions") {
  if (seconds > least_seconds_to_tell) {
    message(sprintf("%s: about %s and %s for %d rows in %d %s on %d thread%s.", what, say_time(seconds),
                    say_memory(bytes), n, d, of, threads, if (threads == 1) "" else "s"))
  }
  invisible(list(seconds = seconds, bytes = bytes))
}

# The number of steps of full size. If steps are shortened so that they can be undone, the flow takes more steps.
planned_steps <- function(control) {
  if (!is.null(control$n_steps)) return(control$n_steps)
  time <- if (is.null(control$time)) usual_time else control$time
  time / control$step
}

say_time <- function(seconds) {
  if (seconds >= 5400) return(sprintf("%.1f hours", seconds / 3600))
  sprintf("%.0f minute%s", seconds / 60, if (round(seconds / 60) == 1) "" else "s")
}

say_memory <- function(bytes) if (bytes < 1e9) sprintf("%.0f MB", bytes / 1e6) else sprintf("%.1f GB", bytes / 1e9)
