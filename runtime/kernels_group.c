/* Convolutions in groups: see kernels.h. Per group, the table's own convolution over its channels of x,
 * which lie among those of the other groups (HoneRtConv.x_step), and an epilogue that is told the
 * channels of the whole. Nothing is copied. SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"
#include "kernels_assert.h"

enum { PACK_ALIGN = 64 };

/* The geometry of one group. */
static HoneRtConv group_of(const HoneRtConv *g, int groups)
{
    HoneRtConv one = *g;
    HONE_RT_ASSERT(groups >= 1 && g->in_c % groups == 0 && g->out_c % groups == 0);
    if (groups > 1) {
        one.x_step = g->x_step != 0 ? g->x_step : g->in_c;
        one.in_c = g->in_c / groups;
        one.out_c = g->out_c / groups;
    }
    return one;
}

/* Bytes from one group's packed weights to the next's. */
static size_t pack_step(const HoneRtKernels *k, const HoneRtConv *one)
{
    return (k->conv_pack_bytes(one) + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
}

size_t hone_rt_group_pack_bytes(const HoneRtKernels *k, const HoneRtConv *g, int groups)
{
    const HoneRtConv one = group_of(g, groups);
    return groups == 1 ? k->conv_pack_bytes(g) : (size_t)groups * pack_step(k, &one);
}

size_t hone_rt_group_scratch_bytes(const HoneRtKernels *k, const HoneRtConv *g, int groups)
{
    const HoneRtConv one = group_of(g, groups);
    return k->conv_scratch_bytes(&one);
}

void hone_rt_group_pack(const HoneRtKernels *k, const HoneRtConv *g, int groups, const int8_t *w,
                        const int32_t *bias, int32_t x_zero_point, int begin, int end, void *packed)
{
    const HoneRtConv one = group_of(g, groups);
    const size_t step = pack_step(k, &one);
    const size_t filter = (size_t)one.kernel_h * (size_t)one.kernel_w * (size_t)one.in_c;
    for (int i = begin; i < end; i++) {
        const size_t first = (size_t)i * (size_t)one.out_c;
        k->conv_pack(&one, w + first * filter, bias != NULL ? bias + first : NULL, x_zero_point,
                     (uint8_t *)packed + (size_t)i * step);
    }
}

/* The caller's epilogue, and the group's first channel. */
typedef struct Shifted {
    HoneRtEpilogue epilogue;
    void *context;
    int first;
} Shifted;

static void shifted_epilogue(void *context, const int32_t *acc, int ld, int pixel, int rows,
                             int channel, int cols)
{
    const Shifted *s = context;
    s->epilogue(s->context, acc, ld, pixel, rows, s->first + channel, cols);
}

/* Tables know the ready-made epilogue, so it gets a context of its own instead of a wrapper. */
static void run_group(const HoneRtKernels *k, const HoneRtConv *one, int first, const int8_t *x,
                      const void *packed, int row_begin, int row_end, void *scratch,
                      HoneRtEpilogue epilogue, void *context)
{
    Shifted shifted = {epilogue, context, first};
    if (epilogue != hone_rt_requantize_epilogue) {
        k->conv(one, x, packed, row_begin, row_end, scratch, shifted_epilogue, &shifted);
        return;
    }
    HoneRtRequantize q = *(const HoneRtRequantize *)context;
    q.words += first;
    q.shifts = q.shifts != NULL ? q.shifts + first : NULL;
    q.y += first;
    k->conv(one, x, packed, row_begin, row_end, scratch, epilogue, &q);
}

void hone_rt_group_conv(const HoneRtKernels *k, const HoneRtConv *g, int groups, const int8_t *x,
                        const void *packed, int row_begin, int row_end, void *scratch,
                        HoneRtEpilogue epilogue, void *context)
{
    const HoneRtConv one = group_of(g, groups);
    const size_t step = pack_step(k, &one);
    if (groups == 1) {
        k->conv(g, x, packed, row_begin, row_end, scratch, epilogue, context);
        return;
    }
    for (int i = 0; i < groups; i++)
        run_group(k, &one, i * one.out_c, x + (size_t)i * (size_t)one.in_c,
                  (const uint8_t *)packed + (size_t)i * step, row_begin, row_end, scratch, epilogue,
                  context);
}
