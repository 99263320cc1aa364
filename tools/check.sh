#!/bin/sh
# sh tools/check.sh: runs every test. Installs what the tests need (Debian and Ubuntu), then runs
#   1. the rules of the house (tools/house.R), and that each of them finds a planted breach,
#   2. the stand-alone tests of the C core under sanitizers, at the same time as R CMD build with the vignettes,
#   3. R CMD check --as-cran, in which testthat runs,
#   4. a look at the symbols that the library exports.
# Fails on any failed test, any error or warning of R CMD check and any note without a reason below. The
# last line is "N passed, N failed", with ", N skipped" where tests were skipped: core checks, testthat
# expectations and the steps of R CMD check, added up.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
library=$root/demo-output/library # shared with demo.sh
work=$(mktemp -d)
log=$work/install.log
: > "$log"
# shellcheck source=tools/install.sh
. "$root/tools/install.sh"

passed=0
failed=0
skipped=0
core=""

# count PASSED FAILED [SKIPPED]
count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  skipped=$((skipped + ${3:-0}))
}

# finish: prints the last line, also if a stage ends the script
finish() {
  status=$?
  trap - EXIT
  [ -z "$core" ] || kill "$core" 2> /dev/null || true
  if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
    failed=1
  fi
  if [ "$failed" = 0 ]; then
    rm -rf "$work"
  else
    say "logs: $work"
  fi
  line="$passed passed, $failed failed"
  [ "$skipped" = 0 ] || line="$line, $skipped skipped"
  say "$line"
  [ "$failed" = 0 ] || exit 1
}
trap finish EXIT
trap 'exit 130' INT TERM

# --- what the tests need ------------------------------------------------------------------------------

stage_tools() {
  missing=""
  for tool in pandoc qpdf; do
    have "$tool" || missing="$missing $tool"
  done
  if [ -z "$missing" ]; then
    say "tools: all there."
    return
  fi
  say "tools: installing$missing ..."
  # shellcheck disable=SC2086 # a list of words
  apt_install $missing || true
  for tool in $missing; do
    have "$tool" || by_hand "Please install $tool by hand, then run this again."
  done
}

# Two files are compiled at a time, of packages that are installed and of this one.
two_at_a_time() {
  MAKEFLAGS=-j2
  export MAKEFLAGS
}

stage_packages() {
  missing=$(missing_packages Imports Suggests)
  if [ -z "$missing" ]; then
    say "R packages: all there."
    return
  fi
  say "R packages: installing" $missing "..."
  install_packages Imports Suggests
  missing=$(missing_packages Imports Suggests)
  [ -z "$missing" ] || say "R packages: going on without" $missing
  for package in $(missing_packages Imports) $missing; do
    case $package in
      cli | generics | mclust | testthat | knitr | rmarkdown)
        log_tail
        by_hand "Please install the R package $package by hand, then run this again."
        ;;
    esac
  done
}

# --- 1. the house ---------------------------------------------------------------------------------------

stage_house() {
  for mode in "" --breaches; do
    # shellcheck disable=SC2086 # an option or nothing
    if Rscript "$root/tools/house.R" $mode "$root" > "$work/house.log" 2>&1; then
      count 1 0
    else
      cat "$work/house.log"
      count 0 1
    fi
    tail -n 1 "$work/house.log"
  done
}

# --- 2. the core --------------------------------------------------------------------------------------

# Most of the core's tests and of the vignettes use one processor, so they go side by side.
start_core() {
  say "core: compiling and running the stand-alone tests ..."
  sh "$root/tests/core/run.sh" > "$work/core.log" 2>&1 &
  core=$!
}

stage_core() {
  wait "$core" || true
  core=""
  line=$(sed -n 's/^core: \([0-9]*\) checks, \([0-9]*\) failed$/\1 \2/p' "$work/core.log")
  if [ -z "$line" ]; then
    tail -n 30 "$work/core.log"
    count 0 1
    return
  fi
  [ "${line#* }" = 0 ] || head -n 60 "$work/core.log"
  sed -n '/^  .* checks, /p; /left out$/p' "$work/core.log"
  count "$((${line% *} - ${line#* }))" "${line#* }"
}

# --- 3. R CMD build and check -------------------------------------------------------------------------

stage_build() {
  say "package: R CMD build ..."
  if ! (cd "$work" && quietly R CMD build "$root"); then
    log_tail 30
    count 0 1
    exit 1
  fi
  count 1 0
}

# Nothing in a check may wait for a network: no look at the repository, the clock or the web.
offline() {
  _R_CHECK_CRAN_INCOMING_REMOTE_=false
  _R_CHECK_CRAN_INCOMING_USE_ASPELL_=false
  _R_CHECK_SYSTEM_CLOCK_=false
  _R_CHECK_XREFS_USE_ALIASES_FROM_CRAN_=false
  _R_CHECK_FORCE_SUGGESTS_=false
  # batchelor is in neither Debian nor CRAN
  _R_CHECK_PACKAGE_DEPENDS_IGNORE_MISSING_ENHANCES_=true
  export _R_CHECK_CRAN_INCOMING_REMOTE_ _R_CHECK_CRAN_INCOMING_USE_ASPELL_ _R_CHECK_SYSTEM_CLOCK_ \
    _R_CHECK_XREFS_USE_ALIASES_FROM_CRAN_ _R_CHECK_FORCE_SUGGESTS_ _R_CHECK_PACKAGE_DEPENDS_IGNORE_MISSING_ENHANCES_
  # testthat runs the tests that it would skip on CRAN
  NOT_CRAN=true
  # two files of tests run at a time, and threads that wait must not hold the processors of the others
  OMP_WAIT_POLICY=passive
  export NOT_CRAN OMP_WAIT_POLICY
}

# The manual as PDF needs pdflatex with the fonts of R's style file.
manual_option() {
  if have pdflatex && have kpsewhich && [ -n "$(kpsewhich inconsolata.sty || true)" ]; then
    return
  fi
  printf '%s' --no-manual
}

# Reads a note from standard input, heading and text. Prints it and fails if it holds a line that is not allowed here.
note_allowed() {
  awk '
    BEGIN {
      debian = "-(Wformat|Wformat-security|Werror=format-security|Wdate-time|mno-omit-leaf-frame-pointer|" \
        "f[a-z]*-prefix-map=[^ ]*)"
      suggested = "(ISLR2|mirai|ggplot2|Biobase|bladderbatch|DelayedArray|S4Vectors|" \
        "SummarizedExperiment|bit64|data.table|posterior|tibble|units)"
      size = "^ *(installed size is +5[.][0-9]Mb|sub-directories of 1Mb or more:|R +2[.][0-9]Mb)$"
      missing = "suggested but not available|^[^A-Za-z]*" suggested "([^A-Za-z]+" suggested ")*[^A-Za-z]*$"
    }
    NR == 1 { heading = $0; next }
    /^[[:space:]]*$/ { next }
    { allowed = 0 }
    # the maintainer is named in every check, and the package is not on CRAN
    heading ~ /CRAN incoming feasibility/ && /^(Maintainer: |New submission)/ { allowed = 1 }
    # the clock is compared with one on the network
    heading ~ /future file timestamps/ && /unable to verify current time/ { allowed = 1 }
    # tools that only judge the HTML of the help pages and are not in Debian or not recent enough
    heading ~ /HTML version of manual/ && /(tidy|V8|[Mm]ath rendering)/ { allowed = 1 }
    # options with which Debian and Ubuntu build R itself, not ours
    heading ~ /compilation flags used/ {
      rest = $0
      gsub(debian, "", rest)
      if (/non-portable flag/ || rest !~ /[A-Za-z]/) allowed = 1
    }
    # R code has 2.8 Mb as byte code, and less than half of that without; libs, doc and help are below 1 Mb each
    heading ~ /installed package size/ && $0 ~ size { allowed = 1 }
    # a suggested package that could not be had: the code that uses it is guarded
    heading ~ /package dependencies/ && $0 ~ missing { allowed = 1 }
    !allowed { bad = 1 }
    { text = text "\n    " $0 }
    END { if (bad) print "  " heading text; exit bad }'
}

# Reads the steps of 00check.log: counts the good ones and judges the rest. If a step runs something, its
# verdict is on a line of its own.
read_check_log() {
  rm -rf "$work/steps"
  mkdir "$work/steps"
  awk -v into="$work/steps/" '
    function verdict(line) {
      sub(/ *$/, "", line)
      return match(line, /(OK|NOTE|WARNING|ERROR)$/) ? substr(line, RSTART) : ""
    }
    function close_step() {
      if (found) print found, file
      if (file) close(file)
      found = ""
    }
    /^\* / {
      close_step()
      step = /^\* checking .*\.\.\./
      if (step) {
        file = into sprintf("%03d", ++n)
        found = verdict($0)
      }
    }
    /^ *(\[[^]]*\] *)?(OK|NOTE|WARNING|ERROR) *$/ && step { found = verdict($0) }
    step { print > file }
    END { close_step() }
  ' "$1" > "$work/verdicts"
  while read -r verdict section; do
    case $verdict in
      OK) count 1 0 ;;
      NOTE) if note_allowed < "$section"; then count 1 0; else count 0 1; fi ;;
      *)
        sed 's/^/  /' "$section" | head -n 60
        count 0 1
        ;;
    esac
  done < "$work/verdicts"
}

# testthat's closing line: [ FAIL 0 | WARN 0 | SKIP 1 | PASS 234 ]
read_tests() {
  output=$(ls "$1"/tests/testthat.Rout "$1"/tests/testthat.Rout.fail 2> /dev/null | tail -n 1)
  line=""
  if [ -n "$output" ]; then
    closing='.*\[ FAIL \([0-9]*\) | WARN [0-9]* | SKIP \([0-9]*\) | PASS \([0-9]*\) \].*'
    line=$(sed -n "s/$closing/\3 \1 \2/p" "$output" | tail -n 1)
  fi
  if [ -z "$line" ]; then
    say "testthat: did not come to its end."
    count 0 1
    return
  fi
  # shellcheck disable=SC2086 # three words
  set -- $line
  say "testthat: $1 passed, $2 failed, $3 skipped"
  [ "$2" = 0 ] || sed -n '/^\[ FAIL/,$p' "$output" | tail -n 100
  count "$1" "$2" "$3"
}

stage_check() {
  say "package: R CMD check --as-cran ..."
  offline
  # Without --run-donttest all examples would run twice, first without and then with those in \donttest.
  # shellcheck disable=SC2046 # an option or nothing
  (cd "$work" && quietly R CMD check --as-cran --run-donttest --no-build-vignettes $(manual_option) \
    particleflow_*.tar.gz) || true
  if [ ! -f "$work/particleflow.Rcheck/00check.log" ]; then
    log_tail 30
    count 0 1
    return
  fi
  read_check_log "$work/particleflow.Rcheck/00check.log"
  say "R CMD check: $(sed -n 's/^Status: //p' "$work/particleflow.Rcheck/00check.log")"
  read_tests "$work/particleflow.Rcheck"
}

# --- 4. the library -----------------------------------------------------------------------------------

stage_symbols() {
  object=$work/particleflow.Rcheck/particleflow/libs/particleflow.so
  if [ ! -f "$object" ]; then
    say "symbols: there is no library to look at."
    count 0 1
    return
  fi
  symbols=$(nm -D --defined-only "$object" | awk '{ print $NF }' | tr '\n' ' ')
  if [ "$symbols" = "R_init_particleflow " ]; then
    say "symbols: R_init_particleflow alone."
    count 1 0
  else
    say "symbols: the library exports $symbols"
    count 0 1
  fi
}

cd "$root"
set_locale
set_library
stage_system pandoc qpdf r-cran-testthat r-cran-cli r-cran-generics r-cran-mclust r-cran-ggplot2 r-cran-knitr \
  r-cran-rmarkdown
stage_tools
two_at_a_time
stage_packages
stage_house
start_core
stage_build
stage_core
stage_check
stage_symbols
