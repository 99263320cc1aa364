#' Threads and instruction sets
#'
#' `particleflow_threads()` gets or sets the number of threads that the C core may use. The first of these that is
#' given counts: the argument `threads` of a function; the option `particleflow.threads`, which this function sets; the
#' environment variable `PARTICLEFLOW_NUM_THREADS`; otherwise 2.
#'
#' The number is never larger than the number of processors or than the limits of OpenMP (`OMP_NUM_THREADS`,
#' `OMP_THREAD_LIMIT`). Small problems use one thread. A forked child, as in `parallel::mclapply()`, always uses one
#' thread. Results do not depend on the number of threads: they agree to the last bit. Other
#' processes can do a part of the work, see the section on them in [synthesise()].
#'
#' `particleflow_simd()` gets or sets the vector instructions of the loops over pairs, of the networks and of normal
#' random numbers. When the package is loaded, it chooses the best instruction set that the processor has. Results with
#' different instruction sets agree up to rounding, but not to the last bit.
#'
#' @param n A whole number of at least 1, or `NULL`, which restores the default. Missing: nothing is changed.
#' @param verbose `TRUE` prints where the number comes from.
#' @return `particleflow_threads()` returns the number of threads that was in force before the call, invisibly if the
#'   number is set. `particleflow_simd()` returns the name of the instruction set that was in force before the call.
#'   Its attribute `"available"` lists the sets that can be chosen.
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

# The number of threads for one call. The order of precedence is argument, option, environment variable, 2.
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

# The same, but the number stays in force until the calling function ends. So functions that it calls need no argument
# for the number.
threads_within <- function(threads, frame = parent.frame()) {
  threads <- thread_count(threads)
  before <- options(particleflow.threads = threads)
  do.call(on.exit, list(bquote(options(.(before))), add = TRUE), envir = frame)
  threads
}

#' @rdname particleflow_threads
#' @param name One of the available names, such as `"scalar"`. Missing: nothing is changed.
#' @export
particleflow_simd <- function(name) {
  sets <- .Call(C_pf_simd, "")
  before <- structure(sets$current, available = sets$available)
  if (missing(name)) return(before)
  .Call(C_pf_simd, check_choice(name, sets$available, "name"))
  invisible(before)
}
