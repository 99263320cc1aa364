# Missing values that another column tells: a column that is missing in all rows of a level, or beyond a cut of a
# number.

# A rule is a list of
#   from    the number of the column that tells
#   keys    the words of its levels that go with missing values
#   others  those of its other levels
#   cut     in place of keys and others, for numbers: missing values go with numbers of at least `cut`,
#   above   if this is TRUE, and with numbers below `cut`, if it is FALSE
#   both    whether the column has no other missing values

# For each column its rule, or NULL. flags: what missing_flags() says. first: what same_missing() says; a rule of a
# column holds for those that are missing in the same rows, too. sources: columns that may tell. constant: NULL, or for
# each column whether it is constant within blocks. A column with a rule tells of no other one.
missing_rules <- function(flags, columns, kinds, first, sources, constant = NULL) {
  rules <- vector("list", length(columns))
  leader <- ifelse(is.na(first), seq_along(first), first)
  telling <- integer()
  ends <- extreme_rows(sources, columns, kinds)
  told <- which(is.na(first) & vapply(flags, function(gone) !anyNA(gone) && may_be_told(gone), NA))
  for (j in told) {
    if (j %in% telling) next
    open <- sources[leader[sources] != j & vapply(rules[leader[sources]], is.null, NA)]
    if (any(constant[leader == j])) open <- open[constant[open]]
    lost <- colSums(array(!flags[[j]][ends], dim(ends)), na.rm = TRUE) == 0 # 0 for levels, too
    maybe <- sources[colSums(lost) > 0]
    found <- missing_rule(flags[[j]], intersect(open, maybe), columns, kinds)
    if (is.null(found)) next
    rules[[j]] <- found
    telling <- c(telling, leader[found$from])
  }
  rules
}

# The columns that may tell: levels and numbers, but not the number of the row (see find_relations()).
telling_columns <- function(columns, kinds) {
  Filter(function(j) has_levels(kinds[[j]]) || (is_measured(kinds[[j]]) && !numbers_rows(columns[[j]])),
         seq_along(columns))
}

# A rule needs more rows than this, because (1/2)^20 is about 1e-6.
fewest_told <- 20L

# [fewest_told, 2, sources]: the rows of the least and of the largest values of a number. A rule at a cut can only hold
# if the values of one end are missing. For other columns: NA.
extreme_rows <- function(sources, columns, kinds) {
  rows <- vapply(sources, function(j) {
    if (has_levels(kinds[[j]])) return(rep(NA_integer_, 2L * fewest_told))
    order <- order(kinds[[j]]$number(columns[[j]], kept_attributes_state(columns[[j]])), na.last = NA)
    if (length(order) < fewest_told) return(rep(NA_integer_, 2L * fewest_told))
    c(order[seq_len(fewest_told)], rev(order)[seq_len(fewest_told)])
  }, integer(2L * fewest_told))
  array(rows, c(fewest_told, 2L, length(sources)))
}

# Whether all rows that lack a value would be enough for a rule.
may_be_told <- function(gone) any(gone) && !all(gone) && tells_missing_rows(sum(gone), mean(gone))

# Whether this many rows are not all missing by chance: the rule of the relations, and, because the value that they
# share is a missing one, also share^rows < most_chance.
tells_missing_rows <- function(rows, share) {
  is_no_chance(rows - 1, c(share, 1 - share)) & (rows - 1) * -log(share) > -log(most_chance)
}

# The rule that tells most rows.
missing_rule <- function(gone, sources, columns, kinds) {
  best <- NULL
  most <- 0L
  for (from in sources) {
    rule <- if (has_levels(kinds[[from]])) level_rule(gone, columns[[from]]) else {
      cut_rule(gone, kinds[[from]]$number(columns[[from]], kept_attributes_state(columns[[from]])))
    }
    if (is.null(rule) || rule$rows <= most) next
    most <- rule$rows
    best <- c(list(from = from), rule[names(rule) != "rows"], list(both = most == sum(gone)))
  }
  best
}

# A level counts by itself. All levels count if none of them has both missing and other values.
level_rule <- function(gone, values) {
  words <- value_words(values)
  levels <- unique(words)
  code <- match(words, levels)
  rows <- tabulate(code, length(levels))
  lost <- tabulate(code[gone], length(levels))
  pure <- lost == rows
  share <- mean(gone)
  sure <- pure & tells_missing_rows(rows, share)
  if (all(pure | lost == 0) && is_no_chance(length(gone) - length(levels), c(share, 1 - share))) sure <- pure
  if (any(sure)) list(keys = levels[sure], others = levels[!sure], rows = sum(rows[sure]))
}

# x: numbers, which may be missing.
cut_rule <- function(gone, x) {
  kept <- x[!gone & !is.na(x)]
  if (!length(kept)) return(NULL)
  low <- which(x < min(kept))
  high <- which(x > max(kept))
  above <- length(high) > length(low)
  rows <- if (above) length(high) else length(low)
  if (!rows || !tells_missing_rows(rows, mean(gone))) return(NULL)
  cut <- if (above) roundest_between(max(kept), min(x[high])) else roundest_between(max(x[low]), min(kept))
  list(cut = cut, above = above, rows = rows)
}

# [n]: whether a rule says that the value is missing. Where the column that tells is missing, it says nothing, unless
# missing is one of its levels.
rule_rows <- function(rule, columns, codes) {
  values <- columns[[rule$from]]
  if (!is.null(rule$keys)) return(value_words(values) %in% rule$keys)
  x <- codes[[rule$from]]$number(values, kept_attributes_state(values))
  !is.na(x) & (x >= rule$cut) == rule$above
}

# The flags of missing_flags(), NA where a rule says that the value is missing, so that the indicator need not.
untold_flags <- function(flags, rules, columns, codes) {
  for (j in which(!vapply(rules, is.null, NA))) flags[[j]][rule_rows(rules[[j]], columns, codes)] <- NA
  flags
}

# [n]: -Inf for rows that break a rule, and NA where a column that tells is missing though it never was in the table.
# Otherwise 0. whole: whether each column had no missing values.
rule_margin <- function(flags, rules, columns, codes, whole) {
  total <- numeric(length(flags[[1]]))
  for (j in which(!vapply(rules, is.null, NA))) {
    rule <- rules[[j]]
    rows <- rule_rows(rule, columns, codes)
    total[(rows & !flags[[j]]) | (rule$both & !rows & flags[[j]])] <- -Inf
    if (whole[rule$from]) total[is.na(columns[[rule$from]])] <- NA
  }
  total
}

# A few words for print(). values: the names of the columns that are missing.
describe_rule <- function(rule, names, values) {
  what <- if (is.null(rule$keys)) {
    paste(if (rule$above) ">=" else "<", format(rule$cut, digits = 7))
  } else {
    paste("is", paste(ifelse(is.na(rule$keys), "missing", rule$keys), collapse = " or "))
  }
  sprintf("%s %s %s %s", paste(values, collapse = ", "), if (rule$both) "where and only where" else "where",
          names[rule$from], what)
}
