/* The kernels of rings in plain C: see kernels_ring.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_ring.h"

#include <math.h>

#ifdef HONE_DOUBLE
#define FMA fma
#else
#define FMA fmaf
#endif

static const Real *tap_of(const RingWindow *v, int r, int p, int i, int j)
{
    return v->rows[r * v->row_step + v->row + i * v->tap_row] + v->offset + p * v->col_step +
           j * v->tap_col;
}

static Real sum_of(const RingWindow *v, int r, int p, int ch)
{
    const Real *w = v->w + ch;
    Real sum = 0;
    for (int i = 0; i < v->taps_h; i++)
        for (int j = 0; j < v->taps_w; j++, w += RING_LANES)
            sum = FMA(tap_of(v, r, p, i, j)[ch], *w, sum);
    return sum;
}

static Real output_of(const RingWindow *v, int r, int p, int ch)
{
    const Real sum = sum_of(v, r, p, ch);
    return v->scale ? v->scale[ch] * (sum + v->bias[ch]) : sum;
}

static size_t pixel_at(const RingWindow *v, int r, int p)
{
    return (size_t)r * (size_t)v->width + (size_t)p;
}

static Real grad_of(const RingGrad *g, size_t pixel, int ch)
{
    const uint8_t bits = g->mask[pixel * g->mask_ld + (size_t)ch / 8];
    return bits >> ch % 8 & 1 ? g->dy[pixel * g->ld + (size_t)ch] : 0;
}

static void read_ref(const RingRead *s, Real *const *to)
{
    const int all = (s->channels + RING_LANES - 1) / RING_LANES * RING_LANES;
    for (int r = 0; r < s->height; r++)
        for (int p = 0; p < s->width; p++) {
            const int8_t *q = s->q + (size_t)r * s->row + (size_t)p * (size_t)s->channels;
            for (int ch = 0; ch < all; ch++)
                to[r][(size_t)(ch / RING_LANES) * s->group + (size_t)p * RING_LANES +
                      (size_t)(ch % RING_LANES)] =
                    ch < s->channels ? (Real)(q[ch] - s->zero_point) : 0;
        }
}

static void gather_ref(const RingWindow *v, bool accumulate, Real *y, ptrdiff_t y_row,
                       ptrdiff_t y_col)
{
    for (int r = 0; r < v->height; r++)
        for (int p = 0; p < v->width; p++)
            for (int ch = 0; ch < v->channels; ch++) {
                Real *to = y + r * y_row + p * y_col + ch;
                const Real output = output_of(v, r, p, ch);
                *to = accumulate ? *to + output : output;
            }
}

static void sums_ref(const RingWindow *v, const RingGrad *g, Real *sum, Real *product)
{
    for (int r = 0; r < v->height; r++)
        for (int p = 0; p < v->width; p++)
            for (int ch = 0; ch < v->channels; ch++) {
                const Real d = grad_of(g, pixel_at(v, r, p), ch);
                sum[ch] += d;
                product[ch] += d * (output_of(v, r, p, ch) - g->pivot[ch]);
            }
}

static void map_ref(const RingWindow *v, const RingGrad *g, Real *const *to, ptrdiff_t to_offset,
                    Real *total)
{
    for (int r = 0; r < v->height; r++)
        for (int p = 0; p < v->width; p++)
            for (int ch = 0; ch < RING_LANES; ch++) {
                Real d = ch < v->channels ? grad_of(g, pixel_at(v, r, p), ch) : 0;
                if (g->slope && ch < v->channels)
                    d = g->slope[ch] * d + g->of_y[ch] * output_of(v, r, p, ch) + g->shift[ch];
                to[r][to_offset + p * RING_LANES + ch] = d;
                total[ch] += d;
            }
}

static Real outer_of(const RingWindow *v, Real *const *dy, ptrdiff_t at, int i, int j, int ch)
{
    Real sum = 0;
    for (int r = 0; r < v->height; r++)
        for (int p = 0; p < v->width; p++)
            sum = FMA(tap_of(v, r, p, i, j)[ch], dy[r][at + p * RING_LANES], sum);
    return sum;
}

static void outer_ref(const RingWindow *v, Real *const *dy, ptrdiff_t dy_offset, Real *dw)
{
    for (int i = 0; i < v->taps_h; i++)
        for (int j = 0; j < v->taps_w; j++, dw += RING_LANES)
            for (int ch = 0; ch < RING_LANES; ch++)
                dw[ch] += outer_of(v, dy, dy_offset + ch, i, j, ch);
}

const RingKernels kernels_ring_ref = {
    .read = read_ref,
    .gather = gather_ref,
    .sums = sums_ref,
    .map = map_ref,
    .outer = outer_ref,
};
