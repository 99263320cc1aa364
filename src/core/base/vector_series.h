/* Series of elementary functions, for the files that have included one of vector_*.h: those of fdlibm (Sun 1993), right
 * to a unit in the last place. */
#ifndef PARTICLEFLOW_VECTOR_SERIES_H
#define PARTICLEFLOW_VECTOR_SERIES_H

/* v - k pi/2, k a whole number up to 2^20: pi/2 comes in three parts, of which the first two have 33 bits, so that
 * their products with k are exact. */
INLINE vec TILE_NAME(less_quarters)(vec v, vec k) {
  vec r = SUB(v, MUL(k, SET1(1.57079632673412561417e+00)));
  r = SUB(r, MUL(k, SET1(6.07710050630396597660e-11)));
  return SUB(r, MUL(k, SET1(2.02226624879595063154e-21)));
}

/* sin(r) and cos(r) for |r| <= pi/4; z = r^2. */
INLINE vec TILE_NAME(series_sine)(vec r, vec z) {
  vec s = FMA(z, SET1(1.58969099521155010221e-10), SET1(-2.50507602534068634195e-08));
  s = FMA(z, s, SET1(2.75573137070700676789e-06));
  s = FMA(z, s, SET1(-1.98412698298579493134e-04));
  s = FMA(z, s, SET1(8.33333333332248946124e-03));
  s = FMA(z, s, SET1(-1.66666666666666324348e-01));
  return FMA(MUL(r, z), s, r);
}

INLINE vec TILE_NAME(series_cosine)(vec z) {
  vec c = FMA(z, SET1(-1.13596475577881948265e-11), SET1(2.08757232129817482790e-09));
  c = FMA(z, c, SET1(-2.75573143513906633035e-07));
  c = FMA(z, c, SET1(2.48015872894767294178e-05));
  c = FMA(z, c, SET1(-1.38888888888741095749e-03));
  c = FMA(z, c, SET1(4.16666666666666019037e-02));
  return FMA(MUL(z, z), c, FMA(z, SET1(-0.5), SET1(1.0)));
}

/* log(2^k (1 + f)), where 1 + f lies between sqrt(1/2) and sqrt(2). */
INLINE vec TILE_NAME(series_log)(vec k, vec f) {
  const vec s = DIVIDE(f, ADD(f, SET1(2.0))), z = MUL(s, s), w = MUL(z, z), half = MUL(SET1(0.5), MUL(f, f));
  vec even = FMA(w, SET1(1.531383769920937332e-01), SET1(2.222219843214978396e-01));
  even = MUL(w, FMA(w, even, SET1(3.999999999940941908e-01)));
  vec odd = FMA(w, SET1(1.479819860511658591e-01), SET1(1.818357216161805012e-01));
  odd = FMA(w, FMA(w, odd, SET1(2.857142874366239149e-01)), SET1(6.666666666666735130e-01));
  const vec rest = FMA(k, SET1(1.90821492927058770002e-10), MUL(s, ADD(half, FMA(z, odd, even))));
  return FMA(k, SET1(6.93147180369123816490e-01), ADD(SUB(rest, half), f));
}

#endif
