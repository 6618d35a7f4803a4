/* Depthwise convolution, NHWC, weights [1][kh][kw][c]. Codes: codes.h; float here.
 *
 *     y[n,oy,ox,c] = b[c] + sum over ky, kx of x[n, oy*s - p + ky*d, ox*s - p + kx*d, c] w[ky,kx,c]
 *
 * With a multiplier m, output channel c reads channel c / m: in float, x is repeated (repeated.h) and
 * all below is as without one.
 *
 * Along each axis the output falls into *segments* whose pixels meet the same taps: a few at the
 * borders, one inside. A pair of segments is a rectangle for the kernels (kernels_conv.h). The
 * gradient of the input is the same sum over the taps through which an input reaches outputs
 * (window_at_input), with one set of segments per phase of the stride; only the tables differ.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/codes.h"
#include "layers/depthwise_ring.h"
#include "layers/gather.h"
#include "layers/layers.h"
#include "layers/repeated.h"
#include "layers/weighted.h"

#include <string.h>

enum { MULTIPLIER_MAX = (1 << 16) - 1 };

typedef struct Attributes {
    WindowAttributes window; /* first: most look at nothing else */
    int multiplier;
} Attributes;

/* Positions begin, begin + step, ... of one axis, count of them; the first meets taps, and each next
 * one meets them `advance` further in the source. */
typedef struct Segment {
    int begin, step, count;
    int advance;
    Taps taps;
} Segment;

typedef struct Segments {
    Segment *list;
    int count;
} Segments;

/* Lies at the start of Run.shared during a call. */
typedef struct Work {
    WindowAttributes a;
    int channels;
    Segments y, x;           /* of the outputs */
    Segments back_y, back_x; /* of the inputs */
    Real *weights;           /* dequantized, or NULL: those of the tensor */
    Real *sums;              /* [chunks][kh][kw][channels] */
    Real *bias_sums;         /* [chunks][channels] */
} Work;

/* Of the output. */
static int channels_of(const Node *n)
{
    return shape_channels(n->in[1]->shape);
}

static int multiplier_of(const Node *n)
{
    return ((const Attributes *)n->attributes)->multiplier;
}

static int infer(Node *n, Error *e)
{
    const WindowAttributes *a = n->attributes;
    const int c = n->in[0]->shape.dim[3] * multiplier_of(n);
    n->out[0]->shape = SHAPE4(n->in[0]->shape.dim[0], a->y.out, a->x.out, c);
    return weighted_check(n, SHAPE4(1, a->y.kernel, a->x.kernel, c), c, e);
}

static CodesShape codes_shape(const Node *n)
{
    const WindowAttributes *a = n->attributes;
    return (CodesShape){.conv = weighted_geometry(a, n->in[0]->shape.dim[3], channels_of(n)),
                        .depthwise = true};
}

/* ---- segments --------------------------------------------------------------------------------- */

static Segments segments_make(const Axis *a, bool back, Carve *c)
{
    const int to = back ? a->in : a->out;
    const int phases = back ? a->stride : 1;
    Segments s = {.list = carve(c, (size_t)to * sizeof *s.list)};
    if (!s.list)
        return s;
    for (int phase = 0; phase < phases; phase++) {
        const int begin = s.count;
        for (int i = phase; i < to; i += phases) {
            const Taps t = back ? window_at_input(a, i) : window_at_output(a, i);
            Segment *last = s.count > begin ? &s.list[s.count - 1] : NULL;
            if (last && last->taps.first == t.first && last->taps.count == t.count)
                last->count++;
            else
                s.list[s.count++] = (Segment){.begin = i,
                                              .step = phases,
                                              .count = 1,
                                              .advance = back ? 1 : a->stride,
                                              .taps = t};
        }
    }
    return s;
}

/* The rectangle of two segments as the source and the destination see it. */
static DepthwiseRect rect_of(const Work *w, const Segment *y, const Segment *x, bool back)
{
    const ptrdiff_t c = w->channels;
    const ptrdiff_t from_row = c * (back ? w->a.x.out : w->a.x.in);
    const ptrdiff_t to_row = c * (back ? w->a.x.in : w->a.x.out);
    return (DepthwiseRect){.rows = y->count,
                           .cols = x->count,
                           .channels = w->channels,
                           .taps_h = y->taps.count,
                           .taps_w = x->taps.count,
                           .x_row = y->advance * from_row,
                           .x_col = x->advance * c,
                           .x_tap_row = y->taps.move * from_row,
                           .x_tap_col = x->taps.move * c,
                           .w_row = (ptrdiff_t)y->taps.step * w->a.x.kernel * c,
                           .w_col = x->taps.step * c,
                           .y_row = y->step * to_row,
                           .y_col = x->step * c};
}

static ptrdiff_t source_start(const Work *w, const Segment *y, const Segment *x, bool back)
{
    if (y->taps.count == 0 || x->taps.count == 0)
        return 0; /* nothing is read */
    return ((ptrdiff_t)y->taps.at * (back ? w->a.x.out : w->a.x.in) + x->taps.at) * w->channels;
}

static ptrdiff_t target_start(const Work *w, const Segment *y, const Segment *x, bool back)
{
    return ((ptrdiff_t)y->begin * (back ? w->a.x.in : w->a.x.out) + x->begin) * w->channels;
}

static ptrdiff_t tap_start(const Work *w, const Segment *y, const Segment *x)
{
    return ((ptrdiff_t)y->taps.first * w->a.x.kernel + x->taps.first) * w->channels;
}

/* ---- work ------------------------------------------------------------------------------------- */

static size_t taps_of(const Work *w)
{
    return (size_t)w->a.y.kernel * (size_t)w->a.x.kernel;
}

static void work_layout(const Run *r, bool backward, Carve *c, Work *w)
{
    *w = (Work){.a = *(const WindowAttributes *)r->node->attributes,
                .channels = channels_of(r->node)};
    const size_t channels = (size_t)w->channels;
    const size_t chunks = (size_t)run_chunk_count(r->in[0]->shape.dim[0]);
    const size_t numbers = taps_of(w) * channels;
    w->y = segments_make(&w->a.y, false, c);
    w->x = segments_make(&w->a.x, false, c);
    if (r->in[1]->elem == ELEM_CODE)
        w->weights = carve(c, numbers * sizeof *w->weights);
    if (!backward)
        return;
    w->back_y = segments_make(&w->a.y, true, c);
    w->back_x = segments_make(&w->a.x, true, c);
    w->sums = carve(c, r->want[1] ? chunks * numbers * sizeof *w->sums : 0);
    w->bias_sums = carve(c, r->want[2] ? chunks * channels * sizeof *w->bias_sums : 0);
}

static size_t image_size(const Tensor *t)
{
    return shape_count(t->shape) / (size_t)t->shape.dim[0];
}

/* A worker's scratch: an image of x as reals where it is codes, then of a stream one of dy. */
static size_t room_reals(const Run *r)
{
    return (r->in[0]->elem == ELEM_CODE ? image_size(r->in[0]) : 0) +
           (r->stream ? image_size(r->out[0]) : 0);
}

static bool on_rings(const Run *r)
{
    return r->stream && depthwise_ring_can(r);
}

static void real_needs(const Run *r, Needs *out)
{
    Work w;
    Carve c = {.used = 0};
    carve(&c, sizeof w);
    work_layout(r, r->mode->training, &c, &w);
    out->shared = c.used > out->shared ? c.used : out->shared;
    const size_t images = room_reals(r) * sizeof(Real);
    out->worker = images > out->worker ? images : out->worker;
}

static void needs(const Run *r, Needs *out)
{
    const CodesShape codes = codes_shape(r->node);
    const int multiplier = multiplier_of(r->node);
    if (r->mode->integer || (codes_apply(r) && !on_rings(r)))
        codes_needs(r, &codes, out);
    if (!r->mode->integer && on_rings(r))
        depthwise_ring_needs(r, out);
    else if (!r->mode->integer && multiplier > 1)
        repeated_needs(r, multiplier, real_needs, out);
    else if (!r->mode->integer)
        real_needs(r, out);
}

static Work *work_start(const Run *r, bool backward)
{
    Carve c = {.base = r->shared};
    Work *w = carve(&c, sizeof *w);
    work_layout(r, backward, &c, w);
    if (w->weights) {
        const Tensor *t = r->in[1];
        const int8_t *q = t->data;
        const bool per_channel = shape_count(t->scale->shape) > 1;
        for (size_t i = 0, taps = taps_of(w); i < taps; i++)
            for (int ch = 0; ch < w->channels; ch++) {
                const size_t at = i * (size_t)w->channels + (size_t)ch;
                w->weights[at] = run_scale(t)[per_channel ? ch : 0] * (Real)q[at];
            }
    }
    return w;
}

static const Real *weights_of(const Run *r, const Work *w)
{
    return w->weights ? w->weights : r->in[1]->data;
}

/* Image i of x as reals: in place, or dequantized into the worker's scratch. */
static const Real *image_of(const Run *r, int i, int worker)
{
    const Tensor *x = r->in[0];
    const size_t size = image_size(x);
    if (x->elem != ELEM_CODE)
        return (const Real *)x->data + (size_t)i * size;
    Real *tile = run_worker(r, worker);
    r->compute->real->dequantize(size, (const int8_t *)x->data + (size_t)i * size, run_scale(x)[0],
                                 run_zero_point(x), tile);
    return tile;
}

/* ---- sums ------------------------------------------------------------------------------------- */

/* One image: to = or += bias + gathered from. */
static void gather_image(const Run *r, const Work *w, bool back, const Real *from, const Real *bias,
                         Real *to, bool accumulate)
{
    const Segments *ys = back ? &w->back_y : &w->y, *xs = back ? &w->back_x : &w->x;
    const Real *weights = weights_of(r, w);
    for (int i = 0; i < ys->count; i++)
        for (int j = 0; j < xs->count; j++) {
            const Segment *y = &ys->list[i], *x = &xs->list[j];
            DepthwiseRect d = rect_of(w, y, x, back);
            d.x = from + source_start(w, y, x, back);
            d.w = weights + tap_start(w, y, x);
            d.bias = bias;
            d.y = to + target_start(w, y, x, back);
            d.accumulate = accumulate;
            r->compute->conv->depthwise(&d);
        }
}

/* One image: dw += its share. */
static void weights_image(const Run *r, const Work *w, const Real *x, const Real *dy, Real *dw)
{
    for (int i = 0; i < w->y.count; i++)
        for (int j = 0; j < w->x.count; j++) {
            const Segment *sy = &w->y.list[i], *sx = &w->x.list[j];
            DepthwiseRect d = rect_of(w, sy, sx, false);
            if (d.taps_h == 0 || d.taps_w == 0)
                continue;
            d.x = x + source_start(w, sy, sx, false);
            d.dw = dw + tap_start(w, sy, sx);
            d.dy = dy + target_start(w, sy, sx, false);
            r->compute->conv->depthwise_weights(&d);
        }
}

static void forward_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    const size_t size = image_size(r->out[0]);
    const Real *bias = r->node->inputs > 2 ? r->in[2]->data : NULL;
    for (int i = begin; i < end; i++)
        gather_image(r, w, false, image_of(r, i, worker), bias,
                     (Real *)r->out[0]->data + (size_t)i * size, false);
}

static void real_forward(const Run *r)
{
    work_start(r, false);
    run_chunks(r, r->in[0]->shape.dim[0], forward_chunk);
}

static void forward(const Run *r)
{
    const CodesShape codes = codes_shape(r->node);
    if (on_rings(r))
        depthwise_ring_forward(r);
    else if (codes_apply(r))
        codes_forward(r, &codes);
    else if (multiplier_of(r->node) > 1)
        repeated_forward(r, multiplier_of(r->node), real_forward);
    else
        real_forward(r);
}

/* dy of image i: in place, or made in the worker's scratch. */
static const Real *gradient_of(const Run *r, int i, int worker)
{
    const size_t size = image_size(r->out[0]), channels = (size_t)channels_of(r->node);
    if (!r->stream)
        return r->out[0]->grad + (size_t)i * size;
    Real *dy = (Real *)run_worker(r, worker) + room_reals(r) - size;
    r->stream->gradient(r, (size_t)i * size / channels, size / channels, 0, (int)channels, dy,
                        NULL);
    return dy;
}

static void backward_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    const size_t numbers = taps_of(w) * (size_t)w->channels, channels = (size_t)w->channels;
    const size_t size = image_size(r->out[0]), size_in = image_size(r->in[0]);
    Real *sums = w->sums + (size_t)chunk * (r->want[1] ? numbers : 0);
    Real *bias = r->want[2] ? w->bias_sums + (size_t)chunk * channels : NULL;
    if (r->want[1])
        memset(sums, 0, numbers * sizeof *sums);
    if (bias)
        memset(bias, 0, channels * sizeof *bias);
    for (int i = begin; i < end; i++) {
        const Real *dy = gradient_of(r, i, worker);
        if (r->want[0])
            gather_image(r, w, true, dy, NULL, r->in[0]->grad + (size_t)i * size_in,
                         r->accumulate[0]);
        if (r->want[1])
            weights_image(r, w, image_of(r, i, worker), dy, sums);
        if (bias)
            r->compute->conv->column_sums(size / channels, w->channels, dy, bias);
    }
}

/* grad = or += the chunks' partials, in their order. */
static void reduce(const Run *r, const Real *partials, int chunks, size_t n, Real *grad,
                   bool accumulate)
{
    if (!accumulate)
        memset(grad, 0, n * sizeof *grad);
    for (int chunk = 0; chunk < chunks; chunk++)
        r->compute->real->add(n, partials + (size_t)chunk * n, grad);
}

static void real_backward(const Run *r)
{
    const Work *w = work_start(r, true);
    const int batch = r->in[0]->shape.dim[0], chunks = run_chunk_count(batch);
    run_chunks(r, batch, backward_chunk);
    if (r->want[1])
        reduce(r, w->sums, chunks, taps_of(w) * (size_t)w->channels, r->in[1]->grad,
               r->accumulate[1]);
    if (r->want[2])
        reduce(r, w->bias_sums, chunks, (size_t)w->channels, r->in[2]->grad, r->accumulate[2]);
}

static void backward(const Run *r)
{
    if (on_rings(r))
        depthwise_ring_backward(r);
    else if (multiplier_of(r->node) > 1)
        repeated_backward(r, multiplier_of(r->node), real_backward);
    else
        real_backward(r);
}

/* ---- integers --------------------------------------------------------------------------------- */

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
    const Shape y = n->out[0]->shape, w = n->in[1]->shape;
    return (int64_t)y.dim[1] * y.dim[2] * y.dim[3] * w.dim[1] * w.dim[2];
}

static void lower(const Node *n, HoneRtOp *op)
{
    op->kind = HONE_RT_OP_DEPTHWISE;
    op->multiplier = (uint16_t)multiplier_of(n);
    weighted_lower(n->attributes, op);
}

const Op op_depthwise = {
    .name = "depthwise",
    .flags = OP_STREAMS,
    .reads = OP_IN(0) | OP_IN(1),
    .codes = OP_IN(0) | OP_IN(1),
    .grads = OP_IN(0) | OP_IN(1) | OP_IN(2),
    .outputs = 1,
    .weight = 1,
    .bias = 2,
    .weight_channels_last = true,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .again = depthwise_ring_can,
    .pack = pack,
    .integer = integer,
    .lower = lower,
};

Value *layer_depthwise(Graph *g, const char *name, Value *x, const Conv2dOptions *o)
{
    if (!x || g->error.code != HONE_OK)
        return NULL;
    Attributes a = {.multiplier = weighted_or_one(o->multiplier)};
    const WindowAttributes *w = &a.window;
    if (weighted_window("depthwise", name, o, x->shape, &a.window, &g->error) != HONE_OK)
        return NULL;
    const int inputs = x->shape.dim[3];
    if (a.multiplier < 1 || a.multiplier > MULTIPLIER_MAX ||
        inputs > HONE_RT_MAX_ELEMENTS / a.multiplier) {
        error_set(&g->error, HONE_ERR_SHAPE, "depthwise '%s': %d inputs with a multiplier of %d",
                  name, inputs, a.multiplier);
        return NULL;
    }
    const int c = inputs * a.multiplier;
    if (o->channels != 0 && o->channels != c) {
        error_set(&g->error, HONE_ERR_SHAPE,
                  "depthwise '%s': %d channels of %d inputs with a multiplier of %d", name,
                  o->channels, inputs, a.multiplier);
        return NULL;
    }
    const double fan_in = (double)w->y.kernel * w->x.kernel;
    return weighted_node(g, &op_depthwise, name, x, SHAPE4(1, w->y.kernel, w->x.kernel, c), fan_in,
                         c, o->bias, &a, sizeof a);
}
