# 400 rows of a level and a number that separates the levels; the first hundred levels are missing. `level` is what they
# were. The two classes overlap by 0.3 %.
separated_levels <- function() {
  set.seed(42)
  level <- base::sample(c("u", "v"), 400, TRUE)
  rows <- data.frame(g = factor(level), y = rnorm(400, ifelse(level == "u", 0, 6)))
  rows$g[1:100] <- NA
  list(rows = rows, level = level)
}
