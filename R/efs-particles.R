# A flow of particles that follow the law of the rows. No row is a particle: the rows are carried along. With many
# particles the end of the flow is near the equilibrium law, so that new rows can start from a uniform direction.

# Up to this dimension efs() draws particles by itself, and particles lie on a lattice: the numbers of them.
usual_particles <- c(2000L, 6000L, 16000L)

# The softening, in units of the squared spacing of the particles, and the time: for particles on a lattice, in 1, 2 and
# 3 dimensions, and for independent ones, which are used in more dimensions. There a wider kernel would cover them all.
lattice_softening <- c(16, 16, 12)
lattice_time <- c(4, 6, 5)
draws_softening <- 4
draws_time <- 4

# With more particles a step would take a quarter of an hour and more.
most_particles <- 1000000L

# Fewer particles say nothing about a law.
least_particles <- 100L

# The keys of the particles, of the points and draws that measure the flow, and of the coarse flow.
particle_keys <- list(particles = c(21L, 1L), judges = c(22L, 1L), draws = c(24L, 1L), coarse = c(23L, 1L))

# Points that follow the law of the rows and are carried along. They give the radii at the end. Their number is no
# divisor of that of the particles, so that they are no particles.
judging_points <- 4999L

# Independent draws of the law of the rows, which tell what the flow costs.
judging_draws <- 1500L

# Draws that give the unit of the flow.
placing_draws <- 20000L

check_particles <- function(particles, control, scores) {
  if (is.null(particles)) {
    open <- !scores && control$calibrate && is.null(control$law) &&
      all(vapply(control[c("s", "epsilon", "time", "n_steps")], is.null, NA))
    return(if (open) NA_integer_ else 0L)
  }
  particles <- check_count(particles, "particles")
  if (particles == 0) return(particles)
  if (particles > most_particles) {
    stop_size("`particles` is %d, whose steps would take hours; give at most %d.", particles, most_particles)
  }
  if (particles < least_particles) {
    fail("`particles` must be 0 or at least %d, not %d.", least_particles, particles)
  }
  if (scores) {
    fail(paste("`particles` needs a table of numbers without missing values, because the flow of a table that is read",
               "as normal scores has its rows as particles; give `particles = 0`."))
  }
  if (no_flow_asked(control)) fail("`particles` need a flow; leave `time` and `n_steps` open, or give `particles = 0`.")
  particles
}

# The number of particles of one class; 0: the rows are the particles. control$particles is NA if it was left open.
particle_count <- function(control, z) {
  count <- if (is.null(control$particles)) 0L else control$particles
  if (!is.na(count)) return(count)
  if (ncol(z) > length(usual_particles) || !can_calibrate(control, z)) return(0L)
  usual_particles[ncol(z)]
}

# `flow`: the law of the rows z without a flow. The same with particles: their flow, the law of their radii at the end,
# the rows where they start (`own`) and end (`ends`), and what the flow costs against the law of the rows.
with_particles <- function(flow, z, count, control, by_column, threads, progress) {
  d <- ncol(z)
  source <- flow[c("law", "centre", "scale", "turn")]
  s <- if (is.null(control$s)) d - 2 else control$s
  place <- if (identical(control$place, "whitened")) "whitened" else "scaled"
  placed <- place_rows(from_flow(draw_law(source$law, placing_draws, particle_keys$coarse, threads), source), place,
                       by_column)
  # the log-density of points in the unit of the flow
  density <- if (has_density(source$law)) function(points) {
    law_density(source$law, to_flow(from_flow(points, placed), source), threads)[, 1] + flow_log_volume(source) -
      flow_log_volume(placed)
  }
  draw <- function(n, key) to_flow(from_flow(draw_law(source$law, n, key, threads), source), placed)
  regular <- d <= length(usual_particles) && !is.null(density)
  particles <- if (regular) lattice_maker(min(count, coarse_particles), draw, density, d, s, threads) else draw
  moved <- particle_flow(particles(count, particle_keys$particles), s, control,
                         if (regular) c(lattice_softening[d], lattice_time[d]) else c(draws_softening, draws_time),
                         threads, progress)
  judges <- particles(judging_points, particle_keys$judges)
  # in one pass, because each opens the field of all steps
  ends <- push_forward(moved, rbind(judges, to_flow(z, placed)), threads)
  own <- judging_points + seq_len(nrow(z))
  judged <- judge_particles(moved, judges, ends[-own, , drop = FALSE], draw(judging_draws, particle_keys$draws),
                            density, threads)
  flow[names(placed)] <- placed
  flow["turn"] <- list(placed$turn)
  flow$trajectory <- moved
  flow$law <- judged$law
  flow$kind <- list(law = "radial", settings = list())
  flow$own <- z
  flow$ends <- ends[own, , drop = FALSE]
  flow$source <- source
  flow$cost <- judged[c("cost", "se", "bent")]
  flow
}

# usual: the softening and the time if `control` leaves them open.
particle_flow <- function(points, s, control, usual, threads, progress) {
  epsilon <- control$epsilon
  if (is.null(epsilon)) epsilon <- softening_of(usual[1], nrow(points), ncol(points))
  arguments <- list(s = s, epsilon = epsilon, step = control$step, max_bound = control$max_bound, keep = control$keep,
                    given = !is.null(control$n_steps), threads = threads, progress = progress, field = control$field,
                    file = control$file)
  arguments["time"] <- list(if (is.null(control$time) && is.null(control$n_steps)) usual[2] else control$time)
  if (!is.null(control$n_steps)) arguments$n_steps <- control$n_steps
  do.call(forward_flow, c(list(quote(points)), arguments))
}

# judges, ends: points that follow the law of the rows, and where the flow takes them. law: that of the radii of `ends`.
# draws: independent draws of the law of the rows. cost, se: the mean of log q - log p over the draws and its standard
# error, where q is the density of the law of the rows and p that of the flow. bent: see bent_share().
judge_particles <- function(traj, judges, ends, draws, density, threads) {
  law <- fit_law(law_radial(centre = colMeans(last_frame(traj))), ends, traj$s)
  each <- NA_real_
  if (!is.null(density)) {
    carried <- carry_forward(traj, draws, threads)
    each <- density(draws) - carried$log_det - law_density(law, carried$points, threads)[, 1]
    warn_folded(sum(is.na(each)), length(each))
    if (anyNA(each)) each <- NA_real_
  }
  list(law = law, cost = mean(each), se = stats::sd(each) / sqrt(length(each)), bent = bent_share(judges, ends))
}

warn_folded <- function(folded, count) {
  if (folded == 0) return(invisible())
  warning(sprintf(paste("The flow is not one-to-one at %d of %d draws of the law of the rows, so that its likelihood",
                        "is not known: raise `epsilon` or lower `max_bound`."), folded, count), call. = FALSE)
}

# The share of the movement from `start` to `end` that no affine map explains: residual over total sum of squares of
# the displacements.
bent_share <- function(start, end) {
  moved <- end - start
  centred <- sweep(moved, 2, colMeans(moved))
  total <- sum(centred^2)
  if (!(total > 0)) return(0)
  sum(qr.resid(qr(cbind(1, start)), centred)^2) / total
}

# ---- without the rows ------------------------------------------------------------------------------------------

check_strip <- function(strip, control) {
  if (!check_flag(strip, "strip")) return(FALSE)
  if (identical(control$particles, 0L)) {
    fail(paste("`strip = TRUE` needs particles that are not the rows: a table of numbers without missing values, and",
               "`particles` where they are not the default."))
  }
  TRUE
}

# A flow without the rows and without the law that was fitted to them. The particles keep what they tell of the law.
strip_flow <- function(flow) {
  if (is.null(flow$own)) {
    fail(paste("`strip = TRUE` needs particles that are not the rows, but a class has none, because it has too few",
               "rows or too many dimensions; give `particles` and larger classes."))
  }
  flow[c("own", "ends", "held_out")] <- NULL
  flow$source <- list() # that it is there says that the particles are not the rows
  if (!is.null(flow$floor)) flow$floor$own <- sort(flow$floor$own)
  flow$stripped <- TRUE
  flow
}

# what: what the rows are needed for, or what to give instead.
check_not_stripped <- function(flows, what) {
  if (!any(vapply(flows, function(flow) isTRUE(flow$stripped), NA))) return(invisible())
  fail("The fit was made with `strip = TRUE` and has no training rows; %s.", what)
}

# ---- particles on a lattice ----------------------------------------------------------------------------------

# A coarse flow of independent draws carries the law near to a round one. There, a lattice is bent such that the
# coarse flow takes it back to the law. The noise of such particles is far less than that of independent draws.
coarse_particles <- 2000L
coarse_softening <- 32
# In three dimensions a shorter flow costs as much and takes half the time.
coarse_time <- c(2, 2, 1)

# Cells along each coordinate of the cube, in 1, 2 and 3 dimensions.
cube_cells <- c(2048L, 96L, 36L)

# A function of n that gives n points [n, d], d at most 3, that follow the density: draw(n, key), density(points).
# count: the number of particles of the coarse flow.
lattice_maker <- function(count, draw, density, d, s, threads) {
  epsilon <- softening_of(coarse_softening, count, d)
  coarse <- suppressWarnings(forward_flow(draw(count, particle_keys$coarse), s, epsilon, 0.1, time = coarse_time[d],
                                          threads = threads, progress = FALSE))
  radial <- fit_law(law_radial(), push_forward(coarse, draw(judging_points, particle_keys$judges), threads), s)
  pull <- function(ball, log_det = FALSE) {
    run_backward(coarse, ball, efs_control(tolerance = 1e-6), threads, FALSE, log_det)
  }
  cells <- cube_cells[d]
  ball <- ball_of_cube(as.matrix(expand.grid(rep(list((seq_len(cells) - 0.5) / cells), d))), radial)
  back <- pull(ball, log_det = TRUE)
  log_density <- law_density(radial, ball, threads)[, 1] + back$log_det
  weights <- array(exp(pmin(density(back$points) - log_density, most_weight)), rep(cells, d))
  function(n, key) pull(ball_of_cube(bend_cube(lattice_cube(n, d), weights), radial))$points
}

# The logarithm of the largest ratio of densities that is believed.
most_weight <- 10

# Points of the unit cube [m, d] in the ball of the radial law: the first coordinate is the share within the sphere
# through the point, the others give the direction. In one dimension the coordinate is the share to the left.
ball_of_cube <- function(cube, law) {
  d <- ncol(cube)
  within <- if (d == 1) abs(2 * cube[, 1] - 1) else cube[, 1]
  radius <- radial_radius(law, pmin(within, 1 - 1e-6))
  direction <- switch(
    d,
    matrix(sign(cube[, 1] - 0.5)),
    cbind(cos(2 * pi * cube[, 2]), sin(2 * pi * cube[, 2])),
    {
      height <- 2 * cube[, 2] - 1
      sqrt(1 - height^2) * cbind(cos(2 * pi * cube[, 3]), sin(2 * pi * cube[, 3]), 0) + cbind(0, 0, height)
    }
  )
  sweep(radius * direction, 2, law$centre, "+")
}

# m points of the unit cube of low discrepancy: midpoints along the first coordinate, multiples of irrational numbers
# along the others. The numbers are powers of the root of x^d = x + 1.
lattice_cube <- function(m, d) {
  steps <- list(numeric(), (sqrt(5) - 1) / 2, 1.32471795724474602596^-(1:2))[[d]]
  cbind((seq_len(m) - 0.5) / m, outer(seq_len(m), steps) %% 1)
}

# Points of the cube, uniform before, with the density that is proportional to `weights` in each cell: coordinate by
# coordinate, each by its distribution function given the ones before.
bend_cube <- function(cube, weights) {
  d <- ncol(cube)
  cells <- dim(weights)[1]
  prefix <- matrix(0L, nrow(cube), 0)
  for (j in seq_len(d)) {
    marginal <- matrix(if (j == d) weights else rowSums(weights, dims = j), cells^(j - 1), cells)
    of <- if (j == 1) rep(1L, nrow(cube)) else as.vector(1 + prefix %*% cells^(seq_len(j - 1) - 1))
    bent <- bend_coordinate(cube[, j], marginal, of)
    cube[, j] <- bent$value
    prefix <- cbind(prefix, bent$cell)
  }
  cube
}

# u [m] by the distribution function of row of[i] of `weights` [rows, cells].
bend_coordinate <- function(u, weights, of) {
  cells <- ncol(weights)
  value <- cell <- numeric(length(u))
  for (rows in split(seq_along(u), of)) {
    each <- weights[of[rows[1]], ]
    ends <- c(0, cumsum(each)) / sum(each)
    k <- pmin(findInterval(u[rows], ends), cells)
    value[rows] <- (k - 1 + (u[rows] - ends[k]) / (ends[k + 1] - ends[k])) / cells
    cell[rows] <- k - 1
  }
  list(value = pmin(pmax(value, 0), 1), cell = cell)
}
