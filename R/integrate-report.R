# Before and after: what integrate_data() did, told in numbers.

# One row for each batch and label that was moved, and scores of the whole table.
compare_tables <- function(fit, before, after, threads) {
  spread <- if (fit$control$scale) column_spread(before) else rep(1, ncol(before))
  # some of these rows of a table, in the unit of the report: a table may have very many columns
  full <- function(table, rows, most) {
    some <- if (length(rows) > most) rows[spaced_rows(length(rows), most)] else rows
    shift_columns(table[some, , drop = FALSE], numeric(ncol(table)), spread)
  }
  halves <- goal_halves(fit, function(rows) full(before, rows, most_compared), threads)
  rows <- lapply(names(fit$groups), function(name) {
    group <- fit$groups[[name]]
    goal <- full(before, group$goal, most_judged)
    each <- lapply(c(before = "before", after = "after"), function(side) {
      moved <- full(if (side == "before") before else after, group$rows, most_judged)
      compare_clouds(fit$points[[side]][group$rows, , drop = FALSE], fit$points$before[group$goal, , drop = FALSE],
                     moved, goal, threads)
    })
    flow <- fit$flows[[name]]
    values <- rbind(as.data.frame(each$before), as.data.frame(each$after))
    names <- paste(rep(names(values), each = 2), c("before", "after"), sep = "_")
    values <- stats::setNames(as.list(unlist(values)), names)
    data.frame(batch = group$batch, label = group$label, n = length(group$rows), n_reference = length(group$goal),
               steps = flow$steps, stopped_by = flow$status, w2_latent_halves = flow$halves,
               w2_full_halves = halves[[goal_key(group)]], values)
  })
  report <- do.call(rbind, rows)
  report$residual_reference <- fit$outside[["reference"]]
  scores <- data.frame(
    score = c("batch silhouette", if (!is.null(fit$label)) "label silhouette"),
    before = NA_real_, after = NA_real_
  )
  for (side in c("before", "after")) {
    z <- limit_pair(fit$points[[side]], most_silhouette)
    scores[[side]][1] <- mean_silhouette(z$x, fit$batch[z$rows])
    if (!is.null(fit$label)) scores[[side]][2] <- mean_silhouette(z$x, fit$label[z$rows])
  }
  list(report, scores)
}

goal_key <- function(group) if (is.na(group$label)) "all" else group$label

# In full space, once for each label. full(rows) gives the rows in the unit of the report.
goal_halves <- function(fit, full, threads) {
  goals <- list()
  for (group in fit$groups) goals[[goal_key(group)]] <- group$goal
  lapply(goals, function(rows) halves_distance(full(rows), threads, 5L))
}

# Rows that scores compare.
most_judged <- 1000L

# Rows of z against those of goal, in latent space, and of x against those of y, in full: at most most_judged.
compare_clouds <- function(z, goal, x, y, threads) {
  least <- min(nrow(x), nrow(y))
  list(
    w2_latent = bare_distance(limit_spaced(z, most_judged), limit_spaced(goal, most_judged), threads),
    w2_full = bare_distance(x, y, threads),
    novelty = compare_novelty(z, goal, NULL, threads = threads)$ratio,
    auc = if (least < least_classified) NA_real_ else {
      c2st(y, x, threads = threads)$auc
    },
    silhouette = mean_silhouette(rbind(limit_spaced(z, most_judged), limit_spaced(goal, most_judged)),
                                 rep(1:2, c(min(nrow(z), most_judged), min(nrow(goal), most_judged))))
  )
}

# Fewer rows on a side say nothing of a classifier of five parts.
least_classified <- 10L

most_silhouette <- 2000L

limit_pair <- function(x, most) {
  rows <- if (nrow(x) > most) spaced_rows(nrow(x), most) else seq_len(nrow(x))
  list(x = x[rows, , drop = FALSE], rows = rows)
}

# (b - a) / max(a, b): a the mean distance to the rows of the own class, b the least mean distance
# to those of another; 0 for a class of one row.
mean_silhouette <- function(x, class) {
  class <- droplevels(as.factor(class))
  if (nlevels(class) < 2) return(NA_real_)
  distance <- as.matrix(stats::dist(x))
  member <- stats::model.matrix(~ class - 1)
  sums <- distance %*% member # [n, classes]
  size <- colSums(member)
  own <- cbind(seq_len(nrow(x)), as.integer(class))
  alone <- size[own[, 2]] < 2
  inner <- sums[own] / pmax(size[own[, 2]] - 1, 1)
  means <- sweep(sums, 2, size, "/")
  means[own] <- Inf
  outer <- apply(means, 1, min)
  width <- (outer - inner) / pmax(inner, outer)
  width[alone | !is.finite(width)] <- 0
  mean(width)
}
