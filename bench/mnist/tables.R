# Relative reconstruction error of held-out rows: latent_autoencoder(dim) beside latent_pca(dim), on the digits and on
# tables of bench/expression. A fifth of the rows is held out of both, five times (the digits: half, once).
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

tables <- lapply(expression_sets[c("khan", "nci60", "bladder")], function(read) read()$x)
found <- list()
for (name in names(tables)) {
  x <- tables[[name]]
  for (repetition in 1:5) {
    set.seed(repetition)
    rows <- base::sample(nrow(x), round(0.8 * nrow(x)))
    for (dim in c(2, 5, 15)) found[[length(found) + 1]] <- compare(name, x, dim, rows, repetition)
  }
}
digits <- read_digits(commandArgs(TRUE)[1])
set.seed(1)
rows <- base::sample(nrow(digits$x))[1:5000]
for (dim in c(2, 5, 15, 30)) {
  found[[length(found) + 1]] <- compare("digits", digits$x, dim, rows, 1, bounds = c(0, 1), n_steps = 40)
}
found <- do.call(rbind, found)
utils::write.csv(format(found, digits = 4), file.path(here, "results", "tables.csv"), row.names = FALSE, quote = FALSE)
means <- stats::aggregate(cbind(components, autoencoder, passes, best, seconds_components, seconds_autoencoder) ~
                            table + rows + columns + dim, found, mean)
print(means[order(means$table, means$dim), ], digits = 3, row.names = FALSE)
