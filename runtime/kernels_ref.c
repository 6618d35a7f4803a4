/* The reference integer kernels: the specification that every other table is tested against, and
 * the kernels of small devices. Plain loops, no tricks; sums are exact in int32.
 *
 * The packed form of weights holds only pointers to them, so they stay where they are (flash), and
 * the scratch is one pixel's accumulators. The epilogue gets one pixel with all its channels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"
#include "kernels_assert.h"
#include "kernels_layers.h"
#include "libc.h"

typedef struct PackedRef {
    const int8_t *w;
    const int32_t *bias; /* NULL: zeros */
    int32_t x_zero_point;
} PackedRef;

/* The accumulators are int32 in a scratch that may lie anywhere: room to align them. */
enum { ACC_ALIGN = 4 };

static int32_t *aligned_accumulators(void *scratch)
{
    const uintptr_t p = (uintptr_t)scratch;
    return (int32_t *)(void *)((char *)scratch + (ACC_ALIGN - p % ACC_ALIGN) % ACC_ALIGN);
}

static void assert_geometry(const HoneRtConv *g)
{
    HONE_RT_ASSERT(g->in_h >= 1 && g->in_w >= 1 && g->in_c >= 1);
    HONE_RT_ASSERT(g->out_h >= 1 && g->out_w >= 1 && g->out_c >= 1);
    HONE_RT_ASSERT(g->kernel_h >= 1 && g->kernel_w >= 1);
    HONE_RT_ASSERT(g->stride_h >= 1 && g->stride_w >= 1);
    HONE_RT_ASSERT(g->dilation_h >= 1 && g->dilation_w >= 1);
    HONE_RT_ASSERT(g->pad_top >= 0 && g->pad_top <= (g->kernel_h - 1) * g->dilation_h);
    HONE_RT_ASSERT(g->pad_left >= 0 && g->pad_left <= (g->kernel_w - 1) * g->dilation_w);
    HONE_RT_ASSERT(g->x_step == 0 || g->x_step >= g->in_c);
    (void)g;
}

static size_t pack_bytes(const HoneRtConv *g)
{
    (void)g;
    return sizeof(PackedRef);
}

static size_t scratch_bytes(const HoneRtConv *g)
{
    return (size_t)g->out_c * sizeof(int32_t) + ACC_ALIGN;
}

static void pack(const HoneRtConv *g, const int8_t *w, const int32_t *bias, int32_t x_zero_point,
                 void *packed)
{
    const PackedRef p = {w, bias, x_zero_point};
    assert_geometry(g);
    HONE_RT_ASSERT(x_zero_point >= -128 && x_zero_point <= 127);
    (void)g;
    memcpy(packed, &p, sizeof p);
}

/* All of it is small: the first share does it. */
static void pack_part(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                      int32_t x_zero_point, int begin, int end, void *packed)
{
    HONE_RT_ASSERT(begin % HONE_RT_PACK_CHANNELS == 0 && begin < end && end <= g->out_c);
    (void)end;
    if (begin == 0)
        pack(g, w, bias, x_zero_point, packed);
}

static void load_bias(const PackedRef *p, int out_c, int32_t *acc)
{
    if (p->bias != NULL)
        memcpy(acc, p->bias, (size_t)out_c * sizeof *acc);
    else
        memset(acc, 0, (size_t)out_c * sizeof *acc);
}

/* sum (x - zx) * w over n channels of one tap. */
static int32_t dot(const int8_t *x, const int8_t *w, int n, int32_t zx)
{
    int32_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += (x[i] - zx) * w[i];
    return sum;
}

/* One tap of the window: all output channels of acc get what input position x_tap contributes. */
typedef void (*TapFunction)(const HoneRtConv *g, const PackedRef *p, const int8_t *x_tap, int ky,
                            int kx, int32_t *acc);

static void conv_tap(const HoneRtConv *g, const PackedRef *p, const int8_t *x_tap, int ky, int kx,
                     int32_t *acc)
{
    const size_t filter = (size_t)g->kernel_h * (size_t)g->kernel_w * (size_t)g->in_c;
    const int8_t *w = p->w + ((size_t)ky * (size_t)g->kernel_w + (size_t)kx) * (size_t)g->in_c;
    for (int o = 0; o < g->out_c; o++)
        acc[o] += dot(x_tap, w + (size_t)o * filter, g->in_c, p->x_zero_point);
}

static void depthwise_tap(const HoneRtConv *g, const PackedRef *p, const int8_t *x_tap, int ky,
                          int kx, int32_t *acc)
{
    const int multiplier = g->out_c / g->in_c;
    const int8_t *w = p->w + ((size_t)ky * (size_t)g->kernel_w + (size_t)kx) * (size_t)g->out_c;
    for (int i = 0, o = 0; i < g->in_c; i++)
        for (int m = 0; m < multiplier; m++, o++)
            acc[o] += (x_tap[i] - p->x_zero_point) * w[o];
}

/* The window of one output pixel: the taps inside the image. */
static void window(const HoneRtConv *g, const PackedRef *p, const int8_t *x, int oy, int ox,
                   TapFunction tap, int32_t *acc)
{
    const size_t step = (size_t)(g->x_step != 0 ? g->x_step : g->in_c);
    for (int ky = 0; ky < g->kernel_h; ky++) {
        const int iy = oy * g->stride_h - g->pad_top + ky * g->dilation_h;
        if (iy < 0 || iy >= g->in_h)
            continue;
        for (int kx = 0; kx < g->kernel_w; kx++) {
            const int ix = ox * g->stride_w - g->pad_left + kx * g->dilation_w;
            if (ix < 0 || ix >= g->in_w)
                continue;
            const size_t pixel = (size_t)iy * (size_t)g->in_w + (size_t)ix;
            tap(g, p, x + pixel * step, ky, kx, acc);
        }
    }
}

static void each_pixel(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                       int row_end, void *scratch, TapFunction tap, HoneRtEpilogue epilogue,
                       void *context)
{
    int32_t *acc = aligned_accumulators(scratch);
    PackedRef p;
    HONE_RT_ASSERT(0 <= row_begin && row_begin <= row_end && row_end <= g->out_h);
    memcpy(&p, packed, sizeof p);
    for (int oy = row_begin; oy < row_end; oy++)
        for (int ox = 0; ox < g->out_w; ox++) {
            load_bias(&p, g->out_c, acc);
            window(g, &p, x, oy, ox, tap, acc);
            epilogue(context, acc, g->out_c, oy * g->out_w + ox, 1, 0, g->out_c);
        }
}

static void conv(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                 int row_end, void *scratch, HoneRtEpilogue epilogue, void *context)
{
    each_pixel(g, x, packed, row_begin, row_end, scratch, conv_tap, epilogue, context);
}

static void depthwise(const HoneRtConv *g, const int8_t *x, const void *packed, int row_begin,
                      int row_end, void *scratch, HoneRtEpilogue epilogue, void *context)
{
    HONE_RT_ASSERT(g->out_c % g->in_c == 0);
    each_pixel(g, x, packed, row_begin, row_end, scratch, depthwise_tap, epilogue, context);
}

static void requantize_s24(const int32_t *acc, int ld, int rows, int cols, const uint32_t *words,
                           int32_t y_zp, int32_t lo, int32_t hi, int8_t *y, ptrdiff_t y_ld)
{
    HONE_RT_ASSERT(-128 <= lo && lo <= hi && hi <= 127 && y_zp >= -128 && y_zp <= 127);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++) {
            HONE_RT_ASSERT(hone_rt_s24_valid(words[c]));
            y[r * y_ld + c] = hone_rt_s24_code(acc[(ptrdiff_t)r * ld + c], words[c], y_zp, lo, hi);
        }
}

static void add_s24(const HoneRtAdd *p, const int8_t *a, const int8_t *b, size_t n, int8_t *y)
{
    HONE_RT_ASSERT(hone_rt_add_valid(p));
    for (size_t i = 0; i < n; i++)
        y[i] = hone_rt_add_code(p, a[i], b[i]);
}

static void requantize_d31(const int32_t *acc, int ld, int rows, int cols, const uint32_t *m,
                           const int32_t *e, int32_t y_zp, int32_t lo, int32_t hi, int8_t *y,
                           ptrdiff_t y_ld)
{
    HONE_RT_ASSERT(-128 <= lo && lo <= hi && hi <= 127 && y_zp >= -128 && y_zp <= 127);
    for (int c = 0; c < cols; c++) {
        const int32_t multiplier = (int32_t)m[c];
        HONE_RT_ASSERT(m[c] <= INT32_MAX && hone_rt_d31_valid(multiplier, e[c]));
        for (int r = 0; r < rows; r++)
            y[r * y_ld + c] =
                hone_rt_d31_code(acc[(ptrdiff_t)r * ld + c], multiplier, e[c], y_zp, lo, hi);
    }
}

static void add_d31(const HoneRtAddD31 *p, const int8_t *a, const int8_t *b, size_t n, int8_t *y)
{
    HONE_RT_ASSERT(hone_rt_add_d31_valid(p));
    for (size_t i = 0; i < n; i++)
        y[i] = hone_rt_add_d31_code(p, a[i], b[i]);
}

static void mean_sum(const int8_t *x, int pixels, int channels, int32_t *sum)
{
    memset(sum, 0, (size_t)channels * sizeof *sum);
    for (int p = 0; p < pixels; p++, x += channels)
        for (int c = 0; c < channels; c++)
            sum[c] += x[c];
}

void hone_rt_requantize_epilogue(void *context, const int32_t *acc, int ld, int pixel, int rows,
                                 int channel, int cols)
{
    const HoneRtRequantize *q = context;
    const uint32_t *words = q->words + channel;
    int8_t *y = q->y + pixel * q->y_ld + channel;
    if (q->shifts != NULL)
        q->kernels->requantize_d31(acc, ld, rows, cols, words, q->shifts + channel, q->y_zp, q->lo,
                                   q->hi, y, q->y_ld);
    else
        q->kernels->requantize_s24(acc, ld, rows, cols, words, q->y_zp, q->lo, q->hi, y, q->y_ld);
}

const HoneRtKernels hone_rt_kernels_ref = {
    .name = "ref",
    .conv_pack_bytes = pack_bytes,
    .conv_scratch_bytes = scratch_bytes,
    .conv_pack = pack,
    .conv_pack_part = pack_part,
    .conv = conv,
    .depthwise_pack_bytes = pack_bytes,
    .depthwise_scratch_bytes = scratch_bytes,
    .depthwise_pack = pack,
    .depthwise = depthwise,
    .requantize_s24 = requantize_s24,
    .requantize_d31 = requantize_d31,
    .add_s24 = add_s24,
    .add_d31 = add_d31,
    .mean_sum = mean_sum,
    .mul_s24 = hone_rt_mul_s24_ref,
    .max_pool = hone_rt_max_pool_ref,
    .average_pool = hone_rt_average_pool_ref,
    .table = hone_rt_table_ref,
};
