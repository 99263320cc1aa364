#' Estimation-free sampling
#'
#' New rows "like these" from a table: the rows are encoded ([latent_map]),
#' carried towards equilibrium by a short forward flow ([efs_forward()]), a
#' latent law is fitted there ([efs_augment()]), and [simulate()][simulate.efs]
#' draws from it and carries the draws back ([efs_backward()]). With `group`,
#' each class gets a flow of its own in a common latent space.
#'
#' @section Defaults:
#' The settings printed in the paper return copies of the training rows (see [efs_paper()]). The defaults are therefore
#' ours: what the arguments leave open is searched.
#'
#' * *What is searched*: the unit of the flow (columns scaled, or whitened), the exponent `s`, the softening (4 to 256
#'   times \eqn{n^{-2/d}}, the squared spacing of the particles), the time, and the latent law with its settings (those
#'   that [laws] calls searched, and a stack of the best). The option without a flow is always among the candidates.
#' * *How it is scored*: by **held-out log-likelihood**, the mean log-density of rows left out of the fit. Neither a
#'   copy nor a blur can win it. There are five folds up to 400 rows and three beyond. Rows of one block of `blocks`
#'   stay in one fold, and so do equal rows: a copy that is held out would otherwise reward a law that copies.
#'   `print()` says how many rows repeat another one.
#' * *When a flow is used*: if it is better than the option without one by at least two standard errors of the paired
#'   difference. `print()` says what the flow adds. Flows whose steps are not one-to-one are no candidates.
#' * *Many rows*: of more than 1200 rows, 1200 are searched. A stack is then weighed once more, with a fifth of all
#'   rows, at most about 1200, held out. A fit that will take more than a minute says so in a message before it
#'   starts.
#' * *What cannot be fitted*: a law or a flow that cannot be fitted to these rows is left out. Any other error ends the
#'   call.
#'
#' [efs_tune()] shows a search in full.
#'
#' Rules of thumb fill the gaps with `calibrate = FALSE`, in a class of fewer than 20 rows or with a constant
#' column, in more than 128 latent dimensions, and for a law without a density. Then the latent rows of each class
#' are scaled to the root-mean-square radius \eqn{\sqrt{d/(d+2)}} of the unit ball (each column to the same variance
#' within the class if the latent map standardises columns), `epsilon` is \eqn{16\,n^{-2/d}} (in one dimension as in
#' two, because a single pair would be too steep to undo), `time` is 1, and the law is [law_local()], or the first
#' of the laws given.
#'
#' A class with fewer than `min_rows` rows, or with no more rows than latent dimensions plus one, gets no flow: with
#' so few rows a flow ends in the same rigid figure (a regular simplex) whatever the data were. Its new rows come
#' from the latent law alone, and `print()` says so.
#'
#' @section Sharing:
#' A fit contains the training rows. Nothing here makes data anonymous.
#'
#' @param x Numeric matrix, or data frame of numeric columns (a tibble, a data.table or a `DataFrame` too), at least two
#'   rows. No missing values. Each column is read by its kind, see [column_kind]. A sparse or delayed matrix is made
#'   full, which may take 512 MB at most.
#' @param ... Single settings of [efs_control()], such as `backward = "paper"`: they replace those of `control`.
#' @param group One flow per class: a vector with one entry per row, or the name of a column of the data frame `x`. It
#'   comes back with the new rows: as that column, or as a column `group` (`group.1` where the table has a column
#'   `group`), with its class and values.
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
#' @param law Name of the latent law, a law such as `law_student(df = 3)`, or a list of names and laws among which the
#'   search chooses; see [laws] and, for a law of your own, [law_kind()]. `NULL`: chosen among all that are searched.
#' @param law_settings Named list of settings of `law`. Empty: chosen.
#' @param calibrate `FALSE` takes the rules of thumb for what is left open.
#' @param blocks Rows that belong together (repeated measures of one subject): a
#'   vector with an entry a row. They are held out together.
#' @param scale `TRUE` brings the latent rows of each class to the radius of the
#'   unit ball (or whitens them, if the calibration finds that better), `"whiten"`
#'   brings their covariance to that of the unit ball, `FALSE` leaves them as they are encoded.
#' @param bounds `TRUE` keeps new rows within the observed range of each column
#'   (values beyond are reflected at its ends).
#' @param density_floor See [simulate()][simulate.efs].
#' @param control Settings of the inverse, see [efs_control()].
#' @param min_rows Classes with fewer rows get no flow.
#' @param keep,threads,progress See [efs_forward()].
#' @return An object of class `c("efs", "particle_flow")`: a list with `call`, `trajectory` (a
#'   [particle_trajectory], or a named list of one per class), `latent` (the fitted map), `control` (the settings
#'   given), `diagnostics` (a data frame, a row a flow), `calibration` (per class what the search saw and chose),
#'   `elapsed` (seconds) and what is needed to give back rows of the same kind. Methods: [simulate()][simulate.efs],
#'   [sample()][sample], [predict()][predict.efs], [interpolate()], [plot()][plot.efs], [summary()][summary.efs],
#'   `as.data.frame()`, `tidy()`, `glance()`.
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
                        control = efs_control(), min_rows = 20, keep = "all", threads = NULL, progress = NULL, ...) {
  began <- proc.time()[[3]]
  table <- read_table(x, group)
  control <- c(
    check_flow_settings(s, epsilon, step, n_steps, time, max_bound, keep),
    list(
      law = law, law_settings = law_settings, calibrate = check_flag(calibrate, "calibrate"),
      scale = if (identical(scale, "whiten")) scale else check_flag(scale, "scale"),
      bounds = check_flag(bounds, "bounds"),
      density_floor = check_number(density_floor, "density_floor", lower = 0, upper = 0.5),
      min_rows = check_count(min_rows, "min_rows", 2L),
      backward = gather_control(control, list(...), "efs()")
    )
  )
  control$laws <- check_laws(law, law_settings)
  if (!is.null(progress)) check_flag(progress, "progress")
  blocks <- check_blocks(blocks, nrow(table$points))
  latent <- choose_latent(latent, table, control$min_rows)
  threads <- threads_within(threads)
  latent <- latent$fit(table$points)
  if (!is.null(s)) check_potential(s, 0, latent$dim)
  z <- check_spread(unname(latent$encode(table$points)))
  rows <- split(seq_len(nrow(z)), table$group)
  foretell_fit(rows, latent$dim, control, threads)
  flows <- lapply(names(rows), function(class) {
    make_flow(z[rows[[class]], , drop = FALSE], blocks[rows[[class]]], control, latent$name == "standardise",
              if (table$grouped) class, threads, progress)
  })
  names(flows) <- names(rows)
  diagnostics <- do.call(rbind, unname(lapply(flows, `[[`, "diagnostics")))
  diagnostics$log_density <- diagnostics$log_density + class_volumes(latent, table$points, rows) +
    vapply(rows, function(some) mean(table$margin[some]), 0, USE.NAMES = FALSE)

  seal(structure(
    list(
      call = record_call(match.call(), "efs"),
      trajectory = if (table$grouped) lapply(flows, `[[`, "trajectory") else flows[[1]]$trajectory,
      latent = latent,
      control = control[setdiff(names(control), "laws")],
      diagnostics = diagnostics,
      elapsed = proc.time()[[3]] - began,
      flows = lapply(flows, `[`, stored_of_flow),
      calibration = Filter(Negate(is.null), lapply(flows, `[[`, "calibration")),
      rows = rows,
      table = table$template,
      version = as.character(utils::packageVersion("particleflow"))
    ),
    class = c("efs", "particle_flow")
  ))
}

# What a fit keeps of each flow beside its trajectory.
stored_of_flow <- c("centre", "scale", "turn", "law", "kind", "held_out", "repeated", "floor")

# The laws that efs() is asked for, as kinds; NULL: all.
check_laws <- function(law, law_settings) {
  check_settings(law_settings, "law_settings")
  if (!is.null(law)) return(asked_laws(law, law_settings))
  if (length(law_settings)) fail("`law_settings` belong to a `law`; name it too.")
  NULL
}

# The settings of a flow, before the latent dimension is known.
check_flow_settings <- function(s, epsilon, step, n_steps, time, max_bound, keep) {
  if (!is.null(s)) {
    s <- check_number(s, "s")
    if (s <= -2) fail("`s` must lie above -2 and below the latent dimension, not be %s.", format(s))
  }
  if (!is.null(epsilon)) epsilon <- check_number(epsilon, "epsilon", lower = 0)
  max_bound <- check_number(max_bound, "max_bound", lower = 0, open_lower = TRUE, finite = FALSE)
  if (!is.null(n_steps)) n_steps <- check_count(n_steps, "n_steps")
  bounded <- is.finite(max_bound) && !identical(n_steps, 0L)
  if (bounded && identical(epsilon, 0)) check_boundable(if (is.null(s)) 0 else s)
  list(
    s = s, epsilon = epsilon, step = check_number(step, "step", lower = 0, open_lower = TRUE), n_steps = n_steps,
    time = if (!is.null(time)) check_number(time, "time", lower = 0), max_bound = max_bound,
    keep = check_choice(keep, c("all", "checkpoints"), "keep")
  )
}

# Squares of the latent rows must be numbers that differ from 0 and from infinity.
check_spread <- function(z) {
  width <- max(apply(z, 2, function(column) diff(range(column))))
  if (is.finite(width) && width > 1e-150 && width < 1e150) return(z)
  fail("The latent rows are spread over %s, whose square is no number of double precision; give `x` in other units.",
       format(width))
}

check_boundable <- function(s) {
  if (is.finite(.Call(C_pf_pair_curvature, s, 0))) return(invisible())
  fail("With `epsilon` = 0 and `s` = %s no step can be bounded; %s.", format(s),
       "give `epsilon` above 0, or `max_bound = Inf` for fixed steps")
}
