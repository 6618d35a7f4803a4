/* What a node has to do at least, from the compiled graph: what its time is held against.
 *
 *     Work w = work_of(exec, i);
 *     const char *limit;
 *     double ms = work_least_ms(&w.backward, &ceilings, &limit);    // "int8", "memory", ...
 *
 * Multiply-accumulates are the op's (Op.macs), those of all samples; backward makes one such product
 * for the gradient of the weights and one for that of the input, where they are wanted. What a node
 * computes a second time instead of keeping it is not counted.
 *
 * Bytes are those of each tensor once, however often the node sweeps over it, as it is stored: a code
 * is 1, a real number 4 (8 in the double build), a bit of a mask 1/8.
 *
 *     forward    read: inputs              written: outputs, what is saved for backward
 *     backward   read: the inputs and outputs of Op.reads, what was saved, gradients of outputs
 *                written: wanted gradients of inputs; where they are added to, they are read, too
 *
 * Grids of codes, scratch and what waits for commit are left out; so is a copy in place (OP_COPY).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_WORK_H
#define HONE_CORE_WORK_H

#include "core/exec.h"
#include "core/peak.h"

typedef struct WorkPart {
    int64_t macs, bytes;
    Arithmetic arithmetic; /* of the products, where there are any */
} WorkPart;

typedef struct Work {
    WorkPart forward, backward;
} Work;

/* Of acting node i; a step's worth. */
Work work_of(const Exec *x, int i);

/* The time that the slower of two ceilings allows, 2 macs at the arithmetic's or bytes at memory's;
 * *limit (may be NULL) says which: the arithmetic's name or "memory". A ceiling that is unknown
 * limits nothing. */
double work_least_ms(const WorkPart *w, const Ceilings *c, const char **limit);

#endif
