/* See model_case.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/model_case.h"

#include "core/exec.h"
#include "core/option_value.h"
#include "core/rng.h"
#include "optim/optimizer.h"

#include <check.h>
#include <math.h>
#include <string.h>

/* Images that are not square or not in colour. */
static const struct {
    const char *arch;
    OptionInts input;
} inputs[] = {
    {"ds_cnn", {3, {49, 10, 1}}},
    {"lenet_300_100", {3, {28, 28, 1}}},
    {"lenet5", {3, {28, 28, 1}}},
    {"autoencoder", {3, {5, 128, 1}}},
};

ModelOptions model_case_options(const char *arch, int size, int classes, Arena *arena)
{
    ModelOptions o;
    Error e = {0};
    ck_assert_int_eq(option_defaults(&model_options, arch, &o, arena, &e), HONE_OK);
    o.input = (OptionInts){3, {size, size, 3}};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        if (strcmp(arch, inputs[i].arch) == 0)
            o.input = inputs[i].input;
    o.classes = classes;
    return o;
}

void model_case_build(Graph *g, Model *m, const ModelOptions *o)
{
    Error e = {0};
    graph_init(g);
    ck_assert_msg(model_build(g, o, &(LossOptions){.label_smoothing = 0.1}, m, &e) == HONE_OK, "%s",
                  e.text);
}

void model_case_refused(const ModelOptions *o, const char *text)
{
    Graph g;
    Model m;
    Error e = {0};
    graph_init(&g);
    ck_assert_int_lt(model_build(&g, o, NULL, &m, &e), 0);
    ck_assert_msg(strstr(e.text, text) != NULL, "'%s' does not contain '%s'", e.text, text);
    graph_release(&g);
}

void model_case_places(const Graph *g, const ModelPlace *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Node *n = graph_find_node(g, places[i].name);
        ck_assert_msg(n != NULL, "no layer '%s'", places[i].name);
        const Shape want = SHAPE4(1, places[i].height, places[i].height, places[i].channels);
        char got[SHAPE_TEXT_BYTES];
        ck_assert_msg(shape_equal(n->out[0]->shape, want), "'%s' is %s", places[i].name,
                      shape_text(n->out[0]->shape, got));
    }
}

enum { BATCH = 8 };

/* Gradient descent on one batch of noise; returns the last loss. */
static double learn(const Model *m, Params *p, Exec *x, Optimizer *o, int steps)
{
    const Tensor *image = exec_tensor(x, m->image);
    int32_t *labels = exec_tensor(x, m->labels)->data;
    double loss = 0;
    for (int t = 0; t < steps; t++) {
        /* The exec may use an input's memory for something else once it is read. */
        Rng r = rng_at(2, RNG_TEST, 0, 0);
        for (size_t i = 0; i < shape_count(image->shape); i++)
            ((Real *)image->data)[i] = (Real)(2 * rng_uniform(&r) - 1);
        for (int i = 0; i < BATCH; i++)
            labels[i] = i % 4;
        exec_forward(x);
        loss = *(const Real *)exec_tensor(x, m->loss)->data;
        exec_backward(x);
        exec_commit(x);
        optimizer_step(o, p, NULL, t + 1, 0.1, NULL);
    }
    return loss;
}

void model_case_learns(const ModelOptions *o, int steps)
{
    Graph g;
    Model m;
    Params p;
    Compute c;
    Exec *x;
    Error e = {0};
    graph_init(&g);
    ck_assert_msg(model_build(&g, o, NULL, &m, &e) == HONE_OK, "%s", e.text);
    ck_assert_int_eq(params_new(&p, &g, 1, &e), HONE_OK);
    ck_assert_int_eq(compute_open(&c, 1, NULL, &e), HONE_OK);
    Optimizer *sgd;
    ck_assert_int_eq(optimizer_new(&sgd, &(OptimizerOptions){.momentum = 0.2}, &g, &e), HONE_OK);
    ExecOptions options = {.mode = {.training = true}, .batch = BATCH, .compute = &c};
    ck_assert_msg(exec_new(&x, &g, &p, &options, &e) == HONE_OK, "%s", e.text);
    double first = learn(&m, &p, x, sgd, 1), last = learn(&m, &p, x, sgd, steps);
    ck_assert_msg(first > 0.7 * log((double)o->classes) && last < 0.1, "loss %g, then %g", first,
                  last);
    exec_free(x);
    optimizer_free(sgd);
    compute_close(&c);
    params_free(&p);
    graph_release(&g);
}
