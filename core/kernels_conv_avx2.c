/* Convolution kernels for AVX2: see kernels_conv_body.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_conv.h"

#if defined(__AVX2__) && defined(__FMA__) && !defined(HONE_DOUBLE)

#include "core/kernels_tile_avx2.h"

#define TABLE      kernels_conv_avx2
#define TABLE_NAME "avx2"

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
