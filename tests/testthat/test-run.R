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

test_that("a resumed fit is the whole fit in all parts but its call and its time", {
  for (name in c("gpa", "wgf")) {
    whole <- flows[[name]]()
    parts <- resume(resume(flows[[name]](5), 0), 9)
    same <- setdiff(names(whole), c("call", "elapsed"))
    expect_identical(names(parts), names(whole))
    expect_identical(unclass(parts)[same], unclass(whole)[same], info = name)
    expect_identical(parts$control$n_steps, 14L)
    expect_identical(format(parts), format(whole))
  }
  # the last fit of a stopped run that is continued piece by piece has its own plan, too
  forget()
  interrupted_at("add_history", 3, flows$gpa())
  expect_identical(resume(n_steps = 2)$control$n_steps, inside("interrupted")$run$state$step)
  expect_identical(resume()$control, flows$gpa()$control)
  # what runs over the steps that were planned first does not change: a bandwidth that has come to its end stays there
  fit <- resume(flows$wgf(10, bandwidth = c(1, 0.5), method = "plain"), 4)
  expect_equal(fit$trajectory$diagnostics$bandwidth, c(2^-pmin(1, 0:14 / 5)))
})

test_that("a checkpoint replaces nothing but checkpoints", {
  directory <- tempfile()
  dir.create(directory)
  on.exit(unlink(directory, recursive = TRUE))
  path <- file.path(directory, "run")
  # what a user may have saved without compression, also under the name of the file that is written first
  for (kept in c(path, paste0(path, ".part"))) {
    con <- file(kept, "wb")
    saveRDS(iris, con)
    close(con)
    for (name in names(flows)) {
      expect_error(flows[[name]](2, checkpoint = path), "would replace .* a file that is not a checkpoint",
                   class = "particleflow_input", info = name)
    }
    expect_identical(readRDS(kept), iris)
    unlink(kept)
  }
  expect_no_error(flows$gpa(2, checkpoint = path))
  expect_no_error(flows$wgf(2, checkpoint = path))
  expect_identical(resume(path, 0)$diagnostics$n, 60L)
  file.create(path)
  expect_no_error(flows$wgf(2, checkpoint = path))
})

test_that("a relative path of a checkpoint is that of the directory at the start", {
  here <- tempfile()
  dir.create(here)
  there <- tempfile()
  dir.create(there)
  before <- setwd(here)
  on.exit({
    setwd(before)
    unlink(c(here, there), recursive = TRUE)
  })
  moving <- function(x) {
    setwd(there)
    -rowSums(x^2) / 2
  }
  wgf(moving, function(x) -x, dim = 2, n = 20, n_steps = 2, checkpoint = "run")
  expect_identical(list.files(here), "run")
  expect_identical(list.files(there), character())
})

test_that("a checkpoint that was changed, or comes from another version, is refused in one sentence", {
  directory <- tempfile()
  dir.create(directory)
  on.exit(unlink(directory, recursive = TRUE))
  path <- file.path(directory, "run")
  read_changed <- function(change) {
    saveRDS(change(readRDS(path)), changed <- file.path(directory, "changed"))
    resume(changed, 1)
  }
  changes <- list(
    function(run) { run$planned <- Inf; run }, function(run) { run$history <- list(); run },
    function(run) { run$state$step <- 3L; run }, function(run) { run$state <- 5; run },
    function(run) { run$control <- NULL; run }, function(run) { run$fingerprint <- NULL; run },
    function(run) { class(run) <- c("other_run", "particle_run"); run }
  )
  for (name in names(flows)) {
    flows[[name]](4, checkpoint = path)
    expect_no_error(read_changed(identity))
    # a training keeps no history
    for (change in if (name %in% c("distill", "pushforward")) changes[-2] else changes) {
      expect_error(read_changed(change), "a checkpoint that was changed after it was written; start the run again[.]$",
                   class = "particleflow_input", info = name)
    }
    for (version in list("0.1.0", "99.0.0", "abc", "", NA, 1, c("0.2.0", "0.2.0"), NULL)) {
      expect_error(read_changed(function(run) { run["version"] <- list(version); run }),
                   "a checkpoint of particleflow .*, which particleflow .* cannot read[.]$",
                   class = "particleflow_input")
    }
    unlink(path)
  }
  # the frames of efs_forward() are in an environment
  flows$riesz(4, checkpoint = path)
  expect_error(read_changed(function(run) { run$store$frames[1] <- 0; run }), "changed after it was written")
  # no more than the word at the start of a large file is read
  expect_lt(system.time(inside("looks_saved")(path))[[3]], 1)
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
  # a regular file of this name would be overwritten
  skip_if_not(.Platform$OS.type == "unix" && system2("test", c("-c", "/dev/full")) == 0, "no full device")
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
    expect_error(flows[[name]](checkpoint = table), "a file that is not a checkpoint; give another path")
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
  if (.Platform$OS.type == "unix") expect_error(resume("/dev/zero"), "which is a device and not a checkpoint")
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
  # what is asked for at once
  source <- function(n) matrix(0, n, 2)
  fit <- flows$wgf(1)
  drawn <- efs(x, calibrate = FALSE, time = 0)
  for (count in c(1e9, .Machine$integer.max)) {
    calls <- expression(
      gpa(source, x, n_source = count), interpolate(drawn, 1, 2, n = count), plot(drawn, "latent", new = count),
      plot(fit, target = count), target_ring(count), target_ring(dim = count), target_grid(count),
      target_grid(dim = count), target_banana(dim = count), target_funnel(count), pushforward(x, batch = count),
      pushforward(x, base_dim = count), pushforward(x, "energy", batch = count), distill(fit, batch = count),
      distill(fit, base_dim = count), wgf(function(x) -rowSums(x^2), dim = count)
    )
    for (call in calls) {
      expect_error(eval(call), too_large, class = "particleflow_size", info = paste(deparse(call), count))
      expect_error(eval(call, list(count = 2^31)), "and at most 2147483647, not 2147483648")
    }
  }
  wide <- rep(1e4, 1e3)
  expect_error(gpa(x, x + 1, hidden = wide), paste0("A network of .* parameters ", too_large),
               class = "particleflow_size")
  expect_error(pushforward(x, hidden = wide), paste0("A network of .* parameters ", too_large),
               class = "particleflow_size")
  expect_error(pushforward(x, "energy", batch = 1e8, n_steps = 1e5), "GB, more than half|at least .* years",
               class = "particleflow_size")
  # 700 components of 1000 rows are more than the hierarchy of 500 rows has
  flat <- efs_forward(two_clusters(1000, 2), n_steps = 0)
  for (law in list(law_student(components = 700), law_mixture(components = 700))) {
    expect_error(efs_augment(flat, 2, law), "`components` must be at most 500 for 1000 rows, not 700",
                 class = "particleflow_unfit")
  }
  replacing("most_days", 0, expect_error(pushforward(x, "energy", n_steps = 10), "would take at least",
                                         class = "particleflow_size"))
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
  # nor may another kind of methods go through its steps
  for (class in list("riesz_trajectory", c("gpa_trajectory", "particle_trajectory"), "list", character(),
                     c("wgf_trajectory", "particle_trajectory"), "particle_trajectory")) {
    other <- structure(unclass(traj), class = class)
    expect_error(efs_backward(other, c(0, 0)), "changed after efs_forward|must be a trajectory from efs_forward")
    expect_error(efs_augment(other, 2), "changed after efs_forward|must be a trajectory from efs_forward")
    expect_error(resume(other, 1), "changed after efs_forward|must be a fit", class = "particleflow_input")
    if (inherits(other, "particle_trajectory")) expect_error(plot(other), "changed after efs_forward")
    if ("gpa_trajectory" %in% class) next
    expect_error(predict(changed(fit, function(t) structure(unclass(t), class = class)), matrix(0, 1, 2)),
                 "changed after gpa")
  }
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
