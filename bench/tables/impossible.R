# Rscript bench/tables/impossible.R [DRAWS]: counts impossible values among 1e6 draws from three tables. It takes ten
# seconds, prints one line per rule, and stops if a rule is broken.
library(particleflow)
draws <- as.numeric(c(commandArgs(TRUE), 1e6)[1])
quick <- function(x, ...) synthesise(x, ..., law = law_student(), flow = FALSE, quiet = TRUE)
broken <- 0
count <- function(table, rule, bad) {
  cat(sprintf("%-10s %-60s %d of %d\n", table, rule, sum(bad), length(bad)))
  broken <<- broken + sum(bad)
}

set.seed(1)
n <- 500
account <- data.frame(
  income = ifelse(runif(n) < 0.3, 0, round(rlnorm(n, 7, 1), 2)), rate = round(rbeta(n, 2, 20), 3),
  percent = round(100 * rbeta(n, 0.7, 0.7), 1), children = rpois(n, 1.2), month = sample(12L, n, TRUE),
  region = sample(c("north", "south", "east"), n, TRUE)
)
new <- simulate(quick(account, columns = list(month = column_count(1, 12))), draws, seed = 1)
count("account", "income is negative or has no whole cents", new$income < 0 | new$income != round(new$income, 2))
count("account", "rate is below 0 or above 1", new$rate < 0 | new$rate > 1)
count("account", "percent is below 0 or above 100", new$percent < 0 | new$percent > 100)
count("account", "children is negative or no whole number", new$children < 0 | new$children != round(new$children))
count("account", "month is not among 1 to 12", !new$month %in% 1:12)
count("account", "region is unknown", !new$region %in% account$region)

start <- as.Date("2020-01-01") + sample(900, n, TRUE)
stay <- data.frame(
  start = start, end = start + rpois(n, 6), low = (low <- rnorm(n, 120, 15)), high = low + rexp(n, 0.05),
  stage = factor(sample(c("I", "II", "III"), n, TRUE)), grade = sample(1:3, n, TRUE)
)
stay <- stay[!(stay$stage == "I" & stay$grade == 3) & !(stay$stage == "III" & stay$grade == 1), ]
stay$nights <- as.numeric(stay$end - stay$start)
fit <- quick(stay, constraints = list(~ start <= end, ~ low <= high), combine = c("stage", "grade"))
new <- simulate(fit, draws, seed = 1)
count("stay", "start is after end", new$start > new$end)
count("stay", "low is above high", new$low > new$high)
count("stay", "stage and grade do not occur together", !paste(new$stage, new$grade) %in% paste(stay$stage, stay$grade))
count("stay", "nights is not end - start", new$nights != as.numeric(new$end - new$start))

bill <- data.frame(price = round(rlnorm(n, 2), 2), pieces = 1L + rpois(n, 4), all = 20L + rpois(n, 50),
                   kg = round(rnorm(n, 75, 12), 1), cm = round(rnorm(n, 172, 9)))
bill$worth <- round(bill$price * bill$pieces, 2)
bill$some <- rbinom(n, bill$all, 0.7)
bill$bmi <- round(bill$kg / (bill$cm / 100)^2, 1)
fit <- quick(bill, constraints = ~ some <= all, columns = list(pieces = column_count(lower = 1)))
new <- simulate(fit, draws, seed = 1)
count("bill", "a number is negative", Reduce(`|`, lapply(new, function(x) x < 0)))
count("bill", "worth is not price times pieces", abs(new$worth - new$price * new$pieces) > 0.00501)
count("bill", "bmi is not kg / m^2 to one decimal", abs(new$bmi - new$kg / (new$cm / 100)^2) > 0.0501)
count("bill", "some is above all", new$some > new$all)
count("bill", "pieces is below 1", new$pieces < 1)
if (broken > 0) stop(broken, " impossible values")
