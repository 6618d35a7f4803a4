/* One kind of 16-bit products for one CPU level: what kernels_pair_avx2.c and kernels_pair_avx512.c
 * have in common. Included once for each kind, after the vector operations that kernels_tile_body.h
 * wants and besides
 *
 *     join(a, b)            pairs (a, b) of reals that are rounded to numbers of this kind
 *     join_codes(a, b)      the same of vectors of int32, exactly
 *     halves(a, b)          all of a, then all of b, rounded: but in the order of packs, which
 *                           in_order(v) undoes
 *     vec_codes(p, zero, m) codes with their zero point subtracted, as int32
 *     SCALED, TABLE, KIND   of the table
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define ELEMENT     uint32_t
#define MULTIPLY    PairMultiply
#define OUTER       PairOuter
#define OUTER_PARTS 0

static inline Vec TILE(multiply_result)(const PairMultiply *m, SUMS sums)
{
    return vec_mul(TILE(sums_real)(sums), vec_set(m->scale));
}
static inline bool TILE(outer_adds)(const PairOuter *m)
{
    return m->accumulate;
}
static inline int TILE(outer_cols)(const PairOuter *m)
{
    return m->dy.cols;
}
static inline const uint32_t *TILE(outer_dy)(const PairOuter *m, int c, ptrdiff_t *ld)
{
    *ld = pair_panels_width(&m->dy, c);
    return pair_panels_at(&m->dy, m->dy_row, c);
}
static inline Vec TILE(outer_result)(const PairOuter *m, int c, SUMS sums)
{
    return vec_mul(TILE(sums_real)(sums), vec_load(m->scale + c));
}

#include "core/kernels_tile_body.h"

static void TILE(codes)(size_t n, const int8_t *a, const int8_t *b, int32_t zero_point,
                        uint32_t *to)
{
    for (size_t i = 0; i < n; i += LANES) {
        const Mask part = mask_first(n - i < LANES ? (int)(n - i) : LANES);
        pairs_store_part(to + i, part,
                         TILE(join_codes)(vec_codes(a ? a + i : NULL, zero_point, n - i),
                                          vec_codes(b ? b + i : NULL, zero_point, n - i)));
    }
}

/* Columns c .. c + LANES - 1, of which there are n. */
INLINE void TILE(interleave_column)(size_t rows, size_t ld, const float *a, const float *b,
                                    Vec factor, uint32_t *to, size_t to_ld, Mask n,
                                    const bool whole, const bool both)
{
    for (size_t r = 0; r < rows; r++, a += ld, to += to_ld) {
        const Vec first = whole ? vec_load(a) : vec_load_part(a, n);
        Vec second = vec_set(0);
        if (both) {
            second = vec_mul(whole ? vec_load(b) : vec_load_part(b, n), factor);
            b += ld;
        }
        pairs_store(to, TILE(join)(vec_mul(first, factor), second));
    }
}

static void TILE(interleave)(size_t rows, int channels, const float *a, const float *b,
                             const float *factor, const PairPanels *to, size_t row)
{
    const size_t ld = (size_t)channels;
    for (int c = 0; c < to->cols; c += LANES) {
        const int left = channels - c < LANES ? channels - c : LANES;
        const Mask n = mask_first(left > 0 ? left : 0);
        const Vec f = vec_load_part(factor + c, n);
        const size_t to_ld = (size_t)pair_panels_width(to, c);
        uint32_t *at = pair_panels_at(to, row, c);
        if (left == LANES && b)
            TILE(interleave_column)(rows, ld, a + c, b + c, f, at, to_ld, n, true, true);
        else if (b)
            TILE(interleave_column)(rows, ld, a + c, b + c, f, at, to_ld, n, false, true);
        else
            TILE(interleave_column)(rows, ld, a + c, NULL, f, at, to_ld, n, false, false);
    }
}

static void TILE(narrow)(size_t rows, int channels, const float *x, const float *factor,
                         uint32_t *to)
{
    if (channels == LANES) { /* two rows make a vector */
        const Vec f = vec_load(factor);
        for (; rows >= 2; rows -= 2, x += 2 * LANES, to += LANES)
            pairs_store(to, in_order(TILE(halves)(vec_mul(vec_load(x), f),
                                                  vec_mul(vec_load(x + LANES), f))));
    }
    for (size_t r = 0; r < rows; r++, x += channels, to += channels / 2) {
        int c = 0;
        for (; c + 2 * LANES <= channels; c += 2 * LANES) {
            const Vec a = vec_mul(vec_load(x + c), vec_load(factor + c));
            const Vec b = vec_mul(vec_load(x + c + LANES), vec_load(factor + c + LANES));
            pairs_store(to + c / 2, in_order(TILE(halves)(a, b)));
        }
        for (; c < channels; c += LANES) {
            const int n = channels - c < LANES ? channels - c : LANES;
            const Mask part = mask_first(n);
            const Vec a = vec_mul(vec_load_part(x + c, part), vec_load_part(factor + c, part));
            pairs_store_part(to + c / 2, mask_first(n / 2), in_order(TILE(halves)(a, vec_set(0))));
        }
    }
}

const PairKernels TABLE = {
    .name = KIND,
    .lanes = LANES,
    .scaled = SCALED,
    .multiply = TILE(multiply),
    .outer = TILE(outer),
    .codes = TILE(codes),
    .interleave = TILE(interleave),
    .narrow = TILE(narrow),
    .peaks = vec_peaks,
};

#undef ELEMENT
#undef MULTIPLY
#undef OUTER
#undef OUTER_PARTS
#undef ELEMENTS
#undef SUMS
#undef TILE
#undef TABLE
#undef KIND
#undef SCALED
