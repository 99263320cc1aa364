# Work handed to other R processes: the daemons of the package mirai, where the user has set some.

# lapply(x, function(one) f(own(one), ...)), with one task per entry of x. Without daemons the tasks run here, one after
# the other. f and what it calls draw nothing from R's random stream: keys are drawn before, so that results have the
# same bits wherever the tasks run. f must be a function of the package, because it is sent with its environment. own()
# runs here; it takes from larger objects what one task needs. f asks thread_count() how many threads it may use.
shard_map <- function(x, f, ..., own = identity) {
  daemons <- if (length(x) > 1) min(count_daemons(), length(x)) else 0L
  if (daemons == 0) return(lapply(x, function(one) f(own(one), ...)))
  shared <- pack(list(f = f, arguments = list(...), threads = shard_threads(daemons),
                      simd = .Call(C_pf_simd, "")$current))
  tasks <- list()
  on.exit(lapply(tasks, mirai::stop_mirai)) # after an error or an interrupt some are not done
  for (one in x) tasks[[length(tasks) + 1]] <- start_task(shared, pack(own(one)))
  stats::setNames(lapply(tasks, collect_task), names(x))
}

# The number of daemons that are there. 0: the user has set none, or they have not connected yet.
count_daemons <- function() {
  if (!isNamespaceLoaded("mirai")) return(0L)
  mirai::status()$connections
}

# Threads of each daemon: no more than a computation may use here, and no more in all than there are processors.
shard_threads <- function(daemons) {
  threads <- thread_count()
  min(threads, max(1L, .Call(C_pf_threads, threads)$processors %/% daemons))
}

# Objects are sent as bytes, because a daemon can read functions of the package only after it has loaded the package.
pack <- function(x) serialize(x, NULL, xdr = FALSE)

start_task <- function(shared, own) {
  run <- run_on_daemon
  environment(run) <- baseenv()
  task <- quote(run(shared, own, paths, version))
  mirai::mirai(task, .args = list(run = run, shared = shared, own = own, paths = .libPaths(),
                                  version = as.character(utils::packageVersion("particleflow"))))
}

# Runs on a daemon, without the package around it.
run_on_daemon <- function(shared, own, paths, version) {
  space <- loadNamespace("particleflow", unique(c(paths, .libPaths())))
  found <- as.character(getNamespaceVersion(space))
  if (found != version) stop("it has particleflow ", found, ", and this session has ", version)
  get("run_task", space)(shared, own)
}

# Runs one task on a daemon: a list of `value` or `error`, and of `heard`, the messages and warnings in their order.
run_task <- function(shared, own) {
  job <- unserialize(shared)
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

# The value of a task. Messages, warnings and the error of the daemon are signalled here, with their classes.
collect_task <- function(task) {
  done <- mirai::collect_mirai(task)
  if (mirai::is_error_value(done)) {
    stop_class("particleflow_daemon", sprintf("A daemon of mirai did not do its task: %s.", daemon_words(done)))
  }
  for (condition in done$heard) {
    if (inherits(condition, "message")) message(condition) else warning(condition)
  }
  if (!is.null(done$error)) stop(done$error)
  done$value
}

# What mirai says of a task that failed: an error of R, or the number of an error of the connection.
daemon_words <- function(found) {
  if (!is.character(found)) return(sprintf("its process ended, or cannot be reached (error %d)", found))
  sub("[.]?\\s*$", "", sub("^Error in [^:]*: ?", "", found))
}
