# Rscript bench/tables/table.R [FILES]: the csv files of run.R (default: all of results/) as results/tables.md.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
for (part in c("tables.R", "judges.R", "summary.R")) source(file.path(here, part))
files <- commandArgs(TRUE)
if (!length(files)) files <- list.files(file.path(here, "results"), "[.]csv$", full.names = TRUE)
files <- files[basename(files) != "coverage.csv"] # that of coverage.R
lines <- read_results(files)

# score: heading, digits
SCORES <- list(
  auc = c("AUC", 3), distance = c("distance of the AUC from .5", 3), useful = c("usefulness", 3),
  loss = c("loss of usefulness", 3), novelty = c("novelty", 2), copies = c("exact copies above test rows", 3),
  association = c("association error", 3), margins = c("margin error", 3), types = c("types kept", 2),
  log_lik = c("log-likelihood", 2), seconds = c("seconds", 1), seconds_processor = c("processor seconds", 1)
)

markdown <- function(x) {
  row <- function(cells) paste0("| ", paste(cells, collapse = " | "), " |")
  c(row(names(x)), row(c("---", rep("---:", ncol(x) - 1))), apply(x, 1, row), "")
}

# One row per method, over the tables that all of `methods` have; the second part of real rows exists for few tables.
overview <- function(role, methods, scores) {
  own <- lines[lines$role == role, ]
  if (!nrow(own)) return(character())
  own <- ended_splits(own)
  tables <- common_tables(own, methods, "auc")
  if (!length(tables)) return(character())
  rows <- lapply(methods, function(method) {
    of_method <- own[own$method == method, ]
    cells <- lapply(scores, function(score) {
      as_text(mean_of_tables(of_method, tables, score), as.numeric(SCORES[[score]][2]))
    })
    data.frame(method, cells, fix.empty.names = FALSE)
  })
  out <- do.call(rbind, lapply(rows, stats::setNames, c("method", vapply(SCORES[scores], `[`, "", 1))))
  c(sprintf("%d tables (%s), splits %s.", length(tables), toString(tables), toString(sort(unique(own$split)))), "",
    markdown(out))
}

# On how many tables the mean log-likelihood of a method is above the one of arf.
above_arf <- function(role) {
  own <- lines[lines$role == role & !is.na(lines$log_lik), ]
  means <- tapply(own$log_lik, list(own$table, as.character(own$method)), mean)
  others <- setdiff(colnames(means), "arf")
  if (!"arf" %in% colnames(means) || !length(others)) return(character())
  c(vapply(others, function(method) {
    both <- !is.na(means[, method]) & !is.na(means[, "arf"])
    sprintf("Log-likelihood of %s above arf: %d of %d tables.", method,
            sum(means[both, method] > means[both, "arf"]), sum(both))
  }, ""), "")
}

# One row per table, one column per method.
per_table <- function(role, score) {
  own <- lines[lines$role == role, ]
  if (!nrow(own)) return(character())
  methods <- levels(droplevels(own$method))
  rows <- lapply(sort(unique(own$table)), function(name) {
    cells <- vapply(methods, function(method) {
      as_text(mean_of_splits(own[own$table == name & own$method == method, score]), as.numeric(SCORES[[score]][2]))
    }, "")
    stats::setNames(data.frame(name, t(cells)), c("table", methods))
  })
  out <- do.call(rbind, rows)
  markdown(out[c(TRUE, colSums(out[-1] != "") > 0)])
}

not_made <- function() {
  lost <- lines[lines$note != "" & lines$method != "second", ]
  if (!nrow(lost)) return("All methods ran on all tables.")
  markdown(stats::setNames(
    stats::aggregate(list(split = lost$split), lost[c("method", "table", "note")], toString),
    c("method", "table", "what", "splits")
  ))
}

versions <- unique(lines[!is.na(lines$version) & lines$version != "", c("method", "version")])
measured <- names(SCORES)
compared <- setdiff(levels(lines$method), "second")
text <- c(
  "# Mixed tables: results", "",
  paste0(
    "Versions: ", toString(paste(versions$method, versions$version)),
    ". Mean ± half of the 95 % interval over the splits. `train`: the rows to fit, as if they were new. `second`: ",
    "further real rows. README.md says what each score is."
  ), "",
  unlist(lapply(c("reporting", "tuning"), function(role) {
    c(paste0("## The ", role, " tables, in the mean"), "", overview(role, compared, measured), above_arf(role))
  })),
  "## With further real rows", "", overview("reporting", levels(lines$method), setdiff(measured, "log_lik")),
  unlist(lapply(c("reporting", "tuning"), function(role) {
    unlist(lapply(c("auc", "useful", "novelty", "association", "margins", "log_lik", "seconds"), function(score) {
      c(paste0("## ", SCORES[[score]][1], ", the ", role, " tables"), "", per_table(role, score))
    }))
  })),
  "## What was not made", "", not_made()
)
writeLines(text, file.path(here, "results", "tables.md"))
