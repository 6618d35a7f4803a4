/* Gradient checks: see gradcheck.h.
 *
 * Numeric: the five-point rule (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h, whose error is of order
 * h^4; with h = 1e-3 rounding and truncation are both near 1e-11 of numbers around 1. The floor of
 * the denominator is 1e-3 of the parameter's largest gradient, so that an element near zero is
 * judged by its neighbours' size. SPDX-License-Identifier: Apache-2.0 */
#include "tests/gradcheck.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP 1e-3

/* ---- the test's own ops ---- */

static int identity_infer(Node *n, Error *e)
{
    (void)e;
    n->out[0]->shape = n->in[0]->shape;
    return HONE_OK;
}

static void identity_forward(const Run *r)
{
    memcpy(r->out[0]->data, r->in[0]->data, shape_count(r->in[0]->shape) * sizeof(Real));
}

static void identity_backward(const Run *r)
{
    size_t n = shape_count(r->in[0]->shape);
    for (size_t i = 0; i < n; i++)
        r->in[0]->grad[i] = r->out[0]->grad[i] + (r->accumulate[0] ? r->in[0]->grad[i] : 0);
}

static const Op op_identity = {
    .name = "identity",
    .grads = OP_IN(0),
    .outputs = 1,
    .infer = identity_infer,
    .forward = identity_forward,
    .backward = identity_backward,
};

/* Fixed weights in +-[0.5, 1.5), without a pattern in i. */
static double weight(size_t i)
{
    uint32_t h = (uint32_t)(i + 1) * 2654435761u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    double size = 0.5 + (double)(h >> 1 & 0xffff) / 65536;
    return h & 1 ? size : -size;
}

static int weighted_sum_infer(Node *n, Error *e)
{
    (void)e;
    n->out[0]->shape = (Shape){0};
    n->out[0]->batched = false;
    return HONE_OK;
}

/* Of codes in steps of their grid: only the gradient is looked at then. */
static void weighted_sum_forward(const Run *r)
{
    const Tensor *x = r->in[0];
    size_t n = shape_count(x->shape);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double v = x->elem == ELEM_REAL ? (double)((const Real *)x->data)[i]
                                        : ((const int8_t *)x->data)[i] - run_zero_point(x);
        sum += weight(i) * v;
    }
    *(Real *)r->out[0]->data = (Real)sum;
}

static void weighted_sum_backward(const Run *r)
{
    size_t n = shape_count(r->in[0]->shape);
    Real *dx = r->in[0]->grad;
    for (size_t i = 0; i < n; i++)
        dx[i] = (Real)weight(i) * r->out[0]->grad[0] + (r->accumulate[0] ? dx[i] : 0);
}

static const Op op_weighted_sum = {
    .name = "weighted_sum",
    .flags = OP_LOSS,
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 1,
    .infer = weighted_sum_infer,
    .forward = weighted_sum_forward,
    .backward = weighted_sum_backward,
};

Value *gradcheck_source(Graph *g, const char *name, Shape shape, double mean, double deviation)
{
    Value *p = graph_param(g, name, shape, PARAM_WEIGHT, (Init){mean, deviation});
    char *node = arena_printf(&g->arena, "%s.identity", name);
    ck_assert_ptr_nonnull(node);
    Node *n = graph_node(g, &op_identity, node, 1, &p, NULL, 0);
    return n ? n->out[0] : NULL;
}

Real *gradcheck_at(const Graph *g, const Params *p, const char *name)
{
    const Param *param = graph_find_param(g, name);
    ck_assert_msg(param != NULL, "no parameter '%s'", name);
    return params_at(p, param);
}

/* ---- building ---- */

/* A case in memory. */
typedef struct Bench {
    Graph graph;
    Params params;
    Compute compute;
    Exec *exec;
} Bench;

static void add_loss(Graph *g, Value *v)
{
    char *name = arena_printf(&g->arena, "sum of %s", v->name);
    ck_assert_ptr_nonnull(name);
    graph_node(g, &op_weighted_sum, name, 1, &v, NULL, 0);
}

static void build(Graph *g, const GradCase *c, bool second_consumers)
{
    Value *y = c->build(g);
    Error e = {0};
    ck_assert_msg(graph_failed(g, &e) == HONE_OK, "%s: %s", c->name, e.text);
    ck_assert_ptr_nonnull(y);
    bool present = false;
    for (int i = 0; i < g->node_count; i++)
        present = present || g->nodes[i]->op == c->op;
    ck_assert_msg(present, "%s: the graph has no %s", c->name, c->op->name);
    int values = g->value_count;
    if (!(y->producer->op->flags & OP_LOSS))
        add_loss(g, y);
    for (int i = 0; i < values && second_consumers; i++) {
        Value *v = g->values[i];
        if (v->kind == VALUE_PARAM || (v->producer && v->producer->op == &op_identity))
            add_loss(g, v);
    }
    ck_assert_msg(graph_failed(g, &e) == HONE_OK, "%s: %s", c->name, e.text);
}

/* Integer inputs (labels) get the numbers -1, 0, 1, 2, -1, ... */
static void fill_labels(const Bench *b)
{
    for (int i = 0; i < b->graph.value_count; i++) {
        const Value *v = b->graph.values[i];
        const Tensor *t = v->kind == VALUE_INPUT ? exec_tensor(b->exec, v) : NULL;
        if (t && t->elem == ELEM_INT32)
            for (size_t k = 0; k < shape_count(t->shape); k++)
                ((int32_t *)t->data)[k] = (int32_t)(k % 4) - 1;
    }
}

static void bench_open(Bench *b, const GradCase *c, bool second_consumers, bool keep_all,
                       int threads)
{
    Error e = {0};
    *b = (Bench){0};
    graph_init(&b->graph);
    build(&b->graph, c, second_consumers);
    ck_assert_msg(params_new(&b->params, &b->graph, 7, &e) == HONE_OK, "%s", e.text);
    if (c->prepare)
        c->prepare(&b->graph, &b->params);
    ck_assert_msg(compute_open(&b->compute, threads, getenv("HONE_CPU"), &e) == HONE_OK, "%s",
                  e.text);
    ExecOptions o = {.mode = {.training = true, .quantize = c->quantize},
                     .batch = 1,
                     .compute = &b->compute,
                     .keep_all = keep_all};
    ck_assert_msg(exec_new(&b->exec, &b->graph, &b->params, &o, &e) == HONE_OK, "%s: %s", c->name,
                  e.text);
    exec_control(b->exec)->freeze_batchnorm = c->freeze;
    fill_labels(b);
}

static void bench_close(Bench *b)
{
    exec_free(b->exec);
    compute_close(&b->compute);
    params_free(&b->params);
    graph_release(&b->graph);
}

/* Forward, and the sum of all losses. */
static double loss_of(const Bench *b)
{
    exec_forward(b->exec);
    double sum = 0;
    for (int i = 0; i < exec_run_count(b->exec); i++) {
        const Run *r = exec_run(b->exec, i);
        if (r->node->op->flags & OP_LOSS)
            sum += (double)*(const Real *)r->out[0]->data;
    }
    return sum;
}

/* Gradients of one step; the block starts as NaN, so that an element nobody writes is found. */
static double step(const Bench *b)
{
    for (size_t i = 0; i < b->graph.trained_count; i++)
        b->params.grad[i] = (Real)NAN;
    double loss = loss_of(b);
    exec_backward(b->exec);
    return loss;
}

/* ---- comparing ---- */

static double difference(const Bench *b, Real *x)
{
    const Real was = *x;
    double f[5] = {0};
    for (int k = -2; k <= 2; k++) {
        if (k == 0)
            continue;
        *x = (Real)((double)was + k * STEP);
        f[k + 2] = loss_of(b);
    }
    *x = was;
    return (8 * (f[3] - f[1]) - (f[4] - f[0])) / (12 * STEP);
}

static double expected(const Bench *b, const GradCase *c, const Param *p, size_t i, bool extra)
{
    Real *x = params_at(&b->params, p) + i;
    if (!c->slope)
        return difference(b, x);
    /* The parameter itself and its identity are summed once more each. */
    return weight(i) * (c->slope(i, (double)*x) + (extra ? 2 : 0));
}

static void compare(const Bench *b, const GradCase *c, const Param *p, const char *form, bool extra,
                    GradResult *worst)
{
    double *numeric = calloc(p->count, sizeof *numeric), largest = 0;
    ck_assert_ptr_nonnull(numeric);
    for (size_t i = 0; i < p->count; i++) {
        numeric[i] = expected(b, c, p, i, extra);
        largest = fmax(largest, fabs(numeric[i]));
    }
    for (size_t i = 0; i < p->count; i++) {
        double a = (double)b->params.grad[p->offset + i], n = numeric[i];
        double scale = fmax(fmax(fabs(a), fabs(n)), fmax(1e-3 * largest, 1e-4));
        double error = fabs(a - n) / scale;
        if (!(error <= worst->error)) { /* a NaN is the worst */
            worst->error = isnan(error) ? INFINITY : error;
            snprintf(worst->where, sizeof worst->where,
                     "%s, %s: '%s'[%zu] is %.12g, expected %.12g", c->name, form, p->name, i, a, n);
        }
    }
    free(numeric);
}

static void run_form(const GradCase *c, const char *form, bool extra, bool keep_all,
                     GradResult *worst)
{
    Bench b;
    bench_open(&b, c, extra, keep_all, 1);
    step(&b);
    for (int i = 0; i < b.graph.param_count; i++) {
        const Param *p = b.graph.params[i];
        if (p->role != PARAM_STATE && (i == 0 || !c->slope))
            compare(&b, c, p, form, extra, worst);
    }
    bench_close(&b);
}

GradResult gradcheck(const GradCase *c)
{
    GradResult worst = {0};
    run_form(c, "overwriting", false, false, &worst);
    run_form(c, "memory apart", false, true, &worst);
    run_form(c, "adding", true, false, &worst);
    return worst;
}

void gradcheck_threads(const GradCase *c)
{
    Bench one, more;
    bench_open(&one, c, true, false, 1);
    double loss = step(&one);
    for (int threads = 2; threads <= 3; threads++) {
        bench_open(&more, c, true, false, threads);
        double again = step(&more);
        ck_assert_msg(memcmp(&loss, &again, sizeof loss) == 0,
                      "%s: loss %.17g with 1 thread, %.17g with %d", c->name, loss, again, threads);
        for (int i = 0; i < one.graph.param_count; i++) {
            const Param *p = one.graph.params[i];
            if (p->role != PARAM_STATE)
                ck_assert_msg(memcmp(one.params.grad + p->offset, more.params.grad + p->offset,
                                     p->count * sizeof(Real)) == 0,
                              "%s: gradient of '%s' depends on the number of threads (%d)", c->name,
                              p->name, threads);
        }
        bench_close(&more);
    }
    bench_close(&one);
}
