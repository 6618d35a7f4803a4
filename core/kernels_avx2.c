/* The float kernels for AVX2: the vector that kernels_body.h is written in, 8 floats of 256 bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels.h"

#if defined(__x86_64__) && !defined(HONE_DOUBLE)

#include <immintrin.h>
#include <string.h>

#define KERNEL(name) name##_avx2
enum { LANES = 8 };
typedef __m256 Vec;

/* All bits of the first n lanes, for the masked moves. */
static inline __m256i lanes(size_t n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), index);
}

/* One lane per bit. */
static inline __m256i spread(unsigned bits)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), bit), bit);
}

static inline Vec vec_load(const float *p, size_t n)
{
    return n >= LANES ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes(n));
}

static inline void vec_store(float *p, Vec v, size_t n)
{
    if (n >= LANES)
        _mm256_storeu_ps(p, v);
    else
        _mm256_maskstore_ps(p, lanes(n), v);
}

static inline Vec vec_set(float v)
{
    return _mm256_set1_ps(v);
}

/* a b + c, rounded once. */
static inline Vec vec_fma(Vec a, Vec b, Vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* a > b ? a : b: b where a is NaN. */
static inline Vec vec_max(Vec a, Vec b)
{
    return _mm256_max_ps(a, b);
}

static inline Vec vec_min(Vec a, Vec b)
{
    return _mm256_min_ps(a, b);
}

static inline float vec_lowest(Vec v)
{
    __m128 m = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_min_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_min_ss(m, _mm_shuffle_ps(m, m, 1)));
}

static inline float vec_highest(Vec v)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
}

/* In any order. */
static inline float vec_total(Vec v)
{
    __m128 m = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_add_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_add_ss(m, _mm_shuffle_ps(m, m, 1)));
}

static inline Vec vec_rint(Vec v)
{
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline unsigned vec_within(Vec v, Vec lo, Vec hi)
{
    return (unsigned)_mm256_movemask_ps(
        _mm256_and_ps(_mm256_cmp_ps(v, lo, _CMP_GE_OQ), _mm256_cmp_ps(v, hi, _CMP_LE_OQ)));
}

static inline unsigned vec_between(Vec v, Vec lo, Vec hi)
{
    return (unsigned)_mm256_movemask_ps(
        _mm256_and_ps(_mm256_cmp_ps(v, lo, _CMP_GT_OQ), _mm256_cmp_ps(v, hi, _CMP_LT_OQ)));
}

static inline unsigned vec_above(Vec v, Vec bound)
{
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, bound, _CMP_GT_OQ));
}

static inline unsigned vec_from(Vec v, Vec bound)
{
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, bound, _CMP_GE_OQ));
}

static inline unsigned vec_below(Vec v, Vec bound)
{
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, bound, _CMP_LT_OQ));
}

static inline unsigned vec_to(Vec v, Vec bound)
{
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, bound, _CMP_LE_OQ));
}

/* vec_min and vec_max in the first n lanes, b in the others. */
static inline Vec vec_least(Vec a, Vec b, size_t n)
{
    const Vec least = vec_min(a, b);
    return n >= LANES ? least : _mm256_blendv_ps(b, least, _mm256_castsi256_ps(lanes(n)));
}

static inline Vec vec_most(Vec a, Vec b, size_t n)
{
    const Vec most = vec_max(a, b);
    return n >= LANES ? most : _mm256_blendv_ps(b, most, _mm256_castsi256_ps(lanes(n)));
}

/* The larger magnitude: bits of magnitudes are in their order, and those of NaNs above them. most has no
 * sign. */
static inline Vec vec_peak(Vec v, Vec most)
{
    const __m256i bits = _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff));
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(most), bits));
}

static inline Vec vec_keep(Vec v, unsigned bits)
{
    return _mm256_and_ps(v, _mm256_castsi256_ps(spread(bits)));
}

/* v plus offset as codes; both are integers, the sum fits int8. */
static inline void vec_store_codes(int8_t *q, Vec v, int32_t offset, size_t n)
{
    __m256i codes = _mm256_add_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(offset));
    __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1));
    int64_t bytes = _mm_cvtsi128_si64(_mm_packs_epi16(words, words));
    if (n >= LANES)
        memcpy(q, &bytes, sizeof bytes);
    else
        memcpy(q, &bytes, n);
}

static inline Vec vec_load_codes(const int8_t *q, int32_t zero_point, size_t n)
{
    int64_t bytes = 0;
    if (n >= LANES)
        memcpy(&bytes, q, sizeof bytes);
    else
        memcpy(&bytes, q, n);
    __m256i codes = _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(codes, _mm256_set1_epi32(zero_point)));
}

static inline void bits_store(uint8_t *mask, unsigned bits, size_t n)
{
    *mask = (uint8_t)(n >= LANES ? bits : bits & ((1u << n) - 1));
}

static inline unsigned bits_load(const uint8_t *mask, size_t n)
{
    (void)n;
    return *mask;
}

#include "core/kernels_body.h"

const Kernels kernels_avx2 = KERNEL_TABLE("avx2");

#endif
