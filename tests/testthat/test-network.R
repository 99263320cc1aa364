# The network in plain R; parameters layer by layer, W by columns, then b.
reference_network <- function(parameters, widths, smoothing, x) {
  rectify <- function(z) {
    if (smoothing == 0) return(pmax(z, 0))
    t <- pmin(pmax(z / smoothing, -1), 1)
    ifelse(z > smoothing, z, smoothing * (3 / 16 + t / 2 + 3 / 8 * t^2 - t^4 / 16))
  }
  a <- t(x)
  at <- 0
  depth <- length(widths) - 1
  for (l in seq_len(depth)) {
    size <- widths[l + 1] * widths[l]
    w <- matrix(parameters[at + seq_len(size)], widths[l + 1], widths[l])
    b <- parameters[at + size + seq_len(widths[l + 1])]
    a <- w %*% a + b
    if (l < depth) a <- rectify(a)
    at <- at + size + widths[l + 1]
  }
  t(a)
}

# The weight matrices of a parameter vector.
weight_matrices <- function(parameters, widths) {
  at <- 0
  lapply(seq_len(length(widths) - 1), function(l) {
    size <- widths[l + 1] * widths[l]
    w <- matrix(parameters[at + seq_len(size)], widths[l + 1], widths[l])
    at <<- at + size + widths[l + 1]
    w
  })
}

test_that("the network is what R computes, for any widths and numbers of rows", {
  for (widths in list(c(3L, 8L, 5L, 2L), c(1L, 1L), c(4L, 7L, 4L), c(2L, 33L, 32L, 31L, 1L))) {
    parameters <- .Call(routine("network_start"), widths, c(1L, 2L))
    set.seed(1)
    parameters <- parameters + rnorm(length(parameters), sd = 0.1)
    for (n in c(1, 7, 513)) {
      x <- matrix(rnorm(n * widths[1]), n)
      for (smoothing in c(0, 0.5)) {
        found <- .Call(routine("network_forward"), parameters, widths, smoothing, x, 1L)
        expect_lt(relative_error(found, reference_network(parameters, widths, smoothing, x)), tolerance$kernel)
      }
    }
  }
})

test_that("results have the same bits on any number of threads, and agree on all instruction sets", {
  before <- particleflow_simd()
  on.exit(particleflow_simd(before))
  set.seed(5)
  widths <- c(20L, 64L, 33L, 2L)
  parameters <- .Call(routine("network_start"), widths, c(3L, 4L))
  x <- matrix(rnorm(20 * 1500), 1500)
  by_output <- matrix(rnorm(2 * 1500), 1500)
  outputs <- lapply(attr(before, "available"), function(set) {
    particleflow_simd(set)
    run <- function(threads) {
      list(.Call(routine("network_forward"), parameters, widths, 0.3, x, threads),
           .Call(routine("network_backward"), parameters, widths, 0.3, x, by_output, threads))
    }
    one <- run(1L)
    expect_identical(run(2L), one)
    one
  })
  for (found in outputs) {
    expect_lt(relative_error(found[[1]], reference_network(parameters, widths, 0.3, x)), tolerance$kernel)
    expect_equal(found[[2]], outputs[[1]][[2]], tolerance = tolerance$rounding)
  }
})

test_that("a flow has the same bits on one and on two threads", {
  set.seed(6)
  source <- matrix(rnorm(300 * 4), 300)
  target <- matrix(rnorm(280 * 4, 1), 280)
  fit <- function(threads) {
    before <- options(particleflow.threads = threads)
    on.exit(options(before))
    set.seed(7)
    gpa(source, target, n_steps = 20, hidden = c(64, 64))
  }
  expect_identical(fit(2)$particles, fit(1)$particles)
})

test_that("no product goes through a BLAS", {
  path <- getLoadedDLLs()[["particleflow"]][["path"]]
  code <- readBin(path, "raw", file.size(path))
  expect_length(grepRaw("network_forward", code, fixed = TRUE), 1) # names of symbols are there to be read
  for (name in c("dgemm", "dgemv", "dsyrk", "dtrsm", "ddot")) expect_length(grepRaw(name, code, fixed = TRUE), 0)
})

test_that("characteristic functions are what R computes, on any number of threads", {
  set.seed(8)
  for (n in c(1, 64, 200)) {
    for (dim in c(1, 3)) {
      x <- matrix(rnorm(n * dim, sd = 3), n)
      t <- matrix(rnorm(19 * dim), 19)
      found <- .Call(routine("characteristic"), x, t, 1L)
      expect_equal(complex(real = found$re, imaginary = found$im), colMeans(exp(1i * tcrossprod(x, t))),
                   tolerance = tolerance$rounding)
      pull <- .Call(routine("characteristic_pull"), x, t, found$re, found$im, 1L)
      phase <- tcrossprod(x, t)
      expect_equal(pull, (sweep(cos(phase), 2, found$im, "*") - sweep(sin(phase), 2, found$re, "*")) %*% t,
                   tolerance = tolerance$rounding)
    }
  }
  x <- matrix(rnorm(4000), 2000)
  t <- matrix(rnorm(200), 100)
  one <- .Call(routine("characteristic"), x, t, 1L)
  expect_identical(.Call(routine("characteristic"), x, t, 2L), one)
  expect_identical(.Call(routine("characteristic_pull"), x, t, one$re, one$im, 2L),
                   .Call(routine("characteristic_pull"), x, t, one$re, one$im, 1L))
})

test_that("the start is He's and a function of the key", {
  widths <- c(100L, 200L, 1L)
  parameters <- .Call(routine("network_start"), widths, c(5L, 6L))
  expect_identical(parameters, .Call(routine("network_start"), widths, c(5L, 6L)))
  w <- weight_matrices(parameters, widths)[[1]]
  # 20,000 draws: a standard error of the variance is 1 % of it
  expect_lt(abs(var(as.vector(w)) / (2 / 100) - 1), 0.05)
  expect_true(all(parameters[20000 + 1:200] == 0))
  expect_false(identical(parameters, .Call(routine("network_start"), widths, c(5L, 7L))))
})

test_that("gradients agree with central differences", {
  set.seed(2)
  widths <- c(3L, 8L, 6L, 2L)
  x <- matrix(rnorm(27), 9)
  by_output <- matrix(rnorm(18), 9)
  for (smoothing in c(0, 0.4)) {
    parameters <- .Call(routine("network_start"), widths, c(3L, 4L))
    parameters <- parameters + rnorm(length(parameters), sd = 0.1)
    scalar <- function(parameters, x) {
      sum(by_output * .Call(routine("network_forward"), parameters, widths, smoothing, x, 1L))
    }
    found <- .Call(routine("network_backward"), parameters, widths, smoothing, x, by_output, 1L)
    difference <- function(at, value) {
      vapply(seq_along(at), function(i) {
        shift <- replace(at * 0, i, 1e-5)
        (value(at + shift) - value(at - shift)) / 2e-5
      }, 0)
    }
    expect_lt(max(abs(found$parameters - difference(parameters, function(p) scalar(p, x)))), tolerance$difference)
    expect_lt(max(abs(found$input - difference(x, function(z) scalar(parameters, z)))), tolerance$difference)
  }
})

test_that("the spectral bound holds and is tight, against svd()", {
  set.seed(3)
  for (shape in list(c(1, 1), c(1, 9), c(9, 1), c(2, 2), c(32, 2), c(32, 32), c(64, 50), c(50, 64), c(130, 128))) {
    for (kind in c("normal", "low rank", "orthogonal", "near ties")) {
      w <- matrix(rnorm(prod(shape)), shape[1])
      parts <- svd(w)
      d <- switch(kind, normal = parts$d, `low rank` = replace(parts$d * 0, 1, 3), orthogonal = parts$d * 0 + 1,
                  `near ties` = 1 - 1e-5 * seq_along(parts$d))
      w <- parts$u %*% (d * t(parts$v))
      bound <- .Call(routine("spectral_bound"), w)
      largest <- svd(w, 0, 0)$d[1]
      expect_gte(bound, largest * (1 - tolerance$rounding))
      expect_lte(bound, largest * (1 + 1.001e-5))
    }
  }
  expect_identical(.Call(routine("spectral_bound"), matrix(0, 3, 4)), 0)
})

test_that("during a run the slope never exceeds lipschitz, and is close to it", {
  set.seed(4)
  target <- matrix(rnorm(60), 30) + 3
  for (lipschitz in c(0.1, 1, 30)) {
    fit <- gpa(matrix(rnorm(80), 40), target, lipschitz = lipschitz, n_steps = 60, rate = 0.05, keep = 1)
    slopes <- apply(fit$trajectory$networks, 2, function(parameters) {
      prod(vapply(weight_matrices(parameters, fit$trajectory$plan$widths), function(w) svd(w, 0, 0)$d[1], 0))
    })
    expect_length(slopes, 60)
    expect_lte(max(slopes), lipschitz * (1 + 1e-6))
    expect_gte(min(slopes), lipschitz * (1 - 1e-4))
    expect_lte(max(tidy(fit)$kinetic_energy), lipschitz^2 * (1 + 1e-6))
  }
  fit <- gpa(matrix(rnorm(80), 40), target, lipschitz = 2, n_steps = 20, normalisation = "frobenius")
  norms <- vapply(weight_matrices(fit$trajectory$networks[, 20], fit$trajectory$plan$widths),
                  function(w) sqrt(sum(w^2)), 0)
  expect_equal(norms, rep(2^(1 / 4), 4), tolerance = tolerance$closed_form)
})
