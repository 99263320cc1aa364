#' @rdname generator
#' @export
plot.generator <- function(x, type = c("points", "trace", "map"), n = 1000, data = NULL, col = NULL, ...) {
  draw_base(generator_picture(x, type, n, data, col), ...)
  invisible(x)
}

generator_picture <- function(x, type, n, data, col) {
  check_fit(x, "x")
  type <- check_choice(type, c("points", "trace", "map"), "type")
  check_belongs(type, "points", data = data)
  if (type == "points") return(draws_picture(x, n, data, col))
  if (type == "map") {
    base_dim <- x$diagnostics$base_dim
    if (base_dim != 1) fail("type = \"map\" is for one base dimension; this generator has %d.", base_dim)
    z <- seq(-3, 3, length.out = 241)
    values <- as.matrix(predict(x, matrix(z)))
    line_picture("map", z, values, "z", col)
  } else {
    line_picture("score", x$trace$step, as.matrix(x$trace$score), "step", col, log = all(x$trace$score > 0))
  }
}

draws_picture <- function(x, n, data, col) {
  draws <- simulate(x, check_count(n, "n", 1L))
  tables <- read_alike(c(list(draws = draws), if (!is.null(data)) list(data = data)))
  points <- unname(tables$draws)
  goal <- if (!is.null(data)) unname(tables$data)
  kinds <- c("data", "draws")[c(!is.null(goal), TRUE)]
  group <- factor(rep(kinds, c(NROW(goal), nrow(points))[c(!is.null(goal), TRUE)]), levels = kinds)
  if (is.null(col)) col <- c("grey65", class_colours(1))[c(!is.null(goal), TRUE)]
  columns <- colnames(draws)
  if (is.null(columns)) columns <- paste0("x", seq_len(ncol(points)))
  all <- rbind(goal, points)
  view <- projection(all, columns, square = FALSE)
  panels_picture(list(new_layer("draws", view$see(all), "rows", group)), list(view), group, col, shared = TRUE)
}

#' @rdname generator
#' @method autoplot generator
#' @rawNamespace S3method(ggplot2::autoplot, generator)
autoplot.generator <- function(object, type = c("points", "trace", "map"), n = 1000, data = NULL, col = NULL, ...) {
  draw_ggplot(generator_picture(object, type, n, data, col), ...)
}
