fits <- function() {
  set.seed(1)
  x <- as.matrix(iris[1:40, 1:2])
  list(
    efs = efs(x, calibrate = FALSE),
    grouped = efs(iris[c(1:30, 51:80), ], group = "Species", calibrate = FALSE),
    gpa = gpa(x, x + 1, n_steps = 3),
    energy_flow = energy_flow(x, x + 1, n_steps = 3, tolerance = 0),
    wgf = wgf(target_ring(), n = 30, n_steps = 3),
    pushforward = pushforward(x, "energy", n_steps = 3, batch = 20),
    integration = integrate_data(rbind(x, x + 1), rep(1:2, each = 40), 1, n_steps = 2, compare = FALSE)
  )
}
answer <- function(fit) {
  if (inherits(fit, "integration")) predict(fit, matrix(1:2, 1), 2) else simulate(fit, 2, seed = 1)
}

test_that("a fit that was changed by hand gives no answer", {
  for (fit in fits()) {
    expect_no_error(answer(fit))
    again <- unserialize(serialize(fit, NULL))
    expect_identical(answer(again), answer(fit))
    maker <- if (inherits(fit, "integration")) "integrate_data" else class(fit)[1]
    said <- sprintf("`object` was changed after %s\\(\\) made it", maker)
    for (part in setdiff(names(fit), c("call", "elapsed", "version", "fingerprint", "report", "scores"))) {
      broken <- fit
      broken[[part]] <- if (is.list(fit[[part]])) c(fit[[part]], list(added = 1)) else list("another")
      if (part == "trajectory") {
        broken$trajectory <- fit$trajectory
        one <- if (inherits(fit$trajectory, "particle_trajectory")) broken$trajectory else broken$trajectory[[1]]
        one$frames[1] <- one$frames[1] + 1e-9
        if (inherits(fit$trajectory, "particle_trajectory")) broken$trajectory <- one else broken$trajectory[[1]] <- one
      }
      expect_error(answer(broken), said, class = "particleflow_input", info = paste(class(fit)[1], part))
    }
    # what an answer does not depend on may be changed
    fit$elapsed <- 0
    fit$call <- quote(efs(x))
    expect_no_error(answer(fit))
  }
})

test_that("a fit is sealed together with its own trajectory", {
  both <- list(fits(), {
    set.seed(2)
    x <- as.matrix(iris[61:100, 1:2])
    list(efs = efs(x, calibrate = FALSE), gpa = gpa(x, x + 1, n_steps = 3),
         energy_flow = energy_flow(x, x + 1, n_steps = 3, tolerance = 0),
         wgf = wgf(target_ring(), n = 30, n_steps = 3))
  })
  for (name in c("efs", "gpa", "energy_flow", "wgf")) {
    fit <- both[[1]][[name]]
    said <- sprintf("`object` was changed after %s\\(\\) made it", name)
    for (other in list(both[[2]][[name]]$trajectory, NULL, NA, "none", list(), mean, list(fit$trajectory))) {
      broken <- fit
      broken["trajectory"] <- list(other)
      expect_error(answer(broken), said, class = "particleflow_input", info = name)
    }
    broken <- fit
    broken$trajectory <- NULL
    expect_error(answer(broken), said, class = "particleflow_input", info = name)
  }
  # one class of a grouped fit with the trajectory of the other
  fit <- both[[1]]$grouped
  fit$trajectory[1:2] <- fit$trajectory[2:1]
  expect_error(answer(fit), "changed after efs")
})

test_that("fits of versions that cannot be read are refused in one sentence", {
  fit <- fits()$efs
  for (version in c("0.1.0", "99.0.0")) {
    fit$version <- version
    expect_error(simulate(fit, 1),
                 sprintf("was made by particleflow %s, whose fits particleflow .* cannot read", version))
  }
  for (version in list(NULL, NA, NA_character_, "", "abc", c("0.2.0", "0.2.0"), 0.2, list(), mean)) {
    fit["version"] <- list(version)
    expect_error(predict(fit, iris[1:2, 1:2]),
                 "`object` was made by particleflow of an unknown version, whose fits .*[.]$",
                 class = "particleflow_input")
  }
})

test_that("a fingerprint depends on numbers, names, words and functions, not on the session", {
  x <- list(a = c(1, NA, NaN, -0), b = "word", c = list(f = function(x) x + 1, g = factor("u")), d = NULL, e = TRUE)
  print_of <- function(x) particleflow:::fingerprint(x)
  expect_identical(print_of(x), print_of(unserialize(serialize(x, NULL))))
  others <- list(
    list(a = 1), modifyList(x, list(b = "other")), stats::setNames(x, letters[2:6]),
    modifyList(x, list(c = list(f = function(x) x + 2))), modifyList(x, list(c = list(g = factor("v")))),
    modifyList(x, list(e = FALSE))
  )
  prints <- vapply(c(list(x), others), print_of, "")
  expect_false(anyDuplicated(prints) > 0)
  expect_false(print_of(matrix(1:6, 2)) == print_of(matrix(1:6, 3)))
})

test_that("fingerprints are those of fits that were saved before", {
  print_of <- function(x) particleflow:::fingerprint(x)
  x <- list(a = c(1, NA, -0), b = "w\u00f6rd \u4e2d \U1F600", list(quote(x + 1)), m = matrix(1:6, 2),
            g = factor(c("u", NA)), n = NA_character_)
  expect_identical(print_of(x), "8a34fef432f2436f")
  expect_identical(print_of(data.frame(a = 1:2, b = c("x", "y"))), "3790432364b81e8e")
  expect_identical(print_of(structure(list(1), other = TRUE)), "b9d60682d8ec6149")
  latin <- "w\xf6rd"
  Encoding(latin) <- "latin1"
  expect_identical(print_of(latin), print_of("w\u00f6rd"))
  for (nothing in list(NULL, as.raw(1:3), 1i, Sys.Date(), globalenv())) expect_identical(print_of(nothing), "")
  expect_identical(print_of(character()), print_of(""))
  expect_false(print_of(c("a", "b")) == print_of("ab"))
})

test_that("a factor without levels for its codes has a fingerprint, so that a fit with one is refused", {
  fit <- synthesise(iris[c(1:20, 61:80), 4:5], group = "Species", quiet = TRUE, law = "student", flow = FALSE)
  for (broken in list(structure(1:3, class = "factor"), structure(c(1L, 9L), levels = c("a", "b"), class = "factor"))) {
    expect_match(particleflow:::fingerprint(broken), "^[0-9a-f]{16}$")
    changed <- fit
    changed$table$group <- list(name = "Species", levels = broken)
    expect_error(simulate(changed, 3), "was changed after synthesise", class = "particleflow_input")
  }
})
