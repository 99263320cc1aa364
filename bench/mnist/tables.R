# Relative reconstruction error of held-out rows: latent_autoencoder(dim) beside latent_pca(dim), on the digits and on
# tables of bench/expression. A fifth of the rows is held out of both, twice (of the digits half, once).
#   Rscript bench/mnist/tables.R FOLDER
# FOLDER holds the digits. Writes results/tables.csv.

library(particleflow)

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "data.R"))
source(file.path(here, "..", "expression", "data.R"))

error <- function(map, x, centre) {
  sqrt(sum((map$decode(map$encode(x)) - x)^2) / sum(sweep(x, 2, centre)^2))
}

# rows: those that both maps see. `...`: settings of the autoencoder.
compare <- function(name, x, dim, rows, repetition, ...) {
  varying <- apply(x[rows, ], 2, stats::sd) > 0
  x <- x[, varying]
  centre <- colMeans(x[rows, ])
  linear <- system.time(pca <- latent_pca(dim)$fit(x[rows, ]))[["elapsed"]]
  networks <- system.time(map <- latent_autoencoder(dim, ..., seed = repetition)$fit(x[rows, ]))[["elapsed"]]
  data.frame(table = name, rows = length(rows), columns = ncol(x), dim = dim, repetition = repetition,
             components = error(pca, x[-rows, ], centre), autoencoder = error(map, x[-rows, ], centre),
             passes = nrow(map$trace) - 1L, best = which.min(map$trace$score) - 1L,
             seconds_components = linear, seconds_autoencoder = networks)
}

found <- list()
note <- function(row) {
  found[[length(found) + 1]] <<- row
  table <- do.call(rbind, found)
  utils::write.csv(format(table, digits = 4), file.path(here, "results", "tables.csv"), row.names = FALSE,
                   quote = FALSE)
  print(row, digits = 3, row.names = FALSE)
}

digits <- read_digits(commandArgs(TRUE)[1])
set.seed(1)
rows <- base::sample(nrow(digits$x))[1:5000]
for (dim in c(5, 15, 30)) note(compare("digits", digits$x, dim, rows, 1, bounds = c(0, 1), n_steps = 40))
for (repetition in 1:2) {
  for (name in c("khan", "nci60")) {
    x <- expression_sets[[name]]()$x
    set.seed(repetition)
    rows <- base::sample(nrow(x), round(0.8 * nrow(x)))
    for (dim in c(5, 15)) note(compare(name, x, dim, rows, repetition))
  }
}
