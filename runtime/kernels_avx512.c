/* Integer kernels for x86-64 with AVX-512 VNNI. Bit-identical to kernels_ref.c.
 *
 * vpdpbusd adds four products uint8 x int8 to an int32 lane, without saturation. Activations are
 * stored as x + 128 (x ^ 0x80 as uint8) and the packed bias carries -(128 + zx) * sum(w), see
 * kernels_tile.c. The inner tile is 8 pixels x 2 vectors of 16 channels: 16 accumulators; 24 spill.
 * With one vector it is 16 pixels that share what three taps read, or 8 whose accumulators are doubled
 * over even and odd groups, to hide the latency of 5.
 * Requantization and depthwise: kernels_avx512.h, kernels_dw_avx512.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "kernels_avx512.h"
#include "kernels_d31.h"
#include "kernels_layers.h"
#include "kernels_tile.h"

/* ---- storing activations ---- */

static void store_u8(uint8_t *tile, const int8_t *x, size_t n, int32_t x_zero_point)
{
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

/* ---- convolution ---- */

#define UNROLL _Pragma("GCC unroll 24")

/* gcc 12 keeps the intrinsic's sums in memory. */
INLINE __m512i add_products(__m512i sums, __m512i x, __m512i w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(x), "v"(w));
    return sums;
}

/* Four stored activations of one pixel, in every lane. */
INLINE __m512i broadcast_group(const uint8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}

/* sum[r * VECTORS + v] of the inner tile, for constant ROWS, VECTORS and PHASES (sets of accumulators
 * over the groups). */
INLINE void gemm_sums(const TileGemm *t, const int32_t *pixel_offsets, const int ROWS,
                      const int VECTORS, const int PHASES, __m512i *sum)
{
    const uint8_t *b = t->weights;
    const ptrdiff_t end = (ptrdiff_t)4 * t->groups;
    __m512i odd[TILE_ROWS * TILE_VECTORS];
    UNROLL for (int i = 0; i < ROWS * VECTORS; i++)
    {
        sum[i] = _mm512_loadu_si512(t->bias + 64 * (i % VECTORS));
        odd[i] = _mm512_setzero_si512();
    }
    for (int run = 0; run < t->runs; run++) {
        const uint8_t *x[TILE_ROWS];
        ptrdiff_t k = 0;
        UNROLL for (int r = 0; r < ROWS; r++) x[r] =
            t->tile + pixel_offsets[r] + t->run_offsets[run];
        for (; k + 4 * PHASES <= end; k += 4 * PHASES, b += 64 * VECTORS * PHASES) {
            ptrdiff_t at = k;
            __asm__("" : "+r"(at)); /* one index for all rows, not a pointer each that moves */
            UNROLL for (int phase = 0; phase < PHASES; phase++)
            {
                __m512i w[TILE_VECTORS];
                UNROLL for (int v = 0; v < VECTORS; v++) w[v] =
                    _mm512_loadu_si512(b + 64 * (VECTORS * phase + v));
                UNROLL for (int i = 0; i < ROWS * VECTORS; i++)
                {
                    __m512i *s = phase ? &odd[i] : &sum[i];
                    *s = add_products(*s, broadcast_group(x[i / VECTORS] + at + 4 * phase),
                                      w[i % VECTORS]);
                }
            }
        }
        if (PHASES > 1 && k < end) {
            UNROLL for (int i = 0; i < ROWS * VECTORS; i++) sum[i] =
                add_products(sum[i], broadcast_group(x[i / VECTORS] + k),
                             _mm512_loadu_si512(b + 64 * (i % VECTORS)));
            b += 64 * VECTORS;
        }
    }
    if (PHASES > 1) {
        UNROLL for (int i = 0; i < ROWS * VECTORS; i++) sum[i] = _mm512_add_epi32(sum[i], odd[i]);
    }
}

/* One vector of channels takes as many loads as products that way. Where the taps of a run are three
 * and lie as far apart as neighbouring pixels do, an activation is loaded once for the three pixels
 * that meet it. */
enum { TAPS = 3, TAPS_PIXELS = 16 };

/* The distance of TAPS_PIXELS pixels from one to the next, or 0 where that cannot be. */
static ptrdiff_t taps_step(const TileGemm *t, const int32_t *pixel_offsets)
{
    const int32_t step = pixel_offsets[1] - pixel_offsets[0];
    const __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i even = _mm512_add_epi32(_mm512_set1_epi32(pixel_offsets[0]),
                                          _mm512_mullo_epi32(index, _mm512_set1_epi32(step)));
    const int same = _mm512_cmpneq_epi32_mask(_mm512_loadu_si512(pixel_offsets), even) == 0;
    return same && step % 4 == 0 && TAPS * step == 4 * t->groups ? step : 0;
}

INLINE void taps_sums(const TileGemm *t, const int32_t *pixel_offsets, ptrdiff_t step, __m512i *sum)
{
    const ptrdiff_t tap = 16 * step; /* of weights */
    UNROLL for (int i = 0; i < TAPS_PIXELS; i++) sum[i] = _mm512_loadu_si512(t->bias);
    for (int run = 0; run < t->runs; run++) {
        const uint8_t *b = t->weights + TAPS * tap * run, *const end = b + tap;
        const uint8_t *x[5]; /* of every fourth pixel */
        UNROLL for (int i = 0; i < 5; i++) x[i] =
            t->tile + pixel_offsets[0] + t->run_offsets[run] + 4 * i * step;
        for (; b < end; b += 64) {
            __m512i w[TAPS];
            UNROLL for (int i = 0; i < TAPS; i++) w[i] = _mm512_loadu_si512(b + i * tap);
            UNROLL for (int j = 0; j < TAPS_PIXELS + TAPS - 1; j++)
            {
                const __m512i a = broadcast_group(x[j / 4] + j % 4 * step);
                UNROLL for (int i = 0; i < TAPS; i++) if (i <= j && j - i < TAPS_PIXELS)
                    sum[j - i] = add_products(sum[j - i], a, w[i]);
            }
            UNROLL for (int i = 0; i < 5; i++)
            {
                x[i] += 4;
                __asm__("" : "+r"(x[i]));
            }
        }
    }
}

INLINE void store_sums(const TileGemm *t, const __m512i *sum, int32_t *acc, const int ROWS,
                       const int VECTORS)
{
    UNROLL for (int i = 0; i < ROWS * VECTORS; i++)
        _mm512_storeu_si512(acc + (ptrdiff_t)(i / VECTORS) * t->ld + 16 * (i % VECTORS), sum[i]);
}

INLINE void gemm_tile(const TileGemm *t, const int32_t *pixel_offsets, int32_t *acc, const int ROWS,
                      const int VECTORS, const int PHASES)
{
    __m512i sum[TILE_ROWS * TILE_VECTORS];
    gemm_sums(t, pixel_offsets, ROWS, VECTORS, PHASES, sum);
    store_sums(t, sum, acc, ROWS, VECTORS);
}

INLINE void gemm_strip(const TileGemm *t, int pixels, const int32_t *pixel_offsets, int32_t *acc,
                       const int VECTORS)
{
    for (int p = 0, rows; p < pixels; p += rows) {
        const int32_t *at = pixel_offsets + p;
        int32_t *to = acc + (ptrdiff_t)p * t->ld;
        const ptrdiff_t step = VECTORS == 1 && pixels - p >= TAPS_PIXELS ? taps_step(t, at) : 0;
        rows = step > 0 ? TAPS_PIXELS : TILE_ROWS;
        if (step > 0) {
            __m512i sum[TAPS_PIXELS];
            taps_sums(t, at, step, sum);
            store_sums(t, sum, to, TAPS_PIXELS, 1);
        } else if (pixels - p > 4) {
            gemm_tile(t, at, to, 8, VECTORS, VECTORS == 2 ? 1 : 2);
        } else if (pixels - p > 1) {
            gemm_tile(t, at, to, 4, VECTORS, 2);
        } else {
            gemm_tile(t, at, to, 1, VECTORS, 2);
        }
    }
}

static void gemm(const TileGemm *t, int pixels, int vectors, const int32_t *pixel_offsets,
                 int32_t *acc)
{
    if (vectors == 2)
        gemm_strip(t, pixels, pixel_offsets, acc, 2);
    else
        gemm_strip(t, pixels, pixel_offsets, acc, 1);
}

/* ---- convolution, straight to codes ---- */

typedef struct Target {
    __m512 scale[TILE_VECTORS], offset;
    __m512i lo, hi;
    uint64_t mask; /* of the panel's columns */
    ptrdiff_t ld;
} Target;

/* Quarters of a packed vector are 16 codes of a row and vector: dword j of every lane. */
INLINE __m512i gather_quarters(__m512i packed)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, packed);
}

/* Codes of the first `rows` rows, rows <= ROWS. Two vectors: two rows fill a packed vector; one
 * vector: four do. */
INLINE void emit_codes(const __m512i *sum, const Target *to, int rows, int8_t *y, const int ROWS,
                       const int VECTORS)
{
    const int EACH = 4 / VECTORS;
    UNROLL for (int r = 0; r < ROWS; r += EACH)
    {
        __m512i v[4];
        UNROLL for (int i = 0; i < 4; i++)
        {
            const int row = r + i / VECTORS < ROWS ? r + i / VECTORS : ROWS - 1;
            v[i] = s24_floor(sum[row * VECTORS + i % VECTORS], to->scale[i % VECTORS], to->offset);
        }
        const __m512i codes = gather_quarters(s24_pack(v, to->lo, to->hi));
        int8_t *at = y + r * to->ld;
        if (VECTORS == 2) {
            const __mmask32 mask = (__mmask32)to->mask;
            _mm256_mask_storeu_epi8(at, mask, _mm512_castsi512_si256(codes));
            if (r + 1 < rows)
                _mm256_mask_storeu_epi8(at + to->ld, mask, _mm512_extracti64x4_epi64(codes, 1));
        } else if (to->ld == 16 && to->mask == 0xffff && r + 4 <= rows) {
            _mm512_storeu_si512(at, codes);
        } else {
            const __mmask16 mask = (__mmask16)to->mask;
            _mm_mask_storeu_epi8(at, mask, _mm512_castsi512_si128(codes));
            if (r + 1 < rows)
                _mm_mask_storeu_epi8(at + to->ld, mask, _mm512_extracti32x4_epi32(codes, 1));
            if (r + 2 < rows)
                _mm_mask_storeu_epi8(at + 2 * to->ld, mask, _mm512_extracti32x4_epi32(codes, 2));
            if (r + 3 < rows)
                _mm_mask_storeu_epi8(at + 3 * to->ld, mask, _mm512_extracti32x4_epi32(codes, 3));
        }
        if (r + EACH >= rows)
            break;
    }
}

INLINE void codes_tile(const TileGemm *t, const int32_t *pixel_offsets, const Target *to, int rows,
                       int8_t *y, const int ROWS, const int VECTORS, const int PHASES)
{
    __m512i sum[TILE_ROWS * TILE_VECTORS];
    gemm_sums(t, pixel_offsets, ROWS, VECTORS, PHASES, sum);
    emit_codes(sum, to, rows, y, ROWS, VECTORS);
}

INLINE void codes_strip(const TileGemm *t, int pixels, const int32_t *pixel_offsets,
                        const Target *to, int8_t *y, const int VECTORS)
{
    for (int p = 0, step_rows; p < pixels; p += step_rows) {
        const int rows = pixels - p < TILE_ROWS ? pixels - p : TILE_ROWS;
        const int32_t *at = pixel_offsets + p;
        int8_t *to_y = y + p * to->ld;
        const ptrdiff_t step = VECTORS == 1 && pixels - p >= TAPS_PIXELS ? taps_step(t, at) : 0;
        step_rows = step > 0 ? TAPS_PIXELS : TILE_ROWS;
        if (step > 0) {
            __m512i sum[TAPS_PIXELS];
            taps_sums(t, at, step, sum);
            emit_codes(sum, to, TAPS_PIXELS, to_y, TAPS_PIXELS, 1);
        } else if (rows > 4) {
            codes_tile(t, at, to, rows, to_y, 8, VECTORS, VECTORS == 2 ? 1 : 2);
        } else if (rows > 1) {
            codes_tile(t, at, to, rows, to_y, 4, VECTORS, 2);
        } else {
            codes_tile(t, at, to, rows, to_y, 1, VECTORS, 2);
        }
    }
}

static void gemm_codes(const TileGemm *t, int pixels, int vectors, const int32_t *pixel_offsets,
                       const TileCodes *codes)
{
    Target to = {.offset = s24_offset(codes->y_zp),
                 .lo = _mm512_set1_epi8((char)codes->lo),
                 .hi = _mm512_set1_epi8((char)codes->hi),
                 .mask = low_bits(codes->cols),
                 .ld = codes->y_ld};
    for (int v = 0; v < vectors; v++)
        to.scale[v] = s24_scale(
            _mm512_maskz_loadu_epi32((__mmask16)(to.mask >> (16 * v)), codes->words + 16 * v));
    if (vectors == 2)
        codes_strip(t, pixels, pixel_offsets, &to, codes->y, 2);
    else
        codes_strip(t, pixels, pixel_offsets, &to, codes->y, 1);
}

static const TileLevel level = {
    .element = 1,
    .group = 4,
    .lanes = 16,
    .store = store_u8,
    .gemm = gemm,
    .gemm_codes = gemm_codes,
};

/* ---- requantization ---- */

/* What 16 channels' words expand to, even and odd lanes apart for the 32 x 32 -> 64 multiplies:
 * code = acc * m + add >> k, where add holds 2^(k-1) and the zero point. */
typedef struct Scales {
    __m512i m_even, m_odd, k_even, k_odd, add_even, add_odd;
} Scales;

INLINE __m512i addend(__m512i k, int32_t y_zp)
{
    const __m512i one = _mm512_set1_epi64(1);
    const __m512i half = _mm512_sllv_epi64(one, _mm512_sub_epi64(k, one));
    return _mm512_add_epi64(half, _mm512_sllv_epi64(_mm512_set1_epi64(y_zp), k));
}

INLINE Scales expand_words(__m512i words, int32_t y_zp)
{
    const __m512i low24 = _mm512_set1_epi64(0xffffff), low8 = _mm512_set1_epi64(0xff);
    Scales s;
    s.m_even = _mm512_and_si512(words, low24);
    s.m_odd = _mm512_and_si512(_mm512_srli_epi64(words, 32), low24);
    s.k_even = _mm512_and_si512(_mm512_srli_epi64(words, 24), low8);
    s.k_odd = _mm512_srli_epi64(words, 56);
    s.add_even = addend(s.k_even, y_zp);
    s.add_odd = addend(s.k_odd, y_zp);
    return s;
}

/* 16 codes of narrow words (hone_rt_s24_is_narrow). Words 1 and 3 of a 4-word shuffle 0xa0 are 0
 * and 2: the low halves of the odd results move up beside the even ones. */
INLINE __m128i requantize_vector(__m512i acc, const Scales *s, __m128i lo, __m128i hi)
{
    const __m512i acc_odd = _mm512_srli_epi64(acc, 32);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(acc, s->m_even), s->add_even);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(acc_odd, s->m_odd), s->add_odd);
    const __m512i e = _mm512_srav_epi64(even, s->k_even), o = _mm512_srav_epi64(odd, s->k_odd);
    const __m512i v = _mm512_mask_shuffle_epi32(e, 0xaaaa, o, (_MM_PERM_ENUM)0xa0);
    return _mm_min_epi8(_mm_max_epi8(_mm512_cvtsepi32_epi8(v), lo), hi);
}

static void requantize_s24(const int32_t *acc, int ld, int rows, int cols, const uint32_t *words,
                           int32_t y_zp, int32_t lo, int32_t hi, int8_t *y, ptrdiff_t y_ld)
{
    const __m128i vlo = _mm_set1_epi8((char)lo), vhi = _mm_set1_epi8((char)hi);
    const __m512i unit = _mm512_set1_epi32(1 << 24);
    const int narrow = hone_rt_s24_is_narrow(words, cols);
    int c = 0;
    for (; narrow && c + 16 <= cols; c += 16) {
        const Scales s = expand_words(_mm512_loadu_si512(words + c), y_zp);
        for (int r = 0; r < rows; r++) {
            const __m512i a = _mm512_loadu_si512(acc + (ptrdiff_t)r * ld + c);
            _mm_storeu_si128((__m128i *)(void *)(y + r * y_ld + c),
                             requantize_vector(a, &s, vlo, vhi));
        }
    }
    if (narrow && c < cols) {
        const __mmask16 mask = (__mmask16)((1u << (cols - c)) - 1u);
        const Scales s = expand_words(_mm512_mask_loadu_epi32(unit, mask, words + c), y_zp);
        for (int r = 0; r < rows; r++) {
            const __m512i a = _mm512_maskz_loadu_epi32(mask, acc + (ptrdiff_t)r * ld + c);
            _mm_mask_storeu_epi8(y + r * y_ld + c, mask, requantize_vector(a, &s, vlo, vhi));
        }
    }
    if (!narrow)
        hone_rt_kernels_ref.requantize_s24(acc, ld, rows, cols, words, y_zp, lo, hi, y, y_ld);
}

/* ---- elementwise ---- */

/* Of an addition: multipliers m = high * 2^11 + low of a and b, side by side as int16, and what is
 * added to the sum. */
typedef struct AddScales {
    __m512i high, low, constant;
    __m128i k;
} AddScales;

enum { ADD_LOW_BITS = 11 };

/* 32 sums >> k as int16, in order. a m1 + b m2 is a dot product of two; 21-bit multipliers go in two
 * parts. Sums may wrap on the way: the true one fits. */
INLINE __m512i add_vector(__m256i a, __m256i b, const AddScales *s)
{
    const __m512i wide_a = _mm512_cvtepi8_epi16(a), wide_b = _mm512_cvtepi8_epi16(b);
    const __m512i pairs[2] = {_mm512_unpacklo_epi16(wide_a, wide_b),
                              _mm512_unpackhi_epi16(wide_a, wide_b)};
    __m512i v[2];
    for (int i = 0; i < 2; i++) {
        const __m512i high = _mm512_slli_epi32(_mm512_madd_epi16(pairs[i], s->high), ADD_LOW_BITS);
        const __m512i low = _mm512_dpwssd_epi32(s->constant, pairs[i], s->low);
        v[i] = _mm512_sra_epi32(_mm512_add_epi32(high, low), s->k);
    }
    return _mm512_packs_epi32(v[0], v[1]);
}

INLINE __m512i side_by_side(int32_t first, int32_t second)
{
    return _mm512_set1_epi32((int32_t)((uint32_t)first | (uint32_t)second << 16));
}

static void add_s24(const HoneRtAdd *p, const int8_t *a, const int8_t *b, size_t n, int8_t *y)
{
    const int32_t low_mask = (1 << ADD_LOW_BITS) - 1;
    const AddScales s = {
        .high = side_by_side(p->m1 >> ADD_LOW_BITS, p->m2 >> ADD_LOW_BITS),
        .low = side_by_side(p->m1 & low_mask, p->m2 & low_mask),
        .constant = _mm512_set1_epi32((1 << (p->k - 1)) - p->a_zp * p->m1 - p->b_zp * p->m2),
        .k = _mm_cvtsi32_si128(p->k)};
    const __m512i y_zp = _mm512_set1_epi16((short)p->y_zp);
    const __m512i lo = _mm512_set1_epi8((char)p->lo), hi = _mm512_set1_epi8((char)p->hi);
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (size_t i = 0; i < n; i += 64) {
        const __mmask64 mask = low_bits(n - i < 64 ? (int)(n - i) : 64);
        const __m512i va = _mm512_maskz_loadu_epi8(mask, a + i);
        const __m512i vb = _mm512_maskz_loadu_epi8(mask, b + i);
        const __m512i first =
            add_vector(_mm512_castsi512_si256(va), _mm512_castsi512_si256(vb), &s);
        const __m512i second =
            add_vector(_mm512_extracti64x4_epi64(va, 1), _mm512_extracti64x4_epi64(vb, 1), &s);
        const __m512i packed =
            _mm512_packs_epi16(_mm512_adds_epi16(first, y_zp), _mm512_adds_epi16(second, y_zp));
        const __m512i codes = _mm512_permutexvar_epi64(order, packed);
        _mm512_mask_storeu_epi8(y + i, mask, _mm512_min_epi8(_mm512_max_epi8(codes, lo), hi));
    }
}

static void mean_sum(const int8_t *x, int pixels, int channels, int32_t *sum)
{
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

const HoneRtKernels hone_rt_kernels_avx512 = {
    .name = "avx512",
    .conv_pack_bytes = conv_pack_bytes,
    .conv_scratch_bytes = conv_scratch_bytes,
    .conv_pack = conv_pack,
    .conv_pack_part = conv_pack_part,
    .conv = conv,
    .depthwise_pack_bytes = hone_rt_avx512_dw_pack_bytes,
    .depthwise_scratch_bytes = hone_rt_avx512_dw_scratch_bytes,
    .depthwise_pack = hone_rt_avx512_dw_pack,
    .depthwise = hone_rt_avx512_dw,
    .requantize_s24 = requantize_s24,
    .requantize_d31 = hone_rt_avx512_requantize_d31,
    .add_s24 = add_s24,
    .add_d31 = hone_rt_avx512_add_d31,
    .mean_sum = mean_sum,
    .mul_s24 = hone_rt_mul_s24_avx512,
    .max_pool = hone_rt_max_pool_avx512,
    .average_pool = hone_rt_average_pool_avx512,
    .table = hone_rt_table_avx512,
};

#endif
