/* Blocks that architectures share: see blocks.h. SPDX-License-Identifier: Apache-2.0 */
#include "models/blocks.h"

#include <stdio.h>

const char *block_name(char *buffer, const char *prefix, int number, const char *suffix)
{
    if (number > 0)
        snprintf(buffer, BLOCK_NAME_BYTES, "%s%d.%s", prefix, number, suffix);
    else
        snprintf(buffer, BLOCK_NAME_BYTES, "%s.%s", prefix, suffix);
    return buffer;
}

static Value *finish(const Blocks *b, const char *name, Value *x, Activation activation)
{
    char buffer[BLOCK_NAME_BYTES];
    x = layer_batchnorm(b->g, block_name(buffer, name, 0, "bn"), x, b->batchnorm);
    return activation ? activation(b->g, block_name(buffer, name, 0, "relu"), x) : x;
}

Value *block_conv(const Blocks *b, const char *name, Value *x, const Conv2dOptions *o,
                  Activation activation)
{
    return finish(b, name, layer_conv2d(b->g, name, x, o), activation);
}

Value *block_depthwise(const Blocks *b, const char *name, Value *x, const Conv2dOptions *o,
                       Activation activation)
{
    return finish(b, name, layer_depthwise(b->g, name, x, o), activation);
}

Value *block_classifier(const Blocks *b, Value *x, int classes)
{
    return layer_dense(b->g, "classifier", layer_mean(b->g, "pool", x), classes, true);
}
