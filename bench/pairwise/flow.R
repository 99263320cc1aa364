# Rscript bench/pairwise/flow.R [quick]: whole flows with the installed package, and one step compared with vectorised R
# and PyTorch. Writes results/flow.csv. FLOW_LIBRARY: where the package is. FLOW_RESULTS: where results go.
# FLOW_PART: a comma-separated choice of step, noninteger, inverse, mnist, large.
library(particleflow, lib.loc = if (nzchar(Sys.getenv("FLOW_LIBRARY"))) Sys.getenv("FLOW_LIBRARY"))
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
results <- Sys.getenv("FLOW_RESULTS", file.path(here, "results"))
quick <- "quick" %in% commandArgs(TRUE)
parts <- strsplit(Sys.getenv("FLOW_PART", "step,noninteger,inverse,mnist,large"), ",")[[1]]
particleflow_threads(2)
file <- file.path(results, "flow.csv")

info <- readLines("/proc/cpuinfo")
field <- function(name) sub(".*: ", "", grep(paste0("^", name, "\\s*:"), info, value = TRUE)[1])
cat(sprintf("# %s, family %s, model %s, load at the start %s\n", field("model name"), field("cpu family"),
            field("model"), readLines("/proc/loadavg")), "quantity,value,unit\n", file = file, sep = "")
note <- function(quantity, value, unit) {
  line <- sprintf("%s,%.6g,%s", quantity, value, unit)
  cat(line, "\n", file = file, append = TRUE, sep = "")
  message(line)
}
load_now <- function(where) {
  note(paste("load average before", where), as.numeric(strsplit(readLines("/proc/loadavg"), " ")[[1]][1]), "processes")
}
best <- function(expr, times = 3) {
  call <- substitute(expr)
  frame <- parent.frame()
  min(vapply(seq_len(times), function(i) system.time(eval(call, frame))[["elapsed"]], 0))
}
peak_megabytes <- function() {
  as.numeric(gsub("\\D", "", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))) / 1024
}
# points in the unit of the equilibrium: root-mean-square radius sqrt(d/(d+2)), as efs() scales them
in_unit <- function(x) {
  x <- scale(x, scale = FALSE)
  x * sqrt(ncol(x) / (ncol(x) + 2)) / sqrt(mean(rowSums(x^2)))
}
spacing <- function(x) 16 * nrow(x)^(-2 / ncol(x))
# ten clusters on curved sheets, in place of latents of images
clusters <- function(n, d) {
  centre <- matrix(rnorm(10 * d), 10)
  bent <- matrix(rnorm(n * d, sd = 0.4), n)
  bent[, 1] <- bent[, 1] + 0.5 * bent[, 2]^2
  in_unit(centre[sample(10, n, replace = TRUE), ] + bent)
}
field_once <- function(x, s, epsilon) particleflow:::field_at(x, x, s, epsilon, TRUE, 2L)
set.seed(1)

# --- one step, d = 15, s = 13 ---------------------------------------------------------------------------
if ("step" %in% parts) {
  n <- if (quick) 2000 else 15000
  x <- clusters(n, 15)
  epsilon <- spacing(x)
  load_now("the step")
  field_once(x[1:500, ], 13, epsilon)
  ours <- best(field_once(x, 13, epsilon))
  note(sprintf("field with curvature and energy n %d d 15 s 13", n), ours, "s")
  table <- tempfile()
  writeBin(as.vector(t(x)), table)
  rows <- if (quick) 500 else 3000
  out <- tryCatch(
    system2("/usr/bin/python3", c(file.path(here, "torch_step.py"), table, n, 15, 13, epsilon, rows, 2), stdout = TRUE),
    error = function(e) character(), warning = function(w) character()
  )
  for (line in strsplit(out, ",")) {
    if (line[1] == "difference") {
      note("largest difference of torch cdist from torch broadcast", as.numeric(line[3]), "relative")
      next
    }
    seconds <- as.numeric(line[3]) * n / as.numeric(line[2])
    note(sprintf("torch %s n %d (from %s rows)", line[1], n, line[2]), seconds, "s")
    note(sprintf("torch %s over our field", line[1]), seconds / ours, "times")
  }
  if (!length(out)) message("PyTorch is not installed: left out")
  unlink(table)
  again <- best(field_once(x, 13, epsilon))
  note("our field once more after torch", again, "s")

  n <- 2000
  x <- clusters(n, 15)
  mine <- best(for (k in 1:5) field_once(x, 13, epsilon)) / 5
  outer_step <- function() {
    z <- lapply(1:15, function(c) outer(x[, c], x[, c], "-"))
    w <- (Reduce(`+`, lapply(z, function(v) v^2)) + epsilon)^-7.5
    vapply(z, function(v) rowSums(w * v), numeric(n))
  }
  dist_step <- function() {
    w <- (as.matrix(dist(x))^2 + epsilon)^-7.5
    x * rowSums(w) - w %*% x
  }
  note("outer differences in R n 2000 over ours", best(outer_step()) / mine, "times")
  note("dist() and a matrix product in R n 2000 over ours", best(dist_step()) / mine, "times")
}

# --- s = 12.5 beside 13 ------------------------------------------------------------------------------------
if ("noninteger" %in% parts) {
  x <- clusters(if (quick) 1500 else 5000, 15)
  load_now("non-integer s")
  flow <- function(s) best(efs_forward(x, s = s, epsilon = spacing(x), n_steps = 2), 3)
  note("flow s 12.5 over s 13 (d 15)", flow(12.5) / flow(13), "times")
  x <- clusters(if (quick) 1500 else 5000, 2)
  note("flow s 0.5 over s 0 (d 2)", flow(0.5) / flow(0), "times")
}

# --- the inverse on the paper's settings -----------------------------------------------------------------------
backward_report <- function(name, x, arguments, printed, m) {
  if (!printed) {
    x <- in_unit(x)
    arguments$epsilon <- spacing(x)
    arguments$max_bound <- 0.5
  }
  arguments <- arguments[c("s", "epsilon", "step", "n_steps", "max_bound")]
  traj <- suppressWarnings(do.call(efs_forward, c(list(x), arguments)))
  y <- suppressWarnings(efs_augment(traj, m))
  seconds <- system.time(back <- tryCatch(
    suppressWarnings(efs_backward(traj, y, tolerance = 1e-10, details = TRUE)),
    error = function(e) { message(name, ": ", conditionMessage(e)); NULL }
  ))[["elapsed"]]
  if (is.null(back)) return(note(paste(name, "stopped with an error"), 1, "error"))
  note(paste(name, "evaluations a step"), back$evaluations, "evaluations")
  note(paste(name, "converged"), mean(back$converged), "share")
  note(paste(name, "largest inverse-step bound"), max(traj$diagnostics$bound, na.rm = TRUE), "1")
  note(paste(name, "backward"), seconds, "s")
}
if ("inverse" %in% parts) {
  gmm <- matrix(sample(c(-2, 2), 800, replace = TRUE), 400) + rnorm(800, sd = 0.3)
  angle <- 1.5 * pi * (1 + 2 * runif(500))
  roll <- cbind(angle * cos(angle), angle * sin(angle)) / 10 + rnorm(1000, sd = 0.03)
  some <- clusters(if (quick) 500 else 2000, 15)
  load_now("the inverse")
  for (printed in c(FALSE, TRUE)) {
    kind <- if (printed) "printed epsilon" else "spacing-matched epsilon"
    backward_report(paste("mixture", kind), gmm, efs_paper("gmm"), printed, 400)
    backward_report(paste("Swiss roll", kind), roll, efs_paper("swissroll"), printed, 400)
    backward_report(sprintf("latents of %d rows %s", nrow(some), kind), some, efs_paper("mnist"), printed, 100)
  }
}

# --- the experiment of the paper with images, latents simulated ------------------------------------------------
if ("mnist" %in% parts) {
  x <- clusters(if (quick) 1500 else 15000, 15)
  load_now("the images experiment")
  seconds <- system.time({
    forward <- system.time(
      traj <- efs_forward(x, s = 13, epsilon = spacing(x), step = 0.05, n_steps = 120)
    )[["elapsed"]]
    y <- efs_augment(traj, 1000)
    back <- efs_backward(traj, y, tolerance = 1e-10, details = TRUE)
  })[["elapsed"]]
  note("images experiment whole", seconds, "s")
  note("images experiment forward", forward, "s")
  note("images experiment smallest step taken", min(traj$gamma), "time")
  note("images experiment evaluations a step", back$evaluations, "evaluations")
  note("images experiment converged", mean(back$converged), "share")
  rm(traj, back)
}

# --- n = 100,000 in a process of its own, so that the peak of memory is its own -----------------------------------
if ("large" %in% parts) {
  x <- clusters(if (quick) 5000 else 100000, 15)

  if (identical(parts, "large")) {
    load_now("the large flow")
    seconds <- system.time(efs_forward(x, s = 13, epsilon = spacing(x), step = 0.05, n_steps = 10))[["elapsed"]]
    note(sprintf("n %d ten steps", nrow(x)), seconds, "s")
    note(sprintf("n %d ten steps peak memory", nrow(x)), peak_megabytes(), "MB")
  } else {
    elsewhere <- tempfile("flow")
    dir.create(elsewhere)
    system2(file.path(R.home("bin"), "Rscript"), c(file.path(here, "flow.R"), if (quick) "quick"),
            env = c("FLOW_PART=large", paste0("FLOW_RESULTS=", elsewhere),
                    paste0("FLOW_LIBRARY=", Sys.getenv("FLOW_LIBRARY"))))
    cat(readLines(file.path(elsewhere, "flow.csv"))[-(1:2)], file = file, append = TRUE, sep = "\n")
  }
}
