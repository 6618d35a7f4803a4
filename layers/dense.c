/* Dense (fully connected) layer: y[n,o] = b[o] + sum over i of x[n,i] w[o,i]. An input [N,H,W,C] is
 * flattened to [N, H W C], which NHWC makes a change of name only.
 *
 * A dense layer has few rows and many weights, so work is cut by weights, not by samples: forward and
 * dW by outputs, dX by inputs. No chunk adds to another's result, no partials need combining, and
 * each weight is read by one thread. The products are the BLAS's; on codes, forward is the integer
 * kernels' (codes.h) and backward works on dequantized copies.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/codes.h"
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

static CodesShape codes_shape(const Node *n)
{
    const Axis one = {.in = 1, .out = 1, .kernel = 1, .stride = 1, .dilation = 1};
    const WindowAttributes window = {.y = one, .x = one};
    return (CodesShape){
        .conv = weighted_geometry(&window, width_of(n), units_of(n)), .flat = true, .pixels = 1};
}

static int batch_of(const Run *r)
{
    return r->out[0]->shape.dim[0];
}

/* Elements of x and of the weights. */
static size_t x_count(const Run *r)
{
    return (size_t)batch_of(r) * (size_t)width_of(r->node);
}

static size_t w_count(const Run *r)
{
    return (size_t)units_of(r->node) * (size_t)width_of(r->node);
}

static void needs(const Run *r, Needs *out)
{
    const CodesShape codes = codes_shape(r->node);
    if (r->mode->integer || codes_apply(r))
        codes_needs(r, &codes, out);
    const bool copied = r->in[0]->elem == ELEM_CODE || r->in[1]->elem == ELEM_CODE;
    const size_t dy = r->stream ? shape_count(r->out[0]->shape) : 0;
    const size_t copies = (x_count(r) + w_count(r) + dy) * sizeof(Real);
    if (!r->mode->integer && copied && copies > out->shared)
        out->shared = copies;
}

/* ---- real numbers ----------------------------------------------------------------------------- */

/* x, the weights and dy as reals: themselves, or copies at the start of Run.shared; dy of a stream
 * after the other two. */
static const Real *real_x(const Run *r)
{
    return r->in[0]->elem == ELEM_CODE ? r->shared : r->in[0]->data;
}

static const Real *real_w(const Run *r)
{
    return r->in[1]->elem == ELEM_CODE ? (const Real *)r->shared + x_count(r) : r->in[1]->data;
}

static const Real *real_dy(const Run *r)
{
    return r->stream ? (const Real *)r->shared + x_count(r) + w_count(r) : r->out[0]->grad;
}

/* Outputs [begin, end). */
static void forward_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    (void)worker;
    const int batch = batch_of(r), units = units_of(r->node), width = width_of(r->node);
    const Real *bias = r->node->inputs > 2 ? r->in[2]->data : NULL;
    Real *y = r->out[0]->data;
    for (int n = 0; n < batch; n++)
        for (int o = begin; o < end; o++)
            y[(size_t)n * (size_t)units + (size_t)o] = bias ? bias[o] : 0;
    r->compute->blas.gemm(NO_TRANSPOSE, TRANSPOSE, batch, end - begin, width, 1, real_x(r), width,
                          real_w(r) + (size_t)begin * (size_t)width, width, 1, y + begin, units);
}

/* The copy of x, cut by samples. */
static void copy_x_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    (void)worker;
    const size_t width = (size_t)width_of(r->node), first = (size_t)begin * width;
    r->compute->real->dequantize((size_t)(end - begin) * width,
                                 (const int8_t *)r->in[0]->data + first, run_scale(r->in[0])[0],
                                 run_zero_point(r->in[0]), (Real *)r->shared + first);
}

/* The copy of the weights, cut by outputs. */
static void copy_w_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    (void)worker;
    const size_t width = (size_t)width_of(r->node);
    const Real *scale = run_scale(r->in[1]);
    const bool per_output = shape_count(r->in[1]->scale->shape) > 1;
    for (int o = begin; o < end; o++)
        r->compute->real->dequantize(width, (const int8_t *)r->in[1]->data + (size_t)o * width,
                                     scale[per_output ? o : 0], 0,
                                     (Real *)r->shared + x_count(r) + (size_t)o * width);
}

static void copy_codes(const Run *r, bool x, bool w)
{
    if (x && r->in[0]->elem == ELEM_CODE)
        run_chunks(r, batch_of(r), copy_x_chunk);
    if (w && r->in[1]->elem == ELEM_CODE)
        run_chunks(r, units_of(r->node), copy_w_chunk);
}

static void forward(const Run *r)
{
    const CodesShape codes = codes_shape(r->node);
    if (codes_apply(r)) {
        codes_forward(r, &codes);
        return;
    }
    copy_codes(r, true, true);
    run_chunks(r, units_of(r->node), forward_chunk);
}

/* dW and db of the outputs [begin, end). */
static void weights_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    (void)worker;
    const int batch = batch_of(r), units = units_of(r->node), width = width_of(r->node);
    const Real *dy = real_dy(r);
    if (r->want[1])
        r->compute->blas.gemm(TRANSPOSE, NO_TRANSPOSE, end - begin, width, batch, 1, dy + begin,
                              units, real_x(r), width, r->accumulate[1] ? 1 : 0,
                              r->in[1]->grad + (size_t)begin * (size_t)width, width);
    for (int o = begin; r->want[2] && o < end; o++) {
        Real sum = r->accumulate[2] ? r->in[2]->grad[o] : 0;
        for (int n = 0; n < batch; n++)
            sum += dy[(size_t)n * (size_t)units + (size_t)o];
        r->in[2]->grad[o] = sum;
    }
}

/* dX of the inputs [begin, end). */
static void input_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    (void)worker;
    const int units = units_of(r->node), width = width_of(r->node);
    r->compute->blas.gemm(NO_TRANSPOSE, NO_TRANSPOSE, batch_of(r), end - begin, units, 1,
                          real_dy(r), units, real_w(r) + begin, width, r->accumulate[0] ? 1 : 0,
                          r->in[0]->grad + begin, width);
}

static void dy_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    (void)worker;
    const size_t units = (size_t)units_of(r->node);
    r->stream->gradient(r, (size_t)begin, (size_t)(end - begin), 0, (int)units,
                        (Real *)r->shared + x_count(r) + w_count(r) + (size_t)begin * units, NULL);
}

static void backward(const Run *r)
{
    copy_codes(r, r->want[1], r->want[0]);
    if (r->stream)
        run_chunks(r, batch_of(r), dy_chunk);
    if (r->want[1] || r->want[2])
        run_chunks(r, units_of(r->node), weights_chunk);
    if (r->want[0])
        run_chunks(r, width_of(r->node), input_chunk);
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
    .pack = pack,
    .integer = integer,
    .lower = lower,
};

Value *layer_dense(Graph *g, const char *name, Value *x, int units, bool bias)
{
    if (!x || g->error.code != HONE_OK)
        return NULL;
    const size_t width = flattened(x->shape);
    if (units < 1 || units > UNITS_MAX || width < 1 || width > (size_t)INT_MAX / (size_t)units) {
        error_set(&g->error, HONE_ERR_SHAPE, "dense '%s': %zu inputs to %d units do not fit", name,
                  width, units);
        return NULL;
    }
    return weighted_node(g, &op_dense, name, x, SHAPE2(units, (int)width), (double)width, units,
                         bias, NULL, 0);
}
