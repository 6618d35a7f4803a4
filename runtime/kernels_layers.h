/* Kernels of the layers without sums over channels: what the level files put into their tables. And
 * the taps of a pooling window, for those kernels. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_KERNELS_LAYERS_H
#define HONE_RUNTIME_KERNELS_LAYERS_H

#include "kernels.h"

#define HONE_RT_LAYER_KERNELS(level)                                                               \
    void hone_rt_mul_s24_##level(const HoneRtMul *p, const int8_t *a, const int8_t *b, int rows,   \
                                 int channels, int8_t *y);                                         \
    void hone_rt_max_pool_##level(const HoneRtPool *g, const int8_t *x, int row_begin,             \
                                  int row_end, int8_t *y);                                         \
    void hone_rt_average_pool_##level(const HoneRtPool *g, const int8_t *x, int row_begin,         \
                                      int row_end, int8_t *y);                                     \
    void hone_rt_table_##level(const int8_t *table, const int8_t *x, size_t n, int8_t *y);

HONE_RT_LAYER_KERNELS(ref)
HONE_RT_LAYER_KERNELS(avx2)
HONE_RT_LAYER_KERNELS(avx512)

/* Rows [top, bottom) and columns [left, right) of the image under the window of an output pixel. */
typedef struct PoolWindow {
    int top, bottom, left, right;
} PoolWindow;

/* Of output pixel (oy, ox), cut to the image. */
static inline PoolWindow hone_rt_pool_window(const HoneRtPool *g, int oy, int ox)
{
    PoolWindow w;
    w.top = oy * g->stride_h - g->pad_top;
    w.left = ox * g->stride_w - g->pad_left;
    w.bottom = w.top + g->kernel_h < g->in_h ? w.top + g->kernel_h : g->in_h;
    w.right = w.left + g->kernel_w < g->in_w ? w.left + g->kernel_w : g->in_w;
    w.top = w.top > 0 ? w.top : 0;
    w.left = w.left > 0 ? w.left : 0;
    return w;
}

#endif
