# Ordered levels: the coordinate is the normal score of the level's number.

#' @rdname column_kind
#' @export
column_ordered <- function() {
  margin_kind("ordered", is.ordered,
              number = function(values, state) known_codes(values, value_words(state$levels)), back = level_back,
              keep = function(values) c(list(levels = ordered_levels(values)), kept_attributes(values)),
              description = function(state) sprintf("%d ordered levels", length(state$levels)),
              numeric = FALSE, only = TRUE, rank = 2)
}

# The levels of a factor in their order; of other values, the values that occur from the least up.
ordered_levels <- function(values) if (is.factor(values)) levels(values) else take(sort(unique(values)), TRUE)

level_back <- function(x, state) {
  codes <- as.integer(round(x))
  if (is.null(state$attributes$levels)) take(state$levels, codes) else give_attributes(codes, state)
}
