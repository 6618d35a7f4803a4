/* ResNet-8, the image classifier of MLPerf Tiny: a stem and three residual blocks of 16, 32 and 64
 * channels, the last two at stride 2 with a 1x1 convolution (bias, no batch-norm) as shortcut:
 *
 *     x --3x3, ReLU--> --3x3--> + --ReLU--> y
 *      \___1x1, or nothing_____/
 *
 * Banbury et al., "MLPerf Tiny Benchmark", NeurIPS 2021; He et al., "Deep Residual Learning", CVPR
 * 2016. For 32x32x3 and 10 classes: 12,501,632 multiply-accumulates. The reference model, written
 * in Keras, has a bias in front of each batch-norm as well; `conv_bias` (on) keeps these, so that
 * its files correspond array by array: 78,186 trained numbers, and with the 480 running statistics
 * the published 78,666. Without them the model can compute the same functions (a bias before
 * batch-norm only shifts the mean) with 77,946 trained numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"
#include "models/blocks.h"

#include <stddef.h>

static Conv2dOptions conv3(int channels, int stride, bool bias)
{
    return (Conv2dOptions){
        .channels = channels, .kernel = {3, 3}, .stride = {stride, stride}, .bias = bias};
}

static Value *residual(const Blocks *b, int number, Value *x, int channels, int stride, bool bias)
{
    char name[BLOCK_NAME_BYTES];
    const Conv2dOptions first = conv3(channels, stride, bias), second = conv3(channels, 1, bias);
    Value *shortcut = x;
    x = block_conv(b, block_name(name, "block", number, "conv1"), x, &first, layer_relu);
    x = block_conv(b, block_name(name, "block", number, "conv2"), x, &second, NULL);
    if (stride != 1)
        shortcut = layer_conv2d(
            b->g, block_name(name, "block", number, "shortcut"), shortcut,
            &(Conv2dOptions){
                .channels = channels, .kernel = {1, 1}, .stride = {stride, stride}, .bias = true});
    x = layer_add(b->g, block_name(name, "block", number, "add"), shortcut, x);
    return layer_relu(b->g, block_name(name, "block", number, "relu"), x);
}

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    const Blocks b = {g, &o->batchnorm};
    const Conv2dOptions stem = conv3(16, 1, o->conv_bias);
    x = block_conv(&b, "stem", x, &stem, layer_relu);
    x = residual(&b, 1, x, 16, 1, o->conv_bias);
    x = residual(&b, 2, x, 32, 2, o->conv_bias);
    x = residual(&b, 3, x, 64, 2, o->conv_bias);
    return block_classifier(&b, x, (int)o->classes);
}

const ModelArch model_resnet8 = {
    .variant =
        {
            .choice = "resnet8",
            .help = "MLPerf Tiny's image classifier: three residual blocks, 12.5 million "
                    "multiply-accumulates at 32x32",
            .options =
                (const Option[]){
                    OPTION_BOOL("conv_bias", ModelOptions, conv_bias, "true",
                                "biases in front of batch-norm, as MLPerf's file has them"),
                    OPTION_END,
                },
        },
    .build = build,
};
