# Ctrl-C in what strangers could not stop. Flows are in test-machine.R, principal components in test-latent.R, networks
# in test-gpa.R.

test_that("Ctrl-C stops Algorithm 3, the mixture law, transport and permutations within a second", {
  skip_on_os("windows") # no signal can be sent to oneself there
  set.seed(1)
  x <- matrix(rnorm(40 * 3), 40)
  traj <- efs_forward(x, s = 1, epsilon = 0.1, n_steps = 3)
  expect_lt(least_delay(efs_backward(traj, x, "paper", n_inner = 1e7)), 1)
  # what may end within a second is repeated
  long <- matrix(rnorm(1e5 * 3), 1e5)
  expect_lt(least_delay(repeat particleflow:::mixture_fit(long)), 1)
  wide <- matrix(rnorm(20000 * 10), 20000)
  expect_lt(least_delay(repeat wasserstein2(wide, wide + 1, blur = 0.2, max_rows = 20000)), 1)
  expect_lt(least_delay(repeat wasserstein2(wide[1:3000, ], wide[3001:6000, ])), 1)
  expect_lt(least_delay(repeat energy_test(wide[1:3000, ], wide[3001:6000, ])), 1)
  expect_lt(least_delay(repeat energy_distance(wide, wide + 1, method = "sliced", n_directions = 1000)), 1)
  expect_lt(least_delay(repeat energy_test(wide, wide + 1, method = "sliced", n_directions = 1000)), 1)
})
