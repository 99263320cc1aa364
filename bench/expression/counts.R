# Rscript bench/expression/counts.R LIBRARY OUT.csv [SET ...]: tables of counts, random halves, five repetitions.

arguments <- commandArgs(TRUE)
library(particleflow, lib.loc = arguments[1])
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
for (file in c("data.R", "judge.R")) source(file.path(here, file))

# The distance of Kolmogorov and Smirnov between the values of a property in two tables.
distance <- function(x, y) suppressWarnings(unname(stats::ks.test(x, y)$statistic))

# The properties of a table [samples, genes], each a vector over genes, samples, pairs of genes or pairs of samples.
properties <- function(x) {
  size <- rowSums(x)
  logs <- log1p(x / size * stats::median(size))
  top <- order(-apply(logs, 2, stats::var))[seq_len(min(200, ncol(x)))]
  genes <- stats::cor(logs[, top])
  samples <- stats::cor(t(logs[, top]))
  list(mean = colMeans(logs), variance = apply(logs, 2, stats::var), zeros_gene = colMeans(x == 0),
       library_size = log(size), zeros_sample = rowMeans(x == 0), gene_correlation = genes[upper.tri(genes)],
       sample_correlation = samples[upper.tri(samples)])
}

one_run <- function(set, seed) {
  half <- random_halves(set$group, seed)
  x <- set$x[half$fit, ]
  held <- set$x[half$held, ]
  fit <- synthesise(x, group = if (nlevels(set$group) > 1) set$group[half$fit], counts = TRUE, quiet = TRUE)
  new <- matrix(as.vector(simulate(fit, nrow(held), seed = seed)), nrow(held))
  all <- lapply(list(fit = x, held = held, new = new), properties)
  kept <- Map(distance, all$new, all$held)
  halves <- Map(distance, all$fit, all$held)
  logs <- function(x) log1p(x / rowSums(x) * stats::median(rowSums(held)))
  judged <- judge(logs(x), logs(held), logs(new), logs(new), seed)
  rows <- data.frame(property = c(names(kept), "auc", "novelty"), value = c(unlist(kept), judged[c("auc", "novelty")]),
                     halves = c(unlist(halves), 0.5, 1))
  cbind(seed = seed, rows)
}

names <- if (length(arguments) > 2) arguments[-(1:2)] else names(count_sets)
found <- do.call(rbind, lapply(names, function(name) {
  set <- count_sets[[name]]()
  part <- cbind(set = name, do.call(rbind, lapply(1:5, one_run, set = set)))
  means <- aggregate(part[c("value", "halves")], part["property"], mean)
  cat(name, nrow(set$x), "x", ncol(set$x), "\n")
  print(cbind(means, ratio = means$value / means$halves), digits = 2)
  part
}))
write.csv(found, arguments[2], row.names = FALSE)
