/* The float kernels for AVX-512: the vector that kernels_body.h is written in, 16 floats of 512
 * bits. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels.h"

#if defined(__x86_64__) && !defined(HONE_DOUBLE)

#include <immintrin.h>
#include <string.h>

#define KERNEL(name) name##_avx512
enum { LANES = 16 };
typedef __m512 Vec;

/* The first n lanes. */
static inline __mmask16 lanes(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline Vec vec_load(const float *p, size_t n)
{
    return n >= LANES ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(lanes(n), p);
}

static inline void vec_store(float *p, Vec v, size_t n)
{
    if (n >= LANES)
        _mm512_storeu_ps(p, v);
    else
        _mm512_mask_storeu_ps(p, lanes(n), v);
}

static inline Vec vec_set(float v)
{
    return _mm512_set1_ps(v);
}

/* a b + c, rounded once. */
static inline Vec vec_fma(Vec a, Vec b, Vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* a > b ? a : b: b where a is NaN. */
static inline Vec vec_max(Vec a, Vec b)
{
    return _mm512_max_ps(a, b);
}

static inline Vec vec_min(Vec a, Vec b)
{
    return _mm512_min_ps(a, b);
}

static inline float vec_lowest(Vec v)
{
    return _mm512_reduce_min_ps(v);
}

static inline float vec_highest(Vec v)
{
    return _mm512_reduce_max_ps(v);
}

/* In any order. */
static inline float vec_total(Vec v)
{
    return _mm512_reduce_add_ps(v);
}

static inline Vec vec_rint(Vec v)
{
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline unsigned vec_within(Vec v, Vec lo, Vec hi)
{
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(v, lo, _CMP_GE_OQ), v, hi, _CMP_LE_OQ);
}

static inline unsigned vec_between(Vec v, Vec lo, Vec hi)
{
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(v, lo, _CMP_GT_OQ), v, hi, _CMP_LT_OQ);
}

static inline unsigned vec_above(Vec v, Vec bound)
{
    return _mm512_cmp_ps_mask(v, bound, _CMP_GT_OQ);
}

static inline unsigned vec_from(Vec v, Vec bound)
{
    return _mm512_cmp_ps_mask(v, bound, _CMP_GE_OQ);
}

static inline unsigned vec_below(Vec v, Vec bound)
{
    return _mm512_cmp_ps_mask(v, bound, _CMP_LT_OQ);
}

static inline unsigned vec_to(Vec v, Vec bound)
{
    return _mm512_cmp_ps_mask(v, bound, _CMP_LE_OQ);
}

/* vec_min and vec_max in the first n lanes, b in the others. */
static inline Vec vec_least(Vec a, Vec b, size_t n)
{
    return n >= LANES ? vec_min(a, b) : _mm512_mask_min_ps(b, lanes(n), a, b);
}

static inline Vec vec_most(Vec a, Vec b, size_t n)
{
    return n >= LANES ? vec_max(a, b) : _mm512_mask_max_ps(b, lanes(n), a, b);
}

/* The larger magnitude: bits of magnitudes are in their order, and those of NaNs above them. most has no
 * sign. */
static inline Vec vec_peak(Vec v, Vec most)
{
    const __m512i bits = _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7fffffff));
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(most), bits));
}

static inline Vec vec_keep(Vec v, unsigned bits)
{
    return _mm512_maskz_mov_ps((__mmask16)bits, v);
}

/* v plus offset as codes; both are integers, the sum fits int8. */
static inline void vec_store_codes(int8_t *q, Vec v, int32_t offset, size_t n)
{
    __m512i codes = _mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(offset));
    __m128i bytes = _mm512_cvtepi32_epi8(codes);
    if (n >= LANES)
        _mm_storeu_si128((__m128i *)(void *)q, bytes);
    else
        _mm_mask_storeu_epi8(q, lanes(n), bytes);
}

static inline Vec vec_load_codes(const int8_t *q, int32_t zero_point, size_t n)
{
    __m128i bytes = n >= LANES ? _mm_loadu_si128((const __m128i *)(const void *)q)
                               : _mm_maskz_loadu_epi8(lanes(n), q);
    __m512i codes = _mm512_cvtepi8_epi32(bytes);
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(codes, _mm512_set1_epi32(zero_point)));
}

static inline void bits_store(uint8_t *mask, unsigned bits, size_t n)
{
    uint16_t word = (uint16_t)(n >= LANES ? bits : bits & lanes(n));
    if (n > 8)
        memcpy(mask, &word, 2);
    else
        *mask = (uint8_t)word;
}

static inline unsigned bits_load(const uint8_t *mask, size_t n)
{
    if (n <= 8)
        return *mask;
    uint16_t word;
    memcpy(&word, mask, 2);
    return word;
}

#include "core/kernels_body.h"

const Kernels kernels_avx512 = KERNEL_TABLE("avx512");

#endif
