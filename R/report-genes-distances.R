# Distances between the properties of two sets of samples.

# The area between the distribution functions of two samples, in the unit of the values.
area_between <- function(a, b) {
  a <- sort(a)
  b <- sort(b)
  if (!length(a) || !length(b)) return(NA_real_)
  if (length(a) == length(b)) return(mean(abs(a - b)))
  at <- sort(c(a, b))
  gap <- findInterval(at, a) / length(a) - findInterval(at, b) / length(b)
  sum(abs(gap[-length(at)]) * diff(at))
}

# The root mean square of the differences of the same gene, or the same pair of genes, in both sets.
each_difference <- function(a, b) sqrt(mean((a - b)^2, na.rm = TRUE))

# A data frame with one row per property and distance: property, of, measure, value. a, b: see set_properties().
property_distances <- function(a, b, chosen, units) {
  rows <- lapply(names(a), function(name) {
    of <- gene_properties$of[gene_properties$property == name]
    value <- c(ks = kolmogorov_smirnov(a[[name]], b[[name]]), area = area_between(a[[name]], b[[name]]),
               each = if (of %in% c("genes", "pairs of genes")) each_difference(a[[name]], b[[name]]))
    data.frame(property = name, of = of, measure = names(value), value = unname(value))
  })
  do.call(rbind, c(rows, pair_distances(a, b, chosen, units)))
}

# The square root of the energy distance between two properties at once, each in the unit of the real samples. Of genes
# those of the choice "drawn" are taken.
pair_distances <- function(a, b, chosen, units) {
  lapply(which(pairs_in(names(a))), function(i) {
    two <- strsplit(gene_pairs$property[i], " & ", fixed = TRUE)[[1]]
    points <- lapply(list(a, b), function(set) {
      x <- do.call(cbind, Map(function(values, unit) values / unit, set[two], units[two]))
      if (gene_pairs$of[i] == "genes") x[chosen$drawn, , drop = FALSE] else x
    })
    data.frame(property = gene_pairs$property[i], of = gene_pairs$of[i], measure = "energy",
               value = sqrt(max(energy_distance(unname(points[[1]]), unname(points[[2]])), 0)))
  })
}

# Which pairs have both their properties among `names`.
pairs_in <- function(names) {
  vapply(strsplit(gene_pairs$property, " & ", fixed = TRUE), function(two) all(two %in% names), NA)
}

# The standard deviations of the properties of a set, 1 for properties that do not vary.
property_units <- function(properties) {
  vapply(properties, function(values) {
    spread <- stats::sd(values, na.rm = TRUE)
    if (isTRUE(spread > 0)) spread else 1
  }, 0)
}

# What is found in the new sets beside what is found in the halves: the mean over the sets, and for halves the range.
# found: list(new, halves) of matrices [values, sets].
beside_halves <- function(found) {
  over <- function(values, f) apply(values, 1, function(row) if (all(is.na(row))) NA_real_ else f(row, na.rm = TRUE))
  data.frame(synthetic = over(found$new, mean), real = over(found$halves, mean), real_min = over(found$halves, min),
             real_max = over(found$halves, max))
}
