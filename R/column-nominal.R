# Factors without order, and words: the coordinate is the normal score of the level's place in an order that the other
# columns give.

#' @rdname column_kind
#' @export
column_nominal <- function() {
  kind <- margin_kind("nominal", function(values) is.factor(values) || is.character(values),
                      number = function(values, state) known_codes(values, state$order), back = nominal_back,
                      description = function(state) sprintf("%d levels", length(state$order)), numeric = FALSE,
                      only = TRUE)
  kind$fit <- function(values, others = NULL) {
    order <- level_order(values, others)
    margin <- fit_margin(known_codes(values, order), only = TRUE)
    # one value of each level, so that other kinds of values than factors can be levels too
    first <- take(values, match(order, value_words(values)))
    c(list(order = order, values = first), kept_attributes(values), list(margin = margin))
  }
  kind
}

nominal_back <- function(x, state) give_attributes(take(state$values, round(x)), state)

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

# The levels that occur, in the order of the first principal axis of their means in the other columns (a correspondence
# analysis): levels whose rows are alike stand side by side. others [n, m]: normal scores of the other columns. NULL:
# the most frequent level first.
level_order <- function(values, others = NULL) {
  words <- value_words(values)
  counts <- sort(table(words, useNA = "ifany"), decreasing = TRUE)
  levels <- names(counts)
  if (length(levels) < 3 || is.null(others) || ncol(others) == 0) return(levels)
  n <- as.vector(counts)
  means <- rowsum(others, match(words, levels)) / n
  means <- sweep(means, 2, colSums(means * n) / sum(n)) * n / (n + few_rows)
  axis <- svd(sqrt(n) * means, nu = 0, nv = 1)$v
  levels[order(means %*% axis)]
}

# The mean of a level counts as if this many rows of the mean of all rows were added.
few_rows <- 5
