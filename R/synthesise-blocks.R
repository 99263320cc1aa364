# Reads a table whose rows come in blocks, so that whole blocks can be drawn.

# A list of
#   table     what read_mixed() reads of the rows, sorted by block, with a column for the number of the row in its block
#             and one for the size of the block; settled
#   rows      these rows, a data frame
#   gaps      the same for the differences of the columns `order$gap` from one row to the next; NULL: there are none
#   block, number [n]  the block of each sorted row, and its number there
#   order     columns that rise or fall within every block: gap and box are numbers of columns, sign [p] is 1 or -1,
#             strict [p] whether no two successive values are equal
#   constant [sum(dims)]  whether a coordinate is the same in all rows of each block
#   label     the label of the blocks (see table-label.R), and `form`, the class of x
read_blocks <- function(x, blocks, columns, id, constraints, combine) {
  if (!is.data.frame(x)) fail("`x` must be a data frame to draw whole blocks of its rows, not %s.", describe(x))
  label <- read_label(find_label(blocks, x, "blocks"), nrow(x), "blocks")
  sizes <- check_block_sizes(table(label$group))
  block <- as.integer(label$group)
  rows <- order(block)
  block <- block[rows]
  inner <- drop_columns(plain_table(x, "x", mixed = TRUE), stats::na.omit(label$label$position))
  sorted <- new_frame(lapply(seq_along(inner), function(j) take(unbox(inner[[j]]), rows)), names_as_given(inner), nrow(x))
  added <- c(free_name(".row", names(x)), free_name(".size", c(".row", names(x))))
  number <- sequence(sizes)
  sorted[[added[1]]] <- number
  sorted[[added[2]]] <- rep(sizes, sizes)
  columns[added] <- list(column_count(1, max(sizes)), column_count(1, max(sizes)))
  table <- read_mixed(sorted, NULL, columns, id, constraints, combine, list(block = block, added = added))
  check_bounds_of_blocks(table$template)
  table <- settle_table(table, sorted)
  order <- ordered_columns(sorted, table$template, block)
  if (is.null(label$label$name)) label$label$name <- free_name("block", names(x))
  list(table = table, rows = sorted, gaps = read_gaps(sorted, table$template, block, order), block = block, number = number,
       order = order, constant = constant_coordinates(table, block), label = label$label, form = form_of(x))
}

check_block_sizes <- function(sizes) {
  if (length(sizes) < 2) fail("`blocks` puts all rows into one block; at least two are needed to draw whole blocks.")
  if (max(sizes) < 2) fail("`blocks` has no block of two or more rows; `whole_blocks` needs rows that belong together.")
  if (length(sizes) < 5) fail("`blocks` has %d blocks, but at least 5 are needed to draw whole blocks.", length(sizes))
  as.integer(sizes)
}


synthesise_blocks <- function(x, group, columns, id, constraints, combine, blocks, control, quiet, call, began, threads,
                              progress) {
  if (is.null(blocks)) fail("`whole_blocks` needs `blocks`, which says what rows belong together.")
  if (!is.null(group)) fail("`group` cannot be used with `whole_blocks`; leave the column in `x`.")
  read <- read_blocks(x, blocks, columns, id, constraints, combine)
  control[c("n_steps", "time")] <- list(NULL, 0)
  fit_blocks(x, read, control, call, began, threads, progress)
}

# A fit of class "block_synthesis".
fit_blocks <- function(x, read, control, call, began, threads, progress) {
  threads <- threads_within(threads)
  laws <- fit_block_laws(read, control, call, began, threads, progress)
  seal(structure(list(
    call = call, laws = laws, table = read$table$template, gaps = read$gaps$template, order = read$order,
    label = read$label, form = read$form, sizes = tabulate(read$block), control = control[c("density_floor")],
    elapsed = proc.time()[[3]] - began, maker = "synthesise",
    version = as.character(utils::packageVersion("particleflow"))
  ), class = c("block_synthesis", "particle_flow")))
}

#' @rdname blocks
#' @export
simulate.block_synthesis <- function(object, nsim = 1, seed = NULL, missing = TRUE, threads = NULL, progress = NULL,
                                     ...) {
  check_dots("simulate()", ...)
  check_fit(object)
  check_flag(missing, "missing")
  nsim <- check_count(nsim, "nsim")
  check_table_memory(round(nsim * max(object$sizes)), "nsim", ncol(object$table$range))
  threads <- threads_within(threads)
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
  for (j in which(template$constant[shown])) columns[[j]] <- take(columns[[j]], first)
  label <- fit$label
  names <- new_identifiers(max(block, 0L), column_identifier()$fit(label$values))
  before <- if (is.na(label$position)) length(shown) else label$position - 1L
  columns <- append(columns[shown], list(take(names, block)), before)
  shape_table(columns, append(template$names[shown], label$name, before), length(block), fit$form)
}
