# Whole jobs: their time, their peak of memory, and what a second is spent on.
#   Rscript bench/jobs/run.R LIBRARY [BEFORE] [memory] [profile] [tables] [job ...]
# LIBRARY: where particleflow is installed; BEFORE: the same for an earlier version, whose memory is measured too.
# Each job has processes of its own, see child.R. Writes results/memory.csv, results/stages.csv (Rprof), results/
# native.csv (perf, where it is installed) and, from these, results/tables.md. Without names of parts or jobs: all.

words <- commandArgs(TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
results <- file.path(here, "results")
source(file.path(here, "stages.R"))
of_parts <- c("memory", "profile", "tables")
library("particleflow", lib.loc = setdiff(words, of_parts)[1], character.only = TRUE, warn.conflicts = FALSE)
source(file.path(here, "jobs.R"))
parts <- intersect(words, of_parts)
if (!length(parts)) parts <- of_parts
chosen <- intersect(names(jobs), words)
if (!length(chosen)) chosen <- names(jobs)
libraries <- setdiff(words, c(of_parts, names(jobs)))
names(libraries) <- c("now", "before")[seq_along(libraries)]
threads <- Sys.getenv("THREADS", "1")

# Each library has its own fits.
child <- function(library, job, how = "plain", file = tempfile()) {
  kept <- file.path(tempdir(), gsub("/", "_", library))
  dir.create(kept, showWarnings = FALSE)
  Sys.setenv(PARTICLEFLOW_JOBS = kept, R_LIBS = paste(c(library, .libPaths()), collapse = ":"))
  status <- system2("Rscript", c(file.path(here, "child.R"), library, threads, job, how, file), stdout = FALSE)
  if (status) warning(job, " failed")
  file
}

# Rows of the jobs that ran replace those of earlier runs.
write_rows <- function(rows, name) {
  path <- file.path(results, name)
  old <- if (file.exists(path)) utils::read.csv(path)
  if (!is.null(old)) rows <- rbind(old[!old$job %in% rows$job, ], rows)
  utils::write.csv(rows[order(match(rows$job, names(jobs))), ], path, row.names = FALSE)
}

if (any(c("memory", "profile") %in% parts)) for (library in libraries) child(library, "keep")
for (job in chosen) {
  if ("memory" %in% parts) {
    rows <- lapply(names(libraries), function(version) {
      cbind(version = version, utils::read.csv(child(libraries[[version]], job)))
    })
    write_rows(do.call(rbind, rows), "memory.csv")
  }
  if ("profile" %in% parts) {
    samples <- read_samples(child(libraries[["now"]], job, "rprof"))
    write_rows(cbind(job = job, share_of(samples, file.path(here, "..", "..", "R"))), "stages.csv")
    if (nzchar(Sys.which("perf"))) {
      write_rows(cbind(job = job, native_share(child(libraries[["now"]], job, "perf"))), "native.csv")
    }
  }
}
if ("tables" %in% parts) {
  program <- tempfile("peak")
  system2("gcc", c("-O2", "-std=gnu99", "-fopenmp", paste0("-I", file.path(here, "..", "..", "src")),
                   file.path(here, "peak.c"), "-o", program, "-lm"))
  peak <- if (file.exists(program)) as.numeric(system2(program, threads, stdout = TRUE)) else NA
  writeLines(all_tables(results, peak), file.path(results, "tables.md"))
}
