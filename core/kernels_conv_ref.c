/* The reference convolution kernels: the specification of kernels_conv.h, in plain loops.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_conv.h"

enum { LANES = 8 };

static void multiply_row(const ConvMultiply *m, int row, int width)
{
    Real acc[2 * LANES];
    for (int c = 0; c < width; c++)
        acc[c] = m->panel[c];
    for (int i = 0; i < m->runs; i++) {
        const Real *x = m->x + m->x_row[row] + m->run_x[i];
        const Real *w = m->panel + (size_t)(1 + m->run_w[i]) * (size_t)width;
        for (int e = 0; e < m->length; e++, w += width)
            for (int c = 0; c < width; c++)
                acc[c] += x[e] * w[c];
    }
    Real *y = m->y + m->y_row[row];
    for (int c = 0; c < m->cols; c++)
        y[c] = m->accumulate ? y[c] + acc[c] : acc[c];
}

static void multiply(const ConvMultiply *m)
{
    for (int row = 0; row < m->rows; row++)
        multiply_row(m, row, m->cols > LANES ? 2 * LANES : LANES);
}

static void outer(const ConvOuter *m)
{
    for (int r = 0; r < m->rows; r++) {
        const Real *dy = m->dy + (size_t)r * (size_t)m->dy_ld;
        Real *sum = m->sum;
        for (int i = 0; i < m->runs; i++) {
            const Real *x = m->x + m->x_row[r] + m->run_x[i];
            for (int e = 0; e < m->length; e++, sum += m->sum_ld)
                for (int c = 0; c < m->cols; c++)
                    sum[c] += x[e] * dy[c];
        }
    }
}

static void depthwise_pixel(const DepthwiseRect *d, const Real *x, Real *y)
{
    for (int c = 0; c < d->channels; c++) {
        Real acc = d->bias ? d->bias[c] : 0;
        for (int i = 0; i < d->taps_h; i++)
            for (int j = 0; j < d->taps_w; j++)
                acc += x[i * d->x_tap_row + j * d->x_tap_col + c] *
                       d->w[i * d->w_row + j * d->w_col + c];
        y[c] = d->accumulate ? y[c] + acc : acc;
    }
}

static void depthwise(const DepthwiseRect *d)
{
    for (int r = 0; r < d->rows; r++)
        for (int p = 0; p < d->cols; p++)
            depthwise_pixel(d, d->x + r * d->x_row + p * d->x_col,
                            d->y + r * d->y_row + p * d->y_col);
}

/* dw of one tap; x is at that tap of the first pixel. */
static void depthwise_tap(const DepthwiseRect *d, const Real *x, Real *dw)
{
    for (int r = 0; r < d->rows; r++)
        for (int p = 0; p < d->cols; p++) {
            const Real *xp = x + r * d->x_row + p * d->x_col;
            const Real *dy = d->dy + r * d->y_row + p * d->y_col;
            for (int c = 0; c < d->channels; c++)
                dw[c] += xp[c] * dy[c];
        }
}

static void depthwise_weights(const DepthwiseRect *d)
{
    for (int i = 0; i < d->taps_h; i++)
        for (int j = 0; j < d->taps_w; j++)
            depthwise_tap(d, d->x + i * d->x_tap_row + j * d->x_tap_col,
                          d->dw + i * d->w_row + j * d->w_col);
}

static void column_sums(size_t rows, int cols, const Real *x, Real *sum)
{
    for (size_t r = 0; r < rows; r++, x += cols)
        for (int c = 0; c < cols; c++)
            sum[c] += x[c];
}

static void scale_sums(const int32_t *acc, int ld, int rows, int cols, const Real *scale, Real *y,
                       ptrdiff_t y_ld)
{
    for (int r = 0; r < rows; r++, acc += ld, y += y_ld)
        for (int c = 0; c < cols; c++)
            y[c] = (Real)acc[c] * scale[c];
}

const ConvKernels kernels_conv_ref = {
    .name = "ref",
    .lanes = LANES,
    .multiply = multiply,
    .outer = outer,
    .depthwise = depthwise,
    .depthwise_weights = depthwise_weights,
    .column_sums = column_sums,
    .scale_sums = scale_sums,
};
