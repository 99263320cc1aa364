# The fit of temper(): draws, the density of a mixture, the integral of p, and whether all this can be trusted.

#' @export
finish.temper_run <- function(run) {
  if (is.null(run$state$cloud)) {
    fail("The run was stopped before the modes were searched: nothing was drawn yet.")
  }
  draws <- kept_draws(run)
  law <- final_mixture(draws$free)
  integral <- log_integral(run)
  checks <- temper_checks(run, draws, integral)
  user <- to_user(run$density, draws$free)
  columns <- parameter_columns(run$density)
  colnames(user) <- columns
  stages <- temper_stages(run)
  counted <- run$state$evaluations
  warn_nan(counted)
  tail <- run$tails[length(run$tails)]
  seal(structure(
    list(
      call = run$call, draws = user, log_density = draws$log_density, population = draws$population,
      verdict = verdict_words(checks), law = law, modes = mode_table(run, draws$free, columns), stages = stages,
      checks = checks,
      control = run$control[c("n", "populations", "checkpoint")],
      diagnostics = data.frame(
        n = run$control$n, dim = run$density$dim, draws = nrow(user), worth = draws$worth, steps = run$state$step,
        passes = run$state$pass, status = run_status(run), log_z = integral$log_z, log_z_error = integral$error,
        pareto_k = if (length(tail)) tail else NA_real_, evaluations = counted[["all"]], points = counted[["points"]],
        nan_points = counted[["nan"]], trusted = !any(checks$failed)
      ),
      latent = NULL, elapsed = run$elapsed, density = run$density, free = draws$free,
      run = run[setdiff(names(run), temper_in_fit)], version = run$version
    ),
    class = c("temper", "particle_flow")
  ))
}

# The parts of a run that its fit holds too.
temper_in_fit <- c("call", "elapsed", "density", "version")

#' @export
as_run.temper <- function(object) {
  check_fit(object)
  structure(c(object$run, object[temper_in_fit]), class = c("temper_run", "particle_run"))
}

# The rounds that were kept; before there are any, the particles where they stand. free [m, dim]; worth: the number of
# independent draws that they are worth.
kept_draws <- function(run) {
  d <- run$density$dim
  kept <- join_history(run, "draws", rbind)
  slopes <- join_history(run, "slopes", rbind)
  rounds <- NROW(kept) / run$control$n
  if (rounds == 0) {
    kept <- cbind(run$state$cloud$points, run$state$cloud$log_density)
    slopes <- run$state$cloud$gradient
  }
  list(free = kept[, seq_len(d), drop = FALSE], log_density = kept[, d + 1], slopes = slopes,
       population = rep(run$population, max(rounds, 1)), rounds = rounds,
       worth = if (rounds > 0) min(run$state$worth, rounds) * run$control$n else NA_real_)
}

# One mixture for all draws. At most this many of them are used, because a mixture of few components needs no more.
most_mixture_rows <- 3000L

final_mixture <- function(free) {
  rows <- spaced_rows(nrow(free), most_mixture_rows)
  some <- free[rows, , drop = FALSE]
  choose_mixture(some, points_unit(some))
}

# Data frame with one row per step.
temper_stages <- function(run) {
  records <- as.data.frame(t(join_history(run, "records")))
  log_z <- join_history(run, "log_z")
  records$phase <- temper_phases[records$phase]
  if (ncol(log_z)) records$log_z <- apply(log_z, 2, log_mean)
  data.frame(step = seq_len(nrow(records)), records)
}

# ---- the integral of p -----------------------------------------------------------------------------------

# list(log_z, error, stages, stages_error): by bridge sampling between p and the mixtures of the jumps, from all rounds
# that were kept; `stages` by the product of the mean weights of the stages of the last pass.
log_integral <- function(run) {
  by_stages <- stages_integral(run)
  ratios <- join_history(run, "ratios", rbind)
  if (NROW(ratios) == 0 || run$state$t < 1) {
    return(c(list(log_z = by_stages$stages, error = by_stages$stages_error), by_stages))
  }
  found <- bridge(ratios[, 2], ratios[, 3])
  c(list(log_z = found$log_z, error = bridge_error(found, ratios[, 1], run$control$n)), by_stages)
}

stages_integral <- function(run) {
  records <- join_history(run, "records")
  if (is.null(records)) return(list(stages = NA_real_, stages_error = NA_real_))
  last <- records["pass", ] == max(records["pass", ]) & records["phase", ] == 2
  if (!any(last)) return(list(stages = NA_real_, stages_error = NA_real_))
  each <- rowSums(join_history(run, "log_z")[, last, drop = FALSE])
  share <- exp(each - max(each))
  error <- if (length(each) > 1) stats::sd(share) / mean(share) / sqrt(length(each)) else NA_real_
  list(stages = log_mean(each), stages_error = error)
}

# Bridge sampling (Meng and Wong 1996): proposed, held: log(p / q) at draws of q and of p. The estimate r solves
# r = mean_q(l / (l + r)) / mean_p(1 / (l + r)) with l = p / q. list(log_z, share: what each pair of draws adds to the
# error of log r, by the first-order change of both means).
bridge <- function(proposed, held) {
  centre <- stats::median(held)
  a <- exp(pmin(proposed - centre, 600))
  b <- exp(pmin(held - centre, 600))
  r <- 1
  for (i in seq_len(200)) {
    before <- r
    r <- mean(a / (a + r)) / mean(1 / (b + r))
    if (!is.finite(r) || r <= 0) return(list(log_z = NA_real_, share = rep(NA_real_, length(held))))
    if (abs(log(r / before)) < 1e-10) break
  }
  f <- a / (a + r)
  g <- 1 / (b + r)
  list(log_z = centre + log(r), share = f / mean(f) - g / mean(g))
}

# The standard error of log_z. The rows are those of n particles, round after round. What one particle adds over the
# rounds is one number, which holds its autocorrelation and the covariance of both means; these numbers vary about 0
# from particle to particle. Particles of one population may have become alike, and then the means of populations vary
# more than this. The error is the larger one of both.
bridge_error <- function(found, population, n) {
  each <- rowMeans(matrix(found$share, n))
  of_particles <- stats::sd(each) / sqrt(n)
  means <- tapply(each, population[seq_len(n)], mean)
  if (length(means) == 1) return(of_particles)
  max(of_particles, stats::sd(means) / sqrt(length(means)))
}
