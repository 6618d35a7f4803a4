/* The loops of the convolution kernels for one CPU level, in terms of the few vector operations that
 * the including file (kernels_conv_avx2.c, kernels_conv_avx512.c) defines, with its constants LANES,
 * TABLE and TABLE_NAME, and those of kernels_tile_body.h, which has the two products.
 * SPDX-License-Identifier: Apache-2.0 */
#define TILE(name)  name##_float
#define ELEMENT     Real
#define MULTIPLY    ConvMultiply
#define OUTER       ConvOuter
#define OUTER_PARTS 1
#define SUMS        Vec
#define ELEMENTS    Vec

static inline Vec elements_load_float(const Real *p)
{
    return vec_load(p);
}
static inline Vec elements_load_part_float(const Real *p, Mask m)
{
    return vec_load_part(p, m);
}
static inline Vec elements_set_float(Real x)
{
    return vec_set(x);
}
static inline Vec sums_load_float(const Real *p)
{
    return vec_load(p);
}
static inline Vec sums_zero_float(void)
{
    return vec_set(0);
}
static inline Vec sums_add_float(Vec sums, Vec a, Vec b)
{
    return vec_fma(a, b, sums);
}
static inline Vec multiply_result_float(const ConvMultiply *m, Vec sums)
{
    (void)m;
    return sums;
}
static inline bool outer_adds_float(const ConvOuter *m)
{
    (void)m;
    return true;
}
static inline int outer_cols_float(const ConvOuter *m)
{
    return m->cols;
}
static inline const float *outer_dy_float(const ConvOuter *m, int c, ptrdiff_t *ld)
{
    *ld = m->dy_ld;
    return m->dy + c;
}
static inline Vec outer_result_float(const ConvOuter *m, int c, Vec sums)
{
    (void)m, (void)c;
    return sums;
}

#include "core/kernels_tile_body.h"

#undef TILE
#undef ELEMENT
#undef MULTIPLY
#undef OUTER
#undef OUTER_PARTS
#undef SUMS
#undef ELEMENTS

/* ---- depthwise -------------------------------------------------------------------------------- */

enum { DEPTHWISE_TAPS = 9 }; /* kept in registers */

INLINE Vec load_some(const Real *p, Mask m, const bool part)
{
    return part ? vec_load_part(p, m) : vec_load(p);
}

INLINE void store_some(Real *p, Mask m, Vec v, const bool part)
{
    if (part)
        vec_store_part(p, m, v);
    else
        vec_store(p, v);
}

/* One row of pixels, one vector of channels starting at c, h x w taps in registers. */
INLINE void gather_row(const DepthwiseRect *d, const Real *x, Real *y, int c, const int h,
                       const int w, Mask m, const bool part)
{
    Vec taps[DEPTHWISE_TAPS];
    UNROLL for (int t = 0; t < h * w; t++) taps[t] =
        load_some(d->w + t / w * d->w_row + t % w * d->w_col + c, m, part);
    const Vec bias = d->bias ? load_some(d->bias + c, m, part) : vec_set(0);
    x += c;
    y += c;
    for (int p = 0; p < d->cols; p++, x += d->x_col, y += d->y_col) {
        Vec acc = bias;
        UNROLL for (int t = 0; t < h * w; t++) acc = vec_fma(
            load_some(x + t / w * d->x_tap_row + t % w * d->x_tap_col, m, part), taps[t], acc);
        if (d->accumulate)
            acc = vec_add(load_some(y, m, part), acc);
        store_some(y, m, acc, part);
    }
}

/* The same for any number of taps. */
INLINE void gather_row_any(const DepthwiseRect *d, const Real *x, Real *y, int c, Mask m,
                           const bool part)
{
    x += c;
    y += c;
    for (int p = 0; p < d->cols; p++, x += d->x_col, y += d->y_col) {
        Vec acc = d->bias ? load_some(d->bias + c, m, part) : vec_set(0);
        for (int i = 0; i < d->taps_h; i++)
            for (int j = 0; j < d->taps_w; j++)
                acc = vec_fma(load_some(x + i * d->x_tap_row + j * d->x_tap_col, m, part),
                              load_some(d->w + i * d->w_row + j * d->w_col + c, m, part), acc);
        if (d->accumulate)
            acc = vec_add(load_some(y, m, part), acc);
        store_some(y, m, acc, part);
    }
}

INLINE void gather_some(const DepthwiseRect *d, const Real *x, Real *y, int c, Mask m,
                        const bool part)
{
    const int shape = d->taps_h << 8 | d->taps_w;
    switch (shape) {
    case 3 << 8 | 3:
        gather_row(d, x, y, c, 3, 3, m, part);
        break;
    case 2 << 8 | 3:
        gather_row(d, x, y, c, 2, 3, m, part);
        break;
    case 3 << 8 | 2:
        gather_row(d, x, y, c, 3, 2, m, part);
        break;
    case 2 << 8 | 2:
        gather_row(d, x, y, c, 2, 2, m, part);
        break;
    default:
        gather_row_any(d, x, y, c, m, part);
    }
}

static void depthwise(const DepthwiseRect *d)
{
    const int whole = d->channels / LANES * LANES;
    const Mask rest = mask_first(d->channels - whole);
    for (int r = 0; r < d->rows; r++) {
        const Real *x = d->x + r * d->x_row;
        Real *y = d->y + r * d->y_row;
        for (int c = 0; c < whole; c += LANES)
            gather_some(d, x, y, c, rest, false);
        if (whole < d->channels)
            gather_some(d, x, y, whole, rest, true);
    }
}

/* h x w taps from (i, j) on, one vector of channels, all pixels of the rectangle. */
INLINE void weights_block(const DepthwiseRect *d, int i, int j, int c, const int h, const int w,
                          Mask m, const bool part)
{
    Vec acc[DEPTHWISE_TAPS];
    UNROLL for (int t = 0; t < h * w; t++) acc[t] = vec_set(0);
    for (int r = 0; r < d->rows; r++) {
        const Real *x = d->x + r * d->x_row + i * d->x_tap_row + j * d->x_tap_col + c;
        const Real *dy = d->dy + r * d->y_row + c;
        for (int p = 0; p < d->cols; p++, x += d->x_col, dy += d->y_col) {
            const Vec g = load_some(dy, m, part);
            UNROLL for (int t = 0; t < h * w; t++) acc[t] = vec_fma(
                load_some(x + t / w * d->x_tap_row + t % w * d->x_tap_col, m, part), g, acc[t]);
        }
    }
    UNROLL for (int t = 0; t < h * w; t++)
    {
        Real *dw = d->dw + (i + t / w) * d->w_row + (j + t % w) * d->w_col + c;
        store_some(dw, m, vec_add(load_some(dw, m, part), acc[t]), part);
    }
}

INLINE void weights_some(const DepthwiseRect *d, int c, Mask m, const bool part)
{
    if (d->taps_h == 3 && d->taps_w == 3) {
        weights_block(d, 0, 0, c, 3, 3, m, part);
        return;
    }
    for (int i = 0; i < d->taps_h; i++) {
        int j = 0;
        for (; j + 3 <= d->taps_w; j += 3)
            weights_block(d, i, j, c, 1, 3, m, part);
        for (; j < d->taps_w; j++)
            weights_block(d, i, j, c, 1, 1, m, part);
    }
}

static void depthwise_weights(const DepthwiseRect *d)
{
    const int whole = d->channels / LANES * LANES;
    const Mask rest = mask_first(d->channels - whole);
    for (int c = 0; c < whole; c += LANES)
        weights_some(d, c, rest, false);
    if (whole < d->channels)
        weights_some(d, whole, rest, true);
}

/* ---- small ones ------------------------------------------------------------------------------- */

static void column_sums(size_t rows, int cols, const Real *x, Real *sum)
{
    for (int c = 0; c < cols; c += LANES) {
        const Mask m = mask_first(cols - c < LANES ? cols - c : LANES);
        Vec acc = vec_load_part(sum + c, m);
        for (size_t r = 0; r < rows; r++)
            acc = vec_add(acc, vec_load_part(x + r * (size_t)cols + c, m));
        vec_store_part(sum + c, m, acc);
    }
}

static void scale_sums(const int32_t *acc, int ld, int rows, int cols, const Real *scale, Real *y,
                       ptrdiff_t y_ld)
{
    for (int r = 0; r < rows; r++, acc += ld, y += y_ld)
        for (int c = 0; c < cols; c += LANES) {
            const Mask m = mask_first(cols - c < LANES ? cols - c : LANES);
            vec_store_part(y + c, m, vec_scale_part(acc + c, scale + c, m));
        }
}

const ConvKernels TABLE = {
    .name = TABLE_NAME,
    .lanes = LANES,
    .multiply = multiply_float,
    .outer = outer_float,
    .depthwise = depthwise,
    .depthwise_weights = depthwise_weights,
    .column_sums = column_sums,
    .scale_sums = scale_sums,
};
