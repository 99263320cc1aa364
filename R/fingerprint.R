# Fingerprints: hashes that show whether an object was changed by hand.

# A hash of all numbers, words, calls and functions in a plain object, with the dimensions of arrays, the levels of
# factors and the names of lists. A function is represented by its text. Environments are left out, because their
# contents may change although nobody changes the object.
fingerprint <- function(x) .Call(C_pf_fingerprint, x, text_of)

text_of <- function(x) if (is.function(x)) c(deparse(args(x)), deparse(body(x))) else deparse(x)
