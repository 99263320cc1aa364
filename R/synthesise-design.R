# Designs of new samples: classes, batches, what becomes of the effects of batches, and stated effects on genes.

# A plan of new samples has one entry per sample:
#   class: the class of the fit; batch: the number of the batch, NULL if the fit has none or it is to be drawn;
#   label: the values of a group that the fit does not know, or NULL.

# The plan of a data frame with the columns group, batch and n, of which those that the fit does not need may be left
# out.
read_design <- function(design, fit) {
  check_design(design, fit)
  n <- if (is.null(design$n)) rep(1L, nrow(design)) else vapply(design$n, check_count, 0L, what = "design$n")
  check_new_samples(sum(as.double(n)), "sum(design$n)", fit)
  rows <- rep(seq_len(nrow(design)), n)
  if (!length(rows)) fail("`design` asks for no samples: the sum of its column `n` is 0.")
  known <- is_grouped(fit)
  class <- if (known) match_design(design$group, fit$table$group, "group") else rep(names(fit$rows), nrow(design))
  list(
    class = class[rows],
    batch = if (!is.null(design$batch)) match(match_design(design$batch, fit$batch$label, "batch"),
                                              fit$batch$label$keys)[rows],
    label = if (!known && !is.null(design$group)) design$group[rows]
  )
}

check_design <- function(design, fit) {
  if (!is.data.frame(design) || nrow(design) == 0) {
    fail("`design` must be a data frame with a row per cell, not %s.", describe(design))
  }
  check_plain_columns(design, "design")
  unknown <- setdiff(names(design), c("group", "batch", "n"))
  if (length(unknown)) fail("`design` has the columns `group`, `batch` and `n`, but not %s.", quoted(unknown))
  if (is_grouped(fit) && is.null(design$group)) fail("`design` needs a column `group`, because the fit has classes.")
  if (is.null(fit$batch) && !is.null(design$batch)) {
    fail("`design` has a column `batch`, but the fit has no batches: give synthesise() a `batch`.")
  }
}

# A data frame whose columns are vectors, each with a name of its own.
check_plain_columns <- function(x, what) {
  twice <- anyDuplicated(names(x))
  if (twice) fail("`%s` has the column `%s` twice.", what, names(x)[twice])
  for (name in names(x)) {
    if (!is.atomic(x[[name]]) || !is.null(dim(x[[name]]))) {
      fail("Column `%s` of `%s` must be a vector, not %s.", name, what, describe(x[[name]]))
    }
  }
}

# The memory that new samples take. what: how the user asks for as many.
check_new_samples <- function(n, what, fit) check_table_memory(n, what, fit$latent$dim + n_columns(fit$table))

match_design <- function(values, label, what) {
  keys <- match_label(values, label)
  if (!anyNA(keys)) return(keys)
  fail("Column `%s` of `design` has \"%s\", which is none of those of the fit: %s.", what,
       as.character(values[is.na(keys)][1]), some(label$keys))
}

# The plan of as many samples of each class as counts says.
plan_of_counts <- function(counts) list(class = rep(names(counts), counts))

# Latent rows [m, d] in the order of the plan, and the plan with its batches. Batches that are not named are those of
# rows of the class, drawn at random. sets: whether the plan shall have the whole balanced sets of its rows.
draw_plan <- function(fit, plan, sets, threads, progress) {
  counts <- table(factor(plan$class, levels = names(fit$rows)))
  counts <- stats::setNames(as.integer(counts), names(counts))
  whole <- if (sets) whole_sets(counts, lengths(fit$rows)) else counts
  points <- free_draws(fit, whole, 0, threads, progress)$points
  order <- order(match(plan$class, names(counts)))
  plan$points <- points[seq_along(order), , drop = FALSE]
  plan$points[order, ] <- points[sequence(whole) <= rep(counts, whole), , drop = FALSE]
  plan$group <- row_groups(fit, plan$class)
  if (sets) plan$sets <- plan_sets(fit, plan, points, whole, draw_key())
  if (!is.null(fit$batch) && is.null(plan$batch)) {
    uniform <- draw_uniform(length(plan$class), 1L, draw_key())
    plan$batch <- integer(length(plan$class))
    for (class in names(fit$rows)) {
      of <- fit$batch$row[fit$rows[[class]]]
      at <- which(plan$class == class)
      plan$batch[at] <- of[pick(uniform[at], length(of))]
    }
  }
  plan
}

# The numbers of rows of as many whole balanced sets as hold the rows that are wanted.
whole_sets <- function(counts, sizes) set_size(sizes) * ceiling(counts / set_size(sizes))

# The balanced sets of the rows of a plan, see margins_of_sets(). points: the latent rows of all sets, class by class.
plan_sets <- function(fit, plan, points, whole, key) {
  start <- cumsum(whole) - whole
  of_class <- lapply(names(whole), function(class) {
    own <- fit$rows[[class]]
    size <- set_size(length(own))
    new <- which(plan$class == class)
    lapply(seq_len(ceiling(length(new) / size)), function(i) {
      place <- seq_len(min(size, length(new) - (i - 1) * size))
      list(latent = points[start[[class]] + (i - 1) * size + seq_len(size), , drop = FALSE], class = own,
           new = new[(i - 1) * size + place], place = place, key = other_key(key, match(class, names(whole)), i))
    })
  })
  unlist(of_class, recursive = FALSE)
}

# The row of the effects of batches for each new sample, or NULL.
effects_of_batches <- function(fit, batch, batch_effect) {
  if (is.null(fit$batch)) {
    if (identical(batch_effect, "estimated")) return(NULL)
    fail("`batch_effect` belongs to a fit with batches: give synthesise() a `batch`.")
  }
  keys <- fit$batch$label$keys
  if (identical(batch_effect, "estimated")) return(batch)
  if (identical(batch_effect, "removed")) return(rep(length(keys) + 1L, length(batch)))
  key <- if (is.atomic(batch_effect) && length(batch_effect) == 1) match_label(batch_effect, fit$batch$label) else NA
  if (is.na(key)) {
    fail("`batch_effect` must be \"estimated\", \"removed\" or one of the batches %s, not %s.", some(keys),
         describe(batch_effect))
  }
  rep(match(key, keys), length(batch))
}

# Stated effects. effect: a data frame with the columns gene, log_fold_change and, for effects on some of the samples
# only, group. parts: a list of list(rows, genes, size) with the columns of the latent map; truth: a data frame with one
# row per gene of the table and one column per group.
read_effect <- function(effect, fit, plan) {
  if (is.null(effect)) return(NULL)
  check_effect(effect)
  gene <- find_genes(effect$gene, fit$table)
  to <- cumsum(varying(fit$table))
  group <- if (is.null(effect$group)) rep("all", nrow(effect)) else label_text(effect$group)
  if (anyDuplicated(data.frame(gene, group))) fail("`effect` has a gene twice for the same group.")
  of <- if (is.null(effect$group)) rep("all", length(plan$class)) else group_texts(fit, plan)
  if (length(plan$class) && !all(group %in% of)) {
    fail("`effect` names the group \"%s\", of which there is no new sample.", setdiff(group, of)[1])
  }
  truth <- list()
  parts <- lapply(unique(group), function(one) {
    rows <- which(group == one)
    list(rows = which(of == one), genes = to[gene[rows]], size = as.double(effect$log_fold_change[rows]))
  })
  for (one in unique(group)) {
    rows <- which(group == one)
    column <- numeric(n_columns(fit$table))
    column[gene[rows]] <- effect$log_fold_change[rows]
    truth[[if (is.null(effect$group)) "log_fold_change" else paste0("log_fold_change.", one)]] <- column
  }
  list(parts = parts, truth = new_frame(truth, names(truth), n_columns(fit$table)))
}

check_effect <- function(effect) {
  wanted <- c("gene", "log_fold_change")
  if (!is.data.frame(effect) || !all(wanted %in% names(effect)) || !all(names(effect) %in% c(wanted, "group"))) {
    fail("`effect` must be a data frame with the columns `gene`, `log_fold_change` and perhaps `group`, not %s.",
         if (is.data.frame(effect)) sprintf("one with the columns %s", quoted(names(effect))) else describe(effect))
  }
  check_plain_columns(effect, "effect")
  if (!is.numeric(effect$log_fold_change) || !all(is.finite(effect$log_fold_change))) {
    fail("Column `log_fold_change` of `effect` must hold finite numbers.")
  }
  largest <- max(abs(effect$log_fold_change), 0)
  if (largest > most_log_fold_change) {
    fail("Column `log_fold_change` of `effect` must be between -%g and %g, but has a value of size %s.",
         most_log_fold_change, most_log_fold_change, as_text(largest))
  }
}

most_log_fold_change <- 50

# The numbers of genes that are given by names or numbers. Each must vary in the table.
find_genes <- function(gene, template) {
  named <- is.character(gene) || is.factor(gene)
  if (!named && !is.numeric(gene)) {
    fail("Column `gene` of `effect` must hold names or numbers of columns, not values of class \"%s\".", class(gene)[1])
  }
  if (anyNA(gene)) fail("Column `gene` of `effect` must not contain NA (row %s).", some(which(is.na(gene))))
  if (named) {
    gene <- as.character(gene)
    shared <- gene[gene %in% template$names[duplicated(template$names)]][1]
    if (!is.na(shared)) fail("`effect` names the gene %s, but several columns have this name; give its number.", shared)
  }
  at <- match(gene, if (named) template$names else seq_len(n_columns(template)))
  if (anyNA(at)) fail("`effect` names the gene %s, which the table does not have.", as.character(gene[is.na(at)][1]))
  still <- which(!varying(template)[at])
  if (length(still)) {
    fail("`effect` names the gene %s, which does not vary in the table.", as.character(gene[still[1]]))
  }
  at
}

# The group of each new sample as text.
group_texts <- function(fit, plan) {
  if (!is.null(plan$label)) return(label_text(plan$label))
  if (!is_grouped(fit)) fail("`effect` has a column `group`, but neither the fit nor `design` has groups.")
  label_text(label_values(plan$class, fit$table$group))
}
