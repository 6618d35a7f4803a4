/* Depthwise convolution for x86-64 with AVX-512 VNNI. Bit-identical to kernels_ref.c.
 *
 *     for each block of 64 channels:
 *         for each block of output rows:       its input, as bytes x + 128, in a tile
 *             for each 64 bytes of output:     taps four at a time, then codes or sums
 *
 * A vector is 64 bytes: one pixel of 64 channels; or, in a last block of fewer channels, 2 pixels of
 * 32, 4 of 16 or 8 of 8 (`width` channels, padded). The tile is [row][phase][column][width]; column x
 * of the padded row lies at phase x mod stride_w, place x / stride_w, so that pixels that lie side by
 * side in the output meet a tap side by side. Border: the zero point.
 *
 * The bytes of up to four taps of a kernel row (a quad) are interleaved by unpacking, so that
 * vpdpbusd multiplies four taps of 16 positions at once; an absent tap has weight 0. Unpacking works
 * inside 128-bit lanes: dword i of lane L of vector j is position 16 L + 4 j + i of the 64. Weights,
 * bias and multipliers are laid out so, and packing the codes (s24_pack) puts them in order again.
 * A 3x3 kernel goes down the output column by column and unpacks each input row once.
 *
 * As in convolutions the packed bias holds -(128 + zx) * sum(w).
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_dw_avx512.h"

#if defined(__x86_64__)

#include <string.h>

#include "kernels_assert.h"
#include "kernels_tile.h"

/* ---- the tile ---- */

/* n cells of a tile row from pixels x_step bytes apart. */
static void store_cells(const Block *b, uint8_t *to, const int8_t *x, ptrdiff_t x_step, int n)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const __mmask64 from = low_bits(b->channels), all = low_bits(b->width);
    if (x_step == b->width && b->channels == b->width) { /* they lie as they shall */
        const size_t bytes = (size_t)n * (size_t)b->width;
        for (size_t i = 0; i < bytes; i += POSITIONS) {
            const __mmask64 rest = low_bits(bytes - i < POSITIONS ? (int)(bytes - i) : POSITIONS);
            const __m512i v = _mm512_maskz_loadu_epi8(rest, x + i);
            _mm512_mask_storeu_epi8(to + i, rest, _mm512_xor_si512(v, flip));
        }
    } else if (b->channels == POSITIONS) {
        for (int i = 0; i < n; i++, x += x_step, to += POSITIONS)
            _mm512_storeu_si512(to, _mm512_xor_si512(_mm512_loadu_si512(x), flip));
    } else {
        for (int i = 0; i < n; i++, x += x_step, to += b->width)
            _mm512_mask_storeu_epi8(to, all,
                                    _mm512_xor_si512(_mm512_maskz_loadu_epi8(from, x), flip));
    }
}

/* n cells of border; few, so no memset. */
static void store_border(const Block *b, uint8_t *to, int n, __m512i border)
{
    const int bytes = n * b->width;
    for (int i = 0; i < bytes; i += POSITIONS)
        _mm512_mask_storeu_epi8(to + i, low_bits(min_int(bytes - i, POSITIONS)), border);
}

/* One tile row from one input row (x at its first channel), phase by phase: cell i of a phase holds
 * input column i * stride_w + phase - pad_left. */
static void fill_row(const HoneRtConv *g, const Block *b, const int8_t *x, __m512i border,
                     uint8_t *to)
{
    const size_t width = (size_t)b->width;
    for (int phase = 0; phase < g->stride_w; phase++, to += (size_t)b->columns * width) {
        const int shift = g->pad_left - phase; /* the first inside: the first i * stride >= shift */
        const int begin = shift <= 0 ? 0 : min_int(ceil_div(shift, g->stride_w), b->columns);
        const int last = g->in_w - 1 + shift; /* the last inside: i * stride <= last */
        const int end = last < 0 ? begin : min_int(last / g->stride_w + 1, b->columns);
        const int n = max_int(end - begin, 0);
        store_border(b, to, begin, border);
        if (n > 0)
            store_cells(b, to + (size_t)begin * width,
                        x + ((ptrdiff_t)begin * g->stride_w - shift) * g->in_c,
                        (ptrdiff_t)g->stride_w * g->in_c, n);
        store_border(b, to + (size_t)(begin + n) * width, b->columns - begin - n, border);
    }
}

/* The tile below the output rows [row, row + rows). */
static void fill_tile(const HoneRtConv *g, const Block *b, const int8_t *x, int row, int rows,
                      int32_t x_zero_point, uint8_t *tile)
{
    const int n = tile_rows(g, rows), top = row * g->stride_h - g->pad_top;
    const __m512i border = _mm512_set1_epi8((char)(x_zero_point + 128));
    for (int i = 0; i < n; i++, tile += b->row_bytes) {
        const int iy = top + i;
        if (iy < 0 || iy >= g->in_h)
            store_border(b, tile, g->stride_w * b->columns, border);
        else
            fill_row(g, b, x + (ptrdiff_t)iy * g->in_w * g->in_c + b->channel, border, tile);
    }
}

/* ---- output ---- */

/* Lane L of vector j becomes lane j of vector L: from the order of the sums to that of the positions,
 * and back. */
INLINE void exchange_lanes(const __m512i v[VECTORS], __m512i to[VECTORS])
{
    const __m512i a = _mm512_shuffle_i64x2(v[0], v[1], 0x44);
    const __m512i b = _mm512_shuffle_i64x2(v[2], v[3], 0x44);
    const __m512i c = _mm512_shuffle_i64x2(v[0], v[1], 0xee);
    const __m512i d = _mm512_shuffle_i64x2(v[2], v[3], 0xee);
    to[0] = _mm512_shuffle_i64x2(a, b, 0x88);
    to[1] = _mm512_shuffle_i64x2(a, b, 0xdd);
    to[2] = _mm512_shuffle_i64x2(c, d, 0x88);
    to[3] = _mm512_shuffle_i64x2(c, d, 0xdd);
}

/* Where the sums of 64 positions go. */
typedef struct Output {
    int width, per, channels;
    int32_t *acc;       /* sums: [row][padded_w][width] */
    ptrdiff_t acc_step; /* of a row */
    int8_t *y;          /* codes: [row][pixel][y_ld] */
    ptrdiff_t y_ld, y_step;
    __m512 scale[VECTORS], offset;
    __m512i lo, hi;
} Output;

INLINE void put_sums(const Output *o, const __m512i sum[VECTORS], int row, int pixel)
{
    __m512i v[VECTORS];
    int32_t *to = o->acc + row * o->acc_step + (ptrdiff_t)pixel * o->width;
    exchange_lanes(sum, v);
    for (int j = 0; j < VECTORS; j++)
        _mm512_storeu_si512(to + 16 * j, v[j]);
}

/* Codes of n pixels that do not lie side by side. */
static void scatter(const Output *o, __m512i codes, int n, int8_t *y)
{
    const __mmask32 mask = (__mmask32)low_bits(o->channels);
    uint8_t bytes[POSITIONS + 32];
    _mm512_storeu_si512(bytes, codes);
    for (int i = 0; i < n; i++, y += o->y_ld)
        _mm256_mask_storeu_epi8(
            y, mask, _mm256_loadu_si256((const __m256i *)(const void *)(bytes + i * o->width)));
}

INLINE void put_codes(const Output *o, const __m512i sum[VECTORS], int row, int pixel, int n)
{
    __m512i v[VECTORS];
    int8_t *to = o->y + row * o->y_step + pixel * o->y_ld;
    for (int j = 0; j < VECTORS; j++)
        v[j] = s24_floor(sum[j], o->scale[j], o->offset);
    const __m512i codes = s24_pack(v, o->lo, o->hi);
    if (o->per == 1)
        _mm512_mask_storeu_epi8(to, low_bits(o->channels), codes);
    else if (o->y_ld == o->width && o->channels == o->width)
        _mm512_mask_storeu_epi8(to, low_bits(n * o->width), codes);
    else
        scatter(o, codes, n, to);
}

/* ---- the inner loops ---- */

/* Some output rows of a block. */
typedef struct Walk {
    const uint8_t *tile; /* at the first row's first column */
    size_t row_bytes;
    const int32_t *offsets; /* [quads][4]: of taps, in a tile row */
    const uint8_t *weights, *bias;
    int kernel_h, quads, stride_h, dilation_h;
    int rows, pixels; /* of the output; pixels of a row */
} Walk;

/* Interleaves four taps of the 64 positions from x on. */
INLINE void load_quad(const uint8_t *x, const int32_t *offsets, __m512i quad[VECTORS])
{
    const __m512i a = _mm512_loadu_si512(x + offsets[0]), b = _mm512_loadu_si512(x + offsets[1]);
    const __m512i c = _mm512_loadu_si512(x + offsets[2]), d = _mm512_loadu_si512(x + offsets[3]);
    const __m512i ab = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
    const __m512i cd = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
    quad[0] = _mm512_unpacklo_epi16(ab, cd);
    quad[1] = _mm512_unpackhi_epi16(ab, cd);
    quad[2] = _mm512_unpacklo_epi16(ab_high, cd_high);
    quad[3] = _mm512_unpackhi_epi16(ab_high, cd_high);
}

INLINE void load_bias(const Walk *w, __m512i sum[VECTORS])
{
    for (int j = 0; j < VECTORS; j++)
        sum[j] = _mm512_loadu_si512(w->bias + 64 * j);
}

INLINE void multiply(const __m512i quad[VECTORS], const uint8_t *weights, __m512i sum[VECTORS])
{
    for (int j = 0; j < VECTORS; j++)
        sum[j] = _mm512_dpbusd_epi32(sum[j], quad[j], _mm512_loadu_si512(weights + 64 * j));
}

INLINE void put(const Output *o, const __m512i sum[VECTORS], int row, int pixel, int pixels,
                const int CODES)
{
    if (CODES)
        put_codes(o, sum, row, pixel, min_int(o->per, pixels - pixel));
    else
        put_sums(o, sum, row, pixel);
}

/* Any kernel. */
INLINE void walk_any(const Walk *w, const Output *o, const int CODES)
{
    for (int row = 0; row < w->rows; row++)
        for (int pixel = 0; pixel < w->pixels; pixel += o->per) {
            const uint8_t *x = w->tile + (size_t)(row * w->stride_h) * w->row_bytes;
            const uint8_t *weights = w->weights;
            __m512i sum[VECTORS], quad[VECTORS];
            load_bias(w, sum);
            x += pixel * o->width;
            for (int ky = 0; ky < w->kernel_h; ky++, x += (size_t)w->dilation_h * w->row_bytes)
                for (int q = 0; q < w->quads; q++, weights += QUAD_BYTES) {
                    load_quad(x, w->offsets + QUAD * q, quad);
                    multiply(quad, weights, sum);
                }
            put(o, sum, row, pixel, w->pixels, CODES);
        }
}

/* Three kernel rows of one quad each, not dilated. */
INLINE void walk_3(const Walk *w, const Output *o, const int STRIDE, const int CODES)
{
    const size_t step = w->row_bytes;
    for (int pixel = 0; pixel < w->pixels; pixel += o->per) {
        const uint8_t *x = w->tile + pixel * o->width;
        __m512i a[VECTORS], b[VECTORS], c[VECTORS], sum[VECTORS];
        load_quad(x, w->offsets, a);
        if (STRIDE == 1)
            load_quad(x += step, w->offsets, b);
        for (int row = 0; row < w->rows; row++) {
            if (STRIDE == 2)
                load_quad(x += step, w->offsets, b);
            load_quad(x += step, w->offsets, c);
            load_bias(w, sum);
            multiply(a, w->weights, sum);
            multiply(b, w->weights + QUAD_BYTES, sum);
            multiply(c, w->weights + 2 * QUAD_BYTES, sum);
            put(o, sum, row, pixel, w->pixels, CODES);
            for (int j = 0; j < VECTORS; j++) {
                a[j] = STRIDE == 1 ? b[j] : c[j];
                b[j] = c[j];
            }
        }
    }
}

INLINE void walk_kind(const Walk *w, const Output *o, const int CODES)
{
    const int three = w->kernel_h == 3 && w->quads == 1 && w->dilation_h == 1;
    if (three && w->stride_h == 1)
        walk_3(w, o, 1, CODES);
    else if (three && w->stride_h == 2)
        walk_3(w, o, 2, CODES);
    else
        walk_any(w, o, CODES);
}

static void walk_to_sums(const Walk *w, const Output *o)
{
    walk_kind(w, o, 0);
}

static void walk_to_codes(const Walk *w, const Output *o)
{
    walk_kind(w, o, 1);
}

/* ---- the loop nest ---- */

/* Bytes of a tile row's offset of each tap, [quads][4]; absent taps read the last one. */
static void fill_offsets(const HoneRtConv *g, const Block *b, int32_t *offsets)
{
    for (int t = 0; t < quad_count(g) * QUAD; t++) {
        const int column = min_int(t, g->kernel_w - 1) * g->dilation_w;
        offsets[t] = (column % g->stride_w * b->columns + column / g->stride_w) * (int32_t)b->width;
    }
}

/* Where the parts of the scratch lie. */
typedef struct Scratch {
    uint8_t *tile;
    int32_t *acc;
    int32_t *offsets;
} Scratch;

/* The largest tile and sums of any block: the first or the last has them. */
static size_t part_bytes(const HoneRtConv *g, int sums)
{
    size_t most = 0;
    for (int i = 0; i < block_count(g); i += max_int(1, block_count(g) - 1)) {
        const Block b = plan_block(g, i);
        const size_t tile = (size_t)tile_rows(g, b.rows) * b.row_bytes;
        const size_t acc =
            (size_t)b.acc_rows * (size_t)b.padded_w * (size_t)b.width * sizeof(int32_t);
        const size_t bytes = round_up(sums ? acc : tile, CACHE_LINE);
        most = bytes > most ? bytes : most;
    }
    return most;
}

size_t hone_rt_avx512_dw_scratch_bytes(const HoneRtConv *g)
{
    if (has_multiplier(g))
        return hone_rt_kernels_ref.depthwise_scratch_bytes(g);
    return CACHE_LINE + part_bytes(g, 0) + part_bytes(g, 1) +
           (size_t)quad_count(g) * QUAD * sizeof(int32_t);
}

static Scratch divide_scratch(const HoneRtConv *g, void *scratch)
{
    Scratch s;
    const uintptr_t misaligned = (uintptr_t)scratch % CACHE_LINE;
    uint8_t *p = (uint8_t *)scratch + (CACHE_LINE - misaligned) % CACHE_LINE;
    s.tile = p;
    p += part_bytes(g, 0);
    s.acc = (int32_t *)(void *)p;
    p += part_bytes(g, 1);
    s.offsets = (int32_t *)(void *)p;
    return s;
}

/* Multipliers of the 64 positions, in the order of the sums. */
static void set_scales(Output *o, const uint32_t *words, const HoneRtRequantize *rq)
{
    uint32_t all[POSITIONS];
    __m512i in_order[VECTORS], v[VECTORS];
    for (int p = 0; p < POSITIONS; p++)
        all[p] = p % o->width < o->channels ? words[p % o->width] : 0;
    for (int j = 0; j < VECTORS; j++)
        in_order[j] = _mm512_loadu_si512(all + 16 * j);
    exchange_lanes(in_order, v);
    for (int j = 0; j < VECTORS; j++)
        o->scale[j] = s24_scale(v[j]);
    o->offset = s24_offset(rq->y_zp);
    o->lo = _mm512_set1_epi8((char)rq->lo);
    o->hi = _mm512_set1_epi8((char)rq->hi);
}

/* The rows of a tile, the first being output row `row`, through an epilogue. */
static void run_epilogue(const HoneRtConv *g, const Block *b, Walk w, Output *o, int row, int rows,
                         HoneRtEpilogue epilogue, void *context)
{
    const int dense = b->padded_w == g->out_w; /* sums of all rows lie side by side */
    for (int r = 0; r < rows; r += b->acc_rows) {
        w.rows = min_int(b->acc_rows, rows - r);
        walk_to_sums(&w, o);
        w.tile += (size_t)(w.rows * g->stride_h) * b->row_bytes;
        const int calls = dense ? 1 : w.rows, pixels = dense ? w.rows * g->out_w : g->out_w;
        for (int i = 0; i < calls; i++)
            epilogue(context, o->acc + i * o->acc_step, b->width, (row + r + i) * g->out_w, pixels,
                     b->channel, b->channels);
    }
}

void hone_rt_avx512_dw(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                       int row_end, void *scratch, HoneRtEpilogue epilogue, void *context)
{
    if (has_multiplier(g)) {
        hone_rt_kernels_ref.depthwise(g, x, packed, row_begin, row_end, scratch, epilogue, context);
        return;
    }
    const Scratch s = divide_scratch(g, scratch);
    const uint8_t *all_small = (const uint8_t *)packed + sizeof(int32_t);
    const HoneRtRequantize *rq = hone_rt_s24_epilogue(epilogue, context);
    int32_t x_zero_point;
    HONE_RT_ASSERT(0 <= row_begin && row_begin <= row_end && row_end <= g->out_h);
    memcpy(&x_zero_point, packed, sizeof x_zero_point);
    for (int i = 0; i < block_count(g); i++) {
        const Block b = plan_block(g, i);
        const uint8_t *block =
            (const uint8_t *)packed + header_bytes(g) + (size_t)i * block_bytes(g);
        const int to_codes =
            rq && all_small[i] && hone_rt_s24_is_small(rq->words + b.channel, b.channels);
        Walk w = {s.tile,        b.row_bytes, s.offsets,     block + BIAS_BYTES,
                  block,         g->kernel_h, quad_count(g), g->stride_h,
                  g->dilation_h, 0,           g->out_w};
        Output o = {.width = b.width,
                    .per = b.per,
                    .channels = b.channels,
                    .acc = s.acc,
                    .acc_step = (ptrdiff_t)b.padded_w * b.width};
        if (to_codes) {
            o.y_ld = rq->y_ld;
            o.y_step = g->out_w * rq->y_ld;
            set_scales(&o, rq->words + b.channel, rq);
        }
        fill_offsets(g, &b, s.offsets);
        for (int row = row_begin; row < row_end; row += b.rows) {
            const int rows = min_int(b.rows, row_end - row);
            fill_tile(g, &b, x, row, rows, x_zero_point, s.tile);
            if (!to_codes) {
                run_epilogue(g, &b, w, &o, row, rows, epilogue, context);
                continue;
            }
            w.rows = rows;
            o.y = rq->y + row * o.y_step + b.channel;
            walk_to_codes(&w, &o);
        }
    }
}

#endif
