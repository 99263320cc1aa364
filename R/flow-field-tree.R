# A tree in place of all pairs, in up to three dimensions; see ?efs_field.

most_tree_dims <- 3L
most_degree <- 9L

# The key draws the checked rows only.
new_tree_field <- function(asked, points, potential, threads) {
  if (ncol(points) > most_tree_dims) {
    fail("The field \"tree\" is for at most %d columns, not %d.", most_tree_dims, ncol(points))
  }
  field <- structure(list(kind = "tree", key = draw_key(), degree = asked$degree, tolerance = asked$tolerance),
                     class = c("tree_field", "particle_field"))
  if (is.null(field$degree)) field$degree <- needed_degree(field, points, potential, threads)
  field
}

# The lowest degree with which the error at the checked rows is within half the tolerance, because the cloud changes.
# Few errors are over 0.03 at degree 1, and each degree more divides them by about 6: the search begins there, and looks
# at lower degrees where the error is so small that one may do.
needed_degree <- function(field, points, potential, threads) {
  error_at <- function(degree) {
    field$degree <- degree
    check_field(open_field(field, points, 1L, potential, threads), threads)$field_error
  }
  wanted <- field$tolerance / 2
  degree <- as.integer(max(1, min(ceiling(log(0.03 / field$tolerance) / log(6)), most_degree)))
  error <- error_at(degree)
  if (error > wanted) {
    while (error > wanted && degree < most_degree) error <- error_at(degree <- degree + 1L)
    return(degree)
  }
  while (degree > 1 && error <= wanted / 3) {
    error <- error_at(degree - 1L)
    if (error > wanted) break
    degree <- degree - 1L
  }
  degree
}

# A point costs about as much as 600, 1500 and 7300 pairs in 1, 2 and 3 dimensions at degree 3.
tree_work <- c(600, 1500, 4000) # at degree 2

#' @export
field_work.tree_field <- function(field, dim) {
  tree_work[dim] * c(1, 1, (field$degree / 2)^1.5)[dim]
}

#' @export
format.tree_field <- function(x, ...) sprintf("a tree of degree %d", x$degree)

#' @export
open_field.tree_field <- function(field, at, step, potential, threads) {
  core <- c(list(engine = "tree"), potential,
            list(mean = colMeans(at), factor = 1, own = FALSE, degree = field$degree),
            .Call(C_pf_tree_build, at, field$degree))
  new_approximate_frame(field, at, step, core, field_work(field, ncol(at)))
}

#' @export
working_order.tree_frame <- function(frame, points, threads) {
  order(.Call(C_pf_frame_places, points, frame$core, threads), method = "radix")
}
