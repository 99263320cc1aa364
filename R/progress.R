# Long work runs as many short calls of C from a loop in R. Between them R shows progress and listens for Ctrl-C.

# The number of seconds that one .Call() should take.
block_seconds <- 0.2

# The time of a clock, in seconds.
seconds_now <- function() proc.time()[[3]]

# The number of units of work to do next, if the last `count` units took `seconds`: as many as fit into block_seconds,
# but at most four times as many as before.
next_count <- function(count, seconds) count * min(4, block_seconds / max(seconds, 0.001))

# `progress` as the user gave it: TRUE, FALSE, or NULL for a bar in an interactive session.
check_progress <- function(progress) if (!is.null(progress)) check_flag(progress, "progress")

shows_progress <- function(progress) {
  check_progress(progress)
  if (is.null(progress)) interactive() else progress
}

# A progress bar over `total` units, shown if `progress` says so. Returns the functions tick(units) and done(). The bar
# is closed at the latest when the function of `frame` ends.
#
# cli keeps the bars of a session in one list. An interrupt during a call of cli could leave this list half written,
# and every later bar would fail. So interrupts wait until cli has returned. After an error of cli there is no bar, and
# the computation goes on.
progress_bar <- function(label, total, progress, frame = parent.frame()) {
  id <- NULL
  guarded <- function(work) suspendInterrupts(tryCatch(work(), error = function(e) id <<- NULL))
  bar <- list(
    tick = function(units = 1) {
      if (!is.null(id)) guarded(function() cli::cli_progress_update(units, id = id))
      invisible()
    },
    done = function() {
      if (!is.null(id)) guarded(function() cli::cli_progress_done(id = id))
      id <<- NULL
      invisible()
    }
  )
  if (!shows_progress(progress) || total <= 0) return(bar)
  guarded(function() {
    id <<- cli::cli_progress_bar(label, total = total, clear = TRUE, current = FALSE, .auto_close = FALSE)
    do.call(on.exit, list(as.call(list(bar$done)), add = TRUE), envir = frame)
  })
  bar
}

# tick() of a progress bar of `total` units. In a script without a bar it prints one message, told_after seconds after
# the start, that foretells the time of the units that are left, if it is longer than told_from seconds.
# what: begins the message.
telling_tick <- function(tick, total, progress, what, clock = seconds_now) {
  force(tick)
  silent <- shows_progress(progress) || isFALSE(progress)
  began <- clock()
  done <- 0
  told <- FALSE
  function(units = 1) {
    tick(units)
    done <<- done + units
    spent <- clock() - began
    if (silent || told || spent < told_after) return(invisible())
    told <<- TRUE
    left <- spent * (total - done) / done
    if (left > told_from) message(sprintf("%s: about %s are left.", what, describe_time(left)))
  }
}

told_after <- 5
told_from <- 60

# Calls work(from, count) over consecutive blocks of `n` rows (from counts from 0) and returns the list of results. A
# block takes about `block_seconds`. Blocks start at a multiple of the chunk of rows that the core sums together. So
# the bits of a row depend neither on its block nor on how long blocks took. Units of work other than rows may have
# another `chunk`.
in_blocks <- function(n, pairs_per_row, work, chunk = 32, least = 2 * chunk) {
  whole_chunks <- function(rows) max(least, chunk * floor(rows / chunk))
  rows <- whole_chunks(1e8 / max(pairs_per_row, 1))
  if (n <= rows) return(list(work(0L, as.integer(n))))
  results <- list()
  from <- 0
  while (from < n) {
    count <- min(rows, n - from)
    began <- seconds_now()
    results[[length(results) + 1]] <- work(as.integer(from), as.integer(count))
    from <- from + count
    rows <- whole_chunks(next_count(count, seconds_now() - began))
  }
  results
}

# One list from the lists of the blocks: matrices are joined by rows, vectors end to end.
bind_blocks <- function(blocks) {
  if (length(blocks) == 1) return(blocks[[1]])
  names <- names(blocks[[1]])
  parts <- lapply(names, function(name) {
    values <- lapply(blocks, `[[`, name)
    if (is.matrix(values[[1]])) do.call(rbind, values) else unlist(values)
  })
  stats::setNames(parts, names)
}

# A matrix is worked on a few columns at a time, with about this many numbers at once.
numbers_at_once <- 2e6

in_columns <- function(n, rows, work) {
  each <- max(1, floor(numbers_at_once / rows))
  unlist(lapply(seq(1, n, by = each), function(first) work(first:min(n, first + each - 1))))
}

# Stops before work whose result of `bytes` would take more than half of the memory, because the rest of the session
# needs the other half. `what` begins the sentence, and `advice` says what to do instead.
check_memory <- function(bytes, what, advice) {
  memory <- .Call(C_pf_memory)
  if (is.na(memory) || bytes <= memory / 2) return(invisible())
  stop_size("%s would take %.1f GB, more than half of this machine's %.1f GB; %s.", what, bytes / 1e9, memory / 1e9,
            advice)
}

# The number of rows that a user asks for. `copies_of_rows` copies of rows of `columns` numbers must fit into memory at
# once.
check_rows <- function(x, what, columns, lower = 0L) {
  x <- check_count(x, what, lower)
  check_table_memory(x, what, columns)
  x
}

check_table_memory <- function(rows, what, columns) {
  check_memory(8 * copies_of_rows * as.numeric(rows) * columns,
               sprintf("A table of `%s` = %.0f rows and %.0f columns", what, rows, columns), "ask for fewer at a time")
}

# The copies are: draws, points, decoded points, and the table.
copies_of_rows <- 4

# Work that would take more days than this is assumed to be asked for by mistake.
most_days <- 30

# The most that a processor does in a second: kernel values of pairs, and operations in matrix products. Times
# estimated with these rates are lower bounds.
most_pairs_per_second <- 1e10
most_products_per_second <- 1e12

# Stops before work that takes at least `seconds`, if that is longer than most_days.
check_time <- function(seconds, what, advice) {
  if (seconds <= most_days * 86400) return(invisible())
  stop_size("%s would take at least %s; %s.", what, describe_time(seconds), advice)
}

# "7 minutes", "30 hours", "40 days", "12 years"
describe_time <- function(seconds) {
  units <- c(minutes = 60, hours = 3600, days = 86400, years = 365 * 86400)
  unit <- max(1, sum(seconds >= 2 * units))
  sprintf("%s %s", format(signif(ceiling(seconds / units[[unit]]), 2), scientific = FALSE), names(units)[unit])
}
