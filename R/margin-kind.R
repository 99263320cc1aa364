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
      c(state, list(margin = fit_margin(x, ends[1], ends[2], only)))
    },
    encode = function(values, state, uniform) margin_scores(state$margin, number(values, state), uniform(1L)[, 1]),
    decode = function(z, state) back(margin_values(state$margin, z[, 1]), state),
    margin = function(values, state) {
      x <- number(values, state)
      range <- score_range(state$margin, x)
      power <- if (is.null(state$margin$power)) 0 else state$margin$power
      ifelse(range[, 2] > range[, 1], 0, log(margin_slope(state$margin, x)) - power * log(2))
    },
    description = description, numeric = numeric, rank = rank, scores = TRUE,
    cells = function(values, state) score_range(state$margin, number(values, state))
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

# 1 for shares, 100 for per cent, otherwise no number. Values that are not negative count as per cent if they use both
# ends of 0 to 100 without going beyond: the largest is at least 90, and the least at most 10 or a tenth is above 95.
usual_upper <- function(x, shown) {
  if (shown[1] < 0 || shown[2] > 100) return(numeric())
  if (shown[2] <= 1) return(1)
  if (shown[2] >= 90 && (shown[1] <= 10 || mean(x > 95) >= 0.1)) 100 else numeric()
}

# The lower end that the values show: `usual`, if all values are at least that; or their least value, if it is a heap,
# as it is where values are cut off at a limit.
shown_end <- function(x, least, usual) {
  if (sum(x == least) >= max(4, length(x) / 100) && length(unique(x)) > 1) return(least)
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
