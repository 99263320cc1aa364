# The fit of a table that was read as normal scores.

# A fit of class "synthesis" to a table that was read as normal scores. maker: the function that the user called.
fit_scores <- function(table, x, blocks, control, call, maker, began, threads, progress) {
  threads <- threads_within(threads)
  gone <- is.na(table$points)
  table <- settle_table(table, x)
  control$gaps <- missing_scores(gone, table)
  fit_settled(table, blocks, control, call, maker, began, threads, progress)
}

# The same for scores that are settled within their cells.
fit_settled <- function(table, blocks, control, call, maker, began, threads, progress) {
  correlation <- score_correlation(table$points)
  control$scores <- TRUE
  control$cells <- search_cells(table, correlation)
  if (is.null(control$laws) && control$calibrate) control$laws <- usual_laws()
  if (!is.null(control$laws)) control$laws <- with_edges(control$laws, table)
  fit_table(table, latent_of_scores(), blocks, control, call, c("synthesis", "efs"), began, threads, progress,
            correlation = correlation, maker = maker)
}

# The laws that are searched unless the user asks for others: mixtures, kernels and forests.
usual_laws <- function() {
  local <- lapply(c(0.4, 0.7, 1.2), function(width) law_local_covariance(jitter = width, keep_moments = TRUE))
  c(lapply(c("student", "global"), our_law), local, list(our_law("trees")))
}

# The laws that were asked for; forests get the cells of the table.
with_edges <- function(laws, table) {
  lapply(laws, function(law) {
    if (law$name != "trees" || !is.null(law$settings$edges)) return(law)
    settings <- law$settings
    if (!length(settings)) settings <- list(trees = 20L, min_leaf = c(5L, 15L))
    our_law("trees", c(settings, list(edges = score_edges(table$low, table$high))))
  })
}

# The cells of each coordinate as a matrix of their lower and upper ends; NULL for a coordinate without cells.
score_edges <- function(low, high) {
  lapply(seq_len(ncol(low)), function(j) {
    held <- which(high[, j] > low[, j] & high[, j] - low[, j] < 2 * largest_score)
    first <- held[!duplicated(complex(real = low[held, j], imaginary = high[held, j]))]
    ends <- cbind(low[first, j], high[first, j])
    ends <- ends[order(ends[, 1]), , drop = FALSE]
    if (nrow(ends) && all(ends[-1, 1] >= ends[-nrow(ends), 2])) ends
  })
}

# The missing scores, for fill_gaps(). NULL: there are none.
missing_scores <- function(gone, table) {
  if (!any(gone)) return(NULL)
  edges <- score_edges(table$low, table$high)
  list(gone = gone, edges = edges, cells = described_cells(edges),
       value = !seq_len(ncol(gone)) %in% missing_coordinates(table$template))
}

# What the draws within the cells are made from, by which a search integrates over them. Only the rows of the search get
# draws, see draws_of_cells(). NULL: no score has a cell.
search_cells <- function(table, correlation) {
  if (!any(table$high > table$low)) return(NULL)
  list(points = table$points, low = table$low, high = table$high, correlation = correlation,
       order = order(colMeans(table$high > table$low)), rows = seq_len(nrow(table$points)))
}

