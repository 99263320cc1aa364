# The cases of this folder: families and tables of numbers of bench/quality, and mixed tables of bench/tables.
# rows_of("family sheet:200:2", 1), rows_of("table pima", 1) and rows_of("mixed pbc", 1) return list(train, test).
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
from <- function(folder, files) {
  place <- new.env()
  for (file in files) sys.source(file.path(here, "..", folder, file), place)
  place
}
quality <- from("quality", c("families.R", "tables.R"))
mixed <- from("tables", c("tables.R", "methods.R"))

TEST_ROWS <- 2000L # of a family

rows_of <- function(case, repetition) {
  words <- strsplit(case, "[ :]")[[1]]
  if (words[1] == "mixed") return(mixed$table_split(words[2], repetition))
  if (words[1] == "table") {
    parts <- quality$table_split(words[2], repetition)
    return(list(train = as.data.frame(parts$train), test = as.data.frame(parts$holdout)))
  }
  n <- as.integer(words[3])
  family <- quality$TUNING[[words[2]]](n, as.integer(words[4]), quality$family_seed(words[2], repetition))
  set.seed(99L + repetition)
  list(train = as.data.frame(family$x), test = as.data.frame(family$draw(TEST_ROWS)))
}

shapes <- expand.grid(family = setdiff(names(quality$TUNING), "spiral"), n = c(200, 1000), d = c(2, 5, 10))
CASES <- list(
  families = c(sprintf("family spiral:%d:2", c(200, 1000)),
               sprintf("family %s:%d:%d", shapes$family, shapes$n, shapes$d)),
  tuning = c(paste("table", names(quality$TUNING_TABLES)), paste("mixed", mixed$TUNING)),
  reporting = paste("table", names(quality$REPORTING_TABLES)),
  ten = paste("mixed", c("carseats", "cps1985", "credit", "diamonds", "hitters", "pbc", "wage", "breast_cancer", "lung",
                         "penguins"))
)

# Seconds of the processors (user and system), which a busy machine changes less than seconds on the clock.
processor_seconds <- function(expression) {
  invisible(gc())
  spent <- system.time(expression, gcFirst = FALSE)
  spent[[1]] + spent[[2]]
}
