# What a report prints.

#' @rdname fidelity
#' @order 2
#' @param x,object A `fidelity` object.
#' @param ... Not used.
#' @export
format.fidelity <- function(x, ...) {
  check_dots("format()", ...)
  held <- if (x$n[["holdout"]] > 0) sprintf(", %d held out", x$n[["holdout"]]) else ""
  wrap <- function(text) strwrap(text, width = 0.95 * getOption("width"), prefix = "  ", initial = "* ")
  c(
    sprintf("<fidelity> %d synthetic rows beside %d real rows%s, %d column%s", x$n[["synthetic"]], x$n[["real"]],
            held, x$n_columns, if (x$n_columns == 1) "" else "s"),
    paste0("Verdict: ", x$verdict[["overall"]], "."),
    unlist(lapply(x$verdict[-1], wrap), use.names = FALSE),
    "", format_scores(x), "", format_novelty(x), unlist(lapply(x$notes, wrap))
  )
}

format_scores <- function(x) {
  s <- x$scores
  widest <- which.max(s$rows_real + s$rows_synthetic)
  half <- max(s$rows_half)
  cells <- cbind(
    c("", paste0(s$label, ifelse(s$better == "higher", " (+)", ""))), c("all rows", format_value(s$all)),
    c(sprintf("%d synthetic", half), format_value(s$synthetic)),
    c(sprintf("%d other real (range)", half),
      sprintf("%s (%s to %s)", format_value(s$real), format_value(s$real_min), format_value(s$real_max))),
    if (any(!is.na(s$holdout))) c("held-out rows", format_value(s$holdout)),
    c("", ifelse(s$gap <= 1, "", ifelse(s$gap <= 4, "beyond", "far beyond")))
  )
  last <- ncol(cells)
  for (j in seq_len(last)) {
    width <- max(nchar(cells[, j]))
    cells[, j] <- formatC(cells[, j], width = if (j == 1 || j == last) -width else width)
  }
  c(
    sprintf("Closeness to %d real rows; then of samples of equal size (means of %d splits):", s$rows_real[widest],
            max(x$splits$split)),
    trimws(apply(cells, 1, paste, collapse = "  "), "right"),
    paste0("(+): higher is better; of the others lower", note_rows(x, s, widest, half), ".")
  )
}

format_value <- function(v) {
  small <- abs(v) < 1e-3 & v != 0
  large <- abs(v) >= 1e5
  number <- formatC(v, digits = 3, format = "f")
  ifelse(is.na(v), "", ifelse(small | large, formatC(v, digits = 1, format = "e"), number))
}

# How many rows were used where it was not all of them.
note_rows <- function(x, s, widest, half) {
  part <- s$rows_synthetic[widest] < x$n[["synthetic"]] || s$rows_real[widest] < x$n[["real"]]
  fewer <- which(s$rows_real < s$rows_real[widest] | s$rows_synthetic < s$rows_synthetic[widest] | s$rows_half < half)
  paste0(
    if (part) {
      sprintf(". All rows: %d real, %d synthetic, drawn at random", s$rows_real[widest], s$rows_synthetic[widest])
    },
    paste0(sprintf(". %s: %d real, %d synthetic rows, halves of %d", s$label[fewer], s$rows_real[fewer],
                   s$rows_synthetic[fewer], s$rows_half[fewer]), collapse = "")
  )
}

format_novelty <- function(x) {
  v <- x$novelty
  ratio <- function(r) if (is.na(r)) "not defined" else sprintf("%.2f", r)
  c(
    sprintf("Novelty (distance to the nearest real row, over %s):",
            if (v$reference == "holdout") sprintf("that of %d held-out rows", v$n[["holdout"]]) else
              "that from each real row to the other real rows, there being no `holdout`"),
    sprintf("  median %s, 5th percentile %s (1 is new, 0 is a copy); duplicates %.1f %% (fresh rows: %.1f %%)",
            ratio(v$ratio), ratio(v$ratio_5), 100 * v$duplicates, 100 * v$duplicates_expected),
    if (!is.na(v$closer)) sprintf("  nearer to a training row than to a held-out one: %.0f %% (fresh rows: %.0f %%)",
                                  100 * v$closer, 100 * v$closer_expected)
  )
}

#' @rdname fidelity
#' @order 2
#' @export
print.fidelity <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname fidelity
#' @order 2
#' @export
summary.fidelity <- function(object, ...) {
  check_dots("summary()", ...)
  structure(list(report = object), class = "summary.fidelity")
}

#' @export
print.summary.fidelity <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  report <- x$report
  print(report)
  cat("\nColumns, from the largest Kolmogorov-Smirnov distance down:\n")
  shown <- report$columns[order(-report$columns$ks), ]
  shown <- shown[c("column", "mean_real", "mean_synthetic", "sd_real", "sd_synthetic", "q05_real", "q05_synthetic",
                   "q50_real", "q50_synthetic", "q95_real", "q95_synthetic", "ks", "agrees")]
  names(shown) <- sub("_synthetic$", "_syn", names(shown))
  print(utils::head(shown, 30), digits = 3, row.names = FALSE)
  if (nrow(shown) > 30) cat(sprintf("and %d more columns\n", nrow(shown) - 30))
  if (!is.null(report$shares)) {
    cat("\nShares of levels:\n")
    print(report$shares, digits = 2, row.names = FALSE)
  }
  cat("\n", paste(c(sprintf("%.1f seconds", report$elapsed), report$details), collapse = "; "), "\n", sep = "")
  invisible(x)
}

#' @rdname fidelity
#' @order 2
#' @param row.names,optional Ignored.
#' @export
as.data.frame.fidelity <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  x$scores
}
