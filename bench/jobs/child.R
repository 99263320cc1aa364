# Rscript bench/jobs/child.R LIBRARY THREADS JOB HOW FILE: runs one job of jobs.R in this process and writes FILE.
#   JOB = keep: makes the fits that several jobs need
#   HOW = plain: one line of numbers, see below; rprof: the samples of Rprof(); perf: those of perf
words <- commandArgs(TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
suppressPackageStartupMessages(library(particleflow, lib.loc = words[1]))
options(particleflow.threads = as.integer(words[2]))
source(file.path(here, "jobs.R"))
if (words[3] == "keep") {
  keep_all()
  quit()
}
job <- jobs[[words[3]]]
how <- words[4]
file <- words[5]

# Megabytes of a line of /proc/self/status.
status_of <- function(name) {
  line <- grep(paste0("^", name, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
load_now <- function() as.numeric(strsplit(readLines("/proc/loadavg"), " ")[[1]][1])

at <- job$prepare()
table <- job$table(at)
table_mb <- if (is.null(table)) NA else as.numeric(object.size(table)) / 2^20
table <- NULL
invisible(gc())
if (how == "plain") {
  writeLines("5", "/proc/self/clear_refs") # the peak of the process starts again from what is there now
  before <- status_of("VmRSS")
  held <- sum(gc(reset = TRUE)[, 2])
  took <- system.time(result <- job$run(at))
  peak <- status_of("VmHWM") - before
  peak_r <- sum(gc()[, 6]) - held
  saved <- length(serialize(result, NULL, xdr = FALSE)) / 2^20
  row <- data.frame(job = words[3], threads = words[2], elapsed = took[[3]], cpu = took[[1]] + took[[2]],
                    load = load_now(), table_mb, peak_mb = peak, peak_r_mb = peak_r, result_mb = saved)
  utils::write.csv(row, file, row.names = FALSE)
} else if (how == "rprof") {
  Rprof(file, interval = 0.01, gc.profiling = TRUE)
  invisible(job$run(at))
  Rprof(NULL)
} else {
  # perf samples only from here on
  log <- tempfile()
  system(sprintf("perf record -q -e cpu-clock -F 499 -o '%s' -p %d > '%s' 2>&1 & echo $! > '%s.pid'", file,
                 Sys.getpid(), log, file))
  Sys.sleep(1)
  invisible(job$run(at))
  tools::pskill(as.integer(readLines(paste0(file, ".pid"))), tools::SIGINT)
  Sys.sleep(1)
}
