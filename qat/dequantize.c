/* From codes of one grid to real numbers, s (q - z), in front of an op that takes no codes. The
 * gradient of a code is that of its real value, so it passes unchanged.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "qat/nodes.h"

#include <string.h>

static int infer(Node *n, Error *e)
{
    const Value *q = n->in[0];
    if (!q->scale || shape_count(q->scale->shape) != 1)
        return error_set(e, HONE_ERR_SHAPE, "dequantize '%s': '%s' has no grid, or one per channel",
                         n->name, q->name);
    n->out[0]->shape = q->shape;
    return HONE_OK;
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    Elements e = elements_of(shape_count(r->in[0]->shape), begin, end);
    r->compute->real->dequantize(e.count, (const int8_t *)r->in[0]->data + e.first,
                                 run_scale(r->in[0])[0], run_zero_point(r->in[0]),
                                 (Real *)r->out[0]->data + e.first);
}

static void forward(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->in[0]->shape)), forward_items);
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    Elements e = elements_of(shape_count(r->in[0]->shape), begin, end);
    const Real *dy = r->out[0]->grad + e.first;
    Real *dx = r->in[0]->grad + e.first;
    if (r->accumulate[0])
        r->compute->real->add(e.count, dy, dx);
    else if (dx != dy)
        memcpy(dx, dy, e.count * sizeof *dx);
}

static void backward(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->in[0]->shape)), backward_items);
}

const Op op_dequantize = {
    .name = "dequantize",
    .flags = OP_QUANTIZER | OP_INPLACE_GRAD | OP_COPY,
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

Node *qat_dequantize(Graph *g, const char *name, Value *codes)
{
    return graph_node(g, &op_dequantize, name, 1, &codes, NULL, 0);
}
