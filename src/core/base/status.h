/* What a core routine that can fail returns. The glue turns a status into one R error, on the main thread. */
#ifndef PARTICLEFLOW_STATUS_H
#define PARTICLEFLOW_STATUS_H

typedef enum {
  STATUS_ok = 0,
  STATUS_bad_argument,
  STATUS_diverged,
  STATUS_interrupted
} status;

#endif
