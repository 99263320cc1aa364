#' Can a classifier tell the synthetic rows from the real ones?
#'
#' The classifier two-sample test: a classifier learns to tell the two tables
#' apart on some of the rows and is judged on the others. Its held-out AUC is the
#' probability that it gives a synthetic row a higher score than a real one: 0.5
#' where the tables cannot be told apart, 1 where they always can.
#'
#' @section Classifiers:
#' * `"knn"`: the share of synthetic rows among the `k` nearest training rows,
#'   on columns divided by their standard deviation in both tables together.
#'   It sees differences of any shape where rows are dense enough, so in few
#'   dimensions or with many rows.
#' * `"quadratic"`: each column is replaced by its normal scores (ranks in both
#'   tables together, through the normal quantile function); the label is then
#'   regressed on these, on their squares and on their products, by least squares
#'   with a ridge penalty equal to the number of terms (a linear discriminant
#'   on these terms). It sees differences in location, spread and dependence in
#'   any number of dimensions. Products are left out where there would be more
#'   than 1000 terms or fewer than four training rows a term, then the squares.
#' * `"both"`: within each fold, the mean of the ranks that these two give.
#' * `"forest"`: a random forest of 500 trees from the package ranger. It sees each factor as one column, and
#'   differences of any shape. Without ranger, `"both"` is used, and a message says so.
#'
#' The other classifiers see factors and missing values as the coordinates of [mixed_tables].
#'
#' @section The interval:
#' Rows are divided at random into `folds` parts, each table evenly; each part
#' is scored by a classifier that has seen the others only. The AUC
#' (Mann-Whitney, ties count one half) is the mean over the parts, weighted by
#' their pairs of rows. DeLong's variance of each part is added up, and, since
#' the parts train each other's classifiers, multiplied by
#' 1 + folds / (folds - 1) (Nadeau and Bengio 2003). Without that correction an
#' interval for two samples of one law would miss 0.5 about three times as often
#' as it should. The interval is the AUC plus and minus the normal quantile
#' times the standard error, cut to \[0, 1\]; at an AUC of exactly 1 it has no
#' width.
#'
#' An AUC *below* 0.5 by more than chance is a sign too: rows then come in pairs,
#' one of each table, nearer to each other than to the rest, as where synthetic
#' rows were made by moving real ones a little. See [novelty()]. It can also be an accident of sampling: of 40 pairs of
#' samples of one law, about one has a 95 % interval that lies below 0.5. An AUC below 0.5 whose interval holds 0.5 is
#' no better than 0.5.
#'
#' @param real,synthetic Matrices or data frames with the same columns (matched by name where both have names), of
#'   every kind and with missing values: see [mixed_tables].
#' @param classifier `"both"`, `"knn"`, `"quadratic"` or `"forest"`. `NULL`: `"both"` if all columns are numbers without
#'   missing values; for other tables `"forest"` if ranger is installed, otherwise `"both"`. The print-out says which
#'   was used.
#' @param folds Number of parts, a whole number from 2 to half the rows of the
#'   smaller table.
#' @param k Number of neighbours of `"knn"`, a whole number from 1 to the number
#'   of rows to learn from. `NULL`: the square root of that number, at most 50.
#' @param level Confidence level of the interval, a number from 0 (no width) to 1
#'   (the interval from 0 to 1, unless the AUC has no standard error).
#' @param seed `NULL` goes on with R's current stream; a whole number is given to
#'   [set.seed()] first, and the stream is restored afterwards.
#' @param threads As in [efs_forward()].
#' @return An object of class `c2st`, a list with `auc`, `interval` (lower and
#'   upper), `level`, `se`, `classifier`, `each` (the AUC of each classifier
#'   used), `terms` (what `"quadratic"` was given), `k`, `folds` and `n`.
#' @references
#' Lopez-Paz D, Oquab M (2017). Revisiting classifier two-sample tests.
#' \doi{10.48550/arXiv.1610.06545}
#'
#' DeLong ER, DeLong DM, Clarke-Pearson DL (1988). Comparing the areas under two
#' or more correlated receiver operating characteristic curves: a nonparametric
#' approach. Biometrics 44, 837-845. \doi{10.2307/2531595}
#'
#' Nadeau C, Bengio Y (2003). Inference for the generalization error. Machine
#' Learning 52, 239-281. \doi{10.1023/A:1024068626366}
#' @seealso [fidelity()], [prdc()]
#' @aliases auc
#' @examples
#' set.seed(1)
#' real <- matrix(rnorm(600), 200)
#' c2st(real, matrix(rnorm(600), 200), seed = 1)
#' c2st(real, matrix(rnorm(600, mean = 0.5), 200), seed = 1)
#' c2st(iris[c(TRUE, FALSE), ], iris[c(FALSE, TRUE), ], classifier = "knn", seed = 1)
#' @export
c2st <- function(real, synthetic, classifier = NULL, folds = 5, k = NULL, level = 0.95, seed = NULL,
                 threads = NULL) {
  judged <- read_judged(list(real = real, synthetic = synthetic), 4L)
  tell_left_out(judged$left_out)
  classifier <- chosen_classifier(classifier, judged$layout)
  n <- c(real = nrow(judged$points$real), synthetic = nrow(judged$points$synthetic))
  folds <- check_count(folds, "folds", 2L)
  if (folds > min(n) / 2) {
    fail("`folds` must be at most half the rows of the smaller table, here %d, not %d.", min(n) %/% 2L, folds)
  }
  fewest <- sum(n) - sum(ceiling(n / folds)) # rows to learn from
  k <- if (is.null(k)) min(50L, as.integer(ceiling(sqrt(fewest)))) else check_count(k, "k", 1L)
  if (k > fewest) fail("`k` must be at most the %d rows to learn from, not %d.", fewest, k)
  level <- check_number(level, "level", lower = 0, upper = 1)
  stream_within(seed, fixed = TRUE)
  x <- do.call(rbind, unname(judged$points))
  judged$points <- NULL # they may be large
  if (!is.null(judged$layout)) x <- in_judged_units(list(x), judged$layout, x)[[1]]
  classify(x, n, classifier, judged$layout, folds, k, level, threads)
}

classifiers <- c("both", "knn", "quadratic", "forest")

# NULL: "forest" for tables with columns of other kinds than numbers, if ranger is there; otherwise "both".
chosen_classifier <- function(classifier, layout) {
  if (is.null(classifier)) return(if (!is.null(layout) && has_forest()) "forest" else "both")
  classifier <- check_choice(classifier, classifiers, "classifier")
  if (classifier == "forest" && !has_forest()) {
    message("The classifier \"forest\" needs the package ranger, which is not installed; \"both\" is used.")
    return("both")
  }
  classifier
}

# x: the n["real"] real rows, then the n["synthetic"] others. layout: NULL if the columns are plain numbers, which
# "knn" brings to one unit.
classify <- function(x, n, classifier, layout, folds = 5L, k = NULL, level = 0.95, threads = NULL) {
  if (is.null(k)) k <- min(50L, as.integer(ceiling(sqrt(sum(n) - sum(ceiling(n / folds))))))
  fold <- unlist(lapply(n, function(rows) sample_rows(rep_len(seq_len(folds), rows))), use.names = FALSE)
  label <- rep(c(0, 1), n)
  used <- if (classifier == "both") c("knn", "quadratic") else classifier
  score <- list()
  terms <- NA_character_
  if ("knn" %in% used) score$knn <- neighbour_scores(x, label, fold, k, threads, is.null(layout))
  if ("quadratic" %in% used) {
    found <- quadratic_features(x, fold, layout)
    score$quadratic <- drop(ridge_scores(found$features, as.matrix(label), fold))
    terms <- found$terms
  }
  if ("forest" %in% used) {
    seed <- base::sample.int(.Machine$integer.max, 1)
    score$forest <- forest_scores(judged_frame(x, layout), label, fold, seed, threads)
    terms <- "columns"
  }
  each <- vapply(score, function(s) fold_auc(s, label, fold)[["auc"]], 0)
  if (classifier == "both") {
    score$both <- stats::ave(score$knn, fold, FUN = rank) + stats::ave(score$quadratic, fold, FUN = rank)
  }
  found <- fold_auc(score[[classifier]], label, fold)
  half <- if (found[["se"]] > 0) stats::qnorm((1 + level) / 2) * found[["se"]] else 0
  structure(
    list(
      auc = found[["auc"]],
      interval = c(lower = max(0, found[["auc"]] - half), upper = min(1, found[["auc"]] + half)),
      level = level, se = found[["se"]], classifier = classifier, each = each, terms = terms,
      k = if ("knn" %in% used) k else NA_integer_, folds = folds, n = n
    ),
    class = "c2st"
  )
}

# Share of label 1 among the k nearest rows of the other folds.
neighbour_scores <- function(x, label, fold, k, threads, scale = TRUE) {
  near <- other_folds(x, fold, k, threads, scale)
  rowMeans(matrix(label[near], nrow(near)))
}

# The numbers of the k nearest rows of the other folds, [N, k]. scale: whether columns are brought to one unit first.
other_folds <- function(x, fold, k, threads, scale = TRUE) {
  if (scale) x <- shift_columns(x, numeric(ncol(x)), column_spread(x))
  near <- matrix(0L, nrow(x), k)
  for (part in unique(fold)) {
    test <- fold == part
    index <- neighbours(x[test, , drop = FALSE], x[!test, , drop = FALSE], k, threads = threads)$index
    near[test, ] <- which(!test)[index]
  }
  near
}

# Normal scores z of the columns, their squares and their products, as far as there is room.
# With a layout, terms that others determine are left out: squares of 0/1, and products within one column.
quadratic_features <- function(x, fold, layout = NULL) {
  if (!is.null(layout)) return(mixed_features(x, fold, layout))
  z <- over_columns(x, function(part, at) {
    scores <- apply(part, 2, function(column) stats::qnorm((rank(column) - 0.5) / length(column)))
    scores / rep(column_spread(scores), each = nrow(scores))
  })
  d <- ncol(z)
  room <- min(1000, (nrow(z) - max(tabulate(fold))) / 4)
  terms <- "columns"
  if (2 * d <= room) terms <- "columns and squares"
  if (d * (d + 3) / 2 <= room) terms <- if (d > 1) "columns, squares and products" else "columns and squares"
  features <- switch(terms,
    columns = z,
    `columns and squares` = cbind(z, (z^2 - 1) / sqrt(2)),
    {
      pair <- utils::combn(d, 2)
      cbind(z, (z^2 - 1) / sqrt(2), z[, pair[1, ]] * z[, pair[2, ]])
    }
  )
  list(features = features, terms = terms)
}

mixed_features <- function(x, fold, layout) {
  last <- layout$type == "level" & duplicated(layout$column) & !duplicated(layout$column, fromLast = TRUE)
  z <- apply(x[, !last, drop = FALSE], 2, function(column) stats::qnorm((rank(column) - 0.5) / length(column)))
  layout <- layout[!last, ]
  z <- sweep(sweep(z, 2, colMeans(z)), 2, column_spread(z), "/")
  numbers <- which(layout$type == "number")
  room <- min(1000, (nrow(z) - max(tabulate(fold))) / 4)
  features <- z
  terms <- "columns"
  squares <- (z[, numbers, drop = FALSE]^2 - 1) / sqrt(2)
  if (length(numbers) && ncol(features) + ncol(squares) <= room) {
    features <- cbind(features, squares)
    terms <- "columns and squares"
  }
  pair <- if (ncol(z) > 1) utils::combn(ncol(z), 2) else matrix(0L, 2, 0)
  pair <- pair[, layout$column[pair[1, ]] != layout$column[pair[2, ]], drop = FALSE]
  if (ncol(pair) && ncol(features) + ncol(pair) <= room) {
    features <- cbind(features, z[, pair[1, ], drop = FALSE] * z[, pair[2, ], drop = FALSE])
    terms <- if (length(numbers)) "columns, squares and products" else "columns and products"
  }
  list(features = features, terms = terms)
}

# Fitted labels of ridge regressions without the fold, one column per column of `label`. With f the features less their
# means over the training rows and y the labels likewise: (f'f + p I)^-1 f'y, or where terms outnumber rows
# f'(ff' + p I)^-1 y. The penalty p says beforehand that all p terms together explain as much as noise does.
ridge_scores <- function(features, label, fold) {
  if (ncol(features) > nrow(features)) return(ridge_scores_by_rows(features, label, fold))
  p <- ncol(features)
  parts <- split(seq_along(fold), fold)
  score <- matrix(0, nrow(label), ncol(label))
  sums <- lapply(parts, function(rows) {
    f <- features[rows, , drop = FALSE]
    y <- label[rows, , drop = FALSE]
    list(square = crossprod(f), cross = crossprod(f, y), f = colSums(f), y = colSums(y), n = length(rows))
  })
  total <- Reduce(function(a, b) Map(`+`, a, b), sums)
  for (j in seq_along(parts)) {
    s <- Map(`-`, total, sums[[j]])
    square <- s$square - tcrossprod(s$f) / s$n + diag(p, p)
    weight <- solve(square, s$cross - outer(s$f, s$y / s$n))
    score[parts[[j]], ] <- features[parts[[j]], , drop = FALSE] %*% weight
  }
  score
}

ridge_scores_by_rows <- function(features, label, fold) {
  score <- matrix(0, nrow(label), ncol(label))
  products <- inner_products_of_rows(features)
  for (test in split(seq_along(fold), fold)) {
    train <- setdiff(seq_along(fold), test)
    means <- rowMeans(products[, train])
    inner <- sweep(products[, train] - means, 2, means[train]) + mean(means[train])
    own <- label[train, , drop = FALSE]
    weight <- solve(inner[train, ] + diag(ncol(features), length(train)), sweep(own, 2, colMeans(own)))
    score[test, ] <- inner[test, ] %*% weight
  }
  score
}

# The AUC over the folds and its standard error: see ?c2st.
fold_auc <- function(score, label, fold) {
  parts <- lapply(split(seq_along(fold), fold), function(rows) {
    c(delong_auc(score[rows][label[rows] == 0], score[rows][label[rows] == 1]),
      pairs = sum(label[rows] == 0) * sum(label[rows] == 1))
  })
  parts <- do.call(rbind, parts)
  folds <- nrow(parts)
  weight <- parts[, "pairs"] / sum(parts[, "pairs"])
  c(auc = sum(weight * parts[, "auc"]),
    se = sqrt(sum(weight^2 * parts[, "variance"]) * (1 + folds / (folds - 1))))
}

# P(low < high) + P(low = high) / 2 over pairs, and DeLong's variance from the
# placements of each value among the others, by ranks.
delong_auc <- function(low, high) {
  ranks <- rank(c(low, high))
  below <- (ranks[-seq_along(low)] - rank(high)) / length(low)
  above <- 1 - (ranks[seq_along(low)] - rank(low)) / length(high)
  c(auc = mean(below), variance = stats::var(below) / length(high) + stats::var(above) / length(low))
}

score_auc <- function() {
  new_score("auc", "classifier AUC",
    value = function(x, y, settings) {
      found <- classify(rbind(x, y), c(real = nrow(x), synthetic = nrow(y)), used_classifier(settings),
                        settings$layout, threads = settings$threads)
      structure(found$auc, object = found)
    },
    deal_rows = 2500, relabel = auc_deals, kept = "c2st", sentence = auc_sentence,
    details = function(object) paste("the classifier saw:", object$terms)
  )
}

used_classifier <- function(settings) if (is.null(settings$classifier)) "both" else settings$classifier

# The AUC for each deal. Folds are drawn without regard to the tables. What the classifiers learn from is then the same
# for all deals but for the labels.
auc_deals <- function(pooled, first, settings) {
  size <- nrow(pooled)
  folds <- 5L
  fold <- with_stream(settings$seed, function() sample_rows(rep_len(seq_len(folds), size)))
  label <- 1 - first
  classifier <- used_classifier(settings)
  ranks <- list()
  if (classifier %in% c("both", "knn")) {
    k <- min(50L, as.integer(ceiling(sqrt(size - ceiling(size / folds)))))
    near <- other_folds(pooled, fold, k, settings$threads, is.null(settings$layout))
    ranks$knn <- apply(label, 2, function(y) rowMeans(matrix(y[near], size)))
  }
  if (classifier %in% c("both", "quadratic")) {
    ranks$quadratic <- ridge_scores(quadratic_features(pooled, fold, settings$layout)$features, label, fold)
  }
  if (classifier == "forest") {
    frame <- judged_frame(pooled, settings$layout)
    ranks$forest <- apply(label, 2, function(y) forest_scores(frame, y, fold, settings$seed, settings$threads,
                                                            trees = 100L))
  }
  sums <- pairs <- numeric(ncol(first))
  for (rows in split(seq_len(size), fold)) {
    n <- colSums(label[rows, , drop = FALSE])
    together <- Reduce(`+`, lapply(ranks, function(score) apply(score[rows, , drop = FALSE], 2, rank)))
    wins <- colSums(apply(together, 2, rank) * label[rows, , drop = FALSE]) - n * (n + 1) / 2
    sums <- sums + wins
    pairs <- pairs + n * (length(rows) - n)
  }
  sums / pairs
}

# The end of the report's sentence on closeness.
auc_sentence <- function(object, alike, ...) {
  start <- sprintf("A classifier reaches AUC %.2f (%.2f to %.2f; 0.5 is chance)", object$auc,
                   object$interval[["lower"]], object$interval[["upper"]])
  if (!alike) return(paste0(start, ": it can tell the tables apart", if (object$auc < 0.55) ", barely." else "."))
  if (object$interval[["upper"]] < 0.5) {
    return(paste0(start, ", below chance: ", closer_words, "."))
  }
  if (object$interval[["lower"]] > 0.5) return(paste0(start, ", which random deals of the rows reach too."))
  paste0(start, ": it cannot tell the tables apart.")
}

# What an AUC whose interval lies below 0.5 means.
closer_words <- paste("the tables are closer than two independent samples of one law,",
                      "because one was made from the other, or by an accident of sampling")

c2st_sentence <- function(x) {
  if (x$interval[["lower"]] > 0.5) {
    how <- if (x$auc < 0.55) "barely" else if (x$auc < 0.7) "partly" else "easily"
    sprintf(paste("The tables can be told apart, %s: given a real and a synthetic row, the classifier knows which is",
                  "which %.0f times out of 100."), how, 100 * x$auc)
  } else if (x$interval[["upper"]] < 0.5) {
    paste0("The AUC is below chance: ", closer_words, ". novelty() tells copies from new rows.")
  } else {
    paste0("The classifier cannot tell the tables apart; what difference there is, this many rows do not show it.",
           if (x$auc < 0.5) paste(" An AUC below 0.5 whose interval holds 0.5 is an accident of sampling,",
                                  "not a better result."))
  }
}

#' @rdname c2st
#' @param x A `c2st` object.
#' @param ... Not used.
#' @export
format.c2st <- function(x, ...) {
  check_dots("format()", ...)
  c(
    sprintf("<c2st> %d real rows, %d synthetic rows, classifier \"%s\", %d folds", x$n[["real"]],
            x$n[["synthetic"]], x$classifier, x$folds),
    sprintf("held-out AUC %.3f, %s %% interval %.3f to %.3f (0.5: cannot be told apart)", x$auc,
            format(100 * x$level), x$interval[["lower"]], x$interval[["upper"]]),
    c2st_sentence(x)
  )
}

#' @rdname c2st
#' @export
print.c2st <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}
