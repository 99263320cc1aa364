#' Estimation-free sampling
#'
#' `efs()` fits what is needed to draw new rows that resemble the rows of a table. It does this in three steps:
#'
#' 1. It maps each row of the table to a point, the *latent row* ([latent_map]). The columns of a table of numbers are
#'    standardised by default. The columns of any other table become normal scores, see the section on tables.
#' 2. It moves the latent rows by a *flow* ([efs_forward()]). In a flow, particles repel each other and are pulled to
#'    their centre, so that clusters spread out. The particles are the rows themselves or, for tables of numbers in one
#'    to three dimensions, thousands of points that follow a law fitted to the rows (see the section on particles).
#'    There is always a flow where one can be had. `print()` says what it adds to the likelihood or takes from it, and
#'    how much of the movement is not affine.
#' 3. It fits a probability distribution, the *latent law* ([laws]), to the points where they are then.
#'
#' [simulate()][simulate.efs] draws points from this law, carries them back by the inverse of the flow
#' ([efs_backward()]), and maps them back to rows of the table. With `group`, each class has a flow and a law of its
#' own. All classes share one latent map.
#'
#' @section Tables:
#' `efs()` takes the same tables as [synthesise()]. `latent` decides how a table is read:
#'
#' * *As numbers*, in the unit of each column, if all columns are numbers without missing values. This is so for any map
#'   that you give, such as `latent_pca(5)` or `"none"`; other columns are then an error.
#' * *As normal scores*, if a column is a factor, logical, of words, or of dates or times, or has missing values; and
#'   with `latent = latent_scores()`. [synthesise()] says how values become scores and come back.
#' * A table of at most 20 columns of numbers is read as normal scores, too, if a column has only two different values,
#'   each in several rows, or is 0 in at least half of the rows. Such values have probabilities. A law in the unit of
#'   this column could put any density on them, and its likelihood would say nothing. `print()` names the columns, and
#'   `latent = "none"` or `latent_standardise()` takes the numbers as they are.
#'
#' A fit of normal scores is also of class `"synthesis"`, so that it has the methods of [synthesise()]:
#' [simulate()][simulate.synthesis] under conditions, and [predict()][predict.synthesis] with `type = "impute"`. Without
#' `type`, `predict()` gives latent positions, as for other fits of `efs()`. The particles are the rows. The flow runs
#' in the unit of the scores divided by \eqn{\sqrt{d+2}}{sqrt(d+2)}, or whitened. The laws that [synthesise()] searches
#' are searched with a flow and without. With `calibrate = FALSE` there are no likelihoods. With `bounds = TRUE` new
#' rows drawn without conditions stay within the observed scores.
#'
#' @section Particles:
#' A flow of a few hundred rows has a field made of these rows. On the way back each row attracts the points near to it,
#' so that new rows are too close to training rows, or the flow must be so short and soft that it does little. The
#' theory of the method is about infinitely many particles. `particles` = \eqn{m} is a step towards it:
#'
#' * *What the particles are*: the search chooses the law of the rows without a flow. \eqn{m} particles that follow this
#'   law are moved as in [efs_forward()]. **No row is a particle**, so that no row attracts new points. The flow is in
#'   the unit of this law.
#' * *Rows*, of the table and of `newdata`, are carried along. With the particles \eqn{x_a} at step \eqn{j}, a point
#'   \eqn{y} moves by \deqn{y_{j+1} = y_j - \frac{\gamma_j}{m-1} \sum_{a=1}^m \nabla W(y_j - x_a^{(j)}).}{
#'   y_(j+1) = y_j - gamma_j/(m-1) sum_a grad W(y_j - x_a^(j)).}
#' * *New rows* start in a uniform direction from the centre. Their distances from it follow [law_radial()]: the
#'   distribution that points of the law have at the end of the flow. The exact inverse carries them back.
#' * *What the flow costs*: with finitely many particles, new rows have a density \eqn{p} that differs from the density
#'   \eqn{q} of the law. The cost is the mean of \eqn{\log q - \log p}{log q - log p} over 1500 independent draws of the
#'   law, which are no particles. It estimates a Kullback-Leibler divergence, in nats per row. `print()` and
#'   `diagnostics` give it with its standard error: `gain` is minus the cost, and the log-likelihood with the flow is
#'   the held-out one of the law plus `gain`. If a step is not one-to-one at a draw, the cost is `NA`, with a warning.
#'   The cost falls slowly with more particles and grows with the dimension.
#' * *How the particles are placed*: in one to three dimensions, if the law has a density, the flow \eqn{T} of at most
#'   2000 independent draws, which has the same equation, is computed first, and the particles are the points
#'   \eqn{T^{-1}(b)}{T^-1(b)}, where the \eqn{b} form a lattice of low discrepancy that is bent such that these points
#'   follow the law; they have much less noise than independent draws, which are taken in more dimensions.
#' * *Settings*: `s` \eqn{= d - 2}, for which the equilibrium is the uniform distribution on the ball; `epsilon`
#'   \eqn{= c m^{-2/d}}, in one dimension \eqn{c/m}, where c is 16, in three dimensions 12, and 4 for independent draws;
#'   time 4, in two dimensions 6, in three 5. Those that you give replace them. They are not searched.
#' * *When there are particles*: by default for a table of numbers without missing values in one, two or three latent
#'   dimensions, in classes for which the settings are searched, unless `law`, `s`, `epsilon`, `time` or `n_steps` is
#'   given. They are 2000, 6000 and 16,000. `particles = 0` is the flow of the rows. With `particles` = \eqn{m} the law
#'   and the settings may be given, and `calibrate` may be `FALSE`. In four dimensions and more, some ten thousand
#'   particles are still few: points that are carried along stop short of the ball, and the cost is large.
#' * *Time* of each step grows with \eqn{m^2}, up to 20,000 particles (see [efs_field()]): a fit of 6000 particles takes
#'   some seconds.
#'
#' @section Defaults:
#' `efs()` searches for the settings that its arguments leave open. It does not take the settings printed in the paper,
#' because these return copies of the training rows (see [efs_paper()]). [efs_tune()] shows a search in full. In what
#' follows, a class has \eqn{n} rows in \eqn{d} latent dimensions.
#'
#' * *What is searched*: the unit of the flow (columns scaled, or whitened, which makes them uncorrelated), the exponent
#'   `s`, the softening `epsilon`, the time, and the latent law with its settings. The values of `epsilon` are 4 to 256
#'   times \eqn{n^{-2/d}}, which is about the squared distance between neighbouring particles. The laws are those that
#'   [laws] calls searched, and a mixture of the best of them ([law_stack()]). With particles that are not the rows,
#'   only the law of the rows without a flow, and its unit, are searched.
#' * *How it is scored*: by **held-out log-likelihood**. This is the mean log-density of rows that were left out of the
#'   fit (cross-validation), with the natural logarithm, so that its unit is nats per row. A law that copies the
#'   training rows has a low score, and so has a law that blurs them. There are five folds for at most 400 rows and
#'   three folds for more rows. The rows of one block of `blocks` are in one fold.
#' * *When a flow is used*: always, if one can be had. Of the flows of the rows the fit takes the one with the highest
#'   score, even if the option without a flow is better. The exceptions are `time = 0`, classes of few rows (see below),
#'   fits of [latent_genes()], and searches in which no flow can be undone, because two points could go to the same
#'   place. `print()` says how much the flow adds or takes. [efs_tune()] takes a flow only if its score is higher than
#'   that of the option without a flow by more than two standard errors of the paired difference, and [synthesise()]
#'   takes what is better.
#' * *When rules of thumb apply*: with `calibrate = FALSE`; in a class of fewer than 20 rows or fewer than `min_rows`
#'   rows; in a class with a constant latent column; in more than 128 latent dimensions; and if a law without a density
#'   is asked for. Then the settings that are left open are: exponent 0, time 1, `epsilon` \eqn{16 n^{-2/d}}, and
#'   [law_local()] or the first of the laws given. In one dimension `epsilon` is \eqn{16/n}, as in two dimensions,
#'   because the repulsion of two close rows would otherwise be too steep to undo. The latent rows of each class are
#'   scaled to the root-mean-square radius \eqn{\sqrt{d/(d+2)}}{sqrt(d/(d+2))} of the uniform distribution on the unit
#'   ball. If the latent map standardises columns, each column has the same variance within the class.
#' * *What happens with few rows*: a class has no flow if it has fewer than `min_rows` rows, or at most \eqn{d + 1}
#'   rows. A flow of at most \eqn{d + 1} rows ends in a regular simplex, whatever the data were. The new rows of such a
#'   class come from the latent law alone, and `print()` says so.
#' * *Repeated rows*: equal rows are in one fold. Otherwise a held-out row could have its copy among the training rows,
#'   and a law that copies would have a high score. `print()` says how many rows repeat another row.
#' * *Large tables*: in a class of more than 1200 rows, the search uses 1200 of them. If it chooses a mixture of laws,
#'   the weights are computed once more: the laws are fitted to at least four fifths of all rows of the class, and are
#'   weighted by the likelihood of the others, which are at most about 1200 rows. If a fit will take more than a
#'   minute, a message says so in advance.
#' * *What cannot be fitted*: the search leaves out a law or a flow that cannot be fitted to the rows. Any other error
#'   ends the call.
#'
#' @section A time limit:
#' `seconds = 5` limits the search of settings, as in [synthesise()]: see there what is searched first, and how the fit
#' says what was left out. At least one law and one flow are scored on one fold, so that there is always a fit.
#' The flow of the fit itself is not limited: 16,000 particles in three columns take some 15 seconds of a processor, and
#' fewer `particles` take less. With `calibrate = FALSE` there is no search, so that a limit changes nothing.
#'
#' @section Memory:
#' A flow of \eqn{k} steps keeps \eqn{k + 1} frames, each of \eqn{8 m d} bytes, where \eqn{m} is the number of
#' particles: that of the rows, or `particles`. `keep = "checkpoints"` keeps about the square root of their number.
#' With the default particles this is about 1, 6 and 20 MB in one, two and three columns. The frames are most of the
#' fit, which takes 32 MB for 20,000 rows in 10 columns. The search uses at most 1200 rows and some 80 MB, however many
#' rows there are. Laws with local covariances need \eqn{8 n d (d + 1) / 2} bytes, and up to five times as much while
#' they are weighed. The peak for these 20,000 rows was 160 MB. Nothing grows with \eqn{n^2}{n^2}, because pairs of
#' rows are computed in blocks. Fits of [latent_genes()] need what [synthesise()] says of expression tables.
#'
#' @section Sharing:
#' A fit contains the training rows. With `strip = TRUE` it does not. What a stripped fit still knows: the means,
#' standard deviations and ranges of the columns; the sizes of the classes, and which row numbers each had; the
#' log-densities of the rows, in increasing order; and particles that follow a law fitted to the rows. A law with narrow
#' kernels puts particles close to each row. A stripped fit is therefore **not private**. Nothing in this package makes
#' data anonymous.
#'
#' @param x A matrix or data frame (also a tibble, a data.table or a `DataFrame`) with columns of every kind, at least
#'   two rows and at least one column that varies. Infinite values are an error. Each column is read by its kind, see
#'   the section on tables and [column_kind]. A sparse or delayed matrix is converted to a full matrix of at most 512
#'   MB, and new rows come back as a matrix. Experiments, such as a `SingleCellExperiment`, are an error:
#'   [synthesise()] takes them.
#' @param ... Single settings of [efs_control()], such as `backward = "paper"` or the time limit `seconds`. They replace
#'   those of `control`.
#' @param group The class of each row: a vector with one entry per row, or the name of a column of the data frame `x`.
#'   Each class has its own flow and at least two rows. The class comes back with the new rows, with its R class and
#'   values: as the same column, or as a column `group` if it was a vector (`group.1` if the table has a column
#'   `group`).
#' @param latent A [latent_map], or `"none"`. `NULL`: normal scores if a column needs them (see the section on tables).
#'   Otherwise `NULL` standardises the columns of a table with at most 20 columns. A table of numbers with more than 50
#'   columns, and at least as many columns as rows, gets [latent_genes()], unless `law`, `s`, `epsilon`, `time`,
#'   `n_steps`, `blocks` or another `scale` than `TRUE` is given. For other tables of numbers with more than 20 columns
#'   it takes the principal components of the standardised columns, see [latent_pca()]. Their number is at most so large
#'   that each class of at least `min_rows` rows can have a flow.
#' @param s Exponent of the repulsion, a number above -2 and below the latent dimension; 0 is the logarithm. `NULL`:
#'   chosen.
#' @param epsilon Softening, a number of at least 0, in squared units of the scaled latent rows. Its square root is the
#'   distance below which the repulsion of two rows is softened, so that they act almost as one row. `NULL`: chosen.
#' @param step Largest step size of the flow, a number above 0. A step is shorter if its inverse-step bound would
#'   exceed `max_bound`.
#' @param time,n_steps Length of the flow: its total time, a number of at least 0, or its number of steps, a whole
#'   number of at least 0. With both, the flow ends at `time` or after
#'   `n_steps` steps, whichever comes first. `time = 0` is the option without a flow, which is the comparison
#'   to make. `NULL`: chosen.
#' @param max_bound Largest inverse-step bound of a step, a number above 0, or `Inf` for steps of fixed size. A step
#'   can be undone if its bound is below 1, see [efs_forward()].
#' @param law Name of the latent law, a law such as `law_student(df = 3)`, or a list of names and laws from which the
#'   search chooses; see [laws] and, for a law of your own, [law_kind()]. `NULL`: chosen from all laws that are
#'   searched.
#' @param law_settings Named list of settings of `law`. Empty: chosen.
#' @param calibrate `TRUE` searches for the settings that are left open, `FALSE` takes the rules of thumb for them.
#' @param blocks Rows that belong together, such as repeated measures of one subject: a vector with one entry per row.
#'   The rows of one block are held out together.
#' @param scale `TRUE` scales the latent rows of each class to the radius of the unit ball, or whitens them if the
#'   search finds that better. `"whiten"` brings their covariance to that of the unit ball. `FALSE` leaves them as they
#'   are encoded.
#' @param bounds `TRUE` keeps new rows within the observed range of each column: a value beyond an end of the range is
#'   reflected at this end. Densities and likelihoods are those before the reflection.
#' @param density_floor Draws of low density are drawn again, see [simulate()][simulate.efs]. A number between 0 and
#'   0.5; 0 keeps all draws.
#' @param control Settings of the inverse, see [efs_control()].
#' @param min_rows A class with fewer rows has no flow. A whole number of at least 2.
#' @param keep,threads,progress See [efs_forward()].
#' @param particles Number of particles that follow the law of the rows, 0 or a whole number from 100 to a million, in
#'   each class; see the section on particles. 0: the rows are the particles. `NULL`: 2000, 6000 or 16,000 in one, two
#'   or three latent dimensions, and otherwise 0. A table that is read as normal scores takes only 0 and `NULL`.
#' @param strip `TRUE` leaves the training rows out of the fit, see the section on sharing. Each class then needs
#'   particles that are not the rows. [simulate()][simulate.efs], and [predict()][predict.efs] with `newdata`, give what
#'   they would give. What needs the training rows is an error: [interpolate()], `predict()` without `newdata`, and
#'   plots that show rows.
#' @param field How the field of the flow is computed, see [efs_field()]: `NULL` or `"auto"` takes the exact field for
#'   up to 20,000 particles, and for more particles one that costs less than \eqn{n^2}{n^2}; or another name, or a value
#'   of [efs_field()]. The search uses the exact field, because it has at most 1200 rows. `"sliced"` needs `s` of at
#'   most 0: give `s`, too.
#' @param file For `keep = "file"`, the path of a file for the frames, see [efs_forward()]. With `group`, the file of
#'   class number k ends in `-k`.
#' @return An object of class `c("efs", "particle_flow")`, or `c("synthesis", "efs", "particle_flow")` for normal
#'   scores. It is a list with `call`, `trajectory` (a
#'   [particle_trajectory], or a named list with one trajectory per class), `latent` (the fitted map), `control` (the
#'   settings given), `diagnostics` (a data frame with one row per flow, see [summary()][summary.efs]), `calibration`
#'   (for each class, what the search tried and chose, see below), `elapsed` (seconds), and what is needed to return
#'   rows of the same kind.
#'
#'   `calibration` is a list with one entry per class that was searched. Each entry has `law` and `law_settings` (what
#'   was chosen), `log_density` and `log_density_se` (its held-out log-likelihood and the standard error), `gain` and
#'   `gain_se` (what the best flow of the rows adds; `NA` with other particles), `folds`, `rows` (the number of rows
#'   searched) and `seen` (a data frame with one row per combination and law; its columns are those of [efs_tune()] up
#'   to `se`). **Its log-likelihoods are those of the latent rows**: nats per row, with the density in the unit of the
#'   latent rows. `diagnostics` and the printed fit give them in the unit of the data. The two differ by a constant per
#'   class, so that differences between candidates are the same. The constant is the mean log-determinant of the
#'   derivative of the map from the data to the latent rows. It is taken as 0 if the latent map does not give it.
#'
#'   Methods: [simulate()][simulate.efs], [sample()][sample], [predict()][predict.efs], [interpolate()],
#'   [plot()][plot.efs], [summary()][summary.efs], `as.data.frame()`, `tidy()`, `glance()`.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' # the rows are the particles
#' fit <- efs(iris[51:150, 3:4], particles = 0)
#' fit
#' new <- simulate(fit, nsim = 60, seed = 1)
#' head(new)
#' novelty(new, iris[51:150, 3:4])
#'
#' \donttest{
#' # the default, with fewer particles that follow the law of the rows
#' many <- efs(iris[51:150, 3:4], particles = 200)
#' many
#' plot(many, type = "rank")
#' novelty(simulate(many, nsim = 60, seed = 1), iris[51:150, 3:4])
#' }
#'
#' # a table with factors, and one with missing values
#' efs(warpbreaks, calibrate = FALSE)
#' efs(airquality, calibrate = FALSE)
#'
#' # one flow per class, by the rules of thumb
#' efs(iris, group = "Species", calibrate = FALSE)
#' @export
efs <- function(x, ...) UseMethod("efs")

#' @rdname efs
#' @export
efs.default <- function(x, group = NULL, latent = NULL, calibrate = TRUE, blocks = NULL, s = NULL, epsilon = NULL,
                        step = 0.1, n_steps = NULL, time = NULL, max_bound = 0.5,
                        law = NULL, law_settings = list(), scale = TRUE, bounds = FALSE, density_floor = 0.01,
                        control = efs_control(), min_rows = 20, keep = "all", threads = NULL, progress = NULL,
                        particles = NULL, strip = FALSE, field = NULL, file = NULL, ...) {
  began <- proc.time()[[3]]
  refuse_experiment(x, "efs()")
  x <- plain_table(x, "x", mixed = TRUE)
  table <- read_for_flow(x, group, latent)
  scores <- isTRUE(table$template$scores)
  control <- c(
    check_flow_settings(s, epsilon, step, n_steps, time, max_bound, keep),
    list(
      law = law, law_settings = law_settings, calibrate = check_flag(calibrate, "calibrate"),
      scale = check_scale(scale),
      bounds = check_flag(bounds, "bounds"),
      density_floor = check_number(density_floor, "density_floor", lower = 0, upper = 0.5),
      min_rows = check_count(min_rows, "min_rows", 2L),
      backward = gather_control(control, list(...), "efs()")
    )
  )
  control$laws <- check_laws(law, law_settings)
  control$particles <- check_particles(particles, control, scores)
  control$field <- field_of_fit(field, control$backward)
  place <- frames_place(control$keep, file)
  if (!is.null(file)) control$file <- place$path
  control$strip <- check_strip(strip, control)
  control$always <- TRUE
  if (!is.null(progress)) check_flag(progress, "progress")
  blocks <- check_blocks(blocks, nrow(table$points))
  call <- record_call(match.call(), "efs")
  if (scores) {
    return(fit_scores(table, x, blocks, control, call, "efs", began, threads, progress))
  }
  wide <- is.null(latent) && is_wide(table) && leaves_law_open(control, blocks)
  latent <- if (wide) latent_genes() else choose_latent(latent, table, control$min_rows)
  threads <- threads_within(threads)
  fit_table(table, latent, blocks, control, call, "efs", began, threads, progress)
}

# The table as numbers, or as normal scores if `latent` or the columns ask for that.
read_for_flow <- function(x, group, latent) {
  mixed <- is.null(latent) && lacks_numbers(x, group)
  coded <- if (is.null(latent) && !mixed) coded_columns(x, group)
  scores <- inherits(latent, "latent_scores") || mixed || length(coded) > 0
  if (scores) read_scores(x, group, latent, coded) else read_table(x, group)
}

# The table as normal scores. coded: the columns of numbers because of which it is read so.
read_scores <- function(x, group, latent, coded) {
  how <- if (is.null(latent)) latent_scores() else latent
  table <- read_mixed(x, group, how$columns, how$id, how$constraints, how$combine)
  table$template$coded <- coded
  table
}
