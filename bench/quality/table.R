# Rscript bench/quality/table.R [quick]: writes results/quality.csv as Markdown: likelihood.md (cell by cell and
# counted), closeness.md (closeness beside novelty), seconds.md (time and failures).
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "summary.R"))
rows <- read_scores()
methods <- ORDER[ORDER %in% rows$method]

markdown <- function(header, body) {
  line <- function(cells) paste0("| ", paste(cells, collapse = " | "), " |")
  c(line(header), line(c("---", rep("--:", length(header) - 1))), apply(body, 1, line))
}
digits <- function(value) {
  size <- abs(value)
  text <- ifelse(size >= 1e4, sprintf("%.1e", value), ifelse(size >= 100, sprintf("%.0f", value),
                 ifelse(size >= 10, sprintf("%.1f", value), sprintf("%.2f", value))))
  ifelse(is.na(value), "", text)
}
with_half <- function(mean, half) {
  ifelse(is.na(mean), "", ifelse(is.na(half), digits(mean), paste(digits(mean), "\u00b1", digits(half))))
}
write_page <- function(name, ...) writeLines(enc2utf8(c(...)), file.path(results, name), useBytes = TRUE)
repetitions <- paste(sort(unique(rows$repetition)), collapse = ", ")

# --- likelihood -------------------------------------------------------------------------------------------------------
found <- likelihood_differences(rows)
page <- c("# Mean held-out log-likelihood", "",
          "Nats per row, in units of the training rows' standard deviations. `base` is the better of the two smoothed",
          "bootstraps (by its mean over the repetitions) and its value. The other columns are differences to it,",
          "paired within repetitions, with the half-width of a 95 % t interval. Bold: the interval is above zero.",
          "(x %): this share of the held-out rows has density zero and is left out of the number, which is then",
          "too good.")
if (is.null(found)) page <- c(page, "", "No log-likelihood has been measured.")
for (which in unique(found$list)) for (kind in unique(found$kind[found$list == which])) {
  some <- found[found$list == which & found$kind == kind, ]
  based <- !all(is.na(some$base))
  columns <- methods[methods %in% some$method]
  body <- t(vapply(unique(some$cell), function(cell) {
    here <- some[some$cell == cell, ]
    entries <- vapply(columns, function(name) {
      one <- here[here$method == name, ]
      if (!nrow(one)) return("")
      text <- if (based) with_half(one$difference, one$half) else with_half(one$value, one$value_half)
      if (based && !is.na(one$half) && one$difference - one$half > 0 && one$lost == 0) text <- paste0("**", text, "**")
      if (one$lost > 0) text <- sprintf("%s (%s %%)", text, format(signif(100 * one$lost, 2)))
      text
    }, "")
    label <- if (kind == "table") sprintf("%s (d %d, n %d)", here$set[1], here$d[1], here$n[1]) else cell
    base <- if (is.na(here$base[1])) "not measured" else {
      one <- here[here$method == here$base[1], ]
      paste(sub("smoothed bootstrap ", "", one$method), with_half(one$value, one$value_half))
    }
    c(label, base, entries)
  }, character(length(columns) + 2)))
  page <- c(page, "", sprintf("## %s, %s", if (kind == "table") "Tables" else "Families", which), "",
            if (!based) c("No smoothed bootstrap has been measured: the values themselves.", ""),
            markdown(c("cell", "base", columns), body))
  if (!based) next
  rivals <- setdiff(columns, "fresh draw")
  counted <- t(vapply(rivals, function(name) {
    one <- some[some$method == name & !is.na(some$difference), ]
    clear <- !is.na(one$half)
    better <- clear & one$difference > one$half & one$lost == 0
    worse <- clear & one$difference < -one$half
    above <- !is.na(one$se) & one$difference > 2 * one$se & one$lost == 0
    below <- !is.na(one$se) & one$difference < -one$se
    c(name, nrow(one), sum(above), sum(below), sum(better), sum(worse), sum(one$lost > 0),
      digits(stats::median(one$difference / one$d)))
  }, character(8)))
  page <- c(page, "", "Counts over the cells above:", "",
            markdown(c("method", "cells", "above base by more than two standard errors", "below by more than one",
                       "better: interval above zero", "worse: below zero", "with rows of density zero",
                       "median difference per column"), counted))
}
gains <- flow_gains(rows)
if (!is.null(gains)) {
  entry <- paste0(with_half(gains$gain, gains$half), " (", round(100 * gains$flows), " %)")
  page <- c(page, "", "## What the flow adds, and how far it is to the law", "",
            "Flow adds: the calibrated fit minus the same search without flows, in nats per row. In brackets: the",
            "share of repetitions in which a flow was chosen. Way: the share of the difference between the better",
            "smoother and the true law that the calibrated fit covers.", "",
            markdown(c("cell", "flow adds (chosen)", "way"),
                     cbind(gains$cell, entry, sprintf("%.0f %%", 100 * gains$way))))
}
write_page("likelihood.md", page, "", paste("Repetitions:", repetitions))

# --- closeness beside novelty -----------------------------------------------------------------------------------------
SCORES <- c(energy_distance = "energy distance", c2st_auc = "C2ST AUC", precision = "precision", recall = "recall",
            density = "density", coverage = "coverage", novelty = "novelty", novelty_5 = "novelty, 5 %",
            far = "far, 99 %", duplicates = "duplicates")
closeness <- function(some) {
  body <- t(vapply(methods[methods %in% some$method], function(name) {
    mine <- some[some$method == name, ]
    c(name, length(unique(mine$cell[mine$score == "novelty"])), vapply(names(SCORES), function(score) {
      means <- tapply(mine$value[mine$score == score], mine$cell[mine$score == score], mean)
      if (!length(means) || all(is.na(means))) "" else {
        middle <- stats::median(means, na.rm = TRUE)
        if (score == "energy_distance") sprintf("%.4f", middle) else digits(middle)
      }
    }, ""))
  }, character(length(SCORES) + 2)))
  markdown(c("method", "cells", SCORES), body)
}
page <- c("# Closeness beside novelty", "",
          "Median over cells of the mean over repetitions. The right values are those of `fresh draw`. `training rows`",
          "is a copy: it shows what the scores of closeness are worth without novelty. If a method does not apply to",
          "some cells or did not finish there, its median is over the other cells (see `cells`).")
for (which in unique(rows$list)) {
  part <- rows[rows$list == which, ]
  for (n in sort(unique(part$n[part$kind == "family"]))) {
    page <- c(page, "", sprintf("## Families, %s, n = %d", which, n), "",
              closeness(part[part$kind == "family" & part$n == n, ]))
  }
  if (any(part$kind == "table")) {
    page <- c(page, "", sprintf("## Tables, %s", which), "", closeness(part[part$kind == "table", ]))
  }
}
write_page("closeness.md", page, "", paste("Repetitions:", repetitions))

# --- seconds and failures ---------------------------------------------------------------------------------------------
timed <- rows[rows$score == "seconds" & rows$kind == "family", ]
timed$size <- sprintf("n %d d %d", timed$n, timed$d)
sizes <- unique(timed[order(timed$n, timed$d), "size"])
failed <- rows[rows$score == "failed", ]
body <- t(vapply(methods, function(name) {
  c(name, vapply(sizes, function(size) {
    seconds <- timed$value[timed$method == name & timed$size == size]
    if (length(seconds)) digits(stats::median(seconds)) else ""
  }, ""), sum(failed$method == name))
}, character(length(sizes) + 2)))
page <- c("# Seconds to fit and draw", "",
          "Median over families and repetitions, without the log-density of the held-out rows. The last column says",
          "how often a method failed or met the time limit (these runs are not in the medians).", "",
          markdown(c("method", sizes, "failed"), body))
if (nrow(failed)) {
  where <- unique(failed[c("method", "set", "n", "d")])
  page <- c(page, "", "Failed or stopped:", "",
            sprintf("- %s: %s, n %d, d %d", where$method, where$set, where$n, where$d))
}
write_page("seconds.md", page)
