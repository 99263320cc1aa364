# Rscript bench/wgf/plot.R: draws results/*.png from results/*.csv.
library(ggplot2)

here <- "bench/wgf/results"
read <- function(file) if (file.exists(file.path(here, file))) utils::read.csv(file.path(here, file))
save <- function(plot, file, width, height) {
  ggsave(file.path(here, file), plot, width = width, height = height, dpi = 110)
}
order <- c("kl", "reverse_kl", "jeffreys", "js", "pearson", "neyman", "hellinger", "alpha", "log_variance_q",
           "log_variance_p")
ways <- c("flow alone", "with birth and death")
look <- theme_bw() + theme(panel.grid.minor = element_blank(), strip.background = element_blank(),
                           legend.position = "bottom")

modes <- read("modes.csv")
if (!is.null(modes)) {
  modes$divergence <- factor(modes$divergence, rev(order))
  modes$target <- factor(modes$target, unique(modes$target))
  modes$way <- ways[modes$birth_death + 1]
  long <- rbind(
    data.frame(modes[c("target", "divergence", "way")], what = "particles",
               ratio = modes$energy_particles / modes$energy_exact),
    data.frame(modes[c("target", "divergence", "way")], what = "draws", ratio = modes$energy_draws / modes$energy_exact)
  )
  save(
    ggplot(long, aes(ratio, divergence, colour = what)) + geom_vline(xintercept = 1, colour = "grey60") +
      geom_vline(xintercept = 2, colour = "grey80") + geom_point(alpha = 0.8) + scale_x_log10() +
      facet_grid(vars(way), vars(target), scales = "free_x") +
      scale_colour_manual(NULL, values = c(particles = "#D55E00", draws = "#0072B2")) +
      labs(x = "energy distance to exact draws, over that between two exact samples", y = NULL) + look,
    "energy.png", 12, 6
  )
  save(
    ggplot(modes, aes(100 * worst, divergence, colour = outside > 0.05)) +
      geom_vline(xintercept = 25, colour = "grey70") + geom_point(alpha = 0.8) + scale_x_log10() +
      facet_grid(vars(way), vars(target)) +
      scale_colour_manual("more than 5 % outside", values = c("#0072B2", "#D55E00")) +
      labs(x = "largest deviation of the mass of a mode from its weight (%)", y = NULL) + look,
    "masses.png", 12, 6
  )
}

repair <- read("repair.csv")
if (!is.null(repair)) {
  repair$divergence <- factor(repair$divergence, order)
  save(
    ggplot(repair, aes(step + 1, uncovered, colour = divergence)) + geom_line() +
      facet_grid(vars(ways[birth_death + 1]), vars(target)) + scale_x_log10() +
      scale_colour_manual(NULL, values = c("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#DDCC77", "#44AA99",
                                           "#AA4499", "#666666", "#000000")) +
      labs(x = "step + 1", y = "mass that is missing from modes") + look,
    "repair.png", 10, 6
  )
}

equation <- read("fokker_planck.csv")
if (!is.null(equation)) {
  equation$bandwidth <- factor(equation$bandwidth)
  save(
    ggplot(equation, aes(time, colour = bandwidth)) + geom_line(aes(y = variance_wanted)) +
      geom_point(aes(y = variance)) +
      geom_line(aes(y = variance_without_bandwidth), colour = "grey60", linetype = 2) + scale_y_log10() +
      labs(y = "variance") + look,
    "fokker_planck.png", 6, 4
  )
}
