/* The fusion pass: gives each quantized layer one more node that does the work of the whole layer,
 *
 *     convolution or dense > batch-norm > activation > extent, fake-quant
 *     add > activation > extent, fake-quant
 *     a function of one number > extent, fake-quant
 *     weights > grid, fake-quant
 *
 * in few sweeps over memory, block by block while a block is in a cache. The fused node acts in
 * compilations for quantized training with Mode.fuse, and there the nodes that it covers do not. In
 * all others it is inert: one graph serves them all, and the simple nodes stay the specification.
 *
 * Codes, extents and running statistics are those of the simple nodes bit for bit; gradients agree to
 * rounding. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_QAT_FUSE_H
#define HONE_QAT_FUSE_H

#include "core/graph.h"

/* Call once, after qat_insert. A layer whose inner values somebody else reads stays as it is. */
HONE_CHECKED int qat_fuse(Graph *g, Error *e);

/* The nodes that a fused node covers; NULL where the layer has none. */
typedef struct FusedLayer {
    const Node *anchor, *affine, *activation, *extent, *quant;
} FusedLayer;

/* Those of quantized weights. */
typedef struct FusedWeights {
    const Node *grid, *quant;
} FusedWeights;

/* Inputs x, weights, (bias), (gamma, beta, mean, variance); outputs codes, extent [2]. */
extern const Op op_fused_layer;
/* Inputs a, b; outputs codes, extent [2]. */
extern const Op op_fused_add;
/* Inputs x; outputs codes, extent [2]. */
extern const Op op_fused_table;
/* Inputs weights; outputs codes, scales [channels]. */
extern const Op op_fused_weights;

#endif
