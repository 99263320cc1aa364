#' What a fit says about given rows: their likelihood, and their missing values
#'
#' @param object A fit from [synthesise()], or a fit of normal scores from [efs()].
#' @param newdata Rows with the columns of the table, matched by name. Missing values are allowed in every column.
#' @param type `"log_density"`: the log-likelihood of each row, see [synthesise()]. `"impute"`: the rows with their
#'   missing values filled in, `m` times. `"latent"` and `"data"`: as in [predict()][predict.efs], in normal scores; a
#'   score is drawn within the cell of its value, and a missing value has the score 0. The default is `"log_density"`
#'   for a fit from [synthesise()] and `"latent"` for one from [efs()].
#' @param group As in [predict()][predict.efs].
#' @param draws For `"log_density"`, the number of draws within the cells of each row, a whole number of at least 1.
#' @param m For `"impute"`, the number of imputations, a whole number of at least 1.
#' @param seed For `"impute"`: as in [simulate()][simulate.synthesis].
#' @param threads As in [efs_forward()].
#' @param ... Not used.
#' @return For `"log_density"` one number per row, in nats: the log-density of the values without a probability of their
#'   own, and the log-probability of the others, together (see [synthesise()]). The attribute `"draws"` is the number of
#'   draws; the estimate is a little too low on average, the less so the more draws there are. The random numbers of
#'   these draws depend on the scores and cells of the row and on nothing else, so equal rows have equal values, in
#'   every table and in every place. A row that the fit holds impossible has `-Inf`: a value beyond a sure end of its
#'   column (see [column_kind]), a combination that did not occur, a broken relation, or a level that the table did not
#'   have, of which a warning names the column and the level (for the other types such a level is an error). A value
#'   that is missing in a column without missing values in the table is integrated out. A row has `NA` if a computed
#'   column (see [synthesise()]) is known and a column that determines it is missing.
#'
#'   For `"impute"` a list of `m` tables of class `imputations`, each with the rows of `newdata`. Values that are not
#'   missing are not changed. Missing values are drawn from the law of the row given its other values and given which of
#'   them are missing, so the tables differ. The draws are made as under a condition, see the help of
#'   [simulate()][simulate.synthesis]. The fit itself is the same for all tables: their differences do not contain the
#'   uncertainty of the fit. If a computed number is known, such as a total, and one of the numbers that determine it is
#'   missing, the missing one is what the others leave, up to the unit of its column. If several of them are missing,
#'   they are drawn without a look at the computed value. If a level or a value that changes at cuts is known, and a
#'   column that determines it is missing, the missing value is drawn among those that allow the known one. Filled
#'   columns keep the order of `constraints`: of two columns, a missing one has a gap to the known one that is drawn
#'   from the law of the gap. In factors and words, the draws are levels of the table. `mitools::imputationList()` takes
#'   the list; `as.data.frame()` of it returns the tables below one another with the columns `.imp` (0 for `newdata`)
#'   and `.id`, which `mice::as.mids()` takes. See the section on pooled analyses.
#'
#' @section Pooled analyses:
#' `with()` evaluates an expression in each imputed table and returns a list of the `m` results. The packages mice and
#' mitools pool such a list by Rubin's rules:
#' \preformatted{filled <- predict(fit, airquality, type = "impute", m = 20, seed = 1)
#' fits <- with(filled, lm(Ozone ~ Wind + Temp))
#' summary(mice::pool(fits))          # or summary(mitools::MIcombine(fits))}
#' The pooled standard errors are too small, because all tables come from one fit and its uncertainty is left out. If
#' they matter, fit each table to another bootstrap sample of the rows, which costs `m` fits:
#' \preformatted{refit <- function() synthesise(airquality[sample(nrow(airquality), replace = TRUE), ], quiet = TRUE)
#' filled <- lapply(1:20, function(i) predict(refit(), airquality, type = "impute", m = 1, seed = i)[[1]])
#' fits <- lapply(filled, function(x) lm(Ozone ~ Wind + Temp, x))}
#' @examples
#' fit <- synthesise(airquality, quiet = TRUE)
#' mean(predict(fit, airquality[1:20, ]))
#' filled <- predict(fit, airquality, type = "impute", m = 2, seed = 1)
#' head(filled[[1]])
#'
#' # a regression in each imputed table, for mice::pool() or mitools::MIcombine()
#' fits <- with(filled, lm(Ozone ~ Wind + Temp))
#' sapply(fits, coef)
#' @export
predict.synthesis <- function(object, newdata, type = c("log_density", "impute", "latent", "data"), group = NULL,
                              draws = 50, m = 5, seed = NULL, threads = NULL, ...) {
  check_dots("predict()", ...)
  check_fit(object)
  if (missing(type) && identical(object$maker, "efs")) type <- "latent"
  type <- check_choice(type, c("log_density", "impute", "latent", "data"), "type")
  if (type %in% c("latent", "data")) return(predict_positions(object, newdata, type, group, threads))
  if (missing(newdata)) fail("`newdata` must give the rows.")
  draws <- check_count(draws, "draws", 1L)
  m <- check_count(m, "m", 1L)
  threads <- threads_within(threads)
  flows <- class_flows(object)
  for (flow in flows) check_density(flow$law)
  read <- encode_mixed(newdata, object$table, unseen = type == "log_density")
  label <- new_group(object, newdata, group, nrow(read$points))
  if (type == "impute") return(impute_rows(object, flows, newdata, read, label, m, seed, threads))
  likelihood_of_rows(object, flows, read, label, draws, threads)
}

# newdata may be missing.
predict_positions <- function(object, newdata, type, group, threads) {
  if (missing(newdata)) return(predict.efs(object, type = type, group = group, threads = threads))
  predict.efs(object, newdata, type = type, group = group, threads = threads)
}

likelihood_of_rows <- function(fit, flows, read, label, draws, threads) {
  n <- nrow(read$points)
  if (n == 0) return(structure(numeric(), draws = draws))
  if (!any(read$high > read$low)) draws <- 1L
  blocks <- split(seq_len(n), (seq_len(n) - 1L) %/% rows_of_likelihood)
  tick <- telling_tick(function(units) NULL, n * draws, NULL, "predict()")
  value <- lapply(blocks, function(rows) {
    if (length(blocks) == 1) return(block_likelihood(fit, flows, read, label, draws, threads, tick))
    block <- lapply(read[c("points", "low", "high")], function(x) x[rows, , drop = FALSE])
    block_likelihood(fit, flows, c(block, list(margin = read$margin[rows])), label[rows], draws, threads, tick)
  })
  structure(unlist(value, use.names = FALSE), draws = draws)
}

# The draws within cells of so many rows are held at once.
rows_of_likelihood <- 20000L

block_likelihood <- function(fit, flows, read, label, draws, threads, tick) {
  n <- nrow(read$points)
  # neither the order of the columns nor the numbers of a row depend on other rows
  d <- ncol(read$points)
  order <- if (is.null(fit$table$open)) seq_len(d) else order(fit$table$open)
  # the cells of a kind of the user may be half lines
  content <- pmin(pmax(cbind(read$low, read$high), -largest_score), largest_score)
  each <- vapply(seq_len(draws), function(draw) {
    key <- c(likelihood_key, draw)
    cells <- cell_draws(read$points, read$low, read$high, fit$correlation, key, draw %% 2 == 1, order,
                        draw_of_rows(content, d, key))
    value <- as.vector(class_log_density(flows, cells$z, label, threads)) - cells$log
    tick(n)
    value
  }, numeric(n))
  log_mean_exp(matrix(each, n), rep(1 / draws, draws)) + read$margin
}

likelihood_key <- 1717L

impute_rows <- function(fit, flows, newdata, read, label, m, seed, threads) {
  state <- stream_within(seed)
  x <- plain_table(newdata, "newdata", mixed = TRUE)
  template <- fit$table
  at <- match_columns(column_names(x), template$names, ncol(x), n_columns(template), "newdata",
                      c(template$group$name, template$left_out))
  gone <- vapply(at, function(j) is.na(unbox(column_at(x, j))), logical(nrow(x)))
  lacking <- which(rowSums(matrix(gone, nrow(x))) > 0)
  given <- lapply(at, function(j) take(unbox(column_at(x, j)), lacking))
  tables <- lapply(seq_len(m), function(one) {
    key <- draw_key()
    points <- read$points[lacking, , drop = FALSE]
    for (class in names(flows)) {
      rows <- which(label[lacking] == class)
      if (!length(rows)) next
      of <- lacking[rows]
      boxes <- implied_boxes(read$low[of, , drop = FALSE], read$high[of, , drop = FALSE], lapply(given, take, rows),
                             template)
      points[rows, ] <- draw_implied(flows[[class]], boxes, fit$correlation,
                                     other_key(key, 0L, match(class, names(flows))), threads)
    }
    columns <- solve_ordered(decode_columns(points, template, fill = TRUE), given, template)
    columns <- solve_sources(columns, given, template)
    fill_rows(newdata, x, at, columns, lacking)
  })
  structure(tables, class = "imputations", original = newdata, seed = state)
}

# columns, given: lists of the drawn and of the given values of the same rows. A drawn value that is the only missing
# one of those that determine a known sum or product becomes the value that the others and the sum leave.
solve_sources <- function(columns, given, template) {
  codes <- lapply(template$columns, column_code)[template$of]
  determined <- vapply(template$relations, `[[`, 0L, "at")
  for (relation in template$relations) {
    from <- relation$from
    if (relation$type != "sum" || any(from > length(columns))) next
    gone <- matrix(vapply(given[from], is.na, logical(length(given[[1]]))), ncol = length(from))
    some <- which(!is.na(given[[relation$at]]) & rowSums(gone) == 1)
    for (k in which(!from %in% determined)) {
      rows <- some[gone[some, k]]
      if (length(rows)) columns[[from[k]]][rows] <- solved_values(relation, k, columns, given, rows, codes, template)
    }
  }
  columns
}

# The values of source k of a relation in some rows, from the known values of the other sources and of the computed
# column. Where no number solves it, the drawn value stays.
solved_values <- function(relation, k, columns, given, rows, codes, template) {
  j <- relation$from[k]
  known <- lapply(given, take, rows)
  column <- template$columns[[template$of[j]]]
  drawn <- take(columns[[j]], rows)
  number <- function(i, values) codes[[i]]$number(values, template$columns[[template$of[i]]]$state)
  rest <- number(relation$at, known[[relation$at]])
  if (!is.null(relation$outer)) rest <- suppressWarnings(log(rest))
  rest <- rest - relation$constant
  for (i in seq_along(relation$from)[-k]) {
    other <- number(relation$from[i], known[[relation$from[i]]])
    rest <- rest - relation$weights[i] * number_shapes[[relation$shape]](other)
  }
  sign <- ifelse(number(j, drawn) < 0, -1, 1)
  solved <- suppressWarnings(shape_inverses[[relation$shape]](rest / relation$weights[k], sign))
  good <- which(is.finite(solved))
  unit <- column$state$margin$unit
  if (length(good)) {
    numbers <- if (is.null(unit)) solved[good] else to_unit(solved[good], unit)
    drawn[good] <- codes[[j]]$back(numbers, column$state)
  }
  drawn
}

# Inverses of number_shapes. sign: that of the solution, where there are two.
shape_inverses <- list(
  identity = function(y, sign) y, log = function(y, sign) exp(y), log1p = function(y, sign) expm1(y),
  sqrt = function(y, sign) y^2, square = function(y, sign) sign * sqrt(y), inverse = function(y, sign) 1 / y,
  exp = function(y, sign) log(y)
)

# newdata with the missing values of the rows `lacking` replaced.
fill_rows <- function(newdata, x, at, columns, lacking) {
  for (k in seq_along(at)) {
    gone <- which(is.na(unbox(column_at(x, at[k]))[lacking]))
    if (!length(gone)) next
    if (is.data.frame(newdata)) {
      newdata <- replace_columns(newdata, list(fill_vector(newdata[[at[k]]], columns[[k]], lacking, gone)), at[k], NULL)
    } else {
      newdata[lacking[gone], at[k]] <- columns[[k]][gone]
    }
  }
  newdata
}

# The drawn values take the type of the column; where nothing in it is known, the column takes that of the table.
fill_vector <- function(values, drawn, lacking, gone) {
  if (is.logical(values) && all(is.na(values))) values <- take(drawn, rep(NA_integer_, length(values)))
  new <- take(drawn, gone)
  if (is.factor(values) || is.character(values)) new <- as_words(new)
  if (is.factor(values)) levels(values) <- union(levels(values), new)
  shape <- attributes(values)
  if (is.character(values)) values <- as_words(values) # a class may not take plain words
  values[lacking[gone]] <- new
  if (is.character(values)) attributes(values) <- shape
  values
}

#' @rdname predict.synthesis
#' @param data Imputations.
#' @param expr An expression in the columns of the tables.
#' @export
with.imputations <- function(data, expr, ...) {
  check_dots("with()", ...)
  asked <- substitute(expr)
  around <- parent.frame()
  lapply(data, function(table) eval(asked, as.data.frame(table), around))
}

#' @rdname predict.synthesis
#' @param x Imputations.
#' @param row.names,optional Ignored.
#' @export
as.data.frame.imputations <- function(x, row.names = NULL, optional = FALSE, ...) {
  tables <- c(list(attr(x, "original")), unclass(x))
  n <- nrow(tables[[1]])
  rows <- do.call(rbind, lapply(tables, as.data.frame))
  cbind(data.frame(.imp = rep(seq_along(tables) - 1L, each = n), .id = rep(seq_len(n), length(tables))), rows,
        row.names = NULL)
}

#' @rdname predict.synthesis
#' @export
print.imputations <- function(x, ...) {
  original <- attr(x, "original")
  gone <- sum(vapply(seq_len(ncol(original)), function(j) sum(is.na(column_at(original, j))), 0))
  cat(sprintf("<imputations> %d table%s of %d row%s, in which %d missing value%s filled\n", length(x),
              plural(length(x)), nrow(original), plural(nrow(original)), gone, if (gone == 1) " is" else "s are"))
  invisible(x)
}
