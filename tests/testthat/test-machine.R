test_that("the number of threads is argument, then option, then environment, then two", {
  old <- options(particleflow.threads = NULL)
  variable <- Sys.getenv("PARTICLEFLOW_NUM_THREADS", NA)
  on.exit({
    options(old)
    if (is.na(variable)) Sys.unsetenv("PARTICLEFLOW_NUM_THREADS") else Sys.setenv(PARTICLEFLOW_NUM_THREADS = variable)
  })
  most <- .Call(routine("threads"), 1000L)[1]
  Sys.unsetenv("PARTICLEFLOW_NUM_THREADS")
  expect_identical(particleflow_threads(), min(2L, most))
  Sys.setenv(PARTICLEFLOW_NUM_THREADS = "1")
  expect_identical(particleflow_threads(), 1L)
  before <- particleflow_threads(2)
  expect_identical(before, 1L)
  expect_identical(particleflow_threads(), min(2L, most))
  expect_identical(particleflow:::thread_count(1), 1L)
  particleflow_threads(NULL)
  expect_identical(particleflow_threads(), 1L)
  Sys.setenv(PARTICLEFLOW_NUM_THREADS = "many")
  expect_error(particleflow_threads(), "`PARTICLEFLOW_NUM_THREADS` must be one whole number")
  Sys.unsetenv("PARTICLEFLOW_NUM_THREADS")
  expect_output(particleflow_threads(verbose = TRUE), "compiled with OpenMP")
  expect_error(particleflow_threads(0), "`n` must be one whole number of at least 1")
})

test_that("instruction sets can be forced, and unknown ones are refused", {
  before <- particleflow_simd()
  on.exit(particleflow_simd(before))
  expect_true("scalar" %in% attr(before, "available"))
  particleflow_simd("scalar")
  expect_identical(as.character(particleflow_simd()), "scalar")
  expect_error(particleflow_simd("abacus"), "`name` must be one of")
})

test_that("forked children compute and do not wait for threads they do not have", {
  skip_on_os("windows") # there is no fork
  x <- two_clusters(800, 3)
  whole <- efs_forward(x, n_steps = 2, threads = 2) # the parent has used its pool
  forked <- parallel::mclapply(1:2, function(i) efs_forward(x, n_steps = 2, threads = 2), mc.cores = 2)
  expect_identical(forked[[1]], whole)
  expect_identical(forked[[2]], whole)
})

test_that("every registered routine refuses wrong types, extents and values", {
  routines <- getDLLRegisteredRoutines("particleflow")[[".Call"]]
  junk <- list(NULL, NA, "a", list(1), 1L, -1L, NaN, Inf, numeric(), integer(), matrix(0, 0, 0), matrix(1L, 2, 2),
               matrix(NaN, 2, 2), array(0, c(2, 2, 2)), quote(x), sum, .Machine$integer.max, 1e300, complex(1))
  valid <- routine_examples()
  expect_setequal(names(routines), names(valid))
  for (name in names(routines)) {
    arguments <- valid[[name]]
    expect_identical(routines[[name]]$numParameters, length(arguments))
    call <- function(arguments) do.call(.Call, c(list(routines[[name]]), arguments))
    expect_no_error(call(arguments))
    refused <- 0
    for (i in seq_along(arguments)) {
      for (wrong in junk) {
        # two thousand million rows or rounds are valid, but would take for ever
        if (identical(wrong, .Machine$integer.max) && (grepl("draw", name) || grepl("paper", name))) next
        changed <- arguments
        changed[i] <- list(wrong)
        # a value that happens to be allowed needs no error; a crash would be a failure
        refused <- refused + inherits(try(call(changed), silent = TRUE), "try-error")
      }
    }
    expect_gte(refused, 0.5 * length(arguments) * length(junk))
  }
})

test_that("doubles and integers that become extents or counters are refused out of range", {
  valid <- routine_examples()
  refused <- function(name, position, value, message) {
    arguments <- valid[[paste0("pf_", name)]]
    arguments[[position]] <- value
    expect_error(do.call(.Call, c(list(routine(name)), arguments)), message)
  }
  for (updates in list(-1, 0.5, 2^60, Inf)) {
    refused("gpa_advance", 5, updates, "`updates` must be one whole number")
    refused("network_update", 2, updates, "`updates` must be one whole number")
  }
  for (word in list(-1, 0.5, 2^32)) {
    refused("philox", 1, c(0, 0, 0, word), "`counter` must be one whole number")
    refused("philox", 2, c(word, 0), "`key` must be one whole number")
  }
  for (row in c(NA, 0L, -1L, 4L, .Machine$integer.max, -.Machine$integer.max)) {
    refused("local_gaussians", 2, matrix(c(2L, 3L, 1L, row, 1L, 2L), 3), "`index` must point to rows of `points`")
  }
  # settings: the divergence, the norm of the weights, the solver, the updates a step
  for (setting in list(c(2, 4), c(2, 0.5), c(5, 2), c(10, -1), c(12, 1e10), c(12, -1), c(12, 0.5))) {
    settings <- valid$pf_gpa_start[[2]]
    settings[setting[1]] <- setting[2]
    refused("gpa_start", 2, settings, "must be one whole number")
  }
  refused("draw_shell", 4, 3L, "`kind` must be below 3")
  refused("target_field", 2, 3L, "`kind` must be below 3")
  refused("wgf_move", 6, 10L, "`kind` must be below 10")
  # extents whose product is beyond what R can index
  most <- .Machine$integer.max
  expect_error(.Call(routine("draw_normal"), most, most, c(1L, 2L), 0L, 1L), "too large for R")
})

# Seconds from the signal, sent a second after `code` has begun, until R is back from it; Inf: `code` came to its end.
seconds_after_signal <- function(code) {
  self <- Sys.getpid()
  sender <- parallel::mcparallel({
    Sys.sleep(1)
    sent <- as.numeric(Sys.time())
    tools::pskill(self, tools::SIGINT)
    sent
  })
  back <- tryCatch(
    {
      force(code)
      Inf
    },
    interrupt = function(condition) as.numeric(Sys.time())
  )
  back - parallel::mccollect(sender)[[1]]
}

# The least of up to three, because other work on the machine may delay R for longer than a second.
least_delay <- function(code) {
  code <- substitute(code)
  frame <- parent.frame()
  delay <- Inf
  for (attempt in 1:3) if (delay >= 1) delay <- min(delay, seconds_after_signal(eval(code, frame)))
  delay
}

test_that("Ctrl-C stops forward and backward within a second and leaves the session usable", {
  skip_on_os("windows") # no signal can be sent to oneself there
  set.seed(1)
  x <- matrix(rnorm(40000 * 10), 40000)
  expect_lt(least_delay(efs_forward(x, s = 1, epsilon = 0.1, n_steps = 200)), 1)
  traj <- efs_forward(x[1:5000, ], s = 1, epsilon = 0.1, n_steps = 3)
  expect_lt(least_delay(efs_backward(traj, x[rep(1:40000, 5), ])), 1)
  expect_s3_class(efs_forward(x[1:100, ], n_steps = 2), "particle_trajectory")
})

test_that("every registered routine survives a collection at each allocation", {
  routines <- getDLLRegisteredRoutines("particleflow")[[".Call"]]
  valid <- routine_examples()
  for (name in names(valid)) {
    routine <- routines[[name]]
    arguments <- valid[[name]]
    calm <- do.call(.Call, c(list(routine), arguments))
    gctorture(TRUE)
    tortured <- do.call(.Call, c(list(routine), arguments))
    gctorture(FALSE)
    expect_identical(tortured, calm, info = name)
  }
})
