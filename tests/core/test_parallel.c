#include <time.h>

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

typedef struct {
  size_t items; /* of the first part */
  double seconds; /* that each part takes */
} slow_task;

static void be_slow(size_t from, size_t to, size_t part, void *context) {
  slow_task *task = context;
  const clock_t start = clock();
  if (part == 0) {
    task->items = to - from;
    while ((double)(clock() - start) < task->seconds * (double)CLOCKS_PER_SEC) continue;
  }
}

/* A team does all items; after a call that is late the next one runs alone, and a team comes back later. */
static void runs_short_work(void) {
  slow_task task = {.seconds = 0.0};
  visits seen = {.count = {0}};
  for (int round = 0; round < 50; round++) parallel_short(100, 3, visit, &seen, 1e7);
  int once = 1;
  for (size_t i = 0; i < 100; i++) once = once && seen.count[i] == 50;
  for (int round = 0; round < 50; round++) parallel_short(100, 3, visit, &seen, 0.0);
  for (size_t i = 0; i < 100; i++) once = once && seen.count[i] == 100;
  CHECK(once, "short work is done more or less than once");
  if (!threads_compiled()) return;
  /* each call takes two milliseconds of the processor, and pauses end after two seconds */
  int late = 0, back = 0;
  for (int round = 0; round < 3000 && !late; round++) {
    task.seconds = 0.002;
    parallel_short(100, 2, be_slow, &task, 1e-6);
    late = task.items == 50;
  }
  parallel_short(100, 2, be_slow, &task, 1e-6);
  CHECK(late && task.items == 100, "after a late call (%d) a thread has %zu items", late,
        task.items);
  for (int round = 0; round < 3000 && !back; round++) {
    parallel_short(100, 2, be_slow, &task, 1e-6);
    back = task.items == 50;
  }
  CHECK(back, "no team after a pause");
}

void test_parallel(void) {
  cuts_ranges();
  runs_short_work();
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
