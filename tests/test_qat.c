/* The quantization pass and folding: what is inserted where, who shares a grid, what is refused, and
 * the folded integers against their definition. That the integers compute what the trained graph
 * computes is test_prove.c's subject. SPDX-License-Identifier: Apache-2.0 */
#include "core/exec.h"
#include "core/rng.h"
#include "layers/layers.h"
#include "optim/optimizer.h"
#include "qat/insert.h"
#include "qat/integer.h"
#include "qat/nodes.h"
#include "tests/suites.h"
#include "trainer/config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 6, CHANNELS = 4, CLASSES = 3, BATCH = 20 };

typedef struct Net {
    Graph graph;
    Params params;
    Compute compute;
    Value *image, *labels, *logits, *loss;
    Error e;
} Net;

static const QatOptions defaults = {
    .present = true, .weights = {8, QAT_PER_CHANNEL}, .activations = {8, OBSERVER_EMA, 0.9, true}};

/* image > stem (conv, bn, relu) > right (conv, bn) --+
 *                      |                            sum > relu > pool > logits
 *                      +-----------------------------+  */
static void build(Net *t)
{
    Graph *g = &t->graph;
    *t = (Net){0};
    graph_init(g);
    Conv2dOptions conv = {.channels = CHANNELS, .kernel = {3, 3}, .bias = true};
    t->image = graph_input(g, "image", SHAPE4(1, SIDE, SIDE, 3), ELEM_REAL);
    t->labels = graph_input(g, "labels", SHAPE1(1), ELEM_INT32);
    Value *x = layer_batchnorm(g, "stem.bn", layer_conv2d(g, "stem", t->image, &conv), NULL);
    x = layer_relu(g, "stem.relu", x);
    Value *y = layer_batchnorm(g, "right.bn", layer_conv2d(g, "right", x, &conv), NULL);
    x = layer_relu(g, "sum.relu", layer_add(g, "sum", x, y));
    t->logits = layer_dense(g, "logits", layer_mean(g, "pool", x), CLASSES, true);
    t->loss = layer_softmax_xent(g, "loss", t->logits, t->labels, 0);
    ck_assert_msg(graph_failed(g, &t->e) == HONE_OK, "%s", t->e.text);
}

static void insert(Net *t, const QatOptions *o)
{
    ck_assert_msg(qat_insert(&t->graph, o, &t->e) == HONE_OK, "%s", t->e.text);
}

static void open_params(Net *t, int threads)
{
    ck_assert_int_eq(compute_open(&t->compute, threads, NULL, &t->e), HONE_OK);
    ck_assert_int_eq(params_new(&t->params, &t->graph, 7, &t->e), HONE_OK);
}

static void close_net(Net *t)
{
    params_free(&t->params);
    graph_release(&t->graph);
    compute_close(&t->compute);
}

static void fill(const Net *t, Exec *x, uint64_t step)
{
    Rng r = rng_at(5, RNG_TEST, step, 0);
    Real *pixels = exec_tensor(x, t->image)->data;
    int32_t *labels = exec_tensor(x, t->labels)->data;
    for (int i = 0; i < BATCH * SIDE * SIDE * 3; i++)
        pixels[i] = ((Real)(int)rng_below(&r, 256) - 128) / 128;
    for (int i = 0; i < BATCH; i++)
        labels[i] = (int32_t)rng_below(&r, CLASSES);
}

static Exec *compile(Net *t, Mode mode)
{
    const Value *keep[] = {t->logits};
    ExecOptions o = {
        .mode = mode, .batch = BATCH, .compute = &t->compute, .keep = keep, .keep_count = 1};
    Exec *x;
    ck_assert_msg(exec_new(&x, &t->graph, &t->params, &o, &t->e) == HONE_OK, "%s", t->e.text);
    return x;
}

static void calibrate(Net *t)
{
    Exec *x = compile(t, (Mode){.observe = true});
    for (uint64_t step = 0; step < 3; step++) {
        fill(t, x, step);
        exec_forward(x);
        exec_commit(x);
    }
    exec_free(x);
}

static const QuantLayer *layer(const Net *t, const char *name)
{
    const Node *n = graph_find_node(&t->graph, name);
    ck_assert_msg(n && qat_layer(n), "'%s' is no quantized layer", name);
    return qat_layer(n);
}

static bool refused(Net *t, const QatOptions *o, const char *sentence)
{
    Error e = {0};
    ck_assert_int_eq(qat_insert(&t->graph, o, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, sentence);
    graph_release(&t->graph);
    return true;
}

START_TEST(layers_are_grouped)
{
    Net t;
    build(&t);
    insert(&t, &defaults);
    const QuantLayer *stem = layer(&t, "stem"), *right = layer(&t, "right"),
                     *sum = layer(&t, "sum");
    ck_assert_str_eq(stem->affine->name, "stem.bn");
    ck_assert_str_eq(stem->activation->name, "stem.relu");
    ck_assert_str_eq(right->last->name, "right.bn");
    ck_assert_ptr_null(right->activation);
    ck_assert_str_eq(sum->activation->name, "sum.relu");
    ck_assert_ptr_null(sum->weights);
    ck_assert_ptr_nonnull(layer(&t, "pool"));
    ck_assert_ptr_nonnull(layer(&t, "logits")->weights);
    /* Readers get the codes; the loss gets real numbers again. */
    ck_assert_ptr_eq(right->anchor->in[0], stem->output->out[0]);
    ck_assert_ptr_eq(sum->anchor->in[1], right->output->out[0]);
    const Node *loss = graph_find_node(&t.graph, "loss");
    ck_assert_str_eq(loss->in[0]->producer->op->name, "dequantize");
    ck_assert_ptr_eq(integer_source(loss->in[0]), layer(&t, "logits")->anchor->out[0]);
    for (int i = 0; i < t.graph.node_count; i++) /* still in topological order */
        for (int k = 0; k < t.graph.nodes[i]->inputs; k++)
            if (t.graph.nodes[i]->in[k]->producer)
                ck_assert_int_lt(t.graph.nodes[i]->in[k]->producer->index, i);
    graph_release(&t.graph);
}
END_TEST

START_TEST(an_add_shares_its_inputs_grid)
{
    Net t;
    QatOptions o = defaults;
    o.activations.share_inputs = _i == 0;
    build(&t);
    insert(&t, &o);
    const Value *a = layer(&t, "stem")->output->out[0]->scale;
    const Value *b = layer(&t, "right")->output->out[0]->scale;
    ck_assert_int_eq(a == b, o.activations.share_inputs);
    ck_assert_ptr_ne(layer(&t, "sum")->output->out[0]->scale, a);
    graph_release(&t.graph);
}
END_TEST

/* One range over both inputs of the add: it is the union of what each has alone. */
START_TEST(a_shared_range_is_the_union)
{
    Net t[2];
    for (int i = 0; i < 2; i++) {
        QatOptions o = defaults;
        o.activations.momentum = 0;
        o.activations.share_inputs = i == 0;
        build(&t[i]);
        insert(&t[i], &o);
        open_params(&t[i], 1);
        calibrate(&t[i]);
    }
    const Real *both = params_at(&t[0].params, graph_find_param(&t[0].graph, "stem.range"));
    const Real *a = params_at(&t[1].params, graph_find_param(&t[1].graph, "stem.range"));
    const Real *b = params_at(&t[1].params, graph_find_param(&t[1].graph, "right.range"));
    ck_assert(both[RANGE_MIN] == (a[RANGE_MIN] < b[RANGE_MIN] ? a[RANGE_MIN] : b[RANGE_MIN]));
    ck_assert(both[RANGE_MAX] == (a[RANGE_MAX] > b[RANGE_MAX] ? a[RANGE_MAX] : b[RANGE_MAX]));
    ck_assert(both[RANGE_BATCHES] == 3);
    for (int i = 0; i < 2; i++)
        close_net(&t[i]);
}
END_TEST

START_TEST(overrides_choose_bits)
{
    Net t;
    QatOverride overrides[] = {{"stem", 4, 0}, {"log*", 0, 6}};
    QatOptions o = defaults;
    o.overrides = (OptionList){2, overrides};
    build(&t);
    insert(&t, &o);
    ck_assert_int_eq(layer(&t, "stem")->weight_bits, 4);
    ck_assert_int_eq(layer(&t, "stem")->activation_bits, 8);
    ck_assert_int_eq(layer(&t, "right")->weight_bits, 8);
    ck_assert_int_eq(layer(&t, "logits")->activation_bits, 6);
    open_params(&t, 1);
    calibrate(&t);
    IntegerPlan plan;
    ck_assert_msg(integer_plan_new(&plan, &t.graph, &t.params, &t.compute, HONE_RT_S24, &t.e) ==
                      HONE_OK,
                  "%s", t.e.text);
    const IntegerLayer *stem = &plan.layers[layer(&t, "stem")->anchor->index];
    for (size_t i = 0; i < stem->weight_count; i++)
        ck_assert_int_le(abs(stem->weights[i]), 7);
    const IntegerLayer *logits = &plan.layers[layer(&t, "logits")->anchor->index];
    ck_assert_int_eq(logits->lo, -32);
    ck_assert_int_eq(logits->hi, 31);
    integer_plan_free(&plan);
    close_net(&t);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    Net t;
    QatOverride nothing[] = {{"stem", 4, 0}, {"steam", 4, 0}};
    QatOverride uneven[] = {{"right", 0, 4}};
    QatOptions o = defaults;
    o.overrides = (OptionList){2, nothing};
    build(&t);
    refused(&t, &o, "qat.overrides[1]: 'steam' matches no quantized layer");
    o.overrides = (OptionList){1, uneven};
    build(&t);
    refused(&t, &o, "qat: layers 'stem' and 'right' share a grid but have 8 and 4 bits");
    build(&t);
    layer_batchnorm(&t.graph, "norm", t.image, NULL);
    refused(&t, &defaults,
            "qat: layer 'norm' (batchnorm) follows 'image' (input), and this pair has no integer "
            "form");
    Error e = {0}; /* a graph that failed stays failed */
    build(&t);
    layer_relu(&t.graph, "stem", t.image);
    ck_assert_int_eq(qat_insert(&t.graph, &defaults, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "two layers are named 'stem'");
    graph_release(&t.graph);
}
END_TEST

/* What a layer cannot take into its integers, and nobody else can. */
START_TEST(chains_are_refused)
{
    static const char *const after[] = {
        "(batchnorm) follows 'stem.bn' (batchnorm)", "(batchnorm) follows 'stem.relu' (relu)",
        "(batchnorm) follows 'sum' (add)", "(batchnorm) follows 'pool' (mean)"};
    static const char *const of[] = {"stem.bn", "stem.relu", "sum", "pool"};
    for (int i = 0; i < 4; i++) {
        char sentence[160];
        Net t = {0};
        graph_init(&t.graph);
        Graph *g = &t.graph;
        const Conv2dOptions conv = {.channels = CHANNELS, .kernel = {3, 3}};
        t.image = graph_input(g, "image", SHAPE4(1, SIDE, SIDE, 3), ELEM_REAL);
        Value *x = layer_conv2d(g, "stem", t.image, &conv), *at[4];
        at[0] = x = layer_batchnorm(g, "stem.bn", x, NULL);
        at[1] = x = i < 1 ? x : layer_relu(g, "stem.relu", x);
        at[2] = x = i < 2 ? x : layer_add(g, "sum", x, x);
        at[3] = i < 3 ? x : layer_mean(g, "pool", x);
        layer_batchnorm(g, "norm", at[i], NULL);
        ck_assert_str_eq(at[i]->name, of[i]);
        snprintf(sentence, sizeof sentence,
                 "qat: layer 'norm' %s, and this pair has no integer form", after[i]);
        refused(&t, &defaults, sentence);
    }
}
END_TEST

START_TEST(widths_of_one_are_refused)
{
    static const char *const keys[] = {"weights", "activations"};
    for (int i = 0; i < 2; i++) {
        char yaml[200], sentence[120];
        Config config;
        Error e = {0};
        snprintf(yaml, sizeof yaml,
                 "name: x\ndataset: {kind: random}\nmodel: {arch: resnet8}\n"
                 "train: {epochs: 1, batch: 4}\nqat: {overrides: [{layers: stem, %s: 1}]}\n",
                 keys[i]);
        snprintf(sentence, sizeof sentence,
                 "yaml:5:19: qat.overrides.0: %s 1 is not 0 (as everywhere) or 2..8", keys[i]);
        ck_assert_int_eq(config_parse(&config, yaml, "yaml", NULL, 0, &e), HONE_ERR_CONFIG);
        ck_assert_str_eq(e.text, sentence);
    }
}
END_TEST

START_TEST(ranges_must_be_observed)
{
    Net t;
    IntegerPlan plan;
    build(&t);
    insert(&t, &defaults);
    open_params(&t, 1);
    ck_assert_int_eq(integer_plan_new(&plan, &t.graph, &t.params, &t.compute, HONE_RT_S24, &t.e),
                     HONE_ERR_CONFIG);
    ck_assert_str_eq(t.e.text, "layer 'stem': no range was observed for 'stem.range'; calibrate "
                               "before quantizing");
    close_net(&t);
}
END_TEST

/* Gives every range, as if observed; that of one layer its own. */
static void set_ranges(Net *t, const char *name, Real most)
{
    for (int i = 0; i < t->graph.param_count; i++) {
        const Param *p = t->graph.params[i];
        const char *suffix = strrchr(p->name, '.');
        if (!suffix || strcmp(suffix, ".range") != 0)
            continue;
        Real *range = params_at(&t->params, p);
        const Real bound = strcmp(p->name, name) == 0 ? most : 1;
        range[RANGE_MIN] = -bound;
        range[RANGE_MAX] = bound;
        range[RANGE_BATCHES] = 1;
    }
}

static void no_plan(Net *t, const char *sentence)
{
    IntegerPlan plan;
    Error e = {0};
    ck_assert_int_ne(integer_plan_new(&plan, &t->graph, &t->params, &t->compute, HONE_RT_S24, &e),
                     HONE_OK);
    ck_assert_int_eq(e.code, HONE_ERR_NUMERIC);
    ck_assert_msg(strncmp(e.text, sentence, strlen(sentence)) == 0, "%s", e.text);
}

START_TEST(multipliers_must_fit)
{
    Net t;
    build(&t);
    insert(&t, &defaults);
    open_params(&t, 1);
    set_ranges(&t, "logits.range", (Real)1e-30);
    no_plan(&t, "layer 'logits': channel 0 needs the multiplier ");
    set_ranges(&t, "sum.range", (Real)1e-30);
    no_plan(&t, "add 'sum': scales ");
    set_ranges(&t, "pool.range", (Real)1e-30);
    no_plan(&t, "mean 'pool': the multiplier ");
    close_net(&t);
}
END_TEST

/* Numbers that training may leave when it has diverged. */
START_TEST(folding_refuses_what_is_not_finite)
{
    static const char *const names[] = {"stem.bn.gamma", "stem.bn.beta"};
    static const char *const sentences[] = {"layer 'stem': channel 1 folds to inf x + ",
                                            "layer 'stem': channel 1 folds to "};
    for (int i = 0; i < 2; i++) {
        Net t;
        build(&t);
        insert(&t, &defaults);
        open_params(&t, 1);
        set_ranges(&t, "", 1);
        params_at(&t.params, graph_find_param(&t.graph, names[i]))[1] = (Real)INFINITY;
        no_plan(&t, sentences[i]);
        close_net(&t);
    }
}
END_TEST

/* Channels that are the constant 0, as pruning leaves them, and biases at their floor: as large as they
 * may be, and no larger after the rounding of the scale. Many products leave less room for them. */
START_TEST(folding_of_dead_channels)
{
    enum { UNITS = 60 };
    for (int inputs = 3; inputs <= 40000; inputs += 39997) {
        Net t = {0};
        IntegerPlan plan;
        const int64_t room = INT32_MAX - (int64_t)inputs * 255 * 127;
        const int32_t limit = room < 1 << 30 ? (int32_t)room : 1 << 30;
        graph_init(&t.graph);
        t.image = graph_input(&t.graph, "image", SHAPE2(1, inputs), ELEM_REAL);
        layer_batchnorm(&t.graph, "bn", layer_dense(&t.graph, "dense", t.image, UNITS, false),
                        NULL);
        insert(&t, &defaults);
        open_params(&t, 1);
        set_ranges(&t, "", 1);
        Real *gamma = params_at(&t.params, graph_find_param(&t.graph, "bn.gamma"));
        Real *beta = params_at(&t.params, graph_find_param(&t.graph, "bn.beta"));
        Rng r = rng_at(9, RNG_TEST, 0, 0);
        for (int k = 0; k < UNITS; k++) {
            gamma[k] = 0;
            beta[k] = k % 4 == 0 ? 0 : (Real)rng_normal(&r);
        }
        ck_assert_msg(integer_plan_new(&plan, &t.graph, &t.params, &t.compute, HONE_RT_S24, &t.e) ==
                          HONE_OK,
                      "%s", t.e.text);
        const IntegerLayer *l = &plan.layers[layer(&t, "dense")->anchor->index];
        for (int k = 0; k < UNITS; k++) {
            ck_assert(l->weight_scale[k] > 0);
            ck_assert_int_le(abs(l->bias[k]), k % 4 == 0 ? 0 : limit);
            ck_assert_int_ge(abs(l->bias[k]), k % 4 == 0 ? 0 : limit - 256);
            ck_assert((l->bias[k] > 0) == (beta[k] > 0));
            ck_assert_int_eq(l->weights[(size_t)k * (size_t)inputs], 0);
        }
        integer_plan_free(&plan);
        close_net(&t);
    }
}
END_TEST

/* 66311 products of 255 * 127 and a bias of at least 1 are below 2^31. */
START_TEST(sums_must_fit)
{
    for (int inputs = 66311; inputs <= 66312; inputs++) {
        Net t = {0};
        IntegerPlan plan;
        graph_init(&t.graph);
        Value *x = graph_input(&t.graph, "image", SHAPE2(1, inputs), ELEM_REAL);
        layer_dense(&t.graph, "logits", x, 1, true);
        insert(&t, &defaults);
        open_params(&t, 1);
        set_ranges(&t, "logits.range", 1000);
        if (inputs == 66311) {
            ck_assert_msg(integer_plan_new(&plan, &t.graph, &t.params, &t.compute, HONE_RT_S24,
                                           &t.e) == HONE_OK,
                          "%s", t.e.text);
            integer_plan_free(&plan);
        } else {
            no_plan(&t, "layer 'logits': sums of 66312 products can exceed 32 bits");
        }
        close_net(&t);
    }
}
END_TEST

static Real *param(const Net *t, const char *name)
{
    const Param *p = graph_find_param(&t->graph, name);
    ck_assert_msg(p != NULL, "no parameter '%s'", name);
    return params_at(&t->params, p);
}

/* Channel 0: gamma < 0. 1: gamma = 0. 2: gamma so small that the floor binds. 3: plain. */
START_TEST(folding_follows_its_definition)
{
    Net t;
    IntegerPlan plan;
    build(&t);
    insert(&t, &defaults);
    open_params(&t, 1);
    static const Real gamma[CHANNELS] = {-2, 0, (Real)1e-12, 1};
    for (int c = 0; c < CHANNELS; c++) {
        param(&t, "stem.bn.gamma")[c] = gamma[c];
        param(&t, "stem.bn.beta")[c] = (Real)0.75;
        param(&t, "stem.bias")[c] = (Real)0.25;
        param(&t, "stem.bn.mean")[c] = (Real)0.125;
        param(&t, "stem.bn.variance")[c] = (Real)1.5;
    }
    calibrate(&t);
    ck_assert_msg(integer_plan_new(&plan, &t.graph, &t.params, &t.compute, HONE_RT_S24, &t.e) ==
                      HONE_OK,
                  "%s", t.e.text);
    const IntegerLayer *l = &plan.layers[layer(&t, "stem")->anchor->index];
    ck_assert(l->in[0].scale == 1.0f / 128 && l->in[0].zero_point == 0);
    ck_assert_int_eq(l->lo, l->out.zero_point); /* relu */
    const Real *w = param(&t, "stem.weight");
    size_t taps = l->weight_count / CHANNELS;
    for (int c = 0; c < CHANNELS; c++) {
        double largest = 0;
        for (size_t i = 0; i < taps; i++)
            largest = fmax(largest, fabs((double)w[(size_t)c * taps + i]));
        double s_w = largest / 127, a = (double)gamma[c] / sqrt(1.5 + 1e-3);
        double b = 0.75 + a * (0.25 - 0.125), floor_scale = fabs(b) * 128 / (1 << 30);
        double scale = fmax(s_w * fabs(a), floor_scale);
        ck_assert_double_eq_tol((double)l->weight_scale[c], scale, 1e-6 * scale);
        ck_assert_double_eq_tol((double)l->bias[c] * scale / 128, b, 1e-6 + scale / 128);
        for (size_t i = 0; i < taps; i++) {
            double real = (double)w[(size_t)c * taps + i] * a;
            double code = (double)l->weights[(size_t)c * taps + i];
            ck_assert_double_le(fabs(code - real / scale), 0.5 + 1e-3);
        }
    }
    for (size_t i = 0; i < taps; i++)
        ck_assert_int_eq(l->weights[taps + i], 0); /* gamma = 0 */
    integer_plan_free(&plan);
    close_net(&t);
}
END_TEST

/* Three quantized training steps give the same bits at any number of threads. */
START_TEST(training_does_not_depend_on_threads)
{
    static const OptimizerOptions sgd = {.lr = 0.1, .momentum = 0.9};
    Real *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        Net t;
        Optimizer *o;
        build(&t);
        insert(&t, &defaults);
        open_params(&t, threads);
        calibrate(&t);
        ck_assert_int_eq(optimizer_new(&o, &sgd, &t.graph, &t.e), HONE_OK);
        Exec *x = compile(&t, (Mode){.training = true, .quantize = _i == 0});
        for (uint64_t step = 0; step < 3; step++) {
            fill(&t, x, step);
            exec_forward(x);
            exec_backward(x);
            optimizer_step(o, &t.params, NULL, (int64_t)step + 1, 0.1, t.compute.threads);
            exec_commit(x);
        }
        size_t bytes = t.graph.trained_count * sizeof(Real);
        if (!first) {
            first = malloc(bytes);
            ck_assert_ptr_nonnull(first);
            memcpy(first, t.params.value, bytes);
        }
        ck_assert_int_eq(memcmp(first, t.params.value, bytes), 0);
        exec_free(x);
        optimizer_free(o);
        close_net(&t);
    }
    free(first);
}
END_TEST

Suite *suite_qat(void)
{
    Suite *s = suite_create("qat");
    TCase *c = tcase_create("qat");
    tcase_add_test(c, layers_are_grouped);
    tcase_add_loop_test(c, an_add_shares_its_inputs_grid, 0, 2);
    tcase_add_test(c, a_shared_range_is_the_union);
    tcase_add_test(c, overrides_choose_bits);
    tcase_add_test(c, what_cannot_be_is_refused);
    tcase_add_test(c, chains_are_refused);
    tcase_add_test(c, widths_of_one_are_refused);
    tcase_add_test(c, ranges_must_be_observed);
    tcase_add_test(c, multipliers_must_fit);
    tcase_add_test(c, folding_refuses_what_is_not_finite);
    tcase_add_test(c, folding_of_dead_channels);
    tcase_add_test(c, sums_must_fit);
    tcase_add_test(c, folding_follows_its_definition);
    tcase_add_loop_test(c, training_does_not_depend_on_threads, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
