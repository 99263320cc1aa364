#' A latent law of your own
#'
#' Makes a latent law from functions that you write: one that fits the law, one that draws from it and, if there is one,
#' its density. [efs()], [efs_tune()], [efs_augment()] and [law_stack()] use it like the laws of the package (see
#' [laws]). They fit it, choose its settings by held-out log-likelihood, mix it with other laws, print it and draw from
#' it.
#'
#' The law describes the *particles*. These are the latent rows after the flow or, without a flow, the latent rows
#' themselves. They are given to the law in the unit of the flow, in which a search has scaled or whitened them.
#'
#' @section Three arguments for a search:
#' A law works without `sweep`, `spherical` and `in_scores`. They tell a search how to save time, or to try more.
#'
#' `sweep` is for a setting that only the density uses. An example is the width `h` of a kernel estimate: the fit stores
#' the particles, whatever `h` is. With `sweep = "h"`, the candidate `list(h = c(0.1, 0.3, 1))` stands for three
#' settings. The law is fitted once, and `density(law, points, h = c(0.1, 0.3, 1))` returns a matrix with three columns.
#' Both `fit` and `density` need an argument `h` with a default, because each of them is also called without it.
#'
#' `spherical` says whether the law depends on the unit. A search tries two units: *scaled* columns, and *whitened*
#' rows, which are turned and stretched by a linear map so that their columns are uncorrelated. Take a particle plus
#' noise of the same width in all directions. What is a circle in one unit is an ellipse in the other, so that this law
#' differs between the units, and both are worth a try. This is `spherical = TRUE`. Take now the normal distribution
#' with the mean and the covariance of the particles. It is the same distribution in both units, because a linear map
#' takes it to the normal distribution of the mapped particles. With `spherical = FALSE` a search tries such a law on
#' scaled columns only. If you are not sure, leave `TRUE`: this takes more time and is never wrong.
#'
#' `in_scores` is for skewed columns. [law_copula()] replaces each coordinate by its normal scores: a value with a share
#' \eqn{p} of the particles below it becomes the \eqn{p} quantile of the standard normal distribution. With `in_scores =
#' TRUE`, a search also fits your law to these scores. With `in_scores = function(settings) settings$width < 0.5` it
#' does so for the candidates with a small width only.
#'
#' @section Log-densities: `density` returns a finite number, or `-Inf` where the density is 0. `NA`, `NaN` and `Inf`
#' are an error. If a row that was left out of the fit has the log-density `-Inf`, the mean over these rows is `-Inf`
#' too, so that the law is worse than any law with a finite mean. A law whose support may not cover new rows therefore
#' loses in a search.
#'
#' @section Errors: An error in one of your functions ends the call, because it is more likely a mistake in the function
#'   than a property of the data. If a law cannot be fitted to the particles that it is given (too few particles, for
#'   example), `fit` returns `NULL`. A search then leaves out this candidate. Other calls stop with an error that says
#'   so.
#'
#'   A law is known by its name and its settings. It is an error to give two different laws with the same name, unless
#'   they have the same code and differ in their settings. So a number that your functions take from outside, such as
#'   `df` in `function(df) law_kind(...)`, should be a setting.
#'
#' @section Random numbers:
#' All functions of a law may use R's random numbers. While one of them runs, R uses a stream of the package. The
#' user's stream and generators ([RNGkind()]) are restored afterwards. The stream of `draw` depends only on the seed of
#' [simulate()] or, without a seed, on the user's stream. The streams of the other functions are always the same.
#'
#' `draw` is called for a hundred rows at a time, so that the first rows do not depend on how many are drawn. If it has
#' an argument `key`, it is called once for all rows. `key` is a pair of whole numbers, for a generator of your own.
#'
#' @param name Name of the law, by which it is printed: one string that is not the name of a law of the package.
#' @param fit Function of `points`, a numeric matrix `[n, d]` with one particle per row, and of the settings of the law.
#'   Each setting is an argument with a default. The function returns a list, which is given to `draw` and `density`, or
#'   `NULL` if the law cannot be fitted. An argument `s` is not a setting: it is given the exponent of the flow. Nor is
#'   an argument `memo`: it is given an environment in which `fit` may store results that all candidates on the same
#'   points share, or `NULL` outside a search.
#' @param draw Function of the fitted list and a whole number `n`. It returns a numeric matrix `[n, d]` of independent
#'   draws.
#' @param density Function of the fitted list and a numeric matrix `[m, d]`. It returns the log-density at each row, `m`
#'   numbers. `NULL`: the law has no density. It can then be drawn from, but no search can score it. If the function has
#'   an argument `self`, this is `TRUE` if the rows are the particles that the law was fitted to. A kernel estimate, in
#'   which each particle has a part of its own, then leaves this part out at the particle.
#' @param candidates Function of `n` and `d`, the numbers of particles and of dimensions. It returns the settings that a
#'   search tries, as a list of named lists. `NULL`: only the defaults of `fit`.
#' @param settings Named list of settings: numbers, strings, `TRUE` or `FALSE`. They are fixed: a search tries no
#' others.
#' @param sweep Name of one setting that `density` evaluates at several values at once, see below. `NULL`: there is no
#'   such setting.
#' @param spherical `FALSE` if the law is the same whether rows are scaled or whitened, see below.
#' @param in_scores `TRUE` if a search may also fit the law to normal scores, see below. A function of the settings of a
#'   candidate that returns `TRUE` or `FALSE` chooses among the candidates.
#' @param components Function of the fitted list, for a law that is a mixture of K Gaussians or multivariate t
#'   distributions. It returns a list of `weights` (K numbers), `means` (a matrix `[d, K]`), `df` (K degrees of freedom,
#'   `Inf` for a Gaussian) and `roots`. Column k of `roots` is `R[upper.tri(R, diag = TRUE)]`, where `R = chol(S)` and S
#'   is the covariance of a Gaussian or the scale matrix of a t. One column: all components share it. Draws given
#'   some coordinates are then exact and fast. `NULL`, or a function that returns `NULL`: the law has no such form.
#' @return An object of class `law_kind`. `format()` gives its name and the settings that were given, as one string.
#' @seealso [laws]
#' @examples
#' # a particle plus Laplace noise
#' mine <- law_kind(
#'   "my_laplace",
#'   fit = function(points, width = 0.3) {
#'     list(points = points, width = width * mean(apply(points, 2, sd)))
#'   },
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
#'
#' # independent normal columns, `stretch` times as wide as the particles: one fit
#' wide <- law_kind(
#'   "my_normal",
#'   fit = function(points, stretch = 1) {
#'     list(mean = colMeans(points), sd = apply(points, 2, sd), stretch = stretch)
#'   },
#'   draw = function(law, n) {
#'     z <- matrix(rnorm(n * length(law$mean)), n)
#'     sweep(sweep(z, 2, law$stretch * law$sd, "*"), 2, law$mean, "+")
#'   },
#'   density = function(law, points, stretch = law$stretch) {
#'     one <- function(times) rowSums(dnorm(points, rep(law$mean, each = nrow(points)),
#'                                          rep(times * law$sd, each = nrow(points)), log = TRUE))
#'     sapply(stretch, one)
#'   },
#'   candidates = function(n, d) list(list(stretch = c(0.8, 1, 1.2))),
#'   sweep = "stretch", in_scores = TRUE
#' )
#' efs(iris[51:100, 3:4], law = list(wide, "copula"), time = 0)
#' @export
law_kind <- function(name, fit, draw, density = NULL, candidates = NULL, settings = list(), sweep = NULL,
                     spherical = TRUE, in_scores = FALSE, components = NULL) {
  if (!is.character(name) || length(name) != 1 || is.na(name) || !nzchar(name)) {
    fail("`name` must be one string, not %s.", describe(name))
  }
  if (is_our_law(name)) fail("`name` is \"%s\", which is a law of the package; choose another.", name)
  check_hook(check_function(fit, "fit"), "fit", "points", c("s", "memo"), open = TRUE)
  check_hook(check_function(draw, "draw"), "draw", c("law", "n"), "key")
  if (!is.null(sweep)) check_sweep(sweep, fit, density)
  if (!is.null(density)) {
    check_hook(check_function(density, "density"), "density", c("law", "points"), c("self", sweep))
  }
  if (!is.null(candidates)) check_hook(check_function(candidates, "candidates"), "candidates", c("n", "d"))
  if (!is.null(components)) check_hook(check_function(components, "components"), "components", "law")
  check_own_settings(settings, "settings", name, fit)
  if (is.function(in_scores)) check_hook(in_scores, "in_scores", "settings") else check_flag(in_scores, "in_scores")
  new_law_kind(name, fit, draw, density, candidates, settings, sweep = sweep,
               spherical = check_flag(spherical, "spherical"), in_scores = in_scores, components = components,
               ours = FALSE)
}

# The setting that `density` sweeps has a default in both functions, because `fit` is not given the values of a sweep,
# and `density` is given none if there is no sweep.
check_sweep <- function(sweep, fit, density) {
  if (is.null(density)) fail("`sweep` needs a `density`, which evaluates the setting at several values at once.")
  if (!is.character(sweep) || length(sweep) != 1 || is.na(sweep)) {
    fail("`sweep` must be the name of one setting, not %s.", describe(sweep))
  }
  for (what in c("fit", "density")) {
    has <- formals(if (what == "fit") fit else density)
    if (!sweep %in% names(has) || identical(has[[sweep]], quote(expr = ))) {
      fail("`%s` must have an argument `%s` with a default, because this setting is the `sweep`.", what, sweep)
    }
  }
}

# A law with the settings given: what law_kind() and the constructors law_x() of the package return. The functions are
# those of law_kind(). The functions of our laws take more arguments: draw(law, n, key, threads) and density(law,
# points, threads, self).
#   searched  a number: a search tries the law without being asked, in the order of these numbers; NULL: only if asked
#   upon      NULL, or a function of the candidates of all laws that gives further candidates of this law
#   dense     function of a fitted law: whether it has the density
#   ours      whether it is a law of the package, which is stored by its name
#   most_rows NULL, or a function of d: of more rows the law is fitted to a sample, see R/law-sample.R
new_law_kind <- function(name, fit, draw, density = NULL, candidates = NULL, settings = list(), sweep = NULL,
                         spherical = TRUE, in_scores = FALSE, searched = NULL, upon = NULL,
                         dense = function(law) TRUE, components = NULL, ours = TRUE, most_rows = NULL) {
  structure(
    list(name = name, settings = settings, fit = fit, draw = draw, density = density, candidates = candidates,
         sweep = sweep, spherical = spherical, in_scores = in_scores, searched = searched, upon = upon, dense = dense,
         components = components, ours = ours, most_rows = most_rows),
    class = "law_kind"
  )
}

# The settings of a law of the user's. A search compares them by their text, which a function does not have.
check_own_settings <- function(settings, what, name, fit) {
  check_settings(settings, what)
  check_known(name, names(settings), names(formals(fit)))
  code <- vapply(settings, function(value) is.function(value) || is.environment(value), NA)
  if (any(code)) {
    fail("`%s` of the law \"%s\" must give numbers, strings, TRUE or FALSE, but `%s` is %s.", what, name,
         names(settings)[which(code)[1]],
         if (is.function(settings[[which(code)[1]]])) "a function" else "an environment")
  }
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

# `arguments`: the arguments of the function that takes the settings.
check_known <- function(law, given, arguments) {
  unknown <- setdiff(given, setdiff(arguments, not_settings))
  if (length(unknown) > 0 && !"..." %in% arguments) fail("The law \"%s\" has no setting `%s`.", law, unknown[1])
}

not_settings <- c("points", "s", "memo", "gone", "...")

# The arguments that the user gave to the constructor that calls this function.
given_settings <- function() {
  if (length(sys.call(sys.parent())) == 1) return(list())
  frame <- parent.frame()
  arguments <- names(formals(sys.function(sys.parent())))
  plain <- setdiff(arguments, "...")
  given <- plain[!vapply(plain, function(name) eval(call("missing", as.name(name)), frame), NA)]
  c(mget(given, envir = frame), if ("..." %in% arguments) eval(quote(list(...)), frame))
}

# The laws of the package. The constructor of the law "x" is law_x(), an object of class "law_constructor".
law_names <- function() {
  # radix, because to sort all names of the package in the language of the user takes milliseconds
  found <- sort(ls(topenv(), pattern = "^law_", sorted = FALSE), method = "radix")
  sub("^law_", "", Filter(is_law_constructor, found))
}

is_law_constructor <- function(name) inherits(get0(name, topenv(), inherits = FALSE), "law_constructor")

is_our_law <- function(name) is_law_constructor(paste0("law_", name))

our_law <- function(name, settings = list()) do.call(get(paste0("law_", name), topenv()), settings)

our_laws <- function() lapply(stats::setNames(nm = law_names()), our_law)

density_laws <- function() names(Filter(function(kind) !is.null(kind$density), our_laws()))

# The laws that a search tries without being asked, in the order of its grid.
searched_laws <- function() {
  kinds <- Filter(function(kind) !is.null(kind$searched), our_laws())
  kinds[order(vapply(kinds, `[[`, 0, "searched"))]
}

# One law as a kind, from its name or from a kind. `settings` are added to its own settings.
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

# Adds settings to a kind. For our laws the constructor checks the values.
with_settings <- function(kind, settings) {
  all <- kind$settings
  all[names(settings)] <- settings
  taken <- if (kind$ours) get(paste0("law_", kind$name), topenv()) else kind$fit
  check_known(kind$name, names(settings), names(formals(taken)))
  if (!kind$ours) check_own_settings(settings, "law_settings", kind$name, taken)
  if (kind$ours) {
    kind <- our_law(kind$name, all)
    all <- kind$settings[names(all)] # in the order in which they were given
  }
  kind$settings <- all
  kind
}

# The laws that an argument asks for, as a list of kinds. The argument is a name, a law, or a list of these.
asked_laws <- function(law, settings = list(), what = "law", choices = law_names()) {
  check_settings(settings, "law_settings")
  if (is.character(law) && length(law) > 1) law <- as.list(law)
  several <- is.list(law) && !inherits(law, "law_kind")
  if (several && length(law) == 0) fail("`%s` is an empty list; give at least one law.", what)
  if (several && length(settings)) fail("`law_settings` belong to one `law`, not to a list of them.")
  kinds <- lapply(if (several) law else list(law), as_law, settings = settings, what = what, choices = choices)
  kinds <- kinds[!duplicated(lapply(kinds, function(kind) list(kind, lapply(kind[law_functions], variables_of))))]
  check_same_names(kinds)
  kinds
}

law_functions <- c("fit", "draw", "density", "candidates", "in_scores")

# A law is identified by its name and its settings, so two different laws must not agree in both. Two laws may have one
# name only if they have the same code and different settings.
check_same_names <- function(kinds) {
  code <- function(f) if (is.function(f)) list(formals(f), body(f))
  for (name in unique(vapply(kinds, `[[`, "", "name"))) {
    same <- Filter(function(kind) kind$name == name, kinds)
    codes <- lapply(same, function(kind) lapply(kind[c("fit", "draw", "density")], code))
    if (length(unique(codes)) > 1 || anyDuplicated(lapply(same, `[[`, "settings"))) {
      fail("Two different laws have the name \"%s\"; give them different names, or make what differs a setting.", name)
    }
  }
}

# The variables that a function brings with it, from its own environment up to that of a package or of the session.
variables_of <- function(f) {
  at <- if (is.function(f)) environment(f)
  found <- list()
  while (!is.null(at) && !identical(at, topenv(at)) && !identical(at, emptyenv())) {
    found <- c(found, list(as.list(at, all.names = TRUE, sorted = TRUE)))
    at <- parent.env(at)
  }
  found
}

# One candidate of a search: a kind with the settings of one fit. `sweep` is a list of one: the values of the setting
# that the density sweeps; or NULL. `key` identifies the candidate. The settings of our own candidates are not checked
# again.
new_candidate <- function(kind, settings, sweep = NULL) {
  kind$settings <- settings
  key <- paste(kind$name, paste(names(settings), vapply(settings, setting_key, ""), collapse = " "))
  list(kind = kind, law = kind$name, settings = settings, sweep = sweep, key = key)
}

# Long values, such as the cells of a large table, would take a minute to write out.
setting_key <- function(value) {
  value <- law_name(value)
  if (is.list(value) || length(value) > 20) fingerprint(value) else toString(value)
}

# The candidates of one kind, if its settings are left open.
open_candidates <- function(kind, n, d) {
  settings <- if (is.null(kind$candidates)) {
    list(list())
  } else if (kind$ours) {
    kind$candidates(n, d)
  } else {
    on_own_stream(kind$candidates(n, d))
  }
  if (!is.list(settings) || length(settings) == 0) {
    fail("`candidates` of the law \"%s\" must return a list of lists of settings, not %s.", kind$name,
         describe(settings))
  }
  lapply(settings, function(one) {
    if (!kind$ours) check_own_settings(one, sprintf("candidates(%d, %d)", n, d), kind$name, kind$fit)
    swept <- intersect(kind$sweep, names(one))
    new_candidate(kind, one[setdiff(names(one), swept)], if (length(swept)) one[swept])
  })
}

# What a search tries for n rows in d dimensions: the laws `asked` for, each with the settings given or else with its
# candidates. NULL: the laws that are searched without being asked for.
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

# How a kind is stored: one of our laws by its name, another law as its kind without the settings.
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
  check_dots("format()", ..., allowed = "digits") # a setting of another kind may be a kind, and numbers get digits
  law_words(x$name, x$settings)
}

#' @rdname law_kind
#' @export
print.law_kind <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("<law_kind> ", format(x), "\n", sep = "")
  invisible(x)
}

# "a = 1, b = 2". Settings that are lists without names, such as the ends of cells, are too long for print.
format_settings <- function(settings) {
  settings <- Filter(function(value) !is.list(value) || is.object(value) || !is.null(names(value)), settings)
  shown <- vapply(settings, function(value) {
    if (is.list(value) && !is.object(value)) return(sprintf("(%s)", format_settings(value)))
    words <- trimws(format(value, digits = 3))
    if (length(words) > 1) sprintf("c(%s)", toString(words)) else words
  }, "")
  paste(names(settings), shown, sep = " = ", collapse = ", ")
}

# "name (a = 1, b = 2)", or the name alone if no setting is shown.
law_words <- function(name, settings) {
  said <- format_settings(settings)
  if (nzchar(said)) sprintf("%s (%s)", name, said) else name
}
