# New samples from a small gene-expression study.
#
#   Rscript khan.R [directory for the output, default demo-output]
#
# Khan et al. (2001) measured 2308 genes in 83 small round blue cell tumours of four kinds (data set Khan of package
# ISLR2). This script deals the tumours at random into 63 to fit and 20 held out, makes 200 new samples of each kind
# with all genes, and asks how new and how useful they are. Without ISLR2 it does the same with a simulated study of the
# same size. If package SimSeq is there, it also makes new samples of RNA-seq counts.

suppressPackageStartupMessages(library(particleflow))
options(width = 100)

output <- c(commandArgs(trailingOnly = TRUE), "demo-output")[1]
dir.create(output, showWarnings = FALSE, recursive = TRUE)

say <- function(...) {
  text <- sprintf(...)
  cat(strwrap(text, width = 96, exdent = if (startsWith(text, "-")) 2 else 0), sep = "\n")
}

# ---- The data: a matrix of samples x genes, and the kind of each sample ----

kinds <- c("BL", "EWS", "NB", "RMS")
fit_sizes <- c(BL = 8, EWS = 23, NB = 12, RMS = 20)    # as in the training set of the paper
held_sizes <- c(BL = 3, EWS = 6, NB = 6, RMS = 5)

khan_study <- function() {
  khan <- ISLR2::Khan
  # the class numbers follow the alphabetical order of the names; the class sizes in the paper confirm it
  list(x = rbind(khan$xtrain, khan$xtest), kind = factor(kinds[c(khan$ytrain, khan$ytest)], levels = kinds))
}

simulated_study <- function() {
  set.seed(1)
  kind <- factor(rep(kinds, fit_sizes + held_sizes), levels = kinds)
  normal <- function(n, sd) matrix(rnorm(n * 2308, sd = sd), n)
  x <- normal(4, 0.7)[kind, ] + matrix(rnorm(length(kind) * 12), ncol = 12) %*% normal(12, 0.25)
  list(x = x + normal(length(kind), 0.5), kind = kind)
}

has_khan <- requireNamespace("ISLR2", quietly = TRUE)
study <- if (has_khan) khan_study() else simulated_study()
dimnames(study$x) <- list(NULL, sprintf("gene_%04d", seq_len(ncol(study$x))))
stopifnot(table(study$kind) == fit_sizes + held_sizes)
if (!has_khan) say("Package ISLR2, which has Khan's tumours, is not installed. This is a simulated study of its size.")

# The split of the paper is not random (its training samples of BL and NB are cell lines only), so the samples are dealt
# anew.
split_study <- function(seed) {
  set.seed(seed)
  held <- unlist(lapply(kinds, function(k) base::sample(which(study$kind == k), held_sizes[[k]])))
  list(x = study$x[-held, ], kind = study$kind[-held], held = study$x[held, ], held_kind = study$kind[held])
}

split <- split_study(1)
cat(sprintf("%s: %d genes; %d samples to fit, %d held out\n\n", if (has_khan) "Khan's tumours" else "Simulated tumours",
            ncol(study$x), nrow(split$x), nrow(split$held)))

# ---- One fit with all genes, class by class, and 200 new samples of each class ----

started <- proc.time()[["elapsed"]]
fit <- synthesise(split$x, group = split$kind, quiet = TRUE)
new <- simulate(fit, setNames(rep(200, 4), kinds), seed = 1)
new_kind <- attr(new, "group")
took <- proc.time()[["elapsed"]] - started
print(fit)
cat("\n")
say("\"borrowed\" is the share of the covariance of a class that comes from the other classes: the fewer samples a
     class has, the more it borrows. The means of the classes are their own. Fit and %d new samples took %.1f seconds.",
    nrow(new), took)

write.csv(data.frame(class = new_kind, round(new, 3)), file.path(output, "new-samples.csv"), row.names = FALSE,
          quote = FALSE)

# ---- Pictures ----

colours <- setNames(palette.colors(8)[c("orange", "blue", "bluishgreen", "reddishpurple")], kinds)

to_png <- function(name, width, height, draw) {
  png(file.path(output, name), width = width, height = height, res = 120)
  on.exit(dev.off())
  draw()
}

# The samples that were fitted, the held-out ones and the new ones, on the first two principal components of the genes
# of the fitted samples. As many new samples are drawn as were fitted.
draw_samples <- function() {
  axes <- prcomp(split$x, rank. = 2)
  share <- 100 * axes$sdev[1:2]^2 / sum(axes$sdev^2)
  few <- unlist(lapply(kinds, function(k) which(new_kind == k)[seq_len(fit_sizes[[k]])]))
  shown <- list("fitted samples" = split$x, "held-out samples" = split$held, "new samples" = new[few, ])
  class <- list(split$kind, split$held_kind, new_kind[few])
  points <- lapply(shown, function(x) predict(axes, x))
  limits <- apply(do.call(rbind, points), 2, range)
  limits[2, 2] <- limits[2, 2] + 0.15 * diff(limits[, 2]) # room for the legend
  par(mfrow = c(1, 3), mar = c(3.6, 3.6, 2.5, 0.5), mgp = c(2.2, 0.7, 0), cex = 0.8, cex.main = 1.1)
  for (i in 1:3) {
    plot(points[[i]], xlim = limits[, 1], ylim = limits[, 2], pch = c(19, 17, 1)[i], cex = 0.9,
         col = colours[as.character(class[[i]])], main = paste(nrow(points[[i]]), names(shown)[i]),
         xlab = sprintf("PC1 (%.0f %% of the variance)", share[1]), ylab = sprintf("PC2 (%.0f %%)", share[2]))
    legend("topright", kinds, col = colours, pch = c(19, 17, 1)[i], bty = "n", horiz = TRUE, cex = 0.9)
  }
}

nearest_distance <- function(from, to) {
  squares <- outer(rowSums(from^2), rowSums(to^2), "+") - 2 * tcrossprod(from, to)
  sqrt(pmax(apply(squares, 1, min), 0))
}

# How far samples lie from the nearest fitted sample of their class, class by class.
draw_distances <- function() {
  parts <- unlist(lapply(kinds, function(k) {
    of <- split$x[split$kind == k, ]
    setNames(list(nearest_distance(split$held[split$held_kind == k, ], of), nearest_distance(new[new_kind == k, ], of)),
             paste(k, c("held out", "new")))
  }), recursive = FALSE)
  at <- rep(3 * (0:3), each = 2) + 1:2
  par(mar = c(3.6, 4, 2.5, 0.5), mgp = c(2.4, 0.7, 0), cex.main = 1)
  plot(NA, xlim = c(0.4, 11.6), ylim = c(0, max(unlist(parts))), xaxt = "n", xlab = "",
       ylab = "distance, all 2308 genes", main = "Distance to the nearest fitted sample of the class")
  set.seed(1)
  for (i in seq_along(parts)) {
    points(at[i] + runif(length(parts[[i]]), -0.3, 0.3), parts[[i]], pch = if (i %% 2) 17 else 1, cex = 0.6,
           col = colours[(i + 1) %/% 2])
    segments(at[i] - 0.4, median(parts[[i]]), at[i] + 0.4, lwd = 2)
  }
  axis(1, 3 * (0:3) + 1.5, sprintf("%s (%d fitted)", kinds, fit_sizes), tick = FALSE)
  legend("bottomright", c("held out", "new", "median", "a copy would be at 0"), pch = c(17, 1, NA, NA),
         lty = c(NA, NA, 1, NA), lwd = 2, bty = "n", cex = 0.8)
}

# Means and standard deviations of genes, and the correlations of 100 genes, in new samples against the fitted ones.
draw_genes <- function() {
  one <- kinds[2]
  real <- split$x[split$kind == one, ]
  made <- new[new_kind == one, ]
  some <- round(seq(1, ncol(real), length.out = 100))
  pairs_of <- function(x) { r <- cor(x[, some]); r[upper.tri(r)] }
  both <- list("mean of a gene" = list(colMeans(real), colMeans(made)),
               "standard deviation of a gene" = list(apply(real, 2, sd), apply(made, 2, sd)),
               "correlation of two genes" = list(pairs_of(real), pairs_of(made)))
  par(mfrow = c(1, 3), mar = c(3.6, 3.6, 2.5, 0.5), mgp = c(2.2, 0.7, 0), cex = 0.8, cex.main = 1.1)
  for (name in names(both)) {
    limits <- range(unlist(both[[name]]))
    plot(both[[name]][[1]], both[[name]][[2]], xlim = limits, ylim = limits, pch = 19, cex = 0.25,
         col = adjustcolor(colours[[one]], 0.4), main = sprintf("%s, %s", one, name),
         xlab = sprintf("%d fitted samples", nrow(real)), ylab = sprintf("%d new samples", nrow(made)))
    abline(0, 1)
  }
}

to_png("samples.png", 1500, 560, draw_samples)
to_png("distances.png", 1000, 600, draw_distances)
to_png("genes.png", 1500, 560, draw_genes)

# ---- How new, how real and how useful? Means over 20 random splits of the study ----

has_forest <- requireNamespace("ranger", quietly = TRUE)

# P(score of a sample with label 1 > score of one with label 0), class by class and for all classes. One forest sees
# both tables, on the 2000 most variable genes; the score of a sample comes from the trees that have not seen it.
forest_auc <- function(real, made, kind, seed) {
  x <- rbind(real, made)
  top <- order(-apply(real, 2, var))[1:2000]
  label <- rep(0:1, c(nrow(real), nrow(made)))
  grown <- ranger::ranger(x = data.frame(x[, top]), y = factor(label), probability = TRUE, num.trees = 500,
                          seed = seed, num.threads = 2)
  score <- grown$predictions[, "1"]
  sapply(c(kinds, "all"), function(k) {
    of <- rep(kind == k | k == "all", 2)
    mean(outer(score[of & label == 1], score[of & label == 0], function(a, b) (a > b) + (a == b) / 2))
  })
}

# The class of each row of `test` by vote of its 3 nearest rows. The nearest row decides a tie.
share_right <- function(test, truth, x, kind) {
  squares <- outer(rowSums(test^2), rowSums(x^2), "+") - 2 * tcrossprod(test, x)
  voted <- apply(squares, 1, function(row) {
    near <- as.character(kind)[order(row)[1:3]]
    votes <- table(near)
    near[near %in% names(votes)[votes == max(votes)]][1]
  })
  mean(voted == truth)
}

judge_split <- function(seed) {
  part <- split_study(seed)
  fit <- synthesise(part$x, group = part$kind, quiet = TRUE)
  many <- simulate(fit, setNames(rep(100, 4), kinds), seed = seed)
  many_kind <- attr(many, "group")
  few <- unlist(lapply(kinds, function(k) which(many_kind == k)[seq_len(held_sizes[[k]])]))
  old <- unlist(lapply(kinds, function(k) base::sample(which(part$kind == k), held_sizes[[k]])))
  distance <- sapply(kinds, function(k) {
    of <- part$x[part$kind == k, ]
    c(new = median(nearest_distance(many[many_kind == k, ], of)),
      held = median(nearest_distance(part$held[part$held_kind == k, ], of)))
  })
  copies <- sum(duplicated(rbind(part$x, many))[-seq_len(nrow(part$x))])
  right <- function(x, kind) share_right(part$held, part$held_kind, x, kind)
  list(
    distance = distance, copies = copies,
    auc_new = if (has_forest) forest_auc(part$held, many[few, ], part$held_kind, seed),
    auc_real = if (has_forest) forest_auc(part$held, part$x[old, ], part$held_kind, seed),
    right = c(real = right(part$x, part$kind), new = right(many, many_kind),
              both = right(rbind(part$x, many), c(as.character(part$kind), as.character(many_kind))))
  )
}

judged <- lapply(1:20, judge_split)
each <- function(what) t(sapply(judged, what))
mean_se <- function(x) sprintf("%.2f (%.2f)", colMeans(x), apply(x, 2, sd) / sqrt(nrow(x)))

new_distance <- each(function(one) one$distance["new", ])
held_distance <- each(function(one) one$distance["held", ])
found <- data.frame(
  class = c(kinds, "all"), fitted = c(fit_sizes, 63), "held out" = c(held_sizes, 20),
  "distance new" = c(sprintf("%.1f", colMeans(new_distance)), ""),
  "distance held out" = c(sprintf("%.1f", colMeans(held_distance)), ""),
  novelty = c(mean_se(new_distance / held_distance), ""), check.names = FALSE
)
if (has_forest) {
  found[["AUC new"]] <- mean_se(each(function(one) one$auc_new))
  found[["AUC fitted"]] <- mean_se(each(function(one) one$auc_real))
}
cat("\n-- How new, and how real? Means of 20 random splits (standard errors in brackets) --\n\n")
print(found, row.names = FALSE)
cat("\n")
say("- Distance: the median distance to the nearest fitted sample of the class, in all genes. Novelty is that of new
     samples over that of held-out samples: 1 is as new as a fresh sample, 0 is a copy. Above 1, real samples of a
     class lie in closer groups than new ones do. %d of %d new samples equal a fitted one.",
    sum(sapply(judged, `[[`, "copies")), 20 * 400)
if (has_forest) {
  say("- AUC: the probability that a random forest gives a new sample a higher score than a held-out one of its class,
       where it learns to tell the two tables apart. The last column is the same for as many fitted samples, which
       are real. Compare the two columns. Real samples are below 0.5, because a forest takes a sample that it has not
       seen for one of the other table: its own table is one sample short, and some tumours resemble each other
       like twins.")
} else {
  say("- Package ranger is not installed, so there is no AUC of a random forest here.")
}
say("- The standard errors are a little too small, because the splits share samples.")

right <- 100 * each(function(one) one$right)
cat("\n-- How useful? Held-out samples put in the right class by their 3 nearest neighbours in all genes --\n\n")
print(data.frame("learned from" = c("63 fitted samples", "400 new samples", "both"), "right, %" = mean_se(right),
                 check.names = FALSE), row.names = FALSE, right = FALSE)
cat("\n")
say("New samples carry the classes. They are made from the same 63 samples, so they cannot know more about the classes
     than these do.")

# ---- Counts: RNA-seq of normal kidney tissue ----

has_counts <- requireNamespace("SimSeq", quietly = TRUE)
if (has_counts) {
  place <- new.env()
  utils::data("kidney", package = "SimSeq", envir = place)
  counts <- t(place$kidney$counts[, place$kidney$treatment == "Non-Tumor"])
  counts <- counts[, colSums(counts) > 0]
  set.seed(1)
  half <- base::sample(nrow(counts), nrow(counts) %/% 2)
  cat("\n-- Counts: RNA-seq of normal kidney tissue, one half fitted, the other held out --\n\n")
  count_fit <- synthesise(counts[half, colSums(counts[half, ]) > 0], counts = TRUE, quiet = TRUE)
  print(count_fit)
  cat("\n")
  drawn <- simulate(count_fit, length(half), seed = 1)
  shallow <- simulate(count_fit, length(half), seed = 1, library_size = 1e6)
  held <- counts[-half, colnames(drawn)]
  about <- function(x) {
    means <- colMeans(x)
    c(median(rowSums(x)) / 1e6, 100 * mean(x == 0), median((apply(x, 2, var) / means^2)[means > 10]))
  }
  table <- sapply(list("held out" = held, new = drawn, "new, 1 million reads" = shallow), about)
  rownames(table) <- c("median library size, millions", "zeros, %", "squared coefficient of variation, median")
  print(round(table, 2))
  cat("\n")
  say("The last column has the same new samples at a smaller library size: counts are drawn given the size.")
}

cat(sprintf("\nIn %s: new-samples.csv (%d samples), samples.png, distances.png, genes.png\n", output, nrow(new)))
