# Rscript bench/foretell.R: the seconds that efs() foretells on one thread beside the processor seconds that it takes,
# on clusters (where one law is usually chosen) and on skewed columns (where a stack is). Some ten minutes.
library(particleflow)
inner <- asNamespace("particleflow")
said <- list()
record <- function(what, seconds, bytes, n, d, threads) said[[length(said) + 1]] <<- c(seconds, bytes)
unlockBinding("say_ahead", inner)
assign("say_ahead", record, inner)

make <- function(n, d, kind) {
  set.seed(1)
  x <- matrix(rnorm(n * d), n)
  if (kind == "skewed") return(exp(x / 2) %*% (diag(d) + 0.2))
  x + 3 * matrix(rnorm(5 * d), 5)[base::sample(5, n, TRUE), ]
}

rows <- NULL
for (n in c(1200, 5000, 20000, 50000)) for (d in c(3, 10, 30)) for (kind in c("clusters", "skewed")) {
  for (calibrate in c(TRUE, FALSE)) {
    if (n * d > 6e5 || (n > 20000 && !calibrate)) next
    x <- make(n, d, kind)
    said <- list()
    invisible(gc(reset = TRUE))
    before <- sum(gc()[, 2])
    took <- system.time(efs(x, calibrate = calibrate, threads = 1))[[1]]
    told <- do.call(rbind, said)
    foretold <- sum(told[, 1])
    rows <- rbind(rows, data.frame(n, d, kind, calibrate, foretold, took, ratio = foretold / took,
                                   foretold_mb = max(told[, 2]) / 1e6, took_mb = sum(gc()[, 6]) - before))
    print(rows[nrow(rows), ], digits = 3, row.names = FALSE)
  }
}
long <- rows$took > 10
cat(sprintf("foretold over taken where it takes more than 10 seconds: %.2f to %.2f\n", min(rows$ratio[long]),
            max(rows$ratio[long])))
