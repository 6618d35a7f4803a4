/* Compiling a graph for a mode: which nodes act, what each tensor is, which gradients are wanted. Where
 * everything lies in memory: compile_memory.c. SPDX-License-Identifier: Apache-2.0 */
#include "core/compiler.h"

#include <assert.h>
#include <stdlib.h>

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
    x->root[n->out[0]->id] = compile_root(x, in);
    if ((n->op->flags & OP_TRAINING) && n->outputs > 1 && in->scale)
        x->root[n->out[1]->id] = compile_root(x, in->scale);
}

static void choose_runs(Compiler *c)
{
    Exec *x = c->x;
    find_covered(c);
    for (int v = 0; v < c->x->graph->value_count; v++)
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

static void describe_tensors(Compiler *c)
{
    Exec *x = c->x;
    for (int id = 0; id < c->x->graph->value_count; id++) {
        const Value *v = x->graph->values[id];
        Tensor *t = &x->tensors[id];
        if (compile_root(x, v) != id)
            continue;
        t->shape = v->shape;
        if (v->batched)
            t->shape.dim[0] *= c->options->batch;
        t->elem = elem_of(x, v);
        if (t->elem == ELEM_CODE && !x->mode.integer) {
            t->scale = &x->tensors[compile_root(x, v->scale)];
            t->zero_point = v->zero_point ? &x->tensors[compile_root(x, v->zero_point)] : NULL;
        }
        if (v->param) {
            t->data = params_at(x->params, v->param);
            t->grad = v->kind == VALUE_PARAM ? x->params->grad + v->param->offset : NULL;
        }
    }
}

static void describe_runs(Compiler *c)
{
    Exec *x = c->x;
    for (int i = 0; i < x->run_count; i++) {
        Run *r = &x->runs[i];
        assert(r->node);
        for (int k = 0; k < r->node->inputs; k++)
            r->in[k] = &x->tensors[compile_root(x, r->node->in[k])];
        for (int j = 0; j < r->node->outputs; j++)
            r->out[j] = &x->tensors[compile_root(x, r->node->out[j])];
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
    for (int id = 0; id < c->x->graph->value_count; id++)
        c->flows[id] = x->graph->values[id]->kind == VALUE_PARAM;
    for (int i = 0; i < x->run_count; i++) {
        const Node *n = x->runs[i].node;
        bool flows = false;
        for (int k = 0; k < n->inputs; k++)
            flows = flows || ((n->op->grads & OP_IN(k)) && c->flows[compile_root(x, n->in[k])]);
        for (int j = 0; j < n->outputs; j++)
            c->flows[compile_root(x, n->out[j])] = flows && n->op->backward;
    }
}

static bool any_output_reached(const Compiler *c, const Node *n)
{
    for (int j = 0; j < n->outputs; j++)
        if (c->reached[compile_root(c->x, n->out[j])])
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
            c->reached[compile_root(x, r->node->out[0])] = true;
        if (!op->backward || !any_output_reached(c, r->node))
            continue;
        for (int k = 0; k < r->node->inputs; k++) {
            int root = compile_root(x, r->node->in[k]);
            r->want[k] = (op->grads & OP_IN(k)) && c->flows[root];
            if (!r->want[k])
                continue;
            r->accumulate[k] = c->reached[root];
            c->reached[root] = true;
            x->backward[i] = true;
        }
    }
}

/* Whoever writes last to the gradient of the node's output tells the node. */
static void find_listener(Exec *x, const Run *maker)
{
    const int root = compile_root(x, maker->node->out[0]);
    for (Run *r = x->runs; r < x->runs + x->run_count; r++) /* backward comes to it last */
        for (int k = r->node->inputs - 1; k >= 0; k--)
            if (r->want[k] && compile_root(x, r->node->in[k]) == root) {
                r->listener[k] = maker;
                return;
            }
}

static void find_listeners(Compiler *c)
{
    for (int i = 0; i < c->x->run_count; i++)
        if (c->x->backward[i] && c->x->runs[i].node->op->finished)
            find_listener(c->x, &c->x->runs[i]);
}

/* ---- all of it ---- */

/* What stays with the compilation. */
static bool allocate_exec(Exec *x, size_t v, size_t n)
{
    x->root = calloc(v, sizeof *x->root);
    x->tensors = calloc(v, sizeof *x->tensors);
    x->runs = calloc(n, sizeof *x->runs);
    x->backward = calloc(n, sizeof *x->backward);
    x->costs = calloc(n, sizeof *x->costs);
    x->weights = calloc(n, sizeof *x->weights);
    return x->root && x->tensors && x->runs && x->backward && x->costs && x->weights;
}

/* What only compiling needs. */
static bool allocate_compiler(Compiler *c, size_t v, size_t n, size_t b)
{
    c->buffers = calloc(b, sizeof *c->buffers);
    c->alias = calloc(b, sizeof *c->alias);
    c->flows = calloc(v, sizeof *c->flows);
    c->reached = calloc(v, sizeof *c->reached);
    c->covered = calloc(n, sizeof *c->covered);
    return c->buffers && c->alias && c->flows && c->reached && c->covered;
}

static int allocate(Compiler *c, Error *e)
{
    Exec *x = c->x;
    size_t v = (size_t)x->graph->value_count, n = (size_t)x->graph->node_count;
    c->buffer_count = compile_buffers(x->graph);
    size_t b = (size_t)c->buffer_count;
    if (!allocate_exec(x, v, n) || !allocate_compiler(c, v, n, b))
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
    describe_runs(&c);
    if (x->mode.training) {
        status = has_loss(x, e);
        if (status != HONE_OK)
            goto done;
        find_flows(&c);
        find_gradients(&c);
        find_listeners(&c);
    }
    status = compile_memory(&c, e);
done:
    free(c.buffers);
    free(c.alias);
    free(c.flows);
    free(c.reached);
    free(c.covered);
    return status;
}
