/* LeNet-5 as Caffe has it: two 5x5 convolutions without padding, each with a 2x2 maximum behind it, and
 * two dense layers with one ReLU.
 *
 *     28x28 --conv 20--> 24x24 --max--> 12x12 --conv 50--> 8x8 --max--> 4x4 --500, ReLU--> classes
 *
 * LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc.
 * IEEE 1998, in the widths of Jia et al., "Caffe", ACM MM 2014: for 28x28x1 and 10 classes 431,080
 * numbers and 2,293,000 multiply-accumulates. The network of many papers on compression.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"

#include <stddef.h>

static Value *conv_pool(Graph *g, const char *conv, const char *pool, Value *x, int channels)
{
    const Conv2dOptions o = {
        .channels = channels, .kernel = {5, 5}, .padding = PADDING_VALID, .bias = true};
    x = layer_conv2d(g, conv, x, &o);
    return layer_max_pool(g, pool, x, &(PoolOptions){.kernel = {2, 2}, .stride = {2, 2}});
}

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    x = conv_pool(g, "conv1", "pool1", x, 20);
    x = conv_pool(g, "conv2", "pool2", x, 50);
    x = layer_relu(g, "hidden.relu", layer_dense(g, "hidden", x, 500, true));
    return layer_dense(g, "classifier", x, (int)o->classes, true);
}

const ModelArch model_lenet5 = {
    .variant =
        {
            .choice = "lenet5",
            .help = "Caffe's LeNet-5: 20 and 50 channels, 500 hidden units, 431,080 parameters "
                    "at 28x28x1",
            .options = (const Option[]){OPTION_END},
        },
    .build = build,
};
