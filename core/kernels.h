/* Float kernels of the simple nodes: one table per CPU level. kernels_ref.c is the specification in
 * plain C; kernels_avx2.c and kernels_avx512.c compile kernels_body.h, the same arithmetic in the
 * same order on vectors of their width. So all tables give the same bits, and a result does not
 * depend on how the caller cuts the work. No pointer needs any alignment. Arrays do not overlap
 * except where a kernel says so, and then they are the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_H
#define HONE_CORE_KERNELS_H

#include "core/kernels_ring.h"
#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a row of bits, one per channel: each row starts at a byte. */
#define MASK_ROW_BYTES(channels) (((size_t)(channels) + 7) / 8)

/* What becomes of rows of channels on their way to codes: v = slope[ch] x + shift[ch], the activation
 * min(max(v, low), high), and quantize. A NaN gives the code of low, or lo where that is -INFINITY. */
typedef struct ChannelQuantize {
    int channels;
    const Real *slope, *shift; /* [channels] */
    Real low, high;            /* low <= 0 <= high; infinities for no bound */
    Real scale;
    int32_t zero_point, lo, hi;
} ChannelQuantize;

/* y = slope[ch] dy + of_x[ch] x + shift[ch], dy being 0 where its bit is not set; slope NULL: y = dy.
 * All arrays start at the first of `channels` channels of a row, mask at its byte; from row to row it
 * is ld elements of dy and x, mask_ld bytes, y_ld elements of y. */
typedef struct MaskedGrad {
    int channels;
    size_t ld, mask_ld, y_ld;
    const Real *dy, *x;
    const uint8_t *mask;
    const Real *slope, *of_x, *shift;
    Real *y;
    Real *peak; /* [channels] becomes max(peak, |y|), NaN where one is; NULL: not asked for */
} MaskedGrad;

/* Codes of the sum of two codes: v = a_scale (a - a_zero) + b_scale (b - b_zero), then as
 * ChannelQuantize. */
typedef struct AddQuantize {
    Real a_scale, b_scale;
    int32_t a_zero, b_zero;
    Real low, high, scale;
    int32_t zero_point, lo, hi;
} AddQuantize;

typedef struct Kernels {
    const char *name;        /* "ref", "avx2", "avx512" */
    const RingKernels *ring; /* of depthwise convolutions in fused nodes */

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

    /* Of fused nodes (qat/fuse.h), each the work of several of the above in one sweep.
     *
     * channel_moments, and lo[ch] = min(lo[ch], x), hi[ch] = max(hi[ch], x) where x is no NaN. */
    void (*channel_statistics)(size_t rows, int c, const Real *x, const Real *pivot, Real *sum,
                               Real *square, Real *lo, Real *hi);
    /* The second half of that. */
    void (*channel_extent)(size_t rows, int c, const Real *x, Real *lo, Real *hi);
    /* The same bits as channel_affine, relu and quantize one after the other. mask, or NULL: bit ch
     * of a row where the activation and the grid clip nothing, low < v < high. */
    void (*channel_quantize)(const ChannelQuantize *p, size_t rows, const Real *x, int8_t *q,
                             uint8_t *mask);
    /* channel_grad_sums of dy where the bit of its row is set, else 0. */
    void (*masked_grad_sums)(size_t rows, int c, const Real *dy, const uint8_t *mask, const Real *x,
                             const Real *pivot, Real *sum_dy, Real *sum_dyx);
    void (*masked_grad)(const MaskedGrad *p, size_t rows);
    /* The same bits as dequantize, sum, relu and quantize one after the other; mask as relu's. lo
     * and hi become the extremes of the activation and what they were. */
    void (*add_quantize)(const AddQuantize *p, size_t n, const int8_t *a, const int8_t *b,
                         int8_t *q, uint8_t *mask, Real *lo, Real *hi);
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
