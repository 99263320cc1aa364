/* The border between R and the core. Every entry point checks, allocates, takes pointers, runs, wraps, in
 * this order; what it allocates belongs to R, so an error or an interrupt leaks nothing. */
#ifndef PARTICLEFLOW_GLUE_H
#define PARTICLEFLOW_GLUE_H

#ifndef R_NO_REMAP
#define R_NO_REMAP
#endif
#ifndef STRICT_R_HEADERS
#define STRICT_R_HEADERS
#endif
#include <R.h>
#include <Rinternals.h>

#include "core/pair/pairwise.h"
#include "core/base/rng.h"

/* A column-major matrix of doubles. */
typedef struct {
  const double *x;
  size_t n, dim;
} matrix_view;

/* Each stops with one sentence that names `what`. */
matrix_view check_matrix(SEXP x, const char *what);
double check_number(SEXP x, const char *what);
int check_count(SEXP x, const char *what); /* 0 .. INT_MAX */
int check_flag(SEXP x, const char *what);
const char *check_string(SEXP x, const char *what);
const double *check_vector(SEXP x, size_t length, const char *what);
pair_kernel check_potential(SEXP s, SEXP epsilon);
rng_key check_key(SEXP key);
int check_threads(SEXP threads);

/* Rows [from, from + count) of the query; with `own` each row of it is a row of the source. */
typedef struct {
  size_t from, count;
} row_range;
row_range check_rows(matrix_view query, matrix_view source, SEXP from, SEXP count, int own);
/* The same as a task; with `self` query row i is source row i and is left out. */
pair_task check_row_task(matrix_view query, matrix_view source, SEXP from, SEXP count, SEXP self, pair_kernel kernel);

/* Doubles from R's transient heap, with the product of extents checked. */
double *scratch(size_t a, size_t b);
/* The same on cache lines of its own. */
double *aligned_scratch(size_t n);
SEXP new_matrix(size_t n, size_t dim);
SEXP new_list(const char *const *names, SEXP *values, int n);
/* One row per point, from the transient heap. */
const double *packed_rows(matrix_view view);
/* And back: out [n, dim] by columns. */
void unpack_rows(double *out, const double *packed, size_t n, size_t dim);

SEXP pf_field(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP s, SEXP epsilon, SEXP threads);
SEXP pf_sample_rounds(SEXP n, SEXP dim);
SEXP pf_sample_field(SEXP x, SEXP state, SEXP from, SEXP to, SEXP s, SEXP epsilon, SEXP threads);
SEXP pf_pairwise_sums(SEXP query, SEXP source, SEXP self, SEXP s, SEXP epsilon, SEXP threads);
SEXP pf_kernel_sums(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth,
                    SEXP threads);
SEXP pf_kernel_rows(SEXP query, SEXP source, SEXP from, SEXP count, SEXP kernel, SEXP bandwidth, SEXP threads);
SEXP pf_sinkhorn_steps(SEXP x, SEXP y, SEXP f, SEXP g, SEXP epsilon, SEXP relaxation, SEXP n_steps, SEXP threads);
SEXP pf_step_log_det(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP gamma, SEXP s, SEXP epsilon,
                     SEXP threads);
SEXP pf_mixture_log_density(SEXP points, SEXP means, SEXP factors, SEXP offsets, SEXP constants, SEXP widths,
                            SEXP shares, SEXP from, SEXP count, SEXP self, SEXP threads);
SEXP pf_local_gaussians(SEXP points, SEXP index, SEXP shrinkage, SEXP least, SEXP threads);
SEXP pf_neighbours(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP k, SEXP threads);
SEXP pf_count_within(SEXP query, SEXP source, SEXP from, SEXP count, SEXP radius, SEXP threads);
SEXP pf_largest_curvature(SEXP x, SEXP bounds, SEXP s, SEXP epsilon, SEXP threads);
SEXP pf_backward_exact(SEXP y, SEXP guess, SEXP source, SEXP gamma, SEXP s, SEXP epsilon, SEXP tolerance,
                       SEXP most_evaluations, SEXP threads);
SEXP pf_backward_paper(SEXP y, SEXP source, SEXP gamma, SEXP s, SEXP epsilon, SEXP beta, SEXP n_inner,
                       SEXP threads);
SEXP pf_network_start(SEXP widths, SEXP key);
SEXP pf_network_forward(SEXP parameters, SEXP widths, SEXP smoothing, SEXP x, SEXP threads);
SEXP pf_network_backward(SEXP parameters, SEXP widths, SEXP smoothing, SEXP x, SEXP output_gradient);
SEXP pf_spectral_bound(SEXP w);
SEXP pf_divergence_dual(SEXP kind, SEXP alpha, SEXP p, SEXP q);
SEXP pf_gpa_start(SEXP widths, SEXP settings, SEXP key);
SEXP pf_gpa_advance(SEXP particles, SEXP target, SEXP learner, SEXP directions, SEXP updates, SEXP widths,
                    SEXP settings, SEXP key, SEXP batch_size, SEXP first, SEXP n_steps, SEXP every, SEXP stop);
SEXP pf_gpa_measure(SEXP particles, SEXP target, SEXP parameters, SEXP widths, SEXP settings);
SEXP pf_gpa_carry(SEXP points, SEXP networks, SEXP widths, SEXP settings, SEXP every, SEXP from, SEXP count);
SEXP pf_network_update(SEXP learner, SEXP updates, SEXP widths, SEXP smoothing, SEXP x, SEXP output_gradient, SEXP rate);
SEXP pf_kernel_force(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth,
                     SEXP threads);
SEXP pf_kde(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth, SEXP score,
            SEXP threads);
SEXP pf_target_field(SEXP points, SEXP kind, SEXP shape, SEXP means, SEXP factors, SEXP constants, SEXP threads);
SEXP pf_t_mixture_fit(SEXP points, SEXP share, SEXP pull, SEXP df, SEXP prior, SEXP log_likelihood, SEXP most_steps,
                      SEXP least_gain, SEXP threads);
SEXP pf_kernel_tail(SEXP sorted, SEXP at, SEXP width);
SEXP pf_target_components(SEXP points, SEXP means, SEXP factors, SEXP constants, SEXP threads);
SEXP pf_wgf_weights(SEXP kind, SEXP alpha, SEXP log_r, SEXP mean);
SEXP pf_wgf_move(SEXP points, SEXP log_p, SEXP score_p, SEXP log_q, SEXP score_q, SEXP kind, SEXP alpha, SEXP plan);
SEXP pf_pair_curvature(SEXP s, SEXP epsilon);
SEXP pf_equilibrium_radius(SEXP dim, SEXP s);
SEXP pf_draw_shell(SEXP n, SEXP centre, SEXP radius, SEXP kind, SEXP s, SEXP key, SEXP threads);
SEXP pf_draw_uniform(SEXP n, SEXP m, SEXP key, SEXP stream, SEXP threads);
SEXP pf_draw_normal(SEXP n, SEXP m, SEXP key, SEXP stream, SEXP threads);
SEXP pf_philox(SEXP counter, SEXP key);
SEXP pf_memory(void);
SEXP pf_fingerprint(SEXP x);
SEXP pf_threads(SEXP requested);
SEXP pf_simd(SEXP name);

#endif
