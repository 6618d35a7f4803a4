/* Two-dimensional convolution, NHWC, weights OHWI. Float: convolve.h, in groups grouped.h; codes:
 * codes.h.
 *
 *     y[n,oy,ox,o] = b[o] + sum over ky, kx, i of x[n, oy*s - p + ky*d, ox*s - p + kx*d, i] w[o,ky,kx,i]
 *
 * A 1x1 convolution of stride 1 without padding is one product of matrices over all pixels of the
 * batch. Initialization: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, eq. 10.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/codes.h"
#include "layers/convolve.h"
#include "layers/grouped.h"
#include "layers/layers.h"
#include "layers/pointwise.h"
#include "layers/weighted.h"

enum { CHANNELS_MAX = 1 << 16, GROUPS_MAX = (1 << 16) - 1 };

typedef struct Attributes {
    WindowAttributes window;
    int channels;
    int groups;
} Attributes;

static int infer(Node *n, Error *e)
{
    const Attributes *a = n->attributes;
    const WindowAttributes *w = &a->window;
    const int inputs = n->in[0]->shape.dim[3] / a->groups;
    const Shape want = SHAPE4(a->channels, w->y.kernel, w->x.kernel, inputs);
    n->out[0]->shape = SHAPE4(n->in[0]->shape.dim[0], w->y.out, w->x.out, a->channels);
    return weighted_check(n, want, a->channels, e);
}

/* One product of matrices. */
static bool pointwise(const Attributes *a)
{
    const WindowAttributes *w = &a->window;
    return w->y.kernel == 1 && w->x.kernel == 1 && w->y.stride == 1 && w->x.stride == 1 &&
           a->groups == 1;
}

static int groups_of(const Run *r)
{
    return ((const Attributes *)r->node->attributes)->groups;
}

static ConvShape shape_of(const Node *n)
{
    const Attributes *a = n->attributes;
    ConvShape s = {
        .y = a->window.y, .x = a->window.x, .in_c = n->in[0]->shape.dim[3], .out_c = a->channels};
    if (pointwise(a)) { /* a kernel of 1 cannot be padded */
        s.flat = true;
        s.pixels = s.y.in * s.x.in;
        s.y.in = s.y.out = s.x.in = s.x.out = 1;
    }
    return s;
}

static CodesShape codes_shape(const Node *n)
{
    const Attributes *a = n->attributes;
    return (CodesShape){.conv = weighted_geometry(&a->window, n->in[0]->shape.dim[3], a->channels),
                        .groups = a->groups,
                        .flat = pointwise(a),
                        .pixels = a->window.y.in * a->window.x.in};
}

static bool again(const Run *r)
{
    const ConvShape shape = shape_of(r->node);
    return pointwise_again(r, &shape);
}

static void needs(const Run *r, Needs *out)
{
    const CodesShape codes = codes_shape(r->node);
    const ConvShape shape = shape_of(r->node);
    if (r->stream && again(r))
        pointwise_needs(r, &shape, out);
    if (r->mode->integer || codes_apply(r))
        codes_needs(r, &codes, out);
    if (!r->mode->integer && groups_of(r) > 1)
        grouped_needs(r, &shape, groups_of(r), out);
    else if (!r->mode->integer)
        convolve_needs(r, &shape, out);
}

static void forward(const Run *r)
{
    const CodesShape codes = codes_shape(r->node);
    const ConvShape shape = shape_of(r->node);
    if (codes_apply(r))
        codes_forward(r, &codes);
    else if (groups_of(r) > 1)
        grouped_forward(r, &shape, groups_of(r));
    else
        convolve_forward(r, &shape);
}

static void backward(const Run *r)
{
    const ConvShape shape = shape_of(r->node);
    if (r->stream && r->stream->solve)
        pointwise_backward(r, &shape);
    else if (groups_of(r) > 1)
        grouped_backward(r, &shape, groups_of(r));
    else
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
    const Shape y = n->out[0]->shape;
    const int64_t filter = (int64_t)(shape_count(n->in[1]->shape) / (size_t)y.dim[3]);
    return (int64_t)y.dim[1] * y.dim[2] * y.dim[3] * filter;
}

static void lower(const Node *n, HoneRtOp *op)
{
    const Attributes *a = n->attributes;
    op->kind = HONE_RT_OP_CONV;
    op->groups = (uint16_t)(a->groups > 1 ? a->groups : 0);
    weighted_lower(&a->window, op);
}

const Op op_conv2d = {
    .name = "conv2d",
    .flags = OP_STREAMS,
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
    .again = again,
    .pack = pack,
    .integer = integer,
    .lower = lower,
};

static int check_channels(const char *name, const Attributes *a, int inputs, Error *e)
{
    if (a->channels < 1 || a->channels > CHANNELS_MAX)
        return error_set(e, HONE_ERR_SHAPE, "conv2d '%s': %d channels, not 1..%d", name,
                         a->channels, CHANNELS_MAX);
    if (a->groups < 1 || a->groups > GROUPS_MAX || inputs % a->groups || a->channels % a->groups)
        return error_set(e, HONE_ERR_SHAPE,
                         "conv2d '%s': %d inputs and %d channels do not fall into %d groups", name,
                         inputs, a->channels, a->groups);
    return HONE_OK;
}

Value *layer_conv2d(Graph *g, const char *name, Value *x, const Conv2dOptions *o)
{
    if (!x || g->error.code != HONE_OK)
        return NULL;
    Attributes a = {.channels = o->channels, .groups = weighted_or_one(o->groups)};
    if (weighted_window("conv2d", name, o, x->shape, &a.window, &g->error) != HONE_OK)
        return NULL;
    const int inputs = x->shape.dim[3];
    if (check_channels(name, &a, inputs, &g->error) != HONE_OK)
        return NULL;
    const int in_c = inputs / a.groups;
    const Shape weight = SHAPE4(a.channels, a.window.y.kernel, a.window.x.kernel, in_c);
    const double fan_in = (double)a.window.y.kernel * a.window.x.kernel * in_c;
    return weighted_node(g, &op_conv2d, name, x, weight, fan_in, a.channels, o->bias, &a, sizeof a);
}
