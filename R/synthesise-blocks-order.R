# Columns that rise or fall within every block.

# Columns of numbers or times with at most this many different values keep their order by the choice among these.
few_ordered_values <- 10L

ordered_columns <- function(rows, template, block) {
  sign <- integer(length(template$of))
  strict <- logical(length(template$of))
  many <- logical(length(template$of))
  determined <- vapply(template$relations, `[[`, 0L, "at")
  added <- n_columns(template) - 1:0
  for (j in setdiff(seq_along(template$of), c(added, determined))) {
    numbers <- ordered_numbers(rows, template, j)
    if (is.null(numbers) || template$constant[j] || template$dims[j] != 1) next
    sign[j] <- order_sign(numbers, block)
    strict[j] <- !any(block_steps(numbers, block) == 0)
    many[j] <- is_measured(column_code(template$columns[[template$of[j]]])) &&
      length(unique(numbers)) > few_ordered_values
  }
  list(gap = which(sign != 0 & many), box = which(sign != 0 & !many), sign = sign, strict = strict)
}

# The values of column j as numbers; NULL for levels without order, and for columns with missing values. columns: those
# that the user sees.
ordered_numbers <- function(columns, template, j) {
  column <- template$columns[[template$of[j]]]
  code <- column_code(column)
  if (is.null(code[["number"]]) || code$name == "nominal") return(NULL)
  seen <- n_columns(template)
  values <- if (j <= seen) columns[[j]] else
    hidden_values(template$hidden[[j - seen]], columns, lapply(template$columns, column_code)[template$of])
  if (!anyNA(values)) code$number(values, column$state)
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
    numbers <- ordered_numbers(rows, template, j)
    (numbers[-1] - numbers[-length(numbers)])[later]
  })
  kinds <- lapply(seq_along(gaps), function(i) {
    nearest <- if (order$strict[order$gap[i]]) min(abs(gaps[[i]])) / 2 else 0
    if (order$sign[order$gap[i]] > 0) column_continuous(nearest, Inf) else column_continuous(-Inf, -nearest)
  })
  names <- column_words_of(order$gap, template)
  read_mixed_columns(new_frame(gaps, names, length(later)), stats::setNames(kinds, names), NULL, NULL, NULL)
}
