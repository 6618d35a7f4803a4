/* What graphs, layers, quantization nodes and compilations refuse, each with its sentence, word for
 * word. What models and YAML files can bring about is tested where it arises; here are the checks that
 * only a graph made by hand fails. SPDX-License-Identifier: Apache-2.0 */
#include "core/exec.h"
#include "layers/layers.h"
#include "qat/nodes.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static Graph g;

static void setup(void)
{
    graph_init(&g);
}

static void teardown(void)
{
    graph_release(&g);
}

/* The graph must have failed with this sentence; the next attempt finds a new one. */
static void refused(int code, const char *sentence)
{
    Error e = {0};
    ck_assert_int_eq(graph_failed(&g, &e), code);
    ck_assert_str_eq(e.text, sentence);
    graph_release(&g);
    graph_init(&g);
}

static Value *real(Shape shape)
{
    return graph_input(&g, "x", shape, ELEM_REAL);
}

static Value *whole(Shape shape)
{
    return graph_input(&g, "x", shape, ELEM_INT32);
}

static Value *state(const char *name, Shape shape)
{
    return graph_param(&g, name, shape, PARAM_STATE, (Init){0});
}

START_TEST(names_are_unique)
{
    state("a", SHAPE1(1));
    ck_assert_ptr_null(state("a", SHAPE1(2)));
    refused(HONE_ERR_CONFIG, "two parameters are named 'a'");
    Value *y = layer_relu(&g, "relu", real(SHAPE2(1, 3)));
    ck_assert_ptr_null(layer_relu(&g, "relu", y));
    ck_assert_ptr_null(real(SHAPE1(1)));
    ck_assert_ptr_null(state("b", SHAPE1(1)));
    refused(HONE_ERR_CONFIG, "two layers are named 'relu'");
}
END_TEST

START_TEST(batchnorm_is_refused)
{
    const BatchnormOptions o = {.momentum = 0.1, .epsilon = 1e-3};
    layer_batchnorm(&g, "bn", real(SHAPE1(1)), NULL);
    refused(HONE_ERR_SHAPE, "batchnorm 'bn': input [1] is not real [N,...,C]");
    layer_batchnorm(&g, "bn", whole(SHAPE2(1, 3)), NULL);
    refused(HONE_ERR_SHAPE, "batchnorm 'bn': input [1, 3] is not real [N,...,C]");
    Value *in[5] = {real(SHAPE2(1, 3))};
    for (int i = 1; i < 5; i++)
        in[i] = state((const char *const[]){"gamma", "beta", "mean", "variance"}[i - 1],
                      SHAPE1(i < 4 ? 3 : 2));
    graph_node(&g, &op_batchnorm, "bn", 5, in, &o, sizeof o);
    refused(HONE_ERR_SHAPE, "batchnorm 'bn': 'variance' [2] does not fit input [1, 3]");
    layer_batchnorm(&g, "bn", real(SHAPE2(1, 3)), &(BatchnormOptions){.momentum = 2});
    refused(HONE_ERR_CONFIG,
            "batchnorm 'bn': momentum 2 is not in [0, 1] or epsilon 0.001 not above 0");
}
END_TEST

START_TEST(weights_are_refused)
{
    Value *in[3] = {real(SHAPE2(1, 3)), state("w", SHAPE2(4, 2)), state("b", SHAPE1(2))};
    graph_node(&g, &op_dense, "fc", 2, in, NULL, 0);
    refused(HONE_ERR_SHAPE, "dense 'fc': weights [4, 2] do not fit 3 inputs");
    in[0] = real(SHAPE2(1, 3));
    in[1] = state("w", SHAPE1(3));
    graph_node(&g, &op_dense, "fc", 2, in, NULL, 0);
    refused(HONE_ERR_SHAPE, "dense 'fc': weights [3] do not fit 3 inputs");
    in[0] = real(SHAPE2(1, 3));
    in[1] = state("w", SHAPE2(4, 3));
    in[2] = state("b", SHAPE1(2));
    graph_node(&g, &op_dense, "fc", 3, in, NULL, 0);
    refused(HONE_ERR_SHAPE, "dense 'fc': bias is [2], not [4]");
    Value *x = real(SHAPE4(1, 8, 8, 2));
    Value *y = layer_conv2d(&g, "conv", x, &(Conv2dOptions){.channels = 4, .kernel = {3, 3}});
    y->producer->in[1] = state("w", SHAPE4(4, 3, 1, 2));
    ck_assert_int_eq(op_conv2d.infer(y->producer, &g.error), HONE_ERR_SHAPE);
    refused(HONE_ERR_SHAPE, "conv2d 'conv': weights are [4, 3, 1, 2], not [4, 3, 3, 2]");
}
END_TEST

START_TEST(windows_are_refused)
{
    static const struct {
        Conv2dOptions o;
        const char *sentence;
    } cases[] = {
        {{.channels = 1, .kernel = {256, 1}}, "conv2d 'c': kernel 256 is outside 1..255"},
        {{.channels = 1, .stride = {1, 256}}, "conv2d 'c': stride 256 is outside 1..255"},
        {{.channels = 1, .dilation = {-1, 1}}, "conv2d 'c': dilation -1 is outside 1..255"},
        {{.channels = 1, .kernel = {255, 255}, .dilation = {255, 255}},
         "conv2d 'c': kernel 255 of dilation 255 spans more than 4096"},
        {{.channels = 0}, "conv2d 'c': 0 channels, not 1..65536"},
        {{.channels = 4, .groups = 3},
         "conv2d 'c': 2 inputs and 4 channels do not fall into 3 groups"},
        {{.channels = 3, .groups = 2},
         "conv2d 'c': 2 inputs and 3 channels do not fall into 2 groups"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_ptr_null(layer_conv2d(&g, "c", real(SHAPE4(1, 8, 8, 2)), &cases[i].o));
        refused(HONE_ERR_SHAPE, cases[i].sentence);
    }
    layer_upsample(&g, "up", real(SHAPE4(1, 131072, 1, 1)), (const int[]){255, 1});
    refused(HONE_ERR_SHAPE, "upsample 'up': a size of 33423360 x 1 is more than 16777216");
    layer_upsample(&g, "up", real(SHAPE4(1, 1, 131072, 1)), (const int[]){1, 255});
    refused(HONE_ERR_SHAPE, "upsample 'up': a size of 1 x 33423360 is more than 16777216");
    layer_upsample(&g, "up", real(SHAPE4(1, 1, 1, 1)), (const int[]){1, 0});
    refused(HONE_ERR_SHAPE, "upsample 'up': the factor 0 is outside 1..255");
    layer_pad(&g, "pad", real(SHAPE4(1, 1, 1, 1)), (const int[]){0, 0, 4097, 0});
    refused(HONE_ERR_SHAPE, "pad 'pad': 4097 is outside 0..4096");
    layer_pad(&g, "pad", whole(SHAPE4(1, 1, 1, 1)), (const int[]){0, 0, 0, 0});
    refused(HONE_ERR_SHAPE, "pad 'pad': input [1, 1, 1, 1] is not real [N,H,W,C]");
    layer_sigmoid(&g, "s", whole(SHAPE2(1, 3)));
    refused(HONE_ERR_SHAPE, "sigmoid 's': the input 'x' is not real");
    layer_max_pool(&g, "pool", whole(SHAPE4(1, 2, 2, 1)), &(PoolOptions){.kernel = {2, 2}});
    refused(HONE_ERR_SHAPE, "max_pool 'pool': the input 'x' is not real");
}
END_TEST

START_TEST(losses_are_refused)
{
    layer_softmax(&g, "s", real(SHAPE1(3)));
    refused(HONE_ERR_SHAPE, "softmax 's': input [3] is not real [N, ..., K]");
    layer_softmax(&g, "s", whole(SHAPE2(1, 3)));
    refused(HONE_ERR_SHAPE, "softmax 's': input [1, 3] is not real [N, ..., K]");
    Value *x = real(SHAPE1(3));
    layer_softmax_xent(&g, "loss", x, graph_input(&g, "l", SHAPE1(1), ELEM_INT32), 0);
    refused(HONE_ERR_SHAPE, "softmax_xent 'loss': logits [3] are not real [N,K]");
    for (int i = 0; i < 2; i++) {
        x = real(SHAPE2(1, 3));
        layer_softmax_xent(&g, "loss", x, graph_input(&g, "l", SHAPE1(1), ELEM_INT32),
                           i ? 1 : -0.5);
        refused(HONE_ERR_CONFIG, i ? "softmax_xent 'loss': label smoothing 1 is not in [0, 1)"
                                   : "softmax_xent 'loss': label smoothing -0.5 is not in [0, 1)");
    }
    x = real(SHAPE1(3));
    layer_mse(&g, "loss", x, x);
    refused(HONE_ERR_SHAPE, "mse 'loss': outputs [3] are not real [N,K]");
    x = real(SHAPE2(1, 3));
    layer_mse(&g, "loss", x, graph_input(&g, "l", SHAPE2(1, 1), ELEM_INT32));
    refused(HONE_ERR_SHAPE, "mse 'loss': labels [1, 1] are not int32 [N] of outputs [1, 3]");
    x = real(SHAPE2(1, 3));
    layer_mse(&g, "loss", x, graph_input(&g, "t", SHAPE2(1, 4), ELEM_REAL));
    refused(HONE_ERR_SHAPE,
            "mse 'loss': outputs [1, 3] are not as many numbers as the target [1, 4]");
}
END_TEST

/* Codes that no byte holds, or none at all. */
START_TEST(codes_are_refused)
{
    static const struct {
        int qmin, qmax;
        const char *text;
    } bad[] = {{-129, 127, "-129..127"}, {0, 128, "0..128"}, {7, 7, "7..7"}};
    char sentence[120];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        Value *x = real(SHAPE2(1, 3));
        qat_fakequant(&g, "q", x, state("s", SHAPE1(1)), NULL,
                      &(FakequantAttributes){bad[i].qmin, bad[i].qmax, QUANT_AXIS_NONE});
        snprintf(sentence, sizeof sentence, "fakequant 'q': codes %s are not within -128..127",
                 bad[i].text);
        refused(HONE_ERR_CONFIG, sentence);
        qat_grid(&g, "grid", NULL,
                 &(GridAttributes){.qmin = bad[i].qmin, .qmax = bad[i].qmax, .fixed = true});
        snprintf(sentence, sizeof sentence, "grid 'grid': codes %s are not within -128..127",
                 bad[i].text);
        refused(HONE_ERR_CONFIG, sentence);
    }
    static const WeightGridAttributes grids[] = {{.qmax = 128}, {.qmax = 0}, {.qmax = 7}};
    for (size_t i = 0; i < sizeof grids / sizeof grids[0]; i++) {
        qat_weight_grid(&g, "grid", state("w", SHAPE2(4, 3)), &grids[i]);
        snprintf(sentence, sizeof sentence,
                 "weight_grid 'grid': codes to %d (1..127), channels on axis 0 (first or last)",
                 grids[i].qmax);
        refused(HONE_ERR_CONFIG, sentence);
    }
    qat_weight_grid(&g, "grid", state("w", (Shape){0}),
                    &(WeightGridAttributes){.qmax = 7, .axis = QUANT_AXIS_FIRST});
    refused(HONE_ERR_SHAPE, "weight_grid 'grid': 'w' is not a parameter with channels");
    qat_weight_grid(&g, "grid", real(SHAPE2(1, 3)),
                    &(WeightGridAttributes){.qmax = 7, .axis = QUANT_AXIS_FIRST});
    refused(HONE_ERR_SHAPE, "weight_grid 'grid': 'x' is not a parameter with channels");
}
END_TEST

START_TEST(grids_are_refused)
{
    const FakequantAttributes int8 = {-128, 127, QUANT_AXIS_NONE};
    Value *x = whole(SHAPE2(1, 3));
    qat_fakequant(&g, "q", x, state("s", SHAPE1(1)), NULL, &int8);
    refused(HONE_ERR_SHAPE,
            "fakequant 'q': scale [1] does not fit the real input [1, 3] (1 channels)");
    x = real(SHAPE2(1, 3));
    qat_fakequant(&g, "q", x, state("s", SHAPE1(2)), NULL,
                  &(FakequantAttributes){-127, 127, QUANT_AXIS_LAST});
    refused(HONE_ERR_SHAPE,
            "fakequant 'q': scale [2] does not fit the real input [1, 3] (3 channels)");
    x = real(SHAPE2(1, 3));
    qat_fakequant(&g, "q", x, state("s", SHAPE1(1)), state("z", SHAPE1(2)), &int8);
    refused(HONE_ERR_SHAPE, "fakequant 'q': a zero point is [1] and goes with one scale");
    x = real(SHAPE2(1, 3));
    qat_fakequant(&g, "q", x, state("s", SHAPE1(3)), state("z", SHAPE1(1)),
                  &(FakequantAttributes){-127, 127, QUANT_AXIS_LAST});
    refused(HONE_ERR_SHAPE, "fakequant 'q': a zero point is [1] and goes with one scale");
    x = state("w", SHAPE2(4, 3));
    x = qat_fakequant(&g, "q", x, state("s", SHAPE1(4)), NULL,
                      &(FakequantAttributes){-127, 127, QUANT_AXIS_FIRST})
            ->out[0];
    qat_dequantize(&g, "real", x);
    refused(HONE_ERR_SHAPE, "dequantize 'real': 'q' has no grid, or one per channel");
    qat_dequantize(&g, "real", real(SHAPE2(1, 3)));
    refused(HONE_ERR_SHAPE, "dequantize 'real': 'x' has no grid, or one per channel");
    graph_node(&g, &op_grid, "grid", 0, NULL, &(GridAttributes){.qmin = -8, .qmax = 7},
               sizeof(GridAttributes));
    refused(HONE_ERR_SHAPE, "grid 'grid': 0 inputs; a fixed one takes 0, others 1");
    qat_grid(&g, "grid", state("r", SHAPE1(3)), &(GridAttributes){.qmin = -8, .qmax = 7});
    refused(HONE_ERR_SHAPE, "grid 'grid': 'r' [3] is not a range [4]");
    qat_grid(&g, "grid", NULL, &(GridAttributes){.qmin = -8, .qmax = 7, .fixed = true});
    refused(HONE_ERR_CONFIG, "grid 'grid': scale 0 is not above 0");
}
END_TEST

START_TEST(observers_are_refused)
{
    const ObserverAttributes ema = {OBSERVER_EMA, 0.9};
    static const ObserverAttributes bad[] = {
        {OBSERVER_EMA, 1}, {OBSERVER_EMA, -0.5}, {OBSERVER_EMA, (double)NAN}, {7, 0.5}};
    static const char *const sentences[] = {
        "observer 'o': kind 0 with momentum 1", "observer 'o': kind 0 with momentum -0.5",
        "observer 'o': kind 0 with momentum nan", "observer 'o': kind 7 with momentum 0.5"};
    Value *x = real(SHAPE2(1, 3));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++, x = real(SHAPE2(1, 3))) {
        qat_observer(&g, "o", state("range", SHAPE1(4)), 1, &x, &bad[i]);
        refused(HONE_ERR_CONFIG, sentences[i]);
    }
    qat_observer(&g, "o", state("range", SHAPE1(4)), 0, NULL, &ema);
    refused(HONE_ERR_CONFIG, "observer 'o': 0 values; 1..7 are possible");
    qat_observer(&g, "o", state("range", SHAPE1(4)), 8, NULL, &ema);
    refused(HONE_ERR_CONFIG, "observer 'o': 8 values; 1..7 are possible");
    x = real(SHAPE2(1, 3));
    qat_observer(&g, "o", x, 1, &x, &ema);
    refused(HONE_ERR_SHAPE,
            "observer 'o': 'x' [1, 3] is not a range state [4], or nothing is observed");
    x = real(SHAPE2(1, 3));
    qat_observer(&g, "o", state("range", SHAPE1(3)), 1, &x, &ema);
    refused(HONE_ERR_SHAPE,
            "observer 'o': 'range' [3] is not a range state [4], or nothing is observed");
    x = whole(SHAPE2(1, 3));
    qat_observer(&g, "o", state("range", SHAPE1(4)), 1, &x, &ema);
    refused(HONE_ERR_SHAPE, "observer 'o': 'x' is not real");
    x = qat_fakequant(&g, "q", real(SHAPE2(1, 3)), state("s", SHAPE1(1)), NULL,
                      &(FakequantAttributes){-128, 127, QUANT_AXIS_NONE})
            ->out[0];
    qat_extent(&g, "extent", 1, &x);
    refused(HONE_ERR_SHAPE, "extent 'extent': 'q' is not real");
}
END_TEST

/* ---- compilations ---- */

/* Compiles the graph, which must be refused. */
static void not_compiled(const ExecOptions *o, int code, const char *sentence)
{
    Params params;
    Compute compute;
    Exec *x;
    Error e = {0};
    ExecOptions options = *o;
    ck_assert_int_eq(compute_open(&compute, 1, getenv("HONE_CPU"), &e), HONE_OK);
    ck_assert_int_eq(params_new(&params, &g, 1, &e), HONE_OK);
    options.compute = &compute;
    ck_assert_int_eq(exec_new(&x, &g, &params, &options, &e), code);
    ck_assert_str_eq(e.text, sentence);
    params_free(&params);
    compute_close(&compute);
}

START_TEST(compilations_are_refused)
{
    layer_relu(&g, "relu", real(SHAPE2(1, 70000)));
    not_compiled(&(ExecOptions){.mode = {.training = true}, .batch = 1}, HONE_ERR_CONFIG,
                 "the model has no loss to train on");
    not_compiled(&(ExecOptions){.batch = 40000}, HONE_ERR_SHAPE,
                 "'x' has 2800000000 elements at batch 40000; at most 2147483647 fit");
}
END_TEST

START_TEST(machines_are_refused)
{
    Compute compute;
    Error e = {0};
    ck_assert_int_eq(compute_open(&compute, 1, "sse2", &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text,
                     "HONE_CPU: this machine has no kernels 'sse2'; ref, avx2 and avx512 exist");
    compute_close(&compute);
    e = (Error){0};
    ck_assert_int_eq(compute_open(&compute, -1, NULL, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "threads: -1 is outside 0..256");
    compute_close(&compute);
}
END_TEST

Suite *suite_refusals(void)
{
    Suite *s = suite_create("refusals");
    TCase *t = tcase_create("refusals");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, names_are_unique);
    tcase_add_test(t, batchnorm_is_refused);
    tcase_add_test(t, weights_are_refused);
    tcase_add_test(t, windows_are_refused);
    tcase_add_test(t, losses_are_refused);
    tcase_add_test(t, codes_are_refused);
    tcase_add_test(t, grids_are_refused);
    tcase_add_test(t, observers_are_refused);
    tcase_add_test(t, compilations_are_refused);
    tcase_add_test(t, machines_are_refused);
    suite_add_tcase(s, t);
    return s;
}
