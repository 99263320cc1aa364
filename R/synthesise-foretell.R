# Foretells how long synthesise() will take, and with how much memory, before the table is read.

# Seconds of one thread per unit of work. Measured on tables of 10 columns: whole fits of 10^4 and 10^5 rows, and the
# reading of 10^6 rows.
#   read    per row and column: kinds, relations, margins, scores
#   settle  per row and coordinate, for scores within cells; tables with missing values are read three times
#   fill    per row, per column with missing values and per column: a forest, and the draws from it, in each sweep
#   lasts   per row and coordinate, whatever the law
synthesis_cost <- c(read = 8e-6, settle = 1.3e-5, fill = 6e-6, lasts = 1e-6)

# Bytes per row and coordinate of the table and of its scores, and of the forest per row of its sample.
synthesis_bytes <- c(scores = 250, trees = 3500)

# Whether a line was said. The law is not known before the search; trees are usually among the laws chosen, and take
# most of the time. x: a data frame or a matrix, otherwise nothing is said.
foretell_synthesis <- function(x, threads, grouped) {
  if (!is.data.frame(x) && !(is.matrix(x) && is.numeric(x))) return(FALSE)
  n <- nrow(x)
  if (n < least_rows_to_foretell || ncol(x) == 0) return(FALSE)
  lacking <- sum(vapply(seq_len(ncol(x)), function(j) anyNA(column_at(x, j)), NA))
  cells <- lacking > 0 || !all(vapply(seq_len(ncol(x)), function(j) is.double(column_at(x, j)), NA))
  needs <- synthesis_needs(n, ncol(x), lacking, cells, threads, grouped)
  say_ahead("synthesise()", needs[["seconds"]], needs[["bytes"]], n, ncol(x), threads, "columns")
  needs[["seconds"]] > least_seconds_to_tell
}

# Fewer rows never take a minute.
least_rows_to_foretell <- 5000L

# p columns, of which some are `lacking` values; cells: whether scores have cells. The laws of groups have samples of
# their own.
synthesis_needs <- function(n, p, lacking, cells, threads, grouped = FALSE) {
  d <- p + lacking
  rows <- if (grouped) n else min(n, tree_rows(d))
  sweeps <- if (lacking > 1) gap_sweeps else 1
  alone <- synthesis_cost[["read"]] * n * p + search_seconds(n, d, TRUE) + synthesis_cost[["lasts"]] * n * d +
    if (cells) synthesis_cost[["settle"]] * n * d * if (lacking) 1 else 0.4 else 0
  shared <- synthesis_cost[["fill"]] * rows * lacking * sweeps * p + rows / min(n, rows) * tree_seconds(rows, d, cells)
  c(seconds = alone + shared / threads,
    bytes = small_change + synthesis_bytes[["scores"]] * n * d + synthesis_bytes[["trees"]] * rows * d / 10)
}
