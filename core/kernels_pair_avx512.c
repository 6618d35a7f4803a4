/* 16-bit products for AVX-512: see kernels_pair_body.h. vpdpwssd for int16, vdpbf16ps for bf16.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_pair.h"

#if defined(__AVX512F__) && defined(__AVX512VL__) && !defined(HONE_DOUBLE)

#include "core/kernels_tile_avx512.h"

static inline Vec vec_mul(Vec a, Vec b)
{
    return _mm512_mul_ps(a, b);
}
static inline void pairs_store(uint32_t *to, __m512i v)
{
    _mm512_storeu_si512(to, v);
}
static inline void pairs_store_part(uint32_t *to, Mask m, __m512i v)
{
    _mm512_mask_storeu_epi32(to, m, v);
}
/* The first n codes, the others any number. */
static inline __m512i vec_codes(const int8_t *p, int32_t zero_point, size_t n)
{
    if (!p)
        return _mm512_setzero_si512();
    const __m128i q = n >= LANES ? _mm_loadu_si128((const __m128i *)(const void *)p)
                                 : _mm_maskz_loadu_epi8(mask_first((int)n), p);
    return _mm512_sub_epi32(_mm512_cvtepi8_epi32(q), _mm512_set1_epi32(zero_point));
}
/* The bits of magnitudes are in the order of the magnitudes, and those of NaNs above them. */
static void vec_peaks(size_t rows, int channels, const float *x, float *peak)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    for (int c = 0; c < channels; c += LANES) {
        const Mask part = mask_first(channels - c < LANES ? channels - c : LANES);
        __m512i most = _mm512_maskz_loadu_epi32(part, peak + c);
        const float *row = x + c;
        for (size_t r = 0; r < rows; r++, row += channels)
            most = _mm512_max_epi32(
                most, _mm512_and_si512(_mm512_maskz_loadu_epi32(part, row), magnitude));
        _mm512_mask_storeu_epi32(peak + c, part, most);
    }
}
/* (a, b) of the lower halves. */
static inline __m512i lower_halves(__m512i a, __m512i b)
{
    return _mm512_mask_blend_epi16(0xaaaaaaaa, a, _mm512_slli_epi32(b, 16));
}
/* (a, b) of the upper halves. */
static inline __m512i upper_halves(__m512i a, __m512i b)
{
    return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(a, 16), b);
}

/* What packs leaves: 64 bits of the first vector, 64 of the second, and so on. */
static inline __m512i in_order(__m512i v)
{
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), v);
}

/* ---- int16 ------------------------------------------------------------------------------------ */

#define TILE(name) name##_int16
#define TABLE      kernels_int16_avx512
#define KIND       "int16"
#define SCALED     true
#define ELEMENTS   __m512i
#define SUMS       __m512i

static inline __m512i elements_load_int16(const uint32_t *p)
{
    return _mm512_loadu_si512(p);
}
static inline __m512i elements_load_part_int16(const uint32_t *p, Mask m)
{
    return _mm512_maskz_loadu_epi32(m, p);
}
static inline __m512i elements_set_int16(uint32_t x)
{
    return _mm512_set1_epi32((int)x);
}
static inline __m512i sums_load_int16(const uint32_t *p)
{
    return _mm512_loadu_si512(p);
}
static inline __m512i sums_zero_int16(void)
{
    return _mm512_setzero_si512();
}
static inline __m512i sums_add_int16(__m512i sums, __m512i a, __m512i b)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b)); /* gcc 12 spills the intrinsic */
    return sums;
}
static inline Vec sums_real_int16(__m512i sums)
{
    return _mm512_cvtepi32_ps(sums);
}
static inline __m512i join_int16(Vec a, Vec b)
{
    return lower_halves(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
}
static inline __m512i join_codes_int16(__m512i a, __m512i b)
{
    return lower_halves(a, b);
}
static inline __m512i halves_int16(Vec a, Vec b)
{
    return _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
}

#include "core/kernels_pair_body.h"

/* ---- bf16 ------------------------------------------------------------------------------------- */

#define TILE(name) name##_bf16
#define TABLE      kernels_bf16_avx512
#define KIND       "bf16"
#define SCALED     false
#define ELEMENTS   __m512bh
#define SUMS       __m512

static inline __m512bh elements_load_bf16(const uint32_t *p)
{
    return (__m512bh)_mm512_loadu_si512(p);
}
static inline __m512bh elements_load_part_bf16(const uint32_t *p, Mask m)
{
    return (__m512bh)_mm512_maskz_loadu_epi32(m, p);
}
static inline __m512bh elements_set_bf16(uint32_t x)
{
    return (__m512bh)_mm512_set1_epi32((int)x);
}
static inline __m512 sums_load_bf16(const uint32_t *p)
{
    return _mm512_castsi512_ps(_mm512_loadu_si512(p));
}
static inline __m512 sums_zero_bf16(void)
{
    return _mm512_setzero_ps();
}
static inline __m512 sums_add_bf16(__m512 sums, __m512bh a, __m512bh b)
{
    return _mm512_dpbf16_ps(sums, a, b);
}
static inline Vec sums_real_bf16(__m512 sums)
{
    return sums;
}
/* Rounds to even in the upper half; the lower half is any number. */
static inline __m512i rounded_bf16(Vec v)
{
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(_mm512_set1_epi32(0x7fff), odd));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_mask_or_epi32(up, nan, bits, _mm512_set1_epi32(0x400000));
}
static inline __m512i join_bf16(Vec a, Vec b)
{
    return upper_halves(rounded_bf16(a), rounded_bf16(b));
}
static inline __m512i join_codes_bf16(__m512i a, __m512i b)
{
    return upper_halves(_mm512_castps_si512(_mm512_cvtepi32_ps(a)),
                        _mm512_castps_si512(_mm512_cvtepi32_ps(b)));
}
static inline __m512i halves_bf16(Vec a, Vec b)
{
    return _mm512_packus_epi32(_mm512_srli_epi32(rounded_bf16(a), 16),
                               _mm512_srli_epi32(rounded_bf16(b), 16));
}

#include "core/kernels_pair_body.h"

#else
typedef int KernelsPairAvx512; /* an empty file is not C */
#endif
