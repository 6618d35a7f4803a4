/* Batch normalization over all axes but the last: y = gamma (x - mean) / sqrt(var + eps) + beta.
 *
 * Training uses the batch's mean and (biased) variance and then moves the running statistics
 * towards them, the variance without bias: running = (1 - m) running + m batch, as PyTorch does.
 * Evaluation, and training while batch-norm is frozen, use the running statistics as constants.
 *
 * Statistics in one sweep: sums of x - p and (x - p)^2 with the first row as pivot p, so that a mean
 * far from zero does not cancel the variance, in the order of channel_sums.h. Backward with n rows,
 * h = (x - mean) / sigma:
 *
 *     dbeta = sum dy    dgamma = sum dy h    dx = gamma / sigma (dy - dbeta / n - h dgamma / n)
 *
 * and dx = gamma / sigma dy where the statistics are constants.
 * Source: Ioffe and Szegedy, "Batch normalization", ICML 2015. SPDX-License-Identifier: Apache-2.0 */
#include "layers/batchnorm.h"

#include "layers/channel_sums.h"
#include "layers/layers.h"

#include <math.h>
#include <string.h>

enum {
    X = BATCHNORM_X,
    GAMMA = BATCHNORM_GAMMA,
    BETA = BATCHNORM_BETA,
    MEAN = BATCHNORM_MEAN,
    VARIANCE = BATCHNORM_VARIANCE,
    INPUTS = BATCHNORM_INPUTS
};

/* What forward leaves to backward and commit; arrays of C. */
typedef struct Kept {
    Real *mean, *invstd; /* of this forward */
    Real *variance;      /* unbiased, of the batch */
    Real *batch;         /* [1]: 1 statistics of the batch, 0 running ones */
} Kept;

/* Scratch of a call. */
typedef struct Shared {
    double *first, *second;  /* [RUN_CHUNKS][C] partial sums */
    Real *a, *b, *k, *pivot; /* [C] */
} Shared;

static size_t channels_of(const Run *r)
{
    return (size_t)shape_channels(r->in[X]->shape);
}

/* Rows of channels in one sample, and in the batch. */
static size_t rows_per_item(const Run *r)
{
    return shape_count(r->in[X]->shape) / (size_t)r->in[X]->shape.dim[0] / channels_of(r);
}

static size_t rows_of(const Run *r)
{
    return shape_count(r->in[X]->shape) / channels_of(r);
}

static Kept kept_of(const Run *r)
{
    size_t c = channels_of(r);
    Real *p = r->kept;
    return (Kept){p, p + c, p + 2 * c, p + 3 * c};
}

static Shared shared_of(const Run *r)
{
    size_t c = channels_of(r);
    double *sums = r->shared;
    Real *p = (Real *)(sums + 2 * RUN_CHUNKS * c);
    return (Shared){sums, sums + RUN_CHUNKS * c, p, p + c, p + 2 * c, p + 3 * c};
}

static const BatchnormOptions *options_of(const Node *n)
{
    return n->attributes;
}

static int infer(Node *n, Error *e)
{
    char text[SHAPE_TEXT_BYTES], other[SHAPE_TEXT_BYTES];
    const Value *x = n->in[X];
    const BatchnormOptions *o = options_of(n);
    if (x->shape.rank < 2 || x->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "batchnorm '%s': input %s is not real [N,...,C]",
                         n->name, shape_text(x->shape, text));
    for (int k = GAMMA; k < INPUTS; k++)
        if (!shape_equal(n->in[k]->shape, SHAPE1(shape_channels(x->shape))))
            return error_set(e, HONE_ERR_SHAPE, "batchnorm '%s': '%s' %s does not fit input %s",
                             n->name, n->in[k]->name, shape_text(n->in[k]->shape, other),
                             shape_text(x->shape, text));
    if (!(o->momentum >= 0 && o->momentum <= 1 && o->epsilon > 0))
        return error_set(e, HONE_ERR_CONFIG,
                         "batchnorm '%s': momentum %g is not in [0, 1] or epsilon %g not above 0",
                         n->name, o->momentum, o->epsilon);
    n->out[0]->shape = x->shape;
    return HONE_OK;
}

static void needs(const Run *r, Needs *needs)
{
    size_t c = channels_of(r);
    needs->kept = r->mode->training ? (3 * c + 1) * sizeof(Real) : 0;
    needs->shared = 2 * RUN_CHUNKS * c * sizeof(double) + 4 * c * sizeof(Real);
    needs->worker = 2 * c * sizeof(Real);
}

/* ---- sums over the batch ---- */

/* Sums over the rows of samples [begin, end): of x about the pivot, or with grads of dy and dy x. */
static void sum_items(const Run *r, int chunk, int begin, int end, int worker, bool grads)
{
    const Kernels *k = r->compute->real;
    size_t c = channels_of(r), row = (size_t)begin * rows_per_item(r);
    size_t last = (size_t)end * rows_per_item(r);
    Shared s = shared_of(r);
    ChannelSums sums;
    channel_sums_begin(&sums, c, run_worker(r, worker), s.first + (size_t)chunk * c,
                       s.second + (size_t)chunk * c);
    while (row < last) {
        size_t n = channel_sums_piece(&sums, last - row);
        const Real *x = (const Real *)r->in[X]->data + row * c;
        if (grads)
            k->channel_grad_sums(n, (int)c, r->out[0]->grad + row * c, x, s.pivot, sums.real,
                                 sums.real + c);
        else
            k->channel_moments(n, (int)c, x, s.pivot, sums.real, sums.real + c);
        channel_sums_added(&sums, n);
        row += n;
    }
    channel_sums_end(&sums);
}

static void moment_items(const Run *r, int chunk, int begin, int end, int worker)
{
    sum_items(r, chunk, begin, end, worker, false);
}

static void grad_sum_items(const Run *r, int chunk, int begin, int end, int worker)
{
    sum_items(r, chunk, begin, end, worker, true);
}

/* Leaves the totals in s.first and s.second. */
static void sum_batch(const Run *r, const Real *pivot, RunFn fn)
{
    size_t c = channels_of(r);
    Shared s = shared_of(r);
    int items = r->in[X]->shape.dim[0];
    memcpy(s.pivot, pivot, c * sizeof *pivot);
    run_chunks(r, items, fn);
    channel_sums_total(c, run_chunk_count(items), s.first, s.second);
}

/* ---- forward ---- */

static void batch_statistics(const Run *r, const double *first, const double *second,
                             const Real *pivot)
{
    size_t c = channels_of(r);
    double n = (double)rows_of(r), epsilon = options_of(r->node)->epsilon;
    Kept kept = kept_of(r);
    for (size_t i = 0; i < c; i++) {
        double shift = first[i] / n, variance = second[i] / n - shift * shift;
        variance = variance < 0 ? 0 : variance; /* rounding; a NaN stays */
        kept.mean[i] = (Real)((double)pivot[i] + shift);
        kept.invstd[i] = (Real)(1 / sqrt(variance + epsilon));
        kept.variance[i] = (Real)(n > 1 ? variance * n / (n - 1) : variance);
    }
}

static void running_statistics(const Run *r)
{
    size_t c = channels_of(r);
    double epsilon = options_of(r->node)->epsilon;
    Kept kept = kept_of(r);
    const Real *mean = r->in[MEAN]->data, *variance = r->in[VARIANCE]->data;
    for (size_t i = 0; i < c; i++) {
        kept.mean[i] = mean[i];
        kept.invstd[i] = (Real)(1 / sqrt((double)variance[i] + epsilon));
    }
}

static void affine(const Node *n, const Real *const *inputs, Real *a, Real *b)
{
    double epsilon = options_of(n)->epsilon;
    int c = shape_channels(n->in[X]->shape);
    for (int i = 0; i < c; i++) {
        double slope = (double)inputs[GAMMA][i] / sqrt((double)inputs[VARIANCE][i] + epsilon);
        a[i] = (Real)slope;
        b[i] = (Real)((double)inputs[BETA][i] - (double)inputs[MEAN][i] * slope);
    }
}

void batchnorm_map(const Run *r, const double *first, const double *second, const Real *pivot,
                   Real *a, Real *b)
{
    size_t c = channels_of(r);
    Kept kept = kept_of(r);
    const Real *gamma = r->in[GAMMA]->data, *beta = r->in[BETA]->data;
    kept.batch[0] = first ? 1 : 0;
    if (first)
        batch_statistics(r, first, second, pivot);
    else
        running_statistics(r);
    for (size_t i = 0; i < c; i++) {
        a[i] = gamma[i] * kept.invstd[i];
        b[i] = (Real)((double)beta[i] - (double)kept.mean[i] * (double)a[i]);
    }
}

const Real *batchnorm_mean(const Run *r)
{
    return kept_of(r).mean;
}

static void affine_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    size_t c = channels_of(r), rows = rows_per_item(r), at = (size_t)begin * rows * c;
    Shared s = shared_of(r);
    r->compute->real->channel_affine((size_t)(end - begin) * rows, (int)c,
                                     (const Real *)r->in[X]->data + at, s.a, s.b,
                                     (Real *)r->out[0]->data + at);
}

static void forward(const Run *r)
{
    Shared s = shared_of(r);
    if (r->mode->training && r->control->freeze_batchnorm) {
        batchnorm_map(r, NULL, NULL, NULL, s.a, s.b);
    } else if (r->mode->training) {
        const Real *first_row = r->in[X]->data;
        sum_batch(r, first_row, moment_items);
        batchnorm_map(r, s.first, s.second, first_row, s.a, s.b);
    } else {
        const Real *inputs[INPUTS];
        for (int k = 0; k < INPUTS; k++)
            inputs[k] = r->in[k]->data;
        affine(r->node, inputs, s.a, s.b);
    }
    run_chunks(r, r->in[X]->shape.dim[0], affine_items);
}

/* ---- backward ---- */

static void grad_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    size_t c = channels_of(r), rows = rows_per_item(r), at = (size_t)begin * rows * c;
    Shared s = shared_of(r);
    r->compute->real->channel_grad((size_t)(end - begin) * rows, (int)c, r->out[0]->grad + at,
                                   (const Real *)r->in[X]->data + at, s.a, s.b, s.k,
                                   r->accumulate[X], r->in[X]->grad + at);
}

static void give(const Run *r, int k, size_t i, double d)
{
    if (r->want[k])
        r->in[k]->grad[i] = (Real)(r->accumulate[k] ? (double)r->in[k]->grad[i] + d : d);
}

void batchnorm_grad_slope(const Run *r, Real *a)
{
    Kept kept = kept_of(r);
    const Real *gamma = r->in[GAMMA]->data;
    for (size_t i = 0, c = channels_of(r); i < c; i++)
        a[i] = (Real)((double)gamma[i] * (double)kept.invstd[i]);
}

void batchnorm_grad_map(const Run *r, const double *first, const double *second, Real *a, Real *b,
                        Real *k)
{
    size_t c = channels_of(r);
    double n = (double)rows_of(r);
    Kept kept = kept_of(r);
    const Real *gamma = r->in[GAMMA]->data;
    for (size_t i = 0; i < c; i++) {
        double invstd = (double)kept.invstd[i], slope = (double)gamma[i] * invstd;
        double dbeta = first[i], dgamma = second[i] * invstd;
        double of_x = kept.batch[0] > 0 ? -slope * invstd * dgamma / n : 0;
        double rest = kept.batch[0] > 0 ? -slope * dbeta / n - of_x * (double)kept.mean[i] : 0;
        a[i] = (Real)slope;
        b[i] = (Real)of_x;
        k[i] = (Real)rest;
        give(r, GAMMA, i, dgamma);
        give(r, BETA, i, dbeta);
    }
}

static void backward(const Run *r)
{
    Shared s = shared_of(r);
    sum_batch(r, batchnorm_mean(r), grad_sum_items);
    batchnorm_grad_map(r, s.first, s.second, s.a, s.b, s.k);
    if (r->want[X])
        run_chunks(r, r->in[X]->shape.dim[0], grad_items);
}

static void commit(const Run *r)
{
    if (!r->mode->training || r->control->freeze_batchnorm || kept_of(r).batch[0] <= 0)
        return;
    Kept kept = kept_of(r);
    double m = r->control->batchnorm_momentum;
    if (m <= 0)
        m = options_of(r->node)->momentum;
    Real *mean = r->in[MEAN]->data, *variance = r->in[VARIANCE]->data;
    for (size_t i = 0, c = channels_of(r); i < c; i++) {
        mean[i] = (Real)((1 - m) * (double)mean[i] + m * (double)kept.mean[i]);
        variance[i] = (Real)((1 - m) * (double)variance[i] + m * (double)kept.variance[i]);
    }
}

const Op op_batchnorm = {
    .name = "batchnorm",
    .flags = OP_INPLACE_DATA | OP_INPLACE_GRAD, /* data only in evaluation: backward reads x */
    .reads = OP_IN(X) | OP_IN(GAMMA),
    .grads = OP_IN(X) | OP_IN(GAMMA) | OP_IN(BETA),
    .outputs = 1,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .commit = commit,
    .affine = affine,
};

static Value *state_of(Graph *g, const char *name, const char *what, int channels, ParamRole role,
                       double init)
{
    const char *full = arena_printf(&g->arena, "%s.%s", name, what);
    if (!full) {
        error_memory(&g->error, "the graph", 0);
        return NULL;
    }
    return graph_param(g, full, SHAPE1(channels), role, (Init){init, 0});
}

Value *layer_batchnorm(Graph *g, const char *name, Value *x, const BatchnormOptions *o)
{
    if (!x)
        return NULL;
    BatchnormOptions options = o ? *o : (BatchnormOptions){0};
    options.momentum = options.momentum > 0 ? options.momentum : 0.1;
    options.epsilon = options.epsilon > 0 ? options.epsilon : 1e-3;
    int c = shape_channels(x->shape);
    Value *in[INPUTS] = {x};
    in[GAMMA] = state_of(g, name, "gamma", c, PARAM_GAMMA, 1);
    in[BETA] = state_of(g, name, "beta", c, PARAM_BETA, 0);
    in[MEAN] = state_of(g, name, "mean", c, PARAM_STATE, 0);
    in[VARIANCE] = state_of(g, name, "variance", c, PARAM_STATE, 1);
    Node *n = graph_node(g, &op_batchnorm, name, INPUTS, in, &options, sizeof options);
    return n ? n->out[0] : NULL;
}
