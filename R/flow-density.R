# A density that is known up to a constant, at free coordinates. It is a plain list of class "density":
#   target       a target such as target_mixture(), or NULL
#   log_density  the user's function of a matrix [n, size] of parameters, or NULL
#   gradient     the user's gradient, or NULL: differences
#   size, names  number and names (or NULL) of the user's parameters
#   shape        their constraints (flow-density-shape.R), or NULL
#   dim          number of free coordinates
#   whitening    list(centre [dim], root [dim, dim], log_volume), or NULL: coordinates are w with z = centre + w root
#   strict       TRUE: a value that is not finite is an error. FALSE: -Inf and NaN mean that the point lies outside of
#                the support.
# Evaluations are counted in three numbers: `all`, in which each value counts one, each gradient that the user gives
# one, and differences two per column; `points`, where the value was asked for; `nan`, those of them where it was NaN.

no_evaluations <- c(all = 0, points = 0, nan = 0)

count_evaluations <- function(all, points = 0, nan = 0) c(all = all, points = points, nan = nan)

# The sum of counts, of which some may be NULL.
sum_evaluations <- function(...) Reduce(`+`, Filter(Negate(is.null), list(...)), no_evaluations)

# Where the value is NaN a point counts as outside of the support; at most points it is rather a fault of the function.
nan_words <- function(nan, points) {
  if (nan == 0) return(NULL)
  sprintf("`log_density` was NaN at %s of %s points, which count as outside of the support",
          format(nan, big.mark = ",", scientific = FALSE), format(points, big.mark = ",", scientific = FALSE))
}

warn_nan <- function(evaluations) {
  if (2 * evaluations[["nan"]] <= evaluations[["points"]]) return(invisible())
  warning(nan_words(evaluations[["nan"]], evaluations[["points"]]), ": is this meant?", call. = FALSE)
}

new_density <- function(log_density, gradient = NULL, dim = NULL, start = NULL, lower = NULL, upper = NULL,
                        simplex = NULL, ordered = NULL, correlation = NULL, strict = FALSE) {
  is_target <- inherits(log_density, "wgf_target")
  if (!is_target && !is.function(log_density)) {
    fail("`log_density` must be a function of a matrix or a target such as target_mixture(), not %s.",
         describe(log_density))
  }
  if (is_target && !is.null(gradient)) fail("`gradient` belongs to a `log_density` that is a function.")
  if (!is.null(gradient) && !is.function(gradient)) {
    fail("`gradient` must be a function of a matrix, not %s.", describe(gradient))
  }
  columns <- density_columns(dim, if (is_target) log_density$dim, start)
  constraints <- list(lower = lower, upper = upper, simplex = simplex, ordered = ordered, correlation = correlation)
  given <- names(constraints)[!vapply(constraints, is.null, NA)]
  if (is_target && length(given)) fail("`%s` belongs to a `log_density` that is a function.", given[1])
  shape <- if (length(given)) do.call(new_shape, c(columns, constraints))
  structure(
    list(target = if (is_target) log_density, log_density = if (!is_target) log_density, gradient = gradient,
         size = columns$size, names = columns$names, shape = shape,
         dim = if (is.null(shape)) columns$size else length(shape$labels), whitening = NULL, strict = strict),
    class = "density"
  )
}

# Names that columns of the results have.
refuse_names <- function(names) {
  bad <- grepl("^[.]", names) | names %in% c("population", "log_density")
  if (any(bad)) fail("A parameter cannot be named %s, because results have a column of this name.", quoted(names[bad]))
}

# list(size, names) of the parameters. dim: their number or their names; own: the number that a target has; start: what
# the user gave.
density_columns <- function(dim, own, start) {
  names <- if (is.matrix(start)) colnames(start)
  given <- if (!is.null(own)) own else if (is.matrix(start)) ncol(start)
  if (is.character(dim)) {
    if (!length(dim) || anyNA(dim) || any(!nzchar(dim)) || anyDuplicated(dim)) {
      fail("`dim` must be a number, or the names of the parameters, which must differ.")
    }
    refuse_names(dim)
    if (!is.null(names) && !setequal(names, dim)) fail("`dim` and the columns of `start` name different parameters.")
    names <- dim
    dim <- length(dim)
  }
  refuse_names(names)
  if (is.null(dim)) dim <- given
  if (is.null(dim)) fail("`dim` must give the number of columns of the points.")
  dim <- check_count(dim, "dim", 1L)
  if (!is.null(given) && dim != given) {
    fail("`dim` is %d, but %s %d.", dim, if (!is.null(own)) "the target has" else "the columns of `start` are", given)
  }
  list(size = dim, names = names)
}

# The same density at coordinates w' with w = centre + w' root, where w are its coordinates so far.
whiten_density <- function(density, centre, root) {
  own <- list(own_centre = centre, own_root = root, own_volume = sum(log(abs(diag(root)))))
  white <- density$whitening
  if (!is.null(white)) {
    centre <- white$centre + drop(centre %*% white$root)
    root <- root %*% white$root
  }
  density$whitening <- c(list(centre = centre, root = root, log_volume = sum(log(abs(diag(root))))), own)
  density
}

# Coordinates w' of the density that was whitened last, at w.
coordinates_of_inner <- function(density, w) {
  white <- density$whitening
  t(backsolve(white$own_root, t(w - across(white$own_centre, w)), transpose = TRUE))
}

# What the free coordinates are called in messages.
free_labels <- function(density) {
  if (!is.null(density$shape)) return(density$shape$labels)
  vapply(seq_len(density$dim), parameter_label, "", density$names)
}

# ---- there and back --------------------------------------------------------------------------------------

# Free coordinates [n, dim] of coordinates w, and back. `root` is upper triangular.
free_of <- function(density, w) {
  white <- density$whitening
  if (is.null(white)) return(w)
  across(white$centre, w) + w %*% white$root
}

coordinates_of <- function(density, z) {
  white <- density$whitening
  if (is.null(white)) return(z)
  t(backsolve(white$root, t(z - across(white$centre, z)), transpose = TRUE))
}

# The user's parameters [n, size], with their names, at coordinates z [n, dim].
to_user <- function(density, z) {
  z <- free_of(density, z)
  x <- if (is.null(density$shape)) z else shape_place(density$shape, z, density$size)$x
  colnames(x) <- density$names
  x
}

# Coordinates [n, dim] of the user's parameters x. what: names x in messages.
to_free <- function(density, x, what = "start") {
  if (!is.null(density$names) && !is.null(colnames(x)) && setequal(colnames(x), density$names)) {
    x <- x[, density$names, drop = FALSE]
  }
  x <- unname(x)
  if (is.null(density$shape)) return(coordinates_of(density, x))
  z <- shape_invert(density$shape, x)
  bad <- which(!is.finite(z), arr.ind = TRUE)
  if (length(bad)) {
    fail("`%s` must satisfy the constraints, but row %d does not (%s).", what, bad[1, 1],
         density$shape$labels[bad[1, 2]])
  }
  coordinates_of(density, z)
}

# ---- values ----------------------------------------------------------------------------------------------

# At coordinates z [n, dim]: list(log_density [n], gradient [n, dim], evaluations), with the Jacobians of the
# constraints. Rows outside have log-density -Inf and gradient 0.
density_values <- function(density, z, threads = thread_count(), gradient = TRUE) {
  placed <- density_points(density, z)
  if (!is.null(density$target)) {
    out <- values_of_target(density, placed$x, threads)
    out$evaluations <- count_evaluations(nrow(z) * (1 + gradient), nrow(z), sum(is.na(out$log_density)))
  } else {
    given <- given_value(density, placed)
    value <- value_outside(density, given, placed)
    out <- list(log_density = value, gradient = NULL)
    slope <- if (gradient) user_gradient(density, z, placed, value)
    out$gradient <- slope$gradient
    out$evaluations <- count_evaluations(length(value) + sum(slope$evaluations), length(value), sum(is.na(given)))
  }
  if (!gradient) return(out[c("log_density", "evaluations")])
  if (!is.null(density$whitening) && (!is.null(density$target) || !is.null(density$gradient))) {
    out$gradient <- tcrossprod(out$gradient, density$whitening$root)
  }
  settle_outside(density, out)
}

# list(x [n, size], free [n, dim], log_jacobian [n]) at coordinates z.
density_points <- function(density, z) {
  free <- free_of(density, z)
  volume <- if (is.null(density$whitening)) 0 else density$whitening$log_volume
  if (is.null(density$shape)) {
    placed <- list(x = free, log_jacobian = volume)
  } else {
    placed <- shape_place(density$shape, free, density$size)
    placed$log_jacobian <- placed$log_jacobian + volume
  }
  colnames(placed$x) <- density$names
  c(if (density$strict) placed else parameters_in_range(placed), list(free = free))
}

# Rows whose parameters are not finite are outside of the support. The functions of the user get another row instead.
parameters_in_range <- function(placed) {
  inside <- rowSums(!is.finite(placed$x)) == 0
  if (all(inside) || !any(inside)) return(placed)
  placed$x[!inside, ] <- placed$x[rep(which(inside)[1], sum(!inside)), ]
  placed$log_jacobian <- ifelse(inside, placed$log_jacobian, -Inf)
  placed
}

# The log-density by the coordinates, from the user's function.
value_at <- function(density, placed) value_outside(density, given_value(density, placed), placed)

# What the user's function returns, and the log-density by the coordinates, where NaN means outside.
given_value <- function(density, placed) {
  check_log_density(users_value(density$log_density, placed$x), nrow(placed$x), density, placed)
}

value_outside <- function(density, given, placed) {
  out <- given + placed$log_jacobian
  if (!density$strict) out[is.na(out)] <- -Inf
  out
}

# One row is given twice, because x[, 1:2] of a single row is no matrix in the function of the user.
users_value <- function(f, x) {
  if (nrow(x) != 1) return(on_own_stream(f(x)))
  value <- on_own_stream(f(x[c(1, 1), , drop = FALSE]))
  if (is.matrix(value) && nrow(value) == 2) value[1, , drop = FALSE] else if (length(value) == 2) value[1] else value
}

check_log_density <- function(value, n, density, placed) {
  if (!is.numeric(value) && !(is.logical(value) && all(is.na(value))) || length(value) != n) {
    fail("`log_density` must return one number for each of the %d rows%s, but it returned %s.", n,
         if (is.null(density$names)) "" else sprintf(" (write x[, \"%s\"] for a parameter)", density$names[1]),
         describe(value))
  }
  value <- as.double(value)
  if (!density$strict) {
    # where a constraint has no digits left, the point stands on its edge
    value[value %in% Inf & !(placed$log_jacobian > smallest_log_jacobian)] <- -Inf
  }
  bad <- if (density$strict) !is.finite(value) else value %in% Inf
  if (any(bad)) {
    fail("`log_density` must return %s numbers, but it returned %s for %d of %d rows (the first is row %d).",
         if (density$strict) "finite" else "finite or -Inf", format(value[bad][1]), sum(bad), n, which(bad)[1])
  }
  value
}

# Below it a point stands on the edge of its constraint in double precision.
smallest_log_jacobian <- -36

# list(gradient [n, dim], evaluations: a number). By differences the gradient is that of the coordinates; the user's own
# is that of the free coordinates.
user_gradient <- function(density, z, placed, value) {
  n <- nrow(z)
  if (is.null(density$gradient)) {
    at <- function(z) value_at(density, density_points(density, z))
    return(list(gradient = difference_gradient(at, z, value, strict = density$strict), evaluations = n * 2 * ncol(z)))
  }
  gradient <- check_gradient(users_value(density$gradient, placed$x), placed$x, density$strict, value)
  if (!is.null(density$shape)) gradient <- shape_pull(density$shape, placed$free, unname(placed$x), gradient)
  list(gradient = gradient, evaluations = n)
}

check_gradient <- function(value, points, strict, log_density) {
  if (is.numeric(value) && ncol(points) == 1 && length(value) == nrow(points)) value <- matrix(value)
  if (!is.numeric(value) || !identical(dim(value), dim(points))) {
    fail("`gradient` must return a matrix of %d x %d, but it returned %s.", nrow(points), ncol(points), describe(value))
  }
  bad <- which(rowSums(!is.finite(value)) > 0)
  if (strict && length(bad)) {
    fail("`gradient` must return finite numbers, but %d of %d rows are not (the first is row %d).", length(bad),
         nrow(value), bad[1])
  }
  value <- unname(value)
  storage.mode(value) <- "double"
  value
}

values_of_target <- function(density, x, threads) {
  values <- target_field(density$target, unname(x), threads)
  if (density$strict) return(check_target_values(values, largest_length))
  values$log_density <- values$log_density + if (is.null(density$whitening)) 0 else density$whitening$log_volume
  values
}

# A row without a finite gradient cannot be moved: it counts as outside.
settle_outside <- function(density, values) {
  if (density$strict) return(values)
  inside <- is.finite(values$log_density) & rowSums(abs(values$gradient)) < largest_length
  out <- is.na(inside) | !inside
  values$log_density[out] <- -Inf
  values$gradient[out, ] <- 0
  values
}

# ---- differences -----------------------------------------------------------------------------------------

# The gradient [n, d] of f by central differences. Their step is `size` times eps^(1/3) max(1, |x|), which is best in
# double precision for size = 1. Beside an edge, where one of the two values is not finite, they are one-sided; between
# two edges they are 0. value: f at the points. strict: a difference that is not finite is an error.
difference_gradient <- function(f, points, value, size = 1, strict = TRUE) {
  out <- points
  for (column in seq_len(ncol(points))) {
    h <- difference_step(points[, column], size)
    above <- below <- points
    above[, column] <- points[, column] + h
    below[, column] <- points[, column] - h
    higher <- f(above)
    lower <- f(below)
    out[, column] <- (higher - lower) / (above[, column] - below[, column])
    up <- higher == -Inf & lower > -Inf
    down <- lower == -Inf & higher > -Inf
    out[up, column] <- ((value - lower) / (points[, column] - below[, column]))[up]
    out[down, column] <- ((higher - value) / (above[, column] - points[, column]))[down]
    out[higher == -Inf & lower == -Inf, column] <- 0
  }
  out[value == -Inf, ] <- 0
  if (!strict) return(out)
  bad <- which(rowSums(!is.finite(out)) > 0)
  if (length(bad)) {
    stop_unsolved(paste("Differences of `log_density` leave the range of numbers at %d of %d rows (the first is row",
                        "%d): give `gradient`, or bring the log-density to a smaller scale."), length(bad),
                  nrow(out), bad[1])
  }
  out
}

difference_step <- function(x, size = 1) size * .Machine$double.eps^(1 / 3) * pmax(1, abs(x))
