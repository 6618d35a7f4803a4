/* The vector that kernels_tile_body.h is written in, for AVX2, and the sizes of its blocks: what the
 * convolution kernels and those of 16-bit pairs have in common. Empty elsewhere.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_TILE_AVX2_H
#define HONE_CORE_KERNELS_TILE_AVX2_H

#if defined(__AVX2__) && defined(__FMA__) && !defined(HONE_DOUBLE)

#include <immintrin.h>

typedef __m256 Vec;
typedef __m256i Mask;
/* 12 accumulators, 2 vectors of weights and a broadcast fit the 16 registers. */
enum { LANES = 8, ROWS = 6, OUTER_ROWS_1 = 12, OUTER_ROWS_2 = 6 };

static inline Mask mask_first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline Vec vec_load_part(const float *p, Mask m)
{
    return _mm256_maskload_ps(p, m);
}
static inline void vec_store(float *p, Vec v)
{
    _mm256_storeu_ps(p, v);
}
static inline void vec_store_part(float *p, Mask m, Vec v)
{
    _mm256_maskstore_ps(p, m, v);
}
static inline Vec vec_set(float x)
{
    return _mm256_set1_ps(x);
}
static inline Vec vec_add(Vec a, Vec b)
{
    return _mm256_add_ps(a, b);
}

#endif

#endif
