# Relations of one number to two others, up to the rounding of the recorded values: sums, differences, products, ratios.

# x [n, p]: numbers. ends [2, p]: the ends of each. targets: the columns that may be determined. Each relation has the
# form that find_relations() describes, with numbers of columns of x: y = constant + w a + v b, or, with outer = "exp",
# log y = constant + w log a + v log b. Of several choices the last column is determined.
pair_relations <- function(x, ends, targets) {
  relations <- list()
  for (shape in c("identity", "log")) {
    seen <- probe_differences(x, shape)
    for (at in rev(targets)) {
      sources <- setdiff(seq_len(ncol(x)), c(at, vapply(relations, `[[`, 0L, "at")))
      if (length(sources) == ncol(x) - length(relations)) next # it is determined already
      found <- pair_relation(at, sources, x, ends, seen, shape)
      if (!is.null(found)) relations <- c(list(found), relations)
    }
  }
  relations
}

pair_shapes <- list(
  identity = list(to = identity, back = identity, weights = c(-1, 1)),
  log = list(to = function(x) suppressWarnings(log(x)), back = exp, weights = c(-2, -1, 1, 2))
)

# The transformed numbers of eight rows, less those of the first: rows in which most columns are known.
probe_differences <- function(x, shape) {
  t <- pair_shapes[[shape]]$to(x)
  t[!is.finite(t)] <- NA
  known <- rowSums(!is.na(t))
  best <- which(known == max(known))
  if (length(best) < 8) best <- order(-known)[seq_len(min(8, length(known)))]
  rows <- best[round(seq(1, length(best), length.out = 8))]
  d <- sweep(t[rows[-1], , drop = FALSE], 2, t[rows[1], ])
  list(rows = rows, differences = d)
}

pair_relation <- function(at, sources, x, ends, seen, shape) {
  y <- x[seen$rows, at]
  half <- rounding_half(x[round(seq(1, nrow(x), length.out = min(1000, nrow(x)))), at])
  within <- if (shape == "log") half / y[1] + half / y[-1] else rep(2 * half, 7)
  terms <- pair_candidates(seen$differences[, at], within + 1e-9 * max(abs(seen$differences[, at])), sources,
                           seen$differences, pair_shapes[[shape]]$weights)
  for (k in seq_len(min(nrow(terms), 50))) {
    used <- terms[k, 1:2] > 0
    found <- verify_pair(at, terms[k, 1:2][used], terms[k, 3:4][used], x, ends, shape)
    if (!is.null(found)) return(found)
  }
}

# Half of the unit of the recorded values, for values without a unit almost 0.
rounding_half <- function(values) {
  values <- values[!is.na(values)]
  unit <- recorded_unit(values)
  if (is.null(unit)) 1e-9 * max(abs(values), 0) else unit$size / 2 * (1 + 1e-6)
}

# [m, 4]: two columns and their weights whose sum is `wanted` in all probes up to `within`. Column 0 stands for none.
pair_candidates <- function(wanted, within, sources, differences, weights, most = 2e5) {
  none <- matrix(0, 0, 4)
  if (anyNA(wanted) || all(abs(wanted) <= within)) return(none)
  sources <- sources[colSums(is.na(differences[, sources, drop = FALSE])) == 0]
  owner <- c(0, rep(sources, length(weights)))
  weight <- c(0, rep(weights, each = length(sources)))
  values <- cbind(0, do.call(cbind, lapply(weights, function(w) w * differences[, sources, drop = FALSE])))
  order <- order(values[1, ])
  sorted <- values[1, order]
  from <- findInterval(wanted[1] - values[1, ] - within[1], sorted, left.open = TRUE)
  counts <- findInterval(wanted[1] - values[1, ] + within[1], sorted) - from
  if (sum(counts) == 0 || sum(counts) > most) return(none)
  first <- rep(seq_along(owner), counts)
  second <- order[rep(from, counts) + sequence(counts)]
  keep <- owner[first] < owner[second]
  for (row in seq_along(wanted)[-1]) {
    keep[keep] <- abs(values[row, first[keep]] + values[row, second[keep]] - wanted[row]) <= within[row]
  }
  cbind(owner[first], owner[second], weight[first], weight[second])[keep, , drop = FALSE]
}

# The relation if it holds in all rows, and if the ends of the two columns keep those of the third.
verify_pair <- function(at, from, weights, x, ends, shape) {
  map <- pair_shapes[[shape]]
  y <- x[, at]
  half <- rounding_half(y)
  part <- drop(map$to(x[, from, drop = FALSE]) %*% weights)
  if (!identical(is.na(part), is.na(y))) return(NULL)
  size <- if (shape == "log") exp(part) else 1
  known <- which(!is.na(y) & size > 0)
  lead <- if (shape == "log") 0 else part[known]
  if (length(size) > 1) size <- size[known]
  low <- max((y[known] - half - lead) / size)
  high <- min((y[known] + half - lead) / size)
  if (!is.finite(low) || !is.finite(high) || low > high || (shape == "log" && low <= 0)) return(NULL)
  usual <- if (shape == "log") 1 else 0
  constant <- if (low <= usual && usual <= high) usual else if (low < high) roundest_between(low, high) else low
  if (shape == "log") constant <- log(constant)
  if (any(abs(map$back(constant + part) - y) > half, na.rm = TRUE)) return(NULL)
  reach <- vapply(1:2, function(end) {
    taken <- ifelse(weights > 0, end, 3 - end)
    map$back(constant + sum(weights * map$to(ends[cbind(taken, from)])))
  }, 0)
  if (!isTRUE(reach[1] >= ends[1, at] && reach[2] <= ends[2, at])) return(NULL)
  list(at = at, from = from, type = "sum", shape = shape, constant = constant, weights = weights,
       outer = if (shape == "log") "exp")
}

# The number with the fewest digits above `low` and at most `high`. Cuts are usually round numbers.
roundest_between <- function(low, high) {
  middle <- (low + high) / 2
  for (digits in 1:15) {
    near <- signif(middle, digits)
    if (near > low && near <= high) return(near)
  }
  middle
}
