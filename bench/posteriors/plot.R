# Rscript bench/posteriors/plot.R: results/results.csv -> results/posteriors.png and, on standard output, the tables of
# README.md. The figure shows medians over seeds, and the largest value as a line.
here <- "bench/posteriors"
for (file in c("free.R", "posteriors.R", "cases.R", "judge.R")) source(file.path(here, file))
rows <- utils::read.csv(file.path(here, "results", "results.csv"))
rows$trusted <- as.logical(rows$trusted)
rows$verdict <- verdict_word(rows)
methods <- intersect(c("reference", "temper", "wgf", "laplace_mala", "laplace", "metropolis", "adaptMCMC",
                       "svgd_whitened", "svgd"), rows$method)
entries <- c(posterior_names, case_names)
colours <- grDevices::hcl.colors(length(methods), "Dark 3")

panel <- function(names, value, label, limits) {
  plot(NA, xlim = limits, ylim = c(length(names) + 0.6, 0.4), log = "x", yaxt = "n", xlab = label, ylab = "")
  graphics::axis(2, seq_along(names), names, las = 1, cex.axis = 0.8, tick = FALSE)
  graphics::abline(h = seq_along(names) + 0.5, col = "grey90")
  for (m in seq_along(methods)) for (i in seq_along(names)) {
    v <- rows[rows$method == methods[m] & rows$entry == names[i], value]
    v <- pmin(pmax(v[!is.na(v)], limits[1]), limits[2])
    if (!length(v)) next
    y <- i + (m - (length(methods) + 1) / 2) * 0.8 / length(methods)
    graphics::segments(stats::median(v), y, max(v), y, col = colours[m])
    graphics::points(stats::median(v), y, pch = 19, cex = 0.7, col = colours[m])
  }
}

grDevices::png(file.path(here, "results", "posteriors.png"), 1150, 1250, res = 96, type = "cairo")
graphics::par(mfrow = c(2, 2), mar = c(4, 9, 1, 1))
for (names in list(posterior_names, case_names)) {
  panel(names, "mean_off", "worst mean, in posterior sd", c(0.005, 20))
  graphics::abline(v = c(0.1, 0.3), lty = 3)
  if (identical(names, posterior_names)) {
    graphics::legend("bottomright", methods, col = colours, pch = 19, cex = 0.75, bg = "white")
  }
  panel(names, "energy", "energy distance over that of exact samples", c(0.3, 1000))
  graphics::abline(v = c(1, 2), lty = 3)
}
invisible(grDevices::dev.off())

cell <- function(entry, method) {
  r <- rows[rows$entry == entry & rows$method == method, ]
  if (!nrow(r)) return("")
  failed <- is.na(r$mean_off)
  if (all(failed)) return("fails")
  text <- sprintf("%.2f / %.2f-%.2f / %.1f", stats::median(r$mean_off, na.rm = TRUE), min(r$sd_least, na.rm = TRUE),
                  max(r$sd_most, na.rm = TRUE), stats::median(r$energy, na.rm = TRUE))
  said <- r$verdict[!failed & r$verdict != ""]
  if (length(said)) {
    counts <- table(factor(said, c("ok", "doubted", "false alarm", "FALSE OK")))
    counts <- counts[counts > 0]
    text <- paste0(text, "; ", paste(counts, names(counts), collapse = ", "))
  }
  if (any(failed)) text <- paste0(text, "; ", sum(failed), " failed")
  text
}
for (names in list(posterior_names, case_names)) {
  cat("| | ", paste(methods, collapse = " | "), "|\n|", strrep("---|", length(methods) + 1), "\n", sep = "")
  for (name in names) {
    cat("| ", name, " | ", paste(vapply(methods, cell, "", entry = name), collapse = " | "), " |\n", sep = "")
  }
  cat("\n")
}
for (names in list(posterior_names, case_names)) {
  some <- rows[rows$entry %in% names, ]
  cat("Evaluations and seconds (medians), share of right runs, entries with median energy up to 1.5 and 2, verdicts\n")
  for (m in methods) {
    r <- some[some$method == m, ]
    if (!nrow(r)) next
    energy <- tapply(r$energy, r$entry, stats::median)
    cat(sprintf("| %s | %d runs | %s | %.1f | %.2f | %d, %d of %d | %s |\n", m, nrow(r),
                format(stats::median(r$evaluations, na.rm = TRUE)), stats::median(r$cpu),
                mean(!is.na(r$mean_off) & is_right(r)),
                sum(energy <= 1.5, na.rm = TRUE), sum(energy <= 2, na.rm = TRUE), length(energy),
                paste(names(table(r$verdict)), table(r$verdict), collapse = ", ")))
  }
}
known <- rows[!is.na(rows$log_z_off), ]
cat("log Z: largest error, median error, share within two standard errors, within .05\n")
for (m in unique(known$method)) {
  k <- known[known$method == m, ]
  cat(sprintf("| %s | %d runs | %.3f (%s) | %.3f | %.2f | %.2f |\n", m, nrow(k), max(abs(k$log_z_off)),
              k$entry[which.max(abs(k$log_z_off))], stats::median(abs(k$log_z_off)),
              mean(abs(k$log_z_off) <= 2 * k$log_z_error), mean(abs(k$log_z_off) <= 0.05)))
}
