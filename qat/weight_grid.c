/* The grid of weights: max |w| / qmax per channel, from the weights as they are in this step.
 * Symmetric, so there is no zero point; see qat_weight_scales for dead channels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "qat/nodes.h"
#include "qat/scale.h"

#include <math.h>
#include <string.h>

static const WeightGridAttributes *attributes_of(const Node *n)
{
    return n->attributes;
}

static int channels_of(const Node *n)
{
    Shape s = n->in[0]->shape;
    return attributes_of(n)->axis == QUANT_AXIS_LAST ? shape_channels(s) : s.dim[0];
}

static int infer(Node *n, Error *e)
{
    const WeightGridAttributes *a = attributes_of(n);
    if (a->qmax < 1 || a->qmax > 127 || a->axis == QUANT_AXIS_NONE)
        return error_set(
            e, HONE_ERR_CONFIG,
            "weight_grid '%s': codes to %d (1..127), channels on axis %d (first or last)", n->name,
            a->qmax, (int)a->axis);
    if (n->in[0]->shape.rank < 1 || n->in[0]->batched)
        return error_set(e, HONE_ERR_SHAPE,
                         "weight_grid '%s': '%s' is not a parameter with channels", n->name,
                         n->in[0]->name);
    n->out[0]->shape = SHAPE1(channels_of(n));
    return HONE_OK;
}

Real weights_extreme(const Kernels *k, size_t n, const Real *w)
{
    Real lo, hi;
    k->minmax(n, w, &lo, &hi);
    return -lo > hi ? -lo : hi;
}

/* w - w is 0 unless w is not finite, then a NaN that stays. */
void weights_extremes(size_t rows, size_t channels, const Real *restrict w, Real *restrict extreme)
{
    memset(extreme, 0, channels * sizeof *extreme);
    for (size_t i = 0; i < rows; i++, w += channels) {
        for (size_t c = 0; c < channels; c++) {
            Real size = (Real)fabs((double)w[c]);
            extreme[c] = (size > extreme[c] ? size : extreme[c]) + (w[c] - w[c]);
        }
    }
}

/* Channels first: each is one run of numbers. */
static void extreme_channels(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    size_t n = shape_count(r->in[0]->shape) / (size_t)channels_of(r->node);
    Real *extreme = r->out[0]->data;
    for (int c = begin; c < end; c++)
        extreme[c] =
            weights_extreme(r->compute->real, n, (const Real *)r->in[0]->data + (size_t)c * n);
}

/* Channels last, of depthwise weights: few rows. */
static void extreme_rows(const Run *r)
{
    size_t channels = (size_t)channels_of(r->node);
    weights_extremes(shape_count(r->in[0]->shape) / channels, channels, r->in[0]->data,
                     r->out[0]->data);
}

static void forward(const Run *r)
{
    const WeightGridAttributes *a = attributes_of(r->node);
    int channels = channels_of(r->node);
    if (a->axis == QUANT_AXIS_FIRST)
        run_chunks(r, channels, extreme_channels);
    else
        extreme_rows(r);
    qat_weight_scales(channels, a->qmax, a->per_tensor, r->out[0]->data);
}

const Op op_weight_grid = {
    .name = "weight_grid",
    .flags = OP_GRID,
    .outputs = 1,
    .infer = infer,
    .forward = forward,
};

Node *qat_weight_grid(Graph *g, const char *name, Value *weights,
                      const WeightGridAttributes *attributes)
{
    return graph_node(g, &op_weight_grid, name, 1, &weights, attributes, sizeof *attributes);
}
