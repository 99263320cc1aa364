# Imputed values of a column that a known column tells: a recoded copy is known, and its source is missing.

# The cells of the scores of some rows, with the missing sources restricted to the values that a known computed column
# allows. low, high [n, d]. given: the values of these rows. Returns low and high [m, d], and `of` [m], the row of each
# box: a row has several boxes if values that are no neighbours are allowed, and its own cells if nothing is told.
implied_boxes <- function(low, high, given, template) {
  boxes <- lapply(seq_len(nrow(low)), function(i) list(list(low = low[i, ], high = high[i, ], sums = list())))
  for (relation in Filter(function(one) one$type != "sum" && all(one$from <= length(given)), template$relations)) {
    lost <- Reduce(`|`, lapply(given[relation$from], is.na))
    for (i in which(lost & !is.na(given[[relation$at]]))) {
      pieces <- tryCatch(relation_pieces(relation, take(given[[relation$at]], i), template),
                         particleflow_input = function(e) NULL)
      cut <- cut_boxes(lapply(boxes[[i]], open_indicators, relation$from, template), pieces)
      if (length(cut)) boxes[[i]] <- cut
    }
  }
  all <- unlist(boxes, recursive = FALSE)
  list(low = do.call(rbind, lapply(all, `[[`, "low")), high = do.call(rbind, lapply(all, `[[`, "high")),
       of = rep(seq_along(boxes), lengths(boxes)))
}

cut_boxes <- function(boxes, pieces) {
  cut <- unlist(lapply(boxes, function(box) lapply(pieces, function(piece) cut_box(box, piece))), recursive = FALSE)
  cut[!vapply(cut, is.null, NA)]
}

# A box that does not say whether some columns are missing: the known copy tells that they are not.
open_indicators <- function(box, columns, template) {
  at <- unlist(lapply(columns, function(j) lapply(indicator_pieces(j, TRUE, template), `[[`, "at")))
  box$low[at] <- -Inf
  box$high[at] <- Inf
  box
}

# One draw for each row from its boxes, which are chosen with their probabilities: points [n, d].
draw_implied <- function(flow, boxes, correlation, key, threads) {
  found <- flow_within(flow, boxes$low, boxes$high, correlation, key, threads)
  members <- split(seq_along(boxes$of), boxes$of)
  u <- draw_uniform(length(members), 1L, other_key(key, 7L))[, 1]
  chosen <- vapply(seq_along(members), function(i) {
    mine <- members[[i]]
    logs <- found$log_probability[mine]
    if (length(mine) == 1 || max(logs) == -Inf) mine[1] else mine[pick_weighted(u[i], exp(logs - log_sum(logs)))]
  }, 0L)
  found$points[chosen, , drop = FALSE]
}
