foretell <- function(...) invisible()
