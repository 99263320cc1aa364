#include "core/base/fingerprint.h"

#include <string.h>

uint64_t fingerprint_add(uint64_t hash, const double *x, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint64_t word;
    memcpy(&word, x + i, sizeof word);
    hash = (hash ^ word) * 0x100000001B3u;
    hash ^= hash >> 29; /* whole words at a time: carry the high bits down */
  }
  return hash;
}
