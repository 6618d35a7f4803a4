/* Cases of gradients: layers without parameters. SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"
#include "tests/grad_cases.h"

#include <math.h>

static Value *source(Graph *g, Shape s)
{
    return gradcheck_source(g, "x", s, 0.3, 1);
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

static const GradCase cases[] = {
    {"relu", &op_relu, relu, away_from_kinks, false, false, NULL},
    {"relu6", &op_relu6, relu6, away_from_kinks, false, false, NULL},
    {"add", &op_add, add_two, NULL, false, false, NULL},
    {"add x + x", &op_add, add_itself, NULL, false, false, NULL},
    {"add residual", &op_add, add_residual, NULL, false, false, NULL},
    {"mean", &op_mean, mean, NULL, false, false, NULL},
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
};

const GradCases grad_plain = {cases, sizeof cases / sizeof cases[0]};
