#' How the field of a flow is computed
#'
#' A step of [efs_forward()] needs the field
#' \deqn{g(y) = \frac{1}{n-1} \sum_a \nabla W(y - x_a)
#'   = \frac{1}{n-1}\Big[n (y - \bar x) - \sum_a \frac{y - x_a}{(|y - x_a|^2 + \epsilon)^{s/2+1}}\Big]}{
#'   g(y) = 1/(n-1) [n (y - mean x) - sum_a (y - x_a) (|y - x_a|^2 + epsilon)^-(s/2+1)]}
#' at each of the `n` particles. The last sum is the repulsion. Summed pair by pair, it costs \eqn{n^2} operations. The
#' other fields cost less, and are approximations. `efs_field()` makes the argument `field` of [efs_forward()].
#'
#' @section The fields:
#' \describe{
#'   \item{`"exact"`}{Every pair of particles. Cost \eqn{n^2 d}{n^2 d}.}
#'   \item{`"tree"`}{In up to three dimensions, any `s`. The particles are split at the median of the longest side of
#'     their box, again and again, until some tens are left. Seen from far away, the particles of a box act through
#'     \eqn{(q+1)^d}{(q+1)^d} points in it, where \eqn{q} = `degree`: the kernel is interpolated by polynomials of
#'     degree \eqn{q} at Chebyshev's points (Wang, Krasny and Tlupova 2020). Seen from close by, a box gives way to its
#'     two halves, and the last ones to their particles. "Far" is a squared distance from the centre of 3.2 squared
#'     half-diagonals, "close by" is one of 2.4, and in between both descriptions are mixed with weights that change
#'     smoothly. So the field is one continuously differentiable function of the point. Cost \eqn{n \log n}{n log n};
#'     each degree more divides the error by about 6.}
#'   \item{`"mesh"`}{In up to three dimensions, any `s`. The potential of a pair is split at a radius. Beyond the
#'     radius the first part is the potential itself. Within the radius it is the Taylor polynomial at the radius, of
#'     order 3 in the squared distance. This part is smooth, and its sum over the particles is computed on a regular
#'     grid by Fourier transforms, as a tensor product of cubic splines. The second part is the rest. It is 0 beyond the
#'     radius, and is summed over the pairs within (particle-particle particle-mesh, Hockney and Eastwood 1988). The
#'     radius is `reach` spacings of the grid. The grid of each step is the one that costs least. It has at most four
#'     million nodes. Up to 256 particles that lie far from all others are not on the grid, and act pair by pair. So
#'     does the whole cloud on points beyond the grid, with a smooth change over its last four spacings. The field is
#'     one continuously differentiable function of the point. Cost \eqn{n \log n}{n log n} where the cloud is smooth, up
#'     to \eqn{n^2}{n^2} where most particles lie in a small part of its box.}
#'   \item{`"sliced"`}{In any `d` up to 128, for `s` of at most 0. With a direction \eqn{\xi}{xi} that is uniform on the
#'     unit sphere, the repulsion of a pair is the expected value of
#'     \eqn{\xi k(\langle\xi, z\rangle)}{xi k(<xi, z>)} with
#'     \deqn{k(t) = d\, t\, (t^2+\epsilon)^{-(s/2+1)}\,
#'       {}_2F_1\Big(\frac s2+1, \frac{1-d}2; \frac32; \frac{t^2}{t^2+\epsilon}\Big).}{
#'       k(t) = d t (t^2 + epsilon)^-(s/2+1) 2F1(s/2+1, (1-d)/2; 3/2; t^2/(t^2+epsilon)).}
#'     In each step \eqn{L} = `directions` directions are drawn anew, in orthogonal sets of `d`, and their mean stands
#'     for the expected value. Along one direction the particles are spread to a grid of at most 4096 points, so that
#'     the sum over them is a cubic spline; the grid reaches twice as far as the particles, and beyond it the sum goes
#'     on in a straight line. The mean of the splines over the directions depends on the distance from the centre alone,
#'     and its expected value is computed without draws, so that only the differences from this mean are sliced. Cost
#'     \eqn{n L d}{n L d}, without sorting. The error falls like \eqn{1/\sqrt{L}}{1/sqrt(L)}. It is smallest for `s` of
#'     -1 and for clouds that look alike from all sides.}
#'   \item{`"batch"`}{In each step, \eqn{p} = `sources` of the particles are drawn anew, without replacement, and the
#'     sum over all particles is replaced by \eqn{n/p} times the sum over these. For each particle the expected value
#'     over the draws is the exact field. Any `d`, any `s`. Cost \eqn{n p d}{n p d}. The
#'     error falls like \eqn{1/\sqrt{p}}{1/sqrt(p)}, and errors of different steps are independent of each other.}
#' }
#' The mean of an approximate field over the particles is subtracted from it, because it is 0 for the exact field: the
#' centre of mass does not move.
#'
#' Each of these fields is a smooth function of the point, given the particles of the frame. The trajectory stores what
#' determines this function. [efs_backward()] therefore inverts the very step that was taken, and log-densities use its
#' Jacobian: the inverse and the likelihood of an approximate flow are as exact as those of an exact flow. What the
#' approximation changes is where the flow leads.
#'
#' All approximate fields need `epsilon` above 0.
#'
#' @section Which one is taken:
#' With `"auto"` the exact field is taken for up to 20,000 particles or with `epsilon` = 0. Beyond, in up to three
#' dimensions, it is a mesh, or a tree where that is likely to cost less: with clusters of very different sizes or heavy
#' tails. In more dimensions it is slices for `s` of at most 0, and a batch otherwise. The exact field is also taken
#' where the other one, because of the cloud or the tolerance, would cost more than a quarter of it.
#'
#' @section The error:
#' The diagnostics of a trajectory with an approximate field have the column `field_error`. It is the
#' root-mean-square error of the field over 100 particles, drawn once per flow, relative to the root-mean-square
#' repulsion there. The exact field of these particles is computed for this purpose. Their repulsive energies, scaled to
#' all particles, also give `energy`, which is therefore an estimate. `closest_pair` is `NA`.
#'
#' The draws, here, of the batches and of the directions, depend on a key that is drawn from R's generator, so that
#' [set.seed()] determines them. They do not depend on the number of threads.
#'
#' @param kind Name of the field.
#' @param tolerance The wanted `field_error`, a number above 0 and at most 1. It has no use where the number that it
#'   would choose is given.
#' @param sources For `"batch"`, the number of particles of a batch, a whole number of at least 2. `NULL`: as many as
#'   the tolerance needs, by the error at the start of the flow. That may be nearly all particles, which then cost more
#'   than the exact field. If there are fewer particles, all are taken.
#' @param degree For `"tree"`, the degree of the polynomials, a whole number between 1 and 9. `NULL`: the lowest one
#'   with half the tolerance at the start of the flow, because the cloud changes.
#' @param directions For `"sliced"`, the number of directions, a whole number of at least 1, which is rounded up to a
#'   multiple of the number of columns. `NULL`: as many as the tolerance needs, by the error at the start of the flow.
#' @param reach For `"mesh"`, the radius of the split in spacings of the grid, a number between 1 and 20. `NULL`: the
#'   least of eleven numbers from 1 to 15 with half the tolerance at the start of the flow.
#' @return A list of class `efs_field` with the arguments.
#' @references
#' Hockney RW, Eastwood JW (1988). *Computer Simulation Using Particles.* Institute of Physics Publishing.
#'
#' Wang L, Krasny R, Tlupova S (2020). A kernel-independent treecode based on barycentric Lagrange interpolation.
#' *Communications in Computational Physics* 28, 1415-1436.
#' @seealso [efs_forward()]
#' @examples
#' x <- matrix(rnorm(4000), ncol = 4)
#' traj <- efs_forward(x, epsilon = 0.5, n_steps = 3, field = efs_field("batch", sources = 200))
#' traj$diagnostics$field_error
#' back <- efs_backward(traj, traj$frames[, , 4])
#' max(abs(back - x))
#' @export
efs_field <- function(kind = c("auto", "exact", "sliced", "tree", "mesh", "batch"), tolerance = 0.01, sources = NULL,
                      degree = NULL, directions = NULL, reach = NULL) {
  structure(
    list(
      kind = check_choice(kind, field_kinds, "kind"),
      tolerance = check_number(tolerance, "tolerance", lower = 0, upper = 1, open_lower = TRUE),
      sources = if (!is.null(sources)) check_count(sources, "sources", 2L),
      degree = if (!is.null(degree)) check_degree(degree),
      directions = if (!is.null(directions)) check_count(directions, "directions", 1L),
      reach = if (!is.null(reach)) check_number(reach, "reach", lower = 1, upper = most_reach)
    ),
    class = "efs_field"
  )
}

field_kinds <- c("auto", "exact", "sliced", "tree", "mesh", "batch")

check_degree <- function(degree) {
  degree <- check_count(degree, "degree", 1L)
  if (degree > most_degree) fail("`degree` must be at most %d, not %d.", most_degree, degree)
  degree
}

#' @export
print.efs_field <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  given <- unlist(unclass(x)[-1])
  settings <- paste(names(given), "=", vapply(given, format, ""), collapse = ", ")
  cat("<efs_field> \"", x$kind, "\", ", settings, "\n", sep = "")
  invisible(x)
}

as_field <- function(field) {
  if (is.null(field)) return(efs_field())
  if (is.character(field)) return(efs_field(check_choice(field, field_kinds, "field")))
  if (!inherits(field, "efs_field")) {
    fail("`field` must be NULL, the name of a field or come from efs_field(), not %s.", describe(field))
  }
  field
}

# Up to this number of particles the exact field is as fast (bench/scale).
most_exact_particles <- 20000L

# The field for these particles. Random numbers are drawn only for a field that needs them.
choose_field <- function(asked, points, potential, threads) {
  kind <- asked$kind
  if (kind == "auto") kind <- fitting_kind(points, potential)
  if (kind == "exact") return(exact_field())
  if (potential$epsilon == 0) fail("The field \"%s\" needs `epsilon` above 0.", kind)
  make <- switch(kind, batch = new_batch_field, tree = new_tree_field, mesh = new_mesh_field,
                 sliced = new_sliced_field)
  field <- make(asked, points, potential, threads)
  if (asked$kind == "auto" && kind == "mesh") field <- cheaper_than_mesh(field, asked, points, potential, threads)
  # the exact field visits each pair once, which is half the work
  too_many <- asked$kind == "auto" && field_work(field, ncol(points)) > nrow(points) / 8
  if (too_many) exact_field() else field
}

fitting_kind <- function(points, potential) {
  if (nrow(points) <= most_exact_particles || potential$epsilon == 0) return("exact")
  if (ncol(points) > most_tree_dims) return(if (potential$s <= 0) "sliced" else "batch")
  if (suits_mesh(points, potential)) "mesh" else "tree"
}

# A mesh, or the tree that costs less.
cheaper_than_mesh <- function(mesh, asked, points, potential, threads) {
  dim <- ncol(points)
  if (field_work(mesh, dim) < tree_work[dim]) return(mesh)
  tree <- new_tree_field(asked, points, potential, threads)
  if (field_work(tree, dim) < field_work(mesh, dim)) tree else mesh
}
