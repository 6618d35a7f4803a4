/* Products of 16-bit numbers, for the backward pass of quantized layers (layers/pairs.h): one table
 * per kind of number and CPU level.
 *
 * An element is a *pair*: two 16-bit numbers that are neighbours along the summed axis, the first in
 * the lower half. The product of two elements is a0 b0 + a1 b1. Windows, runs and panels are those of
 * kernels_conv.h, counted in elements.
 *
 *     int16  sums are int32 and exact, so all levels give the same bits. No sum overflows where
 *            multiply gets weights of at most 127 and other numbers of at most pair_limit(K, 127), K
 *            products being summed, and outer codes of at most 255 and PAIR_MOST in at most
 *            PAIR_ROWS rows: 2 * 128 * 255 * 32767 < 2^31.
 *     bf16   the upper half of a float, rounded to even; sums are float32, levels agree to rounding
 *
 * Codes with their zero point subtracted, and weights, are exact in both. Processors: vpdpwssd
 * (AVX512-VNNI) and vdpbf16ps (AVX512-BF16); the reference is the specification.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_PAIR_H
#define HONE_CORE_KERNELS_PAIR_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_ROWS 128   /* of an outer product of int16 */
#define PAIR_MOST 32767 /* largest int16 number in use */

/* y[y_row[r] + c] = or += scale * sum over i, e of x[x_row[r] + run_x[i] + e] . w[run_w[i] + e][c]
 * for one panel of up to 2 * lanes columns c < cols. */
typedef struct PairMultiply {
    const uint32_t *x;
    const int32_t *x_row;  /* [rows] */
    const int32_t *run_x;  /* [runs] */
    const int32_t *run_w;  /* [runs], in rows of the panel */
    int runs, length;      /* runs may be 0 */
    int taps;              /* as in kernels_conv.h */
    const uint32_t *panel; /* as kernels_conv.h's, [1 + K / 2][width]; row 0 is zeros */
    Real scale;
    Real *y;
    const int32_t *y_row; /* [rows] */
    int rows, cols;
    bool accumulate;
} PairMultiply;

/* sum[i * length + e][c] += scale[c] * (sum over r of x[x_row[r] + run_x[i] + e] . dy[r][c]). */
typedef struct PairOuter {
    const uint32_t *x;
    const int32_t *x_row; /* [rows] */
    const int32_t *run_x; /* [runs] */
    int runs, length;
    const uint32_t *dy;
    int dy_ld;
    int rows, cols;    /* cols is a multiple of lanes */
    const Real *scale; /* [cols] */
    Real *sum;         /* [runs * length][sum_ld] */
    int sum_ld;
} PairOuter;

typedef struct PairKernels {
    const char *name; /* "int16", "bf16" */
    int lanes;        /* columns of half a panel; divides that of the level's ConvKernels */
    bool scaled;      /* numbers must be brought to at most PAIR_MOST */
    void (*multiply)(const PairMultiply *m);
    void (*outer)(const PairOuter *m);
    /* to[i] = (a[i] - zero_point, b[i] - zero_point); NULL for zeros. */
    void (*codes)(size_t n, const int8_t *a, const int8_t *b, int32_t zero_point, uint32_t *to);
    /* to[r][c] = (factor[c] a[r][c], factor[c] b[r][c]), rounded half to even; b NULL: 0; zeros from
     * c = channels to ld. In int16 a NaN gives any number. */
    void (*interleave)(size_t rows, int channels, const Real *a, const Real *b, const Real *factor,
                       uint32_t *to, size_t ld);
    /* to[r][k] = (factor[2k] x[r][2k], factor[2k+1] x[r][2k+1]); channels is even. */
    void (*narrow)(size_t rows, int channels, const Real *x, const Real *factor, uint32_t *to);
    /* peak[c] = max(peak[c], |x[r][c]|), NaN where one is. */
    void (*peaks)(size_t rows, int channels, const Real *x, Real *peak);
} PairKernels;

/* Packed weights as in kernels_conv.h: panels of 2 * lanes columns, the last one of lanes or
 * 2 * lanes, filled up with zeros; depth is in elements. */
static inline int pair_panel_count(const PairKernels *k, int cols)
{
    return (cols + 2 * k->lanes - 1) / (2 * k->lanes);
}

static inline int pair_panel_width(const PairKernels *k, int cols, int panel)
{
    return cols - panel * 2 * k->lanes > k->lanes ? 2 * k->lanes : k->lanes;
}

static inline size_t pair_panel_offset(const PairKernels *k, int depth, int panel)
{
    return (size_t)panel * 2 * (size_t)k->lanes * (size_t)(1 + depth);
}

/* The largest magnitude of a number that K of can be multiplied by weights of up to `weight` and
 * summed in int32: at most PAIR_MOST. */
static inline int32_t pair_limit(int64_t k, int32_t weight)
{
    const int64_t limit = INT32_MAX / (k * weight);
    return limit < PAIR_MOST ? (int32_t)limit : PAIR_MOST;
}

extern const PairKernels kernels_int16_ref, kernels_bf16_ref;
#if defined(__x86_64__) && !defined(HONE_DOUBLE)
extern const PairKernels kernels_int16_avx2, kernels_bf16_avx2;
extern const PairKernels kernels_int16_avx512, kernels_bf16_avx512;
#endif

/* The tables of the level "ref", "avx2" or "avx512", which the processor must have; the reference for
 * a name that this build lacks. Of bf16 the level below where the processor has no AVX512-BF16. */
const PairKernels *kernels_int16_named(const char *level);
const PairKernels *kernels_bf16_named(const char *level);

#endif
