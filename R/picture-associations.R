# Matrices of associations, old, new and their difference, side by side.

# pairs: as in pairs_picture(). columns: their names in order. Of more columns than `n_columns` those with the largest
# differences are shown.
associations_picture <- function(pairs, columns, n_columns) {
  n_columns <- check_count(if (is.null(n_columns)) 30 else n_columns, "n_columns", 2L)
  largest <- vapply(columns, function(name) {
    max(0, abs(pairs$difference[pairs$first == name | pairs$second == name]), na.rm = TRUE)
  }, 0)
  chosen <- columns[sort(utils::head(order(-largest), n_columns))]
  pairs <- pairs[pairs$first %in% chosen & pairs$second %in% chosen, ]
  matrices <- lapply(c(real = "real", synthetic = "synthetic", difference = "difference"), function(value) {
    matrix <- array(NA_real_, rep(length(chosen), 2), list(chosen, chosen))
    matrix[cbind(pairs$first, pairs$second)] <- matrix[cbind(pairs$second, pairs$first)] <- pairs[[value]]
    diag(matrix) <- if (value == "difference") 0 else 1
    matrix
  })
  # small differences have colours of their own
  times <- max(1, c(10, 5, 2)[max(0, abs(pairs$difference), na.rm = TRUE) * c(10, 5, 2) <= 1])
  titles <- c("real rows", "synthetic rows", paste0("synthetic less real", if (times > 1) paste(", times", times)))
  panels <- lapply(1:3, function(k) matrix_panel(matrices[[k]], titles[k], labelled = k == 1, c(1, 1, times)[k]))
  sheet_picture(
    panels, 3, association_legend(), left_out_note(length(chosen), length(columns), "columns"), square = TRUE,
    turned = TRUE, text = min(0.75, 13 / length(chosen) + 0.08), shown = matrices
  )
}

matrix_panel <- function(matrix, title, labelled, times) {
  count <- nrow(matrix)
  at <- (seq_len(count) - 0.5) / count
  words <- short_words(rownames(matrix), 18)
  list(
    title = title,
    rects = sheet_rects(rep(at, each = count) - 0.5 / count, rep(at, each = count) + 0.5 / count,
                        rep(rev(at), count) - 0.5 / count, rep(rev(at), count) + 0.5 / count,
                        association_colour(as.vector(matrix) * times), if (count <= 40) "white" else NA),
    ticks = rbind(sheet_ticks(1, at, words), if (labelled) sheet_ticks(2, rev(at), words))
  )
}

# From -1 to 1, in steps of 0.05. Grey where there is no association.
association_colour <- function(values) {
  colours <- grDevices::hcl.colors(41, "Blue-Red 3")
  found <- colours[21 + round(20 * pmin(pmax(values, -1), 1))]
  ifelse(is.na(found), "grey80", found)
}

association_legend <- function() {
  at <- c(-1, -0.5, -0.2, 0, 0.2, 0.5, 1)
  data.frame(label = c(format(at, trim = TRUE, drop0trailing = TRUE), "none"),
             colour = c(association_colour(at), "grey80"))
}
