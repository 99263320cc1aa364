#' Two data sets put together
#'
#' Moves the rows of every other batch onto the law of a reference batch: gene expression (or any other table of
#' numbers) that was measured in several laboratories, on several platforms or days. Rows are samples, columns are genes. The reference is
#' left as it is, to the last bit.
#'
#' All rows together are z-scored by columns and reduced to `latent` dimensions. For each batch and each label,
#' 1. mean and standard deviation of each column are brought to those of the reference rows of the label (`adjust`),
#'    the ratio of the standard deviations shrunk towards its geometric mean over columns, the more the fewer rows there are;
#' 2. in latent space the rows follow [gpa()] towards these reference rows, in units of the reference's own spread, with a network of their own;
#' 3. the flow ends **before it copies**: every `check` steps the moved rows are compared with the reference rows, and
#'    it stops as soon as their distance is `target` times that between random halves of the reference, or where
#'    [novelty()] against the reference rows would fall below `floor`. Often the adjustment is all there is to do; then
#'    no step is taken, and `steps` of the report is 0.
#'
#' Run to its end (`target = 0`, `floor = 0`), the flow puts each moved row onto a reference row. Distances to the
#' reference are then small beyond what two samples of one law have, and the "integrated" samples are reference
#' samples given twice, with nothing of their own left. A distance below that between halves is no achievement.
#'
#' @section What lies outside the latent space:
#' With principal components `x = decode(encode(x)) + residual`. Only the first part moves; `residual` says what becomes of the
#' second: `"adjust"` keeps that of the adjusted rows; `"keep"` leaves it as it was, batch
#' effect and all; `"drop"` leaves it out: moved rows then vary less than reference rows.
#' In z-scored units the decoder is an isometry, so that (with `"drop"`) the distance to the reference rows in full space is at most
#' that in latent space plus the root-mean-square residual of the reference rows (cf. Theorem 5.1 of the paper);
#' [summary()][summary.integration] gives both.
#'
#' @section Before you use the result:
#' The moved table is for looking at, for clustering and for prediction across batches. **Do not
#' test it for differences between labels.** A correction that knows the labels brings each group of one batch
#' onto the same group of the other: moved rows are no longer independent of the reference rows, the number of independent
#' samples is overstated, and false positives multiply (Nygaard, Rodland and Hovig 2016). Give `batch` to
#' the linear model of the test instead.
#' Where batch and label are confounded (a label that one batch lacks, or very unequal shares) no method can tell
#' the effect of one from that of the other. Without `label` a batch is moved as a whole, and differences in its shares of
#' labels are "corrected" away; with `label` every label must occur in the reference, and what
#' the labels have in common is built in.
#'
#' @param x Numeric matrix, data frame or `SummarizedExperiment` without missing values: rows are samples, columns genes (a
#'   `SummarizedExperiment` has them the other way round and is taken as it is). Columns that do not vary are carried through.
#' @param batch The batch of each sample: a factor or vector, or the name of a column of the data frame (or of `colData`).
#' @param reference The batch onto which the others are moved: one of the values of `batch`.
#' @param label The label of each sample within which rows are moved, given like `batch`; `NULL` for none.
#' @param latent A [latent_map], or `"none"` for the columns themselves. `NULL`: [latent_pca()] with 50 components,
#'   or as many as there are.
#' @param residual What becomes of the part outside the latent space, see below.
#' @param adjust What is brought to that of the reference rows before the flow: `"scale"`, mean and standard deviation of each column;
#'   `"mean"`; or `"none"`.
#' @param target The flow stops where the moved rows are no further from the reference rows than `target` times the
#'   distance between random halves of these ([wasserstein2()]); 0 for never.
#' @param floor It stops before [novelty()] (leave-one-out) falls below this; 0 for never.
#' @param n_steps Largest number of steps of each flow, at least 0.
#' @param check Compare every how many steps, at least 1.
#' @param scale Whether columns are z-scored first.
#' @param compare Whether the report is made (it may take longer than the flow).
#' @param seed `NULL` goes on with R's current stream; a whole number is given to [set.seed()] first, and the stream
#'   is restored afterwards.
#' @param threads As in [efs_forward()].
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @param ... Settings of the flow: `divergence`, `alpha`, `lipschitz`, `step`, `solver`, `hidden`, `smoothing`,
#'   `normalisation`, `updates`, `rate` and `keep` of [gpa()].
#' @return An object of class `integration`: a list with `call`, `data` (the table in the form it was given in, moved
#'   rows in their places), `batch`, `label`, `reference`, `report` (a data frame, one row for each batch and label that was moved: see
#'   [summary()][summary.integration]), `scores` (of the whole table), `flows` (for each of these the adjustment,
#'   the unit, the trace of the comparisons and the fit of [gpa()]), `latent` (the fitted map), `points` (latent coordinates
#'   before and after), `control` and `elapsed`. Methods: `print()`, [summary()][summary.integration],
#'   [plot()][plot.integration], [predict()][predict.integration] for samples that come later, `as.data.frame()`.
#' @references
#' Gu H, Birmpa P, Pantazis Y, Rey-Bellet L, Katsoulakis MA (2024). Lipschitz-regularized gradient flows and
#' generative particle algorithms for high-dimensional scarce data. SIAM Journal on Mathematics of Data Science 6(4),
#' sections 5 and 9. \doi{10.1137/23M1587841}
#'
#' Nygaard V, Rodland EA, Hovig E (2016). Methods that remove batch effects while retaining group differences may
#' lead to exaggerated confidence in downstream analyses. Biostatistics 17(1), 29-39.
#' \doi{10.1093/biostatistics/kxv027}
#'
#' Leek JT, Scharpf RB, Bravo HC, Simcha D, Langmead B, Johnson WE, Geman D, Baggerly K, Irizarry RA (2010). Tackling the
#' widespread and critical impact of batch effects in high-throughput data. Nature Reviews Genetics 11, 733-739.
#' \doi{10.1038/nrg2825}
#' @examples
#' set.seed(1)
#' lab <- rep(c("a", "b"), each = 40)
#' factors <- matrix(rnorm(80 * 3), 80)
#' loading <- matrix(rnorm(3 * 30), 3)
#' x <- factors %*% loading + rnorm(80 * 30, sd = 0.3)
#' # in laboratory "b" the genes hang together otherwise, and its instrument saturates
#' x[lab == "b", ] <- 3 * tanh(factors[lab == "b", ] %*% loading[, 30:1]) +
#'   rnorm(30)[col(x)[lab == "b", ]]
#' fit <- integrate_data(x, lab, "a", seed = 1)
#' fit
#' moved <- fit$data
#' plot(fit)
#' @export
integrate_data <- function(x, batch, reference, label = NULL, ...) UseMethod("integrate_data")

#' @rdname integrate_data
#' @export
integrate_data.default <- function(x, batch, reference, label = NULL, latent = NULL, residual = c("adjust", "keep", "drop"),
                                   adjust = c("scale", "mean", "none"), target = 1, floor = 0.9, n_steps = 1000, check = 10, scale = TRUE,
                                   compare = TRUE, seed = NULL, threads = NULL, progress = NULL, ...) {
  began <- proc.time()[[3]]
  control <- integration_control(residual, adjust, target, floor, n_steps, check, scale, compare, list(...))
  threads <- thread_count(threads)
  table <- read_samples(x, batch, label)
  groups <- match_groups(table$batch, reference, table$label)
  state <- start_stream(seed)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  if (is.null(latent)) latent <- latent_pca(min(50L, nrow(table$points) - 1L, ncol(table$points)))
  latent <- choose_pooled_latent(latent, control$scale, table$points)$fit(table$points)
  z <- unname(latent$encode(table$points))
  bar <- progress_bar("Integrating", length(groups) * control$n_steps, progress)
  on.exit(bar$done(), add = TRUE)
  flows <- lapply(groups, function(group) {
    own <- table$points[group$rows, , drop = FALSE]
    adjustment <- adjust_to(own, table$points[group$goal, , drop = FALSE], control$adjust)
    start <- unname(latent$encode(apply_adjustment(own, adjustment)))
    c(list(adjustment = adjustment), move_group(start, z[group$goal, , drop = FALSE], group$label, control, threads, bar$tick))
  })
  moved <- list(latent = z, points = table$points)
  for (j in seq_along(groups)) {
    rows <- groups[[j]]$rows
    moved$points[rows, ] <- put_residual(flows[[j]]$moved, table$points[rows, , drop = FALSE], latent, control, flows[[j]])
    moved$latent[rows, ] <- flows[[j]]$moved
    flows[[j]]$moved <- NULL
  }
  outside <- table$points - unname(latent$decode(z))
  fit <- structure(
    list(
      call = match.call(), data = replace_rows(x, table, moved$points, unlist(lapply(groups, `[[`, "rows"))),
      batch = table$batch, label = table$label, reference = as.character(reference), groups = groups, flows = flows,
      latent = latent, points = list(before = z, after = moved$latent), outside = outside_rms(outside, table$points, groups, control),
      table = table[c("names", "constant", "columns")], control = control, elapsed = NA_real_,
      version = as.character(utils::packageVersion("particleflow"))
    ),
    class = "integration"
  )
  if (control$compare) fit[c("report", "scores")] <- compare_tables(fit, table$points, moved$points, threads)
  fit$elapsed <- proc.time()[[3]] - began
  fit
}

#' @rdname integrate_data
#' @param assay For a `SummarizedExperiment`, the assay to move: its name or number. The others are left alone.
#' @export
integrate_data.SummarizedExperiment <- function(x, batch, reference, label = NULL, assay = 1L, ...) {
  if (!requireNamespace("SummarizedExperiment", quietly = TRUE)) {
    fail("A SummarizedExperiment needs the package SummarizedExperiment; install it from Bioconductor.")
  }
  samples <- as.data.frame(SummarizedExperiment::colData(x))
  fit <- integrate_data(t(as.matrix(SummarizedExperiment::assay(x, assay))), sample_column(batch, samples, "batch", "colData(x)"),
                        reference, if (!is.null(label)) sample_column(label, samples, "label", "colData(x)"), ...)
  moved <- x
  SummarizedExperiment::assay(moved, assay) <- t(fit$data)
  fit$data <- moved
  fit$call <- match.call()
  fit$assay <- assay
  fit
}

# ---- The table ---------------------------------------------------------------

integration_control <- function(residual, adjust, target, floor, n_steps, check, scale, compare, flow) {
  stray <- setdiff(names(flow), flow_arguments)
  if (length(flow) && (is.null(names(flow)) || length(stray))) {
    fail("`%s` is no argument of integrate_data(), nor one that it passes on to gpa(): %s.",
         if (length(stray)) stray[1] else "...", paste(flow_arguments, collapse = ", "))
  }
  list(
    residual = check_choice(residual, c("adjust", "keep", "drop"), "residual"),
    adjust = check_choice(adjust, c("scale", "mean", "none"), "adjust"),
    target = check_number(target, "target", lower = 0), floor = check_number(floor, "floor", lower = 0),
    n_steps = check_count(n_steps, "n_steps"), check = check_count(check, "check", 1L), scale = check_flag(scale, "scale"),
    compare = check_flag(compare, "compare"), flow = flow
  )
}

flow_arguments <- c("divergence", "alpha", "lipschitz", "step", "solver", "hidden", "smoothing", "normalisation",
                    "updates", "rate", "keep")

# points: the varying columns as doubles [n, p]; batch, label: factors; columns: where
# the varying ones stand in x.
read_samples <- function(x, batch, label) {
  frame <- is.data.frame(x)
  named <- character()
  if (frame) {
    named <- c(if (is_column_name(batch, x)) batch, if (is_column_name(label, x)) label)
    batch <- sample_column(batch, x, "batch", "x")
    if (!is.null(label)) label <- sample_column(label, x, "label", "x")
  }
  genes <- if (frame) which(!names(x) %in% named) else seq_len(NCOL(x))
  points <- check_points(if (frame) x[genes] else x, "x", min_rows = 4L, grouped = FALSE)
  range <- apply(points, 2, range)
  varying <- range[2, ] > range[1, ]
  if (!any(varying)) fail("`x` has no column that varies; there is nothing to move.")
  list(
    points = points[, varying, drop = FALSE], columns = genes[varying],
    batch = check_sample_factor(batch, nrow(points), "batch"),
    label = if (!is.null(label)) check_sample_factor(label, nrow(points), "label"),
    names = colnames(points), constant = ifelse(varying, NA_real_, range[1, ])
  )
}

is_column_name <- function(value, x) is.character(value) && length(value) == 1 && nrow(x) != 1

# A vector, or the column of a table that it names.
sample_column <- function(value, table, what, where) {
  if (!is_column_name(value, table)) return(value)
  if (!value %in% names(table)) fail("`%s` is \"%s\", but `%s` has no such column.", what, value, where)
  table[[value]]
}

check_sample_factor <- function(value, n, what) {
  if (!is.atomic(value) || length(value) != n) {
    fail("`%s` must have one entry for each of the %d samples, not be %s.", what, n, describe(value))
  }
  if (anyNA(value)) fail("`%s` must not contain NA (sample %s).", what, some(which(is.na(value))))
  droplevels(as.factor(value))
}

least_moved <- 2L
least_goal <- 4L # halves of two rows

# A list: for each batch but the reference, and each label in it, its rows and the reference rows.
match_groups <- function(batch, reference, label) {
  if (!is.atomic(reference) || length(reference) != 1 || is.na(reference) || !as.character(reference) %in% levels(batch)) {
    fail("`reference` must be one of the batches %s, not %s.", quoted(levels(batch)), describe(reference))
  }
  reference <- as.character(reference)
  others <- setdiff(levels(batch), reference)
  if (!length(others)) fail("`batch` has the reference \"%s\" only; there is nothing to move.", reference)
  groups <- list()
  for (name in others) {
    own <- if (is.null(label)) NA_character_ else levels(droplevels(label[batch == name]))
    for (value in own) {
      within <- if (is.na(value)) TRUE else label == value
      rows <- which(batch == name & within)
      goal <- which(batch == reference & within)
      what <- if (is.na(value)) "" else sprintf(" of label \"%s\"", value)
      if (!length(goal)) {
        fail("Label \"%s\" of batch \"%s\" is missing from the reference \"%s\": there is nothing to move its rows to.",
             value, name, reference)
      }
      if (length(goal) < least_goal) {
        fail("The reference \"%s\" has %d row%s%s; at least %d are needed.", reference, length(goal),
             if (length(goal) == 1) "" else "s", what, least_goal)
      }
      if (length(rows) < least_moved) {
        fail("Batch \"%s\" has %d row%s; at least %d are needed.", name, length(rows), what, least_moved)
      }
      key <- if (is.na(value)) name else paste(name, value, sep = ": ")
      groups[[key]] <- list(batch = name, label = value, rows = rows, goal = goal)
    }
  }
  groups
}

# x with the varying columns of these rows replaced.
replace_rows <- function(x, table, points, rows) {
  if (!is.data.frame(x)) {
    storage.mode(x) <- "double"
    x[rows, table$columns] <- points[rows, ]
    return(x)
  }
  for (j in seq_along(table$columns)) {
    column <- as.double(x[[table$columns[j]]])
    column[rows] <- points[rows, j]
    x[[table$columns[j]]] <- column
  }
  x
}

# ---- The flow of one batch and label -----------------------------------------

# Rows that take part in the comparisons on the way.
most_compared <- 400L

# z [n, d] is moved towards goal [m, d], both in latent units. In the flow the mean squared
# distance of the goal from its mean is d.
move_group <- function(z, goal, label, control, threads, tick) {
  unit <- sqrt(mean(sweep(goal, 2, colMeans(goal))^2))
  if (!(unit > 1e-8 * sqrt(mean(goal^2)))) {
    fail("The %d rows of the reference%s are all equal; there is no law to move other rows to.", nrow(goal),
         if (is.na(label)) "" else sprintf(" of label \"%s\"", label))
  }
  start <- z / unit
  end <- goal / unit
  bar <- halves_distance(limit_spaced(end, most_compared), threads)
  run <- start_run(start, end, control)
  trace <- list(compare_run(run, start, end, bar, control, threads))
  status <- stop_reason(trace[[1]], control, first = TRUE)
  while (is.null(status)) {
    before <- run
    run$planned <- min(run$state$step + control$check, control$n_steps)
    run <- advance_gpa(run, FALSE)
    tick(run$state$step - before$state$step)
    now <- compare_run(run, start, end, bar, control, threads)
    status <- if (run$ended == 1L) "diverged" else stop_reason(now, control)
    if (identical(status, "novelty")) run <- before else trace[[length(trace) + 1]] <- now
  }
  tick(control$n_steps - run$state$step)
  fit <- finish_gpa(run)
  moved <- if (run$state$step == 0L) start else unname(as.matrix(predict(fit)))
  list(moved = moved * unit, unit = unit, halves = bar * unit, status = status, steps = run$state$step,
       trace = do.call(rbind, trace), fit = fit)
}

# A run of gpa() of which no step is taken yet.
start_run <- function(start, end, control) {
  settings <- list(start, end, n_steps = 0, latent = "none", scale = FALSE, every = max(1L, control$n_steps))
  run <- run_of_fit(do.call(gpa, c(settings, control$flow)))
  run$control$n_steps <- control$n_steps
  run$every <- gpa_every(run$control, nrow(start), run$plan)
  run
}

limit_spaced <- function(x, most) if (nrow(x) > most) x[spaced_rows(nrow(x), most), , drop = FALSE] else x

# Where columns outnumber rows, in coordinates of the subspace that the rows span: the same distances.
quiet_distance <- function(x, y, threads) {
  if (ncol(x) > nrow(x) + nrow(y)) {
    both <- rbind(x, y)
    both <- sweep(both, 2, colMeans(both))
    if (!any(both != 0)) return(0)
    parts <- principal_components(both, nrow(both) - 1L)
    both <- both %*% parts$loadings
    own <- seq_len(nrow(x))
    x <- both[own, , drop = FALSE]
    y <- both[-own, , drop = FALSE]
  }
  as.numeric(suppressWarnings(wasserstein2(x, y, tolerance = 0.01, threads = threads)))
}

# Root mean squared distance between random halves.
halves_distance <- function(x, threads, splits = 10L) {
  n <- nrow(x)
  squared <- vapply(seq_len(splits), function(split) {
    half <- base::sample.int(n, n %/% 2L)
    quiet_distance(x[half, , drop = FALSE], x[-half, , drop = FALSE], threads)^2
  }, 0)
  sqrt(mean(squared))
}

# What is known on the way: `ratio` of the distance to that between halves, and novelty.
compare_run <- function(run, start, end, bar, control, threads) {
  points <- if (run$state$step == 0L) start else run$latent$decode(run$state$particles)
  distance <- quiet_distance(limit_spaced(points, most_compared), limit_spaced(end, most_compared), threads)
  data.frame(step = run$state$step, time = run$state$step * run$control$step, ratio = distance / bar,
             novelty = compare_novelty(points, end, NULL, threads = threads)$ratio)
}

# NULL to go on. A first comparison below the floor ends the flow as well: it can only go lower.
stop_reason <- function(now, control, first = FALSE) {
  if (control$target > 0 && now$ratio <= control$target) return("distance")
  if (control$floor > 0 && !is.na(now$novelty) && now$novelty < control$floor) return(if (first) "novelty at the start" else "novelty")
  if (now$step >= control$n_steps) "all steps done"
}

# ---- Mean and standard deviation of each column -------------------------------

# Column by column (x - from) * ratio + to. With the log of a standard deviation of n rows off by
# (digamma(m) - log m) / 2 on average and of variance trigamma(m) / 4, m = (n - 1) / 2 (normal rows), the logs of
# the ratios are shrunk towards their mean as normal ones of that variance would be.
adjust_to <- function(own, goal, how) {
  p <- ncol(own)
  if (how == "none") return(list(from = numeric(p), ratio = rep(1, p), to = numeric(p)))
  list(from = colMeans(own), ratio = if (how == "mean") rep(1, p) else spread_ratio(own, goal), to = colMeans(goal))
}

spread_ratio <- function(own, goal) {
  half <- c(nrow(own), nrow(goal)) / 2 - 0.5
  off <- (digamma(half) - log(half)) / 2
  noise <- sum(trigamma(half)) / 4
  log_own <- log(apply(own, 2, stats::sd)) - off[1]
  log_goal <- log(apply(goal, 2, stats::sd)) - off[2]
  raw <- log_goal - log_own
  known <- is.finite(raw) # neither is constant
  ratio <- rep(1, ncol(own))
  if (!any(known)) return(ratio)
  middle <- mean(raw[known])
  between <- if (sum(known) > 1) max(0, stats::var(raw[known]) - noise) else 0
  ratio[known] <- exp(middle + between / (between + noise) * (raw[known] - middle))
  ratio
}

apply_adjustment <- function(points, adjustment) {
  sweep(sweep(sweep(points, 2, adjustment$from), 2, adjustment$ratio, "*"), 2, adjustment$to, "+")
}

# ---- Outside the latent space ------------------------------------------------

# Rows moved to z in latent space, with what was outside it.
put_residual <- function(z, points, latent, control, flow) {
  decoded <- unname(latent$decode(z))
  if (control$residual == "drop") return(decoded)
  if (control$residual == "adjust") points <- apply_adjustment(points, flow$adjustment)
  decoded + unname(points - unname(latent$decode(latent$encode(points))))
}

# Root-mean-square length of the residuals, in z-scored units: of the moved and of the reference rows.
outside_rms <- function(outside, points, groups, control) {
  spread <- if (control$scale) column_spread(points) else rep(1, ncol(points))
  length <- rowSums(sweep(outside, 2, spread, "/")^2)
  rms <- function(what) sqrt(mean(length[unique(unlist(lapply(groups, `[[`, what)))]))
  c(moved = rms("rows"), reference = rms("goal"))
}

# ---- Samples that come later --------------------------------------------------

#' Move samples that come later
#'
#' New samples of batches that were moved go the same way: the adjustment, the map to latent space and the
#' potentials of the flow are those of the fit, and other samples have no part in it. Samples of the reference are left as they are.
#'
#' @param object An object from [integrate_data()].
#' @param newdata A matrix, data frame or `SummarizedExperiment` of new samples with the genes of the table (matched by name where both have
#'   names).
#' @param batch,label Batch and label of each new sample: one entry for all, one for each, or the name of a column, as in
#'   [integrate_data()]. `label` is needed where the fit has labels: a sample whose label is not known
#'   cannot be moved by label.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @param ... Not used.
#' @return The moved samples in the form of `newdata`.
#' @examples
#' set.seed(1)
#' x <- matrix(rnorm(600), 60)
#' x[31:60, ] <- 2 * x[31:60, ] + 1
#' fit <- integrate_data(x, rep(1:2, each = 30), 1, n_steps = 20, compare = FALSE)
#' new <- 2 * matrix(rnorm(50), 5) + 1
#' predict(fit, new, batch = 2)
#' @export
predict.integration <- function(object, newdata, batch, label = NULL, progress = NULL, ...) {
  if (inherits(newdata, "SummarizedExperiment")) {
    assay <- if (is.null(object$assay)) 1L else object$assay
    samples <- as.data.frame(SummarizedExperiment::colData(newdata))
    rows <- t(as.matrix(SummarizedExperiment::assay(newdata, assay)))
    SummarizedExperiment::assay(newdata, assay) <- t(predict(
      object, rows, sample_column(batch, samples, "batch", "colData(newdata)"),
      if (!is.null(label)) sample_column(label, samples, "label", "colData(newdata)"), progress))
    return(newdata)
  }
  frame <- is.data.frame(newdata)
  columns <- seq_len(NCOL(newdata))
  if (frame) {
    columns <- which(!names(newdata) %in% c(if (is_new_column(batch, newdata)) batch, if (is_new_column(label, newdata)) label))
    if (is_new_column(batch, newdata)) batch <- newdata[[batch]]
    if (is_new_column(label, newdata)) label <- newdata[[label]]
  }
  if (!is.null(object$table$names) && !is.null(colnames(newdata)) && all(object$table$names %in% colnames(newdata))) {
    columns <- match(object$table$names, colnames(newdata))
  }
  points <- read_new_rows(if (frame) newdata[columns] else newdata[, columns, drop = FALSE],
                          list(names = object$table$names, constant = object$table$constant))
  n <- nrow(points)
  batch <- recycle_new(batch, n, "batch")
  if (!is.null(object$label)) {
    if (is.null(label)) fail("`label` must be given: the fit has moved each label by a flow of its own.")
    label <- recycle_new(label, n, "label")
  }
  key <- if (is.null(object$label)) batch else paste(batch, label, sep = ": ")
  stray <- setdiff(key[batch != object$reference], names(object$flows))
  if (length(stray)) {
    fail("`newdata` has rows of %s, for which there is no flow; there are flows for %s.", quoted(stray), quoted(names(object$flows)))
  }
  moved <- points
  for (name in intersect(names(object$flows), key[batch != object$reference])) {
    rows <- which(key == name & batch != object$reference)
    flow <- object$flows[[name]]
    own <- points[rows, , drop = FALSE]
    at <- carry_group(flow, unname(object$latent$encode(apply_adjustment(own, flow$adjustment))), progress)
    moved[rows, ] <- put_residual(at, own, object$latent, object$control, flow)
  }
  varying <- columns[is.na(object$table$constant)]
  replace_rows(newdata, list(columns = varying), moved, which(batch != object$reference))
}

is_new_column <- function(value, table) is.character(value) && length(value) == 1 && value %in% names(table)

recycle_new <- function(value, n, what) {
  if (!is.atomic(value) || is.null(value) || !length(value) %in% c(1L, n) || anyNA(value)) {
    fail("`%s` must have one entry, or one for each of the %d new samples, and no NA, not be %s.", what, n, describe(value))
  }
  rep_len(as.character(value), n)
}

# Passive rows z [n, d], adjusted, through the flow of one batch and label.
carry_group <- function(flow, z, progress) {
  if (flow$steps == 0L) return(z)
  unname(as.matrix(predict(flow$fit, z / flow$unit, progress = progress))) * flow$unit
}
