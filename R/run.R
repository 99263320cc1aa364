# Runs: the one loop of all flows. It takes the steps of a run, shows a bar, listens for Ctrl-C, saves the run on the
# way and leaves it behind for resume().
#
# A run is a plain list of class c("<kind>_run", "particle_run"). Each has
#   label    what its bar is called
#   control  the settings; `checkpoint` is the path of a file, or NULL
#   state    all that the next step depends on and that steps change; `step` counts the steps done
#   history  a list with one entry per block of steps: what these steps left behind
#   planned  how many steps are planned in all
#   ended    "" as long as nothing has ended it, otherwise why it ended
#   elapsed  seconds
#   version  of the package
# and whatever else its kind needs.
#
# A flow is a file flow-<kind>.R with a function that makes a run and methods of
#   advance(run, most)  at least one and at most `most` further steps; or none, with `ended` set
#   finish(run)         what the user gets of the steps done so far; it changes nothing that a later step depends on
#   as_run(object)      the run behind such a result
#   foretell(run)       c(bytes, seconds) that the planned steps take at least
#   reopen(run)         a run that has ended, ready for more steps (only where clearing `ended` is not enough)
# and, for its trajectories, those of trajectory.R. What a step draws is a function of the run's key and of the number
# of the step, so that the bits do not depend on how steps are shared out to blocks.

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

# What all kinds have in common; `...`: what this kind has besides.
new_run <- function(kind, label, control, state, n_steps, ...) {
  structure(
    list(label = label, control = control, state = state, history = list(), planned = n_steps, ended = "", elapsed = 0,
         version = as.character(utils::packageVersion("particleflow")), ...),
    class = c(paste0(kind, "_run"), "particle_run")
  )
}

# An entry of the history and the state after it.
add_history <- function(run, entry, state) {
  run$history <- c(run$history, list(entry))
  run$state <- state
  run
}

# One matrix of what the entries of a history hold under a name: side by side, or one below the other.
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

# There are steps left.
is_open <- function(run) run$state$step < run$planned && !nzchar(run$ended)

# ---- the loop --------------------------------------------------------------------------------------------

# Blocks of a flow in C hold their records in one piece of memory.
most_steps_at_once <- 1e5

# Takes the steps that are left. A block is in `run` as a whole or not at all, so that an interrupt leaves the run as
# it was before the block. `remember`: a run that is interrupted is kept for resume().
go_on <- function(run, progress, remember = TRUE) {
  check_room(run) # also makes sure that `run` is there before the clean-up looks at it
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

# The steps that are left, and the fit.
complete <- function(run, progress) finish_or_remember(go_on(run, progress))

# An interrupt while the fit is made does not lose the run.
finish_or_remember <- function(run) {
  force(run) # a run that fails is not begun again by the clean-up
  whole <- FALSE
  on.exit(if (!whole) remember_run(run))
  fit <- finish(run)
  whole <- TRUE
  fit
}

# Refuses steps that would not fit into memory or would not end.
check_room <- function(run) {
  needs <- foretell(run)
  steps <- sprintf("A run of %s steps", format(run$planned, big.mark = ",", decimal.mark = ".",
                                              scientific = FALSE))
  check_memory(needs[["bytes"]], steps, "give fewer `n_steps`")
  check_time(needs[["seconds"]], steps, "give fewer `n_steps`")
}

# After told_after seconds a script without a bar is told once how long the rest will take, if that is longer than
# told_from. Steps that would take longer than longest_run are not taken.
told_after <- 5
told_from <- 60
longest_run <- 365 * 86400

time_teller <- function(progress, run) {
  silent <- shows_progress(progress) || isFALSE(progress)
  began <- seconds_now()
  first <- run$state$step
  done <- FALSE
  function(run) {
    spent <- seconds_now() - began
    left <- run$planned - run$state$step
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

# ---- runs that were stopped ------------------------------------------------------------------------------

interrupted <- new.env(parent = emptyenv())

# A run without a step has nothing to go on from; the one that was stopped before it stays.
remember_run <- function(run, save = checkpoint_writer(run$control$checkpoint)) {
  if (run$state$step == 0) return(invisible())
  interrupted$run <- run
  save(run, at_once = TRUE)
  message(sprintf("Stopped after step %d of %d: resume() goes on, resume(n_steps = 0) returns what was done so far.",
                  run$state$step, run$planned))
}

# ---- checkpoints -----------------------------------------------------------------------------------------

checkpoint_seconds <- 30

# A function that saves a run, if the last time was checkpoint_seconds ago or `at_once`. A file that cannot be written
# costs one warning, never the run.
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

# Writes beside the file and renames, so that what was saved last stays until the new file is whole. NULL, or what went
# wrong: here all errors and warnings are those of the file system.
write_checkpoint <- function(run, path) {
  partial <- paste0(path, ".part")
  on.exit(unlink(partial))
  tryCatch({
    write_whole(run, partial)
    if (file.rename(partial, path)) NULL else "it could not be renamed"
  }, error = conditionMessage, warning = conditionMessage)
}

# The last bytes of a file are written when it is closed: on a full disk they are missing without an error.
write_whole <- function(run, path) {
  connection <- file(path, "wb")
  on.exit(close(connection))
  saveRDS(run, connection)
  size <- seek(connection, rw = "write")
  on.exit()
  close(connection)
  if (!identical(file.size(path), size)) stop("the disk is full")
}

read_checkpoint <- function(path) {
  if (dir.exists(path)) fail("`object` is \"%s\", which is a directory and not a checkpoint.", path)
  if (!file.exists(path)) fail("`object` is \"%s\", but there is no such file.", path)
  run <- tryCatch(readRDS(path), error = function(e) NULL, warning = function(w) NULL)
  if (is.list(run) && !is.null(run$state) && !inherits(run, "particle_run")) {
    fail("`object` is \"%s\", a checkpoint of particleflow 0.1.0 or earlier, which this version cannot read.", path)
  }
  if (!inherits(run, "particle_run")) fail("`object` is \"%s\", which is not a checkpoint.", path)
  run$control$checkpoint <- normalizePath(path)
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
  fail(paste("`object` must be a fit from gpa() or wgf(), a trajectory from efs_forward() or the path of a checkpoint,",
             "not %s."), describe(object))
}
