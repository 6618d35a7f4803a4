/* Float kernels of convolutions and dense layers: one table per CPU level, as in kernels.h.
 *
 * A convolution is a product of two matrices of which one is never built: row p is the window of
 * pixel p. In an image (or a copy of a part of it with its border of zeros, the *tile*) a window is
 * a few contiguous runs at offsets that are the same for every pixel:
 *
 *     window of pixel p = { x[x_row[p] + run_x[i] + e] : i < runs, e < length }
 *
 * With NHWC a row of a 3x3 window is one run of 3 * channels numbers; with dilation, or in the
 * gradient's direction, each tap is a run. A 1x1 convolution or a dense layer has one run.
 *
 * Depthwise convolutions work on rectangles of pixels that all meet the same rectangle of taps; the
 * border of an image is rectangles of its own, so there is no padding and no copy.
 *
 * All tables agree to rounding. Within a table an output of multiply and depthwise does not depend on
 * how the caller cuts rows and rectangles; a gradient of weights does, each call being one addition
 * to it. No alignment is needed, and nothing outside the named elements is touched. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_CONV_H
#define HONE_CORE_KERNELS_CONV_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* y[y_row[r] + c] = or += bias[c] + sum over i, e of x[x_row[r] + run_x[i] + e] * w[run_w[i] + e][c]
 * for one panel of up to 2 * lanes columns c < cols. */
typedef struct ConvMultiply {
    const Real *x;
    const int32_t *x_row; /* [rows] */
    const int32_t *run_x; /* [runs] */
    const int32_t *run_w; /* [runs], in rows of the panel */
    int runs, length;     /* runs may be 0 */
    int taps;             /* equal parts of a run, which may be those of neighbours; 0: one */
    const Real *panel;    /* see conv_panel_*: [1 + K][width], row 0 is the bias */
    Real *y;
    const int32_t *y_row; /* [rows] */
    int rows, cols;
    bool accumulate;
} ConvMultiply;

/* sum[i * length + e][c] += sum over r of x[x_row[r] + run_x[i] + e] * dy[r * dy_ld + c]. */
typedef struct ConvOuter {
    const Real *x;
    const int32_t *x_row; /* [rows] */
    const int32_t *run_x; /* [runs] */
    int runs, length;
    const Real *dy;
    int dy_ld;
    int rows, cols;
    Real *sum;  /* [runs * length][sum_ld]; columns from cols to sum_ld get any value */
    int sum_ld; /* cols rounded up to a multiple of lanes */
} ConvOuter;

/* A rectangle of rows x cols pixels meeting taps_h x taps_w taps. Steps are in elements and may be
 * negative. Gather: y[p][c] = or += bias[c] + sum over taps of x[p, tap][c] * w[tap][c].
 * Gradient of the weights: dw[tap][c] += sum over pixels of x[p, tap][c] * dy[p][c]. */
typedef struct DepthwiseRect {
    int rows, cols, channels;
    int taps_h, taps_w;             /* may be 0 in gather */
    const Real *x;                  /* of the first pixel and the first tap */
    ptrdiff_t x_row, x_col;         /* from pixel to pixel */
    ptrdiff_t x_tap_row, x_tap_col; /* from tap to tap */
    const Real *w;                  /* of the first tap; gather only */
    Real *dw;                       /* gradient only */
    ptrdiff_t w_row, w_col;         /* also of dw */
    const Real *bias;               /* NULL: 0; gather only */
    Real *y;                        /* gather only */
    const Real *dy;                 /* gradient only */
    ptrdiff_t y_row, y_col;         /* also of dy */
    bool accumulate;                /* gather only */
} DepthwiseRect;

typedef struct ConvKernels {
    const char *name; /* "ref", "avx2", "avx512" */
    int lanes;        /* columns of half a panel */
    void (*multiply)(const ConvMultiply *m);
    void (*outer)(const ConvOuter *m);
    void (*depthwise)(const DepthwiseRect *d);
    void (*depthwise_weights)(const DepthwiseRect *d);
    /* sum[c] += sum over rows of x[r][c] */
    void (*column_sums)(size_t rows, int cols, const Real *x, Real *sum);
    /* y[r * y_ld + c] = acc[r * ld + c] * scale[c] */
    void (*scale_sums)(const int32_t *acc, int ld, int rows, int cols, const Real *scale, Real *y,
                       ptrdiff_t y_ld);
} ConvKernels;

/* Packed weights [K][cols] lie in panels of 2 * lanes columns, the last one of lanes or 2 * lanes,
 * filled up with zeros; panel p starts at conv_panel_offset and is [1 + K][width]. */
static inline int conv_panel_count(const ConvKernels *k, int cols)
{
    return (cols + 2 * k->lanes - 1) / (2 * k->lanes);
}

static inline int conv_panel_width(const ConvKernels *k, int cols, int panel)
{
    return cols - panel * 2 * k->lanes > k->lanes ? 2 * k->lanes : k->lanes;
}

static inline size_t conv_panel_offset(const ConvKernels *k, int depth, int panel)
{
    return (size_t)panel * 2 * (size_t)k->lanes * (size_t)(1 + depth);
}

extern const ConvKernels kernels_conv_ref;
#if defined(__x86_64__) && !defined(HONE_DOUBLE)
extern const ConvKernels kernels_conv_avx2;
extern const ConvKernels kernels_conv_avx512;
#endif

/* The table named "ref", "avx2" or "avx512"; the reference for a name this build lacks. Does not
 * ask the CPU. */
const ConvKernels *kernels_conv_named(const char *name);

#endif
