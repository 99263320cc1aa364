# Ordered factors: the coordinate is the normal score of the level's number.

#' @rdname column_kind
#' @export
column_ordered <- function() {
  margin_kind("ordered", is.ordered,
              number = function(values, state) known_codes(values, state$attributes$levels), back = level_back,
              description = function(state) sprintf("%d ordered levels", length(state$attributes$levels)),
              numeric = FALSE, only = TRUE, rank = 2)
}

level_back <- function(x, state) give_attributes(as.integer(round(x)), state)
