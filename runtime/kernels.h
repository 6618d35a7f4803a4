/* Integer micro-kernels: one table per CPU level, shared by the runtime, the trainer's integer
 * evaluation and the forward pass of quantization-aware training.
 *
 *     const HoneRtKernels *k = hone_rt_kernels_for_host(NULL);      // or &hone_rt_kernels_ref
 *     k->conv_pack(&g, weights, bias, x_zero_point, packed);        // once per set of weights
 *     HoneRtRequantize rq = {k, words, y_zero_point, lo, hi, y, g.out_c, NULL};
 *     k->conv(&g, x, packed, 0, g.out_h, scratch, hone_rt_requantize_epilogue, &rq);
 *
 * A convolution computes exact int32 sums, tile by tile, and hands each tile to an epilogue while
 * it is in the first-level cache: requantize it (runtime), normalize it or gather its statistics
 * (training). Every (pixel, channel) of the asked rows is delivered exactly once, in an order that
 * is the kernel's own. All tables give identical sums, hence identical codes.
 *
 * A dense layer or a pointwise convolution over a whole batch is a convolution with a 1x1 kernel
 * over an image of in_h = rows, in_w = 1 (or in_h = 1, in_w = rows).
 *
 * Memory: everything belongs to the caller. No pointer needs more alignment than its type asks
 * for, and void pointers need none; 64 bytes are best. w and bias must stay valid and unchanged
 * for as long as their packed form is used (the reference's packed form only points at them, so
 * that weights can stay in flash). packed and x are only read by conv and depthwise: threads may
 * share them, each with its own scratch.
 *
 * The caller guarantees (kernels_ref.c asserts the geometry): sizes, strides and dilations >= 1,
 * pads >= 0 and smaller than the dilated kernel, each window of the asked rows touching the padded
 * image at nonnegative coordinates; weights in [-127, 127]; -128 <= x_zero_point <= 127; and
 * |bias| + 255 * (sum of |w| of a channel) < 2^31, so that no sum overflows, in any order.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_KERNELS_H
#define HONE_RUNTIME_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Geometry of a convolution of one image, NHWC. Output (oy, ox) reads input rows
 * oy * stride_h - pad_top + ky * dilation_h and likewise for columns; positions outside the image
 * contribute nothing. Bottom and right pads follow from out_h and out_w. */
typedef struct HoneRtConv {
    int in_h, in_w, in_c;
    int out_h, out_w, out_c;
    int kernel_h, kernel_w;
    int stride_h, stride_w;
    int dilation_h, dilation_w;
    int pad_top, pad_left;
    int x_step; /* conv: from pixel to pixel of x, at least in_c; 0: in_c */
} HoneRtConv;

/* Geometry of a pooling of one image, NHWC, as HoneRtConv's; every window holds a pixel of the
 * image. */
typedef struct HoneRtPool {
    int in_h, in_w, channels;
    int out_h, out_w;
    int kernel_h, kernel_w; /* 1..255 */
    int stride_h, stride_w;
    int pad_top, pad_left; /* smaller than the kernel */
} HoneRtPool;

/* Receives acc[r * ld + c]: output pixels pixel .. pixel + rows - 1 (oy * out_w + ox), channels
 * channel .. channel + cols - 1, exact int32 sums with bias and zero point included. The tile is
 * the epilogue's to read until it returns. */
typedef void (*HoneRtEpilogue)(void *context, const int32_t *acc, int ld, int pixel, int rows,
                               int channel, int cols);

enum { HONE_RT_PACK_CHANNELS = 64 };

typedef struct HoneRtKernels {
    const char *name; /* "ref", "avx2", "avx512" */

    /* Bytes of the packed weights, and of the scratch one call of conv needs. */
    size_t (*conv_pack_bytes)(const HoneRtConv *g);
    size_t (*conv_scratch_bytes)(const HoneRtConv *g);
    /* w [out_c][kernel_h][kernel_w][in_c], bias [out_c] or NULL for zeros. */
    void (*conv_pack)(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                      int32_t x_zero_point, void *packed);
    /* The share [begin, end) of the channels in conv_pack, so that threads can divide it; begin is a
     * multiple of HONE_RT_PACK_CHANNELS, end is another or out_c. */
    void (*conv_pack_part)(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                           int32_t x_zero_point, int begin, int end, void *packed);
    /* acc[p][o] = bias[o] + sum over the taps inside the image of (x - x_zero_point) * w[o]
     * for the output rows [row_begin, row_end). x [in_h][in_w][in_c], pixels x_step apart. */
    void (*conv)(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                 int row_end, void *scratch, HoneRtEpilogue epilogue, void *context);

    /* The same four for depthwise: w [kernel_h][kernel_w][out_c], out_c = in_c * multiplier, output
     * channel o reads input channel o / multiplier. Multiplier 1 is the fast case. */
    size_t (*depthwise_pack_bytes)(const HoneRtConv *g);
    size_t (*depthwise_scratch_bytes)(const HoneRtConv *g);
    void (*depthwise_pack)(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                           int32_t x_zero_point, void *packed);
    void (*depthwise)(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                      int row_end, void *scratch, HoneRtEpilogue epilogue, void *context);

    /* y[r * y_ld + c] = hone_rt_s24_code(acc[r * ld + c], words[c], y_zp, lo, hi), any acc. */
    void (*requantize_s24)(const int32_t *acc, int ld, int rows, int cols, const uint32_t *words,
                           int32_t y_zp, int32_t lo, int32_t hi, int8_t *y, ptrdiff_t y_ld);
    /* y[r * y_ld + c] = hone_rt_d31_code(acc[r * ld + c], m[c], e[c], y_zp, lo, hi), any acc. */
    void (*requantize_d31)(const int32_t *acc, int ld, int rows, int cols, const uint32_t *m,
                           const int32_t *e, int32_t y_zp, int32_t lo, int32_t hi, int8_t *y,
                           ptrdiff_t y_ld);
    /* y[i] = hone_rt_add_code(p, a[i], b[i]), i < n. y may be a or b itself. */
    void (*add_s24)(const HoneRtAdd *p, const int8_t *a, const int8_t *b, size_t n, int8_t *y);
    /* y[i] = hone_rt_add_d31_code(p, a[i], b[i]), likewise. */
    void (*add_d31)(const HoneRtAddD31 *p, const int8_t *a, const int8_t *b, size_t n, int8_t *y);
    /* sum[c] = sum over the pixels of x[pixel][c]; pixels * 128 < 2^31. */
    void (*mean_sum)(const int8_t *x, int pixels, int channels, int32_t *sum);

    /* y[r][c] = hone_rt_mul_code(p, a[r][c], b[c]). y may be a; or b, when there is one row. */
    void (*mul_s24)(const HoneRtMul *p, const int8_t *a, const int8_t *b, int rows, int channels,
                    int8_t *y);
    /* The largest of the codes in each window, for the output rows [row_begin, row_end). */
    void (*max_pool)(const HoneRtPool *g, const int8_t *x, int row_begin, int row_end, int8_t *y);
    /* hone_rt_average_code of them. */
    void (*average_pool)(const HoneRtPool *g, const int8_t *x, int row_begin, int row_end,
                         int8_t *y);
    /* y[i] = table[x[i] + 128], i < n. y may be x. */
    void (*table)(const int8_t *table, const int8_t *x, size_t n, int8_t *y);
} HoneRtKernels;

/* A ready-made epilogue: requantizes each tile into an image of codes. words, shifts, y and the table
 * are borrowed; words has out_c entries, y [pixels][y_ld], y_ld >= out_c. */
typedef struct HoneRtRequantize {
    const HoneRtKernels *kernels;
    const uint32_t *words; /* of S24; with shifts: the multipliers of D31 */
    int32_t y_zp, lo, hi;
    int8_t *y;
    ptrdiff_t y_ld;
    const int32_t *shifts; /* [out_c], D31; NULL: S24 */
} HoneRtRequantize;

/* context is a HoneRtRequantize. Tables may recognize this epilogue and requantize without calling
 * it: the codes are the same. */
void hone_rt_requantize_epilogue(void *context, const int32_t *acc, int ld, int pixel, int rows,
                                 int channel, int cols);

/* The context of that epilogue in S24, or NULL for any other. */
static inline const HoneRtRequantize *hone_rt_s24_epilogue(HoneRtEpilogue epilogue, void *context)
{
    const HoneRtRequantize *q = context;
    return epilogue == hone_rt_requantize_epilogue && q->shifts == NULL ? q : NULL;
}

/* A convolution in groups, by any table (kernels_group.c): the channels of x and those of the output
 * fall into `groups` equal parts, and a part of the output reads that part of x alone. g has all
 * channels; w [out_c][kernel_h][kernel_w][in_c / groups]. One group is the table's own convolution,
 * others are `groups` of them: epilogues see them all. Packs the groups [begin, end), so that threads
 * can divide it. */
size_t hone_rt_group_pack_bytes(const HoneRtKernels *k, const HoneRtConv *g, int groups);
size_t hone_rt_group_scratch_bytes(const HoneRtKernels *k, const HoneRtConv *g, int groups);
void hone_rt_group_pack(const HoneRtKernels *k, const HoneRtConv *g, int groups, const int8_t *w,
                        const int32_t *bias, int32_t x_zero_point, int begin, int end,
                        void *packed);
void hone_rt_group_conv(const HoneRtKernels *k, const HoneRtConv *g, int groups, const int8_t *x,
                        const void *packed, int row_begin, int row_end, void *scratch,
                        HoneRtEpilogue epilogue, void *context);

extern const HoneRtKernels hone_rt_kernels_ref; /* the specification; runs everywhere */
#if defined(__x86_64__)
extern const HoneRtKernels hone_rt_kernels_avx2;   /* needs AVX2 */
extern const HoneRtKernels hone_rt_kernels_avx512; /* needs AVX-512 F, BW, DQ, VL and VNNI */
#endif

/* As mul_s24 of a table, in profile D31; the same at every level. */
void hone_rt_mul_d31(const HoneRtMul *p, const int8_t *a, const int8_t *b, int rows, int channels,
                     int8_t *y);

/* The best table this CPU can run, or the one named by force ("ref", "avx2", "avx512"); NULL when
 * force is unknown or the CPU lacks it. Hosts only (host.c): asks the CPU. */
const HoneRtKernels *hone_rt_kernels_for_host(const char *force);

#ifdef __cplusplus
}
#endif

#endif
