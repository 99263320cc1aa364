#include "core/neighbours.h"

#include <math.h>

/* Inserts source row a at squared distance r2 into the row's sorted list, if it belongs there. */
static void insert(int *index, double *distance2, size_t count, size_t k, size_t a, double r2) {
  if (!(r2 < distance2[(k - 1) * count])) return;
  size_t place = k - 1;
  while (place > 0 && r2 < distance2[(place - 1) * count]) {
    distance2[place * count] = distance2[(place - 1) * count];
    index[place * count] = index[(place - 1) * count];
    place--;
  }
  distance2[place * count] = r2;
  index[place * count] = (int)a;
}

static double squared_distance(const double *a, const double *b, size_t dim) {
  double sum[4] = {0.0, 0.0, 0.0, 0.0}; /* four chains: a single one waits on every addition */
  size_t c = 0;
  for (; c + 4 <= dim; c += 4) {
    for (size_t l = 0; l < 4; l++) sum[l] += (a[c + l] - b[c + l]) * (a[c + l] - b[c + l]);
  }
  for (; c < dim; c++) sum[0] += (a[c] - b[c]) * (a[c] - b[c]);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

void nearest_rows(const double *query, size_t from, size_t count, const double *source, size_t n_source,
                  size_t dim, int own, size_t k, int *index, double *distance, int threads) {
  const int team = pairwise_threads(count, n_source, dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(query, from, count, source, n_source, dim, own, k, index, distance)
#else
  (void)team;
#endif
  for (size_t i = 0; i < count; i++) {
    int *row_index = index + i;
    double *row_distance = distance + i;
    for (size_t j = 0; j < k; j++) {
      row_index[j * count] = -1;
      row_distance[j * count] = INFINITY;
    }
    const double *y = query + (from + i) * dim;
    for (size_t a = 0; a < n_source; a++) {
      if (own && a == from + i) continue;
      insert(row_index, row_distance, count, k, a, squared_distance(y, source + a * dim, dim));
    }
    for (size_t j = 0; j < k; j++) row_distance[j * count] = sqrt(row_distance[j * count]);
  }
}
