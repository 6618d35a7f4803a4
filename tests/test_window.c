/* Tests of the geometry of convolutions: padding, taps, what builders refuse, and what the artifact gets
 * of it. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "layers/layers.h"
#include "layers/window.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>

enum { SEED = 2026 };

/* Padding SAME as TensorFlow's documentation defines it, worked out by hand. */
START_TEST(window_same_is_tensorflows)
{
    static const struct {
        int in, kernel, stride, dilation, out, before, after;
    } table[] = {
        {32, 3, 1, 1, 32, 1, 1},  {32, 3, 2, 1, 16, 0, 1}, {33, 3, 2, 1, 17, 1, 1},
        {7, 5, 1, 1, 7, 2, 2},    {8, 5, 2, 1, 4, 1, 2},   {10, 2, 1, 1, 10, 0, 1},
        {10, 3, 1, 2, 10, 2, 2},  {32, 1, 2, 1, 16, 0, 0}, {5, 3, 4, 1, 2, 1, 1},
        {4, 7, 3, 1, 2, 3, 3},    {1, 3, 1, 1, 1, 1, 1},   {2, 3, 2, 1, 1, 0, 1},
        {49, 10, 2, 1, 25, 4, 5}, {10, 4, 2, 1, 5, 1, 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        Error e = {0};
        Axis a = {.in = table[i].in,
                  .kernel = table[i].kernel,
                  .stride = table[i].stride,
                  .dilation = table[i].dilation};
        ck_assert_int_eq(window_axis(&a, PADDING_SAME, "conv2d", "x", &e), HONE_OK);
        ck_assert_int_eq(a.out, table[i].out);
        ck_assert_int_eq(a.before, table[i].before);
        ck_assert_int_eq(a.after, table[i].after);
    }
}
END_TEST

static Axis random_axis(Rng *rng)
{
    Axis a = {.in = 1 + (int)rng_below(rng, 12),
              .kernel = 1 + (int)rng_below(rng, 4),
              .stride = 1 + (int)rng_below(rng, 3),
              .dilation = 1 + (int)rng_below(rng, 3)};
    const uint32_t span = (uint32_t)window_span(&a);
    a.before = (int)rng_below(rng, span);
    a.after = (int)rng_below(rng, span);
    if (a.in + a.before + a.after < (int)span)
        a.in = (int)span;
    return a;
}

/* Both directions of the relation against trying every pair. */
START_TEST(window_taps)
{
    Rng rng = rng_at(SEED, RNG_TEST, 1, 0);
    for (int round = 0; round < 300; round++) {
        Error e = {0};
        Axis a = random_axis(&rng);
        ck_assert_int_eq(window_axis(&a, PADDING_EXPLICIT, "conv2d", "x", &e), HONE_OK);
        int pairs = 0, met_forward = 0, met_back = 0;
        for (int o = 0; o < a.out; o++)
            for (int t = 0; t < a.kernel; t++) {
                const int i = o * a.stride - a.before + t * a.dilation;
                pairs += i >= 0 && i < a.in;
            }
        for (int o = 0; o < a.out; o++) {
            const Taps t = window_at_output(&a, o);
            for (int k = 0; k < t.count; k++, met_forward++) {
                const int i = t.at + k * t.move, tap = t.first + k * t.step;
                ck_assert(i >= 0 && i < a.in && tap >= 0 && tap < a.kernel);
                ck_assert_int_eq(i, o * a.stride - a.before + tap * a.dilation);
            }
        }
        for (int i = 0; i < a.in; i++) {
            const Taps t = window_at_input(&a, i);
            for (int k = 0; k < t.count; k++, met_back++) {
                const int o = t.at + k * t.move, tap = t.first + k * t.step;
                ck_assert(o >= 0 && o < a.out && tap >= 0 && tap < a.kernel);
                ck_assert_int_eq(i, o * a.stride - a.before + tap * a.dilation);
            }
        }
        ck_assert_int_eq(met_forward, pairs);
        ck_assert_int_eq(met_back, pairs);
    }
}
END_TEST

static void expect_error(Graph *g, const Value *v, const char *text)
{
    Error e = {0};
    ck_assert_ptr_null(v);
    ck_assert_int_eq(graph_failed(g, &e), HONE_ERR_SHAPE);
    ck_assert_str_eq(e.text, text);
    graph_release(g);
}

START_TEST(builders_say_what_is_wrong)
{
    Graph g;
    graph_init(&g);
    Value *x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(
        &g,
        layer_conv2d(&g, "stem", x,
                     &(Conv2dOptions){.channels = 4, .kernel = {5, 5}, .padding = PADDING_VALID}),
        "conv2d 'stem': kernel 5 > input 3");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(&g, layer_conv2d(&g, "a", x, &(Conv2dOptions){.kernel = {3, 3}}),
                 "conv2d 'a': 0 channels, not 1..65536");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(&g,
                 layer_conv2d(&g, "b", x,
                              &(Conv2dOptions){.channels = 4,
                                               .kernel = {3, 3},
                                               .padding = PADDING_EXPLICIT,
                                               .pads = {0, 0, 3, 0}}),
                 "conv2d 'b': padding 0, 3 is outside 0..2");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(&g, layer_depthwise(&g, "c", x, &(Conv2dOptions){.channels = 4}),
                 "depthwise 'c': 4 channels of 2 inputs with a multiplier of 1");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(&g, layer_depthwise(&g, "c", x, &(Conv2dOptions){.multiplier = 70000}),
                 "depthwise 'c': 2 inputs with a multiplier of 70000");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 6), ELEM_REAL);
    expect_error(&g, layer_conv2d(&g, "g", x, &(Conv2dOptions){.channels = 8, .groups = 3}),
                 "conv2d 'g': 6 inputs and 8 channels do not fall into 3 groups");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 6), ELEM_REAL);
    expect_error(&g, layer_conv2d(&g, "g", x, &(Conv2dOptions){.channels = 8, .groups = 4}),
                 "conv2d 'g': 6 inputs and 8 channels do not fall into 4 groups");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE2(1, 8), ELEM_REAL);
    expect_error(&g, layer_conv2d(&g, "d", x, &(Conv2dOptions){.channels = 4}),
                 "conv2d 'd': input [1, 8] is not [N, H, W, C]");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE2(1, 8), ELEM_REAL);
    expect_error(&g, layer_dense(&g, "f", x, 0, false),
                 "dense 'f': 8 inputs to 0 units do not fit");
}
END_TEST

START_TEST(lowering_keeps_the_geometry)
{
    Graph g;
    graph_init(&g);
    Value *x = graph_input(&g, "x", SHAPE4(1, 9, 8, 3), ELEM_REAL);
    x = layer_conv2d(
        &g, "a", x,
        &(Conv2dOptions){
            .channels = 6, .kernel = {3, 5}, .stride = {2, 1}, .dilation = {1, 2}, .bias = true});
    HoneRtOp op = {0};
    x->producer->op->lower(x->producer, &op);
    ck_assert_int_eq(op.kind, HONE_RT_OP_CONV);
    ck_assert(op.kernel_h == 3 && op.kernel_w == 5 && op.stride_h == 2 && op.stride_w == 1);
    ck_assert(op.dilation_h == 1 && op.dilation_w == 2);
    ck_assert(op.pad_top == 1 && op.pad_bottom == 1 && op.pad_left == 4 && op.pad_right == 4);
    ck_assert_int_eq(x->producer->op->macs(x->producer), 5 * 8 * 6 * 3 * 5 * 3);
    x = layer_depthwise(&g, "b", x, &(Conv2dOptions){.kernel = {3, 3}, .stride = {1, 2}});
    op = (HoneRtOp){0};
    x->producer->op->lower(x->producer, &op);
    ck_assert_int_eq(op.kind, HONE_RT_OP_DEPTHWISE);
    ck_assert(op.multiplier == 1 && op.pad_left == 0 && op.pad_right == 1 && op.pad_top == 1);
    ck_assert_int_eq(x->producer->op->macs(x->producer), 5 * 4 * 6 * 9);
    HoneRtOp twice = {0};
    Value *y = layer_depthwise(&g, "b2", x, &(Conv2dOptions){.kernel = {3, 3}, .multiplier = 2});
    y->producer->op->lower(y->producer, &twice);
    ck_assert_int_eq(twice.multiplier, 2);
    ck_assert_int_eq(y->shape.dim[3], 12);
    ck_assert_int_eq(y->producer->op->macs(y->producer), 5 * 4 * 12 * 9);
    y = layer_conv2d(&g, "b3", x, &(Conv2dOptions){.channels = 4, .kernel = {3, 3}, .groups = 2});
    twice = (HoneRtOp){0};
    y->producer->op->lower(y->producer, &twice);
    ck_assert_int_eq(twice.groups, 2);
    ck_assert_int_eq(op.groups, 0); /* one group, as in files of before there were groups */
    ck_assert_int_eq(y->producer->op->macs(y->producer), 5 * 4 * 4 * 9 * 3);
    x = layer_dense(&g, "c", x, 7, false);
    op = (HoneRtOp){0};
    x->producer->op->lower(x->producer, &op);
    ck_assert_int_eq(op.kind, HONE_RT_OP_DENSE);
    ck_assert_int_eq(op.kernel_h, 0);
    ck_assert_int_eq(x->producer->op->macs(x->producer), 5 * 4 * 6 * 7);
    ck_assert_int_eq(graph_failed(&g, NULL), HONE_OK);
    ck_assert_str_eq(g.params[0]->name, "a.weight");
    ck_assert_str_eq(g.params[1]->name, "a.bias");
    ck_assert_double_eq_tol(g.params[0]->init.deviation, sqrt(1.0 / (3 * 45)), 1e-12);
    ck_assert_double_eq_tol(g.params[2]->init.deviation, sqrt(1.0 / (3 * 9)), 1e-12);
    ck_assert_double_eq_tol(g.params[3]->init.deviation, sqrt(1.0 / (3 * 9)), 1e-12);
    ck_assert_double_eq_tol(g.params[4]->init.deviation, sqrt(1.0 / (3 * 27)), 1e-12);
    ck_assert_double_eq_tol(g.params[5]->init.deviation, sqrt(1.0 / (3 * 120)), 1e-12);
    graph_release(&g);
}
END_TEST

Suite *suite_window(void)
{
    Suite *s = suite_create("window");
    TCase *t = tcase_create("geometry");
    tcase_add_test(t, window_same_is_tensorflows);
    tcase_add_test(t, window_taps);
    tcase_add_test(t, builders_say_what_is_wrong);
    tcase_add_test(t, lowering_keeps_the_geometry);
    suite_add_tcase(s, t);
    return s;
}
