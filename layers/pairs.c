/* Backward products on 16-bit numbers: see pairs.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/pairs.h"

#include "core/graph.h"

#include <math.h>
#include <string.h>

/* Of an element of dY in dX and dW; below, rounding costs what the products save. */
enum { LEAST_PRODUCTS = 32 };
/* Rows of half a flat piece that are rounded at a time. */
enum { TAKEN_ROWS = 16 };

/* Below, all numbers of a piece count as zeros: their reciprocals would overflow. */
static const Real LEAST_PEAK = (Real)1e-30;

static const PairKernels *kernels_of(const Run *r)
{
    switch (r->mode->backward) {
    case BACKWARD_BF16:
        return r->compute->bf16;
    case BACKWARD_INT16:
        return r->compute->int16;
    default:
        return NULL;
    }
}

/* ---- memory ------------------------------------------------------------------------------------ */

static int taps_of(const ConvShape *s)
{
    return s->y.kernel * s->x.kernel;
}

/* Of a row of dY. */
static size_t pixels_of(const Pairs *p)
{
    return (size_t)(p->forward.flat ? 1 : p->forward.x.most);
}

bool pairs_apply(const Run *r, const ConvShape *s)
{
    const bool codes = r->in[0]->elem == ELEM_CODE && r->in[1]->elem == ELEM_CODE;
    const int products = taps_of(s) * s->in_c * (r->want[0] ? 2 : 1);
    return codes && kernels_of(r) && products >= LEAST_PRODUCTS &&
           (!r->want[0] || s->out_c % 2 == 0);
}

/* Half the rows of an image or piece. */
static int half_of(int rows)
{
    return (rows + 1) / 2;
}

void pairs_layout(const Run *r, const ConvShape *s, int ld, Carve *c, Pairs *p)
{
    *p = (Pairs){.kernels = kernels_of(r),
                 .half = *s,
                 .halves = *s,
                 .out_c = s->out_c,
                 .ld = ld,
                 .want_dx = r->want[0],
                 .want_dw = r->want[1],
                 .depth = taps_of(s) * s->out_c / 2,
                 .cols = s->in_c};
    if (!s->flat)
        p->half.y.out = half_of(s->y.out);
    p->halves.out_c = s->out_c / 2;
    gather_init(&p->forward, &p->half, false, true, c);
    if (!p->want_dx)
        return;
    gather_init(&p->back, &p->halves, true, true, c);
    const size_t lanes = (size_t)p->kernels->lanes;
    const size_t width = ((size_t)p->cols + lanes - 1) / lanes * lanes;
    p->packed = carve(c, width * (size_t)(1 + p->depth) * sizeof *p->packed);
}

/* Rows of the whole tile of dY, for so many rows of dX. */
static int dy_rows(const Gather *g, int rows_in)
{
    const int rows = g->flat ? rows_in : g->y.most;
    return (rows - 1) * g->y.step + g->y.highest - g->y.lowest + 1;
}

void pairs_room_dx(const Pairs *p, int rows_out, Carve *c, PairPiece *piece)
{
    const Gather *g = &p->back;
    piece->dx_factors = carve(c, (size_t)p->ld * sizeof *piece->dx_factors);
    piece->dw_factors = carve(c, (size_t)p->ld * sizeof *piece->dw_factors);
    piece->peaks = carve(c, (size_t)p->ld * sizeof *piece->peaks);
    if (p->want_dx)
        piece->dx = carve(c, (size_t)dy_rows(g, rows_out) * (size_t)g->width * (size_t)g->from_c *
                                 sizeof *piece->dx);
}

void pairs_room_dw(const Pairs *p, int rows_out, Carve *c, PairPiece *piece)
{
    const size_t ld = (size_t)p->ld, pixels = (size_t)half_of(rows_out) * pixels_of(p);
    if (!p->want_dw)
        return;
    piece->dw_scales = carve(c, ld * sizeof *piece->dw_scales);
    piece->dw = carve(c, pixels * ld * sizeof *piece->dw);
}

size_t pairs_tile(const Pairs *p)
{
    return p->forward.tile;
}

/* ---- weights ----------------------------------------------------------------------------------- */

/* Row place * out_c / 2 + o / 2, column c: w[o][tap][c] and w[o + 1][tap][c], see gather_tap. */
void pairs_pack(const Run *r, const Pairs *p, int panel)
{
    const PairKernels *k = p->kernels;
    const int first = panel * 2 * k->lanes, width = pair_panel_width(k, p->cols, panel);
    const int cols = p->cols - first < width ? p->cols - first : width, taps = taps_of(&p->half);
    const size_t in_c = (size_t)p->cols, filter = (size_t)taps * in_c;
    uint32_t *to = p->packed + pair_panel_offset(k, p->depth, panel);
    memset(to, 0, (size_t)width * sizeof *to);
    to += width;
    for (int t = 0; t < taps; t++) {
        const size_t from = (size_t)gather_tap(&p->back, t) * in_c + (size_t)first;
        const int8_t *w = (const int8_t *)r->in[1]->data + from;
        for (int o = 0; o < p->out_c; o += 2, w += 2 * filter, to += width) {
            k->codes((size_t)cols, w, w + filter, 0, to);
            memset(to + cols, 0, (size_t)(width - cols) * sizeof *to);
        }
    }
}

/* ---- rounding ---------------------------------------------------------------------------------- */

/* Columns of a row of the tile: zeros, n pixels of the source from `skip` on, zeros. */
typedef struct Span {
    int left, skip, n, right;
} Span;

static Span span_of(const Gather *g)
{
    Span s = {.left = g->x.lowest < 0 ? -g->x.lowest : 0,
              .skip = g->x.lowest > 0 ? g->x.lowest : 0};
    s.left = s.left < g->width ? s.left : g->width;
    const int room = g->width - s.left, have = g->x.from - s.skip;
    s.n = have < 0 ? 0 : room < have ? room : have;
    s.right = room - s.n;
    return s;
}

static Real scale_of(const Tensor *weights, int o)
{
    return run_scale(weights)[shape_count(weights->scale->shape) > 1 ? o : 0];
}

/* What to multiply by, so that `peak` becomes `most`; *back undoes it. A peak that is not finite makes
 * the products so too. */
static Real factor_of(Real peak, Real most, Real *back)
{
    const bool usable = peak > LEAST_PEAK && isfinite(peak);
    *back = usable ? peak / most : peak > LEAST_PEAK || isnan(peak) ? (Real)NAN : 0;
    return usable ? most / peak : 0;
}

static void dw_factors(const Run *r, const Pairs *p, PairPiece *piece)
{
    const Real s_x = run_scale(r->in[0])[0];
    for (int o = 0; o < p->ld; o++) {
        Real back = 1;
        piece->dw_factors[o] = 1;
        if (p->kernels->scaled)
            piece->dw_factors[o] = factor_of(piece->peaks[o], PAIR_MOST, &back);
        piece->dw_scales[o] = s_x * back;
    }
}

static void dx_factors(const Run *r, const Pairs *p, PairPiece *piece)
{
    Real common = 1, peak = 0;
    piece->dx_scale = 1;
    if (p->kernels->scaled) {
        for (int o = 0; o < p->out_c; o++) {
            const Real v = piece->peaks[o] * scale_of(r->in[1], o);
            if (!(v <= peak)) /* a NaN stays */
                peak = isnan(peak) ? peak : v;
        }
        const int32_t most = pair_limit(2 * (int64_t)p->depth, 127);
        common = factor_of(peak, (Real)most, &piece->dx_scale);
    }
    for (int o = 0; o < p->out_c; o++)
        piece->dx_factors[o] = common * scale_of(r->in[1], o);
}

/* Rows [row, row + count) of dY of a piece; beside them zeros. */
static void take_dx(const Pairs *p, PairRows rows, int row, int count, const Real *dy,
                    const PairPiece *piece)
{
    const Gather *g = &p->back;
    const size_t c = (size_t)g->from_c, width = (size_t)g->width;
    const int height = dy_rows(g, rows.in);
    if (g->flat) {
        const size_t at = (size_t)row * c;
        p->kernels->narrow((size_t)count, p->out_c, dy + 2 * at, piece->dx_factors, piece->dx + at);
        return;
    }
    const Span s = span_of(g);
    for (int y = row; y < row + count; y++) {
        if (y < g->y.lowest || y - g->y.lowest >= height)
            continue;
        uint32_t *to = piece->dx + (size_t)(y - g->y.lowest) * width * c;
        memset(to, 0, (size_t)s.left * c * sizeof *to);
        p->kernels->narrow((size_t)s.n, p->out_c,
                           dy + ((size_t)y * (size_t)g->x.from + (size_t)s.skip) * 2 * c,
                           piece->dx_factors, to + (size_t)s.left * c);
        memset(to + (size_t)(s.left + s.n) * c, 0, (size_t)s.right * c * sizeof *to);
    }
}

/* The rows of the tile above and below dY. */
static void clear_border(const Pairs *p, PairRows rows, const PairPiece *piece)
{
    const Gather *g = &p->back;
    const size_t row = (size_t)g->width * (size_t)g->from_c;
    const int height = dy_rows(g, rows.in);
    for (int t = 0; t < height && !g->flat; t++)
        if (t + g->y.lowest < 0 || t + g->y.lowest >= rows.out)
            memset(piece->dx + (size_t)t * row, 0, row * sizeof *piece->dx);
}

/* dY of a piece in pairs, from column `col` on, a multiple of PAIR_PANEL. */
static PairPanels dw_panels(const Pairs *p, PairRows rows, const PairPiece *piece, int col)
{
    const size_t half = (size_t)half_of(rows.out) * pixels_of(p);
    return (PairPanels){piece->dw + (size_t)col * half, half, p->ld - col};
}

/* `count` rows of the upper half from `row` on with those of the lower half, of which the last may be
 * missing. */
static void take_dw(const Pairs *p, PairRows rows, int row, int count, const Real *dy,
                    const PairPiece *piece)
{
    const PairPanels to = dw_panels(p, rows, piece, 0);
    const int half = half_of(rows.out), left = rows.out - half - row;
    const size_t width = pixels_of(p), n = (size_t)p->out_c, at = (size_t)row * width;
    const size_t all = (size_t)count * width, both = left < count ? (size_t)left * width : all;
    const Real *a = dy + at * n;
    p->kernels->interleave(both, p->out_c, a, a + to.rows * n, piece->dw_factors, &to, at);
    p->kernels->interleave(all - both, p->out_c, a + both * n, NULL, piece->dw_factors, &to,
                           at + both);
}

/* A few rows of both halves at a time, for both products while the first-level cache has them. */
void pairs_take(const Run *r, const Pairs *p, PairRows rows, const Real *dy, PairPiece *piece)
{
    const int half = half_of(rows.out), step = p->forward.flat ? TAKEN_ROWS : 1;
    if (p->want_dx) {
        dx_factors(r, p, piece);
        clear_border(p, rows, piece);
    }
    if (p->want_dw)
        dw_factors(r, p, piece);
    for (int row = 0; row < half; row += step) {
        const int count = half - row < step ? half - row : step, left = rows.out - half - row;
        if (p->want_dx) {
            take_dx(p, rows, row, count, dy, piece);
            take_dx(p, rows, row + half, left < count ? left : count, dy, piece);
        }
        if (p->want_dw)
            take_dw(p, rows, row, count, dy, piece);
    }
}

/* ---- the gradient of the weights --------------------------------------------------------------- */

/* Codes of n channels of a row: of the upper half, of the lower half. Outside, NULL. */
static void fill_row(const Run *r, const Pairs *p, Span s, const int8_t *a, const int8_t *b,
                     uint32_t *to)
{
    const size_t c = (size_t)p->forward.from_c, skip = (size_t)s.skip * c;
    memset(to, 0, (size_t)s.left * c * sizeof *to);
    p->kernels->codes((size_t)s.n * c, a ? a + skip : NULL, b ? b + skip : NULL,
                      run_zero_point(r->in[0]), to + (size_t)s.left * c);
    memset(to + (size_t)(s.left + s.n) * c, 0, (size_t)s.right * c * sizeof *to);
}

/* The tile under rows [first, first + rows) of the upper half and those of the lower half. */
static void fill_tile(const Run *r, const Pairs *p, PairRows image, int first, int rows,
                      uint32_t *tile)
{
    const Gather *g = &p->forward;
    const int8_t *x = (const int8_t *)r->in[0]->data + image.from;
    const size_t row = (size_t)g->x.from * (size_t)g->from_c;
    const int half = half_of(image.out) * g->y.step;
    const int top = first * g->y.step + g->y.lowest;
    const int height = (rows - 1) * g->y.step + g->y.highest - g->y.lowest + 1;
    const Span s = span_of(g);
    if (g->flat) {
        const int both = image.in - half - first < rows ? image.in - half - first : rows;
        const size_t n = (size_t)both * row, at = (size_t)first * row;
        p->kernels->codes(n, x + at, x + at + (size_t)half * row, run_zero_point(r->in[0]), tile);
        p->kernels->codes((size_t)(rows - both) * row, x + at + n, NULL, run_zero_point(r->in[0]),
                          tile + n);
        return;
    }
    for (int y = top; y < top + height; y++, tile += (size_t)g->width * (size_t)g->from_c) {
        const bool upper = y >= 0 && y < image.in, lower = y + half >= 0 && y + half < image.in;
        fill_row(r, p, s, upper ? x + (size_t)y * row : NULL,
                 lower ? x + (size_t)(y + half) * row : NULL, tile);
    }
}

/* Pairs of pixels [first, first + count) of a piece, x_row being their windows. */
static void outer(const Pairs *p, PairOuter m, int first, int count)
{
    const int parts = (count + PAIR_ROWS - 1) / PAIR_ROWS;
    m.sum_ld = p->ld;
    m.dy_row = (size_t)first;
    for (int i = 0; i < parts; i++) {
        m.rows = (count + parts - i - 1) / (parts - i);
        p->kernels->outer(&m);
        m.x_row += m.rows;
        m.dy_row += (size_t)m.rows;
        m.accumulate = true;
        count -= m.rows;
    }
}

void pairs_weights(const Run *r, const Pairs *p, PairRows rows, const PairPiece *piece,
                   bool accumulate, Real *sums, uint32_t *tile)
{
    const Gather *g = &p->forward;
    const Phase *phase = &g->phases[0];
    const int half = half_of(rows.out);
    for (int row = 0; row < half; row += g->block_rows) {
        const int here = half - row < g->block_rows ? half - row : g->block_rows;
        fill_tile(r, p, rows, row, here, tile);
        outer(p,
              (PairOuter){.x = tile,
                          .x_row = phase->x_row,
                          .run_x = phase->run_x,
                          .runs = phase->runs,
                          .length = g->length,
                          .dy = dw_panels(p, rows, piece, 0),
                          .scale = piece->dw_scales,
                          .sum = sums,
                          .accumulate = accumulate || row > 0},
              row * phase->cols, here * phase->cols);
    }
}

void pairs_slice(const Run *r, const Pairs *p, PairRows rows, const PairPiece *piece, Slice s,
                 bool accumulate, Real *sums, uint32_t *tile)
{
    static const int32_t zero = 0;
    const Gather *g = &p->forward;
    const int half = half_of(rows.out);
    PairPanels dy = dw_panels(p, rows, piece, s.from_o);
    const size_t in_c = (size_t)g->from_c;
    const int8_t *x = (const int8_t *)r->in[0]->data + rows.from + s.from_k;
    dy.cols = s.from_o + s.outputs < p->out_c ? s.outputs : dy.cols;
    for (int row = 0; row < half; row += g->block_rows) {
        const int here = half - row < g->block_rows ? half - row : g->block_rows;
        for (int i = row; i < row + here; i++)
            p->kernels->codes((size_t)s.inputs, x + (size_t)i * in_c,
                              i + half < rows.in ? x + (size_t)(i + half) * in_c : NULL,
                              run_zero_point(r->in[0]), tile + (size_t)(i - row) * in_c);
        outer(p,
              (PairOuter){.x = tile,
                          .x_row = g->phases[0].x_row,
                          .run_x = &zero,
                          .runs = 1,
                          .length = s.inputs,
                          .dy = dy,
                          .scale = piece->dw_scales + s.from_o,
                          .sum = sums,
                          .accumulate = accumulate || row > 0},
              row, here);
    }
}

/* ---- the gradient of the input ----------------------------------------------------------------- */

/* All panels of a phase of a block. */
static void multiply(const Run *r, const Pairs *p, PairMultiply m, const Phase *phase)
{
    const PairKernels *k = p->kernels;
    Real *y = m.y;
    m.x_row = phase->x_row;
    m.run_x = phase->run_x;
    m.run_w = phase->run_w;
    m.runs = phase->runs;
    m.y_row = phase->y_row;
    m.rows *= phase->cols;
    m.accumulate = r->accumulate[0];
    for (int panel = 0; panel < pair_panel_count(k, p->cols); panel++) {
        const int first = panel * 2 * k->lanes, left = p->cols - first;
        m.panel = p->packed + pair_panel_offset(k, p->depth, panel);
        m.y = y + first;
        m.cols = left < 2 * k->lanes ? left : 2 * k->lanes;
        k->multiply(&m);
    }
}

void pairs_input(const Run *r, const Pairs *p, PairRows rows, const PairPiece *piece)
{
    const Gather *g = &p->back;
    const size_t stride = (size_t)g->y.axis->stride, to_row = (size_t)g->x.to * (size_t)g->to_c;
    const size_t from_row = (size_t)g->y.step * (size_t)g->width * (size_t)g->from_c;
    const int last = g->flat ? rows.in : g->y.most;
    Real *dx = r->in[0]->grad + rows.from;
    for (int first = 0; first < last; first += g->block_rows)
        for (int i = 0; i < g->phase_count; i++) {
            const Phase *phase = &g->phases[i];
            const int here = gather_rows(g, phase, rows.in, first);
            if (here <= 0 || (phase->runs == 0 && r->accumulate[0]))
                continue;
            multiply(r, p,
                     (PairMultiply){.x = piece->dx + (size_t)first * from_row,
                                    .length = g->length,
                                    .taps = g->length / g->from_c,
                                    .scale = piece->dx_scale,
                                    .y = dx + (size_t)first * stride * to_row,
                                    .rows = here},
                     phase);
        }
}
