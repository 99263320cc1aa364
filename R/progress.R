# Long work runs as many short .Call()s from a loop in R: between them R shows progress and listens for Ctrl-C.

# Seconds that one .Call() should take.
block_seconds <- 0.2

# A progress bar over `total` units, shown when `progress` says so, or, where it
# is NULL, in an interactive session. Returns functions tick(units) and done().
progress_bar <- function(label, total, progress) {
  if (is.null(progress)) progress <- interactive()
  if (!check_flag(progress, "progress") || total <= 0) {
    return(list(tick = function(units = 1) NULL, done = function() NULL))
  }
  bar <- cli::cli_progress_bar(label, total = total, clear = TRUE, .auto_close = FALSE)
  list(
    tick = function(units = 1) cli::cli_progress_update(units, id = bar),
    done = function() cli::cli_progress_done(id = bar)
  )
}

# Calls work(from, count) over consecutive blocks of `n` rows (from counts from
# 0), sized so that a block takes about `block_seconds`; the list of results.
# Blocks start at a multiple of the chunk of rows that the core sums together:
# then a row's bits depend neither on its block nor on how long blocks took. What
# is no row but another unit of work may have a `chunk` of its own.
in_blocks <- function(n, pairs_per_row, work, chunk = 32, least = 2 * chunk) {
  whole_chunks <- function(rows) max(least, chunk * floor(rows / chunk))
  rows <- whole_chunks(1e8 / max(pairs_per_row, 1))
  if (n <= rows) return(list(work(0L, as.integer(n))))
  results <- list()
  from <- 0
  while (from < n) {
    count <- min(rows, n - from)
    began <- proc.time()[[3]]
    results[[length(results) + 1]] <- work(as.integer(from), as.integer(count))
    seconds <- max(proc.time()[[3]] - began, 0.001)
    from <- from + count
    rows <- whole_chunks(count * min(4, block_seconds / seconds))
  }
  results
}

# One list from the per-block lists: matrices by rows, vectors end to end.
bind_blocks <- function(blocks) {
  if (length(blocks) == 1) return(blocks[[1]])
  names <- names(blocks[[1]])
  parts <- lapply(names, function(name) {
    values <- lapply(blocks, `[[`, name)
    if (is.matrix(values[[1]])) do.call(rbind, values) else unlist(values)
  })
  stats::setNames(parts, names)
}

# Work on a few columns at a time: about this many numbers of a matrix at once.
numbers_at_once <- 2e6

in_columns <- function(n, rows, work) {
  each <- max(1, floor(numbers_at_once / rows))
  unlist(lapply(seq(1, n, by = each), function(first) work(first:min(n, first + each - 1))))
}

# Stops before work whose result of `bytes` would not fit: the rest of the session needs the other half of the memory.
# `what` begins the sentence, `advice` says what to do instead.
check_memory <- function(bytes, what, advice) {
  memory <- .Call(C_pf_memory)
  if (is.na(memory) || bytes <= memory / 2) return(invisible())
  stop_size("%s would take %.1f GB, more than half of this machine's %.1f GB; %s.", what, bytes / 1e9, memory / 1e9,
            advice)
}

# Work that would take longer than this is taken for a slip of the pen.
most_days <- 30

# What a processor does at most in a second: kernel values of pairs, and operations in matrix products. Estimates with
# these rates are lower bounds.
most_pairs_per_second <- 1e10
most_products_per_second <- 1e12

# Stops before work that takes at least `seconds`, if that is longer than most_days.
check_time <- function(seconds, what, advice) {
  days <- seconds / 86400
  if (days <= most_days) return(invisible())
  long <- if (days < 2 * 365) sprintf("%.0f days", days) else sprintf("%s years", format(signif(days / 365, 2)))
  stop_size("%s would take at least %s; %s.", what, long, advice)
}
