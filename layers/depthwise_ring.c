/* Depthwise convolutions of streams: see depthwise_ring.h.
 *
 * An image is swept once from top to bottom, a band of rows at a time, all channels of it, so that
 * memory is read and written in its order; what a band needs of rows above it lies in rings.
 *
 *     forward     codes > ring of x > y, a block of rows, for the stream
 *     backward    codes > ring of x > y, and with dz the sums that the map from dz to dy needs
 *                 codes > ring of x > y, with dz: ring of dy; of both dW; from dy, rows later, dX
 *
 * x is in units of its scale and the weights of forward are codes, so y's sums are exact, as those of
 * integer kernels (with a bias of more than 2^24 units, rounded twice). dW is summed within a band, over the bands of a chunk, and over the chunks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/depthwise_ring.h"

#include "layers/codes.h"
#include "layers/ring.h"
#include "layers/weighted.h"

#include <string.h>

enum {
    BAND_PIXELS = 64, /* at least so many pixels in a band: calls have costs of their own */
    BLOCK_ELEMENTS = 16 * 1024, /* of y, in a block of forward */
    TAPS_MOST = 256             /* sums of so many products of codes are exact in float */
};

/* Lies at the start of Run.shared during a call. Tables by channel are filled up with zeros to whole
 * groups. */
typedef struct Work {
    WindowAttributes a;
    int channels, groups, taps;
    int band;            /* rows of y in a band, or in a block of forward */
    RingSide side, back; /* from x to y; from dy to dx */
    Real *weights;       /* [taps][groups][16] */
    Real *scale, *bias;  /* [groups][16], as the next: y is scale (sum + bias) */
    Real *pivot, *slope, *of_y, *shift;
    Real *sums, *totals;   /* [chunks][groups][taps][16], [chunks][groups][16]: dW, sums of dy */
    double *sum, *product; /* [chunks][channels] */
} Work;

/* The scratch of a worker. */
typedef struct Room {
    Ring x, dy;
    Real *two_sums; /* [2][16] */
    Real *y;        /* a block of forward */
} Room;

static int channels_of(const Run *r)
{
    return shape_channels(r->in[0]->shape);
}

static int batch_of(const Run *r)
{
    return r->in[0]->shape.dim[0];
}

static size_t pixels_of(const Tensor *t)
{
    return (size_t)t->shape.dim[1] * (size_t)t->shape.dim[2];
}

bool depthwise_ring_can(const Run *r)
{
    const WindowAttributes *a = r->node->attributes;
    return r->in[0]->elem == ELEM_CODE && r->in[1]->elem == ELEM_CODE &&
           shape_channels(r->out[0]->shape) == channels_of(r) &&
           a->y.kernel * a->x.kernel <= TAPS_MOST;
}

static int band_of(const Work *w, bool backward)
{
    const int width = w->a.x.out, fit = BLOCK_ELEMENTS / (width * w->channels);
    const int least = (BAND_PIXELS + width - 1) / width;
    const int rows = !backward && fit > least ? fit : least;
    return rows < w->a.y.out ? rows : w->a.y.out;
}

static void work_layout(const Run *r, bool backward, Carve *c, Work *w)
{
    *w = (Work){.a = *(const WindowAttributes *)r->node->attributes, .channels = channels_of(r)};
    w->groups = (w->channels + RING_LANES - 1) / RING_LANES;
    w->taps = w->a.y.kernel * w->a.x.kernel;
    w->band = band_of(w, backward);
    const size_t row = (size_t)w->groups * RING_LANES * sizeof(Real), taps = (size_t)w->taps;
    const size_t chunks = (size_t)run_chunk_count(batch_of(r));
    ring_side(&w->side, &w->a.y, &w->a.x, false, w->groups, c);
    w->weights = carve(c, taps * row);
    w->scale = carve(c, row);
    w->bias = carve(c, row);
    if (!backward)
        return;
    ring_side(&w->back, &w->a.y, &w->a.x, true, w->groups, c);
    w->pivot = carve(c, row);
    w->slope = carve(c, row);
    w->of_y = carve(c, row);
    w->shift = carve(c, row);
    w->sums = carve(c, r->want[1] ? chunks * taps * row : 0);
    w->totals = carve(c, chunks * row);
    w->sum = carve(c, chunks * (size_t)w->channels * sizeof *w->sum);
    w->product = carve(c, chunks * (size_t)w->channels * sizeof *w->product);
}

static Room room_layout(const Work *w, bool backward, Carve *c)
{
    const RingSide *s = &w->side, *b = &w->back;
    const int x_rows = (w->band - 1) * s->y.step + s->y.highest - s->y.lowest + 1;
    Room m = {.two_sums = carve(c, 2 * RING_LANES * sizeof(Real))};
    ring_init(&m.x, s, x_rows, x_rows, w->groups, c);
    if (!backward) {
        const size_t block = (size_t)w->band * (size_t)w->a.x.out * (size_t)w->channels;
        m.y = carve(c, block * sizeof *m.y);
        return m;
    }
    const int reach = b->y.highest - b->y.lowest;
    ring_init(&m.dy, b, w->band + reach, b->y.most + reach, w->groups, c);
    return m;
}

void depthwise_ring_needs(const Run *r, Needs *needs)
{
    for (int backward = 0; backward < 2; backward++) {
        Work w;
        Carve shared = {.used = 0}, worker = {.used = 0};
        carve(&shared, sizeof w);
        work_layout(r, backward, &shared, &w);
        room_layout(&w, backward, &worker);
        needs->shared = shared.used > needs->shared ? shared.used : needs->shared;
        needs->worker = worker.used > needs->worker ? worker.used : needs->worker;
    }
}

/* [groups][16] from [channels], or zeros. */
static void fill_table(const Work *w, const Real *from, Real *to)
{
    memset(to, 0, (size_t)w->groups * RING_LANES * sizeof *to);
    if (from)
        memcpy(to, from, (size_t)w->channels * sizeof *to);
}

static Real weight_scale(const Run *r, int channel)
{
    const Tensor *t = r->in[1];
    return run_scale(t)[shape_count(t->scale->shape) > 1 ? channel : 0];
}

/* Weights as codes, or as real numbers. */
static void fill_weights(const Run *r, const Work *w, bool scaled)
{
    const int8_t *q = r->in[1]->data;
    const size_t row = (size_t)w->groups * RING_LANES, channels = (size_t)w->channels;
    memset(w->weights, 0, (size_t)w->taps * row * sizeof *w->weights);
    for (size_t t = 0; t < (size_t)w->taps; t++)
        for (size_t ch = 0; ch < channels; ch++)
            w->weights[t * row + ch] =
                (scaled ? weight_scale(r, (int)ch) : 1) * (Real)q[t * channels + ch];
}

static Work *work_start(const Run *r, bool backward)
{
    const Real *bias = r->node->inputs > 2 ? r->in[2]->data : NULL;
    Carve c = {.base = r->shared};
    Work *w = carve(&c, sizeof *w);
    work_layout(r, backward, &c, w);
    fill_table(w, NULL, w->scale);
    fill_table(w, NULL, w->bias);
    for (int ch = 0; ch < w->channels; ch++) {
        w->scale[ch] = run_scale(r->in[0])[0] * weight_scale(r, ch);
        if (bias)
            w->bias[ch] = (Real)codes_bias((double)bias[ch], (double)w->scale[ch], w->taps);
    }
    fill_weights(r, w, false);
    ring_side_weights(&w->side, w->weights, w->groups);
    if (backward) {
        fill_weights(r, w, true);
        ring_side_weights(&w->back, w->weights, w->groups);
    }
    return w;
}

static Room room_open(const Run *r, const Work *w, bool backward, int worker)
{
    Carve c = {.base = run_worker(r, worker)};
    Room m = room_layout(w, backward, &c);
    ring_clear(&m.x, w->groups);
    if (backward)
        ring_clear(&m.dy, w->groups);
    return m;
}

/* ---- rows of x --------------------------------------------------------------------------------- */

/* Rows [begin, end) of an image into their slots. */
static void read_rows(const Run *r, const Work *w, const Ring *x, size_t image, int begin, int end)
{
    const RingSide *s = &w->side;
    const size_t pixel =
        image * pixels_of(r->in[0]) + (size_t)begin * (size_t)s->x.from + (size_t)s->skip;
    Real *const *to = ring_slots(x, begin, end - begin);
    const RingRead rows = {.q = (const int8_t *)r->in[0]->data + pixel * (size_t)w->channels,
                           .row = (size_t)s->x.from * (size_t)w->channels,
                           .height = end - begin,
                           .width = s->inside,
                           .channels = w->channels,
                           .group = ring_group(x),
                           .zero_point = run_zero_point(r->in[0])};
    r->compute->real->ring->read(&rows, to);
}

/* Makes the rows of an image that outputs [row, row + rows) meet and that are not there yet, and
 * lists them. */
static const Real *const *read_x(const Run *r, const Work *w, Ring *x, size_t image, int row,
                                 int rows)
{
    const GatherAxis *y = &w->side.y;
    const int first = row * y->step + y->lowest;
    const int count = (rows - 1) * y->step + y->highest - y->lowest + 1;
    const int end = first + count < x->height ? first + count : x->height;
    const int begin = x->filled > first ? x->filled : first < 0 ? 0 : first;
    if (begin < end) {
        read_rows(r, w, x, image, begin, end);
        x->filled = end;
    }
    return ring_rows(x, first, count);
}

/* The windows of a phase's outputs in listed rows, of group g. */
static RingWindow window_of(const Work *w, const Ring *from, const RingPhase *p,
                            const Real *const *rows, int height, int g)
{
    const int left = w->channels - g * RING_LANES;
    const bool forward = from->side == &w->side;
    const size_t at = (size_t)g * ring_group(from) + (size_t)p->x.first * RING_LANES;
    return (RingWindow){.rows = rows,
                        .row = p->y.first,
                        .row_step = from->side->y.step,
                        .tap_row = p->y.step,
                        .offset = (ptrdiff_t)at,
                        .col_step = from->side->x.step * (ptrdiff_t)RING_LANES,
                        .tap_col = p->x.step * (ptrdiff_t)RING_LANES,
                        .height = height,
                        .width = p->cols,
                        .channels = left < RING_LANES ? left : RING_LANES,
                        .taps_h = p->y.count,
                        .taps_w = p->x.count,
                        .w = p->w + g * p->y.count * p->x.count * RING_LANES,
                        .scale = forward ? w->scale + g * RING_LANES : NULL,
                        .bias = w->bias + g * RING_LANES};
}

/* ---- forward ----------------------------------------------------------------------------------- */

/* Rows [row, row + rows) of an image's output to y. */
static void make_y(const Run *r, const Work *w, Ring *x, size_t image, int row, int rows, Real *y)
{
    const ptrdiff_t channels = w->channels;
    const Real *const *from = read_x(r, w, x, image, row, rows);
    for (int g = 0; g < w->groups; g++) {
        const RingWindow v = window_of(w, x, w->side.phases, from, rows, g);
        r->compute->real->ring->gather(&v, false, y + g * RING_LANES, w->a.x.out * channels,
                                       channels);
    }
}

static void forward_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    Room m = room_open(r, w, false, worker);
    for (int i = begin; i < end; i++) {
        m.x.filled = 0;
        for (int row = 0; row < w->a.y.out; row += w->band) {
            const int rows = w->a.y.out - row < w->band ? w->a.y.out - row : w->band;
            const size_t width = (size_t)w->a.x.out;
            const size_t first = (size_t)i * pixels_of(r->out[0]) + (size_t)row * width;
            Real *y = r->stream->place(r, first);
            y = y ? y : m.y;
            make_y(r, w, &m.x, (size_t)i, row, rows, y);
            r->stream->placed(r, chunk, worker, first, (size_t)rows * width, y);
        }
    }
}

void depthwise_ring_forward(const Run *r)
{
    const Work *w = work_start(r, false);
    if (r->stream->first) {
        Room m = room_open(r, w, false, 0);
        make_y(r, w, &m.x, 0, 0, 1, m.y);
        r->stream->first(r, m.y);
    }
    run_chunks(r, batch_of(r), forward_chunk);
}

/* ---- backward ---------------------------------------------------------------------------------- */

static RingGrad grad_of(const Run *r, const Work *w, size_t image, int row, int g)
{
    const size_t channels = (size_t)w->channels, mask_ld = MASK_ROW_BYTES(channels);
    const size_t pixel = image * pixels_of(r->out[0]) + (size_t)row * (size_t)w->a.x.out;
    const size_t ch = (size_t)g * RING_LANES;
    return (RingGrad){.dy = r->stream->dy + pixel * channels + ch,
                      .mask = r->stream->mask + pixel * mask_ld + ch / 8,
                      .ld = channels,
                      .mask_ld = mask_ld,
                      .pivot = w->pivot + ch,
                      .slope = r->stream->solve ? w->slope + ch : NULL,
                      .of_y = w->of_y + ch,
                      .shift = w->shift + ch};
}

/* sum and product += those of a band. */
static void sums_band(const Run *r, const Work *w, Room *m, size_t image, int row, int rows,
                      double *sum, double *product)
{
    const Real *const *from = read_x(r, w, &m->x, image, row, rows);
    for (int g = 0; g < w->groups; g++) {
        const RingWindow v = window_of(w, &m->x, w->side.phases, from, rows, g);
        const RingGrad d = grad_of(r, w, image, row, g);
        memset(m->two_sums, 0, 2 * RING_LANES * sizeof *m->two_sums);
        r->compute->real->ring->sums(&v, &d, m->two_sums, m->two_sums + RING_LANES);
        for (int ch = 0; ch < v.channels; ch++) {
            sum[g * RING_LANES + ch] += (double)m->two_sums[ch];
            product[g * RING_LANES + ch] += (double)m->two_sums[RING_LANES + ch];
        }
    }
}

static void sums_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    const size_t channels = (size_t)w->channels, at = (size_t)chunk * channels;
    Room m = room_open(r, w, true, worker);
    memset(w->sum + at, 0, channels * sizeof *w->sum);
    memset(w->product + at, 0, channels * sizeof *w->product);
    for (int i = begin; i < end; i++) {
        m.x.filled = 0;
        for (int row = 0; row < w->a.y.out; row += w->band) {
            const int rows = w->a.y.out - row < w->band ? w->a.y.out - row : w->band;
            sums_band(r, w, &m, (size_t)i, row, rows, w->sum + at, w->product + at);
        }
    }
}

static void solve(const Run *r, const Work *w)
{
    const size_t channels = (size_t)w->channels;
    fill_table(w, r->stream->pivot, w->pivot);
    fill_table(w, r->stream->slope, w->slope);
    fill_table(w, NULL, w->of_y);
    fill_table(w, NULL, w->shift);
    run_chunks(r, batch_of(r), sums_chunk);
    for (int chunk = 1; chunk < run_chunk_count(batch_of(r)); chunk++)
        for (size_t i = 0; i < channels; i++) {
            w->sum[i] += w->sum[(size_t)chunk * channels + i];
            w->product[i] += w->product[(size_t)chunk * channels + i];
        }
    r->stream->solve(r, w->sum, w->product, w->of_y, w->shift);
}

/* Rows [row, row + rows) of the output's gradient into their ring, and of them dW. */
static void dy_band(const Run *r, const Work *w, Room *m, size_t image, int row, int rows,
                    Real *sums, Real *totals)
{
    const RingKernels *k = r->compute->real->ring;
    const Real *const *from = read_x(r, w, &m->x, image, row, rows);
    Real *const *to = ring_slots(&m->dy, row, rows);
    for (int g = 0; g < w->groups; g++) {
        const RingWindow v = window_of(w, &m->x, w->side.phases, from, rows, g);
        const RingGrad d = grad_of(r, w, image, row, g);
        const ptrdiff_t offset = (ptrdiff_t)((size_t)g * ring_group(&m->dy));
        k->map(&v, &d, to, offset, totals + g * RING_LANES);
        if (sums)
            k->outer(&v, to, offset, sums + g * w->taps * RING_LANES);
    }
}

/* Rows [row, end) of all phases of the input's gradient. */
static void dx_band(const Run *r, const Work *w, const Room *m, size_t image, int row, int end)
{
    const GatherAxis *y = &w->back.y, *x = &w->back.x;
    const ptrdiff_t channels = w->channels, line = x->to * channels;
    Real *dx = r->in[0]->grad + image * pixels_of(r->in[0]) * (size_t)channels;
    const Real *const *from =
        ring_rows(&m->dy, row + y->lowest, end - row + y->highest - y->lowest);
    for (int g = 0; g < w->groups; g++)
        for (int i = 0; i < w->back.phase_count; i++) {
            const RingPhase *p = &w->back.phases[i];
            const int rows = (end < p->rows ? end : p->rows) - row;
            const RingWindow v = window_of(w, &m->dy, p, from, rows, g);
            Real *to = dx + (p->to_y + row * y->phases) * line + p->to_x * channels;
            r->compute->real->ring->gather(&v, r->accumulate[0], to + g * RING_LANES,
                                           y->phases * line, x->phases * channels);
        }
}

static void grad_image(const Run *r, const Work *w, Room *m, size_t image, Real *sums, Real *totals)
{
    const GatherAxis *back = &w->back.y;
    int done = 0; /* rows of a phase of dX */
    m->x.filled = 0;
    for (int row = 0; row < w->a.y.out; row += w->band) {
        const int rows = w->a.y.out - row < w->band ? w->a.y.out - row : w->band;
        const bool last = row + rows == w->a.y.out;
        int ready = last ? back->most : row + rows - back->highest;
        ready = ready < back->most ? ready : back->most;
        dy_band(r, w, m, image, row, rows, sums, totals);
        if (r->want[0] && ready > done) {
            dx_band(r, w, m, image, done, ready);
            done = ready;
        }
    }
}

static void grad_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    const size_t row = (size_t)w->groups * RING_LANES, numbers = (size_t)w->taps * row;
    Room m = room_open(r, w, true, worker);
    Real *sums = r->want[1] ? w->sums + (size_t)chunk * numbers : NULL;
    Real *totals = w->totals + (size_t)chunk * row;
    memset(totals, 0, row * sizeof *totals);
    if (sums)
        memset(sums, 0, numbers * sizeof *sums);
    for (int i = begin; i < end; i++)
        grad_image(r, w, &m, (size_t)i, sums, totals);
}

/* Leaves in the first chunk's place the sum of all, in their order. */
static Real *add_chunks(const Run *r, size_t n, Real *parts)
{
    for (int chunk = 1; chunk < run_chunk_count(batch_of(r)); chunk++)
        r->compute->real->add(n, parts + (size_t)chunk * n, parts);
    return parts;
}

/* In units of x's scale. */
static void give_weights(const Run *r, const Work *w)
{
    const size_t taps = (size_t)w->taps, channels = (size_t)w->channels;
    const Real *sums = add_chunks(r, (size_t)w->groups * taps * RING_LANES, w->sums);
    const Real unit = run_scale(r->in[0])[0];
    Real *dw = r->in[1]->grad;
    for (size_t t = 0; t < taps; t++)
        for (size_t ch = 0; ch < channels; ch++, dw++) {
            const size_t at = (ch / RING_LANES * taps + t) * RING_LANES;
            const Real d = unit * sums[at + ch % RING_LANES];
            *dw = r->accumulate[1] ? *dw + d : d;
        }
}

static void give_bias(const Run *r, const Work *w)
{
    const Real *totals = add_chunks(r, (size_t)w->groups * RING_LANES, w->totals);
    Real *db = r->in[2]->grad;
    for (int ch = 0; ch < w->channels; ch++)
        db[ch] = r->accumulate[2] ? db[ch] + totals[ch] : totals[ch];
}

void depthwise_ring_backward(const Run *r)
{
    const Work *w = work_start(r, true);
    if (r->stream->solve)
        solve(r, w);
    run_chunks(r, batch_of(r), grad_chunk);
    if (r->want[1])
        give_weights(r, w);
    if (r->want[2])
        give_bias(r, w);
}
