# A mixture of the laws that a search has scored.

# The columns that a stack is made from: the best ones, at most this many, and of each law its best settings.
most_stack_columns <- 25L

# A mixture of the laws of one candidate. NULL: it is not better than the best of them by more than one standard error
# of the paired difference.
stack_columns <- function(scores) {
  if (length(unique(scores$law)) < 2) return(NULL)
  means <- colMeans(scores$value)
  some <- order(means, decreasing = TRUE)
  first <- match(unique(scores$law), scores$law[some])
  some <- unique(some[c(seq_len(min(most_stack_columns, length(some))), first)])
  some <- some[is.finite(means[some])]
  if (length(some) < 2) return(NULL)
  weights <- stacking_weights(scores$value[, some, drop = FALSE])
  each <- log_mean_exp(scores$value[, some, drop = FALSE], weights)
  gain <- each - scores$value[, best_column(scores)]
  if (!isTRUE(mean(gain) > stats::sd(gain) / sqrt(length(gain)))) return(NULL)
  used <- some[weights > 0]
  parts <- lapply(used, function(column) {
    list(law = scores$reference[[column]], settings = scores$settings[[column]])
  })
  list(each = each, settings = list(parts = parts, weights = weights[weights > 0]), keys = scores$key[used])
}

# A part of less weight is dropped, because it takes as much time to draw and to evaluate as any other part.
least_weight <- 0.05
most_parts <- 4L

# Steps of EM: first over all columns, until their weights are near their limits, and then over those that are kept.
weighing_steps <- c(200L, 100L)

# The weights of at most `most_parts` columns of held-out log-densities. The others have weight 0.
stacking_weights <- function(each) {
  weights <- mixture_weights(each, weighing_steps[1])
  kept <- order(weights, decreasing = TRUE)[seq_len(min(most_parts, ncol(each)))]
  kept <- kept[weights[kept] >= min(least_weight, max(weights))]
  weights[-kept] <- 0
  mixture_weights(each, weighing_steps[2], weights / sum(weights))
}

# Held-out log-densities of the rows under the stack or, without a stack, under the best law.
best_rows <- function(scores) {
  stack <- stack_columns(scores)
  if (is.null(stack)) scores$value[, best_column(scores)] else stack$each
}

# Some laws gain more than others from more rows. So a stack that was chosen on a part of the rows is weighted again:
# its parts and the best settings of each law, with all their widths, are fitted to all rows but those of one fold. With
# cells, the rows are fewer, because each row has several draws. Without cells they are as many as a law is fitted to,
# see most_law_rows, and as are held out.
most_rows_again <- c(cells = 12000L, plain = 102000L)

score_again <- function(z, blocks, chosen, stack, specs, setting) {
  some <- thinned_rows(nrow(z), most_rows_again[[if (is.null(setting$cells)) "plain" else "cells"]])
  if (length(some) < nrow(z)) {
    z <- z[some, , drop = FALSE]
    blocks <- blocks[some]
    setting$gaps <- pick_gaps(setting$gaps, some)
  }
  setting$cells <- draws_of_cells(pick_cells(setting$cells, some))
  folds <- make_folds(nrow(z), blocks, max(5L, ceiling(nrow(z) / most_search_rows)))
  of_stack <- Filter(function(spec) spec$key %in% stack$keys, specs)
  some <- c(of_stack, rival_specs(specs, list(chosen)))
  some <- some[!duplicated(vapply(some, `[[`, "", "key"))]
  if (!is.null(setting$gaps)) z <- fill_folds(z, folds, setting$gaps, setting$threads)(1L)
  scores <- score_candidate(z, folds != 1L, chosen$candidate, some, setting)
  if (!is.null(scores) && scores$late) leave_out(setting$limit, "weights")
  if (is.null(scores) || scores$late) return(chosen)
  scores$value[is.na(scores$value)] <- -Inf
  scores[c("candidate", "rows")] <- chosen[c("candidate", "rows")]
  scores
}
