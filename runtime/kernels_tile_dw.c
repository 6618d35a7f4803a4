/* Depthwise convolution by tiles: the loop nest around a level's inner loop, and the packing of
 * weights. See kernels_tile.h for the layout. Portable C; knows no instruction set.
 *
 *     for each block of 16 channels:
 *         for each block of output rows:       gather its channels into a tile
 *             for each output row:             all taps, 16 channels x a few pixels at a time
 *             epilogue
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_assert.h"
#include "kernels_tile.h"
#include "libc.h"

enum {
    DW = TILE_DW_CHANNELS,
    TILE_BYTES = 16 * 1024, /* wanted size of a tile; one output row may need more */
    BLOCK_PIXELS = 256,     /* most pixels of a block, unless one output row has more */
    HEADER = 64,            /* of packed weights: holds x_zero_point */
    CACHE_LINE = 64,
    PAIR_BYTES = DW * 2 * 2 /* weights of two taps */
};

typedef struct DwPlan {
    int taps, pairs;
    int columns;        /* cells of one phase of a tile row */
    size_t row_bytes;   /* of a tile row, all phases */
    int block_rows;     /* output rows of a block */
    int blocks;         /* of channels */
    size_t block_bytes; /* packed bias and weights of a block of channels */
} DwPlan;

static size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

/* Rows of the tile below `rows` output rows. */
static int tile_rows(const HoneRtConv *g, int rows)
{
    return (rows - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1;
}

static DwPlan plan_dw(const TileLevel *level, const HoneRtConv *g)
{
    DwPlan plan;
    const int out_w = ceil_div(g->out_w, level->dw_step) * level->dw_step;
    const int tile_w = (out_w - 1) * g->stride_w + (g->kernel_w - 1) * g->dilation_w + 1;
    HONE_RT_ASSERT(g->in_c == g->out_c && g->kernel_h >= 1 && g->kernel_w >= 1);
    plan.taps = g->kernel_h * g->kernel_w;
    plan.pairs = ceil_div(plan.taps, 2);
    plan.columns = ceil_div(tile_w, g->stride_w);
    plan.row_bytes = (size_t)g->stride_w * (size_t)plan.columns * TILE_DW_CELL;
    const int fit = (int)((size_t)TILE_BYTES / plan.row_bytes);
    const int rows = min_int((fit - tile_rows(g, 1)) / g->stride_h + 1, BLOCK_PIXELS / g->out_w);
    plan.block_rows = max_int(1, min_int(rows, g->out_h));
    plan.blocks = ceil_div(g->out_c, DW);
    plan.block_bytes = DW * sizeof(int32_t) + (size_t)plan.pairs * PAIR_BYTES;
    return plan;
}

/* A multiplier above 1 is rare and left to the reference. */
static int has_multiplier(const HoneRtConv *g)
{
    return g->out_c != g->in_c;
}

size_t hone_rt_tile_dw_pack_bytes(const TileLevel *level, const HoneRtConv *g)
{
    if (has_multiplier(g))
        return hone_rt_kernels_ref.depthwise_pack_bytes(g);
    const DwPlan plan = plan_dw(level, g);
    return HEADER + (size_t)plan.blocks * plan.block_bytes;
}

/* One channel; `to` is its place in the first pair of taps. */
static void pack_channel(const DwPlan *plan, const int8_t *w, int channels, uint8_t *to)
{
    for (int t = 0; t < plan->taps; t++) {
        const int16_t wide = w[(ptrdiff_t)t * channels];
        memcpy(to + (size_t)(t / 2) * PAIR_BYTES + (size_t)(t % 2) * sizeof wide, &wide,
               sizeof wide);
    }
}

void hone_rt_tile_dw_pack(const TileLevel *level, const HoneRtConv *g, const int8_t *w,
                          const int32_t *bias, int32_t x_zero_point, void *packed)
{
    if (has_multiplier(g)) {
        hone_rt_kernels_ref.depthwise_pack(g, w, bias, x_zero_point, packed);
        return;
    }
    const DwPlan plan = plan_dw(level, g);
    uint8_t *out = packed;
    memset(out, 0, hone_rt_tile_dw_pack_bytes(level, g));
    memcpy(out, &x_zero_point, sizeof x_zero_point);
    for (int c = 0; c < g->out_c; c++) {
        uint8_t *block = out + HEADER + (size_t)(c / DW) * plan.block_bytes;
        const size_t lane = (size_t)(c % DW);
        if (bias != NULL)
            memcpy(block + lane * sizeof *bias, &bias[c], sizeof *bias);
        pack_channel(&plan, w + c, g->out_c,
                     block + DW * sizeof *bias + lane * 2 * sizeof(int16_t));
    }
}

/* Where the parts of the scratch lie. */
typedef struct DwScratch {
    uint8_t *tile;
    int32_t *acc;         /* [pixels of a block + dw_step][16] */
    int32_t *tap_offsets; /* [pairs][2] */
} DwScratch;

static size_t block_tile_bytes(const HoneRtConv *g, const DwPlan *plan)
{
    return round_up((size_t)tile_rows(g, plan->block_rows) * plan->row_bytes, CACHE_LINE);
}

static size_t acc_bytes(const TileLevel *level, const HoneRtConv *g, const DwPlan *plan)
{
    const size_t pixels = (size_t)plan->block_rows * (size_t)g->out_w + (size_t)level->dw_step;
    return pixels * DW * sizeof(int32_t);
}

size_t hone_rt_tile_dw_scratch_bytes(const TileLevel *level, const HoneRtConv *g)
{
    if (has_multiplier(g))
        return hone_rt_kernels_ref.depthwise_scratch_bytes(g);
    const DwPlan plan = plan_dw(level, g);
    return CACHE_LINE + block_tile_bytes(g, &plan) + acc_bytes(level, g, &plan) +
           (size_t)plan.pairs * 2 * sizeof(int32_t);
}

static DwScratch divide_scratch(const TileLevel *level, const HoneRtConv *g, const DwPlan *plan,
                                void *scratch)
{
    DwScratch s;
    const uintptr_t misaligned = (uintptr_t)scratch % CACHE_LINE;
    uint8_t *p = (uint8_t *)scratch + (CACHE_LINE - misaligned) % CACHE_LINE;
    s.tile = p;
    p += block_tile_bytes(g, plan);
    s.acc = (int32_t *)(void *)p;
    p += acc_bytes(level, g, plan);
    s.tap_offsets = (int32_t *)(void *)p;
    return s;
}

/* Offsets from the cell of an output pixel's first column. The partner of an odd last tap has zero
 * weights and reads the first tap. */
static void fill_tap_offsets(const HoneRtConv *g, const DwPlan *plan, int32_t *offsets)
{
    for (int t = 0; t < plan->pairs * 2; t++) {
        const int tap = t < plan->taps ? t : 0;
        const int row = tap / g->kernel_w * g->dilation_h;
        const int column = tap % g->kernel_w * g->dilation_w;
        const int cell = column % g->stride_w * plan->columns + column / g->stride_w;
        offsets[t] = row * (int32_t)plan->row_bytes + cell * TILE_DW_CELL;
    }
}

/* Padding is x = x_zero_point, stored as 0. */
static void fill_pad(uint8_t *to, int cells)
{
    memset(to, 0, (size_t)cells * TILE_DW_CELL);
}

/* One tile row from one input row (x at its first channel), phase by phase: cell i of a phase holds
 * input column i * stride_w + phase - pad_left. */
static void fill_row(const TileLevel *level, const HoneRtConv *g, const DwPlan *plan,
                     const int8_t *x, int channels, int32_t x_zero_point, uint8_t *to)
{
    for (int phase = 0; phase < g->stride_w; phase++, to += (size_t)plan->columns * TILE_DW_CELL) {
        const int shift = g->pad_left - phase; /* the first inside: the first i * stride >= shift */
        const int begin = shift <= 0 ? 0 : min_int(ceil_div(shift, g->stride_w), plan->columns);
        const int last = g->in_w - 1 + shift; /* the last inside: i * stride <= last */
        const int end = last < 0 ? begin : min_int(last / g->stride_w + 1, plan->columns);
        const int n = max_int(end - begin, 0);
        fill_pad(to, begin);
        if (n > 0)
            level->dw_store(to + (size_t)begin * TILE_DW_CELL,
                            x + ((ptrdiff_t)begin * g->stride_w - shift) * g->in_c,
                            (ptrdiff_t)g->stride_w * g->in_c, n, channels, x_zero_point);
        fill_pad(to + (size_t)(begin + n) * TILE_DW_CELL, plan->columns - begin - n);
    }
}

/* The tile below the output rows [row, row + rows), for the channels from `channel` on. */
static void fill_tile(const TileLevel *level, const HoneRtConv *g, const DwPlan *plan,
                      const int8_t *x, int channel, int row, int rows, int32_t x_zero_point,
                      uint8_t *tile)
{
    const int channels = min_int(DW, g->in_c - channel);
    const int n = tile_rows(g, rows), top = row * g->stride_h - g->pad_top;
    for (int i = 0; i < n; i++, tile += plan->row_bytes) {
        const int iy = top + i;
        if (iy < 0 || iy >= g->in_h)
            fill_pad(tile, g->stride_w * plan->columns);
        else
            fill_row(level, g, plan, x + (ptrdiff_t)iy * g->in_w * g->in_c + channel, channels,
                     x_zero_point, tile);
    }
}

void hone_rt_tile_dw(const TileLevel *level, const HoneRtConv *g, const int8_t *x,
                     const void *packed, int row_begin, int row_end, void *scratch,
                     HoneRtEpilogue epilogue, void *context)
{
    if (has_multiplier(g)) {
        hone_rt_kernels_ref.depthwise(g, x, packed, row_begin, row_end, scratch, epilogue, context);
        return;
    }
    const DwPlan plan = plan_dw(level, g);
    const DwScratch s = divide_scratch(level, g, &plan, scratch);
    int32_t x_zero_point;
    HONE_RT_ASSERT(0 <= row_begin && row_begin <= row_end && row_end <= g->out_h);
    memcpy(&x_zero_point, packed, sizeof x_zero_point);
    fill_tap_offsets(g, &plan, s.tap_offsets);
    for (int b = 0; b < plan.blocks; b++) {
        const uint8_t *block = (const uint8_t *)packed + HEADER + (size_t)b * plan.block_bytes;
        TileDepthwise t = {s.tile, s.tap_offsets, plan.pairs, block + DW * sizeof(int32_t), block};
        for (int row = row_begin; row < row_end; row += plan.block_rows) {
            const int rows = min_int(plan.block_rows, row_end - row);
            fill_tile(level, g, &plan, x, b * DW, row, rows, x_zero_point, s.tile);
            for (int r = 0; r < rows; r++) { /* in order: a row's overhang is overwritten */
                t.tile = s.tile + (size_t)(r * g->stride_h) * plan.row_bytes;
                level->dw_row(&t, g->out_w, s.acc + (ptrdiff_t)r * g->out_w * DW);
            }
            epilogue(context, s.acc, DW, row * g->out_w, rows * g->out_w, b * DW,
                     min_int(DW, g->out_c - b * DW));
        }
    }
}
