/* Gradients of a pointwise layer without its output: see pointwise.h.
 *
 * The gradient of y is dy = slope dz + of_y y + shift by channel, and y = W x is linear, so all that y
 * would be needed for follows from sums over pixels that are small where x has few channels:
 *
 *     sum dz y = <w, X^T dz>                  per output channel, w its weights
 *     dW       = slope X^T dz + of_y (X^T X) w + shift sum x
 *     dX       = dz (slope W) + X M + c       M = W^T diag(of_y) W,  c = W^T shift
 *
 * One sweep over dz makes the sums and the first term of dX; then of_y and shift are known, and a
 * sweep over x and dX, which are few channels, adds the other two. Derivation: ours; in y = W x a sum
 * over pixels commutes with W. SPDX-License-Identifier: Apache-2.0 */
#include "layers/pointwise.h"

#include "core/graph.h"

#include <string.h>

enum {
    BLOCK_REALS = 16 * 1024, /* of dz at a time: the second-level cache has them for all products */
    BLOCK_ROWS = 64,         /* but at least so many rows */
    LEAST_ROWS = 8192        /* below, y stays in a cache anyway */
};

/* Lies at the start of Run.shared during a call. */
typedef struct Work {
    int rows, in_c, out_c, block;
    int sum_ld, gram_ld;
    int32_t *x_row, *dz_row; /* [block] */
    Real *weights;           /* [out_c][in_c] */
    Real *back, *correction; /* packed: slope W, and M with c; see kernels_conv.h */
    Real *sums, *gram;       /* [chunks][in_c][sum_ld]: X^T dz; [chunks][in_c][gram_ld]: X^T X */
    Real *x_sums, *dz_sums;  /* [chunks][in_c], [chunks][out_c] */
    double *sum, *product;   /* [out_c]: of dz, of dz (y - pivot) */
    Real *of_y, *shift;      /* [out_c] */
} Work;

static int rows_of(const Run *r, const ConvShape *s)
{
    return r->in[0]->shape.dim[0] * s->pixels;
}

/* In picoseconds a pixel: two more integer products, X^T X and X M against 24 bytes a channel that
 * are not moved. */
bool pointwise_again(const Run *r, const ConvShape *s)
{
    const int64_t in = s->in_c, out = s->out_c;
    const bool plain = s->flat && r->node->inputs == 2 && r->in[0]->elem == ELEM_CODE;
    return plain && rows_of(r, s) >= LEAST_ROWS && 27 * in * in + 12 * in * out < 1000 * out;
}

static int round_up(int n, int to)
{
    return (n + to - 1) / to * to;
}

static size_t packed_bytes(const ConvKernels *k, int depth, int cols)
{
    return (size_t)round_up(cols, k->lanes) * (size_t)(1 + depth) * sizeof(Real);
}

static void work_layout(const Run *r, const ConvShape *s, Carve *c, Work *w)
{
    const ConvKernels *k = r->compute->conv;
    const size_t in = (size_t)s->in_c, out = (size_t)s->out_c, real = sizeof(Real);
    *w = (Work){.rows = rows_of(r, s), .in_c = s->in_c, .out_c = s->out_c};
    const size_t chunks = (size_t)run_chunk_count(w->rows);
    w->block = BLOCK_REALS / s->out_c > BLOCK_ROWS ? BLOCK_REALS / s->out_c : BLOCK_ROWS;
    w->sum_ld = round_up(s->out_c, k->lanes);
    w->gram_ld = round_up(s->in_c, k->lanes);
    w->x_row = carve(c, (size_t)w->block * sizeof *w->x_row);
    w->dz_row = carve(c, (size_t)w->block * sizeof *w->dz_row);
    w->weights = carve(c, in * out * real);
    w->back = carve(c, packed_bytes(k, s->out_c, s->in_c));
    w->correction = carve(c, packed_bytes(k, s->in_c, s->in_c));
    w->sums = carve(c, chunks * in * (size_t)w->sum_ld * real);
    w->gram = carve(c, chunks * in * (size_t)w->gram_ld * real);
    w->x_sums = carve(c, chunks * in * real);
    w->dz_sums = carve(c, chunks * out * real);
    w->sum = carve(c, out * sizeof *w->sum);
    w->product = carve(c, out * sizeof *w->product);
    w->of_y = carve(c, out * real);
    w->shift = carve(c, out * real);
}

void pointwise_needs(const Run *r, const ConvShape *shape, Needs *needs)
{
    Work w;
    Carve c = {.used = 0};
    carve(&c, sizeof w);
    work_layout(r, shape, &c, &w);
    const size_t worker = (size_t)w.block * (size_t)(round_up(w.in_c, 16) + w.out_c) * sizeof(Real);
    needs->shared = c.used > needs->shared ? c.used : needs->shared;
    needs->worker = worker > needs->worker ? worker : needs->worker;
}

/* ---- before ------------------------------------------------------------------------------------ */

/* Element (row, col) of a packed matrix of `depth` rows and `cols` columns; row -1 is the bias. */
static Real *packed_at(const ConvKernels *k, Real *packed, int depth, int cols, int row, int col)
{
    const int panel = col / (2 * k->lanes), width = conv_panel_width(k, cols, panel);
    return packed + conv_panel_offset(k, depth, panel) + (size_t)(1 + row) * (size_t)width +
           (size_t)(col % (2 * k->lanes));
}

static void read_weights(const Run *r, const Work *w)
{
    const Tensor *t = r->in[1];
    const Real *scale = run_scale(t);
    const bool per_output = shape_count(t->scale->shape) > 1;
    const size_t in = (size_t)w->in_c;
    for (size_t o = 0; o < (size_t)w->out_c; o++)
        r->compute->real->dequantize(in, (const int8_t *)t->data + o * in,
                                     scale[per_output ? o : 0], 0, w->weights + o * in);
}

static Work *work_start(const Run *r, const ConvShape *shape)
{
    const ConvKernels *k = r->compute->conv;
    Carve c = {.base = r->shared};
    Work *w = carve(&c, sizeof *w);
    work_layout(r, shape, &c, w);
    for (int i = 0; i < w->block; i++) {
        w->x_row[i] = i * w->in_c;
        w->dz_row[i] = i * w->out_c;
    }
    read_weights(r, w);
    memset(w->back, 0, packed_bytes(k, w->out_c, w->in_c));
    for (int o = 0; o < w->out_c; o++)
        for (int i = 0; i < w->in_c; i++)
            *packed_at(k, w->back, w->out_c, w->in_c, o, i) =
                r->stream->slope[o] * w->weights[(size_t)o * (size_t)w->in_c + (size_t)i];
    return w;
}

/* ---- the sweeps -------------------------------------------------------------------------------- */

static void multiply(const Run *r, const Work *w, const Real *x, const int32_t *x_row, int depth,
                     Real *packed, int first, int rows, bool accumulate)
{
    static const int32_t zero = 0;
    const ConvKernels *k = r->compute->conv;
    for (int panel = 0; panel < conv_panel_count(k, w->in_c); panel++) {
        const int col = panel * 2 * k->lanes, left = w->in_c - col;
        k->multiply(
            &(ConvMultiply){.x = x,
                            .x_row = x_row,
                            .run_x = &zero,
                            .run_w = &zero,
                            .runs = 1,
                            .length = depth,
                            .panel = packed + conv_panel_offset(k, depth, panel),
                            .y = r->in[0]->grad + (size_t)first * (size_t)w->in_c + (size_t)col,
                            .y_row = w->x_row,
                            .rows = rows,
                            .cols = left < 2 * k->lanes ? left : 2 * k->lanes,
                            .accumulate = accumulate});
    }
}

/* sum += X^T d, d having cols columns. */
static void outer(const Run *r, const Work *w, const Real *x, const Real *d, int cols, int rows,
                  Real *sum, int sum_ld)
{
    static const int32_t zero = 0;
    r->compute->conv->outer(&(ConvOuter){.x = x,
                                         .x_row = w->x_row,
                                         .run_x = &zero,
                                         .runs = 1,
                                         .length = w->in_c,
                                         .dy = d,
                                         .dy_ld = cols,
                                         .rows = rows,
                                         .cols = cols,
                                         .sum = sum,
                                         .sum_ld = sum_ld});
}

static void read_x(const Run *r, const Work *w, int first, int rows, Real *x)
{
    const Tensor *t = r->in[0];
    const size_t in = (size_t)w->in_c;
    r->compute->real->dequantize((size_t)rows * in, (const int8_t *)t->data + (size_t)first * in,
                                 run_scale(t)[0], run_zero_point(t), x);
}

static void sums_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    const Work *w = r->shared;
    const ConvKernels *k = r->compute->conv;
    const size_t in = (size_t)w->in_c, out = (size_t)w->out_c, at = (size_t)chunk;
    Real *x = run_worker(r, worker), *dz = x + (size_t)w->block * (size_t)round_up(w->in_c, 16);
    Real *sums = w->sums + at * in * (size_t)w->sum_ld;
    Real *gram = w->gram + at * in * (size_t)w->gram_ld;
    memset(sums, 0, in * (size_t)w->sum_ld * sizeof *sums);
    memset(gram, 0, in * (size_t)w->gram_ld * sizeof *gram);
    memset(w->x_sums + at * in, 0, in * sizeof *x);
    memset(w->dz_sums + at * out, 0, out * sizeof *dz);
    for (int row = begin; row < end; row += w->block) {
        const int rows = end - row < w->block ? end - row : w->block;
        r->stream->gradient(r, (size_t)row, (size_t)rows, 0, w->out_c, dz, NULL);
        read_x(r, w, row, rows, x);
        outer(r, w, x, dz, w->out_c, rows, sums, w->sum_ld);
        outer(r, w, x, x, w->in_c, rows, gram, w->gram_ld);
        k->column_sums((size_t)rows, w->in_c, x, w->x_sums + at * in);
        k->column_sums((size_t)rows, w->out_c, dz, w->dz_sums + at * out);
        if (r->want[0])
            multiply(r, w, dz, w->dz_row, w->out_c, w->back, row, rows, r->accumulate[0]);
    }
}

static void correct_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    Real *x = run_worker(r, worker);
    for (int row = begin; row < end; row += w->block) {
        const int rows = end - row < w->block ? end - row : w->block;
        read_x(r, w, row, rows, x);
        multiply(r, w, x, w->x_row, w->in_c, w->correction, row, rows, true);
    }
}

/* ---- between ----------------------------------------------------------------------------------- */

/* Adds the parts of the chunks to the first one's, in their order. */
static void add_chunks(const Run *r, const Work *w, size_t n, Real *parts)
{
    for (int chunk = 1; chunk < run_chunk_count(w->rows); chunk++)
        r->compute->real->add(n, parts + (size_t)chunk * n, parts);
}

static void solve(const Run *r, const Work *w)
{
    const size_t in = (size_t)w->in_c, out = (size_t)w->out_c, ld = (size_t)w->sum_ld;
    add_chunks(r, w, in * ld, w->sums);
    add_chunks(r, w, in * (size_t)w->gram_ld, w->gram);
    add_chunks(r, w, in, w->x_sums);
    add_chunks(r, w, out, w->dz_sums);
    for (size_t o = 0; o < out; o++) {
        double product = 0;
        for (size_t i = 0; i < in; i++)
            product += (double)w->weights[o * in + i] * (double)w->sums[i * ld + o];
        w->sum[o] = (double)w->dz_sums[o];
        w->product[o] = product - (double)r->stream->pivot[o] * w->sum[o];
    }
    r->stream->solve(r, w->sum, w->product, w->of_y, w->shift);
}

/* dW of the outputs [begin, end). */
static void weights_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const size_t in = (size_t)w->in_c;
    for (size_t o = (size_t)begin; o < (size_t)end; o++) {
        const Real *weights = w->weights + o * in;
        Real *dw = r->in[1]->grad + o * in;
        for (size_t i = 0; i < in; i++) {
            double of_y = 0;
            for (size_t j = 0; j < in; j++)
                of_y += (double)w->gram[i * (size_t)w->gram_ld + j] * (double)weights[j];
            const double d =
                (double)r->stream->slope[o] * (double)w->sums[i * (size_t)w->sum_ld + o] +
                (double)w->of_y[o] * of_y + (double)w->shift[o] * (double)w->x_sums[i];
            dw[i] = (Real)(r->accumulate[1] ? (double)dw[i] + d : d);
        }
    }
}

/* Rows [begin, end) of M; with the first one c. */
static void correction_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const ConvKernels *k = r->compute->conv;
    const size_t in = (size_t)w->in_c;
    for (int i = begin == 0 ? -1 : begin; i < end; i++)
        for (int j = 0; j < w->in_c; j++) {
            double sum = 0;
            for (size_t o = 0; o < (size_t)w->out_c; o++) {
                const Real *weights = w->weights + o * in;
                const double factor =
                    i < 0 ? (double)w->shift[o] : (double)w->of_y[o] * (double)weights[i];
                sum += factor * (double)weights[j];
            }
            *packed_at(k, w->correction, w->in_c, w->in_c, i, j) = (Real)sum;
        }
}

static bool any(const Real *v, int n)
{
    for (int i = 0; i < n; i++)
        if (v[i] != 0) /* a NaN counts */
            return true;
    return false;
}

void pointwise_backward(const Run *r, const ConvShape *shape)
{
    const Work *w = work_start(r, shape);
    run_chunks(r, w->rows, sums_chunk);
    solve(r, w);
    if (r->want[1])
        run_chunks(r, w->out_c, weights_chunk);
    if (!r->want[0] || !(any(w->of_y, w->out_c) || any(w->shift, w->out_c)))
        return;
    memset(w->correction, 0, packed_bytes(r->compute->conv, w->in_c, w->in_c));
    run_chunks(r, w->in_c, correction_chunk);
    run_chunks(r, w->rows, correct_chunk);
}
