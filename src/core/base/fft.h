/* Discrete Fourier transforms of FFT_LANES lines at a time, whose lengths are 2^a 3^b. Entry k of lane l of a set of
 * lines is at [k * FFT_LANES + l], real and imaginary parts apart. */
#ifndef PARTICLEFLOW_FFT_H
#define PARTICLEFLOW_FFT_H

#include <stddef.h>

#define FFT_LANES ((size_t)8)

typedef struct {
  size_t length;
  double *turn; /* [2, length] cos and -sin of 2 pi k / length */
} fft_plan;

/* The least length 2^a 3^b, b at most 3, that is at least `least`. */
size_t fft_length(size_t least);

/* Fills turn. */
void fft_prepare(fft_plan *plan);

typedef struct {
  double *re, *im;
} fft_lines;

/* sum_j x_j exp(-2 pi i j k / length). Overwrites both sets of lines, and returns the one with the result. With re and
 * im exchanged, before and after, it is the inverse times the length. */
fft_lines fft_transform(const fft_plan *plan, fft_lines x, fft_lines room);

#endif
