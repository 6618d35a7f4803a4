/* A weighted layer with everything that follows it, fused: see fuse.h. The anchor computes, through
 * its own forward and backward, in blocks (Run.stream); batch-norm's arithmetic is batchnorm.h's.
 *
 *     forward    y by blocks of the anchor, kept; of each block, hot: sums and extremes per channel
 *                statistics, the map a y + b, and from the channels' extremes the extent
 *                one sweep from y to codes and one bit each: nothing was clipped
 *     backward   one sweep: sums of dz and dz (y - mean), dz being dy where the bit is set; where the
 *                node that writes dy last says so (Op.finished), chunk by chunk at once
 *                the map a dz + b y + c to the gradient of y, made block by block for the anchor's
 *                backward and never stored as a whole
 *
 * Without batch-norm, or while it is frozen, the map is known before y: codes are made from each
 * block at once, and without batch-norm y is not kept. Nor is it where the anchor rather computes it
 * again (Op.again): in backward the anchor then makes the sums and applies the map, and forward runs
 * it twice, for the statistics and for the codes, unless y fits a cache meanwhile. An affine map and a
 * clamp are monotone also in floating point, so the extent of the output follows from that of y
 * exactly.
 * SPDX-License-Identifier: Apache-2.0 */
#include "qat/fused.h"

#include "layers/batchnorm.h"
#include "layers/channel_sums.h"

#include <math.h>
#include <string.h>

enum { AGAIN_ELEMENTS = 1024 * 1024 }; /* of y, fewer are kept from sweep to sweep of forward */

/* The memory of a run. */
typedef struct Parts {
    size_t channels, rows;   /* rows of channels, in the batch */
    bool kept;               /* y, for backward */
    Real *y;                 /* [rows][channels], where it is kept or lent, or NULL */
    uint8_t *mask;           /* [rows][MASK_ROW_BYTES(channels)] */
    double *first, *second;  /* [RUN_CHUNKS][channels] */
    Real *least, *most;      /* [RUN_CHUNKS][channels] */
    Real *a, *b, *k, *pivot; /* [channels] */
    double *dz, *dzy;        /* [RUN_CHUNKS][channels], where y is kept: sums of backward ... */
    Real *room;              /* [RUN_CHUNKS][2][channels] */
    bool *summed;            /* [RUN_CHUNKS] ... of those chunks that have been told of */
} Parts;

/* At the start of a worker's scratch. */
typedef struct ChunkState {
    ChannelSums sums;
    Real room[]; /* [2][channels] */
} ChunkState;

static size_t align64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t channels_of(const Run *r)
{
    return (size_t)shape_channels(r->out[0]->shape);
}

static size_t rows_of(const Run *r)
{
    return shape_count(r->out[0]->shape) / channels_of(r);
}

static size_t shared_bytes(size_t channels)
{
    return align64(RUN_CHUNKS * channels * 2 * (sizeof(double) + sizeof(Real)) +
                   4 * channels * sizeof(Real));
}

static size_t worker_bytes(size_t channels)
{
    return align64(sizeof(ChunkState) + 2 * channels * sizeof(Real));
}

/* Whether the anchor computes its output again instead of it being kept. */
static bool again(const Run *r)
{
    const FusedLayer *f = fused_layer(r->node);
    Run anchor = *r;
    anchor.node = f->anchor;
    return f->affine && f->anchor->op->again && f->anchor->op->again(&anchor);
}

static size_t all_bytes(const Run *r)
{
    return align64(rows_of(r) * channels_of(r) * sizeof(Real));
}

/* Of y where it is kept for backward ... */
static size_t kept_bytes(const Run *r)
{
    return fused_layer(r->node)->affine && !again(r) ? all_bytes(r) : 0;
}

/* ... and where only for forward: few numbers stay in a cache. */
static size_t lent_bytes(const Run *r)
{
    const bool few = rows_of(r) * channels_of(r) < AGAIN_ELEMENTS;
    return fused_layer(r->node)->affine && few && again(r) ? all_bytes(r) : 0;
}

static size_t mask_bytes(const Run *r)
{
    return align64(rows_of(r) * MASK_ROW_BYTES(channels_of(r)));
}

static size_t sums_bytes(const Run *r)
{
    const size_t each = 2 * channels_of(r) * (sizeof(double) + sizeof(Real)) + sizeof(bool);
    return kept_bytes(r) > 0 ? RUN_CHUNKS * each : 0;
}

/* Work for each node: blocks of a stream find what it came to in Stream.parts. */
static Parts parts_of(const Run *r)
{
    const size_t c = channels_of(r);
    const size_t kept = kept_bytes(r);
    Parts p = {.channels = c, .rows = rows_of(r), .kept = kept > 0};
    unsigned char *lent = r->shared;
    p.y = kept ? r->saved : lent_bytes(r) ? (Real *)(void *)(lent + shared_bytes(c)) : NULL;
    p.mask = (uint8_t *)r->saved + kept;
    p.first = r->shared;
    p.second = p.first + RUN_CHUNKS * c;
    p.least = (Real *)(p.second + RUN_CHUNKS * c);
    p.most = p.least + RUN_CHUNKS * c;
    p.a = p.most + RUN_CHUNKS * c;
    p.b = p.a + c;
    p.k = p.b + c;
    p.pivot = p.k + c;
    p.dz = (double *)(void *)(p.mask + mask_bytes(r));
    p.dzy = p.dz + RUN_CHUNKS * c;
    p.room = (Real *)(p.dzy + RUN_CHUNKS * c);
    p.summed = (bool *)(p.room + RUN_CHUNKS * 2 * c);
    return p;
}

/* ---- the covered nodes, bound ---- */

/* A covered node as if it were compiled. Its output is out, which has no memory of its own. */
typedef struct Inner {
    Run run;
    Tensor out;
} Inner;

static void bind_anchor(const Run *r, const Stream *stream, Inner *i)
{
    const Node *n = fused_layer(r->node)->anchor;
    const size_t c = channels_of(r);
    i->run = *r;
    i->run.node = n;
    i->run.stream = stream;
    i->out = (Tensor){.shape = r->out[0]->shape, .elem = ELEM_REAL};
    i->run.out[0] = &i->out;
    for (int k = n->inputs; k < r->node->inputs; k++)
        i->run.want[k] = false;
    i->run.shared = r->shared ? (unsigned char *)r->shared + shared_bytes(c) + lent_bytes(r) : NULL;
    i->run.worker = r->worker ? r->worker + worker_bytes(c) : NULL;
}

static void bind_affine(const Run *r, Inner *i)
{
    const FusedLayer *f = fused_layer(r->node);
    i->run = *r;
    i->run.node = f->affine;
    i->out = (Tensor){.shape = r->out[0]->shape, .elem = ELEM_REAL};
    i->run.in[0] = i->run.out[0] = &i->out;
    for (int k = 1; k < f->affine->inputs; k++) {
        const int from = f->anchor->inputs + k - 1;
        i->run.in[k] = r->in[from];
        i->run.want[k] = r->want[from];
        i->run.accumulate[k] = r->accumulate[from];
    }
}

static void needs(const Run *r, Needs *needs)
{
    const FusedLayer *f = fused_layer(r->node);
    const size_t c = channels_of(r);
    const Stream stream = {.owner = r};
    Inner anchor, affine;
    Needs inner = {0}, norm = {0};
    bind_anchor(r, &stream, &anchor);
    f->anchor->op->needs(&anchor.run, &inner);
    if (f->affine) {
        bind_affine(r, &affine);
        f->affine->op->needs(&affine.run, &norm);
    }
    needs->saved = kept_bytes(r) + mask_bytes(r) + sums_bytes(r);
    needs->kept = norm.kept;
    needs->shared = shared_bytes(c) + lent_bytes(r) + inner.shared;
    needs->worker = worker_bytes(c) + inner.worker;
}

/* ---- forward ---- */

static ChannelQuantize quantizer(const Run *r, const Parts *p)
{
    const FusedOutput o = fused_output(r);
    return (ChannelQuantize){.channels = (int)p->channels,
                             .slope = p->a,
                             .shift = p->b,
                             .low = o.low,
                             .high = o.high,
                             .scale = o.scale,
                             .zero_point = o.zero_point,
                             .lo = o.lo,
                             .hi = o.hi};
}

static void quantize_rows(const Run *r, const Parts *p, size_t first, size_t rows, const Real *y)
{
    const ChannelQuantize q = quantizer(r, p);
    r->compute->real->channel_quantize(&q, rows, y, (int8_t *)r->out[0]->data + first * p->channels,
                                       p->mask + first * MASK_ROW_BYTES(p->channels));
}

/* First row of a chunk, or of the end. */
static size_t chunk_row(const Run *r, const Parts *p, int chunk)
{
    const int batch = r->out[0]->shape.dim[0];
    return p->rows / (size_t)batch * (size_t)run_chunk_begin(batch, chunk);
}

/* A sweep that follows one of the anchor's, or comes before one, goes the other way: it finds in the
 * cache what that one used last, and leaves there what that one will use first. */
static int backwards(const Run *r, int chunk)
{
    return run_chunk_count(r->out[0]->shape.dim[0]) - 1 - chunk;
}

static void begin_extremes(const Parts *p, int chunk)
{
    const size_t at = (size_t)chunk * p->channels;
    for (size_t i = at; i < at + p->channels; i++) {
        p->least[i] = (Real)INFINITY;
        p->most[i] = -(Real)INFINITY;
    }
}

static void take_first(const Run *anchor, const Real *y)
{
    const Parts *p = anchor->stream->parts;
    memcpy(p->pivot, y, p->channels * sizeof *y);
}

static Real *place(const Run *anchor, size_t first)
{
    const Parts *p = anchor->stream->parts;
    return p->y ? p->y + first * p->channels : NULL;
}

/* The sums and extremes of a block. */
static void gather_block(const Run *anchor, int chunk, int worker, size_t first, size_t rows,
                         const Real *y)
{
    const Run *r = anchor->stream->owner;
    const Parts *p = anchor->stream->parts;
    const size_t at = (size_t)chunk * p->channels;
    ChunkState *s = run_worker(r, worker);
    if (first == chunk_row(r, p, chunk)) {
        channel_sums_begin(&s->sums, p->channels, s->room, p->first + at, p->second + at);
        begin_extremes(p, chunk);
    }
    for (size_t n, left = rows; left > 0; left -= n, y += n * p->channels) {
        n = channel_sums_piece(&s->sums, left);
        r->compute->real->channel_statistics(n, (int)p->channels, y, p->pivot, s->sums.real,
                                             s->sums.real + p->channels, p->least + at,
                                             p->most + at);
        channel_sums_added(&s->sums, n);
    }
    if (first + rows == chunk_row(r, p, chunk + 1))
        channel_sums_end(&s->sums);
}

/* The extremes of a block, and its codes: the map is known. */
static void finish_block(const Run *anchor, int chunk, int worker, size_t first, size_t rows,
                         const Real *y)
{
    (void)worker;
    const Run *r = anchor->stream->owner;
    const Parts *p = anchor->stream->parts;
    const size_t at = (size_t)chunk * p->channels;
    if (first == chunk_row(r, p, chunk))
        begin_extremes(p, chunk);
    r->compute->real->channel_extent(rows, (int)p->channels, y, p->least + at, p->most + at);
    quantize_rows(r, p, first, rows, y);
}

/* The codes of a block that was computed again. */
static void code_block(const Run *anchor, int chunk, int worker, size_t first, size_t rows,
                       const Real *y)
{
    (void)chunk, (void)worker;
    const Run *r = anchor->stream->owner;
    const Parts *p = anchor->stream->parts;
    quantize_rows(r, p, first, rows, y);
}

static void quantize_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)begin, (void)end, (void)worker;
    const Parts p = parts_of(r);
    chunk = backwards(r, chunk);
    const size_t first = chunk_row(r, &p, chunk), last = chunk_row(r, &p, chunk + 1);
    quantize_rows(r, &p, first, last - first, p.y + first * p.channels);
}

static Real lesser(Real a, Real b)
{
    return a < b ? a : b;
}

static Real larger(Real a, Real b)
{
    return a > b ? a : b;
}

/* The extent of the layer from the extremes of y. */
static void give_extent(const Run *r, const Parts *p)
{
    const FusedOutput o = fused_output(r);
    const int chunks = run_chunk_count(r->out[0]->shape.dim[0]);
    Real lo = (Real)INFINITY, hi = -(Real)INFINITY;
    bool finite = true;
    for (size_t c = 0; c < p->channels; c++) {
        Real least = p->least[c], most = p->most[c];
        for (size_t i = 1; i < (size_t)chunks; i++) {
            least = lesser(p->least[i * p->channels + c], least);
            most = larger(p->most[i * p->channels + c], most);
        }
        const Real from = p->a[c] * least + p->b[c], to = p->a[c] * most + p->b[c];
        finite = finite && isfinite(from) && isfinite(to);
        lo = lesser(to, lesser(from, lo));
        hi = larger(to, larger(from, hi));
    }
    lo = lesser(larger(lo, o.low), o.high);
    hi = lesser(larger(hi, o.low), o.high);
    fused_give_extent(r, finite ? lo : (Real)NAN, hi);
}

/* a and b where they do not depend on the batch. */
static void known_map(const Run *r, const Parts *p, const Inner *affine)
{
    if (fused_layer(r->node)->affine) {
        batchnorm_map(&affine->run, NULL, NULL, NULL, p->a, p->b);
        return;
    }
    for (size_t i = 0; i < p->channels; i++) {
        p->a[i] = 1;
        p->b[i] = 0;
    }
}

/* From y, which is kept or computed again. */
static void make_codes(const Run *r, const Parts *p, Inner *anchor)
{
    const Stream stream = {.owner = r, .parts = p, .place = place, .placed = code_block};
    if (p->y) {
        run_chunks(r, r->out[0]->shape.dim[0], quantize_items);
        return;
    }
    anchor->run.stream = &stream;
    anchor->run.node->op->forward(&anchor->run);
}

static void forward(const Run *r)
{
    const FusedLayer *f = fused_layer(r->node);
    const Parts p = parts_of(r);
    const bool batch_map = f->affine && !r->control->freeze_batchnorm;
    const Stream stream = {.owner = r,
                           .parts = &p,
                           .first = batch_map ? take_first : NULL,
                           .place = place,
                           .placed = batch_map ? gather_block : finish_block};
    const int batch = r->out[0]->shape.dim[0];
    Inner anchor, affine;
    bind_anchor(r, &stream, &anchor);
    if (f->affine)
        bind_affine(r, &affine);
    if (!batch_map)
        known_map(r, &p, &affine);
    if (p.kept)
        memset(p.summed, 0, RUN_CHUNKS * sizeof *p.summed);
    f->anchor->op->forward(&anchor.run);
    if (batch_map) {
        channel_sums_total(p.channels, run_chunk_count(batch), p.first, p.second);
        batchnorm_map(&affine.run, p.first, p.second, p.pivot, p.a, p.b);
        make_codes(r, &p, &anchor);
    }
    give_extent(r, &p);
}

/* ---- backward ---- */

/* The sums of a chunk. */
static void sum_gradients(const Run *r, const Parts *p, int chunk)
{
    const size_t c = p->channels, at = (size_t)chunk * c, last = chunk_row(r, p, chunk + 1);
    Inner affine;
    ChannelSums s;
    bind_affine(r, &affine);
    channel_sums_begin(&s, c, p->room + 2 * at, p->dz + at, p->dzy + at);
    for (size_t n, row = chunk_row(r, p, chunk); row < last; row += n) {
        n = channel_sums_piece(&s, last - row);
        r->compute->real->masked_grad_sums(n, (int)c, r->out[0]->grad + row * c,
                                           p->mask + row * MASK_ROW_BYTES(c), p->y + row * c,
                                           batchnorm_mean(&affine.run), s.real, s.real + c);
        channel_sums_added(&s, n);
    }
    channel_sums_end(&s);
}

static void finished(const Run *r, int chunk)
{
    const Parts p = parts_of(r);
    if (!p.kept)
        return;
    sum_gradients(r, &p, chunk);
    p.summed[chunk] = true;
}

static void grad_sum_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)begin, (void)end, (void)worker;
    const Parts p = parts_of(r);
    chunk = backwards(r, chunk);
    if (!p.summed[chunk])
        sum_gradients(r, &p, chunk);
}

/* The gradient of y, or where the anchor applies the map dz alone, for the anchor. */
static void gradient(const Run *anchor, size_t first, size_t rows, int channel, int cols, Real *to,
                     Real *peak)
{
    const Run *r = anchor->stream->owner;
    const Parts *p = anchor->stream->parts;
    const bool map = p->kept;
    const size_t c = (size_t)channel, at = first * p->channels + c;
    const MaskedGrad g = {.channels = cols,
                          .ld = p->channels,
                          .mask_ld = MASK_ROW_BYTES(p->channels),
                          .y_ld = (size_t)cols,
                          .dy = r->out[0]->grad + at,
                          .mask = p->mask + first * MASK_ROW_BYTES(p->channels) + c / 8,
                          .x = map ? p->y + at : NULL,
                          .slope = map ? p->a + c : NULL,
                          .of_x = p->b + c,
                          .shift = p->k + c,
                          .y = to,
                          .peak = peak};
    r->compute->real->masked_grad(&g, rows);
}

/* sum and product are over the batch, of dz and dz (y - mean). */
static void solve(const Run *anchor, const double *sum, const double *product, Real *of_y,
                  Real *shift)
{
    const Run *r = anchor->stream->owner;
    const Parts *p = anchor->stream->parts;
    Inner affine;
    bind_affine(r, &affine);
    batchnorm_grad_map(&affine.run, sum, product, p->a, of_y, shift);
}

static void backward(const Run *r)
{
    const FusedLayer *f = fused_layer(r->node);
    const Parts p = parts_of(r);
    const int batch = r->out[0]->shape.dim[0];
    Stream stream = {
        .owner = r, .parts = &p, .gradient = gradient, .dy = r->out[0]->grad, .mask = p.mask};
    Inner anchor, affine;
    if (f->affine) {
        bind_affine(r, &affine);
        memcpy(p.pivot, batchnorm_mean(&affine.run), p.channels * sizeof *p.pivot);
    }
    if (p.kept) {
        run_chunks(r, batch, grad_sum_items);
        channel_sums_total(p.channels, run_chunk_count(batch), p.dz, p.dzy);
        batchnorm_grad_map(&affine.run, p.dz, p.dzy, p.a, p.b, p.k);
    } else if (f->affine) {
        batchnorm_grad_slope(&affine.run, p.a);
        stream.solve = solve;
        stream.slope = p.a;
        stream.pivot = p.pivot;
    }
    bind_anchor(r, &stream, &anchor);
    f->anchor->op->backward(&anchor.run);
}

static void commit(const Run *r)
{
    const FusedLayer *f = fused_layer(r->node);
    Inner affine;
    if (!f->affine)
        return;
    bind_affine(r, &affine);
    f->affine->op->commit(&affine.run);
}

const Op op_fused_layer = {
    .name = "fused_layer",
    .flags = OP_FUSED,
    .reads = OP_IN(0) | OP_IN(1),
    .codes = OP_IN(0) | OP_IN(1),
    .grads = OP_IN(0) | OP_IN(1) | OP_IN(2) | OP_IN(3) | OP_IN(4), /* states want none */
    .outputs = 2,
    .infer = fused_infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .finished = finished,
    .commit = commit,
};
