/* Convolutions in floating point: see convolve.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/convolve.h"

#include "core/graph.h"

#include <string.h>

enum {
    REDUCE_ROWS = 16, /* rows of dW^T that are transposed at a time */
    PACK_ROWS = 64,   /* rows of a panel written at a time: they stay in the first-level cache */
    SUM_ROWS = 512,   /* rows of a flat layer that a partial sum of dW is worth */
    SLICE_ROWS = 12,  /* least rows of dW^T in a slice */
    PIECE_REALS = 16 * 1024 /* of dY in a piece of a flat layer: a cache has it for both products */
};

/* Lies at the start of Run.shared during a call. K is kernel_h * kernel_w * in_c, and for the
 * gradient of the input kernel_h * kernel_w * out_c. */
typedef struct Work {
    ConvShape shape;
    Gather forward, back;
    Real *packed;      /* weights of the direction that runs, see kernels_conv.h */
    int depth, cols;   /* of packed */
    bool back_weights; /* packed for the gradient of the input */
    Real *sums;        /* [sum_chunks][K][sum_ld] */
    Real *bias_sums;   /* [chunks][out_c] */
    int sum_ld;
    int chunks;     /* of the batch */
    int sum_chunks; /* parts of the batch with a partial dW of their own ... */
    int slices;     /* ... each made in so many slices ... */
    int slice_step; /* ... of so many columns (outputs), or 0: of rows (inputs) */
    size_t tile;    /* Reals of the tile in a worker's scratch; a piece of dY follows */
    Real *dy;       /* all of dY, of a stream in slices; else NULL */
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

/* Few rows and many weights: a partial dW per chunk would cost more than its sum. Such a layer has
 * fewer parts, cut into slices along the longer side of dW^T instead, as many in all as there would
 * be chunks. */
static void cut_sums(const Run *r, Work *w)
{
    const int rows = items_of(r, &w->shape), inputs = w->shape.in_c, outputs = w->shape.out_c;
    const int panel = 2 * r->compute->conv->lanes;
    w->sum_chunks = w->chunks;
    w->slices = 1;
    if (!w->shape.flat || rows >= RUN_CHUNKS * SUM_ROWS)
        return;
    const int parts = rows < SUM_ROWS ? 1 : rows / SUM_ROWS, wanted = RUN_CHUNKS / parts;
    const bool columns = outputs > inputs;
    const int most = columns ? (outputs + panel - 1) / panel : inputs / SLICE_ROWS;
    if (most < 2 || wanted < 2)
        return;
    w->sum_chunks = parts;
    w->slices = wanted < most ? wanted : most;
    if (columns) {
        w->slice_step = (most + w->slices - 1) / w->slices * panel;
        w->slices = (outputs + w->slice_step - 1) / w->slice_step;
    }
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
    if (backward && (size_t)w->sum_ld * REDUCE_ROWS > tile)
        tile = (size_t)w->sum_ld * REDUCE_ROWS;
    return (tile + 15) / 16 * 16;
}

/* Lays Work and what it points at out in c; fills it unless c only counts. */
static void work_layout(const Run *r, const ConvShape *shape, bool backward, Carve *c, Work *w)
{
    const ConvKernels *k = r->compute->conv;
    const bool codes = r->in[0]->elem == ELEM_CODE;
    const int taps = taps_of(shape);
    const bool want_dx = backward && r->want[0];
    *w = (Work){.shape = *shape, .chunks = run_chunk_count(items_of(r, shape))};
    cut_sums(r, w);
    w->sum_ld = (shape->out_c + k->lanes - 1) / k->lanes * k->lanes;
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
    const size_t partial = (size_t)taps * (size_t)shape->in_c * (size_t)w->sum_ld * sizeof(Real);
    const size_t bias = (size_t)shape->out_c * sizeof(Real);
    if (r->stream && w->slices > 1)
        w->dy = carve(c, (size_t)items_of(r, shape) * (size_t)shape->out_c * sizeof *w->dy);
    w->sums = carve(c, r->want[1] ? (size_t)w->sum_chunks * partial : 0);
    w->bias_sums = carve(c, r->want[2] ? (size_t)w->chunks * bias : 0);
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

/* Panel of the backward direction: row tap * out_c + o, column c is w[o][tap][c]. */
static void pack_backward(const Run *r, const Work *w, int first, int cols, int width, Real *panel)
{
    const int in_c = w->shape.in_c, taps = taps_of(&w->shape);
    memset(panel, 0, (size_t)width * sizeof *panel);
    panel += width;
    for (int t = 0; t < taps; t++)
        for (int o = 0; o < w->shape.out_c; o++, panel += width) {
            const size_t from = (size_t)t * (size_t)in_c + (size_t)first;
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
                                         .sum_ld = w->sum_ld});
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
    r->stream->gradient(r, m->to / out_c, m->size_out / out_c, 0, w->shape.out_c, room);
    return room;
}

static void fill_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const int out_c = w->shape.out_c;
    r->stream->gradient(r, (size_t)begin, (size_t)(end - begin), 0, out_c,
                        w->dy + (size_t)begin * (size_t)out_c);
}

static void backward_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    const size_t depth = (size_t)taps_of(&w->shape) * (size_t)w->shape.in_c;
    const size_t count = depth * (size_t)w->sum_ld, out_c = (size_t)w->shape.out_c;
    const int step = piece_items(w);
    Real *tile = run_worker(r, worker), *sums = NULL;
    Real *bias = r->want[2] ? w->bias_sums + (size_t)chunk * out_c : NULL;
    if (r->want[1] && w->slices == 1) {
        sums = w->sums + (size_t)chunk * count;
        memset(sums, 0, count * sizeof *sums);
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

/* A slice of a partial dW^T: rows [from_k, from_k + inputs), columns [from_o, from_o + outputs). */
typedef struct Slice {
    int from_k, inputs, from_o, outputs;
} Slice;

static Slice slice_of(const Work *w, int i)
{
    const int64_t in_c = w->shape.in_c;
    const int out_c = w->shape.out_c, step = w->slice_step;
    if (step > 0) {
        const int left = out_c - i * step;
        return (Slice){0, (int)in_c, i * step, left < step ? left : step};
    }
    const int from = (int)(in_c * i / w->slices), end = (int)(in_c * (i + 1) / w->slices);
    return (Slice){from, end - from, 0, out_c};
}

static void sum_slice(const Run *r, const Work *w, int part, Slice s, Real *tile)
{
    const Gather *g = &w->forward;
    const size_t ld = (size_t)w->sum_ld, in_c = (size_t)w->shape.in_c;
    const int64_t items = items_of(r, &w->shape);
    const int end = (int)(items * (part + 1) / w->sum_chunks);
    const int32_t zero = 0;
    Real *sums = w->sums + ((size_t)part * in_c + (size_t)s.from_k) * ld + (size_t)s.from_o;
    for (int k = 0; k < s.inputs; k++)
        memset(sums + (size_t)k * ld, 0, (size_t)s.outputs * sizeof *sums);
    for (int row = (int)(items * part / w->sum_chunks); row < end; row += g->block_rows) {
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
                         .sum_ld = w->sum_ld});
    }
}

/* Unit u makes slice u % slices of partial u / slices. */
static void slice_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    for (int u = begin; u < end; u++)
        sum_slice(r, w, u / w->slices, slice_of(w, u % w->slices), run_worker(r, worker));
}

/* Adds the chunks' sums of up to REDUCE_ROWS rows of dW^T and writes them as columns of dW. */
static void reduce_rows(const Run *r, const Work *w, size_t first, size_t rows, Real *total)
{
    const size_t ld = (size_t)w->sum_ld, out_c = (size_t)w->shape.out_c;
    const size_t depth = (size_t)taps_of(&w->shape) * (size_t)w->shape.in_c;
    memcpy(total, w->sums + first * ld, rows * ld * sizeof *total);
    for (int chunk = 1; chunk < w->sum_chunks; chunk++)
        r->compute->real->add(rows * ld, w->sums + ((size_t)chunk * depth + first) * ld, total);
    for (size_t o = 0; o < out_c; o++) {
        Real *dw = r->in[1]->grad + o * depth + first;
        for (size_t k = 0; k < rows; k++)
            dw[k] = r->accumulate[1] ? dw[k] + total[k * ld + o] : total[k * ld + o];
    }
}

static void reduce_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    const size_t depth = (size_t)taps_of(&w->shape) * (size_t)w->shape.in_c;
    for (size_t b = (size_t)begin; b < (size_t)end; b++) {
        const size_t left = depth - b * REDUCE_ROWS;
        reduce_rows(r, w, b * REDUCE_ROWS, left < REDUCE_ROWS ? left : REDUCE_ROWS,
                    run_worker(r, worker));
    }
}

static void reduce_bias(const Run *r, const Work *w)
{
    const int out_c = w->shape.out_c;
    Real *db = r->in[2]->grad;
    if (!r->accumulate[2])
        memset(db, 0, (size_t)out_c * sizeof *db);
    for (int chunk = 0; chunk < w->chunks; chunk++)
        for (int o = 0; o < out_c; o++)
            db[o] += w->bias_sums[(size_t)chunk * (size_t)out_c + (size_t)o];
}

void convolve_backward(const Run *r, const ConvShape *shape)
{
    const Work *w = work_start(r, shape, true);
    if (r->want[0])
        run_chunks(r, conv_panel_count(r->compute->conv, w->cols), pack_chunk);
    if (w->dy)
        run_chunks(r, items_of(r, shape), fill_chunk);
    if (r->want[1] && w->slices > 1)
        run_chunks(r, w->sum_chunks * w->slices, slice_chunk);
    if (r->want[0] || r->want[2] || w->slices == 1)
        run_chunks(r, items_of(r, shape), backward_chunk);
    if (r->want[1])
        run_chunks(r, (taps_of(shape) * shape->in_c + REDUCE_ROWS - 1) / REDUCE_ROWS, reduce_chunk);
    if (r->want[2])
        reduce_bias(r, w);
}
