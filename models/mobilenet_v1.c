/* MobileNetV1: a stem and thirteen separable convolutions, each a 3x3 depthwise filter and a 1x1
 * convolution that mixes the channels, both with batch-norm and ReLU:
 *
 *     x --3x3 depthwise, ReLU--> --1x1, ReLU--> y
 *
 * Howard et al., "MobileNets", 2017, table 1. Channels times width are cut to whole numbers, as in
 * the authors' TensorFlow models and in Keras. MLPerf Tiny's detector of persons ("visual wake
 * words"; Banbury et al., NeurIPS 2021) is width 0.25 at 96x96x3 with 2 classes: 7,489,664
 * multiply-accumulates. Its Keras model has a bias in front of each batch-norm, which `conv_bias`
 * adds: 216,322 trained numbers, and with the 5,472 running statistics the published 221,794. The
 * bias only shifts the mean that batch-norm takes away again, so it is off otherwise: width 1 at
 * 224x224x3 with 1000 classes has 568,740,352 multiply-accumulates, 4,231,976 trained numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"
#include "models/blocks.h"

#include <stddef.h>

/* Channels and stride of a separable convolution. */
typedef struct Separable {
    int channels, stride;
} Separable;

static const Separable separables[] = {
    {64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2},  {512, 1},
    {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
};
enum { SEPARABLES = sizeof separables / sizeof separables[0], STEM = 32 };

static int scale_channels(int channels, double width)
{
    const int scaled = (int)(channels * width);
    return scaled > 1 ? scaled : 1;
}

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    const Blocks b = {g, &o->batchnorm};
    x = block_conv(&b, "stem", x,
                   &(Conv2dOptions){.channels = scale_channels(STEM, o->width),
                                    .kernel = {3, 3},
                                    .stride = {2, 2},
                                    .bias = o->conv_bias},
                   layer_relu);
    for (int i = 0; i < SEPARABLES; i++)
        x = block_separable(&b, i + 1, x, scale_channels(separables[i].channels, o->width),
                            separables[i].stride, o->conv_bias);
    return block_classifier(&b, x, (int)o->classes);
}

const ModelArch model_mobilenet_v1 = {
    .variant =
        {
            .choice = "mobilenet_v1",
            .help = "separable convolutions; width 0.25 at 96x96 is MLPerf Tiny's detector of "
                    "persons",
            .options =
                (const Option[]){
                    OPTION_REAL("width", ModelOptions, width, "", 0.05, 8, "1",
                                "multiplies the channels of every layer"),
                    OPTION_BOOL("conv_bias", ModelOptions, conv_bias, "false",
                                "biases in front of batch-norm, as MLPerf's file has them"),
                    OPTION_END,
                },
        },
    .build = build,
};
