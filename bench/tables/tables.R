# Mixed tables from packages of CRAN and Debian: factors, counts, money with zeros, dates, missing values. One loader
# per table. A loader drops identifiers, gives columns the class that they have in life (Date, logical), and nothing
# else: exact relations between columns stay (wage and logwage, node4 and nodes, bmi, height and weight).

# A data set of a package, without attaching the package.
data_set <- function(name, package, file = name) {
  place <- new.env()
  utils::data(list = file, package = package, envir = place)
  as.data.frame(place[[name]])
}

survival_set <- function(name) as.data.frame(getExportedValue("survival", name))

# Rows of a large data set, always the same.
some_rows <- function(x, n) {
  keep <- local({
    set.seed(20, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
    sort(sample(nrow(x), n))
  })
  x <- x[keep, , drop = FALSE]
  rownames(x) <- NULL
  x
}

drop_columns <- function(x, names) x[setdiff(colnames(x), names)]
to_logical <- function(x, names) {
  x[names] <- lapply(x[names], function(column) column == 1)
  x
}

# Each: the packages it needs, the column for usefulness, and the loader.
TABLES <- list(
  aids = list(package = "MASS", target = "status", load = function() {
    x <- data_set("Aids2", "MASS")
    x[c("diag", "death")] <- lapply(x[c("diag", "death")], as.Date, origin = "1960-01-01")
    x
  }),
  attrition = list(package = "modeldata", target = "Attrition", load = function() data_set("attrition", "modeldata")),
  boys = list(package = "mice", target = "hgt", load = function() data_set("boys", "mice")),
  breast_cancer = list(package = "mlbench", target = "Class", load = function() {
    drop_columns(data_set("BreastCancer", "mlbench"), "Id")
  }),
  carseats = list(package = "ISLR2", target = "Sales", load = function() data_set("Carseats", "ISLR2")),
  chile = list(package = "carData", target = "vote", load = function() data_set("Chile", "carData")),
  college = list(package = "ISLR2", target = "Outstate", load = function() data_set("College", "ISLR2")),
  # the rows of death: one row per patient
  colon = list(package = "survival", target = "status", load = function() {
    x <- survival_set("colon")
    x <- drop_columns(x[x$etype == 2, ], c("id", "study", "etype"))
    to_logical(x, c("sex", "obstruct", "perfor", "adhere", "status", "surg", "node4"))
  }),
  cps1985 = list(package = "AER", target = "wage", load = function() data_set("CPS1985", "AER")),
  credit = list(package = "ISLR2", target = "Balance", load = function() data_set("Credit", "ISLR2")),
  creditcard = list(package = "AER", target = "card", load = function() data_set("CreditCard", "AER")),
  diamonds = list(package = "ggplot2", target = "price", load = function() {
    some_rows(data_set("diamonds", "ggplot2"), 6000)
  }),
  # without dest: classification trees of the other packages do not end on its 105 levels
  flights = list(package = "nycflights13", target = "arr_delay", load = function() {
    columns <- c("time_hour", "dep_time", "dep_delay", "arr_delay", "carrier", "origin", "air_time", "distance")
    some_rows(data_set("flights", "nycflights13")[columns], 6000)
  }),
  hitters = list(package = "ISLR2", target = "Salary", load = function() data_set("Hitters", "ISLR2")),
  hmda = list(package = "AER", target = "deny", load = function() data_set("HMDA", "AER")),
  house_votes = list(package = "mlbench", target = "Class", load = function() data_set("HouseVotes84", "mlbench")),
  lung = list(package = "survival", target = "status", load = function() {
    x <- survival_set("lung")
    x$status <- x$status == 2
    x
  }),
  mgus2 = list(package = "survival", target = "death", load = function() {
    to_logical(drop_columns(survival_set("mgus2"), "id"), c("pstat", "death"))
  }),
  # without model: 38 levels on 234 rows
  mpg = list(package = "ggplot2", target = "hwy", load = function() drop_columns(data_set("mpg", "ggplot2"), "model")),
  nmes = list(package = "AER", target = "insurance", load = function() data_set("NMES1988", "AER")),
  pbc = list(package = "survival", target = "status", load = function() {
    x <- drop_columns(survival_set("pbc"), "id")
    x$status <- factor(x$status, 0:2, c("censored", "transplant", "dead"))
    x$stage <- factor(x$stage, ordered = TRUE)
    x
  }),
  penguins = list(package = "palmerpenguins", target = "Species", load = function() {
    x <- data_set("penguins_raw", "palmerpenguins", "penguins")
    drop_columns(x, c("Sample Number", "Region", "Stage", "Individual ID", "Comments"))
  }),
  pima = list(package = "mlbench", target = "diabetes", load = function() {
    data_set("PimaIndiansDiabetes2", "mlbench")
  }),
  rotterdam = list(package = "survival", target = "death", load = function() {
    x <- drop_columns(survival_set("rotterdam"), "pid")
    x$grade <- factor(x$grade, ordered = TRUE)
    to_logical(x, c("meno", "hormon", "chemo", "recur", "death"))
  }),
  scoring = list(package = "modeldata", target = "Status", load = function() data_set("credit_data", "modeldata")),
  survey = list(package = "MASS", target = "Sex", load = function() data_set("survey", "MASS")),
  wage = list(package = "ISLR2", target = "health_ins", load = function() data_set("Wage", "ISLR2"))
)

# The rule, fixed before any result: the seven tables of a first trial are for tuning because they have been seen. Of
# the others, in alphabetical order, each fourth one is for tuning. All the rest are for reporting only.
SEEN <- c("carseats", "cps1985", "credit", "diamonds", "hitters", "pbc", "wage")
TUNING <- c(SEEN, "breast_cancer", "creditcard", "lung", "penguins", "survey")
REPORTING <- setdiff(names(TABLES), TUNING)
local({
  others <- sort(setdiff(names(TABLES), SEEN), method = "radix")
  stopifnot(setequal(setdiff(TUNING, SEEN), others[seq(4, length(others), 4)]))
})

role_of <- function(name) if (name %in% TUNING) "tuning" else "reporting"
MOST_ROWS <- 2000L # to fit; to test
FEWEST_ROWS <- 300L # of a second part of real rows

# Half of the rows to fit, half to test, at most MOST_ROWS each; `second` has what is left over, if that is enough.
table_split <- function(name, split) {
  x <- TABLES[[name]]$load()
  rownames(x) <- NULL
  set.seed(1000L + split, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  row <- sample(nrow(x))
  n_train <- min(nrow(x) %/% 2L, MOST_ROWS)
  n_test <- min(nrow(x) - n_train, MOST_ROWS)
  rows <- function(first, n) {
    part <- x[row[first - 1L + seq_len(n)], , drop = FALSE]
    rownames(part) <- NULL
    part
  }
  left <- min(nrow(x) - n_train - n_test, n_test)
  list(
    train = rows(1L, n_train), test = rows(n_train + 1L, n_test),
    second = if (left >= FEWEST_ROWS) rows(n_train + n_test + 1L, left), target = TABLES[[name]]$target
  )
}

# What a table is made of, for README.
describe_tables <- function() {
  do.call(rbind, lapply(names(TABLES), function(name) {
    x <- TABLES[[name]]$load()
    is_number <- vapply(x, is.numeric, NA)
    is_date <- vapply(x, inherits, NA, c("Date", "POSIXct"))
    data.frame(
      table = name, role = role_of(name), package = TABLES[[name]]$package, rows = nrow(x), columns = ncol(x),
      numbers = sum(is_number), dates = sum(is_date), others = sum(!is_number & !is_date),
      cells_missing = round(mean(is.na(x)), 3), rows_missing = round(mean(!stats::complete.cases(x)), 3),
      target = TABLES[[name]]$target
    )
  }))
}
