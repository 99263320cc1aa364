# Simulated families: family(n, d, seed) returns list(x [n, d], log_density = function(rows), draw = function(n)).
# The seed fixes the law first and the rows after it, so one seed gives the same law at every n. Every family here has a
# log-density, either in closed form, or by quadrature over a curved manifold on a grid finer than the noise (sheets and
# spirals, which are Gaussian noise about a manifold).
#
# Two lists are at the end. TUNING families may be looked at while rules are made. REPORTING families are for the
# published numbers, and no search may see them.

# a law from its own stream: build() draws parameters and returns list(draw, log_density)
make_family <- function(build, dims = c(2, 5, 10, 20, 50)) {
  family <- function(n, d, seed) {
    set.seed(seed)
    law <- build(d)
    set.seed(seed + 500000L)
    x <- law$draw(n)
    c(list(x = x), law[c("log_density", "draw")])
  }
  attr(family, "dims") <- dims
  family
}

normal_matrix <- function(n, d) matrix(rnorm(n * d), n, d)

log_sum_exp <- function(logs) { # by row
  top <- logs[cbind(seq_len(nrow(logs)), max.col(logs, ties.method = "first"))]
  top + log(rowSums(exp(logs - top)))
}

# log N(x; centre, R'R) of each row
log_normal_density <- function(x, centre, root) {
  z <- backsolve(root, t(x) - centre, transpose = TRUE)
  -colSums(z^2) / 2 - sum(log(diag(root))) - ncol(x) / 2 * log(2 * pi)
}

random_rotation <- function(d) {
  q <- qr(normal_matrix(d, d))
  qr.Q(q) %*% diag(sign(diag(qr.R(q))), d)
}

# --- clustered Gaussian mixtures with full covariances --------------------------------------------------------
# centres N(0, separation^2 I); component standard deviations log-uniform between thin and wide, in random directions
mixture <- function(components, separation = 1, thin = 0.1, wide = 0.5, concentration = 5) {
  function(d) {
    weight <- rgamma(components, concentration)
    weight <- weight / sum(weight)
    centres <- separation * normal_matrix(components, d)
    roots <- lapply(seq_len(components), function(k) {
      axes <- random_rotation(d) * rep(exp(runif(d, log(thin), log(wide))), each = d)
      chol(tcrossprod(axes))
    })
    list(
      draw = function(n) {
        label <- sample(components, n, replace = TRUE, prob = weight)
        x <- normal_matrix(n, d)
        for (k in unique(label)) {
          rows <- label == k
          x[rows, ] <- sweep(x[rows, , drop = FALSE] %*% roots[[k]], 2, centres[k, ], "+")
        }
        x
      },
      log_density = function(x) {
        log_sum_exp(vapply(seq_len(components), function(k) {
          log(weight[k]) + log_normal_density(x, centres[k, ], roots[[k]])
        }, numeric(nrow(x))) |> matrix(nrow = nrow(x)))
      }
    )
  }
}

# --- Gaussian noise about a manifold ----------------------------------------------------------------------------
# embed: function(parameters [m, k] in the unit cube) -> [m, D]. The parameters are uniform. The orthonormal basis
# [d, D] carries the D dimensions into d. The noise is N(0, noise^2 I) in all d dimensions.
# The density is computed by the midpoint rule over the parameters. Its error is negligible if the grid is finer than
# the noise. The grid is cut into blocks, and a block that cannot come within 40 nats of the nearest point is left out.
about_manifold <- function(embed, k, noise, basis) {
  side <- if (k == 1) 6000 else 600
  cut <- if (k == 1) 100 else 30
  middle <- (seq_len(side) - 0.5) / side
  grid <- as.matrix(expand.grid(rep(list(middle), k)))
  block_of <- as.matrix(expand.grid(rep(list((seq_len(side) - 1) %/% (side / cut)), k))) %*% cut^(seq_len(k) - 1) + 1
  points <- NULL
  prepare <- function() {
    at <- embed(grid)
    points <<- lapply(split(seq_len(nrow(at)), block_of), function(rows) at[rows, , drop = FALSE])
    centres <<- t(vapply(points, colMeans, numeric(ncol(at))))
    radius <<- mapply(function(p, i) sqrt(max(colSums((t(p) - centres[i, ])^2))), points, seq_along(points))
    points <<- lapply(points, t)
  }
  centres <- radius <- NULL
  squares <- function(columns, y) colSums((columns - y)^2)
  list(
    draw = function(n) {
      at <- embed(matrix(runif(n * k), n, k))
      tcrossprod(at, basis) + noise * normal_matrix(n, nrow(basis))
    },
    log_density = function(x) {
      if (is.null(points)) prepare()
      d <- ncol(x)
      inside <- x %*% basis
      beside <- pmax(rowSums(x^2) - rowSums(inside^2), 0)
      along <- vapply(seq_len(nrow(x)), function(i) {
        y <- inside[i, ]
        lower <- pmax(sqrt(squares(t(centres), y)) - radius, 0)^2
        nearest <- min(squares(points[[which.min(lower)]], y))
        kept <- points[lower <= nearest + 80 * noise^2]
        logs <- -squares(do.call(cbind, kept), y) / (2 * noise^2)
        max(logs) + log(sum(exp(logs - max(logs))))
      }, 0)
      along - log(nrow(grid)) - beside / (2 * noise^2) - d / 2 * log(2 * pi * noise^2)
    }
  )
}

# A curve (k = 1) or sheet (k = 2) in at most 8 of the dimensions, in random directions. Each coordinate is a sum of
# sinusoids of the parameters; `bend` is their typical number of half turns.
sheet <- function(k = 2, bend = 1, noise = 0.05, waves = 2) {
  function(d) {
    k <- min(k, d - 1)
    inner <- min(d, 8)
    size <- k * waves * inner
    sign <- sample(c(-1, 1), size, replace = TRUE)
    frequency <- array(sign * runif(size, 0.5, 1.5) * bend * pi, c(k, waves, inner))
    phase <- matrix(runif(waves * inner, 0, 2 * pi), waves, inner)
    basis <- random_rotation(d)[, seq_len(inner)]
    embed <- function(u) {
      vapply(seq_len(inner), function(j) {
        angle <- u %*% matrix(frequency[, , j], k) + rep(phase[, j], each = nrow(u))
        rowSums(sin(angle)) / sqrt(waves)
      }, numeric(nrow(u))) |> matrix(nrow = nrow(u))
    }
    about_manifold(embed, k, noise, basis)
  }
}

# spiral in the plane, uniform in the angle; `arms` arms at equal angles
spiral <- function(turns = 1.75, noise = 0.04, arms = 1, start = 0.15) {
  function(d) {
    turn <- runif(1, 0, 2 * pi)
    embed <- function(u) {
      arm <- floor(u[, 1] * arms)
      along <- u[, 1] * arms - arm
      angle <- turn + 2 * pi * (turns * along + arm / arms)
      (start + (1 - start) * along) * cbind(cos(angle), sin(angle))
    }
    about_manifold(embed, 1, noise, diag(2))
  }
}

# --- multivariate t -------------------------------------------------------------------------------------------------
# scale matrix of `factors` random factors plus a diagonal, unit diagonal
heavy <- function(df, factors, unique = 0.3) {
  function(d) {
    loading <- normal_matrix(d, factors)
    scale <- tcrossprod(loading) / factors + diag(unique, d)
    root <- chol(cov2cor(scale))
    list(
      draw = function(n) normal_matrix(n, d) %*% root / sqrt(rchisq(n, df) / df),
      log_density = function(x) {
        z <- backsolve(root, t(x), transpose = TRUE)
        lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) - sum(log(diag(root))) -
          (df + d) / 2 * log1p(colSums(z^2) / df)
      }
    )
  }
}

# --- independent skewed columns: gamma and lognormal alternate -----------------------------------------------------
skewed <- function(shape, sdlog) { # ranges
  function(d) {
    shapes <- runif(d, shape[1], shape[2])
    spreads <- runif(d, sdlog[1], sdlog[2])
    is_gamma <- seq_len(d) %% 2 == 1
    list(
      draw = function(n) {
        vapply(seq_len(d), function(j) {
          if (is_gamma[j]) rgamma(n, shapes[j]) else rlnorm(n, 0, spreads[j])
        }, numeric(n)) |> matrix(nrow = n)
      },
      log_density = function(x) {
        logs <- lapply(seq_len(d), function(j) {
          if (is_gamma[j]) dgamma(x[, j], shapes[j], log = TRUE) else dlnorm(x[, j], 0, spreads[j], log = TRUE)
        })
        Reduce(`+`, logs)
      }
    )
  }
}

# --- bent Gaussian: x_1 = z_1, x_j = s_j (z_j + b_j (z_1^2 - 1)), rotated: the Jacobian is constant --------------
bent <- function(bend = 1, thin = 0.2, wide = 1) {
  function(d) {
    b <- c(0, runif(d - 1, -bend, bend))
    spread <- c(1, exp(runif(d - 1, log(thin), log(wide))))
    rotation <- random_rotation(d)
    list(
      draw = function(n) {
        z <- normal_matrix(n, d)
        (z + outer(z[, 1]^2 - 1, b)) %*% (spread * rotation)
      },
      log_density = function(x) {
        y <- sweep(x %*% t(rotation), 2, spread, "/")
        z <- y - outer(y[, 1]^2 - 1, b)
        -rowSums(z^2) / 2 - d / 2 * log(2 * pi) - sum(log(spread))
      }
    )
  }
}

TUNING <- list(
  mixture_5 = make_family(mixture(5)),
  sheet = make_family(sheet(2, bend = 1, noise = 0.05)),
  t4 = make_family(heavy(4, factors = 2)),
  skewed = make_family(skewed(c(1.5, 4), c(0.3, 0.7))),
  spiral = make_family(spiral(), dims = 2)
)

REPORTING <- list(
  mixture_3 = make_family(mixture(3, separation = 0.7, thin = 0.15, wide = 0.8)),
  mixture_12 = make_family(mixture(12, separation = 1.2, thin = 0.05, wide = 0.4, concentration = 1.5)),
  curve = make_family(sheet(1, bend = 2.5, noise = 0.06, waves = 3)),
  bent_sheet = make_family(sheet(2, bend = 1.5, noise = 0.03, waves = 3)),
  bent_normal = make_family(bent()),
  t3 = make_family(heavy(3, factors = 1, unique = 1)),
  strongly_skewed = make_family(skewed(c(1, 1.5), c(0.7, 1))),
  two_spirals = make_family(spiral(turns = 1.25, noise = 0.025, arms = 2, start = 0.1), dims = 2)
)

# The seed of a repetition. Tuning and reporting families never share a seed.
family_seed <- function(name, repetition) {
  if (name %in% names(TUNING)) return(1000L * match(name, names(TUNING)) + repetition)
  100000L + 1000L * match(name, names(REPORTING)) + repetition
}
