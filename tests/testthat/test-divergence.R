divergence_kinds <- list(kl = list("kl", NA), alpha2 = list("alpha", 2), alpha5 = list("alpha", 5),
                         reverse_kl = list("reverse_kl", NA), js = list("js", NA))

dual <- function(kind, p, q) .Call(routine("divergence_dual"), kind[[1]], kind[[2]], p, q)

# mean_P phi - inf_nu [nu + mean_Q f*(phi - nu)], the infimum by golden section where f* is finite.
reference_dual <- function(name, p, q) {
  conjugate <- switch(
    name, kl = function(y) exp(y - 1),
    alpha2 = function(y) (1 + pmax(y, 0)^2) / 2, alpha5 = function(y) (1 / 4 + (4 * pmax(y, 0))^(5 / 4)) / 5,
    reverse_kl = function(y) -1 - log(-y), js = function(y) -log(2 - exp(y))
  )
  low <- max(q) + switch(name, reverse_kl = 0, js = -log(2), min(q) - max(q) - 3)
  mean(p) - stats::optimize(function(nu) nu + mean(conjugate(q - nu)), c(low, max(q) + 3), tol = 1e-9)$objective
}

test_that("the dual is the one found by a search for nu, and its weights are a law", {
  set.seed(1)
  for (spread in c(0.1, 1, 5)) {
    p <- rnorm(30, 1, spread)
    q <- rnorm(50, 0, spread)
    for (name in names(divergence_kinds)) {
      found <- dual(divergence_kinds[[name]], p, q)
      expect_equal(found$value, reference_dual(name, p, q), tolerance = tolerance$search, info = paste(name, spread))
      expect_equal(sum(found$weight), 1, tolerance = tolerance$closed_form)
      expect_true(all(found$weight >= 0))
    }
  }
})

# sup over phi = t sign(x) with |slope| at most L of two points a distance r apart: P at one, Q at both ends of
# shares 1 - q and q. With KL and phi = h at P's point, 0 at the other: h - log(q e^h + 1 - q), rising in h, so h = L r.
test_that("a trained potential reaches the closed form for two points, and never exceeds it", {
  for (lipschitz in c(0.05, 0.5, 2)) {
    r <- 1.5
    q <- 0.25
    source <- cbind(rep(c(r, r + 1e-9), c(20, 1)))
    target <- cbind(rep(c(r, 0), c(10, 30)))
    set.seed(5)
    # the particles stay; only the network learns
    fit <- gpa(source, target, lipschitz = lipschitz, step = 1e-12, n_steps = 60, updates = 20, rate = 0.01,
               latent = "none", scale = FALSE)
    h <- lipschitz * r
    wanted <- h - log(q * exp(h) + 1 - q)
    expect_lte(max(tidy(fit)$divergence), wanted * (1 + 1e-6))
    expect_gt(max(tidy(fit)$divergence), 0.97 * wanted)
    # L W1 is the limit of small L (formula 1.3)
    expect_lte(wanted, lipschitz * r * (1 - q))
    if (lipschitz == 0.05) expect_gt(max(tidy(fit)$divergence), 0.95 * lipschitz * r * (1 - q))
  }
})

test_that("no estimate exceeds lipschitz times the Wasserstein-1 distance", {
  # on one line W1 is the area between the distribution functions
  wasserstein1 <- function(x, y) {
    grid <- sort(c(x, y))
    sum(diff(grid) * abs(stats::ecdf(x)(grid) - stats::ecdf(y)(grid))[-length(grid)])
  }
  for (seed in 1:4) {
    set.seed(seed)
    source <- matrix(rnorm(30, sd = 0.5 + seed / 2), 30)
    target <- matrix(rexp(20) + seed - 2, 20)
    for (divergence in c("kl", "alpha", "reverse_kl", "js")) {
      lipschitz <- c(0.1, 1, 5)[seed %% 3 + 1]
      fit <- gpa(source, target, divergence, lipschitz = lipschitz, n_steps = 25, step = 0.1, rate = 0.01, every = 1,
                 latent = "none", scale = FALSE)
      bound <- apply(fit$trajectory$frames[, 1, ], 2, wasserstein1, y = fit$target[, 1])
      found <- tidy(fit)$divergence
      expect_true(all(found <= lipschitz * bound * (1 + 1e-6) + 1e-12), info = paste(seed, divergence))
    }
  }
})
