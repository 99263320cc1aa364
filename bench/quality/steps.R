# Rscript bench/quality/steps.R: variants of a flow on tuning families with 200 rows: steps of a quarter (an upper limit
# for what steps of a better order could gain), a softening of each particle's own, a softening that falls or grows in
# time. The score is the held-out log-likelihood under the best local law, chosen with hindsight for every variant.
# Writes results/steps.csv in ten minutes.
library(particleflow)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "families.R"))
inner <- asNamespace("particleflow")

# The field of Algorithm 2 and its Jacobian at the rows of y, from the particles x. Each particle has its own softening.
field_with_jacobian <- function(y, x, s, epsilon, self) {
  n <- nrow(x)
  d <- ncol(x)
  out <- list(field = matrix(0, nrow(y), d), jacobian = array(0, c(nrow(y), d, d)))
  others <- rep(1, n)
  for (i in seq_len(nrow(y))) {
    if (self) others <- replace(rep(1, n), i, 0)
    z <- rep(y[i, ], each = n) - x
    u <- rowSums(z^2) + epsilon
    w <- u^(-s / 2 - 1)
    out$field[i, ] <- colSums(z * ((1 - w) * others)) / (n - 1)
    out$jacobian[i, , ] <- (diag(sum((1 - w) * others), d) + (s + 2) * crossprod(z * sqrt(w / u * others))) / (n - 1)
  }
  out
}

eigenvalues <- function(jacobian) {
  apply(jacobian, 1, function(one) eigen(matrix(one, dim(jacobian)[2]), TRUE, TRUE)$values)
}

# Carries particles x and held-out rows y for time 1; also returns the log-determinants at y.
carry <- function(x, y, s, softening, step) {
  time <- 0
  log_det <- 0
  while (time < 1 - 1e-9) {
    epsilon <- softening(x, time)
    of_x <- field_with_jacobian(x, x, s, epsilon, TRUE)
    of_y <- field_with_jacobian(y, x, s, epsilon, FALSE)
    gamma <- min(step, 1 - time, 0.5 / max(eigenvalues(of_x$jacobian), 1e-9))
    log_det <- log_det + colSums(log(pmax(1 - gamma * matrix(eigenvalues(of_y$jacobian), ncol(x)), 1e-300)))
    x <- x - gamma * of_x$field
    y <- y - gamma * of_y$field
    time <- time + gamma
  }
  list(x = x, y = y, log_det = log_det)
}

best_law <- function(at, s) {
  laws <- expand.grid(k = c(10, 20, 40), keep_moments = c(FALSE, TRUE))
  local <- inner$law_density(inner$fit_law(law_local(), at$x, s), at$y, 1L,
                             jitter = exp(seq(log(0.3), log(3.4), length.out = 9)))
  shaped <- lapply(seq_len(nrow(laws)), function(i) {
    law <- law_local_covariance(k = laws$k[i], shrinkage = 0.1, keep_moments = laws$keep_moments[i])
    law <- inner$fit_law(law, at$x, s)
    inner$law_density(law, at$y, 1L, jitter = exp(seq(log(0.3), log(2.5), length.out = 7)))
  })
  max(colMeans(cbind(local, do.call(cbind, shaped)) + at$log_det))
}

variants <- function(epsilon) {
  fixed <- function(x, time) epsilon
  own <- function(x, time) {
    reach <- inner$neighbours(x, x, 10L, self = TRUE)$distance[, 10]
    epsilon * pmin(pmax((reach / stats::median(reach))^2, 0.2), 5)
  }
  list(
    fixed = list(softening = fixed, step = 0.1), "steps of a quarter" = list(softening = fixed, step = 0.025),
    "own softening" = list(softening = own, step = 0.1),
    falling = list(softening = function(x, time) epsilon * 4^(0.5 - time), step = 0.1),
    growing = list(softening = function(x, time) epsilon * 4^(time - 0.5), step = 0.1)
  )
}

rows <- NULL
for (family in c("mixture_5", "sheet", "t4", "skewed")) for (d in c(2, 5)) for (repetition in 1:3) {
  sample <- TUNING[[family]](200, d, family_seed(family, repetition))
  set.seed(5)
  held <- sample$draw(400)
  place <- inner$ball_scale(sample$x, TRUE)
  start <- list(x = unname(inner$to_flow(sample$x, place)), y = unname(inner$to_flow(held, place)), log_det = 0)
  volume <- inner$flow_log_volume(place)
  s <- if (d == 2) 0 else 2
  for (softening in c(4, 16)) {
    values <- vapply(variants(softening * 200^(-2 / max(d, 2))), function(one) {
      best_law(carry(start$x, start$y, s, one$softening, one$step), s)
    }, 0)
    rows <- rbind(rows, data.frame(family, d, repetition, softening, variant = c("no flow", names(values)),
                                   log_likelihood = c(best_law(start, s), values) + volume))
  }
  message(family, " d ", d, " repetition ", repetition)
}
write.csv(rows, file.path(here, "results", "steps.csv"), row.names = FALSE)
