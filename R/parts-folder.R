# The folder of a run of simulate(): what it says about the run, which parts are done, and files that appear whole.

manifest_file <- "_particleflow.dcf"
parts_file <- "_parts.csv"
unfinished <- "^[.].*[.]unfinished$"

# The lines of the manifest. They say all that the rows depend on.
run_manifest <- function(files, fit, nsim, seed, settings) {
  said <- c(package = "particleflow", version = as.character(utils::packageVersion("particleflow")),
            fit = class(fit)[1], fingerprint = fit$fingerprint,
            nsim = paste(c(names(nsim), as_text(nsim)), collapse = " "), seed = as_text(as.double(seed)),
            rows_per_file = as_text(files$rows), format = files$format, writer = files$writer,
            settings = fingerprint(settings))
  paste0(names(said), ": ", gsub("\\s+", " ", said))
}

# Makes the folder if there is none, and says of which run it is. Returns its full name. The folder of another run is
# refused.
open_folder <- function(folder, manifest) {
  if (!dir.exists(folder) && !suppressWarnings(dir.create(folder))) {
    fail("`to` names the folder \"%s\", which does not exist and cannot be made.", folder)
  }
  folder <- normalizePath(folder, "/")
  there <- list.files(folder, all.files = TRUE, no.. = TRUE)
  if (manifest_file %in% there) {
    refuse_other_run(folder, readLines(file.path(folder, manifest_file), encoding = "UTF-8"), manifest)
  } else if (length(others <- there[!grepl(unfinished, there)])) {
    fail("`to` must be a new or empty folder, or that of a run of simulate(), and \"%s\" holds other files (%s).",
         folder, quoted(others))
  }
  remove_unfinished(folder)
  if (!manifest_file %in% there) place_file(folder, manifest_file, function(to) write_lines(manifest, to))
  folder
}

# A process that is killed while it writes leaves its file.
remove_unfinished <- function(folder) unlink(list.files(folder, unfinished, all.files = TRUE, full.names = TRUE))

refuse_other_run <- function(folder, found, wanted) {
  if (identical(found, wanted)) return(invisible())
  name <- function(lines) sub(":.*", "", lines)
  value <- function(lines, of) sub("^[^:]*: ?", "", lines[match(of, name(lines))])
  differs <- setdiff(name(wanted), name(found)[found %in% wanted])[1]
  what <- if (is.na(differs) || is.na(value(found, differs))) {
    sprintf("a file \"%s\" that simulate() did not write like this", manifest_file)
  } else if (differs %in% c("fingerprint", "settings")) {
    c(fingerprint = "another fit", settings = "other arguments of simulate()")[[differs]]
  } else {
    sprintf("another `%s` (%s, not %s)", differs, value(found, differs), value(wanted, differs))
  }
  if (identical(differs, "seed")) {
    fail("The folder \"%s\" holds a run with %s; give another folder, or `seed = %s` to go on with that run.", folder,
         what, value(found, "seed"))
  }
  fail("The folder \"%s\" holds a run with %s; give another folder, or what that run was given.", folder, what)
}

# Whether this is the folder of the run, as it is seen from this process.
is_folder_of <- function(folder, manifest) {
  file <- file.path(folder, manifest_file)
  file.exists(file) && identical(readLines(file, encoding = "UTF-8"), manifest)
}

# Writes a file by write(to) under another name, and gives it its own name when it is complete. Returns its size in
# bytes. Only a file that is complete gets its name, because a file is renamed at once.
place_file <- function(folder, name, write) {
  to <- tempfile(paste0(".", name, "-"), folder, ".unfinished")
  on.exit(unlink(to))
  wrong <- tryCatch({
    suppressWarnings(write(to))
    NULL
  }, particleflow_error = stop, error = conditionMessage)
  if (is.null(wrong) && !suppressWarnings(file.rename(to, file.path(folder, name)))) wrong <- "it could not be renamed"
  if (!is.null(wrong)) {
    stop_class("particleflow_file", sprintf("The file \"%s\" could not be written to \"%s\": %s. Complete files stay.",
                                            name, folder, sub("[.]?\\s*$", "", wrong)))
  }
  file.size(file.path(folder, name))
}

write_lines <- function(lines, to) write_bytes(charToRaw(paste0(enc2utf8(lines), "\n", collapse = "")), to)

# R does not always say that a disk is full, so the size is checked.
write_bytes <- function(bytes, to) {
  writeBin(bytes, to)
  if (!identical(file.size(to), as.double(length(bytes)))) stop("not all bytes could be written")
}

# ---- the parts that are done -----------------------------------------------------------------------------

part_line <- function(name, part, size) paste(name, as_text(part$rows), as_text(part$seed), as_text(size), sep = ",")

parts_head <- "file,rows,seed,bytes"

# A line may be half written when a run is killed.
note_part <- function(folder, name, part, size) {
  cat(part_line(name, part, size), "\n", sep = "", file = file.path(folder, parts_file), append = TRUE)
}

# A data frame with the columns part and line of the parts that are done: their files have the sizes that are noted.
read_parts <- function(folder, names) {
  file <- file.path(folder, parts_file)
  lines <- if (file.exists(file)) readLines(file, warn = FALSE) else character()
  lines <- grep("^part-[0-9]+[.][a-z]+,[0-9]+,-?[0-9]+,[0-9]+$", lines, value = TRUE)
  part <- match(sub(",.*", "", lines), names)
  size <- as.numeric(sub(".*,", "", lines))
  good <- which(!is.na(part) & size == file.size(file.path(folder, names[part])))
  good <- good[!duplicated(part[good])]
  place_file(folder, parts_file, function(to) write_lines(c(parts_head, lines[good]), to))
  data.frame(part = part[good], line = lines[good])
}

# All parts in their order, whatever the order in which they were done.
settle_parts <- function(folder, names, parts) {
  sizes <- file.size(file.path(folder, names))
  if (anyNA(sizes)) {
    stop_class("particleflow_file", sprintf("%s went away from \"%s\" during the run: make the same call again.",
                                            quoted(names[is.na(sizes)]), folder))
  }
  remove_unfinished(folder)
  lines <- vapply(seq_along(parts), function(k) part_line(names[k], parts[[k]], sizes[k]), "")
  place_file(folder, parts_file, function(to) write_lines(c(parts_head, lines), to))
}
