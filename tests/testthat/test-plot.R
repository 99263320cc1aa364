on_null_device <- function(code) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  force(code)
}

grouped_fit <- function() efs_by_rule(iris[c(1:60), ], group = "Species") # versicolor: 10 rows, no flow

test_that("panels show the frames nearest to evenly spread times, ends included", {
  traj <- efs_forward(two_clusters(40, 2), n_steps = 20, step = 0.1)
  picture <- particleflow:::trajectory_picture(traj, "frames", NULL, NULL, NULL)
  expect_identical(levels(picture$points$panel), paste("time", c(0, 0.5, 1, 1.5, 2)))
  first <- picture$points[picture$points$panel == "time 0", c("x", "y")]
  last <- picture$points[picture$points$panel == "time 2", c("x", "y")]
  expect_equal(as.matrix(first), traj$frames[, , 1], ignore_attr = TRUE)
  expect_equal(as.matrix(last), traj$frames[, , 21], ignore_attr = TRUE)
  few <- particleflow:::trajectory_picture(traj, "frames", c(0.32, 1.97), NULL, NULL)
  expect_identical(levels(few$points$panel), c("time 0.3", "time 2"))
  none <- particleflow:::trajectory_picture(efs_forward(two_clusters(9, 2), n_steps = 0), "frames", NULL, NULL, NULL)
  expect_identical(levels(none$points$panel), "time 0")
  # one set of limits, the same length on both axes
  spans <- unique(with(picture$panels, cbind(xmax - xmin, ymax - ymin)))
  expect_equal(nrow(spans), 1)
  expect_equal(spans[1], spans[2])
})

test_that("more dimensions are seen on the first two components of the first frame", {
  x <- two_clusters(60, 5)
  traj <- efs_forward(x, n_steps = 4)
  picture <- particleflow:::trajectory_picture(traj, "frames", NULL, NULL, NULL)
  reference <- prcomp(x)
  first <- picture$points[picture$points$panel == "time 0", ]
  expect_equal(abs(cbind(first$x, first$y)), abs(unname(reference$x[, 1:2])), tolerance = 1e-8)
  share <- 100 * reference$sdev[1:2]^2 / sum(reference$sdev^2)
  expect_identical(picture$panels$xlab[1], sprintf("PC1 (%.0f %%)", share[1]))
  end <- sweep(traj$frames[, , 5], 2, colMeans(x)) %*% reference$rotation[, 1:2]
  last <- picture$points[picture$points$panel == levels(picture$points$panel)[5], ]
  expect_equal(abs(cbind(last$x, last$y)), abs(unname(end)), tolerance = 1e-8)
})

test_that("classes keep their places, colours and frames", {
  fit <- grouped_fit()
  picture <- particleflow:::efs_picture(fit, "trajectory", NULL, NULL, NULL, NULL, NULL)
  expect_identical(levels(picture$points$group), c("setosa", "versicolor"))
  per_panel <- table(picture$points$panel, picture$points$group)
  expect_true(all(per_panel[, "setosa"] == 50) && all(per_panel[, "versicolor"] == 10))
  versicolor <- split(picture$points[picture$points$group == "versicolor", c("x", "y")],
                      picture$points$panel[picture$points$group == "versicolor"])
  expect_equal(versicolor[[5]], versicolor[[1]], ignore_attr = TRUE) # no flow: it stays put
  # the first panel is the encoded table on its components
  z <- scale(as.matrix(iris[1:60, 1:4]))
  first <- picture$points[picture$points$panel == "time 0", ]
  expect_equal(abs(cbind(first$x, first$y)), abs(unname(prcomp(z)$x[, 1:2])), tolerance = 1e-8)
})

test_that("stars are the rows that simulate() gives, and paths end at their rows", {
  fit <- efs_by_rule(iris[1:50, 3:4])
  set.seed(7)
  picture <- particleflow:::efs_picture(fit, "latent", NULL, 12, c(3, 9), NULL, NULL)
  rows <- simulate(fit, 12, seed = 7)
  stars <- picture$points[picture$points$kind == "new" & picture$points$panel == "data", ]
  expect_equal(cbind(stars$x, stars$y), unname(as.matrix(rows)), tolerance = 1e-9)
  path <- picture$points[picture$points$kind == "path" & picture$points$panel == "data", ]
  expect_equal(unlist(path[1, c("x", "y")]), unlist(iris[3, 3:4]), ignore_attr = TRUE, tolerance = 1e-7)
  expect_equal(unlist(path[nrow(path), c("x", "y")]), unlist(iris[9, 3:4]), ignore_attr = TRUE, tolerance = 1e-7)
})

test_that("every plot draws, returns its object and leaves par() alone", {
  on_null_device({
    fits <- list(efs_by_rule(iris[1:4]), efs_by_rule(iris[3:4]), efs_by_rule(iris[3]), grouped_fit())
    before <- graphics::par(no.readonly = TRUE)
    for (fit in fits) {
      for (type in c("trajectory", "latent", "energy")) {
        expect_identical(plot(fit, type = type), fit)
        expect_identical(graphics::par(no.readonly = TRUE)[c("mfrow", "mar", "oma", "cex")],
                         before[c("mfrow", "mar", "oma", "cex")])
      }
      expect_identical(plot(fit, type = "latent", new = 5, path = c(1, 2)), fit)
    }
    for (d in c(1, 2, 5)) {
      traj <- efs_forward(two_clusters(30, d), n_steps = 6)
      expect_identical(plot(traj), traj)
      expect_identical(plot(traj, type = "energy"), traj)
      expect_identical(plot(traj, group = rep(c("u", "v"), 15)), traj)
    }
  })
})

test_that("autoplot() gives a ggplot of the same points", {
  skip_if_not_installed("ggplot2")
  on_null_device({
    fit <- grouped_fit()
    for (type in c("trajectory", "latent", "energy")) {
      drawn <- ggplot2::autoplot(fit, type = type)
      expect_s3_class(drawn, "ggplot")
      expect_no_error(print(drawn))
    }
    drawn <- ggplot2::autoplot(fit, type = "latent", new = 9, path = c(1, 2))
    expect_no_error(print(drawn))
    traj <- efs_forward(two_clusters(30, 2), n_steps = 6)
    built <- ggplot2::ggplot_build(ggplot2::autoplot(traj))
    expect_true(any(vapply(built$data, nrow, 0L) == 30 * 5))
  })
})

test_that("arguments of plots are refused in words", {
  traj <- efs_forward(two_clusters(30, 2), n_steps = 6)
  fit <- efs_by_rule(iris[1:4])
  expect_error(plot(traj, group = 1:3), "one entry for each of the 30 points")
  expect_error(plot(traj, times = 2), "must lie between 0 and 0.6")
  expect_error(plot(traj, type = "nothing"), "`type` must be one of")
  expect_error(plot(traj, type = "energy", times = 0.1), "`times` belongs to type = \"frames\"")
  expect_error(plot(fit, type = "latent", path = c(1, 151)), "two row numbers between 1 and 150")
  expect_error(plot(fit, new = 5), "`new` belongs to type = \"latent\"")
  expect_error(plot(fit, type = "latent", new = -1), "`new` must be one whole number")
  expect_error(plot(fit, col = c("red", "blue")), "`col` must give 1 colour")
})

test_that("columns of a table in their own units fill both axes", {
  set.seed(1)
  x <- data.frame(a = rnorm(40), b = 1000 * rnorm(40))
  pictures <- list(
    generator_picture(pushforward(x, "energy", n_steps = 1, batch = 8, hidden = 4), "points", 50, NULL, NULL),
    gpa_picture(gpa(x, x, n_steps = 2), "frames", NULL, NULL, NULL)
  )
  for (picture in pictures) {
    panel <- picture$panels[1, ]
    expect_equal(panel$xmax - panel$xmin, diff(range(picture$points$x)) * 1.08)
    expect_equal(panel$ymax - panel$ymin, diff(range(picture$points$y)) * 1.08)
  }
})
