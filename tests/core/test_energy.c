/* The order of numbers; steps of the energy flow by hand; bits over teams. */
#include "check.h"
#include "core/base/linalg.h"
#include "core/base/sorting.h"
#include "core/flow/energy.h"

/* --- order ----------------------------------------------------------------------------------------------- */

/* Increasing, with equal values in the order of before, and every place once. */
static void check_order(const double *x, size_t n, const char *what) {
  placed_number *sorted = malloc(n * sizeof *sorted), *scratch = malloc(n * sizeof *scratch);
  char *seen = calloc(n, 1);
  for (size_t i = 0; i < n; i++) sorted[i] = (placed_number){.value = x[i], .place = i};
  sort_placed(sorted, n, scratch);
  int good = 1;
  for (size_t i = 0; i < n; i++) {
    if (sorted[i].place >= n || seen[sorted[i].place]++ || sorted[i].value != x[sorted[i].place]) good = 0;
    if (i == 0) continue;
    if (sorted[i - 1].value > sorted[i].value) good = 0;
    if (sorted[i - 1].value == sorted[i].value && sorted[i - 1].place > sorted[i].place) good = 0;
  }
  CHECK(good, "order of %zu numbers, %s", n, what);
  free(sorted);
  free(scratch);
  free(seen);
}

static void test_order(void) {
  static const size_t sizes[] = {1, 2, 64, 65, 1000, 30000};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    const size_t n = sizes[s];
    double *x = new_doubles(n);
    normals(x, n, 3);
    check_order(x, n, "normal");
    for (size_t i = 0; i < n; i++) x[i] = floor(2.0 * x[i]) + 0.5;
    check_order(x, n, "ties");
    normals(x, n, 4);
    for (size_t i = 0; i < n; i++) x[i] = 1e9 + 1e-3 * x[i]; /* the first 33 bits are all equal */
    check_order(x, n, "far from 0");
    for (size_t i = 0; i < n; i++) x[i] = -x[i];
    check_order(x, n, "far below 0");
    for (size_t i = 0; i < n; i++) x[i] = ldexp(i % 2 ? -1.0 : 1.0, (int)(i * 7919 % 2000) - 1070);
    check_order(x, n, "all magnitudes");
    free(x);
  }
}

/* --- steps ----------------------------------------------------------------------------------------------- */

static energy_room allocate(const energy_task *task, int threads) {
  energy_room room = energy_plan(task, threads);
  const size_t length = task->n > task->m ? task->n : task->m;
  room.numbers = malloc((size_t)room.team * energy_numbers(task) * sizeof *room.numbers);
  room.ranks = new_doubles((size_t)room.team * (task->n + task->m));
  room.moves = new_doubles(room.wave * (length + task->q));
  return room;
}

static void release(energy_room *room) {
  free(room->numbers);
  free(room->ranks);
  free(room->moves);
}

/* Two particles, two target rows, one dimension: G is 1/4 at 10 and 3/4 at 12. */
static void test_by_hand(void) {
  const double x[] = {0.0, 1.0}, y[] = {12.0, 10.0}, query[] = {0.5, -3.0, 1.0, 7.0}, direction[] = {1.0};
  double moved[] = {0.0, 1.0}, carried[] = {0.5, -3.0, 1.0, 7.0}, across[1];
  energy_task task = {.source = x, .target = y, .query = query, .n = 2, .m = 2, .q = 4, .dim = 1,
                      .direction = direction, .count = 1, .pull = 4.0};
  energy_room room = allocate(&task, 1);
  CHECK(energy_step(&task, across, moved, carried, &room, NULL) == STATUS_ok, "a step");
  CHECK_NEAR(across[0], 2.0 * (0.25 * 1.0 + 9.0 + 0.25 * 2.0), TOLERANCE_ROUNDING);
  CHECK_NEAR(moved[0], 1.0, TOLERANCE_ROUNDING); /* 0 + 4 / 4 */
  CHECK_NEAR(moved[1], 4.0, TOLERANCE_ROUNDING); /* 1 + 4 * 3 / 4 */
  CHECK_NEAR(carried[0], 2.5, TOLERANCE_ROUNDING);  /* half of the particles are before it */
  CHECK_NEAR(carried[1], -2.0, TOLERANCE_ROUNDING); /* ranks are constant beyond the ends */
  CHECK(carried[2] == moved[1], "a point at a particle moves with it");
  CHECK_NEAR(carried[3], 10.0, TOLERANCE_ROUNDING); /* 7 + 3 is less than 10 + 1: at the first row */
  task.pull = 40.0; /* t' + 40 G(t') = 10, 31: at the first row, and between them, where it is 20 .. 42 */
  moved[0] = 0.0, moved[1] = 1.0;
  energy_step(&task, across, moved, carried, &room, NULL);
  CHECK_NEAR(moved[0], 10.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(moved[1], 11.0, TOLERANCE_ROUNDING);
  release(&room);
}

static void fill(double *x, size_t n, uint32_t seed, double shift) {
  normals(x, n, seed);
  for (size_t i = 0; i < n; i++) x[i] += shift;
}

static void test_bits(void) {
  enum { N = 40000, M = 30000, DIM = 3 };
  double *x = new_doubles(N * DIM), *y = new_doubles(M * DIM), *moved = new_doubles(N * DIM);
  double *with = new_doubles(N * DIM), *first = new_doubles(N * DIM), across[DIM];
  double direction[DIM * DIM];
  fill(x, N * DIM, 1, 0.0);
  fill(y, M * DIM, 2, 0.5);
  normals(direction, DIM * DIM, 5);
  make_orthonormal(direction, DIM, DIM);
  for (size_t k = 0; k < DIM; k++) {
    for (size_t l = 0; l <= k; l++) {
      double along = 0.0;
      for (size_t c = 0; c < DIM; c++) along += direction[k * DIM + c] * direction[l * DIM + c];
      CHECK_NEAR(along, k == l ? 1.0 : 0.0, TOLERANCE_ROUNDING);
    }
  }
  for (int team = 1; team <= 3; team++) {
    const energy_task task = {.source = x, .target = y, .query = x, .n = N, .m = M, .q = N, .dim = DIM,
                              .direction = direction, .count = DIM, .pull = 2.0};
    energy_room room = allocate(&task, team);
    memcpy(moved, x, N * DIM * sizeof *x);
    memcpy(with, x, N * DIM * sizeof *x);
    CHECK(energy_step(&task, across, moved, with, &room, NULL) == STATUS_ok, "team of %d", team);
    if (team == 1) memcpy(first, moved, N * DIM * sizeof *x);
    CHECK(memcmp(first, moved, N * DIM * sizeof *x) == 0, "bits with a team of %d", team);
    CHECK(memcmp(with, moved, N * DIM * sizeof *x) == 0, "carried points with a team of %d", team);
    release(&room);
  }
  const energy_moves lengths = energy_lengths(x, first, N, DIM);
  double mean = 0.0, square = 0.0, largest = 0.0;
  for (size_t i = 0; i < N; i++) {
    double l = 0.0;
    for (size_t c = 0; c < DIM; c++) l += (first[c * N + i] - x[c * N + i]) * (first[c * N + i] - x[c * N + i]);
    mean += sqrt(l) / N;
    square += l / N;
    largest = fmax(largest, sqrt(l));
  }
  CHECK_NEAR(lengths.mean, mean, TOLERANCE_ROUNDING);
  CHECK_NEAR(lengths.square, square, TOLERANCE_ROUNDING);
  CHECK_NEAR(lengths.largest, largest, TOLERANCE_ROUNDING);
  free(x);
  free(y);
  free(moved);
  free(with);
  free(first);
}

static int always(void) {
  return 1;
}

static void test_ends(void) {
  const double x[] = {0.0, 1.7e308, 0.0, 1.7e308}, y[] = {-1.0, 1.0, -1.0, 1.0};
  const double direction[] = {0.8, 0.6, -0.6, 0.8};
  double across[2], moved[4];
  const energy_task task = {.source = x, .target = y, .n = 2, .m = 2, .dim = 2, .direction = direction, .count = 2,
                            .pull = 1.0};
  energy_room room = allocate(&task, 1);
  CHECK(energy_step(&task, across, moved, NULL, &room, always) == STATUS_interrupted, "an interrupt");
  memcpy(moved, x, sizeof x);
  CHECK(energy_step(&task, across, moved, NULL, &room, NULL) == STATUS_diverged, "beyond the range");
  release(&room);
}

void test_energy(void) {
  test_order();
  test_by_hand();
  test_bits();
  test_ends();
}
