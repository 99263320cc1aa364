#!/bin/sh
# sh bench/pairwise/run.sh [quick | mutual]: compiles src/core without R, measures its kernels, writes results/*.csv.
# CC: the compiler; KERNEL_RESULTS: another directory for the results.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sources=${KERNEL_SOURCES:-$here/../../src}
results=${KERNEL_RESULTS:-$here/results}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$results"

# what R on Debian uses, without the flags that do not matter here
flags="-std=gnu99 -O2 -fopenmp"
for file in "$sources"/core/*/*.c; do
  # shellcheck disable=SC2086 # flags are words
  "${CC:-gcc}" $flags -I"$sources" -c "$file" -o "$work/$(basename "$file" .c).o"
done
# shellcheck disable=SC2086
"${CC:-gcc}" $flags -I"$sources" -c "$here/kernel.c" -o "$work/main.o"
"${CC:-gcc}" -fopenmp "$work"/*.o -o "$work/kernel" -lm
printf 'load before: %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
"$work/kernel" "$results" ${1+"$1"}
printf 'load after: %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
