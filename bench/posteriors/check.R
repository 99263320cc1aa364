# Rscript bench/posteriors/check.R: are the densities right? For each entry: the gradient against central differences at
# 20 draws of the reference (on the user's scale and on the free one); a point by itself against the same point among
# others; and Stein's identities E s = 0, E (z - m) s' = -I over the reference draws on the free scale (s the gradient
# there), as the largest deviation in standard errors. A density that is not that of the draws fails the last.
here <- "bench/posteriors"
for (file in c("free.R", "posteriors.R", "cases.R")) source(file.path(here, file))

# With edges inside (exponential, steps, garch11_edge), and in the second identity with heavy tails, the identities do
# not hold.
for (name in c(posterior_names, case_names)) {
  entry <- if (name %in% posterior_names) posterior(name) else hard_case(name)
  free <- on_free_scale(entry)
  z <- to_free_scale(entry, entry$draws)
  spread <- apply(z, 2, sd)
  at <- z[seq(1, nrow(z), length.out = 20), , drop = FALSE]
  # user's scale: the step is small beside the distance to any bound
  x <- entry$draws[seq(1, nrow(z), length.out = 20), , drop = FALSE]
  g <- entry$gradient(x)
  differences <- sapply(seq_len(ncol(x)), function(k) {
    h <- 1e-5 * pmin(sd(entry$draws[, k]), pmin(x[, k] - entry$lower[[k]], entry$upper[[k]] - x[, k]))
    ahead <- behind <- x
    ahead[, k] <- x[, k] + h
    behind[, k] <- x[, k] - h
    (entry$log_density(ahead) - entry$log_density(behind)) / (ahead[, k] - behind[, k])
  })
  user_off <- max(abs(g - differences) / (1 / apply(entry$draws, 2, sd)[col(g)] + abs(g)))
  g <- free$slope(at)
  differences <- sapply(seq_len(free$dim), function(k) {
    ahead <- behind <- at
    ahead[, k] <- at[, k] + 1e-5 * spread[k]
    behind[, k] <- at[, k] - 1e-5 * spread[k]
    (free$value(ahead) - free$value(behind)) / (ahead[, k] - behind[, k])
  })
  free_off <- max(abs(g - differences) / (1 / spread[col(g)] + abs(g)))
  alone <- vapply(1:20, function(i) entry$log_density(x[i, , drop = FALSE]), 0)
  rows_off <- max(abs(alone - entry$log_density(x)))
  back <- max(abs(from_free_scale(entry, z)$x - entry$draws))
  s <- sweep(free$slope(z), 2, spread, "*")
  u <- sweep(sweep(z, 2, colMeans(z)), 2, spread, "/")
  error <- function(v) abs(mean(v)) / (sd(v) / sqrt(length(v)))
  first <- max(apply(s, 2, error))
  second <- max(vapply(seq_len(free$dim), function(j) max(vapply(seq_len(free$dim), function(k)
    error(u[, j] * s[, k] + (j == k)), 0)), 0))
  seconds <- system.time(for (i in 1:5) { free$value(z[1:1000, ]); free$slope(z[1:1000, ]) })[["user.self"]]
  line <- "%-20s d %2d  gradient %.1e %.1e  rows %.1e  back %.1e  Stein %.1f %.1f (of %d)  ms per 1000: %.1f\n"
  cat(sprintf(line, name, free$dim, user_off, free_off, rows_off, back, first, second, free$dim^2, seconds * 200))
}
