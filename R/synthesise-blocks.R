# Reads a table whose rows come in blocks, so that whole blocks can be drawn.

# A list of
#   table     what read_mixed() reads of the rows, sorted by block, with a column for the number of the row in its block
#             and one for the size of the block; settled
#   rows      these rows, a data frame
#   gaps      the same for the differences of the columns `order$gap` from one row to the next; NULL: there are none
#   block, number [n]  the block of each sorted row, and its number there
#   shares    the cells of further rows by their shares, see next_shares()
#   numbered  missing values that the number of the row tells, see numbered_missing()
#   order     columns that rise or fall within every block: gap and box are numbers of columns, sign [p] is 1 or -1,
#             strict [p] whether no two successive values are equal
#   constant [sum(dims)]  whether a coordinate is the same in all rows of each block
#   label     the label of the blocks (see table-label.R), and `form`, the class of x
read_blocks <- function(x, blocks, columns, id, constraints, combine) {
  if (!is.data.frame(x)) fail("`x` must be a data frame to draw whole blocks of its rows, not %s.", describe(x))
  check_one_name(blocks, x)
  label <- read_label(find_label(blocks, x, "blocks"), nrow(x), "blocks")
  sizes <- check_block_sizes(table(label$group))
  block <- as.integer(label$group)
  rows <- order(block)
  block <- block[rows]
  inner <- drop_columns(plain_table(x, "x", mixed = TRUE), stats::na.omit(label$label$position))
  added <- c(free_name(".row", names(x)), free_name(".size", c(".row", names(x))))
  number <- sequence(sizes)
  sorted <- lapply(seq_along(inner), function(j) take(unbox(inner[[j]]), rows))
  sorted <- new_frame(c(sorted, list(number, rep(sizes, sizes))), c(names_as_given(inner), added), nrow(x))
  columns[added] <- list(column_count(1, max(sizes)), column_count(1, max(sizes)))
  table <- read_mixed(sorted, NULL, columns, id, constraints, combine, list(block = block, added = added))
  check_bounds_of_blocks(table$template)
  table <- settle_table(table, sorted)
  order <- ordered_columns(sorted, table$template, block)
  constant <- constant_coordinates(table, block)
  numbered <- numbered_missing(table, number, constant)
  if (is.null(label$label$name)) label$label$name <- free_name("block", names(x))
  list(table = table, rows = sorted, gaps = read_gaps(sorted, table$template, block, order), block = block,
       number = number, order = order, shares = next_shares(table, number, order, numbered, constant),
       numbered = numbered, constant = constant, label = label$label, form = form_of(x))
}

# Stops: several columns are named, of which each row has one entry only.
check_one_name <- function(blocks, x) {
  if (!is.character(blocks) || length(blocks) < 2 || length(blocks) == nrow(x) || !all(blocks %in% names(x))) return()
  fail("`blocks` must name one column of `x`, not %d (%s); join them first, as in `blocks = interaction(%s)`.",
       length(blocks), quoted(blocks), paste0("x$", blocks, collapse = ", "))
}

# Stops: without `whole_blocks` the values of the column are wanted.
check_no_name <- function(blocks, x) {
  if (!is_column_name(blocks, x) || !blocks %in% names(x)) return()
  fail("`blocks` is \"%s\", but a column is named only for whole blocks; %s, or give `blocks = x$%s`.",
       blocks, "set `whole_blocks = TRUE` to draw these", blocks)
}

check_block_sizes <- function(sizes) {
  if (length(sizes) < 2) fail("`blocks` puts all rows into one block; at least two are needed to draw whole blocks.")
  if (max(sizes) < 2) fail("`blocks` has no block of two or more rows; `whole_blocks` needs rows that belong together.")
  if (length(sizes) < 5) fail("`blocks` has %d blocks, but at least 5 are needed to draw whole blocks.", length(sizes))
  if (sum(sizes - 1) < 5) {
    fail("`blocks` has %d row%s beyond the first rows of blocks, but at least 5 are needed to draw whole blocks.",
         sum(sizes - 1), if (sum(sizes - 1) > 1) "s" else "")
  }
  as.integer(sizes)
}

synthesise_blocks <- function(x, group, columns, id, constraints, combine, blocks, control, quiet, call, began, threads,
                              progress) {
  if (is.null(blocks)) fail("`whole_blocks` needs `blocks`, which says what rows belong together.")
  if (!is.null(group)) fail("`group` cannot be used with `whole_blocks`; leave the column in `x`.")
  read <- read_blocks(x, blocks, columns, id, constraints, combine)
  control[c("n_steps", "time")] <- list(NULL, 0)
  read$sizes <- tabulate(read$block)
  if (!quiet) {
    message(paste(describe_blocks(list(table = read$table$template, order = read$order, sizes = read$sizes,
                                       label = read$label)), collapse = "\n"))
  }
  fit_blocks(read, control, call, began, threads, progress)
}

# A fit of class "block_synthesis".
fit_blocks <- function(read, control, call, began, threads, progress) {
  threads <- threads_within(threads)
  laws <- fit_block_laws(read, control, call, began, threads, progress)
  seal(structure(list(
    call = call, laws = laws, table = read$table$template, gaps = read$gaps$template, shares = read$shares,
    numbered = read$numbered, order = read$order, label = read$label, form = read$form, sizes = read$sizes,
    control = control[c("density_floor", "backward")], elapsed = proc.time()[[3]] - began, maker = "synthesise",
    version = as.character(utils::packageVersion("particleflow"))
  ), class = c("block_synthesis", "particle_flow")))
}

#' Whole blocks of new rows
#'
#' `synthesise(x, blocks = "id", whole_blocks = TRUE)` fits a table whose rows come in blocks: repeated measures of one
#' patient, the pupils of a school, a litter. `simulate()` then draws whole new blocks: a number of rows, columns that
#' are constant within the block, and rows that depend on each other as in the table.
#'
#' @section Rows and columns:
#' The rows of a block are taken in the order in which they stand in `x`; sort them by time first. The column of blocks
#' is left out of the law, and new blocks get new names: numbers after the largest one, or `"new1"`, `"new2"`, and so
#' on. If `blocks` is a vector, they are in a column `block`.
#'
#' * A column that is *constant* within every block, with its missing values, is so within each new block.
#' * A column that has the *same* value in all rows of the same number, such as the planned day of a visit, gets this
#'   value again.
#' * A column of numbers, dates, times, ordered levels or `TRUE` and `FALSE` that never falls (or never rises) within a
#'   block does not fall in new blocks. It never stays if it never does. This is taken as a rule if chance alone would
#'   order the rows so with a probability below 1e-6, and if no value is missing. If the column has levels or at most
#'   ten values, one value follows another only if it does so in the table. A block ends at a value that no value
#'   follows in the table.
#' * Where all rows of the same number lack the value of a column, such as a test at each second visit, new rows of this
#'   number lack it. Where none of them lacks it, no new row does. This is taken as a rule if chance alone would make
#'   the rows of one number so with a probability below 1e-6.
#' * The number of rows of a block lies between 1 and that of the largest block of the table.
#'
#' Kinds of columns, missing values, exact relations, `constraints` and `combine` are as in [synthesise()]. Of two
#' columns of `constraints` the larger one is computed, or the smaller one if only the larger one is constant within
#' blocks. `combine` cannot join columns that are constant within blocks to others. A column that rises or falls keeps
#' within its ends; where no draw does, the block ends early.
#'
#' @section Method:
#' Each column is read as normal scores, see [synthesise()]; the margin of a constant column is that over blocks. Two
#' laws of scores are chosen by held-out likelihood, with the rows of a block in one fold, and without a flow. One is
#' the law of the first rows: block size, constant columns, and values in the first row. The other is the law of the
#' next row given the row before, the number t of the row and the constant columns. Of a column that rises, it describes
#' the difference from the row before.
#'
#' Before the second law is fitted, a linear model takes out what the earlier rows tell. Let \eqn{y_{jt}}{y_jt} be
#' column j in row t, on a scale that is chosen by the likelihood of left-out rows: normal scores, values or logarithms.
#' With \eqn{e_{jt} = y_{jt} - \mu_{jt}}{e_jt = y_jt - mu_jt}, where the mean \eqn{\mu_{jt}}{mu_jt} depends on t, the
#' constant columns and their products with t,
#' \deqn{y_{jt} = a_j(t, \mathrm{constant\ columns}) + \sum_k b_{jk}\, e_{k,t-1} + \sum_k c_{jk}\,
#'   \frac{r_k}{1 + (t - 2) r_k} \sum_{u < t} e_{ku} + s_j z_{jt}.}{y_jt = a_j(t, constant columns) +
#'   sum_k b_jk e_k,t-1 + sum_k c_jk r_k / (1 + (t - 2) r_k) sum_(u < t) e_ku + s_j z_jt.}
#' The last sum holds the best linear predictors of block effects, with the correlation \eqn{r_k} within blocks. So a
#' block effect, an autoregression of order one, and a mixture of both are within the model. The coefficients are those
#' of ridge regressions, whose penalties make the errors of left-out rows least. Scores with cells, such as those of
#' `TRUE` and `FALSE`, are drawn within their cells given this model, which is then fitted again, ten times (Albert and
#' Chib 1993). Factors of three and more levels without order have no linear model; they depend on the row before only.
#' The second law is that of the remainders \eqn{z_{jt}}{z_jt} together with the row before.
#'
#' A column with at most ten cells has other cells in each law: their ends are the normal quantiles of the shares of its
#' levels among the rows of the law. Let \eqn{v_t} be the value in row t of a column of levels or of at most ten values
#' that never falls. Its cell of level k after level l is
#' \deqn{\Phi^{-1}(P(v_t < k \mid v_{t-1} = l)) < y_{t} \le \Phi^{-1}(P(v_t \le k \mid v_{t-1} = l)),}{
#'   qnorm(P(v_t < k | v_t-1 = l)) < y_t <= qnorm(P(v_t <= k | v_t-1 = l)),}
#' with the shares P of the table. So events that stay come at the rate of the table. Where only one level can follow,
#' the row says nothing about \eqn{y_t}, which counts as missing.
#'
#' New rows are drawn one after the other given the scores of the row before. A row is drawn again if one of its scores
#' is beyond all scores of the table and beyond the normal quantile of 1 - 1 / (20 n), where n is the number of rows
#' that are not the first of their block.
#'
#' @section What it does not do:
#' There is no log-density of blocks, because the scores of discrete and missing values of the row before would have to
#' be integrated out over the whole block. Conditions (`given`), `near`, imputation and groups are not available for
#' whole blocks. With fewer than about 30 blocks the law of the first rows is hardly known, and effects of columns that
#' are constant within blocks can be much weaker in new rows. With 80 blocks, an effect on the slope over time was still
#' a third too weak in one trial.
#'
#' [compare_blocks()] sets the correlations within new blocks beside those of
#' the table, and its help says how to look for copies.
#'
#' @param object A fit from [synthesise()] with `whole_blocks = TRUE`.
#' @param nsim Number of new **blocks**. The number of rows is random, unless all blocks are of one size.
#' @param seed,threads,progress As in [simulate()][simulate.efs].
#' @param missing `FALSE` gives a value to each missing value: one drawn from the law of the row.
#' @param to,format,rows_per_file Write the new rows into files of a folder, see [simulate_files].
#' @param ... Not used.
#' @return `simulate()`: new rows in the form of the table, sorted by block. `format()`: the lines that `print()` shows.
#'   `summary()`: a list of class `summary.block_synthesis` with `call`; `blocks`, the name of their column; `sizes`, a
#'   table of the numbers of rows; `columns`, a data frame with one row per column and its `role` (`"constant"`,
#'   `"number"`, `"rises"`, `"falls"` or `"varies"`), its `scale` and the `correlation` \eqn{r_k} within blocks; `laws`,
#'   the names of both laws; and `elapsed`, in seconds. `tidy()`: the data frame `columns`. `glance()`: a data frame of
#'   one row with the numbers of `blocks`, rows (`n`) and `columns`; the `least` and the `largest` number of rows;
#'   `law_first` and `law_further`, the names of both laws; `log_density_first` and `log_density_further`, their
#'   held-out log-likelihoods of normal scores in nats per block and per row; and `elapsed`.
#' @references
#' Albert JH, Chib S (1993). Bayesian analysis of binary and polychotomous response data. Journal of the American
#' Statistical Association 88. \doi{10.1080/01621459.1993.10476321}
#' @examples
#' chicks <- as.data.frame(ChickWeight)
#' fit <- synthesise(chicks, blocks = "Chick", whole_blocks = TRUE, law = "student")
#' fit
#' new <- simulate(fit, 50, seed = 1)
#' head(new, 14)
#' compare_blocks(new, chicks, "Chick")
#' @export
simulate.block_synthesis <- function(object, nsim = 1, seed = NULL, missing = TRUE, threads = NULL, progress = NULL,
                                     to = NULL, format = c("rds", "csv", "parquet"), rows_per_file = NULL, ...) {
  check_dots("simulate()", ...)
  check_fit(object)
  check_flag(missing, "missing")
  nsim <- check_count(nsim, "nsim")
  files <- ask_files(to, format, rows_per_file, n_columns(object$table) * max(object$sizes))
  check_memory(8 * copies_of_rows * rows_at_once(nsim, files) * max(object$sizes) * ncol(object$table$range),
               sprintf("A table of `nsim` = %.0f blocks of up to %d rows", nsim, max(object$sizes)),
               "ask for fewer at a time")
  threads <- threads_within(threads)
  if (!is.null(files)) {
    return(write_parts(files, object, nsim, seed, settings = list(missing = missing), progress = progress))
  }
  state <- stream_within(seed)
  drawn <- draw_blocks(object, max(nsim, 1L), threads, progress)
  kept <- which(drawn$block <= nsim)
  rows <- write_blocks(object, drawn$points[kept, , drop = FALSE], drawn$block[kept], fill = !missing)
  mark_seed(rows, state)
}

# The rows in the form of the table, with new names of blocks.
write_blocks <- function(fit, points, block, fill) {
  template <- fit$table
  columns <- decode_columns(points, template, fill)
  shown <- seq_len(n_columns(template) - 2L)
  first <- match(block, block)
  for (j in which(template$constant[shown])) {
    column <- template$columns[[template$of[j]]]
    named <- column_code(column)$name == "identifier"
    columns[[j]] <- if (named) take(new_identifiers(max(block, 0L), column$state), block) else
      take(columns[[j]], first)
  }
  label <- fit$label
  state <- c(column_identifier()$fit(label$values), list(before = label$before))
  names <- new_identifiers(max(block, 0L), state)
  before <- if (is.na(label$position)) length(shown) else label$position - 1L
  columns <- append(columns[shown], list(take(names, block)), before)
  shape_table(columns, append(template$names[shown], label$name, before), length(block), fit$form)
}
