/* The loops of the convolution kernels for one CPU level, in terms of the few vector operations that
 * the including file (kernels_conv_avx2.c, kernels_conv_avx512.c) defines, with its constants LANES,
 * ROWS (rows of a block of multiply), OUTER_ROWS_1 and _2 (rows of a block of outer with 1 and 2
 * vectors of columns), TABLE and TABLE_NAME.
 *
 * The micro-kernels keep a block of rows x 1 or 2 vectors in registers over the whole sum: per step
 * they load the vectors and broadcast one number per row. Block sizes are constants at every call,
 * so the loops over them unroll and the arrays become registers.
 * SPDX-License-Identifier: Apache-2.0 */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 24")

/* ---- multiply --------------------------------------------------------------------------------- */

INLINE void store_row(const ConvMultiply *m, Real *y, const Vec *acc, const int vectors)
{
    UNROLL for (int v = 0; v < vectors; v++, y += LANES)
    {
        const int left = m->cols - v * LANES;
        if (left >= LANES) {
            vec_store(y, m->accumulate ? vec_add(vec_load(y), acc[v]) : acc[v]);
        } else {
            const Mask part = mask_first(left);
            vec_store_part(y, part,
                           m->accumulate ? vec_add(vec_load_part(y, part), acc[v]) : acc[v]);
        }
    }
}

INLINE void multiply_block(const ConvMultiply *m, int row, const int rows, const int vectors)
{
    Vec acc[ROWS][2];
    const Real *x[ROWS];
    UNROLL for (int r = 0; r < rows; r++)
    {
        x[r] = m->x + m->x_row[row + r];
        UNROLL for (int v = 0; v < vectors; v++) acc[r][v] = vec_load(m->panel + v * LANES);
    }
    for (int i = 0; i < m->runs; i++) {
        const Real *w = m->panel + (ptrdiff_t)(1 + m->run_w[i]) * vectors * LANES;
        const ptrdiff_t begin = m->run_x[i], end = begin + m->length;
        for (ptrdiff_t e = begin; e < end; e++, w += vectors * LANES) {
            Vec b[2];
            UNROLL for (int v = 0; v < vectors; v++) b[v] = vec_load(w + v * LANES);
            UNROLL for (int r = 0; r < rows; r++)
            {
                const Vec a = vec_set(x[r][e]);
                UNROLL for (int v = 0; v < vectors; v++) acc[r][v] = vec_fma(a, b[v], acc[r][v]);
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++) store_row(m, m->y + m->y_row[row + r], acc[r], vectors);
}

#define MULTIPLY_CASE(rows, vectors)                                                               \
    case rows:                                                                                     \
        multiply_block(m, row, rows, vectors);                                                     \
        break;

#if defined(__AVX512F__)
#define MULTIPLY_MANY(vectors)                                                                     \
    MULTIPLY_CASE(7, vectors)                                                                      \
    MULTIPLY_CASE(8, vectors)                                                                      \
    MULTIPLY_CASE(9, vectors)                                                                      \
    MULTIPLY_CASE(10, vectors)                                                                     \
    MULTIPLY_CASE(11, vectors)                                                                     \
    MULTIPLY_CASE(12, vectors)
#else
#define MULTIPLY_MANY(vectors)
#endif

#define MULTIPLY_SWITCH(vectors)                                                                   \
    switch (rows) {                                                                                \
        MULTIPLY_CASE(1, vectors)                                                                  \
        MULTIPLY_CASE(2, vectors)                                                                  \
        MULTIPLY_CASE(3, vectors)                                                                  \
        MULTIPLY_CASE(4, vectors)                                                                  \
        MULTIPLY_CASE(5, vectors)                                                                  \
        MULTIPLY_CASE(6, vectors)                                                                  \
        MULTIPLY_MANY(vectors)                                                                     \
    }

/* Rows are cut into blocks of nearly equal height: 64 rows are 6 blocks of 11 or 10, not five of 12
 * and a slow one of 4. */
static void multiply(const ConvMultiply *m)
{
    const int blocks = (m->rows + ROWS - 1) / ROWS;
    for (int b = 0, row = 0; b < blocks; b++) {
        const int rows = (m->rows - row + blocks - b - 1) / (blocks - b);
        if (m->cols > LANES)
            MULTIPLY_SWITCH(2)
        else
            MULTIPLY_SWITCH(1)
        row += rows;
    }
}

/* ---- outer ------------------------------------------------------------------------------------ */

/* rows x vectors of the sums, over all m->rows pixels; x and sum at the block's first element. part:
 * the last vector has only the columns of last. */
INLINE void outer_block(const ConvOuter *m, const Real *x, const Real *dy, Real *sum, Mask last,
                        const int rows, const int vectors, const bool part)
{
    Vec acc[OUTER_ROWS_1 > 2 * OUTER_ROWS_2 ? OUTER_ROWS_1 : 2 * OUTER_ROWS_2];
    UNROLL for (int i = 0; i < rows * vectors; i++) acc[i] = vec_set(0);
    for (int p = 0; p < m->rows; p++, dy += m->dy_ld) {
        const Real *a = x + m->x_row[p];
        Vec b[2];
        UNROLL for (int v = 0; v < vectors; v++) b[v] = part && v == vectors - 1
                                                            ? vec_load_part(dy + v * LANES, last)
                                                            : vec_load(dy + v * LANES);
        UNROLL for (int r = 0; r < rows; r++)
        {
            const Vec s = vec_set(a[r]);
            UNROLL for (int v = 0; v < vectors; v++) acc[r * vectors + v] =
                vec_fma(s, b[v], acc[r * vectors + v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++, sum += m->sum_ld) UNROLL for (int v = 0; v < vectors; v++)
        vec_store(sum + v * LANES, vec_add(vec_load(sum + v * LANES), acc[r * vectors + v]));
}

#define OUTER_CASE(rows, vectors)                                                                  \
    case rows:                                                                                     \
        if (part)                                                                                  \
            outer_block(m, x, dy, sum, last, rows, vectors, true);                                 \
        else                                                                                       \
            outer_block(m, x, dy, sum, last, rows, vectors, false);                                \
        break;

#define OUTER_6(vectors)                                                                           \
    OUTER_CASE(1, vectors)                                                                         \
    OUTER_CASE(2, vectors)                                                                         \
    OUTER_CASE(3, vectors)                                                                         \
    OUTER_CASE(4, vectors)                                                                         \
    OUTER_CASE(5, vectors)                                                                         \
    OUTER_CASE(6, vectors)

#define OUTER_12(vectors)                                                                          \
    OUTER_6(vectors)                                                                               \
    OUTER_CASE(7, vectors)                                                                         \
    OUTER_CASE(8, vectors)                                                                         \
    OUTER_CASE(9, vectors)                                                                         \
    OUTER_CASE(10, vectors)                                                                        \
    OUTER_CASE(11, vectors)                                                                        \
    OUTER_CASE(12, vectors)

#define OUTER_24(vectors)                                                                          \
    OUTER_12(vectors)                                                                              \
    OUTER_CASE(13, vectors)                                                                        \
    OUTER_CASE(14, vectors)                                                                        \
    OUTER_CASE(15, vectors)                                                                        \
    OUTER_CASE(16, vectors)                                                                        \
    OUTER_CASE(17, vectors)                                                                        \
    OUTER_CASE(18, vectors)                                                                        \
    OUTER_CASE(19, vectors)                                                                        \
    OUTER_CASE(20, vectors)                                                                        \
    OUTER_CASE(21, vectors)                                                                        \
    OUTER_CASE(22, vectors)                                                                        \
    OUTER_CASE(23, vectors)                                                                        \
    OUTER_CASE(24, vectors)

#if defined(__AVX512F__)
#define OUTER_MANY_1 OUTER_24(1)
#define OUTER_MANY_2 OUTER_12(2)
#else
#define OUTER_MANY_1 OUTER_12(1)
#define OUTER_MANY_2 OUTER_6(2)
#endif

static void outer_call(const ConvOuter *m, const Real *x, const Real *dy, Real *sum, int cols,
                       int rows)
{
    const bool part = cols % LANES != 0;
    const Mask last = mask_first(cols % LANES);
    if (cols > LANES) {
        switch (rows) {
            OUTER_MANY_2
        }
    } else {
        switch (rows) {
            OUTER_MANY_1
        }
    }
}

static void outer(const ConvOuter *m)
{
    for (int c = 0; c < m->cols; c += 2 * LANES) {
        const int cols = m->cols - c < 2 * LANES ? m->cols - c : 2 * LANES;
        const int most = cols > LANES ? OUTER_ROWS_2 : OUTER_ROWS_1;
        const int blocks = (m->length + most - 1) / most;
        for (int i = 0; i < m->runs; i++)
            for (int b = 0, e = 0; b < blocks; b++) {
                const int rows = (m->length - e + blocks - b - 1) / (blocks - b);
                const ptrdiff_t k = (ptrdiff_t)i * m->length + e;
                outer_call(m, m->x + m->run_x[i] + e, m->dy + c, m->sum + k * m->sum_ld + c, cols,
                           rows);
                e += rows;
            }
    }
}

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
    .multiply = multiply,
    .outer = outer,
    .depthwise = depthwise,
    .depthwise_weights = depthwise_weights,
    .column_sums = column_sums,
    .scale_sums = scale_sums,
};
