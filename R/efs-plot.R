#' Plots of a fit
#'
#' `type` chooses what is drawn: the rows on their way to equilibrium; the data beside the latent side, with new points
#' and an interpolation path if asked for; the energies over time; or contours of ranks. `plot()` draws with base
#' graphics. `autoplot()` returns the same picture as a ggplot.
#'
#' @section What is shown:
#' The flow of each class runs in its own unit. Latent points are drawn in the common space of the latent map: each
#' class is moved and scaled back to its position and size there. With more than two latent dimensions, the points are
#' projected on the first two principal components of the encoded rows, and all panels have the same projection. Values
#' in one dimension are stacked like a histogram of dots. New values are stacked downwards.
#'
#' The points of `"trajectory"` and `"latent"` are the rows. If they are not the particles, they are carried along. The
#' panels of `"trajectory"` are matched by time: a class shows its last frame at or before the time of the panel. A
#' class without a flow stays where it is. Without groups, a line above the panels says what `print()` says of the flow.
#'
#' The data side of `"latent"` shows the decoded columns, each in its own unit, if at most two columns of the table
#' vary. Otherwise it shows the encoded rows. If the latent map is fitted within classes, as [latent_genes()] and
#' [latent_counts()] are, encoded rows lack the means of the classes. The data side then shows the decoded columns,
#' divided by their standard deviations; counts become logarithms of counts per million before. Each side has its own
#' limits. A new row is drawn where [simulate()][simulate.efs] would return it. After the same [set.seed()] both give
#' the same rows.
#'
#' The curves of `"energy"` are in the unit of each flow. Classes without a flow have none. If no class has a flow,
#' `"energy"` is an error, and the titles of the other types say so.
#'
#' `"rank"` shows the rows in the plane of the two columns, with the curves of rank 0.1, 0.25, 0.5, 0.75 and 0.9 of each
#' class (see [predict()][predict.efs]). About 50 % of new observations lie within the curve of rank 0.5. The curves are
#' circles about the centre of the latent side, carried back by the inverse of the flow. Ranks need particles that are
#' not the rows, and the curves need a table of two columns with two latent dimensions. A class without ranks has no
#' curves, and the title names it.
#'
#' Of a fit with `strip = TRUE` only `"rank"`, without the rows, and `"energy"` can be drawn.
#'
#' @param x,object A fit from [efs()].
#' @param type `"trajectory"`, `"latent"` (data side and latent side), `"energy"` or `"rank"`. `"energy"` draws one
#'   curve per class: the energy on a linear axis and the kinetic energy on a logarithmic axis.
#' @param times For `"trajectory"`, flow times between 0 and the end of the longest flow. The frames of this flow that
#'   are nearest to them are drawn. `NULL`: five times, evenly spread.
#' @param new For `"latent"`, the number of new points to draw and to carry back. They are shown as stars on both
#'   sides. 0 or `NULL`: no new points. With classes this is the total, which is divided among the classes in the
#'   proportions of the data. The points follow [set.seed()].
#' @param path For `"latent"`, two row numbers `c(from, to)` of one class. The path between these rows (see
#'   [interpolate()]) is drawn as a line with stars.
#' @param group Classes that give the colours, instead of those of the fit: a factor or a vector with one entry per
#'   row. Not for `"energy"`.
#' @param col Colours, one per class, or one colour without classes. `NULL`: a palette that colour-blind people can
#'   tell apart.
#' @inheritParams plot.particle_trajectory
#' @inherit plot.particle_trajectory return
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Figures 1 to 5. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' fit <- efs(iris, group = "Species", calibrate = FALSE)
#' plot(fit)
#' set.seed(1)
#' plot(fit, type = "latent", new = 30)
#' plot(fit, type = "energy")
#'
#' # colours of classes in a fit without groups, and a path between two rows
#' plot(efs(iris[3:4], calibrate = FALSE), type = "latent", path = c(1, 150), group = iris$Species)
#'
#' \donttest{
#' # contours of ranks
#' plot(efs(iris[51:100, 3:4], particles = 300), type = "rank")
#' }
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(fit, type = "latent", new = 30)
#' @order 1
#' @export
plot.efs <- function(x, type = c("trajectory", "latent", "energy", "rank"), times = NULL, new = NULL,
                     path = NULL, group = NULL, col = NULL, ...) {
  draw_base(efs_picture(x, type, times, new, path, group, col), ...)
  invisible(x)
}

efs_picture <- function(fit, type, times, new, path, group, col) {
  check_fit(fit, "x")
  type <- check_choice(type, c("trajectory", "latent", "energy", "rank"), "type")
  check_belongs(type, "trajectory", times = times)
  check_belongs(type, "latent", new = new, path = path)
  check_belongs(type, c("trajectory", "latent", "rank"), group = group)
  flows <- class_flows(fit)
  moved <- vapply(flows, function(flow) n_steps(flow$trajectory) > 0, NA)
  if (type == "energy") {
    if (!any(moved)) fail("`type = \"energy\"` shows a flow, but the fit has none; choose another type.")
    return(curves_picture(flows, col, moved))
  }
  if (type == "rank") return(ranks_picture(fit, flows, group, col))
  check_not_stripped(flows, "`type = \"rank\"` and `type = \"energy\"` can be drawn")
  own_group <- is.null(group) && is_grouped(fit)
  group <- if (own_group) row_class(fit) else point_group(group, sum(lengths(fit$rows)))
  if (type == "latent") return(sides_picture(fit, new, path, group, own_group, col))
  frames_picture(flows, times, group, latent_columns(fit$latent$dim), col, if (!any(moved)) " (no flow)",
                 if (any(moved) && !is_grouped(fit)) flow_caption(fit$diagnostics))
}

# How far a flow, a row of the diagnostics, is from an affine map, and what it adds to the likelihood.
flow_caption <- function(flow) {
  verb <- if (isTRUE(flow$gain < 0)) "takes" else "adds"
  change <- sprintf("; the flow %s %s nats per row", verb, nats(abs(flow$gain)))
  paste0(sprintf("%.0f %% of the movement is not affine", 100 * flow$bent), if (!is.na(flow$gain)) change)
}

sides_picture <- function(fit, new, path, group, own_group, col) {
  flows <- class_flows(fit)
  rows <- common_points(flows, 0)
  latent_view <- projection(rows, latent_columns(fit$latent$dim))
  # latent rows within classes lack the means of the classes, which the data side shows
  within <- isTRUE(fit$latent$by_group)
  plain <- within || sum(fit$table$dims) <= 2
  data <- if (plain) decode_points(fit, rows, row_class(fit)) else rows
  unit <- if (within) decoded_unit(fit, data) else identity
  data <- unit(data)
  data_view <- if (plain) projection(data, varying_columns(fit), square = FALSE) else latent_view
  moved <- any(vapply(flows, function(flow) n_steps(flow$trajectory) > 0, NA))
  on_both <- function(data, latent, kind, group) {
    list(new_layer("data", data_view$see(data), kind, group),
         new_layer(if (moved) "latent" else "latent (no flow)", latent_view$see(latent), kind, group))
  }
  # `scores`: those that the table was written from. It cannot give them back where values are missing
  on_data <- function(table, class, scores = NULL) {
    points <- if (isTRUE(fit$table$scores) && !is.null(scores)) scores else read_new_rows(table, fit$table)
    if (fit$control$bounds) points <- reflect_into(points, fit$table$range)
    if (plain) unit(unname(points)) else encode_points(fit$latent, points, class)
  }

  layers <- on_both(data, common_points(flows, Inf), "rows", group)
  if (!is.null(new) && check_rows(new, "new", fit$latent$dim + n_columns(fit$table)) > 0) {
    drawn <- draw_new(fit, new)
    layers <- c(layers, on_both(on_data(drawn$table, drawn$class, drawn$points), drawn$latent, "new",
                                if (own_group) drawn$class))
  }
  if (!is.null(path)) {
    line <- draw_path(fit, path)
    data <- on_data(line$table, line$class)
    stars <- seq(1, nrow(data), by = path_gap)
    layers <- c(layers, on_both(data, line$latent, "line", NULL),
                on_both(data[stars, , drop = FALSE], line$latent[stars, , drop = FALSE], "path", NULL))
  }
  # a flow can draw the rows together or spread them, so each side has its own limits
  panels_picture(layers, list(data_view, latent_view), group, col, shared = FALSE)
}

# A function that brings rows [m, p] to the unit of the columns of `data` [n, p]: their standard deviations. Counts are
# logarithms of counts per million before.
decoded_unit <- function(fit, data) {
  logs <- if (fit$latent$name == "counts") function(x) log_counts(x, rowSums(x)) else identity
  spread <- apply(logs(data), 2, stats::sd)
  spread[!(spread > 0)] <- 1
  function(x) logs(x) / rep(spread, each = nrow(x))
}

# The ranks whose contours are drawn.
contour_ranks <- c(0.1, 0.25, 0.5, 0.75, 0.9)
contour_points <- 721L

# The rows, unless the fit has none, and the curves within which each class has the probabilities contour_ranks.
ranks_picture <- function(fit, flows, group, col) {
  if (fit$latent$dim != 2 || sum(fit$table$dims) != 2) {
    fail("`type = \"rank\"` draws curves in the plane of two columns; the fit has %d columns and %d latent dimensions.",
         n_columns(fit$table), fit$latent$dim)
  }
  ranked <- have_ranks(flows)
  if (!any(ranked)) check_ranked(flows)
  if (!any(ranked)) check_varying(flows)
  curves <- lapply(names(flows)[ranked], function(class) rank_curves(fit, flows[[class]], class))
  own_group <- is.null(group) && is_grouped(fit)
  data <- curves[[1]][0, , drop = FALSE]
  if (!isTRUE(fit$control$strip)) {
    data <- unname(decode_points(fit, common_points(flows, 0), row_class(fit)))
    group <- if (own_group) row_class(fit) else point_group(group, nrow(data))
  } else if (own_group) {
    group <- factor(names(flows), names(flows))
  }
  known <- do.call(rbind, curves)
  view <- projection(rbind(data, known[!is.na(known[, 1]), , drop = FALSE]), varying_columns(fit), square = FALSE)
  panel <- paste0("ranks ", paste(contour_ranks, collapse = ", "), unranked_words(names(flows)[!ranked]))
  layers <- Map(function(curve, class) {
    colour <- if (own_group) factor(rep(class, nrow(curve)), names(flows))
    at <- label_places(curve)
    list(new_layer(panel, view$see(curve), "line", colour),
         new_layer(panel, view$see(curve[at, , drop = FALSE]), "label", colour[at], as.character(contour_ranks)))
  }, curves, names(flows)[ranked])
  layers <- c(if (nrow(data)) list(new_layer(panel, view$see(data), "rows", group)), do.call(c, unname(layers)))
  panels_picture(layers, list(view), group, col, shared = FALSE)
}

unranked_words <- function(classes) if (length(classes)) paste0(" (none for ", paste(classes, collapse = ", "), ")")

# Rows of the curves of one class where their ranks are written: the highest point of each curve.
label_places <- function(curve) {
  first <- (seq_along(contour_ranks) - 1) * (contour_points + 1)
  first + vapply(first, function(k) which.max(curve[k + seq_len(contour_points), 2]), 1L)
}

# One closed curve for each of contour_ranks, divided by rows of NA, in columns of the table.
rank_curves <- function(fit, flow, class) {
  angle <- seq(0, 2 * pi, length.out = contour_points)
  radius <- radial_radius(flow$law, contour_ranks)
  circles <- do.call(rbind, lapply(radius, function(r) r * cbind(cos(angle), sin(angle))))
  latent <- sweep(circles, 2, flow$law$centre, "+")
  back <- run_backward(flow$trajectory, latent, fit$control$backward, thread_count(), FALSE)
  label <- factor(rep(class, nrow(latent)), levels = names(fit$rows))
  points <- unname(decode_points(fit, from_flow(back$points, flow), label))
  do.call(rbind, lapply(seq_along(radius), function(k) {
    rbind(points[(k - 1) * contour_points + seq_len(contour_points), ], NA)
  }))
}

varying_columns <- function(fit) {
  columns <- fit$table$names
  if (is.null(columns)) columns <- paste("column", seq_len(n_columns(fit$table)))
  coordinate_names(columns, fit$table$dims)
}

# New points as the laws draw them (in the common latent space) and as rows of the table. There is one key per class,
# in the order of simulate(), so that both give the same rows.
draw_new <- function(fit, n) {
  flows <- class_flows(fit)
  counts <- class_counts(fit, n)
  keys <- lapply(counts, function(count) draw_key())
  counts <- whole_counts(counts)
  class <- factor(rep(names(counts), counts), levels = names(flows))
  drawn <- Map(function(flow, count, key) {
    draw_rows(flow, count, key, fit$control$backward, fit$control$density_floor, FALSE, thread_count(NULL), FALSE)
  }, flows[names(counts)], counts, keys)
  points <- decode_points(fit, do.call(rbind, lapply(drawn, `[[`, "points")), class)
  list(
    class = class, points = points,
    latent = do.call(rbind, lapply(drawn, `[[`, "latent")),
    table = write_table(points, fit$table, if (is_grouped(fit)) class)
  )
}

# A path is a smooth line of 41 points with a star at every fifth point.
path_gap <- 5

draw_path <- function(fit, path) {
  total <- sum(lengths(fit$rows))
  if (!is.numeric(path) || length(path) != 2 || !all(path %in% seq_len(total))) {
    fail("`path` must be two row numbers between 1 and %d, not %s.", total,
         if (is.numeric(path)) paste(path, collapse = ", ") else describe(path))
  }
  table <- interpolate(fit, path[1], path[2], n = 8 * path_gap + 1)
  class <- row_class(fit)[path[1]]
  flow <- class_flows(fit)[[as.character(class)]]
  list(table = table, latent = from_flow(attr(table, "latent"), flow), class = rep(class, nrow(table)))
}

#' @rdname plot.efs
#' @method autoplot efs
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, efs)
autoplot.efs <- function(object, type = c("trajectory", "latent", "energy", "rank"), times = NULL, new = NULL,
                         path = NULL, group = NULL, col = NULL, ...) {
  draw_ggplot(efs_picture(object, type, times, new, path, group, col), ...)
}
