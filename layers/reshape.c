/* The same numbers in the same order as another shape. Input and output may be one piece of memory,
 * and are wherever the plan can have it so: then nothing is done.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/layers.h"

#include <string.h>

typedef struct ReshapeAttributes {
    Shape shape; /* per sample */
} ReshapeAttributes;

static int infer(Node *n, Error *e)
{
    const Value *x = n->in[0];
    const Shape want = ((const ReshapeAttributes *)n->attributes)->shape;
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];
    if (shape_count(x->shape) != shape_count(want) || want.rank < 2 ||
        want.dim[0] != x->shape.dim[0])
        return error_set(e, HONE_ERR_SHAPE, "reshape '%s': %s cannot become %s", n->name,
                         shape_text(x->shape, from), shape_text(want, to));
    if (x->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "reshape '%s': the input '%s' is not real", n->name,
                         x->name);
    n->out[0]->shape = want;
    return HONE_OK;
}

static void forward(const Run *r)
{
    if (r->out[0]->data != r->in[0]->data)
        memcpy(r->out[0]->data, r->in[0]->data,
               shape_count(r->in[0]->shape) * elements_bytes(r->in[0]));
}

static void backward(const Run *r)
{
    const size_t n = shape_count(r->in[0]->shape);
    const Real *dy = r->out[0]->grad;
    Real *dx = r->in[0]->grad;
    if (r->accumulate[0])
        r->compute->real->add(n, dy, dx);
    else if (dx != dy)
        memcpy(dx, dy, n * sizeof *dx);
}

static void lower(const Node *n, HoneRtOp *op)
{
    (void)n;
    op->kind = HONE_RT_OP_RESHAPE;
}

const Op op_reshape = {
    .name = "reshape",
    .flags = OP_INPLACE_DATA | OP_INPLACE_GRAD | OP_COPY,
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 1,
    .keeps_grid = true,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .integer = forward,
    .lower = lower,
};

Value *layer_reshape(Graph *g, const char *name, Value *x, Shape shape)
{
    const ReshapeAttributes a = {shape};
    Node *n = graph_node(g, &op_reshape, name, 1, &x, &a, sizeof a);
    return n ? n->out[0] : NULL;
}

Value *layer_flatten(Graph *g, const char *name, Value *x)
{
    if (!x)
        return NULL;
    const int samples = x->shape.dim[0];
    return layer_reshape(g, name, x,
                         SHAPE2(samples, (int)(shape_count(x->shape) / (size_t)samples)));
}
