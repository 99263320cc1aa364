# Shared by demo.sh and check.sh: finds out what is missing and installs it, quietly.
# The caller sets: root (the package), library (for what comes from CRAN), log (what installers said).

# Not in Debian, so apt is not asked for them.
CRAN_ONLY="ISLR2 mirai SimSeq"
# Packages of Bioconductor: from Debian, or not at all.
BIOCONDUCTOR="Biobase bladderbatch DelayedArray edgeR HDF5Array limma S4Vectors"
BIOCONDUCTOR="$BIOCONDUCTOR SingleCellExperiment SummarizedExperiment"

say() {
  printf '%s\n' "$*"
}

# quietly COMMAND...: output to the log; the caller sees only the status
quietly() {
  printf '\n$ %s\n' "$*" >> "$log"
  "$@" >> "$log" 2>&1 < /dev/null
}

log_tail() {
  say "  the end of $log:" >&2
  tail -n "${1:-15}" "$log" | sed 's/^/  | /' >&2
}

have() {
  command -v "$1" > /dev/null 2>&1
}

# Sets a locale in which R can write UTF-8, if there is one.
set_locale() {
  for name in C.UTF-8 C.utf8; do
    if locale -a 2> /dev/null | grep -qx "$name"; then
      LC_ALL=$name
      export LC_ALL
      return
    fi
  done
}

# --- apt ----------------------------------------------------------------------------------------------

have_apt() {
  have apt-get && have dpkg
}

# Runs a command as root: directly if the user is root, otherwise through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] || have sudo
}

apt_get() {
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 "$@"
}

# apt_install PACKAGE...: installs those that apt knows, without the packages that they only recommend
apt_install() {
  if ! have_apt || ! can_be_root; then
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    sudo -v || return 1 # the password, while the terminal still shows the question
  fi
  apt_get update || true # an old list of packages may do
  known=""
  for package in "$@"; do
    if apt-cache show "$package" > /dev/null 2>&1; then
      known="$known $package"
    fi
  done
  # shellcheck disable=SC2086 # a list of words
  [ -z "$known" ] || apt_get install --no-install-recommends $known
}

# --- R and what it needs to compile -------------------------------------------------------------------

# Can R compile and link C against its BLAS? The only sure way to know is to do it.
r_compiles() {
  have R && have make || return 1
  trial=$(mktemp -d)
  printf '#include <R.h>\nvoid trial(double *x) { *x = 1; }\n' > "$trial/trial.c"
  # shellcheck disable=SC2016 # make expands it
  printf 'PKG_LIBS = $(LAPACK_LIBS) $(BLAS_LIBS) $(FLIBS)\n' > "$trial/Makevars"
  status=0
  (cd "$trial" && R CMD SHLIB trial.c) > "$trial/log" 2>&1 || status=1
  if [ "$status" != 0 ] && [ -f "$log" ]; then
    cat "$trial/log" >> "$log"
  fi
  rm -rf "$trial"
  return "$status"
}

# missing_packages FIELD...: packages that DESCRIPTION names there (Imports, Suggests) and R does not have
# in that version, one per line.
missing_packages() {
  Rscript -e '
    arguments <- commandArgs(TRUE)
    fields <- read.dcf(arguments[1], fields = arguments[-1])
    entries <- trimws(unlist(strsplit(fields[!is.na(fields)], ",")))
    for (entry in entries) {
      name <- sub("[[:space:]]*[(].*", "", entry)
      least <- if (grepl("[(]", entry)) gsub(".*>=[[:space:]]*|[)].*", "", entry) else "0"
      found <- tryCatch(packageVersion(name) >= least, error = function(e) FALSE)
      if (!found) cat("missing:", name, "\n")
    }' "$root/DESCRIPTION" "$@" 2>> "$log" | sed -n 's/^missing: *\([^ ]*\) *$/\1/p'
}

# cran_install PACKAGE...: installs into the library, from the repository that R is set to
cran_install() {
  mkdir -p "$library"
  quietly Rscript -e '
    repos <- getOption("repos")
    if ("@CRAN@" %in% repos) chooseCRANmirror(ind = 1, graphics = FALSE)
    options(timeout = 60)
    install.packages(commandArgs(TRUE), lib = Sys.getenv("INSTALL_LIBRARY"))' "$@"
}

# listed WORD LIST...: is the word in the list?
listed() {
  word=$1
  shift
  case " $* " in
    *" $word "*) return 0 ;;
  esac
  return 1
}

# Installs what DESCRIPTION names in the fields: from apt if there is apt, the rest from CRAN.
install_packages() {
  missing=$(missing_packages "$@")
  from_apt=""
  for package in $missing; do
    lower=$(printf '%s' "$package" | tr '[:upper:]' '[:lower:]')
    if listed "$package" $BIOCONDUCTOR; then
      from_apt="$from_apt r-bioc-$lower"
    elif ! listed "$package" $CRAN_ONLY; then
      from_apt="$from_apt r-cran-$lower"
    fi
  done
  # shellcheck disable=SC2086 # a list of words
  if [ -n "$from_apt" ] && apt_install $from_apt; then
    missing=$(missing_packages "$@")
  fi
  from_cran=""
  for package in $missing; do
    listed "$package" $BIOCONDUCTOR || from_cran="$from_cran $package"
  done
  # shellcheck disable=SC2086
  [ -z "$from_cran" ] || cran_install $from_cran || true
}

# --- the stages with which both commands start ---------------------------------------------------------

by_hand() {
  say "$1" >&2
  exit 1
}

# stage_system PACKAGE...: makes sure that there are R and a compiler, or ends the script. If apt has to
# install them, it installs the named Debian packages too.
stage_system() {
  if r_compiles; then
    say "system: R and a C compiler are there."
    return
  fi
  if ! have_apt; then
    by_hand "Please install R (4.1 or later) with the tools to compile C (on macOS: the Xcode command line tools;\
 on Windows: Rtools), then run this again. This script sets up only Debian and Ubuntu."
  fi
  if ! can_be_root; then
    by_hand "Please install the Debian package r-base-dev as root (there is no sudo here), then run this again."
  fi
  # the fast BLAS comes only together with R itself: an R that is already there keeps its BLAS
  blas=""
  have R || blas="libopenblas0-pthread"
  say "system: installing R and a C compiler with apt ..."
  # shellcheck disable=SC2086
  apt_install r-base-core r-base-dev ca-certificates $blas "$@" || true
  if ! r_compiles; then
    say "system: R and a C compiler could not be installed (is there a network?)." >&2
    log_tail 6
    exit 1
  fi
}

# Where R finds packages: the library of this script before the others.
set_library() {
  R_LIBS="$library${R_LIBS:+:$R_LIBS}"
  INSTALL_LIBRARY=$library
  MAKEFLAGS="${MAKEFLAGS:--j2}"
  export R_LIBS INSTALL_LIBRARY MAKEFLAGS
}
