# Rscript bench/bits/run.R LIB OUT.csv [--threads N] [--only PATTERN]: runs the cases of cases.R with the package in
# library LIB and writes one line per case and part. --only: the cases whose names match a regular expression.
# Rscript bench/bits/run.R --compare A.csv B.csv: lists the parts that differ. The status is 1 if there are any.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
stop_with <- function(...) {
  message(sprintf(...))
  quit(status = 2)
}

# ---- Running -------------------------------------------------------------------

# All numbers in x as one vector of doubles: lists part by part, labels as their places in the sorted labels. All NA get
# the same bits, and so do all NaN.
numbers <- function(x) {
  if (is.null(x)) return(numeric())
  if (is.list(x)) return(as.double(unlist(lapply(unname(unclass(x)), numbers))))
  if (is.factor(x) || is.character(x)) {
    x <- as.character(x)
    return(as.double(match(x, sort(unique(x), method = "radix"))))
  }
  x <- as.double(x)
  missing <- is.na(x)
  not_a_number <- is.nan(x)
  x[missing] <- NA_real_
  x[not_a_number] <- NaN
  x
}

# Of the 8 bytes of each double, the highest first.
checksum <- function(values) {
  path <- tempfile()
  on.exit(unlink(path))
  writeBin(writeBin(values, raw(), endian = "big"), path)
  unname(tools::md5sum(path))
}

line_of <- function(case, part, value) {
  values <- numbers(value)
  data.frame(case = case, part = part, n = length(values), md5 = checksum(values),
             sum = trimws(formatC(sum(values[is.finite(values)]), digits = 7, format = "g")))
}

# The lines of one case; an error is a line too.
run_case <- function(name, case, threads) {
  particleflow::particleflow_threads(threads)
  RNGkind("Mersenne-Twister", "Inversion", "Rejection")
  set.seed(1)
  parts <- suppressMessages(suppressWarnings(tryCatch(case(), error = function(e) e)))
  if (inherits(parts, "error")) {
    message(sprintf("%s: %s", name, conditionMessage(parts)))
    return(data.frame(case = name, part = "error", n = 0, md5 = "error", sum = ""))
  }
  if (is.null(names(parts)) || !all(nzchar(names(parts))) || anyDuplicated(names(parts))) {
    stop_with("Case \"%s\" has a part without a name, or two of one name.", name)
  }
  parts <- c(Filter(Negate(is.null), parts), list(next_random_number = stats::runif(1)))
  do.call(rbind, Map(line_of, name, names(parts), parts, USE.NAMES = FALSE))
}

# What the bits may depend on besides the code.
machine_lines <- function(threads) {
  c(sprintf("backend %s", particleflow::particleflow_simd()[1]), sprintf("threads %d", threads),
    sprintf("R %s", getRversion()), sprintf("BLAS %s, LAPACK %s", basename(extSoftVersion()[["BLAS"]]), La_version()),
    sprintf("mclust %s", utils::packageVersion("mclust")))
}

run_cases <- function(library, out, threads, pattern) {
  suppressPackageStartupMessages(library("particleflow", lib.loc = library, character.only = TRUE))
  if ("avx2" %in% attr(particleflow_simd(), "available")) particleflow_simd("avx2")
  sys.source(file.path(here, "cases.R"), environment())
  chosen <- cases[grepl(pattern, names(cases))]
  began <- proc.time()[[3]]
  lines <- lapply(names(chosen), function(name) {
    from <- proc.time()[[3]]
    found <- run_case(name, chosen[[name]], threads)
    message(sprintf("%6.1f s  %s", proc.time()[[3]] - from, name))
    found
  })
  lines <- do.call(rbind, lines)
  head <- paste("#", machine_lines(threads))
  writeLines(c(head, utils::capture.output(utils::write.csv(lines, quote = FALSE, row.names = FALSE))), out)
  failed <- sum(lines$md5 == "error")
  message(sprintf("%d cases, %d parts, %d cases failed, %.0f seconds", length(chosen), nrow(lines), failed,
                  proc.time()[[3]] - began))
  quit(status = if (failed) 1 else 0)
}

# ---- Comparing -----------------------------------------------------------------

read_lines <- function(path) {
  if (!file.exists(path)) stop_with("There is no file \"%s\".", path)
  kinds <- c(case = "character", part = "character", n = "numeric", md5 = "character", sum = "character")
  lines <- utils::read.csv(path, comment.char = "#", colClasses = kinds)
  lines$key <- paste(lines$case, lines$part, sep = ": ")
  list(lines = lines, head = sub("^# ", "", grep("^#", readLines(path), value = TRUE)))
}

show_list <- function(title, what) if (length(what)) cat(title, paste0("  ", what), sep = "\n")

# What one file has and the other lacks; TRUE if there is anything.
show_missing <- function(a, b) {
  lost <- setdiff(unique(a$case), b$case)
  new <- setdiff(unique(b$case), a$case)
  lost_parts <- setdiff(a$key[!a$case %in% lost], b$key)
  new_parts <- setdiff(b$key[!b$case %in% new], a$key)
  show_list("Cases missing after:", lost)
  show_list("Cases missing before:", new)
  show_list("Parts missing after:", lost_parts)
  show_list("Parts missing before:", new_parts)
  length(c(lost, new, lost_parts, new_parts)) > 0
}

# Parts of both files with other numbers; TRUE if there are any that do not depend on the clock.
show_different <- function(a, b) {
  both <- merge(a, b, by = "key", suffixes = c("_before", "_after"), sort = FALSE)
  other <- both[both$md5_before != both$md5_after, ]
  clock <- endsWith(other$key, "(clock)")
  told <- sprintf("%s   n %g -> %g, sum %s -> %s", other$key, other$n_before, other$n_after, other$sum_before,
                  other$sum_after)
  show_list("Parts that differ:", told[!clock])
  show_list("Parts that differ, but whose last bits depend on the clock:", told[clock])
  cat(sprintf("%d parts are in both files: %d differ (in %d cases), and %d more whose last bits depend on the clock\n",
              nrow(both), sum(!clock), length(unique(other$case_before[!clock])), sum(clock)))
  any(!clock)
}

compare_files <- function(before, after) {
  a <- read_lines(before)
  b <- read_lines(after)
  show_list("Only the first file was made with:", setdiff(a$head, b$head))
  show_list("Only the second file was made with:", setdiff(b$head, a$head))
  missing <- show_missing(a$lines, b$lines)
  different <- show_different(a$lines, b$lines)
  quit(status = if (missing || different) 1 else 0)
}

# ---- Arguments -----------------------------------------------------------------

# The value of an option, and the arguments without it.
take_option <- function(arguments, name, default) {
  at <- match(name, arguments)
  if (is.na(at)) return(list(value = default, rest = arguments))
  if (at == length(arguments)) stop_with("%s needs a value.", name)
  list(value = arguments[at + 1], rest = arguments[-c(at, at + 1)])
}

arguments <- commandArgs(TRUE)
if (identical(arguments[1], "--compare")) {
  if (length(arguments) != 3) stop_with("Usage: Rscript bench/bits/run.R --compare A.csv B.csv")
  compare_files(arguments[2], arguments[3])
}
threads <- take_option(arguments, "--threads", "1")
pattern <- take_option(threads$rest, "--only", "")
if (length(pattern$rest) != 2) stop_with("Usage: Rscript bench/bits/run.R LIB OUT.csv [--threads N] [--only PATTERN]")
run_cases(pattern$rest[1], pattern$rest[2], as.integer(threads$value), pattern$value)
