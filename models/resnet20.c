/* ResNet-20 for CIFAR: a stem and three stages of three residual blocks with 16, 32 and 64 channels;
 * the second and third stage begin at stride 2 with a 1x1 convolution and batch-norm as shortcut
 * (option B of the paper; its option A pads with zeros and has 2,752 numbers less).
 *
 * He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2. For 32x32x3 and 10
 * classes: 40,813,184 multiply-accumulates, 272,474 trained numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"
#include "models/blocks.h"

enum { STAGES = 3, STAGE_BLOCKS = 3, CHANNELS = 16 };

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    const Blocks b = {g, &o->batchnorm};
    const Conv2dOptions stem = {.channels = CHANNELS, .kernel = {3, 3}};
    x = block_conv(&b, "stem", x, &stem, layer_relu);
    for (int i = 0; i < STAGES * STAGE_BLOCKS; i++) {
        const int stage = i / STAGE_BLOCKS;
        const bool reduces = stage > 0 && i % STAGE_BLOCKS == 0;
        x = block_residual(&b, i + 1, x,
                           &(BlockResidual){.channels = CHANNELS << stage,
                                            .stride = reduces ? 2 : 1,
                                            .shortcut_batchnorm = true});
    }
    return block_classifier(&b, x, (int)o->classes);
}

const ModelArch model_resnet20 = {
    .variant =
        {
            .choice = "resnet20",
            .help = "nine residual blocks, 41 million multiply-accumulates at 32x32",
            .options = (const Option[]){OPTION_END},
        },
    .build = build,
};
