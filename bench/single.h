/* One weighted layer of a model, compiled and timed alone:
 *
 *     feed (depthwise 1x1, so that a gradient of the input is wanted) > layer > sum
 *
 * in float or, through the quantization pass, on codes. A layer that reads the images has no feed, as
 * in the model. Times are those of the layer's own node: quantizers are other nodes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_BENCH_SINGLE_H
#define HONE_BENCH_SINGLE_H

#include "core/exec.h"

/* A layer of a model, and all the layers that are the same computation. */
typedef struct LayerShape {
    const Node *node; /* the first of them */
    int count;
    bool first;   /* reads the images: no gradient of its input */
    int64_t macs; /* of one sample, of one of them */
} LayerShape;

/* The distinct weighted layers of g, in order; returns how many, at most room are stored. */
int single_shapes(const Graph *g, LayerShape *out, int room);
/* "3x3 s2 16x16x32 > 64" into buffer; returns buffer. */
const char *single_text(const Node *n, char *buffer, size_t size);

typedef struct SingleOptions {
    const Compute *compute;
    int batch;
    bool quantize;
    double seconds; /* to measure, at least; a few runs are made in any case */
} SingleOptions;

/* Milliseconds of one run, the fastest of many. */
typedef struct SingleTime {
    double forward_ms, backward_ms;
} SingleTime;

/* Times one layer on random numbers, alone in a graph. Errors: those of compiling it. */
HONE_CHECKED int single_measure(const LayerShape *s, const SingleOptions *o, SingleTime *t,
                                Error *e);

#endif
