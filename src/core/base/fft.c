#include "core/base/fft.h"

#include <math.h>

#include "core/base/parallel.h"

#define PI 3.14159265358979323846
#define LANES FFT_LANES

size_t fft_length(size_t least) {
  size_t best = 1;
  while (best < least) best *= 2;
  for (size_t odd = 3; odd <= 27; odd *= 3) {
    size_t length = odd;
    while (length < least) length *= 2;
    if (length < best) best = length;
  }
  return best;
}

void fft_prepare(fft_plan *plan) {
  for (size_t k = 0; k < plan->length; k++) {
    const double angle = 2.0 * PI * (double)k / (double)plan->length;
    plan->turn[k] = cos(angle);
    plan->turn[plan->length + k] = -sin(angle);
  }
}

/* One pass of Stockham's transform (1966) with the radix r: `count` = r m points that are left in each of `stride`
 * transforms,
 *   y[q + stride (r p + k)] = w^(p k) sum_j x[q + stride (p + j m)] exp(-2 pi i j k / r),  w = exp(-2 pi i / count). */
typedef struct {
  const fft_plan *plan;
  size_t count, stride;
  fft_lines from, to;
} fft_pass;

/* What entry k of the r results is multiplied by. */
static void turn_of(const fft_pass *pass, size_t p, size_t k, double *c, double *s) {
  const size_t at = p * k * (pass->plan->length / pass->count);
  *c = pass->plan->turn[at];
  *s = pass->plan->turn[pass->plan->length + at];
}

static void pass_2(const fft_pass *pass) {
  const size_t m = pass->count / 2, block = pass->stride * LANES;
  for (size_t p = 0; p < m; p++) {
    double c, s;
    turn_of(pass, p, 1, &c, &s);
    const double *ar = pass->from.re + p * block, *ai = pass->from.im + p * block;
    const double *br = ar + m * block, *bi = ai + m * block;
    double *yr = pass->to.re + 2 * p * block, *yi = pass->to.im + 2 * p * block;
    VECTORISE
    for (size_t i = 0; i < block; i++) {
      const double dr = ar[i] - br[i], di = ai[i] - bi[i];
      yr[i] = ar[i] + br[i];
      yi[i] = ai[i] + bi[i];
      yr[block + i] = dr * c - di * s;
      yi[block + i] = dr * s + di * c;
    }
  }
}

static void pass_3(const fft_pass *pass) {
  const double half = 0.5, root = 0.86602540378443864676;
  const size_t m = pass->count / 3, block = pass->stride * LANES;
  for (size_t p = 0; p < m; p++) {
    double c1, s1, c2, s2;
    turn_of(pass, p, 1, &c1, &s1);
    turn_of(pass, p, 2, &c2, &s2);
    const double *ar = pass->from.re + p * block, *ai = pass->from.im + p * block;
    const double *br = ar + m * block, *bi = ai + m * block, *cr = br + m * block, *ci = bi + m * block;
    double *yr = pass->to.re + 3 * p * block, *yi = pass->to.im + 3 * p * block;
    VECTORISE
    for (size_t i = 0; i < block; i++) {
      const double sr = br[i] + cr[i], si = bi[i] + ci[i];
      const double mr = ar[i] - half * sr, mi = ai[i] - half * si;
      const double dr = root * (bi[i] - ci[i]), di = root * (br[i] - cr[i]);
      const double ur = mr + dr, ui = mi - di, vr = mr - dr, vi = mi + di;
      yr[i] = ar[i] + sr;
      yi[i] = ai[i] + si;
      yr[block + i] = ur * c1 - ui * s1;
      yi[block + i] = ur * s1 + ui * c1;
      yr[2 * block + i] = vr * c2 - vi * s2;
      yi[2 * block + i] = vr * s2 + vi * c2;
    }
  }
}

static void pass_4(const fft_pass *pass) {
  const size_t m = pass->count / 4, block = pass->stride * LANES;
  for (size_t p = 0; p < m; p++) {
    double c1, s1, c2, s2, c3, s3;
    turn_of(pass, p, 1, &c1, &s1);
    turn_of(pass, p, 2, &c2, &s2);
    turn_of(pass, p, 3, &c3, &s3);
    const double *ar = pass->from.re + p * block, *ai = pass->from.im + p * block;
    const double *br = ar + m * block, *bi = ai + m * block, *cr = br + m * block, *ci = bi + m * block;
    const double *dr = cr + m * block, *di = ci + m * block;
    double *yr = pass->to.re + 4 * p * block, *yi = pass->to.im + 4 * p * block;
    VECTORISE
    for (size_t i = 0; i < block; i++) {
      const double evenr = ar[i] + cr[i], eveni = ai[i] + ci[i], oddr = br[i] + dr[i], oddi = bi[i] + di[i];
      const double lessr = ar[i] - cr[i], lessi = ai[i] - ci[i], sider = bi[i] - di[i], sidei = dr[i] - br[i];
      const double ur = lessr + sider, ui = lessi + sidei, vr = evenr - oddr, vi = eveni - oddi;
      const double wr = lessr - sider, wi = lessi - sidei;
      yr[i] = evenr + oddr;
      yi[i] = eveni + oddi;
      yr[block + i] = ur * c1 - ui * s1;
      yi[block + i] = ur * s1 + ui * c1;
      yr[2 * block + i] = vr * c2 - vi * s2;
      yi[2 * block + i] = vr * s2 + vi * c2;
      yr[3 * block + i] = wr * c3 - wi * s3;
      yi[3 * block + i] = wr * s3 + wi * c3;
    }
  }
}

fft_lines fft_transform(const fft_plan *plan, fft_lines x, fft_lines room) {
  fft_pass pass = {.plan = plan, .count = plan->length, .stride = 1, .from = x, .to = room};
  while (pass.count > 1) {
    const size_t radix = pass.count % 4 == 0 ? 4 : pass.count % 3 == 0 ? 3 : 2;
    if (radix == 4) pass_4(&pass);
    else if (radix == 3) pass_3(&pass);
    else pass_2(&pass);
    pass.count /= radix;
    pass.stride *= radix;
    const fft_lines done = pass.to;
    pass.to = pass.from;
    pass.from = done;
  }
  return pass.from;
}
