#include <R_ext/Visibility.h>

#include "core/base/instructions.h"
#include "core/base/parallel.h"
#include "glue.h"

static const R_CallMethodDef *const tables[] = {
    autoencoder_routines, condition_routines, energy_routines, field_routines, fields_routines, fingerprint_routines,
    frames_routines, gpa_routines, law_routines, lines_routines, machine_routines, network_routines, pairs_routines,
    random_routines, scores_routines, settle_routines, shares_routines, trees_routines, wgf_routines,
};
enum { TABLES = sizeof tables / sizeof *tables };

/* All tables, one after the other, then the end. R copies what it registers. */
static R_CallMethodDef *join_tables(void) {
  size_t n = 1;
  for (size_t t = 0; t < TABLES; t++) {
    for (const R_CallMethodDef *routine = tables[t]; routine->name; routine++) n++;
  }
  R_CallMethodDef *all = (R_CallMethodDef *)R_alloc(n, sizeof *all), *next = all;
  for (size_t t = 0; t < TABLES; t++) {
    for (const R_CallMethodDef *routine = tables[t]; routine->name; routine++) *next++ = *routine;
  }
  const R_CallMethodDef end = NO_ROUTINE;
  *next = end;
  return all;
}

void attribute_visible R_init_particleflow(DllInfo *dll) {
  R_registerRoutines(dll, NULL, join_tables(), NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
  R_forceSymbols(dll, TRUE);
  frames_init(dll);
  simd_init();
  threads_init();
}
