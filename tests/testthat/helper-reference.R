# Slow, obvious versions of what the C core computes.

reference_sums <- function(query, source, s, epsilon, self = FALSE) {
  n <- nrow(query)
  out <- list(force = matrix(0, n, ncol(query)), weight = numeric(n), bound = numeric(n),
              repulsion = numeric(n), nearest = rep(Inf, n))
  for (i in seq_len(n)) {
    for (a in seq_len(nrow(source))) {
      if (self && a == i) next
      z <- query[i, ] - source[a, ]
      r2 <- sum(z^2)
      u <- r2 + epsilon
      w <- u^-(s / 2 + 1)
      out$force[i, ] <- out$force[i, ] + w * z
      out$weight[i] <- out$weight[i] + w
      out$bound[i] <- out$bound[i] + w / u * r2
      out$repulsion[i] <- out$repulsion[i] + if (s == 0) -log(u) / 2 else u^(-s / 2) / s
      out$nearest[i] <- min(out$nearest[i], r2)
    }
  }
  out
}

reference_gradient <- function(x, s, epsilon) {
  n <- nrow(x)
  t(vapply(seq_len(n), function(i) {
    z <- matrix(x[i, ], n - 1, ncol(x), byrow = TRUE) - x[-i, , drop = FALSE]
    w <- (rowSums(z^2) + epsilon)^-(s / 2 + 1)
    colSums(z * (1 - w)) / (n - 1)
  }, numeric(ncol(x))))
}

# The Jacobian of the field at y, with n - 1 in the denominator.
reference_jacobian <- function(y, source, s, epsilon, n = nrow(source)) {
  total <- matrix(0, length(y), length(y))
  for (a in seq_len(nrow(source))) {
    z <- y - source[a, ]
    u <- sum(z^2) + epsilon
    w <- u^-(s / 2 + 1)
    total <- total + (1 - w) * diag(length(y)) + (s + 2) * w / u * tcrossprod(z)
  }
  total / (n - 1)
}

# Log-density and score of the kernel estimate from `source` at `query`, row by row. self: row i leaves out source i.
reference_estimate <- function(query, source, kernel, h, self = FALSE) {
  d <- ncol(source)
  log_volume <- if (kernel == "gaussian") {
    d / 2 * log(2 * pi * h^2)
  } else {
    log(2) + d / 2 * log(pi) - lgamma(d / 2) + lgamma(d) + d * log(h)
  }
  out <- list(log_density = numeric(nrow(query)), score = query)
  for (i in seq_len(nrow(query))) {
    kept <- if (self) source[-i, , drop = FALSE] else source
    z <- matrix(query[i, ], nrow(kept), d, byrow = TRUE) - kept
    cost <- if (kernel == "gaussian") rowSums(z^2) / (2 * h^2) else sqrt(rowSums(z^2)) / h
    w <- exp(min(cost) - cost)
    out$log_density[i] <- log(mean(w)) - min(cost) - log_volume
    out$score[i, ] <- -colSums(w * z) / sum(w) / (if (kernel == "gaussian") h^2 else (d + 1) * h^2)
  }
  out
}

# Central differences of f at each row of x.
difference_rows <- function(f, x, h = 1e-5) {
  vapply(seq_len(ncol(x)), function(j) {
    above <- below <- x
    above[, j] <- x[, j] + h
    below[, j] <- x[, j] - h
    (f(above) - f(below)) / (2 * h)
  }, numeric(nrow(x)))
}

relative_error <- function(found, wanted) {
  scale <- max(abs(wanted[is.finite(wanted)]), 0)
  if (scale == 0) scale <- 1
  both <- is.finite(wanted)
  if (!identical(is.finite(found), both)) return(Inf)
  max(abs(found[both] - wanted[both]), 0) / scale
}

# The name the C routine has inside the package.
routine <- function(name) get(paste0("C_pf_", name), envir = asNamespace("particleflow"))

# Runs code on every instruction set that the machine has, then restores the setting.
on_each_simd <- function(code) {
  before <- particleflow_simd()
  on.exit(particleflow_simd(before))
  for (set in attr(before, "available")) {
    particleflow_simd(set)
    code(set)
  }
}

two_clusters <- function(n, d, seed = 1) {
  set.seed(seed)
  x <- matrix(rnorm(n * d, sd = 0.3), n, d)
  x[, 1] <- x[, 1] + rep(c(-1, 1), length.out = n)
  x
}

# Runs `code` while a function of the package is replaced.
with_binding <- function(name, value, code) {
  room <- asNamespace("particleflow")
  before <- get(name, room)
  put <- function(value) {
    unlockBinding(name, room)
    assign(name, value, room)
    lockBinding(name, room)
  }
  put(value)
  on.exit(put(before))
  code
}

# A law fitted to points, as after a flow of exponent s.
fitted_law <- function(law, points, s = 0) particleflow:::fit_law(particleflow:::as_law(law), points, s)

density_laws_of_package <- function() particleflow:::density_laws()

# A fit by the rules of thumb: the flows are fixed, and there is no search.
efs_by_rule <- function(...) efs(..., calibrate = FALSE)

# Arguments that each registered routine accepts.
example_frames <- function() {
  path <- tempfile()
  writeBin(c(0, 1, 2), path)
  path
}

routine_examples <- function() {
  set.seed(1)
  example_settings <- list(smoothing = 0, divergence = "alpha", alpha = 2, lipschitz = 1, normalisation = "spectral",
                           rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, solver = "heun", step = 0.1,
                           updates = 2L)
  example_schedule <- list(batch_size = 2L, every_network = 1L, every_frame = 1L)
  example_stop <- list(divergence = -Inf, kinetic_energy = -Inf, patience = 10, low = 0, quiet = 0, armed = FALSE)
  example_plan <- list(divergence = "alpha", alpha = 0.5, cap = 10, floor = 0.1, log_own = 0, step = 0, share = 0.5,
                       scale2 = 1, furthest = 1)
  generator_frame <- list(start = 1, shift = c(0.1, 0, 0), low = c(0, 0, 0), high = c(1, 1, 1), centre = c(0, 0, 0),
                        spread = c(1, 1, 1))
  example_mixture <- list(weights = c(0.2, 0.3, 0.5), means = matrix(0, 2, 3), roots = matrix(1, 3, 3),
                          df = c(Inf, Inf, Inf))
  # one split, two leaves, from which both trees start: rows 0 and 1, and row 1
  example_forest <- list(root = c(0L, 0L), nodes = matrix(c(0L, 1L, -1L, 0L, -1L, 3L), 2), cut = c(0.5, 0, 0),
                         members = c(2L, 0L, 1L, 1L, 1L))
  example_frame <- list(engine = "batch", s = 0, epsilon = 0.1, mean = c(0, 0, 0), factor = 1, own = FALSE,
                        source = matrix(rnorm(12), 4))
  example_tree <- c(list(engine = "tree", s = 0, epsilon = 0.1, mean = c(0, 0, 0), factor = 1, own = FALSE,
                         degree = 1L), .Call(routine("tree_build"), matrix(rnorm(60), 20), 1L))
  example_shape <- list(nodes = c(19L, 19L, 19L), start = rep(-9, 3), spacing = 1, radius = 2, terms = 3L,
                        cells = c(3L, 3L, 3L), corner = rep(-2, 3), side = 1.6)
  class_forest <- list(root = c(0L, 0L), nodes = matrix(c(0L, 1L, -1L, 0L, -1L, 1L), 2), cut = c(0.5, 0, 0),
                       members = integer())
  list(
    pf_field = list(matrix(0, 3, 2), matrix(1, 3, 2), 0L, 3L, FALSE, 0, 0.1, 1L),
    pf_sample_rounds = list(3L, 2L),
    pf_sample_field = list(matrix(rnorm(6), 3), NULL, 0L, 1L, 0, 0.1, 1L),
    pf_pairwise_sums = list(matrix(0, 3, 2), matrix(1, 3, 2), FALSE, 0, 0.1, 1L),
    pf_step_log_det = list(matrix(0, 3, 2), matrix(rnorm(6), 3), 0L, 3L, FALSE, 0.1, 0, 0.1, 1L),
    pf_mixture_log_density = list(matrix(0, 3, 2), matrix(1, 3, 2), matrix(1, 3, 3), matrix(0, 2, 3), c(0, 0, 0),
                                  c(1, 2),
                                  c(1, 1), 0L, 3L, FALSE, 1L),
    pf_local_gaussians = list(matrix(rnorm(6), 3), matrix(c(2L, 3L, 1L, 3L, 1L, 2L), 3), 0.1, 1e-6, 1L),
    pf_neighbours = list(matrix(0, 3, 2), matrix(1, 3, 2), 0L, 3L, FALSE, 1L, 1L),
    pf_count_within = list(matrix(0, 3, 2), matrix(1, 3, 2), 0L, 3L, c(1, 2, 3), 1L),
    pf_kernel_sums = list(matrix(0, 3, 2), matrix(1, 3, 2), 0L, 3L, FALSE, "gaussian", 1, 1L),
    pf_division_sums = list(matrix(0, 3, 2), matrix(c(1, 0, 1), 3), "gaussian", 1, 1L),
    pf_least_cost = list(matrix(rnorm(6), 3), matrix(rnorm(8), 4), 1L),
    pf_line_energies = list(matrix(rnorm(6), 3), matrix(rnorm(8), 4), matrix(c(1, 0, 0.6, 0.8), 2), 1L),
    pf_line_transports = list(matrix(rnorm(6), 3), matrix(rnorm(8), 4), matrix(c(1, 0, 0.6, 0.8), 2), 2, 1L),
    pf_group_distances = list(matrix(rnorm(12), 6), 3L, matrix(c(1, 0, 0.6, 0.8), 2), 5L, 1L),
    pf_sinkhorn_steps = list(matrix(rnorm(6), 3), matrix(rnorm(8), 4), c(0, 0, 0), c(0, 0, 0, 0), 0.1, 1.5, 2L, 1L),
    pf_largest_curvature = list(matrix(rnorm(6), 3), c(1, 2, 3), 0, 0.1, 1L),
    pf_frame_gradient = list(matrix(0, 4, 3), example_frame, 0L, 4L, TRUE, 1L),
    pf_frame_curvature = list(matrix(0, 4, 3), example_frame, 1L),
    pf_frame_log_det = list(matrix(0, 4, 3), example_frame, 0L, 4L, 0.1, 1L),
    pf_frame_backward = list(matrix(0, 4, 3), matrix(0, 4, 3), example_frame, 0.1, 1e-10, 20L, TRUE, 1L),
    pf_tree_build = list(matrix(0, 4, 3), 2L),
    pf_mesh_build = list(matrix(0, 4, 3), example_shape, 0, 0.1, 1L),
    pf_slices_build = list(matrix(rnorm(12), 4), diag(3), rep(-10, 3), 1, 24L, 0, 0.1, 1L),
    pf_frame_places = list(matrix(0, 4, 3), example_tree, 1L),
    pf_backward_exact = list(matrix(0, 3, 2), matrix(0, 3, 2), matrix(rnorm(6), 3), 0.1, 0, 0.1, 1e-10, 20L, 1L),
    pf_backward_paper = list(matrix(0, 3, 2), matrix(0, 3, 2), matrix(rnorm(6), 3), 0.1, 0, 0.1, 0.1, 5L, 1L),
    pf_network_start = list(c(2L, 3L, 1L), c(1L, 2L)),
    pf_network_forward = list(rnorm(13), c(2L, 3L, 1L), 0, matrix(0, 4, 2), 1L),
    pf_network_backward = list(rnorm(13), c(2L, 3L, 1L), 0.1, matrix(0, 4, 2), matrix(1, 4, 1), 1L),
    pf_generator_points = list(rnorm(15), c(2L, 2L, 3L), 0, generator_frame, matrix(0, 4, 2), 1L),
    pf_generator_draws = list(rnorm(15), c(2L, 2L, 3L), 0, generator_frame, 3L,
                              example_mixture, c(3L, 4L), c(1L, 2L),
                              list(first = 3L, step = 3L, rows = 8L), 1L),
    pf_draw_components = list(3L, example_mixture, c(3L, 4L), 0L, c(1L, 2L), 1L, 1L),
    pf_characteristic = list(matrix(rnorm(6), 3), matrix(rnorm(4), 2), 1L),
    pf_characteristic_pull = list(matrix(rnorm(6), 3), matrix(rnorm(4), 2), c(0.1, 0.2), c(0.3, 0.4), 1L),
    pf_spectral_bound = list(matrix(rnorm(6), 3)),
    pf_divergence_dual = list("alpha", 2, c(1, 2), c(0, 1, 3)),
    pf_energy_step = list(matrix(rnorm(6), 3), matrix(rnorm(8), 4), matrix(rnorm(2), 1), diag(2), 0.5, 1L),
    pf_orthonormal_sets = list(matrix(rnorm(12), 3), 2L),
    pf_gpa_start = list(c(2L, 3L, 1L), example_settings, c(1L, 2L), 1L),
    pf_autoencoder_epoch = list(matrix(rnorm(27), 27, 3)^2, 5, c(2L, 3L, 1L), c(1L, 3L, 2L), NULL, matrix(rnorm(8), 2),
                                1:4, 2L, 0.01, 1L),
    pf_gpa_advance = list(matrix(rnorm(8), 4), matrix(rnorm(6), 3), matrix(rnorm(13), 13, 3)^2, c(1, 0, 1), 5,
                          c(2L, 3L, 1L), example_settings, c(1L, 2L), example_schedule, 0L, 2L, example_stop,
                          1L),
    pf_gpa_measure = list(matrix(rnorm(8), 4), matrix(rnorm(6), 3), rnorm(13), c(2L, 3L, 1L), example_settings, 1L),
    pf_gpa_carry = list(matrix(rnorm(8), 4), matrix(rnorm(26), 13), c(2L, 3L, 1L), example_settings, 1L, 0L, 2L, 1L),
    pf_network_update = list(matrix(0.1, 9, 3), 0, c(2L, 2L, 1L), 0, matrix(1, 3, 2), matrix(1, 3, 1), 0.1, 1L),
    pf_kernel_force = list(matrix(0, 3, 2), matrix(1, 3, 2), 0L, 3L, FALSE, "gaussian", 1, 1L),
    pf_kde = list(matrix(0, 3, 2), matrix(1, 3, 2), 0L, 3L, FALSE, "gaussian", 1, TRUE, 1L),
    pf_target_field = list(matrix(0, 3, 2), "mixture", list(), matrix(0, 2, 2), matrix(1, 3, 2), c(0, 0), 1L),
    pf_t_mixture_fit = list(matrix(rnorm(6), 3), matrix(0.5, 3, 2), matrix(0.5, 3, 2), Inf, 2, -Inf, 3L, 1e-3, 1L),
    pf_condition = list(list(weights = c(0.2, 0.3, 0.5), means = matrix(0, 2, 3), roots = matrix(1, 3, 3),
                             df = c(1, 5, Inf)), matrix(c(0, 0, 1, 1, 1, 1), 3), matrix(c(0, 0, 1, 2, 2, 2), 3),
                        c(1L, 2L), 1L, 1L, 0:2, 8L, TRUE, c(1L, 2L), 0L, 1L),
    pf_grow_trees = list(matrix(as.raw(0:4), 5, 3), matrix(c(1, 2, 3, 4, 5)), 1L, 1:5, matrix(1L, 5, 2), 1L, 3L,
                         c(0L, 0L, 0L, 0L, 1L), matrix(0.5, 5, 2), 0L, 2L, 1L),
    pf_forest_density = list(matrix(0, 3, 2), example_forest, c(0, 1), matrix(c(-Inf, 0.5, 0.5, Inf), 2), c(0, 1, 2),
                             c(0, 0, 1), 0.5, c(0.5, 1), matrix(0L, 3, 2), 0L, 3L, 1L),
    pf_forest_pick = list(matrix(0, 3, 2), example_forest, c(0, 1), matrix(c(-Inf, 0.5, 0.5, Inf), 2), c(0, 0, 0),
                          c(-Inf, 0, 1), c(Inf, 0, 2), c(0.5, 0.1), c(1L, 2L), 1L, 0L, 3L, 1L),
    pf_forest_shares = list(matrix(0, 3, 2), class_forest, matrix(0.5, 3, 2), matrix(1, 2, 2), matrix(0L, 3, 2), 0L, 3L,
                            1L),
    pf_forest_own_shares = list(matrix(0, 3, 2), class_forest, matrix(0.5, 3, 2), matrix(1, 2, 4), 2L, c(0L, 1L, 0L),
                                matrix(0L, 3, 2), 1L),
    pf_find_bins = list(matrix(c(0, 1, 2, 0, 1, 2), 3), c(-Inf, 0.5, 0), c(1L, 0L), 3L),
    pf_backoff_density = list(c(0, 0.5), c(0, 1), c(-1, 0.2, 0.4, 1), 0.5, 1),
    pf_left_out_density = list(c(0, 0.4, 1), 0.3),
    pf_kernel_tail = list(c(0, 1), c(0, 0.5), 1),
    pf_log_interval = list(c(-1, 0), c(0, 1)),
    pf_truncated_normal = list(c(-1, 0), c(0, 1), c(0.2, 0.7)),
    pf_settle_sweep = list(matrix(0, 3, 2), matrix(-1, 3, 2), matrix(1, 3, 2), matrix(0.5, 3, 2), c(0, 0), diag(2),
                           diag(2), list(1:2, 3L), list(1:3, 1:3), list(integer(), 2L), 1L),
    pf_mixing_weights = list(matrix(c(1, 2, 2, 1), 2), c(0.5, 0.5), 3L, 0),
    pf_calibration_factors = list(matrix(c(0.4, 0.7, 0.6, 0.3), 2), c(0.5, 0.5), 3L, 1e-6),
    pf_logistic = list(matrix(c(1, 1, 1, 0, 1, 2), 3), 2L, c(1L, 2L, 1L), c(-0.4, -1.1), 2L, 1e-3),
    pf_gaussian_lengths = list(matrix(0, 3, 2), matrix(0, 2, 2), matrix(1, 3, 2), 1L),
    pf_wgf_weights = list("alpha", 0.5, c(0, 1), 0),
    pf_wgf_move = list(matrix(0, 3, 2), c(0, 0, 0), matrix(1, 3, 2), c(0, 0, 0), matrix(0, 3, 2), example_plan),
    pf_pair_curvature = list(0, 0.1),
    pf_equilibrium_radius = list(3L, 0),
    pf_draw_shell = list(3L, c(0, 0), 1, "equilibrium", 0, c(1L, 2L), 1L),
    pf_draw_uniform = list(3L, 2L, c(1L, 2L), 0L, 1L),
    pf_draw_normal = list(3L, 2L, c(1L, 2L), 0L, 1L),
    pf_draw_of_rows = list(matrix(c(1, 2, 3, 4), 2), 2L, c(1L, 2L), 0L),
    pf_partial_permutation = list(4L, c(0.1, 0.7)),
    pf_philox = list(c(0, 0, 0, 0), c(0, 0)),
    pf_memory = list(),
    pf_fingerprint = list(c(1, 2), deparse),
    pf_frames_can_map = list(),
    pf_frames_map = list(example_frames(), 8, c(2, 1, 1), list(NULL, NULL, NULL), FALSE),
    pf_threads = list(1L),
    pf_simd = list("")
  )
}
