/* A compilation of a graph: every tensor bound to memory, ready to be stepped.
 *
 *     Exec *x;
 *     ExecOptions o = {.mode = {.training = true}, .batch = 64, .compute = &compute};
 *     if (exec_new(&x, &graph, &params, &o, &e) != HONE_OK) ...
 *     memcpy(exec_tensor(x, image)->data, ...);
 *     exec_forward(x); exec_backward(x); exec_commit(x);     // a training step, before the optimizer
 *
 * exec_new decides everything: which nodes act in the mode, which tensors share memory, who
 * overwrites and who adds gradients; one arena, planned by lifetime over forward and backward, holds
 * activations, gradients, saved buffers and scratch. A step is loops over bound nodes: it allocates
 * nothing and compares no strings. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_EXEC_H
#define HONE_CORE_EXEC_H

#include "core/params.h"

typedef struct ExecOptions {
    Mode mode;
    int batch;
    const Compute *compute;   /* borrowed, outlives the exec */
    const Value *const *keep; /* values to be read after a step, besides the loss; keep_count */
    int keep_count;
    bool keep_all;               /* no memory is reused: for tests and comparisons */
    const IntegerLayer *integer; /* Mode.integer: by node index; borrowed */
} ExecOptions;

typedef struct Exec Exec;

/* What a node cost since exec_profile(x, true). */
typedef struct NodeCost {
    const Node *node;
    int64_t forward_ns, backward_ns, commit_ns;
} NodeCost;

/* graph and params are borrowed and must outlive the exec. */
HONE_CHECKED int exec_new(Exec **x, const Graph *graph, const Params *params,
                          const ExecOptions *options, Error *e);
void exec_free(Exec *x);

/* The tensor of a value in this compilation: inputs to be filled before exec_forward, kept values to
 * be read after it. NULL where the mode has none. The exec owns the memory. */
Tensor *exec_tensor(const Exec *x, const Value *v);
/* Where an input lies from now on, instead of in the exec's memory: saves copying a batch. The caller
 * keeps data, which nodes only read, until the step is over; a vector past its end may be read. Nothing
 * happens where no node reads the input. */
void exec_lend(Exec *x, const Value *input, void *data);
Control *exec_control(Exec *x);
/* What a loss counts for in the gradients from now on: 1 to begin with. Training only. */
void exec_weigh(Exec *x, const Value *loss, double weight);
size_t exec_arena_bytes(const Exec *x);

/* Computes every acting node, in order. */
void exec_forward(Exec *x);
/* Gradients of the loss, or of the losses' weighted sum: into Params.grad and the tensors. Training
 * only, after exec_forward. */
void exec_backward(Exec *x);
/* States move one step: running statistics, ranges. After exec_forward (calibration) or
 * exec_backward (training). */
void exec_commit(Exec *x);
/* Walks the nodes one by one: visit is called after each acting node's forward. */
typedef void (*ExecVisit)(void *context, const Run *r);
void exec_forward_visit(Exec *x, ExecVisit visit, void *context);
/* Runs forward again and returns the first node that makes a NaN or an infinity, or NULL. */
const Node *exec_find_nonfinite(Exec *x);

/* Acting nodes, in order. */
int exec_run_count(const Exec *x);
const Run *exec_run(const Exec *x, int i);
/* Starts (and zeroes) or stops timing of nodes; costs are in acting order. */
void exec_profile(Exec *x, bool on);
const NodeCost *exec_costs(const Exec *x);

#endif
