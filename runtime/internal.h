/* What the files of the runtime share and nobody else needs. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_INTERNAL_H
#define HONE_RUNTIME_INTERNAL_H

#include "runtime.h"

/* Checks a whole program (check.c): header fields, tensors, each op, order, overlaps. After OK the
 * rest of the runtime trusts every field. */
HoneRtStatus hone_rt_check_program(const HoneRtProgram *p);

/* Checks one op on its own (check_op.c), its tensors being valid: kind, fields, shapes, constants.
 * */
HoneRtStatus hone_rt_check_op(const HoneRtProgram *p, const HoneRtOp *op);
/* The part of it for the kinds from MUL on (check_layers.c). */
HoneRtStatus hone_rt_check_layer(const HoneRtProgram *p, const HoneRtOp *op);
/* Parts of both (check_parts.c): whether all fields of windows are 0; whether they fit the shapes;
 * whether n constants are multipliers, of D31 with shifts of at most `most`. */
int hone_rt_window_is_absent(const HoneRtOp *op);
HoneRtStatus hone_rt_check_window(const HoneRtOp *op, const HoneRtTensor *x, const HoneRtTensor *y);
HoneRtStatus hone_rt_check_words(const HoneRtProgram *p, uint32_t offset, uint32_t n, int32_t most);

/* Rows [begin, end) of an op of a kind from MUL on (run_layers.c). */
void hone_rt_run_layer(const HoneRtModel *model, const HoneRtOp *op, int begin, int end);

/* The codes of a tensor of a prepared model. */
static inline int8_t *hone_rt_codes(const HoneRtModel *model, uint32_t tensor)
{
    return (int8_t *)(model->activations + model->program.tensors[tensor].offset);
}

/* True when [offset, offset + bytes) lies in the constants and offset is a multiple of
 * HONE_RT_ALIGN. */
static inline int hone_rt_has_constant(const HoneRtProgram *p, uint32_t offset, uint64_t bytes)
{
    return offset % HONE_RT_ALIGN == 0 && offset <= p->constants_bytes &&
           bytes <= p->constants_bytes - offset;
}

/* The int32 or uint32 constants at an offset; the constants are aligned for them. */
static inline const void *hone_rt_constant(const HoneRtProgram *p, uint32_t offset)
{
    return p->constants + offset;
}

/* The shifts that follow n multipliers of profile D31; NULL in S24. */
static inline const int32_t *hone_rt_shifts(const HoneRtProgram *p, uint32_t offset, uint32_t n)
{
    return p->profile == HONE_RT_D31 ? (const int32_t *)hone_rt_constant(p, offset) + n : NULL;
}

#endif
