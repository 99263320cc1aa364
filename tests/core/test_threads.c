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

void test_threads(void) {
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
