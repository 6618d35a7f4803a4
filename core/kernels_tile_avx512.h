/* The vector that kernels_tile_body.h is written in, for AVX-512, and the sizes of its blocks: what the
 * convolution kernels and those of 16-bit pairs have in common. Empty elsewhere.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_TILE_AVX512_H
#define HONE_CORE_KERNELS_TILE_AVX512_H

#if defined(__AVX512F__) && defined(__AVX512VL__) && !defined(HONE_DOUBLE)

#include <immintrin.h>

typedef __m512 Vec;
typedef __mmask16 Mask;
/* 24 accumulators, 2 vectors of weights and a broadcast fit the 32 registers; 12 rows fit the
 * general ones. The outer product has one pointer for all its rows. */
enum { LANES = 16, ROWS = 12, OUTER_ROWS_1 = 24, OUTER_ROWS_2 = 12 };
#define TAPS_PIXELS 16

static inline Mask mask_first(int n)
{
    return (Mask)((1u << n) - 1u);
}
static inline Vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline Vec vec_load_part(const float *p, Mask m)
{
    return _mm512_maskz_loadu_ps(m, p);
}
static inline void vec_store(float *p, Vec v)
{
    _mm512_storeu_ps(p, v);
}
static inline void vec_store_part(float *p, Mask m, Vec v)
{
    _mm512_mask_storeu_ps(p, m, v);
}
static inline Vec vec_set(float x)
{
    return _mm512_set1_ps(x);
}
static inline Vec vec_add(Vec a, Vec b)
{
    return _mm512_add_ps(a, b);
}

#endif

#endif
