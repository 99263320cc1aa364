# The methods: each a function(train, n_new, seed, set) -> list(new = matrix, log_density = function(rows) or NULL).
# `train` is a matrix in units of its standard deviations. `extra`, named numbers, may be added to the list. `set` holds
# the true law, which only "fresh draw" may use.
# The list holds list(run, needs = packages, applies = function(set, n, d)) under each name.

METHODS <- list()
method <- function(name, run, needs = character(), applies = function(set, n, d) TRUE) {
  METHODS[[name]] <<- list(run = run, needs = needs, applies = applies)
}
particleflow_has <- function(name) exists(name, envir = asNamespace("particleflow"), inherits = FALSE)
named <- function(x) {
  colnames(x) <- paste0("v", seq_len(ncol(x)))
  x
}

# --- the two ends of the scale: copies, and the law itself -----------------------------------------------------------
method("training rows", function(train, n_new, seed, set) {
  set.seed(seed)
  # without replacement if there are enough rows, because a set that repeats its rows has no recall
  list(new = train[sample(nrow(train), n_new, replace = n_new > nrow(train)), , drop = FALSE], log_density = NULL)
})

method("fresh draw", function(train, n_new, seed, set) {
  set.seed(seed)
  list(new = set$draw(n_new), log_density = set$log_density)
}, applies = function(set, n, d) set$kind == "family")

# --- this package ----------------------------------------------------------------------------------------------------
# NULL if there is no density to compare: beyond 20 columns the default latent map keeps some principal components, and
# the density is one within their subspace
density_of <- function(fit, probe) {
  if (any(fit$diagnostics$dim < ncol(probe))) return(NULL)
  f <- function(rows) as.numeric(stats::predict(fit, rows, type = "log_density"))
  works <- tryCatch(length(f(probe)) == nrow(probe), error = function(e) FALSE)
  if (works) f
}

# The settings printed for the mixture, in every dimension, because those with s = d - 2 throw rows hundreds of units
# off beyond the plane. Their inverse takes 31 x 300 gradient steps, so they are used for at most 1000 rows.
method("efs printed", function(train, n_new, seed, set) {
  fit <- suppressWarnings(do.call(particleflow::efs, c(list(train, progress = FALSE), particleflow::efs_paper("gmm"))))
  list(new = as.matrix(suppressWarnings(stats::simulate(fit, n_new, seed = seed))), log_density = NULL)
}, applies = function(set, n, d) n <= 1000)

method("efs calibrated", function(train, n_new, seed, set) {
  set.seed(seed)
  fit <- particleflow::efs(train, progress = FALSE)
  list(new = as.matrix(stats::simulate(fit, n_new, seed = seed)),
       log_density = density_of(fit, train[1:2, , drop = FALSE]),
       extra = c(flow_steps = max(fit$diagnostics$steps)))
})

# the same candidates without the flows: the difference is what the flow adds
method("efs no flow", function(train, n_new, seed, set) {
  fit <- particleflow::efs(train, time = 0, progress = FALSE)
  list(new = as.matrix(stats::simulate(fit, n_new, seed = seed)),
       log_density = density_of(fit, train[1:2, , drop = FALSE]))
})

for (covariance in c("global", "local")) local({
  covariance <- covariance
  method(paste("smoothed bootstrap", covariance), function(train, n_new, seed, set) {
    set.seed(seed)
    fit <- getExportedValue("particleflow", "smoothed_bootstrap")(train, covariance = covariance)
    list(new = as.matrix(stats::simulate(fit, n_new, seed = seed)),
         log_density = density_of(fit, train[1:2, , drop = FALSE]))
  }, applies = function(set, n, d) particleflow_has("smoothed_bootstrap"))
})

# --- Gaussian copula with smoothed marginals -------------------------------------------------------------------------
# A marginal is a Gaussian kernel density on at most 500 quantiles of the column, with the bandwidth of Sheather and
# Jones for the whole column. Its distribution function gives the normal scores, and the correlation is theirs.
smooth_marginal <- function(v) {
  h <- tryCatch(stats::bw.SJ(v), error = function(e) stats::bw.nrd0(v))
  m <- min(length(v), 500)
  at <- stats::quantile(v, (seq_len(m) - 0.5) / m, names = FALSE)
  standard <- function(x) outer(x, at, "-") / h
  score <- function(x) { # normal score, right in both tails
    z <- standard(x)
    below <- rowMeans(stats::pnorm(z))
    above <- rowMeans(stats::pnorm(z, lower.tail = FALSE))
    ifelse(below < 0.5, stats::qnorm(pmax(below, 1e-300)), -stats::qnorm(pmax(above, 1e-300)))
  }
  grid <- seq(min(at) - 8 * h, max(at) + 8 * h, length.out = 1500)
  grid_score <- cummax(score(grid))
  list(
    score = score,
    log_density = function(x) log_sum_exp(-standard(x)^2 / 2) - log(m * h) - log(2 * pi) / 2,
    from_score = function(z) stats::approx(grid_score, grid, z, rule = 2, ties = "ordered")$y
  )
}

method("Gaussian copula", function(train, n_new, seed, set) {
  d <- ncol(train)
  margins <- lapply(seq_len(d), function(j) smooth_marginal(train[, j]))
  scores <- apply(train, 2, function(v) stats::qnorm((rank(v) - 0.5) / length(v)))
  correlation <- 0.999 * stats::cor(scores) + 0.001 * diag(d)
  root <- chol(correlation)
  set.seed(seed)
  z <- normal_matrix(n_new, d) %*% root
  list(
    new = vapply(seq_len(d), function(j) margins[[j]]$from_score(z[, j]), numeric(n_new)) |> matrix(nrow = n_new),
    log_density = function(x) {
      z <- vapply(seq_len(d), function(j) margins[[j]]$score(x[, j]), numeric(nrow(x))) |> matrix(nrow = nrow(x))
      alone <- Reduce(`+`, lapply(seq_len(d), function(j) {
        margins[[j]]$log_density(x[, j]) - stats::dnorm(z[, j], log = TRUE)
      }))
      alone + log_normal_density(z, rep(0, d), root)
    }
  )
})

# --- Gaussian mixture chosen by BIC: mclust, its defaults (1 to 9 components, 14 shapes) ------------------------------
method("mclust", function(train, n_new, seed, set) {
  suppressPackageStartupMessages(library(mclust)) # attached, because mclust looks up its own functions by name
  set.seed(seed)
  fit <- densityMclust(train, verbose = FALSE, plot = FALSE)
  drawn <- sim(fit$modelName, fit$parameters, n_new, seed = seed)
  list(new = unname(drawn[, -1, drop = FALSE]),
       log_density = function(rows) as.numeric(predict(fit, rows, what = "dens", logarithm = TRUE)))
}, needs = "mclust")

# --- adversarial random forest, its defaults -------------------------------------------------------------------------
method("arf", function(train, n_new, seed, set) {
  set.seed(seed)
  table <- as.data.frame(named(train))
  forest <- suppressWarnings(arf::adversarial_rf(table, verbose = FALSE, parallel = FALSE))
  leaves <- suppressWarnings(arf::forde(forest, table, parallel = FALSE))
  drawn <- suppressWarnings(arf::forge(leaves, n_new, parallel = FALSE))
  list(new = unname(as.matrix(as.data.frame(drawn))), log_density = function(rows) {
    suppressWarnings(as.numeric(arf::lik(leaves, as.data.frame(named(rows)), log = TRUE, parallel = FALSE)))
  })
}, needs = "arf")

# --- sequential trees: synthpop ---------------------------------------------------------------------------------------
method("synthpop", function(train, n_new, seed, set) {
  table <- as.data.frame(named(train))
  made <- synthpop::syn(table, method = "cart", m = 1, k = n_new, seed = seed, print.flag = FALSE)
  list(new = unname(as.matrix(made$syn)), log_density = NULL)
}, needs = "synthpop")

# --- kernel density with a full bandwidth matrix: ks ------------------------------------------------------------------
# The bandwidth is the plug-in matrix up to three dimensions and the normal scale beyond. The density is drawn from and
# evaluated here by its definition, because ks interpolates on a grid in few dimensions and underflows far out.
method("ks::kde", function(train, n_new, seed, set) {
  d <- ncol(train)
  bandwidth <- if (d <= 3) ks::Hpi(train) else ks::Hns(train)
  root <- chol(bandwidth)
  set.seed(seed)
  rows <- sample(nrow(train), n_new, replace = TRUE)
  list(
    new = train[rows, , drop = FALSE] + normal_matrix(n_new, d) %*% root,
    log_density = function(x) {
      y <- t(backsolve(root, t(x), transpose = TRUE))
      at <- t(backsolve(root, t(train), transpose = TRUE))
      unlist(lapply(split(seq_len(nrow(y)), (seq_len(nrow(y)) - 1) %/% 100), function(part) {
        y_part <- y[part, , drop = FALSE]
        distance <- outer(rowSums(y_part^2), rowSums(at^2), "+") - 2 * tcrossprod(y_part, at)
        log_sum_exp(-pmax(distance, 0) / 2)
      }), use.names = FALSE) - log(nrow(train)) - sum(log(diag(root))) - d / 2 * log(2 * pi)
    }
  )
}, needs = "ks", applies = function(set, n, d) d <= 6)

has_packages <- function(name) {
  all(vapply(METHODS[[name]]$needs, requireNamespace, NA, quietly = TRUE))
}
