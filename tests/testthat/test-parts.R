# New rows in files: the same bytes for any number of daemons, after kills and after interrupts.

table_of_kinds <- function() {
  kinds <- data.frame(size = iris$Sepal.Length, count = as.integer(iris$Petal.Length * 10), kind = iris$Species,
                      day = as.Date("2020-01-01") + seq_len(150), id = sprintf("p%03d", 1:150))
  kinds$size[7] <- NA
  kinds
}

small_fit <- function() {
  set.seed(1)
  synthesise(table_of_kinds(), group = "kind", columns = list(id = column_identifier()), law = "student", flow = FALSE,
             quiet = TRUE)
}

# Rows without the attribute "seed".
row_plain <- function(rows) {
  attributes(rows) <- attributes(rows)[c("names", "row.names", "class")]
  rows
}

bytes_of <- function(folder) {
  names <- sort(list.files(folder, all.files = TRUE, no.. = TRUE), method = "radix")
  stats::setNames(unname(tools::md5sum(file.path(folder, names))), names)
}

test_that("parts hold the rows of simulate() with their seeds, and new names go on", {
  fit <- small_fit()
  state <- .Random.seed
  files <- simulate(fit, 500, seed = 3, to = folder <- tempfile(), rows_per_file = 130)
  expect_identical(.Random.seed, state)
  noted <- read.csv(file.path(folder, "_parts.csv"))
  expect_identical(basename(files), noted$file)
  expect_identical(noted$bytes, as.integer(file.size(files)))
  expect_identical(noted$seed[1], 3L)
  expect_identical(anyDuplicated(noted$seed), 0L)
  parts <- lapply(files, readRDS)
  expect_identical(vapply(parts, nrow, 0L), noted$rows)
  counts <- lapply(parts, function(part) table(part$kind))
  # each part has its share of each class, up to one row
  for (count in counts) expect_lt(max(abs(count - sum(count) / 3)), 1.5)
  again <- simulate(fit, stats::setNames(as.vector(counts[[2]]), names(counts[[2]])), seed = noted$seed[2])
  expect_identical(parts[[2]]$size, again$size)
  expect_identical(unlist(lapply(parts, `[[`, "id")), paste0("new", 1:500))
  # one part has the rows of the call without files
  one <- simulate(fit, 100, seed = 5, to = tempfile())
  expect_identical(readRDS(one), simulate(fit, 100, seed = 5))
})

test_that("the first seeds do not depend on the number of parts, and no two are equal", {
  seeds <- particleflow:::part_seeds(7, 20000)
  expect_identical(anyDuplicated(seeds), 0L)
  expect_identical(particleflow:::part_seeds(7, 3), seeds[1:3])
  expect_false(any(particleflow:::part_seeds(8, 200) %in% seeds[1:200]))
})

test_that("the files are the same for 0, 1, 2, 3 and 7 daemons, with kills at random and after a resumed run", {
  skip_if_not_installed("mirai") # work is handed over by this package alone
  fit <- small_fit()
  write <- function(folder) simulate(fit, 900, seed = 3, to = folder, format = "csv", rows_per_file = 40)
  write(here <- tempfile())
  expect_length(bytes_of(here), 23 + 2)
  on.exit(mirai::daemons(0))
  for (n in c(1, 2, 3, 7)) {
    mirai::daemons(n)
    for (wait in 1:500) if (mirai::info()[["connections"]] < n) Sys.sleep(0.02)
    write(folder <- tempfile())
    expect_identical(bytes_of(folder), bytes_of(here))
    if (n == 7 && .Platform$OS.type == "unix") {
      # five daemons that are drawn at random end, one after the other, while they work
      pids <- unlist(mirai::everywhere(Sys.getpid())[])
      set.seed(7)
      killed <- base::sample(pids, 5)
      folder <- tempfile()
      system(sprintf("for pid in %s; do kill -9 $pid; sleep 0.05; done > /dev/null 2>&1 &",
                     paste(killed, collapse = " ")))
      suppressMessages(write(folder))
      expect_identical(bytes_of(folder), bytes_of(here))
    }
    mirai::daemons(0)
  }
})

test_that("a run that ended in the middle goes on, and what is not whole is drawn again", {
  fit <- small_fit()
  write <- function(folder) simulate(fit, 300, seed = 3, to = folder, format = "rds", rows_per_file = 40)
  files <- write(whole <- tempfile())
  folder <- tempfile()
  dir.create(folder)
  # as after a kill: two parts are noted, one of them was cut, a third one is not noted, and a fourth is unfinished
  names <- basename(files)
  file.copy(file.path(whole, c("_particleflow.dcf", names[c(1, 2, 5)])), folder)
  noted <- readLines(file.path(whole, "_parts.csv"))
  writeLines(c(noted[1:3], substr(noted[5], 1, 12)), file.path(folder, "_parts.csv"), sep = "\n")
  bytes <- readBin(files[2], "raw", 1e6)
  writeBin(bytes[1:500], file.path(folder, names[2]))
  writeBin(bytes[1:500], file.path(folder, paste0(".", names[3], "-1.unfinished")))
  before <- file.mtime(file.path(folder, names[1]))
  Sys.sleep(0.02)
  expect_message(write(folder), "1 of 8 files are there")
  expect_identical(bytes_of(folder), bytes_of(whole))
  expect_identical(file.mtime(file.path(folder, names[1])), before)
  # all are there
  expect_message(expect_identical(write(whole), files), "8 of 8")
  expect_identical(bytes_of(folder), bytes_of(whole))
})

test_that("what a killed process left is removed at the end of the run", {
  files <- simulate(small_fit(), 80, seed = 3, to = folder <- tempfile(), format = "rds", rows_per_file = 40)
  before <- bytes_of(folder)
  noted <- utils::read.csv(file.path(folder, "_parts.csv"))
  file.create(file.path(folder, ".part-000002.rds-1.unfinished"))
  particleflow:::settle_parts(folder, basename(files), split(noted, 1:2))
  expect_identical(bytes_of(folder), before)
})

test_that("an interrupt leaves whole files only, and the run goes on", {
  skip_on_os("windows") # no signal can be sent to oneself there
  fit <- small_fit()
  write <- function(folder) simulate(fit, 20000, seed = 3, to = folder, format = "rds", rows_per_file = 20)
  folder <- tempfile()
  expect_lt(seconds_after_signal(suppressMessages(write(folder))), 1)
  names <- list.files(folder, all.files = TRUE, no.. = TRUE)
  expect_false(any(grepl("unfinished", names)))
  parts <- grep("^part", names, value = TRUE)
  expect_gt(length(parts), 0)
  for (part in parts) expect_s3_class(readRDS(file.path(folder, part)), "data.frame")
  noted <- particleflow:::read_parts(folder, sprintf("part-%06d.rds", 1:1000))
  expect_gte(nrow(noted), length(parts) - 1)
})

test_that("the formats keep what the help page says", {
  fit <- small_fit()
  rows <- simulate(fit, 60, seed = 2)
  csv <- read.csv(simulate(fit, 60, seed = 2, to = tempfile(), format = "csv"), na.strings = "")
  expect_identical(names(csv), names(rows))
  expect_equal(csv$size, rows$size, tolerance = 1e-14)
  expect_identical(csv$kind, as.character(rows$kind))
  expect_identical(as.Date(csv$day), rows$day)
  plain <- tempfile()
  particleflow:::write_rows(rows, plain, "utils")
  expect_equal(read.csv(plain, na.strings = ""), csv)
  flow <- efs(as.matrix(iris[1:100, 1:2]), calibrate = FALSE, group = as.character(iris$Species[1:100]))
  file <- simulate(flow, 30, seed = 1, log_density = TRUE, bounds = FALSE, to = tempfile(), format = "csv")
  expect_named(read.csv(file), c("Sepal.Length", "Sepal.Width", "group", "log_density"))
  skip_if_not_installed("nanoparquet") # it writes the format
  parquet <- nanoparquet::read_parquet(simulate(fit, 60, seed = 2, to = tempfile(), format = "parquet"))
  expect_equal(as.data.frame(parquet), as.data.frame(row_plain(rows)), tolerance = 0) # days become integers
})

test_that("conditions for each row go with the parts", {
  fit <- small_fit()
  given <- data.frame(size = c(rep(c(5, 6), each = 25)))
  files <- simulate(fit, seed = 1, given = given, to = tempfile(), rows_per_file = 20, format = "csv")
  new <- do.call(rbind, lapply(files, read.csv))
  expect_equal(new$size, given$size)
  expect_true(all(is.finite(new$log_probability)))
})

test_that("every fit that draws rows writes them", {
  set.seed(1)
  x <- matrix(rnorm(120), 60)
  fits <- list(
    efs(x, calibrate = FALSE), gpa(x, matrix(rexp(60), 30), n_steps = 5), pushforward(x, n_steps = 5),
    wgf(target_ring(), n = 50, n_steps = 5),
    synthesise(matrix(rpois(40 * 60, 20), 40), law = "ensemble", quiet = TRUE),
    synthesise(as.data.frame(ChickWeight), blocks = "Chick", whole_blocks = TRUE, law = "student", quiet = TRUE)
  )
  for (fit in fits) {
    files <- simulate(fit, 30, seed = 2, to = tempfile(), rows_per_file = 12)
    expect_length(files, 3)
    first <- simulate(fit, 12, seed = 2)
    expect_identical(readRDS(files[1]), first)
  }
  chicks <- do.call(rbind, lapply(files, function(file) as.data.frame(readRDS(file))))
  expect_identical(length(unique(chicks$Chick)), 30L)
})

test_that("folders and arguments that do not fit are refused in one sentence", {
  fit <- small_fit()
  folder <- tempfile()
  simulate(fit, 50, seed = 1, to = folder)
  expect_error(simulate(fit, 50, seed = 2, to = folder), "another `seed` \\(1, not 2\\)", class = "particleflow_input")
  expect_error(simulate(fit, 60, seed = 1, to = folder), "another `nsim`", class = "particleflow_input")
  expect_error(simulate(fit, 50, seed = 1, to = folder, missing = FALSE), "other arguments",
               class = "particleflow_input")
  expect_error(simulate(fit, 50, seed = 1, to = folder, format = "csv"), "another `format`",
               class = "particleflow_input")
  other <- synthesise(iris, law = "student", quiet = TRUE)
  expect_error(simulate(other, 50, seed = 1, to = folder), "another fit", class = "particleflow_input")
  expect_error(simulate(fit, 5, to = file.path(tempfile(), "deep")), "cannot be made", class = "particleflow_input")
  foreign <- tempfile()
  dir.create(foreign)
  file.create(file.path(foreign, "mine.txt"))
  expect_error(simulate(fit, 5, to = foreign), "other files \\(\"mine.txt\"\\)", class = "particleflow_input")
  expect_error(simulate(fit, 5, to = 3), "`to` must be NULL or", class = "particleflow_input")
  expect_error(simulate(fit, 5, to = folder, format = "xls"), "`format` must be one of", class = "particleflow_input")
  expect_error(simulate(fit, 5, rows_per_file = 3), "`rows_per_file` is for files", class = "particleflow_input")
  expect_error(particleflow:::place_file(folder, "a", function(to) stop("no space")), "no space. Complete files stay",
               class = "particleflow_file")
  expect_false(any(grepl("unfinished", list.files(folder, all.files = TRUE))))
})
