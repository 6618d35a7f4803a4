/* Cross-entropy of a softmax against smoothed labels, the mean over the rows that have a label:
 *
 *     p = softmax(logits), t = (1 - e) onehot(label) + e / K
 *     loss = 1/V sum over rows of -sum_k t_k log p_k            dlogits = (p - t) / V
 *
 * Mixed labels have a second one whose share s / 256 replaces that much of the first in t.
 * V counts the rows whose label is not negative; rows of padding cost nothing. The largest logit is
 * subtracted first, so nothing overflows. Rows are computed in double and summed in index order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"

#include <assert.h>
#include <math.h>

typedef struct XentAttributes {
    double label_smoothing; /* e, in [0, 1) */
} XentAttributes;

enum { LOGITS, LABELS, OTHERS, SHARES, INPUTS_MIXED, WHOLE = 256 };

static bool are_labels(const Value *v, const Value *logits)
{
    return v->shape.rank == 1 && v->elem == ELEM_INT32 && v->shape.dim[0] == logits->shape.dim[0];
}

static int infer(Node *n, Error *e)
{
    const Value *x = n->in[0], *labels = n->in[1];
    char text[SHAPE_TEXT_BYTES], other[SHAPE_TEXT_BYTES];
    double smoothing = ((const XentAttributes *)n->attributes)->label_smoothing;
    if (x->shape.rank != 2 || x->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "softmax_xent '%s': logits %s are not real [N,K]",
                         n->name, shape_text(x->shape, text));
    for (int i = LABELS; i < n->inputs && are_labels(labels, x); i++)
        labels = n->in[i];
    if (!are_labels(labels, x))
        return error_set(e, HONE_ERR_SHAPE,
                         "softmax_xent '%s': labels %s are not int32 [N] of logits %s", n->name,
                         shape_text(labels->shape, other), shape_text(x->shape, text));
    if (!(smoothing >= 0 && smoothing < 1))
        return error_set(e, HONE_ERR_CONFIG,
                         "softmax_xent '%s': label smoothing %g is not in [0, 1)", n->name,
                         smoothing);
    n->out[0]->shape = (Shape){0};
    n->out[0]->batched = false;
    return HONE_OK;
}

/* Saved: log of each row's partition sum, its logits taken as they are. Shared: the rows' losses. */
static void needs(const Run *r, Needs *needs)
{
    size_t rows = (size_t)r->in[0]->shape.dim[0];
    needs->saved = r->want[0] ? rows * sizeof(double) : 0;
    needs->shared = rows * sizeof(double);
}

static double log_sum_exp(const Real *x, int k)
{
    double top = (double)x[0], sum = 0;
    for (int i = 1; i < k; i++)
        top = (double)x[i] > top ? (double)x[i] : top;
    for (int i = 0; i < k; i++)
        sum += exp((double)x[i] - top);
    return top + log(sum);
}

/* The share of the second label of row i, and that label. */
static double mixed(const Run *r, int i, int *other)
{
    *other = 0;
    if (r->node->inputs < INPUTS_MIXED)
        return 0;
    *other = ((const int32_t *)r->in[OTHERS]->data)[i];
    return (double)((const int32_t *)r->in[SHARES]->data)[i] / WHOLE;
}

static void forward_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    int k = r->in[0]->shape.dim[1];
    const int32_t *labels = r->in[1]->data;
    double e = ((const XentAttributes *)r->node->attributes)->label_smoothing;
    double *losses = r->shared, *saved = r->want[0] ? r->saved : NULL;
    for (int i = begin; i < end; i++) {
        const Real *x = (const Real *)r->in[0]->data + (size_t)i * (size_t)k;
        losses[i] = 0;
        if (labels[i] < 0)
            continue;
        assert(labels[i] < k);
        double whole = log_sum_exp(x, k), mean = 0;
        for (int j = 0; j < k && e > 0; j++)
            mean += (whole - (double)x[j]) / k;
        int other;
        double share = mixed(r, i, &other);
        assert(other >= 0 && other < k && share >= 0 && share <= 1);
        double aim = (1 - share) * (double)x[labels[i]] + share * (double)x[other];
        losses[i] = (1 - e) * (whole - aim) + e * mean;
        if (saved)
            saved[i] = whole;
    }
}

static int labelled(const Run *r)
{
    const int32_t *labels = r->in[1]->data;
    int count = 0;
    for (int i = 0; i < r->in[0]->shape.dim[0]; i++)
        count += labels[i] >= 0;
    return count;
}

static void forward(const Run *r)
{
    int rows = r->in[0]->shape.dim[0], count = labelled(r);
    run_chunks(r, rows, forward_rows);
    const double *losses = r->shared;
    double sum = 0;
    for (int i = 0; i < rows; i++)
        sum += losses[i];
    *(Real *)r->out[0]->data = count ? (Real)(sum / count) : 0;
}

static void backward_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    int k = r->in[0]->shape.dim[1], count = labelled(r);
    const int32_t *labels = r->in[1]->data;
    const double *whole = r->saved;
    double e = ((const XentAttributes *)r->node->attributes)->label_smoothing;
    double g = count ? (double)r->out[0]->grad[0] / count : 0;
    for (int i = begin; i < end; i++) {
        const Real *x = (const Real *)r->in[0]->data + (size_t)i * (size_t)k;
        Real *dx = r->in[0]->grad + (size_t)i * (size_t)k;
        int other = 0;
        double share = labels[i] >= 0 ? mixed(r, i, &other) : 0;
        for (int j = 0; j < k; j++) {
            double d = 0, aim = (j == labels[i] ? 1 - share : 0) + (j == other ? share : 0);
            if (labels[i] >= 0)
                d = g * (exp((double)x[j] - whole[i]) - e / k - (1 - e) * aim);
            dx[j] = (Real)(r->accumulate[0] ? (double)dx[j] + d : d);
        }
    }
}

static void backward(const Run *r)
{
    run_chunks(r, r->in[0]->shape.dim[0], backward_rows);
}

const Op op_softmax_xent = {
    .name = "softmax_xent",
    .flags = OP_LOSS,
    .reads = OP_IN(LOGITS) | OP_IN(LABELS) | OP_IN(OTHERS) | OP_IN(SHARES),
    .grads = OP_IN(0),
    .outputs = 1,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
};

Value *layer_softmax_xent(Graph *g, const char *name, Value *logits, Value *labels,
                          double label_smoothing)
{
    XentAttributes attributes = {label_smoothing};
    Node *n = graph_node(g, &op_softmax_xent, name, 2, (Value *[]){logits, labels}, &attributes,
                         sizeof attributes);
    return n ? n->out[0] : NULL;
}

Value *layer_softmax_xent_mixed(Graph *g, const char *name, Value *logits, Value *labels,
                                Value *others, Value *shares, double label_smoothing)
{
    XentAttributes attributes = {label_smoothing};
    Value *in[INPUTS_MIXED] = {logits, labels, others, shares};
    Node *n =
        graph_node(g, &op_softmax_xent, name, INPUTS_MIXED, in, &attributes, sizeof attributes);
    return n ? n->out[0] : NULL;
}
