# What is drawn is decided once, as a "picture": plain data frames, in the last
# of the coordinates and colours. Base graphics (here) and ggplot2 (autoplot.R)
# only draw it. Two kinds: "panels" of points and "curves" over time.

#' Plots of a trajectory
#'
#' The particles as a row of panels at chosen times, or the energy and the
#' kinetic energy over time. `plot()` draws with base graphics, `autoplot()`
#' returns the same picture as a ggplot.
#'
#' @section What is shown:
#' All panels have the same limits and the same unit on both axes. Particles in
#' two dimensions are shown as they are. Particles in more dimensions are shown
#' on the first two principal components of the first frame, in all panels the
#' same; the axes tell their shares of the variance of that frame. Values in one
#' dimension are stacked like a histogram of dots.
#'
#' @param x,object A [particle_trajectory].
#' @param type `"frames"`: the particles at chosen times; `"energy"`: energy
#'   (linear axis; for [gpa()] the divergence, logarithmic) and kinetic energy (logarithmic axis; values of 0 are left
#'   out) over time.
#' @param times For `"frames"`, flow times between 0 and the end of the flow:
#'   each panel shows the nearest frame, whose time is its title. `NULL`: five
#'   frames evenly spread over time, the first and the last among them.
#' @param group For `"frames"`, classes to colour by: a factor or a vector, one
#'   entry a particle. `NULL`: one colour.
#' @param col Colours, one a class (or one for all without `group`). `NULL`: a
#'   palette that colour-blind people can tell apart.
#' @param ... For `plot()`, graphical parameters of the points or curves, such
#'   as `cex` and `pch`; for `autoplot()`, settings of the layer
#'   ([ggplot2::geom_point()], [ggplot2::geom_line()]), such as `size` and
#'   `alpha`.
#' @return `plot()` returns `x` invisibly and leaves [par()] as it was;
#'   `autoplot()` returns a ggplot.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Figures 1 and 3. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' angle <- seq(1.5, 4.5, length.out = 150) * pi
#' roll <- cbind(angle * cos(angle), angle * sin(angle)) / 8
#' traj <- efs_forward(roll, n_steps = 15)
#' plot(traj)
#' plot(traj, times = c(0, 0.5, 1.5), group = cut(angle, 3, labels = c("inner", "middle", "outer")))
#' plot(traj, type = "energy")
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(traj)
#' @order 1
#' @export
plot.particle_trajectory <- function(x, type = c("frames", "energy"), times = NULL, group = NULL,
                                     col = NULL, ...) {
  draw_base(trajectory_picture(x, type, times, group, col), ...)
  invisible(x)
}

#' Plots of a fit
#'
#' The rows on their way to equilibrium, the data beside the latent side with
#' new points and an interpolation path, or the energies over time. `plot()`
#' draws with base graphics, `autoplot()` returns the same picture as a ggplot.
#'
#' @section What is shown:
#' Latent points are shown in the common space of the latent map, each class put
#' back in its place and size, although its flow runs in a unit of its own. With
#' more than two latent dimensions they are projected on the first two principal
#' components of the encoded rows, in all panels the same. Values in one
#' dimension are stacked like a histogram of dots, new ones downwards.
#'
#' Panels of `"trajectory"` are matched by time: a class shows its last frame at
#' or before the time of the panel, and stays where it is where it has no flow.
#'
#' The data side of `"latent"` shows the columns themselves, as decoded, each in
#' its own unit, where at most two columns of the table vary; otherwise the
#' encoded rows. A new row is drawn where [simulate()][simulate.efs] would give
#' it back: after the same [set.seed()] these are the same rows.
#'
#' The curves of `"energy"` are in the unit of each flow.
#'
#' @param x,object A fit from [efs()].
#' @param type `"trajectory"`, `"latent"` (data and latent side) or `"energy"`
#'   (energy on a linear, kinetic energy on a logarithmic axis, one curve a
#'   class).
#' @param times For `"trajectory"`, flow times between 0 and the end of the
#'   longest flow, in whose frames the nearest are taken. `NULL`: five times
#'   evenly spread.
#' @param new For `"latent"`, the number of new points to draw and to carry
#'   back, shown as stars on both sides; 0 or `NULL` for none. With classes, the
#'   total, shared out as in the data. Governed by [set.seed()].
#' @param path For `"latent"`, two row numbers `c(from, to)` of one class: the
#'   path between them (see [interpolate()]), shown as a line with stars.
#' @param group Classes to colour by, instead of those of the fit: a factor or a
#'   vector, one entry a row. Not for `"energy"`.
#' @param col Colours, one a class (or one for all without classes). `NULL`: a
#'   palette that colour-blind people can tell apart.
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
#' # colours without a flow for each class, and a path between two rows
#' plot(efs(iris[3:4], calibrate = FALSE), type = "latent", path = c(1, 150), group = iris$Species)
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(fit, type = "latent", new = 30)
#' @order 1
#' @export
plot.efs <- function(x, type = c("trajectory", "latent", "energy"), times = NULL, new = NULL,
                     path = NULL, group = NULL, col = NULL, ...) {
  draw_base(efs_picture(x, type, times, new, path, group, col), ...)
  invisible(x)
}

#' Plots of a run of particles
#'
#' The particles on their way to the target as a row of panels, or divergence and kinetic energy over time.
#' `plot()` draws with base graphics, `autoplot()` returns the same picture as a ggplot.
#'
#' @section What is shown:
#' Tables of one or two columns are shown in their own units, others in the units of the flow: as they are up to two
#' dimensions, on the first two principal components of source and target together beyond. The curves are those of
#' every step; values that are not positive are left out on a logarithmic axis. Divergences are estimates that may be below
#' 0 where the network lags behind.
#'
#' @param x,object A fit from [gpa()].
#' @param type `"frames"`: the particles at chosen times, over the target; `"trace"`: divergence and kinetic energy
#'   (logarithmic axes).
#' @param times For `"frames"`, flow times between 0 and the end. `NULL`: five times evenly spread.
#' @param group For `"frames"`, classes of the particles to colour by: a factor or a vector, one entry a particle.
#' @param col For `"frames"`, colours of the target and of the particles, or of the target and each class; for
#'   `"trace"` one colour. `NULL`: grey and a palette that colour-blind people can tell apart.
#' @inheritParams plot.particle_trajectory
#' @inherit plot.particle_trajectory return
#' @references
#' Gu H, Birmpa P, Pantazis Y, Rey-Bellet L, Katsoulakis MA (2024), Figures 2 and 3. \doi{10.1137/23M1587841}
#' @examples
#' set.seed(1)
#' target <- cbind(rep(c(-2, 2), 50), rep(c(-2, 2), each = 50)) + rnorm(200, sd = 0.5)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), target, n_steps = 100)
#' plot(fit)
#' plot(fit, type = "trace")
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(fit)
#' @order 1
#' @export
plot.gpa <- function(x, type = c("frames", "trace"), times = NULL, group = NULL, col = NULL, ...) {
  draw_base(gpa_picture(x, type, times, group, col), ...)
  invisible(x)
}

# ---- Pictures ----------------------------------------------------------------

trajectory_picture <- function(x, type, times, group, col) {
  type <- check_choice(type, c("frames", "energy"), "type")
  check_belongs(type, "frames", times = times, group = group)
  extent <- dim(x$frames)
  flow <- list(trajectory = x, centre = rep(0, extent[2]), scale = rep(1, extent[2]), rows = seq_len(extent[1]))
  flows <- list(flow)
  if (type == "energy") return(curves_picture(flows, col))
  columns <- colnames(x$frames)
  if (is.null(columns)) columns <- paste0("x", seq_len(extent[2]))
  frames_picture(flows, times, point_group(group, extent[1]), columns, col)
}

efs_picture <- function(fit, type, times, new, path, group, col) {
  type <- check_choice(type, c("trajectory", "latent", "energy"), "type")
  check_belongs(type, "trajectory", times = times)
  check_belongs(type, "latent", new = new, path = path)
  check_belongs(type, c("trajectory", "latent"), group = group)
  flows <- class_flows(fit)
  if (type == "energy") return(curves_picture(flows, col))
  own_group <- is.null(group) && is_grouped(fit)
  group <- if (own_group) row_class(fit) else point_group(group, sum(lengths(fit$rows)))
  if (type == "latent") return(sides_picture(fit, new, path, group, own_group, col))
  frames_picture(flows, times, group, latent_columns(fit$latent$dim), col)
}

gpa_picture <- function(fit, type, times, group, col) {
  type <- check_choice(type, c("frames", "trace"), "type")
  check_belongs(type, "frames", times = times, group = group)
  traj <- fit$trajectory
  extent <- dim(traj$frames)
  flow <- list(trajectory = traj, centre = rep(0, extent[2]), scale = rep(1, extent[2]), rows = seq_len(extent[1]))
  if (type == "trace") return(curves_picture(list(flow), col))
  times <- panel_times(list(flow), times)
  classes <- point_group(group, extent[1])
  if (is.null(classes)) classes <- factor(rep("particles", extent[1]))
  if ("target" %in% levels(classes)) fail("`group` must not have a class \"target\", which names the target rows.")
  all <- factor(c(rep("target", nrow(fit$target)), as.character(classes)), levels = c("target", levels(classes)))
  if (is.null(col)) col <- c("grey65", class_colours(nlevels(classes)))
  plain <- sum(is.na(fit$table$constant)) <= 2
  place <- if (plain) fit$latent$decode else identity
  columns <- if (plain) varying_columns(fit) else latent_columns(extent[2])
  goal <- place(fit$target)
  view <- projection(rbind(goal, place(frame(traj, 1L))), columns)
  titles <- paste("time", distinct_format(times))
  layers <- lapply(seq_along(times), function(j) {
    points <- rbind(goal, place(common_points(list(flow), times[j])))
    new_layer(titles[j], view$see(points), "rows", all)
  })
  panels_picture(layers, rep(list(view), length(times)), all, col, shared = TRUE)
}

# An argument that the chosen type would silently ignore is a mistake.
check_belongs <- function(type, types, ...) {
  given <- Filter(Negate(is.null), list(...))
  if (length(given) && !type %in% types) {
    fail("`%s` belongs to type = %s, not to type = \"%s\".", names(given)[1],
         paste0('"', types, '"', collapse = " or "), type)
  }
}

# NULL, or a factor with one entry a point.
point_group <- function(group, n) {
  if (is.null(group)) return(NULL)
  if (!is.atomic(group) || length(group) != n) {
    fail("`group` must have one entry for each of the %d points, not be %s.", n, describe(group))
  }
  if (anyNA(group)) fail("`group` must not contain NA (entry %s).", some(which(is.na(group))))
  droplevels(as.factor(group))
}

# The class of each training row.
row_class <- function(fit) {
  class <- rep(names(fit$rows), lengths(fit$rows))
  class[unlist(fit$rows)] <- class
  factor(class, levels = names(fit$rows))
}

latent_columns <- function(dim) if (dim == 1) "latent" else paste("latent", seq_len(dim))

frames_picture <- function(flows, times, group, columns, col) {
  times <- panel_times(flows, times)
  titles <- paste("time", distinct_format(times))
  view <- projection(common_points(flows, 0), columns)
  layers <- lapply(seq_along(times), function(j) {
    new_layer(titles[j], view$see(common_points(flows, times[j])), "rows", group)
  })
  panels_picture(layers, rep(list(view), length(times)), group, col, shared = TRUE)
}

# Times of frames of the longest flow: those nearest to `times`.
panel_times <- function(flows, times, count = 5) {
  clocks <- lapply(flows, function(flow) flow$trajectory$times)
  clock <- clocks[[which.max(vapply(clocks, max, 0))]]
  end <- max(clock)
  if (is.null(times)) {
    times <- seq(0, end, length.out = count)
  } else {
    if (!is.numeric(times) || length(times) == 0 || anyNA(times)) {
      fail("`times` must be numbers between 0 and %s, the end of the flow, not %s.",
           format(end, digits = 4), describe(times))
    }
    outside <- times < 0 | times > end * (1 + 1e-9)
    if (any(outside)) {
      fail("`times` must lie between 0 and %s, the end of the flow, but %s does not.",
           format(end, digits = 4), format(times[outside][1]))
    }
  }
  nearest <- vapply(times, function(time) which.min(abs(clock - time)), 1L)
  clock[sort(unique(nearest))]
}

# The fewest significant digits, from 3 on, that tell the values apart.
distinct_format <- function(values) {
  for (digits in 3:15) {
    text <- vapply(values, format, "", digits = digits)
    if (!anyDuplicated(text)) break
  }
  text
}

# All particles at a time, in the common latent space [n, d]: of each flow the
# last frame at or before (times of flows may differ by rounding).
common_points <- function(flows, time) {
  points <- matrix(0, sum(lengths(lapply(flows, `[[`, "rows"))), length(flows[[1]]$centre))
  for (flow in flows) {
    at <- findInterval(time + 1e-9 * max(time, 0), flow$trajectory$times)
    points[flow$rows, ] <- from_flow(frame(flow$trajectory, at), flow)
  }
  points
}

# How points [n, d] are seen on at most two axes: columns as they are, or the
# first two principal components of `points`. `square`: both axes have one unit.
projection <- function(points, columns, square = TRUE) {
  dim <- ncol(points)
  if (dim <= 2) {
    return(list(see = identity, labels = c(columns, "")[1:2], strip = dim == 1, square = square && dim == 2))
  }
  centre <- colMeans(points)
  plane <- principal_plane(sweep(points, 2, centre))
  list(
    see = function(z) sweep(z, 2, centre) %*% plane$loadings,
    labels = sprintf("PC%d (%.0f %%)", 1:2, 100 * plane$share), strip = FALSE, square = TRUE
  )
}

# Loadings [d, 2], of directions that do not vary 0; the largest of each
# component is positive, so that the picture does not depend on LAPACK.
principal_plane <- function(centred) {
  plane <- list(loadings = matrix(0, ncol(centred), 2), share = c(0, 0))
  if (!any(centred != 0)) return(plane)
  parts <- principal_components(centred, 2L)
  found <- seq_along(parts$variance)
  sign <- apply(parts$loadings, 2, function(v) if (v[which.max(abs(v))] < 0) -1 else 1)
  plane$loadings[, found] <- sweep(parts$loadings, 2, sign, "*")
  plane$share[found] <- parts$variance / parts$total
  plane
}

sides_picture <- function(fit, new, path, group, own_group, col) {
  flows <- class_flows(fit)
  rows <- common_points(flows, 0)
  latent_view <- projection(rows, latent_columns(fit$latent$dim))
  varying <- is.na(fit$table$constant)
  plain <- sum(varying) <= 2
  data_view <- latent_view
  if (plain) data_view <- projection(fit$latent$decode(rows), varying_columns(fit), square = FALSE)
  on_both <- function(data, latent, kind, group) {
    list(new_layer("data", data_view$see(data), kind, group),
         new_layer("latent", latent_view$see(latent), kind, group))
  }
  on_data <- function(table) {
    points <- read_new_rows(table, fit$table)
    if (fit$control$bounds) points <- reflect_into(points, fit$table$range[, varying, drop = FALSE])
    if (plain) unname(points) else fit$latent$encode(points)
  }

  layers <- on_both(if (plain) fit$latent$decode(rows) else rows, common_points(flows, Inf), "rows", group)
  if (!is.null(new) && check_count(new, "new") > 0) {
    drawn <- draw_new(fit, new)
    layers <- c(layers, on_both(on_data(drawn$table), drawn$latent, "new", if (own_group) drawn$class))
  }
  if (!is.null(path)) {
    line <- draw_path(fit, path)
    data <- on_data(line$table)
    stars <- seq(1, nrow(data), by = path_gap)
    layers <- c(layers, on_both(data, line$latent, "line", NULL),
                on_both(data[stars, , drop = FALSE], line$latent[stars, , drop = FALSE], "path", NULL))
  }
  panels_picture(layers, list(data_view, latent_view), group, col, shared = !plain)
}

varying_columns <- function(fit) {
  columns <- fit$table$names
  if (is.null(columns)) columns <- paste("column", seq_along(fit$table$constant))
  columns[is.na(fit$table$constant)]
}

# New points: where the laws draw them (common latent space) and as rows of the
# table. One key a class in the order of simulate(), so that the rows are its.
draw_new <- function(fit, n) {
  flows <- class_flows(fit)
  counts <- class_counts(fit, n)
  class <- factor(rep(names(counts), counts), levels = names(flows))
  drawn <- Map(function(flow, count) {
    draw_rows(flow, count, draw_key(), fit$control$backward, fit$control$density_floor, FALSE, thread_count(NULL), FALSE)
  }, flows[names(counts)], counts)
  points <- decode_points(fit, do.call(rbind, lapply(drawn, `[[`, "points")))
  list(
    class = class,
    latent = do.call(rbind, lapply(drawn, `[[`, "latent")),
    table = write_table(points, fit$table, if (is_grouped(fit)) class)
  )
}

# A path is a smooth line with a star at every fifth of its 41 points.
path_gap <- 5

draw_path <- function(fit, path) {
  total <- sum(lengths(fit$rows))
  if (!is.numeric(path) || length(path) != 2 || !all(path %in% seq_len(total))) {
    fail("`path` must be two row numbers between 1 and %d, not %s.", total,
         if (is.numeric(path)) paste(path, collapse = ", ") else describe(path))
  }
  table <- interpolate(fit, path[1], path[2], n = 8 * path_gap + 1)
  flow <- class_flows(fit)[[as.character(row_class(fit)[path[1]])]]
  list(table = table, latent = from_flow(attr(table, "latent"), flow))
}

# Points [n, 1 or 2] of one kind for one panel: "rows", "new", "path" (its stars)
# or "line" (what runs through them).
new_layer <- function(panel, points, kind, group) {
  data.frame(
    panel = panel, x = points[, 1], y = if (ncol(points) > 1) points[, 2] else 0,
    kind = kind, group = if (is.null(group)) NA_character_ else as.character(group)
  )
}

# points: panel, x, y, kind, group (factors; group NA where it has no class).
# panels: a row a panel with its limits and labels. `shared`: one set of limits.
panels_picture <- function(layers, views, group, col, shared) {
  points <- do.call(rbind, layers)
  points$panel <- factor(points$panel, levels = unique(points$panel))
  points$kind <- factor(points$kind, levels = c("rows", "new", "path", "line"))
  points$group <- factor(points$group, levels = levels(group))
  strip <- vapply(views, `[[`, NA, "strip")
  part <- if (shared) rep(1L, nrow(points)) else as.integer(points$panel)
  for (rows in split(seq_len(nrow(points)), part)) {
    if (strip[as.integer(points$panel[rows[1]])]) points$y[rows] <- stack_dots(points[rows, ])
  }
  limits <- lapply(seq_along(views), function(j) {
    seen <- points[if (shared) TRUE else as.integer(points$panel) == j, ]
    panel_limits(seen$x, seen$y, views[[j]]$square)
  })
  labels <- do.call(rbind, lapply(views, `[[`, "labels"))
  list(
    kind = "panels", points = points,
    panels = data.frame(panel = factor(levels(points$panel), levels = levels(points$panel)),
                        do.call(rbind, limits), xlab = labels[, 1], ylab = labels[, 2], strip = strip),
    colours = picture_colours(levels(group), col), shared = shared
  )
}

# Heights of dots stacked in bins: rows upwards, class by class, new points
# downwards, a path at the bottom.
stack_dots <- function(points, bins = 50) {
  breaks <- seq(min(points$x), max(points$x), length.out = bins + 1)
  by_class <- order(points$group)
  bin <- list(points$panel, points$kind, findInterval(points$x, breaks, all.inside = TRUE))
  height <- numeric(nrow(points))
  height[by_class] <- stats::ave(height, lapply(bin, `[`, by_class), FUN = seq_along)
  height * c(rows = 1, new = -1, path = 0, line = 0)[as.character(points$kind)]
}

# Limits with some air; square ones span the same length on both axes.
panel_limits <- function(x, y, square, air = 0.04) {
  middle <- c(mean(range(x)), mean(range(y)))
  half <- c(diff(range(x)), diff(range(y))) / 2
  if (square) half <- rep(max(half), 2)
  half <- ifelse(half > 0, half * (1 + 2 * air), 0.5)
  data.frame(xmin = middle[1] - half[1], xmax = middle[1] + half[1],
             ymin = middle[2] - half[2], ymax = middle[2] + half[2])
}

# curves: panel, time, value, group, alone (a class without steps, to be shown
# as a point). Kinetic energies and divergences go on a logarithmic axis, unless they are
# nowhere positive.
curves_picture <- function(flows, col) {
  group <- if (!is.null(names(flows)) && length(flows) > 1) names(flows)
  height <- flow_height(flows[[1]]$trajectory)
  curves <- do.call(rbind, lapply(seq_along(flows), function(i) {
    d <- flows[[i]]$trajectory$diagnostics
    data.frame(panel = rep(c(height, "kinetic energy"), each = nrow(d)), time = d$time,
               value = c(d[[height]], d$kinetic_energy),
               group = if (is.null(group)) NA_character_ else group[i], alone = nrow(d) == 1)
  }))
  curves <- curves[!is.na(curves$value), ]
  panels <- c(height, "kinetic energy")
  curves$panel <- factor(curves$panel, levels = panels)
  curves$group <- factor(curves$group, levels = group)
  on_log <- vapply(panels, function(panel) panel != "energy" && any(curves$value[curves$panel == panel] > 0), NA)
  below <- on_log[as.character(curves$panel)] & curves$value <= 0
  # a divergence that is estimated below 0 is a gap in its curve
  curves$value[below & curves$panel == "divergence"] <- NA
  curves <- curves[!below | is.na(curves$value), ]
  list(kind = "curves", curves = curves, log = on_log, colours = picture_colours(group, col))
}

# One colour a class, named; without classes one for all.
picture_colours <- function(classes, col) {
  count <- max(length(classes), 1)
  if (is.null(col)) col <- class_colours(count)
  if (length(col) != count) {
    fail("`col` must give %d colour%s, one %s, not %d.", count, if (count == 1) "" else "s",
         if (is.null(classes)) "for all points" else "a class", length(col))
  }
  if (is.null(classes)) unname(col) else stats::setNames(col, classes)
}

# Okabe and Ito's, the darker ones first and without yellow; beyond six, Tol's
# muted ones and a grey; beyond ten, an even scale without its pale end.
class_colours <- function(count) {
  if (count > 10) return(utils::head(grDevices::hcl.colors(count + 1 + count %/% 8, "viridis"), count))
  if (count > 6) return(tol_muted[seq_len(count)])
  unname(grDevices::palette.colors(9, "Okabe-Ito"))[c(6, 7, 4, 8, 2, 3)][seq_len(count)]
}

tol_muted <- c("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#DDCC77", "#44AA99", "#AA4499",
               "#999933", "#666666")

# Not among the colours of classes.
star_colours <- c(new = "#000000", path = "grey45")

# Many points: smaller and more transparent; rows step back behind stars.
point_alpha <- function(points) {
  alpha <- min(0.8, max(0.15, 14 / sqrt(max(table(points$panel[points$kind == "rows"])))))
  if (any(points$kind != "rows")) alpha / 2 else alpha
}

# Size relative to a common symbol, for points of all panels.
point_size <- function(points) {
  size <- min(1, max(0.45, 14 / sqrt(max(table(points$panel)))))
  if (nlevels(points$panel) > 2) 0.8 * size else size
}

# ---- Base graphics -----------------------------------------------------------

draw_base <- function(picture, ...) {
  entries <- legend_entries(picture)
  titles <- levels(if (picture$kind == "panels") picture$panels$panel else picture$curves$panel)
  lines <- legend_lines(entries)
  square <- picture$kind == "panels"
  own_axes <- !square || !picture$shared
  mar <- c(3.2, if (own_axes) 4 else 0.5, 2, 0.5)
  oma <- c(if (lines > 0) lines + 0.5 else 0, if (own_axes) 0 else 3.2, 0, 0.5)
  old <- graphics::par(c("mfrow", "mar", "oma", "pty", "mgp", "tcl", "las", "xpd", "cex"))
  on.exit(graphics::par(old)) # cex last: setting mfrow changes it
  graphics::par(mfrow = c(1, length(titles)), mgp = c(2, 0.5, 0), tcl = -0.3, las = 1, xpd = FALSE,
                pty = if (square) "s" else "m")
  graphics::par(cex = 0.85)
  if (square) oma[c(2, 4)] <- oma[c(2, 4)] + spare_width(length(titles), mar, oma) / 2
  graphics::par(mar = mar, oma = oma)
  for (j in seq_along(titles)) {
    if (square) draw_panel(picture, j, ...) else draw_curves(picture, titles[j], ...)
  }
  if (lines > 0) draw_legend(entries)
}

# Width (in lines) that a row of square panels would leave between them.
spare_width <- function(panels, mar, oma) {
  size <- graphics::par("din") / (graphics::par("csi") * graphics::par("mex"))
  side <- size[2] - sum(mar[c(1, 3)], oma[c(1, 3)])
  max(0, size[1] - sum(oma[c(2, 4)]) - panels * (side + sum(mar[c(2, 4)])))
}

draw_panel <- function(picture, j, ...) {
  panel <- picture$panels[j, ]
  points <- picture$points[picture$points$panel == panel$panel, ]
  first <- j == 1 || !picture$shared
  graphics::plot.new()
  graphics::plot.window(c(panel$xmin, panel$xmax), c(panel$ymin, panel$ymax), xaxs = "i", yaxs = "i")
  graphics::axis(1)
  # With shared axes the first panel's labels stand in the outer margin.
  if (first && !panel$strip) graphics::axis(2, xpd = NA)
  graphics::title(xlab = panel$xlab)
  if (first) graphics::title(ylab = panel$ylab, line = 2.5, xpd = NA)
  graphics::title(main = as.character(panel$panel), font.main = 1, cex.main = 1.1, line = 0.6)
  graphics::box()
  rows <- points[points$kind == "rows", ]
  draw_marks(rows, grDevices::adjustcolor(group_colour(picture, rows), point_alpha(picture$points)),
             list(pch = 16, cex = point_size(rows)), ...)
  new <- points[points$kind == "new", ]
  draw_marks(new, if (anyNA(new$group)) star_colours[["new"]] else group_colour(picture, new),
             list(pch = 8, cex = point_size(new), lwd = 1.2))
  line <- points[points$kind == "line", ]
  graphics::lines(line$x, line$y, col = star_colours[["path"]], lwd = 1.2)
  draw_marks(points[points$kind == "path", ], star_colours[["path"]], list(pch = 8, cex = 0.9, lwd = 1.2))
}

group_colour <- function(picture, points) {
  if (is.null(names(picture$colours))) return(rep(picture$colours, nrow(points)))
  unname(picture$colours[as.character(points$group)])
}

draw_marks <- function(points, colour, settings, ...) {
  settings <- utils::modifyList(settings, list(...))
  do.call(graphics::points, c(list(points$x, points$y, col = colour), settings))
}

# Curves run over time unless the picture says otherwise.
picture_clock <- function(picture) if (is.null(picture$clock)) "time" else picture$clock

draw_curves <- function(picture, title, ...) {
  curves <- picture$curves[picture$curves$panel == title, ]
  settings <- utils::modifyList(list(type = "o", pch = 16, cex = 0.5, lwd = 1.5), list(...))
  graphics::plot(range(picture$curves$time), range(curves$value, na.rm = TRUE), type = "n", yaxt = "n",
                 log = if (picture$log[[title]]) "y" else "", xlab = picture_clock(picture), ylab = "",
                 main = title, font.main = 1, cex.main = 1.1)
  graphics::axis(2, at = graphics::axTicks(2), labels = formatC(graphics::axTicks(2), format = "g"))
  lines <- if (is.null(names(picture$colours))) list(curves) else split(curves, curves$group)
  for (i in seq_along(lines)) {
    line <- lines[[i]]
    do.call(graphics::lines, c(list(line$time, line$value, col = picture$colours[[i]]), settings))
    if (any(line$alone)) graphics::points(line$time, line$value, col = picture$colours[[i]], pch = 16)
  }
}

# A row an entry: label, colour, symbol and whether a line runs through it.
legend_entries <- function(picture) {
  classes <- names(picture$colours)
  curves <- picture$kind == "curves"
  entries <- data.frame(label = classes, colour = unname(picture$colours)[seq_along(classes)],
                        pch = rep(16, length(classes)), line = rep(curves, length(classes)))
  if (curves) return(entries)
  stars <- intersect(c("new", "path"), picture$points$kind)
  if (length(stars) && is.null(classes)) {
    entries <- data.frame(label = "rows", colour = picture$colours, pch = 16, line = FALSE)
  }
  coloured <- any(!is.na(picture$points$group[picture$points$kind == "new"]))
  rbind(entries, data.frame(
    label = stars, pch = rep(8, length(stars)), line = stars == "path",
    colour = ifelse(stars == "new" & coloured, "grey30", star_colours[stars])
  ))
}

# As many columns as fit the device, a character taken as wide as an average one.
legend_columns <- function(entries) {
  width <- (max(nchar(entries$label)) + 6) * graphics::par("cin")[1] * 0.55
  max(1, min(nrow(entries), floor(graphics::par("din")[1] / width)))
}

legend_lines <- function(entries) {
  if (nrow(entries) == 0) return(0)
  ceiling(nrow(entries) / legend_columns(entries)) * 1.2
}

# Just below the tick labels and axis title of the panels, in user coordinates.
legend_top <- function() {
  line <- graphics::par("cin")[2] * graphics::par("cex")
  graphics::grconvertY(graphics::grconvertY(0, "npc", "inches") - 3.2 * line, "inches", "user")
}

# In the middle of the device.
draw_legend <- function(entries) {
  graphics::legend(
    graphics::grconvertX(0.5, "ndc", "user"), legend_top(), entries$label, col = entries$colour,
    pch = entries$pch, lty = if (any(entries$line)) ifelse(entries$line, 1, 0), seg.len = 1.5,
    ncol = legend_columns(entries), xjust = 0.5, yjust = 1, bty = "n", xpd = NA,
    text.width = max(graphics::strwidth(entries$label)) + graphics::strwidth("M")
  )
}
