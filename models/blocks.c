/* Blocks that architectures share: see blocks.h. SPDX-License-Identifier: Apache-2.0 */
#include "models/blocks.h"

#include <stdio.h>

/* Longer prefixes are cut, so that suffixes such as "relu" stay whole. */
#define PREFIX_MAX "48"

const char *block_name(char *buffer, const char *prefix, int number, const char *suffix)
{
    if (number > 0)
        snprintf(buffer, BLOCK_NAME_BYTES, "%." PREFIX_MAX "s%d.%s", prefix, number, suffix);
    else
        snprintf(buffer, BLOCK_NAME_BYTES, "%." PREFIX_MAX "s.%s", prefix, suffix);
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

Value *block_separable(const Blocks *b, int number, Value *x, int channels, int stride, bool bias)
{
    char name[BLOCK_NAME_BYTES];
    x = block_depthwise(
        b, block_name(name, "block", number, "depthwise"), x,
        &(Conv2dOptions){.kernel = {3, 3}, .stride = {stride, stride}, .bias = bias}, layer_relu);
    return block_conv(b, block_name(name, "block", number, "pointwise"), x,
                      &(Conv2dOptions){.channels = channels, .kernel = {1, 1}, .bias = bias},
                      layer_relu);
}

Value *block_dense(const Blocks *b, const char *name, Value *x, int units, Activation activation)
{
    return finish(b, name, layer_dense(b->g, name, x, units, true), activation);
}

static Value *shortcut_of(const Blocks *b, int number, Value *x, const BlockResidual *o)
{
    char name[BLOCK_NAME_BYTES];
    const Conv2dOptions conv = {.channels = o->channels,
                                .kernel = {1, 1},
                                .stride = {o->stride, o->stride},
                                .bias = !o->shortcut_batchnorm};
    block_name(name, "block", number, "shortcut");
    if (o->stride == 1)
        return x;
    return o->shortcut_batchnorm ? block_conv(b, name, x, &conv, NULL)
                                 : layer_conv2d(b->g, name, x, &conv);
}

Value *block_residual(const Blocks *b, int number, Value *x, const BlockResidual *o)
{
    char name[BLOCK_NAME_BYTES];
    const Conv2dOptions first = {.channels = o->channels,
                                 .kernel = {3, 3},
                                 .stride = {o->stride, o->stride},
                                 .bias = o->bias};
    const Conv2dOptions second = {.channels = o->channels, .kernel = {3, 3}, .bias = o->bias};
    /* Before the others: backward then comes last and adds to a quarter of the gradient of x, where it
     * would have had to write zeros to the rest. */
    Value *shortcut = shortcut_of(b, number, x, o);
    Value *y = block_conv(b, block_name(name, "block", number, "conv1"), x, &first, layer_relu);
    y = block_conv(b, block_name(name, "block", number, "conv2"), y, &second, NULL);
    y = layer_add(b->g, block_name(name, "block", number, "add"), shortcut, y);
    return layer_relu(b->g, block_name(name, "block", number, "relu"), y);
}

Value *block_classifier(const Blocks *b, Value *x, int classes)
{
    return layer_dense(b->g, "classifier", layer_mean(b->g, "pool", x), classes, true);
}
