# A latent law says where new points start. A law called "name" is a function
# law_name(points, s, ...) that fits it to the last frame [n, d] and returns
# new_law("name", ...), a method draw_law.law_name(law, n, key, threads)
# that returns an [n, d] matrix as a pure function of the law and the key, and, where
# it has a density, a method law_density.law_name(law, points, threads, self) that
# returns the log-densities as a matrix of one column (or one for each of several
# values of a setting); `self`: the points are the rows it was fitted to, and where
# each has a part of its own in the law, that part is left out.

new_law <- function(name, ...) {
  structure(list(name = name, ...), class = c(paste0("law_", name), "latent_law"))
}

draw_law <- function(law, n, key, threads) UseMethod("draw_law")

law_density <- function(law, points, threads, self = FALSE, ...) UseMethod("law_density")

density_laws <- function() {
  has <- vapply(law_names(), function(name) {
    !is.null(utils::getS3method("law_density", paste0("law_", name), optional = TRUE, envir = topenv()))
  }, NA)
  law_names()[has]
}

# Laws whose settings a search can choose.
searched_laws <- function() setdiff(density_laws(), c("equilibrium", "ball", "stack"))

has_density <- function(law) {
  law$name %in% density_laws() && !(law$name == "equilibrium" && law$exponent <= length(law$centre) - 4)
}

law_names <- function() {
  found <- sub("^law_", "", ls(topenv(), pattern = "^law_"))
  found[!grepl("^(names$|density)", found)]
}

# A key for the counter-based generator, drawn from R's: set.seed() governs it.
draw_key <- function() {
  as.integer(floor(stats::runif(2) * 2^32) - 2^31)
}

# [n, m] matrices whose row i depends on (key, stream, i) only.
draw_uniform <- function(n, m, key, stream = 0L) {
  .Call(C_pf_draw_uniform, as.integer(n), as.integer(m), key, stream, thread_count())
}

draw_normal <- function(n, m, key, stream = 0L) {
  .Call(C_pf_draw_normal, as.integer(n), as.integer(m), key, stream, thread_count())
}

# Indices 1 .. size from uniforms.
pick <- function(uniform, size) pmin(floor(uniform * size) + 1, size)
pick_weighted <- function(uniform, weights) pmin(findInterval(uniform, cumsum(weights)) + 1L, length(weights))

draw_shell <- function(n, centre, radius, kind, s, key, threads) {
  .Call(C_pf_draw_shell, as.integer(n), as.double(centre), as.double(radius),
        match(kind, c("sphere", "ball", "equilibrium")) - 1L, s, key, threads)
}

distance_to <- function(points, centre) sqrt(rowSums(sweep(points, 2, centre)^2))

#' Radius of the equilibrium law
#'
#' The radius of the support of the law at which infinitely many particles rest
#' under \eqn{|z|^2/2 + |z|^{-s}/s} (without softening): a ball with density
#' proportional to \eqn{(R^2-|x|^2)^{(s-d+2)/2}} for \eqn{d-4<s<d}, where
#' \eqn{R^{s+2} = \Gamma((d-s)/2)\,\Gamma(s/2+2)/\Gamma(d/2+1)}, and a sphere for
#' \eqn{-2<s\le d-4}, where \eqn{R^{s+2} =
#' 2^{d-3-s}\,\Gamma(d/2)\,\Gamma((d-1-s)/2)/(\sqrt\pi\,\Gamma(d-1-s/2))}. The
#' ball is uniform only for \eqn{s = d-2}, and then \eqn{R = 1}.
#'
#' @param dim Dimension \eqn{d}, a whole number of at least 1.
#' @param s Exponent of the repulsion, \eqn{-2 < s < d}.
#' @return One number, in the unit of the particles.
#' @references Shu R (2025). A family of explicit minimizers for interaction
#'   energies. \doi{10.48550/arXiv.2501.14666}
#' @examples
#' equilibrium_radius(2, 0)
#' equilibrium_radius(15, 5)
#' @export
equilibrium_radius <- function(dim, s) {
  dim <- check_count(dim, "dim", 1L)
  .Call(C_pf_equilibrium_radius, dim, check_potential(s, 0, dim)$s)
}

#' Augmentation: draw fresh latent points
#'
#' Draws points where a forward flow has ended; [efs_backward()] carries them
#' to the data.
#'
#' @section Laws:
#' \describe{
#'   \item{`"equilibrium"`}{the law the flow is heading for, about the centre of
#'     the particles (see [equilibrium_radius()]): the direction is uniform and
#'     \eqn{|x|^2/R^2 \sim Beta(d/2, (s-d)/2+2)}, or \eqn{|x| = R} for
#'     \eqn{s \le d-4}. Right after a long flow of many rows in few dimensions;
#'     after a short flow many draws fall where no particle is, and come back far
#'     from the data.}
#'   \item{`"local"`}{a particle plus Gaussian noise whose root-mean-square
#'     length is `jitter` times the median distance of a particle to its nearest
#'     neighbour.}
#'   \item{`"global"`}{a particle plus Gaussian noise with `jitter`\eqn{^2} times the
#'     covariance of all particles, drawn in towards the centre by
#'     \eqn{(1 + jitter^2)^{-1/2}}, so that the covariance stays what it was.}
#'   \item{`"local_covariance"`}{a particle plus Gaussian noise shaped by its
#'     surroundings: the covariance of its `k` nearest neighbours, a share
#'     `shrinkage` of it replaced by the sphere of the same trace, times
#'     `jitter`\eqn{^2}. `keep_moments` draws it in towards the mean of the
#'     neighbours, so that the local covariance stays what it was: better on thin sheets
#'     and clusters, worse in heavy tails.}
#'   \item{`"copula"`}{a Gaussian copula: each coordinate is brought to a normal
#'     one by a monotone map, from its kernel estimate of bandwidth `bandwidth` times
#'     the rule of thumb ([stats::bw.nrd0()]) with a generalised Pareto tail beyond the outer 5 % at
#'     either end, linear between knots; the correlations are kept. For clouds without clusters. With `base`
#'     `"student"` or `"local_covariance"` that law (with its settings) is fitted to the normal coordinates
#'     instead: for clusters and bends among skewed columns.}
#'   \item{`"mixture"`}{a mixture of `components` Gaussians with full covariances,
#'     by the EM algorithm of package mclust with its conjugate prior; `NULL` takes
#'     the number by BIC. `model` is mclust's: `"VVV"`, each component its own
#'     covariance, or `"VEE"`, one shape in several sizes, as heavy tails have it.}
#'   \item{`"student"`}{a mixture of `components` multivariate t by the EM algorithm, with a
#'     conjugate prior worth `prior` rows of a sphere of the component's size, so that a
#'     component may have fewer rows than there are dimensions. With `df = Inf` the components are Gaussian, and
#'     the law is what their posterior predicts: t distributions with as many degrees of freedom as
#'     a component has rows (prior included). A small `df` is for heavy tails.}
#'   \item{`"stack"`}{a mixture of laws with densities: `parts`, a list of
#'     `list(law = , settings = )`, and their `weights`. [efs()] makes it where a
#'     mixture of the laws it has tried gives held-out rows more likelihood than any one.}
#'   \item{`"neighbour"`}{a uniform point between a particle and one of its `k`
#'     nearest neighbours. Close to the data, and little news.}
#'   \item{`"sphere"`}{uniform on the sphere about the centre whose radius is the
#'     mean distance to it: Algorithm 1 of the paper.}
#'   \item{`"ball"`}{uniform in the ball about the centre that encloses all
#'     particles.}
#'   \item{`"interpolate"`}{a uniform point between two particles.}
#' }
#' All but `"sphere"`, `"interpolate"`, `"neighbour"`, and `"equilibrium"` where that is a
#' sphere, have a density, for [logLik()][logLik.efs].
#'
#' @param traj A [particle_trajectory].
#' @param n Number of points to draw.
#' @param method Name of the law. The default is the one of the theory; [efs()]
#'   uses `"local"`.
#' @param ... Settings of the law: `jitter` (default 1) for `"local"`; `jitter`
#'   (`NULL`: the normal reference rule) for `"global"`; `k` (default
#'   20), `shrinkage` (0.1), `jitter` (0.7) and `keep_moments` (`FALSE`) for `"local_covariance"`; `bandwidth` (1)
#'   and `base` (`"normal"`) for `"copula"`; `components` (`NULL`) and `model` (`"VVV"`) for `"mixture"`; `components` (1), `df`
#'   (`Inf`) and `prior` (d + 2) for `"student"`; `k` (default 5) for
#'   `"neighbour"`.
#' @param threads As in [efs_forward()].
#' @return A matrix of `n` rows and `d` columns, on the latent side. Governed by
#'   [set.seed()]; the first rows do not depend on how many are drawn.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Algorithm 1. \doi{10.48550/arXiv.2507.08239}
#'
#' Hosking JRM, Wallis JR (1987). Parameter and quantile estimation for the generalized Pareto
#' distribution. Technometrics 29. \doi{10.2307/1269343} (the tails of `"copula"`)
#' @examples
#' traj <- efs_forward(matrix(rnorm(400), ncol = 2), n_steps = 30)
#' set.seed(1)
#' y <- efs_augment(traj, 100, "equilibrium")
#' new <- efs_backward(traj, y)
#' @export
efs_augment <- function(traj, n, method = "equilibrium", ..., threads = NULL) {
  check_trajectory(traj)
  n <- check_count(n, "n")
  threads <- threads_within(threads)
  law <- fit_law(method, traj, ...)
  points <- draw_law(law, n, draw_key(), threads)
  colnames(points) <- dimnames(traj$frames)[[2]]
  points
}

fit_law <- function(method, traj, ...) {
  method <- check_choice(method, law_names(), "method")
  settings <- list(...)
  if (length(settings) != length(names(settings))) fail("The law \"%s\" has no setting without a name.", method)
  check_law_settings(method, names(settings))
  do.call(paste0("law_", method), c(list(points = last_frame(traj), s = traj$s), settings))
}

check_law_settings <- function(law, given) {
  known <- setdiff(names(formals(paste0("law_", law), envir = topenv())), "memo")
  unknown <- setdiff(given, known)
  if (length(unknown) > 0 && !"..." %in% known) fail("The law \"%s\" has no setting `%s`.", law, unknown[1])
}

# `value`, computed once for each key of `memo`, an environment that belongs to the points of a
# search, or NULL.
remembered <- function(memo, key, value) {
  if (is.null(memo)) return(value)
  if (is.null(memo[[key]])) memo[[key]] <- value
  memo[[key]]
}

#' @export
format.latent_law <- function(x, ...) {
  settings <- Filter(function(value) (is.numeric(value) || is.logical(value)) && length(value) == 1, unclass(x))
  if (length(settings) == 0) return(x$name)
  sprintf("%s (%s)", x$name,
          paste(names(settings), vapply(settings, format, "", digits = 3), sep = " = ", collapse = ", "))
}

#' @export
print.latent_law <- function(x, ...) {
  cat("<latent_law> ", format(x), "\n", sep = "")
  invisible(x)
}

law_equilibrium <- function(points, s) {
  new_law("equilibrium", centre = colMeans(points),
          radius = equilibrium_radius(ncol(points), s), exponent = s)
}

# On the ball, |x|^2/R^2 ~ Beta(d/2, (s-d)/2+2) and the direction is uniform:
# log q = log Gamma(b + d/2) - log Gamma(b) - d/2 log pi - d log R + (b-1) log(1 - |x|^2/R^2).
#' @export
law_density.law_equilibrium <- function(law, points, threads, self = FALSE, ...) {
  d <- ncol(points)
  b <- (law$exponent - d) / 2 + 2
  share <- rowSums(sweep(points, 2, law$centre)^2) / law$radius^2
  inside <- share < 1
  value <- rep(-Inf, nrow(points))
  value[inside] <- lgamma(b + d / 2) - lgamma(b) - d / 2 * log(pi) - d * log(law$radius) +
    (b - 1) * log1p(-share[inside])
  matrix(value)
}

#' @export
draw_law.law_equilibrium <- function(law, n, key, threads) {
  draw_shell(n, law$centre, law$radius, "equilibrium", law$exponent, key, threads)
}

law_sphere <- function(points, s) {
  centre <- colMeans(points)
  new_law("sphere", centre = centre, radius = mean(distance_to(points, centre)))
}

#' @export
draw_law.law_sphere <- function(law, n, key, threads) {
  draw_shell(n, law$centre, law$radius, "sphere", 0, key, threads)
}

law_ball <- function(points, s) {
  centre <- colMeans(points)
  new_law("ball", centre = centre, radius = max(distance_to(points, centre)))
}

#' @export
law_density.law_ball <- function(law, points, threads, self = FALSE, ...) {
  d <- ncol(points)
  value <- lgamma(d / 2 + 1) - d / 2 * log(pi) - d * log(law$radius)
  matrix(ifelse(distance_to(points, law$centre) <= law$radius, value, -Inf))
}

#' @export
draw_law.law_ball <- function(law, n, key, threads) {
  draw_shell(n, law$centre, law$radius, "ball", 0, key, threads)
}

law_interpolate <- function(points, s) {
  new_law("interpolate", points = points)
}

#' @export
draw_law.law_interpolate <- function(law, n, key, threads) {
  u <- draw_uniform(n, 3, key)
  size <- nrow(law$points)
  from <- pick(u[, 1], size)
  to <- (from - 1 + pick(u[, 2], size - 1)) %% size + 1 # any row but `from`
  between(law$points, from, to, u[, 3])
}

between <- function(points, from, to, t) {
  (1 - t) * points[from, , drop = FALSE] + t * points[to, , drop = FALSE]
}

law_local <- function(points, s, jitter = 1) {
  jitter <- check_number(jitter, "jitter", lower = 0)
  spacing <- typical_spacing(points)
  new_law("local", points = points, spacing = spacing, jitter = jitter)
}

#' @export
law_density.law_local <- function(law, points, threads, self = FALSE, jitter = law$jitter, ...) {
  kernel_log_density(points, law$points, jitter * law$spacing / sqrt(ncol(points)), threads, self)
}

# log-density [rows, widths] of equal Gaussian kernels about `centres`.
kernel_log_density <- function(points, centres, widths, threads, self) {
  each <- vapply(widths, function(width) {
    if (!(width > 0)) return(rep(-Inf, nrow(points)))
    kernel_estimate(points, centres, "gaussian", width, FALSE, threads, self)$log_density
  }, numeric(nrow(points)))
  matrix(each, nrow(points))
}

# log-density [rows, widths] of the mixture with equal weights of Gaussians about
# `means`, |A_a (y - x_a)|^2 / h^2 the squared Mahalanobis length; `constants`
# without the weight.
# `offsets` [d, n] and `shares`: the centre is moved by shares times them, in the metric
# of the factors.
mixture_log_density <- function(points, means, factors, constants, widths, threads, self, weights = NULL,
                                offsets = NULL, shares = rep(1, length(widths))) {
  parts <- nrow(means) - self
  constants <- constants + if (is.null(weights)) -log(parts) else log(weights)
  work <- nrow(means) * (ncol(means)^2 + 10) * 2
  blocks <- in_blocks(nrow(points), work, function(from, count) {
    list(value = .Call(C_pf_mixture_log_density, points, means, factors, offsets, constants, as.double(widths),
                       as.double(shares), from, count, self, threads))
  })
  bind_blocks(blocks)$value
}

#' @export
draw_law.law_local <- function(law, n, key, threads) {
  dim <- ncol(law$points)
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  noise <- draw_normal(n, dim, key, stream = 1L)
  law$points[from, , drop = FALSE] + law$jitter * law$spacing / sqrt(dim) * noise
}

# Median distance of a particle to its nearest neighbour; where most have an equal
# one, that of those which do not.
typical_spacing <- function(points) {
  nearest <- neighbours(points, points, 1L, self = TRUE)$distance
  if (stats::median(nearest) > 0) return(stats::median(nearest))
  if (any(nearest > 0)) stats::median(nearest[nearest > 0]) else 0
}

law_neighbour <- function(points, s, k = 5) {
  k <- min(check_count(k, "k", 1L), nrow(points) - 1L)
  new_law("neighbour", points = points, k = k,
          index = neighbours(points, points, k, self = TRUE)$index)
}

#' @export
draw_law.law_neighbour <- function(law, n, key, threads) {
  u <- draw_uniform(n, 3, key)
  from <- pick(u[, 1], nrow(law$points))
  to <- law$index[cbind(from, pick(u[, 2], law$k))]
  between(law$points, from, to, u[, 3])
}
