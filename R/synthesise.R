#' Synthetic rows like those of any table
#'
#' `synthesise()` fits what is needed to draw new rows that resemble the rows of a table with columns of every kind:
#' numbers, whole numbers, dates and times, `TRUE` and `FALSE`, ordered and unordered factors, words, and missing
#' values. No further argument is needed. [simulate()][simulate.synthesis] draws new rows, also under conditions. They
#' come back as they went in: with the same columns, types, levels, units and class. [predict()][predict.synthesis]
#' gives the log-likelihood of other rows, and fills in their missing values. `vignette("clinical")` shows all this on
#' a clinical table.
#'
#' @section Method:
#' Each column is read by its kind (see [column_kind]) and becomes one coordinate, its **normal score**
#' \deqn{z = \Phi^{-1}\{F(x-) + U\,P(x)\},}{z = Phi^(-1)(F(x-) + U P(x)),}
#' where \eqn{F} is the distribution function of the column, \eqn{P(x)} the probability of the value \eqn{x}, and
#' \eqn{U} a uniform number (the distributional transform, Rueschendorf 2009). A value with probability, such as a
#' level, a count or a zero among amounts of money, has a cell of scores. A missing value has the whole line as its
#' cell. A further coordinate says whether the value is missing; columns that are missing in the same rows share it. The
#' map back, \eqn{x = F^{-1}(\Phi(z))}{x = F^(-1)(Phi(z))}, returns each value exactly. A factor without order gets a
#' second coordinate if most of its rows have rare levels and the held-out likelihood is larger so, see
#' [column_kind] (encoding `"tree"`).
#'
#' Missing values are drawn given the other columns, as if they were missing at random: given the rest of the row,
#' whether a value is missing does not depend on the value. The first draws come from a Gaussian copula. The margin of a
#' number with missing values is that of the known values and these draws together. Then the missing scores are drawn
#' again, coordinate by coordinate and twice, from the conditional laws of [law_trees()] given all other scores of the
#' row (chained equations, van Buuren 2007). These laws are fitted to the rows in which the score is known, and so are
#' the conditional laws of [law_trees()] in the fit itself. In the search, the held-out rows of each fold have no part
#' in the trees that fill the other rows, which is done once, and the missing values of held-out rows are integrated
#' out, not filled.
#'
#' Scores within their cells are drawn given the other columns, by a Gibbs sampler of the Gaussian copula (Hoff 2007).
#' The latent law of all coordinates is then chosen among [laws] by held-out log-likelihood, with or without a flow, as
#' in [efs()]. The law is not restricted to a Gaussian copula: [law_student()], [law_local_covariance()],
#' [law_global()] and [law_trees()], which knows the cells, are searched, and mixtures of them. The rows are in folds as
#' in [efs()], but fewer folds are held out: two of three, and, if the table has cells and at least 150 rows, three of
#' five. More components of [law_student()] are not tried once the likelihood has fallen twice. A flow is tried once,
#' and the search for a better one goes on only if this one adds to the likelihood on the first fold. `print()` says the
#' likelihood with and without the flow that was tried. A table with missing values gets no flow, because the laws are
#' fitted to the known values, and the end of a flow does not say which these are.
#'
#' [efs()] reads the same tables in the same way. The difference is the flow: `synthesise()` takes a flow only if it
#' adds to the likelihood, and gives up early where it does not. `efs()` searches the whole grid of flows, uses the best
#' one in any case, and tells what it adds or takes. `efs()` has the settings of the flow as arguments.
#'
#' @section The likelihood:
#' The log-likelihood of a row is \eqn{\log \int_C q(z)\,dz}{log of the integral of q over C} for the coordinates with
#' cells \eqn{C}, plus \eqn{\log dz/dx} for each value without a cell. It is the log-density of the continuous columns
#' and the log-probability of the others, together. The integral is the mean over draws within the cells (importance
#' sampling: half of the draws come from a Gaussian law of all scores, half are independent of each other). With few
#' draws the logarithm of this mean is too low on average; the search uses four
#' draws, and `predict(type = "log_density")` uses `draws`.
#'
#' The held-out log-likelihood that `print()` and `summary()` say is that of the law. The margins of the columns are
#' fitted to all rows, the held-out ones too, so it is a little larger than that of rows that the fit has not seen.
#'
#' @section Exact relations:
#' A column that other columns determine in every row has no coordinate, and new rows get the value that the others
#' give: a level that implies a value, the levels of two columns that imply one together and all of whose combinations
#' occur, a value that changes at cuts of a number, a number that is a function of another
#' one (a multiple, logarithm, square, root, inverse or exponential), sums such as totals and differences, also those
#' of dates and times, and sums, products and ratios of two numbers up to the rounding of the recorded values, such as
#' a body mass index of one decimal. Of several choices, that column is computed whose ends the others keep: a total
#' from its parts, which are not negative. A logarithm is computed from the recorded number. Ends that `columns` gives
#' for a computed column, also for the upper one of `constraints`, hold only if the columns that determine it keep them;
#' otherwise a warning says so. `print()` names the relations. A relation is taken if it holds in all rows
#' (a determined column with missing values of its own is not computed, so that new rows can break its relation) and
#' chance alone would let it hold with a probability below 1e-6. A row of other data that breaks a relation has the
#' log-likelihood `-Inf`.
#'
#' Missing values may follow such a rule, too: a column is missing in all rows of a level of another column, or in all
#' rows in which a number lies beyond a cut. For example, patients without a transplant have no date of the
#' transplant. New rows keep the rule, and a row that breaks it has the log-likelihood `-Inf`. `print()` names the
#' rules. For a share \eqn{p} of missing values, a rule of \eqn{m} rows is taken if \eqn{p^{m-1}}{p^(m-1)} and
#' \eqn{\{p^2 + (1-p)^2\}^{m-1}}{(p^2 + (1-p)^2)^(m-1)} are below 1e-6. Where the column that tells is missing itself,
#' though it never was in the table, the log-likelihood is `NA`.
#'
#' @section Expression tables:
#' A table of complete numbers with more than 50 columns, and at least as many columns as rows, is read as an expression
#' table of samples x genes if `columns`, `id`, `constraints`, `combine`, `blocks` and `flow` are left out. So are
#' objects of the classes `SummarizedExperiment`, `SingleCellExperiment` and `ExpressionSet`, and sparse and
#' delayed matrices of samples x genes. A delayed matrix, such as one in an HDF5 file, is read by blocks of genes; the
#' fit is made in memory. The latent map is then [latent_genes()] or, for counts, [latent_counts()]; the law is
#' [law_ensemble()], and there is no flow. `group` can name a column of the data of the samples. New samples come back
#' in the class that came in, see [simulate()][simulate.gene_synthesis]. For experiments `columns`, `id`, `constraints`,
#' `combine`, `blocks` and `whole_blocks` are an error, and so is a `density_floor` without a `law`.
#'
#' A class of few rows borrows a share of its covariance from the other classes: \eqn{v/(v + n_k - 1)} for \eqn{n_k}
#' rows. The number \eqn{v} is the one of 0, 1, 2, 5, 10, 20, 50 and 100 with the highest log-likelihood of single rows
#' given all others, for the 30 leading components one by one. `print()` says the share. A covariance of full rank has
#' no density there, so that nothing else is chosen by likelihood. Samples without classes are put into clusters where
#' left-out samples are more likely so, see [law_ensemble()].
#'
#' @section A time limit:
#' `seconds = 5` limits the search for the law and the flow. The seconds are counted from the call. Classes share evenly
#' what is left after the table was read, and so do the two laws of whole blocks. For an expression table nothing is
#' searched, so that a limit changes nothing. The search looks at the clock between its pieces, which are the fit of one
#' law to one fold and one flow. When the time is over it goes no further, and the fit is made with the best settings
#' found so far. The first setting of each law is scored first, so that all laws get a turn. There is always a fit,
#' because at least one law is scored on one fold. So the whole call takes longer than the limit, by the piece that was
#' begun and by the fit itself.
#'
#' `print()` and `summary()` say what was left out. The element `calibration` of the fit holds, for each class,
#' `left_out`, a vector of the words `"laws"` (settings of laws), `"folds"`, `"units"` (the whitened unit), `"flows"`
#' and `"weights"` (weights of a mixture from all rows). It is empty if the limit left out nothing.
#'
#' If a limit left out something, the fit depends on the clock, and the same seed need not give the same fit. Otherwise
#' the fit is the same, to the last bit, as without a limit.
#'
#' @section Memory:
#' An expression table of doubles takes 8 bytes per value. Its fit holds the sorted values and the normal scores of all
#' genes, which is twice the table. Beside the table itself, `synthesise()` needs at most 3.5 times the size of the
#' table, and `simulate()` of as many samples, beside the fit, 2.5 times, new samples included. Measured for 500 samples
#' of 54,675 genes (209 MB): 720 MB and 470 MB. Matrices of samples x samples come on top. Groups and batches add little
#' to this; batches need one more copy of the table.
#'
#' For other tables, the search uses at most 1200 rows of each class and some 80 MB, however many rows there are. The
#' rest grows with the number of rows, and nothing grows with its square. Measured peaks for 20,000 rows of 10 columns:
#' 80 MB for numbers, and 220 MB for a table of every kind with missing values. A fit with [law_trees()] is
#' the largest: 34 MB for this table of 1 MB, because its trees hold the values of the rows in their leaves.
#'
#' @section Large tables:
#' Columns, relations and missing values are read from all rows, and so are the margins of the columns. The work of this
#' grows in proportion to the number of rows. The search uses at most 1200 rows of each class, and the weights of a
#' mixture at most 102,000 (12,000 if scores have cells). A law whose work or memory would grow faster is fitted to a
#' random sample of the rows, see the section on many rows of [laws]; so are the forests that fill missing values.
#' `print()` and `summary()` say so. The sample does not depend on R's random stream.
#'
#' Where a fit will take more than a minute, one message before the table is read foretells time and memory. It takes
#' for granted that [law_trees()] will be among the laws, which is usual for tables with cells; without it the fit
#' takes less. In scripts, [simulate()][simulate.synthesis] of many rows and [predict()][predict.synthesis] foretell
#' their time, too.
#'
#' @section Work in other processes:
#' If you have set daemons of the package \pkg{mirai}, such as by
#' `mirai::daemons(2)`, they fit the groups of a fit with `group`, also those of [efs()], and the folds of a search
#' whose first fold took half a second or more, if there is no limit of seconds. `simulate(to = )` hands over parts,
#' see [simulate_files]. The fit is the same, to the last bit, for any number of daemons on machines with the same
#' instruction set ([particleflow_simd()]) and the same library of matrix products. Each daemon uses as many threads as
#' there are processors for each daemon, but not more than `threads`. Each needs this version of the package. Errors,
#' warnings and messages come back as they are, without a progress bar. An interrupt stops the daemons' tasks. The task
#' of a daemon that ends is done again by another one, or in this process if none is left. If this happens three times
#' to one task, there is an error of class `particleflow_daemon`. The functions of a [law_kind()] of your own are sent
#' with what they enclose, but not with other objects of your session. In an expression table the groups have one
#' latent map together, which takes nearly all of the time and is fitted in this process.
#'
#' @section What it does not do:
#' Likelihood chooses the law, and no law is right in everything. Associations in new rows can be weaker than in the
#' table, above all those of rare levels; [associations()] shows it.
#'
#' The fit contains the training rows. Nothing in this package makes data anonymous. Look at [fidelity()] and
#' [novelty()] before you use new rows.
#'
#' @param x A data frame, tibble, data.table or matrix, with at least two rows. Types matter: whole numbers that stand
#'   for levels, such as 1 and 2 for two treatments, are read as counts. Make them factors first.
#' @param ... Single settings of [efs_control()], such as the time limit `seconds`.
#' @param group Names the classes that are fitted one by one: a vector with one entry per row, or the name of a column
#'   of `x`. By default there are no groups, and factors are columns like others.
#' @param columns Named list of kinds for some of the columns, such as `list(age = column_count(upper = 120))`, see
#'   [column_kind]. They replace the kinds that were found.
#' @param id Names of columns that name the rows. They are not modelled, and new rows get new values. Columns of words
#'   of which more than half occur once are left out if `id` does not name them. Numbers that name the rows, such as
#'   1 to 418 for the patients, are modelled like other numbers if `id` does not name them; a message points at them.
#' @param constraints A formula such as `~ start <= end`, or a list of formulas: orders of two columns that hold in
#'   every row and shall hold in every new row, wherever both are known. The gap between the two columns is modelled in
#'   place of the larger one. If the larger one is known in some rows in which the smaller one is missing, its values in
#'   such rows are a further column of the model. In a chain such as `a <= b` and `b <= c`, rows without `b` do not keep
#'   `a <= c`.
#' @param combine A list of vectors of column names, such as `list(c("stage", "grade"))`. Of these columns only such
#'   combinations come out as occur in `x`.
#' @param law,law_settings As in [efs()].
#' @param blocks Rows that belong together, as in [efs()]. With `whole_blocks = TRUE` also the name of a column of `x`.
#' @param whole_blocks `TRUE` fits the law of whole blocks of rows, such as all visits of a patient, so that
#'   [simulate()][simulate.block_synthesis] draws whole new blocks. `FALSE` fits the law of single rows; the rows of a
#'   block are then only held out together.
#' @param flow `NULL` tries flows and uses one if it adds to the held-out log-likelihood, but not for a table with
#'   missing values. `FALSE` tries none, which takes less time.
#' @param density_floor As in [efs()]. The default 0 keeps all draws.
#' @param quiet `TRUE` does not say what was read.
#' @param counts Whether an expression table holds counts. `NULL`: yes if its values are whole, not negative, and come
#'   from an assay with the name `"counts"`, or more than half of them are 0, or the largest is at least 50.
#' @param assay.type Name or number of the assay of a `SummarizedExperiment`. `NULL`: `"counts"` if there is one,
#'   otherwise the first assay.
#' @param batch The batch of each sample of an expression table: a vector, or the name of a column of `x` or of its data
#'   of the samples. The effects of batches are estimated beside those of classes, see
#'   [simulate()][simulate.gene_synthesis].
#' @param control,threads,progress As in [efs()].
#' @return An object of class `c("synthesis", "efs", "particle_flow")`, as [efs()] returns it. With
#'   `whole_blocks = TRUE` it has the class `c("block_synthesis", "particle_flow")`, and the methods of
#'   [simulate.block_synthesis()]. For an expression table it has the class
#'   `c("gene_synthesis", "efs", "particle_flow")`, see [simulate.gene_synthesis()]. Otherwise, beside
#'   [simulate()][simulate.synthesis] and [predict()][predict.synthesis] it has the methods of [efs()] for `print()`,
#'   `logLik()`, `summary()`, `tidy()`, `glance()`, `as.data.frame()`, `plot()` and `interpolate()`.
#' @references
#' Hoff PD (2007). Extending the rank likelihood for semiparametric copula estimation. Annals of Applied Statistics 1.
#' \doi{10.1214/07-AOAS107}
#'
#' Rueschendorf L (2009). On the distributional transform, Sklar's theorem, and the empirical copula process. Journal of
#' Statistical Planning and Inference 139. \doi{10.1016/j.jspi.2009.05.030}
#'
#' van Buuren S (2007). Multiple imputation of discrete and continuous data by fully conditional specification.
#' Statistical Methods in Medical Research 16. \doi{10.1177/0962280206074463}
#' @examples
#' fit <- synthesise(warpbreaks)
#' fit
#' head(simulate(fit, 10, seed = 1))
#'
#' # a column with known ends, rows that name themselves, and missing values, which need nothing
#' air <- cbind(airquality, row = 1:153)
#' air <- synthesise(air, columns = list(Day = column_count(1, 31)), id = "row", flow = FALSE)
#' head(simulate(air, 10, seed = 1))
#' @export
synthesise <- function(x, ...) UseMethod("synthesise")

#' @rdname synthesise
#' @export
synthesize <- function(x, ...) synthesise(x, ...)

#' @rdname synthesise
#' @export
synthesise.default <- function(x, group = NULL, columns = list(), id = NULL, constraints = NULL, combine = NULL,
                               law = NULL, law_settings = list(), blocks = NULL, whole_blocks = FALSE, flow = NULL,
                               density_floor = 0, quiet = FALSE, counts = NULL, assay.type = NULL, batch = NULL,
                               control = efs_control(), threads = NULL, progress = NULL, ...) {
  began <- proc.time()[[3]]
  backward <- gather_control(control, list(...), "synthesise()")
  settings <- synthesis_settings(law, law_settings, flow, density_floor, backward)
  check_flag(quiet, "quiet")
  if (!is.null(counts)) check_flag(counts, "counts")
  check_progress(progress)
  if (is_experiment(x)) refuse_for_experiments(columns, id, constraints, combine, blocks, whole_blocks, x)
  if (check_flag(whole_blocks, "whole_blocks")) {
    call <- record_call(match.call(), "synthesise")
    return(synthesise_blocks(x, group, columns, id, constraints, combine, blocks, settings, quiet, call, began, threads,
                             progress))
  }
  plain <- !length(columns) && all(vapply(list(id, constraints, combine, blocks, flow), is.null, NA))
  if (is_experiment(x) || (plain && is_gene_table(x, list(group, batch)))) {
    call <- record_call(match.call(), "synthesise")
    return(synthesise_genes(x, group, batch, counts, assay.type, settings, quiet, call, began, threads, progress))
  }
  if (!is.null(counts) || !is.null(assay.type) || !is.null(batch)) refuse_gene_arguments(x)
  check_no_name(blocks, x)
  threads <- threads_within(threads)
  settings$foretold <- foretell_synthesis(x, threads, !is.null(group))
  table <- read_mixed(x, group, columns, id, constraints, combine)
  blocks <- check_blocks(blocks, nrow(table$points))
  if (!quiet) message(paste(describe_columns(table$template, nrow(table$points)), collapse = "\n"))
  call <- record_call(match.call(), "synthesise")
  fit_scores(table, x, blocks, settings, call, "synthesise", began, threads, progress)
}

synthesis_settings <- function(law, law_settings, flow, density_floor, backward) {
  if (!is.null(flow) && !isFALSE(flow)) fail("`flow` must be NULL or FALSE, not %s.", describe(flow))
  settings <- c(
    check_flow_settings(NULL, NULL, 0.1, NULL, if (isFALSE(flow)) 0, 0.5, "all"),
    list(law = law, law_settings = law_settings, calibrate = TRUE, scale = TRUE, bounds = FALSE,
         density_floor = check_number(density_floor, "density_floor", lower = 0, upper = 0.5), min_rows = 20L,
         backward = backward, brief = TRUE)
  )
  settings$laws <- check_laws(law, law_settings)
  settings
}
