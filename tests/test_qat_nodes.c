/* The nodes of quantization: grids from ranges and weights, fake-quantization, observers, and how they
 * act in the modes of a compilation. SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"
#include "qat/nodes.h"
#include "qat/scale.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- grids from ranges ---- */

START_TEST(grid_by_hand)
{
    static const struct {
        float min, max;
        int qmin, qmax;
        float scale;
        int32_t zero_point;
    } rows[] = {
        {-1, 1.55f, -128, 127, 2.55f / 255, -28},
        {0, 2.55f, -128, 127, 2.55f / 255, -128},
        {1, 2.55f, -128, 127, 2.55f / 255, -128}, /* widened to contain 0 */
        {-2.55f, 0, -128, 127, 2.55f / 255, 127},
        {-2.55f, -1, -128, 127, 2.55f / 255, 127},
        {-1, 1, -128, 127, 2.0f / 255, -1},  /* float32 2/255 is above 2/255: -0.500001 */
        {-0.5f, 254.5f, -128, 127, 1, -128}, /* -127.5, half to even */
        {-1.5f, 253.5f, -128, 127, 1, -126}, /* -126.5, half to even */
        {-3, 12, -8, 7, 1, -5},
        {0, 0, -128, 127, 1, 0},
        {0, 1e-38f, -128, 127, 1, 0},
        {-1e-45f, 0, -128, 127, 1, 0},
        {0, 255 * 1.5e-38f, -128, 127, 1.5e-38f, -128},
        {-3e38f, 3e38f, -128, 127, 2.3529412e36f, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Grid g;
        ck_assert_int_eq(
            qat_grid_from_range(rows[i].min, rows[i].max, rows[i].qmin, rows[i].qmax, &g), HONE_OK);
        ck_assert_msg(fabsf(g.scale - rows[i].scale) <= rows[i].scale * 1e-7f &&
                          g.zero_point == rows[i].zero_point,
                      "row %zu: scale %g, zero point %d", i, (double)g.scale, (int)g.zero_point);
    }
}
END_TEST

START_TEST(grid_of_infinity)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        Grid g;
        ck_assert_int_eq(qat_grid_from_range(bad[i], 1, -128, 127, &g), HONE_ERR_NUMERIC);
        ck_assert(g.scale == 1 && g.zero_point == 0);
        ck_assert_int_eq(qat_grid_from_range(-1, bad[i], -128, 127, &g), HONE_ERR_NUMERIC);
        ck_assert(g.scale == 1 && g.zero_point == 0);
    }
}
END_TEST

/* For any range: 0 is a code, both ends are within one step, the codes cover the range. */
START_TEST(grid_properties)
{
    Rng r = rng_at(1, RNG_TEST, 0, 0);
    for (int i = 0; i < 20000; i++) {
        float a = (float)(rng_normal(&r) * exp(4 * rng_normal(&r)));
        float b = (float)(rng_normal(&r) * exp(4 * rng_normal(&r)));
        float min = fminf(a, b), max = fmaxf(a, b);
        Grid g;
        ck_assert(qat_grid_from_range(min, max, -128, 127, &g) == HONE_OK && g.scale > 0);
        double lo = (double)g.scale * (-128 - g.zero_point),
               hi = (double)g.scale * (127 - g.zero_point);
        double step = 0.5001 * (double)g.scale;
        if (fabs(lo - fmin((double)min, 0)) > step || fabs(hi - fmax((double)max, 0)) > step ||
            lo > 0 || hi < 0)
            ck_abort_msg("[%g, %g] has codes for [%g, %g]", (double)min, (double)max, lo, hi);
    }
}
END_TEST

START_TEST(weight_scales)
{
    Real a[] = {127, 0, 2, 1, 0, (Real)12.7}, b[] = {0, 0}, c[] = {1, 0, 3};
    const float want[] = {1, 1.0f / 127, 2.0f / 127, 1.0f / 127, 1.0f / 127, 12.7f / 127};
    qat_weight_scales(6, 127, false, a); /* of 1, 2, 12.7 and 127 the lower middle: 2 */
    for (int i = 0; i < 6; i++) {
        float w = i == 1 || i == 4 ? want[2] : want[i];
        ck_assert_msg(fabsf((float)a[i] - w) <= 1e-7f, "scale %d is %g", i, (double)a[i]);
        ck_assert(a[i] == (Real)(float)a[i]);
    }
    qat_weight_scales(2, 127, false, b);
    ck_assert(b[0] == 1 && b[1] == 1);
    qat_weight_scales(3, 1, true, c);
    ck_assert(c[0] == 3 && c[1] == 3 && c[2] == 3);
    Real d[] = {(Real)NAN, 4, (Real)INFINITY};
    qat_weight_scales(3, 1, false, d);
    ck_assert(d[0] == 4 && d[1] == 4 && d[2] == 4);
}
END_TEST

/* ---- nodes ---- */

static Node *grid_node(Graph *g, const char *name, Value *range)
{
    return qat_grid(g, name, range, &(GridAttributes){.qmin = -128, .qmax = 127});
}

static Value *range_state(Graph *g, const char *name)
{
    return graph_param(g, name, SHAPE1(RANGE_NUMBERS), PARAM_STATE, (Init){0, 0});
}

static const FakequantAttributes int8 = {.qmin = -128, .qmax = 127, .axis = QUANT_AXIS_NONE};

static void set_range(Net *t, const char *name, double min, double max)
{
    Real *range = net_param(t, name);
    range[RANGE_MIN] = (Real)min;
    range[RANGE_MAX] = (Real)max;
    range[RANGE_BATCHES] = 1;
}

/* torch 1.13: fake_quantize_per_tensor_affine(x, 0.08, -64, -128, 127), and its gradient */
START_TEST(fakequant_as_pytorch)
{
    const double x[] = {-10.2, -9.9, -1.06, -0.1, 0, 0.1, 3, 5.05, 5.1, 5.3, 9};
    const double y[] = {-5.12, -5.12, -1.04, -0.08, 0, 0.08, 3.04, 5.04, 5.12, 5.28, 8.96};
    enum { N = sizeof x / sizeof x[0] };
    Net t;
    net_init(&t);
    Graph *g = &t.graph;
    Value *p = graph_param(g, "x", SHAPE1(N), PARAM_WEIGHT, (Init){0, 0});
    Value *range = range_state(g, "range");
    Node *grid = grid_node(g, "grid", range);
    Value *q = qat_fakequant(g, "q", p, grid->out[0], grid->out[1], &int8)->out[0];
    Value *real = qat_dequantize(g, "real", q)->out[0];
    net_loss(g, "loss", real);
    net_compile(&t, &(NetOptions){.mode = {.training = true, .quantize = true}});
    set_range(&t, "range", -5.12, 15.28);
    for (int i = 0; i < N; i++)
        net_param(&t, "x")[i] = (Real)x[i];
    exec_forward(t.exec);
    exec_backward(t.exec);
    ck_assert(net_data(&t, grid->out[1])[0] == -64);
    for (int i = 0; i < N; i++) {
        ck_assert_msg(fabs((double)net_data(&t, real)[i] - y[i]) < 1e-5, "y[%d] = %g", i,
                      (double)net_data(&t, real)[i]);
        double slope = i < 2 ? 0 : 1;
        ck_assert(t.params.grad[i] == (Real)(slope * net_loss_weight((size_t)i)));
    }
    net_release(&t);
}
END_TEST

/* The numbers of a value that is all of a parameter, as codes of scales per channel. */
static void check_weights(Shape shape, QuantAxis axis, bool per_tensor, int bits, int threads)
{
    Net t;
    net_init(&t);
    Graph *g = &t.graph;
    int qmax = (1 << (bits - 1)) - 1;
    Value *w = graph_param(g, "w", shape, PARAM_WEIGHT, (Init){0.1, 1});
    Node *grid = qat_weight_grid(
        g, "grid", w,
        &(WeightGridAttributes){.qmax = qmax, .axis = axis, .per_tensor = per_tensor});
    FakequantAttributes codes = {.qmin = -qmax, .qmax = qmax, .axis = axis};
    Value *q = qat_fakequant(g, "q", w, grid->out[0], NULL, &codes)->out[0];
    net_loss(g, "loss", q);
    net_compile(&t,
                &(NetOptions){.mode = {.training = true, .quantize = true}, .threads = threads});
    size_t n = shape_count(shape);
    size_t channels = (size_t)(axis == QUANT_AXIS_FIRST ? shape.dim[0] : shape_channels(shape));
    Real *x = net_param(&t, "w");
    for (size_t i = 0; i < n; i++) /* channel 1 is dead */
        if ((axis == QUANT_AXIS_FIRST ? i / (n / channels) : i % channels) == 1)
            x[i] = 0;
    exec_forward(t.exec);
    exec_backward(t.exec);
    const Real *scale = net_data(&t, grid->out[0]);
    bool reached[512] = {false};
    for (size_t i = 0; i < n; i++) {
        size_t c = axis == QUANT_AXIS_FIRST ? i / (n / channels) : i % channels;
        double code = rint((double)(x[i] * (Real)(1.0f / (float)scale[c])));
        ck_assert_int_eq(net_codes(&t, q)[i], (int)code);
        reached[c] = reached[c] || fabs(code) == qmax;
        ck_assert(t.params.grad[i] == (Real)net_loss_weight(i)); /* nothing is clipped */
    }
    for (size_t c = 0; c < channels; c++) {
        ck_assert_msg(per_tensor ? scale[c] == scale[0] : reached[c] || c == 1,
                      "channel %zu does not reach %d", c, qmax);
        ck_assert(scale[c] > (Real)0.001);
    }
    net_release(&t);
}

START_TEST(weights_become_codes)
{
    check_weights(SHAPE4(21, 3, 3, 5), QUANT_AXIS_FIRST, false, 8, 2);
    check_weights(SHAPE4(21, 3, 3, 5), QUANT_AXIS_FIRST, true, 8, 1);
    check_weights(SHAPE4(40, 1, 1, 16), QUANT_AXIS_FIRST, false, 4, 3);
    check_weights(SHAPE2(10, 64), QUANT_AXIS_FIRST, false, 8, 1);
    check_weights(SHAPE4(1, 3, 3, 21), QUANT_AXIS_LAST, false, 8, 2);
    check_weights(SHAPE4(1, 5, 5, 16), QUANT_AXIS_LAST, false, 4, 1);
    check_weights(SHAPE4(1, 3, 3, 7), QUANT_AXIS_LAST, true, 8, 1);
}
END_TEST

/* An image: x of any grid point comes back as the code. */
START_TEST(fixed_grid_of_images)
{
    Net t;
    net_init(&t);
    Graph *g = &t.graph;
    Value *x = graph_input(g, "x", SHAPE4(1, 16, 16, 1), ELEM_REAL);
    GridAttributes fixed = {.qmin = -128, .qmax = 127, .fixed = true, .grid = {IMAGE_SCALE, 0}};
    Node *grid = qat_grid(g, "grid", NULL, &fixed);
    Value *q = qat_fakequant(g, "q", x, grid->out[0], grid->out[1], &int8)->out[0];
    net_compile(&t, &(NetOptions){.mode = {.quantize = true}, .plan = true, .keep = q});
    for (int p = 0; p < 256; p++)
        net_data(&t, x)[p] = (Real)(p - 128) / 128;
    exec_forward(t.exec);
    for (int p = 0; p < 256; p++)
        ck_assert_int_eq(net_codes(&t, q)[p], p - 128);
    net_release(&t);
}
END_TEST

/* ---- modes ---- */

/* x > batchnorm > (observer, fakequant, dequantize) > loss */
static Value *small_net(Net *t, int kind, double momentum)
{
    net_init(t);
    Graph *g = &t->graph;
    Value *x = graph_input(g, "x", SHAPE4(1, 4, 4, 8), ELEM_REAL);
    Value *y = layer_batchnorm(g, "bn", x, NULL);
    Value *range = range_state(g, "range");
    Node *grid = grid_node(g, "grid", range);
    qat_observer(g, "observer", range, 1, &y,
                 &(ObserverAttributes){.kind = kind, .momentum = momentum});
    Value *q = qat_fakequant(g, "q", y, grid->out[0], grid->out[1], &int8)->out[0];
    net_loss(g, "loss", qat_dequantize(g, "real", q)->out[0]);
    return x;
}

static bool acts(const Net *t, const char *name)
{
    for (int i = 0; i < exec_run_count(t->exec); i++)
        if (strcmp(exec_run(t->exec, i)->node->name, name) == 0)
            return true;
    return false;
}

START_TEST(which_nodes_act)
{
    static const struct {
        Mode mode;
        bool quantizers, observer;
    } rows[] = {
        {{.training = true}, false, false},  {{.training = true, .quantize = true}, true, true},
        {{.quantize = true}, true, false},   {{.observe = true}, false, true},
        {{.training = false}, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Net t;
        small_net(&t, OBSERVER_EMA, 0.9);
        net_compile(&t, &(NetOptions){.mode = rows[i].mode});
        ck_assert_int_eq(acts(&t, "q"), rows[i].quantizers);
        ck_assert_int_eq(acts(&t, "grid"), rows[i].quantizers);
        ck_assert_int_eq(acts(&t, "real"), rows[i].quantizers);
        ck_assert_int_eq(acts(&t, "observer"), rows[i].observer);
        net_release(&t);
    }
}
END_TEST

/* A step quantizes with the range the previous one left; memory is shared as in training. */
START_TEST(ranges_follow_the_step)
{
    Net t;
    Value *x = small_net(&t, OBSERVER_EMA, 0.75);
    Value *q = graph_find_node(&t.graph, "q")->out[0];
    net_compile(&t, &(NetOptions){.mode = {.training = true, .quantize = true},
                                  .batch = 9,
                                  .plan = true,
                                  .keep = q,
                                  .threads = 2});
    exec_control(t.exec)->freeze_batchnorm = true; /* y = x / sqrt(1 + eps) */
    double lo = 0, hi = 0, unit = 1 / sqrt(1 + 1e-3);
    for (int step = 0; step < 4; step++) {
        net_random(&t, x, step, 1 + step);
        double min = 0, max = 0;
        const Real *v = net_data(&t, x);
        for (int i = 0; i < 9 * 128; i++) {
            min = i == 0 ? (double)v[i] : fmin(min, (double)v[i]);
            max = i == 0 ? (double)v[i] : fmax(max, (double)v[i]);
        }
        exec_forward(t.exec);
        Grid g;
        ck_assert(qat_grid_from_range((float)lo, (float)hi, -128, 127, &g) == HONE_OK);
        ck_assert(fabs((double)run_scale(net_tensor(&t, q))[0] - (double)g.scale) <=
                  1e-5 * (double)g.scale);
        exec_backward(t.exec);
        exec_commit(t.exec);
        lo = step == 0 ? min * unit : 0.75 * lo + 0.25 * min * unit;
        hi = step == 0 ? max * unit : 0.75 * hi + 0.25 * max * unit;
        const Real *range = net_param(&t, "range");
        ck_assert(fabs((double)range[RANGE_MIN] - lo) < 1e-5);
        ck_assert(fabs((double)range[RANGE_MAX] - hi) < 1e-5);
        ck_assert(range[RANGE_BATCHES] == (Real)(step + 1));
    }
    Real before[RANGE_NUMBERS];
    memcpy(before, net_param(&t, "range"), sizeof before);
    exec_control(t.exec)->freeze_observers = true;
    exec_forward(t.exec);
    exec_backward(t.exec);
    exec_commit(t.exec);
    ck_assert_mem_eq(before, net_param(&t, "range"), sizeof before);
    net_release(&t);
}
END_TEST

START_TEST(bad_numbers_leave_the_range)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    Net t;
    Value *x = small_net(&t, OBSERVER_MINMAX, 0);
    net_compile(&t, &(NetOptions){.mode = {.observe = true}, .batch = 3});
    net_random(&t, x, 0, 1);
    for (int i = 0; i < 3; i++) {
        net_data(&t, x)[77 + i] = (Real)bad[i];
        exec_forward(t.exec);
        exec_commit(t.exec);
        net_data(&t, x)[77 + i] = 0;
        ck_assert(net_param(&t, "range")[RANGE_BATCHES] == 0);
    }
    exec_forward(t.exec);
    exec_commit(t.exec);
    Real *range = net_param(&t, "range"), min = range[RANGE_MIN];
    ck_assert(range[RANGE_BATCHES] == 1 && min < -1 && range[RANGE_MAX] > 1);
    net_random(&t, x, 100, 1);
    exec_forward(t.exec);
    exec_commit(t.exec); /* the union of both batches */
    ck_assert(range[RANGE_MIN] == min && range[RANGE_MAX] > 95);
    net_release(&t);
}
END_TEST

/* Several values, directly and through extents, give the range of them all. */
START_TEST(shared_ranges)
{
    Net t;
    net_init(&t);
    Graph *g = &t.graph;
    Value *x[3] = {graph_input(g, "a", SHAPE4(1, 3, 3, 5), ELEM_REAL),
                   graph_input(g, "b", SHAPE2(1, 2), ELEM_REAL),
                   graph_input(g, "c", SHAPE4(1, 8, 8, 2), ELEM_REAL)};
    Value *extents[2] = {qat_extent(g, "ea", 1, &x[0])->out[0],
                         qat_extent(g, "ebc", 2, &x[1])->out[0]};
    Value *direct = range_state(g, "direct"), *through = range_state(g, "through");
    ObserverAttributes o = {.kind = OBSERVER_EMA, .momentum = 0.5};
    qat_observer(g, "one", direct, 3, x, &o);
    qat_observer(g, "two", through, 2, extents, &o);
    net_compile(
        &t, &(NetOptions){
                .mode = {.observe = true}, .batch = 2, .threads = 2, .plan = true, .keep = x[0]});
    for (int batch = 0; batch < 3; batch++) {
        for (int i = 0; i < 3; i++)
            net_random(&t, x[i], i, 1);
        exec_forward(t.exec);
        exec_commit(t.exec);
        ck_assert_mem_eq(net_param(&t, "direct"), net_param(&t, "through"),
                         RANGE_NUMBERS * sizeof(Real));
    }
    ck_assert(net_param(&t, "direct")[RANGE_BATCHES] == 3);
    net_data(&t, x[1])[3] = (Real)NAN;
    exec_forward(t.exec);
    exec_commit(t.exec);
    ck_assert(net_param(&t, "direct")[RANGE_BATCHES] == 3);
    ck_assert(net_param(&t, "through")[RANGE_BATCHES] == 3);
    net_release(&t);
}
END_TEST

/* ---- messages ---- */

START_TEST(messages)
{
    Graph g;
    graph_init(&g);
    Value *x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    ck_assert_ptr_null(qat_grid(&g, "grid", x, &(GridAttributes){.qmin = -128, .qmax = 127}));
    net_refuses(&g, "grid 'grid': 'x' [1, 3] is not a range [4]");
    ck_assert_ptr_null(
        qat_grid(&g, "grid", NULL, &(GridAttributes){.qmin = 0, .qmax = 255, .fixed = true}));
    net_refuses(&g, "grid 'grid': codes 0..255");
    ck_assert_ptr_null(
        qat_grid(&g, "grid", NULL, &(GridAttributes){.qmin = -8, .qmax = 7, .fixed = true}));
    net_refuses(&g, "scale 0 is not above 0");
    x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    ck_assert_ptr_null(qat_weight_grid(
        &g, "grid", x, &(WeightGridAttributes){.qmax = 127, .axis = QUANT_AXIS_FIRST}));
    net_refuses(&g, "'x' is not a parameter");
    x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    Value *scale = graph_param(&g, "scale", SHAPE1(2), PARAM_STATE, (Init){1, 0});
    ck_assert_ptr_null(qat_fakequant(&g, "q", x, scale, NULL, &int8));
    net_refuses(&g, "fakequant 'q': scale [2] does not fit the real input [1, 3] (1 channels)");
    x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    ck_assert_ptr_null(qat_dequantize(&g, "real", x));
    net_refuses(&g, "dequantize 'real': 'x' has no grid");
    x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    ck_assert_ptr_null(qat_observer(&g, "o", x, 1, &x, &(ObserverAttributes){.momentum = 0.9}));
    net_refuses(&g, "observer 'o': 'x' [1, 3] is not a range state [4]");
    x = graph_input(&g, "x", SHAPE2(1, 3), ELEM_REAL);
    Value *range = range_state(&g, "range");
    ck_assert_ptr_null(qat_observer(&g, "o", range, 1, &x, &(ObserverAttributes){.momentum = 1}));
    net_refuses(&g, "observer 'o': kind 0 with momentum 1");
    ck_assert_ptr_null(qat_observer(&g, "o", range, 8, &x, &(ObserverAttributes){.momentum = 0}));
    net_refuses(&g, "observer 'o': 8 values");
    graph_release(&g);
}
END_TEST

Suite *suite_qat_nodes(void)
{
    Suite *s = suite_create("qat_nodes");
    TCase *t = tcase_create("qat_nodes");
    tcase_add_test(t, grid_by_hand);
    tcase_add_test(t, grid_of_infinity);
    tcase_add_test(t, grid_properties);
    tcase_add_test(t, weight_scales);
    tcase_add_test(t, fakequant_as_pytorch);
    tcase_add_test(t, weights_become_codes);
    tcase_add_test(t, fixed_grid_of_images);
    tcase_add_test(t, which_nodes_act);
    tcase_add_test(t, ranges_follow_the_step);
    tcase_add_test(t, bad_numbers_leave_the_range);
    tcase_add_test(t, shared_ranges);
    tcase_add_test(t, messages);
    suite_add_tcase(s, t);
    return s;
}
