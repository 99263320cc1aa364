# TRUE and FALSE.

#' @rdname column_kind
#' @export
column_logical <- function() {
  margin_kind("logical", is.logical, number = function(values, state) as.double(values),
              back = function(x, state) give_attributes(x >= 0.5, state),
              description = function(state) "TRUE and FALSE", numeric = FALSE, only = TRUE)
}
