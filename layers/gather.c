/* Index lists, tiles and blocks: see gather.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/gather.h"

#include <string.h>

enum {
    BLOCK_REALS = 10 * 1024, /* a block's source and destination: most of a first-level cache */
    BLOCK_PIXELS = 96        /* but at least so many: blocks have costs of their own */
};

void *carve(Carve *c, size_t bytes)
{
    void *p = c->base ? c->base + c->used : NULL;
    c->used += (bytes + 63) / 64 * 64;
    return p;
}

/* floor(a / b), b > 0. */
static int floor_div(int a, int b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

int gather_offset(const GatherAxis *a, int t)
{
    const int reach = t * a->axis->dilation - a->axis->before;
    return a->back ? -floor_div(reach, a->axis->stride) : reach;
}

int gather_phase(const GatherAxis *a, int t)
{
    const int reach = t * a->axis->dilation - a->axis->before;
    return a->back ? reach - a->axis->stride * floor_div(reach, a->axis->stride) : 0;
}

GatherAxis gather_axis(const Axis *axis, bool back)
{
    GatherAxis a = {.axis = axis,
                    .back = back,
                    .from = back ? axis->out : axis->in,
                    .to = back ? axis->in : axis->out,
                    .phases = back ? axis->stride : 1,
                    .step = back ? 1 : axis->stride};
    const int first = gather_offset(&a, 0), last = gather_offset(&a, axis->kernel - 1);
    a.lowest = back ? last : first;
    a.highest = back ? first : last;
    a.most = (a.to + a.phases - 1) / a.phases;
    a.phases = a.phases < a.to ? a.phases : a.to;
    return a;
}

/* True when no window leaves the source. */
static bool axis_inside(const GatherAxis *a)
{
    return a->lowest >= 0 && (a->most - 1) * a->step + a->highest < a->from;
}

static int block_rows(const Gather *g)
{
    const int row = g->y.step * g->width * g->from_c + g->x.most * g->to_c;
    const int least = (BLOCK_PIXELS + g->x.most - 1) / g->x.most;
    int rows = BLOCK_REALS / row;
    rows = rows > least ? rows : least;
    return g->flat || rows < g->y.most ? rows : g->y.most;
}

int gather_tap(const Gather *g, int place)
{
    const int kernel = g->x.axis->kernel, kx = place % kernel;
    return g->reversed ? place - kx + kernel - 1 - kx : place;
}

/* The taps of a phase as runs; a run holds a row of taps when they lie side by side. */
static void fill_runs(const Gather *g, Phase *p, int phase_y, int phase_x)
{
    const Axis *y = g->y.axis, *x = g->x.axis;
    const int taps_per_run = g->length / g->from_c;
    p->runs = 0;
    for (int ky = 0; ky < y->kernel; ky++)
        for (int kx = 0; kx < x->kernel; kx += taps_per_run) {
            if (gather_phase(&g->y, ky) != phase_y || gather_phase(&g->x, kx) != phase_x)
                continue;
            const int row = gather_offset(&g->y, ky) - g->y.lowest;
            const int col = gather_offset(&g->x, gather_tap(g, kx)) - g->x.lowest;
            p->run_x[p->runs] = (row * g->width + col) * g->from_c;
            p->run_w[p->runs++] = (ky * x->kernel + kx) * g->from_c;
        }
}

static void fill_rows(const Gather *g, Phase *p)
{
    const int stride_y = g->y.back ? g->y.axis->stride : 1;
    const int stride_x = g->x.back ? g->x.axis->stride : 1;
    for (int j = 0, at = 0; j < g->block_rows; j++)
        for (int i = 0; i < p->cols; i++, at++) {
            p->x_row[at] = (j * g->y.step * g->width + i * g->x.step) * g->from_c;
            p->y_row[at] = ((p->to_y + j * stride_y) * g->x.to + p->to_x + i * stride_x) * g->to_c;
        }
}

static void place_phase(Gather *g, int phase_y, int phase_x, int32_t **runs, Carve *c)
{
    Phase p = {.to_y = phase_y, .to_x = phase_x};
    p.rows = (g->y.to - phase_y + g->y.phases - 1) / g->y.phases;
    p.cols = (g->x.to - phase_x + g->x.phases - 1) / g->x.phases;
    const size_t pixels = (size_t)g->block_rows * (size_t)p.cols;
    p.x_row = carve(c, pixels * sizeof *p.x_row);
    p.y_row = carve(c, pixels * sizeof *p.y_row);
    if (!c->base)
        return;
    p.run_x = runs[0];
    p.run_w = runs[1];
    fill_runs(g, &p, phase_y, phase_x);
    fill_rows(g, &p);
    runs[0] += p.runs;
    runs[1] += p.runs;
    g->phases[phase_y * g->x.phases + phase_x] = p;
}

/* How a source is read: which windows, through which tile, in blocks of how many rows. */
static void plan_windows(Gather *g, const ConvShape *shape, bool codes)
{
    const bool rows = shape->x.dilation == 1 && (!g->x.back || shape->x.stride == 1);
    g->reversed = g->x.back && rows;
    g->length = g->from_c * (rows ? shape->x.kernel : 1);
    g->direct = !codes && (shape->flat || (axis_inside(&g->y) && axis_inside(&g->x)));
    g->width = g->direct ? g->x.from : (g->x.most - 1) * g->x.step + g->x.highest - g->x.lowest + 1;
    g->block_rows = block_rows(g);
    const int tile_rows = (g->block_rows - 1) * g->y.step + g->y.highest - g->y.lowest + 1;
    g->tile = g->direct ? 0 : (size_t)tile_rows * (size_t)g->width * (size_t)g->from_c;
}

void gather_init(Gather *g, const ConvShape *shape, bool back, bool codes, Carve *c)
{
    *g = (Gather){.y = gather_axis(&shape->y, back),
                  .x = gather_axis(&shape->x, back),
                  .from_c = back ? shape->out_c : shape->in_c,
                  .to_c = back ? shape->in_c : shape->out_c,
                  .flat = shape->flat};
    plan_windows(g, shape, codes);
    g->phase_count = g->y.phases * g->x.phases;
    g->phases = carve(c, (size_t)g->phase_count * sizeof *g->phases);
    const size_t taps = (size_t)shape->y.kernel * (size_t)shape->x.kernel;
    int32_t *runs[2];
    runs[0] = carve(c, taps * sizeof *runs[0]);
    runs[1] = carve(c, taps * sizeof *runs[1]);
    for (int a = 0; a < g->y.phases; a++)
        for (int b = 0; b < g->x.phases; b++)
            place_phase(g, a, b, runs, c);
}

/* n elements of the source from element `from` on, as reals. */
static void read_source(const Compute *compute, const Tensor *source, const Real *reals,
                        size_t from, size_t n, Real *to)
{
    if (reals)
        memcpy(to, reals + from, n * sizeof *to);
    else
        compute->real->dequantize(n, (const int8_t *)source->data + from, run_scale(source)[0],
                                  run_zero_point(source), to);
}

/* One row of the tile: source row y, columns from g->x.lowest on, zeros outside. */
static void fill_row(const Gather *g, const Compute *compute, const Tensor *source,
                     const Real *reals, size_t row_start, bool inside, Real *to)
{
    const size_t c = (size_t)g->from_c;
    const int left = inside ? (g->x.lowest < 0 ? -g->x.lowest : 0) : g->width;
    const int skip = g->x.lowest > 0 ? g->x.lowest : 0;
    const int room = g->width - left, have = g->x.from - skip;
    const int n = room < have ? room : have;
    if (left >= g->width || n <= 0) {
        memset(to, 0, (size_t)g->width * c * sizeof *to);
        return;
    }
    memset(to, 0, (size_t)left * c * sizeof *to);
    read_source(compute, source, reals, row_start + (size_t)skip * c, (size_t)n * c,
                to + (size_t)left * c);
    memset(to + (size_t)(left + n) * c, 0, (size_t)(room - n) * c * sizeof *to);
}

Block gather_block(const Gather *g, const Compute *compute, const Tensor *source, const Real *reals,
                   size_t start, int image_rows, int first, Real *tile)
{
    const size_t row = (size_t)g->x.from * (size_t)g->from_c;
    const int top = first * g->y.step + g->y.lowest;
    const int stride = g->y.back ? g->y.axis->stride : 1;
    Block b = {.x = tile,
               .first = first,
               .to = (size_t)first * (size_t)stride * (size_t)g->x.to * (size_t)g->to_c};
    if (g->direct) {
        b.x = reals + start + (size_t)top * row + (size_t)g->x.lowest * (size_t)g->from_c;
        return b;
    }
    const int most = g->flat ? image_rows : g->y.most;
    const int rows = most - first < g->block_rows ? most - first : g->block_rows;
    const int height = (rows - 1) * g->y.step + g->y.highest - g->y.lowest + 1;
    if (g->flat) { /* rows are whole and side by side */
        read_source(compute, source, reals, start + (size_t)top * row, (size_t)rows * row, tile);
        return b;
    }
    for (int y = top; y < top + height; y++, tile += (size_t)g->width * (size_t)g->from_c) {
        const bool inside = y >= 0 && y < image_rows;
        fill_row(g, compute, source, reals, inside ? start + (size_t)y * row : 0, inside, tile);
    }
    return b;
}

int gather_rows(const Gather *g, const Phase *p, int image_rows, int first)
{
    const int left = (g->flat ? image_rows : p->rows) - first;
    return left < g->block_rows ? left : g->block_rows;
}
