#include "core/law/trees.h"

#include <stdint.h>
#include <string.h>

#include "core/pair/widened.h"

/* A split must be better than another one by this share to be preferred, and better than none by this share of the
 * node's sum of squares: equal splits differ by rounding. */
#define WORTH 1e-10

typedef struct {
  double sum[MOST_RESPONSES], count;
} bin_sums;

typedef struct {
  int feature, bin; /* feature -1: no split */
  double gain;
} split;

/* rows: the rows of the sample, those of a node next to each other, from begin[node] to end[node]. */
typedef struct {
  const tree_sample *sample;
  int *rows, *spare, *begin, *end;
  double *centred;
} growth;

size_t tree_most_leaves(size_t size, size_t min_leaf) {
  return size / min_leaf + 1;
}

size_t tree_most_nodes(size_t size, size_t min_leaf) {
  return 2 * tree_most_leaves(size, min_leaf);
}

size_t tree_most_members(size_t size, size_t min_leaf) {
  return size + tree_most_leaves(size, min_leaf);
}

size_t tree_integers(size_t size, size_t min_leaf) {
  return 2 * size + 2 * tree_most_nodes(size, min_leaf);
}

static int lowest_bit(uint64_t word) {
#ifdef __GNUC__
  return __builtin_ctzll(word);
#else
  int bit = 0;
  while (!(word >> bit & 1)) bit++;
  return bit;
#endif
}

/* One response of the rows of a node less its mean, into every `responses`-th number; returns the sum of squares, and 0
 * if all are equal. */
static double centre_response(const growth *at, size_t begin, size_t end, size_t which) {
  const double *response = at->sample->response + which * at->sample->n;
  const size_t step = at->sample->responses;
  double *out = at->centred + which, sum = 0.0, squares = 0.0;
  int differ = 0;
  for (size_t i = begin; i < end; i++) {
    const double value = response[at->rows[i]];
    sum += out[i * step] = value;
    if (value != out[begin * step]) differ = 1;
  }
  const double mean = differ ? sum / (double)(end - begin) : out[begin * step];
  for (size_t i = begin; i < end; i++) {
    out[i * step] -= mean;
    squares += out[i * step] * out[i * step];
  }
  return squares;
}

/* The sums of each bin of a node, of `responses` numbers of each row. */
INLINED uint64_t fill_bins(const growth *at, size_t begin, size_t end, const unsigned char *bin, size_t responses,
                           bin_sums *bins) {
  uint64_t used = 0;
  for (size_t i = begin; i < end; i++) {
    const unsigned b = bin[at->rows[i]];
    const double *value = at->centred + i * responses;
    used |= (uint64_t)1 << b;
    for (size_t r = 0; r < responses; r++) bins[b].sum[r] += value[r];
    bins[b].count += 1.0;
  }
  return used;
}

/* Updates `best` by the splits of one feature, and empties the bins. The sums on both sides cancel, so that the sum of
 * squares within falls by S_left^2 (1 / n_left + 1 / n_right). A division takes as long as all else, so that only
 * better splits are divided. */
INLINED void try_bins(const growth *at, size_t begin, size_t end, size_t feature, size_t responses, bin_sums *bins,
                      split *best) {
  uint64_t used = fill_bins(at, begin, end, at->sample->bin + feature * at->sample->n, responses, bins);
  const double all = (double)(end - begin), least = (double)at->sample->min_leaf;
  double wanted = best->gain * (1.0 + WORTH), left[MOST_RESPONSES] = {0.0}, count = 0.0;
  for (; used; used &= used - 1) {
    const int b = lowest_bit(used);
    double squares = 0.0;
    for (size_t r = 0; r < responses; r++) {
      left[r] += bins[b].sum[r];
      squares += left[r] * left[r];
      bins[b].sum[r] = 0.0;
    }
    count += bins[b].count;
    bins[b].count = 0.0;
    const double sides = count * (all - count);
    if (count < least || all - count < least || !(squares * all > wanted * sides)) continue;
    *best = (split){.feature = (int)feature, .bin = b, .gain = squares * all / sides};
    wanted = best->gain * (1.0 + WORTH);
  }
}

/* With one response, as it is for values, the loops over responses are gone. */
static void try_feature(const growth *at, size_t begin, size_t end, size_t feature, bin_sums *bins, split *best) {
  if (at->sample->responses == 1) try_bins(at, begin, end, feature, 1, bins, best);
  else try_bins(at, begin, end, feature, at->sample->responses, bins, best);
}

/* Rows of one class stay together: what a leaf without some class says is worth more, the more rows it has. */
static int one_class(const growth *at, size_t begin, size_t end) {
  const int *class_of = at->sample->class_of;
  if (!at->sample->classes) return 0;
  for (size_t i = begin + 1; i < end; i++) {
    if (class_of[at->rows[i]] != class_of[at->rows[begin]]) return 0;
  }
  return 1;
}

static split best_split(const growth *at, size_t begin, size_t end, bin_sums *bins) {
  split best = {.feature = -1, .bin = 0, .gain = 0.0};
  if (end - begin < 2 * at->sample->min_leaf || one_class(at, begin, end)) return best;
  double squares = 0.0;
  for (size_t r = 0; r < at->sample->responses; r++) squares += centre_response(at, begin, end, r);
  best.gain = WORTH * squares;
  if (!(best.gain > 0.0)) return best;
  for (size_t f = 0; f < at->sample->features; f++) try_feature(at, begin, end, f, bins, &best);
  return best;
}

/* Rows that go left come first, both sides in the order that they had; returns where the right side begins. */
static size_t part_rows(const growth *at, size_t begin, size_t end, split by) {
  const unsigned char *bin = at->sample->bin + (size_t)by.feature * at->sample->n;
  size_t left = begin, right = 0;
  for (size_t i = begin; i < end; i++) {
    const int row = at->rows[i];
    if (bin[row] <= by.bin) at->rows[left++] = row;
    else at->spare[right++] = row;
  }
  memcpy(at->rows + left, at->spare, right * sizeof(int));
  return left;
}

static void write_rows(const growth *at, size_t begin, size_t end, grown_tree *tree) {
  const size_t size = end - begin, most = at->sample->most_rows, kept = size < most ? size : most;
  int *next = tree->members + tree->n_members;
  *next++ = (int)kept;
  for (size_t k = 0; k < kept; k++) *next++ = at->rows[begin + (2 * k + 1) * size / (2 * kept)];
  tree->n_members += 1 + kept;
}

static void write_classes(const growth *at, size_t begin, size_t end, grown_tree *tree) {
  const tree_sample *sample = at->sample;
  int *counts = tree->counts + tree->leaves * sample->classes;
  double *sums = tree->sums + tree->leaves * sample->classes;
  for (size_t c = 0; c < sample->classes; c++) {
    counts[c] = 0;
    sums[c] = 0.0;
    for (size_t i = begin; i < end; i++) sums[c] += sample->expected[(size_t)at->rows[i] + c * sample->n];
  }
  for (size_t i = begin; i < end; i++) counts[sample->class_of[at->rows[i]]]++;
}

static void write_leaf(const growth *at, size_t begin, size_t end, grown_tree *tree) {
  if (at->sample->classes) write_classes(at, begin, end, tree);
  else write_rows(at, begin, end, tree);
  tree->leaves++;
}

static void add_node(const growth *at, grown_tree *tree, size_t begin, size_t end) {
  at->begin[tree->nodes] = (int)begin;
  at->end[tree->nodes] = (int)end;
  tree->nodes++;
}

static void finish_node(const growth *at, grown_tree *tree, size_t node, bin_sums *bins) {
  const size_t begin = (size_t)at->begin[node], end = (size_t)at->end[node];
  const split by = best_split(at, begin, end, bins);
  tree->feature[node] = by.feature;
  tree->bin[node] = by.bin;
  if (by.feature < 0) {
    tree->first[node] = (int)(at->sample->classes ? tree->leaves : tree->n_members);
    write_leaf(at, begin, end, tree);
    return;
  }
  tree->first[node] = (int)tree->nodes;
  const size_t middle = part_rows(at, begin, end, by);
  add_node(at, tree, begin, middle);
  add_node(at, tree, middle, end);
}

void grow_tree(const tree_sample *sample, const int *bag, size_t size, grown_tree *tree, int *integers,
               double *numbers) {
  const size_t nodes = tree_most_nodes(size, sample->min_leaf);
  const growth at = {
      .sample = sample,
      .rows = integers,
      .spare = integers + size,
      .begin = integers + 2 * size,
      .end = integers + 2 * size + nodes,
      .centred = numbers,
  };
  bin_sums bins[MOST_BINS];
  for (int b = 0; b < MOST_BINS; b++) bins[b] = (bin_sums){.sum = {0.0}, .count = 0.0};
  size_t drawn = 0;
  for (size_t i = 0; i < sample->n; i++) {
    for (int k = 0; k < bag[sample->order[i]]; k++) at.rows[drawn++] = sample->order[i];
  }
  tree->nodes = tree->n_members = tree->leaves = 0;
  add_node(&at, tree, 0, size);
  for (size_t node = 0; node < tree->nodes; node++) finish_node(&at, tree, node, bins);
}
