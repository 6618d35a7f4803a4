/* Losses that are a mean over single outputs: mean squared error and binary cross-entropy.
 *
 *     loss = 1/(V K) sum over rows, outputs of f(y, t)       dy = df/dy / (V K)
 *     mse:  f = (y - t)^2                                    df/dy = 2 (y - t)
 *     bce:  f = max(y, 0) - y t + log(1 + exp(-|y|))         df/dy = s - t,  s = 1 / (1 + exp(-y))
 *
 * The target is labels, then t is 1 for the label's output and 0 for the others and V counts the rows
 * whose label is not negative; or real numbers or codes, K for each row, and V counts all rows. Rows
 * are computed in double and summed in index order. As PyTorch's MSELoss and BCEWithLogitsLoss with
 * their default reduction. SPDX-License-Identifier: Apache-2.0 */
#include "layers/element_loss.h"

#include "layers/layers.h"

#include <assert.h>
#include <math.h>
#include <string.h>

double element_squared(double y, double t)
{
    return (y - t) * (y - t);
}

double element_bce(double y, double t)
{
    return fmax(y, 0) - y * t + log1p(exp(-fabs(y)));
}

/* Sums over a row are four in turns, which does not make the adder wait for itself. */
enum { LANES = 4 };

static double squared_row(const Real *y, const double *t, int count)
{
    double sum[LANES] = {0};
    for (int i = 0; i < count; i++)
        sum[i % LANES] += element_squared((double)y[i], t[i]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void squared_slopes(const Real *y, const double *t, int count, double g, double *dy)
{
    for (int i = 0; i < count; i++)
        dy[i] = 2 * g * ((double)y[i] - t[i]);
}

static double bce_row(const Real *y, const double *t, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += element_bce((double)y[i], t[i]);
    return sum;
}

static void bce_slopes(const Real *y, const double *t, int count, double g, double *dy)
{
    for (int i = 0; i < count; i++) {
        const double e = exp(-fabs((double)y[i])); /* never overflows */
        dy[i] = g * ((y[i] >= 0 ? 1 : e) / (1 + e) - t[i]);
    }
}

/* Of one row: the sum of f, and g df/dy. */
typedef struct ElementLossAttributes {
    double (*row)(const Real *y, const double *t, int count);
    void (*slopes)(const Real *y, const double *t, int count, double g, double *dy);
} ElementLossAttributes;

/* ---- shapes ---- */

static size_t outputs_of(Shape s)
{
    return shape_count(s) / (size_t)s.dim[0];
}

static int infer(Node *n, Error *e)
{
    const Value *y = n->in[0], *t = n->in[1];
    char text[SHAPE_TEXT_BYTES], other[SHAPE_TEXT_BYTES];
    if (y->shape.rank < 2 || y->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': outputs %s are not real [N,K]", n->op->name,
                         n->name, shape_text(y->shape, text));
    if (t->elem == ELEM_INT32 && (t->shape.rank != 1 || t->shape.dim[0] != y->shape.dim[0]))
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': labels %s are not int32 [N] of outputs %s",
                         n->op->name, n->name, shape_text(t->shape, other),
                         shape_text(y->shape, text));
    if (t->elem != ELEM_INT32 && (t->shape.rank < 2 || t->shape.dim[0] != y->shape.dim[0] ||
                                  outputs_of(t->shape) != outputs_of(y->shape)))
        return error_set(
            e, HONE_ERR_SHAPE, "%s '%s': outputs %s are not as many numbers as the target %s",
            n->op->name, n->name, shape_text(y->shape, text), shape_text(t->shape, other));
    n->out[0]->shape = (Shape){0};
    n->out[0]->batched = false;
    return HONE_OK;
}

/* Shared: the rows' losses. Worker: a row's targets, and its slopes. */
static void needs(const Run *r, Needs *needs)
{
    needs->shared = (size_t)r->in[0]->shape.dim[0] * sizeof(double);
    needs->worker = 2 * outputs_of(r->in[0]->shape) * sizeof(double);
}

/* ---- targets ---- */

static bool counts(const Tensor *target, int row)
{
    return target->elem != ELEM_INT32 || ((const int32_t *)target->data)[row] >= 0;
}

static int rows_counted(const Run *r)
{
    int count = 0;
    for (int row = 0; row < r->in[0]->shape.dim[0]; row++)
        count += counts(r->in[1], row);
    return count;
}

/* What the outputs of a row that counts should be. */
static void read_targets(const Tensor *target, int row, int count, double *t)
{
    const size_t first = (size_t)row * (size_t)count;
    if (target->elem == ELEM_INT32) {
        const int32_t label = ((const int32_t *)target->data)[row];
        assert(label < count);
        for (int i = 0; i < count; i++)
            t[i] = i == label;
    } else if (target->elem == ELEM_CODE) {
        const int8_t *codes = (const int8_t *)target->data + first;
        const double scale = (double)run_scale(target)[0];
        const int32_t zero_point = run_zero_point(target);
        for (int i = 0; i < count; i++)
            t[i] = scale * (codes[i] - zero_point);
    } else {
        const Real *real = (const Real *)target->data + first;
        for (int i = 0; i < count; i++)
            t[i] = (double)real[i];
    }
}

/* ---- the work ---- */

static void forward_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const ElementLossAttributes *f = r->node->attributes;
    const int count = (int)outputs_of(r->in[0]->shape);
    double *losses = r->shared, *t = run_worker(r, worker);
    for (int row = begin; row < end; row++) {
        losses[row] = 0;
        if (!counts(r->in[1], row))
            continue;
        read_targets(r->in[1], row, count, t);
        losses[row] = f->row((const Real *)r->in[0]->data + (size_t)row * (size_t)count, t, count);
    }
}

static void forward(const Run *r)
{
    const int rows = r->in[0]->shape.dim[0], counted = rows_counted(r);
    run_chunks(r, rows, forward_rows);
    const double *losses = r->shared;
    double sum = 0;
    for (int row = 0; row < rows; row++)
        sum += losses[row];
    const double terms = (double)counted * (double)outputs_of(r->in[0]->shape);
    *(Real *)r->out[0]->data = counted ? (Real)(sum / terms) : 0;
}

static void backward_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const ElementLossAttributes *f = r->node->attributes;
    const int count = (int)outputs_of(r->in[0]->shape), counted = rows_counted(r);
    const double g = counted ? (double)r->out[0]->grad[0] / ((double)counted * count) : 0;
    double *t = run_worker(r, worker), *slopes = t + count;
    for (int row = begin; row < end; row++) {
        const size_t first = (size_t)row * (size_t)count;
        Real *dy = r->in[0]->grad + first;
        memset(slopes, 0, (size_t)count * sizeof *slopes);
        if (counts(r->in[1], row)) {
            read_targets(r->in[1], row, count, t);
            f->slopes((const Real *)r->in[0]->data + first, t, count, g, slopes);
        }
        for (int i = 0; i < count; i++)
            dy[i] = (Real)(r->accumulate[0] ? (double)dy[i] + slopes[i] : slopes[i]);
    }
}

static void backward(const Run *r)
{
    run_chunks(r, r->in[0]->shape.dim[0], backward_rows);
}

#define ELEMENT_LOSS(name_)                                                                        \
    {                                                                                              \
        .name = (name_), .flags = OP_LOSS, .reads = OP_IN(0) | OP_IN(1), .codes = OP_IN(1),        \
        .grads = OP_IN(0), .outputs = 1, .infer = infer, .needs = needs, .forward = forward,       \
        .backward = backward                                                                       \
    }

const Op op_mse = ELEMENT_LOSS("mse");
const Op op_bce = ELEMENT_LOSS("bce");

static Value *append(Graph *g, const Op *op, const char *name, Value *outputs, Value *target,
                     ElementLossAttributes f)
{
    Node *n = graph_node(g, op, name, 2, (Value *[]){outputs, target}, &f, sizeof f);
    return n ? n->out[0] : NULL;
}

Value *layer_mse(Graph *g, const char *name, Value *outputs, Value *target)
{
    return append(g, &op_mse, name, outputs, target,
                  (ElementLossAttributes){squared_row, squared_slopes});
}

Value *layer_bce(Graph *g, const char *name, Value *logits, Value *target)
{
    return append(g, &op_bce, name, logits, target, (ElementLossAttributes){bce_row, bce_slopes});
}
