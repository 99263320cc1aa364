library(testthat)
library(particleflow)

test_check("particleflow")
