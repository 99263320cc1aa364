# Work handed to other R processes: the daemons of the package mirai, where the user has set some.

# lapply(x, function(one) f(own(one), ...)), with one task per entry of x. Without daemons the tasks run here, one after
# the other. f and what it calls draw nothing from R's random stream: keys are drawn before, so that results have the
# same bits wherever the tasks run. f must be a function of the package, because it is sent with its environment. own()
# runs here; it takes from larger objects what one task needs. f asks thread_count() how many threads it may use.
# done(at, value) is called here as soon as task `at` has ended, in the order in which tasks end.
#
# A task whose daemon ended is done again by another daemon, or here if none is left. An error of the task itself ends
# the call, when all tasks before it have ended.
shard_map <- function(x, f, ..., own = identity, done = function(at, value) NULL) {
  here <- function(at) {
    value <- f(own(x[[at]]), ...)
    done(at, value)
    value
  }
  daemons <- if (length(x) > 1) min(count_daemons(), length(x)) else 0L
  if (daemons == 0) return(stats::setNames(lapply(seq_along(x), here), names(x)))
  board <- new_board(length(x), new_job(f, list(...), daemons))
  on.exit(stop_tasks(board)) # after an error or an interrupt some are not done
  while (board$told < length(x)) {
    start_tasks(board, function(at) pack(own(x[[at]])))
    ended <- await_tasks(board)
    if (!length(ended)) {
      at <- next_here(board)
      board$results[[at]] <- list(value = here(at))
    }
    for (at in ended) {
      end_task(board, at)
      if ("value" %in% names(board$results[[at]])) done(at, board$results[[at]]$value)
    }
    tell_results(board)
  }
  stats::setNames(lapply(board$results, `[[`, "value"), names(x))
}

# The number of daemons that are there. 0: the user has set none, or they have not connected yet.
count_daemons <- function() {
  if (!isNamespaceLoaded("mirai")) return(0L)
  info <- mirai::info()
  if (is.null(info)) 0L else info[["connections"]]
}

# Threads of each daemon: no more than a computation may use here, and no more in all than there are processors.
shard_threads <- function(daemons) {
  threads <- thread_count()
  min(threads, max(1L, .Call(C_pf_threads, threads)$processors %/% daemons))
}

# Objects are sent as bytes, because a daemon can read functions of the package only after it has loaded the package.
pack <- function(x) serialize(x, NULL, xdr = FALSE)

# What all tasks of a call share. It is sent with the first tasks. A daemon keeps it until it gets another one, and asks
# for it if it has not got it.
new_job <- function(f, arguments, daemons) {
  shared <- pack(list(f = f, arguments = arguments, threads = shard_threads(daemons),
                      simd = .Call(C_pf_simd, "")$current))
  list(id = paste(basename(tempdir()), basename(tempfile("job"))), shared = shared, daemons = daemons)
}

# The state of n tasks: `waiting`, the numbers of those to be started, in this order; `running`, a list of the tasks of
# mirai that are under way, by number; `results`; `told`, how many results have been told, counted from the first;
# `lost`, how often the daemon of each task has ended; `asked`, the tasks that the job must be sent with; and `sent`,
# how many tasks have been sent with it.
new_board <- function(n, job) {
  list2env(list(job = job, waiting = seq_len(n), running = list(), results = vector("list", n), told = 0L,
                lost = integer(n), asked = integer(), sent = 0L, warned = FALSE), parent = emptyenv())
}

# Two tasks per daemon are under way, so that none waits for its next one, and few are in memory.
start_tasks <- function(board, own) {
  free <- 2L * count_daemons() - length(board$running)
  for (at in utils::head(board$waiting, max(free, 0L))) {
    whole <- board$sent < board$job$daemons || at %in% board$asked || length(board$job$shared) < least_kept_bytes
    board$sent <- board$sent + whole
    board$running[[as.character(at)]] <- start_task(board$job$id, if (whole) board$job$shared, own(at))
    board$waiting <- setdiff(board$waiting, at)
  }
}

# Sending fewer bytes again costs less than being asked for them.
least_kept_bytes <- 1e5

start_task <- function(id, shared, own) {
  run <- run_on_daemon
  environment(run) <- baseenv()
  task <- quote(run(id, shared, own, paths, version))
  mirai::mirai(task, .args = list(run = run, id = id, shared = shared, own = own, paths = .libPaths(),
                                  version = as.character(utils::packageVersion("particleflow"))))
}

# The numbers of tasks that have ended, at least one. None: no daemon has been there for a second.
await_tasks <- function(board) {
  pause <- 0.001
  alone <- seconds_now()
  repeat {
    ended <- names(board$running)[!vapply(board$running, mirai::unresolved, NA)]
    if (length(ended)) return(as.integer(ended))
    if (count_daemons() > 0) alone <- seconds_now() else if (seconds_now() - alone > 1) return(integer())
    Sys.sleep(pause)
    pause <- min(2 * pause, 0.01)
  }
}

# Where no daemon is left: the number of the first task that is not done. A task of which two daemons have died could
# end this session, too.
next_here <- function(board) {
  stop_tasks(board)
  board$waiting <- sort(c(board$waiting, as.integer(names(board$running))))
  board$running <- list()
  at <- board$waiting[1]
  if (board$lost[at] > 1) stop_daemon("its process ended, as did that of another daemon with the same task")
  board$waiting <- board$waiting[-1]
  tell_lost(board)
  at
}

# The last tasks come first, so that no daemon starts one that waits.
stop_tasks <- function(board) for (task in rev(board$running)) if (mirai::unresolved(task)) mirai::stop_mirai(task)

# Keeps the result of a task that has ended, or puts the task in front of those that wait.
end_task <- function(board, at) {
  found <- mirai::collect_mirai(board$running[[as.character(at)]])
  board$running[[as.character(at)]] <- NULL
  if (mirai::is_mirai_error(found)) stop_daemon(daemon_words(found))
  lost <- mirai::is_error_value(found)
  if (!lost && !isTRUE(found$lacks_job)) {
    board$results[[at]] <- found
    return(invisible())
  }
  board$waiting <- c(at, board$waiting)
  board$asked <- c(board$asked, at)
  if (!lost) return(invisible())
  board$lost[at] <- board$lost[at] + 1L
  if (board$lost[at] > 2) stop_daemon(sprintf("the processes of %d daemons ended with it", board$lost[at]))
  tell_lost(board)
}

tell_lost <- function(board) {
  if (!board$warned) message("A daemon of mirai ended or cannot be reached. What it was doing is done again.")
  board$warned <- TRUE
}

stop_daemon <- function(words) {
  stop_class("particleflow_daemon", sprintf("A daemon of mirai did not do its task: %s.", words))
}

# What mirai says of a task that failed.
daemon_words <- function(found) sub("[.]?\\s*$", "", sub("^Error in [^:]*: ?", "", found))

# Messages, warnings and the errors of daemons are signalled here, with their classes and in the order of the tasks.
tell_results <- function(board) {
  while (board$told < length(board$results) && !is.null(board$results[[board$told + 1L]])) {
    board$told <- board$told + 1L
    result <- board$results[[board$told]]
    for (condition in result$heard) {
      if (inherits(condition, "message")) message(condition) else warning(condition)
    }
    if (!is.null(result$error)) stop(result$error)
  }
}

# ---- on a daemon -----------------------------------------------------------------------------------------

# Runs on a daemon, without the package around it.
run_on_daemon <- function(id, shared, own, paths, version) {
  space <- loadNamespace("particleflow", unique(c(paths, .libPaths())))
  found <- as.character(getNamespaceVersion(space))
  if (found != version) stop("it has particleflow ", found, ", and this session has ", version)
  get("run_task", space)(id, shared, own)
}

# The job of the last task that this process has done.
kept_job <- new.env(parent = emptyenv())

# Runs one task on a daemon: a list of `value` or `error`, and of `heard`, the messages and warnings in their order.
# lacks_job: the task must be sent again, with the job.
run_task <- function(id, shared, own) {
  if (!is.null(shared)) {
    kept_job$job <- unserialize(shared)
    kept_job$id <- id
  }
  if (!identical(kept_job$id, id)) return(list(lacks_job = TRUE))
  job <- kept_job$job
  before <- options(particleflow.threads = job$threads)
  simd <- .Call(C_pf_simd, "")
  on.exit({
    options(before)
    .Call(C_pf_simd, simd$current)
  })
  if (job$simd %in% simd$available) .Call(C_pf_simd, job$simd)
  heard <- list()
  hear <- function(condition, quiet) {
    heard[[length(heard) + 1]] <<- condition
    invokeRestart(quiet)
  }
  done <- withCallingHandlers(
    tryCatch(list(value = do.call(job$f, c(list(unserialize(own)), job$arguments), quote = TRUE)),
             error = function(e) list(error = e)),
    message = function(m) hear(m, "muffleMessage"), warning = function(w) hear(w, "muffleWarning")
  )
  c(done, list(heard = heard))
}
