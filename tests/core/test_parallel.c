#include "check.h"
#include "core/base/parallel.h"

#ifndef _WIN32
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* A forked child must not wait for threads that it did not inherit. Runs no check of its own: the exit
 * status brings the answer. */
static void forked_child(void) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) _exit(threads_limit(8) == 1 ? 0 : 1);
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child, "no child");
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a forked child may use more than one thread");
}
#endif

typedef struct {
  int count[100];
} visits;

static void visit(size_t from, size_t to, size_t part, void *context) {
  visits *seen = context;
  (void)part;
  for (size_t i = from; i < to; i++) seen->count[i]++;
}

typedef struct {
  size_t from[8], to[8];
} ranges;

static void note_range(size_t from, size_t to, size_t part, void *context) {
  ranges *seen = context;
  seen->from[part] = from;
  seen->to[part] = to;
}

static void cuts_ranges(void) {
  for (int team = -1; team <= 7; team++) {
    visits seen = {.count = {0}};
    parallel_ranges(100, team, visit, &seen);
    int once = 1;
    for (size_t i = 0; i < 100; i++) once = once && seen.count[i] == 1;
    CHECK(once, "a team of %d does not visit each item once", team);
  }
  ranges seen = {.from = {9}};
  parallel_ranges(10, 3, note_range, &seen);
  CHECK(seen.from[0] == 0 && seen.to[0] == 3 && seen.from[1] == 3 && seen.to[1] == 6 && seen.to[2] == 10,
        "10 items in 3 ranges end at %zu, %zu, %zu", seen.to[0], seen.to[1], seen.to[2]);
  visits nothing = {.count = {0}};
  parallel_ranges(0, 4, visit, &nothing);
  CHECK(nothing.count[0] == 0, "no item is visited");
}

void test_parallel(void) {
  cuts_ranges();
  CHECK(threads_worth_pairs(2, 2, 2, 8) == 1, "a second thread for 4 pairs");
  CHECK(threads_worth_pairs(100000, 100000, 2, 2) == 2, "no second thread for much work");
  CHECK(threads_worth(1e3, 4) == 1 && threads_worth(1e9, 4) == 4, "the threshold of work");
  CHECK(threads_limit(1) == 1, "one thread");
  CHECK(threads_limit(0) == 1 && threads_limit(-5) == 1, "fewer than one thread");
  CHECK(threads_processors() >= 1 && threads_openmp_limit() >= 1, "no processor");
  const int most = threads_limit(1 << 30);
  CHECK(most >= 1 && most <= threads_processors() && most <= threads_openmp_limit(), "%d threads", most);
  CHECK(threads_compiled() || most == 1, "%d threads without OpenMP", most);
#ifdef _OPENMP
  CHECK(threads_compiled(), "compiled with OpenMP, but does not say so");
#endif
#ifndef _WIN32
  forked_child();
#endif
}
