#include "check.h"
#include "core/base/fingerprint.h"

void test_fingerprint(void) {
  enum { N = 1000 };
  double x[N];
  normals(x, N, 50u);
  const uint64_t whole = fingerprint_add(FINGERPRINT_START, x, N);
  CHECK(fingerprint_add(FINGERPRINT_START, x, N) == whole, "two hashes of the same numbers differ");
  CHECK(fingerprint_add(fingerprint_add(FINGERPRINT_START, x, 17), x + 17, N - 17) == whole,
        "a hash in two parts differs");
  CHECK(fingerprint_add(FINGERPRINT_START, x, 0) == FINGERPRINT_START, "nothing changes the hash");

  const size_t where[] = {0, 500, N - 1};
  for (size_t i = 0; i < 3; i++) {
    const double kept = x[where[i]];
    for (unsigned bit = 0; bit < 64; bit += 9) {
      uint64_t word;
      memcpy(&word, &kept, sizeof word);
      word ^= (uint64_t)1 << bit;
      memcpy(x + where[i], &word, sizeof word);
      CHECK(fingerprint_add(FINGERPRINT_START, x, N) != whole, "bit %u of number %zu is not noticed", bit, where[i]);
    }
    x[where[i]] = kept;
  }
  const double two[] = {x[0], x[1]}, negated[] = {-x[0], -x[1]};
  CHECK(fingerprint_add(FINGERPRINT_START, two, 2) != fingerprint_add(FINGERPRINT_START, negated, 2),
        "two changed signs cancel");
  const double swapped[] = {x[1], x[0]}, zero = 0.0, minus_zero = -0.0;
  CHECK(fingerprint_add(FINGERPRINT_START, swapped, 2) != fingerprint_add(FINGERPRINT_START, x, 2),
        "an exchange is not noticed");
  CHECK(fingerprint_add(FINGERPRINT_START, &zero, 1) != fingerprint_add(FINGERPRINT_START, &minus_zero, 1),
        "the sign of zero is not noticed");
}
