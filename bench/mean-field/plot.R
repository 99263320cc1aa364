# Rscript bench/mean-field/plot.R: results/slopes.csv and results/finite.png from results/finite.csv, and the tables of
# README.md on the console.
library(ggplot2)

here <- "bench/mean-field/results"
read <- function(file) if (file.exists(file.path(here, file))) utils::read.csv(file.path(here, file))

# Mean over repetitions and its 95 % interval (t), as text.
with_interval <- function(x, digits = 3) {
  if (length(x) < 2) return(formatC(mean(x), format = "f", digits = digits))
  half <- qt(0.975, length(x) - 1) * sd(x) / sqrt(length(x))
  sprintf("%.*f ± %.*f", digits, mean(x), digits, half)
}

summary_table <- function(scores) {
  if (is.null(scores)) return(invisible())
  shown <- c("gap", "cost", "ks", "ks_law", "ks_floor", "within_50", "within_90", "novelty", "auc", "auc_law",
             "auc_flow")
  rows <- lapply(split(scores, factor(scores$set, unique(scores$set))), function(part) {
    c(part$set[1], nrow(part), vapply(shown, function(name) with_interval(part[[name]]), ""))
  })
  cat("|", paste(c("set", "repetitions", shown), collapse = " | "), "|\n")
  cat(paste(c("", rep("---", length(shown) + 2), ""), collapse = "|"), sep = "\n")
  for (row in rows) cat("|", paste(row, collapse = " | "), "|\n")
}

# The slope of log y against log x, where y is the mean over repetitions at each x. Its 95 % interval comes from the
# delete-one jackknife over the repetitions (t). Repetitions that lack a size are left out. Means that are not
# above 0 are left out too, because they have no logarithm: `cells` counts what is left. A slope needs three cells.
slope_of <- function(part, x, y) {
  sizes <- tapply(part[[x]], part$repetition, length)
  part <- part[part$repetition %in% names(sizes)[sizes == max(sizes)], ]
  repetitions <- sort(unique(part$repetition))
  slope <- function(one) {
    means <- tapply(one[[y]], one[[x]], mean)
    kept <- means > 0
    if (sum(kept) < 3) return(NA_real_)
    coef(lm(log(means[kept]) ~ log(as.numeric(names(means)[kept]))))[[2]]
  }
  count <- length(repetitions)
  left_out <- if (count > 1) vapply(repetitions, function(r) slope(part[part$repetition != r, ]), 0) else NA_real_
  error <- sqrt((count - 1) / count * sum((left_out - mean(left_out))^2))
  half <- if (count > 1) qt(0.975, count - 1) * error else NA_real_
  data.frame(slope = slope(part), half = half, repetitions = count,
             cells = sum(tapply(part[[y]], part[[x]], mean) > 0), from = min(part[[x]]), to = max(part[[x]]))
}

finite <- read("finite.csv")
measures <- list(rows = c("lost_law", "lost_flow", "cost", "energy_law_truth", "energy_flow_truth"),
                 particles = c("cost", "energy_flow_law"))
slopes <- do.call(rbind, lapply(names(measures), function(what) {
  x <- c(rows = "n", particles = "particles")[[what]]
  part <- finite[finite$part == what, ]
  if (!nrow(part)) return(NULL)
  do.call(rbind, lapply(measures[[what]], function(y) {
    do.call(rbind, lapply(sort(unique(part$d)), function(d) {
      data.frame(part = what, measure = y, d = d, slope_of(part[part$d == d, ], x, y))
    }))
  }))
}))
utils::write.csv(format(slopes, digits = 3, trim = TRUE), file.path(here, "slopes.csv"), row.names = FALSE,
                 quote = FALSE)

summary_table(read("families.csv"))
summary_table(read("families_time_4.csv"))
summary_table(read("three.csv"))
print(slopes, digits = 2, row.names = FALSE)
options(width = 150)
print(aggregate(cbind(cost, gap, energy_flow_law, ks_law, cpu) ~ particles + d, finite[finite$part == "particles", ],
                mean), digits = 2)
if (any(finite$part == "rows")) {
  print(aggregate(cbind(lost_law, lost_flow, cost, energy_law_truth, energy_flow_truth, ks) ~ n + d,
                  finite[finite$part == "rows", ], mean), digits = 2)
}

names_of <- c(cost = "nats: flow below its law", lost_law = "nats: law below the truth",
              lost_flow = "nats: flow below the truth", energy_flow_law = "energy distance: flow, its law",
              energy_law_truth = "energy distance: law, truth", energy_flow_truth = "energy distance: flow, truth")
long <- do.call(rbind, lapply(names(measures), function(what) {
  part <- finite[finite$part == what, ]
  x <- part[[c(rows = "n", particles = "particles")[[what]]]]
  do.call(rbind, lapply(measures[[what]], function(y) {
    title <- c(rows = "rows, with 2000 particles", particles = "particles, with 300 rows")[[what]]
    data.frame(what = rep(title, nrow(part)),
               d = part$d, x = x, kind = rep(sub(":.*", "", names_of[[y]]), nrow(part)),
               measure = rep(names_of[[y]], nrow(part)), value = part[[y]])
  }))
}))
long <- aggregate(value ~ what + d + x + kind + measure, long, mean)
long <- long[long$value > 0, ]
plot <- ggplot(long, aes(x, value, colour = factor(d))) + geom_line() + geom_point(size = 1) +
  facet_wrap(~ paste(what, measure, sep = "\n"), scales = "free", ncol = 4) + scale_x_log10() + scale_y_log10() +
  scale_colour_manual("dimensions", values = c("#0072B2", "#D55E00", "#009E73", "#CC79A7")) +
  labs(x = "rows or particles", y = NULL) + theme_bw() +
  theme(panel.grid.minor = element_blank(), strip.background = element_blank(), legend.position = "bottom")
ggsave(file.path(here, "finite.png"), plot, width = 11, height = 6, dpi = 90)
