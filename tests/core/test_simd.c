#include "check.h"
#include "core/pair/simd.h"

void test_simd(void) {
  const char *names[8];
  const size_t n = simd_available(names, 8);
  CHECK(n >= 1 && !strcmp(names[0], "scalar"), "no scalar kernels");
  CHECK(!strcmp(simd_current()->name, names[n - 1]), "%s was chosen, not %s", simd_current()->name, names[n - 1]);
  CHECK(!simd_select("altivec") && !simd_select(""), "an unknown instruction set was taken");
  CHECK(!strcmp(simd_current()->name, names[n - 1]), "a refused choice changed the table");
  for (size_t i = 0; i < n; i++) {
    CHECK(simd_select(names[i]), "%s is refused", names[i]);
    const simd_table *table = simd_current();
    CHECK(!strcmp(table->name, names[i]), "%s gives %s", names[i], table->name);
    CHECK(isinf(simd_wide_range(table, WEIGHT_odd)->largest_coordinate), "%s: no table for the whole range", names[i]);
    for (int kind = 0; kind < WEIGHT_count; kind++) {
      CHECK(
          table->kernels[kind > WEIGHT_general ? TILE_sum : TILE_force][kind][0] && table->kernels[TILE_force][kind][0],
          "%s has no general kernel", names[i]);
      CHECK(kind > WEIGHT_general || (table->kernels[TILE_full][kind][0] && table->kernels[TILE_hessian][kind][0]),
            "%s lacks a kernel of a Riesz weight", names[i]);
    }
  }
  CHECK(simd_available(names, 0) == n, "the count depends on the room");
  simd_init();
}
