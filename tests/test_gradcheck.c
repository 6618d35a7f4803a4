/* Gradients of every differentiable op, in double against central differences, straight-through ones
 * against their closed form; in every build the independence of the number of threads. A new op
 * needs a case here, or `every_op_has_a_case` fails. SPDX-License-Identifier: Apache-2.0 */
#include "distill/distill.h"
#include "layers/layers.h"
#include "qat/nodes.h"
#include "tests/gradcheck.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>

#define TOLERANCE 1e-6

/* ---- layers ---- */

static Value *source(Graph *g, Shape s)
{
    return gradcheck_source(g, "x", s, 0.3, 1);
}

static Value *conv_same(Graph *g)
{
    return layer_conv2d(g, "conv", source(g, SHAPE4(3, 5, 6, 3)),
                        &(Conv2dOptions){.channels = 4, .kernel = {3, 3}, .bias = true});
}

static Value *conv_stride(Graph *g)
{
    Conv2dOptions o = {.channels = 3, .kernel = {3, 2}, .stride = {2, 3}, .dilation = {1, 2}};
    return layer_conv2d(g, "conv", source(g, SHAPE4(2, 7, 8, 2)), &o);
}

static Value *conv_pads(Graph *g)
{
    Conv2dOptions o = {.channels = 5,
                       .kernel = {3, 3},
                       .stride = {2, 1},
                       .padding = PADDING_EXPLICIT,
                       .pads = {2, 0, 1, 2}};
    return layer_conv2d(g, "conv", source(g, SHAPE4(2, 5, 4, 3)), &o);
}

static Value *conv_pointwise(Graph *g)
{
    return layer_conv2d(g, "conv", source(g, SHAPE4(2, 4, 3, 5)),
                        &(Conv2dOptions){.channels = 7, .kernel = {1, 1}, .bias = true});
}

static Value *depthwise_same(Graph *g)
{
    return layer_depthwise(g, "dw", source(g, SHAPE4(3, 5, 4, 5)),
                           &(Conv2dOptions){.kernel = {3, 3}, .bias = true});
}

static Value *depthwise_stride(Graph *g)
{
    Conv2dOptions o = {.kernel = {5, 3}, .stride = {2, 2}, .dilation = {1, 2}};
    return layer_depthwise(g, "dw", source(g, SHAPE4(2, 7, 9, 3)), &o);
}

static Value *conv_groups(Graph *g)
{
    Conv2dOptions o = {.channels = 6, .kernel = {3, 2}, .stride = {2, 1}, .bias = true};
    o.groups = 2;
    return layer_conv2d(g, "conv", source(g, SHAPE4(3, 5, 4, 4)), &o);
}

static Value *conv_dilated(Graph *g)
{
    Conv2dOptions o = {.channels = 2, .kernel = {3, 3}, .stride = {2, 2}, .dilation = {3, 2}};
    return layer_conv2d(g, "conv", source(g, SHAPE4(2, 9, 7, 3)), &o);
}

static Value *depthwise_multiplied(Graph *g)
{
    Conv2dOptions o = {.kernel = {3, 3}, .stride = {1, 2}, .bias = true, .multiplier = 3};
    return layer_depthwise(g, "dw", source(g, SHAPE4(3, 4, 5, 2)), &o);
}

static Value *depthwise_dilated(Graph *g)
{
    Conv2dOptions o = {.kernel = {3, 3}, .stride = {2, 2}, .dilation = {2, 3}};
    return layer_depthwise(g, "dw", source(g, SHAPE4(2, 8, 9, 3)), &o);
}

static Value *dense_rows(Graph *g)
{
    return layer_dense(g, "dense", source(g, SHAPE2(3, 7)), 5, true);
}

static Value *dense_flattened(Graph *g)
{
    return layer_dense(g, "dense", source(g, SHAPE4(2, 2, 3, 3)), 4, false);
}

static Value *batchnorm_images(Graph *g)
{
    return layer_batchnorm(g, "bn", source(g, SHAPE4(3, 4, 3, 5)), NULL);
}

static Value *batchnorm_rows(Graph *g)
{
    return layer_batchnorm(g, "bn", source(g, SHAPE2(17, 3)),
                           &(BatchnormOptions){.epsilon = 0.1, .momentum = 0.3});
}

/* Parameters and running statistics that are not the neutral first ones. */
static void batchnorm_values(const Graph *g, Params *p)
{
    const char *names[] = {"bn.gamma", "bn.beta", "bn.mean", "bn.variance"};
    for (int k = 0; k < 4; k++) {
        Real *v = gradcheck_at(g, p, names[k]);
        for (size_t i = 0; i < graph_find_param(g, names[k])->count; i++)
            v[i] = (Real)(0.7 + 0.2 * k + 0.15 * (double)i);
    }
}

static Value *relu(Graph *g)
{
    return layer_relu(g, "relu", gradcheck_source(g, "x", SHAPE4(2, 3, 5, 7), 0, 1));
}

static Value *relu6(Graph *g)
{
    return layer_relu6(g, "relu6", gradcheck_source(g, "x", SHAPE4(2, 3, 5, 7), 3, 4));
}

/* Differences must not step over a kink. */
static void away_from_kinks(const Graph *g, Params *p)
{
    Real *x = gradcheck_at(g, p, "x");
    for (size_t i = 0; i < graph_find_param(g, "x")->count; i++)
        if (fabs((double)x[i]) < 0.01 || fabs((double)x[i] - 6) < 0.01)
            x[i] += (Real)0.1;
}

static Value *add_two(Graph *g)
{
    Value *a = source(g, SHAPE4(2, 3, 3, 4));
    return layer_add(g, "add", a, gradcheck_source(g, "y", SHAPE4(2, 3, 3, 4), 0, 1));
}

static Value *add_itself(Graph *g)
{
    Value *a = source(g, SHAPE4(2, 3, 3, 4));
    return layer_add(g, "add", a, a);
}

/* A residual connection: the sum's gradient reaches x in two ways. */
static Value *add_residual(Graph *g)
{
    Value *x = source(g, SHAPE4(2, 3, 3, 4));
    Value *y = layer_batchnorm(g, "bn", x, NULL);
    return layer_batchnorm(g, "bn2", layer_add(g, "add", x, y), NULL);
}

static Value *mean(Graph *g)
{
    return layer_mean(g, "mean", source(g, SHAPE4(3, 4, 5, 6)));
}

static Value *xent_of(Graph *g, double smoothing)
{
    Value *labels = graph_input(g, "labels", SHAPE1(6), ELEM_INT32);
    return layer_softmax_xent(g, "loss", source(g, SHAPE2(6, 4)), labels, smoothing);
}

static Value *xent(Graph *g)
{
    return xent_of(g, 0);
}

static Value *xent_smooth(Graph *g)
{
    return xent_of(g, 0.2);
}

/* ---- layers without sums over channels ---- */

#define UNARY_CASE(function)                                                                       \
    static Value *function(Graph *g)                                                               \
    {                                                                                              \
        return layer_##function(g, #function,                                                      \
                                gradcheck_source(g, "x", SHAPE4(2, 3, 5, 7), 0.3, 2));             \
    }

UNARY_CASE(sigmoid)
UNARY_CASE(hard_sigmoid)
UNARY_CASE(hard_swish)
UNARY_CASE(silu)
UNARY_CASE(softmax)

static Value *tanh_of(Graph *g)
{
    return layer_tanh(g, "tanh", source(g, SHAPE2(5, 9)));
}

static Value *leaky_relu(Graph *g)
{
    return layer_leaky_relu(g, "leaky", source(g, SHAPE4(2, 3, 5, 7)), 0.1);
}

static Value *elu(Graph *g)
{
    return layer_elu(g, "elu", source(g, SHAPE4(2, 3, 5, 7)), 0.7);
}

/* hard_sigmoid and hard_swish have theirs at -3 and 3. */
static void away_from_ramps(const Graph *g, Params *p)
{
    Real *x = gradcheck_at(g, p, "x");
    for (size_t i = 0; i < graph_find_param(g, "x")->count; i++)
        if (fabs(fabs((double)x[i]) - 3) < 0.01)
            x[i] += (Real)0.1;
}

static const PoolOptions overlapping = {.kernel = {3, 2}, .stride = {2, 1}};
static const PoolOptions padded = {
    .kernel = {2, 3}, .stride = {1, 2}, .padding = PADDING_EXPLICIT, .pads = {1, 2, 0, 1}};

static Value *max_pool(Graph *g)
{
    return layer_max_pool(g, "pool", source(g, SHAPE4(3, 7, 6, 5)), &overlapping);
}

static Value *max_pool_padded(Graph *g)
{
    return layer_max_pool(g, "pool", source(g, SHAPE4(2, 5, 6, 3)), &padded);
}

static Value *average_pool(Graph *g)
{
    return layer_average_pool(g, "pool", source(g, SHAPE4(3, 7, 6, 5)), &overlapping);
}

static Value *average_pool_padded(Graph *g)
{
    return layer_average_pool(g, "pool", source(g, SHAPE4(2, 5, 6, 3)), &padded);
}

/* No two numbers of a window closer than the differences go. */
static void spread(const Graph *g, Params *p)
{
    Real *x = gradcheck_at(g, p, "x");
    const size_t n = graph_find_param(g, "x")->count;
    for (size_t i = 0; i < n; i++)
        x[i] = (Real)((double)(i * 7919 % n) / (double)n * 8 - 4);
}

static Value *mul_same(Graph *g)
{
    Value *a = source(g, SHAPE4(2, 3, 3, 4));
    return layer_mul(g, "mul", a, gradcheck_source(g, "y", SHAPE4(2, 3, 3, 4), 0, 1));
}

static Value *mul_channels(Graph *g)
{
    Value *a = source(g, SHAPE4(3, 4, 3, 5));
    return layer_mul(g, "mul", a, gradcheck_source(g, "y", SHAPE2(3, 5), 0, 1));
}

static Value *mul_pixel(Graph *g)
{
    Value *a = source(g, SHAPE4(3, 4, 3, 5));
    return layer_mul(g, "mul", a, gradcheck_source(g, "y", SHAPE4(3, 1, 1, 5), 0, 1));
}

static Value *mul_itself(Graph *g)
{
    Value *a = source(g, SHAPE4(2, 3, 3, 4));
    return layer_mul(g, "mul", a, a);
}

static Value *concat_three(Graph *g)
{
    Value *a = source(g, SHAPE4(2, 3, 2, 4));
    Value *b = gradcheck_source(g, "y", SHAPE4(2, 3, 2, 1), 0, 1);
    return layer_concat(g, "concat", 3, (Value *[]){a, b, a});
}

static Value *padding(Graph *g)
{
    return layer_pad(g, "pad", source(g, SHAPE4(2, 3, 4, 2)), (int[]){1, 0, 2, 3});
}

static Value *upsample(Graph *g)
{
    return layer_upsample(g, "up", source(g, SHAPE4(2, 3, 4, 2)), (int[]){2, 3});
}

static Value *flatten(Graph *g)
{
    return layer_flatten(g, "flat", source(g, SHAPE4(2, 3, 4, 2)));
}

static Value *dropout(Graph *g)
{
    return layer_dropout(g, "drop", source(g, SHAPE4(2, 5, 4, 7)), 0.3);
}

/* Integers of all three inputs are as gradcheck fills them. */
static Value *xent_mixed(Graph *g)
{
    Value *in[3];
    static const char *const names[] = {"labels", "others", "shares"};
    for (int i = 0; i < 3; i++)
        in[i] = graph_input(g, names[i], SHAPE1(6), ELEM_INT32);
    return layer_softmax_xent_mixed(g, "loss", source(g, SHAPE2(6, 4)), in[0], in[1], in[2], 0.2);
}

static Value *soft_of(Graph *g, double temperature)
{
    Value *teacher = graph_param(g, "teacher", SHAPE2(6, 5), PARAM_STATE, (Init){0, 2});
    return distill_soft_loss(g, "soft", gradcheck_source(g, "x", SHAPE2(6, 5), 0, 2), teacher,
                             temperature);
}

static Value *soft_loss(Graph *g)
{
    return soft_of(g, 1);
}

static Value *soft_loss_warm(Graph *g)
{
    return soft_of(g, 4);
}

static Value *mse_labels(Graph *g)
{
    return layer_mse(g, "loss", source(g, SHAPE2(6, 4)),
                     graph_input(g, "labels", SHAPE1(6), ELEM_INT32));
}

static Value *bce_labels(Graph *g)
{
    return layer_bce(g, "loss", source(g, SHAPE2(6, 4)),
                     graph_input(g, "labels", SHAPE1(6), ELEM_INT32));
}

static Value *mse_numbers(Graph *g)
{
    Value *target = graph_param(g, "target", SHAPE4(5, 2, 1, 3), PARAM_STATE, (Init){0.3, 0});
    return layer_mse(g, "loss", source(g, SHAPE2(5, 6)), target);
}

static Value *bce_numbers(Graph *g)
{
    Value *target = graph_param(g, "target", SHAPE4(5, 2, 1, 3), PARAM_STATE, (Init){0.3, 0});
    return layer_bce(g, "loss", source(g, SHAPE2(5, 6)), target);
}

/* ---- quantization ---- */

/* Codes -8..7 of the grid 0.25 (q - 2), so that about a tenth of the numbers are clipped. */
static Value *quantized(Graph *g, Shape shape, double deviation)
{
    Value *x = gradcheck_source(g, "x", shape, 0, deviation);
    GridAttributes grid = {.qmin = -8, .qmax = 7, .fixed = true, .grid = {0.25f, 2}};
    FakequantAttributes codes = {.qmin = -8, .qmax = 7, .axis = QUANT_AXIS_NONE};
    Node *n = qat_grid(g, "grid", NULL, &grid);
    n = n ? qat_fakequant(g, "quant", x, n->out[0], n->out[1], &codes) : NULL;
    return n ? n->out[0] : NULL;
}

static Value *fakequant(Graph *g)
{
    return quantized(g, SHAPE4(2, 3, 5, 7), 1);
}

static double fakequant_slope(size_t i, double x)
{
    (void)i;
    double code = rint(x * 4) + 2;
    return code >= -8 && code <= 7 ? 1 : 0;
}

static Value *dequantize(Graph *g)
{
    Node *n = qat_dequantize(g, "real", quantized(g, SHAPE2(9, 11), 1.5));
    return n ? n->out[0] : NULL;
}

/* Scales are a parameter of their own here, too large for none to be clipped. */
static Value *per_channel(Graph *g, QuantAxis axis)
{
    Shape shape = axis == QUANT_AXIS_FIRST ? SHAPE4(5, 3, 3, 2) : SHAPE4(1, 3, 3, 5);
    Value *x = gradcheck_source(g, "x", shape, 0, 1);
    Value *scale = graph_param(g, "scale", SHAPE1(5), PARAM_STATE, (Init){0.25, 0});
    FakequantAttributes codes = {.qmin = -3, .qmax = 3, .axis = axis};
    Node *n = qat_fakequant(g, "quant", x, scale, NULL, &codes);
    return n ? n->out[0] : NULL;
}

static Value *fakequant_first(Graph *g)
{
    return per_channel(g, QUANT_AXIS_FIRST);
}

static Value *fakequant_last(Graph *g)
{
    return per_channel(g, QUANT_AXIS_LAST);
}

static void channel_scales(const Graph *g, Params *p)
{
    Real *scale = gradcheck_at(g, p, "scale");
    for (int c = 0; c < 5; c++)
        scale[c] = (Real)(1 << c) / 8;
}

static double slope_of_channel(size_t c, double x)
{
    return fabs(rint(x * 8 / (double)(1 << c))) <= 3 ? 1 : 0;
}

static double first_slope(size_t i, double x)
{
    return slope_of_channel(i / 18, x);
}

static double last_slope(size_t i, double x)
{
    return slope_of_channel(i % 5, x);
}

static const GradCase cases[] = {
    {"conv2d same", &op_conv2d, conv_same, NULL, false, false, NULL},
    {"conv2d stride, dilation", &op_conv2d, conv_stride, NULL, false, false, NULL},
    {"conv2d explicit pads", &op_conv2d, conv_pads, NULL, false, false, NULL},
    {"conv2d pointwise", &op_conv2d, conv_pointwise, NULL, false, false, NULL},
    {"conv2d groups", &op_conv2d, conv_groups, NULL, false, false, NULL},
    {"conv2d dilated", &op_conv2d, conv_dilated, NULL, false, false, NULL},
    {"depthwise same", &op_depthwise, depthwise_same, NULL, false, false, NULL},
    {"depthwise stride, dilation", &op_depthwise, depthwise_stride, NULL, false, false, NULL},
    {"depthwise multiplier", &op_depthwise, depthwise_multiplied, NULL, false, false, NULL},
    {"depthwise dilated", &op_depthwise, depthwise_dilated, NULL, false, false, NULL},
    {"dense", &op_dense, dense_rows, NULL, false, false, NULL},
    {"dense of images", &op_dense, dense_flattened, NULL, false, false, NULL},
    {"batchnorm", &op_batchnorm, batchnorm_images, batchnorm_values, false, false, NULL},
    {"batchnorm of rows", &op_batchnorm, batchnorm_rows, batchnorm_values, false, false, NULL},
    {"batchnorm frozen", &op_batchnorm, batchnorm_images, batchnorm_values, false, true, NULL},
    {"relu", &op_relu, relu, away_from_kinks, false, false, NULL},
    {"relu6", &op_relu6, relu6, away_from_kinks, false, false, NULL},
    {"add", &op_add, add_two, NULL, false, false, NULL},
    {"add x + x", &op_add, add_itself, NULL, false, false, NULL},
    {"add residual", &op_add, add_residual, NULL, false, false, NULL},
    {"mean", &op_mean, mean, NULL, false, false, NULL},
    {"softmax_xent", &op_softmax_xent, xent, NULL, false, false, NULL},
    {"softmax_xent smoothed", &op_softmax_xent, xent_smooth, NULL, false, false, NULL},
    {"sigmoid", &op_sigmoid, sigmoid, NULL, false, false, NULL},
    {"tanh", &op_tanh, tanh_of, NULL, false, false, NULL},
    {"hard_sigmoid", &op_hard_sigmoid, hard_sigmoid, away_from_ramps, false, false, NULL},
    {"hard_swish", &op_hard_swish, hard_swish, away_from_ramps, false, false, NULL},
    {"silu", &op_silu, silu, NULL, false, false, NULL},
    {"leaky_relu", &op_leaky_relu, leaky_relu, away_from_kinks, false, false, NULL},
    {"elu", &op_elu, elu, away_from_kinks, false, false, NULL},
    {"max_pool", &op_max_pool, max_pool, spread, false, false, NULL},
    {"max_pool padded", &op_max_pool, max_pool_padded, spread, false, false, NULL},
    {"average_pool", &op_average_pool, average_pool, NULL, false, false, NULL},
    {"average_pool padded", &op_average_pool, average_pool_padded, NULL, false, false, NULL},
    {"mul", &op_mul, mul_same, NULL, false, false, NULL},
    {"mul of channels", &op_mul, mul_channels, NULL, false, false, NULL},
    {"mul of a pixel", &op_mul, mul_pixel, NULL, false, false, NULL},
    {"mul x x", &op_mul, mul_itself, NULL, false, false, NULL},
    {"concat", &op_concat, concat_three, NULL, false, false, NULL},
    {"pad", &op_pad, padding, NULL, false, false, NULL},
    {"upsample", &op_upsample, upsample, NULL, false, false, NULL},
    {"reshape", &op_reshape, flatten, NULL, false, false, NULL},
    {"dropout", &op_dropout, dropout, NULL, false, false, NULL},
    {"softmax", &op_softmax, softmax, NULL, false, false, NULL},
    {"softmax_xent mixed", &op_softmax_xent, xent_mixed, NULL, false, false, NULL},
    {"soft_loss", &op_soft_loss, soft_loss, NULL, false, false, NULL},
    {"soft_loss at temperature 4", &op_soft_loss, soft_loss_warm, NULL, false, false, NULL},
    {"mse of labels", &op_mse, mse_labels, NULL, false, false, NULL},
    {"mse of numbers", &op_mse, mse_numbers, NULL, false, false, NULL},
    {"bce of labels", &op_bce, bce_labels, NULL, false, false, NULL},
    {"bce of numbers", &op_bce, bce_numbers, NULL, false, false, NULL},
    {"fakequant", &op_fakequant, fakequant, NULL, true, false, fakequant_slope},
    {"fakequant, first axis", &op_fakequant, fakequant_first, channel_scales, true, false,
     first_slope},
    {"fakequant, last axis", &op_fakequant, fakequant_last, channel_scales, true, false,
     last_slope},
    {"dequantize", &op_dequantize, dequantize, NULL, true, false, fakequant_slope},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static const Op *const ops[] = {
#define OP(op) &op,
#include "distill/ops.def"
#include "layers/ops.def"
#include "qat/ops.def"
#undef OP
};

/* Differences need double; a closed form does not. */
static bool exact(const GradCase *c)
{
    return sizeof(Real) == sizeof(double) || c->slope;
}

START_TEST(gradients)
{
    const GradCase *c = &cases[_i];
    if (!exact(c))
        return;
    GradResult worst = gradcheck(c);
    ck_assert_msg(worst.error <= TOLERANCE, "%s: error %g", worst.where, worst.error);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    gradcheck_threads(&cases[_i]);
}
END_TEST

START_TEST(every_op_has_a_case)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        bool found = !ops[i]->backward;
        for (int c = 0; c < CASES; c++)
            found = found || cases[c].op == ops[i];
        ck_assert_msg(found, "op '%s' is differentiable and has no gradient case", ops[i]->name);
    }
}
END_TEST

Suite *suite_gradcheck(void)
{
    Suite *s = suite_create("gradcheck");
    TCase *t = tcase_create("gradcheck");
    tcase_add_loop_test(t, gradients, 0, CASES);
    tcase_add_loop_test(t, threads_do_not_matter, 0, CASES);
    tcase_add_test(t, every_op_has_a_case);
    suite_add_tcase(s, t);
    return s;
}
