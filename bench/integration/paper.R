# Rscript paper.R results: the run of the published size on simulated expression. 226 rows are moved onto 265 by class,
# with 50 components and 5000 steps of 5 updates. Writes the trace of the distance and of novelty, beside the default
# and the mean/sd adjustment.
results <- commandArgs(TRUE)[1]
for (file in c("data.R", "methods.R", "scores.R")) source(file)
d <- simulate_expression(1, p = 5000)
others <- d$batch != d$reference
spread <- apply(d$x, 2, stats::sd)

# Squared distances in full space, z-scored, divided by those at the start.
remaining <- function(moved) {
  vapply(c("positive", "negative"), function(l) {
    goal <- sweep(d$x[!others & d$label == l, ], 2, spread, "/")
    (distance(sweep(moved[others & d$label == l, ], 2, spread, "/"), goal) /
       distance(sweep(d$x[others & d$label == l, ], 2, spread, "/"), goal))^2
  }, 0)
}

run <- function(...) {
  began <- proc.time()[[3]]
  fit <- particleflow::integrate_data(d$x, d$batch, d$reference, d$label, compare = FALSE, threads = 1, seed = 1, ...)
  list(fit = fit, seconds = proc.time()[[3]] - began)
}

row <- function(method, moved, flows = NULL, seconds = NA) {
  full <- remaining(moved)
  space <- svd(scale(d$x), nu = 0, nv = 50)$v
  latent <- function(x) sweep(sweep(x, 2, colMeans(d$x)), 2, spread, "/") %*% space
  z <- latent(moved)
  z0 <- latent(d$x)
  parts <- lapply(c("positive", "negative"), function(l) {
    goal <- z0[!others & d$label == l, ]
    own <- others & d$label == l
    data.frame(
      method = method, class = l, rows = sum(own), onto = nrow(goal),
      steps = if (is.null(flows)) NA else flows[[paste0("source: ", l)]]$steps,
      w2_squared_latent = (distance(z[own, ], goal) / distance(z0[own, ], goal))^2, w2_squared_full = full[[l]],
      novelty = stats::median(nearest(z[own, ], goal)) /
        stats::median(apply(as.matrix(stats::dist(goal)) + diag(1e300, nrow(goal)), 1, min)),
      seconds = seconds
    )
  })
  do.call(rbind, parts)
}

# squared distance between two halves of the reference, divided by that at the start
halves <- function() {
  z <- scale(d$x) %*% svd(scale(d$x), nu = 0, nv = 50)$v
  vapply(c("positive", "negative"), function(l) {
    goal <- z[!others & d$label == l, ]
    set.seed(1)
    mean(replicate(10, {
      half <- sample.int(nrow(goal), nrow(goal) %/% 2)
      distance(goal[half, ], goal[-half, ])^2
    })) / distance(z[others & d$label == l, ], goal)^2
  }, 0)
}

default <- run()
rows <- rbind(
  row("mean/sd by class", mean_sd(d$x, d$batch, d$label, d$reference)),
  row("integrate_data", default$fit$data, default$fit$flows, default$seconds)
)
rows <- rbind(rows, data.frame(method = "halves of the reference", class = c("positive", "negative"), rows = NA,
                               onto = NA, steps = NA, w2_squared_latent = halves(), w2_squared_full = NA, novelty = NA,
                               seconds = NA))
utils::write.csv(rows, file.path(results, "paper.csv"), row.names = FALSE)
end <- run(adjust = "none", target = 0, floor = 0, residual = "drop", n_steps = 5000, check = 250)
rows <- rbind(rows, row("as published, 5000 steps", end$fit$data, end$fit$flows, end$seconds))
utils::write.csv(rows, file.path(results, "paper.csv"), row.names = FALSE)
trace <- do.call(rbind, lapply(names(end$fit$flows), function(name) {
  t <- end$fit$flows[[name]]$trace
  data.frame(class = sub("source: ", "", name), step = t$step, w2_squared = (t$ratio / t$ratio[1])^2,
             over_halves = t$ratio, novelty = t$novelty)
}))
utils::write.csv(trace, file.path(results, "paper_trace.csv"), row.names = FALSE)
