# What a report on expression tables prints.

#' @rdname fidelity-expression
#' @export
format.gene_fidelity <- function(x, ...) {
  check_dots("format()", ...)
  lines <- function(text) strwrap(text, width = 0.95 * getOption("width"), prefix = "  ", initial = "* ")
  held <- if ("holdout" %in% names(x$n)) sprintf(" and %d held out", x$n[["holdout"]]) else ""
  c(
    sprintf("<fidelity> %d new samples beside %d real ones%s; %d genes, %s", x$n[["synthetic"]], x$n[["real"]], held,
            x$n_genes, if (x$counts) "counts" else "expression values"),
    lines(gene_novelty_words(x)), lines(gene_closeness_words(x)), "", format_distances(x),
    if (any(x$values$part == "analysis")) c("", format_analyses(x)), unlist(lapply(x$notes, lines))
  )
}

# What the new samples are compared with.
reference_name <- function(x) if ("holdout" %in% names(x$n)) "held-out" else "real"

# "0.05 (0.02 to 0.08)"
with_range <- function(v) {
  ifelse(is.na(v$real), "", sprintf("%s (%s to %s)", format_value(v$real), format_value(v$real_min),
                                    format_value(v$real_max)))
}

gene_novelty_words <- function(x) {
  row <- x$values[x$values$part == "novelty", ]
  novelty <- x$novelty
  if (is.na(novelty$ratio)) return(paste0("Novelty: ", novelty_sentence(novelty), "."))
  copies <- novelty$duplicates - novelty$duplicates_expected
  paste0(
    sprintf("Novelty %.2f%s: %s", novelty$ratio,
            if (is.na(row$real_min)) "" else sprintf(" (halves %.2f to %.2f)", row$real_min, row$real_max),
            sample_words(novelty_sentence(novelty))),
    if (novelty$reference != "holdout") ", by the distances of real samples to other real ones, as none is held out",
    if (copies > 0) sprintf("; %.0f %% of the new samples equal a real one", 100 * novelty$duplicates),
    "."
  )
}

# The sentences of novelty() speak of generated and training rows.
sample_words <- function(sentence) {
  sentence <- gsub("generated rows", "new samples", sentence)
  gsub("training rows", "real samples", sentence)
}

gene_closeness_words <- function(x) {
  distances <- x$values[x$values$part == "distance", ]
  count <- length(unique(distances$property))
  worst <- order(-vapply(x$beyond, function(name) max(distances$ratio[distances$property == name], na.rm = TRUE), 0))
  auc <- x$values[x$values$part == "classifier", ]
  copied <- !is.na(x$novelty$ratio) && x$novelty$ratio < novelty_bounds[["close"]]
  paste0(
    sprintf("By %d of %d properties new samples are about as near to %s ones as halves of the real samples %s",
            count - length(worst), count, reference_name(x), "are to each other"),
    if (length(worst)) paste0("; farther", if (length(worst) > 3) ", most", " by ",
                              join(property_words(x$beyond[worst[seq_len(min(3, length(worst)))]], "said", x$counts))),
    sprintf(". A classifier (%s) tells new samples with AUC %.2f (halves %.2f).",
            if (x$classifier == "forest") "random forest" else "neighbours and regression", auc$synthetic, auc$real),
    if (auc$synthetic < auc$real_min) " An AUC below that of halves is a sign of new samples beside the real ones.",
    if (copied) " Closeness says nothing here, because copies are close."
  )
}

# How print() calls properties. which: "label" in tables, "said" in sentences.
property_words <- function(properties, which, counts) {
  known <- rbind(gene_properties, gene_pairs)
  words <- known[[which]][match(properties, known$property)]
  if (!counts) words <- sub("library size", "mean", words)
  words
}

# One line per property. Pairs of properties have only an energy distance, which stands in the place of the other one.
format_distances <- function(x) {
  v <- x$values[x$values$part == "distance", ]
  properties <- unique(v$property)
  of <- function(property, measures) v[v$property == property & v$measure %in% measures, ][1, ]
  first <- do.call(rbind, lapply(properties, of, c("ks", "energy")))
  ratio <- function(measures) {
    values <- vapply(properties, function(property) of(property, measures)$ratio, 0)
    ifelse(is.na(values), "", formatC(values, digits = 2, format = "f"))
  }
  cells <- cbind(c("", paste0("  ", property_words(properties, "label", x$counts))),
                 c("distance", format_value(first$synthetic)),
                 c("in halves", sprintf("%s to %s", format_value(first$real_min), format_value(first$real_max))),
                 c("ratio", ratio(c("ks", "energy"))), c("area", ratio("area")), c("each", ratio("each")),
                 c("", ifelse(properties %in% x$beyond, "beyond", "")))
  lines <- align_cells(cells)
  heads <- ifelse(first$measure == "energy", "two at once (energy distance)", first$of)
  about <- sprintf(paste(
    "New beside %s samples, in sets of %d: the Kolmogorov-Smirnov distance, its range between halves of the real",
    "samples, its ratio to the mean of these (1 is best), and the same ratio for the area between the distribution",
    "functions and for each gene or pair of genes:"
  ), reference_name(x), sum(x$set))
  c(strwrap(about, width = 0.95 * getOption("width")), lines[1],
    unlist(lapply(unique(heads), function(head) c(head, lines[-1][heads == head]))))
}

# The first and the last column stand on the left.
align_cells <- function(cells) {
  last <- ncol(cells)
  for (j in seq_len(last)) {
    width <- max(nchar(cells[, j]))
    cells[, j] <- formatC(cells[, j], width = if (j == 1 || j == last) -width else width)
  }
  trimws(apply(cells, 1, paste, collapse = "  "), "right")
}

format_analyses <- function(x) {
  v <- x$values[x$values$part == "analysis", ]
  label <- gene_analyses$label[match(v$property, gene_analyses$property)]
  blank <- function(values) ifelse(is.na(values), "", format_value(values))
  cells <- cbind(c("", paste0("  ", label)), c("new", blank(v$synthetic)), c(reference_name(x), blank(v$holdout)),
                 c("halves (range)", with_range(v)), "")
  two <- if (is.null(x$compared)) "" else sprintf(" (%s between %s, false discovery rate %.0f %%)", x$test,
                                                  join(paste0("\"", x$compared, "\"")), 100 * discovery_level)
  about <- sprintf("What analyses of the %d classes find%s:", sum(x$set > 0), two)
  c(strwrap(about, width = 0.95 * getOption("width")), align_cells(cells))
}

#' @rdname fidelity-expression
#' @export
print.gene_fidelity <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname fidelity-expression
#' @export
summary.gene_fidelity <- function(object, ...) {
  check_dots("summary()", ...)
  structure(list(report = object), class = "summary.gene_fidelity")
}

#' @export
print.summary.gene_fidelity <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  print(x$report)
  cat("\nAll measures:\n")
  shown <- x$report$values
  shown <- shown[c("property", "of", "measure", "synthetic", "real", "real_min", "real_max", "ratio")]
  print(shown, digits = 3, row.names = FALSE)
  cat(sprintf("\n%.1f seconds\n", x$report$elapsed))
  invisible(x)
}

#' @rdname fidelity-expression
#' @export
as.data.frame.gene_fidelity <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  x$values
}

#' @rdname fidelity-expression
#' @export
tidy.gene_fidelity <- function(x, ...) {
  check_dots("tidy()", ...)
  x$values
}
