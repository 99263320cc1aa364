# Rscript bench/quality/labels.R: how far one can go on the clustered families with 200 rows if one is told the
# component of each row, and also chooses the settings by looking at the held-out rows. Components are multivariate t
# about the means of their rows. Their covariances are drawn towards a sphere by a number of pseudo-rows, or by the
# non-linear shrinkage of Ledoit and Wolf (2020, Annals of Statistics 48). Writes results/labels.csv: the share of the
# way from the better smoothed bootstrap to the true law, five repetitions per cell.
library(particleflow)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "families.R"))

# Eigenvalues, increasing, of a covariance of n rows.
shrink_nonlinear <- function(value, n) {
  p <- length(value)
  level <- matrix(value, p, p)
  width <- n^(-1 / 3) * t(level)
  u <- (level - t(level)) / width
  density <- rowMeans(3 / 4 / sqrt(5) * pmax(1 - u^2 / 5, 0) / width)
  hilbert <- -3 / 10 / pi * u + 3 / 4 / sqrt(5) / pi * (1 - u^2 / 5) * log(abs((sqrt(5) - u) / (sqrt(5) + u)))
  hilbert <- rowMeans(hilbert / width)
  value / ((pi * p / n * value * density)^2 + (1 - p / n - pi * p / n * value * hilbert)^2)
}

# The law of one component from its rows: list(mean, root, df, rows). tail: "gaussian"; "predictive", a t with
# rows + prior degrees of freedom; "heavier", a t with d/2 fewer.
component <- function(x, prior, tail, nonlinear, all_variance) {
  n <- nrow(x)
  d <- ncol(x)
  centred <- sweep(x, 2, colMeans(x))
  level <- (sum(centred^2) + all_variance) / (n + 1) / d
  covariance <- (crossprod(centred) + prior * level * diag(d)) / (n + prior)
  if (nonlinear && n + prior > d + 1) {
    parts <- eigen(covariance, symmetric = TRUE)
    values <- rev(shrink_nonlinear(rev(parts$values), n + prior))
    covariance <- parts$vectors %*% (values * t(parts$vectors))
  }
  total <- max(n + prior, d / 2 + 2)
  df <- switch(tail, gaussian = 1e8, predictive = total, heavier = total - d / 2)
  widen <- switch(tail, gaussian = 1, predictive = 1 + 1 / n, heavier = (1 + 1 / n) * total / df)
  list(mean = colMeans(x), root = chol(covariance * widen), df = df, rows = n)
}

log_t <- function(y, law) {
  d <- ncol(y)
  z <- colSums(backsolve(law$root, t(y) - law$mean, transpose = TRUE)^2)
  lgamma((law$df + d) / 2) - lgamma(law$df / 2) - d / 2 * log(law$df * pi) - sum(log(diag(law$root))) -
    (law$df + d) / 2 * log1p(z / law$df)
}

held_out <- function(x, label, y, ...) {
  squares <- function(k) sum(scale(x[label == k, , drop = FALSE], scale = FALSE)^2)
  variance <- sum(vapply(unique(label), squares, 0)) / nrow(x)
  laws <- lapply(unique(label), function(k) component(x[label == k, , drop = FALSE], ..., all_variance = variance))
  each <- vapply(laws, function(law) log_t(y, law) + log(law$rows / nrow(x)), numeric(nrow(y)))
  mean(log_sum_exp(each))
}

tried <- expand.grid(prior = c(0.5, 1, 2, 4, 8, 16), tail = c("gaussian", "predictive", "heavier"),
                     nonlinear = c(FALSE, TRUE), stringsAsFactors = FALSE)
cells <- expand.grid(repetition = 1:5, d = c(2, 5, 10, 20), set = c("mixture_3", "mixture_12"),
                     stringsAsFactors = FALSE)
gains <- lapply(seq_len(nrow(cells)), function(i) {
  cell <- cells[i, ]
  sample <- REPORTING[[cell$set]](200, cell$d, family_seed(cell$set, cell$repetition))
  law <- environment(sample$log_density)
  set.seed(900000L + cell$repetition)
  unit <- apply(sample$x, 2, stats::sd)
  y <- sample$draw(1000)
  true <- mean(sample$log_density(y)) + sum(log(unit))
  label <- max.col(vapply(seq_along(law$roots), function(k) {
    log_normal_density(sample$x, law$centres[k, ], law$roots[[k]]) + log(law$weight[k])
  }, numeric(nrow(sample$x))), "first")
  x <- sweep(sample$x, 2, unit, "/")
  y <- sweep(y, 2, unit, "/")
  smoother <- vapply(c("global", "local"), function(covariance) {
    mean(predict(smoothed_bootstrap(x, covariance = covariance), y, type = "log_density"))
  }, 0)
  each <- vapply(seq_len(nrow(tried)), function(k) {
    held_out(x, label, y, prior = tried$prior[k], tail = tried$tail[k], nonlinear = tried$nonlinear[k])
  }, 0)
  c(true, smoother, each)
})
means <- aggregate(do.call(rbind, gains), cells[c("set", "d")], mean)
base <- pmax(means[, 4], means[, 5])
way <- (as.matrix(means[, -(1:5)]) - base) / (means[, 3] - base)
best <- function(columns) apply(way[, columns, drop = FALSE], 1, max)
labels <- data.frame(means[c("set", "d")], distance = round(means[, 3] - base, 3),
                     sphere = round(best(!tried$nonlinear), 3), nonlinear = round(best(tried$nonlinear), 3))
labels <- labels[order(labels$set, decreasing = TRUE), ]
utils::write.csv(labels, file.path(here, "results", "labels.csv"), row.names = FALSE)
print(labels)
