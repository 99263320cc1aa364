# The formats of files of new rows.

part_formats <- c("rds", "csv", "parquet")

# What writes a format here: the name of an entry of part_writers.
part_writer <- function(format) {
  if (format == "rds") return("serialize")
  if (format == "csv") return(if (requireNamespace("data.table", quietly = TRUE)) "data.table" else "utils")
  if (!requireNamespace("nanoparquet", quietly = TRUE)) {
    fail("`format` = \"parquet\" needs the package nanoparquet, which is not installed; install it or give \"rds\".")
  }
  "nanoparquet"
}

write_rows <- function(rows, to, writer) part_writers[[writer]](rows, to)

part_writers <- list(
  # the bytes that saveRDS(compress = FALSE) writes
  serialize = function(rows, to) write_bytes(serialize(rows, NULL, version = 3), to),
  data.table = function(rows, to) {
    data.table::fwrite(row_frame(rows), to, sep = ",", eol = "\n", na = "", dec = ".", row.names = FALSE,
                       logical01 = FALSE, scipen = 0L, dateTimeAs = "ISO", nThread = 1L, showProgress = FALSE)
    check_end(to, "\n")
  },
  utils = function(rows, to) {
    before <- options(scipen = 0, OutDec = ".")
    on.exit(options(before))
    text <- rawConnection(raw(), "wb")
    on.exit(close(text), add = TRUE)
    utils::write.csv(row_frame(rows), text, na = "", row.names = FALSE)
    write_bytes(rawConnectionValue(text), to)
  },
  nanoparquet = function(rows, to) {
    frame <- row_frame(rows)
    wide <- vapply(frame, inherits, NA, what = "integer64")
    frame[wide] <- lapply(frame[wide], as.double)
    nanoparquet::write_parquet(frame, to)
    check_end(to, "PAR1")
  }
)

# A file whose last bytes are missing was not written to its end.
check_end <- function(file, end) {
  size <- file.size(file)
  from <- file(file, "rb")
  on.exit(close(from))
  seek(from, max(0, size - nchar(end)))
  if (!identical(readBin(from, "raw", nchar(end)), charToRaw(end))) stop("its end is missing")
}

# Attributes of new rows that become columns.
row_attributes <- c("group", "batch", "component", "log_density", "log_probability", "log_weight")

# New rows as a plain data frame.
row_frame <- function(rows) {
  marks <- Filter(Negate(is.null), attributes(rows)[row_attributes])
  if (is.matrix(rows)) rows <- array(rows, dim(rows), dimnames(rows))
  frame <- as.data.frame(rows, stringsAsFactors = FALSE)
  attributes(frame) <- attributes(frame)[c("names", "row.names")]
  class(frame) <- "data.frame"
  for (name in names(marks)) {
    mark <- marks[[name]]
    frame[[free_name(name, names(frame))]] <- rep_len(if (is.object(mark)) mark else as.vector(mark), nrow(frame))
  }
  frame
}
