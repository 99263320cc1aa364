# Rscript bench/scale/fits.R LIBRARY [CASE ...]: fits of large tables, see README.md. Each case runs in a process of its
# own, and its rows take the place of former ones in results/fits.csv. A case is mixed, narrow or wide and a number of
# rows, such as mixed:1e5; or laws:1e6, each law alone.
words <- commandArgs(TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
usual <- c(outer(c("mixed", "narrow", "wide"), c("1e4", "1e5", "1e6"), paste, sep = ":"), "laws:1e6")
file <- file.path(here, "results", "fits.csv")

if (!identical(words[1], "--one")) {
  for (case in if (length(words) > 1) words[-1] else usual) {
    out <- tempfile()
    system2("Rscript", c(file.path(here, "fits.R"), "--one", words[1], case, out))
    if (!file.exists(out)) next
    new <- utils::read.csv(out)
    old <- if (file.exists(file)) utils::read.csv(file)
    old <- old[!paste(old$case, old$what) %in% paste(new$case, new$what), ]
    utils::write.csv(rbind(old, new), file, row.names = FALSE)
  }
  quit()
}

suppressPackageStartupMessages(library(particleflow, lib.loc = words[2]))
options(particleflow.threads = 2L)
case <- words[3]
kind <- sub(":.*", "", case)
n <- as.numeric(sub(".*:", "", case))
inner <- asNamespace("particleflow")

# Numbers of several shapes, a count, a factor of 8 levels, a logical, a date, an ordered factor; gaps in three columns.
mixed_table <- function(n) {
  g <- base::sample(4, n, TRUE, c(.4, .3, .2, .1))
  z <- matrix(rnorm(n * 4), n) %*% chol(0.5 + 0.5 * diag(4)) + c(0, 1, -1, 2)[g]
  x <- data.frame(
    age = round(45 + 12 * z[, 1], 1),
    income = round(exp(9 + 0.5 * z[, 2] + 0.3 * rnorm(n)), 2),
    pressure = 120 + 10 * z[, 3] + rt(n, 4) * 3,
    cost = ifelse(runif(n) < 0.3, 0, round(rgamma(n, 2, 0.02) * exp(z[, 4] / 4), 2)),
    visits = rpois(n, exp(0.3 * z[, 2] + 0.5)),
    region = factor(letters[pmin(8, 1 + floor(8 * plogis(z[, 3] + rnorm(n))))]),
    smoker = runif(n) < plogis(z[, 4] - 1),
    day = as.Date("2015-01-01") + floor(3650 * pnorm(z[, 1] / 2 + rnorm(n) / 2)),
    grade = cut(z[, 2] + rnorm(n), c(-Inf, -1, 0.5, 2, Inf), c("low", "mid", "high", "top"), ordered_result = TRUE),
    score = rnorm(n, sin(z[, 1]) * 2, 0.3)
  )
  for (name in c("income", "pressure", "visits")) x[[name]][runif(n) < 0.03] <- NA
  x
}

# Three clusters on bent sheets.
number_table <- function(n, d) {
  z <- matrix(rnorm(n * d), n) %*% chol(0.6 + 0.4 * diag(d))
  z[, 2] <- z[, 2] + z[, 1]^2 / 2
  z + 3 * matrix(rnorm(3 * d), 3)[base::sample(3, n, TRUE), ]
}

status_of <- function(name) {
  line <- grep(paste0("^", name, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

rows <- NULL
# Processor seconds of all threads, the clock, the peak of the process beyond what was there before, and of all.
measure <- function(what, expr) {
  invisible(gc())
  writeLines("5", "/proc/self/clear_refs")
  before <- status_of("VmRSS")
  took <- system.time(result <- force(expr))
  peak <- status_of("VmHWM")
  rows <<- rbind(rows, data.frame(case, what, n, cpu = took[[1]] + took[[2]], clock = took[[3]],
                                  peak_mb = peak - before, process_mb = peak, foretold_s = NA_real_,
                                  foretold_mb = NA_real_))
  print(rows[nrow(rows), ], digits = 3, row.names = FALSE)
  utils::write.csv(rows, words[4], row.names = FALSE)
  invisible(result)
}

set.seed(1)
if (kind == "laws") {
  x <- number_table(n, 5)
  x <- scale(x)
  attributes(x) <- attributes(x)["dim"]
  for (name in setdiff(inner$law_names(), "stack")) {
    settings <- switch(name, student = , mixture = list(components = 5), ensemble = list(balanced = TRUE), list())
    law <- measure(paste(name, "fit"), inner$fit_law(inner$our_law(name, settings), x, 0))
    measure(paste(name, "draws"), inner$draw_law(law, n, c(1L, 2L), 2L))
    if (inner$has_density(law)) measure(paste(name, "density of 10000"), inner$law_density(law, x[1:10000, ], 2L))
  }
} else {
  x <- switch(kind, mixed = mixed_table(n), narrow = number_table(n, 5), wide = number_table(n, 20))
  lacking <- if (kind == "mixed") 3 else 0
  foretold <- inner$synthesis_needs(n, ncol(x), lacking, kind == "mixed", 1)
  fit <- measure("synthesise", synthesise(x, quiet = TRUE))
  rows[1, c("foretold_s", "foretold_mb")] <- c(foretold[["seconds"]], foretold[["bytes"]] / 1e6)
  print(fit)
  measure("simulate", new <- simulate(fit, n, seed = 1))
  measure("print, summary, plot", {
    utils::capture.output(print(fit), print(summary(fit)))
    grDevices::pdf(NULL)
    plot(fit)
  })
  measure("fidelity", print(fidelity(x, new)))
  measure("log-density of 1000", predict(fit, x[1:1000, ], type = "log_density"))
}
