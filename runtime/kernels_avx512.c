/* Integer kernels for x86-64 with AVX-512 VNNI. Bit-identical to kernels_ref.c.
 *
 * vpdpbusd adds four products uint8 x int8 to an int32 lane, without saturation. Activations are
 * stored as x + 128 (x ^ 0x80 as uint8) and the packed bias carries -(128 + zx) * sum(w), see
 * kernels_tile.c. The inner tile is 8 pixels x 2 vectors of 16 channels: 16 accumulators; 24 spill.
 * With one vector the accumulators are doubled over even and odd groups, to hide the latency of 5.
 *
 * Depthwise: a vector is 4 pixels x 16 channels of one tap; unpacking bytes, then words, of four taps
 * turns them into 4 vectors of [4 pixels][4 channels][4 taps], each multiplied by 4 channels'
 * weights; transposing 128-bit lanes at the end gives [pixel][16 channels].
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "kernels_tile.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- storing activations ---- */

static void store_u8(uint8_t *tile, const int8_t *x, size_t n, int32_t x_zero_point) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    size_t i = 0;
    (void)x_zero_point; /* is in the bias */
    for (; i + 64 <= n; i += 64)
        _mm512_storeu_si512(tile + i, _mm512_xor_si512(_mm512_loadu_si512(x + i), flip));
    if (i < n) {
        const __mmask64 rest = ~0ull >> (64 - (n - i));
        const __m512i v = _mm512_maskz_loadu_epi8(rest, x + i);
        _mm512_mask_storeu_epi8(tile + i, rest, _mm512_xor_si512(v, flip));
    }
}

static void dw_store_u8(uint8_t *tile, const int8_t *x, ptrdiff_t x_stride, int n, int channels,
                        int32_t x_zero_point) {
    const __m128i flip = _mm_set1_epi8((char)0x80);
    const __mmask16 mask = (__mmask16)(0xffffu >> (TILE_DW_CHANNELS - channels));
    (void)x_zero_point;
    for (int i = 0; i < n; i++, x += x_stride, tile += TILE_DW_CHANNELS) {
        const __m128i v = _mm_maskz_loadu_epi8(mask, x);
        _mm_storeu_si128((__m128i *)(void *)tile, _mm_xor_si128(v, flip));
    }
}

/* ---- convolution ---- */

/* Four stored activations of one pixel, in every lane. */
INLINE __m512i broadcast_group(const uint8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}

/* The inner tile for constant ROWS, VECTORS and PHASES (sets of accumulators over the groups). */
INLINE void gemm_tile(const TileGemm *t, const int32_t *pixel_offsets, int32_t *acc, const int ROWS,
                      const int VECTORS, const int PHASES) {
    const uint8_t *b = t->weights;
    const uint8_t *x[TILE_ROWS];
    __m512i sum[2][TILE_ROWS][TILE_VECTORS];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < VECTORS; v++) {
            sum[0][r][v] = _mm512_loadu_si512(t->bias + 64 * v);
            sum[1][r][v] = _mm512_setzero_si512();
        }
    for (int run = 0; run < t->runs; run++) {
        const ptrdiff_t end = (ptrdiff_t)4 * t->groups;
        ptrdiff_t k = 0;
        for (int r = 0; r < ROWS; r++)
            x[r] = t->tile + pixel_offsets[r] + t->run_offsets[run];
        for (; k + 4 * PHASES <= end; k += 4 * PHASES, b += 64 * VECTORS * PHASES)
            for (int phase = 0; phase < PHASES; phase++)
                for (int r = 0; r < ROWS; r++)
                    for (int v = 0; v < VECTORS; v++)
                        sum[phase][r][v] = _mm512_dpbusd_epi32(
                            sum[phase][r][v], broadcast_group(x[r] + k + 4 * phase),
                            _mm512_loadu_si512(b + 64 * (VECTORS * phase + v)));
        if (PHASES > 1 && k < end) {
            for (int r = 0; r < ROWS; r++)
                for (int v = 0; v < VECTORS; v++)
                    sum[0][r][v] =
                        _mm512_dpbusd_epi32(sum[0][r][v], broadcast_group(x[r] + k),
                                            _mm512_loadu_si512(b + 64 * v));
            b += 64 * VECTORS;
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < VECTORS; v++) {
            if (PHASES > 1)
                sum[0][r][v] = _mm512_add_epi32(sum[0][r][v], sum[1][r][v]);
            _mm512_storeu_si512(acc + (ptrdiff_t)r * t->ld + 16 * v, sum[0][r][v]);
        }
}

static void gemm(const TileGemm *t, int rows, int vectors, const int32_t *pixel_offsets,
                 int32_t *acc) {
    if (vectors == 2) {
        switch (rows) {
        case 8: gemm_tile(t, pixel_offsets, acc, 8, 2, 1); break;
        case 4: gemm_tile(t, pixel_offsets, acc, 4, 2, 2); break;
        case 2: gemm_tile(t, pixel_offsets, acc, 2, 2, 2); break;
        default: gemm_tile(t, pixel_offsets, acc, 1, 2, 2); break;
        }
    } else {
        switch (rows) {
        case 8: gemm_tile(t, pixel_offsets, acc, 8, 1, 2); break;
        case 4: gemm_tile(t, pixel_offsets, acc, 4, 1, 2); break;
        case 2: gemm_tile(t, pixel_offsets, acc, 2, 1, 2); break;
        default: gemm_tile(t, pixel_offsets, acc, 1, 1, 2); break;
        }
    }
}

/* ---- depthwise ---- */

/* sum[j] += 4 taps of 4 pixels x channels 4j .. 4j+3. */
INLINE void dw_taps(const uint8_t *x, const int32_t *offsets, const uint8_t *w, __m512i sum[4]) {
    const __m512i t0 = _mm512_loadu_si512(x + offsets[0]), t1 = _mm512_loadu_si512(x + offsets[1]);
    const __m512i t2 = _mm512_loadu_si512(x + offsets[2]), t3 = _mm512_loadu_si512(x + offsets[3]);
    const __m512i lo01 = _mm512_unpacklo_epi8(t0, t1), hi01 = _mm512_unpackhi_epi8(t0, t1);
    const __m512i lo23 = _mm512_unpacklo_epi8(t2, t3), hi23 = _mm512_unpackhi_epi8(t2, t3);
    const __m512i taps[4] = {
        _mm512_unpacklo_epi16(lo01, lo23), _mm512_unpackhi_epi16(lo01, lo23),
        _mm512_unpacklo_epi16(hi01, hi23), _mm512_unpackhi_epi16(hi01, hi23)};
    for (int j = 0; j < 4; j++) {
        const __m128i wj = _mm_loadu_si128((const __m128i *)(const void *)(w + 16 * j));
        sum[j] = _mm512_dpbusd_epi32(sum[j], taps[j], _mm512_broadcast_i32x4(wj));
    }
}

/* Transposes 4 x 4 lanes of 128 bits: sum[j] lane p to acc[p * 16 + 4j]. */
INLINE void dw_write(const __m512i sum[4], int32_t *acc) {
    const __m512i a = _mm512_shuffle_i32x4(sum[0], sum[1], 0x44); /* 0.0 0.1 1.0 1.1 */
    const __m512i b = _mm512_shuffle_i32x4(sum[2], sum[3], 0x44);
    const __m512i c = _mm512_shuffle_i32x4(sum[0], sum[1], 0xee); /* 0.2 0.3 1.2 1.3 */
    const __m512i d = _mm512_shuffle_i32x4(sum[2], sum[3], 0xee);
    _mm512_storeu_si512(acc, _mm512_shuffle_i32x4(a, b, 0x88));
    _mm512_storeu_si512(acc + 16, _mm512_shuffle_i32x4(a, b, 0xdd));
    _mm512_storeu_si512(acc + 32, _mm512_shuffle_i32x4(c, d, 0x88));
    _mm512_storeu_si512(acc + 48, _mm512_shuffle_i32x4(c, d, 0xdd));
}

static void dw_row(const TileDepthwise *t, int n, int32_t *acc) {
    __m512i bias[4];
    for (int j = 0; j < 4; j++)
        bias[j] = _mm512_broadcast_i32x4(
            _mm_loadu_si128((const __m128i *)(const void *)(t->bias + 16 * j)));
    for (int i = 0; i < n; i += 4) {
        const uint8_t *x = t->tile + (ptrdiff_t)i * TILE_DW_CHANNELS;
        __m512i sum[4] = {bias[0], bias[1], bias[2], bias[3]};
        for (int g = 0; g < t->groups; g++)
            dw_taps(x, t->tap_offsets + 4 * g, t->weights + (ptrdiff_t)64 * g, sum);
        dw_write(sum, acc + (ptrdiff_t)i * TILE_DW_CHANNELS);
    }
}

static const TileLevel level = {
    .element = 1,
    .group = 4,
    .lanes = 16,
    .dw_group = 4,
    .dw_step = 4,
    .store = store_u8,
    .gemm = gemm,
    .dw_store = dw_store_u8,
    .dw_row = dw_row,
};

/* ---- requantization ---- */

/* What 16 channels' words expand to, even and odd lanes apart for the 32 x 32 -> 64 multiplies. */
typedef struct Scales {
    __m512i m_even, m_odd, k_even, k_odd, half_even, half_odd;
} Scales;

INLINE Scales expand_words(__m512i words) {
    const __m512i low24 = _mm512_set1_epi64(0xffffff), one = _mm512_set1_epi64(1);
    const __m512i low8 = _mm512_set1_epi64(0xff);
    Scales s;
    s.m_even = _mm512_and_si512(words, low24);
    s.m_odd = _mm512_and_si512(_mm512_srli_epi64(words, 32), low24);
    s.k_even = _mm512_and_si512(_mm512_srli_epi64(words, 24), low8);
    s.k_odd = _mm512_srli_epi64(words, 56);
    s.half_even = _mm512_sllv_epi64(one, _mm512_sub_epi64(s.k_even, one));
    s.half_odd = _mm512_sllv_epi64(one, _mm512_sub_epi64(s.k_odd, one));
    return s;
}

/* 16 codes, from the low halves of the 64-bit results: see hone_rt_s24_fits_int32. */
INLINE __m128i requantize_vector(__m512i acc, const Scales *s, __m512i lo, __m512i hi,
                                 __m512i y_zp) {
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(acc, s->m_even), s->half_even);
    const __m512i odd = _mm512_add_epi64(
        _mm512_mul_epi32(_mm512_srli_epi64(acc, 32), s->m_odd), s->half_odd);
    const __m512i e = _mm512_srav_epi64(even, s->k_even), o = _mm512_srav_epi64(odd, s->k_odd);
    const __m512i v = _mm512_mask_blend_epi32(0xaaaa, e, _mm512_slli_epi64(o, 32));
    const __m512i clamped = _mm512_min_epi32(_mm512_max_epi32(v, lo), hi);
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(clamped, y_zp));
}

static void requantize_s24(const int32_t *acc, int ld, int rows, int cols, const uint32_t *words,
                           int32_t y_zp, int32_t lo, int32_t hi, int8_t *y, ptrdiff_t y_ld) {
    const __m512i vlo = _mm512_set1_epi32(lo - y_zp), vhi = _mm512_set1_epi32(hi - y_zp);
    const __m512i vzp = _mm512_set1_epi32(y_zp), unit = _mm512_set1_epi32(1 << 24);
    if (!hone_rt_s24_fits_int32(words, cols)) {
        hone_rt_kernels_ref.requantize_s24(acc, ld, rows, cols, words, y_zp, lo, hi, y, y_ld);
        return;
    }
    for (int c = 0; c < cols; c += 16) {
        const int n = cols - c < 16 ? cols - c : 16;
        const __mmask16 mask = (__mmask16)(0xffffu >> (16 - n));
        const Scales s = expand_words(_mm512_mask_loadu_epi32(unit, mask, words + c));
        for (int r = 0; r < rows; r++) {
            const __m512i a = _mm512_maskz_loadu_epi32(mask, acc + (ptrdiff_t)r * ld + c);
            _mm_mask_storeu_epi8(y + r * y_ld + c, mask,
                                 requantize_vector(a, &s, vlo, vhi, vzp));
        }
    }
}

/* ---- elementwise ---- */

static void add_s24(const HoneRtAdd *p, const int8_t *a, const int8_t *b, size_t n, int8_t *y) {
    const __m512i m1 = _mm512_set1_epi32(p->m1), m2 = _mm512_set1_epi32(p->m2);
    const __m512i constant =
        _mm512_set1_epi32((1 << (p->k - 1)) - p->a_zp * p->m1 - p->b_zp * p->m2);
    const __m512i lo = _mm512_set1_epi32(p->lo - p->y_zp), hi = _mm512_set1_epi32(p->hi - p->y_zp);
    const __m512i y_zp = _mm512_set1_epi32(p->y_zp);
    const __m128i k = _mm_cvtsi32_si128(p->k);
    for (size_t i = 0; i < n; i += 16) {
        const size_t rest = n - i;
        const __mmask16 mask = (__mmask16)(rest < 16 ? (1u << rest) - 1u : 0xffffu);
        const __m512i va = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, a + i));
        const __m512i vb = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, b + i));
        const __m512i sum = _mm512_add_epi32(
            _mm512_add_epi32(_mm512_mullo_epi32(va, m1), _mm512_mullo_epi32(vb, m2)), constant);
        const __m512i v = _mm512_min_epi32(_mm512_max_epi32(_mm512_sra_epi32(sum, k), lo), hi);
        _mm_mask_storeu_epi8(y + i, mask, _mm512_cvtepi32_epi8(_mm512_add_epi32(v, y_zp)));
    }
}

static void mean_sum(const int8_t *x, int pixels, int channels, int32_t *sum) {
    for (int c = 0; c < channels; c += 16) {
        const int n = channels - c < 16 ? channels - c : 16;
        const __mmask16 mask = (__mmask16)(0xffffu >> (16 - n));
        __m512i total = _mm512_setzero_si512();
        for (int p = 0; p < pixels; p++) {
            const int8_t *at = x + (ptrdiff_t)p * channels + c;
            total = _mm512_add_epi32(total, _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, at)));
        }
        _mm512_mask_storeu_epi32(sum + c, mask, total);
    }
}

/* ---- the table ---- */

static size_t conv_pack_bytes(const HoneRtConv *g) {
    return hone_rt_tile_conv_pack_bytes(&level, g);
}

static size_t conv_scratch_bytes(const HoneRtConv *g) {
    return hone_rt_tile_conv_scratch_bytes(&level, g);
}

static void conv_pack(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                      int32_t x_zero_point, void *packed) {
    hone_rt_tile_conv_pack(&level, g, w, bias, x_zero_point, packed);
}

static void conv(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                 int row_end, void *scratch, HoneRtEpilogue epilogue, void *context) {
    hone_rt_tile_conv(&level, g, x, packed, row_begin, row_end, scratch, epilogue, context);
}

static size_t depthwise_pack_bytes(const HoneRtConv *g) {
    return hone_rt_tile_dw_pack_bytes(&level, g);
}

static size_t depthwise_scratch_bytes(const HoneRtConv *g) {
    return hone_rt_tile_dw_scratch_bytes(&level, g);
}

static void depthwise_pack(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                           int32_t x_zero_point, void *packed) {
    hone_rt_tile_dw_pack(&level, g, w, bias, x_zero_point, packed);
}

static void depthwise(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                      int row_end, void *scratch, HoneRtEpilogue epilogue, void *context) {
    hone_rt_tile_dw(&level, g, x, packed, row_begin, row_end, scratch, epilogue, context);
}

const HoneRtKernels hone_rt_kernels_avx512 = {
    .name = "avx512",
    .conv_pack_bytes = conv_pack_bytes,
    .conv_scratch_bytes = conv_scratch_bytes,
    .conv_pack = conv_pack,
    .conv = conv,
    .depthwise_pack_bytes = depthwise_pack_bytes,
    .depthwise_scratch_bytes = depthwise_scratch_bytes,
    .depthwise_pack = depthwise_pack,
    .depthwise = depthwise,
    .requantize_s24 = requantize_s24,
    .add_s24 = add_s24,
    .mean_sum = mean_sum,
};

#endif
