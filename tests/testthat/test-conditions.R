test_that("errors have classes that say which kind they are", {
  expect_error(efs("a"), class = "particleflow_input")
  expect_error(efs("a"), class = "particleflow_error")
  error <- tryCatch(gpa(1, 2), error = identity)
  expect_null(conditionCall(error))
  expect_s3_class(error, c("particleflow_input", "particleflow_error", "error", "condition"), exact = TRUE)
  kinds <- c(unfit = "stop_unfit", unsolved = "stop_unsolved", size = "stop_size")
  for (kind in names(kinds)) {
    error <- tryCatch(getFromNamespace(kinds[[kind]], "particleflow")("%d rows", 3L), error = identity)
    expect_s3_class(error, paste0("particleflow_", kind))
    expect_identical(conditionMessage(error), "3 rows")
  }
})
