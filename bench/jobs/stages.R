# From profiles to the tables of what a second is spent on.

# Stages by the beginning of the name of the file of R in which a function stands; the first that fits.
stages <- c(
  search = "search|likelihood", laws = "law|gaussians", `latent map` = "latent|unit", `flow and network` =
    "run|flow|trajectory|efs-forward|efs-backward|efs-augment|generator-(network|fields)|target",
  scores = "score|novelty|pairs", pictures = "picture|tables-plot|trajectory-plot", cells = "cells",
  `reading and writing the table` = "table|column|margin|relations", fingerprints = "seal|fingerprint",
  `random numbers` = "random"
)

# The stage of each function of the package.
function_stages <- function(folder) {
  files <- list.files(folder, "[.]R$", full.names = TRUE)
  found <- unlist(lapply(files, function(file) {
    names <- sub("^([A-Za-z_.`][A-Za-z0-9_.]*) <- (structure\\()?function\\(.*", "\\1", grep(
      "^[A-Za-z_.`][A-Za-z0-9_.]* <- (structure\\()?function\\(", readLines(file), value = TRUE))
    fits <- vapply(stages, function(start) grepl(paste0("^(", start, ")([-.]|$)"), basename(file)), NA)
    stats::setNames(rep(if (any(fits)) names(stages)[fits][1] else NA_character_, length(names)), names)
  }))
  found[!is.na(found)]
}

# The samples of Rprof(): a list of stacks, the innermost function first.
read_samples <- function(file) {
  lines <- readLines(file)[-1]
  lapply(strsplit(lines[nzchar(lines)], "\" \"?"), function(names) sub("^\"", "", names))
}

# Shares of the samples. The stage of a sample is that of the outermost function that has one, so that what a search
# needs belongs to the search. The collection of garbage counts alone.
share_of <- function(samples, folder) {
  known <- function_stages(folder)
  stage <- vapply(samples, function(stack) {
    if (stack[1] == "<GC>") return("garbage collection")
    found <- known[rev(stack)]
    found <- found[!is.na(found)]
    if (length(found)) found[[1]] else "the rest"
  }, "")
  share <- table(stage) / length(stage)
  data.frame(stage = names(share), share = as.vector(share))
}

# Libraries by the kind of work.
libraries_of <- c(
  `C of the package` = "particleflow[.]so", `BLAS and LAPACK` = "blas|lapack", `libm` = "libm[.-]",
  kernel = "kernel|vdso", `R and its libraries` = "."
)

# Shares of the samples of perf, by library and function.
native_share <- function(file) {
  lines <- suppressWarnings(system2("perf", c("report", "-i", file, "--sort", "dso,symbol", "--stdio", "-g", "none"),
                                    stdout = TRUE, stderr = FALSE))
  lines <- grep("^ *[0-9.]+%", lines, value = TRUE)
  words <- strsplit(trimws(lines), " +")
  dso <- vapply(words, `[`, "", 2)
  kind <- vapply(dso, function(one) names(libraries_of)[vapply(libraries_of, grepl, NA, one)][1], "", USE.NAMES = FALSE)
  symbol <- ifelse(kind == "C of the package", vapply(words, `[`, "", 4), "")
  share <- as.numeric(sub("%", "", vapply(words, `[`, "", 1))) / 100
  found <- stats::aggregate(list(share = share), list(kind = kind, symbol = symbol), sum)
  found$share <- found$share / sum(found$share)
  found[order(-found$share), ]
}

# ---- tables ------------------------------------------------------------------------------------------------

markdown <- function(rows) {
  line <- function(cells) paste0("| ", paste(cells, collapse = " | "), " |")
  c(line(names(rows)), line(rep("---", ncol(rows))), apply(rows, 1, line), "")
}

percent <- function(share) ifelse(share < 0.005, "", sprintf("%.0f", 100 * share))

# One row per job, one column per value of `by`.
share_table <- function(rows, by, order) {
  sums <- tapply(rows$share, list(factor(rows$job, unique(rows$job)), factor(rows[[by]], order)), sum, default = 0)
  sums <- sums[, colSums(sums >= 0.005) > 0, drop = FALSE]
  data.frame(job = rownames(sums), apply(sums, 2, percent), check.names = FALSE)
}

memory_table <- function(rows) {
  now <- rows[rows$version == "now", ]
  before <- rows[rows$version == "before", ]
  before <- before[match(now$job, before$job), ]
  number <- function(x, digits = 3) ifelse(is.na(x), "", format(signif(x, digits), trim = TRUE, drop0trailing = TRUE,
                                                               scientific = FALSE))
  each <- function(x, digits = 3) vapply(x, number, "", digits)
  data.frame(
    job = now$job, `table, MB` = each(now$table_mb), `seconds before` = each(before$cpu), seconds = each(now$cpu),
    `peak before, MB` = each(before$peak_mb), `peak, MB` = each(now$peak_mb),
    `in tables` = ifelse(now$table_mb %in% NA | now$table_mb < 20, "", each(now$peak_mb / now$table_mb, 2)),
    `result, MB` = each(now$result_mb), check.names = FALSE
  )
}

# Operations per second of the products that can be counted, beside the peak.
flops_table <- function(rows, peak) {
  now <- rows[rows$version == "now", ]
  flops <- vapply(now$job, function(job) if (is.null(jobs[[job]]$flops)) NA else jobs[[job]]$flops, 0)
  now <- data.frame(job = now$job, counted = flops / 1e9, seconds = now$cpu)[!is.na(flops), ]
  data.frame(job = now$job, `GFLOP counted` = sprintf("%.1f", now$counted), seconds = sprintf("%.2f", now$seconds),
             `GFLOP/s` = sprintf("%.1f", now$counted / now$seconds),
             `% of the peak` = sprintf("%.0f", 100 * now$counted / now$seconds / peak), check.names = FALSE)
}

functions_table <- function(rows) {
  rows <- rows[rows$symbol != "" & rows$share >= 0.02, ]
  each <- lapply(split(rows, factor(rows$job, unique(rows$job))), function(one) {
    one <- utils::head(one[order(-one$share), ], 6)
    data.frame(job = one$job[1], `% of the job, by function of the C core` =
                 paste(sprintf("%s %s", one$symbol, percent(one$share)), collapse = ", "), check.names = FALSE)
  })
  do.call(rbind, each)
}

all_tables <- function(results, peak) {
  read <- function(name) utils::read.csv(file.path(results, name))
  memory <- read("memory.csv")
  native <- if (file.exists(file.path(results, "native.csv"))) read("native.csv")
  c(
    "## Time and memory", "", markdown(memory_table(memory)),
    "## What a second is spent on, by stage", "",
    markdown(share_table(read("stages.csv"), "stage", c(names(stages), "garbage collection", "the rest"))),
    if (!is.null(native)) c("## What a second is spent on, by library", "",
                            markdown(share_table(native, "kind", names(libraries_of))),
                            "## Functions of the core", "", markdown(functions_table(native))),
    "## Products", "", sprintf("The multiply-add peak was %.0f GFLOP/s in this run.", peak), "",
    markdown(flops_table(memory, peak))
  )
}
