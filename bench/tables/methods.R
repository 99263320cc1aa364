# The methods: function(train, n, seed, parts) returns a data frame of n new rows. It may carry the attributes
#   seconds      c(fit =, draw =, processor =)
#   log_density  function(rows): the log-likelihood of each row
#   base         the base measure of it, in words
# `parts` (train, test, second) is only for the references. All methods below take missing values as they are.
METHODS <- list()

# Seconds on the clock, and seconds of all processors, which a busy machine changes less.
clock <- function(expression) {
  begin <- proc.time()
  value <- force(expression)
  spent <- proc.time() - begin
  list(value = value, seconds = c(spent[[3]], spent[[1]] + spent[[2]]))
}

made <- function(new, fit, draw, log_density = NULL, base = NULL) {
  attr(new, "seconds") <- c(fit = fit[1], draw = draw[1], processor = fit[2] + draw[2])
  attr(new, "log_density") <- log_density
  attr(new, "base") <- base
  new
}

# Peers that know only numbers and factors: dates become numbers, text and logicals become factors; back() undoes it.
plain <- function(x) {
  names(x) <- make.names(names(x), unique = TRUE)
  x[] <- lapply(x, function(column) {
    if (inherits(column, c("Date", "POSIXct", "difftime"))) return(as.numeric(column))
    if (is.character(column) || is.logical(column)) return(factor(column))
    column
  })
  x
}

back <- function(new, like) {
  new <- as.data.frame(new)
  names(new) <- names(like)
  rownames(new) <- NULL
  new[] <- Map(function(column, old) {
    if (inherits(old, "Date")) return(as.Date(round(as.numeric(column)), origin = "1970-01-01"))
    if (inherits(old, "POSIXct")) return(as.POSIXct(as.numeric(column), attr(old, "tzone"), origin = "1970-01-01"))
        if (is.logical(old)) return(as.logical(as.character(column)))
    if (is.character(old)) return(as.character(column))
    column
  }, new, like)
  new
}

# The call decides everything by itself, as for somebody who gives only the table.
METHODS$particleflow <- list(
  has = function() {
    requireNamespace("particleflow", quietly = TRUE) && "synthesise" %in% getNamespaceExports("particleflow")
  },
  run = function(train, n, seed, parts) {
    set.seed(seed)
    fit <- clock(getExportedValue("particleflow", "synthesise")(train))
    new <- clock(stats::simulate(fit$value, n, seed = seed))
    log_density <- function(rows) stats::predict(fit$value, rows, type = "log_density")
    made(as.data.frame(new$value), fit$seconds, new$seconds, log_density,
         "density of continuous columns, probability of discrete ones and of missing values")
  }
)

METHODS$synthpop <- list(
  has = function() requireNamespace("synthpop", quietly = TRUE),
  run = function(train, n, seed, parts) {
    new <- clock(synthpop::syn(plain(train), k = n, seed = seed, print.flag = FALSE))
    made(back(new$value$syn, train), new$seconds, c(0, 0))
  }
)

MISSING <- "(missing)"
missing_levels <- function(x) {
  x <- plain(x)
  x[] <- lapply(x, function(column) {
    if (!anyNA(column)) return(column)
    levels(column) <- c(levels(column), MISSING)
    column[is.na(column)] <- MISSING
    column
  })
  x
}

levels_missing <- function(x) {
  x[] <- lapply(x, function(column) {
    if (!MISSING %in% levels(column)) return(column)
    factor(column, setdiff(levels(column), MISSING), ordered = is.ordered(column))
  })
  x
}

# What arf does with integers, done before, because arf::lik() fails on tables whose numbers are all integers.
whole_numbers <- function(x, train) {
  x[] <- Map(function(column, old) {
    if (!is.integer(old)) return(column)
    values <- sort(unique(old))
    if (length(values) > 5) as.numeric(column) else factor(column, values, ordered = TRUE)
  }, x, train)
  x
}

integers_again <- function(x, train) {
  x[] <- Map(function(column, old) if (is.integer(old)) as.integer(as.character(column)) else column, x, train)
  x
}

# Defaults, and missing values drawn; without a column of numbers arf fails at that, and a missing value is a level. The
# likelihood has alpha = 0.1, because with the default a level that a leaf does not have gets probability zero; the rows
# are drawn from the default. Rows with a missing value have no likelihood, because arf leaves their missing columns out
# of it, and what it then returns depends on the size of the batch. lik() is not given the forest, because with it arf
# 0.2.5 gives some rows a likelihood that is far too high.
METHODS$arf <- list(
  has = function() requireNamespace("arf", quietly = TRUE),
  run = function(train, n, seed, parts) {
    set.seed(seed)
    has_numbers <- any(vapply(plain(train), is.numeric, NA))
    prepare <- function(rows) whole_numbers(if (has_numbers) plain(rows) else missing_levels(rows), plain(train))
    x <- prepare(train)
    fit <- clock({
      forest <- arf::adversarial_rf(x, verbose = FALSE, parallel = FALSE)
      arf::forde(forest, x, parallel = FALSE)
    })
    new <- clock(arf::forge(fit$value, n, sample_NAs = has_numbers, verbose = FALSE, parallel = FALSE))
    log_density <- function(rows) {
      softened <- arf::forde(forest, x, alpha = 0.1, parallel = FALSE)
      rows <- prepare(rows)
      whole <- stats::complete.cases(rows)
      found <- rep(NA_real_, nrow(rows))
      found[whole] <- arf::lik(softened, rows[whole, , drop = FALSE], batch = 500, parallel = FALSE)
      found
    }
    made(back(integers_again(levels_missing(new$value), plain(train)), train), fit$seconds, new$seconds, log_density,
         "density of numbers, probability of factors and of integers with at most 5 values")
  }
)

# As many rows as it was given, its default, whatever n: with any other number it does not keep the ranks of the rows.
METHODS$synthesizer <- list(
  has = function() requireNamespace("synthesizer", quietly = TRUE),
  run = function(train, n, seed, parts) {
    set.seed(seed)
    new <- clock(synthesizer::synthesize(plain(train)))
    made(back(new$value, train), new$seconds, c(0, 0))
  }
)

METHODS$ForestDiffusion <- list(
  has = function() requireNamespace("ForestDiffusion", quietly = TRUE),
  run = function(train, n, seed, parts) {
    set.seed(seed)
    fit <- clock(ForestDiffusion::ForestDiffusion(X = plain(train), n_cores = 1))
    new <- clock(ForestDiffusion::ForestDiffusion.generate(fit$value, batch_size = n))
    made(back(new$value, train), fit$seconds, new$seconds)
  }
)

# References: the rows that the methods were given, and other real rows.
METHODS$train <- list(
  has = function() TRUE,
  run = function(train, n, seed, parts) {
    set.seed(seed)
    rows <- rep_len(sample(nrow(train)), n)
    made(train[rows, , drop = FALSE], c(0, 0), c(0, 0))
  }
)
METHODS$second <- list(
  has = function() TRUE,
  run = function(train, n, seed, parts) {
    if (is.null(parts$second)) stop("no further real rows")
    made(parts$second, c(0, 0), c(0, 0))
  }
)
