/* DS-CNN, the keyword spotter of MLPerf Tiny: a 10x4 convolution over the spectrogram (time by
 * frequency, one channel) and four separable convolutions of 64 channels, all with batch-norm and
 * ReLU:
 *
 *     x --10x4 stride 2, ReLU--> 4 times (--3x3 depthwise, ReLU--> --1x1, ReLU-->) --mean--> y
 *
 * Zhang et al., "Hello Edge", 2017; Banbury et al., "MLPerf Tiny Benchmark", NeurIPS 2021. For
 * 49x10x1 and 12 classes: 2,656,768 multiply-accumulates. The reference model, written in Keras,
 * has a bias in front of each batch-norm as well; `conv_bias` (on) keeps these, so that its files
 * correspond array by array: 23,756 trained numbers, and with the 1,152 running statistics the
 * published 24,908. Not here: its dropout behind the stem and before the classifier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"
#include "models/blocks.h"

#include <stddef.h>

enum { CHANNELS = 64, SEPARABLES = 4 };

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    const Blocks b = {g, &o->batchnorm};
    x = block_conv(
        &b, "stem", x,
        &(Conv2dOptions){
            .channels = CHANNELS, .kernel = {10, 4}, .stride = {2, 2}, .bias = o->conv_bias},
        layer_relu);
    for (int i = 0; i < SEPARABLES; i++)
        x = block_separable(&b, i + 1, x, CHANNELS, 1, o->conv_bias);
    return block_classifier(&b, x, (int)o->classes);
}

const ModelArch model_ds_cnn = {
    .variant =
        {
            .choice = "ds_cnn",
            .help = "MLPerf Tiny's keyword spotter: four separable convolutions, 2.7 million "
                    "multiply-accumulates at 49x10",
            .options =
                (const Option[]){
                    OPTION_BOOL("conv_bias", ModelOptions, conv_bias, "true",
                                "biases in front of batch-norm, as MLPerf's file has them"),
                    OPTION_END,
                },
        },
    .build = build,
};
