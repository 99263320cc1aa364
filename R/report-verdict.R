# The verdict of the report in sentences.

# Named sentences; the rules are in ?fidelity, "Verdict".
verdict_of <- function(report) {
  novel <- judge_novelty(report$novelty, report$alarms)
  beyond <- !report$scores$alike
  correlated <- is.null(report$correlation) || report$correlation$agrees
  columns_agree <- all(report$columns$agrees) && all(report$shares$agrees)
  joint <- any(beyond) || !correlated
  close <- !joint && columns_agree
  overall <- if (novel$level == "copy") {
    "a copy of the real rows"
  } else if (novel$level == "near copies") {
    "nearly copies of the real rows"
  } else if (joint && columns_agree) {
    joint_words(beyond, report$scores$gap, correlated)
  } else {
    paste0(if (close) "close" else if (max(report$scores$gap) > 4) "not close" else "not quite close",
           if (close == (novel$level == "new")) " and " else ", but ",
           novelty_words[[novel$level]])
  }
  c(overall = overall, novelty = novel$sentence, closeness = closeness_sentence(report, novel$level),
    where = where_sentence(report, joint, correlated))
}

# beyond: which scores differ. gap: by how many times their limit.
joint_words <- function(beyond, gap, correlated) {
  few <- correlated && sum(beyond) <= length(beyond) / 3 && max(gap[beyond]) <= 4
  if (!few) return("the joint law is wrong, although each column is right")
  sprintf("close, but for %d of %d scores of the joint law", sum(beyond), length(beyond))
}

novelty_words <- c(
  new = "new", farther = "farther from the real rows than fresh ones", some = "with near copies among the rows",
  nearer = "somewhat near the real rows", `keeps close` = "keeping close to the real rows", unknown = "novelty unknown"
)

# `alarms`: which differences from fresh rows are more than chance, see novelty_alarms(). `copied`: whether equal rows
# cannot be chance.
judge_novelty <- function(x, alarms) {
  reference <- if (x$reference == "holdout") "a held-out row" else "a real row (from the other real rows)"
  surplus <- x$duplicates - x$duplicates_expected
  percent <- function(share) sprintf("%.0f %%", 100 * share)
  if (surplus >= 0.5 && (alarms[["nearer"]] || alarms[["copied"]])) {
    return(list(level = "copy", sentence = sprintf(
      paste("It is a copy: %s of the synthetic rows equal a real row.",
            "A copy wins every score of closeness, so those below say nothing."), percent(x$duplicates))))
  }
  if (is.na(x$ratio)) {
    return(list(level = "unknown", sentence = paste(
      "Half of the real rows or more equal another one, so distances cannot tell new rows from copies.")))
  }
  distance <- sprintf("the median distance from a synthetic row to its nearest real row is %.2f times that of %s",
                      x$ratio, reference)
  nearest <- if (is.na(x$closer)) "" else sprintf(
    "; %s are nearer to a training row than to any held-out row (%s of fresh rows would be)",
    percent(x$closer), percent(x$closer_expected))
  level <- c("near copies", "keeps close", "nearer", "new", "farther")[findInterval(x$ratio, novelty_bounds) + 1]
  if (level != "new" && !alarms[[if (level == "farther") "farther" else "nearer"]]) level <- "new"
  if (level %in% c("nearer", "new", "farther") && some_copied(x, surplus, alarms)) {
    return(list(level = "some", sentence = sprintf(
      paste("Some rows are copies or nearly: %s equal a real row, and the 5th percentile of the distances to the",
            "nearest real row is %.2f times that of %s, although the median is %.2f times%s."),
      percent(x$duplicates), x$ratio_5, reference, x$ratio, nearest)))
  }
  start <- c(
    `near copies` = "The rows are nearly copies", `keeps close` = "The rows keep close to the real ones",
    nearer = "The rows are somewhat nearer to the real ones than fresh rows", new = "The rows are new",
    farther = "The rows lie farther from the real ones than fresh rows would"
  )[[level]]
  cause <- if (level == "near copies") paste(
    " The usual cause with efs() is a softening `epsilon` far below the squared spacing of the rows:",
    "each particle is then a sink on the way back, and what starts near it ends on it;",
    "the defaults follow the spacing.",
    "A very narrow smoother does the same. What closeness there is below is that of copies.") else ""
  list(level = level, sentence = paste0(start, ": ", distance, nearest, ".", cause))
}

# Equal rows that cannot be chance, or near rows, equal ones among them, that are more than chance.
some_copied <- function(x, surplus, alarms) {
  near <- surplus > 0.01 || isTRUE(x$ratio_5 < novelty_bounds[["copies"]])
  (surplus > 0.01 && alarms[["copied"]]) || (near && alarms[["some"]])
}

# Whether the verdict depends on the alarms at all: not if the ratios are those of new rows.
may_alarm <- function(x) {
  surplus <- x$duplicates - x$duplicates_expected
  new <- !is.na(x$ratio) && x$ratio >= novelty_bounds[["nearer"]] && x$ratio < novelty_bounds[["farther"]]
  !new || surplus > 0.01 || isTRUE(x$ratio_5 < novelty_bounds[["copies"]])
}

# What scores say of the objects that they keep: `said` for the sentence on closeness, `details` for summary().
score_texts <- function(scores, all, report) {
  new <- judge_novelty(report$novelty, report$alarms)$level == "new"
  alike <- stats::setNames(report$scores$alike, report$scores$score)
  text_of <- function(field, ...) {
    unlist(lapply(unname(scores), function(score) {
      object <- attr(all[[score$name]], "object")
      if (!is.null(score[[field]]) && !is.null(object)) {
        if (field == "details") return(score_text(score, field, object))
        score_text(score, field, object, alike[[score$name]], new)
      }
    }))
  }
  list(said = text_of("sentence"), details = text_of("details"))
}

closeness_sentence <- function(report, level) {
  gap <- report$scores$gap
  beyond <- !report$scores$alike
  start <- if (level %in% c("copy", "near copies") && !any(beyond)) {
    "The synthetic rows are as close to the real ones as another sample of real rows or closer, as every copy is."
  } else if (!any(beyond)) {
    sprintf("By %s the synthetic rows are as close to the real ones as another sample of real rows.",
            if (length(gap) == 1) "the one score" else sprintf("all %d scores", length(gap)))
  } else {
    worst <- order(-gap)[seq_len(min(3, sum(beyond)))]
    sprintf(paste("By %d of %d scores the synthetic rows are %s from the real ones than another sample of real rows:",
                  "most by %s."), sum(beyond), length(gap), if (max(gap) > 4) "much farther" else "farther",
            join(report$scores$label[worst]))
  }
  paste(c(start, report$said), collapse = " ")
}

# joint: a score or the correlations are beyond their limits.
where_sentence <- function(report, joint, correlated) {
  columns <- report$columns
  pair <- pair_words(report$correlation, report$n_permutations)
  worst <- columns[which.max(columns$ks), ]
  agree <- sprintf("Each column agrees (largest Kolmogorov-Smirnov distance %.3f, limit %.3f, \"%s\")", worst$ks,
                   worst$limit, worst$column)
  sentence <- if (!all(columns$agrees)) {
    paste0(columns_off(columns), if (!correlated) paste0("; ", pair), ".")
  } else if (joint) {
    beyond <- if (is.null(pair)) "" else paste0(if (correlated) ", beyond correlations: " else ": ", pair)
    paste0(agree, ", so it is the joint law that differs", beyond, ".")
  } else {
    paste0(agree, if (!is.null(pair)) ", and so do the correlations: ", pair, ".")
  }
  off <- if (!is.null(report$shares)) unique(report$shares$column[!report$shares$agrees])
  if (length(off)) sentence <- paste0(sentence, sprintf(" Shares of levels differ in %s.", quoted(off)))
  sentence
}

# deals: the number of random deals from which the limits of the correlations come.
pair_words <- function(correlation, deals) {
  if (is.null(correlation)) return(NULL)
  sprintf("the largest difference of correlations is %.2f (\"%s\" and \"%s\": %.2f real, %.2f synthetic%s)",
          correlation$largest, correlation$pair[1], correlation$pair[2], correlation$real, correlation$synthetic,
          if (is.null(deals)) "" else sprintf("; the limit comes from %d random deals of the rows", deals))
}

# The columns that differ, the worst three by name.
columns_off <- function(columns) {
  off <- columns[!columns$agrees, ]
  off <- off[order(-off$ks), ]
  shown <- off[seq_len(min(3, nrow(off))), ]
  moved <- ifelse(is.na(shown$shift), "", sprintf(", mean %+.2f sd, sd times %.2f", shown$shift, shown$spread))
  head <- sprintf("%d of %d column%s differ%s%s: ", nrow(off), nrow(columns), if (nrow(columns) == 1) "" else "s",
                  if (nrow(off) == 1) "s" else "", if (nrow(off) > 3) ", most" else "")
  paste0(head, paste0(sprintf("\"%s\" (Kolmogorov-Smirnov distance %.2f%s)", shown$column, shown$ks, moved),
                      collapse = ", "))
}
