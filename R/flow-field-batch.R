# A batch of particles, drawn anew in each step, in place of all particles; see ?efs_field.

# Sources of the first look, from whose error the number of sources follows.
first_sources <- 1000L

new_batch_field <- function(asked, points, potential, threads) {
  field <- structure(list(kind = "batch", key = draw_key(), sources = asked$sources, tolerance = asked$tolerance),
                     class = c("batch_field", "particle_field"))
  if (is.null(field$sources)) field$sources <- needed_sources(field, points, potential, threads)
  field$sources <- min(field$sources, nrow(points))
  field
}

# The variance of the mean over p of n particles is proportional to 1/p - 1/n.
needed_sources <- function(field, points, potential, threads) {
  n <- nrow(points)
  if (n <= first_sources) return(n)
  field$sources <- first_sources
  frame <- open_field(field, points, 1L, potential, threads)
  error <- check_field(frame, threads, own_field(frame, threads))$field_error
  if (error == 0) return(first_sources)
  as.integer(ceiling(1 / (1 / n + (1 / first_sources - 1 / n) * (field$tolerance / error)^2)))
}

#' @export
field_work.batch_field <- function(field, dim) field$sources

#' @export
format.batch_field <- function(x, ...) sprintf("batches of %d particles", x$sources)

#' @export
open_field.batch_field <- function(field, at, step, potential, threads) {
  n <- nrow(at)
  p <- field$sources
  rows <- keyed_rows(field$key, n, p, as.integer(step))
  core <- c(list(engine = "batch"), potential,
            list(mean = colMeans(at), factor = n * (p - 1) / ((n - 1) * p), own = FALSE,
                 source = at[rows, , drop = FALSE]))
  frame <- new_approximate_frame(field, at, step, core, p)
  frame$rows <- rows
  frame
}

# Only particles of the batch have a pair with themselves. Among many particles they are too few to be looked at.
#' @export
holds_own.batch_frame <- function(frame) length(frame$rows) == frame$n

# One source acts with the weight of n/p particles.
#' @export
survey_field.batch_frame <- function(frame, own, threads) {
  seen <- NextMethod()
  seen$pair_share <- frame$n / ((frame$n - 1) * length(frame$rows))
  seen
}

#' @export
volume_of.batch_frame <- function(frame, points, self, gamma, threads) {
  core <- frame$core
  # the particles of the batch are without their own pair
  if (ncol(points) > most_exact_dims) {
    volume <- step_log_det(points, core$source, gamma * core$factor, core, FALSE, threads)
    if (!self) return(volume)
    volume$value[frame$rows] <- step_log_det(core$source, core$source, gamma * core$factor, core, TRUE, threads)$value
    return(volume)
  }
  volume <- NextMethod()
  if (!self) return(volume)
  frame$core$own <- TRUE
  volume$value[frame$rows] <- .Call(C_pf_frame_log_det, points[frame$rows, , drop = FALSE], frame$core, 0L,
                                    length(frame$rows), gamma, threads)
  volume
}
