# A latent law says where new points start. A law called "name" is a function law_name(points, s, ...) that fits it
# to the last frame [n, d] and returns new_law("name", ...), a method draw_law.law_name(law, n, key, threads) that
# returns an [n, d] matrix as a pure function of the law and the key, and, where it has a density, a method
# law_density.law_name(law, points, threads, self) that returns the log-densities as a matrix of one column (or one
# for each of several values of a setting); `self`: the points are the rows it was fitted to, and where each has a
# part of its own in the law, that part is left out.

new_law <- function(name, ...) {
  structure(list(name = name, ...), class = c(paste0("law_", name), "latent_law"))
}

draw_law <- function(law, n, key, threads) UseMethod("draw_law")

law_density <- function(law, points, threads, self = FALSE, ...) UseMethod("law_density")

density_laws <- function() {
  has <- vapply(law_names(), function(name) {
    !is.null(utils::getS3method("law_density", paste0("law_", name), optional = TRUE, envir = topenv()))
  }, NA)
  law_names()[has]
}

# Laws whose settings a search can choose.
searched_laws <- function() setdiff(density_laws(), c("equilibrium", "ball", "stack"))

has_density <- function(law) {
  law$name %in% density_laws() && !(law$name == "equilibrium" && law$exponent <= length(law$centre) - 4)
}

law_names <- function() {
  found <- sub("^law_", "", ls(topenv(), pattern = "^law_"))
  found[!grepl("^(names$|density)", found)]
}

fit_law <- function(method, traj, ...) {
  method <- check_choice(method, law_names(), "method")
  settings <- list(...)
  if (length(settings) != length(names(settings))) fail("The law \"%s\" has no setting without a name.", method)
  check_law_settings(method, names(settings))
  do.call(paste0("law_", method), c(list(points = last_frame(traj), s = traj$s), settings))
}

check_law_settings <- function(law, given) {
  known <- setdiff(names(formals(paste0("law_", law), envir = topenv())), "memo")
  unknown <- setdiff(given, known)
  if (length(unknown) > 0 && !"..." %in% known) fail("The law \"%s\" has no setting `%s`.", law, unknown[1])
}

#' @export
format.latent_law <- function(x, ...) {
  settings <- Filter(function(value) (is.numeric(value) || is.logical(value)) && length(value) == 1, unclass(x))
  if (length(settings) == 0) return(x$name)
  sprintf("%s (%s)", x$name,
          paste(names(settings), vapply(settings, format, "", digits = 3), sep = " = ", collapse = ", "))
}

#' @export
print.latent_law <- function(x, ...) {
  cat("<latent_law> ", format(x), "\n", sep = "")
  invisible(x)
}

# What is known of a draw's density when it has been carried back.
check_density <- function(law) {
  if (has_density(law)) return(invisible())
  fail("The law \"%s\" has no density; fit with %s for `log_density`.", law$name,
       paste0('"', searched_laws(), '"', collapse = ", "))
}
