# Fingerprints: hashes by which a change of an object by hand is noticed.

# A hash of all numbers, words and calls in a plain object, with the extents of arrays and the names of lists.
# Functions and environments are passed over, because their values cannot be compared from one session to the next.
fingerprint <- function(x) {
  if (is.list(x)) {
    parts <- vapply(x, fingerprint, "")
    return(hash_words(c(names(x), parts)))
  }
  if (is.language(x)) return(hash_words(deparse(x)))
  if (is.character(x)) return(hash_words(x))
  if (is.numeric(x) || is.logical(x)) {
    numbers <- if (is.double(x)) x else as.double(x)
    return(paste0(.Call(C_pf_fingerprint, numbers), if (!is.null(dim(x))) .Call(C_pf_fingerprint, as.double(dim(x)))))
  }
  ""
}

hash_words <- function(words) {
  words <- paste(ifelse(is.na(words), "NA", enc2utf8(as.character(words))), collapse = "\n")
  .Call(C_pf_fingerprint, as.double(utf8ToInt(words)))
}
