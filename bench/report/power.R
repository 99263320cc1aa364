# Rscript bench/report/power.R LIBRARY WHICH REPETITIONS FILE [PATTERN]: how often fidelity() detects synthetic tables
# that are wrong in known ways, with its settings as they come. One row per case, with the 95 % binomial interval.
arguments <- commandArgs(TRUE)
suppressMessages(library(particleflow, lib.loc = arguments[1]))
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "shapes.R"))
repetitions <- as.integer(arguments[3])

# Cases return list(real, synthetic).
shuffled <- function(n, p) function() {
  real <- factor_law(p, min(3, p - 1), 1)(n)
  list(real, apply(real, 2, sample))
}
shifted <- function(n, p, by) function() {
  synthetic <- matrix(rnorm(n * p), n)
  synthetic[, 1] <- synthetic[, 1] + by
  list(matrix(rnorm(n * p), n), synthetic)
}
# normal scores of the first `most` components of the real rows, and nothing of the others
truncated <- function(n, p, most) function() {
  real <- factor_law(p, 10, 1)(n)
  centre <- colMeans(real)
  parts <- svd(sweep(real, 2, centre), nu = 0, nv = most)
  scores <- matrix(rnorm(n * most), n) %*% diag(parts$d[seq_len(most)] / sqrt(n - 1))
  list(real, sweep(tcrossprod(scores, parts$v), 2, centre, "+"))
}
lost_mode <- function(n, p, modes) function() {
  centres <- with_fixed(2, matrix(3 * rnorm(modes * p), modes) / sqrt(p))
  draw <- function(of) centres[sample(of, n, TRUE), , drop = FALSE] + 0.5 * matrix(rnorm(n * p), n)
  list(draw(seq_len(modes)), draw(seq_len(modes - 1)))
}
wider <- function(n, p, times) function() list(matrix(rnorm(n * p), n), times * matrix(rnorm(n * p), n))
# the share `copied` of the synthetic rows are real rows, moved by `noise` standard deviations; the others are fresh
copied <- function(n, p, noise, copied = 1, law = filled(rnorm, p)) function() {
  real <- law(n)
  synthetic <- law(n)
  from <- sample(n, ceiling(copied * n))
  synthetic[seq_along(from), ] <- real[from, ] + noise * rnorm(length(from) * p)
  list(real, synthetic)
}
poisson <- function(n) matrix(rpois(n * 5, 4), n)

cases <- list(
  `shuffled 40 x 4` = shuffled(40, 4), `shuffled 100 x 4` = shuffled(100, 4), `shuffled 200 x 4` = shuffled(200, 4),
  `shuffled 500 x 4` = shuffled(500, 4), `shuffled 40 x 20` = shuffled(40, 20), `shuffled 100 x 20` = shuffled(100, 20),
  `shuffled 40 x 100` = shuffled(40, 100), `shuffled 40 x 500` = shuffled(40, 500),
  `mean shift 0.5 sd, 100 x 10` = shifted(100, 10, 0.5), `mean shift 1 sd, 100 x 10` = shifted(100, 10, 1),
  `mean shift 1 sd, 60 x 100` = shifted(60, 100, 1), `mean shift 0.5 sd, 500 x 10` = shifted(500, 10, 0.5),
  `20 components, 60 x 300` = truncated(60, 300, 20),
  `mode missing 100 x 2` = lost_mode(100, 2, 5), `mode missing 100 x 10` = lost_mode(100, 10, 5),
  `mode missing 300 x 2` = lost_mode(300, 2, 8),
  `sd times 1.2, 100 x 5` = wider(100, 5, 1.2), `sd times 1.2, 400 x 5` = wider(400, 5, 1.2),
  `copies 20 x 4` = copied(20, 4, 0), `copies 60 x 300` = copied(60, 300, 0),
  `copies of counts 40 x 5` = copied(40, 5, 0, 1, poisson),
  `near copies 0.01 sd, 20 x 4` = copied(20, 4, 0.01), `near copies 0.1 sd, 100 x 4` = copied(100, 4, 0.1),
  `near copies 0.3 sd, 100 x 10` = copied(100, 10, 0.3),
  `5 % copies, 100 x 4` = copied(100, 4, 0, 0.05), `5 % copies, 40 x 4` = copied(40, 4, 0, 0.05),
  `10 % near copies, 100 x 4` = copied(100, 4, 0.01, 0.1), `20 % near copies, 100 x 4` = copied(100, 4, 0.01, 0.2),
  `10 % near copies, 400 x 4` = copied(400, 4, 0.01, 0.1),
  `20 % copies of counts, 100 x 5` = copied(100, 5, 0, 0.2, poisson)
)
pattern <- if (length(arguments) > 4) arguments[5] else "."
cases <- cases[grep(pattern, names(cases))]

detected <- function(name, verdict) {
  grepl(if (grepl("cop", name)) "cop|near|close to the real" else "joint law|not close|not quite close", verdict)
}

rows <- lapply(names(cases), function(name) {
  verdicts <- vapply(seq_len(repetitions), function(seed) {
    set.seed(seed)
    tables <- cases[[name]]()
    usual <- if ("expression" %in% names(formals(fidelity))) list(expression = FALSE)
    do.call(fidelity, c(tables[1:2], list(threads = 1, seed = seed), usual))$verdict[["overall"]]
  }, "")
  found <- sum(detected(name, verdicts))
  interval <- binom.test(found, repetitions)$conf.int
  row <- data.frame(which = arguments[2], case = name, repetitions = repetitions, detected = found,
                    low = round(interval[1], 3), high = round(interval[2], 3))
  print(row, row.names = FALSE)
  row
})
write.csv(do.call(rbind, rows), arguments[4], row.names = FALSE)
