# compare() on expression tables: the report of each table, in one row.

gene_arguments <- c("group", "counts", "assay.type", "splits", "expression")

# given: the further arguments of compare(), those of gene_arguments.
compare_genes <- function(train, tables, holdout, target, classifier, seed, threads, given) {
  if (!is.null(target) || !is.null(classifier)) {
    fail("`%s` has no meaning for expression tables; leave it out, or give `expression = FALSE`.",
         if (is.null(target)) "classifier" else "target")
  }
  splits <- if (is.null(given$splits)) 5L else given$splits
  reports <- Map(function(name, table) {
    in_table(name, judge_genes(train, table, holdout, given$group, given$counts, given$assay.type, splits, seed,
                               threads, NULL))
  }, names(tables), tables)
  rows <- c(list(row_of_halves(reports[[1]])), Map(row_of_genes, names(tables), reports))
  structure(do.call(rbind, unname(rows)), class = c("compared_tables", "data.frame"), train = reports[[1]]$n[["real"]])
}

# The value of an expression, whose errors about arguments name the table.
in_table <- function(name, value) {
  tryCatch(value, particleflow_input = function(e) fail("Table \"%s\": %s", name, conditionMessage(e)))
}

row_of_genes <- function(name, report) {
  values <- report$values
  distances <- values[values$part == "distance", ]
  of <- function(what) mean(distances$ratio[distances$of %in% what], na.rm = TRUE)
  data.frame(table = name, auc = values$synthetic[values$part == "classifier"], novelty = report$novelty$ratio,
             duplicates = report$novelty$duplicates, genes = of("genes"), gene_pairs = of("pairs of genes"),
             samples = of(c("samples", "pairs of samples")), beyond = length(report$beyond),
             rows = report$n[["synthetic"]])
}

# The yardstick: the halves of the real samples beside each other.
row_of_halves <- function(report) {
  auc <- report$values$real[report$values$part == "classifier"]
  data.frame(table = halves_name, auc = auc, novelty = 1, duplicates = 0, genes = 1, gene_pairs = 1, samples = 1,
             beyond = 0L, rows = sum(report$n[intersect(c("real", "holdout"), names(report$n))]))
}

halves_name <- "real halves"
