# What table.R and plot.R share: the scores, one per row, and differences within repetitions.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
results <- Sys.getenv("QUALITY_RESULTS")
if (!nzchar(results)) results <- file.path(here, "results", if ("quick" %in% commandArgs(TRUE)) "quick" else ".")
for (part in c("families.R", "tables.R", "scores.R")) source(file.path(here, part))

ORDER <- c("fresh draw", "efs calibrated", "efs no flow", "smoothed bootstrap local", "smoothed bootstrap global",
           "mclust", "Gaussian copula", "arf", "ks::kde", "synthpop", "efs printed", "training rows")
SMOOTHERS <- c("smoothed bootstrap local", "smoothed bootstrap global")
COLOURS <- c("fresh draw" = "black", "efs calibrated" = "#D55E00", "efs no flow" = "#F4A582",
             "smoothed bootstrap local" = "#0072B2", "smoothed bootstrap global" = "#56B4E9",
             "mclust" = "#009E73", "Gaussian copula" = "#CC79A7",
             "arf" = "#E69F00", "ks::kde" = "#8C6BB1", "synthpop" = "#8B4513", "efs printed" = "#A6A600",
             "training rows" = "grey55")
SHAPES <- setNames(c(8, 16, 10, 15, 0, 13, 18, 12, 5, 4, 1, 3), ORDER)

read_scores <- function() {
  wide <- utils::read.csv(file.path(results, "quality.csv"), stringsAsFactors = FALSE)
  rows <- do.call(rbind, lapply(SCORE_NAMES, function(name) {
    there <- !is.na(wide[[name]])
    cbind(wide[there, c("method", "set", "kind", "n", "d", "repetition")], score = rep(name, sum(there)),
          value = wide[there, name])
  }))
  rows$cell <- ifelse(rows$kind == "table", rows$set, sprintf("%s d %d n %d", rows$set, rows$d, rows$n))
  rows$list <- ifelse(rows$set %in% names(c(TUNING, TUNING_TABLES)), "tuning", "reporting")
  rows
}

cells_of <- function(rows) {
  cells <- unique(rows[c("cell", "list", "kind", "set", "d", "n")])
  sets <- names(c(TUNING, REPORTING, TUNING_TABLES, REPORTING_TABLES))
  cells[order(cells$list != "reporting", cells$kind, match(cells$set, sets), cells$d, cells$n), ]
}

# [repetition, method] of one score in one cell
by_repetition <- function(rows, cell, score) {
  some <- rows[rows$cell == cell & rows$score == score, ]
  methods <- ORDER[ORDER %in% some$method]
  out <- matrix(NA_real_, length(unique(some$repetition)), length(methods),
                dimnames = list(sort(unique(some$repetition)), methods))
  out[cbind(match(some$repetition, rownames(out)), match(some$method, methods))] <- some$value
  out
}

# mean, standard error and half-width of the 95 % interval (t) over repetitions
mean_interval <- function(values) {
  values <- values[!is.na(values)]
  m <- length(values)
  se <- if (m > 1 && all(is.finite(values))) stats::sd(values) / sqrt(m) else NA
  c(mean = if (m) mean(values) else NA, se = se, half = if (m > 1) stats::qt(0.975, m - 1) * se else NA, m = m)
}

# The better of the two smoothers in a cell, by its mean over the repetitions. The choice uses hindsight and so favours
# the smoothers a little.
better_smoother <- function(values) {
  means <- colMeans(values[, intersect(SMOOTHERS, colnames(values)), drop = FALSE], na.rm = TRUE)
  means <- means[!is.nan(means)]
  if (length(means)) names(which.max(means)) else NA
}

# One row per cell and method: difference of the mean held-out log-likelihood to the better smoother, repetition by
# repetition. Rows of zero density are left out of `difference` and counted in `lost`: read the two together.
likelihood_differences <- function(rows) {
  cells <- cells_of(rows)
  do.call(rbind, lapply(seq_len(nrow(cells)), function(i) {
    values <- by_repetition(rows, cells$cell[i], "log_likelihood")
    lost <- by_repetition(rows, cells$cell[i], "log_likelihood_lost")
    if (!ncol(values)) return(NULL)
    base <- better_smoother(values)
    reference <- if (is.na(base)) NA_real_ else values[, base]
    do.call(rbind, lapply(colnames(values), function(name) {
      level <- mean_interval(values[, name])
      against <- mean_interval(values[, name] - reference)
      data.frame(cells[i, ], method = name, base = base, value = level[["mean"]], value_half = level[["half"]],
                 difference = against[["mean"]], se = against[["se"]], half = against[["half"]],
                 repetitions = against[["m"]], lost = mean(lost[, name], na.rm = TRUE), row.names = NULL)
    }))
  }))
}

# One row per cell of a family: what the flow adds to the same search without a flow, the share of repetitions in which
# a flow was chosen, and how far the calibrated fit goes on the way from the better smoother to the true law.
flow_gains <- function(rows) {
  cells <- cells_of(rows)
  cells <- cells[cells$kind == "family", ]
  do.call(rbind, lapply(seq_len(nrow(cells)), function(i) {
    values <- by_repetition(rows, cells$cell[i], "log_likelihood")
    if (!all(c("efs calibrated", "efs no flow", "fresh draw", SMOOTHERS) %in% colnames(values))) return(NULL)
    steps <- by_repetition(rows, cells$cell[i], "flow_steps")[, "efs calibrated"]
    gain <- mean_interval(values[, "efs calibrated"] - values[, "efs no flow"])
    base <- values[, better_smoother(values)]
    data.frame(cells[i, ], gain = gain[["mean"]], half = gain[["half"]], flows = mean(steps > 0, na.rm = TRUE),
               way = mean(values[, "efs calibrated"] - base, na.rm = TRUE) /
                 mean(values[, "fresh draw"] - base, na.rm = TRUE))
  }))
}
