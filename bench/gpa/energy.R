# energy_flow() beside gpa(): on the examples of examples.R, and on tables that are too large for gpa().
#   Rscript bench/gpa/energy.R [directions] [settings] [four] [tails] [roll] [carpet] [large] [SEEDS]
# writes bench/gpa/results/energy_*.csv. SEEDS, a number, is how many seeds each case has (default 8). gpa() is run with
# the settings of examples.R, of which this script takes the laws; its long runs of the roll and of the carpet are not
# repeated here: their results are in roll.csv and carpet.csv.

library(particleflow)

words <- commandArgs(TRUE)
number <- grepl("^[0-9]+$", words)
seeds <- seq_len(if (any(number)) as.integer(words[number][1]) else 8L)
parts <- words[!number]
if (length(parts) == 0) parts <- c("directions", "settings", "four", "tails", "roll", "carpet", "large")
folder <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
laws <- new.env()
for (line in as.list(parse(file.path(folder, "examples.R")))) {
  is_function <- is.call(line) && identical(line[[1]], quote(`<-`)) && is.call(line[[3]]) &&
    identical(line[[3]][[1]], quote(`function`))
  if (is_function) eval(line, laws)
}

write_rows <- function(rows, name) {
  table <- do.call(rbind, rows)
  utils::write.csv(table, file.path(folder, "results", paste0("energy_", name, ".csv")), row.names = FALSE)
  table
}

# Means with 95 % intervals over the seeds, by the t distribution.
means <- function(table, by, what) {
  groups <- split(table, table[by], drop = TRUE, lex.order = TRUE)
  out <- do.call(rbind, lapply(groups, function(g) {
    cells <- vapply(what, function(name) {
      x <- g[[name]][is.finite(g[[name]])]
      half <- if (length(x) > 1) stats::qt(0.975, length(x) - 1) * stats::sd(x) / sqrt(length(x)) else NA
      sprintf("%.3g +- %.2g", mean(x), half)
    }, "")
    data.frame(g[1, by, drop = FALSE], t(cells))
  }))
  print(out, row.names = FALSE)
}

user_seconds <- function(code) {
  time <- system.time(value <- code)
  list(value = value, seconds = sum(time[c("user.self", "sys.self")]))
}

# ---- settings --------------------------------------------------------------------------------------------

correlate <- function(z) z %*% chol(outer(seq_len(ncol(z)), seq_len(ncol(z)), function(i, j) 0.6^abs(i - j)))
draws <- list(
  four = function(n) matrix(base::sample(c(-2, 2), 2 * n, TRUE), n) + matrix(rnorm(2 * n, sd = 0.5), n),
  roll = laws$swiss_roll,
  skew = function(n) correlate(matrix(rexp(10 * n), n)),
  mixture = function(n) {
    k <- base::sample(3, n, TRUE)
    matrix(rnorm(8 * n), n) * c(0.3, 0.6, 1)[k] + outer(c(-2, 0, 2)[k], c(1, -1, 0, 1, 0, 0, 1, 0))
  },
  heavy = function(n) matrix(rnorm(3 * n), n) / sqrt(rchisq(n, 2) / 2),
  far = function(n) matrix(rnorm(5 * n, 10, 0.1), n)
)

# pull: kappa, in units; fresh: the energy distance of n fresh rows to the same 2000 rows, to which `held_out` refers.
settings <- function() {
  rows <- list()
  for (name in names(draws)) for (n in c(200, 2000)) for (seed in seeds) {
    set.seed(seed)
    draw <- draws[[name]]
    target <- draw(n)
    held <- draw(2000)
    other <- draw(n)
    source <- matrix(rnorm(length(target)), n)
    fresh <- energy_distance(other, held)
    d <- ncol(target)
    for (pull in c(4, 16, 64, 256)) for (tolerance in c(1, 0.25, 0.1)) {
      set.seed(seed)
      run <- user_seconds(energy_flow(source, target, step = pull * d / 4 / particleflow:::slice_constant(d),
                                      tolerance = tolerance, n_steps = 500))
      moved <- run$value$particles
      rows[[length(rows) + 1]] <- data.frame(
        law = name, n = n, seed = seed, pull = pull, tolerance = tolerance, steps = run$value$diagnostics$steps,
        status = run$value$diagnostics$status, held_out = energy_distance(moved, held) / fresh,
        novelty = novelty(moved, target, other)$ratio, seconds = run$seconds
      )
    }
  }
  table <- write_rows(rows, "settings")
  means(table, c("tolerance", "n", "pull"), c("steps", "held_out", "novelty", "seconds"))
}

# Steps along one or four sets of directions, whose moves are averaged; drawn anew in each step, or once.
directions <- function() {
  rows <- list()
  for (name in c("four", "mixture", "skew")) for (seed in seeds) {
    set.seed(seed)
    target <- draws[[name]](1000)
    held <- draws[[name]](2000)
    fresh <- energy_distance(draws[[name]](1000), held)
    source <- matrix(rnorm(length(target)), 1000)
    dim <- ncol(target)
    for (sets in c(1, 4)) for (new in c(TRUE, FALSE)) {
      set.seed(seed)
      draw <- function() lapply(seq_len(sets), function(i) qr.Q(qr(matrix(rnorm(dim^2), dim))))
      x <- source
      drawn <- draw()
      for (k in seq_len(50)) {
        if (new) drawn <- draw()
        moved <- lapply(drawn, function(set) {
          .Call(particleflow:::C_pf_energy_step, x, target, x[0, ], set, 64, 1L)$particles
        })
        x <- Reduce(`+`, moved) / sets
        if (k %in% c(10, 50)) {
          rows[[length(rows) + 1]] <- data.frame(law = name, seed = seed, sets = sets, new = new, steps = k,
                                                 held_out = energy_distance(x, held) / fresh)
        }
      }
    }
  }
  means(write_rows(rows, "directions"), c("law", "steps", "new", "sets"), "held_out")
}

# ---- examples of gpa() -------------------------------------------------------------------------------------

# One row of results: what is left of the distance to held-out rows, beside that of as many fresh rows.
judge <- function(method, fit, seconds, seed, target, held, other, ...) {
  moved <- as.matrix(fit$particles)
  few <- function(x) x[seq_len(min(nrow(x), 500)), , drop = FALSE]
  data.frame(method = method, seed = seed, steps = fit$diagnostics$steps, ...,
             energy = energy_distance(moved, held), energy_fresh = energy_distance(other, held),
             w2 = wasserstein2(few(moved), few(held)), w2_fresh = wasserstein2(few(other), few(held)),
             novelty = novelty(moved, target, other)$ratio, seconds = seconds)
}

judged <- c("steps", "energy", "energy_fresh", "w2", "w2_fresh", "novelty", "seconds")

flows <- function(source, target, seed, ...) {
  set.seed(seed)
  sorted <- user_seconds(energy_flow(source, target))
  set.seed(seed)
  trained <- user_seconds(suppressWarnings(gpa(source, target, ..., step = 0.5, updates = 3, latent = "none",
                                               scale = FALSE)))
  list(energy_flow = sorted, gpa = trained)
}

four <- function() {
  rows <- list()
  for (seed in seeds) {
    set.seed(seed)
    target <- draws$four(200)
    source <- matrix(rnorm(400, sd = 0.5), 200)
    held <- draws$four(2000)
    other <- draws$four(200)
    runs <- flows(source, target, seed, n_steps = 500)
    for (name in names(runs)) {
      rows[[length(rows) + 1]] <- judge(name, runs[[name]]$value, runs[[name]]$seconds, seed, target, held, other)
    }
  }
  means(write_rows(rows, "four"), "method", judged)
}

# Table 1: cases as in examples.R, 1000 steps of gpa() with the KL divergence.
tails <- function() {
  heavy <- list(`GGM(0.5)` = laws$stretched, `t(3)` = function(n) laws$student(n, 3),
                `t(1.5)` = function(n) laws$student(n, 1.5), `t(0.5)` = function(n) laws$student(n, 0.5))
  near <- function(n) matrix(rnorm(2 * n, 10, 0.5), n)
  rows <- list()
  for (case in 1:8) for (seed in seeds) {
    set.seed(100 * case + seed)
    draw <- if (case <= 4) near else heavy[[case - 4]]
    start <- if (case <= 4) heavy[[case]] else near
    target <- draw(200)
    source <- start(200)
    held <- draw(2000)
    other <- draw(200)
    runs <- flows(source, target, seed, n_steps = 1000, keep = 1000)
    size <- function(x) stats::median(abs(as.matrix(x) - 10 * (case <= 4)))
    for (name in names(runs)) {
      rows[[length(rows) + 1]] <- judge(name, runs[[name]]$value, runs[[name]]$seconds, seed, target, held, other,
                                        case = case, size = size(runs[[name]]$value$particles) / size(held))
    }
    cat("tails", case, seed, "done\n")
  }
  means(write_rows(rows, "tails"), c("case", "method"), c(judged, "size"))
}

# The data of seed 6 in examples.R are not those of these seeds.
roll <- function() {
  rows <- list()
  for (seed in seeds) {
    set.seed(seed)
    target <- laws$swiss_roll(200)
    held <- laws$swiss_roll(5000)
    other <- laws$swiss_roll(200)
    sheet <- laws$swiss_roll(20000)
    source <- matrix(rnorm(15000, sd = 3), 5000)
    for (tolerance in c(1, 0.25, 0.05)) {
      set.seed(seed)
      run <- user_seconds(energy_flow(source, target, tolerance = tolerance))
      off <- stats::median(sqrt(laws$nearest_square(run$value$particles[1:1000, ], sheet)))
      rows[[length(rows) + 1]] <- judge("energy_flow", run$value, run$seconds, seed, target, held, other,
                                        tolerance = tolerance, off_sheet = off)
    }
  }
  means(write_rows(rows, "roll"), "tolerance", c(judged, "off_sheet"))
}

carpet <- function() {
  rows <- list()
  for (seed in seeds) {
    set.seed(seed)
    target <- laws$carpet_points(4)
    held <- laws$carpet_points(4)
    source <- matrix(rnorm(8192, sd = 3), 4096)
    for (tolerance in c(0.25, 0)) {
      set.seed(seed)
      run <- user_seconds(energy_flow(source, target, tolerance = tolerance))
      moved <- as.matrix(run$value$particles)
      share <- vapply(1:4, function(level) laws$on_carpet(moved, level), 0)
      rows[[length(rows) + 1]] <- data.frame(
        tolerance = tolerance, seed = seed, steps = run$value$diagnostics$steps, on_level_1 = share[1],
        on_level_2 = share[2], on_level_3 = share[3], on_level_4 = share[4], energy = energy_distance(moved, target),
        energy_held = energy_distance(moved, held), energy_fresh = energy_distance(held, target),
        novelty = novelty(moved, target, held)$ratio, seconds = run$seconds
      )
    }
  }
  means(write_rows(rows, "carpet"), "tolerance",
        c("steps", paste0("on_level_", 1:4), "energy", "energy_held", "energy_fresh", "novelty", "seconds"))
}

# ---- large tables ------------------------------------------------------------------------------------------

# Ten columns. seconds: of processors; clock: of the wall; peak: the most memory of the process so far, in GB.
large <- function() {
  rows <- list()
  for (n in c(1e4, 1e5, 1e6)) {
    set.seed(1)
    target <- draws$skew(n)
    source <- matrix(rnorm(10 * n), n)
    clock <- system.time(run <- user_seconds(energy_flow(source, target, n_steps = 40, tolerance = 0, every = 40)))
    d <- tidy(run$value)
    peak <- as.numeric(gsub("[^0-9]", "", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))) / 2^20
    begin <- diff(range(d$step)) + 1
    rows[[length(rows) + 1]] <- data.frame(
      n = n, steps = 40, seconds = run$seconds, seconds_per_step = run$seconds / 55, clock = clock[[3]], peak = peak,
      start = d$divergence[1], after_10 = d$divergence[11], after_20 = d$divergence[21],
      after_40 = d$divergence[begin], standard_error = d$standard_error[begin],
      fresh = run$value$diagnostics$fresh
    )
    print(rows[[length(rows)]], digits = 3)
    write_rows(rows, "large")
    rm(run, source, target)
    gc()
  }
}

for (part in parts) get(part)()
