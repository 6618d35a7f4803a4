/* The layers without weights: values against plain formulas and PyTorch's numbers, on reals, on codes
 * and on integers; messages. Batch-norm is in test_batchnorm.c, gradients in grad_plain.c. SPDX-License-Identifier:
 * Apache-2.0 */
#include "layers/layers.h"
#include "qat/nodes.h"
#include "tests/levels.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* ---- relu ---- */

START_TEST(relu_clamps_codes)
{
    static const struct {
        Grid grid;
        int32_t lo, hi, relu_lo, relu_hi, relu6_lo, relu6_hi;
    } rows[] = {
        {{0.1f, -128}, -128, 127, -128, 127, -128, -68},
        {{0.1f, 0}, -128, 127, 0, 127, 0, 60},
        {{6.0f / 255, -128}, -128, 127, -128, 127, -128, 127},
        {{0.02f, -128}, -128, 127, -128, 127, -128, 127},
        {{4.0f, 10}, -128, 127, 10, 127, 10, 12}, /* 1.5 steps: away from zero */
        {{13.0f, 10}, -128, 127, 10, 127, 10, 10},
        {{1e-30f, 0}, -128, 127, 0, 127, 0, 127},
        {{0.5f, -3}, -8, 7, -3, 7, -3, 7},
        {{1.0f, -3}, -8, 7, -3, 7, -3, 3},
    };
    Net t;
    net_init(&t);
    Value *x = graph_input(&t.graph, "x", SHAPE2(1, 4), ELEM_REAL);
    const Node *relu = layer_relu(&t.graph, "relu", x)->producer;
    const Node *relu6 = layer_relu6(&t.graph, "relu6", x)->producer;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t lo = rows[i].lo, hi = rows[i].hi;
        relu->op->clamp(relu, rows[i].grid, &lo, &hi);
        ck_assert_msg(lo == rows[i].relu_lo && hi == rows[i].relu_hi, "row %zu: %d..%d", i, lo, hi);
        lo = rows[i].lo, hi = rows[i].hi;
        relu6->op->clamp(relu6, rows[i].grid, &lo, &hi);
        ck_assert_msg(lo == rows[i].relu6_lo && hi == rows[i].relu6_hi, "row %zu: %d..%d", i, lo,
                      hi);
    }
    graph_release(&t.graph);
}
END_TEST

START_TEST(relu_values)
{
    Net t;
    net_init(&t);
    Value *x = graph_input(&t.graph, "x", SHAPE2(1, 77), ELEM_REAL);
    Value *y = layer_relu(&t.graph, "relu", x), *z = layer_relu6(&t.graph, "relu6", x);
    net_compile(&t, &(NetOptions){.batch = 3, .threads = 2});
    net_random(&t, x, 2, 4);
    exec_forward(t.exec);
    for (size_t i = 0; i < 231; i++) {
        Real v = net_data(&t, x)[i], cut = v > 0 ? v : 0;
        ck_assert(net_data(&t, y)[i] == cut);
        ck_assert(net_data(&t, z)[i] == (cut < 6 ? cut : 6));
    }
    net_release(&t);
}
END_TEST

/* ---- codes ---- */

/* x as codes of the fixed grid. */
static Value *fix_grid(Graph *g, const char *name, Value *x, Grid grid)
{
    char *grid_name = arena_printf(&g->arena, "%s.grid", name);
    GridAttributes a = {.qmin = -128, .qmax = 127, .fixed = true, .grid = grid};
    FakequantAttributes codes = {.qmin = -128, .qmax = 127, .axis = QUANT_AXIS_NONE};
    Node *n = qat_grid(g, grid_name, NULL, &a);
    n = n ? qat_fakequant(g, name, x, n->out[0], n->out[1], &codes) : NULL;
    return n ? n->out[0] : NULL;
}

START_TEST(add_takes_codes)
{
    Net t;
    net_init(&t);
    Graph *g = &t.graph;
    Value *a = graph_input(g, "a", SHAPE4(1, 9, 11, 5), ELEM_REAL);
    Value *b = graph_input(g, "b", SHAPE4(1, 9, 11, 5), ELEM_REAL);
    Value *qa = fix_grid(g, "qa", a, (Grid){0.037f, -5}),
          *qb = fix_grid(g, "qb", b, (Grid){.1f, 9});
    Value *both = layer_add(g, "both", qa, qb), *one = layer_add(g, "one", a, qb);
    Value *other = layer_add(g, "other", qa, b), *none = layer_add(g, "none", a, b);
    net_compile(&t, &(NetOptions){.mode = {.quantize = true}, .batch = 7, .threads = 2});
    net_random(&t, a, 0, 1);
    net_random(&t, b, 0, 3);
    exec_forward(t.exec);
    for (size_t i = 0; i < 7 * 9 * 11 * 5; i++) {
        Real x = net_data(&t, a)[i], y = net_data(&t, b)[i];
        Real rx = (Real)0.037f * (Real)(net_codes(&t, qa)[i] + 5);
        Real ry = (Real)0.1f * (Real)(net_codes(&t, qb)[i] - 9);
        ck_assert(net_data(&t, both)[i] == rx + ry && net_data(&t, one)[i] == x + ry);
        ck_assert(net_data(&t, other)[i] == rx + y && net_data(&t, none)[i] == x + y);
    }
    net_release(&t);
}
END_TEST

START_TEST(mean_takes_codes)
{
    Net t;
    net_init(&t);
    Graph *g = &t.graph;
    Value *x = graph_input(g, "x", SHAPE4(1, 5, 7, 19), ELEM_REAL);
    Value *q = fix_grid(g, "q", x, (Grid){0.037f, -5});
    Value *codes = layer_mean(g, "codes", q), *real = layer_mean(g, "real", x);
    net_compile(&t, &(NetOptions){.mode = {.quantize = true}, .batch = 18, .threads = 3});
    net_random(&t, x, 0.5, 1);
    exec_forward(t.exec);
    for (size_t i = 0; i < 18; i++) {
        for (size_t c = 0; c < 19; c++) {
            int32_t sum = 0;
            double mean = 0;
            for (size_t p = 0; p < 35; p++) {
                sum += net_codes(&t, q)[(i * 35 + p) * 19 + c] + 5;
                mean += (double)net_data(&t, x)[(i * 35 + p) * 19 + c] / 35;
            }
            net_near("codes", c, (double)net_data(&t, codes)[i * 19 + c], (double)0.037f * sum / 35,
                     1e-6);
            net_near("real", c, (double)net_data(&t, real)[i * 19 + c], mean, 1e-6);
        }
    }
    net_release(&t);
}
END_TEST

/* ---- integers ---- */

static void random_codes(Net *t, const Value *v)
{
    int8_t *q = net_codes(t, v);
    for (size_t i = 0; i < shape_count(net_tensor(t, v)->shape); i++)
        q[i] = (int8_t)((int)rng_below(&t->rng, 256) - 128);
}

/* From the layer's grids to codes: as fixed.h defines, and within half a step of real arithmetic. */
START_TEST(add_of_integers)
{
    static const Grid grids[][3] = {{{0.05f, 3}, {0.02f, -7}, {0.06f, 1}},
                                    {{0.01f, -128}, {0.01f, -128}, {0.015f, -128}},
                                    {{3e-5f, 0}, {0.4f, 127}, {0.4f, -20}}};
    const Grid *s = grids[_i];
    IntegerLayer layer = {.in = {s[0], s[1]}, .out = s[2], .lo = -100, .hi = 90};
    Error e = {0};
    Net t;
    net_init(&t);
    Value *a = graph_input(&t.graph, "a", SHAPE4(1, 5, 5, 7), ELEM_REAL);
    Value *b = graph_input(&t.graph, "b", SHAPE4(1, 5, 5, 7), ELEM_REAL);
    Value *y = layer_add(&t.graph, "add", a, b);
    ck_assert_int_eq(op_add.rescale(y->producer, &layer, &e), HONE_OK);
    HoneRtAdd want = {0};
    ck_assert_int_eq(hone_rt_add_from_float_bits(float_bits(s[0].scale / s[2].scale),
                                                 float_bits(s[1].scale / s[2].scale), &want),
                     0);
    ck_assert(layer.add.m1 == want.m1 && layer.add.m2 == want.m2 && layer.add.k == want.k);
    ck_assert(hone_rt_add_valid(&layer.add));
    net_compile(
        &t, &(NetOptions){.mode = {.integer = true}, .batch = 9, .threads = 2, .integer = &layer});
    random_codes(&t, a);
    random_codes(&t, b);
    exec_forward(t.exec);
    for (size_t i = 0; i < 9 * 5 * 5 * 7; i++) {
        int8_t p = net_codes(&t, a)[i], q = net_codes(&t, b)[i], got = net_codes(&t, y)[i];
        ck_assert_int_eq(got, hone_rt_add_code(&layer.add, p, q));
        double real = ((double)s[0].scale * (p - s[0].zero_point) +
                       (double)s[1].scale * (q - s[1].zero_point)) /
                      (double)s[2].scale;
        double code = fmin(fmax(real + s[2].zero_point, -100), 90);
        ck_assert_msg(fabs(got - code) < 0.501, "code %d for %g", got, code);
    }
    net_release(&t);
}
END_TEST

/* Each pixel of each sample gets its share, of images lower and higher than the batch is long. */
START_TEST(mean_gives_shares)
{
    for (int height = 2; height <= 9; height += 7) {
        enum { BATCH = 5, WIDTH = 3, CHANNELS = 2 };
        Net t;
        net_init(&t);
        Graph *g = &t.graph;
        Value *x = graph_input(g, "x", SHAPE4(1, height, WIDTH, 1), ELEM_REAL);
        Value *y = layer_conv2d(g, "conv", x, &(Conv2dOptions){.channels = CHANNELS});
        net_loss(g, "loss", layer_mean(g, "mean", y));
        net_compile(&t, &(NetOptions){.mode = {.training = true}, .batch = BATCH});
        net_random(&t, x, 0, 1);
        exec_forward(t.exec);
        const Real *dy = net_tensor(&t, y)->grad;
        memset((Real *)dy, 0xff, BATCH * (size_t)height * WIDTH * CHANNELS * sizeof *dy);
        exec_backward(t.exec);
        for (int i = 0; i < BATCH; i++)
            for (int p = 0; p < height * WIDTH; p++)
                for (int c = 0; c < CHANNELS; c++)
                    net_near("share", (size_t)i, (double)*dy++,
                             net_loss_weight((size_t)(i * CHANNELS + c)) / (height * WIDTH), 1e-6);
        net_release(&t);
    }
}
END_TEST

START_TEST(mean_of_integers)
{
    const Grid in = {0.03f, -11}, out = {0.004f, 20};
    IntegerLayer layer = {.in = {in}, .out = out, .lo = -128, .hi = 127};
    layer.requant = layer.word;
    Error e = {0};
    Net t;
    net_init(&t);
    Value *x = graph_input(&t.graph, "x", SHAPE4(1, 3, 7, 21), ELEM_REAL);
    Value *y = layer_mean(&t.graph, "mean", x);
    ck_assert_int_eq(op_mean.rescale(y->producer, &layer, &e), HONE_OK);
    net_compile(
        &t, &(NetOptions){.mode = {.integer = true}, .batch = 20, .threads = 2, .integer = &layer});
    random_codes(&t, x);
    exec_forward(t.exec);
    for (size_t i = 0; i < 20; i++) {
        for (size_t c = 0; c < 21; c++) {
            int32_t sum = 0;
            for (size_t p = 0; p < 21; p++)
                sum += net_codes(&t, x)[(i * 21 + p) * 21 + c];
            int8_t got = net_codes(&t, y)[i * 21 + c];
            ck_assert_int_eq(got, hone_rt_mean_code(sum, 21, -11, layer.word[0], 20, -128, 127));
            double code = (double)in.scale * (sum / 21.0 + 11) / (double)out.scale + 20;
            ck_assert(fabs(got - fmin(fmax(code, -128), 127)) < 0.501);
        }
    }
    net_release(&t);
}
END_TEST

START_TEST(lowering_and_impossible_scales)
{
    Graph g;
    Error e = {0};
    HoneRtOp op = {0};
    graph_init(&g);
    Value *x = graph_input(&g, "x", SHAPE4(1, 2, 2, 3), ELEM_REAL);
    const Node *add = layer_add(&g, "sum", x, x)->producer;
    const Node *mean = layer_mean(&g, "pool", x)->producer;
    add->op->lower(add, &op);
    ck_assert_int_eq(op.kind, HONE_RT_OP_ADD);
    mean->op->lower(mean, &op);
    ck_assert_int_eq(op.kind, HONE_RT_OP_MEAN);
    IntegerLayer layer = {.in = {{1e10f, 0}, {1, 0}}, .out = {1e-10f, 0}, .lo = -128, .hi = 127};
    ck_assert_int_eq(add->op->rescale(add, &layer, &e), HONE_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(e.text, "add 'sum'"));
    e = (Error){0};
    ck_assert_int_eq(mean->op->rescale(mean, &layer, &e), HONE_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(e.text, "mean 'pool'"));
    graph_release(&g);
}
END_TEST

/* ---- softmax_xent ---- */

static void xent_net(Net *t, int classes, double smoothing, int rows, const Real *x,
                     const int32_t *labels)
{
    net_init(t);
    Value *logits = graph_param(&t->graph, "x", SHAPE2(rows, classes), PARAM_WEIGHT, (Init){0, 0});
    Value *l = graph_input(&t->graph, "labels", SHAPE1(rows), ELEM_INT32);
    layer_softmax_xent(&t->graph, "loss", logits, l, smoothing);
    net_compile(t, &(NetOptions){.mode = {.training = true}});
    memcpy(net_param(t, "x"), x, (size_t)(rows * classes) * sizeof *x);
    memcpy(net_tensor(t, l)->data, labels, (size_t)rows * sizeof *labels);
    exec_forward(t->exec);
    exec_backward(t->exec);
}

static double xent_loss(const Net *t)
{
    return (double)*net_data(t, graph_find_node(&t->graph, "loss")->out[0]);
}

/* torch 1.13: cross_entropy(x, [2, 0], label_smoothing=0.1); rows of padding change nothing */
START_TEST(xent_as_pytorch)
{
    const Real x[] = {1, 2, -1, 5, 5, 5, 0, 0, 3, (Real)1e30, -5, (Real)-1e30};
    const int32_t labels[] = {2, -1, 0, -1};
    const double dx[] = {0.11308157,  0.33602560, -0.44910714, 0, 0, 0,
                         -0.44402742, 0.00597258, 0.43805483,  0, 0, 0};
    Net t;
    xent_net(&t, 3, 0.1, 4, x, labels);
    net_near("loss", 0, xent_loss(&t), 3.08863425, 1e-6);
    net_all_near("dx", t.params.grad, dx, 12, 1e-6);
    net_release(&t);
}
END_TEST

/* torch 1.13: cross_entropy(x, probabilities, label_smoothing=0.1), the probabilities 3/4 of label 2
 * and 1/4 of label 1, then label 0 twice; a row of padding changes nothing */
START_TEST(xent_of_mixed_labels)
{
    const Real x[] = {1, 2, -1, 0, 0, 3, 7, 7, 7};
    const int32_t labels[] = {2, 0, -1}, others[] = {1, 0, 99}, shares[] = {64, 128, 300};
    const double dx[] = {
        0.11308157, 0.22352559, -0.33660715, -0.44402742, 0.00597258, 0.43805483, 0, 0, 0};
    Net t;
    net_init(&t);
    Value *logits = graph_param(&t.graph, "x", SHAPE2(3, 3), PARAM_WEIGHT, (Init){0, 0});
    Value *in[3];
    static const char *const names[] = {"labels", "others", "shares"};
    const int32_t *data[] = {labels, others, shares};
    for (int i = 0; i < 3; i++)
        in[i] = graph_input(&t.graph, names[i], SHAPE1(3), ELEM_INT32);
    layer_softmax_xent_mixed(&t.graph, "loss", logits, in[0], in[1], in[2], 0.1);
    net_compile(&t, &(NetOptions){.mode = {.training = true}});
    memcpy(net_param(&t, "x"), x, sizeof x);
    for (int i = 0; i < 3; i++)
        memcpy(net_tensor(&t, in[i])->data, data[i], sizeof labels);
    exec_forward(t.exec);
    exec_backward(t.exec);
    net_near("loss", 0, xent_loss(&t), 2.75113425, 1e-6);
    net_all_near("dx", t.params.grad, dx, 9, 1e-6);
    net_release(&t);
}
END_TEST

START_TEST(xent_of_large_logits)
{
    const Real x[] = {(Real)20000, (Real)-20000, 0, (Real)-30000, (Real)-30000, (Real)-30001};
    const int32_t labels[] = {1, 0}, none[] = {-1, -1};
    const double tail = log(2 + exp(-1.0));
    Net t;
    xent_net(&t, 3, 0, 2, x, labels);
    net_near("loss", 0, xent_loss(&t), (40000 + tail) / 2, 1e-6);
    const double dx[] = {
        0.5, -0.5, 0, 0.5 * (exp(-tail) - 1), 0.5 * exp(-tail), 0.5 * exp(-1 - tail)};
    net_all_near("dx", t.params.grad, dx, 6, 1e-6);
    net_release(&t);
    xent_net(&t, 3, 0.1, 2, x, none);
    ck_assert(xent_loss(&t) == 0);
    for (int i = 0; i < 6; i++)
        ck_assert(t.params.grad[i] == 0);
    net_release(&t);
}
END_TEST

/* ---- levels and messages ---- */

/* The kernels of these layers give the same bits at every level. */
START_TEST(levels_give_the_same_bits)
{
    enum { ELEMENTS = 10 * 6 * 5 * 21 };
    Real *first = calloc(ELEMENTS, sizeof *first);
    ck_assert_ptr_nonnull(first);
    for (int l = 0; l < 3; l++) {
        if (!hone_rt_kernels_for_host(levels[l]))
            continue;
        Net t;
        net_init(&t);
        Value *x = graph_input(&t.graph, "x", SHAPE4(1, 6, 5, 21), ELEM_REAL);
        Value *y = layer_relu6(&t.graph, "relu", layer_batchnorm(&t.graph, "bn", x, NULL));
        y = layer_batchnorm(&t.graph, "bn2", layer_add(&t.graph, "add", x, y), NULL);
        net_loss(&t.graph, "loss", y);
        net_compile(
            &t, &(NetOptions){
                    .mode = {.training = true}, .batch = 10, .level = levels[l], .threads = l + 1});
        net_random(&t, x, 0, 2);
        exec_forward(t.exec);
        exec_backward(t.exec);
        if (l == 0)
            memcpy(first, net_data(&t, y), ELEMENTS * sizeof *first);
        ck_assert_mem_eq(first, net_data(&t, y), ELEMENTS * sizeof *first);
        net_release(&t);
    }
    free(first);
}
END_TEST

START_TEST(messages)
{
    Graph g;
    graph_init(&g);
    Value *x = graph_input(&g, "x", SHAPE4(1, 4, 4, 3), ELEM_REAL);
    ck_assert_ptr_null(layer_add(&g, "sum", x, graph_input(&g, "y", SHAPE2(1, 3), ELEM_REAL)));
    net_refuses(&g, "add 'sum': shapes [1, 4, 4, 3] and [1, 3] differ");
    ck_assert_ptr_null(layer_mean(&g, "pool", graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL)));
    net_refuses(&g, "mean 'pool': input [1, 3] is not real [N,H,W,C]");
    x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    layer_softmax_xent(&g, "loss", x, x, 0);
    net_refuses(&g, "softmax_xent 'loss': labels [1, 3] are not int32 [N]");
    x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    layer_softmax_xent(&g, "loss", x, graph_input(&g, "l", SHAPE1(1), ELEM_INT32), 1.5);
    net_refuses(&g, "label smoothing 1.5");
    x = graph_input(&g, "x", SHAPE1(1), ELEM_INT32);
    layer_relu(&g, "relu", x);
    net_refuses(&g, "relu 'relu': the input 'x' is not real");
    x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    layer_batchnorm(&g, "bn", x, &(BatchnormOptions){.momentum = 2});
    net_refuses(&g, "batchnorm 'bn': momentum 2");
    ck_assert_ptr_null(layer_batchnorm(&g, "bn", NULL, NULL));
    ck_assert_ptr_null(layer_relu(&g, "relu", NULL));
    ck_assert_int_eq(graph_failed(&g, NULL), HONE_OK);
    graph_release(&g);
}
END_TEST

Suite *suite_layers(void)
{
    Suite *s = suite_create("layers");
    TCase *t = tcase_create("layers");
    tcase_add_test(t, relu_clamps_codes);
    tcase_add_test(t, relu_values);
    tcase_add_test(t, add_takes_codes);
    tcase_add_test(t, mean_takes_codes);
    tcase_add_loop_test(t, add_of_integers, 0, 3);
    tcase_add_test(t, mean_gives_shares);
    tcase_add_test(t, mean_of_integers);
    tcase_add_test(t, lowering_and_impossible_scales);
    tcase_add_test(t, xent_as_pytorch);
    tcase_add_test(t, xent_of_mixed_labels);
    tcase_add_test(t, xent_of_large_logits);
    tcase_add_test(t, levels_give_the_same_bits);
    tcase_add_test(t, messages);
    suite_add_tcase(s, t);
    return s;
}
