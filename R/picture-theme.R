# What all pictures of ggplot2 share.

ggplot_theme <- function() {
  ggplot2::theme_bw() + ggplot2::theme(
    legend.position = "bottom", strip.background = ggplot2::element_blank(),
    panel.grid.minor = ggplot2::element_blank(), panel.spacing = ggplot2::unit(1, "lines"),
    plot.margin = ggplot2::margin(5.5, 14, 5.5, 5.5) # room for half of the last tick label
  )
}
