/* Dense (fully connected) layer: y[n,o] = b[o] + sum over i of x[n,i] w[o,i]. An input [N,H,W,C] is
 * flattened to [N, H W C], which NHWC makes a change of name only. It is a 1x1 convolution whose
 * image has one pixel per sample: convolve.h, codes.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/codes.h"
#include "layers/convolve.h"
#include "layers/layers.h"
#include "layers/weighted.h"

#include <limits.h>

enum { UNITS_MAX = 1 << 20 };

static int width_of(const Node *n)
{
    return n->in[1]->shape.dim[1];
}

static int units_of(const Node *n)
{
    return n->in[1]->shape.dim[0];
}

/* Elements of one sample. */
static size_t flattened(Shape x)
{
    return x.rank > 0 ? shape_count(x) / (size_t)x.dim[0] : 0;
}

static int infer(Node *n, Error *e)
{
    const Shape w = n->in[1]->shape;
    char text[SHAPE_TEXT_BYTES];
    if (w.rank != 2 || flattened(n->in[0]->shape) != (size_t)w.dim[1])
        return error_set(e, HONE_ERR_SHAPE, "dense '%s': weights %s do not fit %zu inputs", n->name,
                         shape_text(w, text), flattened(n->in[0]->shape));
    n->out[0]->shape = SHAPE2(n->in[0]->shape.dim[0], w.dim[0]);
    return weighted_check(n, w, w.dim[0], e);
}

static ConvShape shape_of(const Node *n)
{
    const Axis one = {.in = 1, .out = 1, .kernel = 1, .stride = 1, .dilation = 1};
    return (ConvShape){.y = one,
                       .x = one,
                       .in_c = width_of(n),
                       .out_c = units_of(n),
                       .flat = true,
                       .pixels = 1};
}

static CodesShape codes_shape(const Node *n)
{
    const Axis one = {.in = 1, .out = 1, .kernel = 1, .stride = 1, .dilation = 1};
    const WindowAttributes window = {.y = one, .x = one};
    return (CodesShape){.conv = weighted_geometry(&window, width_of(n), units_of(n)),
                        .flat = true,
                        .pixels = 1};
}

static void needs(const Run *r, Needs *out)
{
    const CodesShape codes = codes_shape(r->node);
    const ConvShape shape = shape_of(r->node);
    if (r->mode->integer || codes_apply(r))
        codes_needs(r, &codes, out);
    if (!r->mode->integer)
        convolve_needs(r, &shape, out);
}

static void forward(const Run *r)
{
    const CodesShape codes = codes_shape(r->node);
    const ConvShape shape = shape_of(r->node);
    if (codes_apply(r))
        codes_forward(r, &codes);
    else
        convolve_forward(r, &shape);
}

static void backward(const Run *r)
{
    const ConvShape shape = shape_of(r->node);
    convolve_backward(r, &shape);
}

static void integer(const Run *r)
{
    const CodesShape codes = codes_shape(r->node);
    codes_integer(r, &codes);
}

static size_t pack(const Node *n, const Compute *c, const int8_t *w, const int32_t *bias,
                   int32_t x_zero_point, void *packed)
{
    const CodesShape codes = codes_shape(n);
    return codes_pack(&codes, c, w, bias, x_zero_point, packed);
}

static int64_t macs(const Node *n)
{
    return (int64_t)width_of(n) * units_of(n);
}

static void lower(const Node *n, HoneRtOp *op)
{
    (void)n;
    op->kind = HONE_RT_OP_DENSE;
}

const Op op_dense = {
    .name = "dense",
    .reads = OP_IN(0) | OP_IN(1),
    .codes = OP_IN(0) | OP_IN(1),
    .grads = OP_IN(0) | OP_IN(1) | OP_IN(2),
    .outputs = 1,
    .weight = 1,
    .bias = 2,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .pack = pack,
    .integer = integer,
    .lower = lower,
};

Value *layer_dense(Graph *g, const char *name, Value *x, int units, bool bias)
{
    if (!x || g->error.code != HONE_OK)
        return NULL;
    const size_t width = flattened(x->shape);
    if (units < 1 || units > UNITS_MAX || width < 1 ||
        width > (size_t)INT_MAX / (size_t)units) {
        error_set(&g->error, HONE_ERR_SHAPE, "dense '%s': %zu inputs to %d units do not fit", name,
                  width, units);
        return NULL;
    }
    return weighted_node(g, &op_dense, name, x, SHAPE2(units, (int)width), (double)width,
                         units, bias, NULL, 0);
}
