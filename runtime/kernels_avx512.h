/* What the AVX-512 files share: exact requantization in registers. Internal to runtime/.
 *
 * S24 asks for floor(acc * m / 2^k + 1/2) + zp, then a clamp (fixed.h). With r = m * 2^-k, which is a
 * float32 exactly, and |acc| <= 2^24, which is one too, a fused multiply-add that rounds towards
 * minus infinity gives
 *
 *     t = RD(acc * r + (zp + 1/2))          one rounding, of the exact value z
 *
 * and floor(t) = floor(z): every integer up to 2^24 is a float32, so rounding down cannot pass one;
 * beyond 2^24 all floats are integers far outside of the codes, and saturate alike. r < 2^6 keeps
 * |z| below 2^31, so the conversion to int32 (again rounding down) is in range. Three instructions
 * for 16 codes, without 64-bit products, and no bit differs from fixed.h.
 *
 * Four vectors of sums become one of codes by packing with saturation inside 128-bit lanes: dword j
 * of lane L of the result is lane L of vector j.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_KERNELS_AVX512_H
#define HONE_RUNTIME_KERNELS_AVX512_H

#include "kernels.h"

/* Depthwise, as in the table of kernels (kernels_dw_avx512.c). */
size_t hone_rt_avx512_dw_pack_bytes(const HoneRtConv *g);
size_t hone_rt_avx512_dw_scratch_bytes(const HoneRtConv *g);
void hone_rt_avx512_dw_pack(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                            int32_t x_zero_point, void *packed);
void hone_rt_avx512_dw(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                       int row_end, void *scratch, HoneRtEpilogue epilogue, void *context);

#if defined(__AVX512VNNI__)

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* Towards minus infinity, whatever the rounding mode in force. */
#define ROUND_DOWN (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)

/* r of 16 words. */
INLINE __m512 s24_scale(__m512i words)
{
    const __m512i m = _mm512_and_si512(words, _mm512_set1_epi32(0xffffff));
    const __m512i k = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_srli_epi32(words, 24));
    return _mm512_scalef_ps(_mm512_cvtepi32_ps(m), _mm512_cvtepi32_ps(k));
}

/* zp + 1/2. */
INLINE __m512 s24_offset(int32_t y_zp)
{
    return _mm512_set1_ps((float)y_zp + 0.5f);
}

/* floor(acc * r + 1/2) + zp, saturated at +-2^31 at the latest; |acc| <= 2^24, r < 2^6. */
INLINE __m512i s24_floor(__m512i acc, __m512 scale, __m512 offset)
{
    const __m512 t = _mm512_fmadd_round_ps(_mm512_cvtepi32_ps(acc), scale, offset, ROUND_DOWN);
    return _mm512_cvt_roundps_epi32(t, ROUND_DOWN);
}

/* Dword j of lane L: the four codes of lane L of v[j], clamped to [lo, hi]. */
INLINE __m512i s24_pack(const __m512i v[4], __m512i lo, __m512i hi)
{
    const __m512i packed =
        _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
    return _mm512_min_epi8(_mm512_max_epi8(packed, lo), hi);
}

/* n ones, 0 <= n <= 64. */
INLINE uint64_t low_bits(int n)
{
    return n >= 64 ? ~0ull : (1ull << n) - 1;
}

#endif

#endif
