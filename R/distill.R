#' A one-step generator from a flow
#'
#' Trains a network that turns normal numbers into points of the law that a flow leads to, so that new points cost one
#' pass through it and no flow.
#'
#' In each step the network makes a batch of points, these are moved by a field, and the network makes one update
#' towards the moved points, which are taken as given (no gradient goes through the field). The field is
#' \describe{
#'   \item{`"rule"`}{for a fit from [wgf()] or a target: the velocity of the flow itself, with the points of the batch
#'   as particles. No
#'     sample is needed. As with the particles, it is the kernel estimate of the points that matches the target, so that
#'     draws carry noise of the kernel.}
#'   \item{`"energy"`}{towards a sample of the flow and away from each other: the gradient of the energy distance.}
#'   \item{`"sliced"`}{pairs: along random lines each point is paired with the point of the sample that has the same
#'   rank
#'     there, and moves to it; the mean over the lines.}
#' }
#' A fixed pairing of base draws with simulated points, regressed upon, would return means over the points that share a
#' neighbourhood of base draws, which are too narrow; pairing what the network makes now with the sample does not.
#'
#' The network starts as the identity: a normal law with the moments of the goal. Every `check_every` steps a score is
#' taken on draws kept for it: the energy distance to rows of the sample that training does not see or, for `"rule"`,
#' the estimated divergence. The network with the best score is returned; training ends early when `patience` scores in
#' a row brought nothing better. Sample fields work in units in which each column has variance 1.
#'
#' @param object A fit from [wgf()], [efs()] (without groups) or [gpa()], or a target such as [target_mixture()] (the
#'   field is then `"rule"` by the Kullback-Leibler divergence, unless `field` says otherwise).
#' @param field See above. `NULL`: `"energy"` for fits, `"rule"` for targets.
#' @param n_sample Rows drawn from the fit by [simulate()] as the sample; a tenth is kept for the scores.
#' @param n_steps Number of updates, at least 0.
#' @param batch Points in each, at least 2.
#' @param rate Learning rate of Adam, above 0; it falls to a hundredth along a cosine.
#' @param hidden Widths of the hidden layers; `NULL`: three of 64.
#' @param smoothing As in [gpa()].
#' @param base_dim Number of normal numbers for a point; `NULL`: as many as columns.
#' @param check_every,patience See above.
#' @param checkpoint Path of a file in which the run is saved every half minute and at its end, for [resume()]; `NULL`
#'   for none.
#' @param threads See [efs_forward()].
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @return An object of class `c("distill", "generator", "particle_flow")`, see [generator] for its methods. Training
#'   that is stopped by Ctrl-C goes on with [resume()].
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 300, n_steps = 100)
#' gen <- distill(fit, n_steps = 100)
#' gen
#' x <- simulate(gen, 1000, seed = 1)
#' @export
distill <- function(object, field = NULL, n_sample = 10000, n_steps = 2000, batch = 512, rate = 0.005, hidden = NULL,
                    smoothing = 0, base_dim = NULL, check_every = 100, patience = 10, checkpoint = NULL, threads = NULL,
                    progress = NULL) {
  began <- seconds_now()
  check_progress(progress)
  field <- check_distilled(object, field)
  control <- generator_control(n_steps, batch, rate, hidden, smoothing, base_dim, check_every, patience, checkpoint,
                               threads)
  n_sample <- check_rows(n_sample, "n_sample", distilled_columns(object), lower = 20L)
  goal <- distill_sample(object, n_sample)
  place <- list(centre = colMeans(goal$points), spread = column_spread(goal$points))
  scaled <- to_frame(place, goal$points)
  kept <- seq_len(max(10L, min(check_points_count, n_sample %/% 10L)))
  what <- if (field == "rule") {
    of_fit <- !inherits(object, "wgf_target")
    list(type = "rule", rule = if (of_fit) object$rule else wgf_rule(object, NULL, NULL, NULL, default_wgf_control()))
  } else {
    list(type = field, sample = scaled[-kept, , drop = FALSE], check = scaled[kept, , drop = FALSE])
  }
  run <- new_generator_run("distill", record_call(match.call(), "distill"), place, what, control, goal$write)
  complete(take_seconds(run, began), progress)
}

# The field for this object.
check_distilled <- function(object, field) {
  is_target <- inherits(object, "wgf_target")
  if (!is_target && !inherits(object, c("wgf", "efs", "gpa"))) {
    fail("`object` must be a fit from wgf(), efs() or gpa(), or a target, not %s.", describe(object))
  }
  if (inherits(object, "efs") && is_grouped(object)) fail("`object` has groups; distill a fit of one class at a time.")
  if (is.null(field)) field <- if (is_target) "rule" else "energy"
  field <- check_choice(field, c("energy", "sliced", "rule"), "field")
  if (field == "rule" && !is_target && !inherits(object, "wgf")) {
    fail("`field` = \"rule\" needs a density: a fit from wgf() or a target.")
  }
  field
}

distilled_columns <- function(object) {
  if (inherits(object, "wgf_target")) return(object$dim)
  if (inherits(object, "wgf")) ncol(object$particles) else n_columns(object$table)
}

default_wgf_control <- function() {
  wgf_control("kl", 0.5, "gaussian", NULL, NULL, 0, 10, eval(formals(wgf)$floor), 0, NULL)
}

# A sample of the flow as a plain matrix, and how to write rows.
distill_sample <- function(object, n) {
  rows <- simulate(object, n)
  if (inherits(object, c("wgf", "wgf_target"))) {
    columns <- colnames(rows)
    attributes(rows) <- list(dim = dim(rows))
    return(list(points = rows, write = list(columns = columns)))
  }
  list(points = unname(read_new_rows(rows, object$table)), write = list(table = object$table))
}
