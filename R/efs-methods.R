#' Summaries of a fit
#'
#' `summary()` gives the settings and diagnostics of each flow, `tidy()` one row per flow and frame, and `glance()` one
#' row for the whole fit. `as.data.frame()` gives the particles over time, in the unit of the flow. Particles that are
#' not the rows are numbered from 1 in each class.
#'
#' @param object,x A fit from [efs()].
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.efs` with `call`, `flows`, `latent` (the fitted map), `grouped`,
#'   `elapsed` (seconds), `version`, and `samples`, which says which laws know a sample of the rows only (`NULL`: none;
#'   see [laws]). `flows` is a data frame with one row per flow and these columns: `group`; `n` (rows); `particles`
#'   (their number, which is `n` if the rows are the particles); `dim` (latent dimensions); `place`
#'   (the unit of the flow: `"scaled"`, `"whitened"` or `"as_is"`); `s` and `epsilon`; `steps` and `time`, which are 0
#'   without a flow; `largest_bound` (the largest inverse-step bound); `inverse_growth` (the factor by which the inverse
#'   may multiply an error); `law` (with particles that are not the rows, the law that they follow); `log_density`
#'   (held-out, in nats per row); `gain` and `gain_se` (the log-likelihood with the flow less that without one, and the
#'   standard error); `bent` (the share of the movement that is not affine, from 0 to 1: residual over total sum of
#'   squares in a linear regression of the centred displacements on the starting points); and `note` (why the class has
#'   no flow). If the rows are the particles, `gain` is that of held-out rows, `NA` without a search or if no flow was
#'   tried, and `gain_se` is `NA` if only the first fold was tried. With other particles, `gain` is the mean of log p -
#'   log q over draws of the law of the rows, where p is the density with the flow and q that of the law (see [efs()]),
#'   and `log_density` is the held-out log-likelihood of the law plus `gain`. `log_density` is `NA` without a search.
#'   The print leaves out what means nothing without a flow. `tidy()`, `glance()` and `as.data.frame()` return data
#'   frames. `format()` returns the lines that `print()` shows.
#' @examples
#' fit <- efs(iris, group = "Species", calibrate = FALSE)
#' summary(fit)
#' glance(fit)
#' head(tidy(fit))
#' @name summary.efs
NULL

#' @rdname summary.efs
#' @export
format.efs <- function(x, ...) {
  check_dots("format()", ...)
  flows <- x$diagnostics
  total <- sum(flows$n)
  lines <- c(
    sprintf("<%s> %d rows of %s", class(x)[1], total, columns_words(n_columns(x$table))),
    sprintf("latent: %s", x$latent$description)
  )
  if (is_grouped(x)) {
    lines <- c(lines, classes_line(flows, x$control$min_rows))
  }
  none <- is_grouped(x) && all(flows$steps == 0)
  width <- max(nchar(flows$group), 0, na.rm = TRUE)
  for (i in seq_len(nrow(flows))) lines <- c(lines, flow_lines(x, i, none, width))
  lines <- c(lines, limit_line(x), sample_lines(x), particles_line(x), bent_line(flows), borrowed_line(x),
             shrinkage_line(x$latent),
             repeats_line(sum(unlist(lapply(x$flows, `[[`, "repeated"))), total))
  worst <- max(flows$largest_bound)
  if (worst >= 1) {
    lines <- c(lines, sprintf("largest inverse-step bound %s: some steps may have no unique inverse",
                              format(worst, digits = 2)))
  }
  c(lines[1:2], wrap_lines(lines[-(1:2)]), sharing_line(x))
}

# What is said of flow number i. none: no class has a flow. width: of the widest name of a class.
flow_lines <- function(fit, i, none, width) {
  flow <- fit$diagnostics[i, ]
  grouped <- is_grouped(fit)
  trajectory <- class_flows(fit)[[i]]$trajectory
  what <- if (flow$steps == 0) {
    without <- if (none) "" else if (nzchar(flow$note) && !grouped) {
      sprintf("without a flow (%s), ", flow$note)
    } else {
      "without a flow, "
    }
    paste0(without, if (flow$place == "whitened" && !nzchar(flow$note)) "whitened, ", called_law(flow$law))
  } else {
    sprintf("%ss = %s, epsilon = %s, %d steps to time %s, %s%s",
            if (flow$place == "whitened") "whitened, " else "", format(flow$s),
            format(flow$epsilon, digits = 3), flow$steps, format(flow$time, digits = 3),
            if (is.null(fit$flows[[i]]$source)) "" else sprintf("%d particles that follow the ", flow$particles),
            called_law(flow$law))
  }
  head <- if (grouped) {
    sprintf("  %-*s %4d rows: ", width, flow$group, flow$n)
  } else if (!startsWith(what, "without a flow")) {
    "flow: "
  }
  indent <- if (grouped) "    " else ""
  short <- short_line(trajectory)
  field <- if (flow$steps > 0) field_line(trajectory)
  c(paste0(head, what), if (!is.null(short)) paste0(if (grouped) indent else "flow: ", short),
    if (!is.null(field)) paste0(indent, field), calibration_line(flow, indent, likelihood_words(fit$latent)))
}

limit_line <- function(fit) {
  limit_words(fit$control$backward$seconds, unlist(lapply(fit$calibration, `[[`, "left_out")))
}

# Which laws know a sample of the rows only.
sample_lines <- function(fit) {
  laws <- lapply(fit$flows, function(flow) if (is.null(flow$source)) flow$law else flow$source$law)
  said <- lapply(laws, law_sample_words)
  some <- which(lengths(said) > 0)
  if (!length(some)) return(NULL)
  if (!is_grouped(fit)) said[[some]] else sprintf("%s: %s", names(fit$rows)[some], unlist(said[some]))
}

particles_line <- function(fit) {
  if (all(vapply(fit$flows, function(flow) is.null(flow$source), NA))) return(NULL)
  "new rows start from a uniform direction at the radii of the law, and come back"
}

# How far the flows, rows of the diagnostics, are from affine maps.
bent_line <- function(flows) {
  bent <- round(100 * flows$bent[flows$steps > 0])
  if (!length(bent)) return(NULL)
  if (all(bent == 0) && any(!is.na(flows$gain))) {
    return(paste("the movement is affine (less than 1 % of it is not), so what changes the log-likelihood is less the",
                 "flow than another unit, other laws, or ties that the flow breaks"))
  }
  sprintf("%s %% of the movement is not affine", paste(unique(range(bent)), collapse = " to "))
}

sharing_line <- function(fit) {
  if (!isTRUE(fit$control$strip)) return("Contains the training rows: think before you share it.")
  wrap_lines(paste("Does not contain the training rows. It knows the ranges, means and standard deviations of the",
                   "columns, the sizes and row numbers of classes, log-densities of the rows, and particles that",
                   "follow a law fitted to the rows."))
}

# Lines that are wider than the console, wrapped. What follows is indented by two more. There is no break within
# "a = 1", nor where several spaces align words.
wrap_lines <- function(lines) {
  unlist(lapply(lines, function(line) {
    indent <- nchar(sub("[^ ].*", "", line))
    if (nchar(line) < getOption("width")) return(line)
    kept <- gsub("(?<=[^ ]) (?= )|(?<= ) (?=[^ ])|(?<= ) (?= )| (?==)|(?<==) ", "\u00a0", substring(line, indent + 1),
                 perl = TRUE)
    gsub("\u00a0", " ", strwrap(kept, width = getOption("width"), indent = indent, exdent = indent + 2), fixed = TRUE)
  }))
}

#' @export
format.efs_calibration <- function(x, ...) {
  law <- if (identical(x$law, "stack")) {
    sprintf("mixture of %d laws", length(x$law_settings$parts))
  } else {
    format(as_law(x$law, x$law_settings))
  }
  c(
    sprintf("<efs_calibration> %d rows in %d folds", x$rows, x$folds),
    if (length(x$left_out)) "met its limit of time, and left out a part",
    "log-likelihoods in nats per row, with the density in the unit of the latent rows",
    sprintf("chosen: held-out log-likelihood %s (standard error %s), %s", nats(x$log_density),
            nats(x$log_density_se), called_law(law)),
    if (!is.na(x$gain)) sprintf("the best flow %s (standard error %s)", change_words(x$gain), nats(x$gain_se)),
    "the best combinations:"
  )
}

#' @export
print.efs_calibration <- function(x, ...) {
  cat(format(x), sep = "\n")
  best <- order(x$seen$log_density, decreasing = TRUE)
  print(utils::head(x$seen[best, ], 8), digits = 3, row.names = FALSE)
  invisible(x)
}

# How many classes there are, how many of them have a flow, and how many rows a flow needs if some have too few.
classes_line <- function(flows, min_rows) {
  count <- nrow(flows)
  with <- sum(flows$steps > 0)
  classes <- if (count == 1) "1 class" else sprintf("%d classes", count)
  if (with == count) return(sprintf("%s, one flow%s:", classes, if (count == 1) "" else " per class"))
  have <- if (with == 0) "none with a flow" else {
    sprintf("%d with a flow of %s own", with, if (with == 1) "its" else "their")
  }
  sprintf("%s, %s%s:", classes, have, if (any(nzchar(flows$note))) flow_needs(flows, min_rows) else "")
}

flow_needs <- function(flows, min_rows) {
  least <- least_flow_rows(flows$dim[1], min_rows)
  if (least > sum(flows$n)) ", which needs more rows than dimensions" else sprintf("; a flow needs %d rows", least)
}

# Nats with three decimals, without "-0.000".
nats <- function(value) sub("^-(0[.]0+)$", "\\1", sprintf("%.3f", value))

repeats_line <- function(repeated, total) {
  if (repeated > 0) sprintf("%d of %d rows %s another row", repeated, total, if (repeated == 1) "repeats" else "repeat")
}

called_law <- function(law) if (startsWith(law, "mixture ")) law else paste("law", law)

# Where the map has no known volume, or loses something, the density is that of the latent rows.
likelihood_words <- function(latent) {
  whole <- !is.null(latent$log_volume) && isTRUE(latent$reconstruction_error < 1e-6)
  paste0("held-out log-likelihood", if (!whole) " of the latent rows")
}

# What a flow does to the held-out log-likelihood.
change_words <- function(gain) sprintf("%s it by %s", if (gain < 0) "lowers" else "raises", nats(abs(gain)))

calibration_line <- function(flow, indent, what) {
  if (is.na(flow$log_density)) return(NULL)
  if (flow$log_density == -Inf) {
    return(sprintf("%s%s: -Inf, because the law has no density at some rows", indent, what))
  }
  known <- isTRUE(is.finite(flow$log_density_se))
  error <- if (known) sprintf(" (standard error %s)", nats(flow$log_density_se)) else ""
  start <- sprintf("%s%s, nats per row: %s%s", indent, what, nats(flow$log_density), error)
  if (is.na(flow$gain)) return(paste0(start, if (flow$steps > 0) " with the flow" else "; no flow was tried"))
  changes <- change_words(flow$gain)
  if (is.na(flow$gain_se)) {
    return(sprintf("%s without a flow; the one that was tried %s on the first fold, so it is not used", start, changes))
  }
  changes <- sprintf("%s (standard error %s)", changes, nats(flow$gain_se))
  if (flow$steps > 0) {
    sprintf("%s with the flow, %s without; the flow %s", start, nats(flow$log_density - flow$gain), changes)
  } else {
    sprintf("%s without a flow, %s with the best flow that was tried, which %s and is not used", start,
            nats(flow$log_density + flow$gain), changes)
  }
}

#' @rdname summary.efs
#' @export
print.efs <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.efs
#' @export
summary.efs <- function(object, ...) {
  check_dots("summary()", ...)
  structure(
    list(call = object$call, flows = object$diagnostics, latent = object$latent,
         grouped = is_grouped(object), elapsed = object$elapsed, version = object$version,
         limit = limit_line(object), samples = sample_lines(object)),
    class = "summary.efs"
  )
}

#' @rdname summary.efs
#' @export
print.summary.efs <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(wrap_lines(paste("Call:", gsub(" +", " ", paste(deparse(x$call), collapse = " ")))), sep = "\n")
  cat("Latent map: ", x$latent$description,
      sprintf("; relative reconstruction error %.2g\n", x$latent$reconstruction_error), sep = "")
  shown <- x$flows
  if (!x$grouped) shown$group <- NULL
  if (!any(nzchar(shown$note))) shown$note <- NULL
  if (!any(shown$steps > 0)) shown[c("s", "epsilon", "steps", "time", "largest_bound", "inverse_growth")] <- NULL
  if (all(is.na(shown$log_density))) shown$log_density <- NULL
  if (all(shown$place == "as_is")) shown$place <- NULL
  if (all(is.na(shown$gain))) shown[c("gain", "gain_se")] <- NULL
  print(shown, digits = 3, row.names = FALSE)
  cat(wrap_lines(c(diagnostic_words(shown, x$latent), x$limit, x$samples)), sep = "\n")
  cat(sprintf("%.2f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

# What the likelihoods of the table are.
diagnostic_words <- function(shown, latent) {
  if (is.null(shown$log_density)) return(NULL)
  first <- any(!is.na(shown$gain) & is.na(shown$gain_se))
  c(paste0("log_density: ", likelihood_words(latent), ", nats per row"),
    if (!is.null(shown$gain)) "gain: the log-likelihood with the flow less that without one, nats per row",
    if (!is.null(shown$bent)) "bent: the share of the movement that is not affine",
    if (!is.null(shown$largest_bound)) {
      c("largest_bound: the largest inverse-step bound; below 1 every step has one inverse",
        "inverse_growth: the factor by which the inverse may multiply an error")
    },
    if (first) "gain without a standard error: on the first fold, for a flow that was tried and is not used")
}

#' @rdname summary.efs
#' @export
tidy.efs <- function(x, ...) {
  check_dots("tidy()", ...)
  over_classes(x, function(flow) flow$trajectory$diagnostics)
}

#' @rdname summary.efs
#' @export
glance.efs <- function(x, ...) {
  check_dots("glance()", ...)
  flows <- x$diagnostics
  data.frame(
    n = sum(flows$n), columns = n_columns(x$table), latent_dim = x$latent$dim,
    flows = nrow(flows), without_flow = sum(flows$steps == 0), steps = max(flows$steps),
    time = max(flows$time), largest_bound = max(flows$largest_bound),
    inverse_growth = max(flows$inverse_growth),
    reconstruction_error = x$latent$reconstruction_error, elapsed = x$elapsed
  )
}

#' @rdname summary.efs
#' @export
as.data.frame.efs <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  over_classes(x, function(flow) {
    long <- as.data.frame(flow$trajectory)
    # particles that are not rows have no row number
    if (is.null(flow$source)) long$particle <- flow$rows[long$particle]
    long
  })
}
