/* The loss on a teacher's answers: see distill.h.
 *
 *     loss = T^2 / N sum_rows sum_k p_t (log p_t - log p_s)        dstudent = T / N (p_s - p_t)
 *
 * with p = softmax(x / T), log p = x / T - log sum exp(x / T), the largest logit subtracted first.
 * Rows are computed in double and summed in index order. A loss of weight 0 adds no gradient, whatever
 * the teacher's logits hold. SPDX-License-Identifier: Apache-2.0 */
#include "distill/distill.h"

#include <math.h>

typedef struct SoftLossAttributes {
    double temperature;
} SoftLossAttributes;

enum { STUDENT, TEACHER };

static int infer(Node *n, Error *e)
{
    const Value *student = n->in[STUDENT], *teacher = n->in[TEACHER];
    char text[SHAPE_TEXT_BYTES], other[SHAPE_TEXT_BYTES];
    double t = ((const SoftLossAttributes *)n->attributes)->temperature;
    if (student->shape.rank != 2 || student->elem != ELEM_REAL || teacher->elem != ELEM_REAL ||
        !shape_equal(student->shape, teacher->shape))
        return error_set(e, HONE_ERR_SHAPE,
                         "soft_loss '%s': logits %s and the teacher's %s are not real [N,K] alike",
                         n->name, shape_text(student->shape, text),
                         shape_text(teacher->shape, other));
    if (!(t > 0))
        return error_set(e, HONE_ERR_CONFIG, "soft_loss '%s': temperature %g is not above 0",
                         n->name, t);
    n->out[0]->shape = (Shape){0};
    n->out[0]->batched = false;
    return HONE_OK;
}

/* Saved: log of both partition sums of each row. Shared: the rows' losses. */
static void needs(const Run *r, Needs *needs)
{
    size_t rows = (size_t)r->in[STUDENT]->shape.dim[0];
    needs->saved = r->want[STUDENT] ? 2 * rows * sizeof(double) : 0;
    needs->shared = rows * sizeof(double);
}

static double temperature_of(const Run *r)
{
    return ((const SoftLossAttributes *)r->node->attributes)->temperature;
}

static double log_sum_exp(const Real *x, int k, double t)
{
    double top = (double)x[0], sum = 0;
    for (int i = 1; i < k; i++)
        top = (double)x[i] > top ? (double)x[i] : top;
    for (int i = 0; i < k; i++)
        sum += exp(((double)x[i] - top) / t);
    return top / t + log(sum);
}

static void forward_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    int k = r->in[STUDENT]->shape.dim[1];
    const double t = temperature_of(r);
    double *losses = r->shared, *saved = r->want[STUDENT] ? r->saved : NULL;
    for (int i = begin; i < end; i++) {
        const Real *s = (const Real *)r->in[STUDENT]->data + (size_t)i * (size_t)k;
        const Real *p = (const Real *)r->in[TEACHER]->data + (size_t)i * (size_t)k;
        double of_s = log_sum_exp(s, k, t), of_p = log_sum_exp(p, k, t), sum = 0;
        for (int j = 0; j < k; j++) {
            double log_p = (double)p[j] / t - of_p;
            sum += exp(log_p) * (log_p - ((double)s[j] / t - of_s));
        }
        losses[i] = sum;
        if (saved) {
            saved[2 * i] = of_s;
            saved[2 * i + 1] = of_p;
        }
    }
}

static void forward(const Run *r)
{
    int rows = r->in[STUDENT]->shape.dim[0];
    run_chunks(r, rows, forward_rows);
    const double *losses = r->shared, t = temperature_of(r);
    double sum = 0;
    for (int i = 0; i < rows; i++)
        sum += losses[i];
    *(Real *)r->out[0]->data = (Real)(t * t * sum / rows);
}

static void backward_rows(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    int k = r->in[STUDENT]->shape.dim[1];
    const double *saved = r->saved, t = temperature_of(r), weight = (double)r->out[0]->grad[0];
    const double slope = weight * t / r->in[STUDENT]->shape.dim[0];
    for (int i = begin; i < end; i++) {
        const Real *s = (const Real *)r->in[STUDENT]->data + (size_t)i * (size_t)k;
        const Real *p = (const Real *)r->in[TEACHER]->data + (size_t)i * (size_t)k;
        Real *ds = r->in[STUDENT]->grad + (size_t)i * (size_t)k;
        for (int j = 0; j < k; j++) {
            double d = 0;
            if (weight != 0)
                d = slope * (exp((double)s[j] / t - saved[2 * i]) -
                             exp((double)p[j] / t - saved[2 * i + 1]));
            ds[j] = (Real)(r->accumulate[STUDENT] ? (double)ds[j] + d : d);
        }
    }
}

static void backward(const Run *r)
{
    run_chunks(r, r->in[STUDENT]->shape.dim[0], backward_rows);
}

const Op op_soft_loss = {
    .name = "soft_loss",
    .flags = OP_LOSS,
    .reads = OP_IN(STUDENT) | OP_IN(TEACHER),
    .grads = OP_IN(STUDENT),
    .outputs = 1,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
};

Value *distill_soft_loss(Graph *g, const char *name, Value *student, Value *teacher,
                         double temperature)
{
    SoftLossAttributes attributes = {temperature};
    Node *n = graph_node(g, &op_soft_loss, name, 2, (Value *[]){student, teacher}, &attributes,
                         sizeof attributes);
    return n ? n->out[0] : NULL;
}
