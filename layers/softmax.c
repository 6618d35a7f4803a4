/* Softmax over the last axis: y = exp(x) / sum exp(x). Rows are computed in double, the largest number
 * subtracted first.
 *
 * On codes throughout: fixed.h's hone_rt_softmax with a table of exponentials, onto the grid of scale
 * 1/256 and zero point -128. SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/layers.h"

#include <math.h>

static const Grid grid = {1.0f / 256, -128};

static int infer(Node *n, Error *e)
{
    const Value *x = n->in[0];
    char text[SHAPE_TEXT_BYTES];
    if (x->shape.rank < 2 || x->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "softmax '%s': input %s is not real [N, ..., K]",
                         n->name, shape_text(x->shape, text));
    n->out[0]->shape = x->shape;
    return HONE_OK;
}

static size_t length_of(const Run *r)
{
    return (size_t)shape_channels(r->in[0]->shape);
}

static int rows_of(const Run *r)
{
    return (int)(shape_count(r->in[0]->shape) / length_of(r));
}

static void needs(const Run *r, Needs *needs)
{
    needs->worker = length_of(r) * sizeof(Real);
}

static void forward_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const size_t n = length_of(r);
    for (size_t row = (size_t)begin; row < (size_t)end; row++) {
        const Real *x = elements_real(r, r->in[0], row * n, n, run_worker(r, worker));
        Real *y = (Real *)r->out[0]->data + row * n;
        double top = (double)x[0], sum = 0;
        for (size_t i = 1; i < n; i++)
            top = (double)x[i] > top ? (double)x[i] : top;
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i] - top);
        for (size_t i = 0; i < n; i++)
            y[i] = (Real)(exp((double)x[i] - top) / sum);
    }
}

static void forward(const Run *r)
{
    run_chunks(r, rows_of(r), forward_rows);
}

/* dx = y (dy - sum dy y) */
static void backward_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const size_t n = length_of(r);
    for (size_t row = (size_t)begin; row < (size_t)end; row++) {
        const Real *y = (const Real *)r->out[0]->data + row * n, *dy = r->out[0]->grad + row * n;
        Real *dx = r->in[0]->grad + row * n;
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)dy[i] * (double)y[i];
        for (size_t i = 0; i < n; i++)
            dx[i] = y[i] * (dy[i] - (Real)sum) + (r->accumulate[0] ? dx[i] : 0);
    }
}

static void backward(const Run *r)
{
    run_chunks(r, rows_of(r), backward_rows);
}

/* exp(-s_x d) in units of the largest that keeps a row's sum in 31 bits. */
static int rescale(const Node *n, IntegerLayer *layer, Error *e)
{
    const double room = (double)(1u << HONE_RT_SOFTMAX_SUM_BITS);
    const double top = floor(room / shape_channels(n->out[0]->shape));
    const double one = top < 1 << HONE_RT_SOFTMAX_BITS ? top : 1 << HONE_RT_SOFTMAX_BITS;
    uint32_t *exponential = layer->table;
    (void)e;
    for (int d = 0; d < HONE_RT_TABLE; d++)
        exponential[d] = (uint32_t)rint(one * exp(-(double)layer->in[0].scale * d));
    return HONE_OK;
}

static void integer_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const size_t n = length_of(r);
    for (size_t row = (size_t)begin; row < (size_t)end; row++)
        hone_rt_softmax(r->integer->table, (const int8_t *)r->in[0]->data + row * n, (int32_t)n,
                        (int8_t *)r->out[0]->data + row * n);
}

static void integer(const Run *r)
{
    run_chunks(r, rows_of(r), integer_rows);
}

static void lower(const Node *n, HoneRtOp *op)
{
    (void)n;
    op->kind = HONE_RT_OP_SOFTMAX;
}

const Op op_softmax = {
    .name = "softmax",
    .reads = OP_OUT(0),
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 1,
    .grid = &grid,
    .table = HONE_RT_TABLE * sizeof(uint32_t),
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .rescale = rescale,
    .integer = integer,
    .lower = lower,
};

Value *layer_softmax(Graph *g, const char *name, Value *x)
{
    Node *n = graph_node(g, &op_softmax, name, 1, &x, NULL, 0);
    return n ? n->out[0] : NULL;
}
