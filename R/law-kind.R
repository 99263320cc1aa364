#' A latent law of your own
#'
#' Makes a law from functions that fit it and draw from it. [efs()], [efs_tune()], [efs_augment()] and [law_stack()]
#' take it like the laws of the package (see [laws]): it is fitted, tuned over its candidates by held-out
#' log-likelihood, stacked, printed and drawn.
#'
#' @section Errors:
#' An error in one of the functions ends the call, because it is more likely a mistake than a property of the data.
#' Where a law cannot be fitted to the particles that it is given (too few of them, say), `fit` returns `NULL`. A
#' search then goes on without this candidate, and other calls stop with one sentence.
#'
#' @section Random numbers:
#' `draw` may use R's random numbers. They come from a stream that depends only on the seed of [simulate()], or on R's
#' stream if no seed is given. Rows are drawn a hundred at a time, so that the first rows do not depend on how many are
#' drawn. R's own stream stays as it is. If `draw` has an argument `key`, it is given two whole numbers, and the draws
#' must be a function of them alone. `fit` has a stream of its own, too, which is always the same.
#'
#' @param name Name of the law, by which it is printed. Names of the package's laws are taken.
#' @param fit Function of `points`, a numeric matrix `[n, d]` of the particles in the unit of the flow, and of the
#'   settings of the law, each an argument with a default. It returns a list, which `draw` and `density` are given,
#'   or `NULL` (see below). If it has an argument `s`, it is given the exponent of the flow. If it has an argument
#'   `memo`, it is given an environment in which it may keep what candidates on the same points share, or `NULL`
#'   outside a search.
#' @param draw Function of the fitted list and a whole number `n` that returns a numeric matrix `[n, d]` of independent
#'   draws.
#' @param density Function of the fitted list and a numeric matrix `[m, d]` that returns the log-density at each
#'   row; `NULL` if there is none. A law without a density can be drawn from, but no search can score it. If it has
#'   an argument `self`, this is `TRUE` where the rows are the particles that the law was fitted to: a law that
#'   gives each particle a part of its own then leaves that part out.
#' @param candidates Function of `n` and `d`, the numbers of particles and of dimensions, that returns the settings
#'   to try: a list of named lists. `NULL`: only the defaults of `fit`.
#' @param settings Named list of settings. They are fixed: a search tries no others.
#' @param sweep Name of one setting of which `density` evaluates several values at once: it has an argument of this
#'   name and returns a matrix with one column per value. A candidate may then hold several values of the
#'   setting, and the law is fitted once for all of them. `NULL`: no setting.
#' @param spherical `FALSE` if the law does not depend on an invertible linear map of the particles. A search then
#'   does not try it on whitened rows, too.
#' @param in_scores `TRUE` if a search may also fit the law to the normal scores of [law_copula()]. A function of
#'   the settings of a candidate, which returns `TRUE` or `FALSE`, chooses among them.
#' @return An object of class `law_kind`. `format()` gives its name and the settings given, as one string.
#' @seealso [laws]
#' @examples
#' # a particle plus Laplace noise
#' mine <- law_kind(
#'   "my_laplace",
#'   fit = function(points, width = 0.3) list(points = points, width = width * mean(apply(points, 2, sd))),
#'   draw = function(law, n) {
#'     noise <- matrix(rexp(n * ncol(law$points)) - rexp(n * ncol(law$points)), n)
#'     law$points[base::sample(nrow(law$points), n, replace = TRUE), ] + law$width * noise
#'   },
#'   density = function(law, points) {
#'     kernel <- function(y) mean(exp(-colSums(abs(t(law$points) - y)) / law$width))
#'     log(apply(points, 1, kernel)) - ncol(points) * log(2 * law$width)
#'   },
#'   candidates = function(n, d) list(list(width = 0.1), list(width = 0.3), list(width = 1))
#' )
#' fit <- efs(iris[51:100, 3:4], law = mine, time = 0)
#' fit
#' simulate(fit, 3, seed = 1)
#' @export
law_kind <- function(name, fit, draw, density = NULL, candidates = NULL, settings = list(), sweep = NULL,
                     spherical = TRUE, in_scores = FALSE) {
  if (!is.character(name) || length(name) != 1 || is.na(name) || !nzchar(name)) {
    fail("`name` must be one string, not %s.", describe(name))
  }
  if (is_our_law(name)) fail("`name` is \"%s\", which is a law of the package; choose another.", name)
  check_function(fit, "fit")
  check_function(draw, "draw")
  if (!is.null(density)) check_function(density, "density")
  if (!is.null(candidates)) check_function(candidates, "candidates")
  check_settings(settings, "settings")
  check_known(name, names(settings), names(formals(fit)))
  if (!is.null(sweep)) sweep <- check_choice(sweep, names(formals(density)), "sweep")
  if (!is.function(in_scores)) check_flag(in_scores, "in_scores")
  new_law_kind(name, fit, draw, density, candidates, settings, sweep = sweep,
               spherical = check_flag(spherical, "spherical"), in_scores = in_scores, ours = FALSE)
}

# A law with the settings given: what law_kind() and the constructors law_x() of the package return. The functions are
# those of law_kind(). Ours may take more arguments: draw(law, n, key, threads), density(law, points, threads, self).
#   searched  a number: a search tries the law unasked, in the order of these numbers; NULL: only where it is asked for
#   upon      NULL, or a function of the candidates of all laws that gives further candidates of this one
#   dense     function of a fitted law: whether it has the density
#   ours      whether it is a law of the package, which is stored by its name
new_law_kind <- function(name, fit, draw, density = NULL, candidates = NULL, settings = list(), sweep = NULL,
                         spherical = TRUE, in_scores = FALSE, searched = NULL, upon = NULL,
                         dense = function(law) TRUE, ours = TRUE) {
  structure(
    list(name = name, settings = settings, fit = fit, draw = draw, density = density, candidates = candidates,
         sweep = sweep, spherical = spherical, in_scores = in_scores, searched = searched, upon = upon, dense = dense,
         ours = ours),
    class = "law_kind"
  )
}

check_settings <- function(settings, what) {
  if (!is.list(settings) || is.object(settings)) {
    fail("`%s` must be a list of settings, not %s.", what, describe(settings))
  }
  if (length(settings) > 0 && (is.null(names(settings)) || !all(nzchar(names(settings))))) {
    fail("`%s` must give each setting by its name.", what)
  }
  twice <- anyDuplicated(names(settings))
  if (twice) fail("`%s` gives the setting `%s` twice.", what, names(settings)[twice])
}

# `arguments`: those of the function that takes the settings.
check_known <- function(law, given, arguments) {
  unknown <- setdiff(given, setdiff(arguments, not_settings))
  if (length(unknown) > 0 && !"..." %in% arguments) fail("The law \"%s\" has no setting `%s`.", law, unknown[1])
}

not_settings <- c("points", "s", "memo", "...")

# The arguments that the calling constructor was given.
given_settings <- function() {
  if (length(sys.call(sys.parent())) == 1) return(list())
  frame <- parent.frame()
  arguments <- names(formals(sys.function(sys.parent())))
  plain <- setdiff(arguments, "...")
  given <- plain[!vapply(plain, function(name) eval(call("missing", as.name(name)), frame), NA)]
  c(mget(given, envir = frame), if ("..." %in% arguments) eval(quote(list(...)), frame))
}

# The laws of the package. The constructor of the law "x" is law_x(), an object of class "law_constructor".
law_names <- function() sub("^law_", "", Filter(is_law_constructor, ls(topenv(), pattern = "^law_")))

is_law_constructor <- function(name) inherits(get0(name, topenv(), inherits = FALSE), "law_constructor")

is_our_law <- function(name) is_law_constructor(paste0("law_", name))

our_law <- function(name, settings = list()) do.call(get(paste0("law_", name), topenv()), settings)

our_laws <- function() lapply(stats::setNames(nm = law_names()), our_law)

density_laws <- function() names(Filter(function(kind) !is.null(kind$density), our_laws()))

# The laws that a search tries unasked, in the order of its grid.
searched_laws <- function() {
  kinds <- Filter(function(kind) !is.null(kind$searched), our_laws())
  kinds[order(vapply(kinds, `[[`, 0, "searched"))]
}

# One law as a kind, from its name or a kind; `settings` are added to its own.
as_law <- function(law, settings = list(), what = "law", choices = law_names()) {
  if (inherits(law, "law_constructor")) law <- law()
  if (is.character(law) && length(law) == 1) {
    law <- our_law(check_choice(law, choices, what))
  } else if (!inherits(law, "law_kind")) {
    fail("`%s` must be one of %s, or a law such as law_student(df = 3), not %s.", what,
         paste0('"', choices, '"', collapse = ", "), describe(law))
  }
  if (length(settings)) law <- with_settings(law, settings)
  lacking <- setdiff(settings_without_default(law$fit), names(law$settings))
  if (length(lacking)) fail("The law \"%s\" needs the setting `%s`.", law$name, lacking[1])
  law
}

settings_without_default <- function(fit) {
  needed <- vapply(formals(fit), function(default) identical(default, quote(expr = )), NA)
  setdiff(names(formals(fit))[needed], not_settings)
}

# The constructors of our laws check the values.
with_settings <- function(kind, settings) {
  all <- kind$settings
  all[names(settings)] <- settings
  taken <- if (kind$ours) get(paste0("law_", kind$name), topenv()) else kind$fit
  check_known(kind$name, names(settings), names(formals(taken)))
  if (kind$ours) {
    kind <- our_law(kind$name, all)
    all <- kind$settings[names(all)] # in the order given
  }
  kind$settings <- all
  kind
}

# What an argument asks for, as a list of kinds: a name, a law, or a list of these.
asked_laws <- function(law, settings = list(), what = "law", choices = law_names()) {
  check_settings(settings, "law_settings")
  if (is.character(law) && length(law) > 1) law <- as.list(law)
  several <- is.list(law) && !inherits(law, "law_kind")
  if (several && length(law) == 0) fail("`%s` is an empty list; give at least one law.", what)
  if (several && length(settings)) fail("`law_settings` belong to one `law`, not to a list of them.")
  kinds <- lapply(if (several) law else list(law), as_law, settings = settings, what = what, choices = choices)
  kinds <- unique(kinds)
  check_same_names(kinds)
  kinds
}

# A search tells laws apart by their names and settings.
check_same_names <- function(kinds) {
  code <- function(f) if (is.function(f)) list(formals(f), body(f))
  for (name in unique(vapply(kinds, `[[`, "", "name"))) {
    same <- Filter(function(kind) kind$name == name, kinds)
    codes <- lapply(same, function(kind) lapply(kind[c("fit", "draw", "density")], code))
    if (length(unique(codes)) > 1 || anyDuplicated(lapply(same, `[[`, "settings"))) {
      fail("Two laws have the name \"%s\"; they must differ in their settings, or in their names.", name)
    }
  }
}

# One candidate of a search: a kind with the settings of one fit, and the values of the setting that its density
# sweeps, as a list of one, or NULL. `key` tells it from others. The settings of our own candidates are not checked
# again.
new_candidate <- function(kind, settings, sweep = NULL) {
  kind$settings <- settings
  values <- vapply(settings, function(one) toString(law_name(one)), "")
  key <- paste(kind$name, paste(names(settings), values, collapse = " "))
  list(kind = kind, law = kind$name, settings = settings, sweep = sweep, key = key)
}

# The candidates of one kind whose settings are open.
open_candidates <- function(kind, n, d) {
  settings <- if (is.null(kind$candidates)) list(list()) else kind$candidates(n, d)
  if (!is.list(settings) || length(settings) == 0) {
    fail("`candidates` of the law \"%s\" must return a list of lists of settings, not %s.", kind$name,
         describe(settings))
  }
  lapply(settings, function(one) {
    if (!kind$ours) check_candidate(kind, one, n, d)
    swept <- intersect(kind$sweep, names(one))
    new_candidate(kind, one[setdiff(names(one), swept)], if (length(swept)) one[swept])
  })
}

check_candidate <- function(kind, settings, n, d) {
  check_settings(settings, sprintf("candidates(%d, %d)", n, d))
  check_known(kind$name, names(settings), names(formals(kind$fit)))
}

# What a search tries for n rows in d dimensions: the laws `asked` for, with the settings given or else over their
# candidates; NULL: the laws that are searched unasked.
law_candidates <- function(n, d, asked = NULL) {
  usual <- searched_laws()
  named <- function(kinds) vapply(kinds, `[[`, "", "name")
  kinds <- c(unname(usual), asked)
  kinds <- kinds[!duplicated(named(kinds))]
  open <- unlist(lapply(kinds, open_candidates, n, d), recursive = FALSE)
  for (kind in kinds) if (!is.null(kind$upon)) open <- c(open, kind$upon(open))
  if (is.null(asked)) return(open)
  fixed <- Filter(function(kind) length(kind$settings) > 0, asked)
  wanted <- Filter(function(kind) length(kind$settings) == 0, asked)
  c(Filter(function(one) one$law %in% named(wanted), open),
    lapply(fixed, function(kind) new_candidate(kind, kind$settings)))
}

# How a kind is stored: the name of a law of ours, or the kind without its settings.
law_reference <- function(kind) {
  if (kind$ours) return(kind$name)
  kind$settings <- list()
  kind
}

law_name <- function(law) if (inherits(law, "law_kind")) law$name else law

#' @rdname law_kind
#' @param x A law.
#' @param ... Not used.
#' @export
format.law_kind <- function(x, ...) {
  if (length(x$settings) == 0) return(x$name)
  sprintf("%s (%s)", x$name, format_settings(x$settings))
}

#' @rdname law_kind
#' @export
print.law_kind <- function(x, ...) {
  cat("<law_kind> ", format(x), "\n", sep = "")
  invisible(x)
}

# "a = 1, b = 2"
format_settings <- function(settings) {
  shown <- vapply(settings, function(value) {
    if (is.list(value) && !is.object(value)) return(sprintf("list of %d", length(value)))
    toString(format(value, digits = 3))
  }, "")
  paste(names(settings), shown, sep = " = ", collapse = ", ")
}
