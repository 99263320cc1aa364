# What a score of the report is, and which there are.

#' A score for the report
#'
#' `new_score()` makes a score that [fidelity()] sets beside its own, and judges by the same rule.
#' `fidelity_scores()` returns the scores that the package brings.
#'
#' [fidelity()] divides the columns of both tables by their standard deviation in both together, and calls
#' `value(x, y, settings)` on pairs of matrices: real against synthetic rows, real against other real rows, and
#' the two tables of each random deal (see [fidelity()], "The rule"). `settings` is a list with `threads`, `k`
#' (as in [fidelity()]), `bandwidth` (the median distance of two rows) and `seed` (a whole number, the same for
#' each call: a score that draws random numbers can start from it).
#'
#' A function in the package that has no arguments and consists of one call of `new_score()` makes a score of the
#' report. So a new score is one new file.
#'
#' @param name One word of small letters, digits and underscores, different from the names of the other scores.
#' @param label How the printed report and the plot call the score.
#' @param value A function of two numeric matrices `x` (real rows) and `y` and of the list `settings`, which
#'   returns one finite number. The report calls it some 200 times.
#' @param better `"lower"` where a smaller value says that the tables are closer, otherwise `"higher"`.
#' @param share `TRUE` where the value is a share of rows. Its unit is then at least the standard error of a share.
#' @param rows The most rows of each table that `value` is given outside the deals: a number, or the name of the
#'   argument of [fidelity()] that says how many, `"max_rows"` or `"w2_rows"`.
#' @param deal_rows The most rows of each table in the random deals.
#' @param relabel `NULL`, or a function that computes the values of all deals at once where that is faster:
#'   `relabel(pooled, first, settings)` is given the rows of both tables in random order (a matrix with N rows) and
#'   a matrix with N rows and one column per deal, 1 for rows of the first table and 0 for those of the second. It
#'   returns one number per deal, which must be that of `value`, up to rounding.
#' @param kept `NULL`, or the name under which the report keeps the attribute `"object"` of the value of all rows.
#' @param sentence,details `NULL`, or functions of that object that return a text. `sentence(object, alike, new)`
#'   ends the sentence of the report on closeness: `alike` says whether the score is within its limit, `new`
#'   whether the rows were found new. `details(object)` stands in `summary()`.
#' @return `new_score()`: a list of class `particleflow_score` with these entries. `fidelity_scores()`: a named list
#'   of such objects.
#' @seealso [fidelity()]
#' @examples
#' # the difference of the mean distances between two rows
#' spacing <- new_score(
#'   "spacing", "difference of spacings",
#'   value = function(x, y, settings) abs(mean(dist(x)) - mean(dist(y)))
#' )
#' set.seed(1)
#' x <- matrix(rnorm(120), 60)
#' some <- c(fidelity_scores()[c("auc", "energy_distance")], list(spacing))
#' fidelity(x, matrix(rnorm(120), 60), scores = some)
#' names(fidelity_scores())
#' @export
new_score <- function(name, label, value, better = c("lower", "higher"), share = FALSE, rows = "max_rows",
                      deal_rows = 250, relabel = NULL, kept = NULL, sentence = NULL, details = NULL) {
  if (!is_word(name) || !grepl("^[a-z][a-z0-9_]*$", name)) {
    fail("`name` must be one word of small letters, digits and underscores, not %s.", describe(name))
  }
  if (!is_word(label)) fail("`label` must be one character string, not %s.", describe(label))
  check_kept(kept)
  if (is.character(rows)) {
    rows <- check_choice(rows, c("max_rows", "w2_rows"), "rows")
  } else {
    rows <- check_number(rows, "rows", lower = 20, finite = FALSE)
  }
  check_hook(check_function(value, "value"), "value", c("x", "y", "settings"))
  if (!is.null(relabel)) check_hook(check_function(relabel, "relabel"), "relabel", c("pooled", "first", "settings"))
  if (!is.null(sentence)) check_hook(check_function(sentence, "sentence"), "sentence", c("object", "alike", "new"))
  if (!is.null(details)) check_hook(check_function(details, "details"), "details", "object")
  structure(
    list(
      name = name, label = label, value = value, better = check_choice(better, c("lower", "higher"), "better"),
      share = check_flag(share, "share"), rows = rows,
      deal_rows = check_number(deal_rows, "deal_rows", lower = 20, finite = FALSE),
      relabel = relabel, kept = kept, sentence = sentence, details = details
    ),
    class = "particleflow_score"
  )
}

check_kept <- function(kept) {
  if (is.null(kept)) return(invisible())
  if (!is_word(kept)) fail("`kept` must be NULL or one character string, not %s.", describe(kept))
  if (kept %in% report_entries) {
    fail("`kept` must be a name that the report does not use itself, not %s.", describe(kept))
  }
}

# The entries of a report besides the objects that scores keep.
report_entries <- c("verdict", "scores", "splits", "novelty", "alarms", "columns", "correlation", "shares", "notes",
                    "n", "n_columns", "n_permutations", "elapsed", "call", "said", "details")

is_word <- function(x) is.character(x) && length(x) == 1 && !is.na(x) && nzchar(x)

#' @rdname new_score
#' @export
fidelity_scores <- function() {
  home <- topenv()
  makers <- Filter(makes_score, mget(ls(home), envir = home))
  scores <- lapply(unname(makers), function(make) make())
  names(scores) <- vapply(scores, `[[`, "", "name")
  higher <- vapply(scores, `[[`, "", "better") == "higher"
  scores[order(higher, names(scores), method = "radix")]
}

# Whether f is a function without arguments that consists of one call of new_score().
makes_score <- function(f) {
  if (!is.function(f) || length(formals(f))) return(FALSE)
  made <- body(f)
  if (is.call(made) && identical(made[[1]], quote(`{`)) && length(made) == 2) made <- made[[2]]
  is.call(made) && identical(made[[1]], quote(new_score))
}

#' @rdname new_score
#' @param x A `particleflow_score` object.
#' @param ... Not used.
#' @export
format.particleflow_score <- function(x, ...) {
  check_dots("format()", ...)
  sprintf("<score> \"%s\" (%s): %s is better", x$name, x$label, x$better)
}

#' @rdname new_score
#' @export
print.particleflow_score <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

# The scores of a report: ours, or those that the user gives.
check_scores <- function(scores) {
  if (is.null(scores)) return(fidelity_scores())
  if (inherits(scores, "particleflow_score")) scores <- list(scores)
  if (!is.list(scores) || length(scores) == 0) {
    fail("`scores` must be NULL or a list of scores made by new_score(), not %s.", describe(scores))
  }
  good <- vapply(scores, inherits, NA, "particleflow_score")
  if (!all(good)) {
    fail("`scores` must hold only scores made by new_score(), but its entry %d is %s.", which(!good)[1],
         describe(scores[[which(!good)[1]]]))
  }
  scores <- lapply(seq_along(scores), function(i) remake_score(scores[[i]], i))
  names(scores) <- vapply(scores, `[[`, "", "name")
  for (what in c("name", "kept")) {
    given <- unlist(lapply(scores, `[[`, what))
    if (anyDuplicated(given)) {
      fail("`scores` holds two scores with the %s \"%s\"; give one of them another one.", what,
           given[anyDuplicated(given)])
    }
  }
  scores
}

# The i-th of `scores`, whose fields may have been changed since new_score() made it.
remake_score <- function(score, i) {
  fields <- unclass(score)[names(formals(new_score))]
  tryCatch(do.call(new_score, fields, quote = TRUE), particleflow_input = function(e) {
    fail("Entry %d of `scores` is no score as new_score() makes it: %s", i, conditionMessage(e))
  })
}

# The value of a score for two tables of at most its number of rows; `x` and `y` are in random order.
score_value <- function(score, x, y, settings) {
  most <- if (is.character(score$rows)) settings[[score$rows]] else score$rows
  check_value(score, call_score(score, "value", first_rows(x, most), first_rows(y, most), settings))
}

# What a function of a score returns. Its errors are passed on with the name of the score.
call_score <- function(score, field, ...) {
  tryCatch(score[[field]](...), error = function(e) {
    if (inherits(e, "particleflow_error")) stop(e)
    fail("`%s` of the score \"%s\" failed: %s", field, score$name, conditionMessage(e))
  })
}

check_value <- function(score, value) {
  if (!is.numeric(value) || length(value) != 1 || !is.finite(value)) {
    fail("`value` of the score \"%s\" must return one finite number, not %s.", score$name, describe(value))
  }
  value
}

# The text that `sentence` or `details` of a score returns for an object.
score_text <- function(score, field, ...) {
  text <- call_score(score, field, ...)
  if (!is.null(text) && !is_word(text)) {
    fail("`%s` of the score \"%s\" must return one character string or NULL, not %s.", field, score$name,
         describe(text))
  }
  text
}

first_rows <- function(x, most) x[seq_len(min(nrow(x), most)), , drop = FALSE]

# One value per column of `first`, which says which rows of `pooled` are the first table.
score_deals <- function(score, pooled, first, settings) {
  if (!is.null(score$relabel)) {
    return(check_relabelled(score, call_score(score, "relabel", pooled, first, settings), ncol(first)))
  }
  vapply(seq_len(ncol(first)), function(deal) {
    own <- first[, deal] == 1
    settings$memo <- new.env()
    value <- call_score(score, "value", pooled[own, , drop = FALSE], pooled[!own, , drop = FALSE], settings)
    as.double(check_value(score, value))
  }, 0)
}

check_relabelled <- function(score, values, n) {
  if (!is.numeric(values) || length(values) != n || !all(is.finite(values))) {
    fail("`relabel` of the score \"%s\" must return %d finite numbers, one per deal, not %s.", score$name, n,
         describe(values))
  }
  as.double(values)
}
