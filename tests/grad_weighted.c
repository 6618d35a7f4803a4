/* Cases of gradients: convolutions, dense layers and batch-norm. SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"
#include "tests/grad_cases.h"

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
};

const GradCases grad_weighted = {cases, sizeof cases / sizeof cases[0]};
