# Rscript bench/quality/plot.R [quick]: draws results/likelihood_families.png, likelihood_tables.png and closeness.png
# from results/quality.csv, for the reporting sets if there are any, else for the tuning sets.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "summary.R"))
rows <- read_scores()
rows <- rows[rows$list == if ("reporting" %in% rows$list) "reporting" else "tuning", ]
found <- likelihood_differences(rows)
based <- !is.null(found) && !all(is.na(found$difference))
if (!based) message("no smoothed bootstrap has been measured: no plot of likelihoods relative to it")

open_png <- function(name, width, height) {
  png(file.path(results, name), width = width, height = height, res = 110)
  par(las = 1, bty = "l", mgp = c(2.4, 0.6, 0), tcl = -0.3)
}
method_legend <- function(methods, columns) {
  par(mar = c(0, 0, 0, 0))
  plot.new()
  legend("center", methods, col = COLOURS[methods], pch = SHAPES[methods], pt.lwd = 1.6, ncol = columns, bty = "n",
         cex = 1.15)
}
# values beyond the frame are drawn on its edge as a triangle
clipped <- function(x, y, limits, method, ...) {
  outside <- y < limits[1] | y > limits[2]
  points(x, pmin(pmax(y, limits[1]), limits[2]), col = COLOURS[method], lwd = 1.6,
         pch = ifelse(outside, ifelse(y < limits[1], 25, 24), SHAPES[method]), bg = COLOURS[method], ...)
}

# --- log-likelihood per column relative to the better smoother, families ----------------------------------------------
families <- if (based) found[found$kind == "family" & !is.na(found$difference), ]
if (NROW(families)) {
  families$y <- families$difference / families$d
  families$half_y <- ifelse(is.na(families$half), 0, families$half / families$d)
  methods <- setdiff(ORDER[ORDER %in% families$method], SMOOTHERS)
  sets <- unique(families$set)
  sizes <- sort(unique(families$n))
  dims <- sort(unique(families$d))
  open_png("likelihood_families.png", max(760, 220 + 330 * length(sizes)), 150 + 210 * length(sets))
  layout(rbind(matrix(seq_len(length(sets) * length(sizes)), length(sets), byrow = TRUE),
               length(sets) * length(sizes) + 1), heights = c(rep(1, length(sets)), 0.55))
  for (set in sets) for (n in sizes) {
    some <- families[families$set == set, ]
    shown <- some$y[some$method %in% methods]
    limits <- c(max(min(shown, 0), -0.5), min(max(shown, 0.05), 0.5)) * 1.08
    some <- some[some$n == n, ]
    par(mar = c(2.4, 4.6, 1.9, 0.6), mgp = c(3.2, 0.6, 0))
    plot(NA, xlim = c(0.6, length(dims) + 0.4), ylim = limits, xaxt = "n", xlab = "",
         ylab = if (n == sizes[1]) "nats per column" else "", main = sprintf("%s, n = %d", set, n), font.main = 1,
         cex.main = 1.15)
    axis(1, seq_along(dims), paste("d", dims))
    abline(h = 0, col = "#0072B2")
    for (method in methods) {
      one <- some[some$method == method, ]
      if (!nrow(one)) next
      x <- match(one$d, dims) + (match(method, methods) - (length(methods) + 1) / 2) * 0.11
      segments(x, pmax(one$y - one$half_y, limits[1]), x, pmin(one$y + one$half_y, limits[2]), col = COLOURS[method])
      clipped(x, one$y, limits, method)
    }
  }
  method_legend(methods, min(4, length(methods)))
  mtext("Held-out log-likelihood minus that of the better smoothed bootstrap (blue line), 95 % intervals", side = 1,
        line = -1, cex = 0.75)
  invisible(dev.off())
}

# --- the same for the tables ------------------------------------------------------------------------------------------
tables <- if (based) found[found$kind == "table" & !is.na(found$difference), ]
if (NROW(tables)) {
  tables$y <- tables$difference / tables$d
  tables$half_y <- ifelse(is.na(tables$half), 0, tables$half / tables$d)
  methods <- setdiff(ORDER[ORDER %in% tables$method], SMOOTHERS)
  cells <- rev(unique(tables$cell))
  limits <- range(pmin(pmax(c(tables$y[tables$method %in% methods], 0.05, -0.05), -0.6), 0.6)) * 1.05
  open_png("likelihood_tables.png", 1000, 190 + 62 * length(cells))
  layout(matrix(1:2), heights = c(62 * length(cells) + 90, 100))
  par(mar = c(3.6, 10, 0.8, 1))
  plot(NA, xlim = limits, ylim = c(0.5, length(cells) + 0.5), yaxt = "n", ylab = "",
       xlab = "held-out log-likelihood minus that of the better smoothed bootstrap, nats per column")
  shape <- tables[match(cells, tables$cell), ]
  axis(2, seq_along(cells), sprintf("%s (n %d, d %d)", cells, shape$n, shape$d))
  abline(v = 0, col = "#0072B2")
  abline(h = seq_along(cells) + 0.5, col = "grey90")
  for (method in methods) {
    one <- tables[tables$method == method, ]
    y <- match(one$cell, cells) - (match(method, methods) - (length(methods) + 1) / 2) * 0.15
    outside <- one$y < limits[1] | one$y > limits[2]
    segments(pmax(one$y - one$half_y, limits[1])[!outside], y[!outside], pmin(one$y + one$half_y, limits[2])[!outside],
             y[!outside], col = COLOURS[method])
    points(pmin(pmax(one$y, limits[1]), limits[2]), y, col = COLOURS[method], lwd = 1.6,
           pch = ifelse(outside, NA, SHAPES[method]))
    for (i in which(outside)) {
      left <- one$y[i] < 0
      text(limits[if (left) 1 else 2], y[i], sprintf(if (left) "  < %.1f" else "%.1f >  ", one$y[i]),
           adj = if (left) 0 else 1, cex = 0.8, col = COLOURS[method])
    }
  }
  method_legend(methods, min(5, length(methods)))
  invisible(dev.off())
}

# --- closeness against novelty ----------------------------------------------------------------------------------------
cell_means <- function(kind, score) {
  some <- rows[rows$kind == kind & rows$score == score, ]
  if (!nrow(some)) return(data.frame())
  stats::aggregate(value ~ method + cell, some, mean, na.action = stats::na.omit)
}
kinds <- intersect(c("family", "table"), rows$kind)
SCORES <- c(energy_distance = "energy distance to held-out rows", c2st_auc = "C2ST AUC (0.5: cannot be told apart)")
methods <- ORDER[ORDER %in% rows$method]
open_png("closeness.png", 560 * length(kinds), 1150)
layout(rbind(matrix(seq_len(2 * length(kinds)), 2), 2 * length(kinds) + 1), heights = c(1, 1, 0.28))
for (kind in kinds) for (score in names(SCORES)) {
  par(mar = c(3.8, 5.2, 2, 0.8), mgp = c(2.6, 0.6, 0))
  all_rows <- rows[rows$kind == kind & rows$score %in% c(score, "novelty"), ]
  pair <- tryCatch(merge(cell_means(kind, score), cell_means(kind, "novelty"), by = c("method", "cell")),
                   error = function(e) NULL)
  title_text <- if (kind == "family") "families" else "tables"
  if (!NROW(pair)) {
    plot.new()
    text(0.5, 0.5, paste0(title_text, ": ", score, " was not measured"))
    next
  }
  pair$value.y <- pmin(pmax(pair$value.y, 0.02), 5)
  log_y <- score == "energy_distance"
  if (log_y) pair$value.x <- pmax(pair$value.x, 1e-5)
  plot(pair$value.y, pair$value.x, log = if (log_y) "xy" else "x", col = adjustcolor(COLOURS[pair$method], 0.35),
       pch = SHAPES[pair$method], cex = 0.8,
       xlab = "novelty: distance to the nearest training row over that of held-out rows",
       ylab = "", main = title_text, font.main = 1, xlim = c(0.02, 5), xaxt = "n")
  title(ylab = SCORES[[score]], line = 3.9)
  axis(1, c(0.02, 0.1, 0.3, 1, 3), c("0.02 or less", "0.1", "0.3", "1", "3"))
  abline(v = 1, col = "grey70", lty = 3)
  if (!log_y) abline(h = 0.5, col = "grey70", lty = 3)
  for (method in intersect(methods, pair$method)) {
    one <- pair[pair$method == method, ]
    points(median(one$value.y), median(one$value.x), pch = SHAPES[method], col = COLOURS[method], cex = 2.2, lwd = 2.5)
  }
}
method_legend(methods, 4)
mtext("small: one cell; large: the median of the cells", side = 1, line = -1.2, cex = 0.75)
invisible(dev.off())
