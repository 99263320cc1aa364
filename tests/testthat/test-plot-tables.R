# Pictures of two tables with columns of every kind: what they hold, and that they draw.

read_two <- particleflow:::read_shown

margins_of <- function(real, synthetic, ...) particleflow:::margins_picture(read_two(real, synthetic), NULL, NULL, ...)

draw_all <- function(real, synthetic) {
  for (type in particleflow:::table_types) {
    if (ncol(real) == 1 && type %in% c("pairs", "associations")) next
    picture <- particleflow:::tables_picture(type, real, synthetic, NULL, NULL, NULL)
    expect_no_error(particleflow:::draw_base(picture))
    if (requireNamespace("ggplot2", quietly = TRUE)) expect_no_error(print(particleflow:::draw_ggplot(picture)))
  }
}

quietly_drawn <- function(code) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  force(code)
}

test_that("margins hold the shares of all rows, missing values among them", {
  real <- data.frame(n = c(1, 1, 2, NA), f = factor(c("a", "b", "b", NA)))
  synthetic <- data.frame(n = c(2, 2, 2, 1), f = factor(c("a", "a", "a", "b")))
  shown <- margins_of(real, synthetic)$shown
  expect_equal(shown$n$real, c(0.5, 0.25, 0.25))
  expect_equal(shown$n$synthetic, c(0.25, 0.75, 0))
  expect_equal(shown$n$from, c(0.5, 1.5, NA))
  expect_identical(shown$f$label, c("b", "a", "(missing)"))
  expect_equal(shown$f$real, c(0.5, 0.25, 0.25))
  expect_equal(shown$f$synthetic, c(0.25, 0.75, 0))
  # bars are as long as the shares, in units of the longest, which is 0.95 of the panel
  picture <- margins_of(real, synthetic)
  bars <- picture$rects[picture$rects$panel == which(names(shown) == "n"), ]
  expect_equal(bars$y1, 0.95 * c(0.5, 0.25, 0.25) / 0.75)
})

test_that("the columns and levels that matter most are shown, and the rest is counted", {
  set.seed(1)
  real <- as.data.frame(matrix(rnorm(20 * 100), 100))
  synthetic <- real
  synthetic$V7 <- synthetic$V7 + 3
  synthetic$V12 <- synthetic$V12 + 1
  picture <- margins_of(real, synthetic)
  expect_length(picture$titles, 12)
  expect_identical(names(picture$shown)[1:2], c("V7", "V12"))
  expect_identical(picture$note, "The 12 of 20 columns with the largest differences.")
  # 60 levels: the 7 most frequent ones and the rest
  many <- data.frame(f = factor(rep(sprintf("l%02d", 1:60), c(20:14, rep(1:2, c(30, 23))))))
  shown <- margins_of(many, many)$shown$f
  expect_identical(shown$label, c(sprintf("l%02d", 1:7), "(53 more)"))
  expect_equal(shown$real, c(20:14, 30 + 46) / nrow(many))
})

test_that("numbers keep to their grid, and far values stand at the ends", {
  column <- function(x) read_two(data.frame(x = x), data.frame(x = x))$columns$x
  breaks <- particleflow:::bar_breaks(column(rep(c(3, 4, 7), 10)))
  expect_equal(breaks, c(2.5, 3.5, 4.5, 5.5, 6.5, 7.5))
  breaks <- particleflow:::bar_breaks(column(0:999))
  expect_equal(diff(breaks), rep(diff(breaks)[1], length(breaks) - 1))
  expect_equal(diff(breaks)[1] %% 1, 0)
  far <- margins_of(data.frame(x = c(seq(0, 1, length.out = 500), 1e6)), data.frame(x = 1:9 / 10))$shown$x
  expect_lt(max(far$to), 2)
  expect_equal(sum(far$real), 1)
})

test_that("pairs are ordered by their difference and drawn by their kinds", {
  set.seed(1)
  n <- 200
  real <- data.frame(a = rnorm(n), g = factor(rep(c("u", "v"), n / 2)), h = factor(rep(c("x", "x", "y", "y"), n / 4)))
  real$b <- real$a + rnorm(n) / 100
  synthetic <- real
  synthetic$b <- rev(synthetic$b)
  shown <- read_two(real, synthetic)
  pairs <- particleflow:::shown_associations(shown)
  expect_equal(pairs[c("first", "second", "measure", "real", "synthetic", "difference")],
               as.data.frame(associations(real, synthetic, 1))[1:6], ignore_attr = TRUE)
  picture <- particleflow:::pairs_picture(shown, pairs, 1, NULL)
  expect_identical(unlist(picture$shown[c("first", "second")], use.names = FALSE), c("a", "b"))
  expect_identical(picture$note, "The 1 of 6 pairs of columns with the largest differences.")
  expect_equal(as.vector(table(picture$points$panel)), c(n, n))
  expect_equal(cor(picture$points$x[1:n], picture$points$y[1:n]), cor(real$a, real$b), tolerance = 1e-3)
  two <- shown$columns[c("a", "g")]
  boxes <- particleflow:::boxes_panel(two, c("blue", "red"))[[1]]
  ends <- particleflow:::on_axis(quantile(real$a[real$g == "u"], c(0.25, 0.75)), particleflow:::shown_axis(two$a))
  expect_equal(unlist(boxes$rects[1, c("x0", "x1")]), ends, ignore_attr = TRUE)
  tiles <- particleflow:::tiles_panel(shown$columns[c("g", "h")], c("blue", "red"))[[1]]
  expect_equal(as.vector(tiles$shares), rep(0.5, 4))
})

test_that("matrices hold the associations and their differences, symmetric", {
  real <- data.frame(iris[c(TRUE, FALSE), ])
  synthetic <- iris[c(FALSE, TRUE), ]
  found <- associations(real, synthetic, 1)
  picture <- particleflow:::kept_picture(found, "associations", NULL, NULL, NULL)
  m <- picture$shown
  expect_equal(m$difference, m$synthetic - m$real)
  expect_equal(m$real, t(m$real))
  expect_equal(m$real["Sepal.Width", "Species"], found$real[found$first == "Sepal.Width" & found$second == "Species"])
  expect_equal(unname(diag(m$real)), rep(1, 5))
  few <- particleflow:::kept_picture(found, "associations", 3, NULL, NULL)
  expect_identical(few$note, "The 3 of 5 columns with the largest differences.")
})

test_that("the map shows principal coordinates of the mixed distance", {
  real <- data.frame(a = c(1, 5, 2, 9, 4), f = factor(c("u", "v", "w", "u", "v")), b = c(NA, 2, 3, 9, 1))
  shown <- read_two(real, real[5:1, ])
  picture <- particleflow:::map_picture(shown, NULL)
  points <- particleflow:::in_judged_units(shown$points, shown$layout, shown$points$real)$real
  reference <- cmdscale(dist(points), 2)
  seen <- picture$points[picture$points$panel == "real rows", c("x", "y")]
  expect_equal(abs(as.matrix(seen)), abs(reference), ignore_attr = TRUE)
  expect_identical(levels(picture$points$panel), c("both", "real rows", "synthetic rows"))
})

test_that("awkward tables are drawn", {
  set.seed(1)
  n <- 40
  awkward <- data.frame(
    number = rnorm(n), whole = rpois(n, 3), empty = NA, same = 1, level = factor("a"),
    ok = rep(c(TRUE, FALSE, NA, TRUE), 10),
    day = as.Date("2020-01-01") + 1:n, time = as.POSIXct("2020-01-01", tz = "UTC") + 1:n,
    place = ordered(rep(c("low", "high"), n / 2), c("low", "high")), huge = exp(rnorm(n, 0, 100)),
    gone = c(1, rep(NA, n - 1)), word = sample(letters, n, TRUE)
  )
  quietly_drawn({
    draw_all(awkward, awkward[n:1, ])
    draw_all(awkward, awkward[0, ])
    draw_all(awkward, awkward[1, ])
    for (name in names(awkward)) draw_all(awkward[name], awkward[5:1, name, drop = FALSE])
    draw_all(matrix(rnorm(60), 20), matrix(rnorm(30), 10))
  })
})

test_that("plots of a synthesis show its rows, given or drawn, and restore par()", {
  x <- data.frame(id = 1:60, n = c(NA, round(rnorm(59), 2)), f = rep(c("a", "b", NA), 20), k = rpois(60, 2))
  fit <- synthesise(x, id = "id", flow = FALSE, law = "global", quiet = TRUE)
  rows <- particleflow:::fitted_rows(fit)
  expect_equal(rows, x[-1])
  set.seed(3)
  drawn <- particleflow:::synthesis_picture(fit, "margins", 50, NULL, NULL, NULL, NULL, NULL, NULL)
  given <- particleflow:::synthesis_picture(fit, "margins", simulate(fit, 50, seed = 3), NULL, NULL, NULL, NULL, NULL,
                                            NULL)
  expect_equal(drawn$shown, given$shown)
  # the stars of the data side are the scores that were drawn, missing values or not
  set.seed(3)
  picture <- particleflow:::efs_picture(fit, "latent", NULL, 10, NULL, NULL, NULL)
  stars <- split(picture$points[picture$points$kind == "new", c("x", "y")],
                 picture$points$panel[picture$points$kind == "new"])
  expect_equal(stars[[1]], stars[[2]], ignore_attr = TRUE)
  quietly_drawn({
    before <- graphics::par(no.readonly = TRUE)
    for (type in c("margins", "pairs", "associations", "map", "latent", "trajectory")) {
      expect_identical(plot(fit, type = type), fit)
      expect_identical(graphics::par(no.readonly = TRUE)[c("mfrow", "mar", "oma", "cex", "mgp", "las", "pty")],
                       before[c("mfrow", "mar", "oma", "cex", "mgp", "las", "pty")])
    }
  })
  expect_error(plot(fit, type = "map", n_pairs = 2), "`n_pairs` belongs to type = \"pairs\"")
  expect_error(plot(fit, path = 1:2), "`path` belongs to type = \"latent\"")
})

test_that("reports and comparisons have the same pictures", {
  real <- iris[c(TRUE, FALSE), ]
  synthetic <- iris[c(FALSE, TRUE), ]
  report <- fidelity(real, synthetic, n_permutations = 99, progress = FALSE, scores = fidelity_scores()[1])
  picture <- particleflow:::report_picture(report, "margins", NULL, NULL, real, synthetic, NULL)
  expect_equal(picture$shown, margins_of(real, synthetic)$shown)
  expect_error(plot(report, type = "map"), "needs the tables")
  compared <- structure(
    data.frame(table = c("held-out rows", "a"), auc = c(0.5, 0.7), auc_lower = c(0.4, 0.6), auc_upper = c(0.6, 0.8),
               novelty = c(1, NA), energy = c(0, 0), usefulness = NA_real_),
    class = c("compared_tables", "data.frame"), train = 10
  )
  picture <- particleflow:::compared_picture(compared, NULL)
  expect_identical(picture$titles, c("classifier AUC", "novelty", "energy distance"))
  # the axis of the AUC goes from 0.4 to 0.8
  expect_equal(picture$points$x[1:2], 0.06 + 0.88 * c(0.25, 0.75))
  expect_equal(sum(picture$points$panel == 2), 1)
  quietly_drawn({
    expect_identical(plot(compared), compared)
    expect_identical(plot(report, type = "pairs", real = real, synthetic = synthetic), report)
    expect_s3_class(plot(margin_distances(real, synthetic)), "margin_distances")
  })
})

test_that("a fit without a flow says so in its plots", {
  set.seed(6)
  fit <- synthesise(data.frame(a = rnorm(40), b = rnorm(40)), law = law_student(), flow = FALSE, quiet = TRUE)
  expect_error(plot(fit, type = "energy"), "shows a flow, but the fit has none")
  picture <- synthesis_picture(fit, "trajectory", NULL, NULL, NULL, NULL, NULL, NULL, NULL)
  expect_identical(as.character(picture$panels$panel), "time 0 (no flow)")
  picture <- synthesis_picture(fit, "latent", NULL, NULL, NULL, NULL, NULL, NULL, NULL)
  expect_identical(as.character(picture$panels$panel), c("data", "latent (no flow)"))
})

test_that("each side of a latent plot has its own limits", {
  set.seed(7)
  # a long flow draws the rows together: without limits of their own they would be a dot
  fit <- efs(data.frame(a = rnorm(60), b = rnorm(60), c = rnorm(60)), calibrate = FALSE, s = 0, time = 3)
  picture <- efs_picture(fit, "latent", NULL, NULL, NULL, NULL, NULL)
  wide <- tapply(picture$points$x, picture$points$panel, function(x) diff(range(x)))
  shown <- picture$panels$xmax - picture$panels$xmin
  expect_length(shown, 2)
  expect_true(all(wide / shown > 0.5))
  expect_gt(max(shown) / min(shown), 2)
})

test_that("long words that begin alike are cut in the middle, others at the end", {
  words <- c("measurement_of_marker_1", "measurement_of_marker_12", "a_rather_long_name_here", "short")
  cut <- short_words(words, 16)
  expect_identical(cut, c("measure..arker_1", "measure..rker_12", "a_rather_long_..", "short"))
  expect_false(anyDuplicated(short_words(paste0("measurement_of_marker_", 1:30), 14)) > 0)
  expect_identical(short_words(rep("one long level of a factor", 2), 10), rep("one long..", 2))
})

test_that("small differences of associations have colours of their own, and the title says so", {
  pairs <- data.frame(first = c("a", "a", "b"), second = c("b", "c", "c"), real = c(0.5, 0.1, 0), difference = 0)
  picture <- function(largest) {
    pairs$difference <- c(largest, 0, -largest / 2)
    pairs$synthetic <- pairs$real + pairs$difference
    associations_picture(pairs, c("a", "b", "c"), NULL)
  }
  expect_identical(picture(0.08)$titles[3], "synthetic less real, times 10")
  expect_identical(picture(0.2)$titles[3], "synthetic less real, times 5")
  expect_identical(picture(0.6)$titles[3], "synthetic less real")
  own <- picture(0.08)$rects
  expect_true(all(c(association_colour(0.8), association_colour(-0.4)) %in% own$fill[own$panel == 3]))
})
