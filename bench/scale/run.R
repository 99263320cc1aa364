# Rscript bench/scale/run.R LIBRARY [most rows, 1e6] [kinds, such as tree,mesh]: one step's field of each kind for 10^4
# to 10^6 particles. See README.md.
arguments <- commandArgs(TRUE)
library(particleflow, lib.loc = arguments[1])
most <- if (length(arguments) > 1) as.numeric(arguments[2]) else 1e6
kinds <- if (length(arguments) > 2) strsplit(arguments[3], ",")[[1]] else c("exact", "tree", "mesh", "sliced", "batch")
inner <- asNamespace("particleflow")
threads <- 2L

# A cloud with one bent coordinate, in the unit of a flow: root-mean-square radius about 1.
cloud <- function(n, d) {
  set.seed(n + d)
  x <- matrix(rnorm(n * d), n, d) / sqrt(d)
  if (d > 1) x[, 1] <- x[, 1] + 0.3 * x[, 2]^2
  x
}

# Softening c n^(-2/d) with c = 16, as in the rule of thumb of efs().
softening <- function(n, d) 16 * n^(-2 / d)

cases <- rbind(
  expand.grid(kind = "exact", d = c(1, 2, 3, 5, 15), s = NA, n = 1e4, stringsAsFactors = FALSE),
  expand.grid(kind = "tree", d = 1:3, s = NA, n = c(1e4, 1e5, 1e6), stringsAsFactors = FALSE),
  expand.grid(kind = "mesh", d = 1:3, s = NA, n = c(1e4, 1e5, 1e6), stringsAsFactors = FALSE),
  expand.grid(kind = "sliced", d = c(5, 15), s = -1, n = c(1e4, 1e5, 1e6), stringsAsFactors = FALSE),
  expand.grid(kind = "batch", d = c(5, 15), s = c(0, 13), n = c(1e4, 1e5, 1e6), stringsAsFactors = FALSE)
)
cases$s <- ifelse(is.na(cases$s), ifelse(cases$d == 1, -0.5, 0), cases$s)
cases <- cases[cases$s < cases$d & cases$n <= most & cases$kind %in% kinds, ]

asked <- list(
  exact = efs_field("exact"), tree = efs_field("tree", tolerance = 1e-3),
  mesh = efs_field("mesh", tolerance = 1e-3),
  sliced = efs_field("sliced", tolerance = 0.01), batch = efs_field("batch", sources = 200)
)

# Processor seconds of the field and of what the diagnostics need, the clock, the largest memory in MB, the error.
measure <- function(case) {
  x <- cloud(case$n, case$d)
  potential <- list(s = case$s, epsilon = softening(case$n, case$d))
  set.seed(1)
  chosen <- inner$choose_field(asked[[case$kind]], x, potential, threads)
  invisible(gc(reset = TRUE))
  before <- sum(gc()[, 2])
  field <- system.time({
    frame <- inner$open_field(chosen, x, 1L, potential, threads)
    own <- inner$own_field(frame, threads)
  })
  survey <- system.time(seen <- inner$survey_field(frame, own, threads))
  data.frame(case, setting = format(setting_of(chosen)), epsilon = potential$epsilon,
             field_cpu = sum(field[1:2]), survey_cpu = sum(survey[1:2]), clock = field[[3]] + survey[[3]],
             megabytes = sum(gc()[, 6]) - before, error = if (is.null(seen$field_error)) 0 else seen$field_error)
}

setting_of <- function(field) if (field$kind == "exact") "every pair" else format(field)

rows <- do.call(rbind, lapply(seq_len(nrow(cases)), function(i) {
  row <- measure(cases[i, ])
  cat(sprintf("%-7s d %2d s %4.1f n %7.0f  %-28s %7.2f + %5.2f cpu s, %6.2f s, %5.0f MB, error %.1e\n", row$kind, row$d,
              row$s, row$n, row$setting, row$field_cpu, row$survey_cpu, row$clock, row$megabytes, row$error))
  row
}))
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
name <- if (length(arguments) > 2) paste0("field-", paste(kinds, collapse = "-"), ".csv") else "field.csv"
write.csv(rows, file.path(here, "results", name), row.names = FALSE)

# The growth exponent between the last two sizes, where rounding of the clock does not count.
cat("\ngrowth exponents of the field between the two largest sizes:\n")
for (part in split(rows, rows[c("kind", "d", "s")], drop = TRUE)) {
  part <- utils::tail(part[order(part$n), ], 2)
  if (nrow(part) < 2) next
  cat(sprintf("%-7s d %2d s %4.1f  %.2f\n", part$kind[1], part$d[1], part$s[1],
              log(part$field_cpu[2] / part$field_cpu[1]) / log(part$n[2] / part$n[1])))
}
