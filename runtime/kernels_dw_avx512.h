/* Depthwise convolution with AVX-512: blocks of channels, tiles, and the layout of packed weights, which
 * packing (kernels_dw_pack_avx512.c) and computing (kernels_dw_avx512.c, where the algorithm is told)
 * share. Internal to runtime/. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_KERNELS_DW_AVX512_H
#define HONE_RUNTIME_KERNELS_DW_AVX512_H

#include "kernels_avx512.h"

enum {
    POSITIONS = 64,         /* bytes of a vector */
    VECTORS = 4,            /* of int32 sums of 64 positions */
    QUAD = 4,               /* taps of one multiply-accumulate */
    QUAD_BYTES = 256,       /* weights of a quad, 64 positions */
    BIAS_BYTES = 256,       /* of a block */
    TILE_BYTES = 48 * 1024, /* wanted size of a tile; one output row may need more */
    ACC_BYTES = 16 * 1024,  /* the same of the sums of an epilogue */
    CACHE_LINE = 64
};

/* ---- geometry ---- */

/* A block of up to 64 channels. */
typedef struct Block {
    int channel, channels; /* first one, how many */
    int width;             /* 64, 32, 16 or 8 */
    int per;               /* pixels of a vector */
    int columns;           /* of one phase of a tile row */
    int padded_w;          /* out_w rounded up to per */
    int rows, acc_rows;    /* output rows per tile, per call of the epilogue */
    size_t row_bytes;      /* of a tile row, all phases */
} Block;

static inline size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static inline int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

static inline int min_int(int a, int b)
{
    return a < b ? a : b;
}

static inline int max_int(int a, int b)
{
    return a > b ? a : b;
}

static inline int span(int kernel, int dilation)
{
    return (kernel - 1) * dilation + 1;
}

/* Rows of the tile below `rows` output rows. */
static inline int tile_rows(const HoneRtConv *g, int rows)
{
    return (rows - 1) * g->stride_h + span(g->kernel_h, g->dilation_h);
}

static inline int block_count(const HoneRtConv *g)
{
    return ceil_div(g->out_c, POSITIONS);
}

/* Quads of a kernel row. */
static inline int quad_count(const HoneRtConv *g)
{
    return ceil_div(g->kernel_w, QUAD);
}

static inline Block plan_block(const HoneRtConv *g, int index)
{
    Block b = {.channel = index * POSITIONS};
    b.channels = min_int(POSITIONS, g->out_c - b.channel);
    b.width = b.channels > 32 ? 64 : b.channels > 16 ? 32 : b.channels > 8 ? 16 : 8;
    b.per = POSITIONS / b.width;
    b.padded_w = ceil_div(g->out_w, b.per) * b.per;
    b.columns = b.padded_w - 1 + ceil_div(span(g->kernel_w, g->dilation_w), g->stride_w);
    b.row_bytes = (size_t)g->stride_w * (size_t)b.columns * (size_t)b.width;
    const int fit = (int)((size_t)TILE_BYTES / b.row_bytes);
    b.rows = (fit - tile_rows(g, 1)) / g->stride_h + 1;
    b.rows = max_int(1, min_int(b.rows, g->out_h));
    b.acc_rows = ACC_BYTES / (b.padded_w * b.width * (int)sizeof(int32_t));
    b.acc_rows = max_int(1, min_int(b.acc_rows, b.rows));
    return b;
}

/* A multiplier above 1 is rare and left to the reference. */
static inline int has_multiplier(const HoneRtConv *g)
{
    return g->out_c != g->in_c;
}

/* ---- packed weights: x_zero_point, a byte per block, then per block bias and quads ---- */

static inline size_t header_bytes(const HoneRtConv *g)
{
    return round_up(sizeof(int32_t) + (size_t)block_count(g), CACHE_LINE);
}

static inline size_t block_bytes(const HoneRtConv *g)
{
    return BIAS_BYTES + (size_t)g->kernel_h * (size_t)quad_count(g) * QUAD_BYTES;
}

#endif
