# Fits without the training rows.

flower <- iris[51:100, 3:4]
whole <- efs(flower, particles = 100, calibrate = FALSE, progress = FALSE)
stripped <- efs(flower, particles = 100, calibrate = FALSE, strip = TRUE, progress = FALSE)

test_that("a stripped fit has no training row and gives the new rows and ranks of the whole fit", {
  latent <- whole$flows[[1]]$own
  numbers <- function(fit) unlist(rapply(unclass(fit), function(part) if (is.double(part)) as.vector(part)))
  expect_true(all(latent %in% numbers(whole)))
  expect_false(any(latent %in% numbers(stripped)))
  expect_identical(simulate(stripped, 20, seed = 1), simulate(whole, 20, seed = 1))
  for (type in c("latent", "log_density", "rank")) {
    expect_identical(predict(stripped, iris[1:3, 3:4], type = type), predict(whole, iris[1:3, 3:4], type = type))
  }
})

test_that("what needs the rows says so in one sentence", {
  expect_error(predict(stripped), "no training rows; give `newdata`", class = "particleflow_input")
  expect_error(interpolate(stripped, 1, 2), "no training rows; a path joins two of them", class = "particleflow_input")
  for (type in c("trajectory", "latent")) {
    expect_error(plot(stripped, type = type), "no training rows; `type = \"rank\"`", class = "particleflow_input")
  }
  expect_error(efs(iris[1:4], strip = TRUE, calibrate = FALSE), "needs particles that are not the rows",
               class = "particleflow_input")
})

test_that("contours of ranks are drawn without rows, and are the same", {
  picture <- efs_picture(stripped, "rank", NULL, NULL, NULL, NULL, NULL)
  expect_setequal(as.character(picture$points$kind), c("line", "label"))
  both <- efs_picture(whole, "rank", NULL, NULL, NULL, NULL, NULL)$points
  expect_identical(picture$points[c("x", "y")], both[both$kind != "rows", c("x", "y")], ignore_attr = TRUE)
  pdf(NULL)
  on.exit(dev.off())
  expect_silent(plot(stripped, type = "rank"))
})

test_that("each curve has its rank beside its highest point, in the colour of its class", {
  few <- data.frame(Petal.Length = c(3, 3.1, 2.9), Petal.Width = c(2, 2.2, 2.1), Species = "few")
  fit <- efs(rbind(iris[51:150, 3:5], few), group = "Species", particles = 100, calibrate = FALSE, progress = FALSE)
  picture <- efs_picture(fit, "rank", NULL, NULL, NULL, NULL, NULL)
  points <- picture$points
  labels <- points[points$kind == "label", ]
  expect_identical(labels$text, rep(c("0.1", "0.25", "0.5", "0.75", "0.9"), 2))
  expect_identical(as.character(labels$group), rep(c("versicolor", "virginica"), each = 5))
  line <- points[points$kind == "line" & points$group == "virginica", ]
  expect_identical(labels$y[10], max(line$y, na.rm = TRUE))
  # a class without ranks is named, and its rows are drawn
  expect_match(levels(points$panel), "(none for few)", fixed = TRUE)
  expect_identical(sum(points$kind == "rows"), 103L)
  pdf(NULL)
  on.exit(dev.off())
  expect_silent(plot(fit, type = "rank"))
  skip_if_not_installed("ggplot2")
  drawn <- ggplot2::autoplot(fit, type = "rank")
  expect_silent(print(drawn))
  # the grounds of all labels lie below all texts
  layers <- vapply(drawn$layers, function(layer) class(layer$geom)[1], "")
  expect_identical(utils::tail(layers, 2), c("GeomLabel", "GeomText"))
})
