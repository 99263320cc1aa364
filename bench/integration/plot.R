# Rscript plot.R results: draws results/scores.png (distance against novelty), results/spread.png (distance and energy
# distance against the width of the moved rows) and results/paper.png (the trace of the long run).
results <- commandArgs(TRUE)[1]
d <- utils::read.csv(file.path(results, "scores.csv"))
d <- d[!d$method %in% c("before", "integrate_data, no flow", "integrate_data, from means"), ]
kinds <- unique(d$method)
okabe_ito <- grDevices::palette.colors(9, "Okabe-Ito")[c(1, 6, 3, 7, 2, 9, 5, 8, 4)]
colour <- stats::setNames(okabe_ito[seq_along(kinds)], kinds)
grDevices::png(file.path(results, "scores.png"), 1500, 1000, res = 130)
graphics::par(mfrow = c(2, 3), mar = c(4.2, 4.2, 2, 0.5), mgp = c(2.8, 0.6, 0), oma = c(4.5, 0, 0, 0), las = 1)
for (table in unique(d$table)) {
  own <- d[d$table == table, ]
  mean_of <- stats::aggregate(own[c("novelty", "w2_latent")], own[c("method", "labels")], mean)
  graphics::plot(own$novelty, own$w2_latent, type = "n", xlim = range(0.8, 1.2, own$novelty),
                 ylim = range(0.9, 1.2, own$w2_latent), xlab = "novelty", ylab = "W2 latent, over halves",
                 main = table, font.main = 1)
  graphics::rect(0.8, 0, 1e3, 1.2, col = "grey94", border = NA)
  graphics::abline(h = 1, v = 1, lty = 3)
  graphics::box()
  graphics::points(mean_of$novelty, mean_of$w2_latent, pch = ifelse(mean_of$labels, 16, 1),
                   col = colour[mean_of$method], cex = 1.5, lwd = 2)
}
graphics::par(fig = c(0, 1, 0, 1), oma = c(0, 0, 0, 0), mar = c(0, 0, 0, 0), new = TRUE)
graphics::plot.new()
graphics::legend("bottom", c(kinds, "without labels"), col = c(colour, "black"), pch = c(rep(16, length(kinds)), 1),
                 ncol = 3, bty = "n", cex = 0.85)
grDevices::dev.off()

# Width of the moved rows on the horizontal axis. Above the Wasserstein distance, below the energy distance.
wide <- d[!is.na(d$spread), ]
shown <- kinds[kinds %in% wide$method]
grDevices::png(file.path(results, "spread.png"), 2000, 950, res = 130)
graphics::par(mfcol = c(2, 6), mar = c(4.2, 4.2, 2, 0.5), mgp = c(2.8, 0.6, 0), oma = c(3.5, 0, 0, 0), las = 1)
for (table in unique(wide$table)) {
  own <- wide[wide$table == table, ]
  mean_of <- stats::aggregate(own[c("spread", "w2_full", "energy")], own[c("method", "labels")], mean)
  for (what in c("w2_full", "energy")) {
    graphics::plot(mean_of$spread, mean_of[[what]], xlim = range(0.65, 1.1, mean_of$spread),
                   ylim = range(if (what == "energy") 0 else 1, mean_of[[what]]),
                   xlab = "width over that of the reference",
                   ylab = if (what == "energy") "energy distance, %" else "W2 full, over halves",
                   main = if (what == "w2_full") table, font.main = 1, type = "n")
    graphics::abline(v = 1, h = if (what == "energy") 0 else 1, lty = 3)
    graphics::points(mean_of$spread, mean_of[[what]], pch = ifelse(mean_of$labels, 16, 1), col = colour[mean_of$method],
                     cex = 1.4, lwd = 2)
  }
}
graphics::par(fig = c(0, 1, 0, 1), oma = c(0, 0, 0, 0), mar = c(0, 0, 0, 0), new = TRUE)
graphics::plot.new()
graphics::legend("bottom", c(shown, "without labels"), col = c(colour[shown], "black"),
                 pch = c(rep(16, length(shown)), 1), ncol = 5, bty = "n", cex = 0.85)
grDevices::dev.off()

t <- utils::read.csv(file.path(results, "paper_trace.csv"))
grDevices::png(file.path(results, "paper.png"), 1100, 500, res = 130)
graphics::par(mfrow = c(1, 2), mar = c(3.5, 4, 2, 0.5), mgp = c(2.5, 0.6, 0), las = 1)
tint <- c(positive = "#0072B2", negative = "#D55E00")
for (what in c("w2_squared", "novelty")) {
  title <- c(w2_squared = "squared W2, share of the start", novelty = "novelty")[[what]]
  graphics::plot(t$step, t[[what]], type = "n", log = if (what == "w2_squared") "y" else "", xlab = "step", ylab = "",
                 main = title, font.main = 1, ylim = range(t[[what]], if (what == "w2_squared") 0.0147 else 0))
  for (class in names(tint)) {
    graphics::lines(t$step[t$class == class], t[[what]][t$class == class], col = tint[[class]], lwd = 2)
  }
  if (what == "w2_squared") {
    graphics::abline(h = c(0.0147, 0.0261), col = tint, lty = 3)
    graphics::legend("topright", c("138 onto 49", "88 onto 216", "published (other data)"), col = c(tint, "grey40"),
                     lty = c(1, 1, 3), bty = "n", cex = 0.8)
  } else {
    graphics::abline(h = c(0.8, 1), lty = 3)
  }
}
grDevices::dev.off()
