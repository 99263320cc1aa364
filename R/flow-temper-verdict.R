# Whether draws of temper() can be trusted: checks, each with a value, a limit and a sentence for a failure.

# A shift or a ratio of Stein's identities counts if it is so large and so many Monte Carlo errors away.
most_shift <- 0.15
most_log_ratio <- log(1.15)
stein_errors <- 4

# Particles that stood still for so many rounds, and the share of them that is too much.
still_rounds <- 16L
most_still <- 0.005

# Above this shape of the tail the mean weight of the mixture is no longer reliable.
largest_tail <- 0.7

# Fewer independent draws than this say little.
least_worth <- 200

# Means of populations may differ by chance with this probability.
population_chance <- 1e-5

# A data frame with one row per check: check, value, limit, failed, reason.
temper_checks <- function(run, draws, integral) {
  ended <- run$state$phase == "sample" && draws$rounds >= 1
  checks <- list(one_check("end", run$state$t, 1, !ended, if (run$ended == "stages used up") {
    sprintf("%d stages did not reach the density: perhaps its integral is infinite", most_stages)
  } else {
    "the run has not come to its end"
  }), digits_check(draws))
  if (ended) {
    checks <- c(checks, list(memory_check(run), still_check(run), worth_check(run, draws), tail_check(run)),
                stein_checks(run, draws), list(population_check(run, draws), integral_check(integral),
                                               search_check(run, draws), empty_check(run, draws)))
  }
  do.call(rbind, checks)
}

# reason: "" if the check has not failed.
one_check <- function(check, value, limit, failed, reason) {
  failed <- isTRUE(failed)
  data.frame(check = check, value = value, limit = limit, failed = failed, reason = if (failed) reason else "")
}

digits_check <- function(draws) {
  lost <- lost_digits(draws$log_density)
  one_check("digits", max(abs(draws$log_density)), largest_log_density, !is.null(lost), lost)
}

memory_check <- function(run) {
  left <- run$state$memory
  one_check("forgetting", left, 0.3, left > 0.3,
            sprintf("the particles had not forgotten where they stood (correlation %.2f)", left))
}

still_check <- function(run) {
  still <- run$state$still >= still_rounds
  share <- mean(still)
  one_check("still", share, most_still, share > most_still,
            sprintf(paste("%.1f %% of the particles did not move in %d rounds%s: they stand in a narrow region that is",
                          "hardly left or entered, so that its share of the mass is not known well"), 100 * share,
                    still_rounds, still_place(run, still)))
}

# The free coordinate in which the particles that stand still differ most from all, if by an sd or more.
still_place <- function(run, still) {
  points <- run$state$cloud$points
  if (!any(still)) return("")
  off <- (colMeans(points[still, , drop = FALSE]) - colMeans(points)) / column_spread(points)
  worst <- which.max(abs(off))
  if (abs(off[worst]) < 1) return("")
  sprintf(", most of them where %s is %s (%.1f sd from its mean)", free_labels(run$density)[worst],
          if (off[worst] < 0) "small" else "large", abs(off[worst]))
}

worth_check <- function(run, draws) {
  one_check("worth", draws$worth, least_worth, draws$worth < least_worth,
            sprintf("the draws are worth only %.0f independent ones", draws$worth))
}

tail_check <- function(run) {
  tail <- run$tails[length(run$tails)]
  one_check("pareto_k", tail, largest_tail, !isTRUE(tail < largest_tail),
            sprintf("the weights of a mixture have a heavy tail (Pareto k = %.2f)", tail))
}

# Where proposals fall outside of the support the identities have a further term. Where the gradient is 0 at many
# draws, the density is made of steps.
stein_checks <- function(run, draws) {
  if (run$state$outside > 1e-3 || mean(rowSums(abs(draws$slopes)) == 0) > 0.05) return(NULL)
  found <- stein_check(draws$free, draws$slopes, draws$worth)$directions
  if (is.null(found)) return(NULL)
  far <- abs(found$shift) > most_shift & abs(found$shift) > stein_errors * found$shift_error
  off <- abs(log(found$ratio))
  wide <- off > most_log_ratio & abs(found$ratio - 1) > stein_errors * found$ratio_error
  unknown <- is.na(found$ratio)
  worst <- function(x) if (all(is.na(x))) NA_real_ else x[which.max(abs(x))]
  ratio <- exp(worst(log(found$ratio)))
  list(
    one_check("stein_shift", worst(found$shift), most_shift, any(far, na.rm = TRUE),
              sprintf("by Stein's identities a mean is off by %.2f sd", abs(worst(found$shift)))),
    one_check("stein_ratio", ratio, exp(most_log_ratio), any(wide, na.rm = TRUE) || any(unknown),
              if (any(unknown)) "Stein's identities do not hold" else
                sprintf("by Stein's identities an sd is %.2f times that of the density", ratio))
  )
}

# The means of populations against what their numbers of independent draws let expect.
population_check <- function(run, draws) {
  count <- run$control$populations
  if (count == 1) return(NULL)
  means <- rowsum(draws$free, draws$population) / (nrow(draws$free) / count)
  spread <- column_spread(draws$free)
  excess <- apply(means, 2, stats::var) / spread^2 * draws$worth / count
  limit <- stats::qchisq(1 - population_chance, count - 1) / (count - 1)
  apart <- sqrt(max(apply(means, 2, stats::var) / spread^2))
  one_check("populations", max(excess), limit, max(excess) > limit && apart > 0.1,
            sprintf("the populations disagree: their means are %.2f sd apart", apart))
}

# The product of the mean weights of the stages is a rough estimate.
most_log_z <- 1

integral_check <- function(integral) {
  off <- abs(integral$log_z - integral$stages)
  error <- sqrt(integral$error^2 + integral$stages_error^2)
  one_check("log_z", off, most_log_z, off > most_log_z && off > 4 * error,
            sprintf("two estimates of the log of the integral differ by %.2f", off))
}

# A mode that matters but was found by one search alone: others may have been missed.
search_check <- function(run, draws) {
  found <- mode_table(run, draws$free, parameter_columns(run$density))
  if (is.null(found)) return(NULL)
  lonely <- found$searches <= 1 & found$share > 0.01 & !found$edge
  one_check("searches", sum(lonely), 0, any(lonely),
            sprintf(paste("%d of the modes that hold mass were found by only one of %d searches, so that others may be",
                          "missed"), sum(lonely), searches))
}

# A mode that several searches found and that has mass by its normal law, but next to no draws.
least_mass <- 0.05

empty_check <- function(run, draws) {
  found <- mode_table(run, draws$free, parameter_columns(run$density))
  if (is.null(found)) return(NULL)
  empty <- found$searches > 1 & !found$edge & found$mass > least_mass & found$share < found$mass / 20
  one_check("empty_modes", sum(empty), 0, any(empty),
            sprintf("%d mode%s that searches found %s next to no draws", sum(empty), plural(sum(empty)),
                    if (sum(empty) == 1) "holds" else "hold"))
}

verdict_words <- function(checks) {
  if (!any(checks$failed)) return("no sign against it")
  paste0("not to be trusted, because ", paste(checks$reason[checks$failed], collapse = "; "))
}
