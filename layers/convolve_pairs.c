/* A convolution's backward pass on 16-bit numbers: see convolve_pairs.h. dY comes in pieces; each is
 * rounded and multiplied while it is in a cache. Where dW is made in slices (partials.h) a first
 * sweep rounds all pieces and makes dX, and the slices follow.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/convolve_pairs.h"

#include "core/graph.h"
#include "layers/pairs.h"

#include <string.h>

enum {
    PIECE_REALS = 16 * 1024, /* of dY in a piece of a flat layer: stays in a cache */
    SLICED_LEAST = 128       /* rows of a piece where dW is made in slices */
};

/* Lies at the start of Run.shared during a call. */
typedef struct Work {
    Partials partials;
    ConvShape shape;
    Pairs pairs;
    int rows;          /* of output in a piece: of an image, or of a flat layer */
    int count;         /* pieces of the batch */
    PairPiece *stored; /* [count] what dW needs, where it is made in slices; else NULL */
} Work;

static int batch_of(const Run *r)
{
    return r->in[0]->shape.dim[0];
}

static int round_up(int n, int to)
{
    return (n + to - 1) / to * to;
}

/* Rows of a flat layer in a piece: a cache has them, and both their halves fill the blocks of the
 * product of dW, each of which is a sweep over all sums. */
static int flat_rows(const Run *r, const Work *w)
{
    const int blocks = 2 * w->pairs.forward.block_rows, all = batch_of(r) * w->shape.pixels;
    if (w->partials.slices == 1)
        return round_up(PIECE_REALS / w->shape.out_c + 1, blocks);
    const int even = round_up((all + RUN_CHUNKS - 1) / RUN_CHUNKS, 2);
    return even < SLICED_LEAST ? SLICED_LEAST : even < blocks ? even : blocks;
}

static void work_layout(const Run *r, const ConvShape *shape, Carve *c, Work *w)
{
    *w = (Work){.shape = *shape, .rows = shape->y.out, .count = batch_of(r)};
    partials_cut(r, shape, 1, &w->partials);
    pairs_layout(r, shape, w->partials.ld, c, &w->pairs);
    if (shape->flat) {
        w->rows = flat_rows(r, w);
        w->count = (batch_of(r) * shape->pixels + w->rows - 1) / w->rows;
    }
    partials_cut(r, shape, run_chunk_count(w->count), &w->partials);
    partials_layout(r, c, &w->partials);
    if (w->partials.slices == 1)
        return;
    w->stored = carve(c, (size_t)w->count * sizeof *w->stored);
    for (int i = 0; i < w->count; i++) {
        PairPiece piece = {0};
        pairs_room_dw(&w->pairs, w->rows, c, &piece);
        if (c->base)
            w->stored[i] = piece;
    }
}

/* ---- pieces ------------------------------------------------------------------------------------ */

static PairRows rows_of(const Run *r, const Work *w, int piece)
{
    const ConvShape *s = &w->shape;
    const size_t in_c = (size_t)s->in_c, row = (size_t)s->x.in * in_c;
    if (!s->flat)
        return (PairRows){s->y.in, s->y.out, (size_t)piece * (size_t)s->y.in * row};
    const int first = piece * w->rows, left = batch_of(r) * s->pixels - first;
    const int rows = left < w->rows ? left : w->rows;
    return (PairRows){rows, rows, (size_t)first * in_c};
}

/* Rows of channels: pixels. */
static size_t pixels_of(const Work *w, int rows)
{
    return (size_t)rows * (size_t)(w->shape.flat ? 1 : w->shape.x.out);
}

/* A worker's scratch. */
typedef struct Scratch {
    PairPiece piece;
    uint32_t *tile;
    Real *dy; /* of a stream */
} Scratch;

static size_t scratch_layout(const Run *r, const Work *w, void *base, Scratch *s)
{
    Carve c = {.base = base};
    *s = (Scratch){0};
    pairs_room_dx(&w->pairs, w->rows, &c, &s->piece);
    if (!w->stored)
        pairs_room_dw(&w->pairs, w->rows, &c, &s->piece);
    s->tile = carve(&c, pairs_tile(&w->pairs) * sizeof *s->tile);
    if (r->stream)
        s->dy = carve(&c, pixels_of(w, w->rows) * (size_t)w->shape.out_c * sizeof *s->dy);
    const size_t reduce = partials_scratch(&w->partials) * sizeof(Real);
    return c.used > reduce ? c.used : reduce;
}

void convolve_pairs_needs(const Run *r, const ConvShape *shape, Needs *needs)
{
    Work w;
    Scratch s = {0};
    Carve c = {.used = 0};
    carve(&c, sizeof w);
    work_layout(r, shape, &c, &w);
    w.stored = w.partials.slices > 1 ? &s.piece : NULL; /* a carve that counts gives no memory */
    const size_t worker = scratch_layout(r, &w, NULL, &s);
    needs->shared = c.used > needs->shared ? c.used : needs->shared;
    needs->worker = worker > needs->worker ? worker : needs->worker;
}

/* dY of rows [first, first + pixels) of the batch with its peaks: where it is, or made. */
static const Real *make_piece(const Run *r, const Work *w, size_t first, size_t pixels, Scratch *s)
{
    const int out_c = w->shape.out_c;
    const Real *dy = r->stream ? s->dy : r->out[0]->grad + first * (size_t)out_c;
    memset(s->piece.peaks, 0, (size_t)w->pairs.ld * sizeof *s->piece.peaks);
    if (r->stream)
        r->stream->gradient(r, first, pixels, 0, out_c, s->dy, s->piece.peaks);
    else if (w->pairs.kernels->scaled)
        w->pairs.kernels->peaks(pixels, out_c, dy, s->piece.peaks);
    return dy;
}

/* Rounds piece i, with what else is made of dY itself. */
static void take_piece(const Run *r, const Work *w, int i, Scratch *s, Real *bias)
{
    const PairRows rows = rows_of(r, w, i);
    const size_t pixels = pixels_of(w, rows.out);
    const Real *dy = make_piece(r, w, (size_t)i * pixels_of(w, w->rows), pixels, s);
    if (w->stored) {
        s->piece.dw = w->stored[i].dw;
        s->piece.dw_scales = w->stored[i].dw_scales;
    }
    pairs_take(r, &w->pairs, rows, dy, &s->piece);
    if (bias)
        r->compute->conv->column_sums(pixels, w->shape.out_c, dy, bias);
}

static void sweep_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    const Partials *p = &w->partials;
    Real *bias = r->want[2] ? partials_bias(p, chunk) : NULL;
    Real *sums = r->want[1] && !w->stored ? partials_sums(p, chunk) : NULL;
    Scratch s;
    scratch_layout(r, w, run_worker(r, worker), &s);
    if (bias)
        memset(bias, 0, (size_t)p->outputs * sizeof *bias);
    for (int i = begin; i < end; i++) {
        take_piece(r, w, i, &s, bias);
        if (sums)
            pairs_weights(r, &w->pairs, rows_of(r, w, i), &s.piece, i > begin, sums, s.tile);
        if (r->want[0])
            pairs_input(r, &w->pairs, rows_of(r, w, i), &s.piece);
    }
    if (r->want[0] && !w->shape.flat)
        run_finished(r, 0, chunk);
}

/* Unit u makes slice u % slices of partial u / slices. */
static void slice_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    const Partials *p = &w->partials;
    Scratch scratch;
    scratch_layout(r, w, run_worker(r, worker), &scratch);
    for (int u = begin; u < end; u++) {
        const int part = u / p->slices;
        const Slice s = partials_slice(p, u % p->slices);
        const size_t ld = (size_t)p->ld;
        Real *sums = partials_sums(p, part) + (size_t)s.from_k * ld + (size_t)s.from_o;
        const int first = (int)((int64_t)w->count * part / p->parts);
        const int last = (int)((int64_t)w->count * (part + 1) / p->parts);
        for (int i = first; i < last; i++)
            pairs_slice(r, &w->pairs, rows_of(r, w, i), &w->stored[i], s, i > first, sums,
                        scratch.tile);
    }
}

static void pack_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    for (int panel = begin; panel < end; panel++)
        pairs_pack(r, &w->pairs, panel);
}

void convolve_pairs_backward(const Run *r, const ConvShape *shape)
{
    Carve c = {.base = r->shared};
    Work *w = carve(&c, sizeof *w);
    work_layout(r, shape, &c, w);
    const Partials *p = &w->partials;
    if (r->want[0])
        run_chunks(r, pair_panel_count(w->pairs.kernels, shape->in_c), pack_chunk);
    run_chunks(r, w->count, sweep_chunk);
    if (r->want[1] && w->stored)
        run_chunks(r, p->parts * p->slices, slice_chunk);
    partials_reduce(r);
}
