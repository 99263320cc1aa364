# Imputed values of columns whose order was declared in `constraints`.

# columns, given: lists of the drawn and of the given values of the same rows. Of two ordered columns one is computed
# from the other one and a drawn gap. Where only the computed one is known, the other one gets this gap to it. Then the
# computed ones that are missing follow the known ones.
solve_ordered <- function(columns, given, template) {
  gaps <- Filter(function(one) {
    one$type == "sum" && length(one$from) == 2 && one$from[2] > length(columns)
  }, template$relations)
  at <- unique(unlist(lapply(gaps, function(one) c(one$at, one$from[1]))))
  codes <- lapply(template$columns, column_code)[template$of]
  state <- function(j) template$columns[[template$of[j]]]$state
  drawn <- known <- vector("list", length(columns))
  drawn[at] <- lapply(at, function(j) codes[[j]]$number(columns[[j]], state(j)))
  known[at] <- lapply(at, function(j) as.double(codes[[j]]$number(given[[j]], state(j))))
  for (one in rev(gaps)) { # the last column of a chain comes first
    j <- one$from[1]
    below <- Find(function(other) other$at == j, gaps)
    moved <- moved_base(one, drawn, known, state(j)$margin$ends)
    if (!is.null(below)) moved <- in_order(moved, known[[below$from[1]]], -below$weights[2])
    known[[j]] <- ifelse(is.na(known[[j]]), moved, known[[j]])
  }
  for (one in gaps) { # what is still missing
    j <- one$from[1]
    base <- ifelse(is.na(known[[j]]), drawn[[j]], known[[j]])
    moved <- in_order(drawn[[one$at]] + (base - drawn[[j]]), base, -one$weights[2])
    known[[j]] <- base
    known[[one$at]] <- ifelse(is.na(known[[one$at]]), moved, known[[one$at]])
  }
  columns[at] <- lapply(at, function(j) codes[[j]]$back(known[[j]], state(j)))
  columns
}

# The other column of a constraint with the drawn gap to the known computed column. Where this is beyond the ends of the
# column, it keeps its drawn value, if the order allows this. NA: the computed column is not known.
moved_base <- function(relation, drawn, known, ends) {
  base <- drawn[[relation$from[1]]]
  moved <- known[[relation$at]] - (drawn[[relation$at]] - base)
  beyond <- if (!is.null(ends)) which(moved < ends[1] | moved > ends[2])
  moved[beyond] <- base[beyond]
  in_order(moved, known[[relation$at]], relation$weights[2])
}

# numbers, but none above the number `end` if `sign` is 1, and none below it if it is -1. end: NA for no end.
in_order <- function(numbers, end, sign) {
  if (sign > 0) pmin(numbers, ifelse(is.na(end), Inf, end)) else pmax(numbers, ifelse(is.na(end), -Inf, end))
}
