/* What the entry points that work with Gaussian components share. */
#ifndef PARTICLEFLOW_GLUE_LAW_H
#define PARTICLEFLOW_GLUE_LAW_H

#include "core/law/gaussians.h"
#include "glue_names.h"

/* means [K, d], factors [d (d+1) / 2, K] (one column per component: packed, seen from C); without constants and
 * offsets. */
gaussians check_gaussians(SEXP means, SEXP factors, size_t dim);

#endif
