#' Move batches of samples onto a reference batch
#'
#' The table holds gene expression (or other numbers) that was measured in several laboratories, on several platforms or
#' on several days. Rows are samples, columns are genes. One batch is the reference. The function moves the samples of
#' every other batch so that their law (their distribution) becomes that of the reference batch. The reference batch is
#' left as it is, to the last bit.
#'
#' All samples together are z-scored by columns and mapped to the latent space of `latent`. Then, for each batch and
#' each label:
#'
#' 1. The mean and the standard deviation of each column are brought towards those of the reference samples of the same
#'    label (`adjust`), as far as their differences are more than chance: see the section on shrinkage.
#' 2. In latent space the samples follow [gpa()] towards these reference samples, with a network of their own. The unit
#'    is the root-mean-square distance of these reference samples from their mean, divided by the square root of the
#'    number of latent dimensions.
#' 3. The flow ends **before it copies**. Every `check` steps the moved samples are compared with the reference samples.
#'    The flow stops as soon as their distance is at most `target` times the distance between random halves of the
#'    reference. It also stops before [novelty()] against the reference samples falls below `floor`. Both are computed
#'    from at most 400 samples of each side. Often the adjustment alone is enough. Then no step is taken, and `steps` in
#'    the report is 0.
#'
#' If the flow runs to its end (`target = 0`, `floor = 0`), it puts each moved sample onto a reference sample. Distances
#' to the reference are then smaller than the distance between two samples of one law. The "integrated" samples are
#' copies of reference samples, and nothing of their own is left. A distance below the distance between halves is
#' therefore not a better result.
#'
#' @section Shrinkage of shifts and scales:
#' Let \eqn{d_{jg}}{d_jg} be the difference between the reference mean and the mean of group \eqn{g} (a batch and a
#' label) in column \eqn{j}, divided by the standard deviation of the column in the whole table. Its sampling variance
#' \eqn{v_g} is the mean over columns of the two variances, each divided by its number of samples. The model is
#' \deqn{d_{jg} = c_g + b_{j,\mathrm{batch}(g)} + r_{jg} + e_{jg}}{d_jg = c_g + b_j,batch(g) + r_jg + e_jg}
#' where \eqn{c_g} is the value that all columns share, \eqn{b} the effect of the batch on the column, \eqn{r} what is
#' special to the label, and \eqn{e} noise of variance \eqn{v_g}. Over the columns, \eqn{b} and \eqn{r} have mean 0 and
#' variances \eqn{\tau_b^2}{tau_b^2} and \eqn{\tau_r^2}{tau_r^2}, which are estimated by moments: the variance that is
#' observed less the part that noise explains, and at least 0. The effect of the batch is the weighted mean over its
#' labels with weights \eqn{1 / (v_g + \tau_r^2)}{1 / (v_g + tau_r^2)}. It is multiplied by
#' \eqn{\tau_b^2 / (\tau_b^2 + s)}{tau_b^2 / (tau_b^2 + s)}, where \eqn{s} is its sampling variance. The rest of each
#' label is multiplied by \eqn{\tau_r^2 / (\tau_r^2 + v_g)}{tau_r^2 / (tau_r^2 + v_g)}. So the labels of a batch share
#' its shift unless the data say that they differ, and small groups borrow most. What the shrunk difference leaves of
#' the difference is noise of the two means. The part of the group's own mean stays with its samples, and is scaled
#' with them.
#'
#' The logarithms of the ratios of standard deviations are shrunk in the same way. With \eqn{m = (n - 1) / 2} the
#' logarithm of a standard deviation of \eqn{n} normal values has the variance \eqn{\psi_1(m) / 4}{trigamma(m) / 4}. One
#' factor for all columns then gives the samples of the group the total variance of the reference samples, so that they
#' are neither narrower nor wider than these.
#'
#' @section Counts:
#' Counts are moved on the scale of
#' \eqn{\log_2(10^6 (x + 1/2) / (N + 1))}{log2(1e6 (x + 1/2) / (N + 1))}, where \eqn{N} is the library size (the sum of
#' the counts of the sample). They are written as counts again: each gene has a negative binomial law in the group and
#' one in its reference samples. Their rates are weighted means of \eqn{x / N}. Their dispersions are posterior means on
#' a grid; the prior is that of all genes. A count takes the place in the law of the reference that it has in the law of
#' its group, at the library size of its own sample. The place within the step of the distribution function is drawn at
#' random, so that the share of zeros comes out right. A flow multiplies the mean of the law of the reference by what it
#' adds to the logarithm. For genes with at least 5 counts in the mean on both sides, the rate of the reference is set
#' such that the mean log count of the group is that of the adjustment. A gene without a count in the group or in its
#' reference samples keeps its counts. Library sizes stay about as they are: moved samples that are deeper than the
#' reference have fewer zeros.
#'
#' @section Several batch variables:
#' `batch` may be a data frame, or the names of several columns. Each combination of
#' values is moved onto the combination `reference`. The effects of the variables add up: \eqn{b} above is then the sum
#' of one effect of each variable, found by weighted least squares, and \eqn{r} is what is special to the combination
#' (and label). So a combination with few samples is moved by what the others tell.
#'
#' @section What lies outside the latent space:
#' With principal components `x = decode(encode(x)) + residual`. The flow moves only the first part. The argument
#' `residual` says what happens to the second part:
#' * `"adjust"` keeps the residual of the adjusted samples.
#' * `"keep"` leaves the residual as it was, together with its batch effect.
#' * `"drop"` leaves it out, so that moved samples vary less than reference samples.
#'
#' In z-scored units the decoder is an isometry. With `"drop"`, the distance to the reference samples in full space is
#' therefore at most the distance in latent space plus the root-mean-square residual of the reference samples (compare
#' Theorem 5.1 of the paper). [summary()][summary.integration] gives both.
#'
#' @section Before you use the result:
#' The moved table is for looking at, for clustering and for prediction across batches. **Do not test it for differences
#' between labels.** A correction that knows the labels brings each group of one batch onto the same group of the other.
#' Moved samples are then no longer independent of the reference samples, the number of independent samples is
#' overstated, and false positives multiply (Nygaard, Rodland and Hovig 2016). Give `batch` to the linear model of the
#' test instead.
#'
#' If batch and label are confounded (a batch lacks a label, or the shares of labels are very unequal), no method can
#' tell the effect of one from the effect of the other. Without `label` a batch is moved as a whole, and differences in
#' its shares of labels are "corrected" away. With `label`, the moved table agrees with the labels by construction.
#'
#' Moved values may be negative although all values were positive, because a flow does not know which values are
#' possible. `lower = 0` sets such values to 0, which is right for logarithms of counts plus one, for example.
#'
#' Columns of whole numbers (type integer) come back as whole numbers.
#'
#' @section Batches that are too small:
#' A batch, or a label in a batch, of **one sample** is moved by a shift only. The
#' variance of the sample is taken to be that of the reference samples. The shift is shrunk, so that the sample keeps
#' the part of its own that chance explains; it does not become the mean of the reference. Its scale, which only later
#' samples need, is the mean of that of the other labels of its batch; if there are none, it is not changed. There is no
#' flow.
#'
#' A batch, or a label in a batch, is left as it is if there are fewer than four reference samples (of its label), or if
#' these reference samples are all equal. A warning names the groups that are left, and the report has a row for each of
#' them. The other groups are moved. If no group can be moved, that is an error.
#'
#' @param x Samples x genes, at least four samples, without missing values: a numeric matrix or a data frame (also a
#'   tibble, a data.table or a `DataFrame`). A sparse matrix or a `DelayedMatrix` is converted to a full matrix, which
#'   may take at most 512 MB. A `SummarizedExperiment` (also a `SingleCellExperiment`) or an `ExpressionSet`, whose
#'   samples are columns, is read as it is: do not transpose it. Columns that do not vary come back unchanged.
#' @param batch The batch of each sample: a factor or vector with one entry per sample and without `NA`, or the name of
#'   a column of the data frame (of `colData` or `pData`). Several batch variables are a data frame with one row per
#'   sample, or the names of several columns such as `c("lab", "run")`.
#' @param reference The batch onto which the others are moved: one of the values of `batch`. For several batch
#'   variables, one value of each, in their order or with their names: `c(lab = "a", run = "1")`.
#' @param label The label of each sample, given like `batch`. Samples are moved within their label. `NULL`: a batch is
#'   moved as a whole.
#' @param latent A [latent_map], or `"none"` for the columns themselves. `NULL`: [latent_pca()] with 50 components, or
#'   with fewer if there are fewer columns or at most 50 samples.
#' @param residual What happens to the part outside the latent space, see that section.
#' @param adjust What is brought towards that of the reference samples before the flow, with the shrinkage of its
#'   section: `"scale"`, the mean and the standard deviation of each column; `"mean"`, the mean only; or `"none"`.
#' @param target The flow stops when the distance of the moved samples to the reference samples ([wasserstein2()]) is at
#'   most `target` times the distance between random halves of the reference samples. At least 0; with 0 no distance
#'   stops the flow.
#' @param floor The flow stops before [novelty()] (leave-one-out) falls below this value. At least 0; with 0 novelty
#'   does not stop the flow.
#' @param n_steps Largest number of steps of each flow, at least 0.
#' @param check Number of steps from one comparison with the reference samples to the next, at least 1.
#' @param scale Whether columns are z-scored first.
#' @param lower `NULL`, or a number: moved values below it are set to it. The reference is not changed.
#' @param compare Whether the report is made. It may take longer than the flow.
#' @param seed `NULL`: the draws continue R's current random stream. A whole number: [set.seed()] is called with it
#'   first, and the stream is restored afterwards.
#' @param threads As in [efs_forward()].
#' @param progress `TRUE` or `FALSE`. `NULL` shows a bar in an interactive session.
#' @param counts Whether the values are counts, see that section. `NULL`: they are, as in [synthesise()], if they are
#'   whole, not negative, and either more than half of them are 0 or the largest is at least 50, in the columns that
#'   vary. `FALSE` moves such numbers as they are.
#' @param ... Settings of the flow: `divergence`, `alpha`, `lipschitz`, `step`, `solver`, `hidden`, `smoothing`,
#'   `normalisation`, `updates`, `rate` and `keep` of [gpa()]. Other arguments are an error.
#' @return An object of class `integration`, a list with
#' * `call`;
#' * `data`: the table in the class of `x`, with the moved samples in their places;
#' * `batch`, `label`: factors, one entry per sample; `reference`: the level of the reference;
#' * `report`: a data frame with one row per batch and label (see [summary()][summary.integration]); `scores`: a data
#'   frame of the scores of the whole table; both only with `compare = TRUE`;
#' * `groups`: the batches and labels that were moved, with their rows and their reference rows; `left`: the groups that
#'   were left as they are, with the reason `why`;
#' * `flows`: for each group that was moved the adjustment, the unit, the trace of the comparisons and the fit of
#'   [gpa()] (`NULL` for one sample); for counts also the laws of the genes;
#' * `parts`: for several batch variables a data frame with the values of each combination, else `NULL`; `counts`:
#'   whether the values were moved as counts;
#' * `latent`: the fitted map; `points`: latent coordinates before and after, two matrices with one row per sample;
#' * `outside`: the root-mean-square length of the residuals of the moved and of the reference samples, in z-scored
#'   units, before the flow;
#' * `raised`: the number of moved values that were below `lower`; `assay`: the assay that was read, if any;
#' * `control`: the settings; `elapsed`: seconds.
#'
#' Methods: `print()`, [summary()][summary.integration], [plot()][plot.integration],
#' [predict()][predict.integration] for samples that come later, `as.data.frame()`. Users of \pkg{batchelor} can call
#' `batchCorrect()`, see [ParticleFlowParam()].
#' @references
#' Gu H, Birmpa P, Pantazis Y, Rey-Bellet L, Katsoulakis MA (2024). Lipschitz-regularized gradient flows and
#' generative particle algorithms for high-dimensional scarce data. SIAM Journal on Mathematics of Data Science 6(4),
#' sections 5 and 9. \doi{10.1137/23M1587841}
#'
#' Nygaard V, Rodland EA, Hovig E (2016). Methods that remove batch effects while retaining group differences may
#' lead to exaggerated confidence in downstream analyses. Biostatistics 17(1), 29-39.
#' \doi{10.1093/biostatistics/kxv027}
#'
#' Leek JT, Scharpf RB, Bravo HC, Simcha D, Langmead B, Johnson WE, Geman D, Baggerly K, Irizarry RA (2010). Tackling
#' the widespread and critical impact of batch effects in high-throughput data. Nature Reviews Genetics 11, 733-739.
#' \doi{10.1038/nrg2825}
#'
#' Johnson WE, Li C, Rabinovic A (2007). Adjusting batch effects in microarray expression data using empirical Bayes
#' methods. Biostatistics 8(1), 118-127. \doi{10.1093/biostatistics/kxj037}
#'
#' DerSimonian R, Laird N (1986). Meta-analysis in clinical trials. Controlled Clinical Trials 7(3), 177-188.
#' \doi{10.1016/0197-2456(86)90046-2}
#'
#' Zhang Y, Parmigiani G, Johnson WE (2020). ComBat-seq: batch effect adjustment for RNA-seq count data. NAR Genomics
#' and Bioinformatics 2(3), lqaa078. \doi{10.1093/nargab/lqaa078}
#' @examples
#' set.seed(1)
#' lab <- rep(c("a", "b"), each = 40)
#' factors <- matrix(rnorm(80 * 3), 80)
#' loading <- matrix(rnorm(3 * 30), 3)
#' x <- factors %*% loading + rnorm(80 * 30, sd = 0.3)
#' # in laboratory "b" the genes have other correlations, and its instrument saturates
#' x[lab == "b", ] <- 3 * tanh(factors[lab == "b", ] %*% loading[, 30:1]) +
#'   rnorm(30)[col(x)[lab == "b", ]]
#' fit <- integrate_data(x, lab, "a", seed = 1)
#' fit
#' moved <- fit$data
#' plot(fit)
#'
#' # counts of two laboratories and two runs; one gene in three has another rate in laboratory "b"
#' about <- data.frame(lab = rep(c("a", "b"), each = 20), run = rep(1:2, 20))
#' rate <- outer(about$lab == "b", rep(c(1, 0, 0), 20))
#' counts <- matrix(rnbinom(40 * 60, mu = 20 * 3^rate, size = 5), 40)
#' integrate_data(counts, about, c(lab = "a", run = 1), seed = 1)
#' @export
integrate_data <- function(x, batch, reference, label = NULL, ...) UseMethod("integrate_data")

#' @rdname integrate_data
#' @export
integrate_data.default <- function(x, batch, reference, label = NULL, latent = NULL,
                                   residual = c("adjust", "keep", "drop"), adjust = c("scale", "mean", "none"),
                                   target = 1, floor = 0.9, n_steps = 1000, check = 10, scale = TRUE, lower = NULL,
                                   compare = TRUE, seed = NULL, threads = NULL, progress = NULL, counts = NULL, ...) {
  began <- proc.time()[[3]]
  control <- integration_control(residual, adjust, target, floor, n_steps, check, scale, lower, compare, list(...))
  threads <- thread_count(threads)
  check_batches_given(missing(batch), missing(reference))
  table <- read_batches(x, batch, reference, label)
  counted <- read_counts(table$points, counts, control)
  if (!is.null(counted)) table$points <- log_counts(counted$values, counted$size)
  groups <- match_groups(table, table$reference)
  state <- stream_within(seed)
  if (is.null(latent)) latent <- latent_pca(min(50L, nrow(table$points) - 1L, ncol(table$points)))
  latent <- choose_pooled_latent(latent, control$scale, table$points)$fit(table$points)
  z <- unname(latent$encode(table$points))
  groups <- set_flat_aside(groups, z)
  moved <- move_samples(table, groups$moved, groups$reference, z, latent, control, threads, progress)
  if (!is.null(counted)) moved <- move_counts(moved, counted, table$points, groups$moved, latent, control)
  rows <- unlist(lapply(groups$moved, `[[`, "rows"))
  fit <- structure(
    list(
      call = record_call(match.call(), "integrate_data"),
      data = keep_integer(replace_rows(x, table$template, table$positions,
                                       if (is.null(counted)) moved$points else moved$written, rows), x),
      batch = table$batch$group, label = table$label$group, reference = groups$reference, groups = groups$moved,
      left = groups$left, flows = moved$flows, latent = latent, points = list(before = z, after = moved$latent),
      outside = outside_rms(table$points - unname(latent$decode(z)), table$points, groups$moved, control),
      table = c(table$template, list(batch = table$batch$label, label = table$label$label)), parts = table$parts,
      counts = !is.null(counted), raised = moved$raised,
      control = control, elapsed = NA_real_, version = as.character(utils::packageVersion("particleflow"))
    ),
    class = "integration"
  )
  if (control$compare) {
    fit[c("report", "scores")] <- compare_tables(fit, table$points, moved$points, threads)
    fit$report <- add_left(fit$report, groups$left)
  }
  fit$elapsed <- proc.time()[[3]] - began
  seal(fit)
}

check_batches_given <- function(no_batch, no_reference) {
  if (no_batch) fail("`batch` must give the batch of each sample.")
  if (no_reference) fail("`reference` must name the batch onto which the others are moved.")
}

# The result of read_samples(), with `reference`, and with `parts` of join_batches() for several batch variables.
read_batches <- function(x, batch, reference, label) {
  plain <- plain_table(x, "x")
  named <- if (names_columns(batch, plain)) match(batch, names(plain))
  joined <- join_batches(batch, reference, plain)
  if (is.null(named)) return(c(read_samples(x, joined$batch, label), joined[c("reference", "parts")]))
  table <- read_samples(drop_columns(plain, named), joined$batch, label)
  table$positions <- setdiff(seq_len(ncol(plain)), named)[table$positions]
  c(table, joined[c("reference", "parts")])
}

# list(values [n, p], size [n]): the counts and the library sizes; NULL if the values are not moved as counts.
read_counts <- function(points, counts, control) {
  if (!is.null(counts)) check_flag(counts, "counts")
  if (!are_counts(points, counts)) return(NULL)
  if (!is.null(control$lower)) fail("`lower` is not for counts, which are never below 0.")
  list(values = points, size = library_sizes(points, "x"))
}

# flows: one per group. latent [n, k], points [n, p]: all samples, with the moved ones in their places. raised: the
# number of values below `lower`.
move_samples <- function(table, groups, reference, z, latent, control, threads, progress) {
  bar <- progress_bar("Integrating", length(groups) * control$n_steps, progress)
  on.exit(bar$done(), add = TRUE)
  design <- effect_design(groups, table$parts, reference)
  flows <- Map(function(group, adjustment) {
    start <- unname(latent$encode(apply_adjustment(table$points[group$rows, , drop = FALSE], adjustment)))
    flow <- move_group(start, z[group$goal, , drop = FALSE], control, threads, bar$tick)
    c(list(adjustment = adjustment), flow)
  }, groups, adjust_groups(table$points, groups, design, control$adjust))
  moved <- list(latent = z, points = table$points, raised = 0L)
  least <- lower_ends(control$lower, table$template)
  for (j in seq_along(groups)) {
    rows <- groups[[j]]$rows
    put <- put_residual(flows[[j]]$moved, table$points[rows, , drop = FALSE], latent, control, flows[[j]])
    raised <- raise_values(put, least)
    moved$points[rows, ] <- raised$points
    moved$raised <- moved$raised + raised$count
    moved$latent[rows, ] <- flows[[j]]$moved
    flows[[j]]$moved <- NULL
  }
  c(moved, list(flows = flows))
}

# [p]: the coordinate of `lower` in each varying column. NULL if `lower` is NULL.
lower_ends <- function(lower, template) {
  if (!is.null(lower)) unlist(lapply(template$columns[template$of[varying(template)]], encode_column, values = lower))
}

raise_values <- function(points, least) {
  if (is.null(least)) return(list(points = points, count = 0L))
  below <- points < rep(least, each = nrow(points))
  list(points = pmax(points, rep(least, each = nrow(points))), count = sum(below))
}

# The report with one more row for each group that was left as it is.
add_left <- function(report, left) {
  if (!length(left)) return(report)
  rows <- lapply(left, function(group) {
    row <- report[1, ]
    row[] <- NA
    row[c("batch", "label")] <- list(group$batch, group$label)
    row[c("n", "n_reference")] <- list(length(group$rows), length(group$goal))
    row$stopped_by <- paste0("left as it is: ", group$why)
    row
  })
  report <- do.call(rbind, c(list(report), rows))
  row.names(report) <- NULL
  report
}

integration_control <- function(residual, adjust, target, floor, n_steps, check, scale, lower, compare, flow) {
  stray <- setdiff(names(flow), flow_arguments)
  if (length(flow) && (is.null(names(flow)) || length(stray))) {
    fail("`%s` is no argument of integrate_data(), nor one that it passes on to gpa(): %s.",
         if (length(stray)) stray[1] else "...", paste(flow_arguments, collapse = ", "))
  }
  list(
    residual = check_choice(residual, c("adjust", "keep", "drop"), "residual"),
    adjust = check_choice(adjust, c("scale", "mean", "none"), "adjust"),
    target = check_number(target, "target", lower = 0), floor = check_number(floor, "floor", lower = 0),
    n_steps = check_count(n_steps, "n_steps"), check = check_count(check, "check", 1L),
    scale = check_flag(scale, "scale"), lower = if (!is.null(lower)) check_number(lower, "lower"),
    compare = check_flag(compare, "compare"), flow = flow
  )
}

flow_arguments <- c("divergence", "alpha", "lipschitz", "step", "solver", "hidden", "smoothing", "normalisation",
                    "updates", "rate", "keep")
