# New samples from a small gene-expression study.
#
#   Rscript khan.R [directory for the output, default demo-output]
#
# Khan et al. (2001) measured 2308 genes in 63 small round blue cell tumours of four kinds, and in 20
# more tumours that were kept apart for testing (data set Khan of package ISLR2). This script makes 200
# new samples of each kind, and asks how new and how useful they are. Without ISLR2 it does the same
# with the 150 flowers of R's own iris.

suppressPackageStartupMessages(library(particleflow))
options(width = 100)

output <- c(commandArgs(trailingOnly = TRUE), "demo-output")[1]
dir.create(output, showWarnings = FALSE, recursive = TRUE)

# ---- The data: training rows and held-out rows, data frames with the class in the first column ----

khan_data <- function() {
  # the class numbers follow the alphabetical order of the names; the class sizes in the paper confirm it
  kinds <- c("BL", "EWS", "NB", "RMS")
  table_of <- function(x, class) {
    colnames(x) <- sprintf("gene_%04d", seq_len(ncol(x)))
    data.frame(class = factor(kinds[class], levels = kinds), x)
  }
  khan <- ISLR2::Khan
  train <- table_of(khan$xtrain, khan$ytrain)
  stopifnot(table(train$class) == c(8, 23, 12, 20))
  list(
    name = "Khan's tumours", columns = "genes",
    train = train, heldout = table_of(khan$xtest, khan$ytest),
    # Ten components, as in the paper. Each flow needs clearly more rows than dimensions, and the
    # larger classes have 23 and 20.
    latent = latent_pca(10), digits = 2
  )
}

iris_data <- function() {
  set.seed(1)
  flowers <- data.frame(class = iris$Species, iris[1:4])
  rows <- base::sample(nrow(flowers), 100)
  list(
    name = "iris", columns = "measurements",
    train = flowers[rows, ], heldout = flowers[-rows, ],
    latent = latent_standardise(), digits = 2
  )
}

has_khan <- requireNamespace("ISLR2", quietly = TRUE)
data <- if (has_khan) khan_data() else iris_data()
train <- data$train
heldout <- data$heldout
classes <- levels(train$class)

cat(sprintf("%s: %d training rows, %d held-out rows, %d %s, %d classes.\n", data$name, nrow(train),
            nrow(heldout), ncol(train) - 1, data$columns, length(classes)))
if (!has_khan) {
  cat("Package ISLR2, which has Khan's tumours, is not installed: this is base R's iris instead,\n",
      "a random 100 rows for training and 50 held out.\n", sep = "")
}

# ---- Fit one flow per class, draw 200 new samples of each ----

fit <- efs(train, group = "class", latent = data$latent)
counts <- setNames(rep(200, length(classes)), classes)
new <- simulate(fit, counts, seed = 1)

cat("\n")
print(fit)

new_rounded <- new
new_rounded[-1] <- round(new[-1], data$digits)
write.csv(new_rounded, file.path(output, "new-samples.csv"), row.names = FALSE, quote = FALSE)

# Takes rows to the latent space. Its map was fitted to the training rows alone.
encode <- function(table) unname(fit$latent$encode(as.matrix(table[-1])))

# ---- Pictures ----

colours <- palette.colors(8)[c("orange", "blue", "bluishgreen", "reddishpurple")[seq_along(classes)]]
names(colours) <- classes

to_png <- function(name, width, height, draw) {
  png(file.path(output, name), width = width, height = height, res = 120)
  on.exit(dev.off())
  draw()
}

# Old and new rows side by side. The axes are those of trajectory.png: the first two principal components
# of the encoded training rows.
draw_old_and_new <- function() {
  axes <- prcomp(encode(train), rank. = 2)
  axes$rotation <- apply(axes$rotation, 2, function(v) v * sign(v[which.max(abs(v))]))
  share <- 100 * axes$sdev[1:2]^2 / sum(axes$sdev^2)
  shown <- list("training rows" = train, "new rows" = new)
  points <- lapply(shown, function(rows) predict(axes, encode(rows)))
  limits <- apply(do.call(rbind, points), 2, range)
  par(mfrow = c(1, 2), mar = c(3.6, 3.6, 2.5, 0.5), mgp = c(2.2, 0.7, 0), cex.main = 1)
  for (name in names(shown)) {
    class <- shown[[name]]$class
    plot(points[[name]], asp = 1, xlim = limits[, 1], ylim = limits[, 2],
         pch = if (name == "new rows") 1 else 19, cex = 0.7, col = colours[as.character(class)],
         main = sprintf("%d %s", length(class), name),
         xlab = sprintf("PC1 (%.0f %% of the latent variance)", share[1]),
         ylab = sprintf("PC2 (%.0f %%)", share[2]))
    legend("topright", classes, col = colours, pch = 19, bty = "n", cex = 0.8)
  }
}

# The rows of each class on their way to equilibrium, at five times.
to_png("trajectory.png", 1500, 440, function() plot(fit, col = colours))
to_png("old-and-new.png", 1300, 700, draw_old_and_new)

# ---- How new are the new samples? ----

# Median distance to the nearest training row of the same class, without scaling the columns, for three
# kinds of rows: the new rows, the held-out rows, and each training row against the others (leave-one-out).
# The last kind helps where a class has few held-out rows. Fewer than five of them have no ratio.
novelty_table <- function(space) {
  rows <- lapply(classes, function(class) {
    part <- function(table) space(table[table$class == class, ])
    kept <- part(heldout)
    heldout_side <- list(ratio = NA_real_, distance = list(reference = NA_real_))
    # with fewer than 20 held-out rows novelty() warns that the ratio is rough
    if (nrow(kept) >= 5) heldout_side <- suppressWarnings(novelty(part(new), part(train), kept, scale = FALSE))
    train_side <- novelty(part(new), part(train), scale = FALSE)
    data.frame(
      class = class, train = sum(train$class == class), heldout = sum(heldout$class == class),
      d_new = median(train_side$distance$synthetic),
      d_heldout = median(heldout_side$distance$reference),
      d_loo = median(train_side$distance$reference),
      to_heldout = heldout_side$ratio, to_loo = train_side$ratio,
      copies = sum(train_side$distance$synthetic == 0)
    )
  })
  do.call(rbind, rows)
}

show_novelty <- function(found, space) {
  cat(sprintf("\nMedian distance to the nearest training row of the class, in %s:\n\n", space))
  number <- function(x) format(x, digits = 3, nsmall = 1)
  of <- function(x, n) sprintf("%s (%2d rows)", number(x), n)
  print(data.frame(
    class = found$class, "new rows" = number(found$d_new),
    "held-out rows" = of(found$d_heldout, found$heldout),
    "leave-one-out" = of(found$d_loo, found$train),
    "new/held-out" = sprintf("%.2f", found$to_heldout),
    "new/leave-one-out" = sprintf("%.2f", found$to_loo), check.names = FALSE
  ), row.names = FALSE)
  cat("\n")
}

say <- function(...) {
  text <- sprintf(...)
  cat(strwrap(text, width = 96, exdent = if (startsWith(text, "-")) 2 else 0), sep = "\n")
}

latent_space <- novelty_table(encode)
cat("\n-- How new? A ratio near 1 means as new as a fresh row, near 0 a copy --\n")
show_novelty(latent_space, if (has_khan) "the ten latent components" else "standardised columns")
say("%d of the %d new rows equal a training row.", sum(latent_space$copies), nrow(new))

if (has_khan) {
  gene_space <- novelty_table(function(table) as.matrix(table[-1]))
  show_novelty(gene_space, "all 2308 genes")
  residual <- 1 - (latent_space$d_new / gene_space$d_new)^2
  say("- All genes: the components hold %.0f %% of the variance. A new row has nothing of the rest,
       and a real row has its own. So %.0f to %.0f %% of the squared distance between the two comes from
       the training row alone, and the ratios are below 1 whatever the new rows are. Judge novelty by
       the first table. Do not take the new rows for whole measurements, because their noise is
       missing.", 100 * tail(fit$latent$explained, 1), 100 * min(residual), 100 * max(residual))
  apart <- latent_space[which(latent_space$d_heldout > 1.5 * latent_space$d_loo), ]
  say("- Held-out rows of %s lie %.1f to %.1f times as far from the training rows as training rows lie from
       each other, because Khan's test set is not a random split (in training, BL and NB are cell lines
       only). For these classes the ratio to leave-one-out is fairer. New rows can only be like the training rows.",
      paste(apart$class, collapse = " and "), min(apart$d_heldout / apart$d_loo),
      max(apart$d_heldout / apart$d_loo))
  bare <- fit$diagnostics[nzchar(fit$diagnostics$note), ]
  still <- fit$diagnostics[fit$diagnostics$steps == 0 & !nzchar(fit$diagnostics$note), ]
  if (nrow(still)) {
    say("- %s: none of the flows made the held-out rows more likely. So the law was fitted to the rows as they
         are, without a flow.", paste(still$group, collapse = " and "))
  }
  say("- %s: too few rows for a flow, so their new rows are a smoothed bootstrap: a training row plus
       noise of one spacing. Little can be known about these classes. BL has %d held-out rows, too few for
       a ratio, and %d rows say next to nothing about the shape of a class in ten dimensions.",
      paste(sprintf("%s (%d rows)", bare$group, bare$n), collapse = " and "),
      latent_space$heldout[1], latent_space$train[1])
}

# ---- How useful are they? ----

# The class of each row of `test`, by vote of its k nearest training rows. The nearest row decides a tie.
nearest_class <- function(test, points, class, k = 3) {
  class <- as.character(class)
  distance2 <- outer(rowSums(test^2), rowSums(points^2), "+") - 2 * tcrossprod(test, points)
  apply(distance2, 1, function(row) {
    near <- class[order(row)[seq_len(k)]]
    votes <- table(near)
    near[near %in% names(votes)[votes == max(votes)]][1]
  })
}

right <- function(...) {
  table <- rbind(...)
  sum(nearest_class(encode(heldout), encode(table), table$class) == heldout$class)
}

seeds <- 1:10
generated <- lapply(seeds, function(seed) simulate(fit, counts, seed = seed))
scores <- list(
  real = right(train),
  generated = vapply(generated, right, 0L),
  both = vapply(generated, function(rows) right(train, rows), 0L)
)

n_test <- nrow(heldout)
cat(sprintf("\n-- How useful? Held-out rows put in the right class by their 3 nearest neighbours in %s --\n\n",
            if (has_khan) "the ten components" else "standardised columns"))
cat(sprintf("trained on                  right of %d    95 %% interval\n", n_test))
for (name in names(scores)) {
  score <- scores[[name]]
  interval <- 100 * binom.test(round(mean(score)), n_test)$conf.int
  label <- switch(name, real = sprintf("%d real rows", nrow(train)),
                  generated = sprintf("%d new rows", nrow(new)), both = "both")
    over <- if (length(score) > 1) sprintf("    (%d seeds: %d to %d)", length(seeds), min(score), max(score)) else ""
  cat(sprintf("%-25s %8.1f %16s%s\n", label, mean(score), sprintf("%.0f to %.0f %%", interval[1], interval[2]), over))
}
cat("\n")
say("There are only %d rows to test on. The interval is the exact binomial interval (at the mean of the
     seeds, rounded to whole rows). It says how much the figure would vary by chance in the test rows
     alone. Where intervals overlap, as these do, no gain is shown.", n_test)

cat(sprintf("\nIn %s: new-samples.csv (%d rows), trajectory.png, old-and-new.png\n", output, nrow(new)))
