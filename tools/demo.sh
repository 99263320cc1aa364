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

# cli, generics and mclust are needed.
stage_packages() {
  missing=$(missing_packages Imports)
  if [ -n "$missing" ]; then
    say "R packages: installing" $missing "..."
    install_packages Imports
    missing=$(missing_packages Imports)
  fi
  if [ -n "$missing" ]; then
    say "R packages:" $missing "could not be installed." >&2
    log_tail
    exit 1
  fi
}

# ISLR2 and SimSeq have the data, and ranger the forest. The example leaves out what it cannot have.
stage_extras() {
  extras=$(missing_extras)
  if [ -n "$extras" ]; then
    say "R packages for the example: installing" $extras "..."
    apt_install r-cran-ranger r-cran-fdrtool || true
    extras=$(missing_extras)
    # shellcheck disable=SC2086 # a list of words
    [ -z "$extras" ] || cran_install $extras || true
    extras=$(missing_extras)
  fi
  if [ -z "$extras" ]; then
    say "R packages: all there."
  else
    say "R packages:" $extras "cannot be had here; the example goes on without."
  fi
}

missing_extras() {
  Rscript -e 'for (name in c("ISLR2", "SimSeq", "ranger")) if (!requireNamespace(name, quietly = TRUE)) cat(name, "")'
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
stage_extras
stage_build
say "example: inst/examples/khan.R, which takes about half a minute"
say
Rscript "$root/inst/examples/khan.R" "$output"
