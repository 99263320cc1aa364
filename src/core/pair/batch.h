/* A batch of sources as an engine: the sums over these sources by the pair engine. */
#ifndef PARTICLEFLOW_BATCH_H
#define PARTICLEFLOW_BATCH_H

#include "core/pair/engine.h"
#include "core/pair/pairwise.h"

/* The engine of the sources of `task`, whose kernel and sources are set; `task` must outlive it. */
sums_engine batch_engine(pair_task *task);

#endif
