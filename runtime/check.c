/* Checks a program as a whole: header fields, tensors, the order of execution and the memory plan.
 *
 * Order and plan need no memory: a tensor's life begins at the one op that writes it (the input's
 * before the first) and ends at the last op that reads it (the output's after the last). Two lives
 * overlap exactly when one begins during the other, so it is enough to hold each op's output
 * against every tensor alive at that op: quadratic in the number of ops, which is limited.
 * SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

/* A float32 that is positive and finite, as bits. */
static int is_positive_float(uint32_t bits)
{
    return bits > 0 && bits < 0x7f800000u;
}

static int is_string(const HoneRtProgram *p, uint32_t offset)
{
    return offset == HONE_RT_NONE || offset < p->strings_bytes;
}

static int is_dim(uint32_t n)
{
    return n >= 1 && n <= HONE_RT_MAX_DIM;
}

static HoneRtStatus check_tensor(const HoneRtProgram *p, const HoneRtTensor *t)
{
    if (!is_dim(t->h) || !is_dim(t->w) || !is_dim(t->c))
        return HONE_RT_ERR_TENSOR;
    const uint64_t plane = (uint64_t)t->h * t->w; /* at most 2^48 */
    if (plane > HONE_RT_MAX_ELEMENTS || plane * t->c > HONE_RT_MAX_ELEMENTS)
        return HONE_RT_ERR_TENSOR;
    if (t->offset > p->activation_bytes || plane * t->c > p->activation_bytes - t->offset)
        return HONE_RT_ERR_TENSOR;
    if (!hone_rt_is_code(t->zero_point) || !is_positive_float(t->scale_bits) || t->reserved != 0 ||
        !is_string(p, t->name))
        return HONE_RT_ERR_TENSOR;
    return HONE_RT_OK;
}

static HoneRtStatus check_header(const HoneRtProgram *p)
{
    if (p->profile > HONE_RT_D31 || p->activation_bytes > HONE_RT_MAX_BYTES)
        return HONE_RT_ERR_HEADER;
    if (p->tensor_count < 1 || p->tensor_count > HONE_RT_MAX_COUNT || p->op_count < 1 ||
        p->op_count > HONE_RT_MAX_COUNT)
        return HONE_RT_ERR_HEADER;
    if (p->input >= p->tensor_count || p->output >= p->tensor_count)
        return HONE_RT_ERR_HEADER;
    if (p->strings_bytes > 0 && p->strings[p->strings_bytes - 1] != '\0')
        return HONE_RT_ERR_HEADER;
    return HONE_RT_OK;
}

static int reads(const HoneRtOp *op, uint32_t tensor)
{
    for (int i = 0; i < HONE_RT_MAX_INPUTS; i++)
        if (hone_rt_op_input(op, i) == tensor)
            return 1;
    return 0;
}

/* The op that writes the tensor, among the first n ops; n when none does. */
static uint32_t writer(const HoneRtProgram *p, uint32_t tensor, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && p->ops[i].output != tensor)
        i++;
    return i;
}

/* Every tensor an op reads is the input or was written; none is written twice. */
static HoneRtStatus check_order(const HoneRtProgram *p)
{
    for (uint32_t i = 0; i < p->op_count; i++) {
        const HoneRtOp *op = &p->ops[i];
        for (int k = 0; k < HONE_RT_MAX_INPUTS; k++) {
            const uint32_t t = hone_rt_op_input(op, k);
            if (t != HONE_RT_NONE && t != p->input && writer(p, t, i) == i)
                return HONE_RT_ERR_ORDER;
        }
        if (op->output == p->input || writer(p, op->output, i) != i)
            return HONE_RT_ERR_ORDER;
    }
    return writer(p, p->output, p->op_count) == p->op_count ? HONE_RT_ERR_ORDER : HONE_RT_OK;
}

static int overlap(const HoneRtTensor *a, const HoneRtTensor *b)
{
    return a->offset < b->offset + hone_rt_elements(b) &&
           b->offset < a->offset + hone_rt_elements(a);
}

/* Such an op may put its result in the place of an operand that it is the last to read. */
static int in_place(const HoneRtProgram *p, const HoneRtOp *op, uint32_t tensor)
{
    const HoneRtTensor *x = &p->tensors[tensor], *y = &p->tensors[op->output];
    return hone_rt_op_in_place(op) && reads(op, tensor) && y->offset == x->offset &&
           hone_rt_elements(y) == hone_rt_elements(x);
}

/* No op from `begin` on writes over the tensor while it lives. */
static HoneRtStatus check_life(const HoneRtProgram *p, uint32_t tensor, uint32_t begin)
{
    uint32_t end = p->op_count; /* one past the last reader */
    while (tensor != p->output && end > begin && !reads(&p->ops[end - 1], tensor))
        end--;
    for (uint32_t i = begin; i < end; i++) {
        const HoneRtOp *op = &p->ops[i];
        const int last = i + 1 == end && tensor != p->output;
        if (overlap(&p->tensors[tensor], &p->tensors[op->output]) &&
            !(last && in_place(p, op, tensor)))
            return HONE_RT_ERR_OVERLAP;
    }
    return HONE_RT_OK;
}

static HoneRtStatus check_plan(const HoneRtProgram *p)
{
    HoneRtStatus status = check_life(p, p->input, 0);
    for (uint32_t i = 0; i < p->op_count && status == HONE_RT_OK; i++)
        status = check_life(p, p->ops[i].output, i + 1);
    return status;
}

HoneRtStatus hone_rt_check_program(const HoneRtProgram *p)
{
    HoneRtStatus status = check_header(p);
    for (uint32_t i = 0; i < p->tensor_count && status == HONE_RT_OK; i++)
        status = check_tensor(p, &p->tensors[i]);
    if (status == HONE_RT_OK && p->class_count != 0 &&
        p->class_count != hone_rt_elements(&p->tensors[p->output]))
        status = HONE_RT_ERR_HEADER;
    for (uint32_t i = 0; i < p->op_count && status == HONE_RT_OK; i++)
        status = is_string(p, p->ops[i].name) ? hone_rt_check_op(p, &p->ops[i]) : HONE_RT_ERR_OP;
    if (status == HONE_RT_OK)
        status = check_order(p);
    if (status == HONE_RT_OK)
        status = check_plan(p);
    return status;
}
