# What a fit of synthesise() read, in words.

# One entry per fact, wrapped to the width of the console: how many columns of each kind there are, where values are
# missing, what was left out, what was declared, and what is computed. start: stands before the first.
describe_columns <- function(template, n, start = "") {
  names <- column_words(template)
  facts <- c(
    sprintf("%s%d rows of %d column%s: %s.", start, n, length(names), plural(length(names)), kind_words(template)),
    missing_words(names[has_missing(template)]),
    tree_words(template, names),
    if (length(template$left_out)) sprintf("Left out, because their words name the rows: %s. `id` makes new ones; %s.",
                                           quoted(template$left_out), "dates need as.Date()"),
    if (length(template$row_numbers)) {
      sprintf("Whole numbers that occur once each: %s; if they only name the rows, give them as `id`.",
              some(template$row_numbers))
    },
    declared_words(template, names),
    relation_words(template, names),
    rule_words(template, names),
    coded_words(template$coded)
  )
  unlist(lapply(sub("....", "...", facts, fixed = TRUE), strwrap, width = getOption("width"), exdent = 2))
}

# The names of the columns, or their numbers.
column_words <- function(template) {
  if (is.null(template$names)) as_text(seq_len(n_columns(template))) else template$names
}

kind_words <- function(template) {
  kinds <- vapply(template$columns, kind_word, "")
  kinds <- kinds[template$of[seq_len(n_columns(template))]]
  each <- split(column_words(template), factor(kinds, unique(kinds)))
  paste(vapply(names(each), function(kind) {
    sprintf("%d %s (%s)", length(each[[kind]]), kind, some(each[[kind]]))
  }, ""), collapse = ", ")
}

# The name of the kind of a fitted column. Numbers of type double of which only a few values can come out, such as 0 and
# 1, are no continuous column.
kind_word <- function(column) {
  name <- column_code(column)$name
  if (name == "continuous" && is_support(column$state$margin)) "of few values" else name
}

missing_words <- function(names) {
  if (!length(names)) return("No missing values.")
  sprintf("Missing values in %d column%s: %s.", length(names), plural(length(names)), some(names))
}

# [p]: whether some values of each column are missing.
has_missing <- function(template) {
  gone <- vapply(template$columns, function(column) {
    empty <- column_code(column)$name == "constant" && anyNA(column$state$value)
    empty || lacks_values(column)
  }, NA)[template$of]
  for (relation in template$relations) {
    gone[relation$at] <- anyNA(relation$values) || (relation$type == "sum" && any(gone[relation$from]))
  }
  gone[seq_len(n_columns(template))]
}

# The columns whose levels have a tree: most have an order, which is not said.
tree_words <- function(template, names) {
  trees <- vapply(template$columns, function(column) length(column$state$nodes) > 1, NA)[template$of[seq_along(names)]]
  if (any(trees)) sprintf("Levels of %s in a tree (see column_nominal).", some(names[trees]))
}

# The orders and the combinations that the user declared.
declared_words <- function(template, names) {
  types <- vapply(template$hidden, `[[`, "", "type")
  orders <- vapply(template$hidden[types == "gap"], function(one) paste(names[one$from], collapse = " <= "), "")
  pairs <- vapply(template$hidden[types == "combination"], `[[`, "", "name")
  computed <- vapply(template$hidden[types == "gap"], function(one) names[one$at], "")
  c(if (length(orders)) sprintf("Kept in order: %s; computed from the gap: %s.", paste(orders, collapse = "; "),
                                paste(computed, collapse = ", ")),
    if (length(pairs)) sprintf("Only combinations that occur, drawn as one column: %s.", paste(pairs, collapse = "; ")))
}

# The relations that were found. Those by which a hidden column returns its columns were declared.
relation_words <- function(template, names) {
  hidden <- seq_along(template$hidden) + length(names)
  declared <- unlist(lapply(template$hidden, function(one) if (one$type == "gap") one$at else one$from))
  found <- Filter(function(one) !(any(one$from %in% hidden) && one$at %in% declared), template$relations)
  if (!length(found)) return(NULL)
  names <- c(names, vapply(template$hidden, `[[`, "", "name"))
  sprintf("Computed from other columns: %s.", paste(vapply(found, describe_relation, "", names = names),
                                                    collapse = "; "))
}

# The columns that are missing where another column says so. A hidden gap stands for the column that it computes.
rule_words <- function(template, names) {
  rules <- column_rules(template)
  told <- which(!vapply(rules, is.null, NA))
  if (!length(told)) return(NULL)
  leaders <- lapply(template$columns, `[[`, "leader")[template$of]
  words <- vapply(told, function(j) {
    group <- c(j, which(vapply(leaders, identical, NA, j)))
    hidden <- group > length(names)
    group[hidden] <- vapply(template$hidden[group[hidden] - length(names)], `[[`, 0L, "at")
    describe_rule(rules[[j]], names, names[sort(unique(group))])
  }, "")
  sprintf("Missing by a rule: %s.", paste(words, collapse = "; "))
}

# Why a table of numbers is read as normal scores.
coded_words <- function(coded) {
  if (!length(coded)) return(NULL)
  sprintf("Read as normal scores, because %s two different values or %s mostly 0: %s. `latent = \"none\"` takes %s.",
          if (length(coded) == 1) "a column has" else "some columns have", if (length(coded) == 1) "is" else "are",
          some(coded), "the numbers as they are")
}

#' @rdname summary.efs
#' @export
summary.synthesis <- function(object, ...) {
  found <- NextMethod()
  found$latent$description <- "normal scores of the columns"
  found
}

#' @rdname summary.efs
#' @importFrom stats nobs
#' @export
nobs.efs <- function(object, ...) sum(lengths(object$rows))

#' @rdname synthesise
#' @export
format.synthesis <- function(x, ...) {
  lines <- NextMethod()
  name <- if (identical(class(x)[1], "synthesis") && identical(x$maker, "efs")) "efs" else class(x)[1]
  c(describe_columns(x$table, sum(lengths(x$rows)), sprintf("<%s> ", name)), lines[-(1:2)])
}
