/* Eight lanes. */
#include "core/base/instructions.h"

#ifdef SIMD_X86
#include "core/base/vector_avx512.h"

typedef unsigned long long words __attribute__((vector_size(64)));
#define MULTIPLY_LOW(a, b) ((words)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#define LOAD_WORDS(p) ((words)_mm512_loadu_si512(p))
#define SET1_WORD(v) ((words)_mm512_set1_epi64((long long)(v)))
#define AS_WORDS(v) ((words)(v))
#define AS_DOUBLES(w) ((vec)(w))

#include "core/base/normals_tile.h"
#else
typedef int normals_avx512_is_empty;
#endif
