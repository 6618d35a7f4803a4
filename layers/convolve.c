/* Convolutions in floating point: see convolve.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/convolve.h"

#include "core/graph.h"
#include "layers/partials.h"

#include <string.h>

enum {
    PACK_ROWS = 64, /* rows of a panel written at a time: they stay in the first-level cache */
    PIECE_REALS = 16 * 1024 /* of dY in a piece of a flat layer: a cache has it for both products */
};

/* Lies at the start of Run.shared during a call. K is kernel_h * kernel_w * in_c, and for the
 * gradient of the input kernel_h * kernel_w * out_c. */
typedef struct Work {
    Partials partials; /* first: see partials.h; backward only */
    ConvShape shape;
    Gather forward, back;
    Real *packed;      /* weights of the direction that runs, see kernels_conv.h */
    int depth, cols;   /* of packed */
    bool back_weights; /* packed for the gradient of the input */
    size_t tile;       /* Reals of the tile in a worker's scratch; a piece of dY follows */
    Real *dy;          /* all of dY, of a stream in slices; else NULL */
} Work;

static int taps_of(const ConvShape *s)
{
    return s->y.kernel * s->x.kernel;
}

static int batch_of(const Run *r)
{
    return r->in[0]->shape.dim[0];
}

/* Items that the batch is cut by: pixels of a flat layer, else images. */
static int items_of(const Run *r, const ConvShape *s)
{
    return s->flat ? batch_of(r) * s->pixels : batch_of(r);
}

static size_t packed_bytes(const ConvKernels *k, int depth, int cols)
{
    const size_t width = (size_t)((cols + k->lanes - 1) / k->lanes) * (size_t)k->lanes;
    return width * (size_t)(1 + depth) * sizeof(Real);
}

/* Items in a piece: an image, or so many rows of a flat layer; a multiple of the rows of a block, so
 * that pieces do not change how sums are cut. */
static int piece_items(const Work *w)
{
    const int rows = w->forward.block_rows;
    return w->shape.flat ? (PIECE_REALS / w->shape.out_c / rows + 1) * rows : 1;
}

static size_t piece_reals(const Work *w)
{
    const size_t pixels = w->shape.flat ? 1 : (size_t)w->shape.y.out * (size_t)w->shape.x.out;
    return (size_t)piece_items(w) * pixels * (size_t)w->shape.out_c;
}

static size_t tile_reals(const Work *w, bool backward)
{
    size_t tile = w->forward.tile > w->back.tile ? w->forward.tile : w->back.tile;
    if (backward && partials_scratch(&w->partials) > tile)
        tile = partials_scratch(&w->partials);
    return (tile + 15) / 16 * 16;
}

/* Lays Work and what it points at out in c; fills it unless c only counts. */
static void work_layout(const Run *r, const ConvShape *shape, bool backward, Carve *c, Work *w)
{
    const ConvKernels *k = r->compute->conv;
    const bool codes = r->in[0]->elem == ELEM_CODE;
    const int taps = taps_of(shape);
    const bool want_dx = backward && r->want[0];
    *w = (Work){.shape = *shape};
    partials_cut(r, shape, run_chunk_count(items_of(r, shape)), &w->partials);
    gather_init(&w->forward, shape, false, codes, c);
    if (want_dx)
        gather_init(&w->back, shape, true, false, c);
    w->tile = tile_reals(w, backward);
    w->back_weights = want_dx;
    w->depth = taps * (want_dx ? shape->out_c : shape->in_c);
    w->cols = want_dx ? shape->in_c : shape->out_c;
    if (want_dx || !backward)
        w->packed = carve(c, packed_bytes(k, w->depth, w->cols));
    if (!backward)
        return;
    if (r->stream && w->partials.slices > 1)
        w->dy = carve(c, (size_t)items_of(r, shape) * (size_t)shape->out_c * sizeof *w->dy);
    partials_layout(r, c, &w->partials);
}

void convolve_needs(const Run *r, const ConvShape *shape, Needs *needs)
{
    size_t worker = 0;
    for (int backward = r->stream ? 1 : 0; backward <= (r->mode->training ? 1 : 0); backward++) {
        Work w;
        Carve c = {.used = 0};
        carve(&c, sizeof(Work));
        work_layout(r, shape, backward, &c, &w);
        needs->shared = c.used > needs->shared ? c.used : needs->shared;
        const size_t reals = w.tile + (r->stream ? piece_reals(&w) : 0);
        worker = reals > worker ? reals : worker;
    }
    needs->worker = worker * sizeof(Real) > needs->worker ? worker * sizeof(Real) : needs->worker;
}

static Work *work_start(const Run *r, const ConvShape *shape, bool backward)
{
    Carve c = {.base = r->shared};
    Work *w = carve(&c, sizeof *w);
    work_layout(r, shape, backward, &c, w);
    /* The gathers point at their axes: let them be the copy's. */
    w->forward.y.axis = &w->shape.y;
    w->forward.x.axis = &w->shape.x;
    w->back.y.axis = &w->shape.y;
    w->back.x.axis = &w->shape.x;
    return w;
}

/* ---- weights ---------------------------------------------------------------------------------- */

/* n weights of output o from element `from` of its filter, to[i * step], as reals. */
static void read_weights(const Tensor *t, size_t filter, int o, size_t from, int n, Real *to,
                         int step)
{
    const size_t start = (size_t)o * filter + from;
    if (t->elem == ELEM_CODE) {
        const int8_t *q = (const int8_t *)t->data + start;
        const Real scale = run_scale(t)[shape_count(t->scale->shape) > 1 ? o : 0];
        for (int i = 0; i < n; i++, to += step)
            *to = scale * (Real)q[i];
    } else {
        const Real *v = (const Real *)t->data + start;
        for (int i = 0; i < n; i++, to += step)
            *to = v[i];
    }
}

/* Panel of the forward direction: row k, column o is w[o][k]. */
static void pack_forward(const Run *r, const Work *w, int first, int cols, int width, Real *panel)
{
    const Real *bias = r->node->inputs > 2 ? r->in[2]->data : NULL;
    for (int c = 0; c < width; c++)
        panel[c] = bias && c < cols ? bias[first + c] : 0;
    panel += width;
    for (int from = 0; from < w->depth; from += PACK_ROWS, panel += PACK_ROWS * width) {
        const int n = w->depth - from < PACK_ROWS ? w->depth - from : PACK_ROWS;
        for (int c = 0; c < cols; c++)
            read_weights(r->in[1], (size_t)w->depth, first + c, (size_t)from, n, panel + c, width);
        for (int k = 0; k < n; k++)
            for (int c = cols; c < width; c++)
                panel[k * width + c] = 0;
    }
}

/* Panel of the backward direction: row place * out_c + o, column c is w[o][tap][c], see gather_tap. */
static void pack_backward(const Run *r, const Work *w, int first, int cols, int width, Real *panel)
{
    const int in_c = w->shape.in_c, taps = taps_of(&w->shape);
    memset(panel, 0, (size_t)width * sizeof *panel);
    panel += width;
    for (int t = 0; t < taps; t++)
        for (int o = 0; o < w->shape.out_c; o++, panel += width) {
            const size_t tap = (size_t)gather_tap(&w->back, t);
            const size_t from = tap * (size_t)in_c + (size_t)first;
            read_weights(r->in[1], (size_t)taps * (size_t)in_c, o, from, cols, panel, 1);
            for (int c = cols; c < width; c++)
                panel[c] = 0;
        }
}

static void pack_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    (void)worker;
    const Work *w = r->shared;
    const ConvKernels *k = r->compute->conv;
    for (int p = begin; p < end; p++) {
        const int first = p * 2 * k->lanes, width = conv_panel_width(k, w->cols, p);
        const int cols = w->cols - first < width ? w->cols - first : width;
        Real *panel = w->packed + conv_panel_offset(k, w->depth, p);
        if (w->back_weights)
            pack_backward(r, w, first, cols, width, panel);
        else
            pack_forward(r, w, first, cols, width, panel);
    }
}

/* ---- products --------------------------------------------------------------------------------- */

/* All panels of all phases of a block into the image at `to`. */
static void multiply_block(const Run *r, const Work *w, const Gather *g, const Block *b,
                           int image_rows, Real *to, bool accumulate)
{
    const ConvKernels *k = r->compute->conv;
    for (int i = 0; i < g->phase_count; i++) {
        const Phase *p = &g->phases[i];
        const int rows = gather_rows(g, p, image_rows, b->first);
        if (rows <= 0 || (p->runs == 0 && accumulate))
            continue;
        for (int panel = 0; panel < conv_panel_count(k, w->cols); panel++) {
            const int first = panel * 2 * k->lanes, left = w->cols - first;
            k->multiply(&(ConvMultiply){.x = b->x,
                                        .x_row = p->x_row,
                                        .run_x = p->run_x,
                                        .run_w = p->run_w,
                                        .runs = p->runs,
                                        .length = g->length,
                                        .taps = g->length / g->from_c,
                                        .panel = w->packed + conv_panel_offset(k, w->depth, panel),
                                        .y = to + b->to + first,
                                        .y_row = p->y_row,
                                        .rows = rows * p->cols,
                                        .cols = left < 2 * k->lanes ? left : 2 * k->lanes,
                                        .accumulate = accumulate});
        }
    }
}

static void outer_block(const Run *r, const Work *w, const Block *b, int image_rows, const Real *dy,
                        Real *sums)
{
    const Gather *g = &w->forward;
    const Phase *p = &g->phases[0];
    r->compute->conv->outer(&(ConvOuter){.x = b->x,
                                         .x_row = p->x_row,
                                         .run_x = p->run_x,
                                         .runs = p->runs,
                                         .length = g->length,
                                         .dy = dy + b->to,
                                         .dy_ld = g->to_c,
                                         .rows = gather_rows(g, p, image_rows, b->first) * p->cols,
                                         .cols = g->to_c,
                                         .sum = sums,
                                         .sum_ld = w->partials.ld});
}

/* The images of a chunk: a flat layer's items are rows of one image. */
typedef struct Images {
    int count, rows_in, rows_out; /* rows of phase 0 of an image, as source and as destination */
    size_t from, to;              /* elements before the first image, in x and in y */
    size_t size_in, size_out;     /* of an image */
} Images;

static Images images_of(const ConvShape *s, int begin, int end)
{
    const size_t row_in = (size_t)s->x.in * (size_t)s->in_c;
    const size_t row_out = (size_t)s->x.out * (size_t)s->out_c;
    Images m = {.count = s->flat ? 1 : end - begin,
                .rows_in = s->flat ? end - begin : s->y.in,
                .rows_out = s->flat ? end - begin : s->y.out};
    m.size_in = row_in * (size_t)m.rows_in;
    m.size_out = row_out * (size_t)m.rows_out;
    m.from = (size_t)begin * row_in * (size_t)(s->flat ? 1 : s->y.in);
    m.to = (size_t)begin * row_out * (size_t)(s->flat ? 1 : s->y.out);
    return m;
}

static const Real *reals_of(const Tensor *t)
{
    return t->elem == ELEM_CODE ? NULL : t->data;
}

static int rows_of(const Gather *g, int image_rows)
{
    return g->flat ? image_rows : g->y.most;
}

static void forward_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    const Gather *g = &w->forward;
    const Images m = images_of(&w->shape, begin, end);
    Real *tile = run_worker(r, worker), *y = (Real *)r->out[0]->data + m.to;
    for (int i = 0; i < m.count; i++, y += m.size_out)
        for (int row = 0; row < rows_of(g, m.rows_in); row += g->block_rows) {
            const Block b = gather_block(g, r->compute, r->in[0], reals_of(r->in[0]),
                                         m.from + (size_t)i * m.size_in, m.rows_in, row, tile);
            multiply_block(r, w, g, &b, m.rows_in, y, false);
        }
}

void convolve_forward(const Run *r, const ConvShape *shape)
{
    const Work *w = work_start(r, shape, false);
    run_chunks(r, conv_panel_count(r->compute->conv, w->cols), pack_chunk);
    run_chunks(r, items_of(r, shape), forward_chunk);
}

/* ---- gradients -------------------------------------------------------------------------------- */

/* dy is that of the images' first pixel. */
static void weights_image(const Run *r, const Work *w, const Images *m, const Real *dy, Real *sums,
                          Real *tile)
{
    const Gather *g = &w->forward;
    for (int row = 0; row < rows_of(g, m->rows_in); row += g->block_rows) {
        const Block b = gather_block(g, r->compute, r->in[0], reals_of(r->in[0]), m->from,
                                     m->rows_in, row, tile);
        outer_block(r, w, &b, m->rows_in, dy, sums);
    }
}

static void input_image(const Run *r, const Work *w, const Images *m, const Real *dy, Real *tile)
{
    const Gather *g = &w->back;
    Real *dx = r->in[0]->grad + m->from;
    for (int row = 0; row < rows_of(g, m->rows_out); row += g->block_rows) {
        const Block b = gather_block(g, r->compute, NULL, dy, 0, m->rows_out, row, tile);
        multiply_block(r, w, g, &b, m->rows_out, dx, r->accumulate[0]);
    }
}

/* All of dY, where it is in memory. */
static const Real *whole_dy(const Run *r, const Work *w)
{
    return r->stream ? w->dy : r->out[0]->grad;
}

/* dY of a piece: where it is, or made in room. */
static const Real *piece_dy(const Run *r, const Work *w, const Images *m, Real *room)
{
    const size_t out_c = (size_t)w->shape.out_c;
    if (whole_dy(r, w))
        return whole_dy(r, w) + m->to;
    r->stream->gradient(r, m->to / out_c, m->size_out / out_c, 0, w->shape.out_c, room, NULL);
    return room;
}

static void fill_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const int out_c = w->shape.out_c;
    r->stream->gradient(r, (size_t)begin, (size_t)(end - begin), 0, out_c,
                        w->dy + (size_t)begin * (size_t)out_c, NULL);
}

static void backward_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    const Partials *p = &w->partials;
    const size_t out_c = (size_t)w->shape.out_c;
    const int step = piece_items(w);
    Real *tile = run_worker(r, worker), *sums = NULL;
    Real *bias = r->want[2] ? partials_bias(p, chunk) : NULL;
    if (r->want[1] && p->slices == 1) {
        sums = partials_sums(p, chunk);
        memset(sums, 0, (size_t)p->depth * (size_t)p->ld * sizeof *sums);
    }
    if (bias)
        memset(bias, 0, out_c * sizeof *bias);
    for (int i = begin; i < end; i += step) {
        const Images m = images_of(&w->shape, i, end - i < step ? end : i + step);
        const Real *dy = piece_dy(r, w, &m, tile + w->tile);
        if (sums)
            weights_image(r, w, &m, dy, sums, tile);
        if (r->want[0])
            input_image(r, w, &m, dy, tile);
        if (bias)
            r->compute->conv->column_sums(m.size_out / out_c, w->shape.out_c, dy, bias);
    }
    if (r->want[0] && !w->shape.flat)
        run_finished(r, 0, chunk);
}

/* Columns [from, from + n) of `rows` rows of x, at their places in rows of in_c reals. */
static const Real *slice_rows(const Run *r, int first, int rows, int from, int n, Real *tile)
{
    const Tensor *x = r->in[0];
    const size_t in_c = (size_t)((const Work *)r->shared)->shape.in_c;
    const size_t start = (size_t)first * in_c + (size_t)from;
    if (x->elem != ELEM_CODE)
        return (const Real *)x->data + start;
    const int8_t *q = (const int8_t *)x->data + start;
    Real *to = tile + from;
    for (int i = 0; i < rows; i++, q += in_c, to += in_c)
        r->compute->real->dequantize((size_t)n, q, run_scale(x)[0], run_zero_point(x), to);
    return tile + from;
}

static void sum_slice(const Run *r, const Work *w, int part, Slice s, Real *tile)
{
    const Gather *g = &w->forward;
    const Partials *p = &w->partials;
    const size_t ld = (size_t)p->ld;
    const int64_t items = items_of(r, &w->shape);
    const int end = (int)(items * (part + 1) / p->parts);
    const int32_t zero = 0;
    Real *sums = partials_sums(p, part) + (size_t)s.from_k * ld + (size_t)s.from_o;
    for (int k = 0; k < s.inputs; k++)
        memset(sums + (size_t)k * ld, 0, (size_t)s.outputs * sizeof *sums);
    for (int row = (int)(items * part / p->parts); row < end; row += g->block_rows) {
        const int rows = end - row < g->block_rows ? end - row : g->block_rows;
        r->compute->conv->outer(
            &(ConvOuter){.x = slice_rows(r, row, rows, s.from_k, s.inputs, tile),
                         .x_row = g->phases[0].x_row,
                         .run_x = &zero,
                         .runs = 1,
                         .length = s.inputs,
                         .dy = whole_dy(r, w) + (size_t)row * (size_t)g->to_c + (size_t)s.from_o,
                         .dy_ld = g->to_c,
                         .rows = rows,
                         .cols = s.outputs,
                         .sum = sums,
                         .sum_ld = w->partials.ld});
    }
}

/* Unit u makes slice u % slices of partial u / slices. */
static void slice_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    for (int u = begin; u < end; u++)
        sum_slice(r, w, u / w->partials.slices,
                  partials_slice(&w->partials, u % w->partials.slices), run_worker(r, worker));
}

void convolve_backward(const Run *r, const ConvShape *shape)
{
    const Work *w = work_start(r, shape, true);
    const Partials *p = &w->partials;
    if (r->want[0])
        run_chunks(r, conv_panel_count(r->compute->conv, w->cols), pack_chunk);
    if (w->dy)
        run_chunks(r, items_of(r, shape), fill_chunk);
    if (r->want[1] && p->slices > 1)
        run_chunks(r, p->parts * p->slices, slice_chunk);
    if (r->want[0] || r->want[2] || p->slices == 1)
        run_chunks(r, items_of(r, shape), backward_chunk);
    partials_reduce(r);
}
