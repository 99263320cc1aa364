/* A 64-bit hash of doubles (FNV-1a over whole words), to notice that stored numbers were changed by hand. */
#ifndef PARTICLEFLOW_FINGERPRINT_H
#define PARTICLEFLOW_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#define FINGERPRINT_START 0xCBF29CE484222325u

uint64_t fingerprint_add(uint64_t hash, const double *x, size_t n);

#endif
