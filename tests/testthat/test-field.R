# Fields that are approximated, each against the exact one. `kinds`: for each kind the dimensions and exponents that are
# tried, and a field that is good to `error`.
field_cases <- list(
  list(kind = "batch", dims = c(1, 2, 5, 15), s = c(-0.5, 0, 1.5), error = 0.2, make = function() {
    efs_field("batch", sources = 300)
  }),
  list(kind = "tree", dims = c(1, 2, 3), s = c(-0.5, 0, 1.5), error = 2e-3, make = function() {
    efs_field("tree", tolerance = 1e-3)
  }),
  list(kind = "mesh", dims = c(1, 2, 3), s = c(-0.5, 0, 1.5), error = 2e-3, make = function() {
    efs_field("mesh", tolerance = 1e-3)
  }),
  # one direction is all there is in one dimension
  list(kind = "sliced", dims = c(1, 2, 5, 15), s = c(-1, 0), error = 0.05, make = function() {
    efs_field("sliced", directions = 150)
  })
)

spread <- function(n, d, seed = 1) {
  set.seed(seed)
  x <- matrix(rnorm(n * d), n, d) / sqrt(d)
  x[, 1] <- x[, 1] + 0.3 * x[, d]^2
  x
}

over_cases <- function(code) {
  for (case in field_cases) {
    for (d in case$dims) {
      for (s in case$s[case$s < d]) code(case, d, s, sprintf("%s, d %g, s %g", case$kind, d, s))
    }
  }
}

# The field of `at`, chosen as efs_forward() does.
opened <- function(field, at, s, epsilon, step = 1L) {
  potential <- list(s = s, epsilon = epsilon)
  set.seed(5)
  chosen <- particleflow:::choose_field(field, at, potential, 2L)
  particleflow:::open_field(chosen, at, step, potential, 2L)
}

# The gradient at points, in a frame that knows its drift.
field_there <- function(frame, own, points) {
  frame$drift <- own$drift
  particleflow:::field_of(frame, points, 2L)
}

last_positions <- function(traj) matrix(traj$frames[, , dim(traj$frames)[3]], nrow(traj$frames))

test_that("each field is the exact one within its stated error, at ragged sizes", {
  over_cases(function(case, d, s, label) {
    for (n in c(301, 2003)) {
      at <- spread(n, d)
      frame <- opened(case$make(), at, s, 0.1)
      own <- particleflow:::own_field(frame, 2L)
      seen <- particleflow:::survey_field(frame, own, 2L)
      exact <- particleflow:::field_at(at, at, s, 0.1, TRUE, 2L)
      pull <- n / (n - 1) * sweep(at, 2, colMeans(at))
      true <- sqrt(sum((own$gradient - exact$gradient)^2) / sum((pull - exact$gradient)^2))
      expect_lt(true, case$error, label = label)
      # 100 rows against all: errors are heavy-tailed, so that a factor of 2 is not rare
      expect_lt(abs(log(seen$field_error / max(true, 1e-12))), if (n == 301 && case$kind == "batch") Inf else log(3),
                label = label)
      expect_equal(seen$repulsion, sum(exact$repulsion), tolerance = 0.3, label = label)
      # a point at the position of a particle goes where the particle goes
      expect_equal(own$gradient[1:5, ],
                   matrix(field_there(frame, own, at[1:5, , drop = FALSE]), 5)[, seq_len(d)], tolerance = 1e-12)
    }
  })
})

test_that("curvature is the largest eigenvalue of the Jacobian at the steepest particles", {
  over_cases(function(case, d, s, label) {
    at <- spread(200, d)
    frame <- opened(case$make(), at, s, 0.2)
    own <- particleflow:::own_field(frame, 1L)
    frame$drift <- own$drift
    found <- particleflow:::steepest_rows(frame, own$curvature, 1L)
    # all rows, by differences; the own pair is constant and is taken off where the field holds it
    self <- if (particleflow:::holds_own(frame)) (1 - 0.2^-(s / 2 + 1)) / 199 else 0
    h <- 1e-5
    each <- lapply(seq_len(d), function(k) {
      shift <- matrix(h * (seq_len(d) == k), 200, d, byrow = TRUE)
      (particleflow:::field_of(frame, at + shift, 1L) - particleflow:::field_of(frame, at - shift, 1L)) / (2 * h)
    })
    largest <- max(vapply(1:200, function(i) {
      jacobian <- matrix(vapply(each, function(column) column[i, ], numeric(d)), d)
      max(eigen((jacobian + t(jacobian)) / 2, TRUE, TRUE)$values)
    }, 0)) - self
    expect_equal(found, largest, tolerance = 1e-4, label = label)
    expect_gte(max(own$curvature), largest - 1e-6)
  })
})

test_that("a flow is undone, step by step, by the field that made it", {
  over_cases(function(case, d, s, label) {
    x <- spread(700, d)
    set.seed(3)
    traj <- efs_forward(x, s, 0.2, n_steps = 4, field = case$make(), max_bound = 0.5)
    expect_identical(traj$field$kind, case$kind)
    back <- efs_backward(traj, matrix(traj$frames[, , 5], 700), details = TRUE)
    expect_lt(max(abs(back$points - x)) / max(abs(x)), tolerance$inverse, label = label)
    expect_true(all(back$converged))
    # points that are no particles
    y <- spread(23, d, 9) * 1.2
    there <- particleflow:::carry_forward(traj, y, 2L)
    expect_lt(max(abs(efs_backward(traj, there$points) - y)), tolerance$inverse, label = label)
    # its Jacobian
    jacobians <- vapply(seq_len(d), function(k) {
      shift <- matrix(1e-5 * (seq_len(d) == k), 23, d, byrow = TRUE)
      (particleflow:::carry(traj, y + shift, 2L) - particleflow:::carry(traj, y - shift, 2L)) / 2e-5
    }, y)
    by_differences <- apply(array(jacobians, c(23, d, d)), 1, function(m) log(abs(det(matrix(m, d)))))
    expect_equal(there$log_det, by_differences, tolerance = tolerance$difference, label = label)
  })
})

test_that("bits depend neither on threads nor on how frames are kept, and the seed governs", {
  for (case in field_cases) {
    d <- case$dims[2]
    x <- spread(1001, d)
    run <- function(seed, ...) {
      set.seed(seed)
      efs_forward(x, 0, 0.2, n_steps = 4, field = case$make(), ...)
    }
    one <- run(1, threads = 1)
    two <- run(1, threads = 2)
    expect_identical(one, two)
    sparse <- run(1, keep = "checkpoints", every = 3)
    expect_identical(unname(particleflow:::frame(sparse, 3)), matrix(one$frames[, , 3], 1001))
    y <- spread(300, d, 2)
    expect_identical(efs_backward(one, y, threads = 1), efs_backward(one, y, threads = 2))
    # a point does not depend on the others of the call
    expect_identical(efs_backward(one, y[7, , drop = FALSE]), efs_backward(one, y)[7, , drop = FALSE])
    # a run that is resumed
    set.seed(1)
    rest <- resume(efs_forward(x, 0, 0.2, n_steps = 2, field = case$make()), n_steps = 2, progress = FALSE)
    expect_identical(rest$frames, one$frames)
    expect_identical(rest$field, one$field)
    moved <- max(abs(colMeans(last_positions(one)) - colMeans(x)))
    expect_lt(moved, tolerance$centre)
    if (!case$kind %in% c("tree", "mesh")) expect_false(identical(run(2)$frames, one$frames))
  }
})

test_that("densities of flows with these fields integrate to 1", {
  for (case in field_cases) {
    for (d in intersect(case$dims, 1:2)) {
      x <- spread(150, d)
      set.seed(2)
      traj <- efs_forward(x, -0.5, 0.2, time = 0.5, field = case$make())
      grid <- seq(-9, 9, length.out = if (d == 1) 2001 else 301)
      points <- as.matrix(expand.grid(rep(list(grid), d)))
      carried <- particleflow:::carry_forward(traj, unname(points), 2L)
      density <- exp(carried$log_det) * apply(stats::dnorm(carried$points, sd = 0.8), 1, prod)
      expect_lt(abs(sum(density) * diff(grid[1:2])^d - 1), tolerance$integral, label = paste(case$kind, d))
    }
  }
})

test_that("slices are unbiased, and what all directions have in common makes no error", {
  at <- spread(400, 4)
  exact <- particleflow:::field_at(at, at, -1, 0.3, TRUE, 1L)$gradient
  draws <- vapply(1:300, function(step) {
    particleflow:::own_field(opened(efs_field("sliced", directions = 16), at, -1, 0.3, step), 1L)$gradient[1:20, ]
  }, exact[1:20, ])
  average <- apply(draws, 1:2, mean)
  se <- apply(draws, 1:2, stats::sd) / sqrt(300)
  # 80 numbers within 4.5 standard errors: a false alarm in 2,000 seeds. The mean over the directions is itself drawn,
  # which leaves a bias of a higher order in 1/16.
  expect_lt(max(abs(average - exact[1:20, ]) / (se + 1e-3 * sqrt(mean(exact^2)))), 4.5)
  expect_error(efs_forward(at, s = 1, field = "sliced"), "for `s` of at most 0, not 1")
  expect_error(efs_forward(at, field = "tree"), "for at most 3 columns, not 4")
})

test_that("a tree keeps its tolerance, and the equilibrium is reached with many particles", {
  set.seed(4)
  at <- spread(30000, 2)
  for (wanted in c(1e-2, 1e-4)) {
    traj <- efs_forward(at, 0, 16 / 30000, n_steps = 1, field = efs_field("tree", tolerance = wanted))
    expect_lt(traj$diagnostics$field_error[1], wanted)
  }
  # uniform on the unit disc: mean |x|^2 = 1/2 (the radius is 1 at s = d - 2); reached like exp(-2 t)
  set.seed(1)
  start <- matrix(rnorm(20000), 10000)
  traj <- efs_forward(start, 0, 1e-4, time = 4, n_steps = 100, step = 0.25, max_bound = Inf,
                      field = efs_field("tree", tolerance = 0.01), keep = "checkpoints")
  r2 <- rowSums(sweep(last_positions(traj), 2, colMeans(start))^2)
  expect_equal(mean(r2), 0.5, tolerance = 0.01)
  expect_lt(max(abs(sort(r2) - (seq_len(10000) - 0.5) / 10000)), 0.05)
})

test_that("a mesh keeps its tolerance, and the equilibrium is reached with 100,000 particles", {
  set.seed(4)
  at <- spread(30000, 2)
  for (wanted in c(1e-2, 1e-4)) {
    traj <- efs_forward(at, 0, 16 / 30000, n_steps = 1, field = efs_field("mesh", tolerance = wanted))
    expect_lt(traj$diagnostics$field_error[1], wanted)
  }
  # uniform on the unit disc, as for a tree
  set.seed(1)
  start <- matrix(rnorm(200000), 100000)
  traj <- efs_forward(start, 0, 1e-5, time = 4, n_steps = 16, step = 0.25, max_bound = Inf,
                      field = efs_field("mesh", tolerance = 0.01), keep = "checkpoints")
  r2 <- rowSums(sweep(last_positions(traj), 2, colMeans(start))^2)
  expect_equal(mean(r2), 0.5, tolerance = 0.01)
  expect_lt(max(abs(sort(r2) - (seq_len(100000) - 0.5) / 100000)), 0.05)
})

test_that("a mesh is right for clouds that do not fill their box, and beyond it", {
  set.seed(6)
  clusters <- matrix(rnorm(4000), 2000) * 10^-sample(0:3, 2000, TRUE) + rep(c(0, 3, -2, 5), each = 500)
  clouds <- list(tails = matrix(rt(4000, 2), 2000), clusters = clusters, line = cbind(rnorm(2000), 1),
                 equal = matrix(1, 2000, 2), far = rbind(matrix(rnorm(3998), 1999), c(1000, -1000)))
  for (name in names(clouds)) {
    at <- clouds[[name]]
    frame <- opened(efs_field("mesh", tolerance = 1e-3), at, 0, 0.01)
    expect_lt(prod(frame$core$nodes), 2^22 + 1)
    points <- rbind(at, at[1:20, ] * 1.5 + 3, c(1e6, 0))
    exact <- particleflow:::field_at(points, at, 0, 0.01, FALSE, 2L)$gradient
    pull <- nrow(at) / (nrow(at) - 1) * sweep(points, 2, colMeans(at))
    found <- particleflow:::field_of(frame, points, 2L)
    # the last row is a sum over all pairs, but of far larger numbers
    inside <- seq_len(nrow(points) - 1)
    expect_lt(sqrt(sum((found - exact)[inside, ]^2)), 2e-3 * sqrt(sum((pull - exact)[inside, ]^2)) + 1e-9, label = name)
    expect_equal(found[-inside, ], exact[-inside, ], tolerance = 1e-12, label = name)
  }
  # the grid does not reach out to one particle a thousand radii away
  expect_lt(frame$core$spacing * max(frame$core$nodes), 100)
  expect_error(efs_forward(cbind(at, at), field = "mesh"), "for at most 3 columns, not 4")
  expect_error(efs_field("mesh", reach = 0.5), "`reach` must be")
})

test_that("a mesh is taken for smooth clouds, and a tree where few cells hold most particles", {
  set.seed(8)
  kind <- function(at) particleflow:::choose_field(efs_field(), at, list(s = 0, epsilon = 16 / 21000), 2L)$kind
  expect_identical(kind(spread(21000, 2)), "mesh")
  expect_identical(kind(rbind(matrix(rnorm(42000, sd = 1e-4), 21000), matrix(rnorm(2000, sd = 100), 1000))), "tree")
})

test_that("batches are unbiased, and more sources make less error", {
  at <- spread(400, 3)
  exact <- particleflow:::field_at(at, at, 1, 0.3, TRUE, 1L)$gradient
  draws <- vapply(1:400, function(step) {
    particleflow:::own_field(opened(efs_field("batch", sources = 40), at, 1, 0.3, step), 1L)$gradient[1:20, ]
  }, exact[1:20, ])
  average <- apply(draws, 1:2, mean)
  se <- apply(draws, 1:2, stats::sd) / sqrt(400)
  # 60 numbers within 4.5 standard errors: a false alarm in 2,500 seeds
  expect_lt(max(abs(average - exact[1:20, ]) / se), 4.5)
  set.seed(1)
  few <- efs_forward(spread(6000, 4), 0, 0.5, n_steps = 1, field = efs_field("batch", tolerance = 0.008))
  expect_gt(few$field$sources, 1000)
  # the number of sources follows from 100 rows and one batch
  expect_lt(abs(log(few$diagnostics$field_error[1] / 0.008)), log(2))
})

test_that("the exact field is taken where it is as fast, and arguments are checked", {
  x <- spread(50, 2)
  expect_identical(efs_forward(x, n_steps = 1)$field$kind, "exact")
  expect_null(efs_forward(x, n_steps = 1)$diagnostics$field_error)
  set.seed(1)
  before <- .Random.seed
  efs_forward(x, n_steps = 1)
  expect_identical(.Random.seed, before)
  expect_error(efs_forward(x, field = "fast"), "`field` must be one of")
  expect_error(efs_forward(x, field = 3), "`field` must be NULL, the name of a field or come from efs_field")
  expect_error(efs_forward(x, epsilon = 0, max_bound = Inf, field = "batch"), "needs `epsilon` above 0")
  expect_error(efs_field("batch", tolerance = 0), "`tolerance` must be")
  expect_error(efs_field("batch", sources = 1), "`sources` must be")
  expect_output(print(efs_field("mesh", reach = 2)), "reach = 2")
  traj <- efs_forward(x, n_steps = 1, field = "batch")
  expect_error(efs_backward(traj, x, "paper"), "needs a flow with the field \"exact\"")
  expect_match(format(traj)[3], "^field: batches of 50 particles")
  expect_output(print(efs_field("batch", sources = 9)), "sources = 9")
  traj$field$sources <- 3L
  expect_error(efs_backward(traj, x), "was changed")
})

test_that("in many dimensions a particle of the batch is without its own pair in the volume", {
  set.seed(3)
  x <- matrix(rnorm(40 * 130), 40) / 10
  traj <- efs_forward(x, s = 0, epsilon = 0.5, n_steps = 1, field = efs_field("batch", sources = 10))
  frame <- particleflow:::traj_field(traj, x, 1L, 1L)
  gamma <- traj$gamma[1]
  found <- particleflow:::volume_of(frame, x, TRUE, gamma, 1L)$value
  direct <- vapply(1:40, function(i) {
    others <- x[setdiff(frame$rows, i), , drop = FALSE]
    z <- rep(x[i, ], each = nrow(others)) - others
    u <- rowSums(z^2) + 0.5
    own <- if (i %in% frame$rows) 1 else 0
    jacobian <- diag(10 - own - sum(1 / u), 130) + 2 * crossprod(z / u)
    as.numeric(determinant(diag(130) - gamma * frame$core$factor / 9 * jacobian)$modulus)
  }, 0)
  expect_equal(found, direct, tolerance = 1e-4)
})

test_that("a mesh far from 0 and fields of equal rows are found", {
  set.seed(31)
  x <- matrix(rnorm(900), 300)
  for (offset in c(1e6, 1e9, 1e12)) {
    traj <- efs_forward(x + offset, s = 1, epsilon = 0.05, n_steps = 1, field = "mesh")
    expect_lt(max(traj$diagnostics$field_error), 0.02)
  }
  for (kind in c("tree", "mesh", "batch", "sliced")) {
    traj <- efs_forward(matrix(7, 30, 2), s = -1, n_steps = 1, field = kind)
    expect_identical(traj$diagnostics$field_error, c(0, 0))
    expect_equal(traj$frames[, , 2], matrix(7, 30, 2))
  }
})

test_that("a batch of all particles has the bound of the exact field", {
  set.seed(32)
  x <- matrix(rnorm(100))
  batch <- suppressMessages(efs_forward(x, s = -0.5, epsilon = 1e-5, n_steps = 3, field = "batch"))
  exact <- suppressMessages(efs_forward(x, s = -0.5, epsilon = 1e-5, n_steps = 3))
  expect_equal(batch$diagnostics$bound, exact$diagnostics$bound, tolerance = 1e-6)
  expect_lt(max(abs(efs_backward(batch, batch$frames[, , 4]) - x)), 1e-8)
})

test_that("a mesh holds points a little beyond the particles", {
  set.seed(8)
  x <- matrix(runif(60000), ncol = 2)
  field <- particleflow:::new_mesh_field(efs_field("mesh", tolerance = 0.01), x, list(s = 0, epsilon = 1e-3), 1L)
  core <- particleflow:::open_field(field, x, 1L, list(s = 0, epsilon = 1e-3), 1L)$core
  # the whole weight of the grid ends five nodes from its ends, see src/core/pair/mesh.h
  expect_true(all(core$start + 5 * core$spacing <= -0.05))
  expect_true(all(core$start + (core$nodes - 6) * core$spacing >= 1.05))
})

test_that("the inverse of a step knows the log-determinants", {
  set.seed(9)
  x <- matrix(rnorm(1200), ncol = 2)
  y <- matrix(rnorm(300), ncol = 2)
  for (kind in c("mesh", "tree", "batch")) {
    traj <- efs_forward(x, s = 0, epsilon = 0.05, n_steps = 2, field = efs_field(kind))
    frame <- particleflow:::traj_field(traj, unname(x), 1L, 1L)
    back <- particleflow:::undo_field(frame, y, y, 0.1, 1e-12, 30L, TRUE, 1L)
    expect_identical(back$log_det, particleflow:::volume_of(frame, back$points, FALSE, 0.1, 1L)$value, label = kind)
    expect_null(particleflow:::undo_field(frame, y, y, 0.1, 1e-12, 30L, FALSE, 1L)$log_det)
  }
})
