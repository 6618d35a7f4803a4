/* Padding with zeros and nearest upsampling, [N,H,W,C]: two ops that give every output pixel the
 * channels of one input pixel, or nothing. Codes are copied; nothing is the zero point.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/layers.h"

#include <string.h>

/* Output pixel (y, x) is input pixel (floor((y - top) / factor_h), ...), where there is one. */
typedef struct SpatialAttributes {
    int top, left, bottom, right;
    int factor_h, factor_w;
} SpatialAttributes;

static const SpatialAttributes *attributes_of(const Node *n)
{
    return n->attributes;
}

static int infer(Node *n, Error *e)
{
    const SpatialAttributes *a = attributes_of(n);
    const Value *x = n->in[0];
    char text[SHAPE_TEXT_BYTES];
    if (x->shape.rank != 4 || x->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': input %s is not real [N,H,W,C]", n->op->name,
                         n->name, shape_text(x->shape, text));
    const int *dim = x->shape.dim;
    const int64_t h = (int64_t)dim[1] * a->factor_h + a->top + a->bottom;
    const int64_t w = (int64_t)dim[2] * a->factor_w + a->left + a->right;
    if (h > HONE_RT_MAX_DIM || w > HONE_RT_MAX_DIM)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': a size of %lld x %lld is more than %d",
                         n->op->name, n->name, (long long)h, (long long)w, HONE_RT_MAX_DIM);
    n->out[0]->shape = SHAPE4(dim[0], (int)h, (int)w, dim[3]);
    return HONE_OK;
}

static int32_t zero_code(const Run *r)
{
    return r->mode->integer ? r->integer->in[0].zero_point : run_zero_point(r->in[0]);
}

/* Input row of output row y, or -1. */
static int source_row(const Run *r, int y)
{
    const SpatialAttributes *a = attributes_of(r->node);
    const int at = y - a->top;
    return at >= 0 && at / a->factor_h < r->in[0]->shape.dim[1] ? at / a->factor_h : -1;
}

/* One output row, from the input row or, where that is NULL, from nothing; b: bytes of a pixel. */
static void fill_row(const Run *r, const char *x, size_t b, int zero, char *y)
{
    const SpatialAttributes *a = attributes_of(r->node);
    const int width = r->in[0]->shape.dim[2];
    if (!x || a->left > 0 || a->right > 0)
        memset(y, zero, b * (size_t)r->out[0]->shape.dim[2]);
    if (!x)
        return;
    y += b * (size_t)a->left;
    for (int i = 0; i < width * a->factor_w; i++)
        memcpy(y + b * (size_t)i, x + b * (size_t)(i / a->factor_w), b);
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Shape from = r->in[0]->shape, to = r->out[0]->shape;
    const size_t b = elements_bytes(r->in[0]) * (size_t)from.dim[3];
    const int zero = r->in[0]->elem == ELEM_CODE ? zero_code(r) : 0;
    for (int i = begin; i < end; i++)
        for (int oy = 0; oy < to.dim[1]; oy++) {
            const int iy = source_row(r, oy);
            const size_t row = (size_t)i * (size_t)from.dim[1] + (size_t)(iy < 0 ? 0 : iy);
            const char *x = (const char *)r->in[0]->data + row * b * (size_t)from.dim[2];
            const size_t out = (size_t)i * (size_t)to.dim[1] + (size_t)oy;
            fill_row(r, iy < 0 ? NULL : x, b, zero,
                     (char *)r->out[0]->data + out * b * (size_t)to.dim[2]);
        }
}

static void forward(const Run *r)
{
    run_chunks(r, r->out[0]->shape.dim[0], forward_items);
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const SpatialAttributes *a = attributes_of(r->node);
    const Shape from = r->in[0]->shape, to = r->out[0]->shape;
    const size_t channels = (size_t)from.dim[3];
    const size_t in_row = channels * (size_t)from.dim[2], out_row = channels * (size_t)to.dim[2];
    const size_t sample = in_row * (size_t)from.dim[1];
    for (int i = begin; i < end; i++) {
        Real *dx = r->in[0]->grad + (size_t)i * sample;
        if (!r->accumulate[0])
            memset(dx, 0, sample * sizeof *dx);
        for (int oy = 0; oy < to.dim[1]; oy++) {
            const int iy = source_row(r, oy);
            const size_t row = (size_t)i * (size_t)to.dim[1] + (size_t)oy;
            const Real *dy = r->out[0]->grad + row * out_row + channels * (size_t)a->left;
            for (int k = 0; iy >= 0 && k < from.dim[2] * a->factor_w; k++)
                r->compute->real->add(channels, dy + channels * (size_t)k,
                                      dx + (size_t)iy * in_row +
                                          channels * (size_t)(k / a->factor_w));
        }
    }
}

static void backward(const Run *r)
{
    run_chunks(r, r->out[0]->shape.dim[0], backward_items);
}

static void lower_pad(const Node *n, HoneRtOp *op)
{
    const SpatialAttributes *a = attributes_of(n);
    op->kind = HONE_RT_OP_PAD;
    op->pad_top = (uint16_t)a->top;
    op->pad_left = (uint16_t)a->left;
    op->pad_bottom = (uint16_t)a->bottom;
    op->pad_right = (uint16_t)a->right;
}

static void lower_upsample(const Node *n, HoneRtOp *op)
{
    const SpatialAttributes *a = attributes_of(n);
    op->kind = HONE_RT_OP_UPSAMPLE;
    op->stride_h = (uint16_t)a->factor_h;
    op->stride_w = (uint16_t)a->factor_w;
}

#define SPATIAL_OP(text, lower_)                                                                   \
    {                                                                                              \
        .name = (text), .codes = OP_IN(0), .grads = OP_IN(0), .outputs = 1, .keeps_grid = true,    \
        .infer = infer, .forward = forward, .backward = backward, .integer = forward,              \
        .lower = (lower_),                                                                         \
    }

const Op op_pad = SPATIAL_OP("pad", lower_pad);
const Op op_upsample = SPATIAL_OP("upsample", lower_upsample);

static Value *build(Graph *g, const Op *op, const char *name, Value *x, const SpatialAttributes *a)
{
    Node *n = graph_node(g, op, name, 1, &x, a, sizeof *a);
    return n ? n->out[0] : NULL;
}

Value *layer_pad(Graph *g, const char *name, Value *x, const int pads[4])
{
    const SpatialAttributes a = {pads[0], pads[1], pads[2], pads[3], 1, 1};
    for (int i = 0; i < 4; i++)
        if ((pads[i] < 0 || pads[i] > HONE_RT_MAX_SPAN) && g->error.code == HONE_OK)
            error_set(&g->error, HONE_ERR_SHAPE, "pad '%s': %d is outside 0..%d", name, pads[i],
                      HONE_RT_MAX_SPAN);
    return build(g, &op_pad, name, x, &a);
}

Value *layer_upsample(Graph *g, const char *name, Value *x, const int factor[2])
{
    const SpatialAttributes a = {.factor_h = factor[0], .factor_w = factor[1]};
    for (int i = 0; i < 2; i++)
        if ((factor[i] < 1 || factor[i] > HONE_RT_MAX_WINDOW) && g->error.code == HONE_OK)
            error_set(&g->error, HONE_ERR_SHAPE, "upsample '%s': the factor %d is outside 1..%d",
                      name, factor[i], HONE_RT_MAX_WINDOW);
    return build(g, &op_upsample, name, x, &a);
}
