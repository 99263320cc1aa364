# The low-dimensional examples of the paper on generative particle algorithms (doi:10.1137/23M1587841), with the
# settings of its sections 6 to 8, spectral and Frobenius norm side by side.
#   Rscript bench/gpa/examples.R [quick] [four] [tails] [roll] [carpet] [STEPS]
# writes bench/gpa/results/*.csv and *.png. `quick` takes a twentieth of the steps, to see that all runs. STEPS, a
# number, is the most steps that any run takes.

library(particleflow)

words <- commandArgs(TRUE)
quick <- "quick" %in% words
number <- grepl("^[0-9]+$", words)
most <- if (any(number)) as.integer(words[number][1]) else .Machine$integer.max
parts <- setdiff(words[!number], "quick")
if (length(parts) == 0) parts <- c("four", "tails", "roll", "carpet")
steps <- function(n) min(most, if (quick) max(10L, n %/% 20L) else n)
results <- file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))), "results")
norms <- c("spectral", "frobenius")

write_results <- function(table, name) {
  utils::write.csv(table, file.path(results, paste0(name, if (quick) "_quick", ".csv")), row.names = FALSE)
  print(table, digits = 3)
}

picture <- function(name, width, height, code) {
  grDevices::png(file.path(results, paste0(name, if (quick) "_quick", ".png")), width, height, res = 110)
  on.exit(grDevices::dev.off())
  force(code)
}

# Medians over the last tenth of the steps.
late <- function(fit, what) {
  trace <- tidy(fit)
  stats::median(utils::tail(trace[[what]][-nrow(trace)], max(1, nrow(trace) %/% 10)))
}

# Raw units, three updates per step, as in the paper.
replicate_gpa <- function(source, target, ..., updates = 3, rate = 0.001) {
  set.seed(1)
  gpa(source, target, ..., updates = updates, rate = rate, latent = "none", scale = FALSE)
}

# ---- Figures 2 and 3: four Gaussians -------------------------------------------------------------------

four <- function() {
  draw <- function(n) matrix(base::sample(c(-2, 2), 2 * n, TRUE), n) + matrix(rnorm(2 * n, sd = 0.5), n)
  set.seed(5)
  target <- draw(200)
  source <- matrix(rnorm(400, sd = 0.5), 200)
  fresh <- draw(2000)
  floor <- energy_distance(draw(200), fresh)
  slopes <- c(1, 10, 100, Inf)
  fits <- list()
  rows <- list()
  for (norm in norms) {
    for (slope in slopes) {
      if (norm == "frobenius" && is.infinite(slope)) next
      fit <- replicate_gpa(source, target, lipschitz = slope, step = 0.5, n_steps = steps(500), normalisation = norm)
      fits[[paste(norm, slope)]] <- fit
      trace <- tidy(fit)
      rows[[length(rows) + 1]] <- data.frame(
        norm = if (is.infinite(slope)) "none" else norm, L = slope, status = glance(fit)$status,
        kinetic_largest = max(trace$kinetic_energy), kinetic_end = late(fit, "kinetic_energy"),
        divergence_end = late(fit, "divergence"), largest_move_end = late(fit, "largest_move"),
        energy_distance = energy_distance(fit$particles, fresh), fresh_draws = floor,
        novelty = novelty(fit$particles, target, fresh[1:200, ])$ratio, seconds = fit$elapsed
      )
    }
  }
  write_results(do.call(rbind, rows), "four")
  colours <- c("#0072B2", "#009E73", "#D55E00", "#666666")
  picture("figure2", 1100, 480, {
    par(mfrow = c(1, 2), mar = c(4, 4, 2, 1), las = 1)
    for (norm in norms) {
      plot(NULL, xlim = c(0, 250), ylim = c(1e-6, 30), log = "y", xlab = "time", ylab = "kinetic energy", main = norm)
      for (i in seq_along(slopes)) {
        fit <- fits[[paste(if (is.infinite(slopes[i])) "spectral" else norm, slopes[i])]]
        trace <- tidy(fit)
        lines(trace$time, pmax(trace$kinetic_energy, 1e-6), col = colours[i])
      }
      legend("bottomleft", paste("L =", slopes), col = colours, lty = 1, bty = "n", ncol = 2)
    }
  })
  picture("figure3", 1300, 1150, {
    at <- round(seq(0, steps(500), length.out = 5))
    par(mfrow = c(4, 5), mar = c(2, 2, 2, 0.5), las = 1)
    for (slope in slopes) {
      fit <- fits[[paste("spectral", slope)]]
      path <- as.data.frame(fit)
      for (step in at) {
        near <- unique(path$step)[which.min(abs(unique(path$step) - step))]
        here <- fit$latent$decode(as.matrix(path[path$step == near, c("x1", "x2")]))
        plot(target, col = "grey70", pch = 16, cex = 0.4, xlim = c(-5, 5), ylim = c(-5, 5), asp = 1,
             main = sprintf("L = %s, time %g", slope, near / 2), xlab = "", ylab = "")
        points(here, col = "#0072B2", pch = 16, cex = 0.4)
      }
    }
  })
}

# ---- Table 1: heavy tails ------------------------------------------------------------------------------

student <- function(n, nu) matrix(rnorm(2 * n), n) / sqrt(rchisq(n, nu) / nu)
# density proportional to exp(-sqrt|x|): |x|^(1/2) is gamma with shape d / (1/2)
stretched <- function(n) {
  angle <- runif(n, 0, 2 * pi)
  rgamma(n, 4)^2 * cbind(cos(angle), sin(angle))
}
gaussian <- function(n) matrix(rnorm(2 * n, 10, 0.5), n)

tails <- function() {
  heavy <- list(`GGM(0.5)` = stretched, `t(3)` = function(n) student(n, 3), `t(1.5)` = function(n) student(n, 1.5),
                `t(0.5)` = function(n) student(n, 0.5))
  paper <- list(
    kl = c("O(1e-6)", "O(1e-4)", "diverged at 0", "diverged at 0", "O(1e-6)", "O(1e-6)", "O(1e-3)", "diverged at 202"),
    alpha = c("O(1e-6)", "O(1e-4)", "O(1e0)", "O(1e7)", "O(1e-3)", "O(1e-4)", "O(1e-3)", "O(1e-1)")
  )
  rows <- list()
  for (case in 1:8) {
    name <- names(heavy)[(case - 1) %% 4 + 1]
    set.seed(case)
    far <- heavy[[name]](200)
    near <- gaussian(200)
    source <- if (case <= 4) far else near
    target <- if (case <= 4) near else far
    for (divergence in c("kl", "alpha")) {
      for (norm in norms) {
        fit <- suppressWarnings(replicate_gpa(source, target, divergence = divergence, step = 0.5,
                                              n_steps = steps(5000), normalisation = norm, keep = 5000L))
        trace <- tidy(fit)
        inner <- function(x) stats::median(abs(as.matrix(x) - 10 * (case <= 4)))
        rows[[length(rows) + 1]] <- data.frame(
          case = case, source = if (case <= 4) name else "N(10)", target = if (case <= 4) "N(10)" else name,
          divergence = divergence, paper = paper[[divergence]][case], norm = norm, status = glance(fit)$status,
          steps = glance(fit)$steps, divergence_end = late(fit, "divergence"),
          kinetic_end = late(fit, "kinetic_energy"), median_size = inner(fit$particles), target_size = inner(target),
          largest = max(abs(fit$particles)), target_largest = max(abs(target)), seconds = fit$elapsed
        )
        cat(case, divergence, norm, "done\n")
      }
    }
  }
  write_results(do.call(rbind, rows), "tails")
}

# ---- Figure 6: Swiss roll ------------------------------------------------------------------------------

swiss_roll <- function(n) {
  angle <- 1.5 * pi * (1 + 2 * runif(n))
  cbind(angle * cos(angle), runif(n, 0, 21), angle * sin(angle)) / 3
}

roll <- function() {
  set.seed(6)
  target <- swiss_roll(200)
  fresh <- swiss_roll(5000)
  held <- swiss_roll(200)
  sheet <- swiss_roll(20000) # distance to these rows: from the manifold, up to their spacing
  off <- function(x) stats::median(sqrt(nearest_square(x, sheet)))
  source <- matrix(rnorm(15000, sd = 3), 5000)
  rows <- list()
  for (norm in norms) {
    fit <- replicate_gpa(source, target, step = 0.5, n_steps = steps(5000), solver = "heun", normalisation = norm,
                         keep = 50L)
    rows[[norm]] <- data.frame(
      norm = norm, steps = glance(fit)$steps, divergence_paper = 1.07e-4, divergence_end = late(fit, "divergence"),
      kinetic_end = late(fit, "kinetic_energy"), energy_distance = energy_distance(fit$particles, fresh),
      fresh_200 = energy_distance(held, fresh), off_sheet = off(fit$particles), off_sheet_fresh = off(held),
      novelty = novelty(fit$particles, target, held)$ratio, seconds = fit$elapsed
    )
    if (norm == "spectral") {
      picture("figure6", 1200, 420, {
        par(mfrow = c(1, 3), mar = c(3, 3, 2, 0.5), las = 1)
        plot(source[, c(1, 3)], pch = 16, cex = 0.3, col = "#0072B2", asp = 1, main = "5000 source points", xlab = "",
             ylab = "")
        plot(target[, c(1, 3)], pch = 16, cex = 0.6, col = "grey30", asp = 1, main = "200 target rows", xlab = "",
             ylab = "")
        plot(fit$particles[, c(1, 3)], pch = 16, cex = 0.3, col = "#0072B2", asp = 1, main = "particles", xlab = "",
             ylab = "")
        points(target[, c(1, 3)], pch = 1, cex = 0.7, col = "#D55E00")
      })
    }
  }
  write_results(do.call(rbind, rows), "roll")
}

nearest_square <- function(x, y) {
  squares <- rowSums(y^2)
  vapply(seq_len(nrow(x)), function(i) min(sum(x[i, ]^2) + squares - 2 * y %*% x[i, ]), 0)
}

# ---- Figure 7: Sierpinski carpet -----------------------------------------------------------------------

# One point in each of the 8^level dark pixels of [0, 10]^2.
carpet_points <- function(level) {
  corners <- matrix(0, 1, 2)
  cells <- as.matrix(expand.grid(0:2, 0:2))[-5, ]
  for (i in seq_len(level)) {
    corners <- do.call(rbind, lapply(1:8, function(j) sweep(corners * 3, 2, cells[j, ], "+")))
  }
  (corners + matrix(runif(2 * nrow(corners)), ncol = 2)) * 10 / 3^level
}

# The share of points that lie in the square and in no hole of the first `level` scales.
on_carpet <- function(x, level) {
  inside <- rowSums(x < 0 | x >= 10) == 0
  for (i in seq_len(level)) {
    digit <- floor(x * 3^i / 10) %% 3
    inside <- inside & !(digit[, 1] == 1 & digit[, 2] == 1)
  }
  mean(inside)
}

carpet <- function() {
  set.seed(7)
  target <- carpet_points(4)
  source <- matrix(rnorm(8192, sd = 3), 4096)
  rows <- list()
  for (norm in norms) {
    fit <- replicate_gpa(source, target, step = 0.2, n_steps = steps(5000), solver = "heun", normalisation = norm,
                         keep = 50L)
    moved <- as.matrix(fit$particles)
    share <- vapply(1:4, function(level) on_carpet(moved, level), 0)
    rows[[norm]] <- data.frame(
      norm = norm, steps = glance(fit)$steps, divergence_end = late(fit, "divergence"),
      kinetic_end = late(fit, "kinetic_energy"), on_level_1 = share[1], on_level_2 = share[2], on_level_3 = share[3],
      on_level_4 = share[4], energy_distance = energy_distance(moved, target), seconds = fit$elapsed
    )
    if (norm == "spectral") {
      picture("figure7", 1200, 420, {
        par(mfrow = c(1, 3), mar = c(3, 3, 2, 0.5), las = 1)
        plot(target, pch = 16, cex = 0.25, asp = 1, main = "4096 target rows", xlab = "", ylab = "")
        plot(source, pch = 16, cex = 0.25, col = "#0072B2", asp = 1, main = "source", xlab = "", ylab = "")
        plot(moved, pch = 16, cex = 0.25, col = "#0072B2", asp = 1,
             main = sprintf("particles, time %g", glance(fit)$time), xlab = "", ylab = "")
      })
    }
  }
  square <- data.frame(norm = "uniform on the square", steps = NA, divergence_end = NA, kinetic_end = NA,
                       on_level_1 = 8 / 9, on_level_2 = (8 / 9)^2, on_level_3 = (8 / 9)^3, on_level_4 = (8 / 9)^4,
                       energy_distance = NA, seconds = NA)
  write_results(do.call(rbind, c(rows, list(square))), "carpet")
}

for (part in parts) get(part)()
