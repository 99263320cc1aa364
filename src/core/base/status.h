/* What a core routine that can fail returns. The glue turns a status into one R error, on the main thread. */
#ifndef PARTICLEFLOW_STATUS_H
#define PARTICLEFLOW_STATUS_H

typedef enum {
  STATUS_ok = 0,
  STATUS_bad_argument,
  STATUS_diverged,
  STATUS_interrupted
} status;

/* Called now and then in a long loop; the loop ends where it returns something but 0. It may also leave by a long
 * jump, because the core owns no memory. NULL: nobody is asked. */
typedef int (*interrupt_function)(void);

#endif
