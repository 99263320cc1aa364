#' Inverse descent: carry latent points back to the data
#'
#' A forward flow ([efs_forward()]) moves the rows of a table in small steps, and keeps their positions after each step.
#' `efs_backward()` takes other points at the end of the flow, and undoes the steps for them, the last step first. The
#' results are points on the side of the data. For a point \eqn{y}, the step from
#' \eqn{x^{(j-1)}} to \eqn{x^{(j)}} is undone by the point \eqn{v} that solves the proximal problem
#' \deqn{v - y - \frac{\gamma_j}{n-1} \sum_a \nabla W(v - x_a^{(j-1)}) = 0.}{
#'   v - y - gamma_j/(n-1) sum_a grad W(v - x_a^(j-1)) = 0.}
#' This is the exact inverse of the forward step. The problem is convex if the inverse-step bound is below 1 (see
#' [efs_forward()]). If the flow has an approximate field (see [efs_field()]), the sum is that of this field: the very
#' step that was taken is undone.
#'
#' @section The two methods:
#' `"exact"` solves the proximal problem to `tolerance` by a quasi-Newton method. Where this method fails, a
#' safeguarded Newton method takes over.
#'
#' `"paper"` follows Algorithm 3 of the paper in every detail. It needs the exact field. It is meant for replication of
#' the paper only, because it does not bring the rows of the table back to where they were. It differs from `"exact"` in
#' four points: it evaluates the field at \eqn{x^{(j)}} instead of
#' \eqn{x^{(j-1)}}; it divides by \eqn{n} instead of \eqn{n-1}; it takes `n_inner` gradient steps of size `beta`; and
#' it undoes \eqn{k+1} steps of a flow of \eqn{k} steps.
#'
#' @section How exact:
#' Undoing step \eqn{j} can multiply a small error by up to about \eqn{1/(1-b_j)}, where \eqn{b_j} is the inverse-step
#' bound. The errors of all steps are added up in this way. If the estimated error exceeds 1e-8 of the radius of the
#' data, or if a bound is 1 or more, a warning gives the estimate. In a long flow of few rows in many dimensions, the
#' rows come to rest at positions that no longer depend on where the rows came from. No tolerance can then recover the
#' data.
#'
#' @param traj A [particle_trajectory] from [efs_forward()]. A trajectory that was changed by hand is an error.
#' @param y Numeric matrix or data frame of `m` rows and `d` columns: latent points, in the unit of the trajectory. `m`
#'   may be 0. Columns are matched by name if both `y` and the trajectory have names, otherwise by position. Unknown and
#'   missing names are an error. A vector is one point, or `m` points if `d = 1`.
#' @param control Settings of the inverse from `efs_control()`, or one of the names `"exact"` and `"paper"`.
#' @param details `TRUE` returns a list instead of the points alone.
#' @param threads,progress As in [efs_forward()].
#' @param ... Single settings of `efs_control()`, which replace those of `control`. `method` is an older name of
#'   `backward`.
#' @return A matrix of points on the data side, with the rows of `y` and the columns of the trajectory. With `details
#'   = TRUE` a list with `points`, `converged` (logical, one entry per point), `residual` (the largest relative residual
#'   of each point over the steps), `evaluations` (the mean number of evaluations of the field per point and step) and
#'   `error_estimate` (relative to the radius). The last two are `NA` with `"paper"`. A further element, `log_det`, is
#'   `NULL`. If points leave the range of numbers, the function stops with an error of class `particleflow_unsolved`.
#'
#'   `efs_control()`: a list of class `efs_control` with its arguments.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Algorithm 3 and Proposition 9. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' x <- matrix(rnorm(200), ncol = 2)
#' traj <- efs_forward(x, n_steps = 10)
#' back <- efs_backward(traj, traj$frames[, , 11])
#' max(abs(back - x))
#' loose <- efs_control(tolerance = 1e-6)
#' efs_backward(traj, traj$frames[, , 11], loose, details = TRUE)$evaluations
#' @export
efs_backward <- function(traj, y, control = efs_control(), details = FALSE, threads = NULL, progress = NULL, ...) {
  check_progress(progress)
  details <- check_flag(details, "details")
  control <- gather_control(control, list(...), "efs_backward()")
  threads <- thread_count(threads)
  check_trajectory(traj)
  check_backward(control, traj)
  y <- check_latent_points(y, "y", dimnames(traj$frames)[[2]], dim(traj$frames)[2])
  result <- run_backward(traj, y, control, threads, progress)
  if (control$backward == "exact") warn_inexact(result, limit = 1e-8)
  if (details) result else result$points
}

#' @rdname efs_backward
#' @param backward `"exact"` or `"paper"`, see below.
#' @param tolerance Largest residual of the proximal problem, relative to the root-mean-square radius of the particles
#'   before the step. A number above 0.
#' @param max_evaluations Largest number of evaluations of the field in one quasi-Newton solve. Then Newton's method
#'   takes over. A whole number of at least 1.
#' @param beta,n_inner Size of the inner gradient steps (a number above 0) and their number (a whole number of at least
#'   0), for `"paper"`.
#' @param seconds Time limit of the search of [efs()] and [synthesise()], a number above 0, in seconds on the clock; see
#'   there. `NULL` and `Inf`: no limit. The inverse itself has no limit.
#' @export
efs_control <- function(backward = c("exact", "paper"), tolerance = 1e-12, max_evaluations = 30, beta = 0.1,
                        n_inner = 300, seconds = NULL) {
  structure(
    list(
      backward = check_choice(backward, c("exact", "paper"), "backward"),
      tolerance = check_number(tolerance, "tolerance", lower = 0, open_lower = TRUE),
      max_evaluations = check_count(max_evaluations, "max_evaluations", 1L),
      beta = check_number(beta, "beta", lower = 0, open_lower = TRUE),
      n_inner = check_count(n_inner, "n_inner"),
      seconds = if (!is.null(seconds)) check_number(seconds, "seconds", lower = 0, open_lower = TRUE, finite = FALSE)
    ),
    class = "efs_control"
  )
}

#' @export
print.efs_control <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  used <- if (x$backward == "exact") c("tolerance", "max_evaluations") else c("beta", "n_inner")
  if (!is.null(x$seconds)) used <- c(used, "seconds")
  settings <- sprintf(", %s = %s", used, vapply(x[used], format, ""))
  cat("<efs_control> backward = \"", x$backward, "\"", settings, "\n", sep = "")
  invisible(x)
}

# `control` with the single settings in `given`. These are the arguments in `...` of the function `what`.
gather_control <- function(control, given, what) {
  if (is.character(control)) control <- efs_control(check_choice(control, c("exact", "paper"), "control"))
  if (!inherits(control, "efs_control")) fail("`control` must come from efs_control(), not be %s.", describe(control))
  names(given)[names(given) == "method"] <- "backward"
  known <- names(formals(efs_control))
  stray <- setdiff(if (is.null(names(given))) rep("", length(given)) else names(given), known)
  if (length(stray)) {
    named <- nzchar(stray[1])
    fail("%s has no %s.", what, if (named) sprintf("argument `%s`", stray[1]) else "further argument without a name")
  }
  do.call(efs_control, utils::modifyList(unclass(control), given))
}

# Stops unless `traj` is an unchanged trajectory that has an inverse.
check_trajectory <- function(traj, what = "traj") {
  if (!inherits(traj, "particle_trajectory")) {
    fail("`%s` must be a trajectory from efs_forward(), not %s.", what, describe(traj))
  }
  check_whole(traj, what)
  if (!inherits(traj, "riesz_trajectory")) {
    fail("`%s` must be a trajectory from efs_forward(), not one from %s(), which has no inverse.", what, traj$maker)
  }
}

# Algorithm 3 is meant for the field of Algorithm 2.
check_backward <- function(control, traj) {
  kind <- stored_field(traj)$kind
  if (control$backward == "exact" || kind == "exact") return(invisible())
  fail("`backward` = \"paper\" needs a flow with the field \"exact\", not \"%s\".", kind)
}

# names: those of the latent dimensions, NULL if they have none.
check_latent_points <- function(y, what, names, dim) {
  if (is.numeric(y) && is.null(dim(y))) y <- if (dim == 1) matrix(y, ncol = 1) else row_of(y)
  check_named_points(y, what, names, dim)
}

# log_det: TRUE also gives sum_j log det(I - gamma_j J_j) at each point, which the density of the point needs.
run_backward <- function(traj, y, control, threads, progress, log_det = FALSE) {
  exact <- control$backward == "exact"
  # the step from frame j to frame j + 1 is undone with the particles of frame j; the paper begins one frame later
  steps <- if (exact) rev(seq_along(traj$gamma)) else rev(seq_len(n_steps(traj) + 1L))
  if (n_steps(traj) == 0) steps <- integer()
  check_backward_time(traj, y, control, length(steps))
  bar <- progress_bar("Backward", length(steps), progress)
  names <- list(rownames(y), dimnames(traj$frames)[[2]])
  points <- unname(y)
  velocity <- velocity_store(if (stored_field(traj)$kind == "exact") 2L else 5L)
  residual <- volume <- numeric(nrow(y))
  evaluations <- error <- 0
  growth <- step_growth(traj)
  frame_at <- frame_reader(traj, threads)
  for (j in steps) {
    at <- unname(frame_at(j))
    scale <- frame_scale(at)
    gamma <- traj$gamma[min(j, length(traj$gamma))]
    field <- traj_field(traj, at, j, threads)
    if (exact) {
      solved <- undo_field(field, points, points + gamma * velocity$guess(gamma), gamma, control$tolerance * scale,
                           control$max_evaluations, log_det, threads)
      velocity$add((solved$points - points) / gamma, gamma)
      evaluations <- evaluations + mean(solved$evaluations)
    } else {
      solved <- undo_step_paper(points, at, gamma, traj, control, threads)
    }
    points <- solved$points
    if (!all(is.finite(points))) {
      stop_unsolved(paste("Points left the range of numbers while step %d was undone; the flow cannot be inverted with",
                          "these settings."), j)
    }
    if (log_det) {
      known <- solved$log_det
      volume <- volume + if (is.null(known)) volume_of(field, points, FALSE, gamma, threads)$value else known
    }
    residual <- pmax(residual, ifelse(is.nan(solved$residual), Inf, solved$residual / scale))
    if (exact) error <- (error + max(control$tolerance, solved$residual / scale)) * growth[j]
    bar$tick()
  }
  dimnames(points) <- if (is.null(unlist(names))) NULL else names
  list(
    points = points,
    log_det = if (log_det) volume,
    converged = residual <= control$tolerance,
    residual = residual,
    evaluations = if (exact && length(steps)) evaluations / length(steps) else NA_real_,
    error_estimate = if (exact) error else NA_real_
  )
}

# The root-mean-square radius of the particles, the unit of the residuals. 1 if all particles are equal.
frame_scale <- function(at) {
  radius <- sqrt(mean(rowSums(sweep(at, 2, colMeans(at))^2)))
  if (radius > 0) radius else 1
}

# Each step takes one kernel value per pair of a point and a particle. Algorithm 3 takes `n_inner` values per pair.
check_backward_time <- function(traj, y, control, steps) {
  exact <- control$backward == "exact"
  each <- min(dim(traj$frames)[1], field_work(stored_field(traj), dim(traj$frames)[2]))
  pairs <- as.numeric(nrow(y)) * each * steps * if (exact) 1 else control$n_inner
  seconds <- pairs / most_pairs_per_second
  check_time(seconds, "The inverse", if (exact) "give fewer points" else "give a smaller `n_inner` or fewer points")
}

# Stores the velocities of the last `most` steps. guess() extrapolates them to the next step by the polynomial through
# them. Each velocity belongs to the middle of its step. With the exact field two are stored, as in version 0.1.0, so
# that its bits stay the same.
velocity_store <- function(most) {
  differences <- list() # divided differences: of the last velocity, of the last two, ...
  sizes <- numeric() # of the steps, the last one first
  # times from the middle of the next step, of size gamma, back to those of the steps
  spans <- function(gamma) gamma / 2 + cumsum(sizes) - sizes / 2
  list(
    guess = function(gamma) {
      if (!length(sizes)) return(0)
      from <- spans(gamma)
      value <- differences[[length(sizes)]]
      for (i in rev(seq_along(sizes)[-1])) value <- differences[[i - 1]] + value * from[i - 1]
      value
    },
    add = function(velocity, gamma) {
      from <- spans(gamma)
      new <- list(velocity)
      for (i in seq_len(min(length(sizes), most - 1L))) new[[i + 1]] <- (new[[i]] - differences[[i]]) / from[i]
      differences <<- new
      sizes <<- utils::head(c(gamma, sizes), most)
    }
  )
}

# The inner steps go in blocks too: an inner step starts where the last block ended.
undo_step_paper <- function(points, at, gamma, traj, control, threads) {
  bind_blocks(in_blocks(nrow(points), nrow(at) * (ncol(at) + 4), function(from, count) {
    y <- points[from + seq_len(count), , drop = FALSE]
    solved <- list(points = y)
    left <- control$n_inner
    most <- 1
    repeat {
      began <- seconds_now()
      now <- as.integer(min(left, most))
      solved <- .Call(C_pf_backward_paper, y, solved$points, at, gamma, traj$s, traj$epsilon, control$beta, now,
                      threads)
      left <- left - now
      if (left == 0) return(solved)
      most <- floor(max(1, next_count(now, seconds_now() - began)))
    }
  }))
}

warn_inexact <- function(result, limit) {
  stuck <- sum(!result$converged)
  if (stuck > 0) {
    warning(sprintf(paste("%d of %d points did not reach the tolerance at every step (largest relative residual %.1e);",
                          "see `details = TRUE`."), stuck, length(result$converged), max(result$residual)),
            call. = FALSE)
  }
  if (!(result$error_estimate <= limit)) {
    warning(
      if (is.finite(result$error_estimate)) {
        sprintf(paste("The points may be off by up to %.1e of the data's radius: small errors grow on the way back",
                      "(see \"How exact\" in ?efs_backward)."), result$error_estimate)
      } else {
        paste("The error of the points cannot be bounded (estimated error: Inf): at least one step has an inverse-step",
              "bound of 1 or more (see \"How exact\" in ?efs_backward).")
      },
      call. = FALSE
    )
  }
}
