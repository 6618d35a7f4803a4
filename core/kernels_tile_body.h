/* The two products of the convolution kernels, of any kind of element, for one CPU level. Included
 * once for each kind by a file that defines
 *
 *     TILE(name)         the name of a function for this kind
 *     ELEMENT, ELEMENTS  an element and a vector of LANES of them
 *     SUMS               a vector of LANES sums
 *     MULTIPLY, OUTER    the arguments, as kernels_conv.h and kernels_pair.h have them
 *     OUTER_PARTS        0 where the columns of outer are whole vectors, else 1
 *     TAPS_PIXELS        pixels of taps_block, see there, or 0: there is none
 *
 * with functions elements_load, elements_load_part, elements_set, sums_load, sums_zero, sums_add,
 * multiply_result and outer_result (sums to reals); and for all kinds Vec of LANES reals with
 * vec_load, vec_load_part, vec_store, vec_store_part, vec_add, a Mask with mask_first, and ROWS (rows
 * of a block of multiply), OUTER_ROWS_1 and _2 (rows of a block of outer with 1 and 2 vectors of
 * columns).
 *
 * The micro-kernels keep a block of rows x 1 or 2 vectors in registers over the whole sum: per step
 * they load the vectors and broadcast one element per row. Block sizes are constants at every call,
 * so the loops over them unroll and the arrays become registers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_TILE_BODY_H
#define HONE_CORE_KERNELS_TILE_BODY_H

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 24")

#define MULTIPLY_CASE(rows, vectors, taps)                                                         \
    case rows:                                                                                     \
        TILE(multiply_block)(m, row, rows, vectors, taps);                                         \
        break;

#if defined(__AVX512F__)
#define MULTIPLY_MANY(vectors, taps)                                                               \
    MULTIPLY_CASE(7, vectors, taps)                                                                \
    MULTIPLY_CASE(8, vectors, taps)                                                                \
    MULTIPLY_CASE(9, vectors, taps)                                                                \
    MULTIPLY_CASE(10, vectors, taps)                                                               \
    MULTIPLY_CASE(11, vectors, taps)                                                               \
    MULTIPLY_CASE(12, vectors, taps)
#else
#define MULTIPLY_MANY(vectors, taps)
#endif

#define MULTIPLY_SWITCH(vectors, taps)                                                             \
    switch (rows) {                                                                                \
        MULTIPLY_CASE(1, vectors, taps)                                                            \
        MULTIPLY_CASE(2, vectors, taps)                                                            \
        MULTIPLY_CASE(3, vectors, taps)                                                            \
        MULTIPLY_CASE(4, vectors, taps)                                                            \
        MULTIPLY_CASE(5, vectors, taps)                                                            \
        MULTIPLY_CASE(6, vectors, taps)                                                            \
        MULTIPLY_MANY(vectors, taps)                                                               \
    }

#define OUTER_CASE(rows, vectors)                                                                  \
    case rows:                                                                                     \
        if (OUTER_PARTS && part)                                                                   \
            TILE(outer_block)(m, x, dy, sum, c, last, rows, vectors, true);                        \
        else                                                                                       \
            TILE(outer_block)(m, x, dy, sum, c, last, rows, vectors, false);                       \
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

#endif

/* ---- multiply --------------------------------------------------------------------------------- */

INLINE void TILE(store_row)(const MULTIPLY *m, Real *y, const SUMS *sums, const int vectors)
{
    UNROLL for (int v = 0; v < vectors; v++, y += LANES)
    {
        const int left = m->cols - v * LANES;
        const Vec result = TILE(multiply_result)(m, sums[v]);
        if (left >= LANES) {
            vec_store(y, m->accumulate ? vec_add(vec_load(y), result) : result);
        } else {
            const Mask part = mask_first(left);
            vec_store_part(y, part,
                           m->accumulate ? vec_add(vec_load_part(y, part), result) : result);
        }
    }
}

/* The parts of a run, `taps` of them, are summed side by side. */
INLINE void TILE(multiply_block)(const MULTIPLY *m, int row, const int rows, const int vectors,
                                 const int taps)
{
    const ptrdiff_t step = m->length / taps;
    SUMS acc[ROWS][2];
    const ELEMENT *x[ROWS];
    UNROLL for (int r = 0; r < rows; r++)
    {
        x[r] = m->x + m->x_row[row + r];
        __asm__("" : "+r"(x[r])); /* 12 pointers and an index fit, a base and 12 offsets do not */
        UNROLL for (int v = 0; v < vectors; v++) acc[r][v] = TILE(sums_load)(m->panel + v * LANES);
    }
    for (int i = 0; i < m->runs; i++) {
        const ELEMENT *w = m->panel + (ptrdiff_t)(1 + m->run_w[i]) * vectors * LANES;
        const ptrdiff_t begin = m->run_x[i], end = begin + step;
        for (ptrdiff_t e = begin; e < end; e++, w += vectors * LANES) {
            __asm__("" : "+r"(e));
            UNROLL for (int t = 0; t < taps; t++)
            {
                const ELEMENT *wt = w + t * step * vectors * LANES;
                ELEMENTS b[2];
                UNROLL for (int v = 0; v < vectors; v++) b[v] = TILE(elements_load)(wt + v * LANES);
                UNROLL for (int r = 0; r < rows; r++)
                {
                    const ELEMENTS a = TILE(elements_set)(x[r][e + t * step]);
                    UNROLL for (int v = 0; v < vectors; v++) acc[r][v] =
                        TILE(sums_add)(acc[r][v], a, b[v]);
                }
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        TILE(store_row)(m, m->y + m->y_row[row + r], acc[r], vectors);
}

#if TAPS_PIXELS > 0

/* One vector of columns takes as many loads as products that way. Where a run is three taps and
 * TAPS_PIXELS windows lie a tap apart, an element is loaded once for the three windows that meet it,
 * in the order that multiply_block has with three taps. */
static bool TILE(taps_apply)(const MULTIPLY *m, int row)
{
    const int32_t *x = m->x_row + row, step = m->length / 3;
    bool even = m->rows - row >= TAPS_PIXELS;
    for (int i = 1; even && i < TAPS_PIXELS; i++)
        even = x[i] - x[i - 1] == step;
    return even;
}

/* Inlined, it costs the other loops of multiply their registers. */
static __attribute__((noinline)) void TILE(taps_block)(const MULTIPLY *m, int row)
{
    const ptrdiff_t step = m->length / 3, tap = step * LANES;
    SUMS acc[TAPS_PIXELS];
    UNROLL for (int i = 0; i < TAPS_PIXELS; i++) acc[i] = TILE(sums_load)(m->panel);
    for (int i = 0; i < m->runs; i++) {
        const ELEMENT *w = m->panel + (ptrdiff_t)(1 + m->run_w[i]) * LANES, *const end = w + tap;
        const ELEMENT *x[TAPS_PIXELS / 4 + 1]; /* of every fourth pixel */
        UNROLL for (int j = 0; j <= TAPS_PIXELS / 4; j++) x[j] =
            m->x + m->x_row[row] + m->run_x[i] + 4 * j * step;
        for (; w < end; w += LANES) {
            ELEMENTS b[3];
            UNROLL for (int t = 0; t < 3; t++) b[t] = TILE(elements_load)(w + t * tap);
            UNROLL for (int j = 0; j < TAPS_PIXELS + 2; j++)
            {
                const ELEMENTS a = TILE(elements_set)(x[j / 4][j % 4 * step]);
                UNROLL for (int t = 0; t < 3; t++) if (t <= j && j - t < TAPS_PIXELS) acc[j - t] =
                    TILE(sums_add)(acc[j - t], a, b[t]);
            }
            UNROLL for (int j = 0; j <= TAPS_PIXELS / 4; j++)
            {
                x[j]++;
                __asm__("" : "+r"(x[j])); /* pointers, not offsets from one */
            }
        }
    }
    UNROLL for (int r = 0; r < TAPS_PIXELS; r++)
        TILE(store_row)(m, m->y + m->y_row[row + r], acc + r, 1);
}

#endif

/* Rows are cut into blocks of nearly equal height: 64 rows are 6 blocks of 11 or 10, not five of 12
 * and a slow one of 4. */
static void TILE(multiply)(const MULTIPLY *m)
{
    for (int row = 0, rows; row < m->rows; row += rows) {
        const int left = m->rows - row, blocks = (left + ROWS - 1) / ROWS;
        rows = (left + blocks - 1) / blocks;
        if (m->cols > LANES) {
            MULTIPLY_SWITCH(2, 1)
            continue;
        }
#if TAPS_PIXELS > 0
        if (m->taps == 3 && TILE(taps_apply)(m, row)) {
            TILE(taps_block)(m, row);
            rows = TAPS_PIXELS;
            continue;
        }
        if (m->taps == 3) {
            MULTIPLY_SWITCH(1, 3)
            continue;
        }
#endif
        MULTIPLY_SWITCH(1, 1)
    }
}

/* ---- outer ------------------------------------------------------------------------------------ */

/* rows x vectors of the sums, over all m->rows pixels; x and sum at the block's first element. part:
 * the last vector has only the columns of last. */
INLINE void TILE(outer_block)(const OUTER *m, const ELEMENT *x, const ELEMENT *dy, Real *sum, int c,
                              Mask last, const int rows, const int vectors, const bool part)
{
    SUMS acc[OUTER_ROWS_1 > 2 * OUTER_ROWS_2 ? OUTER_ROWS_1 : 2 * OUTER_ROWS_2];
    UNROLL for (int i = 0; i < rows * vectors; i++) acc[i] = TILE(sums_zero)();
    for (int p = 0; p < m->rows; p++, dy += m->dy_ld) {
        const ELEMENT *a = x + m->x_row[p];
        ELEMENTS b[2];
        UNROLL for (int v = 0; v < vectors; v++) b[v] =
            OUTER_PARTS && part && v == vectors - 1 ? TILE(elements_load_part)(dy + v * LANES, last)
                                                    : TILE(elements_load)(dy + v * LANES);
        UNROLL for (int r = 0; r < rows; r++)
        {
            const ELEMENTS s = TILE(elements_set)(a[r]);
            UNROLL for (int v = 0; v < vectors; v++) acc[r * vectors + v] =
                TILE(sums_add)(acc[r * vectors + v], s, b[v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++, sum += m->sum_ld) UNROLL for (int v = 0; v < vectors; v++)
        vec_store(sum + v * LANES,
                  vec_add(vec_load(sum + v * LANES),
                          TILE(outer_result)(m, c + v * LANES, acc[r * vectors + v])));
}

static void TILE(outer_call)(const OUTER *m, const ELEMENT *x, const ELEMENT *dy, Real *sum, int c,
                             int cols, int rows)
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

static void TILE(outer)(const OUTER *m)
{
    for (int c = 0; c < m->cols; c += 2 * LANES) {
        const int cols = m->cols - c < 2 * LANES ? m->cols - c : 2 * LANES;
        const int most = cols > LANES ? OUTER_ROWS_2 : OUTER_ROWS_1;
        const int blocks = (m->length + most - 1) / most;
        for (int i = 0; i < m->runs; i++)
            for (int b = 0, e = 0; b < blocks; b++) {
                const int rows = (m->length - e + blocks - b - 1) / (blocks - b);
                const ptrdiff_t k = (ptrdiff_t)i * m->length + e;
                TILE(outer_call)
                (m, m->x + m->run_x[i] + e, m->dy + c, m->sum + k * m->sum_ld + c, c, cols, rows);
                e += rows;
            }
    }
}
