# Reference posteriors: posterior("garch11") is one, posterior_names are all. The models are those of posteriordb
# (https://github.com/stan-dev/posteriordb). Data and reference draws are taken from there (see data.R). The densities
# and their gradients are written here.
#
# An entry is a list:
#   name, parameters;
#   log_density: function of x [n, parameters], on the user's (constrained) scale, one value per row; -Inf outside;
#   gradient: function of the same x, [n, parameters];
#   lower, upper: named numbers, -Inf and Inf where there is no bound;
#   ordered, simplex: names of parameters that are ordered, or that sum to 1; or a list of such vectors; or NULL;
#   log_z: logarithm of the integral of the density, where it is known: for regressions, Gaussian in the coefficients;
#   draws: reference draws [10000, parameters] on the user's scale.

posterior_names <- c("kidscore_momiq", "kilpisjarvi", "logearn_interaction", "logmesquite", "mesquite", "blr", "arK",
                     "nes2000", "garch11", "arma11", "gp_regr", "gauss_mix", "hmm", "schools_noncentred",
                     "schools_centred")

posterior <- function(name, folder = "bench/posteriors/data") {
  kept <- readRDS(file.path(folder, paste0(sub("_centred", "_noncentred", name), ".rds")))
  model <- get(paste0("model_", name))(kept$data)
  entry <- new_entry(name, model)
  z <- sweep(sweep(kept$steps, 2, kept$unit, "*"), 2, kept$centre, "+")
  colnames(z) <- free_names(entry)
  if (name == "schools_centred") {
    # theta = mu + tau theta_trans, the same law in other coordinates
    theta <- z[, "mu"] + exp(z[, "tau"]) * z[, 1:8]
    z[, 1:8] <- theta
  }
  entry$draws <- from_free_scale(entry, z)$x
  entry
}

new_entry <- function(name, model) {
  at_bounds <- function(bound, default) {
    all <- stats::setNames(rep(default, length(model$parameters)), model$parameters)
    all[names(bound)] <- bound
    all
  }
  entry <- c(list(name = name), model)
  entry$lower <- at_bounds(model$lower, -Inf)
  entry$upper <- at_bounds(model$upper, Inf)
  entry
}

indexed <- function(name, k) sprintf("%s[%d]", name, seq_len(k))

# ---- Linear regressions -------------------------------------------------------------------------------------------

# y ~ N(X b, sigma). The sum of squares is RSS + (b - b0)' X'X (b - b0) with b0 of least squares, which stays exact.
# prior_mean, prior_sd: normal priors of b (sd Inf: flat). sigma_prior: function of sigma, list(log density, slope).
regression <- function(X, y, parameters, prior_mean = 0, prior_sd = Inf, sigma_prior = flat()) {
  k <- ncol(X)
  n <- length(y)
  decomposition <- qr(X)
  b0 <- qr.coef(decomposition, y)
  rss <- sum(qr.resid(decomposition, y)^2)
  XtX <- crossprod(X)
  prior_mean <- rep_len(prior_mean, k)
  prior_precision <- 1 / rep_len(prior_sd, k)^2
  parts <- function(x) {
    b <- x[, seq_len(k), drop = FALSE]
    off <- sweep(b, 2, b0)
    pull <- off %*% XtX
    prior_pull <- sweep(sweep(b, 2, prior_mean), 2, prior_precision, "*")
    list(sigma = x[, k + 1], pull = pull, squares = rss + rowSums(pull * off), prior_pull = prior_pull,
         prior = rowSums(prior_pull * sweep(b, 2, prior_mean)) / 2)
  }
  log_density <- function(x) {
    p <- parts(x)
    value <- -n * log(p$sigma) - p$squares / (2 * p$sigma^2) - p$prior + sigma_prior(p$sigma)$value
    ifelse(p$sigma > 0, value, -Inf)
  }
  gradient <- function(x) {
    p <- parts(x)
    g <- cbind(-p$pull / p$sigma^2 - p$prior_pull,
               -n / p$sigma + p$squares / p$sigma^3 + sigma_prior(p$sigma)$slope)
    colnames(g) <- parameters
    g
  }
  # Given sigma the integral over b is Gaussian; the one over log sigma is taken by quadrature. off = b - b0.
  given_sigma <- function(log_sigma) {
    s <- exp(log_sigma)
    A <- XtX / s^2 + diag(prior_precision, k)
    pull <- prior_precision * (prior_mean - b0)
    sigma_prior(s)$value - (n - 1) * log_sigma + k / 2 * log(2 * pi) - determinant(A)$modulus / 2 -
      (rss / s^2 + sum(prior_precision * (prior_mean - b0)^2) - sum(pull * solve(A, pull, tol = 0))) / 2
  }
  curve <- function(l) vapply(l, given_sigma, 0)
  top <- stats::optimize(curve, log(sqrt(rss / n)) + c(-3, 3), maximum = TRUE)
  area <- stats::integrate(function(l) exp(curve(l) - top$objective), top$maximum - 3, top$maximum + 3,
                           subdivisions = 1000, rel.tol = 1e-8)
  list(parameters = parameters, log_density = log_density, gradient = gradient,
       lower = stats::setNames(0, parameters[k + 1]), log_z = top$objective + log(area$value))
}

flat <- function() function(s) list(value = 0, slope = 0)
half_cauchy <- function(scale) function(s) list(value = -log1p((s / scale)^2), slope = -2 * s / (scale^2 + s^2))
half_normal <- function(scale) function(s) list(value = -s^2 / (2 * scale^2), slope = -s / scale^2)

model_kidscore_momiq <- function(data) {
  regression(cbind(1, data$mom_iq), data$kid_score, c(indexed("beta", 2), "sigma"), sigma_prior = half_cauchy(2.5))
}

model_kilpisjarvi <- function(data) {
  regression(cbind(1, data$x), data$y, c("alpha", "beta", "sigma"), c(data$pmualpha, data$pmubeta),
             c(data$psalpha, data$psbeta))
}

model_logearn_interaction <- function(data) {
  X <- cbind(1, data$height, data$male, data$height * data$male)
  regression(X, log(data$earn), c(indexed("beta", 4), "sigma"))
}

model_logmesquite <- function(data) {
  X <- with(data, cbind(1, log(diam1 * diam2 * canopy_height), log(diam1 * diam2), log(diam1 / diam2),
                        log(total_height), group))
  regression(X, log(data$weight), c(indexed("beta", 6), "sigma"))
}

model_mesquite <- function(data) {
  X <- with(data, cbind(1, diam1, diam2, canopy_height, total_height, density, group))
  regression(X, data$weight, c(indexed("beta", 7), "sigma"))
}

model_blr <- function(data) {
  regression(data$X, data$y, c(indexed("beta", ncol(data$X)), "sigma"), 0, 10, half_normal(10))
}

model_arK <- function(data) {
  lags <- stats::embed(data$y, data$K + 1)           # columns: y[t], y[t - 1], ..., y[t - K]
  regression(cbind(1, lags[, -1]), lags[, 1], c("alpha", indexed("beta", data$K), "sigma"), 0, 10, half_cauchy(2.5))
}

model_nes2000 <- function(data) {
  X <- with(data, cbind(1, real_ideo, race_adj, age_discrete == 2, age_discrete == 3, age_discrete == 4, educ1, gender,
                        income))
  regression(X, data$partyid7, c(indexed("beta", 9), "sigma"))
}

# ---- Time series --------------------------------------------------------------------------------------------------

# s2[t] = alpha0 + alpha1 (y[t - 1] - mu)^2 + beta1 s2[t - 1]; alpha1 + beta1 < 1: with the rest, a simplex of three.
model_garch11 <- function(data) {
  y <- data$y
  names <- c("mu", "alpha0", "alpha1", "beta1", "rest")
  log_density <- function(x) {
    s2 <- rep(data$sigma1^2, nrow(x))
    value <- -log(s2) / 2 - (y[1] - x[, 1])^2 / (2 * s2)
    for (t in seq_along(y)[-1]) {
      s2 <- x[, 2] + x[, 3] * (y[t - 1] - x[, 1])^2 + x[, 4] * s2
      value <- value - suppressWarnings(log(s2)) / 2 - (y[t] - x[, 1])^2 / (2 * s2)
    }
    ifelse(rowSums(x[, -1, drop = FALSE] > 0) == ncol(x) - 1 & !is.na(value), value, -Inf)
  }
  gradient <- function(x) {
    s2 <- rep(data$sigma1^2, nrow(x))
    ds2 <- matrix(0, nrow(x), 4)                     # derivatives of s2 by the parameters
    g <- matrix(0, nrow(x), 4)
    g[, 1] <- (y[1] - x[, 1]) / s2
    for (t in seq_along(y)[-1]) {
      before <- y[t - 1] - x[, 1]
      ds2 <- x[, 4] * ds2 + cbind(-2 * x[, 3] * before, 1, before^2, s2)
      s2 <- x[, 2] + x[, 3] * before^2 + x[, 4] * s2
      residual <- y[t] - x[, 1]
      g <- g + (residual^2 / s2 - 1) / (2 * s2) * ds2
      g[, 1] <- g[, 1] + residual / s2
    }
    g <- cbind(g, 0)
    colnames(g) <- names
    g
  }
  list(parameters = names, log_density = log_density, gradient = gradient, lower = c(alpha0 = 0),
       simplex = c("alpha1", "beta1", "rest"))
}

# e[t] = y[t] - mu - phi y[t - 1] - theta e[t - 1], e[1] = y[1] - mu - phi mu
model_arma11 <- function(data) {
  y <- data$y
  errors <- function(x, sloped = FALSE) {
    e <- y[1] - x[, 1] - x[, 2] * x[, 1]
    de <- cbind(-1 - x[, 2], -x[, 1], 0)
    squares <- e^2
    dsquares <- 2 * e * de
    for (t in seq_along(y)[-1]) {
      if (sloped) de <- -cbind(1, y[t - 1], e) - x[, 3] * de
      e <- y[t] - x[, 1] - x[, 2] * y[t - 1] - x[, 3] * e
      squares <- squares + e^2
      if (sloped) dsquares <- dsquares + 2 * e * de
    }
    list(squares = squares, slope = dsquares)
  }
  prior_sd <- c(10, 2, 2)
  log_density <- function(x) {
    s <- x[, 4]
    value <- -length(y) * log(s) - errors(x)$squares / (2 * s^2) - log1p((s / 2.5)^2)
    for (k in 1:3) value <- value - x[, k]^2 / (2 * prior_sd[k]^2)
    ifelse(s > 0, value, -Inf)
  }
  gradient <- function(x) {
    s <- x[, 4]
    e <- errors(x, TRUE)
    g <- cbind(-e$slope / (2 * s^2) - sweep(x[, 1:3, drop = FALSE], 2, prior_sd^2, "/"),
               -length(y) / s + e$squares / s^3 - 2 * s / (2.5^2 + s^2))
    colnames(g) <- c("mu", "phi", "theta", "sigma")
    g
  }
  list(parameters = c("mu", "phi", "theta", "sigma"), log_density = log_density, gradient = gradient,
       lower = c(sigma = 0))
}

# ---- Gaussian process ---------------------------------------------------------------------------------------------

# y ~ N(0, K), K = alpha^2 exp(-(s - t)^2 / (2 rho^2)) + sigma I. K is inverted for all rows at once by sweeping.
model_gp_regr <- function(data) {
  N <- length(data$x)
  squared <- as.vector(outer(data$x, data$x, "-")^2)
  identity <- as.vector(diag(N))
  invert <- function(K, n) {
    dim(K) <- c(n, N, N)
    log_det <- numeric(n)
    for (k in seq_len(N)) {
      pivot <- K[, k, k]
      log_det <- log_det + suppressWarnings(log(pivot))
      column <- matrix(K[, , k], n)
      side <- column / pivot
      K <- K - array(side[, rep(seq_len(N), N)] * column[, rep(seq_len(N), each = N)], c(n, N, N))
      K[, , k] <- side
      K[, k, ] <- side
      K[, k, k] <- -1 / pivot
    }
    list(inverse = -K, log_det = log_det)
  }
  parts <- function(x) {
    n <- nrow(x)
    bell <- exp(outer(-1 / (2 * x[, 1]^2), squared))
    swept <- invert(x[, 2]^2 * bell + outer(x[, 3], identity), n)
    inverse <- matrix(swept$inverse, n)
    solved <- vapply(seq_len(N), function(i) drop(matrix(swept$inverse[, i, ], n) %*% data$y), numeric(n))
    list(bell = bell, inverse = inverse, solved = matrix(solved, n), log_det = swept$log_det)
  }
  inside <- function(x) x[, 1] > 0 & x[, 2] > 0 & x[, 3] > 0
  log_density <- function(x) {
    p <- parts(x)
    value <- -p$log_det / 2 - drop(p$solved %*% data$y) / 2 + 24 * suppressWarnings(log(x[, 1])) - 4 * x[, 1] -
      x[, 2]^2 / 8 - x[, 3]^2 / 2
    ifelse(inside(x), value, -Inf)
  }
  gradient <- function(x) {
    p <- parts(x)
    # d log p / dK = (K^-1 y y' K^-1 - K^-1) / 2
    by_K <- (p$solved[, rep(seq_len(N), N), drop = FALSE] * p$solved[, rep(seq_len(N), each = N), drop = FALSE] -
               p$inverse) / 2
    kernel <- by_K * p$bell
    cbind(rho = x[, 2]^2 * drop(kernel %*% squared) / x[, 1]^3 + 24 / x[, 1] - 4,
          alpha = 2 * x[, 2] * rowSums(kernel) - x[, 2] / 4,
          sigma = drop(by_K %*% identity) - x[, 3])
  }
  list(parameters = c("rho", "alpha", "sigma"), log_density = log_density, gradient = gradient,
       lower = c(rho = 0, alpha = 0, sigma = 0))
}

# ---- Mixtures -----------------------------------------------------------------------------------------------------

# y ~ theta N(mu1, sigma1) + (1 - theta) N(mu2, sigma2), mu1 < mu2
model_gauss_mix <- function(data) {
  y <- data$y
  names <- c("mu[1]", "mu[2]", "sigma[1]", "sigma[2]", "theta")
  inside <- function(x) x[, 1] < x[, 2] & x[, 3] > 0 & x[, 4] > 0 & x[, 5] > 0 & x[, 5] < 1
  powers <- rbind(1, y, y^2)
  totals <- rowSums(powers)
  # logarithms of the parts at y [n, length(y)]. A part with a tiny sigma is as large as -1e18, so that no sum or
  # difference of both parts may enter the value
  part <- function(share, mu, sigma) log(share / sigma) - outer(mu, y, "-")^2 / (2 * sigma^2)
  parts <- function(x) {
    suppressWarnings(list(part(x[, 5], x[, 1], x[, 3]), part(1 - x[, 5], x[, 2], x[, 4])))
  }
  log_density <- by_rows(function(x) {
    p <- parts(x)
    value <- rowSums(pmax(p[[1]], p[[2]]) + log1p(exp(-abs(p[[1]] - p[[2]])))) -
      rowSums(x[, 1:4, drop = FALSE]^2) / 8 + 4 * suppressWarnings(log(x[, 5] * (1 - x[, 5])))
    ifelse(inside(x), value, -Inf)
  })
  gradient <- by_rows(function(x) {
    p <- parts(x)
    first <- (1 / (1 + exp(p[[2]] - p[[1]]))) %*% t(powers)
    sums <- list(first, rep(totals, each = nrow(x)) - first)
    g <- matrix(0, nrow(x), 5, dimnames = list(NULL, names))
    for (k in 1:2) {
      mu <- x[, k]
      sigma <- x[, 2 + k]
      squares <- sums[[k]][, 3] - 2 * mu * sums[[k]][, 2] + mu^2 * sums[[k]][, 1]
      g[, k] <- (sums[[k]][, 2] - mu * sums[[k]][, 1]) / sigma^2 - mu / 4
      g[, 2 + k] <- squares / sigma^3 - sums[[k]][, 1] / sigma - sigma / 4
    }
    g[, 5] <- (sums[[1]][, 1] + 4) / x[, 5] - (sums[[2]][, 1] + 4) / (1 - x[, 5])
    g
  })
  list(parameters = names, log_density = log_density, gradient = gradient, lower = c("sigma[1]" = 0, "sigma[2]" = 0,
       theta = 0), upper = c(theta = 1), ordered = c("mu[1]", "mu[2]"))
}

# Long data: 500 points at a time.
by_rows <- function(f, block = 500) {
  function(x) {
    if (nrow(x) <= block) return(f(x))
    blocks <- split(seq_len(nrow(x)), (seq_len(nrow(x)) - 1) %/% block)
    results <- lapply(blocks, function(rows) f(x[rows, , drop = FALSE]))
    if (is.matrix(results[[1]])) do.call(rbind, unname(results)) else unlist(results, use.names = FALSE)
  }
}

# Two hidden states: y[t] ~ N(mu[s], 1), transitions theta1 (from state 1) and theta2 (from state 2).
model_hmm <- function(data) {
  y <- data$y
  N <- length(y)
  names <- c("theta1[1]", "theta1[2]", "theta2[1]", "theta2[2]", "mu[1]", "mu[2]")
  emissions <- function(x) list(exp(-outer(x[, 5], y, "-")^2 / 2), exp(-outer(x[, 6], y, "-")^2 / 2))
  # forward[t] sums to 1; the logarithm of the likelihood is the sum of log scale[t]
  filter <- function(x, e) {
    forward <- scale <- vector("list", N)
    a <- cbind(e[[1]][, 1], e[[2]][, 1])
    for (t in seq_len(N)) {
      if (t > 1) {
        a <- cbind((a[, 1] * x[, 1] + a[, 2] * x[, 3]) * e[[1]][, t], (a[, 1] * x[, 2] + a[, 2] * x[, 4]) * e[[2]][, t])
      }
      scale[[t]] <- a[, 1] + a[, 2]
      a <- a / scale[[t]]
      forward[[t]] <- a
    }
    list(forward = forward, scale = scale)
  }
  inside <- function(x) rowSums(x[, 1:4, drop = FALSE] > 0) == 4 & x[, 5] < x[, 6]
  log_density <- function(x) {
    value <- Reduce(`+`, lapply(filter(x, emissions(x))$scale, log)) - (x[, 5] - 3)^2 / 2 - (x[, 6] - 10)^2 / 2
    ifelse(inside(x) & !is.na(value), value, -Inf)
  }
  gradient <- function(x) {
    e <- emissions(x)
    f <- filter(x, e)
    g <- matrix(0, nrow(x), 6, dimnames = list(NULL, names))
    b <- matrix(1, nrow(x), 2)                       # backward probabilities, scaled as the forward ones
    for (t in rev(seq_len(N))) {
      state <- f$forward[[t]] * b                    # P(state at t | y)
      g[, 5] <- g[, 5] + state[, 1] * (y[t] - x[, 5])
      g[, 6] <- g[, 6] + state[, 2] * (y[t] - x[, 6])
      if (t == 1) break
      ahead <- cbind(e[[1]][, t], e[[2]][, t]) * b / f$scale[[t]]
      before <- f$forward[[t - 1]]
      g[, 1:4] <- g[, 1:4] + before[, c(1, 1, 2, 2)] * ahead[, c(1, 2, 1, 2)]
      b <- cbind(x[, 1] * ahead[, 1] + x[, 2] * ahead[, 2], x[, 3] * ahead[, 1] + x[, 4] * ahead[, 2])
    }
    g[, 5] <- g[, 5] - (x[, 5] - 3)
    g[, 6] <- g[, 6] - (x[, 6] - 10)
    g
  }
  list(parameters = names, log_density = log_density, gradient = gradient, ordered = c("mu[1]", "mu[2]"),
       simplex = list(c("theta1[1]", "theta1[2]"), c("theta2[1]", "theta2[2]")))
}

# ---- Eight schools ------------------------------------------------------------------------------------------------

# y ~ N(mu + tau theta, sigma), theta ~ N(0, 1), mu ~ N(0, 5), tau ~ Cauchy+(5)
model_schools_noncentred <- function(data) {
  names <- c(indexed("theta_trans", 8), "mu", "tau")
  precision <- 1 / data$sigma^2
  residuals <- function(x) rep(data$y, each = nrow(x)) - x[, 9] - x[, 10] * x[, 1:8, drop = FALSE]
  log_density <- function(x) {
    value <- -drop(residuals(x)^2 %*% precision) / 2 - rowSums(x[, 1:8, drop = FALSE]^2) / 2 - x[, 9]^2 / 50 -
      log1p(x[, 10]^2 / 25)
    ifelse(x[, 10] > 0, value, -Inf)
  }
  gradient <- function(x) {
    pull <- sweep(residuals(x), 2, precision, "*")
    theta <- x[, 1:8, drop = FALSE]
    g <- cbind(x[, 10] * pull - theta, rowSums(pull) - x[, 9] / 25,
               rowSums(pull * theta) - 2 * x[, 10] / (25 + x[, 10]^2))
    colnames(g) <- names
    g
  }
  list(parameters = names, log_density = log_density, gradient = gradient, lower = c(tau = 0))
}

# The same with theta ~ N(mu, tau) and y ~ N(theta, sigma): a funnel towards tau = 0.
model_schools_centred <- function(data) {
  names <- c(indexed("theta", 8), "mu", "tau")
  precision <- 1 / data$sigma^2
  log_density <- function(x) {
    theta <- x[, 1:8, drop = FALSE]
    value <- -drop((rep(data$y, each = nrow(x)) - theta)^2 %*% precision) / 2 -
      rowSums((theta - x[, 9])^2) / (2 * x[, 10]^2) - 8 * suppressWarnings(log(x[, 10])) - x[, 9]^2 / 50 -
      log1p(x[, 10]^2 / 25)
    ifelse(x[, 10] > 0, value, -Inf)
  }
  gradient <- function(x) {
    theta <- x[, 1:8, drop = FALSE]
    off <- theta - x[, 9]
    g <- cbind(sweep(rep(data$y, each = nrow(x)) - theta, 2, precision, "*") - off / x[, 10]^2,
               rowSums(off) / x[, 10]^2 - x[, 9] / 25,
               rowSums(off^2) / x[, 10]^3 - 8 / x[, 10] - 2 * x[, 10] / (25 + x[, 10]^2))
    colnames(g) <- names
    g
  }
  list(parameters = names, log_density = log_density, gradient = gradient, lower = c(tau = 0))
}
