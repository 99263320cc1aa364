/* The gradient flow of the energy distance. */
#include "core/flow/energy.h"

#include <string.h>

#include "glue_names.h"

/* Leaves by a long jump if the user pressed Ctrl-C; all memory is R's. */
static int interrupted(void) {
  R_CheckUserInterrupt();
  return 0;
}

static matrix_view check_rows_of(SEXP x, size_t dim, size_t least, const char *what) {
  const matrix_view rows = check_matrix(x, what);
  if (rows.dim != dim) Rf_error("`%s` must have as many columns as `particles`.", what);
  if (rows.n < least) Rf_error("`%s` must have at least one row.", what);
  return rows;
}

/* Each direction is a column. */
static energy_task check_task(SEXP particles, SEXP target, SEXP direction) {
  const matrix_view from = check_matrix(particles, "particles");
  if (from.n < 1 || from.dim < 1) Rf_error("`particles` must have at least one row and one column.");
  const matrix_view to = check_rows_of(target, from.dim, 1, "target");
  const matrix_view along = check_matrix(direction, "direction");
  if (along.n != from.dim || along.dim != from.dim) {
    Rf_error("`direction` must have one row and one column per column of `particles`.");
  }
  const energy_task task = {.source = from.x,
                            .target = to.x,
                            .n = from.n,
                            .m = to.n,
                            .dim = from.dim,
                            .direction = along.x,
                            .count = along.dim};
  return task;
}

static energy_room new_room(const energy_task *task, int threads) {
  energy_room room = energy_plan(task, threads);
  const size_t length = task->n > task->m ? task->n : task->m;
  room.numbers = (placed_number *)R_alloc((size_t)room.team * energy_numbers(task), sizeof(placed_number));
  room.ranks = scratch((size_t)room.team, task->n + task->m);
  room.moves = scratch(room.wave, length + task->q);
  return room;
}

static SEXP copy_of(matrix_view x) {
  SEXP out = new_matrix(x.n, x.dim);
  memcpy(REAL(out), x.x, x.n * x.dim * sizeof(double));
  return out;
}

/* One step of particles [n, d], and of query rows [q, d] with them, along d orthogonal directions. */
static SEXP pf_energy_step(SEXP particles, SEXP target, SEXP query, SEXP direction, SEXP pull, SEXP threads) {
  R_CheckUserInterrupt();
  energy_task task = check_task(particles, target, direction);
  const matrix_view from = check_matrix(particles, "particles"), with = check_rows_of(query, task.dim, 0, "query");
  task.query = with.x;
  task.q = with.n;
  task.pull = check_number(pull, "pull");
  if (!(task.pull > 0.0)) Rf_error("`pull` must be above 0.");
  const energy_room room = new_room(&task, check_threads(threads));
  static const char *const names[] = {"particles", "query", "across", "moves"};
  static const char *const lengths[] = {"mean", "square", "largest"};
  SEXP values[4];
  values[0] = PROTECT(copy_of(from));
  values[1] = PROTECT(copy_of(with));
  values[2] = PROTECT(new_vector(task.count));
  values[3] = PROTECT(new_vector(3));
  double *across = REAL(values[2]), *moved = REAL(values[0]);
  if (energy_step(&task, across, moved, REAL(values[1]), &room, interrupted) != STATUS_ok) {
    Rf_error("The particles left the range of numbers.");
  }
  const energy_moves moves = energy_lengths(task.source, moved, task.n, task.dim);
  REAL(values[3])[0] = moves.mean;
  REAL(values[3])[1] = moves.square;
  REAL(values[3])[2] = moves.largest;
  Rf_setAttrib(values[3], R_NamesSymbol, new_strings(lengths, 3));
  SEXP out = new_list(names, values, 4);
  UNPROTECT(4);
  return out;
}

const R_CallMethodDef energy_routines[] = {
    ROUTINE(pf_energy_step, 6),
    NO_ROUTINE,
};
