#' Threads and instruction sets
#'
#' `particleflow_threads()` gets or sets how many threads the C core may use.
#' The number is, in this order: the `threads` argument of a function, the
#' option `particleflow.threads` (which the setter sets), the environment
#' variable `PARTICLEFLOW_NUM_THREADS`, and otherwise 2. It is never more than
#' the machine has processors or than OpenMP's own limits (`OMP_NUM_THREADS`,
#' `OMP_THREAD_LIMIT`) allow, small problems stay on one thread, and a forked
#' child (as in `parallel::mclapply()`) always computes on one. Results do not
#' depend on it, to the last bit.
#'
#' `particleflow_simd()` shows or forces the vector instructions of the pair
#' loop. The best set the processor has is chosen when the package is loaded.
#' Between sets results agree to rounding, not to the last bit.
#'
#' @param n A whole number of at least 1, or `NULL` to return to the default.
#'   Missing: nothing is changed.
#' @param verbose `TRUE` prints where the number comes from.
#' @return `particleflow_threads()`: the number of threads in force before the
#'   call, invisibly when it is set. `particleflow_simd()`: the name of the
#'   instruction set in force before the call, with those that can be chosen as
#'   the attribute `"available"`.
#' @examples
#' particleflow_threads()
#' old <- particleflow_threads(1)
#' particleflow_threads(old)
#' particleflow_simd()
#' @export
particleflow_threads <- function(n, verbose = FALSE) {
  before <- thread_count()
  if (check_flag(verbose, "verbose")) {
    machine <- .Call(C_pf_threads, before)
    cat(sprintf(
      paste0("threads in force: %d\noption particleflow.threads: %s\nPARTICLEFLOW_NUM_THREADS: %s\n",
             "processors: %d, OpenMP limit: %d, compiled with OpenMP: %s\n"),
      before, format(getOption("particleflow.threads", "unset")),
      Sys.getenv("PARTICLEFLOW_NUM_THREADS", "unset"), machine$processors, machine$openmp_limit,
      if (machine$compiled) "yes" else "no"
    ))
  }
  if (missing(n)) return(before)
  if (!is.null(n)) n <- check_count(n, "n", 1L)
  options(particleflow.threads = n)
  invisible(before)
}

# The number of threads for one call: argument > option > environment > 2.
thread_count <- function(threads = NULL) {
  if (is.null(threads)) {
    threads <- getOption("particleflow.threads")
    what <- "option particleflow.threads"
  } else {
    what <- "threads"
  }
  if (is.null(threads)) {
    variable <- Sys.getenv("PARTICLEFLOW_NUM_THREADS")
    if (nzchar(variable)) {
      threads <- suppressWarnings(as.numeric(variable))
      what <- "PARTICLEFLOW_NUM_THREADS"
    } else {
      threads <- 2L
    }
  }
  .Call(C_pf_threads, check_count(threads, what, 1L))$granted
}

# The same, in force until the calling function ends, for whatever it calls without
# handing the number on.
threads_within <- function(threads, frame = parent.frame()) {
  threads <- thread_count(threads)
  before <- options(particleflow.threads = threads)
  do.call(on.exit, list(bquote(options(.(before))), add = TRUE), envir = frame)
  threads
}

#' @rdname particleflow_threads
#' @param name One of the available names, such as `"scalar"`. Missing: nothing
#'   is changed.
#' @export
particleflow_simd <- function(name) {
  sets <- .Call(C_pf_simd, "")
  before <- structure(sets$current, available = sets$available)
  if (missing(name)) return(before)
  .Call(C_pf_simd, check_choice(name, sets$available, "name"))
  invisible(before)
}
