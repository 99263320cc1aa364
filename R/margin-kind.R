# Kinds whose coordinate is the normal score of a margin: numbers, counts, ordered levels, dates, and their like.

# A kind for values that can be ordered. number(values, state): the values as numbers. back(numbers, state): the values
# again. keep(values): what the state holds besides the margin. lower, upper: ends of the values as numbers; NULL: those
# that the values respect, see natural_ends(). only: see fit_margin().
margin_kind <- function(name, reads, number, back, keep = kept_attributes, lower = -Inf, upper = Inf, description,
                        numeric = TRUE, rank = 1, only = FALSE) {
  number <- finite_number(number)
  force(back)
  force(lower)
  force(upper)
  kind <- column_kind(
    name, reads,
    fit = function(values) {
      state <- as.list(keep(values))
      x <- number(values, state)
      ends <- natural_ends(x, lower, upper, name)
      margin <- fit_margin(x, ends[1], ends[2], only)
      if (!is_support(margin)) margin$loose <- loose_ends(x, ends, c(is.null(lower), is.null(upper)))
      c(state, list(margin = margin))
    },
    encode = function(values, state, uniform) {
      margin_scores(state$margin, within_loose(number(values, state), state$margin), uniform(1L)[, 1])
    },
    decode = function(z, state) back(margin_values(state$margin, z[, 1]), state),
    margin = function(values, state) {
      x <- number(values, state)
      inside <- within_loose(x, state$margin)
      range <- score_range(state$margin, inside)
      power <- if (is.null(state$margin$power)) 0 else state$margin$power
      cell <- range[, 2] > range[, 1]
      ifelse(cell, 0, log(margin_slope(state$margin, inside)) - power * log(2)) + log_beyond(x, cell, state$margin)
    },
    description = description, numeric = numeric, rank = rank, scores = TRUE,
    cells = function(values, state) score_range(state$margin, within_loose(number(values, state), state$margin))
  )
  kind[c("number", "back")] <- list(number, back)
  kind$ends <- function(x) own_ends(x, lower, upper)
  kind
}

# number() with a check that no value is infinite.
finite_number <- function(number) {
  force(number)
  function(values, state) check_no_infinite(number(values, state))
}

check_no_infinite <- function(x) {
  infinite <- if (is.numeric(unclass(x))) sum(is.infinite(unclass(x))) else 0L
  if (infinite) fail("%d value%s infinite.", infinite, if (infinite == 1) " is" else "s are")
  invisible(x)
}

# The ends of the margin: those that were given, otherwise those that the values show.
own_ends <- function(x, lower, upper) {
  shown <- if (length(x)) range(x) else c(0, 0)
  if (is.null(lower)) lower <- shown_end(x, shown[1], 0)
  if (is.null(upper)) upper <- -shown_end(-x, -shown[2], -usual_upper(x, shown))
  c(lower, upper)
}

# The ends of the margin, which the values must respect.
natural_ends <- function(x, lower, upper, name) {
  ends <- own_ends(x, lower, upper)
  if (length(x) && (min(x) < ends[1] || max(x) > ends[2])) {
    fail("The values lie between %s and %s, beyond the ends %s and %s of column_%s().", format(min(x)),
         format(max(x)), format(ends[1]), format(ends[2]), name)
  }
  ends
}

# 1 for shares, 100 for per cent, otherwise no number. Values that are not negative count as per cent if they are many
# near 100 and none lies beyond.
usual_upper <- function(x, shown) {
  if (shown[1] < 0 || shown[2] > 100) return(numeric())
  if (shown[2] <= 1) return(1)
  if (stops_at(x, 100, 5)) 100 else numeric()
}

# Whether the values let expect at least seven beyond `end`, if their numbers in the last two intervals of this width
# went on as a geometric series. None beyond it then has a probability below 1e-3.
stops_at <- function(x, end, width) {
  last <- sum(x > end - width & x <= end)
  ratio <- last / sum(x > end - 2 * width & x <= end - width)
  last >= 10 && (ratio >= 1 || last * ratio / (1 - ratio) >= 7)
}

# The lower end that the values show: `usual`, if all values are at least that; or their least value, if it is a heap,
# as it is where values are cut off at a limit: no rarer than half of what the next three values are on average.
shown_end <- function(x, least, usual) {
  heap <- sum(x == least)
  others <- sort(unique(x))[2:4]
  others <- others[!is.na(others)]
  if (length(others) && heap >= max(4, length(x) / 100, sum(x %in% others) / length(others) / 2)) return(least)
  if (length(usual) && least >= usual) usual else -Inf
}

check_ends <- function(lower, upper) {
  lower <- if (!is.null(lower)) check_number(lower, "lower", finite = FALSE)
  upper <- if (!is.null(upper)) check_number(upper, "upper", finite = FALSE)
  if (!is.null(lower) && !is.null(upper) && lower >= upper) {
    fail("`lower` must be below `upper`, but they are %s and %s.", format(lower), format(upper))
  }
  list(lower = lower, upper = upper)
}
