# The map of two components: the rows of two tables in the plane of their first two principal coordinates.

# The distances of ?mixed_tables are Euclidean distances of coordinates, so that their principal coordinates are the
# principal components of these. The components and units are those of the real rows. Tables of at most two coordinates
# are drawn as they are. At most most_points rows of each table are drawn, evenly chosen.
map_picture <- function(shown, col) {
  colours <- table_colours(col)
  labels <- c("real rows", "synthetic rows")
  few <- ncol(shown$points$real) <= 2
  points <- in_judged_units(shown$points, shown$layout, shown$points$real, scale = !few)
  view <- projection(unname(points$real), colnames(shown$points$real), square = !few)
  seen <- lapply(points, function(x) view$see(unname(x)[spread_rows(nrow(x)), , drop = FALSE]))
  used <- which(vapply(seen, nrow, 0L) > 0)
  layers <- lapply(used, function(k) new_layer(labels[k], seen[[k]], "rows", rep(labels[k], nrow(seen[[k]]))))
  if (length(used) == 2) layers <- c(list(both_layer(seen, labels)), layers)
  panels_picture(layers, rep(list(view), length(layers)), factor(labels[used], labels[used]), colours[used],
                 shared = TRUE)
}

# Rows of both tables by turns, so that neither hides the other.
both_layer <- function(seen, labels) {
  sizes <- vapply(seen, nrow, 0L)
  turn <- order(unlist(lapply(sizes, function(n) (seq_len(n) - 0.5) / n)))
  new_layer("both", do.call(rbind, seen)[turn, , drop = FALSE], "rows", rep(labels, sizes)[turn])
}
