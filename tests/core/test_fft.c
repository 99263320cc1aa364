#include "check.h"
#include "core/base/fft.h"

/* Against the sum that defines it; the inverse gives the lines back. */
static void test_length(size_t length) {
  fft_plan plan = {.length = length, .turn = new_doubles(2 * length)};
  const size_t size = length * FFT_LANES;
  double *x = new_doubles(2 * size), *work = new_doubles(4 * size);
  fft_prepare(&plan);
  normals(x, 2 * size, 310u);
  memcpy(work, x, 2 * size * sizeof(double));
  const fft_lines lines = {.re = work, .im = work + size}, room = {.re = work + 2 * size, .im = work + 3 * size};
  const fft_lines out = fft_transform(&plan, lines, room);
  double off = 0.0;
  for (size_t k = 0; k < length; k++) {
    for (size_t l = 0; l < FFT_LANES; l++) {
      double re = 0.0, im = 0.0;
      for (size_t j = 0; j < length; j++) {
        const double turn = 6.28318530717958647692 * (double)(j * k % length) / (double)length;
        const double a = x[j * FFT_LANES + l], b = x[size + j * FFT_LANES + l];
        re += a * cos(turn) + b * sin(turn);
        im += b * cos(turn) - a * sin(turn);
      }
      off = fmax(off, fmax(fabs(out.re[k * FFT_LANES + l] - re), fabs(out.im[k * FFT_LANES + l] - im)));
    }
  }
  CHECK(off <= TOLERANCE_ROUNDING * (double)length, "a transform of length %zu is off by %g", length, off);
  const fft_lines back = {.re = out.im, .im = out.re}, other = out.re == lines.re ? room : lines;
  const fft_lines again = fft_transform(&plan, back, other);
  off = 0.0;
  for (size_t i = 0; i < size; i++) off = fmax(off, fabs(again.im[i] / (double)length - x[i]));
  CHECK(off <= TOLERANCE_ROUNDING, "a transform of length %zu is undone to %g", length, off);
  free(plan.turn), free(x), free(work);
}

void test_fft(void) {
  const size_t lengths[] = {1, 2, 3, 4, 6, 8, 9, 24, 27, 54, 64, 96, 108, 144, 216};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    test_length(lengths[i]);
    CHECK(fft_length(lengths[i]) == lengths[i], "length %zu is refused", lengths[i]);
  }
  CHECK(fft_length(5) == 6 && fft_length(55) == 64 && fft_length(97) == 108, "a length is not the least");
}
