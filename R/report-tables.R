# The tables of the report: what is measured by distances, and the shares of the levels.

# list(real, synthetic, holdout, layout, shares, notes): the coordinates of read_judged() with names, and what has no
# part in them. Columns of numbers must be in all tables, other columns need not be.
report_tables <- function(real, synthetic, holdout) {
  tables <- c(list(real = real, synthetic = synthetic), if (!is.null(holdout)) list(holdout = holdout))
  tables <- stats::setNames(Map(plain_table, tables, names(tables), mixed = TRUE), names(tables))
  chosen <- report_choice(tables)
  judged <- read_judged(chosen$tables, c(20L, 20L, fewest_held[["read"]])[seq_along(tables)])
  points <- judged$points
  names <- colnames(points$real)
  if (is.null(names)) colnames(points$real) <- paste0("x", seq_len(ncol(points$real)))
  labels <- unique(judged$layout$column[judged$layout$type == "level"])
  frames <- named_frames(chosen$tables[c("real", "synthetic")])
  shares <- if (length(labels)) compare_shares(frames$real, frames$synthetic, labels)
  c(points[c("real", "synthetic")],
    list(holdout = points$holdout, layout = judged$layout, shares = shares,
         n_columns = ncol(chosen$tables$real) - length(judged$left_out),
         notes = c(chosen$notes, note_on("left out, as the values name the rows", judged$left_out),
                   note_on("judged as numbers, although they number the rows (leave such columns out)",
                           setdiff(numbered_columns(frames$real), judged$left_out)))))
}

# Columns whose values number the rows. New rows have numbers of their own, so that a difference says nothing.
numbered_columns <- function(frame) names(frame)[vapply(frame, function(column) numbers_rows(unbox(column)), NA)]

# The tables as data frames with the names of the first one, or "x1", "x2", ..., where they have none.
named_frames <- function(tables) {
  names <- column_names(tables[[1]])
  if (is.null(names)) names <- paste0("x", seq_len(ncol(tables[[1]])))
  lapply(tables, function(x) {
    given <- column_names(x)
    x <- as.data.frame(x)
    names(x) <- if (is.null(given)) names else given
    x
  })
}

note_on <- function(said, names) if (length(names)) paste0(said, ": ", quoted(names))

# The columns of the report in all tables, and notes on those that are left out.
report_choice <- function(tables) {
  kinds <- lapply(tables, function(x) if (is.data.frame(x)) vapply(x, report_kind, ""))
  if (is.null(kinds$real)) {
    return(list(tables = Map(function(x, kind) without_columns(x, names(which(kind != "number"))), tables, kinds)))
  }
  of_kind <- function(which) names(kinds$real)[kinds$real %in% which]
  others <- of_kind("other")
  lacking <- lapply(tables[-1], function(x) if (is.data.frame(x)) setdiff(of_kind("label"), names(x)))
  extra <- lapply(kinds[-1], function(kind) setdiff(names(kind)[kind != "number"], names(kinds$real)))
  dropped <- c(others, unlist(lacking), unlist(extra))
  list(
    tables = lapply(tables, without_columns, unique(dropped)),
    notes = c(
      note_on("left out, as `real` lacks them", unique(unlist(extra))),
      note_on("left out, as `synthetic` or `holdout` lacks them", unique(unlist(lacking))),
      note_on("left out, being no numbers, dates, levels or words", others)
    )
  )
}

# "number", "label" for all other columns that read_judged() reads, or "other".
report_kind <- function(column) {
  values <- unbox(column)
  if (length(dim(values)) < 2) {
    if (is.factor(values) || is.character(values) || is.logical(values)) return("label")
    if (inherits(values, c("Date", "POSIXct"))) return("label")
    if (!is.null(column_kind_of(values, number_kinds()))) return("number")
  }
  "other"
}

# The tables in units of the rows of `reference`: in_judged_units(), or for plain numbers their standard deviations.
report_units <- function(tables, layout, reference) {
  if (is.null(layout)) in_units(tables, column_spread(reference)) else in_judged_units(tables, layout, reference)
}

# Of a column with more levels than this, the rarer ones count as one in the scores, because each level is a coordinate.
most_levels <- 40L

# list(tables, layout): the tables with the rarer levels of each such column as one. Levels are counted in the real and
# the synthetic rows together.
pool_levels <- function(tables, layout) {
  to <- seq_len(NROW(layout))
  for (at in split(to[layout$type == "level"], layout$column[layout$type == "level"])) {
    if (length(at) <= most_levels) next
    share <- colMeans(tables$real[, at] > 0) + colMeans(tables$synthetic[, at] > 0)
    rare <- sort(at[order(-share)[most_levels:length(at)]])
    to[rare] <- rare[1]
  }
  kept <- unique(to)
  if (length(kept) == length(to)) return(list(tables = tables, layout = layout))
  joint <- kept[tabulate(to)[kept] > 1]
  layout$level[joint] <- "other levels"
  pool <- function(x) {
    if (is.null(x)) return(NULL)
    for (j in joint) x[, j] <- rowSums(x[, to == j])
    x <- x[, kept, drop = FALSE]
    colnames(x) <- layout_names(layout[kept, ])
    x
  }
  list(tables = lapply(tables, pool), layout = layout[kept, ])
}

# The coordinates that are compared one by one: all but levels, whose shares are compared. If there are only levels,
# these, as 0 and 1.
single_coordinates <- function(points, layout) {
  if (is.null(layout)) return(points)
  single <- which(layout$type != "level")
  if (length(single)) points[, single, drop = FALSE] else (points > 0) + 0
}
