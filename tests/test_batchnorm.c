/* Batch-norm: values, gradients and running statistics against PyTorch's numbers; statistics that are
 * frozen, far from zero, or still wanted after backward. SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>

static const double torch_x[8] = {1, -2, 3, 0.5, 4.5, 1, 0.25, 7};

static void torch_batchnorm(Net *t, bool training)
{
    const double dy[8] = {1, 2, -1, 0.5, 0.25, -3, 2, 1};
    net_init(t);
    Graph *g = &t->graph;
    Value *x = graph_param(g, "x", SHAPE2(4, 2), PARAM_WEIGHT, (Init){0, 0});
    Value *y = layer_batchnorm(g, "bn", x, NULL);
    net_loss(g, "loss", y);
    net_compile(t, &(NetOptions){.mode = {.training = training}});
    for (int i = 0; i < 8; i++)
        net_param(t, "x")[i] = (Real)torch_x[i];
    net_param(t, "bn.gamma")[0] = (Real)1.5;
    net_param(t, "bn.gamma")[1] = (Real)-0.5;
    net_param(t, "bn.beta")[0] = (Real)0.25;
    net_param(t, "bn.beta")[1] = 2;
    exec_forward(t->exec);
    if (!training)
        return;
    Tensor *out = net_tensor(t, y);
    const Run *r = exec_run(t->exec, 0);
    ck_assert_str_eq(r->node->name, "bn");
    for (int i = 0; i < 8; i++)
        out->grad[i] = (Real)dy[i];
    r->node->op->backward(r);
}

/* torch 1.13: BatchNorm1d(2, eps=1e-3, momentum=0.1) */
START_TEST(batchnorm_as_pytorch)
{
    const double y[8] = {-0.81564879, 2.54841518, 0.97912812,  2.17019773,
                         2.32521081,  2.09455419, -1.48869014, 1.18683243};
    const double dx[8] = {-0.11246334, -0.27660257, -1.05659473, -0.05454143,
                          0.703125,    0.47398910,  0.46593305,  -0.14284511};
    const double dgamma[2] = {-3.16890287, -0.17019785}, dbeta[2] = {2.25, 0.5};
    const double mean[2] = {0.21875, 0.1625}, variance[2] = {1.27239585, 2.35625005};
    Net t;
    torch_batchnorm(&t, true);
    net_all_near("y", exec_run(t.exec, 0)->out[0]->data, y, 8, 1e-6);
    net_all_near("dx", exec_run(t.exec, 0)->in[0]->grad, dx, 8, 1e-5);
    net_all_near("dgamma", exec_run(t.exec, 0)->in[1]->grad, dgamma, 2, 1e-6);
    net_all_near("dbeta", exec_run(t.exec, 0)->in[2]->grad, dbeta, 2, 1e-6);
    ck_assert(net_param(&t, "bn.mean")[0] == 0); /* not before the commit */
    exec_commit(t.exec);
    net_all_near("mean", net_param(&t, "bn.mean"), mean, 2, 1e-6);
    net_all_near("variance", net_param(&t, "bn.variance"), variance, 2, 1e-6);
    net_release(&t);
}
END_TEST

START_TEST(batchnorm_evaluates_running_statistics)
{
    Net t;
    torch_batchnorm(&t, false);
    Real a[2], b[2];
    const Node *n = graph_find_node(&t.graph, "bn");
    const Real *inputs[] = {NULL, net_param(&t, "bn.gamma"), net_param(&t, "bn.beta"),
                            net_param(&t, "bn.mean"), net_param(&t, "bn.variance")};
    net_param(&t, "bn.mean")[0] = (Real)0.21875;
    net_param(&t, "bn.variance")[0] = (Real)1.27239585;
    net_param(&t, "bn.mean")[1] = (Real)0.1625;
    net_param(&t, "bn.variance")[1] = (Real)2.35625005;
    exec_forward(t.exec);
    n->op->affine(n, inputs, a, b);
    const double y[8] = {1.28848338, 2.70424414, 3.94700074, 1.89008903,
                         5.94088888, 1.72725797, 0.29153934, -0.22671443};
    const Real *got = net_data(&t, n->out[0]);
    net_all_near("y", got, y, 8, 1e-6);
    for (int i = 0; i < 8; i++)
        ck_assert(got[i] == a[i % 2] * (Real)torch_x[i] + b[i % 2]);
    exec_commit(t.exec); /* evaluation moves nothing */
    ck_assert(net_param(&t, "bn.mean")[0] == (Real)0.21875);
    net_release(&t);
}
END_TEST

START_TEST(batchnorm_frozen)
{
    Net t;
    torch_batchnorm(&t, true);
    exec_control(t.exec)->freeze_batchnorm = true;
    exec_forward(t.exec);
    const Real *y = exec_run(t.exec, 0)->out[0]->data;
    for (int i = 0; i < 8; i++) {
        double gamma = i % 2 ? -0.5 : 1.5, beta = i % 2 ? 2 : 0.25;
        net_near("y", (size_t)i, (double)y[i], gamma / sqrt(1 + 1e-3) * torch_x[i] + beta, 1e-6);
    }
    exec_control(t.exec)->freeze_batchnorm = false; /* the forward was frozen: nothing to commit */
    exec_commit(t.exec);
    ck_assert(net_param(&t, "bn.mean")[0] == 0 && net_param(&t, "bn.variance")[0] == 1);
    exec_forward(t.exec);
    exec_control(t.exec)->freeze_batchnorm = true;
    exec_commit(t.exec);
    ck_assert(net_param(&t, "bn.mean")[0] == 0 && net_param(&t, "bn.variance")[0] == 1);
    net_release(&t);
}
END_TEST

/* A mean of 10000 deviations must not drown the variance in float. */
START_TEST(batchnorm_far_from_zero)
{
    Net t;
    net_init(&t);
    Value *x = graph_input(&t.graph, "x", SHAPE4(1, 16, 16, 3), ELEM_REAL);
    Value *y = layer_batchnorm(&t.graph, "bn", x, &(BatchnormOptions){.momentum = 1});
    net_loss(&t.graph, "loss", y);
    net_compile(&t, &(NetOptions){.mode = {.training = true}, .batch = 33});
    net_random(&t, x, 10000, 1);
    const Real *v = net_data(&t, x);
    size_t n = 33 * 16 * 16;
    exec_forward(t.exec);
    exec_commit(t.exec);
    for (size_t c = 0; c < 3; c++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < n; i++)
            mean += (double)v[3 * i + c] / (double)n;
        for (size_t i = 0; i < n; i++)
            square += ((double)v[3 * i + c] - mean) * ((double)v[3 * i + c] - mean);
        net_near("mean", c, (double)net_param(&t, "bn.mean")[c], mean, 1e-7);
        net_near("variance", c, (double)net_param(&t, "bn.variance")[c], square / (double)(n - 1),
                 1e-5);
    }
    net_release(&t);
}
END_TEST

/* What commit reads must survive the backward passes of the layers before. */
START_TEST(batchnorm_commit_after_backward)
{
    Real results[2][4];
    for (int plan = 0; plan < 2; plan++) {
        Net t;
        net_init(&t);
        Value *x = graph_input(&t.graph, "x", SHAPE2(1, 64), ELEM_REAL), *y = x;
        const char *names[] = {"a", "b", "c", "d"}, *adds[] = {"sa", "sb", "sc", "sd"};
        for (int i = 0; i < 4; i++)
            y = layer_add(&t.graph, adds[i], y, layer_batchnorm(&t.graph, names[i], y, NULL));
        net_loss(&t.graph, "loss", y);
        net_compile(&t,
                    &(NetOptions){.mode = {.training = true}, .batch = 3, .plan = plan, .keep = x});
        net_random(&t, x, 1, 2);
        for (int step = 0; step < 3; step++) {
            exec_forward(t.exec);
            exec_backward(t.exec);
            exec_commit(t.exec);
        }
        for (int i = 0; i < 4; i++) {
            char name[16];
            snprintf(name, sizeof name, "%s.variance", names[i]);
            results[plan][i] = net_param(&t, name)[3];
        }
        net_release(&t);
    }
    ck_assert_mem_eq(results[0], results[1], sizeof results[0]);
    ck_assert(results[0][3] != 1);
}
END_TEST

Suite *suite_batchnorm(void)
{
    Suite *s = suite_create("batchnorm");
    TCase *t = tcase_create("batchnorm");
    tcase_add_test(t, batchnorm_as_pytorch);
    tcase_add_test(t, batchnorm_evaluates_running_statistics);
    tcase_add_test(t, batchnorm_frozen);
    tcase_add_test(t, batchnorm_far_from_zero);
    tcase_add_test(t, batchnorm_commit_after_backward);
    suite_add_tcase(s, t);
    return s;
}
