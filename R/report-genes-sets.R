# The sets of samples that a report on expression tables compares.

# More samples than this in a set would take time and tell little more.
most_set_samples <- 1000L

# list(halves, new, size, left_out). halves: one list(a, b) per split, the numbers of the samples of two random halves
# of all real samples, held-out ones included. new: the same with new samples as a, and held-out samples as b, or real
# ones if none is held out. All sets have the same number of samples of each class.
gene_sets <- function(tables, splits) {
  rows <- tables$rows
  all <- sort(c(rows$real, rows$holdout))
  reference <- if (is.null(rows$holdout)) rows$real else rows$holdout
  group <- tables$group
  if (is.null(group)) group <- factor(rep("all", sum(lengths(rows))))
  parts <- lapply(list(all = all, new = rows$synthetic, reference = reference), function(r) split(r, group[r]))
  counts <- vapply(parts, lengths, integer(nlevels(group)))
  counts <- matrix(counts, ncol = 3, dimnames = list(levels(group), names(parts)))
  each <- pmin(counts[, "all"] %/% 2L, counts[, "new"], counts[, "reference"])
  check_set_size(sum(each), !is.null(tables$group))
  if (sum(each) > most_set_samples) each <- pmax(floor(each * most_set_samples / sum(each)), pmin(each, 1))
  halves <- lapply(seq_len(splits), function(i) random_halves(parts$all, each))
  fixed <- all(each == counts[, "new"]) && all(each == counts[, "reference"])
  new <- lapply(seq_len(if (fixed) 1L else splits), function(i) {
    list(a = draw_set(parts$new, each), b = draw_set(parts$reference, each))
  })
  unknown <- sum(is.na(group))
  list(halves = halves, new = new, each = each, all = all,
       notes = c(
         if (any(each == 0)) sprintf("left out, because a table has none or one of their samples: class %s",
                                     quoted(levels(group)[each == 0])),
         if (unknown) sprintf("left out, because no real sample has their class: %d samples", unknown)
       ))
}

check_set_size <- function(size, grouped) {
  if (size >= fewest_set_samples) return(invisible())
  fail(paste("Sets of at least %d samples are compared, but half of the real samples, the new samples and the held-out",
             "samples have only %d%s."), fewest_set_samples, size, if (grouped) " of the same classes" else "")
}

fewest_set_samples <- 5L

draw_set <- function(rows, each) unlist(Map(sample_rows, rows, each), use.names = FALSE)

random_halves <- function(rows, each) {
  dealt <- Map(sample_rows, rows, 2 * each)
  take <- function(which) unlist(Map(function(r, n) r[seq_len(n) + which * n], dealt, each), use.names = FALSE)
  list(a = take(0), b = take(1))
}

# At most `most` samples of a set. Sets are ordered by class, so that each class keeps its share.
fewer_samples <- function(set, most) set[spaced_rows(length(set), most)]
