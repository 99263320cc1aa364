# Runs: the one loop of all flows. It takes the steps of a run, shows a progress bar, reacts to Ctrl-C, saves the run on
# the way and keeps an interrupted run for resume().
#
# A run is a plain list of class c("<kind>_run", "particle_run"). Each has
#   label    the name of its progress bar
#   control  the settings; `checkpoint` is the path of a file, or NULL
#   state    everything that steps change and that the next step depends on; `step` is the number of steps done
#   history  a list with one entry per block of steps: the records of these steps
#   planned  the number of steps that are planned in all
#   most     NULL; or, for a run that ends by itself, the largest number of steps
#   ended    why the run ended; "" if it has not ended
#   elapsed  seconds
#   version  of the package
# and the parts that its kind needs besides.
#
# A flow is a file flow-<kind>.R with a function that makes a run and methods of
#   advance(run, most)  takes at least one and at most `most` further steps; or takes none and sets `ended`
#   finish(run)         the result for the user after the steps done so far; it changes nothing that a later step needs
#   as_run(object)      the run behind such a result
#   foretell(run)       c(bytes, seconds): the least that the planned steps need
#   reopen(run)         makes a run that has ended ready for more steps (only if clearing `ended` is not enough)
# and, for its trajectories, the methods of trajectory.R. The random numbers of a step are a function of the key of the
# run and of the number of the step. The bits therefore do not depend on how the steps are divided into blocks.

advance <- function(run, most) UseMethod("advance")

finish <- function(run) UseMethod("finish")

as_run <- function(object) UseMethod("as_run")

foretell <- function(run) UseMethod("foretell")

reopen <- function(run) UseMethod("reopen")

#' @export
reopen.particle_run <- function(run) {
  run$ended <- ""
  run
}

# A run with the parts that all kinds have. `...`: the parts that this kind has besides.
new_run <- function(kind, label, control, state, n_steps, ...) {
  structure(
    list(label = label, control = control, state = state, history = list(), planned = n_steps, ended = "", elapsed = 0,
         version = as.character(utils::packageVersion("particleflow")), ...),
    class = c(paste0(kind, "_run"), "particle_run")
  )
}

# The run with one more entry of its history and the state after it.
add_history <- function(run, entry, state) {
  run$history <- c(run$history, list(entry))
  run$state <- state
  run
}

# One matrix of the parts `name` of all entries of the history: side by side (cbind), or one below the other (rbind).
join_history <- function(run, name, bind = cbind) do.call(bind, c(list(NULL), lapply(run$history, `[[`, name)))

# The records of an entry from rows of diagnostics: one row per number, one column per step.
record_matrix <- function(diagnostics) {
  records <- t(as.matrix(diagnostics))
  colnames(records) <- NULL
  records
}

run_status <- function(run) {
  if (nzchar(run$ended)) return(run$ended)
  if (is_open(run)) "interrupted" else "all steps done"
}

# TRUE if there are steps left and nothing has ended the run.
is_open <- function(run) run$state$step < run$planned && !nzchar(run$ended)

# ---- the loop --------------------------------------------------------------------------------------------

# The limit of a block, because the flows in C allocate the records of a block at once.
most_steps_at_once <- 1e5

# Takes the steps that are left. `run` holds a block as a whole or not at all: after an interrupt the run is as it was
# before the block. `remember`: whether an interrupted run is kept for resume().
go_on <- function(run, progress, remember = TRUE) {
  check_room(run) # this also evaluates `run` before the clean-up needs it
  bar <- progress_bar(run$label, run$planned - run$state$step, progress)
  save <- checkpoint_writer(run$control$checkpoint)
  tell <- time_teller(progress, run)
  whole <- FALSE
  if (remember) on.exit(if (!whole) remember_run(run, save), add = TRUE)
  most <- 1
  while (is_open(run)) {
    began <- seconds_now()
    before <- run$state$step
    run <- take_seconds(advance(run, min(most, run$planned - before)), began)
    done <- run$state$step - before
    most <- floor(max(1, min(most_steps_at_once, next_count(max(done, 1), seconds_now() - began))))
    bar$tick(done)
    tell(run)
    save(run)
  }
  save(run, at_once = TRUE)
  whole <- TRUE
  run
}

take_seconds <- function(run, began) {
  run$elapsed <- run$elapsed + seconds_now() - began
  run
}

# Takes the steps that are left and returns the fit.
complete <- function(run, progress) finish_or_remember(go_on(run, progress))

# The fit of a run. If an interrupt comes while the fit is made, the run is kept for resume().
finish_or_remember <- function(run) {
  force(run) # otherwise the clean-up would start a run that has failed again
  whole <- FALSE
  on.exit(if (!whole) remember_run(run))
  fit <- finish(run)
  whole <- TRUE
  fit
}

# Refuses steps that need too much memory or too much time.
check_room <- function(run) {
  needs <- foretell(run)
  steps <- sprintf("A run of %s steps", format(run$planned, big.mark = ",", decimal.mark = ".",
                                              scientific = FALSE))
  check_memory(needs[["bytes"]], steps, "give fewer `n_steps`")
  check_time(needs[["seconds"]], steps, "give fewer `n_steps`")
}

# A script without a progress bar prints one message after told_after seconds (see progress.R). The message foretells
# the time of the remaining steps, if it is longer than told_from seconds. A run whose remaining steps would take longer
# than longest_run seconds is stopped with an error.
longest_run <- 365 * 86400

time_teller <- function(progress, run) {
  if (!is.null(run$most)) return(function(run) invisible()) # nobody knows how many steps are left
  silent <- shows_progress(progress) || isFALSE(progress)
  began <- seconds_now()
  first <- run$state$step
  done <- FALSE
  function(run) {
    spent <- seconds_now() - began
    left <- steps_left(run)
    if (done || spent < told_after || left == 0) return(invisible())
    done <<- TRUE
    seconds <- spent * left / max(1, run$state$step - first)
    if (seconds > longest_run) {
      stop_size("The %d steps that are left would take %s; give fewer `n_steps`.", left, describe_time(seconds))
    }
    if (!silent && seconds > told_from) {
      message(sprintf("About %s for the %d steps that are left.", describe_time(seconds), left))
    }
  }
}

# The number of steps that are left. A run that ends at a time is taken to go on at the pace of its steps so far.
steps_left <- function(run) {
  left <- run$planned - run$state$step
  if (is.null(run$control$time) || !isTRUE(run$state$time > 0)) return(left)
  as.integer(min(left, ceiling((run$control$time - run$state$time) * run$state$step / run$state$time)))
}

# ---- runs that were stopped ------------------------------------------------------------------------------

interrupted <- new.env(parent = emptyenv())

# what: a trained network.
refuse_training <- function(what) {
  fail("`object` is %s, which does not hold the rows that it was trained on and cannot be trained further: %s.", what,
       "give the path of its `checkpoint`")
}

# Keeps a run for resume(). A run without a step done is not kept; the run that was kept before stays.
remember_run <- function(run, save = checkpoint_writer(run$control$checkpoint)) {
  if (run$state$step == 0) return(invisible())
  interrupted$run <- run
  save(run, at_once = TRUE)
  message(sprintf("Stopped after step %d of %d: resume() goes on, resume(n_steps = 0) returns what was done so far.",
                  run$state$step, run$planned))
}

# ---- checkpoints -----------------------------------------------------------------------------------------

checkpoint_seconds <- 30

# A function that saves a run if the last save was at least checkpoint_seconds ago, or if `at_once`. A file that cannot
# be written gives one warning and does not stop the run.
checkpoint_writer <- function(path) {
  force(path)
  last <- seconds_now()
  warned <- FALSE
  function(run, at_once = FALSE) {
    if (is.null(path) || (!at_once && seconds_now() - last < checkpoint_seconds)) return(invisible())
    problem <- write_checkpoint(run, path)
    last <<- seconds_now()
    if (is.null(problem) || warned) return(invisible())
    warned <<- TRUE
    warning(sprintf("The checkpoint \"%s\" could not be written after step %d (%s); the run itself is not lost.", path,
                    run$state$step, problem), call. = FALSE)
  }
}

# Writes another file and renames it, so that the last checkpoint stays until the new one is complete. Returns NULL or
# the message of the error. All errors and warnings are caught here, because they can only come from the file system.
write_checkpoint <- function(run, path) {
  partial <- partial_path(path)
  on.exit(unlink(partial))
  tryCatch({
    write_whole(mark_run(run), partial)
    if (file.rename(partial, path)) NULL else "it could not be renamed"
  }, error = conditionMessage, warning = conditionMessage)
}

# The last bytes of a file are written when it is closed. On a full disk they are missing, and R gives no error.
write_whole <- function(run, path) {
  connection <- file(path, "wb")
  on.exit(close(connection))
  saveRDS(run, connection)
  size <- seek(connection, rw = "write")
  on.exit()
  close(connection)
  if (!identical(file.size(path), size)) stop("the disk is full")
}

# The run as a file holds it: first the word by which the file is known (see checks.R), last a fingerprint.
mark_run <- function(run) {
  fingerprint <- run_fingerprint(run)
  structure(c(list(word = checkpoint_word), unclass(run), list(fingerprint = fingerprint)), class = class(run))
}

# Of all parts, and of the frames that a run of efs_forward() has in an environment.
run_fingerprint <- function(run) {
  store <- run$store
  fingerprint(c(list(class(run)), unclass(run), if (is.environment(store)) {
    list(store = lapply(sort(names(store)), function(name) fingerprint(store[[name]])))
  }))
}

read_checkpoint <- function(path) {
  if (dir.exists(path)) fail("`object` is \"%s\", which is a directory and not a checkpoint.", path)
  if (!file.exists(path)) fail("`object` is \"%s\", but there is no such file.", path)
  if (is_device(normalizePath(path))) fail("`object` is \"%s\", which is a device and not a checkpoint.", path)
  run <- tryCatch(readRDS(path), error = function(e) NULL, warning = function(w) NULL)
  if (is.list(run) && !is.null(run$state) && !inherits(run, "particle_run")) {
    fail("`object` is \"%s\", a checkpoint of particleflow 0.1.0 or earlier, which this version cannot read.", path)
  }
  if (inherits(run, c("gpa", "energy_flow", "wgf", "temper", "riesz_trajectory"))) {
    fail("`object` is \"%s\", a file that holds a fit of class \"%s\" and no checkpoint; %s.", path, class(run)[1],
         "read the fit with readRDS() and give the fit itself")
  }
  if (!inherits(run, "particle_run")) fail("`object` is \"%s\", which is not a checkpoint.", path)
  run <- check_marked(run, path)
  run$control$checkpoint <- normalizePath(path)
  run
}

# The run without its marks, if it is as write_checkpoint() wrote it.
check_marked <- function(run, path) {
  if (!is.list(run) || !is_readable(run$version)) {
    fail("`object` is \"%s\", a checkpoint of particleflow %s, which particleflow %s cannot read.", path,
         if (is.list(run)) version_text(run$version) else version_text(NULL), utils::packageVersion("particleflow"))
  }
  found <- run$fingerprint
  run[c("word", "fingerprint")] <- NULL
  if (!identical(found, run_fingerprint(run))) {
    fail("`object` is \"%s\", a checkpoint that was changed after it was written; start the run again.", path)
  }
  run
}

#' @export
as_run.character <- function(object) {
  if (length(object) != 1 || is.na(object)) {
    fail("`object` must be a fit or the path of one checkpoint, not %s.", describe(object))
  }
  read_checkpoint(object)
}

#' @export
as_run.default <- function(object) {
  fail(paste("`object` must be a fit from gpa(), energy_flow(), wgf() or temper(), a trajectory from efs_forward() or",
             "the path of a checkpoint, not %s."), describe(object))
}
