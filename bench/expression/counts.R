# Rscript bench/expression/counts.R LIBRARY OUT.csv [SET ...]: tables of counts, random halves, five repetitions.

arguments <- commandArgs(TRUE)
library(particleflow, lib.loc = arguments[1])
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
for (file in c("data.R", "judge.R", "simulators.R")) source(file.path(here, file))

# The distance of Kolmogorov and Smirnov between the values of a property in two tables.
distance <- function(x, y) suppressWarnings(unname(stats::ks.test(x, y)$statistic))

# The properties of a table [samples, genes], each a vector over genes, samples, pairs of genes or pairs of samples.
properties <- function(x) {
  size <- rowSums(x)
  logs <- log1p(x / pmax(size, 1) * stats::median(size))
  top <- order(-apply(logs, 2, stats::var))[seq_len(min(200, ncol(x)))]
  genes <- suppressWarnings(stats::cor(logs[, top]))
  samples <- stats::cor(t(logs[, top]))
  list(mean = colMeans(logs), variance = apply(logs, 2, stats::var), zeros_gene = colMeans(x == 0),
       library_size = log1p(size), zeros_sample = rowMeans(x == 0), gene_correlation = genes[upper.tri(genes)],
       sample_correlation = samples[upper.tri(samples)])
}

# A simulator that fails leaves missing values.
one_run <- function(set, seed) {
  half <- random_halves(set$group, seed)
  x <- set$x[half$fit, ]
  held <- set$x[half$held, ]
  group <- droplevels(set$group[half$fit])
  wanted <- droplevels(set$group[half$held])
  halves <- Map(distance, properties(x), properties(held))
  do.call(rbind, lapply(names(simulators), function(name) {
    took <- system.time(new <- tryCatch(simulators[[name]](x, group, wanted, seed), error = function(e) e))[["elapsed"]]
    rows <- data.frame(method = name, seed = seed, property = c(names(halves), "auc", "novelty", "seconds"), value = NA,
                       halves = c(unlist(halves), 0.5, 1, NA))
    if (inherits(new, "error")) {
      message(name, ": ", conditionMessage(new))
      return(rows)
    }
    logs <- function(x) log1p(x / pmax(rowSums(x), 1) * stats::median(rowSums(held)))
    judged <- judge(logs(x), logs(held), logs(new), logs(new), seed)
    rows$value <- c(unlist(Map(distance, properties(new), properties(held))), judged[c("auc", "novelty")], took)
    rows
  }))
}

names <- if (length(arguments) > 2) arguments[-(1:2)] else names(count_sets)
found <- do.call(rbind, lapply(names, function(name) {
  set <- count_sets[[name]]()
  part <- cbind(set = name, do.call(rbind, lapply(1:5, one_run, set = set)))
  means <- aggregate(part[c("value", "halves")], part[c("property", "method")], mean, na.action = na.pass)
  means$ratio <- ifelse(means$property %in% c("auc", "novelty", "seconds"), means$value, means$value / means$halves)
  cat(name, nrow(set$x), "x", ncol(set$x), "\n")
  print(tapply(means$ratio, means[c("property", "method")], c)[unique(part$property), names(simulators)], digits = 2)
  part
}))
write.csv(found, arguments[2], row.names = FALSE)
