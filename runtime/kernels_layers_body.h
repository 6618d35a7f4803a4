/* Multiplication and pooling in loops over channels that compilers make vectors of; compiled once for
 * each level, LEVEL and CAT being defined by the file that includes this. The same codes as
 * kernels_layers_ref.c.
 *
 * The average divides in float32: |sum| + n / 2 < 2^24 is exact for n < 2^16 taps, and so is the
 * quotient's integer part, because no quotient lies within 2^-17 below an integer (it is at least
 * 1 / n away) and below 128 numbers are 2^-17 apart at most. SPDX-License-Identifier: Apache-2.0 */

enum { TILE_CODES = 256, TILE_SUMS = 64 };

/* One row of products through the level's requantization. */
static void mul_row(const HoneRtMul *p, const uint32_t *words, const int8_t *restrict a,
                    const int8_t *restrict b, int n, int8_t *y)
{
    int32_t product[TILE_CODES];
    for (int i = 0; i < n; i++)
        product[i] = (a[i] - p->a_zp) * (b[i] - p->b_zp);
    LEVEL_TABLE.requantize_s24(product, n, 1, n, words, p->y_zp, p->lo, p->hi, y, n);
}

void CAT(hone_rt_mul_s24)(const HoneRtMul *p, const int8_t *a, const int8_t *b, int rows,
                          int channels, int8_t *y)
{
    uint32_t words[TILE_CODES];
    for (int i = 0; i < TILE_CODES; i++)
        words[i] = p->word;
    for (int r = 0; r < rows; r++, a += channels, y += channels)
        for (int c = 0; c < channels; c += TILE_CODES)
            mul_row(p, words, a + c, b + c, channels - c < TILE_CODES ? channels - c : TILE_CODES,
                    y + c);
}

/* The largest codes of n channels over a window; x is their first pixel of the image. */
static void max_window(const HoneRtPool *g, const int8_t *x, const PoolWindow *w, int n,
                       int8_t *restrict most)
{
    const int8_t *first = x + ((ptrdiff_t)w->top * g->in_w + w->left) * g->channels;
    memcpy(most, first, (size_t)n);
    for (int iy = w->top; iy < w->bottom; iy++)
        for (int ix = w->left; ix < w->right; ix++) {
            const int8_t *restrict v = x + ((ptrdiff_t)iy * g->in_w + ix) * g->channels;
            for (int c = 0; c < n; c++)
                most[c] = v[c] > most[c] ? v[c] : most[c];
        }
}

void CAT(hone_rt_max_pool)(const HoneRtPool *g, const int8_t *x, int row_begin, int row_end,
                           int8_t *y)
{
    y += (ptrdiff_t)row_begin * g->out_w * g->channels;
    for (int oy = row_begin; oy < row_end; oy++)
        for (int ox = 0; ox < g->out_w; ox++, y += g->channels) {
            const PoolWindow w = hone_rt_pool_window(g, oy, ox);
            max_window(g, x, &w, g->channels, y);
        }
}

/* The averages of n <= TILE_SUMS channels over a window. */
static void average_window(const HoneRtPool *g, const int8_t *x, const PoolWindow *w, int n,
                           int8_t *restrict y)
{
    const int32_t count = (w->bottom - w->top) * (w->right - w->left), half = count / 2;
    const float taps = (float)count;
    int32_t sum[TILE_SUMS] = {0};
    for (int iy = w->top; iy < w->bottom; iy++)
        for (int ix = w->left; ix < w->right; ix++) {
            const int8_t *restrict v = x + ((ptrdiff_t)iy * g->in_w + ix) * g->channels;
            for (int c = 0; c < n; c++)
                sum[c] += v[c];
        }
    for (int c = 0; c < n; c++)
        y[c] = (int8_t)(int32_t)((float)(sum[c] + (sum[c] > 0 ? half : -half)) / taps);
}

void CAT(hone_rt_average_pool)(const HoneRtPool *g, const int8_t *x, int row_begin, int row_end,
                               int8_t *y)
{
    y += (ptrdiff_t)row_begin * g->out_w * g->channels;
    for (int oy = row_begin; oy < row_end; oy++)
        for (int ox = 0; ox < g->out_w; ox++, y += g->channels) {
            const PoolWindow w = hone_rt_pool_window(g, oy, ox);
            for (int c = 0; c < g->channels; c += TILE_SUMS)
                average_window(g, x + c, &w,
                               g->channels - c < TILE_SUMS ? g->channels - c : TILE_SUMS, y + c);
        }
}
