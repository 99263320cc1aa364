# Rscript bench/pairwise/plot.R: draws results/kernel.png from results/kernel.csv.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
results <- Sys.getenv("FLOW_RESULTS", file.path(here, "results"))
kernel <- read.csv(file.path(results, "kernel.csv"), comment.char = "#")
model <- sub("^# ", "", readLines(file.path(results, "kernel.csv"), 1))

png(file.path(results, "kernel.png"), width = 1000, height = 460, res = 96)
par(mfrow = c(1, 2), mar = c(4.2, 5.2, 2.5, 0.8), mgp = c(4, 0.7, 0), las = 1, bty = "l")
colours <- c(scalar = "grey50", avx2 = "#0072B2", avx512 = "#D55E00", neon = "#009E73")
shapes <- c("0" = 16, "1" = 17, "0.5" = 1, "13" = 8)
draw <- function(value, rows, log, ylim, ylab, main) {
  plot(NA, xlim = range(kernel$d), ylim = ylim, log = log, xlab = "", ylab = ylab, main = main,
       cex.main = 1, font.main = 1)
  for (simd in unique(rows$simd)) for (s in unique(rows$s)) {
    some <- rows[rows$simd == simd & rows$s == s, ]
    if (nrow(some)) {
      lines(some$d, some[[value]], type = "b", col = colours[[simd]], pch = shapes[[format(s)]],
            lty = if (s == 0.5) 2 else 1)
    }
  }
  title(xlab = "dimensions", line = 2.5)
}
one <- kernel[kernel$threads == 1, ]
draw("pairs_per_second", one, "xy", range(one$pairs_per_second), "pairs per second, one thread", model)
legend("bottomleft", legend = names(colours)[names(colours) %in% one$simd], bty = "n", lty = 1,
       col = colours[names(colours) %in% one$simd])
peaked <- one[!is.na(one$share_of_peak), ]
draw("share_of_peak", peaked, "x", c(0, max(1, peaked$share_of_peak)),
     "share of the multiply-add peak (5d+16 a pair)", "one thread")
abline(h = 1, col = "grey80")
legend("topright", legend = paste("s =", names(shapes)), pch = shapes, bty = "n")
invisible(dev.off())
