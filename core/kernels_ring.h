/* Float kernels of depthwise convolutions on *rings*: a few rows of an image as reals, of which the
 * newest overwrites the oldest, with zeros around them. A row lies as [group][pixel][16], a group
 * being 16 channels, so that the window of a pixel is a few lines of the first-level cache whatever
 * the number of channels.
 *
 * A kernel works on one group of some rows of outputs. Output (r, p) meets tap (i, j) at
 *
 *     rows[r * row_step + row + i * tap_row] + offset + p * col_step + j * tap_col
 *
 * Forward and the gradient of the input differ in their tables only. Sums over taps go in their
 * order, each product added with one rounding (fma); everything else is rounded on its own. So all
 * tables give the same bits, and sums of integers below 2^24 are exact.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_RING_H
#define HONE_CORE_KERNELS_RING_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_LANES = 16 }; /* channels of a group */

typedef struct RingWindow {
    const Real *const *rows;
    int row, row_step, tap_row;
    ptrdiff_t offset, col_step, tap_col; /* elements */
    int height, width;                   /* outputs */
    int channels;       /* of the group, 1..16; the others are 0 in rings, weights and tables */
    int taps_h, taps_w; /* may be 0 */
    const Real *w;      /* [taps_h][taps_w][16] */
    const Real *scale, *bias; /* [16]: the output is scale (sum + bias); both NULL: it is the sum */
} RingWindow;

/* The gradient of a layer's output in its place, d = dy where the bit is set, else 0, and tables of
 * 16: y is the window's output. */
typedef struct RingGrad {
    const Real *dy;      /* of the first output's first channel of the group; rows side by side */
    const uint8_t *mask; /* likewise */
    size_t ld, mask_ld;  /* from pixel to pixel */
    const Real *pivot;   /* sums only */
    const Real *slope, *of_y, *shift; /* map only; slope NULL: the map is d */
} RingGrad;

/* Rows of codes. */
typedef struct RingRead {
    const int8_t *q; /* [height][width][channels] */
    size_t row;      /* from row to row */
    int height, width, channels;
    size_t group; /* elements from group to group of the ring */
    int32_t zero_point;
} RingRead;

typedef struct RingKernels {
    /* to[r][g * group + p * 16 + i] = q - zero_point of channel g * 16 + i, a real number; 0 from
     * `channels` on, up to a whole group. */
    void (*read)(const RingRead *s, Real *const *to);
    /* y[r * y_row + p * y_col + ch] = or += the output. */
    void (*gather)(const RingWindow *v, bool accumulate, Real *y, ptrdiff_t y_row, ptrdiff_t y_col);
    /* sum[16] += sum over outputs of d; product[16] += sum of d (y - pivot). */
    void (*sums)(const RingWindow *v, const RingGrad *g, Real *sum, Real *product);
    /* to[r][to_offset + p * 16 + ch] = slope d + of_y y + shift; total[16] += the same. */
    void (*map)(const RingWindow *v, const RingGrad *g, Real *const *to, ptrdiff_t to_offset,
                Real *total);
    /* dw[tap][16] += sum over outputs of x dy, dy lying as map writes it. */
    void (*outer)(const RingWindow *v, Real *const *dy, ptrdiff_t dy_offset, Real *dw);
} RingKernels;

extern const RingKernels kernels_ring_ref;

#endif
