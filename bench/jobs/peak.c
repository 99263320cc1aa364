/* Prints the multiply-add peak in GFLOP/s of as many threads as the argument says. */
#include "../peak.h"

#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words) {
  const int threads = count > 1 ? atoi(words[1]) : 1;
  const char *set = __builtin_cpu_supports("avx512f") ? "avx512" : "avx2";
  const peak_loop loop = peak_of(set);
  const long rounds = 3000000;
  const double lanes = set[3] == '5' ? 8.0 : 4.0;
  printf("%.1f\n", 1e-9 * threads * 2.0 * 12.0 * lanes * (double)rounds / seconds_of(loop, threads, 60, rounds));
  return 0;
}
