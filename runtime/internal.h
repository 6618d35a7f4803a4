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
