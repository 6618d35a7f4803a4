/* The layers without sums over channels, one code at a time: the specification of the other levels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_assert.h"
#include "kernels_layers.h"

void hone_rt_mul_s24_ref(const HoneRtMul *p, const int8_t *a, const int8_t *b, int rows,
                         int channels, int8_t *y)
{
    HONE_RT_ASSERT(hone_rt_s24_valid(p->word) && -128 <= p->lo && p->lo <= p->hi && p->hi <= 127);
    for (int r = 0; r < rows; r++, a += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = hone_rt_mul_code(p, a[c], b[c]);
}

void hone_rt_mul_d31(const HoneRtMul *p, const int8_t *a, const int8_t *b, int rows, int channels,
                     int8_t *y)
{
    HONE_RT_ASSERT(hone_rt_d31_valid((int32_t)p->word, p->shift));
    for (int r = 0; r < rows; r++, a += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = hone_rt_mul_d31_code(p, a[c], b[c]);
}

static void assert_pool(const HoneRtPool *g)
{
    HONE_RT_ASSERT(g->in_h >= 1 && g->in_w >= 1 && g->channels >= 1);
    HONE_RT_ASSERT(g->kernel_h >= 1 && g->kernel_w >= 1 && g->stride_h >= 1 && g->stride_w >= 1);
    HONE_RT_ASSERT(g->pad_top >= 0 && g->pad_top < g->kernel_h);
    HONE_RT_ASSERT(g->pad_left >= 0 && g->pad_left < g->kernel_w);
    HONE_RT_ASSERT((g->out_h - 1) * g->stride_h - g->pad_top < g->in_h);
    HONE_RT_ASSERT((g->out_w - 1) * g->stride_w - g->pad_left < g->in_w);
    (void)g;
}

/* Sum and maximum over the window of one output code; x is of its channel. */
typedef struct Gathered {
    int32_t sum, most, count;
} Gathered;

static Gathered gather(const HoneRtPool *g, const int8_t *x, int oy, int ox)
{
    const PoolWindow w = hone_rt_pool_window(g, oy, ox);
    Gathered all = {0, -128, (w.bottom - w.top) * (w.right - w.left)};
    for (int iy = w.top; iy < w.bottom; iy++)
        for (int ix = w.left; ix < w.right; ix++) {
            const int32_t v = x[((ptrdiff_t)iy * g->in_w + ix) * g->channels];
            all.sum += v;
            all.most = v > all.most ? v : all.most;
        }
    return all;
}

static void pool(const HoneRtPool *g, const int8_t *x, int row_begin, int row_end, int average,
                 int8_t *y)
{
    assert_pool(g);
    y += (ptrdiff_t)row_begin * g->out_w * g->channels;
    for (int oy = row_begin; oy < row_end; oy++)
        for (int ox = 0; ox < g->out_w; ox++)
            for (int c = 0; c < g->channels; c++, y++) {
                const Gathered all = gather(g, x + c, oy, ox);
                *y = average ? hone_rt_average_code(all.sum, all.count) : (int8_t)all.most;
            }
}

void hone_rt_max_pool_ref(const HoneRtPool *g, const int8_t *x, int row_begin, int row_end,
                          int8_t *y)
{
    pool(g, x, row_begin, row_end, 0, y);
}

void hone_rt_average_pool_ref(const HoneRtPool *g, const int8_t *x, int row_begin, int row_end,
                              int8_t *y)
{
    pool(g, x, row_begin, row_end, 1, y);
}

void hone_rt_table_ref(const int8_t *table, const int8_t *x, size_t n, int8_t *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = table[x[i] + 128];
}
