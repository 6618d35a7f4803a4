/* A network of fused nodes trains as its simple nodes do, and a layer whose inside is wanted stays
 * simple. Single layers are in test_fuse.c. SPDX-License-Identifier: Apache-2.0 */
#include "core/exec.h"
#include "core/rng.h"
#include "layers/layers.h"
#include "optim/optimizer.h"
#include "qat/fuse.h"
#include "qat/insert.h"
#include "qat/nodes.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEED = 20261123 };

typedef struct Trained {
    Graph graph;
    Params params;
    Compute compute;
    Value *image, *labels, *loss;
} Trained;

enum { BATCH = 20, SIDE = 8, CLASSES = 4, STEPS = 20 };

static Value *conv_bn(Graph *g, const char *name, Value *x, int channels, int kernel, int stride)
{
    char bn[32];
    snprintf(bn, sizeof bn, "%s.bn", name);
    const Conv2dOptions o = {
        .channels = channels, .kernel = {kernel, kernel}, .stride = {stride, stride}};
    return layer_batchnorm(g, bn, layer_conv2d(g, name, x, &o), NULL);
}

static void build_network(Trained *t)
{
    Graph *g = &t->graph;
    graph_init(g);
    t->image = graph_input(g, "image", SHAPE4(1, SIDE, SIDE, 3), ELEM_REAL);
    t->labels = graph_input(g, "labels", SHAPE1(1), ELEM_INT32);
    Value *x = layer_relu(g, "stem.relu", conv_bn(g, "stem", t->image, 8, 3, 1));
    Value *y = layer_relu6(g, "wide.relu", conv_bn(g, "wide", x, 24, 1, 1));
    y = layer_depthwise(g, "dw", y, &(Conv2dOptions){.kernel = {3, 3}});
    y = layer_relu6(g, "dw.relu", layer_batchnorm(g, "dw.bn", y, NULL));
    x = layer_relu(g, "sum.relu", layer_add(g, "sum", x, conv_bn(g, "narrow", y, 8, 1, 1)));
    x = layer_relu(g, "last.relu", conv_bn(g, "last", x, 16, 3, 2));
    Value *logits = layer_dense(g, "logits", layer_mean(g, "pool", x), CLASSES, true);
    t->loss = layer_softmax_xent(g, "loss", logits, t->labels, 0);
}

/* Classes differ in the mean of a channel: something to learn. */
static void fill(const Trained *t, Exec *x, uint64_t batch)
{
    Rng r = rng_at(SEED, RNG_TEST, 100 + batch, 0);
    Real *pixel = exec_tensor(x, t->image)->data;
    int32_t *labels = exec_tensor(x, t->labels)->data;
    for (int i = 0; i < BATCH; i++) {
        labels[i] = (int32_t)rng_below(&r, CLASSES);
        for (int k = 0; k < SIDE * SIDE * 3; k++)
            *pixel++ = ((Real)(int)rng_below(&r, 128) - 64 + (k % 3 == labels[i] ? 48 : 0)) / 128;
    }
}

static void train(double *losses, bool fuse, bool keep_inside)
{
    static const QatOptions qat = {.present = true,
                                   .weights = {8, QAT_PER_CHANNEL},
                                   .activations = {8, OBSERVER_EMA, 0.9, true}};
    static const OptimizerOptions sgd = {.lr = 0.05, .momentum = 0.9};
    Trained t = {0};
    Optimizer *o;
    Exec *x;
    Error e = {0};
    build_network(&t);
    ck_assert_int_eq(qat_insert(&t.graph, &qat, &e), HONE_OK);
    ck_assert_int_eq(qat_fuse(&t.graph, &e), HONE_OK);
    ck_assert_int_eq(compute_open(&t.compute, 2, getenv("HONE_CPU"), &e), HONE_OK);
    ck_assert_int_eq(params_new(&t.params, &t.graph, 11, &e), HONE_OK);
    ck_assert_int_eq(optimizer_new(&o, &sgd, &t.graph, &e), HONE_OK);
    const Value *inside = graph_find_node(&t.graph, "wide.bn")->out[0];
    for (int phase = 0; phase < 2; phase++) {
        const ExecOptions how = {
            .mode = phase == 0 ? (Mode){.observe = true}
                               : (Mode){.training = true, .quantize = true, .fuse = fuse},
            .batch = BATCH,
            .compute = &t.compute,
            .keep = &inside,
            .keep_count = keep_inside};
        ck_assert_msg(exec_new(&x, &t.graph, &t.params, &how, &e) == HONE_OK, "%s", e.text);
        for (int s = 0; s < STEPS; s++) {
            fill(&t, x, (uint64_t)s);
            exec_forward(x);
            if (phase == 1) {
                losses[s] = (double)*(const Real *)exec_tensor(x, t.loss)->data;
                exec_backward(x);
                optimizer_step(o, &t.params, NULL, s + 1, sgd.lr, t.compute.threads);
            }
            exec_commit(x);
        }
        if (phase == 1) {
            ck_assert_int_eq(net_count_op(x, &op_fused_layer), fuse ? 6 - keep_inside : 0);
            ck_assert_int_eq(net_count_op(x, &op_fused_add), fuse);
            ck_assert_int_eq(net_count_op(x, &op_batchnorm), fuse ? keep_inside : 5);
        }
        exec_free(x);
    }
    optimizer_free(o);
    params_free(&t.params);
    compute_close(&t.compute);
    graph_release(&t.graph);
}

START_TEST(a_network_trains_alike)
{
    double simple[STEPS], fused[STEPS], kept[STEPS];
    train(simple, false, false);
    train(fused, true, false);
    train(kept, true, true); /* a layer whose batch-norm is asked for stays simple */
    for (int s = 0; s < STEPS; s++) {
        ck_assert_msg(fabs(simple[s] - fused[s]) <= 1e-3 * (1 + simple[s]),
                      "step %d: loss %.6f simple, %.6f fused", s, simple[s], fused[s]);
        ck_assert_msg(fabs(simple[s] - kept[s]) <= 1e-3 * (1 + simple[s]),
                      "step %d: loss %.6f simple, %.6f with one layer simple", s, simple[s],
                      kept[s]);
    }
    ck_assert_msg(fused[STEPS - 1] < 0.9 * fused[0], "loss %.3f to %.3f", fused[0],
                  fused[STEPS - 1]);
}
END_TEST

/* Additions: two convolutions, a block around itself on either side, and two whose inputs are still
 * needed. */
static Value *build_additions(Graph *g, Value *image)
{
    Value *x = conv_bn(g, "stem", image, 8, 3, 1);
    x = layer_relu(g, "two.relu",
                   layer_add(g, "two", conv_bn(g, "a", x, 8, 1, 1), conv_bn(g, "b", x, 8, 3, 1)));
    x = layer_add(g, "left", x, conv_bn(g, "d", conv_bn(g, "c", x, 8, 3, 1), 8, 3, 1));
    x = layer_add(g, "right", conv_bn(g, "f", conv_bn(g, "e", x, 8, 3, 1), 8, 3, 1), x);
    Value *p = conv_bn(g, "p", x, 8, 1, 1), *q = conv_bn(g, "q", x, 8, 1, 1);
    Value *late = conv_bn(g, "late", p, 8, 3, 1);
    return layer_add(g, "over", layer_add(g, "added", p, q), late);
}

static const Real *grad_of(const Net *t, const char *add, int k)
{
    return net_tensor(t, graph_find_node(&t->graph, add)->in[k])->grad;
}

/* Three steps, until ranges are those of the images. */
static void run_additions(Net *t, bool plan)
{
    static const QatOptions qat = {.present = true,
                                   .weights = {8, QAT_PER_CHANNEL},
                                   .activations = {8, OBSERVER_EMA, 0.9, true}};
    Error e = {0};
    net_init(t);
    Value *image = graph_input(&t->graph, "image", SHAPE4(1, SIDE, SIDE, 3), ELEM_REAL);
    net_loss(&t->graph, "loss", build_additions(&t->graph, image));
    ck_assert_int_eq(qat_insert(&t->graph, &qat, &e), HONE_OK);
    ck_assert_int_eq(qat_fuse(&t->graph, &e), HONE_OK);
    net_compile(t, &(NetOptions){.mode = {.training = true, .quantize = true, .fuse = true},
                                 .batch = BATCH,
                                 .plan = plan});
    for (int s = 0; s < 3; s++) {
        net_random(t, image, 0, 0.4);
        exec_forward(t->exec);
        exec_backward(t->exec);
        exec_commit(t->exec);
    }
}

/* Both inputs of an addition get one gradient where that changes no number. */
START_TEST(additions_share_gradients)
{
    Net kept, planned;
    run_additions(&kept, false);
    run_additions(&planned, true);
    ck_assert_int_eq(net_count_op(planned.exec, &op_fused_add), 5);
    static const struct {
        const char *add;
        bool shared;
    } cases[] = {{"two", true}, {"left", true}, {"right", true}, {"added", false}, {"over", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *add = cases[i].add;
        ck_assert_msg(grad_of(&kept, add, 0) != grad_of(&kept, add, 1), "%s", add);
        ck_assert_msg((grad_of(&planned, add, 0) == grad_of(&planned, add, 1)) == cases[i].shared,
                      "%s", add);
    }
    for (size_t i = 0; i < kept.graph.trained_count; i++)
        ck_assert_msg(kept.params.grad[i] == planned.params.grad[i], "gradient %zu: %g, not %g", i,
                      (double)planned.params.grad[i], (double)kept.params.grad[i]);
    net_release(&kept);
    net_release(&planned);
}
END_TEST

Suite *suite_fuse_net(void)
{
    Suite *s = suite_create("fuse_net");
    TCase *t = tcase_create("fuse_net");
    tcase_add_test(t, a_network_trains_alike);
    tcase_add_test(t, additions_share_gradients);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
