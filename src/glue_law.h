/* What the entry points that work with Gaussian components share. */
#ifndef PARTICLEFLOW_GLUE_LAW_H
#define PARTICLEFLOW_GLUE_LAW_H

#include "core/base/components.h"
#include "core/law/gaussians.h"
#include "glue_names.h"

/* means [K, d], factors [d (d+1) / 2, K] (one column per component: packed, seen from C); without constants and
 * offsets. */
gaussians check_gaussians(SEXP means, SEXP factors, size_t dim);

/* mixture: a list of weights [K], means [d, K], roots [d (d+1) / 2, K or 1] and df [K]; columns are packed, seen from
 * C. */
t_components check_mixture(SEXP mixture);
/* Draws of such a mixture, of Gaussians with the sum of weights above 0; the caller gives the keys and the streams. */
component_source check_source(const t_components *law);

#endif
