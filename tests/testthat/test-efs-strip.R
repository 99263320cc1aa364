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
  expect_true(all(picture$points$kind == "line"))
  both <- efs_picture(whole, "rank", NULL, NULL, NULL, NULL, NULL)$points
  expect_identical(picture$points[c("x", "y")], both[both$kind == "line", c("x", "y")], ignore_attr = TRUE)
  pdf(NULL)
  on.exit(dev.off())
  expect_silent(plot(stripped, type = "rank"))
})
