# Real tables of numbers: table_rows(name) returns the prepared matrix, table_split(name, repetition) the 80 % for
# training and the 20 % held out. As a script, `Rscript tables.R` writes results/tables.csv: source, shape before and
# after, columns left out.
#
# Preparation, the same for all tables:
#   only numeric columns and complete rows are kept;
#   a column without a density is left out. It has fewer than 10 values, or one value in more than a tenth of the rows
#   that is 1.5 times as frequent as any other (so it is not the mode of rounded numbers);
#   recorded decimals are undone by uniform noise of one unit of the last decimal (unit 1 for whole numbers). This is
#   usual before a likelihood of rounded data: without it a smoother that finds two equal rows can reach any likelihood;
#   of more than `most` rows, a fixed random choice is kept.

in_package <- function(package, name) {
  if (!requireNamespace(package, quietly = TRUE)) {
    stop(sprintf("the table %s is in package %s, which is not installed", name, package), call. = FALSE)
  }
  place <- new.env()
  utils::data(list = name, package = package, envir = place)
  as.data.frame(place[[name]])
}
source_of <- function(package, name, most = Inf, drop = character()) {
  list(package = package, name = name, most = most, drop = drop)
}

TUNING_TABLES <- list(
  banknote = source_of("mclust", "banknote"),
  pima = source_of("mlbench", "PimaIndiansDiabetes2"),
  schools = source_of("AER", "CASchools")
)

REPORTING_TABLES <- list(
  quakes = source_of("datasets", "quakes"),
  nox = source_of("robustbase", "NOxEmissions", most = 4000),
  diamonds = source_of("ggplot2", "diamonds", most = 3000),
  boston = source_of("MASS", "Boston"),
  glass = source_of("mlbench", "Glass"),
  college = source_of("ISLR2", "College"),
  vehicle = source_of("mlbench", "Vehicle"),
  wdbc = source_of("mclust", "wdbc", drop = "ID"),
  sonar = source_of("mlbench", "Sonar")
)

# 0.1 for a column recorded to one decimal; 0 if no decimal up to the ninth explains the values
recorded_unit <- function(v) {
  for (k in -3:9) {
    scaled <- v * 10^k
    if (all(abs(scaled - round(scaled)) < 1e-8 * pmax(1, abs(scaled)))) return(10^-k)
  }
  0
}

prepared_table <- function(name) {
  from <- c(TUNING_TABLES, REPORTING_TABLES)[[name]]
  raw <- in_package(from$package, from$name)
  x <- raw[vapply(raw, is.numeric, NA) & !names(raw) %in% from$drop]
  x <- as.matrix(x[stats::complete.cases(x), , drop = FALSE])
  storage.mode(x) <- "double"
  no_density <- apply(x, 2, function(v) {
    counts <- table(v)
    most <- sort(counts, decreasing = TRUE)[1:2]
    length(counts) < 10 || (most[1] > length(v) / 10 && most[1] > 1.5 * most[2])
  })
  units <- apply(x[, !no_density, drop = FALSE], 2, recorded_unit)
  set.seed(20240601)
  rows <- if (nrow(x) > from$most) sort(sample(nrow(x), from$most)) else seq_len(nrow(x))
  kept <- x[rows, !no_density, drop = FALSE]
  kept <- kept + matrix(stats::runif(length(kept), -0.5, 0.5), nrow(kept)) * rep(units, each = nrow(kept))
  rownames(kept) <- NULL
  list(x = kept, raw = dim(raw), left_out = colnames(x)[no_density])
}

table_rows <- function(name) prepared_table(name)$x

table_split <- function(name, repetition) {
  x <- table_rows(name)
  set.seed(7000 + repetition)
  train <- sample(nrow(x), round(0.8 * nrow(x)))
  list(train = x[train, , drop = FALSE], holdout = x[-train, , drop = FALSE])
}

if (sys.nframe() == 0) {
  here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
  shapes <- lapply(names(c(TUNING_TABLES, REPORTING_TABLES)), function(name) {
    from <- c(TUNING_TABLES, REPORTING_TABLES)[[name]]
    table <- tryCatch(prepared_table(name), error = function(e) {
      message(conditionMessage(e))
      NULL
    })
    if (is.null(table)) return(NULL)
    data.frame(table = name, list = if (name %in% names(TUNING_TABLES)) "tuning" else "reporting",
               source = paste0(from$package, "::", from$name), raw_rows = table$raw[1], raw_columns = table$raw[2],
               rows = nrow(table$x), columns = ncol(table$x), left_out = paste(table$left_out, collapse = " "))
  })
  shapes <- do.call(rbind, shapes)
  utils::write.csv(shapes, file.path(Sys.getenv("QUALITY_RESULTS", file.path(here, "results")), "tables.csv"),
                   row.names = FALSE)
  print(shapes)
}
