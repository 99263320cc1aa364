# Rscript bench/posteriors/data.R FOLDER: makes data/*.rds from a copy of posteriordb in FOLDER (its folder
# posterior_database; https://github.com/stan-dev/posteriordb). Each file is a list: the model's `data`, and reference
# draws on the free scale as whole numbers, z = centre + unit * steps, with unit = sd / 10000.
folder <- commandArgs(TRUE)[1]
here <- "bench/posteriors"
source(file.path(here, "free.R"))
source(file.path(here, "posteriors.R"))

# name here = c(posteriordb's data, posteriordb's draws)
sources <- list(
  kidscore_momiq = c("kidiq", "kidiq-kidscore_momiq"),
  kilpisjarvi = c("kilpisjarvi_mod", "kilpisjarvi_mod-kilpisjarvi"),
  logearn_interaction = c("earnings", "earnings-logearn_interaction"),
  logmesquite = c("mesquite", "mesquite-logmesquite_logvash"), mesquite = c("mesquite", "mesquite-mesquite"),
  blr = c("sblri", "sblri-blr"), arK = c("arK", "arK-arK"), nes2000 = c("nes2000", "nes2000-nes"),
  garch11 = c("garch", "garch-garch11"), arma11 = c("arma", "arma-arma11"),
  gp_regr = c("gp_pois_regr", "gp_pois_regr-gp_regr"),
  gauss_mix = c("low_dim_gauss_mix", "low_dim_gauss_mix-low_dim_gauss_mix"),
  hmm = c("hmm_example", "hmm_example-hmm_example"),
  schools_noncentred = c("eight_schools", "eight_schools-eight_schools_noncentered")
)

read_zip <- function(path) {
  jsonlite::fromJSON(unz(path, sub("[.]zip$", "", basename(path))))
}

for (name in names(sources)) {
  data <- read_zip(file.path(folder, "data", "data", paste0(sources[[name]][1], ".json.zip")))
  kept <- file.path(folder, "reference_posteriors", "draws", "draws", paste0(sources[[name]][2], ".json.zip"))
  chains <- read_zip(kept)
  draws <- sapply(chains, function(column) unlist(column))
  entry <- new_entry(name, get(paste0("model_", name))(data))
  if (name == "schools_noncentred") {                # posteriordb keeps theta = mu + tau theta_trans
    theta <- draws[, indexed("theta", 8)]
    draws <- cbind((theta - draws[, "mu"]) / draws[, "tau"], draws[, c("mu", "tau")])
    colnames(draws) <- entry$parameters
  }
  if (name == "garch11") draws <- cbind(draws, rest = 1 - draws[, "alpha1"] - draws[, "beta1"])
  z <- to_free_scale(entry, draws)
  centre <- colMeans(z)
  unit <- apply(z, 2, stats::sd) / 1e4
  steps <- round(sweep(sweep(z, 2, centre), 2, unit, "/"))
  storage.mode(steps) <- "integer"
  dimnames(steps) <- NULL
  saveRDS(list(data = data, centre = unname(centre), unit = unname(unit), steps = steps),
          file.path(here, "data", paste0(name, ".rds")), compress = "xz")
  cat(name, nrow(z), "draws of", ncol(z), "\n")
}
