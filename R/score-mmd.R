# The maximum mean discrepancy; its help page is that of the energy distance.

#' @rdname energy_distance
#' @export
mmd <- function(x, y, kernel = c("gaussian", "laplace", "riesz"), bandwidth = NULL, unbiased = TRUE,
                method = c("auto", "exact", "sliced"), n_directions = NULL, tolerance = 0.01, seed = NULL,
                threads = NULL) {
  unbiased <- check_flag(unbiased, "unbiased")
  slices <- check_slices(method, n_directions, tolerance, seed)
  tables <- check_two_samples(x, y, if (unbiased) 2L else 1L)
  found <- moderate_kernel(kernel, bandwidth, tables)
  if (found$kernel$label == "riesz") return(riesz_score(found, unbiased, slices, thread_count(threads), "mmd()"))
  check_sliced_kernel(slices$method, found$kernel)
  kernel_score(found$tables$x, found$tables$y, found$kernel, unbiased, thread_count(threads), "mmd()")
}

check_sliced_kernel <- function(method, kernel) {
  if (method == "sliced" && kernel$label != "riesz") {
    fail("`method` = \"sliced\" is for the kernel \"riesz\", not \"%s\"; leave it out or give the other kernel.",
         kernel$label)
  }
}

score_mmd <- function() {
  new_score("mmd", "MMD squared",
    value = function(x, y, settings) mmd(x, y, bandwidth = settings$bandwidth, threads = settings$threads),
    deal_rows = 1000,
    relabel = function(pooled, first, settings) {
      kernel <- score_kernel("gaussian", settings$bandwidth)
      split_discrepancies(pooled, first, sum(first[, 1]), kernel, TRUE, settings$threads)$statistic
    }
  )
}
