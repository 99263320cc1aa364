# What a fit of whole blocks says of itself.

#' @rdname simulate.block_synthesis
#' @param x A fit.
#' @export
format.block_synthesis <- function(x, ...) {
  check_dots("format()", ...)
  c(describe_blocks(x, "<block_synthesis> "), block_law_words(x$laws$first, "first rows", "block"),
    block_law_words(x$laws$step, "further rows", "row"), wrap_lines(block_limit_line(x)),
    "Contains the training rows: think before you share it.")
}

#' @rdname simulate.block_synthesis
#' @export
print.block_synthesis <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

# How many blocks there are and of what size, and how their columns are described.
describe_blocks <- function(fit, start = "") {
  template <- fit$table
  names <- template$names[seq_len(n_columns(template) - 2L)]
  role <- column_roles(template, fit$order)
  of <- function(what) some(names[role == what])
  sizes <- range(fit$sizes)
  facts <- c(
    sprintf("%s%d blocks (%s) of %s row%s, %d rows of %d column%s.", start, length(fit$sizes), fit$label$name,
            paste(unique(sizes), collapse = " to "), plural(sizes[2]), sum(fit$sizes), length(names),
            plural(length(names))),
    if (any(role == "constant")) sprintf("Constant within blocks: %s.", of("constant")),
    if (any(role == "number")) sprintf("The same in all rows of the same number: %s.", of("number")),
    if (any(role == "rises")) sprintf("Never falling within blocks: %s.", of("rises")),
    if (any(role == "falls")) sprintf("Never rising within blocks: %s.", of("falls")),
    if (any(role == "varies")) sprintf("Varying within blocks: %s.", of("varies")),
    missing_words(names[has_missing(template)[seq_along(names)]]),
    if (length(template$left_out)) sprintf("Left out, because their words name the rows: %s.",
                                           quoted(template$left_out)),
    declared_words(template, template$names), found_words(template), rule_words(template, template$names)
  )
  unlist(lapply(facts, strwrap, width = getOption("width"), exdent = 2))
}

# The relations apart from those to the number of the row.
found_words <- function(template) {
  number <- n_columns(template) - 1L
  template$relations <- Filter(function(one) !number %in% one$from, template$relations)
  relation_words(template, template$names)
}

# [columns]: "constant", "number" (the number of the row determines it), "rises", "falls" or "varies".
column_roles <- function(template, order) {
  number <- n_columns(template) - 1L
  shown <- seq_len(number - 1L)
  numbered <- vapply(Filter(function(one) identical(one$from, number), template$relations), `[[`, 0L, "at")
  role <- rep("varies", length(shown))
  sign <- order$sign
  for (one in template$relations) {
    hidden <- one$from > number + 1L
    if (any(sign[one$from[hidden]] != 0) && all(template$constant[one$from[!hidden]])) {
      sign[one$at] <- sign[one$from[hidden]] * one$weights[hidden]
    }
  }
  role[sign[shown] > 0] <- "rises"
  role[sign[shown] < 0] <- "falls"
  role[shown %in% numbered] <- "number"
  role[template$constant[shown]] <- "constant"
  role
}

block_law_words <- function(law, what, unit) {
  if (is.null(law$fit)) return(sprintf("%s: all alike", what))
  found <- law$fit$diagnostics
  wrap_lines(sprintf("%s: law %s%s", what, found$law, if (is.na(found$log_density)) "" else
    sprintf(", held-out log-likelihood per %s %s", unit, nats(found$log_density))))
}

block_limit_line <- function(fit) {
  searches <- unlist(lapply(fit$laws[c("first", "step")], function(law) law$fit$calibration), recursive = FALSE)
  limit_words(fit$control$backward$seconds, unlist(lapply(searches, `[[`, "left_out")))
}

# Methods of other fits that blocks do not have.
refuse_for_blocks <- function(call) {
  fail("%s is not available for whole blocks; fit the rows with `whole_blocks = FALSE` for it.", call)
}

#' @export
predict.block_synthesis <- function(object, ...) refuse_for_blocks("predict()")

#' @export
plot.block_synthesis <- function(x, ...) refuse_for_blocks("plot()")

#' @export
logLik.block_synthesis <- function(object, ...) refuse_for_blocks("logLik()")

#' @export
interpolate.block_synthesis <- function(object, ...) refuse_for_blocks("interpolate()")

#' @export
as.data.frame.block_synthesis <- function(x, ...) refuse_for_blocks("as.data.frame()")

#' @method autoplot block_synthesis
#' @rawNamespace S3method(ggplot2::autoplot, block_synthesis)
autoplot.block_synthesis <- function(object, ...) refuse_for_blocks("autoplot()")

#' @rdname simulate.block_synthesis
#' @export
summary.block_synthesis <- function(object, ...) {
  check_dots("summary()", ...)
  check_fit(object)
  structure(list(call = object$call, blocks = object$label$name, sizes = table(size = object$sizes),
                 columns = block_columns(object),
                 laws = c(first = block_law_name(object$laws$first), further = block_law_name(object$laws$step)),
                 limit = block_limit_line(object), elapsed = object$elapsed), class = "summary.block_synthesis")
}

# One row per column.
block_columns <- function(fit) {
  template <- fit$table
  shown <- seq_len(n_columns(template) - 2L)
  columns <- data.frame(column = template$names[shown], role = column_roles(template, fit$order),
                        scale = "scores", correlation = NA_real_)
  first <- cumsum(template$dims)[shown] - template$dims[shown] + 1L
  told <- match(first, fit$laws$columns$before)
  told[template$dims[shown] == 0] <- NA
  if (!is.null(fit$laws$model)) columns$correlation <- fit$laws$model$correlation[told]
  for (scale in fit$laws$scales) columns$scale[scale$column] <- if (scale$shape == "log") "logarithms" else "values"
  columns$scale[is.na(told)] <- NA
  columns
}

#' @rdname simulate.block_synthesis
#' @export
tidy.block_synthesis <- function(x, ...) {
  check_dots("tidy()", ...)
  check_fit(x)
  block_columns(x)
}

#' @rdname simulate.block_synthesis
#' @export
glance.block_synthesis <- function(x, ...) {
  check_dots("glance()", ...)
  check_fit(x)
  density <- function(law) if (is.null(law$fit)) NA_real_ else law$fit$diagnostics$log_density
  data.frame(blocks = length(x$sizes), n = sum(x$sizes), columns = n_columns(x$table) - 2L, least = min(x$sizes),
             largest = max(x$sizes), law_first = block_law_name(x$laws$first),
             law_further = block_law_name(x$laws$step), log_density_first = density(x$laws$first),
             log_density_further = density(x$laws$step), elapsed = x$elapsed)
}

#' @export
nobs.block_synthesis <- function(object, ...) sum(object$sizes)

block_law_name <- function(law) if (is.null(law$fit)) NA_character_ else law$fit$diagnostics$law

#' @export
print.summary.block_synthesis <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("Call: ", deparse1(x$call), "\n", sep = "")
  cat(sprintf("Blocks: %s, by their number of rows\n", x$blocks))
  print(c(x$sizes))
  cat("Columns, the scale of their linear model, and their correlation within blocks on it\n")
  print(x$columns, digits = 2, row.names = FALSE)
  cat(wrap_lines(sprintf("%s rows: law %s", names(x$laws), x$laws)), sep = "\n")
  if (!is.null(x$limit)) cat(wrap_lines(x$limit), sep = "\n")
  cat(sprintf("%.2f seconds\n", x$elapsed))
  invisible(x)
}
