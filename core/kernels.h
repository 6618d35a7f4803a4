/* Float kernels of the simple nodes: one table per CPU level. kernels_ref.c is the specification in
 * plain C; kernels_avx2.c and kernels_avx512.c compile kernels_body.h, the same arithmetic in the
 * same order on vectors of their width. So all tables give the same bits, and a result does not
 * depend on how the caller cuts the work. No pointer needs any alignment. Arrays do not overlap
 * except where a kernel says so, and then they are the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_H
#define HONE_CORE_KERNELS_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Kernels {
    const char *name; /* "ref", "avx2", "avx512" */

    /* Smallest and largest of n >= 1 numbers; both NaN when one of them is not finite. */
    void (*minmax)(size_t n, const Real *x, Real *lo, Real *hi);
    /* y += x */
    void (*add)(size_t n, const Real *x, Real *y);
    /* y = a + b. y may be a, b or both. */
    void (*sum)(size_t n, const Real *a, const Real *b, Real *y);

    /* y = min(max(x, 0), hi), hi may be INFINITY, a NaN gives 0; bit i of mask: 0 < x[i] < hi. y may
     * be x. mask has (n + 7) / 8 bytes, bits past n are 0, or is NULL. */
    void (*relu)(size_t n, const Real *x, Real hi, Real *y, uint8_t *mask);
    /* dx = or += dy where the mask's bit is set, else 0. dx may be dy when it overwrites. */
    void (*mask_grad)(size_t n, const Real *dy, const uint8_t *mask, bool accumulate, Real *dx);

    /* q = clip(rint(x * (1 / scale)) + zero_point, lo, hi), round half to even, the reciprocal
     * rounded to float32; bit i of mask (as in relu, or NULL): the unclipped code lies in [lo, hi].
     * Infinities clip, a NaN gives lo. -128 <= lo <= hi <= 127, |zero_point| <= 128. */
    void (*quantize)(size_t n, const Real *x, Real scale, int32_t zero_point, int32_t lo,
                     int32_t hi, int8_t *q, uint8_t *mask);
    /* As quantize, each element with a scale of its own and zero point 0. */
    void (*quantize_each)(size_t n, const Real *x, const Real *scale, int32_t lo, int32_t hi,
                          int8_t *q, uint8_t *mask);
    /* x = scale * (q - zero_point) */
    void (*dequantize)(size_t n, const int8_t *q, Real scale, int32_t zero_point, Real *x);

    /* Over rows of c channels: sum[ch] += sum (x - pivot[ch]); square[ch] += sum (x - pivot[ch])^2,
     * rows in order. */
    void (*channel_moments)(size_t rows, int c, const Real *x, const Real *pivot, Real *sum,
                            Real *square);
    /* y = a[ch] x + b[ch]. y may be x. */
    void (*channel_affine)(size_t rows, int c, const Real *x, const Real *a, const Real *b,
                           Real *y);
    /* sum_dy[ch] += sum dy; sum_dyx[ch] += sum dy (x - pivot[ch]), rows in order. */
    void (*channel_grad_sums)(size_t rows, int c, const Real *dy, const Real *x, const Real *pivot,
                              Real *sum_dy, Real *sum_dyx);
    /* dx = or += a[ch] dy + b[ch] x + k[ch]. dx may be dy when it overwrites. */
    void (*channel_grad)(size_t rows, int c, const Real *dy, const Real *x, const Real *a,
                         const Real *b, const Real *k, bool accumulate, Real *dx);
} Kernels;

extern const Kernels kernels_ref;
#if defined(__x86_64__) && !defined(HONE_DOUBLE)
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

/* The table named "ref", "avx2" or "avx512"; NULL for an unknown name or one this build lacks. Does
 * not ask the CPU. */
const Kernels *kernels_named(const char *name);

#endif
