/* The float kernels on vectors: the part that AVX2 and AVX-512 share. Included once by each level's
 * file, which defines before:
 *
 *     KERNEL(name)   the function's name at this level
 *     LANES, Vec     floats in a vector, the vector; it takes + - * as floats do
 *     vec_..., bits_...   loads, stores and comparisons; n < LANES means the first n lanes only
 *
 * Every kernel does per element, and per channel in the order of rows, exactly what kernels_ref.c
 * does: one rounding per operation, nothing fused, nothing regrouped. Long sums of few channels are
 * kept apart only by channel; rows hide the latency of many channels, not of few.
 *
 * Each loop is a step for n elements, called with the constant LANES and once with what is left.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_BODY_H
#define HONE_CORE_KERNELS_BODY_H

#include <math.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* STEP(i, count) for whole vectors, then for the rest of n. */
#define FOR_VECTORS(n, STEP)                                                                       \
    do {                                                                                           \
        size_t at = 0;                                                                             \
        for (; at + LANES <= (n); at += LANES)                                                     \
            STEP(at, (size_t)LANES);                                                               \
        if (at < (n))                                                                              \
            STEP(at, (n)-at);                                                                      \
    } while (0)

/* ---- elements ---- */

/* x - x is 0 for a finite x, else NaN, and a NaN stays in the sum. */
static void KERNEL(minmax)(size_t n, const float *x, float *lo, float *hi)
{
    enum { WAYS = 4 };
    Vec low[WAYS], high[WAYS], bad[WAYS];
    for (int j = 0; j < WAYS; j++) {
        low[j] = high[j] = vec_set(x[0]);
        bad[j] = vec_set(0);
    }
    size_t i = 0;
    for (; i + WAYS * LANES <= n; i += WAYS * LANES) {
        for (int j = 0; j < WAYS; j++) {
            Vec v = vec_load(x + i + j * LANES, LANES);
            low[j] = vec_min(v, low[j]);
            high[j] = vec_max(v, high[j]);
            bad[j] = bad[j] + (v - v);
        }
    }
    for (int j = 1; j < WAYS; j++) {
        low[0] = vec_min(low[j], low[0]);
        high[0] = vec_max(high[j], high[0]);
        bad[0] = bad[0] + bad[j];
    }
    while (i < n && n >= LANES) { /* the last vector may overlap the one before */
        i = i + LANES <= n ? i : n - LANES;
        Vec v = vec_load(x + i, LANES);
        low[0] = vec_min(v, low[0]);
        high[0] = vec_max(v, high[0]);
        bad[0] = bad[0] + (v - v);
        i += LANES;
    }
    float least = vec_lowest(low[0]), most = vec_highest(high[0]), wrong = vec_total(bad[0]);
    for (; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
        wrong += x[i] - x[i];
    }
    *lo = wrong == 0 ? least : NAN;
    *hi = wrong == 0 ? most : NAN;
}

static void KERNEL(add)(size_t n, const float *x, float *y)
{
#define ADD_STEP(i, count)                                                                         \
    vec_store(y + (i), vec_load(y + (i), count) + vec_load(x + (i), count), count)
    FOR_VECTORS(n, ADD_STEP);
#undef ADD_STEP
}

static void KERNEL(sum)(size_t n, const float *a, const float *b, float *y)
{
#define SUM_STEP(i, count)                                                                         \
    vec_store(y + (i), vec_load(a + (i), count) + vec_load(b + (i), count), count)
    FOR_VECTORS(n, SUM_STEP);
#undef SUM_STEP
}

static inline unsigned relu_step(const float *x, Vec top, float *y, size_t count)
{
    Vec zero = vec_set(0), v = vec_load(x, count);
    vec_store(y, vec_min(vec_max(v, zero), top), count);
    return vec_between(v, zero, top);
}

/* Bits are stored 64 at a time: two streams of stores that alternate run at half the speed. */
static void KERNEL(relu)(size_t n, const float *x, float hi, float *y, uint8_t *mask)
{
    Vec top = vec_set(hi);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        uint64_t bits = 0;
        for (int j = 0; j < 64; j += LANES)
            bits |= (uint64_t)relu_step(x + i + j, top, y + i + j, LANES) << j;
        if (mask)
            memcpy(mask + i / 8, &bits, sizeof bits);
    }
    for (; i < n; i += LANES) {
        size_t count = n - i < LANES ? n - i : LANES;
        unsigned bits = relu_step(x + i, top, y + i, count);
        if (mask)
            bits_store(mask + i / 8, bits, count);
    }
}

static void KERNEL(mask_grad)(size_t n, const float *dy, const uint8_t *mask, bool accumulate,
                              float *dx)
{
#define KEPT(i, count)     vec_keep(vec_load(dy + (i), count), bits_load(mask + (i) / 8, count))
#define SET_STEP(i, count) vec_store(dx + (i), KEPT(i, count), count)
#define ADD_STEP(i, count) vec_store(dx + (i), vec_load(dx + (i), count) + KEPT(i, count), count)
    if (accumulate)
        FOR_VECTORS(n, ADD_STEP);
    else
        FOR_VECTORS(n, SET_STEP);
#undef KEPT
#undef SET_STEP
#undef ADD_STEP
}

/* lo and hi are the bounds without the zero point. */
static inline void quantize_step(Vec x, Vec inverse, int32_t zero_point, Vec lo, Vec hi, int8_t *q,
                                 uint8_t *mask, size_t count)
{
    Vec v = vec_rint(x * inverse);
    vec_store_codes(q, vec_min(vec_max(v, lo), hi), zero_point, count);
    if (mask)
        bits_store(mask, vec_within(v, lo, hi), count);
}

static void KERNEL(quantize)(size_t n, const float *x, float scale, int32_t zero_point, int32_t lo,
                             int32_t hi, int8_t *q, uint8_t *mask)
{
    Vec inverse = vec_set(1.0f / scale);
    Vec low = vec_set((float)(lo - zero_point)), high = vec_set((float)(hi - zero_point));
#define MASK_STEP(i, count)                                                                        \
    quantize_step(vec_load(x + (i), count), inverse, zero_point, low, high, q + (i),               \
                  mask + (i) / 8, count)
#define PLAIN_STEP(i, count)                                                                       \
    quantize_step(vec_load(x + (i), count), inverse, zero_point, low, high, q + (i), NULL, count)
    if (mask)
        FOR_VECTORS(n, MASK_STEP);
    else
        FOR_VECTORS(n, PLAIN_STEP);
#undef MASK_STEP
#undef PLAIN_STEP
}

static void KERNEL(quantize_each)(size_t n, const float *x, const float *scale, int32_t lo,
                                  int32_t hi, int8_t *q, uint8_t *mask)
{
    Vec one = vec_set(1), low = vec_set((float)lo), high = vec_set((float)hi);
#define EACH_STEP(i, count)                                                                        \
    quantize_step(vec_load(x + (i), count), one / vec_load(scale + (i), count), 0, low, high,      \
                  q + (i), mask ? mask + (i) / 8 : NULL, count)
    FOR_VECTORS(n, EACH_STEP);
#undef EACH_STEP
}

static void KERNEL(dequantize)(size_t n, const int8_t *q, float scale, int32_t zero_point, float *x)
{
    Vec unit = vec_set(scale);
#define REAL_STEP(i, count)                                                                        \
    vec_store(x + (i), unit * vec_load_codes(q + (i), zero_point, count), count)
    FOR_VECTORS(n, REAL_STEP);
#undef REAL_STEP
}

/* ---- channels ---- */

/* Channels that are summed at a time: enough independent chains to hide an addition's latency. */
enum { BLOCK = 4, BLOCK_LANES = BLOCK * LANES };

/* n channels in count vectors, the last one partial unless n == count * LANES. */
static inline size_t part(size_t n, int j)
{
    return n - (size_t)j * LANES < LANES ? n - (size_t)j * LANES : LANES;
}

ALWAYS_INLINE void moments_block(size_t rows, size_t ld, const float *x, const float *pivot,
                                 float *sum, float *square, size_t n, int count)
{
    Vec p[BLOCK], s[BLOCK], q[BLOCK];
    for (int j = 0; j < count; j++) {
        p[j] = vec_load(pivot + j * LANES, part(n, j));
        s[j] = vec_load(sum + j * LANES, part(n, j));
        q[j] = vec_load(square + j * LANES, part(n, j));
    }
    for (size_t r = 0; r < rows; r++, x += ld) {
        for (int j = 0; j < count; j++) {
            Vec d = vec_load(x + j * LANES, part(n, j)) - p[j];
            s[j] = s[j] + d;
            q[j] = q[j] + d * d;
        }
    }
    for (int j = 0; j < count; j++) {
        vec_store(sum + j * LANES, s[j], part(n, j));
        vec_store(square + j * LANES, q[j], part(n, j));
    }
}

/* Sums go over channels in blocks of up to BLOCK vectors, the last of them partial: CASE(1) to
 * CASE(BLOCK), each with its constant, for channels i .. i + left - 1. Of many channels they take a
 * few rows at a time, for memory to be read in its order. */
#define FOR_BLOCKS(n, CASE)                                                                        \
    for (size_t i = 0, left; i < (n); i += BLOCK_LANES) {                                          \
        left = (n)-i < BLOCK_LANES ? (n)-i : BLOCK_LANES;                                          \
        switch ((left + LANES - 1) / LANES) {                                                      \
            CASE(1)                                                                                \
            CASE(2)                                                                                \
            CASE(3)                                                                                \
            CASE(4)                                                                                \
        }                                                                                          \
    }

static inline size_t rows_at_once(size_t rows, size_t n)
{
    enum { TILE = 2048, LEAST = 4 };
    const size_t tile = TILE / n > LEAST ? TILE / n : LEAST;
    return n <= BLOCK_LANES || rows < tile ? rows : tile;
}

static void KERNEL(channel_moments)(size_t rows, int c, const float *x, const float *pivot,
                                    float *sum, float *square)
{
    const size_t n = (size_t)c, step = rows_at_once(rows, n);
#define MOMENTS_CASE(count)                                                                        \
    case count:                                                                                    \
        moments_block(here, n, x + i, pivot + i, sum + i, square + i, left, count);                \
        break;
    for (size_t r = 0; r < rows; r += step, x += step * n) {
        const size_t here = rows - r < step ? rows - r : step;
        FOR_BLOCKS(n, MOMENTS_CASE)
    }
#undef MOMENTS_CASE
}

static void KERNEL(channel_affine)(size_t rows, int c, const float *x, const float *a,
                                   const float *b, float *y)
{
    size_t n = (size_t)c;
#define AFFINE_STEP(i, count)                                                                      \
    vec_store(y + (i),                                                                             \
              vec_load(a + (i), count) * vec_load(x + (i), count) + vec_load(b + (i), count),      \
              count)
    for (size_t r = 0; r < rows; r++, x += n, y += n)
        FOR_VECTORS(n, AFFINE_STEP);
#undef AFFINE_STEP
}

ALWAYS_INLINE void grad_sums_block(size_t rows, size_t ld, const float *dy, const float *x,
                                   const float *pivot, float *sum_dy, float *sum_dyx, size_t n,
                                   int count)
{
    Vec p[BLOCK], s[BLOCK], q[BLOCK];
    for (int j = 0; j < count; j++) {
        p[j] = vec_load(pivot + j * LANES, part(n, j));
        s[j] = vec_load(sum_dy + j * LANES, part(n, j));
        q[j] = vec_load(sum_dyx + j * LANES, part(n, j));
    }
    for (size_t r = 0; r < rows; r++, dy += ld, x += ld) {
        for (int j = 0; j < count; j++) {
            Vec d = vec_load(dy + j * LANES, part(n, j));
            s[j] = s[j] + d;
            q[j] = q[j] + d * (vec_load(x + j * LANES, part(n, j)) - p[j]);
        }
    }
    for (int j = 0; j < count; j++) {
        vec_store(sum_dy + j * LANES, s[j], part(n, j));
        vec_store(sum_dyx + j * LANES, q[j], part(n, j));
    }
}

static void KERNEL(channel_grad_sums)(size_t rows, int c, const float *dy, const float *x,
                                      const float *pivot, float *sum_dy, float *sum_dyx)
{
    const size_t n = (size_t)c, step = rows_at_once(rows, n);
#define SUMS_CASE(count)                                                                           \
    case count:                                                                                    \
        grad_sums_block(here, n, dy + i, x + i, pivot + i, sum_dy + i, sum_dyx + i, left, count);  \
        break;
    for (size_t r = 0; r < rows; r += step, dy += step * n, x += step * n) {
        const size_t here = rows - r < step ? rows - r : step;
        FOR_BLOCKS(n, SUMS_CASE)
    }
#undef SUMS_CASE
}

static void KERNEL(channel_grad)(size_t rows, int c, const float *dy, const float *x,
                                 const float *a, const float *b, const float *k, bool accumulate,
                                 float *dx)
{
    size_t n = (size_t)c;
#define GRAD(i, count)                                                                             \
    (vec_load(a + (i), count) * vec_load(dy + (i), count) +                                        \
     vec_load(b + (i), count) * vec_load(x + (i), count) + vec_load(k + (i), count))
#define SET_STEP(i, count) vec_store(dx + (i), GRAD(i, count), count)
#define ADD_STEP(i, count) vec_store(dx + (i), vec_load(dx + (i), count) + GRAD(i, count), count)
    for (size_t r = 0; r < rows; r++, dy += n, x += n, dx += n) {
        if (accumulate)
            FOR_VECTORS(n, ADD_STEP);
        else
            FOR_VECTORS(n, SET_STEP);
    }
#undef GRAD
#undef SET_STEP
#undef ADD_STEP
}

#include "core/kernels_fused_body.h"
#include "core/kernels_ring_body.h"

#define KERNEL_TABLE(level)                                                                        \
    {                                                                                              \
        .name = (level), .minmax = KERNEL(minmax), .add = KERNEL(add), .sum = KERNEL(sum),         \
        .relu = KERNEL(relu), .mask_grad = KERNEL(mask_grad), .quantize = KERNEL(quantize),        \
        .quantize_each = KERNEL(quantize_each), .dequantize = KERNEL(dequantize),                  \
        .channel_moments = KERNEL(channel_moments), .channel_affine = KERNEL(channel_affine),      \
        .channel_grad_sums = KERNEL(channel_grad_sums), .channel_grad = KERNEL(channel_grad),      \
        .channel_statistics = KERNEL(channel_statistics),                                          \
        .channel_extent = KERNEL(channel_extent), .channel_quantize = KERNEL(channel_quantize),    \
        .masked_grad_sums = KERNEL(masked_grad_sums), .masked_grad = KERNEL(masked_grad),          \
        .add_quantize = KERNEL(add_quantize), .ring = &KERNEL(ring),                               \
    }

#endif
