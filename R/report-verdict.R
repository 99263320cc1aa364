# The verdict of the report in sentences.

# Named sentences; the rules are in ?fidelity, "Verdict".
verdict_of <- function(report) {
  novel <- judge_novelty(report$novelty)
  gap <- stats::setNames(report$scores$gap, report$scores$score)
  beyond <- gap > 1
  close <- sum(beyond) == 0 || (sum(beyond) == 1 && max(gap) <= 1.5)
  columns_agree <- all(report$columns$agrees)
  joint <- !close && columns_agree
  overall <- if (novel$level == "copy") {
    "a copy of the real rows"
  } else if (novel$level == "near copies") {
    "nearly copies of the real rows"
  } else if (joint) {
    "the joint law is wrong, although each column is right"
  } else {
    paste0(if (close) "close" else if (max(gap) > 4) "not close" else "not quite close",
           if (close == (novel$level == "new")) " and " else ", but ",
           c(new = "new", farther = "farther from the real rows than fresh ones", some = "with near copies among the rows",
             nearer = "somewhat near the real rows", `keeps close` = "keeping close to the real rows",
             unknown = "novelty unknown")[[novel$level]])
  }
  c(overall = overall, novelty = novel$sentence,
    closeness = closeness_sentence(report, gap, close, novel$level),
    where = where_sentence(report, close, columns_agree))
}

judge_novelty <- function(x) {
  reference <- if (x$reference == "holdout") "a held-out row" else "a real row (from the other real rows)"
  surplus <- x$duplicates - x$duplicates_expected
  percent <- function(share) sprintf("%.0f %%", 100 * share)
  if (surplus >= 0.5) {
    return(list(level = "copy", sentence = sprintf(
      "It is a copy: %s of the synthetic rows equal a real row. A copy wins every score of closeness, so those below say nothing.",
      percent(x$duplicates))))
  }
  if (is.na(x$ratio)) {
    return(list(level = "unknown", sentence = "Half of the real rows or more equal another one, so distances cannot tell new rows from copies."))
  }
  distance <- sprintf("the median distance from a synthetic row to its nearest real row is %.2f times that of %s",
                      x$ratio, reference)
  nearest <- if (is.na(x$closer)) "" else sprintf(
    "; %s are nearer to a training row than to any held-out row (%s of fresh rows would be)",
    percent(x$closer), percent(x$closer_expected))
  level <- c("near copies", "keeps close", "nearer", "new", "farther")[findInterval(x$ratio, novelty_bounds) + 1]
  if (abs(log(x$ratio)) < 3 * ratio_error(x$distance)) level <- "new"
  if (level %in% c("nearer", "new", "farther") && (surplus > 0.01 || near_minority(x))) {
    return(list(level = "some", sentence = sprintf(
      "Some rows are copies or nearly: %s equal a real row, and the 5th percentile of the distances to the nearest real row is %.2f times that of %s, although the median is %.2f times%s.",
      percent(x$duplicates), x$ratio_5, reference, x$ratio, nearest)))
  }
  start <- c(
    `near copies` = "The rows are nearly copies", `keeps close` = "The rows keep close to the real ones",
    nearer = "The rows are somewhat nearer to the real ones than fresh rows", new = "The rows are new",
    farther = "The rows lie farther from the real ones than fresh rows would"
  )[[level]]
  cause <- if (level == "near copies") paste(
    " The usual cause with efs() is a softening `epsilon` far below the squared spacing of the rows:",
    "each particle is then a sink on the way back, and what starts near it ends on it; the defaults follow the spacing.",
    "A very narrow smoother does the same. What closeness there is below is that of copies.") else ""
  list(level = level, sentence = paste0(start, ": ", distance, nearest, ".", cause))
}

# Standard error of the log of the ratio of medians: half the width, on the log
# scale, between the quantiles one binomial standard error to either side.
ratio_error <- function(distance) {
  one <- function(v) {
    step <- 0.5 / sqrt(length(v))
    ends <- stats::quantile(v, pmin(pmax(0.5 + c(-1, 1) * step, 0), 1), names = FALSE)
    if (ends[1] > 0) log(ends[2] / ends[1]) / 2 else 0
  }
  sqrt(one(distance$synthetic)^2 + one(distance$reference)^2)
}

near_minority <- function(x) {
  if (!isTRUE(x$ratio_5 < novelty_bounds[["copies"]])) return(FALSE)
  v <- x$distance
  nearer <- mean(v$synthetic < stats::quantile(v$reference, 0.05))
  nearer > 0.05 + 3 * sqrt(0.05 * 0.95 * (1 / length(v$synthetic) + 1 / length(v$reference)))
}

closeness_sentence <- function(report, gap, close, level) {
  beyond <- gap > 1
  labels <- score_labels[names(gap)]
  auc <- sprintf("A classifier reaches AUC %.2f (%.2f to %.2f; 0.5 is chance)", report$c2st$auc,
                 report$c2st$interval[["lower"]], report$c2st$interval[["upper"]])
  tail <- if (report$c2st$interval[["upper"]] < 0.5) {
    paste0(auc, ", below chance because rows of the two tables come in close pairs.")
  } else if (report$c2st$interval[["lower"]] > 0.5) {
    paste0(auc, ": it can tell the tables apart", if (report$c2st$auc < 0.55) ", barely." else ".")
  } else {
    paste0(auc, ": it cannot tell the tables apart.")
  }
  if (level %in% c("copy", "near copies") && !any(beyond)) {
    start <- "The synthetic rows are as close to the real ones as another sample of real rows or closer, as every copy is."
  } else if (!any(beyond)) {
    start <- sprintf("By all %d scores the synthetic rows are as close to the real ones as another sample of real rows.", length(gap))
  } else if (close) {
    start <- sprintf("By %d of %d scores the synthetic rows are as close to the real ones as another sample of real rows; only %s is slightly beyond.",
                     sum(!beyond), length(gap), labels[beyond])
  } else {
    worst <- order(-gap)[seq_len(min(3, sum(beyond)))]
    start <- sprintf("By %d of %d scores the synthetic rows are %s from the real ones than another sample of real rows: most by %s.",
                     sum(beyond), length(gap), if (max(gap) > 4) "much farther" else "farther", join(labels[worst]))
  }
  paste(start, tail)
}

where_sentence <- function(report, close, columns_agree) {
  columns <- report$columns
  correlation <- report$correlation
  pair <- if (!is.null(correlation)) sprintf(
    "the largest difference of correlations is %.2f (\"%s\" and \"%s\": %.2f real, %.2f synthetic)",
    correlation$largest, correlation$pair[1], correlation$pair[2], correlation$real, correlation$synthetic)
  correlated <- is.null(correlation) || correlation$agrees
  worst <- columns[which.max(columns$ks), ]
  largest <- sprintf("largest Kolmogorov-Smirnov distance %.3f, limit %.3f, \"%s\"", worst$ks, worst$limit, worst$column)
  sentence <- if (!columns_agree) {
    off <- columns[!columns$agrees, ]
    off <- off[order(-off$ks), ]
    shown <- off[seq_len(min(3, nrow(off))), ]
    paste0(
      sprintf("%d of %d column%s differ%s%s: ", nrow(off), nrow(columns), if (nrow(columns) == 1) "" else "s",
              if (nrow(off) == 1) "s" else "", if (nrow(off) > 3) ", most" else ""),
      paste0(sprintf("\"%s\" (Kolmogorov-Smirnov distance %.2f%s)", shown$column, shown$ks,
                     ifelse(is.na(shown$shift), "", sprintf(", mean %+.2f sd, sd times %.2f", shown$shift, shown$spread))),
             collapse = ", "),
      if (!correlated) paste0("; ", pair), ".")
  } else if (!close) {
    paste0("Each column agrees (", largest, "), so it is the joint law that differs",
           if (is.null(pair)) "" else if (correlated) paste0(", beyond correlations: ", pair) else paste0(": ", pair), ".")
  } else if (correlated) {
    paste0("Each column agrees (", largest, ")", if (!is.null(pair)) ", and so do the correlations: ", pair, ".")
  } else {
    paste0("Each column agrees (", largest, "), but ", pair, ".")
  }
  off <- if (!is.null(report$shares)) unique(report$shares$column[!report$shares$agrees])
  if (length(off)) sentence <- paste0(sentence, sprintf(" Shares of levels differ in %s.", quoted(off)))
  sentence
}
