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

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    const Blocks b = {g, &o->batchnorm};
    const Conv2dOptions stem = {.channels = 16, .kernel = {3, 3}, .bias = o->conv_bias};
    x = block_conv(&b, "stem", x, &stem, layer_relu);
    for (int i = 0; i < 3; i++)
        x = block_residual(
            &b, i + 1, x,
            &(BlockResidual){.channels = 16 << i, .stride = i == 0 ? 1 : 2, .bias = o->conv_bias});
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
