/* The nodes that quantization adds to a graph: grids, fake-quantization, ranges. insert.h puts them
 * in; each op's file says what it computes. Inputs and outputs of each op:
 *
 *     grid          range state [4], or nothing when fixed    -> scale [1], zero point [1]
 *     weight_grid   weights                                   -> scale [channels]
 *     fakequant     x, scale [1] or [channels], (zero point)  -> codes of x
 *     dequantize    codes                                     -> real
 *     extent        real values, 1..8                         -> [2] their smallest and largest number
 *     observer      range state [4], real values, 1..7        -> nothing; moves the state in commit
 *
 * A value may also be an extent: a range over several values that are far apart in time is observed
 * through their extents, so that none waits in memory for the others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_QAT_NODES_H
#define HONE_QAT_NODES_H

#include "core/graph.h"

/* The numbers of a range state; all 0 before the first batch. */
enum { RANGE_MIN, RANGE_MAX, RANGE_BATCHES, RANGE_RESERVED, RANGE_NUMBERS };

/* The grid of images: pixel p of 0..255 is the code p - 128 and the real number (p - 128) / 128. */
#define IMAGE_SCALE (1.0f / 128)

typedef enum QuantAxis {
    QUANT_AXIS_NONE,  /* one scale, with a zero point */
    QUANT_AXIS_FIRST, /* a scale for each index of the first axis */
    QUANT_AXIS_LAST,  /* ... of the last */
} QuantAxis;

typedef struct GridAttributes {
    int qmin, qmax; /* bounds of the codes, -128..127 */
    bool fixed;     /* always `grid`; the node has no input */
    Grid grid;
} GridAttributes;

typedef struct WeightGridAttributes {
    int qmax;        /* 2^(bits-1) - 1; the codes are -qmax..qmax */
    QuantAxis axis;  /* FIRST or LAST: where the channels are */
    bool per_tensor; /* the same scale for every channel */
} WeightGridAttributes;

typedef struct FakequantAttributes {
    int qmin, qmax; /* bounds of the codes, -128..127 */
    QuantAxis axis;
} FakequantAttributes;

typedef enum ObserverKind {
    OBSERVER_EMA,    /* moving average of the batches' extremes, started from the first */
    OBSERVER_MINMAX, /* extremes of all batches */
} ObserverKind;

typedef struct ObserverAttributes {
    int kind;        /* ObserverKind */
    double momentum; /* EMA: range = momentum * range + (1 - momentum) * batch; in [0, 1) */
} ObserverAttributes;

/* Appends an op and returns its node, NULL on a sticky error: for graphs made by hand. zero_point
 * may be NULL; range is NULL for a fixed grid. The observer has no outputs. */
Node *qat_grid(Graph *g, const char *name, Value *range, const GridAttributes *attributes);
Node *qat_weight_grid(Graph *g, const char *name, Value *weights,
                      const WeightGridAttributes *attributes);
Node *qat_fakequant(Graph *g, const char *name, Value *x, Value *scale, Value *zero_point,
                    const FakequantAttributes *attributes);
Node *qat_dequantize(Graph *g, const char *name, Value *codes);
Node *qat_extent(Graph *g, const char *name, int count, Value *const *values);
Node *qat_observer(Graph *g, const char *name, Value *range, int count, Value *const *values,
                   const ObserverAttributes *attributes);

#define OP(op) extern const Op op;
#include "qat/ops.def"
#undef OP

#endif
