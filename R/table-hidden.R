# Hidden columns: columns that the user does not see. They stand for columns with a declared structure, which they
# determine (see relations.R).

# A hidden column is a list of
#   type   "gap": the second column of `from` minus the first; "combination": the values of the columns `from` together;
#          "alone": the values of the second column of `from` in the rows in which the first one is missing
#   from   the numbers of the columns
#   name   for print()
# A gap, and the column "alone" beside it, also have
#   at     the number of the ordered column that is computed
#   base   the number of the other one
#   paired whether `at` is known in some rows in which `base` is missing: then there is a column "alone"

# constraints: a formula such as ~ start <= end, or a list of formulas. combine: a list of vectors of column names.
# Returns hidden, a list, and columns and kinds with the hidden columns at the end, and relations. block: NULL, or the
# block of each row. Of two ordered columns the upper one is computed, but the lower one if only the upper one is
# constant within blocks. partial: the numbers of hidden columns that say nothing in some rows.
hide_columns <- function(columns, kinds, names, constraints, combine, block = NULL) {
  ends <- lapply(read_constraints(constraints), find_columns, names, "constraints")
  for (from in ends) check_ordered(kinds[from], names[from])
  together <- lapply(check_combine(combine), find_columns, names, "combine")
  hidden <- c(
    unlist(lapply(ends, gap_columns, columns, names, block), recursive = FALSE),
    lapply(together, function(from) {
      list(type = "combination", from = from, name = paste(names[from], collapse = " and "))
    })
  )
  relations <- list()
  partial <- integer()
  for (one in hidden) {
    values <- hidden_values(one, columns, kinds)
    check_hidden(one, values, names)
    at <- length(columns) + 1L
    columns[[at]] <- values
    kinds[[at]] <- switch(one$type, gap = column_continuous(0, Inf), alone = kinds[[one$at]], column_nominal())
    if (one$type != "combination" && anyNA(columns[[one$base]])) partial <- c(partial, at)
    relations <- c(relations, switch(one$type, gap = list(gap_relation(one, at)),
                                     combination = combination_relations(one, values, at, columns)))
  }
  if (anyDuplicated(vapply(relations, `[[`, 0L, "at"))) {
    fail("A column can be the upper end of one constraint, or part of one combination, not of several.")
  }
  list(hidden = hidden, columns = columns, kinds = kinds, relations = relations, partial = partial)
}

# The gap between the columns c(lower, upper), and the column "alone" if there must be one. It stands after the gap.
gap_columns <- function(from, columns, names, block) {
  steady <- if (!is.null(block)) vapply(columns[from], is_constant_within, NA, block, USE.NAMES = FALSE)
  base <- if (identical(steady, c(FALSE, TRUE))) from[2] else from[1]
  at <- setdiff(from, base)
  if (!length(at)) at <- base
  paired <- any(is.na(columns[[base]]) & !is.na(columns[[at]]))
  gap <- list(type = "gap", from = from, name = paste(rev(names[from]), collapse = " - "), at = at, base = base,
              paired = paired)
  alone <- list(type = "alone", from = c(base, at), name = sprintf("%s without %s", names[at], names[base]), at = at,
                base = base, paired = paired)
  c(list(gap), if (paired) list(alone))
}

# hidden: the number of the gap. otherwise: that of the column "alone", which is the next one.
gap_relation <- function(one, hidden) {
  list(at = one$at, from = c(one$base, hidden), type = "sum", shape = "identity", constant = 0,
       weights = c(1, if (one$at == one$from[1]) -1 else 1), otherwise = if (one$paired) hidden + 1L)
}

# [n] for each column: what its indicator says. TRUE: the value is missing. NA: nothing. The indicator of a gap is that
# of the computed column; if this column is known only where the other one is, it says nothing where that is missing.
missing_flags <- function(columns, hidden) {
  seen <- length(columns) - length(hidden)
  flags <- lapply(columns, is.na)
  for (i in seq_along(hidden)) {
    one <- hidden[[i]]
    if (one$type == "combination") next
    gone <- flags[[one$at]]
    if (!one$paired) gone[flags[[one$base]]] <- NA
    flags[[seen + i]] <- gone
  }
  flags
}

hidden_values <- function(one, columns, kinds) {
  from <- columns[one$from]
  if (one$type == "alone") {
    is.na(from[[2]]) <- which(!is.na(from[[1]]))
    return(from[[2]])
  }
  if (one$type == "combination") return(do.call(paste, c(lapply(from, value_words), sep = "\r")))
  numbers <- Map(function(values, kind) kind$number(values, kept_attributes_state(values)), from, kinds[one$from])
  numbers[[2]] - numbers[[1]]
}

check_ordered <- function(kinds, names) {
  bad <- which(vapply(kinds, function(kind) is.null(kind[["number"]]) || has_levels(kind), NA))
  if (length(bad)) {
    fail("`constraints` needs numbers, dates or times, but %s is of the kind \"%s\".", quoted(names[bad[1]]),
         kinds[[bad[1]]]$name)
  }
  clocks <- vapply(kinds, function(kind) if (kind$name %in% c("date", "time")) kind$name else "number", "")
  if (clocks[1] != clocks[2]) {
    fail("`constraints` needs two numbers, two dates or two times, but \"%s\" is a %s and \"%s\" a %s.", names[1],
         clocks[1], names[2], clocks[2])
  }
}

check_hidden <- function(one, values, names) {
  broken <- if (one$type == "gap") which(values < 0)
  if (length(broken)) {
    fail("`constraints` asks for %s <= %s, but row%s %s of `x` break%s it.", names[one$from[1]], names[one$from[2]],
         if (length(broken) > 1) "s" else "", some(broken), if (length(broken) > 1) "" else "s")
  }
}

combination_relations <- function(one, values, at, columns) {
  first <- which(!duplicated(values))
  lapply(one$from, function(j) {
    list(at = j, from = at, type = "level", keys = values[first], values = take(columns[[j]], first))
  })
}

# c(lower column, upper column) of each formula.
read_constraints <- function(constraints) {
  if (is.null(constraints)) return(list())
  if (inherits(constraints, "formula")) constraints <- list(constraints)
  lapply(constraints, function(one) {
    inside <- if (inherits(one, "formula") && length(one) == 2) one[[2]]
    sides <- if (is.call(inside) && length(inside) == 3) vapply(as.list(inside)[-1], is.name, NA)
    known <- !is.null(sides) && all(sides) && as.character(inside[[1]]) %in% c("<=", ">=")
    if (!known) fail("`constraints` must be formulas of two columns with <= or >=, such as ~ start <= end, not %s.",
                     deparse(one)[1])
    columns <- vapply(as.list(inside)[-1], as.character, "")
    if (as.character(inside[[1]]) == "<=") columns else rev(columns)
  })
}

check_combine <- function(combine) {
  if (is.null(combine)) return(list())
  if (is.character(combine)) combine <- list(combine)
  good <- is.list(combine) && all(vapply(combine, function(one) is.character(one) && length(one) >= 2, NA))
  if (!good) fail("`combine` must be a list of vectors of at least two column names, not %s.", describe(combine))
  combine
}

find_columns <- function(wanted, names, what) {
  at <- match(wanted, names)
  if (anyNA(at)) fail("`%s` names %s, but `x` has no such column.", what, quoted(wanted[is.na(at)]))
  at
}
