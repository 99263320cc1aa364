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
  valid <- list(
    pf_field = list(matrix(0, 3, 2), matrix(1, 3, 2), 0L, 3L, FALSE, 0, 0.1, 1L),
    pf_pairwise_sums = list(matrix(0, 3, 2), matrix(1, 3, 2), FALSE, 0, 0.1, 1L),
    pf_neighbours = list(matrix(0, 3, 2), matrix(1, 3, 2), 0L, 3L, FALSE, 1L, 1L),
    pf_largest_curvature = list(matrix(rnorm(6), 3), c(1, 2, 3), 0, 0.1, 1L),
    pf_backward_exact = list(matrix(0, 3, 2), matrix(0, 3, 2), matrix(rnorm(6), 3), 0.1, 0, 0.1, 1e-10, 20L, 1L),
    pf_backward_paper = list(matrix(0, 3, 2), matrix(rnorm(6), 3), 0.1, 0, 0.1, 0.1, 5L, 1L),
    pf_pair_curvature = list(0, 0.1),
    pf_equilibrium_radius = list(3L, 0),
    pf_draw_shell = list(3L, c(0, 0), 1, 2L, 0, c(1L, 2L), 1L),
    pf_draw_uniform = list(3L, 2L, c(1L, 2L), 0L),
    pf_draw_normal = list(3L, 2L, c(1L, 2L), 0L),
    pf_philox = list(c(0, 0, 0, 0), c(0, 0)),
    pf_fingerprint = list(c(1, 2)),
    pf_threads = list(1L),
    pf_simd = list("")
  )
  expect_setequal(names(routines), names(valid))
  for (name in names(routines)) {
    arguments <- valid[[name]]
    expect_identical(routines[[name]]$numParameters, length(arguments))
    call <- function(arguments) do.call(.Call, c(list(routines[[name]]), arguments))
    expect_no_error(call(arguments))
    refused <- 0
    for (i in seq_along(arguments)) {
      for (wrong in junk) {
        # two thousand million rows or rounds are a valid wish, which would only take for ever
        if (identical(wrong, .Machine$integer.max) && (grepl("draw", name) || grepl("paper", name))) next
        changed <- arguments
        changed[i] <- list(wrong)
        # a value that is allowed after all is fine; a crash is not
        refused <- refused + inherits(try(call(changed), silent = TRUE), "try-error")
      }
    }
    expect_gt(refused, 0.5 * length(arguments) * length(junk))
  }
})
