/* The reference of 16-bit products: the specification of kernels_pair.h, in plain loops. Both kinds
 * differ in how a real becomes a number and in what sums are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_pair.h"

#include <math.h>
#include <string.h>

enum { LANES = 8 };

typedef uint16_t (*Narrow)(Real x);

static uint32_t pair_of(uint16_t a, uint16_t b)
{
    return (uint32_t)a | (uint32_t)b << 16;
}

static int16_t low(uint32_t pair)
{
    return (int16_t)(pair & 0xffff);
}

static int16_t high(uint32_t pair)
{
    return (int16_t)(pair >> 16);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static uint16_t narrow_int16(Real x)
{
    const double q = rint((double)x);
    return fabs(q) <= PAIR_MOST ? (uint16_t)(int16_t)q : 0; /* 0: a NaN */
}

static uint16_t narrow_bf16(Real x)
{
    const float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (f != f)
        return (uint16_t)(bits >> 16 | 0x40); /* stays a NaN */
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float widen_bf16(int16_t half)
{
    const uint32_t bits = (uint32_t)(uint16_t)half << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void interleave_rows(size_t rows, int channels, const Real *a, const Real *b,
                            const Real *factor, const PairPanels *to, size_t row, Narrow narrow)
{
    for (size_t r = 0; r < rows; r++)
        for (int c = 0; c < to->cols; c++) {
            const size_t at = r * (size_t)channels + (size_t)c;
            const bool inside = c < channels;
            *pair_panels_at(to, row + r, c) = pair_of(inside ? narrow(a[at] * factor[c]) : 0,
                                                      inside && b ? narrow(b[at] * factor[c]) : 0);
        }
}

static void narrow_rows(size_t rows, int channels, const Real *x, const Real *factor, uint32_t *to,
                        Narrow narrow)
{
    const size_t n = (size_t)channels;
    for (size_t r = 0; r < rows; r++, x += n)
        for (size_t c = 0; c < n; c += 2)
            *to++ = pair_of(narrow(x[c] * factor[c]), narrow(x[c + 1] * factor[c + 1]));
}

static void join_codes(size_t n, const int8_t *a, const int8_t *b, int32_t zero_point, uint32_t *to,
                       Narrow narrow)
{
    for (size_t i = 0; i < n; i++)
        to[i] = pair_of(a ? narrow((Real)(a[i] - zero_point)) : 0,
                        b ? narrow((Real)(b[i] - zero_point)) : 0);
}

static void peaks(size_t rows, int channels, const Real *x, Real *peak)
{
    for (size_t r = 0; r < rows; r++, x += channels)
        for (int c = 0; c < channels; c++) {
            const Real v = (Real)fabs((double)x[c]);
            if (!(v <= peak[c])) /* a NaN stays */
                peak[c] = peak[c] == peak[c] ? v : peak[c];
        }
}

/* ---- products --------------------------------------------------------------------------------- */

static int32_t add_int16(int32_t sum, uint32_t a, uint32_t b)
{
    return sum + low(a) * low(b) + high(a) * high(b);
}

static float add_bf16(float sum, uint32_t a, uint32_t b)
{
    sum += widen_bf16(low(a)) * widen_bf16(low(b));
    return sum + widen_bf16(high(a)) * widen_bf16(high(b));
}

/* What is the same text for both kinds. */
#define PRODUCTS(kind, Sum)                                                                        \
    static Sum row_##kind(const PairMultiply *m, int row, int c, int width)                        \
    {                                                                                              \
        Sum sum = 0;                                                                               \
        for (int i = 0; i < m->runs; i++) {                                                        \
            const uint32_t *x = m->x + m->x_row[row] + m->run_x[i];                                \
            const uint32_t *w = m->panel + (size_t)(1 + m->run_w[i]) * (size_t)width + (size_t)c;  \
            for (int e = 0; e < m->length; e++, w += width)                                        \
                sum = add_##kind(sum, x[e], *w);                                                   \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    static void multiply_##kind(const PairMultiply *m)                                             \
    {                                                                                              \
        const int width = m->cols > LANES ? 2 * LANES : LANES;                                     \
        for (int row = 0; row < m->rows; row++)                                                    \
            for (int c = 0; c < m->cols; c++) {                                                    \
                Real *y = m->y + m->y_row[row] + c;                                                \
                const Real v = (Real)row_##kind(m, row, c, width) * m->scale;                      \
                *y = m->accumulate ? *y + v : v;                                                   \
            }                                                                                      \
    }                                                                                              \
    static void outer_##kind(const PairOuter *m)                                                   \
    {                                                                                              \
        for (int k = 0; k < m->runs * m->length; k++)                                              \
            for (int c = 0; c < m->dy.cols; c++) {                                                 \
                const uint32_t *x = m->x + m->run_x[k / m->length] + k % m->length;                \
                Sum sum = 0;                                                                       \
                for (int r = 0; r < m->rows; r++)                                                  \
                    sum = add_##kind(sum, x[m->x_row[r]],                                          \
                                     *pair_panels_at(&m->dy, m->dy_row + (size_t)r, c));           \
                Real *to = m->sum + (size_t)k * (size_t)m->sum_ld + (size_t)c;                     \
                const Real v = (Real)sum * m->scale[c];                                            \
                *to = m->accumulate ? *to + v : v;                                                 \
            }                                                                                      \
    }                                                                                              \
    static void codes_##kind(size_t n, const int8_t *a, const int8_t *b, int32_t zero_point,       \
                             uint32_t *to)                                                         \
    {                                                                                              \
        join_codes(n, a, b, zero_point, to, narrow_##kind);                                        \
    }                                                                                              \
    static void interleave_##kind(size_t rows, int channels, const Real *a, const Real *b,         \
                                  const Real *factor, const PairPanels *to, size_t row)            \
    {                                                                                              \
        interleave_rows(rows, channels, a, b, factor, to, row, narrow_##kind);                     \
    }                                                                                              \
    static void narrow_rows_##kind(size_t rows, int channels, const Real *x, const Real *factor,   \
                                   uint32_t *to)                                                   \
    {                                                                                              \
        narrow_rows(rows, channels, x, factor, to, narrow_##kind);                                 \
    }                                                                                              \
    const PairKernels kernels_##kind##_ref = {.name = #kind,                                       \
                                              .lanes = LANES,                                      \
                                              .scaled = IS_SCALED_##kind,                          \
                                              .multiply = multiply_##kind,                         \
                                              .outer = outer_##kind,                               \
                                              .codes = codes_##kind,                               \
                                              .interleave = interleave_##kind,                     \
                                              .narrow = narrow_rows_##kind,                        \
                                              .peaks = peaks};

#define IS_SCALED_int16 true
#define IS_SCALED_bf16  false

PRODUCTS(int16, int32_t)
PRODUCTS(bf16, float)
