# Laws of many rows. The work or the memory of some laws grows with the square of the number of rows, or by many times
# the size of the table. Such a law is fitted to a sample of the rows if there are more of them than it needs. The
# sample depends on the numbers of rows alone, so that the same rows give the same law.

# The most rows that a law is fitted to. bench/scale/README.md has what more rows would add to the log-likelihood of
# held-out rows.
#   kernels    neighbours are sought among all pairs of rows, and each density is a sum over all kernels
#   few        the same in up to three dimensions, where more kernels add less than a hundredth of a nat
#   trees      the trees of a forest hold the rows in their leaves: some 40 times the size of the rows
#   mixture    for so few components more rows add hardly any information
#   ensemble   draws of balanced sets decompose a square matrix with one row per row of the law
most_law_rows <- c(kernels = 50000, few = 20000, trees = 100000, mixture = 100000, ensemble = 2000)

# The local shapes of kernels hold d (d + 1) numbers per row. They are at most so many, 400 MB, but of 20,000 rows
# there are always all.
most_shape_numbers <- 5e7
least_shape_rows <- 20000

sample_key <- c(19L, 18L)

# The largest number of rows for a law in d dimensions, Inf if there is none.
most_rows_of <- function(kind, d) if (is.null(kind$most_rows)) Inf else kind$most_rows(d)

kernel_rows <- function(d) most_law_rows[[if (d <= 3) "few" else "kernels"]]

shape_rows <- function(d) {
  min(kernel_rows(d), max(least_shape_rows, floor(most_shape_numbers / (d * (d + 1)))))
}

tree_rows <- function(d) most_law_rows[["trees"]]

mixture_rows <- function(d) most_law_rows[["mixture"]]

# Fits of all components have more dimensions than a class has rows, and their sets need all rows.
ensemble_rows <- function(d) max(most_law_rows[["ensemble"]], 2 * d)

# The rows of a sample, in their order. NULL: all rows.
sample_of_rows <- function(n, most) {
  if (n <= most) return(NULL)
  sort(order(draw_uniform(n, 1, sample_key)[, 1])[seq_len(most)])
}

# Log-densities of the points that the law was fitted to, or of which it was fitted to a sample: density(rows, self) of
# the rows in the sample leaves out their own part in the law. The others have none.
density_of_own <- function(law, n, density) {
  used <- attr(law, "sample")
  if (is.null(used) || n != used[["of"]]) return(density(seq_len(n), TRUE))
  some <- sample_of_rows(n, used[["rows"]])
  own <- density(some, TRUE)
  value <- matrix(0, n, ncol(own))
  value[some, ] <- own
  value[-some, ] <- density(seq_len(n)[-some], FALSE)
  value
}

# The samples of a law and of the laws within it: one row (law, rows, of) per law that has one.
law_samples <- function(law) {
  used <- attr(law, "sample")
  own <- if (!is.null(used)) data.frame(law = law$name, rows = used[["rows"]], of = used[["of"]])
  unique(do.call(rbind, c(list(own), lapply(c(law$laws, if (inherits(law$base, "latent_law")) list(law$base)),
                                            law_samples))))
}

# What print() says about them. NULL: all laws know all rows.
law_sample_words <- function(law) {
  found <- law_samples(law)
  if (is.null(found)) return(NULL)
  found <- found[!duplicated(found), ]
  whole <- as_text(found$of[1])
  if (length(unique(found$rows)) == 1 && !length(law$laws)) {
    return(sprintf("law fitted on a sample of %s of the %s rows", as_text(found$rows[1]), whole))
  }
  sprintf("laws fitted on samples of the %s rows: %s", whole,
          paste(unique(sprintf("%s on %s", found$law, as_text(found$rows))), collapse = ", "))
}
