#!/bin/sh
# sh tools/demo.sh [DIRECTORY]: makes new samples of a small gene-expression study, starting from nothing.
# Installs what is missing (Debian and Ubuntu), builds the package into a library of its own and runs
# inst/examples/khan.R. Everything but the Debian packages goes to DIRECTORY (default ./demo-output).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
output=${1:-demo-output}
mkdir -p "$output"
output=$(cd "$output" && pwd)
library=$output/library
log=$output/install.log
: > "$log"
# shellcheck source=tools/install.sh
. "$root/tools/install.sh"

# cli, generics and mclust are needed; without the data the example uses R's own iris
stage_packages() {
  missing=$(missing_packages Imports)
  data=$(missing_data)
  if [ -z "$missing$data" ]; then
    say "R packages: all there."
    return
  fi
  say "R packages: installing" $missing $data "..."
  [ -z "$missing" ] || install_packages Imports
  missing=$(missing_packages Imports)
  if [ -n "$missing" ]; then
    say "R packages:" $missing "could not be installed." >&2
    log_tail
    exit 1
  fi
  [ -z "$data" ] || cran_install "$data" || true
  if [ -n "$(missing_data)" ]; then
    say "R packages: $data (the data) cannot be had here; going on with R's own iris."
  fi
}

missing_data() {
  Rscript -e 'if (!requireNamespace("ISLR2", quietly = TRUE)) cat("ISLR2")'
}

# A build from a copy leaves no object files in the sources.
stage_build() {
  say "package: building and installing into $library ..."
  build=$(mktemp -d)
  trap 'rm -rf "$build"' EXIT
  trap 'exit 130' INT TERM
  mkdir -p "$library"
  if ! (cd "$build" && quietly R CMD build --no-build-vignettes "$root" &&
    quietly R CMD INSTALL --library="$library" particleflow_*.tar.gz); then
    say "package: it does not build." >&2
    log_tail 25
    exit 1
  fi
}

set_locale
set_library
stage_system r-cran-cli r-cran-generics r-cran-mclust
stage_packages
stage_build
say "example: inst/examples/khan.R"
say
Rscript "$root/inst/examples/khan.R" "$output"
