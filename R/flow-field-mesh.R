# A grid and near pairs in place of all pairs, in up to three dimensions; see ?efs_field.

# The series of the weight within the radius has so many terms.
mesh_terms <- 3L
# Radii in spacings of the grid that are tried, from the cheapest on.
mesh_reaches <- c(1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 11, 15)
most_reach <- 20
# Nodes beyond the sources at each end of an axis; more of them, as a share of the extent of the sources, because a
# point off the grid costs as much as all sources one by one, and new rows lie a little farther out than particles; the
# most nodes of one axis, and of all.
mesh_edge <- 6
mesh_margin <- 0.05
mesh_most_side <- 262144
mesh_most_nodes <- 2^22
# Sources outside the grid that are tried: each is summed one by one.
mesh_outside <- c(0, 4, 16, 64, 256)
# Rows from which pairs are estimated.
mesh_sample <- 16384L

# What costs as much as so many pairs of the pair engine: a node of the padded grid, for each factor of two of their
# number; a point; and a near pair, with a weight that is a power of whole or half exponent, or any other.
mesh_node_work <- c(8, 1.2, 0.5)
mesh_point_work <- c(60, 90, 250)
near_pair_work <- c(1.7, 6)

# A point, all in all, of smooth clouds at a tolerance of 1e-3.
usual_mesh_work <- c(350, 350, 1000)

new_mesh_field <- function(asked, points, potential, threads) {
  if (ncol(points) > most_tree_dims) {
    fail("The field \"mesh\" is for at most %d columns, not %d.", most_tree_dims, ncol(points))
  }
  field <- structure(list(kind = "mesh", key = draw_key(), reach = asked$reach, tolerance = asked$tolerance),
                     class = c("mesh_field", "particle_field"))
  if (is.null(field$reach)) field$reach <- needed_reach(field, points, potential, threads)
  field$work <- mesh_shape(points, field$reach, potential)$work
  field
}

# The least reach with which the error at the checked rows is within half the tolerance, because the cloud changes. The
# error falls like the fourth power of the reach or slower, so that those in between need no look.
needed_reach <- function(field, points, potential, threads) {
  left <- mesh_reaches
  while (length(left) > 0) {
    field$reach <- left[1]
    frame <- open_field(field, points, 1L, potential, threads)
    over <- check_field(frame, threads)$field_error / (field$tolerance / 2)
    if (over <= 1) break
    left <- left[left > field$reach & left >= min(field$reach * over^(1 / 4), max(left))]
  }
  field$reach
}

# Whether a mesh is likely to cost less than a tree.
suits_mesh <- function(points, potential) {
  mesh_shape(points, 2, potential)$work < tree_work[ncol(points)]
}

#' @export
field_work.mesh_field <- function(field, dim) field$work

#' @export
format.mesh_field <- function(x, ...) {
  sprintf("a mesh with near pairs within %s grid spacing%s", format(x$reach), if (x$reach == 1) "" else "s")
}

#' @export
open_field.mesh_field <- function(field, at, step, potential, threads) {
  shape <- mesh_shape(at, field$reach, potential)
  built <- .Call(C_pf_mesh_build, at, shape$core, potential$s, potential$epsilon, threads)
  core <- c(list(engine = "mesh"), potential, list(mean = colMeans(at), factor = 1, own = FALSE), shape$core, built)
  new_approximate_frame(field, at, step, core, shape$work)
}

#' @export
working_order.mesh_frame <- function(frame, points, threads) {
  order(.Call(C_pf_frame_places, points, frame$core, threads), method = "radix")
}

# ---- the grid of a cloud ---------------------------------------------------------------------------------

# The grid that costs least for this reach, by its work in pairs per point. It depends on the points alone.
mesh_shape <- function(at, reach, potential) {
  near <- near_pair_work[if (potential$s == round(potential$s)) 1 else 2]
  sample <- at[seq(1, nrow(at), length.out = min(nrow(at), mesh_sample)), , drop = FALSE]
  best <- NULL
  boxes <- mesh_boxes(at)
  for (box in boxes) {
    for (side in mesh_sides()) {
      shape <- mesh_try(box, side, reach, potential$epsilon)
      if (is.null(shape)) next
      fixed <- shape$fixed / nrow(at) + mesh_point_work[ncol(at)] + 2 * box$outside
      if (!is.null(best) && fixed >= best$work) break
      work <- fixed + near * nrow(at) * pair_share(sample, shape$core)
      if (is.null(best) || work < best$work) best <- list(core = shape$core, work = work)
    }
  }
  best
}

# Nodes of the longest axis, twice which is 2^a 3^b.
mesh_sides <- function() {
  sides <- outer(2^(0:18), c(1, 3, 9, 27))
  sort(sides[sides >= 18 & sides <= mesh_most_side])
}

# Boxes of all rows but the few that lie farthest out, if these boxes are much smaller.
mesh_boxes <- function(at) {
  middle <- apply(at, 2, stats::median)
  apart <- do.call(pmax, lapply(seq_len(ncol(at)), function(c) abs(at[, c] - middle[c])))
  farthest <- -sort(-apart, partial = pmin(mesh_outside + 1, length(apart)))[pmin(mesh_outside + 1, length(apart))]
  boxes <- list()
  last <- Inf
  for (k in seq_along(mesh_outside)) {
    if (!(farthest[k] < last / 2)) next
    last <- farthest[k]
    within <- if (k == 1) at else at[apart <= last, , drop = FALSE]
    boxes[[length(boxes) + 1]] <- list(low = apply(within, 2, min), high = apply(within, 2, max),
                                       outside = nrow(at) - nrow(within))
  }
  boxes
}

# The grid with so many nodes along the longest axis of a box, and what its transforms cost; NULL if it has too many.
mesh_try <- function(box, side, reach, epsilon) {
  extent <- box$high - box$low
  # cells end up to one side beyond the box
  room <- (side - 2 * (mesh_edge + 1) - 1 - reach / 2) / (1 + 2 * mesh_margin)
  spacing <- max(extent * 1.02, 1e-3 * sqrt(epsilon), 1e-9 * abs(c(box$low, box$high))) / room
  if (room < 1) return(NULL)
  radius <- reach * spacing
  cells <- floor(extent * 1.01 / (radius / 2)) + 1
  edge <- mesh_edge + ceiling(mesh_margin * extent / spacing)
  nodes <- pmax(ceiling(cells * reach / 2) + 2 * edge + 1, 16)
  if (prod(nodes) > mesh_most_nodes || max(nodes) > mesh_most_side) return(NULL)
  padded <- prod(vapply(2 * nodes, stats::nextn, 1L, factors = 2:3))
  corner <- box$low - (cells * radius / 2 - extent) / 2
  start <- corner - (spacing * (nodes - 1) - cells * radius / 2) / 2
  list(core = list(nodes = as.integer(nodes), start = start, spacing = spacing, radius = radius, terms = mesh_terms,
                   cells = as.integer(cells), corner = corner, side = radius / 2),
       fixed = mesh_node_work[length(extent)] * padded * log2(padded))
}

# The share of all pairs that is looked at: those in the cells that come within the radius, whose volume, in powers of
# the radius, is about this. The rows of a sample that share a box of the radius tell the density around a row.
visited_volume <- c(2.5, 5.5, 9)

pair_share <- function(sample, core) {
  m <- nrow(sample)
  code <- 1
  boxes <- 1 # of the radius in the box of the sample
  for (c in seq_len(ncol(sample))) {
    place <- floor((sample[, c] - core$corner[c]) / core$radius)
    low <- min(place)
    code <- code + (place - low) * boxes
    boxes <- boxes * (max(place) - low + 1)
  }
  # counting is faster than sorting where there are not many more boxes than rows
  count <- if (boxes <= 4 * m) tabulate(code, boxes) else rle(sort(code))$lengths
  visited_volume[ncol(sample)] * sum(count * (count - 1)) / (m * (m - 1))
}
