/* Global average pooling: [N,H,W,C], real or codes, to the mean over H and W, [N,C].
 *
 * Codes are summed as integers, exactly: y = s ((sum q) / n - z). On codes throughout, fixed.h
 * rescales the sum by s_x / (n s_y), as core/requant.h makes that a multiplier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"

#include <string.h>

static int infer(Node *n, Error *e)
{
    const Value *x = n->in[0];
    char text[SHAPE_TEXT_BYTES];
    if (x->shape.rank != 4 || x->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "mean '%s': input %s is not real [N,H,W,C]", n->name,
                         shape_text(x->shape, text));
    n->out[0]->shape = SHAPE2(x->shape.dim[0], x->shape.dim[3]);
    return HONE_OK;
}

static int pixels_of(const Run *r)
{
    return r->in[0]->shape.dim[1] * r->in[0]->shape.dim[2];
}

/* One row of channels: the sums of codes, or the gradient of every pixel. */
static void needs(const Run *r, Needs *needs)
{
    size_t channels = (size_t)shape_channels(r->in[0]->shape);
    needs->worker = channels * (sizeof(Real) > sizeof(int32_t) ? sizeof(Real) : sizeof(int32_t));
}

static void mean_of_reals(const Run *r, const Real *x, Real *y)
{
    int pixels = pixels_of(r);
    size_t channels = (size_t)shape_channels(r->in[0]->shape);
    memcpy(y, x, channels * sizeof *y);
    for (int p = 1; p < pixels; p++)
        r->compute->real->add(channels, x + (size_t)p * channels, y);
    for (size_t c = 0; c < channels; c++)
        y[c] /= (Real)pixels;
}

static void mean_of_codes(const Run *r, const int8_t *x, int32_t *sum, Real *y)
{
    int pixels = pixels_of(r), channels = shape_channels(r->in[0]->shape);
    Real scale = run_scale(r->in[0])[0];
    int32_t zero = pixels * run_zero_point(r->in[0]);
    r->compute->integer->mean_sum(x, pixels, channels, sum);
    for (int c = 0; c < channels; c++)
        y[c] = scale * ((Real)(sum[c] - zero) / (Real)pixels);
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    size_t channels = (size_t)shape_channels(r->in[0]->shape);
    size_t image = (size_t)pixels_of(r) * channels;
    Real *y = r->out[0]->data;
    for (size_t i = (size_t)begin; i < (size_t)end; i++) {
        if (r->in[0]->elem == ELEM_CODE)
            mean_of_codes(r, (const int8_t *)r->in[0]->data + i * image, run_worker(r, worker),
                          y + i * channels);
        else
            mean_of_reals(r, (const Real *)r->in[0]->data + i * image, y + i * channels);
    }
}

static void forward(const Run *r)
{
    run_chunks(r, r->in[0]->shape.dim[0], forward_items);
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    size_t pixels = (size_t)pixels_of(r), channels = (size_t)shape_channels(r->in[0]->shape);
    Real *share = run_worker(r, worker);
    for (size_t i = (size_t)begin; i < (size_t)end; i++) {
        const Real *dy = r->out[0]->grad + i * channels;
        Real *dx = r->in[0]->grad + i * pixels * channels;
        for (size_t c = 0; c < channels; c++)
            share[c] = dy[c] / (Real)pixels;
        for (size_t p = 0; p < pixels; p++, dx += channels) {
            if (r->accumulate[0])
                r->compute->real->add(channels, share, dx);
            else
                memcpy(dx, share, channels * sizeof *dx);
        }
    }
}

static void backward(const Run *r)
{
    run_chunks(r, r->in[0]->shape.dim[0], backward_items);
}

static int rescale(const Node *n, IntegerLayer *layer, Error *e)
{
    const int *dim = n->in[0]->shape.dim;
    const int64_t count = (int64_t)dim[1] * dim[2];
    const float in = layer->in[0].scale, out = layer->out.scale;
    layer->words = (int)requant_words(layer->profile, 1);
    if (!requant_mean(layer->profile, in, count, out, layer->word))
        return error_set(e, HONE_ERR_NUMERIC, "mean '%s': the multiplier %g does not fit", n->name,
                         (double)in / ((double)count * (double)out));
    return HONE_OK;
}

static void integer_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    int pixels = pixels_of(r), channels = shape_channels(r->in[0]->shape);
    const IntegerLayer *layer = r->integer;
    int32_t *sum = run_worker(r, worker);
    for (size_t i = (size_t)begin; i < (size_t)end; i++) {
        const int8_t *x = (const int8_t *)r->in[0]->data + i * (size_t)pixels * (size_t)channels;
        int8_t *y = (int8_t *)r->out[0]->data + i * (size_t)channels;
        r->compute->integer->mean_sum(x, pixels, channels, sum);
        for (int c = 0; c < channels; c++) {
            const int32_t acc = sum[c] - pixels * layer->in[0].zero_point;
            y[c] = layer->profile == HONE_RT_D31
                       ? hone_rt_d31_code(acc, (int32_t)layer->word[0], (int32_t)layer->word[1],
                                          layer->out.zero_point, layer->lo, layer->hi)
                       : hone_rt_mean_code(sum[c], pixels, layer->in[0].zero_point, layer->word[0],
                                           layer->out.zero_point, layer->lo, layer->hi);
        }
    }
}

static void integer(const Run *r)
{
    run_chunks(r, r->in[0]->shape.dim[0], integer_items);
}

static void lower(const Node *n, HoneRtOp *op)
{
    (void)n;
    op->kind = HONE_RT_OP_MEAN;
}

const Op op_mean = {
    .name = "mean",
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 1,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .rescale = rescale,
    .integer = integer,
    .lower = lower,
};

Value *layer_mean(Graph *g, const char *name, Value *x)
{
    Node *n = graph_node(g, &op_mean, name, 1, &x, NULL, 0);
    return n ? n->out[0] : NULL;
}
