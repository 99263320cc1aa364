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

# [sum(dims)]
constant_coordinates <- function(table, block) {
  first <- match(block, block)
  column <- rep(seq_along(table$template$of), table$template$dims)
  same <- vapply(seq_len(ncol(table$low)), function(k) {
    all(table$low[, k] == table$low[first, k]) && all(table$high[, k] == table$high[first, k])
  }, NA)
  last <- cumsum(table$template$dims)[column] == seq_along(column)
  tells_missing <- last & !vapply(table$template$columns, function(one) is.null(one$missing), NA)[table$template$of][column]
  same | (table$template$constant[column] & !tells_missing)
}

# ---- columns that rise or fall within every block --------------------------------------------------------------------

# Columns of numbers or times with at most this many different values keep their order by the choice among these.
few_ordered_values <- 10L

ordered_columns <- function(rows, template, block) {
  sign <- integer(length(template$of))
  strict <- logical(length(template$of))
  many <- logical(length(template$of))
  determined <- vapply(template$relations, `[[`, 0L, "at")
  for (j in setdiff(seq_len(n_columns(template) - 2L), determined)) {
    numbers <- ordered_numbers(rows[[j]], template$columns[[template$of[j]]])
    if (is.null(numbers) || template$constant[j] || template$dims[j] != 1) next
    sign[j] <- order_sign(numbers, block)
    strict[j] <- !any(block_steps(numbers, block) == 0)
    many[j] <- is_measured(column_code(template$columns[[template$of[j]]])) &&
      length(unique(numbers)) > few_ordered_values
  }
  list(gap = which(sign != 0 & many), box = which(sign != 0 & !many), sign = sign, strict = strict)
}

# The values as numbers; NULL for levels without order, and for columns with missing values.
ordered_numbers <- function(values, column) {
  code <- column_code(column)
  if (is.null(code[["number"]]) || code$name == "nominal" || anyNA(values)) return(NULL)
  code$number(values, column$state)
}

block_steps <- function(numbers, block) diff(numbers)[diff(block) == 0]

# 1 if the numbers never fall within a block, -1 if they never rise, 0 if neither, or if this could be chance.
order_sign <- function(numbers, block) {
  steps <- block_steps(numbers, block)
  if (all(steps == 0) || (any(steps > 0) && any(steps < 0))) return(0L)
  runs <- unlist(lapply(split(numbers, block), function(one) tabulate(match(one, one))))
  log_chance <- sum(lgamma(runs + 1)) - sum(lgamma(tabulate(block) + 1))
  if (log_chance > log(most_chance)) 0L else if (any(steps > 0)) 1L else -1L
}

# The differences as a table of normal scores. Without a difference of 0, new ones are at least half of the least.
read_gaps <- function(rows, template, block, order) {
  if (!length(order$gap)) return(NULL)
  later <- which(diff(block) == 0)
  gaps <- lapply(order$gap, function(j) {
    numbers <- ordered_numbers(rows[[j]], template$columns[[template$of[j]]])
    (numbers[-1] - numbers[-length(numbers)])[later]
  })
  kinds <- lapply(seq_along(gaps), function(i) {
    nearest <- if (order$strict[order$gap[i]]) min(abs(gaps[[i]])) / 2 else 0
    if (order$sign[order$gap[i]] > 0) column_continuous(nearest, Inf) else column_continuous(-Inf, -nearest)
  })
  names <- template$names[order$gap]
  read_mixed_columns(new_frame(gaps, names, length(later)), stats::setNames(kinds, names), NULL, NULL, NULL)
}
