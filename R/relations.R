# Exact relations between columns: a column that other columns determine has no coordinate, because a density does not
# exist along it. It is computed again from the other columns.

# A relation is a list of
#   at    the number of the column that is determined
#   from  the numbers of the columns that determine it
#   type  "level": `keys`, the words of the values of the column `from`, and `values`, one for each key. If `from` are
#         two columns, a key joins two words, which `words` lists for each of the two
#         "step": `cuts` and `values`: values[k] between the cuts k - 1 and k
#         "sum": constant + sum of `weights` times shape(column), where `shape` names one of number_shapes; `outer`, if
#         it is not NULL, names the function of this sum. `otherwise`, if it is not NULL, is the number of the column
#         whose values are taken where the first column of `from` is missing

# columns: a list of vectors. kinds: the kind of each. fixed: columns that may determine others, but stay as they are.
# hidden: those of `fixed` that the user does not see. partial: those that determine no others. The relations are in the
# order in which they are computed: a column may determine another one and be determined itself by a third.
find_relations <- function(columns, kinds, fixed = integer(), hidden = integer(), partial = integer()) {
  relations <- list()
  free <- setdiff(which(vapply(kinds, can_relate, NA)), partial)
  left <- function() setdiff(free, vapply(relations, `[[`, 0L, "at"))
  add <- function(found) if (!is.null(found)) relations <<- c(list(found), relations)
  # in a sorted table a column changes at cuts of the number of the row, which says nothing of other rows
  numbering <- Filter(function(j) numbers_rows(columns[[j]]), free)
  for (at in rev(setdiff(free, fixed))) {
    sources <- setdiff(left(), c(at, numbering))
    found <- level_relation(at, sources, columns, kinds)
    if (is.null(found)) found <- step_relation(at, sources, columns, kinds)
    add(if (is.null(found)) crossed_relation(at, setdiff(sources, hidden), columns, kinds) else found)
  }
  numbers <- vector("list", length(columns))
  numbers[left()] <- lapply(left(), function(j) exact_number(columns, kinds, j))
  recorded <- vapply(numbers, function(x) !is.null(x) && is_recorded(x), NA)
  for (turn in shape_turns) {
    for (at in rev(setdiff(left(), fixed))) {
      if (is.null(numbers[[at]]) || !recorded[at] %in% turn$recorded) next
      own <- turn$ends(columns, kinds, at)
      add(shape_relation(at, setdiff(left(), at), numbers, columns, kinds, own))
    }
  }
  relations <- c(sum_relations(setdiff(left(), hidden), columns, kinds, fixed), relations)
  c(rounded_relations(setdiff(left(), hidden), columns, kinds, fixed), relations)
}

# The relations between three numbers that hold up to rounding.
rounded_relations <- function(free, columns, kinds, fixed) {
  numbers <- lapply(free, function(j) exact_number(columns, kinds, j, least = 3))
  some <- which(!vapply(numbers, is.null, NA))
  if (length(some) < 2 || length(columns[[1]]) < 20) return(list())
  at <- free[some]
  many <- vapply(at, function(j) !is.null(exact_number(columns, kinds, j)), NA)
  x <- matrix(unlist(numbers[some]), length(columns[[1]]))
  ends <- vapply(at, function(j) number_ends(columns, kinds, j), c(0, 0))
  lapply(pair_relations(x, ends, which(many & !at %in% fixed)), function(one) {
    one[c("at", "from")] <- list(at[one$at], at[one$from])
    one
  })
}

# The relations in an order in which all columns that determine another one are known before it.
order_relations <- function(relations) {
  ordered <- list()
  while (length(relations)) {
    open <- vapply(relations, `[[`, 0L, "at")
    ready <- !vapply(relations, function(one) any(one$from %in% open), NA)
    if (!any(ready)) fail("`constraints` go in a circle: each column would be the upper end of another one.")
    ordered <- c(ordered, relations[ready])
    relations <- relations[!ready]
  }
  ordered
}

# A level that implies a value: the same value in all rows of each level.
level_relation <- function(at, sources, columns, kinds) {
  target <- columns[[at]]
  n <- length(target)
  to <- match(target, unique(target))
  shares <- tabulate(to) / n
  if (length(shares) < 2 || length(shares) > n / 3) return(NULL)
  probe <- probe_rows(n)
  for (from in sources[vapply(kinds[sources], has_levels, NA)]) {
    seen <- take(columns[[from]], probe)
    if (any(to[probe] != to[probe][match(seen, seen)])) next
    code <- match(columns[[from]], unique(columns[[from]]))
    first <- which(!duplicated(code))
    if (length(first) < length(shares) || !is_no_chance(n - length(first), shares)) next
    if (all(to == to[first][code])) {
      return(list(at = at, from = from, type = "level", keys = value_words(take(columns[[from]], first)),
                  values = take(target, first)))
    }
  }
}

# A value that changes only at cuts of a number.
step_relation <- function(at, sources, columns, kinds) {
  target <- columns[[at]]
  n <- length(target)
  to <- match(target, unique(target))
  counts <- tabulate(to)
  if (length(counts) < 2 || length(counts) > 10 || n < 10 * length(counts)) return(NULL)
  probe <- probe_rows(n)
  for (from in sources[vapply(kinds[sources], is_measured, NA)]) {
    number <- function(values) kinds[[from]]$number(values, kept_attributes_state(columns[[from]]))
    few <- order(number(take(columns[[from]], probe)))
    if (sum(diff(to[probe][few]) != 0) > length(counts) - 1) next
    x <- number(columns[[from]])
    if (anyNA(x) || anyNA(target)) next
    order <- order(x)
    changes <- which(diff(to[order]) != 0)
    if (length(changes) != length(counts) - 1 || any(diff(x[order])[changes] == 0)) next
    if (!is_no_chance(n - 2 * length(counts), counts / n)) next
    ends <- c(changes, n)
    cuts <- mapply(roundest_between, x[order][changes], x[order][changes + 1])
    return(list(at = at, from = from, type = "step", cuts = cuts, values = take(target, order[ends])))
  }
}

number_shapes <- list(
  identity = identity, log = log, log1p = log1p, sqrt = sqrt, square = function(x) x^2, inverse = function(x) 1 / x,
  exp = exp
)

# Which column of two is computed. A logarithm has no recorded unit, so it is computed from the recorded number. Among
# columns of which none or both are recorded, that one is computed whose ends hold by themselves.
#   recorded  whether the column that is computed may have a recorded unit
#   ends      function that returns the ends that must hold by themselves
shape_turns <- list(
  list(recorded = FALSE, ends = function(columns, kinds, at) number_ends(columns, kinds, at)),
  list(recorded = FALSE, ends = function(columns, kinds, at) given_ends(kinds[[at]])),
  list(recorded = TRUE, ends = function(columns, kinds, at) number_ends(columns, kinds, at)),
  list(recorded = c(FALSE, TRUE), ends = function(columns, kinds, at) c(-Inf, Inf))
)

# A number that is a constant plus a multiple of a function of one other number, and that stays within the ends `own`.
# numbers: what exact_number() says of each column.
shape_relation <- function(at, sources, numbers, columns, kinds, own) {
  y <- numbers[[at]]
  sources <- sources[!vapply(numbers[sources], is.null, NA)]
  if (is.null(y) || !length(sources)) return(NULL)
  probe <- c(which.min(y), which.max(y), which.min(abs(y - (min(y, na.rm = TRUE) / 2 + max(y, na.rm = TRUE) / 2))))
  seen <- vapply(numbers[sources], `[`, c(0, 0, 0), probe)
  maybe <- vapply(number_shapes, function(shape) on_line(suppressWarnings(shape(seen)), y[probe]), logical(ncol(seen)))
  for (k in which(maybe)) {
    from <- sources[(k - 1) %% length(sources) + 1]
    shape <- names(number_shapes)[(k - 1) %/% length(sources) + 1]
    x <- numbers[[from]]
    fit <- if (identical(is.na(x), is.na(y))) exact_line(suppressWarnings(number_shapes[[shape]](x)), y)
    if (is.null(fit)) next
    relation <- list(at = at, from = from, type = "sum", shape = shape, constant = fit[1], weights = fit[2])
    if (is_inside(relation_reach(relation, list(number_ends(columns, kinds, from))), own)) return(relation)
  }
}

# Numbers of a column that takes many values, NULL for other columns.
exact_number <- function(columns, kinds, j, least = max(10, length(columns[[j]]) / 20)) {
  if (!is_measured(kinds[[j]])) return(NULL)
  x <- kinds[[j]]$number(columns[[j]], kept_attributes_state(columns[[j]]))
  if (length(unique(x)) > least) x
}

# The ends of the values of a column.
number_ends <- function(columns, kinds, j) {
  x <- kinds[[j]]$number(columns[[j]], kept_attributes_state(columns[[j]]))
  if (is.null(kinds[[j]][["ends"]])) c(-Inf, Inf) else kinds[[j]]$ends(x[!is.na(x)])
}

# The ends that the user gave for a column, infinite if there are none. The two values show no end of their own.
given_ends <- function(kind) if (is.null(kind[["ends"]])) c(-Inf, Inf) else kind$ends(c(-1, 101))

# Whether numbers are multiples of a unit.
is_recorded <- function(x) {
  x <- x[!is.na(x)]
  !is.null(recorded_unit(x[round(seq(1, length(x), length.out = min(1000, length(x))))]))
}

# Warns of ends that the user gave for a computed column and that the columns that determine it do not keep.
# relations: in the order in which they are computed.
warn_of_ends <- function(relations, columns, kinds, names) {
  ends <- lapply(seq_along(kinds), function(j) if (is_measured(kinds[[j]])) number_ends(columns, kinds, j))
  for (relation in Filter(function(one) one$type == "sum", relations)) {
    at <- relation$at
    ends[[at]] <- relation_reach(relation, ends[relation$from])
    given <- given_ends(kinds[[at]])
    if (is_inside(ends[[at]], given)) next
    warning(sprintf("The ends that `columns` gives for \"%s\" are not kept, because it is computed from %s.", names[at],
                    paste(names[relation$from], collapse = ", ")), call. = FALSE)
  }
}

# The ends of a sum. ends: a list of those of its terms.
relation_reach <- function(relation, ends) {
  terms <- Map(function(weight, own) {
    # squares and inverses have their ends near 0
    points <- c(own, if (own[1] < 0 && own[2] > 0) c(-1e-300, 1e-300))
    range(weight * suppressWarnings(number_shapes[[relation$shape]](points)), na.rm = TRUE)
  }, relation$weights, ends)
  reach <- relation$constant + Reduce(`+`, terms)
  if (is.null(relation$outer)) reach else number_shapes[[relation$outer]](reach)
}

is_inside <- function(reach, ends) reach[1] >= ends[1] && reach[2] <= ends[2]

kept_attributes_state <- function(values) as.list(kept_attributes(values))

# [k]: whether three points may lie on a line: the quick test that spares most others. x [3, k], y [3].
on_line <- function(x, y) {
  near <- abs((x[3, ] - x[1, ]) / (x[2, ] - x[1, ]) - (y[3] - y[1]) / (y[2] - y[1])) < 1e-4
  !is.na(near) & near
}

# c(constant, weight) if y = constant + weight * x in all rows, otherwise NULL.
exact_line <- function(x, y) {
  known <- which(!is.na(y))
  if (length(known) < 10 || !all(is.finite(x[known]))) return(NULL)
  ends <- known[c(which.min(x[known]), which.max(x[known]))]
  if (x[ends[1]] == x[ends[2]]) return(NULL)
  weight <- (y[ends[2]] - y[ends[1]]) / (x[ends[2]] - x[ends[1]])
  constant <- y[ends[1]] - weight * x[ends[1]]
  error <- abs(constant + weight * x[known] - y[known])
  good <- is.finite(weight) && is.finite(constant) && weight != 0
  if (good && all(error <= 1e-9 * max(abs(y[known])))) c(constant, weight)
}

# At most this many columns in one sum.
most_terms <- 6L

# Numbers that are sums of multiples of other numbers: totals, differences. A column with ends that the user gave is
# not computed, if the ends of all other columns then hold by themselves.
sum_relations <- function(free, columns, kinds, fixed) {
  bounded <- Filter(function(j) is_measured(kinds[[j]]) && any(is.finite(given_ends(kinds[[j]]))), free)
  if (length(bounded)) {
    found <- ordered_sums(free, columns, kinds, fixed, bounded)
    holds <- vapply(found, function(one) {
      reach <- relation_reach(one, lapply(one$from, function(j) number_ends(columns, kinds, j)))
      is_inside(reach, number_ends(columns, kinds, one$at))
    }, NA)
    if (all(holds)) return(found)
  }
  ordered_sums(free, columns, kinds, fixed, integer())
}

# kept: columns that are computed only if no other one of their sum can be.
ordered_sums <- function(free, columns, kinds, fixed, kept) {
  numbers <- lapply(free, function(j) exact_number(columns, kinds, j, least = 3))
  some <- which(!vapply(numbers, is.null, NA))
  if (length(some) < 3) return(list())
  x <- matrix(unlist(numbers[some]), length(columns[[1]]))
  at <- free[some]
  # later columns are expressed by earlier ones: those without a lower end by those with one, and totals by their parts
  largest <- apply(abs(x), 2, max, na.rm = TRUE)
  first <- order(!at %in% fixed, !at %in% kept, apply(x, 2, min, na.rm = TRUE) < 0, largest)
  x <- x[, first, drop = FALSE]
  at <- at[first]
  rows <- which(stats::complete.cases(x))
  if (length(rows) < 20 + 3 * length(at)) return(list())
  spread <- apply(x[rows, , drop = FALSE], 2, stats::sd)
  spread[spread == 0] <- 1 # a column that varies in other rows only
  centre <- colMeans(x[rows, , drop = FALSE])
  fit <- qr(sweep(sweep(x[rows, , drop = FALSE], 2, centre), 2, spread, "/"), tol = 1e-9)
  if (fit$rank == length(at)) return(list())
  base <- fit$pivot[seq_len(fit$rank)]
  found <- lapply(setdiff(which(!at %in% fixed), base), function(j) {
    weights <- qr.coef(fit, (x[rows, j] - centre[j]) / spread[j])[base]
    used <- base[abs(weights) > 1e-6]
    if (!length(used) || length(used) > most_terms) return(NULL)
    weights <- nearly_round(weights[match(used, base)] * spread[j] / spread[used]) # in the units of the columns
    part <- drop(x[, used, drop = FALSE] %*% weights)
    constant <- nearly_round(mean(x[rows, j] - part[rows]))
    near <- max(1e-9 * diff(range(x[rows, j])), 1e-14 * max(abs(x[rows, c(used, j)])))
    same <- identical(is.na(part), is.na(x[, j])) && all(abs(constant + part - x[, j]) <= near, na.rm = TRUE)
    if (same) list(at = at[j], from = at[used], type = "sum", shape = "identity", constant = constant,
                   weights = weights)
  })
  found[!vapply(found, is.null, NA)]
}

# Numbers within 1e-8 of a multiple of 1/1000 as this multiple.
nearly_round <- function(x) ifelse(abs(x - round(x, 3)) < 1e-8 * pmax(1, abs(x)), round(x, 3), x)

# The values of the determined column. columns: the list of all columns. column: the fitted column.
relation_values <- function(relation, columns, column, codes) {
  from <- columns[relation$from]
  if (relation$type == "level") {
    return(take(relation$values, match(joined_words(lapply(from, value_words)), relation$keys)))
  }
  if (relation$type == "step") {
    number <- source_numbers(relation, columns, codes)[[1]]
    return(take(relation$values, findInterval(number, relation$cuts) + 1L))
  }
  sum <- relation_number(relation, columns, codes)
  unit <- column$state$margin$unit
  column_code(column)$back(if (is.null(unit)) sum else to_unit(sum, unit), column$state)
}

source_numbers <- function(relation, columns, codes) {
  Map(function(values, code) code$number(values, kept_attributes_state(values)), columns[relation$from],
      codes[relation$from])
}

# [n]: a sum before it is rounded to the unit of its column.
relation_number <- function(relation, columns, codes) {
  numbers <- source_numbers(relation, columns, codes)
  shape <- number_shapes[[relation$shape]]
  sum <- relation$constant
  for (k in seq_along(numbers)) sum <- sum + relation$weights[k] * shape(numbers[[k]])
  other <- relation$otherwise
  if (!is.null(other)) {
    rows <- which(is.na(numbers[[1]]))
    sum[rows] <- codes[[other]]$number(columns[[other]], kept_attributes_state(columns[[other]]))[rows]
  }
  if (is.null(relation$outer)) sum else number_shapes[[relation$outer]](sum)
}

# [n]: whether the determined column has the value that the others give it. Sums are right up to rounding. complete: no
# row of the table lacks one of these values. Then a missing value breaks nothing, and NA says that a known value would
# restrict a missing one.
relation_holds <- function(relation, columns, column, codes, complete) {
  given <- columns[[relation$at]]
  if (relation$type == "sum") {
    due <- relation_number(relation, columns, codes)
    own <- codes[[relation$at]]$number(given, column$state)
    unit <- column$state$margin$unit
    near <- if (is.null(unit)) 1e-8 * max(abs(own), abs(due), 0, na.rm = TRUE) else unit$size / 2 * (1 + 1e-6)
    same <- abs(own - due) <= near
  } else {
    due <- relation_values(relation, columns, column, codes)
    same <- value_words(given) == value_words(due)
  }
  if (complete) return(ifelse(is.na(given), TRUE, same))
  ifelse(is.na(given) | is.na(due), is.na(given) & is.na(due), same)
}

# A few words for print().
describe_relation <- function(relation, names) {
  from <- paste(names[relation$from], collapse = ", ")
  sprintf("%s from %s", names[relation$at], from)
}
