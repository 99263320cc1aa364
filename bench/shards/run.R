# Rscript bench/shards/run.R LIBRARY: the overhead of daemons at tasks of about a second, and a forecast for more
# machines from what was measured. Writes bench/shards/results/overhead.csv and growth.csv.
library <- commandArgs(TRUE)[1]
.libPaths(c(library, .libPaths()))
base::library(particleflow)
shard_map <- particleflow:::shard_map
here <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
results <- file.path(dirname(here), "results")

# ---- overhead --------------------------------------------------------------------------------------------
# A task of `seconds` by the clock that needs no processor: other programs on the machine do not lengthen it, and more
# daemons than processors do not either. So what is left over tasks * seconds / daemons is the hand-over.
tasks <- 24
pause <- function(x, load, seconds) {
  Sys.sleep(seconds)
  length(load)
}
clock <- function(code) {
  began <- proc.time()
  force(code)
  (proc.time() - began)[c(1, 2, 3)]
}
rows <- list()
for (megabytes in c(0, 20)) {
  load <- raw(megabytes * 1e6)
  for (daemons in 0:4) {
    if (daemons > 0) mirai::daemons(daemons)
    while (daemons > 0 && mirai::info()[["connections"]] < daemons) Sys.sleep(0.1)
    invisible(shard_map(seq_len(2 * daemons), pause, load, 0)) # loads the package
    took <- clock(shard_map(seq_len(tasks), pause, load, 1))
    mirai::daemons(0)
    ideal <- tasks / max(1, daemons)
    rows[[length(rows) + 1]] <- data.frame(
      daemons, tasks, task_seconds = 1, megabytes, seconds = took[[3]], overhead = took[[3]] / ideal - 1,
      processor_ms_per_task = 1000 * (took[[1]] + took[[2]]) / tasks)
    print(rows[[length(rows)]])
  }
}
overhead <- do.call(rbind, rows)
write.csv(overhead, file.path(results, "overhead.csv"), row.names = FALSE)

# ---- new rows in files -----------------------------------------------------------------------------------
# Processor seconds of drawing and writing a part, and its bytes.
set.seed(1)
x <- as.data.frame(matrix(rnorm(2e4), 2000) %*% matrix(rnorm(100), 10))
fit <- synthesise(x, law = "student", flow = FALSE, quiet = TRUE)
part <- 1e5
folder <- tempfile()
took <- clock(files <- simulate(fit, 3 * part, seed = 1, to = folder, rows_per_file = part))
draw <- (took[[1]] + took[[2]]) / 3
bytes <- mean(file.size(files))
fit_bytes <- length(serialize(fit, NULL))

# ---- growth ----------------------------------------------------------------------------------------------
# Assumptions: 1e9 rows in parts of 1e6 as above; one daemon with one thread per machine; the session hands over
# `hand` seconds per task, one after the other; a part that is sent, not written to a shared disk, takes its bytes
# through the session at `network` bytes per second and, for reading and writing, at `disk` bytes per second; the fit is
# sent once per daemon. Nothing is lost and no machine is slower than another.
hand <- max(0, overhead$processor_ms_per_task[overhead$daemons > 0 & overhead$megabytes == 0]) / 1000
network <- 1.25e8 # one gigabit per second
disk <- 5e8
machines <- 2^(0:6)
count <- 1000
each <- 10 * draw
size <- 10 * bytes
growth <- do.call(rbind, lapply(c(shared = TRUE, sent = FALSE), function(shared) {
  session <- hand + if (shared) 0 else size / network + size / disk
  seconds <- vapply(machines, function(m) {
    start <- m * fit_bytes / network
    start + max(ceiling(count / m) * (each + hand), count * session)
  }, 0)
  data.frame(folder = if (shared) "shared" else "sent", machines, seconds, speed_up = seconds[1] / seconds,
             efficiency = seconds[1] / seconds / machines)
}))
growth$part_seconds <- each
growth$part_megabytes <- size / 1e6
growth$fit_megabytes <- fit_bytes / 1e6
growth$hand_ms <- 1000 * hand
print(growth, digits = 3, row.names = FALSE)
write.csv(growth, file.path(results, "growth.csv"), row.names = FALSE)
