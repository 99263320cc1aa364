# The maximum mean discrepancy; its help page is that of the energy distance.

#' @rdname energy_distance
#' @export
mmd <- function(x, y, kernel = c("gaussian", "laplace", "riesz"), bandwidth = NULL, unbiased = TRUE,
                threads = NULL) {
  unbiased <- check_flag(unbiased, "unbiased")
  tables <- check_two_samples(x, y, if (unbiased) 2L else 1L)
  found <- moderate_kernel(kernel, bandwidth, tables)
  # only the kernel "riesz" has a unit: it gives the energy distance
  unit <- if (found$kernel$label == "riesz") found$unit else 1
  unit * kernel_score(found$tables$x, found$tables$y, found$kernel, unbiased, thread_count(threads))
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
