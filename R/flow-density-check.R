# What is checked of a density before the first step: it treats each row by itself, and its gradient agrees with
# differences.

# z [n, dim]: coordinates, of which up to five rows inside are looked at; values: those of density_values() there.
# Returns the number of evaluations.
verify_density <- function(density, z, values, threads = thread_count()) {
  inside <- which(values$log_density > -Inf)
  if (!length(inside)) {
    fail("`log_density` must be finite somewhere, but it is -Inf or NaN at all %d points of the start.", nrow(z))
  }
  if (!is.null(density$target)) return(0)
  rows <- inside[spaced_rows(length(inside), 5L)]
  few <- z[rows, , drop = FALSE]
  at <- function(z) value_at(density, density_points(density, z))
  again <- at(few)
  if (max(abs(again - values$log_density[rows])) > 1e-8 * max(1, abs(again))) {
    fail("`log_density` must treat each row by itself, but its value at a row depends on the other rows.")
  }
  given <- values$gradient[rows, , drop = FALSE]
  if (is.null(density$gradient)) {
    warn_rounding(again, given)
    warn_rough(given, difference_gradient(at, few, again, 8, strict = FALSE))
    return(length(rows) * (1 + 2 * ncol(z)))
  }
  compare_gradients(density, few, again, given, rows)
}

# For a log-density of size |v|, differences over a step h have a rounding error of about eps |v| / h.
warn_rounding <- function(values, by_differences) {
  off <- max(abs(values)) * .Machine$double.eps^(2 / 3)
  if (off <= 0.1 * max(abs(by_differences)) || off < 1e-3) return(invisible())
  warning(sprintf(paste("`log_density` is as large as %.1e, so that its differences are lost in rounding: give",
                        "`gradient`, or take a constant off."), max(abs(values))), call. = FALSE)
}

warn_rough <- function(fine, coarse) {
  size <- sqrt(rowSums(coarse^2))
  far <- sqrt(rowSums((fine - coarse)^2)) > 0.01 * size + 1e-4 * max(size) + 1e-8
  if (!isTRUE(any(far))) return(invisible())
  warning(paste("Differences of `log_density` depend on their step, so the gradient is not reliable: is it smooth?",
                "Give `gradient`."), call. = FALSE)
}

# Steps of differences, in units of difference_step(). Two neighbouring steps at which the differences agree show that
# they have settled.
compared_sizes <- 8^(1:-3)

# The given gradient [rows, dim] is accused of a coordinate where differences settle, but not at it, in two rows or in
# all rows where they settle. Near a spike or an edge they do not settle.
compare_gradients <- function(density, few, values, given, rows) {
  sizes <- compared_sizes
  close <- settled <- matrix(FALSE, nrow(few), ncol(few))
  at <- function(z) value_at(density, density_points(density, z))
  shown <- given
  for (column in seq_len(ncol(few))) {
    found <- differences_at(at, few, column, sizes)
    slack <- 0.01 * abs(found$slope) + 20 * .Machine$double.eps * pmax(1, abs(values)) / found$h
    near <- abs(found$slope - given[, column]) <= slack
    close[, column] <- rowSums(near, na.rm = TRUE) > 0
    change <- abs(found$slope[, -1, drop = FALSE] - found$slope[, -length(sizes), drop = FALSE])
    # not finite where a difference reaches over an edge
    quiet <- change <= slack[, -1, drop = FALSE] & is.finite(change)
    settled[, column] <- rowSums(quiet) > 0
    best <- max.col(ifelse(is.finite(change), -change, -Inf), "first")
    shown[, column] <- found$slope[cbind(seq_len(nrow(few)), best + 1L)]
  }
  accuse(density, settled, settled & !close, given, shown, rows)
  length(values) * (1 + 2 * ncol(few) * length(sizes))
}

# list(slope, h), both [rows, sizes]: central differences of f in one column, in one call of f.
differences_at <- function(f, points, column, sizes) {
  n <- nrow(points)
  each <- rep(seq_len(n), length(sizes))
  above <- below <- points[each, , drop = FALSE]
  h <- difference_step(points[each, column], rep(sizes, each = n))
  above[, column] <- above[, column] + h
  below[, column] <- below[, column] - h
  slope <- (f(above) - f(below)) / (above[, column] - below[, column])
  list(slope = matrix(slope, n), h = matrix(h, n))
}

accuse <- function(density, settled, bad, given, by_differences, rows) {
  wrong <- colSums(bad) > 0 & colSums(bad) >= pmin(2, colSums(settled))
  if (!any(wrong)) return(invisible())
  column <- which(wrong)[1]
  row <- which(bad[, column])[1]
  others <- setdiff(which(wrong), column)
  also <- if (length(others)) sprintf(" (and for %s)", some(free_labels(density)[others])) else ""
  fail("`gradient` does not agree with differences of `log_density` for %s%s: at row %d it is %s, by differences %s.",
       free_labels(density)[column], also, rows[row], format(given[row, column], digits = 3),
       format(by_differences[row, column], digits = 3))
}

# Of a number this large, differences between points have few digits left.
largest_log_density <- 1e13

# NULL, or why the values of a log-density cannot tell points apart.
lost_digits <- function(log_density) {
  size <- max(abs(log_density[is.finite(log_density)]), 0)
  if (size <= largest_log_density) return(NULL)
  sprintf("`log_density` is as large as %.1e, so that its differences are lost in rounding: take a constant off", size)
}
