# Draws of scores under conditions.

# One draw per row of low and high [n, d], from the flow and its law given low <= z <= high. Returns points [n, d], and
# per row log_probability of the box and variance, the squared relative standard error of the probability. Points among
# the coordinates count with their density.
flow_within <- function(flow, low, high, correlation, key, threads) {
  low[low <= -largest_score] <- -Inf
  high[high >= largest_score] <- Inf
  if (is_bare(flow) && is_conditioned(flow$law)) return(law_within(flow$law, low, high, key, threads))
  choose_proposals(nrow(low), ncol(low), function(rows, round) {
    draw <- cell_draws(low[rows, , drop = FALSE], low[rows, , drop = FALSE], high[rows, , drop = FALSE], correlation,
                       other_key(key, 64L + round), round %% 2 == 1)
    list(points = draw$z, log_weight = as.vector(flow_log_density(flow, draw$z, threads)) - draw$log)
  }, key, first = 64L)
}

# Whether the scores themselves have the law: there is no flow, and their unit is not changed.
is_bare <- function(flow) {
  n_steps(flow$trajectory) == 0 && is.null(flow$turn) && all(flow$centre == 0) && all(flow$scale == 1)
}

# condition: what read_given() returns. Returns points [n, d], class [n], and log_probability and standard_error [k],
# one per condition.
draw_given <- function(fit, condition, threads) {
  flows <- class_flows(fit)
  pieces <- condition_pieces(condition, lengths(fit$rows) / sum(lengths(fit$rows)))
  key <- draw_key()
  draw <- function(which, key) {
    draw_kept(fit, flows, condition$boxes[pieces$box[which]], pieces$class[which], which, key, threads)
  }
  k <- length(condition$classes)
  # the pieces of a condition that has several are chosen with their probabilities, so these come first
  several <- which(tabulate(pieces$of, k)[pieces$of] > 1)
  tried <- rep(several, each = min(piece_draws$each, max(1L, piece_draws$all %/% max(length(several), 1L))))
  first <- if (length(tried)) pool_pieces(draw(tried, other_key(key, 1L)), tried, nrow(pieces))
  chosen <- choose_pieces(condition$of, pieces, first$log_probability, draw_uniform(length(condition$of), 1, key)[, 1])
  drawn <- draw(chosen, other_key(key, 2L))
  each <- pool_pieces(drawn, chosen, nrow(pieces))
  if (length(tried)) each[several, ] <- first[several, ]
  total <- condition_totals(each, pieces, k)
  refuse_impossible(total, condition)
  c(list(points = drawn$points, class = pieces$class[chosen]), total)
}

# Draws by which the probabilities of the pieces of a condition are compared: of each piece, and about how many in all.
piece_draws <- list(each = 16L, all = 4000L)

# A data frame with one row per condition, class and box: of, class, box, share (the logarithm of that of the class).
condition_pieces <- function(condition, shares) {
  parts <- lapply(seq_along(condition$classes), function(i) {
    classes <- condition$classes[[i]]
    if (is.null(classes)) classes <- names(shares)
    boxes <- which(condition$condition == i)
    data.frame(of = i, class = rep(classes, each = length(boxes)), box = rep(boxes, length(classes)),
               share = rep(log(shares[classes]), each = length(boxes)), row.names = NULL)
  })
  if (length(parts) == 1) return(parts[[1]])
  data.frame(of = unlist(lapply(parts, `[[`, "of")), class = unlist(lapply(parts, `[[`, "class")),
             box = unlist(lapply(parts, `[[`, "box")), share = unlist(lapply(parts, `[[`, "share")))
}

# [n]: the piece of each row, one of those of its condition.
choose_pieces <- function(of, pieces, log_probability, u) {
  members <- split(seq_len(nrow(pieces)), pieces$of)
  chosen <- vapply(members, `[`, 0L, 1L)[as.character(of)]
  for (i in which(lengths(members) > 1)) {
    mine <- members[[i]]
    logs <- pieces$share[mine] + log_probability[mine]
    rows <- which(of == i)
    if (max(logs) > -Inf) chosen[rows] <- mine[pick_weighted(u[rows], exp(logs - log_sum(logs)))]
  }
  unname(chosen)
}

log_sum <- function(logs) if (max(logs) == -Inf) -Inf else max(logs) + log(sum(exp(logs - max(logs))))

# The estimates of the rows of each piece, joined: log_probability and standard_error [pieces, 2].
pool_pieces <- function(drawn, piece, count) {
  out <- data.frame(log_probability = rep(NA_real_, count), standard_error = rep(NA_real_, count))
  rows <- split(seq_along(piece), piece)
  pooled <- vapply(rows, function(at) {
    one <- pool_rows(list(log_probability = drawn$log_probability[at], variance = drawn$variance[at], effective = 1))
    c(one$log_probability, sqrt(one$variance))
  }, numeric(2))
  out[as.integer(names(rows)), ] <- t(pooled)
  out
}

condition_totals <- function(each, pieces, k) {
  logs <- pieces$share + each$log_probability
  total <- vapply(split(logs, pieces$of), log_sum, 0)
  part <- exp(logs - total[pieces$of]) * each$standard_error
  list(log_probability = unname(total), standard_error = unname(sqrt(rowsum(part^2, pieces$of)[, 1])))
}

# A condition of this probability and less is refused. Points have densities, which are not compared with it.
least_probability <- 1e-9

refuse_impossible <- function(total, condition) {
  points <- vapply(seq_along(condition$classes), function(i) {
    any(vapply(condition$boxes[condition$condition == i], function(box) any(box$low == box$high), NA))
  }, NA)
  bad <- which(!(total$log_probability > ifelse(points, -Inf, log(least_probability))))
  if (!length(bad)) return(invisible())
  stop_unsolved("The condition of `given`%s has the probability %.1e under the fit, which is as good as impossible.",
                in_row(match(bad[1], condition$of), condition), exp(total$log_probability[bad[1]]))
}

# The law says little about values that a table of n rows would hold with a probability of a tenth.
far_share <- 0.1

# Warns of columns of which a condition asks values far outside the table.
warn_far <- function(condition, template, n) {
  limit <- stats::qnorm(far_share / n, lower.tail = FALSE)
  far <- Reduce(`|`, lapply(split(condition$boxes, condition$condition), function(boxes) {
    nearest <- do.call(pmin, lapply(boxes, function(box) pmax(box$low, -box$high)))
    nearest > limit
  }))
  # columns of combinations, which the user does not see, come after those with names
  names <- template$names[unique(rep(seq_along(template$dims), template$dims)[far])]
  names <- names[!is.na(names)]
  if (!length(names)) return(invisible())
  warning(sprintf(paste("`given` asks for values of %s far outside the table: the new rows follow the tails of the",
                        "law, which no row supports."), quoted(names)), call. = FALSE)
}

in_row <- function(row, condition) if (condition$rows > 1) sprintf(" in row %d", row) else ""

# ---- conditions on computed columns ----------------------------------------------------------------------

# At most this many draws are made in all for rows that are drawn and kept.
most_kept_draws <- 2e5

# Rows in their boxes. Of a box with conditions on sums of columns, draws are made until one of them meets these.
draw_kept <- function(fit, flows, boxes, class, name, key, threads) {
  low <- do.call(rbind, lapply(boxes, `[[`, "low"))
  high <- do.call(rbind, lapply(boxes, `[[`, "high"))
  drawn <- draw_classes(fit, flows, low, high, class, other_key(key, 1L), threads)
  asked <- which(lengths(lapply(boxes, `[[`, "sums")) > 0)
  if (!length(asked)) return(drawn)
  met <- stats::setNames(rep(0, length(unique(name[asked]))), unique(name[asked]))
  tried <- met
  open <- asked
  made <- 0
  while (length(open)) {
    refuse_rare(boxes[asked], fit$table, length(open), sum(met), made)
    rows <- rep(open, each = max(1L, min(256L, 4096L %/% length(open))))
    some <- draw_classes(fit, flows, low[rows, , drop = FALSE], high[rows, , drop = FALSE], class[rows],
                         other_key(key, 3L, as.integer(made)), threads)
    good <- meets_sums(some$points, boxes[rows], fit$table)
    made <- made + length(rows)
    tried <- tried + tabulate(match(name[rows], names(met)), length(met))
    met <- met + tabulate(match(name[rows[good]], names(met)), length(met))
    first <- which(good)[!duplicated(rows[good])]
    drawn$points[rows[first], ] <- some$points[first, ]
    open <- setdiff(open, rows[first])
  }
  share <- (met / tried)[as.character(name[asked])]
  drawn$log_probability[asked] <- drawn$log_probability[asked] + log(share)
  # each row of a piece tells the same share, so together they are no more exact than one
  repeated <- as.vector(table(name[asked])[as.character(name[asked])])
  drawn$variance[asked] <- drawn$variance[asked] + repeated * (1 - share) / met[as.character(name[asked])]
  drawn
}

draw_classes <- function(fit, flows, low, high, class, key, threads) {
  out <- list(points = matrix(0, nrow(low), ncol(low)), log_probability = numeric(nrow(low)),
              variance = numeric(nrow(low)))
  for (one in unique(class)) {
    rows <- which(class == one)
    own <- other_key(key, 0L, match(one, names(flows)))
    # rows without a condition need no choice among proposals
    found <- if (all(low[rows, ] == -Inf & high[rows, ] == Inf)) {
      list(points = draw_rows(flows[[one]], length(rows), own, fit$control$backward, 0, FALSE, threads, FALSE)$points,
           log_probability = 0, variance = 0)
    } else {
      flow_within(flows[[one]], low[rows, , drop = FALSE], high[rows, , drop = FALSE], fit$correlation, own, threads)
    }
    out$points[rows, ] <- found$points
    out$log_probability[rows] <- found$log_probability
    out$variance[rows] <- found$variance
  }
  out
}

# [n]: whether the computed columns have what the boxes ask of them.
meets_sums <- function(points, boxes, template) {
  good <- rep(TRUE, nrow(points))
  columns <- decode_columns(points, template)
  asked <- unique(unlist(lapply(boxes, function(box) vapply(box$sums, `[[`, 0L, "column"))))
  for (j in asked) {
    column <- template$columns[[template$of[j]]]
    numbers <- column_code(column)$number(columns[[j]], column$state)
    ends <- vapply(boxes, function(box) {
      ends <- c(-Inf, Inf, 0)
      for (one in box$sums) if (one$column == j) ends <- c(max(ends[1], one$ends[1]), min(ends[2], one$ends[2]), 1)
      ends
    }, numeric(3))
    slack <- 1e-9 * pmax(abs(numbers), 1e-300)
    within <- !is.na(numbers) & numbers >= ends[1, ] - slack & numbers <= ends[2, ] + slack
    good <- good & (ends[3, ] == 0 | within)
  }
  good
}

# Stops as soon as the draws foretell that `open` further rows are not found among the draws that are allowed. met: how
# many of the draws until now met their condition.
refuse_rare <- function(boxes, template, open, met, made) {
  most <- (met + 3 * sqrt(met) + 5) / max(made, 1) # 3 standard errors above the share
  if (made < 2e4 || (made < most_kept_draws && open / most <= most_kept_draws - made)) return(invisible())
  column <- template$names[boxes[[1]]$sums[[1]]$column]
  stop_unsolved(paste("\"%s\", which is computed from other columns, is as `given` asks in %d of %s draws; %d more",
                      "rows would take more than %s draws, so ask for a wider range or fewer rows."), column, met,
                as_text(made), open, as_text(most_kept_draws))
}

# The classes of new rows; NULL for a fit without groups.
row_groups <- function(fit, class) if (is_grouped(fit)) factor(class, levels = names(fit$rows))
