# Effects of batches on genes, beside those of classes and additive to them. They are taken out before the columns
# become scores, and put into new rows.
#
# The effects of B batches are rows of a matrix [B + 1, p]. The last row is that of no batch.

# adjusted [n, p]: the values without the effects of their batches; effects [B + 1, p]. The effects are those of least
# squares for x = class + batch + rest, with the mean 0 over the rows. Column by column they are shrunk by
#   r = max(0, 1 - 1/F), F the ratio of the mean squares of batches and of rests.
# The rests e are stretched, so that the values have the variance within classes and batches about the means of classes.
adjust_batches <- function(x, group, batch) {
  design <- batch_design(group, batch)
  effects <- matrix(0, nlevels(batch) + 1L, ncol(x))
  for (at in small_blocks(ncol(x), nrow(x))) {
    found <- adjust_columns(x[, at, drop = FALSE], group, batch, design)
    x[, at] <- found$adjusted
    effects[, at] <- found$effects
  }
  list(adjusted = x, effects = effects)
}

# The same for some columns.
adjust_columns <- function(x, group, batch, design) {
  rest <- x - (rowsum(x, as.integer(group), reorder = TRUE) / design$sizes)[as.integer(group), , drop = FALSE]
  totals <- unname(rowsum(rest, as.integer(batch), reorder = TRUE))
  effects <- design$inverse %*% totals
  between <- colSums(totals * effects)
  rest <- rest - design$centred %*% effects
  effects <- effects - rep(colSums(design$shares * effects), each = nrow(effects))
  ratio <- (between / (nlevels(batch) - 1)) / (colSums(rest^2) / design$spare)
  ratio[is.nan(ratio)] <- 0
  kept <- pmax(0, 1 - 1 / ratio)
  stretch <- sqrt((design$spare + (nlevels(batch) - 1) * (1 - pmin(ratio, 1 / ratio))) / design$spare)
  effects <- rbind(effects * rep(kept, each = nrow(effects)), 0)
  list(adjusted = x - effects[as.integer(batch), , drop = FALSE] + rest * rep(stretch - 1, each = nrow(x)),
       effects = effects)
}

# sizes [K] of the classes and shares [B] of the batches; centred [n, B]: the indicators Z of the batches minus their
# means by class; inverse: the pseudo-inverse of centred' centred; spare: the degrees of freedom of the rests.
batch_design <- function(group, batch) {
  z <- unname(diag(nlevels(batch))[as.integer(batch), , drop = FALSE])
  sizes <- tabulate(group, nlevels(group))
  centred <- z - (rowsum(z, as.integer(group), reorder = TRUE) / sizes)[as.integer(group), , drop = FALSE]
  parts <- eigen(crossprod(centred), symmetric = TRUE)
  kept <- which(parts$values > 1e-8 * nrow(z))
  if (length(kept) < nlevels(batch) - 1) {
    fail("`batch` and `group` are confounded: the effects of %d batches cannot be told from those of %d classes.",
         nlevels(batch), nlevels(group))
  }
  spare <- nrow(z) - nlevels(group) - nlevels(batch) + 1
  if (spare < 1) {
    fail("%d samples are too few for the effects of %d class%s and %d batches.", nrow(z), nlevels(group),
         if (nlevels(group) == 1) "" else "es", nlevels(batch))
  }
  vectors <- parts$vectors[, kept, drop = FALSE]
  list(sizes = sizes, shares = colMeans(z), centred = centred, spare = spare,
       inverse = vectors %*% (t(vectors) / parts$values[kept]))
}

# The row of the effects for each of n rows. NULL: that of no batch.
batch_row <- function(effects, batch, n) if (is.null(batch)) rep(nrow(effects), n) else as.integer(batch)

# The stated effects on the columns `at`: parts is a list of list(rows, genes, size), where size [genes] is a logarithm
# to the base 2.
each_effect <- function(values, parts, at, change) {
  for (part in parts) {
    found <- which(part$genes %in% at)
    to <- match(part$genes[found], at)
    values[part$rows, to] <- change(values[part$rows, to, drop = FALSE],
                                    rep(part$size[found], each = length(part$rows)))
  }
  values
}
