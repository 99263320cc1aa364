flow_rows <- function() {
  set.seed(1)
  matrix(rnorm(120), 40, 3, dimnames = list(NULL, c("a", "b", "c")))
}

test_that("frames in a file are those in memory, and every function takes them", {
  x <- flow_rows()
  path <- tempfile()
  on.exit(unlink(path))
  memory <- efs_forward(x, n_steps = 6)
  file <- efs_forward(x, n_steps = 6, keep = "file", file = path)
  expect_identical(file$frames, memory$frames)
  expect_identical(file$kept, 0:6)
  expect_identical(file$diagnostics, memory$diagnostics)
  expect_identical(file.size(path), 4096 + 8 * 120 * 7)
  y <- memory$frames[1:9, , 7] * 0.9
  expect_identical(efs_backward(file, y), efs_backward(memory, y))
  expect_identical(as.data.frame(file), as.data.frame(memory))
  set.seed(2)
  drawn <- efs_augment(file, 5)
  set.seed(2)
  expect_identical(drawn, efs_augment(memory, 5))
})

test_that("a change of the array changes no file, and the array is copied", {
  file <- efs_forward(flow_rows(), n_steps = 2, keep = "file")
  first <- file$frames[1]
  changed <- file$frames
  changed[1] <- 7
  expect_identical(changed[1], 7)
  expect_identical(file$frames[1], first)
  file$frames[2] <- 7 # the only reference
  expect_error(efs_backward(file, flow_rows()), "`traj` was changed after efs_forward\\(\\) made it")
})

test_that("a trajectory with a named file is saved without its frames, one with a temporary file with them", {
  path <- tempfile()
  saved <- tempfile()
  on.exit(unlink(c(path, saved)))
  x <- flow_rows()
  file <- efs_forward(x, n_steps = 30, keep = "file", file = path)
  saveRDS(file, saved, compress = FALSE)
  expect_lt(file.size(saved), 8 * length(file$frames) / 2)
  again <- readRDS(saved)
  expect_identical(again$frames, file$frames)
  expect_lt(max(abs(efs_backward(again, again$frames[, , 31]) - x)), 1e-8)
  unlink(path)
  if (.Call(routine("frames_can_map"))) {
    saveRDS(list(other = 1, flow = file), saved)
    lost <- readRDS(saved)
    expect_identical(lost$other, 1)
    expect_error(efs_backward(lost$flow, x), "which was gone or too short when it was read")
    expect_error(lost$flow$frames[1], "which was gone or too short")
    expect_identical(file$frames[1], x[1]) # this session still has the pages
  }
  temporary <- efs_forward(x, n_steps = 30, keep = "file")
  saveRDS(temporary, saved, compress = FALSE)
  expect_gt(file.size(saved), 8 * length(temporary$frames))
  expect_identical(readRDS(saved)$frames, temporary$frames)
})

test_that("a temporary file is deleted with its trajectory", {
  skip_if_not(.Call(routine("frames_can_map")), "files cannot be mapped here")
  there <- function() length(list.files(tempdir(), "^frames-"))
  invisible(gc())
  before <- there()
  file <- efs_forward(flow_rows(), n_steps = 2, keep = "file")
  expect_identical(there(), before + 1L)
  rm(file)
  invisible(gc())
  expect_identical(there(), before)
})

test_that("a run with its frames in a file goes on, from the trajectory and from a checkpoint", {
  x <- flow_rows()
  whole <- efs_forward(x, n_steps = 9)
  path <- tempfile()
  checkpoint <- tempfile()
  on.exit(unlink(c(path, checkpoint)))
  part <- efs_forward(x, n_steps = 4, keep = "file", file = path, checkpoint = checkpoint)
  expect_identical(resume(part, 5)$frames, whole$frames)
  expect_identical(part$frames, whole$frames[, , 1:5])
  expect_identical(resume(checkpoint, 5)$frames, whole$frames)
  temporary <- efs_forward(x, n_steps = 4, keep = "file")
  expect_identical(resume(temporary, 5)$frames, whole$frames)
  # a file that is gone is written again from the pages that are still in memory
  unlink(path)
  expect_identical(resume(part, 5)$frames, whole$frames)
  writeLines("mine", path)
  expect_error(suppressMessages(resume(checkpoint, 1)), "does not hold the frames of this run")
  expect_identical(readLines(path), "mine")
  unlink(path)
  expect_error(suppressMessages(resume(checkpoint, 1)), "is gone")
})

test_that("frames of fits go to files, one per class", {
  folder <- tempfile()
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  path <- file.path(folder, "frames")
  fit <- efs(iris, group = "Species", calibrate = FALSE, keep = "file", file = path)
  expect_identical(list.files(dirname(path)), paste0("frames-", 1:3))
  memory <- efs(iris, group = "Species", calibrate = FALSE)
  expect_identical(simulate(fit, 8, seed = 1), simulate(memory, 8, seed = 1))
})

test_that("places that cannot be written, or hold something, are refused", {
  x <- flow_rows()
  path <- tempfile()
  on.exit(unlink(path))
  writeLines("mine", path)
  expect_error(efs_forward(x, keep = "file", file = path), "which exists already")
  expect_identical(readLines(path), "mine")
  expect_error(efs_forward(x, file = path), "`file` belongs to `keep = \"file\"`")
  expect_error(efs_forward(x, keep = "file", file = tempdir()), "is a directory")
  expect_error(efs_forward(x, keep = "file", file = 1), "`file` must be the path of a file, not")
  expect_error(efs_forward(x, keep = "file", every = 2), "`every` belongs to")
})

test_that("efs() takes a field, names it and refuses what does not fit", {
  set.seed(3)
  x <- matrix(rnorm(400), ncol = 2)
  exact <- efs(x, particles = 0, calibrate = FALSE, n_steps = 3)
  expect_false(any(grepl("^field", format(exact))))
  tree <- efs(x, particles = 0, calibrate = FALSE, n_steps = 3, field = efs_field("tree", degree = 8))
  expect_match(format(tree), "^field: a tree of degree 8, largest estimated error", all = FALSE)
  expect_lt(max(abs(tree$trajectory$frames - exact$trajectory$frames)), 1e-5)
  moved <- efs(x, particles = 300, n_steps = 3, law = "student", field = "tree", calibrate = FALSE)
  expect_identical(moved$trajectory$field$kind, "tree")
  expect_error(efs(x, field = "fast"), "`field` must be one of")
  expect_error(efs(x, field = "tree", backward = "paper"), "needs `field` = \"exact\"")
})
