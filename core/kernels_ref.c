/* The float kernels in plain C: the specification that every other table is tested against, and the
 * only one in double. See kernels.h for what each computes. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels.h"

#include <assert.h>
#include <math.h>

static void minmax_ref(size_t n, const Real *x, Real *lo, Real *hi)
{
    assert(n >= 1);
    Real low = x[0], high = x[0];
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        finite = finite && isfinite(x[i]);
    }
    *lo = finite ? low : (Real)NAN;
    *hi = finite ? high : (Real)NAN;
}

static void add_ref(size_t n, const Real *x, Real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void sum_ref(size_t n, const Real *a, const Real *b, Real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

/* Sets bit i of mask, in ascending order: the first bit of a byte clears the others. */
static void put_bit(uint8_t *mask, size_t i, bool bit)
{
    if (i % 8 == 0)
        mask[i / 8] = 0;
    mask[i / 8] = (uint8_t)(mask[i / 8] | (unsigned)bit << i % 8);
}

static void relu_ref(size_t n, const Real *x, Real hi, Real *y, uint8_t *mask)
{
    for (size_t i = 0; i < n; i++) {
        Real v = x[i];
        Real above = v > 0 ? v : 0;
        y[i] = above < hi ? above : hi;
        if (mask)
            put_bit(mask, i, v > 0 && v < hi);
    }
}

static void mask_grad_ref(size_t n, const Real *dy, const uint8_t *mask, bool accumulate, Real *dx)
{
    for (size_t i = 0; i < n; i++) {
        Real d = mask[i / 8] >> i % 8 & 1 ? dy[i] : 0;
        dx[i] = accumulate ? dx[i] + d : d;
    }
}

/* The rounded code without its zero point is clipped as a real number, so that nothing overflows. */
static void quantize_one(Real x, Real scale, int32_t zero_point, int32_t lo, int32_t hi, int8_t *q,
                         uint8_t *mask, size_t i)
{
    Real low = (Real)(lo - zero_point), high = (Real)(hi - zero_point);
    Real v = (Real)rint(x * (Real)(1.0f / (float)scale));
    Real clipped = v > low ? v : low;
    clipped = clipped < high ? clipped : high;
    q[i] = (int8_t)((int32_t)clipped + zero_point);
    if (mask)
        put_bit(mask, i, v >= low && v <= high);
}

static void quantize_ref(size_t n, const Real *x, Real scale, int32_t zero_point, int32_t lo,
                         int32_t hi, int8_t *q, uint8_t *mask)
{
    assert(-128 <= lo && lo <= hi && hi <= 127 && -128 <= zero_point && zero_point <= 128);
    for (size_t i = 0; i < n; i++)
        quantize_one(x[i], scale, zero_point, lo, hi, q, mask, i);
}

static void quantize_each_ref(size_t n, const Real *x, const Real *scale, int32_t lo, int32_t hi,
                              int8_t *q, uint8_t *mask)
{
    assert(-128 <= lo && lo <= hi && hi <= 127);
    for (size_t i = 0; i < n; i++)
        quantize_one(x[i], scale[i], 0, lo, hi, q, mask, i);
}

static void dequantize_ref(size_t n, const int8_t *q, Real scale, int32_t zero_point, Real *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = scale * (Real)(q[i] - zero_point);
}

static void channel_moments_ref(size_t rows, int c, const Real *x, const Real *pivot, Real *sum,
                                Real *square)
{
    for (size_t r = 0; r < rows; r++, x += c) {
        for (int ch = 0; ch < c; ch++) {
            Real d = x[ch] - pivot[ch];
            sum[ch] += d;
            square[ch] += d * d;
        }
    }
}

static void channel_affine_ref(size_t rows, int c, const Real *x, const Real *a, const Real *b,
                               Real *y)
{
    for (size_t r = 0; r < rows; r++, x += c, y += c)
        for (int ch = 0; ch < c; ch++)
            y[ch] = a[ch] * x[ch] + b[ch];
}

static void channel_grad_sums_ref(size_t rows, int c, const Real *dy, const Real *x,
                                  const Real *pivot, Real *sum_dy, Real *sum_dyx)
{
    for (size_t r = 0; r < rows; r++, dy += c, x += c) {
        for (int ch = 0; ch < c; ch++) {
            sum_dy[ch] += dy[ch];
            sum_dyx[ch] += dy[ch] * (x[ch] - pivot[ch]);
        }
    }
}

static void channel_grad_ref(size_t rows, int c, const Real *dy, const Real *x, const Real *a,
                             const Real *b, const Real *k, bool accumulate, Real *dx)
{
    for (size_t r = 0; r < rows; r++, dy += c, x += c, dx += c) {
        for (int ch = 0; ch < c; ch++) {
            Real d = a[ch] * dy[ch] + b[ch] * x[ch] + k[ch];
            dx[ch] = accumulate ? dx[ch] + d : d;
        }
    }
}

/* ---- fused nodes ---- */

static void channel_extent_ref(size_t rows, int c, const Real *x, Real *lo, Real *hi)
{
    for (size_t r = 0; r < rows; r++, x += c) {
        for (int ch = 0; ch < c; ch++) {
            lo[ch] = x[ch] < lo[ch] ? x[ch] : lo[ch];
            hi[ch] = x[ch] > hi[ch] ? x[ch] : hi[ch];
        }
    }
}

static void channel_statistics_ref(size_t rows, int c, const Real *x, const Real *pivot, Real *sum,
                                   Real *square, Real *lo, Real *hi)
{
    channel_moments_ref(rows, c, x, pivot, sum, square);
    channel_extent_ref(rows, c, x, lo, hi);
}

/* min(max(v, low), high); returns whether it lies between them. */
static bool activate(Real *v, Real low, Real high)
{
    const bool between = *v > low && *v < high;
    const Real above = *v > low ? *v : low;
    *v = above < high ? above : high;
    return between;
}

static void channel_quantize_ref(const ChannelQuantize *p, size_t rows, const Real *x, int8_t *q,
                                 uint8_t *mask)
{
    const size_t c = (size_t)p->channels;
    for (size_t r = 0; r < rows; r++, x += c, q += c) {
        uint8_t *bits = mask ? mask + r * MASK_ROW_BYTES(c) : NULL;
        for (size_t ch = 0; ch < c; ch++) {
            uint8_t inside = 0;
            Real v = p->slope[ch] * x[ch] + p->shift[ch];
            const bool between = activate(&v, p->low, p->high);
            quantize_one(v, p->scale, p->zero_point, p->lo, p->hi, q + ch, &inside, 0);
            if (bits)
                put_bit(bits, ch, between && inside);
        }
    }
}

static bool bit_of(const uint8_t *mask, size_t i)
{
    return mask[i / 8] >> i % 8 & 1;
}

static void masked_grad_sums_ref(size_t rows, int c, const Real *dy, const uint8_t *mask,
                                 const Real *x, const Real *pivot, Real *sum_dy, Real *sum_dyx)
{
    for (size_t r = 0; r < rows; r++, dy += c, x += c, mask += MASK_ROW_BYTES(c)) {
        for (int ch = 0; ch < c; ch++) {
            const Real d = bit_of(mask, (size_t)ch) ? dy[ch] : 0;
            sum_dy[ch] += d;
            sum_dyx[ch] += d * (x[ch] - pivot[ch]);
        }
    }
}

static void masked_grad_ref(const MaskedGrad *p, size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        const Real *dy = p->dy + r * p->ld, *x = p->slope ? p->x + r * p->ld : NULL;
        const uint8_t *mask = p->mask + r * p->mask_ld;
        Real *y = p->y + r * p->y_ld;
        for (int ch = 0; ch < p->channels; ch++) {
            const Real d = bit_of(mask, (size_t)ch) ? dy[ch] : 0;
            y[ch] = x ? p->slope[ch] * d + p->of_x[ch] * x[ch] + p->shift[ch] : d;
            const Real v = (Real)fabs((double)y[ch]);
            if (p->peak && !(v <= p->peak[ch])) /* a NaN stays */
                p->peak[ch] = p->peak[ch] == p->peak[ch] ? v : p->peak[ch];
        }
    }
}

static void add_quantize_ref(const AddQuantize *p, size_t n, const int8_t *a, const int8_t *b,
                             int8_t *q, uint8_t *mask, Real *lo, Real *hi)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t inside = 0;
        const Real left = p->a_scale * (Real)(a[i] - p->a_zero);
        const Real right = p->b_scale * (Real)(b[i] - p->b_zero);
        Real v = left + right;
        const bool between = activate(&v, p->low, p->high);
        *lo = v < *lo ? v : *lo;
        *hi = v > *hi ? v : *hi;
        quantize_one(v, p->scale, p->zero_point, p->lo, p->hi, q + i, &inside, 0);
        if (mask)
            put_bit(mask, i, between && inside);
    }
}

const Kernels kernels_ref = {
    .name = "ref",
    .minmax = minmax_ref,
    .add = add_ref,
    .sum = sum_ref,
    .relu = relu_ref,
    .mask_grad = mask_grad_ref,
    .quantize = quantize_ref,
    .quantize_each = quantize_each_ref,
    .dequantize = dequantize_ref,
    .channel_moments = channel_moments_ref,
    .channel_affine = channel_affine_ref,
    .channel_grad_sums = channel_grad_sums_ref,
    .channel_grad = channel_grad_ref,
    .channel_statistics = channel_statistics_ref,
    .channel_extent = channel_extent_ref,
    .channel_quantize = channel_quantize_ref,
    .masked_grad_sums = masked_grad_sums_ref,
    .masked_grad = masked_grad_ref,
    .add_quantize = add_quantize_ref,
    .ring = &kernels_ring_ref,
};
