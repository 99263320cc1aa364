# Work handed to daemons of mirai. Each test sets two daemons, which run tasks for this process alone, and ends them.

shard_map <- particleflow:::shard_map

with_daemons <- function(n, code) {
  testthat::skip_if_not_installed("mirai") # work is handed over by this package alone
  mirai::daemons(n)
  on.exit(mirai::daemons(0))
  force(code)
}

test_that("groups fitted by one or two daemons have the bits of those fitted here", {
  set.seed(1)
  gaps <- iris
  gaps[cbind(c(3, 60, 120), 1:3)] <- NA
  genes <- matrix(rnorm(45 * 60, rep(1:3, each = 15)), 45)
  counts <- matrix(rnbinom(45 * 80, mu = rep(1:80, each = 45), size = 2), 45)
  class <- rep(c("a", "b", "c"), each = 15)
  fits <- function() {
    set.seed(2)
    list(efs(iris[c(1:30, 51:80, 101:130), 2:5], group = "Species", particles = 200),
         synthesise(gaps, group = "Species", law = "student", flow = FALSE, quiet = TRUE),
         synthesise(genes, group = class, quiet = TRUE),
         synthesise(counts, group = class, batch = rep(1:3, 15), quiet = TRUE))
  }
  done_here <- fits()
  state <- .Random.seed
  for (n in 1:2) {
    with_daemons(n, {
      handed <- fits()
      expect_identical(.Random.seed, state)
      expect_gt(mirai::info()[["completed"]], 3)
    })
    for (i in seq_along(handed)) {
      expect_identical(handed[[i]]$fingerprint, done_here[[i]]$fingerprint)
      expect_identical(simulate(handed[[i]], 7, seed = 1), simulate(done_here[[i]], 7, seed = 1))
    }
  }
})

test_that("folds of a search that daemons score give the same fit", {
  set.seed(3)
  x <- as.data.frame(matrix(stats::rnorm(240), 60))
  fit <- function() {
    set.seed(4)
    efs(x, latent = "none", law = "student", time = 0)
  }
  done_here <- fit()$fingerprint
  before <- particleflow:::least_fold_seconds
  on.exit(utils::assignInNamespace("least_fold_seconds", before, "particleflow"))
  utils::assignInNamespace("least_fold_seconds", 0, "particleflow") # these folds take less
  with_daemons(2, {
    expect_identical(fit()$fingerprint, done_here)
    expect_gte(mirai::info()[["completed"]], 4)
  })
})

test_that("tasks run in other processes, keep names and order, and share the threads", {
  with_daemons(2, {
    found <- shard_map(c(a = 1, b = 2, c = 3), function(x, more) c(x + more, Sys.getpid()), 10)
    expect_named(found, c("a", "b", "c"))
    expect_identical(vapply(found, `[`, 0, 1), c(a = 11, b = 12, c = 13))
    expect_false(Sys.getpid() %in% vapply(found, `[`, 0, 2))
    expect_identical(shard_map(list(1:3, 4:6), sum, own = rev), list(6L, 15L))
    old <- options(particleflow.threads = 64)
    on.exit(options(old))
    threads <- unlist(shard_map(1:2, function(x) getOption("particleflow.threads")))
    expect_identical(threads, rep(max(1L, particleflow:::thread_count() %/% 2L), 2))
    # one task alone gains nothing from another process
    expect_identical(shard_map(1, function(x) Sys.getpid()), list(Sys.getpid()))
  })
})

test_that("errors, warnings and messages of daemons come back with their classes", {
  talk <- function(x) {
    message("first ", x)
    warning(structure(class = c("own_warning", "warning", "condition"), list(message = "second", call = NULL)))
    if (x == 2) particleflow:::stop_unfit("not %d", x)
    x
  }
  never <- law_kind("never", fit = function(points) NULL, draw = function(law, n) NULL)
  refuse <- function() tryCatch(efs(iris, group = "Species", law = never, calibrate = FALSE), error = identity)
  here <- refuse()
  expect_s3_class(here, "particleflow_unfit")
  with_daemons(2, {
    heard <- character()
    withCallingHandlers(
      expect_error(shard_map(c(1, 2, 3), talk), "not 2", class = "particleflow_unfit"),
      message = function(m) {
        heard <<- c(heard, conditionMessage(m))
        invokeRestart("muffleMessage")
      },
      own_warning = function(w) {
        heard <<- c(heard, conditionMessage(w))
        invokeRestart("muffleWarning")
      }
    )
    expect_identical(heard, c("first 1\n", "second", "first 2\n", "second"))
    expect_identical(refuse(), here)
    expect_gt(mirai::info()[["completed"]], 3)
  })
})

test_that("what a lost daemon was doing is done again, here if none is left, and said once", {
  here <- Sys.getpid()
  # the process ends unless it is that of the test or `file` says that one has ended already
  end_once <- function(x, here, file) {
    if (Sys.getpid() != here && x == 2 && !file.exists(file)) {
      file.create(file)
      tools::pskill(Sys.getpid(), 9)
    }
    c(x, Sys.getpid())
  }
  with_daemons(2, {
    file <- tempfile()
    expect_message(found <- shard_map(1:6, end_once, here, file), "is done again")
    expect_identical(vapply(found, `[`, 0L, 1L), 1:6)
    expect_false(here %in% vapply(found, `[`, 0L, 2L))
    # the last daemon
    heard <- character()
    found <- withCallingHandlers(shard_map(1:3, end_once, here, tempfile()), message = function(m) {
      heard <<- c(heard, conditionMessage(m))
      invokeRestart("muffleMessage")
    })
    expect_identical(vapply(found, `[`, 0L, 1L), 1:3)
    expect_true(here %in% vapply(found, `[`, 0L, 2L))
    expect_length(heard, 1)
  })
  with_daemons(2, { # a task that has ended two daemons is not done here
    end <- function(x) if (x == 2) tools::pskill(Sys.getpid(), 9) else x
    expect_error(suppressMessages(shard_map(1:3, end)), "ended", class = "particleflow_daemon")
  })
})

test_that("a daemon that was not sent the job asks for it", {
  skip_if_not_installed("mirai") # work is handed over by this package alone
  large <- as.double(1:2e4) # above least_kept_bytes
  before <- large + 0
  with_daemons(2, {
    found <- shard_map(1:9, function(x, large) sum(large) + x, large)
    expect_identical(unlist(found), sum(before) + 1:9)
    mirai::launch_local(1)
    for (wait in 1:500) if (mirai::info()[["connections"]] < 3) Sys.sleep(0.02)
    expect_identical(unlist(shard_map(1:20, function(x, large) sum(large) + x, large)), sum(before) + 1:20)
  })
  expect_identical(particleflow:::run_task("none", NULL, NULL), list(lacks_job = TRUE))
})

test_that("an interrupt stops the tasks of the daemons", {
  skip_on_os("windows") # no signal can be sent to oneself there
  with_daemons(2, {
    expect_lt(least_delay(shard_map(c(60, 60, 60), Sys.sleep)), 1)
    # both daemons are free again within a second, also from loops in C
    idle <- function() {
      for (wait in 1:100) if (mirai::info()[["executing"]] > 0) Sys.sleep(0.01)
      mirai::info()[["executing"]] == 0
    }
    expect_true(idle())
    x <- matrix(stats::rnorm(4e4), 2e4)
    forward <- function(seed, x) efs_forward(x, n_steps = 1000, step = 0.01, s = 0)$status
    expect_lt(least_delay(shard_map(1:3, forward, x)), 1)
    expect_true(idle())
    expect_lt(system.time(shard_map(1:2, identity))[["elapsed"]], 20)
  })
})
