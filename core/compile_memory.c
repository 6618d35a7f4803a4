/* The memory of a compilation: how long each buffer lives, how large it is, where it lies.
 *
 * Time is counted in ticks: run i of n goes forward at tick i and backward at tick 2n - 1 - i.
 *
 *     tick      0    1   ...  n-1 |  n   ...  2n-2  2n-1
 *     forward   0    1   ...  n-1 |
 *     backward                    | n-1  ...   1     0
 *
 * A tensor lives from the tick that makes it to the last that reads it; a gradient from its first
 * writer (the last consumer) to its producer's backward; a saved buffer between its node's two
 * ticks, a kept one to the end. In-place nodes merge buffers before the plan.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/compiler.h"

#include "core/memory.h"

#include <limits.h>

#define ALIGN   ((size_t)64)
#define FOREVER INT_MAX

/* ---- buffers ---- */

/* In this order: data and gradient of each value, saved and kept of each run, two of scratch. */
int compile_buffers(const Graph *g)
{
    return 2 * g->value_count + 2 * g->node_count + 2;
}

static int values(const Compiler *c)
{
    return c->x->graph->value_count;
}

static int data_buffer(const Compiler *c, int root)
{
    (void)c;
    return root;
}

static int grad_buffer(const Compiler *c, int root)
{
    return values(c) + root;
}

static int saved_buffer(const Compiler *c, int run)
{
    return 2 * values(c) + run;
}

static int kept_buffer(const Compiler *c, int run)
{
    return 2 * values(c) + c->x->graph->node_count + run;
}

static int backward_tick(const Compiler *c, int run)
{
    return 2 * c->x->run_count - 1 - run;
}

/* ---- lifetimes ---- */

static void touch(Compiler *c, int buffer, int tick)
{
    PlanBuffer *b = &c->buffers[buffer];
    b->begin = tick < b->begin ? tick : b->begin;
    b->end = tick > b->end ? tick : b->end;
}

static void touch_data(Compiler *c, const Value *v, int tick)
{
    int root = compile_root(c->x, v);
    touch(c, data_buffer(c, root), tick);
    const Value *r = c->x->graph->values[root];
    if (c->x->tensors[root].elem == ELEM_CODE && !c->x->mode.integer) {
        touch(c, data_buffer(c, compile_root(c->x, r->scale)), tick);
        if (r->zero_point)
            touch(c, data_buffer(c, compile_root(c->x, r->zero_point)), tick);
    }
}

static void touch_run(Compiler *c, int i)
{
    const Exec *x = c->x;
    const Run *r = &x->runs[i];
    const Node *n = r->node;
    int back = backward_tick(c, i);
    for (int k = 0; k < n->inputs; k++) {
        touch_data(c, n->in[k], i);
        if (x->backward[i] && (n->op->reads & OP_IN(k)))
            touch_data(c, n->in[k], back);
        if (r->want[k])
            touch(c, grad_buffer(c, compile_root(x, n->in[k])), back);
    }
    for (int j = 0; j < n->outputs; j++) {
        touch_data(c, n->out[j], i);
        if (x->backward[i] && (n->op->reads & OP_OUT(j)))
            touch_data(c, n->out[j], back);
        if (x->backward[i])
            touch(c, grad_buffer(c, compile_root(x, n->out[j])), back);
    }
    touch(c, kept_buffer(c, i), i);
    touch(c, kept_buffer(c, i), FOREVER);
    touch(c, saved_buffer(c, i), i);
    if (x->backward[i])
        touch(c, saved_buffer(c, i), back);
}

static void find_lifetimes(Compiler *c)
{
    const Exec *x = c->x;
    for (int b = 0; b < c->buffer_count; b++) {
        c->alias[b] = b;
        c->buffers[b].begin = FOREVER;
        c->buffers[b].end = -1;
    }
    for (int i = 0; i < x->run_count; i++) {
        touch_run(c, i);
        if (x->runs[i].node->op->flags & OP_LOSS) {
            touch_data(c, x->runs[i].node->out[0], FOREVER);
            touch(c, grad_buffer(c, compile_root(x, x->runs[i].node->out[0])), x->run_count);
        }
    }
    for (int id = 0; id < values(c); id++)
        if (x->graph->values[id]->kind == VALUE_INPUT)
            touch_data(c, x->graph->values[id], -1);
    for (int k = 0; k < c->options->keep_count; k++)
        touch_data(c, c->options->keep[k], FOREVER);
    if (c->options->keep_all)
        for (int b = 0; b < c->buffer_count; b++)
            if (c->buffers[b].end >= 0)
                touch(c, b, FOREVER);
}

/* ---- sizes and in-place nodes ---- */

static size_t elem_bytes(Elem elem)
{
    return elem == ELEM_CODE ? sizeof(int8_t) : elem == ELEM_INT32 ? sizeof(int32_t) : sizeof(Real);
}

static int size_buffers(Compiler *c, Needs *scratch, Error *e)
{
    Exec *x = c->x;
    for (int id = 0; id < values(c); id++) {
        const Value *v = x->graph->values[id];
        const Tensor *t = &x->tensors[id];
        if (v->param || compile_root(x, v) != id)
            continue;
        size_t count = shape_count(t->shape);
        if (count > (size_t)INT_MAX)
            return error_set(e, HONE_ERR_SHAPE, "'%s' has %zu elements at batch %d; at most %d fit",
                             v->name, count, c->options->batch, INT_MAX);
        c->buffers[data_buffer(c, id)].bytes = count * elem_bytes(t->elem);
        if (c->reached[id])
            c->buffers[grad_buffer(c, id)].bytes = count * sizeof(Real);
    }
    for (int i = 0; i < x->run_count; i++) {
        const Op *op = x->runs[i].node->op;
        Needs n = {0};
        if (op->needs)
            op->needs(&x->runs[i], &n);
        c->buffers[saved_buffer(c, i)].bytes = n.saved;
        c->buffers[kept_buffer(c, i)].bytes = n.kept;
        scratch->shared = n.shared > scratch->shared ? n.shared : scratch->shared;
        scratch->worker = n.worker > scratch->worker ? n.worker : scratch->worker;
    }
    scratch->worker = (scratch->worker + ALIGN - 1) / ALIGN * ALIGN;
    return HONE_OK;
}

static int resolve(const Compiler *c, int buffer)
{
    while (c->alias[buffer] != buffer)
        buffer = c->alias[buffer];
    return buffer;
}

static void merge(Compiler *c, int into, int from)
{
    into = resolve(c, into);
    from = resolve(c, from);
    if (into == from)
        return;
    touch(c, into, c->buffers[from].begin);
    touch(c, into, c->buffers[from].end);
    if (c->buffers[from].bytes > c->buffers[into].bytes)
        c->buffers[into].bytes = c->buffers[from].bytes;
    c->buffers[from].bytes = 0;
    c->alias[from] = into;
}

/* One number out for each that goes in. */
static bool maps_each(const Run *r)
{
    return r->node->inputs > 0 && r->node->outputs > 0 &&
           shape_count(r->in[0]->shape) == shape_count(r->out[0]->shape);
}

/* The gradient of a parameter is written where it belongs: that of out lies there from the start. */
static void lend_gradient(Compiler *c, const Run *r, int in, int out)
{
    if (c->x->graph->values[in]->kind != VALUE_PARAM || !(r->node->op->flags & OP_INPLACE_GRAD) ||
        !r->want[0] || r->accumulate[0])
        return;
    c->x->tensors[out].grad = c->x->tensors[in].grad;
    c->buffers[grad_buffer(c, out)].bytes = 0;
}

/* Whether until a tick nobody but run i writes to the gradient of a value, its maker in place included. */
static bool rests(const Compiler *c, int i, int root, int until)
{
    const Exec *x = c->x;
    for (int j = 0; j < x->run_count; j++) {
        const Run *r = &x->runs[j];
        bool writes = r->node->outputs > 0 && (r->node->op->flags & OP_INPLACE_GRAD) &&
                      compile_root(x, r->node->out[0]) == root;
        for (int k = 0; k < r->node->inputs; k++)
            writes = writes || (r->want[k] && compile_root(x, r->node->in[k]) == root);
        if (writes && j != i && backward_tick(c, j) <= until)
            return false;
    }
    return true;
}

/* Run i gives a and b the same gradient: one buffer does where nothing is added to it, nor written
 * over it, before the maker of one of them has read it. */
static void merge_same(Compiler *c, int i, int a, int b)
{
    Value *const *v = c->x->graph->values;
    const Run *r = &c->x->runs[i];
    if (v[a]->kind != VALUE_ACTIVATION || v[b]->kind != VALUE_ACTIVATION || !r->want[0] ||
        !r->want[1] || r->accumulate[0] || r->accumulate[1])
        return;
    const int end_a = c->buffers[grad_buffer(c, a)].end, end_b = c->buffers[grad_buffer(c, b)].end;
    const int until = end_a < end_b ? end_a : end_b;
    if (rests(c, i, a, until) && rests(c, i, b, until))
        merge(c, grad_buffer(c, a), grad_buffer(c, b));
}

static void merge_inplace(Compiler *c)
{
    const Exec *x = c->x;
    for (int i = 0; i < x->run_count && !c->options->keep_all; i++) {
        const Run *r = &x->runs[i];
        const Node *n = r->node;
        if (!maps_each(r))
            continue;
        int in = compile_root(x, n->in[0]), out = compile_root(x, n->out[0]);
        lend_gradient(c, r, in, out);
        if (x->graph->values[in]->kind != VALUE_ACTIVATION)
            continue;
        int from = resolve(c, data_buffer(c, in));
        if ((n->op->flags & OP_INPLACE_DATA) && r->in[0]->elem == r->out[0]->elem &&
            c->buffers[from].end == i)
            merge(c, from, data_buffer(c, out));
        if ((n->op->flags & OP_INPLACE_GRAD) && r->want[0] && !r->accumulate[0])
            merge(c, grad_buffer(c, out), grad_buffer(c, in));
        if (n->op->flags & OP_SAME_GRADS)
            merge_same(c, i, in, compile_root(x, n->in[1]));
    }
}

/* ---- memory ---- */

static void bind(Compiler *c, Needs scratch, int scratch_buffer)
{
    Exec *x = c->x;
    unsigned char *base = x->arena;
    for (int id = 0; id < values(c); id++) {
        Tensor *t = &x->tensors[id];
        if (x->graph->values[id]->param || x->root[id] != id)
            continue;
        const PlanBuffer *data = &c->buffers[resolve(c, data_buffer(c, id))];
        if (data->end >= 0)
            t->data = base + data->offset;
        if (c->reached[id] && !t->grad)
            t->grad = (Real *)(void *)(base + c->buffers[resolve(c, grad_buffer(c, id))].offset);
    }
    for (int i = 0; i < x->run_count; i++) {
        Run *r = &x->runs[i];
        r->saved = base + c->buffers[saved_buffer(c, i)].offset;
        r->kept = base + c->buffers[kept_buffer(c, i)].offset;
        r->shared = base + c->buffers[scratch_buffer].offset;
        r->worker = base + c->buffers[scratch_buffer + 1].offset;
        r->worker_bytes = scratch.worker;
    }
}

int compile_memory(Compiler *c, Error *e)
{
    Exec *x = c->x;
    Needs scratch = {0};
    find_lifetimes(c);
    int status = size_buffers(c, &scratch, e);
    if (status != HONE_OK)
        return status;
    merge_inplace(c);
    int last = c->buffer_count - 2;
    size_t workers = (size_t)threads_count(x->compute->threads);
    c->buffers[last] = (PlanBuffer){.bytes = scratch.shared, .begin = 0, .end = FOREVER};
    c->buffers[last + 1] = (PlanBuffer){.bytes = scratch.worker * workers, .end = FOREVER};
    for (int b = 0; b < last; b++)
        if (c->buffers[b].end < 0) /* nobody touches it */
            c->buffers[b].bytes = 0;
    status = plan_solve(c->buffers, c->buffer_count, ALIGN, &x->arena_bytes, e);
    if (status != HONE_OK)
        return status;
    x->arena_bytes += ALIGN; /* kernels may load a whole vector at the end of a tensor */
    x->arena = memory_new(x->arena_bytes); /* pages are touched here, not in the first step */
    if (!x->arena)
        return error_memory(e, "the memory plan of a step", x->arena_bytes);
    bind(c, scratch, last);
    return HONE_OK;
}
