/* Concatenation of 2 to 8 values along the channels: copies, of reals or, where the quantization pass
 * gave all inputs one grid, of codes. SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/layers.h"

#include <string.h>

static bool same_but_channels(Shape a, Shape b)
{
    if (a.rank != b.rank || a.rank < 1)
        return false;
    a.dim[a.rank - 1] = b.dim[b.rank - 1];
    return shape_equal(a, b);
}

static int infer(Node *n, Error *e)
{
    const Value *first = n->in[0];
    Shape shape = first->shape;
    char left[SHAPE_TEXT_BYTES], right[SHAPE_TEXT_BYTES];
    for (int k = 1; k < n->inputs; k++) {
        const Value *v = n->in[k];
        if (!same_but_channels(first->shape, v->shape) || v->batched != first->batched)
            return error_set(e, HONE_ERR_SHAPE,
                             "concat '%s': shapes %s and %s differ before the channels", n->name,
                             shape_text(first->shape, left), shape_text(v->shape, right));
        shape.dim[shape.rank - 1] += shape_channels(v->shape);
    }
    for (int k = 0; k < n->inputs; k++)
        if (n->in[k]->elem != ELEM_REAL)
            return error_set(e, HONE_ERR_SHAPE, "concat '%s': the input '%s' is not real", n->name,
                             n->in[k]->name);
    n->out[0]->shape = shape;
    return HONE_OK;
}

/* Rows of channels in a sample. */
static size_t rows_of(const Run *r)
{
    const Shape y = r->out[0]->shape;
    return shape_count(y) / (size_t)y.dim[0] / (size_t)shape_channels(y);
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const size_t b = elements_bytes(r->out[0]), rows = rows_of(r);
    const size_t width = b * (size_t)shape_channels(r->out[0]->shape);
    char *y = r->out[0]->data;
    for (int k = 0; k < r->node->inputs; k++) {
        const size_t bytes = b * (size_t)shape_channels(r->in[k]->shape);
        const char *x = r->in[k]->data;
        for (size_t i = (size_t)begin * rows; i < (size_t)end * rows; i++)
            memcpy(y + i * width, x + i * bytes, bytes);
        y += bytes;
    }
}

static void forward(const Run *r)
{
    run_chunks(r, r->out[0]->shape.dim[0], forward_items);
}

/* Inputs in order: when two are one value, the second adds to what the first wrote. */
static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const size_t rows = rows_of(r), width = (size_t)shape_channels(r->out[0]->shape);
    const Real *dy = r->out[0]->grad;
    for (int k = 0; k < r->node->inputs; k++) {
        const size_t n = (size_t)shape_channels(r->in[k]->shape);
        Real *dx = r->in[k]->grad;
        for (size_t i = (size_t)begin * rows; r->want[k] && i < (size_t)end * rows; i++)
            if (r->accumulate[k])
                r->compute->real->add(n, dy + i * width, dx + i * n);
            else
                memcpy(dx + i * n, dy + i * width, n * sizeof *dx);
        dy += n;
    }
}

static void backward(const Run *r)
{
    run_chunks(r, r->out[0]->shape.dim[0], backward_items);
}

static void lower(const Node *n, HoneRtOp *op)
{
    (void)n;
    op->kind = HONE_RT_OP_CONCAT;
}

#define ALL_INPUTS (OP_IN(NODE_INPUTS_MAX) - 1)

const Op op_concat = {
    .name = "concat",
    .codes = ALL_INPUTS,
    .grads = ALL_INPUTS,
    .outputs = 1,
    .keeps_grid = true,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .integer = forward,
    .lower = lower,
};

Value *layer_concat(Graph *g, const char *name, int count, Value *const *values)
{
    if (count < 2 || count > NODE_INPUTS_MAX) {
        if (g->error.code == HONE_OK)
            error_set(&g->error, HONE_ERR_SHAPE, "concat '%s': %d values, not 2..%d", name, count,
                      NODE_INPUTS_MAX);
        return NULL;
    }
    Node *n = graph_node(g, &op_concat, name, count, values, NULL, 0);
    return n ? n->out[0] : NULL;
}
