#!/bin/sh
# sh tests/core/run.sh: compiles src/core and its tests without R, as C99 with every warning an error, under
# the address and undefined-behaviour sanitizers, with and without OpenMP and, where there is one, with
# clang too; runs each build. The last line is "core: N checks, N failed", the sum over the builds.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sources=$(cd "$here/../../src" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# _POSIX_C_SOURCE: fork() in the tests; the core asks for C99 and nothing else
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror"
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
checks=0
failed=0

# compile COMPILER FLAGS: every file that $objects does not have yet, two at a time
compile() {
  (cd "$sources" && ls core/*/*.c) > "$work/files"
  (cd "$here" && ls ./*.c) >> "$work/files"
  # shellcheck disable=SC2016 # the inner shell expands them
  xargs -P 2 -n 1 sh -c '
    objects=$1 sources=$2 here=$3 file=$5
    object=$objects/$(basename "$file" .c).o
    [ ! -e "$object" ] || exit 0
    case $file in
      core/*) path=$sources/$file posix= ;;
      *) path=$here/$file posix=-D_POSIX_C_SOURCE=200809L ;;
    esac
    exec $4 -std=c99 $posix -I"$sources" -I"$here" -c "$path" -o "$object"
  ' compile "$objects" "$sources" "$here" "$1 $2" < "$work/files"
}

# fresh: nothing is compiled; without_openmp: the files that OpenMP changes are to be compiled again
fresh() {
  objects=$(mktemp -d "$work/build.XXXXXX")
}
without_openmp() {
  for file in $(grep -l -e _OPENMP -e VECTORISE "$sources"/core/*/*.c "$here"/*.c); do
    rm -f "$objects/$(basename "$file" .c).o"
  done
}

# build NAME COMPILER FLAGS: compiles, links, runs and adds up
build() {
  # shellcheck disable=SC2086 # flags are words
  if ! compile "$2" "-O1 -g1 $warnings $3" ||
    ! "$2" $3 "$objects"/*.o -o "$objects/run" -lm -lpthread; then
    say_result "$1: does not compile" 1 1
    return
  fi
  status=0
  "$objects/run" > "$objects/out" || status=$?
  line=$(sed -n 's/^core: \([0-9]*\) checks, \([0-9]*\) failed$/\1 \2/p' "$objects/out")
  if [ -z "$line" ]; then
    say_result "$1: ended early with status $status" 1 1
  elif [ "$status" != 0 ] && [ "${line#* }" = 0 ]; then
    say_result "$1: all passed, but ended with status $status" "$((${line% *} + 1))" 1
  else
    say_result "$1" "${line% *}" "${line#* }"
  fi
}

say_result() {
  printf '  %s: %s checks, %s failed\n' "$1" "$2" "$3"
  checks=$((checks + $2))
  failed=$((failed + $3))
}

# links COMPILER FLAGS: is there such a compiler, with these libraries?
links() {
  command -v "$1" > /dev/null 2>&1 || return 1
  printf 'int main(void) { return 0; }\n' > "$work/empty.c"
  # shellcheck disable=SC2086 # flags are words
  "$1" $2 "$work/empty.c" -o "$work/empty" > /dev/null 2>&1
}

# rooms: the order of the rooms under src/core. A file includes headers of its own room and of rooms of a lower
# rank, no header of R, and only base/parallel names OpenMP.
rank() {
  case $1 in
    base) echo 0 ;;
    pair) echo 1 ;;
    law | net) echo 2 ;;
    flow) echo 3 ;;
    *) echo 9 ;;
  esac
}
breach() {
  printf '  %s\n' "$1" >&2
  broken=$((broken + 1))
}
check_rooms() {
  looked=0
  broken=0
  for path in "$sources"/core/*/*.[ch] "$sources"/core/*.[ch]; do
    [ -e "$path" ] || continue
    file=${path#"$sources"/core/}
    room=${file%/*}
    looked=$((looked + 1))
    [ "$(rank "$room")" != 9 ] || breach "$file is in no room"
    for other in $(sed -n 's/^ *# *include *"core\/\([^/"]*\).*/\1/p' "$path"); do
      [ "$other" = "$room" ] || [ "$(rank "$other")" -lt "$(rank "$room")" ] ||
        breach "$file includes a header of $other, which is not a lower room"
    done
    ! grep -q -e 'include *[<"]R' -e 'include *[<"]R_ext' "$path" || breach "$file includes a header of R"
    case $file in
      base/parallel.[ch]) ;;
      *) ! grep -q -e 'omp[ .]' -e _OPENMP -e 'omp_' "$path" || breach "$file names OpenMP" ;;
    esac
  done
  say_result "rooms" "$looked" "$broken"
}

check_rooms
gcc=${CC:-gcc}
fresh
if links "$gcc" "$sanitizers -fopenmp"; then
  build "$gcc, OpenMP, sanitizers" "$gcc" "$sanitizers -fopenmp"
  without_openmp
else
  printf '  %s has no OpenMP here: that build is left out\n' "$gcc"
fi
build "$gcc, no OpenMP, sanitizers" "$gcc" "$sanitizers"
if links clang "$sanitizers"; then
  fresh
  build "clang, no OpenMP, sanitizers" clang "$sanitizers"
fi
printf 'core: %s checks, %s failed\n' "$checks" "$failed"
[ "$failed" = 0 ]
