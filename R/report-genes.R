# The report on expression tables: what fidelity() does with them.

#' The report on expression tables
#'
#' [fidelity()] judges new samples of an expression table (many genes, few samples, counts or values) by what the field
#' looks at: means and variances of genes, zeros, library sizes, correlations of genes and of samples, and what
#' analyses of classes find. Each distance between new and held-out samples stands beside the same distance between two
#' random halves of the real samples. *Novelty* stands above them, because copies win every measure of closeness.
#'
#' @section Which tables:
#' `real` is read as an expression table if it is a `SummarizedExperiment`, `SingleCellExperiment`, `ExpressionSet`, a
#' sparse `Matrix` or a `DelayedMatrix`, or if it is a matrix or data frame of complete numbers with more than 50
#' columns and at most as many rows. `expression = FALSE` gives the usual report for such a matrix, and `expression =
#' TRUE` this report for tables with more rows. Genes are matched by name. Sparse and delayed matrices are read by
#' blocks of genes, so that they are never full as a whole. Time is linear in the genes.
#'
#' @section Judged values:
#' Values are judged as they are. Counts \eqn{x} are judged as \eqn{\log_2(1 + x d / s)}{log2(1 + x d / s)}, where
#' \eqn{s} is the library size of the sample, the sum of its counts, and \eqn{d} the median library size of the real
#' samples. Only dispersions, zeros and library sizes are those of the counts.
#'
#' @section Sets:
#' In each of `splits` splits, two random halves of all real samples (held-out ones included) are compared with each
#' other, and as many new samples with as many held-out ones (without `holdout`, with real ones). All sets have the same
#' number of samples of each class, and at most 1000 samples. So a difference in the shares of classes is not judged. If
#' all new and all held-out samples are taken, they are compared once. The columns `synthetic` and `real` are means over
#' the splits; `real_min` and `real_max` are the range over the halves. `ratio` is `synthetic / real`. It is about 1 if
#' new samples are a sample of the same law, and chance moves it. [print()] marks a property as beyond if distances are
#' more than 1.5 times those of halves, and larger than that of each pair of halves: `ks` and `area`, or `each`, or
#' `energy` (see below). In simulations with 24 and with 60 samples of one law in each table, it marked none in 50 to
#' 88 % of the cases, and 0.5 to 1.4 of 9 to 14 properties on average.
#'
#' A generator learns from samples of which chance is a part, and new samples add chance of their own. So even the best
#' generator has a ratio of about \eqn{\sqrt{3/2} = 1.22}{sqrt(3/2) = 1.22} for differences of the same gene (`each`)
#' with as many fitted, held-out and new samples. By the same reason, it finds more differences between classes than
#' are in the samples that are held out (`differential`), and its `effects` agree less.
#'
#' @section Properties:
#' * of genes: the `mean`; the `variance`, as standard deviation; `mean_variance`, the standard deviation less that of
#'   the trend at the mean of the gene (the trend goes through the medians of 50 bins of the real samples); for counts
#'   the `dispersion` \eqn{\sqrt\phi}{sqrt(f)} of a negative binomial law by moments, \eqn{E(x - sr)^2 = sr + \phi s^2
#'   r^2}{E(x - s r)^2 = s r + f s^2 r^2}; `zeros_gene`, the share of zeros (for values only if at least 1 % are 0);
#' * of pairs of genes: the correlations of up to 300 random genes (`correlation_random`; genes with more than 90 %
#'   zeros are left out if at least 50 others are there) and of the 300 most variable genes (`correlation_variable`);
#' * of samples: `library_size`, as logarithm to the base 2 (for values the mean of the sample); `zeros_sample`;
#'   `nearest`, the distance to the nearest other sample of the same set;
#' * of pairs of samples: `correlation_samples`.
#'
#' `nearest` and `correlation_samples` use the 2000 most variable genes, and at most 200 samples. The variable genes are
#' those of the real samples, so that they are the same for all sets.
#'
#' Distances are (`measure`): `ks`, that of Kolmogorov and Smirnov, the largest difference of the two distribution
#' functions; `area`, the area between them, in the unit of the property; `each`, the root mean square difference of the
#' same gene, or the same pair of genes, in both sets. Only `each` sees that the right values stand at the wrong genes.
#' Two properties at once (mean and variance, mean and zeros, library size and zeros) are compared by `energy`, the
#' square root of the [energy_distance()], each property in units of its standard deviation, of at most 2000 genes.
#'
#' `auc` is the AUC of a random forest of 500 trees on the 2000 most variable genes (package ranger), for the samples
#' that each tree has not seen, of at most five splits and 300 samples of each set. Without ranger it is that of
#' [c2st()] with the classifier `"both"`. In small sets the values of halves lie somewhat below 0.5, because the samples
#' that a tree has not seen resemble those of their own set a little less. A value far below that of halves is a sign of
#' new samples that stand in pairs beside the real ones, as copies do without `holdout`.
#'
#' @section Novelty:
#' As in [novelty()], on the judged values of the 2000 most variable genes without units: the median distance of a new
#' sample to the nearest real one, over that of held-out samples (or of real samples among themselves). Its range in
#' halves is that of the ratio of two parts of one half, each beside the other half.
#'
#' @section Analyses:
#' With classes, four things are computed in each set, of at most five splits. `differential`: the share of up to 2000
#' random genes that differ between the two largest classes at a false discovery rate of 5 % (Benjamini and Hochberg):
#' by edgeR for counts (quasi-likelihood F test, dispersions with a trend), by limma for values (moderated t with a
#' trend), and if the package is not installed by Welch's t tests of the judged values. `effects`: the correlation of
#' the differences of class means (log fold changes for counts) with those of the other set. `silhouette`: the mean
#' silhouette width of the classes on the ten leading components of the set. `agreement`: the adjusted Rand index of the
#' classes and of as many clusters (Ward) on these components. The column `holdout` gives the value of the held-out
#' samples.
#'
#' @section What this cannot show:
#' The halves show how much two samples of this size differ. That no distance is beyond does not show that the laws are
#' equal. Marks are no tests: the properties depend on each other, and so do the halves.
#'
#' @param object,x A report of class `gene_fidelity`.
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return [fidelity()] returns an object of class `gene_fidelity` for expression tables: a list with
#' * `values`: a data frame with one row per property and measure, and the columns `part` (`"distance"`,
#'   `"classifier"`, `"novelty"` or `"analysis"`), `property`, `of`, `measure`, `synthetic`, `real`, `real_min`,
#'   `real_max`, `holdout` and `ratio`;
#' * `novelty`: the object of [novelty()]; `beyond`: the properties that print() marks;
#' * `counts`, `n`, `n_genes`, `set` (samples per set and class), `splits`, `classifier`, `compared` (the two classes),
#'   `test`, `notes`, `elapsed`, `call`;
#' * `shown`: what [plot()][plot.gene_fidelity] draws: properties of at most 2000 genes, and summaries of samples.
#'
#'   `summary()`: the same with all measures printed. `as.data.frame()` and `tidy()`: `values`.
#' @references
#' Soneson C, Robinson MD (2018). Towards unified quality verification of synthetic count data with countsimQC.
#' Bioinformatics 34, 691-692. \doi{10.1093/bioinformatics/btx631}
#'
#' Crowell HL, Morillo Leonardo SX, Soneson C, Robinson MD (2023). The shaky foundations of simulating single-cell RNA
#' sequencing data. Genome Biology 24, 62. \doi{10.1186/s13059-023-02904-1}
#' @seealso [fidelity()], [novelty()], [plot.gene_fidelity()]
#' @examples
#' mean <- exp(seq(0, 5, length.out = 200))
#' draw <- function(n) matrix(rnbinom(n * 200, mu = rep(mean, each = n), size = 3), n)
#' set.seed(1)
#' real <- draw(30)
#' new <- simulate(synthesise(real, quiet = TRUE), 30, seed = 1)
#' report <- fidelity(real, new, draw(30), splits = 3)
#' report
#' plot(report)
#' head(as.data.frame(report))
#' @name fidelity-expression
#' @aliases gene_fidelity
NULL

# The arguments of fidelity() that have no meaning for expression tables.
only_usual <- c("k", "max_rows", "half_rows", "w2_rows", "n_permutations", "scores", "progress", "classifier")

refuse_usual <- function(given) {
  given <- intersect(only_usual, given)
  if (!length(given)) return(invisible())
  fail("`%s` has no meaning for expression tables; leave it out, or give `expression = FALSE`.", given[1])
}

# Whether `real` is an expression table; expression as the user gave it. given: a named list of the arguments that only
# expression tables have.
reads_expression <- function(real, expression, group, ...) {
  genes <- if (is.null(expression)) is_gene_table(real, list(group)) else check_flag(expression, "expression")
  given <- Filter(Negate(is.null), list(group = group, ...))
  if (!genes && length(given)) {
    fail(paste("`%s` belongs to expression tables: many genes, few samples; if `real` is one, give",
               "`expression = TRUE`."), names(given)[1])
  }
  genes
}

judge_genes <- function(real, synthetic, holdout, group, counts, assay, splits, seed, threads, call) {
  began <- seconds_now()
  splits <- check_splits(splits, 10L)
  threads_within(threads)
  tables <- read_gene_tables(real, synthetic, holdout, group, counts, assay)
  stream_within(seed, fixed = TRUE) # after the tables, which an argument may draw
  sets <- gene_sets(tables, splits)
  flat <- c(unlist(c(sets$halves, sets$new), recursive = FALSE), list(all = sets$all))
  moments <- gene_moments(tables, flat)
  chosen <- choose_genes(moments, length(flat))
  values <- chosen_values(tables, chosen)
  trend <- variance_trend(moments$mean[length(flat), ], moments$deviation[length(flat), ])
  properties <- lapply(seq_along(flat), function(i) {
    set_properties(flat[[i]], i, tables, moments, trend, chosen, values)
  })
  analyses <- judge_classes(tables, sets, values)
  novelty <- gene_novelty(tables, sets, values)
  found <- rbind(compare_sets(properties, sets, chosen), classifier_row(gene_aucs(sets, values)),
                 novelty_row(novelty), analyses$values)
  row.names(found) <- NULL
  at <- 2 * length(sets$halves) + 1:2 # the first pair of new sets
  structure(list(
    values = found[value_columns], novelty = novelty$compared, beyond = beyond_halves(found), counts = tables$counts,
    n = lengths(tables$rows), n_genes = tables$p, set = sets$each, splits = splits,
    classifier = if (has_forest()) "forest" else "both", compared = analyses$compared, test = analyses$test,
    notes = sets$notes,
    shown = shown_genes(properties[at], sets$new[[1]], chosen, values, novelty$compared, tables$rows),
    elapsed = seconds_now() - began, call = call
  ), class = "gene_fidelity")
}

value_columns <- c("part", "property", "of", "measure", "synthetic", "real", "real_min", "real_max", "holdout", "ratio")

# The distances of all pairs of sets. properties: of the halves, a and b by turns, then of the new sets, then of all.
compare_sets <- function(properties, sets, chosen) {
  units <- property_units(properties[[length(properties)]])
  distances <- lapply(seq_len((length(properties) - 1) / 2), function(i) {
    property_distances(properties[[2 * i - 1]], properties[[2 * i]], chosen, units)
  })
  values <- vapply(distances, `[[`, numeric(nrow(distances[[1]])), "value")
  half <- seq_along(sets$halves)
  found <- beside_halves(list(new = values[, -half, drop = FALSE], halves = values[, half, drop = FALSE]))
  data.frame(part = "distance", distances[[1]][c("property", "of", "measure")], found, holdout = NA_real_,
             ratio = ifelse(found$real > 0, found$synthetic / found$real, NA_real_))
}

classifier_row <- function(found) {
  data.frame(part = "classifier", property = "auc", of = "samples", measure = "auc", beside_halves(found),
             holdout = NA_real_, ratio = NA_real_)
}

novelty_row <- function(found) {
  data.frame(part = "novelty", property = "novelty", of = "samples", measure = "ratio",
             synthetic = found$compared$ratio, real = 1, real_min = found$range[1], real_max = found$range[2],
             holdout = NA_real_, ratio = NA_real_)
}

# Properties whose distribution, or whose values gene by gene, differ: both distances of the distribution, or that of
# the same genes, are more than 1.5 times that of halves, and larger than that of each pair of halves.
beyond_halves <- function(found) {
  found <- found[found$part == "distance", ]
  off <- which(found$ratio > largest_ratio & found$synthetic > found$real_max)
  with <- function(measure) found$property[off][found$measure[off] == measure]
  off <- c(intersect(with("ks"), with("area")), with("each"), with("energy"))
  intersect(unique(found$property), off)
}

largest_ratio <- 1.5

# What plot() draws. properties: of a set of new samples and of held-out (or real) ones, as pair has them. The
# components are those of the fitted samples, so that neither set is nearer to them by chance; without held-out
# samples, of both sets.
shown_genes <- function(properties, pair, chosen, values, novelty, rows) {
  names(properties) <- names(pair) <- c("synthetic", "real")
  own <- lapply(pair, fewer_samples, most_paired_samples)
  basis <- if (is.null(rows$holdout)) unlist(own) else fewer_samples(rows$real, most_set_samples)
  x <- values$judged[, values$at$top, drop = FALSE]
  centre <- colMeans(x[basis, , drop = FALSE])
  view <- principal_plane(sweep(x[basis, , drop = FALSE], 2, centre))
  seen <- lapply(own, function(set) sweep(x[set, , drop = FALSE], 2, centre) %*% view$loadings)
  kept <- lapply(properties, function(set) {
    gene <- intersect(gene_properties$property[gene_properties$of == "genes"], names(set))
    set[gene] <- lapply(set[gene], `[`, chosen$drawn)
    many <- vapply(set, length, 0L) > 2000
    set[many] <- lapply(set[many], function(v) stats::quantile(v, seq(0, 1, length.out = 2001), na.rm = TRUE,
                                                               names = FALSE))
    set
  })
  list(properties = kept, samples = seen, share = view$share, novelty = novelty$distance)
}
