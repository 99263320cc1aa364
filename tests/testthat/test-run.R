# The loop of all flows: runs in parts, runs that are stopped, checkpoints, bars, and what a run is told beforehand.

inside <- function(name) get(name, envir = asNamespace("particleflow"))

# A short run of every flow; what a user compares of it.
flows <- list(
  riesz = function(n_steps = 14, ...) efs_forward(two_clusters(40, 2), n_steps = n_steps, epsilon = 0.1, every = 4,
                                                  keep = "checkpoints", ...),
  gpa = function(n_steps = 14, ...) {
    set.seed(1)
    gpa(matrix(rnorm(60), 30), matrix(rexp(80), 40), n_steps = n_steps, every = 4, keep = 3, hidden = c(8, 8), ...)
  },
  wgf = function(n_steps = 14, ...) {
    set.seed(2)
    wgf(target_ring(4), n = 60, n_steps = n_steps, every = 4, ...)
  },
  distill = function(n_steps = 14, ...) {
    set.seed(3)
    distill(target_ring(4), "energy", n_sample = 100, n_steps = n_steps, batch = 32, hidden = 8, check_every = 4, ...)
  },
  pushforward = function(n_steps = 14, ...) {
    set.seed(4)
    pushforward(matrix(rexp(100), 50), "energy", n_steps = n_steps, batch = 32, hidden = 8, check_every = 4, ...)
  }
)

answer <- function(result) {
  if (inherits(result, "particle_trajectory")) return(result)
  if (inherits(result, "generator")) return(result[c("network", "trace", "noise", "diagnostics")])
  list(result$trajectory, result$particles, result$masses, result$diagnostics, result$run$state)
}

# Evaluates `code` with another function in place of one of the package.
replacing <- function(name, replacement, code) {
  space <- asNamespace("particleflow")
  original <- get(name, envir = space)
  unlockBinding(name, space)
  assign(name, replacement, envir = space)
  on.exit({
    assign(name, original, envir = space)
    lockBinding(name, space)
  })
  force(code)
}

# Evaluates `code`; the function `name` of the package signals an interrupt in its call number `call`.
interrupted_at <- function(name, call, code) {
  calls <- 0
  original <- inside(name)
  stopping <- function(...) {
    calls <<- calls + 1
    if (calls == call) signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
    original(...)
  }
  tryCatch(replacing(name, stopping, {
    suppressMessages(force(code))
    "finished"
  }), interrupt = function(condition) "interrupted")
}

forget <- function() suppressWarnings(rm("run", envir = inside("interrupted")))

test_that("a run in parts is the run in one, to the bit", {
  for (name in c("riesz", "gpa", "wgf")) {
    whole <- flows[[name]]()
    parts <- resume(resume(flows[[name]](5), 0), 9)
    expect_identical(answer(parts), answer(whole), info = name)
    expect_identical(answer(resume(resume(flows[[name]](3), 4), 7)), answer(whole), info = name)
    expect_identical(answer(resume(whole)), answer(whole), info = name)
  }
})

test_that("the bits of a run do not depend on how its steps are shared out to blocks", {
  for (name in names(flows)) {
    whole <- flows[[name]]()
    for (most in c(1, 3)) {
      small <- replacing("most_steps_at_once", most, flows[[name]]())
      expect_identical(answer(small), answer(whole), info = name)
    }
  }
})

test_that("a run that is stopped anywhere goes on to what it would have been", {
  # one function that each flow calls in its steps, one that it calls for its records or scores
  points <- list(riesz = c("field_at", "put_frame"), gpa = c("add_history", "join_history"),
                 wgf = c("kernel_estimate", "birth_death", "join_history"),
                 distill = c("generate", "field_score", "generator_step"), pushforward = c("base_draws", "field_score"))
  for (name in names(points)) {
    whole <- flows[[name]]()
    for (at in points[[name]]) {
      stopped <- 0
      for (call in 1:40) {
        forget()
        if (interrupted_at(at, call, flows[[name]]()) == "finished") break
        # nothing is left of a run that was stopped before its first block was done
        if (is.null(inside("interrupted")$run)) next
        stopped <- stopped + 1
        expect_identical(answer(resume()), answer(whole), info = paste(name, at, call))
        expect_error(resume(), "no interrupted run")
      }
      expect_gt(stopped, 0)
    }
  }
})

test_that("a run that is stopped twice, or looked at on the way, loses nothing", {
  whole <- flows$distill()
  forget()
  interrupted_at("generator_step", 4, flows$distill())
  part <- resume(n_steps = 0)
  expect_identical(part$diagnostics$status, "all steps done")
  expect_identical(resume(n_steps = 2)$diagnostics$steps, part$diagnostics$steps + 2L)
  interrupted_at("generator_step", 3, resume())
  expect_identical(answer(resume()), answer(whole))
  # a run that fails in its first step does not take the place of the one before
  forget()
  interrupted_at("field_at", 4, flows$riesz())
  expect_error(efs_forward(matrix(1, 5, 2), epsilon = 0, s = -1), "duplicate rows")
  expect_identical(answer(resume()), answer(flows$riesz()))
})

test_that("checkpoints hold runs of every flow", {
  directory <- tempfile()
  dir.create(directory)
  on.exit(unlink(directory, recursive = TRUE))
  points <- c(riesz = "field_at", gpa = "add_history", wgf = "birth_death", distill = "generate",
              pushforward = "generate")
  for (name in names(flows)) {
    path <- file.path(directory, name)
    whole <- flows[[name]]()
    forget()
    interrupted_at(points[[name]], if (name == "gpa") 3 else 9, flows[[name]](checkpoint = path))
    forget()
    # from the file alone, as in another session
    expect_identical(answer(resume(path)), answer(whole), info = name)
    # and so when all is done
    expect_identical(answer(resume(path)), answer(whole), info = name)
    expect_identical(list.files(directory, "part$"), character())
    if (name %in% c("riesz", "gpa", "wgf")) {
      expect_identical(answer(resume(path, 3)), answer(resume(whole, 3)), info = name)
    }
    # the file may be moved
    file.rename(path, moved <- file.path(directory, "moved"))
    expect_identical(answer(resume(moved, 0)), answer(resume(moved, 0)), info = name)
    expect_false(file.exists(path))
    unlink(moved)
  }
  expect_error(resume(flows$distill(2)), "a generator, which does not hold the rows")
})

test_that("every half minute a run is saved", {
  path <- tempfile()
  on.exit(unlink(path))
  saved <- integer()
  watched <- function(run, path) {
    saved[length(saved) + 1] <<- run$state$step
    NULL
  }
  replacing("checkpoint_seconds", -1, replacing("write_checkpoint", watched, flows$riesz(checkpoint = path)))
  expect_identical(utils::tail(saved, 1), 14L)
  expect_gt(length(saved), 2)
  expect_false(is.unsorted(saved))
})

test_that("a checkpoint that cannot be written costs a warning, never the run", {
  directory <- tempfile()
  dir.create(directory)
  on.exit(unlink(directory, recursive = TRUE))
  path <- file.path(directory, "run")
  lost <- function(name, spoil) {
    original <- inside("add_history")
    blocks <- 0
    spoiling <- function(...) {
      blocks <<- blocks + 1
      if (blocks == 2) spoil()
      original(...)
    }
    replacing("add_history", spoiling, flows[[name]](checkpoint = path))
  }
  for (name in c("riesz", "gpa", "wgf")) {
    whole <- flows[[name]]()
    # the directory is removed
    remove <- function() unlink(directory, recursive = TRUE)
    expect_warning(fit <- lost(name, remove), "could not be written after step 14")
    expect_identical(answer(fit), answer(whole), info = name)
    # the path becomes a directory; what was there stays, and no partial file
    dir.create(directory)
    expect_warning(fit <- lost(name, function() dir.create(path)), "could not be written")
    expect_identical(answer(fit), answer(whole), info = name)
    expect_identical(list.files(directory), "run")
    unlink(path, recursive = TRUE)
  }
})

test_that("on a full disk the last good checkpoint stays", {
  skip_if_not(file.exists("/dev/full"), "no full device")
  directory <- tempfile()
  dir.create(directory)
  on.exit(unlink(directory, recursive = TRUE))
  path <- file.path(directory, "run")
  whole <- flows$gpa()
  flows$gpa(5, checkpoint = path)
  # what is written to the partial file from now on meets a full disk
  file.symlink("/dev/full", paste0(path, ".part"))
  expect_warning(fit <- resume(path, 9), "could not be written after step 14")
  expect_identical(answer(fit), answer(whole))
  expect_identical(list.files(directory), "run")
  expect_identical(resume(path, 0)$diagnostics$steps, 5L)
  # and a run that is stopped then is still there
  forget()
  file.symlink("/dev/full", paste0(path, ".part"))
  expect_warning(interrupted_at("add_history", 3, flows$gpa(checkpoint = path)), "could not be written")
  expect_identical(answer(resume()), answer(whole))
})

test_that("what is no path of a checkpoint is refused in one sentence", {
  directory <- tempfile()
  dir.create(directory)
  on.exit(unlink(directory, recursive = TRUE))
  table <- file.path(directory, "data.csv")
  writeLines("a,b", table)
  for (name in names(flows)) {
    expect_error(flows[[name]](checkpoint = directory), "is a directory", info = name)
    if (.Platform$OS.type == "unix") expect_error(flows[[name]](checkpoint = "/dev/null"), "is a device", info = name)
    expect_error(flows[[name]](checkpoint = file.path(directory, "no", "run")), "in a directory that exists")
    expect_error(flows[[name]](checkpoint = table), "a file that is not a checkpoint and would be lost")
    for (junk in list(5, NA, "", c("a", "b"), NULL[0], sum, list())) {
      if (is.null(junk)) next
      expect_error(flows[[name]](checkpoint = junk), "`checkpoint` must be the path of a file", info = name)
    }
  }
  expect_identical(readLines(table), "a,b")
  saveRDS(1:3, other <- file.path(directory, "other"))
  saveRDS(list(state = 1), old <- file.path(directory, "old"))
  expect_error(resume(directory), "is a directory and not a checkpoint")
  expect_error(resume(table), "which is not a checkpoint")
  fit <- tempfile(fileext = ".rds")
  for (made in list(gpa(matrix(1:8, 4), matrix(8:1, 4), n_steps = 1), wgf(target_ring(), n = 5, n_steps = 1))) {
    saveRDS(made, fit)
    expect_error(resume(fit), sprintf("holds a fit of class \"%s\" and no checkpoint; read the fit with readRDS()",
                                      class(made)[1]), fixed = TRUE)
    expect_s3_class(resume(readRDS(fit), 1), class(made)[1])
  }
  expect_error(resume(other), "which is not a checkpoint")
  expect_error(resume(old), "of particleflow 0.1.0 or earlier")
  expect_error(resume(file.path(directory, "none")), "no such file")
  for (junk in list(5, NULL, NA, sum, letters, mtcars)) expect_error(resume(junk), "`object` must be a fit")
  expect_error(resume(flows$gpa(2), .Machine$integer.max), "`n_steps` must be at most")
  expect_error(resume(flows$gpa(2), progress = "yes"), "`progress` must be TRUE or FALSE")
})

test_that("a bar that fails is given up, and the computation goes on", {
  whole <- flows$riesz()
  # an error of cli in each tick, and one when the bar is made
  for (part in c("cli::cli_progress_update", "cli::cli_progress_bar")) {
    bar <- inside("progress_bar")
    body(bar) <- parse(text = gsub(part, "stop", deparse(body(bar)), fixed = TRUE))[[1]]
    expect_identical(replacing("progress_bar", bar, flows$riesz(progress = TRUE)), whole)
  }
  # the frame that made a bar closes it, and keeps its other clean-ups
  closed <- FALSE
  work <- function() {
    on.exit(closed <<- TRUE)
    inside("progress_bar")("Test", 10, TRUE)
    length(sys.on.exit())
  }
  work()
  expect_true(closed)
})

test_that("Ctrl-C at random moments leaves the bars of the session whole", {
  skip_on_os("windows") # no signal can be sent to oneself there
  skip_on_cran() # fifteen seconds
  self <- Sys.getpid()
  set.seed(5)
  x <- matrix(rnorm(400), 200)
  ended <- character()
  # without the guard some 4 of 100 runs died of the bars of earlier ones: 40 rounds would all pass in 1 of 5 cases
  for (round in 1:40) {
    wait <- runif(1, 0.05, 0.4)
    system2("sh", c("-c", shQuote(sprintf("sleep %.3f; kill -INT %d", wait, self))), wait = FALSE)
    ended[round] <- tryCatch({
      suppressMessages(capture.output(type = "message", switch(
        round %% 3 + 1,
        wgf(target_ring(), n = 60, n_steps = 1e5, progress = TRUE),
        efs_forward(x, n_steps = 1e5, epsilon = 1, keep = "checkpoints", progress = TRUE),
        pushforward(x, "energy", n_steps = 1e5, batch = 16, hidden = 4, progress = TRUE, check_every = 1e4)
      )))
      "finished"
    }, interrupt = function(condition) "interrupted", error = conditionMessage)
  }
  expect_identical(ended, rep("interrupted", 40))
})

test_that("runs that cannot be are refused beforehand", {
  x <- two_clusters(50, 2)
  too_large <- "would take .* GB, more than half of this machine's .* GB; "
  for (count in c(2e9, .Machine$integer.max)) {
    expect_error(efs_forward(x, n_steps = count), paste0(too_large, "give `keep"), class = "particleflow_size")
    expect_error(gpa(x, x + 1, n_steps = count), too_large, class = "particleflow_size")
    expect_error(wgf(target_ring(), n = 50, n_steps = count), too_large, class = "particleflow_size")
    expect_error(wgf(target_ring(), n = count), too_large, class = "particleflow_size")
    expect_error(distill(target_ring(), n_sample = count), too_large, class = "particleflow_size")
    expect_error(resume(flows$wgf(1), count - 1), too_large, class = "particleflow_size")
    expect_error(simulate(target_ring(), count), too_large, class = "particleflow_size")
    for (fit in list(flows$gpa(1), flows$wgf(1), flows$distill(1))) {
      expect_error(simulate(fit, count), too_large, class = "particleflow_size")
    }
  }
  expect_error(gpa(x, x + 1, n_steps = 2^31), "of at least 0 and at most 2147483647, not 2147483648")
  traj <- efs_forward(x, n_steps = 3)
  expect_error(efs_backward(traj, matrix(0, 4e5, 2), "paper", n_inner = 2e9),
               "would take at least .* days; give a smaller `n_inner`", class = "particleflow_size")
  # a run whose first seconds show that it would never end
  slow <- function(x) {
    Sys.sleep(0.01)
    -rowSums(x^2) / 2
  }
  expect_error(
    replacing("told_after", 0.1, replacing("longest_run", 1, suppressMessages(
      wgf(slow, function(x) -x, dim = 2, n = 10, n_steps = 1e5, progress = FALSE)
    ))), "steps that are left would take", class = "particleflow_size"
  )
})

test_that("times are told in words", {
  words <- inside("describe_time")
  expect_identical(vapply(c(90, 3 * 3600, 40 * 86400, 3e9), words, ""),
                   c("2 minutes", "3 hours", "40 days", "96 years"))
})

test_that("trajectories that were changed are noticed by all that go through their steps", {
  changed <- function(fit, change) {
    fit$trajectory <- change(fit$trajectory)
    fit
  }
  fit <- flows$gpa()
  for (change in list(function(t) { t$networks[3, 2] <- 0; t }, function(t) { t$plan$settings[4] <- 2; t },
                      function(t) { t$frames[1, 1, 1] <- 0; t }, function(t) { t$plan$every <- 1L; t })) {
    expect_error(predict(changed(fit, change), matrix(0, 1, 2)), "changed after gpa")
    expect_error(simulate(changed(fit, change), 2), "changed after gpa")
    expect_error(resume(changed(fit, change), 1), "changed after gpa")
  }
  wfit <- flows$wgf()
  expect_error(resume(changed(wfit, function(t) { t$diagnostics$divergence[2] <- 0; t }), 1), "changed after wgf")
  traj <- flows$riesz()
  for (change in list(function(t) { t$s <- 1; t }, function(t) { t$diagnostics$bound[1] <- 0; t },
                      function(t) { t$control$step <- 1; t }, function(t) { t$times[2] <- 9; t })) {
    expect_error(efs_backward(change(traj), c(0, 0)), "changed after efs_forward")
    expect_error(resume(change(traj), 1), "changed after efs_forward")
  }
  # a change back is none, and saving is none
  path <- tempfile()
  saveRDS(traj, path)
  expect_identical(efs_backward(readRDS(path), c(0, 0)), efs_backward(traj, c(0, 0)))
  # trajectories of the first version have no class of their own kind
  old <- structure(unclass(traj)[setdiff(names(traj), "maker")], class = "particle_trajectory")
  expect_error(efs_backward(old, c(0, 0)), "made by particleflow 0.1.0 or earlier")
  expect_error(resume(old), "`object` must be a fit")
  expect_output(print(old), "40 particles in 2 dimensions")
})

test_that("a kind of flow is one file of methods", {
  # particles that fall towards 0: what a new flow has to define
  methods <- list(
    advance.falling_run = function(run, most) {
      state <- run$state
      state$points <- state$points * 0.9^most
      state$step <- state$step + as.integer(most)
      inside("add_history")(run, list(), state)
    },
    finish.falling_run = function(run) run$state$points,
    foretell.falling_run = function(run) c(bytes = 0, seconds = 0)
  )
  table <- asNamespace("particleflow")[[".__S3MethodsTable__."]]
  list2env(methods, table)
  on.exit(rm(list = names(methods), envir = table))
  path <- tempfile()
  fall <- function(n_steps, checkpoint = NULL) {
    run <- inside("new_run")("falling", "Falling", list(checkpoint = checkpoint), list(step = 0L, points = 1), n_steps)
    inside("complete")(run, FALSE)
  }
  expect_equal(fall(10, path), 0.9^10)
  expect_equal(resume(path, 5), 0.9^15)
  unlink(path)
})
