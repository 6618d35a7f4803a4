/* The quantization pass: turns a float graph into one that trains and computes on codes.
 *
 * A quantized layer is an anchor (an op with an integer form: convolution, dense, add, mean) with
 * the batch-norm and the activation that follow it alone. Its output gets a fake-quant node; the
 * weights of the anchor get another; grids and observers are nodes too:
 *
 *            weight --> weight_grid --scale--+        range --> grid --scale, zero point--+
 *               |                            v                                            v
 *               +----------------------> fakequant        conv > batchnorm > relu --> fakequant --> ...
 *                                            |             ^                    |
 *                                            +-------------+        extent --> observer (updates range)
 *
 * An activation whose clamp no anchor takes becomes an anchor itself (Op.alone).
 *
 * An anchor that keeps the grid of its inputs (pooling, concatenation) gets nothing: its output is
 * codes already. Values that it joins share one range, whatever the options say.
 *
 * The images get the fixed grid of scale 1/128, zero point 0, so that a code is pixel - 128. All
 * inserted nodes are inert in compilations with quantization off. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef HONE_QAT_INSERT_H
#define HONE_QAT_INSERT_H

#include "core/params.h"
#include "qat/options.h"

/* How a quantized layer is grouped; hangs at its anchor's Node.quant. */
typedef struct QuantLayer {
    const Node *anchor;
    const Node *affine;     /* batch-norm, or NULL */
    const Node *activation; /* or NULL */
    const Node *last;       /* the end of the chain: anchor, affine or activation */
    const Node *weights;    /* fake-quant of the weights, or NULL */
    const Node *extent; /* of the real output; NULL where the grid is fixed or that of an input */
    const Node *output; /* fake-quant of it; NULL where the anchor keeps the grid of its inputs */
    const Value *codes; /* the output as codes */
    int weight_bits, activation_bits;
} QuantLayer;

/* Inserts the nodes and adds the range states. Call once, after the model is built and before
 * params_new. Errors (ERR_CONFIG): a layer without an integer form, an override that matches
 * nothing, different bits on layers that must share a grid. */
HONE_CHECKED int qat_insert(Graph *g, const QatOptions *options, Error *e);

/* Ranges become as before the first batch: the next one sets them. */
void qat_forget_ranges(const Graph *g, Params *params);

/* The quantized layer whose anchor is n, or NULL. */
static inline const QuantLayer *qat_layer(const Node *n)
{
    return n->quant;
}

#endif
