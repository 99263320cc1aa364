/* The instruction set of all vector kernels: chosen once at load, and switched by particleflow_simd(). */
#ifndef PARTICLEFLOW_INSTRUCTIONS_H
#define PARTICLEFLOW_INSTRUCTIONS_H

#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(_WIN32)
#define SIMD_X86 1
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#define SIMD_ARM 1
#endif

void simd_init(void);              /* the best the processor has */
int simd_select(const char *name); /* 1 if `name` is compiled in and the processor has it */
const char *simd_name(void);       /* "scalar", "avx2", "avx512" or "neon" */
size_t simd_available(const char **names, size_t n_names); /* fills names, best last; returns how many */

#endif
