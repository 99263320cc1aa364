# Rscript bench/mean-field/limits.R: what 300 rows allow, without any flow. The Kolmogorov-Smirnov distance of the ranks
# of 2000 held-out rows if the contours are known exactly and only their contents are estimated, and if the form of the
# law is known; and the AUC of a classifier between held-out rows and draws of a law of the right form.
library(particleflow)
suppressPackageStartupMessages(library(mclust))
source("bench/quality/families.R")
n <- 300
held <- 2000

distance_to_uniform <- function(u) {
  u <- sort(u)
  m <- length(u)
  max(seq_len(m) / m - u, u - (seq_len(m) - 1) / m)
}
show <- function(what, values) {
  cat(sprintf("%-62s median %.3f, 5 %% %.3f, 95 %% %.3f, at most .025 in %.1f %%\n", what, median(values),
              quantile(values, 0.05), quantile(values, 0.95), 100 * mean(values <= 0.025)))
}

set.seed(1)
show("KS, the law is known", replicate(4000, distance_to_uniform(runif(held))))
# whatever the law, the share of the law within a contour through a row is uniform
show("KS, the contours are known, contents are shares of the rows", replicate(4000, {
  distance_to_uniform((findInterval(runif(held), sort(runif(n))) + 0.5) / (n + 1))
}))
show("KS, a normal law in two columns is known to be normal", replicate(400, {
  x <- matrix(rnorm(2 * n), n)
  distance_to_uniform(pchisq(mahalanobis(matrix(rnorm(2 * held), held), colMeans(x), cov(x)), 2))
}))

auc <- vapply(1:5, function(repetition) {
  family <- TUNING$mixture_5(n, 2, family_seed("mixture_5", repetition))
  fit <- mclust::Mclust(family$x, G = 5, modelNames = "VVV", verbose = FALSE)
  set.seed(repetition)
  drawn <- mclust::sim(fit$modelName, fit$parameters, held)[, -1]
  real <- family$draw(held)
  c(form = c2st(real, drawn, seed = 1)$auc, truth = c2st(real, family$draw(held), seed = 1)$auc)
}, c(form = 0, truth = 0))
cat(sprintf("AUC, mixture_5: five normal components by maximum likelihood %.3f (%s), the truth %.3f\n",
            mean(auc["form", ]), paste(sprintf("%.3f", auc["form", ]), collapse = ", "), mean(auc["truth", ])))
