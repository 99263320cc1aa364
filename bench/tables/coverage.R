# Rscript bench/tables/coverage.R LIBRARY [REPETITIONS]: multiple imputation of a simulated table, and coverage of the
#   95 % intervals of regression coefficients. It appends to results/coverage.csv, and does not make again a repetition
#   that is there. LIBRARY: as in run.R.
# Rscript bench/tables/coverage.R --table: prints the table of results/coverage.csv.

# y = 1 + x1 + x2 + x3 / 2 + noise with sd 1; x1 is normal, x2 binary, x3 a count. x1 and x2 are missing with a
# probability that depends on y alone, so they are missing at random; about a third of each is missing.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
file <- file.path(here, "results", "coverage.csv")
rows <- 200L
imputations <- 10L
truth <- c(x1 = 1, x2 = 1)

new_table <- function() {
  x1 <- rnorm(rows)
  x2 <- rbinom(rows, 1, plogis(0.5 * x1))
  x3 <- rpois(rows, exp(0.3 + 0.3 * x1))
  y <- 1 + x1 + x2 + 0.5 * x3 + rnorm(rows)
  gone <- function() runif(rows) < plogis(-1 + 0.5 * (y - 2.3))
  x1[gone()] <- NA
  data.frame(y, x1, x2 = ifelse(gone(), NA, x2) == 1, x3)
}

fit_of <- function(table) summary(lm(y ~ x1 + x2 + x3, table))$coefficients[2:3, 1:2]

# Rubin's rules with the degrees of freedom of Barnard and Rubin (1999): estimate, lower and upper end [2, 3].
pool <- function(tables) {
  fits <- lapply(tables, fit_of)
  estimate <- vapply(fits, function(fit) fit[, 1], numeric(2))
  within <- rowMeans(vapply(fits, function(fit) fit[, 2]^2, numeric(2)))
  between <- apply(estimate, 1, var) * (1 + 1 / imputations)
  total <- within + between
  lambda <- between / total
  complete <- rows - 4
  observed <- (complete + 1) / (complete + 3) * complete * (1 - lambda)
  df <- 1 / (lambda^2 / (imputations - 1) + 1 / observed)
  interval(rowMeans(estimate), sqrt(total), df)
}

interval <- function(estimate, error, df) {
  cbind(estimate, lower = estimate - qt(0.975, df) * error, upper = estimate + qt(0.975, df) * error)
}

methods <- list(
  particleflow = function(table, seed) {
    fit <- particleflow::synthesise(table, quiet = TRUE, threads = 1, progress = FALSE)
    pool(predict(fit, table, type = "impute", m = imputations, seed = seed, threads = 1))
  },
  mice = function(table, seed) {
    table$x2 <- factor(table$x2)
    made <- mice::mice(table, m = imputations, printFlag = FALSE, seed = seed)
    pool(mice::complete(made, "all"))
  },
  complete_cases = function(table, seed) {
    fit <- lm(y ~ x1 + x2 + x3, table)
    one <- summary(fit)$coefficients[2:3, ]
    interval(one[, 1], one[, 2], fit$df.residual)
  }
)

run <- function(repetitions) {
  done <- if (file.exists(file)) read.csv(file)
  for (repetition in setdiff(seq_len(repetitions), done$repetition)) {
    set.seed(repetition)
    table <- new_table()
    lines <- lapply(names(methods), function(method) {
      began <- proc.time()[[3]]
      found <- methods[[method]](table, repetition)
      data.frame(repetition, method, coefficient = names(truth), found, seconds = proc.time()[[3]] - began,
                 row.names = NULL)
    })
    write.table(do.call(rbind, lines), file, append = file.exists(file), sep = ",", row.names = FALSE,
                col.names = !file.exists(file), quote = FALSE)
  }
}

print_table <- function() {
  seen <- read.csv(file)
  cat(sprintf("%d repetitions of %d rows, %d imputations; exact 95 %% intervals of the coverage\n",
              length(unique(seen$repetition)), rows, imputations))
  parts <- split(seen, list(seen$method, seen$coefficient))
  lines <- lapply(parts, function(part) {
    true <- truth[[part$coefficient[1]]]
    covered <- sum(part$lower <= true & part$upper >= true)
    ends <- binom.test(covered, nrow(part))$conf.int
    data.frame(coefficient = part$coefficient[1], method = part$method[1], coverage = covered / nrow(part),
               from = ends[1], to = ends[2], width = mean(part$upper - part$lower), bias = mean(part$estimate) - true,
               bias_se = sd(part$estimate) / sqrt(nrow(part)), seconds = mean(part$seconds))
  })
  print(do.call(rbind, lines), digits = 3, row.names = FALSE)
}

arguments <- commandArgs(TRUE)
if (identical(arguments[1], "--table")) {
  print_table()
} else {
  if (length(arguments) && arguments[1] != "-") .libPaths(c(strsplit(arguments[1], ":")[[1]], .libPaths()))
  run(if (length(arguments) > 1) as.integer(arguments[2]) else 200L)
}
