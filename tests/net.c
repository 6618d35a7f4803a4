/* A graph, compiled, for tests: see net.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/net.h"

#include <check.h>
#include <stdlib.h>

double net_loss_weight(size_t i)
{
    return ((int)(i * 7 % 11) - 5) * 0.125;
}

static int loss_infer(Node *n, Error *e)
{
    (void)e;
    n->out[0]->shape = (Shape){0};
    n->out[0]->batched = false;
    return HONE_OK;
}

static void loss_forward(const Run *r)
{
    *(Real *)r->out[0]->data = 0; /* nobody asks */
}

static void loss_backward(const Run *r)
{
    size_t n = shape_count(r->in[0]->shape);
    Real *dx = r->in[0]->grad;
    for (size_t i = 0; i < n; i++)
        dx[i] = (Real)net_loss_weight(i) + (r->accumulate[0] ? dx[i] : 0);
}

static const Op op_loss = {
    .name = "loss",
    .flags = OP_LOSS,
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 1,
    .infer = loss_infer,
    .forward = loss_forward,
    .backward = loss_backward,
};

Value *net_loss(Graph *g, const char *name, Value *y)
{
    Node *n = graph_node(g, &op_loss, name, 1, &y, NULL, 0);
    return n ? n->out[0] : NULL;
}

void net_init(Net *t)
{
    *t = (Net){.rng = rng_at(20261122, RNG_TEST, 0, 0)};
    graph_init(&t->graph);
}

void net_compile(Net *t, const NetOptions *o)
{
    Error e = {0};
    const char *level = o->level ? o->level : getenv("HONE_CPU");
    ck_assert_msg(graph_failed(&t->graph, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(params_new(&t->params, &t->graph, 5, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(compute_open(&t->compute, o->threads ? o->threads : 1, level, &e) == HONE_OK,
                  "%s", e.text);
    ExecOptions options = {.mode = o->mode,
                           .batch = o->batch ? o->batch : 1,
                           .compute = &t->compute,
                           .keep = &o->keep,
                           .keep_count = o->keep ? 1 : 0,
                           .keep_all = !o->plan,
                           .integer = o->integer};
    ck_assert_msg(exec_new(&t->exec, &t->graph, &t->params, &options, &e) == HONE_OK, "%s", e.text);
}

void net_release(Net *t)
{
    exec_free(t->exec);
    compute_close(&t->compute);
    params_free(&t->params);
    graph_release(&t->graph);
}

Tensor *net_tensor(const Net *t, const Value *v)
{
    Tensor *tensor = exec_tensor(t->exec, v);
    ck_assert_msg(tensor != NULL, "'%s' has no memory", v->name);
    return tensor;
}

Real *net_data(const Net *t, const Value *v)
{
    ck_assert_int_eq(net_tensor(t, v)->elem, ELEM_REAL);
    return net_tensor(t, v)->data;
}

int8_t *net_codes(const Net *t, const Value *v)
{
    ck_assert_int_eq(net_tensor(t, v)->elem, ELEM_CODE);
    return net_tensor(t, v)->data;
}

Real *net_param(const Net *t, const char *name)
{
    const Param *p = graph_find_param(&t->graph, name);
    ck_assert_msg(p != NULL, "no parameter '%s'", name);
    return params_at(&t->params, p);
}

void net_random(Net *t, const Value *v, double mean, double deviation)
{
    Real *x = net_data(t, v);
    for (size_t i = 0; i < shape_count(net_tensor(t, v)->shape); i++)
        x[i] = (Real)(float)(mean + deviation * rng_normal(&t->rng));
}

void net_near(const char *what, size_t i, double got, double want, double tolerance)
{
    ck_assert_msg(fabs(got - want) <= tolerance * fmax(1, fabs(want)), "%s[%zu] is %.9g, not %.9g",
                  what, i, got, want);
}

void net_all_near(const char *what, const Real *got, const double *want, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        net_near(what, i, (double)got[i], want[i], tolerance);
}

void net_refuses(Graph *g, const char *text)
{
    Error e = {0};
    ck_assert_int_ne(graph_failed(g, &e), HONE_OK);
    ck_assert_msg(strstr(e.text, text) != NULL, "'%s' does not say '%s'", e.text, text);
    graph_release(g);
    graph_init(g);
}

int net_count_op(const Exec *x, const Op *op)
{
    int count = 0;
    for (int i = 0; i < exec_run_count(x); i++)
        count += exec_run(x, i)->node->op == op;
    return count;
}
