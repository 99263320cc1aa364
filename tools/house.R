# Rscript tools/house.R [DIRECTORY]: the rules of the house, each of which fails the check.
#   floors      each file of R/ stands on one floor, and calls only files of its own or of lower floors
#   circles     no circle of calls between the files of R/
#   names       no name is defined twice in R/
#   length      no function over 60 lines, in R and in C
#   width       no line over 120 characters, in R, C and scripts
#   parallel    only core/base/parallel.[ch] names OpenMP; each region there names num_threads, default(none)
#               and schedule(static)
#   core        no R header in src/core
#   documents   no document is cited that is not in the repository
#   members     each law, score and column kind has a help page and a test
# Rscript tools/house.R --breaches: plants one breach of each rule in a copy and checks that it is found.
# R's dynamic calls (S3 dispatch, do.call() of a pasted name) are not seen: a circle that is found is real.

# From the ground up. A regular expression stands for the names of files without ".R".
floors <- list(
  ground = c("particleflow-package", "conditions", "checks", "threads", "progress", "random", "memo", "call",
             "fingerprint", "powers", "shards"),
  table = c("margin", "margin-.*", "relations", "relations-.*", "column", "column-.*", "table", "table-.*"),
  maps = c("unit", "latent", "latent-.*"),
  pairs = c("pairs", "gaussians", "cells"),
  scores = c("score", "score-.*", "novelty"),
  trajectory = c("trajectory", "trajectory-store", "seal"),
  pictures = c("picture", "picture-.*", "tables-plot", "trajectory-plot"),
  laws = c("law", "law-.*"),
  flows = c("target", "run", "flow-.*", "likelihood", "generator-network", "generator-fields", "latent-autoencoder",
            "efs-forward", "efs-backward", "efs-augment"),
  search = c("search", "search-.*"),
  fits = c("fit", "efs", "efs-.*", "smoothed-bootstrap", "sample", "resume", "gpa", "gpa-.*",
           "energy-flow", "energy-flow-.*", "wgf", "wgf-.*", "temper", "temper-.*", "generator-.*", "distill",
           "pushforward", "integrate", "integrate-.*", "parts", "parts-.*", "synthesise", "synthesise-.*"),
  reports = c("report", "report-.*")
)
most_lines <- 60L
most_width <- 120L

r_files <- function(root) sort(list.files(file.path(root, "R"), "[.]R$", full.names = TRUE), method = "radix")
stem <- function(file) sub("[.]R$", "", basename(file))
c_files <- function(root) list.files(file.path(root, "src"), "[.][ch]$", full.names = TRUE, recursive = TRUE)

# A breach as one line.
breach <- function(rule, where, ...) sprintf("%s: %s: %s", rule, where, sprintf(...))

# ---- R ---------------------------------------------------------------------------------------------------

# The top-level definitions of a file: name, first and last line, and the value as an expression.
definitions <- function(file) {
  parsed <- parse(file, keep.source = TRUE)
  refs <- attr(parsed, "srcref")
  text <- tools::md5sum(file)
  named <- vapply(parsed, function(e) is.call(e) && identical(e[[1]], quote(`<-`)) && is.name(e[[2]]), NA)
  lapply(which(named), function(i) {
    list(name = as.character(parsed[[i]][[2]]), first = refs[[i]][1], last = refs[[i]][3], value = parsed[[i]][[3]],
         file = stem(file), key = paste(text, refs[[i]][1]))
  })
}

# The globals of each definition. Each text is looked at once, because this takes most of the time of all rules.
known_globals <- new.env()
globals_of <- function(found) {
  keys <- vapply(found, `[[`, "", "key")
  open <- !keys %in% names(known_globals)
  cores <- if (.Platform$OS.type == "unix") parallel::detectCores() else 1L
  values <- parallel::mclapply(found[open], function(one) {
    codetools::findGlobals(as.function(list(as.call(list(quote(`{`), one$value)))))
  }, mc.cores = max(cores, 1L, na.rm = TRUE))
  stopifnot(!vapply(values, inherits, NA, "try-error"))
  list2env(stats::setNames(values, keys[open]), known_globals)
  mget(keys, known_globals)
}

# One row per call from one file to another: from, to, caller, callee. Names that are variables count as
# calls only where they are global to the function.
call_edges <- function(root) {
  found <- unlist(lapply(r_files(root), definitions), recursive = FALSE)
  owner <- stats::setNames(vapply(found, `[[`, "", "file"), vapply(found, `[[`, "", "name"))
  edges <- Map(function(one, globals) {
    used <- intersect(globals, names(owner))
    used <- setdiff(used[owner[used] != one$file], one$name)
    if (length(used)) data.frame(from = one$file, to = unname(owner[used]), caller = one$name, callee = used)
  }, found, globals_of(found))
  do.call(rbind, unname(edges))
}

floor_of <- function(files) {
  vapply(files, function(file) {
    on <- which(vapply(floors, function(patterns) {
      any(grepl(sprintf("^(%s)$", paste(patterns, collapse = "|")), file))
    }, NA))
    # a file that is named in full stands there, whatever pattern of another floor fits it
    exact <- which(vapply(floors, function(patterns) file %in% patterns, NA))
    if (length(exact)) exact[1] else if (length(on) == 1) on else NA_integer_
  }, 0L)
}

check_floors <- function(root) {
  edges <- call_edges(root)
  files <- stem(r_files(root))
  floor <- floor_of(files)
  up <- edges[which(floor[edges$from] < floor[edges$to]), ]
  c(
    vapply(files[is.na(floor)], function(file) breach("floors", file, "stands on no floor of tools/house.R"), ""),
    sprintf("floors: %s (%s) calls %s (%s): %s -> %s", up$from, names(floors)[floor[up$from]], up$to,
            names(floors)[floor[up$to]], up$caller, up$callee)
  )
}

check_circles <- function(root) {
  edges <- call_edges(root)
  files <- stem(r_files(root))
  reach <- table(factor(edges$from, files), factor(edges$to, files)) > 0
  for (k in seq_along(files)) reach <- reach | (reach[, k] %o% reach[k, ] > 0)
  on <- files[diag(reach)]
  if (length(on)) breach("circles", "R", "these files call each other in a circle: %s", paste(on, collapse = ", "))
}

check_names <- function(root) {
  found <- unlist(lapply(r_files(root), definitions), recursive = FALSE)
  names <- vapply(found, `[[`, "", "name")
  vapply(unique(names[duplicated(names)]), function(name) {
    files <- vapply(found[names == name], `[[`, "", "file")
    breach("names", name, "is defined more than once (%s)", paste(files, collapse = ", "))
  }, "")
}

check_r_length <- function(root) {
  found <- unlist(lapply(r_files(root), definitions), recursive = FALSE)
  long <- Filter(function(one) is.call(one$value) && identical(one$value[[1]], quote(`function`)) &&
                   one$last - one$first + 1L > most_lines, found)
  vapply(long, function(one) breach("length", one$file, "%s() has %d lines", one$name, one$last - one$first + 1L), "")
}

# ---- C and everything ------------------------------------------------------------------------------------

# A function of C begins in the first column, ends its head with an opening brace and ends with a closing
# brace in the first column.
check_c_length <- function(root) {
  unlist(lapply(c_files(root), function(file) {
    lines <- readLines(file, warn = FALSE)
    ends <- which(lines == "}")
    opens <- which(grepl("[{]$", lines) & !grepl("^(typedef|enum|struct|static const|extern)", lines) &
                     !grepl("=\\s*[{]$", lines) & !grepl("^\\s{0,}[}]", lines) &
                     !grepl("^ {2}(for|if|while|do|switch)", lines))
    starts <- vapply(ends, function(end) {
      before <- which(grepl("^[A-Za-z_].*[(]", lines[seq_len(end)]) & !grepl(";$", lines[seq_len(end)]) &
                        !grepl("^#", lines[seq_len(end)]))
      if (length(before)) max(before) else end
    }, 0L)
    long <- which(ends - starts + 1L > most_lines)
    vapply(long, function(i) breach("length", sub(paste0(root, "/"), "", file, fixed = TRUE),
                                    "the function at line %d has %d lines",
                                    starts[i], ends[i] - starts[i] + 1L), "")
  }))
}

check_width <- function(root) {
  files <- list.files(file.path(root, c("R", "src", "tests", "tools", "bench", "inst")), "[.](R|c|h|sh|py)$",
                      full.names = TRUE, recursive = TRUE)
  unlist(lapply(files, function(file) {
    lines <- readLines(file, warn = FALSE)
    wide <- which(nchar(lines, "chars", allowNA = TRUE) > most_width)
    if (length(wide)) breach("width", sub(paste0(root, "/"), "", file, fixed = TRUE), "line%s %s over %d characters",
                             if (length(wide) > 1) "s" else "", paste(utils::head(wide, 5), collapse = ", "),
                             most_width)
  }))
}

openmp_room <- c("src/core/base/parallel.c", "src/core/base/parallel.h")

check_parallel <- function(root) {
  unlist(lapply(c_files(root), function(file) {
    name <- sub(paste0(root, "/"), "", file, fixed = TRUE)
    lines <- readLines(file, warn = FALSE)
    knows <- grep("#\\s*pragma\\s+omp|<omp[.]h>|_OPENMP|\\bomp_[a-z_]+\\(", lines)
    if (!name %in% openmp_room) {
      if (!length(knows)) return(NULL)
      return(breach("parallel", name, "line %d names OpenMP; only %s does", knows[1], openmp_room[1]))
    }
    if (any(grepl("omp_set_num_threads", lines))) {
      return(breach("parallel", name, "omp_set_num_threads is never called"))
    }
    joined <- gsub("\\\\\n", " ", paste(lines, collapse = "\n"))
    regions <- grep("#\\s*pragma\\s+omp\\s+parallel", strsplit(joined, "\n")[[1]], value = TRUE)
    wanted <- c("num_threads(", "default(none)", "schedule(static")
    lacks <- vapply(regions, function(region) any(!vapply(wanted, grepl, NA, x = region, fixed = TRUE)), NA)
    vapply(regions[lacks], function(region) breach("parallel", name, "a region lacks a clause: %s", trimws(region)), "")
  }))
}

check_core <- function(root) {
  files <- list.files(file.path(root, "src", "core"), "[.][ch]$", full.names = TRUE, recursive = TRUE)
  header <- "#\\s*include\\s*[<\"](R|Rinternals|Rmath|Rdefines|Rconfig|R_ext/[A-Za-z]+)[.]h[>\"]"
  unlist(lapply(files, function(file) {
    if (any(grepl(header, readLines(file, warn = FALSE)))) {
      breach("core", sub(paste0(root, "/"), "", file, fixed = TRUE), "includes a header of R")
    }
  }))
}

# Names of documents in capitals (DESIGN.md, METHODS) and of Markdown files and vignettes.
check_documents <- function(root) {
  here <- list.files(root, recursive = TRUE)
  files <- grep("^(R|src|tests|tools|vignettes|inst|bench)/.*[.](R|c|h|sh|Rmd|md|py)$|^[A-Z]+[.]md$", here,
                value = TRUE)
  files <- setdiff(files, "tools/house.R")
  there <- c(basename(here), sub("[.]Rmd$", "", basename(grep("[.]Rmd$", here, value = TRUE))))
  unlist(lapply(files, function(name) {
    text <- readLines(file.path(root, name), warn = FALSE)
    # what a link or a path of another place names is not cited from here
    cited <- unlist(regmatches(text, gregexpr("(?<![/\\w$}-])[A-Za-z][A-Za-z_-]*[.]R?md\\b", text, perl = TRUE)))
    said <- grep("(#|/[*]|^ [*]) ", text, value = TRUE) # comments and prose, not variables
    words <- unlist(regmatches(said, gregexpr("\\b(METHODS|DESIGN|HOUSE|FAULTS|ENGINEERING)\\b", said)))
    guides <- unlist(regmatches(text, gregexpr("(?<=vignette\\(\")[a-z-]+", text, perl = TRUE)))
    gone <- setdiff(c(cited, guides), there)
    gone <- c(gone, setdiff(words, sub("[.]md$", "", there)))
    if (length(gone)) {
      breach("documents", name, "cites %s, which is not in the repository", paste(unique(gone), collapse = ", "))
    }
  }))
}

# Constructors of laws and column kinds (law_x(), column_x()) and the scores of the registry: each is an alias of a
# help page and a word of a test.
check_members <- function(root) {
  exports <- sub("^export\\((.*)\\)$", "\\1", grep("^export\\(", readLines(file.path(root, "NAMESPACE")), value = TRUE))
  aliases <- unlist(lapply(list.files(file.path(root, "man"), "[.]Rd$", full.names = TRUE), function(file) {
    sub("^\\\\alias[{](.*)[}]$", "\\1", grep("^\\\\alias[{]", readLines(file), value = TRUE))
  }))
  tests <- paste(unlist(lapply(list.files(file.path(root, "tests", "testthat"), "[.]R$", full.names = TRUE),
                               readLines)),
                 collapse = "\n")
  files <- stem(r_files(root))
  made <- c(
    grep("^(law|column)_", exports, value = TRUE),
    unlist(lapply(r_files(root), function(file) {
      text <- readLines(file)
      sub(".*new_score\\(\\s*\"([a-z0-9_]+)\".*", "\\1", grep("new_score\\(\\s*\"", text, value = TRUE))
    }))
  )
  made <- setdiff(made, c("law_kind", "column_kind"))
  helped <- made %in% aliases
  tested <- vapply(made, function(name) grepl(sprintf("\\b%s\\b", name), tests), NA)
  # a kind without an exported constructor cannot be asked for
  hidden <- setdiff(gsub("-", "_", grep("^column-.+", files, value = TRUE)), exports)
  c(vapply(made[!helped], function(name) breach("members", name, "has no help page"), ""),
    vapply(made[!tested], function(name) breach("members", name, "stands in no test"), ""),
    vapply(hidden, function(name) breach("members", name, "is not exported"), ""))
}

rules <- list(
  floors = check_floors, circles = check_circles, names = check_names,
  length = function(root) c(check_r_length(root), check_c_length(root)),
  width = check_width, parallel = check_parallel, core = check_core, documents = check_documents,
  members = check_members
)

house <- function(root) unlist(lapply(rules, function(rule) rule(root)), use.names = FALSE)

# ---- Breaches --------------------------------------------------------------------------------------------

add_lines <- function(root, name, lines, after = TRUE) {
  path <- file.path(root, name)
  dir.create(dirname(path), showWarnings = FALSE, recursive = TRUE)
  old <- if (file.exists(path)) readLines(path, warn = FALSE)
  writeLines(if (after) c(old, lines) else c(lines, old), path)
}

# One or more breaches of each rule, each a function that plants it.
long_function <- function(head) c(head, sprintf("  x = %d;", seq_len(most_lines)), "}")
breaches <- list(
  floors = function(root) add_lines(root, "R/checks.R", "planted <- function(x) wasserstein2(x, x)"),
  floors = function(root) add_lines(root, "R/attic.R", "planted <- function(x) x"),
  circles = function(root) {
    add_lines(root, "R/unit.R", "planted_a <- function(x) planted_b(x)")
    add_lines(root, "R/latent.R", c("planted_b <- function(x) planted_c(x)", "planted_d <- function(x) x"))
    add_lines(root, "R/latent-pca.R", "planted_c <- function(x) planted_a(x)")
  },
  names = function(root) add_lines(root, "R/unit.R", "check_flag <- function(x) x"),
  length = function(root) add_lines(root, "R/checks.R", gsub(";", "", long_function("planted <- function(x) {"))),
  length = function(root) add_lines(root, "src/core/base/status.c", long_function("void planted(int x) {")),
  width = function(root) add_lines(root, "R/checks.R", paste("#", strrep("x", most_width))),
  parallel = function(root) add_lines(root, "src/core/base/rng.c", "#pragma omp parallel for"),
  parallel = function(root) add_lines(root, openmp_room[1], "#pragma omp parallel for num_threads(2)"),
  core = function(root) add_lines(root, "src/core/base/rng.h", "#include <Rinternals.h>"),
  documents = function(root) add_lines(root, "R/checks.R", "# see PLAN.md"),
  documents = function(root) add_lines(root, "src/core/base/rng.c", "/* see METHODS, section 2 */"),
  members = function(root) {
    add_lines(root, "R/law-planted.R", "law_planted <- function() NULL")
    add_lines(root, "NAMESPACE", "export(law_planted)")
  },
  members = function(root) add_lines(root, "R/score-planted.R", "score_planted <- new_score(\"planted\")")
)

# Each is planted in a copy of its own, in which its rule must find what it does not find in the tree itself.
check_breaches <- function(root) {
  parts <- file.path(root, c("R", "src", "tests", "tools", "man", "NAMESPACE", "vignettes", "inst", "bench"))
  parts <- c(parts, list.files(root, "[.]md$", full.names = TRUE))
  missed <- 0L
  for (i in seq_along(breaches)) {
    copy <- tempfile("house")
    dir.create(copy)
    file.copy(parts[file.exists(parts)], copy, recursive = TRUE)
    breaches[[i]](copy)
    rule <- names(breaches)[i]
    new <- setdiff(rules[[rule]](copy), rules[[rule]](root))
    unlink(copy, recursive = TRUE)
    missed <- missed + !length(new)
    cat(sprintf("%-10s %s\n", rule, if (length(new)) new[1] else "NOT FOUND"))
  }
  cat(sprintf("house: %d of %d planted breaches found\n", length(breaches) - missed, length(breaches)))
  missed == 0L
}

main <- function(arguments) {
  planted <- "--breaches" %in% arguments
  arguments <- setdiff(arguments, "--breaches")
  root <- normalizePath(if (length(arguments)) arguments[1] else ".")
  if (planted) return(quit(status = if (check_breaches(root)) 0 else 1))
  found <- house(root)
  writeLines(found)
  cat(sprintf("house: %d files of R on %d floors, %d breach%s\n", length(r_files(root)), length(floors), length(found),
              if (length(found) == 1) "" else "es"))
  if (length(found)) quit(status = 1)
}

if (!interactive() && sys.nframe() == 0L) main(commandArgs(TRUE))
