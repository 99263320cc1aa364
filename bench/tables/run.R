# Rscript bench/tables/run.R LIBRARY NAMES TABLES SPLITS FILE
#   LIBRARY  directories of packages, before the usual ones, with colons between; - for none
#   NAMES    methods of methods.R with commas, or all
#   TABLES   names of tables.R with commas, or all, tuning, reporting
#   SPLITS   such as 1:5 or 2,4
#   FILE     csv; one line per table, split and method is appended. Lines that are there are not made again.
# TABLES_LIMIT: seconds for a method to fit and draw, and as many again for its likelihood; default 60.
arguments <- commandArgs(TRUE)
if (length(arguments) != 5) stop("usage: run.R LIBRARY NAMES TABLES SPLITS FILE")
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
for (part in c("tables.R", "methods.R", "judges.R")) source(file.path(here, part))
if (arguments[1] != "-") .libPaths(c(strsplit(arguments[1], ":")[[1]], .libPaths()))
limit <- as.numeric(Sys.getenv("TABLES_LIMIT", "60"))
file <- arguments[5]
SECONDS <- c("seconds_fit", "seconds_draw", "seconds_processor")
FIELDS <- c("table", "role", "split", "method", "n_train", "n_test", "n_new", "columns", JUDGES, LIKELIHOOD,
            SECONDS, "version", "note")
NOT_ENDED <- "not ended after"

names_asked <- function(text, known, groups, what) {
  asked <- strsplit(text, ",")[[1]]
  asked <- unique(unlist(lapply(asked, function(name) if (name %in% names(groups)) groups[[name]] else name)))
  if (length(unknown <- setdiff(asked, known))) stop("no ", what, " is called ", toString(unknown))
  asked
}

# --- one method, in a process of its own ------------------------------------------------------------------------------
# The process leaves the rows in `place` before it works out the likelihood, so that a slow one does not lose them.
work <- function(name, parts, seed, place) {
  leave <- function(answer) {
    saveRDS(answer, paste0(place, ".part"))
    file.rename(paste0(place, ".part"), place)
  }
  made <- METHODS[[name]]$run(parts$train, nrow(parts$test), seed, parts)
  new <- as.data.frame(made)
  answer <- list(new = new, seconds = attr(made, "seconds"), log_density = NULL)
  log_density <- attr(made, "log_density")
  attr(answer$new, "log_density") <- NULL # it holds the whole fit
  leave(answer)
  if (!is.null(log_density)) {
    answer$log_density <- as.numeric(log_density(parts$test))
    leave(answer)
  }
  TRUE
}

end_process <- function(job) {
  tools::pskill(job$pid, tools::SIGKILL)
  suppressWarnings(parallel::mccollect(job, wait = FALSE, timeout = 5))
}

# A list with what the process returned (NULL if it died), or NULL if it has not ended.
wait_for <- function(job, until) {
  repeat {
    got <- suppressWarnings(parallel::mccollect(job, wait = FALSE, timeout = 0.2))
    if (!is.null(got)) return(got)
    if (until()) return(NULL)
  }
}

run_method <- function(name, parts, seed) {
  place <- tempfile(fileext = ".rds")
  on.exit(unlink(place))
  begin <- proc.time()[[3]]
  job <- parallel::mcparallel(try(work(name, parts, seed, place), silent = TRUE), mc.set.seed = FALSE, silent = TRUE)
  over <- function() {
    allowed <- if (file.exists(place)) 2 * limit else limit
    proc.time()[[3]] - begin > allowed
  }
  end <- wait_for(job, over)
  if (is.null(end)) end_process(job) else suppressWarnings(parallel::mccollect(job, wait = FALSE))
  answer <- if (file.exists(place)) readRDS(place) else list()
  failed <- if (is.null(end)) {
    paste(NOT_ENDED, limit, "s")
  } else if (is.null(end[[1]])) {
    "the process ended without an answer"
  } else if (inherits(end[[1]], "try-error")) {
    conditionMessage(attr(end[[1]], "condition"))
  }
  answer$note <- if (!is.null(failed)) paste0(if (is.null(answer$new)) "" else "likelihood: ", failed) else ""
  answer
}

# --- one line of the file ---------------------------------------------------------------------------------------------
has_line <- function(lines, ...) nrow(merge(lines, data.frame(..., stringsAsFactors = FALSE))) > 0

read_lines <- function() {
  none <- data.frame(table = character(), split = integer(), method = character(), note = character())
  if (!file.exists(file)) return(none)
  utils::read.csv(file, colClasses = c(note = "character"))
}

write_line <- function(values) {
  if (!file.exists(file)) cat(paste(FIELDS, collapse = ","), "\n", sep = "", file = file)
  text <- vapply(FIELDS, function(field) {
    value <- values[[field]]
    if (is.null(value) || is.na(value)) return("")
    if (is.numeric(value)) return(format(signif(value, 6), digits = 6, scientific = FALSE, trim = TRUE))
    paste0("\"", gsub("[\"\n]+", " ", value), "\"")
  }, "")
  cat(paste(text, collapse = ","), "\n", sep = "", file = file, append = TRUE)
}

version_of <- function(name) if (nzchar(system.file(package = name))) as.character(utils::packageVersion(name)) else ""

cell <- function(table, split, method) {
  line <- list(table = table, role = role_of(table), split = split, method = method, version = version_of(method))
  lines <- read_lines()
  if (has_line(lines, table = table, split = split, method = method)) return(invisible())
  before <- lines[lines$table == table & lines$method == method, ]
  if (any(startsWith(before$note, NOT_ENDED))) {
    return(write_line(c(line, note = "not tried, because it did not end on another split")))
  }
  parts <- table_split(table, split)
  line[c("n_train", "n_test", "columns")] <- list(nrow(parts$train), nrow(parts$test), ncol(parts$train))
  answer <- run_method(method, parts, seed = 100L + split)
  if (!is.null(answer$new)) {
    line$n_new <- nrow(answer$new)
    scores <- tryCatch(judge(answer$new, parts, seed = 200L + split), error = identity)
    if (inherits(scores, "error")) {
      answer$note <- paste("judges:", conditionMessage(scores))
    } else {
      line[names(scores)] <- scores
    }
    line[SECONDS] <- answer$seconds[c("fit", "draw", "processor")]
  }
  if (length(answer$log_density)) line[LIKELIHOOD] <- likelihood_scores(answer$log_density, parts$test)
  line$note <- answer$note
  write_line(line)
  message(sprintf("%s %d %s: AUC %.3f %s", table, split, method, if (is.null(line$auc)) NA else line$auc, answer$note))
}

groups <- list(all = names(TABLES), tuning = TUNING, reporting = REPORTING)
tables <- names_asked(arguments[3], names(TABLES), groups, "table")
methods <- names_asked(arguments[2], names(METHODS), list(all = names(METHODS)), "method")
there <- vapply(methods, function(name) METHODS[[name]]$has(), NA)
if (any(!there)) message("left out, not installed: ", toString(methods[!there]))
for (package in unique(vapply(TABLES[tables], `[[`, "", "package"))) {
  if (nzchar(system.file(package = package))) next
  message("package ", package, " is not installed: its tables are left out")
  tables <- setdiff(tables, names(TABLES)[vapply(TABLES, `[[`, "", "package") == package])
}
splits <- eval(parse(text = paste0("c(", arguments[4], ")")))
for (split in splits) for (table in tables) for (method in methods[there]) cell(table, split, method)
