/* What the checks of single ops share: the fields, shapes and constants that several kinds have.
 * SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

static int all_zero(const uint16_t *fields, int n)
{
    uint32_t any = 0;
    for (int i = 0; i < n; i++)
        any |= fields[i];
    return any == 0;
}

int hone_rt_window_is_absent(const HoneRtOp *op)
{
    const uint16_t fields[] = {op->kernel_h,   op->kernel_w,   op->stride_h,   op->stride_w,
                               op->dilation_h, op->dilation_w, op->pad_top,    op->pad_left,
                               op->pad_bottom, op->pad_right,  op->multiplier, op->groups};
    return all_zero(fields, (int)(sizeof fields / sizeof fields[0]));
}

static int in_window(uint16_t n)
{
    return n >= 1 && n <= HONE_RT_MAX_WINDOW;
}

/* One axis of a window op; *padded is the input with its pads. */
static HoneRtStatus check_axis(uint32_t in, uint32_t out, uint16_t kernel, uint16_t stride,
                               uint16_t dilation, uint16_t before, uint16_t after, uint32_t *padded)
{
    if (!in_window(kernel) || !in_window(stride) || !in_window(dilation))
        return HONE_RT_ERR_OP;
    const uint32_t span = (kernel - 1u) * dilation + 1u;
    if (span > HONE_RT_MAX_SPAN || before >= span || after >= span)
        return HONE_RT_ERR_OP;
    *padded = in + before + after; /* at most 2^24 + 2^13 */
    return *padded >= span && out == (*padded - span) / stride + 1 ? HONE_RT_OK : HONE_RT_ERR_SHAPE;
}

HoneRtStatus hone_rt_check_window(const HoneRtOp *op, const HoneRtTensor *x, const HoneRtTensor *y)
{
    uint32_t h = 0, w = 0;
    HoneRtStatus status = check_axis(x->h, y->h, op->kernel_h, op->stride_h, op->dilation_h,
                                     op->pad_top, op->pad_bottom, &h);
    if (status == HONE_RT_OK)
        status = check_axis(x->w, y->w, op->kernel_w, op->stride_w, op->dilation_w, op->pad_left,
                            op->pad_right, &w);
    if (status == HONE_RT_OK &&
        ((uint64_t)h * w > HONE_RT_MAX_ELEMENTS || (uint64_t)h * w * x->c > HONE_RT_MAX_ELEMENTS))
        status = HONE_RT_ERR_SHAPE;
    return status;
}

HoneRtStatus hone_rt_check_words(const HoneRtProgram *p, uint32_t offset, uint32_t n, int32_t most)
{
    const int d31 = p->profile == HONE_RT_D31;
    if (!hone_rt_has_constant(p, offset, (uint64_t)n * (d31 ? 2 : 1) * sizeof(uint32_t)))
        return HONE_RT_ERR_CONSTANT;
    const uint32_t *words = hone_rt_constant(p, offset);
    const int32_t *shifts = hone_rt_shifts(p, offset, n);
    for (uint32_t i = 0; i < n; i++) {
        const int valid = d31 ? words[i] <= INT32_MAX && shifts[i] <= most &&
                                    hone_rt_d31_valid((int32_t)words[i], shifts[i])
                              : hone_rt_s24_valid(words[i]);
        if (!valid)
            return HONE_RT_ERR_CONSTANT;
    }
    return HONE_RT_OK;
}
