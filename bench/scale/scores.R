# Rscript bench/scale/scores.R LIBRARY [most rows, 1e7]: scores of two samples of 10^4 to 10^7 rows each, and what
# slices are off the sum over all pairs. See README.md.
arguments <- commandArgs(TRUE)
library(particleflow, lib.loc = arguments[1])
most <- if (length(arguments) > 1) as.numeric(arguments[2]) else 1e7
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))

# The second sample is skewed in one column and shifted by a tenth in another: no score takes it for a normal law.
samples <- function(n, d) {
  set.seed(n + d)
  y <- matrix(rnorm(n * d), n, d)
  y[, 1] <- rexp(n) - 1
  y[, d] <- y[, d] + 0.1
  list(x = matrix(rnorm(n * d), n, d), y = y)
}

scores <- list(
  energy_distance = function(z) energy_distance(z$x, z$y, method = "sliced", seed = 1),
  sliced_wasserstein = function(z) sliced_wasserstein(z$x, z$y, seed = 1),
  energy_test = function(z) {
    found <- energy_test(z$x, z$y, method = "sliced", seed = 1)
    structure(found$estimate[[1]], standard_error = found$estimate[[2]], directions = found$parameter[["directions"]])
  },
  exact = function(z) energy_distance(z$x, z$y, method = "exact")
)

# What a run of this size takes: the test and the sliced Wasserstein distance up to a million rows, all pairs up to
# 30,000.
wanted <- expand.grid(score = names(scores), d = c(1, 2, 10), n = 10^(4:7), stringsAsFactors = FALSE)
wanted <- rbind(wanted, expand.grid(score = c("energy_distance", "exact"), d = c(1, 2, 10), n = 3e4))
last <- c(energy_distance = 1e7, sliced_wasserstein = 1e6, energy_test = 1e6, exact = 3e4)
wanted <- wanted[wanted$n <= pmin(most, last[wanted$score]), ]
wanted <- wanted[order(wanted$n, wanted$d), ]

# Processor seconds, the clock, the largest memory in MB beyond the samples.
measure <- function(case, z) {
  invisible(gc(reset = TRUE))
  before <- sum(gc()[, 2])
  spent <- system.time(value <- scores[[case$score]](z))
  error <- attr(value, "standard_error")
  directions <- attr(value, "directions")
  data.frame(case, cpu = sum(spent[1:2]), clock = spent[[3]], megabytes = sum(gc()[, 6]) - before,
             value = as.double(value), standard_error = if (is.null(error)) 0 else error,
             directions = if (is.null(directions)) NA else directions)
}

rows <- NULL
for (size in split(wanted, list(wanted$d, wanted$n), drop = TRUE, lex.order = TRUE)) {
  z <- samples(size$n[1], size$d[1])
  for (i in seq_len(nrow(size))) {
    row <- measure(size[i, ], z)
    cat(sprintf("%-18s d %2d n %8.0f %8.2f cpu s %7.2f s %6.0f MB  value %.6g error %.1e directions %g\n", row$score,
                row$d, row$n, row$cpu, row$clock, row$megabytes, row$value, row$standard_error, row$directions))
    rows <- rbind(rows, row)
  }
}

# Of the sliced energy distance: how many standard errors from the sum over all pairs.
rows$off <- NA
for (i in which(rows$score == "energy_distance")) {
  exact <- rows$value[rows$score == "exact" & rows$n == rows$n[i] & rows$d == rows$d[i]]
  if (length(exact)) rows$off[i] <- (rows$value[i] - exact) / max(rows$standard_error[i], 1e-12 * exact)
}
numbers <- setdiff(names(rows)[vapply(rows, is.numeric, NA)], c("d", "n", "directions"))
rows[numbers] <- lapply(rows[numbers], signif, 4)
write.csv(rows, file.path(here, "results", "scores.csv"), row.names = FALSE)

cat("\ngrowth exponents between the two largest sizes, per direction:\n")
for (part in split(rows, rows[c("score", "d")], drop = TRUE)) {
  part <- utils::tail(part[order(part$n), ], 2)
  part$directions[is.na(part$directions)] <- 1
  each <- part$cpu / part$directions
  cat(sprintf("%-18s d %2d  %.2f\n", part$score[1], part$d[1], log(each[2] / each[1]) / log(part$n[2] / part$n[1])))
}
