/* Weighted layers of random sizes, and what they make as sums written out in double.
 *
 *     LayerCase c; layer_case_init(&c, CONV, &rng);
 *     Bound b;     bound_init(&b, c.node, ...);           inputs at random
 *     LayerTruth t; layer_truth_init(&t, &c, &b);         y, dx, dw, db
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_LAYER_CASE_H
#define HONE_TESTS_LAYER_CASE_H

#include "layers/window.h"
#include "tests/bound.h"

/* One node of one graph. */
typedef struct LayerCase {
    Graph graph;
    const Node *node;
    Axis y, x; /* a dense layer: 1x1 over one pixel of all inputs */
    int in_c, out_c;
    bool depthwise;
    int groups; /* of a convolution */
    int batch;
} LayerCase;

typedef enum LayerKind { CONV, POINTWISE, GROUPED, DEPTHWISE, MULTIPLIED, DENSE, KINDS } LayerKind;

/* Everything a node makes, in double. */
typedef struct LayerTruth {
    const Bound *b;
    double *y, *dx, *dw, *db;
    int64_t *sums; /* of codes */
} LayerTruth;

void layer_case_init(LayerCase *c, LayerKind kind, Rng *rng);
void layer_case_release(LayerCase *c);
/* The case in words, for messages; until the next call. */
const char *layer_case_text(const LayerCase *c, const char *level);

/* Of the inputs and the output's gradient in b. */
void layer_truth_init(LayerTruth *t, const LayerCase *c, const Bound *b);
void layer_truth_release(LayerTruth *t);

#endif
