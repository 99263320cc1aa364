# Rscript run.R results/scores.csv stemcells.rda [splits [table ...]]: every method on every table, over random halves
# of the reference.
arguments <- commandArgs(TRUE)
output <- arguments[1]
splits <- if (length(arguments) > 2) as.integer(arguments[3]) else 5L
for (file in c("data.R", "methods.R", "scores.R")) source(file)

halve <- function(label) {
  unlist(lapply(split(seq_along(label), label), function(rows) rows[sample.int(length(rows), length(rows) %/% 2)]),
         use.names = FALSE)
}

# The latent space of the scores: 50 principal components of the rows before anything was moved.
scoring_space <- function(x, standardise) {
  centre <- colMeans(x)
  spread <- if (standardise) apply(x, 2, stats::sd) else rep(1, ncol(x))
  spread[spread == 0] <- 1
  full <- function(y) sweep(sweep(y, 2, centre), 2, spread, "/")
  rank <- min(50, dim(x) - 1)
  v <- if (ncol(x) <= 50) diag(ncol(x)) else svd(full(x), nu = 0, nv = rank)$v
  list(full = full, latent = function(y) full(y) %*% v)
}

score_split <- function(table, data, split) {
  counts <- data$counts
  if (!is.null(counts)) data$x <- log_counts(counts)
  set.seed(split)
  reference <- which(data$batch == data$reference)
  seen <- sort(reference[halve(data$label[reference])])
  held <- setdiff(reference, seen)
  others <- which(data$batch != data$reference)
  train <- c(seen, others)
  space <- scoring_space(data$x[train, ], standardise = TRUE)
  own <- seq_along(others) + length(seen)
  several <- length(unique(data$label)) > 1
  before <- unname(space$full(data$x[others, ]))
  score <- function(moved, held_rows, seen_rows, name, used, seconds) {
    z <- lapply(list(moved = moved, seen = seen_rows, held = held_rows), function(y) unname(space$latent(y)))
    full <- lapply(list(moved = moved, seen = seen_rows, held = held_rows), function(y) unname(space$full(y)))
    cbind(data.frame(table = table, split = split, method = name, labels = used), score_table(
      z, full, data$batch[others], data$label[others], data$label[seen], data$label[held], by_label = TRUE, before),
      seconds = seconds)
  }
  rows <- list()
  for (name in names(methods)) {
    if (!is.null(methods[[name]]$splits) && split > methods[[name]]$splits) next
    if (isTRUE(methods[[name]]$counts) && is.null(counts)) next
    for (used in methods[[name]]$labels) {
      if (used && !several) next
      if (name == "integrate_data, 1000 steps" && used != several) next
      label <- if (used) data$label[train]
      began <- proc.time()[[3]]
      given <- if (isTRUE(methods[[name]]$counts)) counts else data$x
      moved <- tryCatch(methods[[name]]$run(given[train, ], data$batch[train], label, data$reference),
                        error = function(e) { message(table, ", ", name, ": ", conditionMessage(e)); NULL })
      seconds <- proc.time()[[3]] - began
      if (is.null(moved)) next
      if (isTRUE(methods[[name]]$counts)) moved <- log_counts(moved)
      rows[[length(rows) + 1]] <- score(moved[own, , drop = FALSE], data$x[held, ], data$x[seen, ], name, used, seconds)
      cat(table, split, name, used, round(seconds, 1), "\n")
    }
  }
  if (!is.null(counts)) {
    for (used in if (several) c(FALSE, TRUE) else FALSE) {
      began <- proc.time()[[3]]
      all <- log_counts(combat_seq(counts, data$batch, if (used) data$label))
      seconds <- proc.time()[[3]] - began
      rows[[length(rows) + 1]] <- score(all[others, ], all[held, ], all[seen, ], "ComBat_seq", used, seconds)
    }
  }
  if (requireNamespace("harmony", quietly = TRUE)) {
    rows[[length(rows) + 1]] <- harmony_row(table, data, split, space, seen, held, others)
  }
  do.call(rbind, rows)
}

# harmony works on latent coordinates and moves the reference too. It is given the held-out rows as well, and so is
# ComBat_seq.
harmony_row <- function(table, data, split, space, seen, held, others) {
  z <- unname(space$latent(data$x))
  began <- proc.time()[[3]]
  out <- suppressMessages(harmony::RunHarmony(z, data.frame(batch = data$batch), "batch", verbose = FALSE))
  seconds <- proc.time()[[3]] - began
  if (nrow(out) != nrow(z)) out <- t(out)
  at <- list(moved = out[others, ], seen = out[seen, ], held = out[held, ])
  scores <- score_table(at, at, data$batch[others], data$label[others], data$label[seen], data$label[held],
                        by_label = TRUE)
  scores[c("w2_full", "spread", "energy", "full_novelty")] <- NA_real_
  cbind(data.frame(table = table, split = split, method = "harmony", labels = FALSE), scores, seconds = seconds)
}

tables <- list(
  `simulated expression` = function(split) simulate_expression(split, p = 1000),
  `simulated, other loadings` = function(split) simulate_expression(split, p = 1000, other = 0.5),
  `stem cells` = function(split) read_stemcells(arguments[2]),
  `cell lines` = function(split) read_cell_lines(),
  `bladder tumours` = function(split) read_bladder(),
  `simulated counts` = function(split) simulate_counts(split)
)
if (length(arguments) > 3) tables <- tables[arguments[-(1:3)]]
found <- list()
for (split in seq_len(splits)) {
  for (table in names(tables)) {
    found[[length(found) + 1]] <- score_split(table, tables[[table]](split), split)
    utils::write.csv(do.call(rbind, found), output, row.names = FALSE)
  }
}
