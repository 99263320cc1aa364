#' A one-step generator from a flow
#'
#' Trains a network that turns draws of a simple base law into new points. The law (the distribution) of these
#' points is close to that of the points that [simulate()] draws from `object`. A new point then costs one pass through
#' the network and needs no flow.
#'
#' In each step the network makes a batch of points. A field says in which direction each of them should move, and they
#' are moved. Then the parameters of the network are updated once, so that its points come nearer to the moved points.
#' The moved points count as fixed numbers: no gradient goes through the field. The fields are
#' \describe{
#'   \item{`"rule"`}{the velocity of [wgf()], with the points of the batch as particles. It is for a fit from [wgf()] or
#'     a target. As with the particles of [wgf()], it is the kernel estimate of the points that matches the target. The
#'     draws therefore carry noise of the kernel.}
#'   \item{`"energy"`}{the gradient of the energy distance, which moves points towards a sample of the flow and away
#'     from each other.}
#'   \item{`"sliced"`}{on random lines: each point is paired with the sample point of the same rank on the line and
#'     moves to it. The field is the mean over the lines.}
#' } A simpler way would be to pair each normal draw with one simulated point for the whole training, and to fit the
#' network by least squares. The network would then learn means of neighbouring points, and its points would vary too
#' little. The fields compare the whole sample with the current points of the network, and so avoid this fault.
#'
#' The base law, from which the network starts, is a mixture of Gaussians that is fitted to rows drawn from `object`. A
#' map from one normal law would have to tear it apart where the new points have several modes, and a continuous map
#' leaves points between modes. With the mixture each mode has points of its own from the start, and the network learns
#' what is not normal in them. In one column, or if `base_dim` is given, the base law is the standard normal law. Then
#' the points of the network have nearly a normal law with independent columns at the start, whose means and standard
#' deviations are those of the rows. The fields `"energy"` and `"sliced"` work in units in which each column of these
#' rows has variance 1.
#'
#' A score is taken every `check_every` steps, always on the same base draws. It is the energy distance to rows of the
#' sample that training does not see or, for `"rule"`, the estimated divergence. The network with the best score is
#' returned. Training ends early when `patience` scores in a row were no improvement.
#'
#' @param object A fit from [wgf()], [temper()], [efs()] (without groups), [gpa()] or [energy_flow()], or a target
#'   such as [target_mixture()]. For a target with `field = "rule"` the divergence is the Kullback-Leibler divergence.
#' @param field `"energy"`, `"sliced"` or `"rule"`, see Details. `NULL`: `"energy"` for fits, `"rule"` for targets. Only
#'   generators of the first two have weights ([simulate()][generator]).
#' @param n_sample Number of rows that [simulate()] draws from `object`, at least 20. The network starts from
#'   the means and the standard deviations of their columns. For `"energy"` and `"sliced"` these rows are also the
#'   sample. A tenth of them, at least 10 and at most 2000 rows, is then kept for the scores.
#' @param n_steps Number of updates, at least 0.
#' @param batch Number of points in each update, at least 2.
#' @param rate Learning rate of Adam, above 0. It falls to a hundredth along a cosine.
#' @param hidden Widths of the hidden layers, whole numbers from 1 to 10000. `NULL`: three layers of 64.
#' @param smoothing As in [gpa()].
#' @param base_dim Number of normal numbers from which one point is made, at least 1. `NULL`: the base law is a mixture
#'   with the number of columns of the points, or in one column a normal law.
#' @param components Number of Gaussians of the base law, at least 1. `NULL`: the number up to 12 with the best BIC. In
#'   either case BIC also decides whether all components have one shape or each has its own.
#' @param check_every Number of steps from one score to the next, at least 1.
#' @param patience Number of scores in a row without improvement that end the training, at least 1.
#' @param checkpoint Path of a file in which the run is saved every half minute and at its end, for [resume()]. `NULL`:
#'   the run is not saved. A checkpoint that is there already is overwritten. If another file
#'   is there, that is an error. A relative path starts from the working directory of the call.
#' @param threads As in [efs_forward()].
#' @param progress `TRUE` shows a progress bar, `FALSE` shows nothing. `NULL` shows a bar in an interactive session. In
#'   a script it prints one message that foretells the time if more than a minute is left.
#' @return An object of class `c("distill", "generator", "particle_flow")`. See [generator] for its methods. [resume()]
#'   continues a training that was stopped by Ctrl-C. If the points of the network leave the range of numbers, training
#'   stops with an error.
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 300, n_steps = 100)
#' gen <- distill(fit, n_steps = 100)
#' gen
#' x <- simulate(gen, 1000, seed = 1)
#' @export
distill <- function(object, field = NULL, n_sample = 10000, n_steps = 2000, batch = 512, rate = 0.005, hidden = NULL,
                    smoothing = 0, base_dim = NULL, components = NULL, check_every = 100, patience = 10,
                    checkpoint = NULL, threads = NULL, progress = NULL) {
  began <- seconds_now()
  check_progress(progress)
  field <- check_distilled(object, field)
  control <- generator_control(n_steps, batch, rate, hidden, smoothing, base_dim, check_every, patience, checkpoint,
                               threads)
  check_base(components, base_dim)
  n_sample <- check_rows(n_sample, "n_sample", distilled_columns(object), lower = 20L)
  check_generator_size(control, distilled_columns(object), list(type = field))
  goal <- distill_sample(object, n_sample)
  place <- list(centre = colMeans(goal$points), spread = column_spread(goal$points))
  scaled <- to_frame(place, goal$points)
  kept <- seq_len(max(10L, min(check_points_count, n_sample %/% 10L)))
  if (is.null(base_dim)) place$base <- base_mixture(scaled[-kept, , drop = FALSE], components)
  what <- if (field == "rule") {
    rule <- if (inherits(object, "wgf")) object$rule else wgf_rule(goal$write$density, default_wgf_control())
    list(type = "rule", rule = rule)
  } else {
    list(type = field, sample = scaled[-kept, , drop = FALSE], check = scaled[kept, , drop = FALSE])
  }
  run <- new_generator_run("distill", record_call(match.call(), "distill"), place, what, control, goal$write)
  complete(take_seconds(run, began), progress)
}

# The field for this object. An object or a field that cannot be used is an error.
check_distilled <- function(object, field) {
  if (!has_target(object) && !inherits(object, c("efs", "gpa", "energy_flow"))) {
    fail("`object` must be a fit from wgf(), temper(), efs(), gpa() or energy_flow(), or a target, not %s.",
         describe(object))
  }
  if (inherits(object, "efs") && is_grouped(object)) fail("`object` has groups; distill a fit of one class at a time.")
  if (is.null(field)) field <- if (inherits(object, "wgf_target")) "rule" else "energy"
  field <- check_choice(field, c("energy", "sliced", "rule"), "field")
  if (field == "rule" && !has_target(object)) {
    fail("`field` = \"rule\" needs a density: a fit from wgf() or temper(), or a target.")
  }
  field
}

has_target <- function(object) inherits(object, c("wgf", "temper", "wgf_target"))

# The density that the object is drawn from, at coordinates of about unit scale.
target_density <- function(object) {
  if (inherits(object, "wgf")) return(object$rule$density)
  if (inherits(object, "wgf_target")) return(new_density(object, strict = TRUE))
  whiten_density(object$density, colMeans(object$free), chol(stats::cov(object$free)))
}

check_base <- function(components, base_dim) {
  if (is.null(components)) return(invisible())
  check_count(components, "components", 1L)
  if (!is.null(base_dim)) fail("`components` and `base_dim` are two choices of the base law; give only one of them.")
}

# The base law is chosen on at most this many rows.
most_base_rows <- 2000L

# A mixture fitted to points [n, d], the sample in units of the frame. NULL: the base law is normal. In one column each
# law is a monotone map of a normal law. Components that share a shape ("VEE") need far fewer rows; BIC decides.
base_mixture <- function(points, components) {
  if (is.null(components) && ncol(points) == 1) return(NULL)
  few <- points[spaced_rows(nrow(points), most_base_rows), , drop = FALSE]
  counts <- if (is.null(components)) seq_len(min(most_base_components, nrow(few))) else components
  own_shape <- is.null(components) & counts > most_components(nrow(few), ncol(few))
  tried <- data.frame(count = c(counts[!own_shape], counts),
                      model = rep(c("VVV", "VEE"), c(sum(!own_shape), length(counts))))
  memo <- new.env(parent = emptyenv())
  bic <- vapply(seq_len(nrow(tried)), function(i) {
    fit <- fit_mixture(few, tried$count[i], tried$model[i], memo)
    if (is.null(fit)) -Inf else fit$bic
  }, 0)
  best <- which.max(bic)
  if (bic[best] > -Inf) fit_mixture(points, tried$count[best], tried$model[best], NULL)[c("weights", "means", "roots")]
}

most_base_components <- 12L

distilled_columns <- function(object) {
  if (inherits(object, "wgf_target")) return(object$dim)
  if (has_target(object)) target_density(object)$dim else n_columns(object$table)
}

default_wgf_control <- function() {
  wgf_control("kl", 0.5, "gaussian", NULL, NULL, 0, 10, eval(formals(wgf)$floor), 0, NULL)
}

# list(points, write): a sample of the flow as a plain matrix [n, d], and the form in which new rows are written. For a
# density the points are its coordinates.
distill_sample <- function(object, n) {
  rows <- simulate(object, n)
  if (!has_target(object)) return(list(points = unname(read_new_rows(rows, object$table)),
                                       write = list(table = object$table)))
  columns <- colnames(rows)
  attributes(rows) <- list(dim = dim(rows))
  density <- target_density(object)
  list(points = to_free(density, rows), write = list(columns = columns, density = density))
}
