/* Fake quantization: real numbers to the codes of a grid, differentiable straight-through.
 *
 *     q = clip(rint(x / s) + z, qmin, qmax)        value of q: s (q - z)
 *
 * One grid for the tensor, or a scale per channel without zero point. The output is codes, so the
 * rounding happens once and everything after it is exact. Gradient: dy where the rounded, unclipped
 * code lies in [qmin, qmax], else 0 (as PyTorch's fake-quantize); forward saves these bits, when a
 * backward will come. The grid gets no gradient.
 * Source: Jacob et al., CVPR 2018, section 3. SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "qat/nodes.h"

/* A tensor with channels as rows of numbers. Masks of rows start at bytes. */
typedef struct Rows {
    size_t count, length, mask_bytes; /* mask_bytes: of one row */
} Rows;

static QuantAxis axis_of(const Node *n)
{
    return ((const FakequantAttributes *)n->attributes)->axis;
}

static Rows rows_of(const Run *r)
{
    Shape s = r->in[0]->shape;
    size_t n = shape_count(s);
    size_t count =
        axis_of(r->node) == QUANT_AXIS_FIRST ? (size_t)s.dim[0] : n / (size_t)shape_channels(s);
    return (Rows){count, n / count, elements_mask_bytes(n / count)};
}

static int infer(Node *n, Error *e)
{
    const FakequantAttributes *a = n->attributes;
    const Value *x = n->in[0], *scale = n->in[1];
    char text[SHAPE_TEXT_BYTES], other[SHAPE_TEXT_BYTES];
    int channels = a->axis == QUANT_AXIS_NONE   ? 1
                   : a->axis == QUANT_AXIS_LAST ? shape_channels(x->shape)
                                                : x->shape.dim[0];
    if (a->qmin < -128 || a->qmin >= a->qmax || a->qmax > 127)
        return error_set(e, HONE_ERR_CONFIG,
                         "fakequant '%s': codes %d..%d are not within -128..127", n->name, a->qmin,
                         a->qmax);
    if (x->elem != ELEM_REAL || !shape_equal(scale->shape, SHAPE1(channels)))
        return error_set(e, HONE_ERR_SHAPE,
                         "fakequant '%s': scale %s does not fit the real input %s (%d channels)",
                         n->name, shape_text(scale->shape, other), shape_text(x->shape, text),
                         channels);
    if (n->inputs > 2 && (a->axis != QUANT_AXIS_NONE || !shape_equal(n->in[2]->shape, SHAPE1(1))))
        return error_set(e, HONE_ERR_SHAPE,
                         "fakequant '%s': a zero point is [1] and goes with one scale", n->name);
    n->out[0]->shape = x->shape;
    n->out[0]->scale = n->in[1];
    n->out[0]->zero_point = n->inputs > 2 ? n->in[2] : NULL;
    return HONE_OK;
}

static void needs(const Run *r, Needs *needs)
{
    Rows rows = rows_of(r);
    if (r->want[0])
        needs->saved = axis_of(r->node) == QUANT_AXIS_NONE
                           ? elements_mask_bytes(shape_count(r->in[0]->shape))
                           : rows.count * rows.mask_bytes;
}

/* ---- one grid ---- */

static void quantize_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const FakequantAttributes *a = r->node->attributes;
    Elements e = elements_of(shape_count(r->in[0]->shape), begin, end);
    uint8_t *mask = r->want[0] ? (uint8_t *)r->saved + e.first / 8 : NULL;
    r->compute->real->quantize(e.count, (const Real *)r->in[0]->data + e.first,
                               run_scale(r->out[0])[0], run_zero_point(r->out[0]), a->qmin, a->qmax,
                               (int8_t *)r->out[0]->data + e.first, mask);
}

static void mask_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    Elements e = elements_of(shape_count(r->in[0]->shape), begin, end);
    r->compute->real->mask_grad(e.count, r->out[0]->grad + e.first,
                                (const uint8_t *)r->saved + e.first / 8, r->accumulate[0],
                                r->in[0]->grad + e.first);
}

/* ---- a scale per channel ---- */

static void quantize_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const FakequantAttributes *a = r->node->attributes;
    const Kernels *k = r->compute->real;
    Rows rows = rows_of(r);
    const Real *scale = run_scale(r->out[0]);
    for (size_t i = (size_t)begin; i < (size_t)end; i++) {
        const Real *x = (const Real *)r->in[0]->data + i * rows.length;
        int8_t *q = (int8_t *)r->out[0]->data + i * rows.length;
        uint8_t *mask = r->want[0] ? (uint8_t *)r->saved + i * rows.mask_bytes : NULL;
        if (a->axis == QUANT_AXIS_FIRST)
            k->quantize(rows.length, x, scale[i], 0, a->qmin, a->qmax, q, mask);
        else
            k->quantize_each(rows.length, x, scale, a->qmin, a->qmax, q, mask);
    }
}

static void mask_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    Rows rows = rows_of(r);
    for (size_t i = (size_t)begin; i < (size_t)end; i++)
        r->compute->real->mask_grad(rows.length, r->out[0]->grad + i * rows.length,
                                    (const uint8_t *)r->saved + i * rows.mask_bytes,
                                    r->accumulate[0], r->in[0]->grad + i * rows.length);
}

static void forward(const Run *r)
{
    if (axis_of(r->node) == QUANT_AXIS_NONE)
        run_chunks(r, elements_items(shape_count(r->in[0]->shape)), quantize_items);
    else
        run_chunks(r, (int)rows_of(r).count, quantize_rows);
}

static void backward(const Run *r)
{
    if (!r->want[0])
        return;
    if (axis_of(r->node) == QUANT_AXIS_NONE)
        run_chunks(r, elements_items(shape_count(r->in[0]->shape)), mask_items);
    else
        run_chunks(r, (int)rows_of(r).count, mask_rows);
}

const Op op_fakequant = {
    .name = "fakequant",
    .flags = OP_QUANTIZER | OP_INPLACE_GRAD,
    .grads = OP_IN(0),
    .outputs = 1,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
};

Node *qat_fakequant(Graph *g, const char *name, Value *x, Value *scale, Value *zero_point,
                    const FakequantAttributes *attributes)
{
    return graph_node(g, &op_fakequant, name, zero_point ? 3 : 2, (Value *[]){x, scale, zero_point},
                      attributes, sizeof *attributes);
}
