/* The border between R and the core. Every entry point checks, allocates, takes pointers, runs, wraps, in
 * this order; what it allocates belongs to R, so an error or an interrupt leaks nothing. Entry points are static: each
 * glue file ends with the table of its own, and init.c joins the tables. */
#ifndef PARTICLEFLOW_GLUE_H
#define PARTICLEFLOW_GLUE_H

#ifndef R_NO_REMAP
#define R_NO_REMAP
#endif
#ifndef STRICT_R_HEADERS
#define STRICT_R_HEADERS
#endif
#include <R.h>
#include <R_ext/Rdynload.h>
#include <Rinternals.h>

#include "core/base/parallel.h"
#include "core/base/rng.h"
#include "core/pair/pairwise.h"

/* A line of a table of routines; a table ends with NO_ROUTINE. */
#define ROUTINE(name, arguments) {#name, (DL_FUNC)&name, arguments}
#define NO_ROUTINE {NULL, NULL, 0}
extern const R_CallMethodDef autoencoder_routines[], condition_routines[], energy_routines[], field_routines[],
    fields_routines[], fingerprint_routines[], frames_routines[], gpa_routines[], law_routines[], lines_routines[],
    machine_routines[], network_routines[], pairs_routines[], random_routines[], scores_routines[],
    settle_routines[], shares_routines[], trees_routines[], wgf_routines[];

/* Registers the class of arrays whose numbers are in a file. */
void frames_init(DllInfo *dll);

/* A column-major matrix of doubles. */
typedef struct {
  const double *x;
  size_t n, dim;
} matrix_view;

/* Each stops with one sentence that names `what`. */
matrix_view check_matrix(SEXP x, const char *what);
const double *check_extents(SEXP x, size_t n, size_t dim, const char *what); /* a matrix, n by dim */
double check_number(SEXP x, const char *what);
int check_count(SEXP x, const char *what);                       /* 0 .. INT_MAX */
uint64_t check_whole(double x, double most, const char *what);   /* 0 .. most, at most 2^53 */
int check_flag(SEXP x, const char *what);
const char *check_string(SEXP x, const char *what);
const double *check_vector(SEXP x, size_t length, const char *what);
const double *check_doubles(SEXP x, size_t *length, const char *what); /* of any length */
pair_kernel check_potential(SEXP s, SEXP epsilon);
rng_key check_key(SEXP key);
int check_threads(SEXP threads); /* how many there will be */

/* Whole doubles up to this are exact. */
#define LARGEST_WHOLE 9007199254740992.0

/* Rows [from, from + count) of the query; with `own` each row of it is a row of the source. */
typedef struct {
  size_t from, count;
  int own;
} row_range;
row_range check_rows(matrix_view query, matrix_view source, SEXP from, SEXP count, int own);
/* The same as a task that is prepared; with rows.own query row i is source row i and is left out. */
pair_task row_task(matrix_view query, matrix_view source, row_range rows, pair_kernel kernel);

/* Doubles from R's transient heap, with the product of extents checked. */
double *scratch(size_t a, size_t b);
/* Doubles on cache lines of their own. */
double *aligned_scratch(size_t n);
/* Each stops where the extents are too large for R. */
SEXP new_vector(size_t n);
SEXP new_matrix(size_t n, size_t dim);
SEXP new_integer_matrix(size_t n, size_t dim);
/* One row per point, from the transient heap. */
const double *packed_rows(matrix_view view);

#endif
