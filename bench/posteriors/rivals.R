# Samplers beside the package. Each is a function of an entry's functions on the free scale (on_free_scale()) and of the
# number of evaluations (a value counts one, a gradient counts one); it returns draws [n, free] on that scale.

wide_start <- function(free, n) {
  z <- matrix(stats::rnorm(n * free$dim, sd = 2), n)
  for (i in 1:50) {                                  # within the support
    out <- free$value(z) == -Inf
    if (!any(out)) break
    z[out, ] <- stats::rnorm(sum(out) * free$dim, sd = 2)
  }
  z
}

# The highest of five BFGS searches from the wide start, and the inverse of the Hessian there by differences of
# gradients; eigenvalues of the wrong sign are taken as those of a unit law.
laplace_fit <- function(free) {
  starts <- wide_start(free, 5)
  found <- lapply(1:5, function(i) {
    down <- function(z) {
      v <- free$value(z)
      if (is.finite(v)) -v else 1e300
    }
    tryCatch(stats::optim(starts[i, ], down, function(z) -drop(free$slope(z)), method = "BFGS",
                          control = list(maxit = 300, reltol = 1e-12)),
             error = function(e) list(value = Inf))
  })
  values <- vapply(found, function(f) f$value, 0)
  mode <- found[[which.min(values)]]$par
  d <- free$dim
  h <- 1e-4 * pmax(abs(mode), 1e-3)
  steps <- rbind(diag(h, d), -diag(h, d))
  g <- free$slope(sweep(steps, 2, mode, "+"))
  hessian <- -(g[1:d, , drop = FALSE] - g[d + 1:d, , drop = FALSE]) / (2 * h)
  e <- eigen((hessian + t(hessian)) / 2, symmetric = TRUE)
  bad <- !is.finite(e$values) | e$values <= 1e-12 * max(abs(e$values), 1e-300)
  e$values[bad] <- 1
  list(mode = mode, root = e$vectors %*% diag(1 / sqrt(e$values), d))   # covariance = root root'
}

draw_laplace <- function(fit, n) {
  sweep(matrix(stats::rnorm(n * length(fit$mode)), n) %*% t(fit$root), 2, fit$mode, "+")
}

laplace <- function(free, evaluations) draw_laplace(laplace_fit(free), 1000)

# One Metropolis-corrected gradient move of all rows, in units u with z = mode + root u
mala_move <- function(free, fit, state, h) {
  to_z <- function(u) sweep(u %*% t(fit$root), 2, fit$mode, "+")
  ahead <- state$u + h^2 / 2 * state$slope + h * stats::rnorm(length(state$u))
  z <- to_z(ahead)
  value <- free$value(z)
  slope <- free$slope(z) %*% fit$root
  back <- rowSums((state$u - ahead - h^2 / 2 * slope)^2) - rowSums((ahead - state$u - h^2 / 2 * state$slope)^2)
  ratio <- value - state$value - back / (2 * h^2)
  accept <- !is.na(ratio) & log(stats::runif(length(ratio))) < ratio
  state$u[accept, ] <- ahead[accept, ]
  state$value[accept] <- value[accept]
  state$slope[accept, ] <- slope[accept, ]
  state$accepted <- mean(accept)
  state
}

laplace_mala <- function(free, evaluations, moves = 20, n = 1000) {
  fit <- laplace_fit(free)
  u <- matrix(stats::rnorm(n * free$dim), n)
  z <- sweep(u %*% t(fit$root), 2, fit$mode, "+")
  state <- list(u = u, value = free$value(z), slope = free$slope(z) %*% fit$root)
  h <- 1.2 * free$dim^(-1 / 6)
  for (i in seq_len(moves)) {
    state <- mala_move(free, fit, state, h)
    h <- h * exp(0.5 * (state$accepted - 0.6))
  }
  sweep(state$u %*% t(fit$root), 2, fit$mode, "+")
}

# Adaptive Metropolis (Haario, Saksman, Tamminen 2001): 20 chains side by side, one covariance learnt from all of them,
# size by acceptance towards 0.234; the second half is kept.
metropolis <- function(free, evaluations, chains = 20) {
  steps <- evaluations %/% chains
  z <- wide_start(free, chains)
  value <- free$value(z)
  d <- free$dim
  size <- 2.38 / sqrt(d)
  mean <- colMeans(z)
  second <- diag(d)
  root <- chol(second)
  kept <- vector("list", steps)
  for (i in seq_len(steps)) {
    ahead <- z + size * matrix(stats::rnorm(chains * d), chains) %*% root
    new <- free$value(ahead)
    accept <- log(stats::runif(chains)) < new - value
    accept[is.na(accept)] <- FALSE
    z[accept, ] <- ahead[accept, ]
    value[accept] <- new[accept]
    kept[[i]] <- z
    rate <- 1 / (i + 10)^0.6
    size <- size * exp(rate * (sum(accept) / chains - 0.234))
    if (i %% 50 == 0) {
      recent <- do.call(rbind, kept[seq(max(1, i %/% 2), i)])
      second <- stats::cov(recent) + diag(1e-12, d)
      root <- tryCatch(chol(second), error = function(e) root)
    }
  }
  do.call(rbind, kept[-seq_len(steps %/% 2)])
}

# Stein variational gradient descent of package steinsampling, defaults but for the number of particles and of steps,
# from the wide start
svgd_defaults <- function(free, evaluations, n = 200) {
  steinsampling::svgd(wide_start(free, n), function(z) free$slope(z), n_iter = evaluations %/% n)
}

# The same from Laplace's law and in its units, with steps that fit these units
svgd_whitened <- function(free, evaluations, n = 200) {
  fit <- laplace_fit(free)
  score <- function(u) free$slope(sweep(u %*% t(fit$root), 2, fit$mode, "+")) %*% fit$root
  u <- steinsampling::svgd(matrix(stats::rnorm(n * free$dim), n), score, n_iter = evaluations %/% n, step_size = 0.05)
  if (is.list(u)) u <- u[[1]]
  sweep(u %*% t(fit$root), 2, fit$mode, "+")
}

# Robust adaptive Metropolis of package adaptMCMC: one chain from one wide point
adaptive_chain <- function(free, evaluations) {
  start <- drop(wide_start(free, 1))
  chain <- adaptMCMC::MCMC(function(z) free$value(z), n = evaluations, init = start, adapt = TRUE, acc.rate = 0.234,
                           showProgressBar = FALSE)
  draws <- chain$samples
  draws[-seq_len(nrow(draws) %/% 2), , drop = FALSE]
}

rivals <- list(laplace = laplace, laplace_mala = laplace_mala, metropolis = metropolis, adaptMCMC = adaptive_chain,
               svgd = svgd_defaults, svgd_whitened = svgd_whitened)
