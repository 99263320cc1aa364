# New rows in files: a run of simulate() that is divided into parts, one file per part.

#' New rows in files
#'
#' With the argument `to`, `simulate()` writes new rows into files of a folder, one part after the other, and returns
#' the names of the files. So there can be more new rows than memory holds. A run that was interrupted or killed goes on
#' when the same call with the same `seed` is made again. Daemons of the package \pkg{mirai}, where you have set some,
#' draw several parts at a time (see the vignette `clusters`).
#'
#' @section Parts:
#' The rows are divided into parts of `rows_per_file` rows. With groups, each part has its share of
#' each class, and so nearly `rows_per_file` rows. Part \eqn{k} holds the rows of
#' `simulate(object, <its rows>, seed = <its seed>)` (with groups, its rows of each class) with the same further
#' arguments, under the default generators of R (see [RNGkind()]). The first part has the seed of the call, and the
#' seeds of the others are drawn from it, so that no two are equal. So the rows depend on the fit, the seed, `nsim`,
#' `rows_per_file` and the further arguments, and on nothing else: the files are the same to the last bit for any
#' number of daemons and threads, whether or not a run was interrupted, on machines with the same instruction set
#' ([particleflow_simd()]), version of R and version of the package that writes the format. New names of rows or blocks
#' go on from part to part. A law that balances its draws balances them within each part.
#'
#' @section The folder:
#' Parts have the names `part-000001.csv` and so on. A part is written under another name, which
#' begins with a dot. It gets its own name when it is complete, so no file that is half written has the name of a part.
#' The file `_particleflow.dcf` says of which run the parts are. The file `_parts.csv` has one row per part that is
#' done, with the columns `file`, `rows`, `seed` and `bytes`. A part counts as done if its size is the one that stands
#' there. It is an error if the folder holds the parts of another run, or other files and no run. Only one session at a
#' time may write into a folder.
#'
#' Daemons that see the folder write into it. Others, such as those on another machine without a shared disk, send their
#' parts to this session, which writes them. If a file cannot be written, for example because the disk is full, there is
#' an error of class `particleflow_file`, and the parts that are done stay.
#'
#' @section Formats:
#' * `"rds"` keeps everything, because each part is the R object that `simulate()` returns. [readRDS()] reads it. The
#'   files are not compressed.
#' * `"parquet"` needs the package \pkg{nanoparquet}. It keeps numbers to the last bit, integers, logicals, words,
#'   levels of factors, dates, and times to the microsecond. It loses the order of ordered factors, time zones (times
#'   come back in UTC), the units of numbers and of `difftime` (which come back in seconds), and row names. Integers of
#'   64 bits become doubles.
#' * `"csv"` is text: classes and levels are lost, and numbers have 15 significant digits. A missing value is an empty
#'   cell; an empty string stands in quotes. If \pkg{data.table} is installed, [data.table::fwrite()] writes the files
#'   with times in UTC. Otherwise [utils::write.csv()] writes them with times as they are printed. A run goes on only
#'   with the one that began it.
#'
#' In the last two formats, matrices become tables, and the attributes `"group"`, `"batch"`, `"component"`,
#' `"log_density"`, `"log_probability"` and `"log_weight"` of new rows become columns of these names. Other attributes
#' are lost.
#'
#' @section Time and memory:
#' Each process holds a few copies of one part. If the run will take more than a minute, a
#' message foretells the time and the bytes on disk. It comes from a trial of 2000 rows, and is too high for laws that
#' have much to do before the first row.
#'
#' @param to A folder, as one string. It is made if it does not exist; the folder above it must exist. `NULL`: the rows
#'   are returned.
#' @param format `"rds"`, `"csv"` or `"parquet"`.
#' @param rows_per_file Number of rows of each file, at least 1; of blocks for a fit of whole blocks. `NULL`: so many
#'   that they are about 64 MB of numbers of 8 bytes, and at most a million. Other numbers give other rows.
#' @return `simulate(to = )`: invisibly, the names of the files with their folder, in the order of the parts.
#' @examples
#' fit <- synthesise(warpbreaks, quiet = TRUE)
#' folder <- tempfile()
#' files <- simulate(fit, 1000, seed = 1, to = folder, format = "csv", rows_per_file = 400)
#' basename(files)
#' new <- do.call(rbind, lapply(files, read.csv))
#' nrow(new)
#' @name simulate_files
NULL

# Numbers of one part, and rows at most, unless the user says otherwise.
numbers_per_part <- 8e6
most_rows_per_part <- 1e6

# What the user asks for: NULL, or list(folder, format, rows). columns: the numbers that a row takes.
ask_files <- function(to, format, rows_per_file, columns, table = TRUE) {
  if (is.null(to)) {
    if (!is.null(rows_per_file)) fail("`rows_per_file` is for files; give their folder as `to`.")
    if (length(format) == 1) check_choice(format, part_formats, "format")
    return(NULL)
  }
  if (!is.character(to) || length(to) != 1 || is.na(to) || !nzchar(to)) {
    fail("`to` must be NULL or the name of a folder, not %s.", describe(to))
  }
  format <- check_choice(format, part_formats, "format")
  if (!table && format != "rds") {
    fail("`format` must be \"rds\", because the new samples are no table, and only tables can be written as \"%s\".",
         format)
  }
  rows <- if (is.null(rows_per_file)) {
    as.integer(max(1, min(most_rows_per_part, floor(numbers_per_part / columns))))
  } else {
    check_count(rows_per_file, "rows_per_file", 1L)
  }
  list(folder = to, format = format, rows = rows, writer = part_writer(format))
}

# The rows that are in memory at a time.
rows_at_once <- function(rows, files) if (is.null(files)) rows else min(rows, files$rows)

# files: see ask_files(). nsim: as the user gave it. divide(): the whole numbers of rows of the classes, by name; it
# may draw random numbers; NULL: there are no classes. settings: further arguments of simulate(). by_row: those that
# are data frames with one row per new row.
write_parts <- function(files, fit, nsim, seed, divide = NULL, settings = list(), by_row = list(), progress = NULL) {
  if (is.null(seed)) seed <- as.integer(floor(stats::runif(1) * .Machine$integer.max)) else check_seed(seed)
  counts <- if (is.null(divide)) c(rows = sum(nsim)) else with_own_stream(seed, divide)
  parts <- divide_rows(counts, files$rows, seed, !is.null(divide))
  if (length(parts) == 1) parts[[1]]$nsim <- nsim
  names <- sprintf("part-%06d.%s", seq_along(parts), files$format)
  manifest <- run_manifest(files, fit, nsim, seed, c(settings, by_row))
  files$folder <- open_folder(files$folder, manifest)
  done <- read_parts(files$folder, names)
  run <- list(fit = fit, settings = settings, folder = files$folder, manifest = manifest, format = files$format,
              writer = files$writer)
  left <- setdiff(seq_along(parts), done$part)
  if (nrow(done)) message(sprintf("simulate(): %d of %d files are there already.", nrow(done), length(parts)))
  foretell_parts(run, parts, left, by_row)
  bar <- progress_bar("Writing new rows", length(left), progress)
  keep <- function(at, value) {
    k <- left[at]
    if (!is.null(value$bytes)) value$size <- place_file(files$folder, names[k], function(to) writeBin(value$bytes, to))
    note_part(files$folder, names[k], parts[[k]], value$size)
    bar$tick()
  }
  own <- function(k) c(parts[[k]], list(name = names[k], by_row = lapply(by_row, rows_of_frame, parts[[k]])))
  shard_map(left, write_part, run, own = own, done = keep)
  settle_parts(files$folder, names, parts)
  invisible(file.path(files$folder, names))
}

# One list per part: nsim, its number of rows or those of the classes by name; rows; before, the rows of earlier parts;
# and seed. Part k of K has the rows floor(n (k - 1) / K) + 1 to floor(n k / K) of a class of n rows.
divide_rows <- function(counts, rows, seed, classes) {
  n <- max(1, ceiling(sum(counts) / rows))
  if (!classes) {
    ends <- pmin(seq(0, n) * as.double(rows), sum(counts))
    ends <- matrix(ends, 1)
  } else {
    ends <- outer(as.double(counts), seq(0, n), function(count, k) floor(count * k / n))
    rownames(ends) <- names(counts)
  }
  seeds <- part_seeds(seed, n)
  before <- colSums(ends)
  lapply(seq_len(n), function(k) {
    own <- ends[, k + 1] - ends[, k]
    list(nsim = if (classes) own else unname(own), rows = sum(own), before = before[k], seed = seeds[k])
  })
}

# [n] seeds, no two of them equal. The first one is that of the run, and the first ones do not depend on n.
part_seeds <- function(seed, n) {
  key <- other_key(with_own_stream(seed, draw_key), 131L)
  c(seed, utils::head(setdiff(key_seeds(key, 2 * n + 100), seed), n - 1))
}

# The rows of a data frame that belong to a part.
rows_of_frame <- function(frame, part) {
  if (!is.data.frame(frame) || nrow(frame) < 2) return(frame)
  at <- part$before + seq_len(part$rows)
  new_frame(lapply(as.list(frame), take, at), names(frame), length(at))
}

# ---- one part --------------------------------------------------------------------------------------------

# Draws a part and writes it: list(size) if the folder of the run can be seen from here, otherwise list(bytes).
write_part <- function(part, run) {
  rows <- rows_of_part(part, run)
  write <- function(to) write_rows(rows, to, run$writer)
  if (is_folder_of(run$folder, run$manifest)) return(list(size = place_file(run$folder, part$name, write)))
  folder <- tempfile("parts")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  size <- place_file(folder, part$name, write)
  list(bytes = readBin(file.path(folder, part$name), "raw", size))
}

rows_of_part <- function(part, run) {
  arguments <- c(list(continue_names(run$fit, part$before), nsim = part$nsim, seed = part$seed), part$by_row,
                 run$settings)
  with_own_stream(0L, function() do.call(stats::simulate, arguments, quote = TRUE))
}

# The fit with new names that follow those of the `before` rows or blocks of earlier parts.
continue_names <- function(fit, before) {
  if (before == 0) return(fit)
  named <- vapply(fit$table$columns, function(column) column_code(column)$name == "identifier", NA)
  for (j in which(named)) fit$table$columns[[j]]$state$before <- before
  if (inherits(fit, "block_synthesis")) fit$label$before <- before
  if (any(named) || inherits(fit, "block_synthesis")) seal(fit) else fit
}

# ---- forecast --------------------------------------------------------------------------------------------

trial_rows <- 2000L

# A message before runs of more than a minute, from a trial of a few rows.
foretell_parts <- function(run, parts, left, by_row) {
  rows <- sum(vapply(parts[left], `[[`, 0, "rows"))
  if (length(left) < 2 || rows < 20 * trial_rows) return(invisible())
  part <- parts[[left[1]]]
  share <- min(1, trial_rows / part$rows)
  part$nsim <- if (is.null(names(part$nsim))) round(part$nsim * share) else ceiling(part$nsim * share)
  part$rows <- sum(part$nsim)
  part$by_row <- lapply(by_row, rows_of_frame, part)
  file <- tempfile()
  on.exit(unlink(file))
  began <- seconds_now()
  suppressMessages(suppressWarnings(write_rows(rows_of_part(part, run), file, run$writer)))
  seconds <- (seconds_now() - began) * rows / part$rows / max(1, min(count_daemons(), length(left)))
  if (seconds < least_seconds_to_tell) return(invisible())
  message(sprintf("simulate(): about %s for %s rows in %d files, which take %.2g GB on disk.", describe_time(seconds),
                  as_text(rows), length(left), file.size(file) * rows / part$rows / 1e9))
}
