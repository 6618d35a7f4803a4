/* What the two halves of a compilation share: compile.c says what acts and what it is,
 * compile_memory.c where it lies. Private to core. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_COMPILE_INTERNAL_H
#define HONE_CORE_COMPILE_INTERNAL_H

#include "core/exec_internal.h"
#include "core/plan.h"

typedef struct Compiler {
    Exec *x;
    const ExecOptions *options;
    PlanBuffer *buffers; /* in the order that compile_memory.c gives them */
    int *alias;          /* by buffer: the buffer it lies in, itself where none */
    int buffer_count;
    bool *flows;   /* by root: a parameter lies before it */
    bool *reached; /* by root: a gradient arrives */
    bool *covered; /* by node: a fused node acts for it */
} Compiler;

static inline int compile_root(const Exec *x, const Value *v)
{
    return x->root[v->id];
}

/* How many buffers a compilation of g has. */
int compile_buffers(const Graph *g);

/* Finds the lifetimes of all buffers, plans and allocates the arena and binds tensors and runs to
 * it. */
HONE_CHECKED int compile_memory(Compiler *c, Error *e);

#endif
