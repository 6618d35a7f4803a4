/* Convolution kernels for AVX2: see kernels_conv_body.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_conv.h"

#if defined(__AVX2__) && defined(__FMA__) && !defined(HONE_DOUBLE)

#include <immintrin.h>

typedef __m256 Vec;
typedef __m256i Mask;
/* 12 accumulators, 2 vectors of weights and a broadcast fit the 16 registers. */
enum { LANES = 8, ROWS = 6, OUTER_ROWS_1 = 12, OUTER_ROWS_2 = 6 };
#define TABLE      kernels_conv_avx2
#define TABLE_NAME "avx2"

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
static inline Vec vec_fma(Vec a, Vec b, Vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline Vec vec_scale_part(const int32_t *acc, const float *scale, Mask m)
{
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_maskload_epi32(acc, m)),
                         _mm256_maskload_ps(scale, m));
}

#include "core/kernels_conv_body.h"

#else
typedef int KernelsConvAvx2; /* an empty file is not C */
#endif
