# The registry of scores: what fidelity() walks.

test_that("the scores of the package are found and keep their names", {
  ours <- fidelity_scores()
  known <- c("auc", "energy_distance", "mmd", "sliced_wasserstein", "wasserstein2",
             "coverage", "density", "precision", "recall")
  expect_identical(intersect(names(ours), known), known) # in this order: those first of which a lower value is better
  expect_identical(unname(vapply(ours[known], `[[`, "", "better")), rep(c("lower", "higher"), c(5, 4)))
  expect_output(print(ours$auc), "<score> \"auc\" (classifier AUC): lower is better", fixed = TRUE)
})

# Two tables, their rows put together, and three deals of them; the first is the tables as they are.
dealt <- function(n, m, p, ties = FALSE) {
  draw <- function(rows) if (ties) matrix(sample(3, rows * p, TRUE) + 0, rows) else matrix(rnorm(rows * p), rows)
  first <- cbind(rep(1:0, c(n, m)), sample(rep(1:0, c(n, m))), sample(rep(1:0, c(n, m))))
  list(pooled = rbind(draw(n), draw(m) + 0.2), first = first)
}

test_that("relabel() of a score gives for each deal what value() gives for its two tables", {
  set.seed(1)
  settings <- list(k = 5, threads = 1L, seed = 3L, bandwidth = 1.5)
  ours <- Filter(function(score) !is.null(score$relabel), fidelity_scores())
  expect_gte(length(ours), 9)
  for (size in list(c(30, 30, 3), c(25, 60, 2), c(20, 22, 60))) {
    deals <- dealt(size[1], size[2], size[3])
    for (name in setdiff(names(ours), "auc")) {
      settings$memo <- new.env()
      found <- ours[[name]]$relabel(deals$pooled, deals$first, settings)
      wanted <- vapply(1:3, function(deal) {
        own <- deals$first[, deal] == 1
        settings$memo <- NULL
        ours[[name]]$value(deals$pooled[own, , drop = FALSE], deals$pooled[!own, , drop = FALSE], settings)
      }, 0)
      expect_equal(found, wanted, tolerance = tolerance$kernel, info = name)
    }
  }
})

test_that("relabel() of the AUC is the classifier of c2st(), with folds that do not regard the tables", {
  set.seed(2)
  deals <- dealt(40, 35, 2)
  settings <- list(threads = 1L, seed = 3L)
  found <- fidelity_scores()$auc$relabel(deals$pooled, deals$first, settings)
  # the same folds, classifiers and AUC, one deal at a time
  set.seed(3)
  fold <- sample(rep_len(1:5, 75))
  for (deal in 1:3) {
    label <- 1 - deals$first[, deal]
    near <- particleflow:::neighbour_scores(deals$pooled, label, fold, 8L, 1L)
    features <- particleflow:::quadratic_features(deals$pooled, fold)$features
    squares <- drop(particleflow:::ridge_scores(features, as.matrix(label), fold))
    both <- ave(near, fold, FUN = rank) + ave(squares, fold, FUN = rank)
    expect_equal(found[deal], particleflow:::fold_auc(both, label, fold)[["auc"]])
  }
})

test_that("balls of tied rows are closed in the deals too", {
  set.seed(3)
  deals <- dealt(30, 40, 2, ties = TRUE)
  settings <- list(k = 3, threads = 1L)
  found <- particleflow:::ball_deals(deals$pooled, deals$first, 3, 1L)
  for (deal in 1:3) {
    own <- deals$first[, deal] == 1
    expect_equal(found[, deal], prdc(deals$pooled[own, ], deals$pooled[!own, ], 3))
  }
})

test_that("a score of the user stands beside ours, is judged like them and printed", {
  spread <- new_score("spread", "difference of spreads", function(x, y, settings) abs(log(sd(y) / sd(x))))
  set.seed(4)
  x <- matrix(rnorm(120), 60)
  report <- fidelity(x, 3 * matrix(rnorm(120), 60), scores = c(fidelity_scores()["energy_distance"], list(spread)))
  expect_identical(report$scores$score, c("energy_distance", "spread"))
  expect_false(report$scores$alike[2])
  expect_null(report$c2st)
  expect_match(format(report), "difference of spreads", all = FALSE)
  expect_match(report$verdict[["closeness"]], "By 2 of 2 scores")
  alone <- fidelity(x, matrix(rnorm(120), 60), scores = spread)
  expect_identical(alone$verdict[["overall"]], "close and new")
  expect_match(alone$verdict[["closeness"]], "By the one score")
  expect_output(print(summary(alone)), "seconds")
  higher <- new_score("middle", "middle", function(x, y, settings) -mean(y), better = "higher", rows = 30)
  expect_true(fidelity(x, x[60:1, ] + 1e-9, scores = higher)$scores$alike)
})

test_that("a bad score is named", {
  x <- matrix(rnorm(60), 30)
  good <- function(x, y, settings) 1
  expect_error(new_score("My score", "a", good), "`name` must be one word of small letters")
  expect_error(new_score("a", NA, good), "`label` must be one character string, not NA")
  expect_error(new_score("a", "a", 1), "`value` must be a function, not 1")
  expect_error(new_score("a", "a", good, better = "up"), "`better` must be one of \"lower\", \"higher\"")
  expect_error(new_score("a", "a", good, rows = "all"), "`rows` must be one of \"max_rows\", \"w2_rows\"")
  expect_error(new_score("a", "a", good, relabel = 3), "`relabel` must be a function, not 3")
  expect_error(fidelity(x, x, scores = 1), "`scores` must be NULL or a list of scores made by new_score\\(\\), not 1")
  expect_error(fidelity(x, x, scores = list(good)), "its entry 1 is an object of class \"function\"")
  twice <- list(new_score("a", "a", good), new_score("a", "b", good))
  expect_error(fidelity(x, x, scores = twice), "two scores with the name \"a\"")
  none <- new_score("none", "none", function(x, y, settings) NA_real_)
  expect_error(fidelity(x, x, scores = none), "`value` of the score \"none\" must return one finite number, not NA")
  short <- new_score("short", "short", good, relabel = function(pooled, first, settings) 1)
  expect_error(fidelity(x, x, scores = short),
               "`relabel` of the score \"short\" must return 200 finite numbers", fixed = TRUE)
  expect_error(format(none, digits = 3), "format\\(\\) has no argument `digits`")
})

test_that("the functions of a score take the arguments that they are given", {
  expect_error(new_score("a", "a", function(x, y) 0),
               "`value` must be a function of 3 arguments (x, y, settings), not function(x, y)", fixed = TRUE)
  expect_error(new_score("a", "a", function(x, y, settings, more) 0), "`value` must be a function of 3 arguments")
  expect_s3_class(new_score("a", "a", function(x, y, ...) 0), "particleflow_score")
})

test_that("hostile scores get one sentence that names them", {
  x <- matrix(sin(1:60), 30)
  report <- function(...) fidelity(x, x + 1, scores = list(new_score("odd", "odd", ...)), n_permutations = 99)
  good <- function(x, y, settings) mean(x) - mean(y)
  expect_error(report(function(x, y, settings) stop("boo")), "`value` of the score \"odd\" failed: boo", fixed = TRUE)
  expect_error(report(function() 1),
               "`value` must be a function of 3 arguments (x, y, settings), not function()", fixed = TRUE)
  expect_error(report(good, relabel = function(pooled, first, settings) rep(Inf, ncol(first))),
               "`relabel` of the score \"odd\" must return 100 finite numbers", fixed = TRUE)
  kept <- function(x, y, settings) structure(1, object = 1)
  expect_error(report(kept, sentence = function(object, alike, new) 1),
               "`sentence` of the score \"odd\" must return one character string or NULL, not 1.", fixed = TRUE)
  expect_error(report(good, kept = "verdict"), "`kept` must be a name that the report does not use itself")
  changed <- new_score("odd", "odd", good)
  changed$label <- 1
  expect_error(fidelity(x, x, scores = changed), "Entry 1 of `scores` is no score as new_score() makes it: `label`",
               fixed = TRUE)
  twins <- list(new_score("a", "a", kept, kept = "mine"), new_score("b", "b", kept, kept = "mine"))
  expect_error(fidelity(x, x, scores = twins), "two scores with the kept \"mine\"")
})

test_that("no score can be kept under a name of the report", {
  report <- fidelity(matrix(sin(1:60), 30), matrix(cos(1:60), 30), n_permutations = 99)
  expect_setequal(setdiff(names(report), "c2st"), report_entries)
})

test_that("scores near the largest and the smallest doubles are judged as in another unit", {
  x <- matrix(sin(1:80), 40)
  y <- matrix(cos((1:80)^2) / 2, 40)
  judged <- function(unit) {
    score <- new_score("far", "far", function(x, y, settings) unit * (var(x[, 1]) - var(y[, 1])))
    report <- fidelity(x, y, scores = score, n_permutations = 99)
    report$scores
  }
  near <- judged(1)
  for (unit in c(2^1020, 2^-1000)) {
    far <- judged(unit)
    expect_identical(far$gap, near$gap)
    expect_identical(far$limit, unit * near$limit)
  }
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  ends <- new_score("ends", "ends", function(x, y, settings) if (x[1] > y[1]) 1.7e308 else -1.7e308)
  expect_silent(plot(fidelity(x, y, scores = ends, n_permutations = 99)))
})
