# A missing source of a known recoded copy.

test_that("a missing source is drawn among the values that its known copy allows", {
  set.seed(81)
  n <- 300
  x <- data.frame(age = round(runif(n, 20, 80)), stage = factor(sample(c("I", "II", "III", "IV"), n, TRUE, 4:1)))
  x$y <- rnorm(n) + as.integer(x$stage)
  x$late <- factor(ifelse(x$stage %in% c("II", "IV"), "some", "other"))
  x$old <- factor(ifelse(x$age >= 60, "old", "young"))
  for (gone in list(integer(), 1:30)) { # with and without an indicator of missing values
    x[gone, c("stage", "late")] <- NA
    fit <- synthesise(x, law = law_student(), flow = FALSE, quiet = TRUE)
    rows <- data.frame(age = NA_real_, stage = factor(NA, levels(x$stage)), y = rnorm(200, 3),
                       late = factor(rep(c("some", "other"), 100)), old = factor(rep(c("old", "young"), each = 100)))
    filled <- predict(fit, rows, type = "impute", m = 1, seed = 1)[[1]]
    expect_false(anyNA(filled))
    expect_identical(filled$stage %in% c("II", "IV"), rows$late == "some")
    expect_identical(filled$age >= 60, rows$old == "old")
    expect_setequal(as.character(filled$stage), levels(x$stage)) # both levels of each copy
    expect_identical(filled[c("y", "late", "old")], rows[c("y", "late", "old")])
  }
})
