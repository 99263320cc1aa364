# Tables with columns of every kind and missing values, read as normal scores.

# points [n, sum(dims)]: the scores, NA where a value is missing. low, high: their cells. margin [n]: what is added to
# the log-density. group, grouped, template: as in read_table(); the template also has `open`, the share of the rows in
# which each score has a cell. columns: a named list of kinds that replace those that were found. id: names of columns
# that get new identifiers. design: NULL, or for whole blocks list(block, added): the block of each row, and the names
# of the columns of the number of the row and of the size of the block.
read_mixed <- function(x, group, columns = list(), id = NULL, constraints = NULL, combine = NULL, design = NULL) {
  x <- plain_table(x, "x", mixed = TRUE)
  check_extent(x, "x", 2L)
  grouped <- !is.null(group)
  if (grouped) {
    found <- find_label(group, x, "group")
    label <- read_label(found, nrow(x), "group")
    check_class_sizes(label$group)
  }
  form <- form_of(x)
  rows <- drop_columns(x, if (grouped) found$position)
  read <- read_mixed_columns(rows, columns, id, constraints, combine, design)
  read$template$form <- form
  if (!any(varying(read$template))) fail("`x` has no column that varies; there is nothing to learn from equal rows.")
  if (grouped) {
    if (is.null(label$label$name)) label$label$name <- free_name("group", column_names(x))
    read$template$group <- label$label
  }
  c(read[c("points", "low", "high", "margin", "template")],
    list(group = if (grouped) label$group else factor(rep("all", nrow(x))), grouped = grouped))
}

read_mixed_columns <- function(x, columns, id, constraints, combine, design = NULL) {
  names <- column_names(x)
  kinds <- mixed_kinds(x, names, with_identifiers(columns, id, names))
  left_out <- which(vapply(kinds, is.null, NA))
  if (length(left_out)) {
    left <- names[left_out]
    x <- if (is.data.frame(x)) drop_columns(x, left_out) else x[, -left_out, drop = FALSE]
    names <- column_names(x)
    kinds <- kinds[-left_out]
    if (!length(kinds)) fail("`x` has only columns of words that hardly occur twice; there is nothing to learn from.")
  }
  columns <- lapply(seq_along(kinds), function(j) column_at(x, j))
  all <- hide_columns(lapply(columns, unbox), kinds, names, constraints, combine, design$block)
  unseen <- length(kinds) + seq_along(all$hidden)
  fixed <- c(unlist(lapply(all$hidden, `[[`, "from")), unseen)
  within <- if (!is.null(design)) block_structure(all$columns, names, design)
  fixed <- c(fixed, within$fixed)
  found <- find_relations(all$columns, all$kinds, fixed, unseen, all$partial)
  if (!is.null(design)) found <- keep_constant(found, within$constant)
  relations <- order_relations(c(all$relations, within$relations, found))
  kinds <- all$kinds
  columns <- c(columns, all$columns[-seq_along(columns)])
  names_of_all <- if (length(all$hidden)) c(names, vapply(all$hidden, `[[`, "", "name")) else names
  warn_of_ends(relations, all$columns, all$kinds, names_of_all)
  determined <- vapply(relations, `[[`, 0L, "at")
  flags <- missing_flags(all$columns, all$hidden)
  missing_as <- same_missing(flags, determined)
  telling <- setdiff(telling_columns(all$columns, kinds), c(determined, unseen))
  rules <- missing_rules(flags, all$columns, kinds, missing_as, telling, within$constant)
  flags <- untold_flags(flags, rules, all$columns, kinds)
  models <- model_values(columns, all$hidden)
  read <- function(j, others = NULL) {
    numbers <- if (!is.null(others)) determined_scores(j, relations, all$columns, kinds)
    read_mixed_column(columns[[j]], column_name(names_of_all, j), kinds[[j]], j, others, j %in% determined, flags[[j]],
                      missing_as[j], rules[[j]], models[[j]], if (isTRUE(within$constant[j])) within$first, numbers)
  }
  found <- lapply(seq_along(kinds), read)
  found <- read_with_others(columns, found, kinds, determined, read)
  scores <- join_scores(lapply(found, `[[`, "scores"))
  range <- apply(scores$points, 2, function(z) range(z, na.rm = TRUE))
  template <- new_template(x, names, found, coordinate_counts(found), range)
  template$scores <- TRUE
  template$open <- colMeans(scores$high > scores$low)
  template$relations <- relations
  template$hidden <- all$hidden
  template[c("constant", "first")] <- within[c("constant", "first")]
  if (length(left_out)) template$left_out <- left
  numbered <- vapply(seq_along(names), function(j) {
    !j %in% fixed && found[[j]]$column$dim > 0 && numbers_rows(unbox(column_at(x, j)))
  }, NA)
  template$row_numbers <- names[numbered]
  scores$points <- with_dimnames(scores$points, list(row_labels(x), coordinate_names(names_of_all, template$dims)))
  c(scores, list(template = template))
}

with_identifiers <- function(columns, id, names) {
  if (is.null(id)) return(columns)
  if (!is.character(id) || anyNA(id)) fail("`id` must name columns of `x`, not %s.", describe(id))
  unknown <- setdiff(id, names)
  if (length(unknown)) fail("`id` names %s, but `x` has no such column.", quoted(unknown))
  columns[id] <- list(column_identifier())
  columns
}

# The kind of each column: the one that the user gave, otherwise the first one that reads it. NULL: the column names
# the rows and is left out.
mixed_kinds <- function(x, names, columns) {
  usual <- column_kinds(scores = TRUE)
  check_kinds(columns)
  unknown <- setdiff(names(columns), names)
  if (length(unknown)) fail("`columns` names %s, but `x` has no such column.", quoted(unknown))
  lapply(seq_len(ncol(x)), function(j) {
    values <- unbox(column_at(x, j))
    kind <- if (!is.null(names)) columns[[names[j]]]
    if (is.null(kind) && names_rows(values)) return(NULL)
    if (is.null(kind)) kind <- column_kind_of(values, usual)
    if (is.null(kind)) refuse_kind(values, column_name(names, j))
    if (!is.null(kind[["number"]])) in_column(column_name(names, j), "x", check_no_infinite(values))
    kind
  })
}

check_kinds <- function(columns) {
  named <- is.list(columns) && (length(columns) == 0 || (!is.null(names(columns)) && all(nzchar(names(columns)))))
  if (!named) fail("`columns` must be a list of kinds by column name, not %s.", describe(columns))
  for (name in names(columns)) {
    if (!inherits(columns[[name]], "column_kind")) {
      fail("`columns` must hold kinds such as column_count(), but \"%s\" is %s.", name, describe(columns[[name]]))
    }
  }
}

# One column as read_column() returns it. stream: the number of its uniform numbers. determined: whether other columns
# determine it, so that it has no coordinate. gone: what the indicator says. missing_as: the number of an earlier column
# that is missing in the same rows, or NA. rule: the rule that tells missing values, or NULL. model, rows: the values to
# which the kind is fitted, and those of their rows; NULL: all. numbers: what determined_scores() returns.
read_mixed_column <- function(values, name, kind, stream, others, determined, gone, missing_as, rule, model,
                              rows = NULL, numbers = NULL) {
  box <- box_of(values)
  values <- unbox(values)
  model <- unbox(model)
  if (is.null(rows)) rows <- seq_along(values)
  rows <- rows[!is.na(model)[rows]]
  known <- known_values(model, rows)
  same <- kind$name != "identifier" && (length(known) == 0 || is_one_value(known))
  column <- if (same) fit_column(column_constant(), if (length(known)) known else values) else {
    in_column(name, "x", fit_column(kind, known, if (!is.null(others)) others[rows, , drop = FALSE],
                                    if (!is.null(numbers)) numbers[rows, , drop = FALSE]))
  }
  if (determined) {
    column$dim <- 0L
    none <- matrix(0, length(values), 0)
    return(list(column = column, z = numeric(), key = NA_character_, box = box,
                scores = list(points = none, low = none, high = none, margin = numeric(length(values)))))
  }
  column$rule <- rule
  if (any(gone, na.rm = TRUE) && length(known)) {
    told <- as.double(gone[!is.na(gone)])
    if (!is.na(missing_as)) column$leader <- missing_as else column$missing <- fit_margin(told, only = TRUE)
  }
  scores <- in_column(name, "x", score_values(column, values, length(values), stream, gone = gone))
  column$dim <- ncol(scores$points)
  list(column = column, z = as.vector(scores$points), key = NA_character_, box = box, scores = scores)
}

# The values of some rows, with all attributes that new values get.
known_values <- function(values, rows) {
  known <- take(values, rows)
  if (is.atomic(values)) attributes(known) <- kept_attributes(values)$attributes
  known
}

is_one_value <- function(values) length(unique(values)) == 1

# Evaluates `read`; its errors get the name of the column.
in_column <- function(name, what, read) {
  tryCatch(read, particleflow_input = function(e) fail("Column %s of `%s`: %s", name, what, conditionMessage(e)))
}

# The values to which the kind of each column is fitted. The rows in which only one of two ordered columns is known may
# be few, so its margin in these rows is that of all its values.
model_values <- function(columns, hidden) {
  seen <- length(columns) - length(hidden)
  alone <- which(vapply(hidden, function(one) one$type == "alone", NA))
  columns[seen + alone] <- lapply(hidden[alone], function(one) columns[[one$at]])
  columns
}

# For each column the first column that is missing in the same rows, NA for columns without missing values and for the
# first of them. Columns that are determined are left out, and those whose indicator does not tell all rows.
same_missing <- function(flags, determined) {
  keys <- vapply(flags, function(gone) if (anyNA(gone)) "" else paste(which(gone), collapse = " "), "")
  free <- setdiff(which(nzchar(keys)), determined)
  first <- rep(NA_integer_, length(flags))
  first[free] <- free[match(keys[free], keys[free])]
  first[!is.na(first) & first == seq_along(first)] <- NA
  first
}

# Columns whose kind looks at the other columns are read again, when the scores of these are known.
read_with_others <- function(columns, found, kinds, determined, read) {
  again <- setdiff(which(vapply(kinds, function(kind) "others" %in% names(formals(kind$fit)), NA)), determined)
  if (!length(again) || length(found) < 2) return(found)
  views <- lapply(seq_along(found), function(j) {
    if (j %in% again) return(level_indicators(columns[[j]]))
    z <- found[[j]]$scores$points
    z[is.na(z)] <- 0
    z
  })
  found[again] <- lapply(again, function(j) read(j, do.call(cbind, views[-j])))
  found
}

# [n, k]: the normal scores of the k numbers that the levels of column j determine, 0 where they are missing. NULL:
# there are none.
determined_scores <- function(j, relations, columns, kinds) {
  at <- unlist(lapply(relations, function(one) {
    if (one$type == "level" && identical(as.integer(one$from), as.integer(j)) && is_measured(kinds[[one$at]])) one$at
  }))
  if (!length(at)) return(NULL)
  vapply(at, function(i) {
    x <- kinds[[i]]$number(columns[[i]], kept_attributes_state(columns[[i]]))
    z <- stats::qnorm((rank(x, na.last = "keep") - 0.5) / sum(!is.na(x)))
    ifelse(is.na(z), 0, z)
  }, numeric(length(columns[[j]])))
}

# One column of 0 and 1 for each of the most frequent levels.
level_indicators <- function(values, most = 8L) {
  words <- as_words(values)
  levels <- names(sort(table(words), decreasing = TRUE))
  outer(words, levels[seq_len(min(most, length(levels)))], function(a, b) as.double(!is.na(a) & a == b))
}

# The uniform numbers of a column: a function of k that returns [n, k]. They are the same in every call, so a fit does
# not depend on R's generator.
uniform_source <- function(n, stream) {
  function(k, part = 0L) draw_uniform(n, k, score_key, stream = as.integer(2L * stream + part))
}

score_key <- c(1414L, 0L)

# [n, dim]: the scores of n values, NA for a missing value. The last score of a column with missing values says whether
# the value is missing, which is `gone`; it is NA where `gone` is.
encode_values <- function(column, values, code, uniform, gone) {
  known <- which(!is.na(values))
  bare <- column
  if (!is.null(column$missing) && !is.na(column$dim)) bare$dim <- column$dim - 1L
  some <- function(k, part = 0L) uniform(k, part)[known, , drop = FALSE]
  z <- encode_column(bare, take(values, known), code, some)
  z <- matrix(z, length(known), if (!is.na(bare$dim)) bare$dim else length(z) / max(1, length(known)))
  full <- matrix(NA_real_, length(values), ncol(z))
  full[known, ] <- z
  if (is.null(column$missing)) return(full)
  told <- which(!is.na(gone))
  indicator <- rep(NA_real_, length(gone))
  indicator[told] <- margin_scores(column$missing, as.double(gone[told]), uniform(1L, 1L)[told, 1])
  cbind(full, indicator, deparse.level = 0)
}

# The cells of the scores of n values: list(low, high), each [n, dim]. A score without a cell of its own stands at both
# ends; a missing value has the whole line, and so has the indicator where it does not tell whether a value is missing.
value_cells <- function(column, values, z, code, gone) {
  lacking <- is.na(values)
  known <- which(!lacking)
  low <- high <- z
  inner <- seq_len(ncol(z) - !is.null(column$missing))
  if (!is.null(code$cells)) {
    cells <- code$cells(take(values, known), column$state)
    low[known, inner] <- cells[, seq_along(inner)]
    high[known, inner] <- cells[, length(inner) + seq_along(inner)]
  }
  low[lacking, inner] <- -largest_score
  high[lacking, inner] <- largest_score
  if (!is.null(column$missing)) {
    told <- which(!is.na(gone))
    cells <- matrix(rep(c(-1, 1) * largest_score, each = length(gone)), length(gone), 2)
    cells[told, ] <- score_range(column$missing, as.double(gone[told]))
    low[, ncol(z)] <- cells[, 1]
    high[, ncol(z)] <- cells[, 2]
  }
  list(low = low, high = high)
}

# [n]: what is added to the log-density of the scores, for values without a cell.
values_margin <- function(column, values, code = column_code(column)) {
  known <- which(!is.na(values))
  total <- numeric(length(values))
  margin <- column_margin(column, take(values, known), code)
  if (!is.null(margin)) total[known] <- margin
  total
}

# The scores of new rows: points, low and high, each [n, sum(dims)], and margin [n], what is added to the log-density.
# unseen: TRUE gives a row with a level that the table did not have the margin -Inf, with a warning; FALSE stops.
encode_mixed <- function(newdata, template, what = "newdata", unseen = FALSE) {
  x <- plain_table(newdata, what, mixed = TRUE)
  check_extent(x, what, 0L)
  at <- match_columns(column_names(x), template$names, ncol(x), n_columns(template), what,
                      c(template$group$name, template$left_out))
  columns <- lapply(at, function(j) unbox(column_at(x, j)))
  codes <- lapply(template$columns, column_code)[template$of]
  strange <- if (unseen) unseen_levels(columns, template, codes)
  for (j in seq_along(strange)) is.na(columns[[j]]) <- strange[[j]]
  for (one in template$hidden) columns <- c(columns, list(hidden_values(one, columns, codes)))
  flags <- missing_flags(columns, template$hidden)
  determined <- vapply(template$relations, `[[`, 0L, "at")
  rules <- column_rules(template)
  told <- untold_flags(flags, rules, columns, codes)
  scores <- join_scores(lapply(setdiff(seq_along(template$of), determined), function(j) {
    new_scores(template, j, columns[[j]], codes[[j]], told[[j]], what)
  }))
  whole <- !vapply(template$columns, lacks_values, NA)[template$of]
  scores$margin <- scores$margin + rule_margin(flags, rules, columns, codes, whole)
  for (relation in template$relations) {
    of <- template$columns[template$of[c(relation$at, relation$from)]]
    complete <- !any(vapply(of, lacks_values, NA)) && all(relation$from <= n_columns(template))
    holds <- relation_holds(relation, columns, of[[1]], codes, complete)
    scores$margin[is.na(holds)] <- NA
    scores$margin[!is.na(holds) & !holds] <- -Inf
  }
  scores$margin[unlist(strange)] <- -Inf
  scores$margin[strange_pattern(flags, template)] <- -Inf
  scores
}

# The scores of the values of column j of new rows.
new_scores <- function(template, j, values, code, gone, what) {
  column <- template$columns[[template$of[j]]]
  if (j > n_columns(template)) {
    scores <- hidden_scores(column, values, code, j, gone)
  } else {
    name <- column_name(template$names, j)
    check_readable(column, values, code, what, name)
    scores <- in_column(name, what, score_values(column, values, length(values), j, code, gone))
  }
  if (is_constant(column)) scores$margin[differs(values, column$state$value)] <- -Inf
  scores
}

# The rows whose missing values no new row has: columns that are missing together are not, or the computed column of a
# constraint is missing without the other one, with which it always was.
strange_pattern <- function(flags, template) {
  lacks <- vapply(template$columns, lacks_values, NA)[template$of]
  found <- lapply(which(lacks), function(j) {
    leader <- template$columns[[template$of[j]]]$leader
    if (!is.null(leader)) which(flags[[j]] != flags[[leader]])
  })
  seen <- n_columns(template)
  gaps <- lapply(seq_along(template$hidden), function(i) {
    one <- template$hidden[[i]]
    if (one$type == "gap" && lacks[one$base] && !lacks[seen + i]) which(flags[[seen + i]])
  })
  unlist(c(found, gaps))
}

# Whether a fitted column has missing values.
lacks_values <- function(column) {
  !is.null(column[["missing"]]) || !is.null(column$leader) || !is.null(column$rule)
}

# The rule of each column, NULL where there is none.
column_rules <- function(template) lapply(template$columns, `[[`, "rule")[template$of]

# For each column the rows with a level that no row of the table has. A warning names the columns and the levels.
unseen_levels <- function(columns, template, codes) {
  found <- lapply(seq_along(columns), function(j) {
    if (!codes[[j]]$name %in% c("nominal", "ordered") || template$dims[j] == 0) return(integer())
    first <- which(!is.na(columns[[j]]) & !duplicated(columns[[j]]))
    seen <- vapply(first, function(i) is_seen(template$columns[[template$of[j]]], take(columns[[j]], i)), NA)
    which(columns[[j]] %in% take(columns[[j]], first[!seen]))
  })
  some <- which(lengths(found) > 0)
  if (length(some)) {
    levels <- vapply(some, function(j) quoted(unique(as_words(take(columns[[j]], found[[j]])))), "")
    warning(sprintf("Rows with levels that the table does not have get -Inf: %s.",
                    paste(sprintf("%s of column %s", levels, vapply(some, column_name, "", names = template$names)),
                          collapse = "; ")), call. = FALSE)
  }
  found
}

# Whether a level has a cell of scores.
is_seen <- function(column, level) {
  tryCatch({
    scores <- score_values(column, level, 1L, 1L)
    all(is.na(scores$points) | scores$high > scores$low)
  }, particleflow_input = function(e) FALSE)
}

# Levels may be given as words or in another class, missing values in any class.
check_readable <- function(column, values, code, what, name) {
  if (!is.character(column$kind) || has_levels(code) || all(is.na(values))) return(invisible())
  if (code$name %in% c("constant", "identifier") || takes_values(values, code)) return(invisible())
  fail("Column %s of `%s` must hold %s, not %s.", name, what, code$description(column$state), describe(values))
}

# Stops: no kind reads a column of x.
refuse_kind <- function(values, name) {
  found <- if (length(dim(values)) == 2) {
    sprintf("a %s of %s", if (is.list(values)) "table" else "matrix", columns_words(ncol(values)))
  } else if (is.list(values) && (!is.object(values) || inherits(values, "AsIs"))) {
    "a list"
  } else {
    sprintf("of class \"%s\"", class(values)[1])
  }
  fail("Column %s of `x` is %s, which no kind of column reads; %sleave it out, or name a kind for it in `columns`.",
       name, found, column_advice(values))
}

is_constant <- function(column) identical(column$kind, "constant")

# A combination that did not occur has no probability.
hidden_scores <- function(column, values, code, stream, gone) {
  unknown <- if (has_levels(code)) which(!values %in% column$state$order)
  values[unknown] <- column$state$order[1]
  scores <- score_values(column, values, length(values), stream, code, gone)
  scores$margin[unknown] <- -Inf
  scores
}

differs <- function(values, always) which(!is.na(values) & value_words(values) != value_words(always))

# The scores of the values of one column, their cells and their margin. gone: what the indicator says.
score_values <- function(column, values, n, stream, code = column_code(column), gone = is.na(values)) {
  z <- encode_values(column, values, code, uniform_source(n, stream), gone)
  c(list(points = z, margin = values_margin(column, values, code)), value_cells(column, values, z, code, gone))
}

join_scores <- function(parts) {
  side_by_side <- function(name) do.call(cbind, lapply(parts, `[[`, name))
  list(points = side_by_side("points"), low = side_by_side("low"), high = side_by_side("high"),
       margin = Reduce(`+`, lapply(parts, `[[`, "margin")))
}
