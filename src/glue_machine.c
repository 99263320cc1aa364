/* Threads, instruction sets and the fingerprint of stored frames. */
#include "glue.h"

#include <inttypes.h>
#include <stdio.h>

#if !defined(_WIN32)
#include <unistd.h>
#endif

#include "core/base/fingerprint.h"
#include "core/pair/simd.h"

/* requested -> c(granted, processors, OpenMP's limit, compiled with OpenMP) */
static SEXP pf_threads(SEXP requested) {
  const int granted = check_threads(requested);
  SEXP out = PROTECT(Rf_allocVector(INTSXP, 4));
  INTEGER(out)[0] = granted;
  INTEGER(out)[1] = threads_processors();
  INTEGER(out)[2] = threads_openmp_limit();
  INTEGER(out)[3] = threads_compiled();
  UNPROTECT(1);
  return out;
}

/* Selects an instruction set unless `name` is ""; returns the one in use, then all there are. */
static SEXP pf_simd(SEXP name) {
  const char *wanted = check_string(name, "name");
  if (wanted[0] && !simd_select(wanted)) Rf_error("This processor or build has no \"%s\" kernels.", wanted);
  const char *names[4];
  const size_t n = simd_available(names, 4);
  SEXP out = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)n + 1));
  SET_STRING_ELT(out, 0, Rf_mkChar(simd_current()->name));
  for (size_t i = 0; i < n; i++) SET_STRING_ELT(out, (R_xlen_t)i + 1, Rf_mkChar(names[i]));
  UNPROTECT(1);
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

static SEXP pf_fingerprint(SEXP x) {
  if (TYPEOF(x) != REALSXP) Rf_error("`x` must be doubles.");
  char text[17];
  snprintf(text, sizeof text, "%016" PRIx64, fingerprint_add(FINGERPRINT_START, REAL_RO(x), (size_t)XLENGTH(x)));
  return Rf_mkString(text);
}

const R_CallMethodDef machine_routines[] = {
    ROUTINE(pf_threads, 1),
    ROUTINE(pf_simd, 1),
    ROUTINE(pf_memory, 0),
    ROUTINE(pf_fingerprint, 1),
    NO_ROUTINE,
};
