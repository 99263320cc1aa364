test_that("bad tables are refused in one sentence", {
  ok <- iris[1:4]
  expect_error(efs(iris, latent = "none"),
               "column \"Species\" is of class \"factor\"; leave it out or name it in `group`")
  expect_error(efs(transform(ok, a = "b"), latent = "none"), "column \"a\" is of class \"character\"")
  for (bad in list(NA, NaN, Inf, -Inf)) {
    x <- ok
    x[c(3, 7), 2] <- bad
    expect_error(efs(x, latent = "none"), "`x` must not contain NA, NaN or infinite values, but rows 3, 7 do")
    expect_error(efs_forward(x), "rows 3, 7")
  }
  expect_error(efs(ok[0]), "`x` has no columns")
  expect_error(efs(ok[1, ]), "`x` has 1 row; at least 2 are needed")
  expect_error(efs(ok[0, ]), "`x` has 0 rows; at least 2 are needed")
  expect_error(efs(1:10), "`x` must be a matrix or a data frame, not")
  expect_error(efs(matrix("a", 3, 3)), "no column that varies")
  expect_error(efs(list(1, 2)), "`x` must be a matrix or a data frame, not")
  expect_error(efs(NULL), "not NULL")
  expect_error(efs(matrix(1, 5, 2)), "no column that varies")
  expect_error(efs(ok, group = "Species"), "has no such column")
  expect_error(efs(ok, group = 1:3), "one entry for each of the 150 rows")
  expect_error(efs(ok, group = c(NA, iris$Species[-1])), "must not contain NA \\(row 1\\)")
  expect_error(efs(ok, group = c("a", rep("b", 149))), "\"a\" has one")
  expect_error(efs(ok, epsilom = 1), "no argument `epsilom`")
})

test_that("bad settings are refused in one sentence", {
  x <- two_clusters(30, 3)
  expect_error(efs_forward(x, s = 3), "below the dimension 3 of the points, not be 3")
  expect_error(efs_forward(x, s = -2), "must lie above -2")
  expect_error(efs_forward(x, s = NA), "`s` must be one finite number, not NA")
  expect_error(efs_forward(x, epsilon = -1), "`epsilon` must be one number of at least 0, not -1")
  expect_error(efs_forward(x, n_steps = -1), "`n_steps` must be one whole number of at least 0, not -1")
  expect_error(efs_forward(x, n_steps = 1.5), "`n_steps` must be one whole number")
  expect_error(efs_forward(x, step = 0), "`step` must be one number above 0")
  expect_error(efs_forward(x, time = -1), "`time` must be")
  expect_error(efs_forward(x, max_bound = 0), "`max_bound` must be one number above 0")
  expect_error(efs_forward(x, epsilon = 0), "no step can be bounded")
  expect_error(efs_forward(x, threads = 0), "`threads` must be one whole number of at least 1")
  expect_error(efs_forward(x, progress = "yes"), "`progress` must be TRUE or FALSE")
  expect_error(efs(x, law = "nothing"), "`law` must be one of \"ball\"")
  expect_error(efs(x, law = "local", law_settings = list(k = 3)), "has no setting `k`")
  expect_error(efs(x, law_settings = list(k = 3)), "belong to a `law`")
  expect_error(efs(x, blocks = 1:3), "`blocks` must have one entry for each of the 30 rows")
  expect_error(efs(x, calibrate = "yes"), "`calibrate` must be TRUE or FALSE")
  expect_error(efs(x, backward = "guess"), "`backward` must be one of")
  expect_error(efs_paper("cifar"), "`experiment` must be one of")
  expect_error(efs_forward(x, step = 1e200, n_steps = 3, max_bound = Inf), "left the range of numbers")
})

test_that("duplicates without softening are refused, and softening takes them", {
  x <- rbind(two_clusters(30, 2), two_clusters(30, 2)[c(4, 9), ])
  expect_error(efs_forward(x, epsilon = 0, max_bound = Inf), "duplicate rows \\(4, 9, 31, 32\\)")
  expect_error(efs_forward(x, s = -1, epsilon = 0), "duplicate rows")
  traj <- efs_forward(x, epsilon = 0.1, n_steps = 3)
  expect_equal(traj$frames[4, , 4], traj$frames[31, , 4], tolerance = tolerance$kernel)
})
