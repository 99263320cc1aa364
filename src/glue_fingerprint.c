/* Fingerprints of objects: hashes of all numbers, words, calls and functions in them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fingerprint.h"
#include "glue.h"

/* The text of a fingerprint: one or two hashes of 16 digits, or nothing. */
typedef struct {
  char text[33];
} mark;

static void print_hash(char *text, uint64_t hash) {
  snprintf(text, 17, "%016" PRIx64, hash);
}

/* --- words, as the code points of all of them with line breaks between ------------------------------------ */

typedef struct {
  uint64_t hash;
  int some; /* was there a word before? */
} word_hash;

static void add_point(word_hash *words, uint32_t point) {
  const double number = (double)point;
  words->hash = fingerprint_add(words->hash, &number, 1);
}

/* The code point at `text`, and where the next one begins. What is no UTF-8 counts byte by byte. */
static uint32_t next_point(const unsigned char **text) {
  const unsigned char *at = *text;
  const int more = at[0] >= 0xF0 ? 3 : at[0] >= 0xE0 ? 2 : at[0] >= 0xC0 ? 1 : 0;
  uint32_t point = more == 3 ? at[0] & 0x07u : more == 2 ? at[0] & 0x0Fu : more == 1 ? at[0] & 0x1Fu : at[0];
  for (int i = 1; i <= more; i++) {
    if ((at[i] & 0xC0u) != 0x80u) {
      *text = at + 1;
      return at[0];
    }
    point = (point << 6) | (at[i] & 0x3Fu);
  }
  *text = at + more + 1;
  return point;
}

static void add_word(word_hash *words, const char *word) {
  if (words->some) add_point(words, '\n');
  words->some = 1;
  for (const unsigned char *at = (const unsigned char *)word; *at;) add_point(words, next_point(&at));
}

static void add_words(word_hash *words, SEXP x) {
  for (R_xlen_t i = 0; i < XLENGTH(x); i++) {
    SEXP word = STRING_ELT(x, i);
    const int as_is = word == NA_STRING || Rf_getCharCE(word) == CE_BYTES;
    add_word(words, as_is ? CHAR(word) : Rf_translateCharUTF8(word));
  }
}

static mark of_words(const word_hash *words) {
  mark out;
  print_hash(out.text, words->hash);
  return out;
}

/* --- objects ---------------------------------------------------------------------------------------------- */

static mark mark_of(SEXP x, SEXP text);

/* The value of f(x), or of f(quote(x)). */
static SEXP value_of(SEXP f, SEXP x, int quoted) {
  SEXP argument = PROTECT(quoted ? Rf_lang2(R_QuoteSymbol, x) : x);
  SEXP call = PROTECT(Rf_lang2(f, argument));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(2);
  return value;
}

/* The names and the members of a list, without the members whose names are in `but`. Returns how many there were. */
static int add_members(word_hash *words, SEXP list, SEXP names, const char *const *but, SEXP text) {
  const R_xlen_t n = XLENGTH(list);
  int found = 0;
  for (int member = 0; member < 2; member++) {
    for (R_xlen_t i = 0; i < n && (member || names != R_NilValue); i++) {
      const char *name = names == R_NilValue ? "" : CHAR(STRING_ELT(names, i));
      int left_out = 0;
      for (int k = 0; but[k]; k++) left_out |= !strcmp(name, but[k]);
      if (left_out) continue;
      if (!member) {
        SEXP word = STRING_ELT(names, i);
        add_word(words, word == NA_STRING ? CHAR(word) : Rf_translateCharUTF8(word));
        continue;
      }
      add_word(words, mark_of(VECTOR_ELT(list, i), text).text);
      found++;
    }
  }
  return found;
}

/* Names, members, and what other attributes there are. */
static mark of_list(SEXP x, SEXP text) {
  static const char *const none[] = {NULL}, *const known[] = {"names", "class", "row.names", NULL};
  word_hash words = {.hash = FINGERPRINT_START}, marks = words;
  SEXP names = PROTECT(Rf_getAttrib(x, R_NamesSymbol));
  SEXP members = PROTECT(TYPEOF(x) == VECSXP ? x : Rf_coerceVector(x, VECSXP));
  add_members(&words, members, names, none, text);
  SEXP others = PROTECT(value_of(Rf_install("attributes"), x, 0));
  if (others != R_NilValue) {
    SEXP labels = PROTECT(Rf_getAttrib(others, R_NamesSymbol));
    if (add_members(&marks, others, labels, known, text) > 0) add_word(&words, of_words(&marks).text);
    UNPROTECT(1);
  }
  UNPROTECT(3);
  return of_words(&words);
}

static mark of_numbers(SEXP x) {
  mark out;
  SEXP numbers = PROTECT(Rf_coerceVector(x, REALSXP)), extents = PROTECT(Rf_getAttrib(x, R_DimSymbol));
  print_hash(out.text, fingerprint_add(FINGERPRINT_START, REAL_RO(numbers), (size_t)XLENGTH(numbers)));
  if (extents != R_NilValue) {
    SEXP each = PROTECT(Rf_coerceVector(extents, REALSXP));
    print_hash(out.text + 16, fingerprint_add(FINGERPRINT_START, REAL_RO(each), (size_t)XLENGTH(each)));
    UNPROTECT(1);
  }
  UNPROTECT(2);
  return out;
}

/* Whether each entry has a level. A factor that was changed by hand may have others. */
static int has_levels(SEXP x) {
  SEXP levels = Rf_getAttrib(x, R_LevelsSymbol);
  if (TYPEOF(levels) != STRSXP) return 0;
  const int *code = INTEGER_RO(x);
  for (R_xlen_t i = 0; i < XLENGTH(x); i++) {
    if (code[i] != NA_INTEGER && (code[i] < 1 || code[i] > XLENGTH(levels))) return 0;
  }
  return 1;
}

/* The levels, and of each entry its own. */
static mark of_factor(SEXP x) {
  word_hash words = {.hash = FINGERPRINT_START};
  SEXP levels = PROTECT(Rf_getAttrib(x, R_LevelsSymbol)), entries = PROTECT(Rf_asCharacterFactor(x));
  add_words(&words, levels);
  add_words(&words, entries);
  UNPROTECT(2);
  return of_words(&words);
}

static mark of_text(SEXP words) {
  word_hash hash = {.hash = FINGERPRINT_START};
  PROTECT(words);
  add_words(&hash, words);
  UNPROTECT(1);
  return of_words(&hash);
}

static mark mark_of(SEXP x, SEXP text) {
  static const mark nothing = {""};
  R_CheckStack();
  switch (TYPEOF(x)) {
    case VECSXP:
    case LISTSXP:
      return of_list(x, text);
    case LANGSXP:
    case SYMSXP:
    case EXPRSXP:
    case CLOSXP:
    case BUILTINSXP:
    case SPECIALSXP:
      return of_text(value_of(text, x, 1));
    case STRSXP:
      return of_text(x);
    case INTSXP:
      if (Rf_inherits(x, "factor") && has_levels(x)) return of_factor(x);
      /* fall through */
    case REALSXP:
    case LGLSXP:
      /* what is.numeric() says */
      return Rf_inherits(x, "Date") || Rf_inherits(x, "POSIXt") || Rf_inherits(x, "difftime") ? nothing : of_numbers(x);
    default:
      return nothing;
  }
}

/* text: a function that gives the words of a call, a name or a function. */
static SEXP pf_fingerprint(SEXP x, SEXP text) {
  if (!Rf_isFunction(text)) Rf_error("`text` must be a function.");
  return Rf_mkString(mark_of(x, text).text);
}

const R_CallMethodDef fingerprint_routines[] = {
    ROUTINE(pf_fingerprint, 2),
    NO_ROUTINE,
};
