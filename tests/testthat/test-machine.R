test_that("the number of threads is argument, then option, then environment, then two", {
  old <- options(particleflow.threads = NULL)
  variable <- Sys.getenv("PARTICLEFLOW_NUM_THREADS", NA)
  on.exit({
    options(old)
    if (is.na(variable)) Sys.unsetenv("PARTICLEFLOW_NUM_THREADS") else Sys.setenv(PARTICLEFLOW_NUM_THREADS = variable)
  })
  most <- .Call(routine("threads"), 1000L)$granted
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
        if (identical(wrong, .Machine$integer.max) && grepl("draw|paper|mixing|calibration|logistic", name)) next
        changed <- arguments
        changed[i] <- list(wrong)
        # a value that happens to be allowed needs no error; a crash would be a failure
        refused <- refused + inherits(try(call(changed), silent = TRUE), "try-error")
      }
    }
    expect_gte(refused, 0.5 * length(arguments) * length(junk))
  }
})

test_that("lists that routines read by name are refused where a member is missing, mistyped, renamed or too many", {
  valid <- routine_examples()
  wrong <- list(NULL, NA, "a", list(1), quote(x), sum, c(1, 2), c("a", "b"), -1L, NaN, complex(1))
  lists <- 0
  for (name in names(valid)) {
    arguments <- valid[[name]]
    # a list without names has one entry per column
    for (i in which(vapply(arguments, function(x) is.list(x) && (!length(x) || !is.null(names(x))), NA))) {
      lists <- lists + 1
      call <- function(given) {
        arguments[[i]] <- given
        do.call(.Call, c(list(routine(sub("pf_", "", name))), arguments))
      }
      given <- arguments[[i]]
      expect_identical(call(rev(given)), call(given), info = name)
      expect_error(call(c(given, list(other = 1))), "` has one member too many: `other`[.]$", info = name)
      if (!length(given)) next
      expect_error(call(unname(given)), "^The members of `[a-z]+` must have names[.]$", info = name)
      expect_error(call(c(given, given[1])), "` has one member too many: `", info = name)
      for (member in names(given)) {
        without <- given[setdiff(names(given), member)]
        expect_error(call(without), sprintf("must have a member `%s`", member), info = name)
        for (value in wrong) {
          expect_error(call(replace(given, member, list(value))), sprintf("^`[a-z]+[$]%s` must be ", member),
                       info = paste(name, member))
        }
      }
    }
  }
  shaped <- function(kind, shape) {
    do.call(.Call, c(list(routine("target_field")), replace(valid$pf_target_field, 2:3, list(kind, shape))))
  }
  expect_no_error(shaped("banana", list(bend = 0.5, width = 2)))
  expect_error(shaped("banana", list(width = 2)), "`shape` must have a member `bend`")
  expect_error(shaped("banana", list(width = 0, bend = 1)), "`width` and `sd` positive")
  expect_error(shaped("funnel", list(sd = 1, bend = 0)), "`shape` has one member too many: `bend`")
  expect_error(shaped("mixture", c(0, 0)), "`shape` must be a list")
  # settings of four routines, a plan, a schedule, a stop, a shape, a mixture, three forests, two frames and streams of
  # generators, and the frames of six fields
  expect_identical(lists, 24)
})

test_that("words are read in C, and a wrong one is answered with all there are", {
  valid <- routine_examples()
  refusal <- function(name, position, value) {
    arguments <- valid[[name]]
    arguments[[position]] <- value
    tryCatch({
      do.call(.Call, c(list(routine(sub("pf_", "", name))), arguments))
      "accepted"
    }, error = conditionMessage)
  }
  # a position, or the name of a member as well
  places <- list(
    list("pf_divergence_dual", 1, particleflow:::divergence_names, "kind"),
    list("pf_gpa_start", c(2, "divergence"), particleflow:::divergence_names, "settings$divergence"),
    list("pf_gpa_start", c(2, "solver"), c("euler", "heun"), "settings$solver"),
    list("pf_gpa_start", c(2, "normalisation"), c("spectral", "frobenius"), "settings$normalisation"),
    list("pf_wgf_weights", 1, particleflow:::wgf_divergences, "kind"),
    list("pf_wgf_move", c(6, "divergence"), particleflow:::wgf_divergences, "plan$divergence"),
    list("pf_target_field", 2, c("mixture", "banana", "funnel"), "kind"),
    list("pf_draw_shell", 4, c("sphere", "ball", "equilibrium"), "kind"),
    list("pf_kernel_sums", 6, c("gaussian", "laplace", "distance"), "kernel"),
    list("pf_kde", 6, c("gaussian", "laplace"), "kernel"),
    list("pf_kernel_force", 6, c("gaussian", "unit"), "kernel"),
    list("pf_simd", 1, attr(particleflow_simd(), "available"), "name")
  )
  for (place in places) {
    position <- as.integer(place[[2]][1])
    put <- function(word) {
      if (length(place[[2]]) == 1) return(word)
      replace(valid[[place[[1]]]][[position]], place[[2]][2], word)
    }
    said <- sprintf("`%s` must be one of %s.", place[[4]], paste0("\"", place[[3]], "\"", collapse = ", "))
    for (word in c("abacus", "Kl", paste0(place[[3]][1], " "))) {
      expect_identical(refusal(place[[1]], position, put(word)), said)
    }
    # of targets each kind has a shape of its own
    if (place[[1]] %in% c("pf_target_field", "pf_simd")) next
    for (word in place[[3]]) expect_identical(refusal(place[[1]], position, put(word)), "accepted", info = word)
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
  rows <- c(NA, 0L, 4L, .Machine$integer.max)
  for (row in rows) refused("settle_sweep", 9, list(c(1L, row), 1:3), "`rows` must be rows of the scores")
  for (row in rows) refused("logistic", 3, c(1L, row, 1L), "`class_of` must lie within `start`")
  for (updates in list(1e10, -1L, 0.5, 2)) {
    settings <- replace(valid$pf_gpa_start[[2]], "updates", updates)
    refused("gpa_start", 2, settings, "`settings[$]updates` must be one whole number")
  }
  for (every in c("every_network", "every_frame")) {
    schedule <- replace(valid$pf_gpa_advance[[9]], every, 0L)
    refused("gpa_advance", 9, schedule, sprintf("`schedule[$]%s` must be at least 1", every))
  }
  for (alpha in list(1, Inf)) {
    refused("divergence_dual", 2, alpha, "`alpha` must be finite and above 1")
    refused("gpa_start", 2, replace(valid$pf_gpa_start[[2]], "alpha", alpha), "`settings[$]alpha` must be finite and")
    refused("wgf_move", 6, replace(valid$pf_wgf_move[[6]], "alpha", alpha), "`plan[$]alpha` must be finite and neither")
  }
  # extents whose product is beyond what R can index
  most <- .Machine$integer.max
  expect_error(.Call(routine("draw_normal"), most, most, c(1L, 2L), 0L, 1L), "too large for R")
})

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
