/* Compiling a graph for a mode: which nodes act, what each tensor is, which gradients are wanted,
 * and where everything lies in memory.
 *
 * Time is counted in ticks: run i of n goes forward at tick i and backward at tick 2n - 1 - i.
 *
 *     tick      0    1   ...  n-1 |  n   ...  2n-2  2n-1
 *     forward   0    1   ...  n-1 |
 *     backward                    | n-1  ...   1     0
 *
 * A tensor lives from the tick that makes it to the last that reads it; a gradient from its first
 * writer (the last consumer) to its producer's backward; a saved buffer between its node's two
 * ticks, a kept one to the end. In-place nodes merge buffers before the plan. SPDX-License-Identifier: Apache-2.0 */
#include "core/exec_internal.h"

#include "core/memory.h"
#include "core/plan.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN   ((size_t)64)
#define FOREVER INT_MAX

/* Buffers, in this order: data and gradient of each value, saved and kept of each run, two of
 * scratch. */
typedef struct Compiler {
    Exec *x;
    const ExecOptions *options;
    PlanBuffer *buffers;
    int *alias; /* by buffer: the buffer it lies in, itself where none */
    int buffer_count;
    bool *flows;   /* by root: a parameter lies before it */
    bool *reached; /* by root: a gradient arrives */
    bool *covered; /* by node: a fused node acts for it */
} Compiler;

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

static int root_of(const Exec *x, const Value *v)
{
    return x->root[v->id];
}

/* ---- which nodes act ---- */

static bool acts(const Op *op, Mode mode)
{
    if (op->flags & OP_FUSED)
        return mode.fuse && mode.quantize && mode.training;
    if (mode.integer)
        return op->integer != NULL;
    if (op->flags & OP_TRAINING)
        return mode.training;
    if (op->flags & (OP_QUANTIZER | OP_GRID))
        return mode.quantize;
    if (op->flags & OP_OBSERVER)
        return (mode.quantize && mode.training) || mode.observe;
    return true;
}

/* A node that does not act, but whose output stands for its input. */
static bool transparent(const Node *n, Mode mode)
{
    if (n->outputs == 0 || n->op->flags & (OP_GRID | OP_LOSS | OP_FUSED))
        return false;
    if (mode.integer && !n->in[0]->batched)
        return false;
    return n->in[0]->batched == n->out[0]->batched &&
           shape_equal(n->in[0]->shape, n->out[0]->shape);
}

static bool made_by_fused(const Node *fused, const Value *v)
{
    for (int j = 0; j < fused->outputs; j++)
        if (fused->stands_for[j] == v)
            return true;
    return false;
}

/* A value that is kept must be made: where it is inside of a fused node, the simple nodes act. */
static bool keeps_inside(const Compiler *c, const Node *fused)
{
    for (int k = 0; k < c->options->keep_count; k++)
        for (int i = 0; i < fused->cover_count; i++)
            if (c->options->keep[k]->producer == fused->covers[i] &&
                !made_by_fused(fused, c->options->keep[k]))
                return true;
    return false;
}

/* Marks what fused nodes cover; those that cannot act cover nothing. */
static void find_covered(Compiler *c)
{
    const Exec *x = c->x;
    for (int i = 0; i < x->graph->node_count; i++) {
        const Node *n = x->graph->nodes[i];
        if (!(n->op->flags & OP_FUSED))
            continue;
        c->covered[i] = !acts(n->op, x->mode) || keeps_inside(c, n);
        for (int k = 0; k < n->cover_count && !c->covered[i]; k++)
            c->covered[n->covers[k]->index] = true;
    }
}

/* A transparent node's output is its input; the scale that it would have made is the input's. */
static void stand_for(Exec *x, const Node *n)
{
    const Value *in = n->in[0];
    x->root[n->out[0]->id] = root_of(x, in);
    if ((n->op->flags & OP_TRAINING) && n->outputs > 1 && in->scale)
        x->root[n->out[1]->id] = root_of(x, in->scale);
}

static void choose_runs(Compiler *c)
{
    Exec *x = c->x;
    find_covered(c);
    for (int v = 0; v < values(c); v++)
        x->root[v] = v;
    for (int i = 0; i < x->graph->node_count; i++) {
        const Node *n = x->graph->nodes[i];
        if (c->covered[i])
            continue;
        if (acts(n->op, x->mode))
            x->runs[x->run_count++].node = n;
        else if (transparent(n, x->mode))
            stand_for(x, n);
        for (int j = 0; j < n->outputs && n->op->flags & OP_FUSED; j++)
            x->root[n->stands_for[j]->id] = n->out[j]->id;
    }
}

/* ---- what each tensor is ---- */

static Elem elem_of(const Exec *x, const Value *v)
{
    if (x->mode.integer)
        return v->batched && v->elem == ELEM_REAL ? ELEM_CODE : v->elem;
    return x->mode.quantize && v->scale ? ELEM_CODE : v->elem;
}

static size_t elem_bytes(Elem elem)
{
    return elem == ELEM_CODE ? sizeof(int8_t) : elem == ELEM_INT32 ? sizeof(int32_t) : sizeof(Real);
}

static void describe_tensors(Compiler *c)
{
    Exec *x = c->x;
    for (int id = 0; id < values(c); id++) {
        const Value *v = x->graph->values[id];
        Tensor *t = &x->tensors[id];
        if (root_of(x, v) != id)
            continue;
        t->shape = v->shape;
        if (v->batched)
            t->shape.dim[0] *= c->options->batch;
        t->elem = elem_of(x, v);
        if (t->elem == ELEM_CODE && !x->mode.integer) {
            t->scale = &x->tensors[root_of(x, v->scale)];
            t->zero_point = v->zero_point ? &x->tensors[root_of(x, v->zero_point)] : NULL;
        }
        if (v->param) {
            t->data = params_at(x->params, v->param);
            t->grad = v->kind == VALUE_PARAM ? x->params->grad + v->param->offset : NULL;
        }
    }
    for (int i = 0; i < x->run_count; i++) {
        Run *r = &x->runs[i];
        assert(r->node);
        for (int k = 0; k < r->node->inputs; k++)
            r->in[k] = &x->tensors[root_of(x, r->node->in[k])];
        for (int j = 0; j < r->node->outputs; j++)
            r->out[j] = &x->tensors[root_of(x, r->node->out[j])];
        r->compute = x->compute;
        r->mode = &x->mode;
        r->control = &x->control;
        r->integer = c->options->integer ? &c->options->integer[r->node->index] : NULL;
        x->costs[i].node = r->node;
    }
}

/* ---- who gets a gradient ---- */

static void find_flows(Compiler *c)
{
    const Exec *x = c->x;
    for (int id = 0; id < values(c); id++)
        c->flows[id] = x->graph->values[id]->kind == VALUE_PARAM;
    for (int i = 0; i < x->run_count; i++) {
        const Node *n = x->runs[i].node;
        bool flows = false;
        for (int k = 0; k < n->inputs; k++)
            flows = flows || ((n->op->grads & OP_IN(k)) && c->flows[root_of(x, n->in[k])]);
        for (int j = 0; j < n->outputs; j++)
            c->flows[root_of(x, n->out[j])] = flows && n->op->backward;
    }
}

static bool any_output_reached(const Compiler *c, const Node *n)
{
    for (int j = 0; j < n->outputs; j++)
        if (c->reached[root_of(c->x, n->out[j])])
            return true;
    return false;
}

/* Walks back from the losses; the first writer of a gradient overwrites, later ones add. */
static void find_gradients(Compiler *c)
{
    Exec *x = c->x;
    for (int i = x->run_count - 1; i >= 0; i--) {
        Run *r = &x->runs[i];
        assert(r->node);
        const Op *op = r->node->op;
        if (op->flags & OP_LOSS)
            c->reached[root_of(x, r->node->out[0])] = true;
        if (!op->backward || !any_output_reached(c, r->node))
            continue;
        for (int k = 0; k < r->node->inputs; k++) {
            int root = root_of(x, r->node->in[k]);
            r->want[k] = (op->grads & OP_IN(k)) && c->flows[root];
            if (!r->want[k])
                continue;
            r->accumulate[k] = c->reached[root];
            c->reached[root] = true;
            x->backward[i] = true;
        }
    }
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
    int root = root_of(c->x, v);
    touch(c, data_buffer(c, root), tick);
    const Value *r = c->x->graph->values[root];
    if (c->x->tensors[root].elem == ELEM_CODE && !c->x->mode.integer) {
        touch(c, data_buffer(c, root_of(c->x, r->scale)), tick);
        if (r->zero_point)
            touch(c, data_buffer(c, root_of(c->x, r->zero_point)), tick);
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
            touch(c, grad_buffer(c, root_of(x, n->in[k])), back);
    }
    for (int j = 0; j < n->outputs; j++) {
        touch_data(c, n->out[j], i);
        if (x->backward[i] && (n->op->reads & OP_OUT(j)))
            touch_data(c, n->out[j], back);
        if (x->backward[i])
            touch(c, grad_buffer(c, root_of(x, n->out[j])), back);
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
            touch(c, grad_buffer(c, root_of(x, x->runs[i].node->out[0])), x->run_count);
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

static int size_buffers(Compiler *c, Needs *scratch, Error *e)
{
    Exec *x = c->x;
    for (int id = 0; id < values(c); id++) {
        const Value *v = x->graph->values[id];
        const Tensor *t = &x->tensors[id];
        if (v->param || root_of(x, v) != id)
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

static void merge_inplace(Compiler *c)
{
    const Exec *x = c->x;
    for (int i = 0; i < x->run_count && !c->options->keep_all; i++) {
        const Run *r = &x->runs[i];
        const Node *n = r->node;
        if (n->inputs == 0 || n->outputs == 0 ||
            shape_count(r->in[0]->shape) != shape_count(r->out[0]->shape))
            continue;
        int in = root_of(x, n->in[0]), out = root_of(x, n->out[0]);
        if (x->graph->values[in]->kind != VALUE_ACTIVATION)
            continue;
        int from = resolve(c, data_buffer(c, in));
        if ((n->op->flags & OP_INPLACE_DATA) && r->in[0]->elem == r->out[0]->elem &&
            c->buffers[from].end == i)
            merge(c, from, data_buffer(c, out));
        if ((n->op->flags & OP_INPLACE_GRAD) && r->want[0] && !r->accumulate[0])
            merge(c, grad_buffer(c, out), grad_buffer(c, in));
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
        if (c->reached[id])
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

static int plan_memory(Compiler *c, Error *e)
{
    Exec *x = c->x;
    Needs scratch = {0};
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

static int allocate(Compiler *c, Error *e)
{
    Exec *x = c->x;
    size_t v = (size_t)x->graph->value_count, n = (size_t)x->graph->node_count;
    c->buffer_count = (int)(2 * v + 2 * n + 2);
    size_t b = (size_t)c->buffer_count;
    x->root = calloc(v, sizeof *x->root);
    x->tensors = calloc(v, sizeof *x->tensors);
    x->runs = calloc(n, sizeof *x->runs);
    x->backward = calloc(n, sizeof *x->backward);
    x->costs = calloc(n, sizeof *x->costs);
    x->weights = calloc(n, sizeof *x->weights);
    c->buffers = calloc(b, sizeof *c->buffers);
    c->alias = calloc(b, sizeof *c->alias);
    c->flows = calloc(v, sizeof *c->flows);
    c->reached = calloc(v, sizeof *c->reached);
    c->covered = calloc(n, sizeof *c->covered);
    if (!x->root || !x->tensors || !x->runs || !x->backward || !x->costs || !x->weights ||
        !c->buffers || !c->alias || !c->flows || !c->reached || !c->covered)
        return error_memory(e, "a compilation", b * sizeof *c->buffers);
    for (size_t i = 0; i < n; i++)
        x->weights[i] = 1;
    return HONE_OK;
}

static int has_loss(const Exec *x, Error *e)
{
    for (int i = 0; i < x->run_count; i++)
        if (x->runs[i].node->op->flags & OP_LOSS)
            return HONE_OK;
    return error_set(e, HONE_ERR_CONFIG, "the model has no loss to train on");
}

int exec_compile(Exec *x, const ExecOptions *options, Error *e)
{
    Compiler c = {.x = x, .options = options};
    int status = allocate(&c, e);
    if (status != HONE_OK)
        goto done;
    choose_runs(&c);
    describe_tensors(&c);
    if (x->mode.training) {
        status = has_loss(x, e);
        if (status != HONE_OK)
            goto done;
        find_flows(&c);
        find_gradients(&c);
    }
    find_lifetimes(&c);
    status = plan_memory(&c, e);
done:
    free(c.buffers);
    free(c.alias);
    free(c.flows);
    free(c.reached);
    free(c.covered);
    return status;
}
