/* Integer kernels for x86-64 with AVX2. Bit-identical to kernels_ref.c.
 *
 * vpmaddubsw saturates with full-range weights, so everything is widened to int16: activations are
 * stored as x - zx (padding is 0, no compensation), vpmaddwd adds two exact products per int32
 * lane. The inner tile is 4 pixels x 2 vectors of 8 channels: 8 accumulators, 16 registers.
 *
 * Depthwise: a vector is 1 pixel x 16 channels of one tap, the channels stored in the order
 * 0-3, 8-11, 4-7, 12-15; unpacking the words of two taps then gives [channels 0-7][2 taps] and
 * [channels 8-15][2 taps], in order.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "kernels_d31.h"
#include "kernels_layers.h"
#include "kernels_tile.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load256(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

INLINE void store256(void *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

INLINE __m128i load128(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

INLINE __m128i load64(const void *p)
{
    return _mm_loadl_epi64((const __m128i *)p);
}

/* ---- storing activations ---- */

/* 16 int8 to 16 int16 without their zero point. */
INLINE __m256i widen(__m128i x, __m256i x_zero_point)
{
    return _mm256_sub_epi16(_mm256_cvtepi8_epi16(x), x_zero_point);
}

static void store_s16(uint8_t *tile, const int8_t *x, size_t n, int32_t x_zero_point)
{
    const __m256i zero_point = _mm256_set1_epi16((short)x_zero_point);
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        store256(tile + 2 * i, widen(load128(x + i), zero_point));
    for (; i < n; i++) {
        const int16_t wide = (int16_t)(x[i] - x_zero_point);
        memcpy(tile + 2 * i, &wide, sizeof wide);
    }
}

static void dw_store_s16(uint8_t *tile, const int8_t *x, ptrdiff_t x_stride, int n, int channels,
                         int32_t x_zero_point)
{
    const __m256i zero_point = _mm256_set1_epi16((short)x_zero_point);
    for (int i = 0; i < n; i++, x += x_stride, tile += 2 * TILE_DW_CHANNELS) {
        int8_t some[TILE_DW_CHANNELS] = {0};
        __m128i v;
        if (channels == TILE_DW_CHANNELS) {
            v = load128(x);
        } else {
            memcpy(some, x, (size_t)channels);
            v = load128(some);
        }
        store256(tile, _mm256_permute4x64_epi64(widen(v, zero_point), 0xd8));
    }
}

/* ---- convolution ---- */

/* Two stored activations of one pixel, in every lane. */
INLINE __m256i broadcast_group(const uint8_t *p)
{
    int32_t two;
    memcpy(&two, p, sizeof two);
    return _mm256_set1_epi32(two);
}

/* The inner tile for constant ROWS (at most 4) and VECTORS. */
INLINE void gemm_tile(const TileGemm *t, const int32_t *pixel_offsets, int32_t *acc, const int ROWS,
                      const int VECTORS)
{
    const uint8_t *b = t->weights;
    const uint8_t *x[4];
    __m256i sum[4][TILE_VECTORS];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < VECTORS; v++)
            sum[r][v] = load256(t->bias + 32 * v);
    for (int run = 0; run < t->runs; run++) {
        const ptrdiff_t end = (ptrdiff_t)4 * t->groups;
        for (int r = 0; r < ROWS; r++)
            x[r] = t->tile + pixel_offsets[r] + t->run_offsets[run];
        for (ptrdiff_t k = 0; k < end; k += 4, b += 32 * VECTORS)
            for (int r = 0; r < ROWS; r++)
                for (int v = 0; v < VECTORS; v++)
                    sum[r][v] =
                        _mm256_add_epi32(sum[r][v], _mm256_madd_epi16(broadcast_group(x[r] + k),
                                                                      load256(b + 32 * v)));
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < VECTORS; v++)
            store256(acc + (ptrdiff_t)r * t->ld + 8 * v, sum[r][v]);
}

static void gemm(const TileGemm *t, int pixels, int vectors, const int32_t *pixel_offsets,
                 int32_t *acc)
{
    for (; pixels >= 4; pixels -= 4, pixel_offsets += 4, acc += (ptrdiff_t)4 * t->ld) {
        if (vectors == 2)
            gemm_tile(t, pixel_offsets, acc, 4, 2);
        else
            gemm_tile(t, pixel_offsets, acc, 4, 1);
    }
    for (; pixels > 0; pixels--, pixel_offsets++, acc += t->ld) {
        if (vectors == 2)
            gemm_tile(t, pixel_offsets, acc, 1, 2);
        else
            gemm_tile(t, pixel_offsets, acc, 1, 1);
    }
}

/* ---- depthwise ---- */

/* sum[0], sum[1] += 2 taps of channels 0-7 and 8-15 of one pixel. */
INLINE void dw_taps(const uint8_t *x, const int32_t *offsets, const uint8_t *w, __m256i sum[2])
{
    const __m256i t0 = load256(x + offsets[0]), t1 = load256(x + offsets[1]);
    const __m256i lo = _mm256_unpacklo_epi16(t0, t1), hi = _mm256_unpackhi_epi16(t0, t1);
    sum[0] = _mm256_add_epi32(sum[0], _mm256_madd_epi16(lo, load256(w)));
    sum[1] = _mm256_add_epi32(sum[1], _mm256_madd_epi16(hi, load256(w + 32)));
}

static void dw_row(const TileDepthwise *t, int n, int32_t *acc)
{
    const __m256i bias0 = load256(t->bias), bias1 = load256(t->bias + 32);
    const ptrdiff_t cell = 2 * TILE_DW_CHANNELS;
    for (int i = 0; i < n; i += 2, acc += 2 * TILE_DW_CHANNELS) {
        const uint8_t *x = t->tile + i * cell;
        __m256i sum0[2] = {bias0, bias1}, sum1[2] = {bias0, bias1};
        for (int g = 0; g < t->pairs; g++) {
            const uint8_t *w = t->weights + (ptrdiff_t)64 * g;
            dw_taps(x, t->tap_offsets + 2 * g, w, sum0);
            dw_taps(x + cell, t->tap_offsets + 2 * g, w, sum1);
        }
        store256(acc, sum0[0]);
        store256(acc + 8, sum0[1]);
        store256(acc + 16, sum1[0]);
        store256(acc + 24, sum1[1]);
    }
}

static const TileLevel level = {
    .element = 2,
    .group = 2,
    .lanes = 8,
    .dw_step = 2,
    .store = store_s16,
    .gemm = gemm,
    .dw_store = dw_store_s16,
    .dw_row = dw_row,
};

/* ---- requantization ---- */

/* What 8 channels' words expand to, even and odd lanes apart for the 32 x 32 -> 64 multiplies:
 * code = acc * m + add >> k, where add holds 2^(k-1), the zero point and 2^62. AVX2 has no
 * arithmetic 64-bit shift: 2^62, a multiple of 2^k, makes the sum positive for the logical one,
 * and its quotient is subtracted, modulo 2^32, from the low half of the result. */
typedef struct Scales {
    __m256i m_even, m_odd, k_even, k_odd, add_even, add_odd, subtract;
} Scales;

INLINE __m256i addend(__m256i k, __m256i big, int32_t y_zp)
{
    const __m256i one = _mm256_set1_epi64x(1);
    const __m256i half = _mm256_sllv_epi64(one, _mm256_sub_epi64(k, one));
    const __m256i zp = _mm256_sllv_epi64(_mm256_set1_epi64x(y_zp), k);
    return _mm256_add_epi64(big, _mm256_add_epi64(half, zp));
}

INLINE Scales expand_words(__m256i words, int32_t y_zp)
{
    const __m256i low24 = _mm256_set1_epi64x(0xffffff), low8 = _mm256_set1_epi64x(0xff);
    const __m256i big = _mm256_set1_epi64x((int64_t)1 << 62);
    Scales s;
    s.m_even = _mm256_and_si256(words, low24);
    s.m_odd = _mm256_and_si256(_mm256_srli_epi64(words, 32), low24);
    s.k_even = _mm256_and_si256(_mm256_srli_epi64(words, 24), low8);
    s.k_odd = _mm256_srli_epi64(words, 56);
    s.add_even = addend(s.k_even, big, y_zp);
    s.add_odd = addend(s.k_odd, big, y_zp);
    s.subtract = _mm256_blend_epi32(_mm256_srlv_epi64(big, s.k_even),
                                    _mm256_slli_epi64(_mm256_srlv_epi64(big, s.k_odd), 32), 0xaa);
    return s;
}

/* 8 codes as int32, not yet clamped, of narrow words (hone_rt_s24_is_narrow). */
INLINE __m256i rescale_vector(__m256i acc, const Scales *s)
{
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(acc, s->m_even), s->add_even);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(acc, 32), s->m_odd), s->add_odd);
    const __m256i e = _mm256_srlv_epi64(even, s->k_even), o = _mm256_srlv_epi64(odd, s->k_odd);
    const __m256i both = _mm256_blend_epi32(e, _mm256_slli_epi64(o, 32), 0xaa);
    return _mm256_sub_epi32(both, s->subtract);
}

/* Clamps 8 int32 codes and stores them as bytes. */
INLINE void store_codes(int8_t *y, __m256i codes, __m128i lo, __m128i hi)
{
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1));
    const __m128i bytes = _mm_packs_epi16(words, words);
    _mm_storel_epi64((__m128i *)(void *)y, _mm_min_epi8(_mm_max_epi8(bytes, lo), hi));
}

static void requantize_s24(const int32_t *acc, int ld, int rows, int cols, const uint32_t *words,
                           int32_t y_zp, int32_t lo, int32_t hi, int8_t *y, ptrdiff_t y_ld)
{
    const __m128i vlo = _mm_set1_epi8((char)lo), vhi = _mm_set1_epi8((char)hi);
    const int whole = hone_rt_s24_is_narrow(words, cols) ? cols / 8 * 8 : 0;
    for (int c = 0; c < whole; c += 8) {
        const Scales s = expand_words(load256(words + c), y_zp);
        for (int r = 0; r < rows; r++)
            store_codes(y + r * y_ld + c, rescale_vector(load256(acc + (ptrdiff_t)r * ld + c), &s),
                        vlo, vhi);
    }
    if (whole < cols)
        hone_rt_kernels_ref.requantize_s24(acc + whole, ld, rows, cols - whole, words + whole, y_zp,
                                           lo, hi, y + whole, y_ld);
}

/* ---- elementwise ---- */

static void add_s24(const HoneRtAdd *p, const int8_t *a, const int8_t *b, size_t n, int8_t *y)
{
    const __m256i m1 = _mm256_set1_epi32(p->m1), m2 = _mm256_set1_epi32(p->m2);
    const __m256i constant =
        _mm256_set1_epi32((1 << (p->k - 1)) - p->a_zp * p->m1 - p->b_zp * p->m2);
    const __m256i y_zp = _mm256_set1_epi32(p->y_zp);
    const __m128i lo = _mm_set1_epi8((char)p->lo), hi = _mm_set1_epi8((char)p->hi);
    const __m128i k = _mm_cvtsi32_si128(p->k);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i va = _mm256_cvtepi8_epi32(load64(a + i));
        const __m256i vb = _mm256_cvtepi8_epi32(load64(b + i));
        const __m256i sum = _mm256_add_epi32(
            _mm256_add_epi32(_mm256_mullo_epi32(va, m1), _mm256_mullo_epi32(vb, m2)), constant);
        store_codes(y + i, _mm256_add_epi32(_mm256_sra_epi32(sum, k), y_zp), lo, hi);
    }
    if (i < n)
        hone_rt_kernels_ref.add_s24(p, a + i, b + i, n - i, y + i);
}

static void mean_sum(const int8_t *x, int pixels, int channels, int32_t *sum)
{
    int c = 0;
    for (; c + 8 <= channels; c += 8) {
        __m256i total = _mm256_setzero_si256();
        for (int p = 0; p < pixels; p++) {
            const int8_t *at = x + (ptrdiff_t)p * channels + c;
            total = _mm256_add_epi32(total, _mm256_cvtepi8_epi32(load64(at)));
        }
        store256(sum + c, total);
    }
    for (; c < channels; c++) {
        sum[c] = 0;
        for (int p = 0; p < pixels; p++)
            sum[c] += x[(ptrdiff_t)p * channels + c];
    }
}

/* ---- the table ---- */

static size_t conv_pack_bytes(const HoneRtConv *g)
{
    return hone_rt_tile_conv_pack_bytes(&level, g);
}

static size_t conv_scratch_bytes(const HoneRtConv *g)
{
    return hone_rt_tile_conv_scratch_bytes(&level, g);
}

static void conv_pack(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                      int32_t x_zero_point, void *packed)
{
    hone_rt_tile_conv_pack(&level, g, w, bias, x_zero_point, 0, g->out_c, packed);
}

static void conv_pack_part(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                           int32_t x_zero_point, int begin, int end, void *packed)
{
    hone_rt_tile_conv_pack(&level, g, w, bias, x_zero_point, begin, end, packed);
}

static void conv(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                 int row_end, void *scratch, HoneRtEpilogue epilogue, void *context)
{
    hone_rt_tile_conv(&level, g, x, packed, row_begin, row_end, scratch, epilogue, context);
}

static size_t depthwise_pack_bytes(const HoneRtConv *g)
{
    return hone_rt_tile_dw_pack_bytes(&level, g);
}

static size_t depthwise_scratch_bytes(const HoneRtConv *g)
{
    return hone_rt_tile_dw_scratch_bytes(&level, g);
}

static void depthwise_pack(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                           int32_t x_zero_point, void *packed)
{
    hone_rt_tile_dw_pack(&level, g, w, bias, x_zero_point, packed);
}

static void depthwise(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                      int row_end, void *scratch, HoneRtEpilogue epilogue, void *context)
{
    hone_rt_tile_dw(&level, g, x, packed, row_begin, row_end, scratch, epilogue, context);
}

const HoneRtKernels hone_rt_kernels_avx2 = {
    .name = "avx2",
    .conv_pack_bytes = conv_pack_bytes,
    .conv_scratch_bytes = conv_scratch_bytes,
    .conv_pack = conv_pack,
    .conv_pack_part = conv_pack_part,
    .conv = conv,
    .depthwise_pack_bytes = depthwise_pack_bytes,
    .depthwise_scratch_bytes = depthwise_scratch_bytes,
    .depthwise_pack = depthwise_pack,
    .depthwise = depthwise,
    .requantize_s24 = requantize_s24,
    .requantize_d31 = hone_rt_avx2_requantize_d31,
    .add_s24 = add_s24,
    .add_d31 = hone_rt_avx2_add_d31,
    .mean_sum = mean_sum,
    .mul_s24 = hone_rt_mul_s24_avx2,
    .max_pool = hone_rt_max_pool_avx2,
    .average_pool = hone_rt_average_pool_avx2,
    .table = hone_rt_table_avx2,
};

#endif
