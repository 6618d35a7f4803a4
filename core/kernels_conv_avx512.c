/* Convolution kernels for AVX-512: see kernels_conv_body.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_conv.h"

#if defined(__AVX512F__) && defined(__AVX512VL__) && !defined(HONE_DOUBLE)

#include "core/kernels_tile_avx512.h"

#define TABLE      kernels_conv_avx512
#define TABLE_NAME "avx512"

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
