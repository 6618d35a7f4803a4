/* What the SIMD levels share: cutting a convolution into tiles, laying out tile and weights.
 * Internal to runtime/; a level (kernels_avx2.c, ...) brings the inner loops as a TileLevel.
 *
 * Convolution. For a block of output rows, the input rows below it are copied once into a tile with
 * a padded border, converted to what the multiplier instruction wants ("stored" elements):
 *
 *     tile row:  [ pad_left | input columns | right pad ] x in_c     border = the zero point
 *
 * In such a tile a window row of a kernel without horizontal dilation is one contiguous *run* of
 * kernel_w * in_c elements, so there is no im2col: a window is kernel_h runs (with dilation:
 * kernel_h * kernel_w runs of in_c), at offsets that are the same for every pixel. The inner loop
 * multiplies `rows` pixels by a panel of up to 2 vectors of channels along these runs, `group`
 * elements at a time. Groups that reach past a run meet zero weights. A 1x1 kernel of stride 1
 * makes every pixel a row of its own, so images of any shape are cut well.
 *
 * Depthwise. One block of 16 channels at a time; the tile is [row][phase][column][16], column x of
 * the padded row being stored at phase x mod stride_w, column x / stride_w: the pixels of an output
 * row that meet one tap then lie side by side, for every stride and dilation. Elements are int16
 * x - x_zero_point; taps are multiplied in pairs, an odd last one with a tap of zero weights.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_KERNELS_TILE_H
#define HONE_RUNTIME_KERNELS_TILE_H

#include "kernels.h"

enum {
    TILE_DW_CHANNELS = 16, /* channels of a depthwise block */
    TILE_DW_CELL = 32,     /* bytes of them in the tile, int16 */
    TILE_ROWS = 8,         /* most pixels of one inner loop */
    TILE_VECTORS = 2       /* vectors of channels of a full panel */
};

/* One call of the inner loop of a convolution: acc[r * ld + c] = bias[c] + sum over the runs of
 * tile[pixel_offsets[r] + run_offsets[run] + ...] * weights. Offsets in bytes. */
typedef struct TileGemm {
    const uint8_t *tile;
    const int32_t *run_offsets;
    int runs;
    int groups;             /* of elements, per run */
    const uint8_t *weights; /* [run][group][channel of the panel][element of the group] */
    const uint8_t *bias;    /* int32 [channel of the panel], any alignment */
    int ld;
} TileGemm;

/* Where codes go: y[p * y_ld + c], c < cols, of pixel p and channel c of the panel; and how sums
 * become codes. */
typedef struct TileCodes {
    const uint32_t *words; /* [cols], all of them small, see hone_rt_s24_is_small */
    int cols;
    int32_t y_zp, lo, hi;
    int8_t *y;
    ptrdiff_t y_ld;
} TileCodes;

/* One output row of a depthwise block: n pixels, acc[pixel * 16 + c]. May write acc up to n rounded
 * up to a multiple of dw_step, and reads the tile as if it did. */
typedef struct TileDepthwise {
    const uint8_t *tile;        /* the row's first column */
    const int32_t *tap_offsets; /* [pairs][2], bytes */
    int pairs;
    const uint8_t *weights; /* int16 [pair][16 channels][2 taps], any alignment */
    const uint8_t *bias;    /* int32 [16], any alignment */
} TileDepthwise;

typedef struct TileLevel {
    int element; /* bytes of a stored activation: 1: uint8 x + 128, 2: int16 x - x_zero_point */
    int group;   /* elements per multiply-accumulate and lane */
    int lanes;   /* int32 lanes of a vector */
    int dw_step; /* pixels per inner step of depthwise */
    /* Converts n elements of x to stored form. */
    void (*store)(uint8_t *tile, const int8_t *x, size_t n, int32_t x_zero_point);
    /* vectors 1 or 2. May take the pixels up to a multiple of TILE_ROWS: offsets past the last repeat
     * it, and acc has room. */
    void (*gemm)(const TileGemm *t, int pixels, int vectors, const int32_t *pixel_offsets,
                 int32_t *acc);
    /* As gemm, of any number of pixels, straight to codes; the sums are small, see
     * hone_rt_tile_is_small. NULL: the level has none. */
    void (*gemm_codes)(const TileGemm *t, int pixels, int vectors, const int32_t *pixel_offsets,
                       const TileCodes *codes);
    /* n pixels of up to 16 channels, x_stride bytes apart, to n cells, in the channel order that
     * dw_row wants; the channels from `channels` on get any value. */
    void (*dw_store)(uint8_t *tile, const int8_t *x, ptrdiff_t x_stride, int n, int channels,
                     int32_t x_zero_point);
    void (*dw_row)(const TileDepthwise *t, int n, int32_t *acc);
} TileLevel;

/* True when requantization may add the zero point inside the 64-bit sum and keep only the low half
 * of the result: with 25 <= k <= 54, |acc * m + 2^(k-1) + zp * 2^k| < 2^55 + 2^53 + 2^61, and the
 * quotient is below 2^30 + 2^8. m = 0 gives the zero point with every k up to 54. */
static inline int hone_rt_s24_is_narrow(const uint32_t *words, int cols)
{
    uint32_t wide = 0;
    for (int c = 0; c < cols; c++) {
        const uint32_t k = words[c] >> 24, m = words[c] & 0xffffffu;
        wide |= (uint32_t)(k - 25u > 54u - 25u) & (uint32_t)(m != 0 || k > 54u);
    }
    return wide == 0;
}

/* True when every multiplier is below 2^6 (k >= 18, m < 2^24): with sums of at most 2^24 in
 * magnitude, a level may then requantize in float32 (kernels_avx512.h). */
static inline int hone_rt_s24_is_small(const uint32_t *words, int cols)
{
    uint32_t large = 0;
    for (int c = 0; c < cols; c++)
        large |= (uint32_t)(words[c] >> 24 < 18) & (uint32_t)((words[c] & 0xffffffu) != 0);
    return large == 0;
}

/* True when no activations can bring bias + sum (x - x_zero_point) * w beyond 2^24 in magnitude;
 * `sum` is that of the weights, `magnitudes` that of their absolute values. */
static inline int hone_rt_tile_is_small(int32_t sum, int32_t magnitudes, int32_t bias,
                                        int32_t x_zero_point)
{
    const int64_t limit = (int64_t)1 << 24;
    const int64_t positive = ((int64_t)magnitudes + sum) / 2, negative = magnitudes - positive;
    const int64_t below = 128 + (int64_t)x_zero_point, above = 127 - (int64_t)x_zero_point;
    return bias + positive * above + negative * below <= limit &&
           bias - positive * below - negative * above >= -limit;
}

size_t hone_rt_tile_conv_pack_bytes(const TileLevel *level, const HoneRtConv *g);
size_t hone_rt_tile_conv_scratch_bytes(const TileLevel *level, const HoneRtConv *g);
void hone_rt_tile_conv_pack(const TileLevel *level, const HoneRtConv *g, const int8_t *w,
                            const int32_t *bias, int32_t x_zero_point, int begin, int end,
                            void *packed);
void hone_rt_tile_conv(const TileLevel *level, const HoneRtConv *g, const int8_t *x,
                       const void *packed, int row_begin, int row_end, void *scratch,
                       HoneRtEpilogue epilogue, void *context);

/* As above for depthwise. A multiplier above 1 goes to the reference kernels. */
size_t hone_rt_tile_dw_pack_bytes(const TileLevel *level, const HoneRtConv *g);
size_t hone_rt_tile_dw_scratch_bytes(const TileLevel *level, const HoneRtConv *g);
void hone_rt_tile_dw_pack(const TileLevel *level, const HoneRtConv *g, const int8_t *w,
                          const int32_t *bias, int32_t x_zero_point, void *packed);
void hone_rt_tile_dw(const TileLevel *level, const HoneRtConv *g, const int8_t *x,
                     const void *packed, int row_begin, int row_end, void *scratch,
                     HoneRtEpilogue epilogue, void *context);

#endif
