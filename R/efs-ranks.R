#' Test of two samples by ranks
#'
#' Tests whether two samples have the same law, by their *center-outward ranks*. The pooled rows are carried to a round
#' law by a flow of many particles (see [efs()] and [predict()][predict.efs] with `type = "rank"`). A row with rank
#' \eqn{r} and direction \eqn{u} becomes the vector \eqn{r u} of the unit ball. The statistic is the energy distance
#' between the vectors of the two samples, and its p-value comes from random divisions of the pooled rows.
#'
#' The flow depends on the pooled rows alone and not on which sample they come from. If both samples are independent
#' draws of one law, all divisions are equally likely, and the test has its level exactly. The ranks are bounded, so
#' that a few rows far away have little weight, and they hardly change if columns are given in other units.
#'
#' Most of the time goes into the flow of the pooled rows: some seconds, and more with more rows.
#'
#' @param x,y Two tables of numbers with the same columns, one row per observation, with at least 20 rows together.
#'   They have one to three columns, or more if `particles` is given.
#' @param particles Number of particles of the flow, a whole number from 100 to a million. `NULL`: as in [efs()].
#' @param seed `NULL` takes the stream of [set.seed()]; a whole number is a stream of its own.
#' @inheritParams energy_test
#' @return An object of class `htest` with the energy distance of the ranks (`estimate`), `statistic`
#'   \eqn{T = nm/(n+m)} times this distance, and the p-value.
#' @references Deb N, Sen B (2023). Multivariate rank-based distribution-free nonparametric testing using measure
#'   transportation. \doi{10.1080/01621459.2021.1923508}
#' @seealso [energy_test()], which takes the rows as they are.
#' @examples
#' \donttest{
#' rank_test(faithful[1:60, ], faithful[61:120, ], n_permutations = 199, seed = 1, particles = 500)
#' }
#' @export
rank_test <- function(x, y, particles = NULL, n_permutations = 999, seed = NULL, threads = NULL) {
  names <- paste(deparse1(substitute(x)), "and", deparse1(substitute(y)))
  tables <- check_two_samples(x, y, 2L)
  n <- nrow(tables$x)
  pooled <- rbind(tables$x, tables$y)
  # the fit must not depend on the order of the rows, which tells the samples
  sorted <- do.call(order, lapply(seq_len(ncol(pooled)), function(j) pooled[, j]))
  if (nrow(pooled) < least_search_rows) {
    fail("`x` and `y` have %d rows together; ranks need at least %d.", nrow(pooled), least_search_rows)
  }
  if (!is.null(particles)) check_count(particles, "particles", least_particles)
  if (is.null(particles)) {
    if (ncol(pooled) > length(usual_particles)) {
      fail("`x` has %d columns; ranks need at most %d, or a number of `particles`.", ncol(pooled),
           length(usual_particles))
    }
    particles <- usual_particles[ncol(pooled)]
  }
  fit <- efs(pooled[sorted, , drop = FALSE], latent = latent_standardise(), particles = particles, threads = threads,
             progress = FALSE)
  ranks <- predict(fit, type = "rank")
  vectors <- (ranks[, 1] * ranks[, -1, drop = FALSE])[order(sorted), , drop = FALSE]
  out <- energy_test(vectors[seq_len(n), , drop = FALSE], vectors[-seq_len(n), , drop = FALSE], n_permutations,
                     seed = seed, threads = threads)
  out$method <- "Permutation test of equal laws by energy distance of center-outward ranks"
  out$data.name <- names
  out
}

is_ranked <- function(flows) vapply(flows, function(flow) inherits(flow$law, "law_radial"), NA)
has_constant <- function(flows) vapply(flows, function(flow) any(flow$scale == 0), NA)
have_ranks <- function(flows) is_ranked(flows) & !has_constant(flows)

check_ranked <- function(flows) {
  ranked <- is_ranked(flows)
  if (all(ranked)) return(invisible())
  fail(paste0("Ranks need a flow to a round law%s; fit numbers without missing values, in classes of 20 rows or more, ",
              "with `particles`."),
       if (length(flows) > 1) sprintf(", but class \"%s\" has none", names(flows)[!ranked][1]) else "")
}

# A column that does not vary within a class would count like the others.
check_varying <- function(flows) {
  constant <- has_constant(flows)
  if (!any(constant)) return(invisible())
  fail("Ranks need columns that vary%s; leave the constant column out.",
       if (length(flows) > 1) sprintf(" within class \"%s\"", names(flows)[constant][1]) else "")
}

# [n, 1 + d]: the rank of each point at the end of the flow of its class, and its direction.
rank_points <- function(flows, points, label) {
  d <- ncol(points)
  out <- matrix(0, nrow(points), d + 1L, dimnames = list(NULL, c("rank", paste0("direction", seq_len(d)))))
  present <- flows[names(flows) %in% label]
  check_ranked(present)
  check_varying(present)
  for (class in names(present)) {
    rows <- which(label == class)
    law <- flows[[class]]$law
    at <- points[rows, , drop = FALSE]
    away <- sweep(at, 2, law$centre)
    away <- away / pmax(apply(abs(away), 1, max), .Machine$double.xmin)
    out[rows, ] <- cbind(radial_rank(law, at), away / pmax(sqrt(rowSums(away^2)), .Machine$double.xmin))
  }
  out
}
