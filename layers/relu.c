/* ReLU and ReLU6: y = min(max(x, 0), cap). Two ops, one arithmetic; the cap is the attribute.
 *
 * Backward needs one bit per element, 0 < x < cap, saved by forward; so neither x nor y is kept and
 * both directions work in place. Quantized, the function becomes a clamp of the codes of the layer
 * before it: real 0 is the zero point, real 6 is round(6 / scale) above it, halves away from zero,
 * the quotient in float32 (TensorFlow Lite, CalculateActivationRangeQuantized).
 * Where no layer before it can take that clamp (behind a pooling, or where several read what it reads),
 * the node becomes a layer of its own, a table as in unary.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/layers.h"
#include "layers/unary.h"

#include <math.h>

typedef struct ReluAttributes {
    float cap; /* > 0, INFINITY for none */
} ReluAttributes;

static float cap_of(const Node *n)
{
    return ((const ReluAttributes *)n->attributes)->cap;
}

static int infer(Node *n, Error *e)
{
    if (n->in[0]->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': the input '%s' is not real", n->op->name,
                         n->name, n->in[0]->name);
    n->out[0]->shape = n->in[0]->shape;
    return HONE_OK;
}

static void needs(const Run *r, Needs *needs)
{
    needs->saved = r->want[0] ? elements_mask_bytes(shape_count(r->in[0]->shape)) : 0;
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    Elements e = elements_of(shape_count(r->in[0]->shape), begin, end);
    const Real *x = r->in[0]->data;
    Real *y = r->out[0]->data;
    uint8_t *mask = r->want[0] ? (uint8_t *)r->saved + e.first / 8 : NULL;
    r->compute->real->relu(e.count, x + e.first, (Real)cap_of(r->node), y + e.first, mask);
}

static void forward(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->in[0]->shape)), forward_items);
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    Elements e = elements_of(shape_count(r->in[0]->shape), begin, end);
    const uint8_t *mask = (const uint8_t *)r->saved + e.first / 8;
    r->compute->real->mask_grad(e.count, r->out[0]->grad + e.first, mask, r->accumulate[0],
                                r->in[0]->grad + e.first);
}

static void backward(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->in[0]->shape)), backward_items);
}

static void clamp(const Node *n, Grid g, int32_t *lo, int32_t *hi)
{
    *lo = *lo > g.zero_point ? *lo : g.zero_point;
    float steps = roundf(cap_of(n) / g.scale);
    if (steps < 256) { /* else every code is below the cap */
        int32_t top = g.zero_point + (int32_t)steps;
        *hi = *hi < top ? *hi : top;
    }
}

static void bounds(const Node *n, Real *lo, Real *hi)
{
    *lo = 0;
    *hi = (Real)cap_of(n);
}

/* ---- as a layer of its own ---- */

static void unary(const Node *n, double x, double *y, double *slope)
{
    const double cap = (double)cap_of(n);
    *y = x > cap ? cap : x > 0 ? x : 0;
    *slope = x > 0 && x < cap ? 1 : 0;
}

static bool on_codes(const Run *r)
{
    return r->in[0]->elem == ELEM_CODE;
}

static void alone_needs(const Run *r, Needs *n)
{
    (on_codes(r) ? unary_needs : needs)(r, n);
}

static void alone_forward(const Run *r)
{
    (on_codes(r) ? unary_forward : forward)(r);
}

static void alone_backward(const Run *r)
{
    (on_codes(r) ? unary_backward : backward)(r);
}

#define RELU_OP(text, alone_)                                                                      \
    {                                                                                              \
        .name = (text), .flags = OP_INPLACE_DATA | OP_INPLACE_GRAD, .grads = OP_IN(0),             \
        .outputs = 1, .alone = (alone_), .infer = infer, .needs = needs, .forward = forward,       \
        .backward = backward, .clamp = clamp, .bounds = bounds,                                    \
    }
#define ALONE_OP(text)                                                                             \
    {                                                                                              \
        .name = (text), .flags = OP_INPLACE_GRAD, .reads = OP_IN(0), .codes = OP_IN(0),            \
        .grads = OP_IN(0), .outputs = 1, .table = HONE_RT_TABLE, .infer = infer,                   \
        .needs = alone_needs, .forward = alone_forward, .backward = alone_backward,                \
        .unary = unary, .rescale = unary_rescale, .integer = unary_integer, .lower = unary_lower,  \
    }

static const Op relu_alone = ALONE_OP("relu");
static const Op relu6_alone = ALONE_OP("relu6");
const Op op_relu = RELU_OP("relu", &relu_alone);
const Op op_relu6 = RELU_OP("relu6", &relu6_alone);

static Value *build(Graph *g, const Op *op, const char *name, Value *x, float cap)
{
    ReluAttributes attributes = {cap};
    Node *n = graph_node(g, op, name, 1, &x, &attributes, sizeof attributes);
    return n ? n->out[0] : NULL;
}

Value *layer_relu(Graph *g, const char *name, Value *x)
{
    return build(g, &op_relu, name, x, INFINITY);
}

Value *layer_relu6(Graph *g, const char *name, Value *x)
{
    return build(g, &op_relu6, name, x, 6);
}
