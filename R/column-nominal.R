# Factors without order, and words: the coordinates are the normal scores of the place of a level in an order, or in a
# tree of levels, that the other columns give.

#' @rdname column_kind
#' @param encoding How `column_nominal()` makes coordinates of levels: `"order"` or `"tree"`, see the section on levels
#'   without order. `NULL` chooses by held-out likelihood.
#' @export
column_nominal <- function(encoding = NULL) {
  if (!is.null(encoding)) encoding <- check_choice(encoding, c("order", "tree"), "encoding")
  column_kind(
    "nominal", reads = function(values) is.factor(values) || is.character(values),
    fit = function(values, others = NULL, numbers = NULL) fit_levels(values, others, encoding, numbers),
    encode = function(values, state, uniform) {
      level_scores(state$nodes, known_codes(values, state$order), uniform(node_coordinates(state$nodes)))
    },
    decode = function(z, state) give_attributes(take(state$values, level_codes(state$nodes, z)), state),
    description = function(state) {
      paste0(length(state$order), " levels", if (length(state$nodes) > 1) " in a tree")
    },
    scores = TRUE,
    cells = function(values, state) level_cells(state$nodes)[known_codes(values, state$order), , drop = FALSE]
  )
}

# order: the words of the levels that occur; values: one value of each; nodes: see table-levels.R.
fit_levels <- function(values, others, encoding, numbers = NULL) {
  words <- value_words(values)
  counts <- sort(table(words, useNA = "ifany"), decreasing = TRUE)
  levels <- names(counts)
  codes <- match(words, levels)
  n <- as.vector(counts)
  shown <- length(levels) > 2 && !is.null(others) && ncol(others) > 0
  lead <- if (shown && !is.null(numbers)) leading_axis(codes, n, numbers)
  if (shown && is.null(encoding)) encoding <- choose_encoding(codes, n, others, lead)
  means <- if (shown) level_means(codes, n, others)
  nodes <- if (identical(encoding, "tree") && shown) tree_nodes(n, means, lead) else order_nodes(n, means, lead)
  # one value of each level, so that other kinds of values than factors can be levels too
  first <- take(values, match(seq_along(levels), codes))
  c(list(order = levels, values = first), kept_attributes(values), list(nodes = nodes))
}

# The numbers of the values among `known`. NA may be one of them, as it is after addNA().
known_codes <- function(values, known) {
  words <- value_words(values)
  codes <- match(words, known)
  unknown <- unique(words[is.na(codes) & !is.na(values)])
  if (length(unknown)) {
    fail("The level%s %s %s not among those of the table.", if (length(unknown) > 1) "s" else "", quoted(unknown),
         if (length(unknown) > 1) "are" else "is")
  }
  as.double(codes)
}
