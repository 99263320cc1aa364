# The frames of a run on the way: in memory or in a file.

# What a user may say of the frames.
kept_frames <- c("all", "checkpoints", "file")

# A store keeps the frames of steps 0, every, 2 every, ... in slots 1, 2, 3, ... It is the only part of a run that is an
# environment. A slot depends only on the number of the step. So a step that is taken again after an interrupt writes
# the same numbers to the same slot. file: NULL for a store in memory, otherwise list(path, temporary).
frame_store <- function(points, planned, every, labels, file = NULL) {
  store <- new.env(parent = baseenv())
  store$every <- every
  store$labels <- if (is.null(labels)) list(NULL, NULL) else labels
  if (is.null(file)) {
    store$frames <- empty_frames(store, dim(points), planned %/% every + 1 + (planned %% every > 0))
  } else {
    store$file <- c(file, list(head = frames_head(points)))
    if (!file.exists(file$path)) begin_frames(store$file)
  }
  put_frame(store, points, 0L)
  store
}

put_frame <- function(store, points, step) {
  if (step %% store$every == 0) fill_slot(store, points, step %/% store$every + 1)
}

fill_slot <- function(store, points, slot) {
  if (is.null(store$file)) keep_slot(store, points, slot) else write_slot(store$file, points, slot)
}

# list(frames, kept) after `step` steps, which ended at `points`.
stored_frames <- function(store, points, step) {
  kept <- seq(0, step, by = store$every)
  if (kept[length(kept)] != step) {
    kept <- c(kept, step)
    fill_slot(store, points, length(kept))
  }
  extent <- c(dim(points), length(kept))
  list(frames = if (is.null(store$file)) first_slots(store, extent) else map_frames(store, extent),
       kept = as.integer(kept))
}

# ---- in memory -------------------------------------------------------------------------------------------

# One array [n, d, slots], which has room for all planned steps from the start and is filled in place, so that no second
# copy of the trajectory is made.
empty_frames <- function(store, extent, slots) array(0, c(extent, slots), c(store$labels, list(NULL)))

keep_slot <- function(store, points, slot) {
  if (slot > dim(store$frames)[3]) {
    grown <- empty_frames(store, dim(points), 2 * slot)
    grown[seq_along(store$frames)] <- store$frames
    store$frames <- grown
  }
  # assigned within the store, because an assignment from outside would copy the array
  store$slot <- slot
  store$points <- points
  evalq(frames[, , slot] <- points, store)
  store$points <- NULL
  invisible()
}

first_slots <- function(store, extent) {
  frames <- store$frames
  if (extent[3] < dim(frames)[3]) frames[, , seq_len(extent[3]), drop = FALSE] else frames
}

# ---- in a file -------------------------------------------------------------------------------------------

# A file of frames: a head of frames_skip bytes, which is a page of memory, and then the slots one after the other, each
# of n d numbers in the order of bytes of this machine.
frames_skip <- 4096
frames_word <- "particleflow frames"

# The head: what the file is, the extents, and the fingerprint of the first frame, by which a run knows its own file.
frames_head <- function(points) {
  sprintf("%s\n%s %d %d %s\n", frames_word, .Platform$endian, nrow(points), ncol(points), fingerprint(points))
}

begin_frames <- function(file) {
  head <- charToRaw(file$head)
  connection <- base::file(file$path, "wb")
  on.exit(close(connection))
  writeBin(c(head, raw(frames_skip - length(head))), connection)
}

# The last bytes are written when the file is closed. On a full disk they are missing, and R gives no error.
write_slot <- function(file, points, slot) {
  check_frames_file(file)
  size <- 8 * length(points)
  from <- frames_skip + (slot - 1) * size
  connection <- base::file(file$path, "r+b")
  on.exit(close(connection))
  seek(connection, from, rw = "write")
  writeBin(as.vector(points), connection)
  on.exit()
  close(connection)
  if (!isTRUE(file.size(file$path) >= from + size)) {
    stop_size("Frame %.0f could not be written to \"%s\": the disk is full.", slot, file$path)
  }
}

# Stops unless the file is there and is that of this run.
check_frames_file <- function(file) {
  found <- tryCatch(readBin(file$path, "raw", nchar(file$head, "bytes")), error = function(e) raw(),
                    warning = function(w) raw())
  if (identical(found, charToRaw(file$head))) return(invisible())
  if (!file.exists(file$path)) fail("The frames of this run were in the file \"%s\", which is gone.", file$path)
  fail("The file \"%s\" does not hold the frames of this run.", file$path)
}

# The array [n, d, slots] as pages of the file, or read into memory where files cannot be mapped.
map_frames <- function(store, extent) {
  file <- store$file
  check_frames_file(file)
  names <- c(store$labels, list(NULL))
  if (.Call(C_pf_frames_can_map)) {
    return(.Call(C_pf_frames_map, enc2native(file$path), frames_skip, as.double(extent), names, file$temporary))
  }
  connection <- base::file(file$path, "rb")
  on.exit(close(connection))
  seek(connection, frames_skip)
  array(readBin(connection, "double", prod(extent)), extent, names)
}

# Where the frames of a run go. NULL: in memory. A file without a name is deleted with the trajectory.
frames_place <- function(keep, file) {
  if (keep != "file") {
    if (!is.null(file)) fail("`file` belongs to `keep = \"file\"`.")
    return(NULL)
  }
  if (is.null(file)) return(list(path = tempfile("frames-"), temporary = TRUE))
  path <- check_place(file, "file")
  if (file.exists(path)) {
    fail("`file` is \"%s\", which exists already; give another path, or delete the file if nothing needs it.", path)
  }
  list(path = path, temporary = FALSE)
}
