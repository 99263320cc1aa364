# Rscript bench/tables/plot.R [FILES]: the csv files of run.R (default: all of results/) as results/tables.png: four
# scores, one row per reporting table, one colour per method; a point is the mean over the splits, a line their range.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
for (part in c("tables.R", "judges.R", "summary.R")) source(file.path(here, part))
files <- commandArgs(TRUE)
if (!length(files)) files <- list.files(file.path(here, "results"), "[.]csv$", full.names = TRUE)
files <- files[basename(files) != "coverage.csv"] # that of coverage.R
lines <- read_results(files)
lines <- droplevels(lines[lines$role == "reporting" & lines$method != "second", ])

PANELS <- list(
  auc = list(title = "AUC new against test rows (.5 is best)", wanted = 0.5, limits = c(0.4, 1)),
  loss = list(title = "Loss of usefulness (0 is best)", wanted = 0, limits = c(-0.1, 0.5)),
  novelty = list(title = "Novelty (1: as test rows; 0: copies)", wanted = 1, limits = c(0, 2.5)),
  association = list(title = "Association error (as small as of train)", wanted = NA, limits = c(0, 0.25))
)
COLOURS <- c(particleflow = "#D55E00", synthpop = "#0072B2", arf = "#009E73", synthesizer = "#CC79A7",
             ForestDiffusion = "#E69F00", train = "grey55")
methods <- levels(lines$method)
colours <- COLOURS[methods]
colours[is.na(colours)] <- "black"
tables <- sort(unique(lines$table), decreasing = TRUE)

panel <- function(score) {
  what <- PANELS[[score]]
  graphics::plot(NA, xlim = what$limits, ylim = c(0.5, length(tables) + 0.5), yaxt = "n", xlab = "", ylab = "",
                 main = what$title, cex.main = 0.95, font.main = 1)
  graphics::axis(2, seq_along(tables), tables, las = 1, cex.axis = 0.8)
  graphics::abline(h = seq_along(tables) + 0.5, col = "grey92")
  graphics::abline(v = what$wanted, col = "grey40", lty = 2)
  for (i in seq_along(tables)) for (k in seq_along(methods)) {
    x <- lines[lines$table == tables[i] & lines$method == methods[k], score]
    x <- x[!is.na(x)]
    if (!length(x)) next
    y <- i + 0.32 - 0.64 * (k - 1) / max(length(methods) - 1, 1)
    clipped <- function(x) pmin(pmax(x, what$limits[1]), what$limits[2])
    graphics::segments(clipped(min(x)), y, clipped(max(x)), y, col = colours[k])
    outside <- mean(x) < what$limits[1] || mean(x) > what$limits[2]
    graphics::points(clipped(mean(x)), y, pch = if (outside) 4 else 19, cex = 0.8, col = colours[k])
  }
}

grDevices::png(file.path(here, "results", "tables.png"), 1500, 1500, res = 130)
graphics::par(mfrow = c(2, 2), mar = c(2.5, 6, 2, 1), oma = c(2.5, 0, 0, 0))
for (score in names(PANELS)) panel(score)
graphics::par(fig = c(0, 1, 0, 1), oma = rep(0, 4), mar = rep(0, 4), new = TRUE)
graphics::plot.new()
graphics::legend("bottom", c(methods, "outside the panel"), col = c(colours, "black"),
                 pch = c(rep(19, length(methods)), 4), horiz = TRUE, bty = "n", cex = 0.9)
invisible(grDevices::dev.off())
