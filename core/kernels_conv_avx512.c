/* Convolution kernels for AVX-512: see kernels_conv_body.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_conv.h"

#if defined(__AVX512F__) && defined(__AVX512VL__) && !defined(HONE_DOUBLE)

#include <immintrin.h>

typedef __m512 Vec;
typedef __mmask16 Mask;
/* 24 accumulators, 2 vectors of weights and a broadcast fit the 32 registers; 12 rows fit the
 * general ones. The outer product has one pointer for all its rows. */
enum { LANES = 16, ROWS = 12, OUTER_ROWS_1 = 24, OUTER_ROWS_2 = 12 };
#define TABLE      kernels_conv_avx512
#define TABLE_NAME "avx512"

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
static inline Vec vec_fma(Vec a, Vec b, Vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline Vec vec_scale_part(const int32_t *acc, const float *scale, Mask m)
{
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(m, acc)),
                         _mm512_maskz_loadu_ps(m, scale));
}

#include "core/kernels_conv_body.h"

#else
typedef int KernelsConvAvx512; /* an empty file is not C */
#endif
