# Rscript bench/expression/run.R LIBRARY OUT.csv [SET ...]: random halves, five repetitions, see README.md.

arguments <- commandArgs(TRUE)
library(particleflow, lib.loc = arguments[1])
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
for (file in c("data.R", "judge.R")) source(file.path(here, file))

counts_of <- function(group) c(table(group))

# Each method: fitted rows, their classes, and the classes of the rows wanted -> new rows.
methods <- list(
  genes_by_class = function(x, group, wanted, seed) {
    simulate(efs(x, group = group), counts_of(wanted), seed = seed)
  },
  genes = function(x, group, wanted, seed) simulate(efs(x), length(wanted), seed = seed),
  components = function(x, group, wanted, seed) {
    simulate(efs(x, latent = latent_pca(), calibrate = FALSE), length(wanted), seed = seed)
  },
  bootstrap = function(x, group, wanted, seed) {
    set.seed(seed)
    x[sample.int(nrow(x), length(wanted), replace = length(wanted) > nrow(x)), ]
  }
)

one_run <- function(set, seed) {
  half <- random_halves(set$group, seed)
  x <- set$x[half$fit, ]
  held <- set$x[half$held, ]
  do.call(rbind, lapply(names(methods), function(method) {
    draw <- function(times) {
      wanted <- rep(set$group[half$held], times)
      new <- methods[[method]](x, droplevels(set$group[half$fit]), wanted, seed)
      matrix(as.vector(new), length(wanted))
    }
    data.frame(method = method, seed = seed, t(judge(x, held, draw(1), draw(10), seed)))
  }))
}

names <- if (length(arguments) > 2) arguments[-(1:2)] else names(expression_sets)
found <- do.call(rbind, lapply(names, function(name) {
  set <- expression_sets[[name]]()
  part <- cbind(set = name, do.call(rbind, lapply(1:5, one_run, set = set)))
  print(aggregate(part[-(1:3)], part["method"], mean), digits = 3)
  part
}))
write.csv(found, arguments[2], row.names = FALSE)
