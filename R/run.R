# Runs that can be interrupted, saved and resumed.

checkpoint_seconds <- 30

interrupted <- new.env(parent = emptyenv())

remember_run <- function(run) {
  interrupted$run <- run
  if (!is.null(run$control$checkpoint)) write_checkpoint(run)
  message(sprintf("Stopped after step %d of %d; resume() goes on from there.", run$state$step, run$planned))
}

write_checkpoint <- function(run) {
  path <- run$control$checkpoint
  partial <- paste0(path, ".part")
  saveRDS(run, partial, compress = FALSE)
  file.rename(partial, path)
}
