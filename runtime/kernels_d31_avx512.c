/* Profile D31 (fixed.h) for x86-64 with AVX-512. Bit-identical to kernels_ref.c; the arithmetic is that
 * of kernels_d31_avx2.c on twice the lanes, with masks for what is left over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_d31.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

/* Multipliers and shifts of 16 lanes. */
typedef struct Scales {
    __m512i m, m_odd, n, mask, limit;
} Scales;

INLINE Scales expand(__m512i m, __m512i e)
{
    const __m512i one = _mm512_set1_epi32(1);
    Scales s = {.m = m, .m_odd = _mm512_srli_epi64(m, 32)};
    s.n = _mm512_sub_epi32(_mm512_setzero_si512(), e);
    s.mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, s.n), one);
    s.limit = _mm512_srli_epi32(s.mask, 1);
    return s;
}

INLINE __m512i rescale(__m512i acc, const Scales *s)
{
    const __m512i nudge = _mm512_set1_epi64((int64_t)1 << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(acc, s->m), nudge);
    const __m512i odd =
        _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(acc, 32), s->m_odd), nudge);
    const __m512i h =
        _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    const __m512i limit = _mm512_sub_epi32(s->limit, _mm512_srai_epi32(h, 31));
    const __mmask16 up = _mm512_cmpgt_epi32_mask(_mm512_and_si512(h, s->mask), limit);
    const __m512i down = _mm512_srav_epi32(h, s->n);
    return _mm512_mask_add_epi32(down, up, down, _mm512_set1_epi32(1));
}

/* Output codes: zero point and clamp. */
typedef struct Output {
    __m256i zp;
    __m128i lo, hi;
} Output;

INLINE Output output_of(int32_t y_zp, int32_t lo, int32_t hi)
{
    const Output o = {_mm256_set1_epi16((short)y_zp), _mm_set1_epi8((char)lo),
                      _mm_set1_epi8((char)hi)};
    return o;
}

/* 16 codes; what saturates in 16 bits is beyond the clamp with any zero point. */
INLINE void store_codes(int8_t *y, __mmask16 lanes, __m512i v, const Output *o)
{
    const __m256i words = _mm256_adds_epi16(_mm512_cvtsepi32_epi16(v), o->zp);
    const __m128i bytes = _mm256_cvtsepi16_epi8(words);
    _mm_mask_storeu_epi8(y, lanes, _mm_min_epi8(_mm_max_epi8(bytes, o->lo), o->hi));
}

INLINE __mmask16 lanes_of(size_t left)
{
    return (__mmask16)(left >= LANES ? 0xffffu : (1u << left) - 1u);
}

void hone_rt_avx512_requantize_d31(const int32_t *acc, int ld, int rows, int cols,
                                   const uint32_t *m, const int32_t *e, int32_t y_zp, int32_t lo,
                                   int32_t hi, int8_t *y, ptrdiff_t y_ld)
{
    const Output o = output_of(y_zp, lo, hi);
    if (!hone_rt_d31_is_fraction(e, cols)) {
        hone_rt_kernels_ref.requantize_d31(acc, ld, rows, cols, m, e, y_zp, lo, hi, y, y_ld);
        return;
    }
    for (int c = 0; c < cols; c += LANES) {
        const __mmask16 lanes = lanes_of((size_t)(cols - c));
        const Scales s =
            expand(_mm512_maskz_loadu_epi32(lanes, m + c), _mm512_maskz_loadu_epi32(lanes, e + c));
        for (int r = 0; r < rows; r++) {
            const __m512i v = _mm512_maskz_loadu_epi32(lanes, acc + (ptrdiff_t)r * ld + c);
            store_codes(y + r * y_ld + c, lanes, rescale(v, &s), &o);
        }
    }
}

/* 16 codes without their zero point, times 2^20. */
INLINE __m512i lift(const int8_t *x, __mmask16 lanes, __m512i zp)
{
    const __m512i codes = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes, x));
    return _mm512_slli_epi32(_mm512_sub_epi32(codes, zp), HONE_RT_D31_ADD_LIFT);
}

void hone_rt_avx512_add_d31(const HoneRtAddD31 *p, const int8_t *a, const int8_t *b, size_t n,
                            int8_t *y)
{
    const Output o = output_of(p->y_zp, p->lo, p->hi);
    const __m512i a_zp = _mm512_set1_epi32(p->a_zp), b_zp = _mm512_set1_epi32(p->b_zp);
    Scales s[3];
    for (int i = 0; i < 3; i++)
        s[i] = expand(_mm512_set1_epi32(p->m[i]), _mm512_set1_epi32(p->e[i]));
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 lanes = lanes_of(n - i);
        const __m512i sum = _mm512_add_epi32(rescale(lift(a + i, lanes, a_zp), &s[0]),
                                             rescale(lift(b + i, lanes, b_zp), &s[1]));
        store_codes(y + i, lanes, rescale(sum, &s[2]), &o);
    }
}

#endif
