/* Frames of a trajectory that stay in a file: a numeric array of R whose numbers are pages of the file, which the
 * system reads when they are needed. Pages that are written to become private, so that the file never changes. */
#include "glue.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include <R_ext/Altrep.h>

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define CAN_MAP 1
#else
#define CAN_MAP 0
#endif

/* What is mapped. The array holds an external pointer to it, and the state: list(path, bytes before the numbers, how
 * many numbers, temporary). */
typedef struct {
  char *base;
  size_t bytes;
  const double *numbers;
} mapping;

enum { STATE_path, STATE_skip, STATE_length, STATE_temporary, STATE_parts };

static R_altrep_class_t frames_class;

/* An array that was read while its file was away has no pages. So what else was saved with it is not lost. */
static mapping *mapping_of(SEXP x) {
  mapping *found = R_ExternalPtrAddr(R_altrep_data1(x));
  if (!found) {
    Rf_error("The frames of this trajectory are in the file \"%s\", which was gone or too short when it was read.",
             CHAR(STRING_ELT(VECTOR_ELT(R_altrep_data2(x), STATE_path), 0)));
  }
  return found;
}

#if CAN_MAP
/* A file in the temporary folder of the session is deleted with its last use. */
static void release(SEXP pointer) {
  mapping *held = R_ExternalPtrAddr(pointer);
  if (!held) return;
  SEXP state = R_ExternalPtrProtected(pointer);
  munmap(held->base, held->bytes);
  free(held);
  R_ClearExternalPtr(pointer);
  if (LOGICAL(VECTOR_ELT(state, STATE_temporary))[0]) unlink(CHAR(STRING_ELT(VECTOR_ELT(state, STATE_path), 0)));
}

/* NULL if there is no such file or it is too short. */
static mapping *map_file(const char *path, size_t skip, size_t length) {
  const size_t bytes = skip + length * sizeof(double);
  const int file = open(path, O_RDONLY);
  if (file < 0) return NULL;
  struct stat seen;
  void *base = MAP_FAILED;
  if (fstat(file, &seen) == 0 && seen.st_size >= 0 && (uintmax_t)seen.st_size >= bytes) {
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  }
  close(file);
  if (base == MAP_FAILED) return NULL;
  mapping *held = malloc(sizeof *held);
  if (!held) {
    munmap(base, bytes);
    return NULL;
  }
  held->base = base;
  held->bytes = bytes;
  held->numbers = (const double *)(const void *)(held->base + skip);
  return held;
}
#endif

/* The numbers without their extents, and without pages if the file cannot be mapped. */
static SEXP map_state(SEXP state) {
#if CAN_MAP
  const char *path = CHAR(STRING_ELT(VECTOR_ELT(state, STATE_path), 0));
  const double skip = REAL(VECTOR_ELT(state, STATE_skip))[0], length = REAL(VECTOR_ELT(state, STATE_length))[0];
  SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, state));
  R_RegisterCFinalizerEx(pointer, release, TRUE);
  R_SetExternalPtrAddr(pointer, map_file(path, (size_t)skip, (size_t)length));
  SEXP out = R_new_altrep(frames_class, pointer, state);
  UNPROTECT(1);
  return out;
#else
  (void)state;
  Rf_error("Files cannot be mapped on this system.");
#endif
}

/* --- what R asks of the array ------------------------------------------------------------------------------ */

static R_xlen_t frames_length(SEXP x) {
  return (R_xlen_t)REAL(VECTOR_ELT(R_altrep_data2(x), STATE_length))[0];
}

static void *frames_pointer(SEXP x, Rboolean writable) {
  (void)writable; /* the pages are private */
  return (void *)(uintptr_t)mapping_of(x)->numbers;
}

static const void *frames_pointer_or_null(SEXP x) {
  const mapping *found = R_ExternalPtrAddr(R_altrep_data1(x));
  return found ? found->numbers : NULL;
}

static double frames_entry(SEXP x, R_xlen_t i) {
  return mapping_of(x)->numbers[i];
}

/* The array is saved as its place. NULL: as its numbers, because a temporary file does not outlive the session. */
static SEXP frames_state(SEXP x) {
  SEXP state = R_altrep_data2(x);
  return LOGICAL(VECTOR_ELT(state, STATE_temporary))[0] ? NULL : state;
}

static SEXP frames_read(SEXP class, SEXP state) {
  (void)class;
  return map_state(state);
}

static Rboolean frames_inspect(SEXP x, int pre, int deep, int pvec, void (*inspect)(SEXP, int, int, int)) {
  (void)pre, (void)deep, (void)pvec, (void)inspect;
  Rprintf(" frames in a file (%.0f numbers)\n", (double)frames_length(x));
  return TRUE;
}

void frames_init(DllInfo *dll) {
  frames_class = R_make_altreal_class("frames", "particleflow", dll);
  R_set_altrep_Length_method(frames_class, frames_length);
  R_set_altrep_Inspect_method(frames_class, frames_inspect);
  R_set_altrep_Serialized_state_method(frames_class, frames_state);
  R_set_altrep_Unserialize_method(frames_class, frames_read);
  R_set_altvec_Dataptr_method(frames_class, frames_pointer);
  R_set_altvec_Dataptr_or_null_method(frames_class, frames_pointer_or_null);
  R_set_altreal_Elt_method(frames_class, frames_entry);
}

/* The numbers of a file from byte `skip` on, as an array [n, d, slots] with these names. */
static SEXP pf_frames_map(SEXP path, SEXP skip, SEXP extent, SEXP names, SEXP temporary) {
  check_string(path, "path");
  const double *sides = check_vector(extent, 3, "extent");
  const uint64_t before = check_whole(check_number(skip, "skip"), INT_MAX, "skip");
  const int passing = check_flag(temporary, "temporary");
  double length = 1.0;
  for (int k = 0; k < 3; k++) length *= (double)check_whole(sides[k], INT_MAX, "extent");
  if (before % sizeof(double) || !(length >= 1.0) || length > LARGEST_WHOLE / 16.0) {
    Rf_error("`extent` must be at least 1 and `skip` a multiple of 8.");
  }
  if (TYPEOF(names) != VECSXP || XLENGTH(names) != 3) Rf_error("`names` must be a list of 3.");
  SEXP state = PROTECT(Rf_allocVector(VECSXP, STATE_parts));
  SET_VECTOR_ELT(state, STATE_path, Rf_ScalarString(STRING_ELT(path, 0)));
  SET_VECTOR_ELT(state, STATE_skip, Rf_ScalarReal((double)before));
  SET_VECTOR_ELT(state, STATE_length, Rf_ScalarReal(length));
  SET_VECTOR_ELT(state, STATE_temporary, Rf_ScalarLogical(passing));
  SEXP out = PROTECT(map_state(state));
  mapping_of(out); /* stops if there are no pages */
  SEXP dim = PROTECT(Rf_allocVector(INTSXP, 3));
  for (int k = 0; k < 3; k++) INTEGER(dim)[k] = (int)sides[k];
  Rf_setAttrib(out, R_DimSymbol, dim);
  Rf_setAttrib(out, R_DimNamesSymbol, names);
  UNPROTECT(3);
  return out;
}

static SEXP pf_frames_can_map(void) {
  return Rf_ScalarLogical(CAN_MAP);
}

const R_CallMethodDef frames_routines[] = {
    ROUTINE(pf_frames_map, 5),
    ROUTINE(pf_frames_can_map, 0),
    NO_ROUTINE,
};
