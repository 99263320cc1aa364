# Fingerprints: hashes that show whether an object was changed by hand.

# A hash of all numbers, words, calls and functions in a plain object, with the dimensions of arrays, the levels of
# factors and the names of lists. A function is represented by its text. Environments are left out, because their
# contents may change although nobody changes the object.
fingerprint <- function(x) {
  if (is.list(x)) {
    parts <- vapply(x, fingerprint, "")
    marks <- attributes(x)[setdiff(names(attributes(x)), c("names", "class", "row.names"))]
    return(hash_words(c(names(x), parts, if (length(marks)) fingerprint(marks))))
  }
  if (is.language(x)) return(hash_words(deparse(x)))
  if (is.function(x)) return(hash_words(c(deparse(args(x)), deparse(body(x)))))
  if (is.factor(x)) return(hash_words(c(levels(x), as.character(x))))
  if (is.character(x)) return(hash_words(x))
  if (is.numeric(x) || is.logical(x)) {
    numbers <- if (is.double(x)) x else as.double(x)
    return(paste0(.Call(C_pf_fingerprint, numbers), if (!is.null(dim(x))) .Call(C_pf_fingerprint, as.double(dim(x)))))
  }
  ""
}

hash_words <- function(words) {
  words <- paste(ifelse(is.na(words), "NA", enc2utf8(as_words(words))), collapse = "\n")
  .Call(C_pf_fingerprint, as.double(utf8ToInt(words)))
}
