#include "core/law/trees.h"

#include <stdint.h>
#include <string.h>

/* A split must be better than another one by this share to be preferred, and better than none by this share of the
 * node's sum of squares: equal splits differ by rounding. */
#define WORTH 1e-10

typedef struct {
  double sum, count;
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

static size_t most_leaves(size_t size, size_t min_leaf) {
  return size / min_leaf + 1;
}

size_t tree_most_nodes(size_t size, size_t min_leaf) {
  return 2 * most_leaves(size, min_leaf);
}

size_t tree_most_members(size_t size, size_t min_leaf) {
  return 2 * size + LEAF_HEADER * most_leaves(size, min_leaf);
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

/* The responses of a node less their mean; returns their sum of squares, and 0 if all are equal. */
static double centre_responses(const growth *at, size_t begin, size_t end) {
  const double *response = at->sample->response;
  double sum = 0.0, squares = 0.0;
  for (size_t i = begin; i < end; i++) sum += at->centred[i] = response[at->rows[i]];
  if (at->centred[begin] == at->centred[end - 1]) return 0.0; /* rows are in the order of the response */
  const double mean = sum / (double)(end - begin);
  for (size_t i = begin; i < end; i++) {
    at->centred[i] -= mean;
    squares += at->centred[i] * at->centred[i];
  }
  return squares;
}

/* Updates `best` by the splits of one feature. The sums on both sides cancel, so that the sum of squares within falls
 * by S_left^2 (1 / n_left + 1 / n_right). */
static void try_feature(const growth *at, size_t begin, size_t end, size_t feature, bin_sums *bins, split *best) {
  const unsigned char *bin = at->sample->bin + feature * at->sample->n;
  uint64_t used = 0;
  for (size_t i = begin; i < end; i++) {
    const unsigned b = bin[at->rows[i]];
    used |= (uint64_t)1 << b;
    bins[b].sum += at->centred[i];
    bins[b].count += 1.0;
  }
  const double all = (double)(end - begin), least = (double)at->sample->min_leaf;
  double sum = 0.0, count = 0.0;
  for (; used; used &= used - 1) {
    const int b = lowest_bit(used);
    sum += bins[b].sum;
    count += bins[b].count;
    bins[b] = (bin_sums){.sum = 0.0, .count = 0.0};
    if (count < least || all - count < least) continue;
    const double gain = sum * sum * all / (count * (all - count));
    if (gain > best->gain * (1.0 + WORTH)) *best = (split){.feature = (int)feature, .bin = b, .gain = gain};
  }
}

static split best_split(const growth *at, size_t begin, size_t end, bin_sums *bins) {
  split best = {.feature = -1, .bin = 0, .gain = 0.0};
  if (end - begin < 2 * at->sample->min_leaf) return best;
  best.gain = WORTH * centre_responses(at, begin, end);
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

static void write_leaf(const growth *at, size_t begin, size_t end, grown_tree *tree) {
  const tree_sample *sample = at->sample;
  int in_cell[MOST_CELLS + 1] = {0};
  size_t light = 0;
  for (size_t i = begin; i < end; i++) {
    const int row = at->rows[i];
    in_cell[sample->cell[row]]++;
    if (sample->cell[row] == 0) at->spare[light++] = row;
  }
  const size_t kept = light < sample->most_rows ? light : sample->most_rows;
  int *header = tree->members + tree->n_members, *next = header + LEAF_HEADER;
  for (size_t k = 0; k < kept; k++) *next++ = at->spare[(2 * k + 1) * light / (2 * kept)];
  header[LEAF_KEPT] = (int)kept;
  header[LEAF_LIGHT] = (int)light;
  header[LEAF_CELLS] = 0;
  for (int c = 1; c <= MOST_CELLS; c++) {
    if (in_cell[c] == 0) continue;
    *next++ = c;
    *next++ = in_cell[c];
    header[LEAF_CELLS]++;
  }
  tree->n_members = (size_t)(next - tree->members);
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
    tree->first[node] = (int)tree->n_members;
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
  for (int b = 0; b < MOST_BINS; b++) bins[b] = (bin_sums){.sum = 0.0, .count = 0.0};
  size_t drawn = 0;
  for (size_t i = 0; i < sample->n; i++) {
    for (int k = 0; k < bag[sample->order[i]]; k++) at.rows[drawn++] = sample->order[i];
  }
  tree->nodes = tree->n_members = 0;
  add_node(&at, tree, 0, size);
  for (size_t node = 0; node < tree->nodes; node++) finish_node(&at, tree, node, bins);
}
