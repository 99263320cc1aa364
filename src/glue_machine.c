/* Threads, instruction sets and memory. */
#include "glue_names.h"

#if !defined(_WIN32)
#include <unistd.h>
#endif

#include "core/base/instructions.h"

static SEXP pf_threads(SEXP requested) {
  const int granted = check_threads(requested);
  static const char *const names[] = {"granted", "processors", "openmp_limit", "compiled"};
  SEXP values[4];
  values[0] = PROTECT(Rf_ScalarInteger(granted));
  values[1] = PROTECT(Rf_ScalarInteger(threads_processors()));
  values[2] = PROTECT(Rf_ScalarInteger(threads_openmp_limit()));
  values[3] = PROTECT(Rf_ScalarLogical(threads_compiled()));
  SEXP out = new_list(names, values, 4);
  UNPROTECT(4);
  return out;
}

/* Selects an instruction set unless `name` is "". */
static SEXP pf_simd(SEXP name) {
  const char *sets[4];
  const size_t n = simd_available(sets, 4);
  if (check_string(name, "name")[0]) simd_select(sets[check_choice(NAMED(name), sets, (int)n)]);
  static const char *const names[] = {"current", "available"};
  SEXP values[2];
  values[0] = PROTECT(Rf_mkString(simd_name()));
  values[1] = PROTECT(new_strings(sets, (R_xlen_t)n));
  SEXP out = new_list(names, values, 2);
  UNPROTECT(2);
  return out;
}

/* Bytes of physical memory, NA where it cannot be told. */
static SEXP pf_memory(void) {
#if defined(_SC_PHYS_PAGES) && defined(_SC_PAGESIZE)
  const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  if (pages > 0 && size > 0) return Rf_ScalarReal((double)pages * (double)size);
#endif
  return Rf_ScalarReal(NA_REAL);
}

const R_CallMethodDef machine_routines[] = {
    ROUTINE(pf_threads, 1),
    ROUTINE(pf_simd, 1),
    ROUTINE(pf_memory, 0),
    NO_ROUTINE,
};
