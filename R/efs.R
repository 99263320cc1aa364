#' Estimation-free sampling
#'
#' New rows "like these" from a table: the rows are encoded ([latent_map]),
#' carried towards equilibrium by a short forward flow ([efs_forward()]), a
#' latent law is fitted there ([efs_augment()]), and [simulate()][simulate.efs]
#' draws from it and carries the draws back ([efs_backward()]). With `group`,
#' each class gets a flow of its own in a common latent space.
#'
#' @section Defaults:
#' The settings printed in the paper return copies of the training rows (see
#' [efs_paper()]), so the defaults are ours: what the arguments leave open is chosen
#' by **held-out log-likelihood**, the mean log-density of rows left out of the fit
#' (3 folds, 5 up to 400 rows), a score that neither a copy nor a blur can win. The search goes over
#' the unit of the flow (columns scaled, or whitened), the exponent `s`, the
#' softening (4 to 256 times \eqn{n^{-2/d}}, the squared spacing of the
#' particles), the time and the latent law with its settings (all that have a
#' density but `"equilibrium"` and `"ball"`, and a `"stack"` of the best). No flow at all is always a candidate, and a flow
#' is used only where it beats none by two standard errors of the paired difference;
#' `print()` says what was chosen and what the flow adds. Steps that are not
#' one-to-one are no candidates. Of more than 1200 rows, 1200 are searched, and a stack is weighed once more with a fifth of
#' all rows, at most about 1200, held out.
#' [efs_tune()] shows a search.
#'
#' With `calibrate = FALSE`, a class of fewer than 20 rows or with a column that is constant in it, more than 128 latent
#' dimensions or a law without density, rules of thumb fill the gaps: the latent rows of each class are
#' scaled to the root-mean-square radius \eqn{\sqrt{d/(d+2)}} of the unit ball
#' (each column to the same variance within the class where the latent map standardises columns), `epsilon` is
#' \eqn{16\,n^{-2/d}} (in one dimension
#' as in two, since a single pair would be too steep to undo), `time = 1` and the
#' law is `"local"`: in more than three or four dimensions close to a smoothed bootstrap.
#'
#' A class with fewer than `min_rows` rows, or with no more rows than latent
#' dimensions plus one, gets no flow: with so few rows a flow ends in the same
#' rigid figure (a regular simplex) whatever the data were. Its new rows come from the latent law
#' alone (with `"local"`, a smoothed bootstrap), and `print()` says so.
#'
#' @section Sharing:
#' A fit contains the training rows. Nothing here makes data anonymous.
#'
#' @param x Numeric matrix, or data frame of numeric columns, at least two rows.
#'   No missing values.
#' @param ... Passed to methods.
#' @param group One flow a class: a vector with an entry a row, or the name of a
#'   column of the data frame `x`, which then comes back with the new rows.
#' @param latent A [latent_map], or `"none"`. `NULL` standardises up to 20
#'   columns, and takes [latent_pca()] of standardised columns beyond, with few
#'   enough components that each class of `min_rows` rows can have a flow.
#' @param s Exponent of the repulsion, above -2 and below the latent dimension;
#'   0 is the logarithm. `NULL`: chosen.
#' @param epsilon Softening, in squared units of the scaled latent rows: below
#'   its root two rows count as one. `NULL`: chosen.
#' @param step Largest step of the flow; shorter steps are taken where a step
#'   could not be undone.
#' @param time,n_steps Length of the flow: its total time, or a number of steps.
#'   `time = 0` is no flow at all, the comparison to make. `NULL`: chosen.
#' @param max_bound Largest inverse-step bound of a step (below 1 a step can be
#'   undone), or `Inf` for fixed steps; see [efs_forward()].
#' @param law,law_settings Name of the latent law and a list of its settings;
#'   see [efs_augment()]. `NULL` and empty: chosen.
#' @param calibrate `FALSE` takes the rules of thumb for what is left open.
#' @param blocks Rows that belong together (repeated measures of one subject): a
#'   vector with an entry a row. They are held out together.
#' @param scale `TRUE` brings the latent rows of each class to the radius of the
#'   unit ball (or whitens them, if the calibration finds that better), `"whiten"`
#'   brings their covariance to that of the unit ball, `FALSE` leaves them as they are encoded.
#' @param bounds `TRUE` keeps new rows within the observed range of each column
#'   (values beyond are reflected at its ends).
#' @param density_floor See [simulate()][simulate.efs].
#' @param backward,tolerance,beta,n_inner The inverse: `method`, and the rest, of
#'   [efs_backward()].
#' @param min_rows Classes with fewer rows get no flow.
#' @param keep,threads,progress See [efs_forward()].
#' @return An object of class `c("efs", "particle_flow")`: a list with `call`,
#'   `trajectory` (a [particle_trajectory], or a named list of one per class),
#'   `latent` (the fitted map), `control` (the settings given), `diagnostics` (a data
#'   frame, a row a flow), `calibration` (per class what the search saw and chose), `elapsed` (seconds) and what is needed to give back
#'   rows of the same kind. Methods: [simulate()][simulate.efs],
#'   [sample()][sample], [predict()][predict.efs], [interpolate()],
#'   [plot()][plot.efs], [summary()][summary.efs], `as.data.frame()`, `tidy()`,
#'   `glance()`.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' fit <- efs(iris[51:150, 3:4])
#' fit
#' new <- simulate(fit, nsim = 60, seed = 1)
#' head(new)
#' novelty(new, iris[51:150, 3:4])
#'
#' # one flow a class, by the rules of thumb
#' efs(iris, group = "Species", calibrate = FALSE)
#' @export
efs <- function(x, ...) UseMethod("efs")

#' @rdname efs
#' @export
efs.default <- function(x, group = NULL, latent = NULL, calibrate = TRUE, blocks = NULL, s = NULL, epsilon = NULL,
                        step = 0.1, n_steps = NULL, time = NULL, max_bound = 0.5,
                        law = NULL, law_settings = list(), scale = TRUE, bounds = FALSE, density_floor = 0.01,
                        backward = "exact", tolerance = 1e-12, beta = 0.1, n_inner = 300,
                        min_rows = 20, keep = "all", threads = NULL, progress = NULL, ...) {
  began <- proc.time()[[3]]
  if (...length() > 0) fail("efs() has no argument `%s`.", c(...names(), "unnamed")[1])
  table <- read_table(x, group)
  control <- list(
    s = s, epsilon = epsilon, step = step, n_steps = n_steps, time = time, max_bound = max_bound,
    law = if (!is.null(law)) check_choice(law, law_names(), "law"), law_settings = law_settings,
    calibrate = check_flag(calibrate, "calibrate"),
    scale = if (identical(scale, "whiten")) scale else check_flag(scale, "scale"), bounds = check_flag(bounds, "bounds"),
    density_floor = check_number(density_floor, "density_floor", lower = 0, upper = 0.5),
    min_rows = check_count(min_rows, "min_rows", 2L), keep = keep,
    backward = list(
      method = check_choice(backward, c("exact", "paper"), "backward"),
      tolerance = check_number(tolerance, "tolerance", lower = 0, open_lower = TRUE),
      max_evaluations = 30L,
      beta = check_number(beta, "beta", lower = 0, open_lower = TRUE),
      n_inner = check_count(n_inner, "n_inner")
    )
  )
  threads <- threads_within(threads)
  if (length(law_settings) && is.null(law)) fail("`law_settings` belong to a `law`; name it too.")
  blocks <- check_blocks(blocks, nrow(table$points))
  latent <- choose_latent(latent, table, control$min_rows)$fit(table$points)
  z <- unname(latent$encode(table$points))
  rows <- split(seq_len(nrow(z)), table$group)
  flows <- lapply(names(rows), function(class) {
    label <- if (table$grouped) class
    make_flow(z[rows[[class]], , drop = FALSE], blocks[rows[[class]]], control, latent$name == "standardise", label,
              threads, progress)
  })
  names(flows) <- names(rows)
  diagnostics <- do.call(rbind, unname(lapply(flows, `[[`, "diagnostics")))
  diagnostics$log_density <- diagnostics$log_density + class_volumes(latent, table$points, rows)

  structure(
    list(
      call = match.call(),
      trajectory = if (table$grouped) lapply(flows, `[[`, "trajectory") else flows[[1]]$trajectory,
      latent = latent,
      control = control,
      diagnostics = diagnostics,
      elapsed = proc.time()[[3]] - began,
      flows = lapply(flows, `[`, c("centre", "scale", "turn", "law", "held_out")),
      calibration = Filter(Negate(is.null), lapply(flows, `[[`, "calibration")),
      rows = rows,
      table = table$template,
      version = as.character(utils::packageVersion("particleflow"))
    ),
    class = c("efs", "particle_flow")
  )
}

choose_latent <- function(latent, table, min_rows) {
  if (is.null(latent)) {
    if (ncol(table$points) <= 20) return(latent_standardise())
    sizes <- tabulate(table$group)
    # a flow needs two rows more than dimensions
    smallest <- min(sizes[sizes >= min_rows], nrow(table$points))
    return(pca_latent(NULL, scale = TRUE, most = max(1, smallest - 2)))
  }
  if (identical(latent, "none")) return(latent_map())
  if (!inherits(latent, "latent_map") || is.null(latent$fit)) {
    fail("`latent` must be a latent map such as latent_pca(10), or \"none\", not %s.", describe(latent))
  }
  latent
}

# Mean log volume of the encoding over the rows of each class: from nats of latent
# rows to nats in data units. 0 where it is not known.
class_volumes <- function(latent, points, rows) {
  if (is.null(latent$log_volume)) return(0)
  vapply(rows, function(some) mean(latent$log_volume(points[some, , drop = FALSE])), 0, USE.NAMES = FALSE)
}

check_blocks <- function(blocks, n) {
  if (is.null(blocks)) return(NULL)
  if (!is.atomic(blocks) || length(blocks) != n || anyNA(blocks)) {
    fail("`blocks` must say for each of the %d rows which belong together, without NA, not %s.", n, describe(blocks))
  }
  blocks
}

# The rule of thumb, where nothing is calibrated: `control` with its gaps filled.
rule_of_thumb <- function(control) {
  if (is.null(control$s)) control$s <- 0
  if (is.null(control$time) && is.null(control$n_steps)) control$time <- 1
  if (is.null(control$law)) control$law <- "local"
  control
}

# What is left to choose can be chosen by likelihood.
can_calibrate <- function(control, z) {
  n <- nrow(z)
  d <- ncol(z)
  if (any(apply(z, 2, function(column) all(column == column[1])))) return(FALSE)
  open <- is.null(control$s) || is.null(control$epsilon) || is.null(control$law) ||
    (is.null(control$time) && is.null(control$n_steps))
  scored <- is.null(control$law) || control$law %in% density_laws()
  control$calibrate && open && scored && n >= max(20L, control$min_rows) && d <= most_exact_dims
}

# The flow of one class, from its latent rows.
make_flow <- function(z, blocks, control, by_column, label, threads, progress) {
  n <- nrow(z)
  dim <- ncol(z)
  place <- if (isFALSE(control$scale)) "as_is" else if (isTRUE(control$scale)) "scaled" else "whitened"
  reason <- no_flow_reason(n, dim, control$min_rows)
  found <- NULL
  if (can_calibrate(control, z)) {
    setting <- list(by_column = by_column, step = control$step, max_bound = min(control$max_bound, 0.9),
                    min_rows = control$min_rows, threads = threads)
    bar <- progress_bar("Calibrating", 20, progress)
    found <- calibrate_flow(z, control, blocks, setting, bar$tick)
    bar$done()
  }
  if (!is.null(found)) {
    chosen <- found$candidate
    place <- chosen$place
    control$law <- found$law
    control$law_settings <- found$law_settings
    control$s <- chosen$s
    if (chosen$flow) {
      control$epsilon <- candidate_epsilon(chosen, n, dim)
      control["time"] <- list(chosen$time)
    } else if (!nzchar(reason)) {
      control["n_steps"] <- list(NULL)
      control$time <- 0
    }
  }
  control <- rule_of_thumb(control)
  placed <- place_rows(z, place, by_column)
  points <- to_flow(z, placed)
  epsilon <- if (is.null(control$epsilon)) 16 * n^(-2 / max(dim, 2)) else control$epsilon
  arguments <- list(points, s = control$s, epsilon = epsilon, step = control$step, max_bound = control$max_bound,
                    keep = control$keep, threads = threads, progress = progress)
  arguments["time"] <- list(control$time)
  if (!is.null(control$n_steps)) arguments$n_steps <- control$n_steps
  if (nzchar(reason)) arguments[c("n_steps", "time")] <- list(0L, NULL)
  trajectory <- do.call(efs_forward, arguments)
  law <- do.call(fit_law, c(list(control$law, trajectory), control$law_settings))
  k <- n_steps(trajectory)
  list(
    trajectory = trajectory, centre = placed$centre, scale = placed$scale, turn = placed$turn, law = law,
    calibration = found[setdiff(names(found), c("candidate", "held_out"))], held_out = found$held_out,
    diagnostics = data.frame(
      group = if (is.null(label)) NA_character_ else label,
      n = n, dim = dim, place = place, s = trajectory$s, epsilon = trajectory$epsilon, steps = k,
      time = trajectory$times[k + 1],
      largest_bound = summary(trajectory)$largest_bound,
      inverse_growth = inverse_growth(trajectory),
      law = format(law),
      log_density = if (is.null(found)) NA_real_ else found$log_density,
      gain = if (is.null(found)) NA_real_ else found$gain,
      gain_se = if (is.null(found)) NA_real_ else found$gain_se,
      note = reason
    )
  )
}

# Centre and unit of each coordinate such that the root-mean-square radius of
# the rows is that of the uniform unit ball. by_column: each coordinate has the
# same variance; a coordinate that does not vary has the unit 0 and stays as it is.
ball_scale <- function(z, by_column) {
  centre <- colMeans(z)
  dim <- ncol(z)
  variance <- colMeans(sweep(z, 2, centre)^2)
  if (!by_column) variance[] <- mean(variance)
  spread <- sqrt(variance)
  spread[spread < 1e-12 * max(spread, abs(centre))] <- 0
  list(centre = centre, scale = spread * sqrt(dim + 2))
}

# The same unit, with the covariance brought to a multiple of the identity: `turn`
# is the upper triangle whose square the covariance is, in units of that multiple.
whitened <- function(z) {
  covariance <- stats::cov(z) * (nrow(z) - 1) / nrow(z)
  turn <- tryCatch(chol(covariance), error = function(e) NULL)
  if (is.null(turn)) fail("The latent rows cannot be whitened: their covariance is singular; give `scale = TRUE`.")
  turn <- turn * sqrt(ncol(z) + 2)
  list(centre = colMeans(z), scale = rep(1, ncol(z)), turn = turn)
}

# Latent rows in the unit of a flow, and back.
to_flow <- function(z, flow) {
  centred <- sweep(z, 2, flow$centre)
  if (!is.null(flow$turn)) return(t(backsolve(flow$turn, t(centred), transpose = TRUE)))
  sweep(centred, 2, ifelse(flow$scale > 0, flow$scale, 1), "/")
}

from_flow <- function(points, flow) {
  spread <- if (is.null(flow$turn)) sweep(points, 2, flow$scale, "*") else points %*% flow$turn
  sweep(spread, 2, flow$centre, "+")
}

# log|det| of to_flow() over the coordinates that vary.
flow_log_volume <- function(flow) {
  if (!is.null(flow$turn)) return(-sum(log(diag(flow$turn))))
  -sum(log(flow$scale[flow$scale > 0]))
}

no_flow_reason <- function(n, dim, min_rows) {
  if (n < min_rows) {
    sprintf("%d rows are too few for a flow", n)
  } else if (n <= dim + 1) {
    sprintf("%d rows in %d dimensions would end in a rigid figure", n, dim)
  } else {
    ""
  }
}

# One (trajectory, centre, scale, law, rows) per class, whether grouped or not.
class_flows <- function(fit) {
  trajectories <- if (inherits(fit$trajectory, "particle_trajectory")) list(fit$trajectory) else fit$trajectory
  flows <- Map(function(flow, trajectory, rows) c(flow, list(trajectory = trajectory, rows = rows)),
               fit$flows, trajectories, fit$rows)
  stats::setNames(flows, names(fit$rows))
}

is_grouped <- function(fit) !is.null(fit$table$group)

#' The settings printed in the paper
#'
#' The arguments of [efs()] for the three experiments of Table 1, for
#' replication. With them the median generated row lies at about 1 to 15 % of
#' the distance at which a fresh observation would lie from its nearest training
#' row (the paper leaves the scale of its data open): they return copies. The softening is far below the spacing of the rows,
#' so on the way back every particle is a sink.
#'
#' @param experiment `"gmm"` (Gaussian mixture in the plane, 400 rows),
#'   `"swissroll"` (in the plane, 500 rows) or `"mnist"` (an autoencoder's 15
#'   dimensions, 15,000 rows).
#' @return A list of arguments for [efs()].
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Table 1. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' x <- rbind(matrix(rnorm(100, -2), ncol = 2), matrix(rnorm(100, 2), ncol = 2))
#' fit <- do.call(efs, c(list(x), efs_paper("gmm")))
#' novelty(simulate(fit, 100, seed = 1), x)
#' @export
efs_paper <- function(experiment = c("gmm", "swissroll", "mnist")) {
  experiment <- check_choice(experiment, c("gmm", "swissroll", "mnist"), "experiment")
  printed <- switch(
    experiment,
    gmm = list(s = 1, step = 0.1, n_steps = 31, beta = 0.1),
    swissroll = list(s = 0, step = 0.05, n_steps = 120, beta = 0.1),
    mnist = list(s = 13, step = 0.05, n_steps = 120, beta = 0.01)
  )
  c(printed, list(
    epsilon = 0.001, n_inner = 300, max_bound = Inf, law = "sphere", backward = "paper",
    latent = "none", scale = FALSE, min_rows = 2
  ))
}
