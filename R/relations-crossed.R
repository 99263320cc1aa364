# A value that two columns of levels determine together, though none of the two alone does.

# At most this many columns of levels are crossed, so that a table of many factors takes no long time.
most_crossed <- 20L

# The relation of column `at` to two of `sources`, NULL if there is none. It holds in all rows. Every combination of
# levels of the two occurs, because new rows can have any. The chance that it holds by accident, see crossed_chance(),
# is below most_chance after division by the number of pairs that are tried.
crossed_relation <- function(at, sources, columns, kinds) {
  target <- columns[[at]]
  n <- length(target)
  to <- match(target, unique(target))
  sources <- utils::head(sources[vapply(kinds[sources], has_levels, NA)], most_crossed)
  if (max(to) < 2 || max(to) > n / 3 || length(sources) < 2) return(NULL)
  codes <- lapply(columns[sources], function(values) match(values, unique(values)))
  pairs <- utils::combn(length(sources), 2)
  probe <- probe_rows(n)
  for (k in seq_len(ncol(pairs))) {
    a <- codes[[pairs[1, k]]]
    b <- codes[[pairs[2, k]]]
    cells <- max(a) * max(b)
    if (cells > n / 3 || max(a) < 2 || max(b) < 2) next
    seen <- a[probe] + max(a) * (b[probe] - 1)
    if (any(to[probe] != to[probe][match(seen, seen)])) next
    cell <- a + max(a) * (b - 1)
    first <- match(seq_len(cells), cell)
    if (anyNA(first) || any(to != to[first][cell])) next
    chance <- max(crossed_chance(a, to, cell), crossed_chance(b, to, cell))
    if (chance >= log(most_chance / ncol(pairs))) next
    from <- sources[pairs[, k]]
    words <- lapply(columns[from], function(values) value_words(take(values, first)))
    return(list(at = at, from = from, type = "level", keys = joined_words(words), values = take(target, first),
                words = words))
  }
}

# The logarithm of the probability that all rows of each cell share a value, if within each level of one column values
# come by chance with their shares there: the sum over cells of (rows - 1) log(sum of squared shares).
crossed_chance <- function(code, to, cell) {
  shares <- table(code, to)
  agree <- rowSums((shares / rowSums(shares))^2)
  rows <- tabulate(cell)
  sum((rows - 1) * log(agree[code[match(seq_along(rows), cell)]]))
}
