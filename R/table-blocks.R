# The structure of blocks of rows: columns that are constant within blocks, follow the number of the row, or rise.

# What read_mixed_columns() is told of blocks: constant [p], whether a column is the same in all rows of each block;
# relations, those of columns that the number of the row determines; fixed, columns that no others determine.
block_structure <- function(columns, names, design) {
  constant <- vapply(columns, is_constant_within, NA, block = design$block)
  at <- match(design$added[1], names)
  number <- columns[[at]]
  free <- setdiff(which(!constant), at)
  relations <- lapply(free, function(j) numbered_relation(columns[[j]], j, number, at))
  relations <- relations[!vapply(relations, is.null, NA)]
  list(constant = constant, first = which(number == 1), relations = relations,
       fixed = c(match(design$added, names), vapply(relations, `[[`, 0L, "at")))
}

is_constant_within <- function(values, block) {
  words <- value_words(values)
  code <- match(words, unique(words))
  all(code == code[match(block, block)])
}

# A column whose value is the same in all rows of the same number, such as the planned day of a visit.
numbered_relation <- function(values, j, number, at) {
  words <- value_words(values)
  code <- match(words, unique(words))
  first <- which(!duplicated(number))
  agrees <- all(code == code[first][match(number, number[first])])
  if (!agrees || !is_no_chance(length(code) - length(first), tabulate(code) / length(code))) return(NULL)
  list(at = j, from = at, type = "level", keys = value_words(number[first]), values = take(values, first))
}

# Relations by which no column that is constant in blocks is computed from one that is not.
keep_constant <- function(relations, constant) {
  Filter(function(one) !constant[one$at] || all(constant[one$from]), relations)
}

check_bounds_of_blocks <- function(template) {
  for (one in template$relations) {
    if (!template$constant[one$at] || all(template$constant[one$from])) next
    fail("`constraints` and `combine` cannot join \"%s\", which is constant within blocks, to columns that are not.",
         template$names[one$at])
  }
}

# [sum(dims)]: whether a coordinate is the same in all rows of each block.
constant_coordinates <- function(table, block) {
  first <- match(block, block)
  same <- vapply(seq_len(ncol(table$low)), function(k) {
    all(table$low[, k] == table$low[first, k]) && all(table$high[, k] == table$high[first, k])
  }, NA)
  same | (rep(table$template$constant, table$template$dims) & !tells_missing(table$template))
}

# [sum(dims)]: whether a coordinate says that a value is missing.
tells_missing <- function(template) {
  lacks <- !vapply(template$columns, function(column) is.null(column[["missing"]]), NA)[template$of]
  owner <- rep(seq_along(template$of), template$dims)
  lacks[owner] & cumsum(template$dims)[owner] == seq_along(owner)
}

# The scores of some rows and their cells.
pick_scores <- function(table, rows) {
  stats::setNames(lapply(scores_of, function(part) unname(table[[part]])[rows, , drop = FALSE]), scores_of)
}

scores_of <- c("points", "low", "high")
