# What a whitened run of wgf() says about its draws: measures, and a verdict in words.

# The verdict doubts the draws beyond these limits.
wgf_limits <- list(
  shift = 0.1,       # of a mean, in posterior standard deviations, beyond two Monte Carlo errors
  ratio = 1.15,      # of standard deviations, beyond three errors
  direction = 1.25,  # the same along the worst direction
  weights = 0.1,     # effective number of independent draws of the fitted mixture, over their number
  compared = 0.15,   # of a mean from weighted draws of this mixture, beyond three errors
  acceptance = 0.3,  # share of accepted moves at the end
  stuck = 0.02,      # share of chains that never moved
  kept = 0.6,        # correlation with where the chains stood before the moves
  outside = 0.02,    # share of draws or proposals outside of the support
  bandwidth = 1 / 1.3, # over the likely one
  masses = 0.15,     # sum of the differences between masses and weights of components
  rare = 0.02        # share of the searches that found a mode
)

# A list of measures; see the help page of wgf().
wgf_quality <- function(run, found, bandwidth, likely) {
  moves <- found$moves
  count <- length(moves$size)
  list(
    log_density = range(found$log_density[is.finite(found$log_density)], 0),
    coordinates = cbind(coordinate = numbered(free_labels(run$rule$density)),
                        stein_frame(found$stein$coordinates, ncol(found$free))),
    directions = found$stein$directions,
    log_r_share = weights_worth(found$kernel_log_r) / length(found$kernel_log_r), weight_share = found$comparison$size,
    compared_shift = found$comparison$shift, compared_error = found$comparison$shift_error,
    compared_ratio = found$comparison$ratio, compared_ratio_error = found$comparison$ratio_error,
    acceptance = moves$acceptance, stuck = if (count) found$stuck else NA_real_,
    kept = if (count) found$kept else NA_real_, outside = max(found$outside, if (count) moves$outside else 0),
    bandwidth_over_likely = if (is.null(likely)) 1 else bandwidth / likely, searches = run$searches
  )
}

# Equal labels, those of the coordinates of one block, get numbers.
numbered <- function(labels) {
  equal <- labels %in% labels[duplicated(labels)]
  count <- stats::ave(seq_along(labels), labels, FUN = seq_along)
  ifelse(equal, sprintf("%s (coordinate %d)", labels, as.integer(count)), labels)
}

stein_frame <- function(rows, d) {
  if (!is.null(rows)) return(rows)
  data.frame(shift = rep(NA_real_, d), shift_error = NA_real_, ratio = NA_real_, ratio_error = NA_real_)
}

# "no sign against it", or "not to be trusted, because ..."
wgf_verdict <- function(run, quality, masses) {
  reasons <- c(lost_digits(quality$log_density), stein_reasons(quality), compared_reasons(quality),
               move_reasons(quality), search_reasons(quality$searches), mass_reasons(run, masses))
  low <- quality$bandwidth_over_likely < wgf_limits$bandwidth
  if (low) reasons <- c(reasons, sprintf("the bandwidth is %.2f times the likely one", quality$bandwidth_over_likely))
  doubt_words(reasons)
}

doubt_words <- function(reasons) {
  if (!length(reasons)) return("no sign against it")
  paste0("not to be trusted, because ", paste(reasons, collapse = "; "))
}

stein_reasons <- function(quality) {
  rows <- quality$coordinates
  if (anyNA(rows$shift)) return("Stein's identities do not hold even roughly")
  shift <- abs(rows$shift) - 2 * rows$shift_error
  ratio <- beyond_one(rows$ratio, rows$ratio_error)
  worst <- which.max(shift)
  widest <- which.max(ratio)
  along <- quality$directions
  c(if (shift[worst] > wgf_limits$shift) {
    sprintf("the mean of %s is off by about %.2f standard deviations (by Stein's identities)", rows$coordinate[worst],
            abs(rows$shift[worst]))
  }, if (ratio[widest] > log(wgf_limits$ratio)) {
    sprintf("the standard deviation of %s is about %.2f times the right one (by Stein's identities)",
            rows$coordinate[widest], rows$ratio[widest])
  } else if (max(beyond_one(along$ratio, along$ratio_error)) > log(wgf_limits$direction)) {
    sprintf("along some direction the standard deviation is about %.2f times the right one (by Stein's identities)",
            along$ratio[which.max(beyond_one(along$ratio, along$ratio_error))])
  })
}

# How far a ratio is from 1, in logarithms and beyond three errors.
beyond_one <- function(ratio, error) abs(log(ratio)) - 3 * error / ratio

compared_reasons <- function(quality) {
  if (is.null(quality$weight_share)) return("the draws lie in a subspace")
  off <- abs(quality$compared_shift) - 3 * quality$compared_error
  wide <- beyond_one(quality$compared_ratio, quality$compared_ratio_error)
  c(if (quality$weight_share < wgf_limits$weights) {
    sprintf("weights of independent draws are uneven (effective share %.2f)", quality$weight_share)
  }, if (any(off > wgf_limits$compared)) {
    sprintf("a mean differs by %.2f standard deviations from that of weighted independent draws",
            abs(quality$compared_shift)[which.max(off)])
  }, if (any(wide > log(wgf_limits$ratio))) {
    sprintf("a standard deviation is %.2f times that of weighted independent draws",
            quality$compared_ratio[which.max(wide)])
  })
}

move_reasons <- function(quality) {
  c(if (!is.na(quality$acceptance) && quality$acceptance < wgf_limits$acceptance) {
    sprintf("only %.0f per cent of the last moves were accepted", 100 * quality$acceptance)
  }, if (!is.na(quality$stuck) && quality$stuck > wgf_limits$stuck) {
    sprintf("%.0f per cent of the chains never moved", 100 * quality$stuck)
  }, if (!is.na(quality$kept) && quality$kept > wgf_limits$kept) {
    sprintf("the moves have hardly changed the draws (correlation %.2f)", quality$kept)
  }, if (quality$outside > wgf_limits$outside) {
    sprintf("%.0f per cent of the draws or moves ended outside of the support", 100 * quality$outside)
  })
}

# The masses of the components of a target against their weights, beyond three errors.
mass_reasons <- function(run, masses) {
  weights <- run$modes$target$weights
  if (is.null(weights)) return(NULL)
  n <- nrow(run$state$points)
  masses <- masses[seq_along(weights)]
  off <- abs(masses - weights) - 3 * sqrt(weights * (1 - weights) / n)
  worst <- which.max(off)
  if (off[worst] <= 0.1 * weights[worst] || sum(abs(masses - weights)) < wgf_limits$masses) return(NULL)
  sprintf("mode %d holds %.3f of the mass instead of %.3f", worst, masses[worst], weights[worst])
}

search_reasons <- function(searches) {
  if (is.null(searches)) return(NULL)
  rare <- searches$found <= wgf_limits$rare * searches$tried
  c(if (length(rare) > 1 && any(rare)) {
    sprintf("a mode was found by only %d of %d searches, so that others may be missed", min(searches$found[rare]),
            searches$tried)
  }, if (sum(searches$found) <= wgf_limits$rare * searches$tried) {
    sprintf("%d of %d searches found a mode", sum(searches$found), searches$tried)
  })
}
