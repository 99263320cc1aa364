#' What an integration did
#'
#' `print()` gives the main figures before and after. `summary()` gives all of them. `as.data.frame()` gives the moved
#' table with batch and label.
#'
#' @section Columns of the report:
#' The report has one row per batch and label. `n` and `n_reference` are the numbers of moved samples and of reference
#' samples. `steps` is the number of steps of the flow. `stopped_by` says why it ended:
#' * `"distance"`: the distance to the reference samples is at most `target` times the distance between random halves of
#'   these.
#' * `"novelty"`: further steps would have brought the samples too near to single reference samples.
#'   `"novelty at the start"`: this was so before the first step.
#' * `"all steps done"`.
#' * `"one sample"`: the batch or label has one sample, which was moved by a shift without a flow.
#' * `"diverged"`: a number left the range of doubles; the samples are where the last good step took them.
#' * `"left as it is: "` and a reason: the group was not moved, and its scores are `NA`.
#'
#' These scores have two columns each, `_before` and `_after`:
#' * `w2_latent`, `w2_full`: the distance [wasserstein2()] to the reference samples in latent space and in full space,
#'   in z-scored units. `w2_latent_halves` and `w2_full_halves` are the distances between random halves of the reference
#'   samples (root mean square of 10 and of 5 splits). Divide by them. A quotient below 1 is not better than 1.
#' * `novelty`: [novelty()] against the reference samples in latent space, leave-one-out. 1 is new, 0 is a copy.
#' * `auc`: the AUC of a classifier ([c2st()]) that tells moved samples from reference samples in full space. It is 0.5
#'   if the classifier cannot tell two independent samples of one law apart. It is `NA` if one side has fewer than 10
#'   samples. After integration the AUC is often below 0.5, also if the flow took no step. The reason is that the
#'   adjustment gives the moved samples about the mean of the reference samples. The classifier judges each sample by
#'   the other samples. Without the sample, the mean of its own side lies a little further away from it than the mean of
#'   the other side, so the classifier tends to choose the wrong side. An AUC below 0.5 is therefore no better than 0.5,
#'   and it says that the two sides cannot be told apart.
#' * `silhouette`: the mean silhouette of moved and reference samples as two clusters in latent space. It is 0 if they
#'   are mixed.
#'
#' `residual_reference` is the root-mean-square length of what the latent space leaves out of a reference sample, in
#' z-scored units. `scores` has the mean silhouette of all batches and, if labels were given, of all labels. The second
#' should not fall.
#'
#' @param object,x An object from [integrate_data()].
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.integration` with `call`, `report`, `scores`, `outside`, `latent`,
#'   `groups`, `control`, `elapsed` (seconds) and `version`. `as.data.frame()`: a data frame of the moved table with one
#'   row per sample. It begins with the columns `batch` and `label`, unless the table has columns of these names.
#' @examples
#' set.seed(1)
#' x <- matrix(rnorm(600), 60)
#' x[31:60, ] <- 2 * x[31:60, ] + 1
#' fit <- integrate_data(x, rep(1:2, each = 30), 1, n_steps = 20)
#' summary(fit)
#' head(as.data.frame(fit)[1:4])
#' @name summary.integration
NULL

#' @rdname summary.integration
#' @export
format.integration <- function(x, ...) {
  check_dots("format()", ...)
  moved <- length(unlist(lapply(x$groups, `[[`, "rows")))
  c(
    sprintf("<integration> %d of %d samples of %d genes moved onto the %d of batch \"%s\"%s", moved, length(x$batch),
            n_columns(x$table), sum(x$batch == x$reference), x$reference,
            if (is.null(x$label)) ", labels not used" else sprintf(", each of %d labels by itself", nlevels(x$label))),
    sprintf("latent: %s", x$latent$description),
    format_assay(x), format_counts(x), format_lower(x), format_alone(x), format_left(x),
    if (is.null(x$report)) "(no report: `compare` was FALSE)" else format_report(x),
    "Contains the samples: think before you share it. Do not test it for differences (see ?integrate_data)."
  )
}

format_assay <- function(x) {
  if (is.null(x$assay)) return(NULL)
  assay <- if (is.character(x$assay)) sprintf("\"%s\"", x$assay) else as_text(x$assay)
  sprintf("assay %s was read, and holds the moved values; other assays are unchanged", assay)
}

format_lower <- function(x) {
  lower <- x$control$lower
  if (is.null(lower)) return(NULL)
  were <- if (x$raised == 1) "was" else "were"
  sprintf("%d value%s of moved samples %s below %s (`lower`) and %s set to it", x$raised,
          if (x$raised == 1) "" else "s", were, as_text(lower), were)
}

format_counts <- function(x) {
  if (isTRUE(x$counts)) "counts: moved on the logarithmic scale, and written as counts of about the same library sizes"
}

# The groups of one sample.
format_alone <- function(x) {
  alone <- names(Filter(function(flow) flow$status == "one sample", x$flows))
  if (length(alone)) {
    sprintf("one sample only, moved by a shrunk shift with a borrowed scale and without a flow: %s", some(alone))
  }
}

format_left <- function(x) {
  if (!length(x$left)) return(NULL)
  sprintf("left as it is: %s (%s)", names(x$left), vapply(x$left, `[[`, "", "why"))
}

# The rows of the report for the groups that were moved.
moved_rows <- function(x) x$report[seq_along(x$groups), ]

# The table of print(): before -> after. Distances are divided by the distance between halves of the reference.
format_report <- function(x) {
  r <- moved_rows(x)
  change <- function(from, to) paste(format(round(from, 2), nsmall = 2), "->", format(round(to, 2), nsmall = 2))
  cells <- cbind(
    names(x$groups), r$n, r$n_reference, r$steps,
    change(r$w2_latent_before / r$w2_latent_halves, r$w2_latent_after / r$w2_latent_halves),
    change(r$w2_full_before / r$w2_full_halves, r$w2_full_after / r$w2_full_halves),
    change(r$novelty_before, r$novelty_after), change(r$auc_before, r$auc_after)
  )
  cells <- rbind(c("", "rows", "onto", "steps", "W2 latent", "W2 full", "novelty", "AUC"), cells)
  for (j in seq_len(ncol(cells))) {
    cells[, j] <- formatC(cells[, j], width = max(nchar(cells[, j])), flag = if (j == 1) "-" else "")
  }
  c(
    paste0("  ", apply(cells, 1, paste, collapse = "  ")),
    paste("W2: divided by that between halves of the reference (integrated at about 1). Novelty: 1 new, 0 copies.",
          "AUC: at most about 0.5 if not told apart."),
    format_without_steps(x, names(x$groups)[r$steps == 0]),
    vapply(seq_len(nrow(x$scores)), function(i) {
      sprintf("%s %s", x$scores$score[i], change(x$scores$before[i], x$scores$after[i]))
    }, "")
  )
}

# What was done to the groups whose flow took no step. NULL if there is no such group.
format_without_steps <- function(x, groups) {
  if (!length(groups)) return(NULL)
  done <- c(scale = "changed by the adjustment of means and standard deviations only",
            mean = "changed by the adjustment of means only", none = "not changed")[[x$control$adjust]]
  sprintf("0 steps: the samples of %s were %s.", some(groups), done)
}

#' @rdname summary.integration
#' @export
print.integration <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.integration
#' @export
summary.integration <- function(object, ...) {
  check_dots("summary()", ...)
  structure(
    object[c("call", "report", "scores", "outside", "latent", "groups", "control", "elapsed", "version")],
    class = "summary.integration"
  )
}

#' @rdname summary.integration
#' @export
print.summary.integration <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  cat("Latent map: ", x$latent$description, "\n", sep = "")
  cat(sprintf("Residual outside it (\"%s\"), root-mean-square length in z-scored units: ", x$control$residual))
  cat(sprintf("%.3g of a moved row before, %.3g of a reference row\n", x$outside[["moved"]], x$outside[["reference"]]))
  if (!is.null(x$report)) {
    print(x$report[c("batch", "label", "n", "n_reference", "steps", "stopped_by")], row.names = FALSE)
    r <- moved_rows(x)
    for (what in c("w2_latent", "w2_full")) {
      cat("\n", what, ", and between halves of the reference:\n", sep = "")
      print(r[c("batch", "label", paste0(what, c("_before", "_after", "_halves")))], digits = 3, row.names = FALSE)
    }
    if (x$control$residual == "drop") {
      cat(sprintf("w2_full_after is at most %s (w2_latent_after plus the residual)\n",
                  paste(format(r$w2_latent_after + r$residual_reference, digits = 3), collapse = ", ")))
    }
    cat("\nnovelty, AUC and silhouette:\n")
    print(r[c("batch", "label", paste0(rep(c("novelty", "auc", "silhouette"), each = 2), c("_before", "_after")))],
          digits = 2, row.names = FALSE)
    cat("\nThe whole table:\n")
    print(x$scores, digits = 2, row.names = FALSE)
  }
  cat(sprintf("%.1f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

#' @rdname summary.integration
#' @export
as.data.frame.integration <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  opened <- open_experiment(x$data, x$batch, NULL, "x", x$assay)
  data <- as.data.frame(plain_table(if (is.null(opened)) x$data else opened$x, "x"))
  own <- list(batch = label_values(x$batch, x$table$batch))
  if (!is.null(x$label)) own$label <- label_values(x$label, x$table$label)
  own <- own[!names(own) %in% names(data)]
  if (!length(own)) return(data)
  new_frame(c(own, as.list(data)), c(names(own), names(data)), nrow(data), row_labels(data))
}

#' Move samples that come later
#'
#' Moves new samples of the batches that were moved. The adjustment, the map to latent space and the potentials of the
#' flow are those of the fit. The result for one sample does not depend on the other new samples. Counts are moved as
#' counts, with the library size of each new sample; their places within the steps are drawn from R's current random
#' stream. Samples of the
#' reference are left as they are. So are samples of a batch or label that the fit left as it is; a warning names them.
#'
#' @param object An object from [integrate_data()].
#' @param newdata New samples with the genes of the table, in any class that [integrate_data()] takes. A
#'   `SummarizedExperiment` must have the assay that was moved. Genes are matched by name if both have names, otherwise
#'   by position. Unknown and missing names are an error.
#' @param batch,label Batch and label of each new sample: one entry for all, one entry per sample, or the name of a
#'   column, as in [integrate_data()]. Several batch variables are a data frame, names of columns, or one value of each
#'   for all samples, such as `c(lab = "b", run = "2")`. `label` is needed if the fit has labels, because each label has
#'   a flow of its own. A batch or label that the fit does not know is an error.
#' @param progress `TRUE` or `FALSE`. `NULL` shows a bar in an interactive session.
#' @param ... Not used.
#' @return The moved samples in the form of `newdata`.
#' @examples
#' set.seed(1)
#' x <- matrix(rnorm(600), 60)
#' x[31:60, ] <- 2 * x[31:60, ] + 1
#' fit <- integrate_data(x, rep(1:2, each = 30), 1, n_steps = 20, compare = FALSE)
#' new <- 2 * matrix(rnorm(50), 5) + 1
#' predict(fit, new, batch = 2)
#' @export
predict.integration <- function(object, newdata, batch, label = NULL, progress = NULL, ...) {
  check_fit(object)
  check_dots("predict()", ...)
  if (missing(newdata)) fail("`newdata` must give the new samples.")
  if (missing(batch)) {
    moved <- unique(vapply(object$groups, `[[`, "", "batch"))
    fail("`batch` must give the batch of the new samples, such as %s.", quoted(moved))
  }
  opened <- open_experiment(newdata, batch, label, "newdata", object$assay, new = TRUE)
  if (!is.null(opened)) {
    return(opened$close(predict(object, opened$x, opened$batch, opened$label, progress)))
  }
  x <- plain_table(newdata, "newdata")
  parts <- if (names_columns(batch, x)) match(batch, names(x))
  if (!is.null(object$parts)) batch <- new_batches(batch, object$parts, x)
  found <- lapply(list(batch = batch, label = label), function(value) {
    if (!is_new_column(value, x)) return(list(value = value, position = NA_integer_))
    find_label(value, x, "label", "newdata")
  })
  named <- c(found$batch$position, found$label$position, parts)
  positions <- setdiff(seq_len(ncol(x)), named)
  points <- read_new_rows(drop_columns(x, named), object$table)
  if (!is.null(object$label) && is.null(label)) {
    fail("`label` must be given: the fit has moved each label by a flow of its own.")
  }
  group <- new_groups(object, found, nrow(points))
  moved <- points
  for (name in intersect(names(object$flows), group)) {
    rows <- which(group == name)
    moved[rows, ] <- carry_points(object, object$flows[[name]], points[rows, , drop = FALSE], progress)
  }
  # where the measured columns of the fit are in newdata
  at <- match_columns(column_names(x)[positions], object$table$names, length(positions), n_columns(object$table),
                      "newdata")
  written <- replace_rows(newdata, object$table, positions[at], moved, which(group %in% names(object$flows)))
  keep_integer(written, newdata)
}

# Rows of one group [n, p], as values or as counts, moved by its flow.
carry_points <- function(fit, flow, points, progress) {
  size <- if (isTRUE(fit$counts)) library_sizes(points, "newdata")
  own <- if (is.null(size)) points else log_counts(points, size)
  adjusted <- apply_adjustment(own, flow$adjustment)
  at <- carry_group(flow, unname(fit$latent$encode(adjusted)), progress)
  put <- put_residual(at, own, fit$latent, fit$control, flow)
  if (!is.null(size)) return(map_counts(points, size, flow$laws, put - adjusted, draw_places(points)))
  raise_values(put, lower_ends(fit$control$lower, fit$table))$points
}

# [n]: the name of the flow of each new sample. "" for the reference and for groups that the fit left as they are.
new_groups <- function(fit, found, n) {
  batch <- new_keys(found$batch$value, fit$table$batch, n, "batch")
  label <- if (!is.null(fit$label)) new_keys(found$label$value, fit$table$label, n, "label")
  name <- character(n)
  known <- batch$keys %in% fit$reference
  for (group in names(c(fit$groups, fit$left))) {
    one <- c(fit$groups, fit$left)[[group]]
    rows <- batch$keys %in% one$batch
    if (!is.na(one$label)) rows <- rows & label$keys %in% one$label
    known <- known | rows
    if (group %in% names(fit$flows)) name[rows] <- group
  }
  if (!all(known)) {
    stray <- unique(if (is.null(label)) batch$text[!known] else paste(batch$text, label$text, sep = ": ")[!known])
    fail("`newdata` has rows of %s, for which there is no flow; there are flows for %s.", quoted(stray),
         quoted(names(fit$flows)))
  }
  left <- !nzchar(name) & !batch$keys %in% fit$reference
  if (any(left)) {
    warning(sprintf("Rows %s are left as they are: the fit did not move their batch or label.", some(which(left))),
            call. = FALSE)
  }
  name
}

# The key and the text of each new sample, from one entry for all samples or from one entry per sample.
new_keys <- function(value, label, n, what) {
  if (!is.atomic(value) || is.null(value) || !length(value) %in% c(1L, n) || anyNA(value)) {
    fail("`%s` must have one entry, or one for each of the %d new samples, and no NA, not be %s.", what, n,
         describe(value))
  }
  list(keys = rep_len(match_label(value, label), n), text = rep_len(label_text(value), n))
}

is_new_column <- function(value, x) is.data.frame(x) && is.character(value) && length(value) == 1 && value %in% names(x)
