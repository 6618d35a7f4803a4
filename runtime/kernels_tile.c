/* Convolution by tiles: the loop nest around a level's inner loop, and the packing of weights. See
 * kernels_tile.h for the layout. Portable C; knows no instruction set.
 *
 *     for each block of output rows:           tile of its input in the first or second level cache
 *         for each panel of channels:          its weights in the first-level cache
 *             for each strip of 64 pixels:     gemm, then the epilogue
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_tile.h"
#include "kernels_assert.h"
#include "libc.h"

enum {
    TILE_BYTES = 32 * 1024, /* wanted size of a tile; one output row may need more */
    BLOCK_PIXELS = 512,     /* most pixels of a block, unless one output row has more */
    STRIP = 64,             /* pixels per call of the epilogue */
    SLACK = 64,             /* readable bytes behind a tile: groups reach past the last run */
    CACHE_LINE = 64,
    BYTE_GROUP = 4, /* elements of a group of bytes, of int16 */
    WORD_GROUP = 2
};

typedef struct ConvPlan {
    HoneRtConv g; /* pointwise: every pixel a row */
    int runs, run_elements, groups;
    int tile_w;         /* columns of a tile row */
    size_t row_bytes;   /* of a tile row */
    int block_rows;     /* output rows of a block */
    int panel, panels;  /* channels of a full panel, panels */
    size_t panel_bytes; /* packed bias and weights of a full panel */
} ConvPlan;

static size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static uint8_t *align(void *p, size_t to)
{
    return (uint8_t *)p + (to - (uintptr_t)p % to) % to;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

/* Rows of the tile below `rows` output rows. */
static int tile_rows(const HoneRtConv *g, int rows)
{
    return (rows - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1;
}

static int plan_block_rows(const ConvPlan *plan)
{
    const HoneRtConv *g = &plan->g;
    const int fit = (int)((size_t)TILE_BYTES / plan->row_bytes); /* tile rows */
    int rows = (fit - tile_rows(g, 1)) / g->stride_h + 1;
    rows = min_int(rows, BLOCK_PIXELS / g->out_w);
    rows = max_int(1, min_int(rows, g->out_h));
    return rows > TILE_ROWS && rows < g->out_h ? rows - rows % TILE_ROWS : rows;
}

static ConvPlan plan_conv(const TileLevel *level, const HoneRtConv *g)
{
    ConvPlan plan = {.g = *g};
    HONE_RT_ASSERT(g->in_c >= 1 && g->out_c >= 1 && g->kernel_h >= 1 && g->kernel_w >= 1);
    if (g->kernel_h == 1 && g->kernel_w == 1 && g->stride_h == 1 && g->stride_w == 1 &&
        g->in_h == g->out_h && g->in_w == g->out_w) {
        plan.g.in_h = plan.g.out_h = g->in_h * g->in_w;
        plan.g.in_w = plan.g.out_w = 1;
    }
    const int merged = g->dilation_w == 1; /* a whole kernel row is one run */
    plan.runs = merged ? g->kernel_h : g->kernel_h * g->kernel_w;
    plan.run_elements = merged ? g->kernel_w * g->in_c : g->in_c;
    plan.groups = (plan.run_elements + level->group - 1) / level->group;
    plan.tile_w = (plan.g.out_w - 1) * g->stride_w + (g->kernel_w - 1) * g->dilation_w + 1;
    plan.row_bytes = (size_t)plan.tile_w * (size_t)g->in_c * (size_t)level->element;
    plan.block_rows = plan_block_rows(&plan);
    plan.panel = TILE_VECTORS * level->lanes;
    plan.panels = (g->out_c + plan.panel - 1) / plan.panel;
    plan.panel_bytes =
        (size_t)plan.panel * (sizeof(int32_t) + (size_t)plan.runs * (size_t)plan.groups *
                                                    (size_t)level->group * (size_t)level->element);
    return plan;
}

/* Packed weights: x_zero_point, then a byte per panel, 1 where all its sums are small; panels. */
static size_t header_bytes(const ConvPlan *plan)
{
    return round_up(sizeof(int32_t) + (size_t)plan->panels, CACHE_LINE);
}

/* Channels of panel p as the inner loop sees them: one vector when that is enough. */
static int panel_vectors(const TileLevel *level, const ConvPlan *plan, int p)
{
    return plan->g.out_c - p * plan->panel > level->lanes ? TILE_VECTORS : 1;
}

size_t hone_rt_tile_conv_pack_bytes(const TileLevel *level, const HoneRtConv *g)
{
    const ConvPlan plan = plan_conv(level, g);
    return header_bytes(&plan) + (size_t)plan.panels * plan.panel_bytes;
}

/* The groups of one run of a channel, each to its cell; returns the cell after the last. */
static uint8_t *pack_bytes(const int8_t *w, int n, uint8_t *to, size_t step)
{
    int i = 0;
    for (; i + BYTE_GROUP <= n; i += BYTE_GROUP, to += step)
        memcpy(to, w + i, BYTE_GROUP); /* a constant: one load, one store */
    if (i == n)
        return to;
    for (int j = i; j < n; j++)
        to[j - i] = (uint8_t)w[j];
    return to + step;
}

static uint8_t *pack_words(const int8_t *w, int n, uint8_t *to, size_t step)
{
    for (int i = 0; i < n; i += WORD_GROUP, to += step) {
        const int16_t pair[WORD_GROUP] = {w[i], i + 1 < n ? w[i + 1] : 0};
        memcpy(to, pair, sizeof pair);
    }
    return to;
}

/* One output channel of a panel: `to` is its cell in the first group, cells are `step` apart. */
static void pack_channel(const TileLevel *level, const ConvPlan *plan, const int8_t *w, uint8_t *to,
                         size_t step)
{
    for (int run = 0; run < plan->runs; run++, w += plan->run_elements)
        to = level->element == 1 ? pack_bytes(w, plan->run_elements, to, step)
                                 : pack_words(w, plan->run_elements, to, step);
}

/* uint8 activations are x + 128, so bias takes -(128 + zx) * sum(w) on itself. Wraps like the sums
 * do; the true accumulator fits, so the wrapped one is right. *small: no sum exceeds 2^24. */
static uint32_t packed_bias(const TileLevel *level, const int8_t *w, size_t n, int32_t bias,
                            int32_t x_zero_point, int *small)
{
    int32_t sum = 0, magnitudes = 0;
    if (level->element == 2)
        return (uint32_t)bias;
    for (size_t i = 0; i < n; i++) {
        sum += w[i];
        magnitudes += w[i] < 0 ? -w[i] : w[i];
    }
    *small = hone_rt_tile_is_small(sum, magnitudes, bias, x_zero_point);
    return (uint32_t)bias - (uint32_t)(128 + x_zero_point) * (uint32_t)sum;
}

void hone_rt_tile_conv_pack(const TileLevel *level, const HoneRtConv *g, const int8_t *w,
                            const int32_t *bias, int32_t x_zero_point, int begin, int end,
                            void *packed)
{
    const ConvPlan plan = plan_conv(level, g);
    const size_t filter = (size_t)g->kernel_h * (size_t)g->kernel_w * (size_t)g->in_c;
    const size_t cell = (size_t)level->group * (size_t)level->element;
    uint8_t *out = packed;
    HONE_RT_ASSERT(level->group == (level->element == 1 ? BYTE_GROUP : WORD_GROUP));
    HONE_RT_ASSERT(begin % plan.panel == 0 && (end % plan.panel == 0 || end == g->out_c));
    if (begin == 0)
        memcpy(out, &x_zero_point, sizeof x_zero_point);
    for (int first = begin; first < end; first += plan.panel) {
        const int p = first / plan.panel;
        uint8_t *panel = out + header_bytes(&plan) + (size_t)p * plan.panel_bytes;
        uint8_t *all_small = out + sizeof x_zero_point + p;
        const int width = panel_vectors(level, &plan, p) * level->lanes;
        const int stop = min_int(end, first + width);
        if (stop < first + plan.panel || plan.run_elements % level->group != 0)
            memset(panel, 0, plan.panel_bytes); /* cells that no weight fills */
        *all_small = 1;
        for (int c = first; c < stop; c++) {
            const int8_t *wc = w + (size_t)c * filter;
            int small = 0;
            const uint32_t b =
                packed_bias(level, wc, filter, bias != NULL ? bias[c] : 0, x_zero_point, &small);
            *all_small &= (uint8_t)small;
            memcpy(panel + (size_t)(c - first) * sizeof b, &b, sizeof b);
            pack_channel(level, &plan, wc,
                         panel + (size_t)width * sizeof b + (size_t)(c - first) * cell,
                         (size_t)width * cell);
        }
    }
}

/* Where the parts of the scratch lie. */
typedef struct ConvScratch {
    uint8_t *tile;
    int32_t *acc;           /* [STRIP + TILE_ROWS][panel] */
    int32_t *pixel_offsets; /* of a block, rounded up to TILE_ROWS */
    int32_t *run_offsets;
} ConvScratch;

static size_t block_tile_bytes(const ConvPlan *plan)
{
    return round_up((size_t)tile_rows(&plan->g, plan->block_rows) * plan->row_bytes + SLACK,
                    CACHE_LINE);
}

static size_t acc_bytes(const ConvPlan *plan)
{
    return (size_t)(STRIP + TILE_ROWS) * (size_t)plan->panel * sizeof(int32_t);
}

static size_t offsets_bytes(const ConvPlan *plan)
{
    return ((size_t)plan->block_rows * (size_t)plan->g.out_w + TILE_ROWS) * sizeof(int32_t);
}

size_t hone_rt_tile_conv_scratch_bytes(const TileLevel *level, const HoneRtConv *g)
{
    const ConvPlan plan = plan_conv(level, g);
    return CACHE_LINE + block_tile_bytes(&plan) + acc_bytes(&plan) + offsets_bytes(&plan) +
           (size_t)plan.runs * sizeof(int32_t);
}

static ConvScratch divide_scratch(const ConvPlan *plan, void *scratch)
{
    ConvScratch s;
    uint8_t *p = align(scratch, CACHE_LINE);
    s.tile = p;
    p += block_tile_bytes(plan);
    s.acc = (int32_t *)(void *)p;
    p += acc_bytes(plan);
    s.pixel_offsets = (int32_t *)(void *)p;
    p += offsets_bytes(plan);
    s.run_offsets = (int32_t *)(void *)p;
    return s;
}

static void fill_run_offsets(const TileLevel *level, const ConvPlan *plan, int32_t *offsets)
{
    const HoneRtConv *g = &plan->g;
    const int columns = plan->runs / g->kernel_h;
    const int32_t column_bytes = g->dilation_w * g->in_c * level->element;
    for (int run = 0; run < plan->runs; run++)
        offsets[run] = (int32_t)(run / columns * g->dilation_h) * (int32_t)plan->row_bytes +
                       run % columns * column_bytes;
}

static void fill_pixel_offsets(const TileLevel *level, const ConvPlan *plan, int rows,
                               int32_t *offsets)
{
    const HoneRtConv *g = &plan->g;
    const int32_t column_bytes = g->stride_w * g->in_c * level->element;
    int n = 0;
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < g->out_w; column++)
            offsets[n++] = row * g->stride_h * (int32_t)plan->row_bytes + column * column_bytes;
    for (int i = 0; i < TILE_ROWS; i++)
        offsets[n + i] = offsets[n - 1];
}

static void fill_pad(const TileLevel *level, uint8_t *to, int elements, int32_t x_zero_point)
{
    const int value = level->element == 1 ? x_zero_point + 128 : 0;
    memset(to, value, (size_t)elements * (size_t)level->element);
}

/* Columns of a row of x. */
static void store_columns(const TileLevel *level, const HoneRtConv *g, uint8_t *to, const int8_t *x,
                          int columns, int32_t x_zero_point)
{
    const size_t in_c = (size_t)g->in_c, bytes = in_c * (size_t)level->element;
    if (g->x_step == 0 || g->x_step == g->in_c) {
        level->store(to, x, (size_t)columns * in_c, x_zero_point);
        return;
    }
    for (int i = 0; i < columns; i++, to += bytes, x += g->x_step)
        level->store(to, x, in_c, x_zero_point);
}

/* Copies the input below the output rows [row, row + rows) to the tile. */
static void fill_tile(const TileLevel *level, const ConvPlan *plan, const int8_t *x, int row,
                      int rows, int32_t x_zero_point, uint8_t *tile)
{
    const HoneRtConv *g = &plan->g;
    const int n = tile_rows(g, rows), top = row * g->stride_h - g->pad_top;
    const int left = min_int(g->pad_left, plan->tile_w);
    const int inside = min_int(g->in_w, plan->tile_w - left);
    const int step = g->x_step != 0 ? g->x_step : g->in_c;
    const size_t row_elements = (size_t)g->in_w * (size_t)step;
    memset(tile + (size_t)n * plan->row_bytes, 0, SLACK);
    if (inside == plan->tile_w && inside == g->in_w && top >= 0 && top + n <= g->in_h) {
        store_columns(level, g, tile, x + (size_t)top * row_elements, n * g->in_w, x_zero_point);
        return;
    }
    for (int i = 0; i < n; i++, tile += plan->row_bytes) {
        const int iy = top + i;
        if (iy < 0 || iy >= g->in_h) {
            fill_pad(level, tile, plan->tile_w * g->in_c, x_zero_point);
            continue;
        }
        uint8_t *to = tile + (size_t)left * (size_t)g->in_c * (size_t)level->element;
        fill_pad(level, tile, left * g->in_c, x_zero_point);
        store_columns(level, g, to, x + (size_t)iy * row_elements, inside, x_zero_point);
        to += (size_t)inside * (size_t)g->in_c * (size_t)level->element;
        fill_pad(level, to, (plan->tile_w - left - inside) * g->in_c, x_zero_point);
    }
}

/* One panel over `pixels` pixels of a block, the first being output pixel `pixel`. */
static void run_panel(const TileLevel *level, const TileGemm *gemm, int vectors,
                      const ConvScratch *s, int pixels, int pixel, int channel, int cols,
                      HoneRtEpilogue epilogue, void *context)
{
    for (int begin = 0; begin < pixels; begin += STRIP) {
        const int strip = min_int(STRIP, pixels - begin);
        level->gemm(gemm, strip, vectors, s->pixel_offsets + begin, s->acc);
        epilogue(context, s->acc, gemm->ld, pixel + begin, strip, channel, cols);
    }
}

/* One panel over a block whose first output pixel is `pixel`, in registers from sums to codes; returns
 * 0 and does nothing where the level cannot. */
static int run_panel_to_codes(const TileLevel *level, const TileGemm *gemm, int vectors,
                              const ConvScratch *s, int pixels, int pixel, int channel, int cols,
                              const HoneRtRequantize *rq)
{
    if (level->gemm_codes == NULL || !hone_rt_s24_is_small(rq->words + channel, cols))
        return 0;
    const TileCodes codes = {rq->words + channel,
                             cols,
                             rq->y_zp,
                             rq->lo,
                             rq->hi,
                             rq->y + (ptrdiff_t)pixel * rq->y_ld + channel,
                             rq->y_ld};
    level->gemm_codes(gemm, pixels, vectors, s->pixel_offsets, &codes);
    return 1;
}

void hone_rt_tile_conv(const TileLevel *level, const HoneRtConv *g, const int8_t *x,
                       const void *packed, int row_begin, int row_end, void *scratch,
                       HoneRtEpilogue epilogue, void *context)
{
    const ConvPlan plan = plan_conv(level, g);
    const ConvScratch s = divide_scratch(&plan, scratch);
    const int scale = plan.g.out_h / g->out_h; /* rows of the plan per row of the caller */
    const uint8_t *all_small = (const uint8_t *)packed + sizeof(int32_t);
    const uint8_t *panels = (const uint8_t *)packed + header_bytes(&plan);
    const HoneRtRequantize *rq = hone_rt_s24_epilogue(epilogue, context);
    int32_t x_zero_point;
    HONE_RT_ASSERT(0 <= row_begin && row_begin <= row_end && row_end <= g->out_h);
    memcpy(&x_zero_point, packed, sizeof x_zero_point);
    fill_run_offsets(level, &plan, s.run_offsets);
    fill_pixel_offsets(level, &plan, plan.block_rows, s.pixel_offsets);
    for (int row = row_begin * scale; row < row_end * scale; row += plan.block_rows) {
        const int rows = min_int(plan.block_rows, row_end * scale - row);
        const int pixels = rows * plan.g.out_w, pixel = row * plan.g.out_w;
        if (rows < plan.block_rows)
            fill_pixel_offsets(level, &plan, rows, s.pixel_offsets);
        fill_tile(level, &plan, x, row, rows, x_zero_point, s.tile);
        for (int p = 0; p < plan.panels; p++) {
            const uint8_t *panel = panels + (size_t)p * plan.panel_bytes;
            const int vectors = panel_vectors(level, &plan, p), width = vectors * level->lanes;
            const int channel = p * plan.panel, cols = min_int(width, g->out_c - channel);
            const TileGemm gemm = {s.tile,
                                   s.run_offsets,
                                   plan.runs,
                                   plan.groups,
                                   panel + (size_t)width * sizeof(int32_t),
                                   panel,
                                   width};
            if (rq == NULL || !all_small[p] ||
                !run_panel_to_codes(level, &gemm, vectors, &s, pixels, pixel, channel, cols, rq))
                run_panel(level, &gemm, vectors, &s, pixels, pixel, channel, cols, epilogue,
                          context);
        }
    }
}
