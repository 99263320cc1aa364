# Rscript bench/quality/run.R [quick]: every method on every set; scores are appended to results/quality.csv. After a
# stop, run it again: it goes on where it was. `quick`: tiny sizes, one repetition, into results/quick/, to see that all
# runs.
#
# QUALITY_SETS         comma-separated names of families and tables, or tuning, reporting, families, tables; default
#                      reporting (both kinds)
# QUALITY_METHODS      comma-separated names of methods; default all
# QUALITY_REPETITIONS  default 5: of the draw (families), of the split (tables)
# QUALITY_N, QUALITY_D comma-separated sizes and dimensions of the families; default 200,1000,5000 and 2,5,10,20,50
# QUALITY_MINUTES      stop after this many minutes; default none
# QUALITY_LIMIT        seconds a method may take on one set; default 300
# QUALITY_THREADS      default 2
# QUALITY_RESULTS      where the csv files go
library(particleflow)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
for (part in c("families.R", "tables.R", "methods.R", "scores.R")) source(file.path(here, part))

quick <- "quick" %in% commandArgs(TRUE)
option <- function(name, default) {
  value <- Sys.getenv(paste0("QUALITY_", name))
  if (nzchar(value)) trimws(strsplit(value, ",")[[1]]) else default
}
results <- option("RESULTS", file.path(here, "results", if (quick) "quick" else "."))
dir.create(results, recursive = TRUE, showWarnings = FALSE)
file <- file.path(results, "quality.csv")
failures <- file.path(results, "failures.csv")
repetitions <- as.integer(option("REPETITIONS", if (quick) 1 else 5))
sizes <- as.integer(option("N", if (quick) 100 else c(200, 1000, 5000)))
dims <- as.integer(option("D", if (quick) c(2, 5) else c(2, 5, 10, 20, 50)))
minutes <- as.numeric(option("MINUTES", Inf))
limit <- as.numeric(option("LIMIT", if (quick) 60 else 300))
threads <- as.integer(option("THREADS", 2))
n_holdout <- if (quick) 200 else 1000
n_far <- 5 * n_holdout # draws of the families for the score `far`; the other scores take the first `n_holdout`
FIELDS <- c("method", "set", "kind", "n", "d", "repetition", SCORE_NAMES)
began <- Sys.time()

# --- which sets, which methods ----------------------------------------------------------------------------------------
families <- c(TUNING, REPORTING)
tables <- c(TUNING_TABLES, REPORTING_TABLES)
groups <- list(
  tuning = names(c(TUNING, TUNING_TABLES)), reporting = names(c(REPORTING, REPORTING_TABLES)),
  families = names(REPORTING), tables = names(REPORTING_TABLES)
)
quick_sets <- c("mixture_5", "sheet", "t4", "skewed", "spiral", "banknote", "schools")
asked <- option("SETS", if (quick) quick_sets else "reporting")
sets <- unique(unlist(lapply(asked, function(name) if (name %in% names(groups)) groups[[name]] else name)))
unknown <- setdiff(sets, c(names(families), names(tables)))
if (length(unknown)) stop("no set is called ", toString(unknown))
chosen <- option("METHODS", names(METHODS))
unknown <- setdiff(chosen, names(METHODS))
if (length(unknown)) stop("no method is called ", toString(unknown))
for (name in chosen[!vapply(chosen, has_packages, NA)]) {
  message(name, " left out: package ", toString(METHODS[[name]]$needs), " is not installed")
}
chosen <- chosen[vapply(chosen, has_packages, NA)]
lacking <- SCORE_FUNCTIONS[!vapply(SCORE_FUNCTIONS, particleflow_has, NA)]
if (length(lacking)) message("the installed particleflow has no ", toString(lacking), ": those scores are NA")

# Repetition by repetition, small before large, so that the results are balanced after a stop.
cells <- do.call(rbind, lapply(sets, function(name) {
  if (name %in% names(tables)) return(data.frame(set = name, kind = "table", n = NA, d = NA))
  d <- intersect(dims, attr(families[[name]], "dims"))
  if (length(d)) expand.grid(set = name, kind = "family", n = sizes, d = d, stringsAsFactors = FALSE)
}))
cells <- cells[order(ifelse(is.na(cells$n), 500, cells$n), ifelse(is.na(cells$d), 10, cells$d)), ]
cells <- merge(data.frame(repetition = seq_len(repetitions)), cells, sort = FALSE)
cells <- cells[order(cells$repetition), ]

# Rows in units of the training rows' standard deviations; draw() and log_density() use the same units.
load_cell <- function(cell) {
  if (cell$kind == "family") {
    sample <- families[[cell$set]](cell$n, cell$d, family_seed(cell$set, cell$repetition))
    set.seed(900000L + cell$repetition)
    parts <- list(train = sample$x, holdout = sample$draw(n_holdout))
  } else {
    parts <- table_split(cell$set, cell$repetition)
    if (quick) parts <- lapply(parts, utils::head, 100)
  }
  parts <- lapply(parts, unname)
  centre <- colMeans(parts$train)
  unit <- apply(parts$train, 2, stats::sd)
  to_unit <- function(x) sweep(sweep(x, 2, centre), 2, unit, "/")
  out <- list(train = to_unit(parts$train), holdout = to_unit(parts$holdout), kind = cell$kind)
  if (cell$kind == "family") {
    out$draw <- function(n) to_unit(sample$draw(n))
    set.seed(950000L + cell$repetition)
    out$fresh <- to_unit(unname(sample$draw(n_far)))
    out$log_density <- function(x) {
      sample$log_density(sweep(sweep(x, 2, unit, "*"), 2, centre, "+")) + sum(log(unit))
    }
  }
  out
}

# --- one method on one set, in a process of its own -------------------------------------------------------------------
# The parent never enters a parallel region, because threads do not survive a fork.
within_limit <- function(work, seconds) {
  job <- parallel::mcparallel(work(), mc.set.seed = FALSE, silent = FALSE)
  got <- parallel::mccollect(job, wait = FALSE, timeout = seconds)
  if (is.null(got)) {
    tools::pskill(job$pid, tools::SIGKILL)
    suppressWarnings(parallel::mccollect(job, wait = FALSE, timeout = 5))
    return(list(failed = sprintf("more than %g seconds", seconds), slow = TRUE))
  }
  suppressWarnings(parallel::mccollect(job, wait = FALSE)) # the second collect closes the process
  got <- got[[1]]
  if (inherits(got, "try-error")) return(list(failed = conditionMessage(attr(got, "condition"))))
  if (is.null(got)) return(list(failed = "the process ended without an answer"))
  got
}

run_method <- function(name, cell, set) {
  seed <- 31L * cell$repetition + 7L
  within_limit(function() {
    particleflow_threads(threads)
    n_new <- if (is.null(set$fresh)) nrow(set$holdout) else nrow(set$fresh)
    clock <- start <- proc.time()[[3]]
    made <- METHODS[[name]]$run(set$train, n_new, seed, set)
    seconds <- proc.time()[[3]] - clock
    new <- unname(made$new)
    if (!identical(dim(new), c(n_new, ncol(set$train)))) stop("rows of another shape: ", toString(dim(new)))
    lost <- !is.finite(rowSums(new))
    scores <- c(rows_lost = mean(lost))
    if (any(!lost)) {
      some <- which(!lost)
      some <- some[seq_len(min(length(some), nrow(set$holdout)))]
      far <- far_score(new[!lost, , drop = FALSE], set$train, if (is.null(set$fresh)) set$holdout else set$fresh)
      scores <- c(scores, closeness_scores(new[some, , drop = FALSE], set$train, set$holdout, seed), far = far)
    }
    if (!is.null(made$log_density)) {
      clock <- proc.time()[[3]]
      # a density that is too slow does not lose the other scores
      setTimeLimit(elapsed = max(limit - (clock - start) - 10, 1), transient = TRUE)
      log_density <- tryCatch(made$log_density(set$holdout), error = function(e) {
        message("    log-density: ", conditionMessage(e))
        NULL
      })
      setTimeLimit()
      if (!is.null(log_density)) scores <- c(scores, likelihood_scores(log_density))
      scores <- c(scores, seconds_density = proc.time()[[3]] - clock)
    }
    c(scores, made$extra, seconds = seconds)
  }, limit)
}

# --- results that are there already: one line per method, set, n, d and repetition ------------------------------------
key <- function(rows) do.call(paste, c(unname(rows[c("method", "set", "n", "d", "repetition")]), sep = "|"))
read_whole <- function() {
  if (!file.exists(file)) return(character())
  lines <- readLines(file, warn = FALSE)
  whole <- lines[lengths(regmatches(lines, gregexpr(",", lines, fixed = TRUE))) == length(FIELDS) - 1]
  if (length(whole) != length(lines)) writeLines(whole, file)
  key(utils::read.csv(text = whole, colClasses = "character"))
}
done <- read_whole()
if (!file.exists(file)) writeLines(paste(FIELDS, collapse = ","), file)
append_row <- function(cell, name, scores) {
  values <- sprintf("%.5g", scores[SCORE_NAMES])
  values[is.na(scores[SCORE_NAMES])] <- ""
  line <- c(name, cell$set, cell$kind, sprintf("%d", c(cell$n, cell$d, cell$repetition)), values)
  cat(paste(line, collapse = ","), "\n", file = file, append = TRUE, sep = "")
}

too_slow <- character() # methods that met the limit: not tried again on the same set at the same size
size_key <- function(name, cell) paste(name, cell$set, cell$n, cell$d)

for (i in seq_len(nrow(cells))) {
  cell <- cells[i, ]
  if (cell$kind == "table") {
    whole <- tryCatch(load_cell(cell), error = function(e) {
      message(cell$set, " left out: ", conditionMessage(e))
      NULL
    })
    if (is.null(whole)) next
    cell[c("n", "d")] <- dim(whole$train)
  } else {
    whole <- NULL
  }
  names_here <- Filter(function(name) METHODS[[name]]$applies(list(kind = cell$kind), cell$n, cell$d), chosen)
  todo <- names_here[!key(data.frame(method = names_here, cell[rep(1, length(names_here)), ])) %in% done]
  if (!length(todo)) next
  if (is.null(whole)) whole <- load_cell(cell)
  calibrated <- NULL
  for (name in todo) {
    if (difftime(Sys.time(), began, units = "mins") > minutes) {
      message("stopped after ", minutes, " minutes")
      quit("no")
    }
    scores <- if (size_key(name, cell) %in% too_slow) {
      list(failed = "not tried: met the limit in an earlier repetition")
    } else if (name == "efs no flow" && isTRUE(calibrated[["flow_steps"]] == 0)) {
      calibrated # the calibration chose no flow, so the search without flows gives the same fit
    } else {
      run_method(name, cell, whole)
    }
    if (name == "efs calibrated" && !is.list(scores)) calibrated <- scores
    label <- sprintf("%s n %d d %d repetition %d: %s", cell$set, cell$n, cell$d, cell$repetition, name)
    if (is.list(scores)) {
      if (isTRUE(scores$slow)) too_slow <- c(too_slow, size_key(name, cell))
      message(label, " FAILED: ", scores$failed)
      cat(sprintf("%s,%s,%d,%d,%d,\"%s\"\n", name, cell$set, cell$n, cell$d, cell$repetition,
                  gsub("[\"\n]", " ", scores$failed)), file = failures, append = TRUE)
      append_row(cell, name, c(failed = 1))
    } else {
      message(sprintf("%s, %.1f s", label, scores[["seconds"]]))
      append_row(cell, name, scores)
    }
  }
}
