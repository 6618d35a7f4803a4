/* Weighted layers on codes: see codes.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/codes.h"

#include "core/graph.h"

#include <limits.h>
#include <math.h>

/* Lies at the start of Run.shared during a training forward. */
typedef struct Work {
    CodesShape shape;
    int32_t *bias; /* [channels] */
    Real *scale;   /* [channels]: s_x * s_w */
    void *packed;
} Work;

/* One tile of sums becomes reals. */
typedef struct ScaleSums {
    const ConvKernels *kernels;
    const Real *scale; /* [channels] */
    Real *y;           /* [pixels][channels], of the image from pixel `first` on */
    int channels, first;
} ScaleSums;

/* Blocks of a stream: they stay in the second-level cache, and the kernels' own blocks fit in.
 * Depthwise ones reload the rows around a block, so it is larger. */
enum { BLOCK_ELEMENTS = 16 * 1024, BLOCK_PIXELS = 64, BLOCK_DEPTHWISE = 64 * 1024 };

static size_t align64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static int items_of(const Run *r, const CodesShape *s)
{
    const int batch = r->in[0]->shape.dim[0];
    return s->flat ? batch * s->pixels : batch;
}

/* The geometry for `rows` rows at once when flat. */
static HoneRtConv conv_of(const CodesShape *s, int rows)
{
    HoneRtConv g = s->conv;
    if (s->flat) {
        g.in_h = g.out_h = 1;
        g.in_w = g.out_w = rows;
    }
    return g;
}

static int groups_of(const CodesShape *s)
{
    return s->groups > 1 ? s->groups : 1;
}

static size_t pack_bytes(const CodesShape *s, const HoneRtKernels *k)
{
    const HoneRtConv g = conv_of(s, 1);
    return s->depthwise ? k->depthwise_pack_bytes(&g)
                        : hone_rt_group_pack_bytes(k, &g, groups_of(s));
}

size_t codes_pack(const CodesShape *s, const Compute *c, const int8_t *w, const int32_t *bias,
                  int32_t x_zero_point, void *packed)
{
    const HoneRtConv g = conv_of(s, 1);
    if (packed && s->depthwise)
        c->integer->depthwise_pack(&g, w, bias, x_zero_point, packed);
    else if (packed)
        hone_rt_group_pack(c->integer, &g, groups_of(s), w, bias, x_zero_point, 0, groups_of(s),
                           packed);
    return pack_bytes(s, c->integer);
}

/* Rows of the kernel's image in a block of a stream, and pixels in such a row. */
static int row_pixels(const CodesShape *s)
{
    return s->flat ? 1 : s->conv.out_w;
}

static int block_rows(const CodesShape *s)
{
    const int pixels = row_pixels(s), row = pixels * s->conv.out_c;
    const int fit = (s->depthwise ? BLOCK_DEPTHWISE : BLOCK_ELEMENTS) / row;
    const int least = (BLOCK_PIXELS + pixels - 1) / pixels;
    const int rows = fit > least ? fit : least;
    return s->flat || rows < s->conv.out_h ? rows : s->conv.out_h;
}

static size_t scratch_bytes(const Run *r, const CodesShape *s)
{
    const HoneRtKernels *k = r->compute->integer;
    const int items = items_of(r, s), chunks = run_chunk_count(items);
    const HoneRtConv g = conv_of(s, r->stream ? block_rows(s) : (items + chunks - 1) / chunks);
    return align64(s->depthwise ? k->depthwise_scratch_bytes(&g)
                                : hone_rt_group_scratch_bytes(k, &g, groups_of(s)));
}

static size_t block_bytes(const CodesShape *s)
{
    return (size_t)block_rows(s) * (size_t)row_pixels(s) * (size_t)s->conv.out_c * sizeof(Real);
}

void codes_needs(const Run *r, const CodesShape *s, Needs *needs)
{
    const HoneRtKernels *k = r->compute->integer;
    const HoneRtConv g = conv_of(s, 1);
    const size_t worker = scratch_bytes(r, s) + (r->stream ? block_bytes(s) : 0);
    needs->worker = worker > needs->worker ? worker : needs->worker;
    if (r->mode->integer) {
        needs->shared = sizeof *s > needs->shared ? sizeof *s : needs->shared;
        return;
    }
    const size_t channels = (size_t)g.out_c;
    const size_t shared = align64(sizeof(Work)) + align64(channels * sizeof(int32_t)) +
                          align64(channels * sizeof(Real)) + align64(pack_bytes(s, k));
    needs->shared = shared > needs->shared ? shared : needs->shared;
}

/* ---- training --------------------------------------------------------------------------------- */

static Work *work_start(const Run *r, const CodesShape *s)
{
    unsigned char *at = r->shared;
    Work *w = (Work *)(void *)at;
    const size_t channels = (size_t)s->conv.out_c;
    at += align64(sizeof *w);
    *w = (Work){.shape = *s, .bias = (int32_t *)(void *)at};
    at += align64(channels * sizeof *w->bias);
    w->scale = (Real *)(void *)at;
    w->packed = at + align64(channels * sizeof *w->scale);
    return w;
}

/* The weights of channels, in units of HONE_RT_PACK_CHANNELS. */
static void pack_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const HoneRtConv g = conv_of(&w->shape, 1);
    const int first = begin * HONE_RT_PACK_CHANNELS, last = end * HONE_RT_PACK_CHANNELS;
    r->compute->integer->conv_pack_part(&g, r->in[1]->data, w->bias, run_zero_point(r->in[0]),
                                        first, last < g.out_c ? last : g.out_c, w->packed);
}

/* The weights of groups. */
static void pack_groups(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const HoneRtConv g = conv_of(&w->shape, 1);
    hone_rt_group_pack(r->compute->integer, &g, groups_of(&w->shape), r->in[1]->data, w->bias,
                       run_zero_point(r->in[0]), begin, end, w->packed);
}

int32_t codes_bias(double b, double unit, double products)
{
    const double room = INT_MAX - products * (255 * 127), limit = room > 0 ? room : 0;
    const double q = rint(b / unit);
    if (!(q < limit))
        return (int32_t)limit;
    return q < -limit ? (int32_t)-limit : (int32_t)q;
}

static void make_scales(const Run *r, const CodesShape *s, Work *w)
{
    const Tensor *grid = r->in[1]->scale;
    const Real *scale = grid->data, s_x = run_scale(r->in[0])[0];
    const bool per_channel = shape_count(grid->shape) > 1;
    const Real *bias = r->node->inputs > 2 ? r->in[2]->data : NULL;
    const int channels = s->depthwise ? 1 : s->conv.in_c / groups_of(s);
    const double taps = (double)s->conv.kernel_h * s->conv.kernel_w * channels;
    for (int o = 0; o < s->conv.out_c; o++) {
        w->scale[o] = s_x * scale[per_channel ? o : 0];
        w->bias[o] = bias ? codes_bias((double)bias[o], (double)w->scale[o], taps) : 0;
    }
}

static void scale_epilogue(void *context, const int32_t *acc, int ld, int pixel, int rows,
                           int channel, int cols)
{
    const ScaleSums *e = context;
    Real *y = e->y + (size_t)(pixel - e->first) * (size_t)e->channels + (size_t)channel;
    e->kernels->scale_sums(acc, ld, rows, cols, e->scale + channel, y, e->channels);
}

/* Images of a chunk through the kernel; each image's sums go to the epilogue with context, which
 * advance() moves to the next image. */
static void convolve_images(const Run *r, const CodesShape *s, const void *packed, int begin,
                            int end, int worker, HoneRtEpilogue epilogue, void *context,
                            void (*advance)(void *context, size_t elements))
{
    const HoneRtKernels *k = r->compute->integer;
    const HoneRtConv g = conv_of(s, end - begin);
    const size_t size_in = (size_t)g.in_h * (size_t)g.in_w * (size_t)g.in_c;
    const size_t size_out = (size_t)g.out_h * (size_t)g.out_w * (size_t)g.out_c;
    const int images = s->flat ? 1 : end - begin;
    const int8_t *x = (const int8_t *)r->in[0]->data +
                      (s->flat ? (size_t)begin * (size_t)g.in_c : (size_t)begin * size_in);
    void *scratch = run_worker(r, worker);
    for (int i = 0; i < images; i++, x += size_in) {
        if (s->depthwise)
            k->depthwise(&g, x, packed, 0, g.out_h, scratch, epilogue, context);
        else
            hone_rt_group_conv(k, &g, groups_of(s), x, packed, 0, g.out_h, scratch, epilogue,
                               context);
        advance(context, size_out);
    }
}

/* Elements of the output before item `begin`. */
static size_t output_start(const CodesShape *s, int begin)
{
    const size_t pixels = s->flat ? 1 : (size_t)s->conv.out_h * (size_t)s->conv.out_w;
    return (size_t)begin * pixels * (size_t)s->conv.out_c;
}

static void scale_advance(void *context, size_t elements)
{
    ScaleSums *e = context;
    e->y += elements;
}

static void forward_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    ScaleSums e = {.kernels = r->compute->conv,
                   .scale = w->scale,
                   .y = (Real *)r->out[0]->data + output_start(&w->shape, begin),
                   .channels = w->shape.conv.out_c};
    convolve_images(r, &w->shape, w->packed, begin, end, worker, scale_epilogue, &e, scale_advance);
}

/* Rows [row, row + rows) of an image, x being its codes (flat: from that row on), to y. */
static void convolve_block(const Run *r, const Work *w, const int8_t *x, int row, int rows,
                           int worker, Real *y)
{
    const HoneRtKernels *k = r->compute->integer;
    const CodesShape *s = &w->shape;
    const HoneRtConv g = conv_of(s, rows);
    const int begin = s->flat ? 0 : row, end = s->flat ? 1 : row + rows;
    void *scratch = run_worker(r, worker);
    ScaleSums e = {.kernels = r->compute->conv,
                   .scale = w->scale,
                   .y = y,
                   .channels = g.out_c,
                   .first = begin * g.out_w};
    if (s->depthwise)
        k->depthwise(&g, x, w->packed, begin, end, scratch, scale_epilogue, &e);
    else
        hone_rt_group_conv(k, &g, groups_of(s), x, w->packed, begin, end, scratch, scale_epilogue,
                           &e);
}

static Real *block_room(const Run *r, const CodesShape *s, int worker)
{
    return (Real *)(void *)((unsigned char *)run_worker(r, worker) + scratch_bytes(r, s));
}

/* Samples [begin, end) to the stream, block by block. A flat layer's are one image. */
static void stream_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    const CodesShape *s = &w->shape;
    const HoneRtConv *g = &s->conv;
    const int images = s->flat ? 1 : end - begin, block = block_rows(s);
    const int height = s->flat ? (end - begin) * s->pixels : g->out_h;
    const size_t sample = s->flat ? (size_t)s->pixels * (size_t)g->in_c
                                  : (size_t)g->in_h * (size_t)g->in_w * (size_t)g->in_c;
    const int8_t *x = (const int8_t *)r->in[0]->data + (size_t)begin * sample;
    size_t first = output_start(s, s->flat ? begin * s->pixels : begin) / (size_t)g->out_c;
    for (int i = 0; i < images; i++, x += sample)
        for (int row = 0; row < height; row += block) {
            const int rows = height - row < block ? height - row : block;
            const size_t pixels = (size_t)rows * (size_t)row_pixels(s);
            Real *y = r->stream->place(r, first);
            y = y ? y : block_room(r, s, worker);
            convolve_block(r, w, s->flat ? x + (size_t)row * (size_t)g->in_c : x, row, rows, worker,
                           y);
            r->stream->placed(r, chunk, worker, first, pixels, y);
            first += pixels;
        }
}

static void stream_forward(const Run *r, const CodesShape *s)
{
    if (r->stream->first) {
        Real *y = block_room(r, s, 0);
        convolve_block(r, r->shared, r->in[0]->data, 0, 1, 0, y);
        r->stream->first(r, y);
    }
    run_chunks(r, r->in[0]->shape.dim[0], stream_chunk);
}

void codes_forward(const Run *r, const CodesShape *s)
{
    Work *w = work_start(r, s);
    make_scales(r, s, w);
    if (s->depthwise)
        codes_pack(s, r->compute, r->in[1]->data, w->bias, run_zero_point(r->in[0]), w->packed);
    else if (groups_of(s) > 1)
        run_chunks(r, groups_of(s), pack_groups);
    else
        run_chunks(r, (s->conv.out_c + HONE_RT_PACK_CHANNELS - 1) / HONE_RT_PACK_CHANNELS,
                   pack_chunk);
    if (r->stream)
        stream_forward(r, s);
    else
        run_chunks(r, items_of(r, s), forward_chunk);
}

/* ---- evaluation ------------------------------------------------------------------------------- */

static void requantize_advance(void *context, size_t elements)
{
    HoneRtRequantize *q = context;
    q->y += elements;
}

static void integer_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const CodesShape *s = r->shared;
    const IntegerLayer *l = r->integer;
    HoneRtRequantize q = {
        .kernels = r->compute->integer,
        .words = l->requant,
        .shifts = l->profile == HONE_RT_D31 ? (const int32_t *)l->requant + l->channels : NULL,
        .y_zp = l->out.zero_point,
        .lo = l->lo,
        .hi = l->hi,
        .y = (int8_t *)r->out[0]->data + output_start(s, begin),
        .y_ld = s->conv.out_c};
    convolve_images(r, s, l->packed, begin, end, worker, hone_rt_requantize_epilogue, &q,
                    requantize_advance);
}

void codes_integer(const Run *r, const CodesShape *s)
{
    *(CodesShape *)r->shared = *s;
    run_chunks(r, items_of(r, s), integer_chunk);
}
