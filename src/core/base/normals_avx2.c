/* Four lanes. */
#include "core/base/instructions.h"

#ifdef SIMD_X86
#include "core/base/vector_avx2.h"

typedef unsigned long long words __attribute__((vector_size(32)));
#define MULTIPLY_LOW(a, b) ((words)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#define LOAD_WORDS(p) ((words)_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define SET1_WORD(v) ((words)_mm256_set1_epi64x((long long)(v)))
#define AS_WORDS(v) ((words)(v))
#define AS_DOUBLES(w) ((vec)(w))

#include "core/base/normals_tile.h"
#else
typedef int normals_avx2_is_empty;
#endif
