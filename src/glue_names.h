/* What R and the core tell each other by name, never by position: one of several words, the members of lists, the rows
 * and columns of matrices. */
#ifndef PARTICLEFLOW_GLUE_NAMES_H
#define PARTICLEFLOW_GLUE_NAMES_H

#include "glue.h"

/* A value from R, and what messages call it. */
typedef struct {
  SEXP value;
  const char *what;
} named_value;
/* An argument under its own name. */
#define NAMED(argument) ((named_value){.value = (argument), .what = #argument})

/* The place of a string among `count` words; stops with all of them where it is none. */
int check_choice(named_value x, const char *const *words, int count);

/* A list from R that is read member by member. */
typedef struct {
  SEXP values, names;
  const char *what;
  char *seen; /* one per member: was it read? */
} list_reader;

list_reader open_list(SEXP x, const char *what);
/* Messages call a member "list$name". Each of these stops where there is none of this name. */
named_value read_member(list_reader *list, const char *name);
double read_number(list_reader *list, const char *name);
int read_count(list_reader *list, const char *name);
int read_flag(list_reader *list, const char *name);
/* Stops at a member that was not read: the list has one too many, or two of one name. */
void close_list(const list_reader *list);

SEXP new_strings(const char *const *words, R_xlen_t n);
/* A named list; the values are protected by the caller. */
SEXP new_list(const char *const *names, SEXP *values, int n);
/* The names of all rows or of all columns of a matrix without names. */
void name_rows(SEXP matrix, const char *const *names);
void name_columns(SEXP matrix, const char *const *names);

#endif
