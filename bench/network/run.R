# Speed of the networks: parts beside the multiply-add peak, whole jobs beside an earlier version, PyTorch.
#   Rscript bench/network/run.R LIBRARY [BEFORE] [quick] [twice] [kernel] [torch] [jobs]
# LIBRARY: where particleflow is installed; BEFORE: the same for an earlier version, to compare with. Writes
# results/kernel.csv, results/torch.csv (if python3, or the program that PYTHON names, has torch) and results/jobs.csv,
# or those of the named parts. Versions take turns. `twice`: the less of two times.

words <- commandArgs(TRUE)
quick <- "quick" %in% words
parts <- intersect(words, c("kernel", "torch", "jobs"))
if (length(parts) == 0) parts <- c("kernel", "torch", "jobs")
libraries <- setdiff(words, c("quick", "twice", "kernel", "torch", "jobs"))
python <- Sys.getenv("PYTHON", "python3")
names(libraries) <- c("now", "before")[seq_along(libraries)]
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
results <- file.path(here, "results")
rounds <- if ("twice" %in% words) 2L else 1L
suffix <- if (quick) "_quick.csv" else ".csv"

write_results <- function(table, name) {
  utils::write.csv(table, file.path(results, paste0(name, suffix)), row.names = FALSE)
  print(table, digits = 3)
}

# ---- parts: src/core without R, compiled as R compiles it ------------------------------------------------

kernel_table <- function() {
  core <- file.path(here, "..", "..", "src")
  program <- tempfile("kernel")
  files <- c(file.path(here, "kernel.c"), Sys.glob(file.path(core, "core", "*", "*.c")))
  status <- system2("gcc", c("-O2", "-std=gnu99", "-fopenmp", paste0("-I", core), files, "-o", program, "-lm"))
  stopifnot(status == 0)
  utils::read.csv(text = system2(program, if (quick) "quick" else "full", stdout = TRUE))
}

# ---- whole jobs ------------------------------------------------------------------------------------------------

job_names <- c("gpa 226 onto 265, d 50, 500 steps", "gpa four Gaussians, 500 steps", "distill, energy, 1000 steps",
               "pushforward, characteristic, 1000 steps", "pushforward, energy, 1000 steps",
               "a million draws in 16 dimensions")

time_job <- function(library, threads, job) {
  out <- system2("Rscript", c(shQuote(file.path(here, "jobs.R")), shQuote(library), threads, shQuote(job)),
                 stdout = TRUE)
  as.numeric(strsplit(trimws(utils::tail(out, 1)), " ")[[1]])
}

# The least elapsed and processor seconds.
time_jobs <- function(job, threads) {
  found <- vapply(seq_len(rounds), function(round) {
    vapply(libraries, time_job, c(elapsed = 0, cpu = 0), threads, job)
  }, matrix(0, 2, length(libraries)))
  least <- apply(found, 1:2, min)
  out <- data.frame(job = job, threads = threads, seconds = least["elapsed", "now"], cpu = least["cpu", "now"])
  if (length(libraries) < 2) return(out)
  transform(out, before = least["elapsed", "before"], cpu_before = least["cpu", "before"],
            ratio = least["elapsed", "before"] / least["elapsed", "now"],
            cpu_ratio = least["cpu", "before"] / least["cpu", "now"])
}

# ---- PyTorch -----------------------------------------------------------------------------------------------------

torch_table <- function(kernel) {
  has <- suppressWarnings(system2(python, c("-c", shQuote("import torch")), stdout = FALSE, stderr = FALSE)) == 0
  if (!has) return(NULL)
  seconds <- if (quick) 1 else 3
  ours <- function(part) {
    kernel$microseconds[kernel$shape == "50-64-64-64-1" & kernel$part == part & kernel$simd == kernel$simd[1]]
  }
  torch <- vapply(1:2, function(threads) {
    # an OpenBLAS with OpenMP has as many threads
    runs <- replicate(rounds, system2(python, c(shQuote(file.path(here, "torch_update.py")), threads, seconds),
                                      stdout = TRUE, env = paste0("OMP_NUM_THREADS=", threads)))
    min(as.numeric(runs))
  }, 0)
  data.frame(threads = 1:2, rescaled = ours("gpa update"), same_work = ours("gpa update without rescaling"),
             torch = torch, ratio_rescaled = torch / ours("gpa update"),
             ratio = torch / ours("gpa update without rescaling"))
}

dir.create(results, showWarnings = FALSE)
load_average <- function() cat("load:", readLines("/proc/loadavg"), "\n")
load_average()
if ("kernel" %in% parts) write_results(kernel_table(), "kernel")
if ("torch" %in% parts) {
  kernel <- utils::read.csv(file.path(results, paste0("kernel", suffix)))
  torch <- torch_table(kernel)
  if (is.null(torch)) cat("There is no torch here.\n") else write_results(torch, "torch")
}
load_average()
if ("jobs" %in% parts) {
  jobs <- expand.grid(job = job_names, threads = 1:2, stringsAsFactors = FALSE)
  write_results(do.call(rbind, Map(time_jobs, jobs$job, jobs$threads)), "jobs")
}
load_average()
