/* Checks one op of the kinds from MUL on, as check_op.c does for the others.
 * SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#define SOFTMAX_SCALE      0x3b800000u /* 1/256 */
#define SOFTMAX_ZERO_POINT (-128)

/* ---- what several kinds ask ---- */

static int same_shape(const HoneRtTensor *a, const HoneRtTensor *b)
{
    return a->h == b->h && a->w == b->w && a->c == b->c;
}

static int same_grid(const HoneRtTensor *a, const HoneRtTensor *b)
{
    return a->zero_point == b->zero_point && a->scale_bits == b->scale_bits;
}

/* No weights, bias, multipliers or groups, and no clamp: the op makes no codes of its own. */
static int is_bare(const HoneRtOp *op)
{
    return op->weights == HONE_RT_NONE && op->bias == HONE_RT_NONE && op->requant == HONE_RT_NONE &&
           op->multiplier == 0 && op->groups == 0 && op->lo == -128 && op->hi == 127;
}

/* Kernel and dilation. */
static int is_without_kernel(const HoneRtOp *op)
{
    return op->kernel_h == 0 && op->kernel_w == 0 && op->dilation_h == 0 && op->dilation_w == 0;
}

static int is_without_pads(const HoneRtOp *op)
{
    return op->pad_top == 0 && op->pad_left == 0 && op->pad_bottom == 0 && op->pad_right == 0;
}

/* ---- kinds ---- */

static HoneRtStatus check_mul(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *a = &p->tensors[op->inputs[0]], *b = &p->tensors[op->inputs[1]];
    const HoneRtTensor *y = &p->tensors[op->output];
    if (!hone_rt_window_is_absent(op) || op->weights != HONE_RT_NONE || op->bias != HONE_RT_NONE)
        return HONE_RT_ERR_OP;
    if (!same_shape(a, y) || (!same_shape(b, y) && !(b->h == 1 && b->w == 1 && b->c == y->c)))
        return HONE_RT_ERR_SHAPE;
    return hone_rt_check_words(p, op->requant, 1, HONE_RT_D31_MAX_SHIFT);
}

static HoneRtStatus check_pool(const HoneRtOp *op, const HoneRtTensor *x, const HoneRtTensor *y)
{
    if (!is_bare(op) || op->dilation_h != 1 || op->dilation_w != 1 || !same_grid(x, y))
        return HONE_RT_ERR_OP;
    return x->c == y->c ? hone_rt_check_window(op, x, y) : HONE_RT_ERR_SHAPE;
}

static HoneRtStatus check_table(const HoneRtProgram *p, const HoneRtOp *op)
{
    if (!hone_rt_window_is_absent(op) || op->bias != HONE_RT_NONE || op->requant != HONE_RT_NONE ||
        op->lo != -128 || op->hi != 127)
        return HONE_RT_ERR_OP;
    if (!same_shape(&p->tensors[op->inputs[0]], &p->tensors[op->output]))
        return HONE_RT_ERR_SHAPE;
    return hone_rt_has_constant(p, op->weights, HONE_RT_TABLE) ? HONE_RT_OK : HONE_RT_ERR_CONSTANT;
}

/* The inputs of a CONCAT; 0 where one follows an absent one. */
static int count_inputs(const HoneRtOp *op)
{
    int inputs = 0;
    while (inputs < HONE_RT_MAX_INPUTS && hone_rt_op_input(op, inputs) != HONE_RT_NONE)
        inputs++;
    for (int i = inputs; i < HONE_RT_MAX_INPUTS; i++)
        if (hone_rt_op_input(op, i) != HONE_RT_NONE)
            return 0;
    return inputs;
}

static HoneRtStatus check_concat(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *y = &p->tensors[op->output];
    const int inputs = count_inputs(op);
    uint64_t channels = 0;
    if (!hone_rt_window_is_absent(op) || !is_bare(op) || (op->reserved[3] | op->reserved[4]) != 0 ||
        inputs == 0)
        return HONE_RT_ERR_OP;
    for (int i = 0; i < inputs; i++) {
        const uint32_t id = hone_rt_op_input(op, i);
        if (id >= p->tensor_count || !same_grid(&p->tensors[id], y))
            return HONE_RT_ERR_OP;
        if (p->tensors[id].h != y->h || p->tensors[id].w != y->w)
            return HONE_RT_ERR_SHAPE;
        channels += p->tensors[id].c;
    }
    return channels == y->c ? HONE_RT_OK : HONE_RT_ERR_SHAPE;
}

static HoneRtStatus check_pad(const HoneRtOp *op, const HoneRtTensor *x, const HoneRtTensor *y)
{
    if (!is_bare(op) || !is_without_kernel(op) || op->stride_h != 0 || op->stride_w != 0 ||
        !same_grid(x, y))
        return HONE_RT_ERR_OP;
    return y->h == x->h + op->pad_top + op->pad_bottom &&
                   y->w == x->w + op->pad_left + op->pad_right && y->c == x->c
               ? HONE_RT_OK
               : HONE_RT_ERR_SHAPE;
}

static HoneRtStatus check_upsample(const HoneRtOp *op, const HoneRtTensor *x, const HoneRtTensor *y)
{
    if (!is_bare(op) || !is_without_kernel(op) || !is_without_pads(op) || op->stride_h < 1 ||
        op->stride_w < 1 || op->stride_h > HONE_RT_MAX_WINDOW ||
        op->stride_w > HONE_RT_MAX_WINDOW || !same_grid(x, y))
        return HONE_RT_ERR_OP;
    return y->h == x->h * op->stride_h && y->w == x->w * op->stride_w && y->c == x->c
               ? HONE_RT_OK
               : HONE_RT_ERR_SHAPE;
}

/* The exponentials fall from one that keeps every sum within its type. */
static HoneRtStatus check_exponentials(const HoneRtProgram *p, uint32_t offset, uint32_t n)
{
    if (!hone_rt_has_constant(p, offset, HONE_RT_TABLE * sizeof(uint32_t)))
        return HONE_RT_ERR_CONSTANT;
    const uint32_t *e = hone_rt_constant(p, offset);
    if (e[0] < 1)
        return HONE_RT_ERR_CONSTANT;
    for (int i = 1; i < HONE_RT_TABLE; i++)
        if (e[i] > e[i - 1])
            return HONE_RT_ERR_CONSTANT;
    return e[0] <= 1u << HONE_RT_SOFTMAX_BITS &&
                   (uint64_t)n * e[0] <= (uint64_t)1 << HONE_RT_SOFTMAX_SUM_BITS
               ? HONE_RT_OK
               : HONE_RT_ERR_OVERFLOW;
}

static HoneRtStatus check_softmax(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *x = &p->tensors[op->inputs[0]], *y = &p->tensors[op->output];
    if (!hone_rt_window_is_absent(op) || op->weights != HONE_RT_NONE || op->bias != HONE_RT_NONE ||
        op->lo != -128 || op->hi != 127 || y->scale_bits != SOFTMAX_SCALE ||
        y->zero_point != SOFTMAX_ZERO_POINT)
        return HONE_RT_ERR_OP;
    return same_shape(x, y) ? check_exponentials(p, op->requant, y->c) : HONE_RT_ERR_SHAPE;
}

static HoneRtStatus check_reshape(const HoneRtOp *op, const HoneRtTensor *x, const HoneRtTensor *y)
{
    if (!hone_rt_window_is_absent(op) || !is_bare(op) || !same_grid(x, y))
        return HONE_RT_ERR_OP;
    return hone_rt_elements(x) == hone_rt_elements(y) ? HONE_RT_OK : HONE_RT_ERR_SHAPE;
}

HoneRtStatus hone_rt_check_layer(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *x = &p->tensors[op->inputs[0]], *y = &p->tensors[op->output];
    switch (op->kind) {
    case HONE_RT_OP_MUL:
        return check_mul(p, op);
    case HONE_RT_OP_MAXPOOL:
    case HONE_RT_OP_AVGPOOL:
        return check_pool(op, x, y);
    case HONE_RT_OP_TABLE:
        return check_table(p, op);
    case HONE_RT_OP_CONCAT:
        return check_concat(p, op);
    case HONE_RT_OP_PAD:
        return check_pad(op, x, y);
    case HONE_RT_OP_UPSAMPLE:
        return check_upsample(op, x, y);
    case HONE_RT_OP_SOFTMAX:
        return check_softmax(p, op);
    case HONE_RT_OP_RESHAPE:
        return check_reshape(op, x, y);
    default:
        return HONE_RT_ERR_OP;
    }
}
