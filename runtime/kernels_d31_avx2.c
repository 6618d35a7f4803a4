/* Profile D31 (fixed.h) for x86-64 with AVX2. Bit-identical to kernels_ref.c.
 *
 * Without a left shift, h = (acc * m + 2^30) >> 31 is bits 31..62 of a 64-bit sum: products of even
 * and odd lanes, the results side by side as int32. Then, n = -e, in 32 bits, where h + 2^(n-1) could
 * overflow but gemmlowp's form cannot:
 *
 *     (h >> n) + 1 where the n bits that were shifted out exceed (2^n - 1) / 2 + (h < 0)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_d31.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

/* Multipliers and shifts of 8 lanes. */
typedef struct Scales {
    __m256i m, m_odd, n, mask, limit;
} Scales;

INLINE Scales expand(__m256i m, __m256i e)
{
    const __m256i one = _mm256_set1_epi32(1);
    Scales s = {.m = m, .m_odd = _mm256_srli_epi64(m, 32)};
    s.n = _mm256_sub_epi32(_mm256_setzero_si256(), e);
    s.mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, s.n), one);
    s.limit = _mm256_srli_epi32(s.mask, 1);
    return s;
}

INLINE __m256i rescale(__m256i acc, const Scales *s)
{
    const __m256i nudge = _mm256_set1_epi64x((int64_t)1 << 30);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(acc, s->m), nudge);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(acc, 32), s->m_odd), nudge);
    const __m256i h =
        _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
    const __m256i limit = _mm256_sub_epi32(s->limit, _mm256_srai_epi32(h, 31));
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(h, s->mask), limit);
    return _mm256_sub_epi32(_mm256_srav_epi32(h, s->n), up);
}

/* Output codes: zero point and clamp. */
typedef struct Output {
    __m128i zp, lo, hi;
} Output;

INLINE Output output_of(int32_t y_zp, int32_t lo, int32_t hi)
{
    const Output o = {_mm_set1_epi16((short)y_zp), _mm_set1_epi8((char)lo),
                      _mm_set1_epi8((char)hi)};
    return o;
}

/* 8 codes; what saturates in 16 bits is beyond the clamp with any zero point. */
INLINE void store_codes(int8_t *y, __m256i v, const Output *o)
{
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i shifted = _mm_adds_epi16(words, o->zp), bytes = _mm_packs_epi16(shifted, shifted);
    _mm_storel_epi64((__m128i *)(void *)y, _mm_min_epi8(_mm_max_epi8(bytes, o->lo), o->hi));
}

void hone_rt_avx2_requantize_d31(const int32_t *acc, int ld, int rows, int cols, const uint32_t *m,
                                 const int32_t *e, int32_t y_zp, int32_t lo, int32_t hi, int8_t *y,
                                 ptrdiff_t y_ld)
{
    const Output o = output_of(y_zp, lo, hi);
    const int whole = hone_rt_d31_is_fraction(e, cols) ? cols / LANES * LANES : 0;
    for (int c = 0; c < whole; c += LANES) {
        const Scales s = expand(_mm256_loadu_si256((const __m256i *)(const void *)(m + c)),
                                _mm256_loadu_si256((const __m256i *)(const void *)(e + c)));
        for (int r = 0; r < rows; r++) {
            const int32_t *at = acc + (ptrdiff_t)r * ld + c;
            const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)at);
            store_codes(y + r * y_ld + c, rescale(v, &s), &o);
        }
    }
    if (whole < cols)
        hone_rt_kernels_ref.requantize_d31(acc + whole, ld, rows, cols - whole, m + whole,
                                           e + whole, y_zp, lo, hi, y + whole, y_ld);
}

/* 8 codes without their zero point, times 2^20. */
INLINE __m256i lift(const int8_t *x, __m256i zp)
{
    const __m128i codes = _mm_loadl_epi64((const __m128i *)(const void *)x);
    return _mm256_slli_epi32(_mm256_sub_epi32(_mm256_cvtepi8_epi32(codes), zp),
                             HONE_RT_D31_ADD_LIFT);
}

void hone_rt_avx2_add_d31(const HoneRtAddD31 *p, const int8_t *a, const int8_t *b, size_t n,
                          int8_t *y)
{
    const Output o = output_of(p->y_zp, p->lo, p->hi);
    const __m256i a_zp = _mm256_set1_epi32(p->a_zp), b_zp = _mm256_set1_epi32(p->b_zp);
    Scales s[3];
    for (int i = 0; i < 3; i++)
        s[i] = expand(_mm256_set1_epi32(p->m[i]), _mm256_set1_epi32(p->e[i]));
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const __m256i sum =
            _mm256_add_epi32(rescale(lift(a + i, a_zp), &s[0]), rescale(lift(b + i, b_zp), &s[1]));
        store_codes(y + i, rescale(sum, &s[2]), &o);
    }
    if (i < n)
        hone_rt_kernels_ref.add_d31(p, a + i, b + i, n - i, y + i);
}

#endif
