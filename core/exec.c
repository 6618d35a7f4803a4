/* Stepping a compiled graph: see exec.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/exec.h"

#include "core/clock.h"
#include "core/exec_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int exec_new(Exec **out, const Graph *graph, const Params *params, const ExecOptions *options,
             Error *e)
{
    *out = NULL;
    int status = graph_failed(graph, e);
    if (status != HONE_OK)
        return status;
    Exec *x = calloc(1, sizeof *x);
    if (!x)
        return error_memory(e, "a compilation", sizeof *x);
    x->graph = graph;
    x->params = params;
    x->compute = options->compute;
    x->mode = options->mode;
    status = exec_compile(x, options, e);
    if (status != HONE_OK) {
        exec_free(x);
        return status;
    }
    *out = x;
    return HONE_OK;
}

void exec_free(Exec *x)
{
    if (!x)
        return;
    free(x->root);
    free(x->tensors);
    free(x->runs);
    free(x->backward);
    free(x->costs);
    free(x->weights);
    free(x->arena);
    free(x);
}

Tensor *exec_tensor(const Exec *x, const Value *v)
{
    Tensor *t = &x->tensors[x->root[v->id]];
    return t->data ? t : NULL;
}

void exec_lend(Exec *x, const Value *v, void *data)
{
    assert(v->kind == VALUE_INPUT);
    Tensor *t = exec_tensor(x, v);
    if (t)
        t->data = data;
}

Control *exec_control(Exec *x)
{
    return &x->control;
}

void exec_weigh(Exec *x, const Value *loss, double weight)
{
    assert(x->mode.training && (loss->producer->op->flags & OP_LOSS));
    for (int i = 0; i < x->run_count; i++)
        if (x->runs[i].node == loss->producer)
            x->weights[i] = (Real)weight;
}

size_t exec_arena_bytes(const Exec *x)
{
    return x->arena_bytes;
}

static void forward_run(Exec *x, int i)
{
    const Run *r = &x->runs[i];
    int64_t start = x->profiling ? clock_ns() : 0;
    if (x->mode.integer)
        r->node->op->integer(r);
    else
        r->node->op->forward(r);
    if (x->profiling)
        x->costs[i].forward_ns += clock_ns() - start;
}

void exec_forward(Exec *x)
{
    for (int i = 0; i < x->run_count; i++)
        forward_run(x, i);
}

void exec_forward_visit(Exec *x, ExecVisit visit, void *context)
{
    for (int i = 0; i < x->run_count; i++) {
        forward_run(x, i);
        visit(context, &x->runs[i]);
    }
}

static void seed_losses(Exec *x)
{
    for (int i = 0; i < x->run_count; i++)
        if ((x->runs[i].node->op->flags & OP_LOSS) && x->runs[i].out[0]->grad)
            x->runs[i].out[0]->grad[0] = x->weights[i];
}

void exec_backward(Exec *x)
{
    assert(x->mode.training);
    seed_losses(x);
    for (int i = x->run_count - 1; i >= 0; i--) {
        if (!x->backward[i])
            continue;
        int64_t start = x->profiling ? clock_ns() : 0;
        x->runs[i].node->op->backward(&x->runs[i]);
        if (x->profiling)
            x->costs[i].backward_ns += clock_ns() - start;
    }
}

void exec_commit(Exec *x)
{
    for (int i = 0; i < x->run_count; i++) {
        if (!x->runs[i].node->op->commit)
            continue;
        int64_t start = x->profiling ? clock_ns() : 0;
        x->runs[i].node->op->commit(&x->runs[i]);
        if (x->profiling)
            x->costs[i].commit_ns += clock_ns() - start;
    }
}

static bool finite_tensor(const Tensor *t)
{
    if (t->elem != ELEM_REAL)
        return true;
    const Real *p = t->data;
    size_t n = shape_count(t->shape);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(p[i]))
            return false;
    return true;
}

/* The node that users know it by. */
static const Node *named(const Node *n)
{
    return n->cover_count > 0 ? n->covers[0] : n;
}

const Node *exec_find_nonfinite(Exec *x)
{
    for (int i = 0; i < x->run_count; i++) {
        const Run *r = &x->runs[i];
        for (int k = 0; k < r->node->inputs; k++)
            if (!finite_tensor(r->in[k]))
                return named(r->node); /* a parameter or an input was bad already */
        forward_run(x, i);
        for (int j = 0; j < r->node->outputs; j++)
            if (!finite_tensor(r->out[j]))
                return named(r->node);
    }
    return NULL;
}

int exec_run_count(const Exec *x)
{
    return x->run_count;
}

const Run *exec_run(const Exec *x, int i)
{
    return &x->runs[i];
}

void exec_profile(Exec *x, bool on)
{
    x->profiling = on;
    for (int i = 0; on && i < x->run_count; i++)
        x->costs[i].forward_ns = x->costs[i].backward_ns = x->costs[i].commit_ns = 0;
}

const NodeCost *exec_costs(const Exec *x)
{
    return x->costs;
}

#define SMALL_WORK 32768

typedef struct ChunkJob {
    const Run *run;
    RunFn fn;
    int items, chunks;
} ChunkJob;

static void run_chunk(void *context, int chunk, int worker)
{
    const ChunkJob *job = context;
    job->fn(job->run, chunk, run_chunk_begin(job->items, chunk),
            run_chunk_begin(job->items, chunk + 1), worker);
}

/* Whether a node's work is so little, some 10 us, that handing it to other threads would take longer
 * than doing it: microseconds, or milliseconds where the machine is busy. Work is counted in numbers
 * read or written; 16 multiply-accumulates take about as long as one. */
static bool is_small(const Run *r)
{
    const Node *n = r->node;
    const int64_t samples = n->inputs > 0 ? r->in[0]->shape.dim[0] : 1;
    int64_t work = n->op->macs ? n->op->macs(n) * samples / 16 : 0;
    for (int i = 0; i < n->inputs; i++)
        work += (int64_t)shape_count(r->in[i]->shape);
    for (int j = 0; j < n->outputs; j++)
        work += (int64_t)shape_count(r->out[j]->shape);
    return work < SMALL_WORK;
}

void run_chunks(const Run *r, int n, RunFn fn)
{
    ChunkJob job = {r, fn, n, run_chunk_count(n)};
    threads_run(is_small(r) ? NULL : r->compute->threads, job.chunks, run_chunk, &job);
}

void run_finished(const Run *r, int i, int chunk)
{
    if (r->listener[i])
        r->listener[i]->node->op->finished(r->listener[i], chunk);
}

int run_largest(const Tensor *t, int row)
{
    const int count = shape_channels(t->shape);
    const int8_t *code = (const int8_t *)t->data + (t->elem == ELEM_CODE ? row * count : 0);
    const Real *real = (const Real *)t->data + (t->elem == ELEM_CODE ? 0 : row * count);
    int top = 0;
    for (int k = 1; k < count; k++)
        if (t->elem == ELEM_CODE ? code[k] > code[top] : real[k] > real[top])
            top = k;
    return top;
}
