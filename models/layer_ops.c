/* The ops of `layers:` lists beside those of layer_list.c: see layer_ops.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/layer_ops.h"

#include "core/text.h"

#include <stddef.h>

const char *const layer_paddings[] = {"same", "valid", "explicit", NULL};

void layer_pair(int *out, const OptionInts *in)
{
    out[0] = (int)in->v[0];
    out[1] = (int)in->v[in->count - 1];
}

/* A convolution over images of height 1. */
static Value *build_conv1d(const LayerSite *s, const LayerEntry *entry)
{
    char text[SHAPE_TEXT_BYTES];
    if (s->x->shape.rank != 4 || s->x->shape.dim[1] != 1) {
        error_set(&s->g->error, HONE_ERR_SHAPE, "conv1d '%s': input %s is not [N, 1, W, C]",
                  s->name, shape_text(s->x->shape, text));
        return NULL;
    }
    const Conv2dOptions o = {.channels = (int)entry->filters,
                             .kernel = {1, (int)entry->kernel.v[0]},
                             .stride = {1, (int)entry->stride.v[0]},
                             .dilation = {1, (int)entry->dilation.v[0]},
                             .padding = (Padding)entry->padding,
                             .pads = {0, (int)entry->pads.v[0], 0, (int)entry->pads.v[1]},
                             .bias = entry->bias};
    return layer_conv2d(s->g, s->name, s->x, &o);
}

#define BUILD_UNARY(op)                                                                            \
    static Value *build_##op(const LayerSite *s, const LayerEntry *entry)                          \
    {                                                                                              \
        (void)entry;                                                                               \
        return layer_##op(s->g, s->name, s->x);                                                    \
    }

BUILD_UNARY(sigmoid)
BUILD_UNARY(tanh)
BUILD_UNARY(hard_sigmoid)
BUILD_UNARY(hard_swish)
BUILD_UNARY(silu)
BUILD_UNARY(flatten)
BUILD_UNARY(softmax)

static Value *build_leaky_relu(const LayerSite *s, const LayerEntry *entry)
{
    return layer_leaky_relu(s->g, s->name, s->x, entry->slope);
}

static Value *build_elu(const LayerSite *s, const LayerEntry *entry)
{
    return layer_elu(s->g, s->name, s->x, entry->alpha);
}

static PoolOptions pool_options(const LayerEntry *entry)
{
    PoolOptions o = {.padding = (Padding)entry->padding};
    layer_pair(o.kernel, &entry->kernel);
    layer_pair(o.stride, &entry->stride);
    for (int i = 0; i < entry->pads.count; i++)
        o.pads[i] = (int)entry->pads.v[i];
    return o;
}

static Value *build_max_pool(const LayerSite *s, const LayerEntry *entry)
{
    const PoolOptions o = pool_options(entry);
    return layer_max_pool(s->g, s->name, s->x, &o);
}

static Value *build_average_pool(const LayerSite *s, const LayerEntry *entry)
{
    const PoolOptions o = pool_options(entry);
    return layer_average_pool(s->g, s->name, s->x, &o);
}

static Value *build_mul(const LayerSite *s, const LayerEntry *entry)
{
    (void)entry;
    return layer_mul(s->g, s->name, s->x, s->with[0]);
}

static Value *build_concat(const LayerSite *s, const LayerEntry *entry)
{
    Value *values[NODE_INPUTS_MAX] = {s->x};
    (void)entry;
    for (int i = 0; i < s->count; i++)
        values[i + 1] = s->with[i];
    return layer_concat(s->g, s->name, s->count + 1, values);
}

static Value *build_pad(const LayerSite *s, const LayerEntry *entry)
{
    int pads[4];
    for (int i = 0; i < 4; i++)
        pads[i] = (int)entry->pads.v[i];
    return layer_pad(s->g, s->name, s->x, pads);
}

static Value *build_upsample(const LayerSite *s, const LayerEntry *entry)
{
    int factor[2];
    layer_pair(factor, &entry->factor);
    return layer_upsample(s->g, s->name, s->x, factor);
}

static Value *build_reshape(const LayerSite *s, const LayerEntry *entry)
{
    const int64_t *v = entry->shape.v;
    const int samples = s->x->shape.dim[0];
    if (entry->shape.count == 1)
        return layer_reshape(s->g, s->name, s->x, SHAPE2(samples, (int)v[0]));
    if (entry->shape.count == 3)
        return layer_reshape(s->g, s->name, s->x, SHAPE4(samples, (int)v[0], (int)v[1], (int)v[2]));
    error_set(&s->g->error, HONE_ERR_CONFIG,
              "reshape '%s': shape takes [channels] or [height, width, channels], not %d number%s",
              s->name, entry->shape.count, text_plural(entry->shape.count));
    return NULL;
}

static Value *build_dropout(const LayerSite *s, const LayerEntry *entry)
{
    return layer_dropout(s->g, s->name, s->x, entry->rate);
}

#define LENGTH(field, fallback_, help_)                                                            \
    OPTION_INTS(#field, LayerEntry, field, "", 1, 1, 1, 32767, fallback_, help_)
#define POOL                                                                                       \
    OPTION_INTS("kernel", LayerEntry, kernel, "", 1, 2, 1, 32767, NULL,                            \
                "one number, or height and width"),                                                \
        OPTION_INTS("stride", LayerEntry, stride, "", 1, 2, 0, 32767, "[0]",                       \
                    "one number, or vertical and horizontal; 0: the kernel's"),                    \
        OPTION_CHOICE("padding", LayerEntry, padding, layer_paddings, "same",                      \
                      "same as TensorFlow pads, valid for none, explicit for `pads`"),             \
        OPTION_INTS("pads", LayerEntry, pads, "", 4, 4, 0, 32767, "[0, 0, 0, 0]",                  \
                    "padding explicit: top, left, bottom, right; pixels there do not count"),      \
        OPTION_END

LAYER_OP(conv1d, "convolution along the width of images of height 1",
         OPTION_INT("filters", LayerEntry, filters, "", 1, 32767, NULL, "channels of the output"),
         LENGTH(kernel, NULL, "taps"), LENGTH(stride, "[1]", "distance of the outputs"),
         LENGTH(dilation, "[1]", "distance of the kernel's taps"),
         OPTION_CHOICE("padding", LayerEntry, padding, layer_paddings, "same",
                       "same as TensorFlow pads, valid for none, explicit for `pads`"),
         OPTION_INTS("pads", LayerEntry, pads, "", 2, 2, 0, 32767, "[0, 0]",
                     "padding explicit: left, right"),
         OPTION_BOOL("bias", LayerEntry, bias, "true",
                     "add one number per channel; needless in front of batchnorm"),
         OPTION_END);
LAYER_OP(sigmoid, "1 / (1 + exp(-x))", OPTION_END);
LAYER_OP(tanh, "hyperbolic tangent", OPTION_END);
LAYER_OP(hard_sigmoid, "min(max(x / 6 + 1/2, 0), 1)", OPTION_END);
LAYER_OP(hard_swish, "x hard_sigmoid(x)", OPTION_END);
LAYER_OP(silu, "x sigmoid(x)", OPTION_END);
LAYER_OP(leaky_relu, "x above 0, slope x below",
         OPTION_REAL("slope", LayerEntry, slope, "", 0, 1000, "0.01", "of negative numbers"),
         OPTION_END);
LAYER_OP(elu, "x above 0, alpha (exp(x) - 1) below",
         OPTION_REAL_OPEN("alpha", LayerEntry, alpha, "", 0, 1000, OPTION_OPEN_MIN, "1",
                          "what negative numbers approach, negated"),
         OPTION_END);
LAYER_OP(max_pool, "the largest number of each window", POOL);
LAYER_OP(average_pool, "the average of each window, over the pixels inside the image", POOL);
LAYER_OP(mul, "product with another layer of the same shape, or with one number per channel",
         OPTION_TEXT("with", LayerEntry, with, NULL, "name of the earlier layer"), OPTION_END);
LAYER_OP(concat, "the channels of several layers, one behind the other",
         OPTION_TEXTS("with", LayerEntry, others, 1, NODE_INPUTS_MAX - 1, NULL, NULL,
                      "names of the earlier layers that follow the input"),
         OPTION_END);
LAYER_OP(pad, "zeros around the image",
         OPTION_INTS("pads", LayerEntry, pads, "", 4, 4, 0, 4096, NULL, "top, left, bottom, right"),
         OPTION_END);
LAYER_OP(upsample, "each pixel several times",
         OPTION_INTS("factor", LayerEntry, factor, "", 1, 2, 1, 255, NULL,
                     "one number, or vertical and horizontal"),
         OPTION_END);
LAYER_OP(flatten, "an image as one row of numbers", OPTION_END);
LAYER_OP(reshape, "the same numbers as another shape",
         OPTION_INTS("shape", LayerEntry, shape, "", 1, 3, 1, 16777216, NULL,
                     "channels, or height, width and channels"),
         OPTION_END);
LAYER_OP(dropout, "sets numbers to 0 at random in training",
         OPTION_REAL_OPEN("rate", LayerEntry, rate, "", 0, 1, OPTION_OPEN_MAX, "0.5",
                          "share of the numbers"),
         OPTION_END);
LAYER_OP(softmax, "exp(x) / sum of exp(x) over the channels", OPTION_END);
