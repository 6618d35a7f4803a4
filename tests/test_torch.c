/* Training against an implementation that is not ours: losses of ten steps and the first gradients of
 * a small network, from PyTorch in float64 (tests/oracle/torch_net.py has the network and the
 * formulas). In the double build the agreement is to 1e-8, in float to rounding.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/exec.h"
#include "layers/layers.h"
#include "optim/optimizer.h"
#include "tests/suites.h"
#include "tests/torch_fixture.h"

#include <math.h>

enum { BATCH = 6, STEPS = sizeof torch_losses / sizeof torch_losses[0], IMAGE = 12 * 12 * 3 };

static const double tolerance = sizeof(Real) == sizeof(double) ? 1e-8 : 1e-4;

/* scale * (u - 1/2), as the script's numbers(). */
static Real number(int64_t i, int64_t salt, double scale)
{
    int64_t u = (i * 7919 + salt * 104729 + 12345) * 48271 % 65536;
    return (Real)(scale * ((double)u / 65536 - 0.5));
}

typedef struct Net {
    Graph graph;
    Params params;
    Compute compute;
    Value *image, *labels, *loss;
    Optimizer *sgd;
    Exec *exec;
    Error e;
} Net;

static void build(Net *t)
{
    Graph *g = &t->graph;
    Conv2dOptions stem = {.channels = 8, .kernel = {3, 3}, .stride = {2, 2}};
    Conv2dOptions dw = {.kernel = {3, 3}}, point = {.channels = 8};
    graph_init(g);
    t->image = graph_input(g, "image", SHAPE4(1, 12, 12, 3), ELEM_REAL);
    t->labels = graph_input(g, "labels", SHAPE1(1), ELEM_INT32);
    Value *y = layer_batchnorm(g, "stem_bn", layer_conv2d(g, "stem", t->image, &stem), NULL);
    y = layer_relu(g, "stem_relu", y);
    Value *z = layer_batchnorm(g, "dw_bn", layer_depthwise(g, "dw", y, &dw), NULL);
    z = layer_relu6(g, "dw_relu", z);
    z = layer_batchnorm(g, "point_bn", layer_conv2d(g, "point", z, &point), NULL);
    z = layer_mean(g, "pool", layer_add(g, "sum", y, z));
    t->loss = layer_softmax_xent(g, "loss", layer_dense(g, "classes", z, 5, true), t->labels, 0.1);
    ck_assert_msg(graph_failed(g, &t->e) == HONE_OK, "%s", t->e.text);
}

static void set(Net *t, const char *name, int64_t salt, double scale, double base)
{
    const Param *p = graph_find_param(&t->graph, name);
    ck_assert_msg(p != NULL, "no parameter '%s'", name);
    for (size_t i = 0; i < p->count; i++)
        params_at(&t->params, p)[i] = (Real)base + number((int64_t)i, salt, scale);
}

static void open_net(Net *t, int threads)
{
    static const OptimizerOptions options = {
        .lr = 0.2, .momentum = 0.9, .nesterov = true, .weight_decay = 1e-2};
    *t = (Net){0};
    build(t);
    ck_assert_int_eq(compute_open(&t->compute, threads, NULL, &t->e), HONE_OK);
    ck_assert_int_eq(params_new(&t->params, &t->graph, 1, &t->e), HONE_OK);
    ck_assert_int_eq(optimizer_new(&t->sgd, &options, &t->graph, &t->e), HONE_OK);
    ExecOptions how = {.mode = {.training = true}, .batch = BATCH, .compute = &t->compute};
    ck_assert_int_eq(exec_new(&t->exec, &t->graph, &t->params, &how, &t->e), HONE_OK);
    set(t, "stem.weight", 1, 1, 0);
    set(t, "stem_bn.gamma", 2, 0.5, 1);
    set(t, "stem_bn.beta", 3, 0.5, 0);
    set(t, "dw.weight", 4, 1, 0);
    set(t, "dw_bn.gamma", 5, 4, 3);
    set(t, "dw_bn.beta", 6, 1, 2);
    set(t, "point.weight", 7, 1, 0);
    set(t, "point_bn.gamma", 8, 0.5, 1);
    set(t, "point_bn.beta", 9, 0.5, 0);
    set(t, "classes.weight", 10, 1, 0);
    set(t, "classes.bias", 11, 0.5, 0);
}

static void close_net(Net *t)
{
    exec_free(t->exec);
    optimizer_free(t->sgd);
    params_free(&t->params);
    graph_release(&t->graph);
    compute_close(&t->compute);
}

/* Forward and backward of one step; returns the loss. */
static double run_step(Net *t, int step)
{
    Real *x = exec_tensor(t->exec, t->image)->data;
    int32_t *labels = exec_tensor(t->exec, t->labels)->data;
    for (int i = 0; i < BATCH * IMAGE; i++)
        x[i] = number(i, 100 + step, 2);
    for (int i = 0; i < BATCH; i++)
        labels[i] = (7 * i + 3 * step) % 5;
    exec_forward(t->exec);
    exec_backward(t->exec);
    return (double)*(Real *)exec_tensor(t->exec, t->loss)->data;
}

START_TEST(gradients_of_the_first_step)
{
    Net t;
    open_net(&t, 2);
    run_step(&t, 0);
    for (size_t k = 0; k < sizeof torch_gradients / sizeof torch_gradients[0]; k++) {
        const Param *p = graph_find_param(&t.graph, torch_gradients[k].name);
        const Real *g = t.params.grad + p->offset;
        double sum = 0, squares = 0, dot = 0, norm = torch_gradients[k].norm;
        for (size_t i = 0; i < p->count; i++) {
            sum += (double)g[i];
            squares += (double)g[i] * (double)g[i];
            dot += (double)g[i] * (double)number((int64_t)i, 50, 1);
        }
        double room = tolerance * norm * sqrt((double)p->count);
        ck_assert_msg(fabs(sum - torch_gradients[k].sum) <= room, "%s: sum %.9g, PyTorch %.9g",
                      p->name, sum, torch_gradients[k].sum);
        ck_assert_msg(fabs(sqrt(squares) - norm) <= room, "%s: norm %.9g, PyTorch %.9g", p->name,
                      sqrt(squares), norm);
        ck_assert_msg(fabs(dot - torch_gradients[k].dot) <= room, "%s: dot %.9g, PyTorch %.9g",
                      p->name, dot, torch_gradients[k].dot);
    }
    close_net(&t);
}
END_TEST

START_TEST(losses_of_ten_steps)
{
    Net t;
    open_net(&t, 1 + _i);
    for (int step = 0; step < STEPS; step++) {
        double loss = run_step(&t, step);
        ck_assert_msg(fabs(loss - torch_losses[step]) <= 10 * tolerance,
                      "step %d: loss %.9g, PyTorch %.9g", step, loss, torch_losses[step]);
        optimizer_step(t.sgd, &t.params, NULL, step + 1, 0.2, t.compute.threads);
        exec_commit(t.exec);
    }
    close_net(&t);
}
END_TEST

Suite *suite_gradtorch(void)
{
    Suite *s = suite_create("gradtorch");
    TCase *c = tcase_create("torch");
    tcase_add_test(c, gradients_of_the_first_step);
    tcase_add_loop_test(c, losses_of_ten_steps, 0, 3);
    suite_add_tcase(s, c);
    return s;
}
