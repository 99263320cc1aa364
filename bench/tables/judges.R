# The judges know nothing of particleflow. New rows, rows to fit and rows to test are data frames with the same columns.
# Numbers, dates, times and ordered factors count as ordered; text, logicals and other factors as nominal.
is_nominal <- function(x) is.character(x) || is.logical(x) || (is.factor(x) && !is.ordered(x))

# The three tables on common codes: numbers for ordered columns, integer codes for nominal ones; NA stays NA.
common_codes <- function(parts) {
  code <- function(j) {
    columns <- lapply(parts, `[[`, j)
    if (is_nominal(parts$train[[j]])) {
      levels <- sort(unique(unlist(lapply(columns, as.character))), method = "radix")
      return(lapply(columns, function(x) match(as.character(x), levels)))
    }
    if (is.ordered(parts$train[[j]])) {
      return(lapply(columns, function(x) match(as.character(x), levels(parts$train[[j]]))))
    }
    lapply(columns, as.numeric)
  }
  codes <- lapply(seq_along(parts$train), code)
  lapply(stats::setNames(names(parts), names(parts)), function(part) {
    x <- lapply(codes, `[[`, part)
    names(x) <- paste0("x", seq_along(x))
    as.data.frame(x)
  })
}

# For a forest: a missing ordered value becomes the median of the rows to fit, with a column that says so; a missing
# level is a level of its own (code 0). Nominal codes enter as numbers, because an order of levels taken from the
# response would use the rows that are out of bag, and to try all partitions of many levels does not end.
forest_columns <- function(codes, nominal) {
  filled <- lapply(codes, function(x) {
    for (j in seq_along(x)) {
      middle <- if (nominal[j] || all(is.na(codes$train[[j]]))) 0 else stats::median(codes$train[[j]], na.rm = TRUE)
      x[[j]][is.na(x[[j]])] <- middle
    }
    x
  })
  for (j in which(!nominal)) {
    if (!any(vapply(codes, function(x) anyNA(x[[j]]), NA))) next
    for (part in names(codes)) filled[[part]][[paste0("missing", j)]] <- as.numeric(is.na(codes[[part]][[j]]))
  }
  filled
}

# Area under the curve that `score` is higher where `positive`.
auc_of <- function(score, positive) {
  n <- c(sum(positive), sum(!positive))
  if (any(n == 0)) return(NA_real_)
  (sum(rank(score)[positive]) - n[1] * (n[1] + 1) / 2) / prod(n)
}

forest_auc <- function(forest, seed) {
  n <- min(nrow(forest$new), nrow(forest$test))
  set.seed(seed)
  pick <- function(x) x[sample(nrow(x), n), , drop = FALSE]
  x <- rbind(pick(forest$new), pick(forest$test))
  is_new <- rep(c(TRUE, FALSE), each = n)
  fit <- ranger::ranger(
    x = x, y = factor(is_new), probability = TRUE, num.trees = 500, num.threads = 1, seed = seed
  )
  seen <- !is.nan(fit$predictions[, 1])
  auc_of(fit$predictions[seen, "TRUE"], is_new[seen])
}

# A forest trained on `part` and tested on the test rows: R squared for an ordered target, the area under the curve for
# a target with two values, accuracy otherwise. Rows without target are left out.
usefulness <- function(forest, codes, nominal, target, part, seed) {
  j <- match(target, names(codes$train))
  predictors <- function(which, rows) {
    own <- names(forest$train) %in% c(target, paste0("missing", j))
    forest[[which]][rows, !own, drop = FALSE]
  }
  fit_rows <- which(!is.na(codes[[part]][[j]]))
  test_rows <- which(!is.na(codes$test[[j]]))
  y <- codes[[part]][[j]][fit_rows]
  truth <- codes$test[[j]][test_rows]
  explained <- function(guess) 1 - mean((truth - guess)^2) / mean((truth - mean(truth))^2)
  if (length(unique(y)) < 2) return(if (nominal[j]) NA_real_ else explained(mean(y)))
  fit <- ranger::ranger(
    x = predictors(part, fit_rows), y = if (nominal[j]) factor(y) else y, probability = nominal[j],
    num.trees = 500, num.threads = 1, seed = seed
  )
  guess <- stats::predict(fit, predictors("test", test_rows), num.threads = 1)$predictions
  if (!nominal[j]) return(explained(guess))
  values <- sort(unique(codes$train[[j]]))
  if (length(values) > 2) return(mean(as.numeric(colnames(guess))[max.col(guess, "first")] == truth))
  auc_of(guess[, as.character(values[2])], truth == values[2])
}

# Gower distance to the nearest row to fit: the mean over columns of |a - b| / range of the rows to fit (at most 1), and
# of a != b for nominal columns. A missing value is at distance 1 of all others and 0 of a missing one.
nearest_gower <- function(rows, train, nominal) {
  total <- matrix(0, nrow(rows), nrow(train))
  for (j in seq_along(train)) {
    a <- rows[[j]]
    b <- train[[j]]
    if (nominal[j]) {
      part <- outer(a, b, "!=") + 0
    } else {
      width <- if (all(is.na(b))) 0 else diff(range(b, na.rm = TRUE))
      part <- abs(outer(a, b, "-"))
      part <- if (width > 0) pmin(part / width, 1) else (part > 0) + 0
    }
    part[is.na(part)] <- 1
    part[outer(is.na(a), is.na(b), "&")] <- 0
    total <- total + part
  }
  do.call(pmin, c(as.data.frame(total), list(Inf))) / ncol(train)
}

novelty <- function(codes, nominal) {
  new <- nearest_gower(codes$new, codes$train, nominal)
  test <- nearest_gower(codes$test, codes$train, nominal)
  near <- c(stats::median(new), stats::median(test))
  c(
    novelty = if (near[2] > 0) near[1] / near[2] else NA, novelty_new = near[1], novelty_test = near[2],
    copies_new = mean(new < 1e-12), copies_test = mean(test < 1e-12)
  )
}

# Spearman's correlation of two ordered columns, the correlation ratio of the ranks for a nominal and an ordered one,
# Cramer's V for two nominal ones; on the rows that have both. A constant column has association 0.
association <- function(x, y, nominal) {
  keep <- !is.na(x) & !is.na(y)
  x <- x[keep]
  y <- y[keep]
  if (length(unique(x)) < 2 || length(unique(y)) < 2) return(0)
  if (!any(nominal)) return(stats::cor(rank(x), rank(y)))
  if (all(nominal)) {
    counts <- table(x, y)
    expected <- outer(rowSums(counts), colSums(counts)) / sum(counts)
    return(sqrt(sum((counts - expected)^2 / expected) / sum(counts) / (min(dim(counts)) - 1)))
  }
  ordered <- rank(if (nominal[1]) y else x)
  group <- if (nominal[1]) x else y
  sqrt(stats::var(stats::ave(ordered, group)) / stats::var(ordered))
}

associations <- function(x, nominal) {
  pairs <- utils::combn(length(x), 2)
  apply(pairs, 2, function(p) association(x[[p[1]]], x[[p[2]]], nominal[p]))
}

# Kolmogorov-Smirnov of ordered columns, total variation of nominal ones; a missing value is one more value, below all.
margin_error <- function(new, test, nominal) {
  share <- function(x, values) tabulate(match(x, values), length(values)) / length(x)
  values <- sort(unique(c(new, test)), na.last = FALSE)
  difference <- share(new, values) - share(test, values)
  if (nominal) sum(abs(difference)) / 2 else max(abs(cumsum(difference)))
}

JUDGES <- c("auc", "useful", "useful_real", "novelty", "novelty_new", "novelty_test", "copies_new", "copies_test",
            "association", "margins", "types")

# The mean log-likelihood of the test rows without a missing value, and of all test rows if the method has it for rows
# with missing values (NA otherwise). A row that the method calls impossible gets the lowest value of its other rows.
LIKELIHOOD <- c("log_lik", "log_lik_all", "impossible")
likelihood_scores <- function(log_density, test) {
  finite <- is.finite(log_density)
  if (!any(finite)) return(rep(NA_real_, 3))
  impossible <- !finite & !(is.na(log_density) & !is.nan(log_density))
  log_density[impossible] <- min(log_density[finite])
  whole <- stats::complete.cases(test)
  c(mean(log_density[whole]), mean(log_density), sum(impossible) / sum(finite | impossible))
}

same_type <- function(a, b) identical(class(a), class(b)) && identical(levels(a), levels(b))

judge <- function(new, parts, seed) {
  if (!identical(names(new), names(parts$train))) stop("the new rows have other columns")
  tables <- list(new = new, train = parts$train, test = parts$test)
  nominal <- vapply(parts$train, is_nominal, NA)
  codes <- common_codes(tables)
  forest <- forest_columns(codes, nominal)
  target <- paste0("x", match(parts$target, names(parts$train)))
  c(
    auc = forest_auc(forest, seed),
    useful = usefulness(forest, codes, nominal, target, "new", seed),
    useful_real = usefulness(forest, codes, nominal, target, "train", seed),
    novelty(codes, nominal),
    association = mean(abs(associations(codes$new, nominal) - associations(codes$test, nominal))),
    margins = mean(mapply(margin_error, codes$new, codes$test, nominal)),
    types = mean(mapply(same_type, new, parts$train))
  )
}
