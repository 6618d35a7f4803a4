/* MobileNetV2: inverted residuals with linear bottlenecks. A block widens its input by a factor t
 * with a 1x1 convolution, filters it depthwise, and narrows it again without an activation; where
 * neither size nor channels change, the input is added:
 *
 *     x --1x1, ReLU6--> t x --3x3 depthwise, ReLU6--> t x --1x1--> + --> y
 *      \__________________________________________________________/
 *
 * Sandler et al., "MobileNetV2", CVPR 2018, tables 1 and 2. Channels times width are rounded to
 * multiples of 8 by at most a tenth down, and the last convolution never has fewer than 1280
 * channels, as in the authors' TensorFlow models. The stems for small images keep more resolution:
 * their 24-channel stage, and for `cifar` the stem too, run at stride 1.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"
#include "models/blocks.h"

#include <stddef.h>

/* As t, c, n, s in the paper: expansion, channels, blocks, stride of the first block. */
typedef struct Stage {
    int expansion, channels, blocks, stride;
} Stage;

static const Stage stages[] = {
    {1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2},  {6, 64, 4, 2},
    {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
};
enum { STAGES = sizeof stages / sizeof stages[0], STAGE_24 = 1, STEM = 32, HEAD = 1280 };

static const char *const stems[] = {"imagenet", "cifar", "cifar_s2", NULL};

/* The multiple of 8 nearest to channels * width, at least 8 and at least 0.9 of it. */
static int scale_channels(int channels, double width)
{
    double wanted = channels * width;
    int rounded = (int)(wanted + 4) / 8 * 8;
    if (rounded < 8)
        rounded = 8;
    return rounded < 0.9 * wanted ? rounded + 8 : rounded;
}

static Value *bottleneck(const Blocks *b, int number, Value *x, int expansion, int channels,
                         int stride)
{
    char name[BLOCK_NAME_BYTES];
    if (!x)
        return NULL;
    Value *input = x;
    const int in = shape_channels(x->shape);
    if (expansion != 1)
        x = block_conv(b, block_name(name, "block", number, "expand"), x,
                       &(Conv2dOptions){.channels = in * expansion, .kernel = {1, 1}}, layer_relu6);
    x = block_depthwise(b, block_name(name, "block", number, "depthwise"), x,
                        &(Conv2dOptions){.kernel = {3, 3}, .stride = {stride, stride}},
                        layer_relu6);
    x = block_conv(b, block_name(name, "block", number, "project"), x,
                   &(Conv2dOptions){.channels = channels, .kernel = {1, 1}}, NULL);
    if (stride == 1 && in == channels)
        x = layer_add(b->g, block_name(name, "block", number, "add"), input, x);
    return x;
}

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    const Blocks b = {g, &o->batchnorm};
    const int stem_stride = o->stem == MODEL_STEM_CIFAR ? 1 : 2;
    int number = 0;
    x = block_conv(&b, "stem", x,
                   &(Conv2dOptions){.channels = scale_channels(STEM, o->width),
                                    .kernel = {3, 3},
                                    .stride = {stem_stride, stem_stride}},
                   layer_relu6);
    for (int s = 0; s < STAGES; s++) {
        const bool whole = s == STAGE_24 && o->stem != MODEL_STEM_IMAGENET;
        for (int i = 0; i < stages[s].blocks; i++)
            x = bottleneck(&b, ++number, x, stages[s].expansion,
                           scale_channels(stages[s].channels, o->width),
                           i == 0 && !whole ? stages[s].stride : 1);
    }
    const double last = o->width > 1 ? o->width : 1;
    x = block_conv(&b, "head", x,
                   &(Conv2dOptions){.channels = scale_channels(HEAD, last), .kernel = {1, 1}},
                   layer_relu6);
    return block_classifier(&b, x, (int)o->classes);
}

const ModelArch model_mobilenet_v2 = {
    .variant =
        {
            .choice = "mobilenet_v2",
            .help = "inverted residuals: a few to hundreds of million multiply-accumulates",
            .options =
                (const Option[]){
                    OPTION_REAL("width", ModelOptions, width, "", 0.05, 8, "1",
                                "multiplies the channels of every layer; the head never shrinks"),
                    OPTION_CHOICE("stem", ModelOptions, stem, stems, "imagenet",
                                  "strides at the start: imagenet 2, 2; cifar 1, 1; cifar_s2 2, 1"),
                    OPTION_END,
                },
        },
    .build = build,
};
