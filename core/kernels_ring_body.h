/* The kernels of rings (kernels_ring.h) on vectors: part of kernels_body.h, by its rules. A vector's
 * taps and, for gradients of weights, their sums stay in registers over all pixels; the numbers of
 * taps that 3x3 windows and their parts have are constants.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_RING_BODY_H
#define HONE_CORE_KERNELS_RING_BODY_H

enum { RING_TAPS = 9, RING_TAPS_H = 3 };

/* Reads of one line a pixel, far apart, are more than the processor's own prefetching sees through: each
 * kernel asks for what the next band or row will read at the same place. */
#define RING_PREFETCH(p) __builtin_prefetch((p), 0, 2)

#define RING_UNROLL _Pragma("GCC unroll 16")

/* A window as a kernel for a vector of channels sees it: copies, for which no store can be taken. */
typedef struct RingView {
    const float *const *rows; /* of tap (0, 0) and the first row of outputs */
    int tap_row, row_step;
    ptrdiff_t offset, col_step, tap_col;
    int height, width, taps_h, taps_w;
    const float *w;
    Vec scale, bias;
    bool scaled;
} RingView;

ALWAYS_INLINE RingView ring_view(const RingWindow *v, int lane)
{
    return (RingView){.rows = v->rows + v->row,
                      .tap_row = v->tap_row,
                      .row_step = v->row_step,
                      .offset = v->offset + lane,
                      .col_step = v->col_step,
                      .tap_col = v->tap_col,
                      .height = v->height,
                      .width = v->width,
                      .taps_h = v->taps_h,
                      .taps_w = v->taps_w,
                      .w = v->w + lane,
                      .scale = v->scale ? vec_load(v->scale + lane, LANES) : vec_set(1),
                      .bias = v->scale ? vec_load(v->bias + lane, LANES) : vec_set(0),
                      .scaled = v->scale};
}

/* How many of a group's channels the vector from `lane` on has. */
ALWAYS_INLINE size_t ring_count(const RingWindow *v, int lane)
{
    const int left = v->channels - lane;
    return left >= LANES ? LANES : left > 0 ? (size_t)left : 0;
}

/* The rows that the taps of row r of outputs lie in; h is 0 for any window. */
ALWAYS_INLINE void ring_rows(const RingView *v, int r, const float **x, const int h)
{
    RING_UNROLL for (int i = 0; i < h; i++) x[i] =
        v->rows[r * v->row_step + i * v->tap_row] + v->offset;
}

ALWAYS_INLINE void ring_weights(const RingView *v, Vec *w, const int taps)
{
    RING_UNROLL for (int t = 0; t < taps; t++) w[t] = vec_load(v->w + t * RING_LANES, LANES);
}

/* The sum over the taps of the pixel that lies `at` elements from the first of row r. */
ALWAYS_INLINE Vec ring_sum(const RingView *v, int r, const float *const *x, const Vec *w,
                           ptrdiff_t at, const int h, const int taps_w)
{
    Vec sum = vec_set(0);
    RING_UNROLL for (int t = 0; t < h * taps_w; t++) sum =
        vec_fma(vec_load(x[t / taps_w] + at + t % taps_w * RING_LANES, LANES), w[t], sum);
    if (h > 0)
        return sum;
    const float *any = v->w;
    for (int i = 0; i < v->taps_h; i++) {
        const float *from = v->rows[r * v->row_step + i * v->tap_row] + v->offset + at;
        for (int j = 0; j < v->taps_w; j++, from += v->tap_col, any += RING_LANES)
            sum = vec_fma(vec_load(from, LANES), vec_load(any, LANES), sum);
    }
    return sum;
}

/* Calls FUNCTION(..., h, w), as constants where they are those of 3x3 windows and their parts, taps of
 * a row lying side by side; else 0. */
#define RING_CASE(FUNCTION, h, w, ...)                                                             \
    case (h) << 8 | (w):                                                                           \
        FUNCTION(__VA_ARGS__, h, w);                                                               \
        break;
#define RING_SWITCH(v, FUNCTION, ...)                                                              \
    switch ((v)->tap_col == RING_LANES || (v)->taps_w == 1 ? (v)->taps_h << 8 | (v)->taps_w : 0) { \
        RING_CASE(FUNCTION, 1, 1, __VA_ARGS__)                                                     \
        RING_CASE(FUNCTION, 1, 2, __VA_ARGS__)                                                     \
        RING_CASE(FUNCTION, 2, 1, __VA_ARGS__)                                                     \
        RING_CASE(FUNCTION, 2, 2, __VA_ARGS__)                                                     \
        RING_CASE(FUNCTION, 3, 3, __VA_ARGS__)                                                     \
    default:                                                                                       \
        FUNCTION(__VA_ARGS__, 0, 1);                                                               \
    }

/* The n channels from `first` on. */
ALWAYS_INLINE void ring_read_groups(const RingRead *s, float *const *to, int first, const int n)
{
    const size_t ld = (size_t)s->channels, width = (size_t)s->width, row = s->row, ahead = row;
    const size_t group = s->group;
    const int32_t zero_point = s->zero_point;
    for (int r = 0; r < s->height; r++) {
        const int8_t *q = s->q + (size_t)r * row + first;
        float *v = to[r] + (size_t)(first / RING_LANES) * group;
        for (size_t p = 0; p < width; p++, q += ld, v += RING_LANES) {
            RING_PREFETCH(q + ahead);
            for (int i = 0; i < n; i += LANES)
                vec_store(v + (size_t)(i / RING_LANES) * group + i % RING_LANES,
                          vec_load_codes(q + i, zero_point, LANES), LANES);
        }
    }
}

/* The last group, which n channels do not fill. */
static void ring_read_rest(const RingRead *s, float *const *to, int first, int n)
{
    for (int r = 0; r < s->height; r++) {
        const int8_t *q = s->q + (size_t)r * s->row + first;
        float *v = to[r] + (size_t)(first / RING_LANES) * s->group;
        for (int p = 0; p < s->width; p++, q += s->channels, v += RING_LANES)
            for (int i = 0; i < RING_LANES; i += LANES) {
                vec_store(v + i, vec_set(0), LANES);
                if (i < n)
                    vec_store(v + i, vec_load_codes(q + i, s->zero_point, part((size_t)(n - i), 0)),
                              part((size_t)(n - i), 0));
            }
    }
}

/* Four groups at a time where there are: a line of codes. */
static void KERNEL(ring_read)(const RingRead *s, float *const *to)
{
    int first = 0;
    for (; first + 4 * RING_LANES <= s->channels; first += 4 * RING_LANES)
        ring_read_groups(s, to, first, 4 * RING_LANES);
    for (; first + 2 * RING_LANES <= s->channels; first += 2 * RING_LANES)
        ring_read_groups(s, to, first, 2 * RING_LANES);
    for (; first + RING_LANES <= s->channels; first += RING_LANES)
        ring_read_groups(s, to, first, RING_LANES);
    if (first < s->channels)
        ring_read_rest(s, to, first, s->channels - first);
}

typedef struct RingTarget {
    float *y;
    ptrdiff_t y_row, y_col;
    bool accumulate;
} RingTarget;

ALWAYS_INLINE void ring_gather_lanes(const RingWindow *window, RingTarget to, int lane, size_t n,
                                     const int h, const int taps_w)
{
    const RingView v = ring_view(window, lane);
    const float *x[RING_TAPS_H];
    const ptrdiff_t ahead = v.height * to.y_row;
    Vec w[RING_TAPS];
    ring_weights(&v, w, h * taps_w);
    for (int r = 0; r < v.height; r++) {
        float *y = to.y + r * to.y_row + lane;
        ptrdiff_t at = 0;
        ring_rows(&v, r, x, h);
        for (int p = 0; p < v.width; p++, at += v.col_step, y += to.y_col) {
            Vec out = ring_sum(&v, r, x, w, at, h, taps_w);
            if (v.scaled)
                out = v.scale * (out + v.bias);
            else
                __builtin_prefetch(y + ahead, 1, 2); /* a gradient: far apart, too */
            if (to.accumulate)
                out = vec_load(y, n) + out;
            vec_store(y, out, n);
        }
    }
}

static void KERNEL(ring_gather)(const RingWindow *v, bool accumulate, float *y, ptrdiff_t y_row,
                                ptrdiff_t y_col)
{
    const RingTarget to = {y, y_row, y_col, accumulate};
    for (int lane = 0; lane < v->channels; lane += LANES) {
        const size_t n = ring_count(v, lane);
        if (n == LANES) {
            RING_SWITCH(v, ring_gather_lanes, v, to, lane, LANES)
        } else {
            RING_SWITCH(v, ring_gather_lanes, v, to, lane, n)
        }
    }
}

ALWAYS_INLINE void ring_sums_lanes(const RingWindow *window, const RingGrad *g, float *sum,
                                   float *product, int lane, size_t n, const int h,
                                   const int taps_w)
{
    const RingView v = ring_view(window, lane);
    const Vec pivot = vec_load(g->pivot + lane, LANES);
    const size_t ld = g->ld, mask_ld = g->mask_ld;
    const size_t ahead = (size_t)v.height * (size_t)v.width * ld;
    const float *dy = g->dy + lane, *x[RING_TAPS_H];
    const uint8_t *mask = g->mask + lane / 8;
    Vec w[RING_TAPS], s = vec_load(sum + lane, LANES), q = vec_load(product + lane, LANES);
    ring_weights(&v, w, h * taps_w);
    for (int r = 0; r < v.height; r++) {
        ptrdiff_t at = 0;
        ring_rows(&v, r, x, h);
        for (int p = 0; p < v.width; p++, at += v.col_step, dy += ld, mask += mask_ld) {
            const Vec d = masked(dy, mask, n);
            const Vec y = v.scale * (ring_sum(&v, r, x, w, at, h, taps_w) + v.bias);
            RING_PREFETCH(dy + ahead);
            s = s + d;
            q = q + d * (y - pivot);
        }
    }
    vec_store(sum + lane, s, n);
    vec_store(product + lane, q, n);
}

static void KERNEL(ring_sums)(const RingWindow *v, const RingGrad *g, float *sum, float *product)
{
    for (int lane = 0; lane < v->channels; lane += LANES) {
        const size_t n = ring_count(v, lane);
        if (n == LANES) {
            RING_SWITCH(v, ring_sums_lanes, v, g, sum, product, lane, LANES)
        } else {
            RING_SWITCH(v, ring_sums_lanes, v, g, sum, product, lane, n)
        }
    }
}

ALWAYS_INLINE void ring_map_lanes(const RingWindow *window, const RingGrad *g, float *const *to,
                                  ptrdiff_t to_offset, float *total, int lane, size_t n,
                                  const int h, const int taps_w)
{
    const RingView v = ring_view(window, lane);
    const Vec slope = vec_load(g->slope + lane, LANES), of_y = vec_load(g->of_y + lane, LANES);
    const Vec shift = vec_load(g->shift + lane, LANES);
    const size_t ld = g->ld, mask_ld = g->mask_ld;
    const size_t ahead = (size_t)v.height * (size_t)v.width * ld;
    const float *dy = g->dy + lane, *x[RING_TAPS_H];
    const uint8_t *mask = g->mask + lane / 8;
    Vec w[RING_TAPS], sum = vec_load(total + lane, LANES);
    ring_weights(&v, w, h * taps_w);
    for (int r = 0; r < v.height; r++) {
        float *out = to[r] + to_offset + lane;
        ptrdiff_t at = 0;
        ring_rows(&v, r, x, h);
        for (int p = 0; p < v.width; p++, at += v.col_step, dy += ld, mask += mask_ld) {
            const Vec d = masked(dy, mask, n);
            const Vec y = v.scale * (ring_sum(&v, r, x, w, at, h, taps_w) + v.bias);
            RING_PREFETCH(dy + ahead);
            const Vec mapped = slope * d + of_y * y + shift;
            vec_store(out + p * RING_LANES, mapped, LANES);
            sum = sum + mapped;
        }
    }
    vec_store(total + lane, sum, LANES);
}

static void ring_copy_lanes(const RingWindow *v, const RingGrad *g, float *const *to,
                            ptrdiff_t to_offset, float *total, int lane, size_t n)
{
    const float *dy = g->dy + lane;
    const uint8_t *mask = g->mask + lane / 8;
    Vec sum = vec_load(total + lane, LANES);
    for (int r = 0; r < v->height; r++)
        for (int p = 0; p < v->width; p++, dy += g->ld, mask += g->mask_ld) {
            const Vec d = n > 0 ? masked(dy, mask, n) : vec_set(0);
            vec_store(to[r] + to_offset + lane + p * RING_LANES, d, LANES);
            sum = sum + d;
        }
    vec_store(total + lane, sum, LANES);
}

static void KERNEL(ring_map)(const RingWindow *v, const RingGrad *g, float *const *to,
                             ptrdiff_t to_offset, float *total)
{
    for (int lane = 0; lane < RING_LANES; lane += LANES) {
        const size_t n = ring_count(v, lane);
        if (!g->slope || n == 0) {
            ring_copy_lanes(v, g, to, to_offset, total, lane, n);
        } else if (n == LANES) {
            RING_SWITCH(v, ring_map_lanes, v, g, to, to_offset, total, lane, LANES)
        } else {
            RING_SWITCH(v, ring_map_lanes, v, g, to, to_offset, total, lane, n)
        }
    }
}

/* h x taps_w taps from (i, j) on, side by side. */
ALWAYS_INLINE void ring_outer_taps(const RingWindow *window, float *const *dy, ptrdiff_t dy_offset,
                                   float *dw, int lane, int i, int j, const int h, const int taps_w)
{
    RingView v = ring_view(window, lane);
    const float *x[RING_TAPS_H];
    Vec acc[RING_TAPS];
    v.rows += i * v.tap_row;
    v.offset += j * v.tap_col;
    dw += (i * v.taps_w + j) * RING_LANES + lane;
    RING_UNROLL for (int t = 0; t < h * taps_w; t++) acc[t] = vec_set(0);
    for (int r = 0; r < v.height; r++) {
        const float *d = dy[r] + dy_offset + lane;
        ptrdiff_t at = 0;
        ring_rows(&v, r, x, h);
        for (int p = 0; p < v.width; p++, at += v.col_step, d += RING_LANES) {
            const Vec g = vec_load(d, LANES);
            RING_UNROLL for (int t = 0; t < h * taps_w; t++) acc[t] =
                vec_fma(vec_load(x[t / taps_w] + at + t % taps_w * RING_LANES, LANES), g, acc[t]);
        }
    }
    RING_UNROLL for (int t = 0; t < h * taps_w; t++)
    {
        float *to = dw + (t / taps_w * v.taps_w + t % taps_w) * RING_LANES;
        vec_store(to, vec_load(to, LANES) + acc[t], LANES);
    }
}

static void KERNEL(ring_outer)(const RingWindow *v, float *const *dy, ptrdiff_t dy_offset,
                               float *dw)
{
    const bool near = v->tap_col == RING_LANES;
    for (int lane = 0; lane < RING_LANES; lane += LANES) {
        if (near && v->taps_h == 3 && v->taps_w == 3) {
            ring_outer_taps(v, dy, dy_offset, dw, lane, 0, 0, 3, 3);
            continue;
        }
        for (int i = 0; i < v->taps_h; i++) {
            int j = 0;
            for (; near && j + 3 <= v->taps_w; j += 3)
                ring_outer_taps(v, dy, dy_offset, dw, lane, i, j, 1, 3);
            for (; j < v->taps_w; j++)
                ring_outer_taps(v, dy, dy_offset, dw, lane, i, j, 1, 1);
        }
    }
}

static const RingKernels KERNEL(ring) = {
    .read = KERNEL(ring_read),
    .gather = KERNEL(ring_gather),
    .sums = KERNEL(ring_sums),
    .map = KERNEL(ring_map),
    .outer = KERNEL(ring_outer),
};

#endif
