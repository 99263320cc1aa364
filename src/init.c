#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#include "core/pair/simd.h"
#include "core/base/parallel.h"
#include "glue.h"

#define ROUTINE(name, arguments) {#name, (DL_FUNC)&name, arguments}

static const R_CallMethodDef routines[] = {
    ROUTINE(pf_field, 8),
    ROUTINE(pf_sample_rounds, 2),
    ROUTINE(pf_sample_field, 7),
    ROUTINE(pf_pairwise_sums, 6),
    ROUTINE(pf_step_log_det, 9),
    ROUTINE(pf_mixture_log_density, 11),
    ROUTINE(pf_local_gaussians, 5),
    ROUTINE(pf_neighbours, 7),
    ROUTINE(pf_count_within, 6),
    ROUTINE(pf_kernel_sums, 8),
    ROUTINE(pf_kernel_rows, 7),
    ROUTINE(pf_sinkhorn_steps, 8),
    ROUTINE(pf_largest_curvature, 5),
    ROUTINE(pf_backward_exact, 9),
    ROUTINE(pf_backward_paper, 8),
    ROUTINE(pf_network_start, 2),
    ROUTINE(pf_network_forward, 5),
    ROUTINE(pf_network_backward, 5),
    ROUTINE(pf_spectral_bound, 1),
    ROUTINE(pf_divergence_dual, 4),
    ROUTINE(pf_gpa_start, 3),
    ROUTINE(pf_gpa_advance, 13),
    ROUTINE(pf_gpa_measure, 5),
    ROUTINE(pf_gpa_carry, 7),
    ROUTINE(pf_network_update, 7),
    ROUTINE(pf_kernel_force, 8),
    ROUTINE(pf_kde, 9),
    ROUTINE(pf_target_field, 7),
    ROUTINE(pf_t_mixture_fit, 9),
    ROUTINE(pf_kernel_tail, 3),
    ROUTINE(pf_target_components, 5),
    ROUTINE(pf_wgf_weights, 4),
    ROUTINE(pf_wgf_move, 8),
    ROUTINE(pf_pair_curvature, 2),
    ROUTINE(pf_equilibrium_radius, 2),
    ROUTINE(pf_draw_shell, 7),
    ROUTINE(pf_draw_uniform, 5),
    ROUTINE(pf_draw_normal, 5),
    ROUTINE(pf_philox, 2),
    ROUTINE(pf_memory, 0),
    ROUTINE(pf_fingerprint, 1),
    ROUTINE(pf_threads, 1),
    ROUTINE(pf_simd, 1),
    {NULL, NULL, 0},
};

void attribute_visible R_init_particleflow(DllInfo *dll) {
  R_registerRoutines(dll, NULL, routines, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
  R_forceSymbols(dll, TRUE);
  simd_init();
  threads_init();
}
