/* Checks one op: the fields its kind uses are in range, the others are zero, shapes fit, constants
 * are where they should be and hold only what the kernels allow, and no accumulator can overflow.
 * SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

/* ---- fields ---- */

/* The fields of an addition's multipliers, and those of no op but CONCAT. */
static int tail_is_absent(const HoneRtOp *op)
{
    uint32_t any = 0;
    for (size_t i = 0; i < sizeof op->reserved / sizeof op->reserved[0]; i++)
        any |= op->reserved[i];
    return any == 0 && (op->kind == HONE_RT_OP_ADD || (op->m1 == 0 && op->m2 == 0 && op->k == 0));
}

static int has_second_input(const HoneRtOp *op)
{
    return op->kind == HONE_RT_OP_ADD || op->kind == HONE_RT_OP_MUL ||
           op->kind == HONE_RT_OP_CONCAT;
}

static HoneRtStatus check_common(const HoneRtProgram *p, const HoneRtOp *op)
{
    if (op->weight_type != HONE_RT_WEIGHTS_INT8)
        return HONE_RT_ERR_OP;
    if (op->kind != HONE_RT_OP_CONCAT && !tail_is_absent(op))
        return HONE_RT_ERR_OP;
    if (!hone_rt_is_code(op->lo) || !hone_rt_is_code(op->hi) || op->lo > op->hi)
        return HONE_RT_ERR_OP;
    if (op->inputs[0] >= p->tensor_count || op->output >= p->tensor_count)
        return HONE_RT_ERR_OP;
    const int fits =
        has_second_input(op) ? op->inputs[1] < p->tensor_count : op->inputs[1] == HONE_RT_NONE;
    return fits ? HONE_RT_OK : HONE_RT_ERR_OP;
}

/* ---- constants ---- */

/* The weights of one output channel: taps of them, `stride` apart. |bias| + 255 * sum |w| bounds
 * every partial sum of the accumulator. */
static HoneRtStatus check_channel(const int8_t *w, uint32_t taps, uint32_t stride, int32_t bias)
{
    uint32_t sum = 0; /* at most 2^24 * 127 */
    for (uint32_t i = 0; i < taps; i++) {
        const int v = w[(size_t)i * stride];
        if (v == -128)
            return HONE_RT_ERR_CONSTANT;
        sum += (uint32_t)(v < 0 ? -v : v);
    }
    const int64_t magnitude = bias < 0 ? -(int64_t)bias : bias;
    return magnitude + (int64_t)255 * sum <= INT32_MAX ? HONE_RT_OK : HONE_RT_ERR_OVERFLOW;
}

/* Weights [out_c][taps], or [taps][out_c] for depthwise, with bias and multipliers. */
static HoneRtStatus check_weights(const HoneRtProgram *p, const HoneRtOp *op, uint32_t taps,
                                  uint32_t out_c)
{
    const int depthwise = op->kind == HONE_RT_OP_DEPTHWISE;
    const int32_t *bias = NULL;
    if (!hone_rt_has_constant(p, op->weights, (uint64_t)taps * out_c))
        return HONE_RT_ERR_CONSTANT;
    if (op->bias != HONE_RT_NONE) {
        if (!hone_rt_has_constant(p, op->bias, (uint64_t)out_c * sizeof *bias))
            return HONE_RT_ERR_CONSTANT;
        bias = hone_rt_constant(p, op->bias);
    }
    const int8_t *w = hone_rt_constant(p, op->weights);
    for (uint32_t o = 0; o < out_c; o++) {
        const int8_t *first = w + (size_t)o * (depthwise ? 1 : taps);
        const HoneRtStatus status =
            check_channel(first, taps, depthwise ? out_c : 1, bias != NULL ? bias[o] : 0);
        if (status != HONE_RT_OK)
            return status;
    }
    return hone_rt_check_words(p, op->requant, out_c, HONE_RT_D31_MAX_SHIFT);
}

/* ---- kinds ---- */

static HoneRtStatus check_conv(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *x = &p->tensors[op->inputs[0]], *y = &p->tensors[op->output];
    const uint32_t groups = hone_rt_groups(op);
    const uint64_t taps = (uint64_t)op->kernel_h * op->kernel_w * (x->c / groups);
    const HoneRtStatus status = hone_rt_check_window(op, x, y);
    if (status != HONE_RT_OK)
        return status;
    if (op->multiplier != 0 || op->groups == 1)
        return HONE_RT_ERR_OP;
    if (x->c % groups != 0 || y->c % groups != 0)
        return HONE_RT_ERR_SHAPE;
    return taps <= HONE_RT_MAX_ELEMENTS ? check_weights(p, op, (uint32_t)taps, y->c)
                                        : HONE_RT_ERR_SHAPE;
}

static HoneRtStatus check_depthwise(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *x = &p->tensors[op->inputs[0]], *y = &p->tensors[op->output];
    const HoneRtStatus status = hone_rt_check_window(op, x, y);
    if (status != HONE_RT_OK)
        return status;
    if (op->multiplier < 1 || op->groups != 0)
        return HONE_RT_ERR_OP;
    if ((uint64_t)x->c * op->multiplier != y->c)
        return HONE_RT_ERR_SHAPE;
    return check_weights(p, op, (uint32_t)op->kernel_h * op->kernel_w, y->c);
}

static HoneRtStatus check_dense(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *x = &p->tensors[op->inputs[0]], *y = &p->tensors[op->output];
    if (!hone_rt_window_is_absent(op))
        return HONE_RT_ERR_OP;
    if (y->h != 1 || y->w != 1)
        return HONE_RT_ERR_SHAPE;
    return check_weights(p, op, hone_rt_elements(x), y->c);
}

/* The multipliers of an ADD: fields of the op in S24, three constants in D31. */
static HoneRtStatus check_add_scales(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *a = &p->tensors[op->inputs[0]], *b = &p->tensors[op->inputs[1]];
    const HoneRtTensor *y = &p->tensors[op->output];
    const HoneRtAdd add = {op->m1,        op->m2,        op->k,  a->zero_point,
                           b->zero_point, y->zero_point, op->lo, op->hi};
    if (p->profile == HONE_RT_S24)
        return op->requant == HONE_RT_NONE && hone_rt_add_valid(&add) ? HONE_RT_OK : HONE_RT_ERR_OP;
    return op->m1 == 0 && op->m2 == 0 && op->k == 0 ? hone_rt_check_words(p, op->requant, 3, 0)
                                                    : HONE_RT_ERR_OP;
}

static HoneRtStatus check_add(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *a = &p->tensors[op->inputs[0]], *b = &p->tensors[op->inputs[1]];
    const HoneRtTensor *y = &p->tensors[op->output];
    if (!hone_rt_window_is_absent(op) || op->weights != HONE_RT_NONE || op->bias != HONE_RT_NONE)
        return HONE_RT_ERR_OP;
    const HoneRtStatus status = check_add_scales(p, op);
    if (status != HONE_RT_OK)
        return status;
    return a->h == b->h && a->w == b->w && a->c == b->c && a->h == y->h && a->w == y->w &&
                   a->c == y->c
               ? HONE_RT_OK
               : HONE_RT_ERR_SHAPE;
}

static HoneRtStatus check_mean(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *x = &p->tensors[op->inputs[0]], *y = &p->tensors[op->output];
    if (!hone_rt_window_is_absent(op) || op->weights != HONE_RT_NONE || op->bias != HONE_RT_NONE)
        return HONE_RT_ERR_OP;
    if (y->h != 1 || y->w != 1 || y->c != x->c)
        return HONE_RT_ERR_SHAPE;
    if ((uint64_t)x->h * x->w * 255 > INT32_MAX)
        return HONE_RT_ERR_OVERFLOW;
    return hone_rt_check_words(p, op->requant, 1, HONE_RT_D31_MAX_SHIFT);
}

HoneRtStatus hone_rt_check_op(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtStatus status = check_common(p, op);
    if (status != HONE_RT_OK)
        return status;
    switch (op->kind) {
    case HONE_RT_OP_CONV:
        return check_conv(p, op);
    case HONE_RT_OP_DEPTHWISE:
        return check_depthwise(p, op);
    case HONE_RT_OP_DENSE:
        return check_dense(p, op);
    case HONE_RT_OP_ADD:
        return check_add(p, op);
    case HONE_RT_OP_MEAN:
        return check_mean(p, op);
    default:
        return hone_rt_check_layer(p, op);
    }
}
