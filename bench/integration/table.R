# Rscript table.R results: writes results/scores.md from results/scores.csv, means over the splits with their range.
results <- commandArgs(TRUE)[1]
d <- utils::read.csv(file.path(results, "scores.csv"))
columns <- c(w2_latent = "W2 latent", w2_full = "W2 full", spread = "spread", energy = "energy, %", novelty = "novelty",
             full_novelty = "novelty full", auc = "AUC", pvca = "PVCA batch", agreement = "agreement of t", own = "own",
             batch_silhouette = "batch silhouette", label_silhouette = "label silhouette",
             label_accuracy = "label accuracy", seconds = "seconds")
cell <- function(v) {
  v <- v[!is.na(v)]
  if (!length(v)) return("")
  if (length(v) == 1) return(sprintf("%.2f", v))
  sprintf("%.2f (%.2f to %.2f)", mean(v), min(v), max(v))
}
lines <- character()
for (table in unique(d$table)) {
  own <- d[d$table == table, ]
  lines <- c(lines, sprintf("\n## %s, %d splits\n", table, length(unique(own$split))),
             paste0("| method | labels | ", paste(columns, collapse = " | "), " |"),
             paste0("|---|---|", strrep("---|", length(columns))))
  for (method in unique(own$method)) {
    for (labels in unique(own$labels[own$method == method])) {
      rows <- own[own$method == method & own$labels == labels, ]
      lines <- c(lines, sprintf("| %s | %s | %s |", method, if (labels) "yes" else "no",
                                paste(vapply(names(columns), function(name) cell(rows[[name]]), ""), collapse = " | ")))
    }
  }
}
writeLines(c(paste("Means over splits (range). Distances are divided by that between the two halves of the reference,",
                   "novelty by that of the held-out half: 1 is right for both, and for spread. 0 is right for energy."),
             lines),
           file.path(results, "scores.md"))
