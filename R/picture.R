# A "picture" is a list of plain data frames that hold every coordinate and colour. It is made once, and picture-base.R
# and picture-ggplot.R only draw it. There are three kinds: "panels" of points, "curves" over time, and a "sheet" of
# many small panels (see picture-sheet.R).

# Stops if the user gave an argument that the chosen type does not use.
check_belongs <- function(type, types, ...) {
  given <- Filter(Negate(is.null), list(...))
  if (length(given) && !type %in% types) {
    fail("`%s` belongs to type = %s, not to type = \"%s\".", names(given)[1],
         paste0('"', types, '"', collapse = " or "), type)
  }
}

# NULL, or a factor with one entry per point.
point_group <- function(group, n) {
  if (is.null(group)) return(NULL)
  if (is.raw(group)) fail("`group` must hold numbers, texts or levels of a factor, not raw bytes.")
  if (!is.atomic(group) || length(group) != n) {
    fail("`group` must have one entry for each of the %d points, not be %s.", n, describe(group))
  }
  if (anyNA(group)) fail("`group` must not contain NA (entry %s).", some(which(is.na(group))))
  droplevels(as.factor(group))
}

# note: said in all titles; caption: above all panels.
frames_picture <- function(flows, times, group, columns, col, note = NULL, caption = NULL) {
  times <- panel_times(flows, times)
  titles <- paste0("time ", distinct_format(times), note)
  view <- projection(common_points(flows, 0), columns)
  layers <- lapply(seq_along(times), function(j) {
    new_layer(titles[j], view$see(common_points(flows, times[j])), "rows", group)
  })
  c(panels_picture(layers, rep(list(view), length(times)), group, col, shared = TRUE), caption = caption)
}

# The times of the frames of the longest flow that are nearest to `times`.
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

# The values with the fewest significant digits, from 3 on, at which no two are equal.
distinct_format <- function(values) {
  for (digits in 3:15) {
    text <- vapply(values, format, "", digits = digits)
    if (!anyDuplicated(text)) break
  }
  text
}

# All particles at a time, in the common latent space [n, d]: of each flow the last frame at or before that time.
# (Times of flows may differ by rounding.) Of a flow that has particles of its own, the rows that are carried along.
common_points <- function(flows, time) {
  points <- matrix(0, sum(lengths(lapply(flows, `[[`, "rows"))), length(flows[[1]]$centre))
  for (flow in flows) {
    at <- findInterval(time + 1e-9 * max(time, 0), flow$trajectory$times)
    points[flow$rows, ] <- from_flow(rows_at(flow, at), flow)
  }
  points
}

# How points [n, d] are seen on at most two axes: the columns as they are, or the first two principal components of
# `points`. `square`: both axes have one unit.
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

# Loadings [d, 2]. They are 0 for directions that do not vary. The largest loading of each component is positive, so
# that the picture does not depend on LAPACK.
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

# Points [n, 1 or 2] of one kind for one panel. The kinds are "rows", "new", "path" (its stars), "line" (the line
# through the stars, or curves that rows of NA divide) and "label" (where the entries of `text` are written).
new_layer <- function(panel, points, kind, group, text = NA_character_) {
  n <- nrow(points)
  data.frame(
    panel = rep(panel, n), x = points[, 1], y = if (ncol(points) > 1) points[, 2] else rep(0, n), kind = rep(kind, n),
    group = if (is.null(group)) rep(NA_character_, n) else as.character(group), text = rep_len(text, n)
  )
}

# points: panel, x, y, kind, group (factors; group is NA for a point without a class), text. panels: one row per panel
# with its limits and labels. `shared`: all panels have the same limits.
panels_picture <- function(layers, views, group, col, shared) {
  points <- do.call(rbind, layers)
  points$panel <- factor(points$panel, levels = unique(points$panel))
  points$kind <- factor(points$kind, levels = c("rows", "new", "path", "line", "label"))
  points$group <- factor(points$group, levels = levels(group))
  strip <- vapply(views, `[[`, NA, "strip")
  part <- if (shared) rep(1L, nrow(points)) else as.integer(points$panel)
  for (rows in split(seq_len(nrow(points)), part)) {
    if (strip[as.integer(points$panel[rows[1]])]) points$y[rows] <- stack_dots(points[rows, ])
  }
  limits <- lapply(seq_along(views), function(j) {
    seen <- points[(shared | as.integer(points$panel) == j) & !is.na(points$x), ]
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

# Heights of dots stacked in bins: rows upwards, class by class; new points downwards; a path at height 0.
stack_dots <- function(points, bins = 50) {
  breaks <- seq(min(points$x), max(points$x), length.out = bins + 1)
  by_class <- order(points$group)
  bin <- list(points$panel, points$kind, findInterval(points$x, breaks, all.inside = TRUE))
  height <- numeric(nrow(points))
  height[by_class] <- stats::ave(height, lapply(bin, `[`, by_class), FUN = seq_along)
  height * c(rows = 1, new = -1, path = 0, line = 0, label = 0)[as.character(points$kind)]
}

# Limits with a margin. Square limits span the same length on both axes.
panel_limits <- function(x, y, square, air = 0.04) {
  middle <- c(mean(range(x)), mean(range(y)))
  half <- c(diff(range(x)), diff(range(y))) / 2
  if (square) half <- rep(max(half), 2)
  half <- ifelse(half > 0, half * (1 + 2 * air), 0.5)
  data.frame(xmin = middle[1] - half[1], xmax = middle[1] + half[1],
             ymin = middle[2] - half[2], ymax = middle[2] + half[2])
}

# curves: panel, time, value, group, alone (TRUE for a class without steps, which is drawn as a point). Kinetic
# energies and divergences have a logarithmic axis, unless none of their values is positive.
curves_picture <- function(flows, col, drawn = rep(TRUE, length(flows))) {
  group <- if (!is.null(names(flows)) && length(flows) > 1) names(flows)
  height <- flow_height(flows[[1]]$trajectory)
  curves <- do.call(rbind, lapply(which(drawn), function(i) {
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

# One colour per class, named. Without classes one colour for all.
picture_colours <- function(classes, col) {
  count <- max(length(classes), 1)
  if (is.null(col)) col <- class_colours(count)
  if (length(col) != count) {
    fail("`col` must give %d colour%s, one %s, not %d.", count, if (count == 1) "" else "s",
         if (is.null(classes)) "for all points" else "per class", length(col))
  }
  if (is.null(classes)) unname(col) else stats::setNames(col, classes)
}

# Up to six classes: the colours of Okabe and Ito, the darker ones first, without yellow. Up to ten: the muted colours
# of Tol and a grey. More: an even scale without its pale end.
class_colours <- function(count) {
  if (count > 10) return(utils::head(grDevices::hcl.colors(count + 1 + count %/% 8, "viridis"), count))
  if (count > 6) return(tol_muted[seq_len(count)])
  unname(grDevices::palette.colors(9, "Okabe-Ito"))[c(6, 7, 4, 8, 2, 3)][seq_len(count)]
}

tol_muted <- c("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#DDCC77", "#44AA99", "#AA4499",
               "#999933", "#666666")

# Colours that no class has.
star_colours <- c(new = "#000000", path = "grey45")

# Many points are smaller and, beyond a thousand, more transparent: a single point of them stays visible, and crowds do
# not become one blot. Rows are fainter if there are stars.
point_alpha <- function(points) {
  alpha <- min(0.8, max(0.25, 25 / sqrt(max(table(points$panel[points$kind == "rows"])))))
  if (any(points$kind != "rows")) alpha / 2 else alpha
}

# Size of points relative to a usual symbol, the same for all panels.
point_size <- function(points) {
  size <- min(1, 14 / sqrt(max(table(points$panel))))
  max(0.45, if (nlevels(points$panel) > 2) 0.8 * size else size)
}

# values [n, lines]: one column per line
line_picture <- function(title, at, values, clock, col, log = FALSE) {
  group <- if (ncol(values) > 1) if (is.null(colnames(values))) paste0("x", seq_len(ncol(values))) else colnames(values)
  curves <- data.frame(panel = factor(title), time = rep(at, ncol(values)), value = c(values),
                       group = factor(if (is.null(group)) NA_character_ else rep(group, each = length(at)),
                                      levels = group), alone = FALSE)
  list(kind = "curves", curves = curves, log = stats::setNames(log, title), clock = clock,
       colours = picture_colours(group, col))
}
