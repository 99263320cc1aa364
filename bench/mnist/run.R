# The third experiment of the paper (doi:10.48550/arXiv.2507.08239) on 10,000 digits of MNIST: an autoencoder to 15
# dimensions, forward flow, augmentation, inverse, decoded digits.
#   Rscript bench/mnist/run.R FOLDER
# FOLDER holds the digits, or they are fetched there. Writes results/*.csv and results/*.png.

library(particleflow)

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "data.R"))
digits <- split_digits(read_digits(commandArgs(TRUE)[1]))
varying <- apply(digits$x, 2, function(pixel) any(pixel != pixel[1])) # efs() leaves out the others
narrow <- function(x) `colnames<-`(x[, varying], paste0("p", which(varying)))
digits$x <- narrow(digits$x)
digits$test_x <- narrow(digits$test_x)

picture <- function(x, name, across = 10) {
  whole <- matrix(0, nrow(x), 784)
  whole[, varying] <- x
  write_digits(whole, file.path(here, "results", paste0(name, ".png")), across)
}

save_table <- function(table, name) {
  utils::write.csv(format(table, digits = 3), file.path(here, "results", name), row.names = FALSE, quote = FALSE)
  print(table, digits = 3)
}

# ---- judges ----------------------------------------------------------------------------------------------

forest <- function(x, y) ranger::ranger(x = x, y = y, num.trees = 300, num.threads = 2, seed = 1, verbose = FALSE)

classify <- function(model, x) stats::predict(model, x, num.threads = 2, verbose = FALSE)$predictions

accuracy <- function(x, y) mean(classify(forest(x, y), digits$test_x) == digits$test_y)

# Elapsed seconds, and those of the processors.
clock <- function(code) {
  spent <- system.time(code)
  c(elapsed = spent[["elapsed"]], processor = spent[["user.self"]] + spent[["sys.self"]])
}

# new: decoded rows of pixels, with labels (NULL: too few of them for a classifier).
judge <- function(new, labels) {
  z <- lapply(list(new = new, train = digits$x, test = digits$test_x), map$encode)
  pixel <- novelty(new, digits$x, digits$test_x, scale = FALSE)
  latent <- novelty(z$new, z$train, z$test, scale = FALSE)
  data.frame(novelty_pixel = pixel$ratio, novelty_pixel_5 = pixel$ratio_5, novelty_latent = latent$ratio,
             novelty_latent_5 = latent$ratio_5, energy = energy_distance(z$new, z$test),
             accuracy = if (is.null(labels)) NA else accuracy(new, labels))
}

# ---- fits ------------------------------------------------------------------------------------------------

results <- list()

# Fits, draws n digits, and judges them. Digits without a class are labelled by the classifier of the real digits.
take <- function(name, ..., n = 5000) {
  set.seed(2)
  fitting <- clock(fit <- efs(digits$x, ..., progress = FALSE))
  drawing <- clock(drawn <- simulate(fit, n, seed = 3, progress = FALSE))
  # principal components lead beyond the ends
  new <- `colnames<-`(matrix(pmin(pmax(as.numeric(drawn), 0), 1), n), colnames(digits$x))
  labels <- attr(drawn, "group")
  if (is.null(labels)) labels <- classify(real, new)
  results[[name]] <<- data.frame(settings = name, draws = n, fit = fitting[[1]], fit_processor = fitting[[2]],
                                 draw = drawing[[1]], draw_processor = drawing[[2]],
                                 judge(new, if (n >= 5000) labels))
  print(fit)
  print(results[[name]], digits = 3)
  list(new = new, labels = labels)
}

# Ten of each class, one class per row.
by_class <- function(run) run$new[unlist(lapply(split(seq_along(run$labels), run$labels), utils::head, 10)), ]

print(training <- clock(map <- latent_autoencoder(15, hidden = 512, bounds = c(0, 1), n_steps = 40, seed = 1)$fit(
  digits$x)))
print(map)
print(coding <- clock(decoded <- map$decode(map$encode(digits$x))))
colnames(decoded) <- colnames(digits$x)
real <- forest(digits$x, digits$y)
classifiers <- c(real = mean(classify(real, digits$test_x) == digits$test_y), decoded = accuracy(decoded, digits$y))
print(classifiers)

run <- take("by class, calibrated", group = digits$y, latent = map)
picture(by_class(run), "by_class")
take("by class, without a flow", group = digits$y, latent = map, time = 0)
run <- take("by class, flow by rule", group = digits$y, latent = map, calibrate = FALSE)
picture(by_class(run), "by_class_flow")
run <- take("all, calibrated", latent = map)
picture(run$new[1:100, ], "all")
run <- take("by class, calibrated, principal components", group = digits$y, latent = latent_pca(15))
picture(by_class(run), "by_class_pca")
for (backward in c("paper", "exact")) {
  settings <- utils::modifyList(efs_paper("mnist"), list(latent = map, backward = backward))
  run <- do.call(take, c(list(paste("all, printed,", backward, "inverse"), n = 100), settings))
  picture(run$new, paste0("printed_", backward))
}

save_table(do.call(rbind, results), "digits.csv")
save_table(rbind(
  data.frame(part = "autoencoder", elapsed = training[[1]], processor = training[[2]]),
  data.frame(part = "encoding and decoding 5000 digits", elapsed = coding[[1]], processor = coding[[2]])
), "autoencoder.csv")
save_table(data.frame(trained_on = names(classifiers), accuracy = classifiers), "classifiers.csv")
