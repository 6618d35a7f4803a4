/* The grid and the codes of weights, fused: see fuse.h. A channel's codes are made while its weights
 * are in the cache from the search for the largest. Their own grid clips no weight: w / s is at most
 * qmax but for three roundings, which rint takes away. So the gradient of the codes is that of the
 * weights, and where the plan lays both into one piece of memory backward does nothing.
 *
 * A channel whose scale is not its own (dead, or one grid for the tensor) gets its codes after all
 * scales are known. SPDX-License-Identifier: Apache-2.0 */
#include "qat/fused.h"
#include "qat/nodes.h"
#include "qat/scale.h"

#include <string.h>

static const WeightGridAttributes *grid_of(const Run *r)
{
    const FusedWeights *f = r->node->attributes;
    return f->grid->attributes;
}

static size_t channels_of(const Run *r)
{
    return shape_count(r->out[1]->shape);
}

static size_t length_of(const Run *r)
{
    return shape_count(r->in[0]->shape) / channels_of(r);
}

static int infer(Node *n, Error *e)
{
    (void)e;
    const FusedWeights *f = n->attributes;
    n->out[0]->shape = f->quant->out[0]->shape;
    n->out[0]->scale = f->quant->out[0]->scale;
    n->out[1]->shape = f->grid->out[0]->shape;
    return HONE_OK;
}

static void needs(const Run *r, Needs *needs)
{
    needs->shared = channels_of(r) * sizeof(Real);
}

static void quantize_channel(const Run *r, size_t c, Real scale)
{
    const int qmax = grid_of(r)->qmax;
    const size_t n = length_of(r);
    r->compute->real->quantize(n, (const Real *)r->in[0]->data + c * n, scale, 0, -qmax, qmax,
                               (int8_t *)r->out[0]->data + c * n, NULL);
}

/* Channels first. shared holds the scales that were used. */
static void quantize_channels(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const WeightGridAttributes *a = grid_of(r);
    const size_t n = length_of(r);
    Real *used = r->shared, *extreme = r->out[1]->data;
    for (size_t c = (size_t)begin; c < (size_t)end; c++) {
        extreme[c] = weights_extreme(r->compute->real, n, (const Real *)r->in[0]->data + c * n);
        used[c] = a->per_tensor ? 0 : qat_weight_scale(extreme[c], a->qmax);
        if (used[c] > 0)
            quantize_channel(r, c, used[c]);
    }
}

static void quantize_others(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Real *used = r->shared, *scale = r->out[1]->data;
    for (size_t c = (size_t)begin; c < (size_t)end; c++)
        if (scale[c] != used[c])
            quantize_channel(r, c, scale[c]);
}

/* Channels last, of depthwise weights: few rows. */
static void quantize_rows(const Run *r)
{
    const WeightGridAttributes *a = grid_of(r);
    const size_t channels = channels_of(r);
    Real *scale = r->out[1]->data;
    weights_extremes(length_of(r), channels, r->in[0]->data, scale);
    qat_weight_scales((int)channels, a->qmax, a->per_tensor, scale);
    for (size_t i = 0; i < length_of(r); i++)
        r->compute->real->quantize_each(channels, (const Real *)r->in[0]->data + i * channels,
                                        scale, -a->qmax, a->qmax,
                                        (int8_t *)r->out[0]->data + i * channels, NULL);
}

static void forward(const Run *r)
{
    const WeightGridAttributes *a = grid_of(r);
    const int channels = (int)channels_of(r);
    if (a->axis == QUANT_AXIS_LAST) {
        quantize_rows(r);
        return;
    }
    run_chunks(r, channels, quantize_channels);
    qat_weight_scales(channels, a->qmax, a->per_tensor, r->out[1]->data);
    run_chunks(r, channels, quantize_others);
}

static void backward(const Run *r)
{
    const size_t n = shape_count(r->in[0]->shape);
    const Real *dy = r->out[0]->grad;
    Real *dx = r->in[0]->grad;
    if (r->accumulate[0])
        r->compute->real->add(n, dy, dx);
    else if (dx != dy)
        memcpy(dx, dy, n * sizeof *dx);
}

const Op op_fused_weights = {
    .name = "fused_weights",
    .flags = OP_FUSED | OP_INPLACE_GRAD | OP_COPY,
    .grads = OP_IN(0),
    .outputs = 2,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
};
