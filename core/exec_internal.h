/* What compiling (compile.c, compile_memory.c) makes and stepping (exec.c) uses. Private to core.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_EXEC_INTERNAL_H
#define HONE_CORE_EXEC_INTERNAL_H

#include "core/exec.h"

struct Exec {
    const Graph *graph;
    const Params *params;
    const Compute *compute;
    Mode mode;
    Control control;
    int *root;       /* by value id: the value whose tensor it shares, itself where none */
    Tensor *tensors; /* by value id; only roots are used */
    Run *runs;       /* acting nodes */
    bool *backward;  /* by run: has a backward to do */
    NodeCost *costs; /* by run */
    Real *weights;   /* by run: of a loss in the gradients */
    int run_count;
    bool profiling;
    unsigned char *arena;
    size_t arena_bytes;
};

/* Fills everything but the header fields (graph, params, compute, mode), which are set. */
HONE_CHECKED int exec_compile(Exec *x, const ExecOptions *options, Error *e);

#endif
