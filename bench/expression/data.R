# Real tables: x [samples, genes], group a factor. Khan and NCI60 of ISLR2, bladder of bladderbatch (all of Debian or
# CRAN), prostate and lymphoma of spls (CRAN), golub of
# multtest (Debian).

stored <- function(name, package) {
  place <- new.env()
  utils::data(list = name, package = package, envir = place)
  get(ls(place)[1], place)
}

table_of <- function(x, group) {
  x <- unname(as.matrix(x))
  kept <- apply(x, 2, function(column) any(column != column[1]))
  list(x = x[, kept], group = factor(group))
}

expression_sets <- list(
  khan = function() {
    khan <- ISLR2::Khan
    table_of(rbind(khan$xtrain, khan$xtest), c(khan$ytrain, khan$ytest))
  },
  bladder = function() {
    set <- stored("bladderdata", "bladderbatch")
    table_of(t(Biobase::exprs(set)), Biobase::pData(set)$cancer)
  },
  lymphoma = function() {
    set <- stored("lymphoma", "spls")
    table_of(set$x, set$y)
  },
  golub = function() {
    place <- new.env()
    utils::data(list = "golub", package = "multtest", envir = place)
    table_of(t(place$golub), place$golub.cl)
  },
  nci60 = function() {
    nci <- ISLR2::NCI60
    kept <- table(nci$labs)[nci$labs] >= 6
    table_of(nci$data[kept, ], nci$labs[kept])
  },
  prostate = function() {
    set <- stored("prostate", "spls")
    table_of(set$x, set$y)
  }
)

# Random halves of each class. A class of odd size gives its last row to one of the halves by chance.
random_halves <- function(group, seed) {
  set.seed(seed)
  first <- unlist(lapply(split(seq_along(group), group), function(rows) {
    size <- length(rows) %/% 2 + (length(rows) %% 2) * stats::rbinom(1, 1, 0.5)
    rows[sample.int(length(rows), size)]
  }))
  list(fit = sort(unname(first)), held = setdiff(seq_along(group), first))
}

# Counts. pbmc of sctransform (cells) and mouse of metagenomeSeq (bacteria), both of Debian, bci of vegan (trees),
# kidney of SimSeq (tumours and normal tissue, 5000 of the genes; CRAN), marioni of NOISeq (kidney and liver, repeated
# runs; Debian).
count_sets <- list(
  pbmc = function() {
    counts <- t(as.matrix(stored("pbmc", "sctransform")))
    table_of(counts[, colSums(counts > 0) > 1], rep(1, nrow(counts)))
  },
  mouse = function() {
    set <- stored("mouseData", "metagenomeSeq")
    counts <- t(attr(set, "assayData")$counts)
    group <- attr(attr(set, "phenoData"), "data")$diet
    table_of(counts[, colSums(counts > 0) > 4], group)
  },
  bci = function() table_of(stored("BCI", "vegan"), rep(1, 50)),
  kidney = function() {
    set <- stored("kidney", "SimSeq")
    counts <- t(set$counts)
    kept <- which(colSums(counts > 0) > 9)
    table_of(counts[, kept[seq(1, length(kept), length.out = 5000)]], set$treatment)
  },
  marioni = function() {
    place <- new.env()
    utils::data(list = "Marioni", package = "NOISeq", envir = place)
    counts <- t(as.matrix(place$mycounts))
    table_of(counts[, colSums(counts > 0) > 1], place$myfactors$Tissue)
  }
)
