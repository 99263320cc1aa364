#include "glue_names.h"

#include <stdio.h>
#include <string.h>

/* The words in quotes, with commas between them. */
static const char *quote_words(const char *const *words, int count) {
  size_t size = 1;
  for (int i = 0; i < count; i++) size += strlen(words[i]) + 4;
  char *text = R_alloc(size, 1), *end = text;
  for (int i = 0; i < count; i++) end += sprintf(end, "%s\"%s\"", i ? ", " : "", words[i]);
  return text;
}

int check_choice(named_value x, const char *const *words, int count) {
  const char *word = check_string(x.value, x.what);
  for (int i = 0; i < count; i++) {
    if (!strcmp(word, words[i])) return i;
  }
  Rf_error("`%s` must be one of %s.", x.what, quote_words(words, count));
}

list_reader open_list(SEXP x, const char *what) {
  if (TYPEOF(x) != VECSXP) Rf_error("`%s` must be a list.", what);
  const size_t n = (size_t)XLENGTH(x);
  const list_reader list = {
      .values = x, .names = Rf_getAttrib(x, R_NamesSymbol), .what = what, .seen = R_alloc(n + 1, 1)};
  if (n > 0 && TYPEOF(list.names) != STRSXP) Rf_error("The members of `%s` must have names.", what);
  memset(list.seen, 0, n + 1);
  return list;
}

static const char *name_of(const list_reader *list, R_xlen_t i) {
  return CHAR(STRING_ELT(list->names, i));
}

named_value read_member(list_reader *list, const char *name) {
  const R_xlen_t n = XLENGTH(list->values);
  R_xlen_t i = 0;
  while (i < n && strcmp(name_of(list, i), name)) i++;
  if (i == n) Rf_error("`%s` must have a member `%s`.", list->what, name);
  list->seen[i] = 1;
  const size_t size = strlen(list->what) + strlen(name) + 2;
  char *what = R_alloc(size, 1);
  snprintf(what, size, "%s$%s", list->what, name);
  const named_value member = {.value = VECTOR_ELT(list->values, i), .what = what};
  return member;
}

double read_number(list_reader *list, const char *name) {
  const named_value member = read_member(list, name);
  return check_number(member.value, member.what);
}

int read_count(list_reader *list, const char *name) {
  const named_value member = read_member(list, name);
  return check_count(member.value, member.what);
}

int read_flag(list_reader *list, const char *name) {
  const named_value member = read_member(list, name);
  return check_flag(member.value, member.what);
}

void close_list(const list_reader *list) {
  for (R_xlen_t i = 0; i < XLENGTH(list->values); i++) {
    if (!list->seen[i]) Rf_error("`%s` has one member too many: `%s`.", list->what, name_of(list, i));
  }
}

SEXP new_strings(const char *const *words, R_xlen_t n) {
  SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
  for (R_xlen_t i = 0; i < n; i++) SET_STRING_ELT(out, i, Rf_mkChar(words[i]));
  UNPROTECT(1);
  return out;
}

SEXP new_list(const char *const *names, SEXP *values, int n) {
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
  for (int i = 0; i < n; i++) SET_VECTOR_ELT(out, i, values[i]);
  Rf_setAttrib(out, R_NamesSymbol, PROTECT(new_strings(names, n)));
  UNPROTECT(2);
  return out;
}

/* extent 0: the rows, 1: the columns */
static void name_extent(SEXP matrix, int extent, const char *const *names) {
  SEXP both = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(both, extent, new_strings(names, extent ? Rf_ncols(matrix) : Rf_nrows(matrix)));
  Rf_setAttrib(matrix, R_DimNamesSymbol, both);
  UNPROTECT(1);
}

void name_rows(SEXP matrix, const char *const *names) {
  name_extent(matrix, 0, names);
}

void name_columns(SEXP matrix, const char *const *names) {
  name_extent(matrix, 1, names);
}
